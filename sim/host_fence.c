/* SPDX-License-Identifier: GPL-3.0-or-later */
/* sim/host_fence.c - what fenced/daemon does around the core of the fence domain. */
#include "check.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#define GIVE_UP_MS 5000      /* as fenced/daemon/main.c */
#define PING_MS 1500         /* as fenced/daemon/ping.c */
#define ATTEST_AGAIN_MS 1000 /* as the hypervisor's daemon, at most */

/* SAFE-8: no two nodes agree on the time of day, and some live before 1970; nothing may depend on it. */
static int64_t wall_of(const struct world *w, uint32_t id)
{
	static const int64_t years[] = { 0, -70, 40, -3, 300, 1 };

	return years[id % 6] * 365 * 86400 + (int64_t)id * 61 + (int64_t)w->now_ms / 1000;
}

static void try_leave(struct world *w, uint32_t id)
{
	struct fence_event ev = { .type = FENCE_EV_LEAVE };
	struct host *h = &w->host[id];

	if (!h->proc[PART_FENCE].leaving || !h->dom)
		return;
	int rc = fenced_feed(w, id, &ev);

	if ((rc == -EAGAIN || rc == 0) && !h->fsigns.holds && h->dom)
		push(w, GIVE_UP_MS, EV_GIVE_UP, id, PART_FENCE, 0, 0, NULL);
}

static void show_held(struct world *w, const struct fence_action *a)
{
	bool held = a->history.note == FENCE_NOTE_HELD;
	struct host *h = &w->host[a->history.node];

	if ((!held && a->history.note != FENCE_NOTE_ADMITTED) || held == h->held_shown)
		return;
	h->held_shown = held;
	w->stats.helds += held;
	SHOW(w, a->history.node, HELD, held ? TRACE_IS_HELD : TRACE_IS_MEMBER, "", "%s",
	     held ? "fenced too often: starts nothing, fences nobody" : "an operator lets it in");
}

static void carry_out(struct world *w, uint32_t id, const struct fence_action *a,
		      const struct fence_actions *out)
{
	struct host *h = &w->host[id];

	switch (a->type) {
	case FENCE_ACT_SEND:
		if (h->proc[PART_FENCE].grouped)
			release_send(w, PART_FENCE, id, out->msg, out->msg_len);
		break;
	case FENCE_ACT_RUN:
		say(w, "n%u runs %s of n%u, level %u device %u (run %" PRIu64 ", attempt %u)", id,
		    fence_action_name(a->run.action), a->run.node, a->run.level, a->run.device,
		    a->run.run, a->run.attempt);
		if (a->run.action == FENCE_AGENT_OFF && a->run.level == 0 && a->run.device == 0)
			check_fence_off(w, id, a->run.node);
		if (a->run.action == FENCE_AGENT_OFF)
			check_drill_off(w, id, a);
		agent_start(w, id, a);
		break;
	case FENCE_ACT_CHECK: agent_start(w, id, a); break;
	case FENCE_ACT_CANCEL_RUN: agent_cancel(w, id, a->cancel); break;
	case FENCE_ACT_PUBLISH: link_publish(w, id); break;
	case FENCE_ACT_STORE:
		fence_stored(h->dom, &h->stored);
		h->stored_boot = h->boot;
		break;
	case FENCE_ACT_REBOOT_SELF:
		if (!h->rebooting)
			push(w,
			     w->plan->slow_reboot ? w->plan->stop_ms + 2000
						  : prng_range(&h->prng, 1, 30),
			     EV_REBOOT, id, KERNEL, 0, 0, NULL);
		h->rebooting = true;
		break;
	case FENCE_ACT_LEFT: check_goodbye(w, id); break;
	case FENCE_ACT_ACK_DONE:
		say(w, "n%u: ack of n%u: %d %s", id, a->ack.node, a->ack.rc, a->ack.text);
		break;
	case FENCE_ACT_HURRY:
		check_fence_hurry(w, id, a);
		net_hurry(w->net, id, a->hurry.again, w->now_ms);
		break;
	case FENCE_ACT_HISTORY:
		check_fence_note(w, id, a);
		show_held(w, a);
		if (a->history.note == FENCE_NOTE_PROOF)
			w->stats.proofs++;
		say(w, "n%u notes %s: n%u %s %s", id,
		    a->history.note == FENCE_NOTE_VICTIM  ? "victim"
		    : a->history.note == FENCE_NOTE_PROOF ? "proof"
							  : "something",
		    a->history.node,
		    a->history.note == FENCE_NOTE_PROOF ? proof_kind_name(a->history.kind)
							: fence_reason_name(a->history.reason),
		    a->history.text);
		break;
	}
}

