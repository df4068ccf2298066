// SPDX-License-Identifier: GPL-2.0
/*
 * A server's calls whose data come apart: one buffer for each slot, put together
 * as the core says. Plays userspace/ebpfsd/gather.c.
 *
 * Beside the core's slots an account is kept of which fragments of which cut lie
 * in the buffer. A buffer that begins anew is full of rubbish: a call that is
 * executed with a hole is seen by its bytes (check.c).
 */
#include "sim.h"

/**
 * struct gather - data of one slot
 * @buf: @len bytes, with room for @room
 * @seq: sequence of the call
 * @got: cells that are there
 * @len: bytes of data
 * @cell: that they are cut by, 0 if there are none
 * @attempt: latest of the fragments
 * @call_attempt: latest of the call
 * @file: of @call
 * @has_call: @call is there
 * @call: to be executed
 * @name: of @call
 */
struct gather {
	u8 *buf;
	u64 seq;
	u64 got;
	u32 len;
	u32 room;
	u16 cell;
	u8 attempt;
	u8 call_attempt;
	int file;
	bool has_call;
	struct ebpfs_call_info call;
	u8 name[EBPFS_NAME_MAX];
	u8 attr[sizeof(struct ebpfs_setattr)];
};

void gather_init(struct world *w, struct ssession *ss)
{
	ss->gather = arena_alloc(w, ss->hs.slots * sizeof(*ss->gather));
}

/* Of the last call whose data came to that slot, 0 if none did. */
u64 gather_seq(const struct ssession *ss, u16 slot)
{
	return ss->gather[slot].seq;
}

static void clear(struct gather *g)
{
	g->got = 0;
	g->cell = 0;
	g->attempt = 0;
	memset(g->buf, 0xdb, g->len);
}

/* The buffer is for @len bytes of data of the call @seq: another than before? */
static void begin(struct world *w, struct gather *g, u64 seq, u32 len)
{
	if (g->seq != seq) {
		if (g->has_call)
			COUNT(w, data_left);
		g->has_call = false;
	} else if (g->len == len) {
		return;
	} else if (g->cell) {
		COUNT(w, contradicted);
	}
	g->seq = seq;
	g->len = len;
	if (g->room < len) {
		g->room = len;
		g->buf = arena_raw(w, len);
	}
	clear(g);
}

static u64 lacking(const struct gather *g)
{
	return g->cell ? ebpfs_cell_set(ebpfs_ncells(g->len, g->cell)) & ~g->got : ~0ull;
}

/* The call has come, data lack; @need is what the core asks the client for. */
void gather_call(struct world *w, struct ssession *ss, const struct ebpfs_call_info *c, int file,
		 u64 need)
{
	struct gather *g = &ss->gather[EBPFS_ID_SLOT(c->id)];
	struct ebpfs_need_info n = { .id = c->id, .missing = need, .attempt = c->attempt };
	u8 out[sizeof(struct ebpfs_need)];
	u32 len;

	begin(w, g, EBPFS_ID_SEQ(c->id), c->data_len);
	if (!g->has_call || c->attempt > g->call_attempt)
		g->call_attempt = c->attempt;
	g->has_call = true;
	g->call = *c;
	g->file = file;
	memcpy(g->name, c->name, c->name_len);
	g->call.name = g->name;
	if (c->attr) {
		memcpy(g->attr, c->attr, sizeof(g->attr));
		g->call.attr = g->attr;
	}
	g->call.fh = NULL;
	INNER(w, lacking(g), "a call all of whose data are there is not kept", "id %lx", c->id);
	INNER(w, ss->served.slots[EBPFS_ID_SLOT(c->id)].data_cell == g->cell,
	      "the cut of what is there is known", "id %lx: %u, should be %u", c->id,
	      ss->served.slots[EBPFS_ID_SLOT(c->id)].data_cell, g->cell);
	if (!need) {
		INNER(w, !c->attempt || c->attempt < g->call_attempt,
		      "a repeated call is told what it lacks", "id %lx", c->id);
		return;
	}
	n.cell = g->cell;
	INNER(w, c->attempt && need == lacking(g), "what lacks is asked for, and nothing else",
	      "id %lx attempt %u: %lx lack, asked for %lx", c->id, c->attempt, lacking(g), need);
	COUNT(w, needs);
	TRACE(w, "gath  id %lx attempt %lu lacks %lx by %lu", c->id, c->attempt, need, n.cell);
	len = ebpfs_put_need(out, ss->hs.client_session, &n);
	ssession_send(w, ss, out, len);
}

