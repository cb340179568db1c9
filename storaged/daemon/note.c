/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The history: names of events and keys as in doc/protocol.md. */
#include "daemon.h"

#include "lib/shell/log.h"

#include <stdio.h>
#include <string.h>

static const char *event_name(enum place_note n)
{
	switch (n) {
	case PLACE_NOTE_VIEW_LOST: return "view.lost";
	case PLACE_NOTE_LOST: return "service.lost";
	case PLACE_NOTE_PLACED: return "service.place";
	case PLACE_NOTE_MOVE: return "service.move";
	case PLACE_NOTE_NO_MOVE: return "service.nomove";
	case PLACE_NOTE_GATE_OPEN: return "service.start";
	case PLACE_NOTE_RUNNING: return "service.running";
	case PLACE_NOTE_STOP: return "service.stop";
	case PLACE_NOTE_STOPPED: return "service.stopped";
	case PLACE_NOTE_FAILED: return "service.fail";
	case PLACE_NOTE_FOREIGN: return "service.foreign";
	case PLACE_NOTE_HALT: return "self.stop";
	case PLACE_NOTE_DENY: return "self.deny";
	case PLACE_NOTE_HASTEN: return "self.kill";
	case PLACE_NOTE_RESUME: return "self.resume";
	case PLACE_NOTE_COMMAND: return "operator";
	case PLACE_NOTE_STRAY: return "volume.stray";
	case PLACE_NOTE_STRAY_GONE: return "volume.stray_gone";
	case PLACE_NOTE_DIFFERS: return "config.differs";
	case PLACE_NOTE_BLIND: return "volume.unreached";
	case PLACE_NOTE_REACHED: return "volume.reached";
	case PLACE_NOTE_LOST_KILL: return "volume.hasten";
	}
	return "?";
}

/* Until the reboot that ends what hangs (SAFE-7). */
static uint64_t reboot_ms(const struct daemon *d)
{
	uint64_t now = mono_ms();
	struct place_summary s;

	place_summary(d->place, &s);
	return s.halt_end_ms != UINT64_MAX && s.halt_end_ms > now ? s.halt_end_ms - now : 0;
}

