/* SPDX-License-Identifier: GPL-3.0-or-later */
/* line.c - one line of a driver, written and read: both sides here, so that they cannot drift. */
#include "driver.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *const op_names[] = {
	[DRIVER_PREPARE] = "prepare",
	[DRIVER_START] = "start",
	[DRIVER_STOP] = "stop",
	[DRIVER_KILL] = "kill",
	[DRIVER_DENY] = "deny",
	[DRIVER_PROBE] = "probe",
	[DRIVER_MONITOR] = "monitor",
	[DRIVER_HEARTBEAT] = "heartbeat",
	[DRIVER_VOLUME_PREPARE] = "volume_prepare",
};

static const char *const result_names[] = {
	[DRIVER_UNKNOWN] = "unknown", [DRIVER_OK] = "ok",           [DRIVER_FAILED] = "failed",
	[DRIVER_ACTIVE] = "active",   [DRIVER_PARTIAL] = "partial", [DRIVER_INACTIVE] = "inactive",
	[DRIVER_HEALTHY] = "healthy",
};

static const char *const life_names[] = {
	[LIFE_UNKNOWN] = "unknown",
	[LIFE_FRESH] = "fresh",
	[LIFE_STALE] = "stale",
};

#define NAME(table, i) ((size_t)(i) < sizeof(table) / sizeof(*(table)) ? (table)[i] : NULL)

const char *driver_op_name(enum driver_op op)
{
	const char *name = NAME(op_names, op);

	return name ? name : "?";
}

const char *driver_result_name(enum driver_result result)
{
	const char *name = NAME(result_names, result);

	return name ? name : "?";
}

static int index_of(const char *const *names, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (names[i] && strcmp(names[i], name) == 0)
			return (int)i;
	return -1;
}

/* Bytes that are not UTF-8 (a path, a program's message) would lose the whole line: show them as '?'. */
static json_t *text(const char *s)
{
	json_t *t = json_string(s);

	if (t)
		return t;
	char copy[DRIVER_TEXT_MAX];
	size_t n = strnlen(s, sizeof(copy) - 1);

	for (size_t i = 0; i < n; i++)
		copy[i] = (unsigned char)s[i] < 0x80 ? s[i] : '?';
	copy[n] = '\0';
	return json_string(copy);
}

static void put(json_t *o, const char *key, const char *value)
{
	if (value[0])
		json_object_set_new(o, key, text(value));
}

int driver_line_write(int fd, const struct driver_line *line)
{
	json_t *o = json_object();

	switch (line->kind) {
	case DRIVER_LINE_PROGRESS: json_object_set_new(o, "progress", text(line->text)); break;
	case DRIVER_LINE_STEP:
		json_object_set_new(o, "step", text(line->step));
		json_object_set_new(o, "took_ms", json_integer(line->took_ms));
		json_object_set_new(o, "extern_ms", json_integer(line->extern_ms));
		put(o, "text", line->text);
		break;
	case DRIVER_LINE_LIFE:
		json_object_set_new(o, "life", json_string(NAME(life_names, line->life)));
		json_object_set_new(o, "node", json_integer(line->node));
		if (line->word) {
			struct incarnation inc = { .nodeid = line->node };
			char boot[BOOT_ID_TEXT];

			memcpy(inc.boot_id, line->boot_id, BOOT_ID_BYTES);
			incarnation_boot_text(&inc, boot);
			json_object_set_new(o, "boot", json_string(boot));
			json_object_set_new(o, "armed_ms", json_integer(line->armed_ms));
		}
		break;
	case DRIVER_LINE_RESULT:
		json_object_set_new(o, "result", json_string(driver_result_name(line->result)));
		put(o, "code", line->code);
		put(o, "reason", line->text);
		put(o, "remedy", line->remedy);
		if (line->node)
			json_object_set_new(o, "node", json_integer(line->node));
		if (line->record_active)
			json_object_set_new(o, "record",
					    json_string(line->ours ? "ours" : "active"));
		break;
	}
	if (line->epoch)
		json_object_set_new(o, "epoch", json_integer((json_int_t)line->epoch));

	char *s = json_dumps(o, JSON_COMPACT);

	json_decref(o);
	if (!s)
		return -ENOMEM;
	size_t len = strlen(s);

	s[len++] = '\n'; /* in the place of the NUL: from here on it is bytes */
	ssize_t n;

	do {
		n = write(fd, s, len);
	} while (n < 0 && errno == EINTR);
	free(s);
	if (n < 0)
		return -errno;
	return (size_t)n == len ? 0 : -EIO;
}

