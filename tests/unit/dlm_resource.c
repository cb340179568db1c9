/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The rules of one resource, one test for each; each test's name is a claim of dlm/core/resource.h. */
#include "dlm_table.h"

static void ask(struct table *t, unsigned i, int mode, uint32_t flags)
{
	assert_int_equal(dlm_check_request(mode, flags, DLM_IV), 0);
	t->n = 0;
	dlm_request(&t->lock[i], mode, flags, &t->sink);
	sound(t);
}

static int turn_lvb(struct table *t, unsigned i, int mode, uint32_t flags, const char *lvb)
{
	uint8_t buf[DLM_LVB_BYTES] = { 0 };
	int rc;

	if (lvb)
		memcpy(buf, lvb, strlen(lvb));
	t->n = 0;
	rc = dlm_convert(&t->lock[i], mode, flags | DLM_F_CONVERT, lvb ? buf : NULL, &t->sink);
	sound(t);
	return rc;
}

static void turn(struct table *t, unsigned i, int mode, uint32_t flags)
{
	assert_int_equal(turn_lvb(t, i, mode, flags, NULL), 0);
}

static void drop(struct table *t, unsigned i)
{
	t->n = 0;
	assert_int_equal(dlm_unlock(&t->lock[i], 0, NULL, &t->sink), 0);
	sound(t);
}

static bool held(const struct table *t, unsigned i, int mode)
{
	return t->lock[i].queue == DLM_Q_GRANTED && t->lock[i].granted == mode;
}

static bool waits(const struct table *t, unsigned i)
{
	return t->lock[i].queue == DLM_Q_WAIT;
}

static bool converts(const struct table *t, unsigned i)
{
	return t->lock[i].queue == DLM_Q_CONVERT;
}

/* How often lock @i was told that @mode waits for it, in the last step. */
static unsigned told(const struct table *t, unsigned i, int mode)
{
	unsigned n = 0;

	for (unsigned k = 0; k < t->n; k++)
		n += t->log[k].type == DLM_NOTICE_BLOCKING && t->log[k].lock == i &&
		     t->log[k].mode == mode;
	return n;
}

static void modes_live_together_as_the_table_says(void **state)
{
	(void)state;
	for (int a = DLM_NL; a <= DLM_EX; a++)
		for (int b = DLM_NL; b <= DLM_EX; b++) {
			struct table t;

			assert_int_equal(dlm_compatible(a, b), live_together[a][b] == 'y');
			begin(&t);
			ask(&t, 0, a, 0);
			ask(&t, 1, b, DLM_F_NOQUEUE);
			assert_int_equal(t.lock[1].queue == DLM_Q_GRANTED,
					 live_together[a][b] == 'y');
		}
}

/* ref/dlm.md 1.4: from (rows: new, NL..EX) to (columns NL..EX). */
static const char *const moves[] = { "RRRRRR", "RRRRRR", "-RRRRR", "--RRRR",
				     "---RRR", "WWWWWR", "WWWWWW" };

static void the_value_block_moves_as_the_table_says(void **state)
{
	(void)state;
	for (int from = DLM_IV; from <= DLM_EX; from++)
		for (int to = DLM_NL; to <= DLM_EX; to++) {
			char want = moves[from + 1][to];
			const struct seen *d;
			struct table t;

			begin(&t);
			memcpy(t.res.lvb, "old", 3);
			if (from == DLM_IV) {
				ask(&t, 0, to, DLM_F_VALBLK);
			} else {
				ask(&t, 0, from, 0);
				assert_int_equal(turn_lvb(&t, 0, to, DLM_F_VALBLK, "new"), 0);
			}
			d = done(&t, 0);
			assert_non_null(d);
			assert_int_equal(d->lvb_read, want == 'R');
			assert_string_equal((char *)t.res.lvb, want == 'W' ? "new" : "old");
			assert_int_equal(t.res.lvb_seq, want == 'W');
			/* IVVALBLK wins and marks where a write would be; a mark is reported, a write clears it. */
			if (from == DLM_IV)
				continue;
			begin(&t);
			ask(&t, 0, from, 0);
			assert_int_equal(turn_lvb(&t, 0, to, DLM_F_VALBLK | DLM_F_IVVALBLK, "new"),
					 0);
			assert_int_equal(t.res.lvb_invalid, want == 'W');
			begin(&t);
			t.res.lvb_invalid = true;
			ask(&t, 0, from, 0);
			assert_int_equal(turn_lvb(&t, 0, to, DLM_F_VALBLK, "new"), 0);
			assert_int_equal(done(&t, 0)->sbflags,
					 want == 'W' ? 0 : DLM_SBF_VALNOTVALID);
			assert_int_equal(t.res.lvb_invalid, want != 'W');
		}
}

