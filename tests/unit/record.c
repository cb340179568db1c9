/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tests/unit/record.c - the records of all three cores (lib/record.h): no member of an event, action or configuration is
 * forgotten, what is written is read again as it was, and no damaged line harms the reader.
 */
#include "dlm/core/dlm_record.h"
#include "fenced/core/fence_record.h"
#include "storaged/core/place_record.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/target.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define LINE (1 << 20)
#define MEM (1 << 20)
#define MANY 3 /* elements of RECORD_STRUCTS */

static char line[LINE], again[LINE];
static _Alignas(16) uint8_t mem[MEM];

/* ---- no byte is forgotten ---- */
static void mark(uint8_t *covered, size_t off, size_t len)
{
	memset(covered + off, 0xff, len);
}

/* The members that a table names, and in them every byte that is no padding. */
static void cover(const struct record_type *type, uint8_t *covered, size_t base)
{
	for (unsigned i = 0; i < type->n; i++) {
		const struct record_field *f = &type->field[i];
		size_t n = f->count ? f->count : 1;

		for (size_t k = 0; k < n; k++)
			if (f->kind == RECORD_STRUCT)
				cover(f->type, covered, base + f->off + k * f->size);
			else
				mark(covered, base + f->off + k * f->size, f->size);
		if (f->count_size)
			mark(covered, base + f->count_off, f->count_size);
	}
}

/* gcc 12's __builtin_clear_padding() takes the padding behind an array of structures for the array's first bytes. There,
 * and where the compiler has none, a hole as wide as the widest member is what tells. */
static bool has_struct_array(const struct record_type *type)
{
	for (unsigned i = 0; i < type->n; i++) {
		const struct record_field *f = &type->field[i];

		if (f->kind == RECORD_STRUCT && (f->count || has_struct_array(f->type)))
			return true;
	}
	return false;
}

static void forgotten(const struct record_type *type, size_t at)
{
	fail_msg(
		"the table whose first member is %s, of a structure of %zu bytes, names no member at byte %zu",
		type->field[0].name, type->size, at);
}

static void assert_whole(const struct record_type *type)
{
	uint8_t *has = malloc(type->size), *covered = calloc(1, type->size);

	assert_true(has && covered);
	cover(type, covered, 0);
	if (type->clear_padding && !has_struct_array(type)) {
		memset(has, 0xff, type->size);
		type->clear_padding(has);
		for (size_t i = 0; i < type->size; i++)
			if (has[i] && !covered[i])
				forgotten(type, i);
	} else {
		for (size_t i = 0, gap = 0; i < type->size; i++) {
			gap = covered[i] ? 0 : gap + 1;
			if (gap == _Alignof(uint64_t))
				forgotten(type, i);
		}
	}
	free(has);
	free(covered);
}

static void no_member_is_forgotten(void **state)
{
	static const struct record_type *const words[] = {
		&record_view_id,     &record_incarnation, &record_proof, &record_fence_node,
		&record_fence_state, &record_fence_signs, NULL
	};
	const struct record_type *const *const lists[] = { words, fence_record_types,
							   dlm_record_types, place_record_types };
	unsigned n = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(lists) / sizeof(*lists); i++)
		for (const struct record_type *const *t = lists[i]; *t; t++, n++)
			assert_whole(*t);
	assert_true(n > 40);
}

/* ---- round trips ---- */
struct core { /* one kind of line */
	const char *name;
	const struct record_type *const *types;
	void (*write)(struct record_w *w, const void *object);
	int (*read)(struct record_r *r, void *object);
	size_t size;
};

#define CORE(fn, write_record, read_record)                            \
	static void write_##fn(struct record_w *w, const void *object) \
	{                                                              \
		write_record(w, object);                               \
	}                                                              \
	static int read_##fn(struct record_r *r, void *object)         \
	{                                                              \
		return read_record(r, object);                         \
	}
CORE(fence_config, fence_record_config, fence_record_read_config)
CORE(fence_event, fence_record_event, fence_record_read_event)
CORE(dlm_config, dlm_record_config, dlm_record_read_config)
CORE(dlm_event, dlm_record_event, dlm_record_read_event)
CORE(place_config, place_record_config, place_record_read_config)
CORE(place_event, place_record_event, place_record_read_event)

