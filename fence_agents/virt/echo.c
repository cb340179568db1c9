// SPDX-License-Identifier: GPL-3.0-or-later
#include "echo.h"

#include "wire.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <nettle/hmac.h>

enum echo_offset {
	AT_TYPE = 4,
	AT_SLOT = 5, /* or why */
	AT_KEYS = 6,
	AT_ROLE = 7,
	AT_NONCE = 8,
	AT_OTHER_NONCE = 40,
	AT_HOST = 72,
	AT_VIEW = 136,
	AT_MAC = 144,
	MAC_BYTES = 32,
};

static_assert(ECHO_BYTES == VIRT_REQUEST_BYTES, "it goes where requests go");

static const uint8_t magic[4] = { 'S', 'K', 'E', '1' };

static void hmac(const uint8_t *key, size_t key_len, const void *data, size_t len,
		 uint8_t out[MAC_BYTES])
{
	struct hmac_sha256_ctx ctx;

	hmac_sha256_set_key(&ctx, key_len, key);
	hmac_sha256_update(&ctx, len, data);
	hmac_sha256_digest(&ctx, MAC_BYTES, out);
	explicit_bzero(&ctx, sizeof(ctx));
}

static int seal(const struct echo_key *key, const uint8_t text[AT_MAC], uint8_t out[MAC_BYTES])
{
	static const char label[] = "stockade key echo v1";
	uint8_t derived[MAC_BYTES];

	if (key->len == 0)
		return -EINVAL;
	hmac(key->bytes, key->len, label, sizeof(label) - 1, derived);
	hmac(derived, sizeof(derived), text, AT_MAC, out);
	explicit_bzero(derived, sizeof(derived));
	return 0;
}

static bool sealed_by(const struct echo_key *key, const uint8_t *bytes)
{
	uint8_t want[MAC_BYTES];

	return seal(key, bytes, want) == 0 && virt_equal(want, bytes + AT_MAC, sizeof(want));
}

static void begin(uint8_t out[ECHO_BYTES], enum echo_type type,
		  const uint8_t nonce[ECHO_NONCE_BYTES])
{
	memset(out, 0, ECHO_BYTES);
	memcpy(out, magic, sizeof(magic));
	out[AT_TYPE] = (uint8_t)type;
	memcpy(out + AT_NONCE, nonce, ECHO_NONCE_BYTES);
}

bool echo_is(const void *data, size_t len)
{
	return len == ECHO_BYTES && memcmp(data, magic, sizeof(magic)) == 0;
}

int echo_ask(uint8_t out[ECHO_BYTES], const struct echo_key *key,
	     const uint8_t nonce[ECHO_NONCE_BYTES])
{
	begin(out, ECHO_ASK, nonce);
	return seal(key, out, out + AT_MAC);
}

int echo_check(const void *ask, size_t len, const struct echo_key *key, unsigned n,
	       uint8_t ret_id[ECHO_ID_BYTES])
{
	const uint8_t *bytes = ask;

	if (!echo_is(ask, len) || bytes[AT_TYPE] != ECHO_ASK)
		return -EBADMSG;
	for (unsigned i = 0; i < n; i++)
		if (sealed_by(&key[i], bytes)) {
			memcpy(ret_id, bytes + AT_MAC, ECHO_ID_BYTES);
			return (int)i;
		}
	return -EKEYREJECTED;
}

/* Two bits each, from the lowest: group, snoops, queries, libvirt. */
static void put_view(uint8_t out[ECHO_BYTES], const struct echo_view *v)
{
	const char *const names[] = { v->source, v->heard, v->joined, v->bridge };
	uint8_t *at = out + AT_VIEW;
	size_t n = strnlen((char *)out + AT_HOST, ECHO_HOST_MAX) + 1;

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		size_t len = strlen(names[i]);

		if (n + len + 1 > AT_VIEW - AT_HOST)
			break;
		memcpy(out + AT_HOST + n, names[i], len);
		n += len + 1;
	}
	at[0] = 1;
	at[1] = (uint8_t)(v->group | v->snoops << 2 | v->queries << 4 | v->libvirt << 6);
	at[2] = v->back;
	at[3] = v->query_code;
	at[4] = (uint8_t)v->query_age_s;
	at[5] = (uint8_t)(v->query_age_s >> 8);
	at[6] = (uint8_t)v->watched_s;
	at[7] = (uint8_t)(v->watched_s >> 8);
}

