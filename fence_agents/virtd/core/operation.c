/* SPDX-License-Identifier: GPL-3.0-or-later */
/* fence_agents/virtd/core/operation.c - what a request asks for.
 *
 * Every operation on a guest begins by asking each libvirt what it knows of it (OP_RESOLVE): the answers are fresh, and tell the
 * guest's uuid and name, which the map wants. Then:
 *
 *   status  on when any says on; unknown when any cannot say; off when one says off; else the guest is unknown here
 *   off     destroy it where it is on, then read back until it is off or its time is over (OP_GONE)
 *   on      create it where it is defined, read back until it is on
 *   reboot  off, then create; as with the agents, it is good when the off part was
 *
 * VIRTD-2, SAFE-3: the byte for "off" needs a libvirt that said off just now. Everything else is the failure byte.
 * That first question needs no permission and changes nothing: of a signed request it is asked while the client still works
 * at our challenge (op_foresee()), and its answer is used by nobody but who passes that.
 * The life that is to be ended is known by libvirt's number of the run: a guest that somebody starts again meanwhile is not
 * hit a second time, and not called off.
 */
#include "internal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define RESOLVE_MS 5000
#define JOB_MS 5000
#define DESTROY_MS 15000 /* qemu in uninterruptible sleep: libvirt waits for it itself */
#define POLL_MS 100
#define AGAIN_MS 1000 /* a destroy that failed */
#define UP_MS 10000
#define AWAY_MS 300
#define FORESEEN_MS 200 /* a look that is older is no look of just now */

bool op_acts(uint8_t op)
{
	return op == VIRT_OFF || op == VIRT_ON || op == VIRT_REBOOT;
}

static bool serial(const struct virtd_core *v, const struct session *s)
{
	return v->conf.listener[s->listener].kind == VIRTD_SERIAL;
}

static void audit(struct virtd_core *v, struct session *s, uint8_t result)
{
	struct virtd_action *a = act(v, VIRTD_ACT_AUDIT);

	a->audit.caller = s->caller;
	a->audit.listener = s->listener;
	a->audit.op = s->req.request;
	copy_word(a->audit.target, s->req.domain);
	copy_word(a->audit.name, s->name);
	memcpy(a->audit.uuid, s->uuid, sizeof(s->uuid));
	a->audit.result = result;
	a->audit.old_map = v->conf.map.open_of_old;
	a->audit.key = s->key;
	a->audit.took_ms = (uint32_t)(v->now_ms - s->began_ms);
	memcpy(a->audit.text, s->text, sizeof(s->text));
}

/* A channel stays; a connection is closed behind the answer. */
static void done_with(struct virtd_core *v, struct session *s)
{
	if (!serial(v, s) || s->peer_gone) {
		session_end(v, s);
		return;
	}
	struct session keep = *s;

	memset(s, 0, sizeof(*s));
	s->slot = keep.slot;
	s->stage = ST_REQUEST;
	s->conn = keep.conn;
	s->listener = keep.listener;
	s->caller = keep.caller;
	s->deadline_ms = UINT64_MAX;
}

/* Our own client is told more than a byte, under a seal that binds it to this very request (fence_agents/virt/wire.h). */
static size_t verdict(struct virtd_core *v, struct session *s, uint8_t result, enum virt_why why,
		      uint8_t out[VIRT_VERDICT_BYTES])
{
	bool none = v->conf.listener[s->listener].auth == VIRT_HASH_NONE;
	struct virt_verdict w = { .result = result,
				  .power = (uint8_t)s->power,
				  .why = (uint8_t)why,
				  .took_ms = (uint32_t)(v->now_ms - s->began_ms) };
	size_t len;
	const uint8_t *key = keys_of(v, s, &len);
	struct virt_seal seal = { .key = none ? NULL : key,
				  .key_len = none ? 0 : len,
				  .request = s->raw,
				  .challenge_1 = s->asked,
				  .challenge_2 = s->challenge };
	unsigned n = 0;

	if (!(s->req.flags & VIRT_FLAG_VERDICT) || (!none && !key))
		return 0;
	for (const char *p = s->uuid; *p && n < 32; p++) {
		unsigned digit = *p >= '0' && *p <= '9'   ? (unsigned)(*p - '0')
				 : *p >= 'a' && *p <= 'f' ? (unsigned)(*p - 'a') + 10
							  : 16;

		if (digit < 16) {
			w.uuid[n / 2] = (uint8_t)(w.uuid[n / 2] << 4 | digit);
			n++;
		}
	}
	return virt_verdict_encode(out, &w, &seal) < 0 ? 0 : VIRT_VERDICT_BYTES;
}

