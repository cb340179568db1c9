/* SPDX-License-Identifier: GPL-3.0-or-later */
/* fence_agents/virtd/core: the stock fence_virt.conf is read as it is, what is wrong in it is named with its line, and the map
 * permits what its lines say and nothing else.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fence_agents/virtd/core/conf.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/target.h"

static struct virtd_conf conf;
static struct virtd_notes notes;

static int parse(const char *text)
{
	return virtd_conf_parse(text, strlen(text), &conf, &notes);
}

/* As the Debian package installs it. */
static const char debian[] =
	"backends {\n\tlibvirt {\n\t\turi = \"qemu:///system\";\n\t}\n}\n\n"
	"listeners {\n\tmulticast {\n\t\tkey_file = \"/etc/fence_virt.key\";\n"
	"\t\tinterface = \"br0\";\n\t\tport = \"1229\";\n\t\taddress = \"225.0.0.12\";\n"
	"\t\tfamily = \"ipv4\";\n\t}\n}\n\n"
	"fence_virtd {\n\tbackend = \"libvirt\";\n\tlistener = \"multicast\";\n"
	"\tmodule_path = \"/usr/lib/x86_64-linux-gnu/fence-virt\";\n}\n";

static void stock_file_is_read_unchanged(void **s)
{
	(void)s;
	assert_int_equal(parse(debian), 0);
	assert_int_equal(notes.n, 0);
	assert_int_equal(conf.n_listeners, 1);
	assert_int_equal(conf.listener[0].kind, VIRTD_MULTICAST);
	assert_string_equal(conf.listener[0].key_file, "/etc/fence_virt.key");
	assert_string_equal(conf.listener[0].interface, "br0");
	assert_string_equal(conf.listener[0].address, "225.0.0.12");
	assert_int_equal(conf.listener[0].hash, 2);
	assert_int_equal(conf.listener[0].auth, 2);
	assert_int_equal(conf.n_uris, 1);
	assert_string_equal(conf.uri[0], "qemu:///system");
	assert_true(conf.map.open_of_old);
}

static void every_key_of_the_stock_daemon_is_known(void **s)
{
	(void)s;
	assert_int_equal(
		parse("FENCE_VIRTD { listener=\"tcp\"; backend=\"cpg\"; debug=\"99\"; foreground=\"1\";\n"
		      "wait_for_init=\"1\"; wait_for_backend=\"0\"; name_mode=\"name\"; module_path=\"/x\"; }\n"
		      "listeners { multicast { key_file=\"/k\"; hash=\"sha1\"; auth=\"none\"; family=\"ipv6\";\n"
		      "address=\"ff05::3:1\"; port=\"1\"; interface=\"e\"; }\n"
		      "tcp { key_file=\"/k\"; hash=\"none\"; auth=\"sha512\"; family=\"ipv4\"; address=\"10.0.0.1\"; port=\"2\"; }\n"
		      "vsock { key_file=\"/k\"; hash=\"none\"; auth=\"sha1\"; port=\"3\"; }\n"
		      "serial { uri=\"a\"; path=\"/p\"; mode=\"vmchannel\"; } }\n"
		      "backends { cpg { uri=\"a\"; uri1=\"b\"; name_mode=\"uuid\"; } }\n"
		      "groups { group = \"x\" { name=\"n\"; uuid=\"u\"; ip=\"1.2.3.4\"; } }\n"),
		0);
	for (unsigned i = 0; i < notes.n; i++)
		assert_null(strstr(notes.v[i].text, "unknown key"));
	assert_int_equal(conf.n_uris, 2);
	assert_true(conf.silent_unknown);
	assert_int_equal(conf.listener[0].auth, 3); /* not its hash: the stock daemon's mistake */
	assert_int_equal(conf.listener[0].hash, 0);
	assert_string_equal(virtd_listener_name(VIRTD_SERIAL), "serial");
	assert_string_equal(virtd_hash_name(3), "sha512");
	assert_string_equal(virtd_hash_name(4), "?");
}

