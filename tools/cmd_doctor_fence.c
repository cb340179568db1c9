/* SPDX-License-Identifier: GPL-3.0-or-later */
/* stockade doctor fence: from every node to every fence device, which hop drops? Nobody is fenced.
 *
 * fenced has every member look and hears them all; --local runs the same program (fence_agents/doctor) from here.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "lib/shell/loop.h"
#include "lib/shell/spawn.h"
#include "tools/cli.h"
#include "tools/doctor.h"

#define POLL_MS 150
#define LIMIT_MS 200000 /* fenced gives a node 180 s */
#define CALL_MS 3000

/* --- from here alone ---------------------------------------------------------------------------------------------- */

struct local {
	const struct config *cfg;
	struct loop *loop;
	json_t *checks;
	unsigned all;
	void (*each)(void *arg, unsigned done, unsigned all);
	void *arg;
	char *why;
	size_t why_len;
	bool good;
};

static int work(void *arg, int fd)
{
	const struct local *l = arg;
	const char *dir = secure_getenv("STOCKADE_LIBEXECDIR");
	char path[256];

	snprintf(path, sizeof(path), "%s/stockade-fence-doctor", dir ? dir : STOCKADE_LIBEXECDIR);
	if (dup2(fd, STDOUT_FILENO) < 0)
		return 1;
	execl(path, path, "--config", l->cfg->path, (char *)NULL);
	fprintf(stderr, "%s: %s\n", path, strerror(errno));
	return 127;
}

static void on_line(void *arg, const char *line)
{
	struct local *l = arg;
	json_t *what = json_loads(line, 0, NULL);

	if (json_object_get(what, "checks"))
		l->all = (unsigned)js_int(what, "checks", 0);
	else if (js_str(what, "result"))
		json_array_append(l->checks, what);
	json_decref(what);
	if (l->each)
		l->each(l->arg, (unsigned)json_array_size(l->checks), l->all);
}

static void on_end(void *arg, const struct spawn_result *r)
{
	struct local *l = arg;

	l->good = r->status == 0;
	if (r->timed_out)
		snprintf(l->why, l->why_len, "looking took longer than %d s", LIMIT_MS / 1000);
	else
		snprintf(l->why, l->why_len, "%.300s", r->err_len ? r->err : "it ended by itself");
	l->why[strcspn(l->why, "\n")] = '\0';
	loop_stop(l->loop, 0);
}

json_t *doctor_local(const struct config *cfg, void (*each)(void *arg, unsigned done, unsigned all),
		     void *arg, char *why, size_t why_len)
{
	struct local l = { .cfg = cfg,
			   .loop = loop_new(),
			   .checks = json_array(),
			   .each = each,
			   .arg = arg,
			   .why = why,
			   .why_len = why_len };

	snprintf(why, why_len, "no memory");
	if (l.loop && l.checks && spawn_work(l.loop, work, &l, LIMIT_MS, on_line, on_end, &l))
		loop_run(l.loop);
	loop_free(l.loop);
	/* what was seen before it broke off is not thrown away, what is missing is not taken for good */
	if (!l.good || json_array_size(l.checks) < l.all) {
		json_decref(l.checks);
		return NULL;
	}
	return l.checks;
}

/* --- from every node ---------------------------------------------------------------------------------------------- */

struct report {
	json_t *nodes; /* [{"node", "state", "error", "checks"}] */
	bool quiet;    /* no progress: --json */
	uint64_t begin_ms;
	json_t *said; /* node: how many */
};

static void say(struct report *r, const char *node, unsigned done, unsigned all)
{
	char took[DURATION_TEXT];

	if (r->quiet || all == 0 || js_int(r->said, node, -1) == done)
		return;
	json_object_set_new(r->said, node, json_integer(done));
	fprintf(stderr, "  %8s  %s: %u of %u ways looked at\n",
		duration_text(mono_ms() - r->begin_ms, took, sizeof(took)), node, done, all);
}

