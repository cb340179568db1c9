/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ipc_wire.h - what ipc.c and ipc_client.c agree on: libqb's headers and nothing more. */
#ifndef STOCKADE_IPC_WIRE_H
#define STOCKADE_IPC_WIRE_H

#include "lib/shell/ipc.h"

#include <qb/qbipc_common.h>
#include <sys/socket.h>

/* To the daemon: struct qb_ipc_request_header, id is the type, then the payload. To the client: */
struct ipc_down_header {
	struct qb_ipc_response_header qb; /* id: the type; error: an ipc_role */
};

enum ipc_role { IPC_ROLE_EVENT = 0, IPC_ROLE_REPLY = 1 };

/* The short way: one JSON request a datagram, its reply the same, on an abstract SOCK_SEQPACKET socket. A connection of libqb
 * is three rings of shared memory, a hundred system calls on either side: ten times what a question and its answer cost. */
struct sockaddr_un;
socklen_t ipc_short_address(struct sockaddr_un *sa, const char *name); /* of a name that fits */

#define IPC_QB_BYTES (IPC_BYTES_MAX + 4096) /* libqb's limit, its headers included */

#endif
