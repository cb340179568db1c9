/* SPDX-License-Identifier: GPL-3.0-or-later */
/* stockade, from outside: each directory of tests/unit/data/cli holds what the daemons answer (fenced.json, dlmd.json,
 * storaged.json; a missing one does not run) and session.txt, the commands and exactly what they print. Elapsed times
 * of progress lines are shown as TIME. init and check are tried on files of their own.
 *
 * To look at a new session, and to write it after reading it: tests/unit/cli DIRECTORY (reads its "$ " lines).
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pty.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/shell/config.h"
#include "lib/shell/history.h"
#include "lib/shell/loop.h"
#include "tests/unit/cli.h"
#include "tools/corosync_conf.h"

static char tmp[] = "/tmp/stockade-cli-XXXXXX";

static const char *env(const char *name, const char *otherwise)
{
	const char *v = getenv(name);

	return v ? v : otherwise;
}

/* Output and exit code of a shell command, as text to free. */
static char *shell(const char *command, int *code)
{
	FILE *p = popen(command, "r"), *out;
	char *text = NULL, chunk[4096];
	size_t len = 0, n;
	int status;

	assert_non_null(p);
	out = open_memstream(&text, &len);
	while ((n = fread(chunk, 1, sizeof(chunk), p)) > 0)
		fwrite(chunk, 1, n, out);
	fclose(out);
	status = pclose(p);
	*code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
	return text;
}

static char *stockade(const char *args, int *code)
{
	char command[PATH_MAX + 4096];

	snprintf(command, sizeof(command), "%s/tools/stockade %s 2>&1 </dev/null",
		 env("top_builddir", "."), args);
	return shell(command, code);
}

/* "    1.2 s  text" of a progress line becomes "      TIME  text". */
static void copy_masked(FILE *out, char *text)
{
	for (char *line = text, *next; line && *line; line = next) {
		size_t blank = strspn(line, " "), digits = strspn(line + blank, "0123456789.");

		next = strchr(line, '\n');
		if (next)
			*next++ = '\0';
		if (blank && digits && strncmp(line + blank + digits, " ms  ", 5) == 0)
			fprintf(out, "      TIME  %s\n", line + blank + digits + 5);
		else if (blank && digits && strncmp(line + blank + digits, " s  ", 4) == 0)
			fprintf(out, "      TIME  %s\n", line + blank + digits + 4);
		else
			fprintf(out, "%s\n", line);
	}
}

static char *slurp(const char *path)
{
	char *text = NULL, chunk[4096];
	FILE *f = fopen(path, "r"), *out;
	size_t len = 0, n;

	if (!f)
		fail_msg("%s: %s", path, strerror(errno));
	out = open_memstream(&text, &len);
	while ((n = fread(chunk, 1, sizeof(chunk), f)) > 0)
		fwrite(chunk, 1, n, out);
	fclose(out);
	fclose(f);
	return text;
}

/* Play the "$ stockade ..." lines of a session with its daemons; the whole as it went, to free. */
static char *play(const char *dir)
{
	static const char *const daemons[] = { "fenced", "dlmd", "storaged" };
	char path[PATH_MAX], *session, *text = NULL;
	pid_t pid[3];
	size_t len = 0;
	FILE *out;

	for (int i = 0; i < 3; i++) {
		snprintf(path, sizeof(path), "%s/%s.json", dir, daemons[i]);
		pid[i] = access(path, R_OK) == 0 ? stub_start(daemons[i], path) : 0;
		if (pid[i] < 0)
			fail_msg("%s: cannot be played", path);
	}
	snprintf(path, sizeof(path), "%s/session.txt", dir);
	session = slurp(path);
	out = open_memstream(&text, &len);
	for (char *line = strtok(session, "\n"); line; line = strtok(NULL, "\n")) {
		char *got;
		int code;

		if (strncmp(line, "$ stockade ", 11) != 0)
			continue;
		got = stockade(line + 11, &code);
		fprintf(out, "%s\n", line);
		copy_masked(out, got);
		fprintf(out, "[exit %d]\n\n", code);
		free(got);
	}
	fclose(out);
	free(session);
	for (int i = 0; i < 3; i++)
		stub_stop(pid[i]);
	return text;
}

static int is_dir(const struct dirent *e)
{
	return e->d_name[0] != '.' && !strchr(e->d_name, '.');
}

