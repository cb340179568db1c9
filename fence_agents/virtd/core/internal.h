/* SPDX-License-Identifier: GPL-3.0-or-later */
/* fence_agents/virtd/core/internal.h - the inside of struct virtd_core; for this folder only.
 *
 *   virtd.c      step, sessions: from a datagram or connection to an authenticated request
 *   operation.c  what a request asks for, libvirt call by libvirt call, each wait with an end
 *   replay.c     requests that were carried out; who asks too often
 *   keys.c       the keys that are taken; the echo that proves them
 *   attest.c     lives of guests, subscribers, statements
 *   conf.c map.c the file
 */
#ifndef STOCKADE_VIRTD_CORE_INTERNAL_H
#define STOCKADE_VIRTD_CORE_INTERNAL_H

#include "virtd.h"

#include "fence_agents/virt/echo.h"
#include "fence_agents/virt/wire.h"

#define NOBODY UINT16_MAX

/* replay.c: a first-in first-out set of digests. */
#define SEEN_ACTS 16384
#define SEEN_QUERIES 32768
#define RATE_CALLERS 256

struct seen {
	unsigned cap, n, next; /* ring */
	uint8_t (*digest)[VIRTD_DIGEST_BYTES];
	uint32_t *chain;  /* by ring slot: next slot + 1 of the same bucket */
	uint32_t *bucket; /* cap of them: first slot + 1 */
};

struct rate { /* a bucket of tokens each for acts and queries, in thousandths */
	char who[VIRTD_WORD_MAX];
	uint64_t at_ms;
	uint64_t acts, queries;
};

/* Heard and carried out: the same again within 10 s is a retransmission (all listeners, unsigned requests too). */
#define RECENT_MAX 8192
#define RECENT_MS 10000
struct recent {
	uint64_t until_ms;
	uint64_t key;
};

struct list_entry {
	bool used;
	uint8_t uri;
	uint32_t stamp; /* of the list that named it */
	struct virtd_guest guest;
};

enum stage {
	ST_FREE = 0,
	ST_CONNECTING,
	ST_REQUEST,   /* tcp, vsock, serial: its bytes */
	ST_CHALLENGE, /* the client's 64 bytes */
	ST_RESPONSE,  /* the client's answer to ours */
	ST_WORK,
};

enum op_stage {
	OP_NONE = 0,
	OP_RESOLVE, /* ask every libvirt what it knows of the guest */
	OP_DESTROY,
	OP_GONE, /* read back until it is off */
	OP_CREATE,
	OP_UP, /* read back until it is on */
	OP_LIST,
};

struct session {
	enum stage stage;
	uint16_t slot;
	uint64_t conn;
	bool peer_gone;
	unsigned listener;
	struct virtd_caller caller;
	uint64_t deadline_ms, began_ms;
	unsigned key;
	struct virt_request req; /* the decoded request */
	bool digest_known;
	uint8_t digest[VIRTD_DIGEST_BYTES];
	uint64_t recent;
	uint8_t in[VIRT_REQUEST_BYTES];
	size_t in_len;
	uint8_t raw[VIRT_REQUEST_BYTES]; /* the request as it came: a verdict is sealed with it */
	uint8_t asked[VIRT_CHALLENGE_BYTES], challenge[VIRT_CHALLENGE_BYTES]; /* theirs, ours */

	/* the operation */
	enum op_stage op;
	uint64_t
		foreseen_ms; /* libvirt was asked before the talk was over (op_foresee()); 0: not */
	uint64_t op_deadline_ms; /* of the whole */
	uint64_t poll_at_ms;     /* next read-back; UINT64_MAX: jobs are out */
	uint64_t job_deadline_ms;
	uint64_t job[VIRTD_URIS_MAX]; /* 0: none is out */
	bool answered[VIRTD_URIS_MAX], target[VIRTD_URIS_MAX];
	enum virtd_done done[VIRTD_URIS_MAX];
	struct virtd_guest guest[VIRTD_URIS_MAX];
	int32_t run[VIRTD_URIS_MAX]; /* of the life to be ended */
	enum virt_power power;       /* last read back; UNKNOWN unless it was seen */
	uint32_t list_stamp;
	char name[VIRTD_WORD_MAX], uuid[37];
	char text[VIRTD_TEXT_MAX];
};

/* attest.c */
#define SUBS_MAX 64
#define STATEMENTS_MAX 64

struct life { /* one guest as this daemon has followed it */
	bool used;
	uint8_t uri;
	char name[VIRTD_WORD_MAX], uuid[37];
	uint64_t run; /* starts counted by us */
	int32_t id;   /* libvirt's, -1 not running */
	bool on;
	bool bound; /* a HELLO from inside named the kernel life */
	uint32_t nodeid;
	char cluster[ATTEST_NAME_MAX];
	uint8_t boot_id[ATTEST_ID_BYTES];
	/* a death in hand */
	enum attest_end end; /* NONE: none */
	struct
	{ /* what is to be stated, kept from the moment of the event: a new run may have begun since */
		bool bound;
		uint32_t nodeid;
		char cluster[ATTEST_NAME_MAX];
		uint8_t boot_id[ATTEST_ID_BYTES];
		uint64_t run;
		int32_t id;
	} was;
	bool destroy; /* crashed and kept: to be destroyed first */
	uint64_t since_ms, next_ms, job, job_deadline_ms;
	unsigned tries;
};

