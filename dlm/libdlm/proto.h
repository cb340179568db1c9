/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* proto.h - libstockade-dlm and dlmd on the socket "stockade-dlmd" (libqb IPC; lib/wire.h inside one section each).
 *
 * SUBMIT is answered at once, without a body when it was taken, else as a REPLY; then, when it was taken, exactly one REPLY, and
 * for requests that have a completion one DONE. All of it comes down libqb's event channel in the order in which it arose
 * (lib/shell/ipc_wire.h), so a client need not wait for the answer before it sends on.
 */
#ifndef STOCKADE_DLM_PROTO_H
#define STOCKADE_DLM_PROTO_H

enum dlm_ipc {
	DLM_IPC_SUBMIT =
		200, /* u64 cookie, u8 op, u32 pid, u32 lkid, u8 mode + 1, u32 flags, bool has_lvb [32 bytes],
				 u8 len space, u8 len name */
	DLM_IPC_REPLY, /* u64 cookie, u32 -rc, u32 lkid */
	DLM_IPC_DONE, /* u32 lkid, u32 status (0, errno, ECANCEL, EUNLOCK), u8 sbflags, bool gone, u8 mode + 1,
				 u64 token, bool lvb_read [32 bytes] */
	DLM_IPC_BLOCKING, /* u32 lkid, u8 mode + 1 */
	DLM_IPC_EVICTED,  /* nothing: this node was declared dead by the others */
};

/* Same numbers as enum dlm_op_type in dlm/core/dlm.h; dlmd asserts it. */
enum dlm_ipc_op {
	DLM_IPC_OP_LOCK = 1,
	DLM_IPC_OP_CONVERT,
	DLM_IPC_OP_UNLOCK,
	DLM_IPC_OP_PURGE = 5
};

#define DLM_IPC_NAME "stockade-dlmd"
#define DLM_IPC_BYTES (128 * 1024 + 4096) /* as lib/shell/ipc_wire.h */

#endif
