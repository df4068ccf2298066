// SPDX-License-Identifier: GPL-2.0
/*
 * What must be true. The core's objects are looked at as their headers
 * describe them, and beside them a second account is kept, made of nothing but
 * what the core was asked and what it answered (struct dest, the counters of
 * struct csession): the two have to agree after every step.
 */
#include <stdio.h>

#include "sim.h"

static u64 all_cells(u32 total, u16 cell)
{
	u32 n = total ? (total + cell - 1) / cell : 1;

	return n == 64 ? ~0ull : (1ull << n) - 1;
}

static u64 busy_cells(const struct dest *d)
{
	const struct filler *fl;
	u64 busy = 0;

	for (fl = d->fillers; fl; fl = fl->next)
		busy |= fl->claimed;
	return busy;
}

static u32 count_fillers(const struct dest *d)
{
	const struct filler *fl;
	u32 n = 0;

	for (fl = d->fillers; fl; fl = fl->next)
		n++;
	return n;
}

/* Is instance @a later than @b? (RFC 1982) */
static bool later(u32 a, u32 b)
{
	return (s32)(a - b) > 0;
}

/* One cell that was claimed: is it inside, and does nobody else write there? */
static void check_cell(struct world *w, const struct dest *d, const struct ebpfs_frag *f)
{
	const struct filler *fl;
	struct ebpfs_frag other;
	u64 busy;

	INNER(w, (u64)f->offset + f->len <= d->limit && f->total <= d->limit,
	      "nothing is written outside a destination", "%u bytes at %u of %u", f->len,
	      f->offset, d->limit);
	for (fl = d->fillers; fl; fl = fl->next) {
		for (busy = fl->claimed; busy; busy &= busy - 1) {
			other = run_frag(&fl->run.f, __ffs64(busy));
			INNER(w, f->offset >= other.offset + other.len ||
			      other.offset >= f->offset + f->len,
			      "no cell is written by two at once", "id %lx cells %u and %u",
			      f->id, f->index, other.index);
		}
	}
}

/* Fragments were claimed: may they be written? The destination's own account. */
void check_claim(struct world *w, struct csession *cs, const struct frag_run *run, u64 claimed,
		 struct request *r)
{
	const struct ebpfs_frag *f = &run->f;
	struct dest *d = &r->dest;
	u64 cells = run_cells(run), left;
	struct ebpfs_frag cell;

	INNER(w, r->state == REQ_ACTIVE && !r->finishing && r->cs == cs && r->id == f->id &&
	      d->held_by == cs && d->held_id == f->id && !d->gone,
	      "only a call that is wanted is claimed for", "id %lx, request %u in state %u",
	      f->id, r->serial, r->state);
	INNER(w, claimed && !(claimed & ~cells), "cells are claimed that came",
	      "id %lx: %lx of %lx", f->id, claimed, cells);
	for (left = claimed; left; left &= left - 1) {
		cell = run_frag(f, __ffs64(left));
		check_cell(w, d, &cell);
	}
	if (d->instance && d->instance == f->instance) {
		INNER(w, d->total == f->total && d->cell == f->cell && d->status == f->status &&
		      d->flags == f->flags, "one instance has one grid",
		      "id %lx: total %u then %u, cell %u then %u", f->id, d->total, f->total,
		      d->cell, f->cell);
		INNER(w, !((d->done | busy_cells(d)) & claimed),
		      "a cell that is busy or verified is not written again", "id %lx cells %lx",
		      f->id, (d->done | busy_cells(d)) & claimed);
		cells &= ~(d->done | busy_cells(d));
		INNER(w, claimed == cells, "a cell that is missing is taken",
		      "id %lx: %lx of %lx", f->id, claimed, cells);
		return;
	}
	if (d->instance) {
		INNER(w, !d->fillers, "another instance does not come in while cells are busy",
		      "id %lx instance %x after %x", f->id, f->instance, d->instance);
		INNER(w, later(f->instance, d->instance), "only a newer instance takes over",
		      "id %lx instance %x after %x", f->id, f->instance, d->instance);
		COUNT(w, takeover);
		if (run->count > 1)
			COUNT(w, run_takeover);
	}
	INNER(w, claimed == cells, "a cell that is missing is taken", "id %lx: %lx of %lx", f->id,
	      claimed, cells);
	d->instance = f->instance;
	d->total = f->total;
	d->cell = f->cell;
	d->status = f->status;
	d->flags = f->flags;
	d->done = 0;
}

