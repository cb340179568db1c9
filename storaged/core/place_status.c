/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What people are told: states and the reason why something is not where it should be. */
#include "place_int.h"

#include <stdio.h>
#include <string.h>

enum place_shown place_show(const struct place *p, unsigned s)
{
	const struct service_frame *f = &p->cfg.frame;
	const struct service *v = &p->group.service[s];
	const struct fence_node *fn = p->have_fence && v->lost
					      ? fence_state_node(&p->fence, v->lost)
					      : NULL;
	bool lost = v->lost && !v->begun &&
		    !(fn && (fn->state == FENCE_NODE_DEAD || fn->state == FENCE_NODE_MEMBER));

	switch (v->state) {
	case SERVICE_STARTING: return lost ? PLACE_SHOWN_LOST : PLACE_SHOWN_STARTING;
	case SERVICE_RUNNING: return PLACE_SHOWN_RUNNING;
	case SERVICE_STOPPING: return PLACE_SHOWN_STOPPING;
	case SERVICE_STOPPED: break;
	}
	if (lost)
		return PLACE_SHOWN_LOST;
	if (v->enabled && !nodeset_empty(v->failed) &&
	    service_choose(f, &p->group, s, p->members, 0) == 0)
		return PLACE_SHOWN_FAILED;
	return PLACE_SHOWN_STOPPED;
}

/* Stopped although it is enabled: which of the reasons? */
static void wait_stopped(const struct place *p, unsigned s, struct place_wait *w)
{
	const struct service_frame *f = &p->cfg.frame;
	const struct service *v = &p->group.service[s];
	struct nodeset standby = NODESET_EMPTY, may = NODESET_EMPTY, blind = NODESET_EMPTY, held;
	uint32_t differs;
	char text[PLACE_TEXT_MAX] = "";
	size_t len = 0;

	if (!place_agree(p, &differs)) {
		place_wait_set(w, PLACE_GATE_CONFIG, differs, service_node_name(f, differs));
		return;
	}
	if (place_stray(p, s, 0, w))
		return;
	held = v->held;
	if (!nodeset_empty(held)) {
		place_wait_set(w, PLACE_GATE_HOLDER, nodeset_lowest(held),
			       service_node_name(f, nodeset_lowest(held)));
		return;
	}
	for (unsigned i = 0; i < f->n_nodes; i++) {
		uint32_t id = f->nodeid[i];

		if (!service_allowed(f, s, id) || !nodeset_has(p->members, id))
			continue;
		nodeset_add(&may, id);
		if (p->group.node[i].standby || p->group.node[i].leaving)
			nodeset_add(&standby, id);
		else if (nodeset_has(v->blind, id) && len < sizeof(text) - 1) {
			nodeset_add(&blind, id);
			len += (size_t)snprintf(text + len, sizeof(text) - len,
						"%s%s does not reach its storage", len ? "; " : "",
						f->node_name[i]);
		} else if (nodeset_has(v->failed, id) && len < sizeof(text) - 1)
			len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%s: %s",
						len ? "; " : "", f->node_name[i], v->failed_why[i]);
	}
	if (nodeset_empty(may))
		place_wait_set(w, PLACE_GATE_DOMAIN, 0, "");
	else if (nodeset_subset(may, standby))
		place_wait_set(w, PLACE_GATE_STANDBY, nodeset_lowest(standby), "");
	else if (!nodeset_empty(blind))
		place_wait_set(w, PLACE_GATE_STORAGE, nodeset_lowest(blind), text);
	else
		place_wait_set(w, PLACE_GATE_FAILED, 0, text);
}

static void wait_here(const struct place *p, unsigned s, const struct runner_status *st,
		      struct place_wait *w)
{
	const struct service_config *c = &p->cfg.frame.service[s];

	if (!st->go) {
		place_gate(p, s, p->cfg.self, w);
		return;
	}
	for (unsigned i = 0; i < c->n; i++) {
		if (!c->is_volume[i] || st->res[i].lock == RUNNER_LOCK_HELD)
			continue;
		place_wait_set(w, PLACE_GATE_LOCK, 0, p->cfg.frame.volume[c->volume[i]]);
		w->volume = (int)c->volume[i];
		return;
	}
	if (st->busy < st->n) {
		char what[64];

		snprintf(what, sizeof(what), "resource %u is %s", st->busy + 1,
			 runner_res_state_name(st->res[st->busy].state));
		place_wait_set(w, PLACE_GATE_STEP, p->cfg.self, what);
		return;
	}
	place_wait_set(w, PLACE_GATE_PREPARE, p->cfg.self, "its next resource");
}

