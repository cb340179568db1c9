/* SPDX-License-Identifier: GPL-3.0-or-later */
/* fence_agents/virtd/core/virtd.h - the hypervisor's fence daemon as a pure state machine.
 *
 * Takes datagrams, connections and libvirt's answers, gives bytes to send and work to do. No I/O, no clock, no log, no
 * allocation after virtd_new(). Many requests are in hand at once; each waits for its own peer and its own libvirt calls, and
 * each wait has an end. Wire: ref fencing.md 1; fence_agents/virt/wire.h.
 *
 *   VIRTD-1  nothing is done that the map does not permit                                   operation.c
 *   VIRTD-2  "off" is said of a guest only after libvirt was asked and said so; a hypervisor that does not answer, a
 *            guest that is nowhere, migrated away or saved is unknown: the failure byte (SAFE-3)
 *   VIRTD-3  one signed request is carried out once, however often it is heard                replay.c
 *   VIRTD-4  a statement about a guest is made only after it was read back as off, and names the life that was
 *            registered from inside of that very run of the guest (SAFE-11)                  attest.c
 */
#ifndef STOCKADE_VIRTD_CORE_VIRTD_H
#define STOCKADE_VIRTD_CORE_VIRTD_H

#include "conf.h"

#include "fence_agents/virt/echo.h"
#include "lib/attest.h"

#define VIRTD_KEY_MAX 4096
#define VIRTD_KEYS_MAX 2
#define VIRTD_SESSIONS_MAX 1024
#define VIRTD_SESSIONS_OF_ONE 256 /* of one source address */
#define VIRTD_GUESTS_MAX 1024
#define VIRTD_ACTIONS_MAX 64
#define VIRTD_TEXT_MAX 192
#define VIRTD_DIGEST_BYTES 16
#define VIRTD_CONN_ACCEPTED \
	(UINT64_C(1) << 63) /* set in connection numbers that the shell gives out */

struct virtd_core; /* opaque outside core/ */

enum virtd_power {
	VIRTD_POWER_UNKNOWN = 0,
	VIRTD_POWER_ON, /* it has a process: running, paused, crashed and kept */
	VIRTD_POWER_OFF,
	VIRTD_POWER_ABSENT, /* this libvirt has no such guest */
};

struct virtd_guest { /* as one libvirt told it just now */
	char name[VIRTD_WORD_MAX], uuid[37];
	enum virtd_power power;
	uint8_t state; /* virDomainState's number, for lists */
	int32_t run;   /* libvirt's id of this run; -1: it does not run */
	bool crashed;  /* its kernel paniced, the process was kept */
	bool saved;    /* off, but an image would resume its very life: power is unknown */
	bool kept; /* absent: a transient guest that was destroyed here just now, and can be made again */
	char text[VIRTD_TEXT_MAX]; /* power unknown: why */
};

enum virtd_job {
	VIRTD_JOB_STATE = 1,
	VIRTD_JOB_DESTROY,
	VIRTD_JOB_CREATE,
	VIRTD_JOB_LIST,            /* a VIRTD_EV_GUEST each, then the end */
	VIRTD_JOB_DESTROY_CRASHED, /* only if it is still crashed */
};

enum virtd_done {
	VIRTD_DONE = 0,
	VIRTD_FAILED, /* libvirt refused */
	VIRTD_DOWN,   /* libvirt did not answer */
};

/* What became of a guest, from libvirt's events. */
enum virtd_life {
	VIRTD_LIFE_STARTED = 1,
	VIRTD_LIFE_CRASHED, /* paniced; the process is kept, its processors stand */
	VIRTD_LIFE_ENDED,   /* `end` says how */
	VIRTD_LIFE_MOVED,   /* migrated away, or saved: the same life goes on elsewhere, or later */
	VIRTD_LIFE_UNDEFINED,
};

struct virtd_event {
	enum virtd_event_type {
		VIRTD_EV_KEYS = 1,  /* of one listener; replaces them */
		VIRTD_EV_CONF,      /* read anew: the map and our own settings; listeners stay */
		VIRTD_EV_DATAGRAM,  /* to a multicast listener, or an echo to any port of ours */
		VIRTD_EV_ACCEPT,    /* a peer connected to a tcp, vsock or serial listener */
		VIRTD_EV_CONNECTED, /* answers VIRTD_ACT_CONNECT */
		VIRTD_EV_DATA,
		VIRTD_EV_CLOSED,  /* by the peer, or broken; not answered to VIRTD_ACT_CLOSE */
		VIRTD_EV_GUEST,   /* a line of a list */
		VIRTD_EV_JOB,     /* answers a VIRTD_ACT_JOB */
		VIRTD_EV_URI,     /* a libvirt came or went */
		VIRTD_EV_LIFE,    /* something happened to a guest */
		VIRTD_EV_ATTEST,  /* a HELLO or ACK whose seal was right */
		VIRTD_EV_SEEN,    /* at start: a request that was carried out in an earlier life */
		VIRTD_EV_TIMEOUT, /* virtd_deadline_ms() was reached */
	} type;
	uint64_t now_ms;
	union {
		struct {
			unsigned listener;
			unsigned n;
			struct virtd_key {
				size_t len;
				const uint8_t *bytes; /* borrowed for the call */
			} key[VIRTD_KEYS_MAX];
		} keys;
		const struct virtd_conf *conf; /* borrowed for the call */
		struct {
			unsigned listener;
			const char *source; /* address, text; borrowed */
			const void *data;   /* borrowed */
			size_t len;
			const struct echo_view
				*view; /* what the shell knows of its way; borrowed; may be NULL */
		} datagram;
		struct {
			uint64_t conn; /* has VIRTD_CONN_ACCEPTED */
			unsigned listener;
			const char *who; /* address, CID or uuid; borrowed */
		} accept;
		struct {
			uint64_t conn;
			bool ok;
			int err; /* why not; 0: not known */
		} connected;
		struct {
			uint64_t conn;
			const void *data; /* borrowed */
			size_t len;
		} data;
		uint64_t closed;
		struct {
			uint64_t job;
			unsigned uri;
			struct virtd_guest guest;
		} guest;
		struct {
			uint64_t job;
			enum virtd_done done;
			struct virtd_guest guest; /* STATE only */
			const char *text;         /* borrowed: what libvirt said */
		} job;
		struct {
			unsigned uri;
			bool up;
		} uri;
		struct {
			unsigned uri;
			enum virtd_life life;
			enum attest_end end;
			struct virtd_guest guest; /* name, uuid; run when it is known, else -1 */
		} life;
		struct {
			uint64_t from; /* which address: the shell's number for it */
			unsigned key;  /* 0 or 1: which key sealed it */
			const struct attest_msg *msg;
		} attest;
		uint8_t seen[VIRTD_DIGEST_BYTES];
	};
};

