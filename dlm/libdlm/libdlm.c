/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "libdlm.h"

#include "lib/wire.h"
#include "proto.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <qb/qbipcc.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#define CONNECT_TIMEOUT_MS 2000
#define MSG_BYTES 512 /* every message of proto.h is smaller */

enum stage { ST_FREE, ST_SENT, ST_PENDING, ST_HELD };

struct lock { /* one lksb of the caller's, from its request to its last completion */
	struct lock *next;
	enum stage
		stage; /* SENT: its REPLY is due; PENDING: its DONE is due; HELD: nothing under way */
	uint64_t cookie; /* of the operation under way */
	uint32_t lkid;
	uint8_t op; /* enum dlm_ipc_op under way */
	bool fresh; /* the first request: no lock yet */
	bool orphan;
	struct dlm_lksb *lksb;
	void (*ast)(void *arg);
	void *astarg;
	void (*bast)(void *arg);
	void *bastarg;
	int bast_mode;
	uint64_t token;
};

struct lockspace {
	struct lockspace *next;
	char name[DLM_LOCKSPACE_LEN + 1];
	qb_ipcc_connection_t *conn;
	int fd;
	bool dead;
	uint64_t cookie;
	struct lock *locks;
};

static struct lockspace *spaces; /* dlm_dispatch() is given a descriptor only */
static pthread_mutex_t spaces_mutex = PTHREAD_MUTEX_INITIALIZER;

/* libqb's own connect waits for ever on a daemon that hangs; this one does not. */
static int connect_dlmd(struct lockspace *ls)
{
	struct pollfd p = { .events = POLLIN };
	uid_t uid = (uid_t)-1;
	gid_t gid;
	pid_t pid;
	int rc;

	ls->conn = qb_ipcc_connect_async(DLM_IPC_NAME, DLM_IPC_BYTES, &p.fd);
	if (!ls->conn)
		return errno == ENOENT ? -ECONNREFUSED : -errno;
	do
		rc = poll(&p, 1, CONNECT_TIMEOUT_MS);
	while (rc < 0 && errno == EINTR);
	if (rc <= 0) {
		close(p.fd); /* libqb frees a connection that never came to be, but not its socket */
		qb_ipcc_disconnect(ls->conn);
		return -ETIMEDOUT;
	}
	rc = qb_ipcc_connect_continue(ls->conn); /* frees it when it fails */
	if (rc != 0)
		return rc < 0 ? rc : -EPROTO;
	qb_ipcc_fd_get(ls->conn, &ls->fd);
	/* the name of the socket is anybody's while dlmd does not run, and its word is a lock */
	if (qb_ipcc_auth_get(ls->conn, &pid, &uid, &gid) < 0 || (uid != 0 && uid != geteuid())) {
		qb_ipcc_disconnect(ls->conn);
		return -EACCES;
	}
	return 0;
}

dlm_lshandle_t dlm_open_lockspace(const char *name)
{
	struct lockspace *ls;
	size_t len = name ? strlen(name) : 0;
	int rc;

	if (len < 1 || len > DLM_LOCKSPACE_LEN) {
		errno = EINVAL;
		return NULL;
	}
	ls = calloc(1, sizeof(*ls));
	if (!ls)
		return NULL;
	memcpy(ls->name, name, len + 1);
	rc = connect_dlmd(ls);
	if (rc < 0) {
		free(ls);
		errno = -rc;
		return NULL;
	}
	pthread_mutex_lock(&spaces_mutex);
	ls->next = spaces;
	spaces = ls;
	pthread_mutex_unlock(&spaces_mutex);
	return ls;
}

dlm_lshandle_t dlm_create_lockspace(const char *name, mode_t mode)
{
	(void)mode;
	return dlm_open_lockspace(name);
}

dlm_lshandle_t dlm_new_lockspace(const char *name, mode_t mode, uint32_t flags)
{
	(void)mode;
	(void)flags;
	return dlm_open_lockspace(name);
}

