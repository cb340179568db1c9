/* SPDX-License-Identifier: GPL-3.0-or-later */
/* lib/wire: what is written is read back, byte order is fixed, every bound holds, the first error
 * sticks, and an old reader lives with a newer writer (and the other way round).
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/wire.h"

static size_t write_sample(struct wire_w *w)
{
	wire_w_u8(w, 0x12);
	wire_w_bool(w, true);
	wire_w_u16(w, 0x3456);
	wire_w_u32(w, 0x789abcde);
	wire_w_u64(w, 0x0123456789abcdef);
	wire_w_str(w, "node1");
	wire_w_bytes(w, "\xff\x00", 2);
	return 1 + 1 + 2 + 4 + 8 + 2 + 5 + 2;
}

static void bytes_are_little_endian_and_read_back(void **state)
{
	static const uint8_t golden[] = {
		0x12, 0x01, 0x56, 0x34, 0xde, 0xbc, 0x9a, 0x78, 0xef, 0xcd, 0xab, 0x89, 0x67,
		0x45, 0x23, 0x01, 0x05, 0x00, 'n',  'o',  'd',  'e',  '1',  0xff, 0x00,
	};
	uint8_t buf[64];
	struct wire_w w;
	struct wire_r r;
	size_t len = 0;
	char name[8];

	(void)state;
	wire_w_init(&w, buf, sizeof(buf));
	assert_int_equal(write_sample(&w), sizeof(golden));
	assert_int_equal(wire_w_done(&w, &len), 0);
	assert_int_equal(len, sizeof(golden));
	assert_memory_equal(buf, golden, sizeof(golden));

	wire_r_init(&r, golden, sizeof(golden));
	assert_int_equal(wire_r_u8(&r), 0x12);
	assert_true(wire_r_bool(&r));
	assert_int_equal(wire_r_u16(&r), 0x3456);
	assert_int_equal(wire_r_u32(&r), 0x789abcde);
	assert_true(wire_r_u64(&r) == 0x0123456789abcdef);
	assert_int_equal(wire_r_str(&r, name, sizeof(name)), 5);
	assert_string_equal(name, "node1");
	assert_true(wire_r_more(&r));
	assert_memory_equal(wire_r_bytes(&r, 2), "\xff\x00", 2);
	assert_false(wire_r_more(&r));
	assert_int_equal(wire_r_done(&r), 0);
}

/* Every buffer that is too small fails, writes nothing behind its end, and keeps failing. */
static void writer_stays_inside_its_buffer(void **state)
{
	uint8_t buf[64];
	struct wire_w w;

	(void)state;
	wire_w_init(&w, buf, sizeof(buf));
	const size_t need = write_sample(&w);

	for (size_t cap = 0; cap < need; cap++) {
		size_t len = 4711;

		memset(buf, 0xa5, sizeof(buf));
		wire_w_init(&w, buf, cap);
		write_sample(&w);
		wire_w_bytes(&w, NULL, 0);
		assert_int_equal(wire_w_done(&w, &len), -ENOBUFS);
		assert_int_equal(len, 4711);
		for (size_t i = cap; i < sizeof(buf); i++)
			assert_int_equal(buf[i], 0xa5);
	}
}

static void string_longer_than_its_length_field_is_refused(void **state)
{
	char *s = malloc(UINT16_MAX + 2);
	uint8_t *buf = malloc(UINT16_MAX + 16);
	struct wire_w w;
	size_t len;

	(void)state;
	assert_true(s != NULL && buf != NULL);
	memset(s, 'x', UINT16_MAX + 1);
	s[UINT16_MAX + 1] = '\0';
	wire_w_init(&w, buf, UINT16_MAX + 16);
	wire_w_str(&w, s + 1);
	assert_int_equal(wire_w_done(&w, &len), 0);
	assert_int_equal(len, UINT16_MAX + 2);
	wire_w_init(&w, buf, UINT16_MAX + 16);
	wire_w_str(&w, s);
	assert_int_equal(wire_w_done(&w, &len), -ENOBUFS);
	free(buf);
	free(s);
}

/* A message cut at any byte is refused, and reads behind the cut give zeros. */
static void reader_refuses_every_cut(void **state)
{
	uint8_t buf[64];
	struct wire_w w;

	(void)state;
	wire_w_init(&w, buf, sizeof(buf));
	const size_t need = write_sample(&w);

	for (size_t len = 0; len < need; len++) {
		uint8_t *cut = malloc(len + 1); /* exact size: a sanitizer sees one byte too far */
		struct wire_r r;
		char name[8] = "before";

		assert_non_null(cut);
		memcpy(cut + 1, buf, len);
		wire_r_init(&r, cut + 1, len);
		wire_r_u8(&r);
		wire_r_bool(&r);
		wire_r_u16(&r);
		wire_r_u32(&r);
		wire_r_u64(&r);
		size_t n = wire_r_str(&r, name, sizeof(name));

		assert_int_equal(strlen(name), n);
		assert_null(wire_r_bytes(&r, 2));
		assert_int_equal(wire_r_done(&r), -EBADMSG);
		assert_false(wire_r_more(&r));
		assert_int_equal(wire_r_u64(&r), 0);
		free(cut);
	}
}

