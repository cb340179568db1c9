/* SPDX-License-Identifier: GPL-3.0-or-later */
/* sim/sim_storage.c - storaged/core on virtual time: nodes, cuts, freezes, crashes, daemons that die, drivers that fail,
 * hang or say nothing, a fence that proves late, all drawn from a seed.
 *
 *   sim_storage [--seeds N] [--first SEED] [--seed SEED [-v]] [--nodes N]
 *
 * truth: which resource is active on which life of which node; no core sees it. Checked all the time:
 *   RUN-*, STORE-1..3, 5, 6   place_broken() of every core, after every step
 *   STORE-4   members at one point of the agreed order hold the same group
 *   SAFE-1    a volume is activated only while no other life may write it (half of the seeds without any lock,
 *             half with a look before the start that misses what a half-dead node itself has active)
 *             nor beside one that is known, or could be, to be active by an operator's hand elsewhere
 *   EPOCH     the epoch on the disk grows with every activation
 *   SAFE-6    no gate opens while a node that is alive has no fence path that passes its check
 *   SAFE-7    a node without quorum holds nothing stop_ms later, or is rebooted
 * and after the faults end and everything is repaired:
 *   STORE-7   within HEAL_MS every enabled service runs, on one node only
 * A failure prints the seed; the same seed fails again.
 */
#include "storage_world.h"

#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- one node ---- */

static void config_of(struct world *w, uint32_t id, struct place_config *c)
{
	struct snode *n = &w->node[id];

	*c = w->cfg;
	c->self = id;
	c->life = life_of(id, n->boot);
	c->life.join = n->gen + 1;
	c->intent = n->intent;
	c->standby = n->standby;
	memcpy(c->enabled, n->enabled, sizeof(n->enabled));
	memcpy(c->ours, n->ours, sizeof(n->ours));
}

static void daemon_starts(struct world *w, uint32_t id)
{
	static struct place_config c;
	struct place_event ev = { .type = PLACE_EV_START };

	config_of(w, id, &c);
	w->node[id].leaving = false;
	w->node[id].place = place_new(&c);
	if (!w->node[id].place)
		abort();
	say(w, "n%u: storaged starts", id);
	step(w, id, &ev);
	later_add(w, (struct later){ .at_ms = w->now_ms + 5,
				     .node = id,
				     .gen = w->node[id].gen,
				     .what = LATER_FENCE });
}

static void carry_out(struct world *w, uint32_t id, const struct place_action *act)
{
	struct snode *n = &w->node[id];

	switch (act->type) {
	case PLACE_ACT_SEND:
		net_send(w->net, 0, id, act->send.data, act->send.len, w->now_ms);
		break;
	case PLACE_ACT_DRIVE:
		say(w, "n%u: %s s%u/%u", id, drive_op_name(act->drive.op), act->drive.service,
		    act->drive.res);
		drive(w, id, act);
		break;
	case PLACE_ACT_CANCEL:
		for (unsigned i = 0; i < RUNS_MAX; i++) {
			struct drun *r = &w->run[i];

			if (!r->used || r->node != id || r->gen != n->gen ||
			    r->run != act->cancel.run)
				continue;
			r->result = DRIVE_UNKNOWN;
			if (r->effect_ms != UINT64_MAX && r->effect_ms > w->now_ms)
				r->act = false;
			r->end_ms = w->now_ms + prng_range(&w->prng, 1, 1000);
		}
		break;
	case PLACE_ACT_LOCK: lock_ask(w, id, act->lock.volume); break;
	case PLACE_ACT_UNLOCK: lock_drop(w, id, act->lock.volume); break;
	case PLACE_ACT_MONITOR: n->monitor[act->monitor.service] = act->monitor.on; break;
	case PLACE_ACT_BEAT: break;
	case PLACE_ACT_SOON: break; /* processes only */
	case PLACE_ACT_LOOK: look_at(w, id, w->now_ms + prng_range(&w->prng, 0, 5)); break;
	case PLACE_ACT_FENCE:
		say(w, "n%u: asks to fence n%u: %s", id, act->fence.node, act->fence.reason);
		if (net_ring_quorate(w->net, net_ring(w->net, id)))
			make_victim(w, act->fence.node, "asked by storaged");
		break;
	case PLACE_ACT_REBOOT:
		say(w, "n%u: reboots: %s", id, act->reboot.reason);
		later_add(w, (struct later){
				     .at_ms = w->now_ms, .node = id, .gen = n->gen, .what = 0 });
		n->reboots = true;
		break;
	case PLACE_ACT_STORE: {
		const struct service_group *g = place_group(n->place);

		n->intent = g->intent;
		n->standby = NODESET_EMPTY;
		for (uint32_t i = 1; i <= w->n; i++)
			if (g->node[i - 1].standby)
				nodeset_add(&n->standby, i);
		for (unsigned s = 0; s < w->n_services; s++)
			n->enabled[s] = g->service[s].enabled;
		break;
	}
	case PLACE_ACT_STATE:
		for (unsigned s = 0; s < w->n_services; s++)
			n->ours[s] = place_ours(n->place, s);
		break;
	case PLACE_ACT_ANSWER:
		say(w, "n%u: answer %d: %s", id, act->answer.rc, act->answer.text);
		break;
	case PLACE_ACT_LEFT: n->left = true; break;
	case PLACE_ACT_NOTE:
		if (act->note.note == PLACE_NOTE_LOST)
			w->takeovers++;
		if (act->note.note == PLACE_NOTE_GATE_OPEN && !nodeset_empty(n->unready))
			broken(w, "SAFE-6", id, "opens the gate of s%d without a fence path to n%u",
			       act->note.service, nodeset_lowest(n->unready));
		say(w, "n%u: note %d s%d n%u %s", id, act->note.note, act->note.service,
		    act->note.node, act->note.text ? act->note.text : "");
		break;
	}
}

