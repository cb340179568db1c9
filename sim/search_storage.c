/* SPDX-License-Identifier: GPL-3.0-or-later */
/* sim/search_storage.c - storaged/core for the search: one service on one volume; what is truly active, drivers that fail or
 * cannot tell, a fence domain as one truth of which each node hears in its own time. No lock manager and no epoch record
 * stand behind the core: its gate alone has to keep SAFE-1.
 */
#include "search.h"

#include "storaged/core/place_int.h"

#include <string.h>

#define RUNS_MAX 8
#define STOP_MS 6000

enum { DO_DRIVER = DO_MODEL, DO_FENCE, DO_TELL };
/* How a driver ends, beyond well (0). */
enum { BAD_FAILED = 1, BAD_UNKNOWN, BAD_UNKNOWN_ACTS, BAD_FAILED_ACTS };

struct run {
	uint8_t node, op;
	uint64_t id, began_ms, epoch;
};

struct truth {
	struct run run[RUNS_MAX];
	uint8_t n_runs;
	bool active[N_MAX + 1], victim[N_MAX + 1];
	uint8_t victim_boot[N_MAX + 1], proven_boot[N_MAX + 1]; /* 0: none */
	uint64_t ours[N_MAX + 1];                               /* RUNDIR: gone with the boot */
	uint8_t ours_boot[N_MAX + 1];
	uint64_t epoch;
	uint32_t news, told[N_MAX + 1];
	uint64_t news_ms, minority_ms[N_MAX + 1];
};

static struct truth *truth(void)
{
	_Static_assert(sizeof(struct truth) <= sizeof(w->model), "room of the model");
	return (struct truth *)w->model;
}

static void step(uint32_t node, const struct place_event *ev);

static struct incarnation life_of(uint32_t node, uint8_t boot)
{
	struct incarnation inc = net_life(node);

	inc.boot_id[1] = boot;
	return inc;
}

static void news(void)
{
	truth()->news++;
	truth()->news_ms = w->now_ms;
}

static void volume_trace(uint32_t node, enum trace_state state)
{
	TRACE(search_trace,
	      (.ms = w->now_ms, .node = node, .kind = TRACE_VOLUME, .state = state, .name = "data",
	       .number = truth()->epoch),
	      "%s", "");
}

static void set_active(uint32_t node, bool on)
{
	struct truth *t = truth();

	if (t->active[node] != on) {
		t->active[node] = on;
		volume_trace(node, on ? TRACE_IS_ACTIVE : TRACE_IS_RELEASED);
	}
}

/* --- the fence domain --- */

/* Who fell out of a ring that goes on is a victim. */
static void note_victims(void)
{
	struct truth *t = truth();

	for (uint32_t at = 1; at <= model->nodes; at++) {
		const struct snode *s = &w->node[at];
		bool quorate = model->two_node || 2 * nodeset_count(s->ring_members) > model->nodes;

		if (!net_awake(at) || s->broken_ms || !quorate || s->alone_at_start)
			continue;
		for (uint32_t x = 1; x <= model->nodes; x++)
			if (!nodeset_has(s->ring_members, x) && w->node[x].boot && !t->victim[x] &&
			    t->proven_boot[x] != w->node[x].boot) {
				t->victim[x] = true;
				t->victim_boot[x] = w->node[x].boot;
				TRACE(search_trace,
				      (.ms = w->now_ms, .node = x, .kind = TRACE_VICTIM,
				       .state = TRACE_IS_VICTIM, .peer = at),
				      "%s", "it fell out of the ring");
				news();
			}
	}
}

static bool may_fence(uint32_t x)
{
	for (uint32_t at = 1; at <= model->nodes; at++)
		if (at != x && net_awake(at) && !nodeset_has(w->node[at].ring_members, x) &&
		    !w->node[at].broken_ms &&
		    (model->two_node || 2 * nodeset_count(w->node[at].ring_members) > model->nodes))
			return true;
	return false;
}

