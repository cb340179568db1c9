/* SPDX-License-Identifier: GPL-3.0-or-later */
/* lib/record.c - see record.h. Every character goes through put(), every read looks at r->end. */
#include "lib/record.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#define ALIGN 16

/* ---- numbers in memory, of any width ---- */
static uint64_t get_uint(const void *at, size_t size)
{
	switch (size) {
	case 1: return *(const uint8_t *)at;
	case 2: return *(const uint16_t *)at;
	case 4: return *(const uint32_t *)at;
	default: return *(const uint64_t *)at;
	}
}

static void set_uint(void *at, size_t size, uint64_t v)
{
	switch (size) {
	case 1: *(uint8_t *)at = (uint8_t)v; break;
	case 2: *(uint16_t *)at = (uint16_t)v; break;
	case 4: *(uint32_t *)at = (uint32_t)v; break;
	default: *(uint64_t *)at = v; break;
	}
}

static int64_t get_int(const void *at, size_t size)
{
	switch (size) {
	case 1: return *(const int8_t *)at;
	case 2: return *(const int16_t *)at;
	case 4: return *(const int32_t *)at;
	default: return *(const int64_t *)at;
	}
}

static const void *member(const void *object, uint32_t off)
{
	return (const char *)object + off;
}

static const void *pointer_at(const void *at)
{
	const void *p;

	memcpy(&p, at, sizeof(p));
	return p;
}

/* How many elements (bytes, of BYTES) of a field count in this object; never more than it has room for. */
static size_t counted(const struct record_field *f, const void *object, size_t room)
{
	if (f->count_size == 0)
		return room;
	uint64_t n = get_uint(member(object, f->count_off), f->count_size);

	return n < room ? (size_t)n : room;
}

static bool all_zero(const void *at, size_t len)
{
	const uint8_t *p = at;

	for (size_t i = 0; i < len; i++)
		if (p[i] != 0)
			return false;
	return true;
}

static bool field_is_zero(const struct record_field *f, const void *object);

static bool struct_is_zero(const struct record_type *type, const void *object)
{
	for (unsigned i = 0; i < type->n; i++)
		if (!field_is_zero(&type->field[i], object))
			return false;
	return true;
}

static bool value_is_zero(const struct record_field *f, const void *object, const void *at)
{
	switch (f->kind) {
	case RECORD_TEXT: return *(const char *)at == '\0';
	case RECORD_STRUCT: return struct_is_zero(f->type, at);
	case RECORD_BYTES: return all_zero(at, counted(f, object, f->size));
	case RECORD_DATA: return get_uint(member(object, f->count_off), f->count_size) == 0;
	case RECORD_BOOL:
	case RECORD_UINT:
	case RECORD_INT:
	case RECORD_NODESET:
	case RECORD_TEXT_PTR:
	case RECORD_STRUCT_PTR:
	case RECORD_STRUCTS: break;
	}
	return all_zero(at, f->size);
}

static bool field_is_zero(const struct record_field *f, const void *object)
{
	const char *at = member(object, f->off);

	if (f->count == 0)
		return value_is_zero(f, object, at);
	for (size_t i = 0, n = counted(f, object, f->count); i < n; i++)
		if (!value_is_zero(f, object, at + i * f->size))
			return false;
	return true;
}

/* ---- write ---- */
void record_w_init(struct record_w *w, char *buf, size_t cap)
{
	*w = (struct record_w){ .buf = buf, .cap = cap };
}

static void put(struct record_w *w, const char *text, size_t len)
{
	if (w->err == 0 && len > w->cap - w->len)
		w->err = -ENOBUFS;
	if (w->err != 0)
		return;
	memcpy(w->buf + w->len, text, len);
	w->len += len;
}

void record_w_words(struct record_w *w, const char *words)
{
	put(w, words, strlen(words));
}

void record_w_number(struct record_w *w, uint64_t v)
{
	char digits[20];
	size_t at = sizeof(digits);

	do
		digits[--at] = (char)('0' + v % 10);
	while ((v /= 10) != 0);
	put(w, digits + at, sizeof(digits) - at);
}

static const char hex[] = "0123456789abcdef";

