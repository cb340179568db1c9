/* SPDX-License-Identifier: GPL-3.0-or-later */
/* fence_agents/virtd/core: what a request leads to, libvirt's answers given by hand. VIRTD-1 to VIRTD-3, SAFE-3: off is said only
 * of a guest of which libvirt said so just now; one signed request is carried out once; nobody is waited for longer than said.
 */
#include "tests/unit/virtd_table.h"

static void status_tells_on_and_off(void **s)
{
	(void)s;
	begin(open_conf);
	ask(VIRT_STATUS, "test");
	state(VIRTD_POWER_ON, 1);
	expect_byte(0);
	ask(VIRT_STATUS, UUID);
	state(VIRTD_POWER_OFF, -1);
	expect_byte(2);
	finish();
}

/* SAFE-3: the stock daemon answers 2 to each of these. */
static void status_of_the_unknown_is_never_off(void **s)
{
	(void)s;
	begin(open_conf);
	ask(VIRT_STATUS, "nosuch");
	state(VIRTD_POWER_ABSENT, -1);
	expect_byte(1);
	ask(VIRT_STATUS, "test"); /* migrated, saved */
	state(VIRTD_POWER_UNKNOWN, -1);
	expect_byte(1);
	ask(VIRT_STATUS, "test"); /* libvirtd is down */
	answer(VIRTD_JOB_STATE, VIRTD_DOWN, guest(VIRTD_POWER_UNKNOWN, -1));
	expect_byte(1);
	ask(VIRT_STATUS, "test"); /* libvirt never answers */
	pass(6000);
	expect_byte(1);
	t.n_jobs = 0;
	finish();
}

static void off_waits_until_it_is_read_back(void **s)
{
	(void)s;
	begin(open_conf);
	ask(VIRT_OFF, "test");
	state(VIRTD_POWER_ON, 4);
	answer(VIRTD_JOB_DESTROY, VIRTD_DONE, guest(VIRTD_POWER_UNKNOWN, -1));
	state(VIRTD_POWER_ON, 4);
	assert_int_equal(t.n_sent, 0);
	pass(200);
	state(VIRTD_POWER_OFF, -1);
	expect_byte(0);
	assert_int_equal(t.keeps, 1);
	finish();
}

/* The destroy may look afterwards itself; only what it then read as off saves the question (SAFE-3). */
static void off_that_was_read_back_at_once_is_not_asked_again(void **s)
{
	static const struct {
		enum virtd_done done;
		enum virtd_power power;
		bool enough;
	} said[] = {
		{ VIRTD_DONE, VIRTD_POWER_OFF, true },
		{ VIRTD_DONE, VIRTD_POWER_ABSENT, true },
		{ VIRTD_DONE, VIRTD_POWER_ON, false },
		{ VIRTD_DONE, VIRTD_POWER_UNKNOWN, false },
		{ VIRTD_FAILED, VIRTD_POWER_OFF, false },
	};

	(void)s;
	for (size_t i = 0; i < sizeof(said) / sizeof(*said); i++) {
		begin(open_conf);
		ask(VIRT_OFF, "test");
		state(VIRTD_POWER_ON, 4);
		answer(VIRTD_JOB_DESTROY, said[i].done, guest(said[i].power, -1));
		assert_int_equal(t.n_sent > 0, said[i].enough);
		if (!said[i].enough)
			state(VIRTD_POWER_OFF, -1);
		expect_byte(0);
		finish();
	}
}

static void off_of_a_guest_that_stays_fails_in_time(void **s)
{
	(void)s;
	begin(open_conf);
	uint64_t began = t.now;

	ask(VIRT_OFF, "test");
	state(VIRTD_POWER_ON, 4);
	while (t.n_sent == 0 && t.now < began + 60000) {
		if (t.n_jobs && t.kind[0] == VIRTD_JOB_DESTROY)
			answer(VIRTD_JOB_DESTROY, VIRTD_FAILED, guest(VIRTD_POWER_ON, 4));
		else if (t.n_jobs)
			state(VIRTD_POWER_ON, 4);
		else
			pass(100);
	}
	expect_byte(1);
	assert_in_range(t.now - began, 20000, 23000);
	finish();
}

