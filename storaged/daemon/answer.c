/* SPDX-License-Identifier: GPL-3.0-or-later */
/* JSON requests of doc/protocol.md, answered from memory; commands when they are agreed. */
#include "daemon.h"

#include "lib/shell/log.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define HISTORY_MAX_DEFAULT 200

static json_t *refusal(const char *code, const char *remedy, const char *error)
{
	return json_pack("{s:b, s:s, s:s, s:s*}", "ok", 0, "code", code, "error", error, "remedy",
			 remedy);
}

static json_t *text_or_null(const char *text)
{
	return text && *text ? json_string(text) : json_null();
}

static json_t *node_or_null(const struct daemon *d, uint32_t id)
{
	return id ? json_string(node_name(d, id)) : json_null();
}

static json_t *names(const struct daemon *d, struct nodeset set)
{
	json_t *a = json_array();

	nodeset_for_each (id, set)
		json_array_append_new(a, json_string(node_name(d, id)));
	return a;
}

static json_int_t age(uint64_t now, uint64_t since)
{
	return since && since <= now ? (json_int_t)(now - since) : 0;
}

/* ---- status ---- */

static json_t *view_json(const struct daemon *d, uint64_t now)
{
	struct place_summary s;

	if (!d->place)
		return json_null();
	place_summary(d->place, &s);
	if (!s.view)
		return json_null();
	return json_pack("{s:I, s:i, s:b, s:b, s:b, s:I, s:o, s:o}", "seq",
			 (json_int_t)s.view_id.seq, "rep", (int)s.view_id.rep, "quorate", s.quorate,
			 "synced", s.synced, "two_node", d->two_node, "age_ms", age(now, s.view_ms),
			 "nodes", names(d, s.nodes), "members", names(d, s.members));
}

static const char *node_state(const struct daemon *d, const struct place_summary *s, uint32_t id)
{
	const struct fence_node *fn = fence_state_node(&d->fence_state, id);

	if (nodeset_has(s->members, id))
		return fn && fn->state == FENCE_NODE_VICTIM ? "victim" : "online";
	switch (fn ? fn->state : FENCE_NODE_UNKNOWN) {
	case FENCE_NODE_VICTIM: return "victim";
	case FENCE_NODE_DEAD: return "dead";
	case FENCE_NODE_MEMBER:
	case FENCE_NODE_ABSENT: return "offline";
	case FENCE_NODE_UNKNOWN: break;
	}
	return s->view ? "offline" : "unknown";
}

static json_t *nodes_json(const struct daemon *d)
{
	const struct service_group *g = place_group(d->place);
	json_t *a = json_array();
	struct place_summary s;

	place_summary(d->place, &s);
	for (unsigned i = 0; i < d->cfg->n_nodes; i++) {
		const struct service_node *n = &g->node[i];
		uint32_t id = d->cfg->node[i].id;
		char hash[32];

		snprintf(hash, sizeof(hash), "%016llx", (unsigned long long)n->hash);
		json_array_append_new(a, json_pack("{s:i, s:s, s:s, s:b, s:o, s:o}", "id", (int)id,
						   "name", d->cfg->node[i].name, "state",
						   node_state(d, &s, id), "standby", n->standby,
						   "config_hash", text_or_null(n->hash ? hash : ""),
						   "initiator", text_or_null(n->tag)));
	}
	return a;
}

/* What comes after the step that ended last: the words of doc/protocol.md. */
static const char *step_word(const struct daemon *d, unsigned s, unsigned i,
			     const struct place_service *ps)
{
	static const struct {
		const char *ended, *next;
	} up[] = { { "", "login" },
		   { "volume.login", "epoch" },
		   { "volume.epoch", "activate" },
		   { "volume.lvm", "fsck" },
		   { "volume.fsck", "mount" },
		   { "volume.mount", "verify" } },
	  down[] = { { "", "umount" },
		     { "volume.unmount", "deactivate" },
		     { "volume.kill", "umount" },
		     { "volume.deactivate", "verify" } };
	const char *step = d->seen[s][i].step;

	if (frame_res(d, s, i)->type != CONFIG_RES_VOLUME)
		return NULL;
	if (ps->local.up && ps->local.go && ps->local.res[i].state == RUNNER_RES_STOPPED &&
	    ps->local.res[i].lock == RUNNER_LOCK_ASKED)
		return "lock";
	if (ps->local.res[i].state == RUNNER_RES_STARTING)
		for (size_t k = 0; k < sizeof(up) / sizeof(up[0]); k++)
			if (strcmp(step, up[k].ended) == 0)
				return up[k].next;
	if (ps->local.res[i].state == RUNNER_RES_STOPPING)
		for (size_t k = 0; k < sizeof(down) / sizeof(down[0]); k++)
			if (strcmp(step, down[k].ended) == 0)
				return down[k].next;
	return NULL;
}

