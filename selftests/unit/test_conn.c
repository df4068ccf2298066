// SPDX-License-Identifier: GPL-2.0
/*
 * kmod/core/conn.c: slots, claim, fill, cancel and put. What has to do with
 * time is in test_conn_due.c, threads are in tsan_claim.c.
 */
#include "unit/conn.h"

static void init(void)
{
	begin(3);
	EXPECT_EQ(conn.nslots, 3);
	EXPECT_EQ(conn.nfree, 3);
	EXPECT_EQ(conn.free[0], 7);
	EXPECT_EQ(conn.free[1], 0);
	EXPECT_EQ(conn.heard_at, T0);
	EXPECT_EQ(conn.waiting_since, EBPFS_NEVER);
	EXPECT_EQ(conn.retransmits, 0);
	EXPECT(!conn.blackhole);
	EXPECT_EQ(conn.rtt.rto, EBPFS_RTO_FIRST);
	EXPECT_EQ(conn.win.cwnd, EBPFS_WINDOW_FIRST);
	end();
}

static void take_until_none_is_free(void)
{
	static u8 seen[EBPFS_SLOTS_MAX];
	int i, slot;

	begin(EBPFS_SLOTS_MAX);
	memset(seen, 0, sizeof(seen));
	for (i = 0; i < EBPFS_SLOTS_MAX; i++) {
		slot = ebpfs_conn_take(&conn, 0, &owners[0], T0);
		ASSERT(slot >= 0 && slot < EBPFS_SLOTS_MAX);
		EXPECT_EQ(seen[slot]++, 0);
	}
	EXPECT_EQ(ebpfs_conn_take(&conn, 0, &owners[0], T0), -EAGAIN);
	EXPECT_EQ(conn.nfree, 0);
	/* One comes back, and is the next. */
	EXPECT_EQ(ebpfs_conn_cancel(&conn, EBPFS_ID(700, 1)), EBPFS_CANCEL_NOW);
	ebpfs_conn_put(&conn, 700, T0);
	EXPECT_EQ(ebpfs_conn_take(&conn, 0, &owners[0], T0), 700);
	EXPECT_EQ(ebpfs_conn_take(&conn, 0, &owners[0], T0), -EAGAIN);
	end();
}

static void take_within_the_window(void)
{
	u64 a, b;

	begin(8);
	a = start(64 * KB, T0);
	b = start(64 * KB, T0);
	EXPECT_EQ(ebpfs_conn_take(&conn, 1, &owners[0], T0), -EAGAIN);
	EXPECT_EQ(conn.nfree, 6);
	/* What asks for nothing is not held up. */
	EXPECT_EQ(ebpfs_conn_take(&conn, 0, &owners[0], T0), 2);
	ebpfs_conn_cancel(&conn, a);
	ebpfs_conn_put(&conn, EBPFS_ID_SLOT(a), T0);
	EXPECT_EQ(conn.win.flight, 64 * KB);
	ebpfs_conn_cancel(&conn, b);
	ebpfs_conn_put(&conn, EBPFS_ID_SLOT(b), T0);
	EXPECT_EQ(conn.win.flight, 0);
	EXPECT_EQ(conn.win.cwnd, EBPFS_WINDOW_FIRST);
	end();
}

static void sequences_grow(void)
{
	struct ebpfs_call_info c;
	u64 seq;
	int slot;

	begin(1);
	for (seq = 1; seq < 50; seq++) {
		slot = ebpfs_conn_take(&conn, 100, &owners[0], T0);
		EXPECT_EQ(slot, 0);
		EXPECT(ebpfs_conn_sending(&conn, 0, 0, T0, &c));
		EXPECT_EQ(EBPFS_ID_SEQ(c.id), seq);
		EXPECT_EQ(EBPFS_ID_SLOT(c.id), 0);
		if (seq % 2) {
			answer(c.id, 100, T0);
		} else {
			EXPECT_EQ(ebpfs_conn_cancel(&conn, c.id), EBPFS_CANCEL_NOW);
			ebpfs_conn_put(&conn, 0, T0);
		}
	}
	end();
}

