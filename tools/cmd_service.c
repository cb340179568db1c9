/* SPDX-License-Identifier: GPL-3.0-or-later */
/* stockade service, node: what an operator orders, and its progress until it is done. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lib/shell/loop.h"
#include "tools/cli.h"

#define POLL_MS 150
#define WAIT_MS (5 * 60 * 1000)

/* What was ordered, and how it is seen to be done. */
struct order {
	const char *action, *name, *node; /* node: NULL, any */
	const char *was_on;               /* relocate: where it was; NULL: nowhere */
	int64_t starts;                   /* restart: done when it is greater */
	uint64_t begin_ms, limit_ms;
	char line[512]; /* last printed, so that only changes are */
};

static void say_progress(struct order *o, const char *text)
{
	char took[DURATION_TEXT];

	if (strcmp(o->line, text) == 0)
		return;
	snprintf(o->line, sizeof(o->line), "%s", text);
	printf("  %8s  %s\n", duration_text(mono_ms() - o->begin_ms, took, sizeof(took)), text);
	fflush(stdout);
}

static void describe(const json_t *s, char *buf, size_t size)
{
	const char *node = js_str(s, "node"), *why = js_str(s, "why");
	const json_t *busy = NULL;
	json_t *r;
	size_t i, len;

	json_array_foreach (json_object_get(s, "resources"), i, r) {
		const char *state = js_text(r, "state", "");

		if (!busy && (strcmp(state, "starting") == 0 || strcmp(state, "stopping") == 0 ||
			      strcmp(state, "failed") == 0))
			busy = r;
	}
	snprintf(buf, size, "%s%s%s", js_text(s, "state", "unknown"), node ? " on " : "",
		 node ? node : "");
	len = strlen(buf);
	if (busy)
		snprintf(buf + len, size - len, ": %s %s %s%s%s", js_text(busy, "type", ""),
			 js_text(busy, "name", ""), js_text(busy, "state", ""),
			 js_str(busy, "step") ? ", " : "", js_text(busy, "step", ""));
	else if (why)
		snprintf(buf + len, size - len, ": %s", why);
}

enum progress { GOING, DONE, GAVE_UP };

static enum progress service_progress(const struct order *o, const json_t *s)
{
	const char *state = js_text(s, "state", "unknown"), *node = js_text(s, "node", "");
	bool running = strcmp(state, "running") == 0;
	bool started = js_int(s, "starts", 0) > o->starts;

	if (strcmp(o->action, "disable") == 0) {
		if (strcmp(state, "stopped") == 0 && js_false(s, "enabled"))
			return DONE;
	} else if (running && strcmp(o->action, "enable") == 0) {
		return DONE;
	} else if (running && strcmp(o->action, "restart") == 0 && started) {
		return DONE;
	} else if (running && strcmp(o->action, "relocate") == 0) {
		if (o->node ? strcmp(node, o->node) == 0
			    : !o->was_on || strcmp(node, o->was_on) != 0)
			return DONE;
		/* It came up again where it was: the other node could not start it. */
		if (started && strcmp(node, o->was_on ? o->was_on : "") == 0)
			return GAVE_UP;
	}
	/* Failed, and nobody is about to try elsewhere. */
	return strcmp(state, "failed") == 0 && !js_str(s, "target") ? GAVE_UP : GOING;
}

/* Nothing runs on the node any more. */
static enum progress standby_progress(const struct order *o, const json_t *status, char *text,
				      size_t size)
{
	json_t *s;
	size_t i, left = 0;

	text[0] = '\0';
	json_array_foreach (json_object_get(status, "services"), i, s) {
		char what[256];

		if (strcmp(js_text(s, "node", ""), o->name) != 0 ||
		    strcmp(js_text(s, "state", ""), "stopped") == 0)
			continue;
		describe(s, what, sizeof(what));
		if (left++ == 0)
			snprintf(text, size, "service %s is %s", js_text(s, "name", "?"), what);
	}
	return left ? GOING : DONE;
}

/* Follow one order until it is done, cannot be, or takes too long. */
static int follow(struct order *o,
		  enum progress (*progress)(const struct order *, const json_t *, char *, size_t))
{
	struct timespec pause = { .tv_nsec = POLL_MS * 1000000L };
	unsigned silent = 0;

	for (;;) {
		char text[512] = "", took[DURATION_TEXT];
		int error = 0;
		json_t *status = ask_quietly(STORAGED, json_pack("{s:s}", "cmd", "status"), ASK_MS,
					     &error);
		enum progress p = GOING;

		if (status) {
			p = progress(o, status, text, sizeof(text));
			silent = 0;
			if (p != DONE && text[0])
				say_progress(o, text);
		} else if (++silent == 20) {
			say_no_answer(STORAGED, error);
			fputs("  The order was accepted and may still be carried out: stockade status\n",
			      stderr);
			return EXIT_NOT_RUNNING;
		}
		json_decref(status);
		if (p == DONE) {
			say_progress(o, text[0] ? text : "done");
			return EXIT_OK;
		}
		if (p == GAVE_UP) {
			fprintf(stderr, "stockade: it did not work: %s\n  to do: stockade why %s\n",
				text, o->name);
			return EXIT_FAILED;
		}
		if (mono_ms() - o->begin_ms > o->limit_ms) {
			fprintf(stderr,
				"stockade: still going on after %s; it is not given up.\n"
				"  to do: stockade why %s\n",
				duration_text(o->limit_ms, took, sizeof(took)), o->name);
			return EXIT_DEGRADED;
		}
		nanosleep(&pause, NULL);
	}
}

