/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tools/key_*: what is weak about a key is said, a key file is made whole and for its owner alone, no word that a shell would
 * take for its own gets into a command, what another machine says of itself is read with care, and what is kept of a rotation
 * comes back as it was.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/fuzz/fuzz.h"
#include "tools/key.h"

static char dir[100], path[120], why[KEY_WHY];

static void put(const void *data, size_t len, mode_t mode)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, data, len), len);
	assert_int_equal(fchmod(fd, mode), 0);
	close(fd);
}

static bool warned(const char *word)
{
	static struct key_file f;
	struct key_warnings w;

	assert_int_equal(key_file_read(path, &f), 0);
	f.uid = 0; /* the test need not be root's */
	key_warn(&f, &w);
	if (!word)
		return w.n > 0;
	for (unsigned i = 0; i < w.n; i++)
		if (strstr(w.v[i].text, word))
			return true;
	return false;
}

static void weak_keys_are_told(void **state)
{
	static uint8_t zero[4096], good[4096];
	struct key_bytes k;

	(void)state;
	assert_int_equal(key_random(&k, 4096), 0);
	memcpy(good, k.bytes, sizeof(good));
	put(good, sizeof(good), 0600);
	assert_false(warned(NULL));
	put(good, sizeof(good), 0604);
	assert_true(warned("everybody"));
	put(good, sizeof(good), 0640);
	assert_true(warned("group"));
	put(zero, sizeof(zero), 0600);
	assert_true(warned("all zero"));
	memset(zero, 'x', sizeof(zero));
	put(zero, sizeof(zero), 0600);
	assert_true(warned("over and over"));
	put("secret\n", 7, 0600);
	assert_true(warned("made with echo"));
	assert_true(warned("fewer than 32"));
	put("a password of more than thirty-two letters", 42, 0600);
	assert_true(warned("easier to guess"));
	assert_false(warned("echo"));
	put("", 0, 0600);
	assert_true(warned("empty"));
}

static void keys_are_made_whole_and_for_their_owner(void **state)
{
	static struct key_bytes k, other;
	static struct key_file f;

	(void)state;
	unlink(path);
	assert_int_equal(key_file_read(path, &f), 0);
	assert_false(f.there);
	assert_int_equal(key_random(&k, 100), 0);
	assert_int_equal(key_random(&other, 100), 0);
	assert_false(key_equal(&k, &other));
	umask(0);
	assert_int_equal(key_file_write(path, &k, false, why, sizeof(why)), 0);
	assert_int_equal(key_file_read(path, &f), 0);
	assert_true(key_equal(&f.key, &k));
	assert_int_equal(f.mode & 07777, 0600);
	/* never over another one untold */
	assert_int_equal(key_file_write(path, &other, false, why, sizeof(why)), -EEXIST);
	assert_int_equal(key_file_read(path, &f), 0);
	assert_true(key_equal(&f.key, &k));
	assert_int_equal(key_file_write(path, &other, true, why, sizeof(why)), 0);
	assert_int_equal(key_file_read(path, &f), 0);
	assert_true(key_equal(&f.key, &other));
	key_forget(&other);
	assert_int_equal(other.len, 0);
	assert_false(key_equal(&other, &other));
	char moved[140];

	snprintf(moved, sizeof(moved), "%s.moved", path);
	assert_int_equal(key_file_rename(path, moved), 0);
	assert_int_equal(key_file_rename(path, moved), -ENOENT);
	assert_int_equal(key_file_rename(moved, path), 0);
	/* what lies beside: nothing */
	assert_int_equal(unlink(path), 0);
	assert_int_equal(rmdir(dir), 0);
	assert_int_equal(mkdir(dir, 0700), 0);
}