/* libvirtd is restarted under an off: it is asked again. */
static void off_survives_a_restart_of_libvirtd(void **s)
{
	(void)s;
	begin(open_conf);
	ask(VIRT_OFF, "test");
	state(VIRTD_POWER_ON, 4);
	answer(VIRTD_JOB_DESTROY, VIRTD_DOWN, guest(VIRTD_POWER_UNKNOWN, -1));
	answer(VIRTD_JOB_STATE, VIRTD_DOWN, guest(VIRTD_POWER_UNKNOWN, -1));
	pass(1500);
	state(VIRTD_POWER_ON, 4);
	answer(VIRTD_JOB_DESTROY, VIRTD_DONE, guest(VIRTD_POWER_UNKNOWN, -1));
	state(VIRTD_POWER_OFF, -1);
	expect_byte(0);
	finish();
}

static void off_waits_for_a_libvirtd_that_comes_back(void **s)
{
	(void)s;
	begin(open_conf);
	step((struct virtd_event){ .type = VIRTD_EV_GUEST,
				   .guest = { 0, 0, guest(VIRTD_POWER_ON, 4) } });
	ask(VIRT_OFF, "test");
	for (unsigned i = 0; i < 3; i++) {
		answer(VIRTD_JOB_STATE, VIRTD_DOWN, guest(VIRTD_POWER_UNKNOWN, -1));
		assert_int_equal(t.n_sent, 0);
		pass(300);
	}
	state(VIRTD_POWER_ON, 4);
	answer(VIRTD_JOB_DESTROY, VIRTD_DONE, guest(VIRTD_POWER_UNKNOWN, -1));
	state(VIRTD_POWER_OFF, -1);
	expect_byte(0);
	/* not for ever */
	ask(VIRT_OFF, "test");
	for (unsigned i = 0; i < 200 && t.n_sent == 0; i++) {
		if (t.n_jobs)
			answer(VIRTD_JOB_STATE, VIRTD_DOWN, guest(VIRTD_POWER_UNKNOWN, -1));
		pass(300);
	}
	expect_byte(1);
	finish();
}

/* Another run of the guest is not hit, and not called off. */
static void off_does_not_hit_who_was_started_again(void **s)
{
	(void)s;
	begin(open_conf);
	ask(VIRT_OFF, "test");
	state(VIRTD_POWER_ON, 4);
	answer(VIRTD_JOB_DESTROY, VIRTD_DONE, guest(VIRTD_POWER_UNKNOWN, -1));
	state(VIRTD_POWER_ON, 5);
	expect_byte(1);
	assert_int_equal(t.n_jobs, 0);
	finish();
}

static void off_throws_a_saved_image_away(void **s)
{
	struct virtd_guest g = guest(VIRTD_POWER_UNKNOWN, -1);

	(void)s;
	begin(open_conf);
	g.saved = true;
	ask(VIRT_OFF, "test");
	answer(VIRTD_JOB_STATE, VIRTD_DONE, g);
	answer(VIRTD_JOB_DESTROY, VIRTD_DONE, g);
	state(VIRTD_POWER_OFF, -1);
	expect_byte(0);
	finish();
}

static void reboot_is_off_read_back_then_on(void **s)
{
	(void)s;
	begin(open_conf);
	ask(VIRT_REBOOT, "test");
	state(VIRTD_POWER_ON, 4);
	answer(VIRTD_JOB_DESTROY, VIRTD_DONE, guest(VIRTD_POWER_UNKNOWN, -1));
	state(VIRTD_POWER_OFF, -1);
	answer(VIRTD_JOB_CREATE, VIRTD_DONE, guest(VIRTD_POWER_UNKNOWN, -1));
	pass(1);
	state(VIRTD_POWER_ON, 5);
	expect_byte(0);
	/* it does not start: good as fencing, and told */
	ask(VIRT_REBOOT, "test");
	state(VIRTD_POWER_ON, 5);
	answer(VIRTD_JOB_DESTROY, VIRTD_DONE, guest(VIRTD_POWER_UNKNOWN, -1));
	state(VIRTD_POWER_OFF, -1);
	answer(VIRTD_JOB_CREATE, VIRTD_FAILED, guest(VIRTD_POWER_UNKNOWN, -1));
	expect_byte(0);
	assert_non_null(strstr(t.text, "did not start again"));
	/* one that is off stays off */
	ask(VIRT_REBOOT, "test");
	state(VIRTD_POWER_OFF, -1);
	expect_byte(0);
	finish();
}

