/* SPDX-License-Identifier: GPL-3.0-or-later */
/* lib/shell/ipc: a daemon in a child process, clients here. Replies now and later, events in order, many
 * clients, a slow one, a daemon that hangs or dies, a client that asks twice; with times.
 */
#include <dirent.h>
#include <errno.h>
#include <poll.h>
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

#include "lib/shell/ipc.h"

enum {
	T_ECHO = 100,
	T_LATE,      /* answered after 50 ms */
	T_NEVER,     /* not answered */
	T_SUBSCRIBE, /* an event before the reply, one after it */
	T_FLOOD,     /* 250 events of 1000 bytes */
	T_DEAF,      /* events until this client is disconnected */
	T_GONE,      /* how many clients have gone */
	T_PID,
	T_BIG, /* reply of so many bytes */
	T_EVENT = 200,
};

struct server {
	struct loop *loop;
	struct ipc_server *ipc;
	struct loop_timer *late;
	struct ipc_peer *late_peer;
	uint32_t n_gone;
};

static char name[64];
static pid_t daemon_pid;

static void late(void *arg)
{
	struct server *s = arg;

	if (s->late_peer != NULL)
		ipc_reply(s->late_peer, T_LATE, "late", 4);
	s->late_peer = NULL;
}

static void request(void *arg, struct ipc_peer *peer, uint32_t type, const void *data, size_t len)
{
	struct server *s = arg;
	static uint8_t big[IPC_BYTES_MAX + 1];
	uint32_t n = 0;
	int32_t pid;

	switch (type) {
	case IPC_JSON: {
		json_t *in = json_loadb(data, len, 0, NULL);
		const char *cmd = json_string_value(json_object_get(in, "cmd"));

		if (cmd != NULL && strcmp(cmd, "big") == 0)
			ipc_reply_json(peer,
				       json_pack("{s:o}", "x",
						 json_stringn((char *)memset(big, 'x', sizeof(big)),
							      sizeof(big))));
		else
			ipc_reply_json(peer, json_pack("{s:b, s:O?}", "ok", 1, "you", in));
		json_decref(in);
		return;
	}
	case T_ECHO: ipc_reply(peer, type, data, len); return;
	case T_LATE:
		s->late_peer = peer;
		loop_timer_arm(s->late, mono_ms() + 50);
		return;
	case T_NEVER: return;
	case T_SUBSCRIBE:
		ipc_event(peer, T_EVENT, "one", 3);
		ipc_reply(peer, type, "reply", 5);
		ipc_event(peer, T_EVENT, "two", 3);
		return;
	case T_FLOOD:
		ipc_reply(peer, type, NULL, 0);
		for (uint32_t i = 0; i < 250; i++) {
			memcpy(big, &i, sizeof(i));
			if (ipc_event(peer, T_EVENT, big, 1000) != 0)
				abort();
		}
		return;
	case T_DEAF:
		ipc_reply(peer, type, NULL, 0);
		while (ipc_event(peer, T_EVENT, big, 1000) == 0)
			n++;
		if (n < 256 || ipc_event(peer, T_EVENT, big, 1) != -ENOTCONN)
			abort();
		return;
	case T_GONE: ipc_reply(peer, type, &s->n_gone, sizeof(s->n_gone)); return;
	case T_PID:
		pid = ipc_peer_pid(peer);
		ipc_reply(peer, type, &pid, sizeof(pid));
		return;
	case T_BIG:
		memcpy(&n, data, sizeof(n));
		if (ipc_reply(peer, type, big, n) == -EMSGSIZE)
			ipc_reply(peer, type, "toobig", 6);
		return;
	}
	abort();
}

static void gone(void *arg, struct ipc_peer *peer)
{
	struct server *s = arg;

	if (s->late_peer == peer)
		s->late_peer = NULL;
	s->n_gone++;
}

static void stop(void *arg, int sig)
{
	(void)sig;
	loop_stop(arg, 0);
}

static void run_daemon(int ready)
{
	struct ipc_ops ops = { request, gone };
	struct server s = { .loop = loop_new() };

	loop_signal_add(s.loop, SIGTERM, stop, s.loop);
	s.late = loop_timer_new(s.loop, late, &s);
	s.ipc = ipc_server_new(s.loop, name, &ops, &s);
	if (s.ipc == NULL)
		abort();
	if (write(ready, "", 1) != 1)
		abort();
	loop_run(s.loop);
	ipc_server_free(s.ipc);
	loop_timer_free(s.late);
	loop_free(s.loop);
	exit(0);
}