static void directories_of_others_are_refused(void **state)
{
	static struct key_bytes k;
	char deep[PATH_MAX + 32];

	(void)state;
	assert_int_equal(key_random(&k, 64), 0);
	assert_int_equal(chmod(dir, 0770), 0);
	assert_int_equal(key_file_write(path, &k, false, why, sizeof(why)), -EPERM);
	assert_non_null(strstr(why, "chmod go-w"));
	assert_int_equal(access(path, F_OK), -1);
	assert_int_equal(chmod(dir, 01777), 0); /* sticky does not help the file's own directory */
	assert_int_equal(key_dir_check(path, false, why, sizeof(why)), -EPERM);
	snprintf(deep, sizeof(deep), "%s/below/key", dir);
	assert_int_equal(key_file_write(deep, &k, false, why, sizeof(why)), -EPERM);
	assert_int_equal(chmod(dir, 0700), 0);
	assert_int_equal(key_file_write(deep, &k, false, why, sizeof(why)), 0); /* is made */
	unlink(deep);
	*strrchr(deep, '/') = '\0';
	rmdir(deep);
	assert_int_equal(key_dir_check("relative/key", false, why, sizeof(why)), -EINVAL);
	assert_int_equal(key_dir_check("/nonexistent-keys/a/key", true, why, sizeof(why)), -ENOENT);
}

static void words_of_a_shell_are_no_words(void **state)
{
	static const char *const good[] = { "node1", "root@192.0.2.1", "/etc/cluster/fence_xvm.key",
					    "2001:db8::1", "a-b" };
	static const char *const bad[] = { "",     "-oProxyCommand=x",
					   "a b",  "a;b",
					   "$(a)", "`a`",
					   "a'b",  "a\"b",
					   "a\nb", "a|b",
					   "a>b",  "a*",
					   "~",    "a&b",
					   "a\\b", "a(b",
					   "#a",   "\xc3\xa4" };

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		assert_true(key_word(good[i]));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(key_word(bad[i]));
	for (int c = 1; c < 256; c++) {
		const char one[] = { 'a', (char)c, 'b', '\0' };

		if (strchr("\t\n !\"#$&'()*;<>?[\\]^`{|}~", c))
			assert_false(key_word(one));
	}
}

static const char said[] = "motd of the day\n"
			   "stockade-key host node2\n"
			   "stockade-key boot 01234567-89ab-cdef-0123-456789abcdef\n"
			   "stockade-key user 0\n"
			   "stockade-key address 127.0.0.1\n"
			   "stockade-key address 192.0.2.2\n"
			   "stockade-key keyfile /etc/fence_virt.key\n"
			   "stockade-key keyfile /etc/fence_virt.key\n"
			   "stockade-key has stockade\n"
			   "stockade-key has stockade-virtd\n"
			   "stockade-key runs stockade-virtd\n"
			   "stockade-key done who\n";

static void what_another_machine_says_is_read(void **state)
{
	struct key_facts f;

	(void)state;
	assert_true(key_facts_read(said, &f));
	assert_string_equal(f.host, "node2");
	assert_int_equal(f.uid, 0);
	assert_int_equal(f.n_addresses, 2);
	assert_string_equal(f.address[1], "192.0.2.2");
	assert_int_equal(f.n_key_files, 1);
	assert_string_equal(f.key_file[0], "/etc/fence_virt.key");
	assert_true(f.has_stockade && f.has_virtd && f.runs_virtd);
	assert_string_equal(f.done, "who");
	assert_false(key_facts_read("bash: stockade-key: not found\n", &f));
	assert_int_equal(f.uid, -1); /* unknown is not root */
	assert_true(
		key_facts_read("stockade-key user x\nstockade-key error no \033[2J room\n", &f));
	assert_int_equal(f.uid, -1);
	assert_string_equal(f.error, "no ?[2J room");
}

static int facts(void *arg, const void *buf, size_t len)
{
	struct key_facts f;
	char *text = malloc(len + 1);

	(void)arg;
	memcpy(text, buf, len);
	text[len] = '\0';
	bool any = key_facts_read(text, &f);

	assert_true(f.n_addresses <= KEY_ADDRESSES_MAX && f.n_key_files <= 4);
	assert_true(strlen(f.host) < sizeof(f.host) && strlen(f.error) < sizeof(f.error));
	free(text);
	return any ? 0 : -EBADMSG;
}

