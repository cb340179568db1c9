/* SPDX-License-Identifier: GPL-3.0-or-later */
/* corosync_conf.h - corosync.conf as our configuration wants it, and what an existing one says. */
#ifndef STOCKADE_COROSYNC_CONF_H
#define STOCKADE_COROSYNC_CONF_H

#include "lib/shell/config.h"

#include <stdio.h>

#define COROSYNC_CONF "/etc/corosync/corosync.conf"
#define COROSYNC_AUTHKEY "/etc/corosync/authkey"

void corosync_conf_write(const struct config *cfg, FILE *out);

#define COROSYNC_VALUES_MAX 256

struct corosync_value {
	char path
		[96]; /* "totem.token", "nodelist.node[0].name", "totem.interface[0].knet_ping_interval" */
	char value[160];
};

struct corosync_conf { /* every "key: value" of a file with its sections */
	unsigned n;
	struct corosync_value value[COROSYNC_VALUES_MAX];
};

/* Return: 0; -errno; -EINVAL: unbalanced braces or a line that is neither section nor "key: value", *line says where. */
int corosync_conf_read(const char *path, struct corosync_conf *ret, unsigned *line);
int corosync_conf_parse(FILE *f, struct corosync_conf *ret,
			unsigned *line); /* the same of an open one */
const char *corosync_conf_get(const struct corosync_conf *c,
			      const char *path); /* NULL: not there */

/**
 * corosync_conf_compare() - what in @c disagrees with @cfg.
 * @say: called once for each disagreement: a sentence, and whether it is fatal (else the operator may want it so)
 */
void corosync_conf_compare(const struct corosync_conf *c, const struct config *cfg,
			   void (*say)(void *arg, bool fatal, const char *text), void *arg);

/* The file that Debian's package installs: one node, nothing an operator wrote. */
bool corosync_conf_is_package_default(const struct corosync_conf *c);

#endif
