// SPDX-License-Identifier: GPL-3.0-or-later
#include "wire.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

#include <nettle/hmac.h>
#include <nettle/memops.h>
#include <nettle/sha1.h>
#include <nettle/sha2.h>

enum request_offset {
	AT_DOMAIN = 4,
	AT_ADDRESS = 68,
	AT_PORT = 96,
	AT_RANDOM = 98,
	AT_SEQNO = 104,
	AT_FAMILY = 108,
	AT_DIGEST = 112,
};

enum { DOMAIN_BYTES = 64, SERIAL_AT_DOMAIN = 6, SERIAL_AT_SEQNO = 70, VERDICT_AT_MAC = 32 };

static const uint8_t serial_magic[4] = { 'a', 'b', 'b', 'a' };
static const uint8_t verdict_magic[4] = { 'S', 'K', 'V', '1' };
static const char verdict_label[] = "stockade-verdict-1";

static const char *const hash_names[] = { "none", "sha1", "sha256", "sha512" };

const char *virt_hash_name(uint8_t hash)
{
	return hash < sizeof(hash_names) / sizeof(*hash_names) ? hash_names[hash] : NULL;
}

int virt_hash_parse(const char *name, uint8_t *ret)
{
	for (uint8_t i = 0; i < sizeof(hash_names) / sizeof(*hash_names); i++)
		if (strcasecmp(hash_names[i], name) == 0) {
			*ret = i;
			return 0;
		}
	return -EINVAL;
}

const char *virt_why_text(uint8_t why)
{
	static const char *const text[] = {
#define X(name, text) text,
		VIRT_WHY_LIST(X)
#undef X
	};

	return why < sizeof(text) / sizeof(*text) ? text[why] : text[VIRT_WHY_OTHER];
}

