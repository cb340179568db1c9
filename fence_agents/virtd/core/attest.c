/* SPDX-License-Identifier: GPL-3.0-or-later */
/* fence_agents/virtd/core/attest.c - VIRTD-4: telling the cluster that a guest's life is over (SAFE-11).
 *
 * Why a statement can be believed:
 *  1. It names a kernel life (boot id). That life said itself, by HELLO, that it runs in guest U, when U ran here. Boot ids do
 *     not come back, so a statement that is late, or heard twice, is still true, and never about a later boot.
 *  2. It is made when libvirt said that this run of U ended, and a read-back says: U is off, or runs under another number. A
 *     crashed guest that was kept is destroyed first.
 *  3. Whatever carries a life elsewhere (migration, a saved image) unbinds it here: of such a guest nothing is stated.
 * A HELLO counts only with our challenge of a moment ago, which nobody can have recorded earlier; its nonce goes into each
 * statement to that node, which nobody can have recorded either.
 *
 * A guest that was reset from inside has another kernel life than the one that was bound; until it has said HELLO,
 * a statement names the older one: true, and of no use to anybody.
 */
#include "internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHALLENGE_MS 30000    /* a new one after this; the one before counts as long again */
#define SUBSCRIPTION_MS 20000 /* without a HELLO */
#define REPEAT_MIN_MS 40
#define REPEAT_MAX_MS 1000
#define STATEMENT_MS 60000
#define DEATH_MS 15000 /* to make sure of it */
#define DEATH_JOB_MS 5000

int attest_new(struct virtd_core *v)
{
	v->attest.life = calloc(VIRTD_GUESTS_MAX, sizeof(*v->attest.life));
	if (!v->attest.life)
		return -ENOMEM;
	v->setup.random(v->setup.arg, v->attest.instance, ATTEST_ID_BYTES);
	return 0;
}

void attest_free(struct virtd_core *v)
{
	free(v->attest.life);
}

unsigned attest_subscribers(const struct virtd_core *v)
{
	unsigned n = 0;

	for (unsigned i = 0; i < SUBS_MAX; i++)
		n += v->attest.sub[i].used && v->attest.sub[i].accepted;
	return n;
}

static struct life *life_of(struct virtd_core *v, unsigned uri, const char *uuid)
{
	struct life *hole = NULL;

	for (unsigned i = 0; i < v->attest.top; i++) {
		struct life *l = &v->attest.life[i];

		if (l->used && l->uri == uri && strcmp(l->uuid, uuid) == 0)
			return l;
		if (!l->used && !hole)
			hole = l;
	}
	if (!hole && v->attest.top < VIRTD_GUESTS_MAX)
		hole = &v->attest.life[v->attest.top++];
	if (hole) {
		memset(hole, 0, sizeof(*hole));
		hole->used = true;
		hole->uri = (uint8_t)uri;
		memcpy(hole->uuid, uuid, sizeof(hole->uuid));
		hole->id = -1;
	}
	return hole;
}

static void unbind(struct life *l)
{
	l->bound = false;
	l->nodeid = 0;
	memset(l->boot_id, 0, sizeof(l->boot_id));
	l->cluster[0] = '\0';
}

static void started(struct life *l, int32_t id)
{
	l->run++;
	l->on = true;
	l->id = id;
	unbind(l);
}

static struct attest_msg *to_sub(struct virtd_core *v, uint64_t to, unsigned key,
				 enum attest_type type)
{
	struct virtd_action *a = act(v, VIRTD_ACT_ATTEST);

	a->attest.to = to;
	a->attest.key = key;
	a->attest.msg.type = type;
	memcpy(a->attest.msg.instance, v->attest.instance, ATTEST_ID_BYTES);
	return &a->attest.msg;
}

static void about(struct attest_msg *m, const struct life *l)
{
	m->run = l->was.run;
	m->nodeid = l->was.nodeid;
	memcpy(m->boot_id, l->was.boot_id, ATTEST_ID_BYTES);
	copy_word(m->name, l->name);
	copy_word(m->uuid, l->uuid);
	m->end = l->end;
}

