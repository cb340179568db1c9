/* SPDX-License-Identifier: GPL-3.0-or-later */
/* area.h - the epoch area of a volume, read and written where it lies: past every cache, verified.
 *
 * The area is reached through the PV's own block device at the place of LV_stockade, never through a
 * device-mapper device: a standby node then activates nothing at all, and there is nothing to activate in the
 * way of a takeover. So the place must be known to be true at each write: the owner of the place gives `still_there`.
 */
#ifndef STOCKADE_DRIVERS_AREA_H
#define STOCKADE_DRIVERS_AREA_H

#include "epoch.h"

struct area {
	int fd;          /* -1: closed */
	uint64_t offset; /* of block 0, bytes; a multiple of EPOCH_BLOCK */
	/* Is @offset of @fd still LV_stockade? Asked before each write; NULL: always. 0 or -errno (-ESTALE: moved). */
	int (*still_there)(void *arg, int fd);
	void *arg;
};

#define AREA_CLOSED      \
	{                \
		.fd = -1 \
	}

/* Open @path, a block device or a file. 0 or -errno; on failure nothing is open. */
int area_open(struct area *a, const char *path, uint64_t offset, bool write);
void area_close(struct area *a);

/* Read @n blocks from @block on; @buf is [n * EPOCH_BLOCK], aligned to EPOCH_BLOCK (area_buf()). 0 or -errno. */
int area_read(const struct area *a, unsigned block, unsigned n, uint8_t *buf);
/* Write one block, flush it, read it back and compare. 0 or -errno (-EIO: reads back differently). */
int area_write(const struct area *a, unsigned block, const uint8_t *buf);

uint8_t *area_buf(unsigned blocks); /* zeroed; free() it; NULL: no memory */

/* Both copies of the record. 0, -ENODATA (blank), -EBADMSG (damaged) or -errno of the read. */
int area_record_read(const struct area *a, struct epoch_record *ret);
int area_record_write(const struct area *a, const struct epoch_record *rec);
/* The first copy alone, cheaply; both when that is not sound. */
int area_record_peek(const struct area *a, struct epoch_record *ret);
/* A node's heartbeat. 0, -ENODATA when there is none that is sound, or -errno of the read. */
int area_beat_read(const struct area *a, uint32_t nodeid, struct epoch_beat *ret);
/* Neither flushed nor read back: it has to be seen by the others, not to outlive a power cut. */
/* @seen: what lies here was read through this descriptor just now, and was ours: still_there() is not asked again */
int area_beat_write(const struct area *a, const struct epoch_beat *beat, bool seen);

#endif
