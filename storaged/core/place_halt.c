/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Letting go of everything because this node may not hold anything (SAFE-7): in order, then writes stopped by force, then
 * users killed, then a reboot. Each reason has a time by which all must be let go; the grades lie in it in the same proportions,
 * cfg.deny_ms and cfg.hasten_ms of cfg.stop_ms. Of several reasons the earliest end counts; no end ever moves to a later time.
 *
 *   no quorum, no corosync    stop_ms from the loss on
 *   declared dead             stop_ms from the word on
 *   not petted any more       fence_state.let_go_ms to let_go_end_ms: before the watchdog fires, and so long before the others
 *                             may count on that (fenced/core/letgo.c); the loser of a two-node cut, above all
 *   cut off                   two nodes, the other one is lost, and a disk says that our key was taken off it: it goes on, with what we had.
 *                             Our writes are refused already; stop_ms for the rest, as nobody is left to fence us when that hangs
 */
#include "place_int.h"

#include <stdio.h>

/* A ring that lasts a blink goes out as not quorate (view_merge.h): not worth a stop. Nothing starts meanwhile. */
#define BLINK_MS 300

struct reason {
	const char *why; /* NULL: there is none */
	uint64_t since_ms, end_ms;
};

static void count(struct reason *r, const char *why, uint64_t since_ms, uint64_t end_ms)
{
	if (r->why && r->end_ms <= end_ms)
		return;
	*r = (struct reason){ why, since_ms, end_ms };
}

/* When are things to be let go for the watchdog's sake; UINT64_MAX: not at all. */
static uint64_t let_go_ms(const struct place *p)
{
	return p->fence.let_go_ms ? p->fence.let_go_ms : UINT64_MAX;
}

static bool lost_and_cut(const struct place *p)
{
	return p->cut_off && p->cfg.frame.n_nodes == 2 && p->have_view &&
	       !nodeset_empty(p->nodes) && nodeset_equal(p->nodes, nodeset_of(p->cfg.self));
}

/*
 * From when on things are let go for want of quorum. A storaged that has just started, and hears that corosync does not answer, gives it
 * a quarter of the time to come: at a restart of both, or on a busy machine, it is not there at once. The end does not move (SAFE-7).
 */
static uint64_t quorum_halt_ms(const struct place *p)
{
	return p->no_quorum_ms + (p->viewed ? BLINK_MS : p->cfg.stop_ms / 4);
}

/* May things run here at all? Before the first view what is ours stays up for a while. What fenced said stays when it restarts. */
static struct reason reason_of(const struct place *p)
{
	struct reason r = { NULL, 0, 0 };
	uint64_t now = p->now_ms;

	if (p->fence.self_victim)
		count(&r, "the other nodes declared this node dead", now, now + p->cfg.stop_ms);
	if (!p->have_view || !p->quorate) {
		if (p->no_quorum_ms && now >= quorum_halt_ms(p))
			count(&r, p->have_view ? "quorum is lost" : "corosync is gone",
			      p->viewed ? p->no_quorum_ms : quorum_halt_ms(p),
			      p->no_quorum_ms + p->cfg.stop_ms);
		else if (!p->no_quorum_ms && p->started && now >= p->grace_ms)
			count(&r, "there is no membership", now, now + p->cfg.stop_ms);
	}
	if (now >= let_go_ms(p))
		count(&r, p->fence.let_go_why, p->fence.let_go_ms + p->let_go_late_ms,
		      p->fence.let_go_end_ms + p->let_go_late_ms);
	if (lost_and_cut(p))
		count(&r, "the other node cut this one off from the shared disks", now,
		      now + p->cfg.stop_ms);
	return r;
}

/* Started by a storaged of this boot and not verified stopped: which service; n_services: none. (What a probe cannot tell, and none
 * of us started, keeps the others from starting it, but does not reboot this node for ever.) */
static unsigned held_here(const struct place *p)
{
	unsigned s = 0;

	for (; s < p->cfg.frame.n_services; s++) {
		struct runner_status st;

		runner_status(p->runner[s], &st);
		if (st.fact != RUNNER_STOPPED && st.fact != RUNNER_WAITING &&
		    (p->ours_stored[s] || st.go))
			break;
	}
	return s;
}

/* A part of stop_ms, in the time that there is. */
static uint64_t scaled_ms(const struct place *p, uint32_t part_ms)
{
	return part_ms ? p->halt_since_ms + (uint64_t)part_ms * p->halt_length_ms / p->cfg.stop_ms
		       : UINT64_MAX;
}

/* When a grade begins (SAFE-7); UINT64_MAX: it is left out. */
static uint64_t grade_ms(const struct place *p, enum place_halt grade)
{
	switch (grade) {
	case PLACE_HALT_NONE:
	case PLACE_HALT_ORDER: return p->halt_since_ms;
	case PLACE_HALT_DENY: return scaled_ms(p, p->cfg.deny_ms);
	case PLACE_HALT_HASTEN: return scaled_ms(p, p->cfg.hasten_ms);
	case PLACE_HALT_REBOOT: return p->halt_at_ms;
	}
	return UINT64_MAX;
}

