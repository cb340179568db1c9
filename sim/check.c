/* SPDX-License-Identifier: GPL-3.0-or-later */
/* sim/check.c - the table of rules, agreement, and whether all is well in the end. */
#include "check.h"

#include <inttypes.h>
#include <string.h>

const struct rule rules[] = {
	{ "SAFE-1",
	  "no two lives may write one volume; no write of an older epoch lands in a newer one",
	  "check_activation() disk_write() check_goodbye() drive()" },
	{ "SAFE-2", "no lock of a life that is not proven over is granted to another",
	  "check_volume_lock() check_lock()" },
	{ "SAFE-3", "unknown is never off and never stopped: no proof names a life that runs",
	  "check_fence() driver's truth" },
	{ "SAFE-4", "a minority decides nothing, a view that is over fences nobody",
	  "check_gate() check_fence_off()" },
	{ "SAFE-5", "an ack without force is refused while the victim is seen alive",
	  "check_fence_note()" },
	{ "SAFE-6", "no gate opens while a living node has no fence path that passes",
	  "check_gate()" },
	{ "SAFE-7",
	  "who lost quorum lets go in stop_ms, or is rebooted; who knows that it is a victim reboots",
	  "check_let_go() check_fence()" },
	{ "SAFE-8", "clocks of nodes are never compared",
	  "each node's clock and time of day are its own" },
	{ "SAFE-10", "what is found active is stopped in order", "drivers.c RUN-1" },
	{ "SAFE-12", "a watchdog is not petted past the grace where a daemon or the disk is silent",
	  "check_pet()" },
	{ "SAFE-13",
	  "two nodes with watchdogs alone: one is left of a cut, and after a crash of who serves the other",
	  "sim --dog: check_two()" },
	{ "FENCE-1", "an agent switches off only a victim, for a quorate view",
	  "asserted by the core" },
	{ "FENCE-2", "dead has a proof of that very life", "asserted by the core" },
	{ "FENCE-3", "who is told that it is a victim reboots", "check_fence()" },
	{ "FENCE-4", "informed: who is outside is unseen, victim or dead", "asserted by the core" },
	{ "FENCE-5", "members at one place of the order hold the same book", "check_point()" },
	{ "FENCE-6", "a proof names a life that can write no more, or said goodbye holding nothing",
	  "check_fence()" },
	{ "FENCE-7", "nothing fails any more: no victim is left", "check_fence_quiet()" },
	{ "FENCE-9", "nobody switches off from a view that the majority has left behind",
	  "check_fence_off()" },
	{ "FENCE-10", "a life that a majority declared over is never a member again",
	  "check_fence_lives()" },
	{ "FENCE-14", "who switches off has another member's answer, or waited for it in vain",
	  "confirmed()" },
	{ "FENCE-15", "who has failed is followed by the next one", "turns()" },
	{ "FENCE-16", "what was begun before a sleep is begun anew", "confirmed()" },
	{ "FENCE-20",
	  "whose watchdog is not petted any more lets go, or reboots itself, before it fires",
	  "check_unpetted()" },
	{ "FENCE-18", "who is held for being fenced too often starts nothing and fences nobody",
	  "check_held()" },
	{ "FENCE-17", "corosync is hurried about lives that are over, by one node of a ring",
	  "check_fence_hurry()" },
	{ "FENCE-19",
	  "a drill takes nobody who serves, one of a whole cluster, and says what its devices did",
	  "check_drill.c" },
	{ "DLM-1", "two that hold a resource are compatible", "check_lock() and dlm_broken()" },
	{ "DLM-2", "nobody waits that could be granted", "dlm_broken(), check_well()" },
	{ "DLM-3",
	  "members at one place of the order hold the same; no member's message is refused",
	  "check_point()" },
	{ "DLM-4", "a lock of a lost life leaves only by a proof", "dlm_broken()" },
	{ "DLM-5", "one REPLY for each request, one DONE for each that was taken", "clients.c" },
	{ "DLM-6", "nothing is granted without quorum", "clients.c" },
	{ "DLM-7",
	  "a value read as valid is the last that was written, or a later one; of no writer that died",
	  "check_value() value_in_doubt()" },
	{ "DLM-8", "nobody overtakes who waits, nobody loses his place",
	  "granted_fairly() kept_places()" },
	{ "DLM-9", "who is in the way of somebody who waits was told so", "told_blocking()" },
	{ "DLM-10", "no two queued conversions wait for each other", "no_deadlock()" },
	{ "DLM-11", "the newest past goes on, whoever meets", "newest_past()" },
	{ "DLM-12", "a dlmd that is away, of a node that is here, stops nobody", "follow()" },
	{ "STORE-1..3,5,6", "groups and gates are sound", "asserted by the core" },
	{ "RUN-3, STORE-6", "a volume is started with its lock, and after that was written down",
	  "check_start()" },
	{ "STORE-4", "members at one place of the order hold the same group",
	  "check_storage_point()" },
	{ "STORE-7", "what waits says why", "check_storage(), check_well()" },
	{ "STORE-8", "nobody's word changes the group before all have said what they hold",
	  "check_storage.c unsynced()" },
	{ "STORE-9",
	  "nobody is fenced for a disk that no node reaches, or before its owner had its turn",
	  "check_fence_wish()" },
	{ "RUN-1", "resources start left to right and stop right to left", "drivers.c" },
	{ "STEP", "a core refuses nothing that its daemon may say", "check_storage()" },
	{ "DEADLINE", "a deadline that was served goes away", "world.c" },
	{ "ASSERT", "no core fails an assertion", "main.c" },
	{ "LIVENESS",
	  "after repair: services run on one node each, victims have proofs, nobody waits without a holder",
	  "check_well()" },
};
const unsigned n_rules = sizeof(rules) / sizeof(rules[0]);