static void on_starts_and_reads_back(void **s)
{
	(void)s;
	begin(open_conf);
	ask(VIRT_ON, "test");
	state(VIRTD_POWER_OFF, -1);
	answer(VIRTD_JOB_CREATE, VIRTD_DONE, guest(VIRTD_POWER_UNKNOWN, -1));
	pass(1);
	state(VIRTD_POWER_ON, 5);
	expect_byte(0);
	ask(VIRT_ON, "nosuch");
	state(VIRTD_POWER_ABSENT, -1);
	expect_byte(1);
	finish();
}

/* A transient guest is gone when it is off; its reboot, as agents do it, is off and then on. */
static void transient_guest_is_made_again_by_on_alone(void **s)
{
	struct virtd_guest kept = guest(VIRTD_POWER_ABSENT, -1);

	(void)s;
	kept.kept = true;
	begin(open_conf);
	ask(VIRT_STATUS, "test"); /* SAFE-3: absent is no state, whatever was here before */
	answer(VIRTD_JOB_STATE, VIRTD_DONE, kept);
	expect_byte(1);
	ask(VIRT_OFF, "test");
	answer(VIRTD_JOB_STATE, VIRTD_DONE, kept);
	expect_byte(1);
	ask(VIRT_ON, "test");
	answer(VIRTD_JOB_STATE, VIRTD_DONE, kept);
	answer(VIRTD_JOB_CREATE, VIRTD_DONE, guest(VIRTD_POWER_UNKNOWN, -1));
	pass(1);
	state(VIRTD_POWER_ON, 6);
	expect_byte(0);
	finish();
}

static void unknown_operations_and_null_fail(void **s)
{
	(void)s;
	begin(open_conf);
	ask(99, "test");
	expect_byte(1);
	ask(VIRT_NULL, "test");
	expect_byte(1);
	ask(VIRT_DEVSTATUS, "");
	expect_byte(0);
	step((struct virtd_event){ .type = VIRTD_EV_URI, .uri = { 0, false } });
	ask(VIRT_DEVSTATUS, "");
	expect_byte(1);
	assert_string_equal(virtd_op_name(VIRT_REBOOT), "reboot");
	assert_string_equal(virtd_op_name(99), "?");
	finish();
}

static void list_has_every_byte_set_and_what_is_permitted(void **s)
{
	static const char conf[] =
		"fence_virtd { listener = \"multicast\"; backend = \"libvirt\"; }\n"
		"listeners { multicast { } } backends { libvirt { uri = \"a\"; } }\n"
		"groups { group { ip = \"10.99.0.2\"; uuid = \"" UUID "\"; } }\n";
	struct virtd_guest other = {
		.name = "other", .uuid = OTHER, .power = VIRTD_POWER_OFF, .state = 5
	};
	struct virt_host h;

	(void)s;
	begin(conf);
	ask(VIRT_HOSTLIST, "");
	struct virtd_guest g = guest(VIRTD_POWER_ON, 1);

	g.state = 1;
	step((struct virtd_event){ .type = VIRTD_EV_GUEST, .guest = { t.job[0], 0, g } });
	step((struct virtd_event){ .type = VIRTD_EV_GUEST, .guest = { t.job[0], 0, other } });
	answer(VIRTD_JOB_LIST, VIRTD_DONE, guest(VIRTD_POWER_UNKNOWN, -1));
	assert_int_equal(t.n_sent, 1 + 2 * VIRT_HOST_BYTES + 1);
	assert_int_equal(t.sent[0], VIRT_LIST_FOLLOWS);
	assert_true(virt_host_decode(&h, t.sent + 1));
	assert_string_equal(h.name, "test");
	assert_int_equal(t.sent[1 + 63], 0); /* the stock daemon leaves garbage in these three */
	assert_int_equal(t.sent[1 + 127], 0);
	assert_int_equal(t.sent[1 + 129], 0);
	assert_false(virt_host_decode(&h, t.sent + 1 + VIRT_HOST_BYTES));
	assert_int_equal(t.sent[t.n_sent - 1], 0);
	finish();
}

