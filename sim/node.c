/* SPDX-License-Identifier: GPL-3.0-or-later */
/* sim/node.c - machines: power, kernels, corosync, and what systemd does with the daemons. */
#include "check.h"

#include <stdio.h>
#include <string.h>

#define DOG_MS 30000       /* WatchdogSec of the units */
#define STOP_LATE_MS 30000 /* systemd ends a daemon that does not stop */

const char *const daemon_names[PARTS] = { "fenced", "dlmd", "storaged" };

struct incarnation life_of(uint32_t node, uint32_t boot, uint64_t join)
{
	struct incarnation l = { .nodeid = node, .join = join };

	l.boot_id[0] = (uint8_t)node;
	l.boot_id[1] = (uint8_t)boot;
	l.boot_id[2] = (uint8_t)(boot >> 8);
	l.boot_id[15] = 1;
	return l;
}

bool powered(const struct world *w, uint32_t id)
{
	const struct host *h = &w->host[id];

	return h->feed[0] && (h->feed[1] || h->feed[2]);
}

/* --- processes --- */

static void in_group(struct world *w, uint32_t id, unsigned p, bool on, bool clean)
{
	struct host *h = &w->host[id];

	if (h->proc[p].grouped == on)
		return;
	h->proc[p].grouped = on;
	if (on)
		net_start(w->net, p, id, w->now_ms);
	else
		net_stop(w->net, p, id, clean, w->now_ms);
}

void proc_join(struct world *w, uint32_t id, unsigned p)
{
	if (w->host[id].corosync)
		in_group(w, id, p, true, false);
}

void proc_goodbye(struct world *w, uint32_t id, unsigned p)
{
	in_group(w, id, p, false, true);
}

static void proc_start(struct world *w, uint32_t id, unsigned p)
{
	struct host *h = &w->host[id];

	h->proc[p].starting = false;
	if (h->proc[p].on || h->leaving || !has_part(w, p))
		return;
	if (w->now_ms <
	    h->stopped_until_ms) { /* systemd stopped it meanwhile: not before the others */
		proc_start_later(w, id, p, (uint32_t)(h->stopped_until_ms - w->now_ms));
		return;
	}
	if (!h->corosync) { /* self_find(): asks again each second */
		proc_start_later(w, id, p, 1000);
		return;
	}
	h->proc[p] = (struct proc){ .on = true,
				    .config = h->config,
				    .gen = h->proc[p].gen + 1,
				    .deadline_ms = UINT64_MAX };
	net_hang(w->net, p, id, false);
	release_start(w, id, p);
	say(w, "n%u %s starts%s", id, daemon_names[p], h->newer ? ", of the next release" : "");
	SHOW(w, id, PROCESS, TRACE_IS_UP, daemon_names[p], "starts");
	switch (p) {
	case PART_FENCE: fenced_start(w, id); break;
	case PART_DLM: dlmd_start(w, id); break;
	case PART_STORAGE: storaged_start(w, id); break;
	}
	/* fenced unfences its node first, dlmd waits until fenced is a member, storaged looks what is active */
}

void proc_start_later(struct world *w, uint32_t id, unsigned p, uint32_t in_ms)
{
	struct host *h = &w->host[id];

	if (!h->runs || h->proc[p].on || h->proc[p].starting || !has_part(w, p))
		return;
	h->proc[p].starting = true;
	push(w, in_ms, EV_START, id, KERNEL, p, 0, NULL);
}

static void leave_next(struct world *w, uint32_t id)
{
	struct host *h = &w->host[id];
	int p = PARTS - 1;

	while (p >= 0 && !h->proc[p].on)
		p--;
	h->leave_serial++;
	if (p < 0) {
		h->leaving = false;
		h->stopped_until_ms = w->now_ms + h->leave_ms;
		for (unsigned i = 0; i < PARTS; i++)
			proc_start_later(w, id, i, h->leave_ms + 100 * i);
		return;
	}
	push(w, STOP_LATE_MS, EV_LEAVE_NEXT, id, KERNEL, (uint32_t)p, h->leave_serial, NULL);
	h->proc[p].leaving = true;
	if (h->proc[p].hung)
		return;
	say(w, "n%u %s is asked to stop", id, daemon_names[p]);
	switch (p) {
	case PART_FENCE: fenced_leave(w, id); break;
	case PART_DLM: dlmd_leave(w, id); break;
	case PART_STORAGE: storaged_leave(w, id); break;
	}
}

