/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What this node does about the group's decisions: the runners, letting go, asking for fences. */
#include "place_int.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#define EARLY_MS \
	5000 /* a view follows such a word within a second, or the word was about nothing */

/* What fenced does not let in yet gives its placements back, or the services would wait here while others could run them. */
static bool held(const struct place *p)
{
	return p->have_fence && p->fence.held;
}

static void held_text(const struct place *p, char *text, size_t len)
{
	const char *name = service_node_name(&p->cfg.frame, p->cfg.self);

	snprintf(text, len, "it was fenced too often and is held: stockade node admit %s", name);
}

void place_fact(const struct place *p, unsigned s, struct service_fact *ret)
{
	struct runner_status st;

	memset(ret, 0, sizeof(*ret));
	runner_status(p->runner[s], &st);
	ret->fact = st.fact;
	ret->failed = st.failed;
	ret->starts = p->run_starts[s];
	if (st.failed)
		snprintf(ret->why, sizeof(ret->why), "%s", st.why);
	else if (p->refused[s] && p->refused[s] == p->run_starts[s] && st.fact == RUNNER_STOPPED) {
		ret->failed = true;
		held_text(p, ret->why, sizeof(ret->why));
	}
	memcpy(ret->epoch, p->epoch_seen[s], sizeof(ret->epoch));
	memcpy(ret->own, p->epoch_own[s], sizeof(ret->own));
	ret->reach = place_disk_reach(p, s);
}

static void drive(struct place *p, unsigned s, const struct runner_action *act)
{
	const struct service_config *c = &p->cfg.frame.service[s];
	struct place_action a = {
		.type = PLACE_ACT_DRIVE,
		.drive = { .service = s, .res = act->res, .op = act->op, .run = act->run }
	};

	if (act->op == DRIVE_START && c->is_volume[act->res]) {
		a.drive.epoch = p->group.epoch[c->volume[act->res]];
		a.drive.released = p->group.released[c->volume[act->res]];
		a.drive.dirty = p->group.service[s].lost != 0;
	}
	/* The reboot deadline is near: leave room for KILL after a STOP that hangs. */
	if (p->halted && p->halt_at_ms != UINT64_MAX &&
	    (act->op == DRIVE_STOP || act->op == DRIVE_KILL || act->op == DRIVE_DENY)) {
		uint64_t left = p->halt_at_ms > p->now_ms ? p->halt_at_ms - p->now_ms : 0;

		a.drive.limit_ms = left / 2 > 200 ? (uint32_t)(left / 2) : 200;
	}
	place_emit(p, a);
}

void place_feed(struct place *p, unsigned s, struct runner_event ev)
{
	const struct service_config *c = &p->cfg.frame.service[s];
	struct runner_actions *out = &p->run_out;
	int r;

	ev.now_ms = p->now_ms;
	r = runner_step(p->runner[s], &ev, &p->run_next, out);
	assert(r == 0);
	for (unsigned i = 0; i < out->n; i++) {
		const struct runner_action *act = &out->v[i];

		switch (act->type) {
		case RUNNER_ACT_DRIVE: drive(p, s, act); break;
		case RUNNER_ACT_CANCEL:
			place_emit(p, (struct place_action){ .type = PLACE_ACT_CANCEL,
							     .cancel = { .run = act->run } });
			break;
		case RUNNER_ACT_LOCK:
			place_emit(p, (struct place_action){
					      .type = PLACE_ACT_LOCK,
					      .lock = { .volume = c->volume[act->res] } });
			break;
		case RUNNER_ACT_UNLOCK:
			p->lock_held[c->volume[act->res]] = false;
			place_emit(p, (struct place_action){
					      .type = PLACE_ACT_UNLOCK,
					      .lock = { .volume = c->volume[act->res] } });
			break;
		case RUNNER_ACT_MONITOR:
			place_emit(p, (struct place_action){
					      .type = PLACE_ACT_MONITOR,
					      .monitor = { .service = s, .on = act->on } });
			break;
		}
	}
}

/* What was prepared moments ago, for the very loss that a view now tells, stands ready: it is not made anew in the way of the START. */
void place_prepare_all(struct place *p)
{
	const struct service_frame *f = &p->cfg.frame;

	for (unsigned s = 0; s < f->n_services; s++) {
		bool early = p->early_ms[s] && p->now_ms - p->early_ms[s] < EARLY_MS;

		if (service_allowed(f, s, p->cfg.self) && !early)
			place_feed(p, s, (struct runner_event){ .type = RUNNER_EV_PREPARE });
	}
}

