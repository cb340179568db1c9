/* SPDX-License-Identifier: GPL-3.0-or-later */
/* fence_agents/virtd/core/conf.c - one pass over the text; each section is a table of keys. */
#include "conf.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEPTH_MAX 8
#define KEY_FILE_DEFAULT "/etc/cluster/fence_xvm.key"

enum section {
	SEC_TOP = 0,
	SEC_FENCE_VIRTD,
	SEC_LISTENERS,
	SEC_MULTICAST,
	SEC_TCP,
	SEC_VSOCK,
	SEC_SERIAL,
	SEC_BACKENDS,
	SEC_LIBVIRT,
	SEC_CPG,
	SEC_GROUPS,
	SEC_GROUP,
	SEC_STOCKADE,
	SEC_GUEST,
	SEC_UNKNOWN,
};

/* Which sections there are, and inside of which. */
static const struct {
	const char *name;
	enum section in, is;
} sections[] = {
	{ "fence_virtd", SEC_TOP, SEC_FENCE_VIRTD },
	{ "listeners", SEC_TOP, SEC_LISTENERS },
	{ "backends", SEC_TOP, SEC_BACKENDS },
	{ "groups", SEC_TOP, SEC_GROUPS },
	{ "stockade", SEC_TOP, SEC_STOCKADE },
	{ "multicast", SEC_LISTENERS, SEC_MULTICAST },
	{ "tcp", SEC_LISTENERS, SEC_TCP },
	{ "vsock", SEC_LISTENERS, SEC_VSOCK },
	{ "serial", SEC_LISTENERS, SEC_SERIAL },
	{ "libvirt", SEC_BACKENDS, SEC_LIBVIRT },
	{ "cpg", SEC_BACKENDS, SEC_CPG },
	{ "group", SEC_GROUPS, SEC_GROUP },
	{ "guest", SEC_STOCKADE, SEC_GUEST },
};

struct parser {
	const char *p, *end;
	unsigned line;
	struct virtd_conf *conf;
	struct virtd_notes *notes;
	struct virtd_listener own[VIRTD_SERIAL + 1]; /* by kind */
	bool have[VIRTD_SERIAL + 1], address_set[VIRTD_SERIAL + 1];
	char listeners[VIRTD_PATH_MAX], backend[VIRTD_WORD_MAX];
	unsigned listeners_line, backend_line;
	char cpg_uri[VIRTD_URIS_MAX][VIRTD_PATH_MAX], virt_uri[VIRTD_URIS_MAX][VIRTD_PATH_MAX];
	bool groups, stockade;
};

__attribute__((format(printf, 4, 5))) static void say(struct parser *s, unsigned line, bool error,
						      const char *fmt, ...)
{
	va_list ap;

	if (error)
		s->notes->errors++;
	if (s->notes->n == VIRTD_NOTES_MAX)
		return;
	struct virtd_note *n = &s->notes->v[s->notes->n++];

	n->line = line;
	n->error = error;
	va_start(ap, fmt);
	vsnprintf(n->text, sizeof(n->text), fmt, ap);
	va_end(ap);
}

static unsigned distance(const char *a, const char *b)
{
	size_t n = strlen(b);
	unsigned row[40];

	if (n >= 40 || strlen(a) >= 40)
		return 99;
	for (size_t j = 0; j <= n; j++)
		row[j] = (unsigned)j;
	for (size_t i = 0; a[i]; i++) {
		unsigned diagonal = row[0];

		row[0] = (unsigned)i + 1;
		for (size_t j = 0; j < n; j++) {
			unsigned up = row[j + 1];
			unsigned best = diagonal + (tolower((unsigned char)a[i]) !=
						    tolower((unsigned char)b[j]));

			if (up + 1 < best)
				best = up + 1;
			if (row[j] + 1 < best)
				best = row[j] + 1;
			row[j + 1] = best;
			diagonal = up;
		}
	}
	return row[n];
}

struct nearest {
	const char *word;
	unsigned far;
};

static void nearer(struct nearest *n, const char *given, const char *known)
{
	unsigned far = distance(given, known);

	if (far < n->far && far <= 1 + strlen(known) / 3) {
		n->far = far;
		n->word = known;
	}
}

