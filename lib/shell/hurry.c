/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "hurry.h"

#include <corosync/cmap.h>
#include <corosync/corotypes.h>
#include <errno.h>

static const char key[] = "totem.consensus";
static const char kept[] =
	"stockade.consensus"; /* what it was, for a fenced that ends in between; as long-lived as the change itself */

int hurry_begin(uint32_t ms)
{
	cmap_handle_t h;
	uint32_t now = 0;
	int r = -EIO;

	if (cmap_initialize(&h) != CS_OK)
		return -ENOTCONN;
	/* Only a value that was written can be given back: a derived one would stay where it is. */
	if (cmap_get_uint32(h, key, &now) != CS_OK || now <= ms)
		r = -ENOENT;
	else if (cmap_set_uint32(h, kept, now) == CS_OK && cmap_set_uint32(h, key, ms) == CS_OK)
		r = 0;
	cmap_finalize(h);
	return r;
}

int hurry_end(void)
{
	cmap_handle_t h;
	uint32_t before = 0;
	int r = 0;

	if (cmap_initialize(&h) != CS_OK)
		return -ENOTCONN;
	if (cmap_get_uint32(h, kept, &before) == CS_OK) {
		if (cmap_set_uint32(h, key, before) == CS_OK)
			cmap_delete(h, kept);
		else
			r = -EIO;
	}
	cmap_finalize(h);
	return r;
}
