/* SPDX-License-Identifier: GPL-3.0-or-later */
/* stockade status: one screen. */
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tools/cli.h"

static const char *state_colour(const char *state)
{
	static const char *const good[] = { "member", "running", "active", "online", NULL };
	static const char *const bad[] = { "victim", "failed", "lost", "unknown", NULL };

	for (unsigned i = 0; good[i]; i++)
		if (strcmp(state, good[i]) == 0)
			return green();
	for (unsigned i = 0; bad[i]; i++)
		if (strcmp(state, bad[i]) == 0)
			return red();
	return yellow();
}

/* Whichever daemon answers knows the name of the cluster, and of this node. */
static const char *common(const struct answer answer[DAEMONS], const char *key,
			  const char *otherwise)
{
	for (unsigned d = 0; d < DAEMONS; d++)
		if (js_str(answer[d].reply, key))
			return js_str(answer[d].reply, key);
	return otherwise;
}

static const json_t *common_view(const struct answer answer[DAEMONS])
{
	for (unsigned d = 0; d < DAEMONS; d++)
		if (json_is_object(json_object_get(answer[d].reply, "view")))
			return json_object_get(answer[d].reply, "view");
	return NULL;
}

static void print_head(const struct answer answer[DAEMONS], const json_t *problems)
{
	const json_t *view = common_view(answer);
	size_t n = json_array_size(problems);

	if (common(answer, "cluster", NULL))
		printf("%sCluster %s%s, seen from %s: ", bold(), common(answer, "cluster", "?"),
		       plain(), common(answer, "node", "?"));
	if (view)
		printf("%zu node%s, %s%s%s; ", json_array_size(json_object_get(view, "nodes")),
		       json_array_size(json_object_get(view, "nodes")) == 1 ? "" : "s",
		       js_true(view, "quorate") ? green() : red(),
		       js_true(view, "quorate") ? "quorate" : "no quorum", plain());
	if (n == 0)
		printf("%sall is well%s\n", green(), plain());
	else
		printf("%s%zu problem%s%s\n", red(), n, n == 1 ? "" : "s", plain());
}

/* A check asks the device; only a drill shows that it does what it says. */
static const char *drill_text(const json_t *node, char *to, size_t size)
{
	const json_t *drill = json_object_get(node, "drill");
	int64_t age_s = js_int(drill, "age_s", -1);
	char age[DURATION_TEXT];

	to[0] = '\0';
	if (!json_is_object(drill))
		return to;
	if (age_s < 0)
		snprintf(to, size, ", never drilled");
	else
		snprintf(to, size, ", drilled %s ago%s",
			 duration_text((uint64_t)age_s * 1000, age, sizeof(age)),
			 js_true(drill, "tested") ? "" : " in vain");
	return to;
}

static void fence_cell(struct table *t, const json_t *node)
{
	char age[DURATION_TEXT], drill[64];
	const json_t *fencing = json_object_get(node, "fencing");

	if (js_true(node, "self"))
		table_cell(t, 2, dim(), "this node");
	else if (json_is_object(fencing) && strcmp(js_text(fencing, "phase", ""), "watchdog") == 0)
		table_cell(t, 2, red(), "its watchdog fires for certain in %s, waits %s",
			   duration_text((uint64_t)js_int(fencing, "next_ms", 0), age, sizeof(age)),
			   js_text(fencing, "actor", "nobody"));
	else if (json_is_object(fencing))
		table_cell(t, 2, red(), "%s, by %s", js_text(fencing, "phase", "?"),
			   js_text(fencing, "actor", "nobody"));
	else if (js_true(node, "ready"))
		table_cell(
			t, 2, green(), "ready, checked %s ago%s",
			duration_text((uint64_t)js_int(node, "ready_age_ms", 0), age, sizeof(age)),
			drill_text(node, drill, sizeof(drill)));
	else
		table_cell(t, 2, red(), "%s",
			   js_false(node, "ready") ? "NOT READY" : "not checked yet");
}