/* A hypervisor has told fenced that a node's life is over, or about to be: what it served may come here. Nothing is decided by that. */
void place_prepare_early(struct place *p, struct nodeset ending)
{
	const struct service_frame *f = &p->cfg.frame;

	for (unsigned s = 0; s < f->n_services; s++) {
		uint32_t node = p->group.service[s].node;

		if (!node || node == p->cfg.self || !nodeset_has(ending, node) ||
		    !service_allowed(f, s, p->cfg.self))
			continue;
		place_prepare_early_one(p, s);
	}
}

void place_prepare_early_one(struct place *p, unsigned s)
{
	p->early_ms[s] = p->now_ms;
	place_feed(p, s, (struct runner_event){ .type = RUNNER_EV_PREPARE });
}

static bool mine(const struct place *p, unsigned s)
{
	const struct service *v = &p->group.service[s];

	return v->node == p->cfg.self &&
	       (v->state == SERVICE_STARTING || v->state == SERVICE_RUNNING);
}

void place_down(struct place *p, unsigned s, bool urgent, const char *reason)
{
	struct runner_status st;

	runner_status(p->runner[s], &st);
	if (st.fact != RUNNER_STOPPED && st.fact != RUNNER_WAITING && !st.failed) {
		p->stop_ms[s] = p->now_ms;
		place_note(p, PLACE_NOTE_STOP, (int)s, p->cfg.self, 0, reason);
	}
	place_feed(p, s,
		   (struct runner_event){ .type = RUNNER_EV_DOWN, .down = { .urgent = urgent } });
}

static void open_gate(struct place *p, unsigned s, bool runs)
{
	struct place_wait w;

	place_gate(p, s, p->cfg.self, &w);
	if (w.gate != PLACE_GATE_NONE)
		return;
	p->go_ms[s] = runs ? 0 : p->now_ms;
	if (!runs) /* else it was found running: only its watching begins */
		place_note(p, PLACE_NOTE_GATE_OPEN, (int)s, p->cfg.self, 0, NULL);
	/* What may be active from now on is written down before it can be. */
	if (p->ours_stored[s] != p->run_starts[s]) {
		p->ours_stored[s] = p->run_starts[s];
		place_emit(p, (struct place_action){ .type = PLACE_ACT_STATE });
	}
	place_feed(p, s, (struct runner_event){ .type = RUNNER_EV_GO });
}

/* Asked to stop, and no group to take the placements back: what is up goes down, and must not be brought up again for a
 * quorum that may only blink (up and down would follow each other without end).
 */
static bool stops_alone(const struct place *p)
{
	return p->leaving && (!p->have_view || !p->quorate);
}

static void duty_service(struct place *p, unsigned s)
{
	const struct service *v = &p->group.service[s];
	struct runner_status st;

	runner_status(p->runner[s], &st);
	/* Whole, it goes on beside somebody's hands; but nothing of it is started again there, also while a view is young or
	 * cannot be agreed on (SAFE-1). */
	if (st.probed && !p->halted && mine(p, s) && !nodeset_empty(v->stray) &&
	    ((st.go && (st.fact == RUNNER_STARTING || st.fact == RUNNER_WAITING)) ||
	     (!st.up && (st.fact == RUNNER_STOPPING || st.fact == RUNNER_STUCK)))) {
		if (st.up)
			place_down(p, s, true, "its volume is active elsewhere by hand");
		return;
	}
	if (!st.probed || p->halted || !p->synced)
		return;
	if (mine(p, s) && p->run_starts[s] != v->starts) {
		if (st.up)
			place_down(p, s, false, "placed anew");
		runner_status(p->runner[s], &st);
		if (st.fact != RUNNER_STOPPED) {
			if (!st.up)
				place_down(p, s, false, "placed anew");
			return; /* first let go of the older placement */
		}
		p->run_starts[s] = v->starts;
		st.failed = false; /* of the older placement; UP forgets it */
	}
	if (mine(p, s) && held(p) && !st.go) {
		if (st.up)
			place_down(p, s, false, "this node is held");
		p->refused[s] = v->starts;
		return;
	}
	if (mine(p, s)) {
		if (!st.up && !st.failed && !stops_alone(p))
			place_feed(p, s, (struct runner_event){ .type = RUNNER_EV_UP });
		runner_status(p->runner[s], &st);
		if (st.up && !st.go && !st.failed)
			open_gate(p, s, st.fact == RUNNER_RUNNING);
		return;
	}
	if (st.up ||
	    (st.fact != RUNNER_STOPPED && st.fact != RUNNER_STOPPING && st.fact != RUNNER_STUCK)) {
		if (p->run_starts[s] == 0 && !st.up)
			place_note(p, PLACE_NOTE_FOREIGN, (int)s, p->cfg.self, 0,
				   st.why[0] ? place_text(p, "%s", st.why) : NULL);
		place_down(p, s, false,
			   v->state == SERVICE_STOPPING && p->stop_reason[s]
				   ? p->stop_reason[s]
				   : "does not belong here");
	}
	runner_status(p->runner[s], &st);
	if (v->node == p->cfg.self && st.fact == RUNNER_STOPPED)
		p->run_starts[s] = v->starts; /* lets go of a placement that it never began */
}

