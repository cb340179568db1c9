// SPDX-License-Identifier: GPL-3.0-or-later
/* Values: from stdin or the command line into the table, then checked by type. */
#include "agent_priv.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/wait.h>
#include <unistd.h>

#define SCRIPT_WAIT_MS 10000
#define SECRET_MAX 4096

extern char **environ;

/* What callers send to every agent alike. */
static const char *const silent[] = { "nodename", "agent", "self", "nodeid", "fencing_level" };

static bool same_name(const char *ours, const char *theirs)
{
	for (; *ours && *theirs; ours++, theirs++)
		if (*ours != *theirs && !(*ours == '_' && *theirs == '-'))
			return false;
	return *ours == *theirs;
}

/* Today's names go before old ones: a name that an agent took for itself is no longer an alias of the library's. */
static int find(const struct agent *a, const char *name, const char **ret_name)
{
	for (unsigned i = 0; i < a->n_params; i++)
		if (same_name(a->param[i]->name, name)) {
			*ret_name = a->param[i]->name;
			return (int)i;
		}
	for (unsigned i = 0; i < a->n_params; i++)
		for (unsigned k = 0; k < AGENT_ALIASES_MAX && a->param[i]->alias[k].name; k++)
			if (same_name(a->param[i]->alias[k].name, name)) {
				*ret_name = a->param[i]->alias[k].name;
				return (int)i;
			}
	return -1;
}

static void forget(struct agent *a, unsigned i)
{
	struct value *v = &a->value[i];

	if (!v->from)
		return;
	explicit_bzero(v->text, strlen(v->text));
	free(v->text);
	*v = (struct value){ .text = (char *)a->param[i]->value };
}

static int put(struct agent *a, unsigned i, const char *from, const char *text)
{
	struct value *v = &a->value[i];
	const struct agent_param *p = a->param[i];

	if (v->from && strcmp(v->from, from) != 0 && strcmp(v->text, text) != 0)
		return agent_error(
			a, EINVAL,
			"%s and %s are two names of one parameter, and differ%s%s%s%s%s: give one",
			v->from, from, p->secret ? "" : " (", p->secret ? "" : v->text,
			p->secret ? "" : ", ", p->secret ? "" : text, p->secret ? "" : ")");
	forget(a, i);
	v->text = strdup(text);
	if (!v->text)
		return agent_error(a, ENOMEM, "out of memory");
	v->from = from;
	return 0;
}

static char *trim(char *s)
{
	s += strspn(s, " \t");
	size_t n = strlen(s);

	while (n > 0 && strchr(" \t\r\n", s[n - 1]))
		s[--n] = '\0';
	return s;
}

static int take_line(struct agent *a, char *text)
{
	char *name = trim(text), *value = strchr(name, '=');
	const char *known = NULL;

	if (*name == '#' || *name == '\0')
		return 0;
	if (!value) {
		agent_warn(a, "stdin: a line without '=' is ignored");
		return 0;
	}
	*value++ = '\0';
	name = trim(name);
	value = trim(value);
	size_t n = strlen(value);

	if (n >= 2 && value[0] == '"' && value[n - 1] == '"') {
		value[n - 1] = '\0';
		value++;
		n -= 2;
	}
	int i = find(a, name, &known);

	if (i < 0) {
		for (size_t k = 0; k < ARRAY_SIZE(silent); k++)
			if (same_name(silent[k], name))
				return 0;
		if (strncmp(name, "pcmk_", 5) != 0 && strncmp(name, "crm_", 4) != 0 &&
		    strncmp(name, "CRM_", 4) != 0)
			agent_warn(a, "stdin: unknown parameter %.60s is ignored", name);
		return 0;
	}
	if (n == 0) {
		if (strcmp(a->param[i]->name, "action") == 0)
			return agent_error(
				a, EINVAL,
				"%s= is empty: say which action; without the line it is %s", known,
				a->param[i]->value);
		agent_warn(a, "stdin: %s= is empty and is ignored", known);
		return 0;
	}
	return put(a, (unsigned)i, known, value);
}