static void packets_of_other_lengths_are_dropped(void **s)
{
	uint8_t packet[180] = { 0 };

	(void)s;
	begin(open_conf);
	make(packet, VIRT_STATUS, "test", 2);
	for (size_t len = 0; len <= 180; len++)
		if (len != 176)
			datagram(packet, len, "10.99.0.2");
	assert_int_equal(t.connects, 0);
	assert_true(t.drops > 0);
	datagram(packet, 176, "10.99.0.2");
	assert_int_equal(t.connects, 1);
	finish();
}

static void weak_forged_and_foreign_requests_are_dropped(void **s)
{
	uint8_t packet[176];

	(void)s;
	begin(open_conf);
	make(packet, VIRT_OFF, "test", 0);
	datagram(packet, 176, "10.99.0.2");
	make(packet, VIRT_OFF, "test", 1);
	datagram(packet, 176, "10.99.0.2");
	make(packet, VIRT_OFF, "test", 2);
	packet[4] ^= 1;
	datagram(packet, 176, "10.99.0.2");
	assert_int_equal(t.connects, 0);
	make(packet, VIRT_OFF, "test", 3); /* stronger than asked for */
	datagram(packet, 176, "10.99.0.2");
	assert_int_equal(t.connects, 1);
	finish();
}

static void other_key_in_the_call_back_ends_it(void **s)
{
	uint8_t packet[176];

	(void)s;
	begin(open_conf);
	make(packet, VIRT_OFF, "test", 2);
	datagram(packet, 176, "10.99.0.2");
	assert_false(talk((const uint8_t *)"wrong", 5));
	uint8_t junk[64] = { 1 };

	step((struct virtd_event){ .type = VIRTD_EV_DATA, .data = { t.conn, junk, 64 } });
	assert_true(t.closed);
	/* libvirt was asked while it answered; that changes nothing, and the answer comes to nothing */
	assert_int_equal(t.n_jobs, 1);
	assert_int_equal(t.kind[0], VIRTD_JOB_STATE);
	assert_int_equal(t.audits, 0);
	finish();
}

/* A state that was read while the client was slow to prove itself is no state of just now. */
static void look_before_the_proof_counts_only_when_it_is_fresh(void **s)
{
	uint8_t packet[176], proof[64];

	(void)s;
	for (unsigned late = 0; late < 2; late++) {
		begin(open_conf);
		make(packet, VIRT_STATUS, "test", 2);
		datagram(packet, 176, "10.99.0.2");
		assert_true(talk_begin(KEY, proof));
		assert_int_equal(t.n_jobs, 1);
		state(VIRTD_POWER_OFF, -1);
		assert_int_equal(t.n_sent, 0);
		pass(late ? 1000 : 100);
		talk_end(proof);
		if (late) {
			assert_int_equal(t.n_jobs, 1);
			state(VIRTD_POWER_ON, 2);
			expect_byte(0);
		} else {
			expect_byte(2);
		}
		finish();
	}
}

static void second_key_counts_while_keys_change(void **s)
{
	struct virt_request q = { .request = VIRT_STATUS,
				  .hash = 2,
				  .domain = "test",
				  .addrlen = 4,
				  .address = { 10, 99, 0, 2 },
				  .port = 1229,
				  .seqno = 77,
				  .family = 2 };
	uint8_t packet[176];

	(void)s;
	begin(open_conf);
	assert_int_equal(virt_request_encode(packet, &q, KEY2), 0);
	datagram(packet, 176, "10.99.0.2");
	assert_true(talk(KEY2));
	state(VIRTD_POWER_ON, 1);
	expect_byte(0);
	finish();
}

/* VIRTD-3, against the stock daemon's 10 s. */
static void replay_is_refused_for_ever(void **s)
{
	uint8_t packet[176];

	(void)s;
	begin(open_conf);
	make(packet, VIRT_OFF, "test", 2);
	datagram(packet, 176, "10.99.0.2");
	assert_true(talk(KEY));
	datagram(packet, 176, "10.99.0.2"); /* it is being carried out */
	state(VIRTD_POWER_OFF, -1);
	expect_byte(0);
	for (unsigned i = 0; i < 5; i++) {
		datagram(packet, 176, "10.99.0.2");
		pass(i * 60000);
	}
	assert_int_equal(t.connects, 1);
	struct virtd_status st;

	virtd_status(t.core, &st);
	assert_int_equal(st.replayed, 6);
	finish();
}

