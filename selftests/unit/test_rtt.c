// SPDX-License-Identifier: GPL-2.0
/*
 * kmod/core/rtt.c, function by function.
 */
#include "core/rtt.h"
#include "lib/ktap.h"

#define MS	EBPFS_NSEC_PER_MSEC

static void init_has_first_timeout(void)
{
	struct ebpfs_rtt r = { 1, 2, 3 };

	ebpfs_rtt_init(&r);
	EXPECT_EQ(r.srtt, 0);
	EXPECT_EQ(r.rttvar, 0);
	EXPECT_EQ(r.rto, EBPFS_RTO_FIRST);
	EXPECT_EQ(ebpfs_rtt_timeout(&r, 0), EBPFS_RTO_FIRST);
}

static void guess_before_samples(void)
{
	struct ebpfs_rtt r;

	ebpfs_rtt_init(&r);
	ebpfs_rtt_guess(&r, 1);
	EXPECT_EQ(ebpfs_rtt_timeout(&r, 0), EBPFS_RTO_FIRST);
	ebpfs_rtt_guess(&r, EBPFS_RTO_FIRST);
	EXPECT_EQ(ebpfs_rtt_timeout(&r, 0), 2 * EBPFS_RTO_FIRST);
	ebpfs_rtt_guess(&r, ~0ull);
	EXPECT_EQ(ebpfs_rtt_timeout(&r, 0), EBPFS_RTO_MAX);
	/* What was measured counts. */
	ebpfs_rtt_sample(&r, 1000000);
	EXPECT(ebpfs_rtt_timeout(&r, 0) < EBPFS_RTO_FIRST);
	ebpfs_rtt_guess(&r, ~0ull);
	EXPECT(ebpfs_rtt_timeout(&r, 0) < EBPFS_RTO_FIRST);
}

static void first_sample(void)
{
	struct ebpfs_rtt r;

	ebpfs_rtt_init(&r);
	ebpfs_rtt_sample(&r, 40 * MS);
	EXPECT_EQ(r.srtt, 40 * MS);
	EXPECT_EQ(r.rttvar, 20 * MS);
	EXPECT_EQ(r.rto, 120 * MS);
}

/* RFC 6298 (2.3): alpha 1/8, beta 1/4, the variation is taken before the mean moves. */
static void later_samples_follow_rfc(void)
{
	struct ebpfs_rtt r;

	ebpfs_rtt_init(&r);
	ebpfs_rtt_sample(&r, 40 * MS);
	ebpfs_rtt_sample(&r, 80 * MS);
	EXPECT_EQ(r.rttvar, (3 * 20 * MS + 40 * MS) / 4);
	EXPECT_EQ(r.srtt, 45 * MS);
	EXPECT_EQ(r.rto, 45 * MS + 4 * 25 * MS);
	ebpfs_rtt_sample(&r, 5 * MS);
	EXPECT_EQ(r.rttvar, (3 * 25 * MS + 40 * MS) / 4);
	EXPECT_EQ(r.srtt, 40 * MS);
}

static void converges(void)
{
	struct ebpfs_rtt r;
	int i;

	ebpfs_rtt_init(&r);
	ebpfs_rtt_sample(&r, 900 * MS);
	for (i = 0; i < 200; i++)
		ebpfs_rtt_sample(&r, 50 * MS);
	EXPECT(r.srtt >= 50 * MS && r.srtt < 51 * MS);
	EXPECT(r.rto < 52 * MS);
}

static void timeout_stays_in_limits(void)
{
	struct ebpfs_rtt r;
	int i;

	ebpfs_rtt_init(&r);
	ebpfs_rtt_sample(&r, 0);
	EXPECT_EQ(r.srtt, 1);
	EXPECT_EQ(r.rto, EBPFS_RTO_MIN);
	for (i = 0; i < 100; i++) {
		ebpfs_rtt_sample(&r, 0);
		EXPECT(r.srtt > 0);
	}

	ebpfs_rtt_init(&r);
	for (i = 0; i < 100; i++)
		ebpfs_rtt_sample(&r, i % 2 ? ~0ull : 0);
	EXPECT_EQ(r.rto, EBPFS_RTO_MAX);
	/* One absurd sample is forgotten in the end. */
	for (i = 0; i < 400; i++)
		ebpfs_rtt_sample(&r, 1 * MS);
	EXPECT_EQ(r.rto, EBPFS_RTO_MIN);
}

static void timeout_doubles(void)
{
	struct ebpfs_rtt r;
	unsigned int i;

	ebpfs_rtt_init(&r);
	ebpfs_rtt_sample(&r, 0);
	for (i = 0; i < 7; i++)
		EXPECT_EQ(ebpfs_rtt_timeout(&r, i), EBPFS_RTO_MIN << i);
	EXPECT_EQ(ebpfs_rtt_timeout(&r, 8), EBPFS_RTO_MAX);
	EXPECT_EQ(ebpfs_rtt_timeout(&r, 255), EBPFS_RTO_MAX);
}

static const struct ktap_test tests[] = {
	KTAP_TEST(init_has_first_timeout),
	KTAP_TEST(guess_before_samples),
	KTAP_TEST(first_sample),
	KTAP_TEST(later_samples_follow_rfc),
	KTAP_TEST(converges),
	KTAP_TEST(timeout_stays_in_limits),
	KTAP_TEST(timeout_doubles),
};

int main(int argc, char **argv)
{
	return KTAP_MAIN(tests, argc, argv);
}