int fenced_feed(struct world *w, uint32_t id, struct fence_event *ev)
{
	static struct fence_actions out; /* nothing that is carried out feeds a fenced */
	struct host *h = &w->host[id];
	bool left = false;

	if (!h->dom || w->failed)
		return -EAGAIN;
	ev->now_ms = local_ms(w, id);
	ev->wall_s = wall_of(w, id);
	release_begin(w, id, PART_FENCE);
	int rc = fence_step(h->dom, ev, &out);
	release_end();

	stepped(w, id, PART_FENCE, ev->type, rc, out.n);
	h->proc[PART_FENCE].deadline_ms = world_ms(w, id, fence_deadline_ms(h->dom));
	check_fence(w, id, ev, &out);
	for (unsigned i = 0; i < out.n; i++) {
		carry_out(w, id, &out.v[i], &out);
		left = left || out.v[i].type == FENCE_ACT_LEFT;
	}
	if (left) {
		dog_disarm(w, id);
		proc_end(w, id, PART_FENCE, true, 100);
	}
	return rc;
}

static void path_make(const struct plan *plan, struct fence_path *path)
{
	static const uint8_t devices[] = {
#define X(id, word, n) n,
		PLAN_LEVELS(X)
#undef X
	};

	memset(path, 0, sizeof(*path));
	path->n_levels = (uint8_t)plan->n_path;
	for (unsigned i = 0; i < plan->n_path; i++) {
		path->n_devices[i] = devices[plan->path[i]];
		path->watchdog[i] = plan->path[i] == LEVEL_DOG;
		path->storage[i] = plan->path[i] == LEVEL_KEY;
		path->no_on[i] = path->storage[i];
	}
}

/* --- the gateway --- */

void ping_soon(struct world *w, uint32_t id)
{
	struct host *h = &w->host[id];

	if (w->plan->gateway && h->proc[PART_FENCE].on)
		push(w, prng_range(&h->prng, 1, PING_MS), EV_PINGED, id, PART_FENCE, 0, 0, NULL);
}

/* As things are now: pings go out all the time. */
static void pinged(struct world *w, uint32_t id)
{
	struct fence_event ev = { .type = FENCE_EV_GATEWAY };
	struct host *h = &w->host[id];

	ev.gateway = h->gateway_away ? LIFE_STALE : LIFE_FRESH;
	if (ev.gateway == h->pinged)
		return;
	h->pinged = ev.gateway;
	fenced_feed(w, id, &ev);
}

void fenced_start(struct world *w, uint32_t id)
{
	const struct plan *plan = w->plan;
	struct host *h = &w->host[id];
	static struct fence_config cfg;

	memset(&cfg, 0, sizeof(cfg));
	cfg.self = life_of(id, h->boot, local_ms(w, id) * 1000 + 1);
	cfg.hash = 7 + h->config;
	cfg.reboot = true;
	cfg.cut_delay_ms = plan->cut_delay_ms;
	cfg.post_join_ms = plan->post_join_ms;
	cfg.absent_ms = plan->absent_ms;
	cfg.retry_min_ms = plan->retry_min_ms;
	cfg.retry_max_ms = plan->retry_max_ms;
	cfg.ready_interval_ms = plan->ready_interval_ms;
	cfg.ready_age_ms = plan->ready_age_ms;
	cfg.confirm_ms = plan->confirm_ms;
	cfg.stall_ms = plan->stall_ms;
	cfg.hurry_alone_ms = 120;
	cfg.hurry_ms = plan->token_ms / 4 + 200;
	cfg.drill_wait_ms = check_drill_wait_ms(plan);
	for (uint32_t i = 1; i <= w->n; i++) {
		nodeset_add(&cfg.nodes, i);
		path_make(plan, &cfg.path[i]);
		cfg.fenced[i] = h->stored.fenced[i];
	}
	cfg.held = h->stored.held;
	cfg.dog_grace_ms = plan->grace_ms;
	cfg.dog_margin_ms = plan->margin_ms;
	cfg.word_fresh_ms = 2 * plan->stale_ms + plan->watchdog_ms / 8; /* fenced/daemon/shell.c */
	cfg.loop_max = (uint8_t)plan->loop_max;
	cfg.loop_ms = plan->loop_ms;
	if (h->stored_boot == h->boot) {
		cfg.stored_view = h->stored.view;
		cfg.n_stored = h->stored.n;
		memcpy(cfg.stored, h->stored.proof, sizeof(cfg.stored));
		cfg.kept_view = h->stored.kept_view;
		cfg.n_kept = h->stored.n_kept;
		memcpy(cfg.kept, h->stored.kept, sizeof(cfg.kept));
	}
	h->informed = false;
	h->asleep_ms = h->woken_ms = 0;
	h->dom = fence_new(&cfg);
	if (!h->dom)
		abort();
	memset(&h->fsigns, 0, sizeof(h->fsigns));
	h->fsigns.holds = h->holds_boot == h->boot;
	struct fence_event ev = { .type = FENCE_EV_SIGNS, .signs = h->fsigns };

	fenced_feed(w, id, &ev);
	h->unfenced = h->dog_ours = false;
	memset(h->alive_ms, 0, sizeof(h->alive_ms));
	h->mute = 0;
	h->dog_from_ms = w->now_ms;
	h->pinged = LIFE_UNKNOWN;
	push(w, w->reserves ? prng_range(&h->prng, 20, 300) : 0, EV_UNFENCE, id, PART_FENCE, 0, 0,
	     NULL);
	if (w->dogs)
		push(w, 1, EV_GUARD, id, PART_FENCE, 0, 0, NULL);
	ping_soon(w, id);
}

