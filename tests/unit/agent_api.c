/* SPDX-License-Identifier: GPL-3.0-or-later */
/* fence_agents/lib on a toy device: what every agent of ours makes of stdin and options, what it prints and returns.
 * Goal: the ClusterLabs API, without the traps that others fell into (ref/fencing.md 1.15, 6): a value is never cut, an empty action
 * never reboots, unknown is never off (SAFE-3), a device that lies is found out. Method: agent_main() in a forked child.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "fence_agents/lib/agent_priv.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/target.h"

/* The toy: two plugs, a lamp each; shared with the child. */
static struct toy {
	enum agent_power lamp[2];
	bool mute;        /* status cannot be read */
	bool liar;        /* set() says ok and does nothing */
	bool lost_answer; /* set() acts and then fails */
	int slow;         /* status reads the old state so often after a set */
	int dark;         /* and off so often after a cycle */
	bool opens_badly;
	unsigned opened, closed, sets, offs, ons, cycles;
	char said[256]; /* the password, as the device heard it */
} * toy;

static int toy_which(const char *plug)
{
	return strcmp(plug, "a b") == 0 ? 0 : strcmp(plug, "two") == 0 ? 1 : -1;
}

static int toy_open(struct agent *a)
{
	toy->opened++;
	snprintf(toy->said, sizeof(toy->said), "%s",
		 agent_get(a, "password") ? agent_get(a, "password") : "");
	return toy->opens_badly ? agent_error(a, EACCES, "login refused: check password") : 0;
}

static void toy_close(struct agent *a)
{
	(void)a;
	toy->closed++;
}

static int toy_status(struct agent *a, const char *plug, enum agent_power *ret)
{
	int i = toy_which(plug);

	if (toy->mute)
		return agent_error(a, EIO, "the toy does not answer");
	if (i < 0)
		return AGENT_MISSING;
	*ret = toy->lamp[i];
	if (toy->slow > 0 && toy->sets > 0 && toy->slow--)
		*ret = toy->lamp[i] == AGENT_ON ? AGENT_OFF : AGENT_ON;
	if (toy->dark > 0 && toy->dark--)
		*ret = AGENT_OFF;
	return 0;
}

static int toy_set(struct agent *a, const char *plug, enum agent_power to, enum agent_power *seen)
{
	int i = toy_which(plug);

	(void)seen;
	toy->sets++;
	*(to == AGENT_ON ? &toy->ons : &toy->offs) += 1;
	if (!toy->liar && i >= 0)
		toy->lamp[i] = to;
	return toy->lost_answer ? agent_error(a, ETIMEDOUT, "no answer to the order") : 0;
}

static int toy_cycle(struct agent *a, const char *plug, enum agent_power *seen)
{
	(void)a;
	(void)plug;
	(void)seen;
	toy->cycles++;
	if (!toy->liar)
		toy->dark = 2;
	return 0;
}

static int toy_list(struct agent *a)
{
	agent_list_row(a, "a b", "first", toy->lamp[0]);
	if (toy->mute)
		return agent_error(a, EIO, "the list broke off");
	agent_list_row(a, "two", NULL, toy->lamp[1]);
	return 0;
}

static int toy_diag(struct agent *a, const char *plug)
{
	(void)a;
	printf("diag %s\n", plug);
	return AGENT_EXIT_OK;
}

static const struct agent_param toy_params[] = {
	{ .name = "color",
	  .type = AGENT_SELECT,
	  .letter = 'C', /* goes before the library's separator */
	  .value = "red",
	  .select = (const char *const[]){ "red", "green", NULL },
	  .text = "Colour of the <lamp> & \"switch\"" },
	{ .name = "debug", .type = AGENT_LEVEL, .letter = 'd', .text = "More words" },
	{ 0 },
};
static const struct agent_action toy_actions[] = { { "diag", true, false, toy_diag }, { 0 } };

static struct agent_def toy_def = {
	.name = "fence_toy",
	.short_text = "A toy",
	.text = "Two <lamps>.",
	.param = toy_params,
	.action = toy_actions,
	.common = AGENT_HAS_PLUG | AGENT_HAS_LOGIN | AGENT_HAS_METHOD,
	.open = toy_open,
	.close = toy_close,
	.status = toy_status,
	.set = toy_set,
	.cycle = toy_cycle,
	.list = toy_list,
};