static void sending(void)
{
	struct ebpfs_call_info c;
	struct ebpfs_frag f;
	u64 id;

	begin(2);
	EXPECT(!ebpfs_conn_sending(&conn, 0, 0, T0, &c));
	EXPECT(!ebpfs_conn_sending(&conn, 2, 0, T0, &c));
	EXPECT(!ebpfs_conn_sending(&conn, 0xffff, 0, T0, &c));
	id = start(64 * KB, T0);
	EXPECT(ebpfs_conn_sending(&conn, 0, id, T0 + 5, &c));
	EXPECT_EQ(c.id, id);
	EXPECT_EQ(c.want, ~0ull);
	EXPECT_EQ(c.instance, 0);
	EXPECT_EQ(c.attempt, 0);
	EXPECT_EQ(slots[0].first_at, T0);
	EXPECT_EQ(slots[0].sent_at, T0 + 5);
	/* Not this call. */
	EXPECT(!ebpfs_conn_sending(&conn, 0, id + (1ull << 16), T0 + 9, &c));
	EXPECT_EQ(slots[0].sent_at, T0 + 5);

	f = frag(id, 64 * KB, 2);
	arrive(&f, T0 + 6);
	/* A cell that is busy is still wanted. */
	f = frag(id, 64 * KB, 3);
	claim(&f);
	EXPECT(ebpfs_conn_sending(&conn, 0, id, T0 + 7, &c));
	EXPECT_EQ(c.instance, 10);
	EXPECT_EQ(c.want, 0xfb);

	ebpfs_conn_cancel(&conn, id);
	EXPECT(!ebpfs_conn_sending(&conn, 0, id, T0 + 8, &c));
	filled(&f, true, T0 + 8);
	ebpfs_conn_put(&conn, 0, T0 + 8);
	EXPECT(!ebpfs_conn_sending(&conn, 0, id, T0 + 9, &c));
	end();
}

static void claim_needs_the_call(void)
{
	struct ebpfs_frag f;
	u64 id;

	begin(2);
	f = frag(EBPFS_ID(0, 0), 100, 0);
	EXPECT_EQ(claim(&f), EBPFS_DROP_STALE);
	id = start(100, T0);
	f = frag(EBPFS_ID(2, 1), 100, 0);
	EXPECT_EQ(claim(&f), EBPFS_DROP_RANGE);
	f = frag(EBPFS_ID(0xffff, 1), 100, 0);
	EXPECT_EQ(claim(&f), EBPFS_DROP_RANGE);
	f = frag(EBPFS_ID(1, 1), 100, 0);
	EXPECT_EQ(claim(&f), EBPFS_DROP_STALE);
	f = frag(id + (1ull << 16), 100, 0);
	EXPECT_EQ(claim(&f), EBPFS_DROP_STALE);
	f = frag(id | 1ull << 63, 100, 0);
	EXPECT_EQ(claim(&f), EBPFS_DROP_STALE);
	f = frag(id, 100, 0);
	EXPECT_EQ(claim(&f), EBPFS_CLAIMED);
	EXPECT_EQ(filled(&f, true, T0), EBPFS_FILL_COMPLETE);
	/* Complete and not yet put, then free, then another call. */
	EXPECT_EQ(claim(&f), EBPFS_DROP_DUPLICATE);
	ebpfs_conn_put(&conn, 0, T0);
	EXPECT_EQ(claim(&f), EBPFS_DROP_STALE);
	start(100, T0);
	EXPECT_EQ(claim(&f), EBPFS_DROP_STALE);
	end();
}

static void claim_stays_within_the_limit(void)
{
	struct ebpfs_frag f;
	u64 id;

	begin(1);
	id = start(CELL, T0);
	f = frag(id, CELL + 1, 0);
	EXPECT_EQ(claim(&f), EBPFS_DROP_RANGE);
	f = frag(id, CELL + 1, 1);
	EXPECT_EQ(claim(&f), EBPFS_DROP_RANGE);
	f = frag(id, CELL, 0);
	EXPECT_EQ(claim(&f), EBPFS_CLAIMED);
	EXPECT_EQ(filled(&f, true, T0), EBPFS_FILL_COMPLETE);
	end();
}

