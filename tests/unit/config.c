/* SPDX-License-Identifier: GPL-3.0-or-later */
/* lib/shell/config: every FILE.yaml of tests/unit/data/config gives exactly the messages of FILE.err (an empty one: it is
 * good), the shipped example means what it says, and equal meanings have equal hashes.
 *
 * To look at a new case, and to write its .err after reading it: tests/unit/config FILE.yaml
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
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

#include "lib/shell/config.h"

static const char *top(void)
{
	const char *dir = getenv("top_srcdir");

	return dir ? dir : "..";
}

static char *slurp(const char *path)
{
	FILE *f = fopen(path, "r");
	char *text = calloc(1, 1 << 16);

	assert_non_null(text);
	if (!f)
		fail_msg("%s: %s", path, strerror(errno));
	text[fread(text, 1, (1 << 16) - 1, f)] = '\0';
	fclose(f);
	return text;
}

/* The messages about a text, as a string to free; *ok: was it good? */
static char *messages(const char *text, const char *name, bool *ok)
{
	char *buf = NULL;
	size_t len = 0;
	FILE *err = open_memstream(&buf, &len);
	struct config *cfg;

	assert_non_null(err);
	cfg = config_parse(text, name, err);
	assert_true(cfg || errno == EINVAL);
	*ok = cfg != NULL;
	config_free(cfg);
	fclose(err);
	return buf;
}

static int is_yaml(const struct dirent *e)
{
	size_t len = strlen(e->d_name);

	return len > 5 && strcmp(e->d_name + len - 5, ".yaml") == 0;
}

static void every_bad_file_gets_exactly_its_messages(void **state)
{
	char dir[PATH_MAX / 2], path[PATH_MAX];
	struct dirent **entry;
	unsigned n_bad = 0, n_wrong = 0;
	int n;

	(void)state;
	snprintf(dir, sizeof(dir), "%s/tests/unit/data/config", top());
	n = scandir(dir, &entry, is_yaml, alphasort);
	assert_true(n > 0);
	for (int i = 0; i < n; i++) {
		char *text, *expected, *got;
		bool ok;

		snprintf(path, sizeof(path), "%s/%s", dir, entry[i]->d_name);
		text = slurp(path);
		strcpy(strrchr(path, '.'), ".err");
		expected = slurp(path);
		got = messages(text, entry[i]->d_name, &ok);
		if (strcmp(got, expected) != 0) {
			print_error("%s: expected\n%s\nbut got\n%s\n", path, expected, got);
			n_wrong++;
		}
		if (ok == (strstr(expected, ": error: ") != NULL)) {
			print_error("%s: is %s\n", path, ok ? "good" : "bad");
			n_wrong++;
		}
		n_bad += !ok;
		free(text);
		free(expected);
		free(got);
		free(entry[i]);
	}
	free(entry);
	assert_int_equal(n_wrong, 0);
	assert_true(n_bad >= 40);
}

static struct config *good(const char *text)
{
	struct config *cfg = config_parse(text, "test.yaml", stderr);

	assert_non_null(cfg);
	return cfg;
}