int dlm_close_lockspace(dlm_lshandle_t handle)
{
	struct lockspace *ls = handle, **p;

	if (!ls) {
		errno = ENOTCONN;
		return -1;
	}
	pthread_mutex_lock(&spaces_mutex);
	for (p = &spaces; *p && *p != ls; p = &(*p)->next)
		;
	if (*p)
		*p = ls->next;
	pthread_mutex_unlock(&spaces_mutex);
	qb_ipcc_disconnect(ls->conn);
	while (ls->locks) {
		struct lock *l = ls->locks;

		ls->locks = l->next;
		free(l);
	}
	free(ls);
	return 0;
}

int dlm_release_lockspace(const char *name, dlm_lshandle_t ls, int force)
{
	(void)name;
	(void)force;
	return dlm_close_lockspace(ls);
}

static struct lock *find_lksb(struct lockspace *ls, const struct dlm_lksb *lksb)
{
	for (struct lock *l = ls->locks; l; l = l->next)
		if (l->lksb == lksb)
			return l;
	return NULL;
}

static struct lock *find_lkid(struct lockspace *ls, uint32_t lkid)
{
	for (struct lock *l = ls->locks; l; l = l->next)
		if (l->lkid == lkid && lkid)
			return l;
	return NULL;
}

static void forget(struct lockspace *ls, struct lock *lock)
{
	struct lock **p = &ls->locks;

	while (*p != lock)
		p = &(*p)->next;
	*p = lock->next;
	free(lock);
}

/* Return: 0 sent, or -errno. Nobody waits here: whether dlmd takes it is an event like all that follows. */
static int submit(struct lockspace *ls, uint8_t op, uint64_t cookie, uint32_t pid, uint32_t lkid,
		  uint32_t mode, uint32_t flags, const char *lvb, const void *name,
		  unsigned int namelen)
{
	struct {
		struct qb_ipc_request_header qb;
		uint8_t body[MSG_BYTES];
	} req = { 0 };
	struct iovec iov;
	struct wire_w w;
	size_t len = 0, sec;
	ssize_t sent;

	if (ls->dead)
		return -ENOTCONN;
	wire_w_init(&w, req.body, sizeof(req.body));
	sec = wire_w_open(&w);
	wire_w_u64(&w, cookie);
	wire_w_u8(&w, op);
	wire_w_u32(&w, pid);
	wire_w_u32(&w, lkid);
	wire_w_u8(&w, (uint8_t)(mode + 1));
	wire_w_u32(&w, flags);
	wire_w_bool(&w, lvb != NULL);
	if (lvb)
		wire_w_bytes(&w, lvb, DLM_LVB_LEN);
	wire_w_u8(&w, (uint8_t)strlen(ls->name));
	wire_w_bytes(&w, ls->name, strlen(ls->name));
	wire_w_u8(&w, (uint8_t)namelen);
	wire_w_bytes(&w, name ? name : "", namelen);
	wire_w_close(&w, sec);
	if (wire_w_done(&w, &len) < 0)
		return -EINVAL;
	req.qb.id = DLM_IPC_SUBMIT;
	req.qb.size = (int32_t)(sizeof(req.qb) + len);
	iov = (struct iovec){ .iov_base = &req, .iov_len = sizeof(req.qb) + len };
	sent = qb_ipcc_sendv(ls->conn, &iov, 1);
	if (sent == -EAGAIN || sent == -ETIMEDOUT)
		return -ENOSPC; /* nothing was sent */
	if (sent < 0) {
		ls->dead = true;
		return -ENOTCONN;
	}
	return 0;
}

static int fail(int err)
{
	errno = err;
	return -1;
}

