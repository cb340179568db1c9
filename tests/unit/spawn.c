/* SPDX-License-Identifier: GPL-3.0-or-later */
/* lib/shell/spawn: what a child says and how it ends is told once, at its deadline at the latest; it
 * inherits nothing, its whole group is killed, it dies with its daemon, and nobody waits for one that
 * cannot die (kill() is wrapped for that: the child of a blocked disk ignores SIGKILL too).
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/shell/spawn.h"

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

int __real_kill(pid_t pid, int sig);
int __wrap_kill(pid_t pid, int sig);

static bool kill_has_no_effect;

int __wrap_kill(pid_t pid, int sig)
{
	return kill_has_no_effect ? 0 : __real_kill(pid, sig);
}

/* Until whoever adopted it has reaped it, a dead process is a zombie. */
static bool alive(pid_t pid)
{
	char path[64], state = 'Z';
	FILE *stat;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	stat = fopen(path, "r");
	if (stat == NULL)
		return false;
	if (fscanf(stat, "%*d (%*[^)]) %c", &state) != 1)
		state = 'Z';
	fclose(stat);
	return state != 'Z';
}

struct fixture {
	struct loop *loop;
	struct loop_timer *timer;
	struct spawn *child;
	unsigned done, lines;
	struct spawn_result r;
	char *out, *err, line[8][256];
	size_t line_len;
};

static struct fixture f;

static void on_time(void *arg)
{
	(void)arg;
	loop_stop(f.loop, 1);
}

static int setup(void **state)
{
	(void)state;
	f = (struct fixture){ .loop = loop_new() };
	f.timer = loop_timer_new(f.loop, on_time, NULL);
	kill_has_no_effect = false;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	free(f.out);
	free(f.err);
	loop_timer_free(f.timer);
	loop_free(f.loop);
	return 0;
}

static void on_done(void *arg, const struct spawn_result *r)
{
	assert_ptr_equal(arg, &f);
	f.done++;
	f.r = *r;
	free(f.out);
	free(f.err);
	f.out = strdup(r->out);
	f.err = strdup(r->err);
	loop_stop(f.loop, 0);
}

static void run_for(uint64_t ms)
{
	loop_timer_arm(f.timer, mono_ms() + ms);
	loop_run(f.loop);
	loop_timer_arm(f.timer, UINT64_MAX);
}

static void start(const char *script, const char *in, uint32_t timeout_ms)
{
	const char *argv[] = { "sh", "-c", script, NULL };
	struct spawn_program p = {
		.argv = argv, .in = in, .in_len = in ? strlen(in) : 0, .timeout_ms = timeout_ms
	};

	f.child = spawn_program(f.loop, &p, on_done, &f);
	assert_non_null(f.child);
}

static void run(const char *script, const char *in, uint32_t timeout_ms)
{
	start(script, in, timeout_ms);
	run_for(10000);
	assert_int_equal(f.done, 1);
}

static void output_input_and_exit_code_come_back(void **state)
{
	(void)state;
	run("cat; echo oops >&2; exit 3", "action=off\nplug=7\n", 5000);
	assert_int_equal(f.r.status, 3);
	assert_int_equal(f.r.signal, 0);
	assert_false(f.r.timed_out || f.r.stuck);
	assert_string_equal(f.out, "action=off\nplug=7\n");
	assert_int_equal(f.r.out_len, 18);
	assert_string_equal(f.err, "oops\n");
}

static void environment_is_ours_alone(void **state)
{
	const char *argv[] = { "/usr/bin/env", NULL }, *env[] = { "COLOUR=blue", NULL };
	struct spawn_program p = { .argv = argv, .env = env };

	(void)state;
	setenv("SECRET", "x", 1);
	assert_non_null(spawn_program(f.loop, &p, on_done, &f));
	run_for(10000);
	assert_string_equal(f.out, "PATH=/usr/sbin:/usr/bin:/sbin:/bin\nLC_ALL=C\n"
				   "COLOUR=blue\n");
}

