/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Two small files. STATEDIR/storaged.intent: what the operator said, for ever. RUNDIR/storaged.state: what this
 * boot's storaged has, or may have, active; on a tmpfs, so a reboot forgets it together with the activations.
 */
#include "daemon.h"

#include "lib/shell/file.h"
#include "lib/shell/log.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int write_whole(const char *dir, const char *name, json_t *obj, bool sync)
{
	char path[PATH_MAX];
	char *text = json_dumps(obj, JSON_INDENT(1) | JSON_SORT_KEYS);
	int r = -ENOMEM;

	json_decref(obj);
	snprintf(path, sizeof(path), "%s/%s", dir, name);
	if (text)
		r = file_replace(path, text, strlen(text), 0640, sync);
	free(text);
	return r;
}

static json_t *read_whole(const char *dir, const char *name)
{
	char path[PATH_MAX];
	json_error_t err;
	json_t *obj;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	obj = json_load_file(path, 0, &err);
	if (!obj && access(path, F_OK) == 0)
		log_warning("storaged.file", "path=%s error=\"%s\"", path, err.text);
	return obj;
}

json_t *store_intent_json(const struct daemon *d)
{
	const struct service_group *g = place_group(d->place);
	json_t *standby = json_array(), *enabled = json_object();

	for (unsigned i = 0; i < d->cfg->n_nodes; i++)
		if (g->node[i].standby)
			json_array_append_new(standby, json_string(d->cfg->node[i].name));
	for (unsigned s = 0; s < d->cfg->n_services; s++)
		json_object_set_new(enabled, d->cfg->service[s].name,
				    json_boolean(g->service[s].enabled));
	return json_pack("{s:I, s:o, s:o}", "version", (json_int_t)g->intent, "standby", standby,
			 "enabled", enabled);
}

void store_intent(struct daemon *d)
{
	int r = write_whole(d->statedir, "storaged.intent", store_intent_json(d), true);

	if (r < 0)
		log_error("storaged.intent", "dir=%s error=\"%s\"", d->statedir, strerror(-r));
}

json_t *store_state_json(const struct daemon *d)
{
	char boot[BOOT_ID_TEXT];
	json_t *up = json_object();

	incarnation_boot_text(&d->life, boot);
	for (unsigned s = 0; s < d->cfg->n_services; s++)
		if (place_ours(d->place, s))
			json_object_set_new(up, d->cfg->service[s].name,
					    json_integer((json_int_t)place_ours(d->place, s)));
	return json_pack("{s:s, s:i, s:o}", "boot", boot, "nodeid", (int)d->self->id, "up", up);
}

void store_state(struct daemon *d)
{
	int r = write_whole(d->rundir, "storaged.state", store_state_json(d), false);

	if (r < 0)
		log_error("storaged.state", "dir=%s error=\"%s\"", d->rundir, strerror(-r));
}

/* Is the state file of this boot? A /run that survives a reboot must not speak for the dead. */
static bool of_this_boot(const json_t *state, const struct incarnation *life)
{
	const char *boot = json_string_value(json_object_get(state, "boot"));
	uint8_t id[BOOT_ID_BYTES];

	return boot && incarnation_boot_parse(boot, id) == 0 &&
	       memcmp(id, life->boot_id, BOOT_ID_BYTES) == 0;
}

void store_take(const struct config *cfg, const struct incarnation *life, const json_t *intent,
		const json_t *state, struct place_config *pc)
{
	json_t *item;
	size_t i;

	if (json_integer_value(json_object_get(intent, "version")) > 0) {
		pc->intent = (uint64_t)json_integer_value(json_object_get(intent, "version"));
		json_array_foreach (json_object_get(intent, "standby"), i, item) {
			const struct config_node *n =
				json_is_string(item)
					? config_node_by_name(cfg, json_string_value(item))
					: NULL;

			if (n)
				nodeset_add(&pc->standby, n->id);
		}
		for (unsigned s = 0; s < cfg->n_services; s++) {
			item = json_object_get(json_object_get(intent, "enabled"),
					       cfg->service[s].name);
			pc->enabled[s] = json_is_boolean(item) ? json_is_true(item)
							       : cfg->service[s].enabled;
		}
	}
	if (!of_this_boot(state, life))
		return;
	for (unsigned s = 0; s < cfg->n_services; s++) {
		item = json_object_get(json_object_get(state, "up"), cfg->service[s].name);
		if (json_integer_value(item) > 0)
			pc->ours[s] = (uint64_t)json_integer_value(item);
	}
}

void store_load(struct daemon *d, struct place_config *pc)
{
	json_t *intent = read_whole(d->statedir, "storaged.intent");
	json_t *state = read_whole(d->rundir, "storaged.state");

	store_take(d->cfg, &d->life, intent, state, pc);
	json_decref(intent);
	json_decref(state);
}
