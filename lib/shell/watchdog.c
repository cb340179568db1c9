/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "watchdog.h"

#include <glob.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define CARDRESET 0x20 /* linux/watchdog.h WDIOF_CARDRESET, in bootstatus */

static bool read_line(char *to, size_t size, const char *root, const char *path)
{
	char full[PATH_MAX];

	snprintf(full, sizeof(full), "%s%s", root, path);
	FILE *f = fopen(full, "re");

	to[0] = '\0';
	if (!f)
		return false;
	if (!fgets(to, (int)size, f))
		to[0] = '\0';
	fclose(f);
	to[strcspn(to, "\n")] = '\0';
	return true;
}

static bool word(const char *root, const char *name, const char *what, char *to, size_t size)
{
	char path[128];

	snprintf(path, sizeof(path), "/sys/class/watchdog/%s/%s", name, what);
	return read_line(to, size, root, path) && to[0];
}

static int number(const char *root, const char *name, const char *what)
{
	char text[32];

	return word(root, name, what, text, sizeof(text)) ? (int)strtol(text, NULL, 0) : -1;
}

static bool is_software(const char *identity)
{
	return strstr(identity, "Software Watchdog") != NULL;
}

/* softdog keeps its parameters to itself: what it was started with stands in the command line, or in modprobe's files. */
static bool told_noboot(const char *root)
{
	static const char *const files[] = { "/etc/modprobe.d/*.conf", "/run/modprobe.d/*.conf",
					     "/usr/lib/modprobe.d/*.conf",
					     "/lib/modprobe.d/*.conf" };
	char line[4096], pattern[PATH_MAX];
	bool found = read_line(line, sizeof(line), root, "/proc/cmdline") &&
		     strstr(line, "softdog.soft_noboot=") && !strstr(line, "softdog.soft_noboot=0");

	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		glob_t g;

		snprintf(pattern, sizeof(pattern), "%s%s", root, files[i]);
		if (glob(pattern, 0, NULL, &g) != 0)
			continue;
		for (size_t k = 0; k < g.gl_pathc; k++) {
			FILE *f = fopen(g.gl_pathv[k], "re");

			while (f && fgets(line, sizeof(line), f)) {
				const char *at = line + strspn(line, " \t");

				if (strncmp(at, "options", 7) == 0 && strstr(at, "softdog") &&
				    strstr(at, "soft_noboot=") && !strstr(at, "soft_noboot=0"))
					found = true;
			}
			if (f)
				fclose(f);
		}
		globfree(&g);
	}
	return found;
}

static void look_for_hardware(struct watchdog_facts *f, const char *root)
{
	char pattern[PATH_MAX], identity[80];
	glob_t g;

	snprintf(pattern, sizeof(pattern), "%s/sys/class/watchdog/watchdog*", root);
	if (glob(pattern, 0, NULL, &g) != 0)
		return;
	for (size_t i = 0; i < g.gl_pathc && !f->hardware[0]; i++)
		if (word(root, strrchr(g.gl_pathv[i], '/') + 1, "identity", identity,
			 sizeof(identity)) &&
		    !is_software(identity))
			snprintf(f->hardware, sizeof(f->hardware), "%s", identity);
	globfree(&g);
}

void watchdog_look(struct watchdog_facts *f, const char *device, const char *root)
{
	const char *base = strrchr(device, '/');
	char path[PATH_MAX], text[32];
	struct stat st;

	memset(f, 0, sizeof(*f));
	base = base ? base + 1 : device;
	/* /dev/watchdog is the first one under its old name */
	snprintf(f->name, sizeof(f->name), "%s",
		 strcmp(base, "watchdog") == 0 ? "watchdog0" : base);
	snprintf(path, sizeof(path), "%s%s", root, device);
	f->node = stat(path, &st) == 0 && (S_ISCHR(st.st_mode) || root[0]);
	f->known = word(root, f->name, "identity", f->identity, sizeof(f->identity));
	f->timeout_s = number(root, f->name, "timeout");
	f->min_s = number(root, f->name, "min_timeout");
	f->max_s = number(root, f->name, "max_timeout");
	f->pretimeout_s = number(root, f->name, "pretimeout");
	word(root, f->name, "pretimeout_governor", f->governor, sizeof(f->governor));
	f->nowayout = number(root, f->name, "nowayout") == 1;
	f->active = word(root, f->name, "state", text, sizeof(text)) && strcmp(text, "active") == 0;
	int status = number(root, f->name, "bootstatus");

	f->bit = status > 0 && (status & CARDRESET);
	f->software = is_software(f->identity);
	if (f->software) {
		f->noboot = told_noboot(root);
		look_for_hardware(f, root);
	}
}

const char *watchdog_distrust(const struct watchdog_facts *f, int want_s)
{
	if (!f->node)
		return "there is no such device: load the driver of this machine's watchdog (i6300esb, iTCO_wdt, ipmi_watchdog; "
		       "softdog where there is none)";
	if (!f->known)
		return "the kernel tells nothing about it (no sysfs): whether it would reset the machine is unknown";
	if (f->noboot)
		return "a software watchdog that was told not to reset the machine: take soft_noboot out of the kernel's command line "
		       "or modprobe.d, and load softdog anew";
	if (f->max_s > 0 && f->max_s < want_s)
		return "it cannot count that long: lower detect, or take another device";
	if (f->min_s > want_s)
		return "it cannot count that short: raise detect, or take another device";
	/* A hang in the pre-timeout's handler must not eat up the time that the others wait. */
	if (f->pretimeout_s > 0 && f->pretimeout_s >= want_s)
		return "its pre-timeout is not shorter than its timeout: set pretimeout to 0";
	return NULL;
}
