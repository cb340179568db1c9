/* SPDX-License-Identifier: GPL-3.0-or-later */
/* sim/question.h - one question about two or three fenceds, asked at every moment: `sim --cut`, `sim --dog`. The one world
 * draws cuts and watchdogs too, among everything else; these are small, tens of thousands a second, and judge the outcome.
 */
#ifndef STOCKADE_SIM_QUESTION_H
#define STOCKADE_SIM_QUESTION_H

#include <stdbool.h>
#include <stdint.h>

struct question {
	const char *option; /* "--cut" */
	/* One seed's world. Return: it broke a rule, which is printed, with the seed. */
	bool (*play)(uint64_t seed, bool verbose);
	void (*sum)(uint64_t seeds); /* prints what was played, as one line */
};

extern const struct question
	question_cut; /* two nodes lose each other: exactly one is left (SAFE-4) */
extern const struct question
	question_dog; /* nobody is proven dead by a watchdog while it runs (SAFE-12) */

#endif
