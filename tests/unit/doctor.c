/* SPDX-License-Identifier: GPL-3.0-or-later */
/* fence_agents/doctor/core: every cause is reached, from the facts that show it and from no fewer; what was not looked at counts
 * for nothing, and what no rule knows is unknown, never ok (SAFE-3). The sentences of our agents are those in their sources.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fence_agents/doctor/core/diagnose.h"

#define FACTS(...)                                                                     \
	{                                                                              \
		.self = "n1", .node = "n2", .device = "vm", .plug = "guest2",          \
		.agent = "fence_xvm", .group = "225.0.0.12", .port = 1229, __VA_ARGS__ \
	}
#define NO_ANSWER .run = DOCTOR_RUN_FAILED, .said = DOCTOR_SAID_NO_ANSWER
#define SAID(what) .run = DOCTOR_RUN_FAILED, .said = DOCTOR_SAID_##what
#define XVM .kind = DOCTOR_XVM
#define TCP .kind = DOCTOR_XVM_TCP
#define BMC .kind = DOCTOR_IPMI
#define DISK .kind = DOCTOR_SCSI
#define DOG .kind = DOCTOR_WATCHDOG
#define PEER .peer = "10.99.0.1"
#define THERE .to_group = DOCTOR_ECHO_GOOD
#define UNICAST .to_group = DOCTOR_ECHO_SILENT, .to_peer = DOCTOR_ECHO_GOOD, PEER
#define NEITHER .to_group = DOCTOR_ECHO_SILENT, .to_peer = DOCTOR_ECHO_SILENT, PEER

static const struct row {
	enum doctor_cause want;
	struct doctor_facts f;
} rows[] = {
	/* the agent */
	{ DOCTOR_OK, FACTS(XVM, .run = DOCTOR_RUN_ON) },
	{ DOCTOR_OK, FACTS(XVM, .run = DOCTOR_RUN_ON, .member = true) },
	{ DOCTOR_OK, FACTS(BMC, .run = DOCTOR_RUN_OFF) },
	{ DOCTOR_OTHER_PLUG, FACTS(BMC, .run = DOCTOR_RUN_OFF, .member = true) },
	{ DOCTOR_OK, FACTS(DISK, .run = DOCTOR_RUN_ON) },
	{ DOCTOR_AGENT_MISSING, FACTS(.run = DOCTOR_RUN_MISSING) },
	{ DOCTOR_NOT_MADE, FACTS(.run = DOCTOR_RUN_NOT) },
	{ DOCTOR_NOT_MADE, FACTS(XVM, THERE) },
	{ DOCTOR_SECRET, FACTS(SAID(SECRET)) },
	{ DOCTOR_AGENT_SAID, FACTS(SAID(OTHER), .words = "the rack is on fire") },
	{ DOCTOR_AGENT_TIMEOUT, FACTS(.run = DOCTOR_RUN_TIMEOUT) },
	{ DOCTOR_NO_PLUG, FACTS(SAID(PLUG)) },
	/* works, and may not for long */
	{ DOCTOR_SNOOPING_SOON,
	  FACTS(XVM, .run = DOCTOR_RUN_ON, .query = { DOCTOR_YES, 200, 900, 0 },
		.bridge = { "br0", DOCTOR_YES, DOCTOR_NO }) },
	{ DOCTOR_SNOOPING_SOON,
	  FACTS(XVM, .run = DOCTOR_RUN_ON, .told = true, .told_query = { DOCTOR_YES, 200, 900, 0 },
		.told_bridge = { "br0", DOCTOR_YES, DOCTOR_NO }) },
	/* by its sender's own interval */
	{ DOCTOR_SNOOPING_SOON,
	  FACTS(XVM, .run = DOCTOR_RUN_ON, .told = true, .told_query = { DOCTOR_YES, 8, 20, 2 },
		.told_bridge = { "br0", DOCTOR_YES, DOCTOR_NO }) },
	{ DOCTOR_OK, FACTS(XVM, .run = DOCTOR_RUN_ON, .query = { DOCTOR_YES, 200, 900, 240 },
			   .bridge = { "br0", DOCTOR_YES, DOCTOR_NO }) },
	{ DOCTOR_OK, FACTS(XVM, .run = DOCTOR_RUN_ON, .query = { DOCTOR_YES, 60, 900, 0 },
			   .bridge = { "br0", DOCTOR_YES, DOCTOR_NO }) },
	{ DOCTOR_OK, FACTS(XVM, .run = DOCTOR_RUN_ON, .query = { DOCTOR_NO, 0, 900, 0 },
			   .bridge = { "br0", DOCTOR_YES,
				       DOCTOR_NO }) }, /* bridges without any querier flood */
	{ DOCTOR_PORT_TAKEN, FACTS(XVM, .run = DOCTOR_RUN_ON, .port_taken = true) },
	/* the hypervisor's words */
	{ DOCTOR_KEY, FACTS(XVM, SAID(KEY), PEER) },
	{ DOCTOR_KEY, FACTS(XVM, NO_ANSWER, .to_group = DOCTOR_ECHO_KEY, PEER) },
	{ DOCTOR_KEY, FACTS(XVM, NO_ANSWER, .to_peer = DOCTOR_ECHO_KEY, PEER) },
	{ DOCTOR_DENIED, FACTS(XVM, SAID(DENIED), PEER, .from = "10.99.0.99") },
	{ DOCTOR_GUEST, FACTS(XVM, SAID(GUEST)) },
	{ DOCTOR_LIBVIRT, FACTS(XVM, SAID(LIBVIRT)) },
	{ DOCTOR_LIBVIRT, FACTS(XVM, SAID(GUEST), .told = true, .told_libvirt = DOCTOR_NO) },
	{ DOCTOR_RATE, FACTS(XVM, SAID(RATE)) },
	{ DOCTOR_STUCK, FACTS(XVM, SAID(STUCK)) },
	/* it answers probes meanwhile */
	{ DOCTOR_LIBVIRT, FACTS(XVM, SAID(STUCK), THERE, .told = true, PEER) },
	{ DOCTOR_DAEMON_FAILED, FACTS(XVM, SAID(FAILED)) },
	/* this node */
	{ DOCTOR_NO_ADDRESS, FACTS(XVM, NO_ANSWER, .address = DOCTOR_NO) },
	{ DOCTOR_NO_ADDRESS, FACTS(XVM, SAID(NO_ADDRESS), .address = DOCTOR_YES) },
	{ DOCTOR_FIREWALL_OUT, FACTS(XVM, NO_ANSWER, .send = DOCTOR_SEND_FORBIDDEN) },
	{ DOCTOR_FIREWALL_OUT, FACTS(BMC, NO_ANSWER, .send = DOCTOR_SEND_FORBIDDEN) },
	/* the way back */
	{ DOCTOR_WRONG_WAY_BACK,
	  FACTS(XVM, NO_ANSWER, THERE, .syn = DOCTOR_YES, .back_same_iface = DOCTOR_NO,
		.syn_from = "10.99.0.1", .syn_iface = "eth0", .back_iface = "eth1") },
	{ DOCTOR_FIREWALL_BACK_HERE,
	  FACTS(XVM, NO_ANSWER, THERE, .syn = DOCTOR_YES, .syn_ack = DOCTOR_NO,
		.back_same_iface = DOCTOR_YES, .syn_from = "10.99.0.1", .syn_iface = "eth0") },
	{ DOCTOR_FIREWALL_BACK_HERE,
	  FACTS(XVM, NO_ANSWER, .syn = DOCTOR_YES) }, /* the stock daemon */
	{ DOCTOR_FIREWALL_BACK, FACTS(XVM, NO_ANSWER, THERE, .syn = DOCTOR_NO, PEER) },
	{ DOCTOR_FIREWALL_BACK,
	  FACTS(XVM, NO_ANSWER, THERE, .syn = DOCTOR_YES, .syn_ack = DOCTOR_YES, PEER) },
	{ DOCTOR_FIREWALL_BACK,
	  FACTS(XVM, NO_ANSWER, THERE, .told = true, .told_back = 110, PEER) },
	{ DOCTOR_NAT, FACTS(XVM, NO_ANSWER, THERE, .syn = DOCTOR_NO, .told = true,
			    .told_same_source = DOCTOR_NO, .told_source = "192.0.2.7") },
	/* the way there */
	{ DOCTOR_WRONG_INTERFACE, FACTS(XVM, NO_ANSWER, UNICAST, .told = true,
					.told_joined = "eth1", .told_heard = "eth0") },
	{ DOCTOR_SNOOPING,
	  FACTS(XVM, NO_ANSWER, UNICAST, .bridge = { "br0", DOCTOR_YES, DOCTOR_NO }) },
	{ DOCTOR_SNOOPING,
	  FACTS(XVM, NO_ANSWER, UNICAST, .told = true, .told_joined = "br0", .told_heard = "br0",
		.told_bridge = { "br0", DOCTOR_YES, DOCTOR_NO }) },
	{ DOCTOR_SNOOPING, FACTS(XVM, NO_ANSWER, UNICAST, .query = { DOCTOR_NO, 0, 131, 0 }) },
	{ DOCTOR_SNOOPING, FACTS(XVM, NO_ANSWER, UNICAST, .query = { DOCTOR_YES, 131, 900, 0 }) },
	{ DOCTOR_SNOOPING,
	  FACTS(XVM, NO_ANSWER, UNICAST, .told = true, .told_query = { DOCTOR_NO, 0, 900, 0 }) },
	{ DOCTOR_MULTICAST_LOST, FACTS(XVM, NO_ANSWER, UNICAST) },
	/* a call-back of before */
	{ DOCTOR_MULTICAST_LOST, FACTS(XVM, NO_ANSWER, UNICAST, .ours = DOCTOR_YES,
				       .syn = DOCTOR_YES, .syn_ack = DOCTOR_YES) },
	{ DOCTOR_MULTICAST_LOST, FACTS(XVM, NO_ANSWER, UNICAST, .query = { DOCTOR_NO, 0, 20, 0 }) },
	{ DOCTOR_MULTICAST_LOST,
	  FACTS(XVM, NO_ANSWER, UNICAST, .bridge = { "br0", DOCTOR_YES, DOCTOR_YES }) },
	{ DOCTOR_NO_ROUTE, FACTS(TCP, NO_ANSWER, PEER, .route = DOCTOR_NO) },
	{ DOCTOR_NO_ROUTE, FACTS(XVM, NO_ANSWER, .send = DOCTOR_SEND_NO_ROUTE) },
	{ DOCTOR_NO_ROUTE,
	  FACTS(BMC, NO_ANSWER, PEER, .icmp = DOCTOR_ICMP_NET, .rmcp = DOCTOR_NO) },
	{ DOCTOR_NO_HOST,
	  FACTS(BMC, NO_ANSWER, PEER, .icmp = DOCTOR_ICMP_HOST, .rmcp = DOCTOR_NO) },
	{ DOCTOR_NO_HOST, FACTS(XVM, NO_ANSWER, NEITHER, .alive = DOCTOR_NO) },
	{ DOCTOR_NO_DAEMON,
	  FACTS(XVM, NO_ANSWER, NEITHER, .icmp = DOCTOR_ICMP_PORT, .ours = DOCTOR_YES) },
	{ DOCTOR_NO_DAEMON, FACTS(TCP, NO_ANSWER, PEER, .tcp = DOCTOR_CONNECT_REFUSED) },
	{ DOCTOR_FIREWALL_TCP, FACTS(TCP, NO_ANSWER, PEER, .tcp = DOCTOR_CONNECT_SILENT) },
	{ DOCTOR_FIREWALL_UDP,
	  FACTS(XVM, NO_ANSWER, NEITHER, .ours = DOCTOR_YES, .alive = DOCTOR_YES) },
	{ DOCTOR_FIREWALL_UDP, FACTS(XVM, NO_ANSWER, NEITHER, .icmp = DOCTOR_ICMP_PROHIBITED) },
	/* silence alone tells nothing: the stock daemon is silent to a wrong key */
	{ DOCTOR_SILENT, FACTS(XVM, NO_ANSWER) },
	{ DOCTOR_FIREWALL_OR_KEY, FACTS(XVM, NO_ANSWER, NEITHER, .alive = DOCTOR_YES) },
	{ DOCTOR_NO_DAEMON, FACTS(XVM, NO_ANSWER, NEITHER, .icmp = DOCTOR_ICMP_PORT) },
	{ DOCTOR_SILENT, FACTS(XVM, NO_ANSWER, NEITHER, .icmp = DOCTOR_ICMP_PORT,
			       .peer_guessed = true) }, /* it is the gateway that has none */
	{ DOCTOR_SILENT, FACTS(XVM, NO_ANSWER, NEITHER, .ours = DOCTOR_YES, .peer_guessed = true,
			       .alive = DOCTOR_YES) },
	{ DOCTOR_SILENT, FACTS(XVM, .run = DOCTOR_RUN_TIMEOUT) },
	/* BMCs */
	{ DOCTOR_FIREWALL_IN,
	  FACTS(BMC, NO_ANSWER, PEER, .rmcp = DOCTOR_NO, .heard_only_wire = DOCTOR_YES) },
	{ DOCTOR_FIREWALL_UDP,
	  FACTS(BMC, NO_ANSWER, PEER, .rmcp = DOCTOR_NO, .icmp = DOCTOR_ICMP_PROHIBITED) },
	{ DOCTOR_NO_RMCP, FACTS(BMC, NO_ANSWER, PEER, .rmcp = DOCTOR_NO) },
	{ DOCTOR_NO_RMCP,
	  FACTS(BMC, NO_ANSWER, PEER, .rmcp = DOCTOR_NO, .icmp = DOCTOR_ICMP_PORT) },
	{ DOCTOR_BUSY, FACTS(BMC, NO_ANSWER, PEER, .rmcp = DOCTOR_YES) },
	{ DOCTOR_BUSY, FACTS(BMC, SAID(BUSY), PEER) },
	{ DOCTOR_USER, FACTS(BMC, SAID(USER), PEER) },
	{ DOCTOR_PASSWORD, FACTS(BMC, SAID(PASSWORD), PEER) },
	{ DOCTOR_KG, FACTS(BMC, SAID(KG), PEER) },
	{ DOCTOR_CIPHER, FACTS(BMC, SAID(CIPHER), PEER) },
	{ DOCTOR_PRIVILEGE, FACTS(BMC, SAID(PRIVILEGE), PEER) },
	{ DOCTOR_OLD_BMC, FACTS(BMC, SAID(OLD), PEER) },
	{ DOCTOR_STATE, FACTS(BMC, SAID(STATE), PEER) },
	{ DOCTOR_NAME, FACTS(BMC, SAID(NAME)) },
	/* disks */
	{ DOCTOR_NO_PR, FACTS(DISK, SAID(NO_PR)) },
	{ DOCTOR_FORGETS, FACTS(DISK, SAID(FORGETS)) },
	{ DOCTOR_NO_ABORT, FACTS(DISK, SAID(NO_ABORT)) },
	{ DOCTOR_DISK, FACTS(DISK, SAID(DISK)) },
	{ DOCTOR_PATH, FACTS(DISK, SAID(PATH)) },
	{ DOCTOR_CUT, FACTS(DISK, SAID(CUT)) },
	{ DOCTOR_COROSYNC, FACTS(DISK, SAID(COROSYNC)) },
	{ DOCTOR_AGENT_SAID, FACTS(DISK, SAID(OTHER)) },
	/* watchdogs */
	{ DOCTOR_OK, FACTS(DOG, .dog_there = DOCTOR_YES, .dog_armed = DOCTOR_YES,
			   .dog_long_enough = DOCTOR_YES, .dog_soft = DOCTOR_NO) },
	{ DOCTOR_DOG_MISSING, FACTS(DOG, .dog_there = DOCTOR_NO) },
	{ DOCTOR_DOG_SHORT, FACTS(DOG, .dog_there = DOCTOR_YES, .dog_long_enough = DOCTOR_NO) },
	{ DOCTOR_DOG_UNARMED, FACTS(DOG, .dog_there = DOCTOR_YES, .dog_long_enough = DOCTOR_YES,
				    .dog_armed = DOCTOR_NO) },
	{ DOCTOR_DOG_SOFT, FACTS(DOG, .dog_there = DOCTOR_YES, .dog_long_enough = DOCTOR_YES,
				 .dog_armed = DOCTOR_YES, .dog_soft = DOCTOR_YES) },
	{ DOCTOR_UNTOLD, FACTS(DOG, .dog_there = DOCTOR_YES) }, /* sysfs says nothing */
	{ DOCTOR_UNTOLD, FACTS(DOG, .dog_there = DOCTOR_YES, .dog_armed = DOCTOR_YES) },
};
#define ROWS (sizeof(rows) / sizeof(*rows))

