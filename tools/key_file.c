/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Key files of this machine: looked at, made, never half there. */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "tools/key.h"

void key_forget(struct key_bytes *k)
{
	explicit_bzero(k, sizeof(*k));
}

bool key_equal(const struct key_bytes *a, const struct key_bytes *b)
{
	return a->len > 0 && a->len == b->len && virt_equal(a->bytes, b->bytes, a->len);
}

struct echo_key key_echo(const struct key_bytes *k)
{
	return (struct echo_key){ .bytes = k->bytes, .len = k->len };
}

static int read_bytes(int fd, struct key_bytes *k)
{
	while (k->len < sizeof(k->bytes)) {
		ssize_t n = read(fd, k->bytes + k->len, sizeof(k->bytes) - k->len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		k->len += (size_t)n;
	}
	return 0;
}

int key_file_read(const char *path, struct key_file *ret)
{
	struct stat st;
	/* O_NONBLOCK: a FIFO must not hold us */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK), r = 0;

	memset(ret, 0, sizeof(*ret));
	if (fd < 0) {
		r = errno == ENOENT ? 0 : -errno;
		ret->there = r < 0;
		ret->error = -r;
		return r;
	}
	ret->there = true;
	if (fstat(fd, &st) < 0) {
		r = -errno;
	} else {
		time_t now = time(NULL); /* for people: how old the file is on this machine */

		ret->uid = st.st_uid;
		ret->gid = st.st_gid;
		ret->mode = st.st_mode;
		ret->size = st.st_size;
		ret->age_s = now > st.st_mtime ? (uint64_t)(now - st.st_mtime) : 0;
		r = S_ISREG(st.st_mode) ? read_bytes(fd, &ret->key) : 0;
	}
	close(fd);
	ret->error = -r;
	return r;
}

/* Others could put another file in its place through this directory. */
static bool open_to_others(const struct stat *st, bool last)
{
	if (st->st_uid != 0 && st->st_uid != geteuid())
		return true;
	/* in a sticky directory above, nobody renames what is another's */
	return (st->st_mode & 022) && (last || !(st->st_mode & S_ISVTX));
}

int key_dir_check(const char *path, bool make, char *why, size_t why_len)
{
	char dir[PATH_MAX], real[PATH_MAX];
	struct stat st;
	bool last = true;

	snprintf(dir, sizeof(dir), "%s", path);
	char *slash = strrchr(dir, '/');

	if (path[0] != '/' || !slash || slash[1] == '\0') {
		snprintf(why, why_len, "%s is no absolute path of a file", path);
		return -EINVAL;
	}
	*(slash == dir ? slash + 1 : slash) = '\0';
	if (make && stat(dir, &st) < 0 && errno == ENOENT) {
		int r = key_dir_check(dir, false, why, why_len); /* of the one above */

		if (r < 0)
			return r;
		if (mkdir(dir, 0755) < 0 && errno != EEXIST) {
			snprintf(why, why_len, "%s: %s", dir, strerror(errno));
			return -errno;
		}
	}
	if (!realpath(dir, real)) {
		int e = errno;

		snprintf(why, why_len, "directory %s: %s", dir, strerror(e));
		return -e;
	}
	for (;;) {
		if (stat(real, &st) < 0) {
			int e = errno;

			snprintf(why, why_len, "directory %s: %s", real, strerror(e));
			return -e;
		}
		if (open_to_others(&st, last)) {
			snprintf(
				why, why_len,
				"directory %s belongs to user %u, mode %04o: others could put another key there; "
				"chown root %s, chmod go-w %s, or choose another place (--file)",
				real, st.st_uid, st.st_mode & 07777, real, real);
			return -EPERM;
		}
		last = false;
		if (strcmp(real, "/") == 0)
			return 0;
		slash = strrchr(real, '/');
		*(slash == real ? slash + 1 : slash) = '\0';
	}
}

static int write_whole(int fd, const struct key_bytes *k)
{
	for (size_t n = 0; n < k->len;) {
		ssize_t w = write(fd, k->bytes + n, k->len - n);

		if (w < 0 && errno == EINTR)
			continue;
		if (w <= 0)
			return w < 0 ? -errno : -ENOSPC;
		n += (size_t)w;
	}
	if (fchmod(fd, 0600) < 0 || fsync(fd) < 0)
		return -errno;
	return 0;
}

static void sync_dir_of(const char *path)
{
	char dir[PATH_MAX];

	snprintf(dir, sizeof(dir), "%s", path);
	int fd = open(dirname(dir), O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd >= 0) {
		fsync(fd);
		close(fd);
	}
}

int key_file_write(const char *path, const struct key_bytes *k, bool replace, char *why,
		   size_t why_len)
{
	char temp[PATH_MAX];
	int fd, r = key_dir_check(path, true, why, why_len);

	if (r < 0)
		return r;
	snprintf(temp, sizeof(temp), "%s.%ld.tmp", path, (long)getpid());
	unlink(temp); /* of an earlier process of this number; the directory is ours alone */
	fd = open(temp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	r = fd < 0 ? -errno : write_whole(fd, k);
	if (fd >= 0)
		close(fd);
	/* link() never replaces; rename() does so at once */
	if (r == 0 && (replace ? rename(temp, path) : link(temp, path)) < 0)
		r = -errno;
	if (fd >= 0)
		unlink(temp);
	if (r < 0) {
		snprintf(why, why_len, "%s: %s", path, strerror(-r));
		return r;
	}
	sync_dir_of(path);
	return 0;
}

int key_file_rename(const char *from, const char *to)
{
	if (rename(from, to) < 0)
		return -errno;
	sync_dir_of(to);
	return 0;
}

int key_random(struct key_bytes *k, size_t len)
{
	k->len = 0;
	while (k->len < len) {
		/* up to 256 bytes come whole; it waits until the kernel has gathered entropy */
		ssize_t n = getrandom(k->bytes + k->len, len - k->len > 256 ? 256 : len - k->len,
				      0);

		if (n < 0 && errno != EINTR)
			return -errno;
		k->len += n > 0 ? (size_t)n : 0;
	}
	return 0;
}
