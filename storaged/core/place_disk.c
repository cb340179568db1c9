/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Does this node reach its disks, and what follows when it does not (doc/timing.md "A lost storage network").
 *
 * Who owns a volume writes a heartbeat on its disk, who may take it over reads it: each knows by its own I/O, and tells the
 * group (service_fact.reach). Lost is what has been silent for storage_ms, is `sure` to be (its connection has failed, too),
 * and was told again and again to be for half of that time: a machine that stood still, or is starved, knows nothing. An owner
 * that lost its disk gives the service up as soon as another node that may have it says that it does reach it, and has since
 * before (place_disk_heir()); nobody reaches it: all stay as they are, nobody is fenced for it.
 * SAFE-1: the other one starts when this one has let go, verified, or is fenced; being lost is no proof of anything.
 */
#include "place_int.h"

#include <stdio.h>
#include <string.h>

int place_disk_event(struct place *p, const struct place_event *ev)
{
	struct place_disk *d;

	if (ev->disk.volume >= p->cfg.frame.n_volumes || ev->disk.ok_ms > ev->now_ms)
		return -1;
	d = &p->disk[ev->disk.volume];
	switch (ev->disk.reach) {
	case SERVICE_REACH_OK:
		d->reach = SERVICE_REACH_OK;
		d->lost = false;
		break;
	case SERVICE_REACH_LOST:
		if (d->reach != SERVICE_REACH_LOST ||
		    p->now_ms - d->word_ms > p->cfg.storage_ms / 4)
			d->told_ms = p->now_ms;
		d->word_ms = p->now_ms;
		d->ok_ms = ev->disk.ok_ms;
		d->reach = SERVICE_REACH_LOST;
		d->lost = d->lost || (ev->disk.sure && p->now_ms >= d->ok_ms + p->cfg.storage_ms &&
				      p->now_ms >= d->told_ms + p->cfg.storage_ms / 2);
		break;
	case SERVICE_REACH_UNTOLD:
	case SERVICE_REACH_UNKNOWN: d->reach = SERVICE_REACH_UNKNOWN; break; /* lost stays lost */
	}
	return 0;
}

enum service_reach place_disk_reach(const struct place *p, unsigned s)
{
	const struct service_config *c = &p->cfg.frame.service[s];
	enum service_reach all = SERVICE_REACH_UNKNOWN;

	for (unsigned i = 0; i < c->n; i++)
		if (c->is_volume[i] && p->disk[c->volume[i]].lost)
			return SERVICE_REACH_LOST;
	for (unsigned i = 0; i < c->n; i++) {
		if (!c->is_volume[i])
			continue;
		if (p->disk[c->volume[i]].reach != SERVICE_REACH_OK)
			return SERVICE_REACH_UNKNOWN; /* silent, too: nobody counts on it */
		all = SERVICE_REACH_OK;
	}
	return all;
}

/* When did all disks of it answer @node last, as far as this node knows? Of another one's only its word is known, which comes
 * storage_ms later at the earliest. UINT64_MAX: they do. */
static uint64_t ok_of(const struct place *p, unsigned s, uint32_t node)
{
	const struct service_config *c = &p->cfg.frame.service[s];
	int k = service_node_index(&p->cfg.frame, node);
	uint64_t blind, ok = UINT64_MAX;

	if (node != p->cfg.self) {
		blind = k < 0 ? 0 : p->blind_ms[s][k];
		return !blind                      ? UINT64_MAX
		       : blind > p->cfg.storage_ms ? blind - p->cfg.storage_ms
						   : 0;
	}
	if (p->lost_ms[s])
		ok = p->lost_ok_ms[s];
	for (unsigned i = 0; i < c->n; i++)
		if (c->is_volume[i] && p->disk[c->volume[i]].lost &&
		    p->disk[c->volume[i]].ok_ms < ok)
			ok = p->disk[c->volume[i]].ok_ms;
	return ok;
}

/*
 * Who has reached the disks ever since before the owner lost them shows that the loss is the owner's own. Who was back first after
 * an outage of all shows nothing yet: the owner would reach them a moment later, and nobody needs to move. So it has its turn,
 * storage_turn_ms from the word on; by its own clock (SAFE-8), and a late word only makes it longer.
 */
struct place_heir place_disk_heir(const struct place *p, unsigned s, uint32_t owner)
{
	const struct service_frame *f = &p->cfg.frame;
	const struct service *v = &p->group.service[s];
	struct place_heir none = { 0, 0 }, ret = none;
	struct nodeset since = NODESET_EMPTY, again = NODESET_EMPTY;
	uint64_t ok = ok_of(p, s, owner);

