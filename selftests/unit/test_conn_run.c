// SPDX-License-Identifier: GPL-2.0
/*
 * kmod/core/conn.c: several fragments of one reply, claimed and reported together.
 * What holds for one fragment as for many is in test_conn.c.
 */
#include "unit/conn.h"

/* The claim of @cells of the reply that @f is of; @claimed is 0 unless CLAIMED. */
static enum ebpfs_verdict claim_run(const struct ebpfs_frag *f, u64 cells, u64 *claimed)
{
	enum ebpfs_verdict v;
	void *owner = NULL;

	*claimed = 0;
	v = ebpfs_conn_claim_cells(&conn, f, cells, &owner, claimed);
	EXPECT(owner == (v == EBPFS_CLAIMED ? &owners[0] : NULL));
	if (v != EBPFS_CLAIMED)
		*claimed = 0;
	return v;
}

static enum ebpfs_filled filled_run(const struct ebpfs_frag *f, u64 claimed, u64 good, u64 now)
{
	struct ebpfs_result res;

	return ebpfs_conn_filled_cells(&conn, f, claimed, good, now, &res);
}

/* Cells @first to @last of a reply of @total bytes: all are to be claimed. */
static struct ebpfs_frag claim_all(u64 id, u32 total, u8 first, u8 last, u64 *claimed)
{
	struct ebpfs_frag f = frag(id, total, first);
	u64 cells = ebpfs_cell_set(last - first + 1) << first;

	EXPECT_EQ(claim_run(&f, cells, claimed), EBPFS_CLAIMED);
	EXPECT_EQ(*claimed, cells);
	return f;
}

static void a_run_is_one_filler(void)
{
	struct ebpfs_frag f;
	u64 id, claimed;

	begin(1);
	id = start(64 * KB, T0);
	f = claim_all(id, 64 * KB, 2, 5, &claimed);
	EXPECT_EQ(slots[0].claimed, 0x3c);
	EXPECT_EQ(slots[0].done, 0);
	EXPECT_EQ(slots[0].busy, 1);
	EXPECT_EQ(slots[0].instance, 10);
	EXPECT_EQ(filled_run(&f, claimed, claimed, T0 + 7), EBPFS_FILL_MORE);
	EXPECT_EQ(slots[0].claimed, 0x3c);
	EXPECT_EQ(slots[0].done, 0x3c);
	EXPECT_EQ(slots[0].busy, 0);
	EXPECT_EQ(slots[0].heard_at, T0 + 7);
	EXPECT_EQ(slots[0].rtt, 7);
	end();
}

static void only_missing_cells_are_claimed(void)
{
	struct ebpfs_frag f, g;
	u64 id, claimed, rest;

	begin(1);
	id = start(64 * KB, T0);
	f = frag(id, 64 * KB, 2);
	arrive(&f, T0);
	/* 4 and 5 are busy. */
	g = claim_all(id, 64 * KB, 4, 5, &claimed);

	f = frag(id, 64 * KB, 1);
	EXPECT_EQ(claim_run(&f, 0x7e, &rest), EBPFS_CLAIMED);
	EXPECT_EQ(rest, 0x4a);
	EXPECT_EQ(slots[0].claimed, 0x7e);
	EXPECT_EQ(slots[0].busy, 2);

	/* Nothing of it is missing now, be it done or busy. */
	EXPECT_EQ(claim_run(&f, 0x7e, &rest), EBPFS_DROP_DUPLICATE);
	EXPECT_EQ(claim_run(&g, 0x30, &rest), EBPFS_DROP_DUPLICATE);
	EXPECT_EQ(slots[0].busy, 2);
	EXPECT_EQ(slots[0].claimed, 0x7e);

	EXPECT_EQ(filled_run(&f, 0x4a, 0x4a, T0), EBPFS_FILL_MORE);
	EXPECT_EQ(slots[0].done, 0x4e);
	EXPECT_EQ(filled_run(&g, claimed, claimed, T0), EBPFS_FILL_MORE);
	EXPECT_EQ(slots[0].done, 0x7e);
	EXPECT_EQ(claim_run(&f, 0x7e, &rest), EBPFS_DROP_DUPLICATE);
	EXPECT_EQ(slots[0].busy, 0);
	end();
}