static void every_session_goes_as_written(void **state)
{
	char top[PATH_MAX / 2], dir[PATH_MAX - 32], path[PATH_MAX];
	struct dirent **entry;
	unsigned wrong = 0;
	int n;

	(void)state;
	snprintf(top, sizeof(top), "%s/tests/unit/data/cli", env("top_srcdir", ".."));
	n = scandir(top, &entry, is_dir, alphasort);
	assert_true(n >= 6);
	for (int i = 0; i < n; i++) {
		char *expected, *got;

		snprintf(dir, sizeof(dir), "%s/%s", top, entry[i]->d_name);
		snprintf(path, sizeof(path), "%s/session.txt", dir);
		expected = slurp(path);
		got = play(dir);
		if (strcmp(expected, got) != 0) {
			print_error("%s: expected\n%s\nbut got\n%s\n", dir, expected, got);
			wrong++;
		}
		free(expected);
		free(got);
		free(entry[i]);
	}
	free(entry);
	assert_int_equal(wrong, 0);
}

/* A daemon that hangs must not hold the others' news back for longer than one time limit. */
static void status_does_not_wait_for_a_daemon_that_hangs(void **state)
{
	char dir[PATH_MAX], path[PATH_MAX + 16];
	uint64_t begin, took;
	pid_t pid;
	int code;

	(void)state;
	snprintf(dir, sizeof(dir), "%s/tests/unit/data/cli/hung", env("top_srcdir", ".."));
	snprintf(path, sizeof(path), "%s/dlmd.json", dir);
	pid = stub_start("dlmd", path);
	assert_true(pid > 0);
	begin = mono_ms();
	free(stockade("status", &code));
	took = mono_ms() - begin;
	stub_stop(pid);
	assert_int_equal(code, 3);
	assert_true(took >= 900);
	assert_true(took < 5000);
}

static void every_command_explains_itself(void **state)
{
	static const char *const commands[] = { "status",       "why",   "history", "service",
						"node",         "fence", "ack",     "volume",
						"locks",        "init",  "check",   "timing",
						"corosync-conf" };
	char args[64], usage[64];

	(void)state;
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		int code;
		char *text;

		snprintf(args, sizeof(args), "%s --help", commands[i]);
		snprintf(usage, sizeof(usage), "Usage: stockade %s ", commands[i]);
		text = stockade(args, &code);
		assert_int_equal(code, 0);
		assert_ptr_equal(strstr(text, usage), text);
		assert_non_null(strstr(text, "\nExit: 0"));
		free(text);
		snprintf(args, sizeof(args), "%s --nonsense", commands[i]);
		text = stockade(args, &code);
		assert_int_equal(code, 2);
		assert_non_null(strstr(text, "unknown option --nonsense"));
		free(text);
	}
}

#define INIT_ARGS                                                                                                            \
	"init --cluster web --node node1=192.0.2.11 --node node2=192.0.2.12 --fence-xvm --xvm-key "                          \
	"--volume webdata,portal=192.0.2.1,target=iqn.2026-11.example:disk,vg=vgcluster,lv=lv0,fs=ext4,mount=/var/www/html " \
	"--service web,volume=webdata,unit=apache2,ip=192.0.2.100/24 --root "

static void expect_mode(const char *root, const char *path, mode_t mode, off_t size)
{
	char full[PATH_MAX];
	struct stat st;

	snprintf(full, sizeof(full), "%s%s", root, path);
	if (stat(full, &st) != 0)
		fail_msg("%s: %s", full, strerror(errno));
	assert_int_equal(st.st_mode & 07777, mode);
	if (size)
		assert_int_equal(st.st_size, size);
}

static void count(void *arg, bool fatal, const char *text)
{
	(void)fatal;
	print_error("%s\n", text);
	++*(unsigned *)arg;
}

