/* SPDX-License-Identifier: GPL-3.0-or-later */
/* fence_agents/virtd/worker.c - the process that talks to one libvirt.
 *
 * Threads: up to THREADS_MAX make calls, and one of them at a time leads: it reads the daemon's questions, makes another
 * one lead, and answers the first question itself. So a question is not handed from thread to thread, which would cost a
 * wake-up each time, twice in an off. One thread runs libvirt's events; one keeps the connections: opens them again when
 * libvirtd was restarted, and tells all guests anew then. A libvirtd serves some five
 * calls of a connection at once, so there are several. libvirt's built-in test driver keeps its guests in the connection:
 * of that there is one.
 */
#include "backend.h"

#include <errno.h>
#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>
#include <libxml/parser.h>
#include <libxml/xpath.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define THREADS_MAX 48
#define CONNECTIONS 4
#define QUEUE_MAX 8192
#define KEPT_MAX 64
/*
 * For the on that follows an off at once, as in an agent's reboot; the stock daemon takes as long between the two. Not longer: what
 * looks after guests (a cluster of hypervisors) may start it elsewhere, and two runs of one guest write to one disk.
 */
#define KEPT_S 15

static struct {
	int fd;
	const char *uri, *channels;
	unsigned n_conn; /* wanted */
	pthread_mutex_t lock;
	pthread_cond_t work, lost_cond;
	virConnectPtr conn[CONNECTIONS];
	unsigned turn;
	bool up, lost;
	struct backend_msg queue[QUEUE_MAX];
	unsigned head, len, threads, idle;
	bool led; /* some thread reads, or is about to */
	struct {
		char uuid[37], name[VIRTD_WORD_MAX];
		struct timespec at;
		char *xml;
	} kept[KEPT_MAX]; /* transient guests that were destroyed: gone for good, unless they are made again */
	unsigned kept_next;
} w;

static void tell(const struct backend_msg *m)
{
	if (send(w.fd, m, sizeof(*m), MSG_NOSIGNAL) != (ssize_t)sizeof(*m))
		_exit(1); /* the daemon is gone */
}

static const char *last_error(void)
{
	virErrorPtr e = virGetLastError();

	return e && e->message ? e->message : "no reason was given";
}

static int last_code(void)
{
	virErrorPtr e = virGetLastError();

	return e ? e->code : 0;
}

/* A reference to one of the connections, in turn; NULL: there is none. */
static virConnectPtr borrow(void)
{
	virConnectPtr c = NULL;

	pthread_mutex_lock(&w.lock);
	for (unsigned i = 0; w.up && i < w.n_conn && !c; i++)
		c = w.conn[++w.turn % w.n_conn];
	if (c)
		virConnectRef(c);
	pthread_mutex_unlock(&w.lock);
	return c;
}

/* The connection's keeper looks whether it is alive. */
static void suspect(void)
{
	pthread_mutex_lock(&w.lock);
	w.lost = true;
	pthread_cond_signal(&w.lost_cond);
	pthread_mutex_unlock(&w.lock);
}

/*
 * A name that does not fit into a request is no name here: its first 63 bytes may be another guest's, whom the map permits. The
 * uuid takes its place, in lists too, where it can be asked for. Return: -1, libvirt tells no uuid.
 */
static int names(virDomainPtr dom, struct virtd_guest *g)
{
	const char *name = virDomainGetName(dom);

	if (virDomainGetUUIDString(dom, g->uuid) < 0)
		return -1;
	if (name && strlen(name) < sizeof(g->name))
		snprintf(g->name, sizeof(g->name), "%s", name);
	else
		snprintf(g->name, sizeof(g->name), "%s", g->uuid);
	return 0;
}

/*
 * SAFE-3: off is what cannot run any more. A guest that was migrated away runs elsewhere; one that was saved goes on with
 * the same kernel life when it is started. After a restart of libvirtd the reason is unknown, and taken for none of these.
 */
