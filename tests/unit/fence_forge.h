/* SPDX-License-Identifier: GPL-3.0-or-later */
/* fence_forge.h - messages of the fence domain byte by byte (doc/protocol.md), for words that no core of ours would say now. */
#ifndef TESTS_UNIT_FENCE_FORGE_H
#define TESTS_UNIT_FENCE_FORGE_H

#include "lib/incarnation.h"
#include "lib/proof.h"
#include "lib/wire.h"

#include <string.h>

struct forged {
	uint32_t from, rep;
	uint64_t ring;
	/* newer: operations of a later release; flood: more than a message may have; request, attempt, seen, proof */
	const char *what;
	struct incarnation life; /* whom it is about */
	uint32_t number;         /* of the attempt */
};

/* Return: its length. */
static inline size_t forge(const struct forged *f, uint8_t *buf, size_t cap)
{
	static const char *const words[] = {
		"request", "attempt", "seen", "proof", "flood", "newer"
	};
	static const uint8_t ops[] = { 3, 4, 5, 7, 2, 200 };
	unsigned w = 0, many;
	struct proof p = { .victim = f->life, .kind = PROOF_OFF_VERIFIED, .by = f->from };
	struct wire_w m;
	size_t len = 0;

	while (w < 5 && strcmp(words[w], f->what) != 0)
		w++;
	many = w == 4 ? 100 : 1;
	wire_w_init(&m, buf, cap);
	wire_w_u16(&m, 1);
	size_t mark = wire_w_open(&m);

	wire_w_u64(&m, f->ring);
	wire_w_u32(&m, f->rep);
	wire_w_u32(&m, f->from);
	for (unsigned i = 0; i < many; i++) {
		wire_w_u8(&m, ops[w]);
		size_t op = wire_w_open(&m);

		if (w < 3)
			incarnation_write(&f->life, &m);
		if (w == 0) {
			wire_w_u8(&m, 4); /* FENCE_REASON_REQUEST */
			wire_w_str(&m, "forged");
		}
		if (w == 1 || w == 2)
			wire_w_u32(&m, f->number);
		if (w == 3) {
			proof_write(&p, &m);
			wire_w_bool(&m, false);
		}
		wire_w_close(&m, op);
	}
	wire_w_close(&m, mark);
	return wire_w_done(&m, &len) == 0 ? len : 0;
}

#endif