static bool concerns(const struct subscriber *s, const struct life *l)
{
	return s->used && s->accepted && strcmp(s->cluster, l->was.cluster) == 0 &&
	       s->nodeid != l->was.nodeid;
}

/* To destroy it takes libvirt a fifth of a second, in which the others may prepare. Nothing hangs on this word, so it is said once. */
static void warn_of(struct virtd_core *v, const struct life *l)
{
	for (unsigned i = 0; i < SUBS_MAX && l->was.bound && room(v); i++) {
		const struct subscriber *s = &v->attest.sub[i];

		if (!concerns(s, l))
			continue;
		struct attest_msg *m = to_sub(v, s->from, s->key, ATTEST_DYING);

		memcpy(m->nonce, s->nonce, ATTEST_ID_BYTES);
		about(m, l);
	}
}

/* The run that was on is over, or is to be ended: see that it is, then say so. */
static void ended(struct virtd_core *v, struct life *l, enum attest_end end, bool destroy)
{
	if (l->end != ATTEST_END_NONE && l->was.run == l->run) {
		l->next_ms = v->now_ms; /* known; but something is new, so look at once */
		return;
	}
	l->end = end;
	l->destroy = destroy;
	l->was.bound = l->bound;
	l->was.nodeid = l->nodeid;
	l->was.run = l->run;
	l->was.id = l->id;
	memcpy(l->was.cluster, l->cluster, sizeof(l->was.cluster));
	memcpy(l->was.boot_id, l->boot_id, sizeof(l->was.boot_id));
	l->since_ms = l->next_ms = v->now_ms;
	l->job = 0;
	l->tries = 0;
	if (destroy) {
		note(v, VIRTD_NOTE_CRASHED, "", l->name, "its kernel paniced: destroying it");
		warn_of(v, l);
	}
}

/* A guest that is no node of a cluster is its owner's: what becomes of it after a panic is for libvirt's on_crash to say. */
static void crashed(struct virtd_core *v, struct life *l)
{
	if (l->bound || l->end != ATTEST_END_NONE)
		ended(v, l, ATTEST_CRASHED, true);
}

/* A list, or the watcher's look at a guest: what we may have missed while libvirt was away. */
void attest_guest(struct virtd_core *v, unsigned uri, const struct virtd_guest *g)
{
	struct life *l = g->uuid[0] && v->conf.attest ? life_of(v, uri, g->uuid) : NULL;

	if (!l)
		return;
	if (g->name[0])
		copy_word(l->name, g->name);
	switch (g->power) {
	case VIRTD_POWER_ON:
		if (!l->on || (g->run >= 0 && l->id >= 0 && g->run != l->id))
			started(l, g->run);
		else if (l->id < 0)
			l->id = g->run;
		if (g->crashed)
			crashed(v, l);
		return;
	case VIRTD_POWER_OFF:
		/* How it ended was said by an event, or was not heard: then nothing is said. */
		if (l->on && l->end == ATTEST_END_NONE)
			unbind(l);
		l->on = false;
		l->id = -1;
		return;
	case VIRTD_POWER_UNKNOWN: unbind(l); return;
	case VIRTD_POWER_ABSENT:
		l->on = false;
		if (l->end == ATTEST_END_NONE)
			l->used = false;
		return;
	}
}

void attest_life(struct virtd_core *v, const struct virtd_event *ev)
{
	const struct virtd_guest *g = &ev->life.guest;
	struct life *l = g->uuid[0] && v->conf.attest ? life_of(v, ev->life.uri, g->uuid) : NULL;

	if (!l)
		return;
	if (g->name[0])
		copy_word(l->name, g->name);
	switch (ev->life.life) {
	case VIRTD_LIFE_STARTED: started(l, g->run); break;
	case VIRTD_LIFE_CRASHED: crashed(v, l); break;
	case VIRTD_LIFE_ENDED:
		ended(v, l, ev->life.end, false);
		l->on = false;
		l->id = -1;
		break;
	case VIRTD_LIFE_MOVED:
		unbind(l);
		l->on = false;
		l->id = -1;
		l->end = ATTEST_END_NONE;
		note(v, VIRTD_NOTE_NOT_OVER, "", l->name, "its life goes on elsewhere, or later");
		break;
	case VIRTD_LIFE_UNDEFINED:
		if (!l->on && l->end == ATTEST_END_NONE)
			l->used = false;
		break;
	}
}

