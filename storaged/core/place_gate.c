/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What stands between a service and a node: the gate (SAFE-1, SAFE-6). Decides nothing, changes nothing. */
#include "place_int.h"

#include <stdio.h>

void place_wait_set(struct place_wait *ret, enum place_gate gate, uint32_t node, const char *what)
{
	ret->gate = gate;
	ret->node = node;
	ret->volume = -1;
	switch (gate) {
	case PLACE_GATE_NONE: ret->text[0] = '\0'; break;
#define X(id, name, text_)                                                       \
	case PLACE_GATE_##id:                                                    \
		snprintf(ret->text, sizeof(ret->text), text_, what ? what : ""); \
		break;
		PLACE_GATES(X)
#undef X
	}
}

/* What stands between service @s on @at and node @n that is not @at? (SAFE-1, SAFE-6) */
static enum place_gate gate_of_node(const struct place *p, unsigned s, uint32_t n)
{
	const struct fence_node *fn = fence_state_node(&p->fence, n);
	int i = service_node_index(&p->cfg.frame, n);
	const struct service_node *nd = &p->group.node[i];
	bool member = nodeset_has(p->members, n);

	if (!fn)
		return PLACE_GATE_FENCED;
	switch (fn->state) {
	case FENCE_NODE_UNKNOWN: return PLACE_GATE_FENCED;
	case FENCE_NODE_VICTIM: return PLACE_GATE_PROOF;
	case FENCE_NODE_DEAD:
		/* In our group as the very life that is proven over: a zombie, or news that crossed. */
		if (member && proof_covers(&fn->proof, &nd->life))
			return PLACE_GATE_PROOF;
		if (member && s < p->cfg.frame.n_services &&
		    nodeset_has(p->group.service[s].held, n))
			return PLACE_GATE_HOLDER;
		return PLACE_GATE_NONE;
	case FENCE_NODE_MEMBER:
	case FENCE_NODE_ABSENT: break;
	}
	if (member) {
		if (s < p->cfg.frame.n_services && nodeset_has(p->group.service[s].held, n))
			return PLACE_GATE_HOLDER;
	} else if (nd->life.nodeid && incarnation_same_boot(&nd->life, &fn->life)) {
		if (!nd->clean)
			return PLACE_GATE_STORAGED;
	} else if (!nd->life.nodeid || fn->state != FENCE_NODE_MEMBER) {
		/* Nobody here remembers it: it may have taken the volume before we came. */
		return PLACE_GATE_STORAGED;
	} /* else: it runs, authenticated, as another life than the one that could hold something */
	return fn->ready ? PLACE_GATE_NONE : PLACE_GATE_READY;
}

/* Seen from here, for another node: we are alive, say what we hold, and know whether the others could fence us (SAFE-6). */
static enum place_gate gate_of_self(const struct place *p, unsigned s)
{
	const struct fence_node *fn = fence_state_node(&p->fence, p->cfg.self);

	if (!fn || !fn->ready) /* before what we hold: that we can let go, in vain */
		return PLACE_GATE_READY;
	return s < p->cfg.frame.n_services && nodeset_has(p->group.service[s].held, p->cfg.self)
		       ? PLACE_GATE_HOLDER
		       : PLACE_GATE_NONE;
}

