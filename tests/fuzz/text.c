/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Lines of text: what a driver's child says to storaged, and records that are replayed (lib/record.h). The first byte chooses. */
#include "dlm/core/dlm_record.h"
#include "fenced/core/fence_record.h"
#include "storaged/core/place_record.h"
#include "storaged/drivers/driver.h"
#include "tests/fuzz/target.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define MEM_MAX 65536

static void driver(const char *text)
{
	struct driver_line line;

	if (driver_line_parse(&line, text) < 0)
		return;
	assert(strlen(line.text) < sizeof(line.text) && strlen(line.remedy) < sizeof(line.remedy));
	/* SAFE-3: a result is one of those that there are */
	if (line.kind == DRIVER_LINE_RESULT)
		assert(*driver_result_name(line.result) != '?');
}

static void record(const char *text, size_t len, unsigned what)
{
	static union {
		struct fence_event fence;
		struct fence_config fence_config;
		struct dlm_event dlm;
		struct dlm_config dlm_config;
		struct place_event place;
		struct place_config place_config;
	} to;
	static _Alignas(16) uint8_t mem[MEM_MAX];
	struct record_r r;
	int rc = 0;

	record_r_init(&r, text, len, mem, sizeof(mem));
	switch (what) {
	case 0: rc = fence_record_read_event(&r, &to.fence); break;
	case 1: rc = fence_record_read_config(&r, &to.fence_config); break;
	case 2: rc = dlm_record_read_event(&r, &to.dlm); break;
	case 3: rc = dlm_record_read_config(&r, &to.dlm_config); break;
	case 4: rc = place_record_read_event(&r, &to.place); break;
	case 5: rc = place_record_read_config(&r, &to.place_config); break;
	}
	assert(rc == 0 || r.err);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	if (len == 0)
		return 0;
	char *text = malloc(len);

	assert(text);
	memcpy(text, data + 1, len - 1);
	text[len - 1] = '\0';
	if (data[0] % 7 == 6)
		driver(text);
	else
		record(text, len - 1, data[0] % 7);
	free(text);
	return 0;
}
