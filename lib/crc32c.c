/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* lib/crc32c.c - see crc32c.h. Eight bytes at a time: a heartbeat sums two blocks of 4 KiB, twice a second, for ever. The
 * tables follow from the polynomial when the program starts, so there is nothing in them to check by eye.
 */
#include "lib/crc32c.h"

#define POLYNOMIAL 0x82f63b78u /* reflected */

/* table[k][i]: the remainder of byte i with k zero bytes behind it */
static uint32_t table[8][256];

static void __attribute__((constructor)) make_table(void)
{
	for (uint32_t i = 0; i < 256; i++) {
		uint32_t crc = i;

		for (int bit = 0; bit < 8; bit++)
			crc = crc & 1 ? crc >> 1 ^ POLYNOMIAL : crc >> 1;
		table[0][i] = crc;
	}
	for (int k = 1; k < 8; k++)
		for (int i = 0; i < 256; i++)
			table[k][i] = table[k - 1][i] >> 8 ^ table[0][table[k - 1][i] & 255];
}

uint32_t crc32c(uint32_t crc, const void *data, size_t len)
{
	const uint8_t *p = data;

	crc = ~crc;
	for (; len >= 8; len -= 8, p += 8) {
		crc ^= p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
		crc = table[7][crc & 255] ^ table[6][crc >> 8 & 255] ^ table[5][crc >> 16 & 255] ^
		      table[4][crc >> 24] ^ table[3][p[4]] ^ table[2][p[5]] ^ table[1][p[6]] ^
		      table[0][p[7]];
	}
	while (len-- > 0)
		crc = crc >> 8 ^ table[0][(crc ^ *p++) & 255];
	return ~crc;
}