int agent_param_stdin(struct agent *a, FILE *in)
{
	char *text = NULL;
	size_t room = 0;
	ssize_t len;
	int r = 0;

	while (r == 0 && (len = getline(&text, &room, in)) >= 0) {
		if ((size_t)len > AGENT_VALUE_MAX)
			r = agent_error(a, E2BIG, "stdin: a line has more than %d bytes",
					AGENT_VALUE_MAX);
		else if (memchr(text, '\0', (size_t)len))
			r = agent_error(a, EINVAL, "stdin: a line has a NUL byte");
		else
			r = take_line(a, text);
		explicit_bzero(text, room);
	}
	if (r == 0 && ferror(in))
		r = agent_error(a, EIO, "stdin cannot be read: %s", strerror(errno));
	free(text);
	return r;
}

static bool needs_argument(const struct agent_param *p)
{
	return !p->bare && p->type != AGENT_BOOLEAN && p->type != AGENT_LEVEL;
}

/* An option of the command line has been found: @i, @alias (-1: today's name). */
static int take_option(struct agent *a, unsigned i, int alias, char *arg)
{
	const struct agent_param *p = a->param[i];
	const char *from = alias < 0 ? p->name : p->alias[alias].name;
	char level[24];
	int r;

	if (!arg && p->type == AGENT_LEVEL) {
		long had = a->value[i].from ? strtol(a->value[i].text, NULL, 10) : 0;

		snprintf(level, sizeof(level), "%ld", had + 1);
		arg = level;
	}
	if (arg && *arg == '\0' && strcmp(p->name, "action") == 0)
		return agent_error(a, EINVAL, "the action is empty: say which");
	r = put(a, i, from, arg ? arg : p->type == AGENT_BOOLEAN ? "1" : p->bare);
	/* a command line can be read by everybody: at least not for long */
	if (arg && p->secret)
		explicit_bzero(arg, strlen(arg));
	return r;
}

#define OPTIONS_MAX (AGENT_PARAMS_MAX * 2)

struct options {
	char letters[OPTIONS_MAX * 3 + 2];
	size_t n_letters;
	struct option row[OPTIONS_MAX];
	char names[OPTIONS_MAX][48];
	unsigned n;
	struct {
		unsigned i;
		int alias;
	} by_letter[256], by_row[OPTIONS_MAX];
	bool known[256];
};

static void add_option(struct options *o, const struct agent *a, unsigned i, int alias)
{
	const struct agent_param *p = a->param[i];
	char letter = agent_param_letter(a, i, alias);
	const char *name = alias < 0 ? agent_long_option(p, o->names[o->n], sizeof(o->names[0]))
				     : NULL;

	if (p->stdin_only)
		return;
	if (letter && !o->known[(unsigned char)letter]) {
		o->known[(unsigned char)letter] = true;
		o->by_letter[(unsigned char)letter].i = i;
		o->by_letter[(unsigned char)letter].alias = alias;
		o->letters[o->n_letters++] = letter;
		if (needs_argument(p) || p->bare)
			for (int colons = p->type == AGENT_LEVEL ? 0
					  : p->bare              ? 2
								 : 1;
			     colons > 0; colons--)
				o->letters[o->n_letters++] = ':';
	}
	if (alias >= 0) {
		snprintf(o->names[o->n], sizeof(o->names[0]), "%s", p->alias[alias].name);
		for (char *c = o->names[o->n]; *c; c++)
			*c = *c == '_' ? '-' : *c;
		name = o->names[o->n];
		for (unsigned k = 0; k < a->n_params; k++)
			if (same_name(a->param[k]->name, name))
				return;
	}
	if (!name)
		return;
	o->row[o->n] = (struct option){ .name = name,
					.has_arg = needs_argument(p) ? required_argument
								     : optional_argument,
					.val = 1000 + (int)o->n };
	o->by_row[o->n].i = i;
	o->by_row[o->n].alias = alias;
	o->n++;
}

