// SPDX-License-Identifier: GPL-3.0-or-later
/* fence_scsi - a fence agent that cuts a node off from shared disks, by persistent reservations.
 *
 * The node goes on running; what it can do no more is write (proof `storage_cut`). off removes every key of the victim
 * from every disk and reads back, on each path; on registers this very node, before it uses the disks. How: lib/shell/
 * scsi_guard.h. Differs from the agent of the same name that wraps sg_persist: keys name cluster, nodeid and boot, not the
 * place in a list; a life that was cut off does not come back; a target that cannot do what is needed is refused.
 */
#include "fence_agents/lib/agent.h"
#include "lib/shell/boot.h"
#include "lib/shell/scsi_guard.h"

#include <corosync/cmap.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DISKS_MAX 64
#define NODES_MAX_LISTED 64

struct node {
	uint32_t id;
	char name[64];
};

struct scsi {
	struct scsi_guard guard;
	char cluster[128];
	unsigned
		n_nodes; /* of corosync's nodelist; 0: corosync was not asked, or does not answer */
	struct node nodes[NODES_MAX_LISTED];
	unsigned n;
	struct scsi_disk disk[DISKS_MAX];
};

static const struct agent_param params[] = {
	{ .name = "devices",
	  .letter = 'd',
	  .required = true,
	  .arg = "list",
	  .text = "The shared disks, apart by commas or blanks: /dev/disk/by-id/..., or a multipath device." },
	{ .name = "cluster_name",
	  .text = "Name of the cluster, part of each key; without it corosync is asked." },
	{ .name = "nodeid",
	  .type = AGENT_INTEGER,
	  .min = 1,
	  .max = 63,
	  .text = "Id of the node that runs the agent; without it corosync is asked." },
	{ .name = "volatile_ok",
	  .type = AGENT_BOOLEAN,
	  .value = "0",
	  .text = "Accept a target that forgets registrations when it restarts." },
	{ .name = "run_dir",
	  .value = SCSI_GUARD_RUN,
	  .text = "Where it is kept that this boot has registered; must not outlive the boot." },
	{ .name = "boot_id",
	  .hidden = true,
	  .text = "Of this node, for tests; the kernel is asked." },
	{ .name = "aptpl", .hidden = true, .text = "Without effect: on where the target can." },
	{ .name = "logfile", .hidden = true, .text = "Without effect." },
	{ .name = "readonly", .hidden = true, .text = "Without effect." },
	{ .name = "key", .hidden = true, .text = "Refused: keys name cluster, node and boot." },
	{ .name = "key_value", .hidden = true, .text = "Refused." },
	{ 0 },
};

/* --- who is who --------------------------------------------------------------------------------------- */

static void ask_nodes(struct scsi *me, cmap_handle_t cmap)
{
	char key[64];

	for (unsigned i = 0; i < NODES_MAX_LISTED; i++) {
		struct node *n = &me->nodes[me->n_nodes];
		char *name = NULL;

		snprintf(key, sizeof(key), "nodelist.node.%u.nodeid", i);
		if (cmap_get_uint32(cmap, key, &n->id) != CS_OK)
			break;
		snprintf(key, sizeof(key), "nodelist.node.%u.name", i);
		if (cmap_get_string(cmap, key, &name) == CS_OK)
			snprintf(n->name, sizeof(n->name), "%s", name);
		free(name);
		me->n_nodes++;
	}
}