static void answer(struct virtd_core *v, struct session *s, uint8_t result, enum virt_why why,
		   const char *text)
{
	uint8_t bytes[1 + VIRT_VERDICT_BYTES];

	v->count.answered++;
	v->count.denied += result == VIRT_DENIED;
	snprintf(s->text, sizeof(s->text), "%.150s", text);
	if (serial(v, s)) {
		virt_serial_response(bytes, result);
		session_send(v, s, bytes, VIRT_SERIAL_RESPONSE_BYTES);
	} else {
		bytes[0] = result;
		session_send(v, s, bytes, 1 + verdict(v, s, result, why, bytes + 1));
	}
	/* who waits for the answer need not wait for our disk */
	audit(v, s, result);
	done_with(v, s);
}

static bool permitted(const struct virtd_core *v, const struct session *s,
		      const struct virtd_guest *g)
{
	const struct virtd_target t = { s->req.domain, g ? g->name : s->name,
					g ? g->uuid : s->uuid };

	return virtd_map_permits(&v->conf.map, &s->caller, &t);
}

/* Ask the libvirts of @which the same thing. */
static void ask(struct virtd_core *v, struct session *s, const bool which[VIRTD_URIS_MAX],
		enum virtd_job kind, uint32_t ms)
{
	const char *guest = s->uuid[0] ? s->uuid : s->req.domain;

	s->poll_at_ms = UINT64_MAX;
	s->job_deadline_ms = v->now_ms + ms;
	for (unsigned u = 0; u < v->conf.n_uris; u++) {
		s->answered[u] = !which[u];
		s->job[u] = 0;
		if (!which[u])
			continue;
		memset(&s->guest[u], 0, sizeof(s->guest[u]));
		s->done[u] = VIRTD_DOWN;
		s->job[u] = job_start(v, s->slot, u, kind, guest, ms);
		if (kind == VIRTD_JOB_DESTROY)
			v->out->v[v->out->n - 1].job.keep = true;
	}
}

static void resolve_again(struct virtd_core *v, struct session *s)
{
	bool all[VIRTD_URIS_MAX];

	memset(all, true, sizeof(all));
	ask(v, s, all, VIRTD_JOB_STATE, RESOLVE_MS);
}

static bool complete(const struct virtd_core *v, const struct session *s)
{
	for (unsigned u = 0; u < v->conf.n_uris; u++)
		if (!s->answered[u])
			return false;
	return true;
}

static void resolved(struct virtd_core *v, struct session *s);

static void resolve(struct virtd_core *v, struct session *s)
{
	s->op = OP_RESOLVE;
	s->op_deadline_ms = v->now_ms + (s->req.request == VIRT_STATUS ? RESOLVE_MS
					 : s->req.request == VIRT_ON   ? UP_MS
								       : v->conf.off_ms);
	if (s->foreseen_ms == 0 || v->now_ms > s->foreseen_ms + FORESEEN_MS)
		resolve_again(v, s);
	else if (complete(v, s))
		resolved(v, s);
}

/* The client has shown us a request with a good signature, and listens where it said; it has not proven yet that it is no replay. */
void op_foresee(struct virtd_core *v, struct session *s)
{
	bool of_guest = op_acts(s->req.request) || s->req.request == VIRT_STATUS;

	if (!s->digest_known || !of_guest || s->req.domain[0] == '\0' || v->conf.n_uris == 0 ||
	    !rate_has(v, s->caller.who, op_acts(s->req.request)))
		return;
	resolve_again(v, s);
	s->foreseen_ms = v->now_ms;
}

static void list(struct virtd_core *v, struct session *s)
{
	bool all[VIRTD_URIS_MAX];

	memset(all, true, sizeof(all));
	s->op = OP_LIST;
	s->list_stamp = ++v->list_stamp;
	s->op_deadline_ms = v->now_ms + RESOLVE_MS;
	ask(v, s, all, VIRTD_JOB_LIST, RESOLVE_MS);
}

