/* SPDX-License-Identifier: GPL-3.0-or-later */
/* fence_agents/virtd/core/replay.c - VIRTD-3.
 *
 * Two memories. `recent`: what was carried out within the last 10 s, by caller, operation, sequence number and guest: a
 * client repeats a datagram until it is called back, and each of its addresses sends one. `seen`: the digests of signed
 * requests that were carried out, the last SEEN_ACTS acts (kept over a restart) and SEEN_QUERIES questions: a captured
 * "off" sent again an hour later would call the guest back, and a fence_xvm that waits there just then for its own answer
 * would confirm it, as a call-back does not say which request it belongs to.
 */
#include "internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int seen_new(struct seen *set, unsigned cap)
{
	set->cap = cap;
	set->digest = calloc(cap, sizeof(*set->digest));
	set->chain = calloc(cap, sizeof(*set->chain));
	set->bucket = calloc(cap, sizeof(*set->bucket));
	return set->digest && set->chain && set->bucket ? 0 : -ENOMEM;
}

void seen_free(struct seen *set)
{
	free(set->digest);
	free(set->chain);
	free(set->bucket);
}

static uint32_t *bucket_of(const struct seen *set, const uint8_t *digest)
{
	uint32_t h;

	memcpy(&h, digest, sizeof(h)); /* it is a digest: any four bytes are as good */
	return &set->bucket[h % set->cap];
}

bool seen_has(const struct seen *set, const uint8_t digest[VIRTD_DIGEST_BYTES])
{
	for (uint32_t i = *bucket_of(set, digest); i; i = set->chain[i - 1])
		if (memcmp(set->digest[i - 1], digest, VIRTD_DIGEST_BYTES) == 0)
			return true;
	return false;
}

void seen_add(struct seen *set, const uint8_t digest[VIRTD_DIGEST_BYTES])
{
	uint32_t slot = set->next;

	if (seen_has(set, digest))
		return;
	if (set->n == set->cap) { /* the oldest goes */
		uint32_t *at = bucket_of(set, set->digest[slot]);

		while (*at != slot + 1)
			at = &set->chain[*at - 1];
		*at = set->chain[slot];
	} else {
		set->n++;
	}
	memcpy(set->digest[slot], digest, VIRTD_DIGEST_BYTES);
	uint32_t *head = bucket_of(set, digest);

	set->chain[slot] = *head;
	*head = slot + 1;
	set->next = (slot + 1) % set->cap;
}

bool recent_has(const struct virtd_core *v, uint64_t key)
{
	/* four neighbours: what does not fit pushes out the oldest of them */
	for (unsigned i = 0; i < 4; i++) {
		const struct recent *r = &v->recent[(key + i) % RECENT_MAX];

		if (r->key == key && r->until_ms > v->now_ms)
			return true;
	}
	return false;
}

void recent_add(struct virtd_core *v, uint64_t key)
{
	struct recent *oldest = &v->recent[key % RECENT_MAX];

	for (unsigned i = 1; i < 4; i++) {
		struct recent *r = &v->recent[(key + i) % RECENT_MAX];

		if (r->until_ms < oldest->until_ms)
			oldest = r;
	}
	oldest->key = key;
	oldest->until_ms = v->now_ms + RECENT_MS;
}

static void refill(uint64_t *tokens, uint64_t per_minute, uint64_t ms)
{
	uint64_t full = per_minute * 1000; /* in thousandths: a whole minute's worth at once */

	*tokens += ms > 60000 ? full : per_minute * ms / 60;
	if (*tokens > full)
		*tokens = full;
}

/* Who is unknown for longest is forgotten, and starts with full buckets. */
static uint64_t *tokens_of(struct virtd_core *v, const char *who, bool acts)
{
	struct rate *r = NULL, *oldest = &v->rate[0];

	for (unsigned i = 0; i < RATE_CALLERS && !r; i++) {
		if (strcmp(v->rate[i].who, who) == 0)
			r = &v->rate[i];
		else if (v->rate[i].at_ms < oldest->at_ms)
			oldest = &v->rate[i];
	}
	if (!r) {
		r = oldest;
		copy_word(r->who, who);
		r->at_ms = v->now_ms;
		r->acts = r->queries = 0;
		refill(&r->acts, v->conf.acts_per_minute, 60001);
		refill(&r->queries, v->conf.queries_per_minute, 60001);
	}
	if (v->now_ms - r->at_ms >= 60) { /* less would round to nothing, again and again */
		refill(&r->acts, v->conf.acts_per_minute, v->now_ms - r->at_ms);
		refill(&r->queries, v->conf.queries_per_minute, v->now_ms - r->at_ms);
		r->at_ms = v->now_ms;
	}
	return acts ? &r->acts : &r->queries;
}

bool rate_has(struct virtd_core *v, const char *who, bool acts)
{
	return *tokens_of(v, who, acts) >= 1000;
}

/* May this caller ask once more? */
bool rate_take(struct virtd_core *v, const char *who, bool acts)
{
	uint64_t *tokens = tokens_of(v, who, acts);

	if (*tokens < 1000)
		return false;
	*tokens -= 1000;
	return true;
}