/* What was not given is corosync's to say. */
static int ask_corosync(struct agent *a)
{
	struct scsi *me = agent_state(a);
	cmap_handle_t cmap;
	char *name = NULL;
	uint32_t self = 0;

	if (cmap_initialize(&cmap) != CS_OK)
		return agent_error(
			a, ECONNREFUSED,
			"corosync does not answer: start it, or give cluster_name and nodeid");
	ask_nodes(me, cmap);
	if (!me->cluster[0] && cmap_get_string(cmap, "totem.cluster_name", &name) == CS_OK)
		snprintf(me->cluster, sizeof(me->cluster), "%s", name);
	free(name);
	if (!me->guard.self &&
	    cmap_get_uint32(cmap, "runtime.votequorum.this_node_id", &self) == CS_OK)
		me->guard.self = self;
	cmap_finalize(cmap);
	if (!me->cluster[0] || !me->guard.self)
		return agent_error(
			a, ENOENT,
			"corosync does not say the cluster's name and this node's id: give cluster_name "
			"and nodeid");
	return 0;
}

static int read_boot_id(struct agent *a)
{
	struct scsi *me = agent_state(a);
	char text[BOOT_ID_TEXT];

	if (agent_given(a, "boot_id"))
		snprintf(text, sizeof(text), "%s", agent_get(a, "boot_id"));
	else
		boot_id_text(text);
	if (incarnation_boot_parse(text, me->guard.boot_id) < 0)
		return agent_error(a, EINVAL, "the boot id cannot be read: is /proc mounted?");
	return 0;
}

static int identify(struct agent *a)
{
	struct scsi *me = agent_state(a);
	const char *cluster = agent_get(a, "cluster_name");

	if (cluster && strlen(cluster) >= sizeof(me->cluster))
		return agent_error(a, EINVAL, "cluster_name is longer than %zu bytes",
				   sizeof(me->cluster) - 1);
	snprintf(me->cluster, sizeof(me->cluster), "%s", cluster ? cluster : "");
	me->guard.self = agent_given(a, "nodeid") ? (uint32_t)agent_number(a, "nodeid") : 0;
	me->guard.cluster = me->cluster;
	me->guard.run = agent_get(a, "run_dir");
	me->guard.volatile_ok = agent_is(a, "volatile_ok");
	if ((!me->cluster[0] || !me->guard.self) && ask_corosync(a) < 0)
		return -ENOENT;
	return read_boot_id(a);
}

/* @plug: a nodeid, or a name of corosync's nodelist. */
static int plug_node(struct agent *a, const char *plug, uint32_t *ret)
{
	struct scsi *me = agent_state(a);
	char *end;
	unsigned long id = strtoul(plug, &end, 10);

	if (*plug && !*end && id >= 1 && id <= NODEID_MAX) {
		*ret = (uint32_t)id;
		return 0;
	}
	if (me->n_nodes == 0 && ask_corosync(a) < 0)
		return -ENOENT;
	for (unsigned i = 0; i < me->n_nodes; i++)
		if (strcmp(me->nodes[i].name, plug) == 0) {
			*ret = me->nodes[i].id;
			return 0;
		}
	return agent_error(a, ENOENT,
			   "corosync knows no node \"%s\": plug is a node's name or its id", plug);
}

/* --- the disks ---------------------------------------------------------------------------------------- */

static int validate(struct agent *a)
{
	if (agent_given(a, "key") || agent_given(a, "key_value"))
		return agent_error(
			a, EINVAL,
			"key and key_value are not taken: keys name cluster, node and boot, so that no "
			"two nodes or lives have the same");
	return 0;
}

static void disks_close(struct agent *a)
{
	struct scsi *me = agent_state(a);

	for (unsigned i = 0; i < me->n; i++)
		scsi_disk_close(&me->disk[i]);
	me->n = 0;
}

