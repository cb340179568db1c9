/* SPDX-License-Identifier: GPL-3.0-or-later */
/* fence_agents/doctor/core/diagnose.h - from what was seen on the way to a fence device to the hop that drops, and the remedy.
 *
 * Pure: facts in, sentences out. A fact that was not looked for is UNKNOWN (zero), and never counts for anything; what no
 * rule recognises is DOCTOR_UNTOLD, which is `unknown`, never ok (SAFE-3). Rules are a table in the order of certainty: a word
 * of the device goes before a conclusion from silence (diagnose.c). Nothing here decides about fencing: the words are for people.
 */
#ifndef STOCKADE_DOCTOR_CORE_DIAGNOSE_H
#define STOCKADE_DOCTOR_CORE_DIAGNOSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DOCTOR_TEXT_MAX 400
#define DOCTOR_SEEN_MAX 10
#define DOCTOR_REMEDY_MAX 3
#define DOCTOR_WORD_MAX 64

enum doctor_kind {
	DOCTOR_OTHER = 0, /* an agent that we know nothing about */
	DOCTOR_XVM,       /* fence_xvm, fence_virt: multicast and its call-back */
	DOCTOR_XVM_TCP,   /* the same by ip= */
	DOCTOR_IPMI,
	DOCTOR_SCSI,
	DOCTOR_WATCHDOG,
};

enum doctor_tri { DOCTOR_UNKNOWN = 0, DOCTOR_YES, DOCTOR_NO };

/* What became of the agent's own question for the state; nobody is fenced by it. */
enum doctor_run {
	DOCTOR_RUN_NOT = 0, /* not made */
	DOCTOR_RUN_ON,
	DOCTOR_RUN_OFF,
	DOCTOR_RUN_FAILED, /* exit 1, or any other code; `said` tells */
	DOCTOR_RUN_TIMEOUT,
	DOCTOR_RUN_MISSING, /* there is no such program */
};

/* The agent's sentence, recognised (doctor_said()). Only words, so only for people (SAFE-9). */
enum doctor_said {
	DOCTOR_SAID_OTHER = 0,
	DOCTOR_SAID_NO_ANSWER,
	DOCTOR_SAID_SECRET, /* key or password file */
	/* hypervisor */
	DOCTOR_SAID_NO_ADDRESS,
	DOCTOR_SAID_KEY,
	DOCTOR_SAID_DENIED,
	DOCTOR_SAID_GUEST,
	DOCTOR_SAID_LIBVIRT,
	DOCTOR_SAID_RATE,
	DOCTOR_SAID_STUCK,
	DOCTOR_SAID_FAILED, /* the stock daemon's failure byte: no such guest, or libvirt refused */
	/* BMC */
	DOCTOR_SAID_USER,
	DOCTOR_SAID_PASSWORD,
	DOCTOR_SAID_KG,
	DOCTOR_SAID_CIPHER,
	DOCTOR_SAID_PRIVILEGE,
	DOCTOR_SAID_BUSY,
	DOCTOR_SAID_OLD, /* no IPMI 2.0 */
	DOCTOR_SAID_STATE,
	DOCTOR_SAID_NAME,
	/* disks */
	DOCTOR_SAID_NO_PR,
	DOCTOR_SAID_FORGETS,
	DOCTOR_SAID_NO_ABORT,
	DOCTOR_SAID_DISK, /* not there */
	DOCTOR_SAID_PATH,
	DOCTOR_SAID_CUT,
	DOCTOR_SAID_COROSYNC,
	DOCTOR_SAID_PLUG, /* no such plug, node or outlet */
};

enum doctor_icmp {
	DOCTOR_ICMP_NONE = 0,
	DOCTOR_ICMP_PORT,       /* nobody listens */
	DOCTOR_ICMP_HOST,       /* no such neighbour */
	DOCTOR_ICMP_NET,        /* a router has no route */
	DOCTOR_ICMP_PROHIBITED, /* a firewall that says so */
};

enum doctor_send {
	DOCTOR_SEND_UNKNOWN = 0,
	DOCTOR_SEND_OK,
	DOCTOR_SEND_FORBIDDEN, /* EPERM: this node's own firewall, on the way out */
	DOCTOR_SEND_NO_ROUTE,  /* ENETUNREACH, EHOSTUNREACH at once */
};

/* A probe, as our own stockade-virtd answers it (fence_agents/virt/probe.h); the stock daemon never does. */
enum doctor_echo { DOCTOR_ECHO_UNTRIED = 0, DOCTOR_ECHO_SILENT, DOCTOR_ECHO_GOOD, DOCTOR_ECHO_KEY };

