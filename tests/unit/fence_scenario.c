/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tests/unit/fence_scenario.c - plays tests/scenario/fence/NAME.scn against real cores of the fence domain (scenario.h).
 *
 * The world is exact, not random: messages arrive at once and in order, an agent answers after 100 ms, the truth unless the
 * text says otherwise. One line, one command; # begins a comment:
 *
 *	nodes N [levels L] [devices D] [storage K]   first of all; two nodes have two_node quorum; level K (1..) cuts storage
 *	boot N-N                                a new life each, one ring of all that run
 *	ring N,N [noquorum]                     these form a ring; who is left out of all keeps its old view
 *	crash N                                 its kernel is gone, it is still powered; nobody is told yet
 *	kill N | start N [JOIN]                 its fenced is gone, a new one starts, or one of an earlier number; the ring stays
 *	knows N N,N                             before boot: the nodes of its configuration file; else all
 *	freeze N | thaw N | mute N | speak N    it takes nothing meanwhile; its messages are held back, then come; time goes on
 *	agent N off|status|on done|failed|timeout|unknown|off|on|lie|hang [COUNT]     for runs about N
 *	return N ANSWER                         what hangs there ends so
 *	answer BY RUN ANSWER                    an agent's answer reaches fenced of BY, whether or not that waits for it
 *	path N ok|fail [DEVICE] | check N       readiness checks of N; N is to ask all of them now
 *	send N newer|flood | send N request|attempt|seen|proof VICTIM [NUMBER] [boot BOOT] [stale]
 *	                                        what a core would not say now: tests/unit/fence_forge.h; stale: of the ring before
 *	signs N WEIGHT [holds] [fresh|stale] [M=fresh|M=stale] [M:MS]     M:MS: M's heartbeat on the disk moves and says that it is armed
 *	loop TIMES MS                           before boot: fenced so often within so long is too often; a node keeps that on its disk
 *	silent N storaged|dlmd|none              that daemon of N does not answer its fenced
 *	watchdog N MS                           its watchdog is armed (0: disarmed); `nodes N levels L watchdog 1`: the last level is that
 *	gateway N fresh|stale | drill N VICTIM [LEVEL] | admit N WHOM | request N VICTIM | ack N VICTIM [force] TEXT... | leave N
 *	attest N VICTIM [BOOT] | dying N VICTIM [BOOT]    N hears a hypervisor: this (the latest) boot of VICTIM is, or will be, over
 *	wait MS | expect state BY NODE STATE | expect proof BY NODE KIND | expect offs NODE COUNT | expect informed N yes|no
 *	expect held BY NODE yes|no | expect pets N yes|no | expect letgo N no|later|now|over | expect drill BY NODE none|untested|tested (then of which level: tested1)
 *	expect ready BY NODE yes|no | expect reboots N COUNT | expect phase BY NODE PHASE
 */
#include "fenced/core/fence.h"

#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fence_forge.h"
#include "fence_notes.h"
#include "scenario.h"

#define N_MAX 5
#define QUEUE_MAX 512
#define RUNS_MAX 64
#define RULES_MAX 16
#define AGENT_MS 100

struct message {
	uint32_t from, to;
	uint64_t seq; /* of the ring */
	size_t len;
	uint8_t *data;
};

struct node {
	struct fence_domain *dom;
	bool runs, frozen, mute;
	uint64_t look_ms,
		look_each_ms;        /* guard.c looks five times in a timeout; 0: it is not armed */
	uint64_t shown_ms, moved_ms; /* of its signs */
	unsigned path_fails;         /* bits by device */
	bool off;                    /* power */
	unsigned boot, reboots, offs;
	uint64_t ring, join;
	struct nodeset ring_nodes;
	bool quorate;
	struct nodeset told_members, told_nodes; /* its last view */
	struct nodeset knows;                    /* empty: all */
	struct fence_stored disk;                /* what it keeps over its lives */
	uint64_t disk_ms;
	unsigned disk_boot;
};

struct run {
	bool used, check, hangs;
	uint32_t by, node, device;
	uint64_t id, end_ms;
	enum fence_agent_action action;
	enum fence_answer answer;
};

