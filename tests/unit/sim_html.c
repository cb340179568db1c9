/* SPDX-License-Identifier: GPL-3.0-or-later */
/* sim/html: one file that needs nothing else, holds every event, and cannot be broken by what a text says. Where there is a
 * Chromium, it opens the page: the script must have given every event its place. HTML_OUT=FILE keeps the page to look at.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "sim/html.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define EVIL "</script><script>alert(1)</script> \"q\" \\ & <!-- \x01 \xff"

static struct trace *t;
static uint64_t now;

static void put(uint64_t later_ms, struct trace_say say, const char *text)
{
	now += later_ms;
	say.ms = now;
	trace_put(t, &say, "%s", text);
}

#define PUT(later, text, ...) put(later, (struct trace_say){ __VA_ARGS__ }, text)
#define SET(...) nodes_of((const uint32_t[]){ __VA_ARGS__, 0 })

static struct nodeset nodes_of(const uint32_t *id)
{
	struct nodeset s = NODESET_EMPTY;

	for (; *id; id++)
		nodeset_add(&s, *id);
	return s;
}

static void begins(void)
{
	for (uint32_t n = 1; n <= 3; n++) {
		PUT(0, "", .node = n, .kind = TRACE_NODE, .state = TRACE_IS_BOOTS);
		PUT(700, "life 1", .node = n, .kind = TRACE_NODE, .state = TRACE_IS_RUNS);
		for (unsigned d = 0; d < 3; d++)
			PUT(20, "", .node = n, .kind = TRACE_PROCESS, .state = TRACE_IS_UP,
			    .name = ((const char *[]){ "fenced", "dlmd", "storaged" })[d]);
	}
	for (uint32_t n = 1; n <= 3; n++)
		for (unsigned d = 0; d < 3; d++) {
			const char *name = ((const char *[]){ "fenced", "dlmd", "storaged" })[d];

			PUT(3, "", .node = n, .kind = TRACE_VIEW, .state = TRACE_IS_SYNCING,
			    .members = SET(1, 2, 3), .number = 4, .name = name);
			PUT(40, "", .node = n, .kind = TRACE_VIEW, .state = TRACE_IS_QUORATE,
			    .members = SET(1, 2, 3), .number = 4, .name = name);
		}
	PUT(300, "by hand", .node = 1, .kind = TRACE_OPERATOR, .name = "enable web");
}

static void serves(uint32_t n, uint64_t epoch)
{
	PUT(10, "", .node = n, .kind = TRACE_LOCK, .state = TRACE_IS_WAITING, .mode = 5,
	    .name = "volume:data");
	PUT(12, "", .node = n, .kind = TRACE_LOCK, .state = TRACE_IS_GRANTED, .mode = 5,
	    .name = "volume:data");
	PUT(5, "placed by the plan", .node = n, .kind = TRACE_SERVICE, .state = TRACE_IS_STARTING,
	    .name = "web");
	PUT(1, "", .node = n, .kind = TRACE_DRIVER, .state = TRACE_IS_ASKED, .name = "start data");
	PUT(90, "", .node = n, .kind = TRACE_VOLUME, .state = TRACE_IS_CLAIMED, .number = epoch,
	    .name = "data");
	PUT(60, "", .node = n, .kind = TRACE_VOLUME, .state = TRACE_IS_ACTIVE, .number = epoch,
	    .name = "data");
	PUT(20, "", .node = n, .kind = TRACE_DRIVER, .state = TRACE_IS_DONE, .name = "start data");
	PUT(30, "", .node = n, .kind = TRACE_SERVICE, .state = TRACE_IS_RUNNING, .name = "web");
	for (unsigned i = 0; i < 6; i++)
		PUT(180, "", .node = n, .kind = TRACE_WRITE, .state = TRACE_IS_LANDED,
		    .number = epoch, .name = "data");
}

/* Node 1 serves and freezes; node 2 takes over after a lying device said off; node 1 thaws and writes. */
static void story(void)
{
	begins();
	serves(1, 1);
	PUT(60000, "", .node = 1, .kind = TRACE_FAULT, .state = TRACE_IS_BEGINS, .name = "freeze");
	PUT(0, "", .node = 1, .kind = TRACE_NODE, .state = TRACE_IS_FROZEN);
	PUT(2200, "", .node = 2, .kind = TRACE_VIEW, .state = TRACE_IS_QUORATE,
	    .members = SET(2, 3), .number = 8, .name = "fenced");
	PUT(1, "", .node = 3, .kind = TRACE_VIEW, .state = TRACE_IS_QUORATE, .members = SET(2, 3),
	    .number = 8, .name = "fenced");
	PUT(4, "it left corosync's membership", .node = 1, .kind = TRACE_VICTIM,
	    .state = TRACE_IS_VICTIM, .peer = 2);
	PUT(1, "", .node = 2, .kind = TRACE_SENT, .name = "ATTEMPT", .number = 77);
	PUT(2, "", .node = 3, .kind = TRACE_DELIVERED, .name = "ATTEMPT", .number = 77, .peer = 2);
	PUT(1, "", .node = 2, .kind = TRACE_TIMER, .name = "fenced");
	PUT(3, "", .node = 2, .kind = TRACE_FENCE, .state = TRACE_IS_ASKED, .name = "off 0.0",
	    .peer = 1, .number = 5);
	PUT(900, "", .node = 2, .kind = TRACE_FENCE, .state = TRACE_IS_TIMEOUT, .name = "off 0.0",
	    .peer = 1, .number = 5);
	PUT(3, "", .node = 2, .kind = TRACE_FENCE, .state = TRACE_IS_ASKED, .name = "off 1.0",
	    .peer = 1, .number = 6);
	PUT(800, "", .node = 2, .kind = TRACE_FENCE, .state = TRACE_IS_DONE, .name = "off 1.0",
	    .peer = 1, .number = 6);
	PUT(2, "off_verified", .node = 2, .kind = TRACE_PROOF, .name = "off_verified", .peer = 1);
	PUT(1, "", .node = 1, .kind = TRACE_VICTIM, .state = TRACE_IS_DEAD, .peer = 2);
	PUT(5, EVIL, .node = 2, .kind = TRACE_NOTE, .name = EVIL);
	serves(2, 2);
	PUT(400, "", .node = 1, .kind = TRACE_FAULT, .state = TRACE_IS_ENDS, .name = "freeze");
	PUT(0, "", .node = 1, .kind = TRACE_NODE, .state = TRACE_IS_RUNS);
	PUT(15, "a write in flight", .node = 1, .kind = TRACE_WRITE, .state = TRACE_IS_LANDED,
	    .number = 1, .name = "data");
	PUT(0, "node 1 (life 1) wrote in epoch 1 while node 2 owns epoch 2", .node = 1,
	    .kind = TRACE_BROKEN, .name = "SAFE-1");
}

