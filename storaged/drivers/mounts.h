/* SPDX-License-Identifier: GPL-3.0-or-later */
/* mounts.h - where a filesystem is mounted, in every mount namespace, and who uses those mounts.
 *
 * A private namespace made while the filesystem was mounted (a container, a service with PrivateMounts) keeps
 * the device busy after our umount said 0. So "unmounted" is said only when no namespace has it any more.
 * Users are found by mount id, the kernel's own name of one mount in one namespace: never by path, which may
 * name another filesystem (agents that compared paths have killed users of the root filesystem).
 */
#ifndef STOCKADE_DRIVERS_MOUNTS_H
#define STOCKADE_DRIVERS_MOUNTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define MOUNTS_MAX 64
#define USERS_MAX 64

struct mount_is { /* what is looked for: a whole device, or one directory of it (a bind mount) */
	dev_t dev;
	const char *root; /* path within the filesystem, as in mountinfo; NULL: any */
};

struct mount_at {
	int id;
	bool ours;     /* in our own mount namespace */
	bool writable; /* the mount and the filesystem are rw */
	pid_t pid;     /* a process of its namespace */
	char target[256];
	char fstype[32];
};

struct mounts {
	unsigned n; /* kept in at[]; there may be more: `more` */
	bool more;
	struct mount_at at[MOUNTS_MAX];
};

/* In our namespace only: the mount on @target. 0, -ENOENT: nothing is mounted there; -errno: cannot tell. */
int mount_on(const char *target, struct mount_at *ret, struct mount_is *is, char *root,
	     size_t root_len);

/*
 * Both questions by one look at our own mountinfo: where @is is mounted (@ret), and what is on @target (the rest, as
 * mount_on()). 1: something is on @target; 0: nothing is; -errno.
 */
int mounts_here(struct mounts *ret, const struct mount_is *is, const char *target,
		struct mount_at *at, struct mount_is *on, char *root, size_t root_len);

/* Every mount of @is; @all_namespaces: look into those of all processes. 0 or -errno (cannot tell, SAFE-3). */
int mounts_find(struct mounts *ret, const struct mount_is *is, bool all_namespaces);

struct user {
	pid_t pid;
	char comm[20];
};

struct users {
	unsigned n;
	bool more;
	struct user u[USERS_MAX];
};

/* Processes with a file, directory, root or mapping on those mounts. Never ourselves, pid 1, or a kernel thread. */
void mounts_users(struct users *ret, const struct mounts *m);
/* "apache2 (1234), bash (99)" */
void users_words(const struct users *u, char *buf, size_t len);
/* Send @sig to them all; the cluster's own daemons are passed over. */
void users_signal(const struct users *u, int sig);

#endif
