/* SPDX-License-Identifier: GPL-3.0-or-later */
/* dlm_load - takes an exclusive lock and lets it go, again and again, and says how long each took.
 *
 * usage: dlm_load dlm NAME | dlm_load fcntl FILE
 *
 * dlm: a lock of dlmd, through libstockade-dlm; fcntl: an open file description lock (F_OFD_SETLKW) on the whole of FILE.
 * Prints "ready", waits for a line "SECONDS" on stdin, then prints "PAIRS LOCK_P50 LOCK_P99 UNLOCK_P50 UNLOCK_P99 MAX" and
 * is ready again; times in microseconds, MAX of a lock. Ends with its stdin.
 */
#include "dlm/libdlm/libdlm.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define PAIRS_MAX 4000000

static uint32_t *lock_ns, *unlock_ns;
static dlm_lshandle_t ls;
static const char *name;
static int fd = -1;

static void die(const char *what)
{
	perror(what);
	exit(2);
}

static int64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

static void file_lock(short type)
{
	struct flock fl = { .l_type = type, .l_whence = SEEK_SET };

	if (fcntl(fd, F_OFD_SETLKW, &fl) < 0)
		die("fcntl");
}

static void one_pair(unsigned i)
{
	struct dlm_lksb lksb = { 0 };
	int64_t t0 = now_ns(), t1, t2;

	if (ls) {
		if (dlm_ls_lock_wait(ls, LKM_EXMODE, &lksb, 0, name, (unsigned)strlen(name), 0,
				     NULL, NULL, NULL) < 0)
			die("lock");
	} else {
		file_lock(F_WRLCK);
	}
	t1 = now_ns();
	if (!ls)
		file_lock(F_UNLCK);
	else if (dlm_ls_unlock_wait(ls, lksb.sb_lkid, 0, &lksb) < 0)
		die("unlock");
	t2 = now_ns();
	lock_ns[i] = (uint32_t)(t1 - t0);
	unlock_ns[i] = (uint32_t)(t2 - t1);
}

static int by_size(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static double part(const uint32_t *sorted, unsigned n, unsigned permille)
{
	return sorted[(size_t)(n - 1) * permille / 1000] / 1e3;
}

int main(int argc, char **argv)
{
	char line[32];

	if (argc != 3 || (strcmp(argv[1], "dlm") != 0 && strcmp(argv[1], "fcntl") != 0)) {
		fprintf(stderr, "usage: dlm_load dlm NAME | dlm_load fcntl FILE\n");
		return 2;
	}
	name = argv[2];
	lock_ns = malloc(PAIRS_MAX * sizeof(*lock_ns));
	unlock_ns = malloc(PAIRS_MAX * sizeof(*unlock_ns));
	if (!lock_ns || !unlock_ns)
		die("malloc");
	if (strcmp(argv[1], "dlm") == 0) {
		ls = dlm_create_lockspace("bench", 0600);
		if (!ls)
			die("dlm_create_lockspace");
	} else {
		fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
		if (fd < 0)
			die(name);
	}
	for (;;) {
		unsigned n = 0;

		printf("ready\n");
		fflush(stdout);
		if (!fgets(line, sizeof(line), stdin))
			return 0;
		int64_t end = now_ns() + (int64_t)(strtod(line, NULL) * 1e9);

		while (n < PAIRS_MAX && (n == 0 || now_ns() < end))
			one_pair(n++);
		qsort(lock_ns, n, sizeof(*lock_ns), by_size);
		qsort(unlock_ns, n, sizeof(*unlock_ns), by_size);
		printf("%u %.1f %.1f %.1f %.1f %.1f\n", n, part(lock_ns, n, 500),
		       part(lock_ns, n, 990), part(unlock_ns, n, 500), part(unlock_ns, n, 990),
		       part(lock_ns, n, 1000));
	}
}
