/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "lib/shell/boot.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

int boot_id_text(char text[static BOOT_ID_TEXT])
{
	FILE *f = fopen("/proc/sys/kernel/random/boot_id", "re");
	int r = f ? 0 : -errno;

	memset(text, 0, BOOT_ID_TEXT);
	if (f && fread(text, 1, BOOT_ID_TEXT - 1, f) != BOOT_ID_TEXT - 1)
		r = -EIO;
	if (f)
		fclose(f);
	if (r < 0)
		text[0] = '\0';
	return r;
}
