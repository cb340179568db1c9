# SPDX-License-Identifier: GPL-3.0-or-later
# fenced/core: the fence domain. Pure: includes lib/*.h and itself only.
noinst_LTLIBRARIES += %reldir%/core/libfence-core.la
%C%_core_libfence_core_la_SOURCES = \
	%reldir%/core/attempt.c \
	%reldir%/core/book.c \
	%reldir%/core/cut.c \
	%reldir%/core/dog.c \
	%reldir%/core/domain.h \
	%reldir%/core/drill.c \
	%reldir%/core/fence.c \
	%reldir%/core/fence.h \
	%reldir%/core/fence_record.c \
	%reldir%/core/fence_record.h \
	%reldir%/core/hurry.c \
	%reldir%/core/letgo.c \
	%reldir%/core/loop.c \
	%reldir%/core/msg.c \
	%reldir%/core/ready.c \
	%reldir%/core/request.c \
	%reldir%/core/state.c \
	%reldir%/core/sync.c
%C%_core_libfence_core_la_LIBADD = lib/libstockade-base.la

check_PROGRAMS += tests/unit/fence_fuzz
tests_unit_fence_fuzz_SOURCES = tests/unit/fence_fuzz.c tests/fuzz/fence_group.c
tests_unit_fence_fuzz_LDADD = %reldir%/core/libfence-core.la lib/libstockade-base.la tests/fuzz/libfuzz.la $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/fence_start
tests_unit_fence_start_SOURCES = tests/unit/fence_start.c
tests_unit_fence_start_LDADD = %reldir%/core/libfence-core.la lib/libstockade-base.la $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/fence_scenario
tests_unit_fence_scenario_SOURCES = tests/unit/fence_scenario.c tests/unit/scenario.c tests/unit/scenario.h tests/unit/fence_forge.h tests/unit/fence_notes.h
tests_unit_fence_scenario_LDADD = %reldir%/core/libfence-core.la lib/libstockade-base.la $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/fence_agent
tests_unit_fence_agent_SOURCES = tests/unit/fence_agent.c %reldir%/daemon/agent.c %reldir%/daemon/agent.h
tests_unit_fence_agent_LDADD = \
	%reldir%/core/libfence-core.la \
	lib/shell/libstockade-shell.la \
	lib/libstockade-base.la \
	$(SHELL_LIBS) $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/fenced_answer
tests_unit_fenced_answer_SOURCES = tests/unit/fenced_answer.c tests/fuzz/request.c \
	%reldir%/daemon/answer.c %reldir%/daemon/doctor.c %reldir%/daemon/status.c %reldir%/daemon/tell.c
tests_unit_fenced_answer_LDADD = \
	%reldir%/core/libfence-core.la tests/fuzz/libfuzz.la lib/shell/libstockade-shell.la lib/libstockade-base.la \
	$(SHELL_LIBS) $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/stored
tests_unit_stored_SOURCES = tests/unit/stored.c tests/fuzz/stored.c \
	%reldir%/daemon/store.c %reldir%/daemon/store.h %reldir%/daemon/store_loop.c \
	lib/shell/file.c lib/shell/file.h
tests_unit_stored_CPPFLAGS = $(AM_CPPFLAGS) # lib/shell/file.c anew, without the rest of lib/shell
tests_unit_stored_LDADD = %reldir%/core/libfence-core.la lib/libstockade-base.la tests/fuzz/libfuzz.la $(JANSSON_LIBS) $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/ping
tests_unit_ping_SOURCES = tests/unit/ping.c %reldir%/daemon/ping.c %reldir%/daemon/ping.h
tests_unit_ping_LDADD = lib/shell/libstockade-shell.la lib/libstockade-base.la $(SHELL_LIBS) $(CMOCKA_LIBS)

sbin_PROGRAMS += stockade-fenced
stockade_fenced_SOURCES = \
	%reldir%/daemon/agent.c \
	%reldir%/daemon/agent.h \
	%reldir%/daemon/answer.c \
	%reldir%/daemon/attest.c \
	%reldir%/daemon/daemon.h \
	%reldir%/daemon/doctor.c \
	%reldir%/daemon/dog.c \
	%reldir%/daemon/dog.h \
	%reldir%/daemon/guard.c \
	%reldir%/daemon/main.c \
	%reldir%/daemon/ping.c \
	%reldir%/daemon/ping.h \
	%reldir%/daemon/shell.c \
	%reldir%/daemon/status.c \
	%reldir%/daemon/store.c \
	%reldir%/daemon/store.h \
	%reldir%/daemon/store_loop.c \
	%reldir%/daemon/tell.c \
	%reldir%/daemon/unfence.c
stockade_fenced_LDADD = \
	%reldir%/core/libfence-core.la \
	lib/shell/libstockade-shell.la \
	lib/libstockade-base.la \
	$(SHELL_LIBS)
