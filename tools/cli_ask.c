/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Asking the daemons: all at the same time, and never waiting for one that hangs. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/shell/ipc.h"
#include "tools/cli.h"

const char *const daemon_names[DAEMONS] = { "fenced", "dlmd", "storaged" };

json_t *ask_quietly(enum daemon d, json_t *request, int timeout_ms, int *error)
{
	char name[32];
	struct ipc_client *c;
	json_t *reply = NULL;

	snprintf(name, sizeof(name), "stockade-%s", daemon_names[d]);
	c = ipc_connect(name);
	if (!c) {
		*error = errno;
		json_decref(request);
		return NULL;
	}
	reply = js_tame(ipc_call_json(c, request, timeout_ms));
	*error = reply ? 0 : errno;
	ipc_close(c);
	return reply;
}

/* One daemon's part of a round: asked the short way, and, when that gives no answer (an older daemon, another user), by a
 * connection, which has the words for what is wrong. */
struct asked {
	struct ipc_client *client;
	int fd;
	enum { ASKED_SHORT = 1, ASKED_CONNECTING, ASKED_WAITING, ASKED_OVER } phase;
};

static void asked_over(struct asked *a, struct answer *answer, int error)
{
	if (a->phase == ASKED_SHORT)
		close(a->fd);
	answer->error = error;
	a->client = ipc_close(a->client);
	a->phase = ASKED_OVER;
}

static void asked_connect(struct asked *a, struct answer *answer, enum daemon d)
{
	char name[32];

	snprintf(name, sizeof(name), "stockade-%s", daemon_names[d]);
	a->client = ipc_connect_start(name, &a->fd);
	a->phase = ASKED_CONNECTING;
	if (!a->client)
		asked_over(a, answer, errno);
}

static void asked_begin(struct asked *a, struct answer *answer, enum daemon d, const char *text)
{
	char name[32];

	snprintf(name, sizeof(name), "stockade-%s", daemon_names[d]);
	a->phase = ASKED_SHORT;
	a->fd = ipc_ask_start(name, text);
	if (a->fd < 0)
		asked_connect(a, answer, d);
}

static void asked_parse(struct asked *a, struct answer *answer, const char *buf, size_t len)
{
	json_t *reply = json_loadb(buf, len, 0, NULL);

	if (!json_is_object(reply)) {
		json_decref(reply);
		reply = NULL;
	}
	answer->reply = js_tame(reply);
	asked_over(a, answer, reply ? 0 : EPROTO);
}

static void asked_connected(struct asked *a, struct answer *answer, const char *text)
{
	int r = ipc_connect_finish(a->client);

	if (r == 0)
		r = ipc_post(a->client, IPC_JSON, text, strlen(text));
	if (r == 0) {
		a->fd = ipc_client_fd(a->client);
		r = a->fd < 0 ? -errno : 0;
	}
	a->phase = ASKED_WAITING;
	if (r < 0)
		asked_over(a, answer, -r);
}

/* Its descriptor is readable. */
static void asked_go_on(struct asked *a, struct answer *answer, enum daemon d, const char *text)
{
	static char buf[IPC_BYTES_MAX];
	bool is_reply = false;
	uint32_t type;
	ssize_t n;

	switch (a->phase) {
	case ASKED_SHORT:
		n = ipc_ask_finish(a->fd, buf, sizeof(buf));
		if (n == -EAGAIN)
			return;
		if (n > 0) {
			asked_parse(a, answer, buf, (size_t)n);
			return;
		}
		close(a->fd);
		asked_connect(a, answer, d);
		return;
	case ASKED_CONNECTING: asked_connected(a, answer, text); return;
	case ASKED_WAITING:
		n = ipc_next(a->client, &type, &is_reply, buf, sizeof(buf));
		if (n < 0)
			asked_over(a, answer, (int)-n);
		else if (is_reply)
			asked_parse(a, answer, buf, type == IPC_JSON ? (size_t)n : 0);
		return;
	case ASKED_OVER: return;
	}
}

/* No threads: all three are asked from one poll(), so that a daemon that hangs costs nobody else anything, and the
 * program starts nothing that it would have to wait for. */
