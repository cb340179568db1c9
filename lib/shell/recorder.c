/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "lib/shell/recorder.h"

#include "lib/shell/log.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define BUF_FIRST 8192

struct recorder {
	const char *program;
	char path[PATH_MAX];
	int fd; /* -1: given up */
	uint64_t id;
	uint64_t bytes; /* in this file */
	uint64_t bytes_max;
	uint64_t step; /* of the event written last */
	unsigned many;
	char *buf; /* what is not written yet */
	size_t cap, len;
};

static void give_up(struct recorder *r, const char *what)
{
	log_warning("record", "file=%s %s=\"%s\" text=\"recording ends here\"", r->path, what,
		    strerror(errno));
	if (r->fd >= 0)
		close(r->fd);
	r->fd = -1;
}

static bool grow(struct recorder *r)
{
	char *more = realloc(r->buf, r->cap * 2);

	if (!more) {
		give_up(r, "memory");
		return false;
	}
	r->buf = more;
	r->cap *= 2;
	return true;
}

/* One line: @head, then the fields that @put writes. */
__attribute__((format(printf, 5, 6))) static void line(struct recorder *r, record_put put,
						       const void *what, unsigned i,
						       const char *fmt, ...)
{
	char head[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(head, sizeof(head), fmt, ap);
	va_end(ap);
	while (r->fd >= 0) {
		struct record_w w;

		record_w_init(&w, r->buf + r->len, r->cap - r->len);
		w.many = r->many;
		record_w_words(&w, head);
		if (put)
			put(&w, what, i);
		record_w_words(&w, "\n");
		if (w.err == 0) {
			r->len += w.len;
			return;
		}
		if (!grow(r))
			return;
	}
}

/* In as few calls as possible: a line that is there is there whole, unless the system ends between two. */
static void flush(struct recorder *r)
{
	size_t done = 0;

	while (r->fd >= 0 && done < r->len) {
		ssize_t n = write(r->fd, r->buf + done, r->len - done);

		if (n > 0)
			done += (size_t)n;
		else if (n < 0 && errno != EINTR)
			give_up(r, "error");
	}
	r->bytes += done;
	r->len = 0;
	if (r->cap > 1024 * 1024) { /* after a large message */
		free(r->buf);
		r->cap = BUF_FIRST;
		r->buf = malloc(r->cap);
		if (!r->buf)
			give_up(r, "memory");
	}
}

static bool open_file(struct recorder *r)
{
	struct stat st;

	r->fd = open(r->path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (r->fd < 0 || fstat(r->fd, &st) < 0) {
		give_up(r, "error");
		return false;
	}
	r->bytes = (uint64_t)st.st_size;
	return true;
}

/* FILE becomes FILE.1, that FILE.2, ...; the last goes. */
static void turn_over(struct recorder *r)
{
	char from[PATH_MAX + 16], to[PATH_MAX + 16];

	for (unsigned i = RECORDER_FILES - 1; i > 0; i--) {
		snprintf(to, sizeof(to), "%s.%u", r->path, i);
		if (i > 1)
			snprintf(from, sizeof(from), "%s.%u", r->path, i - 1);
		else
			snprintf(from, sizeof(from), "%s", r->path);
		if (rename(from, to) < 0 && errno != ENOENT) {
			give_up(r, "rename");
			return;
		}
	}
	close(r->fd);
	if (open_file(r))
		line(r, NULL, NULL, 0, "more %d %s %" PRIu64 " %" PRIu64, RECORD_VERSION,
		     r->program, r->id, r->step + 1);
}

struct recorder *recorder_open(const char *program, const char *directory)
{
	const char *max = getenv("STOCKADE_RECORD_BYTES");
	struct timespec now;
	struct recorder *r;

	if (!directory)
		directory = getenv("STOCKADE_RECORD");
	if (!directory || !*directory)
		return NULL;
	r = calloc(1, sizeof(*r));
	if (!r)
		return NULL;
	r->program = program;
	r->bytes_max = RECORDER_FILE_MAX;
	if (max && strtoull(max, NULL, 10) > 0)
		r->bytes_max = strtoull(max, NULL, 10);
	r->cap = BUF_FIRST;
	r->buf = malloc(r->cap);
	snprintf(r->path, sizeof(r->path), "%s/%s.record", directory, program);
	if (mkdir(directory, 0700) < 0 && errno != EEXIST)
		log_warning("record", "directory=%s error=\"%s\"", directory, strerror(errno));
	if (!r->buf || !open_file(r)) {
		free(r->buf);
		free(r);
		return NULL;
	}
	if (r->bytes > 0) /* what a crash cut off is a line of its own, not the head of ours */
		line(r, NULL, NULL, 0, "%s", "");
	clock_gettime(CLOCK_MONOTONIC, &now); /* two runs never begin in one nanosecond of a boot */
	r->id = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
	line(r, NULL, NULL, 0, "record %d %s %" PRIu64 " %s", RECORD_VERSION, program, r->id,
	     STOCKADE_VERSION);
	log_notice("record", "file=%s text=\"every event is written there\"", r->path);
	return r;
}

struct recorder *recorder_close(struct recorder *r)
{
	if (r) {
		flush(r);
		if (r->fd >= 0)
			close(r->fd);
		free(r->buf);
		free(r);
	}
	return NULL;
}

void recorder_config(struct recorder *r, record_put put, const void *cfg, unsigned many)
{
	if (!r || r->fd < 0)
		return;
	r->many = many;
	line(r, put, cfg, 0, "new");
	flush(r);
}

void recorder_event(struct recorder *r, record_put put, const void *event)
{
	if (!r || r->fd < 0)
		return;
	if (r->bytes >= r->bytes_max)
		turn_over(r);
	r->step++;
	line(r, put, event, 0, "event %" PRIu64 " ", r->step);
	flush(r);
}

void recorder_actions(struct recorder *r, int rc, unsigned n, record_put put, const void *actions,
		      uint64_t deadline_ms)
{
	if (!r || r->fd < 0)
		return;
	for (unsigned i = 0; i < n; i++)
		line(r, put, actions, i, "act ");
	line(r, NULL, NULL, 0, "end %" PRIu64 " %d %u %" PRIu64, r->step, rc, n, deadline_ms);
	flush(r);
}