static void a_run_of_another_instance(void)
{
	struct ebpfs_frag busy, old, new;
	u64 id, claimed, none;

	begin(1);
	id = start(64 * KB, T0);
	busy = claim_all(id, 64 * KB, 0, 2, &claimed);
	old = frag(id, 64 * KB, 3);
	old.instance = 9;
	EXPECT_EQ(claim_run(&old, 0x38, &none), EBPFS_DROP_INSTANCE);
	new = frag(id, 32 * KB, 1);
	new.instance = 11;
	EXPECT_EQ(claim_run(&new, 0x6, &none), EBPFS_DROP_INSTANCE);
	EXPECT_EQ(slots[0].instance, 10);
	EXPECT_EQ(slots[0].claimed, 7);
	EXPECT_EQ(slots[0].busy, 1);
	filled_run(&busy, claimed, claimed, T0);

	/* It takes over with all of its cells, those that were done before among them. */
	EXPECT_EQ(claim_run(&new, 0x6, &claimed), EBPFS_CLAIMED);
	EXPECT_EQ(claimed, 6);
	EXPECT_EQ(slots[0].claimed, 6);
	EXPECT_EQ(slots[0].done, 0);
	EXPECT_EQ(slots[0].ncells, 4);
	EXPECT_EQ(filled_run(&new, claimed, claimed, T0), EBPFS_FILL_MORE);
	EXPECT_EQ(claim_run(&busy, 7, &none), EBPFS_DROP_INSTANCE);
	end();
}

static void a_run_of_another_grid(void)
{
	struct ebpfs_frag f;
	u64 id, none;

	begin(1);
	id = start(64 * KB, T0);
	f = frag(id, 64 * KB, 0);
	arrive(&f, T0);
#define OTHER_GRID(spoil)							\
	do {									\
		f = frag(id, 64 * KB, 0);					\
		spoil;								\
		EXPECT_EQ(claim_run(&f, 0x7, &none), EBPFS_DROP_GRID);		\
		EXPECT_EQ(slots[0].claimed, 1);					\
	} while (0)
	OTHER_GRID(f.total -= 8);
	OTHER_GRID(f.cell = 4096);
	OTHER_GRID(f.status = 5);
	OTHER_GRID(f.flags = EBPFS_REPLY_EOF);
	/* One that is larger than what was asked for. */
	f.total = 64 * KB + 1;
	EXPECT_EQ(claim_run(&f, 0x7, &none), EBPFS_DROP_RANGE);
	EXPECT_EQ(slots[0].busy, 0);
	end();
}

static void bad_cells_are_free_again(void)
{
	struct ebpfs_call_info c;
	struct ebpfs_frag f;
	u64 id, claimed;

	begin(1);
	id = start(64 * KB, T0);
	f = claim_all(id, 64 * KB, 0, 7, &claimed);
	EXPECT_EQ(filled_run(&f, claimed, 0xa5, T0), EBPFS_FILL_MORE);
	EXPECT_EQ(slots[0].done, 0xa5);
	EXPECT_EQ(slots[0].claimed, 0xa5);
	EXPECT_EQ(slots[0].busy, 0);
	EXPECT_EQ(slots[0].instance, 10);
	/* They are asked for. */
	EXPECT(ebpfs_conn_sending(&conn, 0, id, T0, &c));
	EXPECT_EQ(c.want, 0x5a);
	EXPECT_EQ(c.instance, 10);

	/* And they come again, in a run with others. */
	EXPECT_EQ(claim_run(&f, 0xff, &claimed), EBPFS_CLAIMED);
	EXPECT_EQ(claimed, 0x5a);
	EXPECT_EQ(filled_run(&f, claimed, claimed, T0), EBPFS_FILL_COMPLETE);
	ebpfs_conn_put(&conn, 0, T0);
	end();
}

/* A head that was never verified must not keep the true reply out. */
static void a_bad_run_binds_nothing(void)
{
	struct ebpfs_frag bad, other, f;
	u64 id, claimed, two;

	begin(1);
	id = start(64 * KB, T0);
	bad = frag(id, 3 * CELL, 0);
	bad.instance = 0x7fffffff;
	EXPECT_EQ(claim_run(&bad, 3, &claimed), EBPFS_CLAIMED);
	other = bad;
	EXPECT_EQ(claim_run(&other, 7, &two), EBPFS_CLAIMED);
	EXPECT_EQ(two, 4);
	/* The binding lasts as long as one of two is busy. */
	EXPECT_EQ(filled_run(&bad, claimed, 0, T0), EBPFS_FILL_MORE);
	EXPECT_EQ(slots[0].instance, 0x7fffffff);
	EXPECT_EQ(slots[0].claimed, 4);
	EXPECT_EQ(filled_run(&other, two, 0, T0), EBPFS_FILL_MORE);
	EXPECT_EQ(slots[0].instance, 0);
	EXPECT_EQ(slots[0].claimed, 0);
	EXPECT_EQ(slots[0].heard_at, 0);

	/* One good cell in it, or one that was there before, keeps it. */
	f = claim_all(id, 64 * KB, 0, 3, &claimed);
	filled_run(&f, claimed, 8, T0);
	EXPECT_EQ(slots[0].instance, 10);
	EXPECT_EQ(slots[0].done, 8);
	f = claim_all(id, 64 * KB, 0, 2, &claimed);
	filled_run(&f, claimed, 0, T0);
	EXPECT_EQ(slots[0].instance, 10);
	EXPECT_EQ(slots[0].claimed, 8);
	end();
}

