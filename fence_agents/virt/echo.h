/* SPDX-License-Identifier: GPL-3.0-or-later */
/* fence_agents/virt/echo.h - do both sides hold the same fence_xvm key? Asked and answered without showing it.
 *
 * One datagram (or 176 bytes of a connection) each way, to where requests go: the multicast group or tcp port of
 * stockade-virtd, its port for statements, or, between nodes, standard input and output of `stockade key answer`.
 *
 *	  0  4  "SKE1"                              8  32  nonce of who asks
 *	  4  1  enum echo_type                     40  32  nonce of who answers; else zero
 *	  5  1  ANSWER: which of its keys it was    72  64  host name of who answers, then the names of its view, each
 *	       (0 the key file, 1 KEY.new);                 ended by a zero, as many as there is room; zero filled; else zero
 *	                                           136   8  the view's flags, call-back, IGMP query; zero: none
 *	       REFUSAL: enum echo_why              144  32  HMAC-SHA-256(echo key, bytes 0..143); REFUSAL: zero
 *	  6  1  ANSWER: how many keys it holds
 *	  7  1  ANSWER: enum echo_role
 *
 * Why it is safe to answer strangers, rule by rule:
 *  - it cannot be taken for a request: byte 1 of a request is the number of its hash, 0 to 3, and ours is 'K'. The stock
 *    daemon does not look at the length of a datagram and drops unknown hashes (ref/fencing.md 1.2); so does ours;
 *  - it signs nothing that fences: the echo key is HMAC-SHA-256(fence key, "stockade key echo v1"). The fence key itself signs only
 *    what it always signed, H(key || packet) and H(key || challenge), as with lib/shell/seal.h;
 *  - who does not hold the key gets nothing that depends on it: an ASK whose seal is wrong is answered by a REFUSAL, which
 *    has no seal. It is worth a message to a person, never a proof (SAFE-3);
 *  - an answer is no larger than its question, so it amplifies nothing;
 *  - it is fresh: the ANSWER holds the nonce of the ASK under its seal, and a repeated ASK is refused (ECHO_REPLAY). No clock is
 *    looked at (SAFE-8). Sent back to who asked, an ASK is no ANSWER: the type is under the seal.
 *
 * Pure but for libnettle. Keys are borrowed; 1..VIRT_KEY_MAX bytes, raw, as the stock programs take them.
 */
#ifndef STOCKADE_FENCE_AGENTS_VIRT_ECHO_H
#define STOCKADE_FENCE_AGENTS_VIRT_ECHO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ECHO_BYTES 176 /* as a request: it passes where requests pass */
#define ECHO_NONCE_BYTES 32
#define ECHO_HOST_MAX 63
#define ECHO_ID_BYTES 16         /* of an ASK, for the memory of who answers */
#define ECHO_FINGERPRINT_TEXT 20 /* "5f3a-91c0-77ab-02de" and NUL */

enum echo_type { ECHO_ASK = 1, ECHO_ANSWER, ECHO_REFUSAL };
enum echo_why { ECHO_OTHER_KEY = 1, ECHO_REPLAY, ECHO_NO_KEY };
enum echo_role { ECHO_VIRTD = 1, ECHO_FILE }; /* keys in use; the files alone */

enum echo_known { ECHO_UNKNOWN = 0, ECHO_YES, ECHO_NO };
#define ECHO_NAME_MAX 46 /* an address, too */
#define ECHO_NO_BACK 255
#define ECHO_NEVER 65535

/* How who answers sees the way between the two, for stockade doctor fence; under the seal as all else. */
struct echo_view {
	bool there;
	char source[ECHO_NAME_MAX]; /* the address that the question came from */
	char heard[16];             /* the interface that it came by */
	char joined[16];            /* the only interface on which the group is joined; "": all */
	char bridge[16];       /* that the interface is, or is a port of; "": none, or not known */
	enum echo_known group; /* it was sent to the group, not to the host */
	enum echo_known snoops, queries; /* the bridge: multicast_snooping, multicast_querier */
	enum echo_known libvirt;         /* every libvirt answers */
	uint8_t back; /* errno of the last call-back to that address, 0: it came through; ECHO_NO_BACK: none */
	uint8_t query_code;   /* how often its sender asks: QQIC, RFC 3376 4.1.7; 0: not told */
	uint16_t query_age_s; /* since an IGMP query was heard; ECHO_NEVER */
	uint16_t watched_s;   /* for so long one was listened for; 0: not at all */
};

struct echo_key {
	const uint8_t *bytes;
	size_t len;
};

struct echo_answer {
	uint8_t slot; /* 0: it was the key file, 1: KEY.new beside it */
	uint8_t keys; /* how many it holds: 2 while keys are being changed */
	uint8_t role; /* enum echo_role, unknown ones as they came */
	char host[ECHO_HOST_MAX + 1];
	struct echo_view view;
};

/* Is it ours, of whatever type? Everything else is for virt_request_decode(). */
bool echo_is(const void *data, size_t len);

/* @nonce: new for every ASK that is sent, also for a repetition. -EINVAL: an empty key. */
int echo_ask(uint8_t out[ECHO_BYTES], const struct echo_key *key,
	     const uint8_t nonce[ECHO_NONCE_BYTES]);

/**
 * echo_check() - who answers: is this an ASK under one of our keys? Constant time per key.
 * @ret_id: set on success: what to remember, so that a repetition can be refused
 * Return: which of @key it was, 0..@n - 1; -EBADMSG: no ASK, it is not answered; -EKEYREJECTED: refuse it
 */
int echo_check(const void *ask, size_t len, const struct echo_key *key, unsigned n,
	       uint8_t ret_id[ECHO_ID_BYTES]);

/* @ask: as echo_check() took it, under @key; @nonce: new. -EINVAL: an empty key. */
int echo_answer(uint8_t out[ECHO_BYTES], const uint8_t ask[ECHO_BYTES], const struct echo_key *key,
		const struct echo_answer *a, const uint8_t nonce[ECHO_NONCE_BYTES]);
void echo_refuse(uint8_t out[ECHO_BYTES], const uint8_t ask[ECHO_BYTES], enum echo_why why);

enum echo_verdict {
	ECHO_STRAY = 0, /* nothing of ours, or to somebody else: go on waiting */
	ECHO_SAME,      /* proven: it holds our key; @ret says as which */
	ECHO_OTHER,     /* it says, without proof, that it has another key */
	ECHO_KEYLESS,   /* it says so of having none */
	ECHO_REPEATED, /* under our key, but no answer to a question of ours: recorded earlier, or late */
	ECHO_UNPROVEN, /* to our question, but its seal is wrong: another key, or somebody between us */
};

/**
 * echo_judge() - who asked: what is this answer worth?
 * @nonce: [@n] of the questions that may still be answered
 * @ret:   set with ECHO_SAME
 */
enum echo_verdict echo_judge(const void *data, size_t len, const struct echo_key *key,
			     const uint8_t (*nonce)[ECHO_NONCE_BYTES], unsigned n,
			     struct echo_answer *ret);

/* Tells keys apart without telling them: 8 bytes of HMAC-SHA-256(key, "stockade key fingerprint v1"). */
void echo_fingerprint(const struct echo_key *key, char out[ECHO_FINGERPRINT_TEXT]);

#endif
