/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tests/unit/stored.c - what a restarted fenced reads of its two files: times of any kind become ages, what is damaged is left out,
 * and each of the files that a fuzzer once found worth keeping (tests/fuzz/stored.c) makes a sound domain or none.
 */
#include "fenced/daemon/store.h"
#include "lib/crc32c.h"
#include "tests/fuzz/target.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define NOW_S 1800000000

/* A file of store_loop.c in which node 1 was fenced once, at @at_s. */
static size_t looped(uint8_t *buf, size_t size, int64_t at_s)
{
	struct wire_w w;
	size_t len;

	wire_w_init(&w, buf, size);
	wire_w_u32(&w, 0x706c7053u);
	wire_w_u16(&w, 1);
	wire_w_u64(&w, 0);
	for (unsigned id = 1; id <= NODEID_MAX; id++) {
		wire_w_u8(&w, id == 1);
		if (id == 1)
			wire_w_u64(&w, (uint64_t)at_s);
	}
	wire_w_u8(&w, 0);
	assert_int_equal(wire_w_done(&w, &len), 0);
	wire_w_u32(&w, crc32c(0, buf, len));
	assert_int_equal(wire_w_done(&w, &len), 0);
	return len;
}

static void a_fencing_of_any_wall_clock_has_an_age(void **state)
{
	static const struct {
		int64_t at_s;
		uint32_t age_ms;
	} v[] = { { NOW_S - 7, 7000 },     { NOW_S, 0 },       { NOW_S + 7, 0 },
		  { 1000000, UINT32_MAX }, { -1, UINT32_MAX }, { INT64_MIN, UINT32_MAX },
		  { INT64_MAX, 0 } };
	static struct fence_config fc;
	uint8_t buf[STORE_BYTES_MAX];
	(void)state;

	for (size_t i = 0; i < sizeof(v) / sizeof(*v); i++) {
		memset(&fc, 0, sizeof(fc));
		size_t n = looped(buf, sizeof(buf), v[i].at_s);

		assert_int_equal(store_loop_read(buf, n, NOW_S, &fc), 0);
		assert_int_equal(fc.fenced[1].n, 1);
		assert_int_equal(fc.fenced[1].age_ms[0], v[i].age_ms);
		for (size_t k = 0; k < n; k++) { /* one byte damaged: left out */
			buf[k] ^= 0x10;
			assert_int_equal(store_loop_read(buf, n, NOW_S, &fc), -EBADMSG);
			buf[k] ^= 0x10;
			assert_int_equal(store_loop_read(buf, k, NOW_S, &fc), -EBADMSG);
		}
	}
}

static void corpus_makes_sound_domains(void **state)
{
	(void)state;
	assert_true(fuzz_corpus("stored") >= 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_fencing_of_any_wall_clock_has_an_age),
		cmocka_unit_test(corpus_makes_sound_domains),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