/* How a TCP connection to the peer went: the daemon of ip=. */
enum doctor_connect {
	DOCTOR_CONNECT_UNTRIED = 0,
	DOCTOR_CONNECT_OPEN,
	DOCTOR_CONNECT_REFUSED,
	DOCTOR_CONNECT_SILENT,
};

struct doctor_bridge {
	char name[16]; /* "": there is none on the way, or it was not looked */
	enum doctor_tri snoops, queries;
};

/* IGMP or MLD queries, as somebody heard them who listened for them. */
struct doctor_query {
	enum doctor_tri heard;
	uint32_t age_s, watched_s; /* the last was so long ago; so long somebody listened */
	uint32_t interval_s;       /* how often the querier asks, by its own word; 0: not told */
};

struct doctor_facts {
	enum doctor_kind kind;
	/* what it is about; for the sentences */
	char self[DOCTOR_WORD_MAX], node[DOCTOR_WORD_MAX], device[DOCTOR_WORD_MAX],
		plug[DOCTOR_WORD_MAX];
	char agent[DOCTOR_WORD_MAX], path[160], words[240];
	char group[DOCTOR_WORD_MAX], secret[160], disks[160];
	char key[24]; /* fingerprint of the key, which is no secret; "": none, or not read */
	uint16_t port;

	enum doctor_run run;
	enum doctor_said said;
	bool member; /* the node that the plug is of is known to run: "off" would be another machine's plug */

	/* network: this node's side */
	enum doctor_tri address; /* has an address of the family on an interface that is up */
	enum doctor_send send;
	char iface[16], from[DOCTOR_WORD_MAX]; /* by which it goes out */
	char peer[DOCTOR_WORD_MAX];            /* hypervisor or BMC; "": not known */
	bool peer_guessed;                     /* it is the gateway: nobody named it */
	enum doctor_tri route;                 /* to the peer */
	enum doctor_tri alive;                 /* it answers pings, or as a neighbour */
	enum doctor_icmp icmp;                 /* came back for what was sent to the peer */
	char icmp_from[DOCTOR_WORD_MAX];
	enum doctor_tri
		heard_only_wire; /* its answer came to the interface, and no socket got it */
	enum doctor_tri rmcp;    /* a BMC's answer to a question without login */
	enum doctor_connect tcp;
	bool port_taken; /* another program has the TCP port of the call-back */

	/* hypervisor */
	enum doctor_tri ours; /* its daemon is known to be stockade-virtd, which answers probes */
	enum doctor_echo to_group, to_peer;
	struct doctor_bridge bridge; /* on this machine */
	struct doctor_query query;   /* heard here */
	enum doctor_tri syn;         /* a call-back's first packet came to an interface */
	enum doctor_tri
		syn_ack; /* this kernel's answer to it went out: no firewall of ours had it */
	char syn_from[DOCTOR_WORD_MAX], syn_iface[16];
	enum doctor_tri back_same_iface; /* the answer to it leaves by the interface it came by */
	char back_iface[16];

	/* hypervisor, its own words in its echo */
	bool told;
	char told_joined[16];              /* the interface its group is joined on; "": all */
	char told_heard[16];               /* the interface that the probe came by */
	char told_source[DOCTOR_WORD_MAX]; /* the address that it saw the probe come from */
	enum doctor_tri told_same_source;
	struct doctor_bridge told_bridge;
	struct doctor_query told_query;
	int told_back; /* errno of its last call-back to us; 0: it came through; -1: none */
	char told_back_words[DOCTOR_WORD_MAX]; /* that errno, in words */
	enum doctor_tri told_libvirt;          /* all its libvirts answer */

	/* watchdog */
	enum doctor_tri dog_there, dog_armed, dog_long_enough, dog_soft;
	uint32_t dog_want_s, dog_max_s;
};

enum doctor_result { DOCTOR_UNKNOWN_RESULT = 0, DOCTOR_PASS, DOCTOR_WARN, DOCTOR_FAIL };

