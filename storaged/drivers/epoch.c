/* SPDX-License-Identifier: GPL-3.0-or-later */
/* epoch.c - the epoch record and the heartbeats: bytes, choice of copy, judgement. No I/O. */
#include "epoch.h"

#include "lib/crc32c.h"
#include "lib/wire.h"

#include <assert.h>
#include <string.h>

#define MAGIC_BYTES 8
#define CRC_AT (EPOCH_SECTOR - 4)
#define VERSION 1
#define RECORD_MAGIC "STKEPOCH"
#define BEAT_MAGIC "STKBEAT\n"

static void life_w(struct wire_w *w, const struct incarnation *life)
{
	wire_w_u32(w, life->nodeid);
	wire_w_bytes(w, life->boot_id, BOOT_ID_BYTES);
	wire_w_u64(w, life->join);
}

static void life_r(struct wire_r *r, struct incarnation *life)
{
	life->nodeid = wire_r_u32(r);
	const uint8_t *boot = wire_r_bytes(r, BOOT_ID_BYTES);

	if (boot)
		memcpy(life->boot_id, boot, BOOT_ID_BYTES);
	life->join = wire_r_u64(r);
}

static size_t block_begin(struct wire_w *w, uint8_t *block, const char *magic)
{
	memset(block, 0, EPOCH_BLOCK);
	wire_w_init(w, block, CRC_AT);
	wire_w_bytes(w, magic, MAGIC_BYTES);
	wire_w_u16(w, VERSION);
	return wire_w_open(w);
}

static void block_end(struct wire_w *w, size_t section, uint8_t *block)
{
	struct wire_w crc;
	size_t len;

	wire_w_close(w, section);
	assert(wire_w_done(w, &len) == 0);
	wire_w_init(&crc, block + CRC_AT, 4);
	wire_w_u32(&crc, crc32c(0, block, CRC_AT));
}

/* Opens @s on the section of a sound block. The magic is checked last of all, so that blank is told from damaged. */
static enum epoch_read block_open(struct wire_r *r, struct wire_r *s, const uint8_t *block,
				  const char *magic)
{
	struct wire_r crc;
	bool blank = true;

	for (size_t i = 0; blank && i < EPOCH_SECTOR; i++)
		blank = block[i] == 0;
	if (blank)
		return EPOCH_READ_BLANK;
	wire_r_init(&crc, block + CRC_AT, 4);
	if (wire_r_u32(&crc) != crc32c(0, block, CRC_AT))
		return EPOCH_READ_DAMAGED;
	wire_r_init(r, block, CRC_AT);
	const uint8_t *m = wire_r_bytes(r, MAGIC_BYTES);

	/* A higher version only adds fields behind ours, or it gets another magic. */
	if (!m || memcmp(m, magic, MAGIC_BYTES) != 0 || wire_r_u16(r) < VERSION)
		return EPOCH_READ_DAMAGED;
	wire_r_section(r, s);
	return EPOCH_READ_OK;
}

void epoch_record_encode(const struct epoch_record *rec, uint8_t *block)
{
	struct wire_w w;
	size_t s = block_begin(&w, block, RECORD_MAGIC);

	assert(rec->epoch <= EPOCH_MAX && (rec->epoch == 0) == (rec->owner.nodeid == 0));
	wire_w_str(&w, rec->cluster);
	wire_w_str(&w, rec->volume);
	wire_w_u64(&w, rec->epoch);
	wire_w_u8(&w, (uint8_t)rec->state);
	life_w(&w, &rec->owner);
	block_end(&w, s, block);
}

void epoch_beat_encode(const struct epoch_beat *beat, uint8_t *block)
{
	struct wire_w w;
	size_t s = block_begin(&w, block, BEAT_MAGIC);

	assert(nodeid_valid(beat->life.nodeid));
	life_w(&w, &beat->life);
	wire_w_u64(&w, beat->epoch);
	wire_w_u64(&w, beat->counter);
	wire_w_u32(&w, beat->armed_ms);
	wire_w_bytes(&w, beat->seal, EPOCH_SEAL_BYTES);
	block_end(&w, s, block);
}

enum epoch_read epoch_record_decode(struct epoch_record *ret, const uint8_t *block)
{
	struct epoch_record rec = { .epoch = 0 };
	struct wire_r r, s;
	enum epoch_read e = block_open(&r, &s, block, RECORD_MAGIC);

	if (e != EPOCH_READ_OK)
		return e;
	wire_r_str(&s, rec.cluster, sizeof(rec.cluster));
	wire_r_str(&s, rec.volume, sizeof(rec.volume));
	rec.epoch = wire_r_u64(&s);
	uint8_t state = wire_r_u8(&s);

	life_r(&s, &rec.owner);
	if (wire_r_done(&r) < 0 || rec.epoch > EPOCH_MAX || !rec.cluster[0] || !rec.volume[0] ||
	    (state != EPOCH_CLEAN && state != EPOCH_ACTIVE))
		return EPOCH_READ_DAMAGED;
	rec.state = (enum epoch_state)state;
	if (rec.epoch == 0 ? rec.owner.nodeid != 0 || rec.state != EPOCH_CLEAN
			   : !nodeid_valid(rec.owner.nodeid) || incarnation_unseen(&rec.owner))
		return EPOCH_READ_DAMAGED;
	*ret = rec;
	return EPOCH_READ_OK;
}

enum epoch_read epoch_beat_decode(struct epoch_beat *ret, const uint8_t *block)
{
	struct epoch_beat beat = { .epoch = 0 };
	struct wire_r r, s;
	enum epoch_read e = block_open(&r, &s, block, BEAT_MAGIC);

