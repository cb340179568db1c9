/* SPDX-License-Identifier: GPL-3.0-or-later */
/* fs.c - libblkid, e2fsck, libmount. */
#include "fs.h"

#include "run.h"

#include <blkid/blkid.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <libmount/libmount.h>
#include <limits.h>
#include <linux/fs.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define FSCK_MS 600000
#define BUSY_MS 2000 /* a stop waits this long for users that are just leaving */
#define BUSY_RETRY_MS 50
#define KILL_MS \
	10000 /* a kill gives those that it asks to end half of this, and whoever is left the other half */
#define DYING_MS 500 /* and who was killed this long to be gone, however slow this machine is */

/* struct ext2_super_block: s_magic and s_state, both little-endian 16 bit; bit 1 of the state: errors were seen */
#define SUPER_BYTES 4096
#define EXT_SUPER_AT 1024
#define EXT_MAGIC_AT 56
#define EXT_STATE_AT 58
#define EXT_MAGIC 0xef53
#define EXT_ERROR_FS 0x0002

const char *fs_name(enum config_fs fs)
{
	switch (fs) {
	case CONFIG_FS_EXT4: return "ext4";
	case CONFIG_FS_XFS: return "xfs";
	}
	return "?";
}

/* Options that would mount something else than this device on this directory, or skip what keeps the data sound. */
static const char *const refused[] = {
	"bind",       "rbind",
	"move",       "remount",
	"loop",       "offset",
	"sizelimit",  "norecovery",
	"noload",     "nouuid",
	"users",      "user",
	"owner",      "group",
	"private",    "rprivate",
	"unbindable", "runbindable",
	"noauto",     "auto",
	"nofail",     "x-systemd.automount",
	"nobarrier",  "abort",
};

static enum driver_result options_check(struct op *op)
{
	const struct config_volume *vol = op->job->vol;
	char *all = (char *)(uintptr_t)vol->options, *name, *value;
	size_t name_len, value_len;

	while (mnt_optstr_next_option(&all, &name, &name_len, &value, &value_len) == 0)
		for (size_t i = 0; i < sizeof(refused) / sizeof(*refused); i++)
			if (strlen(refused[i]) == name_len &&
			    strncmp(refused[i], name, name_len) == 0)
				return op_fail(
					op, "wrong_fs", "take it out of `options:` of the volume",
					"the mount option \"%s\" of volume %s is not allowed",
					refused[i], vol->name);
	return DRIVER_OK;
}

static enum driver_result target_check(struct op *op)
{
	const struct config_volume *vol = op->job->vol;
	struct stat st;

	if (stat(vol->mount, &st) < 0 || !S_ISDIR(st.st_mode)) {
		char remedy[CONFIG_PATH_MAX + 16];

		snprintf(remedy, sizeof(remedy), "mkdir -p %s", vol->mount);
		return op_fail(op, "mount_busy", remedy, "the mount point %s is not a directory",
			       vol->mount);
	}
	return DRIVER_OK;
}

enum driver_result fs_ready(struct op *op)
{
	enum driver_result r = options_check(op);

	return r == DRIVER_OK ? target_check(op) : r;
}