static void claim_is_exclusive(void)
{
	struct ebpfs_frag f, g;
	u64 id;

	begin(1);
	id = start(64 * KB, T0);
	f = frag(id, 64 * KB, 3);
	EXPECT_EQ(claim(&f), EBPFS_CLAIMED);
	EXPECT_EQ(claim(&f), EBPFS_DROP_DUPLICATE);	/* busy */
	g = frag(id, 64 * KB, 4);
	EXPECT_EQ(claim(&g), EBPFS_CLAIMED);
	EXPECT_EQ(filled(&f, true, T0), EBPFS_FILL_MORE);
	EXPECT_EQ(claim(&f), EBPFS_DROP_DUPLICATE);	/* done */
	EXPECT_EQ(filled(&g, false, T0), EBPFS_FILL_MORE);
	EXPECT_EQ(claim(&g), EBPFS_CLAIMED);		/* free again */
	EXPECT_EQ(filled(&g, true, T0), EBPFS_FILL_MORE);
	EXPECT_EQ(slots[0].done, 0x18);
	EXPECT_EQ(slots[0].claimed, 0x18);
	EXPECT_EQ(slots[0].busy, 0);
	end();
}

static void grid_is_fixed(void)
{
	struct ebpfs_frag f;
	u64 id;

	begin(1);
	id = start(64 * KB, T0);
	f = frag(id, 64 * KB, 0);
	arrive(&f, T0);
#define OTHER_GRID(spoil)						\
	do {								\
		f = frag(id, 64 * KB, 1);				\
		spoil;							\
		EXPECT_EQ(claim(&f), EBPFS_DROP_GRID);			\
	} while (0)
	OTHER_GRID(f.total -= 8);
	OTHER_GRID(f.cell = 4096);
	OTHER_GRID(f.status = 5);
	OTHER_GRID(f.flags = EBPFS_REPLY_EOF);
	f = frag(id, 64 * KB, 1);
	EXPECT_EQ(claim(&f), EBPFS_CLAIMED);
	end();
}

static void instances_are_not_mixed(void)
{
	struct ebpfs_frag old, cur, new;
	u8 i;
	u64 id;

	begin(1);
	id = start(64 * KB, T0);
	cur = frag(id, 64 * KB, 0);
	arrive(&cur, T0);

	old = frag(id, 64 * KB, 1);
	old.instance = 9;
	EXPECT_EQ(claim(&old), EBPFS_DROP_INSTANCE);

	/* Not while a cell of the other is being written. */
	cur = frag(id, 64 * KB, 2);
	claim(&cur);
	new = frag(id, 32 * KB, 1);
	new.instance = 11;
	EXPECT_EQ(claim(&new), EBPFS_DROP_INSTANCE);
	filled(&cur, true, T0);

	/* It takes over, grid and all; what was done is to come again. */
	EXPECT_EQ(claim(&new), EBPFS_CLAIMED);
	EXPECT_EQ(slots[0].done, 0);
	EXPECT_EQ(slots[0].total, 32 * KB);
	EXPECT_EQ(slots[0].ncells, 4);
	cur = frag(id, 64 * KB, 3);
	EXPECT_EQ(claim(&cur), EBPFS_DROP_INSTANCE);
	EXPECT_EQ(filled(&new, true, T0), EBPFS_FILL_MORE);
	EXPECT_EQ(claim(&cur), EBPFS_DROP_INSTANCE);
	for (i = 0; i < 4; i++) {
		if (i == 1)
			continue;
		new = frag(id, 32 * KB, i);
		new.instance = 11;
		EXPECT_EQ(arrive(&new, T0), i == 3 ? EBPFS_FILL_COMPLETE : EBPFS_FILL_MORE);
	}
	end();
}

