/* SPDX-License-Identifier: GPL-3.0-or-later */
/* unit.c - a systemd unit, by D-Bus.
 *
 * A unit that systemd starts at boot would run beside the cluster, on a node that does not have its disk: refused.
 * The result of a job is a hint for words; what counts is the unit's ActiveState read afterwards.
 */
#include "op.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-bus.h>

#define DEST "org.freedesktop.systemd1"
#define MANAGER "/org/freedesktop/systemd1", "org.freedesktop.systemd1.Manager"
#define UNIT_IF "org.freedesktop.systemd1.Unit"
#define CALL_MS 10000
#define JOB_MS 90000 /* when the daemon gives no limit */

struct unit {
	struct op *op;
	sd_bus *bus;
	bool listening; /* JobRemoved comes to us */
	char name[CONFIG_PATH_MAX + 16];
	char path[512]; /* D-Bus object */
	char load[32], active[32], sub[32], file[32];
	char job[512];   /* object of the job that is waited for */
	char result[32]; /* of that job: "done", "failed", ... */
};

static const char *bus_words(const sd_bus_error *e, int r)
{
	return e->message ? e->message : strerror(r < 0 ? -r : r);
}

static enum driver_result bus_fail(struct unit *u, const char *what, sd_bus_error *e, int r)
{
	enum driver_result end = op_unknown(u->op, "unit_failed",
					    "is systemd running? look at `systemctl status`",
					    "%s %s: %s", what, u->name, bus_words(e, r));

	sd_bus_error_free(e);
	return end;
}

static int property(struct unit *u, const char *name, char *buf, size_t len)
{
	sd_bus_error e = SD_BUS_ERROR_NULL;
	char *value = NULL;
	int r = sd_bus_get_property_string(u->bus, DEST, u->path, UNIT_IF, name, &e, &value);

	snprintf(buf, len, "%s", r >= 0 ? value : "");
	free(value);
	sd_bus_error_free(&e);
	return r;
}

static enum driver_result read_state(struct unit *u)
{
	sd_bus_error e = SD_BUS_ERROR_NULL;
	int r = property(u, "ActiveState", u->active, sizeof(u->active));

	r = r < 0 ? r : property(u, "SubState", u->sub, sizeof(u->sub));
	return r < 0 ? bus_fail(u, "cannot read the state of", &e, r) : DRIVER_OK;
}

static int unit_named(struct op *op, struct unit *u)
{
	char *path = NULL;

	memset(u, 0, sizeof(*u));
	u->op = op;
	/* the config adds the suffix; a job made by hand may lack it */
	snprintf(u->name, sizeof(u->name), "%s%s", op->job->res->ref,
		 strchr(op->job->res->ref, '.') ? "" : ".service");
	int r = sd_bus_path_encode("/org/freedesktop/systemd1/unit", u->name, &path);

	snprintf(u->path, sizeof(u->path), "%s", r < 0 ? "" : path);
	free(path);
	return r;
}

static enum driver_result unit_init(struct op *op, struct unit *u)
{
	sd_bus_error e = SD_BUS_ERROR_NULL;
	sd_bus_message *m = NULL;
	const char *path;

	unit_named(op, u);
	int r = sd_bus_open_system(&u->bus);

	if (r >= 0)
		r = sd_bus_set_method_call_timeout(u->bus,
						   (uint64_t)op_left_ms(op, CALL_MS) * 1000);
	if (r >= 0)
		r = sd_bus_call_method(u->bus, DEST, MANAGER, "LoadUnit", &e, &m, "s", u->name);
	if (r >= 0)
		r = sd_bus_message_read(m, "o", &path);
	if (r >= 0)
		snprintf(u->path, sizeof(u->path), "%s", path);
	sd_bus_message_unref(m);
	if (r >= 0)
		r = property(u, "LoadState", u->load, sizeof(u->load));
	if (r >= 0)
		r = property(u, "UnitFileState", u->file, sizeof(u->file));
	if (r < 0)
		return bus_fail(u, "cannot ask systemd about", &e, r);
	return read_state(u);
}

