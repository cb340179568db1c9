# SPDX-License-Identifier: GPL-3.0-or-later
# fence_agents/: agents of our own. Installed where fenced looks first, and where they are in nobody's way: programs of the
# same names from other packages stay what they are, and are used when the configuration gives their path.
agentsdir = $(pkglibexecdir)/agents
agents_PROGRAMS =

include %reldir%/lib/local.mk
include %reldir%/virt/local.mk
include %reldir%/dummy/local.mk
include %reldir%/xvm/local.mk
include %reldir%/ipmilan/local.mk
include %reldir%/scsi/local.mk
include %reldir%/virtd/local.mk
include %reldir%/doctor/local.mk

# Pacemaker finds agents in sbin by name: there each has one that is nobody else's.
install-exec-hook:
	$(MKDIR_P) $(DESTDIR)$(sbindir)
	for f in $(agents_PROGRAMS); do f=$${f##*/}; \
		ln -sfr $(DESTDIR)$(agentsdir)/$$f $(DESTDIR)$(sbindir)/stockade-$$f; done
uninstall-hook:
	for f in $(agents_PROGRAMS); do rm -f $(DESTDIR)$(sbindir)/stockade-$${f##*/}; done

# For tests/lint/run: agents have man pages as programs do, stockade-NAME(8).
print-agents:
	@echo $(agents_PROGRAMS)
.PHONY: print-agents
