/* SPDX-License-Identifier: GPL-3.0-or-later */
/* stockade key rotate: another key, without a moment in which a node cannot fence. key_plan.h has the order and why it is safe.
 *
 * On this machine, for the length of it:
 *
 *	FILE.rotation  which key it began with, which it makes (fingerprints), the hypervisors   key_state.c
 *	FILE.old       the key that it began with
 *	FILE.new       the new key, until this machine signs with it
 *
 * They are made in this order before any other host hears of it, and removed when all is done.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#include "lib/shell/loop.h"
#include "tools/cli.h"
#include "tools/key.h"

struct rotation {
	struct key_run *r;
	struct key_state state;
	struct key_bytes before,
		after; /* after: none while the new key is not here any more (going back) */
	struct plan_host host[KEY_PEERS_MAX];
	char why[KEY_PEERS_MAX][KEY_WHY]; /* UNKNOWN, OTHER */
	bool paused;
	uint64_t pause_ms, begin_ms;
	int lock;
};

static void beside(const struct key_run *r, const char *end, char path[CONFIG_PATH_MAX + 8])
{
	snprintf(path, CONFIG_PATH_MAX + 8, "%s%s", r->file, end);
}

static void fingerprint(const struct key_bytes *k, char text[ECHO_FINGERPRINT_TEXT])
{
	const struct echo_key e = key_echo(k);

	echo_fingerprint(&e, text);
}

static const char *file_of(const struct rotation *t, unsigned i)
{
	return t->r->peer[i].file[0] ? t->r->peer[i].file : t->r->file;
}

static int end(struct rotation *t, int code, const char *state, const char *text,
	       const char *remedy)
{
	if (t->r->json) {
		print_json(json_pack("{s:i,s:b,s:s,s:i,s:i,s:s,s:s?,s:s,s:s}", "proto", 1, "ok",
				     code == EXIT_OK, "state", state, "stage", (int)t->state.stage,
				     "stages", PLAN_STAGES, "text", text, "remedy", remedy,
				     "before", t->state.before, "after", t->state.after));
	} else if (code == EXIT_OK) {
		puts(text);
	} else {
		print_wrapped(stderr, "stockade: ", "  ", text);
		if (remedy)
			print_wrapped(stderr, "  to do: ", "         ", remedy);
	}
	return code;
}

/* --- what every host holds ---------------------------------------------------------------------------------- */

static enum plan_state state_of(bool hypervisor, bool has_after, const enum echo_verdict v[2],
				const struct echo_answer a[2])
{
	bool before = v[0] == ECHO_SAME, after = has_after && v[1] == ECHO_SAME;
	enum plan_state both = hypervisor ? PLAN_BOTH : PLAN_STAGED;

	if (v[0] == ECHO_STRAY || (has_after && v[1] == ECHO_STRAY))
		return PLAN_UNKNOWN;
	for (int k = 0; k < 1 + has_after; k++)
		if (v[k] == ECHO_REPEATED || v[k] == ECHO_UNPROVEN)
			return PLAN_UNKNOWN;
	/* how many it holds is under the seal; that it refuses a key is not */
	if (after && a[1].slot == 0 && (!before || a[1].keys == 1))
		return a[1].keys == 1 || !hypervisor ? PLAN_NEW : PLAN_OTHER;
	if (before && after)
		return both;
	if (before && a[0].slot == 0)
		return a[0].keys == 1 ? PLAN_OLD : has_after ? PLAN_OTHER : both;
	return PLAN_OTHER;
}

static void look_at(struct rotation *t, unsigned i)
{
	struct key_peer *p = &t->r->peer[i];
	const struct key_bytes *keys[2] = { &t->before, &t->after };
	enum echo_verdict v[2] = { ECHO_STRAY, ECHO_STRAY };
	struct echo_answer a[2] = { { 0 }, { 0 } };
	bool has_after = t->after.len > 0;
	int e = 0;

	t->why[i][0] = '\0';
	if (p->hypervisor) {
		e = key_identify(t->r, p, t->why[i]);
		for (int k = 0; e == 0 && k < 1 + has_after; k++)
			key_ask_host(t->r, p, keys[k], &v[k], &a[k]);
		if (e == 0 && v[0] == ECHO_STRAY)
			snprintf(
				t->why[i], KEY_WHY,
				"no stockade-virtd answers at %s (a stock fence_virtd knows one key only, and cannot change it "
				"without a gap)",
				p->address);
	} else {
		e = key_ask_files(t->r, p, file_of(t, i), keys, 1 + has_after, v, a, t->why[i]);
	}
	t->host[i].hypervisor = p->hypervisor;
	t->host[i].state = e < 0 ? PLAN_UNKNOWN : state_of(p->hypervisor, has_after, v, a);
	if (t->host[i].state == PLAN_OTHER)
		snprintf(
			t->why[i], KEY_WHY,
			"it holds neither the key of this rotation nor the one before, or a third one beside");
}

