// SPDX-License-Identifier: GPL-2.0
/*
 * kmod/core/window.c, function by function.
 */
#include "core/rtt.h"
#include "core/window.h"
#include "lib/ktap.h"

#define KB	1024u
#define MS	EBPFS_NSEC_PER_MSEC

/* One full window is asked for and answered. */
static void round_trip(struct ebpfs_window *w, u32 unit)
{
	u32 taken = 0;

	while (ebpfs_window_allows(w, unit)) {
		ebpfs_window_take(w, unit);
		taken++;
	}
	while (taken--)
		ebpfs_window_give(w, unit, true);
}

static void init(void)
{
	struct ebpfs_window w;

	memset(&w, 0xff, sizeof(w));
	ebpfs_window_init(&w);
	EXPECT_EQ(w.cwnd, EBPFS_WINDOW_FIRST);
	EXPECT_EQ(w.ssthresh, EBPFS_WINDOW_MAX);
	EXPECT_EQ(w.flight, 0);
	EXPECT_EQ(w.credit, 0);
	EXPECT_EQ(w.undo_cwnd, 0);
	EXPECT_EQ(w.recover_at, 0);
}

static void allows(void)
{
	struct ebpfs_window w;

	ebpfs_window_init(&w);
	/* One call always, or nothing would ever move. */
	EXPECT(ebpfs_window_allows(&w, ~0u));
	ebpfs_window_take(&w, 64 * KB);
	EXPECT(ebpfs_window_allows(&w, 64 * KB));
	EXPECT(!ebpfs_window_allows(&w, 64 * KB + 1));
	/* The sum must not wrap. */
	EXPECT(!ebpfs_window_allows(&w, ~0u));
	EXPECT(ebpfs_window_allows(&w, 0));
}

static void take_and_give_balance(void)
{
	struct ebpfs_window w;

	ebpfs_window_init(&w);
	ebpfs_window_take(&w, 100);
	ebpfs_window_take(&w, 200);
	EXPECT_EQ(w.flight, 300);
	ebpfs_window_give(&w, 100, false);
	EXPECT_EQ(w.flight, 200);
	ebpfs_window_give(&w, 200, true);
	EXPECT_EQ(w.flight, 0);
	ebpfs_window_give(&w, 1, false);
	EXPECT_EQ(w.flight, 0);
}

static void slow_start_doubles(void)
{
	struct ebpfs_window w;

	ebpfs_window_init(&w);
	round_trip(&w, 16 * KB);
	/* Growth stops in the half of the trip in which the window is not full. */
	EXPECT(w.cwnd > EBPFS_WINDOW_FIRST + EBPFS_WINDOW_FIRST / 4);
	EXPECT(w.cwnd <= 2 * EBPFS_WINDOW_FIRST);
}

static void grows_to_the_end_only(void)
{
	struct ebpfs_window w;
	int i;

	ebpfs_window_init(&w);
	for (i = 0; i < 200; i++)
		round_trip(&w, 64 * KB);
	EXPECT_EQ(w.cwnd, EBPFS_WINDOW_MAX);
}

static void no_growth_when_idle(void)
{
	struct ebpfs_window w;
	int i;

	ebpfs_window_init(&w);
	for (i = 0; i < 1000; i++) {
		ebpfs_window_take(&w, 4 * KB);
		ebpfs_window_give(&w, 4 * KB, true);
	}
	EXPECT_EQ(w.cwnd, EBPFS_WINDOW_FIRST);
}

static void no_growth_when_cancelled(void)
{
	struct ebpfs_window w;

	ebpfs_window_init(&w);
	ebpfs_window_take(&w, EBPFS_WINDOW_FIRST);
	ebpfs_window_give(&w, EBPFS_WINDOW_FIRST, false);
	EXPECT_EQ(w.cwnd, EBPFS_WINDOW_FIRST);
}

static void avoidance_adds_one_unit_per_window(void)
{
	struct ebpfs_window w;
	u32 i;

	ebpfs_window_init(&w);
	w.cwnd = w.ssthresh = 1024 * KB;
	ebpfs_window_take(&w, 1024 * KB);
	ebpfs_window_take(&w, 1024 * KB);
	for (i = 0; i < 15; i++)
		ebpfs_window_give(&w, 64 * KB, true);
	EXPECT_EQ(w.cwnd, 1024 * KB);
	ebpfs_window_give(&w, 64 * KB, true);
	EXPECT_EQ(w.cwnd, 1088 * KB);
	EXPECT_EQ(w.credit, 0);
}

