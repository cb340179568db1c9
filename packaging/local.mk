# SPDX-License-Identifier: GPL-3.0-or-later
# packaging/: systemd units and drop-ins, Debian packaging.
UNITS_IN = \
	%reldir%/systemd/stockade-drill.service.in \
	%reldir%/systemd/stockade-fenced.service.in \
	%reldir%/systemd/stockade-dlmd.service.in \
	%reldir%/systemd/stockade-storaged.service.in \
	%reldir%/systemd/stockade-virtd.service.in
UNITS_MADE = $(UNITS_IN:.service.in=.service)
systemdsystemunit_DATA = $(UNITS_MADE) %reldir%/systemd/stockade.target %reldir%/systemd/stockade-drill.timer
CLEANFILES += $(UNITS_MADE)
EXTRA_DIST += $(UNITS_IN) %reldir%/systemd/stockade.target %reldir%/systemd/stockade-drill.timer

SUFFIXES = .service.in .service
.service.in.service:
	$(AM_V_GEN)$(MKDIR_P) $(@D) && \
	sed -e 's|@sbindir[@]|$(sbindir)|g' -e 's|@sysconfdir[@]|$(sysconfdir)|g' $< >$@

sysusersdir = $(prefix)/lib/sysusers.d
install-data-local:
	$(MKDIR_P) $(DESTDIR)$(sysusersdir)
	$(INSTALL_DATA) $(srcdir)/packaging/systemd/stockade-virtd.sysusers $(DESTDIR)$(sysusersdir)/stockade-virtd.conf
uninstall-local:
	rm -f $(DESTDIR)$(sysusersdir)/stockade-virtd.conf
EXTRA_DIST += %reldir%/systemd/stockade-virtd.sysusers

# Drop-ins for units of others.
iscsiddropindir = $(systemdsystemunitdir)/iscsid.service.d
dist_iscsiddropin_DATA = %reldir%/systemd/iscsid.service.d/50-stockade.conf
openiscsidropindir = $(systemdsystemunitdir)/open-iscsi.service.d
dist_openiscsidropin_DATA = %reldir%/systemd/open-iscsi.service.d/50-stockade.conf
blkavailabilitydropindir = $(systemdsystemunitdir)/blk-availability.service.d
dist_blkavailabilitydropin_DATA = %reldir%/systemd/blk-availability.service.d/50-stockade.conf
corosyncdropindir = $(systemdsystemunitdir)/corosync.service.d
dist_corosyncdropin_DATA = %reldir%/systemd/corosync.service.d/50-stockade.conf