static void replay_is_refused_after_a_restart_too(void **s)
{
	uint8_t packet[176], digest[VIRTD_DIGEST_BYTES];
	struct virt_request q;

	(void)s;
	begin(open_conf);
	make(packet, VIRT_OFF, "test", 2);
	assert_int_equal(virt_request_decode(&q, packet, 176), 0);
	memcpy(digest, q.digest, sizeof(digest));
	struct virtd_event ev = { .type = VIRTD_EV_SEEN };

	memcpy(ev.seen, digest, sizeof(digest));
	step(ev);
	datagram(packet, 176, "10.99.0.2");
	assert_int_equal(t.connects, 0);
	finish();
}

/* A call-back that did not come through was not carried out: the client's next try is welcome. */
static void retry_after_a_failed_call_back_is_welcome(void **s)
{
	uint8_t packet[176];

	(void)s;
	begin(open_conf);
	make(packet, VIRT_STATUS, "test", 2);
	datagram(packet, 176, "10.99.0.2");
	step((struct virtd_event){ .type = VIRTD_EV_CONNECTED, .connected = { t.conn, false, 0 } });
	datagram(packet, 176, "10.99.0.2");
	assert_int_equal(t.connects, 2);
	finish();
}

/* The stock daemon waits 10 s for it, and serves nobody meanwhile. */
static void silent_peer_blocks_nobody(void **s)
{
	uint8_t packet[176];

	(void)s;
	begin(open_conf);
	make(packet, VIRT_OFF, "test", 2);
	datagram(packet, 176, "10.99.0.2");
	step((struct virtd_event){ .type = VIRTD_EV_CONNECTED, .connected = { t.conn, true, 0 } });
	ask(VIRT_STATUS, "test");
	state(VIRTD_POWER_ON, 1);
	expect_byte(0);
	t.closed = false;
	pass(6000);
	assert_true(t.closed);
	assert_int_equal(t.audits, 1);
	struct virtd_status st;

	virtd_status(t.core, &st);
	assert_int_equal(st.sessions, 0);
	finish();
}

static void one_source_does_not_take_all_places(void **s)
{
	uint8_t packet[176];

	(void)s;
	begin(open_conf);
	for (unsigned i = 0; i < 400; i++) {
		make(packet, VIRT_STATUS, "test", 2);
		datagram(packet, 176, "10.99.0.2");
	}
	assert_int_equal(t.connects, VIRTD_SESSIONS_OF_ONE);
	finish();
}

/* Slow-loris from many addresses: connections that say nothing, or half a request, never keep out a request that is signed. */
static void strangers_do_not_take_the_places_of_who_has_the_key(void **s)
{
	static const char both[] =
		"fence_virtd { listener = \"multicast tcp\"; backend = \"libvirt\"; }\n"
		"listeners { multicast { key_file = \"/k\"; } tcp { key_file = \"/k\"; } }\n"
		"backends { libvirt { uri = \"test:///default\"; } }\n";
	struct virtd_status st;

	(void)s;
	begin(both);
	for (unsigned i = 0; i < VIRTD_SESSIONS_MAX + 100; i++) {
		char who[32];
		uint64_t conn = VIRTD_CONN_ACCEPTED | (i + 1);

		snprintf(who, sizeof(who), "10.98.%u.%u", i / 200, 1 + i % 200);
		step((struct virtd_event){ .type = VIRTD_EV_ACCEPT, .accept = { conn, 1, who } });
		step((struct virtd_event){ .type = VIRTD_EV_DATA, .data = { conn, "half", 4 } });
	}
	ask(VIRT_STATUS, "test");
	state(VIRTD_POWER_ON, 1);
	expect_byte(0);
	virtd_status(t.core, &st);
	assert_int_equal(st.limited, 101); /* the oldest went, one for each that came */
	finish();
}