int dlm_ls_lock(dlm_lshandle_t handle, uint32_t mode, struct dlm_lksb *lksb, uint32_t flags,
		const void *name, unsigned int namelen, uint32_t parent, void (*ast)(void *astarg),
		void *astarg, void (*bast)(void *astarg), void *range)
{
	struct lockspace *ls = handle;
	bool convert = flags & LKF_CONVERT;
	struct lock *l;
	int rc;

	(void)parent; /* as the kernel's dlm: accepted, without a meaning */
	if (!ls)
		return fail(ENOTCONN);
	if (range)
		return fail(ENOSYS);
	if (!lksb || mode > LKM_EXMODE || (flags & LKF_VALBLK && !lksb->sb_lvbptr) ||
	    (convert && !lksb->sb_lkid) ||
	    (!convert && (!name || namelen < 1 || namelen > DLM_RESNAME_MAXLEN)))
		return fail(EINVAL);
	l = convert ? find_lkid(ls, lksb->sb_lkid) : find_lksb(ls, lksb);
	if (convert && !l)
		return fail(ENOENT);
	if (l && (!convert || l->stage != ST_HELD))
		return fail(EBUSY);
	if (!l) {
		l = calloc(1, sizeof(*l));
		if (!l)
			return -1;
		l->fresh = true;
		l->next = ls->locks;
		ls->locks = l;
	}
	l->lksb = lksb;
	l->ast = ast;
	l->astarg = astarg;
	l->bast = bast;
	l->bastarg = astarg;
	l->bast_mode = -1;
	l->op = convert ? DLM_IPC_OP_CONVERT : DLM_IPC_OP_LOCK;
	l->orphan = flags & LKF_ORPHAN;
	l->cookie = ++ls->cookie;
	l->stage = ST_SENT;
	lksb->sb_status = EINPROG;
	lksb->sb_flags = 0;
	rc = submit(ls, l->op, l->cookie, (uint32_t)getpid(), convert ? lksb->sb_lkid : 0, mode,
		    flags, convert && flags & LKF_VALBLK ? lksb->sb_lvbptr : NULL,
		    convert ? NULL : name, convert ? 0 : namelen);
	if (rc < 0) {
		if (l->fresh)
			forget(ls, l);
		else
			l->stage = ST_HELD;
		lksb->sb_status = -rc;
		return fail(-rc);
	}
	return 0;
}

int dlm_ls_unlock(dlm_lshandle_t handle, uint32_t lkid, uint32_t flags, struct dlm_lksb *lksb,
		  void *astarg)
{
	struct lockspace *ls = handle;
	struct lock *l;
	int rc;

	if (!ls)
		return fail(ENOTCONN);
	if (!lkid || (flags & LKF_VALBLK && (!lksb || !lksb->sb_lvbptr)))
		return fail(EINVAL);
	l = find_lkid(ls, lkid);
	if (!l)
		return fail(ENOENT);
	if (flags & LKF_CANCEL) {
		/* The completion of what it takes back tells the outcome; the REPLY to this one is of no interest. */
		rc = submit(ls, DLM_IPC_OP_UNLOCK, ++ls->cookie, 0, lkid, 0, flags, NULL, NULL, 0);
		return rc < 0 ? fail(-rc) : 0;
	}
	if (l->stage != ST_HELD && !(flags & LKF_FORCEUNLOCK))
		return fail(EBUSY);
	if (lksb)
		l->lksb = lksb;
	if (astarg)
		l->astarg = astarg;
	l->op = DLM_IPC_OP_UNLOCK;
	l->cookie = ++ls->cookie;
	l->stage = ST_SENT;
	l->lksb->sb_status = EINPROG;
	rc = submit(ls, l->op, l->cookie, 0, lkid, 0, flags,
		    flags & LKF_VALBLK ? lksb->sb_lvbptr : NULL, NULL, 0);
	if (rc < 0) {
		l->stage = ST_HELD;
		l->lksb->sb_status = -rc;
		return fail(-rc);
	}
	return 0;
}

/* The end of an operation: tell the caller, and forget a lock that is no more. The AST may ask for something new. */
static void complete(struct lockspace *ls, struct lock *l, int status, bool gone)
{
	void (*ast)(void *arg) = l->ast;
	void *arg = l->astarg;

	l->lksb->sb_status = status;
	l->stage = ST_HELD;
	l->fresh = false;
	if (gone)
		forget(ls, l);
	if (ast)
		ast(arg);
}

