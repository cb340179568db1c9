/* SPDX-License-Identifier: GPL-3.0-or-later */
/* fence_agents/virtd/backend.c - the daemon's end: a process for each URI, what it was asked, and when to give up on it. */
#include "backend.h"

#include "lib/shell/log.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define OUT_MAX 4096   /* jobs in hand, of one process */
#define STUCK_MS 30000 /* a call that is not back by then never comes back */
#define OPEN_MS \
	15000 /* who is not connected says so after each try; this long silent, it hangs in one */
#define AGAIN_MS 500
#define BACKEND_WHY_MAX 200

struct process {
	struct backends *all;
	unsigned uri;
	pid_t pid;
	int fd; /* -1: not running */
	bool up;
	char why[BACKEND_WHY_MAX]; /* it is down, as last logged */
	uint64_t heard_ms;         /* it said something, or was started */
	unsigned n;
	struct {
		uint64_t job, since_ms;
	} out[OUT_MAX];
};

struct backends {
	struct loop *loop;
	struct loop_timer *timer;
	const struct virtd_conf *conf;
	const char *channels;
	struct backend_ops ops;
	void *arg;
	unsigned restarts;
	struct process p[VIRTD_URIS_MAX];
};

static void process_start(struct process *p);

static void give(struct process *p, struct virtd_event ev)
{
	ev.now_ms = mono_ms();
	p->all->ops.event(p->all->arg, &ev);
}

static void set_up(struct process *p, bool up, const char *text)
{
	/* The same reason is told once, also when it was never up: that is when somebody wants to read it. */
	bool news = !up && strncmp(p->why, text, sizeof(p->why) - 1) != 0;

	snprintf(p->why, sizeof(p->why), "%s", up ? "" : text);
	if (p->up == up) {
		if (news)
			log_warning("virtd.libvirt", "uri=%s state=down text=\"%s\"",
				    p->all->conf->uri[p->uri], text);
		return;
	}
	p->up = up;
	if (up)
		log_notice("virtd.libvirt", "uri=%s state=up", p->all->conf->uri[p->uri]);
	else
		log_warning("virtd.libvirt", "uri=%s state=down text=\"%s\"",
			    p->all->conf->uri[p->uri], text);
	give(p, (struct virtd_event){ .type = VIRTD_EV_URI, .uri = { p->uri, up } });
}

static void fail_job(struct process *p, uint64_t job, const char *text)
{
	struct virtd_event ev = { .type = VIRTD_EV_JOB };

	ev.job.job = job;
	ev.job.done = VIRTD_DOWN;
	ev.job.text = text;
	give(p, ev);
}

/* The process is gone, or will be: nothing of it is waited for any more. */
static void process_end(struct process *p, const char *why)
{
	static uint64_t jobs[OUT_MAX]; /* answering may ask anew */
	unsigned n = p->n;

	if (p->fd < 0)
		return;
	loop_fd_del(p->all->loop, p->fd);
	close(p->fd);
	p->fd = -1;
	kill(p->pid, SIGKILL);
	waitpid(p->pid, NULL,
		0); /* it cannot be in a libvirt call that outlives SIGKILL: those are sockets */
	p->pid = 0;
	for (unsigned i = 0; i < n; i++)
		jobs[i] = p->out[i].job;
	p->n = 0;
	set_up(p, false, why);
	for (unsigned i = 0; i < n; i++)
		fail_job(p, jobs[i], why);
	loop_timer_arm(p->all->timer, mono_ms() + AGAIN_MS);
}

static void on_msg(struct process *p, const struct backend_msg *m)
{
	struct virtd_event ev = { 0 };

	switch (m->type) {
	case BACKEND_JOB: break;
	case BACKEND_DONE:
		for (unsigned i = 0; i < p->n; i++)
			if (p->out[i].job == m->job) {
				p->out[i] = p->out[--p->n];
				break;
			}
		ev.type = VIRTD_EV_JOB;
		ev.job.job = m->job;
		ev.job.done = m->done;
		ev.job.guest = m->guest;
		ev.job.text = m->text;
		give(p, ev);
		break;
	case BACKEND_GUEST:
		ev.type = VIRTD_EV_GUEST;
		ev.guest.job = m->job;
		ev.guest.uri = p->uri;
		ev.guest.guest = m->guest;
		give(p, ev);
		break;
	case BACKEND_LIFE:
		log_info("virtd.life", "guest=%s uuid=%s life=%d end=%s", m->guest.name,
			 m->guest.uuid, (int)m->life, attest_end_name(m->end));
		ev.type = VIRTD_EV_LIFE;
		ev.life.uri = p->uri;
		ev.life.life = m->life;
		ev.life.end = m->end;
		ev.life.guest = m->guest;
		give(p, ev);
		break;
	case BACKEND_UP: set_up(p, true, ""); break;
	case BACKEND_LOST: set_up(p, false, m->text); break;
	case BACKEND_CHANNEL:
		if (p->all->ops.channel)
			p->all->ops.channel(p->all->arg, m->guest.uuid, m->text);
		break;
	}
}

