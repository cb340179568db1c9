/* SPDX-License-Identifier: GPL-3.0-or-later */
/* sim/search.c - the search itself: iterative deepening over all choices, each state expanded once, at its least depth; so
 * the first counterexample is a shortest one. Memory: one word and two bytes a state, and one state a level.
 */
#include "search.h"

#include "html.h"

#include <assert.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#define DEPTH_MAX 60

static const struct model *const models[] = { &search_fence2, &search_fence3, &search_dlm2,
					      &search_dlm3,   &search_store2, &search_store3 };
#define MODELS (sizeof(models) / sizeof(models[0]))

/* The state. */
static struct {
	struct sworld world;
	uint8_t region[N_MAX][REGION_BYTES] __attribute__((aligned(64)));
} arena;
struct sworld *const w = &arena.world;
const struct model *model;
struct trace *search_trace;

static uint32_t region_node;
static bool touched[N_MAX + 1];

static struct {
	char rule[32], text[200];
	uint32_t node;
} verdict;

void search_broken(const char *rule, uint32_t node, const char *fmt, ...)
{
	va_list ap;

	if (verdict.rule[0])
		return;
	snprintf(verdict.rule, sizeof(verdict.rule), "%s", rule);
	verdict.node = node;
	va_start(ap, fmt);
	vsnprintf(verdict.text, sizeof(verdict.text), fmt, ap);
	va_end(ap);
}

bool search_is_broken(void)
{
	return verdict.rule[0] != '\0';
}

uint64_t search_hash(uint64_t seed, const void *data, size_t len)
{
	const uint8_t *p = data;
	uint64_t h = seed ^ (len * UINT64_C(0x9e3779b97f4a7c15));

	for (; len >= 8; p += 8, len -= 8) {
		uint64_t v;

		memcpy(&v, p, 8);
		__uint128_t m = (__uint128_t)(h ^ v) * UINT64_C(0xd6e8feb86659fd93);

		h = (uint64_t)m ^ (uint64_t)(m >> 64) ^ (h << 7);
	}
	for (; len; p++, len--)
		h = (h ^ *p) * UINT64_C(0x100000001b3);
	h ^= h >> 32;
	h *= UINT64_C(0xd6e8feb86659fd93);
	return h ^ (h >> 29);
}

/* --- memory of the cores --- */

void search_region_begin(uint32_t node)
{
	region_node = node;
	memset(arena.region[node - 1], 0, w->node[node].region_used);
	w->node[node].region_used = 0;
}

void *search_calloc(size_t n, size_t size)
{
	struct snode *s = &w->node[region_node];
	size_t bytes = (n * size + 63) & ~(size_t)63;
	void *p = arena.region[region_node - 1] + s->region_used;

	assert(s->region_used + bytes <= REGION_BYTES);
	s->region_used += bytes;
	memset(p, 0, bytes);
	return p;
}

void search_free(void *p)
{
	(void)p; /* the region is cleared as a whole */
}

void search_touch(uint32_t node)
{
	touched[node] = true;
	w->node[node].hashed = false;
}

/* --- states: kept, brought back, told apart --- */

static uint8_t *kept[DEPTH_MAX + 1];

static void keep(unsigned depth)
{
	uint8_t *to = kept[depth];

	memcpy(to, w, sizeof(*w));
	for (uint32_t n = 1; n <= model->nodes; n++)
		memcpy(to + sizeof(*w) + (n - 1) * REGION_BYTES, arena.region[n - 1],
		       w->node[n].region_used);
	memset(touched, 0, sizeof(touched));
}

static void bring_back(unsigned depth)
{
	const uint8_t *from = kept[depth];

	memcpy(w, from, sizeof(*w));
	for (uint32_t n = 1; n <= model->nodes; n++)
		if (touched[n])
			memcpy(arena.region[n - 1], from + sizeof(*w) + (n - 1) * REGION_BYTES,
			       w->node[n].region_used);
	memset(touched, 0, sizeof(touched));
}

static uint64_t state_hash(void)
{
	uint64_t h = net_hash();

	for (uint32_t n = 1; n <= model->nodes; n++) {
		struct snode *s = &w->node[n];

		if (!s->hashed || s->hash_ms != w->now_ms) {
			s->hash = s->core ? model->hash_core(n) : 0;
			s->hash_ms = w->now_ms;
			s->hashed = true;
		}
		h = search_hash(h, &s->hash, sizeof(s->hash));
	}
	uint64_t m = model->hash_model ? model->hash_model() : 0;

	h = search_hash(h, &m, sizeof(m));
	return h ? h : 1;
}

/* --- visited --- */

