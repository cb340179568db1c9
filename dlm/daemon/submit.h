/* SPDX-License-Identifier: GPL-3.0-or-later */
/* dlm/daemon/submit.h - what a program that is linked with libdlm writes to dlmd (dlm/libdlm/proto.h, SUBMIT). Pure. */
#ifndef STOCKADE_DLM_SUBMIT_H
#define STOCKADE_DLM_SUBMIT_H

#include "dlm/core/dlm.h"

/* Return: 0, or -EPROTO: no operation that a client may send. What it says of names and modes is for dlm_step() to judge. */
int dlmd_submit_read(struct dlm_op *op, const void *data, size_t len);

#endif
