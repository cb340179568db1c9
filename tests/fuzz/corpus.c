// SPDX-License-Identifier: GPL-3.0-or-later
#include "target.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

unsigned fuzz_corpus(const char *name)
{
	const char *top = getenv("top_srcdir");
	char dir[512], path[1024];
	unsigned n = 0;

	snprintf(dir, sizeof(dir), "%s/tests/fuzz/corpus/%s", top ? top : ".", name);
	DIR *d = opendir(dir);

	for (struct dirent *e; d && (e = readdir(d));) {
		if (e->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "%s/%s", dir, e->d_name);
		FILE *f = fopen(path, "re");
		uint8_t *buf = malloc(65536), *exact;

		if (!f || !buf)
			abort();
		size_t len = fread(buf, 1, 65536, f);

		fclose(f);
		/* a block of exactly its size, so that the sanitizers see each step beyond it */
		exact = malloc(len ? len : 1);
		if (!exact)
			abort();
		memcpy(exact, buf, len);
		free(buf);
		LLVMFuzzerTestOneInput(exact, len);
		free(exact);
		n++;
	}
	if (d)
		closedir(d);
	return n;
}