/* null: it is not kept warm (it may not run here, or nothing was read yet). */
static json_t *warm_json(const struct daemon *d, unsigned s, unsigned i, uint64_t now)
{
	const struct warm_seen *w = &d->seen[s][i].warm;

	if (w->files == 0)
		return json_null();
	return json_pack("{s:I, s:I, s:I, s:I}", "files", (json_int_t)w->files, "bytes",
			 (json_int_t)w->bytes, "read_bytes", (json_int_t)w->read_bytes, "age_ms",
			 age(now, d->warm.done_ms));
}

static json_t *resources_json(const struct daemon *d, unsigned s, const struct place_service *ps,
			      uint64_t now)
{
	const struct config_service *c = &d->cfg->service[s];
	bool here = ps->group->node == d->self->id || ps->local.fact != RUNNER_STOPPED;
	json_t *a = json_array();

	for (unsigned i = 0; i < c->n_resources; i++) {
		const struct config_resource *r = &c->resource[i];
		const struct runner_res *rr = &ps->local.res[i];
		const char *name = r->type == CONFIG_RES_VOLUME ? d->cfg->volume[r->volume].name
								: r->ref;
		const char *why = rr->why[0] ? rr->why : d->seen[s][i].progress;

		json_array_append_new(
			a, json_pack("{s:s, s:s, s:s, s:o, s:I, s:o, s:o}", "type",
				     config_resource_type_name(r->type), "name", name, "state",
				     here ? runner_res_state_name(rr->state) : "unknown", "step",
				     text_or_null(step_word(d, s, i, ps)), "since_ms",
				     age(now, rr->since_ms), "why", text_or_null(here ? why : NULL),
				     "warm", here ? json_null() : warm_json(d, s, i, now)));
	}
	return a;
}

/* The reason in words, with what the driver says that it does. */
static void reason(const struct daemon *d, unsigned s, const struct place_service *ps, char *buf,
		   size_t len)
{
	const struct place_wait *w = &ps->wait;

	if (w->gate == PLACE_GATE_STEP && w->node == d->self->id && ps->local.busy < ps->local.n) {
		const char *progress = d->seen[s][ps->local.busy].progress;

		snprintf(buf, len, "%.80s is %s%s%.200s", frame_res(d, s, ps->local.busy)->ref,
			 runner_res_state_name(ps->local.res[ps->local.busy].state),
			 *progress ? ": " : "", progress);
		return;
	}
	if (w->gate == PLACE_GATE_STUCK && ps->local.fact == RUNNER_STUCK) {
		for (unsigned i = 0; i < ps->local.n; i++)
			if (ps->local.res[i].state == RUNNER_RES_STUCK)
				snprintf(buf, len, "%.100s: %.200s", w->text, ps->local.res[i].why);
		return;
	}
	snprintf(buf, len, "%s", w->text);
	/* since when: the node it waits for, if that has lost its storage */
	for (unsigned i = 0; i < d->cfg->n_nodes; i++)
		if (ps->blind_ms[i] && d->cfg->node[i].id == w->node &&
		    (w->gate == PLACE_GATE_STORAGE || w->gate == PLACE_GATE_STOPPING))
			snprintf(buf, len, "%.300s (lost for %lld s)", w->text,
				 (long long)age(mono_ms(), ps->blind_ms[i]) / 1000);
}

/* Who reaches the disks of a service, as each has told: what a takeover could count on. */
static json_t *storage_json(const struct daemon *d, const struct place_service *ps, uint64_t now)
{
	json_t *a = json_array();

	for (unsigned i = 0; i < d->cfg->n_nodes; i++) {
		uint32_t id = d->cfg->node[i].id;
		bool blind = nodeset_has(ps->group->blind, id);

		json_array_append_new(
			a,
			json_pack("{s:s, s:s, s:o}", "node", d->cfg->node[i].name, "state",
				  blind                               ? "lost"
				  : nodeset_has(ps->group->reach, id) ? "reached"
								      : "unknown",
				  "lost_ms",
				  blind ? json_integer(age(now, ps->blind_ms[i])) : json_null()));
	}
	return a;
}

