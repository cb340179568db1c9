/* SPDX-License-Identifier: GPL-3.0-or-later */
/* dlm_table.h - one resource with some locks, and everything that was told of them. */
#ifndef TESTS_UNIT_DLM_TABLE_H
#define TESTS_UNIT_DLM_TABLE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "dlm/core/resource.h"

#define N 8
#define LOG 64

struct seen { /* one notice, as it was told */
	int type, status, mode;
	unsigned lock, sbflags;
	bool gone, lvb_read;
};

struct table { /* a resource with locks a, b, c ... */
	struct dlm_resource res;
	struct dlm_lock lock[N];
	uint64_t token;
	struct dlm_sink sink;
	unsigned n;
	struct seen log[LOG];
};

static inline void hear(void *arg, const struct dlm_notice *n)
{
	struct table *t = arg;

	assert_true(t->n < LOG);
	t->log[t->n++] = (struct seen){ .type = n->type,
					.status = n->type == DLM_NOTICE_DONE ? n->status : 0,
					.mode = n->type == DLM_NOTICE_BLOCKING ? n->mode
									       : n->lock->granted,
					.lock = (unsigned)(n->lock - t->lock),
					.sbflags = n->sbflags,
					.gone = n->gone,
					.lvb_read = n->lvb_read };
}

static inline void begin(struct table *t)
{
	memset(t, 0, sizeof(*t));
	for (unsigned i = 0; i < N; i++)
		t->lock[i].res = &t->res;
	t->sink = (struct dlm_sink){ .notice = hear, .arg = t, .token = &t->token };
}

static inline void sound(const struct table *t)
{
	assert_null(dlm_resource_broken(&t->res));
	assert_null(dlm_resource_stuck(&t->res));
}

static inline const struct seen *done(const struct table *t, unsigned i)
{
	for (unsigned k = 0; k < t->n; k++)
		if (t->log[k].type == DLM_NOTICE_DONE && t->log[k].lock == i)
			return &t->log[k];
	return NULL;
}

/* The table of ref/dlm.md 1.1, written down again. */
static const char *const live_together[] = {
	/* NL */ "yyyyyy", /* CR */ "yyyyy-", /* CW */ "yyy---",
	/* PR */ "yy-y--", /* PW */ "yy----", /* EX */ "y-----",
};

#endif
