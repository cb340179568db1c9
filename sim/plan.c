/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "plan.h"

#include "prng.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static const struct {
	const char *word;
	bool fault;
} kinds[ACT_KINDS] = { [ACT_NONE] = { "none", false },
#define X(id, word, fault, text) [ACT_##id] = { #word, fault },
		       PLAN_ACTS(X)
#undef X
};

static const char *const level_words[LEVELS] = {
#define X(id, word, devices) [LEVEL_##id] = #word,
	PLAN_LEVELS(X)
#undef X
};

static const char *const part_words[PARTS] = { "fence", "dlm", "storage" };

const char *plan_act_name(unsigned kind)
{
	return kind < ACT_KINDS ? kinds[kind].word : "?";
}

bool plan_act_is_fault(unsigned kind)
{
	return kind < ACT_KINDS && kinds[kind].fault;
}

bool plan_has_level(const struct plan *plan, enum plan_level level)
{
	for (unsigned i = 0; i < plan->n_path; i++)
		if (plan->path[i] == level)
			return true;
	return false;
}

const char *plan_part_name(unsigned part)
{
	return part < PARTS ? part_words[part] : "?";
}

int plan_parts_parse(const char *text)
{
	int bits = 0;

	while (*text) {
		size_t len = strcspn(text, ",");
		unsigned i = 0;

		while (i < PARTS &&
		       (strlen(part_words[i]) != len || strncmp(text, part_words[i], len) != 0))
			i++;
		if (i == PARTS)
			return -EINVAL;
		bits |= 1 << i;
		text += len + (text[len] == ',');
	}
	return bits ? bits : -EINVAL;
}

/* --- drawing --- */

/* How often each act is drawn, and how long it lasts. `parts`: where it means something. */
static const struct weight {
	uint8_t kind, weight, parts;
	uint32_t lo_ms, hi_ms;
	enum { ALWAYS, IF_KEY, IF_DOG, IF_GATEWAY, IF_LOOP } only;
} weights[] = {
#define F (1 << PART_FENCE)
#define D (1 << PART_DLM)
#define S (1 << PART_STORAGE)
	{ ACT_PANIC, 6, F | D | S, 0, 0, ALWAYS },
	{ ACT_POWER, 6, F | D | S, 2000, 40000, ALWAYS },
	{ ACT_RESET, 4, F | D | S, 0, 0, ALWAYS },
	{ ACT_FREEZE, 14, F | D | S, 100, 20000, ALWAYS },
	{ ACT_KILL, 14, F | D | S, 5, 3000, ALWAYS },
	{ ACT_KILL, 3, F | D | S, 5000, 40000, ALWAYS },
	{ ACT_HANG, 6, F | D | S, 200, 45000, ALWAYS },
	{ ACT_COROSYNC, 2, F | D | S, 20, 12000, ALWAYS },
	{ ACT_CUT, 14, F | D | S, 200, 20000, ALWAYS },
	{ ACT_ONEWAY, 3, F | D | S, 2000, 15000, ALWAYS },
	{ ACT_STORM, 4, F | D | S, 0, 0, ALWAYS },
	{ ACT_SLOW, 4, F | D | S, 500, 10000, ALWAYS },
	{ ACT_DEVICE, 12, F, 2000, 40000, ALWAYS },
	{ ACT_TARGET, 2, S, 500, 8000, ALWAYS },
	{ ACT_TARGET, 6, F, 500, 8000, IF_KEY },
	{ ACT_GATEWAY, 8, F, 1000, 30000, IF_GATEWAY },
	{ ACT_UNARMED, 4, F, 2000, 60000, IF_DOG },
	{ ACT_UNREADY, 3, S, 2000, 30000, ALWAYS },
	{ ACT_DISK, 4, S, 500, 15000, ALWAYS },
	{ ACT_MONITOR, 7, S, 0, 0, ALWAYS },
	{ ACT_HAND, 5, S, 1000, 20000, ALWAYS },
	{ ACT_LEAVE, 5, F | D | S, 2000, 20000, ALWAYS },
	{ ACT_ENABLE, 6, S, 0, 0, ALWAYS },
	{ ACT_DISABLE, 4, S, 0, 0, ALWAYS },
	{ ACT_RELOCATE, 9, S, 0, 0, ALWAYS },
	{ ACT_RESTART, 3, S, 0, 0, ALWAYS },
	{ ACT_STANDBY, 4, S, 0, 0, ALWAYS },
	{ ACT_UNSTANDBY, 6, S, 0, 0, ALWAYS },
	{ ACT_CLEAR, 2, S, 0, 0, ALWAYS },
	{ ACT_ACK, 3, F, 0, 0, ALWAYS },
	{ ACT_ACK_WRONG, 2, F, 0, 0, ALWAYS },
	{ ACT_ACK_TRY, 2, F, 0, 0, ALWAYS },
	{ ACT_REQUEST, 3, F, 0, 0, ALWAYS },
	{ ACT_DRILL, 3, F, 0, 0, ALWAYS },
	{ ACT_REQUEST, 8, F, 0, 0, IF_LOOP },
	{ ACT_ADMIT, 3, F, 0, 0, IF_LOOP },
	{ ACT_CONFIG, 2, F | S, 0, 0, ALWAYS },
	{ ACT_ROLL, 1, F | D | S, 3000, 8000, ALWAYS },
	{ ACT_SIGNS, 14, F, 0, 0, ALWAYS },
#undef F
#undef D
#undef S
};