static void set_text(struct parser *s, unsigned line, const char *key, char *to, size_t room,
		     const char *value)
{
	size_t len = strlen(value);

	if (len >= room)
		say(s, line, true, "%s: \"%.40s...\" is longer than %zu characters", key, value,
		    room - 1);
	else
		memcpy(to, value, len + 1);
}

static uint32_t number(struct parser *s, unsigned line, const char *key, const char *value,
		       uint32_t low, uint32_t high, uint32_t otherwise)
{
	char *end;

	errno = 0;
	unsigned long v = isdigit((unsigned char)value[0]) ? strtoul(value, &end, 10) : 0;

	if (!isdigit((unsigned char)value[0]) || *end || errno || v < low || v > high) {
		say(s, line, true, "%s: \"%.40s\" is no number from %u to %u", key, value, low,
		    high);
		return otherwise;
	}
	return (uint32_t)v;
}

static uint8_t hash_of(struct parser *s, unsigned line, const char *key, const char *value,
		       uint8_t otherwise)
{
	for (uint8_t i = 0; i <= 3; i++)
		if (strcasecmp(value, virtd_hash_name(i)) == 0)
			return i;
	say(s, line, true, "%s: \"%.40s\" is none of none, sha1, sha256, sha512", key, value);
	return otherwise;
}

static bool yes(struct parser *s, unsigned line, const char *key, const char *value)
{
	static const char *const words[2][4] = { { "0", "no", "off", "false" },
						 { "1", "yes", "on", "true" } };

	for (unsigned v = 0; v < 2; v++)
		for (unsigned i = 0; i < 4; i++)
			if (strcasecmp(value, words[v][i]) == 0)
				return v == 1;
	say(s, line, true, "%s: \"%.40s\" is neither yes nor no", key, value);
	return false;
}

static const char *const keys_fence_virtd[] = {
	"listener",      "backend",          "module_path", "debug", "foreground",
	"wait_for_init", "wait_for_backend", "name_mode",   NULL
};
static const char *const keys_multicast[] = { "key_file", "hash", "auth",      "family",
					      "address",  "port", "interface", NULL };
static const char *const keys_tcp[] = { "key_file", "hash", "auth", "family",
					"address",  "port", NULL };
static const char *const keys_vsock[] = { "key_file", "hash", "auth", "port", NULL };
static const char *const keys_serial[] = { "uri", "path", "mode", "key_file", NULL };
static const char *const keys_libvirt[] = { "uri", NULL };
static const char *const keys_cpg[] = { "uri", "name_mode", NULL };
static const char *const keys_group[] = { "name", "uuid", "ip", NULL };
static const char *const keys_stockade[] = {
	"unknown_guest",      "off_timeout",    "acts_per_minute",
	"queries_per_minute", "permit",         "attest",
	"attest_port",        "attest_address", NULL
};
static const char *const keys_guest[] = { "uuid", "name", "ip", "may_fence", NULL };

static const char *const *keys_of(enum section sec)
{
	static const char *const none[] = { NULL };

	switch (sec) {
	case SEC_FENCE_VIRTD: return keys_fence_virtd;
	case SEC_MULTICAST: return keys_multicast;
	case SEC_TCP: return keys_tcp;
	case SEC_VSOCK: return keys_vsock;
	case SEC_SERIAL: return keys_serial;
	case SEC_LIBVIRT: return keys_libvirt;
	case SEC_CPG: return keys_cpg;
	case SEC_GROUP: return keys_group;
	case SEC_STOCKADE: return keys_stockade;
	case SEC_GUEST: return keys_guest;
	case SEC_TOP:
	case SEC_LISTENERS:
	case SEC_BACKENDS:
	case SEC_GROUPS:
	case SEC_UNKNOWN: break;
	}
	return none;
}

/* "uri", "uri1" .. "uri7": the slot, or -1. */
static int uri_slot(const char *key)
{
	if (strncasecmp(key, "uri", 3) != 0)
		return -1;
	if (key[3] == '\0')
		return 0;
	return key[4] == '\0' && key[3] >= '0' && key[3] < '0' + VIRTD_URIS_MAX ? key[3] - '0' : -1;
}

