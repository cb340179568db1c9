/* SPDX-License-Identifier: GPL-3.0-or-later */
/* warm_unit.c - what systemd knows of a unit: its programs, its processes. */
#include "warm.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-bus.h>

#define DEST "org.freedesktop.systemd1"
#define MANAGER "/org/freedesktop/systemd1", "org.freedesktop.systemd1.Manager"
#define SERVICE_IF "org.freedesktop.systemd1.Service"
#define CALL_US (10 * 1000000)

/* @path: [len] of the unit's object. 0 or -errno; @ret is closed by the caller. */
static int unit_open(const char *unit, sd_bus **ret, char *path, size_t len)
{
	sd_bus_message *m = NULL;
	const char *object;
	int r = sd_bus_open_system(ret);

	r = r < 0 ? r : sd_bus_set_method_call_timeout(*ret, CALL_US);
	r = r < 0 ? r : sd_bus_call_method(*ret, DEST, MANAGER, "LoadUnit", NULL, &m, "s", unit);
	r = r < 0 ? r : sd_bus_message_read(m, "o", &object);
	if (r >= 0)
		snprintf(path, len, "%s", object);
	sd_bus_message_unref(m);
	return r;
}

/* The programs of one Exec property; a unit that is no service has none. */
static void add_exec(struct warm_files *f, sd_bus *bus, const char *path, const char *name,
		     bool first)
{
	sd_bus_message *m = NULL;
	const char *program;

	if (sd_bus_get_property(bus, DEST, path, SERVICE_IF, name, NULL, &m, "a(sasbttttuii)") >=
		    0 &&
	    sd_bus_message_enter_container(m, 'a', "(sasbttttuii)") >= 0)
		while (sd_bus_message_enter_container(m, 'r', "sasbttttuii") > 0) {
			if (sd_bus_message_read(m, "s", &program) >= 0)
				warm_add_program(f, program, first);
			if (sd_bus_message_skip(m, "asbttttuii") < 0 ||
			    sd_bus_message_exit_container(m) < 0)
				break;
		}
	sd_bus_message_unref(m);
}

int warm_add_unit(struct warm_files *f, const char *unit, bool first)
{
	static const char *const exec[] = { "ExecStartPre", "ExecStart", "ExecStartPost" };
	static const char *const etc[] = { "/etc", "/etc/default", "/etc/sysconfig" };
	char path[512], name[256], at[300];
	sd_bus *bus = NULL;
	int r = unit_open(unit, &bus, path, sizeof(path));

	for (unsigned i = 0; r >= 0 && i < sizeof(exec) / sizeof(exec[0]); i++)
		add_exec(f, bus, path, exec[i], first);
	sd_bus_flush_close_unref(bus);
	snprintf(name, sizeof(name), "%s", unit);
	char *dot = strrchr(name, '.');

	if (dot)
		*dot = '\0';
	name[strcspn(name, "@")] = '\0';
	for (unsigned i = 0; name[0] && i < sizeof(etc) / sizeof(etc[0]); i++) {
		snprintf(at, sizeof(at), "%s/%s", etc[i], name);
		if (i == 0)
			warm_add_tree(f, at);
		else
			warm_add(f, at);
	}
	return r < 0 ? r : 0;
}

int warm_add_processes(struct warm_files *f, const char *unit)
{
	char path[512];
	sd_bus_message *m = NULL;
	const char *cgroup, *command;
	uint32_t pid;
	sd_bus *bus = NULL;
	int r = unit_open(unit, &bus, path, sizeof(path));

	r = r < 0 ? r
		  : sd_bus_call_method(bus, DEST, MANAGER, "GetUnitProcesses", NULL, &m, "s", unit);
	r = r < 0 ? r : sd_bus_message_enter_container(m, 'a', "(sus)");
	while (r >= 0 && (r = sd_bus_message_read(m, "(sus)", &cgroup, &pid, &command)) > 0) {
		FILE *maps;

		snprintf(path, sizeof(path), "/proc/%u/maps", pid);
		maps = fopen(path, "re");
		if (!maps)
			continue; /* it has just ended */
		warm_add_maps(f, maps);
		fclose(maps);
	}
	sd_bus_message_unref(m);
	sd_bus_flush_close_unref(bus);
	return r < 0 ? r : 0;
}
