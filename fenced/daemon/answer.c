/* SPDX-License-Identifier: GPL-3.0-or-later */
/* fenced/daemon/answer.c - subscribers (dlmd, storaged) and requests of tools (doc/protocol.md). */
#include "daemon.h"

#include "lib/shell/log.h"
#include "lib/shell/notify.h"
#include "lib/utf8.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static json_t *refusal(const char *code, const char *remedy, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
static json_t *refusal(const char *code, const char *remedy, const char *fmt, ...)
{
	char error[2 * FENCE_TEXT_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(error, sizeof(error), fmt, ap);
	va_end(ap);
	utf8_mend(error); /* a sentence may be cut, an answer may not be missing */
	return json_pack("{s:b,s:s,s:s,s:s}", "ok", 0, "code", code, "error", error, "remedy",
			 remedy);
}

static json_t *done(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static json_t *done(const char *fmt, ...)
{
	char text[2 * FENCE_TEXT_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	utf8_mend(text);
	return json_pack("{s:b,s:s}", "ok", 1, "text", text);
}

/* The core's negative answers, in the words of the protocol. */
static json_t *refused(const struct fenced *f, int rc, const char *remedy)
{
	const char *why = f->dom ? fence_refusal(f->dom) : f->waits;

	if (rc == -EAGAIN)
		return refusal("again", "wait until `stockade status` shows quorum, then ask again",
			       "%s", why[0] ? why : "fenced is starting");
	if (rc == -ENOENT)
		return refusal("no_such", "name a node of the configuration", "%s", why);
	return refusal("refused", remedy, "%s", why);
}

static const struct config_node *node_arg(const struct fenced *f, json_t *req, json_t **ret_error)
{
	const char *name = json_string_value(json_object_get(req, "node"));
	const struct config_node *n = name ? config_node_by_name(f->cfg, name) : NULL;

	if (!name)
		*ret_error = refusal("usage", "give \"node\"", "the name of a node is missing");
	else if (!n)
		*ret_error = refusal("no_such", "name a node of the configuration",
				     "there is no node %s", name);
	return n;
}

/* Whoever walks around a drill (tools/cmd_drill.c) could not even ask for it: it is told all the same. */
static json_t *drill_skipped(struct fenced *f, const struct config_node *n, const char *why)
{
	history_add(f->history, "fence.drill",
		    json_pack("{s:s,s:s,s:s}", "victim", n->name, "step", "skipped", "reason", why),
		    "no drill of %s: %s", n->name, why);
	return done("noted");
}

static json_t *cmd_fence(struct fenced *f, json_t *req)
{
	static struct fence_state st;
	json_t *error = NULL;
	const struct config_node *n = node_arg(f, req, &error);
	const char *reason = json_string_value(json_object_get(req, "reason"));
	char text[FENCE_TEXT_MAX];

	if (!n)
		return error;
	if (!f->dom)
		return refused(f, -EAGAIN, "");
	bool drill = json_is_true(json_object_get(req, "drill"));
	const char *skip = json_string_value(json_object_get(req, "skipped"));
	json_int_t level = json_integer_value(json_object_get(req, "level")); /* from 1; 0: next */

	if (drill && skip)
		return drill_skipped(f, n, skip);
	if (level < 0 || level > FENCE_LEVELS_MAX)
		return refusal("usage", "levels are counted from 1", "there is no such level");
	if (!reason)
		reason = "no reason given";
	snprintf(text, sizeof(text), "%sasked on %.40s: %.*s", drill ? "drill, " : "",
		 f->self->name, (int)utf8_cut(reason, 120), reason);
	fence_snapshot(f->dom, mono_ms(), &st);
	const struct fence_node *s = fence_state_node(&st, n->id);
	uint64_t number = s ? s->proof.number : 0;
	int r = feed(f, (struct fence_event){
				.type = FENCE_EV_REQUEST,
				.request = { n->id, text, drill,
					     level ? (uint8_t)(level - 1) : FENCE_LEVEL_NONE } });

	if (r == -EPERM)
		return refused(
			f, r,
			"a drill is done only while the whole cluster is well: stockade status");
	if (r < 0)
		return refused(f, r, "see `stockade why NODE`");
	json_t *reply = done("%s is to be fenced", n->name);

	json_object_set_new(reply, "proof_number", json_integer((json_int_t)number));
	return reply;
}

static json_t *cmd_admit(struct fenced *f, json_t *req)
{
	json_t *error = NULL;
	const struct config_node *n = node_arg(f, req, &error);

	if (!n)
		return error;
	if (!f->dom)
		return refused(f, -EAGAIN, "");
	int r = feed(f, (struct fence_event){ .type = FENCE_EV_ADMIT, .admit = n->id });

	return r < 0 ? refused(f, r, "see `stockade why NODE`")
		     : done("%s is let in again", n->name);
}

/* NULL: answered later, by ack_answer(). */
static json_t *cmd_ack(struct fenced *f, struct ipc_peer *peer, json_t *req)
{
	json_t *error = NULL;
	const struct config_node *n = node_arg(f, req, &error);
	const char *reason = json_string_value(json_object_get(req, "reason"));
	bool force = json_is_true(json_object_get(req, "force"));

	if (!n)
		return error;
	if (!f->dom)
		return refused(f, -EAGAIN, "");
	if (f->ack_peer)
		return refusal("again", "ask again in a moment",
			       "another acknowledgement is being checked");
	f->ack_peer = peer;
	f->ack_node = n->id;
	f->ack_force = force;
	snprintf(f->ack_reason, sizeof(f->ack_reason), "%s", reason ? reason : "");
	utf8_mend(f->ack_reason);
	int r = feed(f, (struct fence_event){ .type = FENCE_EV_ACK,
					      .ack = { n->id, force, reason ? reason : "" } });

	if (r == 0)
		return NULL;
	f->ack_peer = NULL;
	if (r != -EBUSY)
		return refused(f, r, force ? "give a reason" : "see `stockade status`");
	json_t *reply = refused(
		f, r,
		"switch it off, or wait until it is; --force --reason TEXT overrides and is kept");
	const char *why = fence_refusal(f->dom);
	const char *channel = strstr(why, "corosync") ? "corosync" : "heartbeat";

	json_object_set_new(reply, "alive",
			    json_pack("[{s:s,s:s}]", "channel", channel, "text", why));
	return reply;
}

void ack_answer(struct fenced *f, int rc, const char *text)
{
	const char *node = node_name(f, f->ack_node);
	json_t *reply;

	if (rc == 0) {
		history_add(f->history, "fence.ack",
			    json_pack("{s:s,s:b,s:s}", "victim", node, "force", (int)f->ack_force,
				      "reason", f->ack_reason),
			    "an operator acknowledged that %s is off%s: %s (%s)", node,
			    f->ack_force ? ", by force" : "", f->ack_reason, text);
		reply = done("%s is acknowledged as off: %s", node, text);
		json_object_set_new(reply, "proof",
				    json_pack("{s:s,s:s,s:s}", "kind", "operator", "by",
					      f->self->name, "evidence", f->ack_reason));
	} else if (rc == -EBUSY) {
		reply = refusal(
			"refused",
			"switch it off, or wait until it is; --force --reason TEXT overrides and is kept",
			"%s is alive: %s", node, text);
		json_object_set_new(reply, "alive",
				    json_pack("[{s:s,s:s}]", "channel", "device", "text", text));
	} else {
		reply = refusal("again", "ask again", "%s", text);
	}
	if (f->ack_peer)
		ipc_reply_json(f->ack_peer, reply);
	else
		json_decref(reply);
	f->ack_peer = NULL;
}

static json_t *cmd_leave(struct fenced *f, struct ipc_peer *peer)
{
	if (!f->dom)
		return refused(f, -EAGAIN, "");
	int r = feed(f, (struct fence_event){ .type = FENCE_EV_LEAVE });

	if (r < 0)
		return refused(f, r, "stop storaged on this node first");
	f->leave_peer = peer;
	return NULL;
}

void leave_answer(struct fenced *f)
{
	if (f->leave_peer)
		ipc_reply_json(f->leave_peer, done("%s has left the fence domain", f->self->name));
	f->leave_peer = NULL;
}

static json_t *cmd_history(struct fenced *f, json_t *req)
{
	json_int_t max = json_integer_value(json_object_get(req, "max"));

	if (max <= 0 || max > 10000)
		max = 200;
	json_t *all = history_tail(f->history, (unsigned)max);
	size_t bytes = 64, first = all ? json_array_size(all) : 0;

	while (first > 0) {
		size_t n = json_dumpb(json_array_get(all, first - 1), NULL, 0, JSON_COMPACT) + 1;

		if (bytes + n > IPC_BYTES_MAX / 2)
			break;
		bytes += n;
		first--;
	}
	json_t *entries = json_array();

	for (size_t i = first; all && i < json_array_size(all); i++)
		json_array_append(entries, json_array_get(all, i));
	json_decref(all);
	return json_pack("{s:b,s:o,s:b}", "ok", 1, "entries", entries, "truncated", first > 0);
}

static json_t *cmd_why(struct fenced *f, json_t *req)
{
	const char *name = json_string_value(json_object_get(req, "name"));
	const char *kind = json_string_value(json_object_get(req, "kind"));

	return json_pack("{s:b,s:o}", "ok", 1, "links", why_json(f, name ? name : "", kind));
}

static void on_json(struct fenced *f, struct ipc_peer *peer, const void *data, size_t len)
{
	json_error_t err;
	json_t *req = json_loadb(data, len, JSON_REJECT_DUPLICATES, &err), *reply;
	const char *cmd = json_string_value(json_object_get(req, "cmd"));
	bool later = false;

	if (!cmd) {
		reply = refusal("usage", "send {\"cmd\": ...}", "this is no request: %s",
				req ? "no cmd" : err.text);
	} else if (strcmp(cmd, "status") == 0) {
		reply = status_json(f);
	} else if (strcmp(cmd, "why") == 0) {
		reply = cmd_why(f, req);
	} else if (strcmp(cmd, "history") == 0) {
		reply = cmd_history(f, req);
	} else if (strcmp(cmd, "fence") == 0) {
		reply = cmd_fence(f, req);
	} else if (strcmp(cmd, "ack") == 0) {
		reply = cmd_ack(f, peer, req);
		later = !reply;
	} else if (strcmp(cmd, "admit") == 0) {
		reply = cmd_admit(f, req);
	} else if (strcmp(cmd, "leave") == 0) {
		reply = cmd_leave(f, peer);
		later = !reply;
	} else if (strcmp(cmd, "doctor") == 0) {
		reply = doctor_request(f, req);
	} else if (strcmp(cmd, "ready") == 0) {
		int r = feed(f, (struct fence_event){ .type = FENCE_EV_READY });

		reply = r < 0 ? refused(f, r, "") : done("the fence paths are being checked");
	} else {
		reply = refusal("usage", "see doc/protocol.md", "fenced knows no command %s", cmd);
	}
	json_decref(req);
	if (!later && reply)
		ipc_reply_json(peer, reply);
	else if (!later)
		ipc_disconnect(peer); /* no memory for an answer */
}

static void subscribe(struct fenced *f, struct ipc_peer *peer)
{
	static struct fence_state st;
	uint8_t buf[FENCE_STATE_WIRE_MAX];
	unsigned i = 0;

	while (i < SUBSCRIBERS_MAX && f->subscriber[i] && f->subscriber[i] != peer)
		i++;
	if (i == SUBSCRIBERS_MAX) {
		log_warning("ipc.subscribe", "text=\"too many subscribers\"");
		ipc_disconnect(peer);
		return;
	}
	f->subscriber[i] = peer;
	memset(&st, 0, sizeof(st)); /* nothing is known yet: not quorate, not informed */
	if (f->dom)
		fence_snapshot(f->dom, mono_ms(), &st);
	int n = fence_state_encode(&st, buf, sizeof(buf));

	if (n < 0 || ipc_reply(peer, IPC_FENCE_STATE, buf, (size_t)n) < 0)
		ipc_disconnect(peer);
}

static void on_signs(struct fenced *f, struct ipc_peer *peer, const void *data, size_t len)
{
	struct fence_signs signs;

	if (fence_signs_decode(&signs, data, len) < 0) {
		log_warning("ipc.signs", "text=\"cannot be read\"");
		ipc_disconnect(peer);
		return;
	}
	/* No answer, no activation: we are leaving. */
	static struct fence_status st;

	if (f->dom) {
		fence_status(f->dom, mono_ms(), &st);
		if (st.leaving && signs.holds) {
			log_warning("ipc.signs",
				    "text=\"this node is leaving: nothing may be activated\"");
			ipc_disconnect(peer);
			return;
		}
	}
	f->signs_from = peer;
	f->signs_ms = mono_ms();
	signs_set(f, &signs);
	ipc_reply(peer, IPC_FENCE_SIGNS, NULL, 0);
	try_leave(f);
}

void on_ipc(void *arg, struct ipc_peer *peer, uint32_t type, const void *data, size_t len)
{
	struct fenced *f = arg;

	switch (type) {
	case IPC_JSON: on_json(f, peer, data, len); break;
	case IPC_FENCE_SUBSCRIBE: subscribe(f, peer); break;
	case IPC_FENCE_SIGNS: on_signs(f, peer, data, len); break;
	case IPC_FENCE_ALIVE:
		guard_alive(f, data, len);
		ipc_reply(peer, IPC_FENCE_ALIVE, NULL, 0);
		break;
	default: ipc_disconnect(peer); break;
	}
}

void on_ipc_gone(void *arg, struct ipc_peer *peer)
{
	struct fenced *f = arg;

	for (unsigned i = 0; i < SUBSCRIBERS_MAX; i++)
		if (f->subscriber[i] == peer)
			f->subscriber[i] = NULL;
	if (f->ack_peer == peer)
		f->ack_peer = NULL;
	if (f->leave_peer == peer)
		f->leave_peer = NULL;
	if (f->signs_from != peer)
		return;
	/* What it said it may have overtaken: it can have activated something in the moment in which we did not listen. What
	 * it saw is no news any more (SAFE-3). */
	struct fence_signs signs = f->signs;

	f->signs_from = NULL;
	signs.holds = signs.holds || !signs.ended;
	signs.self = LIFE_UNKNOWN;
	memset(signs.peer, 0, sizeof(signs.peer));
	signs_set(f, &signs);
}

void publish(struct fenced *f)
{
	static struct fence_state st;
	uint8_t buf[FENCE_STATE_WIRE_MAX];
	unsigned victims = 0;

	fence_snapshot(f->dom, mono_ms(), &st);
	int n = fence_state_encode(&st, buf, sizeof(buf));

	for (unsigned i = 0; n >= 0 && i < SUBSCRIBERS_MAX; i++)
		if (f->subscriber[i])
			ipc_event(f->subscriber[i], IPC_FENCE_STATE, buf, (size_t)n);
	for (unsigned i = 0; i < st.n; i++)
		victims += st.node[i].state == FENCE_NODE_VICTIM;
	notify_status("node %s: %s, %u of %u nodes, %u to be fenced", f->self->name,
		      st.self_victim ? "declared dead"
		      : st.informed  ? "informed"
		      : st.quorate   ? "quorate, not informed yet"
				     : "no quorum",
		      nodeset_count(f->view.members), st.n, victims);
}
