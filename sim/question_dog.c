/* SPDX-License-Identifier: GPL-3.0-or-later */
/* sim/question_dog.c - watchdogs as the only fence device: nobody is proven dead by one while it can still write (SAFE-12).
 *
 * Two or three nodes, each with a watchdog that is true: it resets T after the last pet that reached it; one may have none
 * that works, or one whose driver made T longer. A seed draws T, who is cut off or crashes, when each side notices (up to 4 tokens apart), who serves, storage that is lost, and processes that
 * stand still at the worst moments: also between the look at the rules and the pet. Who serves writes its heartbeat to a
 * disk, and the others read it there: by a child of storaged, which goes on when storaged stands still, while storaged tells what
 * the child saw. In two nodes everything is combined: crash, cut of the network and of the disk of either, for ever or for a
 * while, whole nodes and single daemons that stand still, words about who serves that were not heard, late beats. Broken is:
 *   FENCE-6   a watchdog_expired proof of a life that runs
 *   FENCE-20  a watchdog fires, nothing stood still, and storaged was not told T / 20 before, at least, that all must be let go by now; or
 *             it was told that its time has begun while the watchdog was petted
 *   SAFE-12   a pet long after a daemon fell silent, or the storage was lost, where something is held
 *   SAFE-13   two nodes, and nothing else fails: of a cut not just one is left; after a crash of the one that serves the
 *             other one has no proof in its time
 */
#include "fenced/core/fence.h"
#include "prng.h"
#include "question.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TOKEN_MS 1000
#define N_MAX 3
#define START_MS 100000
#define QUEUE_MAX 256
#define BEAT_MS 400 /* as lib/timing has them for detect 2.4 s */
#define STALE_MS 1200

struct message {
	uint32_t from, to;
	uint64_t ring;
	size_t len;
	uint8_t *data;
};

struct node {
	struct fence_domain *dom;
	bool runs;   /* its kernel: it may write */
	bool armed;  /* from here on `fires_ms` is true */
	bool no_dog; /* it cannot be armed */
	uint32_t t_ms;
	uint64_t fires_ms, look_ms, thaw_ms, late_pet_ms, view_ms;
	uint64_t ring;
	struct nodeset members, next; /* next: of the view that comes at view_ms */
	struct fence_signs
		signs; /* as storaged said last; in fenced's pipe while that stands still */
	bool piped, thawed;
	uint64_t check, signs_ms; /* signs_ms: they changed */
	/* storaged, its child, and the disk */
	bool volume;                /* what it serves has one */
	bool told;                  /* it has said what it serves */
	uint64_t ice_ms;            /* the whole node stands still until then */
	uint64_t mute_ms[2];        /* storaged and dlmd stand still until then */
	uint64_t alive_ms[2];       /* fenced heard them */
	uint64_t away_ms, back_ms;  /* its disk cannot be reached from .. until */
	uint64_t beat_ms, wrote_ms; /* the next; the last that was confirmed, own clock */
	uint64_t shown_ms;          /* no gap since then */
	uint64_t block_ms;          /* as it stands on the disk: that it moved last */
	uint64_t watch_ms, read_ms, seen_ms,
		moved_ms; /* of the other one's block: since, read, what, when it moved */
	uint64_t tell_ms;
	uint64_t held_ms;
	uint32_t mute;
};

static struct world {
	uint64_t seed, now_ms, proofs;
	uint32_t lost; /* cut off, or crashed; 0: not yet */
	struct prng p;
	bool verbose, broken, freezes;
	bool stood;    /* something stood still */
	uint32_t deaf; /* hears nobody at the start, and leaves the others out; 0: nobody */
	unsigned n;
	uint32_t t_ms, grace_ms, margin_ms;
	bool calm; /* nothing but the cut or the crash */
	uint64_t lost_ms, proof_ms;
	struct node node[N_MAX + 1];
	struct message queue[QUEUE_MAX];
	unsigned n_queue;
} w;

