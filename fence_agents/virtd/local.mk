# SPDX-License-Identifier: GPL-3.0-or-later
# fence_agents/virtd: the hypervisor's fence daemon. core/ is pure: lib/*.h, fence_agents/virt and itself.
noinst_LTLIBRARIES += %reldir%/core/libvirtd-core.la
%C%_core_libvirtd_core_la_SOURCES = \
	%reldir%/core/attest.c \
	%reldir%/core/conf.c \
	%reldir%/core/conf.h \
	%reldir%/core/internal.h \
	%reldir%/core/keys.c \
	%reldir%/core/map.c \
	%reldir%/core/map.h \
	%reldir%/core/operation.c \
	%reldir%/core/replay.c \
	%reldir%/core/virtd.c \
	%reldir%/core/virtd.h
%C%_core_libvirtd_core_la_LIBADD = fence_agents/virt/libfence-virt-wire.la lib/libstockade-base.la

sbin_PROGRAMS += stockade-virtd
stockade_virtd_SOURCES = \
	%reldir%/attest.c \
	%reldir%/backend.c \
	%reldir%/backend.h \
	%reldir%/daemon.h \
	%reldir%/group.c \
	%reldir%/main.c \
	%reldir%/net.c \
	%reldir%/report.c \
	%reldir%/view.c \
	%reldir%/worker.c
stockade_virtd_LDADD = \
	%reldir%/core/libvirtd-core.la \
	fence_agents/virt/libfence-virt-wire.la \
	lib/shell/libstockade-shell.la \
	lib/libstockade-base.la \
	$(VIRT_LIBS) $(XML_LIBS) $(SHELL_LIBS) -lpthread

check_PROGRAMS += tests/unit/virtd_core
tests_unit_virtd_core_SOURCES = tests/unit/virtd_core.c tests/unit/virtd_table.h
tests_unit_virtd_core_LDADD = %reldir%/core/libvirtd-core.la fence_agents/virt/libfence-virt-wire.la $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/virtd_keys
tests_unit_virtd_keys_SOURCES = tests/unit/virtd_keys.c tests/unit/virtd_table.h
tests_unit_virtd_keys_LDADD = %reldir%/core/libvirtd-core.la fence_agents/virt/libfence-virt-wire.la $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/virtd_net
tests_unit_virtd_net_SOURCES = tests/unit/virtd_net.c %reldir%/net.c
tests_unit_virtd_net_CPPFLAGS = $(AM_CPPFLAGS) # net.c anew, with a loop of the test's
tests_unit_virtd_net_LDADD = %reldir%/core/libvirtd-core.la fence_agents/virt/libfence-virt-wire.la $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/virtd_conf
tests_unit_virtd_conf_SOURCES = tests/unit/virtd_conf.c tests/fuzz/virtd.c
tests_unit_virtd_conf_LDADD = %reldir%/core/libvirtd-core.la fence_agents/virt/libfence-virt-wire.la tests/fuzz/libfuzz.la $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/attest
tests_unit_attest_SOURCES = tests/unit/attest.c
tests_unit_attest_LDADD = \
	%reldir%/core/libvirtd-core.la \
	fence_agents/virt/libfence-virt-wire.la \
	lib/shell/libstockade-shell.la \
	lib/libstockade-base.la \
	$(CMOCKA_LIBS)
