/* SPDX-License-Identifier: GPL-3.0-or-later */
/* lib/proof: names, and which life a proof ends (SAFE-1, SAFE-2): never one it does not speak of. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lib/proof.h"
#include "lib/wire.h"

static const enum proof_kind all[] = {
#define X(id, value, name, text) PROOF_##id,
	PROOF_KINDS(X)
#undef X
};
#define N (sizeof(all) / sizeof(all[0]))

static struct incarnation life(uint32_t nodeid, uint8_t boot, uint64_t join)
{
	struct incarnation inc = { .nodeid = nodeid, .join = join };

	inc.boot_id[3] = boot;
	return inc;
}

static bool covers(enum proof_kind kind, struct incarnation victim, struct incarnation inc)
{
	struct proof p = { .victim = victim, .kind = kind };

	return proof_covers(&p, &inc);
}

static void names_are_stable_and_parse_back(void **state)
{
	(void)state;
	assert_int_equal(N, 7);
	for (size_t i = 0; i < N; i++) {
		assert_int_equal(all[i], i + 1); /* on the wire and on disk */
		assert_int_equal(proof_kind_parse(proof_kind_name(all[i])), all[i]);
		assert_true(proof_kind_text(all[i])[0] != '\0');
	}
	assert_string_equal(proof_kind_name(PROOF_OFF_VERIFIED), "off_verified");
	assert_string_equal(proof_kind_name(PROOF_NONE), "none");
	assert_string_equal(proof_kind_name((enum proof_kind)99), "?");
	assert_string_equal(proof_kind_text((enum proof_kind)99), "");
	assert_int_equal(proof_kind_parse("none"), PROOF_NONE);
	assert_int_equal(proof_kind_parse("off"), PROOF_NONE);
	assert_int_equal(proof_kind_parse(""), PROOF_NONE);
}

static void every_kind_covers_its_victim_and_no_other_boot_or_node(void **state)
{
	(void)state;
	for (size_t i = 0; i < N; i++) {
		assert_true(covers(all[i], life(2, 7, 100), life(2, 7, 100)));
		assert_true(covers(all[i], life(2, 7, 100), life(2, 7, 99)));
		assert_false(covers(all[i], life(2, 7, 100), life(2, 8, 100)));
		assert_false(covers(all[i], life(2, 7, 100), life(3, 7, 100)));
		assert_false(covers(all[i], life(0, 7, 100), life(0, 7, 100)));
	}
	assert_false(covers(PROOF_NONE, life(2, 7, 100), life(2, 7, 100)));
	assert_false(covers(PROOF_NONE, life(2, 0, 0), life(2, 0, 0)));
	assert_false(covers((enum proof_kind)99, life(2, 7, 100), life(2, 7, 101)));
}

static void a_goodbye_says_nothing_about_a_later_join_of_the_same_boot(void **state)
{
	(void)state;
	assert_false(covers(PROOF_CLEAN_LEAVE, life(2, 7, 100), life(2, 7, 101)));
	assert_false(covers(PROOF_OPERATOR, life(2, 7, 100), life(2, 7, 101)));
	assert_false(covers(PROOF_STORAGE_CUT, life(2, 7, 100), life(2, 7, 101)));
	assert_true(covers(PROOF_OFF_VERIFIED, life(2, 7, 100), life(2, 7, 101)));
	assert_true(covers(PROOF_HYPERVISOR, life(2, 7, 100), life(2, 7, 101)));
	assert_true(covers(PROOF_WATCHDOG_EXPIRED, life(2, 7, 100), life(2, 7, 101)));
	assert_true(covers(PROOF_NEW_BOOT, life(2, 7, 100), life(2, 7, 101)));
}

static void unseen_lives(void **state)
{
	(void)state;
	for (size_t i = 0; i < N; i++) {
		assert_true(covers(all[i], life(2, 0, 0), life(2, 0, 0)));
		assert_false(covers(all[i], life(2, 0, 0), life(2, 7, 1)));
		assert_false(covers(all[i], life(2, 0, 0), life(3, 0, 0)));
	}
	assert_true(covers(PROOF_OFF_VERIFIED, life(2, 7, 100), life(2, 0, 0)));
	assert_false(covers(PROOF_CLEAN_LEAVE, life(2, 7, 100), life(2, 0, 0)));
}

static void it_survives_the_wire_also_with_a_kind_of_a_newer_release(void **state)
{
	struct proof a = { .victim = { .nodeid = 2, .join = 7 },
			   .by = 1,
			   .number = 42,
			   .wall_s = -5 },
		     b;
	uint8_t buf[512];
	struct wire_w w;
	struct wire_r r;
	size_t len = 0;

	(void)state;
	memset(a.victim.boot_id, 0xa5, BOOT_ID_BYTES);
	strcpy(a.evidence, "vm: status of node2 is off");
	for (unsigned kind = 0; kind <= UINT8_MAX; kind++) {
		a.kind = (enum proof_kind)kind;
		wire_w_init(&w, buf, sizeof(buf));
		proof_write(&a, &w);
		assert_int_equal(wire_w_done(&w, &len), 0);
		wire_r_init(&r, buf, len);
		proof_read(&b, &r);
		assert_int_equal(wire_r_done(&r), 0);
		assert_true(incarnation_equal(&a.victim, &b.victim));
		assert_int_equal(b.kind, a.kind);
		assert_int_equal(b.by, a.by);
		assert_int_equal(b.number, a.number);
		assert_int_equal(b.wall_s, a.wall_s);
		assert_string_equal(b.evidence, a.evidence);
	}
	for (size_t cut = 0; cut < len; cut++) {
		wire_r_init(&r, buf, cut);
		proof_read(&b, &r);
		assert_int_equal(wire_r_done(&r), -EBADMSG);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_are_stable_and_parse_back),
		cmocka_unit_test(every_kind_covers_its_victim_and_no_other_boot_or_node),
		cmocka_unit_test(a_goodbye_says_nothing_about_a_later_join_of_the_same_boot),
		cmocka_unit_test(unseen_lives),
		cmocka_unit_test(it_survives_the_wire_also_with_a_kind_of_a_newer_release),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