static void get(const json_t *o, const char *key, char *buf, size_t len)
{
	const char *s = json_string_value(json_object_get(o, key));

	snprintf(buf, len, "%s", s ? s : "");
}

/* A number in 0..@max, or 0 when absent; anything else is no line of ours. */
static int number(const json_t *o, const char *key, uint64_t max, uint64_t *ret)
{
	const json_t *v = json_object_get(o, key);

	*ret = 0;
	if (!v)
		return 0;
	if (!json_is_integer(v) || json_integer_value(v) < 0 ||
	    (uint64_t)json_integer_value(v) > max)
		return -EPROTO;
	*ret = (uint64_t)json_integer_value(v);
	return 0;
}

static int parse(struct driver_line *ret, const json_t *o)
{
	const char *s;
	uint64_t took, ext, node;
	int i;

	if (number(o, "epoch", INT64_MAX, &ret->epoch) < 0 ||
	    number(o, "took_ms", UINT32_MAX, &took) < 0 ||
	    number(o, "extern_ms", UINT32_MAX, &ext) < 0 ||
	    number(o, "node", NODEID_MAX, &node) < 0)
		return -EPROTO;
	ret->node = (uint32_t)node;
	if ((s = json_string_value(json_object_get(o, "progress")))) {
		ret->kind = DRIVER_LINE_PROGRESS;
		snprintf(ret->text, sizeof(ret->text), "%s", s);
	} else if (json_is_string(json_object_get(o, "step"))) {
		ret->kind = DRIVER_LINE_STEP;
		get(o, "step", ret->step, sizeof(ret->step));
		get(o, "text", ret->text, sizeof(ret->text));
		ret->took_ms = (uint32_t)took;
		ret->extern_ms = (uint32_t)(ext < took ? ext : took);
	} else if ((s = json_string_value(json_object_get(o, "life")))) {
		i = index_of(life_names, sizeof(life_names) / sizeof(*life_names), s);
		if (i < 0 || !nodeid_valid(ret->node))
			return -EPROTO;
		ret->kind = DRIVER_LINE_LIFE;
		ret->life = (enum life_sign)i;
		s = json_string_value(json_object_get(o, "boot"));
		ret->word = s && incarnation_boot_parse(s, ret->boot_id) == 0;
		if (number(o, "armed_ms", UINT32_MAX, &took) < 0)
			return -EPROTO;
		ret->armed_ms = (uint32_t)took;
	} else if ((s = json_string_value(json_object_get(o, "result")))) {
		i = index_of(result_names, sizeof(result_names) / sizeof(*result_names), s);
		if (i < 0)
			return -EPROTO;
		ret->kind = DRIVER_LINE_RESULT;
		ret->result = (enum driver_result)i;
		get(o, "code", ret->code, sizeof(ret->code));
		get(o, "reason", ret->text, sizeof(ret->text));
		get(o, "remedy", ret->remedy, sizeof(ret->remedy));
		s = json_string_value(json_object_get(o, "record"));
		ret->ours = s && strcmp(s, "ours") == 0;
		ret->record_active = s && (ret->ours || strcmp(s, "active") == 0);
	} else {
		return -EPROTO;
	}
	return 0;
}

int driver_line_parse(struct driver_line *ret, const char *line)
{
	json_t *o = json_loads(line, 0, NULL);

	memset(ret, 0, sizeof(*ret));
	int r = json_is_object(o) ? parse(ret, o) : -EPROTO;

	json_decref(o);
	return r;
}