static void start_daemon(void)
{
	int fds[2];
	char c;

	assert_int_equal(pipe(fds), 0);
	daemon_pid = fork();
	if (daemon_pid == 0)
		run_daemon(fds[1]);
	close(fds[1]);
	assert_int_equal(read(fds[0], &c, 1), 1);
	close(fds[0]);
}

static int setup(void **state)
{
	(void)state;
	snprintf(name, sizeof(name), "stockade-test-%d", (int)getpid());
	start_daemon();
	return 0;
}

static int teardown(void **state)
{
	int status = 0;

	(void)state;
	kill(daemon_pid, SIGTERM);
	waitpid(daemon_pid, &status, 0);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	return 0;
}

static struct ipc_client *connect_now(void)
{
	struct ipc_client *c = ipc_connect(name);

	assert_non_null(c);
	return c;
}

static ssize_t ask(struct ipc_client *c, uint32_t type, void *buf, size_t len)
{
	uint32_t ret_type = 0;
	ssize_t n = ipc_call(c, type, NULL, 0, &ret_type, buf, len, 5000);

	if (n >= 0)
		assert_int_equal(ret_type, type);
	return n;
}

static int poll_ms(int fd, int ms)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return poll(&p, 1, ms);
}

static void replies_come_at_once_or_later(void **state)
{
	struct ipc_client *c = connect_now();
	char buf[64];
	uint64_t t0 = mono_ms();
	int32_t pid = 0;

	(void)state;
	assert_int_equal(ipc_call(c, T_ECHO, "hello", 5, NULL, buf, sizeof(buf), 1000), 5);
	assert_memory_equal(buf, "hello", 5);
	assert_int_equal(ipc_call(c, T_ECHO, NULL, 0, NULL, buf, 0, 1000), 0);
	assert_int_equal(ask(c, T_LATE, buf, sizeof(buf)), 4);
	assert_true(mono_ms() - t0 >= 50);
	assert_int_equal(ask(c, T_PID, &pid, sizeof(pid)), sizeof(pid));
	assert_int_equal(pid, getpid());
	assert_int_equal(ipc_call(c, T_ECHO, "hello", 5, NULL, buf, 4, 1000), -ENOBUFS);
	assert_int_equal(ipc_call(c, T_ECHO, "again", 5, NULL, buf, 5, 1000), 5);
	ipc_close(c);
}

static void json_goes_both_ways(void **state)
{
	struct ipc_client *c = connect_now();
	json_t *r = ipc_call_json(c, json_pack("{s:s}", "cmd", "st\xc3\xa4tus"), 1000);

	(void)state;
	assert_non_null(r);
	assert_true(json_is_true(json_object_get(r, "ok")));
	assert_string_equal(json_string_value(json_object_get(json_object_get(r, "you"), "cmd")),
			    "st\xc3\xa4tus");
	json_decref(r);
	r = ipc_call_json(c, json_pack("{s:s}", "cmd", "big"), 1000);
	assert_non_null(r);
	assert_true(json_is_false(json_object_get(r, "ok")));
	assert_true(json_is_string(json_object_get(r, "remedy")));
	json_decref(r);
	ipc_close(c);
}

/* One question without a connection: the answer's bytes in @buf, or -errno. */
static ssize_t ask_short(const char *request, char *buf, size_t len)
{
	int fd = ipc_ask_start(name, request);
	struct pollfd p = { .fd = fd, .events = POLLIN };
	ssize_t n = fd;

	if (fd < 0)
		return n;
	do {
		poll(&p, 1, 2000);
		n = ipc_ask_finish(fd, buf, len);
	} while (n == -EAGAIN && p.revents);
	close(fd);
	return n;
}

