/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Sections domains and services: what runs where, in which order. */
#include <arpa/inet.h>
#include <ctype.h>
#include <limits.h>
#include <string.h>

#include "config_parse.h"

static void domain_node_read(struct parse *p, void *obj, const struct item *it)
{
	struct config_domain *d = obj;
	unsigned me = (unsigned)(d - p->cfg->domain);

	if (!read_name(p, it, p->domain_node[me][d->n_nodes].name, CONFIG_NAME_MAX))
		return;
	p->domain_node[me][d->n_nodes].at = it->at;
	for (unsigned i = 0; i < d->n_nodes; i++)
		if (strcmp(p->domain_node[me][i].name, p->domain_node[me][d->n_nodes].name) == 0) {
			say_error(p, it->at, "node \"%s\" is in domain \"%s\" twice",
				  p->domain_node[me][i].name, d->name);
			return;
		}
	d->n_nodes++;
}

static void domain_nodes_read(struct parse *p, void *obj, const struct item *it)
{
	read_list(p, it, "nodes", NODES_MAX, obj, domain_node_read);
}

static void ordered_read(struct parse *p, void *obj, const struct item *it)
{
	struct config_domain *d = obj;

	read_bool(p, it, &d->ordered);
}

static void restricted_read(struct parse *p, void *obj, const struct item *it)
{
	struct config_domain *d = obj;

	read_bool(p, it, &d->restricted);
}

static void failback_read(struct parse *p, void *obj, const struct item *it)
{
	struct config_domain *d = obj;

	read_bool(p, it, &d->failback);
}

static const struct key domain_keys[] = {
	{ "nodes", domain_nodes_read, true },
	{ "ordered", ordered_read, false },
	{ "restricted", restricted_read, false },
	{ "failback", failback_read, false },
	{ NULL, NULL, false },
};

static void domain_each(struct parse *p, const struct item *it)
{
	struct config *cfg = p->cfg;
	struct config_domain *d = &cfg->domain[cfg->n_domains];
	char what[CONFIG_NAME_MAX + 16];

	p->domain_at[cfg->n_domains++] = it->key_at;
	snprintf(d->name, sizeof(d->name), "%s", it->key);
	snprintf(what, sizeof(what), "domain \"%s\"", it->key);
	read_map(p, it, what, domain_keys, d);
	if (d->failback && !d->ordered) {
		say_error(p, it->key_at, "%s has failback, but is not ordered", what);
		say_note(
			p,
			"failback moves a service to the node listed first: add ordered: true, or leave failback out");
	}
}

void domains_read(struct parse *p, void *cfg, const struct item *it)
{
	(void)cfg;
	read_named(p, it, "domain", CONFIG_DOMAINS_MAX, domain_each);
}

/* A resource while it is read: {TYPE: REF, option: ...}. */
struct reading {
	struct config_resource *res;
	unsigned service, index;
	unsigned n_types;
	bool cold;
	struct at interface_at, warm_at;
};

static void set_type(struct parse *p, struct reading *r, const struct item *it,
		     enum config_resource_type type)
{
	r->res->type = type;
	p->resource_at[r->service][r->index] = it->at;
	if (++r->n_types == 2) {
		say_error(p, it->key_at, "one resource cannot be two things");
		say_note(p, "give each its own element: [{volume: ...}, {unit: ...}, {ip: ...}]");
	}
}

static void res_volume_read(struct parse *p, void *obj, const struct item *it)
{
	struct reading *r = obj;

	set_type(p, r, it, CONFIG_RES_VOLUME);
	r->res->volume = UINT_MAX;
	read_name(p, it, r->res->ref, sizeof(r->res->ref));
}

