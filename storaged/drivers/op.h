/* SPDX-License-Identifier: GPL-3.0-or-later */
/* op.h - one operation of a driver while it runs: what it says, how long it may still take, how it ends.
 *
 * A driver is straight, blocking code in a forked child. Its functions return enum driver_result; the one that found
 * the end has already put the words into the operation (op_ok(), op_fail(), op_unknown()), callers
 * only hand the value up. driver_run() writes it as the result line.
 */
#ifndef STOCKADE_DRIVERS_OP_H
#define STOCKADE_DRIVERS_OP_H

#include "driver.h"

#include <stddef.h>

struct op {
	const struct driver_job *job; /* borrowed */
	int fd;                       /* lines go here */
	uint64_t begin_ms;
	struct driver_line end; /* the result line to be */
	/* What is left to do after the result line, when nobody waits any more. May be NULL; must not be long, and must be
	 * able to fail. */
	void (*after)(const struct op *op);
	bool told; /* START in the child that did PREPARE moments ago: what it kept in memory is still good */
	bool soon; /* DRIVER_GO_SOON: only ask */
};

void op_init(struct op *op, const struct driver_job *job, int fd);

uint64_t op_now_ms(void); /* CLOCK_MONOTONIC */

/* Until the daemon kills us, less a little to say why; @most when there is no limit. Never 0. */
uint32_t op_left_ms(const struct op *op, uint32_t most);

void op_progress(const struct op *op, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Report a step begun at @begin_ms (op_now_ms()); @extern_ms of it ran in other programs or the kernel. */
void op_step(const struct op *op, const char *step, uint64_t begin_ms, uint64_t extern_ms,
	     const char *fmt, ...) __attribute__((format(printf, 5, 6)));

/* End with DRIVER_FAILED. @code: one of DRIVER_CODES; @remedy: what an operator does about it. */
enum driver_result op_fail(struct op *op, const char *code, const char *remedy, const char *fmt,
			   ...) __attribute__((format(printf, 4, 5)));
/* The same with DRIVER_UNKNOWN: it could not be found out (SAFE-3). */
enum driver_result op_unknown(struct op *op, const char *code, const char *remedy, const char *fmt,
			      ...) __attribute__((format(printf, 4, 5)));
/* End with any other @result; @fmt: what was seen. */
enum driver_result op_end(struct op *op, enum driver_result result, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* Write @text into RUNDIR/@name (atomically, mode 0600), or read it back. 0 or -errno. */
int op_keep(const struct op *op, const char *name, const char *text);
int op_kept(const struct op *op, const char *name, char *buf, size_t len);
void op_forget(const struct op *op, const char *name);

/* Read a small file (sysfs, procfs), trailing white space cut. Length, or -errno. */
int file_read(char *buf, size_t len, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
int file_write(const char *text, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

void sleep_ms(uint32_t ms);

/*
 * Go on in a process of its own, which does not belong to this operation any more: nobody waits for it, nothing it says
 * is heard. True in that process, which ends by _exit(); false here, also when it could not be made.
 */
bool op_detach(const struct op *op);

/* What each driver offers; volume.c chooses between a disk and a directory (file.c). */
enum driver_result volume_op(struct op *op);
enum driver_result file_op(struct op *op);
enum driver_result volume_new(struct op *op); /* DRIVER_VOLUME_PREPARE of a disk */
/* For driver_look(): @why where it is, or why that cannot be told. */
enum driver_result volume_look(const struct op *op, char *why, size_t len);
enum driver_result file_look(struct op *op, char *why, size_t len);
enum driver_result ip_op(struct op *op);
enum driver_result unit_op(struct op *op);
/* For a STOP that is to come: connect, look once. Nothing is changed, no disk is touched, what is found is forgotten. */
void unit_stand_ready(struct op *op);
void ip_stand_ready(struct op *op);
void volume_stand_ready(struct op *op);
enum driver_result script_op(struct op *op);

#endif
