/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tests/unit/area_faults.c - what is written to the shared disk fails loudly: the record that counts epochs, and the heartbeat.
 *
 * `sbd message` reports success although its write failed (ref/fencing.md 5.4: found with a device that refuses writes by a
 * reservation; the helper returns -1, the caller asks for less than -1). Here each call of the kernel that a write consists of
 * fails in turn, in each way that a disk knows, and none of it may end with 0 (SAFE-1: who has not written the epoch must not
 * mount).
 */
#include "storaged/drivers/area.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

enum fault {
	NONE = 0,
	REFUSED,   /* EIO: a path that fails, an error target */
	RESERVED,  /* EBADE: the kernel's word for a reservation conflict */
	FULL,      /* a device that ends: fewer bytes than asked */
	NOTHING,   /* it says done, and nothing changed: a cache that was lost, a lying disk */
	TORN,      /* it says done, and the beginning of it did */
	ELSEWHERE, /* it says done, and wrote another block */
	NO_FLUSH,  /* the flush fails: the data were in a cache that is gone */
};

static enum fault fault;
static unsigned skip; /* so many writes pass before it */
static char path[256];

/* The area's own calls come here. */
ssize_t pwrite(int fd, const void *buf, size_t len, off_t at)
{
	enum fault now = skip > 0 ? NONE : fault;

	skip -= skip > 0;
	switch (now) {
	case REFUSED: errno = EIO; return -1;
	case RESERVED: errno = EBADE; return -1;
	case FULL: return syscall(SYS_pwrite64, fd, buf, (size_t)16, at);
	case NOTHING: return (ssize_t)len;
	case TORN: syscall(SYS_pwrite64, fd, buf, (size_t)16, at); return (ssize_t)len;
	case ELSEWHERE: return syscall(SYS_pwrite64, fd, buf, len, at + 40 * (off_t)EPOCH_BLOCK);
	case NONE:
	case NO_FLUSH: break;
	}
	return syscall(SYS_pwrite64, fd, buf, len, at);
}

int fdatasync(int fd)
{
	(void)fd;
	if (fault == NO_FLUSH && skip == 0) {
		errno = EIO;
		return -1;
	}
	return 0;
}

static int make_disk(void **state)
{
	const char *dir = getenv("TMPDIR");

	(void)state;
	snprintf(path, sizeof(path), "%s/area_faults.XXXXXX", dir ? dir : "/tmp");
	int fd = mkstemp(path);

	if (fd < 0 || ftruncate(fd, 128 * EPOCH_BLOCK) < 0)
		return -1;
	close(fd);
	return 0;
}

static int remove_disk(void **state)
{
	(void)state;
	return unlink(path);
}

static struct epoch_record record(uint64_t epoch)
{
	struct epoch_record rec = { .epoch = epoch, .state = EPOCH_ACTIVE };

	rec.owner.nodeid = 1;
	memset(rec.owner.boot_id, 7, sizeof(rec.owner.boot_id));
	rec.owner.join = 3;
	snprintf(rec.cluster, sizeof(rec.cluster), "lab");
	snprintf(rec.volume, sizeof(rec.volume), "data");
	return rec;
}

static void record_that_is_not_on_the_disk_is_not_written(void **state)
{
	struct epoch_record rec = record(1), back;
	struct area a;

	(void)state;
	for (enum fault f = REFUSED; f <= NO_FLUSH; f++) {
		for (unsigned copy = 0; copy < 2; copy++) {
			fault = NONE;
			skip = 0;
			assert_int_equal(area_open(&a, path, 0, true), 0);
			rec.epoch++;
			assert_int_equal(area_record_write(&a, &rec), 0);
			assert_int_equal(area_record_read(&a, &back), 0);
			assert_int_equal(back.epoch, rec.epoch);

			struct epoch_record next = record(rec.epoch + 1);

			fault = f;
			skip = copy;
			int r = area_record_write(&a, &next);

			if (r >= 0)
				fail_msg("fault %d of copy %u: %d, as if it were written", f, copy,
					 r);
			fault = NONE;
			/* and what was there before, or the new one, is whole: never a mixture */
			assert_int_equal(area_record_read(&a, &back), 0);
			assert_true(back.epoch == rec.epoch || back.epoch == next.epoch);
			rec.epoch = next.epoch;
			area_close(&a);
		}
	}
}

/* It is not read back by who writes it; what the disk says is heard. Who lies by silence is seen as stale by the others. */
static void heartbeat_that_the_disk_refuses_is_an_error(void **state)
{
	struct epoch_beat beat = { .epoch = 3, .counter = 1 }, back;
	struct area a;

	(void)state;
	beat.life.nodeid = 1;
	memset(beat.life.boot_id, 7, sizeof(beat.life.boot_id));
	fault = NONE;
	assert_int_equal(area_open(&a, path, 0, true), 0);
	assert_int_equal(area_beat_write(&a, &beat, false), 0);
	for (enum fault f = REFUSED; f <= FULL; f++) {
		fault = f;
		beat.counter++;
		assert_true(area_beat_write(&a, &beat, false) < 0);
	}
	fault = NOTHING;
	beat.counter = 100;
	assert_int_equal(area_beat_write(&a, &beat, false), 0);
	fault = NONE;
	int r = area_beat_read(&a, 1, &back);

	/* torn by FULL: no sound heartbeat, or the old one; in no case the one that was not written */
	assert_true(r == -ENODATA || (r == 0 && back.counter == 1));
	area_close(&a);
}

static void disk_that_is_read_only_is_an_error_at_once(void **state)
{
	struct epoch_record rec = record(9);
	struct area a;

	(void)state;
	fault = NONE;
	assert_int_equal(area_open(&a, path, 0, false), 0);
	assert_true(area_record_write(&a, &rec) < 0);
	area_close(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(record_that_is_not_on_the_disk_is_not_written),
		cmocka_unit_test(heartbeat_that_the_disk_refuses_is_an_error),
		cmocka_unit_test(disk_that_is_read_only_is_an_error_at_once),
	};

	return cmocka_run_group_tests(tests, make_disk, remove_disk);
}