void op_begin(struct virtd_core *v, struct session *s)
{
	bool up = v->conf.n_uris > 0;

	if (!rate_take(v, s->caller.who, op_acts(s->req.request))) {
		v->count.limited++;
		answer(v, s, VIRT_FAILURE, VIRT_WHY_RATE,
		       "it asks too often (acts_per_minute, queries_per_minute)");
		return;
	}
	switch (s->req.request) {
	case VIRT_OFF:
	case VIRT_REBOOT:
	case VIRT_ON:
	case VIRT_STATUS:
		if (s->req.domain[0] == '\0')
			answer(v, s, VIRT_FAILURE, VIRT_WHY_UNKNOWN_GUEST, "no guest is named");
		else
			resolve(v, s);
		return;
	case VIRT_DEVSTATUS:
		for (unsigned u = 0; u < v->conf.n_uris; u++)
			up = up && v->uri_up[u];
		answer(v, s, up ? VIRT_SUCCESS : VIRT_FAILURE, up ? VIRT_WHY_NONE : VIRT_WHY_DOWN,
		       up ? "every libvirt answers" : "a libvirt does not answer");
		return;
	case VIRT_HOSTLIST: list(v, s); return;
	default: answer(v, s, VIRT_FAILURE, VIRT_WHY_OTHER, "no such operation"); return;
	}
}

/* The libvirt that is away had this guest when it was last heard, or was never heard: it may have it still. */
static bool may_have(const struct virtd_core *v, unsigned uri, const struct session *s)
{
	if (!v->uri_seen[uri])
		return true;
	for (unsigned i = 0; i < VIRTD_GUESTS_MAX; i++) {
		const struct list_entry *e = &v->list[i];

		if (e->used && e->uri == uri &&
		    (strcasecmp(e->guest.uuid, s->uuid[0] ? s->uuid : s->req.domain) == 0 ||
		     strcmp(e->guest.name, s->req.domain) == 0))
			return true;
	}
	return false;
}

/* OP_RESOLVE is answered: what do all of them together know? UNKNOWN puts its reason into @text. */
static enum virtd_power together(const struct virtd_core *v, struct session *s, const char **text)
{
	bool on = false, off = false, unknown = false;

	*text = "no libvirt here has this guest";
	for (unsigned u = 0; u < v->conf.n_uris; u++) {
		const struct virtd_guest *g = &s->guest[u];

		if (s->done[u] != VIRTD_DONE) {
			if (may_have(v, u, s)) {
				unknown = true;
				*text = "a libvirt that may have this guest does not answer";
			}
			continue;
		}
		switch (g->power) {
		case VIRTD_POWER_ON: on = true; break;
		case VIRTD_POWER_OFF: off = true; break;
		case VIRTD_POWER_UNKNOWN:
			unknown = true;
			*text = g->text[0] ? g->text : "libvirt cannot say";
			break;
		case VIRTD_POWER_ABSENT: break;
		}
	}
	return on        ? VIRTD_POWER_ON
	       : unknown ? VIRTD_POWER_UNKNOWN
	       : off     ? VIRTD_POWER_OFF
			 : VIRTD_POWER_ABSENT;
}

/* One guest, or one name on two hosts that means two guests? */
static bool identify(const struct virtd_core *v, struct session *s)
{
	for (unsigned u = 0; u < v->conf.n_uris; u++) {
		const struct virtd_guest *g = &s->guest[u];

		if (s->done[u] != VIRTD_DONE || g->uuid[0] == '\0')
			continue;
		if (s->uuid[0] && strcmp(s->uuid, g->uuid) != 0)
			return false;
		memcpy(s->uuid, g->uuid, sizeof(s->uuid));
		copy_word(s->name, g->name);
	}
	return true;
}

static void destroy(struct virtd_core *v, struct session *s)
{
	s->op = OP_DESTROY;
	ask(v, s, s->target, VIRTD_JOB_DESTROY, DESTROY_MS);
}

static void create(struct virtd_core *v, struct session *s)
{
	s->op = OP_CREATE;
	s->op_deadline_ms = v->now_ms + UP_MS;
	ask(v, s, s->target, VIRTD_JOB_CREATE, JOB_MS);
}

