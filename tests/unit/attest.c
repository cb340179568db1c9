/* SPDX-License-Identifier: GPL-3.0-or-later */
/* lib/attest, lib/shell/seal, and the half of stockade-virtd that makes statements (SAFE-11): one is made only of a guest that
 * was read back as off, names the kernel life that was registered from inside of that very run, and is worth nothing in other hands,
 * at another time, or to another subscription.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "fence_agents/virtd/core/virtd.h"
#include "lib/attest.h"
#include "lib/shell/seal.h"

#define UUID1 "6695eb01-f6a4-8304-79aa-97f2502e193f"
#define UUID2 "11111111-2222-3333-4444-555555555555"

static void fill(struct attest_msg *m, enum attest_type type)
{
	memset(m, 0, sizeof(*m));
	m->type = type;
	memset(m->instance, 1, ATTEST_ID_BYTES);
	memset(m->nonce, 2, ATTEST_ID_BYTES);
}

static void statement(struct attest_msg *m)
{
	fill(m, ATTEST_STATEMENT);
	memset(m->boot_id, 3, ATTEST_ID_BYTES);
	m->nodeid = 2;
	m->seq = 7;
	m->run = 3;
	m->end = ATTEST_CRASHED;
	m->age_ms = 120;
	snprintf(m->name, sizeof(m->name), "node2");
	snprintf(m->uuid, sizeof(m->uuid), UUID2);
}

static void message_comes_back_as_it_went(void **s)
{
	struct attest_msg m, back;
	uint8_t buf[ATTEST_MSG_MAX];

	int n = 0;

	(void)s;
	for (unsigned dying = 2; dying--;) {
		statement(&m);
		m.type = dying ? ATTEST_DYING : ATTEST_STATEMENT;
		n = attest_encode(&m, buf, sizeof(buf));
		assert_true(n > 0);
		assert_int_equal(attest_decode(&back, buf, (size_t)n), 0);
		assert_memory_equal(&m, &back, sizeof(m));
	}
	for (int cut = 0; cut < n; cut++)
		assert_int_equal(attest_decode(&back, buf, (size_t)cut), -EBADMSG);
	assert_int_equal(attest_encode(&m, buf, 20), -ENOBUFS);
	buf[4] = 2; /* another version */
	assert_int_equal(attest_decode(&back, buf, (size_t)n), -EBADMSG);
	assert_string_equal(attest_end_name(ATTEST_CRASHED), "crashed");
	assert_string_equal(attest_end_name(ATTEST_END_NONE), "?");
	assert_string_equal(attest_end_text(ATTEST_END_NONE), "");
}

static void seal_holds_for_one_key_and_every_byte(void **s)
{
	uint8_t key[2][SEAL_KEY_BYTES], other[SEAL_KEY_BYTES], buf[SEAL_DATAGRAM_MAX];
	struct attest_msg m, back;

	(void)s;
	assert_int_equal(seal_derive("old", 3, key[0]), 0);
	assert_int_equal(seal_derive("new", 3, key[1]), 0);
	assert_int_equal(seal_derive("third", 5, other), 0);
	assert_int_equal(seal_derive("", 0, other), -EINVAL);
	statement(&m);
	ssize_t n = seal_write(key[1], &m, buf, sizeof(buf));

	assert_true(n > 0);
	assert_int_equal(seal_read((const uint8_t(*)[SEAL_KEY_BYTES])key, 2, buf, (size_t)n, &back),
			 1);
	assert_memory_equal(&m, &back, sizeof(m));
	assert_int_equal(seal_read((const uint8_t(*)[SEAL_KEY_BYTES])key, 1, buf, (size_t)n, &back),
			 -EKEYREJECTED);
	for (ssize_t i = 0; i < n; i++) {
		buf[i] ^= 1;
		assert_true(seal_read((const uint8_t(*)[SEAL_KEY_BYTES])key, 2, buf, (size_t)n,
				      &back) < 0);
		buf[i] ^= 1;
	}
	assert_int_equal(seal_read((const uint8_t(*)[SEAL_KEY_BYTES])key, 2, buf, 10, &back),
			 -EBADMSG);
	assert_int_equal(seal_write(key[0], &m, buf, 40), -ENOBUFS);
	uint8_t a[ATTEST_ID_BYTES], b[ATTEST_ID_BYTES];

	seal_nonce(a);
	seal_nonce(b);
	assert_memory_not_equal(a, b, ATTEST_ID_BYTES);
}

/* ---- the daemon's half ---- */
static struct {
	struct virtd_core *core;
	struct virtd_actions out;
	uint64_t now;
	uint64_t job;
	enum virtd_job kind;
	unsigned jobs;
	struct attest_msg sent[16];
	uint64_t to[16];
	unsigned n_sent;
} t;

