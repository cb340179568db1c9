/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What callers write to an agent's standard input, the first form of the agents' API: taken whole or refused with words. */
#include "fence_agents/lib/agent_priv.h"
#include "tests/fuzz/target.h"

#include <assert.h>
#include <stdio.h>

static int none(struct agent *a, const char *plug, enum agent_power *ret)
{
	(void)a;
	(void)plug;
	*ret = AGENT_UNKNOWN;
	return 0;
}

static const char *const colors[] = { "red", "green", NULL };

static const struct agent_param params[] = {
	{ .name = "color", .type = AGENT_SELECT, .letter = 'C', .select = colors, .text = "Color" },
	{ .name = "size", .type = AGENT_INTEGER, .min = 2, .max = 9, .text = "Size" },
	{ .name = "wait", .type = AGENT_SECOND, .value = "3", .text = "Wait" },
	{ .name = NULL },
};

static const struct agent_def def = { .name = "fence_toy",
				      .short_text = "A toy",
				      .text = "A toy.",
				      .param = params,
				      .common = AGENT_HAS_PLUG | AGENT_HAS_IP | AGENT_HAS_LOGIN |
						AGENT_HAS_METHOD,
				      .status = none };

int fuzz_agent_stdin(void *arg, const void *buf, size_t len)
{
	struct agent a = { .def = &def };
	FILE *in = len > 0 ? fmemopen((void *)(uintptr_t)buf, len, "r") : fopen("/dev/null", "r");

	(void)arg;
	assert(in);
	agent_table(&a);
	int r = agent_param_stdin(&a, in);

	if (r == 0)
		r = agent_param_check(&a);
	if (r == 0) {
		assert(*agent_get(&a, "action"));
		for (unsigned i = 0; i < a.n_params; i++)
			if (a.value[i].from && a.param[i]->type == AGENT_SELECT)
				assert(agent_get(&a, a.param[i]->name));
		if (agent_given(&a, "size"))
			assert(agent_number(&a, "size") >= 2 && agent_number(&a, "size") <= 9);
	} else {
		assert(*agent_error_text(&a));
	}
	fclose(in);
	agent_param_done(&a);
	return r;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	fuzz_agent_stdin(NULL, data, len);
	return 0;
}