static void on_ready(void *arg, int fd, int revents)
{
	struct process *p = arg;
	struct backend_msg m;

	(void)revents;
	for (unsigned i = 0; i < 64 && p->fd == fd; i++) {
		ssize_t n = recv(fd, &m, sizeof(m), MSG_DONTWAIT);

		if (n == (ssize_t)sizeof(m)) {
			p->heard_ms = mono_ms();
			on_msg(p, &m);
			continue;
		}
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		process_end(p, "its process ended");
		p->all->restarts++;
	}
}

static void process_start(struct process *p)
{
	int sv[2];
	char fd_text[16];
	struct backends *b = p->all;
	const char *argv[] = { "stockade-virtd",
			       "--backend",
			       fd_text,
			       b->conf->uri[p->uri],
			       b->channels ? b->channels : "",
			       NULL };
	int room = 4 << 20;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, sv) < 0) {
		log_error("virtd.backend", "error=\"%s\"", strerror(errno));
		loop_timer_arm(b->timer, mono_ms() + AGAIN_MS);
		return;
	}
	setsockopt(sv[0], SOL_SOCKET, SO_SNDBUF, &room, sizeof(room));
	setsockopt(sv[1], SOL_SOCKET, SO_SNDBUF, &room, sizeof(room));
	snprintf(fd_text, sizeof(fd_text), "%d", sv[1]);
	fcntl(sv[0], F_SETFD, FD_CLOEXEC);
	fcntl(sv[0], F_SETFL, O_NONBLOCK);
	pid_t pid = fork();

	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (int i = 3; i < 1024; i++)
			if (i != sv[1])
				close(i);
		execv("/proc/self/exe", (char *const *)argv);
		_exit(127);
	}
	close(sv[1]);
	if (pid < 0) {
		log_error("virtd.backend", "error=\"%s\"", strerror(errno));
		close(sv[0]);
		loop_timer_arm(b->timer, mono_ms() + AGAIN_MS);
		return;
	}
	p->pid = pid;
	p->fd = sv[0];
	p->heard_ms = mono_ms();
	loop_fd_add(b->loop, p->fd, POLLIN, on_ready, p);
}

static void on_timer(void *arg)
{
	struct backends *b = arg;
	uint64_t now = mono_ms();

	for (unsigned u = 0; u < b->conf->n_uris; u++) {
		struct process *p = &b->p[u];

		for (unsigned i = 0; i < p->n && p->fd >= 0; i++)
			if (now - p->out[i].since_ms > STUCK_MS) {
				log_warning(
					"virtd.backend",
					"uri=%s jobs=%u text=\"libvirt calls hang: a new process\"",
					b->conf->uri[u], p->n);
				b->restarts++;
				process_end(p, "libvirt calls hang");
			}
		if (p->fd >= 0 && !p->up && now - p->heard_ms > OPEN_MS) {
			log_warning("virtd.backend",
				    "uri=%s text=\"a connection to libvirt hangs: a new process\"",
				    b->conf->uri[u]);
			b->restarts++;
			process_end(p, "a connection to libvirt hangs");
		}
		if (p->fd < 0)
			process_start(p);
	}
	loop_timer_arm(b->timer, now + 1000);
}

struct backends *backends_new(struct loop *loop, const struct virtd_conf *conf,
			      const char *channels, const struct backend_ops *ops, void *arg)
{
	struct backends *b = calloc(1, sizeof(*b));

	if (!b)
		return NULL;
	b->loop = loop;
	b->conf = conf;
	b->channels = channels;
	b->ops = *ops;
	b->arg = arg;
	b->timer = loop_timer_new(loop, on_timer, b);
	for (unsigned u = 0; u < VIRTD_URIS_MAX; u++) {
		b->p[u].all = b;
		b->p[u].uri = u;
		b->p[u].fd = -1;
	}
	on_timer(b);
	return b;
}

struct backends *backends_free(struct backends *b)
{
	if (!b)
		return NULL;
	for (unsigned u = 0; u < b->conf->n_uris; u++)
		if (b->p[u].fd >= 0) {
			loop_fd_del(b->loop, b->p[u].fd);
			close(b->p[u].fd);
			kill(b->p[u].pid, SIGKILL);
			waitpid(b->p[u].pid, NULL, 0);
		}
	loop_timer_free(b->timer);
	free(b);
	return NULL;
}

/* The answer to a job that cannot even be asked comes at the core's own deadline, unless the process is away. */
void backends_job(struct backends *b, const struct virtd_action *a)
{
	struct process *p = &b->p[a->job.uri];
	struct backend_msg m = {
		.type = BACKEND_JOB, .job = a->job.job, .kind = a->job.kind, .keep = a->job.keep
	};

	memcpy(m.guest.name, a->job.guest, sizeof(m.guest.name));
	if (p->fd < 0 || p->n == OUT_MAX ||
	    send(p->fd, &m, sizeof(m), MSG_DONTWAIT | MSG_NOSIGNAL) != (ssize_t)sizeof(m)) {
		log_debug("virtd.job", "uri=%u text=\"cannot be asked\"", a->job.uri);
		return;
	}
	p->out[p->n].job = a->job.job;
	p->out[p->n++].since_ms = mono_ms();
}

unsigned backends_restarts(const struct backends *b)
{
	return b->restarts;
}
