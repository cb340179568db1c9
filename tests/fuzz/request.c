/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Requests of tools on fenced's socket, and what members say of their looking (fenced/daemon/doctor.c): a member alone in its
 * ring, with a core of its own. The first byte is the type of the message and, its upper bits, who sends; the rest is the
 * message. Each request has exactly one answer, now or by a later act, and a status can always be told.
 */
#include "fenced/daemon/daemon.h"
#include "lib/shell/hurry.h"
#include "lib/shell/log.h"
#include "lib/shell/multicast.h"
#include "lib/shell/notify.h"
#include "lib/shell/spawn.h"
#include "tests/fuzz/reply.h"
#include "tests/fuzz/target.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static const char yaml[] = "cluster: web\ndetect: 3s\nnodes:\n"
			   "  node1: {id: 1, link0: 192.0.2.11, fence: [{vm: node1}]}\n"
			   "  node2: {id: 2, link0: 192.0.2.12, fence: [{vm: node2}]}\n"
			   "  node3: {id: 3, link0: 192.0.2.13, fence: [{vm: node3}]}\n"
			   "fence_devices:\n  vm: {agent: fence_xvm}\n";

struct ipc_peer { /* of ours: what it was told */
	unsigned replies;
	bool gone;
};

static struct fenced f;
static struct fence_actions *out;
static struct ipc_peer peer;
static uint64_t now_ms;

int ipc_reply_json(struct ipc_peer *p, json_t *reply)
{
	reply_check(reply, false);
	p->replies++;
	return 0;
}

int ipc_reply(struct ipc_peer *p, uint32_t type, const void *data, size_t len)
{
	(void)type;
	assert(len == 0 || data);
	p->replies++;
	return 0;
}

int ipc_event(struct ipc_peer *p, uint32_t type, const void *data, size_t len)
{
	(void)p;
	(void)type;
	(void)data;
	(void)len;
	return 0;
}

void ipc_disconnect(struct ipc_peer *p)
{
	p->gone = true;
}

void history_add(struct history *h, const char *event, json_t *extra, const char *fmt, ...)
{
	(void)h;
	(void)fmt;
	assert(*event && extra); /* what cannot be told is missing in the history */
	json_decref(extra);
}

json_t *history_tail(struct history *h, unsigned max)
{
	(void)h;
	assert(max <= 10000);
	return json_array();
}

/* --- the rest of the daemon, as far as it is called --------------------------------------------------------------- */

uint64_t mono_ms(void)
{
	return now_ms;
}

const char *node_name(const struct fenced *d, uint32_t id)
{
	const struct config_node *n = config_node_by_id(d->cfg, id);

	return n ? n->name : "?";
}

static struct
{ /* what we sent: heard by us, but not before the request that made us say it has its answer */
	uint8_t *msg;
	size_t len;
} sent[16];
static unsigned n_sent;

int feed(struct fenced *d, struct fence_event ev)
{
	static struct fence_action todo[FENCE_ACTIONS_MAX];

	ev.now_ms = now_ms;
	int r = fence_step(d->dom, &ev, out);
	unsigned n = out->n;

	assert(!fence_broken(d->dom));
	assert(r >= 0 || *fence_refusal(d->dom));
	memcpy(todo, out->v, n * sizeof(todo[0]));
	if (out->msg_len > 0 && n_sent < sizeof(sent) / sizeof(sent[0])) {
		sent[n_sent].msg = malloc(out->msg_len);
		assert(sent[n_sent].msg);
		memcpy(sent[n_sent].msg, out->msg, out->msg_len);
		sent[n_sent++].len = out->msg_len;
	}
	for (unsigned i = 0; i < n; i++)
		if (todo[i].type == FENCE_ACT_ACK_DONE)
			ack_answer(d, todo[i].ack.rc, todo[i].ack.text);
		else if (todo[i].type == FENCE_ACT_HISTORY)
			tell(d, &todo[i]);
	return r;
}

static void hear(void)
{
	for (unsigned turn = 0; n_sent > 0 && turn < 64; turn++) {
		uint8_t *msg = sent[0].msg;
		size_t len = sent[0].len;

		memmove(&sent[0], &sent[1], --n_sent * sizeof(sent[0]));
		feed(&f,
		     (struct fence_event){ .type = FENCE_EV_DELIVER, .deliver = { 1, msg, len } });
		free(msg);
	}
	while (n_sent > 0)
		free(sent[--n_sent].msg);
}

void signs_set(struct fenced *d, const struct fence_signs *signs)
{
	d->signs = *signs;
	feed(d, (struct fence_event){ .type = FENCE_EV_SIGNS, .signs = *signs });
}

void guard_alive(struct fenced *d, const void *who, size_t len)
{
	(void)d;
	(void)who;
	(void)len;
}

void try_leave(struct fenced *d)
{
	(void)d;
}

int cluster_send(struct cluster *c, const void *data, size_t len)
{
	(void)c;
	/* what it says is heard by itself, too */
	doctor_deliver(&f, 1, data, len);
	return 0;
}

bool agents_alone(const struct agents *a, unsigned device)
{
	(void)a;
	(void)device;
	return false;
}

