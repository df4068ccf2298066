// SPDX-License-Identifier: GPL-2.0
/*
 * kmod/core/conn.c: calls with data that come apart, in the window and when the
 * server asks for what lacks.
 */
#include "unit/conn.h"

#define SMALL	1152	/* a cell that every path carries */

static u32 due(u64 now)
{
	u64 ids[8], next;

	return ebpfs_conn_due(&conn, now, ids, ARRAY_SIZE(ids), &next);
}

/* Takes a slot for a call with @data bytes of data and sends it. Returns its id. */
static u64 start_data(u32 data, u64 now)
{
	struct ebpfs_call_info c;
	int slot = ebpfs_conn_take_data(&conn, 136, data, &owners[0], now);

	if (!EXPECT(slot >= 0))
		return 0;
	EXPECT(ebpfs_conn_sending(&conn, slot, 0, now, &c));
	return c.id;
}

/* The server says what lacks; returns what is to be sent. */
static u64 need_as(u64 id, u8 attempt, u64 missing, u16 its_cell, u16 cell, u64 now)
{
	struct ebpfs_need_info n = {
		.id = id, .missing = missing, .cell = its_cell, .attempt = attempt,
	};
	void *owner = NULL;
	u64 send = ebpfs_conn_need(&conn, &n, cell, now, &owner);

	EXPECT(owner == (send ? &owners[0] : NULL));
	return send;
}

static u64 need(u64 id, u8 attempt, u64 missing, u64 now)
{
	return need_as(id, attempt, missing, ~missing ? CELL : 0, CELL, now);
}

static void window_counts_the_larger(void)
{
	int a, b, c;

	begin(8);
	a = ebpfs_conn_take_data(&conn, 136, 40 * KB, &owners[0], T0);
	EXPECT_EQ(conn.win.flight, 40 * KB);
	b = ebpfs_conn_take_data(&conn, 40 * KB, 136, &owners[0], T0);
	EXPECT_EQ(conn.win.flight, 80 * KB);
	/* The window has 48 KiB left. */
	EXPECT_EQ(ebpfs_conn_take_data(&conn, 136, 48 * KB + 1, &owners[0], T0), -EAGAIN);
	EXPECT_EQ(ebpfs_conn_take_data(&conn, 48 * KB + 1, 0, &owners[0], T0), -EAGAIN);
	EXPECT_EQ(conn.win.flight, 80 * KB);
	c = ebpfs_conn_take_data(&conn, 136, 48 * KB, &owners[0], T0);
	EXPECT_EQ(conn.win.flight, 128 * KB);
	EXPECT_EQ(conn.nfree, 5);

	/* What was counted is given back, whichever way a call ends. */
	ebpfs_conn_cancel(&conn, EBPFS_ID(a, 1));
	ebpfs_conn_put(&conn, a, T0);
	EXPECT_EQ(conn.win.flight, 88 * KB);
	answer(EBPFS_ID(b, 1), 100, T0 + MS);
	EXPECT_EQ(conn.win.flight, 48 * KB);
	answer(EBPFS_ID(c, 1), 136, T0 + MS);
	EXPECT_EQ(conn.win.flight, 0);
	/* The slot's next call has its own. */
	a = ebpfs_conn_take(&conn, 10, &owners[0], T0);
	EXPECT_EQ(conn.win.flight, 10);
	ebpfs_conn_cancel(&conn, EBPFS_ID(a, 2));
	ebpfs_conn_put(&conn, a, T0);
	EXPECT_EQ(conn.win.flight, 0);
	end();
}

/* The window grows by what was in it, data too. */
static void window_grows_by_data(void)
{
	u64 a, b;

	begin(8);
	a = start_data(64 * KB, T0);
	b = start_data(64 * KB, T0);
	answer(a, 136, T0 + MS);
	EXPECT_EQ(conn.win.cwnd, EBPFS_WINDOW_FIRST + 64 * KB);
	answer(b, 136, T0 + MS);
	end();
}

