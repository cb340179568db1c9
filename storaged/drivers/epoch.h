/* SPDX-License-Identifier: GPL-3.0-or-later */
/* epoch.h - what stands on the disk beside a volume: who may write, since when, and who still does. Pure.
 *
 * The area of one volume is EPOCH_AREA_BLOCKS blocks of EPOCH_BLOCK bytes in LV_stockade:
 *
 *	block 0, 64   the epoch record, twice: a write torn by a power cut spoils one copy only
 *	block 1..63   the heartbeat of node 1..63, written by it alone, only while it owns the volume
 *
 * What counts is the first sector of a block, which disks write as one: magic (8 bytes), version (u16), a section
 * (lib/wire.h), zeros, and in its last 4 bytes the crc32c of all before. The rest of the block is zeros.
 *
 * The record is written, flushed and read back, both copies, before the volume is activated, and
 * becomes `clean` after it was deactivated (SAFE-1). So whatever a crash leaves: a record that says
 * `clean` was followed by no write, and a copy with a higher epoch names the latest who may have written.
 *
 * A heartbeat says only that a node is alive; that it is not is told by a proof alone (SAFE-3).
 */
#ifndef STOCKADE_DRIVERS_EPOCH_H
#define STOCKADE_DRIVERS_EPOCH_H

#include "lib/fence_state.h"

#include <stdbool.h>
#include <stdint.h>

#define EPOCH_BLOCK 4096
#define EPOCH_SECTOR 512
#define EPOCH_AREA_BLOCKS 128
#define EPOCH_AREA_BYTES (EPOCH_AREA_BLOCKS * EPOCH_BLOCK)
#define EPOCH_COPY_BLOCK 64 /* of the record; the first is block 0 */
#define EPOCH_NAME_MAX 64
#define EPOCH_SEAL_BYTES 32
#define EPOCH_MAX (INT64_MAX - 1) /* so that it fits a JSON number, and one more too */

enum epoch_state { EPOCH_CLEAN = 1, EPOCH_ACTIVE = 2 };

struct epoch_record {
	char cluster[EPOCH_NAME_MAX], volume[EPOCH_NAME_MAX];
	uint64_t epoch; /* 0: prepared, never active */
	enum epoch_state state;
	struct incarnation owner; /* who is or was active last; nodeid 0 while epoch is 0 */
};

struct epoch_beat {
	struct incarnation life;
	uint64_t epoch;   /* the one it holds */
	uint64_t counter; /* grows by one at each beat */
	/* its node's watchdog as read back from the driver, 0: not armed; and the seal of all this (word.h), zeros: none */
	uint32_t armed_ms;
	uint8_t seal[EPOCH_SEAL_BYTES];
};

enum epoch_read {
	EPOCH_READ_OK,
	EPOCH_READ_BLANK,   /* a sector of zeros */
	EPOCH_READ_DAMAGED, /* something else, or a checksum, version or value that cannot be */
};

/* @block: [EPOCH_BLOCK] written. The caller's values are sound (assert). */
void epoch_record_encode(const struct epoch_record *rec, uint8_t *block);
void epoch_beat_encode(const struct epoch_beat *beat, uint8_t *block);
/* @ret: set on EPOCH_READ_OK only. */
enum epoch_read epoch_record_decode(struct epoch_record *ret, const uint8_t *block);
enum epoch_read epoch_beat_decode(struct epoch_beat *ret, const uint8_t *block);

/**
 * epoch_record_pick() - the record of two copies.
 * The higher epoch counts; at the same epoch `active` counts (its `clean` may be half written); a damaged
 * copy is passed over when the other is sound: activation waits for both copies, so no one was active under the spoilt one.
 */
enum epoch_read epoch_record_pick(struct epoch_record *ret, const uint8_t *a, const uint8_t *b);

/* Is that life over, as far as fenced can prove? Never for our own. @why: set to words when not. */
bool epoch_life_over(const struct incarnation *life, const struct fence_state *fence,
		     const char **why);

enum epoch_verdict {
	EPOCH_FREE,    /* clean, or its owner's life is over */
	EPOCH_OURS,    /* active, by this very boot: a storaged before us */
	EPOCH_OWNED,   /* active, and its owner may still write (SAFE-1) */
	EPOCH_FOREIGN, /* another cluster's or volume's record */
	EPOCH_FULL,    /* the number cannot grow */
};

/**
 * epoch_judge() - may @self take the volume?
 * @released: the highest epoch whose owner told the cluster, in agreed order, that it let go; 0: none. It
 *	covers the owner that could let go of a dead disk, yet not write `clean` on it.
 * @why: set to words for EPOCH_OWNED
 */
enum epoch_verdict epoch_judge(const struct epoch_record *rec, const char *cluster,
			       const char *volume, const struct incarnation *self,
			       const struct fence_state *fence, uint64_t released,
			       const char **why);

/* Following a peer's heartbeat. Zero it to begin. */
struct epoch_watch {
	bool seen;           /* at least one read worked */
	uint64_t since_ms;   /* of what stands there now: when first read */
	uint64_t changed_ms; /* when it was last seen to change; 0: never */
	bool valid;          /* `beat` is sound */
	struct epoch_beat beat;
	uint64_t read_ms; /* the last read that worked */
};

/* A read worked: @beat, or NULL when the block holds none. Return: it changed. */
bool epoch_watch_read(struct epoch_watch *w, const struct epoch_beat *beat, uint64_t now_ms);
/* FRESH: changed within @stale_ms. STALE: reads work, and it stood still that long. UNKNOWN: anything else. */
enum life_sign epoch_watch_life(const struct epoch_watch *w, uint64_t now_ms, uint32_t stale_ms);

#endif
