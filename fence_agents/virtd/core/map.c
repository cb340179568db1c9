/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "map.h"

#include <string.h>

bool virtd_map_add(struct virtd_map *m, enum virtd_entry_kind kind, uint16_t owner,
		   const char *word)
{
	size_t len = strlen(word);

	if (m->n == VIRTD_ENTRIES_MAX || len >= VIRTD_WORD_MAX)
		return false;
	struct virtd_entry *e = &m->v[m->n++];

	memset(e, 0, sizeof(*e));
	e->kind = kind;
	e->owner = owner;
	memcpy(e->word, word, len);
	return true;
}

static bool is_caller(const struct virtd_entry *e, const char *who)
{
	switch (e->kind) {
	case VIRTD_GROUP_UUID: /* a guest that is known by its uuid is a caller of its groups */
	case VIRTD_GROUP_IP:
	case VIRTD_GUEST_SELF:
	case VIRTD_GUEST_IP: return strcasecmp(e->word, who) == 0;
	case VIRTD_GUEST_MAY: return false;
	}
	return false;
}

static bool is_target(const struct virtd_entry *e, const struct virtd_target *t)
{
	if (e->kind == VIRTD_GUEST_MAY && strcasecmp(e->word, "any") == 0)
		return true;
	if (e->kind != VIRTD_GUEST_MAY && e->kind != VIRTD_GROUP_UUID)
		return false;
	return (t->as_sent[0] && strcasecmp(e->word, t->as_sent) == 0) ||
	       (t->name[0] && strcasecmp(e->word, t->name) == 0) ||
	       (t->uuid[0] && strcasecmp(e->word, t->uuid) == 0);
}

static bool owner_knows(const struct virtd_map *m, uint16_t owner, const char *who)
{
	for (unsigned i = 0; i < m->n; i++)
		if (m->v[i].owner == owner && is_caller(&m->v[i], who))
			return true;
	return false;
}

bool virtd_map_permits(const struct virtd_map *m, const struct virtd_caller *c,
		       const struct virtd_target *t)
{
	if (m->open || m->open_of_old)
		return true;
	if (c->who[0] == '\0')
		return false;
	for (unsigned i = 0; i < m->n; i++) {
		const struct virtd_entry *e = &m->v[i];

		/* who says that it is somebody else than the datagram's sender must be both of them */
		if (is_target(e, t) && owner_knows(m, e->owner, c->who) &&
		    (strcmp(c->who, c->source) == 0 || owner_knows(m, e->owner, c->source)))
			return true;
	}
	return false;
}

bool virtd_map_same_caller(const struct virtd_map *m, const char *who, const char *addr)
{
	if (m->open || m->open_of_old)
		return true;
	for (uint16_t o = 0; o < m->owners; o++)
		if (owner_knows(m, o, who) && owner_knows(m, o, addr))
			return true;
	return false;
}