static enum progress one_service(const struct order *o, const json_t *status, char *text,
				 size_t size)
{
	const json_t *s = js_find(json_object_get(status, "services"), "name", o->name);

	if (!s)
		return GOING;
	describe(s, text, size);
	return service_progress(o, s);
}

static bool is_one_of(const char *word, const char *const *list)
{
	for (; *list; list++)
		if (strcmp(*list, word) == 0)
			return true;
	return false;
}

/* Takes --no-wait and --timeout off the line. */
static int order_options(int *argc, char **argv, struct order *o, bool *no_wait)
{
	const char *timeout = NULL;
	const struct option_spec spec[] = {
		{ "--no-wait", no_wait, NULL, NULL },
		{ "--timeout", NULL, &timeout, NULL },
		{ NULL, NULL, NULL, NULL },
	};

	if (options_parse(argc, argv, spec))
		return EXIT_USAGE;
	o->limit_ms = WAIT_MS;
	if (timeout && !time_parse(timeout, &o->limit_ms))
		return usage_error("--timeout %s is not a time, such as 90s or 5min", timeout);
	return EXIT_OK;
}

static int service_run(int argc, char **argv)
{
	static const char *const actions[] = { "enable", "disable", "relocate", "restart", NULL };
	struct order o = { .begin_ms = mono_ms() };
	bool no_wait = false;
	json_t *status = NULL, *reply;
	const json_t *s;
	int code, error = 0;

	if (order_options(&argc, argv, &o, &no_wait))
		return EXIT_USAGE;
	if (argc < 3 || argc > 4 || !is_one_of(argv[1], actions))
		return usage_error(
			"expected: stockade service enable|disable|relocate|restart NAME [NODE]");
	o.action = argv[1];
	o.name = argv[2];
	o.node = argc == 4 ? argv[3] : NULL;
	if (o.node && (strcmp(o.action, "disable") == 0 || strcmp(o.action, "restart") == 0))
		return usage_error("service %s takes no node", o.action);
	if (!no_wait)
		status = ask_quietly(STORAGED, json_pack("{s:s}", "cmd", "status"), ASK_MS, &error);
	s = js_find(json_object_get(status, "services"), "name", o.name);
	o.was_on = js_str(s, "node");
	o.starts = js_int(s, "starts", 0);
	reply = ask(STORAGED,
		    json_pack("{s:s, s:s, s:s, s:s?}", "cmd", "service", "name", o.name, "action",
			      o.action, "node", o.node),
		    10000, &code);
	if (reply) {
		puts(js_text(reply, "text", "accepted"));
		fflush(stdout);
		code = no_wait ? EXIT_OK : follow(&o, one_service);
		json_decref(reply);
	}
	json_decref(status);
	return code;
}

const struct command cmd_service = {
	.name = "service",
	.usage = "enable|disable|relocate|restart NAME [NODE] [--no-wait] [--timeout TIME]",
	.summary = "Start, stop, move or restart a service, and wait until that is done",
	.help = "  enable     run it, from now on; on NODE if given and allowed\n"
		"  disable    stop it, and keep it stopped\n"
		"  relocate   move it to NODE, or to the best other node\n"
		"  restart    stop and start it where it is\n\n"
		"  --no-wait        return when the cluster has agreed\n"
		"  --timeout TIME   stop watching after this (5min); the order itself goes on\n"
		"\nExit: 0 done; 1 it failed; 2 no such service; 3 storaged does not run; 4 refused; 5 not now, or still\n"
		"going on.\n",
	.run = service_run,
};

static int node_run(int argc, char **argv)
{
	static const char *const actions[] = { "standby", "unstandby", "admit", NULL };
	struct order o = { .begin_ms = mono_ms() };
	bool no_wait = false;
	json_t *reply;
	int code;

	if (order_options(&argc, argv, &o, &no_wait))
		return EXIT_USAGE;
	if (argc != 3 || !is_one_of(argv[1], actions))
		return usage_error("expected: stockade node standby|unstandby|admit NODE");
	o.action = argv[1];
	o.name = argv[2];
	if (strcmp(o.action, "admit") == 0)
		reply = ask(FENCED, json_pack("{s:s, s:s}", "cmd", "admit", "node", o.name), 10000,
			    &code);
	else
		reply = ask(STORAGED,
			    json_pack("{s:s, s:s, s:s}", "cmd", "node", "name", o.name, "action",
				      o.action),
			    10000, &code);
	if (!reply)
		return code;
	puts(js_text(reply, "text", "accepted"));
	fflush(stdout);
	json_decref(reply);
	if (no_wait || strcmp(o.action, "standby") != 0)
		return EXIT_OK;
	return follow(&o, standby_progress);
}

const struct command cmd_node = {
	.name = "node",
	.usage = "standby|unstandby|admit NODE [--no-wait] [--timeout TIME]",
	.summary = "Move all services off a node and keep them off, or let it serve again",
	.help = "  standby     for maintenance: its services move to other nodes; it stays a member\n"
		"  unstandby   it may serve again\n"
		"  admit       it was fenced too often (fence_loop) and is held: let it in again\n\n"
		"  --no-wait        return when the cluster has agreed\n"
		"  --timeout TIME   stop watching after this (5min); the order itself goes on\n"
		"\nExit: 0 done; 2 no such node; 3 storaged does not run; 4 refused; 5 not now, or still going on.\n",
	.run = node_run,
};
