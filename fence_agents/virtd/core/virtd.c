/* SPDX-License-Identifier: GPL-3.0-or-later */
/* fence_agents/virtd/core/virtd.c - from bytes of strangers to a request that may be carried out.
 *
 * A multicast request is signed, and asks to be called back; a connection brings its request along. Either way both sides
 * then prove that they hold the key; the client asks first. Every wait has an end, every table a limit per source.
 */
#include "internal.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CONNECT_MS 5000
#define STEP_MS 5000 /* for each of the peer's answers */
#define ACTIONS_OF_ONE (VIRTD_URIS_MAX + 6)

struct virtd_core *virtd_new(const struct virtd_setup *setup)
{
	struct virtd_core *v = calloc(1, sizeof(*v));

	if (!v)
		return NULL;
	v->setup = *setup;
	v->conf = *setup->conf;
	v->setup.conf = NULL;
	v->session = calloc(VIRTD_SESSIONS_MAX, sizeof(*v->session));
	v->list = calloc(VIRTD_GUESTS_MAX, sizeof(*v->list));
	v->recent = calloc(RECENT_MAX, sizeof(*v->recent));
	v->arena = calloc(1, ARENA_BYTES);
	v->deadline_ms = UINT64_MAX;
	if (!v->session || !v->list || !v->recent || !v->arena ||
	    seen_new(&v->acts, SEEN_ACTS) < 0 || seen_new(&v->queries, SEEN_QUERIES) < 0 ||
	    attest_new(v) < 0) {
		virtd_free(v);
		errno = ENOMEM;
		return NULL;
	}
	for (uint16_t i = 0; i < VIRTD_SESSIONS_MAX; i++)
		v->session[i].slot = i;
	return v;
}

struct virtd_core *virtd_free(struct virtd_core *v)
{
	if (!v)
		return NULL;
	seen_free(&v->acts);
	seen_free(&v->queries);
	attest_free(v);
	free(v->session);
	free(v->list);
	free(v->recent);
	free(v->arena);
	free(v);
	return NULL;
}

struct virtd_action *act(struct virtd_core *v, enum virtd_action_type type)
{
	struct virtd_action *a = &v->out->v[v->out->n++];

	memset(a, 0, sizeof(*a));
	a->type = type;
	return a;
}

bool room(const struct virtd_core *v)
{
	return v->out->n + ACTIONS_OF_ONE <= VIRTD_ACTIONS_MAX;
}

void want(struct virtd_core *v, uint64_t at_ms)
{
	if (at_ms < v->deadline_ms)
		v->deadline_ms = at_ms;
}

void copy_word(char to[VIRTD_WORD_MAX], const char *from)
{
	size_t n = strnlen(from, VIRTD_WORD_MAX - 1);

	memmove(to, from, n);
	memset(to + n, 0, VIRTD_WORD_MAX - n);
}

/* Facts for the log; the shell may leave some out, never the audit. */
void note(struct virtd_core *v, enum virtd_fact n, const char *who, const char *guest,
	  const char *fmt, ...)
{
	va_list ap;

	if (!room(v))
		return;
	struct virtd_action *a = act(v, VIRTD_ACT_NOTE);

	a->note.note = n;
	copy_word(a->note.who, who);
	copy_word(a->note.guest, guest);
	va_start(ap, fmt);
	vsnprintf(a->note.text, sizeof(a->note.text), fmt, ap);
	va_end(ap);
}

void session_send(struct virtd_core *v, struct session *s, const void *data, size_t len)
{
	if (s->peer_gone || v->arena_used + len > ARENA_BYTES)
		return;
	struct virtd_action *a = act(v, VIRTD_ACT_SEND);
	uint8_t *to = v->arena + v->arena_used;

	memcpy(to, data, len);
	v->arena_used += len;
	a->send.conn = s->conn;
	a->send.data = to;
	a->send.len = len;
}

