/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef STOCKADE_DOCTOR_CORE_INTERNAL_H
#define STOCKADE_DOCTOR_CORE_INTERNAL_H

#include "diagnose.h"

/* words.c: text, evidence and remedies of ret->cause. */
void doctor_words(const struct doctor_facts *f, struct doctor_diagnosis *ret);

#endif
