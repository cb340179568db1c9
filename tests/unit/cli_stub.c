/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/unit/cli.h"

#include <errno.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/shell/ipc.h"

struct stub {
	json_t *script;
	json_t *used; /* request name -> how many replies of its list were given */
};

static json_t *next_of(struct stub *s, const char *key, json_t *list)
{
	json_int_t n = json_integer_value(json_object_get(s->used, key));
	size_t size = json_array_size(list);

	json_object_set_new(s->used, key, json_integer(n + 1));
	return json_array_get(list, (size_t)n < size ? (size_t)n : size - 1);
}

static json_t *reply_to(struct stub *s, const json_t *request)
{
	const char *cmd = json_string_value(json_object_get(request, "cmd"));
	json_t *reply = json_object_get(s->script, cmd ? cmd : "");

	if (cmd && strcmp(cmd, "why") == 0) {
		const char *name = json_string_value(json_object_get(request, "name"));
		const char *kind = json_string_value(json_object_get(request, "kind"));
		json_t *whys = reply;
		char key[160];

		snprintf(key, sizeof(key), "%s:%s", kind ? kind : "", name ? name : "");
		reply = json_object_get(whys, key);
		if (!reply && name)
			reply = json_object_get(whys, name);
		if (!reply)
			return json_pack("{s:b, s:[]}", "ok", 1, "links");
	}
	if (json_is_array(reply))
		reply = next_of(s, cmd, reply);
	if (!reply)
		return json_pack("{s:b, s:s, s:s}", "ok", 0, "code", "usage", "error",
				 "no such command");
	return json_incref(reply);
}

static void on_request(void *arg, struct ipc_peer *peer, uint32_t type, const void *data,
		       size_t len)
{
	struct stub *s = arg;
	json_t *request;

	if (type != IPC_JSON || json_is_true(json_object_get(s->script, "hang")))
		return;
	request = json_loadb(data, len, 0, NULL);
	ipc_reply_json(peer, reply_to(s, request));
	json_decref(request);
}

static void serve(const char *daemon, const char *path, int ready)
{
	static const struct ipc_ops ops = { .request = on_request };
	struct stub s = { .script = json_load_file(path, 0, NULL), .used = json_object() };
	struct loop *loop = loop_new();
	char name[64];

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	snprintf(name, sizeof(name), "stockade-%s", daemon);
	if (!s.script || !loop || !ipc_server_new(loop, name, &ops, &s))
		_exit(1);
	if (write(ready, "x", 1) != 1)
		_exit(1);
	close(ready);
	loop_run(loop);
	_exit(0);
}

pid_t stub_start(const char *daemon, const char *path)
{
	int ready[2];
	char byte;
	pid_t pid;

	if (pipe(ready) != 0)
		return -1;
	pid = fork();
	if (pid == 0) {
		close(ready[0]);
		serve(daemon, path, ready[1]);
	}
	close(ready[1]);
	if (pid > 0 && read(ready[0], &byte, 1) != 1) {
		stub_stop(pid);
		pid = -1;
	}
	close(ready[0]);
	return pid;
}

void stub_stop(pid_t pid)
{
	if (pid <= 0)
		return;
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}
