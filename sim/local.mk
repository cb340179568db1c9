# SPDX-License-Identifier: GPL-3.0-or-later
# sim/: every core on virtual time, the world drawn from a seed.
