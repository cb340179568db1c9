/* SPDX-License-Identifier: GPL-3.0-or-later */
/* stockade history: what the three daemons of this node wrote down, as one timeline. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lib/shell/history.h"
#include "lib/shell/loop.h"
#include "tools/cli.h"

#define SHOWN 50
#define ASKED_MAX 5000

static void read_file(json_t *list, const char *path)
{
	char *line = NULL;
	size_t size = 0;
	ssize_t len;
	FILE *f = fopen(path, "re");

	while (f && (len = getline(&line, &size, f)) > 0)
		history_parse(list, line, (size_t)len);
	free(line);
	if (f)
		fclose(f);
}

/* A daemon that does not run cannot be asked, but what it wrote last is what one wants to know then. And of one that runs, an answer
 * has room for some hundreds of entries. */
static json_t *from_file(enum daemon d)
{
	char path[128];
	json_t *list = json_array();

	for (int old = 1; old >= 0; old--) {
		snprintf(path, sizeof(path), "%s/history-%s.jsonl%s", HISTORY_DIR, daemon_names[d],
			 old ? ".1" : "");
		read_file(list, path);
	}
	return js_tame(list);
}

/* Order on this node: by boot, in the order in which boots began (wall clock, people only), then by the monotonic clock. */
struct entry {
	json_t *json;
	const char *boot, *wall, *boot_wall;
	int64_t mono_ms;
	size_t index;
};

static int by_time(const void *a, const void *b)
{
	const struct entry *ea = a, *eb = b;
	int c;

	if (strcmp(ea->boot, eb->boot) != 0) {
		c = strcmp(ea->boot_wall, eb->boot_wall);
		return c ? c : strcmp(ea->boot, eb->boot);
	}
	if (ea->mono_ms != eb->mono_ms)
		return ea->mono_ms < eb->mono_ms ? -1 : 1;
	return ea->index < eb->index ? -1 : 1;
}

/* Sorted entries of all daemons; *n of them, to free. */
static struct entry *sort_entries(json_t *all, size_t *n)
{
	struct entry *e;
	json_t *json;
	size_t i;

	*n = json_array_size(all);
	e = calloc(*n + 1, sizeof(*e));
	if (!e) {
		*n = 0;
		return NULL;
	}
	json_array_foreach (all, i, json)
		e[i] = (struct entry){ .json = json,
				       .boot = js_text(json, "boot", ""),
				       .wall = js_text(json, "wall", ""),
				       .mono_ms = js_int(json, "mono_ms", 0),
				       .index = i };
	for (i = 0; i < *n; i++) {
		e[i].boot_wall = e[i].wall;
		for (size_t k = 0; k < i;
		     k++) /* boots are few: the first that we know stands for all of its boot */
			if (strcmp(e[k].boot, e[i].boot) == 0) {
				if (strcmp(e[i].wall, e[k].boot_wall) < 0)
					e[k].boot_wall = e[i].wall;
				e[i].boot_wall = e[k].boot_wall;
				break;
			}
	}
	/* The first of a boot may have been lowered after others took it over: once more. */
	for (i = 0; i < *n; i++)
		for (size_t k = 0; k < i; k++)
			if (strcmp(e[k].boot, e[i].boot) == 0) {
				e[i].boot_wall = e[k].boot_wall;
				break;
			}
	qsort(e, *n, sizeof(*e), by_time);
	return e;
}

static const char *event_colour(const char *event)
{
	static const char *const bad[] = { "fence.victim", "fence.fail",     "fence.self",
					   "service.fail", "service.lost",   "service.foreign",
					   "self.reboot",  "self.stop",      "self.deny",
					   "self.kill",    "self.back",      "ready.fail",
					   "view.lost",    "config.differs", NULL };
	static const char *const good[] = { "fence.proof", "service.running", "ready.pass", NULL };

	for (unsigned i = 0; bad[i]; i++)
		if (strcmp(event, bad[i]) == 0)
			return red();
	for (unsigned i = 0; good[i]; i++)
		if (strcmp(event, good[i]) == 0)
			return green();
	return "";
}

static void print_entry(const struct entry *e, const struct entry *before)
{
	char gap[DURATION_TEXT + 2] = "", took[DURATION_TEXT + 16] = "", text[DURATION_TEXT];
	const char *clock = strchr(e->wall, 'T');

	if (!before || strcmp(before->boot, e->boot) != 0)
		printf("%s-- %.10s, boot %.8s --%s\n", dim(), e->wall, e->boot, plain());
	else
		snprintf(gap, sizeof(gap), "+%s",
			 duration_text((uint64_t)(e->mono_ms - before->mono_ms), text,
				       sizeof(text)));
	if (!js_null(e->json, "took_ms"))
		snprintf(
			took, sizeof(took), " (took %s)",
			duration_text((uint64_t)js_int(e->json, "took_ms", 0), text, sizeof(text)));
	printf("%-12.12s %12s  %-8s  %s%s%s%s%s%s\n", clock ? clock + 1 : e->wall, gap,
	       js_text(e->json, "daemon", "?"), event_colour(js_text(e->json, "event", "")),
	       js_text(e->json, "text", js_text(e->json, "event", "?")),
	       *event_colour(js_text(e->json, "event", "")) ? plain() : "", dim(), took, plain());
}

