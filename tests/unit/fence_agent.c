/* SPDX-License-Identifier: GPL-3.0-or-later */
/* fenced/daemon/agent.c against real children: shell scripts that play good, bad and ugly agents.
 * Goal: the stdin API as agents expect it, nothing secret where it can be seen, only status' exit 2 is off (SAFE-3), exit codes
 * are read and words are not (SAFE-9), and two runs that could take each other's answer never run at once.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "fenced/daemon/agent.h"
#include "lib/shell/log.h"

static char dir[64];
static struct loop *loop;
static struct config cfg;
static struct config_node node;
static unsigned n_done, n_wanted;
static bool known_on; /* checks are of a member */
static struct {
	uint64_t id;
	bool check;
	struct agent_result res;
} got[16];

static void on_done(void *arg, uint64_t id, bool check, const struct agent_result *res)
{
	(void)arg;
	assert_true(n_done < 16);
	got[n_done].id = id;
	got[n_done].check = check;
	got[n_done++].res = *res;
	if (n_done == n_wanted)
		loop_stop(loop, 0);
}

static void on_guard(void *arg)
{
	(void)arg;
	loop_stop(loop, 1);
}

/* Run until @n results are there, 20 s at most. */
static void await(unsigned n)
{
	struct loop_timer *guard = loop_timer_new(loop, on_guard, NULL);

	n_wanted = n;
	loop_timer_arm(guard, mono_ms() + 20000);
	assert_int_equal(loop_run(loop), 0);
	loop_timer_free(guard);
	assert_int_equal(n_done, n);
}

static char *path_of(const char *name)
{
	static char path[4][128];
	static unsigned i;
	char *p = path[i++ % 4];

	snprintf(p, 128, "%s/%s", dir, name);
	return p;
}

static void put_file(const char *name, mode_t mode, const char *text)
{
	int fd = open(path_of(name), O_WRONLY | O_CREAT | O_TRUNC, mode);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	assert_int_equal(fchmod(fd, mode), 0);
	close(fd);
}

static char *file_text(const char *name)
{
	static char buf[8192];
	FILE *f = fopen(path_of(name), "r");

	assert_non_null(f);
	buf[fread(buf, 1, sizeof(buf) - 1, f)] = '\0';
	fclose(f);
	return buf;
}

/* An agent that keeps its stdin, arguments and environment, answers metadata, and then does @body with $action. */
static void put_agent(const char *name, const char *parameters, const char *actions,
		      const char *body)
{
	char text[4096];

	snprintf(
		text, sizeof(text),
		"#!/bin/sh\n"
		"in=$(cat); action=$(printf '%%s\\n' \"$in\" | sed -n 's/^action=//p')\n"
		"if [ \"$action\" = metadata ]; then\n"
		"printf '<resource-agent name=\"x\">%s<actions>%s</actions></resource-agent>\\n'; exit 0; fi\n"
		"printf '%%s\\n' \"$in\" > %s/stdin; printf '%%s ' \"$@\" > %s/argv; env > %s/env\n%s\n",
		parameters, actions, dir, dir, dir, body);
	put_file(name, 0755, text);
}

#define P(name) "<parameter name=\"" name "\"><content/></parameter>"
#define A(name) "<action name=\"" name "\"/>"

static unsigned add_device(const char *name, const char *agent)
{
	struct config_device *d = &cfg.device[cfg.n_devices];

	memset(d, 0, sizeof(*d));
	snprintf(d->name, sizeof(d->name), "%s", name);
	snprintf(d->agent, sizeof(d->agent), "%s", agent[0] == '/' ? agent : path_of(agent));
	return cfg.n_devices++;
}

static void add_param(unsigned device, const char *key, const char *value, bool secret)
{
	struct config_device *d = &cfg.device[device];
	struct config_param *p = &d->param[d->n_params++];

	memset(p, 0, sizeof(*p));
	snprintf(p->key, sizeof(p->key), "%s", key);
	snprintf(p->value, sizeof(p->value), "%s", value);
	p->secret_file = secret;
}

