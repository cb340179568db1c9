/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The two files that a restarted fenced reads: damaged ones are left out, and of one whose checksum is right whatever it holds
 * makes a domain that is sound. The first byte chooses file and checksum, the rest is the bytes before it.
 */
#include "fenced/daemon/daemon.h"
#include "fenced/daemon/store.h"
#include "lib/crc32c.h"
#include "lib/shell/log.h"
#include "tests/fuzz/target.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define NOW_S 1800000000

static const struct incarnation self = { .nodeid = 1, .boot_id = { 1 }, .join = 7 };

static void fill(struct fence_config *fc)
{
	memset(fc, 0, sizeof(*fc));
	fc->self = self;
	for (uint32_t id = 1; id <= 3; id++) {
		nodeset_add(&fc->nodes, id);
		fc->path[id].n_levels = 1;
		fc->path[id].n_devices[0] = 1;
	}
	fc->cut_delay_ms = 1000;
	fc->post_join_ms = 3000;
	fc->absent_ms = 3000;
	fc->retry_min_ms = 1000;
	fc->retry_max_ms = 8000;
	fc->ready_interval_ms = 10000;
	fc->ready_age_ms = 60000;
	fc->confirm_ms = 6000;
	fc->stall_ms = 800;
	fc->loop_max = 3;
	fc->loop_ms = 600000;
	fc->drill_wait_ms = 60000;
}

static void step(struct fence_domain *dom, struct fence_event ev, struct fence_actions *out)
{
	fence_step(dom, &ev, out);
	assert(!fence_broken(dom));
}

/* Alone in its ring, quorate, hearing itself; the view after it has the other nodes. */
static void live(const struct fence_config *fc)
{
	static struct fence_actions out;
	static struct fence_status st;
	static struct fence_stored kept;
	static struct fence_state told;
	struct fence_domain *dom = fence_new(fc);

	assert(dom);
	for (uint64_t turn = 1; turn <= 40; turn++) {
		struct fence_event ev = { .type = FENCE_EV_TIMEOUT, .now_ms = turn * 500 };
		uint8_t msg[sizeof(out.msg)];
		size_t len = 0;

		if (turn == 1) {
			ev.type = FENCE_EV_VIEW;
			ev.view.id = fc->n_stored ? fc->stored_view : (struct view_id){ 5, 1 };
			ev.view.quorate = true;
			nodeset_add(&ev.view.nodes, 1);
			nodeset_add(&ev.view.members, 1);
		}
		step(dom, ev, &out);
		while ((len = out.msg_len) > 0) {
			memcpy(msg, out.msg, len);
			ev = (struct fence_event){ .type = FENCE_EV_DELIVER,
						   .now_ms = turn * 500,
						   .deliver = { 1, msg, len } };
			step(dom, ev, &out);
		}
		fence_status(dom, turn * 500, &st);
		fence_snapshot(dom, turn * 500, &told);
		fence_stored(dom, &kept);
		assert(kept.n <= NODES_MAX);
	}
	fence_free(dom);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct fence_config fc;
	static uint8_t buf[STORE_BYTES_MAX];

	if (len < 1 || len > sizeof(buf) - 4)
		return 0;
	uint8_t what = data[0];

	memcpy(buf, data + 1, --len);
	uint32_t crc = crc32c(0, buf, len) + (what & 2);

	for (unsigned i = 0; i < 4; i++)
		buf[len + i] = (uint8_t)(crc >> 8 * i);
	fill(&fc);
	int r = what & 1 ? store_loop_read(buf, len + 4, NOW_S, &fc)
			 : store_proofs_read(buf, len + 4, &self, &fc);

	assert(r <= 0 && (r == 0 || fc.n_stored == 0));
	assert(r < 0 || !(what & 2));
	if (r == 0)
		live(&fc);
	return 0;
}

/* What store.c and store_loop.c call besides; no file is written here. */
void log_emit(int priority, const char *event, const char *fmt, ...)
{
	(void)priority;
	(void)event;
	(void)fmt;
}