static json_t *service_json(const struct daemon *d, unsigned s, uint64_t now)
{
	struct place_service ps;
	json_t *failed = json_array(), *allowed = json_array();
	char why[512];

	place_service(d->place, s, &ps);
	for (unsigned i = 0; i < d->cfg->n_nodes; i++)
		if (nodeset_has(ps.group->failed, d->cfg->node[i].id))
			json_array_append_new(failed, json_pack("{s:s, s:s, s:I}", "node",
								d->cfg->node[i].name, "why",
								ps.group->failed_why[i], "age_ms",
								age(now, ps.failed_ms[i])));
	for (unsigned i = 0; i < d->cfg->n_nodes; i++)
		if (nodeset_has(ps.allowed, d->cfg->node[i].id))
			json_array_append_new(allowed, json_string(d->cfg->node[i].name));
	reason(d, s, &ps, why, sizeof(why));
	return json_pack("{s:s, s:b, s:s, s:o, s:o, s:I, s:I, s:o, s:s, s:o, s:o, s:o, s:o}",
			 "name", d->cfg->service[s].name, "enabled", ps.group->enabled, "state",
			 place_shown_name(ps.shown), "node", node_or_null(d, ps.group->node),
			 "target", node_or_null(d, ps.group->target), "starts",
			 (json_int_t)ps.group->starts, "since_ms", age(now, ps.since_ms), "why",
			 text_or_null(why), "gate", place_gate_name(ps.wait.gate), "failed_on",
			 failed, "allowed", allowed, "storage", storage_json(d, &ps, now),
			 "resources", resources_json(d, s, &ps, now));
}

static const char *volume_state(const struct service *v)
{
	switch (v->state) {
	case SERVICE_STARTING: return v->begun ? "activating" : "inactive";
	case SERVICE_RUNNING: return "active";
	case SERVICE_STOPPING: return "deactivating";
	case SERVICE_STOPPED: break;
	}
	return nodeset_empty(v->held) ? "inactive" : "unknown";
}

/* What the last look at the disk said: three-valued (SAFE-3). */
static void looked(const struct res_seen *seen, const struct runner_res *rr,
		   enum service_reach reach, json_t **prepared, json_t **reachable)
{
	const char *code = seen->prepare_code;

	*prepared = *reachable = NULL;
	if (seen->record_epoch || rr->state == RUNNER_RES_RUNNING ||
	    (seen->prepared_known && !*code))
		*prepared = json_true();
	else if (strcmp(code, "not_prepared") == 0)
		*prepared = json_false();
	if (reach == SERVICE_REACH_LOST)
		*reachable = json_false();
	else if (rr->state == RUNNER_RES_RUNNING ||
		 (seen->prepared_known && (!*code || strcmp(code, "not_prepared") == 0)))
		*reachable = json_true();
	else if (*code)
		*reachable = json_false();
	*prepared = *prepared ? *prepared : json_null();
	*reachable = *reachable ? *reachable : json_null();
}

static json_t *disk_json(const struct daemon *d, unsigned v, const struct res_seen *seen,
			 uint64_t now)
{
	const struct beat *b = &d->beat[v];
	json_t *beat_age = json_null();

	if (!seen->record_epoch)
		return json_null();
	if (b->spawn && b->page) {
		uint64_t at = b->child_node == d->self->id ? atomic_load(&b->page->io_ok_ms)
							   : atomic_load(&b->page->changed_ms);

		if (at)
			beat_age = json_integer(age(now, at));
	}
	return json_pack("{s:I, s:o, s:b, s:o}", "epoch", (json_int_t)seen->record_epoch, "owner",
			 node_or_null(d, seen->record_owner), "clean", !seen->record_active,
			 "heartbeat_age_ms", beat_age);
}

