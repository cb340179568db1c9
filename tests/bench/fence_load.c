// SPDX-License-Identifier: GPL-3.0-or-later
/* fence_load - many guests asking one fence_virtd for status at once; prints a line of JSON.
 *
 * usage: fence_load KEY_FILE REQUESTS DOMAIN ADDRESS...
 *
 * Each ADDRESS of this machine plays one guest: it asks, waits for its answer, asks again, REQUESTS times, all of them
 * side by side. A request is sent again after half a second; after five seconds (FENCE_LOAD_PATIENCE_S) it has failed.
 */
#include "fence_agents/virt/wire.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define CLIENTS_MAX 1000
#define AGAIN_US 500000
#define FAILED_US 5000000

struct client {
	struct in_addr address;
	int udp, listener, fd;
	uint16_t port;
	unsigned done, failed, again;
	int64_t begin_us, sent_us;
	uint8_t request[VIRT_REQUEST_BYTES], challenge[VIRT_CHALLENGE_BYTES],
		in[2 * VIRT_CHALLENGE_BYTES];
	size_t in_len;
	bool proven;
};

static int64_t patience_us = FAILED_US;
static uint8_t key[VIRT_KEY_MAX];
static size_t key_len;
static const char *domain;
static struct client client[CLIENTS_MAX];
static double *took_ms;
static size_t n_took;

static int64_t now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

static void die(const char *what)
{
	perror(what);
	exit(2);
}

static void send_request(struct client *c)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(VIRT_PORT) };

	inet_pton(AF_INET, VIRT_GROUP_IPV4, &to.sin_addr);
	c->sent_us = now_us();
	sendto(c->udp, c->request, sizeof(c->request), 0, (struct sockaddr *)&to, sizeof(to));
}

static void ask(struct client *c)
{
	struct virt_request q = { .request = VIRT_STATUS,
				  .hash = VIRT_HASH_SHA256,
				  .addrlen = 4,
				  .port = c->port,
				  .family = AF_INET };

	snprintf(q.domain, sizeof(q.domain), "%s", domain);
	memcpy(q.address, &c->address, 4);
	if (getrandom(q.random, sizeof(q.random), 0) < 0 ||
	    getrandom(&q.seqno, sizeof(q.seqno), 0) < 0 ||
	    virt_request_encode(c->request, &q, key, key_len) < 0)
		die("request");
	c->begin_us = now_us();
	send_request(c);
}

static void open_client(struct client *c, const char *address)
{
	struct sockaddr_in sa = { .sin_family = AF_INET };
	socklen_t len = sizeof(sa);

	if (inet_pton(AF_INET, address, &c->address) != 1)
		die(address);
	sa.sin_addr = c->address;
	c->udp = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	c->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	c->fd = -1;
	if (c->udp < 0 || c->listener < 0 || bind(c->udp, (struct sockaddr *)&sa, sizeof(sa)) < 0 ||
	    setsockopt(c->udp, IPPROTO_IP, IP_MULTICAST_IF, &c->address, sizeof(c->address)) < 0 ||
	    bind(c->listener, (struct sockaddr *)&sa, sizeof(sa)) < 0 ||
	    listen(c->listener, 4) < 0 ||
	    getsockname(c->listener, (struct sockaddr *)&sa, &len) < 0)
		die(address);
	c->port = ntohs(sa.sin_port);
}

static void hang_up(struct client *c)
{
	if (c->fd >= 0)
		close(c->fd);
	c->fd = -1;
	c->in_len = 0;
	c->proven = false;
}

static void finish(struct client *c, bool ok)
{
	hang_up(c);
	if (ok) {
		took_ms[n_took++] = (double)(now_us() - c->begin_us) / 1000;
	} else {
		c->failed++;
	}
	c->done++;
}

static void on_call(struct client *c)
{
	int fd = accept4(c->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd < 0)
		return;
	if (c->fd >= 0) { /* it called back about our second request, too */
		close(fd);
		return;
	}
	c->fd = fd;
	if (getrandom(c->challenge, sizeof(c->challenge), 0) < 0 ||
	    send(fd, c->challenge, sizeof(c->challenge), MSG_NOSIGNAL) < 0)
		hang_up(c);
}