static struct config_fence_use use(unsigned device, const char *plug)
{
	struct config_fence_use u = { .device = device };

	snprintf(u.plug, sizeof(u.plug), "%s", plug);
	return u;
}

static int setup(void **state)
{
	(void)state;
	snprintf(dir, sizeof(dir), "/tmp/fence_agent.XXXXXX");
	assert_non_null(mkdtemp(dir));
	memset(&cfg, 0, sizeof(cfg));
	cfg.timing.fence_attempt_ms = 8000;
	memset(&node, 0, sizeof(node));
	snprintf(node.name, sizeof(node.name), "node2");
	node.id = 2;
	n_done = 0;
	known_on = false;
	loop = loop_new();
	assert_non_null(loop);
	return 0;
}

static int teardown(void **state)
{
	char cmd[128];

	(void)state;
	loop = loop_free(loop);
	snprintf(cmd, sizeof(cmd), "rm -rf %s", dir);
	return system(cmd);
}

static struct agent_result run_one(struct agents *a, unsigned device, const char *plug,
				   enum fence_agent_action action)
{
	struct config_fence_use u = use(device, plug);

	n_done = 0;
	agents_run(a, 7, &node, &u, action);
	await(1);
	assert_int_equal(got[0].id, 7);
	return got[0].res;
}

static struct agent_result check_one(struct agents *a, unsigned device, const char *plug)
{
	struct config_fence_use u = use(device, plug);

	n_done = 0;
	agents_check(a, 8, &node, &u, known_on);
	await(1);
	assert_true(got[0].check);
	return got[0].res;
}

static void parameters_and_secrets_go_to_stdin_only(void **state)
{
	(void)state;
	put_agent("fence_a", P("plug") P("port"), A("off") A("status"), "exit 0");
	put_file("secret", 0600, "s3cr3t word\n");
	unsigned d = add_device("bmc", "fence_a");

	add_param(d, "ip", "192.0.2.1", false);
	add_param(d, "password", path_of("secret"), true);
	struct agents *a = agents_new(loop, &cfg, on_done, NULL);
	struct agent_result r = run_one(a, d, "outlet 3", FENCE_AGENT_OFF);

	assert_int_equal(r.answer, FENCE_ANSWER_DONE);
	assert_string_equal(file_text("stdin"),
			    "action=off\nnodename=node2\nplug=outlet 3\nip=192.0.2.1\n"
			    "password=s3cr3t word\n");
	assert_string_equal(file_text("argv"), " ");
	assert_null(strstr(file_text("env"), "s3cr3t"));
	assert_null(strstr(r.text, "s3cr3t"));
	agents_free(a);
}

static void a_secret_that_others_can_read_is_refused_with_advice(void **state)
{
	(void)state;
	put_agent("fence_a", P("plug"), A("off"), "exit 0");
	put_file("secret", 0644, "x\n");
	unsigned d = add_device("bmc", "fence_a");

	add_param(d, "password", path_of("secret"), true);
	struct agents *a = agents_new(loop, &cfg, on_done, NULL);
	struct agent_result r = run_one(a, d, "", FENCE_AGENT_OFF);

	assert_int_equal(r.answer, FENCE_ANSWER_FAILED);
	assert_non_null(strstr(r.text, "bmc"));
	assert_non_null(strstr(r.text, path_of("secret")));
	r = run_one(a, d, "", FENCE_AGENT_STATUS);
	assert_int_equal(r.answer,
			 FENCE_ANSWER_UNKNOWN); /* SAFE-3: not read, so neither on nor off */
	agents_free(a);
}

