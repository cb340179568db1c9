/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tests/unit/storage_scenario.c - plays tests/scenario/storage/NAME.scn against real cores (scenario.h).
 *
 * The world is exact, not random: messages arrive at once and in order, drivers answer as the text says (ok if it says
 * nothing), fenced knows what the text tells it. One line, one command; # begins a comment:
 *
 *	nodes N                                       first of all; two nodes have two_node quorum
 *	grades DENY KILL                              ms; 0: left out. Reboot is at 5000
 *	service NAME [order N,N] [ordered] [restricted] [failback] [disabled]     resources: volume, unit, ip
 *	boot N-N | crash N | return N | view N,N [noquorum]
 *	victim N | proof N | ready N yes|no | fenced N yes|no | informed N yes|no | held N yes|no (waits for an operator)
 *	letgo N BEGIN END                             so fenced says, ms from now (0 0: not any more)
 *	ending N                                      fenced heard a hypervisor say that it is, or will be, over
 *	kill N | respawn N [deaf] | leave N           deaf: corosync does not answer it, until the next view
 *	op N COMMAND SERVICE|- [NODE]
 *	driver N OP RESOURCE ok|fail|unknown|hang|refused     for every such run from now on; refused: the disk names another
 *	                                              owner, of a higher epoch
 *	release N                                     what hangs there ends as unknown
 *	monitor N SERVICE RESOURCE ok|fail|unknown|refused     refused: the disk says that this node was cut off
 *	active N SERVICE RESOURCE | gone N SERVICE RESOURCE    behind storaged's back
 *	look N [unknown|mounted]                          the slow period is over: what is active there?
 *	lock held|free                                do locks come at once? (held: by nobody that answers)
 *	lost N SERVICE                                its lock is lost, or what was asked for is refused
 *	ring stands|goes|late                         what is sent waits (until it goes, or the view is over); late: what was sent
 *	                                              in the view before comes in this one, as in one ring whose group has changed
 *	quorum                                        of this view is told late
 *	config N HASH | tag N NAME | knows N N,N      before boot; the initiator's name; whom its fenced knows (else all)
 *	wait MS
 *	expect SERVICE STATE [N] | expect why N SERVICE GATE [WORD] | expect idle SERVICE yes|no | expect beat N SERVICE WHOSE |
 *	expect prepares N COUNT (resources, since this was asked last)
 *	expect released SERVICE EPOCH | expect halt N none|order|deny|kill|reboot
 *	disk N,N SERVICE ok|unknown | disk N,N SERVICE silent|lost MS     own I/O works, or none is done; or has not answered from
 *	                                              now on, for so long (lost: its connection has failed, too)
 *	old N                                         its release is the one before: it does not tell which disks it reaches
 *	record SERVICE N (the record on its disk: active, by N; 0: nobody)
 */
#include "storaged/core/place.h"

#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "scenario.h"
#include "storage_notes.h"

#define N_MAX 5
#define QUEUE_MAX 512
#define HANG_MAX 32

enum answer { SAYS_OK, SAYS_FAIL, SAYS_UNKNOWN, SAYS_HANG, SAYS_REFUSED };

struct item { /* something for one core, in the order in which it arises */
	enum { ITEM_MSG, ITEM_DRIVER, ITEM_LOCK, ITEM_LOOK } what;
	uint32_t to, from;
	size_t len;
	uint8_t *data;
	uint64_t view;
	uint64_t run;
	unsigned s, res;
	enum drive_op op;
	unsigned volume;
	uint64_t epoch;
};

struct node {
	struct place *place;
	bool runs, in_view;
	unsigned boot;
	uint32_t beat[SERVICE_VOLUMES_MAX]; /* whose disk heartbeat it writes or watches */
	uint64_t hash;
	char tag[16];
	struct nodeset knows;
	bool active[SERVICES_MAX][3];
	uint64_t ours[SERVICES_MAX];
	uint64_t intent;
	struct nodeset standby;
	bool enabled[SERVICES_MAX];
	enum answer says[DRIVE_DENY + 1][3];
	bool old, has_fenced, uninformed, not_ready, held, ending, look_fails, look_mounted;
	bool victim, dead;
	uint64_t let_go_ms, let_go_end_ms;
	unsigned prepares;                /* since they were asked for last */
	uint64_t silent_ms[SERVICES_MAX]; /* its disk is since; 0: it is not */
	unsigned dead_boot;
	struct nodeset left_clean;
};

