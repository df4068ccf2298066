// SPDX-License-Identifier: GPL-2.0
/*
 * Calls on their way out: a slot from the core, several calls in a datagram,
 * and again what the core finds due. Plays the sending half of kmod/request.c
 * and the retransmission of kmod/node.c.
 *
 * Calls share a datagram of at most EBPFS_UDP_PAYLOAD_BASE bytes, which every
 * path carries, so that a path that has shrunk cannot swallow the calls too.
 */
#include "sim.h"

#define BATCH_CALLS	(EBPFS_UDP_PAYLOAD_BASE / sizeof(struct ebpfs_call))

/* A CALL datagram under construction, and the slots whose data follow it. */
struct batch {
	struct csession *cs;
	u16 count;
	u16 ndata;
	u16 cell;
	u32 len;
	const u8 *fh;
	u16 data_of[BATCH_CALLS];
	union {
		u8 data[EBPFS_UDP_PAYLOAD_BASE];
		__le64 align;
	};
};

/* The data of calls that were sent for the first time. */
static void batch_data(struct world *w, struct batch *b)
{
	u16 i;

	for (i = 0; i < b->ndata; i++)
		data_send(w, b->cs, b->data_of[i], b->cell, 0, ~0ull);
	b->ndata = 0;
}

static void batch_send(struct world *w, struct batch *b)
{
	struct csession *cs = b->cs;

	if (!b->count)
		return;
	/* They follow the call; a network may bring them before it. */
	if (b->ndata && chance(w, 2000))
		batch_data(w, b);
	((struct ebpfs_calls *)b->data)->count = cpu_to_le16(b->count);
	ebpfs_seal(b->data, b->len);
	TRACE(w, "call  session %lu: %lu calls in %lu bytes", cs->serial, b->count, b->len);
	session_send(w, cs, b->data, b->len);
	b->count = 0;
	batch_data(w, b);
}

/*
 * Payload per fragment, of replies to ask for and of data to send: as the path is
 * known at this moment.
 */
u16 session_cell(struct world *w, const struct csession *cs)
{
	const struct ebpfs_pmtu *p = &cs->node->pmtu;
	u32 room = ebpfs_keys_room(&cs->keys);
	u32 unit = ebpfs_pmtu_unit(p, cs->hs.unit_max, room);
	u16 cell = ebpfs_pmtu_cell(p, room);

	CHECK(w, cell >= EBPFS_CELL_MIN && cell <= EBPFS_CELL_MAX && cell % 8 == 0 &&
	      cell + sizeof(struct ebpfs_reply) + room <= p->size,
	      "a cell with its head fits the path", "cell %u, path %u", cell, p->size);
	CHECK(w, unit >= 4096 && unit % 4096 == 0 && unit <= cs->hs.unit_max &&
	      unit + ebpfs_ncells(unit, cell) * (sizeof(struct ebpfs_reply) + room) <=
	      EBPFS_UDP_PAYLOAD_MAX,
	      "the reply to a read fits one super-packet", "unit %u, cell %u", unit, cell);
	return cell < cs->hs.cell_max ? cell : cs->hs.cell_max;
}

static void batch_add(struct world *w, struct batch *b, const struct request *r,
		      struct ebpfs_call_info *c)
{
	const struct ebpfs_op_traits *t = ebpfs_op_traits(r->op);
	const struct file *f = &w->files[r->file];
	bool handle = t && t->flags & EBPFS_TRAIT_FH, reuse;
	u8 name[EBPFS_NAME_MAX];
	u32 size, most = sizeof(b->data) - ebpfs_keys_room(&b->cs->keys);

