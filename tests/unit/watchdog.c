/* SPDX-License-Identifier: GPL-3.0-or-later */
/* lib/shell/watchdog: files of a kernel of our own, one fact changed at a time: a watchdog that might not reset the machine is
 * distrusted with its reason (SAFE-12), and one that would is not.
 */
#include <limits.h>
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

#include "lib/shell/watchdog.h"

static char root[64];

static void put(const char *path, const char *text)
{
	char full[PATH_MAX], command[PATH_MAX + 64];

	snprintf(full, sizeof(full), "%s%s", root, path);
	snprintf(command, sizeof(command), "mkdir -p \"$(dirname '%s')\"", full);
	assert_int_equal(system(command), 0);
	FILE *f = fopen(full, "we");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static void dog(const char *name, const char *what, const char *text)
{
	char path[128];

	snprintf(path, sizeof(path), "/sys/class/watchdog/%s/%s", name, what);
	put(path, text);
}

static int setup(void **state)
{
	(void)state;
	snprintf(root, sizeof(root), "/tmp/stockade-dog.XXXXXX");
	assert_non_null(mkdtemp(root));
	put("/dev/watchdog0", "");
	put("/proc/cmdline", "quiet panic=0\n");
	dog("watchdog0", "identity", "i6300ESB timer\n");
	dog("watchdog0", "timeout", "30\n");
	dog("watchdog0", "min_timeout", "1\n");
	dog("watchdog0", "max_timeout", "2046\n");
	dog("watchdog0", "pretimeout", "0\n");
	dog("watchdog0", "nowayout", "0\n");
	dog("watchdog0", "state", "inactive\n");
	dog("watchdog0", "bootstatus", "0\n");
	return 0;
}

static int teardown(void **state)
{
	char command[96];

	(void)state;
	snprintf(command, sizeof(command), "rm -r '%s'", root);
	return system(command);
}

static struct watchdog_facts look(const char *device)
{
	struct watchdog_facts f;

	watchdog_look(&f, device, root);
	return f;
}

static void says(const char *device, int want, const char *words)
{
	struct watchdog_facts f = look(device);
	const char *why = watchdog_distrust(&f, want);

	if (!words) {
		assert_null(why);
		return;
	}
	assert_non_null(why);
	if (!strstr(why, words))
		fail_msg("says \"%s\", not \"%s\"", why, words);
}

static void hardware_is_trusted_within_its_limits(void **state)
{
	struct watchdog_facts f = look("/dev/watchdog");

	(void)state;
	assert_true(f.known && !f.software && !f.active && !f.bit && !f.nowayout);
	assert_string_equal(f.name, "watchdog0");
	assert_string_equal(f.identity, "i6300ESB timer");
	assert_int_equal(f.timeout_s, 30);
	says("/dev/watchdog0", 12, NULL);
	says("/dev/watchdog0", 2046, NULL);
	says("/dev/watchdog0", 2047, "that long");
	dog("watchdog0", "min_timeout", "20\n");
	says("/dev/watchdog0", 12, "that short");
	dog("watchdog0", "max_timeout", "0\n"); /* any */
	says("/dev/watchdog0", 4000, NULL);
	dog("watchdog0", "bootstatus", "32\n");
	dog("watchdog0", "nowayout", "1\n");
	dog("watchdog0", "state", "active\n");
	f = look("/dev/watchdog0");
	assert_true(f.bit && f.nowayout && f.active);
}

static void what_is_not_known_is_not_trusted(void **state)
{
	(void)state;
	says("/dev/watchdog1", 12, "no such device");
	put("/dev/watchdog1", "");
	says("/dev/watchdog1", 12, "no sysfs");
}

static void a_pretimeout_must_be_shorter(void **state)
{
	(void)state;
	dog("watchdog0", "pretimeout", "5\n");
	dog("watchdog0", "pretimeout_governor", "panic\n");
	says("/dev/watchdog0", 12, NULL);
	assert_string_equal(look("/dev/watchdog0").governor, "panic");
	dog("watchdog0", "pretimeout", "12\n");
	says("/dev/watchdog0", 12, "pre-timeout");
}

static void softdog_that_does_not_reset_is_distrusted(void **state)
{
	struct watchdog_facts f;

	(void)state;
	put("/dev/watchdog1", "");
	dog("watchdog1", "identity", "Software Watchdog\n");
	dog("watchdog1", "max_timeout", "65535\n");
	says("/dev/watchdog1", 12, NULL);
	f = look("/dev/watchdog1");
	assert_true(f.software);
	assert_string_equal(f.hardware, "i6300ESB timer");
	put("/etc/modprobe.d/dog.conf",
	    "# options softdog soft_noboot=1\noptions softdog soft_panic=1\n");
	says("/dev/watchdog1", 12, NULL);
	put("/etc/modprobe.d/dog.conf", "  options softdog nowayout=1 soft_noboot=1\n");
	says("/dev/watchdog1", 12, "soft_noboot");
	says("/dev/watchdog0", 12, NULL); /* another device */
	put("/etc/modprobe.d/dog.conf", "options softdog soft_noboot=0\n");
	says("/dev/watchdog1", 12, NULL);
	put("/proc/cmdline", "quiet softdog.soft_noboot=1\n");
	says("/dev/watchdog1", 12, "soft_noboot");
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(hardware_is_trusted_within_its_limits),
		T(what_is_not_known_is_not_trusted),
		T(a_pretimeout_must_be_shorter),
		T(softdog_that_does_not_reset_is_distrusted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