static void map_denies_what_no_line_permits(void **s)
{
	static const char conf[] =
		"fence_virtd { listener = \"multicast\"; backend = \"libvirt\"; }\n"
		"listeners { multicast { } } backends { libvirt { uri = \"a\"; } }\n"
		"stockade { guest { uuid = \"" OTHER "\"; ip = \"10.99.0.2\"; may_fence = \"" UUID
		"\"; } }\n";

	(void)s;
	begin(conf);
	ask(VIRT_OFF, "test"); /* by name: the line has the uuid */
	state(VIRTD_POWER_OFF, -1);
	expect_byte(0);
	ask(VIRT_OFF, "elsewhere");
	struct virtd_guest g = { .name = "elsewhere", .uuid = OTHER, .power = VIRTD_POWER_ON };

	answer(VIRTD_JOB_STATE, VIRTD_DONE, g);
	expect_byte(3);
	assert_int_equal(t.n_jobs, 0); /* nothing was done */
	finish();
}

/* The caller says in the packet who it is: the datagram's sender must be the same one. */
static void another_sender_is_not_believed(void **s)
{
	static const char conf[] =
		"fence_virtd { listener = \"multicast\"; backend = \"libvirt\"; }\n"
		"listeners { multicast { } } backends { libvirt { uri = \"a\"; } }\n"
		"groups { group { ip = \"10.99.0.2\"; uuid = \"" UUID "\"; } }\n";
	uint8_t packet[176];

	(void)s;
	begin(conf);
	make(packet, VIRT_OFF, "test", 2);
	datagram(packet, 176, "10.99.0.66");
	assert_int_equal(t.connects, 0);
	finish();
}

static void who_asks_too_often_is_told_so(void **s)
{
	static const char conf[] =
		"fence_virtd { listener = \"multicast\"; backend = \"libvirt\"; }\n"
		"listeners { multicast { } } backends { libvirt { uri = \"a\"; } }\n"
		"stockade { permit = \"any\"; acts_per_minute = \"2\"; }\n";

	(void)s;
	begin(conf);
	for (unsigned i = 0; i < 2; i++) {
		ask(VIRT_OFF, "test");
		state(VIRTD_POWER_OFF, -1);
		expect_byte(0);
	}
	ask(VIRT_OFF, "test");
	expect_byte(1);
	ask(VIRT_STATUS, "test"); /* questions have a limit of their own */
	state(VIRTD_POWER_OFF, -1);
	expect_byte(2);
	pass(31000);
	ask(VIRT_OFF, "test");
	state(VIRTD_POWER_OFF, -1);
	expect_byte(0);
	finish();
}

/* Two hypervisors; one is away. */
static void guest_of_an_absent_libvirt_is_unknown(void **s)
{
	static const char conf[] =
		"fence_virtd { listener = \"multicast\"; backend = \"libvirt\"; }\n"
		"listeners { multicast { } } backends { libvirt { uri = \"a\"; uri1 = \"b\"; } }\n";

	(void)s;
	begin(conf);
	ask(VIRT_STATUS, "test");
	assert_int_equal(t.n_jobs, 2);
	state(VIRTD_POWER_OFF, -1);
	answer(VIRTD_JOB_STATE, VIRTD_DOWN, guest(VIRTD_POWER_UNKNOWN, -1));
	expect_byte(2); /* b was seen without it */
	step((struct virtd_event){ .type = VIRTD_EV_GUEST,
				   .guest = { 0, 1, guest(VIRTD_POWER_ON, 3) } });
	ask(VIRT_STATUS, "test");
	state(VIRTD_POWER_OFF, -1);
	answer(VIRTD_JOB_STATE, VIRTD_DOWN, guest(VIRTD_POWER_UNKNOWN, -1));
	expect_byte(1); /* b had it when it was last heard */
	finish();
}

/* SAFE-3: what one libvirt has off, or had a moment ago, another may run, if it cannot say. */
static void on_is_refused_where_another_libvirt_cannot_say(void **s)
{
	static const char conf[] =
		"fence_virtd { listener = \"multicast\"; backend = \"libvirt\"; }\n"
		"listeners { multicast { } } backends { libvirt { uri = \"a\"; uri1 = \"b\"; } }\n";
	struct virtd_guest kept = guest(VIRTD_POWER_OFF, -1);

	(void)s;
	begin(conf);
	ask(VIRT_ON, "test");
	state(VIRTD_POWER_OFF, -1);
	state(VIRTD_POWER_UNKNOWN, -1); /* migrated away, saved */
	expect_byte(1);
	assert_int_equal(t.n_jobs, 0);
	kept.power = VIRTD_POWER_ABSENT;
	kept.kept = true;
	ask(VIRT_ON, "test");
	answer(VIRTD_JOB_STATE, VIRTD_DONE, kept);
	state(VIRTD_POWER_UNKNOWN, -1);
	expect_byte(1);
	ask(VIRT_ON, "test");
	answer(VIRTD_JOB_STATE, VIRTD_DONE, kept);
	state(VIRTD_POWER_ON, 7);
	expect_byte(0); /* it was on: nothing is made */
	assert_int_equal(t.n_jobs, 0);
	finish();
}

