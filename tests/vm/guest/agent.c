/* SPDX-License-Identifier: GPL-3.0-or-later */
/* agent.c - runs commands in a laboratory guest for the harness, over virtio-serial ports.
 *
 * The ports work without any network, so a node whose links are cut can still be looked at. Each port
 * carries one session at a time and has a process of its own; the host takes a free port.
 *
 * Both directions carry frames: magic, session, type, length (32 bit little endian each), then the bytes.
 * The host names the session; whatever carries another number is left over from an earlier one and is
 * dropped by the reader. A session is one request:
 *
 *   EXEC  flags, then argv as strings with NULs     -> OUT*, ERR*, EXIT (wait status of a shell: 128 + signal)
 *         meanwhile: IN (empty: end of file), SIGNAL number, WINSIZE rows columns
 *   CLOCK                                           -> CLOCK realtime ns, monotonic ns
 *   SETTIME realtime ns                             -> CLOCK as above
 *
 * When the host hangs up, the command's process group gets SIGHUP, then SIGKILL. A command that leaves a
 * background process behind ends all the same: EXIT follows the command itself, not its last descriptor.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PORTS 6
#define MAGIC 0x42414c53u
#define PAYLOAD_MAX (256u * 1024)
#define OUT_CHUNK 32768

enum frame_type {
	F_EXEC = 1,
	F_IN,
	F_SIGNAL,
	F_WINSIZE,
	F_CLOCK,
	F_SETTIME,
	F_OUT,
	F_ERR,
	F_EXIT,
	F_FAIL,
};
enum { EXEC_TTY = 1 };

struct header {
	uint32_t magic, session, type, len;
};

struct agent {
	int port, ep, sigs;
	uint32_t session;
	bool up;        /* the host is connected, as far as the last read or write told */
	bool port_more; /* the port may hold more: its edge was seen but it was not read dry */
	/* input: the frame being collected */
	uint8_t in[sizeof(struct header) + PAYLOAD_MAX];
	size_t in_len;
	/* the command; pid 0: none */
	pid_t pid;
	bool tty;
	int to, out, err;    /* -1: closed */
	const uint8_t *pend; /* stdin bytes that the command did not take yet; inside in[] */
	size_t pend_len;
};

static void watch(struct agent *ag, int op, int fd, uint32_t events)
{
	struct epoll_event ev = { .events = events, .data.fd = fd };

	if (epoll_ctl(ag->ep, op, fd, &ev) < 0 && op != EPOLL_CTL_DEL)
		abort();
}

static void shut(struct agent *ag, int *fd)
{
	if (*fd < 0)
		return;
	watch(ag, EPOLL_CTL_DEL, *fd, 0);
	close(*fd);
	*fd = -1;
}

/* Write all of it, waiting for the host to read; a host that hangs up ends the session.
 *
 * The kernel hands out a byte of a new session at once but learns of the connection from a work queue, so
 * just after a request the port may still look hung up: believe that only when it lasts.
 */
static void port_write(struct agent *ag, const void *data, size_t len)
{
	const uint8_t *p = data;
	int hups = 0;

	while (len && ag->up) {
		ssize_t n = write(ag->port, p, len);

		if (n >= 0) {
			p += n;
			len -= (size_t)n;
		} else if (errno == EAGAIN) {
			struct pollfd pfd = { .fd = ag->port, .events = POLLOUT };

			poll(&pfd, 1, -1);
			if (pfd.revents & POLLHUP) {
				usleep(5 * 1000);
				ag->up = ++hups < 100;
			}
		} else if (errno != EINTR) {
			ag->up = false;
		}
	}
}

static void send_frame(struct agent *ag, enum frame_type type, const void *data, size_t len)
{
	uint8_t buf[sizeof(struct header) + OUT_CHUNK];
	struct header h = { MAGIC, ag->session, type, (uint32_t)len };

	memcpy(buf, &h, sizeof(h));
	memcpy(buf + sizeof(h), data, len);
	port_write(ag, buf, sizeof(h) + len);
}

static void send_clock(struct agent *ag)
{
	struct timespec rt, mono;
	int64_t ns[2];

	clock_gettime(CLOCK_REALTIME, &rt);
	clock_gettime(CLOCK_MONOTONIC, &mono);
	ns[0] = rt.tv_sec * 1000000000LL + rt.tv_nsec;
	ns[1] = mono.tv_sec * 1000000000LL + mono.tv_nsec;
	send_frame(ag, F_CLOCK, ns, sizeof(ns));
}