static void fence(uint32_t x)
{
	struct truth *t = truth();

	if (w->node[x].runs && w->node[x].boot == t->victim_boot[x]) {
		set_active(x, false);
		net_life_ends(x, true, false);
	}
	t->victim[x] = false;
	t->proven_boot[x] = t->victim_boot[x];
	TRACE(search_trace,
	      (.ms = w->now_ms, .node = x, .kind = TRACE_VICTIM, .state = TRACE_IS_DEAD), "life %u",
	      t->victim_boot[x]);
	news();
}

static void tell(uint32_t node)
{
	struct truth *t = truth();
	struct snode *s = &w->node[node];
	struct fence_state st;
	struct place_event ev = { .type = PLACE_EV_FENCE, .fence = { &st } };

	memset(&st, 0, sizeof(st));
	t->told[node] = t->news;
	st.self = net_life(node);
	st.view.seq = s->ring;
	st.quorate = model->two_node ? !s->alone_at_start
				     : 2 * nodeset_count(s->ring_members) > model->nodes;
	st.informed = st.quorate;
	st.n = model->nodes;
	for (uint32_t id = 1; id <= model->nodes; id++) {
		struct fence_node *f = &st.node[id - 1];
		struct incarnation proven = life_of(id, t->proven_boot[id]);

		f->nodeid = id;
		f->ready = true;
		f->life = net_life(id);
		f->state = FENCE_NODE_MEMBER;
		if (t->proven_boot[id])
			f->proof = (struct proof){ .victim = proven,
						   .kind = PROOF_OFF_VERIFIED,
						   .by = 1,
						   .number = t->proven_boot[id] };
		if (t->victim[id]) {
			f->state = FENCE_NODE_VICTIM;
			f->life = life_of(id, t->victim_boot[id]);
			if (id == node && t->victim_boot[id] == s->boot &&
			    nodeset_count(s->ring_members) > 1)
				st.self_victim = true;
		} else if (t->proven_boot[id] && !nodeset_has(s->ring_members, id) &&
			   (t->proven_boot[id] == w->node[id].boot || !w->node[id].runs)) {
			f->state = FENCE_NODE_DEAD;
		}
	}
	step(node, &ev);
}

/* --- the core --- */

static void start(uint32_t node)
{
	struct truth *t = truth();
	static struct place_config cfg;
	struct place_event ev = { .type = PLACE_EV_START };

	memset(&cfg, 0, sizeof(cfg));
	cfg.frame.n_nodes = model->nodes;
	for (uint32_t n = 1; n <= model->nodes; n++) {
		cfg.frame.nodeid[n - 1] = n;
		cfg.frame.node_name[n - 1][0] = (char)('a' + n - 1);
	}
	cfg.frame.n_services = cfg.frame.n_volumes = 1;
	strcpy(cfg.frame.volume[0], "data");
	strcpy(cfg.frame.service[0].name, "web");
	cfg.frame.service[0].enabled = true;
	cfg.frame.service[0].n = 1;
	cfg.frame.service[0].is_volume[0] = true;
	cfg.self = node;
	cfg.life = net_life(node);
	cfg.hash = 7;
	cfg.tag[0] = (char)('a' + node);
	cfg.absent_ms = 8000;
	cfg.deny_ms = STOP_MS / 4;
	cfg.hasten_ms = STOP_MS / 2;
	cfg.stop_ms = STOP_MS;
	cfg.cool_ms = 60000;
	cfg.kill_retry_ms = 5000;
	cfg.prepare_retry_ms = 16000;
	cfg.unknowns_max = 3;
	cfg.intent = 1;
	cfg.enabled[0] = true;
	if (t->ours_boot[node] == w->node[node].boot)
		cfg.ours[0] = t->ours[node];
	if (!w->node[node].met && w->node[node].boot > 1)
		set_active(node, false);
	w->node[node].core = place_new(&cfg);
	t->minority_ms[node] = 0;
	step(node, &ev);
	tell(node);
}

static void drop_run(unsigned i)
{
	struct truth *t = truth();

	t->run[i] = t->run[--t->n_runs];
	memset(&t->run[t->n_runs], 0, sizeof(t->run[0]));
}

/* The daemon ends, and its drivers with it; what is active stays so while the kernel runs. */
static void stopped(uint32_t node)
{
	for (unsigned i = truth()->n_runs; i-- > 0;)
		if (truth()->run[i].node == node)
			drop_run(i);
	place_free(w->node[node].core);
}

