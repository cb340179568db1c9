/* SPDX-License-Identifier: GPL-3.0-or-later */
/* fenced/daemon/status.c - what is, as JSON (doc/protocol.md): `status`, and a node's or the cluster's link of `why`. */
#include "daemon.h"

#include "lib/utf8.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static struct fence_status st; /* large; filled anew for each answer */

/* Words of others: an agent's, an operator's, another node's of an older release. Some may have been cut within a character; that
 * must not cost the object that they stand in. */
static json_t *words(const char *s)
{
	char copy[4 * FENCE_TEXT_MAX];

	snprintf(copy, sizeof(copy), "%s", s);
	utf8_mend(copy);
	return json_string(copy);
}

static json_t *text_or_null(const char *s)
{
	return s && s[0] ? words(s) : json_null();
}

static json_t *names(const struct fenced *f, struct nodeset s)
{
	json_t *a = json_array();

	nodeset_for_each (id, s)
		json_array_append_new(a, json_string(node_name(f, id)));
	return a;
}

static json_t *boot_text(const struct incarnation *life)
{
	char text[BOOT_ID_TEXT];

	if (incarnation_unseen(life))
		return json_null();
	incarnation_boot_text(life, text);
	return json_string(text);
}

static json_t *view_json(struct fenced *f, uint64_t now)
{
	if (f->view.id.seq == 0)
		return json_null();
	return json_pack("{s:I,s:i,s:b,s:b,s:b,s:I,s:o,s:o}", "seq", (json_int_t)f->view.id.seq,
			 "rep", (int)f->view.id.rep, "quorate", (int)f->view.quorate, "synced",
			 (int)st.synced, "two_node", (int)f->view.two_node, "age_ms",
			 (json_int_t)(now - f->view_ms), "nodes", names(f, f->view.nodes),
			 "members", names(f, f->view.members));
}

static json_t *proof_json(struct fenced *f, const struct fence_node *n, uint64_t now)
{
	char wall[32] = "";
	time_t t = (time_t)n->proof.wall_s;
	struct tm tm;

	if (n->proof.kind == PROOF_NONE)
		return json_null();
	if (gmtime_r(&t, &tm))
		strftime(wall, sizeof(wall), "%Y-%m-%dT%H:%M:%SZ", &tm);
	return json_pack(
		"{s:s,s:s,s:I,s:s,s:o,s:o,s:o}", "kind", proof_kind_name(n->proof.kind), "by",
		node_name(f, n->proof.by), "number", (json_int_t)n->proof.number, "wall", wall,
		"age_ms",
		f->proof_ms[n->nodeid] ? json_integer((json_int_t)(now - f->proof_ms[n->nodeid]))
				       : json_null(),
		"boot_id", boot_text(&n->proof.victim), "evidence", words(n->proof.evidence));
}

static const char *phase_name(enum fence_phase p)
{
	switch (p) {
	case FENCE_PHASE_NONE: return "none";
	case FENCE_PHASE_DELAY: return "delay";
	case FENCE_PHASE_OFF: return "off";
	case FENCE_PHASE_VERIFY: return "verify";
	case FENCE_PHASE_ON: return "on";
	case FENCE_PHASE_RETRY: return "retry";
	case FENCE_PHASE_WAIT: return "wait";
	case FENCE_PHASE_DOG: return "watchdog";
	case FENCE_PHASE_CONFIRM: return "confirm";
	}
	return "?";
}

static void wait_text(struct fenced *f, const struct fence_node_status *n, char *to, size_t len)
{
	if (!st.pub.quorate)
		snprintf(to, len, "this side has no quorum and fences nobody");
	else if (!st.synced)
		snprintf(to, len, "the members have not agreed on the new view yet");
	else if (n->actor == 0)
		snprintf(
			to, len,
			"no other member is left that could fence it, or may: one that was fenced too often waits to be let in");
	else
		snprintf(to, len, "%s acts", node_name(f, n->actor));
}

