#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Make ./configure out of configure.ac. Only needed in a git checkout; release tarballs have it.
set -e
cd "$(dirname "$0")"
for tool in autoreconf automake libtoolize pkg-config; do
	command -v $tool >/dev/null || {
		echo "autogen.sh: $tool is missing; run: sudo tools/deps build" >&2
		exit 1
	}
done
mkdir -p m4 build-aux
autoreconf --force --install --warnings=all
echo "Now: mkdir -p build && cd build && ../configure && make"
