/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Sections nodes and fence_devices: who is in the cluster, and how each node is switched off (SAFE-6). */
#include <arpa/inet.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "config_parse.h"

#include "../attest.h"

static unsigned node_index(const struct parse *p, const struct config_node *node)
{
	return (unsigned)(node - p->cfg->node);
}

static void id_read(struct parse *p, void *obj, const struct item *it)
{
	struct config_node *node = obj;
	unsigned me = node_index(p, node);

	p->node_id_at[me] = it->at;
	if (!read_uint(p, it, 1, NODEID_MAX, &node->id))
		return;
	for (unsigned i = 0; i < me; i++)
		if (p->cfg->node[i].id == node->id) {
			bool later = p->node_id_at[me].line >= p->node_id_at[i].line;

			say_error(p, p->node_id_at[later ? me : i],
				  "nodes \"%s\" and \"%s\" have the same id %u",
				  p->cfg->node[i].name, node->name, node->id);
			say_note(p, "an id names one machine for ever; it is corosync's nodeid");
		}
}

static bool host_name_valid(const char *s)
{
	if (!isalnum((unsigned char)*s))
		return false;
	for (; *s; s++)
		if (!isalnum((unsigned char)*s) && *s != '-' && *s != '.')
			return false;
	return true;
}

static void link_read(struct parse *p, struct config_node *node, unsigned link,
		      const struct item *it)
{
	struct address a;
	const char *why;

	p->link_at[node_index(p, node)][link] = it->at;
	if (!read_text(p, it, node->link[link], sizeof(node->link[link])))
		return;
	if (node->n_links < link + 1)
		node->n_links = link + 1;
	if (address_parse(node->link[link], &a) && a.prefix < 0) {
		if (!address_usable(&a, &why))
			say_error(p, it->at, "link%u is %s", link, why);
	} else if (looks_like_address(node->link[link]) || !host_name_valid(node->link[link])) {
		say_error(p, it->at, "link%u \"%s\" is not an address", link, node->link[link]);
		say_note(p, "expected an IPv4 or IPv6 address without prefix, or a host name");
	}
}

static void link0_read(struct parse *p, void *obj, const struct item *it)
{
	link_read(p, obj, 0, it);
}

static void link1_read(struct parse *p, void *obj, const struct item *it)
{
	link_read(p, obj, 1, it);
}

/* A fence level: {DEVICE: PLUG, ...} or DEVICE. */
struct level {
	struct config_node *node;
	unsigned index;     /* CONFIG_LEVELS_MAX: what it unfences */
	const char *device; /* while a list of plugs, or the parameters of a use are read */
	struct config_fence_use with;
	struct at at;
};

static void use_add(struct parse *p, struct level *l, const char *device, const char *plug,
		    struct at at)
{
	struct config_method *m = l->index == CONFIG_LEVELS_MAX ? &l->node->unfence
								: &l->node->level[l->index];
	unsigned n = node_index(p, l->node);

	if (m->n == CONFIG_METHOD_MAX) {
		say_error(p, at, "a fence level of more than %d devices", CONFIG_METHOD_MAX);
		return;
	}
	m->use[m->n] = l->with;
	snprintf(m->use[m->n].plug, sizeof(m->use[0].plug), "%s", plug);
	snprintf(p->use[n][l->index][m->n].device, CONFIG_NAME_MAX, "%s", device);
	p->use[n][l->index][m->n].at = at;
	m->n++;
}

static void plug_read(struct parse *p, void *obj, const struct item *it)
{
	struct level *l = obj;
	char plug[CONFIG_NAME_MAX];

	if (read_text(p, it, plug, sizeof(plug)))
		use_add(p, l, l->device, plug, l->at);
}

static bool param_key_valid(const char *key)
{
	if (!isalpha((unsigned char)*key) || strlen(key) >= CONFIG_NAME_MAX)
		return false;
	for (; *key; key++)
		if (!isalnum((unsigned char)*key) && *key != '_' && *key != '-')
			return false;
	return true;
}

