/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "lib/shell/fence_link.h"

#include "lib/shell/log.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#define NAME "stockade-fenced"
#define RETRY_MS 250
#define ANSWER_MS 1000 /* fenced answers from memory: later means that it hangs */

enum state {
	DOWN,        /* the timer tries again */
	CONNECTING,  /* libqb's greeting is to come */
	SUBSCRIBING, /* the first state is to come */
	UP,
};

struct ask {
	struct ask *next;
	char *text;
	void (*done)(void *arg, json_t *reply, const char *why);
	void *arg;
};

struct fence_link {
	struct loop *loop;
	struct fence_link_ops ops;
	void *arg;
	struct ipc_client *client;
	int fd; /* in the loop, or -1 */
	enum state state;
	struct loop_timer *timer; /* the next try, or the end of fenced's time to answer */
	bool busy;                /* a request waits for its reply */
	bool broken;              /* found while the owner called us: the timer tells it */
	bool has_signs, signs_due;
	struct fence_signs signs;
	const char *who; /* NULL: it is not said that we are alive */
	uint32_t every_ms;
	bool alive_due;
	struct loop_timer *alive;
	struct ask *first, **last;
	bool asking; /* what we wait for is the reply to `first` */
	uint8_t buf[IPC_BYTES_MAX];
};

static void answered(struct fence_link *link, json_t *reply, const char *why)
{
	struct ask *a = link->first;

	link->first = a->next;
	if (link->first == NULL)
		link->last = &link->first;
	link->asking = false;
	if (a->done != NULL)
		a->done(a->arg, reply, why);
	free(a->text);
	free(a);
}

static void unwatch(struct fence_link *link)
{
	if (link->fd >= 0)
		loop_fd_del(link->loop, link->fd);
	link->fd = -1;
}

static void down(struct fence_link *link, const char *why)
{
	bool was_up = link->state == UP;

	unwatch(link);
	link->client = ipc_close(link->client);
	link->state = DOWN;
	link->busy = link->broken = false;
	loop_timer_arm(link->timer, mono_ms() + RETRY_MS);
	if (was_up) {
		log_warning("fence.lost", "reason=\"%s\"", why);
		if (link->ops.lost != NULL)
			link->ops.lost(link->arg);
	}
	while (link->first != NULL)
		answered(link, NULL, why);
}

static int watch(struct fence_link *link, int fd, void (*on_ready)(void *arg, int fd, int revents))
{
	int r = fd < 0 ? -EBADF : loop_fd_add(link->loop, fd, POLLIN, on_ready, link);

	link->fd = r == 0 ? fd : -1;
	return r;
}

static int post(struct fence_link *link, uint32_t type, const void *data, size_t len)
{
	int r = ipc_post(link->client, type, data, len);

	link->busy = r == 0;
	if (r == 0)
		loop_timer_arm(link->timer, mono_ms() + ANSWER_MS);
	return r;
}

static int post_signs(struct fence_link *link)
{
	uint8_t buf[FENCE_SIGNS_WIRE_MAX];
	int len = fence_signs_encode(&link->signs, buf, sizeof(buf));

	assert(len >= 0); /* FENCE_SIGNS_WIRE_MAX holds any */
	link->signs_due = false;
	return post(link, IPC_FENCE_SIGNS, buf, (size_t)len);
}

/* Say what is due, one request after the other: the latest signs first. */
static void speak(struct fence_link *link)
{
	int r = 0;

	if (link->state != UP || link->busy || link->broken)
		return;
	if (link->signs_due) {
		r = post_signs(link);
	} else if (link->alive_due) {
		link->alive_due = false;
		r = post(link, IPC_FENCE_ALIVE, link->who, strlen(link->who));
	} else if (link->first != NULL) {
		r = post(link, IPC_JSON, link->first->text, strlen(link->first->text));
		link->asking = r == 0;
	}
	if (r < 0) {
		link->broken = true;
		loop_timer_arm(link->timer, 0);
	}
}

/* Return: 0, or -EPROTO: fenced speaks what we cannot read. */
static int hear_state(struct fence_link *link, size_t len)
{
	struct fence_state st;

	if (fence_state_decode(&st, link->buf, len) < 0)
		return -EPROTO;
	if (link->state == SUBSCRIBING) {
		link->state = UP;
		link->signs_due = link->has_signs;
		link->alive_due = link->who != NULL;
		log_info("fence.link", "up=1");
	}
	link->ops.state(link->arg, &st);
	return 0;
}