static void only_a_writer_writes_the_value_block_at_unlock(void **state)
{
	(void)state;
	for (int mode = DLM_NL; mode <= DLM_EX; mode++) {
		bool writer = mode == DLM_PW || mode == DLM_EX;
		uint8_t lvb[DLM_LVB_BYTES] = "new";
		struct table t;

		begin(&t);
		ask(&t, 0, mode, 0);
		assert_int_equal(dlm_unlock(&t.lock[0], DLM_F_VALBLK, lvb, &t.sink), 0);
		assert_string_equal((char *)t.res.lvb, writer ? "new" : "");
		begin(&t);
		ask(&t, 0, mode, 0);
		assert_int_equal(
			dlm_unlock(&t.lock[0], DLM_F_VALBLK | DLM_F_IVVALBLK, lvb, &t.sink), 0);
		assert_int_equal(t.res.lvb_invalid, writer);
		assert_int_equal(t.res.lvb_seq, 0);
		/* a writer that dies leaves it not valid */
		begin(&t);
		ask(&t, 0, mode, 0);
		dlm_purge(&t.lock[0]);
		assert_int_equal(t.res.lvb_invalid, writer);
	}
}

/* The rules of ref/dlm.md 1.3, by number. */

static void rule_1_expedite_passes_all_queues(void **state)
{
	struct table t;

	(void)state;
	begin(&t);
	ask(&t, 0, DLM_EX, 0);
	ask(&t, 1, DLM_EX, 0);
	ask(&t, 2, DLM_NL, 0);
	assert_true(waits(&t, 2)); /* compatible, but there is a queue: rule 9 */
	ask(&t, 3, DLM_NL, DLM_F_EXPEDITE);
	assert_true(held(&t, 3, DLM_NL));
}

static void rule_2_a_holder_keeps_others_out(void **state)
{
	struct table t;

	(void)state;
	begin(&t);
	ask(&t, 0, DLM_PR, 0);
	ask(&t, 1, DLM_CW, 0);
	assert_true(waits(&t, 1));
	drop(&t, 0);
	assert_true(held(&t, 1, DLM_CW));
}

static void rule_3_a_converting_lock_holds_its_old_mode(void **state)
{
	struct table t;

	(void)state;
	begin(&t);
	ask(&t, 0, DLM_PR, 0);
	ask(&t, 1, DLM_PR, 0);
	turn(&t, 0, DLM_EX, 0);
	assert_true(converts(&t, 0));
	ask(&t, 2, DLM_CW, DLM_F_NOORDER); /* both PR are in its way, the converting one too */
	turn(&t, 1, DLM_NL, 0);
	assert_true(held(&t, 0, DLM_EX));
	assert_true(waits(&t, 2));
}

static void rules_5_and_6_a_conversion_passes_others_unless_quecvt(void **state)
{
	struct table t;

	(void)state;
	begin(&t);
	ask(&t, 0, DLM_CR, 0);
	ask(&t, 1, DLM_CR, 0);
	ask(&t, 2, DLM_CR, 0);
	turn(&t, 0, DLM_EX, 0); /* waits for the CR of the others */
	assert_true(converts(&t, 0));
	turn(&t, 1, DLM_PR, 0);
	assert_true(held(&t, 1, DLM_PR));
	assert_int_equal(turn_lvb(&t, 2, DLM_PR, DLM_F_QUECVT | DLM_F_NODLCKWT, NULL), 0);
	assert_true(converts(&t, 2));
}

