/* SPDX-License-Identifier: GPL-3.0-or-later */
/* driver.h - where storaged meets the things it drives: volumes, addresses, units, scripts.
 *
 * storaged runs one driver_run() in a forked child (lib/shell/spawn.h, spawn_work) for each operation on
 * each resource. The child may block on a dead disk or be killed at any instant; the daemon never
 * waits for it. It inherits the job by fork(), believes it, and answers with lines of JSON on @fd:
 *
 *	{"progress":"waiting for /dev/disk/by-path/..."}        what it does now, for `why`
 *	{"step":"volume.lvm","took_ms":870,"extern_ms":850,"text":"activated vg0/lv0"}
 *	{"life":"stale","node":2,"epoch":17}                     HEARTBEAT only, at each change
 *	{"result":"failed","code":"vg_missing","reason":"...","remedy":"...","epoch":17, ...}
 *
 * One result line, the last, ends every operation but HEARTBEAT; the daemon goes on with it at once, while the child may
 * still have to clear away (free a udev cookie, announce an address once more) or to stay (struct driver_go). No result line (child killed, crashed,
 * out of time) is DRIVER_UNKNOWN, whatever it said before (SAFE-3). Unknown keys are ignored.
 * Both sides of a line, writing and reading, live in drivers/line.c so that they cannot drift.
 *
 * What holds for every operation:
 *  - Idempotent: START of what is active and ours, STOP of what is inactive, are ok and change nothing.
 *  - Verified: ok is said after reading back from the kernel (mountinfo, device-mapper, netlink, D-Bus),
 *    never because a program returned 0 (SAFE-3, SAFE-9).
 *  - Nothing is "repaired" by removing data, nothing foreign is taken over (SAFE-10).
 *  - A failed START leaves what it did: the runner always follows it with STOP.
 */
#ifndef STOCKADE_DRIVER_H
#define STOCKADE_DRIVER_H

#include "lib/fence_state.h"
#include "lib/shell/config.h"
#include "lib/timing.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum driver_op {
	/* Harmless early work; runs on every node of the domain, standby nodes too, at start-up, at each
	 * new view, and again as soon as the owner is lost, while fencing still goes on. Volume: record
	 * and login with our time-outs, wait for the disk, check VG, auto-activation off, look up the place
	 * of LV_stockade; writes nothing shared, activates nothing. ip: find the interface. unit, script:
	 * it exists and is not enabled at boot. What was learned is kept in files under job->rundir that
	 * only drivers read (checked again before use), so that START spends no time on it. */
	DRIVER_PREPARE = 1,
	/* Make it active here. Only after all proofs are in; volume: see `epoch` below. */
	DRIVER_START,
	/* Make it inactive, verified. Volume: unmount, deactivate, mark the epoch record clean; the iSCSI
	 * session stays, it is harmless and the next START is faster. */
	DRIVER_STOP,
	/* STOP failed or hung: kill the users of the mount (TERM, then KILL), unmount; if the disk is dead, cut
	 * it first (logout, then delete of the SCSI device), then unmount and remove the dm device. unit:
	 * kill; ip: delete; script: kill its process group, stop once more. ok: verified inactive. */
	DRIVER_KILL,
	/* Volumes: from now on every write to it fails, whoever holds it open (SAFE-7): its device-mapper table becomes
	 * `error`. Beside any other operation. ok: read back so, or not active; what was in flight has ended, on the
	 * disk or not. Only a STOP or KILL, and a START with a new epoch, make it usable again. */
	DRIVER_DENY,
	DRIVER_PROBE, /* what is active here, whoever did it; changes nothing */
	DRIVER_MONITOR, /* is it healthy; for what START made active; changes nothing, must be cheap */
	/* Runs until killed; volumes only. See struct driver_beat. */
	DRIVER_HEARTBEAT,
	/* Operator's `volume prepare`: make LV_stockade (one extent), write epoch record 0 `clean`, switch
	 * auto-activation off. Refuses when it exists with a valid record (ok, unchanged), or the VG is active. */
	DRIVER_VOLUME_PREPARE,
};

enum driver_result {
	DRIVER_UNKNOWN =
		0,     /* "unknown": cannot tell; never taken for ok, stopped or healthy (SAFE-3) */
	DRIVER_OK,     /* "ok": PREPARE START STOP KILL VOLUME_PREPARE */
	DRIVER_FAILED, /* "failed": and known to be so; also MONITOR: broken */
	DRIVER_ACTIVE, /* "active": PROBE: all of it */
	DRIVER_PARTIAL, /* "partial": PROBE: some layers (device active, not mounted; mounted read-only ...) */
	DRIVER_INACTIVE, /* "inactive": PROBE: nothing of it; MONITOR: it is simply gone */
	DRIVER_HEALTHY,  /* "healthy": MONITOR */
};

