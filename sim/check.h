/* SPDX-License-Identifier: GPL-3.0-or-later */
/* sim/check.h - the rules: what must hold after every step (doc/SAFETY.md), and what must come in the end. */
#ifndef STOCKADE_SIM_CHECK_H
#define STOCKADE_SIM_CHECK_H

#include "world.h"

/* Every rule that a world can break: id, and what it says. `sim --rules` prints the table. */
struct rule {
	const char *id, *text;
	const char *where; /* the function that looks */
};
extern const struct rule rules[];
extern const unsigned n_rules;

/* After a step of fenced's core. */
void check_fence(struct world *w, uint32_t id, const struct fence_event *ev,
		 const struct fence_actions *out);
void check_fence_note(struct world *w, uint32_t id, const struct fence_action *a);
void check_fence_off(struct world *w, uint32_t id,
		     uint32_t victim);                /* an agent begins to switch off */
void check_fence_sleep(struct world *w, uint32_t id); /* it stands still, or goes on */
void check_fence_hurry(struct world *w, uint32_t id, const struct fence_action *a);
void check_held(struct world *w, uint32_t id, const char *does);
void check_fence_forget(struct world *w, uint32_t id);   /* what it knew counts no more */
void check_goodbyes_about(struct world *w, uint32_t id); /* it holds something from now on */
bool fence_round_is_held_up(struct world *w); /* by who hangs, and began too late to be over */
void check_fence_quiet(struct world *w);
void check_fence_lives(struct world *w);

/* Drills: what fenced says, and what the devices did (FENCE-19). */
void check_drill_step(struct world *w, uint32_t id, const struct fence_event *ev,
		      bool going); /* it reboots its node */
void check_drill_note(struct world *w, uint32_t id, const struct fence_action *a);
void check_drill_off(struct world *w, uint32_t id, const struct fence_action *a); /* it begins */
void check_drill_forget(struct world *w, uint32_t id);
void check_drill_acted(struct world *w, uint32_t node, unsigned feed);
void check_drill_lied(struct world *w, uint32_t node, unsigned feed);
void check_drill_read(struct world *w, uint32_t node, unsigned feed);
uint32_t check_drill_wait_ms(const struct plan *plan); /* so long may a drilled node wait */

/* After a step of dlmd's core; and when a client's lock becomes more than it was. */
void check_dlm(struct world *w, uint32_t id, const struct dlm_event *ev,
	       const struct dlm_actions *out);
void check_dlm_begin(struct world *w, uint32_t id); /* its dlmd starts */
void check_locks_begin(uint32_t id);
void check_locks(struct world *w, uint32_t id, const struct dlm_event *ev,
		 const struct dlm_actions *out);
void check_lock(struct world *w, uint32_t id, const struct handle *h);
void check_volume_lock(struct world *w, uint32_t id, unsigned v);
void check_value(struct world *w, uint32_t id, const struct handle *h, uint64_t value);

/* After a step of storaged's core; when its gate opens; now and then. */
void check_storage(struct world *w, uint32_t id, const struct place_event *ev, int rc);
void check_gate(struct world *w, uint32_t id, int service);
void check_let_go(struct world *w, uint32_t id);
void check_unpetted(struct world *w, uint32_t id, uint64_t slack_ms);
void check_fence_wish(struct world *w, uint32_t id, uint32_t node);
void check_goodbye(struct world *w, uint32_t id);
void check_start(struct world *w, uint32_t id, unsigned v); /* a driver is about to activate it */
void check_activation(struct world *w, uint32_t id, unsigned v);

/* Members at one place of the agreed order hold the same. */
void check_point(struct world *w, unsigned part, const char *rule, uint32_t id, uint64_t index,
		 uint64_t digest);

void check_storage_point(struct world *w, uint32_t id, uint64_t index);

/* Is all well now? False: @why says what is not. */
bool check_well(struct world *w, char *why, size_t len);

#endif