bool place_stray(const struct place *p, unsigned s, uint32_t at, struct place_wait *ret)
{
	const struct service_frame *f = &p->cfg.frame;
	const struct service *v = &p->group.service[s];
	uint32_t n = nodeset_lowest(v->stray);
	char text[PLACE_TEXT_MAX];

	if (n) {
		bool told = nodeset_has(v->stray, p->stray_from[s]);

		if (told)
			n = p->stray_from[s];
		if (told && p->stray_text[s][0])
			snprintf(text, sizeof(text), "%s%s",
				 v->state == SERVICE_RUNNING ? "data is at risk: " : "",
				 p->stray_text[s]);
		else
			snprintf(text, sizeof(text), "a volume of it is active on %s by hand",
				 service_node_name(f, n));
		place_wait_set(ret, PLACE_GATE_STRAY, n, text);
		return true;
	}
	if (!at || !service_has_volume(f, s))
		return false;
	if (v->state ==
	    SERVICE_RUNNING) { /* we have stopped it: once that is told, the others look */
		place_wait_set(ret, PLACE_GATE_STRAY, at,
			       "the others have not heard yet that it was stopped here");
		return true;
	}
	if (v->state != SERVICE_STARTING)
		return false;
	nodeset_for_each (id, p->members) {
		if (nodeset_has(v->looked, id) || (id == at && id != p->cfg.self))
			continue;
		if (id == at) {
			struct runner_status st;

			runner_status(p->runner[s], &st);
			if (st.holds) /* taken over from an earlier storaged here */
				continue;
		}
		snprintf(text, sizeof(text),
			 "%s has not said yet that its volume is not active there",
			 service_node_name(f, id));
		place_wait_set(ret, PLACE_GATE_STRAY, id, text);
		return true;
	}
	return false;
}

/* Would it be started there? What runs whole goes on beside somebody's hands; what we have stopped is to start, also while
 * nobody has heard of that yet (scenario/storage/stopped_beside_a_hand_stays_stopped.scn). */
static bool to_start(const struct place *p, unsigned s, uint32_t at)
{
	struct runner_status st;

	if (p->group.service[s].state != SERVICE_RUNNING)
		return true;
	if (at != p->cfg.self || p->group.service[s].node != at)
		return false;
	runner_status(p->runner[s], &st);
	return st.fact != RUNNER_RUNNING;
}

void place_gate(const struct place *p, unsigned s, uint32_t at, struct place_wait *ret)
{
	const struct service_frame *f = &p->cfg.frame;
	struct nodeset unsynced = nodeset_minus(p->members, p->heard);
	uint32_t differs;

	if (!p->have_view || !p->quorate) {
		place_wait_set(ret, PLACE_GATE_QUORUM, 0, NULL);
		return;
	}
	if (!p->synced || !p->agreed) {
		place_wait_set(ret, PLACE_GATE_SYNC, nodeset_lowest(unsynced),
			       service_node_name(f, nodeset_lowest(unsynced)));
		return;
	}
	if (p->fence.self_victim) /* stays true when fenced restarts */ {
		place_wait_set(ret, PLACE_GATE_SELF, p->cfg.self, NULL);
		return;
	}
	if (at == p->cfg.self && p->halted) {
		place_wait_set(ret, PLACE_GATE_HALT, at, p->halt_why);
		return;
	}
	if (!p->have_fence || !p->fence.informed || !p->fence.quorate) {
		place_wait_set(ret, PLACE_GATE_FENCED, p->cfg.self, NULL);
		return;
	}
	if (!place_agree(p, &differs)) {
		place_wait_set(ret, PLACE_GATE_CONFIG, differs, service_node_name(f, differs));
		return;
	}
	/* The worst first: a proof that is missing matters more than a check that is due. */
	static const enum place_gate order[] = { PLACE_GATE_FENCED, PLACE_GATE_PROOF,
						 PLACE_GATE_STORAGED, PLACE_GATE_HOLDER,
						 PLACE_GATE_READY };

	for (unsigned k = 0; k < sizeof(order) / sizeof(order[0]); k++) {
		for (unsigned i = 0; i < f->n_nodes; i++) {
			uint32_t n = f->nodeid[i];
			enum place_gate gate;

			if (n == at)
				continue;
			if (n == p->cfg.self)
				gate = gate_of_self(p, s);
			else
				gate = gate_of_node(p, s, n);
			if (gate != order[k])
				continue;
			char what[SERVICE_NAME_MAX + 2];

			snprintf(what, sizeof(what), "%s%s", gate == PLACE_GATE_FENCED ? ": " : "",
				 f->node_name[i]);
			place_wait_set(ret, gate, n, what);
			return;
		}
	}
	if (s < f->n_services && to_start(p, s, at) && place_stray(p, s, at, ret))
		return;
	place_wait_set(ret, PLACE_GATE_NONE, 0, NULL);
}
