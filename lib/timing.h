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
#define TIMING_VALUES(X)                                                                                   \
	X(token_ms, "corosync totem.token: (detect - one knet ping) / 2.2")                                \
	X(consensus_ms, "corosync totem.consensus: 1.2 x token")                                           \
	X(knet_ping_interval_ms, "corosync knet_ping_interval: knet pings at best every 200 ms")           \
	X(knet_ping_timeout_ms,                                                                            \
	  "corosync knet_ping_timeout: token / 2, one link at least 1 s, two at least 500 ms")             \
	X(heartbeat_ms, "disk heartbeat of a volume's owner: detect / 6")                                  \
	X(stale_ms, "a heartbeat that stands still this long is stale: detect / 2")                        \
	X(cut_delay_ms,                                                                                    \
	  "two nodes, cut: who does not serve waits this long: a level's fence runs + 2 x detect")         \
	X(post_join_ms,                                                                                    \
	  "nodes not seen this long after a quorate start are victims: 10 x detect, at least 30 s")        \
	X(absent_ms,                                                                                       \
	  "a daemon whose node is in the view may be away this long: 2 x detect, at least 10 s")           \
	X(fence_attempt_ms, "one run of a fence agent: fence_timeout, 40 s")                               \
	X(fence_retry_min_ms, "pause after all levels failed once")                                        \
	X(fence_retry_max_ms, "the pause grows up to this, for ever")                                      \
	X(ready_interval_ms,                                                                               \
	  "fence paths are checked this often: (ready age - fence attempt) / 3, at most 60 s")             \
	X(ready_age_ms, "a check older than this does not count (SAFE-6): fence_check_age, 5 min")         \
	X(iscsi_noop_interval_ms,                                                                          \
	  "open-iscsi noop_out_interval: detect / 2, 1 to 5 whole seconds")                                \
	X(iscsi_noop_timeout_ms, "open-iscsi noop_out_timeout: the same")                                  \
	X(iscsi_replacement_ms,                                                                            \
	  "open-iscsi replacement_timeout, queued I/O fails after it: detect, 1 to 20 whole seconds")      \
	X(iscsi_login_ms, "open-iscsi login_timeout: 2 x detect, 5 to 15 whole seconds")                   \
	X(storage_ms,                                                                                      \
	  "own storage silent this long is lost: noop interval + timeout, or stale, and one heartbeat")    \
	X(storage_stop_ms,                                                                                 \
	  "whose storage another node reaches lets go within this, or is fenced: 3 x detect, 9 to 20 s")   \
	X(storage_turn_ms,                                                                                 \
	  "storage back, on another node first: its owner's turn: login + open-iscsi's 3 s + heartbeat")   \
	X(stop_ms,                                                                                         \
	  "no quorum: all is let go after this, or the node reboots itself: I/O error time + 10 s")        \
	X(halt_deny_ms,                                                                                    \
	  "of that time: what is not stopped in order by then has its writes stopped by force: a quarter") \
	X(halt_kill_ms, "of that time: whoever uses what is still held is killed: half")                   \
	X(watchdog_ms, "timeout of a node's watchdog: 4 x detect, 8 to 60 whole seconds")                  \
	X(watchdog_grace_ms,                                                                               \
	  "it is petted this long after its rules ended: watchdog / 2 + a level's fence runs")             \
	X(watchdog_margin_ms,                                                                              \
	  "watchdog_expired after grace + 2 1/4 x watchdog + this: 4 x token + watchdog / 16 + 1 s")       \
	X(watchdog_wait_ms,                                                                                \
	  "a node is out of the membership this long until watchdog_expired, with a watchdog as above")    \
	X(watchdog_wait_two_ms,                                                                            \
	  "of two nodes, who stays stays for this long before: + watchdog + 2 x stale + watchdog / 8")

struct timing {
#define X(name, rule) uint32_t name;
	TIMING_VALUES(X)
#undef X
};

#define TIMING_DETECT_MIN_MS 1000
#define TIMING_DETECT_MAX_MS 60000
/* What an operator may set by hand; the inequalities narrow it further. */
#define TIMING_FENCE_MIN_MS 1000
#define TIMING_FENCE_MAX_MS (10 * 60 * 1000)
#define TIMING_OTHER_MIN_MS 1000
#define TIMING_OTHER_MAX_MS (24 * 60 * 60 * 1000)

#define TIMING_TOGETHER_MAX 16

struct timing_in {
	uint32_t detect_ms; /* TIMING_DETECT_MIN_MS..TIMING_DETECT_MAX_MS */
	unsigned n_nodes;   /* 1..NODES_MAX */
	unsigned
		n_links; /* knet links between them: 0 and 1 are one, 2: a lost link must not cost the view */
	uint32_t fence_timeout_ms; /* 0: derived; else the operator's per-attempt time */
	uint32_t ready_age_ms;     /* 0: derived */
	uint32_t post_join_ms;     /* 0: derived */
	uint32_t cut_delay_ms;     /* 0: derived; a static delay stays possible */
	unsigned n_together;       /* most devices in one fence level; 0 and 1 are one */
};

struct timing_check {     /* one inequality: left must stay below right */
	const char *rule; /* static text: "2 x heartbeat < stale" */
	const char *why;  /* static text: what goes wrong when it does not hold */
	const char *fix;  /* static text: what an operator can change */
	uint32_t left_ms, right_ms;
	bool ok; /* left_ms < right_ms */
};
#define TIMING_CHECKS_MAX 16

/**
 * timing_solve() - derive all times from @in.
 * @ret:    set on success and when a check fails (so that it can be shown), untouched on -EINVAL
 * @checks: [TIMING_CHECKS_MAX] written, @n_checks of them; either may be NULL
 * Return: 0; -EINVAL an input is out of range; -ERANGE an inequality does not hold: the set cannot be safe
 * Source of the factors: measured, see doc/timing.md
 */
int timing_solve(const struct timing_in *in, struct timing *ret, struct timing_check *checks,
		 unsigned *n_checks);

/* What a takeover may take until detection, worst case: token + consensus plus one knet ping. */
uint32_t timing_detect_worst_ms(const struct timing *t);

/* From a silent target until its users get an I/O error: noop interval + timeout + replacement. */
uint32_t timing_io_error_ms(const struct timing *t);

#endif