static json_t *fencing_json(struct fenced *f, const struct fence_node_status *n, uint64_t now)
{
	const struct config_node *cn = config_node_by_id(f->cfg, n->pub.nodeid);
	bool at_device = n->phase == FENCE_PHASE_OFF || n->phase == FENCE_PHASE_VERIFY ||
			 n->phase == FENCE_PHASE_ON;
	const struct config_fence_use *use = at_device && cn && n->level < cn->n_levels &&
							     n->device < cn->level[n->level].n
						     ? &cn->level[n->level].use[n->device]
						     : NULL;
	char error[2 * FENCE_TEXT_MAX];

	if (n->pub.state != FENCE_NODE_VICTIM)
		return json_null();
	snprintf(error, sizeof(error), "%s", n->failed);
	if (!error[0] && n->phase == FENCE_PHASE_WAIT)
		wait_text(f, n, error, sizeof(error));
	return json_pack(
		"{s:I,s:o,s:s,s:o,s:i,s:o,s:o,s:o,s:I,s:o,s:o}", "run", (json_int_t)n->attempts,
		"actor", n->actor ? json_string(node_name(f, n->actor)) : json_null(), "phase",
		phase_name(n->phase), "level", use ? json_integer(n->level + 1) : json_null(),
		"attempt", (int)n->attempts, "device",
		use ? json_string(f->cfg->device[use->device].name) : json_null(), "plug",
		use ? text_or_null(use->plug) : json_null(), "reason",
		words(n->why[0] ? n->why : fence_reason_text(n->reason)), "since_ms",
		(json_int_t)(now > n->since_ms ? now - n->since_ms : 0), "next_ms",
		n->next_ms == UINT32_MAX ? json_null() : json_integer(n->next_ms), "error",
		text_or_null(error));
}

static json_t *paths_json(struct fenced *f, const struct config_node *cn, uint64_t now)
{
	static const char *const results[] = { "unknown", "pass", "fail" };
	json_t *a = json_array();

	for (unsigned l = 0; cn->id != f->life.nodeid && l < cn->n_levels; l++)
		for (unsigned d = 0; d < cn->level[l].n; d++) {
			const struct config_fence_use *use = &cn->level[l].use[d];
			const struct path_result *p = &f->path[cn->id][l][d];
			const struct config_device *dev = &f->cfg->device[use->device];

			json_array_append_new(
				a, json_pack("{s:i,s:s,s:s,s:o,s:s,s:o,s:o,s:o}", "level",
					     (int)l + 1, "device", dev->name, "agent", dev->agent,
					     "plug", text_or_null(use->plug), "result",
					     results[p->result], "by",
					     p->result && f->self ? json_string(f->self->name)
								  : json_null(),
					     "age_ms",
					     p->result ? json_integer((json_int_t)(now - p->at_ms))
						       : json_null(),
					     "error", text_or_null(p->text)));
		}
	return a;
}

static const char *sign_name(enum life_sign sign)
{
	static const char *const signs[] = { "unknown", "fresh", "stale" };

	return signs[sign <= LIFE_STALE ? sign : LIFE_UNKNOWN];
}

static void wall_text(int64_t wall_s, char to[32])
{
	time_t t = (time_t)wall_s;
	struct tm tm;

	to[0] = '\0';
	if (gmtime_r(&t, &tm))
		strftime(to, 32, "%Y-%m-%dT%H:%M:%SZ", &tm);
}

