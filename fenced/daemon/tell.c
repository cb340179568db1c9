/* SPDX-License-Identifier: GPL-3.0-or-later */
/* fenced/daemon/tell.c - facts become sentences for the history; event names and keys are those of doc/protocol.md. */
#include "daemon.h"

#include "lib/shell/log.h"
#include "lib/utf8.h"

#include <stdio.h>
#include <string.h>

static json_t *names(const struct fenced *f, struct nodeset s)
{
	json_t *a = json_array();

	nodeset_for_each (id, s)
		json_array_append_new(a, json_string(node_name(f, id)));
	return a;
}

static void tell_view(struct fenced *f)
{
	static struct nodeset before;
	char id[32], list[256] = "";
	struct nodeset left = nodeset_minus(before, f->view.members);

	snprintf(id, sizeof(id), "%llu.%u", (unsigned long long)f->view.id.seq, f->view.id.rep);
	nodeset_for_each (m, f->view.members) {
		size_t n = strlen(list);

		snprintf(list + n, sizeof(list) - n, "%s%s", n ? ", " : "", node_name(f, m));
	}
	before = f->view.members;
	history_add(f->history, "view",
		    json_pack("{s:s,s:o,s:o,s:b}", "view", id, "members", names(f, f->view.members),
			      "left", names(f, left), "quorate", (int)f->view.quorate),
		    "the members agree: %s", list);
}

static void tell_proof(struct fenced *f, const struct fence_action *a)
{
	static struct fence_state st;
	const char *victim = node_name(f, a->history.node);
	uint64_t now = mono_ms(), since = f->victim_ms[a->history.node];

	fence_snapshot(f->dom, now, &st);
	const struct fence_node *n = fence_state_node(&st, a->history.node);

	f->proof_ms[a->history.node] = now;
	f->victim_ms[a->history.node] = 0;
	history_add(f->history, "fence.proof",
		    json_pack("{s:s,s:s,s:s,s:I,s:s,s:I}", "victim", victim, "kind",
			      proof_kind_name(a->history.kind), "by", node_name(f, a->history.by),
			      "number", (json_int_t)(n ? n->proof.number : 0), "evidence",
			      a->history.text, "took_ms", (json_int_t)(since ? now - since : 0)),
		    "%s is proven dead by %s: %s (%s)", victim, node_name(f, a->history.by),
		    proof_kind_text(a->history.kind), a->history.text);
}

/* Whoever made the proof was wrong: say where to look. The data of the time in between is in doubt. */
static const char *blame(enum proof_kind kind)
{
	switch (kind) {
	case PROOF_OPERATOR: return "whoever acknowledged it had not seen it off";
	case PROOF_WATCHDOG_EXPIRED: return "check its watchdog: stockade doctor watchdog";
	case PROOF_HYPERVISOR: return "check that the guest runs on one hypervisor only";
	case PROOF_OFF_VERIFIED: return "check that its fence devices switch off this machine";
	case PROOF_NONE:
	case PROOF_STORAGE_CUT:
	case PROOF_NEW_BOOT:
	case PROOF_CLEAN_LEAVE: break;
	}
	return "report this";
}

static void tell_contradicted(struct fenced *f, const struct fence_action *a)
{
	const char *victim = node_name(f, a->history.node);

	history_add(
		f->history, "fence.contradicted",
		json_pack("{s:s,s:s,s:s}", "victim", victim, "kind",
			  proof_kind_name(a->history.kind), "error", a->history.text),
		"%s is alive in a life that had been proven over; %s, and check the data of its volumes (%s)",
		victim, blame(a->history.kind), a->history.text);
	log_error("fence.contradicted", "victim=%s kind=%s text=\"%s\"", victim,
		  proof_kind_name(a->history.kind), a->history.text);
}