static unsigned weight_in(const struct plan *plan, const struct weight *w)
{
	const bool here[] = { [ALWAYS] = true,
			      [IF_KEY] = plan_has_level(plan, LEVEL_KEY),
			      [IF_DOG] = plan_has_level(plan, LEVEL_DOG),
			      [IF_GATEWAY] = plan->gateway,
			      [IF_LOOP] = plan->loop_max != 0 };

	return w->parts & plan->parts && here[w->only] ? w->weight : 0;
}

static void draw_act(struct prng *p, const struct plan *plan, uint32_t at_ms, struct act *a)
{
	unsigned n = sizeof(weights) / sizeof(weights[0]), sum = 0, at;
	const struct weight *w = weights;

	for (unsigned i = 0; i < n; i++)
		sum += weight_in(plan, &weights[i]);
	for (at = prng_range(p, 0, sum - 1);; w++) {
		unsigned here = weight_in(plan, w);

		if (at < here)
			break;
		at -= here;
	}
	*a = (struct act){ .at_ms = at_ms, .kind = w->kind };
	a->node = (uint8_t)prng_range(p, 1, plan->nodes);
	/* Short ones are as telling as long ones: the exponent is drawn, not the length. */
	if (w->hi_ms) {
		uint32_t span = w->hi_ms / (w->lo_ms ? w->lo_ms : 1), steps = 0;

		while (span >>= 1)
			steps++;
		a->for_ms = w->lo_ms << prng_range(p, 0, steps);
		a->for_ms += prng_range(p, 0, a->for_ms);
		if (a->for_ms > w->hi_ms)
			a->for_ms = w->hi_ms;
	}
	uint16_t other = (uint16_t)prng_range(p, 1, plan->nodes);
	uint16_t service = plan->n_services ? (uint16_t)prng_range(p, 0, plan->n_services - 1) : 0;

	switch ((enum act_kind)a->kind) {
	case ACT_HANG: a->arg2 = prng_permille(p, 250); __attribute__((fallthrough));
	case ACT_KILL:
		do
			a->arg = (uint16_t)prng_range(p, 0, PARTS - 1);
		while (!(plan->parts & 1u << a->arg));
		break;
	case ACT_CUT:
		a->arg = (uint16_t)prng_range(p, 1, 2);
		a->arg2 = plan->gateway && prng_permille(p, 300);
		break;
	case ACT_TARGET: a->node = 0; break;
	case ACT_SLOW: a->arg = (uint16_t)prng_range(p, 5, plan->token_ms / 2); break;
	case ACT_DEVICE:
		a->arg = (uint16_t)prng_range(p, DEVICE_FAIL, DEVICE_GONE);
		if (plan->seed % 8 == 6 && a->arg <= DEVICE_TIMEOUT)
			a->arg = DEVICE_STRANGER;
		a->arg2 = prng_permille(p, 600) ? 0 : (uint16_t)prng_range(p, 0, 3);
		if (prng_permille(p, 150))
			a->node =
				0; /* the one that serves all: a hypervisor, a power strip's controller */
		break;
	case ACT_MONITOR:
		a->arg = (uint16_t)prng_range(p, 0, 2);
		a->arg2 = service;
		break;
	case ACT_RELOCATE:
		a->arg = service;
		a->arg2 = prng_permille(p, 600) ? other : 0;
		break;
	case ACT_HAND:
	case ACT_ENABLE:
	case ACT_DISABLE:
	case ACT_RESTART:
	case ACT_CLEAR: a->arg = service; break;
	case ACT_STANDBY:
	case ACT_UNSTANDBY:
	case ACT_ACK_WRONG:
	case ACT_ACK_TRY:
	case ACT_DRILL:
	case ACT_REQUEST: a->arg = other; break;
	case ACT_ROLL: a->arg = (uint16_t)prng_range(p, 0, 2); break;
	case ACT_CONFIG: a->arg = (uint16_t)prng_range(p, 0, 2); break;
	case ACT_SIGNS:
		a->arg = (uint16_t)prng_range(p, 0, 2);
		a->arg2 = (uint16_t)prng_range(p, 0, 999);
		break;
	case ACT_NONE:
	case ACT_PANIC:
	case ACT_POWER:
	case ACT_RESET:
	case ACT_FREEZE:
	case ACT_COROSYNC:
	case ACT_ONEWAY:
	case ACT_STORM:
	case ACT_DISK:
	case ACT_GATEWAY:
	case ACT_UNARMED:
	case ACT_UNREADY:
	case ACT_LEAVE:
	case ACT_ADMIT:
	case ACT_ACK:
	case ACT_KINDS: break;
	}
}

