/* SPDX-License-Identifier: GPL-3.0-or-later */
/* sim/host_storage.c - what storaged/daemon does around its core. */
#include "check.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define LOOK_MS 10000 /* as storaged/daemon/watch.c */
#define LOOK_STRAY_MS 1000
#define END_MS 1500 /* as storaged/daemon/shell.c */

/* ---- what fenced is told ---- */

/* As word_update() of storaged/daemon/watch.c: the time in steps, downwards, on this node's own clock. */
static void word_told(struct world *w, uint32_t id, unsigned v, struct fence_signs *s)
{
	struct host *h = &w->host[id];
	uint32_t of = h->beat[v], step = w->plan->watchdog_ms / 8;

	word_read(w, id, v);
	if (h->word[v].ms == 0 || s->n_words == FENCE_WORDS_MAX)
		return;
	struct fence_word *x = &s->word[s->n_words++];
	struct incarnation life = life_of(of, h->word[v].boot, 0);

	x->nodeid = of;
	memcpy(x->boot_id, life.boot_id, BOOT_ID_BYTES);
	x->armed_ms = h->word[v].armed_ms;
	x->at_ms = (h->clock_ms + h->word[v].ms) / step * step;
}

void signs_update(struct world *w, uint32_t id)
{
	struct host *h = &w->host[id];
	struct place_summary sum;
	struct fence_signs s;
	struct nodeset seen = NODESET_EMPTY;
	bool own = false;

	if (!h->place || !has_part(w, PART_FENCE))
		return;
	memset(&s, 0, sizeof(s));
	place_summary(h->place, &sum);
	s.weight = sum.weight;
	s.holds = sum.holds || !place_probed(h->place);
	s.ended = h->ended && !s.holds;
	s.still = true; /* reads take no time here */
	for (unsigned v = 0; v < w->plan->n_services; v++) {
		uint32_t of = h->beat[v];

		if (!of)
			continue;
		enum life_sign life = beat_sign(w, id, v);

		if (of != id && w->dogs)
			word_told(w, id, v, &s);
		if (of == id) {
			if (!own || life != LIFE_FRESH)
				s.self = life;
			own = true;
		} else {
			fence_signs_peer(&s, &seen, of, life);
		}
	}
	if (h->signs_sent && memcmp(&s, &h->signs, sizeof(s)) == 0)
		return;
	h->signs = s;
	h->signs_sent = true;
	link_signs(w, id);
}

static void beat_set(struct world *w, uint32_t id, unsigned v, uint32_t node)
{
	struct host *h = &w->host[id];

	if (h->beat[v] != node)
		h->beat_since_ms[v] = w->now_ms;
	if (h->beat[v] == id && node != id)
		beat_touch(w, id);
	bool other = h->beat[v] != node;

	h->beat[v] = node;
	if (other)
		word_begin(w, id, v);
	disks_soon(w, id);
	if (node && !h->watching) {
		h->watching = true;
		push(w, w->plan->stale_ms, EV_WATCH, id, PART_STORAGE, 0, 0, NULL);
	}
}

static void watch(struct world *w, uint32_t id)
{
	struct host *h = &w->host[id];

	h->watching = false;
	for (unsigned v = 0; v < w->plan->n_services; v++)
		h->watching = h->watching || h->beat[v];
	signs_update(w, id);
	if (h->watching)
		push(w, w->plan->stale_ms, EV_WATCH, id, PART_STORAGE, 0, 0, NULL);
}

/* ---- do the disks answer? As storaged/daemon/watch.c tells its core ---- */

#define SILENT_LOOK_MS 250

uint64_t disk_turn_ms(const struct plan *plan)
{
	return 2 * plan->detect_ms + 3500;
}

void disks_soon(struct world *w, uint32_t id)
{
	struct host *h = &w->host[id];

	if (!h->proc[PART_STORAGE].on || h->disk_looks)
		return;
	h->disk_looks = true;
	push(w, 20, EV_DISK, id, PART_STORAGE, 0, 0, NULL);
}