/* May the cluster start it? */
static enum driver_result allowed(struct unit *u)
{
	char remedy[2 * sizeof(u->name) + 64];

	if (strcmp(u->load, "not-found") == 0)
		return op_fail(u->op, "unit_missing", "install it on this node, or correct `unit:`",
			       "there is no unit %s", u->name);
	if (strcmp(u->load, "masked") == 0) {
		snprintf(remedy, sizeof(remedy), "systemctl unmask %s", u->name);
		return op_fail(u->op, "unit_missing", remedy, "unit %s is masked", u->name);
	}
	if (strcmp(u->load, "loaded") != 0) {
		snprintf(remedy, sizeof(remedy), "systemctl status %s", u->name);
		return op_fail(u->op, "unit_missing", remedy, "unit %s cannot be loaded (%s)",
			       u->name, u->load);
	}
	if (strcmp(u->file, "enabled") == 0 || strcmp(u->file, "enabled-runtime") == 0) {
		snprintf(remedy, sizeof(remedy), "systemctl disable %s", u->name);
		return op_fail(u->op, "unit_enabled", remedy,
			       "unit %s is started at boot by systemd, beside the cluster",
			       u->name);
	}
	return DRIVER_OK;
}

static int on_job_removed(sd_bus_message *m, void *arg, sd_bus_error *e)
{
	struct unit *u = arg;
	const char *path, *unit, *result;
	uint32_t id;

	(void)e;
	/* before the reply of StartUnit named our job, none is ours */
	if (sd_bus_message_read(m, "uoss", &id, &path, &unit, &result) >= 0 && u->job[0] &&
	    strcmp(path, u->job) == 0)
		snprintf(u->result, sizeof(u->result), "%s", result);
	return 0;
}

static int listen_for_jobs(struct unit *u, sd_bus_error *e)
{
	if (u->listening)
		return 0;
	int r = sd_bus_match_signal(u->bus, NULL, DEST, MANAGER, "JobRemoved", on_job_removed, u);

	if (r >= 0)
		r = sd_bus_call_method(u->bus, DEST, MANAGER, "Subscribe", e, NULL, NULL);
	u->listening = r >= 0;
	return r;
}

/* Start or stop and wait for the job. DRIVER_OK: the job is over, whatever it said. */
static enum driver_result run_job(struct unit *u, const char *method)
{
	sd_bus_error e = SD_BUS_ERROR_NULL;
	sd_bus_message *m = NULL;
	const char *path;
	uint64_t until = op_now_ms() + op_left_ms(u->op, JOB_MS);
	enum driver_result end = DRIVER_OK;

	int r = listen_for_jobs(u, &e);

	if (r >= 0)
		r = sd_bus_call_method(u->bus, DEST, MANAGER, method, &e, &m, "ss", u->name,
				       "replace");
	if (r >= 0)
		r = sd_bus_message_read(m, "o", &path);
	if (r >= 0)
		/* signals that came meanwhile lie in the queue: they are dispatched below */
		snprintf(u->job, sizeof(u->job), "%s", path);
	sd_bus_message_unref(m);
	while (r >= 0 && !u->result[0] && end == DRIVER_OK) {
		uint64_t now = op_now_ms();

		r = sd_bus_process(u->bus, NULL);
		if (r != 0)
			continue;
		if (now >= until)
			end = op_fail(
				u->op, "timeout",
				"give the resource a longer limit, or look at `systemctl status`",
				"systemd has not finished %s of %s in time", method, u->name);
		else
			r = sd_bus_wait(u->bus, (until - now) * 1000);
	}
	if (r < 0)
		return bus_fail(u, method, &e, r);
	sd_bus_error_free(&e);
	return end == DRIVER_OK ? read_state(u) : end;
}