static void agent_read(struct parse *p, struct config_device *dev, const struct item *it)
{
	if (!read_text(p, it, dev->agent, sizeof(dev->agent)))
		return;
	if (dev->agent[0] == '/') {
		read_path(p, it, dev->agent, sizeof(dev->agent));
		return;
	}
	for (const char *c = dev->agent; *c; c++)
		if (!isalnum((unsigned char)*c) && !strchr("_.-", *c)) {
			say_error(p, it->at, "agent \"%s\" is not the name of a program",
				  dev->agent);
			say_note(
				p,
				"expected a name such as fence_xvm, looked up in /usr/sbin, or an absolute path");
			return;
		}
}

/* A parameter that goes to an agent. Return: it is good. */
static bool param_one(struct parse *p, const struct item *it, const char *device,
		      struct config_param *param)
{
	static const char *const ours[] = { "action", "option", "nodename", NULL };
	size_t len = strlen(it->key);

	memset(param, 0, sizeof(*param));
	if (!param_key_valid(it->key)) {
		say_error(p, it->key_at, "\"%s\" is not a parameter that an agent can take",
			  it->key);
		return false;
	}
	for (unsigned i = 0; ours[i]; i++)
		if (strcmp(it->key, ours[i]) == 0) {
			say_error(p, it->key_at, "%s is given to the agent by fenced itself",
				  it->key);
			say_note(p, "leave it out");
			return false;
		}
	if (is_secret_key(it->key)) {
		say_error(p, it->key_at, "a secret must not be written into this file");
		say_note(
			p,
			"put it into a file of its own, mode 0600, and write: %s_file: /etc/stockade/%s.secret",
			it->key, device);
		return false;
	}
	snprintf(param->key, sizeof(param->key), "%s", it->key);
	if (len > 5 && strcmp(it->key + len - 5, "_file") == 0) {
		param->key[len - 5] = '\0';
		param->secret_file = is_secret_key(param->key);
		if (!param->secret_file)
			snprintf(param->key, sizeof(param->key), "%s", it->key);
	}
	return param->secret_file ? read_path(p, it, param->value, sizeof(param->value))
				  : read_text(p, it, param->value, sizeof(param->value));
}

/* attest: yes | no | ADDRESS: not for the agent, for fenced itself. */
static void attest_read(struct parse *p, struct config_device *dev, const struct item *it)
{
	static const char *const words[] = { "no", "off", "false", "yes", "on", "true" };
	char text[CONFIG_NAME_MAX];
	struct address a;
	const char *why;

	if (!read_text(p, it, text, sizeof(text)))
		return;
	for (unsigned i = 0; i < 6; i++)
		if (strcasecmp(text, words[i]) == 0) {
			dev->attest = i >= 3;
			return;
		}
	dev->attest = true;
	snprintf(dev->attest_host, sizeof(dev->attest_host), "%s", text);
	if (!address_parse(text, &a) || a.prefix >= 0) {
		say_error(p, it->at, "attest \"%s\" is no address", text);
		say_note(
			p,
			"expected yes, no, or the address of the hypervisor that runs stockade-virtd");
	} else if (!address_usable(&a, &why)) {
		say_error(p, it->at, "attest is %s", why);
	}
}

/* These never switch anything off, whatever the configuration says of them. */
static bool agent_cuts_storage(const char *agent)
{
	static const char *const agents[] = { "fence_scsi", "fence_mpath" };
	const char *base = strrchr(agent, '/');

	base = base ? base + 1 : agent;
	for (size_t i = 0; i < sizeof(agents) / sizeof(agents[0]); i++)
		if (strcmp(base, agents[i]) == 0)
			return true;
	return false;
}

static void cuts_read(struct parse *p, struct config_device *dev, const struct item *it)
{
	static const char *const words[] = { "power", "storage", NULL };
	unsigned i;

	if (!read_word(p, it, words, &i))
		return;
	dev->storage |= i == 1;
	if (i == 0 && agent_cuts_storage(dev->agent)) {
		say_error(p, it->at, "%s cuts off storage, not power", dev->agent);
		say_note(p, "leave \"cuts\" out");
	}
}