static void say_local(void *arg, unsigned done, unsigned all)
{
	say(arg, "this node", done, all);
}

/* As they end they come; a person reads them in order. */
static json_t *sorted(json_t *checks)
{
	for (size_t i = 1; i < json_array_size(checks); i++)
		for (size_t k = i; k > 0; k--) {
			json_t *a = json_array_get(checks, k - 1), *b = json_array_get(checks, k);
			int order = strcmp(js_text(a, "node", ""), js_text(b, "node", ""));

			if (order < 0 ||
			    (order == 0 && js_int(a, "level", 0) <= js_int(b, "level", 0)))
				break;
			json_incref(a);
			json_array_set(checks, k - 1, b);
			json_array_set_new(checks, k, a);
		}
	return checks;
}

static int look_locally(struct report *r, const struct config *cfg)
{
	const struct config_node *self = config_self(cfg, 0);
	char why[320];

	if (!self) {
		fprintf(stderr,
			"stockade: this machine's name is none of the nodes of %s\n"
			"  to do: run it on a node, or name the machine as in nodes: (hostnamectl hostname NAME)\n",
			cfg->path);
		return EXIT_USAGE;
	}
	json_t *checks = doctor_local(cfg, say_local, r, why, sizeof(why));

	json_array_append_new(r->nodes,
			      json_pack("{s:s, s:s, s:s?, s:o}", "node", self->name, "state",
					checks ? "done" : "failed", "error", checks ? NULL : why,
					"checks", checks ? sorted(checks) : json_array()));
	return EXIT_OK;
}

static void pause_ms(unsigned ms)
{
	struct timespec t = { .tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000 };

	nanosleep(&t, NULL);
}

static json_t *checks_of(json_int_t run, const char *node)
{
	json_t *all = json_array();
	bool more = true;

	while (more) {
		int error;
		json_t *reply = ask_quietly(FENCED,
					    json_pack("{s:s, s:I, s:s, s:I}", "cmd", "doctor",
						      "run", run, "node", node, "from",
						      (json_int_t)json_array_size(all)),
					    CALL_MS, &error);
		json_t *part = json_object_get(reply, "checks");

		more = js_true(reply, "more") && json_array_size(part) > 0;
		json_array_extend(all, part);
		json_decref(reply);
	}
	return sorted(all);
}

static bool under_way(const json_t *node)
{
	const char *state = js_text(node, "state", "");

	return strcmp(state, "asked") == 0 || strcmp(state, "running") == 0;
}

/* Until all have looked, or their time is over; what is there is taken. */
static json_t *wait_for_all(struct report *r, json_int_t run, int *error)
{
	for (;;) {
		json_t *reply = ask_quietly(FENCED,
					    json_pack("{s:s, s:I}", "cmd", "doctor", "run", run),
					    CALL_MS, error);
		json_t *n;
		bool busy = false;
		size_t i;

		json_array_foreach (json_object_get(reply, "nodes"), i, n) {
			busy |= under_way(n);
			say(r, js_text(n, "node", "?"), (unsigned)js_int(n, "done", 0),
			    (unsigned)js_int(n, "checks", 0));
		}
		if (!reply || !busy || mono_ms() - r->begin_ms > LIMIT_MS)
			return reply;
		json_decref(reply);
		pause_ms(POLL_MS);
	}
}

static int look_everywhere(struct report *r)
{
	int code = EXIT_OK, error = 0;
	json_t *begun = ask(FENCED, json_pack("{s:s}", "cmd", "doctor"), CALL_MS, &code), *n;
	size_t i;

	if (!begun) {
		if (code == EXIT_NOT_RUNNING)
			fputs("  or: stockade doctor fence --local looks from this node alone\n",
			      stderr);
		return code;
	}
	json_int_t run = js_int(begun, "run", 0);

	json_decref(begun);
	json_t *end = wait_for_all(r, run, &error);

	if (!end) {
		say_no_answer(FENCED, error);
		return EXIT_NOT_RUNNING;
	}
	json_array_foreach (json_object_get(end, "nodes"), i, n) {
		json_t *copy = json_pack("{s:s, s:s, s:s?}", "node", js_text(n, "node", "?"),
					 "state", under_way(n) ? "late" : js_text(n, "state", "?"),
					 "error", js_str(n, "error"));

		json_object_set_new(copy, "checks", checks_of(run, js_text(n, "node", "")));
		json_array_append_new(r->nodes, copy);
	}
	json_decref(end);
	return EXIT_OK;
}

