/* SPDX-License-Identifier: GPL-3.0-or-later */
/* fence_state, fence_signs: what is written is read again; what cannot be read says so; what is not known to this
 * release becomes unknown, never good (SAFE-3). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lib/fence_state.h"
#include "tests/fuzz/target.h"

#include <errno.h>
#include <stdio.h>

static void fill(struct fence_state *st)
{
	memset(st, 0, sizeof(*st));
	st->self = (struct incarnation){ .nodeid = 1, .boot_id = { 1, 2, 3 }, .join = 4 };
	st->view = (struct view_id){ .seq = 77, .rep = 1 };
	st->quorate = st->informed = true;
	st->let_go_ms = 5;
	st->let_go_end_ms = UINT64_MAX;
	memset(st->let_go_why, 'w', FENCE_WHY_MAX - 1);
	st->n = NODES_MAX;
	for (unsigned i = 0; i < NODES_MAX; i++) {
		struct fence_node *n = &st->node[i];

		n->nodeid = i + 1;
		n->state = (enum fence_node_state)(i % 5);
		n->life = (struct incarnation){ .nodeid = i + 1,
						.boot_id = { (uint8_t)i },
						.join = i };
		n->proof.victim = n->life;
		n->proof.kind = PROOF_OFF_VERIFIED;
		n->proof.number = i;
		n->proof.wall_s = -5;
		memset(n->proof.evidence, 'e', PROOF_EVIDENCE_MAX - 1);
		n->ready = i & 1;
		n->ready_age_ms = i ? i * 1000 : UINT32_MAX;
		n->ending = i % 3 == 1;
	}
}

static void the_largest_state_survives_the_wire(void **state)
{
	uint8_t buf[FENCE_STATE_WIRE_MAX];
	struct fence_state a, b;
	int len;

	(void)state;
	fill(&a);
	len = fence_state_encode(&a, buf, sizeof(buf));
	assert_true(len > 0);
	assert_int_equal(fence_state_decode(&b, buf, (size_t)len), 0);
	assert_int_equal(b.n, NODES_MAX);
	assert_true(incarnation_equal(&a.self, &b.self));
	assert_int_equal(b.let_go_ms, a.let_go_ms);
	assert_int_equal(b.let_go_end_ms, a.let_go_end_ms);
	assert_string_equal(b.let_go_why, a.let_go_why);
	for (unsigned i = 0; i < NODES_MAX; i++) {
		assert_int_equal(b.node[i].state, a.node[i].state);
		assert_true(incarnation_equal(&a.node[i].proof.victim, &b.node[i].proof.victim));
		assert_string_equal(b.node[i].proof.evidence, a.node[i].proof.evidence);
		assert_int_equal(b.node[i].ready_age_ms, a.node[i].ready_age_ms);
		assert_int_equal(b.node[i].ending, a.node[i].ending);
	}
	assert_string_equal(fence_node_state_name(fence_state_node(&b, 4)->state), "victim");
	assert_null(fence_state_node(&b, NODEID_MAX));
	assert_int_equal(fence_state_encode(&a, buf, 100), -ENOSPC);
	for (int cut = 0; cut < len; cut++)
		assert_int_equal(fence_state_decode(&b, buf, (size_t)cut), -EPROTO);
}

static void a_kind_of_proof_we_do_not_know_is_no_proof(void **state)
{
	uint8_t buf[FENCE_STATE_WIRE_MAX];
	struct fence_state a, b;
	int len;

	(void)state;
	fill(&a);
	a.node[0].proof.kind = (enum proof_kind)99;
	a.node[1].state = (enum fence_node_state)99;
	len = fence_state_encode(&a, buf, sizeof(buf));
	assert_int_equal(fence_state_decode(&b, buf, (size_t)len), 0);
	assert_int_equal(b.node[0].proof.kind, PROOF_NONE);
	assert_int_equal(b.node[1].state, FENCE_NODE_UNKNOWN);
}

static void signs_survive_and_unknown_ones_stay_unknown(void **state)
{
	struct fence_signs a = { .weight = 3, .holds = true, .self = LIFE_FRESH }, b;
	uint8_t buf[FENCE_SIGNS_WIRE_MAX];
	int len;

	(void)state;
	a.peer[2] = LIFE_STALE;
	a.peer[3] = (enum life_sign)9;
	len = fence_signs_encode(&a, buf, sizeof(buf));
	assert_true(len > 0);
	assert_int_equal(fence_signs_decode(&b, buf, (size_t)len), 0);
	assert_int_equal(b.weight, 3);
	assert_true(b.holds);
	assert_int_equal(b.self, LIFE_FRESH);
	assert_int_equal(b.peer[2], LIFE_STALE);
	assert_int_equal(b.peer[3], LIFE_UNKNOWN);
	assert_false(b.ended);
	a.ended = true;
	a.shown_ms = 11;
	a.moved_ms = 12;
	a.still = true;
	len = fence_signs_encode(&a, buf, sizeof(buf));
	assert_int_equal(fence_signs_decode(&b, buf, (size_t)len), 0);
	assert_true(b.ended);
	assert_int_equal(b.shown_ms, 11);
	assert_int_equal(b.moved_ms, 12);
	assert_true(b.still);
	buf[1] = (uint8_t)(buf[1] - 19); /* an older storaged: it may hold something */
	assert_int_equal(fence_signs_decode(&b, buf, (size_t)len - 19), 0);
	assert_int_equal(b.shown_ms, 0);
	assert_false(b.ended);
	assert_int_equal(fence_signs_decode(&b, buf, 5), -EPROTO);
	a.n_words = FENCE_WORDS_MAX;
	for (unsigned i = 0; i < FENCE_WORDS_MAX; i++)
		a.word[i] = (struct fence_word){ .nodeid = i + 1,
						 .boot_id = { 7, (uint8_t)i },
						 .armed_ms = 12000 + i,
						 .at_ms = UINT64_C(1) << 40 | i };
	len = fence_signs_encode(&a, buf, sizeof(buf));
	assert_true(len > 0);
	assert_int_equal(fence_signs_decode(&b, buf, (size_t)len), 0);
	assert_int_equal(b.n_words, FENCE_WORDS_MAX);
	assert_memory_equal(b.word, a.word, sizeof(a.word));
	a.word[1].nodeid = 0; /* of nobody */
	len = fence_signs_encode(&a, buf, sizeof(buf));
	assert_int_equal(fence_signs_decode(&b, buf, (size_t)len), -EPROTO);
}

