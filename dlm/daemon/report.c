/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the tools ask, as doc/protocol.md has it: answered at once, from memory. */
#include "dlmd.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static json_t *refuse(const char *code, const char *error, const char *remedy)
{
	return json_pack("{s:b,s:s,s:s,s:s}", "ok", 0, "code", code, "error", error, "remedy",
			 remedy);
}

/* Names are bytes: what is not printable is shown as \xNN. */
static const char *printable(const uint8_t *bytes, unsigned len, char text[4 * DLM_NAME_MAX + 1])
{
	char *p = text;

	for (unsigned i = 0; i < len; i++)
		p += isprint(bytes[i]) && bytes[i] != '\\' ? sprintf(p, "%c", bytes[i])
							   : sprintf(p, "\\x%02x", bytes[i]);
	*p = '\0';
	return text;
}

static json_t *node_names(const struct dlmd *d, struct nodeset set)
{
	json_t *names = json_array();

	nodeset_for_each (id, set)
		json_array_append_new(names, json_string(dlmd_node_name(d, id)));
	return names;
}

static json_t *view_json(const struct dlmd *d, const struct dlm_status *st)
{
	if (!d->has_view)
		return json_null();
	return json_pack("{s:I,s:i,s:b,s:b,s:b,s:I,s:o,s:o}", "seq", (json_int_t)d->view.id.seq,
			 "rep", (int)d->view.id.rep, "quorate", d->view.quorate, "synced",
			 st->synced, "two_node", d->view.two_node, "age_ms",
			 (json_int_t)(mono_ms() - d->view_ms), "nodes",
			 node_names(d, d->view.nodes), "members", node_names(d, d->view.members));
}

/* NULL: 0, not known. */
static json_t *since_json(uint64_t since_ms)
{
	return since_ms ? json_integer((json_int_t)(mono_ms() - since_ms)) : json_null();
}

static json_t *lockspaces_json(const struct dlmd *d, const struct dlm_status *st)
{
	json_t *by_name = json_object(), *list = json_array(), *one;
	char text[4 * DLM_NAME_MAX + 1];
	const char *name;

	for (const struct dlm_resource *res = dlm_resource_next(d->dlm, NULL); res;
	     res = dlm_resource_next(d->dlm, res)) {
		const struct dlm_lock *heads[] = { res->granted, res->convert, res->wait };
		json_int_t locks = 0, waiting = 0;

		for (size_t q = 0; q < 3; q++)
			for (const struct dlm_lock *l = heads[q]; l; l = l->next) {
				locks++;
				waiting += q > 0;
			}
		printable(res->space, res->space_len, text);
		one = json_object_get(by_name, text);
		if (!one) {
			one = json_pack("{s:s,s:o,s:i,s:i,s:i,s:o}", "name", text, "members",
					node_names(d, st->members), "resources", 0, "locks", 0,
					"waiting", 0, "stopped_for",
					node_names(d, st->stopped_for));
			json_object_set_new(by_name, text, one);
		}
		json_object_set_new(
			one, "resources",
			json_integer(json_integer_value(json_object_get(one, "resources")) + 1));
		json_object_set_new(
			one, "locks",
			json_integer(json_integer_value(json_object_get(one, "locks")) + locks));
		json_object_set_new(
			one, "waiting",
			json_integer(json_integer_value(json_object_get(one, "waiting")) +
				     waiting));
	}
	json_object_foreach (by_name, name, one)
		json_array_append(list, one);
	json_decref(by_name);
	return list;
}

static json_t *status(struct dlmd *d)
{
	struct dlm_status st;
	char hash[24];

	dlm_status(d->dlm, &st);
	snprintf(hash, sizeof(hash), "%016" PRIx64, d->cfg->hash);
	return json_pack("{s:b,s:i,s:s,s:s,s:i,s:I,s:s,s:s,s:i,s:s,s:o,s:s,s:o}", "ok", 1, "proto",
			 1, "daemon", "dlmd", "version", STOCKADE_VERSION, "pid", (int)getpid(),
			 "uptime_ms", (json_int_t)(mono_ms() - d->started_ms), "cluster",
			 d->cfg->cluster, "node", d->self->name, "nodeid", (int)d->self->id,
			 "config_hash", hash, "view", view_json(d, &st), "fence",
			 fence_link_up(d->fence) ? "connected" : "lost", "lockspaces",
			 lockspaces_json(d, &st));
}