void fenced_gone(struct world *w, uint32_t id)
{
	struct host *h = &w->host[id];

	check_fence_forget(w, id);
	h->dom = fence_free(h->dom);
	agents_orphaned(w, id, false);
	link_fenced_gone(w, id);
}

void fenced_leave(struct world *w, uint32_t id)
{
	struct host *h = &w->host[id];
	bool known;

	if (has_part(w, PART_STORAGE)) {
		try_leave(w, id);
		return;
	}
	/* The storaged that is not there lets go before, mostly; or had not heard of it when it decided to start something. */
	if (prng_permille(&h->prng, 600))
		stub_signs(w, id, 0, 1, true);
	known = stub_all_known(w, id);
	try_leave(w, id);
	if (h->dom && known && prng_permille(&h->prng, 300))
		stub_signs(w, id, 1, 1, true);
}

void fenced_view(struct world *w, uint32_t id, const struct net_view *v)
{
	struct fence_event ev = { .type = FENCE_EV_VIEW };

	ev.view = (struct fence_view){ .id = v->id,
				       .quorate = v->quorate,
				       .two_node = v->two_node,
				       .nodes = v->nodes,
				       .members = v->members,
				       .joined = v->joined,
				       .left_nodedown = v->left_nodedown,
				       .left_other = nodeset_or(v->left_clean, v->left_proc) };
	fenced_feed(w, id, &ev);
	try_leave(w, id);
}

/* storaged's word, taken by fenced. */
void fenced_told(struct world *w, uint32_t id, const struct fence_signs *signs)
{
	struct fence_event ev = { .type = FENCE_EV_SIGNS, .signs = *signs };
	struct host *h = &w->host[id];

	h->holds_boot = signs->ended ? 0 : h->boot;
	if (!h->fsigns.holds && signs->holds)
		h->holds_ms = w->now_ms;
	h->fsigns = *signs;
	fenced_feed(w, id, &ev);
}

void fenced_event(struct world *w, const struct timed *t)
{
	struct host *h = &w->host[t->node];
	struct link *l = &h->link[PART_STORAGE];

	switch (t->kind) {
	case EV_SIGNS: {
		static struct fence_status st;
		const struct fence_signs *signs = t->data;

		if (t->a != l->life || !l->up)
			break;
		fence_status(h->dom, local_ms(w, t->node), &st);
		if (st.leaving && signs->holds) { /* no answer, no activation: we are leaving */
			link_drop(w, t->node, PART_STORAGE);
			break;
		}
		l->busy = false;
		fenced_told(w, t->node, signs);
		try_leave(w, t->node);
		break;
	}
	case EV_SIGNS_GONE: {
		/* as on_ipc_gone() of fenced/daemon/answer.c */
		struct fence_signs signs = h->fsigns;

		signs.holds = signs.holds || !signs.ended;
		signs.self = LIFE_UNKNOWN;
		memset(signs.peer, 0, sizeof(signs.peer));
		fenced_told(w, t->node, &signs);
		break;
	}
	case EV_ASK: {
		struct fence_event ev = { .type = FENCE_EV_REQUEST,
					  .request = { .node = t->a, .text = "storaged asks" } };

		fenced_feed(w, t->node, &ev);
		break;
	}
	case EV_ATTEST: {
		struct fence_event ev = { .type = FENCE_EV_ATTEST };

		ev.attest.life = life_of(t->a, (uint32_t)t->b, 0);
		ev.attest.dying = t->data != NULL;
		ev.attest.text = ev.attest.dying ? "the hypervisor says that it will destroy it"
						 : "the hypervisor says that it is destroyed";
		int rc = h->proc[PART_FENCE].hung ? -EAGAIN : fenced_feed(w, t->node, &ev);

		/* not taken: it is said again, also to the fenced that comes after this one */
		if (rc == -EAGAIN && !t->data && h->runs && w->host[t->a].boot == t->b)
			push(w, ATTEST_AGAIN_MS, EV_ATTEST, t->node, KERNEL, t->a, t->b, NULL);
		break;
	}
	case EV_UNFENCE: unfence(w, t->node); break;
	case EV_GUARD: dog_look(w, t->node); break;
	case EV_PINGED: pinged(w, t->node); break;
	case EV_GIVE_UP:
		if (!h->fsigns.holds && h->proc[PART_FENCE].leaving)
			proc_end(w, t->node, PART_FENCE, true, 100);
		break;
	}
}
