/* SPDX-License-Identifier: GPL-3.0-or-later */
/* drivers/warm: which files of a unit are read into memory, and that it keeps its bounds: never below a volume's mount (SAFE-1), no
 * devices, nothing large, no more than it was told.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "storaged/drivers/warm.h"

static char dir[] = "/tmp/stockade-warm-XXXXXX";
static struct warm_files f;

static const char *at(const char *name)
{
	static char path[4][256];
	static unsigned n;
	char *p = path[n++ % 4];

	snprintf(p, sizeof(path[0]), "%s/%s", dir, name);
	return p;
}

static void write_file(const char *name, const char *text, size_t size)
{
	FILE *file = fopen(at(name), "w");

	assert_non_null(file);
	fputs(text, file);
	assert_int_equal(fclose(file), 0);
	if (size)
		assert_int_equal(truncate(at(name), (off_t)size), 0);
}

static bool has(const char *path)
{
	for (unsigned i = 0; i < f.n; i++)
		if (strcmp(f.path[i], path) == 0)
			return true;
	return false;
}

static int clear(void **state)
{
	(void)state;
	warm_done(&f);
	f.not_below = NULL;
	return 0;
}

static void paths_are_taken_once_and_only_those_of_files(void **state)
{
	static const char *const volumes[] = { "/srv/data", NULL };

	(void)state;
	f.not_below = volumes;
	warm_add(&f, "/usr/sbin/daemon");
	warm_add(&f, "/usr/sbin/daemon");
	warm_add(&f, "/srv/database");
	assert_int_equal(f.n, 2);
	warm_add(&f, "/srv/data/lib/module.so");
	warm_add(&f, "/srv/data");
	warm_add(&f, "usr/sbin/relative");
	warm_add(&f, "/dev/zero");
	warm_add(&f, "/proc/self/maps");
	warm_add(&f, "/run/daemon.pid");
	warm_add(&f, "/memfd:doublemapper (deleted)");
	warm_add(&f, "/SYSV00000000 (deleted)");
	warm_add(&f, "/usr/lib/two\nlines");
	assert_int_equal(f.n, 2);
}

static void maps_give_what_is_mapped_and_not_deleted(void **state)
{
	char text[] =
		"55d0c0a00000-55d0c0a27000 r--p 00000000 fe:01 1234   /usr/sbin/apache2\n"
		"55d0c0a27000-55d0c0ac0000 r-xp 00027000 fe:01 1234   /usr/sbin/apache2\n"
		"7f2f40000000-7f2f40021000 rw-p 00000000 00:00 0 \n"
		"7f2f47c00000-7f2f47c28000 r--p 00000000 fe:01 77     /usr/lib/with blank/libc.so.6\n"
		"7f2f47d00000-7f2f47d28000 r--p 00000000 fe:01 78     /usr/lib/old.so (deleted)\n"
		"7f2f47e00000-7f2f47e28000 rw-s 00000000 00:01 79     /dev/zero (deleted)\n"
		"7ffd0b5e6000-7ffd0b607000 rw-p 00000000 00:00 0      [stack]\n"
		"7ffd0b700000-7ffd0b701000 r--p 00000000 fe:01 80     /usr/lib/cut";
	FILE *file = fmemopen(text, strlen(text), "r");

	(void)state;
	assert_non_null(file);
	warm_add_maps(&f, file);
	fclose(file);
	assert_int_equal(f.n, 2);
	assert_true(has("/usr/sbin/apache2"));
	assert_true(has("/usr/lib/with blank/libc.so.6"));
}

static void list_is_read_as_it_was_written(void **state)
{
	(void)state;
	warm_add(&f, "/usr/sbin/apache2");
	warm_add(&f, "/usr/lib/with blank/libc.so.6");
	assert_int_equal(warm_save(&f, at("list")), 0);
	warm_done(&f);
	assert_int_equal(warm_load(&f, at("list")), 0);
	assert_int_equal(f.n, 2);
	assert_true(has("/usr/lib/with blank/libc.so.6"));
	warm_done(&f);
	assert_int_equal(warm_load(&f, at("nothing")), -ENOENT);
	/* a list that somebody damaged names nothing that is not read otherwise */
	write_file("bad", "../../etc/shadow\n\n/dev/mem\n/usr/bin/env\n\001\n/proc/kcore", 0);
	assert_int_equal(warm_load(&f, at("bad")), 0);
	assert_int_equal(f.n, 1);
	assert_true(has("/usr/bin/env"));
}

