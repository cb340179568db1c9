/* SPDX-License-Identifier: GPL-3.0-or-later */
/* timing.h - one time from the operator, every other time from here (DESIGN 6, SAFE-7).
 *
 * The operator says `detect:` (how long a dead node may go unnoticed). timing_solve() derives corosync's token and
 * consensus, knet's pings, fence, lock, heartbeat and iSCSI times, checks the inequalities that make the set safe, and
 * refuses a set that cannot be. `stockade timing` prints each value, its rule and its slack. Pure; milliseconds.
 */
#ifndef STOCKADE_TIMING_H
#define STOCKADE_TIMING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* name, unit-free; the rule is text for people: where the value comes from. Order is the order of printing. */
#define TIMING_VALUES(X) \
	X(token_ms, "corosync totem.token: detect / 2.2 (a dead node is seen after token + consensus)") \
	X(consensus_ms, "corosync totem.consensus: 1.2 x token") \
	X(knet_ping_interval_ms, "corosync interface.knet_ping_interval: knet pings at best every 200 ms") \
	X(knet_ping_timeout_ms, "corosync interface.knet_ping_timeout: 5 pings, below it links flap") \
	X(heartbeat_ms, "disk heartbeat of a volume's owner: detect / 6") \
	X(stale_ms, "a heartbeat that stands still this long is stale: detect / 2") \
	X(cut_delay_ms, "two nodes: how long the one that does not serve waits before it fences") \
	X(post_join_ms, "configured nodes not seen this long after a quorate start are victims") \
	X(absent_ms, "a daemon whose node is still in the view may be restarted this long") \
	X(fence_attempt_ms, "one run of a fence agent") \
	X(fence_retry_min_ms, "pause after all levels failed once") \
	X(fence_retry_max_ms, "the pause grows up to this, for ever") \
	X(ready_interval_ms, "fence paths are checked this often") \
	X(ready_age_ms, "a check older than this does not count (SAFE-6)") \
	X(iscsi_noop_interval_ms, "open-iscsi noop_out_interval, whole seconds") \
	X(iscsi_noop_timeout_ms, "open-iscsi noop_out_timeout, whole seconds") \
	X(iscsi_replacement_ms, "open-iscsi replacement_timeout: queued I/O fails after this, whole seconds") \
	X(iscsi_login_ms, "open-iscsi login_timeout, whole seconds") \
	X(stop_ms, "a node without quorum has let go of everything after this, or reboots itself")

struct timing {
#define X(name, rule) uint32_t name;
	TIMING_VALUES(X)
#undef X
};

#define TIMING_DETECT_MIN_MS 1000
#define TIMING_DETECT_MAX_MS 60000

struct timing_in {
	uint32_t detect_ms;        /* TIMING_DETECT_MIN_MS..TIMING_DETECT_MAX_MS */
	unsigned n_nodes;          /* 1..NODES_MAX */
	uint32_t fence_timeout_ms; /* 0: derived; else the operator's per-attempt time */
	uint32_t ready_age_ms;     /* 0: derived */
	uint32_t post_join_ms;     /* 0: derived */
	uint32_t cut_delay_ms;     /* 0: derived; a static delay stays possible */
};

struct timing_check { /* one inequality: left must stay below right */
	const char *rule; /* static text, e.g. "knet_ping_timeout < token" */
	uint32_t left_ms, right_ms;
	bool ok; /* left_ms < right_ms */
};
#define TIMING_CHECKS_MAX 16

/**
 * timing_solve() - derive all times from @in.
 * @ret:    set on success and when a check fails (so that it can be shown), untouched on -EINVAL
 * @checks: [TIMING_CHECKS_MAX] written, @n_checks of them; either may be NULL
 * Return: 0; -EINVAL an input is out of range; -ERANGE an inequality does not hold: the set cannot be safe
 * Source of the factors: measured, see doc/ARCHITECTURE.md "Times"
 */
int timing_solve(const struct timing_in *in, struct timing *ret, struct timing_check *checks, unsigned *n_checks);

/* What a takeover may take until detection, worst case: token + consensus plus one knet ping. */
uint32_t timing_detect_worst_ms(const struct timing *t);

#endif