static void on_bytes(struct client *c)
{
	uint8_t want[VIRT_CHALLENGE_BYTES];
	size_t most = c->proven ? 1 : sizeof(c->in);
	ssize_t n = recv(c->fd, c->in + c->in_len, most - c->in_len, 0);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) { /* no answer on this connection: the request is sent again */
		hang_up(c);
		return;
	}
	c->in_len += (size_t)n;
	if (c->in_len < most)
		return;
	if (c->proven) {
		finish(c, c->in[0] == VIRT_SUCCESS);
		return;
	}
	if (virt_response(VIRT_HASH_SHA256, key, key_len, c->challenge, want) < 0 ||
	    !virt_equal(want, c->in, sizeof(want)) ||
	    virt_response(VIRT_HASH_SHA256, key, key_len, c->in + VIRT_CHALLENGE_BYTES, want) < 0 ||
	    send(c->fd, want, sizeof(want), MSG_NOSIGNAL) < 0) {
		finish(c, false);
		return;
	}
	c->proven = true;
	c->in_len = 0;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

int main(int argc, char **argv)
{
	static struct pollfd p[2 * CLIENTS_MAX];
	unsigned n = argc > 4 ? (unsigned)argc - 4 : 0, requests, failed = 0, again = 0;

	if (n == 0 || n > CLIENTS_MAX)
		return 2;
	const char *patience = getenv("FENCE_LOAD_PATIENCE_S");

	if (patience)
		patience_us = (int64_t)atoi(patience) * 1000000;
	int fd = open(argv[1], O_RDONLY | O_CLOEXEC);
	ssize_t len = fd < 0 ? -1 : read(fd, key, sizeof(key));

	if (len <= 0)
		die(argv[1]);
	key_len = (size_t)len;
	requests = (unsigned)atoi(argv[2]);
	domain = argv[3];
	took_ms = calloc((size_t)n * requests, sizeof(*took_ms));
	if (!took_ms)
		die("memory");
	for (unsigned i = 0; i < n; i++)
		open_client(&client[i], argv[i + 4]);
	int64_t begin = now_us();

	for (unsigned i = 0; i < n; i++)
		ask(&client[i]);
	for (;;) {
		unsigned going = 0;

		for (unsigned i = 0; i < n; i++) {
			struct client *c = &client[i];

			p[2 * i] = (struct pollfd){ .fd = c->done < requests ? c->listener : -1,
						    .events = POLLIN };
			p[2 * i + 1] = (struct pollfd){ .fd = c->fd, .events = POLLIN };
			going += c->done < requests;
		}
		if (going == 0)
			break;
		poll(p, 2 * n, 50);
		for (unsigned i = 0; i < n; i++) {
			struct client *c = &client[i];
			unsigned had = c->done;

			if (had == requests)
				continue;
			if (p[2 * i + 1].revents && c->fd >= 0)
				on_bytes(c);
			if (p[2 * i].revents && c->done == had)
				on_call(c);
			if (c->done == had && now_us() - c->begin_us > patience_us)
				finish(c, false);
			if (c->done != had && c->done < requests) {
				ask(c);
			} else if (c->done == had && c->fd < 0 &&
				   now_us() - c->sent_us > AGAIN_US) {
				c->again++;
				send_request(c);
			}
		}
	}
	double all_ms = (double)(now_us() - begin) / 1000;

	for (unsigned i = 0; i < n; i++) {
		failed += client[i].failed;
		again += client[i].again;
	}
	qsort(took_ms, n_took, sizeof(*took_ms), by_value);
	printf("{\"requests\": %u, \"failed\": %u, \"sent_again\": %u, \"median_ms\": %.3f, \"p99_ms\": %.3f, "
	       "\"max_ms\": %.3f, \"all_ms\": %.1f}\n",
	       n * requests, failed, again, n_took ? took_ms[n_took / 2] : 0,
	       n_took ? took_ms[n_took * 99 / 100] : 0, n_took ? took_ms[n_took - 1] : 0, all_ms);
	return 0;
}
