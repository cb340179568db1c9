# SPDX-License-Identifier: GPL-3.0-or-later
# storaged/core: placement and the life of each service and volume. Pure: includes lib/*.h and itself only.
noinst_LTLIBRARIES += %reldir%/core/libstoraged-core.la
%C%_core_libstoraged_core_la_SOURCES = \
	%reldir%/core/place.c \
	%reldir%/core/place.h \
	%reldir%/core/place_int.h \
	%reldir%/core/place_gate.c \
	%reldir%/core/place_halt.c \
	%reldir%/core/place_disk.c \
	%reldir%/core/place_local.c \
	%reldir%/core/place_record.c \
	%reldir%/core/place_record.h \
	%reldir%/core/place_status.c \
	%reldir%/core/place_wire.c \
	%reldir%/core/runner.c \
	%reldir%/core/runner.h \
	%reldir%/core/service.c \
	%reldir%/core/service.h \
	%reldir%/core/service_wire.c
%C%_core_libstoraged_core_la_LIBADD = lib/libstockade-base.la

sbin_PROGRAMS += stockade-storaged
stockade_storaged_SOURCES = \
	%reldir%/daemon/answer.c \
	%reldir%/daemon/daemon.h \
	%reldir%/daemon/drive.c \
	%reldir%/daemon/frame.c \
	%reldir%/daemon/locks.c \
	%reldir%/daemon/main.c \
	%reldir%/daemon/note.c \
	%reldir%/daemon/shell.c \
	%reldir%/daemon/store.c \
	%reldir%/daemon/warm.c \
	%reldir%/daemon/watch.c
stockade_storaged_LDADD = %reldir%/core/libstoraged-core.la %reldir%/drivers/libstoraged-drivers.la \
	libstockade-dlm.la lib/shell/libstockade-shell.la lib/libstockade-base.la $(SHELL_LIBS) $(SYSTEMD_LIBS)

check_PROGRAMS += tests/unit/service
tests_unit_service_SOURCES = tests/unit/service.c
tests_unit_service_LDADD = %reldir%/core/libstoraged-core.la lib/libstockade-base.la $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/place_fuzz
tests_unit_place_fuzz_SOURCES = tests/unit/place_fuzz.c tests/fuzz/place_group.c
tests_unit_place_fuzz_LDADD = %reldir%/core/libstoraged-core.la lib/libstockade-base.la tests/fuzz/libfuzz.la $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/storage_scenario
tests_unit_storage_scenario_SOURCES = tests/unit/storage_scenario.c tests/unit/scenario.c tests/unit/scenario.h tests/unit/storage_notes.h
tests_unit_storage_scenario_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=service_fact_encode
tests_unit_storage_scenario_LDADD = %reldir%/core/libstoraged-core.la lib/libstockade-base.la $(CMOCKA_LIBS)
