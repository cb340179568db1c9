// SPDX-License-Identifier: GPL-3.0-or-later
/* fence_dummy - a fence agent for laboratories: asks a power switch behind a local socket.
 *
 * It speaks the ClusterLabs agent API in full (stdin "name=value", exit 0 on/done, 1 failed, 2 off), and it
 * is as strict as a real agent must be: an answer that cannot be understood, or none in time, is a
 * failure and never "off" (SAFE-3). The switch's side is described in tests/net/powerswitch.py. Never installed.
 */
#include <ctype.h>
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { EXIT_ON = 0, EXIT_FAILED = 1, EXIT_OFF = 2 };

enum need { NEED_NOTHING, NEED_SWITCH, NEED_PLUG };

static const struct action {
	const char *name;
	const char *request; /* what the switch is asked; NULL: it has no part in it */
	enum need need;
} actions[] = {
	{ "on", "on", NEED_PLUG },
	{ "off", "off", NEED_PLUG },
	{ "reboot", "reboot", NEED_PLUG },
	{ "status", "status", NEED_PLUG },
	{ "monitor", "monitor", NEED_SWITCH },
	{ "list", "list", NEED_SWITCH },
	{ "list-status", "list", NEED_SWITCH },
	{ "validate-all", NULL, NEED_PLUG },
	{ "metadata", NULL, NEED_NOTHING },
	{ "meta-data", NULL, NEED_NOTHING },
	{ "manpage", NULL, NEED_NOTHING },
};

struct params {
	char action[32];
	char plug[64];
	char socket[sizeof(((struct sockaddr_un *)0)->sun_path)];
	char timeout[16]; /* seconds for the whole talk with the switch */
	char delay[16];   /* seconds before off and reboot */
};

/* What may be given, under which names; the first is today's, the others are accepted for old callers. */
static const struct param {
	const char *names[4];
	size_t offset;
	size_t bytes;
} params_known[] = {
#define PARAM(field) offsetof(struct params, field), sizeof(((struct params *)0)->field)
	{ { "action", "option" }, PARAM(action) },
	{ { "plug", "port" }, PARAM(plug) },
	{ { "socket", "ip", "ipaddr" }, PARAM(socket) },
	{ { "timeout", "shell_timeout" }, PARAM(timeout) },
	{ { "delay" }, PARAM(delay) },
#undef PARAM
};

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

static const char metadata[] =
	"<?xml version=\"1.0\" ?>\n"
	"<resource-agent name=\"fence_dummy\" shortdesc=\"Fence agent for laboratories\">\n"
	"<longdesc>fence_dummy asks the power switch of a Stockade laboratory, behind a local socket, "
	"to switch a node of namespaces. It fences nothing else.</longdesc>\n"
	"<vendor-url></vendor-url>\n"
	"<parameters>\n"
	"\t<parameter name=\"action\" unique=\"0\" required=\"1\">\n"
	"\t\t<getopt mixed=\"-o, --action=[action]\"/>\n"
	"\t\t<content type=\"string\" default=\"reboot\"/>\n"
	"\t\t<shortdesc lang=\"en\">Fencing action</shortdesc>\n"
	"\t</parameter>\n"
	"\t<parameter name=\"plug\" unique=\"0\" required=\"1\" obsoletes=\"port\">\n"
	"\t\t<getopt mixed=\"-n, --plug=[id]\"/>\n"
	"\t\t<content type=\"string\"/>\n"
	"\t\t<shortdesc lang=\"en\">Name of the node at the switch</shortdesc>\n"
	"\t</parameter>\n"
	"\t<parameter name=\"port\" unique=\"0\" required=\"1\" deprecated=\"1\">\n"
	"\t\t<getopt mixed=\"-n, --plug=[id]\"/>\n"
	"\t\t<content type=\"string\"/>\n"
	"\t\t<shortdesc lang=\"en\">Name of the node at the switch</shortdesc>\n"
	"\t</parameter>\n"
	"\t<parameter name=\"socket\" unique=\"0\" required=\"0\">\n"
	"\t\t<getopt mixed=\"-s, --socket=[path]\"/>\n"
	"\t\t<content type=\"string\" default=\"/run/lab/node/power\"/>\n"
	"\t\t<shortdesc lang=\"en\">Socket of the power switch</shortdesc>\n"
	"\t</parameter>\n"
	"\t<parameter name=\"timeout\" unique=\"0\" required=\"0\">\n"
	"\t\t<getopt mixed=\"-t, --timeout=[seconds]\"/>\n"
	"\t\t<content type=\"second\" default=\"20\"/>\n"
	"\t\t<shortdesc lang=\"en\">Seconds to wait for the switch</shortdesc>\n"
	"\t</parameter>\n"
	"\t<parameter name=\"delay\" unique=\"0\" required=\"0\">\n"
	"\t\t<getopt mixed=\"-w, --delay=[seconds]\"/>\n"
	"\t\t<content type=\"second\" default=\"0\"/>\n"
	"\t\t<shortdesc lang=\"en\">Seconds to wait before off and reboot</shortdesc>\n"
	"\t</parameter>\n"
	"</parameters>\n"
	"<actions>\n"
	"\t<action name=\"on\" automatic=\"0\"/>\n"
	"\t<action name=\"off\"/>\n"
	"\t<action name=\"reboot\"/>\n"
	"\t<action name=\"status\"/>\n"
	"\t<action name=\"list\"/>\n"
	"\t<action name=\"list-status\"/>\n"
	"\t<action name=\"monitor\"/>\n"
	"\t<action name=\"metadata\"/>\n"
	"\t<action name=\"manpage\"/>\n"
	"\t<action name=\"validate-all\"/>\n"
	"</actions>\n"
	"</resource-agent>\n";

