/* SPDX-License-Identifier: GPL-3.0-or-later */
/* fenced/core/fence_record.c - the tables of fence_record.h. */
#include "fence_record.h"

#include <errno.h>
#include <string.h>

#define T struct fence_path
RECORD_TYPE(record_path, RECORD(n_levels), RECORD_ARRAY(n_devices), RECORD_ARRAY(watchdog),
	    RECORD_ARRAY(no_on), RECORD_ARRAY(storage));
#undef T

#define T struct fence_looped
RECORD_TYPE(record_looped, RECORD(n), RECORD_ARRAY(age_ms));
#undef T

#define T struct fence_tested
RECORD_TYPE(record_tested, RECORD(number), RECORD(wall_s));
#undef T

#define T struct fence_drill
RECORD_TYPE(record_drill, RECORD(number), RECORD(wall_s), RECORD(kind), RECORD(level),
	    RECORD(tested), RECORD_STRUCT_ARRAY(levels, record_tested));
#undef T

#define T struct fence_kept
RECORD_TYPE(record_kept, RECORD_STRUCT(life, record_incarnation), RECORD(attested), RECORD(text));
#undef T

#define T struct fence_config
RECORD_TYPE(record_config, RECORD_STRUCT(self, record_incarnation), RECORD(nodes), RECORD(hash),
	    RECORD(reboot), RECORD_STRUCT_ARRAY(path, record_path), RECORD(cut_delay_ms),
	    RECORD(post_join_ms), RECORD(absent_ms), RECORD(retry_min_ms), RECORD(retry_max_ms),
	    RECORD(ready_interval_ms), RECORD(ready_age_ms), RECORD(confirm_ms), RECORD(stall_ms),
	    RECORD(hurry_alone_ms), RECORD(hurry_ms), RECORD_STRUCT(stored_view, record_view_id),
	    RECORD(n_stored), RECORD_STRUCT_ARRAY_N(stored, n_stored, record_proof),
	    RECORD_STRUCT(kept_view, record_view_id), RECORD(n_kept),
	    RECORD_STRUCT_ARRAY_N(kept, n_kept, record_kept), RECORD(dog_grace_ms),
	    RECORD(dog_margin_ms), RECORD(word_fresh_ms), RECORD(no_disk), RECORD(dog_not_storage),
	    RECORD(dog_not_daemons), RECORD(loop_max), RECORD(loop_ms), RECORD(held),
	    RECORD_STRUCT_ARRAY(fenced, record_looped), RECORD(drill_wait_ms),
	    RECORD_STRUCT_ARRAY(drill, record_drill));
#undef T

/* ---- events ---- */
#define T struct fence_event
RECORD_PART(common, RECORD(now_ms), RECORD(wall_s));
RECORD_PART(record_gateway, RECORD(gateway));
RECORD_PART(record_admit, RECORD(admit));
RECORD_PART(record_watchdog, RECORD(armed_ms));
RECORD_PART(record_daemons, RECORD(mute));
#undef T

#define T struct fence_view
RECORD_TYPE(record_view, RECORD_STRUCT(id, record_view_id), RECORD(quorate), RECORD(two_node),
	    RECORD(nodes), RECORD(members), RECORD(joined), RECORD(left_nodedown),
	    RECORD(left_other));
#undef T

#define T typeof(((struct fence_event *)0)->deliver)
RECORD_TYPE(record_deliver, RECORD(from), RECORD_DATA(data, len));
#undef T

#define T typeof(((struct fence_event *)0)->run_done)
RECORD_TYPE(record_run_done, RECORD(run), RECORD(answer), RECORD(text));
#undef T

#define T typeof(((struct fence_event *)0)->ready_done)
RECORD_TYPE(record_ready_done, RECORD(check), RECORD(ok), RECORD(text));
#undef T

#define T typeof(((struct fence_event *)0)->request)
RECORD_TYPE(record_request, RECORD(node), RECORD(text), RECORD(drill), RECORD(level));
#undef T

#define T typeof(((struct fence_event *)0)->ack)
RECORD_TYPE(record_ack, RECORD(node), RECORD(force), RECORD(text));
#undef T

#define T typeof(((struct fence_event *)0)->attest)
RECORD_TYPE(record_attest, RECORD_STRUCT(life, record_incarnation), RECORD(dying), RECORD(text));
#undef T

