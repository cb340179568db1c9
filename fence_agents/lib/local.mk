# SPDX-License-Identifier: GPL-3.0-or-later
# fence_agents/lib: the ClusterLabs agent API, for every agent of ours. libc only.
noinst_LTLIBRARIES += %reldir%/libfence-agent.la
agent_sources = \
	%reldir%/agent.c \
	%reldir%/agent.h \
	%reldir%/agent_common.c \
	%reldir%/agent_param.c \
	%reldir%/agent_power.c \
	%reldir%/agent_priv.h \
	%reldir%/agent_say.c \
	%reldir%/agent_text.c
%C%_libfence_agent_la_SOURCES = $(agent_sources)

check_PROGRAMS += tests/unit/agent_api
tests_unit_agent_api_SOURCES = tests/unit/agent_api.c tests/fuzz/agent.c
tests_unit_agent_api_LDADD = %reldir%/libfence-agent.la tests/fuzz/libfuzz.la $(CMOCKA_LIBS)