static struct subscriber *sub_of(struct virtd_core *v, const struct attest_msg *m)
{
	struct subscriber *hole = NULL;

	for (unsigned i = 0; i < SUBS_MAX; i++) {
		struct subscriber *s = &v->attest.sub[i];

		if (s->used && s->nodeid == m->nodeid && strcmp(s->cluster, m->cluster) == 0)
			return s;
		if (!s->used && !hole)
			hole = s;
	}
	if (hole) {
		memset(hole, 0, sizeof(*hole));
		hole->used = true;
		hole->nodeid = m->nodeid;
		memcpy(hole->cluster, m->cluster, sizeof(hole->cluster));
	}
	return hole;
}

/* Does the guest run here that the node says it is? NULL: yes, and this life is bound to it. */
static const char *bind_life(struct virtd_core *v, const struct attest_msg *m)
{
	for (unsigned i = 0; i < v->attest.top; i++) {
		struct life *l = &v->attest.life[i];

		if (!l->used || strcasecmp(l->uuid, m->uuid) != 0 || !v->uri_up[l->uri])
			continue;
		if (!l->on || l->end != ATTEST_END_NONE)
			continue;
		if (strcasecmp(m->name, l->name) != 0 && strcasecmp(m->name, l->uuid) != 0)
			return "your configuration names another guest";
		l->bound = true;
		l->nodeid = m->nodeid;
		memcpy(l->boot_id, m->boot_id, sizeof(l->boot_id));
		memcpy(l->cluster, m->cluster, sizeof(l->cluster));
		return NULL;
	}
	return "your guest does not run on this host";
}

static void on_hello(struct virtd_core *v, uint64_t from, unsigned key, const struct attest_msg *m)
{
	static const uint8_t zero[ATTEST_ID_BYTES];
	struct subscriber *s = sub_of(v, m);

	if (!s)
		return;
	if (s->challenge_ms == 0 || v->now_ms - s->challenge_ms >= CHALLENGE_MS) {
		bool recent = s->challenge_ms && v->now_ms - s->challenge_ms < 2 * CHALLENGE_MS;

		memcpy(s->before, recent ? s->challenge : zero, ATTEST_ID_BYTES);
		v->setup.random(v->setup.arg, s->challenge, ATTEST_ID_BYTES);
		s->challenge_ms = v->now_ms;
	}
	bool fresh = memcmp(m->challenge, zero, ATTEST_ID_BYTES) != 0 &&
		     memcmp(m->instance, v->attest.instance, ATTEST_ID_BYTES) == 0 &&
		     (memcmp(m->challenge, s->challenge, ATTEST_ID_BYTES) == 0 ||
		      memcmp(m->challenge, s->before, ATTEST_ID_BYTES) == 0);

	struct attest_msg *w = to_sub(v, from, key, ATTEST_WELCOME);

	memcpy(w->challenge, s->challenge, ATTEST_ID_BYTES);
	memcpy(w->nonce, m->nonce, ATTEST_ID_BYTES);
	if (!fresh) {
		if (!s->accepted)
			s->expires_ms = v->now_ms + SUBSCRIPTION_MS;
		return;
	}
	const char *why = bind_life(v, m);
	bool was = s->accepted;

	/* A node elsewhere is told of its peers here all the same. */
	s->accepted = true;
	s->from = from;
	s->key = key;
	s->expires_ms = v->now_ms + SUBSCRIPTION_MS;
	memcpy(s->nonce, m->nonce, ATTEST_ID_BYTES);
	w->accepted = true;
	if (why)
		snprintf(w->why, sizeof(w->why), "%s", why);
	if (!was)
		note(v, why ? VIRTD_NOTE_REFUSED : VIRTD_NOTE_SUBSCRIBED, m->cluster, m->name,
		     "node %u: %s", m->nodeid, why ? why : "subscribed, its life is known");
}