struct subscriber {
	bool used, accepted;
	char cluster[ATTEST_NAME_MAX];
	uint32_t nodeid;
	uint64_t from;
	unsigned key;
	uint8_t challenge[ATTEST_ID_BYTES], before[ATTEST_ID_BYTES];
	uint64_t challenge_ms; /* when it was made */
	uint8_t nonce[ATTEST_ID_BYTES];
	uint64_t expires_ms;
	uint64_t pending; /* bit per statement slot: not acknowledged */
};

struct statement {
	uint64_t seq, heard_ms, next_ms, until_ms;
	unsigned sent;
	char cluster[ATTEST_NAME_MAX];
	struct attest_msg msg;
};

struct attest {
	uint8_t instance[ATTEST_ID_BYTES];
	uint64_t seq;
	struct life *life; /* [VIRTD_GUESTS_MAX]; from top on none was used yet */
	unsigned top;
	struct subscriber sub[SUBS_MAX];
	struct statement st[STATEMENTS_MAX];
	unsigned next;
};

/* keys.c */
#define KEYS_KEPT (2 * VIRTD_KEYS_MAX)
struct keyring {
	unsigned n; /* valid: 0 the key file, 1 KEY.new; behind them those of requests in hand */
	size_t len[KEYS_KEPT]; /* 0: no key */
	uint8_t bytes[KEYS_KEPT][VIRTD_KEY_MAX];
};

/* How the last call-backs went, for the views of echoes. */
#define BACKS_MAX 64
struct back {
	char who[VIRTD_WORD_MAX];
	uint8_t err; /* 0: it came through */
};

struct virtd_core {
	struct virtd_setup setup;
	struct virtd_conf conf;
	struct keyring keys[VIRTD_LISTENERS_MAX], keys_next;
	uint64_t echo_tokens, echo_at_ms;
	struct back back[BACKS_MAX];
	unsigned back_next;
	struct session *session; /* [VIRTD_SESSIONS_MAX]; from top on all are free */
	unsigned top;
	struct list_entry *list; /* [VIRTD_GUESTS_MAX] */
	uint32_t list_stamp;
	struct seen acts, queries;
	struct recent *recent; /* [RECENT_MAX] */
	struct rate rate[RATE_CALLERS];
	struct attest attest;
	bool uri_up[VIRTD_URIS_MAX], uri_seen[VIRTD_URIS_MAX];
	uint64_t conns, jobs; /* numbers given out */
	struct virtd_status count;

	/* for the length of one step */
	uint64_t now_ms;
	struct virtd_actions *out;
	uint8_t *arena;
	size_t arena_used;
	uint64_t deadline_ms;
};

#define ARENA_BYTES (192 * 1024)

/* virtd.c */
struct virtd_action *act(struct virtd_core *v, enum virtd_action_type type);
bool room(const struct virtd_core *v); /* for what one session may cause in a step */
void want(struct virtd_core *v, uint64_t at_ms);
void note(struct virtd_core *v, enum virtd_fact n, const char *who, const char *guest,
	  const char *fmt, ...) __attribute__((format(printf, 5, 6)));
void copy_word(char to[VIRTD_WORD_MAX], const char *from);
void session_send(struct virtd_core *v, struct session *s, const void *data, size_t len);
void session_end(struct virtd_core *v, struct session *s);
uint64_t job_start(struct virtd_core *v, uint16_t owner, unsigned uri, enum virtd_job kind,
		   const char *guest, uint32_t timeout_ms);

/* operation.c */
void op_foresee(struct virtd_core *v, struct session *s);
void op_begin(struct virtd_core *v, struct session *s);
void op_guest(struct virtd_core *v, struct session *s, unsigned uri, const struct virtd_guest *g);
int op_job(struct virtd_core *v, struct session *s, const struct virtd_event *ev);
void op_plan(struct virtd_core *v, struct session *s);
bool op_acts(uint8_t op); /* it changes something */

/* replay.c */
int seen_new(struct seen *set, unsigned cap);
void seen_free(struct seen *set);
bool seen_has(const struct seen *set, const uint8_t digest[VIRTD_DIGEST_BYTES]);
void seen_add(struct seen *set, const uint8_t digest[VIRTD_DIGEST_BYTES]);
bool recent_has(const struct virtd_core *v, uint64_t key);
void recent_add(struct virtd_core *v, uint64_t key);
bool rate_take(struct virtd_core *v, const char *who, bool acts);
bool rate_has(struct virtd_core *v, const char *who, bool acts); /* takes nothing */

/* keys.c */
void keys_set(struct virtd_core *v, const struct virtd_event *ev);
/* The one that signed its request; NULL: none, and 0. */
const uint8_t *keys_of(const struct virtd_core *v, const struct session *s, size_t *ret_len);
/* What to answer to an echo; false: nothing. */
bool keys_echo(struct virtd_core *v, unsigned listener, const char *who, const uint8_t *ask,
	       const struct echo_view *view, uint8_t out[ECHO_BYTES]);
void back_note(struct virtd_core *v, const char *who, int err);

/* attest.c */
int attest_new(struct virtd_core *v);
void attest_free(struct virtd_core *v);
void attest_guest(struct virtd_core *v, unsigned uri, const struct virtd_guest *g);
void attest_life(struct virtd_core *v, const struct virtd_event *ev);
void attest_heard(struct virtd_core *v, const struct virtd_event *ev);
int attest_job(struct virtd_core *v, const struct virtd_event *ev);
void attest_plan(struct virtd_core *v);
unsigned attest_subscribers(const struct virtd_core *v);

#endif