static void res_ip_read(struct parse *p, void *obj, const struct item *it)
{
	struct reading *r = obj;
	struct address a;
	const char *why;
	char text[CONFIG_NAME_MAX];

	set_type(p, r, it, CONFIG_RES_IP);
	if (!read_text(p, it, text, sizeof(text)))
		return;
	if (!address_parse(text, &a)) {
		say_error(p, it->at, "ip \"%s\" is not an address", text);
		say_note(p, "expected ADDRESS/PREFIX, such as 192.0.2.100/24 or 2001:db8::100/64");
	} else if (a.prefix < 1) {
		say_error(p, it->at, "ip \"%s\" has no prefix length", text);
		say_note(p, "expected ADDRESS/PREFIX, such as %s/%d",
			 a.prefix ? text : "192.0.2.100", a.family == AF_INET ? 24 : 64);
	} else if (!address_usable(&a, &why)) {
		say_error(p, it->at, "ip is %s", why);
	} else {
		memcpy(r->res->ref, text, sizeof(text));
	}
}

/* What Stockade stands on must not be moved by it. */
static bool is_our_unit(const char *unit)
{
	return strncmp(unit, "stockade", 8) == 0 || strncmp(unit, "corosync.", 9) == 0 ||
	       strncmp(unit, "iscsid.", 7) == 0 || strncmp(unit, "open-iscsi.", 11) == 0 ||
	       strncmp(unit, "systemd-", 8) == 0 || strncmp(unit, "dbus.", 5) == 0;
}

static void res_unit_read(struct parse *p, void *obj, const struct item *it)
{
	static const char *const types[] = { ".service", ".socket", ".timer",
					     ".path",    ".target", NULL };
	static const char *const others[] = { ".mount", ".automount", ".swap", ".device",
					      ".slice", ".scope",     NULL };
	struct reading *r = obj;
	char text[CONFIG_PATH_MAX - 8];
	const char *dot, *c;
	bool typed = false;

	set_type(p, r, it, CONFIG_RES_UNIT);
	if (!read_text(p, it, text, sizeof(text)))
		return;
	dot = strrchr(text, '.');
	for (c = text; *c && (isalnum((unsigned char)*c) || strchr(":_.\\@-", *c)); c++)
		;
	if (*c || text[0] == '.' || text[0] == '-') {
		say_error(p, it->at, "unit \"%s\" is not the name of a systemd unit", text);
		return;
	}
	for (unsigned i = 0; dot && others[i]; i++)
		if (strcmp(dot, others[i]) == 0) {
			say_error(p, it->at, "unit \"%s\": a %s is not something to serve", text,
				  others[i] + 1);
			say_note(
				p,
				"expected a service, socket, timer, path or target; filesystems are volumes");
			return;
		}
	for (unsigned i = 0; dot && types[i]; i++)
		typed |= strcmp(dot, types[i]) == 0;
	snprintf(r->res->ref, sizeof(r->res->ref), "%s%s", text, typed ? "" : ".service");
	if (strstr(r->res->ref, "@.")) {
		say_error(p, it->at, "unit \"%s\" is a template", text);
		say_note(p, "name an instance: NAME@INSTANCE");
	} else if (is_our_unit(r->res->ref)) {
		say_error(p, it->at, "unit \"%s\" must run on every node", text);
		say_note(p, "Stockade itself stands on it; it cannot be part of a service");
	}
}

static void res_script_read(struct parse *p, void *obj, const struct item *it)
{
	struct reading *r = obj;

	set_type(p, r, it, CONFIG_RES_SCRIPT);
	read_path(p, it, r->res->ref, sizeof(r->res->ref));
}

static void interface_read(struct parse *p, void *obj, const struct item *it)
{
	struct reading *r = obj;

	r->interface_at = it->key_at;
	if (read_text(p, it, r->res->interface, sizeof(r->res->interface)) &&
	    (strpbrk(r->res->interface, "/ :") || strcmp(r->res->interface, ".") == 0 ||
	     strcmp(r->res->interface, "..") == 0))
		say_error(p, it->at, "interface \"%s\" is not the name of a network interface",
			  r->res->interface);
}