/* --- what no node sees alone ------------------------------------------------------------------------------------ */

/*
 * A stock fence_virtd is silent about a wrong key as a firewall is. But where it answers another node, that one's key is the right
 * one: fingerprints tell whether it is ours, too.
 */
struct other {
	const char *node, *plug, *key; /* node NULL: nobody; plug: whom it could fence */
};

static struct other who_is_answered(const json_t *nodes, const char *but, const json_t *k,
				    bool same_plug)
{
	json_t *n, *m;
	size_t i, j;

	json_array_foreach (nodes, i, n) {
		if (strcmp(js_text(n, "node", ""), but) == 0)
			continue;
		json_array_foreach (json_object_get(n, "checks"), j, m) {
			const char *result = js_text(m, "result", "");

			if ((strcmp(result, "pass") == 0 || strcmp(result, "warn") == 0) &&
			    js_str(m, "key") &&
			    strcmp(js_text(m, "device", ""), js_text(k, "device", "")) == 0 &&
			    (!same_plug ||
			     strcmp(js_text(m, "plug", ""), js_text(k, "plug", "")) == 0))
				return (struct other){ js_text(n, "node", "?"),
						       js_text(m, "node", "?"), js_str(m, "key") };
		}
	}
	return (struct other){ NULL, NULL, NULL };
}

static void judge(json_t *k, const char *self, const struct other *o)
{
	const char *device = js_text(k, "device", "?"), *node = js_text(k, "node", "?");
	bool same = strcmp(js_text(k, "key", ""), o->key) == 0;

	json_object_set_new(k, "cause", json_string(same ? "firewall-udp" : "wrong-key"));
	json_object_set_new(k, "hop", json_string(same ? "network" : "key"));
	json_object_set_new(
		k, "text",
		same ? json_sprintf(
			       "%s answers %s for %s, and %s has the same key: so it is the network "
			       "between %s and its hypervisor that drops, not the key",
			       device, o->node, node, self, self)
		     : json_sprintf(
			       "%s answers %s for %s, and %s has another key: so it is the key",
			       device, o->node, node, self));
	json_object_set_new(
		k, "remedy",
		same ? json_pack(
			       "[o, s]",
			       json_sprintf(
				       "ip -br address; ip route   (on %s and on %s: the same network?)",
				       self, o->node),
			       "on the hypervisor: nft list ruleset   (from whom does it let UDP in?)")
		     : json_pack("[o, s]",
				 json_sprintf("stockade key push %s   (on %s)", self, o->node),
				 "stockade key verify"));
}

static void compare(json_t *nodes)
{
	json_t *n, *k;
	size_t i, j;

	json_array_foreach (nodes, i, n) {
		const char *self = js_text(n, "node", "?");

		json_array_foreach (json_object_get(n, "checks"), j, k) {
			const char *cause = js_text(k, "cause", ""), *key = js_str(k, "key");

			if (!key || (strcmp(cause, "no-answer") != 0 &&
				     strcmp(cause, "firewall-or-key") != 0))
				continue;
			struct other near = who_is_answered(nodes, self, k, true),
				     any = near.node ? near
						     : who_is_answered(nodes, self, k, false);

			if (!any.node)
				continue;
			json_array_append_new(
				json_object_get(k, "seen"),
				json_sprintf(
					"%s answers %s (for %s), whose key is %s: fingerprint %s, here %s",
					js_text(k, "device", "?"), any.node, any.plug,
					strcmp(key, any.key) == 0 ? "the same" : "another", any.key,
					key));
			if (near.node)
				judge(k, self, &near);
		}
	}
}