/* name, result, hop */
#define DOCTOR_CAUSES(X)                                                   \
	X(UNTOLD, "untold", UNKNOWN_RESULT, "unknown")                     \
	X(NOT_MADE, "not-checked", UNKNOWN_RESULT, "agent")                \
	X(OK, "ok", PASS, "none")                                          \
	X(SNOOPING_SOON, "igmp-snooping-soon", WARN, "bridge")             \
	X(PORT_TAKEN, "port-taken", WARN, "this node")                     \
	X(DOG_SOFT, "watchdog-soft", WARN, "watchdog")                     \
	X(AGENT_MISSING, "agent-missing", FAIL, "this node")               \
	X(SECRET, "secret", FAIL, "this node")                             \
	X(OTHER_PLUG, "plug-of-another", FAIL, "device")                   \
	X(NO_ADDRESS, "no-address", FAIL, "this node")                     \
	X(FIREWALL_OUT, "firewall-out", FAIL, "this node")                 \
	X(NO_ROUTE, "no-route", FAIL, "route")                             \
	X(NO_HOST, "no-host", FAIL, "network")                             \
	X(WRONG_INTERFACE, "wrong-interface", FAIL, "hypervisor")          \
	X(WRONG_WAY_BACK, "wrong-interface-back", FAIL, "this node")       \
	X(NAT, "address-changed", FAIL, "network")                         \
	X(SNOOPING, "igmp-snooping", FAIL, "bridge")                       \
	X(MULTICAST_LOST, "multicast-lost", FAIL, "network")               \
	X(NO_DAEMON, "no-daemon", FAIL, "hypervisor")                      \
	X(FIREWALL_UDP, "firewall-udp", FAIL, "network")                   \
	X(FIREWALL_TCP, "firewall-tcp", FAIL, "network")                   \
	X(FIREWALL_OR_KEY, "firewall-or-key", FAIL, "network or key")      \
	X(SILENT, "no-answer", FAIL, "network or key")                     \
	X(KEY, "wrong-key", FAIL, "key")                                   \
	X(FIREWALL_BACK_HERE, "firewall-tcp-back-here", FAIL, "this node") \
	X(FIREWALL_BACK, "firewall-tcp-back", FAIL, "network")             \
	X(DENIED, "not-mapped", FAIL, "hypervisor's map")                  \
	X(GUEST, "guest-unknown", FAIL, "hypervisor")                      \
	X(LIBVIRT, "libvirt-down", FAIL, "libvirt")                        \
	X(RATE, "rate-limit", FAIL, "hypervisor")                          \
	X(STUCK, "daemon-stuck", FAIL, "hypervisor")                       \
	X(DAEMON_FAILED, "daemon-failed", FAIL, "hypervisor")              \
	X(FIREWALL_IN, "firewall-in", FAIL, "this node")                   \
	X(NO_RMCP, "no-rmcp", FAIL, "BMC")                                 \
	X(USER, "wrong-user", FAIL, "BMC login")                           \
	X(PASSWORD, "wrong-password", FAIL, "BMC login")                   \
	X(KG, "wrong-kg", FAIL, "BMC login")                               \
	X(CIPHER, "cipher-refused", FAIL, "BMC login")                     \
	X(PRIVILEGE, "privilege", FAIL, "BMC login")                       \
	X(BUSY, "bmc-busy", FAIL, "BMC")                                   \
	X(OLD_BMC, "no-ipmi2", FAIL, "BMC")                                \
	X(STATE, "state-unreadable", FAIL, "BMC")                          \
	X(NAME, "name", FAIL, "this node")                                 \
	X(NO_PR, "no-reservations", FAIL, "storage target")                \
	X(FORGETS, "forgets-registrations", FAIL, "storage target")        \
	X(NO_ABORT, "no-preempt-and-abort", FAIL, "storage target")        \
	X(DISK, "disk-missing", FAIL, "storage path")                      \
	X(PATH, "path-missing", FAIL, "storage path")                      \
	X(CUT, "this-node-is-cut", FAIL, "this node")                      \
	X(COROSYNC, "corosync-down", FAIL, "this node")                    \
	X(NO_PLUG, "no-such-plug", FAIL, "device")                         \
	X(AGENT_SAID, "agent-failed", FAIL, "device")                      \
	X(AGENT_TIMEOUT, "agent-timeout", FAIL, "device")                  \
	X(DOG_MISSING, "watchdog-missing", FAIL, "watchdog")               \
	X(DOG_SHORT, "watchdog-short", FAIL, "watchdog")                   \
	X(DOG_UNARMED, "watchdog-unarmed", FAIL, "watchdog")

enum doctor_cause {
#define X(id, name, result, hop) DOCTOR_##id,
	DOCTOR_CAUSES(X)
#undef X
		DOCTOR_CAUSES_N
};

struct doctor_diagnosis {
	enum doctor_cause cause;
	enum doctor_result result;
	const char *name, *hop;     /* "firewall-udp", "network" */
	char text[DOCTOR_TEXT_MAX]; /* one sentence */
	unsigned n_seen, n_remedy;
	char seen[DOCTOR_SEEN_MAX][DOCTOR_TEXT_MAX];
	char remedy[DOCTOR_REMEDY_MAX][DOCTOR_TEXT_MAX]; /* command lines, or one sentence */
};

/* Which sentence of an agent is it? @words: the last line that it printed; never fails. */
enum doctor_said doctor_said(enum doctor_kind kind, const char *words);

void doctor_diagnose(const struct doctor_facts *f, struct doctor_diagnosis *ret);

const char *doctor_cause_name(enum doctor_cause cause);
const char *doctor_result_name(enum doctor_result result); /* "unknown", "pass", "warn", "fail" */

#endif