/* How long the heartbeat child of a volume is heard, without a wake-up per beat: one page of
 * shared memory (mmap MAP_SHARED|MAP_ANONYMOUS by the daemon before the fork). CLOCK_MONOTONIC ms, 0: never.
 * The child also writes a {"life":...} line at each change of its own opinion. */
struct driver_beat {
	_Atomic uint64_t
		io_ok_ms; /* owner: end of the last beat written; watching: of the last read */
	/* When that beat, or read, began: what it wrote, or read, was on the disk at that time at the earliest. */
	_Atomic uint64_t began_ms;
	/* Owner: since then each beat was confirmed so soon after the one before began that no reader takes us for silent; 0: none was. */
	_Atomic uint64_t shown_ms;
	_Atomic uint64_t changed_ms; /* watching: when the owner's block was last seen to change */
	_Atomic uint64_t epoch;      /* owner: the epoch it writes; watching: the epoch read */
	_Atomic uint32_t
		armed_ms; /* owner: set by the daemon, to be written: this node's watchdog; 0: not armed */
	/* Watching: when a sealed block was last seen to move, and whose: the first bytes of its boot id. The LIFE line says
	 * what it said. word_ms is 0 while word_boot changes. */
	_Atomic uint64_t word_ms, word_boot;
};

static inline uint64_t driver_word_boot(const uint8_t boot_id[BOOT_ID_BYTES])
{
	uint64_t v;

	memcpy(&v, boot_id, sizeof(v));
	return v;
}

struct driver_job {
	enum driver_op op;
	const char *service;               /* for texts; NULL: none (VOLUME_PREPARE, HEARTBEAT) */
	const struct config_resource *res; /* NULL: HEARTBEAT, VOLUME_PREPARE */
	const struct config_volume *vol;   /* of res, or of the operation; NULL: not a volume */
	const struct config *cfg;
	const char *rundir; /* STOCKADE_RUNDIR, or the test's; exists */
	uint32_t limit_ms;  /* the daemon kills the child after this; 0: never */
	/* PREPARE: after an ok result stay, with what was learned in memory, and wait on stdin for struct driver_go.
	 * STOP: stand ready (connected, nothing changed, nothing answered) and wait there for DRIVER_GO_STOP. */
	bool stay;
	struct incarnation self; /* this node's life, as fenced knows it */

	/*
	 * START of a volume (SAFE-1). Read the epoch record first. Refuse, code "owner_alive", when it is
	 * `active` and its owner is another life than ours (nodeid, boot_id) that is not over. A life is
	 * over when fenced has a proof that covers it (proof_covers()), or its node is a member
	 * with another boot id, or dead by a proof that ends a kernel (then all earlier boots are over too). Else write max(epoch, record + 1) with our life and `active`, flush, read
	 * back, and only then activate. The result line says "epoch" as written.
	 */
	uint64_t epoch; /* at least this; greater than every epoch the cluster knows */
	/* The highest epoch whose owner told the cluster, in agreed order, that it let go (STOP or KILL was ok); 0: none. A
	 * record that is `active` with this epoch or a lower one is over: its owner let go of a dead disk and could not
	 * write `clean` on it. */
	uint64_t released;
	bool dirty;                      /* the previous owner died: journal replay is due */
	const struct fence_state *fence; /* as of now; never NULL */

	/* HEARTBEAT: own block every timing.heartbeat_ms while `owner` is ourselves; else read the
	 * owner's block, at least every timing.stale_ms / 2. LIFE_FRESH: it changed within stale_ms. LIFE_STALE: reads
	 * work, and it stood still for stale_ms. LIFE_UNKNOWN: reads or writes fail or hang. */
	uint32_t owner; /* nodeid */
	struct driver_beat *beat;
};

/* What a process that stays is told: one write each, to its stdin. End of file: nobody needs it any more. */
struct driver_go {
	enum {
		/* START of a resource before this one has begun, so every proof is in. What may be asked from now on, and
		 * takes time (is the address in use?), is asked now. Nothing is made active, nothing is answered. */
		DRIVER_GO_SOON = 1,
		DRIVER_GO_STOP,  /* do STOP; only to a process that was made for it */
		DRIVER_GO_START, /* do START with the values below; its lines follow as always */
	} what;
	uint32_t limit_ms;
	uint64_t epoch, released;
	bool dirty;
	struct incarnation self;
	uint32_t fence_len;
	uint8_t fence[FENCE_STATE_WIRE_MAX]; /* fence_state_encode() */
};

