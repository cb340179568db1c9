/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "lib/shell/agent_input.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define SECRET_MAX 4096

void agent_find(const char *agent, char path[CONFIG_PATH_MAX])
{
	static const char *const dirs[] = { STOCKADE_LIBEXECDIR "/agents", "/usr/sbin",
					    STOCKADE_SBINDIR };

	snprintf(path, CONFIG_PATH_MAX, "%s", agent);
	if (strchr(agent, '/'))
		return;
	for (size_t i = 0; i < sizeof(dirs) / sizeof(*dirs); i++) {
		char try[CONFIG_PATH_MAX];

		if ((size_t)snprintf(try, sizeof(try), "%s/%s", dirs[i], agent) < sizeof(try) &&
		    access(try, X_OK) == 0) {
			memcpy(path, try, sizeof(try));
			return;
		}
	}
}

bool agent_calls_back(const char *path)
{
	const char *base = strrchr(path, '/');

	base = base ? base + 1 : path;
	return strcmp(base, "fence_xvm") == 0 || strcmp(base, "fence_virt") == 0;
}

bool agent_metadata_has(const char *xml, const char *element, const char *name)
{
	char want[64];
	size_t n = strlen(element);

	for (const char *p = xml; (p = strchr(p, '<')) != NULL; p++) {
		if (strncmp(p + 1, element, n) != 0 ||
		    (p[1 + n] != ' ' && p[1 + n] != '\t' && p[1 + n] != '\n'))
			continue;
		const char *end = strchr(p, '>');

		for (int q = 0; q < 2; q++) {
			snprintf(want, sizeof(want), "name=%c%s%c", "\"'"[q], name, "\"'"[q]);
			const char *hit = strstr(p, want);

			if (hit && (!end || hit < end))
				return true;
		}
	}
	return false;
}

struct lines {
	char *buf;
	size_t len;
};

static void put(struct lines *l, const char *key, const char *value)
{
	if (l->len >= AGENT_INPUT_MAX)
		return;
	int n = snprintf(l->buf + l->len, AGENT_INPUT_MAX - l->len, "%s=%s\n", key, value);

	/* what does not fit makes all of it too long: half of a password is no password */
	l->len = n > 0 && (size_t)n < AGENT_INPUT_MAX - l->len ? l->len + (size_t)n
							       : AGENT_INPUT_MAX;
}

static bool has_key(const struct config_param *c, unsigned n, const char *key)
{
	for (unsigned i = 0; i < n; i++)
		if (strcmp(c[i].key, key) == 0)
			return true;
	return false;
}

static int put_param(struct lines *l, const char *device, const struct config_param *c, char *why,
		     size_t why_len)
{
	char secret[SECRET_MAX], text[160];

	if (!c->secret_file) {
		put(l, c->key, c->value);
		return 0;
	}
	int r = config_secret_read(c->value, secret, sizeof(secret), text, sizeof(text));

	if (r < 0) {
		snprintf(why, why_len, "%.60s: %.120s", device, text);
		return -1;
	}
	put(l, c->key, secret);
	explicit_bzero(secret, sizeof(secret));
	return 0;
}

ssize_t agent_input(const struct config *cfg, const char *node, const struct config_fence_use *use,
		    const char *action, bool port, const char *more, char *buf, char *why,
		    size_t why_len)
{
	const struct config_device *dev = &cfg->device[use->device];
	const struct config_param *own = &cfg->use_param[use->first_param];
	struct lines l = { .buf = buf };

	buf[0] = '\0';
	put(&l, "action", action);
	put(&l, "nodename", node);
	if (use->plug[0])
		put(&l, port ? "port" : "plug", use->plug);
	for (unsigned i = 0; i < dev->n_params; i++)
		if (!has_key(own, use->n_params, dev->param[i].key) &&
		    put_param(&l, dev->name, &dev->param[i], why, why_len) < 0)
			return -1;
	for (unsigned i = 0; i < use->n_params; i++)
		if (put_param(&l, dev->name, &own[i], why, why_len) < 0)
			return -1;
	size_t n = more ? strlen(more) : 0;

	if (l.len + n >= AGENT_INPUT_MAX) {
		snprintf(why, why_len, "%.60s: its parameters are longer than %u bytes", dev->name,
			 AGENT_INPUT_MAX);
		return -1;
	}
	memcpy(buf + l.len, more ? more : "", n);
	l.len += n;
	return (ssize_t)l.len;
}
