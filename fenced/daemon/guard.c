/* SPDX-License-Identifier: GPL-3.0-or-later */
/* fenced/daemon/guard.c - the watchdog of this node does what the core says (fenced/core/dog.c, SAFE-12).
 *
 * Armed when the core first says that it may be petted; then looked after five times in a timeout. What the others count on is
 * said (FENCE_EV_WATCHDOG) only after the device has answered. When the rules have ended for the grace, storaged lets everything
 * go in grades, reboots the node when it cannot (SAFE-7, core/letgo.c), and if all of that hangs, the hardware ends it.
 */
#include "daemon.h"

#include "lib/shell/log.h"

#include <errno.h>
#include <string.h>

#define LOOK_MS 1000

static void arm(struct fenced *f)
{
	char said[sizeof(f->dog.why)];

	memcpy(said, f->dog.why, sizeof(said));
	if (dog_arm(&f->dog, f->cfg->watchdog_device, f->cfg->timing.watchdog_ms) < 0) {
		if (strcmp(said, f->dog.why) != 0)
			history_add(f->history, "watchdog.fail",
				    json_pack("{s:s}", "error", f->dog.why),
				    "the watchdog of %s is not armed: %s", f->self->name,
				    f->dog.why);
		return;
	}
	history_add(f->history, "watchdog.armed",
		    json_pack("{s:s,s:s,s:i}", "device", f->dog.device, "identity", f->dog.identity,
			      "timeout_ms", (int)f->dog.timeout_ms),
		    "the watchdog of %s is armed: %s (%s) resets it after %u s", f->self->name,
		    f->dog.device, f->dog.identity, f->dog.timeout_ms / 1000);
	feed(f, (struct fence_event){ .type = FENCE_EV_WATCHDOG, .armed_ms = f->dog.timeout_ms });
}

static const char *const daemons[] = { "storaged", "dlmd" }; /* bit of FENCE_DAEMON_* by place */

void guard_alive(struct fenced *f, const void *who, size_t len)
{
	for (unsigned i = 0; i < sizeof(daemons) / sizeof(daemons[0]); i++)
		if (len == strlen(daemons[i]) && memcmp(who, daemons[i], len) == 0)
			f->alive_ms[i] = mono_ms();
}

/* Each says four times within that time that its loop turns. Who was never heard since we began counts from then. */
static void hear(struct fenced *f)
{
	uint64_t now = mono_ms();
	uint32_t mute = 0;

	for (unsigned i = 0; i < sizeof(daemons) / sizeof(daemons[0]); i++) {
		if (!f->alive_ms[i])
			f->alive_ms[i] = now;
		if (now - f->alive_ms[i] > f->cfg->timing.watchdog_ms / 2)
			mute |= 1u << i;
	}
	if (mute == f->mute)
		return;
	f->mute = mute;
	log_info("watchdog.daemons", "storaged=%d dlmd=%d", !(mute & FENCE_DAEMON_STORAGED),
		 !(mute & FENCE_DAEMON_DLMD));
	feed(f, (struct fence_event){ .type = FENCE_EV_DAEMONS, .mute = mute });
}

static void on_look(void *arg)
{
	struct fenced *f = arg;
	const char *why;

	hear(f);
	feed(f, (struct fence_event){ .type = FENCE_EV_TIMEOUT }); /* the rules as of now */
	bool may = fence_may_pet(f->dom, mono_ms(), &why);

	if (f->dog.fd < 0) {
		if (may && !f->left)
			arm(f);
	} else if (may) {
		int r = dog_pet(&f->dog, mono_ms());

		if (r < 0)
			log_error("watchdog.pet", "error=\"%s\"", strerror(-r));
	}
	if (f->dog.fd >= 0 && why[0] && !f->dog_growled)
		history_add(
			f->history, "watchdog.growl",
			json_pack("{s:s,s:i}", "reason", why, "grace_ms",
				  (int)f->cfg->timing.watchdog_grace_ms),
			"%s; if that stays so for %u s, everything here is let go, and the watchdog, not petted any more, resets %s",
			why, f->cfg->timing.watchdog_grace_ms / 1000, f->self->name);
	f->dog_growled = f->dog.fd >= 0 && why[0];
	loop_timer_arm(f->dog_timer,
		       mono_ms() + (f->dog.fd < 0 ? LOOK_MS : dog_interval_ms(&f->dog)));
}

int guard_begin(struct fenced *f)
{
	if (!config_uses_watchdog(f->cfg))
		return 0;
	f->dog_timer = loop_timer_new(f->loop, on_look, f);
	if (!f->dog_timer)
		return -ENOMEM;
	loop_timer_arm(f->dog_timer, mono_ms());
	return 0;
}

void guard_goodbye(struct fenced *f)
{
	if (f->dog.fd >= 0)
		log_notice("watchdog.disarmed", "device=%s", f->dog.device);
	dog_disarm(&f->dog);
}

/* No disarming here: a fenced that ends otherwise leaves a watchdog that counts. */
void guard_end(struct fenced *f)
{
	f->dog_timer = loop_timer_free(f->dog_timer);
}