/* The stock fence_xvm refuses a call with plug and port both (ref/fencing.md 1.15). */
static void exactly_one_of_plug_and_port_is_sent(void **state)
{
	static const struct {
		const char *name, *parameters, *want;
	} v[] = { { "fence_both", P("port") P("plug"), "plug=node2\n" },
		  { "fence_old", P("port"), "port=node2\n" },
		  { "fence_new", P("plug"), "plug=node2\n" } };

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		put_agent(v[i].name, v[i].parameters, A("off"), "exit 0");
		add_device(v[i].name, v[i].name);
	}
	struct agents *a = agents_new(loop, &cfg, on_done, NULL);

	for (unsigned i = 0; i < 3; i++) {
		char want[64];

		run_one(a, i, "node2", FENCE_AGENT_OFF);
		snprintf(want, sizeof(want), "action=off\nnodename=node2\n%s", v[i].want);
		assert_string_equal(file_text("stdin"), want);
	}
	agents_free(a);
}

static void only_exit_codes_count_and_the_rest_is_unknown(void **state)
{
	static const struct {
		enum fence_agent_action action;
		const char *body;
		enum fence_answer want;
	} v[] = {
		{ FENCE_AGENT_STATUS, "exit 0", FENCE_ANSWER_ON },
		{ FENCE_AGENT_STATUS, "exit 2", FENCE_ANSWER_OFF },
		{ FENCE_AGENT_STATUS, "echo Status: OFF; exit 1",
		  FENCE_ANSWER_UNKNOWN }, /* SAFE-9 */
		{ FENCE_AGENT_STATUS, "exit 3", FENCE_ANSWER_UNKNOWN },
		{ FENCE_AGENT_STATUS, "exit 255", FENCE_ANSWER_UNKNOWN },
		{ FENCE_AGENT_STATUS, "kill -9 $$", FENCE_ANSWER_UNKNOWN },
		{ FENCE_AGENT_OFF, "exit 0", FENCE_ANSWER_DONE },
		{ FENCE_AGENT_OFF, "echo Success: Powered OFF; exit 1", FENCE_ANSWER_FAILED },
		{ FENCE_AGENT_OFF, "exit 2", FENCE_ANSWER_FAILED },
		{ FENCE_AGENT_ON, "exit 0", FENCE_ANSWER_DONE },
		{ FENCE_AGENT_ON, "exit 1", FENCE_ANSWER_FAILED },
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(v) / sizeof(*v); i++) {
		char name[32];

		snprintf(name, sizeof(name), "fence_%u", i);
		put_agent(name, P("plug"), A("off") A("status"), v[i].body);
		add_device(name, name);
	}
	struct agents *a = agents_new(loop, &cfg, on_done, NULL);

	for (unsigned i = 0; i < sizeof(v) / sizeof(*v); i++)
		assert_int_equal(run_one(a, i, "", v[i].action).answer, v[i].want);
	agents_free(a);
}

static void a_timeout_is_a_timeout_and_names_its_limit(void **state)
{
	(void)state;
	put_agent("fence_slow", P("plug"), A("status"), "sleep 30; exit 2");
	unsigned d = add_device("slow", "fence_slow");

	cfg.timing.fence_attempt_ms = 300;
	struct agents *a = agents_new(loop, &cfg, on_done, NULL);
	struct agent_result r = run_one(a, d, "", FENCE_AGENT_STATUS);

	assert_int_equal(r.answer, FENCE_ANSWER_TIMEOUT);
	assert_string_equal(r.text, "slow: no answer to status within 300 ms");
	agents_free(a);
}

/* "off done", and something of it sleeps in the background, to act when the node has long booted again. */
static void what_an_agent_leaves_behind_is_killed(void **state)
{
	char path[64], line[256];
	pid_t pid;

	(void)state;
	put_agent("fence_leaves", P("plug"), A("off"),
		  "sleep 300 & echo $! > $(dirname $0)/left; exit 0");
	add_device("vm", "fence_leaves");
	struct agents *a = agents_new(loop, &cfg, on_done, NULL);
	struct agent_result r = run_one(a, 0, "2", FENCE_AGENT_OFF);

	assert_int_equal(r.answer, FENCE_ANSWER_DONE);
	assert_true(r.took_ms < 8000); /* nor is it waited for */
	pid = (pid_t)strtol(file_text("left"), NULL, 10);
	assert_true(pid > 0);
	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	for (int i = 0;; i++) { /* gone, or dead and waiting for whoever inherited it */
		FILE *f = fopen(path, "r");
		bool dead = !f || !fgets(line, sizeof(line), f) || strstr(line, ") Z ");

		if (f)
			fclose(f);
		if (dead)
			break;
		assert_true(i < 1000);
		usleep(10000);
	}
	agents_free(a);
}