/* Fragments were dropped because they are there already: are they? */
void check_duplicate(struct world *w, const struct csession *cs, const struct frag_run *run)
{
	const struct request *r = cs->reqs[EBPFS_ID_SLOT(run->f.id)];
	u64 there;

	if (!r || r->state != REQ_ACTIVE || r->finishing)
		return;
	there = r->dest.done | busy_cells(&r->dest);
	INNER(w, r->id == run->f.id && r->dest.instance == run->f.instance &&
	      !(run_cells(run) & ~there), "a cell that is missing is taken",
	      "id %lx: none of %lx, %lx are there", run->f.id, run_cells(run), there);
}

/* A filler, already off the destination's list, was told @what. */
void check_filled(struct world *w, struct filler *fl, u64 good, enum ebpfs_filled what)
{
	struct request *r = fl->r;
	struct dest *d = &r->dest;
	bool cancelled = r->state == REQ_STOPPING, whole;

	INNER(w, d->instance == fl->run.f.instance, "an instance stays while its cells are busy",
	      "id %lx", fl->id);
	d->done |= good;
	whole = good && d->done == all_cells(d->total, d->cell);
	switch (what) {
	case EBPFS_FILL_COMPLETE:
		INNER(w, whole && !cancelled && !d->fillers,
		      "a call is complete when every cell was verified, and not before",
		      "id %lx: cells %lx of %lx, cancelled %d, busy %lx", fl->id, d->done,
		      all_cells(d->total, d->cell), cancelled, busy_cells(d));
		break;
	case EBPFS_FILL_RELEASE:
		INNER(w, cancelled && !d->fillers, "the last filler of a cancelled call lets go",
		      "id %lx: cancelled %d, busy %lx", fl->id, cancelled, busy_cells(d));
		break;
	case EBPFS_FILL_MORE:
		INNER(w, cancelled ? d->fillers != NULL : !whole,
		      "somebody is told when a call is whole or was cancelled",
		      "id %lx: cells %lx, cancelled %d", fl->id, d->done, cancelled);
		break;
	default:
		violate(w, "filled gives one of its answers", "%d", what);
	}
	if (!good && !d->done && !d->fillers) {
		COUNT(w, forgotten);
		d->instance = 0;
	}
}

void check_cancel(struct world *w, struct request *r, enum ebpfs_cancel what)
{
	switch (what) {
	case EBPFS_CANCEL_NOW:
		INNER(w, !r->finishing && !r->dest.fillers,
		      "the canceller lets go only if no filler is at work",
		      "request %u: finishing %d, busy %lx", r->serial, r->finishing,
		      busy_cells(&r->dest));
		break;
	case EBPFS_CANCEL_FILLER:
		INNER(w, !r->finishing && r->dest.fillers,
		      "a canceller waits only for fillers that are there", "request %u",
		      r->serial);
		break;
	case EBPFS_CANCEL_LATE:
		INNER(w, r->finishing, "only a whole reply comes before a cancel",
		      "request %u: id %lx is wanted no more", r->serial, r->id);
		break;
	default:
		violate(w, "cancel gives one of its answers", "%d", what);
	}
}