/* An act outlives a restart of libvirtd: it is asked again, for as long as the act may take. A question is answered now. */
static bool waits_for_libvirt(const struct virtd_core *v, const struct session *s)
{
	bool away = false;

	for (unsigned u = 0; u < v->conf.n_uris; u++)
		away = away || s->done[u] != VIRTD_DONE;
	return away && v->now_ms + AWAY_MS < s->op_deadline_ms;
}

static void resolved(struct virtd_core *v, struct session *s)
{
	bool one = identify(v, s);
	const char *text;
	enum virtd_power power = together(v, s, &text);
	enum virt_why why = VIRT_WHY_UNKNOWN_GUEST;
	unsigned n = 0;

	s->power = power == VIRTD_POWER_ON    ? VIRT_POWER_ON
		   : power == VIRTD_POWER_OFF ? VIRT_POWER_OFF
					      : VIRT_POWER_UNKNOWN;
	if (power == VIRTD_POWER_UNKNOWN)
		why = s->uuid[0] ? VIRT_WHY_OTHER : VIRT_WHY_DOWN;

	if (!permitted(v, s, NULL)) {
		answer(v, s, VIRT_DENIED, VIRT_WHY_DENIED, "no line of the map permits it");
		return;
	}
	if (!one) {
		answer(v, s, VIRT_FAILURE, VIRT_WHY_AMBIGUOUS,
		       "several guests have this name: use the uuid");
		return;
	}
	if (power == VIRTD_POWER_UNKNOWN && op_acts(s->req.request) && waits_for_libvirt(v, s)) {
		s->poll_at_ms = v->now_ms + AWAY_MS;
		return;
	}
	for (unsigned u = 0; u < v->conf.n_uris; u++) {
		const struct virtd_guest *g = &s->guest[u];
		bool here = s->done[u] == VIRTD_DONE && g->power != VIRTD_POWER_ABSENT;
		bool again = s->req.request == VIRT_ON && power == VIRTD_POWER_ABSENT &&
			     s->done[u] == VIRTD_DONE && g->kept;

		s->run[u] = g->run;
		s->target[u] = again ||
			       (here && (s->req.request == VIRT_ON
						 ? g->power == VIRTD_POWER_OFF
						 : g->power == VIRTD_POWER_ON || g->saved));
		n += s->target[u];
	}
	switch (s->req.request) {
	case VIRT_STATUS:
		if (power == VIRTD_POWER_ON)
			answer(v, s, VIRT_SUCCESS, VIRT_WHY_NONE, "on");
		else if (power == VIRTD_POWER_OFF)
			answer(v, s, VIRT_IS_OFF, VIRT_WHY_NONE, "off");
		else
			answer(v, s, VIRT_FAILURE, why, text);
		return;
	case VIRT_OFF:
	case VIRT_REBOOT:
		if (power == VIRTD_POWER_OFF)
			answer(v, s, VIRT_SUCCESS, VIRT_WHY_NONE, "it was off");
		else if (n == 0)
			answer(v, s, VIRT_FAILURE, why, text);
		else
			destroy(v, s); /* a saved image is a life too: it is thrown away */
		return;
	case VIRT_ON:
		if (power == VIRTD_POWER_ON) {
			answer(v, s, VIRT_SUCCESS, VIRT_WHY_NONE, "it was on");
		} else if (power != VIRTD_POWER_OFF && (power != VIRTD_POWER_ABSENT || n == 0)) {
			/* Absent and kept: fenced here a moment ago. A transient guest's reboot is off, and then on. */
			answer(v, s, VIRT_FAILURE, why, text);
		} else if (n > 1) {
			answer(v, s, VIRT_FAILURE, VIRT_WHY_AMBIGUOUS,
			       "it is defined on several hypervisors");
		} else {
			create(v, s);
		}
		return;
	default: answer(v, s, VIRT_FAILURE, VIRT_WHY_OTHER, "no such operation"); return;
	}
}

