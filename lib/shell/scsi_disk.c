// SPDX-License-Identifier: GPL-3.0-or-later
#include "lib/shell/scsi_disk.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <scsi/sg.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define ATTENTIONS_MAX 8 /* a disk has a handful of them to tell, one a command */
#define STATUS_GOOD 0x00
#define STATUS_CHECK 0x02
#define STATUS_CONFLICT 0x18

static int __attribute__((format(printf, 3, 4)))
fail(struct scsi_disk *d, int err, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(d->text, sizeof(d->text), fmt, ap);
	va_end(ap);
	return -err;
}

/* --- paths ------------------------------------------------------------------------------------------- */

/* The id of a SCSI disk, one line of sysfs. Return: false: no SCSI disk, or it has none. */
static bool read_id(const char *root, const char *name, char *id, size_t len)
{
	char file[PATH_MAX];

	snprintf(file, sizeof(file), "%s/sys/block/%s/device/wwid", root, name);
	FILE *f = fopen(file, "re");
	bool ok = f && fgets(id, (int)len, f);

	if (f)
		fclose(f);
	if (ok)
		id[strcspn(id, "\n")] = '\0';
	return ok && id[0];
}

static bool is_scsi(const char *root, const char *name)
{
	char file[PATH_MAX];

	snprintf(file, sizeof(file), "%s/sys/block/%s/device/scsi_level", root, name);
	return access(file, F_OK) == 0;
}

static bool has_path(const struct scsi_disk *d, const char *name)
{
	for (unsigned i = 0; i < d->n; i++)
		if (strcmp(d->path[i].name, name) == 0)
			return true;
	return false;
}

static int add_path(struct scsi_disk *d, const char *name)
{
	if (has_path(d, name))
		return 0;
	if (d->n == SCSI_PATHS_MAX || strlen(name) >= SCSI_NAME_MAX)
		return fail(d, E2BIG, "%s: more than %d paths", name, SCSI_PATHS_MAX);
	strcpy(d->path[d->n].name, name);
	d->path[d->n++].fd = -1;
	return 0;
}

/* Call @fn for each entry of a folder of sysfs, until it returns non-zero. -ENOENT: no such folder. */
static int each_entry(struct scsi_disk *d, const char *root, const char *folder,
		      int (*fn)(struct scsi_disk *d, const char *root, const char *name))
{
	char path[PATH_MAX];
	int r = 0;

	snprintf(path, sizeof(path), "%s%s", root, folder);
	DIR *dir = opendir(path);
	if (!dir)
		return -errno;
	for (const struct dirent *e; r == 0 && (e = readdir(dir));)
		if (e->d_name[0] != '.')
			r = fn(d, root, e->d_name);
	closedir(dir);
	return r;
}

static int take_slave(struct scsi_disk *d, const char *root, const char *name)
{
	char id[sizeof(d->id)];

	if (!is_scsi(root, name) || !read_id(root, name, id, sizeof(id)))
		return fail(d, ENODEV, "%s under it is no SCSI disk with an id", name);
	if (d->id[0] && strcmp(d->id, id) != 0)
		return fail(d, ENODEV, "the disks under it are not one: %s and %s", d->id, id);
	strcpy(d->id, id);
	return add_path(d, name);
}

static int take_sibling(struct scsi_disk *d, const char *root, const char *name)
{
	char id[sizeof(d->id)];

	if (!read_id(root, name, id, sizeof(id)) || strcmp(id, d->id) != 0 || !is_scsi(root, name))
		return 0;
	return add_path(d, name);
}

int scsi_disk_find(struct scsi_disk *d, const char *root, const char *device)
{
	char path[PATH_MAX], folder[PATH_MAX];

	*d = (struct scsi_disk){ .n = 0 };
	snprintf(path, sizeof(path), "%s%s", root, device);
	char *real = realpath(path, NULL);
	if (!real)
		return fail(d, errno, "%s: %s", device, strerror(errno));
	char *name = strrchr(real, '/') + 1;
	int r;

	snprintf(folder, sizeof(folder), "/sys/block/%s/slaves", name);
	if (is_scsi(root, name)) {
		r = add_path(d, name);
		if (r == 0 && read_id(root, name, d->id, sizeof(d->id)))
			r = each_entry(d, root, "/sys/block", take_sibling);
	} else {
		r = strncmp(name, "dm-", 3) == 0 ? each_entry(d, root, folder, take_slave)
						 : -ENODEV;
		if (r == 0 && d->n > 0)
			r = each_entry(d, root, "/sys/block", take_sibling);
		if ((r == 0 && d->n == 0) || r == -ENOENT)
			r = -ENODEV;
		if (r == -ENODEV && !d->text[0])
			fail(d, ENODEV, "%s is no SCSI disk, nor a multipath device over one",
			     device);
	}
	free(real);
	if (r < 0 && !d->text[0])
		fail(d, -r, "%s: %s", device, strerror(-r));
	return r;
}

int scsi_disk_open(struct scsi_disk *d)
{
	char file[PATH_MAX];

	for (unsigned i = 0; i < d->n; i++) {
		snprintf(file, sizeof(file), "/dev/%s", d->path[i].name);
		/* O_NONBLOCK: open without waiting for a medium, or for a disk that is gone */
		d->path[i].fd = open(file, O_RDWR | O_NONBLOCK | O_CLOEXEC);
		if (d->path[i].fd < 0)
			return fail(d, errno, "%s: %s", file, strerror(errno));
	}
	return 0;
}

