/* SPDX-License-Identifier: GPL-3.0-or-later */
/* fence_agents/lib/agent_priv.h - inside of the agent library.
 *
 *   agent.c        main, actions, list and monitor     agent_param.c  the table and its values from stdin and argv
 *   agent_power.c  on, off, reboot, read-back          agent_text.c   metadata, help
 *   agent_say.c    messages, clock, waiting            agent_common.c the parameters in store
 */
#ifndef STOCKADE_FENCE_AGENTS_LIB_AGENT_PRIV_H
#define STOCKADE_FENCE_AGENTS_LIB_AGENT_PRIV_H

#include "agent.h"

#include <stdio.h>

#define AGENT_PARAMS_MAX 80
#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

struct value {
	char *text;       /* as given, or the default (not owned then) */
	const char *from; /* the name that it was given by; NULL: default */
	long number;      /* INTEGER, SECOND, LEVEL; BOOLEAN 0 or 1 */
};

struct agent {
	const struct agent_def *def;
	const struct agent_param *param[AGENT_PARAMS_MAX]; /* in the order of help and metadata */
	struct value value[AGENT_PARAMS_MAX];
	struct agent_param script[8]; /* NAME_script of secrets */
	char script_name[8][48];
	unsigned n_params, n_scripts;
	const char *action; /* the table's spelling */
	void *state;
	FILE *log;          /* debug_file */
	bool with_status;   /* list-status */
	bool printing_list; /* not while monitor asks for it */
	bool listed;        /* the plug that was given is in the list */
	FILE *rows;
	char error[512];
};

/* agent_common.c */
void agent_table(struct agent *a);

/* agent_param.c: 0, or -errno with agent_error_text() */
int agent_param_argv(struct agent *a, int argc, char **argv);
int agent_param_stdin(struct agent *a, FILE *in);
int agent_param_check(struct agent *a); /* after both: types, ranges */
int agent_param_scripts(struct agent *a);
void agent_param_done(struct agent *a);
int agent_param_find(const struct agent *a, const char *name); /* index by today's name, or -1 */
/* Which option letters are the rows' own: an agent's letter hides the library's. '\0' if it lost it. */
char agent_param_letter(const struct agent *a, unsigned i, int alias);

/* agent_power.c: exit codes */
int agent_power_do(struct agent *a, const char *action);
int agent_power_status(struct agent *a, enum agent_power *ret); /* of all plugs together */

/* agent_text.c */
void agent_metadata(const struct agent *a, FILE *out);
void agent_help(const struct agent *a, FILE *out);
void agent_actions(const struct agent *a, void (*each)(void *arg, const char *name), void *arg);
/* "--long-option" without the dashes; NULL: none */
const char *agent_long_option(const struct agent_param *p, char *buf, size_t len);

#endif
