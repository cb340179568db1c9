/* SPDX-License-Identifier: GPL-3.0-or-later */
/* viewlog GROUP - joins a group through lib/shell/cluster and prints what it is told, one JSON object a
 * line; reads orders from standard input, one a line:
 *   send TEXT     a message; flood N BYTES: N messages of that size, numbered; leave; config; quit
 * At the end of the input it goes on. Times are CLOCK_MONOTONIC ms.
 */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/crc32c.h"
#include "lib/shell/cluster.h"
#include "lib/shell/log.h"

struct viewlog {
	struct loop *loop;
	struct cluster *cluster;
	char line[512];
	size_t len;
};

static void print_set(const char *key, struct nodeset set)
{
	const char *sep = "";

	printf(", \"%s\": [", key);
	nodeset_for_each (id, set) {
		printf("%s%" PRIu32, sep, id);
		sep = ", ";
	}
	printf("]");
}

static void print_bool(const char *key, bool v)
{
	printf(", \"%s\": %s", key, v ? "true" : "false");
}

static void head(const char *what)
{
	printf("{\"ms\": %" PRIu64 ", \"what\": \"%s\"", mono_ms(), what);
}

static void on_view(void *arg, const struct cluster_view *v)
{
	struct viewlog *l = arg;

	head("view");
	printf(", \"self\": %" PRIu32 ", \"ring\": \"%" PRIu32 ".%" PRIu64 "\"",
	       cluster_self(l->cluster), v->id.rep, v->id.seq);
	print_bool("quorate", v->quorate);
	print_bool("two_node", v->two_node);
	print_set("nodes", v->nodes);
	print_set("members", v->members);
	print_set("joined", v->joined);
	print_set("clean", v->left_clean);
	print_set("nodedown", v->left_nodedown);
	print_set("procdown", v->left_procdown);
	printf("}\n");
}

static void on_deliver(void *arg, uint32_t from, const void *data, size_t len)
{
	char text[64] = "";

	(void)arg;
	snprintf(text, sizeof(text), "%.*s", (int)(len < 60 ? len : 60), (const char *)data);
	head("message");
	printf(", \"from\": %" PRIu32 ", \"bytes\": %zu, \"crc\": %" PRIu32 ", \"text\": \"%s\"}\n",
	       from, len, crc32c(0, data, len), text);
}

static void on_lost(void *arg, const char *why)
{
	(void)arg;
	head("lost");
	printf(", \"why\": \"%s\"}\n", why);
}

static void answer(const char *order, int r)
{
	head("order");
	printf(", \"order\": \"%s\", \"rc\": %d}\n", order, r);
}

static int flood(struct viewlog *l, unsigned n, size_t bytes)
{
	char *buf = malloc(bytes + 1);
	int r = 0;

	if (buf == NULL)
		return -ENOMEM;
	memset(buf, 'f', bytes);
	for (unsigned i = 0; i < n && r == 0; i++) {
		int len = snprintf(buf, bytes + 1, "%u ", i);

		buf[len] = 'f';
		r = cluster_send(l->cluster, buf, bytes);
	}
	free(buf);
	return r;
}

static void print_config(void)
{
	struct cluster_config cfg = { 0 };
	int r = cluster_config_read(&cfg);

	head("config");
	printf(", \"rc\": %d, \"cluster\": \"%s\", \"token\": %" PRIu32 ", \"consensus\": %" PRIu32,
	       r, cfg.cluster_name, cfg.token_ms, cfg.consensus_ms);
	print_bool("two_node", cfg.two_node);
	printf(", \"names\": {");
	for (unsigned i = 0; i < cfg.n; i++)
		printf("%s\"%" PRIu32 "\": \"%s\"", i ? ", " : "", cfg.node[i].nodeid,
		       cfg.node[i].name);
	printf("}}\n");
}

static void obey(struct viewlog *l, const char *order)
{
	unsigned n;
	size_t bytes;

	if (strncmp(order, "send ", 5) == 0)
		answer("send", cluster_send(l->cluster, order + 5, strlen(order + 5)));
	else if (sscanf(order, "flood %u %zu", &n, &bytes) == 2 && bytes >= 12)
		answer("flood", flood(l, n, bytes));
	else if (strcmp(order, "leave") == 0)
		answer("leave", cluster_leave(l->cluster));
	else if (strcmp(order, "config") == 0)
		print_config();
	else if (strcmp(order, "quit") == 0)
		loop_stop(l->loop, 0);
	else
		answer("unknown", -EINVAL);
}

static void on_input(void *arg, int fd, int revents)
{
	struct viewlog *l = arg;
	ssize_t n = read(fd, l->line + l->len, sizeof(l->line) - 1 - l->len);
	char *end;

	(void)revents;
	if (n <= 0) {
		loop_fd_del(l->loop, fd);
		return;
	}
	l->len += (size_t)n;
	while ((end = memchr(l->line, '\n', l->len)) != NULL) {
		*end = '\0';
		obey(l, l->line);
		l->len -= (size_t)(end + 1 - l->line);
		memmove(l->line, end + 1, l->len);
	}
	if (l->len == sizeof(l->line) - 1)
		l->len = 0;
}

static void on_signal(void *arg, int sig)
{
	(void)sig;
	loop_stop(arg, 0);
}

int main(int argc, char **argv)
{
	struct cluster_ops ops = { on_view, on_deliver, on_lost };
	struct viewlog l = { .loop = loop_new() };

	if (argc != 2 || l.loop == NULL) {
		fprintf(stderr, "usage: viewlog GROUP\n");
		return 2;
	}
	log_open("viewlog", getenv("VIEWLOG_DEBUG") != NULL);
	setvbuf(stdout, NULL, _IOLBF, 0);
	l.cluster = cluster_open(l.loop, argv[1], &ops, &l);
	if (l.cluster == NULL || loop_fd_add(l.loop, STDIN_FILENO, POLLIN, on_input, &l) < 0 ||
	    loop_signal_add(l.loop, SIGTERM, on_signal, l.loop) < 0)
		return 1;
	int code = loop_run(l.loop);

	cluster_close(l.cluster);
	loop_free(l.loop);
	log_close();
	return code;
}
