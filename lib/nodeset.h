/* SPDX-License-Identifier: GPL-3.0-or-later */
/* nodeset.h - a set of cluster nodes, by nodeid.
 *
 * A nodeid is 1..NODEID_MAX (the config refuses others), so a set is one machine word and the algebra of
 * membership reads as it is spoken: nodeset_and(victims, members). At most NODES_MAX nodes form a cluster.
 */
#ifndef STOCKADE_NODESET_H
#define STOCKADE_NODESET_H

#include <stdbool.h>
#include <stdint.h>

#ifndef SEARCH_SMALL
#define NODEID_MAX 63 /* bit 0 stays free: nodeid 0 means "no node" */
#define NODES_MAX 16
#else /* sim/search alone: the same sources with little room, as it copies a core millions of times */
#define NODEID_MAX 7
#define NODES_MAX 3
#endif

struct nodeset {
	uint64_t bits;
};

#define NODESET_EMPTY ((struct nodeset){ 0 })

static inline bool nodeid_valid(uint32_t nodeid)
{
	return nodeid >= 1 && nodeid <= NODEID_MAX;
}

static inline struct nodeset nodeset_of(uint32_t nodeid)
{
	return (struct nodeset){ nodeid_valid(nodeid) ? UINT64_C(1) << nodeid : 0 };
}

static inline bool nodeset_has(struct nodeset s, uint32_t nodeid)
{
	return (s.bits & nodeset_of(nodeid).bits) != 0;
}

static inline void nodeset_add(struct nodeset *s, uint32_t nodeid)
{
	s->bits |= nodeset_of(nodeid).bits;
}

static inline void nodeset_del(struct nodeset *s, uint32_t nodeid)
{
	s->bits &= ~nodeset_of(nodeid).bits;
}

static inline struct nodeset nodeset_and(struct nodeset a, struct nodeset b)
{
	return (struct nodeset){ a.bits & b.bits };
}

static inline struct nodeset nodeset_or(struct nodeset a, struct nodeset b)
{
	return (struct nodeset){ a.bits | b.bits };
}

/* In @a but not in @b. */
static inline struct nodeset nodeset_minus(struct nodeset a, struct nodeset b)
{
	return (struct nodeset){ a.bits & ~b.bits };
}

static inline bool nodeset_empty(struct nodeset s)
{
	return s.bits == 0;
}

static inline bool nodeset_equal(struct nodeset a, struct nodeset b)
{
	return a.bits == b.bits;
}

static inline bool nodeset_subset(struct nodeset small, struct nodeset big)
{
	return (small.bits & ~big.bits) == 0;
}

static inline unsigned nodeset_count(struct nodeset s)
{
	return (unsigned)__builtin_popcountll(s.bits);
}

/* The lowest nodeid greater than @after, or 0: nodeset_next(s, 0) is the lowest of all. */
static inline uint32_t nodeset_next(struct nodeset s, uint32_t after)
{
	uint64_t rest = after >= NODEID_MAX ? 0 : s.bits & (~UINT64_C(0) << (after + 1));

	return rest ? (uint32_t)__builtin_ctzll(rest) : 0;
}

static inline uint32_t nodeset_lowest(struct nodeset s)
{
	return nodeset_next(s, 0);
}

#define nodeset_for_each(nodeid, s) \
	for (uint32_t nodeid = nodeset_next((s), 0); nodeid; nodeid = nodeset_next((s), nodeid))

#endif