static void param_read(struct parse *p, void *obj, const struct item *it)
{
	struct config_device *dev = obj;
	struct config_param param;

	if (strcmp(it->key, "agent") == 0) {
		agent_read(p, dev, it);
		dev->storage |= agent_cuts_storage(dev->agent);
		return;
	}
	if (strcmp(it->key, "cuts") == 0) {
		cuts_read(p, dev, it);
		return;
	}
	if (strcmp(it->key, "concurrency") == 0) {
		read_uint(p, it, 1, CONFIG_CONCURRENCY_MAX, &dev->concurrency);
		return;
	}
	if (strcmp(it->key, "attest") == 0) {
		attest_read(p, dev, it);
		return;
	}
	if (strcmp(it->key, "attest_port") == 0) {
		uint32_t port;

		if (read_uint(p, it, 1, 65535, &port))
			dev->attest_port = (uint16_t)port;
		return;
	}
	if (!param_one(p, it, dev->name, &param))
		return;
	if (dev->n_params == CONFIG_PARAMS_MAX) {
		say_error(p, it->key_at, "fence device \"%s\" has more than %d parameters",
			  dev->name, CONFIG_PARAMS_MAX);
		return;
	}
	dev->param[dev->n_params++] = param;
}

/* {DEVICE: {plug: PLUG, KEY: VALUE}}: parameters of this node alone. */
static void use_param_read(struct parse *p, void *obj, const struct item *it)
{
	struct level *l = obj;
	struct config *cfg = p->cfg;
	struct config_param param;

	if (strcmp(it->key, "plug") == 0 || strcmp(it->key, "port") == 0) {
		read_text(p, it, l->with.plug, sizeof(l->with.plug));
		return;
	}
	if (!param_one(p, it, l->device, &param))
		return;
	if (cfg->n_use_params == CONFIG_USE_PARAMS_MAX) {
		say_error(p, it->key_at, "the nodes have more than %d parameters of their own",
			  CONFIG_USE_PARAMS_MAX);
		return;
	}
	cfg->use_param[cfg->n_use_params++] = param;
	l->with.n_params++;
}

static void use_read(struct parse *p, void *obj, const struct item *it)
{
	struct level *l = obj;

	l->device = it->key;
	l->at = it->key_at;
	memset(&l->with, 0, sizeof(l->with));
	if (item_is_map(it)) {
		char plug[CONFIG_NAME_MAX];

		l->with.first_param = p->cfg->n_use_params;
		read_pairs(p, it, "a use of a fence device", l, use_param_read);
		snprintf(plug, sizeof(plug), "%s", l->with.plug);
		use_add(p, l, it->key, plug, it->key_at);
		return;
	}
	if (item_is_null(it))
		use_add(p, l, it->key, "", it->key_at);
	else if (item_is_list(it))
		read_list(p, it, it->key, CONFIG_METHOD_MAX, l, plug_read);
	else
		plug_read(p, l, it);
}

static void level_read(struct parse *p, void *obj, const struct item *it)
{
	struct config_node *node = obj;
	struct level l = { .node = node, .index = node->n_levels++ };
	char device[CONFIG_NAME_MAX];

	if (item_is_map(it)) {
		read_pairs(p, it, "a fence level", &l, use_read);
	} else if (item_is_list(it)) {
		say_error(p, it->at, "a fence level is a list");
		say_note(p, "devices that are used together are one map: {psu_a: 1, psu_b: 1}");
	} else if (read_text(p, it, device, sizeof(device))) {
		use_add(p, &l, device, "", it->at);
	}
}

static void fence_read(struct parse *p, void *obj, const struct item *it)
{
	struct config_node *node = obj;

	p->fence_given[node_index(p, node)] = true;
	if (item_is_map(it)) {
		say_error(p, it->at, "fence must be a list of levels, in the order to try");
		say_note(p, "expected fence: [{DEVICE: PLUG}]");
		return;
	}
	read_list(p, it, "fence", CONFIG_LEVELS_MAX, node, level_read);
}

static void unfence_read(struct parse *p, void *obj, const struct item *it)
{
	struct level l = { .node = obj, .index = CONFIG_LEVELS_MAX };

	if (item_is_map(it))
		read_pairs(p, it, "unfence", &l, use_read);
	else
		say_error(p, it->at, "unfence must be a map {DEVICE: PLUG}, as a fence level is");
}