static int disks_open(struct agent *a)
{
	struct scsi *me = agent_state(a);
	char *list = strdup(agent_get(a, "devices")), *save = NULL;
	int r = list ? identify(a) : agent_error(a, ENOMEM, "no memory");

	for (char *dev = list ? strtok_r(list, ", \t", &save) : NULL; r == 0 && dev;
	     dev = strtok_r(NULL, ", \t", &save)) {
		if (me->n == DISKS_MAX) {
			r = agent_error(a, E2BIG, "devices: more than %d", DISKS_MAX);
			break;
		}
		struct scsi_disk *d = &me->disk[me->n++];

		r = scsi_disk_find(d, "", dev);
		if (r == 0)
			r = scsi_disk_open(d);
		if (r < 0)
			agent_error(a, -r, "%s", d->text);
		else
			agent_debug(a, "%s: %u paths, id %s", dev, d->n, d->id);
	}
	free(list);
	if (r == 0 && me->n == 0)
		r = agent_error(a, EINVAL, "devices is empty: name the shared disks");
	if (r < 0)
		disks_close(a);
	return r;
}

static int fail_guard(struct agent *a, int r)
{
	struct scsi *me = agent_state(a);

	return agent_error(a, -r, "%s", me->guard.text);
}

/* Off only if cut on every disk; one disk that it can still write to is on; one that cannot be read is unknown. */
static int node_status(struct agent *a, const char *plug, enum agent_power *ret)
{
	struct scsi *me = agent_state(a);
	bool all_cut = true;
	uint32_t node;

	int r = plug_node(a, plug, &node);
	for (unsigned i = 0; r == 0 && i < me->n; i++) {
		enum scsi_pr_standing now = SCSI_PR_UNKNOWN;

		r = scsi_guard_node(&me->guard, &me->disk[i], node, &now);
		if (r < 0)
			return fail_guard(a, r);
		all_cut = all_cut && now == SCSI_PR_CUT;
	}
	if (r == 0)
		*ret = all_cut ? AGENT_OFF : AGENT_ON;
	return r;
}

static int node_set(struct agent *a, const char *plug, enum agent_power to, enum agent_power *seen)
{
	struct scsi *me = agent_state(a);
	uint32_t node;

	(void)seen; /* the library reads back */
	int r = plug_node(a, plug, &node);
	if (r == 0 && to == AGENT_ON && node != me->guard.self)
		return agent_error(
			a, EPERM,
			"on registers the node that runs the agent, and no other: run it on %s",
			plug);
	for (unsigned i = 0; r == 0 && i < me->n; i++) {
		r = to == AGENT_ON ? scsi_guard_join(&me->guard, &me->disk[i])
				   : scsi_guard_cut(&me->guard, &me->disk[i], node);
		if (r < 0)
			return fail_guard(a, r);
	}
	return r;
}

static int monitor(struct agent *a)
{
	struct scsi *me = agent_state(a);
	int r = 0;

	for (unsigned i = 0; r == 0 && i < me->n; i++)
		r = scsi_guard_fit(&me->guard, &me->disk[i]);
	return r < 0 ? fail_guard(a, r) : 0;
}

/* Nodes as corosync knows them, so that a caller finds the one it wants to cut: by its name, and by its id, as plug may be either. */
static int list(struct agent *a)
{
	struct scsi *me = agent_state(a);

	if (me->n_nodes == 0 && ask_corosync(a) < 0)
		return -ENOENT;
	for (unsigned i = 0; i < me->n_nodes; i++) {
		enum agent_power now = AGENT_UNKNOWN;
		char id[16];

		snprintf(id, sizeof(id), "%u", me->nodes[i].id);
		node_status(a, id, &now);
		agent_list_row(a, me->nodes[i].name[0] ? me->nodes[i].name : id, id, now);
	}
	return 0;
}

/* --- watching ourselves ------------------------------------------------------------------------------- */

static const struct {
	const char *name, *text;
} own_texts[] = {
	[SCSI_PR_OWN_UNKNOWN] = { "unknown", "cannot be told" },
	[SCSI_PR_OWN_GOOD] = { "good", "registered on every path" },
	[SCSI_PR_OWN_PARTLY] = { "partly",
				 "a path is not registered, or nothing is reserved; action=repair mends it" },
	[SCSI_PR_OWN_FORGOTTEN] = { "forgotten",
				    "not registered, and not cut off; action=on registers" },
	[SCSI_PR_OWN_CUT] = { "cut", "cut off by another node; reboot this one" },
};