void step(struct world *w, uint32_t id, struct place_event *ev)
{
	struct snode *n = &w->node[id];
	int r;

	w->steps++;
	ev->now_ms = w->now_ms;
	r = place_step(n->place, ev, &w->out);
	if (r < 0 && r != -11 /* EAGAIN: an op before the view was synced */)
		broken(w, "STEP", id, "ev=%s rc=%d", place_ev_name(ev), r);
	if (place_broken(n->place))
		broken(w, place_broken(n->place), id, "after ev=%s", place_ev_name(ev));
	for (unsigned i = 0; i < w->out.n; i++)
		carry_out(w, id, &w->out.v[i]);
	/* What an earlier storaged of this life locked, and is not active any more: as the daemon does. */
	for (unsigned s = 0; s < w->n_services; s++) {
		struct place_service ps;

		place_service(n->place, s, &ps);
		if (!n->wants[s] && w->lock[s].holder == id && w->lock[s].boot == n->boot &&
		    ps.local.probed && ps.local.fact == RUNNER_STOPPED)
			lock_drop(w, id, s);
	}
	if (!n->joined && place_probed(n->place)) {
		n->joined = true;
		net_start(w->net, 0, id, w->now_ms);
	}
}

static void on_view(void *arg, unsigned group, uint32_t id, const struct net_view *v)
{
	struct world *w = arg;
	struct place_event ev = { .type = PLACE_EV_VIEW,
				  .view = { .id = v->id,
					    .quorate = v->quorate,
					    .nodes = v->nodes,
					    .members = v->members } };

	(void)group;
	if (!w->node[id].place)
		return;
	say(w, "n%u: view %" PRIu64 " quorate=%d members=%#" PRIx64 " nodes=%#" PRIx64, id,
	    v->id.seq, v->quorate, v->members.bits, v->nodes.bits);
	/* Those that said goodbye are told apart by how they ended. */
	nodeset_for_each (x, v->left_proc)
		if (!w->node[x].place && w->node[x].leaving)
			nodeset_add(&ev.view.left_clean, x);
	if (v->quorate) {
		w->node[id].noquorum_ms = 0;
		nodeset_for_each (x, v->left_nodedown)
			if (!(w->two_node &&
			      w->dom[id].victim)) /* in a cut of two the first one wins */
				make_victim(w, x, "left without goodbye");
	} else if (w->node[id].noquorum_ms == 0) {
		w->node[id].noquorum_ms = w->now_ms;
	}
	step(w, id, &ev);
	later_add(w, (struct later){ .at_ms = w->now_ms + prng_range(&w->prng, 1, 60),
				     .node = id,
				     .gen = w->node[id].gen,
				     .what = LATER_FENCE });
}

