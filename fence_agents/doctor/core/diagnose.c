/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Which hop it is: rules in the order of certainty, the first that holds. What a device said goes before what silence means. */
#include "internal.h"

#include <string.h>

#define QUERY_S 125 /* queriers ask so often (RFC 3376 8.2), unless they say otherwise */
#define QUERY_LATE_S 5

typedef const struct doctor_facts facts;

static bool ran(facts *f)
{
	return f->run == DOCTOR_RUN_ON || f->run == DOCTOR_RUN_OFF;
}

static bool not_made(facts *f)
{
	return f->run == DOCTOR_RUN_NOT;
}

static bool missing(facts *f)
{
	return f->run == DOCTOR_RUN_MISSING;
}

static bool other_plug(facts *f)
{
	return f->run == DOCTOR_RUN_OFF && f->member;
}

static bool snoops_unasked(const struct doctor_bridge *b)
{
	return b->snoops == DOCTOR_YES && b->queries == DOCTOR_NO;
}

static bool overdue(const struct doctor_query *q)
{
	return q->heard == DOCTOR_YES &&
	       q->age_s > (q->interval_s ? q->interval_s : QUERY_S) + QUERY_LATE_S;
}

/* There was a querier, and it fell silent: bridges still believe in it, and forget one member after the other. */
static bool snooping_soon(facts *f)
{
	return ran(f) && ((snoops_unasked(&f->bridge) && overdue(&f->query)) ||
			  (snoops_unasked(&f->told_bridge) && overdue(&f->told_query)));
}

static bool port_taken(facts *f)
{
	return ran(f) && f->port_taken;
}

static bool libvirt_of_several(facts *f)
{
	return !ran(f) && f->told && f->told_libvirt == DOCTOR_NO &&
	       f->said != DOCTOR_SAID_NO_ANSWER;
}

/* Stuck, and it answers probes meanwhile: what it waits for is its libvirt. */
static bool libvirt_stuck(facts *f)
{
	return !ran(f) && f->said == DOCTOR_SAID_STUCK && f->told;
}

#define SAID(name, what)                           \
	static bool said_##name(facts *f)          \
	{                                          \
		return !ran(f) && f->said == what; \
	}
SAID(secret, DOCTOR_SAID_SECRET)
SAID(no_address, DOCTOR_SAID_NO_ADDRESS)
SAID(key, DOCTOR_SAID_KEY)
SAID(denied, DOCTOR_SAID_DENIED)
SAID(guest, DOCTOR_SAID_GUEST)
SAID(libvirt, DOCTOR_SAID_LIBVIRT)
SAID(rate, DOCTOR_SAID_RATE)
SAID(stuck, DOCTOR_SAID_STUCK)
SAID(failed, DOCTOR_SAID_FAILED)
SAID(user, DOCTOR_SAID_USER)
SAID(password, DOCTOR_SAID_PASSWORD)
SAID(kg, DOCTOR_SAID_KG)
SAID(cipher, DOCTOR_SAID_CIPHER)
SAID(privilege, DOCTOR_SAID_PRIVILEGE)
SAID(busy, DOCTOR_SAID_BUSY)
SAID(old, DOCTOR_SAID_OLD)
SAID(state, DOCTOR_SAID_STATE)
SAID(name, DOCTOR_SAID_NAME)
SAID(no_pr, DOCTOR_SAID_NO_PR)
SAID(forgets, DOCTOR_SAID_FORGETS)
SAID(no_abort, DOCTOR_SAID_NO_ABORT)
SAID(disk, DOCTOR_SAID_DISK)
SAID(path, DOCTOR_SAID_PATH)
SAID(cut, DOCTOR_SAID_CUT)
SAID(corosync, DOCTOR_SAID_COROSYNC)
SAID(plug, DOCTOR_SAID_PLUG)

static bool echo_key(facts *f)
{
	return f->to_group == DOCTOR_ECHO_KEY || f->to_peer == DOCTOR_ECHO_KEY;
}

