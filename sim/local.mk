# SPDX-License-Identifier: GPL-3.0-or-later
# sim/: every core on virtual time, the world drawn from a seed.
noinst_PROGRAMS += %reldir%/sim_fence
%C%_sim_fence_SOURCES = %reldir%/fence_world.c %reldir%/fence_world.h %reldir%/net.c %reldir%/net.h \
	%reldir%/prng.h %reldir%/sim_fence.c
%C%_sim_fence_LDADD = fenced/core/libfence-core.la lib/libstockade-base.la

noinst_PROGRAMS += %reldir%/sim_storage
%C%_sim_storage_SOURCES = %reldir%/net.c %reldir%/net.h %reldir%/prng.h %reldir%/sim_storage.c \
	%reldir%/storage_world.c %reldir%/storage_world.h
%C%_sim_storage_LDADD = storaged/core/libstoraged-core.la lib/libstockade-base.la

noinst_PROGRAMS += %reldir%/sim_dlm
%C%_sim_dlm_SOURCES = %reldir%/net.c %reldir%/net.h %reldir%/prng.h %reldir%/sim_dlm.c
%C%_sim_dlm_LDADD = dlm/core/libdlm-core.la lib/libstockade-base.la

check_PROGRAMS += tests/unit/sim_trace
tests_unit_sim_trace_SOURCES = tests/unit/sim_trace.c sim/trace.c sim/trace.h
tests_unit_sim_trace_LDADD = $(CMOCKA_LIBS)

noinst_PROGRAMS += %reldir%/sim_cut
%C%_sim_cut_SOURCES = %reldir%/prng.h %reldir%/sim_cut.c
%C%_sim_cut_LDADD = fenced/core/libfence-core.la lib/libstockade-base.la
