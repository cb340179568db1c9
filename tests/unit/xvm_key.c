/* SPDX-License-Identifier: GPL-3.0-or-later */
/* fence_xvm's key: a file that others could have written is not used, as they would play the hypervisor (SAFE-3); nothing that is no
 * file holds the agent up. Keys are any bytes, up to a length.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fence_agents/lib/agent_priv.h"
#include "fence_agents/xvm/xvm.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static char dir[] = "/tmp/stockade-xvm-key-XXXXXX", path[64];
static uint8_t key[16];

static int none(struct agent *a, const char *plug, enum agent_power *ret)
{
	(void)a;
	(void)plug;
	*ret = AGENT_UNKNOWN;
	return 0;
}

static const struct agent_def def = { .name = "fence_toy",
				      .short_text = "A toy",
				      .text = "A toy.",
				      .common = AGENT_HAS_PLUG,
				      .status = none };

/* NULL: it was taken. */
static const char *read_it(size_t *len)
{
	static char why[512];
	struct agent a = { .def = &def };

	agent_table(&a);
	*len = 0;
	int r = xvm_key_read(&a, path, key, sizeof(key), len);

	snprintf(why, sizeof(why), "%s", agent_error_text(&a));
	agent_param_done(&a);
	return r == 0 ? NULL : why;
}

static void put(const char *bytes, size_t len, mode_t mode)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, len), len);
	assert_int_equal(fchmod(fd, mode), 0);
	close(fd);
}

static void refused(const char *words)
{
	size_t len;
	const char *why = read_it(&len);

	assert_non_null(why);
	assert_non_null(strstr(why, words));
	assert_int_equal(len, 0);
}

static void any_bytes_up_to_the_length_are_a_key(void **state)
{
	size_t len;
	(void)state;

	put("\0\n\xff", 3, 0600);
	assert_null(read_it(&len));
	assert_int_equal(len, 3);
	assert_memory_equal(key, "\0\n\xff", 3);
	put("0123456789abcdefghij", 20, 0600);
	assert_null(read_it(&len));
	assert_int_equal(len, sizeof(key));
	put("k", 1, 0644); /* as the stock client: it fences, and says so */
	assert_null(read_it(&len));
	put("", 0, 0600);
	refused("is empty");
}

static void a_key_that_others_could_have_written_is_not_used(void **state)
{
	(void)state;
	put("k", 1, 0620);
	refused("can be changed by others");
	put("k", 1, 0602);
	refused("can be changed by others");
	put("k", 1, 0600);
	if (geteuid() == 0) {
		assert_int_equal(chown(path, 12345, 0), 0);
		refused("belongs to another user");
		assert_int_equal(chown(path, 0, 0), 0);
	}
	unlink(path);
	refused("stockade key new");
}

static void what_is_no_file_holds_nobody_up(void **state)
{
	(void)state;
	unlink(path);
	assert_int_equal(mkfifo(path, 0600), 0);
	refused("no regular file");
	unlink(path);
	assert_int_equal(mkdir(path, 0700), 0);
	refused("no regular file");
	assert_int_equal(rmdir(path), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(any_bytes_up_to_the_length_are_a_key),
		cmocka_unit_test(a_key_that_others_could_have_written_is_not_used),
		cmocka_unit_test(what_is_no_file_holds_nobody_up),
	};

	if (!mkdtemp(dir))
		return 1;
	snprintf(path, sizeof(path), "%s/key", dir);
	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	unlink(path);
	rmdir(dir);
	return failed;
}
