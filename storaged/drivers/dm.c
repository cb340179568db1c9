/* SPDX-License-Identifier: GPL-3.0-or-later */
/* dm.c - libdevmapper. */
#include "dm.h"

#include "op.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <libdevmapper.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define POLL_MS 5
#define RETRY_MS 50
#define LVM_LOCK_DIR "/run/lock/lvm"

static void quiet(int level, const char *file, int line, int dm_errno, const char *f, ...)
	__attribute__((format(printf, 5, 6)));

/* Errors come back as errno; what libdevmapper wants to print has no place to go in a driver. */
static void quiet(int level, const char *file, int line, int dm_errno, const char *f, ...)
{
	(void)level;
	(void)file;
	(void)line;
	(void)dm_errno;
	(void)f;
}

static struct dm_task *task_new(int type, const char *uuid)
{
	dm_log_with_errno_init(quiet);
	struct dm_task *t = dm_task_create(type); /* NULL: the kernel has no device-mapper */

	if (!t || !uuid)
		return t;
	if (dm_task_set_uuid(t, uuid))
		return t;
	dm_task_destroy(t);
	return NULL;
}

static int task_errno(struct dm_task *t)
{
	int e = dm_task_get_errno(t);

	return e ? -e : -EIO;
}

static int look_table(struct dm_state *ret, const char *uuid)
{
	struct dm_task *t = task_new(DM_DEVICE_TABLE, uuid);
	uint64_t start, len;
	char *type, *params;
	void *next = NULL;

	if (!t)
		return -ENODEV;
	dm_task_no_open_count(t);
	if (!dm_task_run(t)) {
		int r = task_errno(t);

		dm_task_destroy(t);
		return r;
	}
	do {
		type = params = NULL;
		next = dm_get_next_target(t, next, &start, &len, &type, &params);
		if (!type)
			continue;
		if (ret->n_lines < DM_LINES_MAX) {
			struct dm_line *l = &ret->line[ret->n_lines];

			l->start = start;
			l->len = len;
			snprintf(l->type, sizeof(l->type), "%s", type);
			snprintf(l->params, sizeof(l->params), "%s", params ? params : "");
		}
		ret->n_lines++;
		ret->sectors += len;
	} while (next);
	dm_task_destroy(t);
	return 0;
}

int dm_look(struct dm_state *ret, const char *uuid)
{
	struct dm_info info;

	memset(ret, 0, sizeof(*ret));
	struct dm_task *t = task_new(DM_DEVICE_INFO, uuid);

	if (!t) /* no device-mapper in this kernel: then no such device either, if that is what it says */
		return access("/sys/class/misc/device-mapper", F_OK) < 0 && errno == ENOENT
			       ? 0
			       : -ENODEV;
	if (!dm_task_run(t) || !dm_task_get_info(t, &info)) {
		int r = task_errno(t);

		dm_task_destroy(t);
		return r == -ENXIO ? 0 : r;
	}
	if (!info.exists) {
		dm_task_destroy(t);
		return 0;
	}
	ret->exists = true;
	ret->suspended = info.suspended;
	ret->live = info.live_table;
	ret->read_only = info.read_only;
	ret->open_count = info.open_count;
	ret->dev = makedev(info.major, info.minor);
	snprintf(ret->name, sizeof(ret->name), "%s", dm_task_get_name(t));
	dm_task_destroy(t);
	return look_table(ret, uuid);
}

int dm_uuid_of(const char *name, char uuid[DM_LV_UUID_MAX])
{
	struct dm_info info;
	int r = 0;

	uuid[0] = '\0';
	struct dm_task *t = task_new(DM_DEVICE_INFO, NULL);

	if (!t)
		return access("/sys/class/misc/device-mapper", F_OK) < 0 && errno == ENOENT
			       ? 0
			       : -ENODEV;
	if (!dm_task_set_name(t, name))
		r = -ENOMEM;
	else if (!dm_task_run(t) || !dm_task_get_info(t, &info))
		r = task_errno(t);
	else if (info.exists)
		snprintf(uuid, DM_LV_UUID_MAX, "%s", dm_task_get_uuid(t));
	dm_task_destroy(t);
	return r == -ENXIO ? 0 : r;
}