static void every_cause_is_recognised(void **state)
{
	struct doctor_diagnosis d;

	(void)state;
	for (size_t i = 0; i < ROWS; i++) {
		doctor_diagnose(&rows[i].f, &d);
		if (d.cause != rows[i].want)
			fail_msg("row %zu: %s, expected %s", i, d.name,
				 doctor_cause_name(rows[i].want));
	}
}

static void every_cause_is_reached_by_a_row(void **state)
{
	bool reached[DOCTOR_CAUSES_N] = { false };

	(void)state;
	for (size_t i = 0; i < ROWS; i++)
		reached[rows[i].want] = true;
	for (unsigned c = 0; c < DOCTOR_CAUSES_N; c++)
		if (!reached[c])
			fail_msg("no row reaches %s", doctor_cause_name(c));
}

/* Each has a sentence of its own; what is broken has a remedy; every {name} is filled in. */
static void every_cause_says_what_to_do(void **state)
{
	struct doctor_diagnosis d;

	(void)state;
	for (size_t i = 0; i < ROWS; i++) {
		doctor_diagnose(&rows[i].f, &d);
		assert_true(strlen(d.text) > 10);
		assert_null(strchr(d.text, '{'));
		if (d.result != DOCTOR_PASS && d.n_remedy == 0)
			fail_msg("%s has no remedy", d.name);
		for (unsigned k = 0; k < d.n_remedy; k++) {
			const char *p = strstr(d.remedy[k], "{");

			/* braces of a configuration are meant */
			while (p && p[1] == ' ')
				p = strstr(p + 1, "{");
			assert_null(p);
		}
		for (unsigned k = 0; k < d.n_seen; k++)
			assert_null(strchr(d.seen[k], '{'));
	}
	for (unsigned a = 0; a < DOCTOR_CAUSES_N; a++)
		for (unsigned b = 0; b < a; b++)
			assert_string_not_equal(doctor_cause_name(a), doctor_cause_name(b));
}

