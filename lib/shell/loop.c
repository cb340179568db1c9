/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "lib/shell/loop.h"

#include <assert.h>
#include <errno.h>
#include <malloc.h>
#include <qb/qbloop.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <time.h>

/* libqb runs its lower priorities only in every second or third round; ours are all equal, and high. */
#define PRIORITY QB_LOOP_HIGH

#define ONE_DAY_MS (24 * 60 * 60 * 1000ULL)

struct loop_fd {
	struct loop_fd *next;
	int fd;
	void (*on_ready)(void *arg, int fd, int revents);
	void *arg;
};

struct loop_signal {
	struct loop_signal *next;
	void (*on_signal)(void *arg, int sig);
	void *arg;
	qb_loop_signal_handle handle;
};

struct loop {
	struct qb_loop *qb;
	struct loop_fd *fds;
	struct loop_signal *signals;
	int code;
	bool stopped;
};

struct loop_timer {
	struct loop *loop;
	void (*on_time)(void *arg);
	void *arg;
	uint64_t at_ms; /* UINT64_MAX: not armed */
	qb_loop_timer_handle handle;
	bool running; /* handle is libqb's */
};

uint64_t mono_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

struct loop *loop_new(void)
{
	struct loop *loop = calloc(1, sizeof(*loop));

	if (loop == NULL)
		return NULL;
	loop->qb = qb_loop_create();
	if (loop->qb == NULL) {
		free(loop);
		return NULL;
	}
	/* A reader that went away is an error of one write(), not the end of a daemon. */
	signal(SIGPIPE, SIG_IGN);
	/* The configuration's parser and each state that a view hands round take a peak of memory once: give it back. */
	mallopt(M_MMAP_THRESHOLD, 32 * 1024);
	mallopt(M_TRIM_THRESHOLD, 32 * 1024);
	mallopt(M_TOP_PAD, 8 * 1024);
	return loop;
}

struct loop *loop_free(struct loop *loop)
{
	if (loop == NULL)
		return NULL;
	while (loop->fds != NULL)
		loop_fd_del(loop, loop->fds->fd);
	while (loop->signals != NULL) {
		struct loop_signal *s = loop->signals;

		loop->signals = s->next;
		qb_loop_signal_del(loop->qb, s->handle);
		free(s);
	}
	qb_loop_destroy(loop->qb);
	free(loop);
	return NULL;
}

struct qb_loop *loop_qb(struct loop *loop)
{
	return loop->qb;
}

int loop_run(struct loop *loop)
{
	if (!loop->stopped)
		qb_loop_run(loop->qb);
	loop->stopped = false;
	return loop->code;
}

void loop_stop(struct loop *loop, int code)
{
	loop->code = code;
	loop->stopped = true;
	qb_loop_stop(loop->qb);
}

static int32_t fd_ready(int32_t fd, int32_t revents, void *data)
{
	struct loop_fd *f = data;

	f->on_ready(f->arg, fd, revents); /* may free f */
	return 0;
}

int loop_fd_add(struct loop *loop, int fd, int events,
		void (*on_ready)(void *arg, int fd, int revents), void *arg)
{
	struct loop_fd *f = calloc(1, sizeof(*f));

	if (f == NULL)
		return -ENOMEM;
	*f = (struct loop_fd){ .next = loop->fds, .fd = fd, .on_ready = on_ready, .arg = arg };
	int r = qb_loop_poll_add(loop->qb, PRIORITY, fd, events, f, fd_ready);

	if (r < 0) {
		free(f);
		return r;
	}
	loop->fds = f;
	return 0;
}

void loop_fd_del(struct loop *loop, int fd)
{
	for (struct loop_fd **at = &loop->fds; *at != NULL; at = &(*at)->next) {
		struct loop_fd *f = *at;

		if (f->fd != fd)
			continue;
		*at = f->next;
		qb_loop_poll_del(loop->qb, fd);
		free(f);
		return;
	}
}

struct loop_timer *loop_timer_new(struct loop *loop, void (*on_time)(void *arg), void *arg)
{
	struct loop_timer *t = calloc(1, sizeof(*t));

	if (t == NULL)
		return NULL;
	t->loop = loop;
	t->on_time = on_time;
	t->arg = arg;
	t->at_ms = UINT64_MAX;
	return t;
}

struct loop_timer *loop_timer_free(struct loop_timer *t)
{
	if (t == NULL)
		return NULL;
	if (t->running)
		qb_loop_timer_del(t->loop->qb, t->handle);
	free(t);
	return NULL;
}

static void timer_start(struct loop_timer *t);

/* libqb may be early by the part of a millisecond that epoll_wait() does not know, and far times are
 * reached in steps: a callback comes only when its time is there.
 */
static void timer_fired(void *data)
{
	struct loop_timer *t = data;

	t->running = false;
	if (mono_ms() < t->at_ms) {
		timer_start(t);
		return;
	}
	t->at_ms = UINT64_MAX;
	t->on_time(t->arg); /* may free t */
}

static void timer_start(struct loop_timer *t)
{
	uint64_t now = mono_ms();
	uint64_t wait = t->at_ms > now ? t->at_ms - now : 0;

	if (wait > ONE_DAY_MS)
		wait = ONE_DAY_MS;
	/* Adding fails only without memory; a daemon that cannot keep its deadlines must not go on. */
	int r = qb_loop_timer_add(t->loop->qb, PRIORITY, wait * 1000000, t, timer_fired,
				  &t->handle);

	assert(r == 0);
	t->running = true;
}

void loop_timer_arm(struct loop_timer *t, uint64_t at_ms)
{
	if (t->running && at_ms == t->at_ms)
		return;
	if (t->running) {
		qb_loop_timer_del(t->loop->qb, t->handle);
		t->running = false;
	}
	t->at_ms = at_ms;
	if (at_ms != UINT64_MAX)
		timer_start(t);
}

static int32_t signal_came(int32_t sig, void *data)
{
	struct loop_signal *s = data;

	s->on_signal(s->arg, sig);
	return 0;
}

int loop_signal_add(struct loop *loop, int sig, void (*on_signal)(void *arg, int sig), void *arg)
{
	struct loop_signal *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return -ENOMEM;
	s->on_signal = on_signal;
	s->arg = arg;
	int r = qb_loop_signal_add(loop->qb, PRIORITY, sig, s, signal_came, &s->handle);

	if (r < 0) {
		free(s);
		return r;
	}
	s->next = loop->signals;
	loop->signals = s;
	return 0;
}
