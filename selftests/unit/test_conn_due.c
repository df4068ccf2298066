// SPDX-License-Identifier: GPL-2.0
/*
 * kmod/core/conn.c: what has to do with time. Retransmission, round trips,
 * what the window is told, silence, black holes.
 */
#include "unit/conn.h"

static u64 ids[EBPFS_SLOTS_MAX];
static u64 next;

static u32 due(u64 now)
{
	return ebpfs_conn_due(&conn, now, ids, ARRAY_SIZE(ids), &next);
}

static void nothing_is_due(void)
{
	u64 id;

	begin(4);
	EXPECT_EQ(due(T0 + 3600 * 1000 * MS), 0);
	EXPECT_EQ(next, EBPFS_NEVER);
	id = start(100, T0);
	EXPECT_EQ(due(T0), 0);
	EXPECT_EQ(next, T0 + EBPFS_RTO_FIRST);
	EXPECT_EQ(due(T0 + EBPFS_RTO_FIRST - 1), 0);
	answer(id, 100, T0 + 1);
	EXPECT_EQ(due(T0 + 3600 * 1000 * MS), 0);
	EXPECT_EQ(next, EBPFS_NEVER);

	/* What was cancelled is not asked for again. */
	id = start(100, T0);
	ebpfs_conn_cancel(&conn, id);
	EXPECT_EQ(due(T0 + 3600 * 1000 * MS), 0);
	EXPECT_EQ(next, EBPFS_NEVER);
	ebpfs_conn_put(&conn, 0, T0);
	EXPECT_EQ(conn.retransmits, 0);
	end();
}

static void due_after_the_timeout(void)
{
	struct ebpfs_call_info c;
	u64 id;

	begin(4);
	id = start(100, T0);
	EXPECT_EQ(due(T0 + EBPFS_RTO_FIRST), 1);
	EXPECT_EQ(ids[0], id);
	EXPECT_EQ(conn.retransmits, 1);
	EXPECT_EQ(next, T0 + EBPFS_RTO_FIRST + 2 * EBPFS_RTO_FIRST);
	/* Told once, even before it is sent. */
	EXPECT_EQ(due(T0 + EBPFS_RTO_FIRST), 0);
	EXPECT(ebpfs_conn_sending(&conn, 0, id, T0 + EBPFS_RTO_FIRST, &c));
	EXPECT_EQ(c.attempt, 1);
	EXPECT_EQ(c.want, ~0ull);
	end();
}

/* A slot that was taken and could not be sent is due like one that was lost. */
static void due_without_having_been_sent(void)
{
	begin(4);
	EXPECT_EQ(ebpfs_conn_take(&conn, 100, &owners[0], T0), 0);
	EXPECT_EQ(due(T0 + EBPFS_RTO_FIRST), 1);
	EXPECT_EQ(ids[0], EBPFS_ID(0, 1));
	end();
}

static void backoff_doubles_to_the_end(void)
{
	struct ebpfs_call_info c;
	u64 id, now = T0 + 10 * MS, wait = EBPFS_RTO_MIN;
	int i;

	begin(4);
	measure(1 * MS, T0);
	EXPECT_EQ(conn.rtt.rto, EBPFS_RTO_MIN);
	id = start(100, now);
	for (i = 0; i < 300; i++) {
		EXPECT_EQ(due(now + wait - 1), 0);
		EXPECT_EQ(next, now + wait);
		now += wait;
		EXPECT_EQ(due(now), 1);
		EXPECT(ebpfs_conn_sending(&conn, 0, id, now, &c));
		/* Stays at its end, never starts again. */
		EXPECT_EQ(c.attempt, i < 254 ? i + 1 : 255);
		wait = wait * 2 < EBPFS_RTO_MAX ? wait * 2 : EBPFS_RTO_MAX;
	}
	EXPECT_EQ(conn.retransmits, 300);
	/* Still answered, if late. */
	answer(id, 100, now + 1);
	end();
}

