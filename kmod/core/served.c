// SPDX-License-Identifier: GPL-2.0
/*
 * The server's slots: is a call new, a repetition, or late? What is kept of its
 * reply are the numbers that its fragments' heads need; the bytes are the
 * daemon's. Rules and locking: served.h.
 */
#include "core/served.h"

u32 ebpfs_served_instance(struct ebpfs_served *s)
{
	/* 0 means "none" on the wire. */
	if (!++s->next_instance)
		s->next_instance = 1;
	return s->next_instance;
}

static struct ebpfs_served_slot *slot_of(struct ebpfs_served *s, u64 id)
{
	return EBPFS_ID_SLOT(id) < s->nslots ? &s->slots[EBPFS_ID_SLOT(id)] : NULL;
}

static u64 all_cells(const struct ebpfs_served_slot *slot)
{
	return ebpfs_cell_set(ebpfs_ncells(slot->total, slot->cell));
}

static enum ebpfs_serve execute(struct ebpfs_served_slot *slot, const struct ebpfs_call_info *c)
{
	memset(slot, 0, sizeof(*slot));
	slot->seq = EBPFS_ID_SEQ(c->id);
	slot->cell = c->cell;
	slot->attempt = c->attempt;
	slot->state = EBPFS_SERVED_RUNNING;
	return EBPFS_SERVE_EXECUTE;
}

u64 ebpfs_served_missing(const struct ebpfs_served_slot *slot)
{
	/* With nothing there it is not known how many there are. */
	if (!slot->data_cell)
		return ~0ull;
	return ebpfs_cell_set(ebpfs_ncells(slot->data_total, slot->data_cell)) & ~slot->got;
}

static void no_data(struct ebpfs_served_slot *slot)
{
	slot->got = 0;
	slot->data_cell = 0;
	slot->data_attempt = 0;
}

static bool all_there(const struct ebpfs_served_slot *slot)
{
	return slot->data_cell && !ebpfs_served_missing(slot);
}

/* A call whose data come apart, and that is neither executed nor answered yet. */
static enum ebpfs_serve gather(struct ebpfs_served_slot *slot, const struct ebpfs_call_info *c,
			       u64 *send)
{
	bool early = slot->seq == EBPFS_ID_SEQ(c->id) && slot->state == EBPFS_SERVED_EARLY;
	bool known = slot->seq == EBPFS_ID_SEQ(c->id) && slot->state == EBPFS_SERVED_GATHERING;

	if (!early && !known)
		execute(slot, c);
	if (slot->data_total != c->data_len) {
		/* Data that contradict their call were not its own. */
		no_data(slot);
		slot->data_total = c->data_len;
	}
	/* The network may bring an attempt after a later one; its NEED is nobody's. */
	if (c->attempt < slot->attempt)
		return EBPFS_SERVE_GATHER;
	slot->cell = c->cell;
	slot->attempt = c->attempt;
	if (all_there(slot)) {
		slot->state = EBPFS_SERVED_RUNNING;
		return EBPFS_SERVE_EXECUTE;
	}
	slot->state = EBPFS_SERVED_GATHERING;
	/* The data of a first attempt are on their way. */
	if (c->attempt)
		*send = ebpfs_served_missing(slot);
	return EBPFS_SERVE_GATHER;
}

void ebpfs_served_init(struct ebpfs_served *s, struct ebpfs_served_slot *slots, u16 nslots,
		       u32 first_instance)
{
	memset(slots, 0, nslots * sizeof(*slots));
	s->slots = slots;
	s->nslots = nslots;
	s->next_instance = first_instance;
}

enum ebpfs_serve ebpfs_served_call(struct ebpfs_served *s, const struct ebpfs_call_info *c,
				   u64 *send)
{
	struct ebpfs_served_slot *slot = slot_of(s, c->id);
	u64 seq = EBPFS_ID_SEQ(c->id);

	*send = 0;
	if (!slot)
		return EBPFS_SERVE_BAD_SLOT;
	if (seq < slot->seq || !seq)
		return EBPFS_SERVE_STALE;
	if (seq > slot->seq)
		return c->apart ? gather(slot, c, send) : execute(slot, c);

	switch (slot->state) {
	case EBPFS_SERVED_RUNNING:
		return EBPFS_SERVE_IGNORE;
	case EBPFS_SERVED_DONE:
		break;
	default:
		return c->apart ? gather(slot, c, send) : execute(slot, c);
	}

	slot->attempt = c->attempt;
	if (c->cell != slot->cell) {
		/* Cut anew: fragments of the two grids must never be combined. */
		slot->cell = c->cell;
		slot->instance = ebpfs_served_instance(s);
	}
	*send = all_cells(slot);
	if (c->instance == slot->instance)
		*send &= c->want;
	return EBPFS_SERVE_RESEND;
}