static void nothing_is_inherited(void **state)
{
	int fd = open("/dev/null", O_RDONLY); /* without O_CLOEXEC */

	(void)state;
	assert_true(fd > 2);
	signal(SIGHUP, SIG_IGN);
	run("ls /proc/self/fd | tr '\\n' ' '; grep -E 'Sig(Blk|Ign)' /proc/self/status; "
	    "ps -o sid= -o pgid= -p $$",
	    NULL, 5000);
	signal(SIGHUP, SIG_DFL);
	close(fd);
	/* 3 is ls reading the directory. */
	assert_memory_equal(f.out, "0 1 2 3 ", 8);
	assert_non_null(strstr(f.out, "SigBlk:\t0000000000000000"));
	const char *ignored = strstr(f.out, "SigIgn:\t");
	int sid = 0, pgid = 0;

	assert_non_null(ignored);
	/* 32 and 33 are glibc's own: make ignores them, and nobody can take that back. */
	assert_int_equal(strtoull(ignored + 8, NULL, 16) & ~(3ULL << 31), 0);
	assert_int_equal(sscanf(strchr(ignored, '\n'), "%d %d", &sid, &pgid), 2);
	assert_int_equal(sid, pgid);
	assert_true(sid > 1 && sid != getsid(0));
}

static void what_cannot_run_says_why_at_once(void **state)
{
	const char *missing[] = { "stockade-no-such-program", NULL };
	const char *dir[] = { "/tmp", NULL };
	const char *absent[] = { "/nonexistent/agent", NULL };
	struct spawn_program p = { .argv = missing };

	(void)state;
	errno = 0;
	assert_null(spawn_program(f.loop, &p, on_done, &f));
	assert_int_equal(errno, ENOENT);
	p.argv = dir;
	assert_null(spawn_program(f.loop, &p, on_done, &f));
	assert_int_equal(errno, EACCES);
	p.argv = absent;
	assert_null(spawn_program(f.loop, &p, on_done, &f));
	assert_int_equal(errno, ENOENT);
	run_for(50);
	assert_int_equal(f.done, 0);
}

static void a_flood_is_cut_but_does_not_block(void **state)
{
	(void)state;
	run("head -c 1000000 /dev/zero | tr '\\0' x; echo end >&2", NULL, 10000);
	assert_int_equal(f.r.status, 0);
	assert_int_equal(f.r.out_len, SPAWN_OUTPUT_MAX);
	assert_int_equal(strlen(f.out), SPAWN_OUTPUT_MAX);
	assert_string_equal(f.err, "end\n");
}

static void input_that_nobody_reads_is_no_harm(void **state)
{
	char *big = malloc(300001);

	(void)state;
	memset(big, 'y', 300000);
	big[300000] = '\0';
	run("exec <&-; sleep 0.05; exit 5", big, 5000);
	assert_int_equal(f.r.status, 5);
	f.done = 0;
	run("wc -c", big, 5000);
	assert_string_equal(f.out, "300000\n");
	free(big);
}

static void the_deadline_ends_the_whole_group(void **state)
{
	char pid[32] = "";

	(void)state;
	run("sleep 300 & echo $!; wait", NULL, 200);
	assert_int_equal(f.r.status, -1);
	assert_int_equal(f.r.signal, SIGTERM);
	assert_true(f.r.timed_out);
	assert_false(f.r.stuck);
	assert_true(f.r.took_ms >= 200);
	snprintf(pid, sizeof(pid), "%s", f.out);
	for (int i = 0; i < 100 && alive(atoi(pid)); i++)
		usleep(10000);
	assert_false(alive(atoi(pid)));
}

static void one_that_ignores_term_is_killed_with_its_group(void **state)
{
	(void)state;
	run("trap '' TERM; while :; do sleep 0.1; done", NULL, 100);
	assert_int_equal(f.r.signal, SIGKILL);
	assert_int_equal(f.r.status, -1);
	assert_true(f.r.timed_out);
	assert_true(f.r.took_ms >= 1100);
}

static void one_that_answers_term_with_success_still_failed(void **state)
{
	(void)state;
	run("trap 'exit 0' TERM; while :; do sleep 0.05; done", NULL, 100);
	assert_int_equal(f.r.status, -1);
	assert_true(f.r.timed_out);
}

static void killed_by_us_is_not_a_timeout(void **state)
{
	(void)state;
	start("echo said; sleep 300", NULL, 0);
	run_for(100);
	assert_int_equal(f.done, 0);
	spawn_kill(f.child);
	spawn_kill(f.child);
	run_for(5000);
	assert_int_equal(f.done, 1);
	assert_false(f.r.timed_out);
	assert_int_equal(f.r.status, -1);
	assert_string_equal(f.out, "said\n");
}

static void a_background_process_delays_nothing_and_lives(void **state)
{
	(void)state;
	run("sleep 300 & echo $!", NULL, 5000);
	assert_int_equal(f.r.status, 0);
	assert_true(f.r.took_ms < 300000); /* its own life */
	assert_int_equal(kill(atoi(f.out), SIGKILL), 0);
}