static json_t *volume_json(const struct daemon *d, unsigned v, uint64_t now)
{
	static const struct service nobody;
	static const struct res_seen nothing;
	static const struct runner_res no_res = { .state = RUNNER_RES_STOPPED };
	const struct service *g = &nobody;
	const struct res_seen *seen = &nothing;
	const struct runner_res *rr = &no_res;
	struct place_service ps;
	json_t *prepared, *reachable;
	enum service_reach reach = SERVICE_REACH_UNKNOWN;
	const char *why = "";
	unsigned s, i;

	if (frame_volume(d, v, &s, &i)) {
		place_service(d->place, s, &ps);
		g = ps.group;
		rr = &ps.local.res[i];
		seen = &d->seen[s][i];
		why = rr->why[0] ? rr->why : rr->prepare_why;
		reach = ps.reach;
		if (reach == SERVICE_REACH_LOST && !*why)
			why = "its storage does not answer this node";
	}
	looked(seen, rr, reach, &prepared, &reachable);
	return json_pack("{s:s, s:s, s:o, s:I, s:s, s:o, s:o, s:o, s:s, s:o}", "name",
			 d->cfg->volume[v].name, "state", volume_state(g), "owner",
			 g->begun ? node_or_null(d, g->node) : json_null(), "epoch",
			 (json_int_t)place_group(d->place)->epoch[v], "lock", lock_word(d, v),
			 "prepared", prepared, "reachable", reachable, "why", text_or_null(why),
			 "mount", d->cfg->volume[v].mount, "disk", disk_json(d, v, seen, now));
}

static json_t *gate_json(const struct daemon *d)
{
	struct place_summary s;

	place_summary(d->place, &s);
	return json_pack("{s:b, s:o, s:s}", "open", s.gate.gate == PLACE_GATE_NONE, "why",
			 text_or_null(s.gate.text), "gate", place_gate_name(s.gate.gate));
}

static json_t *until(uint64_t at, uint64_t now)
{
	return at == UINT64_MAX ? json_null() : json_integer(age(at, now));
}

/* How far this node is in letting go of everything (SAFE-7); null: it does not. */
static json_t *halt_json(const struct daemon *d, uint64_t now)
{
	struct place_summary s;

	place_summary(d->place, &s);
	if (s.halt == PLACE_HALT_NONE)
		return json_null();
	return json_pack("{s:s, s:s, s:I, s:o, s:o}", "grade", place_halt_name(s.halt), "reason",
			 s.halt_why ? s.halt_why : "", "since_ms", age(now, s.halt_since_ms),
			 "next_ms", until(s.halt_next_ms, now), "reboot_ms",
			 until(s.halt_end_ms, now));
}

static json_t *status(const struct daemon *d)
{
	uint64_t now = mono_ms();
	char hash[32];
	json_t *o, *services = json_array(), *volumes = json_array();

	snprintf(hash, sizeof(hash), "%016llx", (unsigned long long)d->cfg->hash);
	o = json_pack("{s:b, s:i, s:s, s:s, s:i, s:I, s:s, s:o, s:o, s:s, s:o}", "ok", 1, "proto",
		      1, "daemon", "storaged", "version", STOCKADE_VERSION, "pid", (int)getpid(),
		      "uptime_ms", age(now, d->started_ms), "cluster", d->cfg->cluster, "node",
		      d->self ? json_string(d->self->name) : json_null(), "nodeid",
		      d->self ? json_integer(d->self->id) : json_null(), "config_hash", hash,
		      "view", view_json(d, now));
	if (d->place) {
		const struct service_group *g = place_group(d->place);
		int i = -1;

		for (unsigned k = 0; k < d->cfg->n_nodes; k++)
			if (d->cfg->node[k].id == d->self->id)
				i = (int)k;
		json_object_set_new(o, "gate", gate_json(d));
		json_object_set_new(o, "halt", halt_json(d, now));
		json_object_set_new(o, "initiator", text_or_null(i >= 0 ? g->node[i].tag : NULL));
		json_object_set_new(o, "nodes", nodes_json(d));
		for (unsigned s = 0; s < d->cfg->n_services; s++)
			json_array_append_new(services, service_json(d, s, now));
		for (unsigned v = 0; v < d->cfg->n_volumes; v++)
			json_array_append_new(volumes, volume_json(d, v, now));
	} else {
		json_object_set_new(o, "gate",
				    json_pack("{s:b, s:s, s:s}", "open", 0, "why",
					      "corosync does not say yet which node this is",
					      "gate", "quorum"));
		json_object_set_new(o, "halt", json_null());
		json_object_set_new(o, "initiator", json_null());
		json_object_set_new(o, "nodes", json_array());
	}
	json_object_set_new(o, "last_end",
			    text_or_null(d->last_end_text[0] ? d->last_end_text : NULL));
	json_object_set_new(o, "services", services);
	json_object_set_new(o, "volumes", volumes);
	return o;
}

/* ---- why ---- */

static void on_add(json_t *on, const char *kind, const char *name)
{
	json_t *o = json_pack("{s:s}", "kind", kind);

	if (name)
		json_object_set_new(o, "name", json_string(name));
	json_array_append_new(on, o);
}

