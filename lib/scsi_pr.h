/* SPDX-License-Identifier: GPL-3.0-or-later */
/* scsi_pr.h - SCSI-3 persistent reservations: commands, parameter data, and the keys of our nodes. Pure.
 *
 * A logical unit keeps a list of registered keys, one per path (I_T nexus), and at most one reservation. With the type
 * that we use, Write Exclusive - Registrants Only, whoever is registered may write and everybody may read; a node is cut
 * off when none of its keys is left (SAFE-3: read back). Big endian throughout. Source: SPC-4 5.13, 6.15, 6.16.
 */
#ifndef STOCKADE_SCSI_PR_H
#define STOCKADE_SCSI_PR_H

#include "incarnation.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SCSI_CDB_IN 10
#define SCSI_PR_OUT_BYTES 24
#define SCSI_PR_TYPE_WE_RO 5
#define SCSI_PR_KEYS_MAX 512 /* registrations: nodes x paths */
#define SCSI_PR_KEY_TEXT 17  /* 16 hexadecimal digits and NUL */

enum scsi_pr_out {
	SCSI_PR_REGISTER = 0,
	SCSI_PR_RESERVE = 1,
	SCSI_PR_PREEMPT_AND_ABORT = 5,
	SCSI_PR_REGISTER_AND_IGNORE = 6,
};

enum scsi_pr_in {
	SCSI_PR_READ_KEYS = 0,
	SCSI_PR_READ_RESERVATION = 1,
	SCSI_PR_REPORT_CAPABILITIES = 2,
};

/* A key of ours names cluster, node and the life of its kernel:
 *	"SK"  24 bits of crc32c(cluster name)  nodeid  16 bits of crc32c(boot id)
 * so that a key that comes back after a reboot is another one, keys of other clusters or programs are told apart, and all
 * keys of a node are found without knowing which life they are of. Never 0, which means "no key".
 */
uint64_t scsi_pr_key(const char *cluster, uint32_t nodeid, const uint8_t boot_id[BOOT_ID_BYTES]);
bool scsi_pr_key_of_cluster(uint64_t key, const char *cluster);
uint32_t scsi_pr_key_node(uint64_t key); /* of a key of ours; 0: it is none */
void scsi_pr_key_text(uint64_t key, char text[SCSI_PR_KEY_TEXT]);

/**
 * scsi_pr_out_build() - PERSISTENT RESERVE OUT.
 * @own: reservation key; @other: service action reservation key: the new key of a register, the victim of a preempt
 * @aptpl: the registration survives a loss of power of the target; register only
 */
void scsi_pr_out_build(uint8_t cdb[SCSI_CDB_IN], uint8_t data[SCSI_PR_OUT_BYTES],
		       enum scsi_pr_out what, uint64_t own, uint64_t other, bool aptpl);

/* PERSISTENT RESERVE IN with room for @len bytes. */
void scsi_pr_in_build(uint8_t cdb[SCSI_CDB_IN], enum scsi_pr_in what, uint16_t len);

struct scsi_pr_keys {
	uint32_t generation; /* counts every change; a target that forgot begins anew */
	unsigned n;          /* a key stands once per path */
	uint64_t v[SCSI_PR_KEYS_MAX];
};
#define SCSI_PR_KEYS_BYTES (8 + 8 * SCSI_PR_KEYS_MAX)

struct scsi_pr_reservation {
	bool held;
	uint64_t key;
	uint8_t type; /* SCSI_PR_TYPE_... */
};

struct scsi_pr_capabilities {
	bool persist;        /* PTPL_C: keys can outlive a loss of power */
	bool persist_active; /* PTPL_A: and do now */
	bool types_known;    /* TMV */
	bool we_ro;          /* the type that we use is supported; true when !types_known */
};

/* Parse what a target answered; @len: bytes that really arrived. Return: 0; -EBADMSG: cut short, or lengths that lie;
 * -EMSGSIZE: more keys than SCSI_PR_KEYS_MAX: nothing is known then (SAFE-3). On failure @ret is undefined. */
int scsi_pr_keys_parse(struct scsi_pr_keys *ret, const uint8_t *data, size_t len);
int scsi_pr_reservation_parse(struct scsi_pr_reservation *ret, const uint8_t *data, size_t len);
int scsi_pr_capabilities_parse(struct scsi_pr_capabilities *ret, const uint8_t *data, size_t len);

unsigned scsi_pr_count(const struct scsi_pr_keys *keys, uint64_t key);

/* What a disk says about one node of ours. */
enum scsi_pr_standing {
	SCSI_PR_UNKNOWN = 0,
	SCSI_PR_MAY_WRITE, /* registered; or nothing is reserved, so that anybody may */
	SCSI_PR_CUT, /* not registered, and who is not must not write: reserved with our type */
};

/* @of: a node's id; @cluster: of its keys. Any of its lives counts. */
enum scsi_pr_standing scsi_pr_judge_node(const struct scsi_pr_keys *keys,
					 const struct scsi_pr_reservation *res, const char *cluster,
					 uint32_t of);

/* What a disk says about ourselves, who registered @key over @n_paths paths in this life. */
enum scsi_pr_own {
	SCSI_PR_OWN_UNKNOWN = 0,
	SCSI_PR_OWN_GOOD,   /* on every path, and the disk is reserved */
	SCSI_PR_OWN_PARTLY, /* a path is new, or has logged in again: register there */
	SCSI_PR_OWN_FORGOTTEN, /* no key of anybody, no reservation: the target restarted; register again */
	SCSI_PR_OWN_CUT, /* others are there and we are not: somebody cut us off */
};

enum scsi_pr_own scsi_pr_judge_own(const struct scsi_pr_keys *keys,
				   const struct scsi_pr_reservation *res, uint64_t key,
				   unsigned n_paths);

/* Sense data, fixed and descriptor format. */
struct scsi_sense {
	bool valid;
	uint8_t key, asc, ascq;
};
#define SCSI_SENSE_ILLEGAL_REQUEST 5
#define SCSI_SENSE_UNIT_ATTENTION 6

struct scsi_sense scsi_sense_parse(const uint8_t *data, size_t len);

#endif
