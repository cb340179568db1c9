/* SPDX-License-Identifier: GPL-3.0-or-later */
/* sim/acts.c - the plan's faults and operators' acts, and how everything is repaired in the end. */
#include "check.h"

#include <errno.h>
#include <string.h>

/* The last one of that kind that goes on for the node; NULL: none. A device's act with node 0 is for all. */
static const struct act *going_on(const struct world *w, unsigned kind, uint32_t node, int feed)
{
	const struct act *found = NULL;

	for (unsigned i = 0; i < w->plan->n; i++) {
		const struct act *a = &w->plan->act[i];

		if (w->act_on[i] && a->kind == kind && (a->node == node || a->node == 0) &&
		    (feed < 0 || a->arg2 == (unsigned)feed))
			found = a;
	}
	return found;
}

/* Make the node as the acts that go on say. */
static void settle(struct world *w, uint32_t id)
{
	const struct act *cut = going_on(w, ACT_CUT, id, -1),
			 *oneway = going_on(w, ACT_ONEWAY, id, -1);
	const struct act *slow = going_on(w, ACT_SLOW, id, -1);
	struct host *h = &w->host[id];
	bool away = going_on(w, ACT_DISK, id, -1) || going_on(w, ACT_TARGET, id, -1);
	bool no_gateway = going_on(w, ACT_GATEWAY, id, -1) || (cut && cut->arg2);

	if (h->gateway_away != no_gateway) {
		h->gateway_away = no_gateway;
		ping_soon(w, id);
	}
	h->unarmed = going_on(w, ACT_UNARMED, id, -1);
	net_island(w->net, id, oneway ? 16 + id : cut ? cut->arg : 0, w->now_ms);
	net_slow(w->net, id, slow ? slow->arg : 0);
	if (away && !h->disk_away) {
		beat_touch(w, id);
		h->away_ms = w->now_ms;
	}
	if (away != h->disk_away) {
		for (unsigned v = 0; v < w->plan->n_services; v++)
			h->disk_ok_ms[v] = w->now_ms;
		disks_soon(w, id);
	}
	if (away && !h->disk_away)
		h->gone_ms = w->now_ms;
	h->disk_away = away;
	h->unready = going_on(w, ACT_UNREADY, id, -1);
	for (int f = 0; f < FEEDS; f++) {
		const struct act *device = going_on(w, ACT_DEVICE, id, f);

		h->device[f] = device ? (uint8_t)device->arg : DEVICE_OK;
	}
}

static void command(struct world *w, const struct act *a, enum service_cmd cmd)
{
	static const bool for_node[] = { [SERVICE_CMD_STANDBY] = true,
					 [SERVICE_CMD_UNSTANDBY] = true,
					 [SERVICE_CMD_CLEAR] = false };
	struct place_event ev = { .type = PLACE_EV_COMMAND };

	if (!can_run(w, a->node, PART_STORAGE))
		return;
	ev.command.req = ++w->serial;
	ev.command.cmd = cmd;
	if (for_node[cmd]) {
		ev.command.node = a->arg;
	} else {
		if (a->arg >= w->plan->n_services)
			return;
		ev.command.service = a->arg;
		ev.command.node = cmd == SERVICE_CMD_RELOCATE && a->arg2 <= w->n ? a->arg2 : 0;
	}
	storaged_feed(w, a->node, &ev);
}

static void monitor(struct world *w, const struct act *a)
{
	struct place_event ev = { .type = PLACE_EV_MONITOR };
	unsigned s = a->arg2;

	for (uint32_t id = 1; id <= w->n && s < w->plan->n_services; id++) {
		struct host *h = &w->host[id];

		if (!can_run(w, id, PART_STORAGE) || !h->monitor[s])
			continue;
		ev.monitor.service = s;
		ev.monitor.res = a->arg % R_MAX;
		ev.monitor.result = prng_permille(&h->prng, 700) ? DRIVE_FAILED : DRIVE_UNKNOWN;
		ev.monitor.why = "drawn from the seed";
		if (ev.monitor.res > 0 && ev.monitor.result == DRIVE_FAILED &&
		    prng_permille(&h->prng, 500))
			h->active[s][R_MAX - 1] = false;
		storaged_feed(w, id, &ev);
		return;
	}
}