/* --- one step ----------------------------------------------------------------------------------------------- */

static int order_and_reload(struct rotation *t, unsigned i, enum key_order order, const char *file,
			    const struct key_bytes *k)
{
	struct key_peer *p = &t->r->peer[i];
	int e = key_order(t->r, p, order, file, k, t->why[i]);

	if (e == 0 && strcmp(p->facts.done, "differs") == 0) {
		snprintf(
			t->why[i], KEY_WHY,
			"%s there is a third key: of another rotation? Finish or undo that one first",
			file);
		return -EEXIST;
	}
	if (e < 0 || !p->hypervisor)
		return e;
	e = key_order(t->r, p, KEY_RELOAD, file, NULL, t->why[i]);
	if (e == 0 && strcmp(p->facts.done, "reloaded") != 0) {
		snprintf(t->why[i], KEY_WHY, "no stockade-virtd runs there any more");
		return -ESRCH;
	}
	return e;
}

static int carry_out(struct rotation *t, struct plan_next next)
{
	unsigned i = next.host;
	char second[CONFIG_PATH_MAX + 8];

	snprintf(second, sizeof(second), "%s.new", file_of(t, i));
	switch (next.step) {
	case PLAN_ADMIT:
	case PLAN_STAGE: return order_and_reload(t, i, KEY_PUT, second, &t->after);
	case PLAN_SWITCH:
	case PLAN_PROMOTE: return order_and_reload(t, i, KEY_SWAP, file_of(t, i), &t->after);
	case PLAN_RESTORE: return order_and_reload(t, i, KEY_REPLACE, file_of(t, i), &t->before);
	case PLAN_UNSTAGE:
	case PLAN_WITHDRAW: return order_and_reload(t, i, KEY_DROP, file_of(t, i), NULL);
	case PLAN_DONE:
	case PLAN_PAUSE:
	case PLAN_WAIT:
	case PLAN_REFUSE: break;
	}
	return -EINVAL;
}

/* For key show, here and after an interruption. */
static void note_stage(struct rotation *t, enum plan_step step, const char *host)
{
	unsigned stage = plan_stage(step);
	char text[KEY_WHY];

	snprintf(text, sizeof(text), "%s%s%s", plan_text(step), host ? ": " : "", host ? host : "");
	if ((stage == 0 || stage == t->state.stage) && strcmp(text, t->state.text) == 0)
		return;
	if (stage)
		t->state.stage = stage;
	snprintf(t->state.text, sizeof(t->state.text), "%s", text);
	key_state_write(&t->state);
}

static void pause_now(struct rotation *t)
{
	uint64_t until = mono_ms() + t->pause_ms;
	char text[DURATION_TEXT];

	key_progress(t->r, NULL, "stage %u of %d: %s, %s", plan_stage(PLAN_PAUSE), PLAN_STAGES,
		     plan_text(PLAN_PAUSE), duration_text(t->pause_ms, text, sizeof(text)));
	while (mono_ms() < until) {
		uint64_t left = until - mono_ms();
		struct timespec ts = { (time_t)(left / 1000), (long)(left % 1000) * 1000000 };

		nanosleep(&ts, NULL);
	}
	t->paused = true;
}

/*
 * The last look before a key is dropped: at all hosts. An order of a run that was killed may have reached its host only now; a
 * node that it changed begins the pause anew.
 */
static void look_again(struct rotation *t)
{
	for (unsigned i = 0; i < t->r->n; i++) {
		enum plan_state was = t->host[i].state;

		look_at(t, i);
		if (!t->host[i].hypervisor && t->host[i].state != was)
			t->paused = false;
	}
}

static int finish(struct rotation *t)
{
	char path[CONFIG_PATH_MAX + 8], text[KEY_WHY], took[DURATION_TEXT];

	/* the state last: what an interruption leaves is cleaned away by the next run */
	beside(t->r, ".old", path);
	unlink(path);
	beside(t->r, ".new", path);
	unlink(path);
	if (key_state_remove(t->r->file) < 0)
		return end(t, EXIT_FAILED, "failed",
			   "all is done, but FILE.rotation cannot be removed", "remove it");
	if (t->state.back)
		snprintf(text, sizeof(text), "back: every host holds %s, as before",
			 t->state.before);
	else
		snprintf(text, sizeof(text),
			 "rotated in %s: every host holds %s, and %s is taken by nobody any more",
			 duration_text(mono_ms() - t->begin_ms, took, sizeof(took)), t->state.after,
			 t->state.before);
	t->state.stage = PLAN_STAGES;
	return end(t, EXIT_OK, t->state.back ? "back" : "done", text, NULL);
}

