/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "lib/shell/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define GRACE_MS 1000 /* from TERM to KILL, and from KILL to stuck */
#define PATH_SEARCHED "/usr/sbin:/usr/bin:/sbin:/bin"
#define ENV_MAX 64
#define LINE_FD 3

struct stream { /* one pipe from the child */
	struct spawn *spawn;
	int fd; /* ours; -1: closed */
	char *buf;
	size_t len, cap; /* cap is 0 or at least len + 1 */
};

enum stage { RUNNING, TERM_SENT, KILL_SENT, STUCK, ENDED };

struct spawn {
	struct loop *loop;
	pid_t pid;
	int pidfd;
	struct stream out, err, lines;
	int in_fd;
	bool told; /* in_fd is spawn_tell()'s: the loop does not watch it */
	char *in;  /* what is left to write, ours: wiped */
	size_t in_len, in_done;
	struct loop_timer *timer;
	enum stage stage;
	bool timed_out;
	bool whole;
	uint64_t started_ms;
	void (*line)(void *arg, const char *line);
	void (*done)(void *arg, const struct spawn_result *r);
	void *arg;
};

/* The pipes' ends that the child gets. */
struct child_fds {
	int in, out, err, line;
};

static int pidfd_open_of(pid_t pid)
{
	return (int)syscall(SYS_pidfd_open, pid, 0);
}

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static void unwatch(struct loop *loop, int *fd)
{
	if (*fd < 0)
		return;
	loop_fd_del(loop, *fd);
	close_fd(fd);
}

static void drop_input(struct spawn *s)
{
	if (s->told)
		close_fd(&s->in_fd);
	else
		unwatch(s->loop, &s->in_fd);
	if (s->in != NULL)
		explicit_bzero(s->in, s->in_len);
	free(s->in);
	s->in = NULL;
}

static struct spawn *spawn_free(struct spawn *s)
{
	drop_input(s);
	unwatch(s->loop, &s->out.fd);
	unwatch(s->loop, &s->err.fd);
	unwatch(s->loop, &s->lines.fd);
	unwatch(s->loop, &s->pidfd);
	loop_timer_free(s->timer);
	free(s->out.buf);
	free(s->err.buf);
	free(s->lines.buf);
	free(s);
	return NULL;
}

/* Keep what fits; the rest is read so that the child does not block, and thrown away. */
static void keep(struct stream *st, const char *data, size_t len)
{
	if (len > SPAWN_OUTPUT_MAX - st->len)
		len = SPAWN_OUTPUT_MAX - st->len;
	if (st->len + len + 1 > st->cap) {
		size_t cap = st->cap != 0 ? st->cap : 1024;

		while (cap < st->len + len + 1)
			cap *= 2;
		char *buf = realloc(st->buf, cap);

		if (buf == NULL)
			return;
		st->buf = buf;
		st->cap = cap;
	}
	memcpy(st->buf + st->len, data, len);
	st->len += len;
	st->buf[st->len] = '\0';
}

static void take_lines(struct stream *st, const char *data, size_t len)
{
	while (len > 0) {
		const char *end = memchr(data, '\n', len);
		size_t n = end != NULL ? (size_t)(end - data) : len;

		keep(st, data, n);
		if (end == NULL)
			return;
		st->spawn->line(st->spawn->arg, st->buf != NULL ? st->buf : "");
		st->len = 0;
		if (st->buf != NULL)
			st->buf[0] = '\0';
		data += n + 1;
		len -= n + 1;
	}
}

/* Read what is there now. Return: false at the end of the stream. */
static bool drain(struct stream *st)
{
	char buf[4096];

	for (;;) {
		ssize_t n = read(st->fd, buf, sizeof(buf));

		if (n > 0 && st == &st->spawn->lines)
			take_lines(st, buf, (size_t)n);
		else if (n > 0)
			keep(st, buf, (size_t)n);
		else if (n < 0 && errno == EINTR)
			continue;
		else
			return n < 0 && errno == EAGAIN;
	}
}

static void on_output(void *arg, int fd, int revents)
{
	struct stream *st = arg;

	(void)fd;
	(void)revents;
	if (!drain(st))
		unwatch(st->spawn->loop, &st->fd);
}

static void on_input(void *arg, int fd, int revents)
{
	struct spawn *s = arg;
	ssize_t n = write(fd, s->in + s->in_done, s->in_len - s->in_done);

	(void)revents;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n > 0)
		s->in_done += (size_t)n;
	if (n < 0 || s->in_done == s->in_len) /* EPIPE: it does not want to know */
		drop_input(s);
}

