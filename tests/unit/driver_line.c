/* SPDX-License-Identifier: GPL-3.0-or-later */
/* storaged/drivers/line: what a driver writes, the daemon reads; what is no line of ours is refused. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "storaged/drivers/driver.h"

static void through(const struct driver_line *in, struct driver_line *out, char *raw, size_t len)
{
	int p[2];

	assert_int_equal(pipe(p), 0);
	assert_int_equal(driver_line_write(p[1], in), 0);
	ssize_t n = read(p[0], raw, len - 1);

	close(p[0]);
	close(p[1]);
	assert_true(n > 1);
	assert_int_equal(raw[n - 1], '\n');
	raw[n - 1] = '\0';
	assert_null(strchr(raw, '\n')); /* one line, whatever is in the texts */
	assert_int_equal(driver_line_parse(out, raw), 0);
}

static void every_kind_reads_back(void **state)
{
	struct driver_line in, out;
	char raw[4096];

	(void)state;
	in = (struct driver_line){ .kind = DRIVER_LINE_PROGRESS, .text = "a \"b\"\nc" };
	through(&in, &out, raw, sizeof(raw));
	assert_int_equal(out.kind, DRIVER_LINE_PROGRESS);
	assert_string_equal(out.text, "a \"b\"\nc");

	in = (struct driver_line){ .kind = DRIVER_LINE_STEP,
				   .step = "volume.lvm",
				   .took_ms = 870,
				   .extern_ms = 850,
				   .text = "activated" };
	through(&in, &out, raw, sizeof(raw));
	assert_int_equal(out.kind, DRIVER_LINE_STEP);
	assert_string_equal(out.step, "volume.lvm");
	assert_int_equal(out.took_ms, 870);
	assert_int_equal(out.extern_ms, 850);

	in = (struct driver_line){
		.kind = DRIVER_LINE_LIFE, .life = LIFE_STALE, .node = 2, .epoch = 17
	};
	through(&in, &out, raw, sizeof(raw));
	assert_int_equal(out.kind, DRIVER_LINE_LIFE);
	assert_int_equal(out.life, LIFE_STALE);
	assert_int_equal(out.node, 2);
	assert_int_equal(out.epoch, 17);
	assert_false(out.word);
	in.word = true;
	in.armed_ms = 12000;
	in.boot_id[0] = 0xb2;
	in.boot_id[15] = 1;
	through(&in, &out, raw, sizeof(raw));
	assert_true(out.word);
	assert_int_equal(out.armed_ms, 12000);
	assert_memory_equal(out.boot_id, in.boot_id, BOOT_ID_BYTES);

	for (int r = DRIVER_UNKNOWN; r <= DRIVER_HEALTHY; r++) {
		in = (struct driver_line){ .kind = DRIVER_LINE_RESULT,
					   .result = (enum driver_result)r,
					   .code = "vg_missing",
					   .text = "no VG",
					   .remedy = "make one",
					   .epoch = 3,
					   .record_active = true };
		through(&in, &out, raw, sizeof(raw));
		assert_int_equal(out.kind, DRIVER_LINE_RESULT);
		assert_int_equal(out.result, r);
		assert_string_equal(out.code, "vg_missing");
		assert_string_equal(out.text, "no VG");
		assert_string_equal(out.remedy, "make one");
		assert_true(out.record_active);
	}
}

/* Bytes of a program's message that are not UTF-8 must not cost the line. */
static void odd_bytes_do_not_lose_the_line(void **state)
{
	struct driver_line in = { .kind = DRIVER_LINE_RESULT,
				  .result = DRIVER_FAILED,
				  .text = "caf\xe9" },
			   out;
	char raw[4096];

	(void)state;
	through(&in, &out, raw, sizeof(raw));
	assert_string_equal(out.text, "caf?");
}

static void other_lines_are_refused(void **state)
{
	static const char *const bad[] = {
		"",
		"hello",
		"[]",
		"{}",
		"{\"result\":\"great\"}",
		"{\"result\":1}",
		"{\"life\":\"fresh\"}",
		"{\"life\":\"fresh\",\"node\":64}",
		"{\"life\":\"young\",\"node\":1}",
		"{\"result\":\"ok\",\"epoch\":-1}",
		"{\"result\":\"ok\",\"epoch\":\"7\"}",
		"{\"result\":\"ok\"",
		"{\"step\":7}",
	};
	struct driver_line out;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		assert_int_equal(driver_line_parse(&out, bad[i]), -EPROTO);
	/* a newer driver may say more */
	assert_int_equal(driver_line_parse(&out, "{\"result\":\"ok\",\"new\":[1]}"), 0);
	char text[3000];

	snprintf(text, sizeof(text), "{\"result\":\"ok\",\"reason\":\"%02000d\"}", 7);
	assert_int_equal(driver_line_parse(&out, text), 0);
	assert_int_equal(strlen(out.text), DRIVER_TEXT_MAX - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_kind_reads_back),
		cmocka_unit_test(odd_bytes_do_not_lose_the_line),
		cmocka_unit_test(other_lines_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
