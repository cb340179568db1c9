/* SPDX-License-Identifier: GPL-3.0-or-later */
/* stockade why NAME: the whole chain of waiting, in words. Each daemon explains what is its own and names what it waits on;
 * we ask the next one, until somebody waits on nobody.
 */
#include <errno.h>
#include <string.h>

#include "tools/cli.h"

#define DEPTH_MAX 12

struct chain {
	json_t *seen; /* "kind:name": explained once is enough */
	bool dead[DAEMONS];
	int error[DAEMONS];
};

static const struct {
	const char *kind;
	enum daemon daemon;
} owners[] = {
	{ "service", STORAGED }, { "volume", STORAGED }, { "node", FENCED },
	{ "cluster", FENCED },   { "lock", DLMD },
};

static json_t *why(struct chain *c, enum daemon d, const char *kind, const char *name)
{
	json_t *reply, *links;

	if (c->dead[d])
		return NULL;
	reply = ask_quietly(d,
			    json_pack("{s:s, s:s, s:s*}", "cmd", "why", "name", name, "kind", kind),
			    ASK_MS, &c->error[d]);
	c->dead[d] = !reply;
	links = json_incref(json_object_get(reply, "links"));
	json_decref(reply);
	return links;
}

static void follow(struct chain *c, json_t *link, int depth);

/* Explain what @link waits on, as its "because". */
static void explain(struct chain *c, json_t *because, const char *kind, const char *name, int depth)
{
	char key[160];
	json_t *links, *link;
	size_t i, o = 0;

	snprintf(key, sizeof(key), "%s:%s", kind, name);
	if (json_object_get(c->seen, key))
		return;
	json_object_set_new(c->seen, key, json_true());
	while (o < sizeof(owners) / sizeof(owners[0]) && strcmp(owners[o].kind, kind) != 0)
		o++;
	if (o == sizeof(owners) / sizeof(owners[0]))
		return;
	links = why(c, owners[o].daemon, kind, name);
	if (c->dead[owners[o].daemon])
		json_array_append_new(
			because,
			json_pack("{s:s, s:s, s:s, s:o, s:s, s:s, s:[]}", "kind", kind, "name",
				  name, "state", "unknown", "since_ms", json_null(), "text",
				  "cannot be explained: the daemon that knows does not answer",
				  "remedy", "systemctl status stockade.target", "because"));
	json_array_foreach (links, i, link) {
		follow(c, link, depth);
		json_array_append(because, link);
	}
	json_decref(links);
}

static void follow(struct chain *c, json_t *link, int depth)
{
	json_t *because = json_array(), *on;
	size_t i;

	if (depth < DEPTH_MAX)
		json_array_foreach (json_object_get(link, "on"), i, on)
			explain(c, because, js_text(on, "kind", ""), js_text(on, "name", ""),
				depth + 1);
	json_object_set_new(link, "because", because);
}

static void print_link(const json_t *link, int depth)
{
	char first[64], rest[64], text[1024], age[DURATION_TEXT], since[DURATION_TEXT + 16] = "";
	const char *name = js_text(link, "name", ""), *kind = js_text(link, "kind", "?");
	json_t *next;
	size_t i;

	if (!js_null(link, "since_ms"))
		snprintf(since, sizeof(since), ", since %s",
			 duration_text((uint64_t)js_int(link, "since_ms", 0), age, sizeof(age)));
	snprintf(first, sizeof(first), "%*s%s", depth * 2, "", depth ? "<- " : "");
	snprintf(rest, sizeof(rest), "%*s", depth * 2 + 4, "");
	snprintf(text, sizeof(text), "%s%s%s is %s%s: %s", kind, *name ? " " : "", name,
		 js_text(link, "state", "?"), since, js_text(link, "text", "no more is known"));
	print_wrapped(stdout, first, rest, text);
	if (js_str(link, "remedy")) {
		snprintf(first, sizeof(first), "%*sto do: ", depth * 2 + 4, "");
		snprintf(rest, sizeof(rest), "%*s", depth * 2 + 11, "");
		print_wrapped(stdout, first, rest, js_str(link, "remedy"));
	}
	json_array_foreach (json_object_get(link, "because"), i, next)
		print_link(next, depth + 1);
}

/* Everything of that name, whatever it is; the daemons that do not answer are named. */
static json_t *ask_by_name(struct chain *c, const char *name, const char *kind, unsigned *n_dead)
{
	json_t *top = json_array(), *link;
	struct answer answer[DAEMONS];
	size_t i;

	ask_all(json_pack("{s:s, s:s, s:s*}", "cmd", "why", "name", name, "kind", kind), ASK_MS,
		answer);
	for (unsigned d = 0; d < DAEMONS; d++) {
		c->dead[d] = !answer[d].reply;
		c->error[d] = answer[d].error;
		json_array_foreach (json_object_get(answer[d].reply, "links"), i, link) {
			char key[160];

			snprintf(key, sizeof(key), "%s:%s", js_text(link, "kind", ""),
				 js_text(link, "name", ""));
			json_object_set_new(c->seen, key, json_true());
			json_array_append(top, link);
		}
	}
	*n_dead = say_no_answers(answer);
	answers_free(answer);
	json_array_foreach (top, i, link)
		follow(c, link, 0);
	return top;
}

