/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The join protocol and the ordered messages; see place.h. */
#include "place_int.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void place_emit(struct place *p, struct place_action act)
{
	assert(p->out->n < PLACE_ACTIONS_MAX);
	p->out->v[p->out->n++] = act;
}

const char *place_text(struct place *p, const char *fmt, ...)
{
	char *text = p->texts + p->texts_len;
	size_t room = sizeof(p->texts) - p->texts_len;
	va_list ap;
	int n;

	if (room < 2)
		return "";
	va_start(ap, fmt);
	n = vsnprintf(text, room, fmt, ap);
	va_end(ap);
	if (n < 0)
		return "";
	p->texts_len += (size_t)n + 1 < room ? (size_t)n + 1 : room;
	return text;
}

void place_note(struct place *p, enum place_note note, int service, uint32_t node, uint64_t took_ms,
		const char *text)
{
	place_emit(p, (struct place_action){ .type = PLACE_ACT_NOTE,
					     .note = { .note = note,
						       .service = service,
						       .node = node,
						       .took_ms = took_ms,
						       .text = text } });
}

static bool check_config(const struct place_config *cfg)
{
	const struct service_frame *f = &cfg->frame;

	if (f->n_nodes < 1 || f->n_nodes > NODES_MAX || f->n_services > SERVICES_MAX ||
	    f->n_volumes > SERVICE_VOLUMES_MAX || service_node_index(f, cfg->self) < 0 ||
	    cfg->life.nodeid != cfg->self)
		return false;
	for (unsigned s = 0; s < f->n_services; s++) {
		const struct service_config *c = &f->service[s];

		if (c->n < 1 || c->n > RUNNER_RESOURCES_MAX || c->n_order > NODES_MAX)
			return false;
		for (unsigned i = 0; i < c->n; i++)
			if (c->is_volume[i] && c->volume[i] >= f->n_volumes)
				return false;
	}
	return true;
}

struct place *place_new(const struct place_config *cfg)
{
	struct place *p;

	assert(check_config(cfg));
	p = calloc(1, sizeof(*p));
	if (!p)
		return NULL;
	p->cfg = *cfg;
	p->run_next = 1;
	p->halt_at_ms = UINT64_MAX;
	service_group_init(&p->group, &cfg->frame);
	if (cfg->intent) {
		p->group.intent = cfg->intent;
		for (unsigned i = 0; i < cfg->frame.n_nodes; i++)
			p->group.node[i].standby = nodeset_has(cfg->standby, cfg->frame.nodeid[i]);
		for (unsigned s = 0; s < cfg->frame.n_services; s++)
			p->group.service[s].enabled = cfg->enabled[s];
	}
	p->intent_stored = p->group.intent;
	for (unsigned s = 0; s < cfg->frame.n_services; s++) {
		const struct service_config *c = &cfg->frame.service[s];
		struct runner_config rc = { .n = c->n,
					    .restarts = c->restarts,
					    .window_ms = c->restart_window_ms,
					    .unknowns_max = cfg->unknowns_max,
					    .kill_retry_ms = cfg->kill_retry_ms,
					    .prepare_retry_ms = cfg->prepare_retry_ms };

		memcpy(rc.volume, c->is_volume, sizeof(rc.volume));
		p->runner[s] = runner_new(&rc);
		if (!p->runner[s])
			return place_free(p);
		p->run_starts[s] = cfg->ours[s];
		p->ours_stored[s] = cfg->ours[s];
	}
	return p;
}

struct place *place_free(struct place *p)
{
	if (p)
		for (unsigned s = 0; s < SERVICES_MAX; s++)
			runner_free(p->runner[s]);
	free(p);
	return NULL;
}

static void answer(struct place *p, uint64_t req, int rc, uint64_t starts, const char *text)
{
	place_emit(p, (struct place_action){
			      .type = PLACE_ACT_ANSWER,
			      .answer = { .req = req, .rc = rc, .starts = starts, .text = text } });
}

static bool pending_take(struct place *p, uint64_t req)
{
	for (unsigned i = 0; i < PLACE_PENDING_MAX; i++) {
		if (p->pending[i].req != req)
			continue;
		p->pending[i].req = 0;
		return true;
	}
	return false;
}

/* The view is over: what we sent in it may never arrive (cluster.h drops it), so say so instead of hanging. */
static void pending_give_up(struct place *p)
{
	for (unsigned i = 0; i < PLACE_PENDING_MAX; i++) {
		if (!p->pending[i].req)
			continue;
		answer(p, p->pending[i].req, -EAGAIN, 0,
		       "the membership changed meanwhile; ask again");
		p->pending[i].req = 0;
	}
}

