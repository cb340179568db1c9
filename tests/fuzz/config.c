/* SPDX-License-Identifier: GPL-3.0-or-later */
/* stockade.yaml: refused with words, or sound. */
#include "lib/shell/config.h"
#include "tests/fuzz/target.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	char *text = malloc(len + 1), *messages = NULL;
	size_t size = 0;
	FILE *err = open_memstream(&messages, &size);

	assert(text && err);
	memcpy(text, data, len);
	text[len] = '\0';
	struct config *cfg = config_parse(text, "fuzz.yaml", err);

	fclose(err);
	if (cfg) {
		assert(cfg->n_nodes >= 1 && cfg->n_nodes <= NODES_MAX);
		for (unsigned n = 0; n < cfg->n_nodes; n++) { /* SAFE-6 */
			assert(nodeid_valid(cfg->node[n].id));
			assert(cfg->node[n].n_levels > 0 || cfg->n_nodes == 1);
		}
	} else {
		assert(strstr(messages, "error: "));
	}
	config_free(cfg);
	free(messages);
	free(text);
	return 0;
}