void note(struct daemon *d, const struct place_action *act)
{
	enum place_note n = act->note.note;
	const char *svc = act->note.service >= 0 ? d->cfg->service[act->note.service].name : NULL;
	const char *node = act->note.node ? node_name(d, act->note.node) : NULL;
	const char *text = act->note.text ? act->note.text : "";
	const char *event = event_name(n);
	json_t *o = json_object();

	if (svc)
		json_object_set_new(o, "service", json_string(svc));
	switch (n) {
	case PLACE_NOTE_VIEW_LOST:
		json_object_set_new(o, "victim", json_string(node));
		history_add(d->history, event, o, "%s fell out of the membership", node);
		return;
	case PLACE_NOTE_LOST:
		json_object_set_new(o, "victim", json_string(node));
		history_add(d->history, event, o, "%s was on %s, which is gone without a goodbye",
			    svc, node);
		return;
	case PLACE_NOTE_PLACED:
		json_object_set_new(o, "to", json_string(node));
		json_object_set_new(o, "reason", json_string(text));
		history_add(d->history, event, o, "%s is placed on %s: %s", svc, node, text);
		return;
	case PLACE_NOTE_MOVE:
		json_object_set_new(o, "to", json_string(node));
		json_object_set_new(o, "reason", json_string(text));
		history_add(d->history, event, o, "%s shall move to %s: %s", svc, node, text);
		return;
	case PLACE_NOTE_NO_MOVE:
		json_object_set_new(o, "to", json_string(node));
		json_object_set_new(o, "error", json_string(text));
		history_add(d->history, event, o, "%s does not move to %s: %s", svc, node, text);
		return;
	case PLACE_NOTE_GATE_OPEN: history_add(d->history, event, o, "%s starts here", svc); return;
	case PLACE_NOTE_RUNNING:
		json_object_set_new(o, "took_ms", json_integer((json_int_t)act->note.took_ms));
		history_add(d->history, event, o, "%s runs here", svc);
		return;
	case PLACE_NOTE_STOP:
		json_object_set_new(o, "reason", json_string(text));
		history_add(d->history, event, o, "%s stops here: %s", svc, text);
		return;
	case PLACE_NOTE_STOPPED:
		json_object_set_new(o, "took_ms", json_integer((json_int_t)act->note.took_ms));
		history_add(d->history, event, o, "%s is stopped here", svc);
		return;
	case PLACE_NOTE_FAILED:
		json_object_set_new(o, "error", json_string(text));
		history_add(d->history, event, o, "%s failed here: %s", svc, text);
		return;
	case PLACE_NOTE_FOREIGN:
		json_object_set_new(o, "error", json_string(text));
		history_add(
			d->history, event, o,
			"some of %s is active here, but storaged did not start it; it is being stopped%s%s",
			svc, *text ? ": " : "", text);
		return;
	case PLACE_NOTE_HALT:
		json_object_set_new(o, "reason", json_string(text));
		json_object_set_new(o, "reboot_ms", json_integer((json_int_t)reboot_ms(d)));
		history_add(
			d->history, event, o,
			"everything here stops: %s; what is not let go within %.1f s ends in a reboot of this node",
			text, (double)reboot_ms(d) / 1000.0);
		history_keep(d->history, 0);
		return;
	case PLACE_NOTE_DENY:
	case PLACE_NOTE_HASTEN:
		json_object_set_new(o, "reason", json_string(text));
		json_object_set_new(o, "after_ms", json_integer((json_int_t)act->note.took_ms));
		json_object_set_new(o, "reboot_ms", json_integer((json_int_t)reboot_ms(d)));
		log_warning(event, "reason=\"%s\" after_ms=%llu", text,
			    (unsigned long long)act->note.took_ms);
		history_add(
			d->history, event, o,
			n == PLACE_NOTE_DENY
				? "%s, and something is still held: every write to it fails from now on; reboot in %.1f s if nothing helps"
				: "%s, and something is still held: whoever uses it is killed; reboot in %.1f s if that does not help",
			text, (double)reboot_ms(d) / 1000.0);
		history_keep(d->history, 0); /* what ends this node next may be its watchdog */
		return;
	case PLACE_NOTE_RESUME:
		history_add(d->history, event, o, "this node may run services again");
		return;
	case PLACE_NOTE_COMMAND: { /* "relocate: web moves to node2" */
		char name[48];
		size_t len = strcspn(text, ":");

		snprintf(name, sizeof(name), "%s.%.*s", svc ? "service" : "node",
			 (int)(len < 32 ? len : 32), text);
		if (node)
			json_object_set_new(o, "to", json_string(node));
		history_add(d->history, name, o, "operator: %s", text);
		return;
	}
	case PLACE_NOTE_STRAY: {
		struct place_service ps;

		place_service(d->place, (unsigned)act->note.service, &ps);
		bool runs = ps.group->state == SERVICE_RUNNING;

		log_error("volume.stray", "service=%s node=%s runs=%d text=\"%s\"", svc, node, runs,
			  text);
		json_object_set_new(o, "node", json_string(node));
		json_object_set_new(o, "error", json_string(text));
		history_add(d->history, event, o, "%s%s",
			    runs ? "data is at risk while the service runs: " : "", text);
		return;
	}
	case PLACE_NOTE_STRAY_GONE:
		json_object_set_new(o, "node", json_string(node));
		history_add(d->history, event, o,
			    "no volume of %s is active on %s by hand any more", svc, node);
		return;
	case PLACE_NOTE_BLIND:
		log_warning("volume.unreached", "service=%s node=%s text=\"%s\"", svc, node, text);
		json_object_set_new(o, "node", json_string(node));
		json_object_set_new(o, "error", json_string(text));
		history_add(d->history, event, o, "%s does not reach the storage of %s: %s", node,
			    svc, text);
		return;
	case PLACE_NOTE_REACHED:
		json_object_set_new(o, "node", json_string(node));
		history_add(d->history, event, o, "%s reaches the storage of %s again%s%s", node,
			    svc, *text ? ": " : "", text);
		return;
	case PLACE_NOTE_LOST_KILL:
		json_object_set_new(o, "reason", json_string(text));
		json_object_set_new(o, "after_ms", json_integer((json_int_t)act->note.took_ms));
		history_add(d->history, event, o, "%s: whoever uses %s is killed", text, svc);
		return;
	case PLACE_NOTE_DIFFERS:
		json_object_set_new(o, "node", json_string(node));
		history_add(d->history, event, o, "%s", text);
		return;
	}
	json_decref(o);
}

/* Why this node went down, for whoever finds it up again. Once a boot. */
void note_last_end(struct daemon *d)
{
	const char *event = json_string_value(json_object_get(d->last_end, "event"));
	const char *reason = json_string_value(json_object_get(d->last_end, "reason"));
	const char *wall = json_string_value(json_object_get(d->last_end, "wall"));

	if (!event || !reason || !wall)
		return;
	if (strcmp(event, "self.reboot") == 0)
		snprintf(d->last_end_text, sizeof(d->last_end_text),
			 "this node rebooted itself at %.19s UTC: %s", wall, reason);
	else
		snprintf(
			d->last_end_text, sizeof(d->last_end_text),
			"this node went down after it had begun, at %.19s UTC, to let go of everything: %s",
			wall, reason);
	history_add(d->history, "self.back", json_pack("{s:s}", "reason", reason), "%s",
		    d->last_end_text);
}

void note_step(struct daemon *d, const struct drive_run *r, const struct driver_line *line)
{
	const char *dot = strchr(line->step, '.');
	json_t *o;

	if (!r->run) {
		history_add(d->history, line->step,
			    json_pack("{s:s, s:s, s:I}", "volume", d->cfg->volume[r->volume].name,
				      "step", dot ? dot + 1 : line->step, "took_ms",
				      (json_int_t)line->took_ms),
			    "%s", line->text);
		return;
	}
	o = json_pack("{s:s, s:s, s:s, s:s, s:I, s:I}", "service", d->cfg->service[r->service].name,
		      "resource", frame_res(d, r->service, r->res)->ref, "step",
		      dot ? dot + 1 : line->step, "op", drive_op_name(r->op), "took_ms",
		      (json_int_t)line->took_ms, "extern_ms", (json_int_t)line->extern_ms);
	history_add(d->history, line->step, o, "%s", line->text);
}
