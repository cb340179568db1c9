/* SPDX-License-Identifier: GPL-3.0-or-later */
/* fence_agents/lib/agent.h - what every fence agent of ours is made of: the ClusterLabs agent API.
 *
 * An agent is a table of parameters and a few callbacks that talk to its device; agent_main() does the rest: reads
 * `name=value` lines from stdin, or options, finds the action, waits, reads back, prints, and chooses the exit code.
 *
 *	static const struct agent_def def = { .name = "fence_toy", ..., .status = toy_status, .set = toy_set };
 *	int main(int argc, char **argv) { return agent_main(&def, argc, argv); }
 *
 * Source of the rules: FenceAgentAPI.md of ClusterLabs' fence-agents, and what its Python library does (ref/fencing.md 2).
 *
 * Exit codes: 0 done, or on (status); 1 failed, or unknown; 2 off (status), and nothing else is ever 2 (SAFE-3).
 * A failure prints exactly one line on stderr that says what and what to do; notes and warnings may come before it.
 *
 * Where we differ from others, on purpose:
 *   - a value is the whole rest of its line, blanks inside and all; blanks around name and value do not count, so that
 *     `action = status` is status. One pair of double quotes around it is taken off.
 *   - `action=` without a value is an error: it never means the default, which reboots. So is a name and its old name
 *     with different values (action and option, plug and port).
 *   - off is tried even when the status before it cannot be read; it is done only when the status after it says off (SAFE-3).
 *   - waits are bounded also below pacemaker-fenced, unless disable_timeout is given.
 * An unknown name on stdin is a warning, as the API wants; nodename, agent, self and what crm and Pacemaker add are
 * taken silently. No value of a parameter marked secret is ever printed, and it is wiped from the command line.
 *
 * Not thread-safe, one agent a process.
 */
#ifndef STOCKADE_FENCE_AGENTS_LIB_AGENT_H
#define STOCKADE_FENCE_AGENTS_LIB_AGENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct agent; /* one run */

enum agent_exit { AGENT_EXIT_OK = 0, AGENT_EXIT_FAILED = 1, AGENT_EXIT_OFF = 2 };

enum agent_power { AGENT_UNKNOWN = 0, AGENT_ON, AGENT_OFF };

enum agent_type {
	AGENT_STRING = 0,
	AGENT_BOOLEAN, /* 1 0 yes no on off true false; an option without argument means yes */
	AGENT_INTEGER, /* min..max */
	AGENT_SECOND,  /* whole seconds, min..max; "20" or "20s" */
	AGENT_SELECT,  /* one of select[], any case; agent_get() gives the table's spelling */
	AGENT_LEVEL,   /* a number on stdin; as an option without argument, repeated: counts */
};

#define AGENT_ALIASES_MAX 3
#define AGENT_VALUE_MAX 65536 /* bytes of a value, at most; a longer one is an error */

struct agent_alias { /* another name of a parameter: an old one, or one that others use */
	const char *name;
	char letter; /* its own option letter; 0: none */
	bool hidden; /* taken, but not in the metadata */
};

/* A row of the table. Names are as on stdin, with '_'; the long option is the same with '-'. Everything is borrowed
 * for the life of the process.
 */
struct agent_param {
	const char *name; /* NULL ends a table */
	struct agent_alias alias[AGENT_ALIASES_MAX];
	enum agent_type type;
	char letter;             /* option letter; 0: none */
	const char *long_option; /* NULL: from the name; "": no long option */
	const char *arg;         /* what the argument is, for --help and metadata; NULL: by type */
	const char *bare;  /* the value of the option given without argument; NULL: it needs one */
	const char *value; /* default; NULL: none */
	const char *const *select; /* AGENT_SELECT: NULL-terminated */
	long min, max;             /* AGENT_INTEGER, _SECOND, _LEVEL; both 0: 0..INT32_MAX */
	bool required; /* by every action that touches the device (not list and monitor for plug) */
	bool secret; /* never printed; NAME_script, a program that prints it, is added by the library */
	bool hidden; /* taken, but not in metadata and help */
	bool stdin_only;
	const char *text; /* one sentence, for metadata and --help */
};

/* Parameters that the library has in store; @common chooses, besides those every agent has (action, delay, verbose, quiet,
 * debug_file, power_timeout, power_wait, stonith_status_sleep, retry_on, disable_timeout, missing_as_off, separator). A row of
 * the agent's own with the same name replaces the library's; its option letter goes before any of the library's.
 */
enum agent_common {
	AGENT_HAS_PLUG =
		1
		<< 0, /* plug (port), plug_separator: set() and status() are asked once per plug */
	AGENT_HAS_IP = 1 << 1, /* ip (ipaddr), ipport, inet4_only, inet6_only */
	AGENT_HAS_LOGIN =
		1 << 2, /* username (login), password (passwd), password_script, login_timeout */
	AGENT_HAS_SHELL = 1 << 3,  /* shell_timeout */
	AGENT_HAS_METHOD = 1 << 4, /* method onoff|cycle */
};