static void listener_key(struct parser *s, unsigned line, enum virtd_listener_kind kind,
			 const char *key, const char *value)
{
	struct virtd_listener *l = &s->own[kind];

	if (strcasecmp(key, "key_file") == 0)
		set_text(s, line, key, l->key_file, sizeof(l->key_file), value);
	else if (strcasecmp(key, "hash") == 0)
		l->hash = hash_of(s, line, key, value, l->hash);
	else if (strcasecmp(key, "auth") == 0)
		l->auth = hash_of(s, line, key, value, l->auth);
	else if (strcasecmp(key, "port") == 0)
		l->port = (uint16_t)number(s, line, key, value, 1, 65535, 1229);
	else if (strcasecmp(key, "interface") == 0)
		set_text(s, line, key, l->interface, sizeof(l->interface), value);
	else if (strcasecmp(key, "uri") == 0)
		set_text(s, line, key, l->uri, sizeof(l->uri), value);
	else if (strcasecmp(key, "path") == 0)
		set_text(s, line, key, l->path, sizeof(l->path), value);
	else if (strcasecmp(key, "address") == 0) {
		set_text(s, line, key, l->address, sizeof(l->address), value);
		s->address_set[kind] = true;
	} else if (strcasecmp(key, "family") == 0) {
		l->ipv6 = strcasecmp(value, "ipv6") == 0;
		if (!l->ipv6 && strcasecmp(value, "ipv4") != 0)
			say(s, line, true, "family: \"%.40s\" is neither ipv4 nor ipv6", value);
	} else if (strcasecmp(key, "mode") == 0) {
		l->vmchannel = strcasecmp(value, "vmchannel") == 0;
		if (!l->vmchannel && strcasecmp(value, "serial") != 0)
			say(s, line, true, "mode: \"%.40s\" is neither serial nor vmchannel",
			    value);
	}
}

static void main_key(struct parser *s, unsigned line, const char *key, const char *value)
{
	struct virtd_conf *c = s->conf;

	if (strcasecmp(key, "listener") == 0) {
		set_text(s, line, key, s->listeners, sizeof(s->listeners), value);
		s->listeners_line = line;
	} else if (strcasecmp(key, "backend") == 0) {
		set_text(s, line, key, s->backend, sizeof(s->backend), value);
		s->backend_line = line;
	} else if (strcasecmp(key, "debug") == 0) {
		c->debug = number(s, line, key, value, 0, 1000, 0);
	} else if (strcasecmp(key, "foreground") == 0) {
		c->foreground = yes(s, line, key, value);
	} else if (strncasecmp(key, "wait_for", 8) == 0) {
		c->wait_for_init = yes(s, line, key, value);
	} /* module_path, name_mode: known, and of no meaning here */
}

static void entry(struct parser *s, unsigned line, enum virtd_entry_kind kind, const char *value)
{
	if (!virtd_map_add(&s->conf->map, kind, (uint16_t)(s->conf->map.owners - 1), value))
		say(s, line, true, "\"%.40s\" is too long, or there are more than %u entries",
		    value, VIRTD_ENTRIES_MAX);
}

static void stockade_key(struct parser *s, unsigned line, const char *key, const char *value)
{
	struct virtd_conf *c = s->conf;

	if (strcasecmp(key, "unknown_guest") == 0) {
		c->silent_unknown = strcasecmp(value, "silent") == 0;
		if (!c->silent_unknown && strcasecmp(value, "answer") != 0)
			say(s, line, true, "unknown_guest: \"%.40s\" is neither answer nor silent",
			    value);
	} else if (strcasecmp(key, "off_timeout") == 0) {
		c->off_ms = number(s, line, key, value, 1, 600, 20) * 1000;
	} else if (strcasecmp(key, "acts_per_minute") == 0) {
		c->acts_per_minute = number(s, line, key, value, 1, 100000, 60);
	} else if (strcasecmp(key, "queries_per_minute") == 0) {
		c->queries_per_minute = number(s, line, key, value, 1, 10000000, 30000);
	} else if (strcasecmp(key, "permit") == 0) {
		c->map.open = strcasecmp(value, "any") == 0;
		if (!c->map.open && strcasecmp(value, "listed") != 0)
			say(s, line, true, "permit: \"%.40s\" is neither any nor listed", value);
	} else if (strcasecmp(key, "attest") == 0) {
		c->attest = yes(s, line, key, value);
	} else if (strcasecmp(key, "attest_port") == 0) {
		c->attest_port = (uint16_t)number(s, line, key, value, 1, 65535, 1230);
	} else if (strcasecmp(key, "attest_address") == 0) {
		set_text(s, line, key, c->attest_address, sizeof(c->attest_address), value);
	}
}

