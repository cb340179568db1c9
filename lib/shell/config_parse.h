/* SPDX-License-Identifier: GPL-3.0-or-later */
/* config_parse.h - inside of config: a YAML document read against tables of keys, with collected messages.
 *
 * A section's reader is a table of (key, function); config_yaml.c walks maps against such tables and finds what is
 * unknown, given twice or missing. Each reader writes into the object that the table is read for. Messages are collected
 * and come out in the order of the file. Only config*.c include this.
 */
#ifndef STOCKADE_CONFIG_PARSE_H
#define STOCKADE_CONFIG_PARSE_H

#include "config.h"
#include "words.h"

struct fy_node;

struct at {            /* where something stands: the caret's run */
	int line, col; /* from 0 */
	int len;       /* 0: the file as a whole, no line is shown */
};

struct item { /* a key with its value, or an element of a list (then key is NULL) */
	const char *key;
	struct at key_at;
	struct at at; /* of the value; of the key where the value has no place of its own */
	struct fy_node *value; /* NULL: nothing was written */
};

#define MESSAGES_MAX 64

struct message {
	struct at at;
	bool warning;
	char text[512];
	char note[512];
};

struct parse {
	struct config *cfg;
	const char *path, *text;
	unsigned n_messages, n_errors, n_dropped;
	struct message message[MESSAGES_MAX];

	/* Where things were written, for what is checked once everything is read. Same indexes as in cfg. */
	struct at detect_at, fence_timeout_at, ready_age_at, post_join_at, cut_delay_at;
	struct at ping_at[CONFIG_PINGS_MAX];
	bool fence_given[NODES_MAX];
	struct at node_at[NODES_MAX], node_id_at[NODES_MAX], link_at[NODES_MAX][CONFIG_LINKS_MAX];
	struct {
		struct at at;
		char device[CONFIG_NAME_MAX];
	} use[NODES_MAX][CONFIG_LEVELS_MAX + 1][CONFIG_METHOD_MAX]; /* the last level: unfence */
	struct at device_at[CONFIG_DEVICES_MAX];
	struct at volume_at[CONFIG_VOLUMES_MAX], vg_at[CONFIG_VOLUMES_MAX],
		lv_at[CONFIG_VOLUMES_MAX];
	struct at target_at[CONFIG_VOLUMES_MAX], mount_at[CONFIG_VOLUMES_MAX],
		file_at[CONFIG_VOLUMES_MAX];
	struct at fs_at[CONFIG_VOLUMES_MAX], fsck_at[CONFIG_VOLUMES_MAX];
	struct at domain_at[CONFIG_DOMAINS_MAX];
	struct {
		struct at at;
		char name[CONFIG_NAME_MAX];
	} domain_node[CONFIG_DOMAINS_MAX][NODES_MAX];
	struct at service_at[CONFIG_SERVICES_MAX], service_domain_at[CONFIG_SERVICES_MAX];
	char service_domain[CONFIG_SERVICES_MAX][CONFIG_NAME_MAX];
	struct at resource_at[CONFIG_SERVICES_MAX][CONFIG_RESOURCES_MAX];
};

struct key {
	const char *name;
	void (*read)(struct parse *p, void *obj, const struct item *it);
	bool required;
};

/* Messages. A note belongs to the last error or warning: what was expected, what to do. */
void say_error(struct parse *p, struct at at, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
void say_warning(struct parse *p, struct at at, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
void say_note(struct parse *p, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void say_write(struct parse *p,
	       FILE *err); /* all messages in the order of the file, then how many */

/* A key whose value must not stand in this file, which many people read, nor in a message. */
bool is_secret_key(const char *key);

/* YAML: @root_fn is called with the top value, if the text is well-formed. */
void yaml_read(struct parse *p, void (*root_fn)(struct parse *p, const struct item *root));

/* A map against a table that ends with a key of name NULL. @what: 'volume "webdata"', for messages. */
void read_map(struct parse *p, const struct item *it, const char *what, const struct key *keys,
	      void *obj);
/* A map of named objects: each value is passed to @each with its valid, unique name, in the order of names; at most @max. */
void read_named(struct parse *p, const struct item *it, const char *what, unsigned max,
		void (*each)(struct parse *p, const struct item *it));
/* A list, of at least one element; at most @max. */
void read_list(struct parse *p, const struct item *it, const char *what, unsigned max, void *obj,
	       void (*each)(struct parse *p, void *obj, const struct item *it));
/* A map of any keys, in order. */
void read_pairs(struct parse *p, const struct item *it, const char *what, void *obj,
		void (*each)(struct parse *p, void *obj, const struct item *it));
bool item_is_map(const struct item *it);
bool item_is_list(const struct item *it);
bool item_is_null(const struct item *it); /* nothing, ~ or null */

/* Scalars: true and *ret set, or false, reported, *ret untouched. */
bool read_text(struct parse *p, const struct item *it, char *ret, size_t size);
bool read_name(struct parse *p, const struct item *it, char *ret, size_t size);
bool read_path(struct parse *p, const struct item *it, char *ret,
	       size_t size); /* absolute, without . and .. */
bool read_uint(struct parse *p, const struct item *it, uint32_t min, uint32_t max, uint32_t *ret);
bool read_bool(struct parse *p, const struct item *it, bool *ret);
bool read_ms(struct parse *p, const struct item *it, uint32_t min, uint32_t max, uint32_t *ret);
/* One of a NULL-terminated list of words: its index. */
bool read_word(struct parse *p, const struct item *it, const char *const *words, unsigned *ret);

/* An address of either family in one shape; the prefix is -1 when none was written. */
struct address {
	int family; /* AF_INET, AF_INET6 */
	uint8_t bytes[16];
	int prefix;
	int port; /* 0: none */
};

bool address_parse(const char *text, struct address *ret); /* "192.0.2.1", "2001:db8::1/64" */
bool address_port_parse(
	const char *text,
	struct address *ret); /* "192.0.2.1:3260", "[2001:db8::1]:3260", either without port */
bool address_equal(const struct address *a, const struct address *b); /* prefix and port aside */
bool address_usable(const struct address *a, const char **why);       /* unicast, not unspecified */
bool looks_like_address(const char *text); /* digits and dots, or colons: a host name it is not */

/* Sections, one pair each: read as written; then, everything being read, check what concerns several. */
void nodes_read(struct parse *p, void *cfg, const struct item *it);
void devices_read(struct parse *p, void *cfg, const struct item *it);
void fence_delays_check(struct parse *p); /* after timing_check_all() */
void fencing_check(struct parse *p);
void watchdog_read(struct parse *p, void *cfg, const struct item *it);
void loop_read(struct parse *p, void *cfg, const struct item *it);
void pings_read(struct parse *p, void *cfg, const struct item *it);
void pings_check(struct parse *p);
void volumes_read(struct parse *p, void *cfg, const struct item *it);
void volumes_check(struct parse *p);
void mount_options_check(struct parse *p, const struct item *it, const char *options);
void domains_read(struct parse *p, void *cfg, const struct item *it);
void services_read(struct parse *p, void *cfg, const struct item *it);
void services_check(struct parse *p);

/* The service whose resource a volume is; UINT_MAX: none. */
unsigned volume_service(const struct config *cfg, unsigned volume);

uint64_t config_meaning_hash(const struct config *cfg);

#endif
