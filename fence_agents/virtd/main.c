/* SPDX-License-Identifier: GPL-3.0-or-later */
/* fence_agents/virtd/main.c - stockade-virtd: options, keys, start and stop. */
#include "daemon.h"

#include "lib/shell/log.h"
#include "lib/shell/notify.h"
#include "lib/shell/seal.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define CONF_BYTES_MAX (1 << 20)
#define NAG_MS (60 * 60 * 1000)
#define DESCRIPTORS 4096 /* more than the connections of net.c */

static const char usage[] =
	"usage: stockade-virtd [-f FILE] [-d LEVEL] [-p PIDFILE] [--check | --status | --reload]\n"
	"The hypervisor's fence daemon: answers fence_xvm and fence_virt, attests the death of guests.\n"
	"\n"
	"  -f, --config FILE     configuration, the stock daemon's format (" VIRTD_CONF_PATH ")\n"
	"  -F, --foreground      stay in the foreground: always so, accepted for old scripts\n"
	"  -w, --wait            wait for libvirt: always so, accepted for old scripts\n"
	"  -d, --debug LEVEL     0 to 99; from 1 on every event is logged\n"
	"  -p, --pidfile FILE    write the process id there\n"
	"      --state-dir DIR   what survives a restart (" VIRTD_STATE_DIR ")\n"
	"      --name NAME       of the status socket (stockade-virtd)\n"
	"      --check           read the configuration and the keys, say what is wrong, end\n"
	"      --status          show what the running daemon knows, as JSON\n"
	"      --reload          have the running daemon read its files and keys anew, and wait for it\n"
	"  -h, --help            this text\n"
	"  -V, --version\n";

static void carry_out(struct virtd *d, const struct virtd_action *a)
{
	switch (a->type) {
	case VIRTD_ACT_CONNECT: net_connect(d, a); break;
	case VIRTD_ACT_SEND: net_send(d, a); break;
	case VIRTD_ACT_CLOSE: net_close(d, a->close); break;
	case VIRTD_ACT_JOB: backends_job(d->backends, a); break;
	case VIRTD_ACT_AUDIT: report_audit(d, a); break;
	case VIRTD_ACT_NOTE: report_fact(d, a); break;
	case VIRTD_ACT_ATTEST: attest_send(d, a); break;
	case VIRTD_ACT_KEEP: report_keep(d, a->keep); break;
	case VIRTD_ACT_REPLY: net_reply(d, a); break;
	}
}

void feed(struct virtd *d, struct virtd_event ev)
{
	static struct virtd_actions out; /* carrying out starts work and returns, it never feeds */
	static bool inside;

	if (inside)
		abort();
	inside = true;
	ev.now_ms = mono_ms();
	virtd_step(d->core, &ev, &out);
	for (unsigned i = 0; i < out.n; i++)
		carry_out(d, &out.v[i]);
	loop_timer_arm(d->deadline, virtd_deadline_ms(d->core));
	inside = false;
}

static void on_deadline(void *arg)
{
	feed(arg, (struct virtd_event){ .type = VIRTD_EV_TIMEOUT });
}

static void on_backend(void *arg, const struct virtd_event *ev)
{
	feed(arg, *ev);
}

/* Whole, or NULL with errno. */
static char *read_whole(const char *path, size_t max, size_t *ret_len)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	char *buf = fd >= 0 ? malloc(max + 1) : NULL;
	size_t n = 0;

	while (buf && n < max) {
		ssize_t r = read(fd, buf + n, max - n);

		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0) {
			free(buf);
			buf = NULL;
		}
		if (r <= 0)
			break;
		n += (size_t)r;
	}
	int e = errno;

	if (fd >= 0)
		close(fd);
	errno = e;
	if (buf)
		buf[n] = '\0';
	*ret_len = n;
	return buf;
}