static struct world {
	unsigned n;
	struct place_config cfg;
	struct node node[N_MAX + 1];
	uint64_t now_ms, seq, proofs, req;
	bool quorate, locks_held, stands;
	uint32_t record[SERVICES_MAX]; /* active owner by the record on the disk; 0: nobody */
	struct nodeset nodes, members;
	struct item queue[QUEUE_MAX];
	unsigned head, tail;
	struct item hang[HANG_MAX], sent[HANG_MAX];
	unsigned n_hang, n_sent;
	struct place_actions out;
} w;

static const char *const res_name[] = { "volume", "unit", "ip" };

static struct incarnation life_of(uint32_t id, unsigned boot)
{
	struct incarnation l = { .nodeid = id, .join = 1 };

	l.boot_id[0] = (uint8_t)id;
	l.boot_id[1] = (uint8_t)boot;
	l.boot_id[15] = 1;
	return l;
}

static void put(struct item it)
{
	assert_true(w.tail - w.head < QUEUE_MAX);
	w.queue[w.tail++ % QUEUE_MAX] = it;
}

static void fence_state_of(uint32_t at, struct fence_state *st)
{
	memset(st, 0, sizeof(*st));
	st->self = life_of(at, w.node[at].boot);
	st->held = w.node[at].held;
	st->quorate = w.quorate;
	st->informed = w.quorate && !st->held && !w.node[at].uninformed;
	st->view.seq = w.seq;
	st->self_victim = w.node[at].victim && w.quorate;
	st->let_go_ms = w.node[at].let_go_ms;
	st->let_go_end_ms = w.node[at].let_go_end_ms;
	snprintf(st->let_go_why, sizeof(st->let_go_why), "the other node is to stay");
	for (uint32_t id = 1; id <= w.n; id++) {
		const struct node *n = &w.node[id];

		if (!nodeset_empty(w.node[at].knows) && !nodeset_has(w.node[at].knows, id))
			continue;
		struct fence_node *f = &st->node[st->n++];

		f->nodeid = id;
		f->ready = !n->not_ready;
		f->ending = n->ending;
		f->life = life_of(id, n->boot);
		f->state = n->victim ? FENCE_NODE_VICTIM
			   : n->dead ? FENCE_NODE_DEAD
				     : FENCE_NODE_MEMBER;
		if (n->dead || n->dead_boot) {
			f->proof.victim = life_of(id, n->dead_boot);
			f->proof.kind = PROOF_OFF_VERIFIED;
			f->proof.number = w.proofs;
		}
	}
}

