/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "lib/shell/history.h"

#include "lib/shell/boot.h"
#include "lib/shell/log.h"
#include "lib/shell/loop.h"
#include "lib/utf8.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define LAST_LINES \
	200 /* enough for what a boot writes while it lets go, and what this one has written so far */
#define TAIL_BYTES_MAX (96 * 1024) /* of lines: an answer with them stays below IPC_BYTES_MAX */

struct history {
	int fd;
	bool torn, failing; /* half a line stands at the end; the last one was not written */
	char path[256], old[260];
	char daemon[32], node[64], boot[BOOT_ID_TEXT];
};

static int open_file(struct history *h)
{
	char last = '\n';

	h->fd = open(h->path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
	if (h->fd < 0)
		return -errno;
	/* Half a line of a crash must not swallow the next one. */
	off_t end = lseek(h->fd, 0, SEEK_END);

	if (end > 0 && pread(h->fd, &last, 1, end - 1) == 1 && last != '\n' &&
	    write(h->fd, "\n", 1) != 1)
		return -errno;
	return 0;
}

struct history *history_open(const char *daemon, const char *node)
{
	return history_open_in(HISTORY_DIR, daemon, node);
}

struct history *history_open_in(const char *dir, const char *daemon, const char *node)
{
	struct history *h = calloc(1, sizeof(*h));
	int r = -ENOMEM;

	if (h == NULL)
		return NULL;
	snprintf(h->path, sizeof(h->path), "%s/history-%s.jsonl", dir, daemon);
	snprintf(h->old, sizeof(h->old), "%s.1", h->path);
	snprintf(h->daemon, sizeof(h->daemon), "%s", daemon);
	snprintf(h->node, sizeof(h->node), "%s", node);
	boot_id_text(h->boot);
	if (mkdir(dir, 0755) < 0 && errno != EEXIST)
		r = -errno;
	else
		r = open_file(h);
	if (r == 0)
		return h;
	log_warning("history.off", "file=%s reason=\"%s\"", h->path, strerror(-r));
	free(h);
	errno = -r;
	return NULL;
}

struct history *history_close(struct history *h)
{
	if (h != NULL) {
		close(h->fd);
		free(h);
	}
	return NULL;
}

static void wall_text(char *text, size_t len)
{
	struct timespec now;
	struct tm tm;
	char day[32];

	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &tm);
	strftime(day, sizeof(day), "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(text, len, "%s.%03ldZ", day, now.tv_nsec / 1000000);
}

static void rotate(struct history *h)
{
	struct stat st;

	if (fstat(h->fd, &st) < 0 || st.st_size < HISTORY_BYTES_MAX)
		return;
	if (rename(h->path, h->old) < 0)
		return;
	int full = h->fd;

	if (open_file(h) < 0)
		h->fd = full; /* it grows on; better than to lose what happens now */
	else
		close(full);
}

/* One write(2) a line, so that a crash leaves whole lines. */
static void write_line(struct history *h, json_t *entry)
{
	char *text = json_dumps(entry, JSON_COMPACT);
	size_t len = text != NULL ? strlen(text) : 0;

	if (text == NULL)
		return;
	text[len] = '\n'; /* in place of the NUL */
	/* A disk that is full takes half of it: that must not swallow the next one, when there is room again. */
	if (h->torn && write(h->fd, "\n", 1) == 1)
		h->torn = false;
	errno = ENOSPC; /* what a write that was cut short means */
	ssize_t n = h->torn ? -1 : write(h->fd, text, len + 1);
	bool failed = n != (ssize_t)len + 1;

	h->torn = h->torn || (n > 0 && failed);
	if (failed && !h->failing)
		log_warning("history.write", "file=%s reason=\"%s\"", h->path, strerror(errno));
	h->failing = failed;
	free(text);
	rotate(h);
}

void history_add(struct history *h, const char *event, json_t *extra, const char *fmt, ...)
{
	char text[1024], wall[48];
	json_t *entry;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	utf8_mend(text);
	log_notice(event, "text=\"%s\"", text);
	if (h != NULL) {
		wall_text(wall, sizeof(wall));
		entry = json_pack("{s:I,s:s,s:s,s:s,s:s,s:s,s:s}", "mono_ms", (json_int_t)mono_ms(),
				  "wall", wall, "node", h->node, "boot", h->boot, "daemon",
				  h->daemon, "event", event, "text", text);
		if (entry != NULL && extra != NULL)
			json_object_update_missing(entry, extra);
		if (entry != NULL)
			write_line(h, entry);
		json_decref(entry);
	}
	json_decref(extra);
}

void history_keep(struct history *h, unsigned ms)
{
	int done[2];

	if (h == NULL || pipe2(done, O_CLOEXEC) < 0)
		return;
	pid_t pid = fork();

	if (pid == 0) { /* its child is nobody's to wait for, however long the disk takes */
		close(done[0]);
		_exit(fork() == 0 ? fdatasync(h->fd) : 0);
	}
	close(done[1]);
	if (pid > 0) {
		struct pollfd end = { .fd = done[0], .events = POLLIN };

		waitpid(pid, NULL, 0);
		poll(&end, 1, (int)ms);
	}
	close(done[0]);
}

json_t *history_end_in(const json_t *all, const char *boot)
{
	for (size_t i = json_array_size(all); i-- > 0;) {
		json_t *e = json_array_get(all, i);
		const char *of = json_string_value(json_object_get(e, "boot"));
		const char *event = json_string_value(json_object_get(e, "event"));

		if (!of || !event || strcmp(of, boot) == 0)
			continue;
		if (strcmp(event, "self.resume") == 0 || strcmp(event, "self.back") == 0 ||
		    strcmp(event, "storaged.start") == 0 || strcmp(event, "storaged.stop") == 0)
			return NULL;
		if (strncmp(event, "self.", 5) == 0)
			return json_incref(e);
	}
	return NULL;
}

json_t *history_last_end(struct history *h)
{
	json_t *all = history_tail(h, LAST_LINES);
	json_t *found = h != NULL ? history_end_in(all, h->boot) : NULL;

	json_decref(all);
	return found;
}

/* The last @bytes of a file from the start of a line; NULL: nothing there. */
static char *read_end(const char *path, size_t bytes, size_t *ret_len)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	char *buf = NULL;
	ssize_t n = -1;

	if (fd >= 0 && fstat(fd, &st) == 0) {
		size_t size = (size_t)st.st_size, skip = size > bytes ? size - bytes : 0;

		buf = malloc(bytes + 1);
		if (buf != NULL)
			n = pread(fd, buf, bytes, (off_t)skip);
		if (n > 0 && skip > 0) {
			char *line = memchr(buf, '\n', (size_t)n);

			/* one line longer than all we look at: nothing */
			n = line != NULL ? n - (line + 1 - buf) : 0;
			if (n > 0)
				memmove(buf, line + 1, (size_t)n);
		}
	}
	if (fd >= 0)
		close(fd);
	if (n > 0) {
		*ret_len = (size_t)n;
		return buf;
	}
	free(buf);
	return NULL;
}