static void heard_puts_it_off(void)
{
	struct ebpfs_call_info c;
	struct ebpfs_frag f;
	u64 id, now = T0 + 10 * MS;

	begin(4);
	measure(1 * MS, T0);
	id = start(4 * CELL, now);
	EXPECT_EQ(due(now + 10 * MS), 1);
	EXPECT_EQ(due(now + 30 * MS), 1);
	f = frag(id, 4 * CELL, 1);
	f.attempt = 2;
	arrive(&f, now + 35 * MS);
	/* From what was heard last, without backoff. */
	EXPECT_EQ(due(now + 45 * MS - 1), 0);
	EXPECT_EQ(next, now + 45 * MS);
	EXPECT_EQ(due(now + 45 * MS), 1);
	ebpfs_conn_sending(&conn, 0, id, now + 45 * MS, &c);
	EXPECT_EQ(c.want, 0xd);
	EXPECT_EQ(c.instance, 10);
	EXPECT_EQ(c.attempt, 3);
	/* A corrupt one is not heard. */
	f = frag(id, 4 * CELL, 2);
	claim(&f);
	filled(&f, false, now + 54 * MS);
	EXPECT_EQ(due(now + 65 * MS), 1);
	end();
}

static void more_than_there_is_room_for(void)
{
	u32 i, n, total = 0;

	begin(100);
	for (i = 0; i < 100; i++)
		start(8, T0);
	for (i = 0; i < 10; i++) {
		n = ebpfs_conn_due(&conn, T0 + EBPFS_RTO_FIRST, ids + total, 11, &next);
		total += n;
		if (total < 100)
			EXPECT_EQ(next, T0 + EBPFS_RTO_FIRST);
	}
	/* Each once. */
	EXPECT_EQ(total, 100);
	for (i = 0; i < total; i++)
		EXPECT_EQ(ids[i], EBPFS_ID(i, 1));
	EXPECT_EQ(next, T0 + 3 * EBPFS_RTO_FIRST);
	end();
}

static void next_is_the_earliest(void)
{
	u64 a, b;

	begin(4);
	a = start(8, T0);
	b = start(8, T0 + 20 * MS);
	EXPECT_EQ(due(T0 + 100 * MS), 0);
	EXPECT_EQ(next, T0 + EBPFS_RTO_FIRST);
	EXPECT_EQ(due(T0 + EBPFS_RTO_FIRST), 1);
	EXPECT_EQ(ids[0], a);
	EXPECT_EQ(next, T0 + 20 * MS + EBPFS_RTO_FIRST);
	EXPECT_EQ(due(next), 1);
	EXPECT_EQ(ids[0], b);
	end();
}

static void round_trips_by_karn(void)
{
	static const struct {
		u8 retransmitted, echoed;
		u64 rtt;	/* 0: none can be known */
	} t[] = {
		{ 0, 0, 700 * MS },
		{ 1, 0, 700 * MS },	/* the first one, which was sent once */
		{ 1, 1, 600 * MS },	/* the last one */
		{ 2, 0, 700 * MS },
		{ 2, 1, 0 },		/* when that was sent is not kept */
		{ 2, 2, 500 * MS },
	};
	struct ebpfs_call_info c;
	struct ebpfs_frag f;
	unsigned int i, j;
	u64 id, now;

	for (i = 0; i < ARRAY_SIZE(t); i++) {
		begin(1);
		now = T0;
		id = start(2 * CELL, now);
		for (j = 0; j < t[i].retransmitted; j++) {
			/* Due in fact later; only the count matters here. */
			now += 100 * MS;
			slots[0].attempt++;
			EXPECT(ebpfs_conn_sending(&conn, 0, id, now, &c));
		}
		f = frag(id, 2 * CELL, 1);
		f.attempt = t[i].echoed;
		arrive(&f, T0 + 700 * MS);
		EXPECT_EQ(slots[0].rtt, t[i].rtt);
		/* The second fragment says nothing new. */
		f = frag(id, 2 * CELL, 0);
		f.attempt = t[i].retransmitted;
		arrive(&f, T0 + 900 * MS);
		EXPECT_EQ(slots[0].rtt, t[i].rtt);
		ebpfs_conn_put(&conn, 0, T0 + 900 * MS);
		EXPECT_EQ(conn.rtt.srtt, t[i].rtt);
		end();
	}
}

