/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "seal.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

static int mac(const void *key, size_t key_len, const void *data, size_t len,
	       uint8_t ret[ATTEST_SEAL_BYTES])
{
	unsigned n = 0;

	return HMAC(EVP_sha256(), key, (int)key_len, data, len, ret, &n) && n == ATTEST_SEAL_BYTES
		       ? 0
		       : -EIO;
}

int seal_derive(const void *fence_key, size_t len, uint8_t ret_key[SEAL_KEY_BYTES])
{
	static const char what[] = "stockade attest v1";

	return len == 0 ? -EINVAL : mac(fence_key, len, what, sizeof(what) - 1, ret_key);
}

ssize_t seal_write(const uint8_t key[SEAL_KEY_BYTES], const struct attest_msg *m, void *buf,
		   size_t len)
{
	if (len < ATTEST_SEAL_BYTES)
		return -ENOBUFS;
	int n = attest_encode(m, buf, len - ATTEST_SEAL_BYTES);
	int r = n < 0 ? n : mac(key, SEAL_KEY_BYTES, buf, (size_t)n, (uint8_t *)buf + n);

	return r < 0 ? r : n + ATTEST_SEAL_BYTES;
}

int seal_read(const uint8_t (*key)[SEAL_KEY_BYTES], unsigned n, const void *buf, size_t len,
	      struct attest_msg *ret)
{
	uint8_t want[ATTEST_SEAL_BYTES];

	if (len <= ATTEST_SEAL_BYTES || len > SEAL_DATAGRAM_MAX)
		return -EBADMSG;
	size_t body = len - ATTEST_SEAL_BYTES;

	/* nothing of it is looked at before the seal is right */
	for (unsigned i = 0; i < n; i++)
		if (mac(key[i], SEAL_KEY_BYTES, buf, body, want) == 0 &&
		    CRYPTO_memcmp(want, (const uint8_t *)buf + body, ATTEST_SEAL_BYTES) == 0)
			return attest_decode(ret, buf, body) < 0 ? -EBADMSG : (int)i;
	return -EKEYREJECTED;
}

void seal_nonce(uint8_t ret[ATTEST_ID_BYTES])
{
	size_t n = 0;

	while (n < ATTEST_ID_BYTES) {
		ssize_t r = getrandom(ret + n, ATTEST_ID_BYTES - n, 0);

		if (r > 0)
			n += (size_t)r;
		else if (r < 0 && errno != EINTR)
			abort(); /* the kernel has no randomness: nothing may be proven with less */
	}
}