static void kernels(void)
{
	for (uint32_t n = 1; n <= model->nodes; n++)
		if (!w->node[n].runs)
			set_active(n, false);
}

/* What the world does at once, after the actions of a step are carried out: a step must not run within one. */
struct due {
	struct place_event ev[8];
	unsigned n;
	bool reboot, left;
};

static void drive(uint32_t node, const struct place_action *a, struct due *due)
{
	struct truth *t = truth();

	if (a->drive.op == DRIVE_PREPARE || a->drive.op == DRIVE_PROBE) {
		struct place_event *ev = &due->ev[due->n++];

		*ev = (struct place_event){ .type = PLACE_EV_DRIVER };
		ev->driver.run = a->drive.run;
		ev->driver.result = a->drive.op == DRIVE_PROBE && !t->active[node] ? DRIVE_NONE
										   : DRIVE_OK;
		ev->driver.why = "";
		return;
	}
	TRACE(search_trace,
	      (.ms = w->now_ms, .node = node, .kind = TRACE_DRIVER, .state = TRACE_IS_ASKED,
	       .name = drive_op_name(a->drive.op)),
	      "%s", "");
	if (t->n_runs < RUNS_MAX)
		t->run[t->n_runs++] = (struct run){ .node = (uint8_t)node,
						    .op = (uint8_t)a->drive.op,
						    .id = a->drive.run,
						    .began_ms = w->now_ms,
						    .epoch = a->drive.epoch };
}

static void carry_out(uint32_t node, const struct place_action *a, struct due *due)
{
	struct truth *t = truth();

	switch (a->type) {
	case PLACE_ACT_SEND: net_send(node, a->send.data, a->send.len); break;
	case PLACE_ACT_DRIVE: drive(node, a, due); break;
	case PLACE_ACT_LOCK:
		due->ev[due->n] = (struct place_event){ .type = PLACE_EV_LOCK };
		due->ev[due->n].lock.volume = a->lock.volume;
		due->ev[due->n++].lock.held = true;
		break;
	case PLACE_ACT_LOOK: {
		static struct place_look nothing = { .active = DRIVE_NONE };

		due->ev[due->n] = (struct place_event){ .type = PLACE_EV_LOOK };
		due->ev[due->n++].look.v = &nothing; /* nobody acts by hand here */
		break;
	}
	case PLACE_ACT_FENCE:
		if (!t->victim[a->fence.node] &&
		    t->proven_boot[a->fence.node] != w->node[a->fence.node].boot) {
			t->victim[a->fence.node] = true;
			t->victim_boot[a->fence.node] = w->node[a->fence.node].boot;
			news();
		}
		break;
	case PLACE_ACT_REBOOT: due->reboot = true; break;
	case PLACE_ACT_STATE:
		t->ours[node] = place_ours(w->node[node].core, 0);
		t->ours_boot[node] = w->node[node].boot;
		break;
	case PLACE_ACT_LEFT: due->left = true; break;
	case PLACE_ACT_NOTE:
		if (a->note.note == PLACE_NOTE_RUNNING || a->note.note == PLACE_NOTE_STOPPED)
			TRACE(search_trace,
			      (.ms = w->now_ms, .node = node, .kind = TRACE_SERVICE, .name = "web",
			       .state = a->note.note == PLACE_NOTE_RUNNING ? TRACE_IS_RUNNING
									   : TRACE_IS_STOPPED),
			      "%s", "");
		else if (a->note.text)
			TRACE(search_trace,
			      (.ms = w->now_ms, .node = node, .kind = TRACE_NOTE,
			       .name = "storaged"),
			      "%s", a->note.text);
		break;
	case PLACE_ACT_CANCEL:
	case PLACE_ACT_UNLOCK:
	case PLACE_ACT_MONITOR:
	case PLACE_ACT_BEAT:
	case PLACE_ACT_STORE:
	case PLACE_ACT_SOON:
	case PLACE_ACT_ANSWER: break;
	}
}

