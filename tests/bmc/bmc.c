// SPDX-License-Identifier: GPL-3.0-or-later
/* test_bmc - a baseboard management controller for tests: RMCP+ with cipher suites 3 and 17, one chassis, planned faults.
 *
 * Nothing packaged answers cipher suite 17, the suite that agents should use; this does, and ipmitool is its independent
 * client (tests/interop). The chassis is a file: "on" or "off", so that a test sees and changes it beside the agent; every
 * chassis command is a line of LOG ("off", "on", "reset", "cycle", "diag", "status"). Listens on loopback or inside a
 * network namespace only. See usage() for the faults.
 */
#include "tests/bmc/rakp.h"

#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define SESSIONS 256
#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

enum payload { PAYLOAD_IPMI = 0x00, OPEN_RQ = 0x10, OPEN_RS, RAKP_1, RAKP_2, RAKP_3, RAKP_4 };
enum rmcp_status {
	ST_OK = 0x00,
	ST_NO_RESOURCES = 0x01,
	ST_BAD_ID = 0x02,
	ST_NAME = 0x0d,
	ST_INTEGRITY = 0x0f,
	ST_SUITE = 0x11
};
enum completion { CC_OK = 0, CC_NO_COMMAND = 0xc1, CC_LENGTH = 0xc7, CC_NOT_NOW = 0xd5 };
enum level { LEVEL_USER = 2, LEVEL_OPERATOR, LEVEL_ADMIN };

static const char usage[] =
	"Usage: test_bmc --port N --state FILE [--log FILE] [--bind ADDRESS] [--user NAME] [--password TEXT]\n"
	"                [--level user|operator|admin] [--suites 3,17] [--kg TEXT] [--fault NAME[=N]]...\n"
	"Faults:\n"
	"  lose=N             every Nth datagram, in or out, is lost\n"
	"  deaf               no datagram is answered\n"
	"  deaf-in-session=N  from the Nth datagram of a session on, nothing is answered\n"
	"  forget=MS          a session unused this long is forgotten\n"
	"  lie                chassis control is accepted and nothing happens\n"
	"  slow=MS            chassis control takes this long to show\n"
	"  refuse=CODE        chassis control is answered with this completion code\n"
	"  no-status=CODE     chassis status is answered with this completion code\n"
	"  downgrade          answers with suite 3 whatever is asked\n"
	"  dies-with-power    after off is accepted, nothing is answered any more\n"
	"  old                says that it speaks IPMI 1.5 alone\n"
	"  busy               opens no session: too many are open, it says\n";

enum fault {
	F_LOSE,
	F_DEAF,
	F_DEAF_IN_SESSION,
	F_FORGET,
	F_LIE,
	F_SLOW,
	F_REFUSE,
	F_NO_STATUS,
	F_DOWNGRADE,
	F_DIES,
	F_OLD,
	F_BUSY,
	N_FAULTS
};
static const char *const fault_names[N_FAULTS] = {
	"lose",   "deaf",      "deaf-in-session", "forget",          "lie", "slow",
	"refuse", "no-status", "downgrade",       "dies-with-power", "old", "busy",
};

static struct {
	const char *state, *log, *user, *password,
		*kg; /* kg NULL: none, the password stands for it */
	enum level level;
	bool suite_3, suite_17;
	bool has[N_FAULTS];
	long fault[N_FAULTS];
} conf = { .user = "admin",
	   .password = "fxpass",
	   .level = LEVEL_ADMIN,
	   .suite_3 = true,
	   .suite_17 = true };

static struct session {
	bool used, open;
	struct rakp_session rakp;
	uint8_t max_level, level;
	uint32_t sent, heard; /* sequence numbers */
	long datagrams;
	int64_t used_ms;
} sessions[SESSIONS];

static struct { /* an off or on that does not show yet */
	const char *to;
	int64_t at_ms;
} later;
static bool dead;
static volatile sig_atomic_t stop;

static void on_signal(int sig)
{
	stop = sig;
}

