/* SPDX-License-Identifier: GPL-3.0-or-later */
/* cluster_config.c - what corosync runs with, read from its cmap. */
#include "lib/shell/cluster.h"

#include <corosync/cmap.h>
#include <corosync/corotypes.h>
#include <errno.h>
#include <poll.h>
#include <qb/qbipcc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool get_u32(cmap_handle_t h, const char *key, uint32_t *ret)
{
	return cmap_get_uint32(h, key, ret) == CS_OK;
}

/* A string that does not fit is another string. */
static bool get_string(cmap_handle_t h, const char *key, char *ret, size_t cap)
{
	char *s = NULL;

	if (cmap_get_string(h, key, &s) != CS_OK)
		return false;
	bool fits = strlen(s) < cap;

	if (fits)
		memcpy(ret, s, strlen(s) + 1);
	free(s);
	return fits;
}

/* Corosync numbers its nodelist from 0, but leaves holes when a node is removed at run time. */
static int read_nodes(cmap_handle_t h, struct cluster_config *ret)
{
	cmap_iter_handle_t iter;
	char key[CMAP_KEYNAME_MAXLEN + 1], name_key[64];
	unsigned pos;
	cs_error_t e = cmap_iter_init(h, "nodelist.node.", &iter);
	int n = 0, r = 0;

	if (e != CS_OK)
		return -EIO;
	while (r == 0 && cmap_iter_next(h, iter, key, NULL, NULL) == CS_OK) {
		n = 0;
		if (sscanf(key, "nodelist.node.%u.nodeid%n", &pos, &n) != 1 || key[n] != '\0' ||
		    n == 0)
			continue;
		if (ret->n == NODES_MAX) {
			r = -E2BIG;
			break;
		}
		if (!get_u32(h, key, &ret->node[ret->n].nodeid))
			continue;
		snprintf(name_key, sizeof(name_key), "nodelist.node.%u.name", pos);
		if (!get_string(h, name_key, ret->node[ret->n].name, sizeof(ret->node[0].name))) {
			snprintf(name_key, sizeof(name_key), "nodelist.node.%u.ring0_addr", pos);
			get_string(h, name_key, ret->node[ret->n].name, sizeof(ret->node[0].name));
		}
		ret->n++;
	}
	cmap_iter_finalize(h, iter);
	return r;
}

static int by_nodeid(const void *a, const void *b)
{
	const uint32_t *x = a, *y = b; /* nodeid comes first in a node */

	return *x < *y ? -1 : *x > *y;
}

/* libcorosync's own connects wait for ever on a corosync that is stopped. */
int cluster_answers(int timeout_ms)
{
	int fd;
	qb_ipcc_connection_t *c = qb_ipcc_connect_async("cmap", 8192, &fd);

	if (c == NULL)
		return errno == EACCES ? -EACCES : -ECONNREFUSED;
	struct pollfd p = { .fd = fd, .events = POLLIN };
	int n = poll(&p, 1, timeout_ms);

	/* libqb frees a connection that never came to be, but not its socket. */
	close(fd);
	qb_ipcc_disconnect(c);
	return n > 0 ? 0 : -ETIMEDOUT;
}

int cluster_config_read(struct cluster_config *ret)
{
	struct cluster_config cfg = { 0 };
	cmap_handle_t h;
	uint8_t two_node = 0;
	int r = cluster_answers(CLUSTER_ANSWER_MS);

	if (r < 0)
		return r;
	cs_error_t e = cmap_initialize(&h);

	if (e != CS_OK)
		return e == CS_ERR_ACCESS ? -EACCES : -ECONNREFUSED;
	r = read_nodes(h, &cfg);

	get_string(h, "totem.cluster_name", cfg.cluster_name, sizeof(cfg.cluster_name));
	cfg.two_node = cmap_get_uint8(h, "quorum.two_node", &two_node) == CS_OK && two_node != 0;
	get_u32(h, "runtime.config.totem.token", &cfg.token_ms);
	get_u32(h, "runtime.config.totem.consensus", &cfg.consensus_ms);
	cmap_finalize(h);
	if (r < 0)
		return r;
	qsort(cfg.node, cfg.n, sizeof(cfg.node[0]), by_nodeid);
	*ret = cfg;
	return 0;
}