static const struct key node_keys[] = {
	{ "id", id_read, true },
	{ "link0", link0_read, true },
	{ "link1", link1_read, false },
	{ "fence", fence_read, false },
	{ "unfence", unfence_read, false },
	{ NULL, NULL, false },
};

static void node_each(struct parse *p, const struct item *it)
{
	struct config *cfg = p->cfg;
	struct config_node *node = &cfg->node[cfg->n_nodes];
	char what[CONFIG_NAME_MAX + 16];

	p->node_at[cfg->n_nodes++] = it->key_at;
	snprintf(node->name, sizeof(node->name), "%s", it->key);
	snprintf(what, sizeof(what), "node \"%s\"", it->key);
	read_map(p, it, what, node_keys, node);
}

void nodes_read(struct parse *p, void *cfg, const struct item *it)
{
	(void)cfg;
	read_named(p, it, "node", NODES_MAX, node_each);
}

static int by_param_key(const void *a, const void *b)
{
	return strcmp(((const struct config_param *)a)->key, ((const struct config_param *)b)->key);
}

static void device_each(struct parse *p, const struct item *it)
{
	struct config *cfg = p->cfg;
	struct config_device *dev = &cfg->device[cfg->n_devices];
	char what[CONFIG_NAME_MAX + 16];
	unsigned n_errors = p->n_errors;

	p->device_at[cfg->n_devices++] = it->key_at;
	snprintf(dev->name, sizeof(dev->name), "%s", it->key);
	dev->concurrency = 1;
	dev->attest_port = ATTEST_PORT;
	snprintf(what, sizeof(what), "fence device \"%s\"", it->key);
	read_pairs(p, it, what, dev, param_read);
	if (!dev->agent[0] && p->n_errors == n_errors) {
		say_error(p, it->key_at, "%s has no \"agent\"", what);
		say_note(
			p,
			"expected agent: fence_xvm, or another program in /usr/sbin that speaks the fence agent API");
	}
	qsort(dev->param, dev->n_params, sizeof(dev->param[0]), by_param_key);
}

void devices_read(struct parse *p, void *cfg, const struct item *it)
{
	(void)cfg;
	read_named(p, it, "fence device", CONFIG_DEVICES_MAX, device_each);
}

static void check_links(struct parse *p)
{
	const struct config *cfg = p->cfg;
	const char *first_name[CONFIG_LINKS_MAX] = { NULL };
	int family[CONFIG_LINKS_MAX] = { 0 };
	unsigned most = 0;

	for (unsigned i = 0; i < cfg->n_nodes; i++)
		most = cfg->node[i].n_links > most ? cfg->node[i].n_links : most;
	for (unsigned i = 0; i < cfg->n_nodes; i++) {
		const struct config_node *node = &cfg->node[i];

		if (most == 2 && !node->link[1][0] && node->link[0][0]) {
			say_error(p, p->node_at[i], "node \"%s\" has no link1, others have one",
				  node->name);
			say_note(p, "every node has the same links");
		}
		for (unsigned l = 0; l < node->n_links; l++) {
			struct address a;

			if (!address_parse(node->link[l], &a))
				continue;
			if (!family[l]) {
				family[l] = a.family;
				first_name[l] = node->name;
			} else if (family[l] != a.family) {
				say_error(p, p->link_at[i][l],
					  "link%u of \"%s\" is IPv%d, that of \"%s\" is not", l,
					  node->name, a.family == AF_INET ? 4 : 6, first_name[l]);
				say_note(p, "a link speaks one of both");
			}
		}
	}
}

/* Every address once, over all nodes and links. */
static void check_link_duplicates(struct parse *p)
{
	const struct config *cfg = p->cfg;
	const unsigned n = cfg->n_nodes * CONFIG_LINKS_MAX;

	for (unsigned i = 0; i < n; i++)
		for (unsigned j = 0; j < i; j++) {
			const struct config_node *a = &cfg->node[j / 2], *b = &cfg->node[i / 2];
			const char *ta = a->link[j % 2], *tb = b->link[i % 2];
			struct address aa, ab;

			if (!*ta || !*tb)
				continue;
			if (address_parse(ta, &aa) && address_parse(tb, &ab)
				    ? !address_equal(&aa, &ab)
				    : strcmp(ta, tb) != 0)
				continue;
			say_error(p, p->link_at[i / 2][i % 2],
				  "link%u of \"%s\" is link%u of \"%s\" too", i % 2, b->name, j % 2,
				  a->name);
		}
}

