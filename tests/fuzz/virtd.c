// SPDX-License-Identifier: GPL-3.0-or-later
/* What strangers and files say to stockade-virtd: the first byte chooses (configuration, statement, datagrams and
 * connections), the rest is the bytes. For libFuzzer, and for tests/unit/virtd_conf.c.
 */
#include "fence_agents/virtd/core/virtd.h"
#include "tests/fuzz/target.h"

#include <assert.h>
#include <string.h>

static void fixed(void *arg, void *buf, size_t len)
{
	(void)arg;
	memset(buf, 7, len);
}

static void configuration(const uint8_t *data, size_t len)
{
	static struct virtd_conf conf;
	static struct virtd_notes notes;
	int r = virtd_conf_parse((const char *)data, len, &conf, &notes);

	assert((r == 0) == (notes.errors == 0));
	assert(notes.n <= VIRTD_NOTES_MAX && conf.n_uris <= VIRTD_URIS_MAX);
	if (r == 0)
		assert(conf.n_listeners >= 1 && conf.n_uris >= 1);
}

static void statement(const uint8_t *data, size_t len)
{
	struct attest_msg m, again;
	uint8_t buf[ATTEST_MSG_MAX];

	if (attest_decode(&m, data, len) < 0)
		return;
	int n = attest_encode(&m, buf, sizeof(buf));

	assert(n > 0);
	assert(attest_decode(&again, buf, (size_t)n) == 0);
	assert(memcmp(&m, &again, sizeof(m)) == 0);
}

/* Unsigned, so that what follows the signature is reached: pieces of @data as datagrams, connections, libvirt's answers. */
static void requests(const uint8_t *data, size_t len)
{
	static const char text[] =
		"fence_virtd { listener = \"multicast tcp serial\"; backend = \"libvirt\"; }\n"
		"listeners { multicast { hash = \"none\"; auth = \"none\"; }\n"
		"tcp { hash = \"none\"; auth = \"none\"; } serial { } }\n";
	static struct virtd_conf conf;
	static struct virtd_notes notes;
	static struct virtd_actions out;
	struct virtd_setup setup = { .conf = &conf, .random = fixed };
	struct virtd_event ev = { .now_ms = 1000 };
	uint64_t conn = 0, job = 0;

	assert(virtd_conf_parse(text, sizeof(text) - 1, &conf, &notes) == 0);
	struct virtd_core *v = virtd_new(&setup);

	assert(v);
	while (len > 2) {
		uint8_t what = data[0];
		size_t n = data[1] < len - 2 ? data[1] : len - 2;
		uint64_t now = ev.now_ms + (what >> 3) * 50;

		data += 2;
		len -= 2;
		memset(&ev, 0, sizeof(ev));
		ev.now_ms = now;
		switch (what % 8) {
		case 0:
			ev.type = VIRTD_EV_DATAGRAM;
			ev.datagram.source = "10.0.0.1";
			ev.datagram.data = data;
			ev.datagram.len = n;
			break;
		case 1:
			ev.type = VIRTD_EV_ACCEPT;
			conn = ev.accept.conn = VIRTD_CONN_ACCEPTED | n;
			ev.accept.listener = 1 + n % 2;
			ev.accept.who = "10.0.0.2";
			break;
		case 2:
			ev.type = VIRTD_EV_DATA;
			ev.data.conn = conn;
			ev.data.data = data;
			ev.data.len = n;
			break;
		case 3:
			ev.type = VIRTD_EV_CONNECTED;
			ev.connected.conn = conn;
			ev.connected.ok = n % 2;
			break;
		case 4:
			ev.type = VIRTD_EV_CLOSED;
			ev.closed = conn;
			break;
		case 5:
			ev.type = VIRTD_EV_JOB;
			ev.job.job = job;
			ev.job.done = (enum virtd_done)(n % 3);
			ev.job.guest.power = (enum virtd_power)(n % 4);
			break;
		case 6:
			ev.type = VIRTD_EV_LIFE;
			ev.life.life = (enum virtd_life)(1 + n % 5);
			ev.life.end = ATTEST_CRASHED;
			memcpy(ev.life.guest.uuid, "u", 2);
			break;
		case 7: ev.type = VIRTD_EV_TIMEOUT; break;
		}
		virtd_step(v, &ev, &out);
		assert(out.n <= VIRTD_ACTIONS_MAX);
		for (unsigned i = 0; i < out.n; i++) {
			if (out.v[i].type == VIRTD_ACT_CONNECT)
				conn = out.v[i].connect.conn;
			if (out.v[i].type == VIRTD_ACT_JOB)
				job = out.v[i].job.job;
		}
		data += n;
		len -= n;
	}
	virtd_free(v);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	if (len == 0)
		return 0;
	switch (data[0] % 3) {
	case 0: configuration(data + 1, len - 1); break;
	case 1: statement(data + 1, len - 1); break;
	case 2: requests(data + 1, len - 1); break;
	}
	return 0;
}
