/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "lib/utf8.h"

#include <string.h>

size_t utf8_cut(const char *s, size_t max)
{
	size_t n = strnlen(s, max);

	if (s[n] == '\0')
		return n;
	for (int i = 0; i < 3 && n > 0 && ((unsigned char)s[n] & 0xc0) == 0x80; i++)
		n--;
	return n;
}

size_t utf8_character(const char *text)
{
	const unsigned char *s = (const unsigned char *)text;
	size_t n = s[0] < 0x80                   ? 1
		   : s[0] >= 0xc2 && s[0] < 0xe0 ? 2
		   : s[0] >= 0xe0 && s[0] < 0xf0 ? 3
		   : s[0] >= 0xf0 && s[0] < 0xf5 ? 4
						 : 0;

	for (size_t i = 1; i < n; i++) /* ends at the NUL, too */
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	/* too long for its value, a surrogate, beyond the last */
	if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) ||
	    (s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] > 0x8f))
		return 0;
	return n;
}

void utf8_mend(char *s)
{
	while (*s) {
		size_t n = utf8_character(s);

		if (n == 0)
			*s = '?';
		s += n ? n : 1;
	}
}