static void a_question_needs_no_connection(void **state)
{
	static char buf[IPC_BYTES_MAX], big[100 * 1024];
	ssize_t n = ask_short("{\"cmd\": \"x\"}", buf, sizeof(buf));
	json_t *r = json_loadb(buf, n > 0 ? (size_t)n : 0, 0, NULL);

	(void)state;
	assert_true(json_is_true(json_object_get(r, "ok")));
	json_decref(r);
	/* long ones too, and what is too long says so */
	memset(big, 'y', sizeof(big) - 1);
	r = json_pack("{s:s}", "cmd", big);
	char *text = json_dumps(r, 0);

	json_decref(r);
	n = ask_short(text, buf, sizeof(buf));
	r = json_loadb(buf, n > 0 ? (size_t)n : 0, 0, NULL);
	assert_string_equal(json_string_value(json_object_get(json_object_get(r, "you"), "cmd")),
			    big);
	json_decref(r);
	free(text);
	n = ask_short("{\"cmd\": \"big\"}", buf, sizeof(buf));
	r = json_loadb(buf, n > 0 ? (size_t)n : 0, 0, NULL);
	assert_true(json_is_false(json_object_get(r, "ok")));
	json_decref(r);
	assert_int_equal(ipc_ask_start("nobody-listens-here", "{}"), -ENOTCONN);
	/* more at once than are served the short way are sent the long way, and harm nobody */
	int fd[100];

	for (int i = 0; i < 100; i++)
		fd[i] = ipc_ask_start(name, "{\"cmd\": \"x\"}");
	for (int i = 0; i < 100; i++)
		if (fd[i] >= 0)
			close(fd[i]);
	for (uint64_t until = mono_ms() + 5000;
	     ask_short("{\"cmd\": \"x\"}", buf, sizeof(buf)) < 0;)
		assert_true(mono_ms() < until); /* it has not yet seen all of them go */
}

static void the_largest_fits_and_one_more_does_not(void **state)
{
	struct ipc_client *c = connect_now();
	uint8_t *buf = malloc(IPC_BYTES_MAX + 1);
	uint32_t n = IPC_BYTES_MAX;

	(void)state;
	assert_int_equal(ipc_call(c, T_BIG, &n, sizeof(n), NULL, buf, IPC_BYTES_MAX, 1000),
			 IPC_BYTES_MAX);
	n++;
	assert_int_equal(ipc_call(c, T_BIG, &n, sizeof(n), NULL, buf, IPC_BYTES_MAX, 1000), 6);
	memset(buf, 'e', IPC_BYTES_MAX + 1);
	assert_int_equal(ipc_call(c, T_ECHO, buf, IPC_BYTES_MAX, NULL, buf, IPC_BYTES_MAX, 1000),
			 IPC_BYTES_MAX);
	assert_int_equal(ipc_call(c, T_ECHO, buf, IPC_BYTES_MAX + 1, NULL, buf, 1, 1000),
			 -EMSGSIZE);
	free(buf);
	ipc_close(c);
}

static void events_keep_their_order_around_a_reply(void **state)
{
	struct ipc_client *c = connect_now();
	int fd = ipc_client_fd(c);
	char buf[64];
	uint32_t type;

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(poll_ms(fd, 0), 0);
	assert_int_equal(ipc_event_next(c, &type, buf, sizeof(buf)), 0);
	assert_int_equal(type, 0);
	assert_int_equal(ask(c, T_SUBSCRIBE, buf, sizeof(buf)), 5);
	assert_int_equal(poll_ms(fd, 0), 1); /* "one" came during the call */
	assert_int_equal(ipc_event_next(c, &type, buf, sizeof(buf)), 3);
	assert_int_equal(type, T_EVENT);
	assert_memory_equal(buf, "one", 3);
	assert_int_equal(poll_ms(fd, 1000), 1);
	assert_int_equal(ipc_event_next(c, &type, buf, sizeof(buf)), 3);
	assert_memory_equal(buf, "two", 3);
	assert_int_equal(poll_ms(fd, 0), 0);
	assert_int_equal(ipc_event_next(c, &type, buf, sizeof(buf)), 0);
	ipc_close(c);
}

static void many_events_wait_for_a_slow_reader(void **state)
{
	struct ipc_client *c = connect_now();
	char buf[1000];
	uint32_t type, n;

	(void)state;
	assert_int_equal(ask(c, T_FLOOD, buf, sizeof(buf)), 0);
	usleep(50000);
	for (uint32_t i = 0; i < 250; i++) {
		ssize_t got = 0;

		while (got == 0) {
			assert_int_equal(poll_ms(ipc_client_fd(c), 2000), 1);
			got = ipc_event_next(c, &type, buf, sizeof(buf));
		}
		assert_int_equal(got, 1000);
		memcpy(&n, buf, sizeof(n));
		assert_int_equal(n, i);
	}
	ipc_close(c);
}

static uint32_t n_gone(void)
{
	struct ipc_client *c = connect_now();
	uint32_t n = 0;

	assert_int_equal(ask(c, T_GONE, &n, sizeof(n)), sizeof(n));
	ipc_close(c);
	return n;
}

