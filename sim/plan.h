/* SPDX-License-Identifier: GPL-3.0-or-later */
/* sim/plan.h - what will happen in a world, decided before it begins: topology, times, and a list of timed acts.
 *
 * A plan is drawn from a seed, and then played (world.h). What it does not say (latencies, what a device answers) is drawn
 * from its `seed` as the world goes, from streams of their own, so that taking an act away changes little else. Because the
 * acts are data, a failing world can be made smaller (shrink.h), written down, read again and played again:
 *
 *	stockade plan 1
 *	seed 4711
 *	nodes 3
 *	parts fence,dlm,storage
 *	path bmc,key
 *	times token=1000 ...
 *	rates agent_fail=120 ...
 *	service restricted order=2,1
 *	at 12000 freeze node=2 for=4100
 *	end 60000
 */
#ifndef STOCKADE_SIM_PLAN_H
#define STOCKADE_SIM_PLAN_H

#include "lib/nodeset.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define PLAN_ACTS_MAX 400
#define PLAN_SERVICES_MAX 6
#define PLAN_PATH_MAX 4

enum part { PART_FENCE, PART_DLM, PART_STORAGE, PARTS }; /* also the index of a group in net.h */

#define PLAN_TIMES(X)     \
	X(token)          \
	X(detect)         \
	X(cut_delay)      \
	X(post_join)      \
	X(absent)         \
	X(retry_min)      \
	X(retry_max)      \
	X(ready_interval) \
	X(ready_age)      \
	X(confirm)        \
	X(stall)          \
	X(attempt)        \
	X(stale)          \
	X(stop)           \
	X(cool)           \
	X(watchdog)       \
	X(grace)          \
	X(margin)         \
	X(monitor)        \
	X(loop)

/* Permille of each run; `deny`: what a probe cannot tell; client_cancel: a client takes back what waits. */
#define PLAN_RATES(X)    \
	X(agent_fail)    \
	X(agent_timeout) \
	X(agent_lie)     \
	X(agent_late)    \
	X(agent_unknown) \
	X(drive_fail)    \
	X(drive_unknown) \
	X(drive_hang)    \
	X(probe_unknown) \
	X(late_quorum)   \
	X(client_cancel)

/* id, word, is a fault (else an operator's act), meaning of arg. All last `for` ms, 0: over at once. */
#define PLAN_ACTS(X)                                                                                           \
	X(PANIC, panic, true, "a kernel hangs in a panic, powered")                                            \
	X(POWER, power, true, "loses its power, for=: until it is back")                                       \
	X(RESET, reset, true, "reboots hard: a watchdog, or somebody at the button")                           \
	X(FREEZE, freeze, true, "the whole node stands still")                                                 \
	X(KILL, kill, true, "arg: a process (0 fenced 1 dlmd 2 storaged) dies, back after for=")               \
	X(HANG, hang, true,                                                                                    \
	  "arg: a process hangs; systemd's watchdog ends it after 30 s; arg2: it does not, nor does it go on") \
	X(COROSYNC, corosync, true, "corosync dies, back after for=")                                          \
	X(CUT, cut, true,                                                                                      \
	  "hears only those of the same arg; arg2: and the gateway does not hear it")                          \
	X(ONEWAY, oneway, true, "is heard by nobody: ring after ring while it lasts")                          \
	X(STORM, storm, true, "its ring breaks and forms again, the same")                                     \
	X(SLOW, slow, true, "messages reach it late, up to arg ms")                                            \
	X(DEVICE, device, true,                                                                                \
	  "arg: how its fence device answers (enum device_mode); arg2: which")                                 \
	X(DISK, disk, true, "cannot reach the shared disk")                                                    \
	X(MONITOR, monitor, true, "arg: a resource of service arg2 fails where it runs")                       \
	X(HAND, hand, true, "somebody activates the volume of service arg by hand")                            \
	X(TARGET, target, true,                                                                                \
	  "the disks' target restarts: nobody reaches them; plan: `forgets`: and nobody is registered")        \
	X(GATEWAY, gateway, true, "the gateway does not answer its pings")                                     \
	X(UNARMED, unarmed, true, "its watchdog cannot be armed")                                              \
	X(UNREADY, unready, true, "its fence path fails its checks")                                           \
	X(LEAVE, leave, false, "its daemons are stopped in order, and started after for=")                     \
	X(ENABLE, enable, false, "arg: service")                                                               \
	X(DISABLE, disable, false, "arg: service")                                                             \
	X(RELOCATE, relocate, false, "arg: service, arg2: where to, 0: anywhere")                              \
	X(RESTART, restart, false, "arg: service")                                                             \
	X(STANDBY, standby, false, "arg: node")                                                                \
	X(UNSTANDBY, unstandby, false, "arg: node")                                                            \
	X(CLEAR, clear, false, "arg: service: forget where it failed")                                         \
	X(ACK, ack, false, "acknowledges a victim that he saw to be off")                                      \
	X(ACK_WRONG, ack_wrong, false, "arg: a node that he acknowledges by force, unseen")                    \
	X(ACK_TRY, ack_try, false, "arg: a node that he acknowledges without force, unseen")                   \
	X(REQUEST, request, false, "arg: a node that is to be fenced")                                         \
	X(DRILL, drill, false, "arg: a node that is to be fenced to see whether it can be")                    \
	X(ADMIT, admit, false, "lets in all that are held for being fenced too often")                         \
	X(CONFIG, config, false, "restarts its daemons with another configuration (arg)")                      \
	X(ROLL, roll, false,                                                                                   \
	  "restarts the daemons of node after node, for= apart; arg: 1: as the next release, 2: as this one")  \
	X(SIGNS, signs, false, "without storaged: it says arg services run here; arg2: the disk")

