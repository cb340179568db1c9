/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* lib/wire.c - see wire.h. Every write goes through room(), every read through wire_r_bytes(): the two
 * places that check bounds.
 */
#include "lib/wire.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

static void put_le(uint8_t *p, uint64_t v, size_t bytes)
{
	for (size_t i = 0; i < bytes; i++)
		p[i] = (uint8_t)(v >> 8 * i);
}

static uint64_t get_le(const uint8_t *p, size_t bytes)
{
	uint64_t v = 0;

	for (size_t i = 0; i < bytes; i++)
		v |= (uint64_t)p[i] << 8 * i;
	return v;
}

void wire_w_init(struct wire_w *w, void *buf, size_t cap)
{
	*w = (struct wire_w){ .buf = buf, .cap = cap };
}

/* Where the next @len bytes go, or NULL and the writer has failed. */
static uint8_t *room(struct wire_w *w, size_t len)
{
	if (w->err == 0 && len > w->cap - w->len)
		w->err = -ENOBUFS;
	if (w->err != 0)
		return NULL;
	uint8_t *p = w->buf + w->len;

	w->len += len;
	return p;
}

static void write_le(struct wire_w *w, uint64_t v, size_t bytes)
{
	uint8_t *p = room(w, bytes);

	if (p != NULL)
		put_le(p, v, bytes);
}

void wire_w_u8(struct wire_w *w, uint8_t v)
{
	write_le(w, v, 1);
}

void wire_w_bool(struct wire_w *w, bool v)
{
	write_le(w, v, 1);
}

void wire_w_u16(struct wire_w *w, uint16_t v)
{
	write_le(w, v, 2);
}

void wire_w_u32(struct wire_w *w, uint32_t v)
{
	write_le(w, v, 4);
}

void wire_w_u64(struct wire_w *w, uint64_t v)
{
	write_le(w, v, 8);
}

void wire_w_bytes(struct wire_w *w, const void *p, size_t len)
{
	uint8_t *to = room(w, len);

	if (to != NULL && len > 0)
		memcpy(to, p, len);
}

void wire_w_str(struct wire_w *w, const char *s)
{
	size_t len = strlen(s);

	if (len > UINT16_MAX) {
		w->err = -ENOBUFS;
		return;
	}
	wire_w_u16(w, (uint16_t)len);
	wire_w_bytes(w, s, len);
}

size_t wire_w_open(struct wire_w *w)
{
	wire_w_u32(w, 0);
	return w->len;
}

void wire_w_close(struct wire_w *w, size_t mark)
{
	if (w->err != 0)
		return;
	assert(mark >= 4 && mark <= w->len);
	if (w->len - mark > UINT32_MAX)
		w->err = -ENOBUFS;
	else
		put_le(w->buf + mark - 4, w->len - mark, 4);
}

int wire_w_done(const struct wire_w *w, size_t *ret_len)
{
	if (w->err == 0)
		*ret_len = w->len;
	return w->err;
}

void wire_r_init(struct wire_r *r, const void *buf, size_t len)
{
	*r = (struct wire_r){ .buf = buf, .len = len };
}

void wire_r_fail(struct wire_r *r)
{
	for (; r != NULL; r = r->up)
		r->err = -EBADMSG;
}

const uint8_t *wire_r_bytes(struct wire_r *r, size_t len)
{
	if (r->err != 0)
		return NULL;
	if (len > r->len - r->pos) {
		wire_r_fail(r);
		return NULL;
	}
	const uint8_t *p = r->buf + r->pos;

	r->pos += len;
	return p;
}

static uint64_t read_le(struct wire_r *r, size_t bytes)
{
	const uint8_t *p = wire_r_bytes(r, bytes);

	return p != NULL ? get_le(p, bytes) : 0;
}

uint8_t wire_r_u8(struct wire_r *r)
{
	return (uint8_t)read_le(r, 1);
}

bool wire_r_bool(struct wire_r *r)
{
	uint8_t v = wire_r_u8(r);

	if (v > 1)
		wire_r_fail(r);
	return v == 1;
}

uint16_t wire_r_u16(struct wire_r *r)
{
	return (uint16_t)read_le(r, 2);
}

uint32_t wire_r_u32(struct wire_r *r)
{
	return (uint32_t)read_le(r, 4);
}

uint64_t wire_r_u64(struct wire_r *r)
{
	return read_le(r, 8);
}

size_t wire_r_str(struct wire_r *r, char *out, size_t cap)
{
	size_t len = wire_r_u16(r);
	const uint8_t *p = wire_r_bytes(r, len);

	assert(cap > 0);
	out[0] = '\0';
	if (p == NULL)
		return 0;
	if (len >= cap || memchr(p, 0, len) != NULL) {
		wire_r_fail(r);
		return 0;
	}
	memcpy(out, p, len);
	out[len] = '\0';
	return len;
}

void wire_r_section(struct wire_r *r, struct wire_r *sub)
{
	size_t len = wire_r_u32(r);
	const uint8_t *p = wire_r_bytes(r, len);

	*sub = (struct wire_r){ .buf = p, .len = p != NULL ? len : 0, .err = r->err, .up = r };
}

bool wire_r_more(const struct wire_r *r)
{
	return r->err == 0 && r->pos < r->len;
}

int wire_r_done(const struct wire_r *r)
{
	return r->err;
}