/* As lib/timing derives them from `detect:`, with a quick fence agent; or, for one world in four, tighter than any. */
static void draw_times(struct prng *p, struct plan *plan)
{
	static const uint32_t detects[] = { 1000, 2500, 3000, 3000, 5000 };
	uint32_t d = detects[prng_range(p, 0, 4)];

	plan->detect_ms = d;
	plan->token_ms = (d - 210) * 10 / 22;
	plan->attempt_ms = prng_permille(p, 500) ? 5000 : 10000;
	plan->cut_delay_ms = plan->attempt_ms + 2 * d;
	plan->post_join_ms = 30000;
	plan->absent_ms = 2 * d > 10000 ? 2 * d : 10000;
	plan->retry_min_ms = 1000;
	plan->retry_max_ms = 10000;
	plan->ready_age_ms = 90000;
	plan->ready_interval_ms = (plan->ready_age_ms - plan->attempt_ms) / 3;
	plan->confirm_ms = 6 * plan->token_ms;
	plan->stall_ms = plan->token_ms;
	plan->stale_ms = d / 2;
	plan->stop_ms = 2 * (d / 2) + d + 10000;
	plan->cool_ms = 60000;
	plan->watchdog_ms = 4 * d > 8000 ? 4 * d : 8000;
	plan->monitor_ms = 10000;
	plan->loop_ms = 600000;
	if (prng_permille(p, 250)) {
		plan->token_ms = 1000;
		plan->detect_ms = 2410;
		plan->cut_delay_ms = 15000;
		plan->post_join_ms = 20000;
		plan->absent_ms = 8000;
		plan->retry_max_ms = 8000;
		plan->confirm_ms = 6000;
		plan->stall_ms = 900;
		plan->stale_ms = 1200;
		plan->stop_ms = 6000;
		plan->cool_ms = 30000;
		plan->watchdog_ms = 4000;
		plan->monitor_ms = 5000;
		plan->loop_ms = prng_permille(p, 500) ? 60000 : 600000;
	}
	plan->grace_ms = plan->watchdog_ms / 2 + plan->attempt_ms;
	plan->margin_ms = 4 * plan->token_ms + plan->watchdog_ms / 16 + 1000;
}