static void plan(struct place *p)
{
	struct service_change ch[2 * SERVICES_MAX];
	const struct service_frame *f = &p->cfg.frame;
	uint32_t differs;
	unsigned n;

	if (!p->synced || !p->agreed)
		return;
	n = service_plan(f, &p->group, p->members, place_agree(p, &differs), ch);
	for (unsigned i = 0; i < n; i++) {
		enum place_note note = PLACE_NOTE_PLACED;

		switch (ch[i].what) {
		case SERVICE_CHANGE_PLACED: break;
		case SERVICE_CHANGE_STOPPING: /* its node says when it begins */
			p->stop_reason[ch[i].service] = ch[i].reason;
			continue;
		case SERVICE_CHANGE_MOVE: note = PLACE_NOTE_MOVE; break;
		case SERVICE_CHANGE_NO_MOVE: note = PLACE_NOTE_NO_MOVE; break;
		}
		place_note(p, note, (int)ch[i].service, ch[i].node, 0, ch[i].reason);
	}
}

bool place_agree(const struct place *p, uint32_t *differs)
{
	const struct service_frame *f = &p->cfg.frame;

	*differs = 0;
	for (unsigned i = 0; i < f->n_nodes; i++) {
		if (!nodeset_has(p->members, f->nodeid[i]) || p->group.node[i].hash == p->cfg.hash)
			continue;
		*differs = f->nodeid[i];
		return false;
	}
	return true;
}

static int on_view(struct place *p, const struct place_event *ev)
{
	const struct service_frame *f = &p->cfg.frame;

	if (!nodeset_has(ev->view.members, p->cfg.self))
		return -EINVAL;
	if (p->have_view) {
		struct nodeset gone = nodeset_minus(nodeset_and(p->members, p->nodes),
						    ev->view.nodes);

		nodeset_for_each (id, gone)
			place_note(p, PLACE_NOTE_VIEW_LOST, -1, id, 0, NULL);
	}
	if (p->have_view && view_id_equal(p->view, ev->view.id) &&
	    nodeset_equal(p->members, ev->view.members) && nodeset_empty(ev->view.left_clean) &&
	    p->quorate != ev->view.quorate) {
		/* The same view, whose quorum was told late: no new round, the others have none. */
		p->quorate = ev->view.quorate;
		return 0;
	}
	pending_give_up(p);
	p->have_view = true;
	p->quorate = ev->view.quorate;
	p->agreed = p->quorate_told = false;
	p->view = ev->view.id;
	p->nodes = ev->view.nodes;
	p->members = ev->view.members;
	p->view_ms = p->now_ms;
	p->synced = false;
	p->heard = NODESET_EMPTY;
	p->best_from = 0;
	for (unsigned i = 0; i < f->n_nodes; i++) {
		p->absent_asked_ms[i] = 0;
		/* Who fell out, or is here, is not absent any more, whether or not this view will ever be settled: a node that
		 * comes back from a fence gets its whole time, else it would be fenced in a circle while another one is silent. */
		if (!nodeset_has(ev->view.nodes, f->nodeid[i]) ||
		    nodeset_has(ev->view.members, f->nodeid[i]))
			p->absent_ms[i] = 0;
		if (nodeset_has(ev->view.left_clean, f->nodeid[i]))
			p->group.node[i].clean = true;
	}
	place_disk_members(p);
	place_send_sync(p);
	place_prepare_all(p);
	return 0;
}

static void on_lost(struct place *p)
{
	pending_give_up(p);
	p->have_view = p->quorate = p->agreed = p->synced = false;
	p->members = p->nodes = p->heard = NODESET_EMPTY;
	place_disk_members(p);
}

/* Is what @from says to be preferred? Informed first, then the longer history (or newer operator's word), then nodeid. */
static bool better(const struct place *p, bool informed, const struct service_group *g,
		   uint32_t from)
{
	uint64_t a, b;

	if (p->best_from == 0)
		return true;
	if (informed != p->best_informed)
		return informed;
	a = informed ? g->history : g->intent;
	b = informed ? p->best.history : p->best.intent;
	return a != b ? a > b : from < p->best_from;
}