void session_end(struct virtd_core *v, struct session *s)
{
	uint16_t slot = s->slot;

	if (!s->peer_gone)
		act(v, VIRTD_ACT_CLOSE)->close = s->conn;
	memset(s, 0, sizeof(*s));
	s->slot = slot;
	while (v->top > 0 && v->session[v->top - 1].stage == ST_FREE)
		v->top--;
}

static void session_broken(struct virtd_core *v, struct session *s, const char *why)
{
	v->count.broken++;
	note(v, VIRTD_NOTE_BROKEN, s->caller.who, s->req.domain, "%s", why);
	session_end(v, s);
}

static struct session *session_of(struct virtd_core *v, uint64_t conn)
{
	for (unsigned i = 0; i < v->top; i++)
		if (v->session[i].stage != ST_FREE && v->session[i].conn == conn &&
		    !v->session[i].peer_gone)
			return &v->session[i];
	return NULL;
}

/* Nothing that it sent was signed by a key of ours so far. A guest's own channel is none of these: there is one for each guest. */
static bool is_stranger(const struct virtd_core *v, const struct session *s)
{
	return (s->stage == ST_REQUEST || s->stage == ST_CONNECTING || s->stage == ST_CHALLENGE ||
		s->stage == ST_RESPONSE) &&
	       !s->digest_known && v->conf.listener[s->listener].kind != VIRTD_SERIAL;
}

/* All places are taken: who holds the key does not stand behind those who only connected, from however many addresses. */
static struct session *make_place(struct virtd_core *v)
{
	struct session *oldest = NULL;

	for (unsigned i = 0; i < v->top; i++) {
		struct session *s = &v->session[i];

		if (is_stranger(v, s) && (!oldest || s->began_ms < oldest->began_ms))
			oldest = s;
	}
	if (oldest) {
		v->count.limited++;
		session_broken(v, oldest, "all places are taken, and it has proven nothing yet");
	}
	return oldest;
}

/* NULL: too many, of this source or at all. */
static struct session *session_begin(struct virtd_core *v, unsigned listener, const char *source)
{
	struct session *s = NULL;
	unsigned of_one = 0;

	for (unsigned i = 0; i < v->top; i++) {
		if (v->session[i].stage == ST_FREE)
			s = s ? s : &v->session[i];
		else
			of_one += strcmp(v->session[i].caller.source, source) == 0;
	}
	if (of_one >= VIRTD_SESSIONS_OF_ONE)
		return NULL;
	if (!s && v->top < VIRTD_SESSIONS_MAX)
		s = &v->session[v->top];
	if (!s)
		s = make_place(v);
	if (!s)
		return NULL;
	if (s->slot >= v->top)
		v->top = s->slot + 1u;
	s->listener = listener;
	s->began_ms = v->now_ms;
	copy_word(s->caller.source, source);
	copy_word(s->caller.who, source);
	return s;
}

/* FNV-1a over what makes two requests the same one to an unsigned listener too. */
static uint64_t recent_key(const struct virtd_caller *c, const struct virt_request *q)
{
	uint64_t h = UINT64_C(0xcbf29ce484222325);
	const uint8_t tail[5] = { q->request, (uint8_t)q->seqno, (uint8_t)(q->seqno >> 8),
				  (uint8_t)(q->seqno >> 16), (uint8_t)(q->seqno >> 24) };

	for (const char *p = c->who; *p; p++)
		h = (h ^ (uint8_t)*p) * UINT64_C(0x100000001b3);
	for (const char *p = q->domain; *p; p++)
		h = (h ^ (uint8_t)(*p | 0x20)) * UINT64_C(0x100000001b3);
	for (unsigned i = 0; i < sizeof(tail); i++)
		h = (h ^ tail[i]) * UINT64_C(0x100000001b3);
	return h;
}

static void drop(struct virtd_core *v, const char *who, const char *guest, const char *why)
{
	v->count.dropped++;
	note(v, VIRTD_NOTE_DROP, who, guest, "%s", why);
}

