/* SPDX-License-Identifier: GPL-3.0-or-later */
/* fence_agents/doctor/doctor.h - inside of stockade-fence-doctor: sees what can be seen of the way to a device; core/ judges.
 *
 *   main.c   which checks there are, a child for each    host.c  addresses, routes, bridges, neighbours, pings
 *   look.c   one check: the agent's own question         ear.c   what comes to an interface, whoever drops it later
 *   virt.c   hypervisors: probes and call-backs          bmc.c   BMCs: the question without login
 *
 * Nobody is fenced: the agent is asked for a status, a monitor or a check, and nothing else. Every wait has an end.
 */
#ifndef STOCKADE_DOCTOR_DOCTOR_H
#define STOCKADE_DOCTOR_DOCTOR_H

#include "core/diagnose.h"

#include "lib/shell/config.h"
#include "lib/shell/loop.h"

#include <sys/socket.h>

#define AGENT_MS 12000    /* an agent is killed then */
#define LOOK_MORE_MS 2500 /* after a failure, for what comes back late */
#define LOOK_LATE_MS 500  /* after a failure that took long */
#define LOOK_GOOD_MS 300  /* after a good answer: for the probe, which says more */
#define PEERS_MAX 4
#define DOCTOR_STATE STOCKADE_RUNDIR "/doctor"

extern const char *doctor_state; /* directory */

/* Heard by somebody who listens all the time (fenced). */
struct heard {
	struct doctor_query query;
};

struct ear;
struct virt;
struct bmc;

struct look {
	struct loop *loop;
	const struct config *cfg;
	const struct config_node *self, *node;
	const struct config_fence_use *use;
	const struct config_device *dev;
	char path[CONFIG_PATH_MAX]; /* of the agent */
	uint64_t begin_ms;
	struct doctor_facts f;
	struct ear *ear;
	struct virt *virt;
	struct bmc *bmc;
};

/* look.c */
void look_at(struct look *l, const struct heard *heard);       /* fills l->f */
const char *look_param(const struct look *l, const char *key); /* NULL: not given */

/* ear.c: hears TCP SYNs to @port and their answers, UDP from @port, and IGMP, on every interface, before any firewall. */
struct ear_packet {
	bool syn;     /* of a call-back */
	bool syn_ack; /* this kernel's answer to it, on its way out */
	bool igmp_query;
	unsigned ifindex;
	struct sockaddr_storage from; /* with its port */
	const uint8_t *data;          /* UDP payload; borrowed */
	size_t len;
};
struct ear *ear_new(struct loop *loop, int family, uint16_t port,
		    void (*heard)(void *arg, const struct ear_packet *p),
		    void *arg); /* NULL: errno */
struct ear *ear_free(struct ear *e);

/* host.c */
struct host_address {
	char iface[16];
	unsigned ifindex;
	struct sockaddr_storage address; /* port 0 */
};
#define HOST_ADDRESSES_MAX 64
/* Addresses of @family on interfaces that are up, without loopback and link-local. */
unsigned host_addresses(int family, struct host_address *to, unsigned max);
bool host_parse(const char *text, uint16_t port, struct sockaddr_storage *to, socklen_t *len);
const char *host_text(const struct sockaddr_storage *a, char *to,
		      size_t size); /* without the port */
bool host_same(const struct sockaddr_storage *a, const struct sockaddr_storage *b);
/* By which address and interface does the kernel go there? -errno: it does not. */
int host_route(const struct sockaddr_storage *to, socklen_t len, char *from, size_t from_size,
	       char iface[16]);
bool host_gateway(char *to, size_t size);                       /* IPv4 */
void host_bridge(const char *iface, struct doctor_bridge *ret); /* that it is, or is a port of */
/* Does it answer a ping, or as a neighbour? Waits up to @ms. */
enum doctor_tri host_alive(const struct sockaddr_storage *to, socklen_t len, const char *iface,
			   unsigned ms);
socklen_t host_len(const struct sockaddr_storage *a);
/* An ICMP error that waits at a socket with IP_RECVERR. */
enum doctor_icmp host_icmp(int fd, char *from, size_t from_size);
void host_want_errors(int fd, int family);

/* virt.c */
void virt_begin(struct look *l);
void virt_failed(struct look *l);        /* the agent had no answer */
bool virt_content(const struct look *l); /* nothing more can come that matters */
void virt_end(struct look *l);

/* bmc.c */
void bmc_begin(struct look *l);
bool bmc_content(const struct look *l);
void bmc_end(struct look *l);

#endif
