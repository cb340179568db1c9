/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tools/key_ask.h - ask hypervisors, over the way that fencing takes, whether they hold a key (fence_agents/virt/echo.h).
 *
 * stockade-virtd answers; the stock fence_virtd does not know the question, and is silent as if nobody were there.
 */
#ifndef STOCKADE_KEY_ASK_H
#define STOCKADE_KEY_ASK_H

#include "fence_agents/virt/echo.h"
#include "lib/shell/config.h"

#define KEY_HOSTS_MAX 16
#define KEY_HOST_TEXT 64

/* Where a fence device's requests go. */
struct key_where {
	bool tcp;  /* to each host; else to the group */
	bool ipv6; /* the group's family */
	char group[KEY_HOST_TEXT];
	uint16_t port; /* of the group, or of tcp */
	uint16_t
		attest_port; /* where stockade-virtd takes an echo of one host alone; 0: do not try */
	unsigned n_hosts;    /* those that have to answer; 0: whoever does */
	char host[KEY_HOSTS_MAX][KEY_HOST_TEXT]; /* addresses or names */
};

struct key_heard {
	char from[KEY_HOST_TEXT];  /* address that it answered from, numeric */
	unsigned host;             /* which of where->host that is; KEY_HOSTS_MAX: none of them */
	enum echo_verdict verdict; /* the best it said: SAME before all others; never STRAY */
	struct echo_answer answer; /* SAME */
};

/*
 * Hosts, group and ports of a fence_xvm device. -EINVAL: it takes a way without keys (serial, channel). With vsock the hypervisor is asked
 * by network all the same, on the port of statements, once its address is named.
 */
int key_where_of(const struct config_device *dev, struct key_where *ret);

/* Is it one of the agents that use such a key? By its name: fence_xvm, fence_virt, stockade-fence_xvm. */
bool key_device(const struct config_device *dev);
const char *key_param(const struct config_device *dev, const char *name, const char *otherwise);

/**
 * key_ask() - ask until every named host has proven it (with none named: 200 ms after the last answer), or the time is over.
 * @heard: [@max] written
 * @why:   set when nothing could be asked: what is wrong
 * Return: how many answered; -errno: nothing could be asked (no address, no route)
 */
int key_ask(const struct key_where *where, const struct echo_key *key, unsigned timeout_ms,
	    struct key_heard *heard, unsigned max, char *why, size_t why_len);

#endif