	if (!p->synced || !p->agreed)
		return none;
	for (unsigned i = 0; i < f->n_nodes; i++) {
		uint64_t at = p->reach_ms[s][i];

		if (!nodeset_has(nodeset_and(v->reach, p->members), f->nodeid[i]))
			continue;
		nodeset_add(&again, f->nodeid[i]);
		if (at <= ok || at + p->cfg.storage_turn_ms <= p->now_ms)
			nodeset_add(&since, f->nodeid[i]);
	}
	ret.node = service_choose(f, &p->group, s, since, owner);
	if (ret.node)
		return ret;
	ret.turn_ms = UINT64_MAX;
	nodeset_for_each (id, again) {
		uint64_t at = p->reach_ms[s][service_node_index(f, id)] + p->cfg.storage_turn_ms;

		if (at < ret.turn_ms && service_choose(f, &p->group, s, nodeset_of(id), owner)) {
			ret.turn_ms = at;
			ret.node = id;
		}
	}
	return ret.node ? ret : none;
}

uint32_t place_disk_mute(const struct place *p, unsigned s, uint32_t owner)
{
	if (!p->synced || !p->agreed)
		return 0;
	return service_choose(&p->cfg.frame, &p->group, s,
			      nodeset_and(p->group.service[s].mute, p->members), owner);
}

/* Somebody could have it now: reaches its disks, and has for long enough; or does not tell. */
static bool somebody(const struct place *p, unsigned s)
{
	struct place_heir heir = place_disk_heir(p, s, p->cfg.self);

	return (heir.node && !heir.turn_ms) || place_disk_mute(p, s, p->cfg.self);
}

/* What is known of each disk of @s now. */
static void look(struct place *p, unsigned s, const struct runner_status *st)
{
	const struct service_config *c = &p->cfg.frame.service[s];

	for (unsigned i = 0; i < c->n; i++) {
		struct place_disk *d = &p->disk[c->volume[i]];

		if (!c->is_volume[i])
			continue;
		if (d->reach != SERVICE_REACH_OK && st->res[i].prepared_ms > d->told_ms &&
		    (d->lost || d->reach == SERVICE_REACH_LOST)) {
			d->reach = SERVICE_REACH_OK; /* PREPARE has read it since */
			d->lost = false;
		}
		if (!d->lost) {
			d->asked = false;
		} else if (st->res[i].state == RUNNER_RES_STOPPED && !st->go && !d->asked) {
			/* The way back: it logs in anew, and is tried again until it can. */
			d->asked = true;
			place_feed(p, s, (struct runner_event){ .type = RUNNER_EV_PREPARE });
		}
	}
}

static void give_up(struct place *p, unsigned s, uint32_t heir)
{
	const struct service_config *c = &p->cfg.frame.service[s];

	p->lost_ok_ms[s] = ok_of(p, s, p->cfg.self);
	p->lost_ms[s] = p->now_ms;
	p->lost_hastened[s] = false;
	p->lost_failed[s] = true;
	for (unsigned i = 0; i < c->n; i++) {
		const struct place_disk *d = &p->disk[c->volume[i]];
		char why[RUNNER_WHY_MAX];

		if (!c->is_volume[i] || !d->lost)
			continue;
		snprintf(why, sizeof(why),
			 "volume %.60s: its storage has not answered for %u.%u s; %.60s reaches it",
			 p->cfg.frame.volume[c->volume[i]],
			 (unsigned)((p->now_ms - d->ok_ms) / 1000),
			 (unsigned)((p->now_ms - d->ok_ms) / 100 % 10),
			 service_node_name(&p->cfg.frame, heir));
		place_feed(p, s,
			   (struct runner_event){ .type = RUNNER_EV_LOST,
						  .lost = { .res = i, .why = why } });
	}
}

/* When is this node to be fenced, as it does not let go of what it gave up? UINT64_MAX: never, as nobody would have anything of it. */
static uint64_t fence_at(const struct place *p, unsigned s)
{
	uint64_t at = p->lost_ms[s] + p->cfg.storage_stop_ms;

	if (!p->lost_ms[s] || !p->quorate || !p->ours_stored[s] || !somebody(p, s))
		return UINT64_MAX;
	if (p->vain_ms[s] && p->vain_ms[s] + p->cfg.kill_retry_ms + p->cfg.storage_stop_ms > at)
		at = p->vain_ms[s] + p->cfg.kill_retry_ms + p->cfg.storage_stop_ms;
	if (p->fence_self_ms[s] && p->fence_self_ms[s] + p->cfg.kill_retry_ms > at)
		at = p->fence_self_ms[s] + p->cfg.kill_retry_ms;
	return at;
}