/* A call is sent again: it asks for what is missing, and for nothing else. */
void check_want(struct world *w, const struct request *r, const struct ebpfs_call_info *c)
{
	const struct dest *d = &r->dest;
	u64 all = d->instance ? all_cells(d->total, d->cell) : 0;

	INNER(w, c->attempt, "a repetition is told from the first sending", "id %lx", c->id);
	if (!c->instance) {
		INNER(w, !~c->want && !d->done,
		      "without an instance all cells are asked for, and none is there",
		      "id %lx: want %lx, done %lx", c->id, (u64)c->want, d->done);
		return;
	}
	INNER(w, c->instance == d->instance, "cells are asked for of the instance that is there",
	      "id %lx: %x is asked, %x is there", c->id, c->instance, d->instance);
	INNER(w, !(c->want & d->done), "no cell is asked for that is there",
	      "id %lx: want %lx, done %lx", c->id, (u64)c->want, d->done);
	INNER(w, ((c->want | d->done | busy_cells(d)) & all) == all,
	      "every missing cell is asked for", "id %lx: want %lx, done %lx, busy %lx of %lx",
	      c->id, (u64)c->want, d->done, busy_cells(d), all);
}

static u8 expected[EBPFS_MSG_MAX];

/* A reply is whole: it must be one execution's, byte by byte. */
void check_reply(struct world *w, struct csession *cs, struct request *r, u32 instance,
		 const struct ebpfs_result *res)
{
	const struct exec *x = serve_logged(cs->other, instance);
	const u8 *mem = r->dest.mem;
	u32 i;

	CHECK(w, x, "a reply comes from an execution", "request %u: nobody made instance %x",
	      r->serial, instance);
	CHECK(w, x->id == r->id && x->op == r->op && x->arg == r->arg && x->count == r->count &&
	      (x->op == EBPFS_OP_PING || x->file == r->file),
	      "a reply is to the call that was made",
	      "request %u: id %lx op %u file %u, but the reply is to id %lx op %u file %u",
	      r->serial, r->id, r->op, r->file, x->id, x->op, x->file);
	CHECK(w, res->status == x->status && res->flags == x->flags && res->total == x->total,
	      "a reply's head is the execution's",
	      "request %u: status %u flags %u total %u, executed: %u %u %u", r->serial,
	      res->status, res->flags, res->total, x->status, x->flags, x->total);
	if (r->op_id)
		once_check(w, r, cs->node->server, x->status);
	CHECK(w, res->attempts >= 1, "an answered call was sent", "request %u", r->serial);
	if (!x->total)
		return;
	exec_reply(w, x, 0, expected, x->total);
	if (memcmp(mem, expected, x->total)) {
		for (i = 0; mem[i] == expected[i]; i++)
			;
		violate(w, "no byte is delivered that is not of one execution",
			"request %u: byte %u of %u is %02x, version %u has %02x", r->serial, i,
			x->total, mem[i], x->version, expected[i]);
	}
	CHECK(w, x->status || reply_parses(r->op, mem, x->total),
	      "what one side builds the other can parse", "request %u op %u", r->serial, r->op);
}

/* What a call's data say must be clear to the server's parsers. */
static bool data_parses(u16 op, const u8 *data, u32 len)
{
	struct ebpfs_target_info t;
	struct ebpfs_setattr a;
	struct ebpfs_range range;
	struct ebpfs_create c;
	struct ebpfs_copy copy;
	const u8 *target;

	switch (op) {
	case EBPFS_OP_CREATE:
		return !ebpfs_parse_create(data, len, &c, &target);
	case EBPFS_OP_RENAME:
	case EBPFS_OP_LINK:
		return !ebpfs_parse_target(data, len, &t);
	case EBPFS_OP_SETATTR:
		return !ebpfs_parse_setattr(data, &a);
	case EBPFS_OP_FALLOCATE:
		return !ebpfs_parse_range(data, &range);
	case EBPFS_OP_COPY:
		return !ebpfs_parse_copy(data, len, &copy, &target);
	case EBPFS_OP_CRED:
		return !ebpfs_parse_cred(data, len);
	default:
		return true;
	}
}

/* Calls that change something say which request they are for. */
static bool says_request(const struct ebpfs_call_info *c)
{
	return c->op_id || c->op == EBPFS_OP_WRITE || c->op == EBPFS_OP_CRED;
}