static bool device_has_param(const struct config_device *dev, const char *key)
{
	for (unsigned i = 0; i < dev->n_params; i++)
		if (strcmp(dev->param[i].key, key) == 0)
			return true;
	return false;
}

static void resolve_use(struct parse *p, unsigned node, unsigned level, unsigned use)
{
	struct config *cfg = p->cfg;
	struct config_node *n = &cfg->node[node];
	struct config_fence_use *u = level == CONFIG_LEVELS_MAX ? &n->unfence.use[use]
								: &n->level[level].use[use];
	const char *names[CONFIG_DEVICES_MAX + 1], *wanted = p->use[node][level][use].device, *near;
	struct at at = p->use[node][level][use].at;

	for (unsigned i = 0; i < cfg->n_devices; i++) {
		names[i] = cfg->device[i].name;
		if (strcmp(names[i], wanted) != 0)
			continue;
		u->device = i;
		if (u->plug[0] && (device_has_param(&cfg->device[i], "port") ||
				   device_has_param(&cfg->device[i], "plug"))) {
			say_error(p, at,
				  "plug \"%s\" is given here, and another in fence device \"%s\"",
				  u->plug, wanted);
			say_note(p, "leave \"port\" and \"plug\" out of the device");
		}
		return;
	}
	names[cfg->n_devices] = NULL;
	near = nearest_word(wanted, names);
	say_error(p, at, "there is no fence device \"%s\"", wanted);
	if (near)
		say_note(p, "did you mean \"%s\"?", near);
	else
		say_note(p, "add it to fence_devices");
	u->device = CONFIG_DEVICES_MAX; /* matches none below */
}

/* A plug belongs to one machine: the same one for two nodes would prove the wrong death. */
static void check_same_plug(struct parse *p, unsigned node, unsigned level, unsigned use)
{
	const struct config *cfg = p->cfg;
	const struct config_fence_use *u = &cfg->node[node].level[level].use[use];
	struct at at = p->use[node][level][use].at;

	if (u->device == CONFIG_DEVICES_MAX)
		return;
	if (config_is_watchdog(&cfg->device[u->device])) {
		if (cfg->node[node].level[level].n > 1 || u->plug[0])
			say_error(p, at, "a watchdog is a level of its own, without a plug");
		else if (level + 1 < cfg->node[node].n_levels)
			say_error(
				p, at,
				"a watchdog is the last level: what comes after it is never tried");
		else if (cfg->watchdog == CONFIG_WATCHDOG_OFF)
			say_error(p, at, "a watchdog is named here, and watchdog is off");
		return;
	}
	for (unsigned i = 0; i < use; i++) {
		const struct config_fence_use *v = &cfg->node[node].level[level].use[i];

		if (v->device == u->device && strcmp(v->plug, u->plug) == 0)
			say_error(p, at,
				  "device \"%s\" with the same plug is used twice in one level",
				  cfg->device[u->device].name);
	}
	for (unsigned n = 0; n < node; n++)
		for (unsigned l = 0; l < cfg->node[n].n_levels; l++)
			for (unsigned i = 0; i < cfg->node[n].level[l].n; i++) {
				const struct config_fence_use *v = &cfg->node[n].level[l].use[i];

				if (v->device != u->device || strcmp(v->plug, u->plug) != 0)
					continue;
				say_error(
					p, at,
					"fence device \"%s\"%s%s%s is used for \"%s\" and for \"%s\"",
					cfg->device[u->device].name,
					u->plug[0] ? " plug \"" : " without a plug", u->plug,
					u->plug[0] ? "\"" : "", cfg->node[n].name,
					cfg->node[node].name);
				say_note(
					p,
					"it can switch off only one of them: give each its own plug or device");
				return;
			}
}