int echo_answer(uint8_t out[ECHO_BYTES], const uint8_t ask[ECHO_BYTES], const struct echo_key *key,
		const struct echo_answer *a, const uint8_t nonce[ECHO_NONCE_BYTES])
{
	begin(out, ECHO_ANSWER, ask + AT_NONCE);
	out[AT_SLOT] = a->slot;
	out[AT_KEYS] = a->keys;
	out[AT_ROLE] = a->role;
	memcpy(out + AT_OTHER_NONCE, nonce, ECHO_NONCE_BYTES);
	memcpy(out + AT_HOST, a->host, strnlen(a->host, ECHO_HOST_MAX));
	if (a->view.there)
		put_view(out, &a->view);
	return seal(key, out, out + AT_MAC);
}

void echo_refuse(uint8_t out[ECHO_BYTES], const uint8_t ask[ECHO_BYTES], enum echo_why why)
{
	begin(out, ECHO_REFUSAL, ask + AT_NONCE);
	out[AT_SLOT] = (uint8_t)why;
}

static enum echo_verdict refused(uint8_t why)
{
	switch (why) {
	case ECHO_REPLAY: return ECHO_REPEATED;
	case ECHO_NO_KEY: return ECHO_KEYLESS;
	default: return ECHO_OTHER;
	}
}

/* What a terminal or a log may show of a name that came from afar. Return: behind it, @end at most. */
static const uint8_t *take_name(char *to, size_t size, const uint8_t *from, const uint8_t *end)
{
	size_t n = strnlen((const char *)from, (size_t)(end - from));

	memset(to, 0, size);
	for (size_t i = 0; i < n && i + 1 < size; i++)
		to[i] = from[i] > ' ' && from[i] < 0x7f ? (char)from[i] : '?';
	return n < (size_t)(end - from) ? from + n + 1 : end;
}

static enum echo_known known(uint8_t bits)
{
	return (bits & 3) == ECHO_YES ? ECHO_YES : (bits & 3) == ECHO_NO ? ECHO_NO : ECHO_UNKNOWN;
}

static void take_names(struct echo_answer *a, const uint8_t *bytes)
{
	const uint8_t *at = bytes + AT_HOST, *end = bytes + AT_VIEW, *flags = end;
	struct echo_view *v = &a->view;

	at = take_name(a->host, sizeof(a->host), at, end);
	v->there = flags[0] == 1;
	if (!v->there)
		return;
	at = take_name(v->source, sizeof(v->source), at, end);
	at = take_name(v->heard, sizeof(v->heard), at, end);
	at = take_name(v->joined, sizeof(v->joined), at, end);
	take_name(v->bridge, sizeof(v->bridge), at, end);
	v->group = known(flags[1]);
	v->snoops = known(flags[1] >> 2);
	v->queries = known(flags[1] >> 4);
	v->libvirt = known(flags[1] >> 6);
	v->back = flags[2];
	v->query_code = flags[3];
	v->query_age_s = (uint16_t)(flags[4] | flags[5] << 8);
	v->watched_s = (uint16_t)(flags[6] | flags[7] << 8);
}

enum echo_verdict echo_judge(const void *data, size_t len, const struct echo_key *key,
			     const uint8_t (*nonce)[ECHO_NONCE_BYTES], unsigned n,
			     struct echo_answer *ret)
{
	const uint8_t *bytes = data;
	bool ours = false;

	if (!echo_is(data, len))
		return ECHO_STRAY;
	for (unsigned i = 0; i < n; i++)
		ours |= memcmp(bytes + AT_NONCE, nonce[i], ECHO_NONCE_BYTES) == 0;
	if (bytes[AT_TYPE] == ECHO_REFUSAL)
		return ours ? refused(bytes[AT_SLOT]) : ECHO_STRAY;
	if (bytes[AT_TYPE] != ECHO_ANSWER)
		return ECHO_STRAY;
	if (!sealed_by(key, bytes))
		return ours ? ECHO_UNPROVEN : ECHO_STRAY;
	if (!ours)
		return ECHO_REPEATED;
	*ret = (struct echo_answer){ .slot = bytes[AT_SLOT],
				     .keys = bytes[AT_KEYS],
				     .role = bytes[AT_ROLE] };
	take_names(ret, bytes);
	return ECHO_SAME;
}

void echo_fingerprint(const struct echo_key *key, char out[ECHO_FINGERPRINT_TEXT])
{
	static const char label[] = "stockade key fingerprint v1";
	uint8_t mac[MAC_BYTES];

	hmac(key->bytes, key->len, label, sizeof(label) - 1, mac);
	snprintf(out, ECHO_FINGERPRINT_TEXT, "%02x%02x-%02x%02x-%02x%02x-%02x%02x", mac[0], mac[1],
		 mac[2], mac[3], mac[4], mac[5], mac[6], mac[7]);
}