struct rule {
	uint32_t node;
	enum fence_agent_action action;
	char answer[16];
	unsigned count;
};

static struct world {
	unsigned n;
	uint8_t levels, devices, storage, loop_max, watchdog;
	uint32_t loop_ms;
	uint64_t now_ms, seq, joins;
	struct node node[N_MAX + 1];
	struct message queue[QUEUE_MAX];
	unsigned n_queue;
	struct run run[RUNS_MAX];
	struct rule rule[RULES_MAX];
} w;

static void boot_id(uint32_t node, unsigned boot, uint8_t id[BOOT_ID_BYTES])
{
	memset(id, 0, BOOT_ID_BYTES);
	id[0] = (uint8_t)node;
	id[1] = (uint8_t)boot;
	id[15] = 1;
}

static void step(uint32_t id, struct fence_event ev);

/* --- agents --- */

static struct rule *rule_for(uint32_t node, enum fence_agent_action action)
{
	for (unsigned i = 0; i < RULES_MAX; i++)
		if (w.rule[i].count && w.rule[i].node == node && w.rule[i].action == action)
			return &w.rule[i];
	return NULL;
}

static enum fence_answer answer_of(const char *s)
{
	static const char *const names[] = { "unknown", "done", "on", "off", "failed", "timeout" };

	for (unsigned i = 0; i < 6; i++)
		if (strcmp(s, names[i]) == 0)
			return (enum fence_answer)i;
	bad("no answer %s", s);
	return FENCE_ANSWER_UNKNOWN;
}

static void start_run(uint32_t by, const struct fence_action *a)
{
	struct run *r = w.run;
	bool check = a->type == FENCE_ACT_CHECK;

	while (r < w.run + RUNS_MAX && r->used)
		r++;
	assert_true(r < w.run + RUNS_MAX);
	*r = (struct run){
		.used = true, .check = check, .by = by, .end_ms = w.now_ms + (check ? 0 : AGENT_MS)
	};
	r->id = check ? a->check.check : a->run.run;
	r->node = check ? a->check.node : a->run.node;
	r->device = check ? a->check.device : a->run.device;
	if (check)
		return;
	struct node *n = &w.node[r->node];
	struct rule *rule = rule_for(r->node, a->run.action);

	r->action = a->run.action;
	n->offs += r->action == FENCE_AGENT_OFF;
	trace("  n%u runs %s on n%u level %u device %u\n", by, fence_action_name(r->action),
	      r->node, a->run.level, a->run.device);
	if (rule && rule->count != UINT32_MAX)
		rule->count--;
	if (rule && strcmp(rule->answer, "hang") == 0) {
		r->hangs = true;
		r->end_ms = UINT64_MAX;
	} else if (rule && strcmp(rule->answer, "lie") == 0) {
		r->answer = FENCE_ANSWER_DONE;
	} else if (rule) {
		r->answer = answer_of(rule->answer);
	} else if (r->action == FENCE_AGENT_STATUS) {
		r->answer = n->off ? FENCE_ANSWER_OFF : FENCE_ANSWER_ON;
	} else {
		r->answer = FENCE_ANSWER_DONE;
		n->off = r->action == FENCE_AGENT_OFF;
		if (n->off &&
		    a->run.level + 1u != w.storage) { /* who is cut off from storage runs on */
			n->runs = false;
			n->dom = fence_free(n->dom);
		}
	}
}

static void end_run(struct run *r)
{
	struct fence_event ev = { .type = r->check ? FENCE_EV_READY_DONE : FENCE_EV_RUN_DONE };
	char text[80];

	snprintf(text, sizeof(text), "dev: %s of n%u: %s", fence_action_name(r->action), r->node,
		 fence_answer_name(r->answer));
	r->used = false;
	if (r->check) {
		ev.ready_done.check = r->id;
		ev.ready_done.ok = !(w.node[r->node].path_fails >> r->device & 1);
		ev.ready_done.text = ev.ready_done.ok ? "" : "dev: no answer";
	} else {
		ev.run_done.run = r->id;
		ev.run_done.answer = r->answer;
		ev.run_done.text = text;
	}
	step(r->by, ev);
}