static const char *owner_name(const struct dlmd *d, const struct dlm_lock *l)
{
	struct dlm_life_view life;

	return dlm_life_at(d->dlm, l->life, &life) ? dlmd_node_name(d, life.life.nodeid) : "?";
}

static json_t *blockers(const struct dlmd *d, const struct dlm_resource *res,
			const struct dlm_lock *waiter)
{
	const struct dlm_lock *heads[] = { res->granted, res->convert };
	struct nodeset who = NODESET_EMPTY;
	struct dlm_life_view life;

	if (waiter->wanted == DLM_IV)
		return json_array();
	for (size_t q = 0; q < 2; q++)
		for (const struct dlm_lock *l = heads[q]; l; l = l->next)
			if (l != waiter && !dlm_compatible(l->granted, waiter->wanted) &&
			    dlm_life_at(d->dlm, l->life, &life))
				nodeset_add(&who, life.life.nodeid);
	return node_names(d, who);
}

static json_t *mode_json(int mode)
{
	return mode == DLM_IV ? json_null() : json_string(dlm_mode_name(mode));
}

static json_t *lock_json(const struct dlmd *d, const struct dlm_resource *res,
			 const struct dlm_lock *l)
{
	static const char *const states[] = { "waiting", "granted", "converting", "waiting" };
	char space[4 * DLM_NAME_MAX + 1], name[4 * DLM_NAME_MAX + 1];

	return json_pack("{s:s,s:s,s:I,s:s,s:i,s:s,s:o,s:o,s:o,s:I,s:o}", "lockspace",
			 printable(res->space, res->space_len, space), "resource",
			 printable(res->name, res->name_len, name), "id", (json_int_t)l->lkid,
			 "node", owner_name(d, l), "pid", (int)l->pid, "state",
			 l->client ? states[l->queue] : "orphan", "mode", mode_json(l->granted),
			 "wanted", mode_json(l->wanted), "since_ms", since_json(l->since_ms),
			 "token", (json_int_t)l->token, "blocked_by", blockers(d, res, l));
}

#define ANSWER_BYTES (IPC_BYTES_MAX - 8 * 1024) /* room for the rest of the reply */

static json_t *locks(struct dlmd *d, const char *lockspace)
{
	json_t *list = json_array();
	bool truncated = false;
	size_t bytes = 0;
	char space[4 * DLM_NAME_MAX + 1];

	for (const struct dlm_resource *res = dlm_resource_next(d->dlm, NULL); res;
	     res = dlm_resource_next(d->dlm, res)) {
		const struct dlm_lock *heads[] = { res->granted, res->convert, res->wait };

		if (lockspace &&
		    strcmp(printable(res->space, res->space_len, space), lockspace) != 0)
			continue;
		for (size_t q = 0; q < 3; q++)
			for (const struct dlm_lock *l = heads[q]; l; l = l->next) {
				json_t *one = truncated ? NULL : lock_json(d, res, l);

				bytes += one ? json_dumpb(one, NULL, 0, 0) + 2 : 0;
				truncated = truncated || bytes > ANSWER_BYTES;
				if (truncated)
					json_decref(one);
				else
					json_array_append_new(list, one);
			}
	}
	return json_pack("{s:b,s:o,s:b}", "ok", 1, "locks", list, "truncated", truncated);
}

