/* SPDX-License-Identifier: GPL-3.0-or-later */
/* fenced/daemon/store.c - what a restarted fenced may believe of its predecessor.
 *
 * Also which lives it knew, and what hypervisors said of them: a statement is acknowledged when it is here (SAFE-11).
 * Proofs count only under the same kernel (boot id) and, the core sees to that, in the same ring. A crash of this kernel voids
 * them, so they need an atomic rename, but no sync to the disk: fencing does not wait for a disk here.
 * That storaged was here is remembered in /run until it says itself that it ends and holds nothing: a fenced that has just
 * started and has not heard from it, or that has lost it, must not say goodbye (SAFE-1, SAFE-3).
 */
#include "store.h"

#include "daemon.h"

#include "lib/crc32c.h"
#include "lib/shell/file.h"
#include "lib/shell/log.h"
#include "lib/wire.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define STORE_DIR STOCKADE_STATEDIR "/fenced"
#define STORE_FILE STORE_DIR "/proofs"
#define HOLDS_FILE STOCKADE_RUNDIR "/fenced.holds"
#define STORE_MAGIC 0x66725053u /* "SPrf" */
#define STORE_VERSION 3

int store_seal(const char *path, struct wire_w *w)
{
	size_t len = 0;

	if (wire_w_done(w, &len) == 0)
		wire_w_u32(w, crc32c(0, w->buf, len));
	int r = wire_w_done(w, &len);

	if (r == 0)
		r = file_replace(path, w->buf, len, 0600, false);
	if (r < 0)
		log_warning("store.save", "file=%s error=\"%s\"", path, strerror(-r));
	return r;
}

int store_check(const uint8_t *buf, size_t n, uint32_t magic, uint16_t version, struct wire_r *ret)
{
	if (n < 4)
		return -EBADMSG;
	wire_r_init(ret, buf + n - 4, 4);
	if (wire_r_u32(ret) != crc32c(0, buf, n - 4))
		return -EBADMSG;
	wire_r_init(ret, buf, n - 4);
	return wire_r_u32(ret) == magic && wire_r_u16(ret) == version ? 0 : -EBADMSG;
}

ssize_t store_bytes(const char *path, uint8_t *buf, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

	if (fd < 0)
		return -errno;
	ssize_t n = read(fd, buf, size);
	ssize_t r = n < 0 ? -errno : n;

	close(fd);
	return r;
}

void store_save(struct fenced *f)
{
	static struct fence_stored st;
	uint8_t buf[STORE_BYTES_MAX];
	struct wire_w w;

	fence_stored(f->dom, &st);
	int loop_r = store_loop_save(&st);
	wire_w_init(&w, buf, sizeof(buf));
	wire_w_u32(&w, STORE_MAGIC);
	wire_w_u16(&w, STORE_VERSION);
	incarnation_write(&f->life, &w);
	wire_w_u64(&w, st.view.seq);
	wire_w_u32(&w, st.view.rep);
	wire_w_u8(&w, (uint8_t)st.n);
	for (unsigned i = 0; i < st.n; i++)
		proof_write(&st.proof[i], &w);
	wire_w_u64(&w, st.kept_view.seq);
	wire_w_u32(&w, st.kept_view.rep);
	wire_w_u8(&w, (uint8_t)st.n_kept);
	for (unsigned i = 0; i < st.n_kept; i++) {
		incarnation_write(&st.kept[i].life, &w);
		wire_w_bool(&w, st.kept[i].attested);
		wire_w_str(&w, st.kept[i].text);
	}
	int r = store_seal(STORE_FILE, &w);

	r = r < 0 ? r : loop_r;
	f->stored = r == 0;
	if (f->stored)
		f->store_error[0] = '\0';
	else
		snprintf(f->store_error, sizeof(f->store_error), "%s: %s", STORE_DIR, strerror(-r));
}

int store_proofs_read(const uint8_t *buf, size_t len, const struct incarnation *self,
		      struct fence_config *fc)
{
	struct wire_r r;
	struct incarnation then = { 0 };
	int rc = store_check(buf, len, STORE_MAGIC, STORE_VERSION, &r);

	if (rc < 0)
		return rc;
	incarnation_read(&then, &r);
	fc->stored_view.seq = wire_r_u64(&r);
	fc->stored_view.rep = wire_r_u32(&r);
	unsigned n = wire_r_u8(&r);

	if (n > NODES_MAX)
		return -EBADMSG;
	for (unsigned i = 0; i < n; i++)
		proof_read(&fc->stored[i], &r);
	fc->kept_view.seq = wire_r_u64(&r);
	fc->kept_view.rep = wire_r_u32(&r);
	unsigned n_kept = wire_r_u8(&r);

	if (n_kept > NODES_MAX)
		return -EBADMSG;
	for (unsigned i = 0; i < n_kept; i++) {
		incarnation_read(&fc->kept[i].life, &r);
		fc->kept[i].attested = wire_r_bool(&r);
		wire_r_str(&r, fc->kept[i].text, sizeof(fc->kept[i].text));
	}
	if (wire_r_done(&r) < 0)
		return -EBADMSG;
	if (!incarnation_same_boot(&then, self))
		return -ESTALE;
	fc->n_stored = n;
	fc->n_kept = n_kept;
	return 0;
}

static int load(struct fenced *f, struct fence_config *fc)
{
	uint8_t buf[STORE_BYTES_MAX];
	ssize_t n = store_bytes(STORE_FILE, buf, sizeof(buf));

	return n < 0 ? (int)n : store_proofs_read(buf, (size_t)n, &f->life, fc);
}

void store_load(struct fenced *f, struct fence_config *fc)
{
	if (mkdir(STOCKADE_STATEDIR, 0750) < 0 && errno != EEXIST)
		log_warning("store.dir", "dir=%s error=\"%s\"", STOCKADE_STATEDIR, strerror(errno));
	if (mkdir(STORE_DIR, 0750) < 0 && errno != EEXIST)
		log_warning("store.dir", "dir=%s error=\"%s\"", STORE_DIR, strerror(errno));
	if (access(STORE_DIR, W_OK) < 0)
		snprintf(f->store_error, sizeof(f->store_error), "%s: %s", STORE_DIR,
			 strerror(errno));
	store_loop_load(fc);
	int r = load(f, fc);

	if (r < 0)
		fc->n_stored = fc->n_kept = 0;
	if (r == -ENOENT)
		return; /* the first start */
	if (r < 0 && r != -ESTALE)
		log_warning("store.load", "file=%s text=\"%s: its proofs are left out\"",
			    STORE_FILE, r == -EBADMSG ? "damaged" : strerror(-r));
	else
		log_info("store.load", "proofs=%u lives=%u rc=%d", fc->n_stored, fc->n_kept, r);
}

void holds_save(bool holds)
{
	int r = 0;

	if (mkdir(STOCKADE_RUNDIR, 0750) < 0 && errno != EEXIST)
		r = -errno;
	else if (holds)
		r = file_replace(HOLDS_FILE, "1\n", 2, 0600, false);
	else if (unlink(HOLDS_FILE) < 0 && errno != ENOENT)
		r = -errno;
	if (r < 0)
		log_warning("store.holds", "file=%s error=\"%s\"", HOLDS_FILE, strerror(-r));
}

bool holds_load(void)
{
	return access(HOLDS_FILE, F_OK) == 0;
}
