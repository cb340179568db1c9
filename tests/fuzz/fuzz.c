/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tests/fuzz/fuzz.c - see fuzz.h. */
#include "fuzz.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DAMAGE_MAX 4   /* pieces of damage in one message */
#define GROWTH_MAX 512 /* bytes a message may grow by */

uint64_t fuzz_draw(uint64_t *state)
{
	uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

static size_t below(uint64_t *state, size_t n)
{
	return (size_t)(fuzz_draw(state) % n);
}

/* One piece of damage to the @len bytes of @msg, which has room for @cap. Return: the new length. */
static size_t damage(uint64_t *state, uint8_t *msg, size_t len, size_t cap)
{
	static const uint8_t edges[] = { 0, 1, 0x7f, 0x80, 0xfe, 0xff };
	size_t at = len > 0 ? below(state, len) : 0;
	size_t n;

	switch (below(state, 7)) {
	case 0: /* flip a bit */
		if (len > 0)
			msg[at] ^= (uint8_t)(1 << below(state, 8));
		break;
	case 1: /* a byte at the edge of its range */
		if (len > 0)
			msg[at] = edges[below(state, sizeof(edges))];
		break;
	case 2: /* four of them: a length or a count */
		for (size_t i = at; i < len && i < at + 4; i++)
			msg[i] = edges[below(state, sizeof(edges))];
		break;
	case 3: /* cut the tail off */ len = at; break;
	case 4: /* take a piece out */
		n = len > 0 ? below(state, len - at) : 0;
		memmove(msg + at, msg + at + n, len - at - n);
		len -= n;
		break;
	case 5: /* repeat a piece */
		n = len > 0 ? below(state, len - at) : 0;
		if (len + n <= cap) {
			memmove(msg + at + n, msg + at, len - at);
			len += n;
		}
		break;
	default: /* noise behind the end */
		n = below(state, 16);
		while (n-- > 0 && len < cap)
			msg[len++] = (uint8_t)fuzz_draw(state);
	}
	return len;
}

static uint64_t setting(uint64_t given, const char *variable, uint64_t otherwise)
{
	const char *text = getenv(variable);

	if (text != NULL)
		return strtoull(text, NULL, 0);
	return given != 0 ? given : otherwise;
}

struct fuzz_tally fuzz_run(const struct fuzz *f)
{
	uint64_t seed = setting(f->seed, "FUZZ_SEED", 1);
	uint64_t rounds = setting(f->rounds, "FUZZ_ROUNDS", 20000);
	size_t cap = f->len + GROWTH_MAX;
	uint8_t *msg = malloc(cap);
	struct fuzz_tally tally = { 0 };
	uint64_t state = seed;

	if (msg == NULL || (f->decode(f->arg, f->sample, f->len) != 0 && !f->refused_is_fine)) {
		fprintf(stderr, "fuzz: the undamaged sample of %zu bytes is refused\n", f->len);
		abort();
	}
	for (uint64_t round = 0; round < rounds; round++) {
		size_t len = f->len;

		memcpy(msg, f->sample, len);
		for (size_t n = 1 + below(&state, DAMAGE_MAX); n > 0; n--)
			len = damage(&state, msg, len, cap);
		uint8_t *exact = malloc(len > 0 ? len : 1);

		if (exact == NULL)
			abort();
		memcpy(exact, msg, len);
		if (f->decode(f->arg, exact, len) == 0)
			tally.taken++;
		else
			tally.refused++;
		free(exact);
	}
	printf("fuzz: seed %" PRIu64 ": %u taken, %u refused\n", seed, tally.taken, tally.refused);
	free(msg);
	return tally;
}
