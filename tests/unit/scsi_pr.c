/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Persistent reservations: the bytes of commands (as sg_persist sends them), what is understood of answers, whose key is
 * whose, and what follows for a node (SAFE-3: only a disk that keeps it out has cut it off). */
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

#include "lib/scsi_pr.h"
#include "lib/shell/scsi_disk.h"
#include "tests/fuzz/fuzz.h"

static const uint8_t boot_a[BOOT_ID_BYTES] = { 1, 2, 3 }, boot_b[BOOT_ID_BYTES] = { 1, 2, 4 };

static uint64_t key_of(uint32_t node)
{
	return scsi_pr_key("demo", node, boot_a);
}

static void key_names_cluster_node_and_boot(void **state)
{
	(void)state;
	char text[SCSI_PR_KEY_TEXT];
	uint64_t key = key_of(7);

	assert_true(scsi_pr_key_of_cluster(key, "demo"));
	assert_false(scsi_pr_key_of_cluster(key, "demo2"));
	assert_int_equal(scsi_pr_key_node(key), 7);
	assert_true(key == scsi_pr_key("demo", 7, boot_a));
	assert_true(key != scsi_pr_key("demo", 7, boot_b));
	assert_int_equal(scsi_pr_key_node(scsi_pr_key("demo", 7, boot_b)), 7);
	assert_int_equal(scsi_pr_key_node(0xfb0c0000), 0);
	scsi_pr_key_text(key, text);
	assert_int_equal(strtoull(text, NULL, 16), key);
	assert_memory_equal(text, "534b", 4);
}

static void commands_are_those_of_the_standard(void **state)
{
	(void)state;
	uint8_t cdb[SCSI_CDB_IN], data[SCSI_PR_OUT_BYTES];

	scsi_pr_out_build(cdb, data, SCSI_PR_PREEMPT_AND_ABORT, 0x1122334455667788,
			  0xa1a2a3a4a5a6a7a8, false);
	assert_memory_equal(cdb, ((uint8_t[]){ 0x5f, 5, 5, 0, 0, 0, 0, 0, 0x18, 0 }), sizeof(cdb));
	assert_memory_equal(data, ((uint8_t[]){ 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88,
						0xa1, 0xa2, 0xa3, 0xa4, 0xa5, 0xa6, 0xa7, 0xa8,
						0,    0,    0,    0,    0,    0,    0,    0 }),
			    sizeof(data));
	scsi_pr_out_build(cdb, data, SCSI_PR_REGISTER_AND_IGNORE, 0, 1, true);
	assert_memory_equal(cdb, ((uint8_t[]){ 0x5f, 6, 0, 0, 0, 0, 0, 0, 0x18, 0 }), sizeof(cdb));
	assert_int_equal(data[20], 1);
	scsi_pr_in_build(cdb, SCSI_PR_READ_RESERVATION, 0x1234);
	assert_memory_equal(cdb, ((uint8_t[]){ 0x5e, 1, 0, 0, 0, 0, 0, 0x12, 0x34, 0 }),
			    sizeof(cdb));
}

static const uint8_t two_keys[24] = { 0, 0, 0, 9, 0, 0, 0, 16, 1, 2, 3, 4,
				      5, 6, 7, 8, 8, 7, 6, 5,  4, 3, 2, 1 };

static void a_list_is_taken_whole_or_not_at_all(void **state)
{
	(void)state;
	struct scsi_pr_keys keys;
	uint8_t many[8] = { 0, 0, 0, 1, 0, 1, 0, 0 };

	assert_int_equal(scsi_pr_keys_parse(&keys, two_keys, sizeof(two_keys)), 0);
	assert_int_equal(keys.generation, 9);
	assert_int_equal(keys.n, 2);
	assert_true(keys.v[0] == 0x0102030405060708 && keys.v[1] == 0x0807060504030201);
	for (size_t shorter = 0; shorter < sizeof(two_keys); shorter++)
		assert_int_equal(scsi_pr_keys_parse(&keys, two_keys, shorter), -EBADMSG);
	assert_int_equal(scsi_pr_keys_parse(&keys, many, sizeof(many)), -EMSGSIZE);
}

static void a_reservation_is_read(void **state)
{
	(void)state;
	static const uint8_t none[8] = { 0, 0, 0, 3 };
	uint8_t held[24] = { 0, 0, 0, 3, 0, 0, 0, 16, 1, 2, 3, 4, 5, 6, 7, 8 };
	struct scsi_pr_reservation res = { .held = true };

	held[21] = 5;
	assert_int_equal(scsi_pr_reservation_parse(&res, none, sizeof(none)), 0);
	assert_false(res.held);
	assert_int_equal(scsi_pr_reservation_parse(&res, held, sizeof(held)), 0);
	assert_true(res.held && res.key == 0x0102030405060708 && res.type == 5);
	assert_int_equal(scsi_pr_reservation_parse(&res, held, 23), -EBADMSG);
}

