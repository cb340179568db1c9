/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "heard.h"

#include "fuzz.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SAMPLES_MAX 80

static struct heard samples[SAMPLES_MAX];
static unsigned n_samples;

struct heard heard_copy(uint32_t from, const void *data, size_t len)
{
	struct heard m = { .from = from, .len = len, .data = malloc(len) };

	assert(m.data);
	memcpy(m.data, data, len);
	return m;
}

/* In the form of group.h. */
static void write_sample(const char *dir, const struct heard *m)
{
	char path[512];
	const uint8_t head[] = { 1, (uint8_t)(m->from - 1), (uint8_t)m->len,
				 (uint8_t)(m->len >> 8) };

	snprintf(path, sizeof(path), "%s/said-%02u", dir, n_samples);
	FILE *f = fopen(path, "we");

	assert(f && m->len <= UINT16_MAX && fwrite(head, sizeof(head), 1, f) == 1 &&
	       fwrite(m->data, m->len, 1, f) == 1 && fclose(f) == 0);
}

void heard_keep(uint32_t from, const void *data, size_t len)
{
	const char *dir = getenv("FUZZ_SAMPLES");

	if (n_samples == SAMPLES_MAX)
		return;
	samples[n_samples++] = heard_copy(from, data, len);
	if (dir)
		write_sample(dir, &samples[n_samples - 1]);
}

bool heard_any(void)
{
	return n_samples > 0;
}

void heard_forget(void)
{
	while (n_samples > 0)
		free(samples[--n_samples].data);
}

void heard_damage(int (*decode)(void *arg, const void *buf, size_t len), void *arg, uint32_t *from,
		  unsigned rounds)
{
	struct fuzz_tally all = { 0 };

	for (unsigned i = 0; i < n_samples; i++) {
		*from = samples[i].from;
		struct fuzz_tally t = fuzz_run(&(struct fuzz){ .sample = samples[i].data,
							       .len = samples[i].len,
							       .decode = decode,
							       .arg = arg,
							       .seed = i + 1,
							       .rounds = rounds,
							       .refused_is_fine = true });

		all.taken += t.taken;
		all.refused += t.refused;
	}
	assert(all.taken > 0);
	assert(all.refused > 0);
}