static void too_many_are_said_to_be_more(void **state)
{
	char path[32];

	(void)state;
	for (unsigned i = 0; i <= WARM_FILES_MAX; i++) {
		assert_false(f.more);
		snprintf(path, sizeof(path), "/usr/lib/%u", i);
		warm_add(&f, path);
	}
	assert_true(f.more);
	assert_int_equal(f.n, WARM_FILES_MAX);
}

static void script_brings_its_interpreter(void **state)
{
	(void)state;
	write_file("script", "#! /bin/sh -e\nexit 0\n", 0);
	warm_add_program(&f, at("script"), false);
	assert_int_equal(f.n, 2);
	assert_true(has("/bin/sh"));
	warm_add_program(&f, at("missing"), false);
	assert_int_equal(f.n, 2);
}

static void program_that_never_ran_brings_its_libraries(void **state)
{
	bool libc = false;

	(void)state;
	warm_add_libraries(&f, "/bin/sh");
	for (unsigned i = 0; i < f.n; i++)
		libc = libc || strstr(f.path[i], "libc.so");
	assert_true(libc);
	assert_false(warm_add_package(&f, at("of_no_package")));
}

static void tree_is_walked_a_few_levels_and_not_out_of_it(void **state)
{
	(void)state;
	assert_int_equal(mkdir(at("etc"), 0700), 0);
	assert_int_equal(mkdir(at("etc/sub"), 0700), 0);
	assert_int_equal(mkdir(at("out"), 0700), 0);
	write_file("etc/a.conf", "a", 0);
	write_file("etc/sub/b.conf", "b", 0);
	write_file("out/c.conf", "c", 0);
	assert_int_equal(symlink(at("out"), at("etc/link")), 0);
	assert_int_equal(symlink("..", at("etc/circle")), 0);
	warm_add_tree(&f, at("etc"));
	assert_int_equal(f.n, 2);
	assert_true(has(at("etc/a.conf")));
	assert_true(has(at("etc/sub/b.conf")));
}

static void files_are_read_within_bounds(void **state)
{
	struct warm_read got;

	(void)state;
	write_file("small", "x", 10000);
	write_file("other", "x", 20000);
	write_file("huge", "x", WARM_FILE_BYTES_MAX + 1); /* no block of it is on the disk */
	warm_add(&f, at("small"));
	warm_add(&f, at("other"));
	warm_add(&f, at("huge"));
	warm_add(&f, at("gone"));
	warm_add(&f, dir);
	warm_read(&f, WARM_BYTES_MAX, &got);
	assert_int_equal(got.files, 2);
	assert_int_equal(got.bytes, 30000);
	assert_true(got.read_bytes <= 30000);
	warm_read(&f, 15000, &got);
	assert_int_equal(got.files, 1);
	assert_int_equal(got.bytes, 10000);
	/* just read: they are in memory */
	warm_read(&f, WARM_BYTES_MAX, &got);
	assert_int_equal(got.read_bytes, 0);
	assert_true(warm_room() > 0 && warm_room() <= WARM_BYTES_MAX);
}

static int begin(void **state)
{
	(void)state;
	return mkdtemp(dir) ? 0 : -1;
}

static int end(void **state)
{
	char cmd[64];

	(void)state;
	snprintf(cmd, sizeof(cmd), "rm -rf %s", dir);
	return system(cmd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(paths_are_taken_once_and_only_those_of_files, clear),
		cmocka_unit_test_teardown(maps_give_what_is_mapped_and_not_deleted, clear),
		cmocka_unit_test_teardown(list_is_read_as_it_was_written, clear),
		cmocka_unit_test_teardown(too_many_are_said_to_be_more, clear),
		cmocka_unit_test_teardown(script_brings_its_interpreter, clear),
		cmocka_unit_test_teardown(program_that_never_ran_brings_its_libraries, clear),
		cmocka_unit_test_teardown(tree_is_walked_a_few_levels_and_not_out_of_it, clear),
		cmocka_unit_test_teardown(files_are_read_within_bounds, clear),
	};

	return cmocka_run_group_tests(tests, begin, end);
}