/* A move away from here has begun, its target still prepares: what will stop us may stand ready by then. Nothing stops by that. */
static void duty_soon(struct place *p, unsigned s)
{
	const struct service *v = &p->group.service[s];

	if (!p->synced || !p->agreed || v->move == SERVICE_MOVE_NONE || v->node != p->cfg.self ||
	    v->state != SERVICE_RUNNING || v->move_ready || p->soon_told[s] == v->moves)
		return;
	p->soon_told[s] = v->moves;
	place_emit(p, (struct place_action){ .type = PLACE_ACT_SOON, .soon = { .service = s } });
}

static void duty_move(struct place *p, unsigned s)
{
	const struct service *v = &p->group.service[s];
	struct runner_status st;

	if (!p->synced || !p->agreed || v->move == SERVICE_MOVE_NONE || v->target != p->cfg.self ||
	    v->move_ready || v->state != SERVICE_RUNNING)
		return;
	if (held(p) && p->prep_told[s] != v->moves) {
		char why[RUNNER_WHY_MAX];

		held_text(p, why, sizeof(why));
		p->prep_asked[s] = p->prep_told[s] = v->moves;
		p->refused[s] = v->starts;
		place_send_prepared(p, s, v->moves, false, why);
		return;
	}
	if (p->prep_asked[s] != v->moves) {
		p->prep_asked[s] = v->moves;
		place_feed(p, s, (struct runner_event){ .type = RUNNER_EV_PREPARE });
	}
	runner_status(p->runner[s], &st);
	if (st.preparing || p->prep_told[s] == v->moves)
		return;
	p->prep_told[s] = v->moves;
	place_send_prepared(p, s, v->moves, st.prepared == DRIVE_OK, st.prepare_why);
}

/* A move comes here, the source still runs: stand in the queue for its lock. Nothing starts by that. */
static void duty_expect(struct place *p, unsigned s)
{
	const struct service *v = &p->group.service[s];
	bool expect = p->synced && p->agreed && !p->halted && v->move != SERVICE_MOVE_NONE &&
		      v->move_ready && v->target == p->cfg.self;

	if (expect == p->expected[s])
		return;
	p->expected[s] = expect;
	place_feed(p, s,
		   (struct runner_event){ .type = RUNNER_EV_EXPECT, .expect = { .on = expect } });
}

/* An operator has let this node in: what it gave back may be tried here again. */
static void duty_admitted(struct place *p, unsigned s)
{
	if (!p->refused[s] || !p->have_fence || !p->fence.informed || p->fence.held || !p->synced ||
	    !p->agreed)
		return;
	p->refused[s] = 0;
	if (nodeset_has(p->group.service[s].failed, p->cfg.self))
		place_send_clear(p, s, p->cfg.self);
}

static void duty_report(struct place *p, unsigned s)
{
	struct place_told *told = &p->told[s];
	struct service_fact fact;

	if (!p->synced)
		return;
	place_fact(p, s, &fact);
	if (fact.fact == told->fact && fact.failed == told->failed && fact.starts == told->starts &&
	    fact.reach == told->reach && memcmp(fact.epoch, told->epoch, sizeof(fact.epoch)) == 0 &&
	    memcmp(fact.own, told->own, sizeof(fact.own)) == 0)
		return;
	told->fact = fact.fact;
	told->failed = fact.failed;
	told->starts = fact.starts;
	told->reach = fact.reach;
	memcpy(told->epoch, fact.epoch, sizeof(fact.epoch));
	memcpy(told->own, fact.own, sizeof(fact.own));
	place_send_report(p, s, &fact);
}