static void an_agent_that_is_not_there_fails_with_its_name(void **state)
{
	(void)state;
	unsigned d = add_device("ghost", "fence_ghost");
	struct agents *a = agents_new(loop, &cfg, on_done, NULL);
	struct agent_result r = run_one(a, d, "", FENCE_AGENT_OFF);

	assert_int_equal(r.answer, FENCE_ANSWER_FAILED);
	assert_non_null(strstr(r.text, "ghost"));
	assert_non_null(strstr(r.text, "No such file"));
	r = check_one(a, d, "node2");
	assert_int_not_equal(r.answer, FENCE_ANSWER_DONE);
	agents_free(a);
}

static void failure_is_told_in_the_agents_last_words(void **state)
{
	(void)state;
	put_agent(
		"fence_a", P("plug"), A("off"),
		"echo 2026-01-01 INFO: executing >&2; printf '\\tUnable to connect\\007\\n\\n' >&2; exit 1");
	unsigned d = add_device("bmc", "fence_a");
	struct agents *a = agents_new(loop, &cfg, on_done, NULL);

	assert_string_equal(run_one(a, d, "", FENCE_AGENT_OFF).text,
			    "bmc: off failed (exit 1): Unable to connect");
	agents_free(a);
}

/* A plug that the device does not know must not look ready: the stock hypervisor calls it off (ref/fencing.md 1.13). */
static void a_check_wants_the_plug_in_the_list(void **state)
{
	(void)state;
	put_agent("fence_list", P("plug"), A("off") A("status") A("list"),
		  "[ $action = list ] || exit 2\n"
		  "echo 'node1            6695eb01-f6a4-8304-79aa-97f2502e193f on'\n"
		  "echo 'node22,alias22'; echo 'node3,alias3'");
	unsigned d = add_device("vm", "fence_list");
	struct agents *a = agents_new(loop, &cfg, on_done, NULL);

	assert_int_equal(check_one(a, d, "node1").answer, FENCE_ANSWER_DONE);
	assert_int_equal(check_one(a, d, "alias3").answer, FENCE_ANSWER_DONE);
	assert_int_equal(check_one(a, d, "6695EB01-F6A4-8304-79AA-97F2502E193F").answer,
			 FENCE_ANSWER_DONE);
	struct agent_result r = check_one(a, d, "node2");

	assert_int_equal(r.answer, FENCE_ANSWER_FAILED);
	assert_string_equal(r.text, "vm: the device does not list plug node2");
	agents_free(a);
}

static void a_check_without_a_list_asks_the_status(void **state)
{
	(void)state;
	put_agent("fence_status", P("plug"), A("off") A("status"),
		  "[ $action = status ] && exit 2; exit 1");
	put_agent("fence_monitor", P("plug"), A("off") A("monitor"),
		  "[ $action = monitor ] && exit 0; exit 1");
	put_agent("fence_dead", P("plug"), A("off") A("status"), "exit 1");
	for (const char **n =
		     (const char *[]){ "fence_status", "fence_monitor", "fence_dead", NULL };
	     *n; n++)
		add_device(*n, *n);
	struct agents *a = agents_new(loop, &cfg, on_done, NULL);

	assert_int_equal(check_one(a, 0, "node2").answer,
			 FENCE_ANSWER_DONE); /* off, and it answers: the path works */
	assert_int_equal(check_one(a, 1, "node2").answer, FENCE_ANSWER_DONE);
	assert_int_equal(check_one(a, 2, "node2").answer, FENCE_ANSWER_UNKNOWN);
	agents_free(a);
}

