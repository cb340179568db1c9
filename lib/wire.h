/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* lib/wire.h - bytes on the wire and on disk: a bounded little-endian writer and reader.
 *
 * Both work on a buffer of the caller and keep a sticky error: after the first failure every call does
 * nothing (a read gives 0), so a message is written or read in one straight run and checked once, at
 * the end, by wire_w_done() or wire_r_done(). A reader believes nothing: every length is checked
 * against what is really there.
 *
 * Two releases must understand each other (rolling upgrade), so a format grows only at the end of a
 * section, a run of bytes behind its own length. An old reader leaves the tail of a section that it
 * does not know; a new reader asks wire_r_more() before each field that old writers did not send:
 *
 *	wire_w_u16(&w, MSG_VERSION);            version = wire_r_u16(&r);
 *	sec = wire_w_open(&w);                  wire_r_section(&r, &s);
 *	wire_w_u32(&w, node);                   node = wire_r_u32(&s);
 *	wire_w_u32(&w, weight);                 weight = wire_r_more(&s) ? wire_r_u32(&s) : 1;
 *	wire_w_close(&w, sec);
 *	r = wire_w_done(&w, &len);              r = wire_r_done(&r);
 */
#ifndef STOCKADE_LIB_WIRE_H
#define STOCKADE_LIB_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct wire_w {
	uint8_t *buf; /* the caller's */
	size_t cap;   /* bytes in buf */
	size_t len;   /* bytes written */
	int err;      /* 0 or -ENOBUFS; sticky */
};

void wire_w_init(struct wire_w *w, void *buf, size_t cap);
void wire_w_u8(struct wire_w *w, uint8_t v);
void wire_w_bool(struct wire_w *w, bool v); /* one byte, 0 or 1 */
void wire_w_u16(struct wire_w *w, uint16_t v);
void wire_w_u32(struct wire_w *w, uint32_t v);
void wire_w_u64(struct wire_w *w, uint64_t v);
void wire_w_bytes(struct wire_w *w, const void *p, size_t len); /* as they are, no length */
void wire_w_str(struct wire_w *w, const char *s); /* u16 length, at most UINT16_MAX bytes, no NUL */

/**
 * wire_w_open() - begin a section: its u32 length is filled in by wire_w_close().
 * Return: the mark to close it with. Sections nest; the inner one is closed first.
 */
size_t wire_w_open(struct wire_w *w);
void wire_w_close(struct wire_w *w, size_t mark);

/**
 * wire_w_done() - did everything fit?
 * @ret_len: set to the bytes written on success, untouched otherwise
 * Return: 0, -ENOBUFS when the buffer was too small or a string too long
 */
int wire_w_done(const struct wire_w *w, size_t *ret_len);

struct wire_r {
	const uint8_t *buf; /* the caller's, must outlive the reader */
	size_t len;         /* bytes in buf */
	size_t pos;         /* bytes read */
	int err;            /* 0 or -EBADMSG; sticky */
	struct wire_r *up;  /* the reader this section is part of, fails with it; or NULL */
};

void wire_r_init(struct wire_r *r, const void *buf, size_t len);
uint8_t wire_r_u8(struct wire_r *r);
bool wire_r_bool(struct wire_r *r); /* a byte other than 0 and 1 is an error */
uint16_t wire_r_u16(struct wire_r *r);
uint32_t wire_r_u32(struct wire_r *r);
uint64_t wire_r_u64(struct wire_r *r);

/**
 * wire_r_bytes() - take @len bytes.
 * Return: pointer into the reader's buffer, valid as long as that is; NULL when they are not there.
 */
const uint8_t *wire_r_bytes(struct wire_r *r, size_t len);

/**
 * wire_r_str() - take a string of wire_w_str().
 * @out: [cap] gets the string and its NUL; the empty string on failure; @cap is 1 or more
 * A string that does not fit into @out, or has a NUL inside, is an error: a name cut short is another
 * name.
 * Return: its length; 0 on failure
 */
size_t wire_r_str(struct wire_r *r, char *out, size_t cap);

/**
 * wire_r_section() - enter a section of wire_w_open().
 * @sub: reads the section; @r goes on behind it at once. What @sub leaves unread is what a newer
 *	writer added. A failure in @sub is a failure of @r: keep both until wire_r_done().
 */
void wire_r_section(struct wire_r *r, struct wire_r *sub);

bool wire_r_more(const struct wire_r *r); /* no error, and bytes are left */
void wire_r_fail(struct wire_r *r);       /* the caller found a value that cannot be */

/**
 * wire_r_done() - was everything there? Bytes left over are fine: a newer writer added them.
 * Return: 0, -EBADMSG
 */
int wire_r_done(const struct wire_r *r);

#endif
