# SPDX-License-Identifier: GPL-3.0-or-later
# lib/shell/: loop, log, config, cluster, ipc, spawn, netlink: for daemons and tools, never for cores.
noinst_LTLIBRARIES += %reldir%/libstockade-shell.la
%C%_libstockade_shell_la_SOURCES =
%C%_libstockade_shell_la_LIBADD = lib/libstockade-base.la $(SHELL_LIBS)
