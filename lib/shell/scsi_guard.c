// SPDX-License-Identifier: GPL-3.0-or-later
#include "lib/shell/scsi_guard.h"

#include "lib/crc32c.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int __attribute__((format(printf, 3, 4)))
fail(struct scsi_guard *g, int err, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(g->text, sizeof(g->text), fmt, ap);
	va_end(ap);
	return -err;
}

static int fail_disk(struct scsi_guard *g, const struct scsi_disk *disk, int r)
{
	return fail(g, -r, "%s", disk->text);
}

static uint64_t own_key(const struct scsi_guard *g)
{
	return scsi_pr_key(g->cluster, g->self, g->boot_id);
}

/* --- the mark of a life that has registered ---------------------------------------------------------- */

/* Ids are of any length and letters: the name is a hash of it. A collision would only keep a node out. */
static void mark_path(const struct scsi_guard *g, const struct scsi_disk *disk, char *path,
		      size_t len)
{
	const char *id = disk->id[0] ? disk->id : disk->path[0].name;

	snprintf(path, len, "%s/%08x", g->run, crc32c(0, id, strlen(id)));
}

static bool mark_is(const struct scsi_guard *g, const struct scsi_disk *disk)
{
	char path[PATH_MAX];

	mark_path(g, disk, path, sizeof(path));
	return access(path, F_OK) == 0 || errno != ENOENT;
}

/* Before the first registration, so that no life is registered without one. */
static int mark_set(struct scsi_guard *g, const struct scsi_disk *disk)
{
	char path[PATH_MAX], up[PATH_MAX];

	snprintf(up, sizeof(up), "%s", g->run);
	char *slash = strrchr(up, '/');

	if (slash && slash != up) {
		*slash = '\0';
		if (mkdir(up, 0755) < 0 && errno != EEXIST)
			return fail(g, errno, "%s: %s", up, strerror(errno));
	}
	if (mkdir(g->run, 0700) < 0 && errno != EEXIST)
		return fail(g, errno, "%s: %s", g->run, strerror(errno));
	mark_path(g, disk, path, sizeof(path));
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0)
		return fail(g, errno, "%s: %s", path, strerror(errno));
	close(fd);
	return 0;
}

/* --- looking ------------------------------------------------------------------------------------------ */

static int read_path(struct scsi_guard *g, struct scsi_disk *disk, unsigned path,
		     struct scsi_pr_keys *keys, struct scsi_pr_reservation *res)
{
	int r = scsi_disk_keys(disk, path, keys);

	if (r == 0)
		r = scsi_disk_reservation(disk, path, res);
	return r < 0 ? fail_disk(g, disk, r) : 0;
}

int scsi_guard_node(struct scsi_guard *g, struct scsi_disk *disk, uint32_t node,
		    enum scsi_pr_standing *ret)
{
	enum scsi_pr_standing all = SCSI_PR_UNKNOWN;

	for (unsigned i = 0; i < disk->n; i++) {
		struct scsi_pr_keys keys;
		struct scsi_pr_reservation res;
		int r = read_path(g, disk, i, &keys, &res);

		if (r < 0)
			return r;
		enum scsi_pr_standing now = scsi_pr_judge_node(&keys, &res, g->cluster, node);

		if (now == SCSI_PR_UNKNOWN)
			return fail(
				g, EUCLEAN,
				"%s is reserved with type %u, not with 5: another program's; find out whose, clear it",
				disk->path[i].name, res.type);
		if (i > 0 && now != all)
			return fail(g, EUCLEAN,
				    "%s and %s, two paths of one disk, say different things",
				    disk->path[0].name, disk->path[i].name);
		all = now;
	}
	*ret = all;
	return 0;
}

int scsi_guard_own(struct scsi_guard *g, struct scsi_disk *disk, enum scsi_pr_own *ret)
{
	struct scsi_pr_keys keys;
	struct scsi_pr_reservation res;
	int r = read_path(g, disk, 0, &keys, &res);

	if (r < 0)
		return r;
	*ret = scsi_pr_judge_own(&keys, &res, own_key(g), disk->n);
	if (*ret == SCSI_PR_OWN_CUT && !mark_is(g, disk))
		*ret = SCSI_PR_OWN_FORGOTTEN;
	return 0;
}

