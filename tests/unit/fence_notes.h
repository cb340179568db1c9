/* SPDX-License-Identifier: GPL-3.0-or-later */
/* fence_notes.h - the facts of fenced's core in the words of the scenarios' traces. */
#ifndef STOCKADE_TESTS_FENCE_NOTES_H
#define STOCKADE_TESTS_FENCE_NOTES_H

#include "fenced/core/fence.h"

static inline const char *note_name(enum fence_note n)
{
	switch (n) {
	case FENCE_NOTE_VIEW: return "view";
	case FENCE_NOTE_MEMBER: return "member";
	case FENCE_NOTE_ABSENT: return "absent";
	case FENCE_NOTE_VICTIM: return "victim";
	case FENCE_NOTE_PARDON: return "pardon";
	case FENCE_NOTE_WAIT: return "waits";
	case FENCE_NOTE_ATTEMPT: return "attempt";
	case FENCE_NOTE_FAILED: return "failed";
	case FENCE_NOTE_PROOF: return "proof";
	case FENCE_NOTE_OUTLIVED: return "outlived";
	case FENCE_NOTE_CONTRADICTED: return "contradicted";
	case FENCE_NOTE_ON: return "on";
	case FENCE_NOTE_READY: return "ready";
	case FENCE_NOTE_CONFIG: return "config";
	case FENCE_NOTE_LEAVING: return "goodbye";
	case FENCE_NOTE_CONFIRM: return "unconfirmed";
	case FENCE_NOTE_SELF_VICTIM: return "self";
	case FENCE_NOTE_ATTESTED: return "attested";
	case FENCE_NOTE_HELD: return "held";
	case FENCE_NOTE_ADMITTED: return "admitted";
	case FENCE_NOTE_DOG: return "watchdog";
	case FENCE_NOTE_DRILL_WAIT: return "drilled, waits";
	case FENCE_NOTE_DRILLED: return "drilled";
	case FENCE_NOTE_DRILL_REFUSED: return "no drill";
	case FENCE_NOTE_STALL: return "slept";
	}
	return "?";
}

#endif