static const char *remedy_of(enum place_gate gate)
{
	switch (gate) {
	case PLACE_GATE_CONFIG:
		return "copy the configuration file to every node, then restart stockade-storaged there";
	case PLACE_GATE_FAILED: return "remove the cause, then: stockade service enable NAME";
	case PLACE_GATE_STANDBY: return "stockade node unstandby NODE";
	case PLACE_GATE_STORAGED:
		return "start stockade-storaged on that node, or fence it: stockade fence NODE";
	case PLACE_GATE_DISABLED: return "stockade service enable NAME";
	case PLACE_GATE_STRAY:
		return "unmount and deactivate it on that node; the service goes on by itself";
	case PLACE_GATE_READY: return "stockade check shows which fence path fails";
	case PLACE_GATE_HALT:
		return "look at the network between the nodes; when they hear each other, or the other one is proven dead, it goes on by itself";
	case PLACE_GATE_STORAGE:
		return "look at the storage network and the target; it goes on by itself";
	case PLACE_GATE_NONE:
	case PLACE_GATE_QUORUM:
	case PLACE_GATE_SYNC:
	case PLACE_GATE_SELF:
	case PLACE_GATE_FENCED:
	case PLACE_GATE_STOPPING:
	case PLACE_GATE_STUCK:
	case PLACE_GATE_ABSENT:
	case PLACE_GATE_DOMAIN:
	case PLACE_GATE_PROOF:
	case PLACE_GATE_HOLDER:
	case PLACE_GATE_LOCK:
	case PLACE_GATE_PREPARE:
	case PLACE_GATE_STEP:
	case PLACE_GATE_MOVE: break;
	}
	return NULL;
}

static json_t *why_service(const struct daemon *d, unsigned s)
{
	struct place_service ps;
	json_t *on = json_array();
	uint64_t now = mono_ms();
	char text[640], why[512];
	const char *name = d->cfg->service[s].name, *remedy;

	place_service(d->place, s, &ps);
	reason(d, s, &ps, why, sizeof(why));
	if (ps.wait.gate == PLACE_GATE_NONE)
		snprintf(text, sizeof(text), "%s%s%s",
			 !ps.group->enabled ? "is disabled" : place_shown_name(ps.shown),
			 ps.group->node ? " on " : "",
			 ps.group->node ? node_name(d, ps.group->node) : "");
	else
		snprintf(text, sizeof(text), "%s", why);
	remedy = remedy_of(ps.wait.gate);
	switch (ps.wait.gate) {
	case PLACE_GATE_QUORUM:
	case PLACE_GATE_SYNC: on_add(on, "cluster", NULL); break;
	case PLACE_GATE_FENCED:
		on_add(on, "cluster", NULL);
		on_add(on, "node", d->self->name);
		break;
	case PLACE_GATE_SELF:
	case PLACE_GATE_HALT:
	case PLACE_GATE_PROOF:
	case PLACE_GATE_STORAGED:
	case PLACE_GATE_READY:
	case PLACE_GATE_STUCK:
	case PLACE_GATE_ABSENT:
	case PLACE_GATE_STRAY:
	case PLACE_GATE_STORAGE:
		if (ps.wait.node)
			on_add(on, "node", node_name(d, ps.wait.node));
		break;
	case PLACE_GATE_LOCK: {
		char lock[SERVICE_NAME_MAX + 8];

		snprintf(lock, sizeof(lock), "volume:%s", d->cfg->volume[ps.wait.volume].name);
		on_add(on, "lock", lock);
		break;
	}
	case PLACE_GATE_STEP:
	case PLACE_GATE_FAILED:
	case PLACE_GATE_PREPARE:
		for (unsigned i = 0; i < d->cfg->service[s].n_resources; i++)
			if (frame_res(d, s, i)->type == CONFIG_RES_VOLUME)
				on_add(on, "volume",
				       d->cfg->volume[frame_res(d, s, i)->volume].name);
		if (!remedy || ps.wait.gate == PLACE_GATE_FAILED)
			for (unsigned i = 0; i < d->cfg->service[s].n_resources; i++)
				if (d->seen[s][i].remedy[0])
					remedy = d->seen[s][i].remedy;
		break;
	case PLACE_GATE_NONE:
	case PLACE_GATE_DISABLED:
	case PLACE_GATE_CONFIG:
	case PLACE_GATE_STOPPING:
	case PLACE_GATE_DOMAIN:
	case PLACE_GATE_STANDBY:
	case PLACE_GATE_HOLDER:
	case PLACE_GATE_MOVE: break;
	}
	return json_pack("{s:s, s:s, s:s, s:s, s:I, s:s, s:o, s:o}", "kind", "service", "name",
			 name, "state",
			 ps.wait.gate == PLACE_GATE_NONE ? place_shown_name(ps.shown) : "waiting",
			 "gate", place_gate_name(ps.wait.gate), "since_ms", age(now, ps.since_ms),
			 "text", text, "remedy", text_or_null(remedy), "on", on);
}

