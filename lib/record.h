/* SPDX-License-Identifier: GPL-3.0-or-later */
/* lib/record.h - structures as lines of text and back, by a table of their fields: what a core is fed and answers, in a
 * form that a person reads and `sim --replay` feeds to the core again.
 *
 *	view id={seq=8 rep=1} quorate=1 nodes=1,2 members=1,2
 *	run_done run=7 answer=3 text="pdu1: off"
 *
 * A field that is zero is left out, an absent one is zero. Fields come in the order of their table, one blank between two:
 * equal values make equal text. Numbers are decimal, sets of nodes and bytes (hex) bare, text in quotes with \xNN for what
 * is not printable ASCII, structures in {}, arrays as [INDEX:VALUE ...] of the elements that are not zero.
 *
 * A table names each member once, and its kind follows from the member's type; tests/unit/record.c asks the compiler
 * which bytes of a structure are no padding and fails when a table does not reach one: a new member cannot be forgotten.
 *
 *	#define T struct view_id
 *	RECORD_TYPE(record_view_id, RECORD(seq), RECORD(rep));
 *	#undef T
 */
#ifndef STOCKADE_LIB_RECORD_H
#define STOCKADE_LIB_RECORD_H

#include "fence_state.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RECORD_VERSION 1 /* of the form of lines and files; lib/shell/recorder.h */

struct record_type;

enum record_kind {
	RECORD_BOOL = 1,
	RECORD_UINT,
	RECORD_INT,
	RECORD_NODESET,
	RECORD_TEXT,       /* char[], NUL-terminated */
	RECORD_TEXT_PTR,   /* const char *; NULL is not "" */
	RECORD_BYTES,      /* uint8_t[] */
	RECORD_DATA,       /* const void *, and how many bytes in another member */
	RECORD_STRUCT,     /* by value */
	RECORD_STRUCT_PTR, /* const pointer to one; NULL is not a zero one */
	RECORD_STRUCTS,    /* const pointer to as many as the writer's or reader's `many` */
};

struct record_field {
	const char *name;
	enum record_kind kind;
	uint32_t off;
	uint32_t size;       /* bytes of the member; of one element of an array */
	uint32_t count;      /* elements of an array; 0: no array */
	uint32_t count_off;  /* the member that says how many elements, or bytes, count */
	uint32_t count_size; /* bytes of that member; 0: there is none */
	const struct record_type *type; /* STRUCT, STRUCT_PTR, STRUCTS */
};

struct record_type {
	size_t size;
	unsigned n;
	const struct record_field *field;
	/* Makes every byte zero that is padding; NULL: this compiler cannot tell. */
	void (*clear_padding)(void *object);
};

#define RECORD_SIZE_(m) sizeof(((T *)0)->m)
#define RECORD_KIND_(m) \
	_Generic(((T *)0)->m,                                                                    \
		bool: RECORD_BOOL,                                                               \
		struct nodeset: RECORD_NODESET,                                                  \
		char *: RECORD_TEXT,                                                             \
		const char *: RECORD_TEXT_PTR,                                                   \
		int8_t: RECORD_INT,                                                              \
		int16_t: RECORD_INT,                                                             \
		int: RECORD_INT,                                                                 \
		int64_t: RECORD_INT,                                                             \
		uint8_t: RECORD_UINT,                                                            \
		uint16_t: RECORD_UINT,                                                           \
		unsigned: RECORD_UINT,                                                           \
		uint64_t: RECORD_UINT)
/* One member: a number, bool, enum, set of nodes or text. */
#define RECORD(m)                                                                   \
	{                                                                           \
#m, RECORD_KIND_(m), offsetof(T, m), RECORD_SIZE_(m), 0, 0, 0, NULL \
	}
/* An array of them, all looked at; or the first `n` only. */
#define RECORD_ARRAY(m)                                                     \
	{                                                                   \
#m, RECORD_KIND_(m[0]), offsetof(T, m), RECORD_SIZE_(m[0]), \
			RECORD_SIZE_(m) / RECORD_SIZE_(m[0]), 0, 0, NULL    \
	}