static void complete_with_a_run(void)
{
	struct ebpfs_result res;
	struct ebpfs_frag f;
	u64 id, claimed;

	begin(1);
	id = start(64 * KB, T0);
	f = claim_all(id, 5 * CELL + 1, 0, 1, &claimed);
	EXPECT_EQ(filled_run(&f, claimed, claimed, T0), EBPFS_FILL_MORE);
	f = claim_all(id, 5 * CELL + 1, 2, 5, &claimed);
	memset(&res, 0xff, sizeof(res));
	EXPECT_EQ(ebpfs_conn_filled_cells(&conn, &f, claimed, claimed, T0, &res),
		  EBPFS_FILL_COMPLETE);
	EXPECT_EQ(res.total, 5 * CELL + 1);
	EXPECT_EQ(res.status, 0);
	EXPECT_EQ(res.flags, 0);
	EXPECT_EQ(res.attempts, 1);
	EXPECT_EQ(slots[0].state, EBPFS_SLOT_COMPLETE);
	EXPECT_EQ(claim_run(&f, claimed, &claimed), EBPFS_DROP_DUPLICATE);
	ebpfs_conn_put(&conn, 0, T0);

	/* Of two runs the one that is reported last completes it, whichever came first. */
	id = start(64 * KB, T0);
	f = claim_all(id, 2 * CELL, 0, 0, &claimed);
	f = claim_all(id, 2 * CELL, 1, 1, &claimed);
	EXPECT_EQ(filled_run(&f, 2, 2, T0), EBPFS_FILL_MORE);
	EXPECT_EQ(filled_run(&f, 1, 1, T0), EBPFS_FILL_COMPLETE);
	ebpfs_conn_put(&conn, 0, T0);
	end();
}

/* 64 cells use every bit of the words. */
static void a_run_of_64_cells(void)
{
	struct ebpfs_frag f = {
		.instance = 1, .total = 65536, .cell = 1024, .len = 1024, .ncells = 64,
	};
	u64 id, claimed;

	begin(1);
	id = start(65536, T0);
	f.id = id;
	EXPECT_EQ(claim_run(&f, ~0ull, &claimed), EBPFS_CLAIMED);
	EXPECT_EQ(claimed, ~0ull);
	EXPECT_EQ(slots[0].busy, 1);
	EXPECT_EQ(claim_run(&f, ~0ull, &claimed), EBPFS_DROP_DUPLICATE);
	/* The first and the last are bad. */
	EXPECT_EQ(filled_run(&f, ~0ull, ~0ull >> 2 << 1, T0), EBPFS_FILL_MORE);
	EXPECT_EQ(claim_run(&f, ~0ull, &claimed), EBPFS_CLAIMED);
	EXPECT_EQ(claimed, 1ull << 63 | 1);
	EXPECT_EQ(filled_run(&f, claimed, claimed, T0), EBPFS_FILL_COMPLETE);
	ebpfs_conn_put(&conn, 0, T0);

	id = start(65536, T0);
	f.id = id;
	EXPECT_EQ(claim_run(&f, ~0ull, &claimed), EBPFS_CLAIMED);
	EXPECT_EQ(filled_run(&f, claimed, claimed, T0), EBPFS_FILL_COMPLETE);
	ebpfs_conn_put(&conn, 0, T0);
	end();
}

static void cancelled_while_a_run_is_filled(void)
{
	static const u64 good[] = { 0, 5, 7 };
	struct ebpfs_frag f, g;
	u64 id, claimed, more;
	unsigned int i;

	begin(1);
	/* Some, none or all of it may be good: the filler is told, once. */
	for (i = 0; i < ARRAY_SIZE(good); i++) {
		id = start(3 * CELL, T0);
		f = claim_all(id, 3 * CELL, 0, 2, &claimed);
		EXPECT_EQ(ebpfs_conn_cancel(&conn, id), EBPFS_CANCEL_FILLER);
		EXPECT_EQ(ebpfs_conn_cancel(&conn, id), EBPFS_CANCEL_LATE);
		EXPECT_EQ(claim_run(&f, 7, &more), EBPFS_DROP_CANCELLED);
		EXPECT_EQ(filled_run(&f, claimed, good[i], T0), EBPFS_FILL_RELEASE);
		ebpfs_conn_put(&conn, 0, T0);
	}

	/* Of two fillers, the last. */
	id = start(8 * CELL, T0);
	f = claim_all(id, 8 * CELL, 0, 2, &claimed);
	g = claim_all(id, 8 * CELL, 3, 7, &more);
	EXPECT_EQ(slots[0].busy, 2);
	EXPECT_EQ(ebpfs_conn_cancel(&conn, id), EBPFS_CANCEL_FILLER);
	EXPECT_EQ(filled_run(&g, more, more, T0), EBPFS_FILL_MORE);
	EXPECT_EQ(filled_run(&f, claimed, claimed, T0), EBPFS_FILL_RELEASE);
	ebpfs_conn_put(&conn, 0, T0);
	EXPECT_EQ(conn.nfree, 1);
	EXPECT_EQ(conn.win.flight, 0);
	end();
}