/* What others than us have active here (SAFE-1). What our runner holds, or may hold, is told by its facts instead; a look
 * from that time says nothing later. */
static void duty_look(struct place *p, unsigned s)
{
	const struct service *v = &p->group.service[s];
	bool placed = v->state == SERVICE_STARTING, answers, stray;
	struct runner_status st;

	if (!p->synced || !service_has_volume(&p->cfg.frame, s))
		return;
	runner_status(p->runner[s], &st);
	if (st.holds) {
		p->look[s].known = false;
		if (p->look[s].told_stray) {
			p->look[s].told_stray = false;
			place_send_looked(p, s, 0, false, "");
		}
		return;
	}
	answers = placed && p->look[s].known && p->look[s].starts == v->starts;
	if (placed && !answers && !p->look_asked) {
		p->look_asked = true;
		place_emit(p, (struct place_action){ .type = PLACE_ACT_LOOK });
	}
	if (!p->look[s].known || (p->look[s].active == DRIVE_UNKNOWN && !answers))
		return; /* SAFE-3: what was told before stands */
	stray = p->look[s].active != DRIVE_NONE;
	/* the words too: a volume seen active may be mounted only by the next look, and `why` names the mount */
	if (stray == p->look[s].told_stray &&
	    (!stray || strcmp(p->look[s].text, p->look[s].told_text) == 0) &&
	    (!answers || p->look[s].told_starts == v->starts))
		return;
	p->look[s].told_stray = stray;
	snprintf(p->look[s].told_text, sizeof(p->look[s].told_text), "%s",
		 stray ? p->look[s].text : "");
	p->look[s].told_starts = answers ? v->starts : 0;
	place_send_looked(p, s, answers ? v->starts : 0, stray, stray ? p->look[s].text : "");
}

static void fence(struct place *p, uint32_t node, const char *reason)
{
	place_emit(p, (struct place_action){ .type = PLACE_ACT_FENCE,
					     .fence = { .node = node, .reason = reason } });
}

static void duty_stuck(struct place *p, unsigned s)
{
	struct runner_status st;

	runner_status(p->runner[s], &st);
	if (st.fact != RUNNER_STUCK) {
		if (st.fact == RUNNER_STOPPED)
			p->fence_self_ms[s] = 0;
		return;
	}
	if (!p->quorate || !p->ours_stored[s] || place_disk_stuck_ms(p, s) > p->now_ms)
		return;
	p->fence_self_ms[s] = p->now_ms;
	fence(p, p->cfg.self, "it cannot let go of a service");
}

/* The lowest member that has spoken in this view acts for all. */
static bool acting(const struct place *p)
{
	return p->quorate && nodeset_lowest(p->heard) == p->cfg.self;
}

static bool proven_dead(const struct place *p, uint32_t node)
{
	const struct fence_node *fn = p->have_fence ? fence_state_node(&p->fence, node) : NULL;

	return fn && (fn->state == FENCE_NODE_DEAD || fn->state == FENCE_NODE_VICTIM);
}

static uint64_t absent_at(const struct place *p, unsigned i)
{
	uint32_t id = p->cfg.frame.nodeid[i];
	uint64_t since = p->absent_ms[i];

	if (!p->synced && nodeset_has(nodeset_minus(p->members, p->heard), id))
		since = p->view_ms; /* in the group, and silent */
	if (since == 0 || id == p->cfg.self || !acting(p) || proven_dead(p, id))
		return UINT64_MAX;
	if (p->absent_asked_ms[i] > since)
		since = p->absent_asked_ms[i];
	return since + p->cfg.absent_ms;
}

static void duty_absent(struct place *p)
{
	for (unsigned i = 0; i < p->cfg.frame.n_nodes; i++) {
		if (absent_at(p, i) > p->now_ms)
			continue;
		p->absent_asked_ms[i] = p->now_ms;
		fence(p, p->cfg.frame.nodeid[i],
		      "storaged on it stays away or silent, so nobody knows what it holds");
	}
}