/* --- one step --- */

static void show(uint32_t id, const struct fence_action *a)
{
	const char *sep = a->history.text[0] ? ": " : "";

	if (a->history.note == FENCE_NOTE_VIEW || a->history.note == FENCE_NOTE_READY)
		return;
	trace("  n%u: n%u %s", id, a->history.node, note_name(a->history.note));
	if (a->history.note == FENCE_NOTE_PROOF)
		trace(" %s", proof_kind_name(a->history.kind));
	if (a->history.note == FENCE_NOTE_VICTIM)
		trace(" %s", fence_reason_name(a->history.reason));
	if (a->history.note == FENCE_NOTE_ATTEMPT)
		trace(" %u by n%u", a->history.number, a->history.by);
	if (a->history.ms)
		trace(" %u ms", a->history.ms);
	trace("%s%s\n", sep, a->history.text);
}

static void carry_out(uint32_t id, const struct fence_actions *out, const struct fence_action *a)
{
	struct node *n = &w.node[id];

	switch (a->type) {
	case FENCE_ACT_SEND:
		for (uint32_t to = 1; to <= w.n; to++) {
			assert_true(w.n_queue < QUEUE_MAX);
			struct message *m = &w.queue[w.n_queue];

			if (!nodeset_has(n->ring_nodes, to))
				continue;
			*m = (struct message){
				.from = id, .to = to, .seq = n->ring, .len = out->msg_len
			};
			m->data = malloc(out->msg_len);
			assert_non_null(m->data);
			memcpy(m->data, out->msg, out->msg_len);
			w.n_queue++;
		}
		break;
	case FENCE_ACT_RUN:
	case FENCE_ACT_CHECK: start_run(id, a); break;
	case FENCE_ACT_CANCEL_RUN:
		trace("  n%u cancels its run\n", id);
		for (unsigned i = 0; i < RUNS_MAX; i++)
			if (w.run[i].used && !w.run[i].check && w.run[i].by == id &&
			    w.run[i].id == a->cancel)
				w.run[i].used = false;
		break;
	case FENCE_ACT_REBOOT_SELF:
		trace("  n%u reboots itself\n", id);
		n->reboots++;
		break;
	case FENCE_ACT_LEFT: trace("  n%u leaves\n", id); break;
	case FENCE_ACT_ACK_DONE:
		trace("  n%u answers the acknowledgement of n%u: %s: %s\n", id, a->ack.node,
		      a->ack.rc ? strerror(-a->ack.rc) : "ok", a->ack.text);
		break;
	case FENCE_ACT_HURRY:
		trace("  n%u hurries corosync%s\n", id, a->hurry.again ? " again" : "");
		break;
	case FENCE_ACT_HISTORY: show(id, a); break;
	case FENCE_ACT_STORE:
		fence_stored(n->dom, &n->disk);
		n->disk_ms = w.now_ms;
		n->disk_boot = n->boot;
		break;
	case FENCE_ACT_PUBLISH: break;
	}
}

static void step(uint32_t id, struct fence_event ev)
{
	struct node *n = &w.node[id];
	struct fence_actions *out = malloc(sizeof(*out));
	bool ends = false;

	n->look_ms = w.now_ms;
	assert_non_null(out);
	out->n = 0;
	ev.now_ms = w.now_ms;
	if (n->dom && !n->frozen) {
		int r = fence_step(n->dom, &ev, out);

		if (r < 0 && r != -EAGAIN && r != -ESTALE)
			trace("  n%u refuses: %s\n", id, fence_refusal(n->dom));
		else if (r == -EAGAIN && ev.type != FENCE_EV_DELIVER)
			trace("  n%u cannot now: %s\n", id, fence_refusal(n->dom));
	}
	for (unsigned i = 0; i < out->n; i++) {
		carry_out(id, out, &out->v[i]);
		ends = ends || out->v[i].type == FENCE_ACT_REBOOT_SELF ||
		       out->v[i].type == FENCE_ACT_LEFT;
	}
	if (ends)
		n->dom = fence_free(n->dom);
	free(out);
}

