/* SPDX-License-Identifier: GPL-3.0-or-later */
/* stockade check: is everything there that a takeover will need? */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/shell/cluster.h"
#include "lib/shell/spawn.h"
#include "tools/check.h"
#include "tools/cli.h"
#include "tools/corosync_conf.h"

void finding(struct check *c, enum finding kind, const char *remedy, const char *fmt, ...)
{
	static const char *const words[] = { "ok", "note", "warning", "error" };
	const char *const colours[] = { green(), dim(), yellow(), red() };
	char text[1024], first[64];
	va_list ap;

	c->n_warnings += kind == FIND_WARNING;
	c->n_errors += kind == FIND_ERROR;
	if (c->quiet && kind <= FIND_NOTE)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	snprintf(first, sizeof(first), "%s%-8s%s ", colours[kind], words[kind], plain());
	print_wrapped(stdout, first, "         ", text);
	if (remedy)
		print_wrapped(stdout, "         to do: ", "                ", remedy);
}

struct running {
	struct loop *loop;
	char *out;
	int status;
};

static void program_done(void *arg, const struct spawn_result *r)
{
	struct running *run = arg;

	run->status = r->status;
	if (r->status == 0)
		run->out = strdup(r->out ? r->out : "");
	loop_stop(run->loop, 0);
}

char *run_program(const char *const *argv, const char *in, unsigned timeout_ms, int *status)
{
	const struct spawn_program p = {
		.argv = argv, .in = in, .in_len = in ? strlen(in) : 0, .timeout_ms = timeout_ms
	};
	struct running run = { .loop = loop_new(), .status = -1 };

	*status = -1;
	if (!run.loop)
		return NULL;
	if (spawn_program(run.loop, &p, program_done, &run))
		loop_run(run.loop);
	loop_free(run.loop);
	*status = run.status;
	return run.out;
}

static void say_corosync(void *arg, bool fatal, const char *text)
{
	finding(arg, fatal ? FIND_ERROR : FIND_WARNING, NULL, COROSYNC_CONF ": %s", text);
}

static void check_authkey(struct check *c, const struct corosync_conf *conf)
{
	const char *cipher = corosync_conf_get(conf, "totem.crypto_cipher");
	const char *hash = corosync_conf_get(conf, "totem.crypto_hash");
	const char *path = corosync_conf_get(conf, "totem.keyfile");
	struct stat st;

	if ((!cipher || strcmp(cipher, "none") == 0) && (!hash || strcmp(hash, "none") == 0))
		return;
	if (!path)
		path = COROSYNC_AUTHKEY;
	if (stat(path, &st) != 0)
		finding(c, FIND_ERROR,
			"stockade init makes one; or copy it from another node, mode 0400",
			"%s: %s", path, strerror(errno));
	else if (st.st_mode & 077)
		finding(c, FIND_ERROR, "make it private to root, mode 0400",
			"%s may be touched by others (mode %04o): who has it can speak as a node",
			path, st.st_mode & 07777);
	else if (st.st_size < 128)
		finding(c, FIND_ERROR,
			"make a new one with corosync-keygen and copy it to every node",
			"%s has %lld bytes, corosync wants 128 or more", path,
			(long long)st.st_size);
	else
		finding(c, FIND_OK, NULL, "%s is there and private", path);
}

/* What it runs with may be older than its file. */
static void check_corosync_live(struct check *c)
{
	struct cluster_config live;
	int r = cluster_config_read(&live);
	const struct config *cfg = c->cfg;
	const char *reload =
		"copy the file to every node, then corosync-cfgtool -R; a new cluster name, transport or key needs a "
		"restart of corosync everywhere";
	unsigned errors = c->n_errors;

	if (r == -ECONNREFUSED || r == -ENOENT) {
		finding(c, FIND_NOTE, NULL,
			"corosync does not run, so what it runs with was not looked at");
		return;
	}
	if (r < 0) {
		finding(c, FIND_WARNING, "systemctl status corosync",
			"corosync does not say what it runs with: %s", strerror(-r));
		return;
	}
	if (strcmp(live.cluster_name, cfg->cluster) != 0)
		finding(c, FIND_ERROR, reload, "corosync runs as cluster \"%s\", here it is \"%s\"",
			live.cluster_name, cfg->cluster);
	if (live.token_ms != cfg->timing.token_ms)
		finding(c, FIND_ERROR, reload, "corosync runs with token %u ms, here it is %u ms",
			live.token_ms, cfg->timing.token_ms);
	if (live.two_node != (cfg->n_nodes == 2))
		finding(c, FIND_ERROR, reload, "corosync runs %s two_node, but there are %u nodes",
			live.two_node ? "with" : "without", cfg->n_nodes);
	for (unsigned i = 0; i < live.n; i++) {
		const struct config_node *node = config_node_by_id(cfg, live.node[i].nodeid);

		if (!node)
			finding(c, FIND_ERROR, reload,
				"corosync runs with a node %u \"%s\" that is not in the configuration",
				live.node[i].nodeid, live.node[i].name);
		else if (strcmp(node->name, live.node[i].name) != 0)
			finding(c, FIND_ERROR, reload,
				"corosync calls node %u \"%s\", here it is \"%s\"", node->id,
				live.node[i].name, node->name);
	}
	if (live.n < cfg->n_nodes)
		finding(c, FIND_ERROR, reload, "corosync runs with %u nodes, there are %u here",
			live.n, cfg->n_nodes);
	if (c->n_errors == errors)
		finding(c, FIND_OK, NULL, "corosync runs with what the configuration says");
}