bool dm_is(const struct dm_state *st, const struct dm_line *lines, unsigned n, const char **why)
{
	*why = !st->exists        ? "there is no such device"
	       : st->suspended    ? "it is suspended"
	       : !st->live        ? "it has no live table"
	       : st->read_only    ? "it is read-only"
	       : st->n_lines != n ? "its table has another number of lines"
	       : n > DM_LINES_MAX ? "its table has too many lines to compare"
				  : NULL;
	for (unsigned i = 0; !*why && i < n; i++) {
		const struct dm_line *a = &st->line[i], *b = &lines[i];

		if (a->start != b->start || a->len != b->len || strcmp(a->type, b->type) != 0 ||
		    strcmp(a->params, b->params) != 0)
			*why = "its table is not the one that the volume group describes";
	}
	return !*why;
}

int dm_make(const char *name, const char *uuid, const struct dm_line *lines, unsigned n,
	    uint32_t *cookie)
{
	struct dm_task *t = task_new(DM_DEVICE_CREATE, uuid);
	int r = 0;

	if (!t)
		return -ENODEV;
	*cookie = 0;
	bool ok = dm_task_set_name(t, name);

	for (unsigned i = 0; ok && i < n; i++)
		ok = dm_task_add_target(t, lines[i].start, lines[i].len, lines[i].type,
					lines[i].params);
	ok = ok && dm_task_set_cookie(t, cookie, 0);
	if (!ok)
		r = -ENOMEM;
	else if (
		!dm_task_run(
			t)) /* libdevmapper itself removes what it created when the table is refused */
		r = task_errno(t);
	dm_task_destroy(t);
	if (r < 0 && *cookie) {
		dm_settle(*cookie, 1000);
		*cookie = 0;
	}
	return r;
}

int dm_deny(const char *uuid, uint32_t *cookie)
{
	struct dm_state st;
	int r = dm_look(&st, uuid);

	*cookie = 0;

	if (r < 0 || !st.exists)
		return r;
	struct dm_task *t = task_new(DM_DEVICE_RELOAD, uuid);

	if (!t)
		return -ENODEV;
	r = dm_task_add_target(t, 0, st.sectors, "error", "") ? 0 : -ENOMEM;
	if (r == 0 && !dm_task_run(t))
		r = task_errno(t);
	dm_task_destroy(t);
	if (r < 0)
		return r == -ENXIO ? 0 : r;
	/* A resume with a new table waiting suspends, swaps and resumes in one go, in the kernel. */
	t = task_new(DM_DEVICE_RESUME, uuid);
	if (!t)
		return -ENODEV;
	/* without a cookie udev takes the links away */
	r = dm_task_no_flush(t) && dm_task_skip_lockfs(t) && dm_task_set_cookie(t, cookie, 0)
		    ? 0
		    : -ENOMEM;
	if (r == 0 && !dm_task_run(t))
		r = task_errno(t);
	dm_task_destroy(t);
	return r == -ENXIO ? 0 : r;
}

int dm_drop(const char *uuid, uint32_t timeout_ms, uint32_t *cookie)
{
	uint64_t until = op_now_ms() + timeout_ms;

	*cookie = 0;
	for (;;) {
		struct dm_state st;
		int r = dm_look(&st, uuid);

		if (r < 0 ||
		    !st.exists) /* gone is what the kernel says, not what a call returned */
			return r;
		struct dm_task *t = task_new(DM_DEVICE_REMOVE, uuid);

		if (!t)
			return -ENODEV;
		if (*cookie)
			dm_settle(*cookie, POLL_MS); /* of a try that failed */
		*cookie = 0;
		r = dm_task_set_cookie(t, cookie, 0) ? 0 : -ENOMEM;
		if (r == 0 && !dm_task_run(t))
			r = task_errno(t);
		dm_task_destroy(t);
		if (r == 0 || r == -ENXIO)
			continue;
		if (r != -EBUSY || op_now_ms() >= until)
			return r;
		sleep_ms(RETRY_MS);
	}
}

