/* SPDX-License-Identifier: GPL-3.0-or-later */
/* fenced/daemon/attest.c - asks hypervisors to tell of the deaths of our peers, and says to them which life runs in our guest.
 *
 * Per fence device with `attest:` one socket. A HELLO goes to the agent's multicast group (or the one address) to find
 * hypervisors, and to each that answered, with its challenge: the second one is believed there. Each gets a nonce of its own,
 * and its statements must carry it; a new one is made every NONCE_MS, the one before counts as long again.
 *
 * A statement is about the node whose guest the configuration names (the plug that fencing would switch off), and about the
 * kernel life that the node itself named to its hypervisor; what it is worth decides the core (SAFE-11).
 *
 * It is acknowledged when the core has taken it and what the core keeps is on the disk, or has refused it for good. Until then the
 * hypervisor says it again, also to the fenced that comes after us.
 */
#include "daemon.h"

#include "lib/shell/hurry.h"
#include "lib/shell/log.h"
#include "lib/shell/seal.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#define WATCHES_MAX 8
#define HOSTS_MAX 16
#define HELLO_MS 5000
#define HELLO_FIRST_MS 500
#define FORGET_MS 30000
#define NONCE_MS 60000
#define KEY_MAX 4096
#define UUID_FILE "/sys/class/dmi/id/product_uuid"

struct host {
	bool used, accepted;
	struct sockaddr_storage addr;
	socklen_t len;
	char text[INET6_ADDRSTRLEN];
	uint8_t instance[ATTEST_ID_BYTES], challenge[ATTEST_ID_BYTES];
	uint8_t nonce[ATTEST_ID_BYTES], before[ATTEST_ID_BYTES];
	uint64_t nonce_ms, heard_ms, asked_ms;
	uint64_t seq,
		taken; /* the highest number of a statement; bit i: number seq - i was taken */
	char why[ATTEST_NAME_MAX];
};

struct watch {
	struct fenced *f;
	unsigned device;
	int fd;
	struct sockaddr_storage to; /* the group, or the one host */
	socklen_t to_len;
	uint8_t key[1][SEAL_KEY_BYTES];
	bool have_key;
	struct host host[HOSTS_MAX];
};

struct attest {
	struct fenced *f;
	struct loop_timer *timer;
	struct hurry *hurry;
	char uuid[ATTEST_NAME_MAX];
	unsigned n;
	struct watch watch[WATCHES_MAX];
};

static const char *param(const struct config_device *dev, const char *key, const char *otherwise)
{
	for (unsigned i = 0; i < dev->n_params; i++)
		if (strcmp(dev->param[i].key, key) == 0)
			return dev->param[i].value;
	return otherwise;
}

/* The guest that fencing of this node would switch off through this device; NULL: none. */
static const char *guest_of(const struct fenced *f, unsigned device, uint32_t node)
{
	const struct config_node *n = config_node_by_id(f->cfg, node);

	for (unsigned l = 0; n && l < n->n_levels; l++)
		for (unsigned u = 0; u < n->level[l].n; u++)
			if (n->level[l].use[u].device == device)
				return n->level[l].use[u].plug;
	return NULL;
}

