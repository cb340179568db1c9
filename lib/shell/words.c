/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "words.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#define WORD_MAX 64

static unsigned min3(unsigned a, unsigned b, unsigned c)
{
	unsigned m = a < b ? a : b;

	return m < c ? m : c;
}

/* Typing errors between two words: a letter wrong, missing, too many, or two swapped. */
static unsigned edit_distance(const char *a, const char *b)
{
	unsigned row[3][WORD_MAX + 1];
	size_t la = strlen(a), lb = strlen(b);

	if (la > WORD_MAX || lb > WORD_MAX)
		return WORD_MAX;
	for (size_t j = 0; j <= lb; j++)
		row[0][j] = (unsigned)j;
	for (size_t i = 1; i <= la; i++) {
		unsigned *now = row[i % 3], *up = row[(i + 2) % 3], *up2 = row[(i + 1) % 3];

		now[0] = (unsigned)i;
		for (size_t j = 1; j <= lb; j++) {
			now[j] = min3(up[j] + 1, now[j - 1] + 1,
				      up[j - 1] + (a[i - 1] != b[j - 1]));
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
			    up2[j - 2] + 1 < now[j])
				now[j] = up2[j - 2] + 1;
		}
	}
	return row[la % 3][lb];
}

const char *nearest_word(const char *word, const char *const *list)
{
	/* from so many typing errors on it is another word */
	unsigned best = strlen(word) < 6 ? 2 : (unsigned)strlen(word) / 3 + 1;
	const char *near = NULL;

	for (; *list; list++) {
		unsigned d = edit_distance(word, *list);

		if (d < best) {
			best = d;
			near = *list;
		}
	}
	return near;
}
