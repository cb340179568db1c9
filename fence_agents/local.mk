# SPDX-License-Identifier: GPL-3.0-or-later
# fence_agents/: agents of our own.

include %reldir%/lib/local.mk
include %reldir%/virt/local.mk
include %reldir%/dummy/local.mk