/* By lengths: after a loss of power a filesystem may have put zeros where lines were not on the disk yet. */
void history_parse(json_t *list, const char *text, size_t len)
{
	while (len > 0) {
		const char *end = memchr(text, '\n', len), *line = text;

		if (end == NULL)
			return; /* half a line of a crash */
		while (line < end && *line == '\0')
			line++;
		json_t *entry = json_loadb(line, (size_t)(end - line), 0, NULL);

		if (json_is_object(entry))
			json_array_append_new(list, entry);
		else
			json_decref(entry);
		len -= (size_t)(end + 1 - text);
		text = end + 1;
	}
}

json_t *history_tail(struct history *h, unsigned max)
{
	json_t *list = json_array();
	size_t used = 0;
	char *text;

	if (h == NULL || list == NULL)
		return list;
	text = read_end(h->path, TAIL_BYTES_MAX, &used);
	if (used < TAIL_BYTES_MAX / 2) {
		size_t len = 0;
		char *old = read_end(h->old, TAIL_BYTES_MAX - used, &len);

		if (old != NULL)
			history_parse(list, old, len);
		free(old);
	}
	if (text != NULL)
		history_parse(list, text, used);
	free(text);
	while (json_array_size(list) > max)
		json_array_remove(list, 0);
	return list;
}