static void set_nonblock(int fd)
{
	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
}

static void child_start(char **argv)
{
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	setenv("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", 1);
	setenv("HOME", "/root", 1);
	setenv("LANG", "C", 1);
	if (chdir("/root") < 0 && chdir("/") < 0)
		_exit(126);
	execvp(argv[0], argv);
	fprintf(stderr, "%s: %s\n", argv[0], strerror(errno));
	_exit(127);
}

static void start(struct agent *ag, const uint8_t *data, size_t len)
{
	uint32_t flags;
	char *argv[1024];
	size_t argc = 0;
	int in[2], out[2], err[2];

	if (len < sizeof(flags) + 2 || data[len - 1] != 0)
		return send_frame(ag, F_FAIL, "bad request", 11);
	memcpy(&flags, data, sizeof(flags));
	for (size_t at = sizeof(flags); at < len && argc < 1023;
	     at += strlen((const char *)data + at) + 1)
		argv[argc++] = (char *)data + at;
	argv[argc] = NULL;

	ag->tty = flags & EXEC_TTY;
	if (ag->tty) {
		int master;

		ag->pid = forkpty(&master, NULL, NULL, NULL);
		if (ag->pid == 0) {
			setenv("TERM", "xterm-256color", 1);
			child_start(argv);
		}
		if (ag->pid < 0) {
			ag->pid = 0;
			return send_frame(ag, F_FAIL, "no pty", 6);
		}
		ag->out = fcntl(master, F_DUPFD_CLOEXEC, 3);
		ag->to = master;
		ag->err = -1;
		fcntl(master, F_SETFD, FD_CLOEXEC);
	} else {
		if (pipe2(in, O_CLOEXEC) < 0 || pipe2(out, O_CLOEXEC) < 0 ||
		    pipe2(err, O_CLOEXEC) < 0)
			abort(); /* the unit starts us again; the host sees the hang-up */
		ag->pid = fork();
		if (ag->pid == 0) {
			setsid();
			dup2(in[0], 0);
			dup2(out[1], 1);
			dup2(err[1], 2);
			child_start(argv);
		}
		if (ag->pid < 0)
			abort();
		close(in[0]);
		close(out[1]);
		close(err[1]);
		ag->to = in[1];
		ag->out = out[0];
		ag->err = err[0];
	}
	set_nonblock(ag->to);
	set_nonblock(ag->out);
	watch(ag, EPOLL_CTL_ADD, ag->to, 0);
	watch(ag, EPOLL_CTL_ADD, ag->out, EPOLLIN);
	if (ag->err >= 0) {
		set_nonblock(ag->err);
		watch(ag, EPOLL_CTL_ADD, ag->err, EPOLLIN);
	}
}

/* Pass on what the command wrote. Returns false when there is nothing more now. */
static bool relay(struct agent *ag, int *fd, enum frame_type type)
{
	uint8_t buf[OUT_CHUNK];
	ssize_t n;

	if (*fd < 0)
		return false;
	n = read(*fd, buf, sizeof(buf));
	if (n > 0) {
		send_frame(ag, type, buf, (size_t)n);
		return true;
	}
	if (n == 0 || (errno != EAGAIN && errno != EINTR)) /* a pty says EIO at its end */
		shut(ag, fd);
	return false;
}

static void forget_command(struct agent *ag)
{
	shut(ag, &ag->to);
	shut(ag, &ag->out);
	shut(ag, &ag->err);
	ag->pend_len = 0;
	ag->pid = 0;
}

static void reap(struct agent *ag)
{
	pid_t pid;
	int status;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		int32_t code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);

		if (pid != ag->pid)
			continue;
		while (relay(ag, &ag->out, F_OUT) || relay(ag, &ag->err, F_ERR))
			;
		send_frame(ag, F_EXIT, &code, sizeof(code));
		forget_command(ag);
	}
}

