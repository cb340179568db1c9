/* SPDX-License-Identifier: GPL-3.0-or-later */
/* mounts.c - mountinfo of every namespace, and the users of a mount. */
#include "mounts.h"

#include "op.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <libmount/libmount.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define NAMESPACES_MAX 256

/* mountinfo of a process; 0 processes that end meanwhile are no error. */
static int table_of(const char *pid, struct libmnt_table **ret)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%s/mountinfo", pid);
	struct libmnt_table *t = mnt_new_table();

	if (!t)
		return -ENOMEM;
	int r = mnt_table_parse_file(t, path);

	if (r != 0) {
		mnt_unref_table(t);
		return r < 0 ? r : -EIO;
	}
	*ret = t;
	return 0;
}

static bool rw(struct libmnt_fs *fs)
{
	unsigned long vfs = 0;
	const char *v = mnt_fs_get_vfs_options(fs), *s = mnt_fs_get_fs_options(fs);

	if (!v || mnt_optstr_get_flags(v, &vfs, mnt_get_builtin_optmap(MNT_LINUX_MAP)) != 0)
		return false;
	if (vfs & MS_RDONLY)
		return false;
	/* the superblock's own options: "rw" or "ro" comes first */
	return s && strncmp(s, "rw", 2) == 0;
}

static void mount_fill(struct mount_at *m, struct libmnt_fs *fs, bool ours, pid_t pid)
{
	memset(m, 0, sizeof(*m));
	m->id = mnt_fs_get_id(fs);
	m->ours = ours;
	m->writable = rw(fs);
	m->pid = pid;
	snprintf(m->target, sizeof(m->target), "%s", mnt_fs_get_target(fs));
	snprintf(m->fstype, sizeof(m->fstype), "%s", mnt_fs_get_fstype(fs));
}

static int table_on(struct libmnt_table *t, const char *target, struct mount_at *ret,
		    struct mount_is *is, char *root, size_t root_len)
{
	/* backwards: the topmost of several mounts on one directory */
	struct libmnt_fs *fs = mnt_table_find_target(t, target, MNT_ITER_BACKWARD);

	if (!fs)
		return -ENOENT;
	mount_fill(ret, fs, true, getpid());
	if (is)
		is->dev = mnt_fs_get_devno(fs);
	if (root)
		snprintf(root, root_len, "%s", mnt_fs_get_root(fs));
	if (is)
		is->root = root;
	return 0;
}

int mount_on(const char *target, struct mount_at *ret, struct mount_is *is, char *root,
	     size_t root_len)
{
	struct libmnt_table *t;
	int r = table_of("self", &t);

	if (r < 0)
		return r;
	r = table_on(t, target, ret, is, root, root_len);
	mnt_unref_table(t);
	return r;
}

static void table_find(struct mounts *ret, struct libmnt_table *t, const struct mount_is *is,
		       bool ours, pid_t pid)
{
	struct libmnt_iter *it = mnt_new_iter(MNT_ITER_FORWARD);
	struct libmnt_fs *fs;

	if (!it) {
		ret->more = true; /* something may have been missed */
		return;
	}
	while (mnt_table_next_fs(t, it, &fs) == 0) {
		if (mnt_fs_get_devno(fs) != is->dev ||
		    (is->root && strcmp(mnt_fs_get_root(fs), is->root) != 0))
			continue;
		if (ret->n < MOUNTS_MAX)
			mount_fill(&ret->at[ret->n++], fs, ours, pid);
		else
			ret->more = true;
	}
	mnt_free_iter(it);
}

int mounts_here(struct mounts *ret, const struct mount_is *is, const char *target,
		struct mount_at *at, struct mount_is *on, char *root, size_t root_len)
{
	struct libmnt_table *t;

	memset(ret, 0, sizeof(*ret));
	int r = table_of("self", &t);

	if (r < 0)
		return r;
	table_find(ret, t, is, true, getpid());
	r = table_on(t, target, at, on, root, root_len) == 0;
	mnt_unref_table(t);
	return r;
}

int mounts_find(struct mounts *ret, const struct mount_is *is, bool all_namespaces)
{
	ino_t seen[NAMESPACES_MAX];
	unsigned n_seen = 0;
	struct libmnt_table *t;
	struct dirent *e;
	struct stat st;
	char path[300];

	memset(ret, 0, sizeof(*ret));
	int r = table_of("self", &t);

	if (r < 0)
		return r;
	table_find(ret, t, is, true, getpid());
	mnt_unref_table(t);
	if (!all_namespaces)
		return 0;
	if (stat("/proc/self/ns/mnt", &st) < 0)
		return -errno;
	seen[n_seen++] = st.st_ino;
	DIR *d = opendir("/proc");

	if (!d)
		return -errno;
	while ((e = readdir(d))) {
		bool known = false;

		if (!isdigit((unsigned char)e->d_name[0]))
			continue;
		snprintf(path, sizeof(path), "/proc/%s/ns/mnt", e->d_name);
		if (stat(path, &st) < 0)
			continue; /* ended meanwhile, or a kernel thread */
		for (unsigned i = 0; i < n_seen && !known; i++)
			known = seen[i] == st.st_ino;
		if (known)
			continue;
		if (n_seen < NAMESPACES_MAX)
			seen[n_seen++] = st.st_ino;
		if (table_of(e->d_name, &t) == 0) {
			table_find(ret, t, is, false, (pid_t)atoi(e->d_name));
			mnt_unref_table(t);
		}
	}
	closedir(d);
	return 0;
}

