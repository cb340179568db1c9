/* SPDX-License-Identifier: GPL-3.0-or-later */
/* sim/release.c - daemons of the release after this one, beside ours: what a rolling upgrade puts on the wire.
 *
 * doc/protocol.md "Two releases" says what the next release may do while one of ours is a member: a higher version at the
 * head, more at the end of each section, operations and messages that we do not know; nothing that an older one has to
 * understand. So a newer process here does all of that, in each message. Its core is ours: what the additions would mean is
 * nobody's business before all speak it. It reads what we send as an upgrade does: with less in it than it sends itself.
 *
 * The linker hands wire_w_close() of the cores to us (--wrap, sim/local.mk).
 */
#include "check.h"

#include "lib/wire.h"

#include <string.h>

#define UNKNOWN_OP 200      /* of a fenced message */
#define UNKNOWN_MESSAGE 251 /* of dlmd and storaged */

void __real_wire_w_close(struct wire_w *w, size_t mark);
void __wrap_wire_w_close(struct wire_w *w, size_t mark);

static struct {
	bool newer;
	unsigned part;
	uint32_t noise;
} now;

void release_begin(const struct world *w, uint32_t id, unsigned part)
{
	now.newer = w->host[id].proc[part].newer;
	now.part = part;
}

void release_end(void)
{
	now.newer = false;
}

static void grow(struct wire_w *w, unsigned n)
{
	while (n--)
		wire_w_u8(w, (uint8_t)(now.noise = now.noise * 1103515245 + 12345) >> 3);
}

void __wrap_wire_w_close(struct wire_w *w, size_t mark)
{
	/* dlmd reserves its room to the byte, and a list of operations ends with its message: these grow by messages */
	if (now.newer && now.part == PART_FENCE && mark == 6) { /* the list of operations */
		wire_w_u8(w, UNKNOWN_OP);
		size_t op = wire_w_open(w);

		grow(w, 5);
		__real_wire_w_close(w, op);
	} else if (now.newer && now.part != PART_DLM) {
		grow(w, 1 + now.noise % 3);
	}
	__real_wire_w_close(w, mark);
}

/* A message of that process goes out, as its release writes it. */
void release_send(struct world *w, unsigned part, uint32_t id, const void *data, size_t len)
{
	static uint8_t copy[1 << 17];
	uint8_t other[16];
	struct wire_w o;
	size_t n = 0;

	if (!w->host[id].proc[part].newer) {
		net_send(w->net, part, id, data, len, w->now_ms);
		return;
	}
	if (len > sizeof(copy))
		abort();
	memcpy(copy, data, len);
	copy[0]++; /* the version, little-endian in all three */
	if (part != PART_FENCE) {
		wire_w_init(&o, other, sizeof(other));
		wire_w_u8(&o, copy[0]);
		if (part == PART_STORAGE)
			wire_w_u8(&o, copy[1]);
		wire_w_u8(&o, UNKNOWN_MESSAGE);
		wire_w_u32(&o, 3); /* a section */
		wire_w_u8(&o, 1);
		wire_w_u16(&o, 0xffff);
		if (wire_w_done(&o, &n) < 0)
			abort();
		net_send(w->net, part, id, other, n, w->now_ms);
	}
	net_send(w->net, part, id, copy, len, w->now_ms);
}

bool release_unknown(unsigned part, const void *data, size_t len)
{
	size_t type = part == PART_STORAGE ? 2 : 1;

	return len > type && ((const uint8_t *)data)[type] == UNKNOWN_MESSAGE;
}

/* Its node starts it: the next release from when a roll came by. */
void release_start(struct world *w, uint32_t id, unsigned part)
{
	struct host *h = &w->host[id];

	h->proc[part].newer = h->newer;
	if (h->newer != h->newer_shown)
		SHOW(w, id, RELEASE, h->newer ? TRACE_IS_NEWER : TRACE_IS_DOWN, "", "%s",
		     h->newer ? "its daemons are of the next release" : "of this release again");
	h->newer_shown = h->newer;
}