/* A KILL that was in vain as nobody reached the disk is tried once more, with time to end, before anybody is fenced for it. */
uint64_t place_disk_stuck_ms(const struct place *p, unsigned s)
{
	uint64_t at = p->fence_self_ms[s] ? p->fence_self_ms[s] + p->cfg.kill_retry_ms : 0;

	if (place_disk_reach(p, s) == SERVICE_REACH_LOST && !somebody(p, s))
		return UINT64_MAX;
	if (p->vain_ms[s] && p->vain_ms[s] + p->cfg.kill_retry_ms + p->cfg.storage_stop_ms > at)
		at = p->vain_ms[s] + p->cfg.kill_retry_ms + p->cfg.storage_stop_ms;
	return at;
}

static uint64_t hasten_at(const struct place *p, unsigned s)
{
	return p->lost_ms[s] && !p->lost_hastened[s] ? p->lost_ms[s] + p->cfg.storage_stop_ms / 3
						     : UINT64_MAX;
}

/* Its turn may have passed while this machine stood still: then it has not tried in that time, and does so now. */
static bool slept(const struct place *p, unsigned s)
{
	const struct service_config *c = &p->cfg.frame.service[s];

	for (unsigned i = 0; i < c->n; i++) {
		const struct place_disk *d = &p->disk[c->volume[i]];

		if (c->is_volume[i] && d->lost && d->reach == SERVICE_REACH_LOST &&
		    (p->now_ms - d->word_ms > p->cfg.storage_ms / 4 ||
		     p->now_ms < d->told_ms + p->cfg.storage_ms / 2))
			return true;
	}
	return false;
}

void place_disk_duty(struct place *p, unsigned s)
{
	const struct service *v = &p->group.service[s];
	struct runner_status st;
	struct place_heir heir;

	if (!service_has_volume(&p->cfg.frame, s))
		return;
	runner_status(p->runner[s], &st);
	look(p, s, &st);
	runner_status(p->runner[s], &st);
	if (st.holds && st.failed && place_disk_reach(p, s) == SERVICE_REACH_LOST)
		p->lost_failed[s] = true; /* a restart in place, too */
	if (!st.holds) {
		p->lost_ms[s] = p->vain_ms[s] = 0;
		if (st.go && !st.failed)
			p->lost_failed[s] = false;
		/* It failed for its disk alone, and that answers again. Not before the group has heard that it is stopped: that word
		 * says once more that it failed. */
		if (p->lost_failed[s] && place_disk_reach(p, s) == SERVICE_REACH_OK && p->synced &&
		    p->agreed && nodeset_has(v->failed, p->cfg.self) &&
		    !nodeset_has(v->held, p->cfg.self)) {
			p->lost_failed[s] = false;
			place_send_clear(p, s, p->cfg.self);
		}
		return;
	}
	heir = place_disk_heir(p, s, p->cfg.self);
	if ((p->lost_ms[s] || st.fact == RUNNER_STUCK) && p->synced && p->agreed &&
	    place_disk_reach(p, s) == SERVICE_REACH_LOST && !somebody(p, s))
		p->vain_ms[s] = p->now_ms;
	if (p->lost_ms[s]) {
		if (hasten_at(p, s) <= p->now_ms) {
			p->lost_hastened[s] = true;
			place_note(p, PLACE_NOTE_LOST_KILL, (int)s, p->cfg.self,
				   p->now_ms - p->lost_ms[s],
				   "its storage is lost, and it is still held");
			place_feed(p, s, (struct runner_event){ .type = RUNNER_EV_HASTEN });
		}
		if (fence_at(p, s) <= p->now_ms) {
			p->fence_self_ms[s] = p->now_ms;
			place_emit(p,
				   (struct place_action){
					   .type = PLACE_ACT_FENCE,
					   .fence = { .node = p->cfg.self,
						      .reason = "it has lost its storage and "
								"cannot let go of a service" } });
		}
		return;
	}
	if (heir.node && !heir.turn_ms && st.probed && !p->halted && p->quorate &&
	    place_disk_reach(p, s) == SERVICE_REACH_LOST && !slept(p, s) && p->ours_stored[s])
		give_up(p, s, heir.node);
}