static uint32_t get32(const uint8_t *p)
{
	return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static void put32(uint8_t *p, uint32_t v)
{
	for (int i = 0; i < 4; i++)
		p[i] = (uint8_t)(v >> 8 * i);
}

/* Key before data, as the stock programs have it; the rest of @out is zero. */
static int keyed_digest(uint8_t hash, const uint8_t *key, size_t key_len, const uint8_t *data,
			size_t len, uint8_t out[VIRT_DIGEST_BYTES])
{
	union {
		struct sha1_ctx sha1;
		struct sha256_ctx sha256;
		struct sha512_ctx sha512;
	} ctx;

	memset(out, 0, VIRT_DIGEST_BYTES);
	if (key_len == 0)
		return -EINVAL;
	switch (hash) {
	case VIRT_HASH_SHA1:
		sha1_init(&ctx.sha1);
		sha1_update(&ctx.sha1, key_len, key);
		sha1_update(&ctx.sha1, len, data);
		sha1_digest(&ctx.sha1, SHA1_DIGEST_SIZE, out);
		return 0;
	case VIRT_HASH_SHA256:
		sha256_init(&ctx.sha256);
		sha256_update(&ctx.sha256, key_len, key);
		sha256_update(&ctx.sha256, len, data);
		sha256_digest(&ctx.sha256, SHA256_DIGEST_SIZE, out);
		return 0;
	case VIRT_HASH_SHA512:
		sha512_init(&ctx.sha512);
		sha512_update(&ctx.sha512, key_len, key);
		sha512_update(&ctx.sha512, len, data);
		sha512_digest(&ctx.sha512, SHA512_DIGEST_SIZE, out);
		return 0;
	default: return -EINVAL;
	}
}

bool virt_equal(const void *a, const void *b, size_t len)
{
	return memeql_sec(a, b, len) != 0;
}

int virt_request_decode(struct virt_request *q, const void *data, size_t len)
{
	const uint8_t *p = data;

	if (len != VIRT_REQUEST_BYTES)
		return -EBADMSG;
	memset(q, 0, sizeof(*q));
	q->request = p[0];
	q->hash = p[1];
	q->addrlen = p[2];
	q->flags = p[3];
	memcpy(q->domain, p + AT_DOMAIN, DOMAIN_BYTES);
	memcpy(q->address, p + AT_ADDRESS, sizeof(q->address));
	q->port = (uint16_t)(p[AT_PORT] | p[AT_PORT + 1] << 8);
	memcpy(q->random, p + AT_RANDOM, sizeof(q->random));
	q->seqno = get32(p + AT_SEQNO);
	q->family = get32(p + AT_FAMILY);
	memcpy(q->digest, p + AT_DIGEST, sizeof(q->digest));
	return 0;
}

int virt_request_encode(uint8_t out[VIRT_REQUEST_BYTES], const struct virt_request *q,
			const uint8_t *key, size_t key_len)
{
	uint8_t digest[VIRT_DIGEST_BYTES];

	memset(out, 0, VIRT_REQUEST_BYTES);
	out[0] = q->request;
	out[1] = q->hash;
	out[2] = q->addrlen;
	out[3] = q->flags;
	memcpy(out + AT_DOMAIN, q->domain, strnlen(q->domain, VIRT_DOMAIN_MAX));
	memcpy(out + AT_ADDRESS, q->address, sizeof(q->address));
	out[AT_PORT] = (uint8_t)q->port;
	out[AT_PORT + 1] = (uint8_t)(q->port >> 8);
	if (q->hash != VIRT_HASH_NONE)
		memcpy(out + AT_RANDOM, q->random, sizeof(q->random));
	put32(out + AT_SEQNO, q->seqno);
	put32(out + AT_FAMILY, q->family);
	if (q->hash == VIRT_HASH_NONE)
		return 0;
	int r = keyed_digest(q->hash, key, key_len, out, VIRT_REQUEST_BYTES, digest);

	if (r == 0)
		memcpy(out + AT_DIGEST, digest, sizeof(digest));
	return r;
}

bool virt_request_verify(const void *data, size_t len, const uint8_t *key, size_t key_len)
{
	uint8_t packet[VIRT_REQUEST_BYTES], want[VIRT_DIGEST_BYTES];

	if (len != VIRT_REQUEST_BYTES)
		return false;
	memcpy(packet, data, sizeof(packet));
	memset(packet + AT_DIGEST, 0, VIRT_DIGEST_BYTES);
	return keyed_digest(packet[1], key, key_len, packet, sizeof(packet), want) == 0 &&
	       virt_equal(want, (const uint8_t *)data + AT_DIGEST, sizeof(want));
}

int virt_response(uint8_t hash, const uint8_t *key, size_t key_len,
		  const uint8_t challenge[VIRT_CHALLENGE_BYTES], uint8_t out[VIRT_CHALLENGE_BYTES])
{
	return keyed_digest(hash, key, key_len, challenge, VIRT_CHALLENGE_BYTES, out);
}

void virt_host_encode(uint8_t out[VIRT_HOST_BYTES], const char *name, const char *uuid,
		      uint8_t state)
{
	memset(out, 0, VIRT_HOST_BYTES);
	memcpy(out, name, strnlen(name, 63));
	memcpy(out + 64, uuid, strnlen(uuid, 63));
	out[128] = state;
}

bool virt_host_decode(struct virt_host *h, const uint8_t in[VIRT_HOST_BYTES])
{
	memset(h, 0, sizeof(*h));
	memcpy(h->name, in, strnlen((const char *)in, 63));
	memcpy(h->uuid, in + 64, strnlen((const char *)in + 64, 63));
	h->state = in[128];
	return h->name[0] || h->uuid[0];
}

enum virt_power virt_host_power(uint8_t state)
{
	switch (state) {              /* numbers of virDomainState */
	case 1:                       /* running */
	case 2:                       /* blocked */
	case 3:                       /* paused */
	case 4:                       /* being shut down */
	case 6:                       /* crashed, and kept */
	case 7: return VIRT_POWER_ON; /* suspended by the guest */
	case 5: return VIRT_POWER_OFF;
	default: return VIRT_POWER_UNKNOWN;
	}
}

/* HMAC over what both sides have seen of this very talk. */
static int verdict_mac(const uint8_t *text, const struct virt_seal *seal, uint8_t out[32])
{
	struct hmac_sha256_ctx ctx;

	if (seal->key_len == 0)
		return -EINVAL;
	hmac_sha256_set_key(&ctx, seal->key_len, seal->key);
	hmac_sha256_update(&ctx, sizeof(verdict_label) - 1, (const uint8_t *)verdict_label);
	hmac_sha256_update(&ctx, VIRT_REQUEST_BYTES, seal->request);
	hmac_sha256_update(&ctx, VIRT_CHALLENGE_BYTES, seal->challenge_1);
	hmac_sha256_update(&ctx, VIRT_CHALLENGE_BYTES, seal->challenge_2);
	hmac_sha256_update(&ctx, VERDICT_AT_MAC, text);
	hmac_sha256_digest(&ctx, SHA256_DIGEST_SIZE, out);
	return 0;
}

int virt_verdict_encode(uint8_t out[VIRT_VERDICT_BYTES], const struct virt_verdict *v,
			const struct virt_seal *seal)
{
	memset(out, 0, VIRT_VERDICT_BYTES);
	memcpy(out, verdict_magic, sizeof(verdict_magic));
	out[4] = v->result;
	out[5] = v->power;
	out[6] = v->why;
	memcpy(out + 8, v->uuid, sizeof(v->uuid));
	put32(out + 24, v->took_ms);
	return seal->key ? verdict_mac(out, seal, out + VERDICT_AT_MAC) : 0;
}

int virt_verdict_decode(struct virt_verdict *v, const uint8_t in[VIRT_VERDICT_BYTES],
			const struct virt_seal *seal)
{
	uint8_t want[32] = { 0 };

	if (memcmp(in, verdict_magic, sizeof(verdict_magic)) != 0)
		return -EBADMSG;
	if (seal->key && verdict_mac(in, seal, want) < 0)
		return -EKEYREJECTED;
	if (!virt_equal(want, in + VERDICT_AT_MAC, sizeof(want)))
		return -EKEYREJECTED;
	if (in[5] > VIRT_POWER_OFF)
		return -EBADMSG;
	*v = (struct virt_verdict){
		.result = in[4], .power = in[5], .why = in[6], .took_ms = get32(in + 24)
	};
	memcpy(v->uuid, in + 8, sizeof(v->uuid));
	return 0;
}

int virt_serial_decode(struct virt_serial_request *q, const void *data, size_t len)
{
	const uint8_t *p = data;

	if (len != VIRT_SERIAL_BYTES || memcmp(p, serial_magic, sizeof(serial_magic)) != 0)
		return -EBADMSG;
	memset(q, 0, sizeof(*q));
	q->request = p[4];
	q->flags = p[5];
	memcpy(q->domain, p + SERIAL_AT_DOMAIN, DOMAIN_BYTES);
	q->seqno = get32(p + SERIAL_AT_SEQNO);
	return 0;
}

void virt_serial_encode(uint8_t out[VIRT_SERIAL_BYTES], const struct virt_serial_request *q)
{
	memset(out, 0, VIRT_SERIAL_BYTES);
	memcpy(out, serial_magic, sizeof(serial_magic));
	out[4] = q->request;
	out[5] = q->flags;
	memcpy(out + SERIAL_AT_DOMAIN, q->domain, strnlen(q->domain, VIRT_DOMAIN_MAX));
	put32(out + SERIAL_AT_SEQNO, q->seqno);
}

void virt_serial_response(uint8_t out[VIRT_SERIAL_RESPONSE_BYTES], uint8_t result)
{
	memcpy(out, serial_magic, sizeof(serial_magic));
	out[4] = result;
}

int virt_serial_result(const uint8_t in[VIRT_SERIAL_RESPONSE_BYTES], uint8_t *ret)
{
	if (memcmp(in, serial_magic, sizeof(serial_magic)) != 0)
		return -EBADMSG;
	*ret = in[4];
	return 0;
}