static void rule_7_noorder_passes_the_queue(void **state)
{
	struct table t;

	(void)state;
	begin(&t);
	ask(&t, 0, DLM_PR, 0);
	ask(&t, 1, DLM_EX, 0);
	ask(&t, 2, DLM_PR, 0);
	ask(&t, 3, DLM_PR, DLM_F_NOORDER);
	assert_true(waits(&t, 1) && waits(&t, 2));
	assert_true(held(&t, 3, DLM_PR));
}

static void rule_8_conversions_are_granted_first_come_first_served(void **state)
{
	struct table t;

	(void)state;
	begin(&t);
	ask(&t, 0, DLM_PW, 0);
	ask(&t, 1, DLM_NL, 0);
	ask(&t, 2, DLM_NL, 0);
	ask(&t, 3, DLM_CR, 0);
	turn(&t, 1, DLM_EX, 0);
	turn(&t, 2, DLM_PR, 0);
	turn(&t, 0, DLM_NL, 0); /* now 2 could have PR, but 1 is first and waits for 3 */
	assert_true(converts(&t, 1) && converts(&t, 2));
	drop(&t, 3);
	assert_true(held(&t, 1, DLM_EX));
	turn(&t, 1, DLM_NL, 0);
	assert_true(held(&t, 2, DLM_PR));
}

static void rule_9_a_new_request_waits_behind_any_waiter(void **state)
{
	struct table t;

	(void)state;
	begin(&t);
	ask(&t, 0, DLM_PR, 0);
	ask(&t, 1, DLM_EX, 0);
	ask(&t, 2, DLM_PR, 0);
	assert_true(waits(&t, 2));
	ask(&t, 3, DLM_PR, DLM_F_NOQUEUE);
	assert_int_equal(done(&t, 3)->status, -EAGAIN);
	assert_true(done(&t, 3)->gone);
}

static void rule_10_waiters_come_after_all_conversions_and_in_order(void **state)
{
	struct table t;

	(void)state;
	begin(&t);
	ask(&t, 0, DLM_PR, 0);
	ask(&t, 1, DLM_PR, 0);
	ask(&t, 2, DLM_PW, 0);
	turn(&t, 1, DLM_EX, 0);
	ask(&t, 3, DLM_CR, 0);
	drop(&t, 0);
	assert_true(held(&t, 1, DLM_EX));
	assert_true(waits(&t, 2) && waits(&t, 3));
	turn(&t, 1, DLM_CR, 0);
	assert_true(held(&t, 2, DLM_PW) && held(&t, 3, DLM_CR));
	assert_true(done(&t, 2) < done(&t, 3));
}

static void headque_goes_first_and_is_granted_at_once_when_it_can(void **state)
{
	struct table t;

	(void)state;
	begin(&t);
	ask(&t, 0, DLM_PR, 0);
	ask(&t, 1, DLM_EX, 0);
	ask(&t, 2, DLM_EX, DLM_F_HEADQUE);
	ask(&t, 3, DLM_PR, DLM_F_HEADQUE); /* nothing but the order was in its way */
	assert_true(held(&t, 3, DLM_PR));
	drop(&t, 3);
	drop(&t, 0);
	assert_true(held(&t, 2, DLM_EX));
	assert_true(waits(&t, 1));
}

static void altpr_and_altcw_take_the_other_mode_and_say_so(void **state)
{
	struct table t;

	(void)state;
	begin(&t);
	ask(&t, 0, DLM_CR, 0);
	ask(&t, 1, DLM_EX, DLM_F_ALTPR);
	assert_true(held(&t, 1, DLM_PR));
	assert_int_equal(done(&t, 1)->sbflags, DLM_SBF_ALTMODE);
	begin(&t);
	ask(&t, 0, DLM_CW, 0);
	ask(&t, 1, DLM_EX, DLM_F_ALTCW);
	assert_true(held(&t, 1, DLM_CW));
	ask(&t, 2, DLM_PR, DLM_F_ALTPR); /* PR itself is no other mode */
	assert_true(waits(&t, 2));
	drop(&t, 0);
	drop(&t, 1);
	assert_true(held(&t, 2, DLM_PR));
	assert_int_equal(done(&t, 2)->sbflags, 0);
}

