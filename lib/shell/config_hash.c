/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The hash of what a configuration means: order, comments, spelling and defaults written out do not change it. */
#include <inttypes.h>
#include <limits.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "config_parse.h"

static void mix(uint64_t *hash, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* FNV-1a over "key=value\0": it finds differences between honest nodes, it does not resist an attacker. */
static void mix(uint64_t *hash, const char *fmt, ...)
{
	char line[4 * CONFIG_PATH_MAX];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	for (int i = 0; i <= n && i < (int)sizeof(line); i++)
		*hash = (*hash ^ (uint8_t)line[i]) * UINT64_C(0x100000001b3);
}

static void mix_use(uint64_t *h, const struct config *cfg, const struct config_fence_use *use)
{
	mix(h, "use=%s plug=%s", cfg->device[use->device].name, use->plug);
	for (unsigned i = 0; i < use->n_params; i++) {
		const struct config_param *c = &cfg->use_param[use->first_param + i];

		mix(h, "use param=%s file=%d value=%s", c->key, c->secret_file, c->value);
	}
}

static void mix_nodes(uint64_t *h, const struct config *cfg)
{
	for (unsigned i = 0; i < cfg->n_nodes; i++) {
		const struct config_node *n = &cfg->node[i];

		mix(h, "node %u=%s links=%u", n->id, n->name, n->n_links);
		for (unsigned l = 0; l < n->n_links; l++)
			mix(h, "link=%s", n->link[l]);
		for (unsigned l = 0; l < n->n_levels; l++) {
			mix(h, "level=%u", n->level[l].n);
			for (unsigned u = 0; u < n->level[l].n; u++)
				mix_use(h, cfg, &n->level[l].use[u]);
		}
		mix(h, "unfence=%u", n->unfence.n);
		for (unsigned u = 0; u < n->unfence.n; u++)
			mix_use(h, cfg, &n->unfence.use[u]);
	}
	for (unsigned i = 0; i < cfg->n_devices; i++) {
		const struct config_device *d = &cfg->device[i];

		mix(h, "device=%s agent=%s at once=%u storage=%d", d->name, d->agent,
		    d->concurrency, d->storage);
		if (d->attest)
			mix(h, "attest=%s port=%u", d->attest_host, d->attest_port);
		for (unsigned k = 0; k < d->n_params; k++)
			mix(h, "param=%s file=%d value=%s", d->param[k].key,
			    d->param[k].secret_file, d->param[k].value);
	}
}

static void mix_volumes(uint64_t *h, const struct config *cfg)
{
	for (unsigned i = 0; i < cfg->n_volumes; i++) {
		const struct config_volume *v = &cfg->volume[i];

		mix(h, "volume=%s iscsi=%d portal=%s target=%s", v->name, v->iscsi, v->portal,
		    v->target);
		mix(h, "chap=%s file=%s", v->chap_username, v->chap_password_file);
		mix(h, "vg=%s lv=%s file=%s", v->vg, v->lv, v->file);
		mix(h, "fs=%d mount=%s fsck=%d options=%s", v->fs, v->mount, v->fsck_preen,
		    v->options);
	}
}

static int by_number(const void *a, const void *b)
{
	const uint32_t *na = a, *nb = b;

	return *na < *nb ? -1 : *na > *nb;
}

static void mix_services(uint64_t *h, const struct config *cfg)
{
	for (unsigned i = 0; i < cfg->n_domains; i++) {
		const struct config_domain *d = &cfg->domain[i];
		uint32_t node[NODES_MAX];

		memcpy(node, d->node, sizeof(node));
		if (!d->ordered)
			qsort(node, d->n_nodes, sizeof(node[0]), by_number);
		mix(h, "domain=%s ordered=%d restricted=%d failback=%d", d->name, d->ordered,
		    d->restricted, d->failback);
		for (unsigned n = 0; n < d->n_nodes; n++)
			mix(h, "in=%u", node[n]);
	}
	for (unsigned i = 0; i < cfg->n_services; i++) {
		const struct config_service *s = &cfg->service[i];

		mix(h, "service=%s domain=%s enabled=%d", s->name,
		    s->domain == UINT_MAX ? "" : cfg->domain[s->domain].name, s->enabled);
		mix(h, "restarts=%u window=%u", s->restarts, s->restart_window_ms);
		for (unsigned k = 0; k < s->n_resources; k++) {
			const struct config_resource *r = &s->resource[k];

			mix(h, "resource=%d ref=%s interface=%s start=%u stop=%u monitor=%u",
			    r->type, r->ref, r->interface, r->start_ms, r->stop_ms, r->monitor_ms);
			/* as written by releases that did not know it: the default is no difference */
			if (!r->warm &&
			    (r->type == CONFIG_RES_UNIT || r->type == CONFIG_RES_SCRIPT))
				mix(h, "warm=no");
		}
	}
}

uint64_t config_meaning_hash(const struct config *cfg)
{
	const struct timing_in *t = &cfg->timing_in;
	uint64_t h = UINT64_C(0xcbf29ce484222325);

	mix(&h, "cluster=%s detect=%u reboot=%d", cfg->cluster, cfg->detect_ms, cfg->fence_reboot);
	mix(&h, "fence_timeout=%u age=%u post_join=%u cut_delay=%u", t->fence_timeout_ms,
	    t->ready_age_ms, t->post_join_ms, t->cut_delay_ms);
	mix(&h, "watchdog=%d device=%s storage=%d daemons=%d", cfg->watchdog, cfg->watchdog_device,
	    cfg->watchdog_storage, cfg->watchdog_daemons);
	mix(&h, "loop=%u within=%u", cfg->loop_max, cfg->loop_ms);
	for (unsigned i = 0; i < cfg->n_pings; i++)
		mix(&h, "ping=%s", cfg->ping[i]);
	mix_nodes(&h, cfg);
	mix_volumes(&h, cfg);
	mix_services(&h, cfg);
	return h;
}
