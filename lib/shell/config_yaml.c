/* SPDX-License-Identifier: GPL-3.0-or-later */
/* From YAML to checked values: maps against tables of keys, scalars of each kind. */
#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <libfyaml.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config_parse.h"

#include "lib/utf8.h"

#define KEYS_MAX 64 /* in one map */

static struct at at_of(struct fy_node *node, struct at otherwise)
{
	struct fy_token *token = node && fy_node_is_scalar(node) ? fy_node_get_scalar_token(node)
								 : NULL;
	const struct fy_mark *start = token ? fy_token_start_mark(token) : NULL;
	const struct fy_mark *end = token ? fy_token_end_mark(token) : NULL;

	if (!start || !end)
		return otherwise;
	return (struct at){ .line = start->line,
			    .col = start->column,
			    .len = end->line == start->line ? end->column - start->column : 1 };
}

/* One item for each pair; a key that is no plain word is reported and given as NULL. */
static struct item item_of(struct parse *p, struct fy_node_pair *pair, struct at outer)
{
	struct fy_node *key = fy_node_pair_key(pair);
	struct item it = { .value = fy_node_pair_value(pair), .key_at = at_of(key, outer) };
	struct fy_token *token = key && fy_node_is_scalar(key) ? fy_node_get_scalar_token(key)
							       : NULL;

	it.key = token ? fy_token_get_text0(token) : NULL;
	it.at = at_of(it.value, it.key_at);
	if (!it.key || !it.key[0]) {
		say_error(p, it.key_at, "a key must be a word");
		it.key = NULL;
	} else if (it.value && fy_node_is_alias(it.value)) {
		say_error(p, it.at, "references (*NAME) are not used here");
		say_note(p, "write the value out");
		it.key = NULL;
	}
	return it;
}

static void report_syntax(struct parse *p, struct fy_diag *diag)
{
	struct fy_diag_error *e;
	void *iter = NULL;
	bool any = false;

	for (const char *line = p->text; line;
	     line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL) {
		size_t blank = strspn(line, " ");

		if (line[blank] != '\t' || line[strspn(line, " \t")] == '\n')
			continue;
		int n = 0;
		for (const char *c = p->text; c < line; c++)
			n += *c == '\n';
		say_error(p, (struct at){ .line = n, .col = (int)blank, .len = 1 },
			  "this line is indented by a tab");
		say_note(p, "YAML wants spaces");
		return;
	}
	while ((e = fy_diag_errors_iterate(diag, &iter))) {
		if (e->type != FYET_ERROR)
			continue;
		say_error(p, (struct at){ .line = e->line - 1, .col = e->column - 1, .len = 1 },
			  "%s", e->msg);
		say_note(
			p,
			strstr(e->msg, "multiline plain key")
				? "check the indentation of the next line, and that a blank follows each \":\""
				: "this is not well-formed YAML");
		any = true;
	}
	if (!any) {
		say_error(p, (struct at){ .len = 0 }, "this is not well-formed YAML");
	}
}

/* Length of the UTF-8 character at @s, 0: it is none, or one that does not belong into a text. */
static int character(const unsigned char *s)
{
	if (s[0] < 0x80)
		return s[0] >= ' ' || s[0] == '\t' || s[0] == '\r' ? s[0] != 0x7f : 0;
	return (int)utf8_character((const char *)s);
}

/* What libfyaml need not see: a directive (a damaged one makes its version 0.7 loop for ever), and bytes that are no text. */
static bool text_fit(struct parse *p)
{
	struct at at = { .line = 0 };

	for (const unsigned char *s = (const unsigned char *)p->text; *s;) {
		int n = 1;

		if (*s == '%' && at.col == 0) {
			at.len = (int)strcspn((const char *)s, "\n");
			say_error(p, at, "directives (%%NAME) are not used here");
			say_note(p, "leave the line out");
			return false;
		}
		if (*s == '\n') {
			at.line++;
			at.col = 0;
		} else {
			n = character(s);
			at.col++;
		}
		if (n == 0) {
			say_error(p, (struct at){ .line = at.line, .col = at.col - 1 },
				  "byte 0x%02x is not text", *s);
			say_note(p, "the file must be UTF-8");
			return false;
		}
		s += n;
	}
	return true;
}

