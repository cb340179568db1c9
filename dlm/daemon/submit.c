/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "submit.h"

#include "lib/wire.h"

#include <errno.h>
#include <string.h>

int dlmd_submit_read(struct dlm_op *op, const void *data, size_t len)
{
	struct wire_r r, s;
	const uint8_t *p;

	memset(op, 0, sizeof(*op));
	wire_r_init(&r, data, len);
	wire_r_section(&r, &s);
	op->cookie = wire_r_u64(&s);
	op->type = wire_r_u8(&s);
	op->pid = wire_r_u32(&s);
	op->lkid = wire_r_u32(&s);
	op->mode = wire_r_u8(&s) - 1;
	op->flags = wire_r_u32(&s);
	op->has_lvb = wire_r_bool(&s);
	if (op->has_lvb && (p = wire_r_bytes(&s, DLM_LVB_BYTES)))
		memcpy(op->lvb, p, DLM_LVB_BYTES);
	op->space_len = wire_r_u8(&s);
	p = wire_r_bytes(&s, op->space_len);
	if (p && op->space_len <= DLM_NAME_MAX)
		memcpy(op->space, p, op->space_len);
	op->name_len = wire_r_u8(&s);
	p = wire_r_bytes(&s, op->name_len);
	if (p && op->name_len <= DLM_NAME_MAX)
		memcpy(op->name, p, op->name_len);
	if (wire_r_done(&r) < 0 || op->type == DLM_OP_CLIENT_GONE)
		return -EPROTO; /* that a client is gone is seen, not told */
	return 0;
}