/* An operator who looked: the victim is off. */
static uint32_t a_dead_victim(struct world *w, uint32_t id)
{
	static struct fence_state st;

	fence_snapshot(w->host[id].dom, local_ms(w, id), &st);
	for (unsigned i = 0; i < st.n; i++)
		if (st.node[i].state == FENCE_NODE_VICTIM && !w->host[st.node[i].nodeid].runs)
			return st.node[i].nodeid;
	return 0;
}

static void ack(struct world *w, const struct act *a)
{
	struct fence_event ev = { .type = FENCE_EV_ACK, .ack = { a->arg, false, "I looked" } };

	if (!can_run(w, a->node, PART_FENCE))
		return;
	if (a->kind == ACT_ACK) {
		ev.ack.node = a_dead_victim(w, a->node);
		if (!ev.ack.node)
			return;
		disk_flush(w, ev.ack.node);
	}
	ev.ack.force = a->kind == ACT_ACK_WRONG;
	bool before = w->forced[a->node];

	w->forced[a->node] = ev.ack.force;
	if (fenced_feed(w, a->node, &ev) == -EALREADY)
		w->forced[a->node] = before;
}

/* An operator lets in whoever is held, as this node knows it. */
static void admit(struct world *w, uint32_t id)
{
	static struct fence_status st;

	if (!can_run(w, id, PART_FENCE))
		return;
	fence_status(w->host[id].dom, local_ms(w, id), &st);
	for (unsigned i = 0; i < st.node_count; i++) {
		struct fence_event ev = { .type = FENCE_EV_ADMIT, .admit = st.node[i].pub.nodeid };

		if (st.node[i].held && w->host[id].dom)
			fenced_feed(w, id, &ev);
	}
}

static void begin(struct world *w, unsigned i, const struct act *a)
{
	uint32_t id = a->node;
	struct host *h = &w->host[id];

	switch ((enum act_kind)a->kind) {
	case ACT_PANIC:
		if (h->runs)
			panics(w, id);
		break;
	case ACT_POWER:
		h->feed[0] = false;
		check_drill_acted(w, id, 0); /* no agent can tell */
		power_changed(w, id);
		break;
	case ACT_RESET: reboot_hard(w, id, "reset"); break;
	case ACT_FREEZE: freeze(w, id, true); break;
	case ACT_KILL:
		if (h->runs && !h->frozen)
			proc_end(w, id, a->arg, false, a->for_ms + 1);
		break;
	case ACT_HANG:
		if (!h->frozen)
			proc_hang(w, id, a->arg, true, a->arg2 != 0);
		break;
	case ACT_COROSYNC:
		if (!h->frozen) {
			corosync(w, id, false);
			push(w, a->for_ms, EV_COROSYNC, id, KERNEL, 0, 0, NULL);
		}
		break;
	case ACT_STORM: net_storm(w->net, id, w->now_ms); break;
	case ACT_ONEWAY:
		push(w, prng_range(&w->prng, 1, w->plan->token_ms * 2), EV_OFTEN, 0, NOBODY, i, 0,
		     NULL);
		break;
	case ACT_MONITOR: monitor(w, a); break;
	case ACT_HAND:
		if (a->arg < w->plan->n_services)
			hand(w, id, a->arg, true);
		break;
	case ACT_LEAVE: node_leave(w, id, a->for_ms); break;
	case ACT_ENABLE: command(w, a, SERVICE_CMD_ENABLE); break;
	case ACT_DISABLE: command(w, a, SERVICE_CMD_DISABLE); break;
	case ACT_RELOCATE: command(w, a, SERVICE_CMD_RELOCATE); break;
	case ACT_RESTART: command(w, a, SERVICE_CMD_RESTART); break;
	case ACT_STANDBY: command(w, a, SERVICE_CMD_STANDBY); break;
	case ACT_UNSTANDBY: command(w, a, SERVICE_CMD_UNSTANDBY); break;
	case ACT_CLEAR: command(w, a, SERVICE_CMD_CLEAR); break;
	case ACT_ACK:
	case ACT_ACK_WRONG:
	case ACT_ACK_TRY: ack(w, a); break;
	case ACT_REQUEST:
	case ACT_DRILL:
		if (can_run(w, id, PART_FENCE)) {
			struct fence_event ev = { .type = FENCE_EV_REQUEST,
						  .request = { .node = a->arg,
							       .text = "an operator asks",
							       .drill = a->kind == ACT_DRILL,
							       .level = FENCE_LEVEL_NONE } };

			fenced_feed(w, id, &ev);
		}
		break;
	case ACT_ADMIT: admit(w, id); break;
	case ACT_TARGET: target_restarts(w); break;
	case ACT_CONFIG:
		h->config = a->arg;
		node_leave(w, id, 200);
		break;
	case ACT_ROLL:
		for (uint32_t k = 0; k < w->n; k++)
			push(w, (uint64_t)k * a->for_ms, EV_OFTEN, 0, NOBODY, i,
			     (id - 1 + k) % w->n + 1, NULL);
		break;
	case ACT_SIGNS:
		if (can_run(w, id, PART_FENCE))
			stub_signs(w, id, a->arg, a->arg2, stub_all_known(w, id));
		break;
	case ACT_CUT:
	case ACT_SLOW:
	case ACT_DEVICE:
	case ACT_DISK:
	case ACT_GATEWAY:
	case ACT_UNARMED:
	case ACT_UNREADY: /* settle() */
	case ACT_NONE:
	case ACT_KINDS: break;
	}
}