static void attempts_beyond_the_count_measure_nothing(void)
{
	struct ebpfs_call_info c;
	struct ebpfs_frag f;
	u64 id;

	begin(1);
	id = start(100, T0);
	slots[0].attempt = 255;
	ebpfs_conn_sending(&conn, 0, id, T0 + 100 * MS, &c);
	f = frag(id, 100, 0);
	f.attempt = 255;
	arrive(&f, T0 + 101 * MS);
	ebpfs_conn_put(&conn, 0, T0 + 101 * MS);
	EXPECT_EQ(conn.rtt.srtt, 0);
	end();
}

static void loss_halves_the_window_once(void)
{
	struct ebpfs_frag f;
	u64 now = T0 + 1000 * MS, a, b, c;

	begin(8);
	measure(40 * MS, T0);
	EXPECT_EQ(conn.rtt.rto, 120 * MS);
	conn.win.cwnd = 1024 * KB;
	a = start(64 * KB, now);
	b = start(64 * KB, now + 1 * MS);
	c = start(64 * KB, now + 2 * MS);
	/* The third is answered: the path works, the others were lost. */
	f = frag(c, 64 * KB, 0);
	arrive(&f, now + 50 * MS);
	EXPECT_EQ(due(now + 120 * MS), 1);
	EXPECT_EQ(ids[0], a);
	EXPECT_EQ(conn.win.cwnd, 512 * KB);
	EXPECT_EQ(due(now + 121 * MS), 1);
	EXPECT_EQ(ids[0], b);
	EXPECT_EQ(conn.win.cwnd, 512 * KB);
	end();
}

static void silence_of_all_starts_the_window_again(void)
{
	u64 now = T0 + 1000 * MS;

	begin(8);
	measure(40 * MS, T0);
	conn.win.cwnd = 1024 * KB;
	start(64 * KB, now);
	start(64 * KB, now);
	EXPECT_EQ(due(now + 120 * MS), 2);
	EXPECT_EQ(conn.win.cwnd, EBPFS_WINDOW_MIN);
	EXPECT_EQ(conn.win.ssthresh, 512 * KB);
	end();
}

static void spurious_retransmission_is_undone(void)
{
	struct ebpfs_frag f;
	u64 now = T0 + 1000 * MS, a;
	u32 cwnd;

	begin(8);
	measure(40 * MS, T0);
	conn.win.cwnd = cwnd = 1024 * KB;
	a = start(CELL, now);
	EXPECT_EQ(due(now + 120 * MS), 1);
	EXPECT_EQ(conn.win.cwnd, EBPFS_WINDOW_MIN);
	/* What arrives was caused by the first sending: it was only slow. */
	f = frag(a, CELL, 0);
	f.attempt = 0;
	EXPECT_EQ(arrive(&f, now + 130 * MS), EBPFS_FILL_COMPLETE);
	ebpfs_conn_put(&conn, 0, now + 130 * MS);
	EXPECT_EQ(conn.win.cwnd, cwnd);

	/* A needed one is not. */
	now += 1000 * MS;
	a = start(CELL, now);
	EXPECT_EQ(due(now + conn.rtt.rto), 1);
	f = frag(a, CELL, 0);
	f.attempt = 1;
	EXPECT_EQ(arrive(&f, now + 300 * MS), EBPFS_FILL_COMPLETE);
	ebpfs_conn_put(&conn, 0, now + 300 * MS);
	EXPECT(conn.win.cwnd < cwnd);
	end();
}

