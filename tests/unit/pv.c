/* SPDX-License-Identifier: GPL-3.0-or-later */
/* storaged/drivers/pv: the head of an LVM physical volume. The bytes are laid out here by hand from the format's
 * description; the laboratory compares with what pvcreate of the guest wrote.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "storaged/drivers/pv.h"

static void le(uint8_t *p, uint64_t v, int bytes)
{
	for (int i = 0; i < bytes; i++)
		p[i] = (uint8_t)(v >> 8 * i);
}

#define UUID "FYNdlJCPiTiN2FE3Vy4zNZ0Oc4GgN8tq"

static void make(uint8_t head[PV_HEAD_BYTES], unsigned sector)
{
	uint8_t *l = head + sector * 512, *pv = l + 32, *m = head + 4096;

	memset(head, 0, PV_HEAD_BYTES);
	memcpy(l, "LABELONE", 8);
	le(l + 8, sector, 8);
	le(l + 20, 32, 4);
	memcpy(l + 24, "LVM2 001", 8);
	memcpy(pv, UUID, 32);
	le(pv + 32, 512 << 20, 8);
	le(pv + 40, 1 << 20, 8); /* data area, to the end */
	le(pv + 72, 4096, 8);    /* after {0,0}: the metadata area */
	le(pv + 80, 1020 << 10, 8);
	memcpy(m + 4, " LVM2 x[5A%r0N*>", 16);
	le(m + 20, 1, 4);
	le(m + 24, 4096, 8);
	le(m + 32, 1020 << 10, 8);
	le(m + 40, 512 * 7, 8);
	le(m + 48, 1234, 8);
	le(m + 56, 0xfeedbeef, 4);
}

static void mark_is_found_in_each_label_sector(void **state)
{
	uint8_t head[PV_HEAD_BYTES];
	struct pv_mark m;
	char text[PV_MARK_TEXT];

	(void)state;
	for (unsigned s = 0; s < 4; s++) {
		make(head, s);
		assert_int_equal(pv_mark_read(&m, head), 0);
		pv_mark_text(&m, text);
		assert_string_equal(text, UUID ":4096:3584:1234:feedbeef");
	}
	make(head, 1);
	le(head + 512 + 8, 3, 8); /* a label that says it belongs elsewhere is none */
	assert_int_equal(pv_mark_read(&m, head), -ENODEV);
	memset(head, 0, sizeof(head));
	assert_int_equal(pv_mark_read(&m, head), -ENODEV);
}

static void any_change_of_the_metadata_changes_the_mark(void **state)
{
	static const int at[] = { 40, 48, 56 };
	uint8_t head[PV_HEAD_BYTES];
	char before[PV_MARK_TEXT], after[PV_MARK_TEXT];
	struct pv_mark m;

	(void)state;
	make(head, 1);
	assert_int_equal(pv_mark_read(&m, head), 0);
	pv_mark_text(&m, before);
	for (size_t i = 0; i < sizeof(at) / sizeof(*at); i++) {
		make(head, 1);
		head[4096 + at[i]] ^= 1;
		assert_int_equal(pv_mark_read(&m, head), 0);
		pv_mark_text(&m, after);
		assert_string_not_equal(before, after);
	}
}

/* Whatever is cut or wrong is refused, and nothing is read outside (a sanitizer watches). */
static void damage_is_refused(void **state)
{
	uint8_t *head = malloc(PV_HEAD_BYTES);
	struct pv_mark m;

	(void)state;
	assert_non_null(head);
	make(head, 3);
	le(head + 3 * 512 + 20, 500, 4); /* the PV header behind its sector */
	assert_int_equal(pv_mark_read(&m, head), -EBADMSG);
	make(head, 1);
	head[512 + 32] = '*'; /* no uuid has that */
	assert_int_equal(pv_mark_read(&m, head), -EBADMSG);
	make(head, 1);
	memset(head + 512 + 72, 0xff, 512 - 72); /* lists without an end */
	assert_int_equal(pv_mark_read(&m, head), -EBADMSG);
	make(head, 1);
	le(head + 512 + 32 + 72, 1 << 20, 8); /* metadata at the end of the disk */
	assert_int_equal(pv_mark_read(&m, head), -ENOTSUP);
	make(head, 1);
	head[4096 + 4] = 'X';
	assert_int_equal(pv_mark_read(&m, head), -EBADMSG);
	make(head, 1);
	le(head + 512 + 32 + 72, 0, 8); /* a PV without metadata of its own: fine, another has it */
	le(head + 512 + 32 + 80, 0, 8);
	assert_int_equal(pv_mark_read(&m, head), 0);
	assert_int_equal(m.mda_offset, 0);
	srand(1);
	for (int i = 0; i < 20000; i++) {
		make(head, 1);
		for (int k = 0; k < 4; k++)
			head[512 + rand() % 200] = (uint8_t)rand();
		(void)pv_mark_read(&m, head);
	}
	free(head);
}

static void uuids_lose_their_dashes(void **state)
{
	char u[PV_UUID_TEXT] = "before";

	(void)state;
	assert_int_equal(pv_uuid_compact("FYNdlJ-CPiT-iN2F-E3Vy-4zNZ-0Oc4-GgN8tq", u), 0);
	assert_string_equal(u, UUID);
	assert_int_equal(pv_uuid_compact("short", u), -EINVAL);
	assert_int_equal(pv_uuid_compact(UUID "x", u), -EINVAL);
	assert_int_equal(pv_uuid_compact("FYNdlJ CPiTiN2FE3Vy4zNZ0Oc4GgN8tq", u), -EINVAL);
	assert_string_equal(u, UUID);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(mark_is_found_in_each_label_sector),
		cmocka_unit_test(any_change_of_the_metadata_changes_the_mark),
		cmocka_unit_test(damage_is_refused),
		cmocka_unit_test(uuids_lose_their_dashes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
