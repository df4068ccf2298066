// SPDX-License-Identifier: GPL-2.0
/*
 * kmod/core/pmtu.c, function by function, and the search over paths of all
 * sizes with probes lost on the way.
 */
#include "core/pmtu.h"
#include "core/wire.h"
#include "lib/ktap.h"

#define MS	EBPFS_NSEC_PER_MSEC
#define RTO	(20 * MS)
#define AGAIN	(600 * EBPFS_NSEC_PER_SEC)

/**
 * struct path - a way that probes take
 * @mtu: bytes of UDP payload that it carries
 * @lose: every so many probes is lost, 0 for none
 * @sent: probes
 */
struct path {
	u32 mtu;
	u32 lose;
	u32 sent;
};

/* Lets the search run from @now until nothing is to be done for a minute. */
static u64 run(struct ebpfs_pmtu *p, struct path *path, u64 now)
{
	u32 size, serial, polls;

	for (polls = 0; polls < 10000; polls++) {
		if (p->next_at > now + 60 * EBPFS_NSEC_PER_SEC)
			return now;
		if (p->next_at > now)
			now = p->next_at;
		if (!ebpfs_pmtu_poll(p, now, RTO, &size, &serial))
			continue;
		path->sent++;
		EXPECT(size > EBPFS_UDP_PAYLOAD_BASE && size <= p->ceiling);
		if (size <= path->mtu && !(path->lose && path->sent % path->lose == 0))
			EXPECT(ebpfs_pmtu_acked(p, serial, size, now + MS));
	}
	EXPECT(!"the search ends");
	return now;
}

static void init_is_the_base(void)
{
	struct ebpfs_pmtu p;

	ebpfs_pmtu_init(&p, 8972, 5);
	EXPECT_EQ(p.size, EBPFS_UDP_PAYLOAD_BASE);
	EXPECT_EQ(p.ceiling, 8972);
	EXPECT_EQ(p.next_at, 5);
	ebpfs_pmtu_init(&p, 100, 0);
	EXPECT_EQ(p.ceiling, EBPFS_UDP_PAYLOAD_BASE);
	ebpfs_pmtu_init(&p, 1u << 20, 0);
	EXPECT_EQ(p.ceiling, EBPFS_UDP_PAYLOAD_MAX);
}

static void uniform_path_takes_one_probe(void)
{
	static const u32 ceilings[] = { 1201, 1263, 1264, 1265, 1472, 8972, 65507 };
	struct ebpfs_pmtu p;
	struct path path;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(ceilings); i++) {
		path = (struct path){ .mtu = ceilings[i] };
		ebpfs_pmtu_init(&p, ceilings[i], 0);
		run(&p, &path, 0);
		EXPECT_EQ(p.size, ceilings[i]);
		EXPECT_EQ(path.sent, 1);
	}
}

static void ceiling_at_the_base_needs_no_probe(void)
{
	struct path path = { .mtu = EBPFS_UDP_PAYLOAD_BASE };
	struct ebpfs_pmtu p;

	ebpfs_pmtu_init(&p, EBPFS_UDP_PAYLOAD_BASE, 0);
	run(&p, &path, 0);
	EXPECT_EQ(path.sent, 0);
	EXPECT_EQ(p.size, EBPFS_UDP_PAYLOAD_BASE);
}

static void finds_every_path(void)
{
	struct ebpfs_pmtu p;
	struct path path;
	u32 mtu;

	for (mtu = EBPFS_UDP_PAYLOAD_BASE; mtu <= 65507; mtu += 17) {
		path = (struct path){ .mtu = mtu };
		ebpfs_pmtu_init(&p, 65507, 0);
		run(&p, &path, 0);
		EXPECT(p.size <= mtu);
		EXPECT(p.size + 64 >= mtu);
		/* 10 halvings of at most three probes each, and the ceiling */
		EXPECT(path.sent <= 33);
	}
}

static void single_losses_do_not_mislead(void)
{
	struct path path = { .mtu = 8972, .lose = 2 };
	struct ebpfs_pmtu p;

	ebpfs_pmtu_init(&p, 8972, 0);
	path.sent = 1;		/* the first probe is lost */
	run(&p, &path, 0);
	EXPECT_EQ(p.size, 8972);
}