/* How its last drill went, and which level was last seen to work when. Ages are for people: by the wall clocks. */
static json_t *drill_json(const struct config_node *cn, const struct fence_node_status *n)
{
	const struct fence_drill *d = &n->drill;
	json_t *levels = json_array();
	char wall[32];

	for (unsigned i = 0; i < cn->n_levels; i++) {
		const struct fence_tested *t = &d->levels[i];

		wall_text(t->wall_s, wall);
		json_array_append_new(
			levels,
			json_pack("{s:i,s:I,s:o,s:o}", "level", (int)i + 1, "number",
				  (json_int_t)t->number, "wall",
				  t->number ? json_string(wall) : json_null(), "age_s",
				  t->number ? json_integer(drill_age_s(t->wall_s)) : json_null()));
	}
	wall_text(d->wall_s, wall);
	return json_pack("{s:I,s:o,s:o,s:o,s:o,s:o,s:b,s:o,s:o,s:o}", "number",
			 (json_int_t)d->number, "kind",
			 d->number ? json_string(proof_kind_name(d->kind)) : json_null(), "level",
			 d->number ? json_integer(d->level + 1) : json_null(), "tested",
			 d->number ? json_boolean(d->tested) : json_null(), "wall",
			 d->number ? json_string(wall) : json_null(), "age_s",
			 d->number ? json_integer(drill_age_s(d->wall_s)) : json_null(), "pending",
			 (int)n->drill_pending, "refused", text_or_null(n->drill_refused), "error",
			 text_or_null(n->drill_error), "levels", levels);
}

/* null: it is not wanted here */
static json_t *watchdog_json(struct fenced *f)
{
	const char *why = "";
	bool may = false;

	if (!config_uses_watchdog(f->cfg))
		return json_null();
	if (f->dom)
		may = fence_may_pet(f->dom, mono_ms(), &why);
	return json_pack("{s:s,s:o,s:b,s:o,s:b,s:o}", "device", f->cfg->watchdog_device, "identity",
			 text_or_null(f->dog.identity), "armed", f->dog.fd >= 0, "timeout_ms",
			 f->dog.fd >= 0 ? json_integer(f->dog.timeout_ms) : json_null(), "petted",
			 f->dog.fd >= 0 && may, "error",
			 text_or_null(f->dog.why[0] ? f->dog.why : why));
}

static json_t *gateway_json(struct fenced *f)
{
	json_t *targets = json_array();

	for (unsigned i = 0; i < f->cfg->n_pings; i++) {
		uint64_t age = pings_age_ms(f->pings, i);

		json_array_append_new(
			targets,
			json_pack("{s:s,s:o}", "address", f->cfg->ping[i], "age_ms",
				  age == UINT64_MAX ? json_null() : json_integer((json_int_t)age)));
	}
	return json_pack("{s:s,s:o}", "sign", sign_name(pings_sign(f->pings)), "targets", targets);
}

static json_t *node_json(struct fenced *f, const struct config_node *cn, uint64_t now)
{
	const struct fence_node_status *n = NULL;
	bool self = f->self == cn;
	json_t *o = json_object();

	for (unsigned i = 0; i < st.node_count; i++)
		if (st.node[i].pub.nodeid == cn->id)
			n = &st.node[i];
	json_object_set_new(o, "id", json_integer(cn->id));
	json_object_set_new(o, "name", json_string(cn->name));
	json_object_set_new(o, "self", json_boolean(self));
	json_object_set_new(
		o, "state",
		json_string(fence_node_state_name(n ? n->pub.state : FENCE_NODE_UNKNOWN)));
	json_object_set_new(o, "boot_id", n ? boot_text(&n->pub.life) : json_null());
	char hash[20];

	snprintf(hash, sizeof(hash), "%016" PRIx64, self ? f->cfg->hash : n ? n->config_hash : 0);
	json_object_set_new(o, "config_hash",
			    self || (n && n->config_hash) ? json_string(hash) : json_null());
	json_object_set_new(o, "config_differs", n ? json_boolean(n->config_differs) : json_null());
	json_object_set_new(o, "ready", self || !n ? json_null() : json_boolean(n->pub.ready));
	json_object_set_new(o, "ready_age_ms",
			    self || !n || n->pub.ready_age_ms == UINT32_MAX
				    ? json_null()
				    : json_integer(n->pub.ready_age_ms));
	json_object_set_new(o, "ready_by", n ? names(f, n->ready_by) : json_array());
	json_object_set_new(o, "watchdog_ms",
			    n && n->armed_ms ? json_integer(n->armed_ms) : json_null());
	json_object_set_new(o, "watchdog_by",
			    n && n->armed_ms ? json_string(n->armed_by_disk ? "disk" : "ring")
					     : json_null());
	json_object_set_new(o, "held", n ? json_boolean(n->held) : json_null());
	json_object_set_new(o, "fenced_recently",
			    n ? json_integer(n->fenced_recently) : json_null());
	json_object_set_new(o, "drill", n ? drill_json(cn, n) : json_null());
	enum life_sign sign = self ? f->signs.self : f->signs.peer[cn->id];

	json_object_set_new(o, "heartbeat", json_string(sign_name(sign)));
	json_object_set_new(o, "weight",
			    self                                     ? json_integer(f->signs.weight)
			    : n && n->pub.state == FENCE_NODE_MEMBER ? json_integer(n->weight)
								     : json_null());
	json_object_set_new(o, "proof", n ? proof_json(f, &n->pub, now) : json_null());
	json_object_set_new(o, "fencing", n ? fencing_json(f, n, now) : json_null());
	json_object_set_new(o, "paths", paths_json(f, cn, now));
	return o;
}