static int hear_reply(struct fence_link *link, size_t len)
{
	link->busy = false;
	loop_timer_arm(link->timer, UINT64_MAX);
	if (link->state == SUBSCRIBING)
		return hear_state(link, len);
	if (link->asking) {
		json_t *reply = json_loadb((const char *)link->buf, len, 0, NULL);

		answered(link, reply, reply != NULL ? NULL : "an unreadable answer");
		json_decref(reply);
	}
	return 0;
}

static void on_words(void *arg, int fd, int revents)
{
	struct fence_link *link = arg;

	(void)fd;
	(void)revents;
	while (link->client != NULL) {
		bool is_reply;
		uint32_t type;
		ssize_t n = ipc_next(link->client, &type, &is_reply, link->buf, sizeof(link->buf));
		int r = 0;

		if (n == 0 && type == 0)
			break;
		if (n < 0) {
			down(link, "fenced is gone");
			return;
		}
		if (is_reply)
			r = hear_reply(link, (size_t)n);
		else if (type == IPC_FENCE_STATE && link->state == UP)
			r = hear_state(link, (size_t)n);
		if (r < 0) {
			down(link, "fenced sent an unreadable state");
			return;
		}
	}
	speak(link);
}

static void on_greeting(void *arg, int fd, int revents)
{
	struct fence_link *link = arg;

	(void)fd;
	(void)revents;
	unwatch(link);
	int r = ipc_connect_finish(link->client);

	if (r == 0)
		r = watch(link, ipc_client_fd(link->client), on_words);
	if (r == 0) {
		link->state = SUBSCRIBING;
		r = post(link, IPC_FENCE_SUBSCRIBE, NULL, 0);
	}
	if (r < 0)
		down(link, "fenced does not let us in");
}

static void connect_now(struct fence_link *link)
{
	int fd;

	link->client = ipc_connect_start(NAME, &fd);
	link->state = CONNECTING;
	if (link->client == NULL || watch(link, fd, on_greeting) < 0)
		down(link, "fenced is not running");
	else
		loop_timer_arm(link->timer, mono_ms() + ANSWER_MS);
}

static void on_timer(void *arg)
{
	struct fence_link *link = arg;

	if (link->state == DOWN)
		connect_now(link);
	else
		down(link, link->broken ? "fenced is gone" : "fenced hangs: it does not answer");
}

struct fence_link *fence_link_open(struct loop *loop, const struct fence_link_ops *ops, void *arg)
{
	struct fence_link *link = calloc(1, sizeof(*link));

	if (link == NULL)
		return NULL;
	link->loop = loop;
	link->ops = *ops;
	link->arg = arg;
	link->fd = -1;
	link->last = &link->first;
	link->timer = loop_timer_new(loop, on_timer, link);
	if (link->timer == NULL) {
		free(link);
		return NULL;
	}
	loop_timer_arm(link->timer, 0); /* from the loop: state() never runs inside open() */
	return link;
}

struct fence_link *fence_link_close(struct fence_link *link)
{
	if (link == NULL)
		return NULL;
	unwatch(link);
	ipc_close(link->client);
	loop_timer_free(link->timer);
	loop_timer_free(link->alive);
	while (link->first != NULL) {
		link->first->done = NULL;
		answered(link, NULL, "closed");
	}
	free(link);
	return NULL;
}

bool fence_link_up(const struct fence_link *link)
{
	return link->state == UP;
}

void fence_link_signs(struct fence_link *link, const struct fence_signs *signs)
{
	link->signs = *signs;
	link->has_signs = link->signs_due = true;
	speak(link);
}

static void on_alive(void *arg)
{
	struct fence_link *link = arg;

	link->alive_due = true;
	loop_timer_arm(link->alive, mono_ms() + link->every_ms);
	speak(link);
}

int fence_link_alive(struct fence_link *link, const char *who, uint32_t every_ms)
{
	if (link->alive == NULL)
		link->alive = loop_timer_new(link->loop, on_alive, link);
	if (link->alive == NULL)
		return -ENOMEM;
	link->who = who;
	link->every_ms = every_ms;
	loop_timer_arm(link->alive, 0);
	return 0;
}

int fence_link_ask(struct fence_link *link, json_t *request,
		   void (*done)(void *arg, json_t *reply, const char *why), void *arg)
{
	char *text = request != NULL ? json_dumps(request, JSON_COMPACT) : NULL;
	struct ask *a = text != NULL ? calloc(1, sizeof(*a)) : NULL;

	json_decref(request);
	if (a == NULL || link->state != UP) {
		int r = a == NULL ? -ENOMEM : -ENOTCONN;

		free(text);
		free(a);
		return r;
	}
	*a = (struct ask){ .text = text, .done = done, .arg = arg };
	*link->last = a;
	link->last = &a->next;
	speak(link);
	return 0;
}
