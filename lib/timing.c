/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "timing.h"

#include <assert.h>
#include <errno.h>

#include "nodeset.h"

/* Measured, doc/timing.md has the tables. */
#define KNET_PING_MS \
	200 /* knet's heartbeat thread wakes this often, a shorter interval is not kept */
#define LINK_TIMEOUT_ONE_MS 1000 /* one link: held with tokens from 1000 down to 150 */
#define LINK_TIMEOUT_TWO_MS 500  /* two links: at 250 and below links flap */
#define TOKEN_FLOOR_MS 300       /* held under 24 CPU hogs and stalls of the whole machine */
#define KNET_START_MS 2500 /* from the start of corosync to a quorate ring, without the tokens */
#define FENCE_ATTEMPT_MS \
	40000 /* ClusterLabs power_timeout 20 s + login; fence_xvm gives up after 30 s */
#define READY_AGE_MS 300000
#define READY_INTERVAL_MAX_MS 60000
#define ISCSI_REOPEN_MS \
	3000 /* iscsid tries a lost connection again after this (ISCSI_CONN_ERR_REOPEN_DELAY) */
#define LET_GO_MS 10000 /* unit stop, unmount, deactivation, logout once I/O answers or fails */

static uint32_t clamp(uint32_t v, uint32_t low, uint32_t high)
{
	return v < low ? low : v > high ? high : v;
}

/* open-iscsi counts in seconds: round up, so that a derived time is never shorter than asked for. */
static uint32_t whole_seconds(uint32_t ms)
{
	return (ms + 999) / 1000 * 1000;
}

static bool in_range(uint32_t v, uint32_t low, uint32_t high)
{
	return v == 0 || (v >= low && v <= high);
}

/* Until a level has switched a node off: its devices go one after the other, and all of them have to (dual power). */
static uint32_t level_ms(const struct timing_in *in, const struct timing *t)
{
	return t->fence_attempt_ms * (in->n_together > 1 ? in->n_together : 1);
}

static void derive(const struct timing_in *in, struct timing *t)
{
	uint32_t detect = in->detect_ms;

	/* 10 ms for the roundings, so that the whole stays below detect. */
	t->token_ms = (detect - KNET_PING_MS - 10) * 10 / 22;
	t->consensus_ms = t->token_ms * 12 / 10 + 1;
	t->knet_ping_interval_ms = KNET_PING_MS;
	t->knet_ping_timeout_ms = clamp(t->token_ms / 2,
					in->n_links > 1 ? LINK_TIMEOUT_TWO_MS : LINK_TIMEOUT_ONE_MS,
					UINT32_MAX);
	t->heartbeat_ms = detect / 6;
	t->stale_ms = detect / 2;
	t->fence_attempt_ms = in->fence_timeout_ms ? in->fence_timeout_ms : FENCE_ATTEMPT_MS;
	t->cut_delay_ms = in->cut_delay_ms ? in->cut_delay_ms : level_ms(in, t) + 2 * detect;
	t->post_join_ms = in->post_join_ms ? in->post_join_ms
					   : clamp(10 * detect, 30000, UINT32_MAX);
	t->absent_ms = clamp(2 * detect, 10000, UINT32_MAX);
	t->fence_retry_min_ms = 1000;
	t->fence_retry_max_ms = 10000;
	/* A slow agent (a long fence_timeout) gets an age that leaves room for it. */
	t->ready_age_ms = in->ready_age_ms
				  ? in->ready_age_ms
				  : clamp(2 * t->fence_attempt_ms, READY_AGE_MS, UINT32_MAX);
	t->ready_interval_ms = t->ready_age_ms > t->fence_attempt_ms
				       ? clamp((t->ready_age_ms - t->fence_attempt_ms) / 3, 1,
					       READY_INTERVAL_MAX_MS)
				       : READY_INTERVAL_MAX_MS;
	t->iscsi_noop_interval_ms = clamp(whole_seconds(detect / 2), 1000, 5000);
	t->iscsi_noop_timeout_ms = t->iscsi_noop_interval_ms;
	t->iscsi_replacement_ms = clamp(whole_seconds(detect), 1000, 20000);
	t->iscsi_login_ms = clamp(whole_seconds(2 * detect), 5000, 15000);
	/* Not before open-iscsi has given the connection up: what waited on it is thrown away then, and cannot land later. */
	t->storage_ms = clamp(t->iscsi_noop_interval_ms + t->iscsi_noop_timeout_ms, t->stale_ms,
			      UINT32_MAX) +
			t->heartbeat_ms;
	t->storage_stop_ms = clamp(3 * detect, 9000, 20000);
	t->storage_turn_ms = t->iscsi_login_ms + ISCSI_REOPEN_MS + t->heartbeat_ms;
	t->stop_ms = timing_io_error_ms(t) + LET_GO_MS;
	t->halt_deny_ms = t->stop_ms / 4;
	t->halt_kill_ms = t->stop_ms / 2;
	t->watchdog_ms = clamp(whole_seconds(4 * detect), 8000, 60000);
	t->watchdog_grace_ms = t->watchdog_ms / 2 + level_ms(in, t);
	t->watchdog_margin_ms = 4 * t->token_ms + t->watchdog_ms / 16 + 1000;
	t->watchdog_wait_ms = t->watchdog_grace_ms + 2 * t->watchdog_ms + t->watchdog_ms / 4 +
			      t->watchdog_margin_ms;
	t->watchdog_wait_two_ms = t->watchdog_wait_ms + t->watchdog_ms + 2 * t->stale_ms +
				  t->watchdog_ms / 8;
}