static void on_reply(struct lockspace *ls, struct wire_r *r)
{
	uint64_t cookie = wire_r_u64(r);
	int err = (int)wire_r_u32(r);
	uint32_t lkid = wire_r_u32(r);

	if (wire_r_done(r) < 0) { /* what is missing would read as "granted" */
		ls->dead = true;
		return;
	}
	for (struct lock *l = ls->locks; l; l = l->next) {
		if (l->stage != ST_SENT || l->cookie != cookie)
			continue;
		l->stage = ST_PENDING;
		if (!err && l->op == DLM_IPC_OP_LOCK) {
			l->lkid = lkid;
			l->lksb->sb_lkid = lkid;
		}
		if (err || l->orphan)
			complete(ls, l, err, (err && l->fresh) || err == ENOENT);
		return;
	}
}

static void on_done(struct lockspace *ls, struct wire_r *r)
{
	struct lock *l = find_lkid(ls, wire_r_u32(r));
	int status = (int)wire_r_u32(r);
	uint8_t sbflags = wire_r_u8(r);
	bool gone = wire_r_bool(r);
	const uint8_t *lvb;
	uint64_t token;

	wire_r_u8(
		r); /* the mode: the caller knows what it asked for, ALTMODE says when it differs */
	token = wire_r_u64(r);
	lvb = wire_r_bool(r) ? wire_r_bytes(r, DLM_LVB_LEN) : NULL;
	if (!l || wire_r_done(r) < 0)
		return;
	/* FORCEUNLOCK of a request that was granted meanwhile: its completion is the unlock's, the only one. */
	if (l->op == DLM_IPC_OP_UNLOCK && status != EUNLOCK) {
		if (status == 0)
			l->token = token;
		return;
	}
	l->lksb->sb_flags = (char)sbflags;
	if (lvb && l->lksb->sb_lvbptr && status == 0)
		memcpy(l->lksb->sb_lvbptr, lvb, DLM_LVB_LEN);
	if (status == 0)
		l->token = token;
	complete(ls, l, status, gone);
}

static void on_blocking(struct lockspace *ls, struct wire_r *r)
{
	struct lock *l = find_lkid(ls, wire_r_u32(r));
	int mode = wire_r_u8(r) - 1;

	if (!l || wire_r_done(r) < 0)
		return;
	l->bast_mode = mode;
	if (l->bast)
		l->bast(l->bastarg); /* the lksb is not touched: it may be that of an operation under way */
}

/* Return: 1 an event was handled, 0 none waits, -1 with errno: the connection is of no use any more. */
static int dispatch_one(struct lockspace *ls)
{
	static _Thread_local uint8_t buf[DLM_IPC_BYTES];
	struct qb_ipc_response_header h;
	struct wire_r r, s;
	ssize_t got;

	if (ls->dead)
		return fail(ENOTCONN);
	got = qb_ipcc_event_recv(ls->conn, buf, sizeof(buf), 0);
	if (got == -EAGAIN || got == -ETIMEDOUT || got == -ENOMSG)
		return 0;
	if (got < (ssize_t)sizeof(h)) {
		ls->dead = true;
		return fail(ENOTCONN);
	}
	memcpy(&h, buf, sizeof(h));
	wire_r_init(&r, buf + sizeof(h), (size_t)got - sizeof(h));
	if (h.id == DLM_IPC_EVICTED) {
		ls->dead = true;
		return fail(ENOTCONN);
	}
	if (got == (ssize_t)sizeof(h)) /* taken */
		return 1;
	wire_r_section(&r, &s);
	switch (h.id) {
	case DLM_IPC_REPLY: on_reply(ls, &s); break;
	case DLM_IPC_DONE: on_done(ls, &s); break;
	case DLM_IPC_BLOCKING: on_blocking(ls, &s); break;
	default: /* of a newer dlmd */ break;
	}
	return ls->dead ? fail(ENOTCONN) : 1;
}