struct request *check_meant(struct world *w, const struct ssession *ss,
			    const struct ebpfs_call_info *c, int file, const u8 *data)
{
	struct request *r;
	const u8 *meant;
	u32 i;

	if (!says_request(c)) {
		CHECK(w, !c->data_len, "only calls that change something have data", "id %lx",
		      c->id);
		return NULL;
	}
	r = request_meant(w, c);
	CHECK(w, r && r->client == ss->client && r->op == c->op && r->file == file &&
	      r->arg == c->arg && r->count == c->count && r->op_id == c->op_id &&
	      r->cred == c->cred && r->data_len == c->data_len,
	      "a call is executed that a client meant", "id %lx op %u of client %u", c->id, c->op,
	      ss->client->index);
	CHECK(w, !c->attr == !request_attr(r) &&
	      (!c->attr || !memcmp(c->attr, request_attr(r), sizeof(struct ebpfs_setattr))),
	      "a call is executed with the attributes that its client meant", "request %u op %u",
	      r->serial, c->op);
	if (!c->data_len)
		return r;
	meant = request_data(w, r);
	if (memcmp(data, meant, c->data_len)) {
		for (i = 0; data[i] == meant[i]; i++)
			;
		violate(w, "a call is executed with the data that its client meant",
			"request %u id %lx: byte %u of %u is %02x, should be %02x", r->serial,
			c->id, i, c->data_len, data[i], meant[i]);
	}
	CHECK(w, data_parses(c->op, data, c->data_len), "what one side builds the other can parse",
	      "request %u op %u", r->serial, c->op);
	return r;
}

/* The core's account of a session against itself and against ours. */
void check_session(struct world *w, struct csession *cs)
{
	const struct ebpfs_conn *conn = &cs->conn;
	const struct ebpfs_window *win = &conn->win;
	u32 used = 0, busy = 0, active = 0, i;
	u64 flight = 0, writing;

	for (i = 0; i < conn->nslots; i++) {
		const struct ebpfs_slot *s = &cs->slots[i];
		bool marked_free = conn->free[i / 64] >> i % 64 & 1;

		INNER(w, marked_free == (s->state == EBPFS_SLOT_FREE),
		      "the bitmap of free slots is right", "slot %u in state %u", i, s->state);
		if (s->state == EBPFS_SLOT_FREE) {
			INNER(w, !cs->reqs[i], "a free slot has no call", "slot %u", i);
			continue;
		}
		used++;
		flight += cs->bytes[i];
		busy += s->busy;
		active += s->state == EBPFS_SLOT_ACTIVE;
		writing = cs->reqs[i] ? busy_cells(&cs->reqs[i]->dest) : 0;
		INNER(w, !(s->done & ~s->claimed) && (s->claimed & ~s->done) == writing,
		      "a claimed cell is busy or done",
		      "slot %u: claimed %lx done %lx, written to %lx", i, s->claimed, s->done,
		      writing);
		INNER(w, s->busy == (cs->reqs[i] ? count_fillers(&cs->reqs[i]->dest) : 0),
		      "fillers are counted, not cells", "slot %u: %u busy, cells %lx", i, s->busy,
		      writing);
		INNER(w, !s->rtt || s->rtt >= 2 * w->cfg.delay,
		      "no round trip is shorter than the path", "slot %u: %lu us of %lu", i,
		      s->rtt / USEC, 2 * w->cfg.delay / USEC);
		INNER(w, s->state != EBPFS_SLOT_COMPLETE ||
		      (cs->reqs[i] && cs->reqs[i]->finishing),
		      "whoever completed a call was told", "slot %u", i);
	}
	INNER(w, used == cs->used, "slots are in use as they were taken and given back",
	      "session %u: %u, should be %u", cs->serial, used, cs->used);
	INNER(w, busy == cs->fillers, "the fillers are as many as were let in",
	      "session %u: %u, should be %u", cs->serial, busy, cs->fillers);
	INNER(w, conn->nfree + used == conn->nslots, "free slots are counted right",
	      "session %u: %u of %u", cs->serial, conn->nfree, conn->nslots);
	INNER(w, flight == win->flight, "bytes in flight are those of the slots in use",
	      "session %u: %u, should be %lu", cs->serial, win->flight, flight);
	INNER(w, win->cwnd >= EBPFS_WINDOW_MIN && win->cwnd <= EBPFS_WINDOW_MAX,
	      "the window stays within its limits", "%u bytes", win->cwnd);
	INNER(w, conn->rtt.rto >= EBPFS_RTO_MIN && conn->rtt.rto <= EBPFS_RTO_MAX,
	      "the timeout stays within its limits", "%lu ns", conn->rtt.rto);
	if (!used)
		INNER(w, conn->waiting_since == EBPFS_NEVER,
		      "nothing outstanding is nothing waited for", "session %u", cs->serial);
	if (active)
		INNER(w, conn->waiting_since <= w->now, "an active call is waited for",
		      "session %u since %lu", cs->serial, conn->waiting_since);
}