void yaml_read(struct parse *p, void (*root_fn)(struct parse *p, const struct item *root))
{
	struct fy_diag_cfg diag_cfg;
	struct fy_document *doc = NULL, *more = NULL;
	struct fy_parser *parser = NULL;
	struct fy_diag *diag;

	if (!text_fit(p))
		return;
	fy_diag_cfg_default(&diag_cfg);
	diag_cfg.fp = NULL;
	diag = fy_diag_create(&diag_cfg);
	if (diag) {
		struct fy_parse_cfg cfg = { .flags = FYPCF_QUIET | FYPCF_COLLECT_DIAG |
						     FYPCF_ALLOW_DUPLICATE_KEYS,
					    .diag = diag };

		fy_diag_set_collect_errors(diag, true);
		parser = fy_parser_create(&cfg);
	}
	if (!parser || fy_parser_set_string(parser, p->text, strlen(p->text)) != 0) {
		say_error(p, (struct at){ .len = 0 }, "cannot be read: %s", strerror(ENOMEM));
		goto out;
	}
	doc = fy_parse_load_document(parser);
	if (!doc && !fy_diag_got_error(diag)) {
		say_error(p, (struct at){ .len = 0 }, "there is nothing in this file");
		say_note(p,
			 "see stockade.yaml(5) for an example, or let \"stockade init\" write one");
		goto out;
	}
	if (doc)
		more = fy_parse_load_document(parser);
	if (!doc || fy_diag_got_error(diag)) {
		report_syntax(p, diag);
		goto out;
	}
	if (more) {
		say_error(p, (struct at){ .len = 0 }, "there are several documents in this file");
		say_note(p, "keep one; \"---\" begins another");
		goto out;
	}
	struct item root = { .value = fy_document_root(doc),
			     .key_at = { .len = 0 },
			     .at = { .len = 0 } };
	root_fn(p, &root);
out:
	if (more)
		fy_parse_document_destroy(parser, more);
	if (doc)
		fy_parse_document_destroy(parser, doc);
	if (parser)
		fy_parser_destroy(parser);
	if (diag)
		fy_diag_destroy(diag);
}

bool item_is_map(const struct item *it)
{
	return it->value && fy_node_is_mapping(it->value);
}

bool item_is_list(const struct item *it)
{
	return it->value && fy_node_is_sequence(it->value);
}

bool item_is_null(const struct item *it)
{
	size_t len = 0;
	const char *text;

	if (!it->value)
		return true;
	if (!fy_node_is_scalar(it->value))
		return false;
	text = fy_node_get_scalar(it->value, &len);
	if (!text || !len)
		return fy_node_is_null(it->value) || !fy_node_get_scalar_token(it->value);
	return fy_node_get_style(it->value) == FYNS_PLAIN &&
	       ((len == 1 && *text == '~') || (len == 4 && memcmp(text, "null", 4) == 0));
}

/* "cluster, detect, nodes", as much as fits. */
static void list_keys(const struct key *keys, char *buf, size_t size)
{
	const char *name[KEYS_MAX];
	size_t n = 0, len = 0;

	for (; keys[n].name; n++) {
		size_t i = n;

		assert(n < KEYS_MAX);
		for (; i > 0 && strcmp(name[i - 1], keys[n].name) > 0; i--)
			name[i] = name[i - 1];
		name[i] = keys[n].name;
	}
	buf[0] = '\0';
	for (size_t i = 0; i < n && len < size; i++)
		len += (size_t)snprintf(buf + len, size - len, "%s%s", i ? ", " : "", name[i]);
}

static void unknown_key(struct parse *p, const struct item *it, const char *what,
			const struct key *keys)
{
	const char *name[KEYS_MAX + 1];
	char expected[400];
	const char *near;
	size_t n = 0;

	for (; keys[n].name; n++)
		name[n] = keys[n].name;
	name[n] = NULL;
	near = nearest_word(it->key, name);
	list_keys(keys, expected, sizeof(expected));
	say_error(p, it->key_at, "unknown key \"%s\" in %s", it->key, what);
	say_note(p, "expected one of: %s%s%s%s", expected, near ? "; did you mean \"" : "",
		 near ? near : "", near ? "\"?" : "");
}