static bool no_address(facts *f)
{
	return f->address == DOCTOR_NO;
}

static bool firewall_out(facts *f)
{
	return f->send == DOCTOR_SEND_FORBIDDEN;
}

/* Of ours it is known whether it hears the group now: a call-back without that is one to a request of before. */
static bool called_back(facts *f)
{
	return f->syn == DOCTOR_YES && (f->to_group == DOCTOR_ECHO_GOOD || f->ours != DOCTOR_YES);
}

/* The request came through, by our own probe or because somebody calls back: what is lost is on the way back. */
static bool way_there(facts *f)
{
	return f->to_group == DOCTOR_ECHO_GOOD || called_back(f);
}

static bool nat(facts *f)
{
	return f->told && f->told_same_source == DOCTOR_NO;
}

static bool wrong_way_back(facts *f)
{
	return called_back(f) && f->back_same_iface == DOCTOR_NO;
}

static bool firewall_back_here(facts *f)
{
	return called_back(f) && f->syn_ack != DOCTOR_YES;
}

static bool firewall_back(facts *f)
{
	return way_there(f) &&
	       (f->syn == DOCTOR_NO || f->syn_ack == DOCTOR_YES || f->told_back > 0);
}

static bool to_peer_only(facts *f)
{
	return f->to_group == DOCTOR_ECHO_SILENT && f->to_peer == DOCTOR_ECHO_GOOD;
}

static bool wrong_interface(facts *f)
{
	return to_peer_only(f) && f->told && f->told_joined[0] && f->told_heard[0] &&
	       strcmp(f->told_joined, f->told_heard) != 0;
}

static bool nobody_queries(const struct doctor_query *q)
{
	return (q->heard == DOCTOR_NO && q->watched_s > QUERY_S + QUERY_LATE_S) || overdue(q);
}

static bool snooping(facts *f)
{
	return to_peer_only(f) &&
	       (snoops_unasked(&f->bridge) || snoops_unasked(&f->told_bridge) ||
		nobody_queries(&f->query) || (f->told && nobody_queries(&f->told_query)));
}

static bool no_route(facts *f)
{
	return f->send == DOCTOR_SEND_NO_ROUTE || f->route == DOCTOR_NO ||
	       f->icmp == DOCTOR_ICMP_NET;
}

static bool no_host(facts *f)
{
	return f->icmp == DOCTOR_ICMP_HOST ||
	       (f->peer[0] && !f->peer_guessed && f->alive == DOCTOR_NO);
}

static bool no_daemon(facts *f)
{
	/* every fence_virtd listens on the wildcard address, so while it runs its port is open by unicast, too */
	return (f->icmp == DOCTOR_ICMP_PORT && !f->peer_guessed) ||
	       f->tcp == DOCTOR_CONNECT_REFUSED;
}

static bool prohibited(facts *f)
{
	return f->icmp == DOCTOR_ICMP_PROHIBITED;
}

static bool firewall_in(facts *f)
{
	return f->heard_only_wire == DOCTOR_YES;
}

static bool firewall_tcp(facts *f)
{
	return f->tcp == DOCTOR_CONNECT_SILENT;
}

/* The machine is there, and does not call its port closed: something takes what is sent there, or drops it. */
static bool firewall_or_key(facts *f)
{
	return f->to_group == DOCTOR_ECHO_SILENT && f->to_peer == DOCTOR_ECHO_SILENT &&
	       !f->peer_guessed && f->alive == DOCTOR_YES && f->icmp != DOCTOR_ICMP_PORT;
}

/* The stock daemon is silent about a wrong key, ours is not: only where it is known to be ours, the key has no part in it. */
static bool firewall_udp(facts *f)
{
	return f->ours == DOCTOR_YES && firewall_or_key(f);
}

static bool silent(facts *f)
{
	return !ran(f) && (f->said == DOCTOR_SAID_NO_ANSWER || f->run == DOCTOR_RUN_TIMEOUT);
}