/* --- rings --- */

static struct nodeset group_of(const struct node *n)
{
	struct nodeset s = NODESET_EMPTY;

	nodeset_for_each (id, n->ring_nodes)
		if (w.node[id].dom && w.node[id].ring == n->ring)
			nodeset_add(&s, id);
	return s;
}

static void tell_view(uint32_t id, struct nodeset fell)
{
	struct node *n = &w.node[id];
	struct fence_event ev = { .type = FENCE_EV_VIEW };
	struct nodeset members = group_of(n);

	if (!n->dom || n->frozen)
		return;
	ev.view.id = (struct view_id){ n->ring, nodeset_lowest(n->ring_nodes) };
	ev.view.quorate = n->quorate;
	ev.view.two_node = w.n == 2;
	ev.view.nodes = n->ring_nodes;
	ev.view.members = members;
	ev.view.joined = nodeset_minus(members, n->told_members);
	ev.view.left_nodedown = nodeset_or(nodeset_minus(n->told_nodes, n->ring_nodes), fell);
	ev.view.left_other = nodeset_minus(nodeset_minus(n->told_members, members),
					   ev.view.left_nodedown);
	n->told_members = members;
	n->told_nodes = n->ring_nodes;
	step(id, ev);
}

static void settle(void);

static void group_changed(struct nodeset nodes, uint32_t again)
{
	nodeset_for_each (id, nodes) {
		if (again && id != again)
			nodeset_del(&w.node[id].told_members, again); /* a new process */
		tell_view(id, NODESET_EMPTY);
	}
	settle();
}

static void ring(struct nodeset nodes, bool quorum)
{
	w.seq += 4;
	nodeset_for_each (id, nodes) {
		struct node *n = &w.node[id];

		n->ring = w.seq;
		n->ring_nodes = nodes;
		n->quorate = quorum && (w.n == 2 || 2 * nodeset_count(nodes) > w.n);
	}
	nodeset_for_each (id, nodes)
		tell_view(id, NODESET_EMPTY);
	settle();
}

static void start(uint32_t id, uint64_t join)
{
	struct node *n = &w.node[id];
	struct fence_config cfg = { .self = { .nodeid = id, .join = join ? join : ++w.joins },
				    .hash = 1,
				    .reboot = true,
				    .cut_delay_ms = 5000,
				    .post_join_ms = 20000,
				    .absent_ms = 10000,
				    .retry_min_ms = 1000,
				    .retry_max_ms = 8000,
				    .ready_interval_ms = 60000,
				    .ready_age_ms = 150000,
				    .drill_wait_ms = 20000,
				    .confirm_ms = 4000,
				    .stall_ms = 1000,
				    .hurry_alone_ms = 100,
				    .hurry_ms = 400 };

	boot_id(id, n->boot, cfg.self.boot_id);
	cfg.dog_grace_ms = 5000;
	cfg.dog_margin_ms = 5000;
	cfg.word_fresh_ms = 3000;
	cfg.loop_max = w.loop_max;
	cfg.loop_ms = w.loop_ms;
	cfg.held = n->disk.held;
	memcpy(cfg.fenced, n->disk.fenced, sizeof(cfg.fenced));
	memcpy(cfg.drill, n->disk.drill, sizeof(cfg.drill));
	if (n->disk_boot == n->boot) {
		cfg.kept_view = n->disk.kept_view;
		cfg.n_kept = n->disk.n_kept;
		memcpy(cfg.kept, n->disk.kept, sizeof(cfg.kept));
	}
	for (uint32_t i = 1; i <= w.n; i++)
		for (unsigned k = 0; k < cfg.fenced[i].n; k++)
			cfg.fenced[i].age_ms[k] += (uint32_t)(w.now_ms - n->disk_ms);
	for (uint32_t i = 1; i <= w.n; i++) {
		if (nodeset_empty(n->knows) || nodeset_has(n->knows, i))
			nodeset_add(&cfg.nodes, i);
		cfg.path[i].n_levels = w.levels;
		for (unsigned k = 0; k < w.levels; k++)
			cfg.path[i].n_devices[k] = w.devices;
		if (w.watchdog) {
			cfg.path[i].watchdog[w.levels - 1] = true;
			cfg.path[i].n_devices[w.levels - 1] = 1;
		}
		if (w.storage) {
			cfg.path[i].storage[w.storage - 1] = true;
			cfg.path[i].no_on[w.storage - 1] = 0xff;
		}
	}
	n->dom = fence_new(&cfg);
	assert_non_null(n->dom);
	n->told_members = n->told_nodes = NODESET_EMPTY;
}

