// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/bmc/rakp.h"

#include <assert.h>
#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <string.h>

#define RMCP_HEADER 4
#define SESSION_HEADER 12 /* authtype, payload type, session id, sequence, length */
#define SIGNED 0x40
#define ENCRYPTED 0x80
#define NEXT_HEADER 0x07

static const struct rakp_suite suites[] = {
	{ RAKP_SUITE_3, 1, 1, 1, "SHA1", 20, 12 },
	{ RAKP_SUITE_17, 3, 4, 1, "SHA256", 32, 16 },
};

const struct rakp_suite *rakp_suite(int id)
{
	for (size_t i = 0; i < sizeof(suites) / sizeof(suites[0]); i++)
		if ((int)suites[i].id == id)
			return &suites[i];
	return NULL;
}

const struct rakp_suite *rakp_suite_by_algorithms(uint8_t auth, uint8_t integrity,
						  uint8_t confidentiality)
{
	for (size_t i = 0; i < sizeof(suites) / sizeof(suites[0]); i++)
		if (suites[i].auth == auth && suites[i].integrity == integrity &&
		    suites[i].confidentiality == confidentiality)
			return &suites[i];
	return NULL;
}

uint16_t le16(const uint8_t *p)
{
	return (uint16_t)(p[0] | p[1] << 8);
}

uint32_t le32(const uint8_t *p)
{
	return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

void put_le16(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t)v;
	p[1] = (uint8_t)(v >> 8);
}

void put_le32(uint8_t *p, uint32_t v)
{
	put_le16(p, (uint16_t)v);
	put_le16(p + 2, (uint16_t)(v >> 16));
}

uint8_t ipmi_checksum(const uint8_t *p, size_t len)
{
	uint8_t sum = 0;

	for (size_t i = 0; i < len; i++)
		sum = (uint8_t)(sum + p[i]);
	return (uint8_t)-sum;
}

static void mac(const struct rakp_session *s, const void *key, size_t key_len, const uint8_t *data,
		size_t len, uint8_t out[RAKP_MAC_MAX])
{
	const EVP_MD *md = EVP_get_digestbyname(s->suite->digest);
	unsigned n = 0;

	memset(out, 0, RAKP_MAC_MAX);
	assert(md && HMAC(md, key, (int)key_len, data, len, out, &n) && n == s->suite->mac_bytes);
}

struct text { /* what is signed, put together piece by piece */
	uint8_t v[128];
	size_t len;
};

static void add(struct text *t, const void *p, size_t len)
{
	assert(t->len + len <= sizeof(t->v));
	memcpy(t->v + t->len, p, len);
	t->len += len;
}

static void add_user(struct text *t, const struct rakp_session *s)
{
	add(t, &s->role, 1);
	add(t, &s->name_len, 1);
	add(t, s->name, s->name_len);
}

void rakp2_mac(const struct rakp_session *s, const char *password, uint8_t out[RAKP_MAC_MAX])
{
	struct text t = { .len = 0 };

	add(&t, s->console_id, 4);
	add(&t, s->bmc_id, 4);
	add(&t, s->console_random, 16);
	add(&t, s->bmc_random, 16);
	add(&t, s->guid, 16);
	add_user(&t, s);
	mac(s, password, strlen(password), t.v, t.len, out);
}

void rakp3_mac(const struct rakp_session *s, const char *password, uint8_t out[RAKP_MAC_MAX])
{
	struct text t = { .len = 0 };

	add(&t, s->bmc_random, 16);
	add(&t, s->console_id, 4);
	add_user(&t, s);
	mac(s, password, strlen(password), t.v, t.len, out);
}

void rakp4_mac(const struct rakp_session *s, uint8_t out[RAKP_MAC_MAX])
{
	struct text t = { .len = 0 };

	add(&t, s->console_random, 16);
	add(&t, s->bmc_id, 4);
	add(&t, s->guid, 16);
	mac(s, s->sik, s->suite->mac_bytes, t.v, t.len, out);
}

void rakp_keys(struct rakp_session *s, const char *kg)
{
	uint8_t ones[20], twos[20];
	struct text t = { .len = 0 };

	add(&t, s->console_random, 16);
	add(&t, s->bmc_random, 16);
	add_user(&t, s);
	mac(s, kg, strlen(kg), t.v, t.len, s->sik);
	memset(ones, 1, sizeof(ones));
	memset(twos, 2, sizeof(twos));
	mac(s, s->sik, s->suite->mac_bytes, ones, sizeof(ones), s->k1);
	mac(s, s->sik, s->suite->mac_bytes, twos, sizeof(twos), s->k2);
}

