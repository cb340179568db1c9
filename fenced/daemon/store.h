/* SPDX-License-Identifier: GPL-3.0-or-later */
/* fenced/daemon/store.h - the two files that a restarted fenced reads: magic, version, what store.c and store_loop.c write, CRC-32C.
 * The *_read functions are pure: a file may hold anything.
 */
#ifndef STOCKADE_FENCED_STORE_H
#define STOCKADE_FENCED_STORE_H

#include "fenced/core/fence.h"
#include "lib/wire.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define STORE_BYTES_MAX 8192

/* End @w with its checksum and put it in the place of @path. Return: 0 or -errno, which is logged. */
int store_seal(const char *path, struct wire_w *w);
/* Return: how many bytes of @path are in @buf, -ENOENT, -errno. */
ssize_t store_bytes(const char *path, uint8_t *buf, size_t size);
/* @ret stands behind magic and version. Return: 0, -EBADMSG (damaged, or of another version). */
int store_check(const uint8_t *buf, size_t n, uint32_t magic, uint16_t version, struct wire_r *ret);

/* store.c: the proofs into @fc. 0; -EBADMSG; -ESTALE: of another boot than @self's. fc->n_stored and fc->n_kept are set with 0 only. */
int store_proofs_read(const uint8_t *buf, size_t len, const struct incarnation *self,
		      struct fence_config *fc);
/* store_loop.c: who was fenced how often, who is held, the drills. 0 or -EBADMSG: then @fc may hold a part of it. @now: wall, s. */
int store_loop_read(const uint8_t *buf, size_t len, int64_t now, struct fence_config *fc);

#endif