static void draw_rates(struct prng *p, struct plan *plan)
{
	if (prng_permille(p, 700)) {
		plan->agent_fail = prng_range(p, 0, 400);
		plan->agent_timeout = prng_range(p, 0, 200);
		plan->agent_lie = prng_range(p, 0, 300);
		plan->agent_late = prng_range(p, 0, 300);
		plan->agent_unknown = prng_range(p, 0, 300);
	}
	if (prng_permille(p, 700)) {
		plan->drive_fail = prng_range(p, 0, 60);
		plan->drive_unknown = prng_range(p, 0, 40);
		plan->drive_hang = prng_range(p, 0, 40);
		plan->probe_unknown = prng_range(p, 0, 20);
	}
	plan->late_quorum = prng_permille(p, 500) ? 100 : 0;
	/* not drawn: what was there before stays the same world */
	plan->client_cancel = plan->seed % 4 == 2 ? 300 : 0;
}

/* A watchdog is the last level (lib/shell/config_fence); a key may be the only one, or come first. */
static void draw_path(struct prng *p, struct plan *plan)
{
	bool storage = plan->parts & 1 << PART_STORAGE, fence = plan->parts & 1 << PART_FENCE;
	uint8_t power[] = { LEVEL_BMC, LEVEL_OUTLETS };
	unsigned n = prng_range(p, 1, 2), kind = prng_range(p, 0, 9);

	for (unsigned i = 0; i < n; i++)
		plan->path[i] = power[i];
	plan->n_path = n;
	if (!fence)
		return;
	if (kind == 0) { /* nothing else */
		plan->path[0] = LEVEL_KEY;
		plan->n_path = 1;
	} else if (kind == 1) {
		plan->path[n] = plan->path[0];
		plan->path[0] = LEVEL_KEY;
		plan->n_path++;
	} else if (kind <= 2) {
		plan->path[plan->n_path++] = LEVEL_KEY;
	}
	if (prng_permille(p, 150))
		plan->path[plan->n_path++] = LEVEL_DOG;
	else if (prng_permille(p, 60)) {
		plan->path[0] = LEVEL_DOG;
		plan->n_path = 1;
	}
	plan->forgets = storage && plan_has_level(plan, LEVEL_KEY) && prng_permille(p, 300);
	plan->gateway = plan->nodes == 2 ? prng_permille(p, 600) : prng_permille(p, 100);
	if (prng_permille(p, 300))
		plan->loop_max = prng_range(p, 2, 4);
}

