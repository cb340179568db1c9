/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tests/fuzz/reply.h - a daemon's JSON reply, as a tool must be able to read it (doc/protocol.md): for targets that stand in for ipc.c. */
#ifndef STOCKADE_TESTS_FUZZ_REPLY_H
#define STOCKADE_TESTS_FUZZ_REPLY_H

#include "lib/shell/ipc.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* An object that says whether it went well, and if not why; @coded: also by a word for programs. Takes @reply. */
static inline void reply_check(json_t *reply, bool coded)
{
	char *text = json_dumps(reply, JSON_COMPACT);

	assert(reply && text && strlen(text) < IPC_BYTES_MAX);
	assert(json_is_boolean(json_object_get(reply, "ok")));
	if (json_is_false(json_object_get(reply, "ok"))) {
		assert(json_string_length(json_object_get(reply, "error")) > 0);
		assert(!coded || json_string_length(json_object_get(reply, "code")) > 0);
	}
	free(text);
	json_decref(reply);
}

#endif
