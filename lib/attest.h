/* SPDX-License-Identifier: GPL-3.0-or-later */
/* attest.h - what a hypervisor's daemon and the cluster's nodes say to each other about the death of guests.
 *
 *   node  HELLO      I am node N of cluster C, guest U, kernel life B; my nonce; your challenge, when I know it
 *   host  WELCOME    my instance, a challenge; accepted: your challenge was mine, and guest U runs here
 *   host  DYING      guest U, in which node N had kernel life B, has paniced, and I destroy it: prepare; this proves nothing
 *   host  STATEMENT  guest U, in which node N had kernel life B, is over and verified off; your nonce; sequence number
 *   node  ACK        I have it
 *
 * One UDP datagram each: this encoding (lib/wire.h), then 32 bytes HMAC-SHA256 of all before them, under a key derived from the
 * fence_xvm key (lib/shell/seal.h). A statement carries the nonce that the node gave in its last accepted HELLO, so an old one
 * is worth nothing to a later subscription; and it names a kernel life, which never comes back (SAFE-11).
 */
#ifndef STOCKADE_ATTEST_H
#define STOCKADE_ATTEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ATTEST_VERSION 1
#define ATTEST_PORT 1230
#define ATTEST_ID_BYTES 16
#define ATTEST_NAME_MAX 64
#define ATTEST_SEAL_BYTES 32
#define ATTEST_MSG_MAX 512 /* encoded, without the seal */

enum attest_type { ATTEST_HELLO = 1, ATTEST_WELCOME, ATTEST_STATEMENT, ATTEST_ACK, ATTEST_DYING };

/* How the guest's life ended. Wire value, name, words. */
#define ATTEST_ENDS(X)                                                             \
	X(CRASHED, 1, "crashed", "its kernel paniced and the guest was destroyed") \
	X(DESTROYED, 2, "destroyed", "the guest was destroyed")                    \
	X(SHUTDOWN, 3, "shutdown", "the guest shut itself down")                   \
	X(DIED, 4, "died", "the process that was the guest ended without being told")

enum attest_end {
	ATTEST_END_NONE = 0,
#define X(id, value, name, text) ATTEST_##id = value,
	ATTEST_ENDS(X)
#undef X
};

struct attest_msg {
	enum attest_type type;
	uint8_t instance[ATTEST_ID_BYTES];  /* the daemon's life; HELLO: zero when not known yet */
	uint8_t challenge[ATTEST_ID_BYTES]; /* HELLO, WELCOME */
	uint8_t nonce[ATTEST_ID_BYTES];     /* the node's */
	uint32_t nodeid; /* HELLO: the sender; STATEMENT: who is over; DYING: who will be */
	uint8_t boot_id[ATTEST_ID_BYTES]; /* HELLO, STATEMENT, DYING */
	char cluster[ATTEST_NAME_MAX];    /* HELLO */
	char name
		[ATTEST_NAME_MAX]; /* HELLO: the guest as the cluster's configuration names it; STATEMENT, DYING: as libvirt does */
	char uuid[ATTEST_NAME_MAX]; /* HELLO, STATEMENT, DYING: of the guest, text */
	bool accepted;              /* WELCOME */
	char why[ATTEST_NAME_MAX];  /* WELCOME that does not accept: why */
	uint64_t seq;               /* STATEMENT, ACK: grows in one instance; DYING: 0 */
	uint64_t run;        /* STATEMENT, DYING: which start of this guest, as the daemon counts */
	enum attest_end end; /* STATEMENT, DYING */
	uint32_t age_ms;     /* STATEMENT: since the daemon heard of it */
};

/* Return: bytes, or -ENOBUFS. */
int attest_encode(const struct attest_msg *m, void *buf, size_t len);
/* Return: 0, or -EBADMSG with @ret undefined: unknown version or type, cut short, a value that cannot be. */
int attest_decode(struct attest_msg *ret, const void *buf, size_t len);

const char *attest_end_name(enum attest_end end); /* "crashed"; "?" */
const char *attest_end_text(enum attest_end end);

#endif