static void one_that_cannot_die_is_told_as_stuck_and_reaped_later(void **state)
{
	pid_t pid;

	(void)state;
	start("echo before; exec sleep 300", NULL, 100);
	pid = spawn_pid(f.child);
	kill_has_no_effect = true;
	run_for(10000);
	assert_int_equal(f.done, 1);
	assert_true(f.r.stuck && f.r.timed_out);
	assert_int_equal(f.r.status, -1);
	assert_int_equal(f.r.signal, 0);
	assert_string_equal(f.out, "before\n");
	assert_true(f.r.took_ms >= 2100);
	kill_has_no_effect = false;
	assert_int_equal(kill(pid, SIGKILL), 0); /* the disk is back */
	run_for(200);
	assert_int_equal(f.done, 1);
	assert_int_equal(waitpid(pid, NULL, WNOHANG), -1);
	assert_int_equal(errno, ECHILD);
}

static void on_line(void *arg, const char *line)
{
	assert_ptr_equal(arg, &f);
	assert_int_equal(f.done, 0);
	f.line_len = strlen(line);
	if (f.lines < ARRAY_SIZE(f.line))
		snprintf(f.line[f.lines], sizeof(f.line[0]), "%s", line);
	f.lines++;
}

static int talk(void *arg, int fd)
{
	struct timespec pause = { .tv_nsec = 30000000 };

	dprintf(fd, "{\"step\": \"%s\"}\npart", (const char *)arg);
	nanosleep(&pause, NULL);
	dprintf(fd, "ly\n\nno end");
	dprintf(STDERR_FILENO, "warned\n");
	return fcntl(fd + 1, F_GETFD) == -1 ? 17 : 99; /* nothing else is open */
}

static void work_reports_lines_then_its_result(void **state)
{
	(void)state;
	assert_non_null(spawn_work(f.loop, talk, (void *)"lvm", 5000, on_line, on_done, &f));
	run_for(10000);
	assert_int_equal(f.done, 1);
	assert_int_equal(f.r.status, 17);
	assert_int_equal(f.lines, 3);
	assert_string_equal(f.line[0], "{\"step\": \"lvm\"}");
	assert_string_equal(f.line[1], "partly");
	assert_string_equal(f.line[2], "");
	assert_string_equal(f.err, "warned\n");
}

static int talk_too_much(void *arg, int fd)
{
	char *big = malloc(200000);

	(void)arg;
	memset(big, 'z', 200000);
	big[199999] = '\n';
	for (size_t at = 0; at < 200000;)
		at += (size_t)write(fd, big + at, 200000 - at);
	free(big);
	return 0;
}

static void a_line_without_end_is_cut(void **state)
{
	(void)state;
	assert_non_null(spawn_work(f.loop, talk_too_much, NULL, 5000, on_line, on_done, &f));
	run_for(10000);
	assert_int_equal(f.lines, 1);
	assert_int_equal(f.line_len, SPAWN_OUTPUT_MAX);
}

static int hang(void *arg, int fd)
{
	(void)arg;
	dprintf(fd, "%d\n", (int)getpid());
	pause();
	return 0;
}

static void work_is_killed_at_its_deadline(void **state)
{
	(void)state;
	assert_non_null(spawn_work(f.loop, hang, NULL, 100, on_line, on_done, &f));
	run_for(10000);
	assert_true(f.r.timed_out);
	assert_int_equal(f.r.signal, SIGTERM);
}

static int wait_quietly(void *arg, int fd)
{
	(void)arg;
	(void)fd;
	pause();
	return 0;
}

static unsigned own_terms;

static void on_own_term(void *arg, int sig)
{
	(void)arg;
	(void)sig;
	own_terms++;
}

static void on_many_done(void *arg, const struct spawn_result *r)
{
	(void)arg;
	assert_int_equal(r->signal, SIGTERM);
	if (++f.done == 300)
		loop_stop(f.loop, 0);
}

/* Killed before it has handlers of its own, a child must not tell the daemon's loop that SIGTERM came. */
static void a_signal_to_a_young_child_is_not_taken_for_ours(void **state)
{
	(void)state;
	own_terms = 0;
	assert_int_equal(loop_signal_add(f.loop, SIGTERM, on_own_term, NULL), 0);
	for (unsigned i = 0; i < 300; i++) {
		struct spawn *s = spawn_work(f.loop, wait_quietly, NULL, 0, on_line, on_many_done,
					     &f);

		assert_non_null(s);
		for (unsigned k = i; k > 0; k--)
			__asm__ volatile("" ::: "memory");
		spawn_kill(s);
	}
	run_for(10000);
	assert_int_equal(f.done, 300);
	assert_int_equal(own_terms, 0);
}

