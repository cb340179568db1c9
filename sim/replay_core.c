/* SPDX-License-Identifier: GPL-3.0-or-later */
/* sim/replay_core.c - the three cores as replay.c sees them: text in, text out. */
#include "dlm/core/dlm_record.h"
#include "fenced/core/fence_record.h"
#include "replay.h"
#include "storaged/core/place_record.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* ---- fenced ---- */
struct fence_replay {
	struct fence_domain *dom;
	struct fence_actions out;
};

static void fence_end(void *core)
{
	struct fence_replay *f = core;

	fence_free(f->dom);
	free(f);
}

static void *fence_start(struct record_r *r, struct record_w *w)
{
	struct fence_replay *f = calloc(1, sizeof(*f));
	struct fence_config *cfg = malloc(sizeof(*cfg));

	if (f && cfg && fence_record_read_config(r, cfg) == 0) {
		if (w)
			fence_record_config(w, cfg);
		f->dom = fence_new(cfg);
		if (!f->dom)
			r->err = "a configuration that the core refuses";
	}
	free(cfg);
	if (f && !f->dom) {
		fence_end(f);
		return NULL;
	}
	return f;
}

static int fence_feed(void *core, struct record_r *r, struct record_w *w, int *ret_rc,
		      uint64_t *ret_now_ms)
{
	struct fence_replay *f = core;
	struct fence_event ev;

	if (fence_record_read_event(r, &ev) < 0)
		return -EBADMSG;
	if (w)
		fence_record_event(w, &ev);
	*ret_now_ms = ev.now_ms;
	*ret_rc = fence_step(f->dom, &ev, &f->out);
	return 0;
}

static unsigned fence_n(const void *core)
{
	return ((const struct fence_replay *)core)->out.n;
}

static void fence_action(const void *core, struct record_w *w, unsigned i)
{
	fence_record_action(w, &((const struct fence_replay *)core)->out, i);
}

static uint64_t fence_deadline(const void *core)
{
	return fence_deadline_ms(((const struct fence_replay *)core)->dom);
}

static const char *fence_sound(const void *core)
{
	return fence_broken(((const struct fence_replay *)core)->dom);
}

/* ---- dlmd ---- */
struct dlm_replay {
	struct dlm *dlm;
	struct dlm_actions out;
};

static void lock_end(void *core)
{
	struct dlm_replay *d = core;

	dlm_free(d->dlm);
	free(d);
}

static void *lock_start(struct record_r *r, struct record_w *w)
{
	struct dlm_replay *d = calloc(1, sizeof(*d));
	struct dlm_config cfg;

	if (d && dlm_record_read_config(r, &cfg) == 0) {
		if (w)
			dlm_record_config(w, &cfg);
		d->dlm = dlm_new(&cfg.self, cfg.configured);
	}
	if (d && !d->dlm) {
		lock_end(d);
		return NULL;
	}
	return d;
}

static int lock_feed(void *core, struct record_r *r, struct record_w *w, int *ret_rc,
		     uint64_t *ret_now_ms)
{
	struct dlm_replay *d = core;
	struct dlm_event ev;

	if (dlm_record_read_event(r, &ev) < 0)
		return -EBADMSG;
	if (w)
		dlm_record_event(w, &ev);
	*ret_now_ms = ev.now_ms;
	*ret_rc = dlm_step(d->dlm, &ev, &d->out);
	return 0;
}

static unsigned lock_n(const void *core)
{
	return ((const struct dlm_replay *)core)->out.n;
}

static void lock_action(const void *core, struct record_w *w, unsigned i)
{
	dlm_record_action(w, &((const struct dlm_replay *)core)->out, i);
}

static uint64_t lock_deadline(const void *core)
{
	(void)core;
	return UINT64_MAX; /* it waits for nothing but events */
}

static const char *lock_sound(const void *core)
{
	return dlm_broken(((const struct dlm_replay *)core)->dlm);
}

/* ---- storaged ---- */
struct place_replay {
	struct place *place;
	unsigned n_services;
	struct place_actions out;
};

static void place_end(void *core)
{
	struct place_replay *p = core;

	place_free(p->place);
	free(p);
}

static void *place_start(struct record_r *r, struct record_w *w)
{
	struct place_replay *p = calloc(1, sizeof(*p));
	struct place_config *cfg = malloc(sizeof(*cfg));

	if (p && cfg && place_record_read_config(r, cfg) == 0) {
		if (w)
			place_record_config(w, cfg);
		if (cfg->frame.n_services > SERVICES_MAX)
			r->err = "more services than there may be";
		else
			p->place = place_new(cfg);
		p->n_services = cfg->frame.n_services;
	}
	free(cfg);
	if (p && !p->place) {
		place_end(p);
		return NULL;
	}
	return p;
}

static int place_feed(void *core, struct record_r *r, struct record_w *w, int *ret_rc,
		      uint64_t *ret_now_ms)
{
	struct place_replay *p = core;
	struct place_event ev;

	r->many = p->n_services;
	if (place_record_read_event(r, &ev) < 0)
		return -EBADMSG;
	if (w) {
		w->many = p->n_services;
		place_record_event(w, &ev);
	}
	*ret_now_ms = ev.now_ms;
	*ret_rc = place_step(p->place, &ev, &p->out);
	return 0;
}

static unsigned place_n(const void *core)
{
	return ((const struct place_replay *)core)->out.n;
}

static void place_action(const void *core, struct record_w *w, unsigned i)
{
	place_record_action(w, &((const struct place_replay *)core)->out, i);
}

static uint64_t place_deadline(const void *core)
{
	return place_deadline_ms(((const struct place_replay *)core)->place);
}

static const char *place_sound(const void *core)
{
	return place_broken(((const struct place_replay *)core)->place);
}

const struct replay_core *replay_core_by_name(const char *program, size_t len)
{
	static const struct replay_core cores[] = {
		{ "stockade-fenced", fence_start, fence_feed, fence_n, fence_action, fence_deadline,
		  fence_sound, fence_end },
		{ "stockade-dlmd", lock_start, lock_feed, lock_n, lock_action, lock_deadline,
		  lock_sound, lock_end },
		{ "stockade-storaged", place_start, place_feed, place_n, place_action,
		  place_deadline, place_sound, place_end },
	};

	for (size_t i = 0; i < sizeof(cores) / sizeof(*cores); i++)
		if (strlen(cores[i].program) == len && memcmp(cores[i].program, program, len) == 0)
			return &cores[i];
	return NULL;
}