/* Is it signed as strongly as this listener wants, by one of our keys, and new? */
static const char *check_request(struct virtd_core *v, unsigned listener, const uint8_t *bytes,
				 struct session *s)
{
	const struct virtd_listener *l = &v->conf.listener[listener];
	const struct virt_request *q = &s->req;

	s->key = 0;
	if (q->hash > VIRT_HASH_SHA512)
		return "its hash is of no known kind";
	if (q->hash < l->hash)
		return "its hash is weaker than the weakest that is allowed here";
	if (q->hash != VIRT_HASH_NONE) {
		unsigned k = 0;

		while (k < v->keys[listener].n &&
		       !virt_request_verify(bytes, VIRT_REQUEST_BYTES, v->keys[listener].bytes[k],
					    v->keys[listener].len[k]))
			k++;
		if (k == v->keys[listener].n)
			return "it is signed with another key";
		s->key = k;
		s->digest_known = true;
		memcpy(s->digest, q->digest, VIRTD_DIGEST_BYTES);
		if (seen_has(&v->acts, s->digest) || seen_has(&v->queries, s->digest)) {
			v->count.replayed++;
			return "it was carried out before: a replay";
		}
	}
	s->recent = recent_key(&s->caller, q);
	if (recent_has(v, s->recent)) {
		v->count.replayed++;
		return "it was carried out a moment ago";
	}
	for (unsigned i = 0; i < v->top; i++)
		if (v->session[i].stage != ST_FREE && &v->session[i] != s &&
		    v->session[i].recent == s->recent && v->session[i].stage != ST_REQUEST)
			return "it is being carried out";
	return NULL;
}

/* Silent mode: this host is asked about a guest that it does not have. Another one has it and answers. */
static bool somebody_elses(const struct virtd_core *v, const char *domain)
{
	for (unsigned u = 0; u < v->conf.n_uris; u++)
		if (!v->uri_up[u])
			return false; /* who knows */
	for (unsigned i = 0; i < VIRTD_GUESTS_MAX; i++) {
		const struct list_entry *e = &v->list[i];

		if (e->used &&
		    (strcmp(e->guest.name, domain) == 0 || strcasecmp(e->guest.uuid, domain) == 0))
			return false;
	}
	return true;
}

static bool address_of(const struct virt_request *q, bool *ret_ipv6, char text[VIRTD_WORD_MAX])
{
	static const uint8_t zero[16];
	char buf[INET6_ADDRSTRLEN];

	*ret_ipv6 = q->family == 10;
	if ((q->family != 2 && q->family != 10) || q->port == 0)
		return false;
	size_t len = *ret_ipv6 ? 16 : 4;

	if (memcmp(q->address, zero, len) == 0 ||
	    (*ret_ipv6 ? q->address[0] == 0xff : q->address[0] >= 224) ||
	    !inet_ntop(*ret_ipv6 ? AF_INET6 : AF_INET, q->address, buf, sizeof(buf)))
		return false;
	copy_word(text, buf);
	return true;
}

