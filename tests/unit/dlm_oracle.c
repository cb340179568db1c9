/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A second opinion: the same rules by another hand, over a plain list of what happened. It knows no linked queues and no
 * incremental state: who is granted is found anew each time from the order of arrival. */
#include "dlm_table.h"

#define O_N 8

struct oracle_lock {
	int held, want; /* -1: none */
	uint32_t flags;
	long place; /* in its queue: lower is earlier */
	bool converting, demoted;
};

struct oracle {
	struct oracle_lock l[O_N];
	long first, last;
	int status[O_N]; /* of this step; INT32_MIN: none */
	unsigned sb[O_N];
};

#define NOTHING INT32_MIN

static bool o_ok(int a, int b)
{
	return a < 0 || b < 0 || live_together[a][b] == 'y';
}

static bool o_fits(const struct oracle *o, int i, int mode)
{
	for (int k = 0; k < O_N; k++)
		if (k != i && !o_ok(o->l[k].held, mode))
			return false;
	return true;
}

static int o_queue(const struct oracle *o, int i) /* 0 none or granted, 1 convert, 2 wait */
{
	return o->l[i].want < 0 ? 0 : o->l[i].converting ? 1 : 2;
}

static bool o_somebody(const struct oracle *o, int i, int queue, bool before)
{
	for (int k = 0; k < O_N; k++)
		if (k != i && o_queue(o, k) == queue && (!before || o->l[k].place < o->l[i].place))
			return true;
	return false;
}

static bool o_may(const struct oracle *o, int i, int mode, bool arriving)
{
	const struct oracle_lock *l = &o->l[i];

	if (l->flags & DLM_F_EXPEDITE)
		return true;
	if (!o_fits(o, i, mode))
		return false;
	if (arriving && l->converting)
		return !(l->flags & DLM_F_QUECVT && o_somebody(o, i, 1, false));
	if (l->flags & DLM_F_NOORDER)
		return true;
	if (l->converting)
		return !o_somebody(o, i, 1, true);
	if (o_somebody(o, i, 1, false))
		return false;
	return !o_somebody(o, i, 2, !arriving);
}

static int o_mode(const struct oracle *o, int i, bool arriving)
{
	const struct oracle_lock *l = &o->l[i];

	if (o_may(o, i, l->want, arriving))
		return l->want;
	if (l->flags & DLM_F_ALTPR && l->want != DLM_PR && o_may(o, i, DLM_PR, arriving))
		return DLM_PR;
	if (l->flags & DLM_F_ALTCW && l->want != DLM_CW && o_may(o, i, DLM_CW, arriving))
		return DLM_CW;
	return -1;
}

static void o_grant(struct oracle *o, int i, int mode)
{
	struct oracle_lock *l = &o->l[i];

	o->status[i] = 0;
	o->sb[i] = (mode != l->want ? DLM_SBF_ALTMODE : 0) | (l->demoted ? DLM_SBF_DEMOTED : 0);
	l->held = mode;
	l->want = -1;
	l->converting = l->demoted = false;
}

/* Until nothing more can be granted: conversions before waiters, each from its front. */
static void o_settle(struct oracle *o)
{
	for (int queue = 1; queue <= 2; queue++)
		for (bool again = true; again;) {
			int best = -1;

			for (int i = 0; i < O_N; i++)
				if (o_queue(o, i) == queue && o_mode(o, i, false) >= 0 &&
				    (best < 0 || o->l[i].place < o->l[best].place))
					best = i;
			again = best >= 0;
			if (again)
				o_grant(o, best, o_mode(o, best, false));
		}
}

static void o_ask(struct oracle *o, int i, int mode, uint32_t flags, bool convert)
{
	struct oracle_lock *l = &o->l[i];
	bool head = flags & DLM_F_HEADQUE, stuck = false;
	int got;

	l->want = mode;
	l->flags = flags;
	l->converting = convert;
	l->place = o->last + 1; /* nowhere yet: behind everybody */
	got = o_mode(o, i, true);
	if (got >= 0) {
		o_grant(o, i, got);
		o_settle(o);
		return;
	}
	if (flags & DLM_F_NOQUEUE) {
		l->want = -1;
		o->status[i] = -EAGAIN;
		return;
	}
	for (int k = 0; convert && k < O_N; k++)
		if (k != i && o_queue(o, k) == 1)
			stuck |= head ? !o_ok(o->l[k].held, mode) : !o_ok(l->held, o->l[k].want);
	if (stuck && !(flags & DLM_F_NODLCKWT)) {
		if (!(flags & DLM_F_CONVDEADLK)) {
			l->want = -1;
			o->status[i] = -EDEADLK;
			return;
		}
		l->held = DLM_NL;
		l->demoted = true;
		head = false;
	}
	l->place = head ? --o->first : ++o->last;
	o_settle(o);
}