static void read_uuid(char uuid[ATTEST_NAME_MAX])
{
	int fd = open(UUID_FILE, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd >= 0 ? read(fd, uuid, ATTEST_NAME_MAX - 1) : -1;

	if (fd >= 0)
		close(fd);
	uuid[n > 0 ? n : 0] = '\0';
	for (char *p = uuid; *p; p++) {
		if (*p == '\n')
			*p = '\0';
		*p = (char)tolower((unsigned char)*p);
	}
}

/* Read anew with every round: keys are changed while we run. */
static void read_key(struct watch *w)
{
	const char *path = param(&w->f->cfg->device[w->device], "key_file",
				 "/etc/cluster/fence_xvm.key");
	uint8_t buf[KEY_MAX];
	/* O_NONBLOCK: a FIFO must not hold us */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	ssize_t n = fd >= 0 ? read(fd, buf, sizeof(buf)) : -1;
	bool had = w->have_key;

	if (fd >= 0)
		close(fd);
	w->have_key = n > 0 && seal_derive(buf, (size_t)n, w->key[0]) == 0;
	explicit_bzero(buf, sizeof(buf));
	if (had && !w->have_key)
		log_warning("attest.key",
			    "file=%s text=\"cannot be read: no statements are heard\"", path);
}

static void send_msg(struct watch *w, const struct attest_msg *m, const void *to, socklen_t len)
{
	uint8_t buf[SEAL_DATAGRAM_MAX];
	ssize_t n = w->have_key ? seal_write(w->key[0], m, buf, sizeof(buf)) : -1;

	if (n > 0 && sendto(w->fd, buf, (size_t)n, MSG_DONTWAIT, to, len) < 0)
		log_debug("attest.send", "error=\"%s\"", strerror(errno));
}

static void hello(struct watch *w, struct host *h)
{
	struct fenced *f = w->f;
	struct attest_msg m = { .type = ATTEST_HELLO, .nodeid = f->life.nodeid };
	const char *guest = guest_of(f, w->device, f->life.nodeid);

	memcpy(m.boot_id, f->life.boot_id, sizeof(m.boot_id));
	snprintf(m.cluster, sizeof(m.cluster), "%s", f->cfg->cluster);
	snprintf(m.name, sizeof(m.name), "%s", guest ? guest : "");
	snprintf(m.uuid, sizeof(m.uuid), "%s", f->attest->uuid);
	if (!h) {
		send_msg(w, &m, &w->to, w->to_len);
		return;
	}
	if (h->nonce_ms == 0 || mono_ms() - h->nonce_ms > NONCE_MS) {
		memcpy(h->before, h->nonce, sizeof(h->before));
		seal_nonce(h->nonce);
		h->nonce_ms = mono_ms();
	}
	memcpy(m.instance, h->instance, sizeof(m.instance));
	memcpy(m.challenge, h->challenge, sizeof(m.challenge));
	memcpy(m.nonce, h->nonce, sizeof(m.nonce));
	h->asked_ms = mono_ms();
	send_msg(w, &m, &h->addr, h->len);
}

static void on_round(void *arg)
{
	struct attest *a = arg;
	uint64_t now = mono_ms();
	bool all = true;

	if (nodeset_count(a->f->view.nodes) > 0)
		hurry_ready(a->hurry);
	for (unsigned i = 0; i < a->n; i++) {
		struct watch *w = &a->watch[i];
		bool any = false;

		read_key(w);
		for (unsigned k = 0; k < HOSTS_MAX; k++) {
			struct host *h = &w->host[k];

			if (!h->used)
				continue;
			if (now - h->heard_ms > FORGET_MS) {
				log_warning("attest.lost",
					    "host=%s text=\"it does not answer any more\"",
					    h->text);
				memset(h, 0, sizeof(*h));
				continue;
			}
			any = any || h->accepted;
			hello(w, h);
		}
		hello(w, NULL);
		all = all && any;
	}
	loop_timer_arm(a->timer,
		       now + (all || now - a->f->start_ms > 60000 ? HELLO_MS : HELLO_FIRST_MS));
}

static struct host *host_of(struct watch *w, const struct sockaddr_storage *addr, socklen_t len,
			    bool make)
{
	struct host *hole = NULL;

	for (unsigned i = 0; i < HOSTS_MAX; i++) {
		struct host *h = &w->host[i];

		if (h->used && h->len == len && memcmp(&h->addr, addr, len) == 0)
			return h;
		if (!h->used && !hole)
			hole = h;
	}
	if (hole && make) {
		memset(hole, 0, sizeof(*hole));
		hole->used = true;
		memcpy(&hole->addr, addr, sizeof(*addr));
		hole->len = len;
		inet_ntop(addr->ss_family,
			  addr->ss_family == AF_INET6
				  ? (const void *)&((const struct sockaddr_in6 *)addr)->sin6_addr
				  : (const void *)&((const struct sockaddr_in *)addr)->sin_addr,
			  hole->text, sizeof(hole->text));
		return hole;
	}
	return NULL;
}

static void on_welcome(struct watch *w, const struct sockaddr_storage *from, socklen_t len,
		       const struct attest_msg *m)
{
	struct host *h = host_of(w, from, len, true);
	uint64_t now = mono_ms();

	if (!h)
		return;
	bool anew = memcmp(h->instance, m->instance, ATTEST_ID_BYTES) != 0;
	bool ours = memcmp(h->nonce, m->nonce, ATTEST_ID_BYTES) == 0 && h->nonce_ms;
	bool told = h->accepted;

	h->heard_ms = now;
	if (anew)
		h->seq = h->taken = 0; /* another life of the daemon: it counts from one again */
	memcpy(h->instance, m->instance, ATTEST_ID_BYTES);
	memcpy(h->challenge, m->challenge, ATTEST_ID_BYTES);
	if (!ours && !anew && told)
		return; /* it answered the group's HELLO; what it said to ours stands */
	h->accepted = m->accepted && ours;
	if (m->accepted && ours) {
		if (!told || strcmp(h->why, m->why) != 0)
			log_notice("attest.host", "device=%s host=%s bound=%s%s%s%s",
				   w->f->cfg->device[w->device].name, h->text,
				   m->why[0] ? "no" : "yes", m->why[0] ? " text=\"" : "", m->why,
				   m->why[0] ? "\"" : "");
		memcpy(h->why, m->why, sizeof(h->why));
	} else if (now - h->asked_ms > 100) {
		hello(w, h); /* now with its challenge */
	}
}

/* The core has decided it. Nothing is lost when it cannot be done: corosync's own times run. */
void attest_hurry(struct fenced *f, struct nodeset over, bool again)
{
	int r = f->attest && f->attest->hurry ? hurry_corosync(f->attest->hurry) : -ENOTCONN;

	log_info("attest.hurry", "nodes=%" PRIx64 " again=%d%s%s%s", over.bits, again,
		 r < 0 ? " error=\"" : "", r < 0 ? strerror(-r) : "", r < 0 ? "\"" : "");
}

/* Did we ask for it, and does it speak of the guest that fencing of that node would switch off? */
static struct host *asked_for(struct watch *w, const struct sockaddr_storage *from, socklen_t len,
			      const struct attest_msg *m)
{
	struct host *h = host_of(w, from, len, false);

	if (h && memcmp(h->instance, m->instance, ATTEST_ID_BYTES) == 0 && h->nonce_ms != 0 &&
	    (memcmp(h->nonce, m->nonce, ATTEST_ID_BYTES) == 0 ||
	     memcmp(h->before, m->nonce, ATTEST_ID_BYTES) == 0))
		return h;
	log_warning("attest.stale",
		    "guest=%s text=\"a statement that nobody here asked for: not believed\"",
		    m->name);
	return NULL;
}

static int tell_core(struct watch *w, const struct host *h, const struct attest_msg *m,
		     const char *text)
{
	struct fenced *f = w->f;
	struct fence_event ev = { .type = FENCE_EV_ATTEST };
	const char *guest = guest_of(f, w->device, m->nodeid);

	if (!guest || (strcasecmp(guest, m->name) != 0 && strcasecmp(guest, m->uuid) != 0)) {
		log_warning(
			"attest.guest",
			"host=%s guest=%s uuid=%s node=%u text=\"the configuration names another guest\"",
			h->text, m->name, m->uuid, m->nodeid);
		return -ENOENT;
	}
	ev.attest.life.nodeid = m->nodeid;
	memcpy(ev.attest.life.boot_id, m->boot_id, BOOT_ID_BYTES);
	ev.attest.dying = m->type == ATTEST_DYING;
	ev.attest.text = text;
	int r = feed(f, ev);

	log_notice(ev.attest.dying ? "attest.dying" : "attest.statement",
		   "host=%s guest=%s end=%s age_ms=%u rc=%d text=\"%s\"", h->text, m->name,
		   attest_end_name(m->end), m->age_ms, r,
		   r < 0 && f->dom ? fence_refusal(f->dom) : "");
	return r;
}

static void on_dying(struct watch *w, const struct sockaddr_storage *from, socklen_t len,
		     const struct attest_msg *m)
{
	struct host *h = asked_for(w, from, len, m);
	char text[FENCE_TEXT_MAX];

	if (!h)
		return;
	snprintf(text, sizeof(text), "%.40s: guest %.60s %s, and is being switched off", h->text,
		 m->name, attest_end_name(m->end));
	tell_core(w, h, m, text);
}

/* Only acknowledged again, as its node may have been heard since: then it counts no more. */
static bool was_taken(const struct host *h, uint64_t seq)
{
	return seq <= h->seq && (h->seq - seq >= 64 || (h->taken >> (h->seq - seq) & 1));
}

static void take(struct host *h, uint64_t seq)
{
	if (seq > h->seq) {
		h->taken = seq - h->seq >= 64 ? 0 : h->taken << (seq - h->seq);
		h->seq = seq;
	}
	h->taken |= UINT64_C(1) << (h->seq - seq);
}

static void on_statement(struct watch *w, const struct sockaddr_storage *from, socklen_t len,
			 const struct attest_msg *m)
{
	struct attest_msg ack = { .type = ATTEST_ACK, .seq = m->seq };
	struct host *h = asked_for(w, from, len, m);
	char text[FENCE_TEXT_MAX];

	if (!h)
		return;
	if (!was_taken(h, m->seq)) {
		snprintf(text, sizeof(text),
			 "%.40s: guest %.60s %s, read back as off, %u ms old (run %" PRIu64 ")",
			 h->text, m->name, attest_end_name(m->end), m->age_ms, m->run);
		int r = tell_core(w, h, m, text);

		if (r == -EAGAIN || (r == 0 && !w->f->stored))
			return; /* it is said again */
		take(h, m->seq);
	}
	memcpy(ack.instance, m->instance, sizeof(ack.instance));
	memcpy(ack.nonce, h->nonce, sizeof(ack.nonce));
	send_msg(w, &ack, from, len);
}

static void on_datagram(void *arg, int fd, int revents)
{
	struct watch *w = arg;
	uint8_t buf[SEAL_DATAGRAM_MAX + 1];

	(void)revents;
	for (unsigned i = 0; i < 32; i++) {
		struct sockaddr_storage from = { 0 };
		socklen_t len = sizeof(from);
		ssize_t n = recvfrom(fd, buf, sizeof(buf), MSG_DONTWAIT, (struct sockaddr *)&from,
				     &len);
		struct attest_msg m;

		if (n < 0)
			return;
		if (!w->have_key ||
		    seal_read((const uint8_t(*)[SEAL_KEY_BYTES])w->key, 1, buf, (size_t)n, &m) < 0)
			continue;
		if (m.type == ATTEST_WELCOME)
			on_welcome(w, &from, len, &m);
		else if (m.type == ATTEST_STATEMENT)
			on_statement(w, &from, len, &m);
		else if (m.type == ATTEST_DYING)
			on_dying(w, &from, len, &m);
	}
}

static bool watch_open(struct fenced *f, struct watch *w, unsigned device)
{
	const struct config_device *dev = &f->cfg->device[device];
	const char *to = dev->attest_host[0] ? dev->attest_host
					     : param(dev, "multicast_address", "225.0.0.12");
	bool v6 = strchr(to, ':') != NULL;
	struct sockaddr_in *a4 = (struct sockaddr_in *)&w->to;
	struct sockaddr_in6 *a6 = (struct sockaddr_in6 *)&w->to;
	struct in_addr link;
	int hops = 2;

	w->f = f;
	w->device = device;
	w->to.ss_family = v6 ? AF_INET6 : AF_INET;
	w->to_len = v6 ? sizeof(*a6) : sizeof(*a4);
	*(v6 ? &a6->sin6_port : &a4->sin_port) = htons(dev->attest_port);
	if (inet_pton(w->to.ss_family, to, v6 ? (void *)&a6->sin6_addr : (void *)&a4->sin_addr) !=
	    1) {
		log_error("attest.open", "device=%s address=%s error=\"no address\"", dev->name,
			  to);
		return false;
	}
	w->fd = socket(w->to.ss_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (w->fd < 0 || loop_fd_add(f->loop, w->fd, POLLIN, on_datagram, w) < 0) {
		log_error("attest.open", "device=%s error=\"%s\"", dev->name, strerror(errno));
		return false;
	}
	if (v6) {
		setsockopt(w->fd, IPPROTO_IPV6, IPV6_MULTICAST_HOPS, &hops, sizeof(hops));
	} else {
		setsockopt(w->fd, IPPROTO_IP, IP_MULTICAST_TTL, &hops, sizeof(hops));
		/* out of the cluster's interface, whatever the default route is */
		if (f->self->n_links && inet_pton(AF_INET, f->self->link[0], &link) == 1)
			setsockopt(w->fd, IPPROTO_IP, IP_MULTICAST_IF, &link, sizeof(link));
	}
	return true;
}

int attest_open(struct fenced *f)
{
	struct attest *a = calloc(1, sizeof(*a));

	if (!a)
		return -ENOMEM;
	a->f = f;
	f->attest = a;
	a->timer = loop_timer_new(f->loop, on_round, a);
	if (!a->timer)
		return -ENOMEM;
	read_uuid(a->uuid);
	for (unsigned i = 0; i < f->cfg->n_devices; i++) {
		if (!f->cfg->device[i].attest)
			continue;
		if (a->n == WATCHES_MAX) {
			log_warning("attest.open", "text=\"more than %d devices with attest\"",
				    WATCHES_MAX);
			break;
		}
		if (watch_open(f, &a->watch[a->n], i))
			a->n++;
	}
	if (a->n) {
		a->hurry = hurry_new();
		if (!a->hurry)
			return -ENOMEM;
		if (a->uuid[0] == '\0')
			log_warning(
				"attest.uuid",
				"file=%s text=\"no uuid of this guest: its own end cannot be attested\"",
				UUID_FILE);
		loop_timer_arm(a->timer, mono_ms());
	}
	return 0;
}

void attest_close(struct fenced *f)
{
	struct attest *a = f->attest;

	if (!a)
		return;
	for (unsigned i = 0; i < a->n; i++) {
		loop_fd_del(f->loop, a->watch[i].fd);
		close(a->watch[i].fd);
	}
	loop_timer_free(a->timer);
	hurry_free(a->hurry);
	explicit_bzero(a, sizeof(*a));
	free(a);
	f->attest = NULL;
}

json_t *attest_json(const struct fenced *f)
{
	json_t *list = json_array();
	uint64_t now = mono_ms();

	for (unsigned i = 0; f->attest && i < f->attest->n; i++) {
		const struct watch *w = &f->attest->watch[i];

		for (unsigned k = 0; k < HOSTS_MAX; k++) {
			const struct host *h = &w->host[k];

			if (h->used)
				json_array_append_new(
					list,
					json_pack("{s:s,s:s,s:b,s:b,s:s,s:I}", "device",
						  f->cfg->device[w->device].name, "host", h->text,
						  "subscribed", (int)h->accepted, "bound",
						  (int)(h->accepted && !h->why[0]), "text", h->why,
						  "heard_ms", (json_int_t)(now - h->heard_ms)));
		}
	}
	return list;
}