/* What its numbers mean, for people. */
static const char *words(const struct act *a, char text[80])
{
	static const char *const devices[] = { "bmc", "outlet 1", "outlet 2", "key" };
	static const char *const modes[DEVICE_MODES] = {
		[DEVICE_FAIL] = "fails",       [DEVICE_TIMEOUT] = "says nothing",
		[DEVICE_LIE] = "lies",         [DEVICE_LATE] = "acts late",
		[DEVICE_TWICE] = "acts twice", [DEVICE_BABBLE] = "says what nobody understands",
		[DEVICE_GONE] = "is away",     [DEVICE_STRANGER] = "speaks of another machine",
	};

	text[0] = '\0';
	switch ((enum act_kind)a->kind) {
	case ACT_KILL:
	case ACT_HANG: snprintf(text, 80, "%s", daemon_names[a->arg]); break;
	case ACT_CUT:
		snprintf(text, 80, "hears only part %u%s", a->arg,
			 a->arg2 ? ", nor the gateway" : "");
		break;
	case ACT_SLOW: snprintf(text, 80, "up to %u ms", a->arg); break;
	case ACT_DEVICE:
		snprintf(text, 80, "%s %s", devices[a->arg2 % 4],
			 a->arg < DEVICE_MODES && modes[a->arg] ? modes[a->arg] : "works");
		break;
	case ACT_MONITOR: snprintf(text, 80, "s%u/%u", a->arg2, a->arg % R_MAX); break;
	case ACT_RELOCATE:
		snprintf(text, 80, a->arg2 ? "s%u to node %u" : "s%u", a->arg, a->arg2);
		break;
	case ACT_HAND:
	case ACT_ENABLE:
	case ACT_DISABLE:
	case ACT_RESTART:
	case ACT_CLEAR: snprintf(text, 80, "s%u", a->arg); break;
	case ACT_STANDBY:
	case ACT_UNSTANDBY:
	case ACT_ACK_WRONG:
	case ACT_ACK_TRY:
	case ACT_REQUEST:
	case ACT_DRILL: snprintf(text, 80, "node %u", a->arg); break;
	case ACT_ROLL:
		snprintf(text, 80, "%s",
			 a->arg == 1   ? "to the next release"
			 : a->arg == 2 ? "to this release"
				       : "");
		break;
	case ACT_CONFIG: snprintf(text, 80, "configuration %u", a->arg); break;
	case ACT_SIGNS: snprintf(text, 80, "serves %u", a->arg); break;
	case ACT_NONE:
	case ACT_PANIC:
	case ACT_POWER:
	case ACT_RESET:
	case ACT_FREEZE:
	case ACT_COROSYNC:
	case ACT_ONEWAY:
	case ACT_STORM:
	case ACT_DISK:
	case ACT_TARGET:
	case ACT_GATEWAY:
	case ACT_UNARMED:
	case ACT_UNREADY:
	case ACT_LEAVE:
	case ACT_ACK:
	case ACT_ADMIT:
	case ACT_KINDS: break;
	}
	return text;
}

