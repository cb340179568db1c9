/* SPDX-License-Identifier: GPL-3.0-or-later */
/* op.c - the words, times and small files of a running operation. */
#include "op.h"

#include "lib/shell/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* Kept back from the limit, so that the child ends with a reason instead of being killed without one. */
#define LAST_WORDS_MS 300

void op_init(struct op *op, const struct driver_job *job, int fd)
{
	memset(op, 0, sizeof(*op));
	op->job = job;
	op->fd = fd;
	op->begin_ms = op_now_ms();
	op->end.kind = DRIVER_LINE_RESULT;
	op->end.result = DRIVER_UNKNOWN;
}

uint64_t op_now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

uint32_t op_left_ms(const struct op *op, uint32_t most)
{
	uint64_t used = op_now_ms() - op->begin_ms + LAST_WORDS_MS;

	if (op->job->limit_ms == 0)
		return most;
	if (used >= op->job->limit_ms)
		return 1;
	uint64_t left = op->job->limit_ms - used;

	return left < most ? (uint32_t)left : most;
}

static void __attribute__((format(printf, 3, 0)))
words(char *buf, size_t len, const char *fmt, va_list ap)
{
	vsnprintf(buf, len, fmt, ap);
	for (char *c = buf; *c; c++)
		if (*c == '\n' || *c == '\r' || *c == '\t')
			*c = ' ';
}

void op_progress(const struct op *op, const char *fmt, ...)
{
	struct driver_line line = { .kind = DRIVER_LINE_PROGRESS };
	va_list ap;

	va_start(ap, fmt);
	words(line.text, sizeof(line.text), fmt, ap);
	va_end(ap);
	driver_line_write(op->fd, &line);
}

void op_step(const struct op *op, const char *step, uint64_t begin_ms, uint64_t extern_ms,
	     const char *fmt, ...)
{
	struct driver_line line = { .kind = DRIVER_LINE_STEP };
	va_list ap;

	line.took_ms = (uint32_t)(op_now_ms() - begin_ms);
	line.extern_ms = extern_ms < line.took_ms ? (uint32_t)extern_ms : line.took_ms;
	snprintf(line.step, sizeof(line.step), "%s", step);
	va_start(ap, fmt);
	words(line.text, sizeof(line.text), fmt, ap);
	va_end(ap);
	driver_line_write(op->fd, &line);
}

static enum driver_result __attribute__((format(printf, 5, 0)))
finish(struct op *op, enum driver_result result, const char *code, const char *remedy,
       const char *fmt, va_list ap)
{
	op->end.result = result;
	snprintf(op->end.code, sizeof(op->end.code), "%s", code);
	snprintf(op->end.remedy, sizeof(op->end.remedy), "%s", remedy);
	words(op->end.text, sizeof(op->end.text), fmt, ap);
	return result;
}

enum driver_result op_fail(struct op *op, const char *code, const char *remedy, const char *fmt,
			   ...)
{
	va_list ap;

	va_start(ap, fmt);
	finish(op, DRIVER_FAILED, code, remedy, fmt, ap);
	va_end(ap);
	return DRIVER_FAILED;
}

enum driver_result op_unknown(struct op *op, const char *code, const char *remedy, const char *fmt,
			      ...)
{
	va_list ap;

	va_start(ap, fmt);
	finish(op, DRIVER_UNKNOWN, code, remedy, fmt, ap);
	va_end(ap);
	return DRIVER_UNKNOWN;
}

enum driver_result op_end(struct op *op, enum driver_result result, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	finish(op, result, "", "", fmt, ap);
	va_end(ap);
	return result;
}

int op_keep(const struct op *op, const char *name, const char *text)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/%s", op->job->rundir, name);
	return file_replace(path, text, strlen(text), 0600, false);
}

int op_kept(const struct op *op, const char *name, char *buf, size_t len)
{
	int r = file_read(buf, len, "%s/%s", op->job->rundir, name);

	return r < 0 ? r : 0;
}

void op_forget(const struct op *op, const char *name)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/%s", op->job->rundir, name);
	unlink(path);
}

int file_read(char *buf, size_t len, const char *fmt, ...)
{
	char path[PATH_MAX];
	size_t n = 0;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(path, sizeof(path), fmt, ap);
	va_end(ap);
	buf[0] = '\0';
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	while (n + 1 < len) {
		ssize_t r = read(fd, buf + n, len - 1 - n);

		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0) {
			int e = errno;

			close(fd);
			buf[0] = '\0';
			return -e;
		}
		if (r == 0)
			break;
		n += (size_t)r;
	}
	close(fd);
	while (n > 0 && (buf[n - 1] == '\n' || buf[n - 1] == ' ' || buf[n - 1] == '\t'))
		n--;
	buf[n] = '\0';
	return (int)n;
}

int file_write(const char *text, const char *fmt, ...)
{
	char path[PATH_MAX];
	va_list ap;
	int r = 0;

	va_start(ap, fmt);
	vsnprintf(path, sizeof(path), fmt, ap);
	va_end(ap);
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	if (write(fd, text, strlen(text)) < 0)
		r = -errno;
	close(fd);
	return r;
}

void sleep_ms(uint32_t ms)
{
	struct timespec ts = { .tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000 };

	while (nanosleep(&ts, &ts) < 0 && errno == EINTR)
		;
}

bool op_detach(const struct op *op)
{
	if (fork() != 0)
		return false;
	setsid(); /* out of the group that the daemon kills at the operation's deadline */
	close(op->fd);
	return true;
}