/* Deliver what waits, and what that causes, and the checks that end at once. */
static void settle(void)
{
	for (;;) {
		unsigned i = 0, k = 0;

		while (i < w.n_queue &&
		       (w.node[w.queue[i].to].frozen || w.node[w.queue[i].from].mute))
			i++;
		if (i < w.n_queue) {
			struct message m = w.queue[i];
			struct fence_event ev = { .type = FENCE_EV_DELIVER,
						  .deliver = { m.from, m.data, m.len } };

			memmove(w.queue + i, w.queue + i + 1, (--w.n_queue - i) * sizeof(m));
			if (w.node[m.to].ring == m.seq)
				step(m.to, ev);
			free(m.data);
			continue;
		}
		while (k < RUNS_MAX && !(w.run[k].used && w.run[k].end_ms <= w.now_ms &&
					 !w.node[w.run[k].by].frozen))
			k++;
		if (k == RUNS_MAX)
			return;
		end_run(&w.run[k]);
	}
}

static uint64_t due_ms(const struct node *n)
{
	uint64_t due = fence_deadline_ms(n->dom), look = n->look_ms + n->look_each_ms;

	return n->look_each_ms && look < due ? look : due;
}

static void pass(uint64_t ms)
{
	uint64_t end = w.now_ms + ms;

	for (;;) {
		uint64_t next = end;

		for (uint32_t id = 1; id <= w.n; id++)
			if (w.node[id].dom && !w.node[id].frozen && due_ms(&w.node[id]) < next)
				next = due_ms(&w.node[id]);
		for (unsigned i = 0; i < RUNS_MAX; i++)
			if (w.run[i].used && w.run[i].end_ms < next && !w.node[w.run[i].by].frozen)
				next = w.run[i].end_ms;
		if (next > w.now_ms)
			w.now_ms = next;
		for (uint32_t id = 1; id <= w.n; id++)
			if (w.node[id].dom && !w.node[id].frozen && due_ms(&w.node[id]) <= w.now_ms)
				step(id, (struct fence_event){ .type = FENCE_EV_TIMEOUT });
		settle();
		if (next == end)
			return;
	}
}

/* --- the text --- */

static enum fence_agent_action action_arg(const char *s)
{
	return is(s, "off") ? FENCE_AGENT_OFF : is(s, "on") ? FENCE_AGENT_ON : FENCE_AGENT_STATUS;
}

static void cmd_agent(char **a)
{
	struct rule *r = w.rule;
	uint32_t node = node_arg(a[1]);

	for (unsigned i = 0; i < RULES_MAX; i++)
		if (w.rule[i].node == node && w.rule[i].action == action_arg(a[2]))
			w.rule[i].count = 0;
	if (is(a[3], "truth"))
		return;
	while (r < w.rule + RULES_MAX && r->count)
		r++;
	assert_true(r < w.rule + RULES_MAX);
	r->node = node;
	r->action = action_arg(a[2]);
	snprintf(r->answer, sizeof(r->answer), "%s", a[3]);
	r->count = a[4] ? number_arg(a[4]) : UINT32_MAX;
}

