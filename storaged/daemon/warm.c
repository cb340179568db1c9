/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Now and then a child reads the files of units and scripts that may have to start here into memory (drivers/warm.h), and
 * notes those that run here use.
 *
 * Nothing else waits for it or asks it anything. It is killed when something is started, stopped or made ready here, and does not begin
 * while that goes on; it tells how much it has read in a page of shared memory.
 */
#include "daemon.h"

#include "lib/shell/log.h"
#include "storaged/drivers/warm.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define FIRST_MS 20000  /* a node that has just booted has better things to do */
#define AGAIN_MS 600000 /* what nobody uses is pushed out of memory sooner or later */
#define BUSY_MS 5000    /* something goes on here: look again */
#define LEARN_MS 10000  /* after a start: its processes are up */
#define LIMIT_MS 300000 /* a disk that takes longer is busy or dying */
#define DIR_MODE 0700

struct warm_page {
	struct {
		_Atomic uint32_t files;
		_Atomic uint64_t bytes, read_bytes;
	} res[SERVICES_MAX][RUNNER_RESOURCES_MAX];
};

static void list_path(const struct daemon *d, const char *unit, char *buf, size_t len)
{
	/* a unit's name may have neither a slash nor a dot in front (stockade.yaml(5)) */
	snprintf(buf, len, "%s/warm/%s", d->statedir, unit);
}

/* In the child. */
static void learn(const struct daemon *d, const struct config_resource *r, struct warm_files *f)
{
	char list[CONFIG_PATH_MAX * 2];

	if (r->type != CONFIG_RES_UNIT || warm_add_processes(f, r->ref) < 0 || f->n == 0)
		return;
	list_path(d, r->ref, list, sizeof(list));
	warm_save(f, list);
}

static void keep_warm(struct warm *w, unsigned s, unsigned i, const struct config_resource *r,
		      struct warm_files *f)
{
	struct daemon *d = w->d;
	char list[CONFIG_PATH_MAX * 2];
	struct warm_read got;

	if (r->type == CONFIG_RES_UNIT) {
		list_path(d, r->ref, list, sizeof(list));
		bool known = warm_load(f, list) == 0 && f->n > 0;

		warm_add_unit(f, r->ref, !known);
	} else {
		warm_add_program(f, r->ref, true);
	}
	warm_read(f, warm_room(), &got);
	atomic_store(&w->page->res[s][i].files, got.files);
	atomic_store(&w->page->res[s][i].bytes, got.bytes);
	atomic_store(&w->page->res[s][i].read_bytes, got.read_bytes);
}

static int warm_work(void *arg, int fd)
{
	static struct warm_files f; /* large */
	static const char *mounts[CONFIG_VOLUMES_MAX + 1];
	struct warm *w = arg;
	struct daemon *d = w->d;

	(void)fd;
	child_name("storaged-warm");
	warm_idle();
	for (unsigned v = 0; v < d->cfg->n_volumes; v++)
		mounts[v] = d->cfg->volume[v].mount;
	for (unsigned s = 0; s < d->cfg->n_services; s++) {
		struct place_service ps;

		place_service(d->place, s, &ps);
		bool here = ps.local.fact != RUNNER_STOPPED;
		bool runs = here && ps.group->state == SERVICE_RUNNING;

		for (unsigned i = 0; i < d->cfg->service[s].n_resources; i++) {
			const struct config_resource *r = frame_res(d, s, i);

			if (!r->warm)
				continue;
			f.not_below = mounts;
			if (runs)
				learn(d, r, &f);
			else if (!here && nodeset_has(ps.allowed, d->self->id))
				keep_warm(w, s, i, r, &f);
			warm_done(&f);
		}
	}
	return 0;
}

static bool busy(const struct daemon *d)
{
	for (unsigned i = 0; i < RUNS_MAX; i++)
		if (d->run[i].used && d->run[i].phase != RUN_OVER)
			return true;
	return !d->place || !place_probed(d->place);
}

static void on_done(void *arg, const struct spawn_result *r)
{
	struct warm *w = arg;
	bool whole = r->status == 0;
	uint32_t files = 0;
	uint64_t bytes = 0, read_bytes = 0;

	uint64_t again = w->paused ? BUSY_MS
				   : AGAIN_MS; /* out of time, or broken: not in a circle */

	w->spawn = NULL;
	w->paused = false;
	for (unsigned s = 0; whole && s < w->d->cfg->n_services; s++)
		for (unsigned i = 0; i < RUNNER_RESOURCES_MAX; i++) {
			struct warm_seen *seen = &w->d->seen[s][i].warm;

			seen->files = atomic_load(&w->page->res[s][i].files);
			seen->bytes = atomic_load(&w->page->res[s][i].bytes);
			seen->read_bytes = atomic_load(&w->page->res[s][i].read_bytes);
			files += seen->files;
			bytes += seen->bytes;
			read_bytes += seen->read_bytes;
		}
	if (!r->stuck)
		munmap(w->page, sizeof(*w->page));
	w->page = NULL;
	if (whole) {
		w->done_ms = mono_ms();
		log_info("warm", "files=%u bytes=%llu read_bytes=%llu took_ms=%llu", files,
			 (unsigned long long)bytes, (unsigned long long)read_bytes,
			 (unsigned long long)r->took_ms);
	}
	loop_timer_arm(w->timer, mono_ms() + again);
}

static void on_line(void *arg, const char *line)
{
	(void)arg;
	(void)line; /* it has nothing to say */
}

static void on_time(void *arg)
{
	struct warm *w = arg;
	struct daemon *d = w->d;

	if (w->spawn || d->ended)
		return;
	if (busy(d)) {
		loop_timer_arm(w->timer, mono_ms() + BUSY_MS);
		return;
	}
	w->page = mmap(NULL, sizeof(*w->page), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
		       -1, 0);
	if (w->page == MAP_FAILED)
		w->page = NULL;
	w->spawn = w->page ? spawn_work(d->loop, warm_work, w, LIMIT_MS, on_line, on_done, w)
			   : NULL;
	if (w->spawn)
		return;
	if (w->page)
		munmap(w->page, sizeof(*w->page));
	w->page = NULL;
	loop_timer_arm(w->timer, mono_ms() + AGAIN_MS);
}

void warm_pause(struct daemon *d)
{
	if (!d->warm.spawn)
		return;
	d->warm.paused = true;
	spawn_kill(d->warm.spawn);
}

void warm_soon(struct daemon *d)
{
	if (d->warm.timer && !d->warm.spawn)
		loop_timer_arm(d->warm.timer, mono_ms() + LEARN_MS);
}

int warm_start(struct daemon *d)
{
	struct warm *w = &d->warm;
	char dir[CONFIG_PATH_MAX];
	bool any = false;

	w->d = d;
	for (unsigned s = 0; s < d->cfg->n_services; s++)
		for (unsigned i = 0; i < d->cfg->service[s].n_resources; i++)
			any = any || d->cfg->service[s].resource[i].warm;
	if (!any)
		return 0;
	snprintf(dir, sizeof(dir), "%s/warm", d->statedir);
	if (mkdir(dir, DIR_MODE) < 0 && errno != EEXIST)
		log_warning("warm", "dir=%s error=\"%s\"", dir, strerror(errno));
	w->timer = loop_timer_new(d->loop, on_time, w);
	if (w->timer)
		loop_timer_arm(w->timer, mono_ms() + FIRST_MS);
	return w->timer ? 0 : -ENOMEM;
}
