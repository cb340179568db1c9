# SPDX-License-Identifier: GPL-3.0-or-later
# dlm/core: lock queues, mastering, recovery. Pure: includes lib/*.h and itself only.
noinst_LTLIBRARIES += %reldir%/core/libdlm-core.la
%C%_core_libdlm_core_la_SOURCES = \
	%reldir%/core/dlm.c %reldir%/core/dlm.h \
	%reldir%/core/internal.h \
	%reldir%/core/ops.c \
	%reldir%/core/resource.c %reldir%/core/resource.h \
	%reldir%/core/state.c
%C%_core_libdlm_core_la_LIBADD = lib/libstockade-base.la