/* What a conversion out of the queue would have written was not kept: the value block says so, instead of being old. */
static void a_write_that_waited_is_not_valid(void **state)
{
	struct table t;

	(void)state;
	begin(&t);
	ask(&t, 0, DLM_PW, 0);
	ask(&t, 1, DLM_NL, 0);
	ask(&t, 2, DLM_CR, 0);
	ask(&t, 3, DLM_CR, 0);
	turn(&t, 1, DLM_PR, 0); /* queued, so that the next has somebody to queue behind */
	assert_int_equal(turn_lvb(&t, 0, DLM_EX,
				  DLM_F_QUECVT | DLM_F_ALTPR | DLM_F_VALBLK | DLM_F_NODLCKWT,
				  "new"),
			 0);
	assert_true(converts(&t, 0));
	t.n = 0;
	dlm_cancel(&t.lock[1], &t.sink);
	assert_true(held(&t, 0, DLM_PR));
	assert_true(t.res.lvb_invalid);
}

static void two_conversions_that_wait_for_each_other_are_a_deadlock(void **state)
{
	struct table t;

	(void)state;
	begin(&t);
	ask(&t, 0, DLM_PR, 0);
	ask(&t, 1, DLM_PR, 0);
	turn(&t, 0, DLM_EX, 0);
	turn(&t, 1, DLM_EX, 0);
	assert_int_equal(done(&t, 1)->status, -EDEADLK);
	assert_false(done(&t, 1)->gone);
	assert_true(held(&t, 1, DLM_PR));
	assert_true(converts(&t, 0));
	drop(&t, 1);
	assert_true(held(&t, 0, DLM_EX));
}

/* The one behind waits for the one ahead whatever it wants, so one direction is enough. */
static void one_direction_is_enough_for_a_deadlock(void **state)
{
	struct table t;

	(void)state;
	begin(&t);
	ask(&t, 0, DLM_NL, 0);
	ask(&t, 1, DLM_CR, 0);
	ask(&t, 2, DLM_PW, 0);
	turn(&t, 0, DLM_EX, 0); /* first: waits for 1 and 2, holds nothing that matters */
	turn(&t, 1, DLM_PR, 0); /* waits for 2, and behind 0 */
	assert_int_equal(done(&t, 1)->status, -EDEADLK);
	begin(&t); /* the same with HEADQUE: now the new one is ahead */
	ask(&t, 0, DLM_NL, 0);
	ask(&t, 1, DLM_CR, 0);
	ask(&t, 2, DLM_PW, 0);
	turn(&t, 1, DLM_PR, 0);
	assert_true(converts(&t, 1));
	turn(&t, 0, DLM_EX, DLM_F_HEADQUE);
	assert_int_equal(done(&t, 0)->status, -EDEADLK);
	drop(&t, 2);
	assert_true(held(&t, 1, DLM_PR));
}

static void convdeadlk_demotes_and_says_so(void **state)
{
	struct table t;

	(void)state;
	begin(&t);
	ask(&t, 0, DLM_PR, 0);
	ask(&t, 1, DLM_PR, 0);
	turn(&t, 0, DLM_EX, 0);
	turn(&t, 1, DLM_EX, DLM_F_CONVDEADLK);
	assert_true(held(&t, 0, DLM_EX)); /* it held PR no more, so the other was granted */
	assert_true(converts(&t, 1));
	assert_int_equal(t.lock[1].granted, DLM_NL);
	drop(&t, 0);
	assert_true(held(&t, 1, DLM_EX));
	assert_int_equal(done(&t, 1)->sbflags, DLM_SBF_DEMOTED);
	turn(&t, 1, DLM_NL, 0);
	assert_int_equal(done(&t, 1)->sbflags, 0); /* said once */
	begin(&t);                                 /* with HEADQUE, too, the others go on */
	ask(&t, 0, DLM_NL, 0);
	ask(&t, 1, DLM_CR, 0);
	ask(&t, 2, DLM_PW, 0);
	turn(&t, 1, DLM_PR, 0);
	turn(&t, 0, DLM_EX, DLM_F_HEADQUE | DLM_F_CONVDEADLK);
	drop(&t, 2);
	assert_true(held(&t, 1, DLM_PR));
	drop(&t, 1);
	assert_true(held(&t, 0, DLM_EX));
}

