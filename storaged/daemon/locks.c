/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The EX lock of each volume, by libdlm, PERSISTENT: it outlives this process, as the mount does, and the next life
 * adopts it. When dlmd itself restarts every lock is in doubt until adopted again; what protects the disk meanwhile is
 * the gate, not the lock, so the service goes on for absent_ms.
 */
#include "daemon.h"

#include "dlm/libdlm/libdlm.h"
#include "lib/shell/log.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#define LOCKSPACE "stockade"
#define RETRY_MS 250

static struct dlm_lksb
	lksb[SERVICE_VOLUMES_MAX]; /* libdlm writes them: they outlive every request */

static void connect_now(void *arg);
static void lock_go(struct vlock *l);

static void tell(struct vlock *l, bool held)
{
	const char *name = l->d->cfg->volume[l->volume].name;

	l->told = held;
	if (held)
		history_add(l->d->history, "volume.lock",
			    json_pack("{s:s, s:s, s:I}", "volume", name, "step", "lock", "took_ms",
				      (json_int_t)(mono_ms() - l->asked_ms)),
			    "the lock of volume %s is held", name);
	feed_later(l->d,
		   (struct place_event){ .type = PLACE_EV_LOCK,
					 .lock = { .volume = l->volume, .held = held } },
		   NULL);
}

static void disconnect(struct daemon *d, const char *why)
{
	uint64_t now = mono_ms();

	if (!d->dlm)
		return;
	log_warning("dlm.lost", "reason=\"%s\"", why);
	loop_fd_del(d->loop, dlm_ls_get_fd(d->dlm));
	dlm_close_lockspace(d->dlm);
	d->dlm = NULL;
	for (unsigned v = 0; v < d->cfg->n_volumes; v++) {
		struct vlock *l = &d->lock[v];

		if (l->state == VLOCK_HELD && l->told && !l->doubt) {
			l->doubt = true;
			l->doubt_ms = now;
		}
		l->maybe_orphan = true;
		l->state = VLOCK_NONE;
	}
	loop_timer_arm(d->dlm_timer, now + RETRY_MS);
}

static void on_ast(void *arg)
{
	struct vlock *l = arg;
	int status = lksb[l->volume].sb_status;

	switch (l->state) {
	case VLOCK_ADOPTING:
		l->maybe_orphan = false;
		l->state = status == 0 ? VLOCK_HELD : VLOCK_NONE;
		if (status != 0 && l->wanted)
			log_debug("lock.adopt", "volume=%s status=%d",
				  l->d->cfg->volume[l->volume].name, status);
		break;
	case VLOCK_ASKING:
		l->state = status == 0 ? VLOCK_HELD : VLOCK_NONE;
		if (status != 0 && !l->doubt) { /* not in a circle */
			log_warning("lock.refused", "volume=%s status=%d",
				    l->d->cfg->volume[l->volume].name, status);
			loop_timer_arm(l->d->dlm_timer, mono_ms() + RETRY_MS);
			return;
		}
		break;
	case VLOCK_DROPPING: l->state = VLOCK_NONE; break;
	case VLOCK_NONE:
	case VLOCK_HELD: return; /* a blocking hint has its own function; nothing else completes */
	}
	if (l->state == VLOCK_HELD && l->wanted) {
		if (!l->told)
			tell(l, true);
		l->doubt = false;
		return;
	}
	if (l->doubt && l->state == VLOCK_NONE && status != 0 && !l->maybe_orphan &&
	    status != ENOENT) {
		/* Somebody else has it: what we run must stop. */
		l->doubt = false;
		if (l->wanted)
			tell(l, false);
		l->wanted = false;
		return;
	}
	lock_go(l);
}

