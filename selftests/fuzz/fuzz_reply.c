// SPDX-License-Identifier: GPL-2.0
/*
 * Arbitrary sequences of calls, fragments, cancels, retransmissions and requests for
 * data against kmod/core/conn.c, compared with a model of what its header promises.
 *
 * The input is a program: one byte says what happens, the next ones how. What
 * is claimed, one fragment or several neighbours together, stays claimed until the
 * program says that it was filled, well or badly, so everything that threads could
 * do between the two happens here in one. Each destination remembers, for every 8
 * bytes, of which reply (instance and grid) the last good fragment was that was
 * written there. A complete reply must be of one. At the end every call that is
 * still open is answered by a newer instance, and must complete.
 */
#include <stdlib.h>

#include "core/conn.h"
#include "core/place.h"
#include "fuzz/must.h"

#define NSLOTS		3
#define NPENDING	12
#define GARBAGE		1ull	/* a badly filled word */

/**
 * struct call - what the model knows of the call in a slot
 * @id: of the call
 * @limit: bytes of reply that it may have
 * @data: bytes of data that it has
 * @attempt: as it was found due
 * @needed: NEED was answered in this attempt
 * @open: taken and not yet put
 * @cancelled: CANCEL said NOW or FILLER
 * @ended: somebody was told to let go
 * @words: what lies in the destination
 */
struct call {
	u64 id;
	u32 limit;
	u32 data;
	u8 attempt;
	bool needed;
	bool open;
	bool cancelled;
	bool ended;
	u64 words[EBPFS_MSG_MAX / 8];
};

/**
 * struct pending - fragments that were claimed together
 * @f: the first
 * @cells: those that were claimed
 * @call: whose they are, NULL if this place is free
 */
struct pending {
	struct ebpfs_frag f;
	u64 cells;
	struct call *call;
};

static struct ebpfs_conn conn;
static struct ebpfs_slot slots[NSLOTS];
static struct call calls[NSLOTS];
static struct pending pending[NPENDING];
static u64 now;

/* The program. */
static const u8 *pos, *end;

static u8 next_byte(void)
{
	return pos < end ? *pos++ : 0;
}

static u32 count_pending(const struct call *call)
{
	u32 i, n = 0;

	for (i = 0; i < NPENDING; i++)
		n += pending[i].call == call;
	return n;
}

static u64 pending_cells(const struct call *call)
{
	u64 cells = 0;
	u32 i;

	for (i = 0; i < NPENDING; i++)
		if (pending[i].call == call)
			cells |= pending[i].cells;
	return cells;
}

/* Names a reply: fragments may be combined if this is the same. */
static u64 name_of(const struct ebpfs_frag *f)
{
	u32 key[5] = { f->instance, f->total, f->cell, f->status, f->flags };

	return ebpfs_place_hash(key, sizeof(key)) | 2;
}

static void write_words(const struct pending *p, u64 cells, u64 value)
{
	const struct ebpfs_frag *f = &p->f;
	u32 at, to;

	for (; cells; cells &= cells - 1) {
		at = __ffs64(cells) * f->cell;
		to = f->total - at < f->cell ? f->total : at + f->cell;
		for (at /= 8; at * 8 < to; at++)
			p->call->words[at] = value;
	}
}

static void put(struct call *call)
{
	MUST(call->open && call->ended && !count_pending(call));
	ebpfs_conn_put(&conn, call - calls, now);
	call->open = false;
}

static u32 bytes_of(const struct call *call)
{
	return call->limit > call->data ? call->limit : call->data;
}

static void take(u32 limit, u32 data)
{
	u32 bytes = limit > data ? limit : data, i, used = 0, flight = 0;
	struct call *call;
	int slot;

	for (i = 0; i < NSLOTS; i++) {
		used += calls[i].open;
		flight += calls[i].open ? bytes_of(&calls[i]) : 0;
	}
	MUST(conn.win.flight == flight);
	slot = ebpfs_conn_take_data(&conn, limit, data, &calls[0], now);
	if (slot < 0) {
		MUST(slot == -EAGAIN);
		MUST(used == NSLOTS || (flight && flight + bytes > conn.win.cwnd));
		return;
	}
	MUST(slot < NSLOTS && !calls[slot].open && used < NSLOTS);
	MUST(!flight || flight + bytes <= conn.win.cwnd);
	call = &calls[slot];
	/* Sequences of a slot grow. */
	MUST(slots[slot].id == call->id + (1ull << 16));
	call->id = slots[slot].id;
	call->limit = limit;
	call->data = data;
	call->attempt = 0;
	call->needed = false;
	call->open = true;
	call->cancelled = false;
	call->ended = false;
	memset(call->words, 0, sizeof(call->words));
}

