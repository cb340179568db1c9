/* SPDX-License-Identifier: GPL-3.0-or-later */
/* sim/prng.h - everything random in a simulation comes from one seed (splitmix64). */
#ifndef STOCKADE_SIM_PRNG_H
#define STOCKADE_SIM_PRNG_H

#include <stdbool.h>
#include <stdint.h>

struct prng {
	uint64_t s;
};

static inline uint64_t prng_u64(struct prng *p)
{
	uint64_t z = (p->s += UINT64_C(0x9e3779b97f4a7c15));

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

/* lo..hi, both included */
static inline uint32_t prng_range(struct prng *p, uint32_t lo, uint32_t hi)
{
	return lo + (uint32_t)(prng_u64(p) % ((uint64_t)hi - lo + 1));
}

static inline bool prng_permille(struct prng *p, uint32_t permille)
{
	return prng_range(p, 0, 999) < permille;
}

#endif
