/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What fenced says: proofs, and when one counts (doc/SAFETY.md "Who goes on"); which join of its fenced a lock manager is beside. */
#include "internal.h"

static void remember_proofs(struct dlm *dlm)
{
	for (unsigned i = 0; i < dlm->fence.n; i++) {
		const struct proof *p = &dlm->fence.node[i].proof;
		struct incarnation any_join = p->victim;
		bool known = incarnation_unseen(&p->victim);

		any_join.join = UINT64_MAX;
		if (p->kind == PROOF_NONE || !proof_covers(p, &any_join))
			continue; /* it ends less than a kernel */
		for (unsigned k = 0; k < dlm->n_ended && k < DLM_LIVES_MAX; k++)
			known = known || incarnation_same_boot(&dlm->ended[k].life, &p->victim);
		if (known)
			continue;
		dlm->ended[dlm->n_ended % DLM_LIVES_MAX].life = p->victim;
		dlm->ended[dlm->n_ended % DLM_LIVES_MAX].kind = p->kind;
		dlm->n_ended++;
	}
}

void dlm_proofs_hear(struct dlm *dlm, const struct fence_state *fence)
{
	dlm->fence = *fence;
	dlm->has_fence = true;
	remember_proofs(dlm);
	if (fence_state_member(fence) && incarnation_same_boot(&fence->self, &dlm->self) &&
	    fence->self.join > dlm->fenced)
		dlm->fenced = fence->self.join;
}

/* What fenced proved of this life, now or before. */
static enum proof_kind proven(const struct dlm *dlm, const struct dlm_life *life)
{
	const struct fence_node *node = fence_state_node(&dlm->fence, life->inc.nodeid);
	/* What a proof ends is a kernel; our join numbers dlmd's starts, the proof's fenced's. */
	struct incarnation kernel = life->inc;

	kernel.join = 0;
	/* After a goodbye alone the same kernel may be back, as another join of its fenced. */
	if (node && node->proof.kind == PROOF_CLEAN_LEAVE)
		kernel.join = life->fenced;
	for (unsigned k = 0; k < dlm->n_ended && k < DLM_LIVES_MAX; k++)
		if (incarnation_same_boot(&dlm->ended[k].life, &life->inc))
			return dlm->ended[k].kind;
	/* The rest depends on when it was said: a fenced that lags behind speaks of what was before this life. */
	if (!node || !dlm->fence.informed || !view_id_equal(dlm->fence.view, dlm->view))
		return PROOF_NONE;
	/* A life that nobody saw is over when its node is dead now, however that was proven. */
	if (incarnation_unseen(&life->inc))
		return node->state == FENCE_NODE_DEAD ? node->proof.kind : PROOF_NONE;
	if (!proof_covers(&node->proof, &kernel))
		return PROOF_NONE;
	/* A proof about an earlier join of a kernel that lives on (a clean restart of fenced) ends nothing. */
	if (node->state != FENCE_NODE_DEAD && incarnation_same_boot(&node->life, &life->inc))
		return PROOF_NONE;
	return node->proof.kind;
}

/* fenced told us; the order makes it a fact at one point for everybody. */
void dlm_proofs_send(struct dlm *dlm)
{
	struct wire_w w;
	size_t sec;

	if (!dlm->synced || !dlm->has_fence || dlm->evicted)
		return;
	for (unsigned i = 0; i < DLM_LIVES_MAX; i++) {
		const struct dlm_life *life = &dlm->life[i];
		enum proof_kind kind;

		if (life->state != DLM_LIFE_LOST && life->state != DLM_LIFE_ABSENT)
			continue;
		kind = proven(dlm, life);
		if (kind == PROOF_NONE)
			continue;
		if (dlm->proof_sent >> i & 1 || !dlm_send_begin(dlm, &w, DLM_MSG_PROOF, 256))
			continue;
		dlm->proof_sent |= UINT64_C(1) << i;
		sec = wire_w_open(&w);
		incarnation_write(&life->inc, &w);
		wire_w_u8(&w, (uint8_t)kind);
		wire_w_close(&w, sec);
		dlm_send_end(dlm, &w);
	}
}

/* Our fenced was started again and is a member: its goodbye before that does not speak of what we hold. */
void dlm_fenced_tell(struct dlm *dlm)
{
	struct wire_w w;
	size_t sec;

	if (!dlm->synced || dlm->fenced <= dlm->fenced_said ||
	    !dlm_send_begin(dlm, &w, DLM_MSG_FENCED, 32))
		return;
	dlm->fenced_said = dlm->fenced;
	sec = wire_w_open(&w);
	wire_w_u64(&w, dlm->fenced);
	wire_w_close(&w, sec);
	dlm_send_end(dlm, &w);
}

/* Joins of one boot grow. A goodbye of an earlier one than this says nothing about this life (doc/SAFETY.md "Who goes on", 5). */
void dlm_life_beside(struct dlm_life *life, uint64_t fenced)
{
	if (life->fenced < fenced)
		life->fenced = fenced;
}

/* Our own join, and those that we know of. */
void dlm_beside_write(const struct dlm *dlm, struct wire_w *w)
{
	unsigned n = 1;

	for (unsigned i = 0; i < DLM_LIVES_MAX; i++)
		n += dlm->life[i].state != DLM_LIFE_NONE && dlm->life[i].fenced > 0;
	wire_w_u8(w, (uint8_t)n);
	incarnation_write(&dlm->self, w);
	wire_w_u64(w, dlm->fenced);
	for (unsigned i = 0; i < DLM_LIVES_MAX; i++) {
		if (dlm->life[i].state == DLM_LIFE_NONE || dlm->life[i].fenced == 0)
			continue;
		incarnation_write(&dlm->life[i].inc, w);
		wire_w_u64(w, dlm->life[i].fenced);
	}
}

static void note_beside(struct dlm *dlm, const struct incarnation *inc, uint64_t fenced)
{
	unsigned i = 0;

	while (i < dlm->n_beside && !incarnation_same_boot(&dlm->beside[i].life, inc))
		i++;
	if (i == dlm->n_beside) {
		if (i == DLM_LIVES_MAX)
			return;
		dlm->n_beside++;
		dlm->beside[i].life = *inc;
		dlm->beside[i].fenced = 0;
	}
	if (dlm->beside[i].fenced < fenced)
		dlm->beside[i].fenced = fenced;
}

void dlm_beside_read(struct dlm *dlm, struct wire_r *r)
{
	unsigned n = wire_r_more(r) ? wire_r_u8(r) : 0; /* an older release says nothing */

	for (; n > 0 && !r->err; n--) {
		struct incarnation inc;
		uint64_t fenced;

		dlm_r_incarnation(r, &inc);
		fenced = wire_r_u64(r);
		if (dlm)
			note_beside(dlm, &inc, fenced);
	}
}
