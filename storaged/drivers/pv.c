/* SPDX-License-Identifier: GPL-3.0-or-later */
/* pv.c - reading the head of an LVM physical volume. */
#include "pv.h"

#include "lib/wire.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define SECTOR 512
#define LABEL_SECTORS 4
#define MDA_HEADER 512
#define LIST_MAX 16 /* disk areas of a PV: one or two in practice */

static const char mda_magic[16] = { ' ', 'L', 'V', 'M', '2', ' ', 'x', '[',
				    '5', 'A', '%', 'r', '0', 'N', '*', '>' };

static bool is_uuid(const char *s)
{
	for (int i = 0; i < PV_UUID_TEXT - 1; i++) {
		bool ok = (s[i] >= '0' && s[i] <= '9') || (s[i] >= 'a' && s[i] <= 'z') ||
			  (s[i] >= 'A' && s[i] <= 'Z') || s[i] == '#' || s[i] == '!';

		if (!ok)
			return false;
	}
	return true;
}

/* A list of {offset, size} pairs that ends with {0, 0}. Return: entries, or -EBADMSG; the first goes to @first. */
static int area_list(struct wire_r *r, uint64_t *first)
{
	*first = 0;
	for (int n = 0; n < LIST_MAX; n++) {
		uint64_t offset = wire_r_u64(r), size = wire_r_u64(r);

		if (wire_r_done(r) < 0)
			return -EBADMSG;
		if (offset == 0 && size == 0)
			return n;
		if (n == 0)
			*first = offset;
	}
	return -EBADMSG;
}

static int mda_read(struct pv_mark *m, const uint8_t *head)
{
	struct wire_r r;

	if (m->mda_offset % SECTOR != 0 || m->mda_offset > PV_HEAD_BYTES - MDA_HEADER)
		return -ENOTSUP;
	wire_r_init(&r, head + m->mda_offset, MDA_HEADER);
	wire_r_u32(
		&r); /* LVM's own checksum: the text's place below is what matters, compared as it is */
	const uint8_t *magic = wire_r_bytes(&r, sizeof(mda_magic));
	uint32_t version = wire_r_u32(&r);
	uint64_t start = wire_r_u64(&r);

	wire_r_u64(&r); /* size of the area */
	m->text_offset = wire_r_u64(&r);
	m->text_size = wire_r_u64(&r);
	m->text_crc = wire_r_u32(&r);
	if (wire_r_done(&r) < 0 || !magic || memcmp(magic, mda_magic, sizeof(mda_magic)) != 0 ||
	    version != 1 || start != m->mda_offset)
		return -EBADMSG;
	return 0;
}

int pv_mark_read(struct pv_mark *ret, const uint8_t *head)
{
	for (size_t at = 0; at < LABEL_SECTORS * SECTOR; at += SECTOR) {
		const uint8_t *label = head + at;
		struct pv_mark m = { .mda_offset = 0 };
		struct wire_r r;
		uint64_t data;

		/* label: id, its sector, crc, offset of what follows (from the label), type */
		if (memcmp(label, "LABELONE", 8) != 0 || memcmp(label + 24, "LVM2 001", 8) != 0)
			continue;
		wire_r_init(&r, label + 8, SECTOR - 8);
		if (wire_r_u64(&r) != at / SECTOR)
			continue; /* a copy of another sector: not a label (LVM skips it too) */
		wire_r_u32(&r);
		uint32_t pv = wire_r_u32(&r);

		if (pv < 32 || pv > SECTOR - 40)
			return -EBADMSG;
		wire_r_init(&r, label + pv, SECTOR - pv);
		const uint8_t *uuid = wire_r_bytes(&r, PV_UUID_TEXT - 1);

		if (!uuid || !is_uuid((const char *)uuid))
			return -EBADMSG;
		memcpy(m.uuid, uuid, PV_UUID_TEXT - 1);
		wire_r_u64(&r); /* device size */
		if (area_list(&r, &data) < 0 || area_list(&r, &m.mda_offset) < 0)
			return -EBADMSG;
		int e = m.mda_offset ? mda_read(&m, head) : 0;

		if (e == 0)
			*ret = m;
		return e;
	}
	return -ENODEV;
}

void pv_mark_text(const struct pv_mark *m, char text[PV_MARK_TEXT])
{
	snprintf(text, PV_MARK_TEXT, "%s:%" PRIu64 ":%" PRIu64 ":%" PRIu64 ":%08" PRIx32, m->uuid,
		 m->mda_offset, m->text_offset, m->text_size, m->text_crc);
}

int pv_uuid_compact(const char *dashed, char uuid[PV_UUID_TEXT])
{
	char out[PV_UUID_TEXT] = "";
	size_t n = 0;

	for (const char *c = dashed; *c; c++) {
		if (*c == '-')
			continue;
		if (n == PV_UUID_TEXT - 1)
			return -EINVAL;
		out[n++] = *c;
	}
	if (n != PV_UUID_TEXT - 1 || !is_uuid(out))
		return -EINVAL;
	memcpy(uuid, out, sizeof(out));
	return 0;
}
