/* SPDX-License-Identifier: GPL-3.0-or-later */
/* stockade fence, ack: to have a node switched off, and to vouch for one that is. */
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "lib/shell/loop.h"
#include "tools/cli.h"
#include "tools/drill.h"

#define POLL_MS 200
#define WAIT_MS (5 * 60 * 1000)

static bool confirmed(const char *question)
{
	char line[16];

	if (!isatty(STDIN_FILENO))
		return true;
	printf("%s [y/N] ", question);
	fflush(stdout);
	return fgets(line, sizeof(line), stdin) && (line[0] == 'y' || line[0] == 'Y');
}

static void say_phase(const json_t *fencing, char *last, size_t size, uint64_t begin_ms)
{
	static const char *const phases[][2] = {
		{ "delay", "waits for the other side of the cut" },
		{ "off", "switches it off by" },
		{ "verify", "asks whether it is off:" },
		{ "on", "switches it on again by" },
		{ "retry", "pauses, as every node has failed" },
		{ "confirm", "is to act; another node has to confirm that" },
		{ "watchdog", "waits until its watchdog has fired for certain" },
		{ "wait", "waits" },
		{ "watchdog", "waits until its watchdog has fired for certain" },
	};
	char text[512], what[64], took[DURATION_TEXT];
	const char *error = js_str(fencing, "error"), *device = js_str(fencing, "device");

	if (device && (!*device || strcmp(js_text(fencing, "phase", ""), "retry") == 0))
		device = NULL;
	if (!json_is_object(fencing))
		return;
	snprintf(what, sizeof(what), "%s", js_text(fencing, "phase", "?"));
	/* no turn to wait for, and nothing was tried yet: it begins in this moment */
	if (strcmp(what, "delay") == 0 && js_int(fencing, "next_ms", 0) == 0)
		return;
	for (size_t i = 0; i < sizeof(phases) / sizeof(phases[0]); i++)
		if (strcmp(phases[i][0], what) == 0) {
			snprintf(what, sizeof(what), "%s", phases[i][1]);
			break;
		}
	snprintf(text, sizeof(text), "%s%s%s%s%s%s%s", js_text(fencing, "actor", ""),
		 js_str(fencing, "actor") ? " " : "", what, device ? " " : "", device ? device : "",
		 error ? "; " : "", error ? error : "");
	if (strcmp(text, last) == 0)
		return;
	snprintf(last, size, "%s", text);
	printf("  %8s  %s\n", duration_text(mono_ms() - begin_ms, took, sizeof(took)), text);
	fflush(stdout);
}

int fence_follow(const char *name, int64_t proof_before, uint64_t limit_ms)
{
	struct timespec pause = { .tv_nsec = POLL_MS * 1000000L };
	uint64_t begin_ms = mono_ms();
	char last[512] = "", took[DURATION_TEXT];
	unsigned silent = 0;

	for (;;) {
		int error = 0;
		json_t *status = ask_quietly(FENCED, json_pack("{s:s}", "cmd", "status"), ASK_MS,
					     &error);
		const json_t *node = js_find(json_object_get(status, "nodes"), "name", name);
		const json_t *proof = json_object_get(node, "proof");

		if (js_int(proof, "number", -1) > proof_before) {
			printf("  %8s  %s%s is proven unable to write%s: %s, by %s: %s\n",
			       duration_text(mono_ms() - begin_ms, took, sizeof(took)), green(),
			       name, plain(), js_text(proof, "kind", "?"),
			       js_text(proof, "by", "?"), js_text(proof, "evidence", ""));
			json_decref(status);
			return EXIT_OK;
		}
		if (status) {
			silent = 0;
			say_phase(json_object_get(node, "fencing"), last, sizeof(last), begin_ms);
		} else if (++silent == 20) {
			say_no_answer(FENCED, error);
			return EXIT_NOT_RUNNING;
		}
		json_decref(status);
		if (mono_ms() - begin_ms > limit_ms) {
			fprintf(stderr,
				"stockade: no proof yet after %s; it is tried for ever.\n  to do: stockade why %s\n",
				duration_text(limit_ms, took, sizeof(took)), name);
			return EXIT_DEGRADED;
		}
		nanosleep(&pause, NULL);
	}
}

