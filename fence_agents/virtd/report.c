/* SPDX-License-Identifier: GPL-3.0-or-later */
/* fence_agents/virtd/report.c - who fenced whom, for ever; what is, on a socket; which requests must not come again. */
#include "daemon.h"

#include "lib/shell/log.h"
#include "lib/utf8.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <systemd/sd-journal.h>
#include <unistd.h>

#define KEEP_MAX 16384 /* of 16 bytes each: the core's own memory of acts */

static const char *result_name(uint8_t result)
{
	switch (result) {
	case 0: return "ok";
	case 1: return "failed";
	case 2: return "off";
	case 3: return "denied";
	default: return "?";
	}
}

static const char *or_dash(const char *s)
{
	return s[0] ? s : "-";
}

/* Names come from the wire: only what is harmless in a log line and in JSON stays. */
static void plain(const char *from, char *to, size_t len)
{
	size_t n = 0;

	for (; *from && n + 1 < len; from++)
		to[n++] = *from > ' ' && *from < 127 && *from != '"' && *from != '\\' ? *from : '?';
	to[n] = '\0';
}

/* For JSON and the journal's fields, which are quoted or counted: a guest's name as it is, blanks and all. */
static void whole(const char *from, char *to, size_t len)
{
	snprintf(to, len, "%s", from);
	for (char *p = to; *p; p++)
		if ((unsigned char)*p < ' ' || *p == 127)
			*p = '?';
	utf8_mend(to);
}

void report_audit(struct virtd *d, const struct virtd_action *a)
{
	const char *op = virtd_op_name(a->audit.op), *result = result_name(a->audit.result);
	const char *listener = virtd_listener_name(d->conf->listener[a->audit.listener].kind);
	bool acts = a->audit.op >= 1 && a->audit.op <= 3, denied = a->audit.result == 3;
	char target[VIRTD_WORD_MAX], name[VIRTD_WORD_MAX];
	char whole_target[VIRTD_WORD_MAX], whole_name[VIRTD_WORD_MAX];

	plain(a->audit.target, target, sizeof(target));
	plain(a->audit.name, name, sizeof(name));
	whole(a->audit.target, whole_target, sizeof(whole_target));
	whole(a->audit.name, whole_name, sizeof(whole_name));
	if (!acts && !denied) {
		log_info(
			"virtd.query",
			"caller=%s op=%s target=%s guest=%s uuid=%s result=%s took_ms=%u text=\"%s\"",
			a->audit.caller.who, op, or_dash(target), or_dash(name),
			or_dash(a->audit.uuid), result, a->audit.took_ms, a->audit.text);
		return;
	}
	history_add(d->history, denied ? "virtd.denied" : "virtd.fence",
		    json_pack("{s:s,s:s,s:s,s:s,s:s,s:s,s:s,s:s,s:i,s:b,s:i}", "caller",
			      a->audit.caller.who, "source", a->audit.caller.source, "listener",
			      listener, "op", op, "target", whole_target, "guest", whole_name,
			      "uuid", a->audit.uuid, "result", result, "took_ms",
			      (int)a->audit.took_ms, "mapped", !a->audit.old_map, "key",
			      (int)a->audit.key),
		    "caller=%s op=%s target=%s guest=%s uuid=%s result=%s took_ms=%u: %s",
		    a->audit.caller.who, op, or_dash(target), or_dash(name), or_dash(a->audit.uuid),
		    result, a->audit.took_ms, a->audit.text);
	if (getenv("JOURNAL_STREAM"))
		sd_journal_send("MESSAGE=%s %s %s: %s, %s", a->audit.caller.who, op,
				or_dash(name[0] ? name : target), result, a->audit.text,
				"PRIORITY=%d", denied ? 4 : 6, "STOCKADE_EVENT=%s",
				denied ? "virtd.denied" : "virtd.fence", "STOCKADE_CALLER=%s",
				a->audit.caller.who, "STOCKADE_SOURCE=%s", a->audit.caller.source,
				"STOCKADE_LISTENER=%s", listener, "STOCKADE_OP=%s", op,
				"STOCKADE_TARGET=%s", whole_target, "STOCKADE_GUEST=%s", whole_name,
				"STOCKADE_UUID=%s", a->audit.uuid, "STOCKADE_RESULT=%s", result,
				"STOCKADE_TOOK_MS=%u", a->audit.took_ms, NULL);
}