void node_leave(struct world *w, uint32_t id, uint32_t back_ms)
{
	struct host *h = &w->host[id];

	if (!h->runs || h->frozen || h->leaving)
		return;
	h->leaving = true;
	h->leave_ms = back_ms;
	leave_next(w, id);
}

void proc_end(struct world *w, uint32_t id, unsigned p, bool clean, uint32_t back_ms)
{
	struct host *h = &w->host[id];
	bool asked = h->proc[p].leaving;

	if (!h->proc[p].on)
		return;
	say(w, "n%u %s ends%s", id, daemon_names[p], clean ? ", with a goodbye" : "");
	SHOW(w, id, PROCESS, TRACE_IS_DOWN, daemon_names[p], clean ? "says goodbye" : "ends");
	SHOW(w, id, VIEW, TRACE_IS_DOWN, daemon_names[p], "no view");
	in_group(w, id, p, false, clean);
	h->proc[p].on = h->proc[p].hung = h->proc[p].leaving = false;
	h->proc[p].gen++;
	h->proc[p].deadline_ms = UINT64_MAX;
	switch (p) {
	case PART_FENCE: fenced_gone(w, id); break;
	case PART_DLM: dlmd_gone(w, id); break;
	case PART_STORAGE: storaged_gone(w, id); break;
	}
	if (h->runs && h->leaving && asked)
		leave_next(w, id);
	else if (h->runs && back_ms)
		proc_start_later(w, id, p, back_ms);
}

void proc_hang(struct world *w, uint32_t id, unsigned p, bool on, bool stuck)
{
	struct host *h = &w->host[id];

	if (!h->proc[p].on || h->proc[p].hung == on)
		return;
	say(w, "n%u %s %s", id, daemon_names[p], on ? "hangs" : "goes on");
	SHOW(w, id, PROCESS, on ? TRACE_IS_HUNG : TRACE_IS_UP, daemon_names[p], "%s",
	     on ? "hangs" : "goes on");
	h->proc[p].hung = on;
	h->proc[p].hung_ms = w->now_ms;
	if (on)
		dog_hears(w, id, p);
	if (p == PART_FENCE)
		check_fence_sleep(w, id);
	net_hang(w->net, p, id, on);
	if (on) {
		h->proc[p].stuck = stuck;
		if (!stuck)
			push(w, DOG_MS, EV_DOG, id, KERNEL, p, h->proc[p].gen, NULL);
		if (p == PART_FENCE)
			check_fence_forget(w, id); /* a majority may go on without its word */
	} else {
		h->awake_ms = w->now_ms;
		unpark(w, id);
	}
}

/* --- machines --- */

void corosync(struct world *w, uint32_t id, bool on)
{
	struct host *h = &w->host[id];

	if (!h->runs || h->corosync == on)
		return;
	say(w, "n%u corosync %s", id, on ? "starts" : "dies");
	SHOW(w, id, PROCESS, on ? TRACE_IS_UP : TRACE_IS_DOWN, "corosync", "%s",
	     on ? "starts" : "dies");
	h->corosync = on;
	for (unsigned p = 0; p < PARTS; p++) {
		if (!h->proc[p].on)
			continue;
		if (on) {
			push(w, prng_range(&h->prng, 50, 1100), EV_JOIN, id, p, 0, 0, NULL);
		} else {
			if (h->proc[p].grouped)
				push(w, 0, EV_LOST, id, p, 0, 0, NULL);
			h->proc[p].grouped = false;
		}
	}
	net_up(w->net, id, on, w->now_ms);
}