static void unknown_keys_are_named_with_line_and_neighbour(void **s)
{
	char text[sizeof(debian) + 100];

	(void)s;
	snprintf(text, sizeof(text), "%slisteners {\n multicast {\n  keyfile = \"/x\";\n }\n}\n",
		 debian);
	assert_int_equal(parse(text), 0);
	assert_int_equal(notes.n, 1);
	assert_int_equal(notes.v[0].line, 24);
	assert_false(notes.v[0].error);
	assert_non_null(strstr(notes.v[0].text, "\"keyfile\""));
	assert_non_null(strstr(notes.v[0].text, "did you mean \"key_file\"?"));
}

static void what_cannot_be_is_an_error_with_its_line(void **s)
{
	static const struct {
		const char *text;
		unsigned line;
		const char *word;
	} bad[] = {
		{ "a {\n b = ;\n}", 2, "in double quotes" },
		{ "a {\n b = \"\";\n}", 2, "not empty" },
		{ "a {\n b = \"x\"\n}", 3, "';'" },
		{ "a {\n", 2, "'}'" },
		{ "}", 1, "a section" },
		{ "a {\n b\n}", 3, "'=' or '{'" },
		{ "listeners { tcp { port = \"70000\"; } }", 1, "no number from 1 to 65535" },
		{ "listeners {\n\n tcp { hash = \"md5\"; } }", 3, "sha512" },
		{ "fence_virtd { listener = \"carrier pigeon\"; backend = \"libvirt\"; }", 1,
		  "carrier" },
		{ "", 1, "no backend" },
	};

	(void)s;
	for (unsigned i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		bool found = false;

		assert_int_equal(parse(bad[i].text), -22);
		for (unsigned k = 0; k < notes.n; k++)
			found |= notes.v[k].error && notes.v[k].line == bad[i].line &&
				 strstr(notes.v[k].text, bad[i].word);
		if (!found)
			fail_msg("%s: %u notes, first in line %u: %s", bad[i].text, notes.n,
				 notes.v[0].line, notes.v[0].text);
	}
}

static void last_of_a_repeated_key_counts(void **s)
{
	(void)s;
	assert_int_equal(parse("fence_virtd { listener = \"tcp\"; backend = \"libvirt\"; }\n"
			       "listeners { tcp { port = \"1\"; port = \"2\"; } }\n"),
			 0);
	assert_int_equal(conf.listener[0].port, 2);
	assert_string_equal(conf.listener[0].address, "127.0.0.1");
}

static bool may(const char *who, const char *source, const char *sent, const char *name,
		const char *uuid)
{
	struct virtd_caller c;
	struct virtd_target target = { sent, name, uuid };

	snprintf(c.who, sizeof(c.who), "%s", who);
	snprintf(c.source, sizeof(c.source), "%s", source);
	return virtd_map_permits(&conf.map, &c, &target);
}

#define HEAD "fence_virtd { listener = \"tcp\"; backend = \"libvirt\"; } listeners { tcp { } }\n"

