// SPDX-License-Identifier: GPL-3.0-or-later
/* One hypervisor's conversation: we challenge, it answers, it challenges, we answer, then its result. */
#include "xvm.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

/* How long a daemon that took our flag may take for its verdict after the byte; the stock one closes at once. */
#define VERDICT_WAIT_MS 500

void talk_fail(struct talk *t, enum talk_why why)
{
	t->stage = TALK_FAILED;
	t->why = why;
	if (t->fd >= 0)
		close(t->fd);
	t->fd = -1;
}

static void done(struct talk *t)
{
	t->stage = TALK_DONE;
	if (t->fd >= 0)
		close(t->fd);
	t->fd = -1;
}

void talk_end(struct talk *t)
{
	if (t->fd >= 0)
		close(t->fd);
	t->fd = -1;
	free(t->guest);
	t->guest = NULL;
	t->n_guests = 0;
}

bool talk_over(const struct talk *t)
{
	return t->stage == TALK_DONE || t->stage == TALK_FAILED;
}

short talk_events(const struct talk *t)
{
	return t->stage == TALK_CONNECT ? POLLOUT : POLLIN;
}

static void expect(struct talk *t, enum talk_stage stage, size_t want)
{
	t->stage = stage;
	t->in_len = 0;
	t->want = want;
}

/* Some hundred bytes into an empty socket buffer: it takes them whole, or something is wrong. */
static bool put(struct talk *t, const void *data, size_t len)
{
	if (send(t->fd, data, len, MSG_NOSIGNAL) == (ssize_t)len)
		return true;
	talk_fail(t, TALK_WHY_HUNG_UP);
	return false;
}

static void opened(struct agent *a, struct talk *t)
{
	const struct xvm *x = xvm_of(a);

	if ((x->way == XVM_TCP || x->way == XVM_VSOCK) && !put(t, t->request, VIRT_REQUEST_BYTES))
		return;
	if (x->auth == VIRT_HASH_NONE) {
		expect(t, TALK_RESULT, 1);
		return;
	}
	if (getrandom(t->challenge_1, sizeof(t->challenge_1), 0) != sizeof(t->challenge_1)) {
		talk_fail(t, TALK_WHY_GARBLED);
		return;
	}
	if (put(t, t->challenge_1, sizeof(t->challenge_1)))
		expect(t, TALK_RESPONSE, VIRT_CHALLENGE_BYTES);
}

void talk_begin(struct agent *a, struct talk *t, int fd, bool connected)
{
	t->fd = fd;
	t->stage = TALK_CONNECT;
	if (connected)
		opened(a, t);
}

static void on_result(struct talk *t, uint8_t op)
{
	t->result = t->in[0];
	if (op == VIRT_HOSTLIST && t->result == VIRT_LIST_FOLLOWS) {
		expect(t, TALK_LIST, VIRT_HOST_BYTES);
		return;
	}
	if (op == VIRT_HOSTLIST) { /* no list: the byte says why, and no verdict follows */
		done(t);
		return;
	}
	t->verdict_end_ms = agent_now_ms() + VERDICT_WAIT_MS;
	expect(t, TALK_VERDICT, VIRT_VERDICT_BYTES);
}

static void on_verdict(struct agent *a, struct talk *t)
{
	const struct xvm *x = xvm_of(a);
	const struct virt_seal seal = { .key = x->auth == VIRT_HASH_NONE ? NULL : x->key,
					.key_len = x->auth == VIRT_HASH_NONE ? 0 : x->key_len,
					.request = t->request,
					.challenge_1 = t->challenge_1,
					.challenge_2 = t->challenge_2 };
	int r = virt_verdict_decode(&t->verdict, t->in, &seal);

	/* The byte before it is not sealed: the verdict repeats it, and they must agree. */
	if (r < 0 || t->verdict.result != t->result) {
		talk_fail(t, r == -EBADMSG ? TALK_WHY_GARBLED : TALK_WHY_SEAL);
		return;
	}
	t->has_verdict = true;
	t->sealed = seal.key != NULL;
	done(t);
}