/* fence-agents#519: the plug exists, the device answers, and it is another machine's: found before it is needed (SAFE-6). */
static void a_check_compares_the_status_with_what_is_known(void **state)
{
	(void)state;
	put_agent("fence_list", P("plug"), A("off") A("status") A("list"),
		  "[ $action = list ] && echo 'node1,x' && echo 'node2,y' && exit 0\n"
		  "grep -q plug=node1 $(dirname $0)/stdin && exit 0; exit 2");
	put_agent("fence_plain", P("plug"), A("off") A("status"), "exit 2");
	put_agent("fence_mute", P("plug"), A("off") A("status") A("list"),
		  "[ $action = list ] && echo node1 && exit 0; exit 1");
	add_device("vm", "fence_list");
	add_device("bmc", "fence_plain");
	add_device("pdu", "fence_mute");
	struct agents *a = agents_new(loop, &cfg, on_done, NULL);

	known_on = true;
	assert_int_equal(check_one(a, 0, "node1").answer, FENCE_ANSWER_DONE);
	struct agent_result r = check_one(a, 0, "node2");

	assert_int_equal(r.answer, FENCE_ANSWER_FAILED);
	assert_string_equal(
		r.text,
		"vm: says that node2 is off, but it is a member: the plug is another machine's");
	assert_int_equal(check_one(a, 1, "").answer, FENCE_ANSWER_FAILED);
	assert_int_equal(check_one(a, 2, "node1").answer, FENCE_ANSWER_UNKNOWN);
	known_on = false; /* of a node that is down both words are right */
	assert_int_equal(check_one(a, 0, "node2").answer, FENCE_ANSWER_DONE);
	assert_int_equal(check_one(a, 1, "").answer, FENCE_ANSWER_DONE);
	agents_free(a);
}

static void a_nodes_own_parameters_go_before_the_devices(void **state)
{
	(void)state;
	put_agent("fence_a", P("plug"), A("off") A("status"), "exit 0");
	unsigned d = add_device("bmc", "fence_a");

	add_param(d, "lanplus", "1", false);
	add_param(d, "username", "all", false);
	snprintf(cfg.use_param[0].key, CONFIG_NAME_MAX, "username");
	snprintf(cfg.use_param[0].value, CONFIG_NAME_MAX, "own");
	snprintf(cfg.use_param[1].key, CONFIG_NAME_MAX, "cipher");
	snprintf(cfg.use_param[1].value, CONFIG_NAME_MAX, "17");
	struct agents *a = agents_new(loop, &cfg, on_done, NULL);
	struct config_fence_use u = use(d, "4");

	u.n_params = 2;
	agents_run(a, 1, &node, &u, FENCE_AGENT_OFF);
	await(1);
	assert_string_equal(file_text("stdin"), "action=off\nnodename=node2\nplug=4\nlanplus=1\n"
						"username=own\ncipher=17\n");
	agents_free(a);
}

/* Each run leaves a mark at its start and end; a mark of another in between is an overlap. */
#define MARKS \
	"echo begin >> $(dirname $0)/marks; sleep 0.2; echo end >> $(dirname $0)/marks; exit 0"

static void stock_agents_that_are_called_back_never_run_at_once(void **state)
{
	(void)state;
	put_agent("fence_xvm", P("plug"), A("off") A("status"), MARKS);
	for (unsigned i = 0; i < 3; i++) {
		char name[16];

		snprintf(name, sizeof(name), "vm%u", i);
		add_device(name, "fence_xvm");
	}
	struct agents *a = agents_new(loop, &cfg, on_done, NULL);

	for (unsigned i = 0; i < 3; i++) {
		struct config_fence_use u = use(i, "x");

		agents_run(a, 100 + i, &node, &u, FENCE_AGENT_OFF);
	}
	await(3);
	assert_string_equal(file_text("marks"), "begin\nend\nbegin\nend\nbegin\nend\n");
	agents_free(a);
}

