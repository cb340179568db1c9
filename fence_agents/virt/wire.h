/* SPDX-License-Identifier: GPL-3.0-or-later */
/* fence_agents/virt/wire.h - the bytes between fence_xvm and fence_virtd.
 *
 * Bytes of others: what the stock programs (4.x) send was read off the wire; offsets, digests and a capture of each are in
 * ref/fencing.md 1.2 to 1.12, and tests/unit/virt_wire.c holds us to them. Pure but for libnettle: no I/O, no clock.
 *
 *   request (UDP, tcp, vsock)  176 bytes, the digest over key and packet in its tail
 *   callback                   client: 64 random bytes; host: 64 bytes of digest over key and these, then 64 random bytes
 *                              of its own; client: its 64 bytes; host: the result byte, or 0xFD, host records, a zero record, a byte
 *   serial, channel            request 74 bytes, answer 5 bytes
 *
 * One thing is ours. The result byte of the stock programs is bound to nothing: who sits between can turn "failed" into "done", and
 * an answer to an earlier run can be taken for ours. So our client sets VIRT_FLAG_VERDICT in the request's flags, which the
 * stock daemon does not look at; our daemon then sends, after the result byte (not after lists, not on serial lines), a
 * verdict of 64 bytes: what was read back, why it failed, sealed with HMAC-SHA-256 over the request, both challenges and
 * itself. With auth none there is no seal (zeros), and the verdict is believed no more than the byte.
 *
 *	 0  4  "SKV1"            8  16  uuid of the guest, binary; zero: not known
 *	 4  1  the result byte  24   4  ms that the work took, little endian
 *	 5  1  enum virt_power  28   4  zero
 *	 6  1  enum virt_why    32  32  HMAC-SHA-256(key, "stockade-verdict-1" request challenge-1 challenge-2 bytes 0..31)
 *	 7  1  zero
 *
 * Decoders return 0, or -EBADMSG and leave their result untouched. Keys are borrowed; 1..VIRT_KEY_MAX bytes where one is used.
 */
#ifndef STOCKADE_FENCE_AGENTS_VIRT_WIRE_H
#define STOCKADE_FENCE_AGENTS_VIRT_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define VIRT_REQUEST_BYTES 176
#define VIRT_CHALLENGE_BYTES 64 /* and responses */
#define VIRT_DIGEST_BYTES 64    /* room for the longest; zero padded */
#define VIRT_HOST_BYTES 130
#define VIRT_SERIAL_BYTES 74
#define VIRT_SERIAL_RESPONSE_BYTES 5
#define VIRT_VERDICT_BYTES 64
#define VIRT_DOMAIN_MAX 63 /* bytes of a guest's name or uuid that a client may send */
#define VIRT_KEY_MAX 4096  /* the stock programs read no more of a key file */
#define VIRT_PORT 1229
#define VIRT_GROUP_IPV4 "225.0.0.12"
#define VIRT_GROUP_IPV6 "ff05::3:1"
#define VIRT_TTL 2
#define VIRT_KEY_FILE "/etc/cluster/fence_xvm.key"
#define VIRT_REPLAY_MS \
	10000 /* the stock daemon drops the same request, seqno and domain for so long */

enum virt_hash { /* of requests and of the callback's authentication alike */
		 VIRT_HASH_NONE = 0,
		 VIRT_HASH_SHA1,
		 VIRT_HASH_SHA256,
		 VIRT_HASH_SHA512,
};

enum virt_operation {
	VIRT_NULL = 0,
	VIRT_OFF,
	VIRT_REBOOT,
	VIRT_ON,
	VIRT_STATUS,
	VIRT_DEVSTATUS,
	VIRT_HOSTLIST,
};

enum virt_result {                   /* the byte; every other value is a failure */
		   VIRT_SUCCESS = 0, /* status: on */
		   VIRT_FAILURE = 1,
		   VIRT_IS_OFF =
			   2, /* status; the stock daemon says so, too, of a guest that it does not know */
		   VIRT_DENIED = 3,
		   VIRT_LIST_FOLLOWS = 253,
};

enum {
	VIRT_FLAG_UUID =
		1 << 0, /* the domain is a uuid; the stock daemon looks at the text instead */
	VIRT_FLAG_VERDICT = 1 << 7, /* ours: a verdict is welcome */
};

struct virt_request {
	uint8_t request, hash, addrlen, flags; /* addrlen 4 or 16; tcp, vsock: 0 */
	char domain[65];                       /* 64 bytes of the wire, then NUL */
	uint8_t address[16];                   /* network order; where the daemon calls back to */
	uint16_t port;
	uint8_t random[6];
	uint32_t seqno;
	uint32_t family; /* Linux' AF_INET 2, AF_INET6 10; tcp, vsock: 0 */
	uint8_t digest[VIRT_DIGEST_BYTES];
};

