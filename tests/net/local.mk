# SPDX-License-Identifier: GPL-3.0-or-later
# tests/net: the fast tier, nodes as namespaces. Everything is Python but the voice to the daemons.
noinst_PROGRAMS += %reldir%/ask
%C%_ask_SOURCES = %reldir%/ask.c
%C%_ask_LDADD = lib/shell/libstockade-shell.la $(QB_LIBS) $(JANSSON_LIBS)

noinst_PROGRAMS += tests/bench/dlm_load
tests_bench_dlm_load_SOURCES = tests/bench/dlm_load.c
tests_bench_dlm_load_LDADD = libstockade-dlm.la

noinst_PROGRAMS += %reldir%/dlmtest
%C%_dlmtest_SOURCES = %reldir%/dlmtest.c
%C%_dlmtest_LDADD = libstockade-dlm.la
