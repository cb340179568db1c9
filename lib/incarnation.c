/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "lib/incarnation.h"

#include "lib/wire.h"

#include <errno.h>

void incarnation_boot_text(const struct incarnation *inc, char text[BOOT_ID_TEXT])
{
	static const char hex[] = "0123456789abcdef";
	char *to = text;

	for (unsigned i = 0; i < BOOT_ID_BYTES; i++) {
		if (i == 4 || i == 6 || i == 8 || i == 10)
			*to++ = '-';
		*to++ = hex[inc->boot_id[i] >> 4];
		*to++ = hex[inc->boot_id[i] & 15];
	}
	*to = '\0';
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

int incarnation_boot_parse(const char *text, uint8_t boot_id[BOOT_ID_BYTES])
{
	uint8_t id[BOOT_ID_BYTES];

	for (unsigned i = 0; i < BOOT_ID_BYTES; i++) {
		if (*text == '-' && (i == 4 || i == 6 || i == 8 || i == 10))
			text++;
		int high = hex_digit(text[0]);
		int low = high < 0 ? -1 : hex_digit(text[1]);

		if (low < 0)
			return -EINVAL;
		id[i] = (uint8_t)(high << 4 | low);
		text += 2;
	}
	if (*text == '\n')
		text++;
	if (*text != '\0')
		return -EINVAL;
	memcpy(boot_id, id, sizeof(id));
	return 0;
}

void incarnation_write(const struct incarnation *inc, struct wire_w *w)
{
	wire_w_u32(w, inc->nodeid);
	wire_w_bytes(w, inc->boot_id, BOOT_ID_BYTES);
	wire_w_u64(w, inc->join);
}

void incarnation_read(struct incarnation *inc, struct wire_r *r)
{
	const uint8_t *boot;

	memset(inc, 0, sizeof(*inc));
	inc->nodeid = wire_r_u32(r);
	boot = wire_r_bytes(r, BOOT_ID_BYTES);
	if (boot)
		memcpy(inc->boot_id, boot, BOOT_ID_BYTES);
	inc->join = wire_r_u64(r);
	if (inc->nodeid > NODEID_MAX)
		wire_r_fail(r);
}