void attest_heard(struct virtd_core *v, const struct virtd_event *ev)
{
	const struct attest_msg *m = ev->attest.msg;

	if (m->type == ATTEST_HELLO) {
		on_hello(v, ev->attest.from, ev->attest.key, m);
		return;
	}
	if (m->type != ATTEST_ACK || memcmp(m->instance, v->attest.instance, ATTEST_ID_BYTES) != 0)
		return;
	for (unsigned i = 0; i < SUBS_MAX; i++) {
		struct subscriber *s = &v->attest.sub[i];

		if (!s->used || s->from != ev->attest.from ||
		    memcmp(s->nonce, m->nonce, ATTEST_ID_BYTES) != 0)
			continue;
		for (unsigned k = 0; k < STATEMENTS_MAX; k++) {
			uint64_t bit = UINT64_C(1) << k;

			if (v->attest.st[k].seq == m->seq && (s->pending & bit)) {
				s->pending &= ~bit;
				v->count.acked++;
			}
		}
	}
}

static void state(struct virtd_core *v, struct life *l)
{
	unsigned k = v->attest.next, told = 0;
	struct statement *st = &v->attest.st[k];

	if (!l->was.bound) {
		note(v, VIRTD_NOTE_NOT_OVER, "", l->name,
		     "it is off; no node of a cluster had named its kernel life");
		return;
	}
	v->attest.next = (k + 1) % STATEMENTS_MAX;
	memset(st, 0, sizeof(*st));
	st->seq = ++v->attest.seq;
	st->heard_ms = l->since_ms;
	st->next_ms = v->now_ms;
	st->until_ms = v->now_ms + STATEMENT_MS;
	memcpy(st->cluster, l->was.cluster, sizeof(st->cluster));
	st->msg.type = ATTEST_STATEMENT;
	st->msg.seq = st->seq;
	about(&st->msg, l);
	for (unsigned i = 0; i < SUBS_MAX; i++) {
		struct subscriber *s = &v->attest.sub[i];

		s->pending &= ~(UINT64_C(1) << k);
		if (concerns(s, l)) {
			s->pending |= UINT64_C(1) << k;
			told++;
		}
	}
	v->count.statements++;
	note(v, VIRTD_NOTE_OVER, st->cluster, l->name,
	     "node %u %s, verified off after %llu ms; told to %u nodes", l->was.nodeid,
	     attest_end_name(l->end), (unsigned long long)(v->now_ms - l->since_ms), told);
}

static void settled(struct virtd_core *v, struct life *l)
{
	state(v, l);
	l->end = ATTEST_END_NONE;
	l->job = 0;
	if (l->run == l->was.run)
		unbind(l);
}

int attest_job(struct virtd_core *v, const struct virtd_event *ev)
{
	struct life *l = NULL;

	for (unsigned i = 0; i < v->attest.top && !l; i++)
		if (v->attest.life[i].used && v->attest.life[i].job == ev->job.job)
			l = &v->attest.life[i];
	if (!l || l->end == ATTEST_END_NONE)
		return -ENOENT;
	l->job = 0;
	/* destroyed: read back at once */
	bool destroyed = l->destroy && l->tries % 2 == 1 && ev->job.done == VIRTD_DONE;

	l->next_ms = v->now_ms + (destroyed ? 0 : l->tries < 20 ? 20 : 500);
	if (ev->job.done != VIRTD_DONE)
		return 0;
	const struct virtd_guest *g = &ev->job.guest;

	switch (g->power) {
	case VIRTD_POWER_OFF:
	case VIRTD_POWER_ABSENT:
		l->on = false;
		l->id = -1;
		settled(v, l);
		break;
	case VIRTD_POWER_ON:
		/* another run of the guest: the one that was meant is over */
		if (g->run >= 0 && l->was.id >= 0 && g->run != l->was.id) {
			settled(v, l);
			break;
		}
		l->destroy = l->destroy || g->crashed;
		if (l->end == ATTEST_CRASHED && !g->crashed) {
			/* reset or continued by somebody before we could: it lives */
			l->end = ATTEST_END_NONE;
			note(v, VIRTD_NOTE_NOT_OVER, "", l->name,
			     "it was started again before it was destroyed");
		}
		break;
	case VIRTD_POWER_UNKNOWN: break;
	}
	return 0;
}

