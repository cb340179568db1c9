/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tests/unit/dlm_scenario.c - plays tests/scenario/dlm/NAME.scn against real lock domains on one agreed order (scenario.h); told is
 * what their clients hear.
 *
 *	nodes N                                     first of all: N lock managers that have synced
 *	lock LABEL NODE CLIENT RESOURCE MODE [FLAG...]
 *	convert LABEL MODE [FLAG...] | unlock LABEL [FLAG...] | cancel LABEL       value=TEXT is a flag, too
 *	gone NODE CLIENT | purge NODE PID                                         PID of a client: 100 + its number
 *	stop N | start N BOOT | view N,N [nodes N,N] [noquorum] | proof N BOOT      a life: node and boot; the first is boot 1
 *	fenced N JOIN                             fenced of that node is a member as this join, says it to its own lock manager
 *	goodbye N BOOT [JOIN] [back] [at N,N]     fenced of that node said goodbye (as join 1); back: and started again; at: only these
 *	                                          nodes' fenced know
 *	group N,N                                 these daemons are there now; corosync's ring stays as it was, unlike with view
 *	leave N
 *	expect LABEL MODE|waits|gone                MODE: granted, with nothing asked
 */
#include <setjmp.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "dlm_bus.h"
#include "scenario.h"

#include <errno.h>

#define LABELS_MAX 26

struct label {
	char name[16];
	uint32_t node, client, lkid;
	uint64_t cookie; /* of the request that has no lkid yet; 0: none */
	int mode;
	bool asked, before, gone; /* before: asked, when the request that was refused came */
};

static struct bus bus;
static struct label labels[LABELS_MAX];
static unsigned n_labels;
static uint8_t boot[BUS_NODES + 1];

static const char *status_name(int status)
{
	switch (status) {
	case 0: return "granted";
	case -EAGAIN: return "refused: EAGAIN";
	case -EDEADLK: return "refused: EDEADLK";
	case DLM_ECANCEL: return "cancelled";
	case DLM_EUNLOCK: return "unlocked";
	default: return "?";
	}
}

static struct label *by_lkid(uint32_t node, uint32_t client, uint32_t lkid)
{
	for (unsigned i = 0; i < n_labels; i++)
		if (labels[i].node == node && labels[i].client == client && labels[i].lkid == lkid)
			return &labels[i];
	bad("a word about a lock that has no label");
	return NULL;
}

static void on_done(uint32_t id, const struct dlm_action *a)
{
	struct label *l = by_lkid(id, a->done.client, a->done.lkid);

	l->asked = false;
	l->gone = a->done.gone;
	l->mode = a->done.mode;
	trace("  n%u: %s %s", id, l->name, status_name(a->done.status));
	if (!a->done.gone)
		trace(" %s", dlm_mode_name(a->done.mode));
	if (a->done.lvb_read)
		trace(" reads \"%.*s\"", DLM_LVB_BYTES, (const char *)a->done.lvb);
	trace("%s%s%s\n", a->done.sbflags & DLM_SBF_VALNOTVALID ? " value-not-valid" : "",
	      a->done.sbflags & DLM_SBF_DEMOTED ? " demoted" : "",
	      a->done.sbflags & DLM_SBF_ALTMODE ? " alternative-mode" : "");
}

static void on_reply(uint32_t id, const struct dlm_action *a)
{
	for (unsigned i = 0; i < n_labels; i++)
		if (a->reply.cookie && labels[i].cookie == a->reply.cookie &&
		    labels[i].node == id) {
			labels[i].cookie = 0;
			if (a->reply.rc == 0) {
				for (unsigned k = 0; k < n_labels;
				     k++) /* adopted: that one is this one now */
					if (labels[k].node == id && labels[k].lkid == a->reply.lkid)
						labels[k].lkid = 0;
				labels[i].lkid = a->reply.lkid;
				return;
			}
			labels[i].asked = labels[i].before;
			trace("  n%u: %s not taken: %s\n", id, labels[i].name,
			      strerror(-a->reply.rc));
			return;
		}
	if (a->reply.rc < 0)
		trace("  n%u: not taken: %s\n", id, strerror(-a->reply.rc));
}