void ask_all(json_t *request, int timeout_ms, struct answer answer[DAEMONS])
{
	struct asked asked[DAEMONS] = { { .client = NULL } };
	char *text = json_dumps(request, JSON_COMPACT);
	uint64_t until = mono_ms() + (uint64_t)timeout_ms;

	json_decref(request);
	for (unsigned d = 0; d < DAEMONS; d++) {
		answer[d] = (struct answer){ .error = ENOMEM };
		asked[d].phase = ASKED_OVER;
		if (text)
			asked_begin(&asked[d], &answer[d], d, text);
	}
	for (;;) {
		struct pollfd p[DAEMONS];
		uint64_t now = mono_ms();
		bool any = false;

		for (unsigned d = 0; d < DAEMONS; d++) {
			bool waits = asked[d].phase != ASKED_OVER;

			any |= waits;
			p[d] = (struct pollfd){ .fd = waits ? asked[d].fd : -1, .events = POLLIN };
		}
		if (!any || now >= until)
			break;
		if (poll(p, DAEMONS, (int)(until - now)) < 0 && errno != EINTR)
			break;
		for (unsigned d = 0; d < DAEMONS; d++)
			if (p[d].fd >= 0 && p[d].revents)
				asked_go_on(&asked[d], &answer[d], d, text);
	}
	for (unsigned d = 0; d < DAEMONS; d++)
		if (asked[d].phase !=
		    ASKED_OVER) /* its answer may still come: of no use to a next round */
			asked_over(&asked[d], &answer[d], ETIMEDOUT);
	free(text);
}

void answers_free(struct answer answer[DAEMONS])
{
	for (unsigned d = 0; d < DAEMONS; d++) {
		json_decref(answer[d].reply);
		answer[d].reply = NULL;
	}
}

void say_no_answer(enum daemon d, int error)
{
	const char *name = daemon_names[d];

	if (error == ECONNREFUSED || error == ENOENT)
		fprintf(stderr,
			"stockade: %s does not run on this node.\n"
			"  to do: systemctl start stockade.target; if it ends at once: journalctl -u stockade-%s\n",
			name, name);
	else if (error == ETIMEDOUT)
		fprintf(stderr,
			"stockade: %s runs, but gives no answer.\n"
			"  to do: look with: journalctl -u stockade-%s; systemd restarts it if it hangs\n",
			name, name);
	else if (error == EACCES || error == EPERM)
		fprintf(stderr, "stockade: %s answers root only.\n  to do: use sudo\n", name);
	else
		fprintf(stderr,
			"stockade: %s gives no answer: %s.\n  to do: journalctl -u stockade-%s\n",
			name, strerror(error), name);
}

unsigned say_no_answers(const struct answer answer[DAEMONS])
{
	unsigned n = 0, refused = 0, forbidden = 0;

	for (unsigned d = 0; d < DAEMONS; d++) {
		n += !answer[d].reply;
		refused += !answer[d].reply && answer[d].error == ECONNREFUSED;
		forbidden += !answer[d].reply && answer[d].error == EACCES;
	}
	if (forbidden == DAEMONS) {
		fputs("stockade: the daemons answer root only.\n  to do: use sudo\n", stderr);
		return n;
	}
	if (refused == DAEMONS) {
		fputs("stockade: none of fenced, dlmd, storaged runs on this node.\n"
		      "  to do: systemctl start stockade.target; if they end at once: journalctl -u 'stockade-*'\n",
		      stderr);
		return n;
	}
	for (unsigned d = 0; d < DAEMONS; d++)
		if (!answer[d].reply)
			say_no_answer(d, answer[d].error);
	return n;
}

int say_refusal(const json_t *reply)
{
	static const struct {
		const char *code;
		int exit;
	} codes[] = { { "usage", EXIT_USAGE },
		      { "no_such", EXIT_USAGE },
		      { "refused", EXIT_REFUSED },
		      { "again", EXIT_DEGRADED } };
	const char *code = js_text(reply, "code", "failed");

	fprintf(stderr, "stockade: %s\n",
		js_text(reply, "error", "it failed, and the daemon does not say why"));
	if (js_str(reply, "remedy"))
		fprintf(stderr, "  to do: %s\n", js_str(reply, "remedy"));
	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
		if (strcmp(code, codes[i].code) == 0)
			return codes[i].exit;
	return EXIT_FAILED;
}

json_t *ask(enum daemon d, json_t *request, int timeout_ms, int *code)
{
	int error = 0;
	json_t *reply = ask_quietly(d, request, timeout_ms, &error);

	*code = EXIT_OK;
	if (!reply) {
		say_no_answer(d, error);
		*code = EXIT_NOT_RUNNING;
		return NULL;
	}
	if (!js_true(reply, "ok")) {
		*code = say_refusal(reply);
		json_decref(reply);
		return NULL;
	}
	return reply;
}