enum agent_flag {
	AGENT_FABRIC =
		1
		<< 0, /* cuts off from something, no reboot; default action off; enable and disable are on and off */
	AGENT_ALWAYS =
		1
		<< 1, /* on and off are carried out even if the status before says it is so already */
	AGENT_ON_AUTOMATIC = 1 << 2, /* unfencing: <action name="on" automatic="1" on_target="1"> */
	AGENT_NO_STATUS =
		1
		<< 3, /* neither status nor read-back: for agents that say so; off then is what set() saw */
};

/* An action that the API does not know (diag, null). */
struct agent_action {
	const char *name; /* NULL ends a table */
	bool needs_plug;
	bool offline; /* without open() */
	/* Return: an exit code (enum agent_exit); after agent_error(): AGENT_EXIT_FAILED. */
	int (*run)(struct agent *a, const char *plug);
};

/* Callbacks return 0, or what agent_error() returned. @plug is one plug; "" for agents without plugs. */
struct agent_def {
	const char *name;       /* fence_toy */
	const char *short_text; /* one line */
	const char *text;       /* long description, paragraphs apart by "\n\n" */
	const char *url;        /* of the device's maker; may be NULL */
	const struct agent_param *param;
	unsigned common;                   /* enum agent_common */
	unsigned flags;                    /* enum agent_flag */
	const struct agent_action *action; /* may be NULL */
	size_t state_bytes;                /* zeroed memory for the agent's own, agent_state() */

	/* Parameters that do not go together; no device is touched. May be NULL. */
	int (*validate)(struct agent *a);

	/* Log in. Before every action that touches the device; may be NULL, as may close(), which is called after every open(). */
	int (*open)(struct agent *a);
	void (*close)(struct agent *a);

	/* @ret: AGENT_UNKNOWN is allowed, with a text by agent_error(). AGENT_MISSING as the return value: no such plug. */
	int (*status)(struct agent *a, const char *plug, enum agent_power *ret);

	/*
	 * Switch @plug to @to (AGENT_ON or AGENT_OFF). @seen: the state that the device itself read back afterwards in the same
	 * talk, if the agent may believe it; left AGENT_UNKNOWN, the library asks status() until it is so or power_timeout is over.
	 */
	int (*set)(struct agent *a, const char *plug, enum agent_power to, enum agent_power *seen);

	/*
	 * method=cycle, and agents whose reboot is one step. NULL: off, then on. Where there is status(), the plug has to be
	 * seen off afterwards; @seen, AGENT_UNKNOWN: AGENT_OFF when that was seen here.
	 */
	int (*cycle)(struct agent *a, const char *plug, enum agent_power *seen);

	/* agent_list_row() for each plug. NULL: no list, and monitor asks the status instead. */
	int (*list)(struct agent *a);

	/* NULL: list() if there is one, else status(). */
	int (*monitor)(struct agent *a);
};

#define AGENT_MISSING (-4095) /* status(): the device answers, and has no such plug */

/* Everything. Return: the exit code of the process. */
int agent_main(const struct agent_def *def, int argc, char **argv);

/* Values, after parsing. @name must be in the table (asserted). */
const char *agent_get(const struct agent *a, const char *name); /* NULL: not given, no default */
bool agent_given(const struct agent *a, const char *name);      /* by the caller, not by default */
bool agent_is(const struct agent *a, const char *name);         /* AGENT_BOOLEAN */
long agent_number(const struct agent *a, const char *name);     /* AGENT_INTEGER, _SECOND, _LEVEL */

/* When AGENT_SECOND @name, counted from now, is over, on agent_now_ms()'s clock; INT64_MAX with disable_timeout. */
int64_t agent_deadline_ms(const struct agent *a, const char *name);
int64_t agent_now_ms(void); /* CLOCK_MONOTONIC */
/* For poll(2): what is left until @deadline_ms, 0 when over, -1 for INT64_MAX. */
int agent_left_ms(int64_t deadline_ms);
void agent_sleep_ms(int64_t ms);

const char *agent_action_name(const struct agent *a); /* "off": as the table spells it */
void *agent_state(struct agent *a);
const char *agent_power_name(enum agent_power p); /* "on", "off", "unknown" */

/*
 * Remember the one line that a failure prints: what is wrong, then what to do. The last one counts; no secret belongs in
 * it. Return: -@err (@err > 0).
 */
int agent_error(struct agent *a, int err, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
const char *agent_error_text(const struct agent *a); /* "" before the first */

/* stderr (not with quiet) and debug_file. warn: always; debug: with verbose. */
void agent_warn(struct agent *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void agent_debug(struct agent *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* One plug of the list; @alias may be NULL; printed for list and list-status only. */
void agent_list_row(struct agent *a, const char *plug, const char *alias, enum agent_power p);

#endif
