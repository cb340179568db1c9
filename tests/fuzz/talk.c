/* SPDX-License-Identifier: GPL-3.0-or-later */
/* fence_xvm's side of a conversation: what a hypervisor, or who plays one, sends down a connection or a serial line, in any
 * number of pieces. The first byte chooses, the rest is what is sent. Who does not hold the key is never believed (SAFE-3).
 */
#include "fence_agents/lib/agent_priv.h"
#include "fence_agents/xvm/xvm.h"
#include "tests/fuzz/target.h"

#include <assert.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static struct xvm x;
static int far_end; /* of the channel that net_connect() hands out */
static const uint8_t *line;
static size_t line_len;

struct xvm *xvm_of(struct agent *a)
{
	(void)a;
	return &x;
}

static void pair(int fd[2])
{
	assert(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fd) == 0);
}

static void put(int fd, const void *data, size_t len)
{
	/* who has hung up hears no more */
	while (len > 0) {
		ssize_t n = send(fd, data, len, MSG_NOSIGNAL);

		if (n <= 0)
			return;
		data = (const uint8_t *)data + n;
		len -= (size_t)n;
	}
}

int net_connect(struct agent *a, const char *host)
{
	int fd[2];

	(void)a;
	(void)host;
	pair(fd);
	put(fd[1], line, line_len);
	shutdown(fd[1], SHUT_WR);
	far_end = fd[1];
	return fd[0];
}

static int none(struct agent *a, const char *plug, enum agent_power *ret)
{
	(void)a;
	(void)plug;
	*ret = AGENT_UNKNOWN;
	return 0;
}

static const struct agent_param params[] = {
	{ .name = "channel_address", .type = AGENT_STRING, .value = "10.0.2.179", .text = "a" },
	{ .name = "use_uuid", .type = AGENT_BOOLEAN, .value = "0", .text = "b" },
	{ .name = NULL },
};
static const struct agent_def def = { .name = "fence_toy",
				      .short_text = "A toy",
				      .text = "A toy.",
				      .param = params,
				      .common = AGENT_HAS_PLUG,
				      .status = none };

/* @knows: who sends holds the key, and answers our challenge rightly; what follows is @data all the same. */
static void talk(struct agent *a, const uint8_t *data, size_t len, uint8_t op, bool knows)
{
	struct talk t = { .fd = -1 };
	uint8_t challenge[VIRT_CHALLENGE_BYTES], response[VIRT_CHALLENGE_BYTES];
	int fd[2];

	pair(fd);
	talk_begin(a, &t, fd[0], true);
	if (knows) {
		assert(recv(fd[1], challenge, sizeof(challenge), 0) == sizeof(challenge));
		assert(virt_response(x.auth, x.key, x.key_len, challenge, response) == 0);
		put(fd[1], response, sizeof(response));
	}
	while (len > 0 && !talk_over(&t)) { /* in pieces of any length */
		size_t piece = 1 + data[0] % 200u, n = piece < len ? piece : len;

		put(fd[1], data, n);
		talk_step(a, &t, op);
		data += n;
		len -= n;
	}
	shutdown(fd[1], SHUT_WR);
	for (unsigned i = 0; i < 1000 && !talk_over(&t); i++)
		talk_step(a, &t, op);
	assert(talk_over(&t) && t.fd < 0);
	assert(t.n_guests <= XVM_GUESTS_MAX && (t.guest || !t.n_guests));
	if (x.auth != VIRT_HASH_NONE && !knows)
		assert(t.stage == TALK_FAILED);
	if (x.auth != VIRT_HASH_NONE) /* nobody guesses a seal */
		assert(!t.sealed && !t.has_verdict);
	talk_end(&t);
	close(fd[1]);
}

static void serial(struct agent *a, const uint8_t *data, size_t len, uint8_t op)
{
	struct talk t = { .fd = -1 };

	x.way = XVM_CHANNEL;
	x.end_ms = agent_now_ms() + 1000;
	line = data;
	line_len = len;
	int r = line_ask(a, (enum virt_operation)op, "guest", &t);

	assert(r == 0 ? t.stage == TALK_DONE : t.stage != TALK_DONE && *agent_error_text(a));
	assert(t.n_guests <= XVM_GUESTS_MAX);
	talk_end(&t);
	close(far_end);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct agent a = { .def = &def };

	if (len == 0)
		return 0;
	uint8_t what = data[0], op = what & 8 ? VIRT_HOSTLIST : VIRT_STATUS;

	memset(&x, 0, sizeof(x));
	x.way = what & 16 ? XVM_TCP : XVM_MULTICAST;
	x.auth = what & 4 ? VIRT_HASH_NONE : VIRT_HASH_SHA256;
	memset(x.key, 'k', x.key_len = 32);
	agent_table(&a);
	switch (what % 4) {
	case 0: serial(&a, data + 1, len - 1, op); break;
	case 1: talk(&a, data + 1, len - 1, op, false); break;
	default:
		talk(&a, data + 1, len - 1, op, x.auth != VIRT_HASH_NONE && x.way == XVM_MULTICAST);
	}
	agent_param_done(&a);
	return 0;
}