void act_begin(struct world *w, unsigned i)
{
	const struct act *a = &w->plan->act[i];
	char text[80];

	if (w->healed)
		return;
	say(w, "%s %s n%u for %u ms (%u, %u)", plan_act_is_fault(a->kind) ? "FAULT" : "OPERATOR",
	    plan_act_name(a->kind), a->node, a->for_ms, a->arg, a->arg2);
	if (plan_act_is_fault(a->kind))
		SHOW(w, a->node, FAULT, a->for_ms ? TRACE_IS_BEGINS : TRACE_IS_NONE,
		     plan_act_name(a->kind), "%s%sfor %u ms", words(a, text), text[0] ? ", " : "",
		     a->for_ms);
	else
		SHOW(w, a->node, OPERATOR, TRACE_IS_NONE, plan_act_name(a->kind), "%s",
		     words(a, text));
	w->stats.acts++;
	w->act_on[i] = true;
	w->begun[a->kind]++;
	for (unsigned k = 1; k < ACT_KINDS; k++)
		if (w->begun[k] > (k == a->kind)) {
			w->stats.pairs[a->kind] |= UINT64_C(1) << k;
			w->stats.pairs[k] |= UINT64_C(1) << a->kind;
		}
	begin(w, i, a);
	for (uint32_t id = 1; id <= w->n; id++)
		if (a->node == id || a->node == 0)
			settle(w, id);
	stub_fence_tell_all(w);
	/* What is over at once still counts as beside what comes in the same second. */
	push(w,
	     a->for_ms > 1000 ? a->for_ms
	     : a->for_ms      ? a->for_ms
			      : 1000,
	     EV_ACT_END, 0, NOBODY, i, 0, NULL);
}

void act_end(struct world *w, unsigned i)
{
	const struct act *a = &w->plan->act[i];
	struct host *h = &w->host[a->node];

	if (!w->act_on[i])
		return;
	w->act_on[i] = false;
	w->begun[a->kind]--;
	if (a->for_ms)
		say(w, "END   %s n%u", plan_act_name(a->kind), a->node);
	if (a->for_ms && plan_act_is_fault(a->kind))
		SHOW(w, a->node, FAULT, TRACE_IS_ENDS, plan_act_name(a->kind), "is over");
	for (uint32_t id = 1; id <= w->n; id++)
		if (a->node == id || a->node == 0)
			settle(w, id);
	if (a->kind == ACT_FREEZE && !going_on(w, ACT_FREEZE, a->node, -1))
		freeze(w, a->node, false);
	if (a->kind == ACT_HANG && !h->proc[a->arg].stuck)
		proc_hang(w, a->node, a->arg, false, false);
	if (a->kind == ACT_POWER && !h->feed[0] && !going_on(w, ACT_POWER, a->node, -1)) {
		h->feed[0] = true;
		power_changed(w, a->node);
	}
	if (a->kind == ACT_HAND && a->arg < w->plan->n_services)
		hand(w, a->node, a->arg, false);
	stub_fence_tell_all(w);
}

/* One-way cuts break ring after ring, on both sides; a roll takes node after node. */
void act_often(struct world *w, unsigned i, uint32_t node)
{
	const struct act *a = &w->plan->act[i];
	struct prng *p = &w->prng;

	if (w->healed)
		return;
	if (a->kind == ACT_ROLL) {
		if (a->arg)
			w->host[node].newer = a->arg == 1;
		node_leave(w, node, 200);
		return;
	}
	if (!w->act_on[i])
		return;
	net_storm(w->net, a->node, w->now_ms);
	if (prng_permille(p, 400))
		net_storm(w->net, prng_range(p, 1, w->n), w->now_ms);
	push(w, prng_range(p, w->plan->token_ms, w->plan->token_ms * 3), EV_OFTEN, 0, NOBODY, i, 0,
	     NULL);
}

