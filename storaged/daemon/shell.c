/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Feed the core, carry out what it asks for. */
#include "daemon.h"

#include "lib/shell/log.h"
#include "lib/shell/notify.h"
#include "storaged/core/place_record.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/reboot.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/reboot.h>
#include <unistd.h>

#define GROUP "stockade-storaged"
#define WHO_AGAIN_MS 1000
#define END_MS 1500 /* fenced may hang; its own fence_state goes on without us */

/* Fenced's word on a request; the core asks again when nothing comes of it. */
static void fence_requested(void *arg, json_t *reply, const char *why)
{
	const char *error = reply ? json_string_value(json_object_get(reply, "error")) : why;

	(void)arg;
	if (error)
		log_warning("fence.request", "refused=\"%s\"", error);
	else
		log_info("fence.request", "taken=1");
}

static void request_fence(struct daemon *d, uint32_t node, const char *reason)
{
	int r = fence_link_ask(d->fence,
			       json_pack("{s:s, s:s, s:s}", "cmd", "fence", "node",
					 node_name(d, node), "reason", reason),
			       fence_requested, d);

	log_warning("fence.request", "node=%s reason=\"%s\" sent=%d", node_name(d, node), reason,
		    r == 0);
}

/* Until the history is on this node's disk: less than a tenth of the shortest watchdog (8 s, lib/timing), which fires by itself no
 * sooner than that (fenced/core/letgo.c). What is held had its writes stopped long before. */
#define KEEP_MS 700

/* The last resort (SAFE-7): no sync, no unmount, nothing that a dead disk could hold up for longer than a moment: the next boot is to
 * know why. */

static void reboot_now(struct daemon *d, const char *reason)
{
	history_add(d->history, "self.reboot", json_pack("{s:s}", "reason", reason),
		    "this node reboots: %s", reason);
	history_keep(d->history, KEEP_MS);
	if (d->reboot_command) {
		const char *argv[] = { "/bin/sh", "-c", d->reboot_command, NULL };
		pid_t pid = vfork();

		if (pid == 0) {
			execv(argv[0], (char *const *)argv);
			_exit(127);
		}
		return;
	}
	int fd = open("/proc/sys/kernel/sysrq", O_WRONLY | O_CLOEXEC);

	if (fd >= 0) {
		if (write(fd, "1", 1) < 0)
			log_error("self.reboot", "sysrq cannot be enabled");
		close(fd);
	}
	fd = open("/proc/sysrq-trigger", O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, "b", 1) < 0)
		log_error("self.reboot", "sysrq-trigger: %s", strerror(errno));
	if (fd >= 0)
		close(fd);
	/* A kernel without sysrq: still no sync, and what runs dies with it. */
	reboot(LINUX_REBOOT_CMD_RESTART);
	log_error("self.reboot", "reboot: %s", strerror(errno));
}

static void on_told(void *arg, json_t *reply, const char *why)
{
	struct daemon *d = arg;

	(void)reply;
	(void)why;
	loop_stop(d->loop, 0);
}

static void on_told_late(void *arg)
{
	on_told(arg, NULL, NULL);
}

/* fenced has to know that nothing is held here any more, or it could not say goodbye itself. It takes what it is told in
 * order: when it answers something, it has the signs. */
static void end_when_told(struct daemon *d)
{
	d->ended = true;
	signs_update(d);
	d->end_timer = loop_timer_new(d->loop, on_told_late, d);
	if (!fence_link_up(d->fence) || !d->end_timer ||
	    fence_link_ask(d->fence, json_pack("{s:s}", "cmd", "status"), on_told, d) < 0) {
		loop_stop(d->loop, 0);
		return;
	}
	loop_timer_arm(d->end_timer, mono_ms() + END_MS);
}

