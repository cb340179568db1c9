// SPDX-License-Identifier: GPL-3.0-or-later
/* fence_dummy - a fence agent for laboratories: asks a power switch behind a local socket.
 *
 * It is as strict as a real agent must be: an answer that cannot be understood, or none in time, is a failure and never "off"
 * (SAFE-3). What the switch answers to on, off and reboot is believed as it is, so that a laboratory can play a device that
 * lies: who wants to know reads the status. The switch's side is described in tests/net/powerswitch.py. Never installed.
 */
#include "fence_agents/lib/agent.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static const char *const methods[] = { "onoff", "cycle", NULL };

static const struct agent_param params[] = {
	{ .name = "socket",
	  .alias = { { .name = "ip" }, { .name = "ipaddr" } },
	  .letter = 's',
	  .arg = "path",
	  .value = "/run/lab/node/power",
	  .text = "Local socket of the power switch" },
	{ .name = "timeout",
	  .alias = { { .name = "shell_timeout" } },
	  .type = AGENT_SECOND,
	  .letter = 't',
	  .value = "20",
	  .max = 86400,
	  .text = "Wait this long for the switch" },
	{ .name = "method",
	  .type = AGENT_SELECT,
	  .letter = 'm',
	  .value = "onoff",
	  .select = methods,
	  .text = "How to reboot: off, and on; or in one step of the switch, in which nobody can see it off" },
	{ .name = "delay",
	  .type = AGENT_SECOND,
	  .letter = 'w',
	  .value = "0",
	  .max = 86400,
	  .text = "Wait this long before off and reboot" },
	{ 0 },
};

struct talk {
	int64_t end_ms;
	char answer[8192];
};

/* Its whole answer, up to the end of the connection. */
static int ask(struct agent *a, const char *request, const char *plug)
{
	struct talk *t = agent_state(a);
	const char *path = agent_get(a, "socket");
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	char text[128];
	size_t have = 0;
	int r = 0;

	t->end_ms = agent_deadline_ms(a, "timeout");
	if (strlen(path) >= sizeof(sa.sun_path))
		return agent_error(a, ENAMETOOLONG, "the socket's path is too long: %.100s", path);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return agent_error(a, errno, "socket: %s", strerror(errno));
	strcpy(sa.sun_path, path);
	if (connect(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0) {
		r = agent_error(a, errno, "switch at %.100s: %s", path, strerror(errno));
		goto out;
	}
	int len = snprintf(text, sizeof(text), "%s %s\n", request, plug);
	if (len >= (int)sizeof(text) || send(fd, text, (size_t)len, MSG_NOSIGNAL) != len) {
		r = agent_error(a, EIO, "switch at %.100s takes no request", path);
		goto out;
	}
	while (r == 0) {
		struct pollfd pfd = { .fd = fd, .events = POLLIN };

		if (poll(&pfd, 1, agent_left_ms(t->end_ms)) == 0) {
			r = agent_error(a, ETIMEDOUT, "timed out waiting for the switch at %.100s",
					path);
			break;
		}
		ssize_t n = recv(fd, t->answer + have, sizeof(t->answer) - 1 - have, 0);
		if (n == 0)
			break;
		if (n < 0 && errno != EINTR && errno != EAGAIN)
			r = agent_error(a, errno, "switch at %.100s: %s", path, strerror(errno));
		have += n > 0 ? (size_t)n : 0;
		if (have == sizeof(t->answer) - 1)
			r = agent_error(a, EMSGSIZE, "the switch's answer has no end");
	}
	t->answer[have] = '\0';
	if (r == 0 && !strchr(t->answer, '\n'))
		r = agent_error(a, EBADMSG, "the switch's answer is cut short: %.60s",
				have > 0 ? t->answer : "nothing");
out:
	close(fd);
	return r;
}

/* The first line, and what comes after it. */
static char *head(struct agent *a)
{
	struct talk *t = agent_state(a);
	char *nl = strchr(t->answer, '\n');

	*nl = '\0';
	return nl + 1;
}

static int expect_ok(struct agent *a, const char *request)
{
	struct talk *t = agent_state(a);

	if (strcmp(t->answer, "ok") == 0)
		return 0;
	return agent_error(a, EIO, "%s: the switch says %.100s", request, t->answer);
}

static int order(struct agent *a, const char *request, const char *plug)
{
	int r = ask(a, request, plug);

	if (r < 0)
		return r;
	head(a);
	return expect_ok(a, request);
}

static int dummy_set(struct agent *a, const char *plug, enum agent_power to, enum agent_power *seen)
{
	int r = order(a, agent_power_name(to), plug);

	if (r == 0)
		*seen = to;
	return r;
}

static int dummy_cycle(struct agent *a, const char *plug, enum agent_power *seen)
{
	(void)seen;
	return order(a, "reboot", plug);
}

static enum agent_power power_of(const char *word)
{
	return strcmp(word, "on") == 0    ? AGENT_ON
	       : strcmp(word, "off") == 0 ? AGENT_OFF
					  : AGENT_UNKNOWN;
}

static int dummy_status(struct agent *a, const char *plug, enum agent_power *ret)
{
	struct talk *t = agent_state(a);
	int r = ask(a, "status", plug);

	if (r < 0)
		return r;
	head(a);
	*ret = power_of(t->answer);
	return *ret != AGENT_UNKNOWN ? 0 : agent_error(a, EIO, "status unknown: %.100s", t->answer);
}

static int dummy_monitor(struct agent *a)
{
	return order(a, "monitor", "");
}

/* "ok" and then a line "PLUG on|off" per node. */
static int dummy_list(struct agent *a)
{
	char *save = NULL;
	int r = ask(a, "list", "");

	if (r < 0)
		return r;
	char *rows = head(a);

	r = expect_ok(a, "list");
	for (char *row = strtok_r(rows, "\n", &save); r == 0 && row;
	     row = strtok_r(NULL, "\n", &save)) {
		char *state = strchr(row, ' ');

		if (!state)
			return agent_error(a, EBADMSG,
					   "the switch's list cannot be understood: %.60s", row);
		*state++ = '\0';
		agent_list_row(a, row, NULL, power_of(state));
	}
	return r;
}

static int dummy_validate(struct agent *a)
{
	const char *plug = agent_get(a, "plug");

	if (plug && (strpbrk(plug, " \t") || strlen(plug) > 63))
		return agent_error(a, EINVAL, "plug has blanks, or more than 63 bytes");
	return 0;
}

static const struct agent_def dummy = {
	.name = "fence_dummy",
	.short_text = "Fence agent for laboratories",
	.text = "fence_dummy asks the power switch of a Stockade laboratory, behind a local socket, to "
		"switch a node of namespaces. It fences nothing else.",
	.param = params,
	.common = AGENT_HAS_PLUG | AGENT_HAS_METHOD,
	.flags = AGENT_ALWAYS,
	.state_bytes = sizeof(struct talk),
	.validate = dummy_validate,
	.status = dummy_status,
	.set = dummy_set,
	.cycle = dummy_cycle,
	.list = dummy_list,
	.monitor = dummy_monitor,
};

int main(int argc, char **argv)
{
	return agent_main(&dummy, argc, argv);
}