static void print_nodes(const json_t *fenced, const json_t *storaged)
{
	json_t *nodes = json_object_get(fenced, "nodes"), *node, *s;
	struct table t;
	size_t i, j;

	if (!json_is_array(nodes))
		nodes = json_object_get(storaged, "nodes");
	if (json_array_size(nodes) == 0)
		return;
	table_init(&t, 5);
	table_row(&t);
	table_cell(&t, 0, dim(), "NODE");
	table_cell(&t, 1, dim(), "STATE");
	table_cell(&t, 2, dim(), "FENCING");
	table_cell(&t, 3, dim(), "STORAGE");
	table_cell(&t, 4, dim(), "RUNS");
	json_array_foreach (nodes, i, node) {
		const char *name = js_text(node, "name", "?"),
			   *state = js_text(node, "state", "unknown");
		const json_t *sn = js_find(json_object_get(storaged, "nodes"), "name", name);
		const char *storage = js_text(sn, "state", "unknown");
		char runs[256] = "";
		size_t len = 0;

		table_row(&t);
		table_cell(&t, 0, bold(), "%s", name);
		table_cell(&t, 1, state_colour(state), "%s", state);
		fence_cell(&t, node);
		if (js_true(sn, "standby"))
			table_cell(&t, 3, yellow(), "%s, standby", storage);
		else
			table_cell(&t, 3, state_colour(storage), "%s", storage);
		json_array_foreach (json_object_get(storaged, "services"), j, s) {
			if (strcmp(js_text(s, "node", ""), name) == 0 && len < sizeof(runs))
				len += (size_t)snprintf(runs + len, sizeof(runs) - len, "%s%s",
							len ? " " : "", js_text(s, "name", "?"));
		}
		table_cell(&t, 4, NULL, "%s", len ? runs : "-");
	}
	putchar('\n');
	table_print(&t, stdout, "");
}

/* What it does at the moment: the resource that is on its way. */
static const char *busy_with(const json_t *service, char *buf, size_t size)
{
	json_t *r;
	size_t i;

	buf[0] = '\0';
	json_array_foreach (json_object_get(service, "resources"), i, r) {
		const char *state = js_text(r, "state", "");

		if (strcmp(state, "starting") != 0 && strcmp(state, "stopping") != 0 &&
		    strcmp(state, "failed") != 0)
			continue;
		snprintf(buf, size, "%s %s: %s%s%s", js_text(r, "type", ""), js_text(r, "name", ""),
			 state, js_str(r, "step") ? ", " : "", js_text(r, "step", ""));
		break;
	}
	return buf;
}

static void print_services(const json_t *storaged)
{
	json_t *services = json_object_get(storaged, "services"), *s;
	struct table t;
	size_t i;

	if (json_array_size(services) == 0)
		return;
	table_init(&t, 5);
	table_row(&t);
	table_cell(&t, 0, dim(), "SERVICE");
	table_cell(&t, 1, dim(), "STATE");
	table_cell(&t, 2, dim(), "ON");
	table_cell(&t, 3, dim(), "SINCE");
	table_cell(&t, 4, dim(), "NOW");
	json_array_foreach (services, i, s) {
		const char *state = js_text(s, "state", "unknown");
		char age[DURATION_TEXT], now[200];

		table_row(&t);
		table_cell(&t, 0, bold(), "%s", js_text(s, "name", "?"));
		if (js_false(s, "enabled") && strcmp(state, "stopped") == 0)
			table_cell(&t, 1, yellow(), "disabled");
		else
			table_cell(&t, 1, state_colour(state), "%s", state);
		if (js_str(s, "target"))
			table_cell(&t, 2, NULL, "%s -> %s", js_text(s, "node", "-"),
				   js_str(s, "target"));
		else
			table_cell(&t, 2, NULL, "%s", js_text(s, "node", "-"));
		if (!js_null(s, "since_ms"))
			table_cell(&t, 3, NULL, "%s",
				   duration_text((uint64_t)js_int(s, "since_ms", 0), age,
						 sizeof(age)));
		table_cell(&t, 4, NULL, "%s", busy_with(s, now, sizeof(now)));
	}
	putchar('\n');
	table_print(&t, stdout, "");
}

static void print_volumes(const json_t *storaged)
{
	json_t *volumes = json_object_get(storaged, "volumes"), *v;
	struct table t;
	size_t i;

	if (json_array_size(volumes) == 0)
		return;
	table_init(&t, 5);
	table_row(&t);
	table_cell(&t, 0, dim(), "VOLUME");
	table_cell(&t, 1, dim(), "STATE");
	table_cell(&t, 2, dim(), "ON");
	table_cell(&t, 3, dim(), "EPOCH");
	table_cell(&t, 4, dim(), "MOUNT");
	json_array_foreach (volumes, i, v) {
		const char *state = js_text(v, "state", "unknown");

		table_row(&t);
		table_cell(&t, 0, bold(), "%s", js_text(v, "name", "?"));
		table_cell(&t, 1, state_colour(state), "%s", state);
		table_cell(&t, 2, NULL, "%s", js_text(v, "owner", "-"));
		if (js_int(v, "epoch", 0) > 0)
			table_cell(&t, 3, NULL, "%lld", (long long)js_int(v, "epoch", 0));
		table_cell(&t, 4, NULL, "%s", js_text(v, "mount", ""));
	}
	putchar('\n');
	table_print(&t, stdout, "");
}

