/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "world.h"

#include "check.h"

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

void say(const struct world *w, const char *fmt, ...)
{
	va_list ap;

	if (!w->verbose)
		return;
	printf("%5" PRIu64 ".%03u  ", w->now_ms / 1000, (unsigned)(w->now_ms % 1000));
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
}

void broken(struct world *w, const char *rule, uint32_t node, const char *fmt, ...)
{
	va_list ap;
	int n;

	if (w->failed)
		return;
	w->failed = true;
	snprintf(w->rule, sizeof(w->rule), "%s", rule);
	n = snprintf(w->why, sizeof(w->why), "node=%u t_ms=%" PRIu64 ": ", node, w->now_ms);
	va_start(ap, fmt);
	vsnprintf(w->why + n, sizeof(w->why) - (size_t)n, fmt, ap);
	va_end(ap);
	say(w, "BROKEN %s %s", w->rule, w->why);
	SHOW(w, node, BROKEN, TRACE_IS_NONE, w->rule, "%s", w->why);
}

void stepped(struct world *w, uint32_t id, unsigned part, unsigned event, int rc, unsigned actions)
{
	uint64_t h = w->trace_hash ^
		     (w->now_ms << 24 ^ id << 18 ^ part << 16 ^ event << 10 ^ actions);

	h ^= (uint64_t)(unsigned)rc << 40;
	h *= UINT64_C(0x9e3779b97f4a7c15);
	w->trace_hash = h ^ h >> 29;
	w->stats.steps[part]++;
}

/* --- the heap --- */

static bool before(const struct timed *a, const struct timed *b)
{
	return a->at_ms < b->at_ms || (a->at_ms == b->at_ms && a->seq < b->seq);
}

static void insert(struct world *w, struct timed t)
{
	if (w->n_heap == w->cap_heap) {
		w->cap_heap = w->cap_heap ? 2 * w->cap_heap : 1024;
		w->heap = realloc(w->heap, w->cap_heap * sizeof(*w->heap));
		if (!w->heap)
			abort();
	}
	unsigned i = w->n_heap++;

	t.seq = ++w->seq;
	for (; i && before(&t, &w->heap[(i - 1) / 2]); i = (i - 1) / 2)
		w->heap[i] = w->heap[(i - 1) / 2];
	w->heap[i] = t;
}

static struct timed take(struct world *w)
{
	struct timed top = w->heap[0], last = w->heap[--w->n_heap];
	unsigned i = 0, child;

	while ((child = 2 * i + 1) < w->n_heap) {
		child += child + 1 < w->n_heap && before(&w->heap[child + 1], &w->heap[child]);
		if (!before(&w->heap[child], &last))
			break;
		w->heap[i] = w->heap[child];
		i = child;
	}
	w->heap[i] = last;
	return top;
}

static uint32_t life_number(const struct world *w, uint32_t node, unsigned proc)
{
	return proc < PARTS     ? w->host[node].proc[proc].gen
	       : proc == KERNEL ? w->host[node].boot
				: 0;
}

void push(struct world *w, uint64_t in_ms, enum ev_kind kind, uint32_t node, unsigned proc,
	  uint32_t a, uint64_t b, void *data)
{
	insert(w, (struct timed){ .at_ms = w->now_ms + in_ms,
				  .kind = (uint8_t)kind,
				  .node = (uint8_t)node,
				  .proc = (uint8_t)proc,
				  .gen = life_number(w, node, proc),
				  .a = a,
				  .b = b,
				  .data = data });
}

static void park(struct host *h, const struct timed *t)
{
	if (h->n_parked == h->cap_parked) {
		h->cap_parked = h->cap_parked ? 2 * h->cap_parked : 64;
		h->parked = realloc(h->parked, h->cap_parked * sizeof(*h->parked));
		if (!h->parked)
			abort();
	}
	h->parked[h->n_parked++] = *t;
}