	c->op = r->op;
	c->cred = r->cred;
	c->apart = r->apart;
	c->op_id = r->op_id;
	c->data_len = r->data_len;
	c->arg = r->op == EBPFS_OP_LOOKUP ? 0 : r->arg;
	c->count = r->count;
	c->fh = f->fh;
	c->fh_len = handle ? f->fh_len : 0;
	c->name = name;
	c->name_len = 0;
	if (t && t->flags & (EBPFS_TRAIT_NAME | EBPFS_TRAIT_XATTR))
		c->name_len = file_name(r->op == EBPFS_OP_LOOKUP ? r->arg : r->serial % 37, name);
	c->attr = request_attr(r);
	reuse = handle && b->count && b->fh == f->fh;
	size = ebpfs_call_size(c, reuse);
	if (b->count && b->len + size > most) {
		batch_send(w, b);
		reuse = false;
		size = ebpfs_call_size(c, false);
	}
	if (!b->count) {
		b->cell = session_cell(w, b->cs);
		b->len = ebpfs_put_calls(b->data, b->cs->hs.server_session, 0, b->cell);
	} else {
		COUNT(w, batched);
	}
	c->data = r->data_len && !r->apart ? request_data(w, r) : NULL;
	CHECK(w, b->len + size <= most, "one call fits a datagram", "%u bytes", size);
	CHECK(w, ebpfs_put_call(b->data + b->len, c, reuse) == size,
	      "a call has the size that was foretold", "request %u", r->serial);
	b->len += size;
	b->count++;
	b->fh = handle ? f->fh : NULL;
	if (r->apart && !c->attempt)
		b->data_of[b->ndata++] = EBPFS_ID_SLOT(c->id);
	if (r->data_len && !c->attempt)
		w->count[r->apart ? C_apart : C_inlined]++;
}

/* Sends what is queued, as far as slots and window go. */
void node_pump(struct world *w, struct cnode *n)
{
	struct csession *cs = n->cs;
	struct ebpfs_call_info c;
	struct request *r;
	struct batch b;
	u32 flight, bytes;
	bool ok;
	u64 rto;
	int slot;

	if (!n->queue.first || !cs || !node_usable(n))
		return;
	b.cs = cs;
	b.count = 0;
	b.ndata = 0;
	session_touch(w, cs);
	while ((r = n->queue.first)) {
		flight = cs->conn.win.flight;
		bytes = r->limit > r->data_len ? r->limit : r->data_len;
		slot = ebpfs_conn_take_data(&cs->conn, r->limit, r->data_len, r, w->now);
		if (slot < 0) {
			INNER(w, slot == -EAGAIN && cs->used,
			      "an unused session has a slot and window for every call",
			      "session %u refuses %u bytes with %d", cs->serial, bytes, slot);
			COUNT(w, full);
			break;
		}
		CHECK(w, slot < cs->conn.nslots && !cs->reqs[slot],
		      "a slot carries one call at a time", "slot %d given again", slot);
		INNER(w, !flight || flight + bytes <= cs->conn.win.cwnd,
		      "no more is asked for or sent than the window holds",
		      "%u bytes and %u of %u", flight, bytes, cs->conn.win.cwnd);
		queue_pop(&n->queue);
		ok = ebpfs_conn_sending(&cs->conn, slot, 0, w->now, &c);
		INNER(w, ok, "a call that was just taken can be sent", "slot %d", slot);
		INNER(w, EBPFS_ID_SLOT(c.id) == slot && EBPFS_ID_SEQ(c.id) > cs->last_seq[slot],
		      "the sequence of a slot grows", "slot %d: id %lx after sequence %lu", slot,
		      c.id, cs->last_seq[slot]);
		INNER(w, !c.attempt && !c.instance && !~c.want,
		      "a new call asks for all of the reply, for the first time",
		      "attempt %u instance %u want %lx", c.attempt, c.instance, (u64)c.want);
		cs->last_seq[slot] = EBPFS_ID_SEQ(c.id);
		cs->due_at[slot] = 0;
		cs->bytes[slot] = bytes;
		cs->attempt[slot] = 0;
		cs->needed[slot] = false;
		cs->data_cell[slot] = 0;
		cs->silent[slot] = 0;
		cs->reqs[slot] = r;
		if (!cs->used++)
			cs->heard_at = w->now;
		r->state = REQ_ACTIVE;
		r->cs = cs;
		r->id = c.id;
		r->dest.held_by = cs;
		r->dest.held_id = c.id;
		TRACE(w, "req   %lu in session %lu as id %lx", r->serial, cs->serial, c.id);
		batch_add(w, &b, r, &c);
	}
	batch_send(w, &b);
	rto = ebpfs_rtt_timeout(&cs->conn.rtt, 0);
	if (w->now + rto < n->due_next)
		n->due_next = w->now + rto;
	node_arm(w, n);
}

/* Ids that were found due: some time passes before they are sent again. */
struct due {
	struct csession *cs;
	u32 n;
	u64 ids[16];
};