enum act_kind {
	ACT_NONE = 0,
#define X(id, word, fault, text) ACT_##id,
	PLAN_ACTS(X)
#undef X
		ACT_KINDS
};

enum device_mode {
	DEVICE_OK,
	DEVICE_FAIL,     /* says that it failed, and did nothing */
	DEVICE_TIMEOUT,  /* says nothing; perhaps it does it */
	DEVICE_LIE,      /* says done, and does nothing */
	DEVICE_LATE,     /* says done, and does it later */
	DEVICE_TWICE,    /* does it, and again later */
	DEVICE_BABBLE,   /* says what nobody understands */
	DEVICE_GONE,     /* its own network is away: cannot be reached */
	DEVICE_STRANGER, /* does not know the node: "off" fails, and "status" says off */
	DEVICE_MODES
};

/* One level of every node's fence path: word, devices. */
#define PLAN_LEVELS(X)                                                                          \
	X(BMC, bmc, 1)         /* its own power */                                              \
	X(OUTLETS, outlets, 2) /* both have to be off */                                        \
	X(KEY, key, 1)         /* its registration on the disks: it runs on and cannot write */ \
	X(DOG, dog, 1)         /* its own watchdog */

enum plan_level {
#define X(id, word, devices) LEVEL_##id,
	PLAN_LEVELS(X)
#undef X
		LEVELS
};

struct act {
	uint32_t at_ms, for_ms;
	uint8_t kind, node;
	uint16_t arg, arg2;
};

struct plan_service {
	bool ordered, failback, restricted;
	unsigned n_order;
	uint8_t order[NODES_MAX];
};

struct plan {
	uint64_t seed;
	unsigned nodes, n_services;
	unsigned parts;  /* bits */
	unsigned n_path; /* levels of each node's fence path */
	uint8_t path[PLAN_PATH_MAX];
	bool forgets;      /* the disks' target forgets registrations when it restarts */
	bool gateway;      /* the nodes ping one */
	unsigned newer;    /* bit by node: its daemons begin as the next release */
	unsigned loop_max; /* so often fenced within loop_ms, a node is held; 0: no limit */
	unsigned clients;  /* that lock at random, of each node */
	bool locks;        /* without dlm: is there a truthful lock manager at all? */
	bool looks; /* a look before a start finds what storaged itself has active, too: a second guard, as locks are */
	bool records; /* drivers refuse a volume whose record names a living owner: a second guard, too */
	bool slow_reboot; /* fenced's reboot of its own node hangs for a while: storaged has to let go by itself */
	bool attest;     /* a hypervisor tells every fenced when it has ended a life */
	uint32_t end_ms; /* of the faults */
#define X(name) uint32_t name##_ms;
	PLAN_TIMES(X)
#undef X
#define X(name) uint32_t name;
	PLAN_RATES(X)
#undef X
	struct plan_service service[PLAN_SERVICES_MAX];
	unsigned n;
	struct act act[PLAN_ACTS_MAX];
};

/* @nodes: 0: as the seed says; @parts: bits */
void plan_draw(struct plan *plan, uint64_t seed, unsigned nodes, unsigned parts);
void plan_story(struct plan *plan); /* story.c: what one world in ten begins with */
void plan_print(const struct plan *plan, FILE *to);
/* Return: 0, or -EINVAL with a sentence in @why. */
int plan_read(struct plan *plan, FILE *from, char *why, size_t len);

bool plan_has_level(const struct plan *plan, enum plan_level level);
const char *plan_act_name(unsigned kind);
bool plan_act_is_fault(unsigned kind);
const char *plan_part_name(unsigned part);
int plan_parts_parse(const char *text); /* bits, or -EINVAL */

#endif