static void print_problems(const json_t *problems)
{
	json_t *p;
	size_t i;
	char first[32], rest[8] = "    ";

	if (json_array_size(problems))
		putchar('\n');
	snprintf(first, sizeof(first), "%s!%s ", red(), plain());
	json_array_foreach (problems, i, p) {
		print_wrapped(stdout, first, "  ", js_text(p, "text", "?"));
		if (js_str(p, "remedy"))
			print_wrapped(stdout, "    to do: ", rest, js_str(p, "remedy"));
	}
}

/* No problem any more, and yet whoever looks here first wants to know it. */
static void print_last_end(const json_t *storaged)
{
	const char *text = js_str(storaged, "last_end");
	char line[640];

	if (!text)
		return;
	snprintf(line, sizeof(line), "%s (all of it: stockade history)", text);
	putchar('\n');
	print_wrapped(stdout, "  ", "  ", line);
}

static int exit_of(const struct answer answer[DAEMONS], const json_t *problems)
{
	bool any = false;

	for (unsigned d = 0; d < DAEMONS; d++)
		any |= answer[d].reply != NULL;
	return !any ? EXIT_NOT_RUNNING : json_array_size(problems) ? EXIT_DEGRADED : EXIT_OK;
}

static json_t *reply_or_null(const struct answer *a)
{
	return a->reply ? json_incref(a->reply) : json_null();
}

static int status_once(bool as_json)
{
	struct answer answer[DAEMONS];
	json_t *problems;
	int code;

	ask_all(json_pack("{s:s}", "cmd", "status"), ASK_MS, answer);
	problems = problems_find(answer);
	code = exit_of(answer, problems);
	if (as_json) {
		int r = print_json(json_pack(
			"{s:i, s:s?, s:s?, s:b, s:O, s:o, s:o, s:o}", "proto", 1, "cluster",
			common(answer, "cluster", NULL), "node", common(answer, "node", NULL), "ok",
			code == EXIT_OK, "problems", problems, "fenced",
			reply_or_null(&answer[FENCED]), "dlmd", reply_or_null(&answer[DLMD]),
			"storaged", reply_or_null(&answer[STORAGED])));
		if (r != EXIT_OK)
			code = r;
	} else {
		print_head(answer, problems);
		print_nodes(answer[FENCED].reply, answer[STORAGED].reply);
		print_services(answer[STORAGED].reply);
		print_volumes(answer[STORAGED].reply);
		print_problems(problems);
		print_last_end(answer[STORAGED].reply);
	}
	json_decref(problems);
	answers_free(answer);
	return code;
}

static int status_run(int argc, char **argv)
{
	bool as_json = false, watch = false;
	const char *interval = NULL;
	uint64_t interval_ms = 1000;
	const struct option_spec spec[] = {
		{ "--json", &as_json, NULL, NULL },
		{ "--watch", &watch, NULL, NULL },
		{ "--interval", NULL, &interval, NULL },
		{ NULL, NULL, NULL, NULL },
	};

	if (options_parse(&argc, argv, spec))
		return EXIT_USAGE;
	if (argc > 1)
		return usage_error("status takes no argument; about one thing: stockade why %s",
				   argv[1]);
	if (interval && (!time_parse(interval, &interval_ms) || interval_ms < 100))
		return usage_error(
			"--interval %s is not a time of at least 100ms, such as 500ms or 2s",
			interval);
	for (;;) {
		struct timespec pause = { .tv_sec = (time_t)(interval_ms / 1000),
					  .tv_nsec = (long)(interval_ms % 1000 * 1000000) };
		int code;

		if (watch && out_tty() && !as_json)
			fputs("\033[H\033[J", stdout); /* home, and nothing below */
		code = status_once(as_json);
		if (!watch)
			return code;
		if (fflush(stdout) != 0)
			return EXIT_FAILED;
		nanosleep(&pause, NULL);
		if (!out_tty() && !as_json)
			puts("---");
	}
}

const struct command cmd_status = {
	.name = "status",
	.usage = "[--json] [--watch [--interval TIME]]",
	.summary = "Show nodes, services, volumes and what is wrong, on one screen",
	.help = "  --json            for programs: {\"proto\", \"cluster\", \"node\", \"ok\", \"problems\", \"fenced\", \"dlmd\",\n"
		"                    \"storaged\"}; the last three as in doc/protocol.md, null: not running\n"
		"  --watch           again and again, until interrupted\n"
		"  --interval TIME   how often (1s)\n"
		"\nExit: 0 all is well; 3 no daemon runs on this node; 5 something is wrong.\n",
	.run = status_run,
};
