/* SPDX-License-Identifier: GPL-3.0-or-later */
/* stockade volume, locks. */
#include <string.h>

#include "tools/cli.h"

#define PREPARE_MS (70 * 1000) /* storaged ends it itself after a minute */

static int volume_run(int argc, char **argv)
{
	const struct option_spec spec[] = { { NULL, NULL, NULL, NULL } };
	json_t *reply;
	int code;

	if (options_parse(&argc, argv, spec))
		return EXIT_USAGE;
	if (argc != 3 || strcmp(argv[1], "prepare") != 0)
		return usage_error("expected: stockade volume prepare NAME");
	reply = ask(
		STORAGED,
		json_pack("{s:s, s:s, s:s}", "cmd", "volume", "name", argv[2], "action", "prepare"),
		PREPARE_MS, &code);
	if (!reply)
		return code;
	puts(js_text(reply, "text",
		     js_true(reply, "already") ? "nothing to do: it is prepared" : "prepared"));
	json_decref(reply);
	return EXIT_OK;
}

const struct command cmd_volume = {
	.name = "volume",
	.usage = "prepare NAME",
	.summary = "Make a volume ready: its epoch area, once in its life",
	.help = "Adds a small logical volume beside the volume's own (one extent, LV_stockade in the same volume group) that\n"
		"holds its epoch and its owner's heartbeat. The data is not touched. Run it once, on one node, while the volume\n"
		"is not active anywhere; a second run changes nothing.\n"
		"\nExit: 0 prepared; 1 it failed; 2 no such volume; 3 storaged does not run; 4 refused; 5 not now.\n",
	.run = volume_run,
};

static const char *blockers(const json_t *lock, char *buf, size_t size)
{
	json_t *node;
	size_t i, len = 0;

	buf[0] = '\0';
	json_array_foreach (json_object_get(lock, "blocked_by"), i, node)
		if (len < size)
			len += (size_t)snprintf(buf + len, size - len, "%s%s", i ? " " : "",
						json_is_string(node) ? json_string_value(node)
								     : "?");
	return buf;
}

static int locks_run(int argc, char **argv)
{
	bool as_json = false;
	const char *lockspace = NULL;
	const struct option_spec spec[] = {
		{ "--json", &as_json, NULL, NULL },
		{ "--lockspace", NULL, &lockspace, NULL },
		{ NULL, NULL, NULL, NULL },
	};
	json_t *reply, *lock;
	struct table t;
	size_t i;
	int code;

	if (options_parse(&argc, argv, spec))
		return EXIT_USAGE;
	if (argc != 1)
		return usage_error("locks takes no argument");
	reply = ask(DLMD, json_pack("{s:s, s:s?}", "cmd", "locks", "lockspace", lockspace),
		    ASK_MS * 3, &code);
	if (!reply)
		return code;
	if (as_json)
		return print_json(reply);
	table_init(&t, 7);
	table_row(&t);
	static const char *const head[] = { "LOCKSPACE", "RESOURCE", "NODE",     "STATE",
					    "MODE",      "SINCE",    "WAITS FOR" };
	for (unsigned c = 0; c < 7; c++)
		table_cell(&t, c, dim(), "%s", head[c]);
	json_array_foreach (json_object_get(reply, "locks"), i, lock) {
		const char *state = js_text(lock, "state", "?");
		char text[200];
		bool waits = strcmp(state, "granted") != 0;

		table_row(&t);
		table_cell(&t, 0, NULL, "%s", js_text(lock, "lockspace", "?"));
		table_cell(&t, 1, bold(), "%s", js_text(lock, "resource", "?"));
		table_cell(&t, 2, NULL, "%s", js_text(lock, "node", "?"));
		table_cell(&t, 3, waits ? yellow() : green(), "%s", state);
		if (js_str(lock, "wanted"))
			table_cell(&t, 4, NULL, "%s -> %s", js_text(lock, "mode", "-"),
				   js_str(lock, "wanted"));
		else
			table_cell(&t, 4, NULL, "%s", js_text(lock, "mode", "-"));
		if (!js_null(lock, "since_ms"))
			table_cell(&t, 5, NULL, "%s",
				   duration_text((uint64_t)js_int(lock, "since_ms", 0), text,
						 sizeof(text)));
		table_cell(&t, 6, NULL, "%s", blockers(lock, text, sizeof(text)));
	}
	if (t.rows == 1)
		puts("There are no locks.");
	table_print(&t, stdout, "");
	if (js_true(reply, "truncated"))
		puts("There are more; name a lockspace.");
	json_decref(reply);
	return EXIT_OK;
}

const struct command cmd_locks = {
	.name = "locks",
	.usage = "[--lockspace NAME] [--json]",
	.summary = "Show the cluster's locks: who holds and who waits",
	.help = "State orphan: its node is gone without a proof; it stays granted until there is one (SAFE-2).\n\n"
		"  --lockspace NAME   of one lockspace only\n"
		"  --json             for programs: dlmd's answer, as in doc/protocol.md\n"
		"\nExit: 0; 3 dlmd does not run.\n",
	.run = locks_run,
};