/* A call is to be executed, all of its data came before it: where are they? */
const u8 *gather_whole(struct world *w, struct ssession *ss, const struct ebpfs_call_info *c)
{
	struct gather *g = &ss->gather[EBPFS_ID_SLOT(c->id)];

	begin(w, g, EBPFS_ID_SEQ(c->id), c->data_len);
	INNER(w, !lacking(g), "a call is executed when all of its data are there",
	      "id %lx lacks %lx", c->id, lacking(g));
	COUNT(w, data_before);
	return g->buf;
}

/* Memory is short: the data that are there go, and have to be asked for again. */
void gather_evict(struct world *w, struct ssession *ss, u16 slot)
{
	const struct ebpfs_served_slot *s = &ss->served.slots[slot];
	struct gather *g = &ss->gather[slot];

	if (!g->cell || g->seq != s->seq)
		return;
	COUNT(w, data_dropped);
	TRACE(w, "gath  id %lx: data dropped", EBPFS_ID(slot, g->seq));
	ebpfs_served_forget_data(&ss->served, slot);
	clear(g);
	INNER(w, ebpfs_served_missing(s) == ~0ull, "what was dropped lacks", "slot %u: %lx", slot,
	      ebpfs_served_missing(s));
}

/* A call was executed: its data are gone, should it come again. */
void gather_done(struct ssession *ss, u64 id)
{
	struct gather *g = &ss->gather[EBPFS_ID_SLOT(id)];

	if (g->seq != EBPFS_ID_SEQ(id))
		return;
	clear(g);
	g->has_call = false;
}

static void check_data(struct world *w, const struct ebpfs_frag *f, u32 len)
{
	u32 rest = f->total - f->offset;

	CHECK(w, f->total && f->total <= EBPFS_MSG_MAX && f->cell >= EBPFS_CELL_MIN &&
	      f->cell <= EBPFS_CELL_MAX && f->cell % 8 == 0 && f->offset < f->total &&
	      f->len == (rest < f->cell ? rest : f->cell) &&
	      f->len + sizeof(struct ebpfs_data) == len && f->offset == (u32)f->index * f->cell &&
	      f->ncells == (f->total + f->cell - 1) / f->cell && f->ncells <= EBPFS_CELLS_MAX &&
	      EBPFS_ID_SEQ(f->id) && !f->instance && !f->status && !f->flags,
	      "a parsed fragment of data lies on its grid",
	      "id %lx total %u cell %u offset %u len %u", f->id, f->total, f->cell, f->offset,
	      f->len);
}

/* A fragment was taken: may it, by our own account? */
static void take(struct world *w, struct ssession *ss, const struct ebpfs_frag *f,
		 const u8 *payload)
{
	struct gather *g = &ss->gather[EBPFS_ID_SLOT(f->id)];

	INNER(w, EBPFS_ID_SEQ(f->id) >= g->seq &&
	      EBPFS_ID_SEQ(f->id) >= ss->tally[EBPFS_ID_SLOT(f->id)].seq,
	      "data of an older call are not taken", "id %lx after sequence %lu", f->id, g->seq);
	INNER(w, EBPFS_ID_SEQ(f->id) != g->seq || !g->has_call || f->total == g->call.data_len,
	      "data that contradict their call are not taken", "id %lx: %u of %u bytes", f->id,
	      f->total, g->call.data_len);
	begin(w, g, EBPFS_ID_SEQ(f->id), f->total);
	if (g->cell && g->cell != f->cell) {
		INNER(w, f->attempt > g->attempt || f->attempt == 255,
		      "only a later attempt cuts data anew",
		      "id %lx: attempt %u by %u, then %u by %u", f->id, g->attempt, g->cell,
		      f->attempt, f->cell);
		COUNT(w, data_recut);
		g->got = 0;
	}
	g->cell = f->cell;
	if (f->attempt > g->attempt)
		g->attempt = f->attempt;
	INNER(w, !(g->got >> f->index & 1), "a fragment of data is taken once", "id %lx cell %u",
	      f->id, f->index);
	g->got |= 1ull << f->index;
	memcpy(g->buf + f->offset, payload, f->len);
	COUNT(w, data_more);
	if (!g->has_call)
		COUNT(w, data_early);
}