static void finish(struct spawn *s, struct spawn_result *r)
{
	struct stream *all[] = { &s->out, &s->err, &s->lines };

	/* A process in the background may hold the pipes open for ever: take what is there. */
	for (unsigned i = 0; i < 3; i++)
		if (all[i]->fd >= 0)
			drain(all[i]);
	r->timed_out = s->timed_out;
	r->out = s->out.buf != NULL ? s->out.buf : "";
	r->out_len = s->out.len;
	r->err = s->err.buf != NULL ? s->err.buf : "";
	r->err_len = s->err.len;
	r->took_ms = mono_ms() - s->started_ms;
	s->done(s->arg, r);
}

static void on_exit_of_child(void *arg, int fd, int revents)
{
	struct spawn_result r = { .status = -1 };
	struct spawn *s = arg;
	siginfo_t info = { 0 };

	(void)fd;
	(void)revents;
	if (waitid(P_PID, (id_t)s->pid, &info, WEXITED | WNOHANG | WNOWAIT) < 0 || info.si_pid == 0)
		return;
	/* Still a zombie, so its number is not yet anybody else's: the rest of the group goes too. */
	if (s->stage != RUNNING || s->whole)
		kill(-s->pid, SIGKILL);
	waitid(P_PID, (id_t)s->pid, &info, WEXITED);
	if (info.si_code == CLD_EXITED)
		r.status = s->stage == RUNNING ? info.si_status : -1;
	else
		r.signal = info.si_status;
	bool told_stuck = s->stage == STUCK;

	s->stage = ENDED; /* its number may be anybody's from here on: no signal any more */
	if (!told_stuck)
		finish(s, &r);
	spawn_free(s);
}

/* Its group; or itself, when it is so young that it has none yet. */
static void signal_group(const struct spawn *s, int sig)
{
	if (kill(-s->pid, sig) < 0 && errno == ESRCH)
		kill(s->pid, sig);
}

static void end_group(struct spawn *s)
{
	s->stage = TERM_SENT;
	signal_group(s, SIGTERM);
	loop_timer_arm(s->timer, mono_ms() + GRACE_MS);
}

static void on_time(void *arg)
{
	struct spawn_result r = { .status = -1, .stuck = true };
	struct spawn *s = arg;

	switch (s->stage) {
	case RUNNING:
		s->timed_out = true;
		end_group(s);
		return;
	case TERM_SENT:
		s->stage = KILL_SENT;
		signal_group(s, SIGKILL);
		loop_timer_arm(s->timer, mono_ms() + GRACE_MS);
		return;
	case KILL_SENT:
		s->stage = STUCK;
		finish(s, &r);
		drop_input(s);
		unwatch(s->loop, &s->out.fd);
		unwatch(s->loop, &s->err.fd);
		unwatch(s->loop, &s->lines.fd);
		return;
	case STUCK:
	case ENDED: return;
	}
}

void spawn_kill(struct spawn *s)
{
	if (s->stage == RUNNING)
		end_group(s);
}

pid_t spawn_pid(const struct spawn *s)
{
	return s->pid;
}

/* A pipe whose end of ours does not block; both vanish at exec. @ours: 0 we read, 1 we write */
static int make_pipe(int ours, int *ret_ours, int *ret_theirs)
{
	int fds[2];

	if (pipe2(fds, O_CLOEXEC) < 0)
		return -errno;
	fcntl(fds[ours], F_SETFL, O_NONBLOCK);
	*ret_ours = fds[ours];
	*ret_theirs = fds[1 - ours];
	return 0;
}

static void close_child_fds(struct child_fds *c)
{
	close_fd(&c->in);
	close_fd(&c->out);
	close_fd(&c->err);
	close_fd(&c->line);
}