static void carry_out(struct daemon *d, const struct place_action *act)
{
	int r;

	switch (act->type) {
	case PLACE_ACT_SEND:
		r = d->cluster ? cluster_send(d->cluster, act->send.data, act->send.len)
			       : -ENOTCONN;
		if (r < 0) /* the view is over; what matters is told again in the next */
			log_info("cluster.send", "error=\"%s\"", strerror(-r));
		break;
	case PLACE_ACT_DRIVE: drive_start(d, act); break;
	case PLACE_ACT_CANCEL: drive_cancel(d, act->cancel.run); break;
	case PLACE_ACT_LOCK: lock_want(d, act->lock.volume, true); break;
	case PLACE_ACT_UNLOCK: lock_want(d, act->lock.volume, false); break;
	case PLACE_ACT_MONITOR: monitor_set(d, act->monitor.service, act->monitor.on); break;
	case PLACE_ACT_BEAT: beat_set(d, act->beat.volume, act->beat.node); break;
	case PLACE_ACT_SOON: drive_stand_by(d, act->soon.service); break;
	case PLACE_ACT_LOOK: look_soon(d); break;
	case PLACE_ACT_FENCE: request_fence(d, act->fence.node, act->fence.reason); break;
	case PLACE_ACT_REBOOT: reboot_now(d, act->reboot.reason); break;
	case PLACE_ACT_STORE: store_intent(d); break;
	case PLACE_ACT_STATE: store_state(d); break;
	case PLACE_ACT_ANSWER: answer_command(d, act); break;
	case PLACE_ACT_LEFT:
		history_add(d->history, "storaged.stop", NULL, "everything is let go; goodbye");
		if (d->cluster)
			cluster_leave(d->cluster);
		end_when_told(d);
		break;
	case PLACE_ACT_NOTE: note(d, act); break;
	}
}

static void put_config(struct record_w *w, const void *what, unsigned i)
{
	(void)i;
	place_record_config(w, what);
}

static void put_event(struct record_w *w, const void *what, unsigned i)
{
	(void)i;
	place_record_event(w, what);
}

static void put_action(struct record_w *w, const void *what, unsigned i)
{
	place_record_action(w, what, i);
}

static void join(struct daemon *d);

void feed(struct daemon *d, struct place_event ev)
{
	int r;

	assert(!d->feeding);
	d->feeding = true;
	ev.now_ms = mono_ms();
	recorder_event(d->record, put_event, &ev);
	r = place_step(d->place, &ev, &d->actions);
	recorder_actions(d->record, r, d->actions.n, put_action, &d->actions,
			 place_deadline_ms(d->place));
	if (r < 0)
		log_info("place.reject", "ev=%s error=\"%s\"", place_ev_name(&ev), strerror(-r));
	for (unsigned i = 0; i < d->actions.n; i++)
		carry_out(d, &d->actions.v[i]);
	d->feeding = false;
	locks_settle(d);
	signs_update(d);
	loop_timer_arm(d->deadline, place_deadline_ms(d->place));
	if (!d->joined && !d->ended && place_probed(d->place))
		join(d);
}

void feed_later(struct daemon *d, struct place_event ev, const char *why)
{
	if (d->n_later == LATER_MAX) {
		log_error("storaged.later", "overflow=1 ev=%s", place_ev_name(&ev));
		abort(); /* an event must not be lost; systemd restarts us and we adopt what runs */
	}
	d->later[d->n_later].ev = ev;
	snprintf(d->later[d->n_later].why, RUNNER_WHY_MAX, "%s", why ? why : "");
	d->n_later++;
	loop_timer_arm(d->later_timer, mono_ms());
}

static void on_later(void *arg)
{
	struct daemon *d = arg;

	while (d->n_later) {
		struct place_event ev = d->later[0].ev;
		char why[RUNNER_WHY_MAX];

		memcpy(why, d->later[0].why, sizeof(why));
		d->n_later--;
		memmove(&d->later[0], &d->later[1], d->n_later * sizeof(d->later[0]));
		if (ev.type == PLACE_EV_DRIVER)
			ev.driver.why = why;
		feed(d, ev);
	}
}

static void on_deadline(void *arg)
{
	feed(arg, (struct place_event){ .type = PLACE_EV_TIMEOUT });
}

static void on_view(void *arg, const struct cluster_view *view)
{
	struct daemon *d = arg;

	d->two_node = view->two_node;
	log_notice("view", "id=%llu.%u quorate=%d members=%#llx nodes=%#llx",
		   (unsigned long long)view->id.seq, view->id.rep, view->quorate,
		   (unsigned long long)view->members.bits, (unsigned long long)view->nodes.bits);
	feed(d, (struct place_event){ .type = PLACE_EV_VIEW,
				      .view = { .id = view->id,
						.quorate = view->quorate,
						.nodes = view->nodes,
						.members = view->members,
						.left_clean = view->left_clean } });
}

