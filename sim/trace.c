/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "trace.h"

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

struct trace {
	struct trace_about about;
	FILE *live;
	bool live_detail;
	unsigned n, max;
	uint64_t dropped;
	struct trace_event v[];
};

static const struct {
	const char *name;
	bool bar, detail;
} kinds[] = {
#define X(id, word, bar, detail) { word, bar, detail },
	TRACE_KINDS(X)
#undef X
};

static const struct {
	const char *name;
	bool bar;
} states[] = {
#define X(id, word, bar) { word, bar },
	TRACE_STATES(X)
#undef X
};

struct trace *trace_new(unsigned events_max)
{
	unsigned max = events_max < 64 ? 64 : events_max;
	struct trace *t = calloc(1, sizeof(*t) + max * sizeof(t->v[0]));

	if (t)
		t->max = max;
	return t;
}

struct trace *trace_free(struct trace *t)
{
	free(t);
	return NULL;
}

void trace_clear(struct trace *t)
{
	t->n = 0;
	t->dropped = 0;
}

void trace_set_about(struct trace *t, const struct trace_about *about)
{
	t->about = *about;
}

const struct trace_about *trace_get_about(const struct trace *t)
{
	return &t->about;
}

void trace_live(struct trace *t, FILE *to, bool detail)
{
	t->live = to;
	t->live_detail = detail;
}

unsigned trace_count(const struct trace *t)
{
	return t->n;
}

const struct trace_event *trace_at(const struct trace *t, unsigned index)
{
	assert(index < t->n);
	return &t->v[index];
}

uint64_t trace_dropped(const struct trace *t)
{
	return t->dropped;
}

const char *trace_kind_name(enum trace_kind kind)
{
	return kinds[kind].name;
}

bool trace_kind_is_bar(enum trace_kind kind)
{
	return kinds[kind].bar;
}

bool trace_kind_is_detail(enum trace_kind kind)
{
	return kinds[kind].detail;
}

const char *trace_state_name(enum trace_state state)
{
	return states[state].name;
}

bool trace_state_is_bar(enum trace_state state)
{
	return states[state].bar;
}

const char *trace_mode_name(int mode)
{
	static const char *const name[] = { "NL", "CR", "CW", "PR", "PW", "EX" };

	return mode >= 0 && mode < (int)(sizeof(name) / sizeof(name[0])) ? name[mode] : "?";
}

/* --- memory --- */

static void squeeze_detail(struct trace *t)
{
	unsigned n = 0;

	for (unsigned i = 0; i < t->n; i++)
		if (!kinds[t->v[i].kind].detail)
			t->v[n++] = t->v[i];
	t->dropped += t->n - n;
	t->n = n;
}

static bool same_bar(const struct trace_event *a, const struct trace_event *b)
{
	return a->kind == b->kind && a->node == b->node && strcmp(a->name, b->name) == 0;
}

/* Of the oldest quarter only the last bar of each node, kind and name is kept, and broken rules. */
static void squeeze_oldest(struct trace *t)
{
	unsigned quarter = t->max / 4, kept = quarter;

	for (unsigned i = quarter; i-- > 0;) {
		const struct trace_event *e = &t->v[i];
		bool bar = kinds[e->kind].bar &&
			   quarter - kept < quarter / 2; /* names may be many */
		bool keep = bar || e->kind == TRACE_BROKEN;

		for (unsigned k = kept; bar && keep && k < quarter; k++)
			keep = !same_bar(e, &t->v[k]);
		if (keep)
			t->v[--kept] = *e;
	}
	if (kept == 0) /* nothing but broken rules */
		kept = 1;
	memmove(t->v, t->v + kept, (t->n - kept) * sizeof(t->v[0]));
	t->n -= kept;
	t->dropped += kept;
}

static void make_room(struct trace *t)
{
	if (t->n < t->max)
		return;
	squeeze_detail(t);
	if (t->n > t->max - t->max / 4)
		squeeze_oldest(t);
}

static void name_copy(char *to, size_t max, const char *from)
{
	size_t len = from ? strnlen(from, max - 1) : 0;

	if (len)
		memcpy(to, from, len);
	to[len] = '\0';
}

void trace_put(struct trace *t, const struct trace_say *say, const char *fmt, ...)
{
	va_list ap;

	make_room(t);

	struct trace_event *e = &t->v[t->n++];

	*e = (struct trace_event){ .ms = say->ms,
				   .number = say->number,
				   .members = say->members,
				   .kind = say->kind,
				   .state = say->state,
				   .node = (uint8_t)say->node,
				   .peer = (uint8_t)say->peer,
				   .mode = (int8_t)say->mode };
	name_copy(e->name, sizeof(e->name), say->name);
	va_start(ap, fmt);
	vsnprintf(e->text, sizeof(e->text), fmt, ap);
	va_end(ap);
	if (t->live && (t->live_detail || !kinds[e->kind].detail))
		trace_print_event(t, e, t->live);
}

/* --- text --- */

static const char *set_text(struct nodeset s, char *buf, size_t len)
{
	size_t n = 0;

	n += (size_t)snprintf(buf, len, "{");
	nodeset_for_each (id, s)
		n += (size_t)snprintf(buf + n, n < len ? len - n : 0, "%s%u", n > 1 ? " " : "", id);
	snprintf(buf + n, n < len ? len - n : 0, "}");
	return buf;
}