/* Fragments that one receive brought. */
static void take_run(struct world *w, struct ssession *ss, const struct ebpfs_frag *first, u32 n,
		     const u8 *payload)
{
	struct ebpfs_frag f = *first;
	enum ebpfs_take what;
	struct gather *g;
	u64 fresh, left;

	what = ebpfs_served_data_run(&ss->served, &f, n, &fresh);
	TRACE(w, "gath  id %lx attempt %lu cell %lu by %lu of %lu bytes: %lu of %lu are new, %lu",
	      f.id, f.attempt, f.index, f.cell, f.total, hweight64(fresh), n, what);
	if (n > 1)
		COUNT(w, data_runs);
	switch (what) {
	case EBPFS_TAKE_MORE:
	case EBPFS_TAKE_READY:
		CHECK(w, EBPFS_ID_SLOT(f.id) < ss->served.nslots,
		      "data are taken for slots that are there", "id %lx", f.id);
		CHECK(w, fresh && !(fresh & ~(ebpfs_cell_set(n) << f.index)),
		      "of a run its own fragments are taken", "id %lx: %lx of %u from %u", f.id,
		      fresh, n, f.index);
		for (left = fresh; left; left &= left - 1) {
			u32 rest;

			f.index = (u8)__ffs64(left);
			f.offset = (u32)f.index * f.cell;
			rest = f.total - f.offset;
			f.len = rest < f.cell ? rest : f.cell;
			take(w, ss, &f, payload + (f.offset - first->offset));
		}
		if (n > hweight64(fresh))
			COUNT(w, data_again);
		if (what == EBPFS_TAKE_MORE) {
			if (w->cfg.evict && !w->healed && chance(w, 50))
				gather_evict(w, ss, EBPFS_ID_SLOT(f.id));
			break;
		}
		g = &ss->gather[EBPFS_ID_SLOT(f.id)];
		CHECK(w, g->has_call && EBPFS_ID_SEQ(g->call.id) == g->seq,
		      "a call is executed after it came", "id %lx", f.id);
		INNER(w, !lacking(g), "a call is executed when all of its data are there",
		      "id %lx lacks %lx", f.id, lacking(g));
		INNER(w, ss->served.slots[EBPFS_ID_SLOT(f.id)].attempt == g->call_attempt,
		      "a reply owes itself to the latest attempt that came", "id %lx: %u of %u",
		      f.id, ss->served.slots[EBPFS_ID_SLOT(f.id)].attempt, g->call_attempt);
		COUNT(w, data_ready);
		serve_execute(w, ss, &g->call, g->file, g->buf);
		break;
	case EBPFS_TAKE_DUPLICATE:
		COUNT(w, data_again);
		break;
	case EBPFS_TAKE_STALE:
		COUNT(w, data_stale);
		break;
	case EBPFS_TAKE_BAD:
		COUNT(w, data_bad);
		break;
	}
}

/* The server looks at what it has received: something else has come, or it is enough. */
void gather_flush(struct world *w, struct server *s)
{
	struct together *t = &s->together;
	u32 n = t->n;

	t->n = 0;
	t->gen++;
	if (n && t->ss->alive)
		take_run(w, t->ss, &t->first, n, t->payload);
}

/* Nothing has come for a while. */
static void flush_timer(struct world *w, void *obj, u64 gen)
{
	struct server *s = obj;

	if (s->together.gen == gen)
		gather_flush(w, s);
}

void gather_data(struct world *w, struct ssession *ss, const struct dgram *d)
{
	struct together *t = &ss->server->together;
	struct ebpfs_frag f;

	if (ebpfs_parse_data(d->data, d->len, &f))
		return;
	check_data(w, &f, d->len);
	if (!t->n || t->ss != ss || !ebpfs_next_data(d->data, d->len, t->head, &t->last)) {
		gather_flush(w, ss->server);
		/* What was looked at may have ended the session. */
		if (!ss->alive)
			return;
		t->ss = ss;
		t->first = f;
		t->last = f;
		memcpy(t->head, d->data, sizeof(t->head));
		if (!t->payload)
			t->payload = arena_raw(w, EBPFS_MSG_MAX);
	}
	memcpy(t->payload + (f.offset - t->first.offset), d->data + sizeof(struct ebpfs_data),
	       f.len);
	t->n++;
	CHECK(w, t->last.offset == f.offset && t->last.len == f.len && t->last.id == f.id &&
	      t->last.index == f.index && t->last.attempt == f.attempt && t->last.cell == f.cell,
	      "what follows a fragment is what the parser says", "id %lx cell %u", f.id, f.index);
	/* The network brings neighbours together, or does not. */
	if (f.index + 1 == f.ncells || chance(w, 3000))
		gather_flush(w, ss->server);
	else if (t->n == 1)
		schedule(w, rnd_time(w, w->cfg.join_time), flush_timer, ss->server, t->gen);
}