static void on_deliver(void *arg, uint32_t from, const void *data, size_t len)
{
	feed(arg, (struct place_event){ .type = PLACE_EV_DELIVER, .deliver = { from, data, len } });
}

static void on_lost(void *arg, const char *why)
{
	log_warning("cluster.lost", "reason=\"%s\"", why);
	feed(arg, (struct place_event){ .type = PLACE_EV_LOST });
}

static void on_fence_state(void *arg, const struct fence_state *st)
{
	struct daemon *d = arg;

	d->fence_state = *st;
	beats_armed(d);
	if (d->place)
		feed(d,
		     (struct place_event){ .type = PLACE_EV_FENCE, .fence = { &d->fence_state } });
}

static void on_fence_lost(void *arg)
{
	struct daemon *d = arg;

	if (d->place)
		feed(d, (struct place_event){ .type = PLACE_EV_FENCE, .fence = { NULL } });
}

/* Only when every probe has answered: until then we could not say what we hold. */
static void join(struct daemon *d)
{
	static const struct cluster_ops ops = { .view = on_view,
						.deliver = on_deliver,
						.lost = on_lost };

	d->joined = true;
	d->cluster = cluster_open(d->loop, GROUP, &ops, d);
	if (!d->cluster) {
		log_error("storaged.start", "error=\"no memory\"");
		loop_stop(d->loop, 1);
	}
}

static void begin(void *arg)
{
	static const struct fence_link_ops ops = { .state = on_fence_state, .lost = on_fence_lost };
	struct daemon *d = arg;
	struct place_config *pc;
	char why[256];

	d->self = self_find(d->cfg, &d->life, why, sizeof(why));
	if (!d->self) {
		bool again = errno == EAGAIN;

		if (!d->who_said)
			log_error("storaged.start", "error=\"%s\"", why);
		d->who_said = true;
		if (!again)
			loop_stop(d->loop, CONFIG_EXIT);
		loop_timer_arm(d->who_timer, mono_ms() + WHO_AGAIN_MS);
		return;
	}
	pc = malloc(sizeof(*pc));
	if (pc) {
		frame_make(d, pc);
		store_load(d, pc);
		d->record = recorder_open("stockade-storaged", d->record_dir);
		recorder_config(d->record, put_config, pc, pc->frame.n_services);
		d->place = place_new(pc);
	}
	free(pc);
	if (!d->place) {
		log_error("storaged.start", "error=\"no memory\"");
		loop_stop(d->loop, 1);
		return;
	}
	d->history = history_open("storaged", d->self->name);
	d->last_end = history_last_end(d->history);
	history_add(d->history, "storaged.start", NULL, "storaged %s starts", STOCKADE_VERSION);
	note_last_end(d);
	d->fence = fence_link_open(d->loop, &ops, d);
	if (!d->fence || locks_start(d) < 0 || watch_start(d) < 0 || warm_start(d) < 0 ||
	    (config_uses_watchdog(d->cfg) &&
	     fence_link_alive(d->fence, "storaged", d->cfg->timing.watchdog_ms / 8) < 0)) {
		log_error("storaged.start", "error=\"no memory\"");
		loop_stop(d->loop, 1);
		return;
	}
	notify_status("looking what is active here");
	feed(d, (struct place_event){ .type = PLACE_EV_START });
}

int shell_start(struct daemon *d)
{
	d->deadline = loop_timer_new(d->loop, on_deadline, d);
	d->later_timer = loop_timer_new(d->loop, on_later, d);
	d->who_timer = loop_timer_new(d->loop, begin, d);
	if (!d->deadline || !d->later_timer || !d->who_timer)
		return -ENOMEM;
	loop_timer_arm(d->who_timer, mono_ms());
	return 0;
}

void shell_stop(struct daemon *d)
{
	if (!d->place) {
		loop_stop(d->loop, 0);
		return;
	}
	notify_stopping();
	notify_status("letting every service go");
	feed(d, (struct place_event){ .type = PLACE_EV_LEAVE });
}