/* Given twice? The earlier place in *@earlier. */
static bool seen_before(const struct item *seen, unsigned n, const char *key, struct at *earlier)
{
	for (unsigned i = 0; i < n; i++)
		if (strcmp(seen[i].key, key) == 0) {
			*earlier = seen[i].key_at;
			return true;
		}
	return false;
}

/* The pairs of a map, aliases and keys given twice reported and left out; -1: it is no map (reported). */
static int pairs_of(struct parse *p, const struct item *it, const char *what, struct item *pair)
{
	struct fy_node_pair *fp;
	void *iter = NULL;
	unsigned n = 0;

	if (!item_is_map(it)) {
		say_error(p, it->at, "%s must be a map of keys", what);
		say_note(p, item_is_null(it)
				    ? "nothing is written here"
				    : "expected \"key: value\" lines, or {key: value, ...}");
		return -1;
	}
	while ((fp = fy_node_mapping_iterate(it->value, &iter))) {
		struct item next = item_of(p, fp, it->key_at);
		struct at earlier;

		if (!next.key)
			continue;
		if (seen_before(pair, n, next.key, &earlier)) {
			say_error(p, next.key_at, "key \"%s\" is given twice in %s", next.key,
				  what);
			say_note(p, "the first is in line %d", earlier.line + 1);
			continue;
		}
		if (n == KEYS_MAX) {
			say_error(p, next.key_at, "more than %d keys in %s", KEYS_MAX, what);
			break;
		}
		pair[n++] = next;
	}
	return (int)n;
}

void read_map(struct parse *p, const struct item *it, const char *what, const struct key *keys,
	      void *obj)
{
	struct item pair[KEYS_MAX];
	bool given[KEYS_MAX] = { false };
	int n = pairs_of(p, it, what, pair);

	for (int i = 0; i < n; i++) {
		unsigned k = 0;

		while (keys[k].name && strcmp(keys[k].name, pair[i].key) != 0)
			k++;
		assert(k < KEYS_MAX);
		if (!keys[k].name) {
			unknown_key(p, &pair[i], what, keys);
			continue;
		}
		given[k] = true;
		keys[k].read(p, obj, &pair[i]);
	}
	for (unsigned k = 0; n >= 0 && keys[k].name; k++)
		if (keys[k].required && !given[k])
			say_error(p, it->key_at, "%s has no \"%s\"", what, keys[k].name);
}

static bool name_valid(const char *s)
{
	size_t len = strlen(s);

	if (len < 1 || len >= CONFIG_NAME_MAX || !isalnum((unsigned char)s[0]))
		return false;
	for (; *s; s++)
		if (!isalnum((unsigned char)*s) && !strchr("_.-", *s))
			return false;
	return true;
}

static void name_invalid(struct parse *p, struct at at, const char *what, const char *name)
{
	say_error(p, at, "%s \"%s\" is not a valid name", what, name);
	say_note(
		p,
		"expected a letter or digit, then letters, digits, \"_\", \".\", \"-\"; at most %d characters",
		CONFIG_NAME_MAX - 1);
}

static int by_key(const void *a, const void *b)
{
	return strcmp(((const struct item *)a)->key, ((const struct item *)b)->key);
}

void read_named(struct parse *p, const struct item *it, const char *what, unsigned max,
		void (*each)(struct parse *p, const struct item *it))
{
	struct item pair[KEYS_MAX];
	char section[CONFIG_NAME_MAX];
	int n;

	snprintf(section, sizeof(section), "\"%s\"", it->key);
	n = pairs_of(p, it, section, pair);
	if (n > 0)
		qsort(pair, (size_t)n, sizeof(pair[0]), by_key);
	for (int i = 0; i < n; i++) {
		if (!name_valid(pair[i].key)) {
			name_invalid(p, pair[i].key_at, what, pair[i].key);
		} else if ((unsigned)i >= max) {
			say_error(p, pair[i].key_at, "there are more than %u in %s", max, section);
			break;
		} else {
			each(p, &pair[i]);
		}
	}
}

