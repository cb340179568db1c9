/* SPDX-License-Identifier: GPL-3.0-or-later */
/* storaged/drivers: a test volume (a directory that plays the disk) from prepare to kill, with real bind mounts in a mount
 * namespace of the test's own. Two nodes share it, as two would share a disk: SAFE-1 (a live owner is not taken over),
 * SAFE-3 (an unreadable heartbeat is unknown), SAFE-10 (what is mounted by others is left alone).
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "storaged/drivers/driver.h"
#include "storaged/drivers/owner.h"

static char base[] = "/tmp/stockade-file-volume.XXXXXX";
static struct config cfg;
static struct fence_state fence;
static int node2_ns; /* node 2 has a mount namespace of its own, as it has a kernel of its own */

static struct incarnation life(uint32_t nodeid)
{
	struct incarnation l = { .nodeid = nodeid, .join = 1 };

	memset(l.boot_id, (int)nodeid, BOOT_ID_BYTES);
	return l;
}

static void node_path(char *buf, size_t len, uint32_t node, const char *what)
{
	snprintf(buf, len, "%s/%s%u", base, what, node);
}

/* A job of @node: its own mount point and run directory, the disk in common. */
static struct driver_job job_of(enum driver_op op, uint32_t node, struct config_volume *vol,
				char rundir[256])
{
	struct driver_job job = { .op = op, .cfg = &cfg, .fence = &fence, .limit_ms = 5000 };

	*vol = cfg.volume[0];
	node_path(vol->mount, sizeof(vol->mount), node, "mount");
	node_path(rundir, 256, node, "run");
	job.vol = vol;
	job.rundir = rundir;
	job.self = life(node);
	return job;
}

static pid_t kids[16]; /* of the test that runs; 0: none */

static int end_children(void **state)
{
	char path[256];

	(void)state;
	for (size_t i = 0; i < sizeof(kids) / sizeof(kids[0]); i++) {
		if (kids[i]) {
			kill(kids[i], SIGKILL);
			waitpid(kids[i], NULL, 0);
		}
		kids[i] = 0;
	}
	/* what a test that failed left there is not the next one's to find */
	node_path(path, sizeof(path), 1, "mount");
	while (umount2(path, MNT_DETACH) == 0)
		;
	return 0;
}

/* fork(); the child dies with the test, however that ends. */
static pid_t child(void)
{
	pid_t parent = getpid(), pid = fork();

	if (pid == 0 && (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent))
		_exit(1);
	for (size_t i = 0; pid > 0 && i < sizeof(kids) / sizeof(kids[0]); i++) {
		if (!kids[i]) {
			kids[i] = pid;
			return pid;
		}
	}
	assert_int_equal(pid, 0); /* it was forked, and there is room to remember it */
	return 0;
}

/* Its wait status. */
static int ended(pid_t pid)
{
	int st;

	assert_int_equal(waitpid(pid, &st, 0), pid);
	for (size_t i = 0; i < sizeof(kids) / sizeof(kids[0]); i++)
		if (kids[i] == pid)
			kids[i] = 0;
	return st;
}

/* The calling child becomes a process of @node. */
static void enter(uint32_t node)
{
	if (node == 2 && setns(node2_ns, CLONE_NEWNS) < 0)
		_exit(1);
}

/* Run it in a child, as storaged does; its result line. */
static struct driver_line run(const struct driver_job *job)
{
	struct driver_job copy = *job;
	struct driver_line line = { 0 }, last = { 0 };
	char text[2048];
	int p[2];

	assert_int_equal(pipe(p), 0);
	pid_t pid = child();

	if (pid == 0) {
		close(p[0]);
		enter(job->self.nodeid);
		_exit(driver_run(&copy, p[1]));
	}
	close(p[1]);
	FILE *f = fdopen(p[0], "r");

	while (fgets(text, sizeof(text), f)) {
		text[strcspn(text, "\n")] = '\0';
		assert_int_equal(driver_line_parse(&line, text), 0);
		last = line;
	}
	fclose(f);
	int st = ended(pid);

	assert_true(WIFEXITED(st) && WEXITSTATUS(st) == 0);
	assert_int_equal(last.kind, DRIVER_LINE_RESULT);
	return last;
}

static struct driver_line doit(enum driver_op op, uint32_t node)
{
	struct config_volume vol;
	char rundir[256];
	struct driver_job job = job_of(op, node, &vol, rundir);

	return run(&job);
}