bool dm_settle(uint32_t cookie, uint32_t timeout_ms)
{
	uint64_t until = op_now_ms() + timeout_ms;
	int ready = 0;

	while (dm_udev_wait_immediate(cookie, &ready)) {
		if (ready)
			return true; /* it also destroyed the cookie */
		if (op_now_ms() >= until)
			return false;
		sleep_ms(POLL_MS);
	}
	return false;
}

/* Append @part with its dashes doubled; cut at the end, which no valid LVM name reaches. */
static size_t name_part(char *name, size_t n, const char *part)
{
	for (; *part && n + 2 < DM_LV_NAME_MAX; part++) {
		name[n++] = *part;
		if (*part == '-')
			name[n++] = '-';
	}
	name[n] = '\0';
	return n;
}

void dm_lv_name(const char *vg, const char *lv, char name[DM_LV_NAME_MAX])
{
	size_t n = name_part(name, 0, vg);

	if (n + 1 < DM_LV_NAME_MAX)
		name[n++] = '-';
	name_part(name, n, lv);
}

int dm_vg_lock(const char *vg, uint32_t timeout_ms)
{
	uint64_t until = op_now_ms() + timeout_ms;
	struct stat a, b;
	char path[256];

	mkdir("/run/lock", 0755);
	mkdir(LVM_LOCK_DIR, 0700);
	snprintf(path, sizeof(path), "%s/V_%s", LVM_LOCK_DIR, vg);
	for (;;) {
		int fd = open(path, O_CREAT | O_APPEND | O_RDWR | O_CLOEXEC, 0600);

		if (fd < 0)
			return -errno;
		/* LVM unlinks the file when it unlocks: a lock on a name that is gone is none */
		if (flock(fd, LOCK_EX | LOCK_NB) == 0) {
			if (fstat(fd, &a) == 0 && stat(path, &b) == 0 && a.st_ino == b.st_ino)
				return fd;
		} else if (errno != EWOULDBLOCK && errno != EINTR) {
			int e = errno;

			close(fd);
			return -e;
		}
		close(fd);
		if (op_now_ms() >= until)
			return -ETIMEDOUT;
		sleep_ms(POLL_MS);
	}
}

void dm_close(void)
{
	dm_lib_release();
}

/* dm/@what of a holder in sysfs; false: it is no device-mapper device. */
static bool holder_word(const char *holder, const char *what, char *ret, size_t size)
{
	char path[256];
	FILE *f;

	snprintf(path, sizeof(path), "%s/dm/%s", holder, what);
	f = fopen(path, "re");
	if (!f)
		return false;
	ret[0] = '\0';
	if (fgets(ret, (int)size, f))
		ret[strcspn(ret, "\n")] = '\0';
	fclose(f);
	return true;
}

bool dm_other_holder(const char *path, char ret[64])
{
	const char *name = strrchr(path, '/');
	char pattern[128];
	bool found = false;
	glob_t g;

	snprintf(pattern, sizeof(pattern), "/sys/class/block/%.60s/holders/*",
		 name ? name + 1 : path);
	if (glob(pattern, GLOB_NOESCAPE, NULL, &g) != 0)
		return false;
	for (size_t i = 0; i < g.gl_pathc && !found; i++) {
		char uuid[DM_LV_UUID_MAX], dm_name[40];

		if (!holder_word(g.gl_pathv[i], "uuid", uuid, sizeof(uuid))) {
			snprintf(ret, 64, "%.40s", strrchr(g.gl_pathv[i], '/') + 1);
			found = true;
		} else if (strncmp(uuid, "LVM-", 4) != 0) {
			found = true;
			if (!holder_word(g.gl_pathv[i], "name", dm_name, sizeof(dm_name)))
				snprintf(dm_name, sizeof(dm_name), "%s", "a device-mapper device");
			snprintf(ret, 64, "%s%s", dm_name,
				 strncmp(uuid, "mpath-", 6) == 0 ? " (multipath)" : "");
		}
	}
	globfree(&g);
	return found;
}