/* --- what to say -------------------------------------------------------------------------------------------------- */

struct count {
	unsigned pass, warn, fail, unknown;
};

static bool is(const json_t *check, const char *result)
{
	return strcmp(js_text(check, "result", "unknown"), result) == 0;
}

/* A node that was not heard is as many unknowns as it is silent about; at least one. */
static const char *silence(const json_t *node)
{
	const char *state = js_text(node, "state", "");

	if (strcmp(state, "done") == 0)
		return js_str(node, "error");
	if (strcmp(state, "absent") == 0)
		return "it is no member, so it was not asked: stockade status; on it: stockade doctor fence --local";
	if (strcmp(state, "gone") == 0)
		return "it left while it was looking";
	if (strcmp(state, "late") == 0)
		return "it has not answered in time: is its stockade of this release?";
	return js_text(node, "error", "it could not look");
}

static struct count count_all(const json_t *nodes)
{
	struct count c = { 0 };
	json_t *n, *k;
	size_t i, j;

	json_array_foreach (nodes, i, n) {
		json_array_foreach (json_object_get(n, "checks"), j, k) {
			c.pass += is(k, "pass");
			c.warn += is(k, "warn");
			c.fail += is(k, "fail");
			c.unknown += !is(k, "pass") && !is(k, "warn") && !is(k, "fail");
		}
		c.unknown += silence(n) != NULL;
	}
	return c;
}

static const char *colour_of(const json_t *check)
{
	return is(check, "pass")   ? green()
	       : is(check, "warn") ? yellow()
	       : is(check, "fail") ? red()
				   : yellow();
}

static void print_table(const json_t *nodes)
{
	struct table t;
	json_t *n, *k;
	size_t i, j;

	table_init(&t, 6);
	table_row(&t);
	table_cell(&t, 0, bold(), "FROM");
	table_cell(&t, 1, bold(), "TO FENCE");
	table_cell(&t, 2, bold(), "BY");
	table_cell(&t, 3, bold(), "LEVEL");
	table_cell(&t, 4, bold(), "RESULT");
	table_cell(&t, 5, bold(), "ENDS AT");
	json_array_foreach (nodes, i, n) {
		json_array_foreach (json_object_get(n, "checks"), j, k) {
			table_row(&t);
			table_cell(&t, 0, "", "%s", js_text(n, "node", "?"));
			table_cell(&t, 1, "", "%s", js_text(k, "node", "?"));
			table_cell(&t, 2, "", "%s", js_text(k, "device", "?"));
			table_cell(&t, 3, "", "%d", (int)js_int(k, "level", 0));
			table_cell(&t, 4, colour_of(k), "%s", js_text(k, "result", "unknown"));
			if (is(k, "pass"))
				table_cell(&t, 5, "", "-");
			else
				table_cell(&t, 5, "", "%s: %s", js_text(k, "hop", "?"),
					   js_text(k, "cause", "?"));
		}
		if (silence(n)) {
			table_row(&t);
			table_cell(&t, 0, "", "%s", js_text(n, "node", "?"));
			table_cell(&t, 1, "", "?");
			table_cell(&t, 2, "", "?");
			table_cell(&t, 3, "", "?");
			table_cell(&t, 4, yellow(), "unknown");
			table_cell(&t, 5, "", "not looked");
		}
	}
	table_print(&t, stdout, "");
}

static void print_list(const json_t *list, const char *first)
{
	json_t *line;
	size_t i;

	json_array_foreach (list, i, line)
		print_wrapped(stdout, first, "            ", json_string_value(line));
}

/* The same sentence about several nodes is printed once. */
static bool said_before(const json_t *checks, size_t upto, const json_t *k)
{
	for (size_t i = 0; i < upto; i++)
		if (strcmp(js_text(json_array_get(checks, i), "text", ""),
			   js_text(k, "text", "")) == 0)
			return true;
	return false;
}

