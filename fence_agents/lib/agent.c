// SPDX-License-Identifier: GPL-3.0-or-later
/* One run of an agent: parameters, the action, its exit code. */
#include "agent_priv.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

static int do_status(struct agent *a);
static int do_list(struct agent *a);
static int do_monitor(struct agent *a);
static int do_on(struct agent *a);
static int do_off(struct agent *a);
static int do_reboot(struct agent *a);
static int do_nothing(struct agent *a);
static int do_metadata(struct agent *a);

enum need { NEED_PLUG = 1, NEED_DEVICE = 2, NEED_DELAY = 4, NEED_PARAMS = 8 };

static const struct builtin {
	const char *name;
	unsigned need;
	int (*run)(struct agent *a);
	bool unlisted; /* another spelling */
} builtins[] = {
	{ "on", NEED_PLUG | NEED_DEVICE | NEED_PARAMS, do_on, false },
	{ "off", NEED_PLUG | NEED_DEVICE | NEED_DELAY | NEED_PARAMS, do_off, false },
	{ "reboot", NEED_PLUG | NEED_DEVICE | NEED_DELAY | NEED_PARAMS, do_reboot, false },
	{ "status", NEED_PLUG | NEED_DEVICE | NEED_PARAMS, do_status, false },
	{ "monitor", NEED_DEVICE | NEED_PARAMS, do_monitor, false },
	{ "list", NEED_DEVICE | NEED_PARAMS, do_list, false },
	{ "list-status", NEED_DEVICE | NEED_PARAMS, do_list, false },
	{ "metadata", 0, do_metadata, false },
	{ "meta-data", 0, do_metadata, true },
	{ "manpage", 0, do_metadata, false },
	{ "validate-all", NEED_PLUG | NEED_PARAMS, do_nothing, false },
	{ "enable", NEED_PLUG | NEED_DEVICE | NEED_PARAMS, do_on, true },
	{ "disable", NEED_PLUG | NEED_DEVICE | NEED_DELAY | NEED_PARAMS, do_off, true },
};

static bool can(const struct agent_def *def, const char *name)
{
	bool fabric = def->flags & AGENT_FABRIC;

	if (strcmp(name, "enable") == 0 || strcmp(name, "disable") == 0)
		return fabric;
	if (strcmp(name, "reboot") == 0)
		return !fabric && (def->set || def->cycle);
	if (strcmp(name, "on") == 0 || strcmp(name, "off") == 0)
		return def->set != NULL;
	if (strcmp(name, "status") == 0)
		return def->status != NULL;
	if (strncmp(name, "list", 4) == 0)
		return def->list != NULL;
	if (strcmp(name, "monitor") == 0)
		return def->monitor || def->list || def->status;
	return true;
}

void agent_actions(const struct agent *a, void (*each)(void *arg, const char *name), void *arg)
{
	for (size_t i = 0; i < ARRAY_SIZE(builtins); i++)
		if (!builtins[i].unlisted && can(a->def, builtins[i].name))
			each(arg, builtins[i].name);
	for (const struct agent_action *x = a->def->action; x && x->name; x++)
		each(arg, x->name);
}

const char *agent_action_name(const struct agent *a)
{
	return a->action;
}

void *agent_state(struct agent *a)
{
	return a->state;
}

static int do_on(struct agent *a)
{
	return agent_power_do(a, "on");
}

static int do_off(struct agent *a)
{
	return agent_power_do(a, "off");
}

static int do_reboot(struct agent *a)
{
	return agent_power_do(a, "reboot");
}

static int do_nothing(struct agent *a)
{
	(void)a;
	return AGENT_EXIT_OK;
}

static int do_metadata(struct agent *a)
{
	agent_metadata(a, stdout);
	return AGENT_EXIT_OK;
}