static struct spawn *prepare(struct loop *loop, bool lines, bool told, const char *in,
			     size_t in_len, struct child_fds *child)
{
	struct spawn *s = calloc(1, sizeof(*s));
	int r = 0;

	*child = (struct child_fds){ -1, -1, -1, -1 };
	if (s == NULL)
		return NULL;
	s->loop = loop;
	s->told = told;
	s->pidfd = s->in_fd = s->out.fd = s->err.fd = s->lines.fd = -1;
	s->out.spawn = s->err.spawn = s->lines.spawn = s;
	s->timer = loop_timer_new(loop, on_time, s);
	if (s->timer == NULL)
		r = -ENOMEM;
	if (r == 0)
		r = make_pipe(0, &s->out.fd, &child->out);
	if (r == 0)
		r = make_pipe(0, &s->err.fd, &child->err);
	if (r == 0 && lines)
		r = make_pipe(0, &s->lines.fd, &child->line);
	if (r == 0 && in != NULL) {
		s->in = malloc(in_len > 0 ? in_len : 1);
		if (s->in == NULL)
			r = -ENOMEM;
		else
			memcpy(s->in, in, in_len);
		s->in_len = in_len;
		if (r == 0)
			r = make_pipe(1, &s->in_fd, &child->in);
	} else if (r == 0 && told) {
		r = make_pipe(1, &s->in_fd, &child->in);
	} else if (r == 0) {
		child->in = open("/dev/null", O_RDONLY | O_CLOEXEC);
		if (child->in < 0)
			r = -errno;
	}
	if (r == 0)
		return s;
	close_child_fds(child);
	spawn_free(s);
	errno = -r;
	return NULL;
}

/* Give @fd the number @to, without FD_CLOEXEC. */
static void place(int fd, int to)
{
	if (fd == to)
		fcntl(fd, F_SETFD, 0);
	else
		dup2(fd, to);
}

/* In the child, only async-signal-safe calls: the parent's memory may be shared (vfork). */
static void become_child(const struct child_fds *fds, pid_t parent)
{
	int from[4] = { fds->in, fds->out, fds->err, fds->line };
	struct sigaction act = { .sa_handler = SIG_DFL };
	unsigned n = fds->line >= 0 ? 4 : 3;
	sigset_t none;

	setsid();
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent) /* it died before the line above */
		_exit(127);
	for (int sig = 1; sig < NSIG; sig++)
		sigaction(sig, &act, NULL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	/* First out of the way of 0 to 3: a daemon may have been started with some of these closed. */
	for (unsigned i = 0; i < n; i++)
		if (from[i] < 4)
			from[i] = fcntl(from[i], F_DUPFD_CLOEXEC, 4);
	for (unsigned i = 0; i < n; i++)
		place(from[i], (int)i);
	close_range(n, UINT_MAX, 0);
}

/* The child runs: watch it. Should that fail it is killed, as it cannot be left alone. */
static struct spawn *watch(struct spawn *s, uint32_t timeout_ms)
{
	int r = 0;

	s->pidfd = pidfd_open_of(s->pid);
	if (s->pidfd < 0)
		r = -errno;
	else
		fcntl(s->pidfd, F_SETFD, FD_CLOEXEC);
	if (r == 0)
		r = loop_fd_add(s->loop, s->pidfd, POLLIN, on_exit_of_child, s);
	if (r == 0)
		r = loop_fd_add(s->loop, s->out.fd, POLLIN, on_output, &s->out);
	if (r == 0)
		r = loop_fd_add(s->loop, s->err.fd, POLLIN, on_output, &s->err);
	if (r == 0 && s->lines.fd >= 0)
		r = loop_fd_add(s->loop, s->lines.fd, POLLIN, on_output, &s->lines);
	if (r == 0 && s->in_fd >= 0 && !s->told)
		r = loop_fd_add(s->loop, s->in_fd, POLLOUT, on_input, s);
	if (r < 0) {
		kill(s->pid, SIGKILL);
		waitpid(s->pid, NULL, 0);
		spawn_free(s);
		errno = -r;
		return NULL;
	}
	s->started_ms = mono_ms();
	if (timeout_ms > 0)
		loop_timer_arm(s->timer, s->started_ms + timeout_ms);
	return s;
}

static bool find_program(const char *name, char path[PATH_MAX])
{
	const char *dir = PATH_SEARCHED;

	if (strchr(name, '/') != NULL)
		return snprintf(path, PATH_MAX, "%s", name) < PATH_MAX;
	while (*dir != '\0') {
		size_t len = strcspn(dir, ":");

		if (snprintf(path, PATH_MAX, "%.*s/%s", (int)len, dir, name) < PATH_MAX &&
		    access(path, X_OK) == 0)
			return true;
		dir += len + (dir[len] == ':');
	}
	return false;
}

/* vfork(): the child borrows our memory until it runs the program, so nothing is copied however big
 * we are, and what exec said is there when we go on. Signals wait, so that no handler runs in it.
 */
static pid_t run_program(const char *path, char *const argv[], char *const env[],
			 const struct child_fds *fds, bool patient, int *ret_error)
{
	pid_t parent = getpid();
	volatile int error = 0;
	sigset_t all, old;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &old);
	pid_t pid = vfork();

	if (pid == 0) {
		become_child(fds, parent);
		if (patient)
			setpriority(PRIO_PROCESS, 0, 10);
		execve(path, argv, env);
		error = errno;
		_exit(127);
	}
	if (pid < 0)
		error = errno;
	sigprocmask(SIG_SETMASK, &old, NULL);
	if (pid > 0 && error != 0)
		waitpid(pid, NULL, 0);
	*ret_error = error;
	return pid;
}