static uint64_t digest(const struct service_group *g, unsigned n_services, unsigned n_nodes)
{
	uint64_t h = 1469598103934665603u;
	const uint8_t *p;

#define MIX(x)                                            \
	do {                                              \
		p = (const uint8_t *)&(x);                \
		for (size_t k_ = 0; k_ < sizeof(x); k_++) \
			h = (h ^ p[k_]) * 1099511628211u; \
	} while (0)
	MIX(g->history);
	MIX(g->intent);
	for (unsigned s = 0; s < n_services; s++) {
		const struct service *v = &g->service[s];

		MIX(v->state);
		MIX(v->enabled);
		MIX(v->node);
		MIX(v->lost);
		MIX(v->target);
		MIX(v->starts);
		MIX(v->moves);
		MIX(v->held);
		MIX(v->failed);
	}
	for (unsigned v = 0; v < n_services; v++)
		MIX(g->epoch[v]);
	for (unsigned i = 0; i < n_nodes; i++) {
		MIX(g->node[i].standby);
		MIX(g->node[i].life.boot_id);
	}
#undef MIX
	return h;
}

static void on_deliver(void *arg, unsigned group, uint32_t id, uint32_t from, const void *data,
		       size_t len, uint64_t index)
{
	struct world *w = arg;
	struct place_event ev = { .type = PLACE_EV_DELIVER, .deliver = { from, data, len } };
	struct place_summary s;

	(void)group;
	if (!w->node[id].place)
		return;
	step(w, id, &ev);
	if (!w->node[id].place)
		return;
	place_summary(w->node[id].place, &s);
	if (!s.synced)
		return;
	uint64_t d = digest(place_group(w->node[id].place), w->n_services, w->n);
	size_t slot = (index * 2654435761u >> 7) % (sizeof(w->point) / sizeof(w->point[0]));

	if (w->point[slot].index == index && w->point[slot].digest != d)
		broken(w, "STORE-4", id,
		       "place %#" PRIx64 ": another group than a member before it", index);
	w->point[slot].index = index;
	w->point[slot].digest = d;
}

/* ---- faults ---- */

static uint32_t any_node(struct world *w)
{
	return prng_range(&w->prng, 1, w->n);
}

static void command(struct world *w)
{
	static const enum service_cmd cmds[] = { SERVICE_CMD_ENABLE,   SERVICE_CMD_DISABLE,
						 SERVICE_CMD_RELOCATE, SERVICE_CMD_RESTART,
						 SERVICE_CMD_STANDBY,  SERVICE_CMD_UNSTANDBY,
						 SERVICE_CMD_ENABLE,   SERVICE_CMD_UNSTANDBY,
						 SERVICE_CMD_RELOCATE };
	static uint64_t req;
	uint32_t id = any_node(w);
	struct place_event ev = { .type = PLACE_EV_COMMAND };

	if (!w->node[id].place || net_is_frozen(w->net, id))
		return;
	ev.command.req = ++req;
	ev.command.cmd = cmds[prng_range(&w->prng, 0, sizeof(cmds) / sizeof(cmds[0]) - 1)];
	ev.command.service = prng_range(&w->prng, 0, w->n_services - 1);
	ev.command.node = prng_permille(&w->prng, 600) || ev.command.cmd >= SERVICE_CMD_STANDBY
				  ? any_node(w)
				  : 0;
	say(w, "n%u: operator: %s s%u n%u", id, service_cmd_name(ev.command.cmd),
	    ev.command.service, ev.command.node);
	step(w, id, &ev);
}

