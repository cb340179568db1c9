/* SPDX-License-Identifier: GPL-3.0-or-later */
/* spawn.h - children with a deadline: programs (agents, iscsiadm) and forked work of our own (drivers).
 *
 * Both: own session and process group, descriptors closed but for the pipes, default signals, killed at the deadline (TERM,
 * then KILL to the group after 1 s). A child in uninterruptible sleep survives SIGKILL: 1 s later done() is called with
 * `stuck`, and the child is reaped later; the daemon never waits for it (ref/storage.md 0.7).
 *
 * A child dies with its daemon (PR_SET_PDEATHSIG): an agent that goes on without fenced could switch a node on after
 * the next fenced switched it off, a mount that ends after storaged was killed would be unknown to the next storaged.
 * What a child starts itself is not covered: a driver that runs helpers asks for the same in them. Nor is a child
 * in uninterruptible sleep: the next daemon probes instead of believing.
 *
 * What a program leaves behind in the background (a daemon that a script started) lives on after a normal end, unless it is
 * asked for as `whole`.
 */
#ifndef STOCKADE_SPAWN_H
#define STOCKADE_SPAWN_H

#include "loop.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define SPAWN_OUTPUT_MAX (64 * 1024) /* the rest is read and thrown away */
#define SPAWN_TELL_MAX (16 * 1024)

struct spawn_result {
	int status; /* exit code 0..255; -1: killed, timed out or never ran */
	int signal; /* that ended it; 0: none */
	bool timed_out;
	bool stuck;      /* killed, and still there */
	const char *out; /* stdout, NUL-terminated, borrowed for the call; never NULL */
	const char *err; /* stderr, likewise */
	size_t out_len, err_len;
	uint64_t took_ms;
};

struct spawn;

struct spawn_program {
	const char *const *
		argv; /* NULL-terminated; argv[0] is a path, or looked up in PATH=/usr/sbin:/usr/bin:/sbin:/bin */
	const char *in; /* stdin, may be NULL (then /dev/null); secrets go here, never in argv */
	size_t in_len;
	const char *const *env; /* NULL-terminated, added to PATH and LC_ALL; may be NULL */
	uint32_t timeout_ms;    /* 0: none */
	bool patient;           /* it has time: runs at nice 10 whatever ours is */
	bool whole; /* its answer is its last deed: what is left of its group then is killed */
};

/* Return: the child, or NULL with errno, also when it cannot be executed (done() is then not called). done() is called
 * exactly once, from the loop; the child is no more yours when it is.
 */
struct spawn *spawn_program(struct loop *loop, const struct spawn_program *p,
			    void (*done)(void *arg, const struct spawn_result *r), void *arg);

/*
 * Run @work(@work_arg, fd) in a forked child: every descriptor but @fd (a pipe to us) is closed; its return value is the exit
 * code. @line is called for each line it writes to @fd, without the newline; a line that was not finished is
 * thrown away, one longer than SPAWN_OUTPUT_MAX is cut. All lines come before done(). For work that may block on a disk.
 * stdin is /dev/null; stdout and stderr (log_emit() too) come back as out and err.
 */
struct spawn *spawn_work(struct loop *loop, int (*work)(void *work_arg, int fd), void *work_arg,
			 uint32_t timeout_ms, void (*line)(void *arg, const char *line),
			 void (*done)(void *arg, const struct spawn_result *r), void *arg);

/*
 * The same, but stdin is a pipe from us, so that the work can be prepared early and told to go on later. spawn_tell() writes
 * one message: whole, or not at all (-EPIPE: the child does not listen any more, -EAGAIN: it did not read the ones
 * before). Its end of file says that we are gone. spawn_limit() sets another time limit, from now on; 0: none.
 */
struct spawn *spawn_work_told(struct loop *loop, int (*work)(void *work_arg, int fd),
			      void *work_arg, uint32_t timeout_ms,
			      void (*line)(void *arg, const char *line),
			      void (*done)(void *arg, const struct spawn_result *r), void *arg);
int spawn_tell(struct spawn *s, const void *data, size_t len); /* len: 1..SPAWN_TELL_MAX */
void spawn_limit(struct spawn *s, uint32_t timeout_ms);

void spawn_kill(struct spawn *s); /* as at its deadline; done() follows, timed_out is then false */
pid_t spawn_pid(const struct spawn *s);

#endif
