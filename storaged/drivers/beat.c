/* SPDX-License-Identifier: GPL-3.0-or-later */
/* beat.c - DRIVER_HEARTBEAT: one thread does the I/O and may hang on a dead disk, the other says what that means. */
#include "owner.h"
#include "word.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

struct beats {
	struct op *op;
	int (*open)(struct op *op, struct area *a, bool write);
	pthread_mutex_t lock; /* of the following */
	struct epoch_watch watch;
	uint64_t wrote_ms; /* owner: the last beat that reached the disk; 0: none */
	uint64_t epoch;    /* in the record, as read last */
	bool lost;         /* owner: the record is not ours any more */
	bool spoke, deaf;  /* a line was written; nobody reads them any more */
	enum life_sign told;
	uint64_t told_epoch;
	struct word_key key;
	bool word, told_word; /* watching: `worded` is sealed, and moved */
	struct epoch_beat worded;
	uint32_t told_armed_ms;
	uint8_t told_boot[BOOT_ID_BYTES];
};

static enum life_sign life(const struct beats *b)
{
	const struct driver_job *job = b->op->job;
	uint32_t stale = job->cfg->timing.stale_ms;
	uint64_t now = op_now_ms();

	if (job->owner != job->self.nodeid)
		return epoch_watch_life(&b->watch, now, stale);
	return b->wrote_ms && now - b->wrote_ms < stale && !b->lost ? LIFE_FRESH : LIFE_UNKNOWN;
}

/* Write a line when there is something new. By the I/O thread after each round, by the other when that one hangs. */
static void tell(struct beats *b)
{
	pthread_mutex_lock(&b->lock);
	struct driver_line line = { .kind = DRIVER_LINE_LIFE,
				    .node = b->op->job->owner,
				    .life = life(b),
				    .epoch = b->epoch,
				    .word = b->word,
				    .armed_ms = b->worded.armed_ms };
	memcpy(line.boot_id, b->worded.life.boot_id, BOOT_ID_BYTES);
	bool news = b->word && (!b->told_word || b->told_armed_ms != line.armed_ms ||
				memcmp(b->told_boot, line.boot_id, BOOT_ID_BYTES) != 0);

	if (!b->spoke || line.life != b->told || line.epoch != b->told_epoch || news) {
		b->deaf = driver_line_write(b->op->fd, &line) < 0;
		b->spoke = true;
		b->told = line.life;
		b->told_epoch = line.epoch;
		b->told_word = line.word;
		b->told_armed_ms = line.armed_ms;
		memcpy(b->told_boot, line.boot_id, BOOT_ID_BYTES);
	}
	pthread_mutex_unlock(&b->lock);
}

/* Is the record still ours? Its own block says so, and says by that where the area is. */
static int beat_look(struct beats *b, const struct area *a)
{
	const struct driver_job *job = b->op->job;
	struct epoch_record rec;
	int r = area_record_peek(a, &rec);

	if (r < 0)
		return r;
	pthread_mutex_lock(&b->lock);
	b->epoch = rec.epoch;
	/* not a byte more (SAFE-1); the other thread tells */
	b->lost = rec.state != EPOCH_ACTIVE || !incarnation_same_boot(&rec.owner, &job->self);
	pthread_mutex_unlock(&b->lock);
	return 0;
}

/*
 * One round of an owner. Two things could have become untrue: that the record is ours, and that the area is where it
 * was. Either is asked in every other round, so that a beat costs one read; a beat that is one period late to stop does no harm, it
 * is a block of our own, and its going on is what tells a successor that we were buried alive.
 */
static int beat_own(struct beats *b, const struct area *a, struct epoch_beat *beat)
{
	const struct driver_job *job = b->op->job;
	bool look = b->epoch == 0 || b->lost || beat->counter % 2 == 0;

	if (look) {
		int r = beat_look(b, a);

		if (r < 0 || b->lost)
			return r;
	}
	beat->life = job->self;
	beat->epoch = b->epoch;
	beat->counter++;
	beat->armed_ms = job->beat ? atomic_load(&job->beat->armed_ms) : 0;
	word_seal(&b->key, job->cfg->cluster, job->vol->name, beat);
	int r = area_beat_write(a, beat, look);

	if (r < 0)
		return r;
	pthread_mutex_lock(&b->lock);
	b->wrote_ms = op_now_ms();
	pthread_mutex_unlock(&b->lock);
	return 0;
}