json_t *status_json(struct fenced *f)
{
	uint64_t now = mono_ms();
	char hash[20];
	json_t *nodes = json_array();

	memset(&st, 0, sizeof(st));
	if (f->dom)
		fence_status(f->dom, now, &st);
	snprintf(hash, sizeof(hash), "%016" PRIx64, f->cfg->hash);
	for (unsigned i = 0; i < f->cfg->n_nodes; i++)
		json_array_append_new(nodes, node_json(f, &f->cfg->node[i], now));
	return json_pack(
		"{s:b,s:i,s:s,s:s,s:i,s:I,s:s,s:o,s:o,s:s,s:o,s:b,s:b,s:o,s:o,s:o,s:o,s:o,s:o}",
		"ok", 1, "proto", 1, "daemon", "fenced", "version", STOCKADE_VERSION, "pid",
		(int)getpid(), "uptime_ms", (json_int_t)(now - f->start_ms), "cluster",
		f->cfg->cluster, "node", f->self ? json_string(f->self->name) : json_null(),
		"nodeid", f->self ? json_integer(f->self->id) : json_null(), "config_hash", hash,
		"view", view_json(f, now), "informed", (int)st.pub.informed, "self_victim",
		(int)st.pub.self_victim, "signs",
		f->signs_ms
			? json_pack("{s:i,s:b,s:I}", "weight", (int)f->signs.weight, "holds",
				    (int)f->signs.holds, "age_ms", (json_int_t)(now - f->signs_ms))
			: json_null(),
		"gateway", gateway_json(f), "watchdog", watchdog_json(f), "attest", attest_json(f),
		"store_error", text_or_null(f->store_error), "nodes", nodes);
}

static json_t *link_json(const char *kind, const char *name, const char *state, json_int_t since_ms,
			 const char *text, const char *remedy, json_t *on)
{
	return json_pack("{s:s,s:o,s:s,s:o,s:o,s:o,s:o}", "kind", kind, "name", text_or_null(name),
			 "state", state, "since_ms",
			 since_ms < 0 ? json_null() : json_integer(since_ms), "text", words(text),
			 "remedy", text_or_null(remedy), "on", on);
}

static json_t *on_cluster(void)
{
	return json_pack("[{s:s,s:n}]", "kind", "cluster", "name");
}