void report_fact(struct virtd *d, const struct virtd_action *a)
{
	const char *text = a->note.text;
	char guest[VIRTD_WORD_MAX], who[VIRTD_WORD_MAX];

	plain(a->note.guest, guest, sizeof(guest));
	plain(a->note.who, who, sizeof(who));
	switch (a->note.note) {
	case VIRTD_NOTE_DROP:
		log_info("virtd.drop", "caller=%s guest=%s text=\"%s\"", who, or_dash(guest), text);
		break;
	case VIRTD_NOTE_BROKEN:
		log_info("virtd.broken", "caller=%s guest=%s text=\"%s\"", who, or_dash(guest),
			 text);
		break;
	case VIRTD_NOTE_SUBSCRIBED:
		log_notice("attest.subscribed", "cluster=%s guest=%s text=\"%s\"", who, guest,
			   text);
		break;
	case VIRTD_NOTE_REFUSED:
		log_notice("attest.subscribed", "cluster=%s guest=%s bound=no text=\"%s\"", who,
			   guest, text);
		break;
	case VIRTD_NOTE_CRASHED:
		history_add(d->history, "attest.crashed", json_pack("{s:s}", "guest", guest),
			    "guest %s: %s", guest, text);
		break;
	case VIRTD_NOTE_OVER:
		history_add(d->history, "attest.over",
			    json_pack("{s:s,s:s}", "guest", guest, "cluster", who), "guest %s: %s",
			    guest, text);
		break;
	case VIRTD_NOTE_NOT_OVER:
		log_notice("attest.silent", "guest=%s text=\"%s\"", guest, text);
		break;
	}
}

/* A ring of digests in a file: what was carried out stays known over a restart (VIRTD-3). */
void report_keep(struct virtd *d, const uint8_t digest[VIRTD_DIGEST_BYTES])
{
	off_t at = (off_t)(d->keep_next++ % KEEP_MAX) * VIRTD_DIGEST_BYTES;

	if (d->keep_fd >= 0 &&
	    pwrite(d->keep_fd, digest, VIRTD_DIGEST_BYTES, at) != VIRTD_DIGEST_BYTES)
		log_warning("virtd.replay", "error=\"%s\"", strerror(errno));
}

static void load_seen(struct virtd *d)
{
	char path[512];
	struct virtd_event ev = { .type = VIRTD_EV_SEEN };
	static const uint8_t zero[VIRTD_DIGEST_BYTES];

	snprintf(path, sizeof(path), "%s/replay", d->state_dir);
	d->keep_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (d->keep_fd < 0) {
		log_warning("virtd.replay",
			    "file=%s error=\"%s\" text=\"a restart forgets what was carried out\"",
			    path, strerror(errno));
		return;
	}
	uint32_t n = 0;

	for (; n < KEEP_MAX && pread(d->keep_fd, ev.seen, VIRTD_DIGEST_BYTES,
				     (off_t)n * VIRTD_DIGEST_BYTES) == VIRTD_DIGEST_BYTES;
	     n++)
		if (memcmp(ev.seen, zero, sizeof(zero)) != 0)
			feed(d, ev);
	/* a full ring is written on from its begin: the oldest are not known apart, any place is as good */
	d->keep_next = n % KEEP_MAX;
}

static json_t *status_json(struct virtd *d)
{
	struct virtd_status s;
	json_t *uris = json_array(), *listeners = json_array();

	virtd_status(d->core, &s);
	for (unsigned u = 0; u < d->conf->n_uris; u++)
		json_array_append_new(uris, json_pack("{s:s,s:s}", "uri", d->conf->uri[u], "state",
						      s.uri_up[u]     ? "up"
						      : s.uri_seen[u] ? "lost"
								      : "never seen"));
	for (unsigned i = 0; i < d->conf->n_listeners; i++) {
		const struct virtd_listener *l = &d->conf->listener[i];

		json_t *one = json_pack("{s:s,s:s,s:i,s:s,s:s}", "kind",
					virtd_listener_name(l->kind), "address", l->address, "port",
					(int)l->port, "hash", virtd_hash_name(l->hash), "auth",
					virtd_hash_name(l->auth));

		if (l->kind == VIRTD_MULTICAST) {
			json_t *joined = json_array();

			for (unsigned k = 0; k < d->group[i].n; k++)
				json_array_append_new(joined, json_string(d->group[i].name[k]));
			json_object_set_new(one, "joined", joined);
		}
		json_array_append_new(listeners, one);
	}
	return json_pack(
		"{s:b,s:s,s:I,s:s,s:o,s:o,s:i,s:i,s:i,s:i,s:i,s:i,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I}",
		"ok", 1, "version", STOCKADE_VERSION, "up_ms",
		(json_int_t)(mono_ms() - d->start_ms), "map",
		d->conf->map.open_of_old ? "none: everything is permitted"
		: d->conf->map.open      ? "open by a line"
					 : "what is listed",
		"libvirt", uris, "listeners", listeners, "guests", (int)s.guests, "sessions",
		(int)s.sessions, "connections", (int)net_conns(d), "libvirt_calls", (int)s.jobs,
		"subscribers", (int)s.subscribers, "libvirt_restarts",
		(int)backends_restarts(d->backends), "requests", (json_int_t)s.requests, "answered",
		(json_int_t)s.answered, "denied", (json_int_t)s.denied, "dropped",
		(json_int_t)s.dropped, "replayed", (json_int_t)s.replayed, "limited",
		(json_int_t)s.limited, "broken", (json_int_t)s.broken, "statements",
		(json_int_t)s.statements, "acknowledged", (json_int_t)s.acked, "echoes",
		(json_int_t)s.echoes);
}