void check_touched(struct world *w)
{
	while (w->ntouched) {
		struct csession *cs = w->touched[--w->ntouched];

		cs->touched = false;
		if (!cs->retired)
			check_session(w, cs);
	}
}

/* A node that goes moves only its own files; one that comes takes its share. */
void check_placement(struct world *w, struct client *c, u64 before, u64 after)
{
	u32 i;

	if (!before || !after)
		return;
	for (i = 0; i < w->nfiles; i++) {
		int a = ebpfs_place(w->files[i].hash, c->keys, w->nservers, before);
		int b = ebpfs_place(w->files[i].hash, c->keys, w->nservers, after);

		CHECK(w, a >= 0 && b >= 0 && (before >> a & 1) && (after >> b & 1) &&
		      (a == b || !(after >> a & 1) || !(before >> b & 1)),
		      "only files of a node that goes or comes are moved",
		      "file %u from node %d to %d, usable %lx then %lx", i, a, b, before, after);
	}
}

/* How long nothing was heard while something was outstanding. */
void check_silence(struct world *w, const struct csession *cs, u64 silence)
{
	u64 own = cs->used ? w->now - cs->heard_at : 0;

	INNER(w, silence == own, "silence is counted right", "session %u: %lu ns, should be %lu",
	      cs->serial, silence, own);
}

/*
 * Time for a search has passed and nothing was lost meanwhile. Searches that
 * began before the network was healed may have been misled; they have been
 * repeated if @again, but a path that became smaller is only noticed when
 * something large is sent.
 */
void check_paths(struct world *w, bool again)
{
	u32 i, j;

	for (i = 0; i < w->nclients; i++) {
		for (j = 0; j < w->nservers; j++) {
			const struct cnode *n = &w->clients[i].nodes[j];
			const struct link *there, *back;
			u32 path = w->cfg.ceiling;
			bool clean = n->search_at >= w->heal_at;

			there = net_link(w, w->clients[i].addr, w->servers[j].addr);
			back = net_link(w, w->servers[j].addr, w->clients[i].addr);
			if (!node_usable(n) || !n->cs->other->alive || there->cut ||
			    (!clean && !again))
				continue;
			path = path < there->mtu ? path : there->mtu;
			path = path < back->mtu ? path : back->mtu;
			CHECK(w, n->pmtu.size + 64 > path && (n->pmtu.size <= path || !clean),
			      "a search finds what the path carries",
			      "client %u node %u: %u found, %u is right", i, j, n->pmtu.size,
			      path);
		}
	}
}

/* Time is up. */
void check_open(struct world *w)
{
	const struct request *r;
	u32 shown = 0;

	if (!w->open)
		return;
	for (r = w->all; r; r = r->all) {
		if (r->state == REQ_DONE || shown++ >= 20)
			continue;
		printf("# open: request %u of client %u, op %u file %u, state %u, node %u",
		       r->serial, r->client->index, r->op, r->file, r->state, r->node->index);
		if (r->cs)
			printf(" (health %u), session %u id %lx, cells %lx of %lx",
			       r->node->health.state, r->cs->serial, r->id, r->dest.done,
			       r->dest.instance ? all_cells(r->dest.total, r->dest.cell) : 0);
		printf("\n");
	}
	violate(w, "every request ends once the network is healed", "%u are open, %lu ms after",
		w->open, (w->now - w->heal_at) / MSEC);
}
