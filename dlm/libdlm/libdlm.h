/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* <stockade/libdlm.h> - the client library of Stockade's lock manager: libdlm's classic API, without threads.
 *
 * Source compatible with libdlm_lt for the functions below; see libstockade-dlm(3). What differs:
 *  - dlm_ls_lock() and dlm_ls_unlock() return when the request is sent, before it is ordered: what the kernel's
 *    dlm refuses at once (EBUSY, ENOENT, ENOMEM) arrives as the completion's sb_status. lksb.sb_lkid is set by the time
 *    of the completion.
 *  - adopting an orphan (LKF_ORPHAN) completes like any request; dlm_ls_lockx() waits for it, as libdlm does.
 *  - lkids are per node and shared by all clients of that node.
 * One thread at a time per lockspace handle. Callbacks run inside dlm_dispatch() and the *_wait calls only.
 */
#ifndef STOCKADE_LIBDLM_H
#define STOCKADE_LIBDLM_H

#include <stdint.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

#define DLM_LVB_LEN 32
#define DLM_RESNAME_MAXLEN 64
#define DLM_LOCKSPACE_LEN 64

#define LKM_NLMODE 0
#define LKM_CRMODE 1
#define LKM_CWMODE 2
#define LKM_PRMODE 3
#define LKM_PWMODE 4
#define LKM_EXMODE 5

#define LKF_NOQUEUE 0x1
#define LKF_CANCEL 0x2
#define LKF_CONVERT 0x4
#define LKF_VALBLK 0x8
#define LKF_QUECVT 0x10
#define LKF_IVVALBLK 0x20
#define LKF_CONVDEADLK 0x40
#define LKF_PERSISTENT 0x80
#define LKF_NODLCKWT 0x100
#define LKF_NODLCKBLK 0x200
#define LKF_EXPEDITE 0x400
#define LKF_NOQUEUEBAST 0x800
#define LKF_HEADQUE 0x1000
#define LKF_NOORDER 0x2000
#define LKF_ORPHAN 0x4000
#define LKF_ALTPR 0x8000
#define LKF_ALTCW 0x10000
#define LKF_FORCEUNLOCK 0x20000

#define ECANCEL 0x10001
#define EUNLOCK 0x10002
#define EINPROG 0x10003

#define DLM_SBF_DEMOTED 0x01
#define DLM_SBF_VALNOTVALID 0x02
#define DLM_SBF_ALTMODE 0x04

struct dlm_lksb {
	int sb_status; /* EINPROG while under way; then 0, a positive errno, ECANCEL or EUNLOCK */
	uint32_t sb_lkid;
	char sb_flags;
	char *sb_lvbptr; /* the caller's DLM_LVB_LEN bytes; needed with LKF_VALBLK */
};

typedef void *dlm_lshandle_t;

/* Connect to dlmd. NULL: errno; ECONNREFUSED: dlmd is not running. @mode is accepted and ignored: only root may connect. */
dlm_lshandle_t dlm_create_lockspace(const char *name, mode_t mode);
dlm_lshandle_t dlm_new_lockspace(const char *name, mode_t mode, uint32_t flags);
dlm_lshandle_t dlm_open_lockspace(const char *name);
/* The connection ends; locks are released, PERSISTENT ones become orphans of this node. */
int dlm_close_lockspace(dlm_lshandle_t ls);
int dlm_release_lockspace(const char *name, dlm_lshandle_t ls, int force);

/*
 * Ask for a lock, or (LKF_CONVERT) another mode for lksb->sb_lkid. @lksb, and its sb_lvbptr, must live until the completion.
 * @ast(@astarg) at completion; @bast(@astarg) when the granted lock is in somebody's way: a hint, check again.
 * Return: 0 sent; -1 with errno EINVAL, ENOTCONN (dlmd is gone), ENOSPC (too many under way), ENOMEM.
 */
int dlm_ls_lock(dlm_lshandle_t ls, uint32_t mode, struct dlm_lksb *lksb, uint32_t flags,
		const void *name, unsigned int namelen, uint32_t parent, void (*ast)(void *astarg),
		void *astarg, void (*bast)(void *astarg), void *range);
int dlm_ls_lockx(dlm_lshandle_t ls, uint32_t mode, struct dlm_lksb *lksb, uint32_t flags,
		 const void *name, unsigned int namelen, uint32_t parent, void (*ast)(void *astarg),
		 void *astarg, void (*bast)(void *astarg), uint64_t *xid, uint64_t *timeout);
int dlm_ls_unlock(dlm_lshandle_t ls, uint32_t lkid, uint32_t flags, struct dlm_lksb *lksb,
		  void *astarg);

/* The same, and wait. Return: 0, or -1 with errno the final status. */
int dlm_ls_lock_wait(dlm_lshandle_t ls, uint32_t mode, struct dlm_lksb *lksb, uint32_t flags,
		     const void *name, unsigned int namelen, uint32_t parent, void *bastarg,
		     void (*bast)(void *bastarg), void *range);
int dlm_ls_unlock_wait(dlm_lshandle_t ls, uint32_t lkid, uint32_t flags, struct dlm_lksb *lksb);

/* Orphans of this node: of process @pid, or all with 0. @nodeid must be 0 or this node's. */
int dlm_ls_purge(dlm_lshandle_t ls, int nodeid, int pid);

int dlm_ls_get_fd(dlm_lshandle_t ls); /* readable: call dlm_dispatch() */
/* Run all callbacks that wait. Return: 0; -1 with errno ENOTCONN: dlmd is gone, or this node was declared dead: every
 * lock of this handle is in doubt (stop what it protects), close the handle and open again. */
int dlm_dispatch(int fd);

/* Extensions */
int dlm_lock_bast_mode(const struct dlm_lksb *lksb,
		       dlm_lshandle_t ls); /* mode that waits, of the last BAST; -1 none */
uint64_t dlm_lock_token(const struct dlm_lksb *lksb,
			dlm_lshandle_t ls); /* fencing token of the last grant; 0 none */

#ifdef __cplusplus
}
#endif

#endif
