/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tests/fuzz/group.h - three members of a core's group that hear the same bytes at the same point of the order.
 *
 * Goal: none ends (an assert would take the whole cluster down at once), all give the same answer and hold the same state
 * afterwards, and what is refused changed nothing. For make check, which damages what a healthy group said, and for
 * libFuzzer, which finds bytes of its own. tests/fuzz/NAME_group.c knows core NAME.
 */
#ifndef STOCKADE_TESTS_FUZZ_GROUP_H
#define STOCKADE_TESTS_FUZZ_GROUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define GROUP_NODES 3

struct group_kind {
	/* Members in their second view; not @synced: it has just begun. */
	void *(*begin)(bool synced);
	/* To each member, by nobody's doing: what they send is dropped. Checks all that the head of this file says. */
	int (*deliver)(void *group, uint32_t from, const void *data, size_t len);
	void *(*end)(void *group); /* NULL */
	void (*play)(void);        /* a healthy group's life; each message goes to heard_keep() */
};

extern const struct group_kind group_fence, group_dlm, group_place;

/* Damage all that play() kept. @life: so many messages hears one group. */
void group_damage(const struct group_kind *kind, bool synced, unsigned life, unsigned rounds);

/*
 * An input of libFuzzer: byte 0, bit 0: synced; then messages: a byte (from: 1 + it % 3), length u16, bytes. With FUZZ_SAMPLES=DIR
 * in the environment heard_keep() writes each sample there in this form: a new corpus.
 */
void group_input(const struct group_kind *kind, const uint8_t *data, size_t len);

#endif