struct spawn *spawn_program(struct loop *loop, const struct spawn_program *p,
			    void (*done)(void *arg, const struct spawn_result *r), void *arg)
{
	const char *env[ENV_MAX + 3] = { "PATH=" PATH_SEARCHED, "LC_ALL=C" };
	struct child_fds fds;
	char path[PATH_MAX];
	unsigned n_env = 2;
	int error = 0;

	for (unsigned i = 0; p->env != NULL && p->env[i] != NULL; i++) {
		if (i == ENV_MAX) {
			errno = E2BIG;
			return NULL;
		}
		env[n_env++] = p->env[i];
	}
	if (!find_program(p->argv[0], path)) {
		errno = ENOENT;
		return NULL;
	}
	struct spawn *s = prepare(loop, false, false, p->in, p->in_len, &fds);

	if (s == NULL)
		return NULL;
	s->whole = p->whole;
	s->done = done;
	s->arg = arg;
	s->pid = run_program(path, (char *const *)p->argv, (char *const *)env, &fds, p->patient,
			     &error);
	close_child_fds(&fds);
	if (error != 0) {
		spawn_free(s);
		errno = error;
		return NULL;
	}
	return watch(s, p->timeout_ms);
}

static struct spawn *work_new(struct loop *loop, bool told, int (*work)(void *work_arg, int fd),
			      void *work_arg, uint32_t timeout_ms,
			      void (*line)(void *arg, const char *line),
			      void (*done)(void *arg, const struct spawn_result *r), void *arg)
{
	pid_t parent = getpid();
	struct child_fds fds;
	struct spawn *s = prepare(loop, true, told, NULL, 0, &fds);

	if (s == NULL)
		return NULL;
	s->line = line;
	s->done = done;
	s->arg = arg;
	fflush(NULL);
	/* A child that is killed before it has handlers of its own would run ours, and libqb's writes into
	 * a pipe that we share: we would take its SIGTERM for ours. become_child() lets signals in again. */
	sigset_t all, old;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &old);
	s->pid = fork();
	if (s->pid == 0) {
		become_child(&fds, parent);
		setenv("LC_ALL", "C", 1);
		int code = work(work_arg, LINE_FD);

		fflush(NULL);
		_exit(code);
	}
	int error = errno;

	sigprocmask(SIG_SETMASK, &old, NULL);

	close_child_fds(&fds);
	if (s->pid < 0) {
		spawn_free(s);
		errno = error;
		return NULL;
	}
	return watch(s, timeout_ms);
}

struct spawn *spawn_work(struct loop *loop, int (*work)(void *work_arg, int fd), void *work_arg,
			 uint32_t timeout_ms, void (*line)(void *arg, const char *line),
			 void (*done)(void *arg, const struct spawn_result *r), void *arg)
{
	return work_new(loop, false, work, work_arg, timeout_ms, line, done, arg);
}

struct spawn *spawn_work_told(struct loop *loop, int (*work)(void *work_arg, int fd),
			      void *work_arg, uint32_t timeout_ms,
			      void (*line)(void *arg, const char *line),
			      void (*done)(void *arg, const struct spawn_result *r), void *arg)
{
	return work_new(loop, true, work, work_arg, timeout_ms, line, done, arg);
}

int spawn_tell(struct spawn *s, const void *data, size_t len)
{
	int unread = 0;

	if (!s->told || s->in_fd < 0 || s->stage != RUNNING)
		return -EPIPE;
	/* a pipe holds 64 KiB; with that much room a write is never cut */
	if (ioctl(s->in_fd, FIONREAD, &unread) < 0 || unread > SPAWN_TELL_MAX ||
	    len > SPAWN_TELL_MAX)
		return -EAGAIN;
	ssize_t n = write(s->in_fd, data, len);

	if (n == (ssize_t)len)
		return 0;
	int r = n < 0 ? -errno : -EPIPE;

	close_fd(&s->in_fd); /* half a message is none, and the end of the talk */
	return r;
}

void spawn_limit(struct spawn *s, uint32_t timeout_ms)
{
	if (s->stage == RUNNING)
		loop_timer_arm(s->timer, timeout_ms > 0 ? mono_ms() + timeout_ms : UINT64_MAX);
}