static bool read_conf(const char *path, struct virtd_conf *conf, bool to_stderr)
{
	static struct virtd_notes notes;
	size_t len;
	char *text = read_whole(path, CONF_BYTES_MAX, &len);

	if (!text) {
		log_error("virtd.conf", "file=%s error=\"%s\"", path, strerror(errno));
		return false;
	}
	int r = virtd_conf_parse(text, len, conf, &notes);

	free(text);
	for (unsigned i = 0; i < notes.n; i++) {
		const struct virtd_note *n = &notes.v[i];

		if (to_stderr)
			printf("%s:%u: %s: %s\n", path, n->line, n->error ? "error" : "warning",
			       n->text);
		else
			log_emit(n->error ? 3 : 4, "virtd.conf", "file=%s line=%u text=\"%s\"",
				 path, n->line, n->text);
	}
	return r == 0;
}

static void nag(void *arg)
{
	struct virtd *d = arg;

	if (!d->conf->map.open_of_old)
		return;
	log_warning(
		"virtd.map",
		"file=%s text=\"NO MAP: every caller that has the key may fence every guest; write groups, or a section stockade with guests (stockade-virtd.conf(5))\"",
		d->path);
	loop_timer_arm(d->nag, mono_ms() + NAG_MS);
}

/*
 * One key: a regular file that only its owner (and group, to read) may touch; what is open to others is closed if we may, else
 * refused. Raw bytes, a newline at the end is part of it; the first 4096 count, as with the stock pair.
 */
static bool read_key(const char *path, bool must, uint8_t buf[VIRTD_KEY_MAX], size_t *ret_len)
{
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	const char *why = NULL;

	*ret_len = 0;
	if (fd < 0) {
		if (must || errno != ENOENT)
			log_error("virtd.key", "file=%s error=\"%s\"", path, strerror(errno));
		return false;
	}
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		why = "it is no regular file";
	else if ((st.st_mode & 027) && fchmod(fd, st.st_mode & 0750) < 0)
		why = "others may read or change it: chmod 600";
	ssize_t n = why ? -1 : read(fd, buf, VIRTD_KEY_MAX);

	if (!why && n < 0)
		why = strerror(errno);
	if (!why && n == 0)
		why = "it is empty";
	if (!why && (st.st_mode & 027))
		log_warning("virtd.key", "file=%s text=\"others could read it: closed to them\"",
			    path);
	close(fd);
	if (why) {
		log_error("virtd.key", "file=%s error=\"%s\"", path, why);
		return false;
	}
	*ret_len = (size_t)n;
	return true;
}

/* KEY, and KEY.new while keys are being changed: both count. false: a listener has none and needs one. */
static bool load_keys(struct virtd *d, bool only_look)
{
	static uint8_t bytes[VIRTD_KEYS_MAX][VIRTD_KEY_MAX];
	bool ok = true, sealed = false;

	for (unsigned i = 0; i < d->conf->n_listeners; i++) {
		const struct virtd_listener *l = &d->conf->listener[i];
		struct virtd_event ev = { .type = VIRTD_EV_KEYS, .keys = { .listener = i } };
		bool must = l->kind != VIRTD_SERIAL && (l->hash || l->auth);
		char next[VIRTD_PATH_MAX + 8];

		if (l->kind == VIRTD_SERIAL)
			continue;
		snprintf(next, sizeof(next), "%s.new", l->key_file);
		/* KEY.new first: when it becomes KEY under our eyes it is read twice, never not at all */
		size_t len[VIRTD_KEYS_MAX] = { 0 };

		read_key(next, false, bytes[1], &len[1]);
		read_key(l->key_file, must, bytes[0], &len[0]);
		for (unsigned k = 0; k < VIRTD_KEYS_MAX; k++)
			if (len[k] > 0)
				ev.keys.key[ev.keys.n++] = (struct virtd_key){ len[k], bytes[k] };
		if (must && ev.keys.n == 0)
			ok = false;
		log_info("virtd.key", "listener=%s file=%s keys=%u", virtd_listener_name(l->kind),
			 l->key_file, ev.keys.n);
		if (only_look || (must && ev.keys.n == 0))
			continue; /* at a reload: what was read before stays */
		feed(d, ev);
		if (!sealed && ev.keys.n) {
			attest_keys(d, ev.keys.key, ev.keys.n);
			d->seal_listener = i;
			sealed = true;
		}
	}
	explicit_bzero(bytes, sizeof(bytes));
	return ok;
}

