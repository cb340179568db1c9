/* SPDX-License-Identifier: GPL-3.0-or-later */
/* stockade - the one command of an operator. See stockade(8). */
#include <stdlib.h>
#include <string.h>

#include "config.h"
#include "lib/shell/config.h"
#include "lib/shell/words.h"
#include "tools/cli.h"

const char *cli_config_path = CONFIG_PATH;

static const struct command *const commands[] = {
	&cmd_status, &cmd_why,   &cmd_history, &cmd_service,       &cmd_node,
	&cmd_fence,  &cmd_ack,   &cmd_volume,  &cmd_locks,         &cmd_init,
	&cmd_doctor, &cmd_check, &cmd_timing,  &cmd_corosync_conf, &cmd_key,
};
#define COMMANDS (sizeof(commands) / sizeof(commands[0]))

static void print_help(FILE *out)
{
	fputs("Usage: stockade [--config FILE] COMMAND [ARGUMENTS]\n\n", out);
	for (size_t i = 0; i < COMMANDS; i++)
		fprintf(out, "  %-15s %s\n", commands[i]->name, commands[i]->summary);
	fputs("\n  --config FILE   instead of " CONFIG_PATH "\n"
	      "  --help          this text; stockade COMMAND --help: about one command\n"
	      "  --version       the version\n"
	      "\nExit: 0 done, or all is well; 1 it failed; 2 wrong arguments or configuration; 3 a daemon\n"
	      "does not run; 4 refused by a safety rule; 5 not all is well, or not now.\n",
	      out);
}

static void print_command_help(const struct command *c)
{
	printf("Usage: stockade %s %s\n\n%s.\n\n%s", c->name, c->usage, c->summary, c->help);
}

static int unknown(const char *name)
{
	const char *names[COMMANDS + 1] = { NULL }, *near;

	for (size_t i = 0; i < COMMANDS; i++)
		names[i] = commands[i]->name;
	near = nearest_word(name, names);
	if (near)
		return usage_error("there is no command \"%s\"; did you mean \"%s\"?", name, near);
	return usage_error("there is no command \"%s\"; see: stockade --help", name);
}

int main(int argc, char **argv)
{
	int i = 1;

	out_init();
	for (; i < argc && argv[i][0] == '-'; i++) {
		if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
			print_help(stdout);
			return EXIT_OK;
		}
		if (strcmp(argv[i], "--version") == 0) {
			puts("stockade " PACKAGE_VERSION);
			return EXIT_OK;
		}
		if (strcmp(argv[i], "--config") == 0 && i + 1 < argc)
			cli_config_path = argv[++i];
		else if (strncmp(argv[i], "--config=", 9) == 0)
			cli_config_path = argv[i] + 9;
		else
			return usage_error("unknown option %s; see: stockade --help", argv[i]);
	}
	if (i == argc) {
		print_help(stderr);
		return EXIT_USAGE;
	}
	for (size_t c = 0; c < COMMANDS; c++) {
		if (strcmp(commands[c]->name, argv[i]) != 0)
			continue;
		for (int a = i + 1; a < argc && strcmp(argv[a], "--") != 0; a++)
			if (strcmp(argv[a], "--help") == 0) {
				print_command_help(commands[c]);
				return EXIT_OK;
			}
		return commands[c]->run(argc - i, argv + i);
	}
	return unknown(argv[i]);
}
