/* SPDX-License-Identifier: GPL-3.0-or-later */
/* incarnation.h - one life of a node, and the name of an agreed view.
 *
 * Every fact about death names an incarnation, never just a node: (nodeid, boot_id) is one life of its kernel, and
 * `join` numbers the lives of our fenced within it. What may write to a disk lives in the kernel, so a proof is
 * about (nodeid, boot_id); `join` tells a restarted daemon from a zombie that never noticed that it was declared dead.
 */
#ifndef STOCKADE_INCARNATION_H
#define STOCKADE_INCARNATION_H

#include "nodeset.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

struct wire_r;
struct wire_w;

#define BOOT_ID_BYTES 16
#define BOOT_ID_TEXT 37 /* "01234567-89ab-cdef-0123-456789abcdef" and its NUL */

struct incarnation {
	uint32_t nodeid; /* 1..NODEID_MAX; 0: none */
	/* /proc/sys/kernel/random/boot_id; all zero: a life that nobody saw begin */
	uint8_t boot_id[BOOT_ID_BYTES];
	uint64_t join; /* CLOCK_BOOTTIME ns at fenced's start; grows within one boot; 0: unseen */
};

/* Same life of the kernel: what a proof is about. */
static inline bool incarnation_same_boot(const struct incarnation *a, const struct incarnation *b)
{
	return a->nodeid == b->nodeid && memcmp(a->boot_id, b->boot_id, BOOT_ID_BYTES) == 0;
}

static inline bool incarnation_equal(const struct incarnation *a, const struct incarnation *b)
{
	return incarnation_same_boot(a, b) && a->join == b->join;
}

static inline bool incarnation_unseen(const struct incarnation *a)
{
	static const uint8_t zero[BOOT_ID_BYTES];

	return memcmp(a->boot_id, zero, BOOT_ID_BYTES) == 0;
}

/**
 * incarnation_boot_text() - write the boot id as the kernel does, 8-4-4-4-12 lower-case hex digits.
 * @text: [BOOT_ID_TEXT] written, NUL-terminated
 */
void incarnation_boot_text(const struct incarnation *inc, char text[BOOT_ID_TEXT]);

/**
 * incarnation_boot_parse() - read the kernel's form; dashes optional, a trailing newline is ignored.
 * Return: 0, or -EINVAL with @boot_id untouched.
 */
int incarnation_boot_parse(const char *text, uint8_t boot_id[BOOT_ID_BYTES]);

/**
 * incarnation_write(), incarnation_read() - as in every message and file: u32 nodeid, boot id, u64 join. 28 bytes.
 * A nodeid above NODEID_MAX makes the reader fail; 0, nobody, is for the caller to judge.
 */
void incarnation_write(const struct incarnation *inc, struct wire_w *w);
void incarnation_read(struct incarnation *inc, struct wire_r *r);

/* A view is named by corosync's ring id. Compare for equality; seq only grows along one history, never across two. */
struct view_id {
	uint64_t seq; /* 0: no view */
	uint32_t rep; /* nodeid of the ring's representative */
};

static inline bool view_id_equal(struct view_id a, struct view_id b)
{
	return a.seq == b.seq && a.rep == b.rep;
}

#endif