static json_t *why_cluster(struct fenced *f, uint64_t now)
{
	char text[512];

	if (!f->dom || f->view.id.seq == 0)
		return link_json("cluster", "", "waiting", -1,
				 f->waits[0] ? f->waits : "corosync does not answer on this node",
				 "systemctl status corosync", json_array());
	json_int_t since = (json_int_t)(now - f->view_ms);

	if (!f->view.quorate) {
		snprintf(text, sizeof(text),
			 "no quorum: %u of %u nodes are in the cluster, nothing is decided here",
			 nodeset_count(f->view.nodes), f->cfg->n_nodes);
		return link_json("cluster", "", "waiting", since, text,
				 "start the missing nodes, or repair the network between them",
				 json_array());
	}
	if (!st.synced) {
		size_t n = (size_t)snprintf(text, sizeof(text), "waiting for the word of");

		nodeset_for_each (id, st.waiting_sync)
			n += (size_t)snprintf(text + n, sizeof(text) - n, " %s", node_name(f, id));
		return link_json("cluster", "", "waiting", since, text, "", json_array());
	}
	for (unsigned i = 0; i < st.node_count; i++)
		if (st.node[i].held && f->self && st.node[i].pub.nodeid == f->self->id) {
			snprintf(
				text, sizeof(text),
				"this node was fenced %u times within %u min: nothing starts here, and it fences nobody",
				st.node[i].fenced_recently, f->cfg->loop_ms / 60000);
			char remedy[160];

			snprintf(remedy, sizeof(remedy),
				 "find out why, then let it in: stockade node admit %s",
				 f->self->name);
			return link_json("cluster", "", "held", since, text, remedy, json_array());
		}
	if (st.leaving)
		return link_json("cluster", "", "waiting", since,
				 "this node is leaving the fence domain", "", json_array());
	return link_json("cluster", "", st.pub.informed ? "informed" : "waiting", since,
			 st.pub.informed ? "quorate, and all members agree"
					 : "this node is not informed yet",
			 "", json_array());
}

static json_t *why_member(struct fenced *f, const struct config_node *cn,
			  const struct fence_node_status *n, json_int_t since)
{
	char text[3 * FENCE_TEXT_MAX];

	if (n->held) {
		snprintf(
			text, sizeof(text),
			"it was fenced too often (%u times within the last %u min): nothing starts on it until it is let in",
			n->fenced_recently, f->cfg->loop_ms / 60000);
		char remedy[160];

		snprintf(remedy, sizeof(remedy),
			 "find out why, then let it in: stockade node admit %s", cn->name);
		return link_json("node", cn->name, "held", since, text, remedy, json_array());
	}
	if (n->config_differs) {
		snprintf(text, sizeof(text), "it runs with another configuration than %s",
			 f->self->name);
		return link_json("node", cn->name, "waiting", since, text,
				 "make stockade.yaml the same on all nodes and restart fenced",
				 json_array());
	}
	if (f->self != cn && !n->pub.ready) {
		const char *why = n->ready_text;

		for (unsigned l = 0; !why[0] && l < cn->n_levels; l++)
			for (unsigned d = 0; !why[0] && d < cn->level[l].n; d++)
				why = f->path[cn->id][l][d].text;
		snprintf(text, sizeof(text), "no fence path to it works: %s",
			 why[0] ? why : "none was checked yet, or too long ago");
		return link_json(
			"node", cn->name, "waiting", since, text,
			"repair the fence device; it is checked again by itself, or by `stockade check`",
			json_array());
	}
	return link_json("node", cn->name, "member", since, "it is a member", "", json_array());
}