void check_corosync(struct check *c)
{
	static struct corosync_conf conf;
	unsigned line, errors = c->n_errors;
	int r = corosync_conf_read(COROSYNC_CONF, &conf, &line);

	if (r == -EINVAL) {
		finding(c, FIND_ERROR, "stockade corosync-conf prints a right one",
			COROSYNC_CONF ":%u: cannot be understood", line);
	} else if (r < 0) {
		finding(c, FIND_ERROR, "stockade init; or stockade corosync-conf > " COROSYNC_CONF,
			COROSYNC_CONF ": %s", strerror(-r));
	} else {
		corosync_conf_compare(&conf, c->cfg, say_corosync, c);
		if (c->n_errors == errors)
			finding(c, FIND_OK, NULL, COROSYNC_CONF " agrees with the configuration");
		else
			finding(c, FIND_NOTE, NULL,
				"stockade corosync-conf prints the file that agrees with the configuration");
		check_authkey(c, &conf);
	}
	check_corosync_live(c);
}

static int check_run(int argc, char **argv)
{
	bool offline = false;
	struct check c = { .quiet = false };
	const struct option_spec spec[] = {
		{ "--offline", &offline, NULL, NULL },
		{ "--quiet", &c.quiet, NULL, NULL },
		{ NULL, NULL, NULL, NULL },
	};
	struct config *cfg;

	if (options_parse(&argc, argv, spec))
		return EXIT_USAGE;
	if (argc > 1)
		return usage_error(
			"check takes no argument; for another file: stockade --config FILE check");
	cfg = config_read(cli_config_path, stderr);
	if (!cfg)
		return EXIT_USAGE;
	c.cfg = cfg;
	c.self = config_self(cfg, 0);
	finding(&c, FIND_OK, NULL,
		"%s: cluster %s, %u nodes, %u volumes, %u services, hash %016" PRIx64, cfg->path,
		cfg->cluster, cfg->n_nodes, cfg->n_volumes, cfg->n_services, cfg->hash);
	if (c.self)
		finding(&c, FIND_OK, NULL, "this machine is %s (id %u)", c.self->name, c.self->id);
	else
		finding(&c, FIND_WARNING,
			"name the machine as in nodes: (hostnamectl hostname NAME), or run this on a node",
			"this machine's name is none of the nodes: what is local to a node is not what it will see");
	check_corosync(&c);
	check_agents(&c);
	check_resources(&c);
	if (!offline) {
		check_fence_ways(&c);
		check_daemons(&c);
	}
	if (c.n_errors || c.n_warnings)
		printf("%u error%s, %u warning%s\n", c.n_errors, c.n_errors == 1 ? "" : "s",
		       c.n_warnings, c.n_warnings == 1 ? "" : "s");
	else
		puts("All is well.");
	config_free(cfg);
	return c.n_errors ? EXIT_FAILED : EXIT_OK;
}

const struct command cmd_check = {
	.name = "check",
	.usage = "[--offline] [--quiet]",
	.summary = "Check the configuration and all that a takeover on this node will need",
	.help = "The whole file; corosync.conf and corosync against it; keys and secrets; fence agents; programs, mount points and\n"
		"units; the way from here to every fence device; and from the daemons: one configuration on all nodes, fence paths, reachable volumes, initiator names.\n"
		"Nothing is changed. Run it on every node.\n\n"
		"  --offline   ask neither fence devices nor the daemons\n"
		"  --quiet     print errors and warnings only\n"
		"\nExit: 0 no error; 1 errors; 2 the configuration itself is wrong.\n",
	.run = check_run,
};