static void cmd_signs(char **a, unsigned n)
{
	struct fence_event ev = { .type = FENCE_EV_SIGNS, .signs.still = true };

	ev.signs.weight = number_arg(a[2]);
	for (unsigned i = 3; i < n; i++) {
		char *eq = strchr(a[i], '='), *colon = strchr(a[i], ':');

		if (colon) {
			struct fence_word *x = &ev.signs.word[ev.signs.n_words++];

			*colon = '\0';
			x->nodeid = number_arg(a[i]);
			x->armed_ms = number_arg(colon + 1);
			x->at_ms = w.now_ms;
			boot_id(x->nodeid, w.node[x->nodeid].boot, x->boot_id);
		} else if (is(a[i], "holds"))
			ev.signs.holds = true;
		else if (is(a[i], "gap")) /* our beats came too late once */
			w.node[node_arg(a[1])].shown_ms = w.now_ms;
		else if (is(a[i], "slow")) /* what was read may be from before */
			ev.signs.still = false;
		else if (is(a[i], "moved")) /* a beat of the other one, no sample saw it */
			w.node[node_arg(a[1])].moved_ms = w.now_ms;
		else if (eq)
			ev.signs.peer[number_arg((*eq = '\0', a[i]))] = is(eq + 1, "fresh")
										? LIFE_FRESH
									: is(eq + 1, "unknown")
										? LIFE_UNKNOWN
										: LIFE_STALE;
		else
			ev.signs.self = is(a[i], "fresh") ? LIFE_FRESH : LIFE_STALE;
	}
	ev.signs.shown_ms = w.node[node_arg(a[1])].shown_ms;
	ev.signs.moved_ms = w.node[node_arg(a[1])].moved_ms;
	step(node_arg(a[1]), ev);
}

static const char *phase_name(enum fence_phase p)
{
	static const char *const names[] = { "none", "delay", "off",  "verify",
					     "on",   "retry", "wait", "watchdog" };

	return names[p];
}

static void cmd_expect(char **a)
{
	static struct fence_status st;
	uint32_t by = node_arg(a[2]);
	const char *want = a[4] ? a[4] : a[3], *got = "?";
	char num[16];

	if (is(a[1], "pets") && w.node[by].dom) {
		const char *why;

		step(by, (struct fence_event){ .type = FENCE_EV_TIMEOUT });
		got = fence_may_pet(w.node[by].dom, w.now_ms, &why) ? "yes" : "no";
	} else if (is(a[1], "letgo") && w.node[by].dom) {
		struct fence_state s;

		fence_snapshot(w.node[by].dom, w.now_ms, &s);
		got = !s.let_go_ms                 ? "no"
		      : w.now_ms < s.let_go_ms     ? "later"
		      : w.now_ms < s.let_go_end_ms ? "now"
						   : "over";
	} else if (is(a[1], "offs") || is(a[1], "reboots")) {
		snprintf(num, sizeof(num), "%u",
			 is(a[1], "offs") ? w.node[by].offs : w.node[by].reboots);
		got = num;
	} else if (!w.node[by].dom) {
		got = "nothing: it has no fenced";
	} else {
		fence_status(w.node[by].dom, w.now_ms, &st);
		const struct fence_node_status *n = is(a[1], "informed")
							    ? &st.node[0]
							    : &st.node[node_arg(a[3]) - 1];

		if (is(a[1], "informed"))
			got = st.pub.informed ? "yes" : "no";
		else if (is(a[1], "state"))
			got = fence_node_state_name(n->pub.state);
		else if (is(a[1], "proof"))
			got = proof_kind_name(n->pub.proof.kind);
		else if (is(a[1], "ready"))
			got = n->pub.ready ? "yes" : "no";
		else if (is(a[1], "held"))
			got = n->held ? "yes" : "no";
		else if (is(a[1], "phase"))
			got = phase_name(n->phase);
		else if (is(a[1], "drill") && n->drill.tested) {
			snprintf(num, sizeof(num), "tested%u", n->drill.level + 1u);
			got = num;
		} else if (is(a[1], "drill"))
			got = n->drill.number ? "untested" : "none";
	}
	if (!is(got, want))
		bad("expected %s %s, it is %s", a[1], want, got);
}

static void cmd_boot(struct nodeset nodes)
{
	struct nodeset all = nodes;

	for (uint32_t id = 1; id <= w.n; id++)
		if (w.node[id].runs && w.node[id].dom && !w.node[id].frozen)
			nodeset_add(&all, id);
	nodeset_for_each (id, nodes) {
		w.node[id].dom = fence_free(w.node[id].dom);
		w.node[id].boot++;
		w.node[id].runs = true;
		w.node[id].off = false;
		start(id, 0);
	}
	ring(all, true);
}