static void on_record(struct talk *t)
{
	struct virt_host h;

	if (!virt_host_decode(&h, t->in)) {
		expect(t, TALK_LIST_RESULT, 1);
		return;
	}
	if (!t->guest)
		t->guest = calloc(XVM_GUESTS_MAX, sizeof(*t->guest));
	if (!t->guest || t->n_guests == XVM_GUESTS_MAX) {
		talk_fail(t, TALK_WHY_GARBLED);
		return;
	}
	t->guest[t->n_guests++] = h;
	expect(t, TALK_LIST, VIRT_HOST_BYTES);
}

static void whole(struct agent *a, struct talk *t, uint8_t op)
{
	const struct xvm *x = xvm_of(a);
	uint8_t want[VIRT_CHALLENGE_BYTES];

	switch (t->stage) {
	case TALK_RESPONSE:
		if (virt_response(x->auth, x->key, x->key_len, t->challenge_1, want) < 0 ||
		    !virt_equal(want, t->in, sizeof(want))) {
			talk_fail(t, TALK_WHY_KEY);
			return;
		}
		expect(t, TALK_CHALLENGE, VIRT_CHALLENGE_BYTES);
		return;
	case TALK_CHALLENGE:
		memcpy(t->challenge_2, t->in, sizeof(t->challenge_2));
		/* who sends our own challenge back wants us to answer it in his stead */
		if (virt_equal(t->challenge_1, t->challenge_2, sizeof(t->challenge_1)) ||
		    virt_response(x->auth, x->key, x->key_len, t->challenge_2, want) < 0) {
			talk_fail(t, TALK_WHY_KEY);
			return;
		}
		if (put(t, want, sizeof(want)))
			expect(t, TALK_RESULT, 1);
		return;
	case TALK_RESULT: on_result(t, op); return;
	case TALK_VERDICT: on_verdict(a, t); return;
	case TALK_LIST: on_record(t); return;
	case TALK_LIST_RESULT:
		/* the list is whole; 0: of all hypervisors behind this daemon */
		t->result = t->in[0];
		done(t);
		return;
	case TALK_CONNECT:
	case TALK_DONE:
	case TALK_FAILED: return;
	}
}

/* The peer has closed. */
static void closed(struct talk *t)
{
	switch (t->stage) {
	case TALK_VERDICT:
		/* the stock daemon: a byte, and no more; but a part of a verdict is no answer */
		if (t->in_len == 0)
			done(t);
		else
			talk_fail(t, TALK_WHY_GARBLED);
		return;
	case TALK_LIST_RESULT:
		/* the zero record was there; some daemons end with it */
		t->result = VIRT_SUCCESS;
		done(t);
		return;
	case TALK_RESPONSE:
		talk_fail(t, t->in_len == 1 ? TALK_WHY_NO_AUTH : TALK_WHY_HUNG_UP);
		return;
	default: talk_fail(t, TALK_WHY_HUNG_UP); return;
	}
}

void talk_step(struct agent *a, struct talk *t, uint8_t op)
{
	if (t->stage == TALK_CONNECT) {
		int err = 0;
		socklen_t len = sizeof(err);

		if (getsockopt(t->fd, SOL_SOCKET, SO_ERROR, &err, &len) < 0 || err != 0) {
			agent_debug(a, "%s: %s", t->peer, strerror(err));
			talk_fail(t, TALK_WHY_CONNECT);
			return;
		}
		opened(a, t);
		return;
	}
	/* Who sends without end is interrupted, so that others are heard and the time limit is looked at. */
	for (unsigned turns = 0; turns < 64 && !talk_over(t); turns++) {
		ssize_t n = recv(t->fd, t->in + t->in_len, t->want - t->in_len, MSG_DONTWAIT);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
			if (t->stage == TALK_VERDICT && agent_now_ms() >= t->verdict_end_ms)
				closed(t);
			return;
		}
		if (n <= 0) {
			closed(t);
			return;
		}
		t->in_len += (size_t)n;
		if (t->in_len == t->want)
			whole(a, t, op);
	}
}