void read_list(struct parse *p, const struct item *it, const char *what, unsigned max, void *obj,
	       void (*each)(struct parse *p, void *obj, const struct item *it))
{
	struct fy_node *value;
	void *iter = NULL;
	unsigned n = 0;

	if (!item_is_list(it) || fy_node_sequence_is_empty(it->value)) {
		say_error(p, it->at, "%s must be a list%s", what,
			  item_is_list(it) ? " of at least one" : "");
		say_note(p, "expected \"- ...\" lines, or [..., ...]");
		return;
	}
	while ((value = fy_node_sequence_iterate(it->value, &iter))) {
		struct item element = { .value = value, .key_at = it->key_at };

		/* A map has no mark of its own: its first key has. */
		element.at = at_of(value, it->key_at);
		if (fy_node_is_mapping(value) && fy_node_mapping_get_by_index(value, 0))
			element.at = at_of(fy_node_pair_key(fy_node_mapping_get_by_index(value, 0)),
					   it->key_at);
		element.key_at = element.at;
		if (fy_node_is_alias(value)) {
			say_error(p, element.at, "references (*NAME) are not used here");
			say_note(p, "write the value out");
		} else if (n++ == max) {
			say_error(p, element.at, "%s has more than %u elements", what, max);
			return;
		} else {
			each(p, obj, &element);
		}
	}
}

void read_pairs(struct parse *p, const struct item *it, const char *what, void *obj,
		void (*each)(struct parse *p, void *obj, const struct item *it))
{
	struct item pair[KEYS_MAX];
	int n = pairs_of(p, it, what, pair);

	for (int i = 0; i < n; i++)
		each(p, obj, &pair[i]);
}

/* The name of a value in messages: its key, or "the element". */
static const char *label(const struct item *it)
{
	return it->key ? it->key : "the element";
}

bool read_text(struct parse *p, const struct item *it, char *ret, size_t size)
{
	size_t len = 0;
	const char *text;

	if (it->value && !fy_node_is_scalar(it->value)) {
		say_error(p, it->at, "%s must be one value, not a %s", label(it),
			  item_is_map(it) ? "map" : "list");
		return false;
	}
	text = it->value ? fy_node_get_scalar(it->value, &len) : NULL;
	if (!text || !len || item_is_null(it)) {
		say_error(p, it->at, "%s has no value", label(it));
		return false;
	}
	if (len >= size) {
		say_error(p, it->at, "%s is longer than %zu characters", label(it), size - 1);
		return false;
	}
	for (size_t i = 0; i < len; i++)
		if (iscntrl((unsigned char)text[i])) {
			say_error(p, it->at,
				  "%s has a line break or another control character inside",
				  label(it));
			return false;
		}
	memcpy(ret, text, len);
	ret[len] = '\0';
	return true;
}

bool read_name(struct parse *p, const struct item *it, char *ret, size_t size)
{
	char text[CONFIG_PATH_MAX];

	if (!read_text(p, it, text, sizeof(text)))
		return false;
	if (!name_valid(text) || strlen(text) >= size) {
		name_invalid(p, it->at, label(it), text);
		return false;
	}
	memcpy(ret, text, strlen(text) + 1);
	return true;
}

/* "/a/b": absolute, no ".", "..", "//", nor "/" at the end. */
static bool path_clean(const char *s)
{
	if (*s != '/')
		return false;
	while (*s == '/') {
		size_t len = strcspn(++s, "/");

		if (len == 0 || (len == 1 && s[0] == '.') ||
		    (len == 2 && s[0] == '.' && s[1] == '.'))
			return false;
		s += len;
	}
	return true;
}

bool read_path(struct parse *p, const struct item *it, char *ret, size_t size)
{
	char text[CONFIG_PATH_MAX];

	if (!read_text(p, it, text, sizeof(text) < size ? sizeof(text) : size))
		return false;
	if (!path_clean(text) && strcmp(text, "/") != 0) {
		say_error(p, it->at, "%s must be an absolute path", label(it));
		say_note(
			p,
			"expected \"/dir/name\", without \".\", \"..\", \"//\" or a \"/\" at the end");
		return false;
	}
	memcpy(ret, text, strlen(text) + 1);
	return true;
}

