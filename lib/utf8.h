/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* lib/utf8.h - texts of fixed room that end with a whole character. JSON refuses what is not UTF-8: a text that is cut in the
 * middle of a character would cost the whole object that it stands in.
 */
#ifndef STOCKADE_UTF8_H
#define STOCKADE_UTF8_H

#include <stddef.h>

/* How many bytes of @s, @max at most, to take so that none of its characters is cut; @s is UTF-8. */
size_t utf8_cut(const char *s, size_t max);

/* The length of the character that @s begins with, NUL-terminated; 0: none of RFC 3629 does. The NUL is one of length 1. */
size_t utf8_character(const char *s);

/* Each byte of @s that belongs to no character of UTF-8 (RFC 3629) becomes '?', in place. */
void utf8_mend(char *s);

#endif