static void inject(struct world *w)
{
	uint32_t id = any_node(w);
	struct snode *n = &w->node[id];
	struct place_event ev = { .type = PLACE_EV_MONITOR };

	switch (prng_range(&w->prng, 0, 13)) {
	case 0:
		if (n->runs) {
			say(w, "n%u: power off", id);
			life_ends(w, id);
			if (prng_permille(&w->prng, 200))
				n->boot_ms += 60000;
		}
		break;
	case 1:
		net_island(w->net, id, prng_range(&w->prng, 0, 2), w->now_ms);
		say(w, "n%u: cut", id);
		break;
	case 2:
		for (uint32_t i = 1; i <= w->n; i++)
			net_island(w->net, i, 0, w->now_ms);
		say(w, "all cables are whole");
		break;
	case 3:
		net_freeze(w->net, id, true, w->now_ms);
		say(w, "n%u: frozen", id);
		break;
	case 4:
	case 5:
		for (uint32_t i = 1; i <= w->n; i++)
			net_freeze(w->net, i, false, w->now_ms);
		break;
	case 6:
		if (n->place && !net_is_frozen(w->net, id)) {
			say(w, "n%u: storaged is killed", id);
			daemon_ends(w, id);
			n->daemon_ms = w->now_ms + (prng_permille(&w->prng, 850)
							    ? 100
							    : prng_range(&w->prng, 1000, 40000));
		}
		break;
	case 7:
	case 8:
	case 9: command(w); break;
	case 10:
		for (unsigned s = 0; s < w->n_services; s++)
			if (n->place && n->monitor[s] && !net_is_frozen(w->net, id)) {
				ev.monitor.service = s;
				ev.monitor.res = prng_range(&w->prng, 0, R_MAX - 1);
				ev.monitor.result = prng_permille(&w->prng, 700) ? DRIVE_FAILED
										 : DRIVE_UNKNOWN;
				ev.monitor.why = "drawn from the seed";
				if (ev.monitor.res > 0 && ev.monitor.result == DRIVE_FAILED &&
				    prng_permille(&w->prng, 500))
					n->active[s][R_MAX - 1] = false;
				step(w, id, &ev);
				return;
			}
		break;
	case 12:
		w->dom[id].unready = prng_permille(&w->prng, 400);
		say(w, "n%u: its fence path %s", id, w->dom[id].unready ? "fails" : "passes");
		fence_news(w);
		break;
	case 13:
		hand(w, id, prng_range(&w->prng, 0, w->n_services - 1),
		     prng_permille(&w->prng, 500));
		break;
	case 11:
		if (n->place && !n->leaving && n->joined && !net_is_frozen(w->net, id) &&
		    prng_permille(&w->prng, 300)) {
			struct place_event leave = { .type = PLACE_EV_LEAVE };

			say(w, "n%u: storaged is asked to stop", id);
			n->leaving = true;
			step(w, id, &leave);
		}
		break;
	}
}

/* ---- time ---- */

static bool frozen(const struct world *w, uint32_t id)
{
	return net_is_frozen(w->net, id);
}

static uint64_t next_ms(const struct world *w)
{
	uint64_t at = net_next_ms(w->net), t;

	for (uint32_t id = 1; id <= w->n; id++) {
		const struct snode *n = &w->node[id];

		if (n->boot_ms && n->boot_ms < at)
			at = n->boot_ms;
		if (n->daemon_ms && n->daemon_ms < at && !frozen(w, id))
			at = n->daemon_ms;
		if (w->dom[id].victim && w->dom[id].off_ms < at)
			at = w->dom[id].off_ms;
		if (n->place && !frozen(w, id)) {
			t = place_deadline_ms(n->place);
			if (t < at)
				at = t;
		}
	}
	for (unsigned i = 0; i < RUNS_MAX; i++) {
		const struct drun *r = &w->run[i];

		if (!r->used || frozen(w, r->node))
			continue;
		t = r->effect_ms < r->end_ms ? r->effect_ms : r->end_ms;
		if (t < at)
			at = t;
	}
	for (unsigned i = 0; i < LATER_MAX; i++)
		if (w->later[i].at_ms && w->later[i].at_ms < at && !frozen(w, w->later[i].node))
			at = w->later[i].at_ms;
	return at;
}

