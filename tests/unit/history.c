/* SPDX-License-Identifier: GPL-3.0-or-later */
/* history: what is added can be read again, in order, also across the change of files and after half a line. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lib/shell/boot.h"
#include "lib/shell/history.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static char dir[] = "/tmp/stockade-history-XXXXXX";

static const char *text_of(json_t *list, size_t i)
{
	return json_string_value(json_object_get(json_array_get(list, i), "text"));
}

static void entries_come_back_in_order(void **state)
{
	struct history *h = history_open_in(dir, "unit", "node1");
	uint8_t id[BOOT_ID_BYTES];
	char boot[BOOT_ID_TEXT];
	json_t *list;

	(void)state;
	assert_non_null(h);
	history_add(h, "a.first", json_pack("{s:i}", "took_ms", 7), "the %s", "first");
	history_add(h, "a.second", NULL, "the second \"quoted\"");
	list = history_tail(h, 10);
	assert_int_equal(json_array_size(list), 2);
	assert_string_equal(text_of(list, 0), "the first");
	assert_string_equal(text_of(list, 1), "the second \"quoted\"");
	assert_int_equal(json_integer_value(json_object_get(json_array_get(list, 0), "took_ms")),
			 7);
	assert_string_equal(json_string_value(json_object_get(json_array_get(list, 0), "node")),
			    "node1");
	assert_true(json_integer_value(json_object_get(json_array_get(list, 1), "mono_ms")) > 0);
	assert_int_equal(boot_id_text(boot), 0);
	assert_int_equal(incarnation_boot_parse(boot, id), 0);
	assert_string_equal(json_string_value(json_object_get(json_array_get(list, 0), "boot")),
			    boot);
	json_decref(list);
	list = history_tail(h, 1);
	assert_string_equal(text_of(list, 0), "the second \"quoted\"");
	json_decref(list);
	history_close(h);
}

static void half_a_line_of_a_crash_is_left_out(void **state)
{
	struct history *h;
	char path[128];
	json_t *list;
	int fd;

	(void)state;
	snprintf(path, sizeof(path), "%s/history-half.jsonl", dir);
	fd = open(path, O_WRONLY | O_CREAT, 0600);
	assert_int_equal(write(fd, "{\"text\":\"whole\"}\n{\"text\":", 25), 25);
	close(fd);
	h = history_open_in(dir, "half", "n");
	list = history_tail(h, 10);
	assert_int_equal(json_array_size(list), 1);
	json_decref(list);
	history_add(h, "x", NULL, "after");
	list = history_tail(h, 10);
	assert_string_equal(text_of(list, json_array_size(list) - 1), "after");
	json_decref(list);
	history_close(h);
}

/* A loss of power may leave zeros in place of the last lines: what was told before and after them is told. */
static void zeros_of_a_power_loss_hide_nothing(void **state)
{
	static const char text[] = "{\"text\":\"before\"}\n\0\0\0\0\0\0\0\0";
	struct history *h;
	char path[128];
	json_t *list;

	(void)state;
	snprintf(path, sizeof(path), "%s/history-zeros.jsonl", dir);
	int fd = open(path, O_WRONLY | O_CREAT, 0600);

	assert_int_equal(write(fd, text, sizeof(text) - 1), sizeof(text) - 1);
	close(fd);
	h = history_open_in(dir, "zeros", "n");
	history_add(h, "x", NULL, "after");
	list = history_tail(h, 10);
	assert_int_equal(json_array_size(list), 2);
	assert_string_equal(text_of(list, 0), "before");
	assert_string_equal(text_of(list, 1), "after");
	json_decref(list);
	history_close(h);
}