static void on_key(struct parser *s, enum section sec, unsigned line, const char *key,
		   const char *value)
{
	bool known = false;
	struct nearest near = { NULL, 99 };
	bool backend = sec == SEC_LIBVIRT || sec == SEC_CPG;

	if (sec == SEC_UNKNOWN)
		return; /* it was named at its brace */
	for (const char *const *k = keys_of(sec); *k; k++) {
		known = known || strcasecmp(*k, key) == 0;
		nearer(&near, key, *k);
	}
	known = known || (backend && uri_slot(key) >= 0);
	if (!known) {
		say(s, line, false, "unknown key \"%s\"%s%s%s", key,
		    near.word ? "; did you mean \"" : "", near.word ? near.word : "",
		    near.word ? "\"?" : "");
		return;
	}
	switch (sec) {
	case SEC_FENCE_VIRTD: main_key(s, line, key, value); break;
	case SEC_MULTICAST: listener_key(s, line, VIRTD_MULTICAST, key, value); break;
	case SEC_TCP: listener_key(s, line, VIRTD_TCP, key, value); break;
	case SEC_VSOCK: listener_key(s, line, VIRTD_VSOCK, key, value); break;
	case SEC_SERIAL: listener_key(s, line, VIRTD_SERIAL, key, value); break;
	case SEC_LIBVIRT:
		set_text(s, line, key, s->virt_uri[uri_slot(key)], VIRTD_PATH_MAX, value);
		break;
	case SEC_CPG:
		if (uri_slot(key) >= 0)
			set_text(s, line, key, s->cpg_uri[uri_slot(key)], VIRTD_PATH_MAX, value);
		break;
	case SEC_GROUP:
		if (strcasecmp(key, "uuid") == 0)
			entry(s, line, VIRTD_GROUP_UUID, value);
		else if (strcasecmp(key, "ip") == 0)
			entry(s, line, VIRTD_GROUP_IP, value);
		break;
	case SEC_GUEST:
		entry(s, line,
		      strcasecmp(key, "ip") == 0          ? VIRTD_GUEST_IP
		      : strcasecmp(key, "may_fence") == 0 ? VIRTD_GUEST_MAY
							  : VIRTD_GUEST_SELF,
		      value);
		break;
	case SEC_STOCKADE: stockade_key(s, line, key, value); break;
	case SEC_TOP:
	case SEC_LISTENERS:
	case SEC_BACKENDS:
	case SEC_GROUPS:
	case SEC_UNKNOWN: break;
	}
}

static enum section on_section(struct parser *s, enum section in, unsigned line, const char *name)
{
	struct nearest near = { NULL, 99 };

	for (size_t i = 0; i < sizeof(sections) / sizeof(*sections); i++) {
		if (sections[i].in != in)
			continue;
		if (strcasecmp(sections[i].name, name) == 0) {
			s->groups |= sections[i].is == SEC_GROUPS;
			s->stockade |= sections[i].is == SEC_STOCKADE;
			if (sections[i].is == SEC_GROUP || sections[i].is == SEC_GUEST)
				s->conf->map.owners++;
			if (sections[i].is >= SEC_MULTICAST && sections[i].is <= SEC_SERIAL)
				s->have[sections[i].is - SEC_MULTICAST + VIRTD_MULTICAST] = true;
			return sections[i].is;
		}
		nearer(&near, name, sections[i].name);
	}
	if (in != SEC_UNKNOWN)
		say(s, line, false, "unknown section \"%s\"%s%s%s", name,
		    near.word ? "; did you mean \"" : "", near.word ? near.word : "",
		    near.word ? "\"?" : "");
	return SEC_UNKNOWN;
}