static void broken(const char *id, uint32_t node, const char *text)
{
	printf("broken=%s seed=%" PRIu64 " node=%u t_ms=%" PRIu64 ": %s\n", id, w.seed, node,
	       w.now_ms, text);
	w.broken = true;
}

static bool stopped(const struct node *s)
{
	return s->thaw_ms > w.now_ms || s->ice_ms > w.now_ms;
}

static bool reaches_disk(const struct node *s)
{
	return s->away_ms > w.now_ms || s->back_ms <= w.now_ms;
}

/* storaged's child: storaged/drivers/beat.c. It does not stand still with storaged. */
static void child(uint32_t id)
{
	struct node *s = &w.node[id], *other = &w.node[3 - id];

	if (!s->runs || s->ice_ms > w.now_ms || s->beat_ms > w.now_ms)
		return;
	s->beat_ms = w.now_ms + prng_range(&w.p, BEAT_MS - 100, BEAT_MS + 100);
	if (!reaches_disk(s))
		return;
	if (s->volume && s->signs.weight > 0) {
		if (w.now_ms - s->wrote_ms >= STALE_MS - STALE_MS / 16)
			s->shown_ms = w.now_ms;
		s->wrote_ms = s->block_ms = w.now_ms;
	}
	if (w.n != 2)
		return;
	s->read_ms = w.now_ms;
	if (other->block_ms > s->seen_ms) {
		s->seen_ms = other->block_ms;
		s->moved_ms = w.now_ms;
	}
}

/* As beat_life() of storaged/daemon/watch.c. */
static enum life_sign peer_life(const struct node *s, const struct node *other)
{
	if (!other->volume || !s->read_ms || w.now_ms - s->read_ms >= STALE_MS)
		return LIFE_UNKNOWN;
	if (s->moved_ms && w.now_ms - s->moved_ms < STALE_MS)
		return LIFE_FRESH;
	return w.now_ms - s->watch_ms >= STALE_MS ? LIFE_STALE : LIFE_UNKNOWN;
}

static void ends(uint32_t id, const char *why)
{
	struct node *s = &w.node[id];

	if (w.verbose)
		printf("%9" PRIu64 " node%u ends: %s\n", w.now_ms - START_MS, id, why);
	s->runs = s->armed = false;
	s->dom = fence_free(s->dom);
	s->late_pet_ms = s->view_ms = 0;
}

static void look_at_proof(uint32_t by, const struct fence_action *a)
{
	if (w.verbose)
		printf("%9" PRIu64 " node%u note %d about node%u: %s\n", w.now_ms - START_MS, by,
		       a->history.note, a->history.node, a->history.text);
	if (a->history.note != FENCE_NOTE_PROOF || a->history.kind != PROOF_WATCHDOG_EXPIRED)
		return;
	w.proofs++;
	w.proof_ms = w.now_ms;
	if (w.node[a->history.node].runs)
		broken("FENCE-6", a->history.node, "proven dead by its watchdog, and it runs");
}

static void step(uint32_t id, struct fence_event ev)
{
	struct node *s = &w.node[id];
	struct fence_actions *out = malloc(sizeof(*out));
	bool reboot = false;

	if (!out)
		abort();
	out->n = 0;
	ev.now_ms = w.now_ms;
	if (s->dom)
		fence_step(s->dom, &ev, out);
	for (unsigned i = 0; i < out->n; i++) {
		const struct fence_action *a = &out->v[i];

		if (a->type == FENCE_ACT_HISTORY)
			look_at_proof(id, a);
		reboot = reboot || a->type == FENCE_ACT_REBOOT_SELF;
		if (a->type == FENCE_ACT_CHECK)
			s->check = a->check.check;
		for (uint32_t to = 1; a->type == FENCE_ACT_SEND && to <= w.n; to++) {
			struct message *m = &w.queue[w.n_queue];

			/* what is sent over the cut reaches nobody but the sender */
			if (to != id && (w.lost == id || w.lost == to || w.deaf == to ||
					 !nodeset_has(s->members, to)))
				continue;
			if (w.n_queue++ >= QUEUE_MAX)
				abort();
			*m = (struct message){ id, to, s->ring, out->msg_len,
					       malloc(out->msg_len) };
			if (!m->data)
				abort();
			memcpy(m->data, out->msg, out->msg_len);
		}
	}
	free(out);
	if (reboot)
		ends(id, "reboots itself");
}

