# SPDX-License-Identifier: GPL-3.0-or-later
# fenced/core: the fence domain. Pure: includes lib/*.h and itself only.
noinst_LTLIBRARIES += %reldir%/core/libfence-core.la
%C%_core_libfence_core_la_SOURCES =
%C%_core_libfence_core_la_LIBADD = lib/libstockade-base.la
