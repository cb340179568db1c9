/* SPDX-License-Identifier: GPL-3.0-or-later */
/* log.h - one line per fact: an event name first, then key=value, the same keys everywhere.
 *
 *   log_notice("fence.proof", "victim=%s kind=%s by=%u", name, proof_kind_name(p->kind), p->by);
 *
 * error: someone must act. warning: recovered. notice: the operator's history. info: troubleshooting. debug: every
 * event and action. Values with blanks are quoted by the caller ("reason=\"%s\""). Never a secret.
 *
 * Everything goes to standard error: with a <N> priority for journald when systemd connected it (JOURNAL_STREAM), else
 * with time and program. libqb's own messages come the same way, as event "libqb". SIGUSR1 switches debug on and off.
 */
#ifndef STOCKADE_LOG_H
#define STOCKADE_LOG_H

#include <stdbool.h>

void log_open(const char *program, bool debug); /* @program: static text */
void log_close(void);
/* Before log_open(), lines of notice and above are written. A line longer than 8 KiB is cut. Keeps errno. */
void log_emit(int priority, const char *event, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

#define log_error(event, ...) log_emit(3, event, __VA_ARGS__)
#define log_warning(event, ...) log_emit(4, event, __VA_ARGS__)
#define log_notice(event, ...) log_emit(5, event, __VA_ARGS__)
#define log_info(event, ...) log_emit(6, event, __VA_ARGS__)
#define log_debug(event, ...) log_emit(7, event, __VA_ARGS__)

#endif