/* A hypervisor takes the guest for one whose kernel has paniced, or will: nothing may follow from that but haste. */
static void attest_dying(struct world *w, uint32_t id, uint32_t permille)
{
	struct prng aside = w->host[id].prng; /* what else happens to it does not depend on this */

	if (!w->plan->attest || !has_part(w, PART_FENCE) || !prng_permille(&aside, permille))
		return;
	for (uint32_t to = 1; to <= w->n; to++)
		if (to != id && w->host[to].proc[PART_FENCE].on)
			push(w, prng_range(&aside, 1, 300), EV_ATTEST, to, PART_FENCE, id,
			     w->host[id].boot, keep("dying", 6));
}

void freeze(struct world *w, uint32_t id, bool on)
{
	struct host *h = &w->host[id];

	if (!h->runs || h->frozen == on)
		return;
	if (on)
		beat_touch(w, id);
	h->frozen = on;
	if (on)
		attest_dying(w, id, 200); /* wrongly: it goes on */
	check_fence_sleep(w, id);
	net_freeze(w->net, id, on, w->now_ms);
	say(w, "n%u %s", id, on ? "freezes" : "thaws");
	SHOW(w, id, NODE, on ? TRACE_IS_FROZEN : TRACE_IS_RUNS, "", "%s", on ? "freezes" : "thaws");
	if (on)
		return;
	/* what its kernel had queued for the disk goes out first of all */
	for (unsigned v = 0; v < w->plan->n_services && !h->disk_away; v++)
		if (h->active[v][0])
			disk_write(w, id, h->boot, v, h->epoch[v]);
	h->awake_ms = w->now_ms;
	unpark(w, id);
}

void boot_later(struct world *w, uint32_t id, uint32_t lo_ms, uint32_t hi_ms)
{
	struct host *h = &w->host[id];

	h->booting = true;
	SHOW(w, id, NODE, TRACE_IS_BOOTS, "", "is switched on");
	push(w, prng_range(&h->prng, lo_ms, hi_ms), EV_BOOT, id, NOBODY, 0, ++h->boot_serial, NULL);
}

static void boot(struct world *w, uint32_t id)
{
	struct host *h = &w->host[id];

	disk_flush(w, id);
	h->booting = false;
	h->boot++;
	h->runs = true;
	h->corosync = true;
	memset(&h->fsigns, 0, sizeof(h->fsigns));
	say(w, "n%u boots (life %u)", id, h->boot);
	SHOW(w, id, NODE, TRACE_IS_RUNS, "", "life %u", h->boot);
	net_up(w->net, id, true, w->now_ms);
	for (unsigned p = 0; p < PARTS; p++)
		proc_start_later(w, id, p, prng_range(&h->prng, 10, 1500));
	stub_boot(w, id);
}

/* Mostly at once; one that was away tells it when the node may long be up again. A proof is made of it: what is in flight lands
 * before, or never. */
static void attest(struct world *w, uint32_t id)
{
	struct host *h = &w->host[id];
	bool late = prng_permille(&h->prng, 200);

	attest_dying(w, id, 600);
	if (prng_permille(&h->prng, 200))
		return;
	disk_flush(w, id);
	for (uint32_t to = 1; to <= w->n; to++)
		if (to != id && w->host[to].proc[PART_FENCE].on)
			push(w,
			     late ? prng_range(&h->prng, 3000, 20000)
				  : prng_range(&h->prng, 5, 800),
			     EV_ATTEST, to, KERNEL, id, h->boot, NULL);
}

