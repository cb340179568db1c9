/* SPDX-License-Identifier: GPL-3.0-or-later */
/* fenced/daemon/agent.h - running ClusterLabs fence agents, unchanged, by their stdin API (ref/fencing.md 2).
 *
 * Parameters go to stdin as name=value, secrets too: they are read from their files for each run and never reach a command
 * line, the environment or a log. Of `plug` and its old name `port` exactly one is sent, the one that the agent's metadata
 * has (the stock fence_xvm refuses both at once). Metadata is asked once per agent.
 *
 * Jobs on one device wait for each other (but `concurrency` of it run at once), and so do all jobs of the stock fence_xvm and
 * fence_virt: their host daemon calls back to one fixed port, and a run beside another could take its answer. A job is never
 * killed to make room for another. What is to be fenced comes before what is only checked. What an agent leaves behind in the
 * background is killed when it has answered: it could act later, on another life of the node.
 */
#ifndef STOCKADE_FENCED_DAEMON_AGENT_H
#define STOCKADE_FENCED_DAEMON_AGENT_H

#include "fenced/core/fence.h"
#include "lib/shell/config.h"
#include "lib/shell/loop.h"

struct agents;

struct agent_result {
	enum fence_answer answer;  /* a check that passed: DONE */
	char text[FENCE_TEXT_MAX]; /* device, plug, what was said: evidence, or what to repair */
	int rc;                    /* exit code; -1: none */
	uint64_t took_ms;
};

typedef void agent_done(void *arg, uint64_t id, bool check, const struct agent_result *res);

/* @done is called once for every job that was not cancelled. NULL: no memory. */
struct agents *agents_new(struct loop *loop, const struct config *cfg, agent_done *done, void *arg);
struct agents *agents_free(struct agents *a);

/* An agent's action on one device of @node. @started, may be NULL, is called when it really begins. */
void agents_run(struct agents *a, uint64_t id, const struct config_node *node,
		const struct config_fence_use *use, enum fence_agent_action action);

/* Is this path to @node alive? Asks the list of plugs where the agent has it, and the status, without changing anything. The
 * status has to agree with what is known: @on, and the device says off: it is wired to another machine (SAFE-6). */
void agents_check(struct agents *a, uint64_t id, const struct config_node *node,
		  const struct config_fence_use *use, bool on);

/* Is a run of this device in the way of any other of the same agent? So is the stock fence_xvm: it is called back at one port. */
bool agents_alone(const struct agents *a, unsigned device);

void agents_cancel(struct agents *a, uint64_t id);

#endif