static void deliver(void)
{
	for (unsigned i = 0; i < w.n_queue;) {
		struct message m = w.queue[i];
		struct node *s = &w.node[m.to];

		if (s->dom && (stopped(s) || (s->ring != m.ring && s->view_ms))) {
			i++; /* it will read it; or in a view that it has not heard of yet */
			continue;
		}
		memmove(w.queue + i, w.queue + i + 1, (--w.n_queue - i) * sizeof(m));
		if (s->dom && s->ring == m.ring)
			step(m.to, (struct fence_event){ .type = FENCE_EV_DELIVER,
							 .deliver = { m.from, m.data, m.len } });
		free(m.data);
		i = 0;
	}
}

static void tell(uint32_t id)
{
	static const char *const sign[] = { "unknown", "fresh", "stale" };
	struct node *s = &w.node[id];

	s->signs_ms = w.now_ms;
	if (w.verbose)
		printf("%9" PRIu64
		       " node%u storaged: serves %u, own heartbeat %s, the other one's %s\n",
		       w.now_ms - START_MS, id, s->signs.weight, sign[s->signs.self],
		       sign[s->signs.peer[3 - (id > 2 ? 2 : id)]]);
	step(id, (struct fence_event){ .type = FENCE_EV_SIGNS, .signs = s->signs });
}

/* storaged's loop: it says that it turns, and what is new. */
static void storaged(uint32_t id)
{
	struct node *s = &w.node[id];
	struct fence_signs new = s->signs;

	for (unsigned i = 0; i < 2; i++)
		if (s->runs && s->ice_ms <= w.now_ms && s->mute_ms[i] <= w.now_ms)
			s->alive_ms[i] = w.now_ms;
	if (!s->runs || !s->told || s->ice_ms > w.now_ms || s->mute_ms[0] > w.now_ms ||
	    s->tell_ms > w.now_ms)
		return;
	s->tell_ms = w.now_ms + STALE_MS;
	new.self = !s->volume || new.weight == 0       ? LIFE_UNKNOWN
		   : w.now_ms - s->wrote_ms < STALE_MS ? LIFE_FRESH
						       : LIFE_STALE;
	new.shown_ms = s->volume &&new.weight ? s->shown_ms : 0;
	if (w.n == 2)
		new.peer[3 - id] = peer_life(s, &w.node[3 - id]);
	uint64_t moved = s->moved_ms > s->watch_ms ? s->moved_ms : s->watch_ms;

	new.moved_ms = w.n == 2 && new.peer[3 - id] != LIFE_FRESH ? moved : 0;
	new.still = s->read_ms >= moved && s->read_ms - moved >= STALE_MS;
	if (memcmp(&new, &s->signs, sizeof(new)) == 0)
		return;
	s->signs = new;
	s->piped = true;
}

static void serves(uint32_t id, unsigned weight)
{
	struct node *s = &w.node[id];

	if (weight > 0 && !s->signs.holds)
		s->held_ms = w.now_ms;
	if (s->signs.weight == 0)
		s->wrote_ms = s->shown_ms = w.now_ms; /* it wrote its epoch */
	s->signs.weight = weight;
	s->signs.holds = weight > 0;
	s->signs.self = weight == 0 || !s->volume || !reaches_disk(s) ? LIFE_UNKNOWN : LIFE_FRESH;
	s->told = true;
	s->piped = true;
}

