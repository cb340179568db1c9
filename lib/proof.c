/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "lib/proof.h"

#include "lib/wire.h"

#include <stddef.h>

static const struct {
	enum proof_kind kind;
	const char *name, *text;
} kinds[] = {
#define X(id, value, name, text) { PROOF_##id, name, text },
	PROOF_KINDS(X)
#undef X
};

#define N_KINDS (sizeof(kinds) / sizeof(kinds[0]))

const char *proof_kind_name(enum proof_kind kind)
{
	for (size_t i = 0; i < N_KINDS; i++)
		if (kinds[i].kind == kind)
			return kinds[i].name;
	return kind == PROOF_NONE ? "none" : "?";
}

const char *proof_kind_text(enum proof_kind kind)
{
	for (size_t i = 0; i < N_KINDS; i++)
		if (kinds[i].kind == kind)
			return kinds[i].text;
	return "";
}

enum proof_kind proof_kind_parse(const char *name)
{
	for (size_t i = 0; i < N_KINDS; i++)
		if (strcmp(kinds[i].name, name) == 0)
			return kinds[i].kind;
	return PROOF_NONE;
}

/* Off, another boot, a dead guest, a fired watchdog: that kernel runs no more. A goodbye, a cut from the
 * storage or an operator's word leave the kernel be: the next join of the same boot is another life,
 * and nothing was said about it.
 */
static bool ends_kernel(enum proof_kind kind)
{
	switch (kind) {
	case PROOF_OFF_VERIFIED:
	case PROOF_NEW_BOOT:
	case PROOF_WATCHDOG_EXPIRED:
	case PROOF_HYPERVISOR: return true;
	case PROOF_NONE:
	case PROOF_STORAGE_CUT:
	case PROOF_CLEAN_LEAVE:
	case PROOF_OPERATOR: return false;
	}
	return false;
}

bool proof_covers(const struct proof *proof, const struct incarnation *life)
{
	if (proof->kind == PROOF_NONE || life->nodeid == 0 || proof->victim.nodeid != life->nodeid)
		return false;
	/* A machine runs one kernel at a time: when a seen one is over, so are those before it. */
	if (incarnation_unseen(life))
		return incarnation_unseen(&proof->victim) || ends_kernel(proof->kind);
	if (!incarnation_same_boot(&proof->victim, life))
		return false;
	return ends_kernel(proof->kind) || life->join <= proof->victim.join;
}

void proof_write(const struct proof *proof, struct wire_w *w)
{
	size_t mark = wire_w_open(w);

	incarnation_write(&proof->victim, w);
	wire_w_u8(w, (uint8_t)proof->kind);
	wire_w_u32(w, proof->by);
	wire_w_u64(w, proof->number);
	wire_w_u64(w, (uint64_t)proof->wall_s);
	wire_w_str(w, proof->evidence);
	wire_w_close(w, mark);
}

void proof_read(struct proof *proof, struct wire_r *r)
{
	struct wire_r s;

	wire_r_section(r, &s);
	incarnation_read(&proof->victim, &s);
	proof->kind = wire_r_u8(&s);
	proof->by = wire_r_u32(&s);
	proof->number = wire_r_u64(&s);
	proof->wall_s = (int64_t)wire_r_u64(&s);
	wire_r_str(&s, proof->evidence, sizeof(proof->evidence));
}
