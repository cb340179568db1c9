/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tools/corosync_conf.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

void corosync_conf_write(const struct config *cfg, FILE *out)
{
	const struct timing *t = &cfg->timing;
	unsigned links = cfg->node[0].n_links;

	fprintf(out,
		"# Made by stockade from %s (stockade corosync-conf). The same on every node.\n"
		"totem {\n"
		"\tversion: 2\n"
		"\tcluster_name: %s\n"
		"\ttransport: knet\n"
		"\tcrypto_cipher: aes256\n"
		"\tcrypto_hash: sha256\n"
		"\ttoken: %u\n"
		"\ttoken_coefficient: 0\n"
		"\tconsensus: %u\n",
		cfg->path, cfg->cluster, t->token_ms, t->consensus_ms);
	for (unsigned l = 0; l < links; l++)
		fprintf(out,
			"\tinterface {\n"
			"\t\tlinknumber: %u\n"
			"\t\tknet_ping_interval: %u\n"
			"\t\tknet_ping_timeout: %u\n"
			"\t\tknet_pong_count: 1\n"
			"\t}\n",
			l, t->knet_ping_interval_ms, t->knet_ping_timeout_ms);
	fprintf(out, "}\n\nquorum {\n\tprovider: corosync_votequorum\n%s}\n\nnodelist {\n",
		cfg->n_nodes == 2 ? "\ttwo_node: 1\n" : "");
	for (unsigned i = 0; i < cfg->n_nodes; i++) {
		fprintf(out, "\tnode {\n\t\tname: %s\n\t\tnodeid: %u\n", cfg->node[i].name,
			cfg->node[i].id);
		for (unsigned l = 0; l < links; l++)
			fprintf(out, "\t\tring%u_addr: %s\n", l, cfg->node[i].link[l]);
		fputs("\t}\n", out);
	}
	fputs("}\n\nlogging {\n\tto_stderr: no\n\tto_syslog: yes\n\ttimestamp: on\n}\n", out);
}

#define DEPTH_MAX 4

struct reader {
	struct corosync_conf *conf;
	char section[DEPTH_MAX][48];
	unsigned depth;
	struct { /* how many sections of a name that may be repeated */
		char name[96];
		unsigned n;
	} count[16];
	unsigned n_counts;
};

/* Sections that may be there several times get a number. */
static unsigned number_of(struct reader *r, const char *name)
{
	char path[96];

	snprintf(path, sizeof(path), "%s.%s", r->depth ? r->section[0] : "", name);
	for (unsigned i = 0; i < r->n_counts; i++)
		if (strcmp(r->count[i].name, path) == 0)
			return ++r->count[i].n;
	if (r->n_counts < sizeof(r->count) / sizeof(r->count[0]))
		snprintf(r->count[r->n_counts++].name, sizeof(path), "%s", path);
	return 0;
}

static char *trim(char *s)
{
	char *end;

	while (isspace((unsigned char)*s))
		s++;
	end = s + strlen(s);
	while (end > s && isspace((unsigned char)end[-1]))
		*--end = '\0';
	return s;
}

static bool open_section(struct reader *r, char *name)
{
	name = trim(name);
	if (!*name || r->depth == DEPTH_MAX || strlen(name) > 30)
		return false;
	if (strcmp(name, "node") == 0 || strcmp(name, "interface") == 0 ||
	    strcmp(name, "logger_subsys") == 0)
		snprintf(r->section[r->depth], sizeof(r->section[0]), "%s[%u]", name,
			 number_of(r, name));
	else
		snprintf(r->section[r->depth], sizeof(r->section[0]), "%s", name);
	r->depth++;
	return true;
}

static bool add_value(struct reader *r, const char *key, const char *value)
{
	struct corosync_value *v;
	size_t len = 0;

	if (r->conf->n == COROSYNC_VALUES_MAX)
		return false;
	v = &r->conf->value[r->conf->n];
	v->path[0] = '\0';
	for (unsigned i = 0; i < r->depth && len < sizeof(v->path); i++)
		len += (size_t)snprintf(v->path + len, sizeof(v->path) - len, "%s.", r->section[i]);
	if (len >= sizeof(v->path) || len + strlen(key) >= sizeof(v->path) ||
	    strlen(value) >= sizeof(v->value))
		return false;
	strcpy(v->path + len, key);
	strcpy(v->value, value);
	r->conf->n++;
	return true;
}

static bool read_line(struct reader *r, char *line)
{
	char *colon;

	line = trim(line);
	if (!*line || *line == '#')
		return true;
	if (line[strlen(line) - 1] == '{') {
		line[strlen(line) - 1] = '\0';
		return open_section(r, line);
	}
	if (strcmp(line, "}") == 0)
		return r->depth-- > 0;
	colon = strchr(line, ':');
	if (!colon)
		return false;
	*colon = '\0';
	line = trim(line);
	return *line && add_value(r, line, trim(colon + 1));
}

int corosync_conf_parse(FILE *f, struct corosync_conf *ret, unsigned *ret_line)
{
	struct reader r = { .conf = ret };
	char line[512];
	unsigned n = 0;
	int result = 0;

	memset(ret, 0, sizeof(*ret));
	*ret_line = 0;
	while (result == 0 && fgets(line, sizeof(line), f)) {
		n++;
		if (!read_line(&r, line))
			result = -EINVAL;
	}
	if (result == 0 && r.depth)
		result = -EINVAL;
	if (result)
		*ret_line = n;
	return result;
}

int corosync_conf_read(const char *path, struct corosync_conf *ret, unsigned *ret_line)
{
	FILE *f = fopen(path, "re");

	memset(ret, 0, sizeof(*ret));
	*ret_line = 0;
	if (!f)
		return -errno;
	int r = corosync_conf_parse(f, ret, ret_line);

	fclose(f);
	return r;
}

