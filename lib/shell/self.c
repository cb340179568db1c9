/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "lib/shell/self.h"
#include "lib/shell/boot.h"
#include "lib/shell/cluster.h"

#include <corosync/cmap.h>
#include <corosync/corotypes.h>
#include <errno.h>
#include <stdio.h>
#include <time.h>

static int read_life(struct incarnation *life)
{
	char text[BOOT_ID_TEXT];
	struct timespec now;

	if (boot_id_text(text) < 0 || incarnation_boot_parse(text, life->boot_id) < 0)
		return -EIO;
	clock_gettime(CLOCK_BOOTTIME, &now);
	life->join = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
	return 0;
}

static uint32_t corosync_nodeid(void)
{
	cmap_handle_t h;
	uint32_t id = 0;

	if (cluster_answers(CLUSTER_ANSWER_MS) < 0 || cmap_initialize(&h) != CS_OK)
		return 0;
	if (cmap_get_uint32(h, "runtime.votequorum.this_node_id", &id) != CS_OK)
		id = 0;
	cmap_finalize(h);
	return id;
}

const struct config_node *self_find(const struct config *cfg, struct incarnation *ret_life,
				    char *why, size_t why_len)
{
	struct incarnation life = { .nodeid = corosync_nodeid() };
	const struct config_node *node;

	if (life.nodeid == 0) {
		snprintf(why, why_len, "corosync does not answer; is corosync.service running?");
		errno = EAGAIN;
		return NULL;
	}
	node = config_node_by_id(cfg, life.nodeid);
	if (node == NULL) {
		snprintf(
			why, why_len,
			"corosync runs here as node id %u, which %s does not have; make the two agree "
			"(`stockade check` compares them)",
			life.nodeid, cfg->path);
		errno = EINVAL;
		return NULL;
	}
	if (read_life(&life) < 0) {
		snprintf(why, why_len, "the boot id cannot be read: is /proc mounted?");
		errno = EIO;
		return NULL;
	}
	*ret_life = life;
	return node;
}