enum ebpfs_take ebpfs_served_data_run(struct ebpfs_served *s, const struct ebpfs_frag *f,
				      u32 n, u64 *fresh)
{
	struct ebpfs_served_slot *slot = slot_of(s, f->id);
	u64 cells = ebpfs_cell_set(n) << f->index;
	u64 seq = EBPFS_ID_SEQ(f->id);

	*fresh = 0;
	if (!slot)
		return EBPFS_TAKE_BAD;
	if (seq < slot->seq)
		return EBPFS_TAKE_STALE;
	if (seq > slot->seq) {
		/* The client is done with the slot's last call, or has given it up. */
		memset(slot, 0, sizeof(*slot));
		slot->seq = seq;
		slot->state = EBPFS_SERVED_EARLY;
		slot->data_total = f->total;
	}
	if (slot->state != EBPFS_SERVED_EARLY && slot->state != EBPFS_SERVED_GATHERING)
		return EBPFS_TAKE_DUPLICATE;
	if (f->total != slot->data_total)
		return EBPFS_TAKE_BAD;
	if (f->cell != slot->data_cell) {
		/* Cut anew: only a later attempt may throw away what is there. */
		if (slot->data_cell && (f->attempt < slot->data_attempt ||
					(f->attempt == slot->data_attempt && f->attempt != 255)))
			return EBPFS_TAKE_STALE;
		slot->got = 0;
		slot->data_cell = f->cell;
	}
	if (f->attempt > slot->data_attempt)
		slot->data_attempt = f->attempt;
	*fresh = cells & ~slot->got;
	if (!*fresh)
		return EBPFS_TAKE_DUPLICATE;
	slot->got |= cells;
	if (slot->state == EBPFS_SERVED_EARLY || !all_there(slot))
		return EBPFS_TAKE_MORE;
	slot->state = EBPFS_SERVED_RUNNING;
	return EBPFS_TAKE_READY;
}

enum ebpfs_take ebpfs_served_data(struct ebpfs_served *s, const struct ebpfs_frag *f)
{
	u64 fresh;

	return ebpfs_served_data_run(s, f, 1, &fresh);
}

bool ebpfs_served_done(struct ebpfs_served *s, u64 id, u16 status, u16 flags, u32 total,
		       u64 *send)
{
	struct ebpfs_served_slot *slot = slot_of(s, id);

	*send = 0;
	if (!slot || slot->seq != EBPFS_ID_SEQ(id) || slot->state != EBPFS_SERVED_RUNNING)
		return false;
	slot->instance = ebpfs_served_instance(s);
	slot->status = status;
	slot->flags = flags;
	slot->total = total;
	slot->state = EBPFS_SERVED_DONE;
	*send = all_cells(slot);
	return true;
}

void ebpfs_served_forget(struct ebpfs_served *s, u16 slot)
{
	if (slot < s->nslots && s->slots[slot].state == EBPFS_SERVED_DONE)
		s->slots[slot].state = EBPFS_SERVED_NONE;
}

void ebpfs_served_forget_data(struct ebpfs_served *s, u16 slot)
{
	if (slot < s->nslots && (s->slots[slot].state == EBPFS_SERVED_EARLY ||
				 s->slots[slot].state == EBPFS_SERVED_GATHERING))
		no_data(&s->slots[slot]);
}

void ebpfs_served_frag(const struct ebpfs_served *s, u16 slot, u8 index, struct ebpfs_frag *f)
{
	const struct ebpfs_served_slot *kept = &s->slots[slot];
	u32 left;

	memset(f, 0, sizeof(*f));
	f->id = EBPFS_ID(slot, kept->seq);
	f->instance = kept->instance;
	f->total = kept->total;
	f->cell = kept->cell;
	f->status = kept->status;
	f->flags = kept->flags;
	f->attempt = kept->attempt;
	f->index = index;
	f->ncells = ebpfs_ncells(kept->total, kept->cell);
	f->offset = (u32)index * kept->cell;
	left = kept->total - f->offset;
	f->len = left < kept->cell ? left : kept->cell;
}
