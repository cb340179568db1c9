# SPDX-License-Identifier: GPL-3.0-or-later
# sim/: every core on virtual time, the world drawn from a seed.

# The cores once more, with room for three nodes: see search.h.
noinst_PROGRAMS += %reldir%/search
%C%_search_SOURCES = %reldir%/search.c %reldir%/search.h %reldir%/search_dlm.c %reldir%/search_fence.c \
	%reldir%/search_net.c %reldir%/search_storage.c \
	$(dlm_core_libdlm_core_la_SOURCES) $(fenced_core_libfence_core_la_SOURCES) \
	$(storaged_core_libstoraged_core_la_SOURCES) $(lib_libstockade_base_la_SOURCES)
%C%_search_CPPFLAGS = $(AM_CPPFLAGS) -DSEARCH_SMALL -Dcalloc=search_calloc -Dfree=search_free
%C%_search_LDADD = %reldir%/libtrace.la

# What happened in a world: text, JSON, and a page for a browser, whose parts become lines of C.
noinst_LTLIBRARIES += %reldir%/libtrace.la
%C%_libtrace_la_SOURCES = %reldir%/html.c %reldir%/html.h %reldir%/trace.c %reldir%/trace.h
nodist_%C%_libtrace_la_SOURCES = %reldir%/page.inc
EXTRA_DIST += %reldir%/page/page.html %reldir%/page/page.css %reldir%/page/model.js %reldir%/page/draw.js \
	%reldir%/page/ui.js
%reldir%/html.lo: %reldir%/page.inc
CLEANFILES += %reldir%/page.inc
%reldir%/page.inc: %reldir%/page/page.html %reldir%/page/page.css %reldir%/page/model.js %reldir%/page/draw.js %reldir%/page/ui.js
	$(AM_V_GEN)$(MKDIR_P) %reldir% && ( \
	quote() { sed -e 's/\\/\\\\/g' -e 's/"/\\"/g' -e 's/^/	"/' -e 's/$$/\\n",/' "$$@"; }; cd $(srcdir)/%reldir%/page && \
	echo 'static const char *const page_css[] = {' && quote page.css && echo '	NULL };' && \
	echo 'static const char *const page_body[] = {' && quote page.html && echo '	NULL };' && \
	echo 'static const char *const page_script[] = {' && quote model.js draw.js ui.js && echo '	NULL };' ) >$@.new && mv $@.new $@

check_PROGRAMS += tests/unit/sim_trace
tests_unit_sim_trace_SOURCES = tests/unit/sim_trace.c
tests_unit_sim_trace_LDADD = %reldir%/libtrace.la $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/sim_html
tests_unit_sim_html_SOURCES = tests/unit/sim_html.c
tests_unit_sim_html_LDADD = %reldir%/libtrace.la $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/record
tests_unit_record_SOURCES = tests/unit/record.c tests/fuzz/text.c tools/key_words.c tools/corosync_conf.c
tests_unit_record_LDADD = fence_agents/doctor/core/libdoctor-core.la lib/shell/libstockade-shell.la storaged/drivers/libstoraged-drivers.la fenced/core/libfence-core.la dlm/core/libdlm-core.la storaged/core/libstoraged-core.la \
	tests/fuzz/libfuzz.la lib/libstockade-base.la $(SHELL_LIBS) $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/replay
tests_unit_replay_SOURCES = tests/unit/replay.c sim/replay.c sim/replay.h sim/replay_core.c
tests_unit_replay_LDADD = fenced/core/libfence-core.la dlm/core/libdlm-core.la storaged/core/libstoraged-core.la \
	lib/shell/libstockade-shell.la lib/libstockade-base.la $(SHELL_LIBS) $(CMOCKA_LIBS)

# The one world.
noinst_PROGRAMS += %reldir%/sim
%C%_sim_SOURCES = %reldir%/acts.c %reldir%/agents.c %reldir%/check.c %reldir%/check.h %reldir%/check_dlm.c \
	%reldir%/check_drill.c %reldir%/check_fence.c %reldir%/check_locks.c %reldir%/check_storage.c %reldir%/clients.c %reldir%/disk.c %reldir%/dog.c %reldir%/drivers.c \
	%reldir%/host_dlm.c %reldir%/host_fence.c %reldir%/host_storage.c %reldir%/link.c %reldir%/main.c \
	%reldir%/net.c %reldir%/net.h %reldir%/node.c %reldir%/plan.c %reldir%/plan.h %reldir%/prng.h \
	%reldir%/question.h %reldir%/question_cut.c %reldir%/question_dog.c %reldir%/replay.c %reldir%/replay.h %reldir%/replay_core.c \
	%reldir%/release.c %reldir%/reserve.c %reldir%/shrink.c %reldir%/shrink.h %reldir%/story.c %reldir%/stub.c %reldir%/vlock.c %reldir%/world.c %reldir%/world.h
%C%_sim_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=wire_w_close
%C%_sim_LDADD = %reldir%/libtrace.la fenced/core/libfence-core.la dlm/core/libdlm-core.la storaged/core/libstoraged-core.la \
	lib/libstockade-base.la