static void carry_out(uint32_t id, const struct place_action *a)
{
	struct node *n = &w.node[id];
	const char *svc;

	switch (a->type) {
	case PLACE_ACT_SEND:
		nodeset_for_each (to, w.members) {
			struct item it = { .what = ITEM_MSG,
					   .to = to,
					   .from = id,
					   .len = a->send.len,
					   .view = w.seq };

			it.data = malloc(it.len);
			assert_non_null(it.data);
			memcpy(it.data, a->send.data, it.len);
			put(it);
		}
		break;
	case PLACE_ACT_DRIVE:
		if (a->drive.op == DRIVE_PREPARE)
			w.node[id].prepares++;
		if (a->drive.op != DRIVE_PREPARE && a->drive.op != DRIVE_PROBE)
			trace("  n%u %s %s.%s%s\n", id, drive_op_name(a->drive.op),
			      w.cfg.frame.service[a->drive.service].name, res_name[a->drive.res],
			      a->drive.dirty ? " after a loss" : "");
		put((struct item){ .what = ITEM_DRIVER,
				   .to = id,
				   .run = a->drive.run,
				   .s = a->drive.service,
				   .res = a->drive.res,
				   .op = a->drive.op,
				   .epoch = a->drive.epoch });
		break;
	case PLACE_ACT_CANCEL: trace("  n%u cancels a driver\n", id); break;
	case PLACE_ACT_LOCK:
		put((struct item){ .what = ITEM_LOCK, .to = id, .volume = a->lock.volume });
		break;
	case PLACE_ACT_UNLOCK:
		trace("  n%u unlocks %s\n", id, w.cfg.frame.volume[a->lock.volume]);
		break;
	case PLACE_ACT_MONITOR: break;
	case PLACE_ACT_BEAT: n->beat[a->beat.volume] = a->beat.node; break;
	case PLACE_ACT_SOON:
		trace("  n%u stands ready to stop %s\n", id,
		      w.cfg.frame.service[a->soon.service].name);
		break;
	case PLACE_ACT_LOOK: put((struct item){ .what = ITEM_LOOK, .to = id }); break;
	case PLACE_ACT_FENCE:
		trace("  n%u asks to fence n%u: %s\n", id, a->fence.node, a->fence.reason);
		break;
	case PLACE_ACT_REBOOT: trace("  n%u reboots: %s\n", id, a->reboot.reason); break;
	case PLACE_ACT_STORE:
		n->intent = place_group(n->place)->intent;
		n->standby = NODESET_EMPTY;
		for (unsigned i = 0; i < w.n; i++)
			if (place_group(n->place)->node[i].standby)
				nodeset_add(&n->standby, i + 1);
		for (unsigned s = 0; s < w.cfg.frame.n_services; s++)
			n->enabled[s] = place_group(n->place)->service[s].enabled;
		break;
	case PLACE_ACT_STATE:
		for (unsigned s = 0; s < w.cfg.frame.n_services; s++)
			n->ours[s] = place_ours(n->place, s);
		break;
	case PLACE_ACT_ANSWER:
		trace("  n%u answers %s: %s\n", id,
		      a->answer.rc == 0         ? "ok"
		      : a->answer.rc == -EAGAIN ? "again"
						: "refused",
		      a->answer.text);
		break;
	case PLACE_ACT_LEFT: trace("  n%u says goodbye\n", id); break;
	case PLACE_ACT_NOTE:
		svc = a->note.service >= 0 ? w.cfg.frame.service[a->note.service].name : "";
		trace("  n%u: %s%s%s", id, note_name(a->note.note), *svc ? " " : "", svc);
		if (a->note.node && a->note.node != id)
			trace(" n%u", a->note.node);
		trace("%s%s\n", a->note.text ? ": " : "", a->note.text ? a->note.text : "");
		break;
	}
}

/* The linker hands service_fact_encode() of the core to us (--wrap, storaged/local.mk). */
void __real_service_fact_encode(const struct service_frame *f, unsigned s,
				const struct service_fact *fact, struct wire_w *out);
void __wrap_service_fact_encode(const struct service_frame *f, unsigned s,
				const struct service_fact *fact, struct wire_w *out);
static bool old_speaks;

void __wrap_service_fact_encode(const struct service_frame *f, unsigned s,
				const struct service_fact *fact, struct wire_w *out)
{
	struct service_fact told = *fact;

	if (old_speaks)
		told.reach = SERVICE_REACH_UNTOLD;
	__real_service_fact_encode(f, s, &told, out);
}

static void step(uint32_t id, struct place_event ev)
{
	static struct place_actions copy;
	struct node *n = &w.node[id];
	int r;

	if (!n->place)
		return;
	ev.now_ms = w.now_ms;
	old_speaks = n->old;
	r = place_step(n->place, &ev, &w.out);
	if (r < 0)
		trace("  n%u drops %s: %s\n", id, place_ev_name(&ev), strerror(-r));
	assert_null(place_broken(n->place));
	copy = w.out;
	for (unsigned i = 0; i < copy.n; i++)
		carry_out(id, &copy.v[i]);
}

static void driver(struct item *it)
{
	struct node *n = &w.node[it->to];
	struct place_event ev = { .type = PLACE_EV_DRIVER,
				  .driver = { .run = it->run, .why = "" } };

	if (!n->place)
		return;
	switch (n->says[it->op][it->res]) {
	case SAYS_OK:
		ev.driver.result = DRIVE_OK;
		if (it->res == 0 && it->op == DRIVE_START)
			w.record[it->s] = it->to;
		else if (it->res == 0 && (it->op == DRIVE_STOP || it->op == DRIVE_KILL))
			w.record[it->s] = 0;
		ev.driver.owner = it->res == 0 ? w.record[it->s] : 0;
		if (it->op == DRIVE_START) {
			n->active[it->s][it->res] = true;
			ev.driver.epoch = it->epoch;
			ev.driver.ours = it->epoch != 0;
		} else if (it->op == DRIVE_STOP || it->op == DRIVE_KILL)
			n->active[it->s][it->res] = false;
		else if (it->op == DRIVE_PROBE && !n->active[it->s][it->res])
			ev.driver.result = DRIVE_NONE;
		break;
	case SAYS_FAIL:
		ev.driver.result = DRIVE_FAILED;
		ev.driver.why = "it failed";
		break;
	case SAYS_REFUSED:
		ev.driver.result = DRIVE_FAILED;
		ev.driver.why = "it is active elsewhere";
		ev.driver.epoch = it->epoch + 5;
		break;
	case SAYS_UNKNOWN:
		ev.driver.result = DRIVE_UNKNOWN;
		ev.driver.why = "no answer";
		break;
	case SAYS_HANG:
		assert_true(w.n_hang < HANG_MAX);
		w.hang[w.n_hang++] = *it;
		return;
	}
	step(it->to, ev);
}