static void note_differences(struct place *p)
{
	const struct service_frame *f = &p->cfg.frame;

	for (unsigned i = 0; i < f->n_nodes; i++) {
		uint32_t id = f->nodeid[i];

		if (id == p->cfg.self || !nodeset_has(p->members, id))
			continue;
		if (p->group.node[i].hash != p->cfg.hash)
			place_note(p, PLACE_NOTE_DIFFERS, -1, id, 0,
				   place_text(p, "%s has another configuration file",
					      f->node_name[i]));
		if (p->cfg.tag[0] && strcmp(p->group.node[i].tag, p->cfg.tag) == 0)
			place_note(p, PLACE_NOTE_DIFFERS, -1, id, 0,
				   place_text(p, "%s has the same initiator name as this node: %s",
					      f->node_name[i], p->cfg.tag));
	}
}

static void settle(struct place *p)
{
	const struct service_frame *f = &p->cfg.frame;
	struct service_claim claim[NODES_MAX];
	struct service_group *g = &p->group;
	uint64_t lost;
	unsigned n = 0;

	p->group = p->best;
	for (unsigned i = 0; i < f->n_nodes; i++) {
		uint32_t id = f->nodeid[i];
		const struct place_sync *y = &p->sync[i];

		if (!nodeset_has(p->members, id)) {
			if (!nodeset_has(p->nodes, id))
				g->node[i].down = true;
			continue;
		}
		/* A rebooted node starts with a clean slate: what failed there is tried again. */
		if (!incarnation_same_boot(&g->node[i].life, &y->life))
			for (unsigned s = 0; s < f->n_services; s++)
				nodeset_del(&g->service[s].failed, id);
		g->node[i].life = y->life;
		g->node[i].hash = y->hash;
		g->node[i].leaving = y->leaving;
		memcpy(g->node[i].tag, y->tag, sizeof(y->tag));
		g->node[i].clean = false;
		g->node[i].down = false;
		claim[n].nodeid = id;
		claim[n].fact = y->fact;
		n++;
	}
	service_settle(f, g, p->nodes, claim, n, &lost);
	place_disk_settled(p);
	p->synced = true;
	for (unsigned i = 0; i < f->n_nodes; i++)
		if (nodeset_has(p->members, f->nodeid[i]) && p->sync[i].quorate)
			p->agreed = true;
	if (p->agreed) {
		p->informed = true;
		g->history++;
	}
	p->leaving_sent = p->leaving;
	for (unsigned s = 0; s < f->n_services; s++) {
		p->look[s].known = p->look[s].told_stray = false;
		p->look[s].told_starts = 0;
	}
	memset(p->prep_told, 0, sizeof(p->prep_told));
	memset(p->soon_told, 0, sizeof(p->soon_told));
	memset(p->clear_sent_ms, 0, sizeof(p->clear_sent_ms));
	for (unsigned s = 0; s < f->n_services; s++)
		if (lost & UINT64_C(1) << s)
			place_note(p, PLACE_NOTE_LOST, (int)s, g->service[s].lost, 0, NULL);
	for (unsigned i = 0; i < f->n_nodes; i++) {
		const struct service_node *nd = &g->node[i];
		bool absent = !nodeset_has(p->members, f->nodeid[i]) &&
			      nodeset_has(p->nodes, f->nodeid[i]) && !nd->clean && !nd->down &&
			      nd->life.nodeid;

		if (!absent)
			p->absent_ms[i] = 0;
		else if (p->absent_ms[i] == 0)
			p->absent_ms[i] = p->now_ms;
	}
	note_differences(p);
}

static void on_sync(struct place *p, uint32_t from, const struct place_op *op)
{
	int i = service_node_index(&p->cfg.frame, from);

	assert(i >= 0);
	if (p->synced) {
		/* Its SYNC of an earlier round in this ring was taken for this one; what it says now is newer. */
		for (unsigned s = 0; s < p->cfg.frame.n_services; s++)
			service_apply(&p->cfg.frame, &p->group, s, from, &p->sync_scratch.fact[s]);
		return;
	}
	p->sync[i] = p->sync_scratch;
	if (better(p, op->informed, &p->scratch, from)) {
		p->best = p->scratch;
		p->best_informed = op->informed;
		p->best_from = from;
	}
	nodeset_add(&p->heard, from);
	if (nodeset_subset(p->members, p->heard))
		settle(p);
}

