/* SPDX-License-Identifier: GPL-3.0-or-later */
/* word.h - a heartbeat that says whether its node's watchdog is armed, sealed so that a member of the cluster said it (SAFE-12).
 *
 * HMAC-SHA256 under HMAC-SHA256(corosync's authkey, "stockade heartbeat v1"). The same secret as for the same word in the
 * ring, where corosync signs it with that key: who may say it there may say it here, and nobody else. Without the key
 * (corosync runs with secauth off) nothing is sealed, and what is on the disk says nothing about a watchdog.
 * Source: corosync.conf(5), keyfile; RFC 2104.
 */
#ifndef STOCKADE_DRIVERS_WORD_H
#define STOCKADE_DRIVERS_WORD_H

#include "epoch.h"

#include <stddef.h>

#define WORD_KEY_FILE "/etc/corosync/authkey" /* $STOCKADE_AUTHKEY in its place, for tests */
#define WORD_KEY_BYTES 32

struct word_key {
	bool have;
	uint8_t bytes[WORD_KEY_BYTES];
};

void word_key_read(struct word_key *k);
void word_key_derive(struct word_key *k, const void *secret, size_t len);

/* Seal @beat as the one of this volume; zeros without a key. */
void word_seal(const struct word_key *k, const char *cluster, const char *volume,
	       struct epoch_beat *beat);
/* Is it sealed with our key, for this volume? */
bool word_sealed(const struct word_key *k, const char *cluster, const char *volume,
		 const struct epoch_beat *beat);

#endif
