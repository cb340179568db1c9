/* SPDX-License-Identifier: GPL-3.0-or-later */
/* agent_input.h - which program a fence agent is, and what it is told on stdin (ref/fencing.md 2). For fenced, and for who looks
 * at the way to a device without fencing (fence_agents/doctor).
 */
#ifndef STOCKADE_LIB_SHELL_AGENT_INPUT_H
#define STOCKADE_LIB_SHELL_AGENT_INPUT_H

#include "lib/shell/config.h"

#include <sys/types.h>

#define AGENT_INPUT_MAX 16384

/* A name is looked up where agents live; what is not found stays a name: tried by PATH, its absence told by the run. */
void agent_find(const char *agent, char path[CONFIG_PATH_MAX]);

/* fence_xvm, fence_virt, by name: the stock ones are called back to one fixed port, and a run beside another takes its answer. */
bool agent_calls_back(const char *path);

/* The agent API fixes the form of metadata: is there <@element ... name="@name"? */
bool agent_metadata_has(const char *xml, const char *element, const char *name);

/**
 * agent_input() - name=value lines for @action on one device of @node; parameters of the use go before the device's.
 * @port:  send the plug as port=, its old name, instead of plug= (exactly one is sent)
 * @more:  lines that go last, and so before all others; may be NULL
 * @buf:   AGENT_INPUT_MAX; holds secrets afterwards: explicit_bzero() it
 * Return: bytes, or -1: a secret cannot be read, or all is too long; @why says what to do
 */
ssize_t agent_input(const struct config *cfg, const char *node, const struct config_fence_use *use,
		    const char *action, bool port, const char *more, char *buf, char *why,
		    size_t why_len);

#endif
