/* SPDX-License-Identifier: GPL-3.0-or-later */
/* sim/replay_main.c - replay [-v] FILE...: see replay.h. */
#include "replay.h"

#include <stdio.h>
#include <string.h>

int main(int argc, char **argv)
{
	bool verbose = argc > 1 && strcmp(argv[1], "-v") == 0;

	if (argc - verbose < 2) {
		fputs("usage: replay [-v] FILE...   the files of one daemon's record, oldest first; -: standard input\n",
		      stderr);
		return 2;
	}
	return replay_files(argv + 1 + verbose, argc - 1 - verbose, verbose);
}