bool read_uint(struct parse *p, const struct item *it, uint32_t min, uint32_t max, uint32_t *ret)
{
	char text[CONFIG_NAME_MAX], *end;
	unsigned long v;

	if (!read_text(p, it, text, sizeof(text)))
		return false;
	errno = 0;
	v = strtoul(text, &end, 10);
	if (*end || !isdigit((unsigned char)text[0]) || errno || v < min || v > max) {
		say_error(p, it->at, "%s is \"%s\"", label(it), text);
		say_note(p, "expected a whole number from %u to %u", min, max);
		return false;
	}
	*ret = (uint32_t)v;
	return true;
}

bool read_word(struct parse *p, const struct item *it, const char *const *words, unsigned *ret)
{
	char text[CONFIG_NAME_MAX], expected[256] = "";
	const char *near;
	size_t len = 0;

	if (!read_text(p, it, text, sizeof(text)))
		return false;
	for (unsigned i = 0; words[i]; i++)
		if (strcmp(words[i], text) == 0) {
			*ret = i;
			return true;
		}
	for (unsigned i = 0; words[i] && len < sizeof(expected); i++)
		len += (size_t)snprintf(expected + len, sizeof(expected) - len, "%s%s",
					i ? ", " : "", words[i]);
	near = nearest_word(text, words);
	say_error(p, it->at, "%s is \"%s\"", label(it), text);
	say_note(p, "expected one of: %s%s%s%s", expected, near ? "; did you mean \"" : "",
		 near ? near : "", near ? "\"?" : "");
	return false;
}

bool read_bool(struct parse *p, const struct item *it, bool *ret)
{
	static const char *const words[] = { "false", "true", NULL };
	unsigned i;

	if (!read_word(p, it, words, &i))
		return false;
	*ret = i == 1;
	return true;
}

/* "90s" or "1.5s" in ms; -EINVAL: no such form, -ENODATA: a number alone, -ERANGE. */
static int ms_parse(const char *text, uint32_t *ret)
{
	static const struct {
		const char *name;
		double ms;
	} unit[] = {
		{ "ms", 1 }, { "s", 1000 }, { "min", 60000 }, { "h", 3600000 }, { "d", 86400000 }
	};
	char *end;
	double v;

	if (!isdigit((unsigned char)text[0]) || strspn(text, "0123456789.") == 0)
		return -EINVAL;
	v = strtod(text, &end);
	if ((size_t)(end - text) != strspn(text, "0123456789."))
		return -EINVAL;
	if (!*end)
		return -ENODATA;
	for (size_t i = 0; i < sizeof(unit) / sizeof(unit[0]); i++) {
		if (strcmp(end, unit[i].name) != 0)
			continue;
		if (v * unit[i].ms > UINT32_MAX / 2)
			return -ERANGE;
		*ret = (uint32_t)(v * unit[i].ms + 0.5);
		return 0;
	}
	return -EINVAL;
}

static void ms_text(uint32_t ms, char *buf, size_t size)
{
	static const struct {
		const char *name;
		uint32_t ms;
	} unit[] = {
		{ "d", 86400000 }, { "h", 3600000 }, { "min", 60000 }, { "s", 1000 }, { "ms", 1 }
	};
	unsigned i = 0;

	while (ms % unit[i].ms || ms < unit[i].ms)
		i++;
	snprintf(buf, size, "%u%s", ms / unit[i].ms, unit[i].name);
}

bool read_ms(struct parse *p, const struct item *it, uint32_t min, uint32_t max, uint32_t *ret)
{
	char text[CONFIG_NAME_MAX], low[16], high[16];
	uint32_t v = 0;
	int r;

	if (!read_text(p, it, text, sizeof(text)))
		return false;
	r = ms_parse(text, &v);
	if (r == 0 && v >= min && v <= max) {
		*ret = v;
		return true;
	}
	ms_text(min, low, sizeof(low));
	ms_text(max, high, sizeof(high));
	if (r == -ENODATA) {
		say_error(p, it->at, "%s is \"%s\", without a unit", label(it), text);
		say_note(p, "expected a time such as %ss, 500ms, 2min, 1h", text);
	} else if (r == -EINVAL) {
		say_error(p, it->at, "%s is \"%s\", not a time", label(it), text);
		say_note(p, "expected a number with a unit: ms, s, min, h, d");
	} else {
		say_error(p, it->at, "%s is %s", label(it), text);
		say_note(p, "expected a time from %s to %s", low, high);
	}
	return false;
}
