/* SPDX-License-Identifier: GPL-3.0-or-later */
/* spawn.h - children with a deadline: programs (agents, iscsiadm) and forked work of our own (drivers).
 *
 * Both: own process group, descriptors closed but for the pipes, LC_ALL=C, killed at the deadline (TERM, then KILL to the group after
 * 1 s). A child in uninterruptible sleep survives SIGKILL: done() is then called with `stuck` and the child is reaped
 * later; the daemon never waits for it (ref/storage.md 0.7).
 */
#ifndef STOCKADE_SPAWN_H
#define STOCKADE_SPAWN_H

#include "loop.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define SPAWN_OUTPUT_MAX (64 * 1024) /* the rest is read and thrown away */

struct spawn_result {
	int status;       /* exit code 0..255; -1: killed, timed out or never ran */
	int signal;       /* that ended it; 0: none */
	bool timed_out;
	bool stuck;       /* killed, and still there */
	int error;        /* errno when it could not be started; 0 */
	const char *out;  /* stdout, NUL-terminated, borrowed for the call */
	const char *err;  /* stderr, likewise */
	size_t out_len, err_len;
	uint64_t took_ms;
};

struct spawn;

struct spawn_program {
	const char *const *argv; /* NULL-terminated; argv[0] is a path, or looked up in PATH=/usr/sbin:/usr/bin:/sbin:/bin */
	const char *in;          /* stdin, may be NULL (then /dev/null); secrets go here, never in argv */
	size_t in_len;
	const char *const *env;  /* NULL-terminated, added to PATH and LC_ALL; may be NULL */
	uint32_t timeout_ms;     /* 0: none */
};

/* Return: the child, or NULL with errno (done() is then not called). done() is called exactly once. */
struct spawn *spawn_program(struct loop *loop, const struct spawn_program *p,
			    void (*done)(void *arg, const struct spawn_result *r), void *arg);

/*
 * Run @work(@work_arg, fd) in a forked child: every descriptor but @fd (a pipe to us) is closed; its return value is the exit
 * code. @line is called for each line it writes to @fd. For work that may block on a disk.
 */
struct spawn *spawn_work(struct loop *loop, int (*work)(void *work_arg, int fd), void *work_arg, uint32_t timeout_ms,
			 void (*line)(void *arg, const char *line), void (*done)(void *arg, const struct spawn_result *r),
			 void *arg);

void spawn_kill(struct spawn *s);      /* as at its deadline; done() follows */
pid_t spawn_pid(const struct spawn *s);

#endif