bool reload(struct virtd *d)
{
	struct virtd_conf *fresh = malloc(sizeof(*fresh));
	bool ok = true;

	if (fresh && read_conf(d->path, fresh, false)) {
		feed(d, (struct virtd_event){ .type = VIRTD_EV_CONF, .conf = fresh });
		d->conf->map = fresh->map;
		nag(d);
	} else {
		log_error("virtd.reload", "text=\"the configuration before stays\"");
		ok = false;
	}
	free(fresh);
	if (!load_keys(d, false)) {
		log_error("virtd.reload", "text=\"the keys before stay\"");
		ok = false;
	}
	log_notice("virtd.reload", "file=%s", d->path);
	return ok;
}

static void on_reload(void *arg, int sig)
{
	(void)sig;
	reload(arg);
}

static void on_stop(void *arg, int sig)
{
	struct virtd *d = arg;

	log_info("virtd.signal", "signal=%d", sig);
	notify_stopping();
	loop_stop(d->loop, 0);
}

static void random_bytes(void *arg, void *buf, size_t len)
{
	uint8_t some[ATTEST_ID_BYTES];

	(void)arg;
	for (size_t at = 0; at < len; at += sizeof(some)) {
		seal_nonce(some);
		memcpy((uint8_t *)buf + at, some,
		       len - at < sizeof(some) ? len - at : sizeof(some));
	}
}

/* Started by hand, or by another unit than ours: with fewer descriptors than connections that are taken, accept() would fail again and
 * again, and nobody be called back. */
static void raise_descriptors(void)
{
	struct rlimit r;

	if (getrlimit(RLIMIT_NOFILE, &r) < 0 || r.rlim_cur >= DESCRIPTORS)
		return;
	r.rlim_cur = r.rlim_max < DESCRIPTORS ? r.rlim_max : DESCRIPTORS;
	if (setrlimit(RLIMIT_NOFILE, &r) < 0 || r.rlim_cur < DESCRIPTORS)
		log_warning("virtd.limit", "descriptors=%llu wanted=%d",
			    (unsigned long long)r.rlim_cur, DESCRIPTORS);
}

static bool start(struct virtd *d, const char *pidfile)
{
	static const struct backend_ops ops = { on_backend, net_channel };
	struct virtd_setup setup = { .conf = d->conf, .random = random_bytes, .host = d->host };
	const char *channels = NULL;

	raise_descriptors();
	gethostname(d->host, sizeof(d->host) - 1);
	d->core = virtd_new(&setup);
	d->loop = loop_new();
	if (!d->core || !d->loop)
		return false;
	d->deadline = loop_timer_new(d->loop, on_deadline, d);
	d->nag = loop_timer_new(d->loop, nag, d);
	if (!d->deadline || !d->nag || loop_signal_add(d->loop, SIGTERM, on_stop, d) < 0 ||
	    loop_signal_add(d->loop, SIGINT, on_stop, d) < 0 ||
	    loop_signal_add(d->loop, SIGQUIT, on_stop, d) < 0 ||
	    loop_signal_add(d->loop, SIGHUP, on_reload, d) < 0)
		return false;
	for (unsigned i = 0; i < d->conf->n_listeners; i++)
		if (d->conf->listener[i].kind == VIRTD_SERIAL)
			channels = d->conf->listener[i].vmchannel ? "channel" : "serial";
	if (!load_keys(d, false) || net_listen(d) < 0)
		return false;
	view_listen(d);
	if (d->conf->attest && d->n_seal_keys && attest_listen(d) < 0)
		return false;
	if (pidfile) {
		FILE *f = fopen(pidfile, "we");

		if (!f || fprintf(f, "%d\n", (int)getpid()) < 0 || fclose(f) != 0) {
			log_error("virtd.pidfile", "file=%s error=\"%s\"", pidfile,
				  strerror(errno));
			return false;
		}
	}
	report_open(d);
	d->backends = backends_new(d->loop, d->conf, channels, &ops, d);
	return d->backends != NULL;
}