static void on_datagram(struct virtd_core *v, const struct virtd_event *ev)
{
	const char *source = ev->datagram.source, *why;
	struct virt_request q;
	bool ipv6;

	if (echo_is(ev->datagram.data, ev->datagram.len)) {
		uint8_t reply[ECHO_BYTES];

		if (keys_echo(v, ev->datagram.listener, source, ev->datagram.data,
			      ev->datagram.view, reply))
			memcpy(act(v, VIRTD_ACT_REPLY)->reply, reply, sizeof(reply));
		return;
	}
	v->count.requests++;
	if (ev->datagram.len != VIRT_REQUEST_BYTES ||
	    virt_request_decode(&q, ev->datagram.data, ev->datagram.len) < 0) {
		drop(v, source, "", "it is no request of 176 bytes");
		return;
	}
	struct session *s = session_begin(v, ev->datagram.listener, source);

	if (!s) {
		v->count.limited++;
		drop(v, source, q.domain, "too many requests of it are in hand");
		return;
	}
	s->req = q;
	memcpy(s->raw, ev->datagram.data, VIRT_REQUEST_BYTES);
	if (!address_of(&q, &ipv6, s->caller.who))
		why = "it names no address to be called back at";
	else if (strcmp(s->caller.who, source) != 0 &&
		 !virtd_map_same_caller(&v->conf.map, s->caller.who, source))
		why = "it comes from another address than it names, and no line gives one caller both";
	else
		why = check_request(v, ev->datagram.listener, ev->datagram.data, s);
	if (!why && v->conf.silent_unknown && q.domain[0] && somebody_elses(v, q.domain))
		why = "no such guest here: another host answers";
	if (why) {
		char who[VIRTD_WORD_MAX];

		copy_word(who, s->caller.who[0] ? s->caller.who : source);
		s->peer_gone = true; /* there is no connection to close */
		session_end(v, s);
		drop(v, who, q.domain, why);
		return;
	}
	s->stage = ST_CONNECTING;
	s->conn = ++v->conns;
	s->deadline_ms = v->now_ms + CONNECT_MS;
	struct virtd_action *a = act(v, VIRTD_ACT_CONNECT);

	a->connect.conn = s->conn;
	a->connect.ipv6 = ipv6;
	memcpy(a->connect.addr, q.address, sizeof(a->connect.addr));
	a->connect.port = q.port;
}

static int on_accept(struct virtd_core *v, const struct virtd_event *ev)
{
	struct session *s = session_begin(v, ev->accept.listener, ev->accept.who);

	if (!s) {
		v->count.limited++;
		drop(v, ev->accept.who, "", "too many connections of it");
		act(v, VIRTD_ACT_CLOSE)->close = ev->accept.conn;
		return -ENOENT;
	}
	s->stage = ST_REQUEST;
	s->conn = ev->accept.conn;
	s->deadline_ms = v->conf.listener[s->listener].kind == VIRTD_SERIAL ? UINT64_MAX
									    : v->now_ms + STEP_MS;
	return 0;
}

static void admit(struct virtd_core *v, struct session *s)
{
	s->stage = ST_WORK;
	s->deadline_ms = UINT64_MAX;
	s->began_ms = v->now_ms;
	recent_add(v, s->recent);
	if (s->digest_known) {
		seen_add(op_acts(s->req.request) ? &v->acts : &v->queries, s->digest);
		if (op_acts(s->req.request))
			memcpy(act(v, VIRTD_ACT_KEEP)->keep, s->digest, VIRTD_DIGEST_BYTES);
	}
	op_begin(v, s);
}

static void begin_proof(struct virtd_core *v, struct session *s)
{
	if (v->conf.listener[s->listener].auth == VIRT_HASH_NONE) {
		admit(v, s);
		return;
	}
	size_t len;

	if (!keys_of(v, s, &len)) {
		session_broken(v, s, "there is no key here");
		return;
	}
	s->stage = ST_CHALLENGE;
	s->deadline_ms = v->now_ms + STEP_MS;
}

static int on_connected(struct virtd_core *v, const struct virtd_event *ev)
{
	struct session *s = session_of(v, ev->connected.conn);

	if (!s || s->stage != ST_CONNECTING)
		return -ENOENT;
	back_note(v, s->caller.who,
		  ev->connected.ok    ? 0
		  : ev->connected.err ? ev->connected.err
				      : EHOSTUNREACH);
	if (!ev->connected.ok) {
		s->peer_gone = true;
		session_broken(v, s,
			       "it cannot be called back: no route, or TCP is filtered there");
		return 0;
	}
	begin_proof(v, s);
	return 0;
}

/* Until all @n bytes of a step are there. */
static bool gather(struct session *s, const uint8_t **data, size_t *len, size_t n)
{
	size_t take = n - s->in_len < *len ? n - s->in_len : *len;

	memcpy(s->in + s->in_len, *data, take);
	s->in_len += take;
	*data += take;
	*len -= take;
	return s->in_len == n;
}

