/* SPDX-License-Identifier: GPL-3.0-or-later */
/* dm.h - what device-mapper really holds, and plain LVs made and removed without an LVM command.
 *
 * Everything is matched by uuid ("LVM-" VG uuid LV uuid), names are for people. One thread at a time:
 * libdevmapper is not thread-safe. Looking never touches the disk below; removing may wait for its I/O.
 */
#ifndef STOCKADE_DRIVERS_DM_H
#define STOCKADE_DRIVERS_DM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define DM_LV_NAME_MAX 128
#define DM_LV_UUID_MAX 129
#define DM_LINES_MAX 32
#define DM_PARAMS_MAX 256

struct dm_line {
	uint64_t start, len; /* sectors */
	char type[16];       /* "linear", "striped" */
	char params[DM_PARAMS_MAX];
};

struct dm_state {
	bool exists;
	char name[DM_LV_NAME_MAX];
	dev_t dev;
	bool suspended, live, read_only;
	int open_count;
	uint64_t sectors; /* sum of its table's lines */
	unsigned n_lines; /* in the table; more than DM_LINES_MAX: line[] holds the first ones */
	struct dm_line line[DM_LINES_MAX];
};

/* 0, @ret->exists false when there is no such device; -errno when it cannot be told (SAFE-3). */
int dm_look(struct dm_state *ret, const char *uuid);

/* The uuid of the device named @name; "" when there is none. 0 or -errno. */
int dm_uuid_of(const char *name, char uuid[DM_LV_UUID_MAX]);

/* Is the device there, live, not suspended, writable, with exactly these lines? @why: words when not. */
bool dm_is(const struct dm_state *st, const struct dm_line *lines, unsigned n, const char **why);

/**
 * dm_make() - create a device with its table and resume it, as `lvchange -ay` does for a plain LV.
 * @cookie: set; dm_settle() it later, for the links that udev makes. /dev/dm-N is there at once.
 * Return: 0, or -errno with nothing left behind (-EBUSY: a device of that name or uuid exists)
 */
int dm_make(const char *name, const char *uuid, const struct dm_line *lines, unsigned n,
	    uint32_t *cookie);

/**
 * dm_deny() - replace its table by one of the same size that fails every access. One ioctl swaps: neither flushed nor frozen, and
 * killed half way it leaves the old table. Waits for what is in flight below, so it is for a process that may be killed.
 * @cookie: as in dm_make(); 0: none
 * Return: 0, also when there is no such device; -errno
 */
int dm_deny(const char *uuid, uint32_t *cookie);

/*
 * Remove by uuid; EBUSY is tried again until @timeout_ms (udev's own probes hold it for a moment). @cookie as in dm_make().
 * Return: 0 when the kernel has no such device any more, -EBUSY, -errno
 */
int dm_drop(const char *uuid, uint32_t timeout_ms, uint32_t *cookie);

/* Wait until udev is done with @cookie, at most @timeout_ms: a worker stuck on a dead disk must not hold us. */
bool dm_settle(uint32_t cookie, uint32_t timeout_ms);

/* "vg-lv" with LVM's doubling of dashes. */
void dm_lv_name(const char *vg, const char *lv, char name[DM_LV_NAME_MAX]);

/* Give the descriptor of device-mapper back: a process forked later, which closes what it inherits, would take another for it. */
void dm_close(void);

/* LVM's own lock of a VG on this host, for as long as @fd is open. Its fd, or -errno (-ETIMEDOUT: an LVM command runs). */
int dm_vg_lock(const char *vg, uint32_t timeout_ms);

/**
 * dm_other_holder() - who, beside LVM, sits on top of a disk (multipath, crypt, md), so that its path alone is not the disk?
 * @path: "/dev/NAME", no link
 * @ret:  its name: "mpatha (multipath)", "md0"
 */
bool dm_other_holder(const char *path, char ret[64]);

#endif
