# SPDX-License-Identifier: GPL-3.0-or-later
# dlm/core: lock queues, mastering, recovery. Pure: includes lib/*.h and itself only.
noinst_LTLIBRARIES += %reldir%/core/libdlm-core.la
%C%_core_libdlm_core_la_SOURCES = \
	%reldir%/core/dlm.c %reldir%/core/dlm.h \
	%reldir%/core/dlm_record.c %reldir%/core/dlm_record.h \
	%reldir%/core/internal.h \
	%reldir%/core/ops.c %reldir%/core/proofs.c \
	%reldir%/core/resource.c %reldir%/core/resource.h \
	%reldir%/core/state.c
%C%_core_libdlm_core_la_LIBADD = lib/libstockade-base.la

check_PROGRAMS += tests/unit/dlm_domain
tests_unit_dlm_domain_SOURCES = tests/unit/dlm_domain.c tests/unit/dlm_bus.h
tests_unit_dlm_domain_LDADD = %reldir%/core/libdlm-core.la lib/libstockade-base.la $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/dlm_resource
tests_unit_dlm_resource_SOURCES = tests/unit/dlm_resource.c tests/unit/dlm_table.h
tests_unit_dlm_resource_LDADD = %reldir%/core/libdlm-core.la lib/libstockade-base.la $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/dlm_goodbye
tests_unit_dlm_goodbye_SOURCES = tests/unit/dlm_goodbye.c tests/unit/dlm_bus.h
tests_unit_dlm_goodbye_LDADD = %reldir%/core/libdlm-core.la lib/libstockade-base.la $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/dlm_oracle
tests_unit_dlm_oracle_SOURCES = tests/unit/dlm_oracle.c tests/unit/dlm_table.h
tests_unit_dlm_oracle_LDADD = %reldir%/core/libdlm-core.la lib/libstockade-base.la $(CMOCKA_LIBS)

sbin_PROGRAMS += stockade-dlmd
stockade_dlmd_SOURCES = \
	%reldir%/daemon/clients.c \
	%reldir%/daemon/dlmd.h \
	%reldir%/daemon/main.c \
	%reldir%/daemon/report.c \
	%reldir%/daemon/submit.c \
	%reldir%/daemon/submit.h
stockade_dlmd_LDADD = %reldir%/core/libdlm-core.la lib/shell/libstockade-shell.la \
	lib/libstockade-base.la $(SHELL_LIBS) $(SYSTEMD_LIBS)

# The client library for everybody, LGPL: of ours it needs the wire format only, and carries it inside.
lib_LTLIBRARIES += libstockade-dlm.la
libstockade_dlm_la_SOURCES = \
	%reldir%/libdlm/libdlm.c \
	%reldir%/libdlm/libdlm.h \
	%reldir%/libdlm/proto.h \
	lib/wire.c lib/wire.h
libstockade_dlm_la_LDFLAGS = $(AM_LDFLAGS) -version-info 1:0:0 -export-symbols-regex '^dlm_'
libstockade_dlm_la_LIBADD = $(QB_LIBS) -lpthread
stockadeincludedir = $(includedir)/stockade
stockadeinclude_HEADERS = %reldir%/libdlm/libdlm.h
dist_man_MANS += %reldir%/libdlm/libstockade-dlm.3
pkgconfigdir = $(libdir)/pkgconfig
pkgconfig_DATA = %reldir%/libdlm/libstockade-dlm.pc
EXTRA_DIST += %reldir%/libdlm/libstockade-dlm.pc.in
CLEANFILES += %reldir%/libdlm/libstockade-dlm.pc
%reldir%/libdlm/libstockade-dlm.pc: $(srcdir)/%reldir%/libdlm/libstockade-dlm.pc.in Makefile
	@$(MKDIR_P) %reldir%/libdlm
	$(AM_V_GEN)sed -e 's|[@]prefix[@]|$(prefix)|' -e 's|[@]libdir[@]|$(libdir)|' \
		-e 's|[@]includedir[@]|$(includedir)|' -e 's|[@]VERSION[@]|$(VERSION)|' \
		$(srcdir)/%reldir%/libdlm/libstockade-dlm.pc.in >$@

check_PROGRAMS += tests/unit/dlm_fuzz
tests_unit_dlm_fuzz_SOURCES = tests/unit/dlm_fuzz.c tests/fuzz/dlm_group.c tests/unit/dlm_bus.h
tests_unit_dlm_fuzz_LDADD = %reldir%/core/libdlm-core.la lib/libstockade-base.la tests/fuzz/libfuzz.la $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/dlm_scenario
tests_unit_dlm_scenario_SOURCES = tests/unit/dlm_scenario.c tests/unit/dlm_bus.h tests/unit/scenario.c tests/unit/scenario.h
tests_unit_dlm_scenario_LDADD = %reldir%/core/libdlm-core.la lib/libstockade-base.la $(CMOCKA_LIBS)
