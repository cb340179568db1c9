/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "lib/shell/fence_link.h"

#include "lib/shell/log.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#define RETRY_MS 250
#define CALL_MS 1000 /* fenced answers from memory */

struct fence_link {
	struct loop *loop;
	struct fence_link_ops ops;
	void *arg;
	struct ipc_client *client;
	struct loop_timer *retry;
	bool was_up; /* said in the log */
	bool has_signs;
	struct fence_signs signs;
};

static void connect_now(void *arg);

static void down(struct fence_link *link, const char *why)
{
	if (link->client != NULL) {
		loop_fd_del(link->loop, ipc_client_fd(link->client));
		link->client = ipc_close(link->client);
	}
	if (link->was_up) {
		log_warning("fence.lost", "reason=\"%s\"", why);
		link->was_up = false;
		if (link->ops.lost != NULL)
			link->ops.lost(link->arg);
	}
	loop_timer_arm(link->retry, mono_ms() + RETRY_MS);
}

/* Return: 0, or -EPROTO: fenced speaks what we cannot read. */
static int hear(struct fence_link *link, const void *data, size_t len)
{
	struct fence_state st;

	if (fence_state_decode(&st, data, len) < 0)
		return -EPROTO;
	link->ops.state(link->arg, &st);
	return 0;
}

static void on_ready(void *arg, int fd, int revents)
{
	struct fence_link *link = arg;
	uint8_t buf[FENCE_STATE_WIRE_MAX];
	uint32_t type;
	ssize_t n;

	(void)fd;
	(void)revents;
	while (link->client != NULL) {
		n = ipc_event_next(link->client, &type, buf, sizeof(buf));
		if (n == 0 && type == 0)
			return;
		if (n < 0 || (type == IPC_FENCE_STATE && hear(link, buf, (size_t)n) < 0)) {
			down(link, n == -ENOTCONN ? "fenced is gone" : "an unreadable message");
			return;
		}
	}
}

static int send_signs(struct fence_link *link)
{
	uint8_t buf[FENCE_SIGNS_WIRE_MAX], reply[64];
	int len = fence_signs_encode(&link->signs, buf, sizeof(buf));

	if (len < 0)
		return len;
	ssize_t n = ipc_call(link->client, IPC_FENCE_SIGNS, buf, (size_t)len, NULL, reply,
			     sizeof(reply), CALL_MS);

	return n < 0 ? (int)n : 0;
}

static void connect_now(void *arg)
{
	struct fence_link *link = arg;
	uint8_t buf[FENCE_STATE_WIRE_MAX];
	ssize_t n;

	link->client = ipc_connect("stockade-fenced");
	if (link->client == NULL) {
		loop_timer_arm(link->retry, mono_ms() + RETRY_MS);
		return;
	}
	n = ipc_call(link->client, IPC_FENCE_SUBSCRIBE, NULL, 0, NULL, buf, sizeof(buf), CALL_MS);
	if (n < 0 || ipc_client_fd(link->client) < 0 ||
	    loop_fd_add(link->loop, ipc_client_fd(link->client), POLLIN, on_ready, link) < 0) {
		link->client = ipc_close(link->client);
		loop_timer_arm(link->retry, mono_ms() + RETRY_MS);
		return;
	}
	link->was_up = true;
	log_info("fence.link", "up=1");
	if (link->has_signs && send_signs(link) < 0) {
		down(link, "it did not take our signs");
		return;
	}
	if (n > 0 && hear(link, buf, (size_t)n) < 0)
		down(link, "an unreadable state");
}

struct fence_link *fence_link_open(struct loop *loop, const struct fence_link_ops *ops, void *arg)
{
	struct fence_link *link = calloc(1, sizeof(*link));

	if (link == NULL)
		return NULL;
	link->loop = loop;
	link->ops = *ops;
	link->arg = arg;
	link->retry = loop_timer_new(loop, connect_now, link);
	if (link->retry == NULL) {
		free(link);
		return NULL;
	}
	loop_timer_arm(link->retry,
		       mono_ms()); /* from the loop: state() never runs inside open() */
	return link;
}

struct fence_link *fence_link_close(struct fence_link *link)
{
	if (link == NULL)
		return NULL;
	if (link->client != NULL) {
		loop_fd_del(link->loop, ipc_client_fd(link->client));
		ipc_close(link->client);
	}
	loop_timer_free(link->retry);
	free(link);
	return NULL;
}

bool fence_link_up(const struct fence_link *link)
{
	return link->client != NULL;
}

void fence_link_signs(struct fence_link *link, const struct fence_signs *signs)
{
	link->signs = *signs;
	link->has_signs = true;
	if (link->client != NULL && send_signs(link) < 0)
		down(link, "it did not take our signs");
}

json_t *fence_link_call(struct fence_link *link, json_t *request)
{
	json_t *reply;

	if (link->client == NULL) {
		json_decref(request);
		errno = ENOTCONN;
		return NULL;
	}
	reply = ipc_call_json(link->client, request, CALL_MS);
	if (reply == NULL)
		down(link, "it did not answer");
	return reply;
}
