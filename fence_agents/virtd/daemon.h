/* SPDX-License-Identifier: GPL-3.0-or-later */
/* fence_agents/virtd/daemon.h - the shell around fence_agents/virtd/core: translate, feed, carry out, arm.
 *
 *   main.c     options, keys, start and stop      backend.c  libvirt's processes, seen from here
 *   net.c      sockets                            worker.c   libvirt's processes, from inside
 *   attest.c   statements over UDP, sealed        report.c   audit, log, status, what survives a restart
 *   view.c     how we see the way to who asks  group.c    membership in multicast groups
 */
#ifndef STOCKADE_VIRTD_DAEMON_H
#define STOCKADE_VIRTD_DAEMON_H

#include "backend.h"
#include "core/virtd.h"

#include "lib/shell/history.h"
#include "lib/shell/ipc.h"
#include "lib/shell/loop.h"

#include <sys/socket.h>

#define VIRTD_CONF_PATH "/etc/fence_virt.conf"
#define VIRTD_STATE_DIR STOCKADE_STATEDIR "/virtd"
#define PEERS_MAX 128

#define VIRTD_MEMBERS_MAX 64
#define VIRTD_IFNAME_BYTES 16

struct conn;

struct virtd_group { /* of a multicast listener: where it is joined */
	unsigned n;
	unsigned ifindex[VIRTD_MEMBERS_MAX];
	char name[VIRTD_MEMBERS_MAX][VIRTD_IFNAME_BYTES];
	bool full; /* it could not be joined on all */
};

struct peer { /* of statements: what the core calls by a number */
	struct sockaddr_storage addr;
	socklen_t len;
	uint64_t used_ms;
};

struct virtd {
	struct loop *loop;
	const char *path, *state_dir, *name;
	struct virtd_conf *conf;
	struct virtd_core *core;
	struct backends *backends;
	struct ipc_server *ipc;
	struct history *history;
	struct loop_timer *deadline, *channels_timer, *nag;
	uint64_t start_ms;
	int listen_fd[VIRTD_LISTENERS_MAX];
	int alone_fd
		[VIRTD_LISTENERS_MAX]; /* multicast: its port by unicast, for echoes of this host alone */
	struct virtd_group group[VIRTD_LISTENERS_MAX];
	int link_fd; /* the kernel's news of links; -1: none */
	struct loop_timer *group_timer;
	struct { /* of the datagram that is being fed */
		int fd;
		struct sockaddr_storage to;
		socklen_t len;
	} reply;
	char host[ECHO_HOST_MAX + 1];
	int igmp_fd; /* hears queries; -1: we may not */
	uint64_t query_ms;
	uint8_t query_code;
	struct conn *conns;
	uint64_t conn_last;                   /* numbers given out to accepted ones */
	uint8_t seal_key[VIRTD_KEYS_MAX][32]; /* derived: never the key itself */
	unsigned n_seal_keys, seal_listener;
	int attest_fd;
	struct peer peer[PEERS_MAX];
	int keep_fd;
	uint32_t keep_next;
};

/* main.c */
void feed(struct virtd *d, struct virtd_event ev);
bool reload(struct virtd *d); /* false: something was wrong, and what was before stays */

/* view.c: how this host sees the way to who asks */
void view_listen(struct virtd *d);
void view_done(struct virtd *d);
/* @ifindex: that the datagram came by, 0: not known; @group: was it sent to the group? */
void view_take(const struct virtd *d, unsigned listener, unsigned ifindex, enum echo_known group,
	       struct echo_view *ret);

/* net.c */
/* Feed a datagram that came to @fd; VIRTD_ACT_REPLY goes back to where it came from. */
void net_datagram(struct virtd *d, int fd, unsigned listener, const struct sockaddr_storage *from,
		  socklen_t from_len, const void *data, size_t len, const struct echo_view *view);
void net_reply(struct virtd *d, const struct virtd_action *a);
int net_listen(struct virtd *d); /* 0, or -errno after a line that says what is wrong */
void net_done(struct virtd *d);
void net_connect(struct virtd *d, const struct virtd_action *a);
void net_send(struct virtd *d, const struct virtd_action *a);
void net_close(struct virtd *d, uint64_t conn);
void net_channel(void *arg, const char *uuid, const char *path);
unsigned net_conns(const struct virtd *d);

/* group.c */
int group_join(struct virtd *d, unsigned listener); /* -errno: on no interface */
void group_watch(struct virtd *d);                  /* from now on, as interfaces come and go */
void group_done(struct virtd *d);

/* attest.c */
int attest_listen(struct virtd *d);
void attest_done(struct virtd *d);
void attest_keys(struct virtd *d, const struct virtd_key *key, unsigned n);
void attest_send(struct virtd *d, const struct virtd_action *a);

/* report.c */
void report_open(struct virtd *d);
void report_close(struct virtd *d);
void report_audit(struct virtd *d, const struct virtd_action *a);
void report_fact(struct virtd *d, const struct virtd_action *a);
void report_keep(struct virtd *d, const uint8_t digest[VIRTD_DIGEST_BYTES]);
int report_show(const char *name);   /* --status: asks the running daemon; exit code */
int report_reload(const char *name); /* --reload: has it read its files anew, waits until it has */

#endif
