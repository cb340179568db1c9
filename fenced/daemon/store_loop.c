/* SPDX-License-Identifier: GPL-3.0-or-later */
/* fenced/daemon/store_loop.c - how often each node was fenced lately, who waits to be let in, and how the last drills went: kept over full restarts.
 *
 * In a fence loop every node is switched off again and again, so what counts must outlive this kernel. Times are kept by this
 * node's own wall clock and become ages when they are read: never compared with another node's (SAFE-8); a clock that was
 * set makes the limiter count too much or too little, and no decision of safety hangs on it. Written by an atomic rename,
 * not synced: fencing does not wait for a disk, and a loop's period is longer than the filesystem's.
 */
#include "store.h"

#include "daemon.h"

#include "lib/shell/log.h"
#include "lib/wire.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#define LOOP_FILE STOCKADE_STATEDIR "/fenced/loop"
#define LOOP_MAGIC 0x706c7053u /* "Splp" */
#define LOOP_VERSION 1

int store_loop_save(const struct fence_stored *st)
{
	uint8_t buf[STORE_BYTES_MAX];
	struct wire_w w;
	int64_t now = (int64_t)time(NULL);

	wire_w_init(&w, buf, sizeof(buf));
	wire_w_u32(&w, LOOP_MAGIC);
	wire_w_u16(&w, LOOP_VERSION);
	wire_w_u64(&w, st->held.bits);
	for (unsigned id = 1; id <= NODEID_MAX; id++) {
		wire_w_u8(&w, st->fenced[id].n);
		for (unsigned i = 0; i < st->fenced[id].n; i++)
			wire_w_u64(&w, (uint64_t)(now - st->fenced[id].age_ms[i] / 1000));
	}
	uint8_t n = 0;

	for (unsigned id = 1; id <= NODEID_MAX; id++)
		n += st->drill[id].number != 0;
	wire_w_u8(&w, n);
	for (unsigned id = 1; id <= NODEID_MAX; id++) {
		const struct fence_drill *d = &st->drill[id];

		if (d->number == 0)
			continue;
		wire_w_u8(&w, (uint8_t)id);
		wire_w_u64(&w, d->number);
		wire_w_u64(&w, (uint64_t)d->wall_s);
		wire_w_u8(&w, (uint8_t)d->kind);
		wire_w_u8(&w, d->level);
		wire_w_bool(&w, d->tested);
		for (unsigned i = 0; i < FENCE_LEVELS_MAX; i++) {
			wire_w_u64(&w, d->levels[i].number);
			wire_w_u64(&w, (uint64_t)d->levels[i].wall_s);
		}
	}
	return store_seal(LOOP_FILE, &w);
}

json_int_t drill_age_s(int64_t then_s)
{
	int64_t now = (int64_t)time(NULL);

	return now > then_s ? (json_int_t)(now - then_s) : 0;
}

int store_loop_read(const uint8_t *buf, size_t len, int64_t now, struct fence_config *fc)
{
	struct wire_r r;
	int rc = store_check(buf, len, LOOP_MAGIC, LOOP_VERSION, &r);

	if (rc < 0)
		return rc;
	fc->held.bits = wire_r_u64(&r) & fc->nodes.bits;
	for (unsigned id = 1; id <= NODEID_MAX; id++) {
		unsigned n = wire_r_u8(&r);

		if (n > FENCE_LOOP_MAX)
			return -EBADMSG;
		for (unsigned i = 0; i < n; i++) {
			int64_t at = (int64_t)wire_r_u64(&r);
			/* of a time before all clocks: long ago */
			int64_t age = at < 0 ? INT64_MAX : at < now ? now - at : 0;

			fc->fenced[id].age_ms[i] = age > UINT32_MAX / 1000 ? UINT32_MAX
									   : (uint32_t)age * 1000;
		}
		fc->fenced[id].n = (uint8_t)n;
	}
	for (unsigned n = wire_r_more(&r) ? wire_r_u8(&r) : 0; n > 0 && wire_r_more(&r); n--) {
		unsigned id = wire_r_u8(&r);
		struct fence_drill d = { .number = wire_r_u64(&r) };

		d.wall_s = (int64_t)wire_r_u64(&r);
		d.kind = wire_r_u8(&r);
		d.level = wire_r_u8(&r);
		d.tested = wire_r_bool(&r);
		for (unsigned i = 0; i < FENCE_LEVELS_MAX; i++) {
			d.levels[i].number = wire_r_u64(&r);
			d.levels[i].wall_s = (int64_t)wire_r_u64(&r);
		}
		if (id == 0 || id > NODEID_MAX)
			return -EBADMSG;
		fc->drill[id] = d;
	}
	return wire_r_done(&r) < 0 ? -EBADMSG : 0;
}

static int load(struct fence_config *fc)
{
	uint8_t buf[STORE_BYTES_MAX];
	ssize_t n = store_bytes(LOOP_FILE, buf, sizeof(buf));

	return n < 0 ? (int)n : store_loop_read(buf, (size_t)n, (int64_t)time(NULL), fc);
}

void store_loop_load(struct fence_config *fc)
{
	int r = load(fc);

	if (r == 0 || r == -ENOENT)
		return;
	fc->held = NODESET_EMPTY;
	memset(fc->fenced, 0, sizeof(fc->fenced));
	memset(fc->drill, 0, sizeof(fc->drill));
	log_warning("store.load", "file=%s text=\"%s: it is left out\"", LOOP_FILE,
		    r == -EBADMSG ? "damaged" : strerror(-r));
}