#define RECORD_ARRAY_N(m, n)                                                                   \
	{                                                                                      \
#m, RECORD_KIND_(m[0]), offsetof(T, m), RECORD_SIZE_(m[0]),                    \
			RECORD_SIZE_(m) / RECORD_SIZE_(m[0]), offsetof(T, n), RECORD_SIZE_(n), \
			NULL                                                                   \
	}
#define RECORD_STRUCT(m, t)                                                       \
	{                                                                         \
#m, RECORD_STRUCT, offsetof(T, m), RECORD_SIZE_(m), 0, 0, 0, &(t) \
	}
#define RECORD_STRUCT_ARRAY(m, t)                                        \
	{                                                                \
#m, RECORD_STRUCT, offsetof(T, m), RECORD_SIZE_(m[0]),   \
			RECORD_SIZE_(m) / RECORD_SIZE_(m[0]), 0, 0, &(t) \
	}
#define RECORD_STRUCT_ARRAY_N(m, n, t)                                                         \
	{                                                                                      \
#m, RECORD_STRUCT, offsetof(T, m), RECORD_SIZE_(m[0]),                         \
			RECORD_SIZE_(m) / RECORD_SIZE_(m[0]), offsetof(T, n), RECORD_SIZE_(n), \
			&(t)                                                                   \
	}
#define RECORD_BYTES(m)                                                          \
	{                                                                        \
#m, RECORD_BYTES, offsetof(T, m), RECORD_SIZE_(m), 0, 0, 0, NULL \
	}
#define RECORD_BYTES_N(m, n)                                                          \
	{                                                                             \
#m, RECORD_BYTES, offsetof(T, m), RECORD_SIZE_(m), 0, offsetof(T, n), \
			RECORD_SIZE_(n), NULL                                         \
	}
#define RECORD_DATA(m, n)                                                            \
	{                                                                            \
#m, RECORD_DATA, offsetof(T, m), RECORD_SIZE_(m), 0, offsetof(T, n), \
			RECORD_SIZE_(n), NULL                                        \
	}
#define RECORD_STRUCT_PTR(m, t)                                                       \
	{                                                                             \
#m, RECORD_STRUCT_PTR, offsetof(T, m), RECORD_SIZE_(m), 0, 0, 0, &(t) \
	}
#define RECORD_STRUCTS(m, t)                                                       \
	{                                                                          \
#m, RECORD_STRUCTS, offsetof(T, m), RECORD_SIZE_(m), 0, 0, 0, &(t) \
	}

#if defined(__has_builtin)
#if __has_builtin(__builtin_clear_padding)
#define RECORD_CAN_TELL_PADDING 1
#endif
#endif