int fs_probe(const char *dev, uint64_t offset, uint64_t size, char type[FS_TYPE_MAX])
{
	const char *value = NULL;

	type[0] = '\0';
	int fd = open(dev, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	/* on a standby's disk the page cache is of the last look; throw it away, before and after */
	ioctl(fd, BLKFLSBUF, 0);
	errno = 0;
	blkid_probe pr = blkid_new_probe();
	int r = pr ? blkid_probe_set_device(pr, fd, (blkid_loff_t)offset, (blkid_loff_t)size) : -1;

	if (r == 0) {
		blkid_probe_enable_superblocks(pr, 1);
		blkid_probe_set_superblocks_flags(pr, BLKID_SUBLKS_TYPE);
		errno = 0;
		r = blkid_do_safeprobe(pr);
	}
	if (r == 0 && blkid_probe_lookup_value(pr, "TYPE", &value, NULL) == 0)
		snprintf(type, FS_TYPE_MAX, "%s", value);
	/* "nothing found" with an error behind it is an unreadable disk, not an empty one */
	r = r == -2 ? -ENOTUNIQ : r == 0 ? 0 : errno ? -errno : r == 1 ? 0 : -EIO;
	blkid_free_probe(pr);
	ioctl(fd, BLKFLSBUF, 0);
	close(fd);
	return r;
}

enum driver_result fs_type_check(struct op *op, int probed, const char *type)
{
	const struct config_volume *vol = op->job->vol;

	if (probed == -ENOTUNIQ)
		return op_fail(
			op, "wrong_fs",
			"look with `wipefs -n` which signature is a leftover; remove that one by hand",
			"%s/%s carries signatures of several filesystems", vol->vg, vol->lv);
	if (probed < 0)
		return op_fail(op, "io_error", "look at `dmesg`", "%s/%s cannot be read: %s",
			       vol->vg, vol->lv, strerror(-probed));
	if (strcmp(type, fs_name(vol->fs)) != 0)
		return op_fail(
			op, "wrong_fs",
			"correct `fs:`, or make the filesystem by hand (Stockade never does)",
			"%s/%s holds %s, not %s", vol->vg, vol->lv,
			type[0] ? type : "no filesystem", fs_name(vol->fs));
	return DRIVER_OK;
}

struct super {
	bool magic;  /* of the configured type */
	bool errors; /* ext4: its error flag is set */
};

static int super_read(const char *dev, enum config_fs fs, struct super *ret)
{
	static _Alignas(SUPER_BYTES) unsigned char b[SUPER_BYTES];
	/* direct: one small read, and nothing is read ahead or kept */
	int fd = open(dev, O_RDONLY | O_DIRECT | O_CLOEXEC);

	memset(ret, 0, sizeof(*ret));
	if (fd < 0)
		return -errno;
	ssize_t n = pread(fd, b, sizeof(b), 0);
	int e = n < 0 ? -errno : n == (ssize_t)sizeof(b) ? 0 : -EIO;

	close(fd);
	if (e < 0)
		return e;
	const unsigned char *sb = b + EXT_SUPER_AT;

	switch (fs) {
	case CONFIG_FS_EXT4:
		ret->magic = (sb[EXT_MAGIC_AT] | sb[EXT_MAGIC_AT + 1] << 8) == EXT_MAGIC;
		ret->errors = (sb[EXT_STATE_AT] | sb[EXT_STATE_AT + 1] << 8) & EXT_ERROR_FS;
		break;
	case CONFIG_FS_XFS: ret->magic = memcmp(b, "XFSB", 4) == 0; break;
	}
	return 0;
}

static enum driver_result preen(struct op *op, const char *dev, const char *why)
{
	const char *argv[] = { "e2fsck", "-p", dev, NULL };
	uint64_t begin = op_now_ms();
	struct run run = { .argv = argv, .timeout_ms = op_left_ms(op, FSCK_MS) };

	op_progress(op, "e2fsck -p %s (%s)", dev, why);
	int r = run_program(&run);
	enum driver_result end = DRIVER_OK;
	char words[200];

	snprintf(words, sizeof(words), "%s", run_words(&run));
	if (r == -ENOENT)
		end = op_fail(op, "fs_errors", "apt-get install e2fsprogs", "e2fsck is missing");
	else if (r == -ETIMEDOUT)
		end = op_fail(op, "timeout",
			      "give the volume a longer start limit, or run e2fsck by hand",
			      "e2fsck -p %s took longer than %u ms", dev, run.timeout_ms);
	else if (r < 0 ||
		 run.status >= 4) /* 0 clean, 1 mended, 2 mended and meant for a root filesystem */
		end = op_fail(
			op, "fs_errors",
			"activate the volume by hand on one node with the service stopped, and run e2fsck -f",
			"e2fsck -p %s cannot mend it alone (%d): %s", dev, r < 0 ? r : run.status,
			words);
	else
		op_step(op, "volume.fsck", begin, run.took_ms, "e2fsck -p: %s",
			run.status == 0 ? "clean" : "mended");
	run_done(&run);
	return end;
}

enum driver_result fs_check(struct op *op, const char *dev, bool probed)
{
	const struct config_volume *vol = op->job->vol;
	char type[FS_TYPE_MAX];
	struct super super;
	int r = super_read(dev, vol->fs, &super);

	if (r < 0)
		return op_fail(op, "io_error", "look at `dmesg`",
			       "the superblock of %s/%s cannot be read: %s", vol->vg, vol->lv,
			       strerror(-r));
	if (!probed || !super.magic) {
		r = fs_probe(dev, 0, 0, type);
		enum driver_result end = fs_type_check(op, r, type);

		if (end != DRIVER_OK)
			return end;
	}
	if (super.errors || vol->fsck_preen)
		return vol->fs == CONFIG_FS_EXT4
			       ? preen(op, dev,
				       super.errors ? "its error flag is set" : "fsck: preen")
			       : DRIVER_OK; /* XFS has no preen: its log is replayed by the mount */
	return DRIVER_OK;                   /* the journal is replayed by the mount */
}

static bool has_option(const char *options, const char *name)
{
	char *value;
	size_t len;

	return mnt_optstr_get_option(options, name, &value, &len) == 0;
}

static int do_mount(const char *source, const struct config_volume *vol, bool bind, char *why,
		    size_t why_len)
{
	struct libmnt_context *ctx = mnt_new_context();
	char options[CONFIG_PATH_MAX + 64];

	if (!ctx)
		return -ENOMEM;
	if (bind)
		snprintf(options, sizeof(options), "bind");
	else
		/* _netdev: systemd must unmount before the network goes (ref/storage.md 4.3). An ext4 that finds
		 * an error must stop writing, whatever its superblock says. */
		snprintf(options, sizeof(options), "_netdev%s%s%s",
			 vol->fs == CONFIG_FS_EXT4 && !has_option(vol->options, "errors")
				 ? ",errors=remount-ro"
				 : "",
			 vol->options[0] ? "," : "", vol->options);
	int r = mnt_context_set_source(ctx, source);

	r = r ? r : mnt_context_set_target(ctx, vol->mount);
	if (!bind)
		r = r ? r : mnt_context_set_fstype(ctx, fs_name(vol->fs));
	r = r ? r : mnt_context_set_options(ctx, options);
	r = r ? r : mnt_context_disable_helpers(ctx, 1);
	if (r == 0) {
		r = mnt_context_mount(ctx);
		mnt_context_get_excode(ctx, r, why, why_len);
	}
	mnt_free_context(ctx);
	return r;
}

/* Is it mounted on the mount point, and nowhere else of this node? 1, 0, or an end with words in *end. */
static int where(struct op *op, const struct mount_is *is, enum driver_result *end)
{
	const struct config_volume *vol = op->job->vol;
	struct mount_is on = { .dev = 0 };
	struct mount_at at;
	char root[256];
	struct mounts m;
	int r = mounts_here(&m, is, vol->mount, &at, &on, root, sizeof(root));

	*end = DRIVER_OK;
	if (r < 0) {
		*end = op_unknown(op, "internal", "", "mountinfo cannot be read: %s", strerror(-r));
		return 0;
	}
	for (unsigned i = 0; i < m.n; i++) {
		if (strcmp(m.at[i].target, vol->mount) == 0)
			continue;
		*end = op_fail(op, "mount_busy", "unmount it there: the volume has one mount point",
			       "volume %s is mounted on %s already", vol->name, m.at[i].target);
		return 0;
	}
	if (r == 0)
		return 0;
	if (on.dev != is->dev || (is->root && strcmp(root, is->root) != 0)) {
		*end = op_fail(op, "mount_busy", "unmount it, or choose another mount point",
			       "something else (%s) is mounted on %s", at.fstype, vol->mount);
		return 0;
	}
	if (!at.writable && !has_option(vol->options, "ro")) {
		*end = op_fail(op, "fs_errors", "look at `dmesg`; stop the service and run e2fsck",
			       "%s is mounted read-only", vol->mount);
		return 0;
	}
	return 1;
}

enum driver_result fs_mount(struct op *op, const char *source, const struct mount_is *is, bool bind)
{
	const struct config_volume *vol = op->job->vol;
	enum driver_result end = fs_ready(op);
	char why[200] = "";

	if (end != DRIVER_OK)
		return end;
	if (where(op, is, &end) || end != DRIVER_OK)
		return end;
	uint64_t begin = op_now_ms();
	int r = do_mount(source, vol, bind, why, sizeof(why));
	uint64_t took = op_now_ms() - begin;

	if (r != 0)
		return op_fail(op, r == EBUSY ? "mount_busy" : "fs_errors",
			       "look at `dmesg | tail`", "mount of %s on %s: %s", source,
			       vol->mount, why[0] ? why : strerror(r < 0 ? -r : r));
	if (!where(op, is, &end))
		return end != DRIVER_OK
			       ? end
			       : op_unknown(op, "internal", "look at `findmnt`",
					    "%s was mounted, yet is not in mountinfo", vol->mount);
	op_step(op, "volume.mount", begin, took, "mounted on %s", vol->mount);
	return DRIVER_OK;
}

static int do_umount(const char *target)
{
	struct libmnt_context *ctx = mnt_new_context();

	if (!ctx)
		return -ENOMEM;
	int r = mnt_context_set_target(ctx, target);

	r = r ? r : mnt_context_disable_helpers(ctx, 1);
	r = r ? r : mnt_context_umount(ctx); /* neither lazy nor forced, ever */
	int e = mnt_context_syscall_called(ctx) ? mnt_context_get_syscall_errno(ctx) : 0;

	mnt_free_context(ctx);
	return r == 0 ? 0 : e ? -e : r < 0 ? r : -r;
}

enum driver_result fs_unmount(struct op *op, const struct mount_is *is, bool kill_users)
{
	uint64_t begin = op_now_ms();
	/* of a kill's time a third is left: for the cut of a disk that keeps it busy, and to tell who did */
	uint32_t left = kill_users ? op_left_ms(op, KILL_MS * 3 / 2) / 3 * 2
				   : op_left_ms(op, BUSY_MS);
	uint64_t kill_at = begin + left / 2, until = begin + left, killed_at = 0;
	struct users users = { .n = 0 };
	struct mounts m;
	bool any = false, termed = false;
	char names[256];
	/* a device is on one kernel, whatever the namespace; a test's directory is every test node's own mount of it */
	bool everywhere = !is->root;

	for (;;) {
		int r = mounts_find(&m, is, false);

		any = any || (r == 0 && m.n > 0);
		for (unsigned i = r == 0 ? m.n : 0;
		     i-- > 0;) /* the latest first: one may lie on another */
			do_umount(m.at[i].target);
		if (r == 0)
			r = mounts_find(&m, is, everywhere);
		if (r < 0)
			return op_unknown(op, "internal", "", "mountinfo cannot be read: %s",
					  strerror(-r));
		if (m.n == 0)
			break;
		uint64_t now = op_now_ms();

		/* one round may take longer than all of the time, and nobody has been killed yet */
		if (now >= until && (!kill_users || (killed_at && now >= killed_at + DYING_MS)))
			break;
		if (kill_users) {
			mounts_users(&users, &m);
			if (!termed) {
				users_words(&users, names, sizeof(names));
				op_progress(op, "ending the users of the mount: %s", names);
			}
			users_signal(&users, now >= kill_at ? SIGKILL : SIGTERM);
			if (now >= kill_at && !killed_at)
				killed_at = op_now_ms();
			/* TERM once more at each round is harmless, and meets those who came meanwhile */
			termed = true;
		}
		sleep_ms(BUSY_RETRY_MS);
	}
	if (m.n > 0) {
		mounts_users(&users, &m);
		users_words(&users, names, sizeof(names));
		return op_fail(op, "mount_busy",
			       "end them, or `stockade service restart` when they are gone",
			       "%s cannot be unmounted%s, in use by %s", m.at[0].target,
			       m.at[0].ours ? "" : " (another mount namespace)", names);
	}
	if (any)
		op_step(op, kill_users ? "volume.kill" : "volume.unmount", begin,
			op_now_ms() - begin, "unmounted");
	return DRIVER_OK;
}

int fs_errors(dev_t dev)
{
	char link[64], target[PATH_MAX], text[32];

	snprintf(link, sizeof(link), "/sys/dev/block/%u:%u", major(dev), minor(dev));
	ssize_t n = readlink(link, target, sizeof(target) - 1);

	if (n < 0)
		return -errno;
	target[n] = '\0';
	int r = file_read(text, sizeof(text), "/sys/fs/ext4/%s/errors_count",
			  strrchr(target, '/') + 1);

	return r == -ENOENT ? 0 : r < 0 ? r : atoi(text);
}

enum driver_result fs_monitor(struct op *op, const struct mount_is *is, dev_t dev, int errors)
{
	const struct config_volume *vol = op->job->vol;
	struct mount_is on = { .dev = 0 };
	struct mount_at at;
	char root[256];
	int r = mount_on(vol->mount, &at, &on, root, sizeof(root));

	if (r < 0 && r != -ENOENT)
		return op_unknown(op, "internal", "", "mountinfo cannot be read: %s", strerror(-r));
	if (r == -ENOENT || on.dev != is->dev || (is->root && strcmp(root, is->root) != 0))
		return op_end(op, DRIVER_INACTIVE, "%s is not mounted any more", vol->mount);
	if (!at.writable && !has_option(vol->options, "ro"))
		return op_fail(op, "fs_errors", "look at `dmesg`", "%s became read-only",
			       vol->mount);
	/* after a journal abort mountinfo may go on saying rw: the kernel's own count tells */
	int now = dev ? fs_errors(dev) : 0;

	if (now > errors)
		return op_fail(op, "fs_errors", "look at `dmesg`; the next start checks it",
			       "ext4 on %s has counted %d errors since its start", vol->mount,
			       now - (errors > 0 ? errors : 0));
	if (now < 0)
		return op_unknown(op, "internal", "", "the device of %s cannot be read: %s",
				  vol->mount, strerror(-now));
	DIR *d = opendir(vol->mount); /* an XFS that shut itself down says EIO here */
	int e = d ? 0 : errno;

	if (d)
		closedir(d);
	if (e)
		return op_fail(op, "fs_errors", "look at `dmesg`", "%s cannot be opened: %s",
			       vol->mount, strerror(e));
	return op_end(op, DRIVER_HEALTHY, "mounted on %s", vol->mount);
}
