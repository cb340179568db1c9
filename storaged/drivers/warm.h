/* SPDX-License-Identifier: GPL-3.0-or-later */
/* warm.h - the files that a service starts from are kept in memory on nodes where it may run next.
 *
 * A takeover reads programs, libraries and configuration that nobody has used on this node for weeks: from a disk that is the
 * greater part of a unit's start. A child of storaged reads them now and then, so that the page cache has them.
 *
 * Which files: those that the unit's processes had mapped when it ran here last (a list, one path a line, kept in the state
 * directory and made anew every few minutes while it runs); as long as there is no list, the programs and libraries of its
 * packages (warm_package.c); always the programs of its Exec lines with their interpreters, and its configuration where the
 * system's custom puts it (/etc/NAME, /etc/default/NAME, /etc/sysconfig/NAME).
 *
 * Nothing depends on it. It is done at idle priority, within bounds, never below the mount of a volume, by a process that may be
 * killed at any moment, and is when anything is started or stopped here.
 */
#ifndef STOCKADE_DRIVERS_WARM_H
#define STOCKADE_DRIVERS_WARM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define WARM_FILES_MAX 1024
#define WARM_FILE_BYTES_MAX (UINT64_C(64) << 20) /* larger ones are data, no programs */
#define WARM_BYTES_MAX \
	(UINT64_C(256) << 20) /* of one resource; and at most a quarter of what is free */

struct warm_files {
	unsigned n;
	bool more; /* than there is room for */
	char *path[WARM_FILES_MAX];
	const char *const
		*not_below; /* NULL-terminated directories: mounts of volumes; may be NULL */
};

struct warm_read {
	uint32_t files;      /* that were read */
	uint64_t bytes;      /* of them */
	uint64_t read_bytes; /* of these, not in memory before */
};

/* A regular file's absolute path, once; others are passed over (relative, devices, below a mount of a volume). */
void warm_add(struct warm_files *f, const char *path);
void warm_add_tree(struct warm_files *f, const char *dir); /* the files in it, a few levels deep */
void warm_add_maps(struct warm_files *f,
		   FILE *maps); /* what /proc/PID/maps names, but for what is deleted */
/* A program, and its interpreter. @first: it never ran here, so also what its packages and ldd know to belong to it. */
void warm_add_program(struct warm_files *f, const char *path, bool first);
bool warm_add_package(struct warm_files *f, const char *path); /* false: it is of no package */
void warm_add_libraries(struct warm_files *f, const char *path);
void warm_done(struct warm_files *f);

/* The list, 0 or -errno. What is not in its form is passed over. */
int warm_load(struct warm_files *f, const char *list);
int warm_save(const struct warm_files *f, const char *list);

/* Reads them all, oldest entries first, until @max bytes; local filesystems only. */
void warm_read(const struct warm_files *f, uint64_t max, struct warm_read *ret);
uint64_t warm_room(
	void);        /* WARM_BYTES_MAX, or a quarter of the memory that is free, if that is less */
void warm_idle(void); /* this process has all the time of the world: CPU and disk */

/* From systemd. @unit with its suffix; 0 or -errno. */
int warm_add_unit(struct warm_files *f, const char *unit, bool first);
int warm_add_processes(struct warm_files *f, const char *unit);

#endif
