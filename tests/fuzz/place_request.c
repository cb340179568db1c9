/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Requests of tools on storaged's socket (storaged/daemon/answer.c), and its two files (store.c): a member of three that are
 * there, with a core of its own. The first byte chooses: the files, one behind the other with a NUL between, or requests, each
 * with its length in a byte before it. Each request has exactly one answer, now or when it is agreed; whatever was asked, a status
 * can be told; and what is in the files is what is written into them anew.
 */
#include "lib/shell/log.h"
#include "storaged/daemon/daemon.h"
#include "tests/fuzz/reply.h"
#include "tests/fuzz/target.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static const char yaml[] = "cluster: web\ndetect: 3s\nnodes:\n"
			   "  node1: {id: 1, link0: 192.0.2.11, fence: [{vm: node1}]}\n"
			   "  node2: {id: 2, link0: 192.0.2.12, fence: [{vm: node2}]}\n"
			   "  node3: {id: 3, link0: 192.0.2.13, fence: [{vm: node3}]}\n"
			   "fence_devices:\n  vm: {agent: fence_xvm}\n"
			   "volumes:\n  v1: {vg: vg, lv: lv1, fs: xfs, mount: /srv/v1}\n"
			   "  v2: {vg: vg2, lv: lv2, fs: xfs, mount: /srv/v2}\n"
			   "services:\n  web: {resources: [{volume: v1}]}\n"
			   "  db: {enabled: false, resources: [{volume: v2}]}\n";

struct ipc_peer { /* of ours: what it was told */
	unsigned replies;
};

static struct daemon d;
static struct ipc_peer peer;
static const struct ipc_ops *ops;
static uint64_t now_ms;
static unsigned depth;

