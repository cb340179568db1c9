/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "dog.h"

#include "lib/shell/watchdog.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/watchdog.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

void dog_init(struct dog *g)
{
	memset(g, 0, sizeof(*g));
	g->fd = -1;
}

static int fail(struct dog *g, int rc, const char *what)
{
	snprintf(g->why, sizeof(g->why), "%.60s: %s: %s", g->device, what, strerror(-rc));
	return rc;
}

int dog_arm(struct dog *g, const char *device, uint32_t timeout_ms)
{
	struct watchdog_info info = { 0 };
	int seconds = (int)((timeout_ms + 999) / 1000), got = 0;

	snprintf(g->device, sizeof(g->device), "%s", device);
	struct watchdog_facts facts;

	/* The others would wait for it to fire: what might not, is not armed at all. */
	watchdog_look(&facts, device, "");
	const char *why = watchdog_distrust(&facts, seconds);

	if (why) {
		snprintf(g->why, sizeof(g->why), "%.60s: %s", device, why);
		return -EPERM;
	}
	int fd = open(device, O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return fail(g, -errno,
			    errno == EBUSY ? "somebody else has it" : "cannot be opened");
	/* From here on it counts: whatever fails below, the device must be let go by the magic close. */
	int r = 0;

	if (ioctl(fd, WDIOC_GETSUPPORT, &info) < 0)
		r = fail(g, -errno, "is no watchdog");
	else if (!(info.options & WDIOF_KEEPALIVEPING) || !(info.options & WDIOF_SETTIMEOUT))
		r = fail(g, -EOPNOTSUPP, "cannot be petted, or not be set");
	else if (ioctl(fd, WDIOC_SETTIMEOUT, &seconds) < 0)
		r = fail(g, -errno, "does not take this timeout");
	else if (ioctl(fd, WDIOC_GETTIMEOUT, &got) < 0 || got < 1)
		r = fail(g, got < 1 ? -ERANGE : -errno, "does not tell its timeout");
	else if (got < seconds)
		r = fail(g, -ERANGE, "counts shorter than it was told");
	else if (ioctl(fd, WDIOC_KEEPALIVE, 0) < 0)
		r = fail(g, -errno, "cannot be petted");
	if (r < 0) {
		(void)!write(fd, "V", 1);
		close(fd);
		return r;
	}
	g->fd = fd;
	g->why[0] = '\0';
	g->timeout_ms = (uint32_t)got * 1000;
	snprintf(g->identity, sizeof(g->identity), "%.32s", (const char *)info.identity);
	return 0;
}

int dog_pet(struct dog *g, uint64_t now_ms)
{
	if (g->fd < 0)
		return -EBADF;
	if (ioctl(g->fd, WDIOC_KEEPALIVE, 0) < 0)
		return -errno;
	g->petted_ms = now_ms;
	return 0;
}

void dog_disarm(struct dog *g)
{
	if (g->fd < 0)
		return;
	(void)!write(g->fd, "V", 1);
	close(g->fd);
	g->fd = -1;
}

uint32_t dog_interval_ms(const struct dog *g)
{
	return g->timeout_ms / 5 > 500 ? g->timeout_ms / 5 : 500;
}