/* What waited comes now, in the order in which it came. */
void unpark(struct world *w, uint32_t id)
{
	struct host *h = &w->host[id];
	unsigned n = h->n_parked;

	h->n_parked = 0;
	for (unsigned i = 0; i < n; i++) {
		struct timed t = h->parked[i];

		t.at_ms = w->now_ms;
		insert(w, t);
	}
}

static void drop(struct timed *t)
{
	struct snapshot *s = t->data;

	if (t->kind == EV_STATE && s && --s->refs)
		t->data = NULL;
	free(t->data);
	t->data = NULL;
}

static void handle(struct world *w, struct timed *t)
{
	switch ((enum ev_kind)t->kind) {
	case EV_ACT: act_begin(w, t->a); break;
	case EV_ACT_END: act_end(w, t->a); break;
	case EV_OFTEN: act_often(w, t->a, (uint32_t)t->b); break;
	case EV_HEAL: heal(w); break;
	case EV_MEND: mend(w); break;
	case EV_BOOT:
	case EV_COROSYNC:
	case EV_START:
	case EV_DOG:
	case EV_LOST:
	case EV_JOIN:
	case EV_LEAVE_NEXT:
	case EV_REBOOT: node_event(w, t); break;
	case EV_AGENT: agent_event(w, t); break;
	case EV_SIGNS:
	case EV_SIGNS_GONE:
	case EV_ASK:
	case EV_GIVE_UP:
	case EV_UNFENCE:
	case EV_GUARD:
	case EV_PINGED:
	case EV_ATTEST: fenced_event(w, t); break;
	case EV_BITE: dog_bites(w, t); break;
	case EV_STATE:
	case EV_LINK_DOWN:
	case EV_LINK_TRY:
	case EV_LINK_LATE: link_event(w, t); break;
	case EV_SUBMIT:
	case EV_GONE: dlmd_event(w, t); break;
	case EV_ANSWER:
	case EV_CLIENT: client_event(w, t); break;
	case EV_LOCK:
	case EV_LOCKS_TRY: vlock_event(w, t); break;
	case EV_DRIVER:
	case EV_DRIVER_END: driver_event(w, t); break;
	case EV_LOOK:
	case EV_DISK:
	case EV_RESERVE:
	case EV_ENDED:
	case EV_WATCH: storaged_event(w, t); break;
	case EV_WRITE:
		if (w->volume[t->a & 0xff].flying[t->node] == t->a >> 8) {
			w->volume[t->a & 0xff].flying[t->node] = 0;
			disk_write(w, t->node, t->a >> 8, t->a & 0xff, t->b);
		}
		break;
	case EV_STUB: stub_event(w, t); break;
	}
}

static void dispatch(struct world *w, struct timed *t)
{
	struct host *h = &w->host[t->node];

	if (t->proc <= KERNEL) {
		bool there = h->runs && (t->proc == KERNEL || h->proc[t->proc].on);

		if (!there || t->gen != life_number(w, t->node, t->proc)) {
			drop(t);
			return;
		}
		if (h->frozen || (t->proc < KERNEL && h->proc[t->proc].hung)) {
			park(h, t);
			return;
		}
	}
	handle(w, t);
	drop(t);
}

/* --- corosync's words --- */

static void on_view(void *arg, unsigned group, uint32_t id, const struct net_view *v)
{
	struct world *w = arg;

	if (w->failed || !w->host[id].proc[group].on)
		return;
	say(w, "n%u %s: view %" PRIu64 "%s members=%" PRIx64 " nodes=%" PRIx64, id,
	    plan_part_name(group), v->id.seq, v->quorate ? " quorate" : "", v->members.bits >> 1,
	    v->nodes.bits >> 1);
	TRACE(w->trace,
	      (.ms = w->now_ms, .node = id, .kind = TRACE_VIEW,
	       .state = v->quorate ? TRACE_IS_QUORATE : TRACE_IS_MINORITY,
	       .name = daemon_names[group], .members = v->members, .number = v->id.seq),
	      "%s", v->quorate ? "quorate" : "no quorum");
	switch (group) {
	case PART_FENCE: fenced_view(w, id, v); break;
	case PART_DLM: dlmd_view(w, id, v); break;
	case PART_STORAGE: storaged_view(w, id, v); break;
	}
}

