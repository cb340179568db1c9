/* SPDX-License-Identifier: GPL-3.0-or-later */
/* stockade doctor: looks closely at what fencing stands on, and changes nothing. */
#include <string.h>

#include "tools/cli.h"
#include "tools/doctor.h"

static int doctor_run(int argc, char **argv)
{
	const struct option_spec none[] = { { NULL, NULL, NULL, NULL } };

	if (argc > 1 && strcmp(argv[1], "fence") == 0)
		return doctor_fence(argc - 1, argv + 1);
	if (options_parse(&argc, argv, none))
		return EXIT_USAGE;
	if (argc != 2 || strcmp(argv[1], "watchdog") != 0)
		return usage_error("expected: stockade doctor fence|watchdog");
	return doctor_watchdog(cli_config_path);
}

const struct command cmd_doctor = {
	.name = "doctor",
	.usage = "fence [--local] [--json] | watchdog",
	.summary = "Look closely at a part that fencing stands on",
	.help = "  fence       the way from every node to every fence device, without fencing anyone: which hop drops, what was seen, and\n"
		"              what to do. Every node is asked through fenced\n"
		"  watchdog    this node's watchdog: device, identity, timeouts, nowayout, and whether it would really reset the\n"
		"              machine; nothing is armed by looking\n"
		"\n"
		"  --local     fence: look from this machine alone; nothing has to run\n"
		"  --json      fence: one object, see doc/protocol.md\n"
		"\nExit: 0 nothing was found; 1 something was; 2 wrong arguments or configuration; 3 fenced does not run\n"
		"(--local needs none); 5 no way is broken, but one is unknown, or works and may not do so for long.\n",
	.run = doctor_run,
};