static struct visit {
	uint64_t hash;
	uint8_t depth, round;
} __attribute__((packed)) * visited;
static uint64_t visited_max, n_visited;

/* Return: NULL when it must not be expanded: it is known at a lesser depth, or was in this round. */
static struct visit *visit(uint64_t h, unsigned depth, unsigned round)
{
	for (uint64_t slot = h & (visited_max - 1);; slot = (slot + 1) & (visited_max - 1)) {
		struct visit *v = &visited[slot];

		if (v->hash == 0) {
			if (n_visited > visited_max / 8 * 7)
				return NULL; /* told as cut short */
			*v = (struct visit){ h, (uint8_t)depth, (uint8_t)round };
			n_visited++;
			return v;
		}
		if (v->hash != h)
			continue;
		if (v->depth < depth || v->round == round)
			return NULL;
		v->depth = (uint8_t)depth;
		v->round = (uint8_t)round;
		return v;
	}
}

/* --- choices --- */

static const char *const op_name[DO_MODEL] = { "",      "deliver", "calm", "timer",  "ring",
					       "self",  "cut",     "heal", "freeze", "thaw",
					       "panic", "power",   "boot", "kill",   "start" };

static void choice_text(struct choice c, char *buf, size_t len)
{
	char word[24] = "";
	const char *p = model->events ? model->events : "";

	for (unsigned i = DO_MODEL; i < c.op && *p; i++)
		p += strcspn(p, " ") + (p[strcspn(p, " ")] == ' ');
	snprintf(word, sizeof(word), "%.*s", (int)strcspn(p, " "), p);
	if (c.op < DO_MODEL)
		snprintf(buf, len, "%s %u%s", op_name[c.op], c.a,
			 !c.b                 ? ""
			 : c.op == DO_DELIVER ? ", all"
					      : ", what nobody took is lost");
	else
		snprintf(buf, len, "%s %u %u", word, c.a, c.b);
}

static jmp_buf stopped;
static bool may_stop;

/* An assertion of a core is a broken rule too: it stops the daemon, here the state alone. */
void __assert_fail(const char *text, const char *file, unsigned line, const char *function)
{
	if (!may_stop) {
		fprintf(stderr, "search: %s:%u: %s: %s\n", file, line, function, text);
		abort();
	}
	search_broken("assertion", 0, "%s:%u: %s", file, line, text);
	longjmp(stopped, 1);
}

static void apply(struct choice c)
{
	if (setjmp(stopped)) {
		may_stop = false;
		for (uint32_t n = 1; n <= model->nodes; n++)
			search_touch(n);
		return;
	}
	may_stop = true;
	net_apply(c);
	if (c.op >= DO_MODEL)
		model->apply(c);
	net_apply((struct choice){ 0 }); /* what the model did may have broken rings */
	if (model->check)
		model->check();
	may_stop = false;
}

static unsigned list(struct choice *ret)
{
	unsigned n = net_choices(ret, 0);

	return n + (model->choices ? model->choices(ret + n) : 0);
}

/* One choice: rings first, then messages, then what agents and drivers say, all of them well. */
void search_calm(void)
{
	struct budget kept_budget = w->budget;
	struct choice c[CHOICES_MAX];

	memset(&w->budget, 0, sizeof(w->budget));
	for (unsigned steps = 0; steps < 400 && !search_is_broken(); steps++) {
		unsigned n = list(c), best = n, rank = 9;

		for (unsigned i = 0; i < n; i++) {
			unsigned r = c[i].op == DO_RING                   ? 0
				     : c[i].op == DO_DELIVER && !c[i].b   ? 1
				     : c[i].op >= DO_MODEL && c[i].b == 0 ? 2
									  : 9;

			if (r < rank) {
				rank = r;
				best = i;
			}
		}
		if (best == n)
			break;
		net_apply(c[best]);
		if (c[best].op >= DO_MODEL)
			model->apply(c[best]);
		net_apply((struct choice){ 0 });
		if (model->check)
			model->check();
	}
	w->budget = kept_budget;
}

/* Everybody starts, and goes on without faults until nothing is to be done but wait. */
static void settle(void)
{
	memset(&arena, 0, sizeof(arena));
	w->now_ms = ROOT_MS;
	net_root();
	apply((struct choice){ .op = DO_CALM });
	if (model->root)
		model->root();
	w->budget = model->budget;
}

/* --- the search --- */

static uint64_t transitions, leaves, cut_short;
static struct choice path[DEPTH_MAX];
static unsigned path_len;
static double deadline_s;