static void hangup(struct agent *ag)
{
	struct timespec grace = { .tv_nsec = 200 * 1000 * 1000 };

	ag->up = false;
	ag->in_len = 0;
	if (!ag->pid)
		return;
	kill(-ag->pid, SIGHUP);
	nanosleep(&grace, NULL);
	kill(-ag->pid, SIGKILL);
	forget_command(ag);
}

/* Hand the command its input; false: it does not take all of it now, and nothing else may be parsed. */
static bool push_stdin(struct agent *ag)
{
	while (ag->pend_len) {
		ssize_t n = ag->to < 0 ? (ssize_t)ag->pend_len
				       : write(ag->to, ag->pend, ag->pend_len);

		if (n < 0 && errno == EAGAIN) {
			watch(ag, EPOLL_CTL_MOD, ag->to, EPOLLOUT);
			return false;
		}
		if (n < 0 && errno != EINTR) {
			shut(ag, &ag->to); /* it closed its stdin: swallow the rest */
			continue;
		}
		if (n > 0) {
			ag->pend += n;
			ag->pend_len -= (size_t)n;
		}
	}
	if (ag->to >= 0)
		watch(ag, EPOLL_CTL_MOD, ag->to, 0);
	return true;
}

static void on_frame(struct agent *ag, const struct header *h, const uint8_t *data)
{
	bool current = h->session == ag->session;

	switch (h->type) {
	case F_EXEC:
		if (ag->pid) { /* the host died and came back faster than we saw the hang-up */
			kill(-ag->pid, SIGKILL);
			forget_command(ag);
		}
		ag->session = h->session;
		start(ag, data, h->len);
		break;
	case F_CLOCK:
		ag->session = h->session;
		send_clock(ag);
		break;
	case F_SETTIME:
		ag->session = h->session;
		if (h->len == 8) {
			int64_t ns;
			struct timespec ts;

			memcpy(&ns, data, sizeof(ns));
			ts.tv_sec = ns / 1000000000;
			ts.tv_nsec = ns % 1000000000;
			clock_settime(CLOCK_REALTIME, &ts);
		}
		send_clock(ag);
		break;
	case F_IN:
		if (!current || !ag->pid)
			break;
		if (h->len == 0) {
			if (ag->tty) {
				ag->pend = (const uint8_t
						    *)"\004"; /* the terminal's own end of file */
				ag->pend_len = 1;
			} else {
				shut(ag, &ag->to);
			}
			break;
		}
		ag->pend = data;
		ag->pend_len = h->len;
		break;
	case F_SIGNAL:
		if (current && ag->pid && h->len == 4) {
			uint32_t sig;

			memcpy(&sig, data, sizeof(sig));
			kill(-ag->pid, (int)sig);
		}
		break;
	case F_WINSIZE:
		if (current && ag->pid && ag->tty && h->len == 4) {
			uint16_t v[2];
			struct winsize ws = { 0 };

			memcpy(v, data, sizeof(v));
			ws.ws_row = v[0];
			ws.ws_col = v[1];
			ioctl(ag->to, TIOCSWINSZ, &ws);
		}
		break;
	}
}

/* Take whole frames out of in[]; stops while stdin bytes wait, as they still lie in in[]. */
static void parse(struct agent *ag)
{
	for (;;) {
		struct header h;

		if (!push_stdin(ag) || ag->in_len < sizeof(h))
			return;
		memcpy(&h, ag->in, sizeof(h));
		if (h.magic != MAGIC ||
		    h.len > PAYLOAD_MAX) { /* torn by an earlier session: look for the next magic */
			memmove(ag->in, ag->in + 1, --ag->in_len);
			continue;
		}
		if (ag->in_len < sizeof(h) + h.len)
			return;
		on_frame(ag, &h, ag->in + sizeof(h));
		if (!push_stdin(ag))
			return;
		ag->in_len -= sizeof(h) + h.len;
		memmove(ag->in, ag->in + sizeof(h) + h.len, ag->in_len);
	}
}

/* After the blocked stdin drained: drop the frame that it came from, then go on. */
static void resume(struct agent *ag)
{
	struct header h;

	if (!push_stdin(ag))
		return;
	memcpy(&h, ag->in, sizeof(h));
	ag->in_len -= sizeof(h) + h.len;
	memmove(ag->in, ag->in + sizeof(h) + h.len, ag->in_len);
	parse(ag);
}