static void nodlckwt_waits_all_the_same(void **state)
{
	struct table t;

	(void)state;
	begin(&t);
	ask(&t, 0, DLM_PR, 0);
	ask(&t, 1, DLM_PR, 0);
	turn(&t, 0, DLM_EX, 0);
	turn(&t, 1, DLM_EX, DLM_F_NODLCKWT);
	assert_true(converts(&t, 0) && converts(&t, 1));
	t.n = 0;
	dlm_cancel(&t.lock[1], &t.sink);
	sound(&t);
	assert_int_equal(done(&t, 1)->status, DLM_ECANCEL);
	drop(&t, 1);
	assert_true(held(&t, 0, DLM_EX));
}

static void a_conversion_that_cannot_queue_changes_nothing(void **state)
{
	struct table t;

	(void)state;
	begin(&t);
	ask(&t, 0, DLM_PR, 0);
	ask(&t, 1, DLM_PR, 0);
	turn(&t, 1, DLM_EX, DLM_F_NOQUEUE);
	assert_int_equal(done(&t, 1)->status, -EAGAIN);
	assert_false(done(&t, 1)->gone);
	assert_true(held(&t, 1, DLM_PR));
	assert_int_equal(told(&t, 0, DLM_EX), 0);
	turn(&t, 1, DLM_EX, DLM_F_NOQUEUE | DLM_F_NOQUEUEBAST);
	assert_int_equal(told(&t, 0, DLM_EX), 1);
	assert_int_equal(told(&t, 1, DLM_EX), 0);
}

static void cancel_takes_back_or_comes_too_late(void **state)
{
	struct table t;

	(void)state;
	begin(&t);
	ask(&t, 0, DLM_EX, 0);
	ask(&t, 1, DLM_EX, 0);
	ask(&t, 2, DLM_NL, 0);
	t.n = 0;
	dlm_cancel(&t.lock[1], &t.sink);
	assert_int_equal(done(&t, 1)->status, DLM_ECANCEL);
	assert_true(done(&t, 1)->gone);
	assert_true(held(&t, 2, DLM_NL)); /* who waited behind it goes on */
	t.n = 0;
	dlm_cancel(&t.lock[0], &t.sink); /* the grant won */
	assert_int_equal(t.n, 0);
	assert_true(held(&t, 0, DLM_EX));
	turn(&t, 2, DLM_PR, 0);
	t.n = 0;
	dlm_cancel(&t.lock[2], &t.sink);
	assert_int_equal(done(&t, 2)->status, DLM_ECANCEL);
	assert_false(done(&t, 2)->gone);
	assert_true(held(&t, 2, DLM_NL));
	sound(&t);
}

static void an_unlock_needs_force_while_something_is_outstanding(void **state)
{
	struct table t;

	(void)state;
	begin(&t);
	ask(&t, 0, DLM_PR, 0);
	ask(&t, 1, DLM_PR, 0);
	turn(&t, 1, DLM_EX, 0);
	ask(&t, 2, DLM_PR, 0);
	assert_int_equal(dlm_unlock(&t.lock[1], 0, NULL, &t.sink), -EBUSY);
	assert_int_equal(dlm_convert(&t.lock[1], DLM_NL, DLM_F_CONVERT, NULL, &t.sink), -EBUSY);
	assert_int_equal(dlm_unlock(&t.lock[2], 0, NULL, &t.sink), -EBUSY);
	t.n = 0;
	assert_int_equal(dlm_unlock(&t.lock[1], DLM_F_FORCEUNLOCK, NULL, &t.sink), 0);
	assert_int_equal(done(&t, 1)->status, DLM_EUNLOCK);
	assert_int_equal(t.log[0].lock, 1);
	assert_true(held(&t, 2, DLM_PR));
	sound(&t);
}