static void later_turn(struct world *w)
{
	for (unsigned i = 0; i < LATER_MAX; i++) {
		struct later l = w->later[i];
		struct snode *n = &w->node[l.node];
		struct place_event ev = { 0 };
		static struct fence_state st;

		if (!l.at_ms || l.at_ms > w->now_ms || frozen(w, l.node))
			continue;
		w->later[i].at_ms = 0;
		if (!n->place || n->gen != l.gen)
			continue;
		switch (l.what) {
		case LATER_FENCE:
			fence_view(w, l.node, &st);
			n->unready = NODESET_EMPTY;
			for (unsigned k = 0; k < st.n; k++)
				if (st.node[k].nodeid != l.node && !st.node[k].ready &&
				    st.node[k].state == FENCE_NODE_MEMBER)
					nodeset_add(&n->unready, st.node[k].nodeid);
			ev.type = PLACE_EV_FENCE;
			ev.fence.state = &st;
			step(w, l.node, &ev);
			break;
		case LATER_LOOK: look(w, l.node); break;
		case LATER_LOCK:
			ev.type = PLACE_EV_LOCK;
			ev.lock.volume = l.volume;
			ev.lock.held = l.held;
			step(w, l.node, &ev);
			break;
		}
	}
}

static void node_turn(struct world *w, uint32_t id)
{
	struct snode *n = &w->node[id];

	if (n->boot_ms && n->boot_ms <= w->now_ms && !n->runs) {
		n->boot_ms = 0;
		n->boot++;
		n->runs = true;
		net_up(w->net, id, true, w->now_ms);
		n->daemon_ms = w->now_ms + prng_range(&w->prng, 100, 3000);
		say(w, "n%u: boots as life %u", id, n->boot);
		if (w->dom[id].victim) /* seen again as another life */
			w->dom[id].off_ms = w->now_ms + 500;
		fence_news(w);
	}
	if (!n->runs || frozen(w, id))
		return;
	if (n->daemon_ms && n->daemon_ms <= w->now_ms && !n->place) {
		n->daemon_ms = 0;
		daemon_starts(w, id);
	}
	if (n->place && place_deadline_ms(n->place) <= w->now_ms) {
		struct place_event ev = { .type = PLACE_EV_TIMEOUT };

		step(w, id, &ev);
		if (n->place && place_deadline_ms(n->place) <= w->now_ms)
			broken(w, "DEADLINE", id, "a deadline that does not go away");
	}
	if (n->reboots)
		life_ends(w, id);
	if (n->left && n->place) {
		daemon_ends(w, id);
		n->leaving = true; /* how it ended, for the views that follow */
		n->daemon_ms = w->now_ms + prng_range(&w->prng, 2000, 20000);
		for (unsigned s = 0; s < w->n_services; s++)
			for (unsigned r = 0; r < R_MAX; r++)
				if (n->active[s][r])
					broken(w, "SAFE-1", id,
					       "said goodbye while s%u/%u is active", s, r);
	}
	if (n->place && n->noquorum_ms && w->now_ms > n->noquorum_ms + STOP_MS + 200)
		for (unsigned s = 0; s < w->n_services; s++)
			if (n->active[s][0] && n->ours[s])
				broken(w, "SAFE-7", id,
				       "holds volume %u %" PRIu64 " ms after its quorum was lost",
				       s, w->now_ms - n->noquorum_ms);
}

static void turn(struct world *w)
{
	for (uint32_t id = 1; id <= w->n; id++)
		fence_turn(w, id);
	for (unsigned i = 0; i < RUNS_MAX; i++) {
		struct drun *r = &w->run[i];

		if (!r->used || frozen(w, r->node))
			continue;
		if (r->effect_ms <= w->now_ms)
			driver_effect(w, r);
		if (r->used && r->end_ms <= w->now_ms)
			driver_end(w, r);
	}
	net_run(w->net, w->now_ms);
	later_turn(w);
	for (uint32_t id = 1; id <= w->n; id++)
		node_turn(w, id);
	for (unsigned v = 0; v < w->n_services && w->locks; v++)
		lock_turn(w, v);
}

static void run_until(struct world *w, uint64_t end_ms)
{
	while (!failed) {
		uint64_t at = next_ms(w);

		if (at > end_ms)
			break;
		if (at > w->now_ms)
			w->now_ms = at;
		turn(w);
	}
	if (w->now_ms < end_ms)
		w->now_ms = end_ms;
}