static void on_port(struct agent *ag)
{
	ag->port_more = true;
	if (!ag->pend_len)
		parse(ag); /* what was left when a blocked command ended */
	while (ag->port_more && !ag->pend_len && ag->in_len < sizeof(ag->in)) {
		ssize_t n = read(ag->port, ag->in + ag->in_len, sizeof(ag->in) - ag->in_len);

		if (n > 0) {
			ag->up = true;
			ag->in_len += (size_t)n;
			parse(ag);
		} else if (n == 0) {
			ag->port_more = false;
			if (ag->up)
				hangup(ag);
		} else if (errno != EINTR) {
			ag->port_more = false;
			ag->up = true; /* EAGAIN: connected and nothing to read */
		}
	}
}

static void serve(const char *path)
{
	static struct agent ag; /* large, so not on the stack */
	sigset_t chld;

	ag.to = ag.out = ag.err = -1;
	ag.port = open(path, O_RDWR | O_CLOEXEC | O_NONBLOCK);
	if (ag.port < 0) {
		perror(path);
		exit(1);
	}
	sigemptyset(&chld);
	sigaddset(&chld, SIGCHLD);
	sigprocmask(SIG_BLOCK, &chld, NULL);
	signal(SIGPIPE, SIG_IGN);
	ag.sigs = signalfd(-1, &chld, SFD_CLOEXEC | SFD_NONBLOCK);
	ag.ep = epoll_create1(EPOLL_CLOEXEC);
	if (ag.sigs < 0 || ag.ep < 0)
		abort();
	watch(&ag, EPOLL_CTL_ADD, ag.sigs, EPOLLIN);
	/* Edge triggered: an unconnected port is always "hung up", and only its changes are news. */
	watch(&ag, EPOLL_CTL_ADD, ag.port, EPOLLIN | EPOLLET);
	for (;;) {
		struct epoll_event ev;
		int n = epoll_wait(ag.ep, &ev, 1, -1);

		if (n < 0 && errno != EINTR)
			abort();
		if (n < 1)
			continue;
		if (ev.data.fd == ag.port) {
			on_port(&ag);
		} else if (ev.data.fd == ag.sigs) {
			struct signalfd_siginfo si;

			while (read(ag.sigs, &si, sizeof(si)) > 0)
				;
			reap(&ag);
		} else if (ev.data.fd == ag.out) {
			relay(&ag, &ag.out, F_OUT);
		} else if (ev.data.fd == ag.err) {
			relay(&ag, &ag.err, F_ERR);
		} else if (ev.data.fd == ag.to && ag.pend_len) {
			resume(&ag);
		} else if (ev.data.fd == ag.to) {
			shut(&ag, &ag.to); /* the reader of the pipe went away */
		}
		if (ag.port_more && !ag.pend_len)
			on_port(&ag);
		if (!ag.up && ag.pid)
			hangup(&ag);
	}
}

/* The device of port lab.@i by its name in sysfs, so that neither udev nor its links are needed. */
static bool find_port(int i, char *path, size_t size)
{
	char want[16], name[64] = "";
	bool found = false;
	DIR *dir = opendir("/sys/class/virtio-ports");
	struct dirent *de;

	snprintf(want, sizeof(want), "lab.%d\n", i);
	while (dir && !found && (de = readdir(dir))) {
		char file[320];
		FILE *f;

		if (de->d_name[0] == '.')
			continue;
		snprintf(file, sizeof(file), "/sys/class/virtio-ports/%s/name", de->d_name);
		f = fopen(file, "re");
		if (!f)
			continue;
		found = fgets(name, sizeof(name), f) && !strcmp(name, want);
		fclose(f);
		snprintf(path, size, "/dev/%.32s", de->d_name);
	}
	if (dir)
		closedir(dir);
	return found && access(path, F_OK) == 0;
}

int main(void)
{
	for (int i = 0; i < PORTS; i++) {
		char path[64];

		for (int try = 0; !find_port(i, path, sizeof(path)); try++) {
			if (try == 3000) {
				fprintf(stderr, "no port lab.%d\n", i);
				return 1;
			}
			usleep(20 * 1000);
		}
		if (fork() == 0) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			serve(path);
		}
	}
	while (wait(NULL) > 0 || errno == EINTR) /* one that died leaves its port to the others */
		;
	return 1;
}