/* SAFE-3: facts in all their combinations, drawn from a seed: a pass has an agent that answered, or a watchdog that was seen whole. */
static void nothing_passes_unseen(void **state)
{
	uint64_t x = 0x9e3779b97f4a7c15u;
	struct doctor_diagnosis d;
	unsigned passed = 0;

	(void)state;
	for (unsigned i = 0; i < 200000; i++) {
		struct doctor_facts f = FACTS(.run = DOCTOR_RUN_NOT);
		uint8_t r[40];

		for (unsigned k = 0; k < sizeof(r); k++) {
			x ^= x << 13;
			x ^= x >> 7;
			x ^= x << 17;
			r[k] = (uint8_t)(x >> 32);
		}
		f.kind = r[0] % (DOCTOR_WATCHDOG + 1);
		f.run = r[1] % (DOCTOR_RUN_MISSING + 1);
		f.said = r[2] % (DOCTOR_SAID_PLUG + 1);
		f.member = r[3] & 1;
		f.address = r[4] % 3;
		f.send = r[5] % 4;
		f.route = r[6] % 3;
		f.alive = r[7] % 3;
		f.icmp = r[8] % 5;
		f.rmcp = r[9] % 3;
		f.tcp = r[10] % 4;
		f.ours = r[11] % 3;
		f.to_group = r[12] % 4;
		f.to_peer = r[13] % 4;
		f.syn = r[14] % 3;
		f.syn_ack = r[15] % 3;
		f.back_same_iface = r[16] % 3;
		f.told = r[17] & 1;
		f.told_back = r[18] % 3 - 1;
		f.query = (struct doctor_query){ r[19] % 3, r[20], r[28], r[29] % 3 };
		f.port_taken = r[21] & 1;
		f.dog_there = r[22] % 3;
		f.dog_armed = r[23] % 3;
		f.dog_long_enough = r[24] % 3;
		f.dog_soft = r[25] % 3;
		f.bridge.snoops = r[26] % 3;
		f.bridge.queries = r[27] % 3;
		doctor_diagnose(&f, &d);
		bool answered = f.run == DOCTOR_RUN_ON || f.run == DOCTOR_RUN_OFF;
		bool dog = f.kind == DOCTOR_WATCHDOG;

		if (d.result == DOCTOR_PASS || d.result == DOCTOR_WARN) {
			passed++;
			assert_true(dog ? f.dog_there == DOCTOR_YES && f.dog_armed == DOCTOR_YES &&
						    f.dog_long_enough == DOCTOR_YES
					: answered);
			assert_true(dog || f.kind == DOCTOR_SCSI || !f.member ||
				    f.run == DOCTOR_RUN_ON);
		}
		if (!dog && f.run == DOCTOR_RUN_NOT)
			assert_int_equal(d.result, DOCTOR_UNKNOWN_RESULT);
		if (!dog && (f.run == DOCTOR_RUN_FAILED || f.run == DOCTOR_RUN_TIMEOUT))
			assert_int_equal(d.result, DOCTOR_FAIL);
	}
	assert_true(passed > 1000);
}