static void disks_look(struct world *w, uint32_t id)
{
	struct host *h = &w->host[id];
	bool again = false;

	h->disk_looks = false;
	for (unsigned v = 0; v < w->plan->n_services && h->place; v++) {
		struct place_event ev = { .type = PLACE_EV_DISK, .disk = { .volume = v } };
		bool answers = !h->disk_away && (h->beat[v] != id || disk_lets(w, id, v));

		if (answers || h->beat_since_ms[v] > h->disk_ok_ms[v])
			h->disk_ok_ms[v] = answers ? w->now_ms : h->beat_since_ms[v];
		if (!h->beat[v]) {
			ev.disk.reach = SERVICE_REACH_UNKNOWN;
		} else if (answers) {
			ev.disk.reach = SERVICE_REACH_OK;
		} else if (w->now_ms - h->disk_ok_ms[v] < w->plan->stale_ms) {
			again = true;
			continue;
		} else {
			ev.disk.reach = SERVICE_REACH_LOST;
			ev.disk.sure = true;
			ev.disk.ok_ms = local_ms(w, id) - (w->now_ms - h->disk_ok_ms[v]);
			again = true;
		}
		if (ev.disk.reach == h->disk_told[v] && ev.disk.reach != SERVICE_REACH_LOST)
			continue;
		h->disk_told[v] = ev.disk.reach;
		storaged_feed(w, id, &ev);
	}
	if (again && !h->disk_looks && h->proc[PART_STORAGE].on) {
		h->disk_looks = true;
		push(w, SILENT_LOOK_MS, EV_DISK, id, PART_STORAGE, 0, 0, NULL);
	}
}

/* ---- what others than us have active here ---- */

void look_at(struct world *w, uint32_t id, uint32_t in_ms)
{
	struct host *h = &w->host[id];

	if (!h->proc[PART_STORAGE].on || (h->look_ms && h->look_ms <= w->now_ms + in_ms))
		return;
	h->look_ms = w->now_ms + in_ms;
	push(w, in_ms, EV_LOOK, id, PART_STORAGE, 0, 0, NULL);
}

static void look(struct world *w, uint32_t id)
{
	static struct place_look v[SERVICES_MAX];
	struct place_event ev = { .type = PLACE_EV_LOOK, .look = { v } };
	struct host *h = &w->host[id];
	bool again = false;

	memset(v, 0, sizeof(v));
	for (unsigned s = 0; s < w->plan->n_services; s++) {
		v[s].active = h->hand_ms[s] || (h->active[s][0] && w->plan->looks) ? DRIVE_OK
										   : DRIVE_NONE;
		if (!w->healed && prng_permille(&h->prng, w->plan->probe_unknown))
			v[s].active = DRIVE_UNKNOWN;
		again = again || h->hand_ms[s] || v[s].active == DRIVE_UNKNOWN;
	}
	h->look_ms = 0;
	look_at(w, id, again ? LOOK_STRAY_MS : LOOK_MS);
	storaged_feed(w, id, &ev);
}

/* ---- the core ---- */

static void store_intent(struct world *w, uint32_t id)
{
	struct host *h = &w->host[id];
	const struct service_group *g = place_group(h->place);

	h->intent = g->intent;
	h->standby = NODESET_EMPTY;
	for (uint32_t i = 1; i <= w->n; i++)
		if (g->node[i - 1].standby)
			nodeset_add(&h->standby, i);
	for (unsigned s = 0; s < w->plan->n_services; s++)
		h->enabled[s] = g->service[s].enabled;
}

