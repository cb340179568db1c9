/* SPDX-License-Identifier: GPL-3.0-or-later */
/* stockade timing, corosync-conf: what follows from the configuration. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/shell/config.h"
#include "tools/cli.h"
#include "tools/corosync_conf.h"

/* "token_ms" as people and doc/timing.md call it. */
static const char *bare(const char *name, char *buf, size_t size)
{
	snprintf(buf, size, "%.*s", (int)(strlen(name) - strlen("_ms")), name);
	return buf;
}

static json_t *as_json(const struct timing_in *in, const struct timing *t,
		       const struct timing_check *c, unsigned n, bool safe)
{
	json_t *values = json_object(), *checks = json_array();

#define X(name, rule) json_object_set_new(values, #name, json_integer(t->name));
	TIMING_VALUES(X)
#undef X
	for (unsigned i = 0; i < n; i++)
		json_array_append_new(
			checks,
			json_pack("{s:s, s:I, s:I, s:I, s:b}", "rule", c[i].rule, "left_ms",
				  (json_int_t)c[i].left_ms, "right_ms", (json_int_t)c[i].right_ms,
				  "slack_ms", (json_int_t)c[i].right_ms - (json_int_t)c[i].left_ms,
				  "ok", c[i].ok));
	return json_pack("{s:i, s:I, s:b, s:I, s:I, s:o, s:o}", "proto", 1, "detect_ms",
			 (json_int_t)in->detect_ms, "safe", safe, "detect_worst_ms",
			 (json_int_t)timing_detect_worst_ms(t), "io_error_ms",
			 (json_int_t)timing_io_error_ms(t), "values", values, "checks", checks);
}

