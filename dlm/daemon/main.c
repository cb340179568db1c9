/* SPDX-License-Identifier: GPL-3.0-or-later */
/* stockade-dlmd: translate, feed, carry out. No decision about the cluster is made here. */
#include "config.h"
#include "dlm/core/dlm_record.h"
#include "dlmd.h"
#include "lib/shell/notify.h"
#include "lib/shell/self.h"

#include <errno.h>
#include <getopt.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LEAVE_MS 3000

const char *dlmd_node_name(const struct dlmd *d, uint32_t nodeid)
{
	const struct config_node *node = config_node_by_id(d->cfg, nodeid);

	return node ? node->name : "?";
}

static void tell_systemd(struct dlmd *d)
{
	struct dlm_status st;

	dlm_status(d->dlm, &st);
	notify_status("%s, %u locks%s",
		      !d->has_view  ? "waiting for corosync"
		      : !st.quorate ? "waiting for quorum"
		      : st.synced   ? "ready"
				    : "joining",
		      st.locks, st.lives_waiting ? ", some wait for fencing" : "");
}

static void on_lost_life(struct dlmd *d, const struct dlm_action *act)
{
	const char *name = dlmd_node_name(d, act->life.life.nodeid);

	json_t *keys = json_pack("{s:s,s:s}", "lockspace", "stockade", "victim", name);

	if (act->life.state == DLM_LIFE_ABSENT) {
		if (act->life.n)
			history_add(
				d->history, "dlm.stop", keys,
				"the lock manager of %s is gone: its locks (%u) stand until it is back",
				name, act->life.n);
		else
			json_decref(keys);
		return;
	}
	d->lost_ms[act->life.life.nodeid] = mono_ms();
	history_add(d->history, "dlm.stop", keys,
		    "%s is %s: all locking waits, and its locks (%u) stand, until it is proven off",
		    name, incarnation_unseen(&act->life.life) ? "not to be seen" : "gone",
		    act->life.n);
}

static void on_recovered(struct dlmd *d, const struct dlm_action *act)
{
	uint32_t nodeid = act->life.life.nodeid;
	const char *name = dlmd_node_name(d, nodeid);
	uint64_t lost_ms = d->lost_ms[nodeid];

	d->lost_ms[nodeid] = 0;
	history_add(
		d->history, "dlm.recover",
		json_pack("{s:s,s:s,s:i,s:o}", "lockspace", "stockade", "victim", name, "locks",
			  (int)act->life.n, "took_ms",
			  lost_ms ? json_integer((json_int_t)(mono_ms() - lost_ms)) : json_null()),
		"the locks of %s (%u) are released: %s", name, act->life.n,
		proof_kind_text(act->life.proof));
}

static void carry_out(struct dlmd *d, const struct dlm_actions *out, const struct dlm_action *act)
{
	switch (act->type) {
	case DLM_ACT_SEND:
		if (cluster_send(d->cluster, out->bytes + act->send.off, act->send.len) < 0)
			log_debug("send.dropped", "len=%zu",
				  act->send.len); /* a new view comes, we repeat */
		break;
	case DLM_ACT_REPLY:
		if (act->reply.client == 0 && act->reply.cookie == 0 && act->reply.rc == -EBUSY &&
		    d->leaving) {
			log_notice("leave.busy",
				   "reason=\"locks are held here; they stand until dlmd is back\"");
			loop_stop(d->loop, 0);
			break;
		}
		dlmd_tell(d, act);
		break;
	case DLM_ACT_DONE:
	case DLM_ACT_BLOCKING: dlmd_tell(d, act); break;
	case DLM_ACT_SYNCED: log_info("dlm.synced", "yes=%d", act->synced); break;
	case DLM_ACT_LOST: on_lost_life(d, act); break;
	case DLM_ACT_RECOVERED: on_recovered(d, act); break;
	case DLM_ACT_EVICTED:
		d->evicted = true;
		history_add(
			d->history, "dlm.evicted", NULL,
			"the other nodes went on without this one: all its locks are in doubt, and dlmd starts anew");
		dlmd_tell(d, act);
		loop_stop(d->loop,
			  1); /* systemd starts us again; what is still held waits for its owners */
		break;
	case DLM_ACT_LEFT:
		cluster_leave(d->cluster);
		loop_stop(d->loop, 0);
		break;
	}
}

static void put_config(struct record_w *w, const void *what, unsigned i)
{
	(void)i;
	dlm_record_config(w, what);
}

static void put_event(struct record_w *w, const void *what, unsigned i)
{
	(void)i;
	dlm_record_event(w, what);
}

static void put_action(struct record_w *w, const void *what, unsigned i)
{
	dlm_record_action(w, what, i);
}