static void on_command(struct place *p, uint32_t from, const struct place_op *op)
{
	bool of_node = op->cmd == SERVICE_CMD_STANDBY || op->cmd == SERVICE_CMD_UNSTANDBY;
	char text[PLACE_TEXT_MAX];
	int r = -EAGAIN;

	if (!p->synced || !p->agreed)
		snprintf(text, sizeof(text),
			 "this side of the cluster has no quorum, or its nodes are still joining");
	else if (!of_node && op->service < 0) {
		snprintf(text, sizeof(text), "there is no such service in the configuration of %s",
			 service_node_name(&p->cfg.frame, p->cfg.self));
		r = -ENOENT;
	} else {
		r = service_command(&p->cfg.frame, &p->group, p->members, op->cmd,
				    of_node ? 0 : (unsigned)op->service, op->node, text,
				    sizeof(text));
	}
	if (r == 0)
		place_note(p, PLACE_NOTE_COMMAND, of_node ? -1 : op->service, op->node, 0,
			   place_text(p, "%s: %s", service_cmd_name(op->cmd), text));
	if (r == 0 && op->cmd == SERVICE_CMD_CLEAR)
		place_prepare_all(p);
	if (from == p->cfg.self && pending_take(p, op->req))
		answer(p, op->req, r,
		       op->service >= 0 && !of_node ? p->group.service[op->service].starts : 0,
		       place_text(p, "%s", text));
}

static void on_clear(struct place *p, const struct place_op *op)
{
	if (op->service < 0 || !nodeset_has(p->group.service[op->service].failed, op->node))
		return;
	nodeset_del(&p->group.service[op->service].failed, op->node);
	p->group.history++;
}

static void on_looked(struct place *p, uint32_t from, const struct place_op *op)
{
	struct nodeset was;
	unsigned s;

	if (op->service < 0)
		return;
	s = (unsigned)op->service;
	was = p->group.service[s].stray;
	service_looked(&p->group, s, from, op->stray, op->starts);
	if (op->stray) {
		p->stray_from[s] = from;
		memcpy(p->stray_text[s], op->why, sizeof(op->why));
	}
	if (op->stray && !nodeset_has(was, from))
		place_note(p, PLACE_NOTE_STRAY, op->service, from, 0, place_text(p, "%s", op->why));
	else if (!op->stray && nodeset_has(was, from))
		place_note(p, PLACE_NOTE_STRAY_GONE, op->service, from, 0, NULL);
}

static void on_look(struct place *p, const struct place_look *v)
{
	p->look_asked = false;
	for (unsigned s = 0; s < p->cfg.frame.n_services; s++) {
		p->look[s].known = true; /* place_local.c takes it back where it is held by us */
		p->look[s].active = v[s].active;
		p->look[s].starts = p->group.service[s].starts;
		snprintf(p->look[s].text, sizeof(p->look[s].text), "%s", v[s].text);
	}
}

static int on_deliver(struct place *p, uint32_t from, const void *data, size_t len)
{
	const struct service_frame *f = &p->cfg.frame;
	int i = service_node_index(f, from);
	struct nodeset blind, reach;
	struct place_op op;
	int r;

	if (!nodeset_has(p->members, from) || i < 0)
		return -EPROTO;
	r = place_decode(p, &op, data, len);
	if (r < 0)
		return r;
	if (!p->synced && op.type != PLACE_MSG_SYNC && op.type != PLACE_MSG_COMMAND)
		return -EAGAIN;
	switch (op.type) {
	case PLACE_MSG_SYNC: on_sync(p, from, &op); break;
	case PLACE_MSG_REPORT:
		if (op.service < 0)
			break;
		blind = p->group.service[op.service].blind;
		reach = p->group.service[op.service].reach;
		service_apply(f, &p->group, (unsigned)op.service, from, &op.fact);
		place_disk_told(p, (unsigned)op.service, from, blind, reach);
		break;
	case PLACE_MSG_COMMAND: on_command(p, from, &op); break;
	case PLACE_MSG_PREPARED:
		if (op.service >= 0 &&
		    service_prepared(f, &p->group, (unsigned)op.service, from, op.move, op.ok,
				     op.why) &&
		    !op.ok)
			place_note(p, PLACE_NOTE_NO_MOVE, op.service, from, 0,
				   place_text(p, "%s", op.why));
		break;
	case PLACE_MSG_CLEAR: on_clear(p, &op); break;
	case PLACE_MSG_LOOKED: on_looked(p, from, &op); break;
	case PLACE_MSG_QUORATE:
		if (!p->agreed) {
			p->agreed = p->informed = true;
			p->group.history++;
		}
		break;
	case PLACE_MSG_LEAVING:
		if (!p->group.node[i].leaving)
			p->group.history++;
		p->group.node[i].leaving = true;
		break;
	}
	plan(p);
	return 0;
}