/* One hypervisor that does not answer must not keep the other from being asked. */
static void our_fence_xvm_runs_at_once_on_two_hypervisors(void **state)
{
	(void)state;
	/* each waits for the other's mark: one after the other, neither would end well */
	put_agent(
		"fence_xvm", P("plug") P("hypervisors"), A("off") A("status"),
		"plug=$(printf '%s\\n' \"$in\" | sed -n 's/^plug=//p'); touch $(dirname $0)/$plug\n"
		"for i in $(seq 100); do [ -e $(dirname $0)/a ] && [ -e $(dirname $0)/b ] "
		"&& exit 0; sleep 0.05; done; exit 1");
	add_device("vm1", "fence_xvm");
	add_device("vm2", "fence_xvm");
	struct agents *a = agents_new(loop, &cfg, on_done, NULL);
	struct config_fence_use u1 = use(0, "a"), u2 = use(1, "b");

	agents_run(a, 1, &node, &u1, FENCE_AGENT_OFF);
	agents_run(a, 2, &node, &u2, FENCE_AGENT_OFF);
	await(2);
	for (unsigned i = 0; i < 2; i++)
		assert_int_equal(got[i].res.answer, FENCE_ANSWER_DONE);
	agents_free(a);
}

static void parameters_that_do_not_fit_are_an_error(void **state)
{
	(void)state;
	put_agent("fence_bmc", P("plug"), A("off"), "exit 0");
	unsigned d = add_device("bmc", "fence_bmc");
	struct agents *a = agents_new(loop, &cfg, on_done, NULL);
	char text[4096];

	memset(text, 'x', sizeof(text));
	text[4000] = '\0';
	put_file("secret", 0600, text);
	for (unsigned i = 0; i < 5; i++) {
		char key[16];

		snprintf(key, sizeof(key), "password%u", i);
		add_param(d, key, path_of("secret"), true);
	}
	run_one(a, d, "4", FENCE_AGENT_OFF);
	assert_int_equal(got[0].res.answer, FENCE_ANSWER_FAILED);
	assert_non_null(strstr(got[0].res.text, "longer than"));
	agents_free(a);
}

static void as_many_run_at_once_as_the_device_allows(void **state)
{
	(void)state;
	put_agent(
		"fence_bmc", P("plug"), A("off"),
		"echo begin >> $(dirname $0)/marks\n"
		"for i in $(seq 50); do [ $(wc -l < $(dirname $0)/marks) -ge 2 ] && break; sleep 0.1; done\n"
		"n=$(grep -c begin $(dirname $0)/marks); e=$(grep -c end $(dirname $0)/marks)\n"
		"sleep 0.3; echo end >> $(dirname $0)/marks; [ $((n - e)) -le 2 ]");
	unsigned d = add_device("pdu", "fence_bmc");

	cfg.device[d].concurrency = 2;
	struct agents *a = agents_new(loop, &cfg, on_done, NULL);
	struct config_fence_use u = use(d, "1");

	run_one(a, d, "1", FENCE_AGENT_OFF); /* its metadata is known then */
	n_done = 0;
	assert_int_equal(unlink(path_of("marks")), 0);
	for (unsigned i = 0; i < 4; i++)
		agents_run(a, 1 + i, &node, &u, FENCE_AGENT_OFF);
	await(4);
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(got[i].res.answer, FENCE_ANSWER_DONE);
	char *marks = file_text("marks");

	assert_true(strncmp(marks, "begin\nbegin\n", 12) == 0); /* two at once */
	assert_null(strstr(marks, "begin\nbegin\nbegin"));      /* never three */
	agents_free(a);
}