static void on_deliver(void *arg, unsigned group, uint32_t id, uint32_t from, const void *data,
		       size_t len, uint64_t index)
{
	struct world *w = arg;
	struct host *h = &w->host[id];

	if (w->failed || !h->proc[group].on)
		return;
	switch (group) {
	case PART_FENCE: {
		struct fence_event ev = { .type = FENCE_EV_DELIVER,
					  .deliver = { from, data, len } };

		fenced_feed(w, id, &ev);
		if (h->dom && h->informed)
			check_point(w, group, "FENCE-5", id, index, fence_digest(h->dom));
		break;
	}
	case PART_DLM: {
		struct dlm_event ev = { .type = DLM_EV_DELIVER };
		struct dlm_status st;

		if (!nodeset_has(h->dview.members, from))
			return; /* as lib/shell/cluster.h: nobody hears those that have left */
		ev.deliver.from = from;
		ev.deliver.data = data;
		ev.deliver.len = len;
		dlmd_feed(w, id, &ev);
		if (!h->dlm)
			return;
		dlm_status(h->dlm, &st);
		if (st.synced)
			check_point(w, group, "DLM-3", id, index, dlm_digest(h->dlm));
		break;
	}
	case PART_STORAGE: {
		struct place_event ev = { .type = PLACE_EV_DELIVER,
					  .deliver = { from, data, len } };

		storaged_feed(w, id, &ev);
		check_storage_point(w, id, index);
		break;
	}
	}
}

/* --- time --- */

static uint64_t next_ms(const struct world *w)
{
	uint64_t best = net_next_ms(w->net);

	if (w->n_heap && w->heap[0].at_ms < best)
		best = w->heap[0].at_ms;
	for (uint32_t id = 1; id <= w->n; id++)
		for (unsigned p = 0; p < PARTS; p++)
			if (w->host[id].proc[p].deadline_ms < best && can_run(w, id, p))
				best = w->host[id].proc[p].deadline_ms;
	return best < w->now_ms ? w->now_ms : best;
}

static void deadlines(struct world *w)
{
	for (uint32_t id = 1; id <= w->n && !w->failed; id++)
		for (unsigned p = 0; p < PARTS; p++) {
			struct proc *x = &w->host[id].proc[p];

			if (x->deadline_ms > w->now_ms || !can_run(w, id, p))
				continue;
			if (p == PART_FENCE) {
				struct fence_event ev = { .type = FENCE_EV_TIMEOUT };

				fenced_feed(w, id, &ev);
			} else {
				struct place_event ev = { .type = PLACE_EV_TIMEOUT };

				storaged_feed(w, id, &ev);
			}
			if (x->on && x->deadline_ms <= w->now_ms)
				broken(w, "DEADLINE", id, "%s: a deadline that does not go away",
				       plan_part_name(p));
		}
}

static void look_whether_well(struct world *w)
{
	bool well = check_well(w, w->well_why, sizeof(w->well_why));

	if (!well)
		w->well_ms = 0;
	else if (!w->well_ms)
		w->well_ms = w->now_ms;
	w->over = well && w->now_ms >= w->well_ms + 2000;
}