static uint64_t clear_at(const struct place *p, unsigned s, unsigned i)
{
	uint64_t since = p->failed_ms[s][i];

	if (since == 0 || !p->synced || !acting(p))
		return UINT64_MAX;
	if (p->clear_sent_ms[s][i] > since)
		since = p->clear_sent_ms[s][i];
	return since + p->cfg.cool_ms;
}

static void duty_cool(struct place *p)
{
	const struct service_frame *f = &p->cfg.frame;

	for (unsigned s = 0; s < f->n_services; s++) {
		for (unsigned i = 0; i < f->n_nodes; i++) {
			if (!nodeset_has(p->group.service[s].failed, f->nodeid[i]))
				p->failed_ms[s][i] = 0;
			else if (p->failed_ms[s][i] == 0)
				p->failed_ms[s][i] = p->now_ms;
			if (clear_at(p, s, i) > p->now_ms)
				continue;
			p->clear_sent_ms[s][i] = p->now_ms;
			place_send_clear(p, s, f->nodeid[i]);
		}
	}
}

/* Whose heartbeat on the volume's disk concerns us: our own while it is active here, else its last owner's. */
static uint32_t beat_node(const struct place *p, unsigned s, unsigned res)
{
	const struct service *v = &p->group.service[s];
	struct runner_status st;

	runner_status(p->runner[s], &st);
	switch (st.res[res].state) {
	case RUNNER_RES_RUNNING:
	case RUNNER_RES_STOPPING:
	case RUNNER_RES_STUCK: return p->cfg.self;
	case RUNNER_RES_UNKNOWN:
	case RUNNER_RES_STARTING: return 0;
	case RUNNER_RES_STOPPED: break;
	}
	if (!service_allowed(&p->cfg.frame, s, p->cfg.self) || st.res[res].prepared != DRIVE_OK)
		return 0;
	if (v->lost)
		return v->lost;
	if (v->node && v->node != p->cfg.self)
		return v->node;
	/* Who has just booted was told by nobody whose volume this is when its peer dies now; the disk tells. Without a watch
	 * its fenced would take the dead for one that still serves, and wait out a cut that is none (SAFE-4). */
	return p->disk_owner[s][res] == p->cfg.self ? 0 : p->disk_owner[s][res];
}

static void duty_beat(struct place *p)
{
	const struct service_frame *f = &p->cfg.frame;

	for (unsigned s = 0; s < f->n_services; s++) {
		for (unsigned i = 0; i < f->service[s].n; i++) {
			unsigned vol = f->service[s].volume[i];
			uint32_t node;

			if (!f->service[s].is_volume[i])
				continue;
			node = beat_node(p, s, i);
			if (node == p->beat[vol])
				continue;
			p->beat[vol] = node;
			place_emit(p, (struct place_action){
					      .type = PLACE_ACT_BEAT,
					      .beat = { .volume = vol, .node = node } });
		}
	}
}

/* What an earlier life of this daemon must be able to tell the next. */
static void duty_state(struct place *p)
{
	bool changed = false;

	for (unsigned s = 0; s < p->cfg.frame.n_services; s++) {
		struct runner_status st;
		uint64_t ours;

		runner_status(p->runner[s], &st);
		if (!st.probed)
			continue;
		ours = st.go || (st.fact != RUNNER_STOPPED && st.fact != RUNNER_WAITING)
			       ? p->run_starts[s]
			       : 0;
		if (ours == p->ours_stored[s])
			continue;
		p->ours_stored[s] = ours;
		changed = true;
	}
	if (changed)
		place_emit(p, (struct place_action){ .type = PLACE_ACT_STATE });
	if (p->synced && p->group.intent != p->intent_stored) {
		p->intent_stored = p->group.intent;
		place_emit(p, (struct place_action){ .type = PLACE_ACT_STORE });
	}
}

