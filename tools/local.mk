# SPDX-License-Identifier: GPL-3.0-or-later
# tools/: the stockade command and what it needs.