static void look(uint32_t id)
{
	static struct place_look v[SERVICES_MAX];

	for (unsigned s = 0; s < w.cfg.frame.n_services; s++) {
		v[s].active = w.node[id].look_fails     ? DRIVE_UNKNOWN
			      : w.node[id].active[s][0] ? DRIVE_OK
							: DRIVE_NONE;
		snprintf(v[s].text, sizeof(v[s].text), "%s n%u%s",
			 v[s].active == DRIVE_OK ? "active on" : "nobody can tell on", id,
			 w.node[id].look_mounted ? " (mounted on /m)" : "");
	}
	step(id, (struct place_event){ .type = PLACE_EV_LOOK, .look = { v } });
}

static void settle(void)
{
	while (w.head != w.tail) {
		struct item it = w.queue[w.head++ % QUEUE_MAX];

		switch (it.what) {
		case ITEM_MSG:
			if (w.stands) {
				assert_true(w.n_sent < HANG_MAX);
				w.sent[w.n_sent++] = it;
				break;
			}
			if (it.view == w.seq && nodeset_has(w.members, it.to))
				step(it.to, (struct place_event){
						    .type = PLACE_EV_DELIVER,
						    .deliver = { it.from, it.data, it.len } });
			free(it.data);
			break;
		case ITEM_DRIVER: driver(&it); break;
		case ITEM_LOOK: look(it.to); break;
		case ITEM_LOCK:
			if (!w.locks_held)
				step(it.to, (struct place_event){ .type = PLACE_EV_LOCK,
								  .lock = { .volume = it.volume,
									    .held = true } });
			break;
		}
	}
}

static void tell_fenced(void)
{
	static struct fence_state st;

	for (uint32_t id = 1; id <= w.n; id++) {
		fence_state_of(id, &st);
		step(id, (struct place_event){ .type = PLACE_EV_FENCE,
					       .fence = { w.node[id].has_fenced ? &st : NULL } });
	}
	settle();
}

static void tell_view(uint32_t id, struct nodeset clean)
{
	step(id, (struct place_event){ .type = PLACE_EV_VIEW,
				       .view = { .id = { w.seq, nodeset_lowest(w.nodes) },
						 .quorate = w.quorate,
						 .nodes = w.nodes,
						 .members = w.members,
						 .left_clean = clean } });
}

static void view(struct nodeset nodes, bool quorate, struct nodeset clean)
{
	w.nodes = nodes;
	w.members = NODESET_EMPTY;
	nodeset_for_each (id, nodes)
		if (w.node[id].place && w.node[id].in_view)
			nodeset_add(&w.members, id);
	w.quorate = quorate;
	w.seq += 4;
	nodeset_for_each (id, w.members)
		tell_view(id, clean);
	settle();
	tell_fenced();
}

/* What was sent in the view before this one comes now, and to all who are here by now. */
static void late(void)
{
	unsigned n = w.n_sent;

	w.n_sent = 0;
	for (unsigned i = 0; i < n; i++) {
		struct item it = w.sent[i];

		if (it.view == w.seq) {
			w.sent[w.n_sent++] = it;
			continue;
		}
		nodeset_for_each (to, w.members)
			if (it.to == it.from) /* one of its copies */
				step(to, (struct place_event){
						 .type = PLACE_EV_DELIVER,
						 .deliver = { it.from, it.data, it.len } });
		free(it.data);
	}
	settle();
}

static bool majority(struct nodeset nodes)
{
	return w.n == 2 || 2 * nodeset_count(nodes) > w.n;
}

