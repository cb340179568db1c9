/* SPDX-License-Identifier: GPL-3.0-or-later */
/* lib/shell/loop: timers come at their time, never before; they can be moved, disarmed and freed in any
 * callback; descriptors and signals reach their callbacks.
 */
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/shell/loop.h"

struct fixture {
	struct loop *loop;
	struct loop_timer *t, *other;
	uint64_t due_ms;
	unsigned fired, other_fired;
	int fds[2], sig;
};

static int setup(void **state)
{
	static struct fixture f;

	f = (struct fixture){ .loop = loop_new() };
	*state = &f;
	return f.loop != NULL ? 0 : -1;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	loop_timer_free(f->t);
	loop_timer_free(f->other);
	loop_free(f->loop);
	return 0;
}

static void stop_at_ten(void *arg)
{
	struct fixture *f = arg;

	assert_true(mono_ms() >= f->due_ms);
	if (++f->fired == 10) {
		loop_stop(f->loop, 42);
		return;
	}
	f->due_ms = mono_ms() + f->fired;
	loop_timer_arm(f->t, f->due_ms);
}

static void timer_is_never_early_and_can_be_armed_again(void **state)
{
	struct fixture *f = *state;

	f->t = loop_timer_new(f->loop, stop_at_ten, f);
	f->due_ms = mono_ms() + 20;
	loop_timer_arm(f->t, f->due_ms);
	assert_int_equal(loop_run(f->loop), 42);
	assert_int_equal(f->fired, 10);
	assert_true(mono_ms() - f->due_ms < 1000);
}

static void count_other(void *arg)
{
	struct fixture *f = arg;

	f->other_fired++;
}

static void free_other_and_stop(void *arg)
{
	struct fixture *f = arg;

	f->t = loop_timer_free(f->t); /* itself */
	f->other = loop_timer_free(f->other);
	loop_stop(f->loop, 0);
}

static void timers_can_be_freed_in_a_callback(void **state)
{
	struct fixture *f = *state;
	uint64_t now = mono_ms();

	f->t = loop_timer_new(f->loop, free_other_and_stop, f);
	f->other = loop_timer_new(f->loop, count_other, f);
	loop_timer_arm(f->t, now + 5);
	loop_timer_arm(f->other, now + 6);
	usleep(20000); /* both are due in one round */
	assert_int_equal(loop_run(f->loop), 0);
	assert_int_equal(f->other_fired, 0);
}

static void just_stop(void *arg)
{
	struct fixture *f = arg;

	f->fired++;
	loop_stop(f->loop, 0);
}

static void timer_moves_and_disarms(void **state)
{
	struct fixture *f = *state;
	uint64_t now = mono_ms();

	f->t = loop_timer_new(f->loop, just_stop, f);
	f->other = loop_timer_new(f->loop, count_other, f);
	loop_timer_arm(f->other, now + 5);
	loop_timer_arm(f->other, UINT64_MAX);
	loop_timer_arm(f->t, now + 3600000);
	loop_timer_arm(f->t, UINT64_MAX - 1); /* further than any clock */
	loop_timer_arm(f->t, now + 30);
	loop_run(f->loop);
	assert_int_equal(f->fired, 1);
	assert_int_equal(f->other_fired, 0);
	assert_true(mono_ms() >= now + 30);
	loop_timer_arm(f->t, 0); /* long ago: at once */
	loop_run(f->loop);
	assert_int_equal(f->fired, 2);
}

static void read_and_delete(void *arg, int fd, int revents)
{
	struct fixture *f = arg;
	char c;

	assert_int_equal(fd, f->fds[0]);
	assert_true(revents & POLLIN);
	assert_int_equal(read(fd, &c, 1), 1);
	if (c == 'q') {
		loop_fd_del(f->loop, fd);
		close(fd);
		loop_stop(f->loop, 0);
	}
	f->fired++;
}

static void descriptor_reports_until_deleted(void **state)
{
	struct fixture *f = *state;

	for (unsigned i = 1; i <= 3; i++) { /* numbers are used again */
		assert_int_equal(pipe(f->fds), 0);
		assert_int_equal(loop_fd_add(f->loop, f->fds[0], POLLIN, read_and_delete, f), 0);
		assert_int_equal(write(f->fds[1], "abq", 3), 3);
		loop_run(f->loop);
		assert_int_equal(f->fired, 3 * i);
		close(f->fds[1]);
	}
	assert_true(loop_fd_add(f->loop, -1, POLLIN, read_and_delete, f) < 0);
}

static void take_signal(void *arg, int sig)
{
	struct fixture *f = arg;

	f->sig = sig;
	loop_stop(f->loop, 0);
}

static void signal_comes_in_the_loop(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(loop_signal_add(f->loop, SIGTERM, take_signal, f), 0);
	raise(SIGTERM);
	assert_int_equal(f->sig, 0);
	loop_run(f->loop);
	assert_int_equal(f->sig, SIGTERM);
}

static void stop_before_run_counts(void **state)
{
	struct fixture *f = *state;

	loop_stop(f->loop, 7);
	assert_int_equal(loop_run(f->loop), 7);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(timer_is_never_early_and_can_be_armed_again),
		T(timers_can_be_freed_in_a_callback),
		T(timer_moves_and_disarms),
		T(descriptor_reports_until_deleted),
		T(signal_comes_in_the_loop),
		T(stop_before_run_counts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