static void the_shipped_example_means_what_it_says(void **state)
{
	char path[PATH_MAX];
	struct config *c;

	(void)state;
	snprintf(path, sizeof(path), "%s/doc/stockade.yaml.example", top());
	c = config_read(path, stderr);
	assert_non_null(c);
	assert_string_equal(c->path, path);
	assert_string_equal(c->cluster, "web");
	assert_int_equal(c->detect_ms, 3000);
	assert_int_equal(c->timing.token_ms, 1268);
	assert_true(c->fence_reboot);
	assert_int_equal(c->n_nodes, 2);
	assert_string_equal(c->node[1].name, "node2");
	assert_int_equal(c->node[1].n_links, 1);
	assert_string_equal(c->node[1].link[0], "192.0.2.12");
	assert_int_equal(c->node[1].n_levels, 2);
	assert_int_equal(c->node[1].level[0].n, 1);
	assert_string_equal(c->device[c->node[1].level[0].use[0].device].agent, "fence_xvm");
	assert_string_equal(c->node[1].level[0].use[0].plug, "node2");
	assert_string_equal(c->device[c->node[1].level[1].use[0].device].name, "bmc2");
	assert_string_equal(c->node[1].level[1].use[0].plug, "");
	assert_int_equal(c->n_devices, 3);
	assert_string_equal(c->device[0].name, "bmc1");
	assert_int_equal(c->device[0].n_params, 3);
	assert_string_equal(c->device[0].param[1].key, "password");
	assert_true(c->device[0].param[1].secret_file);
	assert_string_equal(c->device[0].param[1].value, "/etc/stockade/bmc1.secret");
	assert_string_equal(c->device[2].param[0].key, "key_file");
	assert_false(c->device[2].param[0].secret_file);
	assert_int_equal(c->n_volumes, 1);
	assert_true(c->volume[0].iscsi);
	assert_string_equal(c->volume[0].portal, "192.0.2.1:3260");
	assert_int_equal(c->volume[0].fs, CONFIG_FS_EXT4);
	assert_string_equal(c->volume[0].mount, "/var/www/html");
	assert_string_equal(c->volume[0].options, "noatime");
	assert_int_equal(c->n_domains, 1);
	assert_int_equal(c->domain[0].n_nodes, 2);
	assert_int_equal(c->domain[0].node[0], 1);
	assert_true(c->domain[0].ordered && c->domain[0].restricted && !c->domain[0].failback);
	assert_int_equal(c->n_services, 1);
	assert_int_equal(c->service[0].domain, 0);
	assert_true(c->service[0].enabled);
	assert_int_equal(c->service[0].n_resources, 3);
	assert_int_equal(c->service[0].resource[0].type, CONFIG_RES_VOLUME);
	assert_int_equal(c->service[0].resource[0].volume, 0);
	assert_string_equal(c->service[0].resource[1].ref, "apache2.service");
	assert_string_equal(c->service[0].resource[2].ref, "192.0.2.100/24");
	assert_true(c->service[0].resource[2].start_ms > 0 &&
		    c->service[0].resource[2].monitor_ms > 0);
	assert_ptr_equal(config_node_by_id(c, 2), &c->node[1]);
	assert_ptr_equal(config_node_by_name(c, "node1"), &c->node[0]);
	assert_null(config_node_by_name(c, "node3"));
	assert_ptr_equal(config_self(c, 2), &c->node[1]);
	assert_null(config_self(c, 9));
	assert_ptr_equal(config_volume_by_name(c, "webdata"), &c->volume[0]);
	assert_ptr_equal(config_service_by_name(c, "web"), &c->service[0]);
	assert_null(config_service_by_name(c, "webdata"));
	assert_int_equal(nodeset_count(config_nodes(c)), 2);
	config_free(c);
}

static const char one[] = "cluster: c\n"
			  "detect: 2s\n"
			  "nodes:\n"
			  "  a: {id: 2, link0: 10.0.0.2, fence: [{d: a}]}\n"
			  "  b: {id: 1, link0: 10.0.0.1, fence: [{d: b}, {e: [3, 4], f: }]}\n"
			  "fence_devices:\n"
			  "  d: {agent: x, ip: 10.0.0.9, tls: 1}\n"
			  "  e: {agent: y}\n"
			  "  f: {agent: z}\n"
			  "volumes:\n"
			  "  v: {vg: g, lv: l, fs: xfs, mount: /srv/v}\n"
			  "domains:\n"
			  "  any: {nodes: [a, b]}\n"
			  "services:\n"
			  "  s: {domain: any, resources: [{volume: v}, {unit: u}]}\n";

/* The same, in another order and with defaults written out. */
static const char same[] = "# the same\n"
			   "services:\n"
			   "  s:\n"
			   "    enabled: true\n"
			   "    resources:\n"
			   "      - volume: v\n"
			   "        start: 2min\n"
			   "      - unit: u.service\n"
			   "        warm: true\n"
			   "    domain: any\n"
			   "    restarts: 2\n"
			   "domains:\n"
			   "  any: {failback: false, nodes: [b, a]}\n"
			   "volumes:\n"
			   "  v: {mount: /srv/v, fs: \"xfs\", fsck: journal, lv: l, vg: g}\n"
			   "fence_devices:\n"
			   "  f: {agent: z}\n"
			   "  e: {agent: y}\n"
			   "  d: {tls: 1, ip: 10.0.0.9, agent: x}\n"
			   "nodes:\n"
			   "  b: {id: 1, link0: 10.0.0.1, fence: [{d: b}, {e: [3, 4], f: }]}\n"
			   "  a: {id: 2, link0: 10.0.0.2, fence: [{d: a}]}\n"
			   "fence_action: reboot\n"
			   "detect: 2000ms\n"
			   "cluster: c\n";