/* What the fields say beside the state, in words: "EX volume:data", "of node 3, run 7". */
static void what(const struct trace_event *e, char *buf, size_t len)
{
	char set[NODEID_MAX * 3 + 4];

	buf[0] = '\0';
	switch (e->kind) {
	case TRACE_VIEW:
		snprintf(buf, len, "%s%s%s ring %" PRIu64, e->name, e->name[0] ? " " : "",
			 set_text(e->members, set, sizeof(set)), e->number);
		break;
	case TRACE_LOCK: snprintf(buf, len, "%s %s", trace_mode_name(e->mode), e->name); break;
	case TRACE_VOLUME:
	case TRACE_WRITE: snprintf(buf, len, "%s epoch %" PRIu64, e->name, e->number); break;
	case TRACE_FENCE:
		snprintf(buf, len, "%s of node %u, run %" PRIu64, e->name, e->peer, e->number);
		break;
	case TRACE_PROOF: snprintf(buf, len, "%s: node %u is over", e->name, e->peer); break;
	case TRACE_VICTIM:
		if (e->peer)
			snprintf(buf, len, "says node %u", e->peer);
		break;
	case TRACE_DELIVERED:
		snprintf(buf, len, "%s from node %u #%" PRIu64, e->name, e->peer, e->number);
		break;
	case TRACE_SENT: snprintf(buf, len, "%s #%" PRIu64, e->name, e->number); break;
	case TRACE_NODE:
	case TRACE_PROCESS:
	case TRACE_SERVICE:
	case TRACE_DRIVER:
	case TRACE_FAULT:
	case TRACE_OPERATOR:
	case TRACE_KEY:
	case TRACE_DOG:
	case TRACE_HELD:
	case TRACE_RELEASE:
	case TRACE_TIMER:
	case TRACE_NOTE:
	case TRACE_BROKEN: snprintf(buf, len, "%s", e->name); break;
	}
}

void trace_print_event(const struct trace *t, const struct trace_event *e, FILE *to)
{
	uint64_t ms = e->ms - t->about.origin_ms;
	char node[16] = "", text[288], kind[16];

	if (e->node)
		snprintf(node, sizeof(node), "node %u", e->node);
	snprintf(kind, sizeof(kind), "%s", kinds[e->kind].name);
	for (char *p = kind; e->kind == TRACE_BROKEN && *p; p++)
		*p = (char)(*p - 'a' + 'A'); /* must not be overlooked */
	what(e, text, sizeof(text));
	fprintf(to, "%6" PRIu64 ".%03u  %-7s  %-9s  %-11s", ms / 1000, (unsigned)(ms % 1000), node,
		kind, states[e->state].name);
	if (text[0] || e->text[0])
		fprintf(to, "%s%s%s", text, text[0] && e->text[0] ? ": " : "", e->text);
	fputc('\n', to);
}

void trace_print(const struct trace *t, FILE *to, bool detail)
{
	if (t->about.title[0])
		fprintf(to, "%s\n", t->about.title);
	if (t->dropped)
		fprintf(to, "(%" PRIu64 " events did not fit and are not shown)\n", t->dropped);
	for (unsigned i = 0; i < t->n; i++)
		if (detail || !kinds[t->v[i].kind].detail)
			trace_print_event(t, &t->v[i], to);
}

/* --- JSON --- */

void trace_json_string(const char *text, FILE *to)
{
	fputc('"', to);
	for (const unsigned char *p = (const unsigned char *)text; *p; p++) {
		if (*p == '"' || *p == '\\')
			fprintf(to, "\\%c", *p);
		else if (*p < 0x20 || *p >= 0x7f || *p == '<' || *p == '>' || *p == '&')
			fprintf(to, "\\u%04x",
				*p); /* bytes beyond ASCII: as Latin-1, never broken UTF-8 */
		else
			fputc(*p, to);
	}
	fputc('"', to);
}

static void json_set(struct nodeset s, FILE *to)
{
	bool first = true;

	fputc('[', to);
	nodeset_for_each (id, s) {
		fprintf(to, "%s%u", first ? "" : ",", id);
		first = false;
	}
	fputc(']', to);
}

void trace_json_event(const struct trace *t, const struct trace_event *e, FILE *to)
{
	fprintf(to, "{\"ms\":%" PRIu64 ",\"kind\":\"%s\"", e->ms - t->about.origin_ms,
		kinds[e->kind].name);
	if (e->state)
		fprintf(to, ",\"state\":\"%s\"", states[e->state].name);
	if (e->node)
		fprintf(to, ",\"node\":%u", e->node);
	if (e->peer)
		fprintf(to, ",\"peer\":%u", e->peer);
	if (e->name[0]) {
		fputs(",\"name\":", to);
		trace_json_string(e->name, to);
	}
	if (e->number)
		fprintf(to, ",\"number\":%" PRIu64, e->number);
	if (e->kind == TRACE_LOCK)
		fprintf(to, ",\"mode\":\"%s\"", trace_mode_name(e->mode));
	if (!nodeset_empty(e->members)) {
		fputs(",\"members\":", to);
		json_set(e->members, to);
	}
	if (e->text[0]) {
		fputs(",\"text\":", to);
		trace_json_string(e->text, to);
	}
	fputc('}', to);
}

void trace_json(const struct trace *t, FILE *to)
{
	fprintf(to,
		"{\"nodes\":%u,\"events\":%u,\"dropped\":%" PRIu64 ",\"title\":", t->about.n_nodes,
		t->n, t->dropped);
	trace_json_string(t->about.title, to);
	fputs(",\"again\":", to);
	trace_json_string(t->about.again, to);
	fputs("}\n", to);
	for (unsigned i = 0; i < t->n; i++) {
		trace_json_event(t, &t->v[i], to);
		fputc('\n', to);
	}
}
