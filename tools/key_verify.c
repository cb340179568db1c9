/* SPDX-License-Identifier: GPL-3.0-or-later */
/* stockade key verify: do nodes and hypervisors hold the key that this machine holds? */
#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/shell/agent_input.h"
#include "tools/check.h"
#include "tools/cli.h"
#include "tools/key.h"

#define STOCK_S 3
#define STOCK_MS 10000
#define METADATA_MS 10000

struct view { /* of one host: what it said under KEY and under KEY.new */
	enum echo_verdict now, next;
	struct echo_answer a;
};

static enum key_match judge(const struct view *v)
{
	if (v->now == ECHO_SAME)
		return v->a.slot == 0 ? KEY_SAME : KEY_SECOND_THERE;
	if (v->next == ECHO_SAME)
		return KEY_SECOND_HERE;
	switch (v->now) {
	case ECHO_OTHER: return KEY_DIFFERS;
	case ECHO_KEYLESS: return KEY_NONE;
	case ECHO_REPEATED: return KEY_REPLAYED;
	case ECHO_UNPROVEN: return KEY_UNPROVEN;
	case ECHO_STRAY:
	case ECHO_SAME: break;
	}
	return KEY_NO_ANSWER;
}

static const char *match_text(enum key_match m, const struct view *v)
{
	switch (m) {
	case KEY_SAME:
		return v->a.keys > 1 ? "holds the same key; a second one is valid there too"
				     : "holds the same key";
	case KEY_SECOND_THERE:
		return "takes our key as its second one only (KEY.new): its key file holds another";
	case KEY_SECOND_HERE: return "holds what lies here as KEY.new, not what our key file holds";
	case KEY_DIFFERS: return "holds another key";
	case KEY_NONE: return "has no key";
	case KEY_REPLAYED:
		return "answers a question that was asked before, or says that ours was: something recorded is "
		       "sent again (no clock has a part in it)";
	case KEY_UNPROVEN:
		return "answers with a wrong proof: another key, or somebody between us answers for it";
	case KEY_STOCK_SAME: return "proves the same key by the stock protocol";
	case KEY_NO_ANSWER: return "no answer";
	}
	return "?";
}

static const char *match_remedy(enum key_match m)
{
	switch (m) {
	case KEY_SAME:
	case KEY_STOCK_SAME: return NULL;
	case KEY_SECOND_THERE:
	case KEY_SECOND_HERE:
		return "a key is being changed: stockade key rotate, where it was begun, goes on";
	case KEY_DIFFERS:
		return "stockade key push --replace copies this one there; if that one is right, push it from there";
	case KEY_NONE: return "stockade key push";
	case KEY_REPLAYED:
		return "ask again; if it stays so, look who sends it: tcpdump -n udp port 1229";
	case KEY_UNPROVEN:
		return "compare stockade key show on both; stockade key push --replace copies this one there";
	case KEY_NO_ANSWER: break;
	}
	return "stockade doctor fence finds the hop that drops; there: stockade-virtd --status";
}

static json_t *row(const char *kind, const char *name, const char *address, enum key_match m,
		   const struct view *v, const char *text, const char *remedy)
{
	return json_pack(
		"{s:s,s:s,s:s?,s:s,s:s,s:b,s:s,s:s?}", "kind", kind, "name", name, "address",
		address && address[0] ? address : NULL, "match", key_match_name(m), "host",
		v->a.host, "ok", m == KEY_SAME || m == KEY_STOCK_SAME, "text",
		text ? text : match_text(m, v), "remedy", remedy ? remedy : match_remedy(m));
}