/* One read-back is complete: is the life that was meant over on every one of them? */
static void gone(struct virtd_core *v, struct session *s)
{
	bool all = true, again = false, reborn = false;

	for (unsigned u = 0; u < v->conf.n_uris; u++) {
		const struct virtd_guest *g = &s->guest[u];

		if (!s->target[u])
			continue;
		if (s->done[u] != VIRTD_DONE) {
			all = false;
			snprintf(s->text, sizeof(s->text), "libvirt does not answer");
		} else if (g->power == VIRTD_POWER_ON) {
			all = false;
			if (g->run != s->run[u])
				reborn = true;
			else
				again = true;
		} else if (g->power == VIRTD_POWER_UNKNOWN) {
			all = false;
			snprintf(s->text, sizeof(s->text), "%s", g->text);
		}
	}
	s->power = all ? VIRT_POWER_OFF : again ? VIRT_POWER_ON : VIRT_POWER_UNKNOWN;
	if (all) {
		if (s->req.request == VIRT_OFF)
			answer(v, s, VIRT_SUCCESS, VIRT_WHY_NONE,
			       "destroyed, and read back as off");
		else
			create(v, s);
		return;
	}
	if (reborn) {
		answer(v, s, s->req.request == VIRT_OFF ? VIRT_FAILURE : VIRT_SUCCESS,
		       s->req.request == VIRT_OFF ? VIRT_WHY_OTHER : VIRT_WHY_NONE,
		       "it was destroyed, and somebody started it again");
		return;
	}
	if (v->now_ms >= s->op_deadline_ms) {
		char text[VIRTD_TEXT_MAX];

		snprintf(text, sizeof(text), "not off in time: %.100s",
			 s->text[0] ? s->text : "it is still there");
		answer(v, s, VIRT_FAILURE, VIRT_WHY_TIMEOUT, text);
		return;
	}
	if (again && v->now_ms >= s->deadline_ms) { /* here: not before, the next destroy */
		s->deadline_ms = v->now_ms + AGAIN_MS;
		destroy(v, s);
		return;
	}
	s->poll_at_ms = v->now_ms + POLL_MS;
}

static void created(struct virtd_core *v, struct session *s)
{
	bool all = true, failed = false;

	for (unsigned u = 0; u < v->conf.n_uris; u++) {
		if (!s->target[u])
			continue;
		failed |= s->op == OP_CREATE && s->done[u] != VIRTD_DONE;
		all = all && s->op == OP_UP && s->done[u] == VIRTD_DONE &&
		      s->guest[u].power == VIRTD_POWER_ON;
	}
	if (all) {
		s->power = VIRT_POWER_ON;
		answer(v, s, VIRT_SUCCESS, VIRT_WHY_NONE,
		       s->req.request == VIRT_ON ? "started, and read back as on"
						 : "destroyed, read back as off, started again");
	} else if (failed || v->now_ms >= s->op_deadline_ms) {
		char text[VIRTD_TEXT_MAX];

		/* As with every agent: a reboot whose off part is proven is good, the rest is told. */
		snprintf(text, sizeof(text), "%s%.90s",
			 s->req.request == VIRT_ON
				 ? "it did not start: "
				 : "destroyed and read back as off, but it did not start again: ",
			 s->text[0] ? s->text : "libvirt refused");
		answer(v, s, s->req.request == VIRT_ON ? VIRT_FAILURE : VIRT_SUCCESS,
		       failed ? VIRT_WHY_REFUSED : VIRT_WHY_TIMEOUT, text);
	} else {
		s->poll_at_ms = v->now_ms + (s->op == OP_CREATE ? 0 : POLL_MS);
		s->op = OP_UP;
	}
}

