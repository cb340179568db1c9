// SPDX-License-Identifier: GPL-3.0-or-later
/* Messages, the clock, waiting. */
#include "agent_priv.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <time.h>

static void line(struct agent *a, FILE *to, const char *kind, const char *text)
{
	if (!to)
		return;
	fprintf(to, "%s: %s%s\n", a->def->name, kind, text);
	fflush(to);
}

int agent_error(struct agent *a, int err, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(a->error, sizeof(a->error), fmt, ap);
	va_end(ap);
	/* one line, whatever a device put into it */
	for (char *p = a->error; *p; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			*p = ' ';
	return -err;
}

const char *agent_error_text(const struct agent *a)
{
	return a->error;
}

void agent_warn(struct agent *a, const char *fmt, ...)
{
	char text[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (!agent_is(a, "quiet"))
		line(a, stderr, "warning: ", text);
	line(a, a->log, "warning: ", text);
}

void agent_debug(struct agent *a, const char *fmt, ...)
{
	char text[1024];
	va_list ap;

	if (agent_number(a, "verbose") == 0 && !a->log)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (agent_number(a, "verbose") > 0 && !agent_is(a, "quiet"))
		line(a, stderr, "", text);
	line(a, a->log, "", text);
}

int64_t agent_now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

int64_t agent_deadline_ms(const struct agent *a, const char *name)
{
	if (agent_is(a, "disable_timeout"))
		return INT64_MAX;
	return agent_now_ms() + (int64_t)agent_number(a, name) * 1000;
}

int agent_left_ms(int64_t deadline_ms)
{
	if (deadline_ms == INT64_MAX)
		return -1;
	int64_t left = deadline_ms - agent_now_ms();

	return left <= 0 ? 0 : left > INT32_MAX ? INT32_MAX : (int)left;
}

void agent_sleep_ms(int64_t ms)
{
	struct timespec left = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 };

	while (ms > 0 && nanosleep(&left, &left) < 0 && errno == EINTR)
		;
}

const char *agent_power_name(enum agent_power p)
{
	return p == AGENT_ON ? "on" : p == AGENT_OFF ? "off" : "unknown";
}