/* By fence_xvm itself: monitor is answered by every fence_virtd, and both sides prove their key in the talk. */
static bool stock_same(struct key_run *r, const char *address)
{
	char agent[CONFIG_PATH_MAX], in[1024];
	int status;

	if (!r->device)
		return false;
	agent_find(r->device->agent, agent);
	const char *const metadata[] = { agent, "-o", "metadata", NULL };
	const char *const argv[] = { agent, NULL };
	char *xml = run_program(metadata, NULL, METADATA_MS, &status);
	/* the stock client cannot ask one hypervisor alone */
	bool one = xml && agent_metadata_has(xml, "parameter", "hypervisors");

	free(xml);
	if (address && !one)
		return false;
	snprintf(in, sizeof(in),
		 "action=monitor\nkey_file=%s\nipport=%u\ntimeout=%d\n%s%s\nmulticast_address=%s\n",
		 r->file, r->where.port, STOCK_S,
		 !address       ? ""
		 : r->where.tcp ? "ip="
				: "hypervisors=",
		 address ? address : "", r->where.group);
	if (r->where.tcp)
		*strstr(in, "multicast_address=") = '\0';
	free(run_program(argv, in, STOCK_MS, &status));
	return status == 0;
}

/* Whole, or false: nothing more comes, or not in time. */
static bool receive(int fd, uint8_t *to, size_t len, bool *ret_hung_up)
{
	while (len > 0) {
		struct pollfd p = { .fd = fd, .events = POLLIN };
		ssize_t n = poll(&p, 1, STOCK_S * 1000) == 1 ? recv(fd, to, len, 0) : -1;

		*ret_hung_up = n == 0;
		if (n <= 0)
			return false;
		to += n;
		len -= (size_t)n;
	}
	return true;
}

/*
 * The tcp listener of the stock daemon hangs up on a request that is signed with another key: of all that it does, this alone
 * tells another key from nobody (ref/fencing.md 1.10). The request asks nothing (devstatus), and the talk ends before it counts.
 */
static bool stock_hangs_up(const char *address, uint16_t port, const struct key_bytes *k)
{
	struct virt_request q = { .request = VIRT_DEVSTATUS, .hash = VIRT_HASH_SHA256 };
	const struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST };
	const struct timeval limit = { .tv_sec = STOCK_S };
	uint8_t out[VIRT_REQUEST_BYTES + VIRT_CHALLENGE_BYTES], in[VIRT_CHALLENGE_BYTES];
	uint8_t want[VIRT_CHALLENGE_BYTES], *challenge = out + VIRT_REQUEST_BYTES;
	struct addrinfo *to = NULL;
	char service[8];
	bool other = false, hung_up = false;

	snprintf(service, sizeof(service), "%u", port);
	if (getrandom(q.random, sizeof(q.random), 0) != sizeof(q.random) ||
	    getrandom(&q.seqno, sizeof(q.seqno), 0) != sizeof(q.seqno) ||
	    getrandom(challenge, VIRT_CHALLENGE_BYTES, 0) != VIRT_CHALLENGE_BYTES ||
	    virt_request_encode(out, &q, k->bytes, k->len) < 0 ||
	    virt_response(VIRT_HASH_SHA256, k->bytes, k->len, challenge, want) < 0 ||
	    getaddrinfo(address, service, &hints, &to) != 0)
		return false;
	int fd = socket(to->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd >= 0) {
		setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)); /* connect() too */
		if (connect(fd, to->ai_addr, to->ai_addrlen) == 0 &&
		    send(fd, out, sizeof(out), MSG_NOSIGNAL) == (ssize_t)sizeof(out)) {
			errno = 0;
			other = receive(fd, in, sizeof(in), &hung_up)
					? !virt_equal(in, want, sizeof(want))
					: hung_up || errno == ECONNRESET;
		}
		close(fd);
	}
	freeaddrinfo(to);
	return other;
}

void key_ask_host(struct key_run *r, const struct key_peer *p, const struct key_bytes *k,
		  enum echo_verdict *ret_verdict, struct echo_answer *ret_answer)
{
	struct key_where where = r->where;
	struct key_heard heard[KEY_HOSTS_MAX];
	const struct echo_key key = key_echo(k);
	char why[KEY_WHY];

	where.n_hosts = 1;
	snprintf(where.host[0], sizeof(where.host[0]), "%s", p->address);
	*ret_verdict = ECHO_STRAY;
	int n = key_ask(&where, &key, (unsigned)r->timeout_ms, heard, KEY_HOSTS_MAX, why,
			sizeof(why));