static const struct core cores[] = {
	{ "fence config", fence_record_types, write_fence_config, read_fence_config,
	  sizeof(struct fence_config) },
	{ "fence event", fence_record_types, write_fence_event, read_fence_event,
	  sizeof(struct fence_event) },
	{ "dlm config", dlm_record_types, write_dlm_config, read_dlm_config,
	  sizeof(struct dlm_config) },
	{ "dlm event", dlm_record_types, write_dlm_event, read_dlm_event,
	  sizeof(struct dlm_event) },
	{ "place config", place_record_types, write_place_config, read_place_config,
	  sizeof(struct place_config) },
	{ "place event", place_record_types, write_place_event, read_place_event,
	  sizeof(struct place_event) },
};

static size_t write_line(const struct core *c, const void *object, char *to)
{
	struct record_w w;

	record_w_init(&w, to, LINE);
	w.many = MANY;
	c->write(&w, object);
	assert_int_equal(w.err, 0);
	return w.len;
}

static int read_line(const struct core *c, const char *text, size_t len, void *object,
		     const char **err)
{
	struct record_r r;

	record_r_init(&r, text, len, mem, MEM);
	r.many = MANY;
	int rc = c->read(&r, object);

	*err = r.err;
	assert_true((rc == 0) == (r.err == NULL));
	return rc;
}

/* Random contents by the table: what a pointer points to comes from @pool. */
struct pool {
	uint64_t seed;
	uint8_t *at, *end;
};

static void *pool_take(struct pool *p, size_t len)
{
	uint8_t *got = p->at;

	p->at += (len + 15) / 16 * 16;
	assert_true(p->at <= p->end);
	memset(got, 0, len);
	return got;
}

static void fill(const struct record_type *type, void *object, struct pool *p);

static void fill_text(char *to, size_t cap, struct pool *p)
{
	size_t len = fuzz_draw(&p->seed) % cap;

	for (size_t i = 0; i < len; i++)
		to[i] = (char)(1 + fuzz_draw(&p->seed) % 255);
}

static void fill_bytes(uint8_t *to, size_t len, struct pool *p)
{
	for (size_t i = 0; i < len; i++)
		to[i] = (uint8_t)fuzz_draw(&p->seed);
}

static void set_count(const struct record_field *f, void *object, uint64_t n)
{
	memcpy((char *)object + f->count_off, &n, f->count_size);
}

static void fill_value(const struct record_field *f, void *object, char *at, struct pool *p)
{
	uint64_t v = fuzz_draw(&p->seed);
	void *ptr;

	switch (f->kind) {
	case RECORD_BOOL: *(bool *)at = v & 1; break;
	case RECORD_UINT:
	case RECORD_INT:
		v >>= v % 64;
		memcpy(at, &v, f->size);
		break;
	case RECORD_NODESET: memcpy(at, &v, sizeof(v)); break;
	case RECORD_TEXT: fill_text(at, f->size, p); break;
	case RECORD_BYTES: {
		size_t len = f->size;

		if (f->count_size) {
			len = v % (f->size + 1);
			set_count(f, object, len);
		}
		fill_bytes((uint8_t *)at, len, p);
		break;
	}
	case RECORD_TEXT_PTR:
		ptr = v % 4 ? pool_take(p, 300) : NULL;
		if (ptr)
			fill_text(ptr, 300, p);
		memcpy(at, &ptr, sizeof(ptr));
		break;
	case RECORD_DATA:
		ptr = pool_take(p, 500);
		fill_bytes(ptr, v % 500, p);
		memcpy(at, &ptr, sizeof(ptr));
		set_count(f, object, v % 500);
		break;
	case RECORD_STRUCT: fill(f->type, at, p); break;
	case RECORD_STRUCT_PTR:
		ptr = pool_take(p, f->type->size);
		fill(f->type, ptr, p);
		memcpy(at, &ptr, sizeof(ptr));
		break;
	case RECORD_STRUCTS:
		ptr = pool_take(p, MANY * f->type->size);
		for (unsigned i = 0; i < MANY; i++)
			fill(f->type, (char *)ptr + i * f->type->size, p);
		memcpy(at, &ptr, sizeof(ptr));
		break;
	}
}

