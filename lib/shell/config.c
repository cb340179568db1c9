/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config_parse.h"

#define FILE_BYTES_MAX (1 << 20)

static void cluster_read(struct parse *p, void *obj, const struct item *it)
{
	struct config *cfg = obj;

	read_name(p, it, cfg->cluster, sizeof(cfg->cluster));
}

static void detect_read(struct parse *p, void *obj, const struct item *it)
{
	struct config *cfg = obj;

	p->detect_at = it->at;
	read_ms(p, it, TIMING_DETECT_MIN_MS, TIMING_DETECT_MAX_MS, &cfg->detect_ms);
}

static void fence_action_read(struct parse *p, void *obj, const struct item *it)
{
	static const char *const words[] = { "reboot", "off", NULL };
	struct config *cfg = obj;
	unsigned i;

	if (read_word(p, it, words, &i))
		cfg->fence_reboot = i == 0;
}

static void fence_timeout_read(struct parse *p, void *obj, const struct item *it)
{
	struct config *cfg = obj;

	p->fence_timeout_at = it->at;
	read_ms(p, it, TIMING_FENCE_MIN_MS, TIMING_FENCE_MAX_MS, &cfg->timing_in.fence_timeout_ms);
}

static void ready_age_read(struct parse *p, void *obj, const struct item *it)
{
	struct config *cfg = obj;

	p->ready_age_at = it->at;
	read_ms(p, it, TIMING_OTHER_MIN_MS, TIMING_OTHER_MAX_MS, &cfg->timing_in.ready_age_ms);
}

static void post_join_read(struct parse *p, void *obj, const struct item *it)
{
	struct config *cfg = obj;

	p->post_join_at = it->at;
	read_ms(p, it, TIMING_OTHER_MIN_MS, TIMING_OTHER_MAX_MS, &cfg->timing_in.post_join_ms);
}

static void cut_delay_read(struct parse *p, void *obj, const struct item *it)
{
	struct config *cfg = obj;

	p->cut_delay_at = it->at;
	read_ms(p, it, TIMING_OTHER_MIN_MS, TIMING_OTHER_MAX_MS, &cfg->timing_in.cut_delay_ms);
}

static const struct key top_keys[] = {
	{ "cluster", cluster_read, true },
	{ "detect", detect_read, true },
	{ "fence_action", fence_action_read, false },
	{ "fence_timeout", fence_timeout_read, false },
	{ "fence_check_age", ready_age_read, false },
	{ "post_join", post_join_read, false },
	{ "cut_delay", cut_delay_read, false },
	{ "ping", pings_read, false },
	{ "fence_loop", loop_read, false },
	{ "watchdog", watchdog_read, false },
	{ "nodes", nodes_read, true },
	{ "fence_devices", devices_read, false },
	{ "volumes", volumes_read, false },
	{ "domains", domains_read, false },
	{ "services", services_read, false },
	{ NULL, NULL, false },
};

static bool rule_holds(const struct timing_in *in, const char *rule)
{
	struct timing_check c[TIMING_CHECKS_MAX];
	struct timing t;
	unsigned n = 0;

	timing_solve(in, &t, c, &n);
	for (unsigned i = 0; i < n; i++)
		if (strcmp(c[i].rule, rule) == 0)
			return c[i].ok;
	return true;
}

/* To blame for a broken inequality: the value set by hand without which it would hold; else detect. */
static struct at timing_blame(const struct parse *p, const char *rule)
{
	struct timing_in in = p->cfg->timing_in;
	const struct {
		uint32_t *value;
		struct at at;
	} by_hand[] = {
		{ &in.cut_delay_ms, p->cut_delay_at },
		{ &in.ready_age_ms, p->ready_age_at },
		{ &in.post_join_ms, p->post_join_at },
		{ &in.fence_timeout_ms, p->fence_timeout_at },
	};

	for (size_t i = 0; i < sizeof(by_hand) / sizeof(by_hand[0]); i++) {
		uint32_t was = *by_hand[i].value;

		*by_hand[i].value = 0;
		if (was && rule_holds(&in, rule))
			return by_hand[i].at;
		*by_hand[i].value = was;
	}
	return p->detect_at;
}

static void timing_check_all(struct parse *p)
{
	struct timing_check c[TIMING_CHECKS_MAX];
	struct config *cfg = p->cfg;
	unsigned n = 0;

	if (!cfg->detect_ms || !cfg->n_nodes)
		return; /* reported */
	cfg->timing_in.detect_ms = cfg->detect_ms;
	cfg->timing_in.n_nodes = cfg->n_nodes;
	cfg->timing_in.n_links = cfg->node[0].n_links;
	cfg->timing_in.n_together = 1;
	for (unsigned i = 0; i < cfg->n_nodes; i++)
		for (unsigned k = 0; k < cfg->node[i].n_levels; k++)
			if (cfg->node[i].level[k].n > cfg->timing_in.n_together)
				cfg->timing_in.n_together = cfg->node[i].level[k].n;
	timing_solve(&cfg->timing_in, &cfg->timing, c, &n);
	for (unsigned i = 0; i < n; i++) {
		if (c[i].ok)
			continue;
		say_error(p, timing_blame(p, c[i].rule),
			  "these times cannot be safe: %s, but %u ms is not below %u ms", c[i].rule,
			  c[i].left_ms, c[i].right_ms);
		say_note(p, "else %s; %s", c[i].why, c[i].fix);
	}
}

static int by_id(const void *a, const void *b)
{
	const struct config_node *na = a, *nb = b;

	return na->id < nb->id ? -1 : na->id > nb->id;
}

