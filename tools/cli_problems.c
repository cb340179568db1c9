/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What is not as it should be, from what the daemons say. Unknown is a problem too (SAFE-3). */
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "tools/cli.h"

static void add(json_t *list, const char *kind, const char *name, const char *remedy,
		const char *fmt, ...) __attribute__((format(printf, 5, 6)));

static void add(json_t *list, const char *kind, const char *name, const char *remedy,
		const char *fmt, ...)
{
	char *text = NULL;
	va_list ap;

	va_start(ap, fmt);
	if (vasprintf(&text, fmt, ap) < 0)
		text = NULL;
	va_end(ap);
	json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:s?}", "kind", kind, "name", name,
					      "text", text ? text : "?", "remedy", remedy));
	free(text);
}

static void daemons(json_t *list, const struct answer answer[DAEMONS])
{
	unsigned refused = 0, forbidden = 0;

	for (unsigned d = 0; d < DAEMONS; d++) {
		refused += !answer[d].reply && answer[d].error == ECONNREFUSED;
		forbidden += !answer[d].reply && answer[d].error == EACCES;
	}
	if (forbidden == DAEMONS) {
		add(list, "daemon", "", "use sudo", "the daemons answer root only");
		return;
	}
	if (refused == DAEMONS) {
		add(list, "daemon", "",
		    "systemctl start stockade.target; if they end at once: journalctl -u 'stockade-*'",
		    "none of fenced, dlmd, storaged runs on this node");
		return;
	}
	for (unsigned d = 0; d < DAEMONS; d++) {
		const json_t *reply = answer[d].reply;
		const char *name = daemon_names[d];

		if (!reply && answer[d].error == ETIMEDOUT)
			add(list, "daemon", name,
			    "journalctl -u stockade-NAME; systemd restarts it if it hangs",
			    "%s runs, but gives no answer", name);
		else if (!reply && (answer[d].error == EACCES || answer[d].error == EPERM))
			add(list, "daemon", name, "use sudo", "%s answers root only", name);
		else if (!reply)
			add(list, "daemon", name,
			    "systemctl start stockade.target; then journalctl -u stockade-NAME",
			    "%s does not run on this node", name);
		else if (!js_true(reply, "ok"))
			add(list, "daemon", name, js_str(reply, "remedy"), "%s: %s", name,
			    js_text(reply, "error", "it refuses to answer"));
	}
}

/* Views differ between daemons for moments only; what the first one of them says is enough. */
static void view(json_t *list, const struct answer answer[DAEMONS])
{
	for (unsigned d = 0; d < DAEMONS; d++) {
		const json_t *v = json_object_get(answer[d].reply, "view");

		if (!js_true(answer[d].reply, "ok"))
			continue;
		if (!json_is_object(v))
			add(list, "cluster", "",
			    "systemctl status corosync; journalctl -u corosync",
			    "corosync does not answer %s: this node is in no cluster",
			    daemon_names[d]);
		else if (!js_true(v, "quorate"))
			add(list, "cluster", "",
			    "bring the other nodes back, or see that they can reach this one",
			    "no quorum: this node decides and runs nothing");
		else if (!js_true(v, "synced"))
			add(list, "cluster", "", NULL,
			    "%s is still exchanging its state with the other nodes",
			    daemon_names[d]);
		else
			continue;
		return;
	}
}

/* Whoever may not hold anything lets go in grades, and reboots when that does not help (SAFE-7). */
static void halt(json_t *list, const json_t *storaged)
{
	static const struct {
		const char *grade, *words;
	} grades[] = {
		{ "order", "stops everything in order" },
		{ "deny", "has stopped all writes by force (error table)" },
		{ "kill", "kills whoever uses what it still holds" },
		{ "reboot", "reboots" },
	};
	const json_t *h = json_object_get(storaged, "halt"), *next = json_object_get(h, "next_ms");
	const char *grade = js_text(h, "grade", "");

	for (size_t i = 0; i < sizeof(grades) / sizeof(grades[0]); i++) {
		if (strcmp(grade, grades[i].grade) != 0)
			continue;
		if (json_is_integer(next))
			add(list, "node", js_text(storaged, "node", "?"),
			    "see what hangs: stockade history; what is still held in the end is ended by a reboot",
			    "this node %s: %s; the next step comes in %.1f s, the reboot in %.1f s",
			    grades[i].words, js_text(h, "reason", "?"),
			    (double)json_integer_value(next) / 1000.0,
			    (double)js_int(h, "reboot_ms", 0) / 1000.0);
		else
			add(list, "node", js_text(storaged, "node", "?"),
			    "look at the network between the nodes; services come back by themselves",
			    "this node has let go of everything: %s", js_text(h, "reason", "?"));
	}
}