/* Before one says yes: whom does it hit? */
static void say_what_it_hits(const char *node)
{
	int error = 0;
	json_t *st = ask_quietly(STORAGED, json_pack("{s:s}", "cmd", "status"), ASK_MS, &error), *s;
	char names[256] = "";
	size_t i, n = 0;

	json_array_foreach (json_object_get(st, "services"), i, s)
		if (strcmp(js_text(s, "node", ""), node) == 0 &&
		    strcmp(js_text(s, "state", ""), "running") == 0 && n < sizeof(names))
			n += (size_t)snprintf(names + n, sizeof(names) - n, "%s%s", n ? ", " : "",
					      js_text(s, "name", "?"));
	if (n)
		printf("%s serves %s: clients wait until another node has taken over.\n", node,
		       names);
	json_decref(st);
	st = ask_quietly(FENCED, json_pack("{s:s}", "cmd", "status"), ASK_MS, &error);
	if (strcmp(js_text(st, "node", ""), node) == 0)
		printf("%s is this very node: another one switches it off.\n", node);
	json_decref(st);
	fflush(stdout);
}

static int fence_run(int argc, char **argv)
{
	bool no_wait = false, yes = false, drill = false, next = false, ours = true;
	const char *reason = NULL, *timeout = NULL, *min_age = NULL, *level_text = NULL, *node;
	char next_node[64], *end;
	uint64_t limit_ms = WAIT_MS, min_age_ms = 0;
	unsigned long level = 0;
	const struct option_spec spec[] = {
		{ "--drill", &drill, NULL, NULL },
		{ "--next", &next, NULL, NULL },
		{ "--level", NULL, &level_text, NULL },
		{ "--min-age", NULL, &min_age, NULL },
		{ "--reason", NULL, &reason, NULL },
		{ "--yes", &yes, NULL, NULL },
		{ "--no-wait", &no_wait, NULL, NULL },
		{ "--timeout", NULL, &timeout, NULL },
		{ NULL, NULL, NULL, NULL },
	};
	json_t *reply, *status;
	int64_t before;
	char question[160];
	int code, error = 0;

	if (options_parse(&argc, argv, spec))
		return EXIT_USAGE;
	if (timeout && !time_parse(timeout, &limit_ms))
		return usage_error("--timeout %s is not a time, such as 90s or 5min", timeout);
	if (min_age && !time_parse(min_age, &min_age_ms))
		return usage_error("--min-age %s is not a time, such as 12h or 2d", min_age);
	if (level_text) {
		level = strtoul(level_text, &end, 10);
		if (*end || level == 0 || level > 99)
			return usage_error("--level %s is not a level: they are counted from 1",
					   level_text);
	}
	if (!drill && (level_text || min_age))
		return usage_error("--level and --min-age are for --drill");
	if (argc != (next ? 1 : 2) || (next && !drill) || (drill && no_wait))
		return usage_error(
			"expected: stockade fence NODE --reason TEXT, or fence --drill NODE|--next");
	if (!drill && (!reason || !reason[0]))
		return usage_error("fence needs --reason TEXT: it is kept in the history");
	if (next) {
		code = drill_next(next_node, min_age_ms, &ours);
		if (code != EXIT_OK || !ours)
			return code;
	}
	node = next ? next_node : argv[1];
	if (!drill)
		say_what_it_hits(node);
	snprintf(question, sizeof(question), "%s %s off now, without shutting it down?",
		 drill ? "For a drill, move the services away and switch" : "Switch", node);
	if (!yes && !confirmed(question)) {
		fputs("stockade: nothing was done\n", stderr);
		return EXIT_FAILED;
	}
	if (drill)
		return drill_run(node, (unsigned)level, reason ? reason : "no reason given",
				 limit_ms);
	/* A proof made between our question and the answer must count, so look before asking. */
	status = ask_quietly(FENCED, json_pack("{s:s}", "cmd", "status"), ASK_MS, &error);
	before = js_int(json_object_get(js_find(json_object_get(status, "nodes"), "name", argv[1]),
					"proof"),
			"number", -1);
	json_decref(status);
	reply = ask(FENCED,
		    json_pack("{s:s, s:s, s:s}", "cmd", "fence", "node", argv[1], "reason", reason),
		    10000, &code);
	if (!reply)
		return code;
	puts(js_text(reply, "text", "accepted"));
	fflush(stdout);
	json_decref(reply);
	return no_wait ? EXIT_OK : fence_follow(argv[1], before, limit_ms);
}