static bool answers_without_login(facts *f)
{
	return silent(f) && f->rmcp == DOCTOR_YES;
}

static bool no_rmcp(facts *f)
{
	return silent(f) && (f->rmcp == DOCTOR_NO || f->icmp == DOCTOR_ICMP_PORT);
}

static bool agent_timeout(facts *f)
{
	return f->run == DOCTOR_RUN_TIMEOUT;
}

static bool agent_said(facts *f)
{
	return f->run == DOCTOR_RUN_FAILED;
}

static bool dog_missing(facts *f)
{
	return f->dog_there == DOCTOR_NO;
}

static bool dog_short(facts *f)
{
	return f->dog_long_enough == DOCTOR_NO;
}

static bool dog_unarmed(facts *f)
{
	return f->dog_armed == DOCTOR_NO;
}

static bool dog_soft(facts *f)
{
	return f->dog_there == DOCTOR_YES && f->dog_long_enough == DOCTOR_YES &&
	       f->dog_armed == DOCTOR_YES && f->dog_soft == DOCTOR_YES;
}

static bool dog_good(facts *f)
{
	return f->dog_there == DOCTOR_YES && f->dog_long_enough == DOCTOR_YES &&
	       f->dog_armed == DOCTOR_YES && f->dog_soft == DOCTOR_NO;
}

#define KIND(k) (1u << DOCTOR_##k)
#define VM (KIND(XVM) | KIND(XVM_TCP))
#define NET (VM | KIND(IPMI) | KIND(OTHER))
#define AGENT (NET | KIND(SCSI))

