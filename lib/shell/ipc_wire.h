/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ipc_wire.h - what ipc.c and ipc_client.c agree on: libqb's headers and nothing more. */
#ifndef STOCKADE_IPC_WIRE_H
#define STOCKADE_IPC_WIRE_H

#include "lib/shell/ipc.h"

#include <qb/qbipc_common.h>

/* To the daemon: struct qb_ipc_request_header, id is the type, then the payload. To the client: */
struct ipc_down_header {
	struct qb_ipc_response_header qb; /* id: the type; error: an ipc_role */
};

enum ipc_role { IPC_ROLE_EVENT = 0, IPC_ROLE_REPLY = 1 };

#define IPC_QB_BYTES (IPC_BYTES_MAX + 4096) /* libqb's limit, its headers included */

#endif