int dlm_dispatch(int fd)
{
	struct lockspace *ls;
	int rc;

	pthread_mutex_lock(&spaces_mutex);
	for (ls = spaces; ls && ls->fd != fd; ls = ls->next)
		;
	pthread_mutex_unlock(&spaces_mutex);
	if (!ls)
		return fail(EBADF);
	do
		rc = dispatch_one(ls);
	while (rc > 0);
	return rc;
}

int dlm_ls_get_fd(dlm_lshandle_t handle)
{
	struct lockspace *ls = handle;

	return ls ? ls->fd : fail(ENOTCONN);
}

/* Only a completion ends the wait: a blocking notice in between must not be taken for one. */
static int wait_for(struct lockspace *ls, struct dlm_lksb *lksb, int good)
{
	while (lksb->sb_status == EINPROG) {
		struct pollfd p = { .fd = ls->fd, .events = POLLIN };
		int rc = dispatch_one(ls);

		if (rc < 0)
			return -1;
		if (rc == 0 && poll(&p, 1, -1) < 0 && errno != EINTR)
			return -1;
	}
	if (lksb->sb_status == 0 || lksb->sb_status == good)
		return 0;
	return fail(lksb->sb_status);
}

int dlm_ls_lock_wait(dlm_lshandle_t handle, uint32_t mode, struct dlm_lksb *lksb, uint32_t flags,
		     const void *name, unsigned int namelen, uint32_t parent, void *bastarg,
		     void (*bast)(void *bastarg), void *range)
{
	if (dlm_ls_lock(handle, mode, lksb, flags, name, namelen, parent, NULL, bastarg, bast,
			range) < 0)
		return -1;
	return wait_for(handle, lksb, 0);
}

int dlm_ls_lockx(dlm_lshandle_t handle, uint32_t mode, struct dlm_lksb *lksb, uint32_t flags,
		 const void *name, unsigned int namelen, uint32_t parent, void (*ast)(void *astarg),
		 void *astarg, void (*bast)(void *astarg), uint64_t *xid, uint64_t *timeout)
{
	(void)xid;
	(void)timeout;
	if (!(flags & LKF_ORPHAN))
		return dlm_ls_lock(handle, mode, lksb, flags, name, namelen, parent, ast, astarg,
				   bast, NULL);
	/* An adoption has no AST, and lvmlockd's pointers are not to be called. */
	if (dlm_ls_lock(handle, mode, lksb, flags, name, namelen, parent, NULL, NULL, NULL, NULL) <
	    0)
		return -1;
	return wait_for(handle, lksb, 0);
}

int dlm_ls_unlock_wait(dlm_lshandle_t handle, uint32_t lkid, uint32_t flags, struct dlm_lksb *lksb)
{
	struct lock *l = handle ? find_lkid(handle, lkid) : NULL;

	if (l)
		l->ast = NULL;
	if (dlm_ls_unlock(handle, lkid, flags, lksb, NULL) < 0)
		return -1;
	return wait_for(handle, lksb, EUNLOCK);
}

int dlm_ls_purge(dlm_lshandle_t handle, int nodeid, int pid)
{
	struct lockspace *ls = handle;
	int rc;

	(void)nodeid;
	if (!ls)
		return fail(ENOTCONN);
	rc = submit(ls, DLM_IPC_OP_PURGE, ++ls->cookie, (uint32_t)pid, 0, 0, 0, NULL, NULL, 0);
	return rc < 0 ? fail(-rc) : 0;
}

int dlm_lock_bast_mode(const struct dlm_lksb *lksb, dlm_lshandle_t handle)
{
	struct lock *l = handle ? find_lksb(handle, lksb) : NULL;

	return l ? l->bast_mode : -1;
}

uint64_t dlm_lock_token(const struct dlm_lksb *lksb, dlm_lshandle_t handle)
{
	struct lock *l = handle ? find_lksb(handle, lksb) : NULL;

	return l ? l->token : 0;
}