uint64_t place_halt_next_ms(const struct place *p)
{
	uint64_t at = UINT64_MAX;

	if (!p->halted || p->halt_at_ms == UINT64_MAX)
		return UINT64_MAX;
	for (enum place_halt g = p->halt + 1; g <= PLACE_HALT_REBOOT; g++)
		if (grade_ms(p, g) < at)
			at = grade_ms(p, g);
	return p->rebooted ? UINT64_MAX : at;
}

uint64_t place_halt_due_ms(const struct place *p)
{
	uint64_t at = p->halted ? place_halt_next_ms(p) : UINT64_MAX, go = let_go_ms(p);

	/* also while we let go for a reason that leaves more time */
	if (go > p->now_ms && go < at)
		at = go;
	if (p->halted)
		return at;
	if (p->no_quorum_ms && quorum_halt_ms(p) < at)
		at = quorum_halt_ms(p);
	else if (!p->no_quorum_ms && p->started && !p->have_view && p->grace_ms < at)
		at = p->grace_ms;
	return at;
}

/* The time of a grade has come, and something is still held: stop its writes, then kill who uses it. */
static void halt_grades(struct place *p, const char *why)
{
	static const struct {
		enum place_halt grade;
		enum place_note note;
		struct runner_event ev;
	} grades[] = {
		{ PLACE_HALT_DENY, PLACE_NOTE_DENY, { .type = RUNNER_EV_DENY } },
		{ PLACE_HALT_HASTEN, PLACE_NOTE_HASTEN, { .type = RUNNER_EV_HASTEN } },
	};

	for (unsigned i = 0; i < sizeof(grades) / sizeof(grades[0]); i++) {
		if (p->halt >= grades[i].grade || grade_ms(p, grades[i].grade) > p->now_ms)
			continue;
		p->halt = grades[i].grade;
		place_note(p, grades[i].note, -1, p->cfg.self, p->now_ms - p->halt_since_ms, why);
		for (unsigned s = 0; s < p->cfg.frame.n_services; s++)
			place_feed(p, s, grades[i].ev);
	}
}

/* Why it reboots, for whoever finds the node up again: what it could not let go of, in the driver's words. */
static const char *reboot_words(struct place *p, const char *why, unsigned held)
{
	struct runner_status st;
	const char *what = "";

	runner_status(p->runner[held], &st);
	for (unsigned i = 0; i < st.n; i++)
		if (st.res[i].state != RUNNER_RES_STOPPED)
			what = st.res[i].why; /* the last of them: it is stopped first */
	return place_text(p, "%s, and this node could not let go of %s in time%s%s", why,
			  p->cfg.frame.service[held].name, *what ? ": " : "", what);
}

/* Who slept through all of the time is given its grades from now on: what would reset us by then would have done so already. */
static void late(struct place *p)
{
	if (!p->fence.let_go_ms)
		p->let_go_late_ms = 0;
	else if (!p->halted && !p->let_go_late_ms && p->now_ms >= p->fence.let_go_end_ms)
		p->let_go_late_ms = p->now_ms - p->fence.let_go_ms;
}

void place_halt(struct place *p)
{
	struct reason r;
	unsigned held;

	late(p);
	r = reason_of(p);
	if (!r.why) {
		if (p->halted && p->halt_at_ms != UINT64_MAX)
			place_note(p, PLACE_NOTE_RESUME, -1, p->cfg.self, 0, NULL);
		p->halted = false;
		p->halt_at_ms = UINT64_MAX;
		p->halt = PLACE_HALT_NONE;
		p->halt_why = NULL;
		return;
	}
	held = held_here(p);
	bool holds = held < p->cfg.frame.n_services;

	if (!p->halted || (p->halt_at_ms != UINT64_MAX && r.end_ms < p->halt_at_ms)) {
		p->halt_since_ms = r.since_ms;
		p->halt_length_ms = r.end_ms - r.since_ms;
		p->halt_at_ms = holds ? r.end_ms : UINT64_MAX;
	}
	if (!p->halted) {
		p->halted = true;
		p->halt = PLACE_HALT_ORDER;
		if (holds)
			place_note(p, PLACE_NOTE_HALT, -1, p->cfg.self, 0, r.why);
		for (unsigned s = 0; s < p->cfg.frame.n_services; s++)
			place_down(p, s, true, r.why);
		held = held_here(p);
		holds = held < p->cfg.frame.n_services;
	}
	p->halt_why = r.why;
	if (!holds) {
		p->halt_at_ms = UINT64_MAX;
		return;
	}
	if (p->halt_at_ms != UINT64_MAX)
		halt_grades(p, r.why);
	if (p->now_ms >= p->halt_at_ms && !p->rebooted) {
		p->rebooted = true;
		p->halt = PLACE_HALT_REBOOT;
		place_emit(p, (struct place_action){
				      .type = PLACE_ACT_REBOOT,
				      .reboot = { .reason = reboot_words(p, r.why, held) } });
	}
}