static int look(virDomainPtr dom, struct virtd_guest *g)
{
	int state, reason;

	if (names(dom, g) < 0 || virDomainGetState(dom, &state, &reason, 0) < 0)
		return -1;
	g->state = (uint8_t)state;
	g->run = -1;
	unsigned id = virDomainGetID(dom);

	if (id != (unsigned)-1)
		g->run = (int32_t)id;
	switch (state) {
	case VIR_DOMAIN_RUNNING:
	case VIR_DOMAIN_BLOCKED:
	case VIR_DOMAIN_PAUSED:
	case VIR_DOMAIN_SHUTDOWN:
	case VIR_DOMAIN_PMSUSPENDED: g->power = VIRTD_POWER_ON; break;
	case VIR_DOMAIN_CRASHED:
		g->power = VIRTD_POWER_ON;
		g->crashed = true;
		break;
	case VIR_DOMAIN_SHUTOFF:
		g->saved = virDomainHasManagedSaveImage(dom, 0) == 1;
		if (reason == VIR_DOMAIN_SHUTOFF_MIGRATED) {
			snprintf(g->text, sizeof(g->text),
				 "it was migrated away and runs on another host");
		} else if (g->saved || reason == VIR_DOMAIN_SHUTOFF_SAVED) {
			snprintf(g->text, sizeof(g->text),
				 "it was saved: a start would resume the same life");
		} else {
			g->power = VIRTD_POWER_OFF;
		}
		break;
	default: snprintf(g->text, sizeof(g->text), "libvirt does not know its state"); break;
	}
	return 0;
}

static bool looks_like_uuid(const char *s)
{
	unsigned digits = 0;

	for (; *s; s++)
		if (strchr("0123456789abcdefABCDEF", *s))
			digits++;
		else if (*s != '-')
			return false;
	return digits == 32;
}

/* NULL with *ret_absent: libvirt answered, it has no such guest. */
static virDomainPtr find(virConnectPtr c, const char *word, bool *ret_absent)
{
	virDomainPtr dom = looks_like_uuid(word) ? virDomainLookupByUUIDString(c, word)
						 : virDomainLookupByName(c, word);

	*ret_absent = !dom && last_code() == VIR_ERR_NO_DOMAIN;
	return dom;
}

static void keep_xml(virDomainPtr dom, const struct virtd_guest *g)
{
	char *xml = virDomainGetXMLDesc(dom, VIR_DOMAIN_XML_SECURE);

	if (!xml)
		return;
	pthread_mutex_lock(&w.lock);
	unsigned i = w.kept_next;

	/* the same guest takes its own place */
	for (unsigned k = 0; k < KEPT_MAX; k++)
		if (w.kept[k].xml && strcasecmp(w.kept[k].uuid, g->uuid) == 0)
			i = k;
	if (i == w.kept_next)
		w.kept_next = (w.kept_next + 1) % KEPT_MAX;
	free(w.kept[i].xml);
	w.kept[i].xml = xml;
	clock_gettime(CLOCK_MONOTONIC, &w.kept[i].at);
	memcpy(w.kept[i].uuid, g->uuid, sizeof(w.kept[i].uuid));
	memcpy(w.kept[i].name, g->name, sizeof(w.kept[i].name));
	pthread_mutex_unlock(&w.lock);
}

/* With the lock. @word: uuid or name. Return: which, or -1. */
static int kept_find(const char *word)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	for (int i = 0; i < KEPT_MAX; i++)
		if (w.kept[i].xml && now.tv_sec - w.kept[i].at.tv_sec < KEPT_S &&
		    (strcasecmp(w.kept[i].uuid, word) == 0 || strcmp(w.kept[i].name, word) == 0))
			return i;
	return -1;
}

/* Whether @word is one, and whom it means. */
static void kept_look(const char *word, struct virtd_guest *g)
{
	pthread_mutex_lock(&w.lock);
	int i = kept_find(word);

	if (i >= 0) {
		g->kept = true;
		memcpy(g->uuid, w.kept[i].uuid, sizeof(g->uuid));
		memcpy(g->name, w.kept[i].name, sizeof(g->name));
	}
	pthread_mutex_unlock(&w.lock);
}

/* It is made once. */
static char *kept_xml(const char *word)
{
	char *xml = NULL;

	pthread_mutex_lock(&w.lock);
	int i = kept_find(word);

	if (i >= 0) {
		xml = w.kept[i].xml;
		w.kept[i].xml = NULL;
	}
	pthread_mutex_unlock(&w.lock);
	return xml;
}

