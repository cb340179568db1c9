/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What stockade-virtd tells: requests of tools on its socket, and its audit of who fenced whom, whose words came from the wire and
 * from libvirt (fence_agents/virtd/report.c). The first byte chooses. Each request has one answer; an audit is never missing in the
 * history, no control character is in it, and in its line a name is one word, so that nobody writes other fields into it.
 */
#include "fence_agents/virtd/daemon.h"
#include "lib/shell/log.h"
#include "tests/fuzz/reply.h"
#include "tests/fuzz/target.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct ipc_peer { /* of ours: what it was told */
	unsigned replies;
};

static struct virtd d;
static const struct ipc_ops *ops;
static unsigned told;

int ipc_reply_json(struct ipc_peer *p, json_t *reply)
{
	reply_check(reply, false);
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

struct ipc_server *ipc_server_free(struct ipc_server *s)
{
	(void)s;
	return NULL;
}

struct ipc_client *ipc_connect(const char *name)
{
	(void)name;
	return NULL;
}

struct ipc_client *ipc_close(struct ipc_client *c)
{
	(void)c;
	return NULL;
}

json_t *ipc_call_json(struct ipc_client *c, json_t *request, int timeout_ms)
{
	(void)c;
	(void)timeout_ms;
	json_decref(request);
	return NULL;
}

void ipc_trust(uid_t uid)
{
	(void)uid;
}

struct history *history_open_in(const char *dir, const char *daemon, const char *node)
{
	(void)dir;
	(void)daemon;
	(void)node;
	return NULL;
}

struct history *history_close(struct history *h)
{
	(void)h;
	return NULL;
}

json_t *history_tail(struct history *h, unsigned max)
{
	(void)h;
	assert(max > 0 && max < 1000);
	return json_array();
}

static void printable(const json_t *extra, const char *key)
{
	const char *text = json_string_value(json_object_get(extra, key));

	assert(text && strlen(text) < VIRTD_WORD_MAX);
	for (; *text; text++)
		assert((unsigned char)*text >= ' ' && *text != 127);
}

void history_add(struct history *h, const char *event, json_t *extra, const char *fmt, ...)
{
	char line[1024];
	va_list ap;

	(void)h;
	assert(*event && extra); /* what cannot be told is missing in the history */
	printable(extra, "guest");
	if (strncmp(event, "virtd.", 6) == 0) {
		va_start(ap, fmt);
		vsnprintf(line, sizeof(line), fmt, ap);
		va_end(ap);
		printable(extra, "target");
		const char *target = strstr(line, " target=");

		assert(target);
		target += strcspn(target + 1, " ") + 1;
		assert(strncmp(target, " guest=", 7) == 0);
		target += strcspn(target + 1, " ") + 1;
		assert(strncmp(target, " uuid=", 6) == 0);
	}
	json_decref(extra);
	told++;
}

void log_emit(int priority, const char *event, const char *fmt, ...)
{
	(void)priority;
	(void)event;
	(void)fmt;
}

uint64_t mono_ms(void)
{
	return 1000;
}

unsigned net_conns(const struct virtd *v)
{
	(void)v;
	return 0;
}

unsigned backends_restarts(const struct backends *b)
{
	(void)b;
	return 0;
}

bool reload(struct virtd *v)
{
	(void)v;
	return false;
}

void feed(struct virtd *v, struct virtd_event ev)
{
	static struct virtd_actions out;

	virtd_step(v->core, &ev, &out);
}

static void fixed(void *arg, void *buf, size_t len)
{
	(void)arg;
	memset(buf, 7, len);
}

static void begin(void)
{
	static const char text[] =
		"fence_virtd { listener = \"multicast\"; backend = \"libvirt\"; }\n";
	static struct virtd_conf conf;
	static struct virtd_notes notes;
	struct virtd_setup setup = { .conf = &conf, .random = fixed };

	if (d.core)
		return;
	assert(virtd_conf_parse(text, sizeof(text) - 1, &conf, &notes) == 0);
	d.conf = &conf;
	d.core = virtd_new(&setup);
	d.state_dir = "/nowhere";
	d.name = "fuzz";
	assert(d.core);
	report_open(&d);
	assert(ops);
}

/* The next word, cut as the core cuts it. */
static void word(char *to, size_t room, const char **text, size_t *len)
{
	size_t n = strnlen(*text, *len), take = n < room - 1 ? n : room - 1;

	memcpy(to, *text, take);
	to[take] = '\0';
	n += n < *len;
	*text += n;
	*len -= n;
}

static void audit(uint8_t what, const char *text, size_t len)
{
	struct virtd_action a = { .type = VIRTD_ACT_AUDIT };
	bool acts;

	memcpy(a.audit.caller.who, "10.0.0.1", 9);
	memcpy(a.audit.caller.source, "10.0.0.1", 9);
	a.audit.op = what & 15;
	a.audit.result = what >> 4 & 7;
	acts = a.audit.op >= 1 && a.audit.op <= 3;
	word(a.audit.target, sizeof(a.audit.target), &text, &len);
	word(a.audit.name, sizeof(a.audit.name), &text, &len);
	word(a.audit.text, sizeof(a.audit.text), &text, &len);
	told = 0;
	report_audit(&d, &a);
	assert(told == (acts || a.audit.result == 3));
	a = (struct virtd_action){ .type = VIRTD_ACT_NOTE };
	a.note.note = VIRTD_NOTE_CRASHED;
	memcpy(a.note.guest, "g", 2);
	word(a.note.guest, sizeof(a.note.guest), &text, &len);
	if (!a.note.guest[0])
		memcpy(a.note.guest, "g", 2);
	report_fact(&d, &a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct ipc_peer peer = { 0 };

	if (len == 0)
		return 0;
	begin();
	if (data[0] == '{') {
		ops->request(&d, &peer, IPC_JSON, data, len);
		assert(peer.replies == 1);
	} else {
		audit(data[0], (const char *)data + 1, len - 1);
	}
	return 0;
}
