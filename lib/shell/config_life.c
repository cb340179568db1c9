/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What decides between living nodes: who is still on the network, and who was fenced too often. */
#include <string.h>

#include "config_parse.h"

static void watchdog_mode(struct parse *p, void *obj, const struct item *it)
{
	static const char *const words[] = { "auto", "on", "off", NULL };
	struct config *cfg = obj;
	unsigned i;

	if (read_word(p, it, words, &i))
		cfg->watchdog = (enum config_watchdog)i;
}

static void watchdog_device(struct parse *p, void *obj, const struct item *it)
{
	struct config *cfg = obj;

	read_path(p, it, cfg->watchdog_device, sizeof(cfg->watchdog_device));
}

static void watchdog_storage(struct parse *p, void *obj, const struct item *it)
{
	struct config *cfg = obj;

	read_bool(p, it, &cfg->watchdog_storage);
}

static void watchdog_daemons(struct parse *p, void *obj, const struct item *it)
{
	struct config *cfg = obj;

	read_bool(p, it, &cfg->watchdog_daemons);
}

void watchdog_read(struct parse *p, void *cfg, const struct item *it)
{
	static const struct key keys[] = { { "daemons", watchdog_daemons, false },
					   { "device", watchdog_device, false },
					   { "mode", watchdog_mode, false },
					   { "storage", watchdog_storage, false },
					   { NULL, NULL, false } };

	if (item_is_map(it))
		read_map(p, it, "watchdog", keys, cfg);
	else
		watchdog_mode(p, cfg, it);
}

bool config_is_watchdog(const struct config_device *dev)
{
	return strcmp(dev->agent, "watchdog") == 0;
}

bool config_uses_watchdog(const struct config *cfg)
{
	bool named = false;

	for (unsigned i = 0; i < cfg->n_devices; i++)
		named = named || config_is_watchdog(&cfg->device[i]);
	return cfg->watchdog == CONFIG_WATCHDOG_ON ||
	       (cfg->watchdog == CONFIG_WATCHDOG_AUTO && named);
}

static void loop_times(struct parse *p, void *obj, const struct item *it)
{
	struct config *cfg = obj;

	read_uint(p, it, 2, CONFIG_LOOP_MAX, &cfg->loop_max);
}

static void loop_within(struct parse *p, void *obj, const struct item *it)
{
	struct config *cfg = obj;

	read_ms(p, it, 60 * 1000, TIMING_OTHER_MAX_MS, &cfg->loop_ms);
}

void loop_read(struct parse *p, void *cfg, const struct item *it)
{
	static const struct key keys[] = { { "times", loop_times, false },
					   { "within", loop_within, false },
					   { NULL, NULL, false } };
	static const char *const words[] = { "off", NULL };
	unsigned i;

	if (item_is_map(it))
		read_map(p, it, "fence_loop", keys, cfg);
	else if (read_word(p, it, words, &i))
		((struct config *)cfg)->loop_max = 0;
}

static void ping_each(struct parse *p, void *obj, const struct item *it)
{
	struct config *cfg = obj;
	char *to = cfg->ping[cfg->n_pings];
	struct address a;
	const char *why;

	if (!read_text(p, it, to, CONFIG_NAME_MAX))
		return;
	if (!address_parse(to, &a) || a.prefix >= 0) {
		say_error(p, it->at, "ping target \"%s\" is not an address", to);
		say_note(
			p,
			"expected the IPv4 or IPv6 address of the gateway: a name would need one that works");
		return;
	}
	if (!address_usable(&a, &why)) {
		say_error(p, it->at, "ping target is %s", why);
		return;
	}
	p->ping_at[cfg->n_pings++] = it->at;
}

void pings_read(struct parse *p, void *cfg, const struct item *it)
{
	read_list(p, it, "ping", CONFIG_PINGS_MAX, cfg, ping_each);
}

/* A node that pings itself always answers, and each side of a cut reaches its own half. */
void pings_check(struct parse *p)
{
	const struct config *cfg = p->cfg;

	for (unsigned i = 0; i < cfg->n_pings; i++)
		for (unsigned n = 0; n < cfg->n_nodes; n++)
			for (unsigned l = 0; l < cfg->node[n].n_links; l++) {
				struct address a, b;

				if (!address_parse(cfg->ping[i], &a) ||
				    !address_parse(cfg->node[n].link[l], &b) ||
				    !address_equal(&a, &b))
					continue;
				say_error(p, p->ping_at[i], "ping target \"%s\" is node \"%s\"",
					  cfg->ping[i], cfg->node[n].name);
				say_note(
					p,
					"name something outside of the cluster, such as the gateway: "
					"it tells which side of a cut still reaches the clients");
			}
}
