/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The sentences of agents: ours (fence_agents/), and those of the same names that others ship. */
#include "diagnose.h"

#include <string.h>

struct sentence {
	unsigned kinds; /* bit by enum doctor_kind */
	enum doctor_said said;
	const char *words; /* somewhere in it */
};

#define ANY ~0u
#define VM (1u << DOCTOR_XVM | 1u << DOCTOR_XVM_TCP)
#define BMC (1u << DOCTOR_IPMI)
#define DISKS (1u << DOCTOR_SCSI)

/* The first that fits counts: what is said of the key before "no answer", whose sentence names the key as a possibility. */
static const struct sentence sentences[] = {
	{ VM, DOCTOR_SAID_SECRET, "key_file" },
	{ VM, DOCTOR_SAID_SECRET, "key file" },
	{ ANY, DOCTOR_SAID_SECRET, "chmod 600" },
	{ VM, DOCTOR_SAID_NO_ADDRESS, "no request could be sent" },
	{ VM, DOCTOR_SAID_NO_ANSWER, "there is no answer from" },
	{ VM, DOCTOR_SAID_KEY, "wrong key" },
	{ VM, DOCTOR_SAID_KEY, "without proving its key" },
	{ VM, DOCTOR_SAID_KEY, "Failed to verify" },
	{ VM, DOCTOR_SAID_STUCK, "is connected and says nothing" },
	{ VM, DOCTOR_SAID_NO_ANSWER, "no answer" },
	{ VM, DOCTOR_SAID_NO_ANSWER, "Timed out waiting for response" },
	{ VM, DOCTOR_SAID_DENIED, "not permitted" },
	{ VM, DOCTOR_SAID_DENIED, "Permission denied" },
	{ VM, DOCTOR_SAID_GUEST, "guest unknown" },
	{ VM, DOCTOR_SAID_GUEST, "is unknown to who answered" },
	{ VM, DOCTOR_SAID_LIBVIRT, "libvirt does not answer" },
	{ VM, DOCTOR_SAID_LIBVIRT, "is its libvirt there" },
	{ VM, DOCTOR_SAID_RATE, "rate limit" },
	{ VM, DOCTOR_SAID_FAILED, "Operation failed" },
	{ VM, DOCTOR_SAID_FAILED, "failed at hypervisor" }, /* with its reason */
	{ VM, DOCTOR_SAID_FAILED, "conflicting answers about" },

	{ BMC, DOCTOR_SAID_NAME, "check ip" },
	{ BMC, DOCTOR_SAID_USER, "no such user" },
	{ BMC, DOCTOR_SAID_PASSWORD, "wrong password" },
	{ BMC, DOCTOR_SAID_KG, "hexadecimal_kg" },
	{ BMC, DOCTOR_SAID_PRIVILEGE, "privlvl" },
	{ BMC, DOCTOR_SAID_CIPHER, "cipher" },
	{ BMC, DOCTOR_SAID_OLD, "does not speak IPMI 2.0" },
	{ BMC, DOCTOR_SAID_STATE, "chassis status" },
	{ BMC, DOCTOR_SAID_NO_ANSWER, "no answer" },
	{ BMC, DOCTOR_SAID_BUSY, "busy" },
	{ BMC, DOCTOR_SAID_BUSY, "fell silent" },

	{ DISKS, DOCTOR_SAID_NO_PR, "no persistent reservations" },
	{ DISKS, DOCTOR_SAID_NO_PR, "no reservation of type" },
	{ DISKS, DOCTOR_SAID_FORGETS, "forgets registrations" },
	{ DISKS, DOCTOR_SAID_NO_ABORT, "cannot PREEMPT AND ABORT" },
	{ DISKS, DOCTOR_SAID_CUT, "was cut off" },
	{ DISKS, DOCTOR_SAID_PATH, "a path is not registered" },
	{ DISKS, DOCTOR_SAID_PATH, "two paths of one disk" },
	{ DISKS, DOCTOR_SAID_PATH, "a registration is missing" },
	{ DISKS, DOCTOR_SAID_COROSYNC, "corosync does not" },
	{ DISKS, DOCTOR_SAID_PLUG, "corosync knows no node" },
	{ DISKS, DOCTOR_SAID_PATH, "No such device or address" },
	{ DISKS, DOCTOR_SAID_DISK, "No such file or directory" },
	{ DISKS, DOCTOR_SAID_DISK, "No such device" },
	{ DISKS, DOCTOR_SAID_DISK, "no SCSI disk" },

	{ ANY, DOCTOR_SAID_PLUG, "does not list plug" },
	{ 1u << DOCTOR_OTHER, DOCTOR_SAID_PLUG, "plug is not available" }, /* fence-agents */
	{ 1u << DOCTOR_OTHER, DOCTOR_SAID_NO_ANSWER, "Connection timed out" },
	{ 1u << DOCTOR_OTHER, DOCTOR_SAID_NO_ANSWER, "No route to host" },
	{ 1u << DOCTOR_OTHER, DOCTOR_SAID_NO_ANSWER, "Connection refused" },
};

enum doctor_said doctor_said(enum doctor_kind kind, const char *words)
{
	for (size_t i = 0; i < sizeof(sentences) / sizeof(*sentences); i++)
		if ((sentences[i].kinds & 1u << kind) && strstr(words, sentences[i].words))
			return sentences[i].said;
	return DOCTOR_SAID_OTHER;
}
