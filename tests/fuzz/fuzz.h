/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tests/fuzz/fuzz.h - throw damaged messages at a decoder.
 *
 * Deterministic: the same seed damages in the same way, so a failure is repeated by its seed. Run by
 * make check with a few thousand rounds, where the sanitizer build sees what a decoder touches: each
 * message lies in a block of exactly its size.
 *
 *	static int decode(void *arg, const void *buf, size_t len) { ... return 0 or -EBADMSG; }
 *	...
 *	struct fuzz_tally t = fuzz_run(&(struct fuzz){ .sample = msg, .len = n, .decode = decode });
 *	assert_true(t.taken > 0 && t.refused > 0);
 */
#ifndef STOCKADE_TESTS_FUZZ_H
#define STOCKADE_TESTS_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct fuzz {
	const void *sample; /* a message that decodes */
	size_t len;
	int (*decode)(void *arg, const void *buf,
		      size_t len); /* 0 or negative; checks what it took */
	void *arg;
	bool refused_is_fine; /* the undamaged sample may be refused, by a state that has moved on */
	uint64_t seed;        /* 0: 1; the environment's FUZZ_SEED goes before */
	unsigned rounds;      /* 0: 20000; FUZZ_ROUNDS goes before */
};

struct fuzz_tally {
	unsigned taken;   /* rounds whose damaged message decoded */
	unsigned refused; /* the others */
};

/* Ends the program with the seed in its message when the undamaged sample does not decode. */
struct fuzz_tally fuzz_run(const struct fuzz *f);

/* A number drawn from @state, which it moves on (splitmix64). */
uint64_t fuzz_draw(uint64_t *state);

#endif