static void values_that_cannot_be_are_refused(void **state)
{
	struct wire_r r;
	char out[4];

	(void)state;
	wire_r_init(&r, "\x02", 1);
	assert_false(wire_r_bool(&r));
	assert_int_equal(wire_r_done(&r), -EBADMSG);

	wire_r_init(&r, "\x04\0abcd", 6); /* one too long for out */
	assert_int_equal(wire_r_str(&r, out, sizeof(out)), 0);
	assert_string_equal(out, "");
	assert_int_equal(wire_r_done(&r), -EBADMSG);

	wire_r_init(&r, "\x03\0abc", 5); /* just fits */
	assert_int_equal(wire_r_str(&r, out, sizeof(out)), 3);
	assert_string_equal(out, "abc");
	assert_int_equal(wire_r_done(&r), 0);

	wire_r_init(&r, "\x03\0a\0c", 5); /* a NUL inside */
	assert_int_equal(wire_r_str(&r, out, sizeof(out)), 0);
	assert_int_equal(wire_r_done(&r), -EBADMSG);

	wire_r_init(&r, "ab", 2);
	assert_null(wire_r_bytes(&r, SIZE_MAX));
	assert_int_equal(wire_r_done(&r), -EBADMSG);
}

static void old_reader_skips_what_a_newer_writer_added(void **state)
{
	uint8_t buf[64];
	struct wire_w w;
	struct wire_r r, s, in;
	size_t len = 0;

	(void)state;
	wire_w_init(&w, buf, sizeof(buf));
	size_t outer = wire_w_open(&w);

	wire_w_u32(&w, 7);
	size_t inner = wire_w_open(&w);

	wire_w_u8(&w, 1);
	wire_w_u8(&w, 2); /* new */
	wire_w_close(&w, inner);
	wire_w_str(&w, "new");
	wire_w_close(&w, outer);
	wire_w_u16(&w, 0xbeef);
	assert_int_equal(wire_w_done(&w, &len), 0);

	wire_r_init(&r, buf, len);
	wire_r_section(&r, &s);
	assert_int_equal(wire_r_u32(&s), 7);
	wire_r_section(&s, &in);
	assert_int_equal(wire_r_u8(&in), 1);
	assert_int_equal(wire_r_u16(&r), 0xbeef);
	assert_int_equal(wire_r_done(&r), 0);
}

static void new_reader_takes_its_default_from_an_old_writer(void **state)
{
	uint8_t buf[16];
	struct wire_w w;
	struct wire_r r, s;
	size_t len = 0;

	(void)state;
	wire_w_init(&w, buf, sizeof(buf));
	size_t mark = wire_w_open(&w);

	wire_w_u32(&w, 7);
	wire_w_close(&w, mark);
	wire_w_u8(&w, 9);
	assert_int_equal(wire_w_done(&w, &len), 0);

	wire_r_init(&r, buf, len);
	wire_r_section(&r, &s);
	assert_int_equal(wire_r_u32(&s), 7);
	assert_int_equal(wire_r_more(&s) ? wire_r_u32(&s) : 100, 100);
	assert_int_equal(wire_r_u8(&r), 9);
	assert_int_equal(wire_r_done(&r), 0);
}

static void failure_inside_a_section_fails_the_message(void **state)
{
	/* outer section of 5 bytes that holds a section claiming 9, then a byte behind both */
	static const uint8_t lies[] = { 5, 0, 0, 0, 9, 0, 0, 0, 1, 0x55 };
	struct wire_r r, s, in;

	(void)state;
	wire_r_init(&r, lies, sizeof(lies));
	wire_r_section(&r, &s);
	wire_r_section(&s, &in);
	assert_int_equal(wire_r_u8(&in), 0);
	assert_int_equal(wire_r_done(&in), -EBADMSG);
	assert_int_equal(wire_r_done(&s), -EBADMSG);
	assert_int_equal(wire_r_done(&r), -EBADMSG);

	wire_r_init(&r, lies, sizeof(lies));
	wire_r_section(&r, &s);
	assert_int_equal(wire_r_done(&r), 0);
	wire_r_fail(&s);
	assert_int_equal(wire_r_done(&r), -EBADMSG);

	wire_r_init(&r, "\xff\xff\xff\xff", 4); /* four gigabytes, none there */
	wire_r_section(&r, &s);
	assert_false(wire_r_more(&s));
	assert_null(wire_r_bytes(&s, 0));
	assert_int_equal(wire_r_done(&r), -EBADMSG);
}

static void section_that_does_not_fit_fails_the_writer(void **state)
{
	uint8_t buf[6];
	struct wire_w w;
	size_t len;

	(void)state;
	wire_w_init(&w, buf, sizeof(buf));
	size_t mark = wire_w_open(&w);

	wire_w_u32(&w, 1);
	wire_w_close(&w, mark);
	assert_int_equal(wire_w_done(&w, &len), -ENOBUFS);

	wire_w_init(&w, buf, 3);
	wire_w_close(&w, wire_w_open(&w));
	assert_int_equal(wire_w_done(&w, &len), -ENOBUFS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bytes_are_little_endian_and_read_back),
		cmocka_unit_test(writer_stays_inside_its_buffer),
		cmocka_unit_test(string_longer_than_its_length_field_is_refused),
		cmocka_unit_test(reader_refuses_every_cut),
		cmocka_unit_test(values_that_cannot_be_are_refused),
		cmocka_unit_test(old_reader_skips_what_a_newer_writer_added),
		cmocka_unit_test(new_reader_takes_its_default_from_an_old_writer),
		cmocka_unit_test(failure_inside_a_section_fails_the_message),
		cmocka_unit_test(section_that_does_not_fit_fails_the_writer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
