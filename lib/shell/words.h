/* SPDX-License-Identifier: GPL-3.0-or-later */
/* words.h - what somebody probably meant to type. */
#ifndef STOCKADE_WORDS_H
#define STOCKADE_WORDS_H

/**
 * nearest_word() - the word of a list that is nearest to @word by typing errors (a letter wrong, missing, too many, two swapped).
 * @list: ends with NULL
 * Return: a word of the list, or NULL: none is so near that the other was meant
 */
const char *nearest_word(const char *word, const char *const *list);

#endif
