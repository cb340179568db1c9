// SPDX-License-Identifier: GPL-3.0-or-later
/* What an agent says of itself: metadata (XML, as Pacemaker and others read it) and --help. */
#include "agent_priv.h"

#include <stdlib.h>
#include <string.h>

static const char *const type_name[] = {
	[AGENT_STRING] = "string", [AGENT_BOOLEAN] = "boolean", [AGENT_INTEGER] = "integer",
	[AGENT_SECOND] = "second", [AGENT_SELECT] = "select",   [AGENT_LEVEL] = "integer",
};

const char *agent_long_option(const struct agent_param *p, char *buf, size_t len)
{
	if (p->stdin_only || (p->long_option && !*p->long_option))
		return NULL;
	snprintf(buf, len, "%s", p->long_option ? p->long_option : p->name);
	for (char *c = buf; *c; c++)
		*c = *c == '_' ? '-' : *c;
	return buf;
}

static void escaped(FILE *out, const char *s)
{
	for (; *s; s++)
		switch (*s) {
		case '&': fputs("&amp;", out); break;
		case '<': fputs("&lt;", out); break;
		case '>': fputs("&gt;", out); break;
		case '"': fputs("&quot;", out); break;
		default: fputc(*s, out);
		}
}

static void attribute(FILE *out, const char *name, const char *value)
{
	fprintf(out, " %s=\"", name);
	escaped(out, value);
	fputc('"', out);
}

static const char *argument(const struct agent_param *p)
{
	switch (p->type) {
	case AGENT_BOOLEAN:
	case AGENT_LEVEL: return NULL;
	case AGENT_SECOND: return p->arg ? p->arg : "seconds";
	case AGENT_INTEGER: return p->arg ? p->arg : "number";
	case AGENT_STRING:
	case AGENT_SELECT: return p->arg ? p->arg : "value";
	}
	return NULL;
}

/* "-n, --plug=[name]" */
static void options(const struct agent *a, unsigned i, int alias, FILE *out)
{
	const struct agent_param *p = a->param[i];
	char letter = agent_param_letter(a, i, alias), name[48];
	const char *lng = alias < 0 ? agent_long_option(p, name, sizeof(name)) : NULL;
	const char *arg = argument(p);

	if (p->stdin_only)
		return;
	if (alias >= 0) {
		snprintf(name, sizeof(name), "%s", p->alias[alias].name);
		for (char *c = name; *c; c++)
			*c = *c == '_' ? '-' : *c;
		lng = name;
	}
	if (letter && lng)
		fprintf(out, "-%c, --%s", letter, lng);
	else if (letter)
		fprintf(out, "-%c", letter);
	else if (lng)
		fprintf(out, "--%s", lng);
	if (arg && lng)
		fprintf(out, "%s=[%s]%s", p->bare ? "[" : "", arg, p->bare ? "]" : "");
	else if (arg)
		fprintf(out, " [%s]", arg);
}

static bool shadowed(const struct agent *a, const char *alias)
{
	return agent_param_find(a, alias) >= 0;
}

static void parameter(const struct agent *a, unsigned i, int alias, FILE *out)
{
	const struct agent_param *p = a->param[i];
	const char *name = alias < 0 ? p->name : p->alias[alias].name;
	/* With a default the caller need not give it; Pacemaker gives the action itself. */
	bool required = strcmp(p->name, "action") == 0 || p->required;

	/* plug: required by most actions, yet a device is configured without it; Pacemaker gives it for each target */
	if (strcmp(p->name, "plug") == 0)
		required = false;
	fputs("\t<parameter", out);
	attribute(out, "name", name);
	attribute(out, "unique", "0");
	attribute(out, "required", required && alias < 0 ? "1" : "0");
	if (alias >= 0)
		attribute(out, "deprecated", "1");
	else if (p->alias[0].name && !p->alias[0].hidden && !shadowed(a, p->alias[0].name))
		attribute(out, "obsoletes", p->alias[0].name);
	fputs(">\n\t\t<getopt mixed=\"", out);
	options(a, i, alias, out);
	fputs("\" />\n\t\t<content", out);
	attribute(out, "type", type_name[p->type]);
	if (p->value && !p->secret)
		attribute(out, "default", p->value);
	if (p->type == AGENT_SELECT) {
		fputs(" >\n", out);
		for (const char *const *s = p->select; *s; s++) {
			fputs("\t\t\t<option", out);
			attribute(out, "value", *s);
			fputs(" />\n", out);
		}
		fputs("\t\t</content>\n", out);
	} else {
		fputs(" />\n", out);
	}
	fputs("\t\t<shortdesc lang=\"en\">", out);
	escaped(out, p->text ? p->text : p->name);
	fputs("</shortdesc>\n\t</parameter>\n", out);
}