static void attempts_are_counted_in_the_result(void)
{
	struct ebpfs_result res;
	struct ebpfs_frag f;
	void *owner;
	u64 id;

	begin(1);
	id = start(100, T0);
	due(T0 + 250 * MS);
	due(T0 + 750 * MS);
	f = frag(id, 100, 0);
	EXPECT_EQ(ebpfs_conn_claim(&conn, &f, &owner), EBPFS_CLAIMED);
	EXPECT_EQ(ebpfs_conn_filled(&conn, &f, true, T0 + 800 * MS, &res), EBPFS_FILL_COMPLETE);
	EXPECT_EQ(res.attempts, 3);
	end();
}

static void silence(void)
{
	struct ebpfs_frag f;
	u64 a, b;

	begin(4);
	EXPECT_EQ(ebpfs_conn_silence(&conn, T0 + 5000 * MS), 0);
	a = start(4 * CELL, T0 + 100 * MS);
	EXPECT_EQ(ebpfs_conn_silence(&conn, T0 + 300 * MS), 200 * MS);
	/* A clock read on another processor may be a little behind. */
	EXPECT_EQ(ebpfs_conn_silence(&conn, T0), 0);
	b = start(100, T0 + 200 * MS);
	EXPECT_EQ(ebpfs_conn_silence(&conn, T0 + 300 * MS), 200 * MS);
	/* Retransmissions are no sign of life. */
	due(T0 + 400 * MS);
	EXPECT_EQ(ebpfs_conn_silence(&conn, T0 + 500 * MS), 400 * MS);
	f = frag(a, 4 * CELL, 0);
	claim(&f);
	filled(&f, false, T0 + 500 * MS);
	EXPECT_EQ(ebpfs_conn_silence(&conn, T0 + 500 * MS), 400 * MS);
	arrive(&f, T0 + 600 * MS);
	EXPECT_EQ(ebpfs_conn_silence(&conn, T0 + 650 * MS), 50 * MS);
	answer(b, 100, T0 + 700 * MS);
	EXPECT_EQ(ebpfs_conn_silence(&conn, T0 + 800 * MS), 100 * MS);
	ebpfs_conn_cancel(&conn, a);
	ebpfs_conn_put(&conn, EBPFS_ID_SLOT(a), T0 + 800 * MS);
	EXPECT_EQ(ebpfs_conn_silence(&conn, T0 + 9000 * MS), 0);
	/* After an idle hour it starts from the first call. */
	start(100, T0 + 3600 * 1000 * MS);
	EXPECT_EQ(ebpfs_conn_silence(&conn, T0 + 3600 * 1000 * MS + 7), 7);
	end();
}

static void heard_ends_silence(void)
{
	begin(4);
	ebpfs_conn_heard(&conn, T0 + 50 * MS);
	EXPECT_EQ(conn.heard_at, T0 + 50 * MS);
	EXPECT_EQ(conn.waiting_since, EBPFS_NEVER);
	start(100, T0 + 100 * MS);
	ebpfs_conn_heard(&conn, T0 + 300 * MS);
	EXPECT_EQ(ebpfs_conn_silence(&conn, T0 + 310 * MS), 10 * MS);
	end();
}

static bool blackhole_of(u32 reply)
{
	u64 now = T0;
	bool found;

	begin(4);
	start(reply, now);
	due(now += EBPFS_RTO_FIRST);
	due(now += 2 * EBPFS_RTO_FIRST);
	EXPECT(!conn.blackhole);
	EXPECT_EQ(due(now += 4 * EBPFS_RTO_FIRST), 1);
	found = conn.blackhole;
	end();
	return found;
}

static void blackhole_when_large_replies_vanish(void)
{
	/* With its head it is as large as what every path carries. */
	u32 small = EBPFS_UDP_PAYLOAD_BASE - sizeof(struct ebpfs_reply);

	EXPECT(blackhole_of(64 * KB));
	EXPECT(blackhole_of(small + 1));
	EXPECT(!blackhole_of(small));
	EXPECT(!blackhole_of(0));
}