static enum virtd_done refused(struct backend_msg *m)
{
	snprintf(m->text, sizeof(m->text), "%.*s", VIRTD_PATH_MAX - 1, last_error());
	int code = last_code();

	if (code == VIR_ERR_NO_CONNECT || code == VIR_ERR_SYSTEM_ERROR ||
	    code == VIR_ERR_INTERNAL_ERROR || code == VIR_ERR_RPC || code == VIR_ERR_INVALID_CONN)
		suspect();
	return VIRTD_DOWN;
}

static enum virtd_done do_state(virConnectPtr c, struct backend_msg *m, const char *word)
{
	bool absent;
	virDomainPtr dom = find(c, word, &absent);

	if (!dom) {
		m->guest.power = VIRTD_POWER_ABSENT;
		if (absent)
			kept_look(word, &m->guest);
		return absent ? VIRTD_DONE : refused(m);
	}
	int r = look(dom, &m->guest);
	bool vanished = r < 0 && last_code() == VIR_ERR_NO_DOMAIN;

	virDomainFree(dom);
	if (vanished)
		m->guest.power = VIRTD_POWER_ABSENT;
	return r == 0 || vanished ? VIRTD_DONE : refused(m);
}

static enum virtd_done do_destroy(virConnectPtr c, struct backend_msg *m, const char *word,
				  bool only_crashed)
{
	bool absent;
	virDomainPtr dom = find(c, word, &absent);

	if (!dom)
		return absent ? VIRTD_DONE : refused(m);
	enum virtd_done done = VIRTD_DONE;

	if (look(dom, &m->guest) < 0) {
		done = last_code() == VIR_ERR_NO_DOMAIN ? VIRTD_DONE : refused(m);
	} else if (m->guest.saved && !only_crashed) {
		if (virDomainManagedSaveRemove(dom, 0) < 0)
			done = refused(m);
	} else if (m->guest.power == VIRTD_POWER_ON && (!only_crashed || m->guest.crashed)) {
		if (m->keep && virDomainIsPersistent(dom) == 0)
			keep_xml(dom, &m->guest);
		if (virDomainDestroyFlags(dom, 0) < 0 && last_code() != VIR_ERR_OPERATION_INVALID &&
		    last_code() != VIR_ERR_NO_DOMAIN) {
			refused(m);
			done = VIRTD_FAILED;
		} else if (!only_crashed) {
			/* What it is now saves the core a question; what cannot be said is asked again. */
			memset(&m->guest, 0, sizeof(m->guest));
			if (look(dom, &m->guest) < 0)
				m->guest.power = last_code() == VIR_ERR_NO_DOMAIN
							 ? VIRTD_POWER_ABSENT
							 : VIRTD_POWER_UNKNOWN;
		}
	}
	virDomainFree(dom);
	return done;
}

static enum virtd_done do_create(virConnectPtr c, struct backend_msg *m, const char *word)
{
	bool absent;
	virDomainPtr dom = find(c, word, &absent);
	char *xml = absent ? kept_xml(word) : NULL;
	int r = -1;

	if (dom) {
		r = virDomainCreate(dom);
	} else if (xml) {
		dom = virDomainCreateXML(c, xml, 0);
		r = dom ? 0 : -1;
	}
	if (r < 0)
		refused(m);
	if (r < 0 && dom && virDomainIsActive(dom) == 1)
		r = 0; /* somebody was first */
	free(xml);
	if (dom)
		virDomainFree(dom);
	return r < 0 ? VIRTD_FAILED : VIRTD_DONE;
}

static void tell_guest(virDomainPtr dom, uint64_t job)
{
	struct backend_msg m = { .type = BACKEND_GUEST, .job = job };

	if (look(dom, &m.guest) == 0)
		tell(&m);
}