void scsi_disk_close(struct scsi_disk *d)
{
	for (unsigned i = 0; i < d->n; i++)
		if (d->path[i].fd >= 0)
			close(d->path[i].fd);
	d->n = 0;
}

/* --- commands ---------------------------------------------------------------------------------------- */

/* One command. Return: 1: a unit attention came instead; else as in the header. @ret_len: bytes that came in */
static int command(struct scsi_disk *d, unsigned path, const uint8_t cdb[SCSI_CDB_IN],
		   int direction, void *data, unsigned len, size_t *ret_len)
{
	const char *name = d->path[path].name;
	uint8_t sense[64] = { 0 }, copy[SCSI_CDB_IN];
	struct sg_io_hdr io = {
		.interface_id = 'S',
		.dxfer_direction = direction,
		.cmd_len = cdb[0] == 0 ? 6 : SCSI_CDB_IN,
		.mx_sb_len = sizeof(sense),
		.dxfer_len = len,
		.dxferp = data,
		.cmdp = copy,
		.sbp = sense,
		.timeout = SCSI_COMMAND_MS,
	};

	memcpy(copy, cdb, SCSI_CDB_IN);
	if (ioctl(d->path[path].fd, SG_IO, &io) < 0)
		return fail(d, errno == ENOTTY || errno == EINVAL ? EOPNOTSUPP : EIO,
			    "%s: SG_IO: %s", name, strerror(errno));
	if (io.status == STATUS_CONFLICT)
		return fail(d, EBUSY, "%s: reservation conflict", name);
	struct scsi_sense s = scsi_sense_parse(sense, io.sb_len_wr);

	if (io.status == STATUS_CHECK && s.valid && s.key == SCSI_SENSE_UNIT_ATTENTION) {
		fail(d, EIO, "%s: unit attention %02x/%02x, again and again", name, s.asc, s.ascq);
		return 1;
	}
	if (io.status == STATUS_CHECK && s.valid && s.key == SCSI_SENSE_ILLEGAL_REQUEST)
		return fail(d, EOPNOTSUPP, "%s: illegal request (%02x/%02x)", name, s.asc, s.ascq);
	if (io.host_status != 0)
		return fail(d, io.host_status == 3 ? ETIMEDOUT : EIO,
			    "%s: no answer from the disk (host status %u)", name, io.host_status);
	if (io.status != STATUS_GOOD)
		return fail(d, EIO, "%s: status %02x, sense %x/%02x/%02x", name, io.status, s.key,
			    s.asc, s.ascq);
	if (ret_len)
		*ret_len = len - (io.resid > 0 ? (unsigned)io.resid : 0);
	return 0;
}

static int command_through(struct scsi_disk *d, unsigned path, const uint8_t cdb[SCSI_CDB_IN],
			   int direction, void *data, unsigned len, size_t *ret_len)
{
	for (int i = 0; i < ATTENTIONS_MAX; i++) {
		int r = command(d, path, cdb, direction, data, len, ret_len);

		if (r != 1)
			return r;
	}
	return -EIO;
}

int scsi_disk_out(struct scsi_disk *d, unsigned path, enum scsi_pr_out what, uint64_t own,
		  uint64_t other, bool aptpl)
{
	uint8_t cdb[SCSI_CDB_IN], data[SCSI_PR_OUT_BYTES];

	scsi_pr_out_build(cdb, data, what, own, other, aptpl);
	return command_through(d, path, cdb, SG_DXFER_TO_DEV, data, sizeof(data), NULL);
}

static int read_in(struct scsi_disk *d, unsigned path, enum scsi_pr_in what, uint8_t *data,
		   unsigned len, size_t *ret_len)
{
	uint8_t cdb[SCSI_CDB_IN];

	scsi_pr_in_build(cdb, what, (uint16_t)len);
	return command_through(d, path, cdb, SG_DXFER_FROM_DEV, data, len, ret_len);
}

static int checked(struct scsi_disk *d, unsigned path, const char *what, int r)
{
	return r < 0 ? fail(d, -r, "%s: the answer to %s cannot be understood: %s",
			    d->path[path].name, what, strerror(-r))
		     : 0;
}

int scsi_disk_keys(struct scsi_disk *d, unsigned path, struct scsi_pr_keys *ret)
{
	uint8_t data[SCSI_PR_KEYS_BYTES];
	size_t len = 0;
	int r = read_in(d, path, SCSI_PR_READ_KEYS, data, sizeof(data), &len);

	return r < 0 ? r : checked(d, path, "READ KEYS", scsi_pr_keys_parse(ret, data, len));
}

int scsi_disk_reservation(struct scsi_disk *d, unsigned path, struct scsi_pr_reservation *ret)
{
	uint8_t data[24];
	size_t len = 0;
	int r = read_in(d, path, SCSI_PR_READ_RESERVATION, data, sizeof(data), &len);

	return r < 0 ? r
		     : checked(d, path, "READ RESERVATION",
			       scsi_pr_reservation_parse(ret, data, len));
}

int scsi_disk_capabilities(struct scsi_disk *d, unsigned path, struct scsi_pr_capabilities *ret)
{
	uint8_t data[8];
	size_t len = 0;
	int r = read_in(d, path, SCSI_PR_REPORT_CAPABILITIES, data, sizeof(data), &len);

	return r < 0 ? r
		     : checked(d, path, "REPORT CAPABILITIES",
			       scsi_pr_capabilities_parse(ret, data, len));
}
