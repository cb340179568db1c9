/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Running fence agents: only the agent API's exit codes are believed, never the words (SAFE-9); all else is unknown or
 * failed (SAFE-3); secrets reach stdin and nothing else. The agents here are scripts that lie, hang, and write down what
 * they were given. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fenced/daemon/agent.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char dir[] = "/tmp/stockade-agents-XXXXXX";

struct play {
	struct loop *loop;
	struct config *cfg;
	struct agents *agents;
	struct agent_result res;
	unsigned n;
};

static void on_done(void *arg, uint64_t id, bool check, const struct agent_result *res)
{
	struct play *p = arg;

	(void)id;
	(void)check;
	p->res = *res;
	p->n++;
	loop_stop(p->loop, 0);
}

static void write_file(const char *name, mode_t mode, const char *text)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	unlink(path);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL, mode);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	fchmod(fd, mode);
	close(fd);
}

/* @body runs with $action set and everything that came by stdin in the file "in". */
static void agent_is(const char *meta, const char *body)
{
	char text[2048];

	snprintf(text, sizeof(text),
		 "#!/bin/sh\nin=$(cat)\naction=$(echo \"$in\" | sed -n 's/^action=//p')\n"
		 "if [ $action = metadata ]; then cat <<'X'\n%s\nX\nexit 0; fi\n"
		 "echo \"$in\" >%s/in; tr '\\0' ' ' </proc/$$/cmdline >%s/argv; env >%s/env\n%s\n",
		 meta, dir, dir, dir, body);
	write_file("agent", 0755, text);
}

static const char META[] =
	"<resource-agent name=\"fence_test\"><parameters><parameter name=\"plug\"/></parameters>"
	"<actions><action name=\"off\"/><action name=\"status\"/><action name=\"list\"/></actions>"
	"</resource-agent>";
static const char META_OLD[] =
	"<resource-agent name=\"fence_test\"><parameters><parameter name=\"port\"/></parameters>"
	"<actions><action name=\"off\"/><action name=\"status\"/></actions></resource-agent>";

static void begin(struct play *p)
{
	char text[1024];

	write_file("secret", 0600, "s3cr3t\n");
	snprintf(
		text, sizeof(text),
		"cluster: t\ndetect: 3s\nfence_timeout: 1s\n"
		"nodes:\n  n1: {id: 1, link0: 192.0.2.1, fence: [{dev: plug1}]}\n"
		"  n2: {id: 2, link0: 192.0.2.2, fence: [{dev: plug2}]}\n"
		"fence_devices:\n  dev: {agent: %s/agent, username: admin, password_file: %s/secret}\n",
		dir, dir);
	p->cfg = config_parse(text, "test.yaml", stderr);
	assert_non_null(p->cfg);
	p->loop = loop_new();
	p->agents = agents_new(p->loop, p->cfg, on_done, p);
	p->n = 0;
}

static void end(struct play *p)
{
	agents_free(p->agents);
	loop_free(p->loop);
	config_free(p->cfg);
}

static enum fence_answer run(struct play *p, enum fence_agent_action action)
{
	const struct config_node *n2 = config_node_by_id(p->cfg, 2);
	unsigned before = p->n;

	agents_run(p->agents, before + 1, n2, &n2->level[0].use[0], action);
	loop_run(p->loop);
	assert_int_equal(p->n, before + 1);
	return p->res.answer;
}

static enum fence_answer check(struct play *p)
{
	const struct config_node *n2 = config_node_by_id(p->cfg, 2);

	agents_check(p->agents, 77, n2, &n2->level[0].use[0]);
	loop_run(p->loop);
	return p->res.answer;
}

static bool file_has(const char *name, const char *word)
{
	char path[128], buf[8192];
	size_t n;
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "r");
	assert_non_null(f);
	n = fread(buf, 1, sizeof(buf) - 1, f);
	buf[n] = '\0';
	fclose(f);
	return strstr(buf, word) != NULL;
}

/* SAFE-9, SAFE-3 */
static void exit_codes_are_believed_and_words_are_not(void **state)
{
	static const struct {
		const char *body;
		enum fence_agent_action action;
		enum fence_answer want;
	} rows[] = {
		{ "echo 'Status: OFF'; exit 1", FENCE_AGENT_STATUS, FENCE_ANSWER_UNKNOWN },
		{ "echo 'Status: OFF'; exit 0", FENCE_AGENT_STATUS, FENCE_ANSWER_ON },
		{ "echo 'Status: ON'; exit 2", FENCE_AGENT_STATUS, FENCE_ANSWER_OFF },
		{ "exit 3", FENCE_AGENT_STATUS, FENCE_ANSWER_UNKNOWN },
		{ "exit 255", FENCE_AGENT_STATUS, FENCE_ANSWER_UNKNOWN },
		{ "kill -9 $$", FENCE_AGENT_STATUS, FENCE_ANSWER_UNKNOWN },
		{ "echo 'Success: Powered OFF'; exit 1", FENCE_AGENT_OFF, FENCE_ANSWER_FAILED },
		{ "echo 'Success: Powered OFF'; exit 2", FENCE_AGENT_OFF, FENCE_ANSWER_FAILED },
		{ "echo 'Failed: nothing works'; exit 0", FENCE_AGENT_OFF, FENCE_ANSWER_DONE },
	};
	struct play p;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		agent_is(META, rows[i].body);
		begin(&p);
		if (run(&p, rows[i].action) != rows[i].want)
			fail_msg("%s: %s, not %s", rows[i].body, fence_answer_name(p.res.answer),
				 fence_answer_name(rows[i].want));
		end(&p);
	}
}

