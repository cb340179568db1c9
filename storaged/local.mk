# SPDX-License-Identifier: GPL-3.0-or-later
# storaged/core: placement and the life of each service and volume. Pure: includes lib/*.h and itself only.
noinst_LTLIBRARIES += %reldir%/core/libstoraged-core.la
%C%_core_libstoraged_core_la_SOURCES =
%C%_core_libstoraged_core_la_LIBADD = lib/libstockade-base.la