static void one_that_never_reads_is_disconnected(void **state)
{
	struct ipc_client *c = connect_now();
	char buf[1000];
	ssize_t n;

	(void)state;
	/* The reply may be lost with the rest: a hung up connection is not read to its end. */
	n = ask(c, T_DEAF, buf, sizeof(buf));
	assert_true(n == 0 || n == -ENOTCONN);
	while ((n = ipc_event_next(c, NULL, buf, sizeof(buf))) >= 0)
		if (n == 0)
			assert_int_equal(poll_ms(ipc_client_fd(c), 2000), 1);
	assert_int_equal(n, -ENOTCONN);
	assert_int_equal(ask(c, T_ECHO, buf, sizeof(buf)), -ENOTCONN);
	ipc_close(c);
	assert_int_equal(n_gone(), 1);
}

static void many_clients_at_once_and_each_leaving_is_told(void **state)
{
	struct ipc_client *c[40];
	char buf[8], text[8];

	(void)state;
	for (int i = 0; i < 40; i++)
		c[i] = connect_now();
	for (int i = 39; i >= 0; i--) {
		int len = snprintf(text, sizeof(text), "n%d", i);

		assert_int_equal(
			ipc_call(c[i], T_ECHO, text, (size_t)len, NULL, buf, sizeof(buf), 1000),
			len);
		assert_memory_equal(buf, text, (size_t)len);
	}
	assert_int_equal(n_gone(), 0);
	for (int i = 0; i < 40; i++)
		ipc_close(c[i]);
	uint64_t until = mono_ms() + 30000;

	while (n_gone() < 40)
		assert_true(mono_ms() < until);
}

static void a_call_without_answer_ends_in_time(void **state)
{
	struct ipc_client *c = connect_now();
	char buf[8];
	uint64_t t0 = mono_ms();

	(void)state;
	assert_int_equal(ipc_call(c, T_NEVER, NULL, 0, NULL, buf, sizeof(buf), 100), -ETIMEDOUT);
	assert_in_range(mono_ms() - t0, 100, 30000);
	assert_int_equal(ipc_call(c, T_ECHO, NULL, 0, NULL, buf, sizeof(buf), 100), -ENOTCONN);
	ipc_close(c);
}

static void a_daemon_that_hangs_costs_only_the_time_limit(void **state)
{
	struct ipc_client *c = connect_now();
	char buf[8];
	uint64_t t0 = mono_ms();

	(void)state;
	kill(daemon_pid, SIGSTOP);
	assert_int_equal(ipc_call(c, T_ECHO, NULL, 0, NULL, buf, sizeof(buf), 100), -ETIMEDOUT);
	assert_null(ipc_connect(name));
	assert_int_equal(errno, ETIMEDOUT);
	assert_in_range(mono_ms() - t0, IPC_CONNECT_MS, IPC_CONNECT_MS + 30000);
	kill(daemon_pid, SIGCONT);
	ipc_close(c);
	c = connect_now(); /* what was left behind does it no harm */
	assert_int_equal(ask(c, T_ECHO, buf, sizeof(buf)), 0);
	ipc_close(c);
}

/* What a dead daemon has left in /dev/shm. */
static unsigned ruins(pid_t pid)
{
	char prefix[32];
	struct dirent *e;
	unsigned n = 0;
	DIR *shm = opendir("/dev/shm");
	int len = snprintf(prefix, sizeof(prefix), "qb-%d-", (int)pid);

	assert_non_null(shm);
	while ((e = readdir(shm)) != NULL)
		n += strncmp(e->d_name, prefix, (size_t)len) == 0;
	closedir(shm);
	return n;
}

static void the_death_of_a_daemon_is_seen_at_once(void **state)
{
	struct ipc_client *waiting = connect_now(), *idle = connect_now();
	char buf[8];
	uint64_t t0 = mono_ms();

	(void)state;
	pid_t killer = fork();

	if (killer == 0) {
		usleep(100000);
		kill(daemon_pid, SIGKILL);
		_exit(0);
	}
	assert_int_equal(ipc_call(waiting, T_NEVER, NULL, 0, NULL, buf, sizeof(buf), 10000),
			 -ENOTCONN);
	assert_in_range(mono_ms() - t0, 100, 30000);
	assert_int_equal(poll_ms(ipc_client_fd(idle), 1000), 1);
	assert_int_equal(ipc_event_next(idle, NULL, buf, sizeof(buf)), -ENOTCONN);
	waitpid(daemon_pid, NULL, 0);
	waitpid(killer, NULL, 0);
	assert_null(ipc_connect(name));
	assert_int_equal(errno, ECONNREFUSED);
	pid_t dead = daemon_pid;

	start_daemon(); /* the name is free again */
	assert_int_equal(ruins(dead), 0);
	ipc_close(waiting);
	ipc_close(idle);
	ipc_close(connect_now());
}

