// SPDX-License-Identifier: GPL-3.0-or-later
/* What libnettle's archive wants of glibc and musl has not: it was compiled with glibc's _FORTIFY_SOURCE. It writes one
 * line with it, and only where NETTLE_FAT_VERBOSE is set.
 */
#include <stdarg.h>
#include <stdio.h>

#ifndef __GLIBC__
int __fprintf_chk(FILE *f, int flag, const char *format, ...) __attribute__((format(printf, 3, 4)));

int __fprintf_chk(FILE *f, int flag, const char *format, ...)
{
	va_list args;

	(void)flag;
	va_start(args, format);
	int n = vfprintf(f, format, args);

	va_end(args);
	return n;
}
#endif
