/* SPDX-License-Identifier: GPL-3.0-or-later */
/* fenced/daemon/shell.c - corosync's and the agents' words become events, the core's actions are carried out. */
#include "daemon.h"

#include "fenced/core/fence_record.h"
#include "lib/shell/log.h"
#include "lib/shell/notify.h"
#include "lib/shell/self.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

const char *node_name(const struct fenced *f, uint32_t id)
{
	const struct config_node *n = config_node_by_id(f->cfg, id);

	return n ? n->name : "?";
}

static const struct config_fence_use *use_of(const struct fenced *f, uint32_t node, uint8_t level,
					     uint8_t device)
{
	return &config_node_by_id(f->cfg, node)->level[level].use[device];
}

static void run_agent(struct fenced *f, const struct fence_action *a)
{
	const struct config_fence_use *use = use_of(f, a->run.node, a->run.level, a->run.device);
	size_t i = 0, n = sizeof(f->run) / sizeof(*f->run);

	while (i < n && f->run[i].id)
		i++;
	if (i == n) { /* a run per node and an ack: there is always room */
		log_error("fence.runs", "text=\"more agent runs than nodes\"");
		abort();
	}
	doctor_make_way(f, a->run.node, a->run.level, a->run.device);
	f->run[i].id = a->run.run;
	f->run[i].node = a->run.node;
	f->run[i].level = a->run.level;
	f->run[i].device = a->run.device;
	f->run[i].action = a->run.action;
	f->run[i].attempt = a->run.attempt;
	if (a->run.action == FENCE_AGENT_OFF)
		tell_run(f, a->run.node, a->run.attempt, a->run.level,
			 f->cfg->device[use->device].name);
	agents_run(f->agents, a->run.run, config_node_by_id(f->cfg, a->run.node), use,
		   a->run.action);
}

static void forget_run(struct fenced *f, uint64_t id)
{
	for (size_t i = 0; i < sizeof(f->run) / sizeof(*f->run); i++)
		if (f->run[i].id == id)
			f->run[i].id = 0;
}

#define STORE_AGAIN_MS 5000

/* A disk that is full or read-only stops no fencing. It is tried again: a statement of a hypervisor is acknowledged only when it is kept. */
static void keep(void *arg)
{
	struct fenced *f = arg;

	store_save(f);
	if (!f->stored)
		loop_timer_arm(f->store_again, mono_ms() + STORE_AGAIN_MS);
}

static void carry_out(struct fenced *f, const struct fence_action *a,
		      const struct fence_actions *out)
{
	switch (a->type) {
	case FENCE_ACT_SEND: {
		int r = cluster_send(f->cluster, out->msg, out->msg_len);

		if (r < 0) /* a new view follows, and with it everything is said again */
			log_info("fence.send", "bytes=%zu error=\"%s\"", out->msg_len,
				 strerror(-r));
		break;
	}
	case FENCE_ACT_RUN: run_agent(f, a); break;
	case FENCE_ACT_CANCEL_RUN:
		forget_run(f, a->cancel);
		agents_cancel(f->agents, a->cancel);
		break;
	case FENCE_ACT_CHECK:
		f->check.id = a->check.check;
		f->check.node = a->check.node;
		f->check.level = a->check.level;
		f->check.device = a->check.device;
		agents_check(f->agents, a->check.check, config_node_by_id(f->cfg, a->check.node),
			     use_of(f, a->check.node, a->check.level, a->check.device),
			     a->check.on);
		break;
	case FENCE_ACT_PUBLISH: publish(f); break;
	case FENCE_ACT_STORE: keep(f); break;
	case FENCE_ACT_REBOOT_SELF: reboot_now(f, "the other nodes declared this life over"); break;
	case FENCE_ACT_LEFT:
		f->left = true;
		guard_goodbye(f);
		leave_answer(f);
		stop_now(f, 0);
		break;
	case FENCE_ACT_ACK_DONE: ack_answer(f, a->ack.rc, a->ack.text); break;
	case FENCE_ACT_HURRY: attest_hurry(f, a->hurry.over, a->hurry.again); break;
	case FENCE_ACT_HISTORY: tell(f, a); break;
	}
}

static void put_config(struct record_w *w, const void *what, unsigned i)
{
	(void)i;
	fence_record_config(w, what);
}

static void put_event(struct record_w *w, const void *what, unsigned i)
{
	(void)i;
	fence_record_event(w, what);
}

static void put_action(struct record_w *w, const void *what, unsigned i)
{
	fence_record_action(w, what, i);
}

static void on_deadline(void *arg)
{
	feed(arg, (struct fence_event){ .type = FENCE_EV_TIMEOUT });
}

