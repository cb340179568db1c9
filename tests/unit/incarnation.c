/* SPDX-License-Identifier: GPL-3.0-or-later */
/* lib/incarnation: a boot id reads as the kernel writes it, anything else is refused; which
 * two incarnations are one life.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "lib/incarnation.h"
#include "lib/wire.h"

static const char boot[] = "0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0";

static void boot_id_survives_text(void **state)
{
	struct incarnation inc = { .nodeid = 1 };
	char text[BOOT_ID_TEXT];

	(void)state;
	assert_int_equal(incarnation_boot_parse(boot, inc.boot_id), 0);
	assert_int_equal(inc.boot_id[0], 0x0f);
	assert_int_equal(inc.boot_id[15], 0xf0);
	incarnation_boot_text(&inc, text);
	assert_string_equal(text, boot);
}

static void boot_id_of_this_kernel_reads(void **state)
{
	struct incarnation inc = { .nodeid = 1 };
	char line[64], text[BOOT_ID_TEXT];
	FILE *f = fopen("/proc/sys/kernel/random/boot_id", "r");

	(void)state;
	assert_non_null(f);
	assert_non_null(fgets(line, sizeof(line), f));
	fclose(f);
	assert_int_equal(incarnation_boot_parse(line, inc.boot_id), 0);
	incarnation_boot_text(&inc, text);
	line[BOOT_ID_TEXT - 1] = '\0';
	assert_string_equal(text, line);
}

static void boot_id_without_dashes_and_in_capitals_reads(void **state)
{
	uint8_t a[BOOT_ID_BYTES], b[BOOT_ID_BYTES];

	(void)state;
	assert_int_equal(incarnation_boot_parse(boot, a), 0);
	assert_int_equal(incarnation_boot_parse("0F1E2D3C4B5A69788796A5B4C3D2E1F0\n", b), 0);
	assert_memory_equal(a, b, BOOT_ID_BYTES);
}

static void wrong_boot_ids_are_refused_and_change_nothing(void **state)
{
	static const char *const wrong[] = {
		"",
		"\n",
		"0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f",
		"0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f00",
		"0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0 ",
		"0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0\n\n",
		"0f1e-2d3c4b5a-6978-8796-a5b4c3d2e1f0",
		"0f1e2d3c--4b5a-6978-8796-a5b4c3d2e1f0",
		"0g1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0",
		"0x1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0",
	};
	uint8_t id[BOOT_ID_BYTES], same[BOOT_ID_BYTES];

	(void)state;
	memset(id, 0xa5, sizeof(id));
	memset(same, 0xa5, sizeof(same));
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		assert_int_equal(incarnation_boot_parse(wrong[i], id), -EINVAL);
		assert_memory_equal(id, same, sizeof(id));
	}
}

static void a_life_is_node_boot_and_join(void **state)
{
	struct incarnation a = { .nodeid = 1, .join = 5 }, b;

	(void)state;
	assert_true(incarnation_unseen(&a));
	assert_int_equal(incarnation_boot_parse(boot, a.boot_id), 0);
	assert_false(incarnation_unseen(&a));
	b = a;
	assert_true(incarnation_equal(&a, &b));
	b.join = 6;
	assert_true(incarnation_same_boot(&a, &b));
	assert_false(incarnation_equal(&a, &b));
	b = a;
	b.nodeid = 2;
	assert_false(incarnation_same_boot(&a, &b));
	b = a;
	b.boot_id[15] ^= 1;
	assert_false(incarnation_same_boot(&a, &b));
}

static void it_survives_the_wire_and_a_node_that_cannot_be_is_refused(void **state)
{
	struct incarnation a = { .nodeid = 3, .join = UINT64_MAX - 1 }, b = { .nodeid = 9 };
	uint8_t buf[64];
	struct wire_w w;
	struct wire_r r;
	size_t len = 0;

	(void)state;
	assert_int_equal(incarnation_boot_parse(boot, a.boot_id), 0);
	for (uint32_t id = 0; id <= NODEID_MAX + 1; id++) {
		a.nodeid = id;
		wire_w_init(&w, buf, sizeof(buf));
		incarnation_write(&a, &w);
		assert_int_equal(wire_w_done(&w, &len), 0);
		assert_int_equal(len, 28);
		wire_r_init(&r, buf, len);
		incarnation_read(&b, &r);
		assert_true(incarnation_equal(&a, &b));
		assert_int_equal(wire_r_done(&r), id > NODEID_MAX ? -EBADMSG : 0);
	}
	wire_r_init(&r, buf, len - 1);
	incarnation_read(&b, &r);
	assert_int_equal(wire_r_done(&r), -EBADMSG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(boot_id_survives_text),
		cmocka_unit_test(boot_id_of_this_kernel_reads),
		cmocka_unit_test(boot_id_without_dashes_and_in_capitals_reads),
		cmocka_unit_test(wrong_boot_ids_are_refused_and_change_nothing),
		cmocka_unit_test(a_life_is_node_boot_and_join),
		cmocka_unit_test(it_survives_the_wire_and_a_node_that_cannot_be_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
