/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Text that others print or write: records that are replayed (lib/record.h), what a driver's child says to storaged, what fence agents
 * print (lists, words, metadata), the script that `stockade key` runs on other machines, corosync.conf. The first byte chooses, the
 * rest is the text.
 */
#include "dlm/core/dlm_record.h"
#include "fence_agents/doctor/core/diagnose.h"
#include "fenced/core/fence_record.h"
#include "lib/shell/agent_input.h"
#include "lib/shell/agent_text.h"
#include "storaged/core/place_record.h"
#include "storaged/drivers/driver.h"
#include "tests/fuzz/target.h"
#include "tools/corosync_conf.h"
#include "tools/key.h"

#include <assert.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MEM_MAX 65536

static void driver(const char *text)
{
	struct driver_line line;

	if (driver_line_parse(&line, text) < 0)
		return;
	assert(strlen(line.text) < sizeof(line.text) && strlen(line.remedy) < sizeof(line.remedy));
	/* SAFE-3: a result is one of those that there are */
	if (line.kind == DRIVER_LINE_RESULT)
		assert(*driver_result_name(line.result) != '?');
}

static void record(const char *text, size_t len, unsigned what)
{
	static union {
		struct fence_event fence;
		struct fence_config fence_config;
		struct dlm_event dlm;
		struct dlm_config dlm_config;
		struct place_event place;
		struct place_config place_config;
	} to;
	static _Alignas(16) uint8_t mem[MEM_MAX];
	struct record_r r;
	int rc = 0;

	record_r_init(&r, text, len, mem, sizeof(mem));
	switch (what) {
	case 0: rc = fence_record_read_event(&r, &to.fence); break;
	case 1: rc = fence_record_read_config(&r, &to.fence_config); break;
	case 2: rc = dlm_record_read_event(&r, &to.dlm); break;
	case 3: rc = dlm_record_read_config(&r, &to.dlm_config); break;
	case 4: rc = place_record_read_event(&r, &to.place); break;
	case 5: rc = place_record_read_config(&r, &to.place_config); break;
	}
	assert(rc == 0 || r.err);
}

/* A word of @text as a plug: up to the first byte that stands between words. */
static void agent(const char *text)
{
	char plug[40], said[72], again[72], one[16];
	size_t n = strcspn(text, " \t,;\n");

	agent_last_line(text, said, sizeof(said));
	for (const char *p = said; *p; p++)
		assert(*p >= ' ' && *p <= '~' &&
		       *p != '"'); /* it goes into JSON, and into logs between quotes */
	agent_last_line(said, again, sizeof(again));
	assert(strcmp(said, again) == 0);
	agent_last_line(text, one, sizeof(one));
	assert(strlen(one) < sizeof(one));
	agent_metadata_has(text, "parameter", "plug");
	agent_metadata_has(text, "action", "list");
	doctor_said(DOCTOR_XVM, text);
	if (n == 0 || n >= sizeof(plug))
		return;
	memcpy(plug, text, n);
	plug[n] = '\0';
	assert(agent_listed(text, plug)); /* the first word of the first line */
	for (size_t i = 0; i < n; i++)
		plug[i] = (char)(isupper((unsigned char)plug[i]) ? tolower((unsigned char)plug[i])
								 : toupper((unsigned char)plug[i]));
	assert(agent_listed(text, plug)); /* whatever its case */
	assert(!agent_listed(text + n, "no such plug"));
}

static void facts(const char *text)
{
	static struct key_facts f;
	bool any = key_facts_read(text, &f);

	assert(any || (f.uid == -1 && !f.host[0] && f.n_addresses == 0));
	assert(f.n_addresses <= KEY_ADDRESSES_MAX && f.n_key_files <= 4);
	for (const char *p = f.host; *p; p++)
		assert(isprint((unsigned char)*p));
	for (const char *p = f.error; *p; p++)
		assert(isprint((unsigned char)*p));
}

static void say(void *arg, bool fatal, const char *text)
{
	(void)fatal;
	assert(*text);
	++*(unsigned *)arg;
}

static void corosync(const char *text, size_t len)
{
	static const char yaml[] = "cluster: web\ndetect: 3s\nnodes:\n"
				   "  node1: {id: 1, link0: 192.0.2.11, fence: [{vm: node1}]}\n"
				   "  node2: {id: 2, link0: 192.0.2.12, fence: [{vm: node2}]}\n"
				   "fence_devices:\n  vm: {agent: fence_xvm}\n";
	static struct config *cfg;
	static struct corosync_conf conf, again;
	FILE *f = len > 0 ? fmemopen((void *)(uintptr_t)text, len, "r") : fopen("/dev/null", "re");
	unsigned line, said = 0;

	assert(f);
	if (!cfg)
		cfg = config_parse(yaml, "fuzz.yaml", stderr);
	assert(cfg);
	int r = corosync_conf_parse(f, &conf, &line);

	fclose(f);
	assert(conf.n <= COROSYNC_VALUES_MAX && (r == 0) == (line == 0));
	if (r < 0)
		return;
	corosync_conf_compare(&conf, cfg, say, &said);
	corosync_conf_is_package_default(&conf);
	/* a file with nothing of ours in it disagrees */
	assert(said > 0 || corosync_conf_get(&conf, "totem.token"));
	/* what is read is what is there: a value that is read is in the text */
	memset(&again, 0, sizeof(again));
	for (unsigned i = 0; i < conf.n; i++)
		assert(conf.value[i].path[0] &&
		       strlen(conf.value[i].value) < sizeof(again.value[0].value));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	if (len == 0)
		return 0;
	char *text = malloc(len);

	assert(text);
	memcpy(text, data + 1, len - 1);
	text[len - 1] = '\0';
	switch (data[0] % 10) {
	case 6: driver(text); break;
	case 7: agent(text); break;
	case 8: facts(text); break;
	case 9: corosync(text, len - 1); break;
	default: record(text, len - 1, data[0] % 10); break;
	}
	free(text);
	return 0;
}
