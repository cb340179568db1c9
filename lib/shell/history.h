/* SPDX-License-Identifier: GPL-3.0-or-later */
/* history.h - what an operator wants to read afterwards: one JSON object a line in a file of its own per daemon.
 *
 * Keys always there: "mono_ms" (CLOCK_MONOTONIC of this node: differences on one node are exact), "wall" (ISO 8601
 * UTC with ms; people only), "node", "boot", "daemon", "event" ("fence.proof"), "text" (a sentence for a person).
 * Steps that took time carry "took_ms" and "step" ("lvm", "mount", ...). The file is rotated once past HISTORY_BYTES_MAX, so at most twice that stays.
 */
#ifndef STOCKADE_HISTORY_H
#define STOCKADE_HISTORY_H

#include <jansson.h>
#include <stddef.h>

#define HISTORY_BYTES_MAX (4 << 20)
#define HISTORY_KEEP_MS 300 /* so long may history_keep() hold up a reboot of who may still write */
#define HISTORY_DIR "/var/lib/stockade"

struct history;

/* Opens HISTORY_DIR/history-DAEMON.jsonl (made if absent, 0640). NULL: errno; the daemon goes on without. */
struct history *history_open(const char *daemon, const char *node);
/* The same in another directory, which is made when absent. */
struct history *history_open_in(const char *dir, const char *daemon, const char *node);
struct history *history_close(struct history *h);

/* @extra: an object whose keys are added, its reference is taken; NULL: none. Also logs at notice. h NULL: logs only. */
void history_add(struct history *h, const char *event, json_t *extra, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

/* What was added comes to the disk now, for who reads it after a reset. A process of its own does it, as the disk may be what hangs;
 * that is waited for @ms at most. */
void history_keep(struct history *h, unsigned ms);

/**
 * history_last_end() - did the boot before this one end by our own hand?
 * Return: its last "self.*" entry, if that was not one of its end (self.resume) and nothing but the drivers' steps came after it;
 * a new reference. NULL: no, or nothing is known.
 */
json_t *history_last_end(struct history *h);

/* The last @max entries, oldest first, as a JSON array (new reference); for the "history" request. */
json_t *history_tail(struct history *h, unsigned max);

/* What the two above are made of: the entries among the lines of @text, in order, onto the array @list; what is no entry, and a
 * last line without its end, is left out. */
void history_parse(json_t *list, const char *text, size_t len);
/* The same as history_last_end(), of entries that were read; @boot is the present one. */
json_t *history_end_in(const json_t *all, const char *boot);

#endif