/* Echoes what it is told until the end of the talk. */
static int listen_on(void *arg, int fd)
{
	char buf[64];
	ssize_t n;

	(void)arg;
	dprintf(fd, "ready\n");
	while ((n = read(STDIN_FILENO, buf, sizeof(buf))) > 0)
		dprintf(fd, "%.*s\n", (int)n, buf);
	return 5;
}

static void work_that_stays_is_told_and_has_a_new_limit(void **state)
{
	(void)state;
	f.child = spawn_work_told(f.loop, listen_on, NULL, 5000, on_line, on_done, &f);
	assert_non_null(f.child);
	run_for(100);
	assert_int_equal(f.lines, 1);
	assert_int_equal(spawn_tell(f.child, "start", 5), 0);
	run_for(100);
	assert_int_equal(f.lines, 2);
	assert_string_equal(f.line[1], "start");
	assert_int_equal(f.done, 0);
	spawn_limit(f.child, 50);
	run_for(10000);
	assert_int_equal(f.done, 1);
	assert_true(f.r.timed_out);
}

static void a_message_is_whole_or_refused(void **state)
{
	static char big[SPAWN_TELL_MAX + 1];

	(void)state;
	f.child = spawn_work_told(f.loop, hang, NULL, 5000, on_line, on_done, &f);
	assert_non_null(f.child);
	assert_int_equal(spawn_tell(f.child, big, SPAWN_TELL_MAX + 1), -EAGAIN);
	assert_int_equal(spawn_tell(f.child, big, SPAWN_TELL_MAX), 0);
	assert_int_equal(spawn_tell(f.child, big, SPAWN_TELL_MAX), 0);
	assert_int_equal(spawn_tell(f.child, big, 1), -EAGAIN); /* nobody reads */
	spawn_kill(f.child);
	assert_int_equal(spawn_tell(f.child, big, 1), -EPIPE);
	run_for(10000);
	assert_int_equal(f.done, 1);
}

static void work_that_is_not_told_has_nothing_to_read(void **state)
{
	(void)state;
	f.child = spawn_work(f.loop, listen_on, NULL, 5000, on_line, on_done, &f);
	assert_non_null(f.child);
	assert_int_equal(spawn_tell(f.child, "x", 1), -EPIPE);
	run_for(10000);
	assert_int_equal(f.r.status, 5);
	assert_int_equal(f.lines, 1);
}

/* A daemon that is killed with a program and a piece of work running. */
static void daemon_with_children(int report)
{
	const char *argv[] = { "sleep", "300", NULL };
	struct spawn_program p = { .argv = argv };
	struct spawn *a = spawn_program(f.loop, &p, on_done, &f);
	struct spawn *b = spawn_work(f.loop, hang, NULL, 0, on_line, on_done, &f);

	dprintf(report, "%d %d\n", (int)spawn_pid(a), (int)spawn_pid(b));
	loop_run(f.loop);
	_exit(0);
}

static void children_die_with_their_daemon(void **state)
{
	int fds[2], a = 0, b = 0;
	char text[64];

	(void)state;
	assert_int_equal(pipe(fds), 0);
	pid_t pid = fork();

	if (pid == 0)
		daemon_with_children(fds[1]);
	text[read(fds[0], text, sizeof(text) - 1)] = '\0';
	assert_int_equal(sscanf(text, "%d %d", &a, &b), 2);
	assert_true(alive(a) && alive(b));
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	close(fds[0]);
	close(fds[1]);
	for (int i = 0; i < 200 && (alive(a) || alive(b)); i++)
		usleep(10000);
	assert_false(alive(a) || alive(b));
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(output_input_and_exit_code_come_back),
		T(environment_is_ours_alone),
		T(nothing_is_inherited),
		T(what_cannot_run_says_why_at_once),
		T(a_flood_is_cut_but_does_not_block),
		T(input_that_nobody_reads_is_no_harm),
		T(the_deadline_ends_the_whole_group),
		T(one_that_ignores_term_is_killed_with_its_group),
		T(one_that_answers_term_with_success_still_failed),
		T(killed_by_us_is_not_a_timeout),
		T(a_background_process_delays_nothing_and_lives),
		T(one_that_cannot_die_is_told_as_stuck_and_reaped_later),
		T(work_reports_lines_then_its_result),
		T(a_line_without_end_is_cut),
		T(work_is_killed_at_its_deadline),
		T(a_signal_to_a_young_child_is_not_taken_for_ours),
		T(work_that_stays_is_told_and_has_a_new_limit),
		T(a_message_is_whole_or_refused),
		T(work_that_is_not_told_has_nothing_to_read),
		T(children_die_with_their_daemon),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