/* Half of the members, so that every combination of absent ones comes. */
static void fill(const struct record_type *type, void *object, struct pool *p)
{
	for (unsigned i = 0; i < type->n; i++) {
		const struct record_field *f = &type->field[i];
		size_t n = f->count ? f->count : 1;

		if (f->kind != RECORD_STRUCT_PTR && f->kind != RECORD_STRUCTS &&
		    fuzz_draw(&p->seed) % 2)
			continue;
		if (f->count && f->count_size) {
			n = fuzz_draw(&p->seed) % (f->count + 1u);
			set_count(f, object, n);
		}
		for (size_t k = 0; k < n; k++)
			if (f->count == 0 || fuzz_draw(&p->seed) % 3 == 0)
				fill_value(f, object, (char *)object + f->off + k * f->size, p);
	}
}

/* An object of each kind is made by reading a line: of events, their names alone are one; then members are filled by the
 * very table that the union chose, which shows by what can be written. */
static void what_is_written_is_read_as_it_was(void **state)
{
	static uint8_t pool[1 << 20];
	static const char *const bare[] = { "view",
					    "deliver from=1 data=00ff",
					    "run_done",
					    "ready_done",
					    "signs",
					    "request",
					    "ack",
					    "leave",
					    "ready",
					    "timeout",
					    "gateway gateway=1",
					    "lost",
					    "start",
					    "fence",
					    "driver",
					    "monitor",
					    "lock",
					    "command",
					    "look v=[{} {} {}]",
					    "submit submit={}",
					    "fence fence={}" };
	unsigned events = 0;

	(void)state;
	for (size_t c = 0; c < sizeof(cores) / sizeof(*cores); c++) {
		void *object = calloc(1, cores[c].size), *other = calloc(1, cores[c].size);
		const char *err;

		assert_true(object && other);
		for (size_t b = 0;
		     strstr(cores[c].name, "event") && b < sizeof(bare) / sizeof(*bare); b++)
			if (read_line(&cores[c], bare[b], strlen(bare[b]), object, &err) == 0) {
				size_t len = write_line(&cores[c], object, line);

				assert_int_equal(len, strlen(bare[b]));
				assert_memory_equal(line, bare[b], len);
				events++;
			}
		/* each table of this core as a whole line of its own */
		for (const struct record_type *const *t = cores[c].types; *t; t++)
			for (unsigned round = 0; round < 40; round++) {
				struct pool p = { .seed = round * 100 + c,
						  .at = pool,
						  .end = pool + sizeof(pool) };
				void *x = calloc(1, (*t)->size), *y = calloc(1, (*t)->size);
				struct record_w w;
				struct record_r r;

				fill(*t, x, &p);
				record_w_init(&w, line, LINE);
				w.many = MANY;
				record_w_fields(&w, *t, x);
				assert_int_equal(w.err, 0);
				record_r_init(&r, line, w.len, mem, MEM);
				r.many = MANY;
				record_r_fields(&r, *t, y);
				if (record_r_done(&r) < 0)
					fail_msg("%s at %.40s in %.*s", r.err, r.p, (int)w.len,
						 line);
				size_t len = w.len;

				record_w_init(&w, again, LINE);
				w.many = MANY;
				record_w_fields(&w, *t, y);
				assert_int_equal(w.len, len);
				assert_memory_equal(again, line, len);
				free(x);
				free(y);
			}
		free(object);
		free(other);
	}
	assert_true(
		events >=
		11 + 5 + 12 -
			2); /* every event of every core, but for look and fence of another form */
}

