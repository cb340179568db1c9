# SPDX-License-Identifier: GPL-3.0-or-later
# fence_xvm: the guest's side of virtual machine fencing. Installed where agents of ours live (fence_agents/local.mk).
agents_PROGRAMS += %reldir%/fence_xvm
%C%_fence_xvm_SOURCES = \
	%reldir%/ask.c \
	%reldir%/judge.c \
	%reldir%/line.c \
	%reldir%/main.c \
	%reldir%/net.c \
	%reldir%/talk.c \
	%reldir%/xvm.h
%C%_fence_xvm_LDADD = \
	fence_agents/virt/libfence-virt-wire.la \
	fence_agents/lib/libfence-agent.la
%C%_fence_xvm_LDFLAGS = $(AM_LDFLAGS) $(STATIC_LDFLAGS)