static const u32 limits[] = { 0, 1, 100, 1024, 1025, 4096, 8192, 61440, 65536 };

static void do_take(void)
{
	take(limits[next_byte() % ARRAY_SIZE(limits)], 0);
}

static void do_take_data(void)
{
	u8 which = next_byte();

	take(limits[which % 4], limits[(which >> 4) % ARRAY_SIZE(limits)]);
}

static void check_claimed(const struct ebpfs_frag *f, u64 cells)
{
	struct call *call;
	u32 i;

	MUST(EBPFS_ID_SLOT(f->id) < NSLOTS);
	call = &calls[EBPFS_ID_SLOT(f->id)];
	MUST(call->open && call->id == f->id && !call->ended && !call->cancelled);
	MUST(f->total <= call->limit && !(cells & ~ebpfs_cell_set(f->ncells)));
	for (i = 0; i < NPENDING; i++) {
		if (pending[i].call != call)
			continue;
		MUST(name_of(f) == name_of(&pending[i].f));
		MUST(!(cells & pending[i].cells));
	}
}

/* @cells of the reply that @f is of have come together; @f is the first of them. */
static void claim(const struct ebpfs_frag *f, u64 cells)
{
	struct ebpfs_slot *s = &slots[EBPFS_ID_SLOT(f->id) % NSLOTS];
	u64 claimed, missing = s->instance == f->instance ? cells & ~s->claimed : cells;
	struct pending *p = NULL;
	enum ebpfs_verdict verdict;
	void *owner = NULL;
	u32 i;

	for (i = 0; i < NPENDING && !p; i++)
		if (!pending[i].call)
			p = &pending[i];
	if (!p)
		return;
	if (cells == 1ull << f->index) {
		verdict = ebpfs_conn_claim(&conn, f, &owner);
		claimed = cells;
	} else {
		verdict = ebpfs_conn_claim_cells(&conn, f, cells, &owner, &claimed);
	}
	if (verdict != EBPFS_CLAIMED) {
		MUST(!owner);
		/* Of a reply that is whole, anything is repeated. */
		MUST(verdict != EBPFS_DROP_DUPLICATE || !missing ||
		     s->state == EBPFS_SLOT_COMPLETE);
		return;
	}
	MUST(owner == &calls[0]);
	/* Of what has come all that is missing, and nothing else. */
	MUST(claimed && claimed == missing);
	check_claimed(f, claimed);
	p->f = *f;
	p->cells = claimed;
	p->call = &calls[EBPFS_ID_SLOT(f->id)];
}

/* A fragment, and up to @more that continue it. */
static void fragments(u8 more)
{
	static const u32 totals[] = { 0, 1, 1000, 1024, 2000, 4096, 8192, 9000, 61440, 65536 };
	static const u16 cells[] = { 1024, 1032, 4096, 8192, 65456, 1000 };
	u8 where = next_byte(), how = next_byte(), what = next_byte(), which = next_byte();
	u8 head[sizeof(struct ebpfs_reply)];
	struct ebpfs_frag f = { .session = 1 };
	u32 slot = where % 4, left;

	/* Of the slot's call, the one before, the one to come; or of no slot. */
	f.id = slot < NSLOTS ? calls[slot].id : EBPFS_ID(NSLOTS + where, 1);
	if ((where >> 2 & 7) == 1)
		f.id -= 1ull << 16;
	if ((where >> 2 & 7) == 2)
		f.id += 1ull << 16;
	/* Instances around the end of the numbers. */
	f.instance = 0xfffffffcu + (how & 7);
	f.flags = how >> 3 & 1;
	f.status = (how >> 4 & 7) == 7 ? EIO : 0;
	f.total = totals[what % ARRAY_SIZE(totals)];
	f.cell = cells[(what >> 4) % ARRAY_SIZE(cells)];
	f.attempt = which >> 6;
	f.ce = how >> 7;
	f.offset = (which & 0x3f) % (f.total / f.cell + 1) * f.cell;
	left = f.total > f.offset ? f.total - f.offset : 0;
	f.len = left < f.cell ? left : f.cell;

	ebpfs_put_reply(head, &f);
	if (ebpfs_parse_reply(head, sizeof(head) + f.len, &f))
		return;
	f.ce = how >> 7;
	left = f.ncells - 1 - f.index;
	claim(&f, ebpfs_cell_set(1 + (more < left ? more : left)) << f.index);
}

static void do_fragment(void)
{
	fragments(0);
}

static void do_run(void)
{
	fragments(1 + next_byte() % EBPFS_CELLS_MAX);
}

static void check_complete(const struct pending *p, const struct ebpfs_result *res)
{
	u64 name = name_of(&p->f);
	u32 at;

	MUST(!p->call->cancelled);
	MUST(res->total == p->f.total && res->status == p->f.status && res->flags == p->f.flags);
	MUST(res->attempts >= 1);
	for (at = 0; at * 8 < res->total; at++)
		MUST(p->call->words[at] == name);
}

