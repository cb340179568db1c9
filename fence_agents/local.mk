# SPDX-License-Identifier: GPL-3.0-or-later
# fence_agents/: agents of our own. Installed where fenced looks first, and where they are in nobody's way: programs of the
# same names from other packages stay what they are, and are used when the configuration gives their path.
agentsdir = $(pkglibexecdir)/agents
agents_PROGRAMS =

include %reldir%/lib/local.mk
include %reldir%/virt/local.mk
include %reldir%/dummy/local.mk
include %reldir%/ipmilan/local.mk
include %reldir%/scsi/local.mk
include %reldir%/virtd/local.mk
