# SPDX-License-Identifier: GPL-3.0-or-later
# fence_ipmilan: IPMI 2.0 by libfreeipmi.
agents_PROGRAMS += %reldir%/fence_ipmilan
%C%_fence_ipmilan_SOURCES = %reldir%/fence_ipmilan.c
%C%_fence_ipmilan_CFLAGS = $(AM_CFLAGS) $(FREEIPMI_CFLAGS)
%C%_fence_ipmilan_LDADD = fence_agents/lib/libfence-agent.la $(FREEIPMI_LIBS)
