/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "hurry.h"

#include <corosync/cmap.h>
#include <corosync/corotypes.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

static const char key[] =
	"runtime.force_gather"; /* "no" while nothing is asked; corosync sets it back itself */

struct hurry {
	bool connected;
	cmap_handle_t cmap;
};

struct hurry *hurry_new(void)
{
	return calloc(1, sizeof(struct hurry));
}

static void disconnect(struct hurry *h)
{
	if (h->connected)
		cmap_finalize(h->cmap);
	h->connected = false;
}

struct hurry *hurry_free(struct hurry *h)
{
	if (h)
		disconnect(h);
	free(h);
	return NULL;
}

void hurry_ready(struct hurry *h)
{
	if (!h->connected)
		h->connected = cmap_initialize(&h->cmap) == CS_OK;
}

/* A key that is not there could be made, and nobody would look at it. */
static cs_error_t ask(struct hurry *h)
{
	char *value = NULL;
	cs_error_t e = cmap_get_string(h->cmap, key, &value);

	free(value);
	return e == CS_OK ? cmap_set_string(h->cmap, key, "yes") : e;
}

int hurry_corosync(struct hurry *h)
{
	cs_error_t e = CS_ERR_LIBRARY;

	/* The connection may be to a corosync that has been restarted since. */
	for (unsigned i = 0; i < 2 && e != CS_OK && e != CS_ERR_NOT_EXIST; i++) {
		hurry_ready(h);
		if (!h->connected)
			return -ENOTCONN;
		e = ask(h);
		if (e != CS_OK && e != CS_ERR_NOT_EXIST)
			disconnect(h);
	}
	return e == CS_OK ? 0 : e == CS_ERR_NOT_EXIST ? -ENOTSUP : -EIO;
}
