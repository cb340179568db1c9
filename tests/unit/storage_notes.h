/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tests/unit/storage_notes.h - storaged's notes in the words of the traces. */
#ifndef STOCKADE_TESTS_STORAGE_NOTES_H
#define STOCKADE_TESTS_STORAGE_NOTES_H

#include "storaged/core/place.h"

static const char *note_name(enum place_note n)
{
	static const char *const names[] = { "?",       "view.lost", "lost",       "placed",
					     "move",    "no-move",   "start",      "running",
					     "stop",    "stopped",   "failed",     "foreign",
					     "halt",    "deny",      "hasten",     "resume",
					     "command", "stray",     "stray gone", "differs",
					     "blind",   "reached",   "lost kill" };

	return names[n];
}

#endif
