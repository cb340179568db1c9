/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What `stockade` makes of what daemons answer: of this release or another, with texts from disks and devices in it. The first byte
 * chooses the command; the rest is answers, one behind the other with a NUL between, the last one again and again. What is printed
 * has no control character but the ends of lines, JSON is JSON, and "all is well" is said only when three daemons said ok.
 */
#include "lib/shell/ipc.h"
#include "lib/shell/log.h"
#include "tests/fuzz/target.h"
#include "tools/cli.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

const char *cli_config_path = "/nowhere/stockade.yaml";

static const char *answer, *end;
static unsigned asked, good;

/* The next answer. */
static size_t next(const char **ret)
{
	size_t n = strnlen(answer, (size_t)(end - answer));

	*ret = answer;
	if (answer + n < end)
		answer += n + 1;
	asked++;
	return n;
}

static json_t *parsed(const char *text, size_t len)
{
	json_t *o = json_loadb(text, len, 0, NULL);

	good += js_true(o, "ok");
	if (json_is_object(o))
		return o;
	json_decref(o);
	errno = EPROTO;
	return NULL;
}

int ipc_ask_start(const char *name, const char *request)
{
	assert(*name && *request == '{');
	return eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK);
}

ssize_t ipc_ask_finish(int fd, void *buf, size_t buf_len)
{
	const char *text;
	size_t n = next(&text);

	(void)fd;
	if (n == 0 || n > buf_len)
		return -ENOTCONN;
	memcpy(buf, text, n);
	json_decref(parsed(text, n));
	return (ssize_t)n;
}

struct ipc_client *ipc_connect(const char *name)
{
	return (struct ipc_client *)(uintptr_t)name;
}

struct ipc_client *ipc_close(struct ipc_client *c)
{
	(void)c;
	return NULL;
}

json_t *ipc_call_json(struct ipc_client *c, json_t *request, int timeout_ms)
{
	const char *text;
	size_t n = next(&text);

	(void)timeout_ms;
	assert(c && json_is_object(request));
	json_decref(request);
	return parsed(text, n);
}

struct ipc_client *ipc_connect_start(const char *name, int *ret_fd)
{
	(void)name;
	(void)ret_fd;
	errno = ECONNREFUSED;
	return NULL;
}

int ipc_connect_finish(struct ipc_client *c)
{
	(void)c;
	return -ECONNREFUSED;
}

int ipc_post(struct ipc_client *c, uint32_t type, const void *data, size_t len)
{
	(void)c;
	(void)type;
	(void)data;
	(void)len;
	return -ENOTCONN;
}

int ipc_client_fd(struct ipc_client *c)
{
	(void)c;
	return -1;
}

ssize_t ipc_next(struct ipc_client *c, uint32_t *type, bool *reply, void *buf, size_t len)
{
	(void)c;
	(void)type;
	(void)reply;
	(void)buf;
	(void)len;
	return -ENOTCONN;
}

static void printable(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)text[i];

		assert((c >= ' ' && c != 0x7f) || c == '\n');
		assert(c != 0xc2 || (unsigned char)text[i + 1] >= 0xa0);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const struct {
		const struct command *command;
		const char *argv[4];
		bool json;
	} how[] = {
		{ &cmd_status, { "status" }, false },
		{ &cmd_status, { "status", "--json" }, true },
		{ &cmd_why, { "why" }, false },
		{ &cmd_why, { "why", "web" }, false },
		{ &cmd_why, { "why", "--json", "web" }, true },
		{ &cmd_history, { "history" }, false },
		{ &cmd_history, { "history", "--json" }, true },
		{ &cmd_locks, { "locks" }, false },
	};
	FILE *out = stdout, *err = stderr;
	char *said = NULL, *cried = NULL, *argv[5] = { NULL }, word[4][16];
	size_t n_said = 0, n_cried = 0;
	int argc = 0;

	if (len == 0)
		return 0;
	unsigned k = data[0] % (sizeof(how) / sizeof(how[0]));

	while (argc < 4 && how[k].argv[argc]) {
		argv[argc] = strcpy(word[argc], how[k].argv[argc]);
		argc++;
	}
	answer = (const char *)data + 1;
	end = answer + len - 1;
	asked = good = 0;
	stdout = open_memstream(&said, &n_said);
	stderr = open_memstream(&cried, &n_cried);
	assert(stdout && stderr);
	int code = how[k].command->run(argc, argv);

	fclose(stdout);
	fclose(stderr);
	stdout = out;
	stderr = err;
	assert(code >= EXIT_OK && code <= EXIT_DEGRADED);
	printable(said, n_said);
	printable(cried, n_cried);
	assert(code == EXIT_OK || n_said + n_cried > 0);
	if (how[k].json && n_said > 0) {
		json_t *o = json_loadb(said, n_said, 0, NULL);

		assert(json_integer_value(json_object_get(o, "proto")) == 1);
		json_decref(o);
	}
	/* SAFE-3: who says nothing is not well */
	if (how[k].command == &cmd_status && code == EXIT_OK)
		assert(good >= DAEMONS);
	free(said);
	free(cried);
	return 0;
}