static int64_t mono_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static void die(const char *what)
{
	fprintf(stderr, "test_bmc: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void random_bytes(uint8_t *p, size_t n)
{
	if (RAND_bytes(p, (int)n) != 1)
		die("no random bytes");
}

/* --- the chassis ----------------------------------------------------------------------------------- */

static void note(const char *what)
{
	FILE *f = conf.log ? fopen(conf.log, "a") : NULL;

	if (conf.log && !f)
		die(conf.log);
	if (f) {
		fprintf(f, "%s\n", what);
		fclose(f);
	}
}

static bool power_is_on(void)
{
	char text[8] = "";
	FILE *f = fopen(conf.state, "r");

	if (!f || !fgets(text, sizeof(text), f))
		die(conf.state);
	fclose(f);
	return strncmp(text, "on", 2) == 0;
}

static void power_set(const char *to)
{
	FILE *f = fopen(conf.state, "w");

	if (!f || fprintf(f, "%s\n", to) < 0 || fclose(f) != 0)
		die(conf.state);
}

#define CYCLE_OFF_MS 1000 /* IPMI 2.0 28.3: no less */

static void power_change(const char *to)
{
	if (conf.has[F_LIE])
		return;
	if (!conf.has[F_SLOW]) {
		power_set(to);
		return;
	}
	later.to = to;
	later.at_ms = mono_ms() + conf.fault[F_SLOW];
}

static uint8_t chassis_control(const struct session *s, uint8_t what)
{
	static const char *const names[] = { "off", "on", "cycle", "reset", "diag", "soft" };

	if (what >= ARRAY_SIZE(names))
		return 0xcc;
	note(names[what]);
	if (s->level < LEVEL_OPERATOR)
		return 0xd4;
	if (conf.has[F_REFUSE])
		return (uint8_t)conf.fault[F_REFUSE];
	switch (what) {
	case 0:
	case 5: power_change("off"); break;
	case 1: power_change("on"); break;
	case 2:
		if (!power_is_on())
			return CC_NOT_NOW;
		if (conf.has[F_LIE])
			break;
		power_set("off");
		later.to = "on";
		later.at_ms = mono_ms() + CYCLE_OFF_MS;
		break;
	default:
		if (!power_is_on())
			return CC_NOT_NOW;
		break; /* a reset: on before, on after */
	}
	dead = what == 0 && conf.has[F_DIES];
	return CC_OK;
}

/* --- IPMI messages ---------------------------------------------------------------------------------- */

struct reply {
	uint8_t data[64]; /* completion code first */
	size_t len;
	bool close;
};

static void say(struct reply *r, const void *p, size_t len)
{
	memcpy(r->data + r->len, p, len);
	r->len += len;
}

/* @s: NULL before a session */
static void command(struct session *s, uint8_t netfn, uint8_t cmd, const uint8_t *data, size_t len,
		    struct reply *r)
{
	r->len = 1;
	r->data[0] = CC_OK;
	switch (netfn << 8 | cmd) {
	case 0x0638: /* Get Channel Authentication Capabilities: 2.0 only, named users, no anonymous */
		if (conf.has[F_OLD])
			say(r, (const uint8_t[]){ 1, 0x14, 0x04, 0x00, 0, 0, 0, 0 }, 8);
		else
			say(r,
			    (const uint8_t[]){ 1, 0x80, conf.kg ? 0x24 : 0x04, 0x02, 0, 0, 0, 0 },
			    8);
		return;
	case 0x0654: /* Get Channel Cipher Suites */
		say(r, (const uint8_t[]){ 1 }, 1);
		if (len < 3 || (data[2] & 0x3f) != 0)
			return;
		if (conf.suite_3)
			say(r, (const uint8_t[]){ 0xc0, 3, 0x01, 0x41, 0x81 }, 5);
		if (conf.suite_17)
			say(r, (const uint8_t[]){ 0xc0, 17, 0x03, 0x44, 0x81 }, 5);
		return;
	default: break;
	}
	if (!s) {
		r->data[0] = 0xd4;
		return;
	}
	switch (netfn << 8 | cmd) {
	case 0x0601: /* Get Device ID */
		say(r, (const uint8_t[]){ 0x20, 1, 1, 0, 2, 0x9f, 0x91, 0x12, 0, 2, 0x0f }, 11);
		return;
	case 0x063b: /* Set Session Privilege Level */
		if (len < 1) {
			r->data[0] = CC_LENGTH;
		} else if (data[0] > s->max_level) {
			r->data[0] = 0x81;
		} else {
			s->level = data[0] ? data[0] : s->level;
			say(r, &s->level, 1);
		}
		return;
	case 0x063c: r->close = true; return;
	case 0x0001: /* Get Chassis Status */
		note("status");
		if (conf.has[F_NO_STATUS])
			r->data[0] = (uint8_t)conf.fault[F_NO_STATUS];
		else
			say(r, (const uint8_t[]){ power_is_on(), 0, 0 }, 3);
		return;
	case 0x0002: r->data[0] = len < 1 ? CC_LENGTH : chassis_control(s, data[0] & 0x0f); return;
	default: r->data[0] = CC_NO_COMMAND; return;
	}
}

/* An IPMI message in, its answer out. Return: the answer's length, 0: none is owed. */
static size_t message(struct session *s, const uint8_t *m, size_t len, uint8_t *out,
		      bool *ret_close)
{
	struct reply r = { .close = false };

	if (len < 7 || ipmi_checksum(m, 2) != m[2] || ipmi_checksum(m + 3, len - 4) != m[len - 1])
		return 0;
	command(s, m[1] >> 2, m[5], m + 6, len - 7, &r);
	out[0] = m[3];
	out[1] = (uint8_t)(((m[1] >> 2) | 1) << 2);
	out[2] = ipmi_checksum(out, 2);
	out[3] = m[0];
	out[4] = m[4];
	out[5] = m[5];
	memcpy(out + 6, r.data, r.len);
	out[6 + r.len] = ipmi_checksum(out + 3, 3 + r.len);
	*ret_close = r.close;
	return 7 + r.len;
}

/* --- sessions ----------------------------------------------------------------------------------------- */

static struct session *session_find(const uint8_t id[4])
{
	uint32_t i = le32(id) - 1;
	struct session *s = i < SESSIONS && sessions[i].used ? &sessions[i] : NULL;

	if (s && conf.has[F_FORGET] && mono_ms() - s->used_ms > conf.fault[F_FORGET])
		s->used = false;
	if (s && s->used)
		s->used_ms = mono_ms();
	return s && s->used ? s : NULL;
}

static struct session *session_new(void)
{
	struct session *oldest = &sessions[0];

	for (struct session *s = sessions; s < sessions + SESSIONS; s++)
		if (!s->used || (oldest->used && s->used_ms < oldest->used_ms))
			oldest = s;
	*oldest = (struct session){ .used = true, .used_ms = mono_ms() };
	put_le32(oldest->rakp.bmc_id, (uint32_t)(oldest - sessions) + 1);
	return oldest;
}

static size_t on_open(const uint8_t *p, size_t len, uint8_t *out)
{
	if (len < 32)
		return 0;
	const struct rakp_suite *suite = rakp_suite_by_algorithms(p[12], p[20], p[28]);

	if (suite && !(suite->id == RAKP_SUITE_3 ? conf.suite_3 : conf.suite_17))
		suite = NULL;
	if (conf.has[F_DOWNGRADE])
		suite = rakp_suite(RAKP_SUITE_3);
	memset(out, 0, 36);
	out[0] = p[0];
	memcpy(out + 4, p + 4, 4);
	if (!suite || conf.has[F_BUSY]) {
		out[1] = suite ? ST_NO_RESOURCES : ST_SUITE;
		return 8;
	}
	struct session *s = session_new();

	s->rakp.suite = suite;
	s->max_level = conf.level;
	memcpy(s->rakp.console_id, p + 4, 4);
	for (uint8_t i = 0; i < sizeof(s->rakp.guid); i++)
		s->rakp.guid[i] = i;
	out[2] = s->max_level;
	memcpy(out + 8, s->rakp.bmc_id, 4);
	memcpy(out + 12, (const uint8_t[]){ 0, 0, 0, 8, suite->auth, 0, 0, 0 }, 8);
	memcpy(out + 20, (const uint8_t[]){ 1, 0, 0, 8, suite->integrity, 0, 0, 0 }, 8);
	memcpy(out + 28, (const uint8_t[]){ 2, 0, 0, 8, suite->confidentiality, 0, 0, 0 }, 8);
	return 36;
}

static size_t on_rakp_1(const uint8_t *p, size_t len, uint8_t *out)
{
	struct session *s = len >= 28 ? session_find(p + 4) : NULL;

	if (!s || p[27] > RAKP_NAME_MAX || len < 28u + p[27])
		return 0;
	struct rakp_session *k = &s->rakp;

	memset(out, 0, 40);
	out[0] = p[0];
	memcpy(out + 4, k->console_id, 4);
	if (p[27] != strlen(conf.user) || memcmp(p + 28, conf.user, p[27]) != 0) {
		out[1] = ST_NAME;
		return 8;
	}
	memcpy(k->console_random, p + 8, 16);
	k->role = p[24];
	k->name_len = p[27];
	memcpy(k->name, p + 28, p[27]);
	random_bytes(k->bmc_random, 16);
	s->level = LEVEL_USER;
	if ((k->role & 0x0f) != 0 && (k->role & 0x0f) < s->max_level)
		s->max_level = k->role & 0x0f;
	memcpy(out + 8, k->bmc_random, 16);
	memcpy(out + 24, k->guid, 16);
	uint8_t mac[RAKP_MAC_MAX];

	rakp2_mac(k, conf.password, mac);
	memcpy(out + 40, mac, k->suite->mac_bytes);
	return 40 + k->suite->mac_bytes;
}

static size_t on_rakp_3(const uint8_t *p, size_t len, uint8_t *out)
{
	struct session *s = len >= 8 ? session_find(p + 4) : NULL;
	uint8_t mac[RAKP_MAC_MAX];

	if (!s || !s->rakp.suite)
		return 0;
	struct rakp_session *k = &s->rakp;

	memset(out, 0, 8);
	out[0] = p[0];
	memcpy(out + 4, k->console_id, 4);
	rakp3_mac(k, conf.password, mac);
	if (p[1] != ST_OK || len != 8 + k->suite->mac_bytes ||
	    CRYPTO_memcmp(mac, p + 8, k->suite->mac_bytes) != 0) {
		out[1] = ST_INTEGRITY;
		s->used = false;
		return 8;
	}
	rakp_keys(k, conf.kg ? conf.kg : conf.password);
	s->open = true;
	rakp4_mac(k, mac);
	memcpy(out + 8, mac, k->suite->tag_bytes);
	return 8 + k->suite->tag_bytes;
}

static size_t plain_20(uint8_t type, const uint8_t *payload, size_t len, uint8_t *out)
{
	memset(out, 0, 16);
	memcpy(out, (const uint8_t[]){ 6, 0, 0xff, 7, 6, type }, 6);
	put_le16(out + 14, (uint16_t)len);
	memcpy(out + 16, payload, len);
	return 16 + len;
}

static size_t in_session(const uint8_t *in, size_t len, uint8_t *out)
{
	struct session *s = session_find(in + 6);
	uint8_t request[RAKP_PACKET_MAX], answer[128], iv[16];
	bool close_it = false;

	if (!s || !s->open)
		return 0;
	if (conf.has[F_DEAF_IN_SESSION] && ++s->datagrams >= conf.fault[F_DEAF_IN_SESSION])
		return 0;
	int n = rakp_open(&s->rakp, in, len, request);
	uint32_t sequence = le32(in + 10);

	if (n < 0 || sequence == 0 || sequence + 16 <= s->heard) {
		fprintf(stderr, "test_bmc: a datagram of a session is refused\n");
		return 0;
	}
	s->heard = sequence > s->heard ? sequence : s->heard;
	size_t have = message(s, request, (size_t)n, answer, &close_it);

	if (have == 0)
		return 0;
	random_bytes(iv, sizeof(iv));
	n = rakp_seal(&s->rakp, s->rakp.console_id, ++s->sent, iv, answer, have, out);
	if (close_it)
		s->used = false;
	return n < 0 ? 0 : (size_t)n;
}

static size_t datagram(const uint8_t *in, size_t len, uint8_t *out)
{
	uint8_t answer[128];
	bool close_it;

	if (len < 16 || in[0] != 6 || in[3] != 7)
		return 0;
	if (in[4] == 0) { /* without a session, IPMI 1.5 framing */
		if (in[13] > len - 14)
			return 0;
		size_t n = message(NULL, in + 14, in[13], answer, &close_it);

		memset(out, 0, 14);
		memcpy(out, (const uint8_t[]){ 6, 0, 0xff, 7 }, 4);
		out[13] = (uint8_t)n;
		memcpy(out + 14, answer, n);
		return n ? 14 + n : 0;
	}
	size_t payload = le16(in + 14);

	if (in[4] != 6 || payload > len - 16)
		return 0;
	size_t n = 0;

	switch (in[5]) {
	case OPEN_RQ: n = on_open(in + 16, payload, answer); break;
	case RAKP_1: n = on_rakp_1(in + 16, payload, answer); break;
	case RAKP_3: n = on_rakp_3(in + 16, payload, answer); break;
	case PAYLOAD_IPMI:
		n = message(NULL, in + 16, payload, answer, &close_it);
		return n ? plain_20(PAYLOAD_IPMI, answer, n, out) : 0;
	default: return in_session(in, len, out);
	}
	return n ? plain_20(in[5] + 1, answer, n, out) : 0;
}

/* --- options and the loop ------------------------------------------------------------------------------- */

static bool fault_take(const char *text)
{
	size_t len = strcspn(text, "=");

	for (int i = 0; i < N_FAULTS; i++) {
		if (strlen(fault_names[i]) != len || strncmp(fault_names[i], text, len) != 0)
			continue;
		conf.has[i] = true;
		conf.fault[i] = text[len] ? strtol(text + len + 1, NULL, 0) : 0;
		return true;
	}
	return false;
}

static enum level level_take(const char *text)
{
	return strcmp(text, "user") == 0       ? LEVEL_USER
	       : strcmp(text, "operator") == 0 ? LEVEL_OPERATOR
					       : LEVEL_ADMIN;
}

static int listen_on(const char *address, long port)
{
	struct sockaddr_in6 six = { .sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port) };
	struct sockaddr_in four = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
	bool is_six = inet_pton(AF_INET6, address, &six.sin6_addr) == 1;

	if (!is_six && inet_pton(AF_INET, address, &four.sin_addr) != 1) {
		errno = EINVAL;
		die(address);
	}
	int fd = socket(is_six ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || bind(fd, is_six ? (void *)&six : (void *)&four,
			   is_six ? sizeof(six) : sizeof(four)) < 0)
		die("bind");
	return fd;
}

static bool lost(void)
{
	static long n;

	return conf.has[F_LOSE] && ++n % conf.fault[F_LOSE] == 0;
}

static void serve(int fd)
{
	while (!stop) {
		uint8_t in[RAKP_PACKET_MAX], out[RAKP_PACKET_MAX];
		struct sockaddr_storage from;
		socklen_t from_len = sizeof(from);
		struct pollfd pfd = { .fd = fd, .events = POLLIN };
		int wait_ms = later.to ? (int)(later.at_ms - mono_ms()) : -1;

		int r = poll(&pfd, 1, later.to && wait_ms < 0 ? 0 : wait_ms);
		if (later.to && mono_ms() >= later.at_ms) {
			power_set(later.to);
			later.to = NULL;
		}
		if (r <= 0)
			continue;
		ssize_t len = recvfrom(fd, in, sizeof(in), 0, (struct sockaddr *)&from, &from_len);

		if (len < 0 || conf.has[F_DEAF] || dead || lost())
			continue;
		size_t n = datagram(in, (size_t)len, out);

		if (n > 0 && !lost() &&
		    sendto(fd, out, n, 0, (struct sockaddr *)&from, from_len) < 0)
			fprintf(stderr, "test_bmc: sendto: %s\n", strerror(errno));
	}
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "port", 1, NULL, 'p' },  { "state", 1, NULL, 's' },  { "log", 1, NULL, 'l' },
		{ "bind", 1, NULL, 'b' },  { "user", 1, NULL, 'u' },   { "password", 1, NULL, 'P' },
		{ "level", 1, NULL, 'L' }, { "suites", 1, NULL, 'C' }, { "fault", 1, NULL, 'f' },
		{ "kg", 1, NULL, 'k' },    { "help", 0, NULL, 'h' },   { NULL, 0, NULL, 0 },
	};
	const char *address = "127.0.0.1";
	long port = 0;
	int c;

	while ((c = getopt_long(argc, argv, "h", options, NULL)) != -1) {
		switch (c) {
		case 'p': port = strtol(optarg, NULL, 10); break;
		case 's': conf.state = optarg; break;
		case 'l': conf.log = optarg; break;
		case 'b': address = optarg; break;
		case 'u': conf.user = optarg; break;
		case 'P': conf.password = optarg; break;
		case 'k': conf.kg = optarg; break;
		case 'L': conf.level = level_take(optarg); break;
		case 'C':
			conf.suite_3 = strcmp(optarg, "17") != 0;
			conf.suite_17 = strcmp(optarg, "3") != 0;
			break;
		case 'f':
			if (fault_take(optarg))
				break;
			fprintf(stderr, "test_bmc: there is no fault \"%s\"\n", optarg);
			return 2;
		case 'h': fputs(usage, stdout); return 0;
		default: fputs(usage, stderr); return 2;
		}
	}
	if (port < 1 || port > 65535 || !conf.state || optind < argc ||
	    (conf.has[F_LOSE] && conf.fault[F_LOSE] < 2)) {
		fputs(usage, stderr);
		return 2;
	}
	struct sigaction sa = { .sa_handler = on_signal };

	sigaction(SIGTERM, &sa, NULL);
	sigaction(SIGINT, &sa, NULL);
	power_is_on(); /* the file must be there before the first question */
	int fd = listen_on(address, port);

	printf("ready\n");
	fflush(stdout);
	serve(fd);
	close(fd);
	return 0;
}