void heal(struct world *w)
{
	say(w, "everything is repaired");
	SHOW(w, 0, NOTE, TRACE_IS_NONE, "world", "everything is repaired");
	w->healed = true;
	net_calm(w->net);
	for (unsigned i = 0; i < w->plan->n; i++)
		if (w->act_on[i])
			act_end(w, i);
	for (uint32_t id = 1; id <= w->n; id++) {
		struct host *h = &w->host[id];

		freeze(w, id, false);
		for (unsigned p = 0; p < PARTS; p++)
			if (!h->proc[p].stuck)
				proc_hang(w, id, p, false, false);
		for (unsigned v = 0; v < w->plan->n_services; v++)
			hand(w, id, v, false);
		h->config = 0;
		if (!has_part(w, PART_FENCE) && !h->runs && !h->booting && powered(w, id))
			boot_later(w, id, 500, 2000);
	}
	stub_fence_tell_all(w);
	push(w, 2000, EV_MEND, 0, NOBODY, 0, 0, NULL);
}

/* The operator repeats what was refused, until all are enabled and none is in standby. */
static void wish(struct world *w)
{
	for (uint32_t id = 1; id <= w->n; id++) {
		struct place_summary sum;
		struct act a = { .node = (uint8_t)id };

		if (!can_run(w, id, PART_STORAGE) || w->host[id].proc[PART_STORAGE].leaving)
			continue;
		place_summary(w->host[id].place, &sum);
		if (!sum.synced || !sum.quorate)
			continue;
		for (a.arg = 0; a.arg < w->plan->n_services; a.arg++)
			if (!place_group(w->host[id].place)->service[a.arg].enabled)
				command(w, &a, SERVICE_CMD_ENABLE);
		for (a.arg = 1; a.arg <= w->n; a.arg++)
			if (place_group(w->host[id].place)->node[a.arg - 1].standby)
				command(w, &a, SERVICE_CMD_UNSTANDBY);
		return;
	}
}

/* After QUIET_MS a janitor switches on what is off, and resets what hangs in a panic; configurations are made equal. */
void mend(struct world *w)
{
	uint64_t healed_ms = w->plan->end_ms + START_MS;
	bool late = w->now_ms >= healed_ms + w->quiet_ms || !has_part(w, PART_FENCE);

	if (late && !w->mended && has_part(w, PART_FENCE)) {
		late = !fence_round_is_held_up(w);
		if (late)
			check_fence_quiet(w);
	}
	w->mended = late;
	for (uint32_t id = 1; id <= w->n; id++) {
		struct host *h = &w->host[id];
		bool acting = false;

		for (unsigned p = 0; p < PARTS; p++)
			if (h->proc[p].on && h->proc[p].config != h->config && !h->leaving)
				node_leave(w, id, 200);
		for (unsigned i = 0; i < RUNS_MAX; i++)
			acting = acting ||
				 (w->run[i].serial && !w->run[i].check && w->run[i].node == id);
		for (unsigned p = 0; p < PARTS && late; p++)
			proc_hang(w, id, p, false, false);
		if (!late || acting)
			continue;
		/* cut off, and nobody holds it for a victim: `status` says "reboot this node" */
		if (h->wrecked || reserve_lost(w, id)) {
			life_ends(w, id);
			power_changed(w, id);
		}
		admit(w, id);
		if (!powered(w, id) || !h->feed[1] || !h->feed[2]) {
			h->feed[0] = h->feed[1] = h->feed[2] = true;
			power_changed(w, id);
		}
	}
	if (has_part(w, PART_STORAGE))
		wish(w);
	push(w, 2000, EV_MEND, 0, NOBODY, 0, 0, NULL);
}