/* It is where its storage is lost: what follows? */
static void wait_blind(const struct place *p, unsigned s, struct place_wait *w)
{
	const struct service_frame *f = &p->cfg.frame;
	const struct service *v = &p->group.service[s];
	struct place_heir heir = place_disk_heir(p, s, v->node);
	uint32_t mute;
	char text[PLACE_TEXT_MAX];

	if (heir.node && heir.turn_ms)
		snprintf(
			text, sizeof(text),
			"%s does not reach its storage; %s does again, and has the service if %s does not reach it, too, within %u s",
			service_node_name(f, v->node), service_node_name(f, heir.node),
			service_node_name(f, v->node), (p->cfg.storage_turn_ms + 999) / 1000);
	else if (heir.node)
		snprintf(
			text, sizeof(text),
			"%s does not reach its storage: it goes to %s as soon as %s has let go, or is fenced, as it is after %u s",
			service_node_name(f, v->node), service_node_name(f, heir.node),
			service_node_name(f, v->node), (p->cfg.storage_stop_ms + 999) / 1000);
	else if ((mute = place_disk_mute(p, s, v->node)))
		snprintf(
			text, sizeof(text),
			"%s does not reach its storage; whether %s does is not known, as its release does not tell: it waits until a check fails",
			service_node_name(f, v->node), service_node_name(f, mute));
	else
		snprintf(
			text, sizeof(text),
			"%s does not reach its storage, nor does any other node that may run it: it waits for the storage, and nobody is fenced for it",
			service_node_name(f, v->node));
	place_wait_set(w, PLACE_GATE_STORAGE, v->node, text);
}

static void wait_of(const struct place *p, unsigned s, const struct runner_status *st,
		    struct place_wait *w)
{
	const struct service_frame *f = &p->cfg.frame;
	const struct service *v = &p->group.service[s];
	const char *at = service_node_name(f, v->node);

	memset(w, 0, sizeof(*w));
	w->volume = -1;
	if (!v->enabled && v->state == SERVICE_STOPPED)
		return;
	if (!p->have_view || !p->quorate || !p->synced) {
		place_gate(p, s, p->cfg.self, w);
		return;
	}
	if (v->node && !nodeset_has(p->members, v->node)) {
		place_wait_set(w, PLACE_GATE_ABSENT, v->node, at);
		return;
	}
	switch (v->state) {
	case SERVICE_RUNNING:
		if (place_stray(p, s, 0, w))
			return;
		if (nodeset_has(v->blind, v->node)) {
			wait_blind(p, s, w);
			return;
		}
		if (v->target)
			place_wait_set(w, PLACE_GATE_MOVE, v->target,
				       service_node_name(f, v->target));
		return;
	case SERVICE_STARTING:
		if (v->node == p->cfg.self) {
			wait_here(p, s, st, w);
			return;
		}
		place_gate(p, s, v->node, w);
		if (w->gate == PLACE_GATE_NONE || v->begun) {
			char what[SERVICE_NAME_MAX + 16];

			snprintf(what, sizeof(what), "%s starts it", at);
			place_wait_set(w, PLACE_GATE_STEP, v->node, what);
		}
		return;
	case SERVICE_STOPPING:
		if (v->node == p->cfg.self && p->halted)
			place_wait_set(w, PLACE_GATE_HALT, v->node, p->halt_why);
		else if (v->node == p->cfg.self && st->fact == RUNNER_STUCK)
			place_wait_set(w, PLACE_GATE_STUCK, v->node, at);
		else if (nodeset_has(v->blind, v->node)) {
			struct place_heir heir = place_disk_heir(p, s, v->node);
			char what[SERVICE_NAME_MAX + 128];

			if (heir.node && !heir.turn_ms)
				snprintf(
					what, sizeof(what),
					"%s, which does not reach its storage and is fenced if it has not let go %u s after giving up,",
					at, (p->cfg.storage_stop_ms + 999) / 1000);
			else
				snprintf(what, sizeof(what),
					 "%s, which does not reach its storage,", at);
			place_wait_set(w, PLACE_GATE_STOPPING, v->node, what);
		} else
			place_wait_set(w, PLACE_GATE_STOPPING, v->node, at);
		return;
	case SERVICE_STOPPED: wait_stopped(p, s, w); return;
	}
}

