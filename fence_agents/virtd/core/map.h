/* SPDX-License-Identifier: GPL-3.0-or-later */
/* fence_agents/virtd/core/map.h - who may fence whom.
 *
 * Nothing is permitted that no line permits. Lines come from the stock file's groups (a caller of a group may act on the
 * guests of that group) and from our `guest` sections (this guest, known by uuid or address, may act on those). A file that has
 * neither, nor a section `stockade`, is a file of old: it permits everything, and `open_of_old` says so, loudly elsewhere.
 *
 * A guest is named by uuid or by name; the line's word is compared with both of the real guest's, and with what the caller
 * wrote, so that permitting the uuid permits the name (the stock daemon compares the text as sent only).
 */
#ifndef STOCKADE_VIRTD_CORE_MAP_H
#define STOCKADE_VIRTD_CORE_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define VIRTD_WORD_MAX 64
#define VIRTD_ENTRIES_MAX 2048

enum virtd_entry_kind {
	VIRTD_GROUP_UUID = 1, /* group: may be acted on; as a caller too when it has a uuid */
	VIRTD_GROUP_IP,       /* group: caller */
	VIRTD_GUEST_SELF,     /* guest section: its uuid or name */
	VIRTD_GUEST_IP,       /* guest section: an address or CID of it */
	VIRTD_GUEST_MAY,      /* guest section: whom it may fence; "any" */
};

struct virtd_entry {
	enum virtd_entry_kind kind;
	uint16_t owner; /* groups and guest sections are counted together */
	char word[VIRTD_WORD_MAX];
};

struct virtd_map {
	bool open_of_old; /* no map at all in the file: everything is permitted, as the stock daemon does */
	bool open; /* permit = "any" was written */
	uint16_t owners;
	unsigned n;
	struct virtd_entry v[VIRTD_ENTRIES_MAX];
};

struct virtd_caller {
	char who[VIRTD_WORD_MAX]; /* address, CID, or the uuid of the guest that owns the channel */
	char source
		[VIRTD_WORD_MAX]; /* multicast: where the datagram really came from; else as who */
};

/* Any of the three may be "". */
struct virtd_target {
	const char *as_sent, *name, *uuid;
};

bool virtd_map_add(struct virtd_map *m, enum virtd_entry_kind kind, uint16_t owner,
		   const char *word); /* false: full, or the word is too long */
bool virtd_map_permits(const struct virtd_map *m, const struct virtd_caller *c,
		       const struct virtd_target *t);

/* Is @addr an address that some line gives to the caller known by @who? Then it may be called back there. */
bool virtd_map_same_caller(const struct virtd_map *m, const char *who, const char *addr);

#endif
