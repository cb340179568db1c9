/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What disks and the network say to storaged's drivers and fence_scsi: the first byte chooses, the rest is the bytes. */
#include "lib/crc32c.h"
#include "lib/scsi_pr.h"
#include "storaged/drivers/epoch.h"
#include "storaged/drivers/neigh.h"
#include "storaged/drivers/pv.h"
#include "tests/fuzz/target.h"

#include <assert.h>
#include <string.h>
#include <sys/socket.h>

#define CRC_AT (EPOCH_SECTOR - 4)

/* @whole: with a checksum that is right, so that what lies behind it is reached. */
static void block(const uint8_t *data, size_t len, bool whole, uint8_t out[EPOCH_BLOCK])
{
	memset(out, 0, EPOCH_BLOCK);
	memcpy(out, data, len < CRC_AT ? len : CRC_AT);
	uint32_t crc = whole ? crc32c(0, out, CRC_AT) : 7;

	for (unsigned i = 0; i < 4; i++)
		out[CRC_AT + i] = (uint8_t)(crc >> 8 * i);
}

static void epoch(const uint8_t *data, size_t len, bool whole)
{
	uint8_t a[EPOCH_BLOCK], b[EPOCH_BLOCK];
	struct epoch_record rec, again, picked;
	struct epoch_beat beat, beat_again;

	block(data, len, whole, a);
	if (epoch_record_decode(&rec, a) == EPOCH_READ_OK) {
		assert(whole && rec.epoch <= EPOCH_MAX && rec.cluster[0] && rec.volume[0]);
		assert((rec.epoch == 0) == (rec.owner.nodeid == 0));
		epoch_record_encode(&rec, b);
		assert(epoch_record_decode(&again, b) == EPOCH_READ_OK);
		assert(again.epoch == rec.epoch && again.state == rec.state &&
		       incarnation_equal(&again.owner, &rec.owner));
		/* the higher epoch counts, and `active` of two that are the same (SAFE-1) */
		assert(epoch_record_pick(&picked, a, b) == EPOCH_READ_OK &&
		       picked.epoch == rec.epoch);
		again.state = rec.epoch ? EPOCH_ACTIVE : rec.state;
		epoch_record_encode(&again, b);
		assert(epoch_record_pick(&picked, a, b) == EPOCH_READ_OK &&
		       picked.state == again.state);
	}
	if (epoch_beat_decode(&beat, a) == EPOCH_READ_OK) {
		epoch_beat_encode(&beat, b);
		assert(epoch_beat_decode(&beat_again, b) == EPOCH_READ_OK &&
		       beat_again.counter == beat.counter);
	}
}

static void label(const uint8_t *data, size_t len)
{
	static uint8_t head[PV_HEAD_BYTES];
	struct pv_mark m;
	char text[PV_MARK_TEXT];

	/* sparse: pieces go where the format has something: a byte for the place in 32 bytes, one for the length */
	memset(head, 0, sizeof(head));
	while (len >= 2) {
		size_t at = data[0] * 32u, n = data[1] < len - 2 ? data[1] : len - 2;

		if (n > sizeof(head) - at)
			n = sizeof(head) - at;
		memcpy(head + at, data + 2, n);
		data += 2 + n;
		len -= 2 + n;
	}
	if (pv_mark_read(&m, head) < 0)
		return;
	assert(strlen(m.uuid) < sizeof(m.uuid));
	pv_mark_text(&m, text);
	assert(strlen(text) < sizeof(text));
}

static void reservations(const uint8_t *data, size_t len)
{
	static struct scsi_pr_keys keys;
	struct scsi_pr_reservation res = { 0 };
	struct scsi_pr_capabilities can;
	struct scsi_sense sense = scsi_sense_parse(data, len);

	assert(sense.valid || (sense.key == 0 && sense.asc == 0));
	scsi_pr_capabilities_parse(&can, data, len);
	if (scsi_pr_keys_parse(&keys, data, len) < 0)
		return;
	assert(keys.n <= SCSI_PR_KEYS_MAX);
	if (scsi_pr_reservation_parse(&res, data, len) < 0)
		memset(&res, 0, sizeof(res));
	for (unsigned i = 0; i < keys.n; i++) {
		uint32_t node = scsi_pr_key_node(keys.v[i]);

		assert(scsi_pr_count(&keys, keys.v[i]) >= 1);
		/* SAFE-3: who is registered is not cut off */
		if (node && scsi_pr_key_of_cluster(keys.v[i], "web"))
			assert(scsi_pr_judge_node(&keys, &res, "web", node) != SCSI_PR_CUT);
	}
}

static void neighbour(const uint8_t *data, size_t len)
{
	struct neigh n = { .family = data[0] & 1 ? AF_INET6 : AF_INET, .addr = { 192, 0, 2, 9 } };
	uint8_t mac[6];

	neigh_conflict(&n, data + 1, len - 1, mac);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	if (len < 2)
		return 0;
	switch (data[0] % 5) {
	case 0: epoch(data + 1, len - 1, true); break;
	case 1: epoch(data + 1, len - 1, false); break;
	case 2: label(data + 1, len - 1); break;
	case 3: reservations(data + 1, len - 1); break;
	case 4: neighbour(data + 1, len - 1); break;
	}
	return 0;
}