static void read_root(struct parse *p, const struct item *root)
{
	struct config *cfg = p->cfg;

	read_map(p, root, "the configuration", top_keys, cfg);
	fencing_check(p);
	pings_check(p);
	volumes_check(p);
	services_check(p);
	timing_check_all(p);
	fence_delays_check(p);
	qsort(cfg->node, cfg->n_nodes, sizeof(cfg->node[0]), by_id);
}

struct config *config_parse(const char *text, const char *path, FILE *err)
{
	struct parse *p = calloc(1, sizeof(*p));
	struct config *cfg = calloc(1, sizeof(*cfg));
	unsigned n_errors;

	if (!p || !cfg) {
		free(p);
		free(cfg);
		errno = ENOMEM;
		return NULL;
	}
	p->cfg = cfg;
	p->path = path;
	p->text = text;
	snprintf(cfg->path, sizeof(cfg->path), "%s", path);
	cfg->fence_reboot = true;
	cfg->loop_max = 5;
	cfg->watchdog_storage = cfg->watchdog_daemons = true;
	memcpy(cfg->watchdog_device, "/dev/watchdog0", sizeof("/dev/watchdog0"));
	cfg->loop_ms = 15 * 60 * 1000;
	yaml_read(p, read_root);
	if (err)
		say_write(p, err);
	n_errors = p->n_errors;
	free(p);
	if (n_errors) {
		free(cfg);
		errno = EINVAL;
		return NULL;
	}
	cfg->hash = config_meaning_hash(cfg);
	return cfg;
}

struct config *config_read(const char *path, FILE *err)
{
	FILE *f = fopen(path, "re");
	struct config *cfg = NULL;
	char *text = NULL;
	size_t len = 0;
	int error;

	if (!f) {
		error = errno;
		if (err)
			fprintf(err, "%s: error: cannot be opened: %s\n%s", path, strerror(error),
				error == ENOENT
					? "  write it, or let \"stockade init\" do so; see stockade.yaml(5)\n"
					: "");
		errno = error;
		return NULL;
	}
	text = malloc(FILE_BYTES_MAX + 1);
	error = text ? 0 : ENOMEM;
	if (text) {
		len = fread(text, 1, FILE_BYTES_MAX + 1, f);
		if (ferror(f))
			error = errno ? errno : EIO;
		else if (len > FILE_BYTES_MAX)
			error = EFBIG;
	}
	fclose(f);
	if (!error && memchr(text, '\0', len))
		error = EILSEQ;
	if (error) {
		if (err)
			fprintf(err, "%s: error: cannot be read: %s\n", path,
				error == EILSEQ ? "it is not a text file" : strerror(error));
		if (error == EFBIG || error == EILSEQ)
			error = EINVAL;
	} else {
		text[len] = '\0';
		cfg = config_parse(text, path, err);
		error = errno;
	}
	free(text);
	if (!cfg)
		errno = error;
	return cfg;
}

struct config *config_free(struct config *cfg)
{
	free(cfg);
	return NULL;
}

const struct config_node *config_node_by_id(const struct config *cfg, uint32_t id)
{
	for (unsigned i = 0; i < cfg->n_nodes; i++)
		if (cfg->node[i].id == id)
			return &cfg->node[i];
	return NULL;
}

const struct config_node *config_node_by_name(const struct config *cfg, const char *name)
{
	for (unsigned i = 0; i < cfg->n_nodes; i++)
		if (strcmp(cfg->node[i].name, name) == 0)
			return &cfg->node[i];
	return NULL;
}

const struct config_volume *config_volume_by_name(const struct config *cfg, const char *name)
{
	for (unsigned i = 0; i < cfg->n_volumes; i++)
		if (strcmp(cfg->volume[i].name, name) == 0)
			return &cfg->volume[i];
	return NULL;
}

const struct config_service *config_service_by_name(const struct config *cfg, const char *name)
{
	for (unsigned i = 0; i < cfg->n_services; i++)
		if (strcmp(cfg->service[i].name, name) == 0)
			return &cfg->service[i];
	return NULL;
}

bool config_method_storage(const struct config *cfg, const struct config_method *m)
{
	bool storage = m->n > 0;

	for (unsigned u = 0; u < m->n; u++)
		/* one that is not there was told already */
		storage &= m->use[u].device < cfg->n_devices &&
			   cfg->device[m->use[u].device].storage;
	return storage;
}

struct nodeset config_nodes(const struct config *cfg)
{
	struct nodeset s = NODESET_EMPTY;

	for (unsigned i = 0; i < cfg->n_nodes; i++)
		nodeset_add(&s, cfg->node[i].id);
	return s;
}

const struct config_node *config_self(const struct config *cfg, uint32_t corosync_nodeid)
{
	const struct config_node *node;
	char host[HOST_NAME_MAX + 1];

	if (corosync_nodeid)
		return config_node_by_id(cfg, corosync_nodeid);
	if (gethostname(host, sizeof(host)) != 0)
		return NULL;
	host[sizeof(host) - 1] = '\0';
	node = config_node_by_name(cfg, host);
	if (!node && strchr(host, '.')) {
		*strchr(host, '.') = '\0';
		node = config_node_by_name(cfg, host);
	}
	return node;
}

const char *config_fs_name(enum config_fs fs)
{
	switch (fs) {
	case CONFIG_FS_EXT4: return "ext4";
	case CONFIG_FS_XFS: return "xfs";
	}
	return "?";
}

const char *config_resource_type_name(enum config_resource_type type)
{
	switch (type) {
	case CONFIG_RES_VOLUME: return "volume";
	case CONFIG_RES_IP: return "ip";
	case CONFIG_RES_UNIT: return "unit";
	case CONFIG_RES_SCRIPT: return "script";
	}
	return "?";
}