/* SAFE-3: what a libvirt that is away has is left out, not called off. None at all: no list. */
static void listed(struct virtd_core *v, struct session *s)
{
	unsigned n = 0, up = 0;
	uint8_t *buf;
	size_t len = 0;

	for (unsigned u = 0; u < v->conf.n_uris; u++)
		up += s->done[u] == VIRTD_DONE;
	if (up == 0) {
		answer(v, s, VIRT_FAILURE, VIRT_WHY_DOWN, "no libvirt answers");
		return;
	}
	/* built in place behind what this step has sent */
	if (v->arena_used + (VIRTD_GUESTS_MAX + 1) * VIRT_HOST_BYTES +
		    2 * VIRT_SERIAL_RESPONSE_BYTES >
	    ARENA_BYTES) {
		s->poll_at_ms = v->now_ms; /* in the next step */
		return;
	}
	buf = v->arena + v->arena_used;
	if (serial(v, s)) {
		virt_serial_response(buf, VIRT_LIST_FOLLOWS);
		len = VIRT_SERIAL_RESPONSE_BYTES;
	} else {
		buf[len++] = VIRT_LIST_FOLLOWS;
	}
	for (unsigned i = 0; i < VIRTD_GUESTS_MAX; i++) {
		struct list_entry *e = &v->list[i];

		if (!e->used || s->done[e->uri] != VIRTD_DONE)
			continue;
		if (e->stamp < s->list_stamp) {
			e->used = false; /* it is not in the newest list */
			continue;
		}
		if (!permitted(v, s, &e->guest))
			continue;
		virt_host_encode(buf + len, e->guest.name, e->guest.uuid, e->guest.state);
		len += VIRT_HOST_BYTES;
		n++;
	}
	memset(buf + len, 0, VIRT_HOST_BYTES);
	len += VIRT_HOST_BYTES;
	uint8_t result = up == v->conf.n_uris ? VIRT_SUCCESS : VIRT_FAILURE;

	if (serial(v, s)) {
		virt_serial_response(buf + len, result);
		len += VIRT_SERIAL_RESPONSE_BYTES;
	} else {
		buf[len++] = result;
	}
	v->arena_used += len;
	v->count.answered++;
	snprintf(s->text, sizeof(s->text), "%u guests, %u of %u libvirts answered", n, up,
		 v->conf.n_uris);
	audit(v, s, result);
	if (!s->peer_gone) {
		struct virtd_action *a = act(v, VIRTD_ACT_SEND);

		a->send.conn = s->conn;
		a->send.data = buf;
		a->send.len = len;
	}
	done_with(v, s);
}

/* Did every destroy look afterwards, and find nothing that runs? */
static bool read_back(const struct virtd_core *v, const struct session *s)
{
	for (unsigned u = 0; u < v->conf.n_uris; u++)
		if (s->target[u] &&
		    (s->done[u] != VIRTD_DONE || (s->guest[u].power != VIRTD_POWER_OFF &&
						  s->guest[u].power != VIRTD_POWER_ABSENT)))
			return false;
	return true;
}

static void next(struct virtd_core *v, struct session *s)
{
	switch (s->op) {
	case OP_NONE: break;
	case OP_RESOLVE: resolved(v, s); break;
	case OP_DESTROY:
		/* whatever it said of the deed: what counts is what is read back, and it may have done so itself */
		s->op = OP_GONE;
		s->deadline_ms = v->now_ms + AGAIN_MS;
		if (read_back(v, s)) {
			gone(v, s);
			break;
		}
		ask(v, s, s->target, VIRTD_JOB_STATE, JOB_MS);
		break;
	case OP_GONE: gone(v, s); break;
	case OP_CREATE:
	case OP_UP: created(v, s); break;
	case OP_LIST: listed(v, s); break;
	}
}

int op_job(struct virtd_core *v, struct session *s, const struct virtd_event *ev)
{
	unsigned u = 0;

	while (u < v->conf.n_uris && s->job[u] != ev->job.job)
		u++;
	if (u == v->conf.n_uris || s->answered[u])
		return -ENOENT; /* of an earlier question */
	s->answered[u] = true;
	s->job[u] = 0;
	s->done[u] = ev->job.done;
	s->guest[u] = ev->job.guest;
	if (ev->job.done != VIRTD_DONE && ev->job.text)
		snprintf(s->text, sizeof(s->text), "%.150s", ev->job.text);
	if (s->stage == ST_WORK && complete(v, s))
		next(v, s);
	return 0;
}

/* Deadlines of a question, and of the pause before the next. */
void op_plan(struct virtd_core *v, struct session *s)
{
	if (s->poll_at_ms != UINT64_MAX) {
		if (s->poll_at_ms > v->now_ms) {
			want(v, s->poll_at_ms);
			return;
		}
		if (s->op == OP_LIST) {
			s->poll_at_ms = UINT64_MAX;
			listed(v, s);
			return;
		}
		if (s->op == OP_RESOLVE)
			resolve_again(v, s);
		else
			ask(v, s, s->target, VIRTD_JOB_STATE, JOB_MS);
	}
	if (s->job_deadline_ms > v->now_ms) {
		want(v, s->job_deadline_ms);
		return;
	}
	/* Who has not answered by now is down, for this question. A late answer finds no job. */
	for (unsigned u = 0; u < v->conf.n_uris; u++) {
		s->answered[u] = true;
		s->job[u] = 0;
	}
	next(v, s);
	if (s->stage == ST_WORK && s->poll_at_ms == UINT64_MAX)
		want(v, s->job_deadline_ms);
}