/* --- the agents' sentences --------------------------------------------------------------------------------------- */

static const struct {
	enum doctor_kind kind;
	enum doctor_said want;
	const char *words;
} said[] = {
	{ DOCTOR_XVM, DOCTOR_SAID_NO_ANSWER,
	  "no answer to 4 requests to 225.0.0.12 port 1229: is fence_virtd running, and the key of both the same?" },
	{ DOCTOR_XVM, DOCTOR_SAID_NO_ADDRESS,
	  "no answer: no request could be sent to 225.0.0.12 port 1229: no IPv4 address, or no route" },
	{ DOCTOR_XVM, DOCTOR_SAID_KEY,
	  "wrong key: hypervisor 10.99.0.1 has another key than /etc/x, or another auth than sha256" },
	{ DOCTOR_XVM, DOCTOR_SAID_DENIED,
	  "not permitted: the map of hypervisor 10.99.0.1 does not let this node act on n2" },
	{ DOCTOR_XVM, DOCTOR_SAID_GUEST,
	  "guest unknown: no hypervisor that answered (1) has a guest n2" },
	{ DOCTOR_XVM, DOCTOR_SAID_LIBVIRT,
	  "status of n2 failed at hypervisor 10.99.0.1: libvirt does not answer there" },
	{ DOCTOR_XVM, DOCTOR_SAID_SECRET, "key_file /etc/x: No such file or directory" },
	{ DOCTOR_XVM, DOCTOR_SAID_DENIED, "Permission denied" }, /* the stock fence_xvm */
	{ DOCTOR_XVM, DOCTOR_SAID_NO_ANSWER, "Timed out waiting for response" },
	{ DOCTOR_XVM, DOCTOR_SAID_FAILED, "Operation failed" },
	{ DOCTOR_IPMI, DOCTOR_SAID_OTHER, "no such plug as this" },
	{ DOCTOR_OTHER, DOCTOR_SAID_PLUG,
	  "Failed: Unable to obtain correct plug status or plug is not available" },
	{ DOCTOR_OTHER, DOCTOR_SAID_OTHER,
	  "wrong password" }, /* it is not known what it means by that */
	{ DOCTOR_OTHER, DOCTOR_SAID_OTHER, "" },
};