static void numbers_words_and_sets_read_as_they_look(void **state)
{
	static const char text[] =
		"view now_ms=52311 wall_s=-7 id={seq=8 rep=1} quorate=1 nodes=1,2,63 members=1 joined=2";
	struct fence_event ev;
	struct record_r r;

	(void)state;
	record_r_init(&r, text, strlen(text), mem, MEM);
	assert_int_equal(fence_record_read_event(&r, &ev), 0);
	assert_int_equal(ev.type, FENCE_EV_VIEW);
	assert_int_equal(ev.now_ms, 52311);
	assert_int_equal(ev.wall_s, -7);
	assert_int_equal(ev.view.id.seq, 8);
	assert_true(ev.view.quorate && !ev.view.two_node);
	assert_true(nodeset_has(ev.view.nodes, 63) && nodeset_count(ev.view.nodes) == 3);
	record_r_init(&r, "12 ab-c_1", 9, mem, MEM);
	const char *name;

	assert_int_equal(record_r_number(&r), 12);
	assert_false(record_r_words(&r, "  "));
	assert_true(record_r_words(&r, " "));
	assert_int_equal(record_r_name(&r, &name), 6);
	assert_int_equal(record_r_done(&r), 0);
	struct record_w w;

	record_w_init(&w, line, 10);
	record_w_words(&w, "abc ");
	record_w_number(&w, UINT64_C(123456));
	assert_int_equal(w.err, 0);
	record_w_number(&w, 0);
	assert_int_equal(w.err, -ENOBUFS);
}

static void a_line_that_is_not_exact_is_refused(void **state)
{
	static const char *const lines[] = { "",
					     "vie",
					     "views",
					     "view ",
					     "view now_ms=",
					     "view now_ms=07",
					     "view now_ms=18446744073709551616",
					     "view wall_s=1 now_ms=1",
					     "view  now_ms=1",
					     "view now_ms=1 now_ms=1",
					     "view nobody=1",
					     "view quorate=0",
					     "view quorate=2",
					     "view nodes=2,1",
					     "view nodes=64",
					     "view nodes=1,",
					     "view id={seq=1",
					     "view id={rep=1 seq=1}",
					     "view id={rep=4294967296}",
					     "deliver data=abc",
					     "deliver data=AB",
					     "signs signs={peer=[1:1]}",
					     "signs peer=[2:1 1:1]",
					     "signs peer=[64:1]",
					     "signs peer=[1:1",
					     "request text=\"abc",
					     "request text=\"\\x00\"",
					     "request text=\"\\n\"",
					     "request text=abc" };
	struct fence_event ev;
	struct record_r r;

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(*lines); i++) {
		record_r_init(&r, lines[i], strlen(lines[i]), mem, MEM);
		if (fence_record_read_event(&r, &ev) != -EBADMSG || !r.err)
			fail_msg("taken: %s", lines[i]);
	}
	record_r_init(&r, "submit", 6, mem, MEM); /* without what is submitted */
	struct dlm_event lock;

	assert_int_equal(dlm_record_read_event(&r, &lock), -EBADMSG);
	static const char big[] = "deliver data=0001020304050607080910111213141516";

	record_r_init(&r, big, strlen(big), mem, 8);
	assert_int_equal(fence_record_read_event(&r, &ev), -EBADMSG);
}

struct fruit {
	enum { APPLE = 1, PEAR } type;
	int weight;
	union {
		uint32_t seeds;
		struct {
			bool ripe;
			int8_t colour;
		} pear;
	};
};
#define T typeof(((struct fruit *)0)->pear)
RECORD_TYPE(record_pear, RECORD(ripe), RECORD(colour));
#undef T
#define T struct fruit
RECORD_PART(record_common, RECORD(weight));
RECORD_PART(record_apple, RECORD(seeds));
static const struct record_case *fruit_case(int type)
{
	switch (type) {
	case APPLE: RECORD_CASE_WHOLE("apple", record_apple)
	case PEAR: RECORD_CASE("pear", pear, record_pear)
	}
	return NULL;
}
static const struct record_union fruits = { sizeof(T), offsetof(T, type), &record_common,
					    fruit_case };
#undef T

static void a_union_is_its_name_what_all_have_and_its_part(void **state)
{
	static const char *const texts[] = { "apple weight=-2147483648 seeds=5",
					     "pear ripe=1 colour=-128", "pear", "apple weight=1" };
	struct fruit fruit;
	struct record_w w;
	struct record_r r;

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		record_r_init(&r, texts[i], strlen(texts[i]), mem, MEM);
		record_r_union(&r, &fruits, &fruit);
		assert_int_equal(record_r_done(&r), 0);
		record_w_init(&w, line, LINE);
		record_w_union(&w, &fruits, &fruit);
		assert_int_equal(w.len, strlen(texts[i]));
		assert_memory_equal(line, texts[i], w.len);
	}
	record_r_init(&r, "pear colour=-129", 16, mem, MEM);
	record_r_union(&r, &fruits, &fruit);
	assert_int_equal(record_r_done(&r), -EBADMSG);
}