static void tcp_request_is_answered(void **s)
{
	static const char conf[] = "fence_virtd { listener = \"tcp\"; backend = \"libvirt\"; }\n"
				   "listeners { tcp { } } backends { libvirt { uri = \"a\"; } }\n";
	struct virt_request q = { .request = VIRT_STATUS, .hash = 2, .domain = "test", .seqno = 5 };
	uint8_t packet[176];

	(void)s;
	begin(conf);
	assert_int_equal(virt_request_encode(packet, &q, KEY), 0);
	t.conn = VIRTD_CONN_ACCEPTED | 1;
	step((struct virtd_event){ .type = VIRTD_EV_ACCEPT, .accept = { t.conn, 0, "10.99.0.2" } });
	step((struct virtd_event){ .type = VIRTD_EV_DATA, .data = { t.conn, packet, 100 } });
	step((struct virtd_event){ .type = VIRTD_EV_DATA, .data = { t.conn, packet + 100, 76 } });
	assert_true(talk(KEY));
	state(VIRTD_POWER_ON, 1);
	expect_byte(0);
	finish();
}

static void channel_resynchronises_and_stays_open(void **s)
{
	static const char conf[] =
		"fence_virtd { listener = \"serial\"; backend = \"libvirt\"; }\n"
		"listeners { serial { mode = \"vmchannel\"; } } backends { libvirt { uri = \"a\"; } }\n";
	struct virt_serial_request q = { .request = VIRT_STATUS, .domain = "test", .seqno = 5 };
	uint8_t bytes[VIRT_SERIAL_BYTES + 3] = "xyz", result;

	(void)s;
	begin(conf);
	t.conn = VIRTD_CONN_ACCEPTED | 1;
	step((struct virtd_event){ .type = VIRTD_EV_ACCEPT, .accept = { t.conn, 0, OTHER } });
	for (unsigned i = 0; i < 2; i++) {
		q.seqno++;
		virt_serial_encode(bytes + 3, &q);
		t.n_sent = 0;
		step((struct virtd_event){ .type = VIRTD_EV_DATA,
					   .data = { t.conn, bytes, sizeof(bytes) } });
		state(i ? VIRTD_POWER_OFF : VIRTD_POWER_ON, 1);
		assert_int_equal(t.n_sent, VIRT_SERIAL_RESPONSE_BYTES);
		assert_int_equal(virt_serial_result(t.sent, &result), 0);
		assert_int_equal(result, i ? 2 : 0);
		assert_false(t.closed);
	}
	finish();
}

/* Our client asks for more than a byte: what was read back, sealed with this very talk. */
static void verdict_is_sealed_to_the_request(void **s)
{
	struct virt_request q = { .request = VIRT_OFF,
				  .hash = 2,
				  .flags = VIRT_FLAG_VERDICT,
				  .domain = "test",
				  .addrlen = 4,
				  .address = { 10, 99, 0, 2 },
				  .port = 1229,
				  .seqno = 9,
				  .family = 2 };
	uint8_t packet[176], mine[64], theirs[64], reply[64];
	struct virt_verdict v;

	(void)s;
	begin(open_conf);
	assert_int_equal(virt_request_encode(packet, &q, KEY), 0);
	datagram(packet, 176, "10.99.0.2");
	step((struct virtd_event){ .type = VIRTD_EV_CONNECTED, .connected = { t.conn, true, 0 } });
	memset(mine, 3, sizeof(mine));
	step((struct virtd_event){ .type = VIRTD_EV_DATA, .data = { t.conn, mine, 64 } });
	memcpy(theirs, t.sent + 64, 64);
	assert_int_equal(virt_response(2, KEY, theirs, reply), 0);
	t.n_sent = 0;
	step((struct virtd_event){ .type = VIRTD_EV_DATA, .data = { t.conn, reply, 64 } });
	state(VIRTD_POWER_ON, 1);
	answer(VIRTD_JOB_DESTROY, VIRTD_DONE, guest(VIRTD_POWER_UNKNOWN, -1));
	state(VIRTD_POWER_OFF, -1);
	assert_int_equal(t.n_sent, 1 + VIRT_VERDICT_BYTES);
	struct virt_seal seal = { .key = (const uint8_t *)"0123456789abcdef0123456789abcdef",
				  .key_len = 32,
				  .request = packet,
				  .challenge_1 = mine,
				  .challenge_2 = theirs };

	assert_int_equal(virt_verdict_decode(&v, t.sent + 1, &seal), 0);
	assert_int_equal(v.result, 0);
	assert_int_equal(v.power, VIRT_POWER_OFF);
	assert_int_equal(v.uuid[0], 0x66);
	finish();
}