	for (int i = 0; i < n; i++)
		if (heard[i].host == 0) {
			*ret_verdict = heard[i].verdict;
			*ret_answer = heard[i].answer;
		}
}

/* All that are named at once; else whoever answers. */
static void ask_all_hypervisors(struct key_run *r, const struct key_bytes *now,
				const struct key_bytes *next, json_t *rows)
{
	struct key_where where = r->where;
	struct key_heard heard[2][KEY_HOSTS_MAX];
	int n[2] = { 0, 0 };
	const struct key_bytes *keys[2] = { now, next };
	unsigned of[KEY_HOSTS_MAX];
	char why[KEY_WHY] = "";

	where.n_hosts = 0;
	for (unsigned i = 0; i < r->n && where.n_hosts < KEY_HOSTS_MAX; i++)
		if (r->peer[i].hypervisor) {
			of[where.n_hosts] = i;
			snprintf(where.host[where.n_hosts++], sizeof(where.host[0]), "%s",
				 r->peer[i].address);
		}
	for (int k = 0; k < 2; k++)
		if (keys[k]->len) {
			const struct echo_key key = key_echo(keys[k]);

			n[k] = key_ask(&where, &key, (unsigned)r->timeout_ms, heard[k],
				       KEY_HOSTS_MAX, why, sizeof(why));
		}
	for (unsigned h = 0; h < where.n_hosts; h++) {
		struct view v = { ECHO_STRAY, ECHO_STRAY, { 0 } };
		const struct key_peer *p = &r->peer[of[h]];

		for (int i = 0; i < n[1]; i++)
			if (heard[1][i].host == h) {
				v.next = heard[1][i].verdict;
				v.a = heard[1][i].answer;
			}
		for (int i = 0; i < n[0]; i++)
			if (heard[0][i].host == h) {
				v.now = heard[0][i].verdict;
				if (v.now == ECHO_SAME)
					v.a = heard[0][i].answer;
			}
		enum key_match m = judge(&v);

		if (m == KEY_NO_ANSWER && stock_same(r, p->address))
			m = KEY_STOCK_SAME;
		else if (m == KEY_NO_ANSWER && where.tcp &&
			 stock_hangs_up(p->address, where.port, now))
			m = KEY_DIFFERS;
		json_array_append_new(
			rows,
			row("hypervisor", p->name, p->address, m, &v,
			    m == KEY_NO_ANSWER
				    ? "no answer: nobody there, the way is blocked, or a stock fence_virtd with another key, "
				      "which says nothing to it"
				    : NULL,
			    NULL));
	}
	if (where.n_hosts > 0)
		return;
	for (int i = 0; i < n[0]; i++) {
		struct view v = { heard[0][i].verdict, ECHO_STRAY, heard[0][i].answer };

		for (int k = 0; k < n[1]; k++)
			if (strcmp(heard[0][i].from, heard[1][k].from) == 0)
				v.next = heard[1][k].verdict;
		json_array_append_new(rows,
				      row("hypervisor", v.a.host[0] ? v.a.host : heard[0][i].from,
					  heard[0][i].from, judge(&v), &v, NULL, NULL));
	}
	if (n[0] <= 0) {
		const struct view v = { 0 };
		bool stock = n[0] == 0 && stock_same(r, NULL);

		json_array_append_new(
			rows,
			row("hypervisor", "whoever answers", where.group,
			    stock ? KEY_STOCK_SAME : KEY_NO_ANSWER, &v,
			    stock ? NULL
			    : why[0]
				    ? why
				    : "no answer from any hypervisor: nobody there, the way is blocked, or a stock fence_virtd "
				      "with another key, which says nothing to it",
			    NULL));
	}
}