static void due_send(struct world *w, void *obj, u64 arg)
{
	struct due *due = obj;
	struct csession *cs = due->cs;
	struct ebpfs_call_info c;
	struct batch b = { .cs = cs };
	u32 i;

	(void)arg;
	if (cs->node->cs != cs)
		return;
	session_touch(w, cs);
	for (i = 0; i < due->n; i++) {
		u16 slot = EBPFS_ID_SLOT(due->ids[i]);
		struct request *r = cs->reqs[slot];

		if (!ebpfs_conn_sending(&cs->conn, slot, due->ids[i], w->now, &c)) {
			COUNT(w, overtaken);
			continue;
		}
		INNER(w, r && r->state == REQ_ACTIVE && !r->finishing && r->id == due->ids[i],
		      "only a call that is not over is sent again", "id %lx", due->ids[i]);
		INNER(w, c.id == r->id, "a call keeps its id", "id %lx sent as %lx", r->id, c.id);
		check_want(w, r, &c);
		COUNT(w, retransmits);
		TRACE(w, "call  id %lx of session %lu again: attempt %lu instance %lx want %lx",
		      c.id, cs->serial, c.attempt, c.instance, c.want);
		batch_add(w, &b, r, &c);
	}
	batch_send(w, &b);
}

/* RTO_MIN doubled so often is RTO_MAX or more. */
#define SILENT_DOUBLINGS	8

/* A call is due again after a timeout, which grows while the node is silent. */
static void check_backoff(struct world *w, struct csession *cs, u16 slot)
{
	u64 before = cs->due_at[slot];

	if (!before)
		return;
	INNER(w, w->now - before >= EBPFS_RTO_MIN,
	      "a call is due again after a timeout, not before", "slot %u after %lu ns", slot,
	      w->now - before);
	if (cs->heard_at >= before)
		cs->silent[slot] = 0;
	else
		cs->silent[slot]++;
	INNER(w, cs->silent[slot] <= SILENT_DOUBLINGS || w->now - before >= EBPFS_RTO_MAX,
	      "a silent node is asked less and less often",
	      "slot %u: %u times without an answer, the last %lu ms ago", slot,
	      cs->silent[slot], (w->now - before) / MSEC);
}

/* Asks the core what is due, and sends it. */
void node_retransmit(struct world *w, struct cnode *n)
{
	struct csession *cs = n->cs;
	u32 max = chance(w, 7000) ? 16 : 1 + rnd(w, 4), i;
	struct due *due = arena_alloc(w, sizeof(*due));
	u64 next;

	session_touch(w, cs);
	due->cs = cs;
	due->n = ebpfs_conn_due(&cs->conn, w->now, due->ids, max, &next);
	INNER(w, due->n <= max, "no more ids than there is room for", "%u of %u", due->n, max);
	INNER(w, next > w->now || (due->n == max && next == w->now),
	      "time passes before a call is due again, unless there was no room for it",
	      "next is %lu, now is %lu, %u of %u found", next, w->now, due->n, max);
	n->due_next = next;
	for (i = 0; i < cs->conn.nslots && next > w->now + EBPFS_RTO_MAX; i++)
		INNER(w, !cs->reqs[i] || cs->reqs[i]->state != REQ_ACTIVE || cs->reqs[i]->finishing,
		      "what is outstanding becomes due within the longest timeout",
		      "slot %u: next is %lu, now is %lu", i, next, w->now);
	for (i = 0; i < due->n; i++) {
		u16 slot = EBPFS_ID_SLOT(due->ids[i]);

		INNER(w, slot < cs->conn.nslots && cs->reqs[slot] &&
		      cs->reqs[slot]->id == due->ids[i] && !cs->reqs[slot]->finishing,
		      "only calls that are not over are due", "id %lx", due->ids[i]);
		check_backoff(w, cs, slot);
		cs->due_at[slot] = w->now;
		cs->attempt[slot] += cs->attempt[slot] < 255;
		cs->needed[slot] = false;
	}
	if (!due->n)
		return;
	if (chance(w, 3000))
		schedule(w, rnd_time(w, chance(w, 1000) ? 20 * MSEC : 100 * USEC), due_send, due,
			 0);
	else
		due_send(w, due, 0);
}

/* The slot of a call that is over, by the one who was told to. */
void slot_put(struct world *w, struct csession *cs, u16 slot)
{
	CHECK(w, cs->used && !cs->reqs[slot], "a slot is given back once, and let go before",
	      "slot %u of session %u", slot, cs->serial);
	session_touch(w, cs);
	ebpfs_conn_put(&cs->conn, slot, w->now);
	cs->used--;
	if (cs->dying) {
		if (!cs->used)
			session_retire(w, cs);
	} else {
		node_pump(w, cs->node);
	}
}