static void a_second_daemon_is_refused(void **state)
{
	struct ipc_ops ops = { request, gone };
	struct loop *loop = loop_new();

	(void)state;
	errno = 0;
	assert_null(ipc_server_new(loop, name, &ops, NULL));
	assert_int_equal(errno, EADDRINUSE);
	loop_free(loop);
}

static void another_user_is_refused(void **state)
{
	int status = 0;

	(void)state;
	if (geteuid() != 0)
		skip();
	pid_t pid = fork();

	if (pid == 0) {
		if (setgid(65534) < 0 || setuid(65534) < 0)
			_exit(1);
		if (ask_short("{}", (char[64]){ 0 }, 64) != -ENOTCONN)
			_exit(3);
		_exit(ipc_connect(name) == NULL && errno == EACCES ? 0 : 2);
	}
	waitpid(pid, &status, 0);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

/* SAFE-2, SAFE-3: who takes the name of a daemon that does not run is not believed, and is not even asked. */
static void the_daemon_of_another_user_is_not_believed(void **state)
{
	char other[sizeof(name) + 8];
	int ready[2], fd;
	char one;

	(void)state;
	if (geteuid() != 0)
		skip();
	snprintf(other, sizeof(other), "%s-other", name);
	assert_int_equal(pipe(ready), 0);
	pid_t pid = fork();

	if (pid == 0) {
		struct ipc_ops ops = { request, gone };
		struct server s = { .loop = loop_new() };

		close(ready[0]);
		if (setgid(65534) < 0 || setuid(65534) < 0)
			_exit(1);
		s.ipc = ipc_server_new(s.loop, other, &ops, &s);
		if (s.ipc == NULL || write(ready[1], "1", 1) != 1)
			_exit(2);
		loop_run(s.loop);
		_exit(0);
	}
	close(ready[1]);
	assert_int_equal(read(ready[0], &one, 1), 1);
	close(ready[0]);
	assert_int_equal(ipc_ask_start(other, "{}"), -ENOTCONN);
	errno = 0;
	assert_null(ipc_connect(other));
	assert_int_equal(errno, EACCES);
	ipc_trust(65534); /* as root asks stockade-virtd, which has a user of its own */
	struct ipc_client *c = ipc_connect(other);

	assert_non_null(c);
	ipc_close(c);
	fd = ipc_ask_start(other, "{}");
	assert_true(fd >= 0);
	close(fd);
	ipc_trust(0);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static void a_status_is_quick(void **state)
{
	char buf[64];
	enum { N = 200 };
	uint64_t t0 = mono_ms();

	(void)state;
	for (int i = 0; i < N; i++) {
		struct ipc_client *c = connect_now();

		assert_int_equal(ipc_call(c, T_ECHO, "x", 1, NULL, buf, sizeof(buf), 1000), 1);
		ipc_close(c);
	}
	uint64_t connect_ms = mono_ms() - t0;
	struct ipc_client *c = connect_now();

	t0 = mono_ms();
	for (int i = 0; i < 10 * N; i++)
		assert_int_equal(ipc_call(c, T_ECHO, "x", 1, NULL, buf, sizeof(buf), 1000), 1);
	print_message("connect, call, close: %.0f us; call: %.1f us\n", 1000.0 * connect_ms / N,
		      100.0 * (mono_ms() - t0) / N);
	ipc_close(c);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(replies_come_at_once_or_later),
		T(json_goes_both_ways),
		T(a_question_needs_no_connection),
		T(the_largest_fits_and_one_more_does_not),
		T(events_keep_their_order_around_a_reply),
		T(many_events_wait_for_a_slow_reader),
		T(one_that_never_reads_is_disconnected),
		T(many_clients_at_once_and_each_leaving_is_told),
		T(a_call_without_answer_ends_in_time),
		T(a_daemon_that_hangs_costs_only_the_time_limit),
		T(the_death_of_a_daemon_is_seen_at_once),
		T(a_second_daemon_is_refused),
		T(another_user_is_refused),
		T(the_daemon_of_another_user_is_not_believed),
		T(a_status_is_quick),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