static void silence_is_a_time_out(void **state)
{
	struct play p;

	(void)state;
	agent_is(META, "exec sleep 60");
	begin(&p);
	assert_int_equal(run(&p, FENCE_AGENT_OFF), FENCE_ANSWER_TIMEOUT);
	assert_non_null(strstr(p.res.text, "no answer to off"));
	end(&p);
}

static void an_agent_that_is_not_there_is_named(void **state)
{
	char path[128];
	struct play p;

	(void)state;
	snprintf(path, sizeof(path), "%s/agent", dir);
	unlink(path);
	begin(&p);
	assert_int_equal(run(&p, FENCE_AGENT_STATUS), FENCE_ANSWER_UNKNOWN);
	assert_non_null(strstr(p.res.text, path));
	end(&p);
}

static void secrets_reach_stdin_and_nothing_else(void **state)
{
	struct play p;

	(void)state;
	agent_is(META, "exit 0");
	begin(&p);
	assert_int_equal(run(&p, FENCE_AGENT_OFF), FENCE_ANSWER_DONE);
	assert_true(file_has("in", "password=s3cr3t\n"));
	assert_true(file_has("in", "username=admin\n"));
	assert_true(file_has("in", "action=off\n"));
	assert_false(file_has("argv", "s3cr3t"));
	assert_false(file_has("env", "s3cr3t"));
	assert_null(strstr(p.res.text, "s3cr3t"));
	end(&p);
}

static void a_secret_that_others_can_read_is_refused(void **state)
{
	char path[128];
	struct play p;

	(void)state;
	agent_is(META, "exit 2");
	begin(&p);
	snprintf(path, sizeof(path), "%s/secret", dir);
	chmod(path, 0644);
	assert_int_equal(run(&p, FENCE_AGENT_STATUS), FENCE_ANSWER_UNKNOWN);
	assert_non_null(strstr(p.res.text, path));
	end(&p);
}

/* The stock fence_xvm refuses plug and port at once. */
static void plug_goes_by_the_name_that_the_agent_knows(void **state)
{
	struct play p;

	(void)state;
	agent_is(META, "exit 0");
	begin(&p);
	run(&p, FENCE_AGENT_OFF);
	assert_true(file_has("in", "plug=plug2\n"));
	assert_false(file_has("in", "port="));
	end(&p);
	agent_is(META_OLD, "exit 0");
	begin(&p);
	run(&p, FENCE_AGENT_OFF);
	assert_true(file_has("in", "port=plug2\n"));
	assert_false(file_has("in", "plug="));
	end(&p);
}

/* SAFE-6: a path is ready only if the device knows the plug. */
static void a_check_wants_the_plug_in_the_list(void **state)
{
	struct play p;

	(void)state;
	agent_is(META, "[ $action = list ] && printf 'plug1,\\nplug2,alias\\n'");
	begin(&p);
	assert_int_equal(check(&p), FENCE_ANSWER_DONE);
	end(&p);
	agent_is(META, "[ $action = list ] && printf 'plug1,\\nplug22,plug2x\\n'");
	begin(&p);
	assert_int_equal(check(&p), FENCE_ANSWER_FAILED);
	assert_non_null(strstr(p.res.text, "does not list plug plug2"));
	end(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(exit_codes_are_believed_and_words_are_not),
		cmocka_unit_test(silence_is_a_time_out),
		cmocka_unit_test(an_agent_that_is_not_there_is_named),
		cmocka_unit_test(secrets_reach_stdin_and_nothing_else),
		cmocka_unit_test(a_secret_that_others_can_read_is_refused),
		cmocka_unit_test(plug_goes_by_the_name_that_the_agent_knows),
		cmocka_unit_test(a_check_wants_the_plug_in_the_list),
	};
	char cmd[128];
	int failed;

	if (mkdtemp(dir) == NULL)
		return 99;
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	snprintf(cmd, sizeof(cmd), "rm -r '%s'", dir);
	return system(cmd) != 0 || failed;
}