static void put_hex(struct record_w *w, const uint8_t *p, size_t len)
{
	if (w->story) {
		put(w, "(", 1);
		record_w_number(w, len);
		record_w_words(w, " bytes)");
		return;
	}
	for (size_t i = 0; i < len; i++) {
		char two[2] = { hex[p[i] >> 4], hex[p[i] & 15] };

		put(w, two, 2);
	}
}

static void put_text(struct record_w *w, const char *text, size_t cap)
{
	put(w, "\"", 1);
	for (size_t i = 0; i < cap && text[i] != '\0'; i++) {
		uint8_t c = (uint8_t)text[i];

		if (c >= ' ' && c < 127 && c != '"' && c != '\\') {
			put(w, &text[i], 1);
		} else {
			char four[4] = { '\\', 'x', hex[c >> 4], hex[c & 15] };

			put(w, four, 4);
		}
	}
	put(w, "\"", 1);
}

static void put_nodes(struct record_w *w, uint64_t bits)
{
	bool first = true;

	for (unsigned i = 0; i < 64; i++)
		if (bits >> i & 1) {
			if (!first)
				put(w, ",", 1);
			record_w_number(w, i);
			first = false;
		}
}

static void put_struct(struct record_w *w, const struct record_type *type, const void *object);

static void put_value(struct record_w *w, const struct record_field *f, const void *object,
		      const void *at)
{
	switch (f->kind) {
	case RECORD_BOOL: put(w, "1", 1); break;
	case RECORD_UINT: record_w_number(w, get_uint(at, f->size)); break;
	case RECORD_INT: {
		int64_t v = get_int(at, f->size);

		if (v < 0)
			put(w, "-", 1);
		record_w_number(w, v < 0 ? 0 - (uint64_t)v : (uint64_t)v);
		break;
	}
	case RECORD_NODESET: put_nodes(w, ((const struct nodeset *)at)->bits); break;
	case RECORD_TEXT: put_text(w, at, f->size); break;
	case RECORD_TEXT_PTR: put_text(w, pointer_at(at), SIZE_MAX); break;
	case RECORD_BYTES: put_hex(w, at, counted(f, object, f->size)); break;
	case RECORD_DATA:
		put_hex(w, pointer_at(at),
			(size_t)get_uint(member(object, f->count_off), f->count_size));
		break;
	case RECORD_STRUCT: put_struct(w, f->type, at); break;
	case RECORD_STRUCT_PTR: put_struct(w, f->type, pointer_at(at)); break;
	case RECORD_STRUCTS: {
		const char *v = pointer_at(at);

		put(w, "[", 1);
		for (unsigned i = 0; i < w->many; i++) {
			if (i > 0)
				put(w, " ", 1);
			put_struct(w, f->type, v + i * f->type->size);
		}
		put(w, "]", 1);
		break;
	}
	}
}

static void put_array(struct record_w *w, const struct record_field *f, const void *object)
{
	const char *at = member(object, f->off);
	bool first = true;

	put(w, "[", 1);
	for (size_t i = 0, n = counted(f, object, f->count); i < n; i++) {
		if (value_is_zero(f, object, at + i * f->size))
			continue;
		if (!first)
			put(w, " ", 1);
		first = false;
		record_w_number(w, i);
		put(w, ":", 1);
		put_value(w, f, object, at + i * f->size);
	}
	put(w, "]", 1);
}

static void put_fields(struct record_w *w, const struct record_type *type, const void *object,
		       bool blank)
{
	for (unsigned i = 0; i < type->n; i++) {
		const struct record_field *f = &type->field[i];

		if (field_is_zero(f, object))
			continue;
		if (blank)
			put(w, " ", 1);
		blank = true;
		record_w_words(w, f->name);
		put(w, "=", 1);
		if (f->count != 0)
			put_array(w, f, object);
		else
			put_value(w, f, object, member(object, f->off));
	}
}

static void put_struct(struct record_w *w, const struct record_type *type, const void *object)
{
	put(w, "{", 1);
	put_fields(w, type, object, false);
	put(w, "}", 1);
}

void record_w_fields(struct record_w *w, const struct record_type *type, const void *object)
{
	put_fields(w, type, object, true);
}