const struct command cmd_fence = {
	.name = "fence",
	.usage =
		"NODE --reason TEXT [--yes] [--no-wait] [--timeout TIME] | --drill NODE|--next [--level N]",
	.summary = "Have a node switched off, and wait for the proof that it is",
	.help = "  --drill          to know that it works: its services move away, it is fenced, boots, and may serve again;\n"
		"                   only while all nodes are members, all fence paths pass, and nobody is held\n"
		"                   Exit 1: it came back, but its devices were not tested, and why\n"
		"  --level N        with --drill: by the devices of this level; otherwise by those whose test is longest ago\n"
		"  --next           with --drill: the node whose last drill is longest ago; one other node does it, the rest\n"
		"                   say so and end (for stockade-drill.timer)\n"
		"  --min-age TIME   with --next: not as long as the last drill of any node is younger than this\n"
		"  --reason TEXT    why; kept in the history\n"
		"  --yes            do not ask, also on a terminal\n"
		"  --no-wait        return when the cluster has agreed\n"
		"  --timeout TIME   stop watching after this (5min); fencing itself goes on for ever\n"
		"\nExit: 0 proven off; 1 not confirmed; 2 no such node; 3 fenced does not run; 4 refused; 5 not now (no\n"
		"quorum), or not proven yet.\n",
	.run = fence_run,
};

static void say_alive(const json_t *reply)
{
	json_t *sign;
	size_t i;

	json_array_foreach (json_object_get(reply, "alive"), i, sign)
		fprintf(stderr, "  %s: %s\n", js_text(sign, "channel", "?"),
			js_text(sign, "text", "it is alive"));
}

static int ack_run(int argc, char **argv)
{
	bool force = false;
	const char *reason = NULL;
	const struct option_spec spec[] = {
		{ "--force", &force, NULL, NULL },
		{ "--reason", NULL, &reason, NULL },
		{ NULL, NULL, NULL, NULL },
	};
	json_t *reply;
	int error = 0, code;

	if (options_parse(&argc, argv, spec))
		return EXIT_USAGE;
	if (argc != 2)
		return usage_error("expected: stockade ack NODE [--force --reason TEXT]");
	if (force && (!reason || !reason[0]))
		return usage_error(
			"ack --force needs --reason TEXT: how do you know that %s cannot write? It is kept",
			argv[1]);
	reply = ask_quietly(FENCED,
			    json_pack("{s:s, s:s, s:b, s:s?}", "cmd", "ack", "node", argv[1],
				      "force", force, "reason", reason),
			    60000, &error);
	if (!reply) {
		say_no_answer(FENCED, error);
		return EXIT_NOT_RUNNING;
	}
	if (js_true(reply, "ok")) {
		puts(js_text(reply, "text", "accepted"));
		code = EXIT_OK;
	} else {
		code = say_refusal(reply);
		say_alive(reply);
	}
	json_decref(reply);
	return code;
}

const struct command cmd_ack = {
	.name = "ack",
	.usage = "NODE [--force --reason TEXT]",
	.summary = "Vouch that a node which could not be fenced is off",
	.help = "Only when its fence devices do not answer and you have seen that it is off. Refused while corosync, its disk\n"
		"heartbeat or a fence device shows it alive (SAFE-5): a wrong word here loses data.\n\n"
		"  --force         although something shows it alive\n"
		"  --reason TEXT   with --force: how you know; kept in the history\n"
		"\nExit: 0 accepted; 2 no such node; 3 fenced does not run; 4 refused, with what shows it alive; 5 not now.\n",
	.run = ack_run,
};