static char *read_source(const char *name)
{
	const char *top = getenv("top_srcdir");
	char path[512], *text = calloc(1, 1 << 20);

	snprintf(path, sizeof(path), "%s/%s", top ? top : ".", name);
	FILE *f = fopen(path, "re");

	assert_non_null(text);
	if (!f)
		fail_msg("%s cannot be read", path);
	assert_true(fread(text, 1, (1 << 20) - 1, f) > 0);
	fclose(f);
	return text;
}

/* What an agent of ours says is found in its source, put together as the compiler does; each failure of libfreeipmi too. */
static void sentences_are_those_of_the_agents(void **state)
{
	static const struct {
		const char *file;
		enum doctor_kind kind;
		enum doctor_said want;
		const char *words; /* stands in the file, and is recognised */
	} own[] = {
		{ "fence_agents/xvm/ask.c", DOCTOR_XVM, DOCTOR_SAID_KEY,
		  "without proving its key" },
		{ "fence_agents/xvm/ask.c", DOCTOR_XVM, DOCTOR_SAID_STUCK,
		  "is connected and says nothing" },
		{ "fence_agents/xvm/ask.c", DOCTOR_XVM, DOCTOR_SAID_NO_ANSWER,
		  "no answer to %u requests" },
		{ "fence_agents/xvm/ask.c", DOCTOR_XVM, DOCTOR_SAID_KEY,
		  "wrong key: hypervisor %s" },
		{ "fence_agents/xvm/ask.c", DOCTOR_XVM, DOCTOR_SAID_NO_ADDRESS,
		  "no request could be sent" },
		{ "fence_agents/xvm/judge.c", DOCTOR_XVM, DOCTOR_SAID_DENIED,
		  "not permitted: the map" },
		{ "fence_agents/xvm/judge.c", DOCTOR_XVM, DOCTOR_SAID_GUEST, "guest unknown: " },
		{ "fence_agents/virt/wire.h", DOCTOR_XVM, DOCTOR_SAID_LIBVIRT,
		  "libvirt does not answer there" },
		{ "fence_agents/xvm/judge.c", DOCTOR_XVM, DOCTOR_SAID_FAILED,
		  "failed at hypervisor" },
		{ "fence_agents/xvm/judge.c", DOCTOR_XVM, DOCTOR_SAID_FAILED,
		  "conflicting answers about" },
		{ "fence_agents/virt/wire.h", DOCTOR_XVM, DOCTOR_SAID_RATE,
		  "too many requests: rate limit" },
		{ "fence_agents/ipmilan/fence_ipmilan.c", DOCTOR_IPMI, DOCTOR_SAID_USER,
		  "the BMC has no such user, or does not let it in" },
		{ "fence_agents/ipmilan/fence_ipmilan.c", DOCTOR_IPMI, DOCTOR_SAID_PASSWORD,
		  "wrong password, or it answers with another cipher suite than it was asked for; check password (or password_script)" },
		{ "fence_agents/ipmilan/fence_ipmilan.c", DOCTOR_IPMI, DOCTOR_SAID_KG,
		  "the BMC has another key (Kg); check hexadecimal_kg" },
		{ "fence_agents/ipmilan/fence_ipmilan.c", DOCTOR_IPMI, DOCTOR_SAID_PRIVILEGE,
		  "the user has not the rights that privlvl asks for; operator is enough" },
		{ "fence_agents/ipmilan/fence_ipmilan.c", DOCTOR_IPMI, DOCTOR_SAID_PRIVILEGE,
		  "the user may not do that; give it operator rights on the BMC, and privlvl=operator here" },
		{ "fence_agents/ipmilan/fence_ipmilan.c", DOCTOR_IPMI, DOCTOR_SAID_CIPHER,
		  "the BMC does not take this cipher suite; enable 17 on it, or give cipher=3" },
		{ "fence_agents/ipmilan/fence_ipmilan.c", DOCTOR_IPMI, DOCTOR_SAID_OLD,
		  "the BMC does not speak IPMI 2.0; update its firmware" },
		{ "fence_agents/ipmilan/fence_ipmilan.c", DOCTOR_IPMI, DOCTOR_SAID_NO_ANSWER,
		  "no answer; check the address, that IPMI over LAN is enabled, and that UDP is let through" },
		{ "fence_agents/ipmilan/fence_ipmilan.c", DOCTOR_IPMI, DOCTOR_SAID_BUSY,
		  "the BMC fell silent in the middle of the session" },
		{ "fence_agents/ipmilan/fence_ipmilan.c", DOCTOR_IPMI, DOCTOR_SAID_BUSY,
		  "the BMC is busy; it may have too many sessions" },
		{ "fence_agents/ipmilan/fence_ipmilan.c", DOCTOR_IPMI, DOCTOR_SAID_NAME,
		  "the address cannot be used; check ip" },
		{ "lib/shell/scsi_guard.c", DOCTOR_SCSI, DOCTOR_SAID_NO_PR,
		  "no persistent reservations" },
		{ "lib/shell/scsi_guard.c", DOCTOR_SCSI, DOCTOR_SAID_NO_PR,
		  "no reservation of type" },
		{ "lib/shell/scsi_guard.c", DOCTOR_SCSI, DOCTOR_SAID_FORGETS,
		  "forgets registrations when it restarts" },
		{ "lib/shell/scsi_guard.c", DOCTOR_SCSI, DOCTOR_SAID_NO_ABORT,
		  "cannot PREEMPT AND ABORT" },
		{ "lib/shell/scsi_guard.c", DOCTOR_SCSI, DOCTOR_SAID_CUT,
		  "this node was cut off from the disk" },
		{ "lib/shell/scsi_guard.c", DOCTOR_SCSI, DOCTOR_SAID_PATH,
		  "two paths of one disk" },
		{ "fence_agents/scsi/fence_scsi.c", DOCTOR_SCSI, DOCTOR_SAID_PATH,
		  "a path is not registered" },
		{ "fence_agents/scsi/fence_scsi.c", DOCTOR_SCSI, DOCTOR_SAID_COROSYNC,
		  "corosync does not answer" },
		{ "fence_agents/scsi/fence_scsi.c", DOCTOR_SCSI, DOCTOR_SAID_PLUG,
		  "corosync knows no node" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(own) / sizeof(*own); i++) {
		char *text = read_source(own[i].file);

		if (!strstr(text, own[i].words))
			fail_msg("%s does not say \"%s\" any more", own[i].file, own[i].words);
		free(text);
		if (doctor_said(own[i].kind, own[i].words) != own[i].want)
			fail_msg("\"%s\" is taken for %d", own[i].words,
				 doctor_said(own[i].kind, own[i].words));
	}
	for (size_t i = 0; i < sizeof(said) / sizeof(*said); i++)
		if (doctor_said(said[i].kind, said[i].words) != said[i].want)
			fail_msg("\"%s\" is taken for %d", said[i].words,
				 doctor_said(said[i].kind, said[i].words));
}

/* A hostile name fills no more than its place. */
static void long_words_are_cut(void **state)
{
	struct doctor_facts f = FACTS(.run = DOCTOR_RUN_FAILED);
	struct doctor_diagnosis d;

	(void)state;
	memset(f.words, 'w', sizeof(f.words) - 1);
	memset(f.peer, 'p', sizeof(f.peer) - 1);
	memset(f.self, 's', sizeof(f.self) - 1);
	doctor_diagnose(&f, &d);
	assert_true(strlen(d.text) < DOCTOR_TEXT_MAX);
	assert_int_equal(d.cause, DOCTOR_AGENT_SAID);
	assert_string_equal(doctor_result_name(d.result), "fail");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_cause_is_recognised),
		cmocka_unit_test(every_cause_is_reached_by_a_row),
		cmocka_unit_test(every_cause_says_what_to_do),
		cmocka_unit_test(nothing_passes_unseen),
		cmocka_unit_test(sentences_are_those_of_the_agents),
		cmocka_unit_test(long_words_are_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
