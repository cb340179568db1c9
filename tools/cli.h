/* SPDX-License-Identifier: GPL-3.0-or-later */
/* cli.h - what the commands of `stockade` share: exit codes, output, and how to ask the daemons.
 *
 * A command is a function of its own arguments that returns an exit code. Everything it prints is read at 3 a.m.: it says
 * what is going on and what to do. Colours only on a terminal.
 */
#ifndef STOCKADE_CLI_H
#define STOCKADE_CLI_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* Documented in stockade(8). */
enum exit_code {
	EXIT_OK = 0,
	EXIT_FAILED = 1,      /* it was tried and did not work; check: something is wrong */
	EXIT_USAGE = 2,       /* wrong arguments, no such name, bad configuration */
	EXIT_NOT_RUNNING = 3, /* the daemon that is needed does not answer */
	EXIT_REFUSED = 4,     /* a safety rule forbids it */
	EXIT_DEGRADED = 5,    /* status: not all is well; others: not now, or still going on */
};

struct command {
	const char *name;
	const char *usage;   /* arguments, one line */
	const char *summary; /* one line, for the list */
	const char *help;    /* options, one a line, and what it does; ends in a newline */
	int (*run)(int argc, char **argv); /* argv[0]: the name */
};

/* Set by main from options that every command takes. */
extern const char *cli_config_path;

/* --- options ----------------------------------------------------------------------------------------------- */

struct option_spec {
	const char *name;   /* "--json"; "-n" */
	bool *flag;         /* set; or */
	const char **value; /* the argument, also as --name=value */
	void (*each)(
		const char *value); /* or: called for each use, for options given several times */
};

/**
 * options_parse() - take options (a list that ends with name NULL) out of argv, "--" ends them.
 * @argc: in and out: what is left are positional arguments from argv[1] on
 * Return: 0, or EXIT_USAGE and it was reported
 */
int options_parse(int *argc, char **argv, const struct option_spec *spec);
int usage_error(const char *fmt, ...)
	__attribute__((format(printf, 1, 2)));       /* Return: EXIT_USAGE */
bool time_parse(const char *text, uint64_t *ret_ms); /* "3s", "500ms", "2min", "1h", "2d" */

/* --- output ------------------------------------------------------------------------------------------------ */

void out_init(void);
bool out_tty(void);
const char *red(void), *green(void), *yellow(void), *bold(void), *dim(void), *plain(void);
/* "350 ms", "4.2 s", "3 min 5 s", "2 h 10 min", "3 d 4 h" */
const char *duration_text(uint64_t ms, char *buf, size_t size);
#define DURATION_TEXT 32

/* A table whose columns are as wide as needed. A cell may carry a colour. */
#define TABLE_COLUMNS 8
#define TABLE_ROWS 512
struct table {
	unsigned columns, rows;
	char *cell[TABLE_ROWS][TABLE_COLUMNS];
	const char *colour[TABLE_ROWS][TABLE_COLUMNS];
};
void table_init(struct table *t, unsigned columns);
void table_row(struct table *t); /* begin the next row; rows past TABLE_ROWS are dropped */
void table_cell(struct table *t, unsigned column, const char *colour, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
void table_print(struct table *t, FILE *out, const char *indent); /* and empties it */

/* Text wrapped at the terminal's width, further lines indented. */
void print_wrapped(FILE *out, const char *first, const char *rest, const char *text);
int print_json(json_t *value); /* takes it; Return: EXIT_OK or EXIT_FAILED */

/* --- JSON, forgiving: a missing key is NULL, 0, false ------------------------------------------------------- */

/* Every control character in every text and key of @value becomes '?': it is going to be printed on root's terminal, and parts of it were read
 * from disks, devices and other machines. Return: @value. Nested as deep as jansson lets it be. */
json_t *js_tame(json_t *value);
const char *js_str(const json_t *o, const char *key); /* NULL: not a string */
const char *js_text(const json_t *o, const char *key, const char *otherwise);
bool js_true(const json_t *o, const char *key);
bool js_false(const json_t *o,
	      const char *key); /* is it there, and false? (SAFE-3: null is neither) */
bool js_null(const json_t *o, const char *key); /* missing or null */
int64_t js_int(const json_t *o, const char *key, int64_t otherwise);
json_t *js_find(const json_t *array, const char *key,
		const char *value); /* the element whose key is value */

/* --- daemons ----------------------------------------------------------------------------------------------- */

enum daemon { FENCED, DLMD, STORAGED };
#define DAEMONS 3
extern const char *const daemon_names[DAEMONS]; /* "fenced" */

struct answer {
	json_t *reply; /* NULL: none, and */
	int error;     /* why: ECONNREFUSED it does not run, ETIMEDOUT it hangs, ... */
};

#define ASK_MS 1000 /* a daemon answers what it knows at once; slower is hung */

/* Ask all three at the same time, the same request; takes it. Returns when all answered or @timeout_ms is over. */
void ask_all(json_t *request, int timeout_ms, struct answer answer[DAEMONS]);
void answers_free(struct answer answer[DAEMONS]);

/* Ask one; takes request. NULL: *error says why, nothing is reported. */
json_t *ask_quietly(enum daemon d, json_t *request, int timeout_ms, int *error);
/* Ask one; takes request. The reply with "ok": true, or NULL: reported on stderr, *code is the exit code. */
json_t *ask(enum daemon d, json_t *request, int timeout_ms, int *code);
/* What one can do about a daemon that gave no answer. */
void say_no_answer(enum daemon d, int error);
/* The same for those of three that gave none, in one message if it is all of them; returns how many. */
unsigned say_no_answers(const struct answer answer[DAEMONS]);
/* Print error and remedy of a reply that says "ok": false; its exit code. */
int say_refusal(const json_t *reply);

/* --- commands ---------------------------------------------------------------------------------------------- */

extern const struct command cmd_init, cmd_check, cmd_timing, cmd_corosync_conf, cmd_status, cmd_why,
	cmd_service, cmd_node, cmd_fence, cmd_ack, cmd_history, cmd_volume, cmd_locks, cmd_doctor,
	cmd_key;

/* Everything that is not as it should be: [{"kind", "name", "text", "remedy"}], from three answers to status. */
json_t *problems_find(const struct answer answer[DAEMONS]);

#endif