void world_play(struct world *w)
{
	uint64_t look_ms = UINT64_MAX, end_ms = UINT64_MAX, at;

	while (!w->failed && !w->over) {
		at = next_ms(w);
		if (w->healed && look_ms == UINT64_MAX) {
			look_ms = w->now_ms + 1000;
			end_ms = w->now_ms + w->quiet_ms + HEAL_MS;
		}
		if (at > look_ms)
			at = look_ms;
		w->now_ms = at;
		if (w->plan->parts == 1 << PART_DLM)
			stub_see(w);
		while (w->n_heap && w->heap[0].at_ms <= at && !w->failed) {
			struct timed t = take(w);

			dispatch(w, &t);
		}
		deadlines(w);
		if (!w->failed)
			net_run(w->net, at);
		if (!has_part(w, PART_DLM) && has_part(w, PART_STORAGE))
			stub_locks(w);
		if (at >= look_ms) {
			for (uint32_t id = 1; id <= w->n; id++)
				check_let_go(w, id);
			look_whether_well(w);
			look_ms = at + 1000;
		}
		if (at >= end_ms && !w->failed && !w->over)
			broken(w, "LIVENESS", 0, "%u s after everything was repaired: %s",
			       (w->quiet_ms + HEAL_MS) / 1000, w->well_why);
		if (w->stats.steps[0] + w->stats.steps[1] + w->stats.steps[2] > 600000)
			broken(w, "LIVENESS", 0, "no end of steps");
	}
	if (!w->failed && has_part(w, PART_FENCE))
		check_fence_lives(w);
	w->stats.virtual_ms += w->now_ms;
}

struct world *world_new(const struct plan *plan, bool verbose, struct trace *trace)
{
	static const struct net_ops ops = { on_view, on_deliver };
	struct world *w = calloc(1, sizeof(*w));

	if (!w)
		abort();
	w->plan = plan;
	w->trace = trace;
	w->verbose = verbose;
	w->now_ms = START_MS;
	w->n = plan->nodes;
	w->two_node = w->n == 2;
	w->reserves = has_part(w, PART_FENCE) && plan_has_level(plan, LEVEL_KEY);
	w->dogs = has_part(w, PART_FENCE) && plan_has_level(plan, LEVEL_DOG);
	/* alone, a fenced in doubt waits for the last of eight turns (fenced/core/cut.c) */
	w->quiet_ms = QUIET_MS + (w->two_node ? 8 * plan->cut_delay_ms : 0);
	w->prng.s = plan->seed * 3 + 1;
	w->prng_net.s = plan->seed * 5 + 2;
	struct net_config nc = { .n_nodes = w->n,
				 .n_groups = PARTS,
				 .two_node = w->two_node,
				 .token_ms = plan->token_ms,
				 .late_quorum_permille = plan->late_quorum };

	w->net = net_new(&nc, &w->prng_net, &ops, w);
	for (uint32_t id = 1; id <= w->n; id++) {
		struct host *h = &w->host[id];

		h->prng.s = plan->seed * 31 + id;
		h->newer = plan->newer >> id & 1;
		h->clock_ms = prng_range(&h->prng, 0, 1) * prng_range(&h->prng, 0, 100000000);
		for (unsigned p = 0; p < PARTS; p++)
			h->proc[p].deadline_ms = UINT64_MAX;
		for (unsigned f = 0; f < FEEDS; f++)
			h->feed[f] = true;
		boot_later(w, id, 1, prng_permille(&h->prng, 100) ? 40000 : 3000);
	}
	for (unsigned i = 0; i < plan->n; i++)
		push(w, plan->act[i].at_ms, EV_ACT, 0, NOBODY, i, 0, NULL);
	push(w, plan->end_ms, EV_HEAL, 0, NOBODY, 0, 0, NULL);
	return w;
}

struct world *world_free(struct world *w)
{
	if (!w)
		return NULL;
	while (w->n_heap) {
		struct timed t = take(w);

		drop(&t);
	}
	free(w->heap);
	for (uint32_t id = 1; id <= w->n; id++) {
		struct host *h = &w->host[id];

		for (unsigned i = 0; i < h->n_parked; i++)
			drop(&h->parked[i]);
		free(h->parked);
		fence_free(h->dom);
		dlm_free(h->dlm);
		place_free(h->place);
	}
	net_free(w->net);
	free(w);
	return NULL;
}