#define T struct fence_event
static const struct record_case *event_case(int type)
{
	switch ((enum fence_event_type)type) {
	case FENCE_EV_VIEW: RECORD_CASE("view", view, record_view)
	case FENCE_EV_LOST: RECORD_CASE_BARE("lost")
	case FENCE_EV_DELIVER: RECORD_CASE("deliver", deliver, record_deliver)
	case FENCE_EV_RUN_DONE: RECORD_CASE("run_done", run_done, record_run_done)
	case FENCE_EV_READY_DONE: RECORD_CASE("ready_done", ready_done, record_ready_done)
	case FENCE_EV_SIGNS: RECORD_CASE("signs", signs, record_fence_signs)
	case FENCE_EV_REQUEST: RECORD_CASE("request", request, record_request)
	case FENCE_EV_ACK: RECORD_CASE("ack", ack, record_ack)
	case FENCE_EV_LEAVE: RECORD_CASE_BARE("leave")
	case FENCE_EV_READY: RECORD_CASE_BARE("ready")
	case FENCE_EV_GATEWAY: RECORD_CASE_WHOLE("gateway", record_gateway)
	case FENCE_EV_WATCHDOG: RECORD_CASE_WHOLE("watchdog", record_watchdog)
	case FENCE_EV_DAEMONS: RECORD_CASE_WHOLE("daemons", record_daemons)
	case FENCE_EV_ADMIT: RECORD_CASE_WHOLE("admit", record_admit)
	case FENCE_EV_TIMEOUT: RECORD_CASE_BARE("timeout")
	case FENCE_EV_ATTEST: RECORD_CASE("attest", attest, record_attest)
	}
	return NULL;
}
static const struct record_union events = { sizeof(T), offsetof(T, type), &common, event_case };
#undef T

/* ---- actions ---- */
struct send { /* the bytes are beside the list */
	const void *bytes;
	size_t len;
};
#define T struct send
RECORD_TYPE(record_send, RECORD_DATA(bytes, len));
#undef T

#define T typeof(((struct fence_action *)0)->run)
RECORD_TYPE(record_run, RECORD(run), RECORD(node), RECORD(level), RECORD(device), RECORD(action),
	    RECORD(attempt));
#undef T

#define T struct fence_action
RECORD_PART(record_cancel, RECORD(cancel));
#undef T

#define T typeof(((struct fence_action *)0)->hurry)
RECORD_TYPE(record_hurry, RECORD(over), RECORD(again));
#undef T

#define T typeof(((struct fence_action *)0)->check)
RECORD_TYPE(record_check, RECORD(check), RECORD(node), RECORD(level), RECORD(device), RECORD(on));
#undef T

#define T typeof(((struct fence_action *)0)->ack)
RECORD_TYPE(record_ack_done, RECORD(node), RECORD(rc), RECORD(text));
#undef T

#define T typeof(((struct fence_action *)0)->history)
RECORD_TYPE(record_history, RECORD(note), RECORD(node), RECORD(by), RECORD(number), RECORD(ms),
	    RECORD(reason), RECORD(kind), RECORD(text));
#undef T

#define T struct fence_action
static const struct record_case *action_case(int type)
{
	switch ((enum fence_action_type)type) {
	case FENCE_ACT_SEND: RECORD_CASE_BARE("send")
	case FENCE_ACT_RUN: RECORD_CASE("run", run, record_run)
	case FENCE_ACT_CANCEL_RUN: RECORD_CASE_WHOLE("cancel_run", record_cancel)
	case FENCE_ACT_CHECK: RECORD_CASE("check", check, record_check)
	case FENCE_ACT_PUBLISH: RECORD_CASE_BARE("publish")
	case FENCE_ACT_STORE: RECORD_CASE_BARE("store")
	case FENCE_ACT_REBOOT_SELF: RECORD_CASE_BARE("reboot_self")
	case FENCE_ACT_LEFT: RECORD_CASE_BARE("left")
	case FENCE_ACT_ACK_DONE: RECORD_CASE("ack_done", ack, record_ack_done)
	case FENCE_ACT_HURRY: RECORD_CASE("hurry", hurry, record_hurry)
	case FENCE_ACT_HISTORY: RECORD_CASE("history", history, record_history)
	}
	return NULL;
}
static const struct record_union actions = { sizeof(T), offsetof(T, type), NULL, action_case };
#undef T

RECORD_CORE(fence, true)

void fence_record_action(struct record_w *w, const struct fence_actions *out, unsigned i)
{
	const struct send send = { out->msg, out->msg_len };

	record_w_union(w, &actions, &out->v[i]);
	if (out->v[i].type == FENCE_ACT_SEND)
		record_w_fields(w, &record_send, &send);
}

const struct record_type *const fence_record_types[] = {
	&record_path,    &record_looped,   &record_tested,
	&record_drill,   &record_config,   &record_view,
	&record_deliver, &record_run_done, &record_ready_done,
	&record_request, &record_ack,      &record_send,
	&record_run,     &record_check,    &record_ack_done,
	&record_hurry,   &record_history,  NULL
};
