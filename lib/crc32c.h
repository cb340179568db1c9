/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* lib/crc32c.h - the Castagnoli checksum (RFC 3720, appendix B.4): guards blocks on disk and stored
 * files against damage, not against malice.
 */
#ifndef STOCKADE_LIB_CRC32C_H
#define STOCKADE_LIB_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/**
 * crc32c() - checksum of @len bytes, or the continuation of one.
 * @crc: 0 to begin; the value returned for what came before to go on
 * Return: the checksum of everything so far. crc32c(0, x, 0) is 0. Cannot fail; O(len).
 */
uint32_t crc32c(uint32_t crc, const void *data, size_t len);

#endif