static int on_driver(struct place *p, const struct place_event *ev)
{
	const struct service_frame *f = &p->cfg.frame;

	for (unsigned s = 0; s < f->n_services; s++) {
		if (!runner_owns(p->runner[s], ev->driver.run))
			continue;
		place_feed(p, s,
			   (struct runner_event){ .type = RUNNER_EV_DRIVER,
						  .driver = { .run = ev->driver.run,
							      .result = ev->driver.result,
							      .why = ev->driver.why } });
		return 0;
	}
	return -EINVAL;
}

/* Which resource is it? */
static bool find_volume(const struct place *p, unsigned volume, unsigned *s, unsigned *res)
{
	const struct service_frame *f = &p->cfg.frame;

	for (*s = 0; *s < f->n_services; (*s)++)
		for (*res = 0; *res < f->service[*s].n; (*res)++)
			if (f->service[*s].is_volume[*res] && f->service[*s].volume[*res] == volume)
				return true;
	return false;
}

static int on_lock(struct place *p, unsigned volume, bool held)
{
	unsigned s, res;

	if (!find_volume(p, volume, &s, &res))
		return -EINVAL;
	p->lock_held[volume] = held;
	place_feed(p, s,
		   (struct runner_event){ .type = RUNNER_EV_LOCK,
					  .lock = { .res = res, .held = held } });
	return 0;
}

static int on_operator(struct place *p, const struct place_event *ev)
{
	bool of_node = ev->command.cmd == SERVICE_CMD_STANDBY ||
		       ev->command.cmd == SERVICE_CMD_UNSTANDBY;
	unsigned s = of_node ? 0 : ev->command.service;

	if (!ev->command.req || (!of_node && s >= p->cfg.frame.n_services))
		return -EINVAL;
	if (!p->synced || !p->agreed || !p->quorate) {
		answer(p, ev->command.req, -EAGAIN, 0,
		       !p->have_view ? "corosync does not answer"
		       : !p->quorate ? "this side of the cluster has no quorum"
				     : "the nodes are still exchanging their states");
		return 0;
	}
	if (ev->command.cmd == SERVICE_CMD_RELOCATE) {
		uint32_t to = ev->command.node;
		struct place_wait w;

		if (!to)
			to = service_choose(&p->cfg.frame, &p->group, s, p->members,
					    p->group.service[s].node);
		if (to && nodeset_has(p->members, to)) {
			place_gate(p, s, to, &w);
			place_stray(p, s, 0, &w);
			/* It would be stopped here and then wait: refuse while it still runs. */
			if (w.gate == PLACE_GATE_READY || w.gate == PLACE_GATE_PROOF ||
			    w.gate == PLACE_GATE_STORAGED || w.gate == PLACE_GATE_FENCED ||
			    w.gate == PLACE_GATE_STRAY) {
				answer(p, ev->command.req, -EPERM, 0, place_text(p, "%s", w.text));
				return 0;
			}
		}
	}
	for (unsigned i = 0; i < PLACE_PENDING_MAX; i++) {
		if (p->pending[i].req)
			continue;
		p->pending[i].req = ev->command.req;
		place_send_command(p, ev->command.req, ev->command.cmd, s, ev->command.node);
		return 0;
	}
	answer(p, ev->command.req, -EAGAIN, 0, "too many commands wait for their turn");
	return 0;
}

static void on_fence(struct place *p, const struct fence_state *st)
{
	struct nodeset ending = NODESET_EMPTY;

	for (unsigned i = 0; st && i < st->n; i++) {
		const struct fence_node *was =
			p->have_fence ? fence_state_node(&p->fence, st->node[i].nodeid) : NULL;

		if (st->node[i].ending && !(was && was->ending))
			nodeset_add(&ending, st->node[i].nodeid);
	}
	p->have_fence = st != NULL;
	if (st)
		p->fence = *st;
	place_prepare_early(p, ending);
}