/* Who is only cut off from storage goes on writing wherever nobody keeps it out (SAFE-1). */
static void check_storage_level(struct parse *p, unsigned node, unsigned level, bool *told)
{
	const struct config *cfg = p->cfg;
	const struct config_method *m = &cfg->node[node].level[level];

	if (!config_method_storage(cfg, m))
		return;
	for (unsigned v = 0; v < cfg->n_volumes; v++)
		if (!cfg->volume[v].reservations && !told[v]) {
			told[v] = true;
			say_error(
				p, p->volume_at[v],
				"volume \"%s\" has no reservations, and \"%s\" of node \"%s\" only cuts off storage",
				cfg->volume[v].name, cfg->device[m->use[0].device].name,
				cfg->node[node].name);
			say_note(
				p,
				"expected reservations: true, so that a node that was cut off cannot write to it");
		}
}

static const struct config_param *param_of(const struct config *cfg,
					   const struct config_fence_use *u, const char *key)
{
	const struct config_device *dev = &cfg->device[u->device];

	for (unsigned i = 0; i < u->n_params; i++)
		if (strcmp(cfg->use_param[u->first_param + i].key, key) == 0)
			return &cfg->use_param[u->first_param + i];
	for (unsigned i = 0; i < dev->n_params; i++)
		if (strcmp(dev->param[i].key, key) == 0)
			return &dev->param[i];
	return NULL;
}

/* An agent that waits by itself (a static delay) does so within its own time: it would be killed before it acts, each time. */
void fence_delays_check(struct parse *p)
{
	const struct config *cfg = p->cfg;

	for (unsigned n = 0; n < cfg->n_nodes; n++)
		for (unsigned l = 0; l < cfg->node[n].n_levels; l++)
			for (unsigned u = 0; u < cfg->node[n].level[l].n; u++) {
				const struct config_fence_use *use = &cfg->node[n].level[l].use[u];
				const struct config_param *delay = use->device == CONFIG_DEVICES_MAX
									   ? NULL
									   : param_of(cfg, use,
										      "delay");
				double s = delay ? strtod(delay->value, NULL) : 0;

				if (s * 1000 < cfg->timing.fence_attempt_ms ||
				    !cfg->timing.fence_attempt_ms)
					continue;
				say_error(
					p, p->use[n][l][u].at,
					"\"%s\" waits %s s by itself (delay), and is stopped after %u s (fence_timeout)",
					cfg->device[use->device].name, delay->value,
					cfg->timing.fence_attempt_ms / 1000);
				say_note(
					p,
					"raise fence_timeout by the delay; which side of a cut survives is chosen without it (cut_delay)");
			}
}

void fencing_check(struct parse *p)
{
	struct config *cfg = p->cfg;
	bool used[CONFIG_DEVICES_MAX + 1] = { false }, told[CONFIG_VOLUMES_MAX] = { false };

	check_links(p);
	check_link_duplicates(p);
	for (unsigned n = 0; n < cfg->n_nodes; n++) {
		struct config_node *node = &cfg->node[n];

		if (!p->fence_given[n] && cfg->n_nodes > 1) {
			say_error(p, p->node_at[n], "node \"%s\" has no fence device (SAFE-6)",
				  node->name);
			say_note(
				p,
				"what cannot be switched off may write to a shared volume behind the others' back; "
				"expected fence: [{DEVICE: PLUG}]");
		}
		for (unsigned l = 0; l < node->n_levels; l++) {
			for (unsigned u = 0; u < node->level[l].n; u++) {
				resolve_use(p, n, l, u);
				used[node->level[l].use[u].device] = true;
				check_same_plug(p, n, l, u);
			}
			check_storage_level(p, n, l, told);
		}
		for (unsigned u = 0; u < node->unfence.n; u++) {
			resolve_use(p, n, CONFIG_LEVELS_MAX, u);
			used[node->unfence.use[u].device] = true;
		}
	}
	for (unsigned i = 0; i < cfg->n_devices; i++)
		if (!used[i])
			say_warning(p, p->device_at[i],
				    "fence device \"%s\" is not used by any node",
				    cfg->device[i].name);
}