static int stopped(struct rotation *t, struct plan_next next, int code, const char *what)
{
	char text[2 * KEY_WHY], state[160];
	const struct key_peer *p = &t->r->peer[next.host];

	snprintf(state, sizeof(state), "%.60s: %s", p->name, plan_text(next.step));
	note_stage(t, next.step, p->name);
	snprintf(text, sizeof(text),
		 "%s %s %s: %s. Every node can fence meanwhile; nothing was dropped", what,
		 p->hypervisor ? "hypervisor" : "node", p->name,
		 t->why[next.host][0] ? t->why[next.host] : "it does not answer");
	return end(
		t, code, code == EXIT_DEGRADED ? "waiting" : "failed", text,
		t->state.back ? "mend it, then: stockade key rotate --abort"
		: p->hypervisor
			? "mend it, then: stockade key rotate, which goes on; or stockade key rotate --abort"
			: "mend it (or take a node that is gone for good out of the configuration), then: stockade key rotate, "
			  "which goes on; or stockade key rotate --abort");
}

static int refused(struct rotation *t, struct plan_next next)
{
	const struct key_peer *p = &t->r->peer[next.host];
	char text[2 * KEY_WHY];

	if (t->host[next.host].state == PLAN_NEW) {
		snprintf(text, sizeof(text),
			 "there is no way back: %s has dropped the old key already", p->name);
		return end(t, EXIT_REFUSED, "refused", text,
			   "stockade key rotate goes on to the end");
	}
	snprintf(text, sizeof(text), "%s %s: %s; nothing was changed there",
		 p->hypervisor ? "hypervisor" : "node", p->name, t->why[next.host]);
	return end(
		t, EXIT_REFUSED, "refused", text,
		"stockade key verify shows what everybody holds; stockade key push --replace HOST mends one");
}

static int walk(struct rotation *t)
{
	static const char *const done[] = {
		[PLAN_ADMIT] = "takes the new key beside the old one",
		[PLAN_STAGE] = "has the new key beside the old one",
		[PLAN_SWITCH] = "signs with the new key",
		[PLAN_PROMOTE] = "takes the new key alone",
		[PLAN_RESTORE] = "signs with the old key again",
		[PLAN_UNSTAGE] = "has the old key alone",
		[PLAN_WITHDRAW] = "takes the old key alone",
	};

	for (unsigned i = 0; i < t->r->n; i++)
		look_at(t, i);
	for (;;) {
		struct plan_next next = plan_next(t->host, t->r->n, t->state.back, t->paused);
		enum plan_state was = t->host[next.host].state;

		switch (next.step) {
		case PLAN_DONE: return finish(t);
		case PLAN_WAIT: return stopped(t, next, EXIT_DEGRADED, "waiting for");
		case PLAN_REFUSE: return refused(t, next);
		case PLAN_PAUSE:
			note_stage(t, next.step, NULL);
			pause_now(t);
			look_again(t);
			continue;
		case PLAN_ADMIT:
		case PLAN_STAGE:
		case PLAN_SWITCH:
		case PLAN_PROMOTE:
		case PLAN_RESTORE:
		case PLAN_UNSTAGE:
		case PLAN_WITHDRAW: break;
		}
		note_stage(t, next.step, NULL);
		if (carry_out(t, next) < 0)
			return stopped(t, next, EXIT_FAILED, "could not do it at");
		look_at(t, next.host);
		if (t->host[next.host].state == was || t->host[next.host].state == PLAN_UNKNOWN) {
			if (!t->why[next.host][0])
				snprintf(t->why[next.host], KEY_WHY,
					 "it does not show afterwards: does its daemon use %s?",
					 file_of(t, next.host));
			return stopped(t, next, EXIT_FAILED, "no effect at");
		}
		if (next.step == PLAN_SWITCH || next.step == PLAN_RESTORE)
			t->paused = false;
		key_progress(t->r, t->r->peer[next.host].name, "stage %u of %d: %s",
			     plan_stage(next.step), PLAN_STAGES, done[next.step]);
	}
}

/* --- begin, and go on --------------------------------------------------------------------------------------- */

