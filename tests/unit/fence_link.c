/* SPDX-License-Identifier: GPL-3.0-or-later */
/* lib/shell/fence_link: a fenced of our own in a child process, by orders; the link never waits for it,
 * and knows nothing while it is away (SAFE-3). Runs in a network namespace of its own: the name is fixed.
 */
#include <errno.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/shell/fence_link.h"

/* -- the daemon in the child ------------------------------------------------------------------------ */

struct fenced {
	struct loop *loop;
	struct ipc_server *ipc;
	struct ipc_peer *subscriber;
	struct fence_state st;
	uint32_t weight; /* the last signs */
	int alive;       /* so often "tester" said so */
};

static void tell(struct fenced *f, bool as_reply)
{
	uint8_t buf[FENCE_STATE_WIRE_MAX];
	int len = fence_state_encode(&f->st, buf, sizeof(buf));

	if (as_reply)
		ipc_reply(f->subscriber, IPC_FENCE_SUBSCRIBE, buf, (size_t)len);
	else
		ipc_event(f->subscriber, IPC_FENCE_STATE, buf, (size_t)len);
}

static void request(void *arg, struct ipc_peer *peer, uint32_t type, const void *data, size_t len)
{
	struct fenced *f = arg;
	struct fence_signs signs;

	switch (type) {
	case IPC_FENCE_SUBSCRIBE:
		f->subscriber = peer;
		tell(f, true);
		return;
	case IPC_FENCE_SIGNS:
		if (fence_signs_decode(&signs, data, len) < 0)
			abort();
		f->weight = signs.weight;
		ipc_reply(peer, type, NULL, 0);
		return;
	case IPC_FENCE_ALIVE:
		f->alive += len == 6 && memcmp(data, "tester", 6) == 0;
		ipc_reply(peer, type, NULL, 0);
		return;
	case IPC_JSON: {
		json_t *in = json_loadb(data, len, 0, NULL);
		const char *cmd = json_string_value(json_object_get(in, "cmd"));

		if (strcmp(cmd, "die") == 0)
			_exit(0);
		if (strcmp(cmd, "change") == 0) {
			f->st.quorate = !f->st.quorate;
			tell(f, false);
		} else if (strcmp(cmd, "garbage") == 0) {
			ipc_event(f->subscriber, IPC_FENCE_STATE, "?", 1);
		}
		ipc_reply_json(peer, json_pack("{s:b, s:i, s:i}", "ok", 1, "weight", (int)f->weight,
					       "alive", f->alive));
		json_decref(in);
		return;
	}
	}
	abort();
}

static void gone(void *arg, struct ipc_peer *peer)
{
	struct fenced *f = arg;

	if (f->subscriber == peer)
		f->subscriber = NULL;
}

static pid_t fenced_pid;

static void start_fenced(void)
{
	int fds[2];
	char c;

	assert_int_equal(pipe(fds), 0);
	fenced_pid = fork();
	if (fenced_pid == 0) {
		struct ipc_ops ops = { request, gone };
		struct fenced f = { .loop = loop_new(), .st.self.nodeid = 7 };

		f.ipc = ipc_server_new(f.loop, "stockade-fenced", &ops, &f);
		if (f.ipc == NULL || write(fds[1], "", 1) != 1)
			_exit(1);
		loop_run(f.loop);
		_exit(0);
	}
	close(fds[1]);
	assert_int_equal(read(fds[0], &c, 1), 1);
	close(fds[0]);
}

static void stop_fenced(void)
{
	kill(fenced_pid, SIGCONT);
	kill(fenced_pid, SIGKILL);
	waitpid(fenced_pid, NULL, 0);
}

/* The next server of the name takes away what the killed ones left in /dev/shm. */
static int clean(void **state)
{
	struct ipc_ops ops = { request, gone };
	struct loop *l = loop_new();

	(void)state;
	ipc_server_free(ipc_server_new(l, "stockade-fenced", &ops, NULL));
	loop_free(l);
	return 0;
}

/* -- the owner of the link -------------------------------------------------------------------------- */

static struct loop *loop;
static struct loop_timer *tick;
static struct fence_link *link_;
static unsigned states, losts, answers, failures;
static struct fence_state last;
static int weight, alive;
static bool (*until)(void);
static uint64_t end_ms, longest_ms, last_tick_ms;

static void on_state(void *arg, const struct fence_state *st)
{
	assert_ptr_equal(arg, &states);
	states++;
	last = *st;
}

static void on_lost(void *arg)
{
	assert_ptr_equal(arg, &states);
	losts++;
}

static void on_answer(void *arg, json_t *reply, const char *why)
{
	assert_ptr_equal(arg, &answers);
	answers++;
	if (reply == NULL) {
		assert_non_null(why);
		failures++;
	} else {
		weight = (int)json_integer_value(json_object_get(reply, "weight"));
		alive = (int)json_integer_value(json_object_get(reply, "alive"));
	}
}

/* Every 2 ms, so that a call that waits is seen as a hole. */
static void on_tick(void *arg)
{
	uint64_t now = mono_ms();

	(void)arg;
	if (now - last_tick_ms > longest_ms)
		longest_ms = now - last_tick_ms;
	last_tick_ms = now;
	if (until() || now >= end_ms)
		loop_stop(loop, 0);
	else
		loop_timer_arm(tick, now + 2);
}

static void wait_until(bool (*cond)(void), uint64_t ms)
{
	until = cond;
	last_tick_ms = mono_ms();
	end_ms = last_tick_ms + ms;
	loop_timer_arm(tick, last_tick_ms);
	loop_run(loop);
}

static bool never(void)
{
	return false;
}

