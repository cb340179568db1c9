/* SPDX-License-Identifier: GPL-3.0-or-later */
/* seal.h - statements about the death of guests (lib/attest.h), sealed with a key derived from the fence_xvm key.
 *
 * HMAC-SHA256 under HMAC-SHA256(fence key, "stockade attest v1"): the fence key itself signs only what fence_xvm
 * and fence_virtd always signed with it, so bytes of one can never be taken for bytes of the other.
 */
#ifndef STOCKADE_SEAL_H
#define STOCKADE_SEAL_H

#include "../attest.h"

#include <sys/types.h>

#define SEAL_KEY_BYTES 32
#define SEAL_DATAGRAM_MAX (ATTEST_MSG_MAX + ATTEST_SEAL_BYTES)

int seal_derive(const void *fence_key, size_t len,
		uint8_t ret_key[SEAL_KEY_BYTES]); /* 0, -EINVAL, -EIO */

/* Return: bytes of the datagram in @buf, or -errno. */
ssize_t seal_write(const uint8_t key[SEAL_KEY_BYTES], const struct attest_msg *m, void *buf,
		   size_t len);

/* Which of the @n keys sealed it? Return: its index, -EBADMSG (no message of ours), -EKEYREJECTED (none of them). */
int seal_read(const uint8_t (*key)[SEAL_KEY_BYTES], unsigned n, const void *buf, size_t len,
	      struct attest_msg *ret);

/* 16 bytes that nobody can guess. */
void seal_nonce(uint8_t ret[ATTEST_ID_BYTES]);

#endif