static void world_init(struct world *w, uint64_t seed, unsigned nodes, bool verbose)
{
	static const struct net_ops ops = { .view = on_view, .deliver = on_deliver };
	struct net_config nc = { .n_groups = 1, .token_ms = 300 };
	struct service_frame *f = &w->cfg.frame;

	memset(w, 0, sizeof(*w));
	w->seed = seed;
	w->prng.s = seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
	w->verbose = verbose;
	w->n = nodes ? nodes : prng_range(&w->prng, 2, N_MAX);
	w->two_node = w->n == 2;
	w->n_services = prng_range(&w->prng, 1, S_MAX);
	w->locks = prng_permille(&w->prng, 500);
	w->looks = prng_permille(&w->prng, 500);
	w->p_fail = prng_range(&w->prng, 0, 60);
	w->p_unknown = prng_range(&w->prng, 0, 40);
	w->p_hang = prng_range(&w->prng, 0, 40);
	w->p_probe_unknown = prng_range(&w->prng, 0, 20);
	nc.n_nodes = w->n;
	nc.two_node = w->two_node;
	nc.late_quorum_permille = prng_permille(&w->prng, 300) ? 100 : 0;
	w->net = net_new(&nc, &w->prng, &ops, w);
	f->n_nodes = w->n;
	for (unsigned i = 0; i < w->n; i++) {
		f->nodeid[i] = i + 1;
		snprintf(f->node_name[i], sizeof(f->node_name[i]), "n%u", i + 1);
	}
	f->n_services = f->n_volumes = w->n_services;
	for (unsigned s = 0; s < w->n_services; s++) {
		struct service_config *c = &f->service[s];

		snprintf(c->name, sizeof(c->name), "s%u", s);
		snprintf(f->volume[s], sizeof(f->volume[s]), "v%u", s);
		c->enabled = true;
		c->n = R_MAX;
		c->is_volume[0] = true;
		c->volume[0] = s;
		c->restarts = 2;
		c->restart_window_ms = 60000;
		if (prng_permille(&w->prng, 600)) {
			c->ordered = prng_permille(&w->prng, 700);
			c->failback = prng_permille(&w->prng, 500);
			c->restricted = prng_permille(&w->prng, 300);
			c->n_order = prng_range(&w->prng, c->restricted ? 2 : 1, w->n);
			for (unsigned i = 0; i < c->n_order; i++)
				c->order[i] = (i + s) % w->n + 1;
		}
	}
	w->cfg.hash = 1;
	w->cfg.absent_ms = 10000;
	w->cfg.stop_ms = STOP_MS;
	w->cfg.cool_ms = 30000;
	w->cfg.kill_retry_ms = 5000;
	w->cfg.prepare_retry_ms = 20000;
	w->cfg.unknowns_max = 3;
	for (uint32_t id = 1; id <= w->n; id++)
		w->node[id].boot_ms = prng_range(&w->prng, 1, 4000);
}

static void heal(struct world *w)
{
	w->healed = true;
	net_calm(w->net);
	say(w, "---- everything is repaired ----");
	for (uint32_t id = 1; id <= w->n; id++) {
		struct snode *n = &w->node[id];

		net_island(w->net, id, 0, w->now_ms);
		net_freeze(w->net, id, false, w->now_ms);
		w->dom[id].unready = false;
		for (unsigned s = 0; s < w->n_services; s++)
			hand(w, id, s, false);
		if (!n->runs && (!n->boot_ms || n->boot_ms > w->now_ms + 5000))
			n->boot_ms = w->now_ms + 1000;
		if (n->runs && !n->place && !n->daemon_ms)
			n->daemon_ms = w->now_ms + 100;
	}
	fence_news(w);
}

/* The operator repeats what was refused, until all are enabled and none is in standby. */
static void wish(struct world *w)
{
	static uint64_t req = 1000000;

	for (uint32_t id = 1; id <= w->n; id++) {
		struct place_summary sum;

		if (!w->node[id].place || w->node[id].leaving)
			continue;
		place_summary(w->node[id].place, &sum);
		if (!sum.synced || !sum.quorate)
			continue;
		for (unsigned s = 0; s < w->n_services; s++)
			if (!place_group(w->node[id].place)->service[s].enabled) {
				struct place_event ev = { .type = PLACE_EV_COMMAND,
							  .command = { ++req, SERVICE_CMD_ENABLE, s,
								       0 } };
				step(w, id, &ev);
			}
		for (uint32_t i = 1; i <= w->n; i++)
			if (place_group(w->node[id].place)->node[i - 1].standby) {
				struct place_event ev = { .type = PLACE_EV_COMMAND,
							  .command = { ++req, SERVICE_CMD_UNSTANDBY,
								       0, i } };
				step(w, id, &ev);
			}
		return;
	}
}

