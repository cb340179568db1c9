/* SPDX-License-Identifier: GPL-3.0-or-later */
/* storaged/drivers/epoch: the record and the heartbeats on the disk. What is written reads back; whatever a torn write,
 * a stray bit or another cluster leaves is told apart; SAFE-1: a volume is free only after `clean`, a proof, or a word
 * that its owner let go; SAFE-3: a heartbeat that cannot be read says nothing.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "storaged/drivers/epoch.h"
#include "storaged/drivers/word.h"
#include "tests/fuzz/target.h"

static struct incarnation life(uint32_t nodeid, uint8_t boot)
{
	struct incarnation l = { .nodeid = nodeid, .join = 5 };

	memset(l.boot_id, boot, BOOT_ID_BYTES);
	return l;
}

static struct epoch_record record(uint64_t epoch, enum epoch_state state, struct incarnation owner)
{
	struct epoch_record r = { .epoch = epoch, .state = state, .owner = owner };

	snprintf(r.cluster, sizeof(r.cluster), "web");
	snprintf(r.volume, sizeof(r.volume), "data");
	return r;
}

static void record_and_beat_read_back(void **state)
{
	uint8_t block[EPOCH_BLOCK];
	struct epoch_record in = record(7, EPOCH_ACTIVE, life(2, 0xb2)), out;
	struct epoch_beat beat = { .life = life(3, 0x11), .epoch = 9, .counter = 1ull << 40 }, back;

	(void)state;
	epoch_record_encode(&in, block);
	assert_int_equal(epoch_record_decode(&out, block), EPOCH_READ_OK);
	assert_string_equal(out.cluster, "web");
	assert_string_equal(out.volume, "data");
	assert_int_equal(out.epoch, 7);
	assert_int_equal(out.state, EPOCH_ACTIVE);
	assert_true(incarnation_equal(&out.owner, &in.owner));
	/* one is never taken for the other */
	assert_int_equal(epoch_beat_decode(&back, block), EPOCH_READ_DAMAGED);
	epoch_beat_encode(&beat, block);
	assert_int_equal(epoch_beat_decode(&back, block), EPOCH_READ_OK);
	assert_int_equal(back.counter, 1ull << 40);
	assert_int_equal(back.epoch, 9);
	assert_true(incarnation_equal(&back.life, &beat.life));
	assert_int_equal(epoch_record_decode(&out, block), EPOCH_READ_DAMAGED);

	in = record(0, EPOCH_CLEAN, (struct incarnation){ 0 });
	epoch_record_encode(&in, block);
	assert_int_equal(epoch_record_decode(&out, block), EPOCH_READ_OK);
	memset(block, 0, sizeof(block));
	assert_int_equal(epoch_record_decode(&out, block), EPOCH_READ_BLANK);
	assert_int_equal(epoch_beat_decode(&back, block), EPOCH_READ_BLANK);
}