static uint64_t rnd(uint64_t *s)
{
	*s ^= *s << 13;
	*s ^= *s >> 7;
	*s ^= *s << 17;
	return *s;
}

static void random_operations_agree_with_a_second_opinion(void **state)
{
	static const uint32_t some[] = { DLM_F_NOQUEUE,    DLM_F_QUECVT,   DLM_F_CONVDEADLK,
					 DLM_F_NODLCKWT,   DLM_F_EXPEDITE, DLM_F_HEADQUE,
					 DLM_F_NOORDER,    DLM_F_ALTPR,    DLM_F_ALTCW,
					 DLM_F_NOQUEUEBAST };
	uint64_t seed = 0x5eed;
	unsigned grants = 0, waits_seen = 0, deadlocks = 0, alts = 0, demotions = 0;

	(void)state;
	for (unsigned round = 0; round < 3000; round++) {
		struct oracle o = { 0 };
		struct table t;

		begin(&t);
		for (int i = 0; i < O_N; i++)
			o.l[i] = (struct oracle_lock){ .held = -1, .want = -1 };
		for (unsigned step = 0; step < 40; step++) {
			int i = (int)(rnd(&seed) % O_N), mode = (int)(rnd(&seed) % 6);
			struct dlm_lock *lock = &t.lock[i];
			uint32_t flags = 0;
			bool live = lock->queue != DLM_Q_NONE;

			for (size_t f = 0; f < sizeof(some) / sizeof(some[0]); f++)
				if (rnd(&seed) % 8 == 0)
					flags |= some[f];
			t.n = 0;
			for (int k = 0; k < O_N; k++) {
				o.status[k] = NOTHING;
				o.sb[k] = 0;
			}
			if (!live) {
				if (dlm_check_request(mode, flags, DLM_IV) < 0)
					continue;
				o_ask(&o, i, mode, flags, false);
				dlm_request(lock, mode, flags, &t.sink);
			} else if (lock->queue == DLM_Q_GRANTED && rnd(&seed) % 4) {
				flags |= DLM_F_CONVERT;
				if (dlm_check_request(mode, flags, lock->granted) < 0)
					continue;
				o_ask(&o, i, mode, flags, true);
				assert_int_equal(dlm_convert(lock, mode, flags, NULL, &t.sink), 0);
			} else if (lock->queue == DLM_Q_GRANTED || rnd(&seed) % 2) {
				o.l[i] = (struct oracle_lock){ .held = -1, .want = -1 };
				o.status[i] = DLM_EUNLOCK;
				o.sb[i] = lock->demoted ? DLM_SBF_DEMOTED : 0;
				o_settle(&o);
				assert_int_equal(dlm_unlock(lock, DLM_F_FORCEUNLOCK, NULL, &t.sink),
						 0);
			} else {
				o.status[i] = DLM_ECANCEL;
				o.sb[i] = o.l[i].demoted ? DLM_SBF_DEMOTED : 0;
				o.l[i].want = -1;
				o.l[i].converting = o.l[i].demoted = false;
				o_settle(&o);
				dlm_cancel(lock, &t.sink);
			}
			sound(&t);
			for (int k = 0; k < O_N; k++) {
				const struct dlm_lock *l = &t.lock[k];
				bool in = l->queue != DLM_Q_NONE;
				const struct seen *d = done(&t, (unsigned)k);

				if ((in ? l->granted : -1) != o.l[k].held ||
				    (in ? l->wanted : -1) != o.l[k].want ||
				    (d ? d->status : NOTHING) != o.status[k] ||
				    (d ? d->sbflags : 0) != o.sb[k])
					fail_msg(
						"round %u step %u lock %d: held %d wanted %d status %d, the other says %d %d %d",
						round, step, k, in ? l->granted : -1,
						in ? l->wanted : -1, d ? d->status : NOTHING,
						o.l[k].held, o.l[k].want, o.status[k]);
				grants += d && d->status == 0;
				deadlocks += d && d->status == -EDEADLK;
				alts += d && d->sbflags & DLM_SBF_ALTMODE;
				demotions += d && d->sbflags & DLM_SBF_DEMOTED;
				waits_seen += l->queue == DLM_Q_WAIT || l->queue == DLM_Q_CONVERT;
			}
		}
	}
	/* The comparison met everything that it is there for. */
	print_message("%u grants, %u waits, %u deadlocks, %u other modes, %u demotions\n", grants,
		      waits_seen, deadlocks, alts, demotions);
	assert_true(grants > 10000 && waits_seen > 10000 && deadlocks > 100 && alts > 100 &&
		    demotions > 50);
	print_message("%u grants, %u deadlocks, %u other modes, %u demotions\n", grants, deadlocks,
		      alts, demotions);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_operations_agree_with_a_second_opinion),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
