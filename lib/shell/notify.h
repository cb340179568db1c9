/* SPDX-License-Identifier: GPL-3.0-or-later */
/* notify.h - what systemd wants to hear from a daemon (Type=notify, WatchdogSec=).
 *
 * The watchdog is fed from the loop, so a daemon whose loop hangs is restarted, and only that one.
 * Without systemd every call does nothing. A process has one of this: there is no handle.
 */
#ifndef STOCKADE_NOTIFY_H
#define STOCKADE_NOTIFY_H

#include "loop.h"

/* Configured, connected, answering: tell so, and from now on feed the watchdog from @loop, three times
 * in each of its periods. Once in a process's life. Return: 0 or -errno.
 */
int notify_ready(struct loop *loop);

/* One line for `systemctl status`. */
void notify_status(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* An orderly stop began; the watchdog is still fed. */
void notify_stopping(void);

/* Before loop_free(). */
void notify_done(void);

#endif