/* ---- read ---- */
void record_r_init(struct record_r *r, const char *line, size_t len, void *mem, size_t mem_cap)
{
	*r = (struct record_r){ .p = line, .end = line + len, .mem = mem, .mem_cap = mem_cap };
}

static void fail(struct record_r *r, const char *err)
{
	if (r->err == NULL)
		r->err = err;
}

static bool peek(const struct record_r *r, char c)
{
	return r->err == NULL && r->p < r->end && *r->p == c;
}

static bool take(struct record_r *r, char c)
{
	if (!peek(r, c))
		return false;
	r->p++;
	return true;
}

static void want(struct record_r *r, char c, const char *err)
{
	if (!take(r, c))
		fail(r, err);
}

bool record_r_words(struct record_r *r, const char *words)
{
	size_t len = strlen(words);

	if (r->err != NULL || (size_t)(r->end - r->p) < len || memcmp(r->p, words, len) != 0)
		return false;
	r->p += len;
	return true;
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

uint64_t record_r_number(struct record_r *r)
{
	uint64_t v = 0;

	if (r->err != NULL || r->p == r->end || !is_digit(*r->p)) {
		fail(r, "a number is missing");
		return 0;
	}
	if (*r->p == '0' && r->end - r->p > 1 && is_digit(r->p[1]))
		fail(r, "a number with zeros before it");
	for (; r->p < r->end && is_digit(*r->p); r->p++) {
		unsigned digit = (unsigned)(*r->p - '0');

		if (v > (UINT64_MAX - digit) / 10) {
			fail(r, "a number that is too big");
			return 0;
		}
		v = v * 10 + digit;
	}
	return v;
}

size_t record_r_name(struct record_r *r, const char **ret)
{
	const char *begin = r->p;

	while (r->err == NULL && r->p < r->end &&
	       ((*r->p >= 'a' && *r->p <= 'z') || (*r->p >= 'A' && *r->p <= 'Z') ||
		is_digit(*r->p) || *r->p == '_' || *r->p == '-'))
		r->p++;
	*ret = begin;
	return (size_t)(r->p - begin);
}

static int hex_digit(char c)
{
	if (is_digit(c))
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Takes two hex digits; -1: there are none. */
static int take_byte(struct record_r *r)
{
	if (r->err != NULL || r->end - r->p < 2)
		return -1;
	int hi = hex_digit(r->p[0]), lo = hex_digit(r->p[1]);

	if (hi < 0 || lo < 0)
		return -1;
	r->p += 2;
	return hi << 4 | lo;
}

/* Zeroed memory for what a pointer points to; NULL: none is left. */
static void *room(struct record_r *r, size_t len)
{
	size_t used = (r->mem_used + ALIGN - 1) / ALIGN * ALIGN;

	if (used > r->mem_cap || len > r->mem_cap - used) {
		fail(r, "more than there is memory for");
		return NULL;
	}
	r->mem_used = used + len;
	return len > 0 ? memset((char *)r->mem + used, 0, len) : (char *)r->mem + used;
}

/* Writes at most @cap - 1 characters and a NUL. */
static void read_text(struct record_r *r, char *to, size_t cap)
{
	size_t len = 0;

	want(r, '"', "a quotation mark is missing");
	while (r->err == NULL && !peek(r, '"')) {
		int c;

		if (r->p == r->end) {
			fail(r, "text without its end");
			break;
		}
		if (record_r_words(r, "\\x")) {
			c = take_byte(r);
		} else {
			c = (uint8_t)*r->p++;
			if (c < ' ' || c > 126 || c == '\\')
				c = -1;
		}
		if (c <= 0)
			fail(r, "a character that text cannot have");
		else if (len + 1 >= cap)
			fail(r, "text that is too long");
		else
			to[len++] = (char)c;
	}
	want(r, '"', "a quotation mark is missing");
	if (cap > 0)
		to[len < cap ? len : 0] = '\0';
}

static const char *read_text_ptr(struct record_r *r)
{
	const char *p = r->p;
	size_t longest = 2;

	while (p < r->end && (p == r->p || *p != '"')) {
		p++;
		longest++;
	}
	char *text = room(r, longest);

	if (text)
		read_text(r, text, longest);
	return text;
}

static uint64_t read_nodes(struct record_r *r)
{
	uint64_t bits = 0;

	do {
		uint64_t n = record_r_number(r);

		if (n > 63 || bits >> n != 0)
			fail(r, "no set of nodes");
		else
			bits |= UINT64_C(1) << n;
	} while (take(r, ','));
	return bits;
}

static void read_int(struct record_r *r, void *at, size_t size)
{
	bool negative = take(r, '-');
	uint64_t v = record_r_number(r), most = UINT64_MAX >> (65 - 8 * size);

	if (v > most + negative)
		fail(r, "a number that is too big");
	set_uint(at, size, negative ? 0 - v : v);
}

static void read_data(struct record_r *r, const struct record_field *f, void *object, void *at)
{
	size_t len = 0;

	while ((size_t)(r->end - r->p) > 2 * len + 1 && hex_digit(r->p[2 * len]) >= 0)
		len++;
	uint8_t *p = room(r, len);

	for (size_t i = 0; p && i < len; i++) {
		int c = take_byte(r);

		if (c < 0)
			fail(r, "not hex digits");
		p[i] = (uint8_t)c;
	}
	memcpy(at, &p, sizeof(p));
	set_uint((char *)object + f->count_off, f->count_size, len);
}

static void read_struct(struct record_r *r, const struct record_type *type, void *object);

/* The elements of an array stand beside the count, which is a field of its own and comes before. */
static void read_value(struct record_r *r, const struct record_field *f, void *object, void *at)
{
	switch (f->kind) {
	case RECORD_BOOL:
		want(r, '1', "yes is 1, and no is left out");
		*(bool *)at = true;
		break;
	case RECORD_UINT: {
		uint64_t v = record_r_number(r);

		if (v > UINT64_MAX >> (64 - 8 * f->size))
			fail(r, "a number that is too big");
		set_uint(at, f->size, v);
		break;
	}
	case RECORD_INT: read_int(r, at, f->size); break;
	case RECORD_NODESET: ((struct nodeset *)at)->bits = read_nodes(r); break;
	case RECORD_TEXT: read_text(r, at, f->size); break;
	case RECORD_TEXT_PTR: {
		const char *text = read_text_ptr(r);

		memcpy(at, &text, sizeof(text));
		break;
	}
	case RECORD_BYTES: {
		size_t len = counted(f, object, f->size);

		for (size_t i = 0; i < len; i++) {
			int c = take_byte(r);

			if (c < 0)
				fail(r, "not as many hex digits as there are bytes");
			((uint8_t *)at)[i] = (uint8_t)c;
		}
		break;
	}
	case RECORD_DATA: read_data(r, f, object, at); break;
	case RECORD_STRUCT: read_struct(r, f->type, at); break;
	case RECORD_STRUCT_PTR: {
		void *p = room(r, f->type->size);

		if (p)
			read_struct(r, f->type, p);
		memcpy(at, &p, sizeof(p));
		break;
	}
	case RECORD_STRUCTS: {
		char *p = r->many <= r->mem_cap / f->type->size ? room(r, r->many * f->type->size)
								: NULL;

		want(r, '[', "[ is missing");
		for (unsigned i = 0; p && i < r->many; i++) {
			if (i > 0)
				want(r, ' ', "not as many as there should be");
			read_struct(r, f->type, p + i * f->type->size);
		}
		want(r, ']', "] is missing");
		if (!p)
			fail(r, "more than there is memory for");
		memcpy(at, &p, sizeof(p));
		break;
	}
	}
}

static void read_array(struct record_r *r, const struct record_field *f, void *object)
{
	size_t n = counted(f, object, f->count);
	uint64_t next = 0;

	want(r, '[', "[ is missing");
	do {
		uint64_t i = record_r_number(r);

		want(r, ':', ": is missing");
		if (i >= n || i < next)
			fail(r, "an index out of range or order");
		if (r->err != NULL)
			return;
		read_value(r, f, object, (char *)object + f->off + i * f->size);
		next = i + 1;
	} while (take(r, ' '));
	want(r, ']', "] is missing");
}

/* @blank: each field has a blank before it; else all but the first. */
static void read_fields(struct record_r *r, const struct record_type *type, void *object,
			bool blank)
{
	for (unsigned i = 0; i < type->n && r->err == NULL; i++) {
		const struct record_field *f = &type->field[i];
		const char *back = r->p;

		if ((blank && !take(r, ' ')) || !record_r_words(r, f->name) || !take(r, '=')) {
			r->p = back;
			continue;
		}
		blank = true;
		if (f->count != 0)
			read_array(r, f, object);
		else
			read_value(r, f, object, (char *)object + f->off);
	}
}

static void read_struct(struct record_r *r, const struct record_type *type, void *object)
{
	want(r, '{', "{ is missing");
	read_fields(r, type, object, false);
	want(r, '}', "a field that is not known, or not in its place");
}

void record_r_fields(struct record_r *r, const struct record_type *type, void *object)
{
	memset(object, 0, type->size);
	read_fields(r, type, object, true);
}

int record_r_done(struct record_r *r)
{
	if (r->p != r->end)
		fail(r, "a field that is not known, or not in its place");
	return r->err == NULL ? 0 : -EBADMSG;
}

/* ---- unions ---- */
void record_w_union(struct record_w *w, const struct record_union *u, const void *whole)
{
	int type = *(const int *)member(whole, u->type_off);
	const struct record_case *c = u->of(type);

	assert(c != NULL);
	record_w_words(w, c->name);
	if (u->common)
		record_w_fields(w, u->common, whole);
	if (c->part)
		record_w_fields(w, c->part, member(whole, c->off));
}

void record_r_union(struct record_r *r, const struct record_union *u, void *whole)
{
	const struct record_case *c;
	const char *name;
	size_t len = record_r_name(r, &name);
	int type = 1;

	memset(whole, 0, u->size);
	while ((c = u->of(type)) != NULL &&
	       (strlen(c->name) != len || memcmp(c->name, name, len) != 0))
		type++;
	if (c == NULL) {
		fail(r, "an event that is not known");
		return;
	}
	*(int *)((char *)whole + u->type_off) = type;
	if (u->common)
		read_fields(r, u->common, whole, true);
	if (c->part)
		read_fields(r, c->part, (char *)whole + c->off, true);
}

/* ---- words of lib/ ---- */
#define T struct view_id
RECORD_WORD(record_view_id, RECORD(seq), RECORD(rep));
#undef T

#define T struct incarnation
RECORD_WORD(record_incarnation, RECORD(nodeid), RECORD_BYTES(boot_id), RECORD(join));
#undef T

#define T struct proof
RECORD_WORD(record_proof, RECORD_STRUCT(victim, record_incarnation), RECORD(kind), RECORD(by),
	    RECORD(number), RECORD(wall_s), RECORD(evidence));
#undef T

#define T struct fence_node
RECORD_WORD(record_fence_node, RECORD(nodeid), RECORD(state),
	    RECORD_STRUCT(life, record_incarnation), RECORD_STRUCT(proof, record_proof),
	    RECORD(ready), RECORD(ready_age_ms), RECORD(ending));
#undef T

#define T struct fence_state
RECORD_WORD(record_fence_state, RECORD_STRUCT(self, record_incarnation),
	    RECORD_STRUCT(view, record_view_id), RECORD(quorate), RECORD(informed),
	    RECORD(self_victim), RECORD(held), RECORD(armed_ms), RECORD(let_go_ms),
	    RECORD(let_go_end_ms), RECORD(let_go_why), RECORD(n),
	    RECORD_STRUCT_ARRAY_N(node, n, record_fence_node));
#undef T

#define T struct fence_word
RECORD_WORD(record_fence_word, RECORD(nodeid), RECORD_ARRAY(boot_id), RECORD(armed_ms),
	    RECORD(at_ms));
#undef T

#define T struct fence_signs
RECORD_WORD(record_fence_signs, RECORD(weight), RECORD(holds), RECORD(ended), RECORD(self),
	    RECORD_ARRAY(peer), RECORD(shown_ms), RECORD(moved_ms), RECORD(still), RECORD(n_words),
	    RECORD_STRUCT_ARRAY_N(word, n_words, record_fence_word));
#undef T
