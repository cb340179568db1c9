# SPDX-License-Identifier: GPL-3.0-or-later
# lib/shell/: loop, log, config, cluster, ipc, spawn, netlink: for daemons and tools, never for cores.
noinst_LTLIBRARIES += %reldir%/libstockade-shell.la
%C%_libstockade_shell_la_SOURCES = \
	%reldir%/agent_input.c \
	%reldir%/agent_input.h \
	%reldir%/agent_text.c \
	%reldir%/agent_text.h \
	%reldir%/boot.c \
	%reldir%/boot.h \
	%reldir%/cluster.c \
	%reldir%/cluster.h \
	%reldir%/cluster_config.c \
	%reldir%/fence_link.c \
	%reldir%/fence_link.h \
	%reldir%/file.c \
	%reldir%/file.h \
	%reldir%/history.c \
	%reldir%/watchdog.c \
	%reldir%/watchdog.h \
	%reldir%/hurry.c \
	%reldir%/hurry.h \
	%reldir%/history.h \
	%reldir%/ipc.c \
	%reldir%/ipc.h \
	%reldir%/ipc_client.c \
	%reldir%/ipc_wire.h \
	%reldir%/log.c \
	%reldir%/log.h \
	%reldir%/loop.c \
	%reldir%/loop.h \
	%reldir%/multicast.c \
	%reldir%/multicast.h \
	%reldir%/scsi_disk.c \
	%reldir%/scsi_disk.h \
	%reldir%/scsi_guard.c \
	%reldir%/scsi_guard.h \
	%reldir%/recorder.c \
	%reldir%/recorder.h \
	%reldir%/seal.c \
	%reldir%/seal.h \
	%reldir%/self.c \
	%reldir%/self.h \
	%reldir%/spawn.c \
	%reldir%/spawn.h \
	%reldir%/view_merge.c \
	%reldir%/view_merge.h
%C%_libstockade_shell_la_LIBADD = lib/libstockade-base.la $(SHELL_LIBS)

check_PROGRAMS += tests/unit/agent_text
tests_unit_agent_text_SOURCES = tests/unit/agent_text.c
tests_unit_agent_text_LDADD = %reldir%/libstockade-shell.la $(JANSSON_LIBS) $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/loop
tests_unit_loop_SOURCES = tests/unit/loop.c
tests_unit_loop_LDADD = %reldir%/libstockade-shell.la $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/multicast
tests_unit_multicast_SOURCES = tests/unit/multicast.c
tests_unit_multicast_LDADD = %reldir%/libstockade-shell.la $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/file
tests_unit_file_SOURCES = tests/unit/file.c
tests_unit_file_LDADD = %reldir%/libstockade-shell.la $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/log
tests_unit_log_SOURCES = tests/unit/log.c
tests_unit_log_LDADD = %reldir%/libstockade-shell.la $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/ipc
tests_unit_ipc_SOURCES = tests/unit/ipc.c
tests_unit_ipc_LDADD = %reldir%/libstockade-shell.la $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/spawn
tests_unit_spawn_SOURCES = tests/unit/spawn.c
tests_unit_spawn_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=kill
tests_unit_spawn_LDADD = %reldir%/libstockade-shell.la $(CMOCKA_LIBS)

# notify: what systemd hears from a daemon
%C%_libstockade_shell_la_SOURCES += \
	%reldir%/notify.c \
	%reldir%/notify.h

check_PROGRAMS += tests/unit/notify
tests_unit_notify_SOURCES = tests/unit/notify.c
tests_unit_notify_LDADD = %reldir%/libstockade-shell.la $(CMOCKA_LIBS)

# config: one file for each subject
%C%_libstockade_shell_la_SOURCES += \
	%reldir%/config.c \
	%reldir%/config.h \
	%reldir%/config_address.c \
	%reldir%/config_fence.c \
	%reldir%/config_hash.c \
	%reldir%/config_life.c \
	%reldir%/config_options.c \
	%reldir%/config_parse.h \
	%reldir%/config_say.c \
	%reldir%/config_secret.c \
	%reldir%/config_service.c \
	%reldir%/config_volume.c \
	%reldir%/config_yaml.c \
	%reldir%/words.c \
	%reldir%/words.h

check_PROGRAMS += tests/unit/config
tests_unit_config_SOURCES = tests/unit/config.c
tests_unit_config_LDADD = %reldir%/libstockade-shell.la lib/libstockade-base.la $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/view_merge
tests_unit_view_merge_SOURCES = tests/unit/view_merge.c
tests_unit_view_merge_LDADD = %reldir%/libstockade-shell.la $(CMOCKA_LIBS)

# What lib/shell/cluster says under real corosync: tests/net/scenario/views.py
noinst_PROGRAMS += tests/net/viewlog
tests_net_viewlog_SOURCES = tests/net/viewlog.c
tests_net_viewlog_LDADD = %reldir%/libstockade-shell.la

check_PROGRAMS += tests/unit/history
tests_unit_history_SOURCES = tests/unit/history.c
tests_unit_history_LDADD = %reldir%/libstockade-shell.la $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/fence_link
tests_unit_fence_link_SOURCES = tests/unit/fence_link.c
tests_unit_fence_link_LDADD = lib/shell/libstockade-shell.la $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/config_fuzz
tests_unit_config_fuzz_SOURCES = tests/unit/config_fuzz.c tests/fuzz/config.c
tests_unit_config_fuzz_LDADD = tests/fuzz/libfuzz.la %reldir%/libstockade-shell.la lib/libstockade-base.la $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/scsi_pr
tests_unit_scsi_pr_SOURCES = tests/unit/scsi_pr.c
tests_unit_scsi_pr_LDADD = tests/fuzz/libfuzz.la %reldir%/libstockade-shell.la $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/watchdog
tests_unit_watchdog_SOURCES = tests/unit/watchdog.c
tests_unit_watchdog_LDADD = %reldir%/libstockade-shell.la $(CMOCKA_LIBS)