static struct run {
	int code;
	char out[32768], err[4096];
} got;

static void slurp(FILE *f, char *to, size_t len)
{
	rewind(f);
	to[fread(to, 1, len - 1, f)] = '\0';
	fclose(f);
}

/* @in: stdin; @args: options, NULL-terminated, or NULL. */
static void run(const char *in, const char *const *args)
{
	FILE *i = tmpfile(), *o = tmpfile(), *e = tmpfile();
	char *argv[16] = { (char *)"fence_toy" };
	int argc = 1, status;

	fputs(in, i);
	fflush(i);
	rewind(i);
	for (; args && *args; args++)
		argv[argc++] = strdup(*args);
	pid_t pid = fork();

	if (pid == 0) {
		dup2(fileno(i), 0);
		dup2(fileno(o), 1);
		dup2(fileno(e), 2);
		stdin = fdopen(0, "r");
		stdout = fdopen(1, "w");
		int code = agent_main(&toy_def, argc, argv);

		fflush(NULL);
		_exit(code);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	while (argc > 1)
		free(argv[--argc]);
	assert_true(WIFEXITED(status));
	got.code = WEXITSTATUS(status);
	fclose(i);
	slurp(o, got.out, sizeof(got.out));
	slurp(e, got.err, sizeof(got.err));
}

static int fresh(void **state)
{
	(void)state;
	if (!toy)
		toy = mmap(NULL, sizeof(*toy), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
			   -1, 0);
	memset(toy, 0, sizeof(*toy));
	toy->lamp[0] = toy->lamp[1] = AGENT_ON;
	toy_def.flags = 0;
	return 0;
}

#define OPTIONS(...) ((const char *const[]){ __VA_ARGS__, NULL })
#define EXPECT(c, o, e)                              \
	do {                                         \
		assert_string_equal(got.out, o);     \
		assert_non_null(strstr(got.err, e)); \
		assert_int_equal(got.code, c);       \
	} while (0)

static unsigned lines(const char *s)
{
	unsigned n = 0;

	for (; *s; s++)
		n += *s == '\n';
	return n;
}

/* The stock client cuts a value at its first blank: the wrong machine, or the default action. */
static void blanks_do_not_cut_a_value(void **state)
{
	(void)state;
	run("action = status\nport=a b\n", NULL);
	EXPECT(0, "Status: ON\n", "");
	run("  action\t=\toff  \r\n  plug =  \"a b\"  \n", NULL);
	EXPECT(0, "Success: Powered OFF\n", "");
	assert_int_equal(toy->lamp[0], AGENT_OFF);
	assert_int_equal(toy->lamp[1], AGENT_ON);
	run("plug=a\naction=off\n", NULL);
	EXPECT(1, "", "no plug a");
	assert_int_equal(toy->offs, 1);
}

static void empty_or_doubtful_action_does_nothing(void **state)
{
	static const char *const doubtful[] = {
		"action=\nplug=two\n",
		"action=   \nplug=two\n",
		"action=\"\"\nplug=two\n",
		"action=status\noption=off\nplug=two\n",
		"action=of\nplug=two\n",
		"action=status off\nplug=two\n",
		"action=off\nplug=two\nport=a b\n",
		"action=off\n",
		"action=off\nplug=\n",
		"action=off\nplug=two\ndelay=soon\n",
		"action=off\nplug=two\ncolor=blue\n",
		"action=off\nplug=two\nquiet=perhaps\n",
		"action=off\nplug=two\nretry_on=5000\n",
		"action=off\nplug=two\npower_timeout=-1\n",
		"action=off\nplug=two\npower_timeout=99999999999999999999\n",
		"plug=three\n",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(doubtful); i++) {
		run(doubtful[i], NULL);
		EXPECT(1, "", "fence_toy: ");
		assert_int_equal(toy->sets + toy->cycles, 0);
	}
	run("", OPTIONS("-o", "", "-n", "two"));
	assert_int_equal(got.code, 1);
	run("", OPTIONS("-o", "off", "-n", "two", "junk"));
	EXPECT(1, "", "junk is no option");
	run("", OPTIONS("-o", "off", "-n", "two", "--bogus"));
	EXPECT(1, "", "--bogus is no option");
	run("", OPTIONS("-n"));
	EXPECT(1, "", "needs an argument");
	assert_int_equal(toy->sets, 0);
}

static void two_names_of_one_value_agree(void **state)
{
	(void)state;
	run("option=status\naction=status\nport=two\nplug=two\n", NULL);
	EXPECT(0, "Status: ON\n", "");
	/* the same name again: the last one counts */
	run("plug=three\nplug=two\naction=off\naction=status\n", NULL);
	EXPECT(0, "Status: ON\n", "");
}

static void what_is_not_ours_is_a_warning_at_most(void **state)
{
	(void)state;
	run("# x\n\nnodename=n1\nself=n2\nagent=fence_toy\npcmk_host_list=x\naction=STATUS\nplug=two\n",
	    NULL);
	EXPECT(0, "Status: ON\n", "");
	assert_string_equal(got.err, "");
	run("action=status\nplug=two\nunheard=1\nno equals sign\n", NULL);
	EXPECT(0, "Status: ON\n", "unknown parameter unheard");
	/* the API: names may use - or _ */
	run("action=status\nplug=two\npower-timeout=3s\ninet4_only=\n", NULL);
	assert_int_equal(got.code, 0);
}

static void status_is_three_valued(void **state)
{
	(void)state;
	toy->lamp[1] = AGENT_OFF;
	run("action=status\nplug=two\n", NULL);
	EXPECT(2, "Status: OFF\n", "");
	toy->mute = true;
	run("action=status\nplug=two\n", NULL);
	EXPECT(1, "", "the toy does not answer");
	assert_int_equal(lines(got.err), 1);
	toy->mute = false;
	toy->lamp[1] = AGENT_UNKNOWN;
	run("action=status\nplug=two\n", NULL);
	EXPECT(1, "", "state of two is unknown");
	/* a plug that is not there is not off, unless somebody says so in so many words */
	run("action=status\nplug=nine\n", NULL);
	EXPECT(1, "", "no plug nine");
	run("action=off\nplug=nine\n", NULL);
	EXPECT(1, "", "no plug nine");
	run("action=status\nplug=nine\nmissing_as_off=yes\n", NULL);
	EXPECT(2, "Status: OFF\n", "taken as off");
	/* of two, off is when both are */
	toy->lamp[1] = AGENT_OFF;
	run("action=status\nplug=two,a b\n", NULL);
	EXPECT(0, "Status: ON\n", "");
	toy->lamp[0] = AGENT_OFF;
	run("action=status\nplug=two , a b\n", NULL);
	EXPECT(2, "Status: OFF\n", "");
}

static void off_is_done_when_it_reads_off(void **state)
{
	(void)state;
	toy->slow = 2;
	run("action=off\nplug=two\n", NULL);
	EXPECT(0, "Success: Powered OFF\n", "");
	run("action=off\nplug=two\n", NULL);
	EXPECT(0, "Success: Already OFF\n", "");
	assert_int_equal(toy->offs, 1);
	assert_int_equal(toy->opened, toy->closed);

	fresh(NULL);
	toy->liar = true;
	run("action=off\nplug=two\npower_timeout=0\n", NULL);
	EXPECT(1, "", "still on");
	run("action=off\nplug=two,a b\npower_timeout=1\n", NULL);
	EXPECT(1, "", "still on");

	fresh(NULL);
	toy->mute = true; /* off is tried, but nobody saw it */
	run("action=off\nplug=two\npower_timeout=0\n", NULL);
	EXPECT(1, "", "does not answer");
	assert_int_equal(toy->lamp[1], AGENT_OFF);

	fresh(NULL);
	toy->lost_answer = true; /* the look afterwards says what is so */
	run("action=off\nplug=two\n", NULL);
	EXPECT(0, "Success: Powered OFF\n", "reads off");
	toy->liar = true;
	run("action=off\nplug=a b\n", NULL);
	EXPECT(1, "", "no answer to the order");
}

static void reboot_is_off_then_on(void **state)
{
	(void)state;
	run("plug=two\n", NULL);
	EXPECT(0, "Success: Rebooted\n", "");
	assert_int_equal(toy->offs, 1);
	assert_int_equal(toy->ons, 1);
	assert_int_equal(toy->lamp[1], AGENT_ON);
	run("action=reboot\nplug=two\nmethod=CYCLE\n", NULL);
	EXPECT(0, "Success: Rebooted\n", "");
	assert_int_equal(toy->cycles, 1);
	assert_int_equal(toy->dark, 0);
	toy->liar = true; /* SAFE-3: "ok" and nothing done is no reboot */
	run("action=reboot\nplug=two\nmethod=cycle\npower_timeout=0\n", NULL);
	EXPECT(1, "", "nobody saw it off");
	run("action=reboot\nplug=two\npower_timeout=0\n", NULL);
	EXPECT(1, "", "still on");
	assert_int_equal(toy->ons, 1);
	/* off is what counts: a machine that does not come up again was fenced all the same */
	toy->lamp[1] = AGENT_OFF;
	run("action=reboot\nplug=two\npower_timeout=0\nretry_on=2\n", NULL);
	EXPECT(0, "Success: Rebooted\n", "did not go on again");
	assert_int_equal(toy->ons, 4);
}

static void fabric_has_no_reboot_and_default_off(void **state)
{
	(void)state;
	toy_def.flags = AGENT_FABRIC | AGENT_ON_AUTOMATIC | AGENT_ALWAYS;
	toy_def.cycle = NULL;
	run("plug=two\n", NULL);
	EXPECT(0, "Success: Powered OFF\n", "");
	run("plug=two\naction=reboot\n", NULL);
	EXPECT(1, "", "action reboot is unknown");
	run("plug=two\naction=enable\n", NULL);
	EXPECT(0, "Success: Powered ON\n", "");
	run("plug=two\naction=on\n", NULL);
	EXPECT(0, "Success: Powered ON\n", "");
	assert_int_equal(toy->ons, 2);
	run("action=metadata\n", NULL);
	assert_non_null(strstr(got.out, "<action name=\"on\" on_target=\"1\" automatic=\"1\" />"));
	assert_null(strstr(got.out, "\"reboot\""));
	toy_def.cycle = toy_cycle;
}

static void list_is_whole_or_none(void **state)
{
	(void)state;
	toy->lamp[1] = AGENT_OFF;
	run("action=list\n", NULL);
	EXPECT(0, "a b,first\ntwo,\n", "");
	run("", OPTIONS("-o", "list-status", "--separator=;"));
	EXPECT(0, "a b;first;ON\ntwo;;OFF\n", "");
	toy->mute = true;
	run("action=list\n", NULL);
	EXPECT(1, "", "broke off");
}

/* fence-agents 519: monitor said ok about a plug that the device does not know. */
static void monitor_knows_its_plug(void **state)
{
	(void)state;
	run("action=monitor\n", NULL);
	EXPECT(0, "", "");
	run("action=monitor\nplug=FIRST\n", NULL);
	EXPECT(0, "", "");
	run("action=monitor\nplug=gone\n", NULL);
	EXPECT(1, "", "does not list plug gone");
	toy->opens_badly = true;
	run("action=monitor\n", NULL);
	EXPECT(1, "", "login refused");
	assert_int_equal(toy->opened, toy->closed);
}

static void secrets_stay_secret(void **state)
{
	char script[] = "/tmp/agent_api.XXXXXX";
	char in[256];
	int fd = mkstemp(script);

	(void)state;
	run("action=status\nplug=two\npassword= a \"b=c #1 \nverbose=1\n", NULL);
	assert_string_equal(toy->said, "a \"b=c #1");
	assert_null(strstr(got.err, "b=c"));
	run("action=status\nplug=two\npasswd=\" x \"\n", NULL);
	assert_string_equal(toy->said, " x ");
	run("action=status\nplug=two\npasswd=hidden1\npassword=hidden2\n", NULL);
	assert_int_equal(got.code, 1);
	assert_null(strstr(got.err, "hidden"));

	assert_true(fd >= 0);
	assert_true(dprintf(fd, "#!/bin/sh\nprintf '%%s %%s\\n' from \"$1\"\nexit 0\n") > 0);
	assert_int_equal(fchmod(fd, 0700), 0);
	close(fd);
	snprintf(in, sizeof(in), "action=status\nplug=two\npassword_script=%s ;id\n", script);
	run(in, NULL);
	assert_string_equal(toy->said, "from ;id");
	run("action=status\nplug=two\npassword_script=/nowhere/x\n", NULL);
	EXPECT(1, "", "cannot be run");
	run("action=status\nplug=two\npassword_script=/bin/false\n", NULL);
	EXPECT(1, "", "failed (exit 1)");
	unlink(script);
}

static void options_say_the_same(void **state)
{
	(void)state;
	run("", OPTIONS("-o", "status", "-n", "a b", "-vv", "-d", "-C", "GREEN"));
	EXPECT(0, "Status: ON\n", "status of a b: on");
	run("", OPTIONS("--action=status", "--plug", "two", "--port=two", "--power-timeout=3"));
	EXPECT(0, "Status: ON\n", "");
	run("", OPTIONS("-o", "diag", "-n", "two"));
	EXPECT(0, "diag two\n", "");
	run("", OPTIONS("--version"));
	EXPECT(0, "fence_toy (stockade) " STOCKADE_VERSION "\n", "");
	run("", OPTIONS("-?"));
	assert_int_equal(got.code, 0);
	assert_non_null(strstr(got.out, "Usage: fence_toy"));
	/* stdin is not read when there are options */
	run("action=off\nplug=two\n", OPTIONS("-o", "status", "-n", "two"));
	EXPECT(0, "Status: ON\n", "");
	run("action=validate-all\nplug=two\n", NULL);
	EXPECT(0, "", "");
	assert_int_equal(toy->offs, 0);
}

static void metadata_says_what_callers_look_for(void **state)
{
	static const char *const want[] = {
		"<resource-agent name=\"fence_toy\"",
		"<parameter name=\"action\" unique=\"0\" required=\"1\">",
		"<parameter name=\"plug\" unique=\"0\" required=\"0\" obsoletes=\"port\">",
		"<parameter name=\"port\" unique=\"0\" required=\"0\" deprecated=\"1\">",
		"<getopt mixed=\"-n, --plug=[name]\" />",
		"<content type=\"select\" default=\"red\" >",
		"Colour of the &lt;lamp&gt; &amp; &quot;switch&quot;",
		"<getopt mixed=\"-C, --color=[value]\" />",
		"<getopt mixed=\"--separator=[char]\" />",
		"<getopt mixed=\"-S, --password-script=[program]\" />",
		"<action name=\"on\" automatic=\"0\" />",
		"<action name=\"list-status\" />",
		"<action name=\"diag\" />",
	};

	(void)state;
	run("action=meta-data\n", NULL);
	assert_int_equal(got.code, 0);
	for (size_t i = 0; i < ARRAY_SIZE(want); i++)
		if (!strstr(got.out, want[i]))
			fail_msg("metadata lacks %s:\n%s", want[i], got.out);
	/* debug is the toy's own here, no longer an old name of debug_file */
	assert_null(strstr(got.out, "obsoletes=\"debug\""));
	assert_int_equal(toy->opened, 0);
}

static void damaged_stdin_is_taken_or_refused_whole(void **state)
{
	static const char text[] = "action=off\nport=\"two\"\npassword=a=b\ncolor=green\ndelay=5s\n"
				   "verbose=2\nquiet=yes\n# comment\nx=y\n";
	int err = dup(2);
	FILE *null = freopen("/dev/null", "w", stderr);

	(void)state;
	assert_non_null(null);
	struct fuzz_tally t = fuzz_run(&(struct fuzz){
		.sample = text, .len = sizeof(text) - 1, .decode = fuzz_agent_stdin });

	assert_true(fuzz_corpus("agent") > 0);
	dup2(err, 2);
	close(err);
	assert_true(t.taken > 0);
	assert_true(t.refused > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(blanks_do_not_cut_a_value, fresh),
		cmocka_unit_test_setup(empty_or_doubtful_action_does_nothing, fresh),
		cmocka_unit_test_setup(two_names_of_one_value_agree, fresh),
		cmocka_unit_test_setup(what_is_not_ours_is_a_warning_at_most, fresh),
		cmocka_unit_test_setup(status_is_three_valued, fresh),
		cmocka_unit_test_setup(off_is_done_when_it_reads_off, fresh),
		cmocka_unit_test_setup(reboot_is_off_then_on, fresh),
		cmocka_unit_test_setup(fabric_has_no_reboot_and_default_off, fresh),
		cmocka_unit_test_setup(list_is_whole_or_none, fresh),
		cmocka_unit_test_setup(monitor_knows_its_plug, fresh),
		cmocka_unit_test_setup(secrets_stay_secret, fresh),
		cmocka_unit_test_setup(options_say_the_same, fresh),
		cmocka_unit_test_setup(metadata_says_what_callers_look_for, fresh),
		cmocka_unit_test_setup(damaged_stdin_is_taken_or_refused_whole, fresh),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