static void damaged_answers_are_survived(void **state)
{
	struct fuzz_tally t = fuzz_run(&(struct fuzz){
		.sample = said, .len = sizeof(said) - 1, .decode = facts, .rounds = 5000 });

	(void)state;
	assert_true(t.taken > 0);
}

static void rotation_is_kept_as_it_was(void **state)
{
	struct key_state s = { .before = "1111-2222-3333-4444",
			       .back = true,
			       .stage = 3,
			       .text = "nodes",
			       .began = "2026-11-21T09:00:00Z",
			       .n = 1 },
			 got;
	char file[PATH_MAX + 32];

	(void)state;
	snprintf(s.file, sizeof(s.file), "%s", path);
	strcpy(s.hypervisor[0].ssh, "root@hv1");
	strcpy(s.hypervisor[0].address, "192.0.2.1");
	strcpy(s.hypervisor[0].file, "/k");
	assert_int_equal(key_state_read(path, &got), 0);
	assert_int_equal(key_state_write(&s), 0);
	assert_int_equal(key_state_read(path, &got), 1);
	assert_memory_equal(&got, &s, sizeof(s));
	snprintf(file, sizeof(file), "%s.rotation", path);
	assert_int_equal(truncate(file, 20), 0);
	assert_int_equal(key_state_read(path, &got), -EBADMSG);
	assert_int_equal(key_state_remove(path), 0);
	assert_int_equal(key_state_read(path, &got), 0);
	assert_int_equal(key_state_remove(path), 0);
}

static void device_tells_where_its_requests_go(void **state)
{
	struct config_device d = { .agent = "/usr/sbin/fence_xvm", .n_params = 2 };
	struct key_where w;

	(void)state;
	assert_true(key_device(&d));
	strcpy(d.param[0].key, "hypervisors");
	strcpy(d.param[0].value, "192.0.2.1, 192.0.2.2");
	strcpy(d.param[1].key, "ip_family");
	strcpy(d.param[1].value, "ipv6");
	assert_int_equal(key_where_of(&d, &w), 0);
	assert_false(w.tcp);
	assert_true(w.ipv6);
	assert_string_equal(w.group, VIRT_GROUP_IPV6);
	assert_int_equal(w.port, 1229);
	assert_int_equal(w.n_hosts, 2);
	assert_string_equal(w.host[1], "192.0.2.2");
	strcpy(d.param[1].key, "ip");
	strcpy(d.param[1].value, "192.0.2.9");
	assert_int_equal(key_where_of(&d, &w), 0);
	assert_true(w.tcp);
	assert_string_equal(w.host[0], "192.0.2.9");
	assert_string_equal(key_param(&d, "ip", "-"), "192.0.2.9");
	strcpy(d.param[0].key, "vsock");
	assert_int_equal(key_where_of(&d, &w), 0);
	strcpy(d.param[0].key, "serial_device");
	assert_int_equal(key_where_of(&d, &w), -EINVAL);
	strcpy(d.agent, "fence_ipmilan");
	assert_false(key_device(&d));
	for (enum key_match m = KEY_SAME; m <= KEY_NO_ANSWER; m++)
		assert_true(strlen(key_match_name(m)) > 1);
}

static int set_up(void **state)
{
	char name[] = "/tmp/stockade-key.XXXXXX";

	(void)state;
	assert_non_null(mkdtemp(name));
	snprintf(dir, sizeof(dir), "%s/keys", name);
	snprintf(path, sizeof(path), "%s/key", dir);
	return mkdir(dir, 0700);
}

static int tear_down(void **state)
{
	(void)state;
	unlink(path);
	rmdir(dir);
	*strrchr(dir, '/') = '\0';
	return rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(weak_keys_are_told),
		cmocka_unit_test(keys_are_made_whole_and_for_their_owner),
		cmocka_unit_test(directories_of_others_are_refused),
		cmocka_unit_test(words_of_a_shell_are_no_words),
		cmocka_unit_test(what_another_machine_says_is_read),
		cmocka_unit_test(damaged_answers_are_survived),
		cmocka_unit_test(rotation_is_kept_as_it_was),
		cmocka_unit_test(device_tells_where_its_requests_go),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
