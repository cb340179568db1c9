/* SPDX-License-Identifier: GPL-3.0-or-later */
/* fence_agents/virtd/core/keys.c - the keys that are taken, and the echo that proves them (fence_agents/virt/echo.h).
 *
 * While keys are changed two are valid: the key file, and KEY.new beside it. A request that is in hand stays with the key it
 * was signed with, wherever that key is after a reload, so that a change breaks no talk: an "off" takes seconds, and its
 * verdict is sealed at its end. A key that is dropped is taken for no new request.
 */
#include "internal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define ECHO_PER_SECOND \
	50 /* of all askers together: who asks in another's name takes nothing but echoes from him */

static bool same(const struct keyring *a, unsigned i, const struct keyring *b, unsigned k)
{
	return a->len[i] == b->len[k] && a->len[i] > 0 &&
	       virt_equal(a->bytes[i], b->bytes[k], a->len[i]);
}

static void put(struct keyring *to, unsigned slot, const uint8_t *bytes, size_t len)
{
	to->len[slot] = len < VIRTD_KEY_MAX ? len : VIRTD_KEY_MAX;
	memcpy(to->bytes[slot], bytes, to->len[slot]);
}

/* Where the key of a session is after the change: valid still, or kept for it. KEYS_KEPT: no room, the session has no key. */
static unsigned moved(struct keyring *to, const struct keyring *from, unsigned key)
{
	unsigned i = 0;

	while (i < KEYS_KEPT && to->len[i] > 0 && !same(to, i, from, key))
		i++;
	if (i < KEYS_KEPT && to->len[i] == 0)
		put(to, i, from->bytes[key], from->len[key]);
	return i;
}

void keys_set(struct virtd_core *v, const struct virtd_event *ev)
{
	struct keyring *now = &v->keys[ev->keys.listener], *next = &v->keys_next;

	memset(next, 0, sizeof(*next));
	for (unsigned i = 0; i < ev->keys.n && i < VIRTD_KEYS_MAX; i++)
		if (ev->keys.key[i].len > 0) {
			put(next, next->n++, ev->keys.key[i].bytes, ev->keys.key[i].len);
			/* KEY.new that is KEY: one key, whoever asks how many there are */
			if (next->n == 2 && same(next, 0, next, 1)) {
				next->n = 1;
				next->len[1] = 0;
			}
		}
	for (unsigned i = 0; i < v->top; i++) {
		struct session *s = &v->session[i];

		if (s->stage == ST_FREE || s->stage == ST_REQUEST ||
		    s->listener != ev->keys.listener || s->key >= KEYS_KEPT ||
		    now->len[s->key] == 0)
			continue;
		s->key = moved(next, now, s->key);
	}
	*now = *next;
	memset(next, 0, sizeof(*next));
}

const uint8_t *keys_of(const struct virtd_core *v, const struct session *s, size_t *ret_len)
{
	const struct keyring *k = &v->keys[s->listener];

	*ret_len = s->key < KEYS_KEPT ? k->len[s->key] : 0;
	return *ret_len > 0 ? k->bytes[s->key] : NULL;
}

static bool echo_allowed(struct virtd_core *v)
{
	uint64_t full = ECHO_PER_SECOND * 1000;
	uint64_t more = (v->now_ms - v->echo_at_ms) * ECHO_PER_SECOND;

	v->echo_tokens = more > full || v->echo_tokens + more > full ? full : v->echo_tokens + more;
	v->echo_at_ms = v->now_ms;
	if (v->echo_tokens < 1000)
		return false;
	v->echo_tokens -= 1000;
	return true;
}

void back_note(struct virtd_core *v, const char *who, int err)
{
	unsigned i = 0;

	while (i < BACKS_MAX && strcmp(v->back[i].who, who) != 0)
		i++;
	if (i == BACKS_MAX)
		i = v->back_next++ % BACKS_MAX;
	copy_word(v->back[i].who, who);
	v->back[i].err = err >= 0 && err < ECHO_NO_BACK ? (uint8_t)err : EIO;
}

/* One that is under way for so long will not come through any more. */
#define SLOW_BACK_MS 1000

static uint8_t last_back(const struct virtd_core *v, const char *who)
{
	for (unsigned i = 0; i < v->top; i++)
		if (v->session[i].stage == ST_CONNECTING &&
		    strcmp(v->session[i].caller.who, who) == 0 &&
		    v->now_ms - v->session[i].began_ms >= SLOW_BACK_MS)
			return ETIMEDOUT;
	for (unsigned i = 0; i < BACKS_MAX; i++)
		if (strcmp(v->back[i].who, who) == 0)
			return v->back[i].err;
	return ECHO_NO_BACK;
}

static void put_view(const struct virtd_core *v, const char *who, const struct echo_view *of_shell,
		     struct echo_view *ret)
{
	*ret = *of_shell;
	ret->there = true;
	snprintf(ret->source, sizeof(ret->source), "%.45s", who);
	ret->back = last_back(v, who);
	ret->libvirt = ECHO_YES;
	for (unsigned u = 0; u < v->conf.n_uris; u++)
		if (!v->uri_up[u])
			ret->libvirt = ECHO_NO;
}

bool keys_echo(struct virtd_core *v, unsigned listener, const char *who, const uint8_t *ask,
	       const struct echo_view *view, uint8_t out[ECHO_BYTES])
{
	const struct keyring *ring = &v->keys[listener];
	struct echo_key key[VIRTD_KEYS_MAX];
	uint8_t id[ECHO_ID_BYTES], nonce[ECHO_NONCE_BYTES];

	for (unsigned i = 0; i < ring->n; i++)
		key[i] = (struct echo_key){ ring->bytes[i], ring->len[i] };
	if (!echo_allowed(v)) {
		v->count.limited++;
		return false;
	}
	int slot = echo_check(ask, ECHO_BYTES, key, ring->n, id);

	if (slot == -EBADMSG)
		return false;
	v->count.echoes++;
	if (slot < 0 || seen_has(&v->queries, id)) {
		enum echo_why why = ring->n == 0 ? ECHO_NO_KEY
				    : slot < 0   ? ECHO_OTHER_KEY
						 : ECHO_REPLAY;

		v->count.replayed += why == ECHO_REPLAY;
		note(v, VIRTD_NOTE_DROP, who, "",
		     why == ECHO_REPLAY ? "an echo that was asked before: a replay"
					: "an echo under another key");
		echo_refuse(out, ask, why);
		return true;
	}
	struct echo_answer a = { .slot = (uint8_t)slot,
				 .keys = (uint8_t)ring->n,
				 .role = ECHO_VIRTD };

	seen_add(&v->queries, id);
	if (view)
		put_view(v, who, view, &a.view);
	snprintf(a.host, sizeof(a.host), "%s", v->setup.host ? v->setup.host : "");
	v->setup.random(v->setup.arg, nonce, sizeof(nonce));
	return echo_answer(out, ask, &key[slot], &a, nonce) == 0;
}