static void step(uint32_t node, const struct place_event *ev)
{
	static struct place_actions out;
	struct snode *s = &w->node[node];
	struct place_event now = *ev;
	struct due due;
	uint64_t join = s->join;

	due.n = 0;
	due.reboot = due.left = false;
	search_touch(node);
	now.now_ms = w->now_ms;
	place_step(s->core, &now, &out);
	if (place_broken(s->core))
		search_broken(place_broken(s->core), node, "an invariant of the core");
	for (unsigned i = 0; i < out.n && due.n < 7; i++)
		carry_out(node, &out.v[i], &due);
	if (due.reboot) {
		set_active(node, false);
		net_life_ends(node, true, false);
	} else if (due.left) {
		net_leave(node);
	}
	for (unsigned i = 0; i < due.n && s->proc && s->join == join; i++)
		step(node, &due.ev[i]);
}

static void view(uint32_t node, const struct sview *v)
{
	struct place_event ev = { .type = PLACE_EV_VIEW };
	struct truth *t = truth();

	t->minority_ms[node] = v->quorate             ? 0
			       : t->minority_ms[node] ? t->minority_ms[node]
						      : w->now_ms;
	ev.view.id = v->id;
	ev.view.quorate = v->quorate;
	ev.view.nodes = v->nodes;
	ev.view.members = v->members;
	step(node, &ev);
}

static void message(uint32_t node, uint32_t from, const void *data, size_t len)
{
	struct place_event ev = { .type = PLACE_EV_DELIVER };

	ev.deliver.from = from;
	ev.deliver.data = data;
	ev.deliver.len = len;
	step(node, &ev);
}

static void timeout(uint32_t node)
{
	step(node, &(struct place_event){ .type = PLACE_EV_TIMEOUT });
}

static uint64_t deadline(uint32_t node)
{
	return place_deadline_ms(w->node[node].core);
}

static uint64_t limit(void)
{
	const struct truth *t = truth();
	uint64_t at = UINT64_MAX;

	for (unsigned i = 0; i < t->n_runs; i++)
		if (net_awake(t->run[i].node) && t->run[i].began_ms + AGENT_LATE_MS < at)
			at = t->run[i].began_ms + AGENT_LATE_MS;
	for (uint32_t n = 1; n <= model->nodes; n++)
		if (net_awake(n) && w->node[n].proc && t->told[n] != t->news &&
		    t->news_ms + MSG_LATE_MS < at)
			at = t->news_ms + MSG_LATE_MS;
	return at;
}

/* --- choices --- */

static unsigned choices(struct choice *ret)
{
	const struct truth *t = truth();
	unsigned n = 0;

	kernels();
	note_victims();
	for (unsigned i = 0; i < t->n_runs; i++) {
		if (!net_awake(t->run[i].node))
			continue;
		ret[n++] = (struct choice){ DO_DRIVER, (uint8_t)i, 0 };
		for (uint8_t bad = BAD_FAILED; w->budget.driver && bad <= BAD_FAILED_ACTS; bad++)
			if (bad != BAD_FAILED_ACTS || t->run[i].op == DRIVE_START)
				ret[n++] = (struct choice){ DO_DRIVER, (uint8_t)i, bad };
	}
	for (uint8_t id = 1; id <= model->nodes; id++) {
		if (net_awake(id) && w->node[id].proc && t->told[id] != t->news)
			ret[n++] = (struct choice){ DO_TELL, id, 0 };
		if (t->victim[id] && may_fence(id))
			ret[n++] = (struct choice){ DO_FENCE, id, 0 };
	}
	return n;
}

