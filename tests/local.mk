# SPDX-License-Identifier: GPL-3.0-or-later
# make check runs every check_PROGRAM, in parallel; the rooms list their own. The other tiers (sim,
# net, vm, lint) are run by tests/run: see tests/README.md.
TESTS = $(check_PROGRAMS)
AM_TESTS_ENVIRONMENT = \
	ASAN_OPTIONS=detect_leaks=1:abort_on_error=0 UBSAN_OPTIONS=print_stacktrace=1 \
	top_srcdir='$(top_srcdir)' top_builddir='$(top_builddir)'; \
	export ASAN_OPTIONS UBSAN_OPTIONS top_srcdir top_builddir;

# Damaged messages for decoders: see tests/fuzz/fuzz.h.
check_LTLIBRARIES = %reldir%/fuzz/libfuzz.la
%C%_fuzz_libfuzz_la_SOURCES = \
	%reldir%/fuzz/corpus.c \
	%reldir%/fuzz/fuzz.c \
	%reldir%/fuzz/fuzz.h \
	%reldir%/fuzz/group.c \
	%reldir%/fuzz/group.h \
	%reldir%/fuzz/heard.c \
	%reldir%/fuzz/heard.h \
	%reldir%/fuzz/reply.h \
	%reldir%/fuzz/target.h

check_PROGRAMS += %reldir%/unit/wire_fuzz
%C%_unit_wire_fuzz_SOURCES = %reldir%/unit/wire_fuzz.c
%C%_unit_wire_fuzz_LDADD = %reldir%/fuzz/libfuzz.la lib/libstockade-base.la $(CMOCKA_LIBS)

check_PROGRAMS += %reldir%/unit/nodeset
%C%_unit_nodeset_SOURCES = %reldir%/unit/nodeset.c
%C%_unit_nodeset_LDADD = %reldir%/fuzz/libfuzz.la lib/libstockade-base.la $(CMOCKA_LIBS)

# For tests/unit/run, which reports each.
print-tests:
	@echo $(TESTS)
# Everything that make check would run, without running it.
check-programs: $(check_PROGRAMS)
.PHONY: print-tests check-programs

# For tests/lint/run: what a user can start.
print-programs:
	@echo $(bin_PROGRAMS) $(sbin_PROGRAMS) $(bin_SCRIPTS) $(sbin_SCRIPTS)
.PHONY: print-programs