static void poll_waits_for_the_answer(void)
{
	struct ebpfs_pmtu p;
	u32 size, serial, i;

	ebpfs_pmtu_init(&p, 8972, 0);
	for (i = 0; i < 3; i++) {
		EXPECT(ebpfs_pmtu_poll(&p, i * RTO, RTO, &size, &serial));
		EXPECT_EQ(size, 8972);
		EXPECT_EQ(serial, i + 1);
		EXPECT_EQ(p.next_at, (i + 1) * RTO);
		EXPECT(!ebpfs_pmtu_poll(&p, (i + 1) * RTO - 1, RTO, &size, &serial));
	}
	/* Three without an answer: that size fails. */
	EXPECT(ebpfs_pmtu_poll(&p, 3 * RTO, RTO, &size, &serial));
	EXPECT_EQ(size, (1200 + 8972) / 2);
	EXPECT_EQ(p.high, 8972);
}

static void acked_takes_any_try_of_this_size_only(void)
{
	struct ebpfs_pmtu p, before;
	u32 size, serial;

	ebpfs_pmtu_init(&p, 8972, 0);
	EXPECT(!ebpfs_pmtu_acked(&p, 0, 0, 0));
	ebpfs_pmtu_poll(&p, 0, RTO, &size, &serial);
	ebpfs_pmtu_poll(&p, RTO, RTO, &size, &serial);
	before = p;
	EXPECT(!ebpfs_pmtu_acked(&p, serial, 8971, RTO));
	EXPECT(!ebpfs_pmtu_acked(&p, serial + 1, 8972, RTO));
	EXPECT(!ebpfs_pmtu_acked(&p, serial - 2, 8972, RTO));
	EXPECT_MEM(&p, &before, sizeof(p));
	EXPECT(ebpfs_pmtu_acked(&p, serial - 1, 8972, RTO));
	EXPECT_EQ(p.size, 8972);
	/* The second answer comes too. */
	EXPECT(!ebpfs_pmtu_acked(&p, serial, 8972, RTO));
}

static void search_is_repeated(void)
{
	struct path path = { .mtu = 1472 };
	struct ebpfs_pmtu p;
	u64 done;

	ebpfs_pmtu_init(&p, 8972, 0);
	done = run(&p, &path, 0);
	EXPECT(p.size <= 1472 && p.size + 64 >= 1472);
	EXPECT(p.next_at >= AGAIN && p.next_at <= done + AGAIN + MS);
	/* The path has grown meanwhile. */
	path = (struct path){ .mtu = 8972 };
	run(&p, &path, p.next_at);
	EXPECT_EQ(p.size, 8972);
	EXPECT_EQ(path.sent, 1);
}

static void repeated_search_never_shrinks(void)
{
	struct path path = { .mtu = 4000 };
	struct ebpfs_pmtu p;
	u32 found;

	ebpfs_pmtu_init(&p, 8972, 0);
	run(&p, &path, 0);
	found = p.size;
	path.mtu = 0;
	run(&p, &path, p.next_at);
	EXPECT_EQ(p.size, found);
}

static void blackhole_falls_and_searches(void)
{
	struct path path = { .mtu = 8972 };
	struct ebpfs_pmtu p;
	u64 now;

	ebpfs_pmtu_init(&p, 8972, 0);
	now = run(&p, &path, 0);
	ebpfs_pmtu_blackhole(&p, now);
	EXPECT_EQ(p.size, EBPFS_UDP_PAYLOAD_BASE);
	EXPECT_EQ(p.next_at, now);
	path.mtu = 1472;
	run(&p, &path, now);
	EXPECT(p.size <= 1472 && p.size + 64 >= 1472);
}

static void blackhole_at_the_base_lets_the_search_go_on(void)
{
	struct ebpfs_pmtu p, before;
	u32 size, serial;

	ebpfs_pmtu_init(&p, 8972, 0);
	ebpfs_pmtu_poll(&p, 0, RTO, &size, &serial);
	before = p;
	ebpfs_pmtu_blackhole(&p, 1);
	EXPECT_MEM(&p, &before, sizeof(p));
}

