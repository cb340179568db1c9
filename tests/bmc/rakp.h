/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tests/bmc/rakp.h - keys, signatures and framing of an RMCP+ session, the side of the BMC.
 *
 * Pure: bytes in, bytes out. Source: IPMI 2.0 (rev. 1.1) 13.17 to 13.32; the vectors of tests/unit/bmc_rakp.c are sessions
 * of ipmitool with a BMC of the field. Session ids are kept in the byte order in which they travel.
 */
#ifndef STOCKADE_TESTS_BMC_RAKP_H
#define STOCKADE_TESTS_BMC_RAKP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RAKP_MAC_MAX 32
#define RAKP_PASSWORD_MAX 20
#define RAKP_NAME_MAX 16
#define RAKP_PACKET_MAX 512

enum rakp_suite_id { RAKP_SUITE_3 = 3, RAKP_SUITE_17 = 17 };

struct rakp_suite {
	enum rakp_suite_id id;
	uint8_t auth, integrity,
		confidentiality; /* algorithm numbers of the Open Session records */
	const char *digest;      /* libcrypto's name */
	size_t mac_bytes;        /* of RAKP 2 and 3 */
	size_t tag_bytes;        /* of RAKP 4 and of each packet's AuthCode */
};

const struct rakp_suite *rakp_suite(int id); /* NULL: not one of ours */
const struct rakp_suite *rakp_suite_by_algorithms(uint8_t auth, uint8_t integrity,
						  uint8_t confidentiality);

struct rakp_session { /* what both sides know when RAKP 1 has arrived, and the keys that follow */
	const struct rakp_suite *suite;
	uint8_t console_id[4], bmc_id[4];           /* SIDm, SIDc */
	uint8_t console_random[16], bmc_random[16]; /* Rm, Rc */
	uint8_t guid[16];
	uint8_t role;
	uint8_t name_len;
	uint8_t name[RAKP_NAME_MAX];
	uint8_t sik[RAKP_MAC_MAX], k1[RAKP_MAC_MAX], k2[RAKP_MAC_MAX];
};

void rakp2_mac(const struct rakp_session *s, const char *password, uint8_t out[RAKP_MAC_MAX]);
void rakp3_mac(const struct rakp_session *s, const char *password, uint8_t out[RAKP_MAC_MAX]);
void rakp4_mac(const struct rakp_session *s, uint8_t out[RAKP_MAC_MAX]); /* needs the keys */
void rakp_keys(struct rakp_session *s,
	       const char *kg); /* SIK, K1, K2; @kg: the password where no Kg is set */

/**
 * rakp_open() - check and decrypt a packet of a session.
 * @packet: the whole datagram, RMCP header included
 * @ret_message: [RAKP_PACKET_MAX] the IPMI message
 * Return: its length, or -EBADMSG: cut short, not signed and encrypted, a wrong AuthCode, padding that is none
 */
int rakp_open(const struct rakp_session *s, const uint8_t *packet, size_t len,
	      uint8_t *ret_message);

/**
 * rakp_seal() - encrypt and sign a message for @to.
 * @iv: 16 bytes
 * @ret_packet: [RAKP_PACKET_MAX] the whole datagram
 * Return: its length, or -EMSGSIZE
 */
int rakp_seal(const struct rakp_session *s, const uint8_t to[4], uint32_t sequence,
	      const uint8_t iv[16], const uint8_t *message, size_t len, uint8_t *ret_packet);

uint8_t ipmi_checksum(const uint8_t *p, size_t len);
uint16_t le16(const uint8_t *p);
uint32_t le32(const uint8_t *p);
void put_le16(uint8_t *p, uint16_t v);
void put_le32(uint8_t *p, uint32_t v);

#endif