static int serve(struct virtd *d, const char *pidfile)
{
	int r = 1;

	d->attest_fd = d->keep_fd = d->reply.fd = d->igmp_fd = d->link_fd = -1;
	if (start(d, pidfile)) {
		nag(d);
		log_notice("virtd.start", "version=%s listeners=%u libvirts=%u map=%s",
			   STOCKADE_VERSION, d->conf->n_listeners, d->conf->n_uris,
			   d->conf->map.open_of_old ? "none"
			   : d->conf->map.open      ? "open"
						    : "listed");
		notify_ready(d->loop);
		r = loop_run(d->loop);
	}
	d->backends = backends_free(d->backends);
	if (d->loop) {
		net_done(d);
		view_done(d);
		attest_done(d);
		report_close(d);
		notify_done();
		loop_timer_free(d->deadline);
		loop_timer_free(d->nag);
		loop_free(d->loop);
	}
	virtd_free(d->core);
	if (pidfile)
		unlink(pidfile);
	return r;
}

int main(int argc, char **argv)
{
	static const struct option opts[] = {
		{ "config", 1, NULL, 'f' },  { "foreground", 0, NULL, 'F' },
		{ "wait", 0, NULL, 'w' },    { "debug", 1, NULL, 'd' },
		{ "pidfile", 1, NULL, 'p' }, { "state-dir", 1, NULL, 'S' },
		{ "name", 1, NULL, 'n' },    { "check", 0, NULL, 'C' },
		{ "status", 0, NULL, 's' },  { "reload", 0, NULL, 'R' },
		{ "help", 0, NULL, 'h' },    { "version", 0, NULL, 'V' },
		{ NULL, 0, NULL, 0 },
	};
	static struct virtd d;
	const char *pidfile = NULL;
	bool check = false, status = false, again = false;
	int c, debug = -1;

	if (argc == 5 && strcmp(argv[1], "--backend") == 0) /* ourselves, for libvirt's calls */
		return backend_main(atoi(argv[2]), argv[3], argv[4]);
	d.path = VIRTD_CONF_PATH;
	d.state_dir = VIRTD_STATE_DIR;
	d.name = "stockade-virtd";
	while ((c = getopt_long(argc, argv, "f:Fwd:p:hV", opts, NULL)) != -1)
		switch (c) {
		case 'f': d.path = optarg; break;
		case 'F':
		case 'w': break;
		case 'd': debug = atoi(optarg); break;
		case 'p': pidfile = optarg; break;
		case 'S': d.state_dir = optarg; break;
		case 'n': d.name = optarg; break;
		case 'C': check = true; break;
		case 's': status = true; break;
		case 'R': again = true; break;
		case 'h': fputs(usage, stdout); return 0;
		case 'V': puts("stockade-virtd " STOCKADE_VERSION); return 0;
		default: fputs(usage, stderr); return 2;
		}
	if (optind != argc) {
		fputs(usage, stderr);
		return 2;
	}
	if (status || again)
		return status ? report_show(d.name) : report_reload(d.name);
	d.conf = calloc(1, sizeof(*d.conf));
	if (!d.conf)
		return 1;
	d.start_ms = mono_ms();
	if (check) {
		bool ok = read_conf(d.path, d.conf, true) && load_keys(&d, true);

		printf("%s: %s%s\n", d.path, ok ? "good" : "cannot be used",
		       ok && d.conf->map.open_of_old
			       ? ", but there is NO MAP: whoever has the key may fence every guest"
			       : "");
		return ok ? 0 : 1;
	}
	log_open("stockade-virtd", debug > 0);
	int r = read_conf(d.path, d.conf, false) ? serve(&d, pidfile) : 1;

	free(d.conf);
	log_close();
	return r;
}