static void on_request(struct virtd_core *v, struct session *s)
{
	s->in_len = 0;
	if (echo_is(s->in, VIRT_REQUEST_BYTES)) {
		uint8_t reply[ECHO_BYTES];

		if (keys_echo(v, s->listener, s->caller.who, s->in, NULL, reply))
			session_send(v, s, reply, sizeof(reply));
		session_end(v, s);
		return;
	}
	v->count.requests++;
	memcpy(s->raw, s->in, VIRT_REQUEST_BYTES);
	if (virt_request_decode(&s->req, s->in, VIRT_REQUEST_BYTES) < 0) {
		session_broken(v, s, "what it sent is no request");
		return;
	}
	const char *why = check_request(v, s->listener, s->in, s);

	if (why) {
		v->count.dropped++;
		session_broken(v, s, why);
		return;
	}
	begin_proof(v, s);
}

static void on_challenge(struct virtd_core *v, struct session *s)
{
	const struct virtd_listener *l = &v->conf.listener[s->listener];
	uint8_t both[2 * VIRT_CHALLENGE_BYTES];
	size_t len;
	const uint8_t *key = keys_of(v, s, &len);

	s->in_len = 0;
	memcpy(s->asked, s->in, VIRT_CHALLENGE_BYTES);
	if (virt_response(l->auth, key, len, s->in, both) < 0) {
		session_broken(v, s, "no digest can be made");
		return;
	}
	v->setup.random(v->setup.arg, s->challenge, sizeof(s->challenge));
	memcpy(both + VIRT_CHALLENGE_BYTES, s->challenge, VIRT_CHALLENGE_BYTES);
	s->stage = ST_RESPONSE;
	s->deadline_ms = v->now_ms + STEP_MS;
	session_send(v, s, both, sizeof(both));
	op_foresee(v, s);
}

static void on_response(struct virtd_core *v, struct session *s)
{
	const struct virtd_listener *l = &v->conf.listener[s->listener];
	bool right = false;

	s->in_len = 0;
	/* its own key may have been dropped since, in the middle of this talk: it counts to its end */
	for (unsigned k = 0; k < KEYS_KEPT && !right; k++) {
		uint8_t want_bytes[VIRT_CHALLENGE_BYTES];

		if (k >= v->keys[s->listener].n && k != s->key)
			continue;
		right = virt_response(l->auth, v->keys[s->listener].bytes[k],
				      v->keys[s->listener].len[k], s->challenge, want_bytes) == 0 &&
			virt_equal(want_bytes, s->in, VIRT_CHALLENGE_BYTES);
	}
	if (right)
		admit(v, s);
	else
		session_broken(v, s, "its answer to our challenge is wrong: another key");
}

static void on_serial(struct virtd_core *v, struct session *s)
{
	struct virt_serial_request q;

	v->count.requests++;
	s->in_len = 0;
	if (virt_serial_decode(&q, s->in, VIRT_SERIAL_BYTES) < 0) {
		/* a channel cannot be hung up: look for the next beginning, byte by byte */
		memmove(s->in, s->in + 1, VIRT_SERIAL_BYTES - 1);
		s->in_len = VIRT_SERIAL_BYTES - 1;
		return;
	}
	memset(&s->req, 0, sizeof(s->req));
	s->req.request = q.request;
	s->req.flags = q.flags;
	s->req.seqno = q.seqno;
	memcpy(s->req.domain, q.domain, sizeof(s->req.domain));
	s->recent = recent_key(&s->caller, &s->req);
	if (recent_has(v, s->recent)) {
		v->count.replayed++;
		drop(v, s->caller.who, s->req.domain, "it was carried out a moment ago");
		return;
	}
	admit(v, s);
}

