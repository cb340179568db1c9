# SPDX-License-Identifier: GPL-3.0-or-later
# fence_agents/virt: the bytes between fence_xvm and fence_virtd, for both of ours.
noinst_LTLIBRARIES += %reldir%/libfence-virt-wire.la
virt_wire_sources = %reldir%/echo.c %reldir%/echo.h %reldir%/wire.c %reldir%/wire.h
%C%_libfence_virt_wire_la_SOURCES = $(virt_wire_sources)
%C%_libfence_virt_wire_la_LIBADD = $(NETTLE_LIBS)

check_PROGRAMS += tests/unit/virt_wire
tests_unit_virt_wire_SOURCES = tests/unit/virt_wire.c tests/fuzz/virt_wire.c
tests_unit_virt_wire_LDADD = %reldir%/libfence-virt-wire.la tests/fuzz/libfuzz.la $(NETTLE_LIBS) $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/virt_echo
tests_unit_virt_echo_SOURCES = tests/unit/virt_echo.c tests/fuzz/virt_echo.c
tests_unit_virt_echo_LDADD = %reldir%/libfence-virt-wire.la tests/fuzz/libfuzz.la $(NETTLE_LIBS) $(CMOCKA_LIBS)

# The load of tests/bench/fence.
noinst_PROGRAMS += tests/bench/fence_load
tests_bench_fence_load_SOURCES = tests/bench/fence_load.c
tests_bench_fence_load_LDADD = %reldir%/libfence-virt-wire.la