static const struct {
	unsigned kinds;
	enum doctor_cause cause;
	bool (*holds)(facts *f);
} rules[] = {
	{ KIND(WATCHDOG), DOCTOR_DOG_MISSING, dog_missing },
	{ KIND(WATCHDOG), DOCTOR_DOG_SHORT, dog_short },
	{ KIND(WATCHDOG), DOCTOR_DOG_UNARMED, dog_unarmed },
	{ KIND(WATCHDOG), DOCTOR_DOG_SOFT, dog_soft },
	{ KIND(WATCHDOG), DOCTOR_OK, dog_good },

	{ AGENT, DOCTOR_AGENT_MISSING, missing },
	{ AGENT, DOCTOR_OTHER_PLUG, other_plug },
	{ VM, DOCTOR_SNOOPING_SOON, snooping_soon },
	{ KIND(XVM), DOCTOR_PORT_TAKEN, port_taken },
	{ AGENT, DOCTOR_OK, ran },
	{ AGENT, DOCTOR_NOT_MADE, not_made },

	/* the device's own words */
	{ AGENT, DOCTOR_SECRET, said_secret },
	{ KIND(SCSI), DOCTOR_NO_PR, said_no_pr },
	{ KIND(SCSI), DOCTOR_FORGETS, said_forgets },
	{ KIND(SCSI), DOCTOR_NO_ABORT, said_no_abort },
	{ KIND(SCSI), DOCTOR_CUT, said_cut },
	{ KIND(SCSI), DOCTOR_PATH, said_path },
	{ KIND(SCSI), DOCTOR_DISK, said_disk },
	{ KIND(SCSI), DOCTOR_COROSYNC, said_corosync },
	{ KIND(IPMI), DOCTOR_NAME, said_name },
	{ KIND(IPMI), DOCTOR_USER, said_user },
	{ KIND(IPMI), DOCTOR_PASSWORD, said_password },
	{ KIND(IPMI), DOCTOR_KG, said_kg },
	{ KIND(IPMI), DOCTOR_PRIVILEGE, said_privilege },
	{ KIND(IPMI), DOCTOR_CIPHER, said_cipher },
	{ KIND(IPMI), DOCTOR_OLD_BMC, said_old },
	{ KIND(IPMI), DOCTOR_STATE, said_state },
	{ KIND(IPMI), DOCTOR_BUSY, said_busy },
	{ AGENT, DOCTOR_NO_PLUG, said_plug },
	{ VM, DOCTOR_KEY, said_key },
	{ VM, DOCTOR_KEY, echo_key },
	{ VM, DOCTOR_DENIED, said_denied },
	{ VM, DOCTOR_RATE, said_rate },
	{ VM, DOCTOR_LIBVIRT, said_libvirt },
	{ VM, DOCTOR_LIBVIRT, libvirt_of_several },
	{ VM, DOCTOR_LIBVIRT, libvirt_stuck },
	{ VM, DOCTOR_GUEST, said_guest },
	{ VM, DOCTOR_DAEMON_FAILED, said_failed },
	{ VM, DOCTOR_STUCK, said_stuck },

	/* silence: the first hop that it can be */
	{ VM, DOCTOR_NO_ADDRESS, no_address },
	{ NET, DOCTOR_FIREWALL_OUT, firewall_out },
	{ KIND(XVM), DOCTOR_WRONG_WAY_BACK, wrong_way_back },
	{ KIND(XVM), DOCTOR_FIREWALL_BACK_HERE, firewall_back_here },
	{ KIND(XVM), DOCTOR_NAT, nat },
	{ KIND(XVM), DOCTOR_FIREWALL_BACK, firewall_back },
	{ KIND(XVM), DOCTOR_WRONG_INTERFACE, wrong_interface },
	{ KIND(XVM), DOCTOR_SNOOPING, snooping },
	{ KIND(XVM), DOCTOR_MULTICAST_LOST, to_peer_only },
	{ NET, DOCTOR_NO_ROUTE, no_route },
	{ VM, DOCTOR_NO_ADDRESS, said_no_address },
	{ NET, DOCTOR_FIREWALL_IN, firewall_in },
	{ NET, DOCTOR_FIREWALL_UDP, prohibited },
	{ NET, DOCTOR_NO_HOST, no_host },
	{ KIND(IPMI), DOCTOR_NO_RMCP, no_rmcp },
	{ KIND(IPMI), DOCTOR_BUSY, answers_without_login },
	{ VM, DOCTOR_NO_DAEMON, no_daemon },
	{ KIND(XVM_TCP), DOCTOR_FIREWALL_TCP, firewall_tcp },
	{ KIND(XVM), DOCTOR_FIREWALL_UDP, firewall_udp },
	{ KIND(XVM), DOCTOR_FIREWALL_OR_KEY, firewall_or_key },
	{ VM, DOCTOR_SILENT, silent },
	{ AGENT, DOCTOR_AGENT_TIMEOUT, agent_timeout },
	{ AGENT, DOCTOR_AGENT_SAID, agent_said },
};

static enum doctor_cause find(facts *f)
{
	for (size_t i = 0; i < sizeof(rules) / sizeof(*rules); i++)
		if ((rules[i].kinds & 1u << f->kind) && rules[i].holds(f))
			return rules[i].cause;
	return DOCTOR_UNTOLD;
}

static const struct {
	const char *name, *hop;
	enum doctor_result result;
} causes[DOCTOR_CAUSES_N] = {
#define X(id, name, result, hop) [DOCTOR_##id] = { name, hop, DOCTOR_##result },
	DOCTOR_CAUSES(X)
#undef X
};

const char *doctor_cause_name(enum doctor_cause cause)
{
	return causes[cause].name;
}

const char *doctor_result_name(enum doctor_result result)
{
	static const char *const names[] = { "unknown", "pass", "warn", "fail" };

	return names[result];
}

void doctor_diagnose(const struct doctor_facts *f, struct doctor_diagnosis *ret)
{
	memset(ret, 0, sizeof(*ret));
	ret->cause = find(f);
	ret->name = causes[ret->cause].name;
	ret->hop = causes[ret->cause].hop;
	ret->result = causes[ret->cause].result;
	doctor_words(f, ret);
}