static void ask_node(struct key_run *r, struct key_peer *p, const struct key_bytes *now,
		     const struct key_bytes *next, json_t *rows)
{
	const struct key_bytes *keys[2] = { now, next };
	enum echo_verdict verdict[2] = { ECHO_STRAY, ECHO_STRAY };
	struct echo_answer a[2] = { { 0 }, { 0 } };
	char why[KEY_WHY] = "";
	int e = key_ask_files(r, p, r->file, keys, next->len ? 2 : 1, verdict, a, why);
	struct view v = { verdict[0], verdict[1], verdict[0] == ECHO_SAME ? a[0] : a[1] };
	enum key_match m = e < 0 ? KEY_NO_ANSWER : judge(&v);

	/* @why ends in what to do */
	json_array_append_new(rows, row("node", p->name, p->address, m, &v,
					e < 0                ? why
					: m == KEY_NO_ANSWER ? "what it answers is no answer"
							     : NULL,
					e < 0 ? "" : NULL));
}

json_t *key_verify_all(struct key_run *r, const struct key_bytes *now, const struct key_bytes *next,
		       unsigned *ret_bad, unsigned *ret_second)
{
	json_t *rows = json_array(), *o;
	size_t i;

	*ret_bad = *ret_second = 0;
	if (r->has_where)
		ask_all_hypervisors(r, now, next, rows);
	for (unsigned k = 0; k < r->n; k++)
		if (!r->peer[k].hypervisor && !r->peer[k].self)
			ask_node(r, &r->peer[k], now, next, rows);
	json_array_foreach (rows, i, o) {
		const char *m = js_text(o, "match", "");

		*ret_bad += !js_true(o, "ok");
		*ret_second += strncmp(m, "second", 6) == 0;
	}
	return rows;
}

void key_verify_print(const json_t *rows)
{
	json_t *o;
	size_t i;

	json_array_foreach (rows, i, o) {
		char first[160];
		const char *address = js_str(o, "address"), *name = js_text(o, "name", "?");
		const char *remedy = js_text(o, "remedy", "");
		bool told = address && strcmp(address, name) != 0;

		snprintf(first, sizeof(first),
			 "%s%-5s%s %s %s%s%s%s: ", js_true(o, "ok") ? green() : red(),
			 js_true(o, "ok") ? "ok" : "BAD", plain(), js_text(o, "kind", ""), name,
			 told ? " (" : "", told ? address : "", told ? ")" : "");
		print_wrapped(stdout, first, "      ", js_text(o, "text", "?"));
		if (remedy[0])
			print_wrapped(stdout, "      to do: ", "             ", remedy);
	}
}

int key_verify_run(struct key_run *r)
{
	static struct key_file now, next;
	char second[CONFIG_PATH_MAX + 8], print[ECHO_FINGERPRINT_TEXT];
	unsigned bad, seconds;

	snprintf(second, sizeof(second), "%s.new", r->file);
	key_file_read(r->file, &now);
	key_file_read(second, &next);
	if (now.key.len == 0)
		return key_say(now.error ? strerror(now.error) : "there is no key to compare with",
			       "stockade key new makes one; or push it from where it is");
	const struct echo_key k = key_echo(&now.key);

	echo_fingerprint(&k, print);
	json_t *rows = key_verify_all(r, &now.key, &next.key, &bad, &seconds);
	size_t n = json_array_size(rows);

	key_forget(&now.key);
	key_forget(&next.key);
	if (n == 0) {
		json_decref(rows);
		return usage_error(
			"there is nobody to ask: no other node, and no fence_xvm device with this key, in %s; "
			"--hypervisor HOST names one",
			cli_config_path);
	}
	if (r->json) {
		print_json(json_pack("{s:i,s:b,s:s,s:s,s:o}", "proto", 1, "ok", bad == 0, "file",
				     r->file, "fingerprint", print, "hosts", rows));
	} else {
		printf("%s, fingerprint %s\n", r->file, print);
		key_verify_print(rows);
		if (bad)
			printf("%u of %zu do not hold it, or could not be asked\n", bad, n);
		else
			printf("all %zu hold the same key\n", n);
		json_decref(rows);
	}
	return bad == 0 ? EXIT_OK : bad == seconds ? EXIT_DEGRADED : EXIT_FAILED;
}