uint64_t place_disk_next_ms(const struct place *p, unsigned s)
{
	uint64_t hasten = hasten_at(p, s), at = fence_at(p, s), turn;
	struct runner_status st;

	runner_status(p->runner[s], &st);
	if (!st.holds)
		return UINT64_MAX;
	turn = place_disk_reach(p, s) == SERVICE_REACH_LOST
		       ? place_disk_heir(p, s, p->cfg.self).turn_ms
		       : 0;
	at = hasten < at ? hasten : at;
	return turn && turn < at ? turn : at;
}

void place_disk_members(struct place *p)
{
	for (unsigned s = 0; s < p->cfg.frame.n_services; s++)
		for (unsigned i = 0; i < p->cfg.frame.n_nodes; i++)
			if (!nodeset_has(p->members, p->cfg.frame.nodeid[i]))
				p->reach_ms[s][i] = 0;
}

static uint64_t since(uint64_t before, bool now, uint64_t now_ms)
{
	return !now ? 0 : before ? before : now_ms;
}

static void heard(struct place *p, unsigned s)
{
	const struct service *v = &p->group.service[s];

	for (unsigned i = 0; i < p->cfg.frame.n_nodes; i++) {
		uint32_t id = p->cfg.frame.nodeid[i];

		p->blind_ms[s][i] = since(p->blind_ms[s][i], nodeset_has(v->blind, id), p->now_ms);
		p->reach_ms[s][i] = since(p->reach_ms[s][i], nodeset_has(v->reach, id), p->now_ms);
	}
}

void place_disk_settled(struct place *p)
{
	for (unsigned s = 0; s < p->cfg.frame.n_services; s++)
		heard(p, s);
}

/* @from has lost its storage: what follows, in words. */
static void note_blind(struct place *p, unsigned s, uint32_t from)
{
	const struct service_frame *f = &p->cfg.frame;
	const char *name = f->service[s].name, *text;
	struct place_heir heir = place_disk_heir(p, s, from);
	uint32_t stop = p->cfg.storage_stop_ms, turn = p->cfg.storage_turn_ms;

	if (p->group.service[s].node != from)
		text = place_text(p, "it cannot take %s over", name);
	else if (!heir.node && place_disk_mute(p, s, from))
		text = place_text(p, "whether %s does is not known, as its release does not tell",
				  service_node_name(f, place_disk_mute(p, s, from)));
	else if (!heir.node)
		text = place_text(p,
				  "no other node that may run %s reaches it either: it waits "
				  "there, and nobody is fenced",
				  name);
	else if (heir.turn_ms)
		text = place_text(p,
				  "nor did %s until now: %s goes there if %s does not reach it "
				  "within %u.%u s",
				  service_node_name(f, heir.node), name, service_node_name(f, from),
				  turn / 1000, turn / 100 % 10);
	else
		text = place_text(p,
				  "%s goes to %s as soon as it has let go; if it has not "
				  "within %u.%u s, it is fenced",
				  name, service_node_name(f, heir.node), stop / 1000,
				  stop / 100 % 10);
	place_note(p, PLACE_NOTE_BLIND, (int)s, from, 0, text);
	/* who will have it may look at what it can beforehand */
	if (p->group.service[s].node == from && heir.node == p->cfg.self && !heir.turn_ms)
		place_prepare_early_one(p, s);
}

void place_disk_told(struct place *p, unsigned s, uint32_t from, struct nodeset blind,
		     struct nodeset reach)
{
	const struct service_frame *f = &p->cfg.frame;
	const struct service *v = &p->group.service[s];
	bool lost = nodeset_has(v->blind, from), back;
	uint32_t turn = p->cfg.storage_turn_ms;

	heard(p, s);
	back = nodeset_has(v->reach, from) && !nodeset_has(reach, from);
	if (lost && !nodeset_has(blind, from))
		note_blind(p, s, from);
	else if (back && v->state != SERVICE_STOPPING && v->node && v->node != from &&
		 nodeset_has(v->blind, v->node) && place_disk_heir(p, s, v->node).node == from)
		place_note(p, PLACE_NOTE_REACHED, (int)s, from, 0,
			   place_text(p, "%s goes there if %s does not reach it within %u.%u s",
				      f->service[s].name, service_node_name(f, v->node),
				      turn / 1000, turn / 100 % 10));
	else if (!lost && nodeset_has(blind, from))
		place_note(p, PLACE_NOTE_REACHED, (int)s, from, 0, NULL);
}