static void duty_tell(struct place *p, unsigned s)
{
	enum place_shown shown = place_show(p, s);
	struct runner_status st;

	if (shown != p->shown[s]) {
		p->shown[s] = shown;
		p->shown_ms[s] = p->now_ms;
	}
	runner_status(p->runner[s], &st);
	if (st.fact == p->fact_last[s])
		return;
	p->fact_last[s] = st.fact;
	switch (st.fact) {
	case RUNNER_WAITING:
	case RUNNER_STARTING: break;
	case RUNNER_RUNNING:
		if (st.up)
			place_note(p, PLACE_NOTE_RUNNING, (int)s, p->cfg.self,
				   p->go_ms[s] ? p->now_ms - p->go_ms[s] : 0, NULL);
		break;
	case RUNNER_STOPPING:
	case RUNNER_STUCK:
		if (st.failed) {
			p->stop_ms[s] = p->now_ms;
			place_note(p, PLACE_NOTE_FAILED, (int)s, p->cfg.self, 0,
				   place_text(p, "%s", st.why));
		}
		break;
	case RUNNER_STOPPED:
		if (st.probed && p->stop_ms[s])
			place_note(p, PLACE_NOTE_STOPPED, (int)s, p->cfg.self,
				   p->now_ms - p->stop_ms[s], NULL);
		p->stop_ms[s] = 0;
		break;
	}
}

static void duty_leave(struct place *p)
{
	if (!p->leaving || p->left)
		return;
	if (stops_alone(p))
		for (unsigned s = 0; s < p->cfg.frame.n_services; s++) {
			struct runner_status st;

			runner_status(p->runner[s], &st);
			if (st.up || st.fact == RUNNER_RUNNING || st.fact == RUNNER_STARTING)
				place_down(p, s, false, "storaged stops");
		}
	if (p->synced && p->agreed && !p->leaving_sent) {
		p->leaving_sent = true;
		place_send_leaving(p);
	}
	for (unsigned s = 0; s < p->cfg.frame.n_services; s++) {
		struct runner_status st;

		runner_status(p->runner[s], &st);
		if (st.fact != RUNNER_STOPPED)
			return;
		/* Placed here and not yet told otherwise: the group has to take it back first. */
		if (p->synced && p->agreed && p->group.service[s].node == p->cfg.self)
			return;
	}
	p->left = true;
	place_emit(p, (struct place_action){ .type = PLACE_ACT_LEFT });
}

void place_duties(struct place *p)
{
	unsigned n = p->cfg.frame.n_services;
	struct runner_event tick = { .type = RUNNER_EV_TIMEOUT };

	place_halt(p);
	if (p->synced && p->quorate && !p->agreed && !p->quorate_told) {
		p->quorate_told = true;
		place_send_quorate(p);
	}
	for (unsigned s = 0; s < n; s++) {
		if (runner_deadline_ms(p->runner[s]) <= p->now_ms)
			place_feed(p, s, tick);
		duty_service(p, s);
		duty_expect(p, s);
		duty_soon(p, s);
		duty_move(p, s);
		duty_admitted(p, s);
		place_disk_duty(p, s);
		duty_report(p, s);
		duty_look(p, s);
		duty_stuck(p, s);
	}
	if (p->halted)
		place_halt(p); /* everything may be stopped by now */
	duty_absent(p);
	duty_cool(p);
	duty_state(p);
	duty_beat(p);
	for (unsigned s = 0; s < n; s++)
		duty_tell(p, s);
	duty_leave(p);
	for (unsigned s = 0; s < n; s++) {
		struct runner_status st;

		/* STORE-6: GO was given, so the record of it exists. */
		runner_status(p->runner[s], &st);
		if (st.go && p->ours_stored[s] != p->run_starts[s])
			p->broken = "STORE-6";
	}
}

uint64_t place_deadline_ms(const struct place *p)
{
	const struct service_frame *f = &p->cfg.frame;
	uint64_t at = UINT64_MAX, t;

	at = place_halt_due_ms(p);
	for (unsigned i = 0; i < f->n_nodes; i++) {
		t = absent_at(p, i);
		if (t < at)
			at = t;
	}
	for (unsigned s = 0; s < f->n_services; s++) {
		struct runner_status st;

		t = runner_deadline_ms(p->runner[s]);
		if (t < at)
			at = t;
		t = place_disk_next_ms(p, s);
		if (t < at)
			at = t;
		for (unsigned i = 0; i < f->n_nodes; i++) {
			t = clear_at(p, s, i);
			if (t < at)
				at = t;
		}
		runner_status(p->runner[s], &st);
		if (st.fact == RUNNER_STUCK && p->quorate && p->ours_stored[s]) {
			t = place_disk_stuck_ms(p, s);
			if (t < at)
				at = t;
		}
	}
	return at;
}
