/* SPDX-License-Identifier: GPL-3.0-or-later */
/* dlm/core/dlm_record.c - the tables of dlm_record.h. */
#include "dlm_record.h"

#define T struct dlm_config
RECORD_TYPE(record_config, RECORD_STRUCT(self, record_incarnation), RECORD(configured));
#undef T

/* ---- events ---- */
#define T struct dlm_op
RECORD_TYPE(record_op, RECORD(type), RECORD(client), RECORD(cookie), RECORD(pid), RECORD(lkid),
	    RECORD(mode), RECORD(flags), RECORD(has_lvb), RECORD_BYTES(lvb), RECORD(space_len),
	    RECORD(name_len), RECORD_BYTES_N(space, space_len), RECORD_BYTES_N(name, name_len));
#undef T

#define T typeof(((struct dlm_event *)0)->view)
RECORD_TYPE(record_view, RECORD_STRUCT(id, record_view_id), RECORD(quorate), RECORD(nodes),
	    RECORD(members), RECORD(joined));
#undef T

#define T typeof(((struct dlm_event *)0)->deliver)
RECORD_TYPE(record_deliver, RECORD(from), RECORD_DATA(data, len));
#undef T

#define T struct dlm_event
RECORD_PART(common, RECORD(now_ms));
RECORD_PART(record_fence, RECORD_STRUCT_PTR(fence, record_fence_state));
RECORD_PART(record_submit, RECORD_STRUCT_PTR(submit, record_op));

static const struct record_case *event_case(int type)
{
	typeof(((T *)0)->type) t = (typeof(t))type;

	switch (t) {
	case DLM_EV_VIEW: RECORD_CASE("view", view, record_view)
	case DLM_EV_DELIVER: RECORD_CASE("deliver", deliver, record_deliver)
	case DLM_EV_FENCE: RECORD_CASE_WHOLE("fence", record_fence)
	case DLM_EV_SUBMIT: RECORD_CASE_WHOLE("submit", record_submit)
	case DLM_EV_LEAVE: RECORD_CASE_BARE("leave")
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

#define T typeof(((struct dlm_action *)0)->reply)
RECORD_TYPE(record_reply, RECORD(client), RECORD(cookie), RECORD(rc), RECORD(lkid));
#undef T

#define T typeof(((struct dlm_action *)0)->done)
RECORD_TYPE(record_done, RECORD(client), RECORD(lkid), RECORD(status), RECORD(sbflags),
	    RECORD(gone), RECORD(lvb_read), RECORD(mode), RECORD(token), RECORD_BYTES(lvb));
#undef T

#define T typeof(((struct dlm_action *)0)->blocking)
RECORD_TYPE(record_blocking, RECORD(client), RECORD(lkid), RECORD(mode));
#undef T

#define T typeof(((struct dlm_action *)0)->life)
RECORD_TYPE(record_life, RECORD_STRUCT(life, record_incarnation), RECORD(state), RECORD(proof),
	    RECORD(n));
#undef T

#define T struct dlm_action
RECORD_PART(record_synced, RECORD(synced));

static const struct record_case *action_case(int type)
{
	typeof(((T *)0)->type) t = (typeof(t))type;

	switch (t) {
	case DLM_ACT_SEND: RECORD_CASE_BARE("send")
	case DLM_ACT_REPLY: RECORD_CASE("reply", reply, record_reply)
	case DLM_ACT_DONE: RECORD_CASE("done", done, record_done)
	case DLM_ACT_BLOCKING: RECORD_CASE("blocking", blocking, record_blocking)
	case DLM_ACT_SYNCED: RECORD_CASE_WHOLE("synced", record_synced)
	case DLM_ACT_LOST: RECORD_CASE("lost", life, record_life)
	case DLM_ACT_RECOVERED: RECORD_CASE("recovered", life, record_life)
	case DLM_ACT_EVICTED: RECORD_CASE_BARE("evicted")
	case DLM_ACT_LEFT: RECORD_CASE_BARE("left")
	}
	return NULL;
}
static const struct record_union actions = { sizeof(T), offsetof(T, type), NULL, action_case };
#undef T

RECORD_CORE(dlm,
	    (ev->type != DLM_EV_FENCE || ev->fence) && (ev->type != DLM_EV_SUBMIT || ev->submit))

void dlm_record_action(struct record_w *w, const struct dlm_actions *out, unsigned i)
{
	const struct dlm_action *a = &out->v[i];

	record_w_union(w, &actions, a);
	if (a->type == DLM_ACT_SEND) {
		const struct send send = { out->bytes + a->send.off, a->send.len };

		record_w_fields(w, &record_send, &send);
	}
}

const struct record_type *const dlm_record_types[] = {
	&record_config, &record_op,   &record_view,     &record_deliver, &record_send,
	&record_reply,  &record_done, &record_blocking, &record_life,    NULL
};
