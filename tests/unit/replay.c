/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tests/unit/replay.c - a record that a recorder wrote is replayed alike, whatever happened to the daemon meanwhile, and
 * one changed character is found and named (lib/shell/recorder.h, sim/replay.h). Plays a two-node cluster's fenced.
 */
#include "sim/replay.h"
#include "fenced/core/fence_record.h"
#include "lib/shell/recorder.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char dir[] = "/tmp/stockade-replay.XXXXXX";
static char path[64], said[16384];

static void put_config(struct record_w *w, const void *what, unsigned i)
{
	(void)i;
	fence_record_config(w, what);
}

static void put_event(struct record_w *w, const void *what, unsigned i)
{
	(void)i;
	fence_record_event(w, what);
}

static void put_action(struct record_w *w, const void *what, unsigned i)
{
	fence_record_action(w, what, i);
}

/* A daemon's life: starts, hears a view and its own words, ends after @steps; @crash: inside the last step. */
static void live(unsigned steps, bool crash)
{
	static struct fence_config cfg;
	static struct fence_actions out, said_in_view;
	struct recorder *r = recorder_open("stockade-fenced", dir);

	assert_non_null(r);
	cfg = (struct fence_config){ .self = { .nodeid = 1, .boot_id = { 7 }, .join = 1 },
				     .nodes = { 6 },
				     .cut_delay_ms = 100,
				     .post_join_ms = 200,
				     .absent_ms = 300,
				     .retry_min_ms = 10,
				     .retry_max_ms = 1000,
				     .ready_interval_ms = 60000,
				     .ready_age_ms = 300000,
				     .confirm_ms = 100,
				     .stall_ms = 100000 };
	cfg.path[1] = cfg.path[2] = (struct fence_path){ .n_levels = 1, .n_devices = { 1 } };
	recorder_config(r, put_config, &cfg, 0);
	struct fence_domain *dom = fence_new(&cfg);

	assert_non_null(dom);
	for (unsigned i = 0; i < steps; i++) {
		struct fence_event ev = { .type = FENCE_EV_TIMEOUT,
					  .now_ms = 1000 + i * 50,
					  .wall_s = 1700000000 };

		if (i == 0) {
			ev.type = FENCE_EV_VIEW;
			ev.view = (struct fence_view){ .id = { 4, 1 },
						       .quorate = true,
						       .nodes = { 2 },
						       .members = { 2 },
						       .joined = { 2 } };
		} else if (said_in_view.msg_len) {
			ev.type = FENCE_EV_DELIVER;
			ev.deliver.from = 1;
			ev.deliver.data = said_in_view.msg;
			ev.deliver.len = said_in_view.msg_len;
		}
		recorder_event(r, put_event, &ev);
		if (crash && i + 1 == steps)
			break;
		int rc = fence_step(dom, &ev, &out);

		recorder_actions(r, rc, out.n, put_action, &out, fence_deadline_ms(dom));
		said_in_view.msg_len = 0;
		for (unsigned k = 0; k < out.n; k++)
			if (out.v[k].type == FENCE_ACT_SEND) {
				memcpy(said_in_view.msg, out.msg, out.msg_len);
				said_in_view.msg_len = out.msg_len;
			}
	}
	fence_free(dom);
	recorder_close(r);
}

/* What replay_files() prints, in `said`. */
static int replay(int n, ...)
{
	char *file[8];
	char out[64];
	va_list ap;

	va_start(ap, n);
	for (int i = 0; i < n; i++)
		file[i] = va_arg(ap, char *);
	va_end(ap);
	snprintf(out, sizeof(out), "%s/said", dir);
	fflush(stdout);
	int saved = dup(1), fd = open(out, O_RDWR | O_CREAT | O_TRUNC, 0600);

	assert_true(saved >= 0 && fd >= 0);
	dup2(fd, 1);
	int rc = replay_files(file, n, true);

	fflush(stdout);
	dup2(saved, 1);
	close(saved);
	ssize_t len = pread(fd, said, sizeof(said) - 1, 0);

	close(fd);
	assert_true(len >= 0);
	said[len] = '\0';
	return rc;
}

