/* SPDX-License-Identifier: GPL-3.0-or-later */
/* fenced/daemon/dog.h - this node's watchdog: armed, and petted as long as the core's rules hold (SAFE-12).
 *
 * The device is opened when all rules hold for the first time, never before: from then on the kernel resets the machine when
 * nobody pets it, also when fenced is killed or hangs. What is told to the others is the timeout read back from the driver.
 * Disarmed only after a goodbye, by the magic close; where the kernel has nowayout, it goes on counting all the same.
 * Source: linux Documentation/watchdog/watchdog-api.rst.
 */
#ifndef STOCKADE_FENCED_DAEMON_DOG_H
#define STOCKADE_FENCED_DAEMON_DOG_H

#include <stdbool.h>
#include <stdint.h>

#define DOG_DEVICE "/dev/watchdog0"

struct dog {
	int fd; /* -1: not armed */
	char device[64], identity[40];
	char why[240]; /* why it is not armed; "": it is, or not wanted */
	uint32_t timeout_ms;
	uint64_t petted_ms;
};

void dog_init(struct dog *g);
/* Look whether it can be trusted (lib/shell/watchdog.h), open, set @timeout_ms (whole seconds, upwards), read it back. 0, or -errno and g->why; then it is not armed. */
int dog_arm(struct dog *g, const char *device, uint32_t timeout_ms);
int dog_pet(struct dog *g, uint64_t now_ms);   /* 0 or -errno */
void dog_disarm(struct dog *g);                /* after a goodbye */
uint32_t dog_interval_ms(const struct dog *g); /* pet this often */

#endif