/* And with its guard. */
static void blackhole_counts_the_guard(void)
{
	u32 small = EBPFS_UDP_PAYLOAD_BASE - sizeof(struct ebpfs_reply);

	room = 24;
	EXPECT(blackhole_of(small));
	EXPECT(blackhole_of(small - 23));
	EXPECT(!blackhole_of(small - 24));
	room = 0;
}

/* A reply's short last fragment passes where all others vanish. */
static void blackhole_shows_behind_a_small_tail(void)
{
	struct ebpfs_frag f;
	u64 now = T0, id;

	begin(4);
	id = start(CELL + 40, now);
	f = frag(id, CELL + 40, 1);
	EXPECT_EQ(f.len, 40);
	arrive(&f, now += 10 * MS);
	due(now += EBPFS_RTO_FIRST);
	due(now += 2 * EBPFS_RTO_FIRST);
	EXPECT(!conn.blackhole);
	EXPECT_EQ(due(now += 4 * EBPFS_RTO_FIRST), 1);
	EXPECT(conn.blackhole);
	end();
}

/* Large fragments of other calls arrive: this one is slow, the path is not to blame. */
static void no_blackhole_while_others_arrive(void)
{
	u64 now = T0;
	int i;

	begin(4);
	start(32 * KB, now);
	for (i = 0; i < 5; i++) {
		answer(start(CELL, now + 1), CELL, now + 2 + 2 * EBPFS_RTO_FIRST);
		now += 20 * EBPFS_RTO_FIRST;
		EXPECT_EQ(due(now), 1);
	}
	EXPECT_EQ(slots[0].backoff, 5);
	EXPECT(!conn.blackhole);
	/* Then they stop, too. */
	EXPECT_EQ(due(now += 20 * EBPFS_RTO_FIRST), 1);
	EXPECT(conn.blackhole);
	end();
}

/* Nor do they say anything for the path if they are smaller than this one's. */
static void blackhole_shows_while_smaller_ones_arrive(void)
{
	u64 now = T0;

	begin(4);
	start(32 * KB, now);
	answer(start(CELL - 8, now + 1), CELL - 8, now + 2);
	due(now += EBPFS_RTO_FIRST);
	answer(start(CELL - 8, now + 1), CELL - 8, now + 2);
	due(now += 20 * EBPFS_RTO_FIRST);
	answer(start(CELL - 8, now + 1), CELL - 8, now + 2);
	EXPECT(!conn.blackhole);
	EXPECT_EQ(due(now += 20 * EBPFS_RTO_FIRST), 1);
	EXPECT(conn.blackhole);
	end();
}

static const struct ktap_test tests[] = {
	KTAP_TEST(nothing_is_due),
	KTAP_TEST(due_after_the_timeout),
	KTAP_TEST(due_without_having_been_sent),
	KTAP_TEST(backoff_doubles_to_the_end),
	KTAP_TEST(heard_puts_it_off),
	KTAP_TEST(more_than_there_is_room_for),
	KTAP_TEST(next_is_the_earliest),
	KTAP_TEST(round_trips_by_karn),
	KTAP_TEST(attempts_beyond_the_count_measure_nothing),
	KTAP_TEST(loss_halves_the_window_once),
	KTAP_TEST(silence_of_all_starts_the_window_again),
	KTAP_TEST(spurious_retransmission_is_undone),
	KTAP_TEST(attempts_are_counted_in_the_result),
	KTAP_TEST(silence),
	KTAP_TEST(heard_ends_silence),
	KTAP_TEST(blackhole_when_large_replies_vanish),
	KTAP_TEST(blackhole_counts_the_guard),
	KTAP_TEST(blackhole_shows_behind_a_small_tail),
	KTAP_TEST(no_blackhole_while_others_arrive),
	KTAP_TEST(blackhole_shows_while_smaller_ones_arrive),
};

int main(int argc, char **argv)
{
	return KTAP_MAIN(tests, argc, argv);
}
