# SPDX-License-Identifier: GPL-3.0-or-later
# fence_xvm: the guest's side of virtual machine fencing. Installed where agents of ours live (fence_agents/local.mk).
agents_PROGRAMS += %reldir%/fence_xvm
# Its C library may be another one than that of all other programs (configure.ac), so all of it is compiled for it alone.
%C%_fence_xvm_SOURCES = \
	$(agent_sources) \
	$(virt_wire_sources) \
	%reldir%/ask.c \
	%reldir%/judge.c \
	%reldir%/key.c \
	%reldir%/line.c \
	%reldir%/main.c \
	%reldir%/musl.c \
	%reldir%/net.c \
	%reldir%/probe.c \
	%reldir%/talk.c \
	%reldir%/xvm.h
%C%_fence_xvm_CFLAGS = $(AM_CFLAGS) $(XVM_CFLAGS)
%C%_fence_xvm_LINK = $(CC) $(AM_CFLAGS) $(CFLAGS) $(AM_LDFLAGS) $(LDFLAGS) $(XVM_LDFLAGS) -o $@
%C%_fence_xvm_LDADD = $(XVM_LIBS)

check_PROGRAMS += tests/unit/xvm_key
tests_unit_xvm_key_SOURCES = tests/unit/xvm_key.c %reldir%/key.c
tests_unit_xvm_key_LDADD = fence_agents/lib/libfence-agent.la $(CMOCKA_LIBS)
