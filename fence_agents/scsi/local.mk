# SPDX-License-Identifier: GPL-3.0-or-later
# fence_scsi: persistent reservations.
agents_PROGRAMS += %reldir%/fence_scsi
%C%_fence_scsi_SOURCES = %reldir%/fence_scsi.c
%C%_fence_scsi_CFLAGS = $(AM_CFLAGS) $(CMAP_CFLAGS)
%C%_fence_scsi_LDADD = fence_agents/lib/libfence-agent.la lib/shell/libstockade-shell.la $(CMAP_LIBS)
