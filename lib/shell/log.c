/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "lib/shell/log.h"

#include <errno.h>
#include <qb/qblog.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#define LINE_MAX_BYTES 8192

static const char *const level[] = { "emerg", "alert",  "crit", "error",
				     "warn",  "notice", "info", "debug" };

static const char *program = "stockade";
static volatile sig_atomic_t debug_on;
static bool to_journal, opened;

/* systemd says which device and inode its stream has: a child whose stderr goes elsewhere inherits the
 * variable, but does not speak to the journal.
 */
static bool stderr_is_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	unsigned long long dev, ino;
	struct stat st;

	return stream != NULL && sscanf(stream, "%llu:%llu", &dev, &ino) == 2 &&
	       fstat(STDERR_FILENO, &st) == 0 && st.st_dev == dev && st.st_ino == ino;
}

static size_t put_head(char *line, size_t cap, int priority)
{
	struct timespec now;
	struct tm tm;

	if (to_journal)
		return (size_t)snprintf(line, cap, "<%d>", priority);
	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &tm);
	size_t len = strftime(line, cap, "%Y-%m-%dT%H:%M:%S", &tm);

	return len + (size_t)snprintf(line + len, cap - len,
				      ".%03ldZ %s[%d] %s: ", now.tv_nsec / 1000000, program,
				      (int)getpid(), level[priority]);
}

/* One write() a line: lines of several processes on one descriptor stay whole. */
static void put_line(char *line, size_t len, size_t cap)
{
	if (len > cap - 1)
		len = cap - 1;
	for (size_t i = 0; i < len; i++)
		if (line[i] == '\n' || line[i] == '\r')
			line[i] = ' ';
	line[len++] = '\n';
	/* Nobody is left to tell when standard error does not work. */
	while (write(STDERR_FILENO, line, len) < 0 && errno == EINTR)
		;
}

void log_emit(int priority, const char *event, const char *fmt, ...)
{
	char line[LINE_MAX_BYTES];
	int saved = errno;
	va_list ap;

	if (priority > LOG_INFO ? !debug_on : priority > LOG_NOTICE && !opened)
		return;
	size_t len = put_head(line, sizeof(line), priority);

	len += (size_t)snprintf(line + len, sizeof(line) - len, "%s%s", event,
				fmt[0] != '\0' ? " " : "");
	if (len < sizeof(line)) {
		errno = saved; /* for %m */
		va_start(ap, fmt);
		int n = vsnprintf(line + len, sizeof(line) - len, fmt, ap);

		va_end(ap);
		if (n > 0)
			len += (size_t)n;
	}
	put_line(line, len, sizeof(line));
	errno = saved;
}

static void from_libqb(int32_t target, struct qb_log_callsite *cs, struct timespec *when,
		       const char *msg)
{
	(void)target;
	(void)when;
	log_emit(cs->priority <= LOG_DEBUG ? cs->priority : LOG_DEBUG, "libqb",
		 "function=%s text=\"%s\"", cs->function, msg);
}

static void toggle_debug(int sig)
{
	(void)sig;
	debug_on = !debug_on;
}

void log_open(const char *name, bool debug)
{
	struct sigaction act = { .sa_handler = toggle_debug, .sa_flags = SA_RESTART };

	program = name;
	debug_on = debug;
	to_journal = stderr_is_journal();
	sigemptyset(&act.sa_mask);
	sigaction(SIGUSR1, &act, NULL);

	qb_log_init(name, LOG_DAEMON, LOG_WARNING);
	qb_log_ctl(QB_LOG_SYSLOG, QB_LOG_CONF_ENABLED, QB_FALSE);
	int32_t target = qb_log_custom_open(from_libqb, NULL, NULL, NULL);

	if (target >= 0) {
		qb_log_filter_ctl(target, QB_LOG_FILTER_ADD, QB_LOG_FILTER_FILE, "*", LOG_WARNING);
		qb_log_format_set(target, "%b");
		qb_log_ctl(target, QB_LOG_CONF_ENABLED, QB_TRUE);
	}
	opened = true;
}

void log_close(void)
{
	if (!opened)
		return;
	opened = false;
	qb_log_fini();
}