static void init_writes_files_that_agree_and_never_overwrites(void **state)
{
	static struct corosync_conf conf;
	char root[64], path[PATH_MAX], args[1024], *text, *key, *again;
	struct config *cfg;
	unsigned n = 0, line;
	int code;

	(void)state;
	snprintf(root, sizeof(root), "%s/root", tmp);
	snprintf(args, sizeof(args), INIT_ARGS "%s", root);
	text = stockade(args, &code);
	assert_int_equal(code, 0);
	assert_non_null(strstr(text, "stockade volume prepare webdata"));
	free(text);
	expect_mode(root, "/etc/stockade/stockade.yaml", 0644, 0);
	expect_mode(root, "/etc/corosync/corosync.conf", 0644, 0);
	expect_mode(root, "/etc/corosync/authkey", 0400, 256);
	expect_mode(root, "/etc/cluster/fence_xvm.key", 0600, 4096);
	snprintf(path, sizeof(path), "%s/etc/stockade/stockade.yaml", root);
	cfg = config_read(path, stderr);
	assert_non_null(cfg);
	assert_int_equal(cfg->service[0].n_resources, 3);
	snprintf(path, sizeof(path), "%s/etc/corosync/corosync.conf", root);
	assert_int_equal(corosync_conf_read(path, &conf, &line), 0);
	corosync_conf_compare(&conf, cfg, count, &n);
	assert_int_equal(n, 0);
	config_free(cfg);

	/* The same again: nothing to do. */
	snprintf(path, sizeof(path), "%s/etc/corosync/authkey", root);
	key = slurp(path);
	free(stockade(args, &code));
	assert_int_equal(code, 0);
	/* Another: refused, nothing written, not even one file of several. */
	snprintf(args, sizeof(args),
		 "init --cluster other --node a=192.0.2.1 --node b=192.0.2.2 --fence-xvm --root %s",
		 root);
	text = stockade(args, &code);
	assert_int_equal(code, 4);
	assert_non_null(strstr(text, "--force"));
	free(text);
	snprintf(path, sizeof(path), "grep -rlE 'cluster.*other' %s", root);
	free(shell(path, &code));
	assert_int_equal(code, 1);
	/* Forced: the old ones are kept beside. */
	strcat(args, " --force");
	free(stockade(args, &code));
	assert_int_equal(code, 0);
	expect_mode(root, "/etc/stockade/stockade.yaml.old", 0644, 0);
	expect_mode(root, "/etc/corosync/corosync.conf.old", 0644, 0);
	snprintf(path, sizeof(path), "%s/etc/corosync/authkey", root);
	again = slurp(path);
	assert_string_not_equal(again, key);
	free(again);
	free(key);
}

static void init_refuses_what_the_daemons_would_refuse(void **state)
{
	char args[512], root[64], *text;
	int code;

	(void)state;
	snprintf(root, sizeof(root), "%s/none", tmp);
	snprintf(args, sizeof(args),
		 "init --node a=192.0.2.1 --node b=192.0.2.1 --fence-xvm --root %s", root);
	text = stockade(args, &code);
	assert_int_equal(code, 2);
	assert_non_null(strstr(text, "link0 of \"b\" is link0 of \"a\" too"));
	assert_non_null(strstr(text, "nothing was written"));
	free(text);
	snprintf(args, sizeof(args), "init --node a=192.0.2.1 --node b=192.0.2.2 --root %s", root);
	text = stockade(args, &code);
	assert_int_equal(code, 2);
	assert_non_null(strstr(text, "SAFE-6"));
	free(text);
	assert_int_equal(access(root, F_OK), -1);
	text = stockade("init", &code); /* no terminal, nothing said */
	assert_int_equal(code, 2);
	assert_non_null(strstr(text, "no terminal"));
	free(text);
}

/* corosync.conf of Debian's package may be replaced; one that an operator wrote may be kept. */
static void init_respects_an_existing_corosync_conf(void **state)
{
	char root[64], command[1024], args[1024], *text;
	int code;

	(void)state;
	snprintf(root, sizeof(root), "%s/deb", tmp);
	snprintf(
		command, sizeof(command),
		"mkdir -p %s/etc/corosync && printf 'totem {\\n\\tversion: 2\\n\\tcluster_name: debian\\n}\\nnodelist {\\n\\tnode "
		"{\\n\\t\\tnodeid: 1\\n\\t\\tring0_addr: 127.0.0.1\\n\\t}\\n}\\n' >%s/etc/corosync/corosync.conf",
		root, root);
	free(shell(command, &code));
	assert_int_equal(code, 0);
	snprintf(args, sizeof(args), INIT_ARGS "%s", root);
	free(stockade(args, &code));
	assert_int_equal(code, 0);
	expect_mode(root, "/etc/corosync/corosync.conf.old", 0644, 0);
	snprintf(command, sizeof(command),
		 "sed -i 's/token: .*/token: 9999/' %s/etc/corosync/corosync.conf", root);
	free(shell(command, &code));
	text = stockade(args, &code);
	assert_int_equal(code, 4);
	assert_non_null(strstr(text, "--keep-corosync"));
	free(text);
	strcat(args, " --keep-corosync");
	text = stockade(args, &code);
	assert_int_equal(code, 0);
	assert_non_null(strstr(text, "must be changed: totem.token is 9999"));
	free(text);
	snprintf(command, sizeof(command), "grep -q 'token: 9999' %s/etc/corosync/corosync.conf",
		 root);
	free(shell(command, &code));
	assert_int_equal(code, 0);
}

