// SPDX-License-Identifier: GPL-3.0-or-later
/* The parameters in store, and the table of one agent made of them and of its own. */
#include "agent_priv.h"

#include <assert.h>
#include <string.h>

static const char *const methods[] = { "onoff", "cycle", NULL };

#define ALL 0U

static const struct {
	unsigned with; /* enum agent_common; ALL: every agent */
	struct agent_param p;
} store[] = {
	{ ALL,
	  { .name = "action",
	    .alias = { { .name = "option", .hidden = true } },
	    .letter = 'o',
	    .arg = "action",
	    .value = "reboot",
	    .text = "What to do" } },
	{ AGENT_HAS_PLUG,
	  { .name = "plug",
	    .alias = { { .name = "port" } },
	    .letter = 'n',
	    .arg = "name",
	    .required = true,
	    .text = "Which plug, machine or outlet; several apart by plug_separator" } },
	{ AGENT_HAS_PLUG,
	  { .name = "plug_separator",
	    .arg = "char",
	    .value = ",",
	    .text = "What is between several plugs" } },
	{ AGENT_HAS_IP,
	  { .name = "ip",
	    .alias = { { .name = "ipaddr" } },
	    .letter = 'a',
	    .arg = "ip",
	    .required = true,
	    .text = "Address or host name of the device" } },
	{ AGENT_HAS_IP,
	  { .name = "ipport",
	    .type = AGENT_INTEGER,
	    .letter = 'u',
	    .arg = "port",
	    .min = 1,
	    .max = 65535,
	    .text = "UDP or TCP port of the device" } },
	{ AGENT_HAS_IP,
	  { .name = "inet4_only", .type = AGENT_BOOLEAN, .letter = '4', .text = "Use IPv4 only" } },
	{ AGENT_HAS_IP,
	  { .name = "inet6_only", .type = AGENT_BOOLEAN, .letter = '6', .text = "Use IPv6 only" } },
	{ AGENT_HAS_LOGIN,
	  { .name = "username",
	    .alias = { { .name = "login" } },
	    .letter = 'l',
	    .arg = "name",
	    .text = "Login name" } },
	{ AGENT_HAS_LOGIN,
	  { .name = "password",
	    .alias = { { .name = "passwd" } },
	    .letter = 'p',
	    .arg = "password",
	    .secret = true,
	    .text = "Login password; on stdin, or by password_script: a command line can be read by others" } },
	{ AGENT_HAS_LOGIN,
	  { .name = "login_timeout",
	    .type = AGENT_SECOND,
	    .value = "5",
	    .text = "Wait this long for the login" } },
	{ AGENT_HAS_SHELL,
	  { .name = "shell_timeout",
	    .type = AGENT_SECOND,
	    .value = "3",
	    .text = "Wait this long for each answer" } },
	{ AGENT_HAS_METHOD,
	  { .name = "method",
	    .type = AGENT_SELECT,
	    .letter = 'm',
	    .arg = "method",
	    .value = "onoff",
	    .select = methods,
	    .text = "How to reboot: off, read back, and on; or by the device's own cycle, in which it has to be seen off" } },
	{ ALL,
	  { .name = "delay",
	    .type = AGENT_SECOND,
	    .value = "0",
	    .text = "Wait this long before off and reboot" } },
	{ ALL,
	  { .name = "power_timeout",
	    .type = AGENT_SECOND,
	    .value = "20",
	    .text = "Wait this long for the read-back to agree after off and on" } },
	{ ALL,
	  { .name = "power_wait",
	    .type = AGENT_SECOND,
	    .value = "0",
	    .text = "Wait this long before the first read-back" } },
	{ ALL,
	  { .name = "stonith_status_sleep",
	    .type = AGENT_SECOND,
	    .value = "1",
	    .text = "Longest pause between two read-backs" } },
	{ ALL,
	  { .name = "retry_on",
	    .type = AGENT_INTEGER,
	    .arg = "number",
	    .value = "1",
	    .max = 1000,
	    .text = "How often on is tried again" } },
	{ ALL,
	  { .name = "disable_timeout",
	    .type = AGENT_BOOLEAN,
	    .value = "0",
	    .text = "Wait without end; whoever called ends it" } },
	{ ALL,
	  { .name = "missing_as_off",
	    .type = AGENT_BOOLEAN,
	    .value = "0",
	    .text = "A plug that the device does not have counts as off; dangerous with a mistyped name" } },
	{ ALL,
	  { .name = "separator",
	    .letter = 'C',
	    .arg = "char",
	    .value = ",",
	    .text = "What is between the columns of a list" } },
	{ ALL,
	  { .name = "verbose",
	    .alias = { { .name = "verbose_level" } },
	    .type = AGENT_LEVEL,
	    .letter = 'v',
	    .bare = "",
	    .value = "0",
	    .text = "Say on stderr what is done" } },
	{ ALL,
	  { .name = "debug_file",
	    .alias = { { .name = "debug" } },
	    .letter = 'D',
	    .arg = "file",
	    .text = "Write to this file, too, what is done" } },
	{ ALL,
	  { .name = "quiet",
	    .type = AGENT_BOOLEAN,
	    .letter = 'q',
	    .value = "0",
	    .text = "No warnings on stderr" } },
	{ ALL,
	  { .name = "help", .type = AGENT_BOOLEAN, .letter = 'h', .text = "Print this text" } },
	{ ALL,
	  { .name = "version",
	    .type = AGENT_BOOLEAN,
	    .letter = 'V',
	    .text = "Print the version" } },
};