static void driver_ends(unsigned i, unsigned bad)
{
	static const enum drive_result result[] = { DRIVE_OK, DRIVE_FAILED, DRIVE_UNKNOWN,
						    DRIVE_UNKNOWN, DRIVE_FAILED };
	static const enum trace_state look[] = { TRACE_IS_DONE, TRACE_IS_FAILED, TRACE_IS_UNKNOWN,
						 TRACE_IS_UNKNOWN, TRACE_IS_FAILED };
	struct truth *t = truth();
	struct run r = t->run[i];
	struct place_event ev = { .type = PLACE_EV_DRIVER };
	bool acts = bad == 0 || bad == BAD_UNKNOWN_ACTS || bad == BAD_FAILED_ACTS;

	drop_run(i);
	w->budget.driver -= bad != 0;
	TRACE(search_trace,
	      (.ms = w->now_ms, .node = r.node, .kind = TRACE_DRIVER, .state = look[bad],
	       .name = drive_op_name((enum drive_op)r.op)),
	      "%s",
	      bad == 0 ? ""
	      : acts   ? "but it did its work"
		       : "nothing was done");
	ev.driver.run = r.id;
	ev.driver.result = result[bad];
	ev.driver.why = "";
	if (r.op == DRIVE_START && acts) {
		/* SAFE-1, the one rule */
		for (uint32_t o = 1; o <= model->nodes; o++)
			if (o != r.node && t->active[o])
				search_broken(
					"SAFE-1", r.node,
					"activates the volume while node %u life %u may write it",
					o, w->node[o].boot);
		t->epoch = r.epoch > t->epoch ? r.epoch : t->epoch + 1;
		ev.driver.epoch = t->epoch;
		ev.driver.ours = true;
		set_active(r.node, true);
	} else if ((r.op == DRIVE_STOP || r.op == DRIVE_KILL) && acts) {
		set_active(r.node, false);
	}
	step(r.node, &ev);
}

static void apply(struct choice c)
{
	switch (c.op) {
	case DO_DRIVER: driver_ends(c.a, c.b); break;
	case DO_FENCE: fence(c.a); break;
	case DO_TELL: tell(c.a); break;
	default: break;
	}
}

/* SAFE-7: without quorum for longer than stop_ms and a driver's time, nothing is active. */
static void check(void)
{
	const struct truth *t = truth();

	kernels();
	note_victims();
	for (uint32_t n = 1; n <= model->nodes; n++)
		if (net_awake(n) && w->node[n].proc && t->active[n] && t->minority_ms[n] &&
		    w->now_ms > t->minority_ms[n] + STOP_MS + 1000)
			search_broken("SAFE-7", n,
				      "has the volume active %u ms after it lost quorum",
				      (unsigned)(w->now_ms - t->minority_ms[n]));
}

static uint64_t hash_core(uint32_t node)
{
	static struct place c;
	const struct place *p = w->node[node].core;
	size_t own = (sizeof(struct place) + 63) & ~(size_t)63;

	memcpy(&c, p, offsetof(struct place, out));
	c.now_ms = 0;
	memset(&c.scratch, 0, sizeof(c.scratch));
	memset(&c.sync_scratch, 0, sizeof(c.sync_scratch));

	uint64_t h = search_hash(w->now_ms, &c, offsetof(struct place, out));

	return search_hash(h, (const char *)p + own, w->node[node].region_used - own);
}

static uint64_t hash_model(void)
{
	return search_hash(w->now_ms, truth(), sizeof(struct truth));
}

#define STORE_MODEL                                                                               \
	.rules = "SAFE-1, SAFE-7 (truth), place_broken()", .events = "driver fence tell",         \
	.start = start, .stopped = stopped, .view = view, .message = message, .timeout = timeout, \
	.deadline = deadline, .limit = limit, .choices = choices, .apply = apply, .check = check, \
	.hash_core = hash_core, .hash_model = hash_model

const struct model search_store2 = {
	.name = "store2",
	.what = "storaged/core, two nodes (two_node), one service; fencing and drivers as stubs, no lock, no record",
	.nodes = 2,
	.two_node = true,
	.depth = 8,
	.budget = { .cut = 1,
		    .heal = 1,
		    .freeze = 1,
		    .panic = 1,
		    .boot = 1,
		    .kill = 1,
		    .driver = 1 },
	STORE_MODEL,
};

const struct model search_store3 = {
	.name = "store3",
	.what = "storaged/core, three nodes, the same",
	.nodes = 3,
	.depth = 6,
	.budget = { .cut = 1,
		    .heal = 1,
		    .freeze = 1,
		    .panic = 1,
		    .boot = 1,
		    .kill = 1,
		    .driver = 1 },
	STORE_MODEL,
};