static void on_request(void *arg, struct ipc_peer *peer, uint32_t type, const void *data,
		       size_t len)
{
	struct virtd *d = arg;
	json_t *q = type == IPC_JSON ? json_loadb(data, len, 0, NULL) : NULL;
	const char *cmd = json_string_value(json_object_get(q, "cmd"));
	json_int_t max = json_integer_value(json_object_get(q, "max"));

	if (cmd && strcmp(cmd, "status") == 0)
		ipc_reply_json(peer, status_json(d));
	else if (cmd && strcmp(cmd, "reload") == 0)
		ipc_reply_json(peer, reload(d) ? json_pack("{s:b}", "ok", 1)
					       : json_pack("{s:b,s:s,s:s}", "ok", 0, "error",
							   "a file is wrong; what was before stays",
							   "remedy", "stockade-virtd --check"));
	else if (cmd && strcmp(cmd, "history") == 0)
		ipc_reply_json(peer,
			       json_pack("{s:b,s:o}", "ok", 1, "history",
					 history_tail(d->history,
						      max > 0 && max < 1000 ? (unsigned)max : 50)));
	else
		ipc_reply_json(peer, json_pack("{s:b,s:s,s:s}", "ok", 0, "error", "no such request",
					       "remedy", "ask for status, history or reload"));
	json_decref(q);
}

void report_open(struct virtd *d)
{
	static const struct ipc_ops ops = { on_request, NULL };

	d->history = history_open_in(d->state_dir, "virtd", "-");
	if (!d->history)
		log_warning("history.open", "dir=%s error=\"%s\"", d->state_dir, strerror(errno));
	d->ipc = ipc_server_new(d->loop, d->name, &ops, d);
	if (!d->ipc)
		log_warning("virtd.status", "socket=%s error=\"%s\"", d->name, strerror(errno));
	load_seen(d);
}

void report_close(struct virtd *d)
{
	d->ipc = ipc_server_free(d->ipc);
	d->history = history_close(d->history);
	if (d->keep_fd >= 0)
		close(d->keep_fd);
}

static json_t *ask_daemon(const char *name, const char *cmd)
{
	const struct passwd *own = getpwnam("stockade-virtd"); /* of its unit */

	if (own)
		ipc_trust(own->pw_uid);
	struct ipc_client *c = ipc_connect(name);
	json_t *r = c ? ipc_call_json(c, json_pack("{s:s}", "cmd", cmd), 5000) : NULL;

	if (!r)
		fprintf(stderr, "stockade-virtd: no answer from a running daemon: %s\n",
			strerror(errno));
	if (c)
		ipc_close(c);
	return r;
}

int report_show(const char *name)
{
	json_t *r = ask_daemon(name, "status");

	if (!r)
		return 1;
	json_dumpf(r, stdout, JSON_INDENT(2));
	putchar('\n');
	json_decref(r);
	return 0;
}

int report_reload(const char *name)
{
	json_t *r = ask_daemon(name, "reload");
	bool ok = json_is_true(json_object_get(r, "ok"));
	const char *why = json_string_value(json_object_get(r, "error"));

	if (r && !ok)
		fprintf(stderr, "stockade-virtd: %s\n", why ? why : "it refused");
	json_decref(r);
	return ok ? 0 : 1;
}
