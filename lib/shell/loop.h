/* SPDX-License-Identifier: GPL-3.0-or-later */
/* loop.h - the daemons' event loop: libqb's, with deadlines in monotonic ms.
 *
 * One thread. Callbacks must not block. A deadline is armed, never called back into a core.
 */
#ifndef STOCKADE_LOOP_H
#define STOCKADE_LOOP_H

#include <stdint.h>

struct qb_loop;
struct loop;
struct loop_timer;

uint64_t mono_ms(void); /* CLOCK_MONOTONIC */

struct loop *loop_new(void); /* NULL: no memory */
struct loop *loop_free(struct loop *loop);
struct qb_loop *loop_qb(struct loop *loop); /* for libqb's own callers (ipc) */
int loop_run(struct loop *loop);            /* until loop_stop(); returns its code */
void loop_stop(struct loop *loop, int code);

/* @on_ready: called while @events (poll(2) bits) are pending. Return: 0 or -errno. The caller keeps @fd. */
int loop_fd_add(struct loop *loop, int fd, int events,
		void (*on_ready)(void *arg, int fd, int revents), void *arg);
void loop_fd_del(struct loop *loop, int fd);

/* A timer is armed for an absolute monotonic time; arming again moves it. UINT64_MAX disarms. */
struct loop_timer *loop_timer_new(struct loop *loop, void (*on_time)(void *arg), void *arg);
struct loop_timer *loop_timer_free(struct loop_timer *t);
void loop_timer_arm(struct loop_timer *t, uint64_t at_ms);

/* SIGTERM, SIGINT, ... in the loop, not in a handler. */
int loop_signal_add(struct loop *loop, int sig, void (*on_signal)(void *arg, int sig), void *arg);

#endif
