/* SPDX-License-Identifier: GPL-3.0-or-later */
/* run.h - run one program and wait for it, from within a driver's child (which may block; the daemon may not).
 *
 * The program gets a process group of its own: when the daemon kills this driver, iscsiadm may
 * finish its work on the record database instead of leaving a stale lock behind (ref/storage.md 1.2).
 */
#ifndef STOCKADE_DRIVERS_RUN_H
#define STOCKADE_DRIVERS_RUN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define RUN_OUTPUT_MAX (256 * 1024)

struct run {
	const char *const *
		argv; /* NULL-terminated; argv[0] is looked up in the system's PATH unless it has a slash */
	const char *in;           /* stdin; NULL: /dev/null */
	uint32_t timeout_ms;      /* then TERM to its group, a second later KILL, unless `gentle` */
	bool gentle;              /* never SIGKILL it */
	int (*before)(void *arg); /* in the child before exec; NULL: none; not 0: exit 127 */
	void *before_arg;

	/* set by run_program() */
	int status; /* exit code; -1: ended by a signal, or still there */
	int signal;
	bool timed_out,
		stuck; /* stuck: sent its signals, and still there; not waited for any more */
	int error;     /* errno when it could not be started */
	uint64_t took_ms;
	char *out, *err; /* NUL-terminated, cut at RUN_OUTPUT_MAX; run_done() frees them */
	pid_t pid;
};

/* Return: 0 when it ran and ended by exit(); -ETIMEDOUT, -EINTR (a signal ended it), or -errno of the start. */
int run_program(struct run *run);
void run_done(struct run *run);

/* The last line of @run's stderr, else of its stdout, for people: "" when it said nothing. Borrowed, cut in place. */
const char *run_words(struct run *run);

#endif
