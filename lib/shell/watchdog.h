/* SPDX-License-Identifier: GPL-3.0-or-later */
/* watchdog.h - what the kernel says about a watchdog device, and whether it would really reset this machine (SAFE-12).
 *
 * Read from sysfs, the kernel's command line and modprobe's files only: to open the device would arm it. fenced arms none that is
 * distrusted, so nobody ever waits for it to fire; `stockade doctor watchdog` says the same in words.
 * Source: linux Documentation/watchdog/watchdog-api.rst, ABI/testing/sysfs-class-watchdog; drivers/watchdog/softdog.c.
 */
#ifndef STOCKADE_WATCHDOG_H
#define STOCKADE_WATCHDOG_H

#include <stdbool.h>
#include <stddef.h>

struct watchdog_facts {
	bool node;     /* the device file is there */
	bool known;    /* sysfs tells about it */
	char name[32]; /* "watchdog0" */
	char identity[80];
	int timeout_s, min_s, max_s; /* -1: not told; max 0: any */
	int pretimeout_s;
	char governor[24]; /* of the pretimeout; "": none */
	bool nowayout, active;
	bool bit;          /* it was this one that reset the machine before this boot */
	bool software;     /* the kernel's own timer, no hardware */
	bool noboot;       /* software: told not to reset the machine when it expires */
	char hardware[80]; /* software: the identity of another one here that is not; "": none */
};

/* @root: "" or another root directory, for tests. */
void watchdog_look(struct watchdog_facts *f, const char *device, const char *root);

/* Why nobody may count on it with a timeout of @want_s; NULL: it is trusted. Static text. */
const char *watchdog_distrust(const struct watchdog_facts *f, int want_s);

#endif
