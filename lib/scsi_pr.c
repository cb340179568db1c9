// SPDX-License-Identifier: GPL-3.0-or-later
#include "lib/scsi_pr.h"

#include "lib/crc32c.h"

#include <errno.h>
#include <string.h>

#define OPCODE_PR_IN 0x5e
#define OPCODE_PR_OUT 0x5f
#define KEY_MARK 0x534b /* "SK" */

static void put_be(uint8_t *p, uint64_t v, unsigned bytes)
{
	for (unsigned i = 0; i < bytes; i++)
		p[i] = (uint8_t)(v >> (8 * (bytes - 1 - i)));
}

static uint64_t get_be(const uint8_t *p, unsigned bytes)
{
	uint64_t v = 0;

	for (unsigned i = 0; i < bytes; i++)
		v = v << 8 | p[i];
	return v;
}

static uint64_t cluster_bits(const char *cluster)
{
	return crc32c(0, cluster, strlen(cluster)) & 0xffffff;
}

uint64_t scsi_pr_key(const char *cluster, uint32_t nodeid, const uint8_t boot_id[BOOT_ID_BYTES])
{
	uint64_t boot = crc32c(0, boot_id, BOOT_ID_BYTES) & 0xffff;

	return (uint64_t)KEY_MARK << 48 | cluster_bits(cluster) << 24 |
	       (uint64_t)(nodeid & 0xff) << 16 | boot;
}

bool scsi_pr_key_of_cluster(uint64_t key, const char *cluster)
{
	return key >> 48 == KEY_MARK && (key >> 24 & 0xffffff) == cluster_bits(cluster);
}

uint32_t scsi_pr_key_node(uint64_t key)
{
	return key >> 48 == KEY_MARK ? (uint32_t)(key >> 16 & 0xff) : 0;
}

void scsi_pr_key_text(uint64_t key, char text[SCSI_PR_KEY_TEXT])
{
	for (unsigned i = 0; i < 16; i++)
		text[i] = "0123456789abcdef"[key >> (60 - 4 * i) & 0xf];
	text[16] = '\0';
}

void scsi_pr_out_build(uint8_t cdb[SCSI_CDB_IN], uint8_t data[SCSI_PR_OUT_BYTES],
		       enum scsi_pr_out what, uint64_t own, uint64_t other, bool aptpl)
{
	bool has_type = what == SCSI_PR_RESERVE || what == SCSI_PR_PREEMPT_AND_ABORT;

	memset(cdb, 0, SCSI_CDB_IN);
	cdb[0] = OPCODE_PR_OUT;
	cdb[1] = (uint8_t)what;
	cdb[2] = has_type ? SCSI_PR_TYPE_WE_RO : 0; /* scope 0: the logical unit */
	put_be(cdb + 5, SCSI_PR_OUT_BYTES, 4);
	memset(data, 0, SCSI_PR_OUT_BYTES);
	put_be(data, own, 8);
	put_be(data + 8, other, 8);
	data[20] = aptpl ? 1 : 0;
}

void scsi_pr_in_build(uint8_t cdb[SCSI_CDB_IN], enum scsi_pr_in what, uint16_t len)
{
	memset(cdb, 0, SCSI_CDB_IN);
	cdb[0] = OPCODE_PR_IN;
	cdb[1] = (uint8_t)what;
	put_be(cdb + 7, len, 2);
}

int scsi_pr_keys_parse(struct scsi_pr_keys *ret, const uint8_t *data, size_t len)
{
	if (len < 8)
		return -EBADMSG;
	uint64_t bytes = get_be(data + 4, 4);

	if (bytes % 8 != 0)
		return -EBADMSG;
	/* The length is that of the whole list, also where our room cut it off. */
	if (bytes / 8 > SCSI_PR_KEYS_MAX)
		return -EMSGSIZE;
	if (bytes > len - 8)
		return -EBADMSG;
	ret->generation = (uint32_t)get_be(data, 4);
	ret->n = (unsigned)(bytes / 8);
	for (unsigned i = 0; i < ret->n; i++)
		ret->v[i] = get_be(data + 8 + 8 * i, 8);
	return 0;
}

int scsi_pr_reservation_parse(struct scsi_pr_reservation *ret, const uint8_t *data, size_t len)
{
	if (len < 8)
		return -EBADMSG;
	uint64_t bytes = get_be(data + 4, 4);

	if (bytes == 0) {
		*ret = (struct scsi_pr_reservation){ .held = false };
		return 0;
	}
	if (bytes < 16 || len < 24)
		return -EBADMSG;
	ret->held = true;
	ret->key = get_be(data + 8, 8);
	ret->type = data[21] & 0x0f;
	return 0;
}

int scsi_pr_capabilities_parse(struct scsi_pr_capabilities *ret, const uint8_t *data, size_t len)
{
	if (len < 8 || get_be(data, 2) < 8)
		return -EBADMSG;
	ret->persist = data[2] & 0x01;
	ret->persist_active = data[3] & 0x01;
	ret->types_known = data[3] & 0x80;
	ret->we_ro = !ret->types_known || (data[4] & 0x20);
	return 0;
}

unsigned scsi_pr_count(const struct scsi_pr_keys *keys, uint64_t key)
{
	unsigned n = 0;

	for (unsigned i = 0; i < keys->n; i++)
		n += keys->v[i] == key;
	return n;
}

enum scsi_pr_standing scsi_pr_judge_node(const struct scsi_pr_keys *keys,
					 const struct scsi_pr_reservation *res, const char *cluster,
					 uint32_t of)
{
	for (unsigned i = 0; i < keys->n; i++)
		if (scsi_pr_key_of_cluster(keys->v[i], cluster) &&
		    scsi_pr_key_node(keys->v[i]) == of)
			return SCSI_PR_MAY_WRITE;
	if (!res->held)
		return SCSI_PR_MAY_WRITE;
	/* Another type of reservation keeps others out too, but also may let all registrants hold it: not ours to judge. */
	return res->type == SCSI_PR_TYPE_WE_RO ? SCSI_PR_CUT : SCSI_PR_UNKNOWN;
}

enum scsi_pr_own scsi_pr_judge_own(const struct scsi_pr_keys *keys,
				   const struct scsi_pr_reservation *res, uint64_t key,
				   unsigned n_paths)
{
	unsigned n = scsi_pr_count(keys, key);

	if (n == 0)
		return keys->n == 0 && !res->held ? SCSI_PR_OWN_FORGOTTEN : SCSI_PR_OWN_CUT;
	if (!res->held || res->type != SCSI_PR_TYPE_WE_RO)
		return SCSI_PR_OWN_PARTLY;
	return n >= n_paths ? SCSI_PR_OWN_GOOD : SCSI_PR_OWN_PARTLY;
}

struct scsi_sense scsi_sense_parse(const uint8_t *data, size_t len)
{
	if (len < 1)
		return (struct scsi_sense){ .valid = false };
	switch (data[0] & 0x7f) {
	case 0x70:
	case 0x71:
		if (len < 14)
			break;
		return (struct scsi_sense){ true, data[2] & 0x0f, data[12], data[13] };
	case 0x72:
	case 0x73:
		if (len < 4)
			break;
		return (struct scsi_sense){ true, data[1] & 0x0f, data[2], data[3] };
	default: break;
	}
	return (struct scsi_sense){ .valid = false };
}
