/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Files of ours that a crash may have cut, or a hand has changed: the history's lines, and a rotation of keys that is under way.
 * The first byte chooses, the rest is the file.
 */
#include "lib/shell/history.h"
#include "tests/fuzz/target.h"
#include "tools/key.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void history(const char *text, size_t len)
{
	static const char last[] = "\n{\"boot\":\"b\",\"event\":\"self.reboot\",\"n\":7}\n";
	json_t *all = json_array(), *again = json_array(), *e;
	char *more = malloc(len + sizeof(last)), *line;
	size_t i;

	assert(all && again && more);
	history_parse(all, text, len);
	json_array_foreach (all, i, e) { /* what is told is an entry, and is told the same again */
		assert(json_is_object(e));
		line = json_dumps(e, JSON_COMPACT);
		assert(line && !strchr(line, '\n'));
		size_t n = strlen(line);

		line[n] = '\n'; /* in place of the NUL */
		history_parse(again, line, n + 1);
		free(line);
	}
	assert(json_equal(all, again));
	e = history_end_in(all, "this boot");
	assert(!e || strncmp(json_string_value(json_object_get(e, "event")), "self.", 5) == 0);
	json_decref(e);
	/* whatever the file holds: what is added to it is told, as the last */
	memcpy(more, text, len);
	memcpy(more + len, last, sizeof(last));
	json_array_clear(all);
	history_parse(all, more, len + sizeof(last) - 1);
	e = json_array_get(all, json_array_size(all) - 1);
	assert(json_integer_value(json_object_get(e, "n")) == 7);
	e = history_end_in(all, "this boot");
	assert(json_integer_value(json_object_get(e, "n")) == 7);
	json_decref(e);
	free(more);
	json_decref(all);
	json_decref(again);
}

static void rotation(const char *text, size_t len)
{
	static struct key_state s, again;
	json_t *o = json_loadb(text, len, 0, NULL);
	int r = key_state_of(o, "/etc/cluster/fence_xvm.key", &s);

	json_decref(o);
	assert(r == 0 || (r == -EBADMSG && !s.file[0] && s.n == 0));
	if (r < 0)
		return;
	assert(s.n <= KEY_HOSTS_MAX && s.stage <= PLAN_STAGES + 1);
	char *anew = key_state_text(&s);

	assert(anew);
	o = json_loads(anew, 0, NULL);
	assert(key_state_of(o, s.file, &again) == 0);
	assert(memcmp(&s, &again, sizeof(s)) == 0);
	json_decref(o);
	free(anew);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	if (len == 0)
		return 0;
	if (data[0] % 2)
		rotation((const char *)data + 1, len - 1);
	else
		history((const char *)data + 1, len - 1);
	return 0;
}