static void instances_are_serial_numbers(void)
{
	static const struct {
		u32 bound, next;
		bool newer;
	} t[] = {
		{ 1, 2, true }, { 2, 1, false }, { ~0u, 1, true }, { 1, ~0u, false },
		{ 5, 5 + 0x7fffffffu, true }, { 5, 5 + 0x80000001u, false },
	};
	struct ebpfs_frag f;
	unsigned int i;
	u64 id;

	begin(1);
	for (i = 0; i < ARRAY_SIZE(t); i++) {
		id = start(64 * KB, T0);
		f = frag(id, 64 * KB, 0);
		f.instance = t[i].bound;
		arrive(&f, T0);
		f.instance = t[i].next;
		EXPECT_EQ(claim(&f), t[i].newer ? EBPFS_CLAIMED : EBPFS_DROP_INSTANCE);
		if (t[i].newer)
			filled(&f, true, T0);
		EXPECT_EQ(ebpfs_conn_cancel(&conn, id), EBPFS_CANCEL_NOW);
		ebpfs_conn_put(&conn, 0, T0);
	}
	end();
}

/* A head that was never verified must not keep the true reply out. */
static void bad_binding_is_forgotten(void)
{
	struct ebpfs_frag bad, f;
	struct ebpfs_call_info c;
	u64 id;

	begin(1);
	id = start(64 * KB, T0);
	bad = frag(id, 2 * CELL, 1);
	bad.instance = 0x7fffffff;
	bad.flags = EBPFS_REPLY_EOF;
	EXPECT_EQ(claim(&bad), EBPFS_CLAIMED);
	f = frag(id, 64 * KB, 0);
	EXPECT_EQ(claim(&f), EBPFS_DROP_INSTANCE);
	EXPECT_EQ(filled(&bad, false, T0), EBPFS_FILL_MORE);
	EXPECT_EQ(slots[0].instance, 0);
	ebpfs_conn_sending(&conn, 0, id, T0, &c);
	EXPECT_EQ(c.want, ~0ull);
	EXPECT_EQ(c.instance, 0);
	answer(id, 64 * KB, T0);

	/* Two bad ones: the binding lasts as long as one of them is busy. */
	id = start(64 * KB, T0);
	bad.id = id;
	claim(&bad);
	f = bad;
	f.index = 0;
	f.offset = 0;
	EXPECT_EQ(claim(&f), EBPFS_CLAIMED);
	filled(&bad, false, T0);
	EXPECT_EQ(slots[0].instance, 0x7fffffff);
	filled(&f, false, T0);
	EXPECT_EQ(slots[0].instance, 0);

	/* A binding with a good cell stays. */
	f = frag(id, 64 * KB, 0);
	arrive(&f, T0);
	bad = frag(id, 64 * KB, 1);
	claim(&bad);
	filled(&bad, false, T0);
	EXPECT_EQ(slots[0].instance, 10);
	EXPECT_EQ(slots[0].done, 1);
	end();
}

/* A corrupt head that claims to be newer costs the cells, and nothing else. */
static void corrupt_newer_instance(void)
{
	struct ebpfs_frag bad, f;
	u64 id;

	begin(1);
	id = start(2 * CELL, T0);
	f = frag(id, 2 * CELL, 0);
	arrive(&f, T0);
	bad = frag(id, 2 * CELL, 1);
	bad.instance = 11;
	EXPECT_EQ(claim(&bad), EBPFS_CLAIMED);
	filled(&bad, false, T0);
	EXPECT_EQ(slots[0].instance, 0);
	answer(id, 2 * CELL, T0);
	end();
}