static bool settled(struct world *w, char *why, size_t len)
{
	for (unsigned s = 0; s < w->n_services; s++) {
		unsigned running = 0;

		for (uint32_t id = 1; id <= w->n; id++) {
			struct place_service ps;
			bool all = true;

			if (!w->node[id].place)
				continue;
			for (unsigned r = 0; r < R_MAX; r++)
				all = all && w->node[id].active[s][r];
			running += all;
			place_service(w->node[id].place, s, &ps);
			if (ps.shown != PLACE_SHOWN_RUNNING) {
				snprintf(why, len, "n%u shows s%u %s on n%u: %s: %s", id, s,
					 place_shown_name(ps.shown), ps.group->node,
					 place_gate_name(ps.wait.gate), ps.wait.text);
				return false;
			}
		}
		if (running != 1) {
			snprintf(why, len, "s%u runs on %u nodes", s, running);
			return false;
		}
	}
	return true;
}

static void world_run(struct world *w)
{
	char why[400] = "";
	uint64_t end;

	while (w->now_ms < FAULTS_MS && !failed) {
		run_until(w, w->now_ms + prng_range(&w->prng, 200, 5000));
		if (!failed && w->now_ms > 6000)
			inject(w);
	}
	heal(w);
	end = w->now_ms + HEAL_MS;
	while (w->now_ms < end && !failed) {
		run_until(w, w->now_ms + 1000);
		wish(w);
		if (settled(w, why, sizeof(why)))
			break;
	}
	if (!failed && !settled(w, why, sizeof(why)))
		broken(w, "STORE-7", 0, "%s", why);
	for (uint32_t id = 1; id <= w->n; id++)
		w->node[id].place = place_free(w->node[id].place);
	w->net = net_free(w->net);
}

int main(int argc, char **argv)
{
	static const struct option opts[] = { { "seeds", required_argument, NULL, 'n' },
					      { "first", required_argument, NULL, 'f' },
					      { "seed", required_argument, NULL, 's' },
					      { "nodes", required_argument, NULL, 'N' },
					      { "help", no_argument, NULL, 'h' },
					      { 0 } };
	uint64_t first = 1, seeds = 100, steps = 0, starts = 0, takeovers = 0;
	static struct world w;
	unsigned nodes = 0, bad = 0;
	bool verbose = false;
	int opt;

	while ((opt = getopt_long(argc, argv, "n:f:s:N:vh", opts, NULL)) != -1) {
		switch (opt) {
		case 'n': seeds = strtoull(optarg, NULL, 0); break;
		case 'f': first = strtoull(optarg, NULL, 0); break;
		case 's':
			first = strtoull(optarg, NULL, 0);
			seeds = 1;
			break;
		case 'N': nodes = (unsigned)strtoul(optarg, NULL, 0); break;
		case 'v': verbose = true; break;
		case 'h':
		default:
			fprintf(opt == 'h' ? stdout : stderr,
				"usage: sim_storage [--seeds N] [--first SEED] [--seed SEED [-v]] [--nodes 2..%d]\n",
				N_MAX);
			return opt == 'h' ? 0 : 2;
		}
	}
	if (nodes == 1 || nodes > N_MAX) {
		fprintf(stderr, "sim_storage: --nodes is 2..%d\n", N_MAX);
		return 2;
	}
	for (uint64_t seed = first; seed < first + seeds; seed++) {
		failed = false;
		world_init(&w, seed, nodes, verbose);
		world_run(&w);
		bad += failed;
		steps += w.steps;
		starts += w.starts;
		takeovers += w.takeovers;
	}
	printf("sim_storage: %" PRIu64 " seeds, %" PRIu64 " steps, %" PRIu64
	       " activations, %" PRIu64 " losses of an owner, %u failed\n",
	       seeds, steps, starts, takeovers, bad);
	return bad ? 1 : 0;
}
