/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "submit.h"

#include "lib/wire.h"

#include <errno.h>
#include <string.h>

int dlmd_submit_read(struct dlm_op *op, const void *data, size_t len)
{
	struct wire_r r, s;

	memset(op, 0, sizeof(*op));
	wire_r_init(&r, data, len);
	wire_r_section(&r, &s);
	op->cookie = wire_r_u64(&s);
	op->type = wire_r_u8(&s);
	dlm_op_read_rest(&s, op);
	if (wire_r_done(&r) < 0 || op->type == DLM_OP_CLIENT_GONE)
		return -EPROTO; /* that a client is gone is seen, not told */
	return 0;
}