int feed(struct fenced *f, struct fence_event ev)
{
	static struct fence_actions out; /* carrying out starts work and returns, it never feeds */
	static bool inside;

	if (!f->dom)
		return -EAGAIN;
	if (inside)
		abort();
	inside = true;
	ev.now_ms = mono_ms();
	ev.wall_s = (int64_t)time(NULL);
	recorder_event(f->record, put_event, &ev);
	int r = fence_step(f->dom, &ev, &out);

	recorder_actions(f->record, r, out.n, put_action, &out, fence_deadline_ms(f->dom));
	if (r < 0)
		log_debug("fence.reject", "event=%d rc=%d why=\"%s\"", ev.type, r,
			  fence_refusal(f->dom));
	for (unsigned i = 0; i < out.n; i++)
		carry_out(f, &out.v[i], &out);
	loop_timer_arm(f->deadline, fence_deadline_ms(f->dom));
	inside = false;
	return r;
}

static void on_view(void *arg, const struct cluster_view *v)
{
	struct fenced *f = arg;
	struct fence_event ev = { .type = FENCE_EV_VIEW };

	ev.view = (struct fence_view){ .id = v->id,
				       .quorate = v->quorate,
				       .two_node = v->two_node,
				       .nodes = v->nodes,
				       .members = v->members,
				       .joined = v->joined,
				       .left_nodedown = v->left_nodedown,
				       .left_other = nodeset_or(v->left_clean, v->left_procdown) };
	log_info("view",
		 "view=%" PRIu64 ".%u quorate=%d nodes=%" PRIx64 " members=%" PRIx64
		 " joined=%" PRIx64 " left_nodedown=%" PRIx64 " left_clean=%" PRIx64
		 " left_procdown=%" PRIx64,
		 v->id.seq, v->id.rep, v->quorate, v->nodes.bits, v->members.bits, v->joined.bits,
		 v->left_nodedown.bits, v->left_clean.bits, v->left_procdown.bits);
	f->view = ev.view;
	f->view_ms = mono_ms();
	feed(f, ev);
	doctor_view(f);
	try_leave(f);
}

static void on_deliver(void *arg, uint32_t from, const void *data, size_t len)
{
	struct fence_event ev = { .type = FENCE_EV_DELIVER, .deliver = { from, data, len } };

	if (!doctor_deliver(arg, from, data, len))
		feed(arg, ev);
}

static void on_lost(void *arg, const char *why)
{
	struct fenced *f = arg;

	log_warning("corosync.lost", "why=\"%s\"", why);
	memset(&f->view, 0, sizeof(f->view));
	f->view_ms = mono_ms();
	feed(f, (struct fence_event){ .type = FENCE_EV_LOST });
}

static void on_agent(void *arg, uint64_t id, bool check, const struct agent_result *res)
{
	struct fenced *f = arg;
	struct fence_event ev = { .type = check ? FENCE_EV_READY_DONE : FENCE_EV_RUN_DONE };

	if (!check && unfence_run_done(f, id, res))
		return;
	if (check) {
		bool ok = res->answer == FENCE_ANSWER_DONE;
		struct path_result *p = &f->path[f->check.node][f->check.level][f->check.device];

		p->result = ok ? PATH_PASS : PATH_FAIL;
		p->at_ms = mono_ms();
		snprintf(p->text, sizeof(p->text), "%s", ok ? "" : res->text);
		ev.ready_done.check = id;
		ev.ready_done.ok = ok;
		ev.ready_done.text = res->text;
	} else {
		for (size_t i = 0; i < sizeof(f->run) / sizeof(*f->run); i++)
			if (f->run[i].id == id)
				tell_step(f, f->run[i].node, f->run[i].attempt, f->run[i].level,
					  f->cfg->device[use_of(f, f->run[i].node, f->run[i].level,
								f->run[i].device)
								 ->device]
						  .name,
					  fence_action_name(f->run[i].action), res);
		forget_run(f, id);
		ev.run_done.run = id;
		ev.run_done.answer = res->answer;
		ev.run_done.text = res->text;
	}
	feed(f, ev);
}

void signs_set(struct fenced *f, const struct fence_signs *signs)
{
	struct fence_event ev = { .type = FENCE_EV_SIGNS, .signs = *signs };

	if (f->holds_kept == signs->ended) {
		f->holds_kept = !signs->ended;
		holds_save(f->holds_kept);
	}
	f->signs = *signs;
	feed(f, ev);
}

static void level_for_core(const struct config *cfg, const struct config_node *n, unsigned level,
			   struct fence_path *path)
{
	const struct config_method *m = &n->level[level];

	path->n_devices[level] = (uint8_t)m->n;
	path->storage[level] = config_method_storage(cfg, m);
	path->watchdog[level] = config_is_watchdog(&cfg->device[m->use[0].device]);
	for (unsigned d = 0; d < m->n; d++) {
		if (cfg->device[m->use[d].device].storage)
			path->no_on[level] |= (uint8_t)(1u << d);
		for (unsigned u = 0; u < n->unfence.n; u++)
			if (n->unfence.use[u].device == m->use[d].device)
				path->no_on[level] |= (uint8_t)(1u << d);
	}
}