/* The unix sockets of a running guest's serial ports or channels, where libvirt made qemu listen. */
static void tell_channels(virDomainPtr dom)
{
	char *xml = virDomainGetXMLDesc(dom, 0), query[128];
	struct backend_msg m = { .type = BACKEND_CHANNEL };

	if (!xml || virDomainGetUUIDString(dom, m.guest.uuid) < 0) {
		free(xml);
		return;
	}
	snprintf(query, sizeof(query),
		 "/domain/devices/%s[@type='unix']/source[@mode='bind']/@path", w.channels);
	xmlDocPtr doc = xmlReadMemory(xml, (int)strlen(xml), "domain.xml", NULL,
				      XML_PARSE_NONET | XML_PARSE_NOERROR);
	xmlXPathContextPtr ctx = doc ? xmlXPathNewContext(doc) : NULL;
	xmlXPathObjectPtr found = ctx ? xmlXPathEvalExpression((const xmlChar *)query, ctx) : NULL;

	for (int i = 0; found && found->nodesetval && i < found->nodesetval->nodeNr; i++) {
		xmlChar *path = xmlNodeGetContent(found->nodesetval->nodeTab[i]);

		if (path && strlen((const char *)path) < sizeof(m.text)) {
			snprintf(m.text, sizeof(m.text), "%s", (const char *)path);
			tell(&m);
		}
		xmlFree(path);
	}
	xmlXPathFreeObject(found);
	xmlXPathFreeContext(ctx);
	xmlFreeDoc(doc);
	free(xml);
}

static enum virtd_done do_list(virConnectPtr c, struct backend_msg *m, uint64_t job)
{
	virDomainPtr *doms = NULL;
	int n = virConnectListAllDomains(c, &doms, 0);

	if (n < 0)
		return refused(m);
	for (int i = 0; i < n; i++) {
		tell_guest(doms[i], job);
		if (job == 0 && w.channels && virDomainIsActive(doms[i]) == 1)
			tell_channels(doms[i]);
		virDomainFree(doms[i]);
	}
	free(doms);
	return VIRTD_DONE;
}

static void serve(const struct backend_msg *q)
{
	struct backend_msg m = {
		.type = BACKEND_DONE, .job = q->job, .kind = q->kind, .keep = q->keep
	};
	const char *word = q->guest.name;
	virConnectPtr c = borrow();

	m.done = VIRTD_DOWN;
	if (!c) {
		snprintf(m.text, sizeof(m.text), "libvirt is not connected");
	} else {
		switch (q->kind) {
		case VIRTD_JOB_STATE: m.done = do_state(c, &m, word); break;
		case VIRTD_JOB_DESTROY: m.done = do_destroy(c, &m, word, false); break;
		case VIRTD_JOB_DESTROY_CRASHED: m.done = do_destroy(c, &m, word, true); break;
		case VIRTD_JOB_CREATE: m.done = do_create(c, &m, word); break;
		case VIRTD_JOB_LIST: m.done = do_list(c, &m, q->job); break;
		}
		virConnectClose(c);
	}
	if (q->job) {
		tell(&m);
	} else if (q->kind == VIRTD_JOB_STATE && m.done == VIRTD_DONE) {
		/* our own look after an event */
		m.type = BACKEND_GUEST;
		if (m.guest.power == VIRTD_POWER_ABSENT)
			snprintf(m.guest.uuid, sizeof(m.guest.uuid), "%.36s", word);
		tell(&m);
	}
}

static void *thread(void *arg);

static void start(void *(*run)(void *))
{
	pthread_t t;

	if (pthread_create(&t, NULL, run, NULL) != 0)
		_exit(1);
	pthread_detach(t);
}

/* With the lock: somebody is needed. A leader that nobody replaces would let the daemon's questions wait. */
static void rouse(void)
{
	if (w.len + !w.led > w.idle && w.threads < THREADS_MAX) {
		w.threads++;
		start(thread);
	}
	pthread_cond_signal(&w.work);
}

static void put(const struct backend_msg *m)
{
	if (w.len < QUEUE_MAX) {
		w.queue[(w.head + w.len++) % QUEUE_MAX] = *m;
		rouse();
	}
}

static void enqueue(const struct backend_msg *m)
{
	pthread_mutex_lock(&w.lock);
	put(m);
	pthread_mutex_unlock(&w.lock);
}