static void loss_halves_once_per_round_trip(void)
{
	struct ebpfs_window w;

	ebpfs_window_init(&w);
	w.cwnd = 1024 * KB;
	w.credit = 5;
	ebpfs_window_loss(&w, 100 * MS, 10 * MS);
	EXPECT_EQ(w.cwnd, 512 * KB);
	EXPECT_EQ(w.ssthresh, 512 * KB);
	EXPECT_EQ(w.credit, 0);
	ebpfs_window_loss(&w, 110 * MS - 1, 10 * MS);
	EXPECT_EQ(w.cwnd, 512 * KB);
	ebpfs_window_loss(&w, 110 * MS, 10 * MS);
	EXPECT_EQ(w.cwnd, 256 * KB);
	/* Without a sample a round trip is what a timeout assumes it is. */
	ebpfs_window_loss(&w, 1000 * MS, 0);
	EXPECT_EQ(w.recover_at, 1000 * MS + EBPFS_RTO_FIRST);
}

static void never_below_the_least(void)
{
	struct ebpfs_window w;
	u64 now = 0;
	int i;

	ebpfs_window_init(&w);
	for (i = 0; i < 50; i++)
		ebpfs_window_loss(&w, now += EBPFS_NSEC_PER_SEC, MS);
	EXPECT_EQ(w.cwnd, EBPFS_WINDOW_MIN);
	EXPECT_EQ(w.ssthresh, EBPFS_WINDOW_MIN);
	ebpfs_window_timeout(&w);
	EXPECT_EQ(w.cwnd, EBPFS_WINDOW_MIN);
}

static void timeout_starts_again(void)
{
	struct ebpfs_window w;

	ebpfs_window_init(&w);
	w.cwnd = 2048 * KB;
	ebpfs_window_timeout(&w);
	EXPECT_EQ(w.cwnd, EBPFS_WINDOW_MIN);
	EXPECT_EQ(w.ssthresh, 1024 * KB);
	/* The retransmissions time out as well. */
	ebpfs_window_timeout(&w);
	EXPECT_EQ(w.ssthresh, 1024 * KB);
	ebpfs_window_undo(&w);
	EXPECT_EQ(w.cwnd, 2048 * KB);
}

static void undo_restores_once(void)
{
	struct ebpfs_window w;

	ebpfs_window_init(&w);
	w.cwnd = 1024 * KB;
	ebpfs_window_loss(&w, 100 * MS, 10 * MS);
	ebpfs_window_undo(&w);
	EXPECT_EQ(w.cwnd, 1024 * KB);
	EXPECT_EQ(w.ssthresh, EBPFS_WINDOW_MAX);
	w.cwnd = 300 * KB;
	ebpfs_window_undo(&w);
	EXPECT_EQ(w.cwnd, 300 * KB);
	/* A real loss right after it counts. */
	ebpfs_window_loss(&w, 101 * MS, 10 * MS);
	EXPECT_EQ(w.cwnd, 150 * KB);
}

static void undo_never_shrinks(void)
{
	struct ebpfs_window w;

	ebpfs_window_init(&w);
	w.cwnd = 256 * KB;
	ebpfs_window_loss(&w, 100 * MS, 10 * MS);
	w.cwnd = 2048 * KB;
	ebpfs_window_undo(&w);
	EXPECT_EQ(w.cwnd, 2048 * KB);
}

static const struct ktap_test tests[] = {
	KTAP_TEST(init),
	KTAP_TEST(allows),
	KTAP_TEST(take_and_give_balance),
	KTAP_TEST(slow_start_doubles),
	KTAP_TEST(grows_to_the_end_only),
	KTAP_TEST(no_growth_when_idle),
	KTAP_TEST(no_growth_when_cancelled),
	KTAP_TEST(avoidance_adds_one_unit_per_window),
	KTAP_TEST(loss_halves_once_per_round_trip),
	KTAP_TEST(never_below_the_least),
	KTAP_TEST(timeout_starts_again),
	KTAP_TEST(undo_restores_once),
	KTAP_TEST(undo_never_shrinks),
};

int main(int argc, char **argv)
{
	return KTAP_MAIN(tests, argc, argv);
}