static void show_note(struct world *w, uint32_t id, const struct place_action *act)
{
	enum trace_state is = TRACE_IS_NONE;
	char name[16];

	if (act->note.note == PLACE_NOTE_GATE_OPEN)
		is = TRACE_IS_STARTING;
	else if (act->note.note == PLACE_NOTE_RUNNING)
		is = TRACE_IS_RUNNING;
	else if (act->note.note == PLACE_NOTE_STOP || act->note.note == PLACE_NOTE_FAILED)
		is = TRACE_IS_STOPPING;
	else if (act->note.note == PLACE_NOTE_STOPPED)
		is = TRACE_IS_STOPPED;
	else
		return;
	snprintf(name, sizeof(name), "s%d", act->note.service);
	SHOW(w, id, SERVICE, is, name, "%s", act->note.text ? act->note.text : "");
}

static void carry_out(struct world *w, uint32_t id, const struct place_action *act)
{
	struct host *h = &w->host[id];

	switch (act->type) {
	case PLACE_ACT_SEND:
		if (h->proc[PART_STORAGE].grouped)
			release_send(w, PART_STORAGE, id, act->send.data, act->send.len);
		break;
	case PLACE_ACT_DRIVE: drive(w, id, act); break;
	case PLACE_ACT_CANCEL: drive_cancel(w, id, act->cancel.run); break;
	case PLACE_ACT_LOCK: vlock_want(w, id, act->lock.volume, true); break;
	case PLACE_ACT_UNLOCK: vlock_want(w, id, act->lock.volume, false); break;
	case PLACE_ACT_MONITOR:
		h->monitor[act->monitor.service] = act->monitor.on;
		if (act->monitor.on)
			reserve_watch_soon(w, id, act->monitor.service);
		break;
	case PLACE_ACT_BEAT: beat_set(w, id, act->beat.volume, act->beat.node); break;
	case PLACE_ACT_SOON: break; /* processes only */
	case PLACE_ACT_LOOK: look_at(w, id, 0); break;
	case PLACE_ACT_FENCE:
		say(w, "n%u storaged asks to fence n%u: %s", id, act->fence.node,
		    act->fence.reason);
		check_fence_wish(w, id, act->fence.node);
		if (!has_part(w, PART_FENCE))
			stub_fence_request(w, act->fence.node, "asked by storaged");
		else if (h->link[PART_STORAGE].up)
			push(w, 1, EV_ASK, id, PART_FENCE, act->fence.node, 0, NULL);
		break;
	case PLACE_ACT_REBOOT:
		say(w, "n%u storaged reboots it: %s", id, act->reboot.reason);
		push(w, 0, EV_REBOOT, id, KERNEL, 0, 0, NULL);
		h->rebooting = true;
		break;
	case PLACE_ACT_STORE: store_intent(w, id); break;
	case PLACE_ACT_STATE:
		for (unsigned s = 0; s < w->plan->n_services; s++)
			h->ours[s] = place_ours(h->place, s);
		break;
	case PLACE_ACT_ANSWER:
		say(w, "n%u answers %d: %s", id, act->answer.rc, act->answer.text);
		break;
	case PLACE_ACT_LEFT: h->ended = true; break;
	case PLACE_ACT_NOTE:
		show_note(w, id, act);
		w->stats.takeovers += act->note.note == PLACE_NOTE_LOST;
		if (act->note.note == PLACE_NOTE_GATE_OPEN)
			check_gate(w, id, act->note.service);
		say(w, "n%u storaged notes %d: s%d n%u %s", id, act->note.note, act->note.service,
		    act->note.node, act->note.text ? act->note.text : "");
		break;
	}
}

/* It leaves the group, and ends when fenced has answered its last signs, or does not in time. */
static void end_when_told(struct world *w, uint32_t id)
{
	struct host *h = &w->host[id];

	h->ending = true;
	check_goodbye(w, id);
	proc_goodbye(w, id, PART_STORAGE);
	push(w,
	     !h->link[PART_STORAGE].up  ? 0
	     : h->proc[PART_FENCE].hung ? END_MS
					: 5,
	     EV_ENDED, id, PART_STORAGE, 0, 0, NULL);
}