void plan_draw(struct plan *plan, uint64_t seed, unsigned nodes, unsigned parts)
{
	struct prng p = { seed * UINT64_C(0x9e3779b97f4a7c15) + parts };
	uint32_t at, gap;

	memset(plan, 0, sizeof(*plan));
	plan->seed = seed;
	plan->parts = parts;
	unsigned drawn = prng_range(&p, 2, 5);

	if (drawn == 5 && prng_permille(&p, 100))
		drawn = prng_range(&p, 5, NODES_MAX);
	plan->nodes = nodes ? nodes : drawn;
	draw_path(&p, plan);
	plan->locks = prng_permille(&p, 500);
	plan->looks = prng_permille(&p, 500);
	plan->records = prng_permille(&p, 600);
	plan->attest = prng_permille(&p, 300);
	plan->slow_reboot = seed % 8 == 3;
	if (prng_permille(&p, 250)) /* in the middle of an upgrade, or of a way back */
		plan->newer = (unsigned)prng_u64(&p) & ((2u << plan->nodes) - 2);
	draw_times(&p, plan);
	draw_rates(&p, plan);
	if (parts & 1 << PART_DLM)
		plan->clients = parts == 1 << PART_DLM ? 2 : prng_range(&p, 0, 2);
	if (parts & 1 << PART_STORAGE)
		plan->n_services = prng_range(&p, 1, 3);
	for (unsigned s = 0; s < plan->n_services; s++) {
		struct plan_service *c = &plan->service[s];

		if (prng_permille(&p, 400))
			continue;
		c->ordered = prng_permille(&p, 700);
		c->failback = prng_permille(&p, 500);
		c->restricted = prng_permille(&p, 300);
		c->n_order = prng_range(&p, c->restricted ? 2 : 1, plan->nodes);
		for (unsigned i = 0; i < c->n_order; i++)
			c->order[i] = (uint8_t)((i + s) % plan->nodes + 1);
	}
	plan->end_ms = prng_permille(&p, 200) ? 120000 : prng_range(&p, 20000, 60000);
	gap = prng_range(&p, 300, 6000);
	for (at = 6000 + prng_range(&p, 0, gap); at < plan->end_ms && plan->n < PLAN_ACTS_MAX;
	     at += prng_range(&p, 1, gap))
		draw_act(&p, plan, at, &plan->act[plan->n++]);
	if (seed % 10 == 4)
		plan_story(plan);
}

/* --- as text --- */

void plan_print(const struct plan *plan, FILE *to)
{
	fprintf(to, "stockade plan 1\nseed %" PRIu64 "\nnodes %u\nparts ", plan->seed, plan->nodes);
	for (unsigned i = 0, n = 0; i < PARTS; i++)
		if (plan->parts & 1u << i)
			fprintf(to, "%s%s", n++ ? "," : "", part_words[i]);
	for (unsigned i = 0; i < plan->n_path; i++)
		fprintf(to, "%s%s", i ? "," : "\npath ", level_words[plan->path[i]]);
	fprintf(to,
		"\nclients %u\nlocks %d\nlooks %d\nrecords %d\nattest %d\nforgets %d\nslow_reboot %d\n",
		plan->clients, plan->locks, plan->looks, plan->records, plan->attest, plan->forgets,
		plan->slow_reboot);
	fprintf(to, "newer %u\n", plan->newer);
	fprintf(to, "gateway %d\nloop_max %u\nend %u\ntimes", plan->gateway, plan->loop_max,
		plan->end_ms);
#define X(name) fprintf(to, " " #name "=%u", plan->name##_ms);
	PLAN_TIMES(X)
#undef X
	fprintf(to, "\nrates");
#define X(name) fprintf(to, " " #name "=%u", plan->name);
	PLAN_RATES(X)
#undef X
	fputc('\n', to);
	for (unsigned s = 0; s < plan->n_services; s++) {
		const struct plan_service *c = &plan->service[s];

		fprintf(to, "service%s%s%s", c->ordered ? " ordered" : "",
			c->failback ? " failback" : "", c->restricted ? " restricted" : "");
		for (unsigned i = 0; i < c->n_order; i++)
			fprintf(to, "%s%u", i ? "," : " order=", c->order[i]);
		fputc('\n', to);
	}
	for (unsigned i = 0; i < plan->n; i++) {
		const struct act *a = &plan->act[i];

		fprintf(to, "at %u %s node=%u", a->at_ms, kinds[a->kind].word, a->node);
		if (a->for_ms)
			fprintf(to, " for=%u", a->for_ms);
		if (a->arg)
			fprintf(to, " arg=%u", a->arg);
		if (a->arg2)
			fprintf(to, " arg2=%u", a->arg2);
		fputc('\n', to);
	}
}

