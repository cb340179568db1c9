/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The lock domain under damaged messages: three nodes hear the same damage at the same point of the order.
 * Goal: none ends (an assert would take the whole cluster down at once), all give the same answer and hold
 * the same state afterwards (DLM-3), and what is refused changed nothing. Method: every message of a real
 * exchange, damaged from a seed, delivered before and after the view is synced.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "dlm_bus.h"
#include "tests/fuzz/heard.h"

#define ALL2 (nodeset_of(1).bits | nodeset_of(2).bits)
#define ALL3 (ALL2 | nodeset_of(3).bits)
#define ROUNDS 600
#define LIFE 100 /* damaged messages that one domain lives through */

struct patient {
	struct bus bus;
	bool synced; /* hear the damage after the view is synced */
	uint32_t from;
	unsigned age;
};

static void collect(const struct bus_msg *m)
{
	heard_keep(m->from, m->data, m->len);
}

static void drop(struct bus *bus)
{
	while (bus->head) {
		struct bus_msg *m = bus->head;

		bus->head = m->next;
		free(m->data);
		free(m);
	}
	bus->tail = &bus->head;
}

static void end(struct bus *bus)
{
	drop(bus);
	for (uint32_t id = 1; id <= 3; id++) {
		bus_stop(bus, id);
		free(bus->node[id].out);
	}
}

/* Three nodes with some locks, granted and waiting; then node 3 comes back in another life and is handed
 * the state. Not @synced: stop where the view of that has just begun.
 */
static void begin(struct bus *bus, bool synced, void (*hear)(const struct bus_msg *m))
{
	*bus = (struct bus){ .hear = hear };
	for (uint32_t id = 1; id <= 3; id++)
		bus_start(bus, id, 1);
	bus_view(bus, ALL3, ALL3, true);
	bus_run(bus);
	for (uint32_t id = 1; id <= 3; id++) {
		bus_submit(bus, id, bus_lock(1, "one", DLM_PR, 0));
		bus_submit(bus, id, bus_lock(2, "two", DLM_EX, 0));
		bus_run(bus);
	}
	bus_stop(bus, 3);
	bus_view(bus, ALL2, ALL2, true);
	bus_run(bus);
	bus_proof(bus, 3, 1);
	bus_run(bus);
	bus_start(bus, 3, 2);
	bus_view(bus, ALL3, ALL3, true);
	if (synced)
		bus_run(bus);
	drop(bus);
}

static int deliver(void *arg, const void *data, size_t len)
{
	struct patient *p = arg;
	int r[4] = { 0 };

	if (p->age++ >= LIFE) {
		end(&p->bus);
		begin(&p->bus, p->synced, NULL);
		p->age = 1;
	}
	for (uint32_t id = 1; id <= 3; id++) {
		struct bus_node *n = &p->bus.node[id];
		struct dlm_event ev = { .type = DLM_EV_DELIVER };
		uint64_t before = dlm_digest(n->dlm);

		ev.deliver.from = p->from;
		ev.deliver.data = data;
		ev.deliver.len = len;
		r[id] = dlm_step(n->dlm, &ev, n->out);
		assert_null(dlm_broken(n->dlm));
		if (r[id] < 0) {
			assert_int_equal(n->out->n, 0);
			assert_true(dlm_digest(n->dlm) == before);
		}
	}
	assert_int_equal(r[1], r[2]);
	assert_true(dlm_digest(p->bus.node[1].dlm) == dlm_digest(p->bus.node[2].dlm));
	if (p->synced) { /* node 3 is not informed before */
		assert_int_equal(r[1], r[3]);
		assert_true(dlm_digest(p->bus.node[1].dlm) == dlm_digest(p->bus.node[3].dlm));
	}
	return r[1];
}

static void damage_all(bool synced)
{
	struct patient *p = calloc(1, sizeof(*p));

	assert_non_null(p);
	p->synced = synced;
	begin(&p->bus, synced, NULL);
	heard_damage(deliver, p, &p->from, ROUNDS);
	end(&p->bus);
	free(p);
}

static void damage_in_a_synced_view_leaves_all_alike(void **state)
{
	(void)state;
	damage_all(true);
}

static void damage_while_a_view_is_synced_leaves_all_alike(void **state)
{
	(void)state;
	damage_all(false);
}

/* What status and why show: every resource is walked once, every life is seen with its locks. */
static void a_look_shows_all_resources_and_lives(void **state)
{
	struct bus *bus = calloc(1, sizeof(*bus));
	struct dlm_status st;
	struct dlm_life_view life;
	unsigned resources = 0, lives = 0, locks = 0;

	(void)state;
	assert_non_null(bus);
	begin(bus, true, NULL);
	dlm_status(bus->node[1].dlm, &st);
	for (const struct dlm_resource *r = NULL; (r = dlm_resource_next(bus->node[1].dlm, r));)
		resources++;
	assert_int_equal(resources, st.resources);
	assert_int_equal(resources, 2);
	for (unsigned i = 0; i < DLM_LIVES_MAX; i++) {
		if (!dlm_life_at(bus->node[1].dlm, i, &life))
			continue;
		assert_int_equal(life.state, DLM_LIFE_MEMBER);
		locks += life.locks;
		lives++;
	}
	assert_int_equal(lives, 3);
	assert_int_equal(locks, st.locks);
	end(bus);
	free(bus);
}

static int setup(void **state)
{
	struct bus *bus = calloc(1, sizeof(*bus));

	(void)state;
	if (!bus)
		return -1;
	begin(bus, true, collect);
	end(bus);
	free(bus);
	return heard_any() ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	heard_forget();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(damage_in_a_synced_view_leaves_all_alike),
		cmocka_unit_test(damage_while_a_view_is_synced_leaves_all_alike),
		cmocka_unit_test(a_look_shows_all_resources_and_lives),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
