// SPDX-License-Identifier: GPL-3.0-or-later
/* ask - speak doc/protocol.md with the daemons of the node it runs in, line by line.
 *
 * Reads lines "DAEMON TIMEOUT_MS JSON" ("stockade-fenced 1000 {"cmd":"status"}"), writes one line of JSON for
 * each: the daemon's reply, or {"ok":false,"code":"down","error":...} when there is none. It connects anew for
 * each line, so daemons may come and go. For scenarios: what the tools print is not on test there.
 */
#include "lib/shell/ipc.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static json_t *ask(const char *daemon, const char *text, int timeout_ms)
{
	json_error_t err;
	json_t *request = json_loads(text, 0, &err);

	if (!request)
		return json_pack("{s:b, s:s, s:s}", "ok", 0, "code", "request", "error", err.text);
	struct ipc_client *c = ipc_connect(daemon);
	json_t *reply = NULL;
	int e = errno;

	if (c) {
		reply = ipc_call_json(c, request, timeout_ms);
		e = errno;
		ipc_close(c);
	} else {
		json_decref(request);
	}
	return reply ? reply
		     : json_pack("{s:b, s:s, s:s}", "ok", 0, "code", "down", "error", strerror(e));
}

int main(void)
{
	char *line = NULL;
	size_t room = 0;
	ssize_t len;

	while ((len = getline(&line, &room, stdin)) > 0) {
		char daemon[64];
		int timeout_ms, at = 0;

		if (line[len - 1] == '\n')
			line[len - 1] = '\0';
		json_t *reply = sscanf(line, "%63s %d %n", daemon, &timeout_ms, &at) == 2 && at > 0
					? ask(daemon, line + at, timeout_ms)
					: json_pack("{s:b, s:s, s:s}", "ok", 0, "code", "request",
						    "error", "not DAEMON TIMEOUT_MS JSON");
		if (!reply || json_dumpf(reply, stdout, JSON_COMPACT) != 0)
			return 1;
		json_decref(reply);
		putchar('\n');
		fflush(stdout);
	}
	free(line);
	return 0;
}