/* "10min" before now, or "2026-11-21", "2026-11-21T02:10": from then on. As a wall-clock text to compare with. */
static bool since_text(const char *since, char *buf, size_t size)
{
	uint64_t ms;
	struct tm tm;
	time_t at;

	if (time_parse(since, &ms)) {
		at = time(NULL) - (time_t)(ms / 1000);
		gmtime_r(&at, &tm);
		strftime(buf, size, "%Y-%m-%dT%H:%M:%S", &tm);
		return true;
	}
	if (!strptime(since, "%Y-%m-%d", &tm))
		return false;
	snprintf(buf, size, "%s", since);
	return true;
}

/* @all_of_it: more is asked for than what happened lately. */
static json_t *collect(bool all_of_it, bool *any)
{
	struct answer answer[DAEMONS];
	json_t *all = json_array();

	ask_all(json_pack("{s:s, s:i}", "cmd", "history", "max", ASKED_MAX), ASK_MS, answer);
	for (unsigned d = 0; d < DAEMONS; d++) {
		json_t *entries = json_incref(json_object_get(answer[d].reply, "entries"));

		if (!js_true(answer[d].reply, "ok")) {
			json_decref(entries);
			entries = from_file(d);
			if (!answer[d].reply && json_array_size(entries))
				fprintf(stderr,
					"stockade: %s does not answer; its history is from its file\n",
					daemon_names[d]);
		} else {
			*any = true;
			json_t *file = all_of_it ? from_file(d) : NULL;

			if (json_array_size(file) > json_array_size(entries)) {
				json_decref(entries);
				entries = file;
			} else {
				json_decref(file);
			}
		}
		json_array_extend(all, entries);
		json_decref(entries);
	}
	answers_free(answer);
	*any |= json_array_size(all) > 0;
	return all;
}

static int history_run(int argc, char **argv)
{
	bool as_json = false, any = false;
	const char *n_text = NULL, *since = NULL;
	const struct option_spec spec[] = {
		{ "--json", &as_json, NULL, NULL },
		{ "-n", NULL, &n_text, NULL },
		{ "--since", NULL, &since, NULL },
		{ NULL, NULL, NULL, NULL },
	};
	char from[64] = "";
	size_t n, first = 0, shown = SHOWN;
	struct entry *e;
	json_t *all;

	if (options_parse(&argc, argv, spec))
		return EXIT_USAGE;
	if (argc != 1)
		return usage_error("history takes no argument");
	if (n_text) {
		char *end;

		shown = strtoul(n_text, &end, 10);
		if (*end || !shown || n_text[0] == '-')
			return usage_error("-n %s is not a number of entries", n_text);
	}
	if (since && !since_text(since, from, sizeof(from)))
		return usage_error(
			"--since %s is neither a time span such as 10min nor a date such as 2026-11-21T02:10",
			since);
	if (since && !n_text)
		shown = SIZE_MAX;
	all = collect(since || n_text, &any);
	e = sort_entries(all, &n);
	while (first < n && strcmp(e[first].wall, from) < 0)
		first++;
	if (n - first > shown)
		first = n - shown;
	if (as_json) {
		json_t *list = json_array();

		for (size_t i = first; i < n; i++)
			json_array_append(list, e[i].json);
		print_json(json_pack("{s:i, s:o}", "proto", 1, "entries", list));
	} else {
		for (size_t i = first; i < n; i++)
			print_entry(&e[i], i > first ? &e[i - 1] : NULL);
		if (first == n && any)
			puts(since ? "Nothing happened since then."
				   : "Nothing is written down yet.");
	}
	free(e);
	json_decref(all);
	if (!any) {
		fputs("stockade: no daemon runs on this node, and none has left a history in " HISTORY_DIR
		      ".\n"
		      "  to do: systemctl start stockade.target\n",
		      stderr);
		return EXIT_NOT_RUNNING;
	}
	return EXIT_OK;
}

const struct command cmd_history = {
	.name = "history",
	.usage = "[-n N] [--since TIME] [--json]",
	.summary = "Show what happened on this node, as a timeline",
	.help = "Time, time since the line before, who says it, what happened. Each node has its own: look on the one that took\n"
		"over. Of a daemon that does not run, and with -n or --since, the files are read.\n\n"
		"  -n N           the last N entries (50)\n"
		"  --since TIME   10min: from then on; or 2026-11-21, 2026-11-21T02:10 (UTC)\n"
		"  --json         for programs: {\"proto\", \"entries\": [...]}, as in doc/protocol.md\n"
		"\nExit: 0; 3 neither a daemon nor a file.\n",
	.run = history_run,
};