static void capabilities_are_read(void **state)
{
	(void)state;
	static const uint8_t lio[8] = { 0, 8, 0x1d, 0x81, 0xea, 0x01 }; /* as LIO answers */
	struct scsi_pr_capabilities can;

	assert_int_equal(scsi_pr_capabilities_parse(&can, lio, sizeof(lio)), 0);
	assert_true(can.persist && can.persist_active && can.types_known && can.we_ro);
	assert_int_equal(scsi_pr_capabilities_parse(&can, (uint8_t[8]){ 0, 8, 0, 0x80, 0x02 }, 8),
			 0);
	assert_false(can.we_ro || can.persist);
	assert_int_equal(scsi_pr_capabilities_parse(&can, lio, 7), -EBADMSG);
}

static void sense_of_both_formats_is_read(void **state)
{
	(void)state;
	uint8_t fixed[18] = { 0x70, 0, 6 }, descriptor[8] = { 0x72, 5, 0x24, 0x00 };

	fixed[12] = 0x2a;
	fixed[13] = 0x05;
	struct scsi_sense s = scsi_sense_parse(fixed, sizeof(fixed));
	assert_true(s.valid && s.key == SCSI_SENSE_UNIT_ATTENTION && s.asc == 0x2a && s.ascq == 5);
	s = scsi_sense_parse(descriptor, sizeof(descriptor));
	assert_true(s.valid && s.key == SCSI_SENSE_ILLEGAL_REQUEST && s.asc == 0x24);
	assert_false(scsi_sense_parse(fixed, 13).valid);
	assert_false(scsi_sense_parse(fixed, 0).valid);
}

/* SAFE-3: cut off is only who is not registered where the registered alone may write. */
static void a_node_is_cut_off_only_by_a_reservation_without_its_keys(void **state)
{
	(void)state;
	struct scsi_pr_keys both = { .n = 3, .v = { key_of(1), key_of(2), key_of(1) } };
	struct scsi_pr_keys one = { .n = 1, .v = { key_of(1) } };
	struct scsi_pr_keys foreign = { .n = 1, .v = { scsi_pr_key("other", 2, boot_a) } };
	struct scsi_pr_reservation ours = { true, key_of(1), 5 }, none = { .held = false },
				   other = { true, 0, 7 };

	assert_int_equal(scsi_pr_judge_node(&both, &ours, "demo", 2), SCSI_PR_MAY_WRITE);
	assert_int_equal(scsi_pr_judge_node(&one, &ours, "demo", 2), SCSI_PR_CUT);
	assert_int_equal(scsi_pr_judge_node(&one, &none, "demo", 2), SCSI_PR_MAY_WRITE);
	assert_int_equal(scsi_pr_judge_node(&one, &other, "demo", 2), SCSI_PR_UNKNOWN);
	assert_int_equal(scsi_pr_judge_node(&foreign, &ours, "demo", 2), SCSI_PR_CUT);
	both.v[1] = scsi_pr_key("demo", 2, boot_b); /* another life of it */
	assert_int_equal(scsi_pr_judge_node(&both, &ours, "demo", 2), SCSI_PR_MAY_WRITE);
}

static void our_own_standing(void **state)
{
	(void)state;
	struct scsi_pr_keys two_paths = { .n = 3, .v = { key_of(1), key_of(2), key_of(1) } };
	struct scsi_pr_keys others = { .n = 1, .v = { key_of(2) } }, nobody = { .n = 0 };
	struct scsi_pr_reservation ours = { true, key_of(2), 5 }, none = { .held = false };

	assert_int_equal(scsi_pr_count(&two_paths, key_of(1)), 2);
	assert_int_equal(scsi_pr_judge_own(&two_paths, &ours, key_of(1), 2), SCSI_PR_OWN_GOOD);
	assert_int_equal(scsi_pr_judge_own(&two_paths, &ours, key_of(1), 3), SCSI_PR_OWN_PARTLY);
	assert_int_equal(scsi_pr_judge_own(&two_paths, &none, key_of(1), 2), SCSI_PR_OWN_PARTLY);
	assert_int_equal(scsi_pr_judge_own(&others, &ours, key_of(1), 1), SCSI_PR_OWN_CUT);
	assert_int_equal(scsi_pr_judge_own(&nobody, &ours, key_of(1), 1), SCSI_PR_OWN_CUT);
	assert_int_equal(scsi_pr_judge_own(&nobody, &none, key_of(1), 1), SCSI_PR_OWN_FORGOTTEN);
}

static int decode_keys(void *arg, const void *data, size_t len)
{
	struct scsi_pr_keys *keys = arg;
	int r = scsi_pr_keys_parse(keys, data, len);

	assert_true(r < 0 || (keys->n <= SCSI_PR_KEYS_MAX && 8 + 8 * keys->n <= len));
	return r;
}

static int decode_reservation(void *arg, const void *data, size_t len)
{
	struct scsi_pr_reservation *res = arg;
	int r = scsi_pr_reservation_parse(res, data, len);

	assert_true(r < 0 || !res->held || len >= 24);
	return r;
}

static int decode_sense(void *arg, const void *data, size_t len)
{
	(void)arg;
	return scsi_sense_parse(data, len).valid ? 0 : -EBADMSG;
}