static void corpus_is_read_soundly(void **state)
{
	(void)state;
	assert_true(fuzz_corpus("state") >= 10);
}

/* dlmd joins by this: without a held node's dlmd all locking would wait for it for ever. */
static void who_is_held_is_a_member_who_is_not_in_is_none(void **state)
{
	struct fence_state st;

	(void)state;
	fill(&st);
	assert_true(fence_state_member(&st));
	st.informed = false;
	st.node[0].state = FENCE_NODE_MEMBER;
	st.node[0].life = st.self;
	assert_false(fence_state_member(&st)); /* no quorum yet, not synced, or leaving */
	st.held = true;
	assert_true(fence_state_member(&st));
	st.quorate = false;
	assert_false(fence_state_member(&st));
	st.quorate = true;
	st.node[0].life.join--; /* the book knows an earlier fenced of this kernel */
	assert_false(fence_state_member(&st));
	st.node[0].life = st.self;
	st.node[0].state = FENCE_NODE_ABSENT;
	assert_false(fence_state_member(&st));
	st.node[0].state = FENCE_NODE_MEMBER;
	st.self_victim = true;
	assert_false(fence_state_member(&st));
}

/* SAFE-3: silence on one volume says nothing while another one cannot be read, in whatever order they are asked. */
static void a_peer_is_silent_only_where_all_its_heartbeats_are(void **state)
{
	static const struct {
		enum life_sign one, two, all;
	} rows[] = {
		{ LIFE_UNKNOWN, LIFE_STALE, LIFE_UNKNOWN },
		{ LIFE_STALE, LIFE_UNKNOWN, LIFE_UNKNOWN },
		{ LIFE_STALE, LIFE_STALE, LIFE_STALE },
		{ LIFE_UNKNOWN, LIFE_UNKNOWN, LIFE_UNKNOWN },
		{ LIFE_FRESH, LIFE_STALE, LIFE_FRESH },
		{ LIFE_STALE, LIFE_FRESH, LIFE_FRESH },
		{ LIFE_UNKNOWN, LIFE_FRESH, LIFE_FRESH },
		{ LIFE_FRESH, LIFE_UNKNOWN, LIFE_FRESH },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct nodeset seen = NODESET_EMPTY;
		struct fence_signs s;

		memset(&s, 0, sizeof(s));
		fence_signs_peer(&s, &seen, 2, rows[i].one);
		assert_int_equal(s.peer[2], rows[i].one);
		fence_signs_peer(&s, &seen, 3, LIFE_STALE);
		fence_signs_peer(&s, &seen, 2, rows[i].two);
		assert_int_equal(s.peer[2], rows[i].all);
		assert_int_equal(s.peer[3], LIFE_STALE);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(corpus_is_read_soundly),
		cmocka_unit_test(who_is_held_is_a_member_who_is_not_in_is_none),
		cmocka_unit_test(the_largest_state_survives_the_wire),
		cmocka_unit_test(a_kind_of_proof_we_do_not_know_is_no_proof),
		cmocka_unit_test(signs_survive_and_unknown_ones_stay_unknown),
		cmocka_unit_test(a_peer_is_silent_only_where_all_its_heartbeats_are),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