struct list {
	struct timing_check *v;
	unsigned n;
	bool ok;
};

static void check(struct list *l, uint32_t left, uint32_t right, const char *rule, const char *why,
		  const char *fix)
{
	bool ok = left < right;

	assert(l->n < TIMING_CHECKS_MAX);
	if (l->v)
		l->v[l->n] = (struct timing_check){ .rule = rule,
						    .why = why,
						    .fix = fix,
						    .left_ms = left,
						    .right_ms = right,
						    .ok = ok };
	l->n++;
	l->ok &= ok;
}

static void check_all(const struct timing_in *in, const struct timing *t, struct list *l)
{
	check(l, timing_detect_worst_ms(t), in->detect_ms,
	      "token + consensus + knet_ping_interval < detect",
	      "a dead node would go unnoticed for longer than asked for", "raise detect");
	check(l, TOKEN_FLOOR_MS - 1, t->token_ms, "299 ms < token",
	      "below 300 ms a stall of the machine looks like a dead node", "raise detect");
	check(l, t->token_ms * 12 / 10, t->consensus_ms, "1.2 x token < consensus",
	      "corosync would form rings that fall apart at once", "raise detect");
	check(l, 2 * t->knet_ping_interval_ms, t->knet_ping_timeout_ms,
	      "2 x knet_ping_interval < knet_ping_timeout",
	      "one lost ping would take a healthy link down", "raise detect");
	if (in->n_links > 1)
		check(l, t->knet_ping_timeout_ms + t->knet_ping_interval_ms, t->token_ms,
		      "knet_ping_timeout + knet_ping_interval < token",
		      "the second link would be used too late: losing one link would cost a node",
		      "raise detect to 2 s or more, or configure one link");
	check(l, 2 * t->heartbeat_ms, t->stale_ms, "2 x heartbeat < stale",
	      "one slow write would make a living owner look dead", "raise detect");
	/* Corosync reports a dead node 2.04 x token after its death at the earliest (measured). */
	check(l, t->stale_ms + t->heartbeat_ms, 2 * t->token_ms, "stale + heartbeat < 2 x token",
	      "a crashed owner's heartbeat would still look fresh when corosync reports it dead (SAFE-4)",
	      "raise detect");
	/* The two sides of a cut notice it up to 3.6 x token apart (measured with partial cuts). */
	check(l, level_ms(in, t) + 4 * t->token_ms, t->cut_delay_ms,
	      in->n_together > 1 ? "fence_attempt x devices of a level + 4 x token < cut_delay"
				 : "fence_attempt + 4 x token < cut_delay",
	      "both sides of a cut could fence each other (SAFE-4)",
	      "raise cut_delay, or lower fence_timeout");
	check(l, in->detect_ms + KNET_START_MS, t->post_join_ms, "detect + 2.5 s < post_join",
	      "a node that is about to join would be fenced", "raise post_join");
	check(l, in->detect_ms, t->absent_ms, "detect < absent",
	      "a dead node could be mistaken for one whose daemon restarts", "raise detect");
	check(l, 2 * t->ready_interval_ms + t->fence_attempt_ms, t->ready_age_ms,
	      "2 x ready_interval + fence_attempt < ready_age",
	      "one missed check would close the gate for shared storage (SAFE-6)",
	      "raise fence_check_age, or lower fence_timeout");
	check(l, t->stale_ms, t->storage_ms, "stale < storage",
	      "one slow write would move a service away from a working disk", "lower detect");
	check(l, t->iscsi_noop_interval_ms + t->iscsi_noop_timeout_ms, t->storage_ms,
	      "noop interval + noop timeout < storage",
	      "what waits on a dead connection could land after its node let go (SAFE-1)",
	      "lower detect");
	check(l, timing_io_error_ms(t), t->stop_ms,
	      "noop interval + noop timeout + replacement < stop",
	      "a node without quorum could not let go of a dead disk in time (SAFE-7)",
	      "lower detect");
}

int timing_solve(const struct timing_in *in, struct timing *ret, struct timing_check *checks,
		 unsigned *n_checks)
{
	struct list l = { .v = checks, .ok = true };

	if (in->detect_ms < TIMING_DETECT_MIN_MS || in->detect_ms > TIMING_DETECT_MAX_MS ||
	    in->n_nodes < 1 || in->n_nodes > NODES_MAX || in->n_links > 2 ||
	    in->n_together > TIMING_TOGETHER_MAX ||
	    !in_range(in->fence_timeout_ms, TIMING_FENCE_MIN_MS, TIMING_FENCE_MAX_MS) ||
	    !in_range(in->ready_age_ms, TIMING_OTHER_MIN_MS, TIMING_OTHER_MAX_MS) ||
	    !in_range(in->post_join_ms, TIMING_OTHER_MIN_MS, TIMING_OTHER_MAX_MS) ||
	    !in_range(in->cut_delay_ms, TIMING_OTHER_MIN_MS, TIMING_OTHER_MAX_MS))
		return -EINVAL;

	derive(in, ret);
	check_all(in, ret, &l);
	if (n_checks)
		*n_checks = l.n;
	return l.ok ? 0 : -ERANGE;
}

uint32_t timing_detect_worst_ms(const struct timing *t)
{
	return t->token_ms + t->consensus_ms + t->knet_ping_interval_ms;
}

uint32_t timing_io_error_ms(const struct timing *t)
{
	return t->iscsi_noop_interval_ms + t->iscsi_noop_timeout_ms + t->iscsi_replacement_ms;
}