static void numbers(void *arg, void *buf, size_t len)
{
	static uint8_t n;

	(void)arg;
	memset(buf, ++n, len);
}

static void step(struct virtd_event ev)
{
	ev.now_ms = t.now;
	virtd_step(t.core, &ev, &t.out);
	for (unsigned i = 0; i < t.out.n; i++) {
		const struct virtd_action *a = &t.out.v[i];

		if (a->type == VIRTD_ACT_JOB) {
			t.job = a->job.job;
			t.kind = a->job.kind;
			t.jobs++;
		} else if (a->type == VIRTD_ACT_ATTEST) {
			assert_true(t.n_sent < 16);
			t.sent[t.n_sent] = a->attest.msg;
			t.to[t.n_sent++] = a->attest.to;
		}
	}
}

static void begin(void)
{
	static const char text[] = "fence_virtd { listener = \"tcp\"; backend = \"libvirt\"; }\n"
				   "listeners { tcp { } } backends { libvirt { uri = \"a\"; } }\n";
	static struct virtd_conf conf;
	static struct virtd_notes notes;
	struct virtd_setup setup = { .conf = &conf, .random = numbers };

	memset(&t, 0, sizeof(t));
	t.now = 1000;
	assert_int_equal(virtd_conf_parse(text, sizeof(text) - 1, &conf, &notes), 0);
	t.core = virtd_new(&setup);
	step((struct virtd_event){ .type = VIRTD_EV_URI, .uri = { 0, true } });
}

static struct virtd_guest guest(const char *name, const char *uuid, enum virtd_power power, int run)
{
	struct virtd_guest g = { .power = power, .run = run };

	snprintf(g.name, sizeof(g.name), "%s", name);
	snprintf(g.uuid, sizeof(g.uuid), "%s", uuid);
	return g;
}

static void seen(struct virtd_guest g)
{
	step((struct virtd_event){ .type = VIRTD_EV_GUEST, .guest = { 0, 0, g } });
}

static void life(enum virtd_life what, enum attest_end end, struct virtd_guest g)
{
	struct virtd_event ev = { .type = VIRTD_EV_LIFE };

	ev.life.life = what;
	ev.life.end = end;
	ev.life.guest = g;
	step(ev);
}

static void answer(enum virtd_done done, struct virtd_guest g)
{
	struct virtd_event ev = { .type = VIRTD_EV_JOB };

	ev.job.job = t.job;
	ev.job.done = done;
	ev.job.guest = g;
	step(ev);
}

static void hello(unsigned node, uint8_t boot, uint8_t nonce, const struct attest_msg *welcome)
{
	struct attest_msg m = { .type = ATTEST_HELLO, .nodeid = node };

	memset(m.boot_id, boot, sizeof(m.boot_id));
	memset(m.nonce, nonce, sizeof(m.nonce));
	snprintf(m.cluster, sizeof(m.cluster), "web");
	snprintf(m.name, sizeof(m.name), "node%u", node);
	snprintf(m.uuid, sizeof(m.uuid), "%s", node == 1 ? UUID1 : UUID2);
	if (welcome) {
		memcpy(m.challenge, welcome->challenge, sizeof(m.challenge));
		memcpy(m.instance, welcome->instance, sizeof(m.instance));
	}
	t.n_sent = 0;
	step((struct virtd_event){ .type = VIRTD_EV_ATTEST, .attest = { node, 0, &m } });
}

/* Both steps. Return: accepted, and nothing was said against it. */
static bool subscribe(unsigned node, uint8_t boot, uint8_t nonce)
{
	struct attest_msg w;

	hello(node, boot, nonce, NULL);
	assert_int_equal(t.n_sent, 1);
	w = t.sent[0];
	assert_int_equal(w.type, ATTEST_WELCOME);
	assert_false(w.accepted);
	hello(node, boot, nonce, &w);
	return t.n_sent == 1 && t.sent[0].accepted && t.sent[0].why[0] == '\0';
}

static void pass(uint64_t ms)
{
	uint64_t end = t.now + ms;

	while (virtd_deadline_ms(t.core) <= end) {
		t.now = virtd_deadline_ms(t.core) > t.now ? virtd_deadline_ms(t.core) : t.now + 1;
		step((struct virtd_event){ .type = VIRTD_EV_TIMEOUT });
		if (t.n_sent > 8)
			t.n_sent = 8;
	}
	t.now = end;
}