static const char usage[] =
	"Usage: fence_dummy [-o ACTION] [-n PLUG] [-s SOCKET] [-t SECONDS] [-w SECONDS]\n"
	"Without options, reads name=value lines from standard input, as fence agents do.\n"
	"Actions: on off reboot status monitor list list-status validate-all metadata\n"
	"Exit: 0 done, or on; 1 failed; 2 off\n";

static int fail(const char *text, const char *detail)
{
	fprintf(stderr, "fence_dummy: %s%s%s\n", text, detail ? ": " : "", detail ? detail : "");
	return EXIT_FAILED;
}

/* An unknown name is no error: callers send every agent the same set. A value that does not fit is. */
static int param_set(struct params *p, const char *name, const char *value)
{
	for (size_t i = 0; i < ARRAY_SIZE(params_known); i++) {
		const struct param *known = &params_known[i];

		for (size_t j = 0; j < ARRAY_SIZE(known->names) && known->names[j]; j++) {
			if (strcmp(name, known->names[j]) != 0)
				continue;
			if (strlen(value) >= known->bytes)
				return -ENAMETOOLONG;
			strcpy((char *)p + known->offset, value);
			return 0;
		}
	}
	return 0;
}

static int params_from_stdin(struct params *p)
{
	char *line = NULL;
	size_t room = 0;
	ssize_t len;
	int r = 0;

	while (r == 0 && (len = getline(&line, &room, stdin)) >= 0) {
		while (len > 0 && isspace((unsigned char)line[len - 1]))
			line[--len] = '\0';
		char *name = line + strspn(line, " \t");
		char *eq = strchr(name, '=');

		if (*name == '#' || !eq)
			continue;
		*eq = '\0';
		char *value = eq + 1;
		size_t n = strlen(value);

		if (n >= 2 && value[0] == '"' && value[n - 1] == '"') {
			value[n - 1] = '\0';
			value++;
		}
		r = param_set(p, name, value);
	}
	if (r == 0 && ferror(stdin))
		r = -EIO;
	free(line);
	return r;
}

static int params_from_argv(struct params *p, int argc, char **argv)
{
	static const struct {
		char letter;
		const char *name;
	} options[] = {
		{ 'o', "action" },  { 'n', "plug" },  { 's', "socket" },
		{ 't', "timeout" }, { 'w', "delay" },
	};
	int c, r = 0;

	while (r == 0 && (c = getopt(argc, argv, "o:n:s:t:w:h")) != -1) {
		if (c == 'h') {
			fputs(usage, stdout);
			exit(0);
		}
		r = -EINVAL;
		for (size_t i = 0; i < ARRAY_SIZE(options); i++)
			if (options[i].letter == c)
				r = param_set(p, options[i].name, optarg);
	}
	return r == 0 && optind < argc ? -EINVAL : r;
}

static int seconds_parse(const char *text, unsigned *ret_s)
{
	char *end;

	errno = 0;
	unsigned long v = strtoul(text, &end, 10);
	if (errno != 0 || end == text || *end != '\0' || *text == '-' || v > 86400)
		return -EINVAL;
	*ret_s = (unsigned)v;
	return 0;
}