static void view(uint32_t id)
{
	struct node *s = &w.node[id];
	struct fence_event ev = { .type = FENCE_EV_VIEW };

	ev.view.id = (struct view_id){ s->ring ? 8 : 4, nodeset_lowest(s->next) };
	ev.view.two_node = w.n == 2;
	ev.view.quorate = w.n == 2 || nodeset_count(s->next) == 2 || nodeset_count(s->next) == 3;
	ev.view.nodes = ev.view.members = s->next;
	ev.view.joined = nodeset_minus(s->next, s->members);
	ev.view.left_nodedown = nodeset_minus(s->members, s->next);
	s->members = s->next;
	s->ring = ev.view.id.seq * 64 + ev.view.id.rep;
	s->view_ms = 0;
	step(id, ev);
}

static uint64_t max3(uint64_t a, uint64_t b, uint64_t c)
{
	return a > b ? (a > c ? a : c) : (b > c ? b : c);
}

/* SAFE-12: what is held here is looked after by nobody, since longer than the grace and all that may make it late. */
static void check_pet(uint32_t id)
{
	const struct node *s = &w.node[id];
	uint64_t late = s->t_ms / 2 + 2 * (s->t_ms / 5) + s->t_ms + w.grace_ms;

	if (!s->signs.holds)
		return;
	for (unsigned i = 0; i < 2; i++)
		if (s->mute_ms[i] > w.now_ms &&
		    w.now_ms > max3(s->alive_ms[i], s->held_ms, 0) + late)
			broken("SAFE-12", id, "pets, and a daemon of it stands still");
	if (s->volume && s->mute_ms[0] <= w.now_ms && !reaches_disk(s) &&
	    w.now_ms >
		    max3(s->wrote_ms, s->held_ms, s->alive_ms[0] == w.now_ms ? 0 : s->mute_ms[0]) +
			    late + 3 * STALE_MS)
		broken("SAFE-12", id, "pets, and does not reach its disk");
}

static void pet(struct node *s)
{
	check_pet((uint32_t)(s - w.node));
	s->armed = true;
	s->fires_ms = w.now_ms + s->t_ms;
}

/* FENCE-20: what storaged knows when the watchdog fires, and when it is petted. */
static void look_at_word(uint32_t id, bool fires)
{
	struct node *s = &w.node[id];
	struct fence_state st;

	if (w.freezes || w.stood || !s->dom)
		return;
	fence_snapshot(s->dom, w.now_ms, &st);
	/* its rules may have begun to hold again since the last look */
	bool again = !st.let_go_ms && w.now_ms - s->signs_ms <= s->t_ms / 5 + 40;

	if (fires && !again && (!st.let_go_ms || st.let_go_end_ms + s->t_ms / 20 > w.now_ms))
		broken("FENCE-20", id, "its watchdog fires, and what it holds was not let go");
	if (!fires && st.let_go_ms && st.let_go_ms < w.now_ms)
		broken("FENCE-20", id, "its time to let go has begun, and its watchdog is petted");
}

/* fenced/daemon/guard.c: look, then pet; between the two the process may stand still. */
static void look(uint32_t id)
{
	struct node *s = &w.node[id];
	const char *why;

	uint32_t mute = 0;

	s->look_ms = w.now_ms + s->t_ms / 5;
	for (unsigned i = 0; i < 2; i++)
		if (w.now_ms - s->alive_ms[i] > s->t_ms / 2)
			mute |= i == 0 ? FENCE_DAEMON_STORAGED : FENCE_DAEMON_DLMD;
	if (mute != s->mute) {
		s->mute = mute;
		step(id, (struct fence_event){ .type = FENCE_EV_DAEMONS, .mute = mute });
	}
	step(id, (struct fence_event){ .type = FENCE_EV_TIMEOUT });
	if (!s->dom || s->no_dog || !fence_may_pet(s->dom, w.now_ms, &why))
		return;
	if (!s->armed) {
		pet(s);
		step(id, (struct fence_event){ .type = FENCE_EV_WATCHDOG, .armed_ms = s->t_ms });
	} else if (id == w.lost && w.freezes && prng_permille(&w.p, 250)) {
		/* at the latest right before it fires */
		s->thaw_ms = s->late_pet_ms = w.now_ms + prng_range(&w.p, 1, s->t_ms);
	} else {
		look_at_word(id, false);
		pet(s);
	}
}