static int on_data(struct virtd_core *v, const struct virtd_event *ev)
{
	struct session *s = session_of(v, ev->data.conn);
	const uint8_t *data = ev->data.data;
	size_t len = ev->data.len;

	if (!s)
		return -ENOENT;
	bool serial = v->conf.listener[s->listener].kind == VIRTD_SERIAL;

	while (len > 0 && room(v)) {
		switch (s->stage) {
		case ST_REQUEST:
			if (!gather(s, &data, &len,
				    serial ? VIRT_SERIAL_BYTES : VIRT_REQUEST_BYTES))
				return 0;
			if (serial)
				on_serial(v, s);
			else
				on_request(v, s);
			break;
		case ST_CHALLENGE:
			if (!gather(s, &data, &len, VIRT_CHALLENGE_BYTES))
				return 0;
			on_challenge(v, s);
			break;
		case ST_RESPONSE:
			if (!gather(s, &data, &len, VIRT_CHALLENGE_BYTES))
				return 0;
			on_response(v, s);
			break;
		case ST_FREE:
		case ST_CONNECTING:
		case ST_WORK: return 0; /* it talks out of turn: not heard */
		}
	}
	return 0;
}

static int on_closed(struct virtd_core *v, uint64_t conn)
{
	struct session *s = session_of(v, conn);

	if (!s)
		return -ENOENT;
	s->peer_gone = true;
	if (s->stage == ST_REQUEST && s->in_len == 0)
		session_end(v, s);
	else if (s->stage != ST_WORK) /* what was begun is carried out, and told in the audit */
		session_broken(v, s,
			       "it hung up: another key or another auth there, or it gave up");
	return 0;
}

/* What belongs to sockets stays as it was at start. */
static void on_conf(struct virtd_core *v, const struct virtd_conf *c)
{
	v->conf.map = c->map;
	v->conf.silent_unknown = c->silent_unknown;
	v->conf.off_ms = c->off_ms;
	v->conf.acts_per_minute = c->acts_per_minute;
	v->conf.queries_per_minute = c->queries_per_minute;
}

uint64_t job_start(struct virtd_core *v, uint16_t owner, unsigned uri, enum virtd_job kind,
		   const char *guest, uint32_t timeout_ms)
{
	struct virtd_action *a = act(v, VIRTD_ACT_JOB);

	a->job.job = (++v->jobs << 16) | owner;
	a->job.uri = uri;
	a->job.kind = kind;
	copy_word(a->job.guest, guest);
	a->job.timeout_ms = timeout_ms;
	return a->job.job;
}

static int on_job(struct virtd_core *v, const struct virtd_event *ev)
{
	uint16_t owner = (uint16_t)ev->job.job;

	if (owner == NOBODY)
		return attest_job(v, ev);
	if (owner >= VIRTD_SESSIONS_MAX ||
	    (v->session[owner].stage != ST_WORK && v->session[owner].stage != ST_RESPONSE))
		return -ENOENT;
	return op_job(v, &v->session[owner], ev);
}

static struct list_entry *list_find(struct virtd_core *v, unsigned uri, const char *uuid)
{
	struct list_entry *hole = NULL;

	for (unsigned i = 0; i < VIRTD_GUESTS_MAX; i++) {
		struct list_entry *e = &v->list[i];

		if (e->used && e->uri == uri && strcmp(e->guest.uuid, uuid) == 0)
			return e;
		if (!e->used && !hole)
			hole = e;
	}
	return hole;
}

/* A line of a list, or of the watcher's. */
static void on_guest(struct virtd_core *v, const struct virtd_event *ev)
{
	struct list_entry *e = list_find(v, ev->guest.uri, ev->guest.guest.uuid);
	uint16_t owner = (uint16_t)ev->guest.job;

	attest_guest(v, ev->guest.uri, &ev->guest.guest);
	if (!e)
		return;
	e->used = ev->guest.guest.power != VIRTD_POWER_ABSENT;
	e->uri = (uint8_t)ev->guest.uri;
	e->guest = ev->guest.guest;
	if (ev->guest.job && owner < VIRTD_SESSIONS_MAX && v->session[owner].stage == ST_WORK &&
	    v->session[owner].op == OP_LIST)
		e->stamp = v->session[owner].list_stamp;
	else
		e->stamp = v->list_stamp;
}

