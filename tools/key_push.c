/* SPDX-License-Identifier: GPL-3.0-or-later */
/* stockade key push: copy the key to nodes and hypervisors. Each host by itself: a failure at one leaves the others right. */
#include <string.h>

#include "tools/cli.h"
#include "tools/key.h"

static const struct {
	const char *done, *text, *remedy;
	bool ok;
} results[] = {
	{ "made", "copied", NULL, true },
	{ "same", "has it already", NULL, true },
	{ "mended", "has it already; owner and mode set right", NULL, true },
	{ "replaced", "copied, over another key", NULL, true },
	{ "differs", "holds another key: left as it is",
	  "stockade key push --replace copies over it; stockade key rotate changes a key in use without a gap",
	  false },
};

/* Return: is this host right now? */
static bool push_to(struct key_run *r, struct key_peer *p, bool replace, const struct key_bytes *k,
		    json_t *rows)
{
	char why[KEY_WHY] = "";
	const char *text = NULL, *remedy = NULL, *result = "failed";
	bool ok = false;
	/* the file may become known with the identity */
	int e = key_identify(r, p, why);

	if (e == 0)
		e = key_order(r, p, replace ? KEY_REPLACE : KEY_PUT, p->file[0] ? p->file : r->file,
			      k, why);
	for (size_t i = 0; e == 0 && i < sizeof(results) / sizeof(results[0]); i++)
		if (strcmp(p->facts.done, results[i].done) == 0) {
			result = results[i].done;
			text = results[i].text;
			remedy = results[i].remedy;
			ok = results[i].ok;
		}
	if (ok && p->hypervisor) {
		e = key_order(r, p, KEY_RELOAD, p->file[0] ? p->file : r->file, NULL, why);
		ok = e == 0;
		if (e == 0 && strcmp(p->facts.done, "none") == 0 && strcmp(result, "same") != 0)
			remedy =
				"no stockade-virtd runs there: start it, or restart fence_virtd, which reads its key only then";
	}
	if (e < 0)
		result = "failed";
	json_array_append_new(rows, json_pack("{s:s,s:s,s:s,s:s?,s:s,s:b,s:s,s:s?}", "kind",
					      p->hypervisor ? "hypervisor" : "node", "name",
					      p->name, "file", p->file[0] ? p->file : r->file,
					      "host", p->identified ? p->facts.host : NULL,
					      "result", result, "ok", ok, "text",
					      e < 0  ? why
					      : text ? text
						     : "?",
					      "remedy", remedy));
	return ok;
}

int key_push_run(struct key_run *r, bool replace, bool some)
{
	static struct key_file now;
	struct key_state state;
	struct key_warnings w;
	unsigned bad = 0, hypervisors = 0;
	json_t *rows, *o;
	size_t i;

	if (key_state_read(r->file, &state) != 0) {
		key_say("a rotation of this key is under way; it copies what it needs itself",
			"stockade key rotate goes on with it, stockade key rotate --abort goes back");
		return EXIT_REFUSED;
	}
	key_file_read(r->file, &now);
	if (now.key.len == 0)
		return key_say(now.error ? strerror(now.error) : "there is no key here to copy",
			       "stockade key new makes one");
	key_warn(&now, &w);
	for (unsigned k = 0; k < w.n && !r->json; k++)
		if (w.v[k].bad)
			fprintf(stderr, "stockade: warning: %s: %s\n  to do: %s\n", r->file,
				w.v[k].text, w.v[k].remedy);
	rows = json_array();
	for (unsigned k = 0; k < r->n; k++) {
		if (r->peer[k].self)
			continue;
		hypervisors += r->peer[k].hypervisor;
		bad += !push_to(r, &r->peer[k], replace, &now.key, rows);
		o = json_array_get(rows, json_array_size(rows) - 1);
		if (r->json)
			continue;
		char first[160];

		snprintf(first, sizeof(first),
			 "%s%-6s%s %s %s: ", js_true(o, "ok") ? green() : red(),
			 js_true(o, "ok") ? "ok" : "FAILED", plain(), js_text(o, "kind", ""),
			 js_text(o, "name", ""));
		print_wrapped(stdout, first, "       ", js_text(o, "text", ""));
		if (js_str(o, "remedy"))
			print_wrapped(stdout, "       to do: ", "              ",
				      js_str(o, "remedy"));
		fflush(stdout);
	}
	key_forget(&now.key);
	i = json_array_size(rows);
	if (r->json) {
		print_json(json_pack("{s:i,s:b,s:s,s:o}", "proto", 1, "ok", bad == 0, "file",
				     r->file, "hosts", rows));
	} else {
		json_decref(rows);
		if (i == 0)
			return usage_error(
				"there is nobody to copy it to: name hypervisors with --hypervisor HOST");
		if (hypervisors == 0 && !some)
			puts("no hypervisor is named (--hypervisor HOST, or hypervisors: in the fence device): its copy is yours to make");
		if (bad)
			printf("%u of %zu hosts are not right; the others are\n", bad, i);
		else
			printf("%zu hosts have it; stockade key verify proves that they use it\n",
			       i);
	}
	return bad ? EXIT_FAILED : EXIT_OK;
}