/* Which of the files here is the key of that fingerprint? */
static bool find_key(const struct key_run *r, const char *print, struct key_bytes *ret)
{
	static const char *const ends[] = { "", ".new", ".old" };
	static struct key_file f;
	char path[CONFIG_PATH_MAX + 8], text[ECHO_FINGERPRINT_TEXT];
	bool found = false;

	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]) && !found; i++) {
		beside(r, ends[i], path);
		if (key_file_read(path, &f) < 0 || f.key.len == 0)
			continue;
		fingerprint(&f.key, text);
		found = strcmp(text, print) == 0;
		if (found)
			*ret = f.key;
	}
	key_forget(&f.key);
	return found;
}

/* The new key, and before it whatever tells that it is ours: FILE.new without a state is another's. */
static int make_new(struct rotation *t, size_t bytes)
{
	static struct key_file f;
	char path[CONFIG_PATH_MAX + 8], why[KEY_WHY] = "";

	beside(t->r, ".old", path);
	int e = key_file_write(path, &t->before, true, why, sizeof(why));

	beside(t->r, ".new", path);
	key_file_read(path, &f);
	if (e == 0 && f.key.len > 0) { /* made before an interruption */
		t->after = f.key;
	} else if (e == 0) {
		e = key_random(&t->after, bytes);
		e = e < 0 ? e : key_file_write(path, &t->after, true, why, sizeof(why));
	}
	key_forget(&f.key);
	if (e == 0) {
		fingerprint(&t->after, t->state.after);
		e = key_state_write(&t->state);
	}
	return e == 0 ? EXIT_OK
		      : end(t, EXIT_FAILED, "failed", why[0] ? why : strerror(-e),
			    "make room for it there; then stockade key rotate goes on");
}

/* Nothing is changed anywhere before everybody was seen to hold the key, and to be the one meant. */
static int begin(struct rotation *t)
{
	static struct key_file now, next;
	char path[CONFIG_PATH_MAX + 8], why[KEY_WHY];
	struct key_run *r = t->r;
	unsigned hypervisors = 0;
	time_t wall = time(NULL); /* for people: when it was begun */

	beside(r, ".new", path);
	key_file_read(r->file, &now);
	key_file_read(path, &next);
	key_forget(&next.key);
	if (now.key.len == 0)
		return end(t, EXIT_FAILED, "failed", "there is no key here to change",
			   "stockade key new makes a first one; stockade key push copies it");
	t->before = now.key;
	key_forget(&now.key);
	fingerprint(&t->before, t->state.before);
	if (next.there)
		return end(
			t, EXIT_REFUSED, "refused",
			"KEY.new lies beside the key here: another rotation, begun on another machine",
			"stockade key rotate there goes on with it; if there is none, remove KEY.new everywhere");
	if (key_dir_check(r->file, false, why, sizeof(why)) < 0)
		return end(t, EXIT_REFUSED, "refused", why, NULL);
	for (unsigned i = 0; i < r->n; i++)
		hypervisors += r->peer[i].hypervisor;
	if (hypervisors == 0 || !r->has_where)
		return end(
			t, EXIT_USAGE, "refused",
			"no hypervisor is known, and one that is forgotten would take the old key for ever",
			"name all: --hypervisor HOST, or hypervisors: in the fence device's parameters");
	for (unsigned i = 0; i < r->n; i++) {
		look_at(t, i);
		if (t->host[i].state == PLAN_OLD)
			continue;
		char text[2 * KEY_WHY];

		snprintf(text, sizeof(text), "not begun, nothing was changed: %s %s: %s",
			 r->peer[i].hypervisor ? "hypervisor" : "node", r->peer[i].name,
			 t->why[i][0] ? t->why[i] : "it does not hold this key");
		return end(t, t->host[i].state == PLAN_UNKNOWN ? EXIT_DEGRADED : EXIT_REFUSED,
			   "refused", text, "stockade key verify shows what everybody holds");
	}
	snprintf(t->state.file, sizeof(t->state.file), "%s", r->file);
	strftime(t->state.began, sizeof(t->state.began), "%Y-%m-%dT%H:%M:%SZ", gmtime(&wall));
	for (unsigned i = 0; i < r->n && t->state.n < KEY_HOSTS_MAX; i++)
		if (r->peer[i].hypervisor) {
			snprintf(t->state.hypervisor[t->state.n].ssh,
				 sizeof(t->state.hypervisor[0].ssh), "%s", r->peer[i].ssh);
			snprintf(t->state.hypervisor[t->state.n].address,
				 sizeof(t->state.hypervisor[0].address), "%s", r->peer[i].address);
			snprintf(t->state.hypervisor[t->state.n++].file,
				 sizeof(t->state.hypervisor[0].file), "%s", r->peer[i].file);
		}
	return key_state_write(&t->state) < 0
		       ? end(t, EXIT_FAILED, "failed", "FILE.rotation cannot be written",
			     "look at the disk")
		       : EXIT_OK;
}