static void skip_blanks(struct parser *s)
{
	while (s->p < s->end) {
		if (*s->p == '#')
			while (s->p < s->end && *s->p != '\n')
				s->p++;
		else if (!isspace((unsigned char)*s->p))
			return;
		if (s->p < s->end && *s->p == '\n')
			s->line++;
		if (s->p < s->end)
			s->p++;
	}
}

static bool take(struct parser *s, char c)
{
	skip_blanks(s);
	if (s->p == s->end || *s->p != c)
		return false;
	s->p++;
	return true;
}

static bool take_word(struct parser *s, char *to, size_t room)
{
	size_t n = 0;

	skip_blanks(s);
	while (s->p < s->end && (isalnum((unsigned char)*s->p) || *s->p == '_' || *s->p == '-') &&
	       n + 1 < room)
		to[n++] = *s->p++;
	to[n] = '\0';
	return n > 0;
}

/* A string ends on its line; NUL and other control characters are not in it. */
static bool take_string(struct parser *s, char *to, size_t room)
{
	size_t n = 0;

	if (!take(s, '"'))
		return false;
	while (s->p < s->end && *s->p != '"' && !iscntrl((unsigned char)*s->p) && n + 1 < room)
		to[n++] = *s->p++;
	to[n] = '\0';
	if (s->p == s->end || *s->p != '"')
		return false;
	s->p++;
	return n > 0;
}

static int syntax(struct parser *s, const char *expected)
{
	char found[24] = "the end of the file";

	skip_blanks(s);
	if (s->p < s->end)
		snprintf(found, sizeof(found), isprint((unsigned char)*s->p) ? "'%c'" : "byte %d",
			 *s->p);
	say(s, s->line, true, "syntax error: %s expected, %s found", expected, found);
	return -EINVAL;
}

static int parse(struct parser *s)
{
	enum section stack[DEPTH_MAX] = { SEC_TOP };
	unsigned depth = 0;
	char word[VIRTD_WORD_MAX], value[2 * VIRTD_PATH_MAX];

	for (;;) {
		skip_blanks(s);
		if (s->p == s->end)
			return depth ? syntax(s, "'}'") : 0;
		if (*s->p == '}') {
			if (depth == 0)
				return syntax(s, "a section");
			s->p++;
			depth--;
			continue;
		}
		unsigned line = s->line;

		if (!take_word(s, word, sizeof(word)))
			return syntax(s, "a name");
		bool tagged = take(s, '=');

		if (tagged && !take_string(s, value, sizeof(value)))
			return syntax(s, "a value that is not empty, in double quotes");
		if (take(s, '{')) {
			if (depth + 1 == DEPTH_MAX)
				return syntax(s, "fewer braces");
			stack[depth + 1] = on_section(s, stack[depth], line, word);
			depth++;
		} else if (!tagged) {
			return syntax(s, "'=' or '{'");
		} else if (take(s, ';')) {
			on_key(s, stack[depth], line, word, value);
		} else {
			return syntax(s, "';'");
		}
	}
}