static void words(char **a, unsigned from, unsigned n, char *to, size_t len)
{
	to[0] = '\0';
	for (unsigned i = from; i < n; i++)
		snprintf(to + strlen(to), len - strlen(to), "%s%s", i > from ? " " : "", a[i]);
}

/* Words that no core would say now: of another life, another attempt, another ring. */
static void cmd_send(char **a, unsigned n)
{
	uint32_t id = node_arg(a[1]), about = n > 3 ? node_arg(a[3]) : id;
	struct fence_actions *out = calloc(1, sizeof(*out));
	struct fence_action send = { .type = FENCE_ACT_SEND };
	struct node *from = &w.node[id];
	struct forged f = { .from = id,
			    .rep = nodeset_lowest(from->ring_nodes),
			    .ring = from->ring,
			    .what = a[2],
			    .life = { .nodeid = about, .join = UINT32_MAX },
			    .number = 1 };
	unsigned boot = w.node[about].boot;

	assert_non_null(out);
	for (unsigned i = 4; i < n; i++)
		if (is(a[i], "stale"))
			f.ring -= 4;
		else if (is(a[i], "boot"))
			boot = number_arg(a[++i]);
		else
			f.number = number_arg(a[i]);
	boot_id(about, boot, f.life.boot_id);
	out->msg_len = forge(&f, out->msg, sizeof(out->msg));
	assert_true(out->msg_len > 0);
	carry_out(id, out, &send);
	free(out);
}