void place_service(const struct place *p, unsigned s, struct place_service *ret)
{
	memset(ret, 0, sizeof(*ret));
	ret->group = &p->group.service[s];
	ret->shown = place_show(p, s);
	ret->since_ms = p->shown_ms[s];
	memcpy(ret->failed_ms, p->failed_ms[s], sizeof(ret->failed_ms));
	memcpy(ret->blind_ms, p->blind_ms[s], sizeof(ret->blind_ms));
	ret->reach = place_disk_reach(p, s);
	memcpy(ret->epoch, p->epoch_seen[s], sizeof(ret->epoch));
	runner_status(p->runner[s], &ret->local);
	wait_of(p, s, &ret->local, &ret->wait);
	for (unsigned i = 0; i < p->cfg.frame.n_nodes; i++)
		if (service_allowed(&p->cfg.frame, s, p->cfg.frame.nodeid[i]))
			nodeset_add(&ret->allowed, p->cfg.frame.nodeid[i]);
}

void place_summary(const struct place *p, struct place_summary *ret)
{
	memset(ret, 0, sizeof(*ret));
	ret->view = p->have_view;
	ret->quorate = p->quorate;
	ret->synced = p->synced;
	ret->informed = p->informed;
	ret->halted = p->halted;
	ret->leaving = p->leaving;
	ret->halt = p->halt;
	ret->halt_why = p->halt_why;
	ret->halt_since_ms = p->halt_since_ms;
	ret->halt_next_ms = place_halt_next_ms(p);
	ret->halt_end_ms = p->halt_at_ms;
	ret->view_id = p->view;
	ret->nodes = p->nodes;
	ret->members = p->members;
	ret->unsynced = p->synced ? NODESET_EMPTY : nodeset_minus(p->members, p->heard);
	ret->view_ms = p->view_ms;
	ret->history = p->group.history;
	ret->intent = p->group.intent;
	for (unsigned s = 0; s < p->cfg.frame.n_services; s++) {
		struct runner_status st;

		runner_status(p->runner[s], &st);
		if (st.fact == RUNNER_RUNNING)
			ret->weight++;
		if (st.fact != RUNNER_STOPPED && st.fact != RUNNER_WAITING)
			ret->holds = true;
	}
	place_gate(p, SERVICES_MAX, p->cfg.self, &ret->gate);
}

bool place_idle(const struct place *p, unsigned s)
{
	const struct service *v = &p->group.service[s];

	if (!p->synced || !p->agreed || !p->quorate)
		return false;
	if (nodeset_empty(v->held))
		return true;
	/* Whoever waits counts as a holder; every look says whether something of it is active. */
	return v->state == SERVICE_STARTING && !v->begun &&
	       nodeset_equal(v->held, nodeset_of(v->node)) && nodeset_empty(v->stray) &&
	       nodeset_subset(p->members, v->looked);
}

const char *place_halt_name(enum place_halt halt)
{
	switch (halt) {
	case PLACE_HALT_NONE: return "none";
	case PLACE_HALT_ORDER: return "order";
	case PLACE_HALT_DENY: return "deny";
	case PLACE_HALT_HASTEN: return "kill";
	case PLACE_HALT_REBOOT: return "reboot";
	}
	return "?";
}

const char *place_gate_name(enum place_gate gate)
{
	switch (gate) {
	case PLACE_GATE_NONE: return "open";
#define X(id, name, text) \
	case PLACE_GATE_##id: return name;
		PLACE_GATES(X)
#undef X
	}
	return "?";
}

const char *place_shown_name(enum place_shown shown)
{
	switch (shown) {
	case PLACE_SHOWN_STOPPED: return "stopped";
	case PLACE_SHOWN_STARTING: return "starting";
	case PLACE_SHOWN_RUNNING: return "running";
	case PLACE_SHOWN_STOPPING: return "stopping";
	case PLACE_SHOWN_FAILED: return "failed";
	case PLACE_SHOWN_LOST: return "lost";
	}
	return "?";
}