static void two_nodes(void)
{
	begin();
	seen(guest("node1", UUID1, VIRTD_POWER_ON, 1));
	seen(guest("node2", UUID2, VIRTD_POWER_ON, 2));
	assert_true(subscribe(1, 0x11, 0xa1));
	assert_true(subscribe(2, 0x22, 0xa2));
	t.n_sent = 0;
}

/* Node 1 is told that node 2 paniced, once, before anything is done; that is no statement. */
static void warned(void)
{
	assert_int_equal(t.n_sent, 1);
	assert_int_equal(t.to[0], 1);
	assert_int_equal(t.sent[0].type, ATTEST_DYING);
	assert_int_equal(t.sent[0].nodeid, 2);
	assert_int_equal(t.sent[0].boot_id[0], 0x22);
	assert_int_equal(t.sent[0].nonce[0], 0xa1);
	assert_int_equal(t.sent[0].seq, 0);
	t.n_sent = 0;
}

static void crash_is_destroyed_read_back_and_told_until_heard(void **s)
{
	struct virtd_guest off = guest("node2", UUID2, VIRTD_POWER_OFF, -1);

	(void)s;
	two_nodes();
	life(VIRTD_LIFE_CRASHED, ATTEST_END_NONE, guest("node2", UUID2, VIRTD_POWER_ON, 2));
	assert_int_equal(t.kind, VIRTD_JOB_DESTROY_CRASHED);
	warned();
	answer(VIRTD_DONE, off);
	/* the destroy's own answer is a look too, so it may do; else the next look */
	if (t.n_sent == 0) {
		pass(30);
		assert_int_equal(t.kind, VIRTD_JOB_STATE);
		answer(VIRTD_DONE, off);
	}
	assert_int_equal(t.n_sent, 1); /* to node 1, not to the dead */
	assert_int_equal(t.to[0], 1);
	assert_int_equal(t.sent[0].type, ATTEST_STATEMENT);
	assert_int_equal(t.sent[0].nodeid, 2);
	assert_int_equal(t.sent[0].boot_id[0], 0x22);
	assert_int_equal(t.sent[0].nonce[0], 0xa1);
	assert_int_equal(t.sent[0].end, ATTEST_CRASHED);
	struct attest_msg first = t.sent[0];

	t.n_sent = 0;
	pass(200);
	assert_true(t.n_sent >= 2); /* again, until it is acknowledged */
	assert_int_equal(t.sent[0].seq, first.seq);
	struct attest_msg ack = { .type = ATTEST_ACK, .seq = first.seq };

	memcpy(ack.instance, first.instance, sizeof(ack.instance));
	memcpy(ack.nonce, first.nonce, sizeof(ack.nonce));
	step((struct virtd_event){ .type = VIRTD_EV_ATTEST, .attest = { 1, 0, &ack } });
	t.n_sent = 0;
	pass(5000);
	assert_int_equal(t.n_sent, 0);
	t.core = virtd_free(t.core);
}

static void nothing_is_said_of_a_guest_that_is_not_read_back_as_off(void **s)
{
	(void)s;
	two_nodes();
	life(VIRTD_LIFE_CRASHED, ATTEST_END_NONE, guest("node2", UUID2, VIRTD_POWER_ON, 2));
	warned();
	for (unsigned i = 0; i < 10; i++) {
		/* it is on, or libvirt cannot say: neither is off (SAFE-3) */
		struct virtd_guest still = guest("node2", UUID2,
						 i % 3 ? VIRTD_POWER_ON : VIRTD_POWER_UNKNOWN, 2);

		still.crashed = i % 3 != 0;
		answer(i % 2 ? VIRTD_DOWN : VIRTD_DONE, still);
		pass(30);
	}
	pass(20000);
	assert_int_equal(t.n_sent, 0);
	t.core = virtd_free(t.core);
}

static void migrated_or_saved_is_not_over(void **s)
{
	(void)s;
	two_nodes();
	life(VIRTD_LIFE_MOVED, ATTEST_END_NONE, guest("node2", UUID2, VIRTD_POWER_UNKNOWN, -1));
	life(VIRTD_LIFE_ENDED, ATTEST_DESTROYED, guest("node2", UUID2, VIRTD_POWER_UNKNOWN, -1));
	answer(VIRTD_DONE, guest("node2", UUID2, VIRTD_POWER_OFF, -1));
	assert_int_equal(t.n_sent, 0); /* the life that it had is bound to nothing here any more */
	t.core = virtd_free(t.core);
}

