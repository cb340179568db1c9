/* SPDX-License-Identifier: GPL-3.0-or-later */
/* lib/shell/notify: a socket of our own plays systemd and hears what a daemon says: ready, then the watchdog
 * fed from the loop as long as the loop turns, and nothing while it hangs.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/shell/notify.h"

static int systemd; /* its end */

static int be_systemd(void **state)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	char text[sizeof(addr.sun_path) + 1];

	(void)state;
	systemd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int n = snprintf(addr.sun_path + 1, sizeof(addr.sun_path) - 1, "stockade-notify-%d",
			 (int)getpid());

	if (systemd < 0 ||
	    bind(systemd, (struct sockaddr *)&addr,
		 (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)n)) < 0)
		return -1;
	snprintf(text, sizeof(text), "@%s", addr.sun_path + 1);
	setenv("NOTIFY_SOCKET", text, 1);
	return 0;
}

static int end_systemd(void **state)
{
	(void)state;
	unsetenv("NOTIFY_SOCKET");
	unsetenv("WATCHDOG_USEC");
	unsetenv("WATCHDOG_PID");
	return close(systemd);
}

static void watch(unsigned usec)
{
	char text[32];

	snprintf(text, sizeof(text), "%u", usec);
	setenv("WATCHDOG_USEC", text, 1);
	snprintf(text, sizeof(text), "%d", (int)getpid());
	setenv("WATCHDOG_PID", text, 1);
}

/* How many times systemd heard @what since the last call; everything else is dropped. */
static unsigned heard(const char *what)
{
	unsigned times = 0;
	char text[256];
	ssize_t n;

	while ((n = recv(systemd, text, sizeof(text) - 1, 0)) >= 0) {
		text[n] = '\0';
		times += strcmp(text, what) == 0;
	}
	return times;
}

static void stop(void *arg)
{
	loop_stop(arg, 0);
}

static void turn(struct loop *loop, uint64_t ms)
{
	struct loop_timer *end = loop_timer_new(loop, stop, loop);

	assert_non_null(end);
	loop_timer_arm(end, mono_ms() + ms);
	assert_int_equal(loop_run(loop), 0);
	loop_timer_free(end);
}

static void ready_is_told_and_nothing_more_when_nobody_watches(void **state)
{
	struct loop *loop = loop_new();

	(void)state;
	assert_non_null(loop);
	assert_int_equal(notify_ready(loop), 0);
	assert_int_equal(heard("READY=1"), 1);
	turn(loop, 50);
	assert_int_equal(heard("WATCHDOG=1"), 0);
	notify_done();
	loop_free(loop);
}

static void watchdog_is_fed_while_the_loop_turns(void **state)
{
	struct loop *loop = loop_new();

	(void)state;
	assert_non_null(loop);
	watch(60 * 1000);
	assert_int_equal(notify_ready(loop), 0);
	heard("READY=1");
	uint64_t begin = mono_ms();

	turn(loop, 240); /* fed every 20 ms; a busy machine may lose some */
	assert_in_range(heard("WATCHDOG=1"), 3, (mono_ms() - begin) / 20 + 1);
	usleep(100000); /* a loop that hangs */
	assert_int_equal(heard("WATCHDOG=1"), 0);
	turn(loop, 5);
	assert_true(heard("WATCHDOG=1") >= 1);
	notify_done();
	turn(loop, 50);
	assert_int_equal(heard("WATCHDOG=1"), 0);
	loop_free(loop);
}

static void status_and_stop_are_told(void **state)
{
	(void)state;
	notify_status("%s runs on %s", "web", "node1");
	assert_int_equal(heard("STATUS=web runs on node1"), 1);
	notify_stopping();
	assert_int_equal(heard("STOPPING=1"), 1);
}

static void without_systemd_nothing_happens(void **state)
{
	struct loop *loop = loop_new();

	(void)state;
	assert_non_null(loop);
	unsetenv("NOTIFY_SOCKET");
	assert_int_equal(notify_ready(loop), 0);
	notify_status("nobody listens");
	notify_stopping();
	notify_done();
	assert_int_equal(heard("READY=1"), 0);
	loop_free(loop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(ready_is_told_and_nothing_more_when_nobody_watches,
						be_systemd, end_systemd),
		cmocka_unit_test_setup_teardown(watchdog_is_fed_while_the_loop_turns, be_systemd,
						end_systemd),
		cmocka_unit_test_setup_teardown(status_and_stop_are_told, be_systemd, end_systemd),
		cmocka_unit_test_setup_teardown(without_systemd_nothing_happens, be_systemd,
						end_systemd),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
