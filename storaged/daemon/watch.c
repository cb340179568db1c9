/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Children that stay: one per running service that looks at its resources, one per volume for the disk heartbeat.
 *
 * Both tell what they see through a page of shared memory, and write a line only when something changed, so an
 * idle cluster wakes this daemon once in a while, to look whether a child hangs, and for nothing else.
 */
#include "daemon.h"

#include "lib/shell/log.h"
#include "lib/utf8.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define HANG_MS 10000 /* a check that takes this much longer than its interval hangs */
#define BEAT_AGAIN_MS 1000
#define SILENT_LOOK_MS 250 /* looks at a disk that does not answer */
#define LOOK_MS 10000      /* is something active here by other hands? */
#define LOOK_STRAY_MS 1000 /* while something is, or cannot be told */

struct monitor_page {
	_Atomic uint64_t
		ok_ms[RUNNER_RESOURCES_MAX]; /* end of the last check that gave an answer */
};

static void *page_new(void)
{
	void *p = mmap(NULL, (size_t)sysconf(_SC_PAGESIZE), PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

static void page_free(void *p)
{
	if (p)
		munmap(p, (size_t)sysconf(_SC_PAGESIZE));
}

/* ---- monitors ---- */

/* In the child. One check: the driver's result line, read back from a pipe of our own. */
static void check(struct monitor *m, unsigned res, enum driver_result *last, int fd)
{
	struct daemon *d = m->d;
	const struct config_resource *r = frame_res(d, m->service, res);
	struct driver_job job = { .op = DRIVER_MONITOR,
				  .service = d->cfg->service[m->service].name,
				  .res = r,
				  .vol = r->type == CONFIG_RES_VOLUME ? &d->cfg->volume[r->volume]
								      : NULL,
				  .cfg = d->cfg,
				  .rundir = d->rundir,
				  .self = drive_life(d),
				  .fence = &d->fence_state };
	struct driver_line line, out = { .kind = DRIVER_LINE_RESULT };
	char buf[8192], *at, *end;
	int pipes[2];
	ssize_t n;

	snprintf(out.text, sizeof(out.text), "its check said nothing");
	if (pipe2(pipes, O_CLOEXEC) < 0)
		return;
	driver_run(&job, pipes[1]);
	close(pipes[1]);
	n = read(pipes[0], buf, sizeof(buf) - 1);
	close(pipes[0]);
	buf[n > 0 ? n : 0] = '\0';
	for (at = buf; (end = strchr(at, '\n')) != NULL; at = end + 1) {
		*end = '\0';
		if (driver_line_parse(&line, at) == 0 && line.kind == DRIVER_LINE_RESULT)
			out = line;
	}
	atomic_store(&m->page->ok_ms[res], mono_ms());
	if (out.result == DRIVER_HEALTHY && *last == DRIVER_HEALTHY)
		return;
	*last = out.result;
	out.node = res; /* which of the service's resources */
	driver_line_write(fd, &out);
}

static int monitor_work(void *arg, int fd)
{
	enum driver_result last[RUNNER_RESOURCES_MAX];
	uint64_t due[RUNNER_RESOURCES_MAX];
	struct monitor *m = arg;
	const struct config_service *svc = &m->d->cfg->service[m->service];
	pid_t parent = getppid();

	child_name("storaged-watch");
	if (getpriority(PRIO_PROCESS, 0) < 0)
		setpriority(PRIO_PROCESS, 0, 0); /* it has time */
	for (unsigned i = 0; i < svc->n_resources; i++) {
		last[i] = DRIVER_HEALTHY;
		due[i] = mono_ms() + svc->resource[i].monitor_ms;
	}
	while (getppid() == parent) {
		uint64_t now = mono_ms(), next = UINT64_MAX;

		for (unsigned i = 0; i < svc->n_resources; i++) {
			if (due[i] <= now) {
				check(m, i, &last[i], fd);
				due[i] = mono_ms() + svc->resource[i].monitor_ms;
			}
			if (due[i] < next)
				next = due[i];
		}
		now = mono_ms();
		if (next > now) {
			/* Together with those due soon: one wake-up does for all. */
			uint64_t wait = next - now + 20;

			nanosleep(&(struct timespec){ .tv_sec = (time_t)(wait / 1000),
						      .tv_nsec = (long)(wait % 1000) * 1000000 },
				  NULL);
		}
	}
	return 0;
}

static void on_monitor_line(void *arg, const char *text)
{
	struct monitor *m = arg;
	struct place_event ev = { .type = PLACE_EV_MONITOR };
	struct driver_line line;
	char why[RUNNER_WHY_MAX];

	if (!m->wanted || driver_line_parse(&line, text) < 0 || line.kind != DRIVER_LINE_RESULT ||
	    line.node >= m->d->cfg->service[m->service].n_resources)
		return;
	switch (line.result) {
	case DRIVER_HEALTHY: ev.monitor.result = DRIVE_OK; break;
	case DRIVER_FAILED: ev.monitor.result = DRIVE_FAILED; break;
	case DRIVER_INACTIVE: ev.monitor.result = DRIVE_NONE; break;
	case DRIVER_UNKNOWN:
	case DRIVER_OK:
	case DRIVER_ACTIVE:
	case DRIVER_PARTIAL: ev.monitor.result = DRIVE_UNKNOWN; break;
	}
	snprintf(why, sizeof(why), "%.60s: %.130s", frame_res(m->d, m->service, line.node)->ref,
		 line.text);
	utf8_mend(why);
	if (ev.monitor.result != DRIVE_OK)
		log_warning("monitor.bad", "service=%s result=%s text=\"%s\"",
			    m->d->cfg->service[m->service].name, driver_result_name(line.result),
			    why);
	ev.monitor.service = m->service;
	ev.monitor.res = line.node;
	ev.monitor.why = why;
	ev.monitor.cut_off = strcmp(line.code, DRIVER_CODE_CUT_OFF) == 0;
	feed(m->d, ev);
}

static void monitor_begin(struct monitor *m);

static void on_monitor_done(void *arg, const struct spawn_result *r)
{
	struct monitor *m = arg;

	m->spawn = NULL;
	if (!r->stuck)
		page_free(m->page);
	m->page = NULL;
	if (m->wanted)
		monitor_begin(m);
}

static void monitor_begin(struct monitor *m)
{
	m->page = page_new();
	if (!m->page)
		return; /* the watch timer tries again */
	m->since_ms = mono_ms();
	m->spawn = spawn_work(m->d->loop, monitor_work, m, 0, on_monitor_line, on_monitor_done, m);
	if (!m->spawn) {
		page_free(m->page);
		m->page = NULL;
	}
}

void monitor_set(struct daemon *d, unsigned service, bool on)
{
	struct monitor *m = &d->monitor[service];

	m->d = d;
	m->service = service;
	m->wanted = on;
	if (on)
		warm_soon(d);
	if (on && !m->spawn)
		monitor_begin(m);
	else if (!on && m->spawn)
		spawn_kill(m->spawn);
	loop_timer_arm(d->watch_timer, mono_ms() + d->cfg->timing.stale_ms);
}

/* A check that gives no answer is an answer: unknown (keepalived's trap: the disk died, so did the check). */
static void monitor_look(struct monitor *m)
{
	const struct config_service *svc = &m->d->cfg->service[m->service];
	uint64_t now = mono_ms();

	if (!m->spawn) {
		monitor_begin(m);
		return;
	}
	for (unsigned i = 0; i < svc->n_resources && m->wanted; i++) {
		uint64_t seen = atomic_load(&m->page->ok_ms[i]);
		char why[RUNNER_WHY_MAX];

		if (seen < m->since_ms)
			seen = m->since_ms;
		if (now - seen < svc->resource[i].monitor_ms + HANG_MS)
			continue;
		atomic_store(&m->page->ok_ms[i], now); /* one unknown per period, not per look */
		snprintf(why, sizeof(why), "%.60s: its check has not answered for %llu s",
			 svc->resource[i].ref, (unsigned long long)(now - seen) / 1000);
		feed(m->d, (struct place_event){ .type = PLACE_EV_MONITOR,
						 .monitor = { .service = m->service,
							      .res = i,
							      .result = DRIVE_UNKNOWN,
							      .why = why } });
		if (!m->spawn)
			return;
	}
}

/* ---- heartbeats ---- */

static int beat_work(void *arg, int fd)
{
	struct beat *b = arg;
	struct daemon *d = b->d;
	struct driver_job job = { .op = DRIVER_HEARTBEAT,
				  .vol = &d->cfg->volume[b->volume],
				  .cfg = d->cfg,
				  .rundir = d->rundir,
				  .self = drive_life(d),
				  .fence = &d->fence_state,
				  .owner = b->node,
				  .beat = b->page };
	unsigned s, res;

	child_name("storaged-beat");
	if (frame_volume(d, b->volume, &s, &res)) {
		job.service = d->cfg->service[s].name;
		job.epoch = d->seen[s][res].record_epoch;
	}
	return driver_run(&job, fd);
}

static void disks_look(struct daemon *d);

static void on_beat_line(void *arg, const char *text)
{
	struct beat *b = arg;
	struct driver_line line;

	if (driver_line_parse(&line, text) < 0)
		return;
	if (line.kind == DRIVER_LINE_LIFE && line.word && b->child_node == line.node) {
		b->word = true;
		b->armed_ms = line.armed_ms;
		memcpy(b->boot_id, line.boot_id, BOOT_ID_BYTES);
	}
	if (line.kind == DRIVER_LINE_LIFE)
		log_info("heartbeat", "volume=%s node=%s life=%d",
			 b->d->cfg->volume[b->volume].name, node_name(b->d, line.node),
			 (int)line.life);
	else if (line.text[0])
		log_warning("heartbeat", "volume=%s text=\"%s\"", b->d->cfg->volume[b->volume].name,
			    line.text);
	signs_update(b->d);
	disks_look(b->d);
}

static void beat_begin(struct beat *b);

/* Over the lives of its children: what one of them could reach is not forgotten by the next. */
static void beat_ok(struct beat *b)
{
	uint64_t io = b->page ? atomic_load(&b->page->io_ok_ms) : 0;

	if (io > b->ok_ms)
		b->ok_ms = io;
}

static void on_beat_done(void *arg, const struct spawn_result *r)
{
	struct beat *b = arg;

	b->spawn = NULL;
	b->child_node = 0;
	beat_ok(b);
	if (!r->stuck)
		page_free(b->page);
	b->page = NULL;
	if (b->node == 0)
		return;
	/* Replaced by a child for another node: at once. Died by itself: not in a circle. */
	if (r->signal || r->stuck)
		beat_begin(b);
	else
		b->again_ms = mono_ms() + BEAT_AGAIN_MS;
}

static void beat_begin(struct beat *b)
{
	b->again_ms = 0;
	b->word = false;
	b->page = page_new();
	if (b->page) {
		atomic_store(&b->page->armed_ms, b->d->fence_state.armed_ms);
		b->since_ms = mono_ms();
		b->spawn = spawn_work(b->d->loop, beat_work, b, 0, on_beat_line, on_beat_done, b);
	}
	if (!b->spawn) {
		page_free(b->page);
		b->page = NULL;
		b->again_ms = mono_ms() + BEAT_AGAIN_MS;
		return;
	}
	b->child_node = b->node;
}

void beat_set(struct daemon *d, unsigned volume, uint32_t node)
{
	struct beat *b = &d->beat[volume];

	b->d = d;
	b->volume = volume;
	if (!b->node)
		b->tried_ms = mono_ms();
	b->node = node;
	if (b->spawn && b->child_node != node)
		spawn_kill(b->spawn); /* its end starts the next */
	else if (!b->spawn && node)
		beat_begin(b);
	loop_timer_arm(d->watch_timer, mono_ms() + d->cfg->timing.stale_ms);
}

/* When what is watched last moved, or may have: nobody watched before. */
static uint64_t moved_ms(const struct beat *b)
{
	uint64_t changed = b->page ? atomic_load(&b->page->changed_ms) : 0;

	return changed > b->since_ms ? changed : b->since_ms;
}

static enum life_sign beat_life(const struct beat *b, uint64_t now)
{
	uint32_t stale = b->d->cfg->timing.stale_ms;
	uint64_t io, changed;

	if (!b->spawn || !b->page || b->child_node != b->node)
		return LIFE_UNKNOWN;
	io = atomic_load(&b->page->io_ok_ms);
	changed = atomic_load(&b->page->changed_ms);
	if (b->node == b->d->self->id) {
		if (io == 0)
			return LIFE_UNKNOWN;
		return now - io < stale ? LIFE_FRESH : LIFE_STALE;
	}
	/* It reads at least every stale / 2: a read older than stale says that reading does not work. */
	if (io == 0 || now - io >= stale)
		return LIFE_UNKNOWN;
	if (changed && now - changed < stale)
		return LIFE_FRESH;
	return now - b->since_ms >= stale ? LIFE_STALE : LIFE_UNKNOWN;
}

/* Did a read that began a stale time after it last moved still find it so? One that took long may have read what was before (SAFE-13). */
static bool beat_still(const struct beat *b)
{
	uint64_t began = b->page ? atomic_load(&b->page->began_ms) : 0, moved = moved_ms(b);

	return began >= moved && began - moved >= b->d->cfg->timing.stale_ms;
}

void beats_armed(struct daemon *d)
{
	for (unsigned v = 0; v < d->cfg->n_volumes; v++)
		if (d->beat[v].page)
			atomic_store(&d->beat[v].page->armed_ms, d->fence_state.armed_ms);
}

/* What the owner's heartbeat says of its watchdog. The time in steps, downwards: each new one is a message to fenced. */
static void word_update(const struct beat *b, struct fence_signs *s)
{
	uint32_t step = b->d->cfg->timing.watchdog_ms / 8;

	if (!config_uses_watchdog(b->d->cfg) || !b->word || !b->page || b->child_node != b->node ||
	    s->n_words == FENCE_WORDS_MAX)
		return;
	uint64_t at = atomic_load(&b->page->word_ms);

	if (at == 0 || atomic_load(&b->page->word_boot) != driver_word_boot(b->boot_id) ||
	    atomic_load(&b->page->word_ms) < at)
		return; /* another life's, whose line is still to come */
	struct fence_word *w = &s->word[s->n_words++];

	w->nodeid = b->node;
	memcpy(w->boot_id, b->boot_id, BOOT_ID_BYTES);
	w->armed_ms = b->armed_ms;
	w->at_ms = at / step * step;
}

void signs_update(struct daemon *d)
{
	struct fence_signs s;
	struct nodeset seen = NODESET_EMPTY;
	struct place_summary sum;
	uint64_t now = mono_ms();
	bool own = false;

	if (!d->place || !d->fence)
		return;
	memset(&s, 0, sizeof(s));
	place_summary(d->place, &sum);
	s.weight = sum.weight;
	s.holds = sum.holds || !place_probed(d->place);
	s.ended = d->ended && !s.holds;
	s.still = true;
	for (unsigned v = 0; v < d->cfg->n_volumes; v++) {
		const struct beat *b = &d->beat[v];
		enum life_sign life;

		if (!b->node)
			continue;
		life = beat_life(b, now);
		if (b->node != d->self->id)
			word_update(b, &s);
		if (b->node == d->self->id) {
			/* Fresh only if every volume of ours is. */
			if (!own || life != LIFE_FRESH)
				s.self = life;
			uint64_t shown = b->page ? atomic_load(&b->page->shown_ms) : 0;

			if (!own || shown == 0 || (s.shown_ms && shown > s.shown_ms))
				s.shown_ms = shown;
			own = true;
		} else {
			fence_signs_peer(&s, &seen, b->node, life);
			if (life != LIFE_FRESH && moved_ms(b) > s.moved_ms)
				s.moved_ms = moved_ms(b);
			s.still = s.still && (life == LIFE_FRESH || beat_still(b));
		}
	}
	if (d->signs_sent && memcmp(&s, &d->signs, sizeof(s)) == 0)
		return;
	d->signs = s;
	d->signs_sent = true;
	fence_link_signs(d->fence, &d->signs);
}

/* Tell the core which disks answer: at each change, and again and again while one does not. Return: when to look again. */
static uint64_t disk_look(struct daemon *d, struct beat *b, uint64_t now)
{
	const struct config_volume *vol = &d->cfg->volume[b->volume];
	const struct timing *t = &d->cfg->timing;
	struct place_event ev = { .type = PLACE_EV_DISK, .disk = { .volume = b->volume } };
	uint64_t ok;

	beat_ok(b);
	ok = b->ok_ms > b->tried_ms ? b->ok_ms : b->tried_ms;
	if (b->node && ok <= now && now - ok >= t->stale_ms) {
		ev.disk.reach = SERVICE_REACH_LOST;
		ev.disk.ok_ms = ok;
		/* A target that answers its pings, and writes slowly, would do so for the other node, too. */
		ev.disk.sure = vol->iscsi ? driver_link_failed(vol)
					  : now - ok >= timing_io_error_ms(t);
	} else if (b->node &&
		   b->ok_ms >=
			   b->tried_ms) { /* since it is tried: what worked before says nothing */
		ev.disk.reach = SERVICE_REACH_OK;
	}
	if (ev.disk.reach == SERVICE_REACH_LOST || ev.disk.reach != b->told) {
		b->told = ev.disk.reach;
		feed(d, ev);
	}
	if (!b->node)
		return UINT64_MAX;
	return b->told == SERVICE_REACH_LOST ? now + SILENT_LOOK_MS : ok + t->stale_ms;
}

static void disks_look(struct daemon *d)
{
	uint64_t now = mono_ms(), next = UINT64_MAX;

	if (!d->place || d->feeding)
		return;
	for (unsigned v = 0; v < d->cfg->n_volumes; v++) {
		struct beat *b = &d->beat[v];
		uint64_t at = b->d ? disk_look(d, b, now) : UINT64_MAX;

		next = at < next ? at : next;
	}
	if (next != UINT64_MAX)
		loop_timer_arm(d->disk_timer, next > now + 20 ? next : now + 20);
}

static void on_disk(void *arg)
{
	disks_look(arg);
}

static void on_watch(void *arg)
{
	struct daemon *d = arg;
	uint64_t now = mono_ms();
	bool any = false;

	for (unsigned v = 0; v < d->cfg->n_volumes; v++) {
		struct beat *b = &d->beat[v];

		if (!b->node)
			continue;
		any = true;
		if (b->again_ms && b->again_ms <= now && !b->spawn)
			beat_begin(b);
	}
	for (unsigned s = 0; s < d->cfg->n_services; s++) {
		if (!d->monitor[s].wanted)
			continue;
		any = true;
		monitor_look(&d->monitor[s]);
	}
	signs_update(d);
	disks_look(d);
	if (any)
		loop_timer_arm(d->watch_timer, mono_ms() + d->cfg->timing.stale_ms);
}

/* ---- what others than us have active here (SAFE-1) ---- */

/* One call to device-mapper per volume, by the daemon itself: a process for it would cost a hundred times more. */
static void on_look(void *arg)
{
	static struct place_look look[SERVICES_MAX];
	struct daemon *d = arg;
	uint64_t again = LOOK_MS;

	memset(look, 0, sizeof(look));
	for (unsigned s = 0; s < d->cfg->n_services; s++) {
		struct place_service ps;

		look[s].active = DRIVE_NONE;
		for (unsigned i = 0; i < d->cfg->service[s].n_resources; i++) {
			const struct config_resource *r = frame_res(d, s, i);
			struct driver_job job = { .op = DRIVER_PROBE,
						  .service = d->cfg->service[s].name,
						  .res = r,
						  .cfg = d->cfg,
						  .rundir = d->rundir,
						  .self = drive_life(d),
						  .fence = &d->fence_state };
			enum driver_result found;

			if (r->type != CONFIG_RES_VOLUME || look[s].active != DRIVE_NONE)
				continue;
			job.vol = &d->cfg->volume[r->volume];
			found = driver_look(&job, d->self->name, look[s].text,
					    sizeof(look[s].text));
			if (found != DRIVER_INACTIVE)
				look[s].active = found == DRIVER_ACTIVE ? DRIVE_OK : DRIVE_UNKNOWN;
		}
		place_service(d->place, s, &ps);
		if (look[s].active != DRIVE_NONE && !ps.local.holds)
			again = LOOK_STRAY_MS;
	}
	loop_timer_arm(d->look_timer, mono_ms() + again);
	feed(d, (struct place_event){ .type = PLACE_EV_LOOK, .look = { look } });
}

void look_soon(struct daemon *d)
{
	loop_timer_arm(d->look_timer, mono_ms());
}

int watch_start(struct daemon *d)
{
	d->watch_timer = loop_timer_new(d->loop, on_watch, d);
	d->look_timer = loop_timer_new(d->loop, on_look, d);
	d->disk_timer = loop_timer_new(d->loop, on_disk, d);
	if (d->look_timer)
		loop_timer_arm(d->look_timer, mono_ms() + LOOK_MS);
	return d->watch_timer && d->look_timer && d->disk_timer ? 0 : -ENOMEM;
}
