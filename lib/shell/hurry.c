/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "hurry.h"

#include <corosync/cmap.h>
#include <corosync/corotypes.h>
#include <errno.h>

static const char key[] = "totem.consensus";

int hurry_begin(uint32_t ms, uint32_t *ret_before)
{
	cmap_handle_t h;
	uint32_t now = 0;
	int r = -EIO;

	if (cmap_initialize(&h) != CS_OK)
		return -ENOTCONN;
	/* Only a value that was written can be given back: a derived one would stay where it is. */
	if (cmap_get_uint32(h, key, &now) != CS_OK || now <= ms)
		r = -ENOENT;
	else if (cmap_set_uint32(h, key, ms) == CS_OK)
		r = 0;
	cmap_finalize(h);
	if (r == 0)
		*ret_before = now;
	return r;
}

int hurry_end(uint32_t before)
{
	cmap_handle_t h;

	if (cmap_initialize(&h) != CS_OK)
		return -ENOTCONN;
	int r = cmap_set_uint32(h, key, before) == CS_OK ? 0 : -EIO;

	cmap_finalize(h);
	return r;
}