static void damaged_answers_are_refused_or_read(void **state)
{
	(void)state;
	struct scsi_pr_keys keys;
	struct scsi_pr_reservation res;
	static const uint8_t held[24] = { 0, 0, 0, 3, 0, 0, 0, 16, [21] = 5 };
	static const uint8_t sense[18] = { 0x70, 0, 6, [12] = 0x2a };
	const struct fuzz fuzzes[] = {
		{ .sample = two_keys,
		  .len = sizeof(two_keys),
		  .decode = decode_keys,
		  .arg = &keys },
		{ .sample = held, .len = sizeof(held), .decode = decode_reservation, .arg = &res },
		{ .sample = sense, .len = sizeof(sense), .decode = decode_sense },
	};

	for (size_t i = 0; i < sizeof(fuzzes) / sizeof(fuzzes[0]); i++) {
		struct fuzz_tally t = fuzz_run(&fuzzes[i]);

		assert_true(t.taken > 0 && t.refused > 0);
	}
}

/* --- paths, in a folder that looks like /dev and /sys ------------------------------------------------- */

static char root[64];

static void put(const char *path, const char *text)
{
	char full[256];

	snprintf(full, sizeof(full), "%s%s", root, path);
	for (char *p = full + strlen(root) + 1; (p = strchr(p, '/')); *p++ = '/') {
		*p = '\0';
		mkdir(full, 0755);
	}
	FILE *f = fopen(full, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static void put_disk(const char *name, const char *id)
{
	char path[128];

	snprintf(path, sizeof(path), "/dev/%s", name);
	put(path, "");
	snprintf(path, sizeof(path), "/sys/block/%s/device/wwid", name);
	put(path, id);
	snprintf(path, sizeof(path), "/sys/block/%s/device/scsi_level", name);
	put(path, "6\n");
}

static int sys_up(void **state)
{
	(void)state;
	strcpy(root, "/tmp/scsi_pr.XXXXXX");
	assert_non_null(mkdtemp(root));
	put_disk("sda", "naa.6001\n");
	put_disk("sdb", "naa.6002\n");
	put_disk("sdc", "naa.6001\n");
	put("/dev/vda", "");
	put("/sys/block/vda/size", "1\n");
	put("/dev/dm-0", "");
	put("/sys/block/dm-0/slaves/sda", "");
	put("/sys/block/dm-0/slaves/sdc", "");
	put("/dev/dm-1", "");
	put("/sys/block/dm-1/slaves/sda", "");
	put("/sys/block/dm-1/slaves/sdb", "");
	put("/dev/dm-2", "");
	put("/sys/block/dm-2/slaves/vda", "");
	return 0;
}

static int sys_down(void **state)
{
	(void)state;
	char cmd[128];

	snprintf(cmd, sizeof(cmd), "rm -rf %s", root);
	return system(cmd);
}

static void all_paths_of_a_disk_are_found(void **state)
{
	(void)state;
	struct scsi_disk d;

	assert_int_equal(scsi_disk_find(&d, root, "/dev/sdc"), 0);
	assert_int_equal(d.n, 2);
	assert_string_equal(d.path[0].name, "sdc");
	assert_string_equal(d.path[1].name, "sda");
	assert_int_equal(scsi_disk_find(&d, root, "/dev/sdb"), 0);
	assert_int_equal(d.n, 1);
	assert_int_equal(scsi_disk_find(&d, root, "/dev/dm-0"), 0);
	assert_int_equal(d.n, 2);
	assert_string_equal(d.id, "naa.6001");
}

static void what_is_no_shared_disk_is_refused(void **state)
{
	(void)state;
	struct scsi_disk d;

	assert_int_equal(scsi_disk_find(&d, root, "/dev/vda"), -ENODEV);
	assert_string_equal(d.text, "/dev/vda is no SCSI disk, nor a multipath device over one");
	assert_int_equal(scsi_disk_find(&d, root, "/dev/dm-1"), -ENODEV);
	assert_non_null(strstr(d.text, "are not one"));
	assert_int_equal(scsi_disk_find(&d, root, "/dev/dm-2"), -ENODEV);
	assert_int_equal(scsi_disk_find(&d, root, "/dev/none"), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(key_names_cluster_node_and_boot),
		cmocka_unit_test(commands_are_those_of_the_standard),
		cmocka_unit_test(a_list_is_taken_whole_or_not_at_all),
		cmocka_unit_test(a_reservation_is_read),
		cmocka_unit_test(capabilities_are_read),
		cmocka_unit_test(sense_of_both_formats_is_read),
		cmocka_unit_test(a_node_is_cut_off_only_by_a_reservation_without_its_keys),
		cmocka_unit_test(our_own_standing),
		cmocka_unit_test(damaged_answers_are_refused_or_read),
		cmocka_unit_test_setup_teardown(all_paths_of_a_disk_are_found, sys_up, sys_down),
		cmocka_unit_test_setup_teardown(what_is_no_shared_disk_is_refused, sys_up,
						sys_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