struct spawn *spawn_work(struct loop *loop, int (*work)(void *arg, int fd), void *work_arg,
			 uint32_t timeout_ms, void (*line)(void *arg, const char *text),
			 void (*done)(void *arg, const struct spawn_result *r), void *arg)
{
	(void)loop;
	(void)work;
	(void)work_arg;
	(void)timeout_ms;
	(void)line;
	(void)done;
	(void)arg;
	return NULL;
}

void spawn_kill(struct spawn *s)
{
	(void)s;
}

void log_emit(int priority, const char *event, const char *fmt, ...)
{
	(void)priority;
	(void)event;
	(void)fmt;
}

void notify_status(const char *fmt, ...)
{
	(void)fmt;
}

int igmp_listen(void)
{
	return -1;
}

bool igmp_query_heard(int fd, uint8_t *ret_code)
{
	(void)fd;
	(void)ret_code;
	return false;
}

uint32_t igmp_interval_s(uint8_t code)
{
	return code;
}

int loop_fd_add(struct loop *loop, int fd, int events, void (*fn)(void *arg, int fd, int revents),
		void *arg)
{
	(void)loop;
	(void)fd;
	(void)events;
	(void)fn;
	(void)arg;
	return 0;
}

void loop_fd_del(struct loop *loop, int fd)
{
	(void)loop;
	(void)fd;
}

json_t *attest_json(const struct fenced *d)
{
	(void)d;
	return json_array();
}

enum life_sign pings_sign(const struct pings *p)
{
	(void)p;
	return LIFE_UNKNOWN;
}

uint64_t pings_age_ms(const struct pings *p, unsigned i)
{
	(void)p;
	(void)i;
	return UINT64_MAX;
}

json_int_t drill_age_s(int64_t then_s)
{
	return then_s > 0;
}

/* ------------------------------------------------------------------------------------------------------------------ */

static void begin(void)
{
	static const struct incarnation self = { .nodeid = 1, .boot_id = { 1 }, .join = 7 };
	static struct fence_config fc;
	struct config *cfg = f.cfg ? f.cfg : config_parse(yaml, "fuzz.yaml", stderr);
	struct fence_event ev = { .type = FENCE_EV_VIEW };

	assert(cfg);
	if (!out)
		out = malloc(sizeof(*out));
	assert(out);
	memset(&f, 0, sizeof(f));
	memset(&peer, 0, sizeof(peer));
	now_ms = 1000;
	f.cfg = cfg;
	f.self = config_node_by_id(cfg, 1);
	f.life = self;
	f.cluster = (struct cluster *)&f; /* there is one; cluster_send() above */
	f.dog.fd = -1;
	fc = (struct fence_config){ .self = self };
	for (uint32_t id = 1; id <= 3; id++) {
		nodeset_add(&fc.nodes, id);
		fc.path[id].n_levels = 1;
		fc.path[id].n_devices[0] = 1;
	}
	fc.cut_delay_ms = fc.retry_min_ms = 1000;
	fc.post_join_ms = fc.absent_ms = 3000;
	fc.retry_max_ms = 8000;
	fc.ready_interval_ms = 10000;
	fc.ready_age_ms = 60000;
	fc.confirm_ms = 6000;
	fc.stall_ms = 800;
	fc.loop_max = 3;
	fc.loop_ms = 600000;
	fc.drill_wait_ms = 60000;
	f.dom = fence_new(&fc);
	assert(f.dom && doctor_open(&f) == 0);
	ev.view.id = (struct view_id){ 5, 1 };
	ev.view.quorate = true;
	nodeset_add(&ev.view.nodes, 1);
	nodeset_add(&ev.view.members, 1);
	f.view = ev.view;
	feed(&f, ev);
	hear();
}

static void end(void)
{
	doctor_close(&f);
	fence_free(f.dom);
	f.dom = NULL;
}

static void ask(const char *text)
{
	unsigned before = peer.replies;

	on_ipc(&f, &peer, IPC_JSON, text, strlen(text));
	assert(peer.replies == before + 1);
	hear();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const uint32_t types[] = { IPC_JSON, IPC_FENCE_SUBSCRIBE, IPC_FENCE_SIGNS,
					  IPC_FENCE_ALIVE };

	begin();
	while (len >= 2) { /* several of them, each with its length */
		uint8_t what = data[0];
		size_t n = data[1] < len - 2 ? data[1] : len - 2;
		char *exact = malloc(n ? n : 1);
		bool waits = f.ack_peer || f.leave_peer;

		assert(exact);
		memcpy(exact, data + 2, n);
		data += 2 + n;
		len -= 2 + n;
		peer.replies = 0;
		if (what & 8) {
			doctor_deliver(&f, what >> 4, exact, n);
		} else {
			on_ipc(&f, &peer, types[what % 4], exact, n);
			assert(peer.replies <= (waits ? 2u : 1u));
			assert(peer.replies || peer.gone || f.ack_peer || f.leave_peer);
		}
		hear();
		free(exact);
		now_ms += 100;
	}
	ask("{\"cmd\": \"status\"}");
	ask("{\"cmd\": \"why\", \"name\": \"node2\"}");
	ask("{\"cmd\": \"doctor\", \"run\": 1}");
	ask("{\"cmd\": \"doctor\", \"run\": 1, \"node\": \"node2\"}");
	on_ipc_gone(&f, &peer);
	assert(f.ack_peer != &peer && f.leave_peer != &peer);
	end();
	return 0;
}