void storaged_feed(struct world *w, uint32_t id, struct place_event *ev)
{
	static struct place_actions out;
	struct host *h = &w->host[id];

	if (!h->place || w->failed)
		return;
	ev->now_ms = local_ms(w, id);
	release_begin(w, id, PART_STORAGE);
	int rc = place_step(h->place, ev, &out);
	release_end();

	stepped(w, id, PART_STORAGE, ev->type, rc, out.n);
	h->proc[PART_STORAGE].deadline_ms = world_ms(w, id, place_deadline_ms(h->place));
	check_storage(w, id, ev, rc);
	for (unsigned i = 0; i < out.n && !w->failed; i++)
		carry_out(w, id, &out.v[i]);
	vlock_settle(w, id);
	signs_update(w, id);
	check_let_go(w, id);
	if (!h->joined && !h->ended && place_probed(h->place)) {
		h->joined = true;
		proc_join(w, id, PART_STORAGE);
	}
	if (h->ended && !h->ending)
		end_when_told(w, id);
}

static void frame_make(const struct world *w, struct place_config *c)
{
	const struct plan *plan = w->plan;
	struct service_frame *f = &c->frame;

	f->n_nodes = w->n;
	for (unsigned i = 0; i < w->n; i++) {
		f->nodeid[i] = i + 1;
		snprintf(f->node_name[i], sizeof(f->node_name[i]), "n%u", i + 1);
	}
	f->n_services = f->n_volumes = plan->n_services;
	for (unsigned s = 0; s < plan->n_services; s++) {
		const struct plan_service *from = &plan->service[s];
		struct service_config *to = &f->service[s];

		snprintf(to->name, sizeof(to->name), "s%u", s);
		snprintf(f->volume[s], sizeof(f->volume[s]), "v%u", s);
		to->enabled = true;
		to->n = R_MAX;
		to->is_volume[0] = true;
		to->volume[0] = s;
		to->restarts = 2;
		to->restart_window_ms = 60000;
		to->ordered = from->ordered;
		to->failback = from->failback;
		to->restricted = from->restricted;
		to->n_order = from->n_order;
		for (unsigned i = 0; i < from->n_order; i++)
			to->order[i] = from->order[i];
	}
}

void storaged_start(struct world *w, uint32_t id)
{
	static struct place_config c;
	struct place_event ev = { .type = PLACE_EV_START };
	struct host *h = &w->host[id];

	memset(&c, 0, sizeof(c));
	frame_make(w, &c);
	c.self = id;
	c.life = life_of(id, h->boot, local_ms(w, id) * 1000 + 1);
	c.hash = 1 + h->config;
	c.absent_ms = w->plan->absent_ms;
	c.deny_ms = w->plan->stop_ms / 4;
	c.hasten_ms = w->plan->stop_ms / 2;
	c.stop_ms = w->plan->stop_ms;
	c.storage_ms = 3 * w->plan->stale_ms;
	c.storage_stop_ms = 3 * w->plan->detect_ms;
	c.storage_turn_ms = (uint32_t)disk_turn_ms(w->plan);
	c.cool_ms = w->plan->cool_ms;
	c.kill_retry_ms = 10000;
	c.prepare_retry_ms = 20000;
	c.unknowns_max = 3;
	c.intent = h->intent;
	c.standby = h->standby;
	memcpy(c.enabled, h->enabled, sizeof(h->enabled));
	memcpy(c.ours, h->ours, sizeof(h->ours));
	h->joined = h->ended = h->ending = h->signs_sent = h->fstate_known = h->watching = false;
	h->noquorum_ms = h->look_ms = h->victim_ms = h->let_go_told_ms = 0;
	h->unready_told = NODESET_EMPTY;
	memset(h->monitor, 0, sizeof(h->monitor));
	memset(h->watches, 0, sizeof(h->watches));
	memset(h->beat, 0, sizeof(h->beat));
	memset(h->disk_told, 0, sizeof(h->disk_told));
	h->disk_looks = false;
	memset(&h->fstate, 0, sizeof(h->fstate));
	h->unsynced = 0;
	h->place = place_new(&c);
	if (!h->place)
		abort();
	if (has_part(w, PART_FENCE))
		link_reset(w, id, PART_STORAGE, 0);
	else
		stub_fence_tell(w, id);
	vlock_start(w, id);
	look_at(w, id, LOOK_MS);
	storaged_feed(w, id, &ev);
}

