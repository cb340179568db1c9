/* SPDX-License-Identifier: GPL-3.0-or-later */
/* area.c - block I/O on the epoch area. */
#include "area.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int area_open(struct area *a, const char *path, uint64_t offset, bool write)
{
	int flags = (write ? O_RDWR : O_RDONLY) | O_CLOEXEC;

	a->fd = -1;
	a->still_there = NULL;
	a->arg = NULL;
	if (offset % EPOCH_BLOCK != 0)
		return -EINVAL;
	a->offset = offset;
	a->fd = open(path, flags | O_DIRECT);
	if (a->fd < 0 && errno == EINVAL) /* a test's directory on tmpfs: no O_DIRECT there */
		a->fd = open(path, flags);
	return a->fd < 0 ? -errno : 0;
}

void area_close(struct area *a)
{
	if (a->fd >= 0)
		close(a->fd);
	a->fd = -1;
}

uint8_t *area_buf(unsigned blocks)
{
	void *p;

	if (posix_memalign(&p, EPOCH_BLOCK, (size_t)blocks * EPOCH_BLOCK) != 0)
		return NULL;
	memset(p, 0, (size_t)blocks * EPOCH_BLOCK);
	return p;
}

int area_read(const struct area *a, unsigned block, unsigned n, uint8_t *buf)
{
	size_t len = (size_t)n * EPOCH_BLOCK;
	ssize_t r;

	do {
		r = pread(a->fd, buf, len, (off_t)(a->offset + (uint64_t)block * EPOCH_BLOCK));
	} while (r < 0 && errno == EINTR);
	if (r < 0)
		return -errno;
	return (size_t)r == len ? 0 : -ENXIO; /* the device ends before the area does */
}

static int put_block(const struct area *a, unsigned block, const uint8_t *buf)
{
	ssize_t n;

	do {
		n = pwrite(a->fd, buf, EPOCH_BLOCK,
			   (off_t)(a->offset + (uint64_t)block * EPOCH_BLOCK));
	} while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n == EPOCH_BLOCK ? 0 : -ENOSPC;
}

int area_write(const struct area *a, unsigned block, const uint8_t *buf)
{
	uint8_t *back = area_buf(1);

	if (!back)
		return -ENOMEM;
	int r = a->still_there ? a->still_there(a->arg, a->fd) : 0;

	if (r == 0)
		r = put_block(a, block, buf);
	if (r == 0 && fdatasync(a->fd) < 0)
		r = -errno;
	if (r == 0)
		r = area_read(a, block, 1, back);
	if (r == 0 && memcmp(back, buf, EPOCH_BLOCK) != 0)
		r = -EIO;
	free(back);
	return r;
}

int area_record_peek(const struct area *a, struct epoch_record *ret)
{
	uint8_t *buf = area_buf(1);

	if (!buf)
		return -ENOMEM;
	int r = area_read(a, 0, 1, buf);
	bool sound = r == 0 && epoch_record_decode(ret, buf) == EPOCH_READ_OK;

	free(buf);
	return r < 0 || sound ? r : area_record_read(a, ret);
}

int area_record_read(const struct area *a, struct epoch_record *ret)
{
	uint8_t *buf = area_buf(2);

	if (!buf)
		return -ENOMEM;
	int r = area_read(a, 0, 1, buf);

	if (r == 0)
		r = area_read(a, EPOCH_COPY_BLOCK, 1, buf + EPOCH_BLOCK);
	if (r == 0) {
		switch (epoch_record_pick(ret, buf, buf + EPOCH_BLOCK)) {
		case EPOCH_READ_OK: break;
		case EPOCH_READ_BLANK: r = -ENODATA; break;
		case EPOCH_READ_DAMAGED: r = -EBADMSG; break;
		}
	}
	free(buf);
	return r;
}

int area_record_write(const struct area *a, const struct epoch_record *rec)
{
	uint8_t *buf = area_buf(1);

	if (!buf)
		return -ENOMEM;
	epoch_record_encode(rec, buf);
	/* One after the other, each flushed: at any instant one copy is whole. */
	int r = area_write(a, 0, buf);

	if (r == 0)
		r = area_write(a, EPOCH_COPY_BLOCK, buf);
	free(buf);
	return r;
}

int area_beat_read(const struct area *a, uint32_t nodeid, struct epoch_beat *ret)
{
	uint8_t *buf = area_buf(1);

	if (!buf)
		return -ENOMEM;
	int r = area_read(a, nodeid, 1, buf);

	if (r == 0 && epoch_beat_decode(ret, buf) != EPOCH_READ_OK)
		r = -ENODATA;
	free(buf);
	return r;
}

int area_beat_write(const struct area *a, const struct epoch_beat *beat, bool seen)
{
	uint8_t *buf = area_buf(1);

	if (!buf)
		return -ENOMEM;
	epoch_beat_encode(beat, buf);
	int r = a->still_there && !seen ? a->still_there(a->arg, a->fd) : 0;

	if (r == 0)
		r = put_block(a, beat->life.nodeid, buf);

	free(buf);
	return r;
}