static void tell_drilled(struct fenced *f, const struct fence_action *a)
{
	const char *victim = node_name(f, a->history.node);
	uint64_t since = f->victim_ms[a->history.node];
	unsigned took = since ? (unsigned)(mono_ms() - since) : 0;

	if (a->history.number)
		history_add(
			f->history, "fence.drill",
			json_pack("{s:s,s:s,s:i,s:s,s:i}", "victim", victim, "step", "tested",
				  "level", (int)a->history.number, "kind",
				  proof_kind_name(a->history.kind), "took_ms", (int)took),
			"drill: every device of level %u switched %s off and was read back, in %u ms",
			a->history.number, victim, took);
	else
		history_add(
			f->history, "fence.drill",
			json_pack("{s:s,s:s,s:s,s:s,s:i}", "victim", victim, "step", "untested",
				  "kind", proof_kind_name(a->history.kind), "error",
				  a->history.text, "took_ms", (int)took),
			"drill: the devices of %s were NOT tested (it ended by %s): %s; repeat it: stockade fence --drill %s",
			victim, proof_kind_name(a->history.kind), a->history.text, victim);
}

static void tell_failed(struct fenced *f, const struct fence_action *a)
{
	char next[64];

	if (a->history.ms)
		snprintf(next, sizeof(next), "again in %u ms", a->history.ms);
	else
		snprintf(next, sizeof(next), "the next node tries at once");
	history_add(
		f->history, "fence.fail",
		json_pack("{s:s,s:i,s:s,s:s,s:i,s:s}", "victim", node_name(f, a->history.node),
			  "run", (int)a->history.number, "by", node_name(f, a->history.by), "error",
			  a->history.text, "retry_ms", (int)a->history.ms, "step", "attempt"),
		"%s could not fence %s (attempt %u): %s; %s, and for ever; `stockade ack %s` once you know it is off",
		node_name(f, a->history.by), node_name(f, a->history.node), a->history.number,
		a->history.text, next, node_name(f, a->history.node));
}

