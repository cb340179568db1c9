/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What comes to an interface, before any firewall of this machine: so that "dropped here" is told from "never came". */
#include "doctor.h"
#include "packet.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct ear {
	struct loop *loop;
	int fd, family;
	uint16_t port;
	void (*heard)(void *arg, const struct ear_packet *p);
	void *arg;
};

/* IGMP; UDP from the port; TCP to or from the port with SYN. The rest stays in the kernel: disks may hang on this network. */
static int filter(int fd, int family, uint16_t port)
{
	struct sock_filter v4[] = {
		BPF_STMT(BPF_LD | BPF_H | BPF_ABS, (uint32_t)(SKF_AD_OFF + SKF_AD_PROTOCOL)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ETH_P_IP, 0, 14),
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 9),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_IGMP, 11, 0),
		BPF_STMT(BPF_LDX | BPF_B | BPF_MSH, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_UDP, 0, 2),
		BPF_STMT(BPF_LD | BPF_H | BPF_IND, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, port, 7, 8),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_TCP, 0, 7),
		BPF_STMT(BPF_LD | BPF_H | BPF_IND, 2),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, port, 2, 0),
		BPF_STMT(BPF_LD | BPF_H | BPF_IND, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, port, 0, 3),
		BPF_STMT(BPF_LD | BPF_B | BPF_IND, 13),
		BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, 2, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, 2048),
		BPF_STMT(BPF_RET | BPF_K, 0),
	};
	struct sock_filter v6[] = {
		BPF_STMT(BPF_LD | BPF_H | BPF_ABS, (uint32_t)(SKF_AD_OFF + SKF_AD_PROTOCOL)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ETH_P_IPV6, 0, 12),
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 6),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_UDP, 0, 2),
		BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 40),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, port, 7, 8),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_TCP, 0, 7),
		BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 42),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, port, 2, 0),
		BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 40),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, port, 0, 3),
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 53),
		BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, 2, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, 2048),
		BPF_STMT(BPF_RET | BPF_K, 0),
	};
	struct sock_fprog p4 = { sizeof(v4) / sizeof(*v4), v4 },
			  p6 = { sizeof(v6) / sizeof(*v6), v6 };

	return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, family == AF_INET6 ? &p6 : &p4,
			  sizeof(p4));
}

static void on_packet(void *arg, int fd, int revents)
{
	struct ear *e = arg;
	uint8_t buf[2048];

	(void)revents;
	for (unsigned i = 0; i < 64; i++) {
		struct sockaddr_ll from;
		socklen_t from_len = sizeof(from);
		struct ear_packet p = { .syn = false };
		ssize_t n = recvfrom(fd, buf, sizeof(buf), MSG_DONTWAIT, (struct sockaddr *)&from,
				     &from_len);

		if (n < 0)
			return;
		p.ifindex = (unsigned)from.sll_ifindex;
		/* what we send is of interest when it is this kernel's answer to a call-back */
		if (packet_dissect(e->family, e->port, buf, (size_t)n, &p) &&
		    (from.sll_pkttype == PACKET_OUTGOING) == p.syn_ack)
			e->heard(e->arg, &p);
	}
}

struct ear *ear_new(struct loop *loop, int family, uint16_t port,
		    void (*heard)(void *arg, const struct ear_packet *p), void *arg)
{
	uint16_t what = htons(ETH_P_ALL); /* what goes out is shown to nobody else */
	struct sockaddr_ll at = { .sll_family = AF_PACKET, .sll_protocol = what };
	struct ear *e = calloc(1, sizeof(*e));

	if (!e)
		return NULL;
	*e = (struct ear){ loop, -1, family, port, heard, arg };
	/* the filter first: nothing else may slip in before it */
	e->fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (e->fd < 0 || filter(e->fd, family, port) < 0 ||
	    bind(e->fd, (struct sockaddr *)&at, sizeof(at)) < 0 ||
	    loop_fd_add(loop, e->fd, POLLIN, on_packet, e) < 0) {
		int err = errno;

		if (e->fd >= 0)
			close(e->fd);
		free(e);
		errno = err;
		return NULL;
	}
	return e;
}

struct ear *ear_free(struct ear *e)
{
	if (e) {
		loop_fd_del(e->loop, e->fd);
		close(e->fd);
	}
	free(e);
	return NULL;
}