/* The reply stays within its own limit, however many the data are. */
static void data_do_not_widen_the_reply(void)
{
	struct ebpfs_frag f;
	u64 id;

	begin(1);
	id = start_data(64 * KB, T0);
	f = frag(id, 137, 0);
	EXPECT_EQ(claim(&f), EBPFS_DROP_RANGE);
	f = frag(id, 136, 0);
	EXPECT_EQ(arrive(&f, T0), EBPFS_FILL_COMPLETE);
	end();
}

static void need_gives_the_cells_that_lack(void)
{
	u64 id;

	begin(2);
	id = start_data(5 * CELL, T0);
	EXPECT_EQ(due(T0 + EBPFS_RTO_FIRST), 1);
	EXPECT_EQ(need(id, 1, 0x12, T0 + 300 * MS), 0x12);
	/* Nothing has come: all that there are. */
	EXPECT_EQ(due(T0 + 9000 * MS), 1);
	EXPECT_EQ(need(id, 2, ~0ull, T0 + 9000 * MS), 0x1f);
	/* The last fragment is a short one. */
	ebpfs_conn_cancel(&conn, id);
	ebpfs_conn_put(&conn, EBPFS_ID_SLOT(id), T0 + 9000 * MS);
	id = start_data(5 * CELL + 1, T0 + 9000 * MS);
	due(T0 + 30000 * MS);
	EXPECT_EQ(need(id, 1, ~0ull, T0 + 30000 * MS), 0x3f);
	end();

	begin(1);
	id = start_data(EBPFS_MSG_MAX, T0);
	due(T0 + EBPFS_RTO_FIRST);
	EXPECT_EQ(need_as(id, 1, 1ull << 63, 1024, 1024, T0 + 300 * MS), 1ull << 63);
	due(T0 + 9000 * MS);
	EXPECT_EQ(need_as(id, 2, ~0ull, 0, 1024, T0 + 9000 * MS), ~0ull);
	end();
}

/* Cells that the data do not have are never sent. */
static void need_for_what_is_not_there(void)
{
	u64 id, none;

	begin(2);
	id = start_data(2 * CELL, T0);
	none = start(100, T0);
	EXPECT_EQ(due(T0 + EBPFS_RTO_FIRST), 2);
	EXPECT_EQ(need(id, 1, 0xfc, T0 + 300 * MS), 0);
	/* That was nonsense, and not the answer. */
	EXPECT_EQ(need(id, 1, 0xfe, T0 + 300 * MS), 0x2);
	EXPECT_EQ(need(none, 1, ~0ull, T0 + 300 * MS), 0);
	EXPECT_EQ(need(none, 1, 1, T0 + 300 * MS), 0);
	EXPECT_EQ(slots[EBPFS_ID_SLOT(none)].sent_at, T0 + EBPFS_RTO_FIRST);
	end();
}

static void need_of_another_cut_sends_all(void)
{
	u64 id;

	begin(1);
	id = start_data(10000, T0);
	due(T0 + EBPFS_RTO_FIRST);
	EXPECT_EQ(need_as(id, 1, 0x2, CELL, SMALL, T0 + 300 * MS), 0x1ff);
	due(T0 + 9000 * MS);
	EXPECT_EQ(need_as(id, 2, 0x100, SMALL, SMALL, T0 + 9000 * MS), 0x100);
	due(T0 + 30000 * MS);
	EXPECT_EQ(need_as(id, 3, 0x100, SMALL, CELL, T0 + 30000 * MS), 0x3);
	end();
}

static void need_is_answered_once_in_an_attempt(void)
{
	u64 id, now = T0;
	u8 i;

	begin(1);
	id = start_data(5 * CELL, now);
	for (i = 1; i < 4; i++) {
		now += 20000 * MS;
		EXPECT_EQ(due(now), 1);
		/* Late ones of the attempts before, and one that nobody made. */
		EXPECT_EQ(need(id, i - 1, 3, now), 0);
		EXPECT_EQ(need(id, i + 1, 3, now), 0);
		EXPECT_EQ(need(id, i, 3, now), 3);
		EXPECT_EQ(need(id, i, 3, now), 0);
		EXPECT_EQ(need(id, i, ~0ull, now), 0);
	}
	end();
}