static bool aes(bool encrypt, const uint8_t *key, const uint8_t *iv, const uint8_t *in, size_t len,
		uint8_t *out)
{
	EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
	int n = 0, tail = 0;

	bool ok = c && EVP_CipherInit_ex(c, EVP_aes_128_cbc(), NULL, key, iv, encrypt) &&
		  EVP_CIPHER_CTX_set_padding(c, 0) && EVP_CipherUpdate(c, out, &n, in, (int)len) &&
		  EVP_CipherFinal_ex(c, out + n, &tail) && (size_t)(n + tail) == len;
	EVP_CIPHER_CTX_free(c);
	return ok;
}

int rakp_open(const struct rakp_session *s, const uint8_t *packet, size_t len, uint8_t *ret_message)
{
	size_t tag = s->suite->tag_bytes;
	uint8_t want[RAKP_MAC_MAX];

	if (len < RMCP_HEADER + SESSION_HEADER + 32 + 2 + tag || len > RAKP_PACKET_MAX)
		return -EBADMSG;
	const uint8_t *head = packet + RMCP_HEADER;
	size_t payload = le16(head + 10);
	size_t covered = len - RMCP_HEADER - tag;

	if ((head[1] & (SIGNED | ENCRYPTED)) != (SIGNED | ENCRYPTED) || payload < 32 ||
	    payload % 16 != 0 || SESSION_HEADER + payload + 2 > covered ||
	    head[covered - 1] != NEXT_HEADER)
		return -EBADMSG;
	mac(s, s->k1, s->suite->mac_bytes, head, covered, want);
	if (CRYPTO_memcmp(want, packet + len - tag, tag) != 0)
		return -EBADMSG;
	const uint8_t *iv = head + SESSION_HEADER;
	size_t plain = payload - 16;

	if (!aes(false, s->k2, iv, iv + 16, plain, ret_message))
		return -EBADMSG;
	size_t pad = ret_message[plain - 1];

	if (pad + 1 > plain || pad > 15)
		return -EBADMSG;
	for (size_t i = 0; i < pad; i++)
		if (ret_message[plain - 1 - pad + i] != i + 1)
			return -EBADMSG;
	return (int)(plain - 1 - pad);
}

int rakp_seal(const struct rakp_session *s, const uint8_t to[4], uint32_t sequence,
	      const uint8_t iv[16], const uint8_t *message, size_t len, uint8_t *ret_packet)
{
	uint8_t plain[RAKP_PACKET_MAX], tag[RAKP_MAC_MAX];
	size_t pad = (16 - (len + 1) % 16) % 16, block = len + pad + 1;

	if (RMCP_HEADER + SESSION_HEADER + 16 + block + 6 + RAKP_MAC_MAX > RAKP_PACKET_MAX)
		return -EMSGSIZE;
	memcpy(plain, message, len);
	for (size_t i = 0; i < pad; i++)
		plain[len + i] = (uint8_t)(i + 1);
	plain[block - 1] = (uint8_t)pad;

	memcpy(ret_packet, (const uint8_t[]){ 6, 0, 0xff, 7, 6, SIGNED | ENCRYPTED }, 6);
	uint8_t *head = ret_packet + RMCP_HEADER;

	memcpy(head + 2, to, 4);
	put_le32(head + 6, sequence);
	put_le16(head + 10, (uint16_t)(16 + block));
	memcpy(head + SESSION_HEADER, iv, 16);
	bool done = aes(true, s->k2, iv, plain, block, head + SESSION_HEADER + 16);
	assert(done);
	size_t n = SESSION_HEADER + 16 + block, filler = 0;

	while ((n + filler + 2) % 4 != 0)
		head[n + filler++] = 0xff;
	head[n + filler] = (uint8_t)filler;
	head[n + filler + 1] = NEXT_HEADER;
	n += filler + 2;
	mac(s, s->k1, s->suite->mac_bytes, head, n, tag);
	memcpy(head + n, tag, s->suite->tag_bytes);
	return (int)(RMCP_HEADER + n + s->suite->tag_bytes);
}