/* What ends in a reset of this node, and what leaves it without one (SAFE-12). */
static void watchdog(json_t *list, const json_t *fenced)
{
	const json_t *dog = json_object_get(fenced, "watchdog");
	const char *name = js_text(fenced, "node", "?"), *error = js_str(dog, "error");
	json_int_t ms = js_int(dog, "timeout_ms", 0);

	if (!json_is_object(dog))
		return;
	if (!js_true(dog, "armed"))
		add(list, "node", name, "stockade doctor watchdog",
		    "the watchdog of this node is not armed%s%s: nobody may count on it",
		    error ? ": " : "", error ? error : "");
	else if (error && js_true(dog, "petted"))
		add(list, "node", name, "stockade why NODE",
		    "%s: if that stays so, the watchdog resets this node", error);
	else if (error)
		add(list, "node", name, "stockade why NODE",
		    "%s: the watchdog is not petted any more and resets this node within %.0f s",
		    error, (double)ms / 1000.0);
}

static void fence_paths(json_t *list, const json_t *node, const char *name)
{
	json_t *path;
	size_t i;

	if (js_false(node, "ready"))
		add(list, "node", name,
		    "stockade doctor fence; the fence device must answer before anything shared may start",
		    "no fence path to %s has passed its check lately (SAFE-6)", name);
	json_array_foreach (json_object_get(node, "paths"), i, path) {
		if (strcmp(js_text(path, "result", "unknown"), "fail") == 0)
			add(list, "node", name, "stockade doctor fence",
			    "fence device %s for %s failed its check: %s",
			    js_text(path, "device", "?"), name,
			    js_text(path, "error", "no reason given"));
	}
}

static void one_node(json_t *list, const json_t *node)
{
	const char *name = js_text(node, "name", "?"), *state = js_text(node, "state", "unknown");
	const json_t *fencing = json_object_get(node, "fencing");
	const char *error = js_str(fencing, "error");
	const char *proof = js_text(json_object_get(node, "proof"), "kind", "no proof is known");

	if (strcmp(state, "victim") == 0)
		add(list, "node", name, error ? "if it is certainly off: stockade ack NODE" : NULL,
		    "%s may still be writing (%s): being fenced by %s%s%s", name,
		    js_text(fencing, "reason", "victim"), js_text(fencing, "actor", "nobody yet"),
		    error ? "; last error: " : "", error ? error : "");
	else if (strcmp(state, "absent") == 0)
		add(list, "node", name, "on that node: systemctl start stockade.target",
		    "%s is in the cluster, its fenced is not", name);
	else if (strcmp(state, "unknown") == 0)
		add(list, "node", name, NULL, "nothing is known about %s", name);
	else if (strcmp(state, "dead") == 0 && strcmp(proof, "storage_cut") == 0)
		add(list, "node", name, "reboot it, when what happened is understood",
		    "%s is cut off from the shared disks, and may be running (%s)", name, proof);
	else if (strcmp(state, "dead") == 0)
		add(list, "node", name, "start it, when what killed it is understood",
		    "%s is off or gone (%s)", name, proof);
	if (js_true(node, "held"))
		add(list, "node", name, "find out why; then: stockade node admit NODE",
		    "%s was fenced too often and is held: nothing starts on it", name);
	fence_paths(list, node, name);
}

static void store(json_t *list, const json_t *fenced)
{
	const char *error = js_str(fenced, "store_error");

	if (error)
		add(list, "node", js_text(fenced, "node", ""),
		    "make room there, or mount it writable; it is tried again every 5 s",
		    "fenced cannot keep what it knows (%s): it fences all the same, but proofs, drills and held nodes are forgotten when it restarts",
		    error);
}

static void fence_nodes(json_t *list, const json_t *fenced)
{
	const char *ours = js_str(fenced, "config_hash");
	json_t *node;
	size_t i;

	if (!js_true(fenced, "ok"))
		return;
	if (js_true(fenced, "self_victim"))
		add(list, "node", js_text(fenced, "node", "?"), NULL,
		    "the others have declared this node dead: it stops everything and reboots (SAFE-7)");
	json_array_foreach (json_object_get(fenced, "nodes"), i, node) {
		const char *hash = js_str(node, "config_hash");

		one_node(list, node);
		if (ours && hash && strcmp(ours, hash) != 0)
			add(list, "node", js_text(node, "name", "?"),
			    "copy one stockade.yaml to every node, then restart the daemons, one node after the other",
			    "%s runs with another configuration than this node",
			    js_text(node, "name", "?"));
	}
}

static void gateway(json_t *list, const json_t *fenced)
{
	const char *sign = js_str(json_object_get(fenced, "gateway"), "sign");

	if (sign && strcmp(sign, "stale") == 0)
		add(list, "gateway", "",
		    "look at this node's network; in a cut of two it would be the one to go",
		    "no ping target answers this node");
}