static void print_one(const json_t *node, const json_t *checks, size_t at)
{
	const json_t *k = json_array_get(checks, at), *other;
	const char *word = is(k, "fail")   ? "cannot fence"
			   : is(k, "warn") ? "may soon not be able to fence"
					   : "is not known to be able to fence";
	size_t i;

	printf("\n%s%s %s %s", colour_of(k), js_text(node, "node", "?"), word,
	       js_text(k, "node", "?"));
	json_array_foreach (checks, i, other)
		if (i > at && strcmp(js_text(other, "text", ""), js_text(k, "text", "")) == 0)
			printf(", %s", js_text(other, "node", "?"));
	printf(" by %s%s (%s)\n", js_text(k, "device", "?"), plain(), js_text(k, "cause", "?"));
	print_wrapped(stdout, "    ", "    ", js_text(k, "text", "?"));
	print_list(json_object_get(k, "seen"), "    seen:   ");
	print_list(json_object_get(k, "remedy"), "    to do:  ");
}

static void print_details(const json_t *nodes)
{
	json_t *n, *k;
	size_t i, j;

	json_array_foreach (nodes, i, n) {
		const json_t *checks = json_object_get(n, "checks");

		json_array_foreach (checks, j, k)
			if (!is(k, "pass") && !said_before(checks, j, k))
				print_one(n, checks, j);
		if (silence(n)) {
			printf("\n%s%s: what it can fence is unknown%s\n", yellow(),
			       js_text(n, "node", "?"), plain());
			print_wrapped(stdout, "    ", "    ", silence(n));
		}
	}
}

static int exit_of(const struct count *c)
{
	if (c->fail)
		return EXIT_FAILED;
	return c->warn || c->unknown || c->pass == 0 ? EXIT_DEGRADED : EXIT_OK;
}

static void print_report(const json_t *nodes, const struct count *c)
{
	print_table(nodes);
	print_details(nodes);
	printf("\n%u way%s work%s", c->pass + c->warn, c->pass + c->warn == 1 ? "" : "s",
	       c->pass + c->warn == 1 ? "s" : "");
	if (c->warn)
		printf(" (%u may not for long)", c->warn);
	if (c->fail)
		printf(", %s%u broken%s", red(), c->fail, plain());
	if (c->unknown)
		printf(", %s%u unknown%s", yellow(), c->unknown, plain());
	puts(". Nobody was fenced.");
}

int doctor_fence(int argc, char **argv)
{
	bool json = false, local = false;
	const struct option_spec spec[] = {
		{ "--json", &json, NULL, NULL },
		{ "--local", &local, NULL, NULL },
		{ NULL, NULL, NULL, NULL },
	};
	struct config *cfg = NULL;

	if (options_parse(&argc, argv, spec))
		return EXIT_USAGE;
	if (argc > 1)
		return usage_error("expected: stockade doctor fence [--local] [--json]");
	if (local && !(cfg = config_read(cli_config_path, stderr)))
		return EXIT_USAGE;
	struct report r = {
		.nodes = json_array(), .said = json_object(), .quiet = json, .begin_ms = mono_ms()
	};
	int code = local ? look_locally(&r, cfg) : look_everywhere(&r);

	config_free(cfg);
	json_decref(r.said);
	if (code != EXIT_OK) {
		json_decref(r.nodes);
		return code;
	}
	compare(r.nodes);
	struct count c = count_all(r.nodes);

	if (!json) {
		print_report(r.nodes, &c);
		json_decref(r.nodes);
		return exit_of(&c);
	}
	code = print_json(json_pack("{s:i, s:b, s:i, s:i, s:i, s:i, s:o}", "proto", 1, "ok",
				    exit_of(&c) == EXIT_OK, "pass", (int)c.pass, "warn",
				    (int)c.warn, "fail", (int)c.fail, "unknown", (int)c.unknown,
				    "nodes", r.nodes));
	return code == EXIT_OK ? exit_of(&c) : code;
}