static json_t *why_volume(const struct daemon *d, unsigned v)
{
	struct place_service ps;
	json_t *on = json_array();
	uint64_t now = mono_ms();
	const char *remedy = NULL, *words = "", *state = "inactive";
	char text[640];
	uint64_t since = 0;
	unsigned s, i;

	if (!frame_volume(d, v, &s, &i)) {
		snprintf(text, sizeof(text), "no service uses it");
	} else {
		const struct runner_res *rr;

		place_service(d->place, s, &ps);
		rr = &ps.local.res[i];
		since = rr->since_ms;
		state = volume_state(ps.group);
		words = rr->why[0] ? rr->why : rr->prepare_why;
		if (d->seen[s][i].remedy[0])
			remedy = d->seen[s][i].remedy;
		if (rr->denied) {
			state = "denied";
			snprintf(text, sizeof(text),
				 "every write to it fails here, by force; it is being let go");
		} else if (d->seen[s][i].progress[0]) {
			snprintf(text, sizeof(text), "%s", d->seen[s][i].progress);
		} else if (*words) {
			snprintf(text, sizeof(text), "%s", words);
		} else {
			snprintf(text, sizeof(text), "%s%s%s, epoch %llu", state,
				 ps.group->node ? " on " : "",
				 ps.group->node ? node_name(d, ps.group->node) : "",
				 (unsigned long long)place_group(d->place)->epoch[v]);
		}
		if (d->lock[v].wanted && d->lock[v].state != VLOCK_HELD) {
			char lock[SERVICE_NAME_MAX + 8];

			snprintf(lock, sizeof(lock), "volume:%s", d->cfg->volume[v].name);
			on_add(on, "lock", lock);
		}
	}
	return json_pack("{s:s, s:s, s:s, s:I, s:s, s:o, s:o}", "kind", "volume", "name",
			 d->cfg->volume[v].name, "state", state, "since_ms", age(now, since),
			 "text", text, "remedy", text_or_null(remedy), "on", on);
}

static json_t *why(const struct daemon *d, json_t *req)
{
	const char *name = json_string_value(json_object_get(req, "name"));
	const char *kind = json_string_value(json_object_get(req, "kind"));
	json_t *links = json_array();

	if (name && d->place) {
		for (unsigned s = 0; s < d->cfg->n_services; s++)
			if ((!kind || strcmp(kind, "service") == 0) &&
			    strcmp(name, d->cfg->service[s].name) == 0)
				json_array_append_new(links, why_service(d, s));
		for (unsigned v = 0; v < d->cfg->n_volumes; v++)
			if ((!kind || strcmp(kind, "volume") == 0) &&
			    strcmp(name, d->cfg->volume[v].name) == 0)
				json_array_append_new(links, why_volume(d, v));
	}
	return json_pack("{s:b, s:o}", "ok", 1, "links", links);
}

/* ---- commands ---- */

static void command(struct daemon *d, struct ipc_peer *peer, enum service_cmd cmd, unsigned service,
		    uint32_t node)
{
	for (size_t i = 0; i < sizeof(d->request) / sizeof(d->request[0]); i++) {
		struct request *q = &d->request[i];

		if (q->req)
			continue;
		q->req = ++d->request_next;
		q->peer = peer;
		feed(d, (struct place_event){ .type = PLACE_EV_COMMAND,
					      .command = { .req = q->req,
							   .cmd = cmd,
							   .service = service,
							   .node = node } });
		return;
	}
	if (peer)
		ipc_reply_json(peer,
			       refusal("again", NULL, "too many commands wait for their turn"));
}