static bool on_mounts(int dirfd, const char *name, const struct mounts *m)
{
	struct statx sx;

	/* follows the magic link into the mount; does not touch the disk, which may be dead */
	if (statx(dirfd, name, AT_STATX_DONT_SYNC | AT_NO_AUTOMOUNT, STATX_MNT_ID, &sx) < 0 ||
	    !(sx.stx_mask & STATX_MNT_ID))
		return false;
	for (unsigned i = 0; i < m->n; i++)
		if ((uint64_t)m->at[i].id == sx.stx_mnt_id)
			return true;
	return false;
}

static bool any_link_on(int proc, const char *dir, const struct mounts *m)
{
	struct dirent *e;
	bool yes = false;
	int fd = openat(proc, dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);

	if (!d) {
		if (fd >= 0)
			close(fd);
		return false;
	}
	while (!yes && (e = readdir(d)))
		yes = e->d_name[0] != '.' && on_mounts(dirfd(d), e->d_name, m);
	closedir(d);
	return yes;
}

void mounts_users(struct users *ret, const struct mounts *m)
{
	DIR *d = opendir("/proc");
	struct dirent *e;
	char text[64];

	memset(ret, 0, sizeof(*ret));
	while (d && (e = readdir(d))) {
		pid_t pid = (pid_t)atoi(e->d_name);
		int proc;

		if (pid <= 1 || pid == getpid() || pid == getppid())
			continue;
		proc = openat(dirfd(d), e->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (proc < 0)
			continue;
		if (on_mounts(proc, "cwd", m) || on_mounts(proc, "root", m) ||
		    on_mounts(proc, "exe", m) || any_link_on(proc, "fd", m) ||
		    any_link_on(proc, "map_files", m)) {
			if (ret->n < USERS_MAX) {
				struct user *u = &ret->u[ret->n++];

				file_read(text, sizeof(text), "/proc/%d/comm", pid);
				u->pid = pid;
				snprintf(u->comm, sizeof(u->comm), "%.19s", text);
			} else {
				ret->more = true;
			}
		}
		close(proc);
	}
	if (d)
		closedir(d);
	/* While it is mounted in our namespace, copies in others mostly go with it (they are slaves of ours, as
	 * those of most services). A copy that is left when ours is gone is kept by its namespace's processes. */
	for (unsigned i = 0; i < m->n; i++)
		if (m->at[i].ours)
			return;
	for (unsigned i = 0; i < m->n && !ret->more; i++) {
		bool known = false;

		for (unsigned k = 0; k < ret->n; k++)
			known = known || ret->u[k].pid == m->at[i].pid;
		if (!known && ret->n < USERS_MAX) {
			struct user *u = &ret->u[ret->n++];

			file_read(text, sizeof(text), "/proc/%d/comm", m->at[i].pid);
			u->pid = m->at[i].pid;
			snprintf(u->comm, sizeof(u->comm), "%.19s", text);
		}
	}
}

void users_words(const struct users *u, char *buf, size_t len)
{
	size_t n = 0;

	buf[0] = '\0';
	for (unsigned i = 0; i < u->n && i < 8 && n + 40 < len; i++)
		n += (size_t)snprintf(buf + n, len - n, "%s%s (%d)", i ? ", " : "", u->u[i].comm,
				      u->u[i].pid);
	if (u->n > 8 || u->more)
		snprintf(buf + n, len - n, " and others");
	if (u->n == 0)
		snprintf(
			buf, len,
			"no process that can be seen (the kernel itself: swap, loop device, NFS export?)");
}

void users_signal(const struct users *u, int sig)
{
	static const char *const spared[] = { "corosync", "fenced", "dlmd",
					      "storaged", "iscsid", "systemd-udevd" };

	for (unsigned i = 0; i < u->n; i++) {
		bool spare = false;

		for (size_t k = 0; k < sizeof(spared) / sizeof(*spared); k++)
			spare = spare || strcmp(u->u[i].comm, spared[k]) == 0;
		if (!spare)
			kill(u->u[i].pid, sig);
	}
}
