/* SPDX-License-Identifier: GPL-3.0-or-later */
/* sim - worlds drawn from seeds, played with the production cores of fenced, dlmd and storaged. See sim/README.md. */
#include "check.h"
#include "html.h"
#include "question.h"
#include "replay.h"
#include "shrink.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <setjmp.h>
#include <signal.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const char usage[] =
	"usage: sim [--seed N [-v] | --seeds A..B | --plan FILE | --bench] [--nodes 2..16] [--parts fence,dlm,storage]\n"
	"           [--print] [--shrink] [--html FILE]\n"
	"       sim --cut|--dog [--seed N [-v] | --seeds A..B]\n"
	"       sim --replay FILE... [-v]\n"
	"Plays worlds of nodes that run Stockade's cores, under faults and operators drawn from a seed, and checks every\n"
	"safety rule at every step. The same seed plays the same world.\n\n"
	"  --seed N        one world; with -v it is told as it goes\n"
	"  --seeds A..B    many; the first that breaks a rule is named and ends the run (--all: it does not)\n"
	"  --nodes N       so many nodes, whatever the seed says\n"
	"  --parts LIST    which daemons run their real cores; the others are small stand-ins (all three)\n"
	"  --plan FILE     plays a plan, as printed by --print (-: standard input)\n"
	"  --print         prints the plan of the seed, and plays nothing\n"
	"  --shrink        when a rule breaks: takes faults, services and nodes away as long as it still does\n"
	"  --html FILE     draws the world\n"
	"  --pairs         which faults met which, over all seeds\n"
	"  --bench         core steps a second, by number of nodes\n"
	"  --check         plays each world twice, and compares\n"
	"  --cut           two fenceds that lose each other, at every moment: exactly one is left\n"
	"  --dog           watchdogs as the only fence device, at every moment\n"
	"  --replay        the files of one daemon's record, oldest first (-: standard input), fed to the same core again\n"
	"  --rules         the rules, and where they are looked at\n"
	"  --help\n";

struct options {
	uint64_t first, last;
	unsigned nodes, parts;
	bool verbose, print, shrink, all, pairs, twice, bench, replay;
	const char *plan, *html;
	const struct question *question;
};

/* --- an assertion of a core ends its world, not the program --- */

static sigjmp_buf after_abort;
static volatile sig_atomic_t playing;

static void on_abort(int sig)
{
	(void)sig;
	if (playing)
		siglongjmp(after_abort, 1);
}

/* The world is the caller's; after an assertion it is not to be freed: its core may be in any state. */
struct world *play(const struct plan *plan, bool verbose, struct trace *trace)
{
	struct world *volatile w = world_new(plan, verbose, trace);

	if (sigsetjmp(after_abort, 1) == 0) {
		playing = 1;
		world_play(w);
	} else {
		broken(w, "ASSERT", 0, "a core failed an assertion");
		w->aborted = true;
	}
	playing = 0;
	return w;
}

static void add(struct stats *sum, const struct world *w)
{
	const struct stats *s = &w->stats;

	sum->seeds++;
	for (unsigned i = 0; i < PARTS; i++)
		sum->steps[i] += s->steps[i];
	sum->virtual_ms += s->virtual_ms;
	sum->proofs += s->proofs;
	sum->offs += s->offs;
	sum->grants += s->grants;
	sum->starts += s->starts;
	sum->takeovers += s->takeovers;
	sum->acts += s->acts;
	sum->evictions += s->evictions;
	sum->refused += s->refused;
	sum->leaks += s->leaks;
	sum->bites += s->bites;
	sum->helds += s->helds;
	sum->drills += s->drills;
	sum->tested += s->tested;
	for (unsigned k = 0; k < ACT_KINDS; k++)
		sum->pairs[k] |= s->pairs[k];
}