static int do_status(struct agent *a)
{
	enum agent_power now;

	/* SAFE-3: 2 is off, and off only; what could not be read is 1 */
	if (agent_power_status(a, &now) < 0 || now == AGENT_UNKNOWN)
		return AGENT_EXIT_FAILED;
	printf("Status: %s\n", now == AGENT_ON ? "ON" : "OFF");
	return now == AGENT_ON ? AGENT_EXIT_OK : AGENT_EXIT_OFF;
}

void agent_list_row(struct agent *a, const char *plug, const char *alias, enum agent_power p)
{
	const char *sep = agent_get(a, "separator");
	const char *want = a->def->common & AGENT_HAS_PLUG ? agent_get(a, "plug") : NULL;

	if (a->printing_list && a->with_status)
		fprintf(a->rows, "%s%s%s%s%s\n", plug, sep, alias ? alias : "", sep,
			p == AGENT_ON    ? "ON"
			: p == AGENT_OFF ? "OFF"
					 : "UNKNOWN");
	else if (a->printing_list)
		fprintf(a->rows, "%s%s%s\n", plug, sep, alias ? alias : "");
	if (want && (strcasecmp(want, plug) == 0 || (alias && strcasecmp(want, alias) == 0)))
		a->listed = true;
}

/* Half a list is no list: rows are kept until the device has told all. */
static int do_list(struct agent *a)
{
	char *text = NULL;
	size_t len = 0;
	int r;

	a->rows = open_memstream(&text, &len);
	if (!a->rows) {
		agent_error(a, ENOMEM, "out of memory");
		return AGENT_EXIT_FAILED;
	}
	a->printing_list = true;
	a->with_status = strcmp(a->action, "list-status") == 0;
	r = a->def->list(a);
	fclose(a->rows);
	a->rows = NULL;
	if (r == 0)
		fwrite(text, 1, len, stdout);
	free(text);
	return r < 0 ? AGENT_EXIT_FAILED : AGENT_EXIT_OK;
}

static int do_monitor(struct agent *a)
{
	enum agent_power now;
	const char *plug = a->def->common & AGENT_HAS_PLUG ? agent_get(a, "plug") : NULL;
	int r;

	if (a->def->monitor)
		return a->def->monitor(a) < 0 ? AGENT_EXIT_FAILED : AGENT_EXIT_OK;
	if (!a->def->list) {
		/* one plug, or none given: that the device tells a state is enough */
		r = agent_power_status(a, &now);
		return r < 0 ? AGENT_EXIT_FAILED : AGENT_EXIT_OK;
	}
	r = a->def->list(a);
	if (r < 0)
		return AGENT_EXIT_FAILED;
	/* A device that answers, but does not know what it is to switch, is no fence path. */
	const char *sep = plug ? agent_get(a, "plug_separator") : NULL;

	if (plug && !(sep && strpbrk(plug, sep)) && !a->listed) {
		agent_error(a, ENOENT, "the device answers, but does not list plug %s", plug);
		return AGENT_EXIT_FAILED;
	}
	return AGENT_EXIT_OK;
}

static int required(struct agent *a, bool plug)
{
	for (unsigned i = 0; i < a->n_params; i++) {
		const struct agent_param *p = a->param[i];
		char letter = agent_param_letter(a, i, -1);

		if (!p->required || agent_get(a, p->name) ||
		    (strcmp(p->name, "plug") == 0 && !plug))
			continue;
		return agent_error(a, EINVAL, "%s is required for %s: give %s= on stdin%s%c",
				   p->name, a->action, p->name, letter ? ", or option -" : "",
				   letter);
	}
	return 0;
}

static int fail(struct agent *a, int code)
{
	if (code == AGENT_EXIT_OK || code == AGENT_EXIT_OFF)
		return code;
	if (!a->error[0])
		agent_error(a, EIO, "%s failed", a->action ? a->action : "it");
	fflush(stdout);
	/* the one line that says why is printed whatever quiet says */
	fprintf(stderr, "%s: %s\n", a->def->name, a->error);
	if (a->log)
		fprintf(a->log, "%s: %s\n", a->def->name, a->error);
	return AGENT_EXIT_FAILED;
}