void check_point(struct world *w, unsigned part, const char *rule, uint32_t id, uint64_t index,
		 uint64_t digest)
{
	struct point *p = &w->point[part][index * UINT64_C(0x9e3779b97f4a7c15) >> 52];

	if (!digest) /* it is not informed */
		return;
	if (p->index == index && p->digest != digest)
		broken(w, rule, id, "holds something else than another member at %" PRIx64, index);
	p->index = index;
	p->digest = digest;
}

static bool fence_well(struct world *w, uint32_t id, char *why, size_t len)
{
	static struct fence_state st;

	if (!w->host[id].dom) {
		snprintf(why, len, "n%u has no fenced", id);
		return false;
	}
	fence_snapshot(w->host[id].dom, local_ms(w, id), &st);
	if (!st.informed) {
		snprintf(why, len, "fenced of n%u is not informed", id);
		return false;
	}
	for (unsigned i = 0; i < st.n; i++) {
		const struct fence_node *n = &st.node[i];
		bool member = n->state == FENCE_NODE_MEMBER;

		if (member && (n->nodeid == id || n->ready))
			continue;
		snprintf(why, len, "fenced of n%u holds n%u for %s", id, n->nodeid,
			 member ? "not ready" : fence_node_state_name(n->state));
		return false;
	}
	return true;
}

/* A lock whose client has ended is gone, or an orphan that may be adopted. */
static bool owned(const struct world *w, uint32_t id, const struct dlm_lock *l)
{
	const struct host *h = &w->host[id];
	struct dlm_life_view life;

	if (!l->client || !dlm_life_at(h->dlm, l->life, &life) || life.life.nodeid != id)
		return true;
	for (unsigned c = 1; c < CLIENTS; c++)
		if (h->client[c].id == l->client)
			return true;
	return h->lock_client == l->client;
}

static bool dlm_well(struct world *w, uint32_t id, char *why, size_t len)
{
	const struct dlm *dlm = w->host[id].dlm;
	struct dlm_status st;

	if (!dlm) {
		snprintf(why, len, "n%u has no dlmd", id);
		return false;
	}
	dlm_status(dlm, &st);
	if (!st.synced || !nodeset_empty(st.stopped_for)) {
		snprintf(why, len, "dlmd of n%u %s", id,
			 st.synced ? "stands still for a proof" : "is not synced");
		return false;
	}
	for (const struct dlm_resource *r = dlm_resource_next(dlm, NULL); r;
	     r = dlm_resource_next(dlm, r)) {
		for (const struct dlm_lock *l = r->granted; l; l = l->next)
			if (!owned(w, id, l)) {
				snprintf(why, len,
					 "a lock on n%u belongs to a client that has ended", id);
				return false;
			}
		if (!r->granted && !r->convert && r->wait) {
			snprintf(why, len, "a lock waits on n%u without a holder", id);
			return false;
		}
	}
	for (unsigned c = 1; c < CLIENTS; c++)
		for (unsigned i = 0; i < HANDLES; i++) {
			const struct handle *x = &w->host[id].client[c].h[i];

			if (x->stage != H_SENT || w->now_ms - x->since_ms <= 5000)
				continue;
			snprintf(why, len, "a client of n%u has no REPLY for %" PRIu64 " ms", id,
				 w->now_ms - x->since_ms);
			return false;
		}
	return true;
}

static bool service_well(struct world *w, unsigned s, char *why, size_t len)
{
	unsigned running = 0;

	for (uint32_t id = 1; id <= w->n; id++) {
		struct place_service ps;
		bool all = true;

		if (!w->host[id].place) {
			snprintf(why, len, "n%u has no storaged", id);
			return false;
		}
		for (unsigned r = 0; r < R_MAX; r++)
			all = all && w->host[id].active[s][r];
		running += all;
		place_service(w->host[id].place, s, &ps);
		if (ps.shown != PLACE_SHOWN_RUNNING) {
			snprintf(why, len, "n%u shows s%u %s on n%u: %s: %.160s", id, s,
				 place_shown_name(ps.shown), ps.group->node,
				 place_gate_name(ps.wait.gate), ps.wait.text);
			return false;
		}
	}
	if (running != 1)
		snprintf(why, len, "s%u runs on %u nodes", s, running);
	return running == 1;
}

bool check_well(struct world *w, char *why, size_t len)
{
	bool well = true;

	why[0] = '\0';
	for (uint32_t id = 1; id <= w->n && well; id++) {
		if (w->host[id].leaving || w->host[id].rebooting) {
			snprintf(why, len, "n%u is leaving", id);
			well = false;
		}
		if (well && has_part(w, PART_FENCE))
			well = fence_well(w, id, why, len);
		if (well && has_part(w, PART_DLM))
			well = dlm_well(w, id, why, len);
	}
	for (unsigned s = 0; s < w->plan->n_services && well && has_part(w, PART_STORAGE); s++)
		well = service_well(w, s, why, len);
	if (well && has_part(w, PART_DLM))
		for (uint32_t id = 2; id <= w->n && !w->failed && well; id++)
			well = net_ring(w->net, id) == net_ring(w->net, 1);
	return well;
}