/* The guest is started again while its end is being verified: the statement names the earlier life, never the later. */
static void restart_in_between_keeps_the_earlier_life(void **s)
{
	(void)s;
	two_nodes();
	life(VIRTD_LIFE_ENDED, ATTEST_DESTROYED, guest("node2", UUID2, VIRTD_POWER_UNKNOWN, -1));
	life(VIRTD_LIFE_STARTED, ATTEST_END_NONE, guest("node2", UUID2, VIRTD_POWER_ON, 3));
	answer(VIRTD_DONE, guest("node2", UUID2, VIRTD_POWER_ON, 3));
	assert_int_equal(t.n_sent, 1);
	assert_int_equal(t.sent[0].boot_id[0], 0x22);
	t.n_sent = 0;
	/* the new run has not said who it is: of it, nothing can be said */
	life(VIRTD_LIFE_ENDED, ATTEST_DESTROYED, guest("node2", UUID2, VIRTD_POWER_UNKNOWN, -1));
	uint64_t seq = t.n_sent ? t.sent[0].seq : 0;

	answer(VIRTD_DONE, guest("node2", UUID2, VIRTD_POWER_OFF, -1));
	for (unsigned i = 0; i < t.n_sent; i++)
		assert_int_equal(t.sent[i].seq, seq ? seq : t.sent[0].seq);
	struct virtd_status st;

	virtd_status(t.core, &st);
	assert_int_equal(st.statements, 1);
	t.core = virtd_free(t.core);
}

/* A recorded HELLO is worth nothing without the challenge of today. */
static void recorded_hello_binds_nothing(void **s)
{
	struct attest_msg stale;

	(void)s;
	begin();
	seen(guest("node2", UUID2, VIRTD_POWER_ON, 2));
	hello(2, 0x22, 0xa2, NULL);
	stale = t.sent[0];
	pass(130000); /* two challenges later, and the subscription is over */
	hello(2, 0x22, 0xa2, NULL);
	hello(2, 0x99, 0xa2, &stale);
	assert_false(t.sent[0].accepted);
	memset(stale.instance, 0x77, sizeof(stale.instance));
	hello(2, 0x99, 0xa2, &stale);
	assert_false(t.sent[0].accepted);
	t.core = virtd_free(t.core);
}

static void node_of_another_guest_is_told_so(void **s)
{
	(void)s;
	begin();
	seen(guest("elsewhere", UUID2, VIRTD_POWER_ON, 2));
	assert_false(subscribe(2, 0x22, 0xa2)); /* its configuration says node2 */
	assert_true(strstr(t.sent[0].why, "another guest") != NULL);
	assert_false(subscribe(1, 0x11, 0xa1));
	assert_true(strstr(t.sent[0].why, "does not run on this host") != NULL);
	t.core = virtd_free(t.core);
}

/* What happened while libvirtd was away is not guessed. */
static void end_that_nobody_heard_is_not_stated(void **s)
{
	(void)s;
	two_nodes();
	seen(guest("node2", UUID2, VIRTD_POWER_OFF, -1));
	pass(20000);
	assert_int_equal(t.n_sent, 0);
	seen(guest("node2", UUID2, VIRTD_POWER_ON, 9));
	life(VIRTD_LIFE_ENDED, ATTEST_DESTROYED, guest("node2", UUID2, VIRTD_POWER_UNKNOWN, -1));
	answer(VIRTD_DONE, guest("node2", UUID2, VIRTD_POWER_OFF, -1));
	assert_int_equal(t.n_sent, 0);
	t.core = virtd_free(t.core);
}

/* A stranger's guest is not ours to end. */
static void crashed_guest_of_no_cluster_is_left_alone(void **s)
{
	(void)s;
	begin();
	seen(guest("db", UUID1, VIRTD_POWER_ON, 1));
	life(VIRTD_LIFE_CRASHED, ATTEST_END_NONE, guest("db", UUID1, VIRTD_POWER_ON, 1));
	pass(20000);
	assert_int_equal(t.jobs, 0);
	t.core = virtd_free(t.core);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(message_comes_back_as_it_went),
		cmocka_unit_test(seal_holds_for_one_key_and_every_byte),
		cmocka_unit_test(crash_is_destroyed_read_back_and_told_until_heard),
		cmocka_unit_test(nothing_is_said_of_a_guest_that_is_not_read_back_as_off),
		cmocka_unit_test(migrated_or_saved_is_not_over),
		cmocka_unit_test(restart_in_between_keeps_the_earlier_life),
		cmocka_unit_test(recorded_hello_binds_nothing),
		cmocka_unit_test(node_of_another_guest_is_told_so),
		cmocka_unit_test(end_that_nobody_heard_is_not_stated),
		cmocka_unit_test(crashed_guest_of_no_cluster_is_left_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