/* 0: registered everywhere; 1: unknown, or in need of repair; 2: cut off. For a watchdog's test, or a timer. */
static int check(struct agent *a, const char *plug)
{
	struct scsi *me = agent_state(a);
	enum scsi_pr_own worst = SCSI_PR_OWN_GOOD;

	(void)plug;
	for (unsigned i = 0; i < me->n; i++) {
		enum scsi_pr_own own = SCSI_PR_OWN_UNKNOWN;

		int r = scsi_guard_own(&me->guard, &me->disk[i], &own);

		if (r < 0) {
			fail_guard(a, r);
			return AGENT_EXIT_FAILED;
		}
		printf("%s: %s: %s\n", me->disk[i].path[0].name, own_texts[own].name,
		       own_texts[own].text);
		if (own > worst)
			worst = own;
	}
	if (worst != SCSI_PR_OWN_GOOD && worst != SCSI_PR_OWN_CUT)
		agent_error(a, EAGAIN, "a registration is missing: %s", own_texts[worst].text);
	return worst == SCSI_PR_OWN_GOOD  ? AGENT_EXIT_OK
	       : worst == SCSI_PR_OWN_CUT ? AGENT_EXIT_OFF
					  : AGENT_EXIT_FAILED;
}

/* Register on paths that came later, or again after the target has forgotten everybody. Never after a cut. */
static int repair(struct agent *a, const char *plug)
{
	struct scsi *me = agent_state(a);

	(void)plug;
	for (unsigned i = 0; i < me->n; i++) {
		int r = scsi_guard_join(&me->guard, &me->disk[i]);

		if (r < 0) {
			fail_guard(a, r);
			return AGENT_EXIT_FAILED;
		}
	}
	printf("Success: registered on every path\n");
	return AGENT_EXIT_OK;
}

/* Take our keys away: for a node that leaves for good. Others may go on writing; this node must not use the disks. */
static int leave(struct agent *a, const char *plug)
{
	struct scsi *me = agent_state(a);

	(void)plug;
	for (unsigned i = 0; i < me->n; i++) {
		int r = scsi_guard_leave(&me->guard, &me->disk[i]);

		if (r < 0) {
			fail_guard(a, r);
			return AGENT_EXIT_FAILED;
		}
	}
	printf("Success: no key of this node is left\n");
	return AGENT_EXIT_OK;
}

static const struct agent_action actions[] = {
	{ .name = "check", .run = check },
	{ .name = "repair", .run = repair },
	{ .name = "leave", .run = leave },
	{ 0 },
};

static const struct agent_def def = {
	.name = "fence_scsi",
	.short_text = "Fence agent that cuts nodes off from shared disks",
	.text = "fence_scsi uses SCSI-3 persistent reservations: each node registers before it writes (action on, by itself), and "
		"who is fenced loses all its registrations on every disk, with its commands in flight. The node goes on "
		"running, reads, and answers on the network; it cannot write.\n\n"
		"A node that was cut off registers again only after a reboot. check says how this node stands (exit 2: cut "
		"off), repair registers on paths that came later.\n\n"
		"The target must know PREEMPT AND ABORT (LIO does, tgt does not) and keep registrations over its own "
		"restart, or volatile_ok=1 says that you accept what follows from that.",
	.param = params,
	.common = AGENT_HAS_PLUG,
	.flags = AGENT_FABRIC | AGENT_ALWAYS | AGENT_ON_AUTOMATIC,
	.action = actions,
	.state_bytes = sizeof(struct scsi),
	.validate = validate,
	.open = disks_open,
	.close = disks_close,
	.status = node_status,
	.set = node_set,
	.list = list,
	.monitor = monitor,
};

int main(int argc, char **argv)
{
	return agent_main(&def, argc, argv);
}