static void plan_life(struct virtd_core *v, struct life *l)
{
	if (l->job && v->now_ms < l->job_deadline_ms) {
		want(v, l->job_deadline_ms);
		return;
	}
	if (v->now_ms - l->since_ms > DEATH_MS) {
		note(v, VIRTD_NOTE_NOT_OVER, "", l->name, "it could not be verified off in time");
		l->end = ATTEST_END_NONE;
		l->job = 0;
		return;
	}
	if (v->now_ms < l->next_ms) {
		want(v, l->next_ms);
		return;
	}
	/* Destroy, read back, in turns. */
	enum virtd_job kind = l->destroy && l->tries % 2 == 0 ? VIRTD_JOB_DESTROY_CRASHED
							      : VIRTD_JOB_STATE;

	l->tries++;
	l->job = job_start(v, NOBODY, l->uri, kind, l->uuid, DEATH_JOB_MS);
	l->job_deadline_ms = v->now_ms + DEATH_JOB_MS;
	want(v, l->job_deadline_ms);
}

static void plan_statement(struct virtd_core *v, unsigned k)
{
	struct statement *st = &v->attest.st[k];
	uint64_t bit = UINT64_C(1) << k;
	bool waiting = false;

	for (unsigned i = 0; i < SUBS_MAX; i++)
		waiting = waiting || (v->attest.sub[i].used && (v->attest.sub[i].pending & bit));
	if (!waiting || v->now_ms >= st->until_ms) {
		for (unsigned i = 0; i < SUBS_MAX; i++)
			v->attest.sub[i].pending &= ~bit;
		st->seq = 0;
		return;
	}
	if (v->now_ms < st->next_ms) {
		want(v, st->next_ms);
		return;
	}
	for (unsigned i = 0; i < SUBS_MAX; i++) {
		struct subscriber *s = &v->attest.sub[i];

		if (!s->used || !(s->pending & bit))
			continue;
		if (!room(v)) {
			want(v, v->now_ms);
			return;
		}
		struct attest_msg *m = to_sub(v, s->from, s->key, ATTEST_STATEMENT);
		uint8_t instance[ATTEST_ID_BYTES];

		memcpy(instance, m->instance, sizeof(instance));
		*m = st->msg;
		memcpy(m->instance, instance, sizeof(instance));
		memcpy(m->nonce, s->nonce, ATTEST_ID_BYTES);
		m->age_ms = (uint32_t)(v->now_ms - st->heard_ms);
	}
	uint64_t pause = (uint64_t)REPEAT_MIN_MS << (st->sent < 5 ? st->sent : 5);

	st->sent++;
	st->next_ms = v->now_ms + (pause < REPEAT_MAX_MS ? pause : REPEAT_MAX_MS);
	want(v, st->next_ms);
}

void attest_plan(struct virtd_core *v)
{
	for (unsigned i = 0; i < v->attest.top; i++)
		if (v->attest.life[i].used && v->attest.life[i].end != ATTEST_END_NONE) {
			if (!room(v)) {
				want(v, v->now_ms);
				return;
			}
			plan_life(v, &v->attest.life[i]);
		}
	for (unsigned i = 0; i < SUBS_MAX; i++) {
		struct subscriber *s = &v->attest.sub[i];

		if (s->used && s->expires_ms <= v->now_ms)
			memset(s, 0, sizeof(*s));
		else if (s->used)
			want(v, s->expires_ms);
	}
	for (unsigned k = 0; k < STATEMENTS_MAX; k++)
		if (v->attest.st[k].seq)
			plan_statement(v, k);
}