struct virt_serial_request {
	uint8_t request, flags;
	char domain[65];
	uint32_t seqno;
};

/* A line of a list. */
struct virt_host {
	char name[64], uuid[64];
	uint8_t state; /* virDomainState */
};

enum virt_power { VIRT_POWER_UNKNOWN = 0, VIRT_POWER_ON, VIRT_POWER_OFF };

#define VIRT_WHY_LIST(X)                                            \
	X(NONE, "done")                                             \
	X(UNKNOWN_GUEST, "no such guest there")                     \
	X(DENIED, "the map there does not permit it")               \
	X(DOWN, "libvirt does not answer there")                    \
	X(TIMEOUT, "it was not done in time")                       \
	X(AMBIGUOUS, "several guests have this name: use the uuid") \
	X(RATE, "too many requests: rate limit")                    \
	X(REFUSED, "libvirt refused")                               \
	X(OTHER, "see the daemon's log")

enum virt_why {
#define X(name, text) VIRT_WHY_##name,
	VIRT_WHY_LIST(X)
#undef X
};

struct virt_verdict {
	uint8_t result; /* enum virt_result */
	uint8_t power;  /* enum virt_power: read back after the work; UNKNOWN unless it was seen */
	uint8_t why;    /* enum virt_why, unknown ones as they came */
	uint8_t uuid[16];
	uint32_t took_ms;
};

/* "sha256"; NULL: no such hash. -EINVAL: no such name; any case. */
const char *virt_hash_name(uint8_t hash);
int virt_hash_parse(const char *name, uint8_t *ret);
const char *virt_why_text(uint8_t why); /* never NULL */

/* @len must be VIRT_REQUEST_BYTES exactly. The digest is not looked at. */
int virt_request_decode(struct virt_request *q, const void *data, size_t len);
/* Encode and sign as @q->hash says; @q->digest is not used. -EINVAL: no such hash, or one without a key. */
int virt_request_encode(uint8_t out[VIRT_REQUEST_BYTES], const struct virt_request *q,
			const uint8_t *key, size_t key_len);
/* Is the digest right? Constant time. False for hash none, an unknown hash and an empty key. */
bool virt_request_verify(const void *data, size_t len, const uint8_t *key, size_t key_len);

/* The answer to a challenge. -EINVAL: hash none or unknown, or no key. */
int virt_response(uint8_t hash, const uint8_t *key, size_t key_len,
		  const uint8_t challenge[VIRT_CHALLENGE_BYTES], uint8_t out[VIRT_CHALLENGE_BYTES]);
bool virt_equal(const void *a, const void *b, size_t len); /* constant time */

/* Names are cut to 63 bytes; every byte is written. */
void virt_host_encode(uint8_t out[VIRT_HOST_BYTES], const char *name, const char *uuid,
		      uint8_t state);
/* False: the record that ends a list. The stock daemon's last bytes of both texts are garbage: not taken. */
bool virt_host_decode(struct virt_host *h, const uint8_t in[VIRT_HOST_BYTES]);
/* Blocked, paused, suspended, crashed and kept are not off: the process is there. */
enum virt_power virt_host_power(uint8_t state);

/* @seal: request as it was on the wire, and the two challenges; key NULL: no seal. */
struct virt_seal {
	const uint8_t *key;
	size_t key_len;
	const uint8_t *request;     /* VIRT_REQUEST_BYTES */
	const uint8_t *challenge_1; /* the client's, VIRT_CHALLENGE_BYTES */
	const uint8_t *challenge_2; /* the host's */
};
int virt_verdict_encode(uint8_t out[VIRT_VERDICT_BYTES], const struct virt_verdict *v,
			const struct virt_seal *seal);
/* -EBADMSG: no verdict; -EKEYREJECTED: the seal is not right. */
int virt_verdict_decode(struct virt_verdict *v, const uint8_t in[VIRT_VERDICT_BYTES],
			const struct virt_seal *seal);

int virt_serial_decode(struct virt_serial_request *q, const void *data, size_t len);
void virt_serial_encode(uint8_t out[VIRT_SERIAL_BYTES], const struct virt_serial_request *q);
void virt_serial_response(uint8_t out[VIRT_SERIAL_RESPONSE_BYTES], uint8_t result);
/* -EBADMSG: the magic is not there; the caller goes on byte by byte. */
int virt_serial_result(const uint8_t in[VIRT_SERIAL_RESPONSE_BYTES], uint8_t *ret);

#endif
