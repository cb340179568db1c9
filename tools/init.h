/* SPDX-License-Identifier: GPL-3.0-or-later */
/* init.h - what `stockade init` gathers, by options or by asking, before it writes anything. */
#ifndef STOCKADE_INIT_H
#define STOCKADE_INIT_H

#include "lib/shell/config.h"

#include <stdbool.h>

#define INIT_TEXT_MAX 1024

/* As given: the configuration's own reader judges the result, with its own words. */
struct init {
	char cluster[CONFIG_NAME_MAX];
	char detect[CONFIG_NAME_MAX];
	unsigned n_nodes, n_devices, n_uses, n_volumes, n_services;
	struct {
		char name[CONFIG_NAME_MAX], link[CONFIG_LINKS_MAX][CONFIG_NAME_MAX];
	} node[NODES_MAX];
	struct {
		char name[CONFIG_NAME_MAX],
			params[INIT_TEXT_MAX]; /* "agent: fence_xvm, key_file: ..." */
	} device[CONFIG_DEVICES_MAX];
	struct {
		char node[CONFIG_NAME_MAX], device[CONFIG_NAME_MAX], plug[CONFIG_NAME_MAX];
	} use[NODES_MAX * CONFIG_LEVELS_MAX];
	struct {
		char name[CONFIG_NAME_MAX], iscsi[INIT_TEXT_MAX],
			rest[INIT_TEXT_MAX]; /* "    vg: x\n..." */
	} volume[CONFIG_VOLUMES_MAX];
	struct {
		char name[CONFIG_NAME_MAX], resources[INIT_TEXT_MAX]; /* "{volume: x}, {unit: y}" */
	} service[CONFIG_SERVICES_MAX];
	bool xvm_key; /* make /etc/cluster/fence_xvm.key */
};

/* Each takes one option's value apart; false: reported. */
bool init_node(struct init *in, const char *text);    /* NAME=ADDRESS[,ADDRESS] */
bool init_device(struct init *in, const char *text);  /* NAME=AGENT[,KEY=VALUE...] */
bool init_fence(struct init *in, const char *text);   /* NODE=DEVICE[:PLUG] */
bool init_volume(struct init *in, const char *text);  /* NAME,KEY=VALUE... */
bool init_service(struct init *in, const char *text); /* NAME,TYPE=REF... */
void init_fence_xvm(struct init *in);                 /* every node is a guest of that name */

bool init_ask(struct init *in); /* questions on the terminal for what is missing; false: given up */

#endif
