/* SPDX-License-Identifier: GPL-3.0-or-later */
/* fence_agents/virtd/backend.h - libvirt, kept at arm's length.
 *
 * libvirt's calls block for as long as libvirtd pleases, so none is made in the daemon. Each URI has a process of its own
 * (the daemon's program, executed anew: it holds no keys) with threads that make the calls; daemon and process exchange
 * whole messages over a socket pair. A call that does not come back costs a thread there; when too many hang, or one for too
 * long, the process is killed and made anew. What was asked and not answered is answered VIRTD_DOWN.
 */
#ifndef STOCKADE_VIRTD_BACKEND_H
#define STOCKADE_VIRTD_BACKEND_H

#include "core/virtd.h"

#include "lib/shell/loop.h"

struct backend_msg { /* between two processes of one program: no wire format */
	enum {
		BACKEND_JOB = 1, /* to it */
		BACKEND_DONE,
		BACKEND_GUEST,
		BACKEND_LIFE,
		BACKEND_UP,
		BACKEND_LOST,
		BACKEND_CHANNEL, /* a socket of a running guest; text: its path */
	} type;
	uint64_t job;
	enum virtd_job kind;
	bool keep;
	enum virtd_done done;
	enum virtd_life life;
	enum attest_end end;
	struct virtd_guest guest; /* JOB: name may hold a uuid */
	char text[VIRTD_PATH_MAX];
};

struct backends;

struct backend_ops {
	void (*event)(void *arg, const struct virtd_event *ev);
	/* A guest has a channel at this path (serial listener); again after each look. */
	void (*channel)(void *arg, const char *uuid, const char *path);
};

/* @channels: NULL, or "serial" or "channel": which unix sockets to tell of. */
struct backends *backends_new(struct loop *loop, const struct virtd_conf *conf,
			      const char *channels, const struct backend_ops *ops, void *arg);
struct backends *backends_free(struct backends *b);
void backends_job(struct backends *b, const struct virtd_action *a);
unsigned backends_restarts(const struct backends *b);

int backend_main(int fd, const char *uri,
		 const char *channels); /* the process; does not return while @fd is open */

#endif