#define WANT(line, res, c)                                                                 \
	do {                                                                               \
		struct driver_line l_ = (line);                                            \
		if (l_.result != (res) || strcmp(l_.code, (c)) != 0)                       \
			print_error("%s %s: %s\n", driver_result_name(l_.result), l_.code, \
				    l_.text);                                              \
		assert_int_equal(l_.result, res);                                          \
		assert_string_equal(l_.code, c);                                           \
		assert_true(l_.text[0]);                                                   \
		assert_true(!(c)[0] || l_.remedy[0]);                                      \
	} while (0)

static void prepared_once_then_started_and_stopped(void **state)
{
	char path[256];
	struct stat a, b;

	(void)state;
	WANT(doit(DRIVER_PREPARE, 1), DRIVER_FAILED, "vg_missing");
	WANT(doit(DRIVER_VOLUME_PREPARE, 1), DRIVER_OK, "");
	WANT(doit(DRIVER_VOLUME_PREPARE, 2), DRIVER_OK, "");
	WANT(doit(DRIVER_PREPARE, 1), DRIVER_OK, "");
	WANT(doit(DRIVER_PROBE, 1), DRIVER_INACTIVE, "");

	struct driver_line up = doit(DRIVER_START, 1);

	WANT(up, DRIVER_OK, "");
	assert_int_equal(up.epoch, 1);
	assert_int_equal(up.node, 1);
	assert_true(up.record_active);
	snprintf(path, sizeof(path), "%s/disk/data", base);
	assert_int_equal(stat(path, &a), 0);
	node_path(path, sizeof(path), 1, "mount");
	assert_int_equal(stat(path, &b), 0);
	assert_true(a.st_ino == b.st_ino);                /* it is really mounted */
	assert_int_equal(doit(DRIVER_START, 1).epoch, 1); /* again: nothing changes */
	WANT(doit(DRIVER_PROBE, 1), DRIVER_ACTIVE, "");
	WANT(doit(DRIVER_MONITOR, 1), DRIVER_HEALTHY, "");
	WANT(doit(DRIVER_PROBE, 2), DRIVER_INACTIVE, "");

	WANT(doit(DRIVER_STOP, 1), DRIVER_OK, "");
	WANT(doit(DRIVER_STOP, 1), DRIVER_OK, "");
	WANT(doit(DRIVER_MONITOR, 1), DRIVER_INACTIVE, "");
	assert_int_equal(stat(path, &b), 0);
	assert_true(a.st_ino != b.st_ino);
	assert_false(doit(DRIVER_PROBE, 1).record_active);
}

/* SAFE-1 */
static void live_owner_is_refused_until_proof_or_word(void **state)
{
	struct config_volume vol;
	char rundir[256];
	struct driver_job job = job_of(DRIVER_START, 2, &vol, rundir);

	(void)state;
	job.epoch = 40; /* the cluster may know higher ones than the disk */
	fence.node[0].state = FENCE_NODE_MEMBER;
	fence.node[0].life = life(1);

	struct driver_line up = doit(DRIVER_START, 1);

	WANT(up, DRIVER_OK, "");
	WANT(run(&job), DRIVER_FAILED, "owner_alive");
	fence.node[0].state = FENCE_NODE_VICTIM;
	WANT(run(&job), DRIVER_FAILED, "owner_alive");
	assert_int_equal(doit(DRIVER_PROBE, 2).epoch, up.epoch); /* a refusal writes nothing */

	job.released = up.epoch;
	struct driver_line two = run(&job);

	WANT(two, DRIVER_OK, "");
	assert_int_equal(two.epoch, 40);
	WANT(doit(DRIVER_STOP, 2), DRIVER_OK, "");
	WANT(doit(DRIVER_STOP, 1), DRIVER_OK, "");
	assert_int_equal(doit(DRIVER_PROBE, 1).epoch,
			 40); /* the first one's stop did not touch it */

	WANT(doit(DRIVER_START, 1), DRIVER_OK, "");
	job.released = 0;
	fence.node[0].state = FENCE_NODE_DEAD;
	fence.node[0].proof =
		(struct proof){ .victim = life(1), .kind = PROOF_OFF_VERIFIED, .by = 2 };
	WANT(run(&job), DRIVER_OK, "");
	WANT(doit(DRIVER_STOP, 2), DRIVER_OK, "");
	WANT(doit(DRIVER_STOP, 1), DRIVER_OK, "");
}

