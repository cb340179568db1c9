/* SPDX-License-Identifier: GPL-3.0-or-later */
/* stockade doctor watchdog: would this node's watchdog really reset it? To open the device would arm it, so only what the
 * kernel says of it is read, and fenced is asked whether it is the one that has it.
 */
#include <string.h>

#include "lib/shell/config.h"
#include "lib/shell/watchdog.h"
#include "tools/cli.h"
#include "tools/doctor.h"

static void row(const char *what, const char *value)
{
	printf("  %-14s %s\n", what, value[0] ? value : "unknown");
}

static void bad(unsigned *n, const char *text)
{
	printf("  ! %s\n", text);
	++*n;
}

static const char *seconds(char buf[24], int value, const char *otherwise)
{
	snprintf(buf, 24, "%d", value);
	return value < 0 ? otherwise : buf;
}

static void facts(const struct watchdog_facts *f, int want)
{
	char text[200], now[24], least[24], most[24];

	row("identity", f->identity);
	snprintf(text, sizeof(text),
		 "%s s now; wanted %d s (stockade timing); the driver takes %s to %s s",
		 seconds(now, f->timeout_s, "?"), want, seconds(least, f->min_s, "?"),
		 f->max_s > 0 ? seconds(most, f->max_s, "?") : "any");
	row("timeout", text);
	snprintf(text, sizeof(text), "%s s before it%s%s", seconds(now, f->pretimeout_s, "0"),
		 f->governor[0] ? ", " : "", f->governor);
	row("pre-timeout", f->pretimeout_s > 0 ? text : "none");
	row("nowayout", f->nowayout ? "1: once armed it cannot be disarmed, also by a goodbye"
				    : "0: disarmed by a goodbye");
	row("state", f->active ? "active: armed" : "inactive");
	row("last boot",
	    f->bit ? "it was this watchdog that reset the machine" : "not by this watchdog");
}

/* Whose is it? */
static void holder(const struct config *cfg, const struct watchdog_facts *f, unsigned *wrong)
{
	int error = 0;
	json_t *reply = ask_quietly(FENCED, json_pack("{s:s}", "cmd", "status"), ASK_MS, &error);
	const json_t *dog = json_object_get(reply, "watchdog");
	const char *why = js_str(dog, "error");
	bool armed = js_true(dog, "armed");

	if (!config_uses_watchdog(cfg)) {
		printf("  not used: no fence level names a device with `agent: watchdog`, and `watchdog: on` is not set\n");
		if (f->active)
			bad(wrong,
			    "something else has armed it: it would reset this node when that ends");
	} else if (!armed && f->active && reply) {
		bad(wrong,
		    "something else has armed it, so fenced cannot: look for the watchdog service, sbd, and RuntimeWatchdogSec in "
		    "/etc/systemd/system.conf");
	} else if (!armed && why && why[0]) {
		printf("  ! fenced does not arm it: %s\n", why);
		++*wrong;
	} else if (!armed && !reply) {
		bad(wrong,
		    f->active
			    ? "fenced does not answer, and the watchdog counts: it resets this node unless fenced comes back"
			    : "it is not armed: fenced does not run");
	} else if (!armed || !f->active) {
		bad(wrong,
		    "it is not armed: fenced does so when it is a member of a quorate cluster; stockade status");
	}
	json_decref(reply);
}

int doctor_watchdog(const char *config_path)
{
	struct config *cfg = config_read(config_path, stderr);
	struct watchdog_facts f;
	unsigned wrong = 0;

	if (!cfg)
		return EXIT_USAGE;
	int want = (int)((cfg->timing.watchdog_ms + 999) / 1000);

	watchdog_look(&f, cfg->watchdog_device, "");
	printf("Watchdog %s\n", cfg->watchdog_device);
	if (f.node)
		facts(&f, want);
	const char *distrust = watchdog_distrust(&f, want);

	if (distrust)
		bad(&wrong, distrust);
	if (f.software && f.hardware[0])
		printf("  ! a software watchdog, and this machine has a better one (%s): name its device in watchdog: {device: ...}\n",
		       f.hardware);
	else if (f.software)
		printf("  ! a software watchdog: it does not fire when the kernel itself hangs with interrupts off\n");
	wrong += f.software;
	if (f.node)
		holder(cfg, &f, &wrong);
	config_free(cfg);
	if (!wrong)
		printf("It would reset this machine %d s after nobody pets it any more.\n", want);
	return wrong ? EXIT_FAILED : EXIT_OK;
}