static void warm_read(struct parse *p, void *obj, const struct item *it)
{
	struct reading *r = obj;
	bool warm = true;

	r->warm_at = it->key_at;
	read_bool(p, it, &warm);
	r->cold = !warm;
}

#define LIMIT_MIN_MS 1000
#define LIMIT_MAX_MS (60 * 60 * 1000)

static void start_read(struct parse *p, void *obj, const struct item *it)
{
	read_ms(p, it, LIMIT_MIN_MS, LIMIT_MAX_MS, &((struct reading *)obj)->res->start_ms);
}

static void stop_read(struct parse *p, void *obj, const struct item *it)
{
	read_ms(p, it, LIMIT_MIN_MS, LIMIT_MAX_MS, &((struct reading *)obj)->res->stop_ms);
}

static void monitor_read(struct parse *p, void *obj, const struct item *it)
{
	read_ms(p, it, LIMIT_MIN_MS, LIMIT_MAX_MS, &((struct reading *)obj)->res->monitor_ms);
}

static const struct key resource_keys[] = {
	{ "volume", res_volume_read, false },   { "ip", res_ip_read, false },
	{ "unit", res_unit_read, false },       { "script", res_script_read, false },
	{ "interface", interface_read, false }, { "warm", warm_read, false },
	{ "start", start_read, false },         { "stop", stop_read, false },
	{ "monitor", monitor_read, false },     { NULL, NULL, false },
};

/* Limits where the operator gave none. */
static void resource_defaults(struct config_resource *res)
{
	static const struct {
		uint32_t start_ms, stop_ms, monitor_ms;
	} by_type[] = {
		[CONFIG_RES_VOLUME] = { 120000, 60000, 10000 },
		[CONFIG_RES_IP] = { 20000, 20000, 10000 },
		[CONFIG_RES_UNIT] = { 90000, 90000, 10000 },
		[CONFIG_RES_SCRIPT] = { 90000, 90000, 30000 },
	};

	if (!res->start_ms)
		res->start_ms = by_type[res->type].start_ms;
	if (!res->stop_ms)
		res->stop_ms = by_type[res->type].stop_ms;
	if (!res->monitor_ms)
		res->monitor_ms = by_type[res->type].monitor_ms;
}

static void resource_read(struct parse *p, void *obj, const struct item *it)
{
	struct config_service *s = obj;
	struct reading r = { .res = &s->resource[s->n_resources],
			     .service = (unsigned)(s - p->cfg->service),
			     .index = s->n_resources };
	unsigned n_errors = p->n_errors;

	p->resource_at[r.service][r.index] = it->at;
	if (!item_is_map(it)) {
		say_error(p, it->at, "a resource must be a map");
		say_note(
			p,
			"expected one of: {volume: NAME}, {unit: NAME}, {ip: ADDRESS/PREFIX}, {script: PATH}");
		return;
	}
	read_map(p, it, "a resource", resource_keys, &r);
	if (p->n_errors == n_errors && r.n_types == 0) {
		say_error(p, it->at, "this resource does not say what it is");
		say_note(p, "expected one of: volume, unit, ip, script");
	}
	if (r.res->interface[0] && r.res->type != CONFIG_RES_IP && r.n_types == 1) {
		say_error(p, r.interface_at, "interface belongs to an ip");
	}
	bool programs = r.res->type == CONFIG_RES_UNIT || r.res->type == CONFIG_RES_SCRIPT;

	if (r.warm_at.len && !programs && r.n_types == 1)
		say_error(p, r.warm_at, "warm belongs to a unit or a script");
	if (r.n_types != 1)
		return;
	r.res->warm = programs && !r.cold;
	resource_defaults(r.res);
	s->n_resources++;
}

static void resources_read(struct parse *p, void *obj, const struct item *it)
{
	read_list(p, it, "resources", CONFIG_RESOURCES_MAX, obj, resource_read);
}