static void print_times(const struct timing_in *in, const struct timing *t,
			const struct timing_check *c, unsigned n)
{
	char text[DURATION_TEXT], name[64];
	struct table table;

	printf("A dead node is noticed after %u to %u ms (detect is %s).\n\n", t->token_ms * 2,
	       timing_detect_worst_ms(t), duration_text(in->detect_ms, text, sizeof(text)));
	table_init(&table, 3);
	table_row(&table);
	table_cell(&table, 0, dim(), "TIME");
	table_cell(&table, 1, dim(), "ms");
	table_cell(&table, 2, dim(), "WHERE IT COMES FROM");
#define X(field, rule)                                                         \
	table_row(&table);                                                     \
	table_cell(&table, 0, bold(), "%s", bare(#field, name, sizeof(name))); \
	table_cell(&table, 1, NULL, "%6u", t->field);                          \
	table_cell(&table, 2, NULL, "%s", rule);
	TIMING_VALUES(X)
#undef X
	table_print(&table, stdout, "");
	putchar('\n');
	table_init(&table, 4);
	table_row(&table);
	table_cell(&table, 0, dim(), "WHAT MAKES THEM SAFE");
	table_cell(&table, 1, dim(), "ms < ms");
	table_cell(&table, 2, dim(), "SLACK");
	table_cell(&table, 3, dim(), "ELSE");
	for (unsigned i = 0; i < n; i++) {
		table_row(&table);
		table_cell(&table, 0, c[i].ok ? NULL : red(), "%s", c[i].rule);
		table_cell(&table, 1, NULL, "%6u %s %6u", c[i].left_ms, c[i].ok ? "<" : "!",
			   c[i].right_ms);
		if (c[i].ok)
			table_cell(&table, 2, green(), "%s",
				   duration_text(c[i].right_ms - c[i].left_ms, text, sizeof(text)));
		else
			table_cell(&table, 2, red(), "BROKEN");
		table_cell(&table, 3, c[i].ok ? dim() : red(), "%s%s%s", c[i].why,
			   c[i].ok ? "" : "; ", c[i].ok ? "" : c[i].fix);
	}
	table_print(&table, stdout, "");
}

/* Times for a detect that is asked for, with as many nodes and links; or those of the configuration. */
static int inputs(const char *detect, const char *nodes, const char *links, struct timing_in *in)
{
	struct config *cfg;
	uint64_t ms;

	if (!detect) {
		if (nodes || links)
			return usage_error("--nodes and --links go with --detect");
		cfg = config_read(cli_config_path, stderr);
		if (!cfg)
			return EXIT_USAGE;
		*in = cfg->timing_in;
		config_free(cfg);
		return EXIT_OK;
	}
	if (!time_parse(detect, &ms) || ms < TIMING_DETECT_MIN_MS || ms > TIMING_DETECT_MAX_MS)
		return usage_error("--detect %s is not a time from 1s to 1min", detect);
	*in = (struct timing_in){ .detect_ms = (uint32_t)ms,
				  .n_nodes = nodes ? (unsigned)strtoul(nodes, NULL, 10) : 2,
				  .n_links = links ? (unsigned)strtoul(links, NULL, 10) : 1 };
	return EXIT_OK;
}

static int timing_run(int argc, char **argv)
{
	bool json = false;
	const char *detect = NULL, *nodes = NULL, *links = NULL;
	const struct option_spec spec[] = {
		{ "--json", &json, NULL, NULL },   { "--detect", NULL, &detect, NULL },
		{ "--nodes", NULL, &nodes, NULL }, { "--links", NULL, &links, NULL },
		{ NULL, NULL, NULL, NULL },
	};
	struct timing_check c[TIMING_CHECKS_MAX];
	struct timing_in in;
	struct timing t;
	unsigned n = 0;
	int r;

	if (options_parse(&argc, argv, spec))
		return EXIT_USAGE;
	if (argc > 1)
		return usage_error("timing takes no argument");
	r = inputs(detect, nodes, links, &in);
	if (r)
		return r;
	r = timing_solve(&in, &t, c, &n);
	if (r == -EINVAL)
		return usage_error("there can be 1 to %d nodes and 1 or 2 links", NODES_MAX);
	if (json)
		print_json(as_json(&in, &t, c, n, r == 0));
	else
		print_times(&in, &t, c, n);
	if (r)
		fputs("stockade: these times cannot be safe; no daemon would start with them.\n",
		      stderr);
	return r ? EXIT_REFUSED : EXIT_OK;
}

const struct command cmd_timing = {
	.name = "timing",
	.usage = "[--json] [--detect TIME [--nodes N] [--links N]]",
	.summary = "Show every time, where it comes from, and what makes the set safe",
	.help = "  --detect TIME   as if the configuration said so; needs no configuration\n"
		"  --nodes N       with --detect: how many nodes (2)\n"
		"  --links N       with --detect: how many links between them (1)\n"
		"  --json          for programs: {\"proto\", \"detect_ms\", \"safe\", \"values\", \"checks\", ...}\n"
		"\nExit: 0 safe; 2 wrong arguments or configuration; 4 these times cannot be safe.\n",
	.run = timing_run,
};

static int corosync_conf_run(int argc, char **argv)
{
	const struct option_spec spec[] = { { NULL, NULL, NULL, NULL } };
	struct config *cfg;

	if (options_parse(&argc, argv, spec))
		return EXIT_USAGE;
	if (argc > 1)
		return usage_error("corosync-conf takes no argument");
	cfg = config_read(cli_config_path, stderr);
	if (!cfg)
		return EXIT_USAGE;
	corosync_conf_write(cfg, stdout);
	config_free(cfg);
	return fflush(stdout) == 0 ? EXIT_OK : EXIT_FAILED;
}

const struct command cmd_corosync_conf = {
	.name = "corosync-conf",
	.usage = "",
	.summary = "Print the corosync.conf that belongs to the configuration",
	.help = "For " COROSYNC_CONF
		" of every node; afterwards: corosync-cfgtool -R, or restart corosync.\n"
		"\nExit: 0; 2 wrong configuration.\n",
	.run = corosync_conf_run,
};