static void equal_meanings_have_equal_hashes_and_indexes(void **state)
{
	struct config *a = good(one), *b = good(same);

	(void)state;
	assert_true(a->hash == b->hash);
	assert_string_equal(a->node[0].name, "b"); /* by id */
	assert_memory_equal(a->node, b->node, sizeof(a->node));
	assert_memory_equal(a->device, b->device, sizeof(a->device));
	assert_memory_equal(a->service, b->service, sizeof(a->service));
	config_free(a);
	config_free(b);
}

static void a_method_of_several_devices_keeps_them_all(void **state)
{
	struct config *c = good(one);
	const struct config_method *m = &c->node[0].level[1];

	(void)state;
	assert_int_equal(c->node[0].n_levels, 2);
	assert_int_equal(m->n, 3);
	assert_string_equal(c->device[m->use[0].device].name, "e");
	assert_string_equal(m->use[0].plug, "3");
	assert_string_equal(m->use[1].plug, "4");
	assert_string_equal(c->device[m->use[2].device].name, "f");
	assert_string_equal(m->use[2].plug, "");
	config_free(c);
}

static void every_difference_of_meaning_changes_the_hash(void **state)
{
	static const char *const change[][2] = {
		{ "cluster: c", "cluster: k" },
		{ "detect: 2s", "detect: 3s" },
		{ "detect: 2s", "detect: 2s\nfence_timeout: 20s" },
		{ "detect: 2s", "detect: 2s\nfence_check_age: 10min" },
		{ "detect: 2s", "detect: 2s\npost_join: 1min" },
		{ "detect: 2s", "detect: 2s\ncut_delay: 5min" },
		{ "detect: 2s", "detect: 2s\nfence_action: off" },
		{ "detect: 2s", "detect: 2s\nping: [10.0.0.9]" },
		{ "detect: 2s", "detect: 2s\nfence_loop: off" },
		{ "detect: 2s", "detect: 2s\nwatchdog: on" },
		{ "detect: 2s", "detect: 2s\nwatchdog: {device: /dev/watchdog1}" },
		{ "detect: 2s", "detect: 2s\nwatchdog: {storage: false}" },
		{ "detect: 2s", "detect: 2s\nwatchdog: {daemons: false}" },
		{ "detect: 2s", "detect: 2s\nfence_loop: {times: 3}" },
		{ "detect: 2s", "detect: 2s\nfence_loop: {within: 1h}" },
		{ "[{d: a}]", "[{d: {plug: a, lanplus: 1}}]" },
		{ "[{d: a}]", "[{d: a}], unfence: {d: a}" },
		{ "agent: z", "agent: z, concurrency: 2" },
		{ "id: 2", "id: 3" },
		{ "agent: z", "agent: z, attest: yes" },
		{ "10.0.0.2", "10.0.0.3" },
		{ "[{d: a}]", "[{d: aa}]" },
		{ "[{d: a}]", "[{d: a}, {e: 5}]" },
		{ "[3, 4]", "[3, 5]" },
		{ "agent: z", "agent: zz" },
		{ "tls: 1", "tls: 0" },
		{ "vg: g", "vg: gg" },
		{ "lv: l,", "lv: ll," },
		{ "fs: xfs", "fs: ext4" },
		{ "/srv/v", "/srv/w" },
		{ "/srv/v", "/srv/v, options: noatime" },
		{ "nodes: [a, b]", "nodes: [a]" },
		{ "nodes: [a, b]", "nodes: [a, b], ordered: true" },
		{ "nodes: [a, b]", "nodes: [a, b], restricted: true" },
		{ "domain: any", "enabled: false, domain: any" },
		{ "domain: any", "restarts: 0, domain: any" },
		{ "{volume: v}, {unit: u}", "{unit: u}, {volume: v}" },
		{ "{unit: u}", "{unit: u, monitor: 1min}" },
		{ "{unit: u}", "{script: /u}" },
		{ "{unit: u}", "{unit: u, warm: false}" },
	};
	struct config *base = good(one);

	(void)state;
	for (size_t i = 0; i < sizeof(change) / sizeof(change[0]); i++) {
		const char *at = strstr(one, change[i][0]);
		char text[2 * sizeof(one)];
		struct config *c;

		assert_non_null(at);
		snprintf(text, sizeof(text), "%.*s%s%s", (int)(at - one), one, change[i][1],
			 at + strlen(change[i][0]));
		c = good(text);
		if (c->hash == base->hash)
			fail_msg("\"%s\" does not change the hash", change[i][1]);
		config_free(c);
	}
	config_free(base);
}