static void answer_from_before_a_blackhole_counts_for_nothing(void)
{
	struct path path = { .mtu = 4000 };
	struct ebpfs_pmtu p;
	u32 size, serial;
	u64 now;

	ebpfs_pmtu_init(&p, 8972, 0);
	now = run(&p, &path, 0);
	now = p.next_at;
	ebpfs_pmtu_poll(&p, now, RTO, &size, &serial);
	ebpfs_pmtu_blackhole(&p, now + 1);
	EXPECT(!ebpfs_pmtu_acked(&p, serial, size, now + 2));
	EXPECT_EQ(p.size, EBPFS_UDP_PAYLOAD_BASE);
}

static void cells_are_valid_and_fit(u32 room, u32 align)
{
	struct ebpfs_pmtu p;
	u32 size;
	u32 most;
	u16 cell;

	ebpfs_pmtu_init(&p, 65507, 0);
	for (size = EBPFS_UDP_PAYLOAD_BASE; size <= 65507; size++) {
		p.size = size;
		cell = ebpfs_pmtu_cell(&p, room);
		EXPECT(cell >= EBPFS_CELL_MIN && cell <= EBPFS_CELL_MAX && cell % align == 0);
		EXPECT(cell + sizeof(struct ebpfs_reply) + room <= size);
		most = (size - sizeof(struct ebpfs_reply) - room) & ~(align - 1);
		if (most > EBPFS_CELL_MAX)
			most = EBPFS_CELL_MAX;
		if (most % 4096 <= most / 4)
			EXPECT_EQ(cell, most - most % 4096);
		else
			EXPECT_EQ(cell, most);
	}
}

static void cell_is_valid_and_fits(void)
{
	cells_are_valid_and_fit(0, 8);
}

static void cell_is_of_whole_blocks_with_keys(void)
{
	cells_are_valid_and_fit(sizeof(struct ebpfs_guard), 16);
}

static void unit_fits_one_super_packet(void)
{
	struct ebpfs_pmtu p;
	u32 size, unit, max;

	ebpfs_pmtu_init(&p, 65507, 0);
	for (size = EBPFS_UDP_PAYLOAD_BASE; size <= 65507; size += 3) {
		p.size = size;
		unit = ebpfs_pmtu_unit(&p, EBPFS_MSG_MAX, 0);
		EXPECT(unit % 4096 == 0 && unit >= 4096);
		EXPECT(unit + ebpfs_ncells(unit, ebpfs_pmtu_cell(&p, 0)) *
		       sizeof(struct ebpfs_reply) <= 65507);
		/* One page more would not fit. */
		EXPECT(unit + 4096 + ebpfs_ncells(unit + 4096, ebpfs_pmtu_cell(&p, 0)) *
		       sizeof(struct ebpfs_reply) > 65507);
	}
	for (max = 0; max < 70000; max += 1000) {
		unit = ebpfs_pmtu_unit(&p, max, 0);
		EXPECT(unit >= 4096 && unit % 4096 == 0 && (unit <= max || max < 4096));
	}
	EXPECT(ebpfs_pmtu_unit(&p, ~0u, 0) <= EBPFS_MSG_MAX);
}

static const struct ktap_test tests[] = {
	KTAP_TEST(init_is_the_base),
	KTAP_TEST(uniform_path_takes_one_probe),
	KTAP_TEST(ceiling_at_the_base_needs_no_probe),
	KTAP_TEST(finds_every_path),
	KTAP_TEST(single_losses_do_not_mislead),
	KTAP_TEST(poll_waits_for_the_answer),
	KTAP_TEST(acked_takes_any_try_of_this_size_only),
	KTAP_TEST(search_is_repeated),
	KTAP_TEST(repeated_search_never_shrinks),
	KTAP_TEST(blackhole_falls_and_searches),
	KTAP_TEST(blackhole_at_the_base_lets_the_search_go_on),
	KTAP_TEST(answer_from_before_a_blackhole_counts_for_nothing),
	KTAP_TEST(cell_is_valid_and_fits),
	KTAP_TEST(cell_is_of_whole_blocks_with_keys),
	KTAP_TEST(unit_fits_one_super_packet),
};

int main(int argc, char **argv)
{
	return KTAP_MAIN(tests, argc, argv);
}
