/* SPDX-License-Identifier: GPL-3.0-or-later */
/* storaged/core/place_record.c - the tables of place_record.h. */
#include "place_record.h"

#define T struct service_config
RECORD_TYPE(record_service, RECORD(name), RECORD(enabled), RECORD(n_order), RECORD_ARRAY(order),
	    RECORD(ordered), RECORD(restricted), RECORD(failback), RECORD(n),
	    RECORD_ARRAY(is_volume), RECORD_ARRAY(volume), RECORD(restarts),
	    RECORD(restart_window_ms));
#undef T

#define T struct service_frame
RECORD_TYPE(record_frame, RECORD(n_nodes), RECORD_ARRAY(nodeid), RECORD_ARRAY(node_name),
	    RECORD(n_services), RECORD_STRUCT_ARRAY(service, record_service), RECORD(n_volumes),
	    RECORD_ARRAY(volume));
#undef T

#define T struct place_config
RECORD_TYPE(record_config, RECORD_STRUCT(frame, record_frame), RECORD(self),
	    RECORD_STRUCT(life, record_incarnation), RECORD(hash), RECORD(tag), RECORD(absent_ms),
	    RECORD(deny_ms), RECORD(hasten_ms), RECORD(stop_ms), RECORD(storage_ms),
	    RECORD(storage_stop_ms), RECORD(storage_turn_ms), RECORD(cool_ms),
	    RECORD(kill_retry_ms), RECORD(prepare_retry_ms), RECORD(unknowns_max), RECORD(intent),
	    RECORD(standby), RECORD_ARRAY(enabled), RECORD_ARRAY(ours));
#undef T

/* ---- events ---- */
#define T typeof(((struct place_event *)0)->view)
RECORD_TYPE(record_view, RECORD_STRUCT(id, record_view_id), RECORD(quorate), RECORD(nodes),
	    RECORD(members), RECORD(left_clean));
#undef T

#define T typeof(((struct place_event *)0)->deliver)
RECORD_TYPE(record_deliver, RECORD(from), RECORD_DATA(data, len));
#undef T

#define T typeof(((struct place_event *)0)->fence)
RECORD_TYPE(record_fence, RECORD_STRUCT_PTR(state, record_fence_state));
#undef T

#define T typeof(((struct place_event *)0)->driver)
RECORD_TYPE(record_driver, RECORD(run), RECORD(result), RECORD(why), RECORD(epoch), RECORD(owner),
	    RECORD(cut_off), RECORD(ours));
#undef T

#define T typeof(((struct place_event *)0)->monitor)
RECORD_TYPE(record_monitor, RECORD(service), RECORD(res), RECORD(result), RECORD(why),
	    RECORD(cut_off));
#undef T

#define T typeof(((struct place_event *)0)->lock)
RECORD_TYPE(record_lock, RECORD(volume), RECORD(held));
#undef T

#define T struct place_look
RECORD_TYPE(record_place_look, RECORD(active), RECORD(text));
#undef T

#define T typeof(((struct place_event *)0)->look)
RECORD_TYPE(record_look, RECORD_STRUCTS(v, record_place_look));
#undef T

#define T typeof(((struct place_event *)0)->disk)
RECORD_TYPE(record_disk, RECORD(volume), RECORD(reach), RECORD(sure), RECORD(ok_ms));
#undef T

#define T typeof(((struct place_event *)0)->command)
RECORD_TYPE(record_command, RECORD(req), RECORD(cmd), RECORD(service), RECORD(node));
#undef T

#define T struct place_event
RECORD_PART(common, RECORD(now_ms));

static const struct record_case *event_case(int type)
{
	typeof(((T *)0)->type) t = (typeof(t))type;

	switch (t) {
	case PLACE_EV_START: RECORD_CASE_BARE("start")
	case PLACE_EV_VIEW: RECORD_CASE("view", view, record_view)
	case PLACE_EV_LOST: RECORD_CASE_BARE("lost")
	case PLACE_EV_DELIVER: RECORD_CASE("deliver", deliver, record_deliver)
	case PLACE_EV_FENCE: RECORD_CASE("fence", fence, record_fence)
	case PLACE_EV_DRIVER: RECORD_CASE("driver", driver, record_driver)
	case PLACE_EV_MONITOR: RECORD_CASE("monitor", monitor, record_monitor)
	case PLACE_EV_LOCK: RECORD_CASE("lock", lock, record_lock)
	case PLACE_EV_COMMAND: RECORD_CASE("command", command, record_command)
	case PLACE_EV_LEAVE: RECORD_CASE_BARE("leave")
	case PLACE_EV_LOOK: RECORD_CASE("look", look, record_look)
	case PLACE_EV_DISK: RECORD_CASE("disk", disk, record_disk)
	case PLACE_EV_TIMEOUT: RECORD_CASE_BARE("timeout")
	}
	return NULL;
}
static const struct record_union events = { sizeof(T), offsetof(T, type), &common, event_case };
#undef T