static char *word(char **rest)
{
	char *at = *rest;

	while (isspace((unsigned char)*at))
		at++;
	if (!*at)
		return NULL;
	*rest = at + strcspn(at, " \t\r\n");
	if (**rest)
		*(*rest)++ = '\0';
	return at;
}

static bool number(const char *text, uint64_t max, uint64_t *ret)
{
	char *end;

	if (!text || !isdigit((unsigned char)*text))
		return false;
	errno = 0;
	*ret = strtoull(text, &end, 0);
	return errno == 0 && *end == '\0' && *ret <= max;
}

/* "name=123" of the word @w */
static bool pair(char *w, const char *name, uint64_t max, uint64_t *ret)
{
	size_t len = strlen(name);

	return strncmp(w, name, len) == 0 && w[len] == '=' && number(w + len + 1, max, ret);
}

static bool read_service(struct plan_service *c, char *rest, unsigned nodes)
{
	char *w;

	memset(c, 0, sizeof(*c));
	while ((w = word(&rest))) {
		c->ordered = c->ordered || strcmp(w, "ordered") == 0;
		c->failback = c->failback || strcmp(w, "failback") == 0;
		c->restricted = c->restricted || strcmp(w, "restricted") == 0;
		if (strncmp(w, "order=", 6) != 0)
			continue;
		for (char *at = w + 6; at; at = strchr(at, ',')) {
			unsigned long id = strtoul(at += *at == ',', NULL, 10);

			if (id < 1 || id > nodes || c->n_order == NODES_MAX)
				return false;
			c->order[c->n_order++] = (uint8_t)id;
		}
	}
	return !c->restricted || c->n_order > 0;
}

static bool read_act(struct act *a, char *rest, const struct plan *plan)
{
	char *at = word(&rest), *kind = word(&rest), *w;
	uint64_t v;

	memset(a, 0, sizeof(*a));
	if (!number(at, 10000000, &v) || !kind)
		return false;
	a->at_ms = (uint32_t)v;
	for (unsigned k = 1; k < ACT_KINDS; k++)
		if (strcmp(kinds[k].word, kind) == 0)
			a->kind = (uint8_t)k;
	while ((w = word(&rest))) {
		if (pair(w, "node", plan->nodes, &v))
			a->node = (uint8_t)v;
		else if (pair(w, "for", 10000000, &v))
			a->for_ms = (uint32_t)v;
		else if (pair(w, "arg", UINT16_MAX, &v))
			a->arg = (uint16_t)v;
		else if (pair(w, "arg2", UINT16_MAX, &v))
			a->arg2 = (uint16_t)v;
		else
			return false;
	}
	if (a->node == 0 && a->kind != ACT_DEVICE && a->kind != ACT_TARGET)
		return false;
	switch (a->kind) { /* who is meant must be there */
	case ACT_KILL:
	case ACT_HANG: return a->arg < PARTS;
	case ACT_STANDBY:
	case ACT_UNSTANDBY:
	case ACT_ACK_WRONG:
	case ACT_ACK_TRY:
	case ACT_DRILL:
	case ACT_REQUEST: return a->arg >= 1 && a->arg <= plan->nodes;
	case ACT_DEVICE: return a->arg < DEVICE_MODES && a->arg2 < 4;
	default: return a->kind != ACT_NONE;
	}
}

static bool read_path(struct plan *plan, char *words)
{
	plan->n_path = 0;
	for (char *at = strtok(words, ","); at; at = strtok(NULL, ",")) {
		unsigned level = 0;

		while (level < LEVELS && strcmp(level_words[level], at) != 0)
			level++;
		if (level == LEVELS || plan->n_path == PLAN_PATH_MAX)
			return false;
		plan->path[plan->n_path++] = (uint8_t)level;
	}
	return plan->n_path > 0;
}