static void a_holder_is_told_once_and_again_of_more(void **state)
{
	struct table t;

	(void)state;
	begin(&t);
	ask(&t, 0, DLM_PR, 0);
	ask(&t, 1, DLM_PW, 0);
	assert_int_equal(told(&t, 0, DLM_PW), 1);
	ask(&t, 2, DLM_PW, 0);
	assert_int_equal(t.n, 0);
	ask(&t, 3, DLM_EX, 0); /* more than PW */
	assert_int_equal(told(&t, 0, DLM_EX), 1);
	ask(&t, 4, DLM_CW, 0);
	assert_int_equal(t.n, 0);
	drop(&t, 0); /* 1 is granted, and told what waits now: the most only */
	assert_true(held(&t, 1, DLM_PW));
	assert_int_equal(told(&t, 1, DLM_EX), 1);
	assert_int_equal(told(&t, 1, DLM_PW), 0);
}

/* PR and CW are not ordered: a holder hears of both, and of each once. */
static void pr_and_cw_do_not_cover_each_other(void **state)
{
	struct table t;

	(void)state;
	begin(&t);
	ask(&t, 0, DLM_EX, 0);
	ask(&t, 1, DLM_PR, 0);
	assert_int_equal(told(&t, 0, DLM_PR), 1);
	ask(&t, 2, DLM_CW, 0);
	assert_int_equal(told(&t, 0, DLM_CW), 1);
	ask(&t, 3, DLM_PR, 0);
	ask(&t, 4, DLM_CW, 0);
	assert_int_equal(t.n, 0);
	turn(&t, 0, DLM_PR,
	     0); /* 1 goes on; to these PR holders CW is news, though PR is a bigger number */
	assert_true(held(&t, 1, DLM_PR));
	assert_int_equal(told(&t, 0, DLM_CW), 1);
	assert_int_equal(told(&t, 1, DLM_CW), 1);
}