/* Those claimed were written; the @good ones of them well. */
static void fill(struct pending *p, u64 good)
{
	struct call *call = p->call;
	struct ebpfs_result res;
	bool last = count_pending(call) == 1;
	enum ebpfs_filled what;

	write_words(p, p->cells & ~good, GARBAGE);
	write_words(p, good, name_of(&p->f));
	if (p->cells == 1ull << p->f.index)
		what = ebpfs_conn_filled(&conn, &p->f, good, now, &res);
	else
		what = ebpfs_conn_filled_cells(&conn, &p->f, p->cells, good, now, &res);
	switch (what) {
	case EBPFS_FILL_MORE:
		MUST(!(call->cancelled && last));
		/* Nothing is missing of an empty reply. */
		MUST(!(good && !p->f.total && !call->cancelled));
		break;
	case EBPFS_FILL_COMPLETE:
		MUST(good && last && !call->ended);
		check_complete(p, &res);
		call->ended = true;
		break;
	case EBPFS_FILL_RELEASE:
		MUST(call->cancelled && last && !call->ended);
		call->ended = true;
		break;
	}
	p->call = NULL;
}

/* All of it well, nothing, or every second cell. */
static u64 good_of(const struct pending *p, u8 which)
{
	if (which < 200)
		return p->cells;
	return which < 228 ? 0 : p->cells & 0x5555555555555555ull << (which & 1);
}

static void do_fill(void)
{
	u8 which = next_byte();
	u32 i, start = which % NPENDING;

	for (i = 0; i < NPENDING; i++) {
		struct pending *p = &pending[(start + i) % NPENDING];

		if (p->call) {
			fill(p, good_of(p, which));
			return;
		}
	}
}

static void do_cancel(void)
{
	u8 which = next_byte();
	struct call *call = &calls[which % NSLOTS];
	u64 id = call->id + ((u64)(which >> 6 == 3) << 16);
	bool can = call->open && !call->ended && !call->cancelled && id == call->id;

	switch (ebpfs_conn_cancel(&conn, id)) {
	case EBPFS_CANCEL_NOW:
		MUST(can && !count_pending(call));
		call->cancelled = true;
		call->ended = true;
		break;
	case EBPFS_CANCEL_FILLER:
		MUST(can && count_pending(call));
		call->cancelled = true;
		break;
	case EBPFS_CANCEL_LATE:
		MUST(!can);
		break;
	}
}

static void do_put(void)
{
	struct call *call = &calls[next_byte() % NSLOTS];

	if (call->open && call->ended)
		put(call);
}

static void send(u16 slot, u64 id)
{
	struct call *call = &calls[slot];
	bool can = call->open && !call->ended && !call->cancelled && call->id == id;
	struct ebpfs_call_info c;

	MUST(ebpfs_conn_sending(&conn, slot, id, now, &c) == can);
	if (!can)
		return;
	MUST(c.id == id && c.attempt == call->attempt);
	/* What is known to be there is not asked for, all else is. */
	if (c.instance)
		MUST(c.want == (ebpfs_cell_set(slots[slot].ncells) & ~slots[slot].done) && c.want);
	else
		MUST(c.want == ~0ull && !slots[slot].done);
}

static void do_send(void)
{
	u8 which = next_byte();
	u16 slot = which % NSLOTS;

	send(slot, calls[slot].id + ((u64)(which >> 6 == 3) << 16));
}

/* The server, or somebody in its name, says which data lack. */
static void do_need(void)
{
	static const u16 cells[] = { 1024, 1152, 8192, 65456 };
	u8 which = next_byte(), how = next_byte(), bits = next_byte();
	struct call *call = &calls[which % NSLOTS];
	u16 cell = cells[how & 3];
	struct ebpfs_need_info n = {
		.id = call->id + ((u64)(which >> 6 == 3) << 16),
		.missing = bits & 1 ? ~0ull << (bits >> 2) : 1ull << (bits >> 2),
		.cell = how & 4 ? 0 : cells[how >> 3 & 3],
		.attempt = call->attempt + (how >> 6 == 3) - (how >> 6 == 2),
	};
	bool can = call->open && !call->ended && !call->cancelled && n.id == call->id &&
		   n.attempt == call->attempt && !call->needed && call->data;
	u64 all = ebpfs_cell_set(ebpfs_ncells(call->data, cell)), lack, send;
	void *owner = NULL;

	lack = n.cell == cell ? n.missing & all : all;
	send = ebpfs_conn_need(&conn, &n, cell, now, &owner);
	MUST(send == (can ? lack : 0));
	MUST(owner == (send ? &calls[0] : NULL));
	if (send)
		call->needed = true;
}