static bool read_line(struct plan *plan, char *line)
{
	char *rest = line, *key = word(&rest), *w;
	uint64_t v = 0;

	if (!key || *key == '#')
		return true;
	if (strcmp(key, "stockade") == 0)
		return (w = word(&rest)) && strcmp(w, "plan") == 0 && number(word(&rest), 1, &v) &&
		       v == 1;
	if (strcmp(key, "at") == 0)
		return plan->nodes && plan->n < PLAN_ACTS_MAX &&
		       read_act(&plan->act[plan->n++], rest, plan);
	if (strcmp(key, "service") == 0)
		return plan->nodes && plan->n_services < PLAN_SERVICES_MAX &&
		       read_service(&plan->service[plan->n_services++], rest, plan->nodes);
	if (strcmp(key, "times") == 0 || strcmp(key, "rates") == 0) {
		while ((w = word(&rest))) {
			bool known = false;
#define X(name)                                \
	if (pair(w, #name, 10000000, &v)) {    \
		plan->name##_ms = (uint32_t)v; \
		known = true;                  \
	}
			PLAN_TIMES(X)
#undef X
#define X(name)                           \
	if (pair(w, #name, 1000, &v)) {   \
		plan->name = (uint32_t)v; \
		known = true;             \
	}
			PLAN_RATES(X)
#undef X
			if (!known)
				return false;
		}
		return true;
	}
	w = word(&rest);
	if (strcmp(key, "parts") == 0) {
		int bits = w ? plan_parts_parse(w) : -EINVAL;

		plan->parts = bits > 0 ? (unsigned)bits : 0;
		return bits > 0;
	}
	if (strcmp(key, "path") == 0)
		return w && read_path(plan, w);
	if (!number(w, UINT64_MAX, &v))
		return false;
	if (strcmp(key, "seed") == 0)
		plan->seed = v;
	else if (strcmp(key, "nodes") == 0 && v >= 2 && v <= NODES_MAX)
		plan->nodes = (unsigned)v;
	else if (strcmp(key, "forgets") == 0 && v <= 1)
		plan->forgets = v;
	else if (strcmp(key, "newer") == 0 && v < UINT64_C(1) << (NODES_MAX + 1))
		plan->newer = (unsigned)v;
	else if (strcmp(key, "gateway") == 0 && v <= 1)
		plan->gateway = v;
	else if (strcmp(key, "loop_max") == 0 && v <= 8)
		plan->loop_max = (unsigned)v;
	else if (strcmp(key, "clients") == 0 && v <= 2)
		plan->clients = (unsigned)v;
	else if (strcmp(key, "locks") == 0 && v <= 1)
		plan->locks = v;
	else if (strcmp(key, "records") == 0 && v <= 1)
		plan->records = v;
	else if (strcmp(key, "attest") == 0 && v <= 1)
		plan->attest = v;
	else if (strcmp(key, "slow_reboot") == 0 && v <= 1)
		plan->slow_reboot = v;
	else if (strcmp(key, "looks") == 0 && v <= 1)
		plan->looks = v;
	else if (strcmp(key, "end") == 0 && v <= 10000000)
		plan->end_ms = (uint32_t)v;
	else
		return false;
	return true;
}

int plan_read(struct plan *plan, FILE *from, char *why, size_t len)
{
	char line[512];
	unsigned n = 0;

	plan_draw(plan, 1, 2, 7);
	plan->nodes = plan->n = plan->n_services = 0;
	while (fgets(line, sizeof(line), from)) {
		char copy[80];

		n++;
		snprintf(copy, sizeof(copy), "%.*s", (int)strcspn(line, "\r\n"), line);
		if (!read_line(plan, line)) {
			snprintf(why, len, "line %u is no line of a plan: %s", n, copy);
			return -EINVAL;
		}
	}
	if (!plan->nodes) {
		snprintf(why, len, "it has no line \"nodes N\"");
		return -EINVAL;
	}
	return 0;
}