/* A full disk takes half a line, then nothing, then lines again. */
static void a_full_disk_costs_the_lines_of_that_time_only(void **state)
{
	struct history *h = history_open_in(dir, "full", "n");
	struct rlimit none, few;
	struct stat st;
	char path[128];
	json_t *list;

	(void)state;
	snprintf(path, sizeof(path), "%s/history-full.jsonl", dir);
	history_add(h, "x", NULL, "before");
	assert_int_equal(stat(path, &st), 0);
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &none), 0);
	few = none;
	few.rlim_cur = (rlim_t)st.st_size + 20;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &few), 0);
	history_add(h, "x", NULL, "cut");
	history_add(h, "x", NULL, "lost");
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &none), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_size, few.rlim_cur);
	history_add(h, "x", NULL, "after");
	history_add(h, "x", NULL, "later");
	list = history_tail(h, 10);
	assert_int_equal(json_array_size(list), 3);
	assert_string_equal(text_of(list, 0), "before");
	assert_string_equal(text_of(list, 1), "after");
	assert_string_equal(text_of(list, 2), "later");
	json_decref(list);
	history_close(h);
}

static void the_file_changes_and_the_tail_spans_both(void **state)
{
	struct history *h = history_open_in(dir, "big", "n");
	char pad[900], path[128];
	json_t *list;

	(void)state;
	memset(pad, 'x', sizeof(pad) - 1);
	pad[sizeof(pad) - 1] = '\0';
	snprintf(path, sizeof(path), "%s/history-big.jsonl.1", dir);
	for (int i = 0; access(path, F_OK) != 0; i++) {
		assert_true(i < 10000);
		history_add(h, "x", NULL, "%d %s", i, pad);
	}
	history_add(h, "x", NULL, "newest");
	list = history_tail(h, 20);
	assert_int_equal(json_array_size(list), 20);
	assert_string_equal(text_of(list, 19), "newest");
	json_decref(list);
	history_close(h);
}

static void without_a_file_it_only_logs(void **state)
{
	json_t *list;

	(void)state;
	assert_null(history_open_in("/proc/no-such-place", "unit", "n"));
	history_add(NULL, "x", json_pack("{}"), "still said");
	list = history_tail(NULL, 5);
	assert_int_equal(json_array_size(list), 0);
	json_decref(list);
}

static void write_other(const char *event)
{
	char path[300];
	FILE *f;

	snprintf(path, sizeof(path), "%s/history-ends.jsonl", dir);
	f = fopen(path, "a");
	assert_non_null(f);
	fprintf(f, "{\"boot\":\"another\",\"event\":\"%s\",\"reason\":\"why\"}\n", event);
	fclose(f);
}

static void expect_end(struct history *h, const char *event)
{
	json_t *e = history_last_end(h);

	if (event)
		assert_string_equal(json_string_value(json_object_get(e, "event")), event);
	else
		assert_null(e);
	json_decref(e);
}

/* The next boot knows by whose hand the one before ended (SAFE-7), and what this one writes does not change that. */
static void the_end_of_the_boot_before_is_told(void **state)
{
	struct history *h = history_open_in(dir, "ends", "node1");

	(void)state;
	assert_non_null(h);
	expect_end(h, NULL);
	write_other("storaged.start");
	expect_end(h, NULL);
	write_other("self.stop");
	write_other("volume.deny");
	expect_end(h, "self.stop");
	write_other("self.resume");
	write_other("volume.mount");
	expect_end(h, NULL);
	write_other("self.kill");
	write_other("self.reboot");
	expect_end(h, "self.reboot");
	history_add(h, "storaged.start", NULL, "this boot");
	history_add(h, "self.stop", NULL, "this boot");
	expect_end(h, "self.reboot");
	write_other("storaged.start");
	write_other("self.back");
	expect_end(h, NULL);
	history_keep(h, 1000);
	history_keep(NULL, 1000);
	history_close(h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_end_of_the_boot_before_is_told),
		cmocka_unit_test(entries_come_back_in_order),
		cmocka_unit_test(half_a_line_of_a_crash_is_left_out),
		cmocka_unit_test(zeros_of_a_power_loss_hide_nothing),
		cmocka_unit_test(a_full_disk_costs_the_lines_of_that_time_only),
		cmocka_unit_test(the_file_changes_and_the_tail_spans_both),
		cmocka_unit_test(without_a_file_it_only_logs),
	};
	char cmd[128];
	int failed;

	if (mkdtemp(dir) == NULL)
		return 99;
	if (freopen("/dev/null", "w", stderr) == NULL) /* ten thousand log lines say nothing here */
		return 99;
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	snprintf(cmd, sizeof(cmd), "rm -r '%s'", dir);
	return system(cmd) != 0 || failed;
}
