/* SPDX-License-Identifier: GPL-3.0-or-later */
/* run.c - fork, exec, collect, with a deadline. */
#include "run.h"

#include "op.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define KILL_AFTER_MS 1000

static char program_path[] = "PATH=/usr/sbin:/usr/bin:/sbin:/bin";
static char program_locale[] = "LC_ALL=C";

static void child(const struct run *run, int in, int out, int err)
{
	char *env[] = { program_path, program_locale, NULL };
	sigset_t none;

	setpgid(0, 0);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	for (int sig = 1; sig < NSIG; sig++)
		signal(sig, SIG_DFL);
	if (dup2(in, 0) < 0 || dup2(out, 1) < 0 || dup2(err, 2) < 0)
		_exit(127);
	close_range(3, ~0U, 0);
	if (run->before && run->before(run->before_arg) != 0)
		_exit(127);
	environ = env;
	execvp(run->argv[0], (char *const *)(uintptr_t)run->argv);
	_exit(errno == ENOENT ? 126 : 127);
}

struct sink {
	int fd; /* -1: ended */
	char **buf;
	size_t len;
};

static void sink_read(struct sink *s)
{
	char chunk[8192];
	ssize_t n = read(s->fd, chunk, sizeof(chunk));

	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	if (n <= 0) {
		close(s->fd);
		s->fd = -1;
		return;
	}
	size_t room = RUN_OUTPUT_MAX - s->len;
	size_t take = (size_t)n < room ? (size_t)n : room;

	memcpy(*s->buf + s->len, chunk, take);
	s->len += take;
	(*s->buf)[s->len] = '\0';
}

static int feed_stdin(const char *in)
{
	int p[2];

	if (!in)
		return open("/dev/null", O_RDONLY | O_CLOEXEC);
	/* requests are small: they fit into the pipe, so nobody has to wait for the reader */
	if (pipe2(p, O_CLOEXEC) < 0)
		return -1;
	fcntl(p[1], F_SETPIPE_SZ, 1 << 20);
	fcntl(p[1], F_SETFL, O_NONBLOCK);
	ssize_t n = write(p[1], in, strlen(in));

	close(p[1]);
	if (n == (ssize_t)strlen(in))
		return p[0];
	close(p[0]);
	errno = EMSGSIZE;
	return -1;
}

/* Has it ended? Collect its status when it has. */
static bool reap(struct run *run)
{
	int st;
	pid_t r = waitpid(run->pid, &st, WNOHANG);

	if (r == 0 || (r < 0 && errno == EINTR))
		return false;
	if (r == run->pid && WIFEXITED(st)) {
		run->status = WEXITSTATUS(st);
	} else if (r == run->pid && WIFSIGNALED(st)) {
		run->signal = WTERMSIG(st);
	}
	return true;
}

static void collect(struct run *run, struct sink sink[2], uint64_t begin)
{
	uint64_t term_at = run->timeout_ms ? begin + run->timeout_ms : UINT64_MAX;
	uint64_t kill_at = UINT64_MAX, leave_at = UINT64_MAX;

	for (;;) {
		struct pollfd p[2] = { { .fd = sink[0].fd, .events = POLLIN },
				       { .fd = sink[1].fd, .events = POLLIN } };
		/* both pipes at their end: it is about to exit; else a slice, for a child that left a pipe open */
		int n = poll(p, 2, sink[0].fd < 0 && sink[1].fd < 0 ? 2 : 20);

		for (int i = 0; n > 0 && i < 2; i++)
			if (p[i].revents)
				sink_read(&sink[i]);
		if (n <= 0 || (sink[0].fd < 0 && sink[1].fd < 0))
			if (reap(run))
				return;
		uint64_t now = op_now_ms();

		if (now >= term_at) {
			run->timed_out = true;
			kill(-run->pid, SIGTERM);
			term_at = UINT64_MAX;
			if (run->gentle)
				leave_at = now + 2 * KILL_AFTER_MS;
			else
				kill_at = now + KILL_AFTER_MS;
		}
		if (now >= kill_at) {
			kill(-run->pid, SIGKILL);
			kill_at = UINT64_MAX;
			leave_at = now + KILL_AFTER_MS;
		}
		if (now >= leave_at) {
			run->stuck = true;
			return;
		}
	}
}

int run_program(struct run *run)
{
	uint64_t begin = op_now_ms();
	int out[2] = { -1, -1 }, err[2] = { -1, -1 }, in = -1;

	run->status = -1;
	run->signal = run->error = 0;
	run->timed_out = run->stuck = false;
	run->took_ms = 0;
	run->pid = -1;
	run->out = calloc(1, RUN_OUTPUT_MAX + 1);
	run->err = calloc(1, RUN_OUTPUT_MAX + 1);
	if (run->out && run->err && pipe2(out, O_CLOEXEC) == 0 && pipe2(err, O_CLOEXEC) == 0) {
		in = feed_stdin(run->in);
		if (in >= 0)
			run->pid = fork();
	}
	if (run->pid == 0)
		child(run, in, out[1], err[1]);
	if (run->pid < 0) {
		run->error = errno ? errno : ENOMEM;
	} else {
		setpgid(run->pid, run->pid);
		close(out[1]);
		close(err[1]);
		out[1] = err[1] = -1;
		struct sink sink[2] = { { out[0], &run->out, 0 }, { err[0], &run->err, 0 } };

		out[0] = err[0] = -1;
		collect(run, sink, begin);
		for (int i = 0; i < 2; i++)
			if (sink[i].fd >= 0)
				close(sink[i].fd);
	}
	for (int i = 0; i < 2; i++) {
		if (out[i] >= 0)
			close(out[i]);
		if (err[i] >= 0)
			close(err[i]);
	}
	if (in >= 0)
		close(in);
	run->took_ms = op_now_ms() - begin;
	if (run->status == 126)
		run->error = ENOENT;
	if (run->error)
		return -run->error;
	if (run->timed_out)
		return -ETIMEDOUT;
	return run->status >= 0 ? 0 : -EINTR;
}

void run_done(struct run *run)
{
	free(run->out);
	free(run->err);
	run->out = run->err = NULL;
}

const char *run_words(struct run *run)
{
	char *texts[] = { run->err, run->out };

	for (int i = 0; i < 2; i++) {
		char *t = texts[i];
		size_t n = t ? strlen(t) : 0;

		while (n > 0 && (t[n - 1] == '\n' || t[n - 1] == ' '))
			t[--n] = '\0';
		if (n == 0)
			continue;
		char *nl = strrchr(t, '\n');

		return nl ? nl + 1 : t;
	}
	return "";
}