static void service_domain_read(struct parse *p, void *obj, const struct item *it)
{
	struct config_service *s = obj;
	unsigned me = (unsigned)(s - p->cfg->service);

	p->service_domain_at[me] = it->at;
	read_name(p, it, p->service_domain[me], CONFIG_NAME_MAX);
}

static void enabled_read(struct parse *p, void *obj, const struct item *it)
{
	struct config_service *s = obj;

	read_bool(p, it, &s->enabled);
}

static void restarts_read(struct parse *p, void *obj, const struct item *it)
{
	struct config_service *s = obj;

	read_uint(p, it, 0, 100, &s->restarts);
}

static void restart_window_read(struct parse *p, void *obj, const struct item *it)
{
	struct config_service *s = obj;

	read_ms(p, it, 1000, 24 * 3600 * 1000, &s->restart_window_ms);
}

static const struct key service_keys[] = {
	{ "domain", service_domain_read, false },
	{ "enabled", enabled_read, false },
	{ "resources", resources_read, true },
	{ "restarts", restarts_read, false },
	{ "restart_window", restart_window_read, false },
	{ NULL, NULL, false },
};

static void service_each(struct parse *p, const struct item *it)
{
	struct config *cfg = p->cfg;
	struct config_service *s = &cfg->service[cfg->n_services];
	char what[CONFIG_NAME_MAX + 16];

	p->service_at[cfg->n_services++] = it->key_at;
	snprintf(s->name, sizeof(s->name), "%s", it->key);
	s->domain = UINT_MAX;
	s->enabled = true;
	s->restarts = 2;
	s->restart_window_ms = 5 * 60 * 1000;
	snprintf(what, sizeof(what), "service \"%s\"", it->key);
	read_map(p, it, what, service_keys, s);
}

void services_read(struct parse *p, void *cfg, const struct item *it)
{
	(void)cfg;
	read_named(p, it, "service", CONFIG_SERVICES_MAX, service_each);
}

static void not_found(struct parse *p, struct at at, const char *what, const char *wanted,
		      const char *section, const char *const *names)
{
	const char *near = nearest_word(wanted, names);

	say_error(p, at, "there is no %s \"%s\"", what, wanted);
	if (near)
		say_note(p, "did you mean \"%s\"?", near);
	else
		say_note(p, "add it to %s", section);
}

static void check_domain(struct parse *p, unsigned me)
{
	struct config *cfg = p->cfg;
	struct config_domain *d = &cfg->domain[me];
	const char *names[NODES_MAX + 1];
	bool used = false;

	for (unsigned i = 0; i < cfg->n_nodes; i++)
		names[i] = cfg->node[i].name;
	names[cfg->n_nodes] = NULL;
	for (unsigned i = 0; i < d->n_nodes; i++) {
		const struct config_node *node = config_node_by_name(cfg,
								     p->domain_node[me][i].name);

		if (node)
			d->node[i] = node->id;
		else
			not_found(p, p->domain_node[me][i].at, "node", p->domain_node[me][i].name,
				  "nodes", names);
	}
	for (unsigned i = 0; i < cfg->n_services; i++)
		used |= strcmp(p->service_domain[i], d->name) == 0;
	if (!used)
		say_warning(p, p->domain_at[me], "domain \"%s\" is not used by any service",
			    d->name);
}

static void resolve_domain(struct parse *p, unsigned service)
{
	struct config *cfg = p->cfg;
	const char *names[CONFIG_DOMAINS_MAX + 1];

	if (!p->service_domain[service][0])
		return;
	for (unsigned i = 0; i < cfg->n_domains; i++) {
		names[i] = cfg->domain[i].name;
		if (strcmp(names[i], p->service_domain[service]) == 0) {
			cfg->service[service].domain = i;
			return;
		}
	}
	names[cfg->n_domains] = NULL;
	not_found(p, p->service_domain_at[service], "domain", p->service_domain[service], "domains",
		  names);
}

