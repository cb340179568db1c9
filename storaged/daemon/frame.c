/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The config file's words turned into the core's. */
#include "daemon.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KILL_RETRY_MS 10000
#define PREPARE_RETRY_MS 20000
#define COOL_MS 60000
#define UNKNOWNS_MAX 3

const char *node_name(const struct daemon *d, uint32_t nodeid)
{
	const struct config_node *n = config_node_by_id(d->cfg, nodeid);

	return n ? n->name : "?";
}

const struct config_resource *frame_res(const struct daemon *d, unsigned service, unsigned res)
{
	return &d->cfg->service[service].resource[res];
}

bool frame_volume(const struct daemon *d, unsigned volume, unsigned *service, unsigned *res)
{
	for (*service = 0; *service < d->cfg->n_services; (*service)++)
		for (*res = 0; *res < d->cfg->service[*service].n_resources; (*res)++) {
			const struct config_resource *r = frame_res(d, *service, *res);

			if (r->type == CONFIG_RES_VOLUME && r->volume == volume)
				return true;
		}
	return false;
}

static void copy_name(char dst[SERVICE_NAME_MAX], const char *src)
{
	snprintf(dst, SERVICE_NAME_MAX, "%s", src);
}

/* InitiatorName= of open-iscsi: two nodes with the same one throw each other out. */
static void read_initiator(const struct daemon *d, char tag[SERVICE_TAG_MAX])
{
	char line[256];
	bool iscsi = false;
	FILE *f;

	for (unsigned v = 0; v < d->cfg->n_volumes; v++)
		iscsi = iscsi || d->cfg->volume[v].iscsi;
	f = iscsi ? fopen("/etc/iscsi/initiatorname.iscsi", "re") : NULL;
	while (f && fgets(line, sizeof(line), f)) {
		line[strcspn(line, "\r\n")] = '\0';
		if (strncmp(line, "InitiatorName=", 14) == 0)
			snprintf(tag, SERVICE_TAG_MAX, "%.*s", SERVICE_TAG_MAX - 1, line + 14);
	}
	if (f)
		fclose(f);
}

void frame_make(const struct daemon *d, struct place_config *pc)
{
	const struct config *cfg = d->cfg;
	struct service_frame *f = &pc->frame;

	memset(pc, 0, sizeof(*pc));
	f->n_nodes = cfg->n_nodes;
	for (unsigned i = 0; i < cfg->n_nodes; i++) {
		f->nodeid[i] = cfg->node[i].id;
		copy_name(f->node_name[i], cfg->node[i].name);
	}
	f->n_volumes = cfg->n_volumes;
	for (unsigned v = 0; v < cfg->n_volumes; v++)
		copy_name(f->volume[v], cfg->volume[v].name);
	f->n_services = cfg->n_services;
	for (unsigned s = 0; s < cfg->n_services; s++) {
		const struct config_service *from = &cfg->service[s];
		struct service_config *to = &f->service[s];

		copy_name(to->name, from->name);
		to->enabled = from->enabled;
		if (from->domain != UINT_MAX) {
			const struct config_domain *dom = &cfg->domain[from->domain];

			to->n_order = dom->n_nodes;
			memcpy(to->order, dom->node, sizeof(to->order));
			to->ordered = dom->ordered;
			to->restricted = dom->restricted;
			to->failback = dom->failback;
		}
		to->n = from->n_resources;
		for (unsigned i = 0; i < to->n; i++) {
			to->is_volume[i] = from->resource[i].type == CONFIG_RES_VOLUME;
			to->volume[i] = from->resource[i].volume;
		}
		to->restarts = from->restarts;
		to->restart_window_ms = from->restart_window_ms;
	}
	pc->self = d->self->id;
	pc->life = d->life;
	pc->hash = cfg->hash;
	read_initiator(d, pc->tag);
	pc->absent_ms = cfg->timing.absent_ms;
	pc->deny_ms = cfg->timing.halt_deny_ms;
	pc->hasten_ms = cfg->timing.halt_kill_ms;
	pc->stop_ms = cfg->timing.stop_ms;
	pc->storage_ms = cfg->timing.storage_ms;
	pc->storage_stop_ms = cfg->timing.storage_stop_ms;
	pc->storage_turn_ms = cfg->timing.storage_turn_ms;
	pc->cool_ms = COOL_MS;
	pc->kill_retry_ms = KILL_RETRY_MS;
	pc->prepare_retry_ms = PREPARE_RETRY_MS;
	pc->unknowns_max = UNKNOWNS_MAX;
}