static void complete_with_the_last_cell(void)
{
	static const u32 totals[] = { 0, 1, CELL, CELL + 1, 5 * CELL, 65536 };
	static const u8 order[] = { 5, 2, 7, 0, 1, 6, 3, 4 };
	struct ebpfs_result res;
	struct ebpfs_frag f;
	unsigned int i, j, left;
	u64 id;

	begin(4);
	for (i = 0; i < ARRAY_SIZE(totals); i++) {
		id = start(65536, T0);
		left = ebpfs_ncells(totals[i], CELL);
		for (j = 0; j < ARRAY_SIZE(order); j++) {
			if (order[j] >= ebpfs_ncells(totals[i], CELL))
				continue;
			f = frag(id, totals[i], order[j]);
			f.flags = EBPFS_REPLY_EOF;
			EXPECT_EQ(claim(&f), EBPFS_CLAIMED);
			memset(&res, 0xff, sizeof(res));
			EXPECT_EQ(ebpfs_conn_filled(&conn, &f, true, T0, &res),
				  --left ? EBPFS_FILL_MORE : EBPFS_FILL_COMPLETE);
		}
		EXPECT_EQ(left, 0);
		EXPECT_EQ(res.total, totals[i]);
		EXPECT_EQ(res.flags, EBPFS_REPLY_EOF);
		EXPECT_EQ(res.status, 0);
		EXPECT_EQ(res.attempts, 1);
		ebpfs_conn_put(&conn, EBPFS_ID_SLOT(id), T0);
	}
	id = start(100, T0);
	f = frag(id, 0, 0);
	f.status = ENOENT;
	claim(&f);
	EXPECT_EQ(ebpfs_conn_filled(&conn, &f, true, T0, &res), EBPFS_FILL_COMPLETE);
	EXPECT_EQ(res.status, ENOENT);
	end();
}

/* 64 cells use every bit of the words. */
static void complete_with_64_cells(void)
{
	struct ebpfs_frag f;
	unsigned int i;
	u64 id;

	begin(1);
	id = start(65536, T0);
	for (i = 0; i < 64; i++) {
		f = (struct ebpfs_frag){
			.id = id, .instance = 1, .total = 65536, .cell = 1024, .index = 63 - i,
			.offset = (63 - i) * 1024, .len = 1024, .ncells = 64,
		};
		EXPECT_EQ(arrive(&f, T0), i == 63 ? EBPFS_FILL_COMPLETE : EBPFS_FILL_MORE);
	}
	end();
}

static void cancel_without_filler(void)
{
	struct ebpfs_frag f;
	u64 id;

	begin(2);
	EXPECT_EQ(ebpfs_conn_cancel(&conn, EBPFS_ID(0, 0)), EBPFS_CANCEL_LATE);
	EXPECT_EQ(ebpfs_conn_cancel(&conn, EBPFS_ID(2, 1)), EBPFS_CANCEL_LATE);
	id = start(64 * KB, T0);
	f = frag(id, 64 * KB, 0);
	arrive(&f, T0);
	EXPECT_EQ(ebpfs_conn_cancel(&conn, id + (1ull << 16)), EBPFS_CANCEL_LATE);
	EXPECT_EQ(ebpfs_conn_cancel(&conn, id), EBPFS_CANCEL_NOW);
	/* Once told, nobody else is. */
	EXPECT_EQ(ebpfs_conn_cancel(&conn, id), EBPFS_CANCEL_LATE);
	f = frag(id, 64 * KB, 1);
	EXPECT_EQ(claim(&f), EBPFS_DROP_CANCELLED);
	ebpfs_conn_put(&conn, 0, T0);
	EXPECT_EQ(claim(&f), EBPFS_DROP_STALE);
	EXPECT_EQ(ebpfs_conn_cancel(&conn, id), EBPFS_CANCEL_LATE);
	end();
}

static void cancel_with_fillers(void)
{
	struct ebpfs_frag f, g, h;
	u64 id;

	begin(1);
	id = start(3 * CELL, T0);
	f = frag(id, 3 * CELL, 0);
	g = frag(id, 3 * CELL, 1);
	h = frag(id, 3 * CELL, 2);
	claim(&f);
	claim(&g);
	EXPECT_EQ(ebpfs_conn_cancel(&conn, id), EBPFS_CANCEL_FILLER);
	EXPECT_EQ(ebpfs_conn_cancel(&conn, id), EBPFS_CANCEL_LATE);
	EXPECT_EQ(claim(&h), EBPFS_DROP_CANCELLED);
	/* The last of them, be it good or bad. */
	EXPECT_EQ(filled(&g, true, T0), EBPFS_FILL_MORE);
	EXPECT_EQ(filled(&f, false, T0), EBPFS_FILL_RELEASE);
	ebpfs_conn_put(&conn, 0, T0);

	id = start(CELL, T0);
	f = frag(id, CELL, 0);
	claim(&f);
	EXPECT_EQ(ebpfs_conn_cancel(&conn, id), EBPFS_CANCEL_FILLER);
	/* All cells are there, but the canceller was first. */
	EXPECT_EQ(filled(&f, true, T0), EBPFS_FILL_RELEASE);
	ebpfs_conn_put(&conn, 0, T0);
	EXPECT_EQ(conn.nfree, 1);
	EXPECT_EQ(conn.win.flight, 0);
	end();
}