static void start_daemon(uint32_t id)
{
	struct node *n = &w.node[id];
	static struct place_config c;

	c = w.cfg;
	c.self = id;
	c.life = life_of(id, n->boot);
	c.hash = n->hash;
	snprintf(c.tag, sizeof(c.tag), "%s", n->tag);
	c.intent = n->intent;
	c.standby = n->standby;
	memcpy(c.enabled, n->enabled, sizeof(n->enabled));
	memcpy(c.ours, n->ours, sizeof(n->ours));
	n->place = place_new(&c);
	assert_non_null(n->place);
	step(id, (struct place_event){ .type = PLACE_EV_START });
	settle();
	assert_true(place_probed(n->place));
	n->in_view = true;
	n->has_fenced = true;
}

/* ---- the text ---- */

static unsigned service_arg(const char *t)
{
	int s = t ? service_index(&w.cfg.frame, t) : -1;

	if (s < 0)
		bad("no such service");
	return (unsigned)s;
}

static unsigned res_arg(const char *t)
{
	for (unsigned i = 0; t && i < 3; i++)
		if (strcmp(t, res_name[i]) == 0)
			return i;
	bad("no such resource");
	return 0;
}

static enum answer answer_arg(const char *t)
{
	static const char *const words[] = { "ok", "fail", "unknown", "hang", "refused" };

	for (unsigned i = 0; t && i < sizeof(words) / sizeof(words[0]); i++)
		if (strcmp(t, words[i]) == 0)
			return (enum answer)i;
	bad("ok, fail, unknown, hang or refused");
	return SAYS_OK;
}

static void cmd_nodes(char **a)
{
	w.n = scenario_nodes = number_arg(a[1]);
	if (w.n < 1 || w.n > N_MAX)
		bad("too many nodes");
	w.cfg.frame.n_nodes = w.n;
	for (unsigned i = 0; i < w.n; i++) {
		w.cfg.frame.nodeid[i] = i + 1;
		snprintf(w.cfg.frame.node_name[i], SERVICE_NAME_MAX, "n%u", i + 1);
		w.node[i + 1].hash = 1;
	}
	w.cfg.absent_ms = 10000;
	w.cfg.stop_ms = 5000;
	w.cfg.storage_ms = 4500;
	w.cfg.storage_stop_ms = 9000;
	w.cfg.storage_turn_ms = 9500;
	w.cfg.cool_ms = 60000;
	w.cfg.kill_retry_ms = 10000;
	w.cfg.prepare_retry_ms = 20000;
	w.cfg.unknowns_max = 3;
}

static void cmd_service(char **a)
{
	unsigned s = w.cfg.frame.n_services++;
	struct service_config *c = &w.cfg.frame.service[s];

	snprintf(c->name, sizeof(c->name), "%s", a[1]);
	snprintf(w.cfg.frame.volume[s], SERVICE_NAME_MAX, "%s-disk", a[1]);
	w.cfg.frame.n_volumes = s + 1;
	c->enabled = true;
	c->n = 3;
	c->is_volume[0] = true;
	c->volume[0] = s;
	c->restarts = 2;
	c->restart_window_ms = 60000;
	for (unsigned i = 2; a[i]; i++) {
		if (strcmp(a[i], "ordered") == 0)
			c->ordered = true;
		else if (strcmp(a[i], "restricted") == 0)
			c->restricted = true;
		else if (strcmp(a[i], "failback") == 0)
			c->failback = true;
		else if (strcmp(a[i], "disabled") == 0)
			c->enabled = false;
		else if (strcmp(a[i], "order") == 0 && a[i + 1]) {
			for (char *t = strtok(a[++i], ","); t; t = strtok(NULL, ","))
				c->order[c->n_order++] = node_arg(t);
		} else {
			bad("service: unknown word");
		}
	}
}

static void cmd_op(char **a)
{
	struct place_event ev = { .type = PLACE_EV_COMMAND, .command = { .req = ++w.req } };

	for (int c = SERVICE_CMD_ENABLE; c <= SERVICE_CMD_CLEAR; c++)
		if (strcmp(a[2], service_cmd_name((enum service_cmd)c)) == 0)
			ev.command.cmd = (enum service_cmd)c;
	if (!ev.command.cmd)
		bad("no such command");
	ev.command.service = is(a[3], "-") ? 0 : service_arg(a[3]);
	ev.command.node = a[4] ? node_arg(a[4]) : 0;
	step(node_arg(a[1]), ev);
	settle();
}

