/* SPDX-License-Identifier: GPL-3.0-or-later */
/* notify.c - see notify.h. */
#include "lib/shell/notify.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <systemd/sd-daemon.h>

#define FEEDS_PER_PERIOD 3
#define STATUS_MAX 200

static struct loop_timer *feeder; /* NULL: systemd does not watch us */
static uint64_t every_ms;

static void feed(void *arg)
{
	(void)arg;
	sd_notify(0, "WATCHDOG=1");
	loop_timer_arm(feeder, mono_ms() + every_ms);
}

int notify_ready(struct loop *loop)
{
	uint64_t period_us = 0;

	if (sd_watchdog_enabled(0, &period_us) > 0) {
		feeder = loop_timer_new(loop, feed, NULL);
		if (feeder == NULL)
			return -ENOMEM;
		every_ms = period_us / 1000 / FEEDS_PER_PERIOD;
		feed(NULL);
	}
	int r = sd_notify(0, "READY=1");

	return r < 0 ? r : 0;
}

void notify_status(const char *fmt, ...)
{
	char text[STATUS_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	sd_notifyf(0, "STATUS=%s", text);
}

void notify_stopping(void)
{
	sd_notify(0, "STOPPING=1");
}

void notify_done(void)
{
	feeder = loop_timer_free(feeder);
}
