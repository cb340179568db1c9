/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The way from this node to every fence device, as stockade doctor fence --local sees it. */
#include "tools/check.h"
#include "tools/cli.h"
#include "tools/doctor.h"

#include <string.h>

static enum finding kind_of(const json_t *way)
{
	const char *result = js_text(way, "result", "unknown");

	if (strcmp(result, "pass") == 0)
		return FIND_OK;
	return strcmp(result, "fail") == 0 ? FIND_ERROR : FIND_WARNING;
}

void check_fence_ways(struct check *c)
{
	unsigned before = c->n_errors + c->n_warnings;
	char why[320];
	json_t *way;
	size_t i;

	if (!c->self)
		return; /* that it is no node was said, and only a node has a way */
	json_t *ways = doctor_local(c->cfg, NULL, NULL, why, sizeof(why));

	if (!ways) {
		finding(c, FIND_NOTE, "stockade doctor fence --local",
			"the ways to the fence devices were not looked at: %s", why);
		return;
	}
	json_array_foreach (ways, i, way) {
		const json_t *remedy = json_array_get(json_object_get(way, "remedy"), 0);
		enum finding kind = kind_of(way);

		if (kind != FIND_OK)
			finding(c, kind, json_string_value(remedy), "fencing %s by %s, %s: %s",
				js_text(way, "node", "?"), js_text(way, "device", "?"),
				js_text(way, "cause", "?"), js_text(way, "text", "?"));
	}
	if (c->n_errors + c->n_warnings == before && json_array_size(ways) > 0)
		finding(c, FIND_OK, NULL, "from here every fence device answers (%zu ways)",
			json_array_size(ways));
	json_decref(ways);
}