/* Attempts that are no longer counted are told apart by time only. */
static void need_after_many_attempts(void)
{
	u64 id, now = T0;
	int i;

	begin(1);
	id = start_data(5 * CELL, now);
	for (i = 0; i < 260; i++)
		EXPECT_EQ(due(now += EBPFS_RTO_MAX), 1);
	EXPECT_EQ(slots[0].attempt, 255);
	EXPECT_EQ(need(id, 255, 3, now), 3);
	EXPECT_EQ(need(id, 255, 3, now), 0);
	EXPECT_EQ(due(now += EBPFS_RTO_MAX), 1);
	EXPECT_EQ(need(id, 255, 3, now), 3);
	end();
}

static void need_for_a_call_that_is_over(void)
{
	struct ebpfs_frag f, part;
	u64 id, big;

	begin(2);
	EXPECT_EQ(need(EBPFS_ID(0, 0), 0, 1, T0), 0);
	EXPECT_EQ(need(EBPFS_ID(2, 1), 0, 1, T0), 0);
	EXPECT_EQ(need(EBPFS_ID(0xffff, 1), 0, 1, T0), 0);
	id = start_data(5 * CELL, T0);
	due(T0 + EBPFS_RTO_FIRST);
	EXPECT_EQ(need(id + (1ull << 16), 1, 1, T0 + 300 * MS), 0);
	EXPECT_EQ(need(id - (1ull << 16), 1, 1, T0 + 300 * MS), 0);
	f = frag(id, 100, 0);
	EXPECT_EQ(arrive(&f, T0 + 300 * MS), EBPFS_FILL_COMPLETE);
	EXPECT_EQ(need(id, 1, 1, T0 + 300 * MS), 0);
	ebpfs_conn_put(&conn, EBPFS_ID_SLOT(id), T0 + 300 * MS);
	EXPECT_EQ(need(id, 1, 1, T0 + 300 * MS), 0);

	/* Cancelled, with a filler at work. */
	big = start_data(2 * CELL, T0 + 300 * MS);
	due(T0 + 9000 * MS);
	part = frag(big, 100, 0);
	EXPECT_EQ(claim(&part), EBPFS_CLAIMED);
	EXPECT_EQ(ebpfs_conn_cancel(&conn, big), EBPFS_CANCEL_FILLER);
	EXPECT_EQ(need(big, 1, 1, T0 + 9000 * MS), 0);
	EXPECT_EQ(filled(&part, true, T0 + 9000 * MS), EBPFS_FILL_RELEASE);
	EXPECT_EQ(need(big, 1, 1, T0 + 9000 * MS), 0);
	end();
}

/* The server lives, and what it asked for is on its way. */
static void need_puts_off_the_next_attempt(void)
{
	u64 id;

	begin(1);
	id = start_data(5 * CELL, T0);
	EXPECT_EQ(due(T0 + EBPFS_RTO_FIRST), 1);
	EXPECT_EQ(need(id, 1, 0x10, T0 + EBPFS_RTO_FIRST + 100 * MS), 0x10);
	EXPECT_EQ(ebpfs_conn_silence(&conn, T0 + EBPFS_RTO_FIRST + 150 * MS), 50 * MS);
	EXPECT_EQ(due(T0 + 2 * EBPFS_RTO_FIRST + 100 * MS - 1), 0);
	EXPECT_EQ(due(T0 + 2 * EBPFS_RTO_FIRST + 100 * MS), 1);
	end();
}

static void backoff_ends_only_with_progress(void)
{
	u64 id, now = T0;

	begin(1);
	id = start_data(5 * CELL, now);
	due(now += 20000 * MS);
	EXPECT_EQ(slots[0].backoff, 1);
	/* Nothing has come yet. */
	EXPECT_EQ(need(id, 1, ~0ull, now), 0x1f);
	EXPECT_EQ(slots[0].backoff, 1);
	due(now += 20000 * MS);
	EXPECT_EQ(slots[0].backoff, 2);
	EXPECT_EQ(need(id, 2, 0x1c, now), 0x1c);
	EXPECT_EQ(slots[0].backoff, 0);
	/* The same lack as before. */
	due(now += 20000 * MS);
	EXPECT_EQ(need(id, 3, 0x1c, now), 0x1c);
	EXPECT_EQ(slots[0].backoff, 1);
	due(now += 20000 * MS);
	EXPECT_EQ(need(id, 4, 0x10, now), 0x10);
	EXPECT_EQ(slots[0].backoff, 0);
	end();
}