static void cmd_wait(uint64_t ms)
{
	uint64_t end = w.now_ms + ms;

	for (;;) {
		uint64_t at = UINT64_MAX;
		uint32_t who = 0;

		for (uint32_t id = 1; id <= w.n; id++)
			if (w.node[id].place && place_deadline_ms(w.node[id].place) < at) {
				at = place_deadline_ms(w.node[id].place);
				who = id;
			}
		if (at > end)
			break;
		if (at > w.now_ms)
			w.now_ms = at;
		step(who, (struct place_event){ .type = PLACE_EV_TIMEOUT });
		settle();
	}
	w.now_ms = end;
}

/* The shell says it at each change, and again and again while a disk is silent. */
static void cmd_disk(char **a)
{
	struct place_event ev = { .type = PLACE_EV_DISK, .disk = { .volume = service_arg(a[2]) } };
	bool lost = is(a[3], "lost"), silent = lost || is(a[3], "silent");
	uint64_t end = w.now_ms + (silent ? number_arg(a[4]) : 0);

	ev.disk.sure = lost;
	ev.disk.reach = silent           ? SERVICE_REACH_LOST
			: is(a[3], "ok") ? SERVICE_REACH_OK
					 : SERVICE_REACH_UNKNOWN;
	do {
		nodeset_for_each (id, nodes_arg(a[1])) {
			uint64_t *since = &w.node[id].silent_ms[ev.disk.volume];

			*since = !silent ? 0 : *since ? *since : w.now_ms;
			ev.disk.ok_ms = *since;
			step(id, ev);
		}
		settle();
		if (end > w.now_ms)
			cmd_wait(end - w.now_ms < 500 ? end - w.now_ms : 500);
	} while (w.now_ms < end);
}

static void cmd_expect(char **a)
{
	struct place_service ps;

	if (is(a[1], "why")) {
		place_service(w.node[node_arg(a[2])].place, service_arg(a[3]), &ps);
		if (strcmp(place_gate_name(ps.wait.gate), a[4]) != 0 ||
		    (a[5] && !strstr(ps.wait.text, a[5])))
			bad("%s waits for %s (%s), not %s", a[3], place_gate_name(ps.wait.gate),
			    ps.wait.text, a[4]);
		trace("  why %s at n%s: %s\n", a[3], a[2], ps.wait.text);
		return;
	}
	if (is(a[1], "idle")) {
		nodeset_for_each (id, w.members)
			if (place_idle(w.node[id].place, service_arg(a[2])) != (is(a[3], "yes")))
				bad("n%u: %s idle is not %s", id, a[2], a[3]);
		return;
	}
	if (is(a[1], "beat")) {
		uint32_t got = w.node[node_arg(a[2])].beat[service_arg(a[3])];

		if (got != (uint32_t)atoi(a[4]))
			bad("the heartbeat of n%u concerns n%s, not n%s", got, a[2], a[4]);
		return;
	}
	if (is(a[1], "halt")) {
		struct place_summary sum;

		place_summary(w.node[node_arg(a[2])].place, &sum);
		if (strcmp(place_halt_name(sum.halt), a[3]) != 0)
			bad("n%s has got to %s, not %s", a[2], place_halt_name(sum.halt), a[3]);
		return;
	}
	if (is(a[1], "prepares")) {
		struct node *nd = &w.node[node_arg(a[2])];

		if (nd->prepares != strtoul(a[3], NULL, 10))
			bad("n%s prepared %u resources, not %s", a[2], nd->prepares, a[3]);
		nd->prepares = 0;
		return;
	}
	if (is(a[1], "released")) {
		unsigned volume = w.cfg.frame.service[service_arg(a[2])].volume[0];

		nodeset_for_each (id, w.members) {
			uint64_t got = place_group(w.node[id].place)->released[volume];

			if (got != strtoull(a[3], NULL, 10))
				bad("n%u holds epoch %" PRIu64 " for released, not %s", id, got,
				    a[3]);
		}
		return;
	}
	nodeset_for_each (id, w.members) {
		place_service(w.node[id].place, service_arg(a[1]), &ps);
		if (strcmp(place_shown_name(ps.shown), a[2]) != 0 ||
		    (a[3] && ps.group->node != node_arg(a[3])))
			bad("n%u shows %s %s on n%u, not %s %s", id, a[1],
			    place_shown_name(ps.shown), ps.group->node, a[2], a[3] ? a[3] : "");
	}
}