/* How one resource stands: who has it, who waits, and whether what it waits for is a proof. */
static json_t *why_resource(struct dlmd *d, const struct dlm_resource *res, const char *name)
{
	const struct dlm_lock *holder = res->granted;
	struct dlm_life_view life;
	json_t *on = json_array();
	char text[256];

	if (holder && dlm_life_at(d->dlm, holder->life, &life) && life.state == DLM_LIFE_LOST) {
		snprintf(text, sizeof(text),
			 "%s held it (%s) when it was lost; it stays so until %s is proven off",
			 dlmd_node_name(d, life.life.nodeid), dlm_mode_name(holder->granted),
			 dlmd_node_name(d, life.life.nodeid));
		json_array_append_new(on, json_pack("{s:s,s:s}", "kind", "node", "name",
						    dlmd_node_name(d, life.life.nodeid)));
	} else if (holder) {
		snprintf(text, sizeof(text), "held by %s (%s)%s", owner_name(d, holder),
			 dlm_mode_name(holder->granted),
			 res->wait || res->convert ? ", others wait" : "");
	} else {
		snprintf(text, sizeof(text), "nobody holds it");
	}
	return json_pack("{s:s,s:s,s:s,s:n,s:s,s:n,s:o}", "kind", "lock", "name", name, "state",
			 res->wait || res->convert ? "waiting" : "granted", "since_ms", "text",
			 text, "remedy", "on", on);
}

static json_t *why(struct dlmd *d, const char *kind, const char *name)
{
	json_t *links = json_array();
	char text[4 * DLM_NAME_MAX + 1];
	struct dlm_status st;

	dlm_status(d->dlm, &st);
	if (!name || (kind && strcmp(kind, "lock") != 0))
		return json_pack("{s:b,s:o}", "ok", 1, "links", links);
	for (const struct dlm_resource *res = dlm_resource_next(d->dlm, NULL); res;
	     res = dlm_resource_next(d->dlm, res))
		if (strcmp(printable(res->name, res->name_len, text), name) == 0)
			json_array_append_new(links, why_resource(d, res, name));
	if (!kind && !json_array_size(links)) /* not a lock at all, as far as we know */
		return json_pack("{s:b,s:o}", "ok", 1, "links", links);
	if (!st.synced)
		json_array_append_new(
			links,
			json_pack(
				"{s:s,s:s,s:s,s:n,s:s,s:n,s:[{s:s}]}", "kind", "lock", "name", name,
				"state", "waiting", "since_ms", "text",
				st.quorate
					? "locking stands still until all members have exchanged their state"
					: "locking stands still without quorum",
				"remedy", "on", "kind", "cluster"));
	nodeset_for_each (id, st.stopped_for)
		json_array_append_new(
			links,
			json_pack(
				"{s:s,s:s,s:s,s:o,s:s,s:n,s:[{s:s,s:s}]}", "kind", "lock", "name",
				name, "state", "waiting", "since_ms", since_json(d->lost_ms[id]),
				"text",
				"all locking stands still: what a lost node was granted is known only when it is proven off",
				"remedy", "on", "kind", "node", "name", dlmd_node_name(d, id)));
	return json_pack("{s:b,s:o}", "ok", 1, "links", links);
}

json_t *dlmd_answer(struct dlmd *d, json_t *request)
{
	const char *cmd = json_string_value(json_object_get(request, "cmd"));
	json_t *max = json_object_get(request, "max"), *entries;

	if (!d->dlm)
		return refuse("again",
			      "corosync does not answer, so dlmd does not know which node it is",
			      "start corosync.service; dlmd goes on by itself");
	if (!cmd)
		return refuse("usage", "the request has no \"cmd\"", "see doc/protocol.md");
	if (strcmp(cmd, "status") == 0)
		return status(d);
	if (strcmp(cmd, "locks") == 0)
		return locks(d, json_string_value(json_object_get(request, "lockspace")));
	if (strcmp(cmd, "why") == 0)
		return why(d, json_string_value(json_object_get(request, "kind")),
			   json_string_value(json_object_get(request, "name")));
	if (strcmp(cmd, "history") == 0) {
		entries = history_tail(
			d->history, json_is_integer(max) ? (unsigned)json_integer_value(max) : 200);
		return json_pack("{s:b,s:o,s:b}", "ok", 1, "entries",
				 entries ? entries : json_array(), "truncated", 0);
	}
	return refuse("usage", "dlmd knows no such command",
		      "ask for status, locks, why or history");
}