	if (e != EPOCH_READ_OK)
		return e;
	life_r(&s, &beat.life);
	beat.epoch = wire_r_u64(&s);
	beat.counter = wire_r_u64(&s);
	if (wire_r_more(&s)) { /* else a release that does not say it */
		beat.armed_ms = wire_r_u32(&s);
		const uint8_t *seal = wire_r_bytes(&s, EPOCH_SEAL_BYTES);

		if (seal)
			memcpy(beat.seal, seal, EPOCH_SEAL_BYTES);
	}
	if (wire_r_done(&r) < 0 || !nodeid_valid(beat.life.nodeid))
		return EPOCH_READ_DAMAGED;
	*ret = beat;
	return EPOCH_READ_OK;
}

enum epoch_read epoch_record_pick(struct epoch_record *ret, const uint8_t *a, const uint8_t *b)
{
	struct epoch_record x, y;
	enum epoch_read rx = epoch_record_decode(&x, a), ry = epoch_record_decode(&y, b);

	if (rx == EPOCH_READ_OK && ry == EPOCH_READ_OK) {
		bool second = x.epoch != y.epoch
				      ? y.epoch > x.epoch
				      : y.state == EPOCH_ACTIVE && x.state != EPOCH_ACTIVE;

		*ret = second ? y : x;
		return EPOCH_READ_OK;
	}
	if (rx == EPOCH_READ_OK) {
		*ret = x;
		return EPOCH_READ_OK;
	}
	if (ry == EPOCH_READ_OK) {
		*ret = y;
		return EPOCH_READ_OK;
	}
	return rx == EPOCH_READ_BLANK && ry == EPOCH_READ_BLANK ? EPOCH_READ_BLANK
								: EPOCH_READ_DAMAGED;
}

static bool ends_kernel(enum proof_kind kind)
{
	return kind == PROOF_OFF_VERIFIED || kind == PROOF_NEW_BOOT ||
	       kind == PROOF_WATCHDOG_EXPIRED || kind == PROOF_HYPERVISOR;
}

bool epoch_life_over(const struct incarnation *life, const struct fence_state *fence,
		     const char **why)
{
	const struct fence_node *n = fence_state_node(fence, life->nodeid);

	if (!fence->informed) {
		*why = "fenced does not know yet who is alive";
		return false;
	}
	if (!n) {
		*why = "that node is not in the configuration any more, so nothing can prove it dead";
		return false;
	}
	if (n->proof.kind != PROOF_NONE && proof_covers(&n->proof, life))
		return true;
	/* One machine runs one kernel at a time: a member's other boot ended every boot before it. */
	if (n->state == FENCE_NODE_MEMBER && !incarnation_unseen(&n->life) &&
	    !incarnation_same_boot(&n->life, life))
		return true;
	/* Likewise when it was seen switched off: whatever booted on it before, known to fenced or only to
	 * this disk, is over. A boot after that would have had to join before it could write here, and
	 * the node would not be dead in the agreed state. */
	if (n->state == FENCE_NODE_DEAD && ends_kernel(n->proof.kind))
		return true;
	*why = n->state == FENCE_NODE_MEMBER ? "that node is alive, in this very boot"
	       : n->state == FENCE_NODE_VICTIM
		       ? "that node is not proven dead yet"
		       : "there is no proof that this boot of the node is over";
	return false;
}

enum epoch_verdict epoch_judge(const struct epoch_record *rec, const char *cluster,
			       const char *volume, const struct incarnation *self,
			       const struct fence_state *fence, uint64_t released, const char **why)
{
	*why = "";
	if (strcmp(rec->cluster, cluster) != 0 || strcmp(rec->volume, volume) != 0)
		return EPOCH_FOREIGN;
	if (rec->epoch >= EPOCH_MAX)
		return EPOCH_FULL;
	if (rec->state == EPOCH_CLEAN)
		return EPOCH_FREE;
	if (incarnation_same_boot(&rec->owner, self))
		return EPOCH_OURS;
	if (rec->epoch <= released || epoch_life_over(&rec->owner, fence, why))
		return EPOCH_FREE;
	return EPOCH_OWNED;
}

bool epoch_watch_read(struct epoch_watch *w, const struct epoch_beat *beat, uint64_t now_ms)
{
	bool same = w->valid == (beat != NULL) &&
		    (!beat || (w->beat.counter == beat->counter && w->beat.epoch == beat->epoch &&
			       incarnation_equal(&w->beat.life, &beat->life)));
	bool changed = w->seen && !same;

	if (!w->seen || changed)
		w->since_ms = now_ms;
	/* A block that vanished or is damaged is no sign of life. */
	if (changed && beat)
		w->changed_ms = now_ms;
	w->seen = true;
	w->valid = beat != NULL;
	if (beat)
		w->beat = *beat;
	w->read_ms = now_ms;
	return changed && beat;
}

enum life_sign epoch_watch_life(const struct epoch_watch *w, uint64_t now_ms, uint32_t stale_ms)
{
	if (!w->seen || now_ms - w->read_ms >= stale_ms)
		return LIFE_UNKNOWN; /* reads fail or hang: nothing is known about the peer (SAFE-3) */
	if (w->changed_ms && now_ms - w->changed_ms < stale_ms)
		return LIFE_FRESH;
	/* Stood still as long as we could see: only reads, not our own pauses, count, so up to read_ms. */
	return w->read_ms - w->since_ms >= stale_ms ? LIFE_STALE : LIFE_UNKNOWN;
}