void answer_command(struct daemon *d, const struct place_action *act)
{
	for (size_t i = 0; i < sizeof(d->request) / sizeof(d->request[0]); i++) {
		struct request *q = &d->request[i];
		struct ipc_peer *peer = q->peer;

		if (q->req != act->answer.req)
			continue;
		q->req = 0;
		q->peer = NULL;
		if (!peer)
			return;
		if (act->answer.rc == 0)
			ipc_reply_json(peer, json_pack("{s:b, s:s, s:I}", "ok", 1, "text",
						       act->answer.text, "starts",
						       (json_int_t)act->answer.starts));
		else
			ipc_reply_json(peer, refusal(act->answer.rc == -EAGAIN   ? "again"
						     : act->answer.rc == -ENOENT ? "no_such"
										 : "refused",
						     NULL, act->answer.text));
		return;
	}
}

/* Waits for nothing: refused, or begun. */
static void on_service(struct daemon *d, struct ipc_peer *peer, json_t *req)
{
	static const struct {
		const char *word;
		enum service_cmd cmd;
		bool node;
	} words[] = { { "enable", SERVICE_CMD_ENABLE, true },
		      { "disable", SERVICE_CMD_DISABLE, false },
		      { "relocate", SERVICE_CMD_RELOCATE, true },
		      { "restart", SERVICE_CMD_RESTART, false } };
	const char *name = json_string_value(json_object_get(req, "name"));
	const char *action = json_string_value(json_object_get(req, "action"));
	json_t *node = json_object_get(req, "node");
	const struct config_service *svc = name ? config_service_by_name(d->cfg, name) : NULL;
	const struct config_node *n = NULL;

	if (!name || !action || (node && !json_is_null(node) && !json_is_string(node))) {
		ipc_reply_json(peer, refusal("usage", NULL,
					     "service wants name and action, and perhaps node"));
		return;
	}
	if (!svc) {
		ipc_reply_json(peer, refusal("no_such", "stockade status lists the services",
					     "there is no such service in the configuration"));
		return;
	}
	if (json_is_string(node)) {
		n = config_node_by_name(d->cfg, json_string_value(node));
		if (!n) {
			ipc_reply_json(peer, refusal("no_such", "stockade status lists the nodes",
						     "there is no such node in the configuration"));
			return;
		}
	}
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (strcmp(action, words[i].word) != 0)
			continue;
		if (n && !words[i].node)
			break;
		command(d, peer, words[i].cmd, (unsigned)(svc - d->cfg->service), n ? n->id : 0);
		return;
	}
	ipc_reply_json(
		peer,
		refusal("usage", NULL,
			"action is enable, disable, relocate or restart; node goes with enable and relocate"));
}

static void on_node(struct daemon *d, struct ipc_peer *peer, json_t *req)
{
	const char *name = json_string_value(json_object_get(req, "name"));
	const char *action = json_string_value(json_object_get(req, "action"));
	const struct config_node *n = name ? config_node_by_name(d->cfg, name) : NULL;

	if (!name || !action ||
	    (strcmp(action, "standby") != 0 && strcmp(action, "unstandby") != 0))
		ipc_reply_json(peer, refusal("usage", NULL,
					     "node wants name, and action standby or unstandby"));
	else if (!n)
		ipc_reply_json(peer, refusal("no_such", "stockade status lists the nodes",
					     "there is no such node in the configuration"));
	else
		command(d, peer,
			strcmp(action, "standby") == 0 ? SERVICE_CMD_STANDBY
						       : SERVICE_CMD_UNSTANDBY,
			0, n->id);
}

static void on_volume(struct daemon *d, struct ipc_peer *peer, json_t *req)
{
	const char *name = json_string_value(json_object_get(req, "name"));
	const char *action = json_string_value(json_object_get(req, "action"));
	const struct config_volume *vol = name ? config_volume_by_name(d->cfg, name) : NULL;
	unsigned v, s, i;
	int r;

	if (!name || !action || strcmp(action, "prepare") != 0) {
		ipc_reply_json(peer,
			       refusal("usage", NULL, "volume wants name, and action prepare"));
		return;
	}
	if (!vol) {
		ipc_reply_json(peer, refusal("no_such", "stockade status lists the volumes",
					     "there is no such volume in the configuration"));
		return;
	}
	v = (unsigned)(vol - d->cfg->volume);
	if (frame_volume(d, v, &s, &i)) {
		const struct service *g = &place_group(d->place)->service[s];
		struct place_summary sum;
		char text[200];

		place_summary(d->place, &sum);
		if (!sum.synced || !sum.quorate) {
			ipc_reply_json(
				peer,
				refusal("again", NULL,
					"without quorum nobody knows whether it is active elsewhere"));
			return;
		}
		if (!place_idle(d->place, s)) {
			char remedy[CONFIG_NAME_MAX + 40];

			snprintf(text, sizeof(text), "%s is, or may be, active on %s", name,
				 node_name(d, nodeset_lowest(g->held)));
			snprintf(remedy, sizeof(remedy), "stockade service disable %s",
				 d->cfg->service[s].name);
			ipc_reply_json(peer, refusal("refused", remedy, text));
			return;
		}
	}
	r = drive_prepare_volume(d, v, peer);
	if (r < 0)
		ipc_reply_json(
			peer, refusal(r == -EBUSY ? "again" : "failed", NULL,
				      r == -EBUSY ? "it is being prepared already" : strerror(-r)));
}

