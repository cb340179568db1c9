/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "word.h"

#include "lib/wire.h"

#include <assert.h>
#include <fcntl.h>
#include <nettle/hmac.h>
#include <nettle/memops.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SECRET_MAX 4096 /* corosync's own limit */

static_assert(WORD_KEY_BYTES == SHA256_DIGEST_SIZE && EPOCH_SEAL_BYTES == SHA256_DIGEST_SIZE,
	      "HMAC-SHA256");

static void mac(const void *key, size_t key_len, const void *data, size_t len, uint8_t ret[32])
{
	struct hmac_sha256_ctx c;

	hmac_sha256_set_key(&c, key_len, key);
	hmac_sha256_update(&c, len, data);
	hmac_sha256_digest(&c, SHA256_DIGEST_SIZE, ret);
}

void word_key_derive(struct word_key *k, const void *secret, size_t len)
{
	static const char what[] = "stockade heartbeat v1";

	k->have = len > 0;
	if (k->have)
		mac(secret, len, what, sizeof(what) - 1, k->bytes);
}

void word_key_read(struct word_key *k)
{
	const char *path = getenv("STOCKADE_AUTHKEY");
	uint8_t secret[SECRET_MAX];
	int fd = open(path ? path : WORD_KEY_FILE, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd >= 0 ? read(fd, secret, sizeof(secret)) : -1;

	memset(k, 0, sizeof(*k));
	if (n > 0)
		word_key_derive(k, secret, (size_t)n);
	explicit_bzero(secret, sizeof(secret));
	if (fd >= 0)
		close(fd);
}

static void seal(const struct word_key *k, const char *cluster, const char *volume,
		 const struct epoch_beat *beat, uint8_t ret[EPOCH_SEAL_BYTES])
{
	uint8_t buf[256];
	struct wire_w w;
	size_t len = 0;

	wire_w_init(&w, buf, sizeof(buf));
	wire_w_str(&w, cluster);
	wire_w_str(&w, volume);
	wire_w_u32(&w, beat->life.nodeid);
	wire_w_bytes(&w, beat->life.boot_id, BOOT_ID_BYTES);
	wire_w_u64(&w, beat->life.join);
	wire_w_u64(&w, beat->epoch);
	wire_w_u64(&w, beat->counter);
	wire_w_u32(&w, beat->armed_ms);
	assert(wire_w_done(&w, &len) == 0); /* two names of at most 63 bytes, and 56 more */
	mac(k->bytes, WORD_KEY_BYTES, buf, len, ret);
}

void word_seal(const struct word_key *k, const char *cluster, const char *volume,
	       struct epoch_beat *beat)
{
	memset(beat->seal, 0, sizeof(beat->seal));
	if (k->have)
		seal(k, cluster, volume, beat, beat->seal);
}

bool word_sealed(const struct word_key *k, const char *cluster, const char *volume,
		 const struct epoch_beat *beat)
{
	uint8_t want[EPOCH_SEAL_BYTES];

	if (!k->have)
		return false;
	seal(k, cluster, volume, beat, want);
	return memeql_sec(want, beat->seal, sizeof(want)) != 0;
}