/* RECORD_TYPE(): all members of T, for this file; RECORD_WORD(): for others too; RECORD_PART(): some members only. */
#ifdef RECORD_CAN_TELL_PADDING
#define RECORD_DEFINE_(storage, var, ...)                                                      \
	static const struct record_field var##_field_[] = { __VA_ARGS__ };                     \
	static void var##_padding_(void *object)                                               \
	{                                                                                      \
		__builtin_clear_padding((T *)object);                                          \
	}                                                                                      \
	storage const struct record_type var = { sizeof(T),                                    \
						 sizeof(var##_field_) / sizeof(*var##_field_), \
						 var##_field_, var##_padding_ }
#else
#define RECORD_DEFINE_(storage, var, ...)                                                      \
	static const struct record_field var##_field_[] = { __VA_ARGS__ };                     \
	storage const struct record_type var = { sizeof(T),                                    \
						 sizeof(var##_field_) / sizeof(*var##_field_), \
						 var##_field_, NULL }
#endif
#define RECORD_TYPE(var, ...) RECORD_DEFINE_(static, var, __VA_ARGS__)
#define RECORD_WORD(var, ...) RECORD_DEFINE_(, var, __VA_ARGS__)
#define RECORD_PART(var, ...)                                                                 \
	static const struct record_field var##_field_[] = { __VA_ARGS__ };                    \
	static const struct record_type var = { sizeof(T),                                    \
						sizeof(var##_field_) / sizeof(*var##_field_), \
						var##_field_, NULL }

/* Words of lib/ that several cores record. */
extern const struct record_type record_view_id, record_incarnation, record_proof, record_fence_node,
	record_fence_state, record_fence_signs;

/* ---- write ---- */
struct record_w {
	char *buf;     /* the caller's */
	size_t cap;    /* bytes in buf */
	size_t len;    /* characters written; not NUL-terminated */
	int err;       /* 0 or -ENOBUFS; sticky */
	unsigned many; /* elements of RECORD_STRUCTS */
	bool story;    /* for people: bytes are only counted */
};

void record_w_init(struct record_w *w, char *buf, size_t cap);
void record_w_words(struct record_w *w, const char *words); /* as they are */
void record_w_number(struct record_w *w, uint64_t v);
/* All fields of @object, each with a blank before it. */
void record_w_fields(struct record_w *w, const struct record_type *type, const void *object);

/* ---- read ---- */
struct record_r {
	const char *p, *end; /* the rest of the line; the caller's */
	const char *err;     /* NULL, or what is wrong at p, for people; sticky; static */
	void *mem; /* the caller's: what pointers of a decoded structure point to; aligned like malloc()'s */
	size_t mem_cap, mem_used;
	unsigned many; /* as in struct record_w */
};

void record_r_init(struct record_r *r, const char *line, size_t len, void *mem, size_t mem_cap);
/* Takes @words if the line goes on with them. */
bool record_r_words(struct record_r *r, const char *words);
uint64_t record_r_number(struct record_r *r);
/* Takes a word of letters, digits, _ and -: its length; 0: there is none. @ret points into the line. */
size_t record_r_name(struct record_r *r, const char **ret);
/* Fields as long as the table goes on; @object is made zero first. Errors show in r->err; @object is then undefined. */
void record_r_fields(struct record_r *r, const struct record_type *type, void *object);
/* 0, or -EBADMSG: an error, or the line goes on behind what was read (r->err says so then). */
int record_r_done(struct record_r *r);

/* ---- events and actions: a struct with `type`, what all types have, and a union ---- */
struct record_case {
	const char *name;
	uint32_t off;                   /* of its part in the whole */
	const struct record_type *part; /* NULL: it has none */
};

struct record_union {
	size_t size;
	uint32_t type_off;                /* of the enum: 1, 2, ... without a gap */
	const struct record_type *common; /* of the whole; NULL: nothing */
	const struct record_case *(*of)(
		int type); /* a switch without default; NULL: no such type */
};

/* The branches of such a switch; T is the whole. A part by its member and table, a part that is in the table of T, none. */
#define RECORD_CASE_(name_, off_, type_)                                    \
	{                                                                   \
		static const struct record_case c = { name_, off_, type_ }; \
		return &c;                                                  \
	}
#define RECORD_CASE(name_, member_, type_) RECORD_CASE_(name_, offsetof(T, member_), &(type_))
#define RECORD_CASE_WHOLE(name_, type_) RECORD_CASE_(name_, 0, &(type_))
#define RECORD_CASE_BARE(name_) RECORD_CASE_(name_, 0, NULL)

/*
 * The functions of CORE_record.h over a core's `record_config` and `events`. @whole_: of an event @ev that was read, whether it has
 * what it is about: a pointer that its core follows.
 */
#define RECORD_CORE(core, whole_)                                                      \
	void core##_record_config(struct record_w *w, const struct core##_config *cfg) \
	{                                                                              \
		record_w_fields(w, &record_config, cfg);                               \
	}                                                                              \
	int core##_record_read_config(struct record_r *r, struct core##_config *ret)   \
	{                                                                              \
		record_r_fields(r, &record_config, ret);                               \
		return record_r_done(r);                                               \
	}                                                                              \
	void core##_record_event(struct record_w *w, const struct core##_event *ev)    \
	{                                                                              \
		record_w_union(w, &events, ev);                                        \
	}                                                                              \
	int core##_record_read_event(struct record_r *r, struct core##_event *ev)      \
	{                                                                              \
		record_r_union(r, &events, ev);                                        \
		if (r->err == NULL && !(whole_))                                       \
			r->err = "an event without what it is about";                  \
		return record_r_done(r);                                               \
	}

/* Its name, then its fields. */
void record_w_union(struct record_w *w, const struct record_union *u, const void *whole);
void record_r_union(struct record_r *r, const struct record_union *u, void *whole);

#endif