static char *page(void)
{
	char *buf = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&buf, &len);

	assert_non_null(f);
	html_write(t, f);
	fclose(f);
	return buf;
}

static int setup(void **state)
{
	(void)state;
	t = trace_new(4096);
	assert_non_null(t);
	trace_set_about(t, &(struct trace_about){ .title = "a test " EVIL,
						  .again = "build/sim/sim --seed 1",
						  .n_nodes = 3 });
	now = 0;
	story();
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	t = trace_free(t);
	return 0;
}

static unsigned count(const char *text, const char *what)
{
	unsigned n = 0;

	for (; (text = strstr(text, what)); text += strlen(what))
		n++;
	return n;
}

static void page_is_whole_and_needs_nothing_else(void **state)
{
	char *p = page();

	(void)state;
	assert_ptr_equal(strstr(p, "<!DOCTYPE html>"), p);
	assert_string_equal(p + strlen(p) - strlen("</body>\n</html>\n"), "</body>\n</html>\n");
	for (unsigned i = 0; i < 6; i++) {
		static const char *const tag[] = {
			"html", "head", "body", "main", "aside", "style"
		};
		char open[16], close[16];

		snprintf(open, sizeof(open), "<%s", tag[i]);
		snprintf(close, sizeof(close), "</%s>", tag[i]);
		assert_int_equal(count(p, close), 1);
		assert_true(count(p, open) >= 1);
	}
	/* nothing is fetched from anywhere */
	assert_int_equal(count(p, "http://") + count(p, "https://") + count(p, "src=") +
				 count(p, "@import") + count(p, "url("),
			 0);
	free(p);
}

static void every_event_is_in_it(void **state)
{
	char *p = page(), *data = strstr(p, "id=\"trace\">"), *end;

	(void)state;
	assert_non_null(data);
	end = strstr(data, "</script>");
	assert_non_null(end);
	*end = '\0';
	assert_int_equal(count(data, ",\n{\"ms\":"), trace_count(t));
	assert_int_equal(count(data, "\"kind\":\"broken\""), 1);
	free(p);
}

static void no_text_can_end_the_script(void **state)
{
	char *p = page();

	(void)state;
	assert_int_equal(count(p, "</script>"), 2); /* the data, the program */
	assert_int_equal(count(p, "<script"), 2);
	assert_int_equal(count(p, "<!--"), 2); /* page.html's own */
	assert_non_null(strstr(p, "\\u003c/script\\u003e"));
	assert_null(strchr(p, '\x01'));
	free(p);
}

static void a_browser_gives_every_event_its_place(void **state)
{
	char dir[] = "/tmp/sim-html.XXXXXX", path[64], cmd[512], wanted[32], *out = NULL;
	size_t n = 0;

	(void)state;
	if (getenv("HTML_OUT"))
		assert_int_equal(html_save(t, getenv("HTML_OUT")), 0);
	if (access("/usr/bin/chromium", X_OK) != 0)
		skip();
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/page.html", dir);
	assert_int_equal(html_save(t, path), 0);
	snprintf(
		cmd, sizeof(cmd),
		"timeout 120 chromium --headless --no-sandbox --disable-gpu --disable-quic --no-first-run "
		"--disable-background-networking --disable-component-update --disable-sync --user-data-dir=%s/profile "
		"--dump-dom file://%s 2>/dev/null; rm -rf %s",
		dir, path, dir);

	FILE *f = popen(cmd, "r");

	assert_non_null(f);

	ssize_t got = getdelim(&out, &n, '\0', f);

	pclose(f);
	assert_true(got > 0);
	snprintf(wanted, sizeof(wanted), "data-drawn=\"%u\"", trace_count(t));
	assert_non_null(strstr(out, wanted));
	assert_non_null(strstr(out, "SAFE-1 broken"));
	free(out);
}

static void an_unwritable_file_is_told(void **state)
{
	(void)state;
	assert_true(html_save(t, "/nonexistent/page.html") < 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(page_is_whole_and_needs_nothing_else, setup,
						teardown),
		cmocka_unit_test_setup_teardown(every_event_is_in_it, setup, teardown),
		cmocka_unit_test_setup_teardown(no_text_can_end_the_script, setup, teardown),
		cmocka_unit_test_setup_teardown(a_browser_gives_every_event_its_place, setup,
						teardown),
		cmocka_unit_test_setup_teardown(an_unwritable_file_is_told, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
