/* SPDX-License-Identifier: GPL-3.0-or-later */
/* stockade fence --drill: fence a node for real, while everybody is well, to know that it will work when it has to.
 *
 * The node is put into standby, its services move away, fenced switches it off by one level's devices and reads that back, it
 * boots, joins, and leaves standby again. Whether there may be a drill at all is decided by fenced's core, at the place in
 * the agreed order where it would begin (fenced/core/drill.c); here is only the walk around it. A drill that tested no
 * device (the node was gone before one acted, or the device failed) is no success, however well everything came back.
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
	unsigned level; /* from 1; 0: the one whose test is longest ago */
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

static const json_t *drill_of(const json_t *fenced, const char *node)
{
	return json_object_get(js_find(json_object_get(fenced, "nodes"), "name", node), "drill");
}

/* Whose turn is it, and who does it? The node whose last drill is longest ago; the lowest other member. */
int drill_next(char node[64], uint64_t min_age_ms, bool *ret_ours)
{
	json_t *status = status_of(FENCED), *n;
	const json_t *next = NULL, *actor = NULL, *nodes = json_object_get(status, "nodes");
	char ago[DURATION_TEXT];
	size_t i;

	if (!status) {
		say_no_answer(FENCED, 0);
		return EXIT_NOT_RUNNING;
	}
	json_array_foreach (nodes, i, n) {
		const json_t *last = json_object_get(n, "drill");
		int64_t age_s = js_int(last, "age_s", INT32_MAX);

		if (!next ||
		    js_int(last, "number", 0) < js_int(json_object_get(next, "drill"), "number", 0))
			next = n;
		if ((uint64_t)age_s * 1000 >= min_age_ms)
			continue;
		printf("no drill: the last one, of %s, was %s ago\n", js_text(n, "name", "?"),
		       duration_text((uint64_t)age_s * 1000, ago, sizeof(ago)));
		json_decref(status);
		*ret_ours = false;
		return EXIT_OK;
	}
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

/* Why there is no drill goes into the history too: nobody may be looking at a scheduled one. */
static int skipped(const struct drill *d, int code, const char *why, const char *remedy)
{
	int error;

	fprintf(stderr, "stockade: no drill of %s: %s\n  to do: %s\n", d->node, why, remedy);
	json_decref(ask_quietly(FENCED,
				json_pack("{s:s, s:s, s:b, s:s}", "cmd", "fence", "node", d->node,
					  "drill", 1, "skipped", why),
				ASK_MS, &error));
	return code;
}

/* May another node take this service over? Held nodes start nothing, and fenced says who they are. */
static bool another(const json_t *storaged, const json_t *fenced, const json_t *service,
		    const char *node)
{
	json_t *name;
	size_t i;

	json_array_foreach (json_object_get(service, "allowed"), i, name) {
		const char *to = json_string_value(name);
		const json_t *n = js_find(json_object_get(storaged, "nodes"), "name", to);
		const json_t *f = js_find(json_object_get(fenced, "nodes"), "name", to);

		if (strcmp(to, node) != 0 && strcmp(js_text(n, "state", ""), "online") == 0 &&
		    js_false(n, "standby") && js_false(f, "held") &&
		    !js_find(json_object_get(service, "failed_on"), "node", to))
			return true;
	}
	return false;
}

/* A service of this node that nobody else could serve: it is needed. */
static int needed(const struct drill *d, const json_t *storaged)
{
	json_t *fenced = status_of(FENCED), *s;
	int code = EXIT_OK;
	char why[256];
	size_t i;

	json_array_foreach (json_object_get(storaged, "services"), i, s)
		if (code == EXIT_OK && strcmp(js_text(s, "node", ""), d->node) == 0 &&
		    strcmp(js_text(s, "state", ""), "stopped") != 0 &&
		    !another(storaged, fenced, s, d->node)) {
			snprintf(why, sizeof(why), "it is the last node able to serve %s",
				 js_text(s, "name", "?"));
			code = skipped(d, EXIT_REFUSED, why,
				       "let another node be able to: stockade status");
		}
	json_decref(fenced);
	return code;
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
	code = needed(d, status);
	json_decref(status);
	if (code != EXIT_OK) {
		d->was_standby = true; /* nothing to give back */
		return code;
	}
	if (!d->was_standby && (code = standby(d->node, "standby")) != EXIT_OK)
		return code;
	for (;;) {
		status = status_of(STORAGED);
		bool busy = !status || serves(status, d->node);

		json_decref(status);
		if (!busy)
			return EXIT_OK;
		say(d, "its services move away");
		if (mono_ms() - d->begin_ms > d->limit_ms)
			return skipped(d, EXIT_DEGRADED, "its services did not move away in time",
				       "stockade why SERVICE");
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
					    json_pack("{s:s, s:s, s:s, s:b, s:i}", "cmd", "fence",
						      "node", d->node, "reason", reason, "drill", 1,
						      "level", (int)d->level),
					    10000, &error);
		bool ok = js_true(reply, "ok"),
		     again = reply && !ok && mono_ms() - begin_ms < QUIET_MS;
		int code = EXIT_NOT_RUNNING;

		if (!reply)
			say_no_answer(FENCED, error);
		else if (!ok && !again)
			code = skipped(d, EXIT_REFUSED, js_text(reply, "error", "fenced refuses"),
				       js_text(reply, "remedy", "stockade status"));
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

/* Ordered, but begun only when the cluster has heard of it in its order, and nothing stood in the way by then. */
static int begun(struct drill *d)
{
	for (;;) {
		json_t *status = status_of(FENCED);
		const json_t *drill = drill_of(status, d->node);
		const char *refused = js_str(drill, "refused");
		bool pending = !status || js_true(drill, "pending");
		int code = EXIT_OK;

		if (!pending && refused && *refused) {
			fprintf(stderr, "stockade: no drill of %s: %s\n  to do: stockade status\n",
				d->node, refused);
			code = EXIT_REFUSED;
		}
		json_decref(status);
		if (!pending || mono_ms() - d->begin_ms > d->limit_ms)
			return code;
		pause_ms(POLL_MS);
	}
}

static void say_paths(const json_t *node, unsigned level, bool tested)
{
	const json_t *levels = json_object_get(json_object_get(node, "drill"), "levels");
	json_t *path;
	char ago[DURATION_TEXT];
	size_t i;

	json_array_foreach (json_object_get(node, "paths"), i, path) {
		unsigned l = (unsigned)js_int(path, "level", 0);
		const json_t *last = json_array_get(levels, l - 1);
		const char *plug = js_text(path, "plug", "");
		int64_t age_s = js_int(last, "age_s", -1);

		printf("  level %u  %s%s%s: ", l, js_text(path, "device", "?"),
		       *plug ? " plug " : "", plug);
		if (l == level && tested)
			printf("%sswitched it off, and said so when asked%s\n", green(), plain());
		else if (l == level)
			printf("%snot tested%s\n", red(), plain());
		else if (age_s < 0)
			printf("not in this drill, and in none before: --level %u\n", l);
		else
			printf("not in this drill; in one %s ago\n",
			       duration_text((uint64_t)age_s * 1000, ago, sizeof(ago)));
	}
}

/* Which proof settled it, and was any device tested by that? */
static int say_result(struct drill *d, uint64_t before)
{
	json_t *status = status_of(FENCED);
	const json_t *node = js_find(json_object_get(status, "nodes"), "name", d->node);
	const json_t *drill = json_object_get(node, "drill");
	const char *error = js_str(drill, "error");
	bool told = (uint64_t)js_int(drill, "number", 0) > before,
	     tested = told && js_true(drill, "tested");
	unsigned level = told ? (unsigned)js_int(drill, "level", 0) : d->level;

	say_paths(node, level, tested);
	if (!tested)
		fprintf(stderr,
			"stockade: the drill tested no device: it was settled by %s%s%s\n"
			"  to do: %s; then stockade fence --drill %s --level %u\n",
			told ? js_text(drill, "kind", "?") : "something that fenced does not know",
			error && *error ? ", after the device had failed: " : "",
			error && *error ? error : "",
			error && *error
				? "repair the device"
				: "find out why it was gone before its device acted (stockade history)",
			d->node, level ? level : 1);
	else if (error && *error) /* another node's device did it in the end */
		fprintf(stderr,
			"stockade: not every node could: %s\n  to do: stockade check on each node\n",
			error);
	bool well = tested && !(error && *error);

	json_decref(status);
	return well ? EXIT_OK : EXIT_FAILED;
}

int drill_run(const char *node, unsigned level, const char *reason, uint64_t limit_ms)
{
	struct drill d = {
		.node = node, .level = level, .limit_ms = limit_ms, .begin_ms = mono_ms()
	};
	json_t *status = status_of(FENCED);
	int64_t before = js_int(
		json_object_get(js_find(json_object_get(status, "nodes"), "name", node), "proof"),
		"number", -1);
	uint64_t drills = (uint64_t)js_int(drill_of(status, node), "number", 0);
	char took[DURATION_TEXT];
	int code, tested = EXIT_OK;

	json_decref(status);
	printf("drill: %s is to be fenced for real\n", node);
	fflush(stdout);
	code = move_away(&d);
	if (code == EXIT_OK)
		code = order(&d, reason);
	if (code == EXIT_OK)
		code = begun(&d);
	if (code == EXIT_OK) {
		code = fence_follow(node, before, limit_ms);
		if (code == EXIT_OK)
			tested = say_result(&d, drills);
		if (code == EXIT_OK)
			code = come_back(&d);
		if (code != EXIT_OK)
			return code; /* it stays in standby until somebody has looked */
	}
	if (!d.was_standby && standby(node, "unstandby") != EXIT_OK && code == EXIT_OK)
		code = EXIT_DEGRADED;
	if (code == EXIT_OK)
		printf("drill: %s was fenced%s, and is back after %s\n", node,
		       tested == EXIT_OK ? " by its devices" : ", but not by its devices",
		       duration_text(mono_ms() - d.begin_ms, took, sizeof(took)));
	return code == EXIT_OK ? tested : code;
}
