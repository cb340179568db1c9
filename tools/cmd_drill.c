/* SPDX-License-Identifier: GPL-3.0-or-later */
/* stockade fence --drill: fence a node for real, while everybody is well, to know that it will work when it has to.
 *
 * The node is put into standby, its services move away, fenced switches it off and reads that back, it boots, joins, and
 * leaves standby again. Whether there may be a drill at all is decided by fenced's core, at the place in the agreed order
 * where it would begin (fenced/core/loop.c); here is only the walk around it.
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lib/shell/loop.h"
#include "tools/cli.h"
#include "tools/drill.h"

#define POLL_MS 300
#define QUIET_MS 20000 /* signs and checks follow a moved service within this */

struct drill {
	const char *node;
	uint64_t limit_ms, begin_ms;
	bool was_standby;
	char said[256];
};

static void say(struct drill *d, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void say(struct drill *d, const char *fmt, ...)
{
	char text[256], took[DURATION_TEXT];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (strcmp(text, d->said) == 0)
		return;
	snprintf(d->said, sizeof(d->said), "%s", text);
	printf("  %8s  %s\n", duration_text(mono_ms() - d->begin_ms, took, sizeof(took)), text);
	fflush(stdout);
}

static void pause_ms(unsigned ms)
{
	struct timespec t = { .tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000 };

	nanosleep(&t, NULL);
}

static json_t *status_of(enum daemon daemon)
{
	int error;

	return ask_quietly(daemon, json_pack("{s:s}", "cmd", "status"), ASK_MS, &error);
}

/* Whose turn is it, and who does it? The node whose last drill is longest ago; the lowest other member. */
int drill_next(char node[64], bool *ret_ours)
{
	json_t *status = status_of(FENCED), *n;
	const json_t *next = NULL, *actor = NULL, *nodes = json_object_get(status, "nodes");
	size_t i;

	if (!status) {
		say_no_answer(FENCED, 0);
		return EXIT_NOT_RUNNING;
	}
	json_array_foreach (nodes, i, n)
		if (!next || js_int(n, "drill", 0) < js_int(next, "drill", 0))
			next = n;
	json_array_foreach (nodes, i, n)
		if (!actor && n != next && strcmp(js_text(n, "state", ""), "member") == 0)
			actor = n;
	snprintf(node, 64, "%s", js_text(next, "name", ""));
	*ret_ours = actor && js_true(actor, "self");
	if (!*ret_ours)
		printf("the next drill is of %s, and %s does it\n", node,
		       js_text(actor, "name", "nobody"));
	json_decref(status);
	return EXIT_OK;
}

static int standby(const char *node, const char *action)
{
	int code = EXIT_OK;
	json_t *reply =
		ask(STORAGED,
		    json_pack("{s:s, s:s, s:s}", "cmd", "node", "name", node, "action", action),
		    10000, &code);

	json_decref(reply);
	return reply ? EXIT_OK : code;
}

static bool serves(const json_t *storaged, const char *node)
{
	json_t *s;
	size_t i;

	json_array_foreach (json_object_get(storaged, "services"), i, s)
		if (strcmp(js_text(s, "node", ""), node) == 0 &&
		    strcmp(js_text(s, "state", ""), "stopped") != 0)
			return true;
	return false;
}

static int move_away(struct drill *d)
{
	json_t *status = status_of(STORAGED);
	const json_t *n = js_find(json_object_get(status, "nodes"), "name", d->node);
	int code;

	if (!status) {
		say_no_answer(STORAGED, 0);
		return EXIT_NOT_RUNNING;
	}
	d->was_standby = js_true(n, "standby");
	json_decref(status);
	if (!d->was_standby && (code = standby(d->node, "standby")) != EXIT_OK)
		return code;
	for (;;) {
		status = status_of(STORAGED);
		bool busy = !status || serves(status, d->node);

		json_decref(status);
		if (!busy)
			return EXIT_OK;
		say(d, "its services move away");
		if (mono_ms() - d->begin_ms > d->limit_ms) {
			fprintf(stderr,
				"stockade: its services did not move away in time; no drill\n"
				"  to do: stockade why SERVICE\n");
			return EXIT_DEGRADED;
		}
		pause_ms(POLL_MS);
	}
}

/* fenced hears of a moved service, and of a fence path, a moment later than we do. */
static int order(struct drill *d, const char *reason)
{
	uint64_t begin_ms = mono_ms();

	for (;;) {
		int error = 0;
		json_t *reply = ask_quietly(FENCED,
					    json_pack("{s:s, s:s, s:s, s:b}", "cmd", "fence",
						      "node", d->node, "reason", reason, "drill",
						      1),
					    10000, &error);
		bool ok = js_true(reply, "ok"),
		     again = reply && !ok && mono_ms() - begin_ms < QUIET_MS;
		int code = EXIT_NOT_RUNNING;

		if (!reply)
			say_no_answer(FENCED, error);
		else if (!ok && !again)
			code = say_refusal(reply);
		json_decref(reply);
		if (ok)
			return EXIT_OK;
		if (!again)
			return code;
		pause_ms(POLL_MS);
	}
}

static int come_back(struct drill *d)
{
	for (;;) {
		json_t *status = status_of(FENCED);
		const json_t *n = js_find(json_object_get(status, "nodes"), "name", d->node);
		bool back = strcmp(js_text(n, "state", ""), "member") == 0 && js_true(n, "ready");

		json_decref(status);
		if (back)
			return EXIT_OK;
		say(d, "it boots");
		if (mono_ms() - d->begin_ms > d->limit_ms) {
			fprintf(stderr,
				"stockade: %s has not come back; it stays in standby\n"
				"  to do: stockade why %s; then stockade node unstandby %s\n",
				d->node, d->node, d->node);
			return EXIT_DEGRADED;
		}
		pause_ms(POLL_MS);
	}
}

int drill_run(const char *node, const char *reason, uint64_t limit_ms)
{
	struct drill d = { .node = node, .limit_ms = limit_ms, .begin_ms = mono_ms() };
	json_t *status = status_of(FENCED);
	int64_t before = js_int(
		json_object_get(js_find(json_object_get(status, "nodes"), "name", node), "proof"),
		"number", -1);
	char took[DURATION_TEXT];
	int code;

	json_decref(status);
	printf("drill: %s is fenced for real\n", node);
	code = move_away(&d);
	if (code == EXIT_OK)
		code = order(&d, reason);
	if (code == EXIT_OK) {
		code = fence_follow(node, before, limit_ms);
		if (code == EXIT_OK)
			code = come_back(&d);
		if (code != EXIT_OK)
			return code; /* it stays in standby until somebody has looked */
	}
	if (!d.was_standby && standby(node, "unstandby") != EXIT_OK && code == EXIT_OK)
		code = EXIT_DEGRADED;
	if (code == EXIT_OK)
		printf("drill: %s was fenced, proven off, and is back after %s\n", node,
		       duration_text(mono_ms() - d.begin_ms, took, sizeof(took)));
	return code;
}