/* On a terminal it asks; answers as a newcomer would type them. */
static void init_asks_on_a_terminal(void **state)
{
	static const char answers[] =
		"web\n\nnode1\n192.0.2.11\nnode2\n192.0.2.12\n\n1\nn\nweb\n192.0.2.1\niqn.2026-11.example:d\n"
		"vg\n\n\n/srv/web\n\n192.0.2.100/24\n";
	char program[PATH_MAX], root[64], path[PATH_MAX], chunk[4096];
	struct config *cfg;
	int fd, status;
	pid_t pid;

	(void)state;
	snprintf(program, sizeof(program), "%s/tools/stockade", env("top_builddir", "."));
	snprintf(root, sizeof(root), "%s/asked", tmp);
	pid = forkpty(&fd, NULL, NULL, NULL);
	assert_true(pid >= 0);
	if (pid == 0) {
		execl(program, "stockade", "init", "--root", root, NULL);
		_exit(127);
	}
	assert_int_equal(write(fd, answers, strlen(answers)), strlen(answers));
	while (read(fd, chunk, sizeof(chunk)) > 0)
		;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	close(fd);
	assert_int_equal(status, 0);
	snprintf(path, sizeof(path), "%s/etc/stockade/stockade.yaml", root);
	cfg = config_read(path, stderr);
	assert_non_null(cfg);
	assert_string_equal(cfg->cluster, "web");
	assert_int_equal(cfg->n_nodes, 2);
	assert_string_equal(cfg->volume[0].lv, "lv0");
	assert_string_equal(cfg->service[0].resource[1].ref, "apache2.service");
	assert_string_equal(cfg->service[0].resource[2].ref, "192.0.2.100/24");
	config_free(cfg);
}

static void write_file(const char *path, mode_t mode, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	assert_int_equal(fchmod(fd, mode), 0);
	close(fd);
}

static void check_names_what_is_wrong_on_this_machine(void **state)
{
	static const char good_agent[] =
		"#!/bin/sh\necho '<resource-agent name=\"x\"><parameters><parameter name=\"plug\"/><parameter name=\"power-wait\"/>'\n"
		"echo '<parameter name=\"password\"/></parameters><actions><action name=\"off\"/><action name=\"status\"/></actions>'\n"
		"echo '</resource-agent>'\n";
	static const char blind_agent[] =
		"#!/bin/sh\necho '<resource-agent><actions><action name=\"off\"/></actions>'\n";
	static const struct {
		const char *text;
		bool there;
	} expected[] = {
		{ "ok       fence device good: ", true },
		{ "fence device typo: ", true },
		{ "does not know the parameter \"pasword_wait\"", true },
		{ "fence device blind: ", true },
		{ "cannot both switch off and tell the status", true },
		{ "fence device gone: there is no program fence_nonexistent", true },
		{ "fence device dumb: ", true },
		{ "exit code 7", true },
		{ "may be touched by others (mode 0644)", true },
		{ "hunter2", false },
	};
	char path[PATH_MAX], config[4096], args[PATH_MAX + 64], *text, *line;
	int code;

	(void)state;
	snprintf(path, sizeof(path), "%s/good", tmp);
	write_file(path, 0755, good_agent);
	snprintf(path, sizeof(path), "%s/blind", tmp);
	write_file(path, 0755, blind_agent);
	snprintf(path, sizeof(path), "%s/dumb", tmp);
	write_file(path, 0755, "#!/bin/sh\nexit 7\n");
	snprintf(path, sizeof(path), "%s/secret", tmp);
	write_file(path, 0644, "hunter2\n");
	snprintf(
		config, sizeof(config),
		"cluster: c\ndetect: 3s\nnodes:\n"
		"  a: {id: 1, link0: 192.0.2.1, fence: [{good: a}, {typo: a}, {blind: a}, {gone: a}, {dumb: a}]}\n"
		"  b: {id: 2, link0: 192.0.2.2, fence: [{good: b}]}\n"
		"fence_devices:\n"
		"  good: {agent: %s/good, power_wait: 3}\n"
		"  typo: {agent: %s/good, pasword_wait: 3}\n"
		"  blind: {agent: %s/blind}\n"
		"  gone: {agent: fence_nonexistent}\n"
		"  dumb: {agent: %s/dumb, password_file: %s/secret}\n",
		tmp, tmp, tmp, tmp, tmp);
	snprintf(path, sizeof(path), "%s/check.yaml", tmp);
	write_file(path, 0644, config);
	snprintf(args, sizeof(args), "--config %s check --offline", path);
	text = stockade(args, &code);
	assert_int_equal(code, 1);
	while ((line = strstr(text, "\n         "))) /* what was wrapped, back into lines */
		memmove(line + 1, line + 10, strlen(line + 10) + 1), *line = ' ';
	for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++)
		if ((strstr(text, expected[i].text) != NULL) != expected[i].there)
			fail_msg("\"%s\" is %s:\n%s", expected[i].text,
				 expected[i].there ? "missing" : "there", text);
	free(text);
}