/* @panics: the machine goes on without a kernel: its watchdog too. */
static void life_over(struct world *w, uint32_t id, bool panics)
{
	struct host *h = &w->host[id];

	h->wrecked = h->booting = false;
	h->boot_serial++;
	if (!panics)
		dog_disarm(w, id);
	if (!h->runs)
		return;
	check_fence_forget(w, id);
	beat_touch(w, id);
	disk_flying(w, id);
	h->runs = false;
	for (unsigned p = 0; p < PARTS; p++) {
		proc_end(w, id, p, false, 0);
		h->proc[p].starting = false;
	}
	agents_orphaned(w, id, true);
	for (unsigned i = 0; i < h->n_parked; i++)
		if (h->parked[i].kind == EV_STATE) {
			struct snapshot *s = h->parked[i].data;

			if (s && --s->refs == 0)
				free(s);
		} else {
			free(h->parked[i].data);
		}
	h->n_parked = 0;
	h->frozen = h->corosync = h->leaving = h->rebooting = false;
	memset(h->marked, 0, sizeof(h->marked));
	memset(h->active, 0, sizeof(h->active));
	memset(h->hand_ms, 0, sizeof(h->hand_ms));
	memset(h->ours, 0, sizeof(h->ours));
	SHOW(w, id, NODE, TRACE_IS_OFF, "", "life %u ends", h->boot);
	for (unsigned v = 0; v < w->plan->n_services; v++) {
		char name[16];

		snprintf(name, sizeof(name), "v%u", v);
		SHOW(w, id, VOLUME, TRACE_IS_RELEASED, name, "its life ends");
		snprintf(name, sizeof(name), "s%u", v);
		SHOW(w, id, SERVICE, TRACE_IS_STOPPED, name, "its life ends");
	}
	net_up(w->net, id, false, w->now_ms);
	stub_life_ends(w, id);
	if (w->plan->attest && has_part(w, PART_FENCE))
		attest(w, id);
}

void life_ends(struct world *w, uint32_t id)
{
	life_over(w, id, false);
}

void panics(struct world *w, uint32_t id)
{
	struct host *h = &w->host[id];

	life_over(w, id, true);
	h->wrecked = has_part(w, PART_FENCE); /* else nobody would switch it off and on */
	if (h->wrecked)
		SHOW(w, id, NODE, TRACE_IS_WRECKED, "", "panics");
}

void power_changed(struct world *w, uint32_t id)
{
	struct host *h = &w->host[id];

	if (!powered(w, id)) {
		if (h->runs || h->wrecked || h->booting) {
			say(w, "n%u loses its power (life %u)", id, h->boot);
			life_ends(w, id);
		}
		h->offs++;
	} else if (!h->runs && !h->wrecked && !h->booting) {
		boot_later(w, id, 2000, 9000);
	}
}

void reboot_hard(struct world *w, uint32_t id, const char *why)
{
	if (!w->host[id].runs && !w->host[id].wrecked)
		return;
	say(w, "n%u reboots: %s", id, why);
	life_ends(w, id);
	if (powered(w, id))
		boot_later(w, id, 2000, 9000);
}

void node_event(struct world *w, const struct timed *t)
{
	struct host *h = &w->host[t->node];

	switch (t->kind) {
	case EV_BOOT:
		if (h->booting && t->b == h->boot_serial && !h->runs && powered(w, t->node))
			boot(w, t->node);
		break;
	case EV_COROSYNC: corosync(w, t->node, true); break;
	case EV_START: proc_start(w, t->node, t->a); break;
	case EV_DOG:
		if (h->proc[t->a].on && h->proc[t->a].hung && h->proc[t->a].gen == t->b) {
			say(w, "n%u %s hangs: systemd's watchdog ends it", t->node,
			    daemon_names[t->a]);
			proc_end(w, t->node, t->a, false, 100);
		}
		break;
	case EV_REBOOT: reboot_hard(w, t->node, "by itself"); break;
	case EV_LEAVE_NEXT:
		if (h->leaving && t->b == h->leave_serial)
			proc_end(w, t->node, t->a, false, 0);
		break;
	case EV_LOST:
		if (t->proc == PART_FENCE) {
			struct fence_event ev = { .type = FENCE_EV_LOST };

			fenced_feed(w, t->node, &ev);
		} else if (t->proc == PART_DLM) {
			struct dlm_event ev = { .type = DLM_EV_VIEW };

			if (!h->dlm_view)
				break;
			h->dlm_view = false;
			ev.view.nodes = ev.view.members = nodeset_of(t->node);
			dlmd_feed(w, t->node, &ev);
		} else {
			struct place_event ev = { .type = PLACE_EV_LOST };

			if (h->noquorum_ms == 0)
				h->noquorum_ms = w->now_ms;
			storaged_feed(w, t->node, &ev);
		}
		break;
	case EV_JOIN:
		if (t->proc == PART_FENCE ? h->unfenced
		    : t->proc == PART_DLM ? h->dlm_joined
					  : h->joined)
			proc_join(w, t->node, t->proc);
		break;
	}
}