int dlmd_feed(struct dlmd *d, const struct dlm_event *ev)
{
	struct dlm_event at = *ev;
	bool synced = false;
	int rc;

	at.now_ms = mono_ms();
	recorder_event(d->record, put_event, &at);
	rc = dlm_step(d->dlm, &at, d->out);
	recorder_actions(d->record, rc, d->out->n, put_action, d->out, UINT64_MAX);
	if (rc < 0) {
		log_warning("dlm.reject", "event=%d rc=%d", (int)ev->type, rc);
		return rc;
	}
	/* Nothing carried out here feeds the core again, so `out` stays what this step said. */
	for (unsigned i = 0; i < d->out->n; i++) {
		synced |= d->out->v[i].type == DLM_ACT_SYNCED && d->out->v[i].synced;
		carry_out(d, d->out, &d->out->v[i]);
	}
	if (synced) {
		dlmd_watch_orphans(d);
		dlmd_goodbyes(d);
	}
	if (ev->type == DLM_EV_VIEW || synced)
		tell_systemd(d);
	return 0;
}

void dlmd_leave(struct dlmd *d)
{
	struct dlm_event ev = { .type = DLM_EV_LEAVE };

	d->leaving = true;
	loop_timer_arm(d->late, mono_ms() + LEAVE_MS);
	if (!d->has_view)
		loop_stop(d->loop, 0);
	else
		dlmd_feed(d, &ev);
}

static void on_view(void *arg, const struct cluster_view *view)
{
	struct dlmd *d = arg;
	struct dlm_event ev = { .type = DLM_EV_VIEW };

	d->view = *view;
	d->has_view = true;
	d->view_ms = mono_ms();
	log_info("view", "id=%llu.%u quorate=%d members=%llx", (unsigned long long)view->id.seq,
		 view->id.rep, view->quorate, (unsigned long long)view->members.bits);
	ev.view.id = view->id;
	ev.view.quorate = view->quorate;
	ev.view.nodes = view->nodes;
	ev.view.members = view->members;
	ev.view.joined = view->joined;
	dlmd_feed(d, &ev);
}

static void on_deliver(void *arg, uint32_t from, const void *data, size_t len)
{
	struct dlm_event ev = { .type = DLM_EV_DELIVER };

	ev.deliver.from = from;
	ev.deliver.data = data;
	ev.deliver.len = len;
	dlmd_feed(arg, &ev);
}

static void on_cluster_lost(void *arg, const char *why)
{
	struct dlmd *d = arg;
	/* Without corosync we are alone and without quorum: nothing is decided until it is back. */
	struct dlm_event ev = { .type = DLM_EV_VIEW };

	log_warning("corosync.lost", "reason=\"%s\"", why);
	if (!d->has_view)
		return;
	d->has_view = false;
	ev.view.nodes = ev.view.members = nodeset_of(d->inc.nodeid);
	dlmd_feed(d, &ev);
}

/*
 * SAFE-2: no locks before this node is a member of the fence domain in this life of ours. Else it may be one that said goodbye
 * earlier, for the others, and cannot join again (it hangs, it cannot unfence itself); when it falls out then, its old
 * goodbye is the proof that it held nothing.
 */
static void join_when_member(struct dlmd *d, const struct fence_state *st)
{
	static const struct cluster_ops ops = { .view = on_view,
						.deliver = on_deliver,
						.lost = on_cluster_lost };

	if (d->cluster || !fence_state_member(st) || d->leaving)
		return;
	d->cluster = cluster_open(d->loop, "stockade-dlmd", &ops, d);
	if (!d->cluster) {
		log_error("join", "error=\"%s\"", strerror(errno));
		loop_stop(d->loop, 1);
		return;
	}
	tell_systemd(d);
}

static void on_fence_state(void *arg, const struct fence_state *st)
{
	struct dlm_event ev = { .type = DLM_EV_FENCE, .fence = st };
	struct dlmd *d = arg;

	if (d->fence_lost)
		history_add(d->history, "fence.back", NULL, "fenced answers again");
	d->fence_lost = false;
	dlmd_feed(d, &ev);
	join_when_member(d, st);
}

static void on_fence_lost(void *arg)
{
	struct dlmd *d = arg;

	d->fence_lost = true;
	history_add(d->history, "fence.lost", NULL,
		    "fenced does not answer: no lock of a dead node is released until it does");
}

static void on_signal(void *arg, int sig)
{
	struct dlmd *d = arg;

	log_notice("dlmd.end", "signal=%d", sig);
	notify_stopping();
	dlmd_leave(d);
}

/* A goodbye that nobody delivers must not hold up a shutdown: without it the locks stand, which is safe. */
static void on_leave_late(void *arg)
{
	struct dlmd *d = arg;

	log_notice("leave.late", "reason=\"the goodbye was not delivered; the locks stand\"");
	loop_stop(d->loop, 0);
}

static void usage(FILE *to)
{
	fputs("Usage: stockade-dlmd [-c FILE] [-d]\n"
	      "The lock manager of a Stockade node. Started by stockade-dlmd.service; see stockade-dlmd(8).\n\n"
	      "  -c, --config FILE  configuration (" CONFIG_PATH ")\n"
	      "  -d, --debug        log every event and action (SIGUSR1 switches it at run time)\n"
	      "      --record DIR   write every event and action to DIR, to be replayed (also: STOCKADE_RECORD)\n"
	      "  -f, --foreground   accepted; it always runs in the foreground\n"
	      "  -h, --help         this text\n"
	      "  -V, --version      print the version\n",
	      to);
}