static void command(char **a, unsigned n)
{
	struct node *nd = n > 1 && !is(a[0], "nodes") && !is(a[0], "loop") && !is(a[0], "expect") &&
					  !is(a[0], "wait") && !strchr(a[1], ',') &&
					  !strchr(a[1], '-')
				  ? &w.node[node_arg(a[1])]
				  : NULL;
	char text[160];

	if (is(a[0], "nodes")) {
		w.n = scenario_nodes = number_arg(a[1]);
		assert_in_range(w.n, 2, N_MAX);
		w.levels = w.devices = 1;
		for (unsigned i = 2; i + 1 < n; i += 2)
			*(is(a[i], "levels")     ? &w.levels
			  : is(a[i], "storage")  ? &w.storage
			  : is(a[i], "watchdog") ? &w.watchdog
						 : &w.devices) = (uint8_t)number_arg(a[i + 1]);
	} else if (is(a[0], "boot")) {
		cmd_boot(nodes_arg(a[1]));
	} else if (is(a[0], "ring")) {
		ring(nodes_arg(a[1]), !is(n > 2 ? a[2] : NULL, "noquorum"));
	} else if (is(a[0], "crash")) {
		nd->dom = fence_free(nd->dom);
		nd->runs = false;
	} else if (is(a[0], "kill")) {
		nd->dom = fence_free(nd->dom);
		group_changed(nd->ring_nodes, 0);
	} else if (is(a[0], "start")) {
		start(node_arg(a[1]), n > 2 ? number_arg(a[2]) : 0);
		group_changed(nd->ring_nodes, node_arg(a[1]));
	} else if (is(a[0], "freeze") || is(a[0], "thaw")) {
		nd->frozen = is(a[0], "freeze");
		if (!nd->frozen && nd->dom && fence_deadline_ms(nd->dom) <= w.now_ms)
			step(node_arg(a[1]), (struct fence_event){ .type = FENCE_EV_TIMEOUT });
	} else if (is(a[0], "mute") || is(a[0], "speak")) {
		nd->mute = is(a[0], "mute");
	} else if (is(a[0], "agent")) {
		cmd_agent(a);
	} else if (is(a[0], "return")) {
		for (unsigned i = 0; i < RUNS_MAX; i++)
			if (w.run[i].used && w.run[i].hangs && w.run[i].node == node_arg(a[1])) {
				w.run[i].answer = answer_of(a[2]);
				w.run[i].end_ms = w.now_ms;
			}
	} else if (is(a[0], "attest") || is(a[0], "dying")) {
		uint32_t victim = node_arg(a[2]);
		struct fence_event ev = { .type = FENCE_EV_ATTEST };

		ev.attest.life.nodeid = victim;
		boot_id(victim, n > 3 ? number_arg(a[3]) : w.node[victim].boot,
			ev.attest.life.boot_id);
		ev.attest.dying = is(a[0], "dying");
		ev.attest.text = "its hypervisor: paniced, destroyed, off";
		step(node_arg(a[1]), ev);
	} else if (is(a[0], "answer")) {
		step(node_arg(a[1]),
		     (struct fence_event){
			     .type = FENCE_EV_RUN_DONE,
			     .run_done = { number_arg(a[2]), answer_of(a[3]), "late" } });
	} else if (is(a[0], "knows")) {
		nd->knows = nodes_arg(a[2]);
	} else if (is(a[0], "check")) {
		step(node_arg(a[1]), (struct fence_event){ .type = FENCE_EV_READY });
	} else if (is(a[0], "send")) {
		cmd_send(a, n);
	} else if (is(a[0], "path")) {
		nd->path_fails = !is(a[2], "fail") ? 0 : a[3] ? 1u << number_arg(a[3]) : ~0u;
	} else if (is(a[0], "signs")) {
		cmd_signs(a, n);
	} else if (is(a[0], "watchdog")) {
		nd->look_each_ms = number_arg(a[2]) / 5;
		step(node_arg(a[1]), (struct fence_event){ .type = FENCE_EV_WATCHDOG,
							   .armed_ms = number_arg(a[2]) });
	} else if (is(a[0], "silent")) {
		uint32_t mute = is(a[2], "storaged") ? 1 : is(a[2], "dlmd") ? 2 : 0;

		step(node_arg(a[1]),
		     (struct fence_event){ .type = FENCE_EV_DAEMONS, .mute = mute });
	} else if (is(a[0], "loop")) {
		w.loop_max = (uint8_t)number_arg(a[1]);
		w.loop_ms = number_arg(a[2]);
	} else if (is(a[0], "gateway")) {
		step(node_arg(a[1]),
		     (struct fence_event){ .type = FENCE_EV_GATEWAY,
					   .gateway = is(a[2], "fresh") ? LIFE_FRESH
									: LIFE_STALE });
	} else if (is(a[0], "admit")) {
		step(node_arg(a[1]),
		     (struct fence_event){ .type = FENCE_EV_ADMIT, .admit = node_arg(a[2]) });
	} else if (is(a[0], "request") || is(a[0], "drill")) {
		step(node_arg(a[1]),
		     (struct fence_event){ .type = FENCE_EV_REQUEST,
					   .request = { node_arg(a[2]), "an operator asks",
							is(a[0], "drill"),
							n > 3 ? (uint8_t)(number_arg(a[3]) - 1)
							      : FENCE_LEVEL_NONE } });
	} else if (is(a[0], "ack")) {
		bool force = is(n > 3 ? a[3] : NULL, "force");

		words(a, force ? 4 : 3, n, text, sizeof(text));
		step(node_arg(a[1]),
		     (struct fence_event){ .type = FENCE_EV_ACK,
					   .ack = { node_arg(a[2]), force, text } });
	} else if (is(a[0], "leave")) {
		step(node_arg(a[1]), (struct fence_event){ .type = FENCE_EV_LEAVE });
	} else if (is(a[0], "wait")) {
		pass(number_arg(a[1]));
	} else if (is(a[0], "expect")) {
		cmd_expect(a);
	} else {
		bad("no command %s", a[0]);
	}
	settle();
}

static void begin(void)
{
	memset(&w, 0, sizeof(w));
	w.now_ms = 100000;
}

static void end(void)
{
	for (uint32_t id = 1; id <= N_MAX; id++)
		fence_free(w.node[id].dom);
	for (unsigned i = 0; i < w.n_queue; i++)
		free(w.queue[i].data);
}

int main(void)
{
	return scenario_main(&(struct scenario){ "fence", begin, command, end });
}