int place_step(struct place *p, const struct place_event *ev, struct place_actions *out)
{
	const struct service_frame *f = &p->cfg.frame;
	int r = 0;

	out->n = 0;
	p->out = out;
	p->arena_len = p->texts_len = 0;
	assert(ev->now_ms >= p->now_ms);
	p->now_ms = ev->now_ms;
	switch (ev->type) {
	case PLACE_EV_START:
		p->started = true;
		p->grace_ms = p->now_ms + p->cfg.stop_ms;
		for (unsigned s = 0; s < f->n_services; s++)
			place_feed(p, s, (struct runner_event){ .type = RUNNER_EV_PROBE });
		break;
	case PLACE_EV_VIEW: r = on_view(p, ev); break;
	case PLACE_EV_LOST: on_lost(p); break;
	case PLACE_EV_DELIVER:
		r = on_deliver(p, ev->deliver.from, ev->deliver.data, ev->deliver.len);
		break;
	case PLACE_EV_FENCE: on_fence(p, ev->fence.state); break;
	case PLACE_EV_DRIVER:
		p->cut_off = p->cut_off || ev->driver.cut_off;
		/* The epoch first: a report that follows from the result carries it. */
		for (unsigned s = 0; s < f->n_services; s++) {
			unsigned res = runner_run_res(p->runner[s], ev->driver.run);

			if (res >= f->service[s].n)
				continue;
			if (ev->driver.epoch > p->epoch_seen[s][res])
				p->epoch_seen[s][res] = ev->driver.epoch;
			if (ev->driver.result == DRIVE_OK)
				p->disk_owner[s][res] = ev->driver.owner;
			if (ev->driver.ours && ev->driver.epoch > p->epoch_own[s][res])
				p->epoch_own[s][res] = ev->driver.epoch;
		}
		r = on_driver(p, ev);
		break;
	case PLACE_EV_MONITOR:
		if (ev->monitor.service >= f->n_services ||
		    ev->monitor.res >= f->service[ev->monitor.service].n)
			return -EINVAL;
		p->cut_off = p->cut_off || ev->monitor.cut_off;
		place_feed(p, ev->monitor.service,
			   (struct runner_event){ .type = RUNNER_EV_MONITOR,
						  .monitor = { .res = ev->monitor.res,
							       .result = ev->monitor.result,
							       .why = ev->monitor.why } });
		break;
	case PLACE_EV_LOCK: r = on_lock(p, ev->lock.volume, ev->lock.held); break;
	case PLACE_EV_COMMAND: r = on_operator(p, ev); break;
	case PLACE_EV_LOOK: on_look(p, ev->look.v); break;
	case PLACE_EV_DISK: r = place_disk_event(p, ev) < 0 ? -EINVAL : 0; break;
	case PLACE_EV_LEAVE: p->leaving = true; break;
	case PLACE_EV_TIMEOUT: break; /* only the clock moved; the duties see it */
	}
	if (r < 0) {
		out->n = 0;
		return r;
	}
	if (p->have_view && p->quorate)
		p->no_quorum_ms = 0;
	else if (p->no_quorum_ms == 0 && (ev->type == PLACE_EV_VIEW || ev->type == PLACE_EV_LOST))
		p->no_quorum_ms = p->now_ms;
	p->viewed = p->viewed || p->have_view;
	place_duties(p);
	assert(!place_broken(p));
	return 0;
}

bool place_probed(const struct place *p)
{
	for (unsigned s = 0; s < p->cfg.frame.n_services; s++) {
		struct runner_status st;

		runner_status(p->runner[s], &st);
		if (!st.probed)
			return false;
	}
	return p->started;
}

const struct service_group *place_group(const struct place *p)
{
	return &p->group;
}

uint64_t place_ours(const struct place *p, unsigned s)
{
	return p->ours_stored[s];
}

const char *place_broken(const struct place *p)
{
	const char *b;

	if (p->broken)
		return p->broken;
	for (unsigned s = 0; s < p->cfg.frame.n_services; s++) {
		struct runner_status st;

		b = runner_broken(p->runner[s]);
		if (b)
			return b;
		runner_status(p->runner[s], &st);
		if (p->halted && st.up)
			return "STORE-5";
	}
	return service_group_broken(&p->cfg.frame, &p->group);
}

const char *place_ev_name(const struct place_event *ev)
{
	switch (ev->type) {
	case PLACE_EV_START: return "start";
	case PLACE_EV_VIEW: return "view";
	case PLACE_EV_LOST: return "lost";
	case PLACE_EV_DELIVER: return "deliver";
	case PLACE_EV_FENCE: return "fence";
	case PLACE_EV_DRIVER: return "driver";
	case PLACE_EV_MONITOR: return "monitor";
	case PLACE_EV_LOCK: return "lock";
	case PLACE_EV_COMMAND: return "command";
	case PLACE_EV_LEAVE: return "leave";
	case PLACE_EV_LOOK: return "look";
	case PLACE_EV_DISK: return "disk";
	case PLACE_EV_TIMEOUT: return "timeout";
	}
	return "?";
}
