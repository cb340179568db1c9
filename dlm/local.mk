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

check_PROGRAMS += tests/unit/dlm_domain
tests_unit_dlm_domain_SOURCES = tests/unit/dlm_domain.c tests/unit/dlm_bus.h
tests_unit_dlm_domain_LDADD = %reldir%/core/libdlm-core.la lib/libstockade-base.la $(CMOCKA_LIBS)