static void daemon_gone(uint32_t id)
{
	w.node[id].place = place_free(w.node[id].place);
	w.node[id].in_view = false;
}

static void crash(uint32_t id)
{
	struct node *n = &w.node[id];
	struct nodeset rest = w.nodes;

	daemon_gone(id);
	n->runs = false;
	n->victim = true;
	n->dead = false;
	n->dead_boot = 0;
	memset(n->active, 0, sizeof(n->active));
	memset(n->ours, 0, sizeof(n->ours));
	nodeset_del(&rest, id);
	view(rest, majority(rest), NODESET_EMPTY);
}

static void command(char **a, unsigned n)
{
	(void)n;
	if (is(a[0], "nodes")) {
		cmd_nodes(a);
	} else if (is(a[0], "record")) {
		w.record[service_arg(a[1])] = (uint32_t)atoi(a[2]);
	} else if (is(a[0], "grades")) {
		w.cfg.deny_ms = (uint32_t)atoi(a[1]);
		w.cfg.hasten_ms = (uint32_t)atoi(a[2]);
	} else if (is(a[0], "service")) {
		cmd_service(a);
	} else if (is(a[0], "config")) {
		w.node[node_arg(a[1])].hash = strtoull(a[2], NULL, 0);
	} else if (is(a[0], "tag")) {
		snprintf(w.node[node_arg(a[1])].tag, sizeof(w.node[1].tag), "%s", a[2]);
	} else if (is(a[0], "knows")) {
		w.node[node_arg(a[1])].knows = nodes_arg(a[2]);
	} else if (is(a[0], "lost")) {
		step(node_arg(a[1]), (struct place_event){ .type = PLACE_EV_LOCK,
							   .lock = { .volume = service_arg(a[2]),
								     .held = false } });
		settle();
	} else if (is(a[0], "boot") || is(a[0], "return")) {
		struct nodeset s = nodes_arg(a[1]), all = nodeset_or(w.nodes, s);

		nodeset_for_each (id, s) {
			struct node *nd = &w.node[id];

			nd->runs = true;
			nd->boot++;
			nd->victim = nd->dead = false;
			start_daemon(id);
		}
		view(all, majority(all), NODESET_EMPTY);
	} else if (is(a[0], "crash")) {
		crash(node_arg(a[1]));
	} else if (is(a[0], "view")) {
		view(nodes_arg(a[1]), !is(a[2], "noquorum"), NODESET_EMPTY);
	} else if (is(a[0], "victim")) {
		w.node[node_arg(a[1])].victim = true;
		tell_fenced();
	} else if (is(a[0], "proof")) {
		struct node *nd = &w.node[node_arg(a[1])];

		nd->victim = false;
		nd->dead = true;
		nd->dead_boot = nd->boot;
		w.proofs++;
		tell_fenced();
	} else if (is(a[0], "ready")) {
		w.node[node_arg(a[1])].not_ready = is(a[2], "no");
		tell_fenced();
	} else if (is(a[0], "fenced")) {
		w.node[node_arg(a[1])].has_fenced = is(a[2], "yes");
		tell_fenced();
	} else if (is(a[0], "held")) {
		w.node[node_arg(a[1])].held = is(a[2], "yes");
		tell_fenced();
	} else if (is(a[0], "letgo")) {
		long begin = strtol(a[2], NULL, 10), end = strtol(a[3], NULL, 10);
		struct node *to = &w.node[node_arg(a[1])];

		to->let_go_ms = end ? w.now_ms + (uint64_t)begin : 0;
		to->let_go_end_ms = end ? w.now_ms + (uint64_t)end : 0;
		tell_fenced();
	} else if (is(a[0], "ending")) {
		w.node[node_arg(a[1])].ending = true;
		tell_fenced();
	} else if (is(a[0], "informed")) {
		w.node[node_arg(a[1])].uninformed = is(a[2], "no");
		tell_fenced();
	} else if (is(a[0], "kill")) {
		daemon_gone(node_arg(a[1]));
		view(w.nodes, w.quorate, NODESET_EMPTY);
	} else if (is(a[0], "respawn")) {
		start_daemon(node_arg(a[1]));
		if (is(a[2], "deaf")) {
			step(node_arg(a[1]), (struct place_event){ .type = PLACE_EV_LOST });
			settle();
		} else {
			view(w.nodes, w.quorate, NODESET_EMPTY);
		}
	} else if (is(a[0], "leave")) {
		uint32_t id = node_arg(a[1]);

		step(id, (struct place_event){ .type = PLACE_EV_LEAVE });
		settle();
		daemon_gone(id);
		view(w.nodes, w.quorate, nodeset_of(id));
	} else if (is(a[0], "op")) {
		cmd_op(a);
	} else if (is(a[0], "driver")) {
		for (int op = DRIVE_PREPARE; op <= DRIVE_DENY; op++)
			if (strcmp(a[2], drive_op_name((enum drive_op)op)) == 0)
				w.node[node_arg(a[1])].says[op][res_arg(a[3])] = answer_arg(a[4]);
	} else if (is(a[0], "old")) {
		w.node[node_arg(a[1])].old = true;
	} else if (is(a[0], "release")) {
		uint32_t id = node_arg(a[1]);
		unsigned k = w.n_hang;

		w.n_hang = 0;
		for (unsigned i = 0; i < k; i++) {
			struct item it = w.hang[i];

			if (it.to != id)
				w.hang[w.n_hang++] = it;
			else
				step(id, (struct place_event){
						 .type = PLACE_EV_DRIVER,
						 .driver = { .run = it.run,
							     .result = DRIVE_UNKNOWN,
							     .why = "no answer in time" } });
		}
		settle();
	} else if (is(a[0], "active") || is(a[0], "gone")) {
		w.node[node_arg(a[1])].active[service_arg(a[2])][res_arg(a[3])] = is(a[0],
										     "active");
	} else if (is(a[0], "look")) {
		w.node[node_arg(a[1])].look_fails = is(a[2], "unknown");
		w.node[node_arg(a[1])].look_mounted = is(a[2], "mounted");
		look(node_arg(a[1]));
		settle();
	} else if (is(a[0], "monitor")) {
		static const enum drive_result results[] = { DRIVE_OK, DRIVE_FAILED, DRIVE_UNKNOWN,
							     DRIVE_UNKNOWN, DRIVE_FAILED };
		enum answer says = answer_arg(a[4]);

		step(node_arg(a[1]),
		     (struct place_event){ .type = PLACE_EV_MONITOR,
					   .monitor = { .service = service_arg(a[2]),
							.res = res_arg(a[3]),
							.result = results[says],
							.cut_off = says == SAYS_REFUSED,
							.why = "it is broken" } });
		settle();
	} else if (is(a[0], "lock")) {
		w.locks_held = is(a[1], "held");
		for (uint32_t id = 1; id <= w.n && !w.locks_held; id++)
			for (unsigned v = 0; v < w.cfg.frame.n_volumes; v++)
				step(id,
				     (struct place_event){ .type = PLACE_EV_LOCK,
							   .lock = { .volume = v, .held = true } });
		settle();
	} else if (is(a[0], "quorum")) {
		w.quorate = true;
		nodeset_for_each (id, w.members)
			tell_view(id, NODESET_EMPTY);
		settle();
		tell_fenced();
	} else if (is(a[0], "ring") && is(a[1], "late")) {
		late();
	} else if (is(a[0], "ring")) {
		w.stands = is(a[1], "stands");
		for (unsigned i = 0; i < w.n_sent && !w.stands; i++)
			put(w.sent[i]);
		if (!w.stands)
			w.n_sent = 0;
		settle();
	} else if (is(a[0], "disk")) {
		cmd_disk(a);
	} else if (is(a[0], "wait")) {
		cmd_wait(strtoull(a[1], NULL, 0));
	} else if (is(a[0], "expect")) {
		cmd_expect(a);
	} else {
		bad("unknown command");
	}
}

static void begin(void)
{
	memset(&w, 0, sizeof(w));
	w.now_ms = 1000;
}

static void end(void)
{
	for (uint32_t id = 1; id <= N_MAX; id++)
		w.node[id].place = place_free(w.node[id].place);
}

int main(void)
{
	return scenario_main(&(struct scenario){ "storage", begin, command, end });
}