/* Without the lock. Return: false, there is none now (only when not asked to wait). */
static bool read_question(struct backend_msg *m, bool wait)
{
	for (;;) {
		ssize_t n = recv(w.fd, m, sizeof(*m), wait ? 0 : MSG_DONTWAIT);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && !wait && (errno == EAGAIN || errno == EWOULDBLOCK))
			return false;
		if (n != (ssize_t)sizeof(*m))
			_exit(0); /* the daemon is gone */
		return true;
	}
}

/*
 * The first question is ours; what came with it is put where the others find it. When all the others hang in libvirt, it
 * is put there too, and we go on reading: the daemon never waits for us.
 */
static void lead(struct backend_msg *q)
{
	struct backend_msg more;

	for (;;) {
		read_question(q, true);
		while (read_question(&more, false))
			enqueue(&more);
		pthread_mutex_lock(&w.lock);
		bool heir = w.idle > 0 || w.threads < THREADS_MAX;

		if (heir) {
			w.led = false;
			rouse();
		} else {
			put(q);
		}
		pthread_mutex_unlock(&w.lock);
		if (heir)
			return;
	}
}

static void *thread(void *arg)
{
	struct backend_msg q;

	(void)arg;
	for (;;) {
		bool leads;

		pthread_mutex_lock(&w.lock);
		w.idle++;
		while (w.len == 0 && w.led)
			pthread_cond_wait(&w.work, &w.lock);
		w.idle--;
		leads = !w.led;
		if (leads) {
			w.led = true;
		} else {
			q = w.queue[w.head];
			w.head = (w.head + 1) % QUEUE_MAX;
			w.len--;
		}
		pthread_mutex_unlock(&w.lock);
		if (leads)
			lead(&q);
		serve(&q);
	}
	return NULL;
}

/* Look at this guest soon, in a thread that may wait: an event's callback may not. */
static void look_again(const char *uuid)
{
	struct backend_msg m = { .type = BACKEND_JOB, .kind = VIRTD_JOB_STATE };

	snprintf(m.guest.name, sizeof(m.guest.name), "%s", uuid);
	enqueue(&m);
}

static enum attest_end end_of(int detail)
{
	switch (detail) {
	case VIR_DOMAIN_EVENT_STOPPED_SHUTDOWN: return ATTEST_SHUTDOWN;
	case VIR_DOMAIN_EVENT_STOPPED_DESTROYED: return ATTEST_DESTROYED;
	case VIR_DOMAIN_EVENT_STOPPED_CRASHED: return ATTEST_CRASHED;
	case VIR_DOMAIN_EVENT_STOPPED_FAILED: return ATTEST_DIED;
	default: return ATTEST_END_NONE; /* migrated, saved, reverted: its life may go on */
	}
}

static int on_lifecycle(virConnectPtr c, virDomainPtr dom, int event, int detail, void *arg)
{
	struct backend_msg m = { .type = BACKEND_LIFE };

	(void)c;
	(void)arg;
	if (names(dom, &m.guest) < 0)
		return 0;
	m.guest.run = (int32_t)virDomainGetID(dom);
	switch (event) {
	case VIR_DOMAIN_EVENT_STARTED: m.life = VIRTD_LIFE_STARTED; break;
	case VIR_DOMAIN_EVENT_CRASHED: m.life = VIRTD_LIFE_CRASHED; break;
	case VIR_DOMAIN_EVENT_STOPPED:
		m.end = end_of(detail);
		m.life = m.end == ATTEST_END_NONE ? VIRTD_LIFE_MOVED : VIRTD_LIFE_ENDED;
		break;
	case VIR_DOMAIN_EVENT_UNDEFINED: m.life = VIRTD_LIFE_UNDEFINED; break;
	default: break;
	}
	if (m.life)
		tell(&m);
	look_again(m.guest.uuid);
	if (event == VIR_DOMAIN_EVENT_STARTED && w.channels) {
		struct backend_msg list = { .type = BACKEND_JOB, .kind = VIRTD_JOB_LIST };

		enqueue(&list);
	}
	return 0;
}

static void on_close(virConnectPtr c, int reason, void *arg)
{
	(void)c;
	(void)reason;
	(void)arg;
	suspect();
}