static void silent_about_guests_of_other_hosts(void **s)
{
	static const char conf[] =
		"fence_virtd { listener = \"multicast\"; backend = \"cpg\"; }\n"
		"listeners { multicast { } } backends { cpg { uri = \"a\"; } }\n";
	uint8_t packet[176];

	(void)s;
	begin(conf);
	make(packet, VIRT_OFF, "test", 2);
	datagram(packet, 176, "10.99.0.2");
	assert_int_equal(t.connects, 0);
	step((struct virtd_event){ .type = VIRTD_EV_GUEST,
				   .guest = { 0, 0, guest(VIRTD_POWER_ON, 3) } });
	make(packet, VIRT_OFF, "test", 2);
	datagram(packet, 176, "10.99.0.2");
	assert_int_equal(t.connects, 1);
	finish();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(status_tells_on_and_off),
		cmocka_unit_test(status_of_the_unknown_is_never_off),
		cmocka_unit_test(off_waits_until_it_is_read_back),
		cmocka_unit_test(off_that_was_read_back_at_once_is_not_asked_again),
		cmocka_unit_test(off_of_a_guest_that_stays_fails_in_time),
		cmocka_unit_test(off_survives_a_restart_of_libvirtd),
		cmocka_unit_test(off_waits_for_a_libvirtd_that_comes_back),
		cmocka_unit_test(off_does_not_hit_who_was_started_again),
		cmocka_unit_test(off_throws_a_saved_image_away),
		cmocka_unit_test(reboot_is_off_read_back_then_on),
		cmocka_unit_test(on_starts_and_reads_back),
		cmocka_unit_test(transient_guest_is_made_again_by_on_alone),
		cmocka_unit_test(unknown_operations_and_null_fail),
		cmocka_unit_test(list_has_every_byte_set_and_what_is_permitted),
		cmocka_unit_test(packets_of_other_lengths_are_dropped),
		cmocka_unit_test(weak_forged_and_foreign_requests_are_dropped),
		cmocka_unit_test(other_key_in_the_call_back_ends_it),
		cmocka_unit_test(look_before_the_proof_counts_only_when_it_is_fresh),
		cmocka_unit_test(second_key_counts_while_keys_change),
		cmocka_unit_test(replay_is_refused_for_ever),
		cmocka_unit_test(replay_is_refused_after_a_restart_too),
		cmocka_unit_test(retry_after_a_failed_call_back_is_welcome),
		cmocka_unit_test(silent_peer_blocks_nobody),
		cmocka_unit_test(one_source_does_not_take_all_places),
		cmocka_unit_test(strangers_do_not_take_the_places_of_who_has_the_key),
		cmocka_unit_test(map_denies_what_no_line_permits),
		cmocka_unit_test(another_sender_is_not_believed),
		cmocka_unit_test(who_asks_too_often_is_told_so),
		cmocka_unit_test(guest_of_an_absent_libvirt_is_unknown),
		cmocka_unit_test(on_is_refused_where_another_libvirt_cannot_say),
		cmocka_unit_test(tcp_request_is_answered),
		cmocka_unit_test(channel_resynchronises_and_stays_open),
		cmocka_unit_test(verdict_is_sealed_to_the_request),
		cmocka_unit_test(silent_about_guests_of_other_hosts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