static int64_t mono_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* Ask the switch; its whole answer, up to the end of the connection, lands in @answer. 0 or negative errno. */
static int ask(const struct params *p, const struct action *act, unsigned timeout_s, char *answer,
	       size_t bytes)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int64_t end_ms = mono_ms() + (int64_t)timeout_s * 1000;
	char request[128];
	size_t have = 0;
	int r = 0;

	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	strcpy(sa.sun_path, p->socket);
	if (connect(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0) {
		r = -errno;
		goto out;
	}
	int len = snprintf(request, sizeof(request), "%s %s\n", act->request,
			   act->need == NEED_PLUG ? p->plug : "");
	if (send(fd, request, (size_t)len, MSG_NOSIGNAL) != len) {
		r = -EIO;
		goto out;
	}
	for (;;) {
		struct pollfd pfd = { .fd = fd, .events = POLLIN };
		int64_t left_ms = end_ms - mono_ms();

		if (left_ms <= 0 || poll(&pfd, 1, (int)left_ms) == 0) {
			r = -ETIMEDOUT;
			break;
		}
		if (have == bytes - 1) {
			r = -EMSGSIZE;
			break;
		}
		ssize_t n = recv(fd, answer + have, bytes - 1 - have, 0);
		if (n == 0)
			break;
		if (n < 0 && errno != EINTR && errno != EAGAIN) {
			r = -errno;
			break;
		}
		have += n > 0 ? (size_t)n : 0;
	}
	answer[have] = '\0';
out:
	close(fd);
	return r;
}

/* "ok" and then a line "PLUG on|off" per node; printed as agents print lists. */
static int print_list(char *rows, bool with_status)
{
	char *save = NULL;

	for (char *row = strtok_r(rows, "\n", &save); row; row = strtok_r(NULL, "\n", &save)) {
		char *state = strchr(row, ' ');

		if (!state)
			return fail("the switch's list cannot be understood", row);
		*state++ = '\0';
		if (!with_status)
			printf("%s,\n", row);
		else
			printf("%s,,%s\n", row,
			       strcmp(state, "on") == 0    ? "ON"
			       : strcmp(state, "off") == 0 ? "OFF"
							   : "UNKNOWN");
	}
	return EXIT_ON;
}

static int verdict(const struct action *act, char *answer)
{
	char *rest = strchr(answer, '\n');

	if (!rest)
		return fail("the switch's answer is cut short", *answer ? answer : "nothing");
	*rest++ = '\0';
	if (strcmp(act->name, "status") == 0) {
		if (strcmp(answer, "on") != 0 && strcmp(answer, "off") != 0)
			return fail("status unknown", answer);
		printf("Status: %s\n", strcmp(answer, "on") == 0 ? "ON" : "OFF");
		return strcmp(answer, "on") == 0 ? EXIT_ON : EXIT_OFF;
	}
	if (strcmp(answer, "ok") != 0)
		return fail(act->name, answer);
	if (strncmp(act->name, "list", 4) == 0)
		return print_list(rest, strcmp(act->name, "list-status") == 0);
	if (act->need == NEED_PLUG)
		printf("Success: %s\n", strcmp(act->name, "on") == 0    ? "Powered ON"
					: strcmp(act->name, "off") == 0 ? "Powered OFF"
									: "Rebooted");
	return EXIT_ON;
}

int main(int argc, char **argv)
{
	struct params p = {
		.action = "reboot", .socket = "/run/lab/node/power", .timeout = "20", .delay = "0"
	};
	const struct action *act = NULL;
	unsigned timeout_s, delay_s;
	char answer[8192];

	int r = argc > 1 ? params_from_argv(&p, argc, argv) : params_from_stdin(&p);
	if (r < 0)
		return fail("parameters", strerror(-r));
	for (size_t i = 0; i < ARRAY_SIZE(actions); i++)
		if (strcasecmp(actions[i].name, p.action) == 0)
			act = &actions[i];
	if (!act)
		return fail("unrecognised action", p.action);
	if (act->need == NEED_NOTHING) {
		fputs(metadata, stdout);
		return EXIT_ON;
	}
	if (seconds_parse(p.timeout, &timeout_s) < 0)
		return fail("timeout is not a number of seconds", p.timeout);
	if (seconds_parse(p.delay, &delay_s) < 0)
		return fail("delay is not a number of seconds", p.delay);
	if (act->need == NEED_PLUG && (!p.plug[0] || strpbrk(p.plug, " \t\r\n")))
		return fail(p.plug[0] ? "plug has blanks" : "plug is required", NULL);
	if (!act->request)
		return EXIT_ON;
	if (strcmp(act->name, "off") == 0 || strcmp(act->name, "reboot") == 0)
		sleep(delay_s);
	r = ask(&p, act, timeout_s, answer, sizeof(answer));
	if (r == -ETIMEDOUT)
		return fail("timed out waiting for the switch at", p.socket);
	if (r < 0) {
		fprintf(stderr, "fence_dummy: switch at %s: %s\n", p.socket, strerror(-r));
		return EXIT_FAILED;
	}
	return verdict(act, answer);
}