static void add(struct agent *a, const struct agent_param *p)
{
	assert(a->n_params < AGENT_PARAMS_MAX);
	a->param[a->n_params] = p;
	a->value[a->n_params++] = (struct value){ .text = (char *)p->value };
	if (!p->secret)
		return;
	assert(a->n_scripts < ARRAY_SIZE(a->script));
	unsigned n = a->n_scripts++;
	struct agent_param *s = &a->script[n];

	snprintf(a->script_name[n], sizeof(a->script_name[n]), "%s_script", p->name);
	*s = (struct agent_param){ .name = a->script_name[n],
				   .letter = strcmp(p->name, "password") == 0 ? 'S' : '\0',
				   .arg = "program",
				   .text = "Program that prints it, run without a shell" };
	/* the old name, as for the value itself */
	if (strcmp(p->name, "password") == 0)
		s->alias[0] = (struct agent_alias){ .name = "passwd_script" };
	add(a, s);
}

static bool own(const struct agent *a, const char *name)
{
	for (const struct agent_param *p = a->def->param; p && p->name; p++) {
		if (strcmp(p->name, name) == 0)
			return true;
		for (unsigned i = 0; i < AGENT_ALIASES_MAX && p->alias[i].name; i++)
			if (strcmp(p->alias[i].name, name) == 0)
				return true;
	}
	return false;
}

/* A fabric agent's default is off. */
static struct agent_param fabric_action;

void agent_table(struct agent *a)
{
	bool own_done = false;

	for (size_t i = 0; i < ARRAY_SIZE(store); i++) {
		const struct agent_param *p = &store[i].p;

		/* The agent's own rows come after the device's, before those that every agent has. */
		if (!own_done && strcmp(p->name, "delay") == 0) {
			for (const struct agent_param *o = a->def->param; o && o->name; o++)
				add(a, o);
			own_done = true;
		}
		if ((store[i].with != ALL && !(store[i].with & a->def->common)) || own(a, p->name))
			continue;
		if (strcmp(p->name, "action") == 0 && (a->def->flags & AGENT_FABRIC)) {
			fabric_action = *p;
			fabric_action.value = "off";
			p = &fabric_action;
		}
		add(a, p);
	}
}

int agent_param_find(const struct agent *a, const char *name)
{
	for (unsigned i = 0; i < a->n_params; i++)
		if (strcmp(a->param[i]->name, name) == 0)
			return (int)i;
	return -1;
}

/* Does an alias of the library collide with a name of the agent's own? Then it is not there. */
char agent_param_letter(const struct agent *a, unsigned i, int alias)
{
	const struct agent_param *p = a->param[i], *o = a->def->param;
	char want = alias < 0 ? p->letter : p->alias[alias].letter;
	bool mine = false;

	for (const struct agent_param *q = o; q && q->name; q++)
		mine |= q == p;
	if (mine || want == '\0')
		return want;
	for (; o && o->name; o++) {
		if (o->letter == want)
			return '\0';
		for (unsigned k = 0; k < AGENT_ALIASES_MAX && o->alias[k].name; k++)
			if (o->alias[k].letter == want)
				return '\0';
	}
	return want;
}