static void verdicts_without_the_call(void)
{
	struct ebpfs_frag f;
	u64 id, none;

	begin(1);
	id = start(64 * KB, T0);
	f = frag(EBPFS_ID(1, 1), 64 * KB, 0);
	EXPECT_EQ(claim_run(&f, 3, &none), EBPFS_DROP_RANGE);
	f = frag(id + (1ull << 16), 64 * KB, 0);
	EXPECT_EQ(claim_run(&f, 3, &none), EBPFS_DROP_STALE);
	EXPECT_EQ(ebpfs_conn_cancel(&conn, id), EBPFS_CANCEL_NOW);
	f = frag(id, 64 * KB, 0);
	EXPECT_EQ(claim_run(&f, 3, &none), EBPFS_DROP_CANCELLED);
	ebpfs_conn_put(&conn, 0, T0);
	EXPECT_EQ(claim_run(&f, 3, &none), EBPFS_DROP_STALE);
	end();
}

/* Reports cells 6 to 8 of a reply, of which cell 8 is short; was a large one heard? */
static bool large_heard(u32 cell, u64 good)
{
	struct ebpfs_frag f = {
		.instance = 1, .total = 8 * cell + 8, .cell = cell, .index = 6, .ncells = 9,
		.offset = 6 * cell, .len = cell,
	};
	u64 claimed;
	bool large;

	begin(1);
	f.id = start(f.total, T0);
	EXPECT_EQ(claim_run(&f, 0x1c0, &claimed), EBPFS_CLAIMED);
	EXPECT_EQ(filled_run(&f, claimed, good, T0 + MS), EBPFS_FILL_MORE);
	EXPECT_EQ(conn.heard_at, good ? T0 + MS : T0);
	large = conn.large_at == T0 + MS;
	EXPECT(large || conn.large_at == T0);
	end();
	return large;
}

/* What the path carries is shown by what is good, not by what stood first. */
static void large_cells_are_noted(void)
{
	const u32 small = (EBPFS_UDP_PAYLOAD_BASE - sizeof(struct ebpfs_reply)) & ~7u;
	struct ebpfs_frag f;
	u64 id;

	EXPECT(large_heard(small + 8, 0x1c0));
	EXPECT(large_heard(small + 8, 0x040));
	EXPECT(large_heard(small + 8, 0x180));
	EXPECT(!large_heard(small + 8, 0x100));
	EXPECT(!large_heard(small + 8, 0));
	EXPECT(!large_heard(small, 0x1c0));

	/* A last cell may be full, a sole one short, and there may be nothing. */
	begin(1);
	id = start(2 * CELL, T0);
	f = frag(id, 2 * CELL, 1);
	arrive(&f, T0 + MS);
	EXPECT_EQ(conn.large_at, T0 + MS);
	end();
	begin(2);
	id = start(CELL, T0);
	f = frag(id, CELL - 8, 0);
	arrive(&f, T0 + MS);
	EXPECT_EQ(conn.large_at, T0);
	id = start(CELL, T0);
	f = frag(id, 0, 0);
	arrive(&f, T0 + MS);
	EXPECT_EQ(conn.large_at, T0);
	end();
}

static const struct ktap_test tests[] = {
	KTAP_TEST(a_run_is_one_filler),
	KTAP_TEST(only_missing_cells_are_claimed),
	KTAP_TEST(a_run_of_another_instance),
	KTAP_TEST(a_run_of_another_grid),
	KTAP_TEST(bad_cells_are_free_again),
	KTAP_TEST(a_bad_run_binds_nothing),
	KTAP_TEST(complete_with_a_run),
	KTAP_TEST(a_run_of_64_cells),
	KTAP_TEST(cancelled_while_a_run_is_filled),
	KTAP_TEST(verdicts_without_the_call),
	KTAP_TEST(large_cells_are_noted),
};

int main(int argc, char **argv)
{
	return KTAP_MAIN(tests, argc, argv);
}