static void do_due(void)
{
	u8 how = next_byte();
	u64 ids[NSLOTS], next, seen = 0;
	u32 i, n, max = 1 + how % NSLOTS;

	now += (u64)(how >> 2) * 5 * EBPFS_NSEC_PER_MSEC;
	n = ebpfs_conn_due(&conn, now, ids, max, &next);
	MUST(n <= max && next >= now);
	/* What was told is not due again before its time. */
	MUST(n == max || (ebpfs_conn_due(&conn, now, ids + n, max - n, &next) == 0 && next > now));
	for (i = 0; i < n; i++) {
		struct call *call = &calls[EBPFS_ID_SLOT(ids[i])];

		MUST(call->open && !call->ended && !call->cancelled && call->id == ids[i]);
		MUST(!(seen >> EBPFS_ID_SLOT(ids[i]) & 1));
		seen |= 1ull << EBPFS_ID_SLOT(ids[i]);
		call->attempt += call->attempt < 255;
		call->needed = false;
		send(EBPFS_ID_SLOT(ids[i]), ids[i]);
	}
	for (i = 0; i < NSLOTS; i++)
		if (calls[i].open && !calls[i].ended && !calls[i].cancelled)
			MUST(next != EBPFS_NEVER);
}

static void check_conn(void)
{
	u32 i, nfree = 0;

	for (i = 0; i < NSLOTS; i++) {
		const struct ebpfs_slot *s = &slots[i];

		nfree += !calls[i].open;
		MUST((conn.free[0] >> i & 1) == !calls[i].open);
		MUST(calls[i].open == (s->state != EBPFS_SLOT_FREE));
		MUST(s->id == calls[i].id);
		if (!calls[i].open)
			continue;
		MUST(!(s->done & ~s->claimed));
		MUST(s->busy == count_pending(&calls[i]));
		MUST((s->claimed & ~s->done) == pending_cells(&calls[i]));
		/* Bound as long as something of it is there or on its way, no longer. */
		MUST(!s->instance == !s->claimed);
	}
	MUST(conn.nfree == nfree);
	MUST((conn.waiting_since == EBPFS_NEVER) == (nfree == NSLOTS));
	MUST(conn.win.cwnd >= EBPFS_WINDOW_MIN && conn.win.cwnd <= EBPFS_WINDOW_MAX);
	MUST(conn.rtt.rto >= EBPFS_RTO_MIN && conn.rtt.rto <= EBPFS_RTO_MAX);
	MUST(ebpfs_conn_silence(&conn, now) <= now);
}

/* A newer execution's reply arrives whole. */
static void answer(struct call *call)
{
	struct ebpfs_frag f = { .session = 1, .id = call->id, .cell = 1024, .attempt = 3 };
	struct ebpfs_slot *s = &slots[call - calls];
	u32 i;

	f.instance = s->instance ? s->instance + 1 : 5;
	if (!f.instance)
		f.instance = 1;
	f.total = call->limit;
	f.ncells = ebpfs_ncells(f.total, f.cell);
	for (i = 0; i < f.ncells; i++) {
		f.index = f.ncells - 1 - i;
		f.offset = f.index * f.cell;
		f.len = f.total - f.offset < f.cell ? f.total - f.offset : f.cell;
		claim(&f, 1ull << f.index);
		MUST(pending[0].call == call);
		fill(&pending[0], pending[0].cells);
	}
	MUST(call->ended);
}

static void close_all(void)
{
	u32 i;

	for (i = 0; i < NPENDING; i++)
		if (pending[i].call)
			fill(&pending[i], i % 2 ? pending[i].cells : 0);
	for (i = 0; i < NSLOTS; i++) {
		if (!calls[i].open)
			continue;
		if (!calls[i].ended)
			answer(&calls[i]);
		put(&calls[i]);
		check_conn();
	}
	MUST(conn.win.flight == 0);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	static void (*const ops[])(void) = {
		do_take, do_fragment, do_fill, do_fragment, do_fill, do_cancel, do_put, do_send,
		do_due, do_fragment, do_take_data, do_need,
		do_run,
	};
	u32 i;

	pos = data;
	end = data + size;
	now = EBPFS_NSEC_PER_SEC;
	memset(pending, 0, sizeof(pending));
	ebpfs_conn_init(&conn, slots, NSLOTS, 0, now);
	for (i = 0; i < NSLOTS; i++) {
		calls[i].id = EBPFS_ID(i, 0);
		calls[i].open = false;
		calls[i].attempt = 0;
		calls[i].data = 0;
	}
	while (pos < end) {
		ops[next_byte() % ARRAY_SIZE(ops)]();
		check_conn();
	}
	close_all();
	ebpfs_conn_fini(&conn);
	return 0;
}