static bool is_up(void)
{
	return fence_link_up(link_);
}

static bool is_down(void)
{
	return !fence_link_up(link_);
}

static bool has_answer(void)
{
	return answers > 0;
}

static int ask(const char *cmd)
{
	return fence_link_ask(link_, json_pack("{s:s}", "cmd", cmd), on_answer, &answers);
}

static int setup(void **state)
{
	struct fence_link_ops ops = { on_state, on_lost };

	(void)state;
	states = losts = answers = failures = 0;
	weight = -1;
	longest_ms = 0;
	loop = loop_new();
	tick = loop_timer_new(loop, on_tick, NULL);
	link_ = fence_link_open(loop, &ops, &states);
	return link_ != NULL ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	fence_link_close(link_);
	loop_timer_free(tick);
	loop_free(loop);
	return 0;
}

/* SAFE-12: said again and again by the owner's loop; not by one that stands still, and not by others. */
static void alive_is_said_as_long_as_the_loop_turns(void **state)
{
	(void)state;
	start_fenced();
	assert_int_equal(fence_link_alive(link_, "tester", 20), 0);
	wait_until(is_up, 3000);
	wait_until(never, 300);
	assert_int_equal(ask("count"), 0);
	wait_until(has_answer, 1000);
	assert_in_range(alive, 5, 20);
	int before = alive;

	usleep(200000); /* the loop stands still */
	answers = 0;
	assert_int_equal(ask("count"), 0);
	wait_until(has_answer, 1000);
	assert_in_range(alive, before, before + 2);
	stop_fenced();
}

static void state_and_signs_go_over_the_link(void **state)
{
	struct fence_signs signs = { .weight = 3 };

	(void)state;
	start_fenced();
	fence_link_signs(link_, &signs); /* before it is up: kept */
	wait_until(is_up, 5000);
	assert_int_equal(states, 1);
	assert_int_equal(last.self.nodeid, 7);
	assert_false(last.quorate);
	assert_int_equal(ask("change"), 0);
	wait_until(has_answer, 5000);
	assert_int_equal(states, 2);
	assert_true(last.quorate);
	assert_int_equal(weight, 3);
	answers = 0;
	for (signs.weight = 4; signs.weight < 100; signs.weight++)
		fence_link_signs(link_, &signs); /* only the latest needs to arrive */
	assert_int_equal(ask("nothing"), 0);
	wait_until(has_answer, 5000);
	assert_int_equal(weight, 99);
	assert_int_equal(losts, 0);
	stop_fenced();
}

static void a_fenced_that_is_not_there_is_tried_again(void **state)
{
	(void)state;
	wait_until(is_up, 600);
	assert_int_equal(states + losts, 0);
	assert_int_equal(ask("nothing"), -ENOTCONN);
	start_fenced();
	wait_until(is_up, 5000);
	assert_int_equal(states, 1);
	stop_fenced();
	wait_until(is_down, 5000);
	assert_int_equal(losts, 1);
	start_fenced();
	wait_until(is_up, 5000);
	assert_int_equal(states, 2);
	stop_fenced();
	assert_in_range(longest_ms, 0, 1900); /* less than any wait for a daemon that hangs */
}

static void one_that_dies_with_a_request_answers_with_why(void **state)
{
	struct fence_signs signs = { .weight = 5 };

	(void)state;
	start_fenced();
	wait_until(is_up, 5000);
	assert_int_equal(ask("die"), 0);
	assert_int_equal(ask("nothing"), 0); /* behind it */
	wait_until(is_down, 5000);
	assert_int_equal(answers, 2);
	assert_int_equal(failures, 2);
	assert_int_equal(losts, 1);
	waitpid(fenced_pid, NULL, 0);
	fence_link_signs(link_, &signs);
	start_fenced();
	wait_until(is_up, 5000);
	answers = 0;
	assert_int_equal(ask("nothing"), 0);
	wait_until(has_answer, 5000);
	assert_int_equal(weight, 5); /* the new one knows our signs */
	stop_fenced();
}

static void one_that_hangs_stops_nobody(void **state)
{
	struct fence_signs signs = { .weight = 1 };

	(void)state;
	start_fenced();
	wait_until(is_up, 5000);
	kill(fenced_pid, SIGSTOP);
	longest_ms = 0;
	fence_link_signs(link_, &signs);
	assert_int_equal(ask("nothing"), 0);
	wait_until(is_down, 5000);
	assert_int_equal(losts, 1);
	assert_int_equal(failures, 1);
	wait_until(never, 3000);              /* several tries to connect */
	assert_in_range(longest_ms, 0, 1900); /* less than any wait for a daemon that hangs */
	kill(fenced_pid, SIGCONT);
	wait_until(is_up, 5000);
	assert_int_equal(states, 2);
	stop_fenced();
}

static void an_unreadable_state_is_no_state(void **state)
{
	(void)state;
	start_fenced();
	wait_until(is_up, 5000);
	assert_int_equal(ask("garbage"), 0);
	wait_until(is_down, 5000);
	assert_int_equal(states, 1);
	assert_int_equal(losts, 1);
	stop_fenced();
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(state_and_signs_go_over_the_link),
		T(alive_is_said_as_long_as_the_loop_turns),
		T(a_fenced_that_is_not_there_is_tried_again),
		T(one_that_dies_with_a_request_answers_with_why),
		T(one_that_hangs_stops_nobody),
		T(an_unreadable_state_is_no_state),
	};

	if (unshare(CLONE_NEWNET) < 0 && unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0)
		return 77; /* the name belongs to the machine's own fenced */
	return cmocka_run_group_tests(tests, NULL, clean);
}