struct collected {
	char text[4096];
	unsigned fatal, mild;
};

static void collect(void *arg, bool fatal, const char *text)
{
	struct collected *c = arg;

	c->fatal += fatal;
	c->mild += !fatal;
	strncat(c->text, text, sizeof(c->text) - strlen(c->text) - 2);
	strcat(c->text, "\n");
}

static void every_disagreement_of_corosync_conf_is_named(void **state)
{
	static const char yaml[] = "cluster: c\ndetect: 3s\nnodes:\n"
				   "  a: {id: 1, link0: \"2001:db8::1\", fence: [{d: a}]}\n"
				   "  b: {id: 2, link0: \"2001:db8::2\", fence: [{d: b}]}\n"
				   "  e: {id: 3, link0: \"2001:db8::3\", fence: [{d: e}]}\n"
				   "fence_devices: {d: {agent: x}}\n";
	static const char *const change[][3] = {
		{ "cluster_name: c", "cluster_name: k",
		  "the cluster is called \"k\" there, \"c\" here" },
		{ "token: 1268", "token: 3000", "totem.token is 3000, it should be 1268" },
		{ "token: 1268", "join: 50", "totem.token is not set" },
		{ "consensus: 1522", "consensus: 300", "totem.consensus is 300" },
		{ "token_coefficient: 0", "token_coefficient: 650", "token_coefficient must be 0" },
		{ "corosync_votequorum", "none", "quorum.provider must be" },
		{ "corosync_votequorum", "corosync_votequorum\n two_node: 1",
		  "two_node is 1, but there are 3 nodes" },
		{ "crypto_hash: sha256", "crypto_hash: none", "anybody on that network" },
		{ "name: b", "name: bb", "node 2 is called \"bb\" there, \"b\" here" },
		{ "2001:db8::3", "2001:db8::4",
		  "link0 of node \"e\" is 2001:db8::4 there, 2001:db8::3 here" },
		{ "nodeid: 3", "nodeid: 9", "node \"e\" (nodeid 3) is missing there" },
		{ "nodelist {", "nodelist {\n node {\n nodeid: 7\n ring0_addr: 192.0.2.7\n}",
		  "4 nodes are listed there, 3 here" },
		{ "2001:db8::1", "2001:0db8:0:0::1", NULL },
		{ "transport: knet", "transport : knet # x", NULL },
	};
	static struct corosync_conf conf;
	struct config *cfg = config_parse(yaml, "test", stderr);
	char *text = NULL, path[PATH_MAX];
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);
	unsigned line;

	(void)state;
	assert_non_null(cfg);
	corosync_conf_write(cfg, f);
	fclose(f);
	snprintf(path, sizeof(path), "%s/corosync.conf", tmp);
	for (size_t i = 0; i < sizeof(change) / sizeof(change[0]); i++) {
		struct collected c = { .text = "" };
		char changed[8192], *at = strstr(text, change[i][0]);

		assert_non_null(at);
		snprintf(changed, sizeof(changed), "%.*s%s%s", (int)(at - text), text, change[i][1],
			 at + strlen(change[i][0]));
		write_file(path, 0644, changed);
		assert_int_equal(corosync_conf_read(path, &conf, &line), 0);
		corosync_conf_compare(&conf, cfg, collect, &c);
		if (change[i][2] ? !strstr(c.text, change[i][2]) : c.fatal + c.mild)
			fail_msg("%s -> %s: \"%s\"", change[i][0], change[i][1], c.text);
	}
	write_file(path, 0644, "totem {\n version: 2\n");
	assert_int_equal(corosync_conf_read(path, &conf, &line), -EINVAL);
	write_file(path, 0644, "totem {\n version 2\n}\n");
	assert_int_equal(corosync_conf_read(path, &conf, &line), -EINVAL);
	assert_int_equal(line, 2);
	write_file(path, 0644, "}\n");
	assert_int_equal(corosync_conf_read(path, &conf, &line), -EINVAL);
	write_file(path, 0644, "totem {\n : web\n}\n");
	assert_int_equal(corosync_conf_read(path, &conf, &line), -EINVAL);
	assert_int_equal(line, 2);
	assert_int_equal(corosync_conf_read("/nonexistent", &conf, &line), -ENOENT);
	free(text);
	config_free(cfg);
}

