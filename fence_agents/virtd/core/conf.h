/* SPDX-License-Identifier: GPL-3.0-or-later */
/* fence_agents/virtd/core/conf.h - fence_virt.conf, the stock daemon's file, and what we added to it.
 *
 * Grammar: `name { ... }`, `name = "tag" { ... }`, `key = "value";`; keys bare, values quoted, never empty; `#` to the end
 * of the line; names in any case; of a repeated key the last one counts. All keys of the stock daemon are understood; what is
 * added stands in a section `stockade`, which the stock daemon reads over. Format: stockade-virtd.conf(5).
 *
 * Pure: text in, a structure and notes out. A key that nobody knows is a warning that names its line and the nearest key;
 * what cannot be parsed, and a value that cannot be, is an error.
 */
#ifndef STOCKADE_VIRTD_CORE_CONF_H
#define STOCKADE_VIRTD_CORE_CONF_H

#include "map.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define VIRTD_PATH_MAX 256
#define VIRTD_URIS_MAX 8
#define VIRTD_LISTENERS_MAX 4
#define VIRTD_NOTES_MAX 64

enum virtd_listener_kind {
	VIRTD_MULTICAST = 1,
	VIRTD_TCP,
	VIRTD_VSOCK,
	VIRTD_SERIAL,
};

struct virtd_listener {
	enum virtd_listener_kind kind;
	char key_file[VIRTD_PATH_MAX];
	uint8_t hash, auth; /* 0 none, 1 sha1, 2 sha256, 3 sha512: the weakest that is taken */
	bool ipv6;
	char address[64];
	uint16_t port;
	char interface[32];        /* "": all */
	char uri[VIRTD_PATH_MAX];  /* serial */
	char path[VIRTD_PATH_MAX]; /* serial: sockets lie right in this directory; "": anywhere */
	bool vmchannel;            /* serial: <channel>, else <serial> */
};

struct virtd_conf {
	unsigned n_listeners;
	struct virtd_listener listener[VIRTD_LISTENERS_MAX];
	unsigned n_uris;
	char uri[VIRTD_URIS_MAX][VIRTD_PATH_MAX];
	uint32_t debug;
	bool foreground, wait_for_init;
	/* section stockade */
	bool silent_unknown; /* multicast about a guest that is on none of our hypervisors: another host answers */
	uint32_t off_ms; /* how long an off may take until the guest is really gone */
	uint32_t acts_per_minute, queries_per_minute; /* of one caller */
	bool attest;
	uint16_t attest_port;
	char attest_address[64]; /* to listen on */
	struct virtd_map map;
};

struct virtd_note {
	unsigned line;
	bool error;
	char text[224];
};

struct virtd_notes {
	unsigned n;      /* kept; the first VIRTD_NOTES_MAX */
	unsigned errors; /* all */
	struct virtd_note v[VIRTD_NOTES_MAX];
};

/**
 * virtd_conf_parse() - read the text of a file.
 * @ret:   written in any case; to be believed only when 0 is returned
 * @notes: written
 * Return: 0, -EINVAL: notes->errors is not 0
 */
int virtd_conf_parse(const char *text, size_t len, struct virtd_conf *ret,
		     struct virtd_notes *notes);

const char *virtd_listener_name(enum virtd_listener_kind kind); /* "multicast" */
const char *virtd_hash_name(uint8_t hash);                      /* "sha256"; "?" */

#endif