static void plan(struct virtd_core *v)
{
	for (unsigned i = 0; i < v->top; i++) {
		struct session *s = &v->session[i];

		if (s->stage == ST_FREE)
			continue;
		if (!room(v)) {
			want(v, v->now_ms); /* the rest in the next step, at once */
			return;
		}
		if (s->stage == ST_WORK) {
			op_plan(v, s);
		} else if (s->deadline_ms <= v->now_ms) {
			bool connecting = s->stage == ST_CONNECTING;

			if (connecting)
				back_note(v, s->caller.who, ETIMEDOUT);
			session_broken(v, s,
				       connecting ? "calling it back takes too long"
						  : "it stays silent");
		} else {
			want(v, s->deadline_ms);
		}
	}
	if (room(v))
		attest_plan(v);
	else
		want(v, v->now_ms);
}

int virtd_step(struct virtd_core *v, const struct virtd_event *ev, struct virtd_actions *out)
{
	int r = 0;

	out->n = 0;
	v->out = out;
	v->now_ms = ev->now_ms;
	v->arena_used = 0;
	v->deadline_ms = UINT64_MAX;
	switch (ev->type) {
	case VIRTD_EV_KEYS: keys_set(v, ev); break;
	case VIRTD_EV_CONF: on_conf(v, ev->conf); break;
	case VIRTD_EV_DATAGRAM: on_datagram(v, ev); break;
	case VIRTD_EV_ACCEPT: r = on_accept(v, ev); break;
	case VIRTD_EV_CONNECTED: r = on_connected(v, ev); break;
	case VIRTD_EV_DATA: r = on_data(v, ev); break;
	case VIRTD_EV_CLOSED: r = on_closed(v, ev->closed); break;
	case VIRTD_EV_GUEST: on_guest(v, ev); break;
	case VIRTD_EV_JOB: r = on_job(v, ev); break;
	case VIRTD_EV_URI:
		v->uri_up[ev->uri.uri] = ev->uri.up;
		v->uri_seen[ev->uri.uri] |= ev->uri.up;
		break;
	case VIRTD_EV_LIFE: attest_life(v, ev); break;
	case VIRTD_EV_ATTEST: attest_heard(v, ev); break;
	case VIRTD_EV_SEEN: seen_add(&v->acts, ev->seen); break;
	case VIRTD_EV_TIMEOUT: break;
	}
	plan(v);
	v->out = NULL;
	return r;
}

uint64_t virtd_deadline_ms(const struct virtd_core *v)
{
	return v->deadline_ms;
}

void virtd_status(const struct virtd_core *v, struct virtd_status *ret)
{
	*ret = v->count;
	ret->subscribers = attest_subscribers(v);
	for (unsigned i = 0; i < VIRTD_SESSIONS_MAX; i++) {
		const struct session *s = &v->session[i];

		ret->sessions += s->stage != ST_FREE && s->stage != ST_REQUEST;
		for (unsigned u = 0; u < VIRTD_URIS_MAX; u++)
			ret->jobs += s->stage == ST_WORK && s->job[u] != 0;
	}
	for (unsigned i = 0; i < VIRTD_GUESTS_MAX; i++)
		ret->guests += v->list[i].used;
	memcpy(ret->uri_up, v->uri_up, sizeof(ret->uri_up));
	memcpy(ret->uri_seen, v->uri_seen, sizeof(ret->uri_seen));
}

const char *virtd_op_name(uint8_t op)
{
	static const char *const names[] = { "null",    "off",  "reboot",   "on",          "status",
					     "monitor", "list", "metadata", "validate-all" };

	return op < sizeof(names) / sizeof(*names) ? names[op] : "?";
}