static void tick(uint32_t id)
{
	struct node *s = &w.node[id];

	if (s->armed && s->fires_ms <= w.now_ms)
		look_at_word(id, true);
	if (s->armed && s->fires_ms <= w.now_ms)
		ends(id, "its watchdog");
	child(id);
	storaged(id);
	s->thawed = s->thawed || stopped(s);
	if (!s->runs || stopped(s))
		return;
	if (s->late_pet_ms && s->late_pet_ms <= w.now_ms) {
		s->late_pet_ms = 0;
		pet(s);
	}
	if (s->dom && s->thawed && s->look_ms <= w.now_ms && prng_permille(&w.p, 500))
		look(id); /* before it reads what has come meanwhile */
	s->thawed = false;
	if (stopped(s))
		return; /* it reads it first when it goes on: libqb's order (fenced/daemon/guard.c) */
	if (s->view_ms && s->view_ms <= w.now_ms)
		view(id);
	if (s->dom && s->piped) {
		s->piped = false;
		tell(id);
	}
	if (s->dom && s->check) {
		uint64_t check = s->check;

		s->check = 0;
		step(id, (struct fence_event){ .type = FENCE_EV_READY_DONE,
					       .ready_done = { check, true, "" } });
	}
	if (s->dom && s->look_ms <= w.now_ms)
		look(id);
	if (s->dom && fence_deadline_ms(s->dom) <= w.now_ms)
		step(id, (struct fence_event){ .type = FENCE_EV_TIMEOUT });
}

static void run_ms(uint64_t ms)
{
	for (uint64_t end = w.now_ms + ms; w.now_ms < end && !w.broken; w.now_ms += 20) {
		for (uint32_t id = 1; id <= w.n; id++)
			tick(id);
		deliver();
	}
}

static void start(uint32_t id)
{
	struct node *s = &w.node[id];
	struct fence_config cfg = { .self = { .nodeid = id, .join = id },
				    .hash = 1,
				    .cut_delay_ms = 3000,
				    .post_join_ms = 3600000,
				    .absent_ms = 10000,
				    .retry_min_ms = 1000,
				    .retry_max_ms = 8000,
				    .ready_interval_ms = 3600000,
				    .ready_age_ms = 7200000,
				    .dog_grace_ms = w.grace_ms,
				    .dog_margin_ms = w.margin_ms,
				    .word_fresh_ms = 2 * STALE_MS + w.t_ms / 8,
				    .confirm_ms = 4 * TOKEN_MS,
				    .stall_ms = TOKEN_MS };

	cfg.self.boot_id[0] = (uint8_t)id;
	for (uint32_t i = 1; i <= w.n; i++) {
		nodeset_add(&cfg.nodes, i);
		nodeset_add(&s->next, i);
		cfg.path[i] = (struct fence_path){ .n_levels = 1, .n_devices = { 1 } };
		cfg.path[i].watchdog[0] = true;
	}
	s->dom = fence_new(&cfg);
	if (!s->dom)
		abort();
	s->runs = true;
	s->alive_ms[0] = s->alive_ms[1] = s->watch_ms = w.now_ms;
	s->volume = !prng_permille(&w.p, 100);
	s->t_ms = w.t_ms;
	s->look_ms = w.now_ms + prng_range(&w.p, 0, 2000);
	s->view_ms = w.now_ms + 20;
}

static uint64_t proofs, takeovers; /* of all seeds */

