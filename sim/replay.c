/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "replay.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define TEXT_MAX (4 * 1024 * 1024) /* a message of 1 MiB, in hex, and what stands around it */
#define MEM_MAX (4 * 1024 * 1024)  /* the same decoded */
#define AROUND 60                  /* characters shown before and behind the first that differs */

enum phase {
	BEFORE_RUN,  /* nothing that could be replayed yet */
	NEW_NEXT,    /* a run has begun: its configuration follows */
	EVENT_NEXT,  /* between two steps */
	ACTION_NEXT, /* fed: what it answered is compared */
};

struct replay {
	bool verbose;
	const char *file;
	uint64_t line;

	enum phase phase;
	const struct replay_core *api;
	void *core;
	uint64_t id, step, deadline_ms;
	uint64_t first_ms, now_ms;
	int rc;
	unsigned next; /* action */

	char *text; /* [TEXT_MAX] what the core answers */
	void *mem;  /* [MEM_MAX] what a decoded event points to */
	uint64_t runs, steps, actions, passed_ms, step_ns, skipped, cut;
	bool differs;
};

/* For the handler of SIGABRT: a core that breaks an invariant aborts, here as in the daemon. */
static const struct replay *now_playing;

static void on_abort(int sig)
{
	char text[512];
	int n = snprintf(text, sizeof(text),
			 "%s:%" PRIu64 ": the core aborts at event %" PRIu64 ", at %" PRIu64
			 " ms: one of its invariants does not hold\n",
			 now_playing->file, now_playing->line, now_playing->step,
			 now_playing->now_ms);

	(void)sig;
	if (n > 0 && write(STDOUT_FILENO, text, (size_t)n) < 0)
		_exit(2);
	_exit(1);
}

static uint64_t mono_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

/* The part of a line around @at. */
static void show(const char *what, const char *text, size_t len, size_t at)
{
	size_t from = at > AROUND ? at - AROUND : 0;
	size_t to = len - at > AROUND ? at + AROUND : len;

	printf("  %s %s%.*s%s\n", what, from > 0 ? "..." : "", (int)(to - from), text + from,
	       to < len ? "..." : "");
}

static void differ(struct replay *rp, const char *want, size_t want_len, const char *got,
		   size_t got_len)
{
	size_t at = 0;

	while (at < want_len && at < got_len && want[at] == got[at])
		at++;
	rp->differs = true;
	printf("%s:%" PRIu64 ": event %" PRIu64 " at %" PRIu64 " ms: the core answers otherwise\n",
	       rp->file, rp->line, rp->step, rp->now_ms);
	show("expected", want, want_len, at);
	show("got     ", got, got_len, at);
}

static void bad(const struct replay *rp, const char *why)
{
	printf("%s:%" PRIu64 ": %s\n", rp->file, rp->line, why);
}

/* The run is over: another one begins, or the files end. */
static void close_run(struct replay *rp)
{
	if (!rp->core)
		return;
	if (rp->phase == ACTION_NEXT) {
		rp->cut++;
		printf("%s:%" PRIu64 ": the record ends inside event %" PRIu64
		       ": there the daemon ended\n",
		       rp->file, rp->line, rp->step);
	}
	if (rp->first_ms)
		rp->passed_ms += rp->now_ms - rp->first_ms;
	rp->api->end(rp->core);
	rp->core = NULL;
}

/* "record 1 PROGRAM ID VERSION", "more 1 PROGRAM ID STEP": what stands behind the first word. */
static bool read_head(struct record_r *r, uint64_t *id, const struct replay_core **api,
		      const char **why)
{
	const char *name;

	if (record_r_number(r) != RECORD_VERSION || !record_r_words(r, " ")) {
		*why = "a record of another version than 1: take the stockade-sim of that version";
		return false;
	}
	size_t len = record_r_name(r, &name);

	*api = replay_core_by_name(name, len);
	if (!*api || !record_r_words(r, " ")) {
		*why = "the record of a program that is not known";
		return false;
	}
	*id = record_r_number(r);
	*why = r->err;
	return !r->err;
}