void tell(struct fenced *f, const struct fence_action *act)
{
	struct fence_action mine = *act, *a = &mine;

	utf8_mend(mine.history.text); /* of another node, perhaps cut */

	const char *node = node_name(f, a->history.node);
	const char *text = a->history.text;

	switch (a->history.note) {
	case FENCE_NOTE_VIEW: tell_view(f); break;
	case FENCE_NOTE_MEMBER:
		log_notice("fence.member", "node=%s", node);
		if (f->drilled[a->history.node])
			history_add(f->history, "fence.drill",
				    json_pack("{s:s,s:s}", "victim", node, "step", "back"),
				    "drill: %s is back, a member again", node);
		f->drilled[a->history.node] = false;
		break;
	case FENCE_NOTE_ABSENT:
		log_warning("fence.absent",
			    "node=%s text=\"its fenced is away; a victim if it stays so\"", node);
		break;
	case FENCE_NOTE_VICTIM:
		f->victim_ms[a->history.node] = mono_ms();
		f->drilled[a->history.node] = a->history.reason == FENCE_REASON_DRILL;
		history_add(f->history, "fence.victim",
			    json_pack("{s:s,s:s}", "victim", node, "reason",
				      fence_reason_name(a->history.reason)),
			    "%s is to be fenced: %s", node, text);
		break;
	case FENCE_NOTE_PARDON:
		history_add(f->history, "fence.pardon", json_pack("{s:s}", "victim", node),
			    "the fenced of %s is back before anything was done: no victim any more",
			    node);
		break;
	case FENCE_NOTE_WAIT:
		history_add(f->history, "fence.wait",
			    json_pack("{s:s,s:i}", "victim", node, "wait_ms", (int)a->history.ms),
			    "waiting %u ms before fencing %s: the side that serves goes first",
			    a->history.ms, node);
		break;
	case FENCE_NOTE_ATTEMPT:
		log_notice("fence.attempt", "victim=%s by=%s attempt=%u", node,
			   node_name(f, a->history.by), a->history.number);
		break;
	case FENCE_NOTE_FAILED: tell_failed(f, a); break;
	case FENCE_NOTE_PROOF: tell_proof(f, a); break;
	case FENCE_NOTE_OUTLIVED:
		history_add(
			f->history, "fence.outlived", json_pack("{s:s}", "victim", node),
			"%s is back while an agent still worked on its old life; if that hits it now, it is fenced anew",
			node);
		break;
	case FENCE_NOTE_CONTRADICTED: tell_contradicted(f, a); break;
	case FENCE_NOTE_ON: log_notice("fence.on", "node=%s text=\"%s\"", node, text); break;
	case FENCE_NOTE_READY:
		if (text[0] == '\0')
			history_add(f->history, "ready.pass", json_pack("{s:s}", "victim", node),
				    "the fence path to %s works", node);
		else
			history_add(
				f->history, "ready.fail",
				json_pack("{s:s,s:s}", "victim", node, "error", text),
				"no working fence path to %s: %s; nothing shared is activated until one works",
				node, text);
		break;
	case FENCE_NOTE_CONFIG:
		history_add(f->history, "config.differs", json_pack("{s:s}", "other", node),
			    "%s runs with another configuration than %s: make %s the same on both",
			    node, f->self->name, f->cfg->path);
		break;
	case FENCE_NOTE_LEAVING:
		history_add(f->history, "fenced.leave", json_pack("{s:s}", "victim", node),
			    "%s says goodbye", node);
		break;
	case FENCE_NOTE_CONFIRM:
		log_warning("fence.confirm",
			    "victim=%s text=\"no other node answered; going on alone\"", node);
		break;
	case FENCE_NOTE_HELD:
		history_add(
			f->history, "fence.held",
			json_pack("{s:s,s:i,s:i}", "victim", node, "times", (int)a->history.number,
				  "within_ms", (int)a->history.ms),
			"%s was fenced %u times within %u min: it stays out until an operator lets it in: stockade node admit %s",
			node, a->history.number, a->history.ms / 60000, node);
		break;
	case FENCE_NOTE_DOG:
		history_add(f->history, "fence.watchdog",
			    json_pack("{s:s,s:i}", "victim", node, "wait_ms", (int)a->history.ms),
			    "%s%swaiting %u s more until the watchdog of %s has fired for certain",
			    a->history.text, a->history.text[0] ? ": " : "",
			    (a->history.ms + 999) / 1000, node);
		break;
	case FENCE_NOTE_ADMITTED:
		history_add(f->history, "fence.admit", json_pack("{s:s}", "victim", node),
			    "an operator lets %s in again", node);
		break;
	case FENCE_NOTE_DRILLED: tell_drilled(f, a); break;
	case FENCE_NOTE_DRILL_REFUSED:
		history_add(f->history, "fence.drill",
			    json_pack("{s:s,s:s,s:s}", "victim", node, "step", "skipped", "reason",
				      text),
			    "no drill of %s: %s", node, text);
		break;
	case FENCE_NOTE_DRILL_WAIT:
		history_add(
			f->history, "fence.drill",
			json_pack("{s:s,s:s,s:i}", "victim", node, "step", "waiting", "wait_ms",
				  (int)a->history.ms),
			"drill: this node waits to be switched off; if nobody does, it reboots itself after %u s",
			a->history.ms / 1000);
		break;
	case FENCE_NOTE_SELF_VICTIM:
		history_add(f->history, "fence.self", json_pack("{s:s}", "reason", text),
			    "the others declared this node dead (%s): rebooting at once", text);
		break;
	case FENCE_NOTE_ATTESTED:
		history_add(f->history, "fence.attest",
			    json_pack("{s:s,s:s}", "victim", node, "evidence", text), "%s: %s",
			    node, text);
		break;
	case FENCE_NOTE_STALL:
		log_warning(
			"fence.stall",
			"late_ms=%u text=\"this node stood still; waiting for corosync's word\"",
			a->history.ms);
		break;
	}
}

void tell_run(struct fenced *f, uint32_t node, uint32_t attempt, uint8_t level, const char *device)
{
	history_add(f->history, "fence.run",
		    json_pack("{s:s,s:i,s:i,s:s}", "victim", node_name(f, node), "run",
			      (int)attempt, "level", level + 1, "device", device),
		    "switching %s off by %s (attempt %u, level %d)", node_name(f, node), device,
		    attempt, level + 1);
}

void tell_step(struct fenced *f, uint32_t node, uint32_t attempt, uint8_t level, const char *device,
	       const char *action, const struct agent_result *res)
{
	history_add(f->history, "fence.step",
		    json_pack("{s:s,s:i,s:i,s:s,s:s,s:s,s:i,s:I}", "victim", node_name(f, node),
			      "run", (int)attempt, "level", level + 1, "device", device, "step",
			      action, "answer", fence_answer_name(res->answer), "rc", res->rc,
			      "took_ms", (json_int_t)res->took_ms),
		    "%s", res->text);
}
