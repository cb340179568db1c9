/* SPDX-License-Identifier: GPL-3.0-or-later */
/* lib/shell/file: a replaced file is the new one whole; what cannot be replaced stays, and nothing is left beside it. */
#include <dirent.h>
#include <errno.h>
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

#include "lib/shell/file.h"

static char dir[] = "/tmp/stockade-file-XXXXXX";

static const char *at(const char *name)
{
	static char path[256];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return path;
}

static unsigned entries(void)
{
	DIR *d = opendir(dir);
	unsigned n = 0;

	assert_non_null(d);
	for (struct dirent *e; (e = readdir(d));)
		n += e->d_name[0] != '.';
	closedir(d);
	return n;
}

static void expect(const char *name, const char *content, mode_t mode)
{
	char buf[64] = "";
	struct stat st;
	FILE *f = fopen(at(name), "r");

	assert_non_null(f);
	assert_int_equal(fread(buf, 1, sizeof(buf), f), strlen(content));
	assert_string_equal(buf, content);
	assert_int_equal(fstat(fileno(f), &st), 0);
	assert_int_equal(st.st_mode & 07777, mode);
	fclose(f);
}

static void the_new_file_is_there_whole(void **state)
{
	(void)state;
	for (int sync = 0; sync < 2; sync++) {
		assert_int_equal(file_replace(at("f"), "long content", 12, 0600, sync), 0);
		expect("f", "long content", 0600);
		assert_int_equal(file_replace(at("f"), "short", 5, 0640, sync), 0);
		expect("f", "short", 0640);
		assert_int_equal(entries(), 1);
	}
	unlink(at("f"));
}

static void what_cannot_be_replaced_stays(void **state)
{
	char name[400], path[600];

	(void)state;
	assert_int_equal(mkdir(at("d"), 0700), 0);
	assert_int_equal(file_replace(at("d"), "x", 1, 0600, false), -EISDIR);
	assert_int_equal(entries(), 1);
	rmdir(at("d"));
	assert_int_equal(file_replace(at("none/f"), "x", 1, 0600, false), -ENOENT);
	memset(name, 'n', sizeof(name));
	name[sizeof(name) - 1] = '\0';
	snprintf(path, sizeof(path), "%s/%s", dir, name);
	assert_int_equal(file_replace(path, "x", 1, 0600, false), -ENAMETOOLONG);
	assert_int_equal(entries(), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_new_file_is_there_whole),
		cmocka_unit_test(what_cannot_be_replaced_stays),
	};

	umask(0);
	if (!mkdtemp(dir))
		return 1;
	int r = cmocka_run_group_tests(tests, NULL, NULL);

	rmdir(dir);
	return r;
}
