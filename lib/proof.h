/* SPDX-License-Identifier: GPL-3.0-or-later */
/* proof.h - a stored record that a victim cannot write any more (DESIGN: "proof"; SAFE-1, SAFE-2).
 *
 * Made by fenced, sent to every node and to local subscribers, kept in the history. Whoever acts on a death quotes one.
 */
#ifndef STOCKADE_PROOF_H
#define STOCKADE_PROOF_H

#include "incarnation.h"

/* The one table of kinds: enum, wire value, name in logs and JSON, and what it means to an operator. */
#define PROOF_KINDS(X)                                                                           \
	X(OFF_VERIFIED, 1, "off_verified",                                                       \
	  "its fence device switched it off and a second read says off")                         \
	X(NEW_BOOT, 2, "new_boot", "it is back as another incarnation with another boot id")     \
	X(STORAGE_CUT, 3, "storage_cut", "its reservation key is gone on every path, read back") \
	X(WATCHDOG_EXPIRED, 4, "watchdog_expired",                                               \
	  "its watchdog was seen armed and its deadline has passed")                             \
	X(HYPERVISOR, 5, "hypervisor",                                                           \
	  "the hypervisor attests that the guest is destroyed or crashed and off")               \
	X(CLEAN_LEAVE, 6, "clean_leave", "it said goodbye after it had deactivated everything")  \
	X(OPERATOR, 7, "operator", "an operator vouched for it and no channel showed it alive")

enum proof_kind {
	PROOF_NONE = 0,
#define X(id, value, name, text) PROOF_##id = value,
	PROOF_KINDS(X)
#undef X
};

#define PROOF_EVIDENCE_MAX 160

struct proof {
	/* whose life is over; boot_id all zero: any life before `by` first saw the node */
	struct incarnation victim;
	enum proof_kind kind;
	uint32_t by;     /* nodeid that made it */
	uint64_t number; /* grows with every proof of this cluster; (by, number) is unique */
	int64_t wall_s;  /* for people only, never compared (SAFE-8) */
	char evidence[PROOF_EVIDENCE_MAX]; /* NUL-terminated words: device, what was read */
};

const char *proof_kind_name(enum proof_kind kind);  /* "off_verified"; "none"; "?" when unknown */
const char *proof_kind_text(enum proof_kind kind);  /* the sentence; "" when unknown */
enum proof_kind proof_kind_parse(const char *name); /* PROOF_NONE when unknown */

/**
 * proof_covers() - does this proof end that life?
 * Off, another boot, a dead guest and a fired watchdog end a kernel, so every join of that boot and every unseen life
 * before it. Goodbye, storage cut and an operator's word end the joins up to the one they name, of the same boot.
 * A proof about an unseen victim covers unseen lives only. The caller sees to it that the proof is the later of the
 * two when the life is unseen: nothing in it says when it began.
 */
bool proof_covers(const struct proof *proof, const struct incarnation *life);

/* As in every message and file: a section. A kind that this release does not know is kept as it is: the caller decides. */
void proof_write(const struct proof *proof, struct wire_w *w);
void proof_read(struct proof *proof, struct wire_r *r);

#endif