/* Something of @id fails, or stands still, or comes back; of two, anything of either. */
static void fault(uint32_t id)
{
	static const char *const faults[] = { "fenced stands still",   "fenced stands still",
					      "the node stands still", "a daemon stands still",
					      "loses its disk",        "reaches its disk again",
					      "serves something else", "a late beat lands" };
	struct node *s = &w.node[id];
	uint64_t until = w.now_ms + prng_range(&w.p, 1, 2 * w.t_ms);

	unsigned what = prng_range(&w.p, 0, 7);

	w.stood = w.stood || (s->dom && what < 4);
	if (!s->dom)
		return;
	if (w.verbose)
		printf("%9" PRIu64 " node%u: %s\n", w.now_ms - START_MS, id, faults[what]);
	switch (what) {
	case 0:
	case 1: s->thaw_ms = until; break;
	case 2: s->ice_ms = until; break;
	case 3:
		s->mute_ms[prng_range(&w.p, 0, 1)] =
			w.now_ms + prng_range(&w.p, 1, 8 * w.t_ms + 2 * w.grace_ms);
		break;
	case 4:
		s->away_ms = w.now_ms;
		s->back_ms = prng_permille(&w.p, 300) ? UINT64_MAX
						      : w.now_ms + prng_range(&w.p, 1, 6 * w.t_ms);
		break;
	case 5: s->back_ms = w.now_ms; break;
	case 6:
		if (w.n == 2)
			serves(id, prng_range(&w.p, 0, 2));
		break;
	case 7: /* what it had sent to the disk lands late: also after its end */
		if (s->block_ms)
			s->block_ms = w.now_ms;
		break;
	}
}

/* It stands still again and again, and runs only for moments between; half of the time for too short to notice it. */
static void pulses(uint32_t id)
{
	struct node *s = &w.node[id];
	bool whole = prng_permille(&w.p, 500);
	uint64_t end = w.now_ms + prng_range(&w.p, s->t_ms, 10 * s->t_ms + w.grace_ms);
	uint64_t most = prng_permille(&w.p, 500) ? s->t_ms / 10 * 9 : s->t_ms / 5 + TOKEN_MS - 200;

	w.stood = true;
	if (w.verbose)
		printf("%9" PRIu64 " node%u: %s stands still again and again\n",
		       w.now_ms - START_MS, id, whole ? "all of it" : "fenced");
	while (w.now_ms < end && s->dom && !w.broken) {
		uint64_t still = prng_range(&w.p, 1, most);

		if (whole)
			s->ice_ms = w.now_ms + still;
		else
			s->thaw_ms = w.now_ms + still;
		run_ms(still + prng_range(&w.p, 1, 5) * 20);
	}
}

/* SAFE-13: what has to be left of two when nothing else failed. */
static void check_two(bool crash)
{
	const struct node *gone = &w.node[w.lost], *other = &w.node[3 - w.lost];
	bool served = gone->volume && gone->signs.weight > 0;
	uint64_t most = 2200 + 2 * STALE_MS + 8000 + w.grace_ms + 4 * (uint64_t)w.t_ms +
			4 * STALE_MS + w.margin_ms;

	if (!crash && !w.broken && other->runs == gone->runs)
		broken("SAFE-13", w.lost, gone->runs ? "both are left" : "nobody is left");
	if (!w.broken && (!crash || served) && (w.proof_ms == 0 || w.proof_ms - w.lost_ms > most))
		broken("SAFE-13", w.lost, "nobody has a proof in its time");
	if (crash && !w.broken && served && !other->runs)
		broken("SAFE-13", 3 - w.lost,
		       "the one that served crashed, and the other one is not left");
	takeovers += crash && served && w.proof_ms > 0;
}

static void free_all(void)
{
	for (uint32_t id = 1; id <= w.n; id++)
		w.node[id].dom = fence_free(w.node[id].dom);
	while (w.n_queue)
		free(w.queue[--w.n_queue].data);
}

