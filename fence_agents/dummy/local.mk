# SPDX-License-Identifier: GPL-3.0-or-later
# fence_dummy: for the laboratories of tests/net only, so it is built and never installed.
noinst_PROGRAMS += %reldir%/fence_dummy
%C%_fence_dummy_SOURCES = %reldir%/fence_dummy.c
%C%_fence_dummy_LDADD = fence_agents/lib/libfence-agent.la