/* Actions have no reader: they are compared as text. */
static void actions_carry_their_bytes(void **state)
{
	static struct fence_actions f = { .n = 2,
					  .v = { { .type = FENCE_ACT_SEND },
						 { .type = FENCE_ACT_CANCEL_RUN, .cancel = 9 } },
					  .msg_len = 2,
					  .msg = { 0xab, 1 } };
	static struct dlm_actions d;
	static struct place_actions p;
	struct record_w w;

	(void)state;
	record_w_init(&w, line, LINE);
	fence_record_action(&w, &f, 0);
	record_w_words(&w, "|");
	fence_record_action(&w, &f, 1);
	d.n = 1;
	d.v[0].type = DLM_ACT_SEND;
	d.v[0].send.off = 1;
	d.v[0].send.len = 2;
	memcpy(d.bytes, "\x01\x02\x03", 3);
	record_w_words(&w, "|");
	dlm_record_action(&w, &d, 0);
	p.n = 1;
	p.v[0] = (struct place_action){ .type = PLACE_ACT_NOTE,
					.note = { PLACE_NOTE_MOVE, -1, 2, 0, "a \"b\"" } };
	record_w_words(&w, "|");
	place_record_action(&w, &p, 0);
	static const char want[] = "send bytes=ab01|cancel_run cancel=9|send bytes=0203|"
				   "note note=4 service=-1 node=2 text=\"a \\x22b\\x22\"";

	assert_int_equal(w.len, strlen(want));
	assert_memory_equal(line, want, w.len);
	record_w_init(&w, line, LINE);
	w.story = true;
	fence_record_action(&w, &f, 0);
	assert_memory_equal(line, "send bytes=(2 bytes)", w.len);
}

static int decode(void *arg, const void *buf, size_t len)
{
	static uint8_t object[sizeof(struct place_config) + sizeof(struct fence_config)];
	const char *err;

	return read_line(arg, buf, len, object, &err);
}

static void no_damaged_line_harms_the_reader(void **state)
{
	static const char *const samples[] = {
		" self={nodeid=1 boot_id=00112233445566778899aabbccddeeff join=5} nodes=1,2 hash=77 path=[1:{n_levels=1 n_devices=[0:1]}]",
		"deliver now_ms=5 from=2 data=0001020304ff",
		" self={nodeid=1 join=5} configured=1,2,3",
		"submit now_ms=9 submit={type=1 client=3 mode=5 space_len=1 name_len=2 space=61 name=6263}",
		" frame={n_nodes=1 nodeid=[0:1] node_name=[0:\"n1\"] n_services=1 service=[0:{name=\"a\" n=1}]} self=1",
		"look now_ms=1 v=[{active=3} {active=1 text=\"x\"} {}]",
	};
	unsigned taken = 0, refused = 0;

	(void)state;
	for (size_t c = 0; c < sizeof(cores) / sizeof(*cores); c++) {
		struct fuzz_tally t = fuzz_run(&(struct fuzz){ .sample = samples[c],
							       .len = strlen(samples[c]),
							       .decode = decode,
							       .arg = (void *)&cores[c],
							       .rounds = 5000 });

		taken += t.taken;
		refused += t.refused;
	}
	assert_true(taken > 0 && refused > taken);
}

static void corpus_is_read_soundly(void **state)
{
	(void)state;
	assert_true(fuzz_corpus("text") >= 20);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(corpus_is_read_soundly),
		cmocka_unit_test(no_member_is_forgotten),
		cmocka_unit_test(what_is_written_is_read_as_it_was),
		cmocka_unit_test(numbers_words_and_sets_read_as_they_look),
		cmocka_unit_test(a_line_that_is_not_exact_is_refused),
		cmocka_unit_test(a_union_is_its_name_what_all_have_and_its_part),
		cmocka_unit_test(actions_carry_their_bytes),
		cmocka_unit_test(no_damaged_line_harms_the_reader),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
