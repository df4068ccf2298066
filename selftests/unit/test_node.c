// SPDX-License-Identifier: GPL-2.0
/*
 * kmod/core/node.c, function by function.
 */
#include "core/node.h"
#include "lib/ktap.h"

#define MS	EBPFS_NSEC_PER_MSEC
#define T0	(1000 * MS)
#define LOST	(5000 * MS)

static struct ebpfs_health make_up(u64 now)
{
	struct ebpfs_health h;

	ebpfs_health_init(&h, LOST, now);
	EXPECT(ebpfs_health_connect(&h, now));
	ebpfs_health_joined(&h);
	return h;
}

static void init_connects_at_once(void)
{
	struct ebpfs_health h;

	memset(&h, 0xff, sizeof(h));
	ebpfs_health_init(&h, LOST, T0);
	EXPECT_EQ(h.state, EBPFS_NODE_DOWN);
	EXPECT_EQ(ebpfs_health_next(&h), T0);
	EXPECT(!ebpfs_health_connect(&h, T0 - 1));
	EXPECT(ebpfs_health_connect(&h, T0));
	EXPECT(!ebpfs_health_connect(&h, T0));
}

static void handshakes_get_rarer(void)
{
	static const unsigned int wait_ms[] = { 250, 500, 1000, 1000, 1000 };
	struct ebpfs_health h;
	u64 now = T0;
	unsigned int i;

	ebpfs_health_init(&h, LOST, T0);
	for (i = 0; i < ARRAY_SIZE(wait_ms); i++) {
		EXPECT(ebpfs_health_connect(&h, now));
		EXPECT_EQ(ebpfs_health_next(&h), now + wait_ms[i] * MS);
		now += wait_ms[i] * MS;
		EXPECT(!ebpfs_health_connect(&h, now - 1));
	}
	for (i = 0; i < 1000; i++) {
		EXPECT(ebpfs_health_connect(&h, now));
		now += EBPFS_NODE_RETRY_MAX;
	}
}

static void joined_is_up(void)
{
	struct ebpfs_health h = make_up(T0);

	EXPECT_EQ(h.state, EBPFS_NODE_UP);
	EXPECT_EQ(ebpfs_health_next(&h), EBPFS_NEVER);
	EXPECT(!ebpfs_health_connect(&h, T0 + 3600 * EBPFS_NSEC_PER_SEC));
}

static void silence_loses_once(void)
{
	struct ebpfs_health h = make_up(T0);

	EXPECT(!ebpfs_health_silence(&h, LOST - 1, T0));
	EXPECT_EQ(h.state, EBPFS_NODE_UP);
	EXPECT(ebpfs_health_silence(&h, LOST, T0 + LOST));
	EXPECT_EQ(h.state, EBPFS_NODE_LOST);
	EXPECT(!ebpfs_health_silence(&h, 2 * LOST, T0 + 2 * LOST));
	/* And the search for it begins at once, then gets rarer. */
	EXPECT(ebpfs_health_connect(&h, T0 + LOST));
	EXPECT_EQ(ebpfs_health_next(&h), T0 + LOST + EBPFS_NODE_RETRY_MIN);
}

static void patience_is_two_answers(void)
{
	struct ebpfs_health h = make_up(T0);

	ebpfs_health_patience(&h, LOST, LOST / 3);
	EXPECT_EQ(h.lost_after, LOST);
	ebpfs_health_patience(&h, LOST, LOST);
	EXPECT_EQ(h.lost_after, 2 * LOST);
	EXPECT(!ebpfs_health_silence(&h, 2 * LOST - 1, T0 + 2 * LOST));
	ebpfs_health_patience(&h, LOST, 0);
	EXPECT(ebpfs_health_silence(&h, LOST, T0 + 2 * LOST));
}

/* Three times before it is LOST, if nothing is heard; again after each silence. */
static void silent_is_asked(void)
{
	struct ebpfs_health h = make_up(T0);
	u64 next, t;
	int asked = 0;

	EXPECT(!ebpfs_health_ask(&h, 0, T0, &next));
	EXPECT_EQ(next, EBPFS_NEVER);
	EXPECT(!ebpfs_health_ask(&h, 1, T0 + 1, &next));
	EXPECT_EQ(next, T0 + LOST / 4);
	for (t = 1; t < LOST; t += LOST / 100) {
		bool ask = ebpfs_health_ask(&h, t, T0 + t, &next);

		EXPECT(next > T0 + t && next <= T0 + t + LOST / 4);
		asked += ask;
		if (t < LOST / 4)
			EXPECT(!ask);
	}
	EXPECT_EQ(asked, 3);
	/* It answered, and is silent anew. */
	EXPECT(!ebpfs_health_ask(&h, LOST / 4 - 1, T0 + 2 * LOST, &next));
	EXPECT(ebpfs_health_ask(&h, LOST / 4, T0 + 2 * LOST + 1, &next));
	EXPECT(!ebpfs_health_ask(&h, LOST / 4 + 1, T0 + 2 * LOST + 2, &next));
	/* Who is LOST is sent handshakes instead. */
	EXPECT(ebpfs_health_silence(&h, LOST, T0 + 3 * LOST));
	EXPECT(!ebpfs_health_ask(&h, LOST, T0 + 3 * LOST, &next));
	EXPECT_EQ(next, EBPFS_NEVER);
}