static void resolve_volume(struct parse *p, struct config_resource *res, struct at at)
{
	const struct config *cfg = p->cfg;
	const char *names[CONFIG_VOLUMES_MAX + 1];

	for (unsigned i = 0; i < cfg->n_volumes; i++) {
		names[i] = cfg->volume[i].name;
		if (strcmp(names[i], res->ref) == 0) {
			res->volume = i;
			return;
		}
	}
	names[cfg->n_volumes] = NULL;
	not_found(p, at, "volume", res->ref, "volumes", names);
}

static bool same_resource(const struct config_resource *a, const struct config_resource *b)
{
	struct address aa, ab;

	if (a->type != b->type || !a->ref[0])
		return false;
	if (a->type == CONFIG_RES_IP && address_parse(a->ref, &aa) && address_parse(b->ref, &ab))
		return address_equal(&aa, &ab);
	return strcmp(a->ref, b->ref) == 0;
}

/* Exclusive means once: a second use would start it on two nodes, or stop it under the first. */
static void check_used_once(struct parse *p, unsigned service, unsigned index)
{
	const struct config *cfg = p->cfg;
	const struct config_resource *res = &cfg->service[service].resource[index];

	for (unsigned s = 0; s <= service; s++)
		for (unsigned r = 0; r < (s == service ? index : cfg->service[s].n_resources);
		     r++) {
			if (!same_resource(&cfg->service[s].resource[r], res))
				continue;
			if (s == service)
				say_error(p, p->resource_at[service][index],
					  "%s \"%s\" is twice in service \"%s\"",
					  config_resource_type_name(res->type), res->ref,
					  cfg->service[s].name);
			else
				say_error(
					p, p->resource_at[service][index],
					"%s \"%s\" is used by service \"%s\" and by service \"%s\"",
					config_resource_type_name(res->type), res->ref,
					cfg->service[s].name, cfg->service[service].name);
			return;
		}
}

/* A floating address that is also somebody's fixed one would take that machine off the net. */
static void check_ip_free(struct parse *p, const struct config_resource *res, struct at at)
{
	const struct config *cfg = p->cfg;
	struct address ip, other;

	if (!address_parse(res->ref, &ip))
		return;
	for (unsigned n = 0; n < cfg->n_nodes; n++)
		for (unsigned l = 0; l < cfg->node[n].n_links; l++)
			if (address_parse(cfg->node[n].link[l], &other) &&
			    address_equal(&ip, &other))
				say_error(p, at, "ip \"%s\" is link%u of node \"%s\"", res->ref, l,
					  cfg->node[n].name);
	for (unsigned v = 0; v < cfg->n_volumes; v++)
		if (cfg->volume[v].iscsi && address_port_parse(cfg->volume[v].portal, &other) &&
		    address_equal(&ip, &other))
			say_error(p, at, "ip \"%s\" is the portal of volume \"%s\"", res->ref,
				  cfg->volume[v].name);
}

void services_check(struct parse *p)
{
	struct config *cfg = p->cfg;

	for (unsigned d = 0; d < cfg->n_domains; d++)
		check_domain(p, d);
	for (unsigned s = 0; s < cfg->n_services; s++) {
		resolve_domain(p, s);
		for (unsigned r = 0; r < cfg->service[s].n_resources; r++) {
			struct config_resource *res = &cfg->service[s].resource[r];

			if (res->type == CONFIG_RES_VOLUME && res->ref[0])
				resolve_volume(p, res, p->resource_at[s][r]);
			if (res->type == CONFIG_RES_IP && res->ref[0])
				check_ip_free(p, res, p->resource_at[s][r]);
			check_used_once(p, s, r);
		}
	}
	for (unsigned v = 0; v < cfg->n_volumes; v++)
		if (volume_service(cfg, v) == UINT_MAX)
			say_warning(p, p->volume_at[v], "volume \"%s\" is not used by any service",
				    cfg->volume[v].name);
}