int agent_param_argv(struct agent *a, int argc, char **argv)
{
	struct options *o = calloc(1, sizeof(*o));
	int c, r = 0;

	if (!o)
		return agent_error(a, ENOMEM, "out of memory");
	o->letters[o->n_letters++] = ':';
	for (unsigned i = 0; i < a->n_params; i++)
		for (int k = -1; k < AGENT_ALIASES_MAX && (k < 0 || a->param[i]->alias[k].name);
		     k++)
			add_option(o, a, i, k);
	opterr = 0;
	optind = 1;
	while (r == 0 && (c = getopt_long(argc, argv, o->letters, o->row, NULL)) != -1) {
		if (c == ':') {
			r = agent_error(a, EINVAL, "%s needs an argument; see %s --help",
					argv[optind - 1], a->def->name);
		} else if (c == '?' && optopt == '?') {
			/* -? as the stock client: help */
			r = put(a, (unsigned)agent_param_find(a, "help"), "help", "1");
		} else if (c == '?') {
			r = agent_error(a, EINVAL, "%s is no option; see %s --help",
					argv[optind - 1], a->def->name);
		} else if (c >= 1000) {
			r = take_option(a, o->by_row[c - 1000].i, o->by_row[c - 1000].alias,
					optarg);
		} else {
			r = take_option(a, o->by_letter[c].i, o->by_letter[c].alias, optarg);
		}
	}
	if (r == 0 && optind < argc)
		r = agent_error(a, EINVAL, "%.60s is no option; see %s --help", argv[optind],
				a->def->name);
	free(o);
	return r;
}

static int parse_number(const struct agent_param *p, const char *text, long *ret)
{
	char *end;
	long min = p->min, max = p->min == 0 && p->max == 0 ? INT32_MAX : p->max;

	errno = 0;
	long v = strtol(text, &end, 10);

	if (errno != 0 || end == text || strchr(" \t+", *text))
		return -EINVAL;
	if (p->type == AGENT_SECOND && *end == 's')
		end++;
	if (*end != '\0')
		return -EINVAL;
	if (v < min || v > max)
		return -ERANGE;
	*ret = v;
	return 0;
}

static const char *const yes[] = { "1", "yes", "on", "true", NULL };
static const char *const no[] = { "0", "no", "off", "false", NULL };

static bool one_of(const char *const *words, const char *text)
{
	for (; *words; words++)
		if (strcasecmp(*words, text) == 0)
			return true;
	return false;
}

static int check_one(struct agent *a, unsigned i)
{
	const struct agent_param *p = a->param[i];
	struct value *v = &a->value[i];
	const char *name = v->from ? v->from : p->name;
	char choice[256] = "";
	int r;

	if (!v->text)
		return 0;
	switch (p->type) {
	case AGENT_STRING: return 0;
	case AGENT_BOOLEAN:
		if (!one_of(yes, v->text) && !one_of(no, v->text))
			return agent_error(a, EINVAL, "%s=%.60s is neither yes nor no", name,
					   v->text);
		v->number = one_of(yes, v->text);
		return 0;
	case AGENT_LEVEL:
		/* a boolean in the standard library, a number in others */
		if (one_of(yes, v->text) || one_of(no, v->text)) {
			v->number = one_of(yes, v->text);
			return 0;
		}
		__attribute__((fallthrough));
	case AGENT_INTEGER:
	case AGENT_SECOND:
		r = parse_number(p, v->text, &v->number);
		if (r == -ERANGE)
			return agent_error(a, EINVAL, "%s=%.60s is not within %ld..%ld", name,
					   v->text, p->min,
					   p->min == 0 && p->max == 0 ? (long)INT32_MAX : p->max);
		if (r < 0)
			return agent_error(a, EINVAL, "%s=%.60s is not a whole number%s", name,
					   v->text, p->type == AGENT_SECOND ? " of seconds" : "");
		return 0;
	case AGENT_SELECT:
		for (const char *const *s = p->select; *s; s++) {
			size_t n = strlen(choice);

			if (strcasecmp(*s, v->text) == 0)
				return 0;
			snprintf(choice + n, sizeof(choice) - n, " %s", *s);
		}
		return agent_error(a, EINVAL, "%s=%.60s: it must be one of%s", name, v->text,
				   choice);
	}
	return 0;
}

int agent_param_check(struct agent *a)
{
	for (unsigned i = 0; i < a->n_params; i++) {
		int r = check_one(a, i);

		if (r < 0)
			return r;
	}
	return 0;
}

