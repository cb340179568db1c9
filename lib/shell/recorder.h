/* SPDX-License-Identifier: GPL-3.0-or-later */
/* recorder.h - a daemon's record: every event its core is fed and every action the core answers, one line each, so that
 * `sim --replay FILE...` feeds the same core again and compares (lib/record.h has the form of a line).
 *
 *	record 1 stockade-fenced ID 0.1.0               a run begins: version of the format, an id, version
 *	new self={nodeid=1 ...} nodes=1,2 ...           the core's configuration
 *	event 17 deliver now_ms=52311 from=2 data=...   written before the step: a core that aborts leaves its event
 *	act history note=4 node=2 ...                   what it answered, in order
 *	end 17 0 1 52400                                return value, number of actions, deadline
 *	more 1 stockade-fenced ID 18                    first line of a file that goes on where the one before ended
 *
 * On only when the environment has STOCKADE_RECORD=DIRECTORY (or the option --record): DIRECTORY/PROGRAM.record, mode
 * 0600. It holds names, nodeids, states and agents' words, never a secret: secrets never reach a core. A file of
 * RECORDER_FILE_MAX bytes (STOCKADE_RECORD_BYTES says otherwise) becomes .record.1, .record.2 ... (the highest is the oldest), RECORDER_FILES are kept. A disk that
 * takes nothing ends the record with a warning, never the daemon.
 */
#ifndef STOCKADE_RECORDER_H
#define STOCKADE_RECORDER_H

#include "lib/record.h"

#define RECORDER_FILE_MAX (64u << 20)
#define RECORDER_FILES 8

struct recorder;

/* Writes the fields of one line. */
typedef void (*record_put)(struct record_w *w, const void *what, unsigned i);

/**
 * recorder_open() - begin a run in @directory.
 * @directory: NULL: where STOCKADE_RECORD says
 * Return: NULL when that is not set either, or the file cannot be opened (a warning is logged). All functions take NULL.
 */
struct recorder *recorder_open(const char *program, const char *directory);
struct recorder *recorder_close(struct recorder *r);

/* @many: for RECORD_STRUCTS */
void recorder_config(struct recorder *r, record_put put, const void *cfg, unsigned many);
/* Before a step, and after it. @n: actions; @put gets 0..n-1. */
void recorder_event(struct recorder *r, record_put put, const void *event);
void recorder_actions(struct recorder *r, int rc, unsigned n, record_put put, const void *actions,
		      uint64_t deadline_ms);

#endif
