/* SPDX-License-Identifier: GPL-3.0-or-later */
/* dlm_load - takes an exclusive lock and lets it go, again and again, and says how long each took.
 *
 * usage: dlm_load dlm NAME [HELD] | dlm_load wait NAME | dlm_load fcntl FILE
 *
 * dlm: a lock of dlmd, through libstockade-dlm; fcntl: an open file description lock (F_OFD_SETLKW) on the whole of FILE.
 * HELD: it holds so many locks first (NAME.0, NAME.1, ...), says "held COUNT SECONDS" (how many it got, and how long that
 * took), and converts each lock down and up again before it lets it go.
 * Prints "ready", waits for a line "SECONDS" on stdin, then prints "PAIRS LOCK_P50 LOCK_P99 UNLOCK_P50 UNLOCK_P99 MAX CONVERT_P50
 * CONVERT_P99" and is ready again; times in microseconds, MAX of a lock; CONVERT 0 without HELD. Ends with its stdin.
 * wait: "ready", then, told so by any line, waits for the lock, says "granted", and ends.
 */
#include "dlm/libdlm/libdlm.h"

#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define PAIRS_MAX 4000000

#define WINDOW 256 /* requests under way at once */

static uint32_t *lock_ns, *unlock_ns, *convert_ns;
static unsigned converts;
static bool with_converts;
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

static unsigned under_way;

static void on_ast(void *arg)
{
	(void)arg;
	under_way--;
}

static void let_go_on(unsigned until)
{
	struct pollfd p = { .fd = dlm_ls_get_fd(ls), .events = POLLIN };

	while (under_way > until)
		if (poll(&p, 1, -1) < 0 || dlm_dispatch(p.fd) < 0)
			die("dispatch");
}

/* So many locks, until it ends. They need not all be had: the lock manager's room is limited. */
static void hold(unsigned n)
{
	struct dlm_lksb *lksb = calloc(n, sizeof(*lksb));
	int64_t t0 = now_ns();
	unsigned got = 0;
	char res[DLM_RESNAME_MAXLEN];

	if (!lksb)
		die("calloc");
	for (unsigned i = 0; i < n; i++) {
		int len = snprintf(res, sizeof(res), "%.40s.%u", name, i);

		let_go_on(WINDOW - 1);
		under_way++;
		if (dlm_ls_lock(ls, LKM_EXMODE, &lksb[i], 0, res, (unsigned)len, 0, on_ast, NULL,
				NULL, NULL) < 0)
			die("hold");
	}
	let_go_on(0);
	for (unsigned i = 0; i < n; i++)
		got += lksb[i].sb_status == 0;
	/* Refused the rest: room is needed for the one that is measured. */
	if (got < n && got > 0) {
		got--;
		if (dlm_ls_unlock_wait(ls, lksb[got].sb_lkid, 0, &lksb[got]) < 0)
			die("unlock");
	}
	printf("held %u %.2f\n", got, (double)(now_ns() - t0) / 1e9);
	with_converts = true;
}

static void convert(struct dlm_lksb *lksb, uint32_t mode)
{
	int64_t t0 = now_ns();

	if (dlm_ls_lock_wait(ls, mode, lksb, LKF_CONVERT, NULL, 0, 0, NULL, NULL, NULL) < 0)
		die("convert");
	convert_ns[converts++] = (uint32_t)(now_ns() - t0);
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
	lock_ns[i] = (uint32_t)(t1 - t0);
	if (with_converts) {
		convert(&lksb, LKM_PRMODE);
		convert(&lksb, LKM_EXMODE);
		t1 = now_ns();
	}
	if (!ls)
		file_lock(F_UNLCK);
	else if (dlm_ls_unlock_wait(ls, lksb.sb_lkid, 0, &lksb) < 0)
		die("unlock");
	t2 = now_ns();
	unlock_ns[i] = (uint32_t)(t2 - t1);
}

static int by_size(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static double part(const uint32_t *sorted, unsigned n, unsigned permille)
{
	return n ? sorted[(size_t)(n - 1) * permille / 1000] / 1e3 : 0;
}

int main(int argc, char **argv)
{
	char line[32];

	bool dlm = argc > 1 && strcmp(argv[1], "dlm") == 0;
	bool wait = argc == 3 && strcmp(argv[1], "wait") == 0;

	if (!(dlm && (argc == 3 || argc == 4)) && !wait &&
	    !(argc == 3 && strcmp(argv[1], "fcntl") == 0)) {
		fprintf(stderr,
			"usage: dlm_load dlm NAME [HELD] | dlm_load wait NAME | dlm_load fcntl FILE\n");
		return 2;
	}
	name = argv[2];
	lock_ns = malloc(PAIRS_MAX * sizeof(*lock_ns));
	unlock_ns = malloc(PAIRS_MAX * sizeof(*unlock_ns));
	convert_ns = malloc(2 * PAIRS_MAX * sizeof(*convert_ns));
	if (!lock_ns || !unlock_ns || !convert_ns)
		die("malloc");
	if (dlm || wait) {
		ls = dlm_create_lockspace("bench", 0600);
		if (!ls)
			die("dlm_create_lockspace");
		if (argc == 4)
			hold((unsigned)strtoul(argv[3], NULL, 10));
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
		if (wait) {
			struct dlm_lksb lksb = { 0 };

			if (dlm_ls_lock_wait(ls, LKM_EXMODE, &lksb, 0, name, (unsigned)strlen(name),
					     0, NULL, NULL, NULL) < 0)
				die("wait");
			printf("granted\n");
			return 0;
		}
		int64_t end = now_ns() + (int64_t)(strtod(line, NULL) * 1e9);

		converts = 0;
		while (n < PAIRS_MAX && (n == 0 || now_ns() < end))
			one_pair(n++);
		qsort(lock_ns, n, sizeof(*lock_ns), by_size);
		qsort(unlock_ns, n, sizeof(*unlock_ns), by_size);
		qsort(convert_ns, converts, sizeof(*convert_ns), by_size);
		printf("%u %.1f %.1f %.1f %.1f %.1f %.1f %.1f\n", n, part(lock_ns, n, 500),
		       part(lock_ns, n, 990), part(unlock_ns, n, 500), part(unlock_ns, n, 990),
		       part(lock_ns, n, 1000), part(convert_ns, converts, 500),
		       part(convert_ns, converts, 990));
	}
}