static void map_permits_what_a_line_says(void **s)
{
	(void)s;
	assert_int_equal(
		parse(HEAD
		      "groups { group { ip = \"10.0.0.1\"; uuid = \"AA\"; uuid = \"bb\"; }\n"
		      "group { ip = \"10.0.0.2\"; uuid = \"cc\"; } }\n"
		      "stockade { guest { uuid = \"dd\"; ip = \"10.0.0.3\"; ip = \"10.0.0.4\"; may_fence = \"ee\"; }\n"
		      "guest { ip = \"10.0.0.5\"; may_fence = \"any\"; } }\n"),
		0);
	assert_false(conf.map.open_of_old);
	assert_true(may("10.0.0.1", "10.0.0.1", "aa", "", ""));
	assert_true(may("10.0.0.1", "10.0.0.1", "name", "name", "aa"));
	assert_false(may("10.0.0.1", "10.0.0.1", "cc", "", ""));
	assert_false(may("10.0.0.9", "10.0.0.9", "aa", "", ""));
	assert_false(may("", "", "aa", "", ""));
	assert_true(may("bb", "bb", "aa", "", "")); /* a channel's guest is known by its uuid */
	assert_true(may("10.0.0.3", "10.0.0.3", "ee", "", ""));
	assert_true(may("dd", "dd", "ee", "", ""));
	assert_false(
		may("10.0.0.3", "10.0.0.3", "dd", "", "")); /* not itself, unless a line says so */
	assert_true(may("10.0.0.5", "10.0.0.5", "whatever", "", ""));
	assert_true(may("10.0.0.3", "10.0.0.4", "ee", "", ""));  /* both are its own */
	assert_false(may("10.0.0.3", "10.0.0.5", "ee", "", "")); /* says that it is another */
	assert_true(virtd_map_same_caller(&conf.map, "10.0.0.3", "10.0.0.4"));
	assert_false(virtd_map_same_caller(&conf.map, "10.0.0.3", "10.0.0.5"));
}

static void section_without_lines_permits_nothing(void **s)
{
	(void)s;
	assert_int_equal(parse(HEAD "stockade { }\n"), 0);
	assert_false(may("10.0.0.1", "10.0.0.1", "aa", "", ""));
	assert_int_equal(parse(HEAD "stockade { permit = \"any\"; }\n"), 0);
	assert_true(may("10.0.0.1", "10.0.0.1", "aa", "", ""));
	assert_int_equal(parse(HEAD "groups { }\n"), 0);
	assert_false(may("10.0.0.1", "10.0.0.1", "aa", "", ""));
	assert_int_equal(parse(HEAD), 0);
	assert_true(conf.map.open_of_old);
	assert_true(may("10.0.0.1", "10.0.0.1", "aa", "", ""));
}

static void map_says_when_it_is_full(void **s)
{
	static struct virtd_map m;
	char longest[VIRTD_WORD_MAX + 1];

	(void)s;
	memset(longest, 'x', sizeof(longest) - 1);
	longest[VIRTD_WORD_MAX] = '\0';
	assert_false(virtd_map_add(&m, VIRTD_GROUP_UUID, 0, longest));
	for (unsigned i = 0; i < VIRTD_ENTRIES_MAX; i++)
		assert_true(virtd_map_add(&m, VIRTD_GROUP_UUID, 0, "x"));
	assert_false(virtd_map_add(&m, VIRTD_GROUP_UUID, 0, "x"));
}

static int decode(void *arg, const void *buf, size_t len)
{
	uint8_t *copy = malloc(len + 1);

	assert_non_null(copy);
	copy[0] = *(const uint8_t *)arg;
	memcpy(copy + 1, buf, len);
	LLVMFuzzerTestOneInput(copy, len + 1);
	free(copy);
	return virtd_conf_parse(buf, len, &conf, &notes) == 0 ? 0 : -1;
}

static void damaged_files_and_packets_are_survived(void **s)
{
	uint8_t which = 0;
	struct fuzz_tally tally = fuzz_run(&(struct fuzz){ .sample = debian,
							   .len = sizeof(debian) - 1,
							   .decode = decode,
							   .arg = &which,
							   .rounds = 3000 });

	(void)s;
	assert_true(tally.taken > 0 && tally.refused > 0);
	assert_true(fuzz_corpus("virtd") > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(stock_file_is_read_unchanged),
		cmocka_unit_test(every_key_of_the_stock_daemon_is_known),
		cmocka_unit_test(unknown_keys_are_named_with_line_and_neighbour),
		cmocka_unit_test(what_cannot_be_is_an_error_with_its_line),
		cmocka_unit_test(last_of_a_repeated_key_counts),
		cmocka_unit_test(map_permits_what_a_line_says),
		cmocka_unit_test(section_without_lines_permits_nothing),
		cmocka_unit_test(map_says_when_it_is_full),
		cmocka_unit_test(damaged_files_and_packets_are_survived),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
