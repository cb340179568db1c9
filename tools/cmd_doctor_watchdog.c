/* SPDX-License-Identifier: GPL-3.0-or-later */
/* stockade doctor watchdog: would this node's watchdog really reset it? Read from sysfs only: to open the device would arm it. */
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "lib/shell/config.h"
#include "tools/cli.h"
#include "tools/doctor.h"

#ifndef SYSFS_WATCHDOG
#define SYSFS_WATCHDOG "/sys/class/watchdog"
#endif

static bool read_word_of(const char *dir, const char *name, char *to, size_t size)
{
	char path[512];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	FILE *f = fopen(path, "re");

	to[0] = '\0';
	if (!f)
		return false;
	if (!fgets(to, (int)size, f))
		to[0] = '\0';
	fclose(f);
	to[strcspn(to, "\n")] = '\0';
	return to[0] != '\0';
}

static void row(const char *what, const char *value)
{
	printf("  %-14s %s\n", what, value[0] ? value : "unknown");
}

static void bad(unsigned *n, const char *text)
{
	printf("  ! %s\n", text);
	++*n;
}

int doctor_watchdog(const char *config_path)
{
	char dir[300], identity[80], timeout[24], least[24], most[24], nowayout[8], state[24],
		boot[24], text[200];
	struct config *cfg = config_read(config_path, stderr);
	unsigned wrong = 0;

	if (!cfg)
		return EXIT_USAGE;
	const char *device = cfg->watchdog_device, *base = strrchr(device, '/') + 1;
	unsigned want = (cfg->timing.watchdog_ms + 999) / 1000;
	struct stat st;

	printf("Watchdog %s\n", device);
	snprintf(dir, sizeof(dir), "%s/%.200s", SYSFS_WATCHDOG,
		 strcmp(base, "watchdog") == 0 ? "watchdog0" : base);
	if (stat(device, &st) < 0 || !S_ISCHR(st.st_mode)) {
		bad(&wrong,
		    "there is no such device: load the driver of this machine's watchdog (i6300esb, iTCO_wdt, ipmi_watchdog; "
		    "softdog where there is none)");
		config_free(cfg);
		return EXIT_FAILED;
	}
	read_word_of(dir, "identity", identity, sizeof(identity));
	read_word_of(dir, "timeout", timeout, sizeof(timeout));
	read_word_of(dir, "min_timeout", least, sizeof(least));
	read_word_of(dir, "max_timeout", most, sizeof(most));
	read_word_of(dir, "nowayout", nowayout, sizeof(nowayout));
	read_word_of(dir, "state", state, sizeof(state));
	read_word_of(dir, "bootstatus", boot, sizeof(boot));
	row("identity", identity);
	snprintf(text, sizeof(text),
		 "%s s now; wanted %u s (stockade timing); the driver takes %s to %s s",
		 timeout[0] ? timeout : "?", want, least[0] ? least : "?",
		 atoi(most) > 0 ? most : "any");
	row("timeout", text);
	row("nowayout", strcmp(nowayout, "1") == 0
				? "1: once armed it cannot be disarmed, also by a goodbye"
				: "0: disarmed by a goodbye");
	row("state", strcmp(state, "active") == 0 ? "active: armed" : state);
	row("last boot", atoi(boot) & 0x20 ? "it was this watchdog that reset the machine"
					   : "not by this watchdog");
	if (!identity[0])
		bad(&wrong,
		    "the kernel tells nothing about it (no sysfs): whether it would reset the machine is unknown");
	if (atoi(most) > 0 && (unsigned)atoi(most) < want)
		bad(&wrong, "it cannot count that long: lower detect, or take another device");
	if (least[0] && (unsigned)atoi(least) > want)
		bad(&wrong, "it cannot count that short: raise detect, or take another device");
	if (strstr(identity, "Software"))
		bad(&wrong,
		    "a software watchdog: it does not fire when the kernel itself hangs with interrupts off; nor does any, in a "
		    "machine that its hypervisor pauses");
	if (!config_uses_watchdog(cfg))
		printf("  not used: no fence level names a device with `agent: watchdog`, and `watchdog: on` is not set\n");
	else if (strcmp(state, "active") != 0)
		bad(&wrong,
		    "it is not armed: fenced does so when it is a member of a quorate cluster; stockade status");
	config_free(cfg);
	if (!wrong)
		printf("It would reset this machine %u s after nobody pets it any more.\n", want);
	return wrong ? EXIT_FAILED : EXIT_OK;
}