/* The command that plays it again, to be pasted (tests/mutants/run: `again`). */
static void again(const struct options *opt, const struct plan *plan, char *text, size_t len)
{
	char parts[40] = "", nodes[24] = "";
	const char *check = opt->twice ? " --check" : "";

	for (unsigned i = 0; i < PARTS && opt->parts != 7; i++)
		if (opt->parts >> i & 1)
			snprintf(parts + strlen(parts), sizeof(parts) - strlen(parts), "%s%s",
				 parts[0] ? "," : " --parts ", plan_part_name(i));
	if (opt->nodes)
		snprintf(nodes, sizeof(nodes), " --nodes %u", opt->nodes);
	if (opt->plan)
		snprintf(text, len, "build/sim/sim --plan '%s' -v%s", opt->plan, check);
	else
		snprintf(text, len, "build/sim/sim --seed %" PRIu64 "%s%s -v%s", plan->seed, nodes,
			 parts, check);
}

static void print_failure(const struct options *opt, const struct plan *plan, const char *rule,
			  const char *why)
{
	char text[TRACE_AGAIN_MAX];

	again(opt, plan, text, sizeof(text));
	printf("broken=%s seed=%" PRIu64 " nodes=%u %s\nagain: %s\n", rule, plan->seed, plan->nodes,
	       why, text);
	fflush(stdout);
}

static void print_pairs(const struct stats *s)
{
	unsigned met = 0, all = 0;

	for (unsigned a = 1; a < ACT_KINDS; a++)
		for (unsigned b = a; b < ACT_KINDS; b++)
			if (plan_act_is_fault(a) && plan_act_is_fault(b)) {
				all++;
				met += s->pairs[a] >> b & 1;
			}
	printf("fault pairs: %u of %u met in time", met, all);
	for (unsigned a = 1, n = 0; a < ACT_KINDS; a++)
		for (unsigned b = a; b < ACT_KINDS; b++)
			if (plan_act_is_fault(a) && plan_act_is_fault(b) && !(s->pairs[a] >> b & 1))
				printf("%s%s+%s", n++ ? ", " : "; not: ", plan_act_name(a),
				       plan_act_name(b));
	putchar('\n');
}

static uint64_t steps_of(const struct stats *s)
{
	return s->steps[0] + s->steps[1] + s->steps[2];
}

static void print_sum(const struct stats *s, uint64_t failed)
{
	printf("sim: %" PRIu64 " seeds, %" PRIu64 " core steps (fence %" PRIu64 ", dlm %" PRIu64
	       ", storage %" PRIu64 "), %" PRIu64 " virtual s, %" PRIu64 " acts, %" PRIu64
	       " switched off, %" PRIu64 " proofs, %" PRIu64 " grants, %" PRIu64
	       " activations, %" PRIu64 " owners lost, %" PRIu64 " evictions, %" PRIu64
	       " writes refused (%" PRIu64 " leaked past a target that forgot), %" PRIu64
	       " bitten by a watchdog, %" PRIu64 " held, %" PRIu64 " drilled (%" PRIu64
	       " tested); %" PRIu64 " failed\n",
	       s->seeds, steps_of(s), s->steps[0], s->steps[1], s->steps[2], s->virtual_ms / 1000,
	       s->acts, s->offs, s->proofs, s->grants, s->starts, s->takeovers, s->evictions,
	       s->refused, s->leaks, s->bites, s->helds, s->drills, s->tested, failed);
}

static struct trace *trace_for(const struct options *opt, const struct plan *plan)
{
	struct trace *t = trace_new(100000);
	struct trace_about about = { .n_nodes = plan->nodes, .origin_ms = START_MS };

	if (!t)
		abort();
	snprintf(about.title, sizeof(about.title), "seed %" PRIu64 ", %u nodes", plan->seed,
		 plan->nodes);
	again(opt, plan, about.again, sizeof(about.again));
	trace_set_about(t, &about);
	return t;
}