/* Progress is seen in data that were cut anew, and not where they all vanish. */
static void progress_of_data_cut_anew(void)
{
	u64 id, now = T0;

	begin(1);
	id = start_data(10000, now);
	due(now += 20000 * MS);
	EXPECT_EQ(need_as(id, 1, 0x2, CELL, SMALL, now), 0x1ff);
	EXPECT_EQ(slots[0].backoff, 0);
	/* None of the new cut has come. */
	due(now += 20000 * MS);
	EXPECT_EQ(need_as(id, 2, 0x2, CELL, SMALL, now), 0x1ff);
	EXPECT_EQ(slots[0].backoff, 1);
	/* Now some have. */
	due(now += 20000 * MS);
	EXPECT_EQ(need_as(id, 3, 0x1f0, SMALL, SMALL, now), 0x1f0);
	EXPECT_EQ(slots[0].backoff, 0);
	due(now += 20000 * MS);
	EXPECT_EQ(need_as(id, 4, 0x1f0, SMALL, SMALL, now), 0x1f0);
	EXPECT_EQ(slots[0].backoff, 1);
	due(now += 20000 * MS);
	EXPECT_EQ(need_as(id, 5, 0x180, SMALL, SMALL, now), 0x180);
	EXPECT_EQ(slots[0].backoff, 0);
	/* The server threw everything away: no progress, and then some. */
	due(now += 20000 * MS);
	EXPECT_EQ(need_as(id, 6, ~0ull, 0, SMALL, now), 0x1ff);
	EXPECT_EQ(slots[0].backoff, 1);
	due(now += 20000 * MS);
	EXPECT_EQ(need_as(id, 7, 0x1fe, SMALL, SMALL, now), 0x1fe);
	EXPECT_EQ(slots[0].backoff, 0);
	end();
}

/* Data are large as replies are: that they vanish shows a path that swallows them; @replies
 * that are large may come all the time.
 */
static void data_vanish(bool replies)
{
	u64 id, now = T0;
	u8 i;

	begin(2);
	id = start_data(5 * CELL, now);
	for (i = 1; i <= 3; i++) {
		EXPECT(!conn.blackhole);
		if (replies)
			conn.large_at = now + 19000 * MS;
		EXPECT_EQ(due(now += 20000 * MS), 1);
		if (i < 3)
			EXPECT_EQ(need(id, i, ~0ull, now), 0x1f);
	}
	EXPECT(conn.blackhole);
	end();
}

static void blackhole_when_data_vanish(void)
{
	u64 now = T0;
	u8 i;

	data_vanish(false);

	/* Small data do not. */
	begin(2);
	start_data(EBPFS_UDP_PAYLOAD_BASE - sizeof(struct ebpfs_reply), now);
	for (i = 1; i <= 5; i++)
		EXPECT_EQ(due(now += 20000 * MS), 1);
	EXPECT(!conn.blackhole);
	end();
}

static void blackhole_of_one_way(void)
{
	u64 now = T0;
	u8 i;

	data_vanish(true);

	/* The server asks for nothing: it has them, and takes its time. */
	begin(2);
	start_data(5 * CELL, now);
	for (i = 1; i <= 5; i++) {
		conn.large_at = now + 19000 * MS;
		EXPECT_EQ(due(now += 20000 * MS), 1);
	}
	EXPECT(!conn.blackhole);
	end();
}

static void no_blackhole_while_data_arrive(void)
{
	u64 id, other, now = T0;
	u8 i;

	begin(2);
	id = start_data(8 * CELL, now);
	other = start_data(8 * CELL, now);
	for (i = 1; i <= 6; i++) {
		EXPECT_EQ(due(now += 20000 * MS), 2);
		EXPECT_EQ(need(other, i, ~0ull, now), 0xff);
		now += MS;
		EXPECT_EQ(need(id, i, 0xff & ~((1u << i) - 1), now), 0xff & ~((1u << i) - 1));
	}
	EXPECT_EQ(slots[EBPFS_ID_SLOT(other)].backoff, 6);
	EXPECT(!conn.blackhole);
	end();
}