static bool is(const struct unit *u, const char *state)
{
	return strcmp(u->active, state) == 0;
}

static enum driver_result start(struct unit *u)
{
	uint64_t begin = op_now_ms(), external;
	char remedy[2 * sizeof(u->name) + 64];
	enum driver_result end = allowed(u);

	if (end != DRIVER_OK)
		return end;
	if (is(u, "active"))
		return op_end(u->op, DRIVER_OK, "%s is active (%s)", u->name, u->sub);
	external = op_now_ms();
	end = run_job(u, "StartUnit");
	external = op_now_ms() - external;
	if (end != DRIVER_OK)
		return end;
	if (!is(u, "active")) {
		snprintf(remedy, sizeof(remedy), "systemctl status %s; journalctl -u %s -n 20",
			 u->name, u->name);
		return op_fail(u->op, "unit_failed", remedy, "%s did not start: %s (job %s)",
			       u->name, u->active, u->result);
	}
	op_step(u->op, "unit.start", begin, external, "%s", u->name);
	return op_end(u->op, DRIVER_OK, "%s is active (%s)", u->name, u->sub);
}

static bool gone(const struct unit *u)
{
	return is(u, "inactive") || is(u, "failed");
}

static enum driver_result stop(struct unit *u, bool force)
{
	uint64_t begin = op_now_ms();
	sd_bus_error e = SD_BUS_ERROR_NULL;
	char remedy[2 * sizeof(u->name) + 64];

	/* A process that stood ready has seen it active; if it has ended since, StopUnit changes nothing. */
	/* not on this node: nothing of it can run */
	if (gone(u))
		return op_end(u->op, DRIVER_OK, "%s is %s", u->name, u->active);
	if (force) {
		int r = sd_bus_call_method(u->bus, DEST, MANAGER, "KillUnit", &e, NULL, "ssi",
					   u->name, "all", 9);

		if (r < 0) /* it may just have ended: the state below tells */
			op_progress(u->op, "killing %s: %s", u->name, bus_words(&e, r));
		sd_bus_error_free(&e);
	}
	enum driver_result end = run_job(u, "StopUnit");

	if (end != DRIVER_OK)
		return end;
	if (!gone(u)) {
		snprintf(remedy, sizeof(remedy), "systemctl status %s", u->name);
		return op_fail(u->op, "unit_failed", remedy, "%s did not stop: %s (job %s)",
			       u->name, u->active, u->result);
	}
	op_step(u->op, "unit.stop", begin, op_now_ms() - begin, "%s", u->name);
	return op_end(u->op, DRIVER_OK, "%s is %s", u->name, u->active);
}

static enum driver_result probe(struct unit *u)
{
	if (is(u, "active") || is(u, "reloading"))
		return op_end(u->op, DRIVER_ACTIVE, "%s is %s (%s)", u->name, u->active, u->sub);
	if (gone(u))
		return op_end(u->op, DRIVER_INACTIVE, "%s is %s", u->name, u->active);
	/* on its way up or down: processes of it may run */
	return op_end(u->op, DRIVER_PARTIAL, "%s is %s (%s)", u->name, u->active, u->sub);
}

static enum driver_result monitor(struct unit *u)
{
	char remedy[2 * sizeof(u->name) + 64];

	if (is(u, "active") || is(u, "reloading"))
		return op_end(u->op, DRIVER_HEALTHY, "%s is %s (%s)", u->name, u->active, u->sub);
	if (is(u, "inactive"))
		return op_end(u->op, DRIVER_INACTIVE, "%s is inactive", u->name);
	snprintf(remedy, sizeof(remedy), "systemctl status %s; journalctl -u %s -n 20", u->name,
		 u->name);
	if (is(u, "failed") || is(u, "deactivating"))
		return op_fail(u->op, "unit_failed", remedy, "%s is %s (%s)", u->name, u->active,
			       u->sub);
	return op_unknown(u->op, "unit_failed", remedy, "%s is %s (%s)", u->name, u->active,
			  u->sub);
}