/* Every single flipped bit of the sector is seen. */
static void every_flipped_bit_is_damage(void **state)
{
	uint8_t block[EPOCH_BLOCK];
	struct epoch_record in = record(7, EPOCH_ACTIVE, life(2, 0xb2)), out;

	(void)state;
	epoch_record_encode(&in, block);
	for (size_t bit = 0; bit < EPOCH_SECTOR * 8; bit++) {
		block[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_int_equal(epoch_record_decode(&out, block), EPOCH_READ_DAMAGED);
		block[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
}

/* A write torn anywhere in the sector, new bytes before, old ones behind: the other copy counts. */
static void torn_copy_falls_back_to_the_other(void **state)
{
	uint8_t old[EPOCH_BLOCK], new[EPOCH_BLOCK], torn[EPOCH_BLOCK];
	struct epoch_record a = record(7, EPOCH_CLEAN, life(1, 0xa1)),
			    b = record(8, EPOCH_ACTIVE, life(2, 0xb2)), out;

	(void)state;
	epoch_record_encode(&a, old);
	epoch_record_encode(&b, new);
	for (size_t cut = 64; cut < EPOCH_SECTOR; cut += 64) {
		memcpy(torn, new, cut);
		memcpy(torn + cut, old + cut, EPOCH_BLOCK - cut);
		/* first copy torn: the owner was not active yet, so the old one is the truth */
		assert_int_equal(epoch_record_pick(&out, torn, old), EPOCH_READ_OK);
		assert_int_equal(out.epoch, 7);
		/* second copy torn: the new one may be on its way up */
		assert_int_equal(epoch_record_pick(&out, new, torn), EPOCH_READ_OK);
		assert_int_equal(out.epoch, 8);
		assert_int_equal(epoch_record_pick(&out, torn, torn), EPOCH_READ_DAMAGED);
	}
	memset(torn, 0, sizeof(torn));
	assert_int_equal(epoch_record_pick(&out, torn, torn), EPOCH_READ_BLANK);
	assert_int_equal(epoch_record_pick(&out, torn, new), EPOCH_READ_OK);
}

static void higher_epoch_counts_and_active_before_clean(void **state)
{
	uint8_t a[EPOCH_BLOCK], b[EPOCH_BLOCK];
	struct epoch_record clean = record(8, EPOCH_CLEAN, life(1, 0xa1)),
			    active = record(8, EPOCH_ACTIVE, life(1, 0xa1)),
			    newer = record(9, EPOCH_CLEAN, life(2, 0xb2)), out;

	(void)state;
	epoch_record_encode(&clean, a);
	epoch_record_encode(&active, b);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(epoch_record_pick(&out, i ? b : a, i ? a : b), EPOCH_READ_OK);
		assert_int_equal(out.state, EPOCH_ACTIVE);
	}
	epoch_record_encode(&newer, a);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(epoch_record_pick(&out, i ? b : a, i ? a : b), EPOCH_READ_OK);
		assert_int_equal(out.epoch, 9);
	}
}

static void values_that_cannot_be_are_damage(void **state)
{
	uint8_t block[EPOCH_BLOCK];
	struct epoch_record out, r;

	(void)state;
	r = record(3, EPOCH_ACTIVE, life(NODEID_MAX + 1, 1));
	epoch_record_encode(&r, block);
	assert_int_equal(epoch_record_decode(&out, block), EPOCH_READ_DAMAGED);
	r = record(3, EPOCH_ACTIVE, life(1, 0)); /* no boot id */
	epoch_record_encode(&r, block);
	assert_int_equal(epoch_record_decode(&out, block), EPOCH_READ_DAMAGED);
	r = record(3, (enum epoch_state)3, life(1, 1));
	epoch_record_encode(&r, block);
	assert_int_equal(epoch_record_decode(&out, block), EPOCH_READ_DAMAGED);
	r = record(3, EPOCH_ACTIVE, life(1, 1));
	r.volume[0] = '\0';
	epoch_record_encode(&r, block);
	assert_int_equal(epoch_record_decode(&out, block), EPOCH_READ_DAMAGED);
}

/* Two nodes; node 2 in a state with a life and maybe a proof. */
static struct fence_state fence(enum fence_node_state st, struct incarnation known,
				enum proof_kind kind, struct incarnation victim)
{
	struct fence_state f = { .quorate = true, .informed = true, .n = 2 };

	f.node[0] = (struct fence_node){ .nodeid = 1,
					 .state = FENCE_NODE_MEMBER,
					 .life = life(1, 0xa1) };
	f.node[1] = (struct fence_node){ .nodeid = 2, .state = st, .life = known };
	f.node[1].proof.kind = kind;
	f.node[1].proof.victim = victim;
	return f;
}

static enum epoch_verdict judge(const struct epoch_record *r, const struct fence_state *f,
				uint64_t released)
{
	struct incarnation self = life(1, 0xa1);
	const char *why = NULL;
	enum epoch_verdict v = epoch_judge(r, "web", "data", &self, f, released, &why);

	assert_non_null(why);
	assert_true((v == EPOCH_OWNED) == (why[0] != '\0'));
	return v;
}

/* SAFE-1: what a live, a lost, a fenced, and a rebooted owner mean. */
static void owner_is_over_only_by_proof_or_other_boot(void **state)
{
	struct epoch_record held = record(5, EPOCH_ACTIVE, life(2, 0xb2));
	struct fence_state f;

	(void)state;
	f = fence(FENCE_NODE_MEMBER, life(2, 0xb2), PROOF_NONE, life(0, 0));
	assert_int_equal(judge(&held, &f, 0), EPOCH_OWNED);
	for (int st = FENCE_NODE_UNKNOWN; st <= FENCE_NODE_VICTIM; st++) {
		if (st == FENCE_NODE_MEMBER)
			continue;
		/* lost, absent or unknown, of this boot or another: nothing is proven */
		f = fence((enum fence_node_state)st, life(2, 0xb2), PROOF_NONE, life(0, 0));
		assert_int_equal(judge(&held, &f, 0), EPOCH_OWNED);
		f = fence((enum fence_node_state)st, life(2, 0xb3), PROOF_OFF_VERIFIED,
			  life(2, 0xb1));
		assert_int_equal(judge(&held, &f, 0), EPOCH_OWNED);
	}
	f = fence(FENCE_NODE_DEAD, life(2, 0xb2), PROOF_OFF_VERIFIED, life(2, 0xb2));
	assert_int_equal(judge(&held, &f, 0), EPOCH_FREE);
	f.informed = false; /* a fenced that just started knows no victims */
	assert_int_equal(judge(&held, &f, 0), EPOCH_OWNED);
	f = fence(FENCE_NODE_MEMBER, life(2, 0xb3), PROOF_NONE, life(0, 0));
	assert_int_equal(judge(&held, &f, 0), EPOCH_FREE);
	/* never seen, then switched off: whatever ran there is over; an operator's word covers no other boot */
	f = fence(FENCE_NODE_DEAD, life(2, 0), PROOF_OFF_VERIFIED, life(2, 0));
	assert_int_equal(judge(&held, &f, 0), EPOCH_FREE);
	f = fence(FENCE_NODE_DEAD, life(2, 0xb3), PROOF_CLEAN_LEAVE, life(2, 0xb3));
	assert_int_equal(judge(&held, &f, 0), EPOCH_OWNED);
	/* a node that is not configured any more */
	held.owner = life(9, 0x99);
	assert_int_equal(judge(&held, &f, 0), EPOCH_OWNED);
}

static void own_clean_released_and_foreign_records(void **state)
{
	struct fence_state f = fence(FENCE_NODE_MEMBER, life(2, 0xb2), PROOF_NONE, life(0, 0));
	struct epoch_record r = record(5, EPOCH_ACTIVE, life(1, 0xa1));

	(void)state;
	assert_int_equal(judge(&r, &f, 0), EPOCH_OURS);
	r.owner = life(1, 0xa0); /* our own boot before this one */
	assert_int_equal(judge(&r, &f, 0), EPOCH_FREE);
	r = record(5, EPOCH_CLEAN, life(2, 0xb2));
	assert_int_equal(judge(&r, &f, 0), EPOCH_FREE);
	r = record(5, EPOCH_ACTIVE, life(2, 0xb2));
	assert_int_equal(judge(&r, &f, 4), EPOCH_OWNED);
	assert_int_equal(judge(&r, &f, 5), EPOCH_FREE);
	snprintf(r.volume, sizeof(r.volume), "other");
	assert_int_equal(judge(&r, &f, 9), EPOCH_FOREIGN);
	r = record(EPOCH_MAX, EPOCH_CLEAN, life(2, 0xb2));
	assert_int_equal(judge(&r, &f, 0), EPOCH_FULL);
}

static void watch_tells_fresh_stale_and_unknown(void **state)
{
	struct epoch_watch w = { 0 };
	struct epoch_beat b = { .life = life(2, 0xb2), .epoch = 5, .counter = 100 };

	(void)state;
	assert_int_equal(epoch_watch_life(&w, 1000, 1500), LIFE_UNKNOWN); /* nothing read yet */
	assert_false(epoch_watch_read(&w, &b, 1000));
	assert_int_equal(epoch_watch_life(&w, 1000, 1500),
			 LIFE_UNKNOWN); /* one look shows no life */
	assert_false(epoch_watch_read(&w, &b, 1500));
	b.counter++;
	assert_true(epoch_watch_read(&w, &b, 2000));
	assert_int_equal(epoch_watch_life(&w, 2000, 1500), LIFE_FRESH);
	assert_false(epoch_watch_read(&w, &b, 3000));
	assert_int_equal(epoch_watch_life(&w, 3499, 1500), LIFE_FRESH);
	/* it stands still, but the last look is 500 ms old: not stale before a look says so */
	assert_int_equal(epoch_watch_life(&w, 3501, 1500), LIFE_UNKNOWN);
	assert_false(epoch_watch_read(&w, &b, 3500));
	assert_int_equal(epoch_watch_life(&w, 3501, 1500), LIFE_STALE);
	/* SAFE-3: reads hang: unknown, not stale */
	assert_int_equal(epoch_watch_life(&w, 5001, 1500), LIFE_UNKNOWN);
	/* our own pause: one look before it, one after; the counter stood, so it was still */
	assert_false(epoch_watch_read(&w, &b, 60000));
	assert_int_equal(epoch_watch_life(&w, 60000, 1500), LIFE_STALE);
	/* a block that vanishes is no sign of life, a new boot that beats is */
	assert_false(epoch_watch_read(&w, NULL, 60100));
	assert_int_equal(epoch_watch_life(&w, 60100, 1500), LIFE_UNKNOWN);
	b.life = life(2, 0xb3);
	b.counter = 1;
	assert_true(epoch_watch_read(&w, &b, 60200));
	assert_int_equal(epoch_watch_life(&w, 60200, 1500), LIFE_FRESH);
}

/* SAFE-12: a beat says that its node's watchdog is armed only with the cluster's key, for this volume, unchanged. */
static void word_is_sealed_for_one_volume_by_one_key(void **state)
{
	struct epoch_beat b = {
		.life = life(2, 0xb2), .epoch = 5, .counter = 100, .armed_ms = 12000
	};
	struct epoch_beat back, x;
	uint8_t block[EPOCH_BLOCK];
	struct word_key key, other, none = { 0 };

	(void)state;
	word_key_derive(&key, "secret of the cluster", 21);
	word_key_derive(&other, "secret of another one", 21);
	assert_true(key.have);
	word_seal(&key, "web", "data", &b);
	epoch_beat_encode(&b, block);
	assert_int_equal(epoch_beat_decode(&back, block), EPOCH_READ_OK);
	assert_int_equal(back.armed_ms, 12000);
	assert_true(word_sealed(&key, "web", "data", &back));
	assert_false(word_sealed(&other, "web", "data", &back));
	assert_false(word_sealed(&none, "web", "data", &back));
	assert_false(word_sealed(&key, "web", "other", &back));
	assert_false(word_sealed(&key, "other", "data", &back));
	x = back;
	x.armed_ms++;
	assert_false(word_sealed(&key, "web", "data", &x));
	x = back;
	x.counter++;
	assert_false(word_sealed(&key, "web", "data", &x));
	x = back;
	x.life.boot_id[15] ^= 1;
	assert_false(word_sealed(&key, "web", "data", &x));
	/* without a key nothing is said, also not to one that has none either */
	word_seal(&none, "web", "data", &b);
	assert_false(word_sealed(&key, "web", "data", &b));
	assert_false(word_sealed(&none, "web", "data", &b));
}

/* The secret is read as corosync reads it; no file is no key. */
static void key_is_that_of_corosync(void **state)
{
	char path[] = "/tmp/stockade-authkey.XXXXXX";
	struct word_key a, b;
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0 && write(fd, "0123456789abcdef", 16) == 16);
	close(fd);
	setenv("STOCKADE_AUTHKEY", path, 1);
	word_key_read(&a);
	word_key_derive(&b, "0123456789abcdef", 16);
	assert_true(a.have);
	assert_memory_equal(a.bytes, b.bytes, WORD_KEY_BYTES);
	unlink(path);
	word_key_read(&a);
	assert_false(a.have);
	unsetenv("STOCKADE_AUTHKEY");
}

static void corpus_is_read_soundly(void **state)
{
	(void)state;
	assert_true(fuzz_corpus("disk") >= 8);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(corpus_is_read_soundly),
		cmocka_unit_test(record_and_beat_read_back),
		cmocka_unit_test(word_is_sealed_for_one_volume_by_one_key),
		cmocka_unit_test(key_is_that_of_corosync),
		cmocka_unit_test(every_flipped_bit_is_damage),
		cmocka_unit_test(torn_copy_falls_back_to_the_other),
		cmocka_unit_test(higher_epoch_counts_and_active_before_clean),
		cmocka_unit_test(values_that_cannot_be_are_damage),
		cmocka_unit_test(owner_is_over_only_by_proof_or_other_boot),
		cmocka_unit_test(own_clean_released_and_foreign_records),
		cmocka_unit_test(watch_tells_fresh_stale_and_unknown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