/* SAFE-10 */
static void mount_point_of_others_is_left_alone(void **state)
{
	char path[256];
	struct driver_line before = doit(DRIVER_PROBE, 1);

	(void)state;
	node_path(path, sizeof(path), 1, "mount");
	assert_int_equal(mount("none", path, "tmpfs", 0, NULL), 0);
	WANT(doit(DRIVER_PREPARE, 1), DRIVER_FAILED, "mount_busy");
	WANT(doit(DRIVER_START, 1), DRIVER_FAILED, "mount_busy");
	assert_int_equal(doit(DRIVER_PROBE, 1).epoch, before.epoch);
	WANT(doit(DRIVER_STOP, 1), DRIVER_OK, "");
	WANT(doit(DRIVER_KILL, 1), DRIVER_OK, "");
	assert_int_equal(umount(path), 0); /* it is still there */
}

/* A process that works in node 1's mount, and ignores TERM. */
static pid_t stubborn(void)
{
	char path[256], c;
	int p[2];

	node_path(path, sizeof(path), 1, "mount");
	assert_int_equal(pipe(p), 0);
	pid_t pid = child();

	if (pid == 0) {
		signal(SIGTERM, SIG_IGN);
		if (chdir(path) < 0 || write(p[1], "x", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	assert_int_equal(read(p[0], &c, 1), 1);
	close(p[0]);
	close(p[1]);
	return pid;
}

/* Stop names it, kill ends it, and nobody else. */
static void busy_mount_is_named_then_killed(void **state)
{
	char who[32];
	int st;

	(void)state;
	WANT(doit(DRIVER_START, 1), DRIVER_OK, "");
	pid_t innocent = child();

	if (innocent == 0)
		for (;;)
			pause();
	pid_t pid = stubborn();
	struct driver_line stuck = doit(DRIVER_STOP, 1);

	WANT(stuck, DRIVER_FAILED, "mount_busy");
	snprintf(who, sizeof(who), "(%d)", pid);
	assert_non_null(strstr(stuck.text, who));
	struct driver_line gone = doit(DRIVER_KILL, 1);

	/* one KILL ends it, however slow this machine is; that its end is seen in time it does not promise, and storaged asks again */
	if (gone.result != DRIVER_OK)
		WANT(gone, DRIVER_FAILED, "mount_busy");
	st = ended(pid);
	assert_true(WIFSIGNALED(st) && WTERMSIG(st) == SIGKILL);
	if (gone.result != DRIVER_OK)
		WANT(doit(DRIVER_KILL, 1), DRIVER_OK, "");
	assert_int_equal(waitpid(innocent, &st, WNOHANG), 0);
	WANT(doit(DRIVER_PROBE, 1), DRIVER_INACTIVE, "");
}

/* However little time there is, and however long one round takes: whoever does not go is killed, not only asked. */
static void kill_without_time_kills(void **state)
{
	struct config_volume vol;
	char rundir[256];
	struct driver_job job = job_of(DRIVER_KILL, 1, &vol, rundir);

	(void)state;
	WANT(doit(DRIVER_START, 1), DRIVER_OK, "");
	pid_t pid = stubborn();
	job.limit_ms = 1;
	run(&job);
	int st = ended(pid);

	assert_true(WIFSIGNALED(st) && WTERMSIG(st) == SIGKILL);
	WANT(doit(DRIVER_STOP, 1), DRIVER_OK, "");
}

static FILE *beat(uint32_t node, uint32_t owner, struct driver_beat *page, pid_t *pid)
{
	int p[2];

	assert_int_equal(pipe(p), 0);
	*pid = child();
	if (*pid == 0) {
		struct config_volume vol;
		char rundir[256];
		struct driver_job job = job_of(DRIVER_HEARTBEAT, node, &vol, rundir);

		close(p[0]);
		enter(node);
		job.owner = owner;
		job.beat = page;
		_exit(driver_run(&job, p[1]));
	}
	close(p[1]);
	return fdopen(p[0], "r");
}

/* The next life line that says @wanted, others before it are steps on the way; alarm() ends a wait in vain. */
static struct driver_line until(FILE *f, enum life_sign wanted)
{
	struct driver_line line;
	char text[2048];

	for (;;) {
		assert_non_null(fgets(text, sizeof(text), f));
		text[strcspn(text, "\n")] = '\0';
		assert_int_equal(driver_line_parse(&line, text), 0);
		if (line.kind == DRIVER_LINE_LIFE && line.life == wanted)
			return line;
	}
}

static void heartbeat_is_seen_then_stale_and_ends_with_the_epoch(void **state)
{
	pid_t own, watch;

	(void)state;
	struct driver_line up = doit(DRIVER_START, 1);

	WANT(up, DRIVER_OK, "");
	struct driver_beat *page = mmap(NULL, sizeof(*page), PROT_READ | PROT_WRITE,
					MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	assert_true(page != MAP_FAILED);
	FILE *w = beat(2, 1, NULL, &watch), *o = beat(1, 1, page, &own);

	assert_int_equal(until(o, LIFE_FRESH).epoch, up.epoch);
	assert_int_equal(until(w, LIFE_FRESH).node, 1);
	uint64_t shown = atomic_load(&page->shown_ms);

	assert_true(shown > 0 && shown <= atomic_load(&page->began_ms));
	kill(own, SIGSTOP);
	until(w, LIFE_STALE);
	kill(own, SIGCONT);
	until(w, LIFE_FRESH);
	/* a reader took it for silent: it knows that it was not seen all the while (SAFE-13) */
	for (int i = 0; i < 1000 && atomic_load(&page->shown_ms) == shown; i++)
		usleep(10000);
	assert_true(atomic_load(&page->shown_ms) > shown);

	/* another takes the volume with a proof that lied: the writer beats no more, and says whose it is now */
	struct config_volume vol;
	char rundir[256];
	struct driver_job job = job_of(DRIVER_START, 2, &vol, rundir);

	fence.node[0].state = FENCE_NODE_DEAD;
	fence.node[0].proof =
		(struct proof){ .victim = life(1), .kind = PROOF_OFF_VERIFIED, .by = 2 };
	struct driver_line two = run(&job);

	if (two.result ==
	    DRIVER_OK) /* else it saw the beat between epoch and mount, which is as good */
		assert_true(two.epoch > up.epoch);
	else
		assert_string_equal(two.code, "owner_alive");
	/* its own pauses may be told first, with the old epoch: as many as this machine makes */
	struct driver_line lost;

	do
		lost = until(o, LIFE_UNKNOWN);
	while (lost.epoch == up.epoch);
	assert_int_equal(lost.epoch, up.epoch + 1);
	uint64_t io = atomic_load(&page->io_ok_ms);

	until(w, LIFE_STALE);
	/* nor does it count as one that still writes (SAFE-3): what it reads from here on shows it to nobody */
	usleep(10 * cfg.timing.heartbeat_ms * 1000);
	assert_true(io > 0);
	assert_int_equal(atomic_load(&page->io_ok_ms), io);
	kill(own, SIGKILL);
	kill(watch, SIGKILL);
	ended(own);
	ended(watch);
	fclose(o);
	fclose(w);
	munmap(page, sizeof(*page));
	WANT(doit(DRIVER_STOP, 2), DRIVER_OK, "");
	WANT(doit(DRIVER_STOP, 1), DRIVER_OK, "");
}

/* SAFE-1: between epoch and mount the one before us is listened for, whatever stood in its block at first. */
static void owner_held_to_be_dead_that_beats_is_not_followed(void **state)
{
	struct config_volume vol;
	char rundir[256], path[256];
	struct driver_job job = job_of(DRIVER_START, 2, &vol, rundir);
	struct epoch_beat beat = { .life = life(1), .counter = 7 };
	uint8_t *empty = area_buf(1);
	struct owner own;
	struct area a;
	struct op op;

	(void)state;
	assert_non_null(empty);
	snprintf(path, sizeof(path), "%s/disk/epoch", base);
	for (int had = 0; had <= 1; had++) {
		for (int beats = 0; beats <= 1; beats++) {
			struct driver_line up = doit(DRIVER_START, 1);

			WANT(up, DRIVER_OK, "");
			beat.epoch = up.epoch;
			fence.node[0].state = FENCE_NODE_DEAD;
			fence.node[0].proof = (struct proof){ .victim = life(1),
							      .kind = PROOF_OFF_VERIFIED,
							      .by = 2 };
			assert_int_equal(area_open(&a, path, 0, true), 0);
			if (!had)
				assert_int_equal(area_write(&a, 1, empty), 0);
			op_init(&op, &job, -1);
			assert_int_equal(owner_take(&op, &a, false, &own), DRIVER_OK);
			beat.counter += 1000;
			if (beats)
				assert_int_equal(area_beat_write(&a, &beat, false), 0);
			assert_int_equal(owner_still(&op, &a, &own),
					 beats ? DRIVER_FAILED : DRIVER_OK);
			if (beats)
				assert_string_equal(op.end.code, "owner_alive");
			assert_int_equal(owner_release(&op, &a), DRIVER_OK);
			area_close(&a);
			WANT(doit(DRIVER_STOP, 1), DRIVER_OK, "");
		}
	}
	free(empty);
	fence.node[0].state = FENCE_NODE_MEMBER;
	fence.node[0].proof.kind = PROOF_NONE;
}

static void damaged_record_is_refused(void **state)
{
	char path[256];
	char junk[16] = "junk";

	(void)state;
	snprintf(path, sizeof(path), "%s/disk/epoch", base);
	int fd = open(path, O_WRONLY);

	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, junk, sizeof(junk), 40), (int)sizeof(junk));
	WANT(doit(DRIVER_START, 1), DRIVER_OK, ""); /* one copy is enough */
	WANT(doit(DRIVER_STOP, 1), DRIVER_OK, "");
	assert_int_equal(pwrite(fd, junk, sizeof(junk), 40), (int)sizeof(junk));
	assert_int_equal(pwrite(fd, junk, sizeof(junk), 64 * 4096 + 40), (int)sizeof(junk));
	close(fd);
	WANT(doit(DRIVER_START, 1), DRIVER_FAILED, "not_prepared");
	WANT(doit(DRIVER_PROBE, 1), DRIVER_INACTIVE, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(prepared_once_then_started_and_stopped, end_children),
		cmocka_unit_test_teardown(live_owner_is_refused_until_proof_or_word, end_children),
		cmocka_unit_test_teardown(mount_point_of_others_is_left_alone, end_children),
		cmocka_unit_test_teardown(busy_mount_is_named_then_killed, end_children),
		cmocka_unit_test_teardown(kill_without_time_kills, end_children),
		cmocka_unit_test_teardown(heartbeat_is_seen_then_stale_and_ends_with_the_epoch,
					  end_children),
		cmocka_unit_test_teardown(owner_held_to_be_dead_that_beats_is_not_followed,
					  end_children),
		cmocka_unit_test_teardown(damaged_record_is_refused, end_children),
	};
	char path[256];

	if (geteuid() != 0 || unshare(CLONE_NEWNS) < 0 ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0) {
		fprintf(stderr, "needs root: it mounts, in a namespace of its own\n");
		return 77;
	}
	if (!mkdtemp(base))
		return 1;
	for (uint32_t node = 1; node <= 2; node++) {
		node_path(path, sizeof(path), node, "mount");
		mkdir(path, 0755);
		node_path(path, sizeof(path), node, "run");
		mkdir(path, 0755);
		cfg.node[cfg.n_nodes].id = node;
		snprintf(cfg.node[cfg.n_nodes++].name, CONFIG_NAME_MAX, "node%u", node);
		fence.node[fence.n++] = (struct fence_node){ .nodeid = node,
							     .state = FENCE_NODE_MEMBER,
							     .life = life(node) };
	}
	fence.informed = fence.quorate = true;
	snprintf(cfg.cluster, sizeof(cfg.cluster), "web");
	snprintf(cfg.volume[0].name, sizeof(cfg.volume[0].name), "data");
	snprintf(cfg.volume[0].file, sizeof(cfg.volume[0].file), "%s/disk", base);
	snprintf(path, sizeof(path), "%s/disk", base);
	mkdir(path, 0755);
	cfg.n_volumes = 1;
	cfg.volume[0].fs = CONFIG_FS_EXT4;
	cfg.timing.heartbeat_ms = 50;
	cfg.timing.stale_ms = 400;
	int p[2];
	char c;

	if (pipe(p) < 0)
		return 1;
	pid_t pid = child();

	if (pid == 0) {
		if (unshare(CLONE_NEWNS) < 0 || write(p[1], "x", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	snprintf(path, sizeof(path), "/proc/%d/ns/mnt", pid);
	if (read(p[0], &c, 1) != 1 || (node2_ns = open(path, O_RDONLY | O_CLOEXEC)) < 0)
		return 1;
	end_children(NULL);

	alarm(300); /* a line that never comes */
	int r = cmocka_run_group_tests(tests, NULL, NULL);
	char rm[sizeof(base) + 32];

	snprintf(rm, sizeof(rm), "rm -rf --one-file-system %s", base);
	return system(rm) == 0 ? r : 1;
}