/* Who could not take it over, as it has lost the storage. Of this node, and of who has it, other lines speak. */
static void storage(json_t *list, const json_t *storaged, const json_t *service)
{
	const char *self = js_text(storaged, "node", ""), *name = js_text(service, "name", "?");
	const char *has = js_text(service, "node", "");
	json_t *s;
	size_t i;

	json_array_foreach (json_object_get(service, "storage"), i, s) {
		const char *node = js_text(s, "node", "?");

		if (strcmp(js_text(s, "state", "unknown"), "lost") == 0 &&
		    strcmp(node, self) != 0 && strcmp(node, has) != 0)
			add(list, "service", name, "look at the storage network of that node",
			    "%s has not reached the storage of %s for %lld s, and could not take it over",
			    node, name,
			    (long long)json_integer_value(json_object_get(s, "lost_ms")) / 1000);
	}
}

static void services(json_t *list, const json_t *storaged)
{
	const json_t *gate = json_object_get(storaged, "gate");
	json_t *s;
	size_t i;

	if (js_false(gate, "open"))
		add(list, "cluster", "", NULL, "nothing shared may start on this node: %s",
		    js_text(gate, "why", "storaged does not say why"));
	json_array_foreach (json_object_get(storaged, "services"), i, s) {
		const char *name = js_text(s, "name", "?"), *state = js_text(s, "state", "unknown");
		const char *why = js_str(s, "why");

		storage(list, storaged, s);
		if (strcmp(state, "running") == 0 && !why)
			continue;
		if (strcmp(state, "stopped") == 0 && js_false(s, "enabled"))
			continue;
		add(list, "service", name, "stockade why SERVICE", "service %s is %s%s%s", name,
		    state, why ? ": " : "", why ? why : "");
	}
}

static void volumes(json_t *list, const json_t *storaged)
{
	json_t *v;
	size_t i;

	json_array_foreach (json_object_get(storaged, "volumes"), i, v) {
		const char *name = js_text(v, "name", "?"), *why = js_str(v, "why");

		if (strcmp(js_text(v, "state", "unknown"), "failed") == 0)
			add(list, "volume", name, "stockade why VOLUME", "volume %s failed%s%s",
			    name, why ? ": " : "", why ? why : "");
		if (js_false(v, "prepared"))
			add(list, "volume", name, "stockade volume prepare VOLUME",
			    "volume %s has no epoch area yet, so it cannot be activated", name);
		if (js_false(v, "reachable"))
			add(list, "volume", name,
			    "look at the target, the network to it, and stockade why VOLUME",
			    "volume %s cannot be reached from this node%s%s", name, why ? ": " : "",
			    why ? why : "");
	}
}

static void initiators(json_t *list, const json_t *storaged)
{
	json_t *a, *b, *nodes = json_object_get(storaged, "nodes");
	size_t i, j;

	json_array_foreach (nodes, i, a) {
		json_array_foreach (nodes, j, b) {
			if (j >= i || !js_str(a, "initiator") || !js_str(b, "initiator") ||
			    strcmp(js_str(a, "initiator"), js_str(b, "initiator")) != 0)
				continue;
			add(list, "node", js_text(a, "name", "?"),
			    "on one of them: write a new name into /etc/iscsi/initiatorname.iscsi (iscsi-iname prints one), "
			    "then restart iscsid",
			    "%s and %s have the same iSCSI initiator name: they throw each other's sessions out",
			    js_text(b, "name", "?"), js_text(a, "name", "?"));
		}
	}
}

/* "stockade why SERVICE" with the name put in, so that it can be pasted. */
static void fill_names(json_t *list)
{
	static const char *const words[] = { "SERVICE", "VOLUME", "NODE", "NAME" };
	json_t *p;
	size_t i;

	json_array_foreach (list, i, p) {
		const char *remedy = js_str(p, "remedy");
		char text[512];

		for (size_t w = 0; remedy && w < sizeof(words) / sizeof(words[0]); w++) {
			const char *at = strstr(remedy, words[w]);

			if (!at)
				continue;
			snprintf(text, sizeof(text), "%.*s%s%s", (int)(at - remedy), remedy,
				 js_text(p, "name", "?"), at + strlen(words[w]));
			json_object_set_new(p, "remedy", json_string(text));
			break;
		}
	}
}

json_t *problems_find(const struct answer answer[DAEMONS])
{
	json_t *list = json_array();

	daemons(list, answer);
	view(list, answer);
	halt(list, answer[STORAGED].reply);
	watchdog(list, answer[FENCED].reply);
	store(list, answer[FENCED].reply);
	fence_nodes(list, answer[FENCED].reply);
	gateway(list, answer[FENCED].reply);
	services(list, answer[STORAGED].reply);
	volumes(list, answer[STORAGED].reply);
	initiators(list, answer[STORAGED].reply);
	fill_names(list);
	return list;
}