int scsi_guard_fit(struct scsi_guard *g, struct scsi_disk *disk)
{
	static const uint64_t nobody = 0x534b2d70726f6265; /* "SK-probe": registered nowhere */
	const char *name = disk->path[0].name;
	struct scsi_pr_capabilities can;
	int r = scsi_disk_capabilities(disk, 0, &can);

	if (r == -EOPNOTSUPP)
		return fail(g, EOPNOTSUPP,
			    "%s: the target has no persistent reservations: use another target, or "
			    "another agent",
			    name);
	if (r < 0)
		return fail_disk(g, disk, r);
	if (!can.we_ro)
		return fail(
			g, EOPNOTSUPP,
			"%s: the target has no reservation of type 5 (write exclusive, registrants only)",
			name);
	if (!can.persist && !g->volatile_ok)
		return fail(
			g, EOPNOTSUPP,
			"%s: the target forgets registrations when it restarts: a node that was cut off could write again; "
			"if you accept that, say volatile_ok=1",
			name);
	/* A victim that is registered nowhere: refused by who can preempt and abort, unknown to who cannot. Nothing changes. */
	r = scsi_disk_out(disk, 0, SCSI_PR_PREEMPT_AND_ABORT, own_key(g), nobody, false);
	if (r == -EOPNOTSUPP)
		return fail(
			g, EOPNOTSUPP,
			"%s: the target cannot PREEMPT AND ABORT (tgt cannot, LIO can): writes in flight could land after the "
			"cut; use another target, or another agent",
			name);
	return r < 0 && r != -EBUSY ? fail_disk(g, disk, r) : 0;
}

/* --- changing ----------------------------------------------------------------------------------------- */

static int register_all(struct scsi_guard *g, struct scsi_disk *disk)
{
	struct scsi_pr_capabilities can;
	int r = scsi_disk_capabilities(disk, 0, &can);

	for (unsigned i = 0; r == 0 && i < disk->n; i++)
		r = scsi_disk_out(disk, i, SCSI_PR_REGISTER_AND_IGNORE, 0, own_key(g), can.persist);
	return r < 0 ? fail_disk(g, disk, r) : 0;
}

int scsi_guard_join(struct scsi_guard *g, struct scsi_disk *disk)
{
	enum scsi_pr_own own = SCSI_PR_OWN_UNKNOWN;
	int r = scsi_guard_own(g, disk, &own);

	if (r < 0 || own == SCSI_PR_OWN_GOOD)
		return r;
	if (own == SCSI_PR_OWN_CUT)
		return fail(
			g, EPERM,
			"%s: this node was cut off from the disk and still has data from before: reboot it",
			disk->path[0].name);
	r = scsi_guard_fit(g, disk);
	if (r == 0)
		r = mark_set(g, disk);
	if (r == 0)
		r = register_all(g, disk);
	if (r < 0)
		return r;
	/* Somebody else may be quicker: a conflict is decided by what is read back. */
	r = scsi_disk_out(disk, 0, SCSI_PR_RESERVE, own_key(g), 0, false);
	if (r < 0 && r != -EBUSY)
		return fail_disk(g, disk, r);
	r = scsi_guard_own(g, disk, &own);
	if (r == 0 && own != SCSI_PR_OWN_GOOD)
		r = fail(
			g, EIO,
			"%s: registered, but the disk does not show it: look with sg_persist -k and -r",
			disk->path[0].name);
	return r;
}

int scsi_guard_cut(struct scsi_guard *g, struct scsi_disk *disk, uint32_t node)
{
	struct scsi_pr_keys keys;
	int r;

	if (node == g->self)
		return fail(g, EINVAL, "a node does not cut off itself");
	r = scsi_guard_join(g, disk);
	if (r == 0 && (r = scsi_disk_keys(disk, 0, &keys)) < 0)
		return fail_disk(g, disk, r);
	for (unsigned i = 0; r == 0 && i < keys.n; i++) {
		if (!scsi_pr_key_of_cluster(keys.v[i], g->cluster) ||
		    scsi_pr_key_node(keys.v[i]) != node)
			continue;
		r = scsi_disk_out(disk, 0, SCSI_PR_PREEMPT_AND_ABORT, own_key(g), keys.v[i], false);
		/* One preempt takes the key off all its paths: the second finds it gone. What is left is read back. */
		if (r == -EBUSY)
			r = 0;
		else if (r < 0)
			fail_disk(g, disk, r);
	}
	return r;
}

int scsi_guard_leave(struct scsi_guard *g, struct scsi_disk *disk)
{
	char path[PATH_MAX];

	for (unsigned i = 0; i < disk->n; i++) {
		int r = scsi_disk_out(disk, i, SCSI_PR_REGISTER_AND_IGNORE, own_key(g), 0, false);

		if (r < 0)
			return fail_disk(g, disk, r);
	}
	mark_path(g, disk, path, sizeof(path));
	return unlink(path) < 0 && errno != ENOENT ? fail(g, errno, "%s: %s", path, strerror(errno))
						   : 0;
}