/* With its connection, from a PREPARE that stays to its START, or from standing ready to the STOP. */
static struct unit kept;

void unit_stand_ready(struct op *op)
{
	sd_bus_error e = SD_BUS_ERROR_NULL;
	/* of a unit that runs little has to be asked; anything else is for STOP itself, which has the words */
	int r = unit_named(op, &kept);

	r = r < 0 ? r : sd_bus_open_system(&kept.bus);
	r = r < 0 ? r : listen_for_jobs(&kept, &e);
	if (r < 0 || read_state(&kept) != DRIVER_OK || !is(&kept, "active"))
		kept.bus = sd_bus_flush_close_unref(kept.bus);
	sd_bus_error_free(&e);
}

/* MONITOR. The watcher of a service looks every few seconds for as long as the service runs: it keeps its connection, so that a
 * look is two questions. One that broke (dbus was restarted) is made anew at once. */
static enum driver_result watch(struct op *op)
{
	static sd_bus *bus;
	struct unit u;

	if (unit_named(op, &u) < 0)
		return op_unknown(op, "internal", "", "%s is no name of a unit", u.name);
	for (;;) {
		bool old = bus != NULL;
		sd_bus_error e = SD_BUS_ERROR_NULL;
		int r = old ? 0 : sd_bus_open_system(&bus);

		r = r < 0 ? r
			  : sd_bus_set_method_call_timeout(bus, (uint64_t)op_left_ms(op, CALL_MS) *
									1000);
		u.bus = bus;
		enum driver_result end = r < 0 ? bus_fail(&u, "cannot ask systemd about", &e, r)
					       : read_state(&u);

		if (end == DRIVER_OK)
			return monitor(&u);
		bus = sd_bus_flush_close_unref(bus);
		if (!old)
			return end;
	}
}

static enum driver_result prepare(struct unit *u)
{
	enum driver_result end = allowed(u);
	sd_bus_error e = SD_BUS_ERROR_NULL;
	int r = end == DRIVER_OK && u->op->job->stay ? listen_for_jobs(u, &e) : 0;

	if (r < 0)
		return bus_fail(u, "cannot ask systemd about jobs of", &e, r);
	return end == DRIVER_OK ? op_end(u->op, DRIVER_OK, "%s is there", u->name) : end;
}

enum driver_result unit_op(struct op *op)
{
	enum driver_result end = DRIVER_OK;

	if (op->soon)
		return DRIVER_UNKNOWN; /* nothing here takes long */
	if (op->job->op == DRIVER_MONITOR)
		return watch(op);
	if (op->told && kept.bus) {
		kept.op = op;
		end = sd_bus_set_method_call_timeout(kept.bus,
						     (uint64_t)op_left_ms(op, CALL_MS) * 1000) < 0
			      ? op_unknown(op, "internal", "", "the bus is gone")
			      : DRIVER_OK;
		/* moments ago it was inactive and allowed; StartUnit of an active one changes nothing */
	} else {
		end = unit_init(op, &kept);
	}

	if (end == DRIVER_OK) {
		switch (op->job->op) {
		case DRIVER_PREPARE: end = prepare(&kept); break;
		case DRIVER_START: end = start(&kept); break;
		case DRIVER_STOP: end = stop(&kept, false); break;
		case DRIVER_KILL: end = stop(&kept, true); break;
		case DRIVER_PROBE: end = probe(&kept); break;
		case DRIVER_MONITOR:
		case DRIVER_DENY:
		case DRIVER_HEARTBEAT:
		case DRIVER_VOLUME_PREPARE:
			end = op_unknown(op, "internal", "report this", "not for a unit");
			break;
		}
	}
	if (op->job->stay && op->job->op == DRIVER_PREPARE && end == DRIVER_OK)
		return end;
	kept.bus = sd_bus_flush_close_unref(kept.bus);
	return end;
}