void answer_prepared(struct daemon *d, const struct drive_run *r)
{
	unsigned s, i;

	if (r->has_result && r->result.result == DRIVER_OK) {
		if (r->peer)
			ipc_reply_json(r->peer,
				       json_pack("{s:b, s:s, s:b}", "ok", 1, "text",
						 r->result.text[0] ? r->result.text
								   : "the volume is prepared",
						 "already",
						 strcmp(r->result.code, "already") == 0));
		/* What failed for lack of it is tried again, on every node. */
		if (frame_volume(d, r->volume, &s, &i))
			command(d, NULL, SERVICE_CMD_CLEAR, s, 0);
		return;
	}
	if (r->peer)
		ipc_reply_json(
			r->peer,
			refusal("failed",
				r->has_result && r->result.remedy[0] ? r->result.remedy : NULL,
				r->has_result && r->result.text[0] ? r->result.text
								   : "no answer in time"));
}

/* ---- the socket ---- */

static void on_json(struct daemon *d, struct ipc_peer *peer, json_t *req)
{
	const char *cmd = json_string_value(json_object_get(req, "cmd"));

	if (!cmd) {
		ipc_reply_json(peer, refusal("usage", NULL, "a request is an object with \"cmd\""));
	} else if (strcmp(cmd, "status") == 0) {
		ipc_reply_json(peer, status(d));
	} else if (strcmp(cmd, "why") == 0) {
		ipc_reply_json(peer, why(d, req));
	} else if (strcmp(cmd, "history") == 0) {
		json_int_t max = json_integer_value(json_object_get(req, "max"));
		json_t *entries = history_tail(d->history,
					       max > 0 ? (unsigned)max : HISTORY_MAX_DEFAULT);
		bool cut = false;

		/* All that fit into the reply, the newest. */
		while (entries && json_array_size(entries) &&
		       json_dumpb(entries, NULL, 0, JSON_COMPACT) > IPC_BYTES_MAX - 1024) {
			size_t drop = json_array_size(entries) / 8 + 1;

			cut = true;
			for (size_t k = 0; k < drop; k++)
				json_array_remove(entries, 0);
		}
		ipc_reply_json(peer, json_pack("{s:b, s:o, s:b}", "ok", 1, "entries",
					       entries ? entries : json_array(), "truncated", cut));
	} else if (!d->place) {
		ipc_reply_json(peer, refusal("again", "systemctl start corosync",
					     "corosync does not say yet which node this is"));
	} else if (strcmp(cmd, "service") == 0) {
		on_service(d, peer, req);
	} else if (strcmp(cmd, "node") == 0) {
		on_node(d, peer, req);
	} else if (strcmp(cmd, "volume") == 0) {
		on_volume(d, peer, req);
	} else {
		ipc_reply_json(peer, refusal("usage", NULL, "storaged does not know this command"));
	}
}

static void on_request(void *arg, struct ipc_peer *peer, uint32_t type, const void *data,
		       size_t len)
{
	json_error_t err;
	json_t *req;

	if (type != IPC_JSON) {
		ipc_reply(peer, type, NULL, 0);
		return;
	}
	req = json_loadb(data, len, 0, &err);
	on_json(arg, peer, req);
	json_decref(req);
}

static void on_gone(void *arg, struct ipc_peer *peer)
{
	struct daemon *d = arg;

	for (size_t i = 0; i < sizeof(d->request) / sizeof(d->request[0]); i++)
		if (d->request[i].peer == peer)
			d->request[i].peer = NULL;
	drive_peer_gone(d, peer);
}

int answer_start(struct daemon *d)
{
	static const struct ipc_ops ops = { .request = on_request, .gone = on_gone };

	d->ipc = ipc_server_new(d->loop, "stockade-storaged", &ops, d);
	return d->ipc ? 0 : -errno;
}