/* One plan. Return: it broke a rule. */
static bool one(const struct options *opt, const struct plan *plan, struct stats *sum)
{
	struct trace *trace = opt->html ? trace_for(opt, plan) : NULL;
	struct world *w = play(plan, opt->verbose, trace);
	bool bad = w->failed;

	add(sum, w);
	if (!bad && opt->twice) {
		struct world *again = play(plan, false, NULL);

		bad = again->trace_hash != w->trace_hash;
		if (bad)
			print_failure(opt, plan, "DETERMINISM", "two plays of one plan differ");
		world_free(again);
	} else if (bad) {
		print_failure(opt, plan, w->rule, w->why);
		if (opt->shrink)
			shrink(plan, w->rule);
	}
	if (!w->aborted)
		world_free(w);
	if (trace) {
		int r = html_save(trace, opt->html);

		if (r < 0)
			fprintf(stderr, "sim: %s: %s\n", opt->html, strerror(-r));
		trace_free(trace);
	}
	return bad;
}

static double cpu_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int bench(const struct options *opt)
{
	static const unsigned nodes[] = { 2, 3, 4, 8, 16 };
	static struct plan plan;

	printf("%5s %8s %12s %12s %14s\n", "nodes", "seeds", "core steps", "steps/s",
	       "virtual/real");
	for (unsigned i = 0; i < sizeof(nodes) / sizeof(nodes[0]); i++) {
		struct stats sum = { 0 };
		double begin = cpu_s(), took = 0;

		for (uint64_t seed = 1; took < 4; seed++) {
			struct options here = *opt;

			here.nodes = nodes[i];
			plan_draw(&plan, seed, nodes[i], opt->parts);
			if (one(&here, &plan, &sum))
				return 1;
			took = cpu_s() - begin;
		}
		printf("%5u %8" PRIu64 " %12" PRIu64 " %12.0f %14.0f\n", nodes[i], sum.seeds,
		       steps_of(&sum), (double)steps_of(&sum) / took,
		       (double)sum.virtual_ms / 1000 / took);
	}
	return 0;
}

static int play_file(const struct options *opt)
{
	FILE *f = strcmp(opt->plan, "-") == 0 ? stdin : fopen(opt->plan, "re");
	static struct plan plan;
	struct stats sum = { 0 };
	char why[160];

	if (!f) {
		fprintf(stderr, "sim: %s: %s\n", opt->plan, strerror(errno));
		return 2;
	}
	int r = plan_read(&plan, f, why, sizeof(why));

	if (f != stdin)
		fclose(f);
	if (r < 0) {
		fprintf(stderr, "sim: %s: %s\n", opt->plan, why);
		return 2;
	}
	struct options here = *opt;
	char kept[SHRINK_PATH];

	if (f == stdin && plan_keep(&plan, kept)) /* else nobody has it any more */
		here.plan = kept;
	bool bad = one(&here, &plan, &sum);

	if (here.plan == kept && !bad && !opt->html)
		unlink(kept);
	print_sum(&sum, bad);
	return bad;
}

static int play_seeds(const struct options *opt)
{
	static struct plan plan;
	struct stats sum = { 0 };
	uint64_t failed = 0;

	for (uint64_t seed = opt->first; seed <= opt->last && (!failed || opt->all); seed++) {
		plan_draw(&plan, seed, opt->nodes, opt->parts);
		if (opt->print)
			plan_print(&plan, stdout);
		else
			failed += one(opt, &plan, &sum);
	}
	if (opt->print)
		return 0;
	print_sum(&sum, failed);
	if (opt->pairs)
		print_pairs(&sum);
	return failed != 0;
}

static int ask(const struct options *opt)
{
	const struct question *q = opt->question;

	for (volatile uint64_t seed = opt->first; seed <= opt->last; seed++) {
		volatile bool bad = true;

		if (sigsetjmp(after_abort, 1) == 0) {
			playing = 1;
			bad = q->play(seed, opt->verbose);
		} else {
			printf("broken=ASSERT seed=%" PRIu64 ": a core failed an assertion\n",
			       seed);
		}
		playing = 0;
		if (bad) {
			printf("again: build/sim/sim %s --seed %" PRIu64 " -v\n", q->option, seed);
			return 1;
		}
	}
	q->sum(opt->last - opt->first + 1);
	return 0;
}

