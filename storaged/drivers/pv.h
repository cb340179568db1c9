/* SPDX-License-Identifier: GPL-3.0-or-later */
/* pv.h - the head of an LVM physical volume: whose it is, and whether the metadata changed. Pure.
 *
 * The first 8 KiB of a PV hold its label (sectors 0..3: uuid, places of the metadata areas) and the header of the first
 * metadata area (512 bytes: place, size and checksum of the text that is in force). Two reads that give the
 * same mark are of the same PV with the same volume group text. That is how a plan made
 * by LVM early is known to be true later, in the one moment when an LVM command would cost a second.
 * Format: LVM2 001, the one lvm2 has written since 2002 ("LABELONE" / "LVM2 001").
 */
#ifndef STOCKADE_DRIVERS_PV_H
#define STOCKADE_DRIVERS_PV_H

#include <stddef.h>
#include <stdint.h>

#define PV_HEAD_BYTES 8192
#define PV_UUID_TEXT 33 /* 32 characters, no dashes, NUL */

struct pv_mark {
	char uuid[PV_UUID_TEXT];
	uint64_t mda_offset; /* of the metadata area on the PV; 0: this PV carries none */
	uint64_t text_offset, text_size;
	uint32_t text_crc;
};

/**
 * pv_mark_read() - find the mark in the head of a PV.
 * @head: [PV_HEAD_BYTES]
 * Return: 0; -ENODEV no PV; -EBADMSG a PV, but its head makes no sense; -ENOTSUP a metadata area outside of the head
 */
int pv_mark_read(struct pv_mark *ret, const uint8_t *head);

/* "UUID:OFFSET:SIZE:CRC", for keeping in a file and comparing. */
#define PV_MARK_TEXT 112
void pv_mark_text(const struct pv_mark *m, char text[PV_MARK_TEXT]);

/* Take the dashes out of an uuid as LVM prints it. 0, -EINVAL when 32 characters do not remain. */
int pv_uuid_compact(const char *dashed, char uuid[PV_UUID_TEXT]);

#endif