static void cancel_too_late(void)
{
	struct ebpfs_frag f;
	u64 id;

	begin(1);
	id = start(CELL, T0);
	f = frag(id, CELL, 0);
	arrive(&f, T0);
	EXPECT_EQ(ebpfs_conn_cancel(&conn, id), EBPFS_CANCEL_LATE);
	ebpfs_conn_put(&conn, 0, T0);
	start(CELL, T0);
	EXPECT_EQ(ebpfs_conn_cancel(&conn, id), EBPFS_CANCEL_LATE);
	EXPECT_EQ(slots[0].state, EBPFS_SLOT_ACTIVE);
	end();
}

static void put_gives_slot_and_window_back(void)
{
	u32 cwnd;
	u64 id;

	begin(2);
	cwnd = conn.win.cwnd;
	id = start(100 * KB, T0);
	answer(id, 60 * KB, T0 + 3 * MS);
	EXPECT_EQ(slots[0].state, EBPFS_SLOT_FREE);
	EXPECT(slots[0].owner == NULL);
	EXPECT_EQ(conn.nfree, 2);
	EXPECT_EQ(conn.free[0], 3);
	EXPECT_EQ(conn.win.flight, 0);
	EXPECT_EQ(conn.win.cwnd, cwnd + 100 * KB);
	EXPECT_EQ(conn.rtt.srtt, 3 * MS);
	end();
}

static void put_tells_of_congestion_marks(void)
{
	struct ebpfs_frag f;
	u64 id;

	begin(2);
	measure(2 * MS, T0);
	id = start(100 * KB, T0 + 10 * MS);
	f = frag(id, CELL, 0);
	f.ce = true;
	arrive(&f, T0 + 12 * MS);
	ebpfs_conn_put(&conn, 0, T0 + 12 * MS);
	EXPECT_EQ(conn.win.cwnd, EBPFS_WINDOW_FIRST / 2);
	/* A mark is certain. */
	EXPECT_EQ(conn.win.undo_cwnd, 0);

	/* One on a fragment that proved corrupt may have been anybody's. */
	id = start(64 * KB, T0 + 20 * MS);
	f = frag(id, CELL, 0);
	f.ce = true;
	claim(&f);
	filled(&f, false, T0 + 20 * MS);
	EXPECT(!slots[0].ce);
	end();
}

static const struct ktap_test tests[] = {
	KTAP_TEST(init),
	KTAP_TEST(take_until_none_is_free),
	KTAP_TEST(take_within_the_window),
	KTAP_TEST(sequences_grow),
	KTAP_TEST(sending),
	KTAP_TEST(claim_needs_the_call),
	KTAP_TEST(claim_stays_within_the_limit),
	KTAP_TEST(claim_is_exclusive),
	KTAP_TEST(grid_is_fixed),
	KTAP_TEST(instances_are_not_mixed),
	KTAP_TEST(instances_are_serial_numbers),
	KTAP_TEST(bad_binding_is_forgotten),
	KTAP_TEST(corrupt_newer_instance),
	KTAP_TEST(complete_with_the_last_cell),
	KTAP_TEST(complete_with_64_cells),
	KTAP_TEST(cancel_without_filler),
	KTAP_TEST(cancel_with_fillers),
	KTAP_TEST(cancel_too_late),
	KTAP_TEST(put_gives_slot_and_window_back),
	KTAP_TEST(put_tells_of_congestion_marks),
};

int main(int argc, char **argv)
{
	return KTAP_MAIN(tests, argc, argv);
}