/**
 * driver_run() - the work function for spawn_work(): does the job, writes lines to @fd.
 * @job: const struct driver_job *
 * Return: exit code: 0 when a result line was written
 */
int driver_run(void *job, int fd);

/**
 * driver_look() - is that volume active in this kernel, whoever activated it? (SAFE-1)
 * Called by the daemon itself, not by a child: no process, no LVM, no access to a disk.
 * @job:  vol, cfg, rundir, fence; the operation does not matter
 * @node: our name, for @text
 * @text: [len] unless INACTIVE: a clause for people, with a remedy
 * Return: DRIVER_ACTIVE, DRIVER_INACTIVE, or DRIVER_UNKNOWN (SAFE-3)
 */
enum driver_result driver_look(const struct driver_job *job, const char *node, char *text,
			       size_t len);

/**
 * driver_link_failed() - has the connection to the disks of that volume failed, as the kernel knows it? Called by the daemon
 * itself: sysfs only, no disk. A volume without iSCSI: false.
 */
bool driver_link_failed(const struct config_volume *vol);

/* The stable words for "code", besides "" for none. Adding one is fine, changing one is not. */
#define DRIVER_CODES                                                                               \
	"owner_alive", "not_prepared", "target_down", "login_refused", "vg_missing", "lv_missing", \
		"vg_foreign", "lv_active_foreign", "wrong_fs", "fs_errors", "mount_busy",          \
		"device_busy", "io_error", "address_in_use", "no_interface", "unit_missing",       \
		"unit_failed", "unit_enabled", "script_missing", "script_failed", "timeout",       \
		"disk_claimed", "cut_off", "no_reservations", "internal"

/* The stable names of steps; they become the event names of the history. "extern_ms" is the part of took_ms that other
 * programs and the kernel's mount or activation ran; the rest is our own share. */
#define DRIVER_STEPS                                                                               \
	"volume.login", "volume.lvm", "volume.epoch", "volume.fsck", "volume.mount",               \
		"volume.unmount", "volume.deactivate", "volume.kill", "volume.deny", "unit.start", \
		"unit.stop", "ip.add", "ip.del", "script.start", "script.stop"

/* ---- one line, both ways (drivers/line.c) ---- */
enum driver_line_kind {
	DRIVER_LINE_PROGRESS = 1,
	DRIVER_LINE_STEP,
	DRIVER_LINE_LIFE,
	DRIVER_LINE_RESULT
};

#define DRIVER_TEXT_MAX 400
#define DRIVER_CODE_CUT_OFF \
	"cut_off" /* this life of the node was cut off from the disk by another one */

struct driver_line {
	enum driver_line_kind kind;
	char step[32];      /* STEP */
	uint32_t took_ms;   /* STEP */
	uint32_t extern_ms; /* STEP; <= took_ms */
	char text
		[DRIVER_TEXT_MAX]; /* PROGRESS, STEP: words; RESULT: "reason", or PROBE's evidence */
	char remedy[DRIVER_TEXT_MAX]; /* RESULT */
	char code[32];                /* RESULT */
	enum driver_result result;    /* RESULT */
	enum life_sign life;          /* LIFE */
	uint32_t node;  /* LIFE: whose block; RESULT of PROBE: owner in the epoch record, 0 none */
	uint64_t epoch; /* LIFE, RESULT: of the record as read or written; 0: not known */
	bool word; /* LIFE: its block is sealed, moves, and says armed_ms of the boot `boot_id` */
	uint32_t armed_ms;
	uint8_t boot_id[BOOT_ID_BYTES];
	bool ours; /* RESULT: the epoch record is active and names this life of the node ("record":"ours") */
	bool record_active; /* RESULT of PREPARE, PROBE: the epoch record says active ("record":"active") */
};

/* Write one whole line (a single write(2)); texts are cut to fit. 0 or -errno. */
int driver_line_write(int fd, const struct driver_line *line);
/* 0, or -EPROTO: not a line of ours; @ret is then undefined. Strings are cut to fit. */
int driver_line_parse(struct driver_line *ret, const char *text);

const char *driver_op_name(enum driver_op op);             /* "start" */
const char *driver_result_name(enum driver_result result); /* "unknown" */

#endif