/* The output of @words[0] without its last newline; bounded in time and size, no shell. */
static int run_script(struct agent *a, const char *name, char **words, char *out, size_t room)
{
	int64_t end_ms = agent_now_ms() + SCRIPT_WAIT_MS;
	posix_spawn_file_actions_t fa;
	size_t have = 0;
	int fd[2], status = 0, r = 0;
	pid_t pid;

	if (pipe2(fd, O_CLOEXEC) < 0)
		return agent_error(a, errno, "%s: %s", name, strerror(errno));
	posix_spawn_file_actions_init(&fa);
	posix_spawn_file_actions_addopen(&fa, 0, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_adddup2(&fa, fd[1], 1);
	int err = posix_spawnp(&pid, words[0], &fa, NULL, words, environ);

	posix_spawn_file_actions_destroy(&fa);
	close(fd[1]);
	if (err != 0) {
		close(fd[0]);
		return agent_error(a, err, "%s: %.200s cannot be run: %s", name, words[0],
				   strerror(err));
	}
	for (;;) {
		struct pollfd p = { .fd = fd[0], .events = POLLIN };
		ssize_t n = poll(&p, 1, agent_left_ms(end_ms));

		if (n == 0) {
			r = agent_error(a, ETIMEDOUT, "%s: %.200s did not end within %d s", name,
					words[0], SCRIPT_WAIT_MS / 1000);
			kill(pid, SIGKILL);
			break;
		}
		n = n < 0 ? -1 : read(fd[0], out + have, room - 1 - have);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		have += (size_t)n;
		if (have == room - 1) {
			r = agent_error(a, EMSGSIZE, "%s: %.200s printed more than %zu bytes", name,
					words[0], room - 2);
			kill(pid, SIGKILL);
			break;
		}
	}
	close(fd[0]);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (r == 0 && (!WIFEXITED(status) || WEXITSTATUS(status) != 0))
		r = agent_error(a, EIO, "%s: %.200s failed (%s %d)", name, words[0],
				WIFEXITED(status) ? "exit" : "signal",
				WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status));
	out[have] = '\0';
	if (have > 0 && out[have - 1] == '\n')
		out[have - 1] = '\0';
	if (r == 0 && out[0] == '\0')
		r = agent_error(a, EINVAL, "%s: %.200s printed nothing", name, words[0]);
	return r;
}

static int script_for(struct agent *a, unsigned i)
{
	char script[64], secret[SECRET_MAX], command[1024], *words[32], *save = NULL;
	unsigned n = 0;

	snprintf(script, sizeof(script), "%s_script", a->param[i]->name);
	const char *text = agent_get(a, script);

	if (!text)
		return 0;
	if ((size_t)snprintf(command, sizeof(command), "%s", text) >= sizeof(command))
		return agent_error(a, EINVAL, "%s is longer than %zu bytes", script,
				   sizeof(command) - 1);
	for (char *w = strtok_r(command, " \t", &save); w && n + 1 < ARRAY_SIZE(words);
	     w = strtok_r(NULL, " \t", &save))
		words[n++] = w;
	words[n] = NULL;
	if (n == 0)
		return agent_error(a, EINVAL, "%s names no program", script);
	int r = run_script(a, script, words, secret, sizeof(secret));

	if (r == 0) {
		/* the script goes before a value that was given as well */
		forget(a, i);
		r = put(a, i, a->param[i]->name, secret);
	}
	explicit_bzero(secret, sizeof(secret));
	return r;
}

int agent_param_scripts(struct agent *a)
{
	for (unsigned i = 0; i < a->n_params; i++)
		if (a->param[i]->secret) {
			int r = script_for(a, i);

			if (r < 0)
				return r;
		}
	return 0;
}

void agent_param_done(struct agent *a)
{
	for (unsigned i = 0; i < a->n_params; i++)
		forget(a, i);
}

static unsigned must_find(const struct agent *a, const char *name)
{
	int i = agent_param_find(a, name);

	assert(i >= 0);
	return (unsigned)i;
}

const char *agent_get(const struct agent *a, const char *name)
{
	unsigned i = must_find(a, name);
	const struct agent_param *p = a->param[i];
	const char *text = a->value[i].text;

	if (p->type == AGENT_SELECT && text)
		for (const char *const *s = p->select; *s; s++)
			if (strcasecmp(*s, text) == 0)
				return *s;
	return text;
}

bool agent_given(const struct agent *a, const char *name)
{
	return a->value[must_find(a, name)].from != NULL;
}

bool agent_is(const struct agent *a, const char *name)
{
	return a->value[must_find(a, name)].number != 0;
}

long agent_number(const struct agent *a, const char *name)
{
	return a->value[must_find(a, name)].number;
}
