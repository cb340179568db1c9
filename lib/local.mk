# SPDX-License-Identifier: GPL-3.0-or-later
# lib/: pure, libc only; everybody may use it.
noinst_LTLIBRARIES += %reldir%/libstockade-base.la
%C%_libstockade_base_la_SOURCES = \
	%reldir%/attest.c \
	%reldir%/attest.h \
	%reldir%/crc32c.c \
	%reldir%/crc32c.h \
	%reldir%/fence_state.c \
	%reldir%/fence_state.h \
	%reldir%/incarnation.c \
	%reldir%/incarnation.h \
	%reldir%/nodeset.h \
	%reldir%/proof.c \
	%reldir%/proof.h \
	%reldir%/scsi_pr.c \
	%reldir%/scsi_pr.h \
	%reldir%/record.c \
	%reldir%/record.h \
	%reldir%/timing.c \
	%reldir%/timing.h \
	%reldir%/utf8.c \
	%reldir%/utf8.h \
	%reldir%/wire.c \
	%reldir%/wire.h

check_PROGRAMS += tests/unit/crc32c
tests_unit_crc32c_SOURCES = tests/unit/crc32c.c
tests_unit_crc32c_LDADD = %reldir%/libstockade-base.la $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/utf8
tests_unit_utf8_SOURCES = tests/unit/utf8.c
tests_unit_utf8_LDADD = tests/fuzz/libfuzz.la %reldir%/libstockade-base.la $(JANSSON_LIBS) $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/wire
tests_unit_wire_SOURCES = tests/unit/wire.c
tests_unit_wire_LDADD = %reldir%/libstockade-base.la $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/timing
tests_unit_timing_SOURCES = tests/unit/timing.c
tests_unit_timing_LDADD = %reldir%/libstockade-base.la $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/incarnation
tests_unit_incarnation_SOURCES = tests/unit/incarnation.c
tests_unit_incarnation_LDADD = %reldir%/libstockade-base.la $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/proof
tests_unit_proof_SOURCES = tests/unit/proof.c
tests_unit_proof_LDADD = %reldir%/libstockade-base.la $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/fence_state
tests_unit_fence_state_SOURCES = tests/unit/fence_state.c tests/fuzz/state.c
tests_unit_fence_state_LDADD = tests/fuzz/libfuzz.la %reldir%/libstockade-base.la $(CMOCKA_LIBS)