static void set_up(uint64_t seed, bool verbose)
{
	memset(&w, 0, sizeof(w));
	w.seed = w.p.s = seed;
	w.verbose = verbose;
	w.now_ms = START_MS;
	w.n = prng_permille(&w.p, 700) ? 2 : 3;
	w.t_ms = prng_range(&w.p, 4, 30) * 1000;
	w.calm = w.n == 2 && prng_permille(&w.p, 300);
	w.freezes = !w.calm && prng_permille(&w.p, 600);
	w.grace_ms = w.t_ms / 2 + prng_range(&w.p, 2000, 20000);
	w.margin_ms = 4 * TOKEN_MS + w.t_ms / 16 + 1000; /* as lib/timing has it */
	for (uint32_t id = 1; id <= w.n; id++)
		start(id);
	if (!w.calm && prng_permille(&w.p, 200)) {
		struct node *odd = &w.node[prng_range(&w.p, 1, w.n)];

		odd->no_dog = prng_permille(&w.p, 300);
		odd->t_ms *= prng_range(&w.p, 2, 5);
	}
	if (!w.calm && prng_permille(&w.p, 50))
		w.deaf = prng_range(&w.p, 1, w.n);
	run_ms(w.deaf ? 12000 : 4000);
	w.deaf = 0;
	for (uint32_t id = 1; id <= w.n; id++) {
		w.node[id].volume = w.node[id].volume || w.calm;
		serves(id, prng_range(&w.p, 0, 2));
	}
	run_ms(w.calm ? 4000 : 20);
	run_ms(prng_range(&w.p, 20, 30000));
}

/* What fails at the same time, a little before, or a little after. */
static void around(void)
{
	for (unsigned i = prng_range(&w.p, 0, 3); i > 0 && !w.calm && w.n == 2; i--) {
		fault(prng_range(&w.p, 1, 2));
		run_ms(prng_range(&w.p, 0, 4) * 40);
	}
}

static bool play(uint64_t seed, bool verbose)
{
	set_up(seed, verbose);
	uint32_t lost = prng_range(&w.p, 1, w.n);
	bool crash = prng_permille(&w.p, w.n == 2 ? 400 : 200);
	struct nodeset alone = NODESET_EMPTY;

	nodeset_add(&alone, lost);
	around();
	if (crash && w.node[lost].runs)
		ends(lost, "crash");
	w.lost = lost;
	w.lost_ms = w.now_ms;
	uint64_t seen = w.now_ms + prng_range(&w.p, 2040, 2200);
	bool lost_first = prng_permille(&w.p, 300);

	for (uint32_t id = 1; id <= w.n; id++) {
		struct node *s = &w.node[id];

		if (!s->dom)
			continue;
		s->next = id == lost ? alone : nodeset_minus(s->members, alone);
		/* the lost one may believe in its old view for up to four tokens beyond the others, or learn of it first */
		s->view_ms = seen + (id == lost && !lost_first  ? prng_range(&w.p, 0, 4 * TOKEN_MS)
				     : lost_first && id != lost ? 2000
								: 0);
	}
	around();
	if (w.freezes && prng_permille(&w.p, 300)) {
		run_ms(prng_range(&w.p, 0, 100) * 40);
		pulses(prng_range(&w.p, 1, w.n));
	}
	for (unsigned i = 0; i < 20 && !w.broken && !w.calm; i++) {
		run_ms(prng_range(&w.p, 20, w.t_ms));
		uint32_t id = prng_permille(&w.p, 700) ? lost : prng_range(&w.p, 1, w.n);

		if (w.freezes && prng_permille(&w.p, id == lost || w.n == 2 ? 300 : 20))
			fault(id);
	}
	run_ms(6 * (uint64_t)w.t_ms + 2 * w.grace_ms + 60000);
	if (w.calm)
		check_two(crash);
	free_all();
	proofs += w.proofs;
	return w.broken;
}

static void sum(uint64_t seeds)
{
	printf("dog: %" PRIu64 " seeds, %" PRIu64
	       " proofs by a watchdog, none of a life that ran; %" PRIu64
	       " times of two the one that served crashed and the other one stayed\n",
	       seeds, proofs, takeovers);
}

const struct question question_dog = { "--dog", play, sum };