static void other_devices_run_side_by_side(void **state)
{
	(void)state;
	/* each waits for the other's mark: one after the other, neither would end well */
	put_agent(
		"fence_bmc", P("plug"), A("off"),
		"echo begin >> $(dirname $0)/marks\n"
		"for i in $(seq 100); do [ $(wc -l < $(dirname $0)/marks) = 2 ] && exit 0; sleep 0.1; done\n"
		"exit 1");
	add_device("bmc1", "fence_bmc");
	add_device("bmc2", "fence_bmc");
	struct agents *a = agents_new(loop, &cfg, on_done, NULL);
	struct config_fence_use u1 = use(0, ""), u2 = use(1, "");

	agents_run(a, 1, &node, &u1, FENCE_AGENT_OFF);
	agents_run(a, 2, &node, &u2, FENCE_AGENT_OFF);
	await(2);
	assert_int_equal(got[0].res.answer, FENCE_ANSWER_DONE);
	assert_int_equal(got[1].res.answer, FENCE_ANSWER_DONE);
	agents_free(a);
}

static void fencing_goes_before_checks_and_cancelled_jobs_are_not_heard(void **state)
{
	(void)state;
	put_agent("fence_a", P("plug"), A("off") A("status"), "sleep 0.3; exit 0");
	unsigned d = add_device("bmc", "fence_a");
	struct agents *a = agents_new(loop, &cfg, on_done, NULL);
	struct config_fence_use u = use(d, "");

	agents_run(a, 1, &node, &u, FENCE_AGENT_STATUS);
	agents_check(a, 2, &node, &u, false);
	agents_check(a, 3, &node, &u, false);
	agents_run(a, 4, &node, &u, FENCE_AGENT_OFF);
	agents_cancel(a, 3); /* waits */
	agents_cancel(a, 1); /* runs: killed */
	await(2);
	assert_int_equal(got[0].id, 4);
	assert_int_equal(got[1].id, 2);
	agents_free(a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(parameters_and_secrets_go_to_stdin_only, setup,
						teardown),
		cmocka_unit_test_setup_teardown(
			a_secret_that_others_can_read_is_refused_with_advice, setup, teardown),
		cmocka_unit_test_setup_teardown(exactly_one_of_plug_and_port_is_sent, setup,
						teardown),
		cmocka_unit_test_setup_teardown(only_exit_codes_count_and_the_rest_is_unknown,
						setup, teardown),
		cmocka_unit_test_setup_teardown(a_timeout_is_a_timeout_and_names_its_limit, setup,
						teardown),
		cmocka_unit_test_setup_teardown(what_an_agent_leaves_behind_is_killed, setup,
						teardown),
		cmocka_unit_test_setup_teardown(an_agent_that_is_not_there_fails_with_its_name,
						setup, teardown),
		cmocka_unit_test_setup_teardown(failure_is_told_in_the_agents_last_words, setup,
						teardown),
		cmocka_unit_test_setup_teardown(a_check_wants_the_plug_in_the_list, setup,
						teardown),
		cmocka_unit_test_setup_teardown(a_check_without_a_list_asks_the_status, setup,
						teardown),
		cmocka_unit_test_setup_teardown(our_fence_xvm_runs_at_once_on_two_hypervisors,
						setup, teardown),
		cmocka_unit_test_setup_teardown(parameters_that_do_not_fit_are_an_error, setup,
						teardown),
		cmocka_unit_test_setup_teardown(stock_agents_that_are_called_back_never_run_at_once,
						setup, teardown),
		cmocka_unit_test_setup_teardown(a_check_compares_the_status_with_what_is_known,
						setup, teardown),
		cmocka_unit_test_setup_teardown(a_nodes_own_parameters_go_before_the_devices, setup,
						teardown),
		cmocka_unit_test_setup_teardown(as_many_run_at_once_as_the_device_allows, setup,
						teardown),
		cmocka_unit_test_setup_teardown(other_devices_run_side_by_side, setup, teardown),
		cmocka_unit_test_setup_teardown(
			fencing_goes_before_checks_and_cancelled_jobs_are_not_heard, setup,
			teardown),
	};

	log_open("fence_agent", false);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