static double clock_s(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

/* Return: false: a rule is broken, path[0..path_len) leads there; or the time is over (cut_short). */
static bool expand(unsigned depth, unsigned limit, unsigned round)
{
	struct choice c[CHOICES_MAX];
	unsigned n = list(c);

	keep(depth);
	for (unsigned i = 0; i < n; i++) {
		if (i)
			bring_back(depth);
		if ((++transitions & 1023) == 0 && deadline_s > 0 && clock_s() > deadline_s) {
			cut_short++;
			return false;
		}
		path[depth] = c[i];
		apply(c[i]);
		if (search_is_broken()) {
			path_len = depth + 1;
			return false;
		}
		uint64_t before = n_visited;

		if (!visit(state_hash(), depth + 1, round)) {
			if (n_visited > visited_max / 8 * 7) {
				cut_short++;
				return false;
			}
			continue;
		}
		if (n_visited != before)
			leaves++;
		if (depth + 1 < limit) {
			bool changed[N_MAX + 1];

			memcpy(changed, touched, sizeof(changed));
			if (!expand(depth + 1, limit, round))
				return false;
			memcpy(touched, changed,
			       sizeof(changed)); /* it came back to what it began with */
		}
	}
	bring_back(depth);
	return true;
}

static void play(const struct choice *c, unsigned n, bool words)
{
	char text[80];

	verdict.rule[0] = '\0';
	settle();
	for (unsigned i = 0; i < n; i++) {
		choice_text(c[i], text, sizeof(text));
		if (words)
			printf("%4u  %s\n", i + 1, text);
		apply(c[i]);
	}
}

static void tell(const char *html, const char *command, bool verbose)
{
	struct trace_about about = { .n_nodes = model->nodes, .origin_ms = ROOT_MS };

	search_trace = trace_new(20000);
	if (!search_trace)
		return;
	snprintf(about.title, sizeof(about.title), "search %s: %s, a shortest way of %u choices",
		 model->name, verdict.rule, path_len);
	snprintf(about.again, sizeof(about.again), "%s", command);
	trace_set_about(search_trace, &about);
	printf("the choices:\n");
	play(path, path_len, true);
	TRACE(search_trace,
	      (.ms = w->now_ms, .node = verdict.node, .kind = TRACE_BROKEN, .name = verdict.rule),
	      "%s", verdict.text);
	printf("what happened:\n");
	trace_print(search_trace, stdout, verbose);
	if (html) {
		int r = html_save(search_trace, html);

		if (r < 0)
			fprintf(stderr, "search: %s: %s\n", html, strerror(-r));
		else
			printf("drawn in %s\n", html);
	}
	search_trace = trace_free(search_trace);
}

static void print_budget(const struct budget *b)
{
#define X(n)      \
	if (b->n) \
		printf(" %s=%u", #n, b->n);
	BUDGETS(X)
#undef X
}

static bool set_budget(struct budget *b, char *text)
{
	for (char *p = strtok(text, ","); p; p = strtok(NULL, ",")) {
		char *value = strchr(p, '=');

		if (!value)
			return false;
		*value++ = '\0';
		uint8_t *at = NULL;
#define X(n)                    \
	if (strcmp(p, #n) == 0) \
		at = &b->n;
		BUDGETS(X)
#undef X
		if (!at)
			return false;
		*at = (uint8_t)strtoul(value, NULL, 0);
	}
	return true;
}

struct options {
	unsigned depth;
	double seconds;
	bool verbose;
	const char *html, *faults;
};

/* Return: 0 nothing is broken down to the depth, 1 something is, 3 cut short by time or memory. */
static int search(const struct model *given, const struct options *o)
{
	static struct model m;
	char command[160];
	unsigned depth = o->depth ? o->depth : given->depth, done = 0;
	double begin = clock_s();

	m = *given;
	model = &m;
	if (o->faults) {
		char text[200];

		snprintf(text, sizeof(text), "%s", o->faults);
		m.budget = (struct budget){ 0 };
		if (!set_budget(&m.budget, text)) {
			fprintf(stderr, "search: --faults: cannot read '%s'\n", o->faults);
			return 2;
		}
	}
	if (depth > DEPTH_MAX)
		depth = DEPTH_MAX;
	for (unsigned i = 0; i <= depth; i++)
		if (!kept[i] && !(kept[i] = malloc(sizeof(arena))))
			abort();
	madvise(visited, visited_max * sizeof(*visited), MADV_DONTNEED); /* empty again */
	n_visited = transitions = leaves = cut_short = 0;
	verdict.rule[0] = '\0';
	path_len = 0;
	deadline_s = o->seconds > 0 ? begin + o->seconds : 0;
	printf("%s: %s\n  faults:", m.name, m.what);
	print_budget(&m.budget);
	printf("; rules: %s\n", m.rules);
	settle();
	visit(state_hash(), 0, 0);

	bool good = !search_is_broken();

	for (unsigned limit = 1; good && limit <= depth; limit++) {
		leaves = 0;
		good = expand(0, limit, limit);
		if (good)
			done = limit;
		if (good && leaves == 0) {
			printf("  there is no state beyond depth %u: all are seen\n", limit - 1);
			break;
		}
		if (o->verbose && good)
			printf("  depth %2u: %" PRIu64 " states, %" PRIu64 " of them new, %.1f s\n",
			       limit, n_visited, leaves, clock_s() - begin);
		fflush(stdout);
	}
	double took = clock_s() - begin;
	bool found = search_is_broken();

	printf("  %" PRIu64 " states, %" PRIu64 " transitions, depth %u whole, frontier %" PRIu64
	       ", %.1f s, %.0f transitions/s, %.0f states/s\n",
	       n_visited, transitions, done, leaves, took, (double)transitions / took,
	       (double)n_visited / took);
	if (!found) {
		printf(cut_short
			       ? "  cut short by time or memory at depth %u; nothing broken so far\n"
			       : "  nothing broken\n",
		       done + 1);
		return cut_short ? 3 : 0;
	}
	printf("broken=%s node=%u depth=%u model=%s: %s\n", verdict.rule, verdict.node, path_len,
	       m.name, verdict.text);
	snprintf(command, sizeof(command), "build/sim/search --depth %u%s%s %s", path_len,
		 o->faults ? " --faults " : "", o->faults ? o->faults : "", m.name);
	tell(o->html, command, o->verbose);
	return 1;
}

static void usage(FILE *to)
{
	fputs("search [--depth N] [--seconds S] [--memory MIB] [--faults NAME=N,...] [--html FILE] [-v] [MODEL...]\n"
	      "Visits every interleaving of a small world down to a depth (default: each model's own), breadth by breadth:\n"
	      "what it finds is a shortest way. Exit: 0 nothing broken, 1 a rule is, 3 cut short. Models:\n",
	      to);
	for (unsigned i = 0; i < MODELS; i++)
		fprintf(to, "  %-8s %s (depth %u)\n", models[i]->name, models[i]->what,
			models[i]->depth);
	fputs("Faults (how often each may happen):", to);
#define X(n) fputs(" " #n, to);
	BUDGETS(X)
#undef X
	fputc('\n', to);
}

int main(int argc, char **argv)
{
	static const struct option opts[] = {
		{ "depth", 1, NULL, 'd' },  { "seconds", 1, NULL, 's' },
		{ "memory", 1, NULL, 'm' }, { "faults", 1, NULL, 'f' },
		{ "html", 1, NULL, 'h' },   { "verbose", 0, NULL, 'v' },
		{ "help", 0, NULL, '?' },   { NULL, 0, NULL, 0 }
	};
	struct options o = { 0 };
	unsigned mib = 512;
	int c, worst = 0;

	while ((c = getopt_long(argc, argv, "v", opts, NULL)) != -1)
		switch (c) {
		case 'd': o.depth = (unsigned)strtoul(optarg, NULL, 0); break;
		case 's': o.seconds = strtod(optarg, NULL); break;
		case 'm': mib = (unsigned)strtoul(optarg, NULL, 0); break;
		case 'f': o.faults = optarg; break;
		case 'h': o.html = optarg; break;
		case 'v': o.verbose = true; break;
		default: usage(optopt ? stderr : stdout); return optopt ? 2 : 0;
		}
	for (visited_max = 1 << 16; visited_max * 2 * sizeof(*visited) <= (uint64_t)mib << 20;)
		visited_max *= 2;
	visited = mmap(NULL, visited_max * sizeof(*visited), PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (visited == MAP_FAILED) {
		perror("search");
		return 2;
	}
	for (unsigned i = 0; i < MODELS; i++) {
		bool wanted = optind == argc;

		for (int k = optind; k < argc; k++)
			wanted = wanted || strcmp(argv[k], models[i]->name) == 0;
		if (!wanted)
			continue;
		int r = search(models[i], &o);

		if (r == 1 || r == 2)
			return r;
		worst = r > worst ? r : worst;
	}
	for (int k = optind; k < argc; k++) {
		bool known = false;

		for (unsigned i = 0; i < MODELS; i++)
			known = known || strcmp(argv[k], models[i]->name) == 0;
		if (!known) {
			fprintf(stderr, "search: there is no model '%s'\n", argv[k]);
			return 2;
		}
	}
	return worst;
}