/* ---- actions ---- */
#define T typeof(((struct place_action *)0)->send)
RECORD_TYPE(record_send, RECORD_DATA(data, len));
#undef T

#define T typeof(((struct place_action *)0)->drive)
RECORD_TYPE(record_drive, RECORD(service), RECORD(res), RECORD(op), RECORD(run), RECORD(epoch),
	    RECORD(released), RECORD(dirty), RECORD(limit_ms));
#undef T

#define T typeof(((struct place_action *)0)->monitor)
RECORD_TYPE(record_watch, RECORD(service), RECORD(on));
#undef T

#define T typeof(((struct place_action *)0)->beat)
RECORD_TYPE(record_beat, RECORD(volume), RECORD(node));
#undef T

#define T typeof(((struct place_action *)0)->fence)
RECORD_TYPE(record_ask, RECORD(node), RECORD(reason));
#undef T

#define T typeof(((struct place_action *)0)->answer)
RECORD_TYPE(record_answer, RECORD(req), RECORD(rc), RECORD(starts), RECORD(text));
#undef T

#define T typeof(((struct place_action *)0)->note)
RECORD_TYPE(record_note, RECORD(note), RECORD(service), RECORD(node), RECORD(took_ms),
	    RECORD(text));
#undef T

#define T typeof(((struct place_action *)0)->cancel)
RECORD_TYPE(record_cancel, RECORD(run));
#undef T

#define T typeof(((struct place_action *)0)->lock)
RECORD_TYPE(record_volume, RECORD(volume));
#undef T

#define T typeof(((struct place_action *)0)->soon)
RECORD_TYPE(record_soon, RECORD(service));
#undef T

#define T typeof(((struct place_action *)0)->reboot)
RECORD_TYPE(record_reboot, RECORD(reason));
#undef T

#define T struct place_action
static const struct record_case *action_case(int type)
{
	typeof(((T *)0)->type) t = (typeof(t))type;

	switch (t) {
	case PLACE_ACT_SEND: RECORD_CASE("send", send, record_send)
	case PLACE_ACT_DRIVE: RECORD_CASE("drive", drive, record_drive)
	case PLACE_ACT_CANCEL: RECORD_CASE("cancel", cancel, record_cancel)
	case PLACE_ACT_LOCK: RECORD_CASE("lock", lock, record_volume)
	case PLACE_ACT_UNLOCK: RECORD_CASE("unlock", lock, record_volume)
	case PLACE_ACT_MONITOR: RECORD_CASE("monitor", monitor, record_watch)
	case PLACE_ACT_BEAT: RECORD_CASE("beat", beat, record_beat)
	case PLACE_ACT_LOOK: RECORD_CASE_BARE("look")
	case PLACE_ACT_SOON: RECORD_CASE("soon", soon, record_soon)
	case PLACE_ACT_FENCE: RECORD_CASE("fence", fence, record_ask)
	case PLACE_ACT_REBOOT: RECORD_CASE("reboot", reboot, record_reboot)
	case PLACE_ACT_STORE: RECORD_CASE_BARE("store")
	case PLACE_ACT_STATE: RECORD_CASE_BARE("state")
	case PLACE_ACT_ANSWER: RECORD_CASE("answer", answer, record_answer)
	case PLACE_ACT_LEFT: RECORD_CASE_BARE("left")
	case PLACE_ACT_NOTE: RECORD_CASE("note", note, record_note)
	}
	return NULL;
}
static const struct record_union actions = { sizeof(T), offsetof(T, type), NULL, action_case };
#undef T

RECORD_CORE(place, ev->type != PLACE_EV_LOOK || ev->look.v)

void place_record_action(struct record_w *w, const struct place_actions *out, unsigned i)
{
	record_w_union(w, &actions, &out->v[i]);
}

const struct record_type *const place_record_types[] = {
	&record_service, &record_frame,   &record_config,  &record_view,  &record_deliver,
	&record_fence,   &record_driver,  &record_monitor, &record_lock,  &record_place_look,
	&record_look,    &record_command, &record_send,    &record_drive, &record_watch,
	&record_beat,    &record_ask,     &record_answer,  &record_note,  &record_cancel,
	&record_volume,  &record_reboot,  &record_soon,    &record_disk,  NULL
};
