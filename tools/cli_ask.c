/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Asking the daemons: all at the same time, and never waiting for one that hangs. */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

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
	reply = ipc_call_json(c, request, timeout_ms);
	*error = reply ? 0 : errno;
	ipc_close(c);
	return reply;
}

/* Shared by the asker and its threads; the last one to let go frees it, so a thread that hangs may outlive the call. */
struct round {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	unsigned users, pending;
	int timeout_ms;
	struct answer answer[DAEMONS];
	struct job {
		struct round *round;
		enum daemon daemon;
		json_t *request;
	} job[DAEMONS];
};

/* Called with the lock held; gives it back. */
static void round_leave(struct round *r)
{
	bool last = --r->users == 0;

	pthread_mutex_unlock(&r->lock);
	if (!last)
		return;
	answers_free(r->answer);
	pthread_cond_destroy(&r->changed);
	pthread_mutex_destroy(&r->lock);
	free(r);
}

static void *ask_thread(void *arg)
{
	struct job *j = arg;
	struct round *r = j->round;
	int error = 0;
	json_t *reply = ask_quietly(j->daemon, j->request, r->timeout_ms, &error);

	pthread_mutex_lock(&r->lock);
	r->answer[j->daemon] = (struct answer){ .reply = reply, .error = error };
	r->pending--;
	pthread_cond_signal(&r->changed);
	round_leave(r);
	return NULL;
}

static void start(struct round *r, enum daemon d, const json_t *request, const pthread_attr_t *attr)
{
	pthread_t thread;
	int error;

	r->job[d] = (struct job){ .round = r, .daemon = d, .request = json_deep_copy(request) };
	r->users++;
	r->pending++;
	error = pthread_create(&thread, attr, ask_thread, &r->job[d]);
	if (error == 0)
		return;
	json_decref(r->job[d].request);
	r->answer[d].error = error;
	r->users--;
	r->pending--;
}

void ask_all(json_t *request, int timeout_ms, struct answer answer[DAEMONS])
{
	struct round *r = calloc(1, sizeof(*r));
	pthread_condattr_t cond;
	pthread_attr_t attr;
	struct timespec until;
	int waited = 0;

	for (unsigned d = 0; d < DAEMONS; d++)
		answer[d] = (struct answer){ .error = ENOMEM };
	if (!r) {
		json_decref(request);
		return;
	}
	pthread_condattr_init(&cond);
	pthread_condattr_setclock(&cond, CLOCK_MONOTONIC);
	pthread_cond_init(&r->changed, &cond);
	pthread_condattr_destroy(&cond);
	pthread_mutex_init(&r->lock, NULL);
	r->timeout_ms = timeout_ms;
	r->users = 1;
	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += timeout_ms / 1000;
	until.tv_nsec += timeout_ms % 1000 * 1000000L;
	if (until.tv_nsec >= 1000000000L) {
		until.tv_sec++;
		until.tv_nsec -= 1000000000L;
	}

	pthread_mutex_lock(&r->lock);
	for (unsigned d = 0; d < DAEMONS; d++)
		r->answer[d].error = ETIMEDOUT; /* until it is better known */
	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	pthread_attr_setstacksize(&attr, 256 * 1024);
	for (unsigned d = 0; d < DAEMONS; d++)
		start(r, d, request, &attr);
	pthread_attr_destroy(&attr);
	json_decref(request);
	while (r->pending && waited != ETIMEDOUT)
		waited = pthread_cond_timedwait(&r->changed, &r->lock, &until);
	for (unsigned d = 0; d < DAEMONS; d++) {
		answer[d] = r->answer[d];
		r->answer[d].reply = NULL;
	}
	round_leave(r);
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