static int begin(struct replay *rp, struct record_r *r)
{
	const char *why;

	close_run(rp);
	rp->step = rp->first_ms = rp->now_ms = 0;
	if (!read_head(r, &rp->id, &rp->api, &why)) {
		bad(rp, why);
		return -EBADMSG;
	}
	rp->phase = NEW_NEXT;
	if (rp->verbose)
		printf("%s:%" PRIu64 ": a run of %s begins\n", rp->file, rp->line,
		       rp->api->program);
	return 0;
}

static int go_on(struct replay *rp, struct record_r *r)
{
	const struct replay_core *api;
	const char *why;
	uint64_t id, step;

	if (!read_head(r, &id, &api, &why)) {
		bad(rp, why);
		return -EBADMSG;
	}
	if (!record_r_words(r, " "))
		return -EBADMSG;
	step = record_r_number(r);
	if (rp->core && rp->phase == EVENT_NEXT && api == rp->api && id == rp->id &&
	    step == rp->step + 1)
		return 0;
	close_run(rp);
	rp->phase = BEFORE_RUN;
	printf("%s:%" PRIu64 ": a run goes on here from event %" PRIu64
	       "; its beginning is in an older file (%s.record.1, .2, ...): give those first\n",
	       rp->file, rp->line, step, api->program);
	return 0;
}

static int configure(struct replay *rp, struct record_r *r)
{
	struct record_w w;

	record_w_init(&w, rp->text, TEXT_MAX);
	w.story = true;
	rp->core = rp->api->start(r, rp->verbose ? &w : NULL);
	if (!rp->core) {
		bad(rp, r->err ? r->err : "no memory");
		return -EBADMSG;
	}
	if (rp->verbose)
		printf("%12s %.*s\n", "", (int)w.len, rp->text);
	rp->runs++;
	rp->phase = EVENT_NEXT;
	return 0;
}

static int feed(struct replay *rp, struct record_r *r)
{
	struct record_w w;
	uint64_t step = record_r_number(r), begin_ns;

	if (step != rp->step + 1 || !record_r_words(r, " ")) {
		bad(rp, "lines are missing: the number of this event does not follow");
		return -EBADMSG;
	}
	rp->step = step;
	record_w_init(&w, rp->text, TEXT_MAX);
	w.story = true;
	begin_ns = mono_ns();
	if (rp->api->feed(rp->core, r, rp->verbose ? &w : NULL, &rp->rc, &rp->now_ms) < 0) {
		bad(rp, r->err);
		return -EBADMSG;
	}
	rp->step_ns += mono_ns() - begin_ns;
	if (!rp->first_ms)
		rp->first_ms = rp->now_ms;
	if (rp->verbose)
		printf("%10.3f s  %.*s\n", (double)(rp->now_ms - rp->first_ms) / 1000, (int)w.len,
		       rp->text);
	rp->steps++;
	rp->next = 0;
	rp->phase = ACTION_NEXT;
	return 0;
}

/* Compare @line, which stands behind "act ", with the next action. */
static int action(struct replay *rp, const char *line, size_t len)
{
	struct record_w w;

	if (rp->next >= rp->api->n_actions(rp->core)) {
		differ(rp, line, len, "no further action", strlen("no further action"));
		return 0;
	}
	record_w_init(&w, rp->text, TEXT_MAX);
	rp->api->action(rp->core, &w, rp->next);
	if (w.len != len || memcmp(rp->text, line, len) != 0) {
		differ(rp, line, len, rp->text, w.len);
		return 0;
	}
	if (rp->verbose) {
		record_w_init(&w, rp->text, TEXT_MAX);
		w.story = true;
		rp->api->action(rp->core, &w, rp->next);
		printf("%12s    -> %.*s\n", "", (int)w.len, rp->text);
	}
	rp->actions++;
	rp->next++;
	return 0;
}

static int finish(struct replay *rp, const char *line, size_t len)
{
	char got[128];
	const char *broken = rp->api->broken(rp->core);
	int n = snprintf(got, sizeof(got), "%" PRIu64 " %d %u %" PRIu64, rp->step, rp->rc,
			 rp->api->n_actions(rp->core), rp->api->deadline_ms(rp->core));

	if ((size_t)n != len || memcmp(got, line, len) != 0) {
		differ(rp, line, len, got, (size_t)n);
	} else if (broken) {
		rp->differs = true;
		printf("%s:%" PRIu64 ": event %" PRIu64 ": broken=%s\n", rp->file, rp->line,
		       rp->step, broken);
	}
	rp->phase = EVENT_NEXT;
	return 0;
}