static void action_element(void *arg, const char *name)
{
	const struct {
		const struct agent *a;
		FILE *out;
	} *to = arg;

	fputs("\t<action", to->out);
	attribute(to->out, "name", name);
	if (strcmp(name, "on") == 0 && (to->a->def->flags & AGENT_ON_AUTOMATIC)) {
		attribute(to->out, "on_target", "1");
		attribute(to->out, "automatic", "1");
	} else if (strcmp(name, "on") == 0) {
		attribute(to->out, "automatic", "0");
	}
	fputs(" />\n", to->out);
}

void agent_metadata(const struct agent *a, FILE *out)
{
	struct {
		const struct agent *a;
		FILE *out;
	} to = { a, out };

	fputs("<?xml version=\"1.0\" ?>\n<resource-agent", out);
	attribute(out, "name", a->def->name);
	attribute(out, "shortdesc", a->def->short_text);
	fputs(" >\n<longdesc>", out);
	escaped(out, a->def->text);
	fputs("</longdesc>\n<vendor-url>", out);
	escaped(out, a->def->url ? a->def->url : "");
	fputs("</vendor-url>\n<parameters>\n", out);
	for (unsigned i = 0; i < a->n_params; i++) {
		const struct agent_param *p = a->param[i];

		if (p->hidden)
			continue;
		/* the old name first, as the stock agents do: readers that know but one take the last */
		for (int k = AGENT_ALIASES_MAX - 1; k >= 0; k--)
			if (p->alias[k].name && !p->alias[k].hidden &&
			    !shadowed(a, p->alias[k].name))
				parameter(a, i, k, out);
		parameter(a, i, -1, out);
	}
	fputs("</parameters>\n<actions>\n", out);
	agent_actions(a, action_element, &to);
	fputs("</actions>\n</resource-agent>\n", out);
}

static void action_word(void *arg, const char *name)
{
	fprintf(arg, " %s", name);
}

void agent_help(const struct agent *a, FILE *out)
{
	fprintf(out,
		"Usage: %s [OPTION]...\n%s.\n"
		"Without options, reads name=value lines from standard input, as fence agents do.\n"
		"Actions:",
		a->def->name, a->def->short_text);
	agent_actions(a, action_word, out);
	fputs("\nExit: 0 done, or on; 1 failed, or unknown; 2 off\n\n"
	      "OPTION, and its name on standard input:\n",
	      out);
	for (unsigned i = 0; i < a->n_params; i++) {
		const struct agent_param *p = a->param[i];
		char *text = NULL;
		size_t len = 0;
		FILE *f = p->hidden ? NULL : open_memstream(&text, &len);

		if (!f)
			continue;
		options(a, i, -1, f);
		fclose(f);
		fprintf(out, "  %-38s %s%s", len > 0 ? text : "(stdin only)", p->name,
			p->required ? " (required)" : "");
		if (p->value && *p->value)
			fprintf(out, " [%s]", p->value);
		fprintf(out, "\n      %s", p->text ? p->text : "");
		if (p->type == AGENT_SELECT) {
			fputs(":", out);
			for (const char *const *s = p->select; *s; s++)
				fprintf(out, " %s", *s);
		}
		for (unsigned k = 0; k < AGENT_ALIASES_MAX && p->alias[k].name; k++)
			if (!p->alias[k].hidden && !shadowed(a, p->alias[k].name))
				fprintf(out, " (old name: %s)", p->alias[k].name);
		fputs("\n", out);
		free(text);
	}
}