static void *events(void *arg)
{
	(void)arg;
	for (;;)
		if (virEventRunDefaultImpl() < 0)
			usleep(10000);
	return NULL;
}

static void nap(unsigned ms)
{
	struct timespec t = { ms / 1000, ms % 1000 * 1000000L };

	nanosleep(&t, NULL);
}

static void close_all(void)
{
	for (unsigned i = 0; i < CONNECTIONS; i++)
		if (w.conn[i]) {
			virConnectUnregisterCloseCallback(w.conn[i], on_close);
			virConnectClose(w.conn[i]);
			w.conn[i] = NULL;
		}
}

static bool open_all(void)
{
	virConnectPtr c[CONNECTIONS] = { NULL };
	unsigned i = 0;

	for (; i < w.n_conn; i++) {
		c[i] = virConnectOpen(w.uri);
		if (!c[i])
			break;
		virConnectSetKeepAlive(c[i], 2, 3); /* refused by local drivers: they cannot go */
		virConnectRegisterCloseCallback(c[i], on_close, NULL, NULL);
	}
	bool ok = i == w.n_conn &&
		  virConnectDomainEventRegisterAny(c[0], NULL, VIR_DOMAIN_EVENT_ID_LIFECYCLE,
						   VIR_DOMAIN_EVENT_CALLBACK(on_lifecycle), NULL,
						   NULL) >= 0;

	pthread_mutex_lock(&w.lock);
	memcpy(w.conn, c, sizeof(w.conn));
	w.up = ok;
	w.lost = false;
	pthread_mutex_unlock(&w.lock);
	return ok;
}

static bool alive(void)
{
	for (unsigned i = 0; i < w.n_conn; i++)
		if (virConnectIsAlive(w.conn[i]) != 1)
			return false;
	return true;
}

static void say_lost(const char *why)
{
	struct backend_msg m = { .type = BACKEND_LOST };

	snprintf(m.text, sizeof(m.text), "%.200s", why);
	pthread_mutex_lock(&w.lock);
	w.up = false;
	pthread_mutex_unlock(&w.lock);
	tell(&m);
}

/* Keeps the connections: opens, tells all guests, waits for a loss, closes, again. */
static void *keeper(void *arg)
{
	struct backend_msg list = { .type = BACKEND_JOB, .kind = VIRTD_JOB_LIST };
	const struct backend_msg up = { .type = BACKEND_UP };

	(void)arg;
	for (;;) {
		struct backend_msg said = { .type = BACKEND_DONE };

		/* One that has just started may take the connection and have no guests to tell of yet: that is not up, and tried anew. */
		if (!open_all() || do_list(w.conn[0], &said, 0) != VIRTD_DONE) {
			say_lost(last_error());
			close_all();
			nap(300);
			continue;
		}
		tell(&up);
		for (unsigned round = 1; alive(); round++) {
			struct timespec until;

			clock_gettime(CLOCK_MONOTONIC, &until);
			until.tv_sec += 2;
			pthread_mutex_lock(&w.lock);
			while (!w.lost &&
			       pthread_cond_timedwait(&w.lost_cond, &w.lock, &until) == 0)
				continue;
			w.lost = false;
			pthread_mutex_unlock(&w.lock);
			if (round % 30 == 0)
				enqueue(&list);
		}
		say_lost("the connection to libvirtd is lost");
		close_all();
	}
	return NULL;
}

static void quiet(void *arg, virErrorPtr e)
{
	(void)arg;
	(void)e;
}

int backend_main(int fd, const char *uri, const char *channels)
{
	pthread_condattr_t monotonic;

	w.fd = fd;
	w.uri = uri;
	w.channels = channels[0] ? channels : NULL;
	w.n_conn = strncmp(uri, "test:", 5) == 0 ? 1 : CONNECTIONS;
	pthread_mutex_init(&w.lock, NULL);
	pthread_cond_init(&w.work, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&w.lost_cond, &monotonic);
	virSetErrorFunc(NULL, quiet);
	if (virInitialize() < 0 || virEventRegisterDefaultImpl() < 0)
		return 1;
	start(events);
	start(keeper);
	w.threads = 1;
	thread(NULL);
	return 0;
}