static void use_listeners(struct parser *s)
{
	struct virtd_conf *c = s->conf;
	char *p = s->listeners, word[VIRTD_WORD_MAX];

	if (p[0] == '\0')
		say(s, s->line, true, "fence_virtd: no listener is named");
	while (*p) {
		size_t n = strcspn(p, " ,\t");
		enum virtd_listener_kind kind = VIRTD_MULTICAST;

		snprintf(word, sizeof(word), "%.*s", (int)(n < 60 ? n : 60), p);
		p += n;
		p += strspn(p, " ,\t");
		if (word[0] == '\0')
			continue;
		while (kind <= VIRTD_SERIAL && strcasecmp(virtd_listener_name(kind), word) != 0)
			kind++;
		if (kind > VIRTD_SERIAL) {
			say(s, s->listeners_line, true,
			    "listener \"%s\" is none of multicast, tcp, vsock, serial", word);
			continue;
		}
		if (c->n_listeners == VIRTD_LISTENERS_MAX) {
			say(s, s->listeners_line, true, "more than %u listeners",
			    VIRTD_LISTENERS_MAX);
			return;
		}
		struct virtd_listener *l = &s->own[kind];

		if (!s->have[kind])
			say(s, s->listeners_line, false, "there is no section for listener %s",
			    word);
		if (!s->address_set[kind] && kind == VIRTD_MULTICAST)
			snprintf(l->address, sizeof(l->address), "%s",
				 l->ipv6 ? "ff05::3:1" : "225.0.0.12");
		if (!s->address_set[kind] && kind == VIRTD_TCP)
			snprintf(l->address, sizeof(l->address), "%s",
				 l->ipv6 ? "::1" : "127.0.0.1");
		/* The stock file need not say family when the address does. */
		l->ipv6 = l->ipv6 || strchr(l->address, ':');
		if ((kind == VIRTD_TCP || kind == VIRTD_VSOCK) && l->auth != 2)
			say(s, s->listeners_line, false,
			    "%s: auth is %s here; the stock daemon takes this key for hash, and always challenges with sha256",
			    word, virtd_hash_name(l->auth));
		c->listener[c->n_listeners++] = *l;
	}
}

static void use_backend(struct parser *s)
{
	struct virtd_conf *c = s->conf;
	bool cpg = strcasecmp(s->backend, "cpg") == 0;

	if (s->backend[0] == '\0')
		say(s, s->line, true, "fence_virtd: no backend is named");
	else if (!cpg && strcasecmp(s->backend, "libvirt") != 0)
		say(s, s->backend_line, true, "backend \"%.40s\" is neither libvirt nor cpg",
		    s->backend);
	for (unsigned i = 0; i < VIRTD_URIS_MAX; i++) {
		const char *uri = cpg ? s->cpg_uri[i] : s->virt_uri[i];

		if (uri[0])
			memcpy(c->uri[c->n_uris++], uri, VIRTD_PATH_MAX);
	}
	if (c->n_uris == 0)
		snprintf(c->uri[c->n_uris++], VIRTD_PATH_MAX, "qemu:///system");
	if (cpg) {
		c->silent_unknown = true;
		say(s, s->backend_line, false,
		    "backend cpg is served as libvirt with unknown_guest = \"silent\": every hypervisor hears the multicast, the one that has the guest answers; no corosync is asked");
	}
}

int virtd_conf_parse(const char *text, size_t len, struct virtd_conf *ret,
		     struct virtd_notes *notes)
{
	struct parser s = { .p = text, .end = text + len, .line = 1, .conf = ret, .notes = notes };

	memset(ret, 0, sizeof(*ret));
	notes->n = notes->errors = 0;
	ret->off_ms = 20000;
	ret->acts_per_minute = 60;
	ret->queries_per_minute = 30000;
	ret->attest = true;
	ret->attest_port = 1230;
	for (enum virtd_listener_kind k = VIRTD_MULTICAST; k <= VIRTD_SERIAL; k++) {
		s.own[k] = (struct virtd_listener){ .kind = k, .hash = 2, .auth = 2, .port = 1229 };
		snprintf(s.own[k].key_file, VIRTD_PATH_MAX, "%s", KEY_FILE_DEFAULT);
	}
	if (parse(&s) == 0) {
		use_backend(&s);
		use_listeners(&s);
		ret->map.open_of_old = !s.groups && !s.stockade;
	}
	return notes->errors ? -EINVAL : 0;
}

const char *virtd_listener_name(enum virtd_listener_kind kind)
{
	switch (kind) {
	case VIRTD_MULTICAST: return "multicast";
	case VIRTD_TCP: return "tcp";
	case VIRTD_VSOCK: return "vsock";
	case VIRTD_SERIAL: return "serial";
	}
	return "?";
}

const char *virtd_hash_name(uint8_t hash)
{
	static const char *const names[] = { "none", "sha1", "sha256", "sha512" };

	return hash <= 3 ? names[hash] : "?";
}
