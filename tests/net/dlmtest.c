/* SPDX-License-Identifier: GPL-3.0-or-later */
/* dlmtest - a client of libstockade-dlm that does what its standard input says, for tests/net/scenario.
 *
 *	lock NAME MODE FLAGS		a new lock; "ok LKID FLAGS LVB" or "no STATUS"
 *	ask NAME MODE FLAGS		the same, without waiting: "sent", later "done NAME STATUS FLAGS LVB"
 *	convert NAME MODE FLAGS LVB	LVB: text to write, "-": none
 *	unlock NAME FLAGS LVB
 * MODE and FLAGS are numbers of libdlm.h. At any time: "bast NAME MODE", "gone" (the connection is of no use any more).
 */
#include "dlm/libdlm/libdlm.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LOCKS 32

struct one {
	char name[64];
	char lvb[DLM_LVB_LEN + 1];
	struct dlm_lksb lksb;
};

static struct one locks[LOCKS];
static dlm_lshandle_t ls;

static struct one *one_of(const char *name)
{
	for (unsigned i = 0; i < LOCKS; i++)
		if (strcmp(locks[i].name, name) == 0)
			return &locks[i];
	for (unsigned i = 0; i < LOCKS; i++)
		if (!locks[i].name[0]) {
			snprintf(locks[i].name, sizeof(locks[i].name), "%s", name);
			locks[i].lksb.sb_lvbptr = locks[i].lvb;
			return &locks[i];
		}
	abort();
}

static void on_done(void *arg)
{
	struct one *o = arg;

	printf("done %s %d %d %s\n", o->name, o->lksb.sb_status, o->lksb.sb_flags,
	       o->lvb[0] ? o->lvb : "-");
}

static void on_bast(void *arg)
{
	struct one *o = arg;

	printf("bast %s %d\n", o->name, dlm_lock_bast_mode(&o->lksb, ls));
}

static void say(const struct one *o, int rc)
{
	if (rc == 0)
		printf("ok %u %d %s\n", o->lksb.sb_lkid, o->lksb.sb_flags,
		       o->lvb[0] ? o->lvb : "-");
	else
		printf("no %d\n", errno);
}

static void command(char *line)
{
	char verb[16], name[64], lvb[64] = "-";
	unsigned a = 0, b = 0;
	struct one *o;

	if (sscanf(line, "%15s %63s", verb, name) != 2) {
		puts("no such command");
		return;
	}
	o = one_of(name);
	if (strcmp(verb, "unlock") == 0) {
		sscanf(line, "%*s %*s %i %63s", (int *)&a, lvb);
		if (strcmp(lvb, "-") != 0)
			snprintf(o->lvb, sizeof(o->lvb), "%.32s", lvb);
		say(o, dlm_ls_unlock_wait(ls, o->lksb.sb_lkid, a, &o->lksb));
		return;
	}
	sscanf(line, "%*s %*s %i %i %63s", (int *)&a, (int *)&b, lvb);
	if (strcmp(lvb, "-") != 0)
		snprintf(o->lvb, sizeof(o->lvb), "%.32s", lvb);
	if (strcmp(verb, "ask") == 0) {
		if (dlm_ls_lock(ls, a, &o->lksb, b, name, (unsigned)strlen(name), 0, on_done, o,
				on_bast, NULL) == 0)
			puts("sent");
		else
			printf("no %d\n", errno);
	} else {
		if (strcmp(verb, "convert") == 0)
			b |= LKF_CONVERT;
		say(o, dlm_ls_lock_wait(ls, a, &o->lksb, b, name, (unsigned)strlen(name), 0, o,
					on_bast, NULL));
	}
}

int main(void)
{
	char line[256];

	setvbuf(stdin, NULL, _IONBF, 0); /* poll() knows nothing of stdio's buffer */
	setvbuf(stdout, NULL, _IOLBF, 0);
	ls = dlm_create_lockspace("dlmtest", 0600);
	if (!ls) {
		printf("gone %d\n", errno);
		return 1;
	}
	puts("ready");
	for (;;) {
		struct pollfd p[] = { { .fd = 0, .events = POLLIN },
				      { .fd = dlm_ls_get_fd(ls), .events = POLLIN } };

		if (poll(p, 2, -1) < 0 && errno != EINTR)
			return 1;
		if (p[1].revents && dlm_dispatch(p[1].fd) < 0) {
			puts("gone");
			return 1;
		}
		if (p[0].revents) {
			if (!fgets(line, sizeof(line), stdin))
				return 0;
			command(line);
		}
	}
}
