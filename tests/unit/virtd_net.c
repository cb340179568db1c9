/* SPDX-License-Identifier: GPL-3.0-or-later */
/* fence_agents/virtd/net.c: a peer that does not read its answer keeps no place once the core is done with it; one that reads gets all
 * of it, also after that. The loop and the clock are ours.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fence_agents/virtd/daemon.h"
#include "lib/shell/log.h"

#include <arpa/inet.h>
#include <poll.h>
#include <unistd.h>

#define ANSWER (32u << 20) /* more than the kernel takes for a peer that does not read */

static struct virtd d;
static uint64_t now_ms = 1000;
static struct {
	int fd;
	void (*fn)(void *arg, int fd, int revents);
	void *arg;
} watched[8];

int loop_fd_add(struct loop *loop, int fd, int events, void (*fn)(void *arg, int fd, int revents),
		void *arg)
{
	(void)loop;
	(void)events;
	for (unsigned i = 0; i < 8; i++)
		if (!watched[i].fn) {
			watched[i].fd = fd;
			watched[i].fn = fn;
			watched[i].arg = arg;
			return 0;
		}
	return -1;
}

void loop_fd_del(struct loop *loop, int fd)
{
	(void)loop;
	for (unsigned i = 0; i < 8; i++)
		if (watched[i].fn && watched[i].fd == fd)
			watched[i].fn = NULL;
}

uint64_t mono_ms(void)
{
	return now_ms;
}

void log_emit(int priority, const char *event, const char *fmt, ...)
{
	(void)priority;
	(void)event;
	(void)fmt;
}

void feed(struct virtd *v, struct virtd_event ev)
{
	(void)v;
	(void)ev;
}

void view_take(const struct virtd *v, unsigned listener, unsigned ifindex, enum echo_known group,
	       struct echo_view *ret)
{
	(void)v;
	(void)listener;
	(void)ifindex;
	(void)group;
	(void)ret;
}

int group_join(struct virtd *v, unsigned i)
{
	(void)v;
	(void)i;
	return 0;
}

void group_watch(struct virtd *v)
{
	(void)v;
}

void group_done(struct virtd *v)
{
	(void)v;
}

/* The loop's turn for the one descriptor that writes. */
static void turn(int revents)
{
	for (unsigned i = 0; i < 8; i++)
		if (watched[i].fn) {
			watched[i].fn(watched[i].arg, watched[i].fd, revents);
			return;
		}
}

static int listener(uint16_t *port)
{
	struct sockaddr_in at = { .sin_family = AF_INET,
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(at);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&at, len), 0);
	assert_int_equal(listen(fd, 8), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &len), 0);
	*port = ntohs(at.sin_port);
	return fd;
}

static void call(uint64_t conn, uint16_t port)
{
	struct virtd_action a = { .type = VIRTD_ACT_CONNECT };

	a.connect.conn = conn;
	a.connect.addr[0] = 127;
	a.connect.addr[3] = 1;
	a.connect.port = port;
	net_connect(&d, &a);
}

/* A list is sent, and the core is done; @fd is the peer's end. */
static int answered(uint64_t conn, int at, uint16_t port, const uint8_t *bytes)
{
	struct virtd_action a = { .type = VIRTD_ACT_SEND };

	call(conn, port);
	int fd = accept(at, NULL, NULL);

	assert_true(fd >= 0);
	turn(POLLOUT); /* it is connected */
	a.send.conn = conn;
	a.send.data = bytes;
	a.send.len = ANSWER;
	net_send(&d, &a);
	net_close(&d, conn);
	assert_int_equal(net_conns(&d), 1); /* there is something left for it */
	return fd;
}

static void who_does_not_read_goes_after_a_while(void **state)
{
	uint8_t *bytes = calloc(1, ANSWER);
	uint16_t port;
	int at = listener(&port), fd;
	(void)state;

	assert_non_null(bytes);
	fd = answered(1, at, port, bytes);
	now_ms += 4000;
	call(2, port);
	assert_int_equal(net_conns(&d), 2); /* it may still be reading */
	now_ms += 2000;
	call(3, port);
	assert_int_equal(net_conns(&d), 2); /* 2 and 3 */
	net_done(&d);
	close(fd);
	close(at);
	free(bytes);
}

static void who_reads_gets_all_of_it(void **state)
{
	uint8_t *bytes = calloc(1, ANSWER);
	size_t got = 0;
	uint16_t port;
	int at = listener(&port), fd;
	(void)state;

	assert_non_null(bytes);
	fd = answered(1, at, port, bytes);
	for (;;) {
		ssize_t n = recv(fd, bytes, 1 << 20, MSG_DONTWAIT);

		if (n == 0)
			break;
		if (n > 0)
			got += (size_t)n;
		else if (net_conns(&d) > 0)
			turn(POLLOUT);
	}
	assert_int_equal(got, ANSWER);
	assert_int_equal(net_conns(&d), 0);
	close(fd);
	close(at);
	free(bytes);
}

int main(void)
{
	static struct virtd_conf conf;
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_does_not_read_goes_after_a_while),
		cmocka_unit_test(who_reads_gets_all_of_it),
	};

	d.conf = &conf;
	for (unsigned i = 0; i < VIRTD_LISTENERS_MAX; i++)
		d.listen_fd[i] = d.alone_fd[i] = -1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