/* The one place that asks and drops. */
static void lock_go(struct vlock *l)
{
	struct daemon *d = l->d;
	char name[DLM_RESNAME_MAXLEN + 1];
	int len = snprintf(name, sizeof(name), "volume:%.56s", d->cfg->volume[l->volume].name);
	uint32_t flags = LKF_PERSISTENT;
	int r = 0;

	if (!d->dlm)
		return;
	switch (l->state) {
	case VLOCK_ADOPTING:
	case VLOCK_ASKING:
	case VLOCK_DROPPING: return; /* its completion comes back here */
	case VLOCK_NONE:
		if (!l->wanted && !l->maybe_orphan)
			return;
		if (l->maybe_orphan)
			flags |= LKF_ORPHAN | LKF_NOQUEUE;
		else if (l->doubt)
			flags |= LKF_NOQUEUE; /* dlmd lost its memory: ours if free, lost if not */
		memset(&lksb[l->volume], 0, sizeof(lksb[l->volume]));
		r = dlm_ls_lock(d->dlm, LKM_EXMODE, &lksb[l->volume], flags, name, (unsigned)len, 0,
				on_ast, l, NULL, NULL);
		l->state = l->maybe_orphan ? VLOCK_ADOPTING : VLOCK_ASKING;
		break;
	case VLOCK_HELD:
		if (l->wanted)
			return;
		r = dlm_ls_unlock(d->dlm, lksb[l->volume].sb_lkid, 0, &lksb[l->volume], l);
		l->state = VLOCK_DROPPING;
		break;
	}
	if (r < 0) {
		int err = errno;

		l->state = VLOCK_NONE;
		log_warning("lock.request", "volume=%s error=\"%s\"",
			    d->cfg->volume[l->volume].name, strerror(err));
		if (err == ENOTCONN)
			disconnect(d, "dlmd is gone");
		else
			loop_timer_arm(d->dlm_timer, mono_ms() + RETRY_MS);
	}
}

static void on_dlm(void *arg, int fd, int revents)
{
	struct daemon *d = arg;

	(void)revents;
	if (dlm_dispatch(fd) < 0)
		disconnect(d, "dlmd is gone, or others declared this node dead");
}

static void check_doubts(struct daemon *d)
{
	uint64_t now = mono_ms();

	for (unsigned v = 0; v < d->cfg->n_volumes; v++) {
		struct vlock *l = &d->lock[v];

		if (!l->doubt || now - l->doubt_ms < d->cfg->timing.absent_ms)
			continue;
		l->doubt = false;
		log_error("lock.lost", "volume=%s reason=\"dlmd has been away for too long\"",
			  d->cfg->volume[v].name);
		l->wanted = false;
		tell(l, false);
	}
}

static void connect_now(void *arg)
{
	struct daemon *d = arg;

	check_doubts(d);
	if (!d->dlm) {
		d->dlm = dlm_create_lockspace(LOCKSPACE, 0600);
		if (!d->dlm) {
			loop_timer_arm(d->dlm_timer, mono_ms() + RETRY_MS);
			return;
		}
		if (loop_fd_add(d->loop, dlm_ls_get_fd(d->dlm), POLLIN, on_dlm, d) < 0) {
			dlm_close_lockspace(d->dlm);
			d->dlm = NULL;
			loop_timer_arm(d->dlm_timer, mono_ms() + RETRY_MS);
			return;
		}
		log_info("dlm.link", "up=1");
	}
	for (unsigned v = 0; v < d->cfg->n_volumes && d->dlm; v++)
		lock_go(&d->lock[v]);
}

int locks_start(struct daemon *d)
{
	for (unsigned v = 0; v < d->cfg->n_volumes; v++) {
		d->lock[v].d = d;
		d->lock[v].volume = v;
		d->lock[v].maybe_orphan = true;
	}
	d->dlm_timer = loop_timer_new(d->loop, connect_now, d);
	if (!d->dlm_timer)
		return -ENOMEM;
	loop_timer_arm(d->dlm_timer, mono_ms());
	return 0;
}

void lock_want(struct daemon *d, unsigned volume, bool wanted)
{
	struct vlock *l = &d->lock[volume];

	l->wanted = wanted;
	l->told = false;
	l->doubt = false;
	l->asked_ms = mono_ms();
	if (wanted && l->state == VLOCK_HELD)
		tell(l, true);
	else if (wanted)
		lock_go(l);
	else
		locks_settle(d);
}

void locks_settle(struct daemon *d)
{
	for (unsigned v = 0; v < d->cfg->n_volumes; v++) {
		struct vlock *l = &d->lock[v];
		struct place_service ps;
		unsigned s, res;

		if (l->wanted || l->state != VLOCK_HELD)
			continue;
		/* Adopted from an earlier life: it goes only when nothing that it guards can be active here. */
		if (frame_volume(d, v, &s, &res)) {
			place_service(d->place, s, &ps);
			if (!ps.local.probed || ps.local.fact != RUNNER_STOPPED)
				continue;
		}
		lock_go(l);
	}
}

const char *lock_word(const struct daemon *d, unsigned volume)
{
	const struct vlock *l = &d->lock[volume];

	if (l->state == VLOCK_HELD || l->doubt)
		return "EX";
	return l->wanted ? "waiting" : "none";
}