static void silence_of_down_is_nothing(void)
{
	struct ebpfs_health h;

	ebpfs_health_init(&h, LOST, T0);
	EXPECT(!ebpfs_health_silence(&h, 10 * LOST, T0));
	EXPECT_EQ(h.state, EBPFS_NODE_DOWN);
}

static void heard_brings_lost_back(void)
{
	struct ebpfs_health h = make_up(T0);

	EXPECT(!ebpfs_health_heard(&h));
	ebpfs_health_silence(&h, LOST, T0 + LOST);
	EXPECT(ebpfs_health_heard(&h));
	EXPECT_EQ(h.state, EBPFS_NODE_UP);
	EXPECT(!ebpfs_health_heard(&h));
	EXPECT_EQ(ebpfs_health_next(&h), EBPFS_NEVER);
}

static void heard_does_not_raise_down(void)
{
	struct ebpfs_health h;

	ebpfs_health_init(&h, LOST, T0);
	EXPECT(!ebpfs_health_heard(&h));
	EXPECT_EQ(h.state, EBPFS_NODE_DOWN);
}

static void unknown_asks_for_handshake(void)
{
	struct ebpfs_health h = make_up(T0);

	ebpfs_health_unknown(&h);
	EXPECT_EQ(h.state, EBPFS_NODE_UP);
	EXPECT_EQ(ebpfs_health_next(&h), T0 + EBPFS_NODE_RETRY_MIN);
	EXPECT(!ebpfs_health_connect(&h, T0 + EBPFS_NODE_RETRY_MIN - 1));
	EXPECT(ebpfs_health_connect(&h, T0 + EBPFS_NODE_RETRY_MIN));
	EXPECT_EQ(h.state, EBPFS_NODE_UP);
	EXPECT_EQ(ebpfs_health_next(&h), EBPFS_NEVER);
	ebpfs_health_joined(&h);
	EXPECT_EQ(h.state, EBPFS_NODE_UP);
}

/* However many hints come, forged or not. */
static void unknown_cannot_flood(void)
{
	struct ebpfs_health h = make_up(T0);
	u64 now, started = 0;

	for (now = T0; now < T0 + 10 * EBPFS_NSEC_PER_SEC; now += 5 * MS) {
		ebpfs_health_unknown(&h);
		started += ebpfs_health_connect(&h, now);
	}
	EXPECT_EQ(started, 10 * EBPFS_NSEC_PER_SEC / EBPFS_NODE_RETRY_MIN - 1);
}

static void heard_takes_the_hint_back(void)
{
	struct ebpfs_health h = make_up(T0);

	ebpfs_health_unknown(&h);
	EXPECT(!ebpfs_health_heard(&h));
	EXPECT(!ebpfs_health_connect(&h, T0 + LOST));
}

static void unknown_while_not_up_changes_nothing(void)
{
	struct ebpfs_health h, before;

	ebpfs_health_init(&h, LOST, T0);
	ebpfs_health_connect(&h, T0);
	before = h;
	ebpfs_health_unknown(&h);
	EXPECT_MEM(&h, &before, sizeof(h));
}

/* A node that came late is asked again as soon as one that came early. */
static void long_waiting_ends_with_joining(void)
{
	struct ebpfs_health h;
	u64 now = T0;
	int i;

	ebpfs_health_init(&h, LOST, T0);
	for (i = 0; i < 10; i++) {
		now = ebpfs_health_next(&h);
		EXPECT(ebpfs_health_connect(&h, now));
	}
	ebpfs_health_joined(&h);
	ebpfs_health_unknown(&h);
	EXPECT_EQ(ebpfs_health_next(&h), now + EBPFS_NODE_RETRY_MIN);
}

static const struct ktap_test tests[] = {
	KTAP_TEST(init_connects_at_once),
	KTAP_TEST(handshakes_get_rarer),
	KTAP_TEST(joined_is_up),
	KTAP_TEST(silence_loses_once),
	KTAP_TEST(patience_is_two_answers),
	KTAP_TEST(silent_is_asked),
	KTAP_TEST(silence_of_down_is_nothing),
	KTAP_TEST(heard_brings_lost_back),
	KTAP_TEST(heard_does_not_raise_down),
	KTAP_TEST(unknown_asks_for_handshake),
	KTAP_TEST(unknown_cannot_flood),
	KTAP_TEST(heard_takes_the_hint_back),
	KTAP_TEST(unknown_while_not_up_changes_nothing),
	KTAP_TEST(long_waiting_ends_with_joining),
};

int main(int argc, char **argv)
{
	return KTAP_MAIN(tests, argc, argv);
}