void storaged_gone(struct world *w, uint32_t id)
{
	struct host *h = &w->host[id];

	beat_touch(w, id);
	memset(h->beat, 0, sizeof(h->beat));
	h->place = place_free(h->place);
	/* its children die with it: what they were about to do does not happen any more */
	memset(h->driver, 0, sizeof(h->driver));
	memset(h->monitor, 0, sizeof(h->monitor));
	if (has_part(w, PART_FENCE))
		link_reset(w, id, PART_STORAGE, 0);
	if (h->lock_client && h->proc[PART_DLM].on)
		push(w, 0, EV_GONE, id, PART_DLM, h->lock_client, 0, NULL);
	h->lock_client = 0;
	memset(h->vlock, 0, sizeof(h->vlock));
}

void storaged_leave(struct world *w, uint32_t id)
{
	struct place_event ev = { .type = PLACE_EV_LEAVE };

	storaged_feed(w, id, &ev);
}

void storaged_view(struct world *w, uint32_t id, const struct net_view *v)
{
	struct place_event ev = { .type = PLACE_EV_VIEW,
				  .view = { .id = v->id,
					    .quorate = v->quorate,
					    .nodes = v->nodes,
					    .members = v->members,
					    .left_clean = v->left_clean } };
	struct host *h = &w->host[id];

	if (v->quorate)
		h->noquorum_ms = 0;
	else if (h->noquorum_ms == 0)
		h->noquorum_ms = w->now_ms;
	if (!has_part(w, PART_FENCE))
		stub_fence_view(w, id, v);
	storaged_feed(w, id, &ev);
}

void storaged_state(struct world *w, uint32_t id, const struct fence_state *st)
{
	struct place_event ev = { .type = PLACE_EV_FENCE };
	struct host *h = &w->host[id];

	if (st) {
		if (!st->let_go_ms)
			h->let_go_told_ms = 0;
		else if (!h->let_go_told_ms || h->fstate.let_go_ms != st->let_go_ms)
			h->let_go_told_ms = w->now_ms;
		h->fstate = *st;
		h->fstate_known = true;
		if (!st->self_victim) /* the stand-in's mind changes with its ring */
			h->victim_ms = 0;
		else if (!h->victim_ms)
			h->victim_ms = w->now_ms;
		ev.fence.state = &h->fstate;
		h->unready_told = NODESET_EMPTY;
		for (unsigned i = 0; i < st->n; i++)
			if (st->node[i].nodeid != id && !st->node[i].ready &&
			    st->node[i].state == FENCE_NODE_MEMBER)
				nodeset_add(&h->unready_told, st->node[i].nodeid);
	}
	storaged_feed(w, id, &ev);
}

void storaged_event(struct world *w, const struct timed *t)
{
	if (t->kind == EV_WATCH)
		watch(w, t->node);
	else if (t->kind == EV_DISK)
		disks_look(w, t->node);
	else if (t->kind == EV_ENDED)
		proc_end(w, t->node, PART_STORAGE, true, 100);
	else if (t->kind == EV_RESERVE)
		reserve_watch(w, t->node, t->a);
	else if (w->host[t->node].look_ms && w->host[t->node].look_ms <= w->now_ms)
		look(w, t->node);
}
