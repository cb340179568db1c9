/* SPDX-License-Identifier: GPL-3.0-or-later */
/* areatest DEVICE OFFSET EPOCH - writes an epoch record and a heartbeat, as storaged does before it mounts and while it owns a
 * volume, by storaged's own code, to a real device. Exit: 0 both are on the disk; 1 with words: one is not.
 */
#include "storaged/drivers/area.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int wrong(const char *what, int r)
{
	fprintf(stderr, "areatest: %s: %s\n", what, strerror(-r));
	return 1;
}

int main(int argc, char **argv)
{
	struct epoch_record rec = { .state = EPOCH_ACTIVE }, back;
	struct epoch_beat beat = { .counter = 1 };
	struct area a;

	if (argc != 4) {
		fprintf(stderr, "usage: areatest DEVICE OFFSET EPOCH\n");
		return 2;
	}
	rec.epoch = beat.epoch = strtoull(argv[3], NULL, 10);
	rec.owner.nodeid = beat.life.nodeid = 1;
	memset(rec.owner.boot_id, 7, sizeof(rec.owner.boot_id));
	memset(beat.life.boot_id, 7, sizeof(beat.life.boot_id));
	snprintf(rec.cluster, sizeof(rec.cluster), "lab");
	snprintf(rec.volume, sizeof(rec.volume), "data");
	int r = area_open(&a, argv[1], strtoull(argv[2], NULL, 10), true);

	if (r < 0)
		return wrong("open", r);
	int record = area_record_write(&a, &rec), heart = area_beat_write(&a, &beat, false);

	r = area_record_read(&a, &back);
	area_close(&a);
	if (record < 0)
		wrong("the record is not written", record);
	if (heart < 0)
		wrong("the heartbeat is not written", heart);
	if (record < 0 || heart < 0)
		return 1;
	if (r < 0 || back.epoch != rec.epoch)
		return wrong("the record reads back as another", r < 0 ? r : -1);
	printf("epoch %llu is on the disk\n", (unsigned long long)back.epoch);
	return 0;
}