static void requests_that_make_no_sense_are_refused(void **state)
{
	static const struct {
		int mode;
		uint32_t flags;
		int granted, want;
	} ask[] = {
		{ DLM_EX + 1, 0, DLM_IV, -EINVAL },
		{ DLM_IV, 0, DLM_IV, -EINVAL },
		{ DLM_EX, DLM_F_CANCEL, DLM_IV, -EINVAL },
		{ DLM_EX, DLM_F_FORCEUNLOCK, DLM_IV, -EINVAL },
		{ DLM_EX, DLM_F_QUECVT, DLM_IV, -EINVAL },
		{ DLM_EX, DLM_F_CONVDEADLK, DLM_IV, -EINVAL },
		{ DLM_EX, DLM_F_CONVERT | DLM_F_CONVDEADLK | DLM_F_NOQUEUE, DLM_NL, -EINVAL },
		{ DLM_NL, DLM_F_EXPEDITE, DLM_IV, 0 },
		{ DLM_CR, DLM_F_EXPEDITE, DLM_IV, -EINVAL },
		{ DLM_NL, DLM_F_EXPEDITE | DLM_F_NOQUEUE, DLM_IV, -EINVAL },
		{ DLM_NL, DLM_F_EXPEDITE | DLM_F_CONVERT, DLM_NL, -EINVAL },
		{ DLM_EX, DLM_F_QUECVT | DLM_F_CONVERT, DLM_PR, 0 },
		{ DLM_CW, DLM_F_QUECVT | DLM_F_CONVERT, DLM_PR, 0 },
		{ DLM_PR, DLM_F_QUECVT | DLM_F_CONVERT, DLM_PR, -EINVAL },
		{ DLM_NL, DLM_F_QUECVT | DLM_F_CONVERT, DLM_EX, -EINVAL },
		{ DLM_EX, 1u << 30, DLM_IV, -EINVAL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(ask) / sizeof(ask[0]); i++)
		assert_int_equal(dlm_check_request(ask[i].mode, ask[i].flags, ask[i].granted),
				 ask[i].want);
	assert_int_equal(dlm_check_unlock(DLM_F_CANCEL | DLM_F_FORCEUNLOCK), -EINVAL);
	assert_int_equal(dlm_check_unlock(DLM_F_CONVERT), -EINVAL);
	assert_int_equal(dlm_check_unlock(DLM_F_FORCEUNLOCK | DLM_F_VALBLK), 0);
}

static void the_end_of_an_owner_lets_others_in_after_all_its_locks_are_out(void **state)
{
	struct table t;

	(void)state;
	begin(&t);
	ask(&t, 0, DLM_EX, DLM_F_VALBLK);
	ask(&t, 1, DLM_EX, 0); /* the same owner as 0 */
	ask(&t, 2, DLM_PR, DLM_F_VALBLK);
	t.n = 0;
	dlm_purge(&t.lock[0]);
	dlm_purge(&t.lock[1]);
	assert_int_equal(t.n, 0);
	dlm_pass(&t.res, &t.sink);
	sound(&t);
	assert_null(done(&t, 1));
	assert_true(held(&t, 2, DLM_PR));
	assert_int_equal(done(&t, 2)->sbflags, DLM_SBF_VALNOTVALID);
	/* one that may still act keeps what it holds */
	begin(&t);
	ask(&t, 0, DLM_PR, 0);
	ask(&t, 1, DLM_PR, 0);
	turn(&t, 0, DLM_EX, 0);
	ask(&t, 2, DLM_CR, 0);
	t.n = 0;
	dlm_abandon(&t.lock[0]);
	dlm_pass(&t.res, &t.sink);
	assert_true(held(&t, 0, DLM_PR) && held(&t, 2, DLM_CR));
	assert_null(done(&t, 0));
	sound(&t);
}

/* What a snapshot puts back: the queues as they were, no rule applied. */
static void restored_locks_stand_as_they_stood(void **state)
{
	struct table t;

	(void)state;
	begin(&t);
	assert_true(dlm_resource_unused(&t.res));
	assert_true(dlm_mode_valid(DLM_EX) && !dlm_mode_valid(DLM_IV) &&
		    !dlm_mode_valid(DLM_EX + 1));
	t.lock[0].granted = DLM_PR;
	t.lock[0].wanted = DLM_IV;
	dlm_restore(&t.lock[0], DLM_Q_GRANTED);
	t.lock[1].granted = DLM_IV;
	t.lock[1].wanted = DLM_EX;
	dlm_restore(&t.lock[1], DLM_Q_WAIT);
	assert_int_equal(t.n, 0);
	assert_false(dlm_resource_unused(&t.res));
	sound(&t);
	drop(&t, 0);
	assert_true(held(&t, 1, DLM_EX));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(modes_live_together_as_the_table_says),
		cmocka_unit_test(the_value_block_moves_as_the_table_says),
		cmocka_unit_test(only_a_writer_writes_the_value_block_at_unlock),
		cmocka_unit_test(rule_1_expedite_passes_all_queues),
		cmocka_unit_test(rule_2_a_holder_keeps_others_out),
		cmocka_unit_test(rule_3_a_converting_lock_holds_its_old_mode),
		cmocka_unit_test(rules_5_and_6_a_conversion_passes_others_unless_quecvt),
		cmocka_unit_test(rule_7_noorder_passes_the_queue),
		cmocka_unit_test(rule_8_conversions_are_granted_first_come_first_served),
		cmocka_unit_test(rule_9_a_new_request_waits_behind_any_waiter),
		cmocka_unit_test(rule_10_waiters_come_after_all_conversions_and_in_order),
		cmocka_unit_test(headque_goes_first_and_is_granted_at_once_when_it_can),
		cmocka_unit_test(altpr_and_altcw_take_the_other_mode_and_say_so),
		cmocka_unit_test(a_write_that_waited_is_not_valid),
		cmocka_unit_test(two_conversions_that_wait_for_each_other_are_a_deadlock),
		cmocka_unit_test(one_direction_is_enough_for_a_deadlock),
		cmocka_unit_test(convdeadlk_demotes_and_says_so),
		cmocka_unit_test(nodlckwt_waits_all_the_same),
		cmocka_unit_test(a_conversion_that_cannot_queue_changes_nothing),
		cmocka_unit_test(cancel_takes_back_or_comes_too_late),
		cmocka_unit_test(an_unlock_needs_force_while_something_is_outstanding),
		cmocka_unit_test(a_holder_is_told_once_and_again_of_more),
		cmocka_unit_test(pr_and_cw_do_not_cover_each_other),
		cmocka_unit_test(requests_that_make_no_sense_are_refused),
		cmocka_unit_test(the_end_of_an_owner_lets_others_in_after_all_its_locks_are_out),
		cmocka_unit_test(restored_locks_stand_as_they_stood),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