/* A run that cannot go on is given up until the next one begins. */
static int one_line(struct replay *rp, const char *line, size_t len)
{
	struct record_r r;

	if (len == 0) /* before each run: closes a line that was cut off */
		return 0;
	record_r_init(&r, line, len, rp->mem, MEM_MAX);
	if (record_r_words(&r, "record "))
		return begin(rp, &r);
	if (record_r_words(&r, "more "))
		return go_on(rp, &r);
	if (rp->phase == BEFORE_RUN) {
		rp->skipped++;
		return 0;
	}
	if (rp->phase == NEW_NEXT && record_r_words(&r, "new"))
		return configure(rp, &r);
	if (rp->phase == EVENT_NEXT && record_r_words(&r, "event "))
		return feed(rp, &r);
	if (rp->phase == ACTION_NEXT && record_r_words(&r, "act "))
		return action(rp, r.p, (size_t)(r.end - r.p));
	if (rp->phase == ACTION_NEXT && record_r_words(&r, "end "))
		return finish(rp, r.p, (size_t)(r.end - r.p));
	bad(rp, "a line that does not belong here; is the file damaged?");
	return -EBADMSG;
}

/* Does "record ..." come next? Before it stands an empty line, unless what stands there was cut off. */
static bool run_follows(FILE *f)
{
	int c = getc(f);

	if (c != EOF)
		ungetc(c, f);
	return c == 'r';
}

static int one_file(struct replay *rp, const char *file)
{
	FILE *f = strcmp(file, "-") == 0 ? stdin : fopen(file, "re");
	char *line = NULL;
	size_t cap = 0;
	ssize_t len;
	int r = 0;

	rp->file = file;
	rp->line = 0;
	if (!f) {
		printf("%s: %s\n", file, strerror(errno));
		return -errno;
	}
	while (r == 0 && !rp->differs && (len = getline(&line, &cap, f)) > 0) {
		rp->line++;
		if (line[len - 1] != '\n') {
			rp->cut++;
			printf("%s:%" PRIu64
			       ": the last line is not whole: what wrote it was cut off\n",
			       file, rp->line);
			break;
		}
		if (len > 1 && run_follows(f)) {
			printf("%s:%" PRIu64
			       ": this line is not whole: there the system ended; the next run begins behind it\n",
			       file, rp->line);
			rp->cut++;
			close_run(rp);
			rp->phase = BEFORE_RUN;
			continue;
		}
		r = one_line(rp, line, (size_t)len - 1);
	}
	free(line);
	if (f != stdin)
		fclose(f);
	return r;
}

int replay_files(char *const *file, int n, bool verbose)
{
	static struct replay rp;
	struct sigaction act = { .sa_handler = on_abort };
	int r = 0;

	memset(&rp, 0, sizeof(rp));
	rp.verbose = verbose;
	rp.text = malloc(TEXT_MAX);
	rp.mem = malloc(MEM_MAX);
	if (!rp.text || !rp.mem) {
		printf("no memory\n");
		free(rp.text);
		free(rp.mem);
		return 2;
	}
	now_playing = &rp;
	sigaction(SIGABRT, &act, NULL);
	for (int i = 0; i < n && r == 0 && !rp.differs; i++)
		r = one_file(&rp, file[i]);
	if (!rp.differs)
		close_run(&rp);
	else if (rp.core)
		rp.api->end(rp.core);
	free(rp.text);
	free(rp.mem);
	if (rp.skipped)
		printf("%" PRIu64
		       " lines belong to a run whose beginning is not here: not replayed\n",
		       rp.skipped);
	printf("%s: %" PRIu64 " runs, %" PRIu64 " events, %" PRIu64
	       " actions, %.1f s of the cluster's time, %.0f events a second\n",
	       rp.differs || r < 0 ? "NOT ALIKE"
	       : rp.runs           ? "alike"
				   : "nothing to replay",
	       rp.runs, rp.steps, rp.actions, (double)rp.passed_ms / 1000,
	       rp.step_ns ? (double)rp.steps * 1e9 / (double)rp.step_ns : 0.0);
	if (rp.differs)
		return 1;
	return r < 0 || rp.runs == 0 ? 2 : 0;
}