static void completion_knows_commands_names_and_options(void **state)
{
	static const struct {
		const char *words, *expected;
	} cases[] = {
		{ "stockade st", "status\n" },
		{ "stockade service re", "relocate restart\n" },
		{ "stockade service relocate ''", "web\n" },
		{ "stockade service relocate web no", "node1 node2\n" },
		{ "stockade volume prepare ''", "webdata\n" },
		{ "stockade fence node2 --rea", "--reason\n" },
		{ "stockade why web", "web webdata\n" },
		{ "stockade --config x node standby node1", "node1\n" },
		{ "stockade fence node2 --reason ''", "\n" },
	};
	char command[PATH_MAX * 3];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *top = env("top_srcdir", "..");
		char *got;
		int code;

		snprintf(
			command, sizeof(command),
			"STOCKADE_CONFIG=%s/doc/stockade.yaml.example bash -uc '. %s/tools/completions/stockade; "
			"COMP_WORDS=(\"$@\"); COMP_CWORD=$(($# - 1)); _stockade; echo \"${COMPREPLY[*]-}\"' - %s",
			top, top, cases[i].words);
		got = shell(command, &code);
		if (strcmp(got, cases[i].expected) != 0)
			fail_msg("%s: \"%s\"", cases[i].words, got);
		free(got);
	}
}

static int setup(void **state)
{
	(void)state;
	/* Daemons of this machine, and of other tests, must not answer here, nor we there. */
	if (unshare(CLONE_NEWNET) != 0) {
		print_message("needs a network namespace of its own: %s\n", strerror(errno));
		exit(77);
	}
	/* Nor must a history be found that they have left. */
	if (access(HISTORY_DIR, F_OK) == 0 &&
	    (unshare(CLONE_NEWNS) != 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
	     mount("none", HISTORY_DIR, "tmpfs", 0, NULL) != 0))
		return -1;
	setenv("TERM", "dumb", 1);
	return mkdtemp(tmp) ? 0 : -1;
}

static int teardown(void **state)
{
	char command[64];
	int code;

	(void)state;
	snprintf(command, sizeof(command), "rm -rf %s", tmp);
	free(shell(command, &code));
	return code;
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_session_goes_as_written),
		cmocka_unit_test(status_does_not_wait_for_a_daemon_that_hangs),
		cmocka_unit_test(every_command_explains_itself),
		cmocka_unit_test(init_writes_files_that_agree_and_never_overwrites),
		cmocka_unit_test(init_refuses_what_the_daemons_would_refuse),
		cmocka_unit_test(init_respects_an_existing_corosync_conf),
		cmocka_unit_test(init_asks_on_a_terminal),
		cmocka_unit_test(check_names_what_is_wrong_on_this_machine),
		cmocka_unit_test(every_disagreement_of_corosync_conf_is_named),
		cmocka_unit_test(completion_knows_commands_names_and_options),
	};

	if (argc == 2) {
		char *text;

		if (setup(NULL) != 0)
			return 1;
		text = play(argv[1]);
		fputs(text, stdout);
		free(text);
		return teardown(NULL);
	}
	return cmocka_run_group_tests(tests, setup, teardown);
}