static void a_missing_or_odd_file_is_named(void **state)
{
	char path[] = "/tmp/stockade-config-XXXXXX", *buf = NULL;
	size_t len = 0;
	FILE *err = open_memstream(&buf, &len);
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0);
	assert_null(config_read("/nonexistent/stockade.yaml", err));
	assert_int_equal(errno, ENOENT);
	assert_int_equal(write(fd, "cluster: \0", 10), 10);
	assert_null(config_read(path, err));
	assert_int_equal(errno, EINVAL);
	fclose(err);
	assert_non_null(
		strstr(buf, "/nonexistent/stockade.yaml: error: cannot be opened: No such file"));
	assert_non_null(strstr(buf, "stockade init"));
	assert_non_null(strstr(buf, "it is not a text file"));
	free(buf);
	close(fd);
	unlink(path);
}

struct secret {
	const char *content;
	size_t len;
	mode_t mode;
	int expected;
	const char *why;
};

static void a_secret_is_read_only_from_a_private_file(void **state)
{
	static const struct secret cases[] = {
		{ "hunter2\n", 8, 0600, 0, NULL },
		{ "hunter2", 7, 0400, 0, NULL },
		{ "hunter2\n", 8, 0640, -EPERM, "chmod 600" },
		{ "hunter2\n", 8, 0604, -EPERM, "chmod 600" },
		{ "", 0, 0600, -ENODATA, "is empty" },
		{ "\n", 1, 0600, -ENODATA, "is empty" },
		{ "a\nb\n", 4, 0600, -EINVAL, "one line" },
		{ "a\0b", 3, 0600, -EINVAL, "one line" },
		{ "0123456789abcdef", 16, 0600, -E2BIG, "more than the 15 bytes" },
	};
	char dir[] = "/tmp/stockade-secret-XXXXXX", path[64], link[64], buf[16], why[200];

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/s", dir);
	snprintf(link, sizeof(link), "%s/l", dir);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600), r;

		assert_true(fd >= 0);
		assert_int_equal(write(fd, cases[i].content, cases[i].len), cases[i].len);
		assert_int_equal(fchmod(fd, cases[i].mode), 0);
		close(fd);
		why[0] = '\0';
		r = config_secret_read(path, buf, sizeof(buf), why, sizeof(why));
		assert_int_equal(r, cases[i].expected);
		assert_string_equal(buf, r ? "" : "hunter2");
		if (cases[i].why && !strstr(why, cases[i].why))
			fail_msg("case %zu: \"%s\"", i, why);
		assert_null(strstr(why, "hunter2"));
		unlink(path);
	}
	assert_int_equal(config_secret_read(path, buf, sizeof(buf), why, sizeof(why)), -ENOENT);
	assert_int_equal(symlink("/etc/hostname", link), 0);
	assert_int_equal(config_secret_read(link, buf, sizeof(buf), why, sizeof(why)), -ELOOP);
	assert_int_equal(config_secret_read(dir, buf, sizeof(buf), why, sizeof(why)), -EINVAL);
	assert_int_equal(mkfifo(path, 0600), 0); /* must not hang */
	assert_int_equal(config_secret_read(path, buf, sizeof(buf), why, sizeof(why)), -EINVAL);
	unlink(path);
	unlink(link);
	rmdir(dir);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_bad_file_gets_exactly_its_messages),
		cmocka_unit_test(the_shipped_example_means_what_it_says),
		cmocka_unit_test(equal_meanings_have_equal_hashes_and_indexes),
		cmocka_unit_test(a_method_of_several_devices_keeps_them_all),
		cmocka_unit_test(every_difference_of_meaning_changes_the_hash),
		cmocka_unit_test(a_missing_or_odd_file_is_named),
		cmocka_unit_test(a_secret_is_read_only_from_a_private_file),
	};

	if (argc == 2) {
		const char *slash = strrchr(argv[1], '/');
		char *text = slurp(argv[1]);
		bool ok;
		char *got = messages(text, slash ? slash + 1 : argv[1], &ok);

		fputs(got, stdout);
		free(text);
		free(got);
		return !ok;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