static void tell(void)
{
	bus_run(&bus);
	for (uint32_t id = 1; id <= BUS_NODES; id++) {
		struct bus_node *n = &bus.node[id];

		for (unsigned i = 0; i < n->n_log; i++) {
			const struct dlm_action *a = &n->log[i];

			switch (a->type) {
			case DLM_ACT_SEND: break;
			case DLM_ACT_REPLY: on_reply(id, a); break;
			case DLM_ACT_DONE: on_done(id, a); break;
			case DLM_ACT_BLOCKING:
				trace("  n%u: %s is in the way of %s\n", id,
				      by_lkid(id, a->blocking.client, a->blocking.lkid)->name,
				      dlm_mode_name(a->blocking.mode));
				break;
			case DLM_ACT_SYNCED:
				trace("  n%u: %s\n", id, a->synced ? "synced" : "stands still");
				break;
			case DLM_ACT_LOST:
				trace("  n%u: n%u %s with %u locks\n", id, a->life.life.nodeid,
				      a->life.state == DLM_LIFE_ABSENT ? "absent" : "lost",
				      a->life.n);
				break;
			case DLM_ACT_RECOVERED:
				trace("  n%u: n%u over (%s), %u locks released\n", id,
				      a->life.life.nodeid, proof_kind_name(a->life.proof),
				      a->life.n);
				break;
			case DLM_ACT_EVICTED: trace("  n%u: evicted\n", id); break;
			case DLM_ACT_LEFT: trace("  n%u: left\n", id); break;
			}
		}
		n->n_log = 0;
	}
}

static int mode_arg(const char *a)
{
	for (int m = DLM_NL; m <= DLM_EX; m++)
		if (a && strcmp(a, dlm_mode_name(m)) == 0)
			return m;
	bad("no such mode");
	return DLM_IV;
}

static void flags_arg(struct dlm_op *op, char **a)
{
	static const struct {
		const char *name;
		uint32_t flag;
	} flags[] = { { "noqueue", DLM_F_NOQUEUE },
		      { "valblk", DLM_F_VALBLK },
		      { "quecvt", DLM_F_QUECVT },
		      { "ivvalblk", DLM_F_IVVALBLK },
		      { "convdeadlk", DLM_F_CONVDEADLK },
		      { "persistent", DLM_F_PERSISTENT },
		      { "nodlckwt", DLM_F_NODLCKWT },
		      { "expedite", DLM_F_EXPEDITE },
		      { "noqueuebast", DLM_F_NOQUEUEBAST },
		      { "headque", DLM_F_HEADQUE },
		      { "noorder", DLM_F_NOORDER },
		      { "orphan", DLM_F_ORPHAN },
		      { "altpr", DLM_F_ALTPR },
		      { "altcw", DLM_F_ALTCW },
		      { "force", DLM_F_FORCEUNLOCK } };

	for (; *a; a++) {
		size_t i = 0;

		if (strncmp(*a, "value=", 6) == 0) {
			op->has_lvb = true;
			op->flags |= DLM_F_VALBLK;
			strncpy((char *)op->lvb, *a + 6, DLM_LVB_BYTES - 1);
			continue;
		}
		while (i < sizeof(flags) / sizeof(*flags) && strcmp(flags[i].name, *a) != 0)
			i++;
		if (i == sizeof(flags) / sizeof(*flags))
			bad("no such flag");
		else
			op->flags |= flags[i].flag;
	}
}

static struct label *label_arg(const char *name)
{
	for (unsigned i = 0; i < n_labels; i++)
		if (strcmp(labels[i].name, name) == 0)
			return &labels[i];
	bad("no such lock");
	return NULL;
}

static void submit(struct label *l, uint32_t node, struct dlm_op op)
{
	if (l) {
		l->before = l->asked;
		l->asked = true;
		l->cookie = bus.cookie + 1;
	}
	bus_submit(&bus, node, op);
	tell();
}

static void cmd_lock(char **a)
{
	struct label *l = &labels[n_labels];
	struct dlm_op op;

	if (n_labels == LABELS_MAX || !a[1] || !a[2] || !a[3] || !a[4] || !a[5]) {
		bad("lock LABEL NODE CLIENT RESOURCE MODE");
		return;
	}
	n_labels++;
	memset(l, 0, sizeof(*l));
	snprintf(l->name, sizeof(l->name), "%s", a[1]);
	l->node = node_arg(a[2]);
	l->client = (uint32_t)strtoul(a[3], NULL, 10);
	l->mode = DLM_IV;
	op = bus_lock(l->client, a[4], mode_arg(a[5]), 0);
	flags_arg(&op, a + 6);
	submit(l, l->node, op);
}

static void cmd_change(char **a)
{
	struct label *l = label_arg(a[1]);
	struct dlm_op op = {
		.type = DLM_OP_UNLOCK, .client = l->client, .pid = 100 + l->client, .lkid = l->lkid
	};

	if (is(a[0], "cancel")) {
		op.flags = DLM_F_CANCEL;
	} else if (is(a[0], "unlock")) {
		flags_arg(&op, a + 2);
	} else {
		op.type = DLM_OP_CONVERT;
		op.flags = DLM_F_CONVERT;
		op.mode = mode_arg(a[2]);
		flags_arg(&op, a + 3);
	}
	submit(l, l->node, op);
	if (is(a[0], "cancel") && l->cookie == 0 && l->mode != DLM_IV && !l->gone)
		l->asked = false; /* nothing was outstanding, or it was taken back */
}

