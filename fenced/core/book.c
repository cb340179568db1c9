/* SPDX-License-Identifier: GPL-3.0-or-later */
/* fenced/core/book.c - the agreed records and the turns they may take. */
#include "domain.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

void fence_book_empty(struct book *b, struct nodeset nodes)
{
	memset(b, 0, sizeof(*b));
	nodeset_for_each (id, nodes) {
		struct record *r = &b->rec[b->n++];

		r->nodeid = id;
		r->state = FENCE_NODE_UNKNOWN;
		r->life.nodeid = id;
	}
}

/* Take over another member's book: the nodes of our own configuration, what it knows about each. */
void fence_book_copy(struct book *to, struct nodeset nodes, const struct book *from)
{
	fence_book_empty(to, nodes);
	to->history = from->history;
	to->number = from->number;
	to->proofs = from->proofs;
	for (unsigned i = 0; i < to->n; i++)
		for (unsigned k = 0; k < from->n; k++)
			if (from->rec[k].nodeid == to->rec[i].nodeid)
				to->rec[i] = from->rec[k];
}

bool fence_rec_proven(const struct record *r)
{
	return r->proof.kind != PROOF_NONE && incarnation_same_boot(&r->proof.victim, &r->life) &&
	       r->life.join <= r->proof.victim.join;
}

static void rec_clear(struct record *r)
{
	r->reason = FENCE_REASON_NONE;
	r->goodbye = false;
	r->goodbye_wall_s = 0;
	r->attempts = r->rounds = r->actor = r->last_actor = 0;
	r->why[0] = r->failed[0] = '\0';
	r->drill_level = FENCE_LEVEL_NONE;
}

void fence_rec_member(struct record *r, const struct incarnation *life)
{
	rec_clear(r);
	r->life = *life;
	r->state = FENCE_NODE_MEMBER;
}

/* FENCE-2: a victim has no proof; one that named this very life was wrong. */
void fence_rec_victim(struct record *r, enum fence_reason reason, const char *why)
{
	if (r->proof.kind != PROOF_NONE && incarnation_same_boot(&r->proof.victim, &r->life))
		memset(&r->proof, 0, sizeof(r->proof));
	rec_clear(r);
	r->reason = reason;
	fence_text_copy(r->why, why);
	r->state = FENCE_NODE_VICTIM;
}

static void rec_prove(struct book *b, struct record *r, const struct proof *proof)
{
	r->proof = *proof;
	r->proof.number = ++b->proofs;
}

void fence_rec_dead(struct book *b, struct record *r, const struct proof *proof)
{
	assert(proof->kind != PROOF_NONE && incarnation_same_boot(&proof->victim, &r->life));
	rec_clear(r);
	rec_prove(b, r, proof);
	r->state = FENCE_NODE_DEAD;
}

/* It is here with another boot id: its older life is over. */
void fence_rec_new_boot(struct book *b, struct record *r, const struct incarnation *life,
			int64_t wall_s)
{
	struct proof p = {
		.victim = r->life, .kind = PROOF_NEW_BOOT, .by = r->nodeid, .wall_s = wall_s
	};
	char boot[BOOT_ID_TEXT];

	incarnation_boot_text(life, boot);
	snprintf(p.evidence, sizeof(p.evidence), "joined with boot id %s", boot);
	fence_drill_settled(b, r, &p, FENCE_LEVEL_NONE);
	rec_prove(b, r, &p);
	fence_rec_member(r, life);
}

/* It left after its goodbye. */
void fence_rec_gone(struct book *b, struct record *r)
{
	struct proof p = { .victim = r->life,
			   .kind = PROOF_CLEAN_LEAVE,
			   .by = r->nodeid,
			   .wall_s = r->goodbye_wall_s };

	snprintf(p.evidence, sizeof(p.evidence), "said goodbye, held nothing");
	fence_rec_dead(b, r, &p);
}

const char *fence_reason_name(enum fence_reason reason)
{
	switch (reason) {
	case FENCE_REASON_NONE: return "none";
#define X(id, value, name, text) \
	case FENCE_REASON_##id: return name;
		FENCE_REASONS(X)
#undef X
	}
	return "?";
}

const char *fence_reason_text(enum fence_reason reason)
{
	switch (reason) {
	case FENCE_REASON_NONE: return "";
#define X(id, value, name, text) \
	case FENCE_REASON_##id: return text;
		FENCE_REASONS(X)
#undef X
	}
	return "";
}

const char *fence_answer_name(enum fence_answer answer)
{
	switch (answer) {
	case FENCE_ANSWER_UNKNOWN: return "unknown";
	case FENCE_ANSWER_DONE: return "done";
	case FENCE_ANSWER_ON: return "on";
	case FENCE_ANSWER_OFF: return "off";
	case FENCE_ANSWER_FAILED: return "failed";
	case FENCE_ANSWER_TIMEOUT: return "timeout";
	}
	return "?";
}

const char *fence_action_name(enum fence_agent_action action)
{
	switch (action) {
	case FENCE_AGENT_OFF: return "off";
	case FENCE_AGENT_STATUS: return "status";
	case FENCE_AGENT_ON: return "on";
	}
	return "?";
}