int ipc_reply_json(struct ipc_peer *p, json_t *reply)
{
	reply_check(reply, true);
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

struct ipc_server *ipc_server_new(struct loop *loop, const char *name, const struct ipc_ops *o,
				  void *arg)
{
	(void)loop;
	(void)name;
	assert(arg == &d);
	ops = o;
	return (struct ipc_server *)&d;
}

json_t *history_tail(struct history *h, unsigned max)
{
	json_t *list = json_array();

	(void)h;
	/* as long as the real one lets it be */
	for (unsigned i = 0; i < max && i < 2000; i++)
		json_array_append_new(list, json_pack("{s:s}", "text", "somebody did something"));
	return list;
}

uint64_t mono_ms(void)
{
	return now_ms;
}

void log_emit(int priority, const char *event, const char *fmt, ...)
{
	(void)priority;
	(void)event;
	(void)fmt;
}

int file_replace(const char *path, const void *data, size_t len, mode_t mode, bool sync)
{
	(void)path;
	(void)sync;
	assert(data && len > 2 && mode == 0640);
	return 0;
}

const char *lock_word(const struct daemon *of, unsigned volume)
{
	assert(volume < of->cfg->n_volumes);
	return "none";
}

int drive_prepare_volume(struct daemon *of, unsigned volume, struct ipc_peer *p)
{
	struct drive_run r = { .has_result = volume == 0,
			       .result = { .result = DRIVER_OK },
			       .peer = p,
			       .volume = volume };

	answer_prepared(of, &r); /* a driver that is very quick, or says nothing */
	return 0;
}

void drive_peer_gone(struct daemon *of, const struct ipc_peer *p)
{
	for (size_t i = 0; i < sizeof(of->request) / sizeof(of->request[0]); i++)
		assert(of->request[i].peer != p);
}

/* Drivers find nothing, then succeed; locks are free; what we send is heard by us. */
void feed(struct daemon *of, struct place_event ev)
{
	static struct place_look nothing[SERVICES_MAX];
	static struct place_actions out;
	struct place_event answers[64];
	uint8_t *sent[8];
	size_t len[8];
	unsigned n = 0, n_sent = 0;

	for (unsigned s = 0; s < SERVICES_MAX; s++)
		nothing[s].active = DRIVE_NONE;
	ev.now_ms = now_ms;
	place_step(of->place, &ev, &out);
	assert(!place_broken(of->place));
	for (unsigned i = 0; i < out.n; i++) {
		const struct place_action *act = &out.v[i];
		struct place_event a = { .type = PLACE_EV_TIMEOUT };

		if (act->type == PLACE_ACT_SEND && n_sent < 8) {
			sent[n_sent] = malloc(act->send.len);
			assert(sent[n_sent]);
			memcpy(sent[n_sent], act->send.data, act->send.len);
			len[n_sent++] = act->send.len;
		} else if (act->type == PLACE_ACT_DRIVE) {
			a.type = PLACE_EV_DRIVER;
			a.driver.run = act->drive.run;
			a.driver.result = act->drive.op == DRIVE_PROBE ? DRIVE_NONE : DRIVE_OK;
			a.driver.epoch = act->drive.epoch;
			a.driver.ours = true;
			a.driver.why = "";
		} else if (act->type == PLACE_ACT_LOOK) {
			a.type = PLACE_EV_LOOK;
			a.look.v = nothing;
		} else if (act->type == PLACE_ACT_LOCK) {
			a.type = PLACE_EV_LOCK;
			a.lock.volume = act->lock.volume;
			a.lock.held = true;
		} else if (act->type == PLACE_ACT_ANSWER) {
			answer_command(of, act);
		}
		if (a.type != PLACE_EV_TIMEOUT && n < 64)
			answers[n++] = a;
	}
	depth++;
	for (unsigned i = 0; i < n_sent; i++) {
		if (depth < 20)
			feed(of, (struct place_event){ .type = PLACE_EV_DELIVER,
						       .deliver = { 1, sent[i], len[i] } });
		free(sent[i]);
	}
	for (unsigned i = 0; i < n && depth < 20; i++)
		feed(of, answers[i]);
	depth--;
}

static void begin(const json_t *intent, const json_t *state)
{
	static const struct incarnation self = { .nodeid = 1, .boot_id = { 1 }, .join = 7 };
	static struct place_config pc;
	static struct fence_state fenced;

	if (!d.cfg) {
		d.cfg = config_parse(yaml, "fuzz.yaml", stderr);
		assert(d.cfg);
		assert(answer_start(&d) == 0 && ops);
	}
	now_ms = 1000;
	peer.replies = 0;
	memset(d.request, 0, sizeof(d.request));
	d.self = config_node_by_id(d.cfg, 1);
	d.life = self;
	frame_make(&d, &pc);
	store_take(d.cfg, &d.life, intent, state, &pc);
	d.place = place_new(&pc);
	assert(d.place);
	feed(&d, (struct place_event){ .type = PLACE_EV_START });
	memset(&fenced, 0, sizeof(fenced));
	fenced.quorate = fenced.informed = true;
	fenced.self = self;
	for (uint32_t id = 1; id <= 3; id++)
		fenced.node[fenced.n++] = (struct fence_node){
			.nodeid = id,
			.state = id == 1 ? FENCE_NODE_MEMBER : FENCE_NODE_DEAD,
			.life = { .nodeid = id, .boot_id = { (uint8_t)id }, .join = 1 }
		};
	d.fence_state = fenced;
	feed(&d, (struct place_event){ .type = PLACE_EV_VIEW,
				       .view = { .id = { 5, 1 },
						 .quorate = true,
						 .nodes = nodeset_of(1),
						 .members = nodeset_of(1) } });
	feed(&d, (struct place_event){ .type = PLACE_EV_FENCE, .fence = { &d.fence_state } });
}

static void ask(const char *text)
{
	unsigned before = peer.replies;

	ops->request(&d, &peer, IPC_JSON, text, strlen(text));
	assert(peer.replies == before + 1);
}

static unsigned waiting(void)
{
	unsigned n = 0;

	for (size_t i = 0; i < sizeof(d.request) / sizeof(d.request[0]); i++)
		n += d.request[i].peer == &peer;
	return n;
}

static void end(void)
{
	ask("{\"cmd\": \"status\"}");
	ask("{\"cmd\": \"why\", \"name\": \"web\"}");
	ask("{\"cmd\": \"why\", \"name\": \"v2\"}");
	ops->gone(&d, &peer);
	assert(waiting() == 0);
	d.place = place_free(d.place);
}

static void requests(const uint8_t *data, size_t len)
{
	begin(NULL, NULL);
	while (len >= 1) {
		size_t n = data[0] < len - 1 ? data[0] : len - 1;
		char *exact = malloc(n ? n : 1);
		unsigned before = peer.replies + waiting();

		assert(exact);
		memcpy(exact, data + 1, n);
		/* an empty one stands for a type that is none of ours */
		ops->request(&d, &peer, n ? IPC_JSON : IPC_FENCE_SIGNS, exact, n);
		assert(peer.replies + waiting() == before + 1);
		free(exact);
		data += 1 + n;
		len -= 1 + n;
		now_ms += 100;
		if (place_deadline_ms(d.place) <= now_ms)
			feed(&d, (struct place_event){ .type = PLACE_EV_TIMEOUT });
	}
	end();
}

static void files(const char *text, size_t len)
{
	const char *second = memchr(text, '\0', len);
	size_t first = second ? (size_t)(second - text) : len;
	json_t *intent = json_loadb(text, first, 0, NULL), *anew, *up;
	json_t *state = second ? json_loadb(second + 1, len - first - 1, 0, NULL) : NULL;
	struct place_config was = { .intent = 0 }, is = { .intent = 0 };

	begin(NULL, NULL);
	store_take(d.cfg, &d.life, intent, state, &was);
	end();
	begin(intent, state);
	/* what the operator said is said again; what another boot has up is not ours */
	anew = store_intent_json(&d);
	up = store_state_json(&d);
	assert(anew && up);
	store_take(d.cfg, &d.life, anew, up, &is);
	if (was.intent) {
		assert(is.intent >= was.intent);
		if (is.intent == was.intent)
			assert(nodeset_equal(is.standby, was.standby) &&
			       memcmp(is.enabled, was.enabled, sizeof(is.enabled)) == 0);
	}
	for (unsigned s = 0; s < d.cfg->n_services; s++)
		assert(is.ours[s] == place_ours(d.place, s));
	json_decref(anew);
	json_decref(up);
	json_decref(intent);
	json_decref(state);
	end();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	if (len == 0)
		return 0;
	if (data[0] % 2)
		files((const char *)data + 1, len - 1);
	else
		requests(data + 1, len - 1);
	return 0;
}