static void config_for_core(const struct fenced *f, struct fence_config *fc)
{
	const struct timing *t = &f->cfg->timing;

	memset(fc, 0, sizeof(*fc));
	fc->self = f->life;
	fc->nodes = config_nodes(f->cfg);
	fc->hash = f->cfg->hash;
	fc->reboot = f->cfg->fence_reboot;
	for (unsigned i = 0; i < f->cfg->n_nodes; i++) {
		const struct config_node *n = &f->cfg->node[i];

		fc->path[n->id].n_levels = (uint8_t)n->n_levels;
		for (unsigned k = 0; k < n->n_levels; k++)
			level_for_core(f->cfg, n, k, &fc->path[n->id]);
	}
	fc->cut_delay_ms = t->cut_delay_ms;
	fc->post_join_ms = t->post_join_ms;
	fc->absent_ms = t->absent_ms;
	fc->retry_min_ms = t->fence_retry_min_ms;
	fc->retry_max_ms = t->fence_retry_max_ms;
	fc->ready_interval_ms = t->ready_interval_ms;
	fc->ready_age_ms = t->ready_age_ms;
	/* a partly cut node was seen to believe in its view until 5.75 s after the cut at token 1000 (ref/netlab.md 7), and
	 * an attempt may have begun just then: sim found one that went on after 4 s */
	fc->confirm_ms = 6 * t->token_ms;
	fc->stall_ms = t->token_ms;
	/* alone: a living node answers two of corosync's questions (50 ms apart) in that time, were the hypervisor wrong;
	 * with others: they have to answer it under load, and while a machine stalls for 250 ms (doc/timing.md) */
	fc->hurry_alone_ms = 120;
	fc->hurry_ms = t->token_ms / 4 + 200;
	fc->dog_grace_ms = t->watchdog_grace_ms;
	fc->dog_margin_ms = t->watchdog_margin_ms;
	/* storaged tells it with at most its watching period and an eighth of the watchdog's time of delay */
	fc->word_fresh_ms = 2 * t->stale_ms + t->watchdog_ms / 8;
	fc->no_disk = f->cfg->n_volumes == 0;
	fc->dog_not_storage = !f->cfg->watchdog_storage;
	fc->dog_not_daemons = !f->cfg->watchdog_daemons;
	fc->loop_max = (uint8_t)f->cfg->loop_max;
	fc->loop_ms = f->cfg->loop_ms;
	/* Longer than any attempt: its confirmation, then an off and a status for each device of a level. */
	unsigned most = 1;

	for (unsigned k = 0; f->self && k < f->self->n_levels; k++)
		most = f->self->level[k].n > most ? f->self->level[k].n : most;
	fc->drill_wait_ms = fc->confirm_ms + 2 * most * t->fence_attempt_ms + 4 * t->token_ms;
}

static void on_gateway(void *arg, enum life_sign sign)
{
	feed(arg, (struct fence_event){ .type = FENCE_EV_GATEWAY, .gateway = sign });
}

void shell_join(struct fenced *f)
{
	static const struct cluster_ops ops = { on_view, on_deliver, on_lost };

	f->cluster = cluster_open(f->loop, "stockade:fenced", &ops, f);
	if (!f->cluster) {
		log_error("fenced.join", "error=\"%s\"", strerror(errno));
		loop_stop(f->loop, 1);
	}
}

int shell_start(struct fenced *f)
{
	static struct fence_config fc;

	f->self = self_find(f->cfg, &f->life, f->waits, sizeof(f->waits));
	if (!f->self)
		return -errno;
	config_for_core(f, &fc);
	store_load(f, &fc);
	f->record = recorder_open("stockade-fenced", f->record_dir);
	recorder_config(f->record, put_config, &fc, 0);
	f->dom = fence_new(&fc);
	f->deadline = loop_timer_new(f->loop, on_deadline, f);
	f->store_again = loop_timer_new(f->loop, keep, f);
	f->agents = agents_new(f->loop, f->cfg, on_agent, f);
	if (!f->dom || !f->deadline || !f->store_again || !f->agents)
		return -ENOMEM;
	f->history = history_open("fenced", f->self->name);
	if (!f->history)
		log_warning("history.open", "error=\"%s\"", strerror(errno));
	f->holds_kept = f->signs.holds = holds_load();
	feed(f, (struct fence_event){ .type = FENCE_EV_SIGNS, .signs = f->signs });
	f->pings = pings_new(f->loop, f->cfg, on_gateway, f);
	if (attest_open(f) < 0 || doctor_open(f) < 0 || guard_begin(f) < 0)
		return -ENOMEM;
	if (!unfence_begin(f))
		shell_join(f);
	history_add(f->history, "fenced.start", NULL, "fenced %s started on %s", STOCKADE_VERSION,
		    f->self->name);
	notify_ready(f->loop);
	notify_status("node %s, waiting for a view", f->self->name);
	return 0;
}
