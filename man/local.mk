# SPDX-License-Identifier: GPL-3.0-or-later
# man/: a page per installed binary and for the config file.