static void assert_said(const char *what)
{
	/* the last lines tell what came of it; the story may be long */
	if (!strstr(said, what))
		fail_msg("not said: %s\n%s", what, said);
}

static char *content(size_t *len)
{
	static char text[1 << 20];
	FILE *f = fopen(path, "re");

	assert_non_null(f);
	*len = fread(text, 1, sizeof(text) - 1, f);
	text[*len] = '\0';
	fclose(f);
	return text;
}

static void store(const char *text, size_t len)
{
	FILE *f = fopen(path, "we");

	assert_non_null(f);
	assert_int_equal(fwrite(text, 1, len, f), len);
	fclose(f);
}

static int clean(void **state)
{
	(void)state;
	for (unsigned i = 0; i < RECORDER_FILES; i++) {
		char name[80];

		snprintf(name, sizeof(name), "%s.%u", path, i);
		unlink(name);
	}
	unlink(path);
	return 0;
}

static void nothing_is_written_unless_asked_for(void **state)
{
	(void)state;
	unsetenv("STOCKADE_RECORD");
	assert_null(recorder_open("stockade-fenced", NULL));
	recorder_config(NULL, put_config, NULL, 0);
	recorder_event(NULL, put_event, NULL);
	recorder_actions(NULL, 0, 0, put_action, NULL, 0);
	assert_null(recorder_close(NULL));
	setenv("STOCKADE_RECORD", dir, 1);
	assert_null(recorder_close(recorder_open("stockade-fenced", NULL)));
	unsetenv("STOCKADE_RECORD");
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_null(recorder_open("stockade-fenced",
				  "/proc/nowhere")); /* a warning, and the daemon goes on */
}

static void several_runs_of_one_file_are_replayed_alike(void **state)
{
	(void)state;
	live(12, false);
	live(5, false);
	assert_int_equal(replay(1, path), 0);
	assert_said("alike: 2 runs, 17 events");
	assert_said("view now_ms=1000");
	assert_null(strstr(said, "NOT ALIKE"));
}

static void a_run_that_ended_inside_a_step_says_so(void **state)
{
	size_t len;

	(void)state;
	live(6, true);
	live(3, false);
	assert_int_equal(replay(1, path), 0);
	assert_said("the record ends inside event 6: there the daemon ended");
	assert_said("alike: 2 runs, 9 events");
	char *text = content(&len);

	store(text, len - 4); /* the system died: the last line is not whole */
	assert_int_equal(replay(1, path), 0);
	assert_said("the last line is not whole");
}

static void a_line_that_a_crash_cut_off_ends_its_run_only(void **state)
{
	size_t len;

	(void)state;
	live(6, false);
	char *text = content(&len);

	store(text, len - 30); /* in the middle of a line, and the system is started again */
	live(3, false);
	assert_int_equal(replay(1, path), 0);
	assert_said("there the system ended");
	assert_said("2 runs");
	text = content(&len);
	char *second = strstr(text, "event 2 ");

	memset(second, 'x', 5); /* damage in the middle of a run is no cut */
	store(text, len);
	assert_int_equal(replay(1, path), 2);
}

static void another_answer_is_named_by_line(void **state)
{
	size_t len;
	char want[128];

	(void)state;
	live(8, false);
	char *text = content(&len), *act = strstr(text, "act send bytes=");
	unsigned line = 1;

	assert_non_null(act);
	for (const char *p = text; p < act; p++)
		line += *p == '\n';
	act[strlen("act send bytes=") + 6] ^= 1;
	store(text, len);
	assert_int_equal(replay(1, path), 1);
	snprintf(want, sizeof(want), "%s:%u: event 1 at 1000 ms: the core answers otherwise", path,
		 line);
	assert_said(want);
	assert_said("  expected send bytes=");
	assert_said("  got      send bytes=");
	assert_said("NOT ALIKE");
}