static int beat_watch(struct beats *b, const struct area *a)
{
	const struct driver_job *job = b->op->job;
	struct epoch_beat beat;
	int r = area_beat_read(a, job->owner, &beat);

	if (r < 0 && r != -ENODATA)
		return r;
	uint64_t now = op_now_ms();

	/* Only what moves is this life's word: a block that stands still is from a time that nobody knows. */
	bool onward = b->watch.valid && r == 0 && beat.counter > b->watch.beat.counter &&
		      incarnation_same_boot(&beat.life, &b->watch.beat.life);

	pthread_mutex_lock(&b->lock);
	bool changed = epoch_watch_read(&b->watch, r == 0 ? &beat : NULL, now);
	bool word = changed && onward &&
		    word_sealed(&b->key, job->cfg->cluster, job->vol->name, &beat);

	if (word) {
		b->word = true;
		b->worded = beat;
	}

	b->epoch = r == 0 ? beat.epoch : 0;
	pthread_mutex_unlock(&b->lock);
	if (changed && job->beat)
		atomic_store(&job->beat->changed_ms, now);
	if (word && job->beat) {
		uint64_t boot = driver_word_boot(beat.life.boot_id);

		if (atomic_load(&job->beat->word_boot) != boot) {
			atomic_store(&job->beat->word_ms, 0);
			atomic_store(&job->beat->word_boot, boot);
		}
		atomic_store(&job->beat->word_ms, now);
	}
	return 0;
}

/* A beat was confirmed, or a block read, that began at @begin. Of two beats the first may have reached the disk as it began, and the other one
 * only now. A little less than the stale time, as the readers' clock may be faster. */
static void done(const struct driver_job *job, bool own, uint64_t begin)
{
	struct driver_beat *page = job->beat;
	uint64_t now = op_now_ms(), before = atomic_load(&page->began_ms);
	uint32_t stale = job->cfg->timing.stale_ms;

	if (own && (before == 0 || now - before >= stale - stale / 16))
		atomic_store(&page->shown_ms, begin);
	atomic_store(&page->began_ms, begin);
	atomic_store(&page->io_ok_ms, now);
}

static void *io_thread(void *arg)
{
	struct beats *b = arg;
	const struct driver_job *job = b->op->job;
	const struct timing *t = &job->cfg->timing;
	bool own = job->owner == job->self.nodeid;
	uint32_t period = own || t->heartbeat_ms < t->stale_ms / 2 ? t->heartbeat_ms
								   : t->stale_ms / 2;
	struct area a = AREA_CLOSED;
	struct epoch_beat beat = { .counter = 0 };

	for (;;) {
		uint64_t begin = op_now_ms();
		int r = 0;

		if (a.fd < 0) {
			r = b->open(b->op, &a, own);
			/* go on counting where our block stands: a counter that jumps back is a change too,
			 * but one that stays by chance would not be */
			if (r == 0 && own) {
				r = area_beat_read(&a, job->self.nodeid, &beat);
				r = r == -ENODATA ? 0 : r;
			}
		}
		if (r == 0)
			r = own ? beat_own(b, &a, &beat) : beat_watch(b, &a);
		if (r == 0 && job->beat) {
			atomic_store(&job->beat->epoch, b->epoch);
			/* an owner whose record is another's has written nothing: it does not show itself (SAFE-13) */
			if (!own || !b->lost)
				done(job, own, begin);
		}
		if (r < 0)
			area_close(&a);
		tell(b);
		uint64_t took = op_now_ms() - begin;

		sleep_ms(took < period ? (uint32_t)(period - took) : 1);
	}
	return NULL;
}

enum driver_result owner_beat(struct op *op, int (*open)(struct op *op, struct area *a, bool write))
{
	struct beats b = { .op = op, .open = open, .lock = PTHREAD_MUTEX_INITIALIZER };
	uint32_t look = op->job->cfg->timing.stale_ms / 2;
	pthread_t io;

	word_key_read(&b.key);

	if (!nodeid_valid(op->job->owner))
		return op_fail(op, "internal", "report this", "a heartbeat of nobody");
	int r = pthread_create(&io, NULL, io_thread, &b);

	if (r != 0)
		return op_fail(op, "internal", "free some memory", "no thread: %s", strerror(r));
	for (;;) {
		struct pollfd p = { .fd = op->fd, .events = 0 };

		/* waits its time, or until nobody listens any more */
		if (poll(&p, 1, look > 20 ? (int)look : 20) > 0 &&
		    (p.revents & (POLLERR | POLLHUP)))
			break;
		tell(&b);
		pthread_mutex_lock(&b.lock);
		bool deaf = b.deaf;

		pthread_mutex_unlock(&b.lock);
		if (deaf)
			break;
	}
	/* The I/O thread may be in a read that never ends: it goes with the process. */
	return op_end(op, DRIVER_UNKNOWN, "nobody listens");
}
