/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Three dlmd in one group (group.h). The samples: three nodes lock, one of them comes back in another life. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/fuzz/group.h"
#include "tests/fuzz/heard.h"
#include "tests/fuzz/target.h"
#include "tests/unit/dlm_bus.h"

#define ALL2 (nodeset_of(1).bits | nodeset_of(2).bits)
#define ALL3 (ALL2 | nodeset_of(3).bits)

/* Node 3 is not informed before the view is synced: what it answers and holds is compared from then on. */
struct cluster {
	struct bus bus;
	bool synced;
};

static void keep(const struct bus_msg *m)
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

static void play(void)
{
	struct bus *bus = calloc(1, sizeof(*bus));

	assert_non_null(bus);
	begin(bus, true, keep);
	end(bus);
	free(bus);
}

static void *group_begin(bool synced)
{
	struct cluster *c = calloc(1, sizeof(*c));

	assert_non_null(c);
	c->synced = synced;
	begin(&c->bus, synced, NULL);
	return c;
}

static void *group_end(void *group)
{
	struct cluster *c = group;

	end(&c->bus);
	free(c);
	return NULL;
}

static int deliver(void *group, uint32_t from, const void *data, size_t len)
{
	struct cluster *c = group;
	struct bus_node *node = c->bus.node;
	int r[GROUP_NODES + 1] = { 0 };

	for (uint32_t id = 1; id <= GROUP_NODES; id++) {
		struct dlm_event ev = { .type = DLM_EV_DELIVER };
		uint64_t before = dlm_digest(node[id].dlm);

		ev.deliver.from = from;
		ev.deliver.data = data;
		ev.deliver.len = len;
		r[id] = dlm_step(node[id].dlm, &ev, node[id].out);
		assert_null(dlm_broken(node[id].dlm));
		if (r[id] < 0) {
			assert_int_equal(node[id].out->n, 0);
			assert_true(dlm_digest(node[id].dlm) == before);
		}
	}
	for (uint32_t id = 2; id <= (c->synced ? 3u : 2u); id++) { /* DLM-3 */
		assert_int_equal(r[id], r[1]);
		assert_true(dlm_digest(node[id].dlm) == dlm_digest(node[1].dlm));
	}
	return r[1];
}

const struct group_kind group_dlm = {
	.begin = group_begin, .deliver = deliver, .end = group_end, .play = play
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	group_input(&group_dlm, data, len);
	return 0;
}
