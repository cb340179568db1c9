# SPDX-License-Identifier: GPL-3.0-or-later
# tools/: the stockade command and what it needs.
sbin_PROGRAMS += %reldir%/stockade
%C%_stockade_SOURCES = \
	%reldir%/check.h \
	%reldir%/check_fence.c \
	%reldir%/check_host.c \
	%reldir%/cli.h \
	%reldir%/cli_ask.c \
	%reldir%/cli_out.c \
	%reldir%/cli_problems.c \
	%reldir%/cmd_check.c \
	%reldir%/cmd_doctor.c \
	%reldir%/cmd_doctor_fence.c \
	%reldir%/cmd_doctor_watchdog.c \
	%reldir%/doctor.h \
	%reldir%/cmd_drill.c \
	%reldir%/cmd_fence.c \
	%reldir%/drill.h \
	%reldir%/cmd_history.c \
	%reldir%/cmd_init.c \
	%reldir%/cmd_key.c \
	%reldir%/cmd_service.c \
	%reldir%/cmd_status.c \
	%reldir%/cmd_timing.c \
	%reldir%/cmd_volume.c \
	%reldir%/cmd_why.c \
	%reldir%/corosync_conf.c \
	%reldir%/corosync_conf.h \
	%reldir%/init_ask.c \
	%reldir%/key_ask.c \
	%reldir%/key_ask.h \
	%reldir%/key.h \
	%reldir%/key_file.c \
	%reldir%/key_plan.c \
	%reldir%/key_plan.h \
	%reldir%/key_push.c \
	%reldir%/key_remote.c \
	%reldir%/key_rotate.c \
	%reldir%/key_state.c \
	%reldir%/key_verify.c \
	%reldir%/key_words.c \
	%reldir%/init.h \
	%reldir%/stockade.c
%C%_stockade_CFLAGS = $(AM_CFLAGS) -pthread
%C%_stockade_LDADD = fence_agents/virt/libfence-virt-wire.la lib/shell/libstockade-shell.la lib/libstockade-base.la $(SHELL_LIBS)

# bash looks a completion up by the name of the command
completiondir = $(bashcompletiondir)
dist_completion_DATA = %reldir%/completions/stockade %reldir%/completions/stockade-fence_xvm

dist_doc_DATA = doc/stockade.yaml.example

check_PROGRAMS += tests/unit/cli
tests_unit_cli_SOURCES = tests/unit/cli.c tests/unit/cli.h tests/unit/cli_stub.c tools/corosync_conf.c
tests_unit_cli_CFLAGS = $(AM_CFLAGS) -pthread
tests_unit_cli_LDADD = lib/shell/libstockade-shell.la lib/libstockade-base.la $(SHELL_LIBS) $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/key_plan
tests_unit_key_plan_SOURCES = tests/unit/key_plan.c tools/key_plan.c
tests_unit_key_plan_LDADD = $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/key
tests_unit_key_SOURCES = \
	tests/unit/key.c \
	tools/cli_out.c \
	tools/key_ask.c \
	tools/key_file.c \
	tools/key_state.c \
	tools/key_words.c
tests_unit_key_LDADD = tests/fuzz/libfuzz.la fence_agents/virt/libfence-virt-wire.la \
	lib/shell/libstockade-shell.la lib/libstockade-base.la $(SHELL_LIBS) $(CMOCKA_LIBS)
