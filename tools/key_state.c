/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A rotation that is under way, in FILE.rotation: which key it began with and which it makes, and who is asked. Nothing that is
 * decided is read from here but that: how far each host is, it says itself.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/shell/file.h"
#include "tools/cli.h"
#include "tools/key.h"

static void state_path(const char *file, char path[CONFIG_PATH_MAX + 16])
{
	snprintf(path, CONFIG_PATH_MAX + 16, "%s.rotation", file);
}

/* false: it is longer than any that we write, so it would name something else. */
static bool text_of(const json_t *o, const char *key, char *to, size_t size)
{
	int n = snprintf(to, size, "%s", js_text(o, key, ""));

	return n >= 0 && (size_t)n < size;
}

static bool hypervisors_of(const json_t *list, struct key_state *ret)
{
	json_t *h;
	size_t i;

	if (json_array_size(list) > KEY_HOSTS_MAX)
		return false;
	json_array_foreach (list, i, h)
		if (!text_of(h, "ssh", ret->hypervisor[i].ssh, sizeof(ret->hypervisor[0].ssh)) ||
		    !text_of(h, "address", ret->hypervisor[i].address,
			     sizeof(ret->hypervisor[0].address)) ||
		    !text_of(h, "file", ret->hypervisor[i].file, sizeof(ret->hypervisor[0].file)))
			return false;
	ret->n = (unsigned)json_array_size(list);
	return true;
}

int key_state_of(const json_t *o, const char *file, struct key_state *ret)
{
	int64_t stage = js_int(o, "stage", 0);
	bool good = js_int(o, "version", 0) == 1 && js_str(o, "before") && stage >= 0 &&
		    stage <= PLAN_STAGES + 1;

	memset(ret, 0, sizeof(*ret));
	good = good && text_of(o, "before", ret->before, sizeof(ret->before)) &&
	       text_of(o, "after", ret->after, sizeof(ret->after)) &&
	       text_of(o, "text", ret->text, sizeof(ret->text)) &&
	       text_of(o, "began", ret->began, sizeof(ret->began)) &&
	       hypervisors_of(json_object_get(o, "hypervisors"), ret);
	if (good) {
		snprintf(ret->file, sizeof(ret->file), "%s", file);
		ret->back = js_true(o, "back");
		ret->stage = (unsigned)stage;
	} else {
		memset(ret, 0, sizeof(*ret));
	}
	return good ? 0 : -EBADMSG;
}

int key_state_read(const char *file, struct key_state *ret)
{
	char path[CONFIG_PATH_MAX + 16];
	json_error_t e;

	state_path(file, path);
	memset(ret, 0, sizeof(*ret));
	if (access(path, F_OK) < 0)
		return errno == ENOENT ? 0 : -errno;
	json_t *o = json_load_file(path, 0, &e);
	int r = key_state_of(o, file, ret);

	json_decref(o);
	return r < 0 ? r : 1;
}

char *key_state_text(const struct key_state *s)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < s->n; i++)
		json_array_append_new(list, json_pack("{s:s,s:s,s:s}", "ssh", s->hypervisor[i].ssh,
						      "address", s->hypervisor[i].address, "file",
						      s->hypervisor[i].file));
	json_t *o = json_pack("{s:i,s:s,s:s,s:s,s:b,s:i,s:s,s:s,s:o}", "version", 1, "file",
			      s->file, "before", s->before, "after", s->after, "back", s->back,
			      "stage", (int)s->stage, "text", s->text, "began", s->began,
			      "hypervisors", list);
	char *text = o ? json_dumps(o, JSON_INDENT(2)) : NULL;

	json_decref(o);
	return text;
}

int key_state_write(const struct key_state *s)
{
	char path[CONFIG_PATH_MAX + 16], *text = key_state_text(s);

	state_path(s->file, path);
	int r = text ? file_replace(path, text, strlen(text), 0600, true) : -ENOMEM;

	free(text);
	return r;
}

int key_state_remove(const char *file)
{
	char path[CONFIG_PATH_MAX + 16];

	state_path(file, path);
	return unlink(path) < 0 && errno != ENOENT ? -errno : 0;
}