static json_t *why_victim(struct fenced *f, const struct config_node *cn,
			  const struct fence_node_status *n, json_int_t since)
{
	char text[4 * FENCE_TEXT_MAX], what[FENCE_TEXT_MAX] = "", next[80] = "", remedy[200];

	if (n->phase == FENCE_PHASE_WAIT)
		wait_text(f, n, what, sizeof(what));
	else if (n->phase == FENCE_PHASE_DELAY)
		snprintf(what, sizeof(what), "%s waits: in a cut the side that serves goes first",
			 f->self->name);
	else if (n->phase == FENCE_PHASE_DOG)
		snprintf(what, sizeof(what),
			 "%s waits until its watchdog has fired for certain: %u s more",
			 f->self->name, n->next_ms == UINT32_MAX ? 0 : (n->next_ms + 999) / 1000);
	else if (n->phase == FENCE_PHASE_RETRY)
		snprintf(what, sizeof(what), "every node has tried");
	else if (n->phase == FENCE_PHASE_CONFIRM)
		snprintf(what, sizeof(what),
			 "%s is to act, and waits for another node to confirm it", f->self->name);
	else if (n->phase == FENCE_PHASE_DOG)
		snprintf(what, sizeof(what),
			 "%s waits until its watchdog has fired for certain (attempt %u, level %u)",
			 f->self->name, n->attempts, n->level + 1u);
	else
		snprintf(what, sizeof(what), "%s switches it off (attempt %u, level %u)",
			 f->self->name, n->attempts, n->level + 1u);
	if (n->next_ms != UINT32_MAX && n->phase != FENCE_PHASE_DOG)
		snprintf(next, sizeof(next), "; goes on in %u ms", n->next_ms);
	snprintf(text, sizeof(text), "%s; no proof yet that it cannot write; %s%s%s%s",
		 n->why[0] ? n->why : fence_reason_text(n->reason), what, next,
		 n->failed[0] ? "; last failure: " : "", n->failed);
	snprintf(
		remedy, sizeof(remedy),
		"repair its fence device (stockade doctor fence), or, once you have seen that it is off: stockade ack %s",
		cn->name);
	return link_json(
		"node", cn->name, "victim", since, text, n->failed[0] || !n->actor ? remedy : "",
		n->phase == FENCE_PHASE_WAIT && !st.pub.quorate ? on_cluster() : json_array());
}

static json_t *why_node(struct fenced *f, const struct config_node *cn, uint64_t now)
{
	char text[2 * FENCE_TEXT_MAX];
	const struct fence_node_status *n = NULL;

	for (unsigned i = 0; i < st.node_count; i++)
		if (st.node[i].pub.nodeid == cn->id)
			n = &st.node[i];
	if (!n || (!st.pub.informed && n->pub.state != FENCE_NODE_VICTIM))
		return link_json("node", cn->name, "unknown", -1,
				 "this node is not informed: it says nothing about others", "",
				 on_cluster());
	json_int_t since = (json_int_t)(now > n->since_ms ? now - n->since_ms : 0);

	switch (n->pub.state) {
	case FENCE_NODE_UNKNOWN:
		snprintf(
			text, sizeof(text),
			"not seen since this cluster started; it is fenced when it stays away (post_join %u ms)",
			f->cfg->timing.post_join_ms);
		return link_json("node", cn->name, "waiting", since, text, "start it, or wait",
				 json_array());
	case FENCE_NODE_MEMBER: return why_member(f, cn, n, since);
	case FENCE_NODE_ABSENT:
		snprintf(
			text, sizeof(text),
			"its node is in the cluster, its fenced is not; it is fenced when that stays so for %u ms",
			f->cfg->timing.absent_ms);
		return link_json("node", cn->name, "waiting", since, text,
				 "systemctl start stockade-fenced on it", json_array());
	case FENCE_NODE_VICTIM: return why_victim(f, cn, n, since);
	case FENCE_NODE_DEAD:
		snprintf(text, sizeof(text), "it is off or gone: %s (%s)",
			 proof_kind_text(n->pub.proof.kind), n->pub.proof.evidence);
		return link_json("node", cn->name, "dead", since, text, "", json_array());
	}
	return json_null();
}

json_t *why_json(struct fenced *f, const char *name, const char *kind)
{
	json_t *links = json_array();
	uint64_t now = mono_ms();
	const struct config_node *cn = config_node_by_name(f->cfg, name);

	memset(&st, 0, sizeof(st));
	if (f->dom)
		fence_status(f->dom, now, &st);
	if (kind && strcmp(kind, "cluster") == 0)
		json_array_append_new(links, why_cluster(f, now));
	else if (cn && (!kind || strcmp(kind, "node") == 0))
		json_array_append_new(links, why_node(f, cn, now));
	return links;
}
