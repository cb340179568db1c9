/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Damaged configurations: none may crash the reader, and what it takes is sound: every index leads somewhere, every node
 * can be fenced, the times are safe.
 */
#include <errno.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/shell/config.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/target.h"

static void expect_sound(const struct config *c)
{
	struct timing t;

	assert_true(c->n_nodes >= 1 && c->n_nodes <= NODES_MAX);
	assert_int_equal(nodeset_count(config_nodes(c)), c->n_nodes);
	assert_int_equal(timing_solve(&c->timing_in, &t, NULL, NULL), 0);
	for (unsigned n = 0; n < c->n_nodes; n++) {
		const struct config_node *node = &c->node[n];

		assert_true(nodeid_valid(node->id) && node->name[0] && node->link[0][0]);
		assert_true(node->n_levels > 0 || c->n_nodes == 1); /* SAFE-6 */
		for (unsigned l = 0; l < node->n_levels; l++) {
			assert_true(node->level[l].n > 0);
			for (unsigned u = 0; u < node->level[l].n; u++)
				assert_true(node->level[l].use[u].device < c->n_devices);
		}
	}
	for (unsigned i = 0; i < c->n_devices; i++)
		assert_true(c->device[i].agent[0]);
	for (unsigned i = 0; i < c->n_volumes; i++)
		assert_true(c->volume[i].file[0] ||
			    (c->volume[i].vg[0] && c->volume[i].lv[0] && c->volume[i].fs &&
			     c->volume[i].mount[0] == '/'));
	for (unsigned i = 0; i < c->n_domains; i++)
		for (unsigned n = 0; n < c->domain[i].n_nodes; n++)
			assert_non_null(config_node_by_id(c, c->domain[i].node[n]));
	for (unsigned i = 0; i < c->n_services; i++) {
		const struct config_service *s = &c->service[i];

		assert_true(s->n_resources > 0 &&
			    (s->domain == UINT_MAX || s->domain < c->n_domains));
		for (unsigned r = 0; r < s->n_resources; r++) {
			assert_true(s->resource[r].ref[0] && s->resource[r].start_ms &&
				    s->resource[r].stop_ms);
			if (s->resource[r].type == CONFIG_RES_VOLUME)
				assert_true(s->resource[r].volume < c->n_volumes);
		}
	}
}

/* Bytes that are no text would all end at the door: turn them into what YAML is made of. */
static char *as_text(const unsigned char *buf, size_t len)
{
	static const char yaml[] = " :{}[],-\"'#%&*!|>?\n\t~@`01a";
	char *text = malloc(len + 1);

	assert_non_null(text);
	for (size_t i = 0; i < len; i++)
		text[i] = buf[i] == '\n' || (buf[i] >= ' ' && buf[i] < 0x7f)
				  ? (char)buf[i]
				  : yaml[buf[i] % (sizeof(yaml) - 1)];
	text[len] = '\0';
	return text;
}

/* One that is refused must say why. */
static int decode(void *arg, const void *buf, size_t len)
{
	char *text = as_text(buf, len), *messages = NULL;
	size_t size = 0;
	FILE *err = open_memstream(&messages, &size);
	struct config *cfg = config_parse(text, "fuzz.yaml", err);
	int r = cfg ? 0 : -EBADMSG;

	(void)arg;
	fclose(err);
	if (cfg)
		expect_sound(cfg);
	else
		assert_non_null(strstr(messages, "error: "));
	config_free(cfg);
	free(messages);
	free(text);
	return r;
}

static void damaged_configurations_are_refused_or_sound(void **state)
{
	const char *top = getenv("top_srcdir");
	char path[PATH_MAX], text[8192];
	struct fuzz_tally tally;
	FILE *f;

	(void)state;
	alarm(600); /* a reader that loops is a failure too */
	snprintf(path, sizeof(path), "%s/doc/stockade.yaml.example", top ? top : "..");
	f = fopen(path, "r");
	assert_non_null(f);
	text[fread(text, 1, sizeof(text) - 1, f)] = '\0';
	fclose(f);
	/* The comments are not worth the time. */
	tally = fuzz_run(&(struct fuzz){ .sample = strstr(text, "cluster: "),
					 .len = strlen(strstr(text, "cluster: ")),
					 .decode = decode,
					 .rounds = 6000 });
	assert_true(tally.taken > 0 && tally.refused > 0);
}

static void corpus_is_read_soundly(void **state)
{
	(void)state;
	assert_true(fuzz_corpus("config") >= 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(corpus_is_read_soundly),
		cmocka_unit_test(damaged_configurations_are_refused_or_sound),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