static void a_missing_and_an_added_action_are_found(void **state)
{
	size_t len;

	(void)state;
	live(4, false);
	char *text = content(&len), *act = strstr(text, "act "), *next = strchr(act, '\n') + 1;

	memmove(act, next, len - (size_t)(next - text) + 1);
	store(text, strlen(text));
	assert_int_equal(replay(1, path), 1);
	clean(NULL);
	live(4, false);
	text = content(&len);
	char *end = strstr(text, "end 1 ");

	memmove(end + 12, end, len - (size_t)(end - text) + 1);
	memcpy(end, "act publish\n", 12);
	store(text, strlen(text));
	assert_int_equal(replay(1, path), 1);
}

static void files_in_order_are_one_record(void **state)
{
	char older[3][80];

	(void)state;
	for (int i = 0; i < 3; i++)
		snprintf(older[i], sizeof(older[i]), "%s.%d", path, i + 1);
	setenv("STOCKADE_RECORD_BYTES", "1500", 1);
	live(24, false);
	unsetenv("STOCKADE_RECORD_BYTES");
	assert_int_equal(access(older[1], R_OK), 0);
	char *file[RECORDER_FILES + 1];
	char name[RECORDER_FILES][80];
	int n = 0;

	for (int i = RECORDER_FILES - 1; i > 0; i--) {
		snprintf(name[n], sizeof(name[n]), "%s.%d", path, i);
		if (access(name[n], R_OK) == 0) {
			file[n] = name[n];
			n++;
		}
	}
	file[n++] = path;
	assert_true(n >= 3 && n <= 8);
	assert_int_equal(replay(n, file[0], file[1], file[2], n > 3 ? file[3] : NULL,
				n > 4 ? file[4] : NULL, n > 5 ? file[5] : NULL,
				n > 6 ? file[6] : NULL, n > 7 ? file[7] : NULL),
			 0);
	assert_said("alike: 1 runs, 24 events");
	/* the beginning is missing */
	assert_int_equal(replay(1, path), 2);
	assert_said("give those first");
	assert_said("nothing to replay");
	/* a file in between is missing */
	assert_int_equal(replay(2, file[0], path), 0);
	assert_said("a run goes on here from event");
}

static void what_is_no_record_is_refused(void **state)
{
	static const char *const bad[] = {
		"record 2 stockade-fenced 1 0 0\n", "record 1 stockade-nobody 1 0 0\n",
		"record 1 stockade-fenced 1 0 0\nnew self=\n",
		"record 1 stockade-fenced 1 0 0\nevent 1 timeout\n",
		"record 1 stockade-storaged 1 0 0\nnew frame={n_services=99}\n"
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		store(bad[i], strlen(bad[i]));
		assert_int_equal(replay(1, path), 2);
	}
	store("any text\nat all\n", 16);
	assert_int_equal(replay(1, path), 2);
	assert_said("2 lines belong to a run whose beginning is not here");
	assert_int_equal(replay(1, "/nowhere"), 2);
	assert_non_null(replay_core_by_name("stockade-dlmd", 13));
	assert_null(replay_core_by_name("stockade-dlm", 12));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(nothing_is_written_unless_asked_for, clean),
		cmocka_unit_test_teardown(several_runs_of_one_file_are_replayed_alike, clean),
		cmocka_unit_test_teardown(a_run_that_ended_inside_a_step_says_so, clean),
		cmocka_unit_test_teardown(a_line_that_a_crash_cut_off_ends_its_run_only, clean),
		cmocka_unit_test_teardown(another_answer_is_named_by_line, clean),
		cmocka_unit_test_teardown(a_missing_and_an_added_action_are_found, clean),
		cmocka_unit_test_teardown(files_in_order_are_one_record, clean),
		cmocka_unit_test_teardown(what_is_no_record_is_refused, clean),
	};

	if (!mkdtemp(dir))
		return 1;
	snprintf(path, sizeof(path), "%s/stockade-fenced.record", dir);
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	char out[64];

	snprintf(out, sizeof(out), "%s/said", dir);
	unlink(out);
	rmdir(dir);
	return failed;
}