static void cmd_expect(char **a)
{
	struct label *l = label_arg(a[1]);
	const char *now = l->gone ? "gone" : l->asked ? "waits" : dlm_mode_name(l->mode);

	if (!is(a[2], now))
		bad("%s is %s, not %s", l->name, now, a[2] ? a[2] : "?");
}

static void cmd_view(char **a)
{
	uint64_t members = nodes_arg(a[1]).bits, nodes = members;
	bool quorate = true;

	for (a += 2; *a; a++)
		if (is(*a, "noquorum"))
			quorate = false;
		else if (is(*a, "nodes") && a[1])
			nodes = nodes_arg(*++a).bits;
		else
			bad("view N,N [nodes N,N] [noquorum]");
	bus_view(&bus, members, nodes, quorate);
	tell();
}

static void cmd_goodbye(char **a)
{
	uint32_t victim = node_arg(a[1]);
	struct nodeset at = { ~UINT64_C(0) };
	struct fence_node node = bus_dead(victim, (uint8_t)strtoul(a[2], NULL, 10),
					  PROOF_CLEAN_LEAVE);

	for (a += 3; *a; a++)
		if (is(*a, "back"))
			node.state = FENCE_NODE_MEMBER;
		else if (is(*a, "at") && a[1])
			at = nodes_arg(*++a);
		else if (strtoul(*a, NULL, 10) > 0)
			node.proof.victim.join = strtoul(*a, NULL, 10);
		else
			bad("goodbye N BOOT [JOIN] [back] [at N,N]");
	nodeset_del(&at, victim);
	for (uint32_t id = 1; id <= BUS_NODES; id++)
		if (bus.node[id].dlm && nodeset_has(at, id))
			bus_fence(&bus, id, node);
	tell();
}

static void command(char **a, unsigned n)
{
	if (is(a[0], "nodes")) {
		scenario_nodes = BUS_NODES; /* also some that are not configured */
		bus.configured.bits = (UINT64_C(2) << node_arg(a[1])) - 2;
		for (uint32_t id = 1; id <= node_arg(a[1]); id++) {
			boot[id] = 1;
			bus_start(&bus, id, 1);
		}
		bus_view(&bus, bus.configured.bits, bus.configured.bits, true);
		bus_run(&bus);
		bus_forget(&bus);
	} else if (is(a[0], "lock")) {
		cmd_lock(a);
	} else if (n >= 2 && (is(a[0], "convert") || is(a[0], "unlock") || is(a[0], "cancel"))) {
		cmd_change(a);
	} else if (n == 3 && is(a[0], "gone")) {
		submit(NULL, node_arg(a[1]),
		       (struct dlm_op){ .type = DLM_OP_CLIENT_GONE,
					.client = (uint32_t)strtoul(a[2], NULL, 10) });
	} else if (n == 3 && is(a[0], "purge")) {
		submit(NULL, node_arg(a[1]),
		       (struct dlm_op){ .type = DLM_OP_PURGE,
					.client = 99,
					.pid = (uint32_t)strtoul(a[2], NULL, 10) });
	} else if (n == 2 && is(a[0], "stop")) {
		bus_stop(&bus, node_arg(a[1]));
	} else if (n == 3 && is(a[0], "start")) {
		boot[node_arg(a[1])] = (uint8_t)strtoul(a[2], NULL, 10);
		bus_start(&bus, node_arg(a[1]), boot[node_arg(a[1])]);
	} else if (n >= 2 && is(a[0], "view")) {
		cmd_view(a);
	} else if (n == 2 && is(a[0], "group")) {
		uint64_t members = nodes_arg(a[1]).bits;

		bus_daemons(&bus, members,
			    bus.node[nodeset_lowest((struct nodeset){ members })].nodes.bits);
		tell();
	} else if (n == 3 && is(a[0], "proof")) {
		bus_proof(&bus, node_arg(a[1]), (uint8_t)strtoul(a[2], NULL, 10));
		tell();
	} else if (n >= 3 && is(a[0], "goodbye")) {
		cmd_goodbye(a);
	} else if (n == 3 && is(a[0], "fenced")) {
		bus_fenced(&bus, node_arg(a[1]), boot[node_arg(a[1])], strtoul(a[2], NULL, 10));
		tell();
	} else if (n == 2 && is(a[0], "leave")) {
		struct bus_node *nd = &bus.node[node_arg(a[1])];

		assert_int_equal(
			dlm_step(nd->dlm, &(struct dlm_event){ .type = DLM_EV_LEAVE }, nd->out), 0);
		bus_take(&bus, node_arg(a[1]));
		tell();
	} else if (n >= 2 && is(a[0], "expect")) {
		cmd_expect(a);
	} else {
		bad("unknown command");
	}
}

static void begin(void)
{
	memset(&bus, 0, sizeof(bus));
	n_labels = 0;
}

static void end(void)
{
	bus_end(&bus);
}

int main(void)
{
	return scenario_main(&(struct scenario){ "dlm", begin, command, end });
}