static bool range(const char *text, uint64_t *first, uint64_t *last)
{
	char *end;

	errno = 0;
	*first = *last = strtoull(text, &end, 0);
	if (end != text && strncmp(end, "..", 2) == 0)
		*last = strtoull(text = end + 2, &end, 0);
	return errno == 0 && end != text && *end == '\0' && *first <= *last;
}

int main(int argc, char **argv)
{
	enum {
		SEEDS = 256,
		NODES,
		PARTS_OPT,
		PLAN,
		PRINT,
		SHRINK,
		HTML,
		ALL,
		PAIRS,
		CHECK,
		BENCH,
		RULES,
		CUT,
		DOG,
		REPLAY
	};
	static const struct option opts[] = {
		{ "seed", 1, NULL, 's' },      { "seeds", 1, NULL, SEEDS },
		{ "nodes", 1, NULL, NODES },   { "parts", 1, NULL, PARTS_OPT },
		{ "plan", 1, NULL, PLAN },     { "print", 0, NULL, PRINT },
		{ "shrink", 0, NULL, SHRINK }, { "html", 1, NULL, HTML },
		{ "all", 0, NULL, ALL },       { "pairs", 0, NULL, PAIRS },
		{ "check", 0, NULL, CHECK },   { "bench", 0, NULL, BENCH },
		{ "rules", 0, NULL, RULES },   { "cut", 0, NULL, CUT },
		{ "dog", 0, NULL, DOG },       { "replay", 0, NULL, REPLAY },
		{ "verbose", 0, NULL, 'v' },   { "help", 0, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	struct options opt = { .first = 1, .last = 100, .parts = 7 };
	int c, parts;

	signal(SIGABRT, on_abort);
	while ((c = getopt_long(argc, argv, "s:vh", opts, NULL)) != -1)
		switch (c) {
		case 's':
		case SEEDS:
			if (!range(optarg, &opt.first, &opt.last)) {
				fprintf(stderr, "sim: %s is no seed, and no range A..B\n", optarg);
				return 2;
			}
			break;
		case NODES: opt.nodes = (unsigned)strtoul(optarg, NULL, 10); break;
		case PARTS_OPT:
			parts = plan_parts_parse(optarg);
			if (parts < 0) {
				fprintf(stderr, "sim: %s: parts are fence, dlm, storage\n", optarg);
				return 2;
			}
			opt.parts = (unsigned)parts;
			break;
		case PLAN: opt.plan = optarg; break;
		case PRINT: opt.print = true; break;
		case SHRINK: opt.shrink = true; break;
		case HTML: opt.html = optarg; break;
		case ALL: opt.all = true; break;
		case PAIRS: opt.pairs = true; break;
		case CHECK: opt.twice = true; break;
		case BENCH: opt.bench = true; break;
		case CUT: opt.question = &question_cut; break;
		case DOG: opt.question = &question_dog; break;
		case REPLAY: opt.replay = true; break;
		case RULES:
			for (unsigned i = 0; i < n_rules; i++)
				printf("%-14s %s [%s]\n", rules[i].id, rules[i].text,
				       rules[i].where);
			return 0;
		case 'v': opt.verbose = true; break;
		case 'h': fputs(usage, stdout); return 0;
		default: fputs(usage, stderr); return 2;
		}
	if (opt.replay && optind < argc)
		return replay_files(argv + optind, argc - optind, opt.verbose);
	if (opt.replay || optind < argc || opt.nodes == 1 || opt.nodes > N_MAX) {
		fputs(usage, stderr);
		return 2;
	}
	return opt.question ? ask(&opt)
	       : opt.bench  ? bench(&opt)
	       : opt.plan   ? play_file(&opt)
			    : play_seeds(&opt);
}
