/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tests/fuzz/heard.h - what members of a healthy group said, kept as samples to be damaged.
 *
 * A test plays its group once and keeps each message that is delivered; then every sample is damaged and heard again by
 * a group in some other state, which may refuse the undamaged one, too.
 */
#ifndef STOCKADE_TESTS_FUZZ_HEARD_H
#define STOCKADE_TESTS_FUZZ_HEARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct heard {
	uint32_t from;
	size_t len;
	uint8_t *data; /* to free() */
};

struct heard heard_copy(uint32_t from, const void *data, size_t len);

void heard_keep(uint32_t from, const void *data,
		size_t len); /* those after the first 80 are left out */
bool heard_any(void);
void heard_forget(void);

/**
 * heard_damage() - damage every sample and have it decoded; of all that, some must be taken and some refused.
 * @decode: as in struct fuzz
 * @from:   set to the sender of the sample before each call
 */
void heard_damage(int (*decode)(void *arg, const void *buf, size_t len), void *arg, uint32_t *from,
		  unsigned rounds);

#endif