static bool is_silent(const struct answer answer[DAEMONS], const char *name)
{
	for (unsigned d = 0; d < DAEMONS; d++)
		if (strcmp(name, daemon_names[d]) == 0)
			return !answer[d].reply;
	return true; /* none of them: it is about all three */
}

/* Something is wrong, and nobody explains it: it is told in the words in which status tells it. */
static void unexplained(const json_t *problems, const struct answer answer[DAEMONS], json_t *out)
{
	const json_t *p;
	size_t i;

	json_array_foreach (problems, i, p) {
		const char *kind = js_text(p, "kind", ""), *name = js_text(p, "name", "");

		if (strcmp(kind, "daemon") == 0 && is_silent(answer, name))
			continue; /* said already */
		json_array_append_new(out,
				      json_pack("{s:s, s:s, s:s, s:o, s:s, s:s?, s:[]}", "kind",
						kind, "name", name, "state", "not well", "since_ms",
						json_null(), "text", js_text(p, "text", "?"),
						"remedy", js_str(p, "remedy"), "because"));
	}
}

/* Without a name: whatever is wrong. */
static int why_all(bool as_json, struct chain *c)
{
	struct answer answer[DAEMONS];
	json_t *problems, *p, *out = json_array();
	size_t i, n;
	bool any;

	ask_all(json_pack("{s:s}", "cmd", "status"), ASK_MS, answer);
	problems = problems_find(answer);
	any = say_no_answers(answer) < DAEMONS;
	n = json_array_size(problems);
	json_array_foreach (problems, i, p) {
		const char *kind = js_text(p, "kind", ""), *name = js_text(p, "name", "");
		size_t before = json_array_size(out);

		if (strcmp(kind, "daemon") != 0)
			explain(c, out, kind, name, 0);
		if (!as_json)
			for (; before < json_array_size(out); before++)
				print_link(json_array_get(out, before), 0);
	}
	if (json_array_size(out) == 0) {
		unexplained(problems, answer, out);
		json_array_foreach (out, i, p)
			if (!as_json)
				print_link(p, 0);
	}
	json_decref(problems);
	answers_free(answer);
	if (as_json)
		print_json(json_pack("{s:i, s:O}", "proto", 1, "links", out));
	else if (n == 0)
		puts("All is well: nothing waits for anything. See: stockade status");
	json_decref(out);
	return !any ? EXIT_NOT_RUNNING : n ? EXIT_DEGRADED : EXIT_OK;
}

static int why_run(int argc, char **argv)
{
	struct chain c = { .seen = NULL };
	bool as_json = false;
	const char *kind = NULL;
	const struct option_spec spec[] = {
		{ "--json", &as_json, NULL, NULL },
		{ "--kind", NULL, &kind, NULL },
		{ NULL, NULL, NULL, NULL },
	};
	int code = EXIT_OK;
	unsigned n_dead = 0;
	json_t *top, *link;
	size_t i;

	if (options_parse(&argc, argv, spec))
		return EXIT_USAGE;
	if (argc > 2)
		return usage_error("why takes one name");
	c.seen = json_object();
	if (argc == 1) {
		code = why_all(as_json, &c);
		json_decref(c.seen);
		return code;
	}
	top = ask_by_name(&c, argv[1], kind, &n_dead);
	if (n_dead == DAEMONS)
		code = EXIT_NOT_RUNNING;
	else if (json_array_size(top) == 0 && n_dead)
		code = EXIT_NOT_RUNNING;
	else if (json_array_size(top) == 0)
		code = usage_error(
			"there is no service, volume, node or lock \"%s\"; see: stockade status",
			argv[1]);
	if (as_json && code != EXIT_USAGE)
		print_json(json_pack("{s:i, s:O}", "proto", 1, "links", top));
	if (!as_json)
		json_array_foreach (top, i, link)
			print_link(link, 0);
	json_decref(top);
	json_decref(c.seen);
	return code;
}

const struct command cmd_why = {
	.name = "why",
	.usage = "[--json] [--kind KIND] [NAME]",
	.summary = "Explain why a service, volume, node or lock is as it is",
	.help = "NAME: as in stockade status; a lock as in stockade locks, e.g. volume:webdata. Without a name: all that\n"
		"is wrong. Each line is followed by what it waits for.\n\n"
		"  --json        for programs: {\"proto\", \"links\": [{\"kind\", \"name\", \"state\", \"text\", \"remedy\", \"because\"}]}\n"
		"  --kind KIND   service, volume, node, lock: when several have that name\n"
		"\nExit: 0 explained; 2 nothing has that name; 3 the daemon that would know does not run; without NAME also\n"
		"5: something is wrong.\n",
	.run = why_run,
};