enum virtd_fact {
	VIRTD_NOTE_DROP = 1, /* a request that is not answered; text: why */
	VIRTD_NOTE_BROKEN,   /* a transaction that did not come to its end */
	VIRTD_NOTE_SUBSCRIBED,
	VIRTD_NOTE_REFUSED,  /* a HELLO */
	VIRTD_NOTE_CRASHED,  /* a guest paniced */
	VIRTD_NOTE_OVER,     /* a guest is verified off; text says whom it was attested to */
	VIRTD_NOTE_NOT_OVER, /* a guest ended, and no statement can be made; text: why */
};

struct virtd_action {
	enum virtd_action_type {
		VIRTD_ACT_CONNECT = 1,
		VIRTD_ACT_SEND,
		VIRTD_ACT_CLOSE, /* when all is sent */
		VIRTD_ACT_JOB,
		VIRTD_ACT_AUDIT, /* who asked for what, and what came of it: one line for ever */
		VIRTD_ACT_NOTE,
		VIRTD_ACT_ATTEST, /* send a sealed message */
		VIRTD_ACT_KEEP,   /* remember over a restart that this request was carried out */
		VIRTD_ACT_REPLY,  /* to whom the datagram of this very event came from */
	} type;
	union {
		struct {
			uint64_t conn;
			bool ipv6;
			uint8_t addr[16];
			uint16_t port;
		} connect;
		struct {
			uint64_t conn;
			const void *data; /* the core's, good until the next step */
			size_t len;
		} send;
		uint64_t close;
		struct {
			uint64_t job;
			unsigned uri;
			enum virtd_job kind;
			char guest[VIRTD_WORD_MAX]; /* uuid or name */
			bool keep; /* DESTROY: what a transient guest was, for a CREATE soon after it */
			uint32_t timeout_ms;
		} job;
		struct {
			struct virtd_caller caller;
			unsigned listener;
			uint8_t op;
			char target[VIRTD_WORD_MAX]; /* as sent */
			char name[VIRTD_WORD_MAX], uuid[37];
			uint8_t result;
			bool old_map; /* permitted because there is no map */
			unsigned key; /* 1: the second key */
			uint32_t took_ms;
			char text[VIRTD_TEXT_MAX];
		} audit;
		struct {
			enum virtd_fact note;
			char who[VIRTD_WORD_MAX];
			char guest[VIRTD_WORD_MAX];
			char text[VIRTD_TEXT_MAX];
		} note;
		struct {
			uint64_t to;
			unsigned key;
			struct attest_msg msg;
		} attest;
		uint8_t keep[VIRTD_DIGEST_BYTES];
		uint8_t reply[ECHO_BYTES];
	};
};

struct virtd_actions { /* caller's storage; every step overwrites it */
	unsigned n;
	struct virtd_action v[VIRTD_ACTIONS_MAX];
};

struct virtd_setup {
	const struct virtd_conf *conf; /* copied */
	void (*random)(void *arg, void *buf,
		       size_t len); /* challenges; the one thing that is no event */
	void *arg;
	const char *host; /* name of this machine, for echoes; borrowed for good; may be NULL */
};

struct virtd_status {
	unsigned sessions, jobs, subscribers, guests;
	bool uri_up[VIRTD_URIS_MAX], uri_seen[VIRTD_URIS_MAX];
	uint64_t requests, answered, denied, dropped, replayed, limited, broken, statements, acked,
		echoes;
};

struct virtd_core *virtd_new(const struct virtd_setup *setup); /* NULL: errno */
struct virtd_core *virtd_free(struct virtd_core *v);

/**
 * virtd_step() - feed one event, get the actions it causes, in the order to do them.
 * Return: 0; -ENOENT: the event is about something that is over (its connection is closed by now); -EINVAL
 */
int virtd_step(struct virtd_core *v, const struct virtd_event *ev, struct virtd_actions *out);
uint64_t virtd_deadline_ms(const struct virtd_core *v); /* UINT64_MAX: nothing to wait for */
void virtd_status(const struct virtd_core *v, struct virtd_status *ret);

const char *virtd_op_name(uint8_t op); /* "reboot"; "?" */

#endif