/* With corosync there: who we are, and everything that needs to know it. */
static int join_cluster(struct dlmd *d)
{
	static const struct fence_link_ops fence_ops = { .state = on_fence_state,
							 .lost = on_fence_lost };
	struct nodeset configured = NODESET_EMPTY;
	char why[256];

	d->self = self_find(d->cfg, &d->inc, why, sizeof(why));
	if (!d->self) {
		int err = errno;

		if (err != EAGAIN)
			log_error("self", "reason=\"%s\"", why);
		return -err;
	}
	for (unsigned i = 0; i < d->cfg->n_nodes; i++)
		nodeset_add(&configured, d->cfg->node[i].id);
	struct dlm_config config = { d->inc, configured };

	d->record = recorder_open("stockade-dlmd", d->record_dir);
	recorder_config(d->record, put_config, &config, 0);
	d->dlm = dlm_new(&d->inc, configured);
	d->out = malloc(sizeof(*d->out));
	if (!d->dlm || !d->out)
		return -ENOMEM;
	d->history = history_open("dlmd", d->self->name);
	d->fence = fence_link_open(d->loop, &fence_ops, d);
	if (!d->fence)
		return -ENOMEM;
	if (config_uses_watchdog(d->cfg) &&
	    fence_link_alive(d->fence, "dlmd", d->cfg->timing.watchdog_ms / 8) < 0)
		return -ENOMEM;
	history_add(d->history, "dlmd.start", NULL, "the lock manager started on %s",
		    d->self->name);
	tell_systemd(d);
	return 0;
}

static void try_join(void *arg)
{
	struct dlmd *d = arg;
	int rc = join_cluster(d);

	if (rc == -EAGAIN) {
		notify_status("waiting for corosync");
		loop_timer_arm(d->retry, mono_ms() + 1000);
	} else if (rc < 0) {
		loop_stop(d->loop, rc == -EINVAL ? CONFIG_EXIT : 1);
	}
}

static int setup(struct dlmd *d, const char *path)
{
	d->cfg = config_read(path, stderr);
	if (!d->cfg)
		return CONFIG_EXIT;
	d->ipc = ipc_server_new(d->loop, "stockade-dlmd", &dlmd_ipc_ops, d);
	if (!d->ipc) {
		log_error("ipc", "reason=\"%s\"",
			  errno == EADDRINUSE ? "another stockade-dlmd runs" : strerror(errno));
		return -errno;
	}
	d->retry = loop_timer_new(d->loop, try_join, d);
	d->late = loop_timer_new(d->loop, on_leave_late, d);
	if (!d->retry || !d->late)
		return -ENOMEM;
	loop_timer_arm(d->retry, mono_ms());
	loop_signal_add(d->loop, SIGTERM, on_signal, d);
	loop_signal_add(d->loop, SIGINT, on_signal, d);
	return notify_ready(d->loop);
}

int main(int argc, char **argv)
{
	static const struct option options[] = { { "config", required_argument, NULL, 'c' },
						 { "debug", no_argument, NULL, 'd' },
						 { "foreground", no_argument, NULL, 'f' },
						 { "help", no_argument, NULL, 'h' },
						 { "record", required_argument, NULL, 'r' },
						 { "version", no_argument, NULL, 'V' },
						 { 0 } };
	struct dlmd d = { .started_ms = mono_ms() };
	const char *path = CONFIG_PATH;
	bool debug = false;
	int c, rc;

	while ((c = getopt_long(argc, argv, "c:dfhV", options, NULL)) != -1) {
		switch (c) {
		case 'c': path = optarg; break;
		case 'd': debug = true; break;
		case 'f': break;
		case 'r': d.record_dir = optarg; break;
		case 'h': usage(stdout); return 0;
		case 'V': puts("stockade-dlmd " PACKAGE_VERSION); return 0;
		default: usage(stderr); return 2;
		}
	}
	if (optind < argc) {
		fprintf(stderr, "stockade-dlmd: unexpected argument \"%s\"\n", argv[optind]);
		usage(stderr);
		return 2;
	}
	for (unsigned i = 0; i < DLM_CLIENTS_MAX; i++)
		d.watch[i].pidfd = -1;
	/* Big buffers are used for a moment: they go back to the system, and do not stay in the heap. */
	mallopt(M_MMAP_THRESHOLD, 64 * 1024);
	mallopt(M_TRIM_THRESHOLD, 64 * 1024);
	log_open("stockade-dlmd", debug);
	d.loop = loop_new();
	rc = d.loop ? setup(&d, path) : -ENOMEM;
	if (rc == 0)
		rc = loop_run(d.loop);
	fence_link_close(d.fence);
	cluster_close(d.cluster);
	ipc_server_free(d.ipc);
	loop_timer_free(d.retry);
	loop_timer_free(d.late);
	history_close(d.history);
	dlm_free(d.dlm);
	recorder_close(d.record);
	free(d.out);
	config_free(d.cfg);
	notify_done();
	loop_free(d.loop);
	log_close();
	return rc < 0 ? 1 : rc;
}