/* The hypervisors are those that it began with. */
static void recall_hypervisors(struct rotation *t)
{
	struct key_run *r = t->r;

	for (unsigned i = 0; i < t->state.n; i++) {
		bool known = false;

		for (unsigned k = 0; k < r->n; k++)
			known |= r->peer[k].hypervisor &&
				 strcmp(r->peer[k].address, t->state.hypervisor[i].address) == 0;
		if (known || r->n == KEY_PEERS_MAX)
			continue;
		struct key_peer *p = &r->peer[r->n++];

		memset(p, 0, sizeof(*p));
		p->hypervisor = true;
		snprintf(p->ssh, sizeof(p->ssh), "%s", t->state.hypervisor[i].ssh);
		const char *at = strrchr(t->state.hypervisor[i].ssh, '@');

		snprintf(p->name, sizeof(p->name), "%.63s",
			 at ? at + 1 : t->state.hypervisor[i].ssh);
		snprintf(p->address, sizeof(p->address), "%s", t->state.hypervisor[i].address);
		snprintf(p->file, sizeof(p->file), "%s", t->state.hypervisor[i].file);
	}
}

static int take_lock(struct rotation *t)
{
	char dir[CONFIG_PATH_MAX];
	char *slash;

	snprintf(dir, sizeof(dir), "%s", t->r->file);
	slash = strrchr(dir, '/');
	if (slash)
		*(slash == dir ? slash + 1 : slash) = '\0';
	t->lock = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (t->lock < 0)
		return end(t, EXIT_FAILED, "failed", strerror(errno),
			   "is there a key here at all?");
	if (flock(t->lock, LOCK_EX | LOCK_NB) < 0)
		return end(t, EXIT_DEGRADED, "waiting",
			   "another stockade key rotate runs here just now", "wait for it");
	return EXIT_OK;
}

static int rotate(struct rotation *t, bool abort_it, size_t bytes)
{
	int code = take_lock(t), r;

	if (code != EXIT_OK)
		return code;
	r = key_state_read(t->r->file, &t->state);
	if (r < 0)
		return end(t, EXIT_FAILED, "failed", "FILE.rotation cannot be read",
			   "stockade key verify shows what everybody holds; then remove it");
	if (r == 0 && abort_it)
		return end(t, EXIT_OK, "none", "no rotation is under way here: nothing to undo",
			   NULL);
	if (r == 0) {
		code = begin(t);
		if (code != EXIT_OK)
			return code;
	} else {
		key_progress(t->r, NULL, "going on with the rotation of %s", t->state.began);
		recall_hypervisors(t);
		if (!find_key(t->r, t->state.before, &t->before))
			return end(
				t, EXIT_REFUSED, "refused",
				"the key that it began with is not on this machine any more",
				"stockade key verify; then copy the right key to all: stockade key push --replace");
		if (t->state.after[0] && !find_key(t->r, t->state.after, &t->after) &&
		    !(abort_it || t->state.back))
			return end(t, EXIT_REFUSED, "refused",
				   "the new key is not on this machine any more",
				   "stockade key rotate --abort");
	}
	if (t->state.after[0] == '\0') {
		code = make_new(t, bytes);
		if (code != EXIT_OK)
			return code;
	}
	if (!t->r->json) {
		printf("from %s to %s\n", t->state.before, t->state.after);
		fflush(stdout);
	}
	if (abort_it && !t->state.back) {
		for (unsigned i = 0; i < t->r->n; i++)
			look_at(t, i);
		if (plan_back(t->host, t->r->n)) {
			t->state.back = true;
			key_state_write(&t->state);
		} else {
			return refused(t, plan_next(t->host, t->r->n, true, false));
		}
	}
	if (!abort_it && t->state.back)
		return end(t, EXIT_REFUSED, "refused", "this rotation is being undone",
			   "stockade key rotate --abort goes on with that");
	return walk(t);
}

int key_rotate_run(struct key_run *r, bool abort_it, uint64_t pause_ms, size_t bytes)
{
	static struct rotation t;

	t.r = r;
	t.pause_ms = pause_ms;
	t.begin_ms = mono_ms();
	t.lock = -1;
	int code = rotate(&t, abort_it, bytes);

	key_forget(&t.before);
	key_forget(&t.after);
	if (t.lock >= 0)
		close(t.lock);
	return code;
}
