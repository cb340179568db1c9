/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "group.h"

#include "heard.h"

#include <assert.h>

struct patient {
	const struct group_kind *kind;
	void *group;
	bool synced;
	uint32_t from;
	unsigned age, life;
};

static int deliver(void *arg, const void *data, size_t len)
{
	struct patient *p = arg;

	if (p->age++ >= p->life) {
		p->kind->end(p->group);
		p->group = p->kind->begin(p->synced);
		p->age = 1;
	}
	return p->kind->deliver(p->group, p->from, data, len);
}

void group_damage(const struct group_kind *kind, bool synced, unsigned life, unsigned rounds)
{
	struct patient p = {
		.kind = kind, .group = kind->begin(synced), .synced = synced, .life = life
	};

	heard_damage(deliver, &p, &p.from, rounds);
	kind->end(p.group);
}

void group_input(const struct group_kind *kind, const uint8_t *data, size_t len)
{
	if (len == 0)
		return;
	void *group = kind->begin(data[0] & 1);

	for (size_t at = 1; at + 3 <= len;) {
		uint32_t from = 1 + data[at] % GROUP_NODES;
		size_t n = data[at + 1] | (size_t)data[at + 2] << 8;

		at += 3;
		if (n > len - at)
			n = len - at;
		kind->deliver(group, from, data + at, n);
		at += n;
	}
	kind->end(group);
}