static int with_device(struct agent *a, const struct builtin *b, const struct agent_action *x)
{
	unsigned need = b ? b->need
			  : NEED_PARAMS | (x->needs_plug ? NEED_PLUG : 0U) |
					(x->offline ? 0U : NEED_DEVICE);
	const char *plug = a->def->common & AGENT_HAS_PLUG ? agent_get(a, "plug") : NULL;

	if (need & NEED_PARAMS) {
		if (required(a, need & NEED_PLUG) < 0 ||
		    (a->def->validate && a->def->validate(a) < 0))
			return AGENT_EXIT_FAILED;
	}
	if (!(need & NEED_DEVICE))
		return b ? b->run(a) : x->run(a, plug ? plug : "");
	if (agent_param_scripts(a) < 0)
		return AGENT_EXIT_FAILED;
	if (need & NEED_DELAY)
		agent_sleep_ms(agent_number(a, "delay") * 1000L);
	if (a->def->open && a->def->open(a) < 0) {
		if (a->def->close)
			a->def->close(a);
		return AGENT_EXIT_FAILED;
	}
	int code = b ? b->run(a) : x->run(a, plug ? plug : "");

	if (a->def->close)
		a->def->close(a);
	return code;
}

static int dispatch(struct agent *a)
{
	const char *want = agent_get(a, "action");

	for (size_t i = 0; i < ARRAY_SIZE(builtins); i++)
		if (strcasecmp(builtins[i].name, want) == 0 && can(a->def, builtins[i].name)) {
			a->action = builtins[i].name;
			return with_device(a, &builtins[i], NULL);
		}
	for (const struct agent_action *x = a->def->action; x && x->name; x++)
		if (strcasecmp(x->name, want) == 0) {
			a->action = x->name;
			return with_device(a, NULL, x);
		}
	agent_error(a, EINVAL, "action %.60s is unknown; see %s --help", want, a->def->name);
	return AGENT_EXIT_FAILED;
}

static int run(struct agent *a, int argc, char **argv)
{
	int r = argc > 1 ? agent_param_argv(a, argc, argv) : agent_param_stdin(a, stdin);

	if (r == 0)
		r = agent_param_check(a);
	if (r < 0)
		return AGENT_EXIT_FAILED;
	if (agent_is(a, "help")) {
		agent_help(a, stdout);
		return AGENT_EXIT_OK;
	}
	if (agent_is(a, "version")) {
		printf("%s (stockade) %s\n", a->def->name, STOCKADE_VERSION);
		return AGENT_EXIT_OK;
	}
	const char *file = agent_get(a, "debug_file");

	if (file) {
		a->log = fopen(file, "ae");
		if (!a->log)
			agent_warn(a, "debug_file %.200s: %s", file, strerror(errno));
	}
	return dispatch(a);
}

int agent_main(const struct agent_def *def, int argc, char **argv)
{
	struct agent *a = calloc(1, sizeof(*a));
	void *state = calloc(1, def->state_bytes ? def->state_bytes : 1);

	if (!a || !state) {
		fprintf(stderr, "%s: out of memory\n", def->name);
		free(a);
		free(state);
		return AGENT_EXIT_FAILED;
	}
	/* a device that hangs up is an error to report, not the end of us */
	signal(SIGPIPE, SIG_IGN);
	a->def = def;
	a->state = state;
	agent_table(a);
	int code = fail(a, run(a, argc, argv));

	if (fflush(stdout) != 0 && code != AGENT_EXIT_FAILED) {
		/* nobody heard the answer */
		fprintf(stderr, "%s: stdout: %s\n", def->name, strerror(errno));
		code = AGENT_EXIT_FAILED;
	}
	if (a->log)
		fclose(a->log);
	agent_param_done(a);
	free(state);
	free(a);
	return code;
}