/* The short last fragment of data passes where all others vanish. */
static void blackhole_shows_behind_a_short_tail_of_data(void)
{
	u64 first, second, now = T0;

	begin(2);
	first = start_data(2 * CELL + 40, now);
	second = start_data(2 * CELL + 40, now);
	due(now += 20000 * MS);
	need(first, 1, ~0ull, now);
	EXPECT_EQ(need(second, 1, ~0ull, now), 0x7);
	due(now += 20000 * MS);
	need(first, 2, ~0ull, now);
	EXPECT_EQ(need(second, 2, ~0ull, now), 0x7);
	/* The tail of one arrives just before the other is due for the third time. */
	EXPECT_EQ(need(first, 2, 0x3, now), 0);
	slots[EBPFS_ID_SLOT(first)].needed = false;
	EXPECT_EQ(need(first, 2, 0x3, now + MS), 0x3);
	EXPECT_EQ(slots[EBPFS_ID_SLOT(first)].backoff, 0);
	due(now += 20000 * MS);
	EXPECT(conn.blackhole);
	end();
}

/* If the data fill their last cell, it is as good as any. */
static void whole_last_cell_shows_the_path(void)
{
	u64 id, now = T0;

	begin(1);
	id = start_data(2 * CELL, now);
	due(now += 20000 * MS);
	EXPECT_EQ(need(id, 1, 0x1, now), 0x1);
	EXPECT_EQ(conn.data_at, now);
	end();
}

/*
 * The reply to the second attempt may answer the call, or the data that were sent
 * when NEED came, as late as a moment ago: that is no round trip.
 */
static void no_round_trip_after_need(void)
{
	struct ebpfs_frag f;
	u64 id;

	begin(1);
	id = start_data(2 * CELL, T0);
	due(T0 + EBPFS_RTO_FIRST);
	EXPECT_EQ(need(id, 1, 0x1, T0 + EBPFS_RTO_FIRST + 100 * MS), 0x1);
	f = frag(id, 100, 0);
	f.attempt = 1;
	arrive(&f, T0 + EBPFS_RTO_FIRST + 100 * MS + 10);
	EXPECT_EQ(slots[0].rtt, 0);
	ebpfs_conn_put(&conn, 0, T0 + EBPFS_RTO_FIRST + 101 * MS);
	EXPECT_EQ(conn.rtt.srtt, 0);

	/* Without NEED in between it is one. */
	id = start_data(2 * CELL, T0 + 1000 * MS);
	due(T0 + 2000 * MS);
	f = frag(id, 100, 0);
	f.attempt = 1;
	arrive(&f, T0 + 2040 * MS);
	EXPECT_EQ(slots[0].rtt, 40 * MS);
	end();
}

static const struct ktap_test tests[] = {
	KTAP_TEST(window_counts_the_larger),
	KTAP_TEST(window_grows_by_data),
	KTAP_TEST(data_do_not_widen_the_reply),
	KTAP_TEST(need_gives_the_cells_that_lack),
	KTAP_TEST(need_for_what_is_not_there),
	KTAP_TEST(need_of_another_cut_sends_all),
	KTAP_TEST(need_is_answered_once_in_an_attempt),
	KTAP_TEST(need_after_many_attempts),
	KTAP_TEST(need_for_a_call_that_is_over),
	KTAP_TEST(need_puts_off_the_next_attempt),
	KTAP_TEST(backoff_ends_only_with_progress),
	KTAP_TEST(progress_of_data_cut_anew),
	KTAP_TEST(blackhole_when_data_vanish),
	KTAP_TEST(blackhole_of_one_way),
	KTAP_TEST(no_blackhole_while_data_arrive),
	KTAP_TEST(blackhole_shows_behind_a_short_tail_of_data),
	KTAP_TEST(whole_last_cell_shows_the_path),
	KTAP_TEST(no_round_trip_after_need),
};

int main(int argc, char **argv)
{
	return KTAP_MAIN(tests, argc, argv);
}