const char *corosync_conf_get(const struct corosync_conf *c, const char *path)
{
	const char *found = NULL; /* the last one counts, as in corosync */

	for (unsigned i = 0; i < c->n; i++)
		if (strcmp(c->value[i].path, path) == 0)
			found = c->value[i].value;
	return found;
}

struct comparing {
	const struct corosync_conf *conf;
	void (*say)(void *arg, bool fatal, const char *text);
	void *arg;
};

static void differs(const struct comparing *c, bool fatal, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

static void differs(const struct comparing *c, bool fatal, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	c->say(c->arg, fatal, text);
}

static void compare_number(const struct comparing *c, const char *path, uint32_t wanted, bool fatal,
			   const char *why)
{
	const char *is = corosync_conf_get(c->conf, path);

	if (!is)
		differs(c, fatal, "%s is not set, it should be %u: %s", path, wanted, why);
	else if (strtoul(is, NULL, 10) != wanted)
		differs(c, fatal, "%s is %s, it should be %u: %s", path, is, wanted, why);
}

static bool same_address(const char *a, const char *b)
{
	uint8_t ba[16], bb[16];

	if (inet_pton(AF_INET6, a, ba) == 1 && inet_pton(AF_INET6, b, bb) == 1)
		return memcmp(ba, bb, sizeof(ba)) == 0;
	return strcmp(a, b) == 0;
}

static void compare_node(const struct comparing *c, const struct config_node *node, bool *found)
{
	char path[96];

	*found = false;
	for (unsigned i = 0; i < NODES_MAX * 4; i++) {
		const char *id, *name;

		snprintf(path, sizeof(path), "nodelist.node[%u].nodeid", i);
		id = corosync_conf_get(c->conf, path);
		if (!id || strtoul(id, NULL, 10) != node->id)
			continue;
		*found = true;
		snprintf(path, sizeof(path), "nodelist.node[%u].name", i);
		name = corosync_conf_get(c->conf, path);
		if (!name || strcmp(name, node->name) != 0)
			differs(c, true, "node %u is called \"%s\" there, \"%s\" here", node->id,
				name ? name : "", node->name);
		for (unsigned l = 0; l < node->n_links; l++) {
			const char *address;

			snprintf(path, sizeof(path), "nodelist.node[%u].ring%u_addr", i, l);
			address = corosync_conf_get(c->conf, path);
			if (!address || !same_address(address, node->link[l]))
				differs(c, true, "link%u of node \"%s\" is %s there, %s here", l,
					node->name, address ? address : "missing", node->link[l]);
		}
	}
}

void corosync_conf_compare(const struct corosync_conf *conf, const struct config *cfg,
			   void (*say)(void *arg, bool fatal, const char *text), void *arg)
{
	const struct comparing c = { .conf = conf, .say = say, .arg = arg };
	const char *name = corosync_conf_get(conf, "totem.cluster_name"),
		   *two = corosync_conf_get(conf, "quorum.two_node");
	const char *provider = corosync_conf_get(conf, "quorum.provider");
	const char *coefficient = corosync_conf_get(conf, "totem.token_coefficient");
	const char *hash = corosync_conf_get(conf, "totem.crypto_hash");
	bool is_two = two && strcmp(two, "1") == 0, found;
	unsigned n = 0;

	if (!name || strcmp(name, cfg->cluster) != 0)
		differs(&c, true, "the cluster is called \"%s\" there, \"%s\" here",
			name ? name : "", cfg->cluster);
	if (!provider || strcmp(provider, "corosync_votequorum") != 0)
		differs(&c, true,
			"quorum.provider must be corosync_votequorum: without quorum a minority would go on (SAFE-4)");
	if (is_two != (cfg->n_nodes == 2))
		differs(&c, true, "quorum.two_node is %s, but there are %u nodes",
			is_two ? "1" : "not 1", cfg->n_nodes);
	compare_number(&c, "totem.token", cfg->timing.token_ms, true,
		       "other times are derived from it (stockade timing)");
	if (corosync_conf_get(conf,
			      "totem.consensus")) /* else corosync takes 1.2 x token, as we do */
		compare_number(&c, "totem.consensus", cfg->timing.consensus_ms, true,
			       "other times are derived from it (stockade timing)");
	if (cfg->n_nodes > 2 && (!coefficient || strcmp(coefficient, "0") != 0))
		differs(&c, true,
			"totem.token_coefficient must be 0: corosync lengthens the token with each node else");
	if (!hash || strcmp(hash, "none") == 0)
		differs(&c, false,
			"totem.crypto_hash is not set: anybody on that network may speak as a node");
	for (unsigned i = 0; i < cfg->n_nodes; i++) {
		compare_node(&c, &cfg->node[i], &found);
		if (!found)
			differs(&c, true, "node \"%s\" (nodeid %u) is missing there",
				cfg->node[i].name, cfg->node[i].id);
	}
	for (unsigned i = 0; i < conf->n; i++)
		n += strncmp(conf->value[i].path, "nodelist.node[", 14) == 0 &&
		     strcmp(strrchr(conf->value[i].path, '.'), ".ring0_addr") == 0;
	if (n > cfg->n_nodes)
		differs(&c, true, "%u nodes are listed there, %u here", n, cfg->n_nodes);
}

bool corosync_conf_is_package_default(const struct corosync_conf *c)
{
	const char *name = corosync_conf_get(c, "totem.cluster_name");
	const char *address = corosync_conf_get(c, "nodelist.node[0].ring0_addr");

	return name && strcmp(name, "debian") == 0 && address &&
	       strcmp(address, "127.0.0.1") == 0 &&
	       !corosync_conf_get(c, "nodelist.node[1].ring0_addr");
}
