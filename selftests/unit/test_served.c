// SPDX-License-Identifier: GPL-2.0
/*
 * kmod/core/served.c, function by function.
 */
#include "core/served.h"
#include "lib/ktap.h"

#define NSLOTS	4
#define CELL	8920

static struct ebpfs_served_slot slots[NSLOTS];
static struct ebpfs_served served;

static void fresh(u32 first_instance)
{
	memset(slots, 0xff, sizeof(slots));
	ebpfs_served_init(&served, slots, NSLOTS, first_instance);
}

static struct ebpfs_call_info call(u16 slot, u64 seq)
{
	struct ebpfs_call_info c = {
		.id = EBPFS_ID(slot, seq),
		.want = ~0ull,
		.op = EBPFS_OP_READ,
		.cell = CELL,
	};

	return c;
}

static enum ebpfs_serve serve(struct ebpfs_call_info c, u64 *send)
{
	*send = 0x5a5a;
	return ebpfs_served_call(&served, &c, send);
}

static void new_call_is_executed(void)
{
	u64 send;

	fresh(7);
	EXPECT_EQ(serve(call(2, 1), &send), EBPFS_SERVE_EXECUTE);
	EXPECT_EQ(slots[2].seq, 1);
	EXPECT_EQ(slots[2].state, EBPFS_SERVED_RUNNING);
	/* Sequences may leap: what the client gave up never came. */
	EXPECT_EQ(serve(call(2, 100), &send), EBPFS_SERVE_EXECUTE);
	EXPECT_EQ(serve(call(3, 1ull << 47), &send), EBPFS_SERVE_EXECUTE);
}

static void bad_slot(void)
{
	u64 send;

	fresh(7);
	EXPECT_EQ(serve(call(NSLOTS, 1), &send), EBPFS_SERVE_BAD_SLOT);
	EXPECT_EQ(send, 0);
	EXPECT_EQ(serve(call(0xffff, 1), &send), EBPFS_SERVE_BAD_SLOT);
	EXPECT(!ebpfs_served_done(&served, EBPFS_ID(NSLOTS, 1), 0, 0, 1, &send));
}

static void lower_sequence_is_stale(void)
{
	u64 send;

	fresh(7);
	serve(call(0, 5), &send);
	EXPECT_EQ(serve(call(0, 4), &send), EBPFS_SERVE_STALE);
	EXPECT_EQ(send, 0);
	EXPECT(ebpfs_served_done(&served, EBPFS_ID(0, 5), 0, 0, 10, &send));
	EXPECT_EQ(serve(call(0, 4), &send), EBPFS_SERVE_STALE);
	EXPECT_EQ(slots[0].seq, 5);
	EXPECT_EQ(serve(call(1, 0), &send), EBPFS_SERVE_STALE);
}

static void repetition_while_running_is_ignored(void)
{
	struct ebpfs_call_info c = call(0, 1);
	struct ebpfs_frag f;
	u64 send;

	fresh(7);
	serve(c, &send);
	c.attempt = 1;
	EXPECT_EQ(serve(c, &send), EBPFS_SERVE_IGNORE);
	EXPECT_EQ(send, 0);
	/* The reply owes nothing to the repetition, and says so. */
	EXPECT(ebpfs_served_done(&served, c.id, 0, 0, 100, &send));
	ebpfs_served_frag(&served, 0, 0, &f);
	EXPECT_EQ(f.attempt, 0);
}

static void done_gives_all_cells_and_an_instance(void)
{
	u64 send;

	fresh(7);
	serve(call(0, 1), &send);
	EXPECT(ebpfs_served_done(&served, EBPFS_ID(0, 1), 0, EBPFS_REPLY_EOF, 65536, &send));
	EXPECT_EQ(send, 0xff);
	EXPECT_EQ(slots[0].instance, 8);
	EXPECT_EQ(slots[0].state, EBPFS_SERVED_DONE);
	/* Ends once. */
	EXPECT(!ebpfs_served_done(&served, EBPFS_ID(0, 1), 0, 0, 1, &send));
	EXPECT_EQ(send, 0);
	EXPECT_EQ(slots[0].total, 65536);

	serve(call(1, 1), &send);
	EXPECT(ebpfs_served_done(&served, EBPFS_ID(1, 1), ENOENT, 0, 0, &send));
	EXPECT_EQ(send, 1);
	EXPECT_EQ(slots[1].instance, 9);
}

static void done_of_a_given_up_call_is_refused(void)
{
	u64 send;

	fresh(7);
	serve(call(0, 1), &send);
	serve(call(0, 2), &send);
	EXPECT(!ebpfs_served_done(&served, EBPFS_ID(0, 1), 0, 0, 50, &send));
	EXPECT_EQ(slots[0].state, EBPFS_SERVED_RUNNING);
	EXPECT(!ebpfs_served_done(&served, EBPFS_ID(0, 3), 0, 0, 50, &send));
	EXPECT(ebpfs_served_done(&served, EBPFS_ID(0, 2), 0, 0, 60, &send));
	EXPECT_EQ(slots[0].total, 60);
	/* None has run in this slot. */
	EXPECT(!ebpfs_served_done(&served, EBPFS_ID(1, 0), 0, 0, 50, &send));
}

static void instances_skip_zero(void)
{
	u64 send;

	fresh(~0u - 1);
	serve(call(0, 1), &send);
	ebpfs_served_done(&served, EBPFS_ID(0, 1), 0, 0, 1, &send);
	EXPECT_EQ(slots[0].instance, ~0u);
	serve(call(0, 2), &send);
	ebpfs_served_done(&served, EBPFS_ID(0, 2), 0, 0, 1, &send);
	EXPECT_EQ(slots[0].instance, 1);
}

static void an_instance_for_another(void)
{
	u64 send;
	u32 lent;

	fresh(~0u - 2);
	serve(call(0, 1), &send);
	ebpfs_served_done(&served, EBPFS_ID(0, 1), 0, 0, 1, &send);
	lent = ebpfs_served_instance(&served);
	EXPECT(lent != slots[0].instance);
	EXPECT_EQ(lent, ~0u);
	serve(call(0, 2), &send);
	ebpfs_served_done(&served, EBPFS_ID(0, 2), 0, 0, 1, &send);
	EXPECT_EQ(slots[0].instance, 1);
	/* A reply that is only cut anew does not get it, either. */
	lent = ebpfs_served_instance(&served);
	EXPECT_EQ(serve((struct ebpfs_call_info){ .id = EBPFS_ID(0, 2), .want = ~0ull,
						  .op = EBPFS_OP_READ, .attempt = 1,
						  .cell = CELL / 2 }, &send), EBPFS_SERVE_RESEND);
	EXPECT_EQ(lent, 2);
	EXPECT_EQ(slots[0].instance, 3);
}

static void repetition_sends_missing_cells(void)
{
	struct ebpfs_call_info c = call(0, 1);
	struct ebpfs_frag f;
	u64 send;

	fresh(7);
	serve(c, &send);
	ebpfs_served_done(&served, c.id, 0, 0, 65536, &send);

	c.attempt = 1;
	EXPECT_EQ(serve(c, &send), EBPFS_SERVE_RESEND);
	EXPECT_EQ(send, 0xff);

	c.attempt = 2;
	c.instance = 8;
	c.want = ~0ull & ~0x0full;
	EXPECT_EQ(serve(c, &send), EBPFS_SERVE_RESEND);
	EXPECT_EQ(send, 0xf0);
	ebpfs_served_frag(&served, 0, 4, &f);
	EXPECT_EQ(f.attempt, 2);
	EXPECT_EQ(f.instance, 8);

	/* The set speaks of another execution. */
	c.instance = 6;
	c.want = 1;
	EXPECT_EQ(serve(c, &send), EBPFS_SERVE_RESEND);
	EXPECT_EQ(send, 0xff);
}

static void another_cell_is_another_instance(void)
{
	struct ebpfs_call_info c = call(0, 1);
	struct ebpfs_frag f;
	u64 send;

	fresh(7);
	serve(c, &send);
	ebpfs_served_done(&served, c.id, 0, EBPFS_REPLY_EOF, 65536, &send);
	c.instance = 8;
	c.want = 1;
	c.cell = 1152;
	c.attempt = 3;
	EXPECT_EQ(serve(c, &send), EBPFS_SERVE_RESEND);
	EXPECT_EQ(send, (1ull << 57) - 1);
	ebpfs_served_frag(&served, 0, 56, &f);
	EXPECT_EQ(f.instance, 9);
	EXPECT_EQ(f.cell, 1152);
	EXPECT_EQ(f.offset, 56 * 1152);
	EXPECT_EQ(f.len, 65536 - 56 * 1152);
	EXPECT_EQ(f.flags, EBPFS_REPLY_EOF);
	/* From now on the grid is the new one. */
	c.instance = 9;
	c.want = 3;
	EXPECT_EQ(serve(c, &send), EBPFS_SERVE_RESEND);
	EXPECT_EQ(send, 3);
	EXPECT_EQ(slots[0].instance, 9);
}

static void forgotten_is_executed_again(void)
{
	struct ebpfs_call_info c = call(0, 1);
	u64 send;

	fresh(7);
	serve(c, &send);
	/* What is running cannot be forgotten. */
	ebpfs_served_forget(&served, 0);
	EXPECT_EQ(slots[0].state, EBPFS_SERVED_RUNNING);
	ebpfs_served_done(&served, c.id, 0, 0, 65536, &send);
	ebpfs_served_forget(&served, 0);
	ebpfs_served_forget(&served, NSLOTS);
	EXPECT_EQ(slots[0].state, EBPFS_SERVED_NONE);
	EXPECT_EQ(serve(call(0, 0), &send), EBPFS_SERVE_STALE);

	c.attempt = 4;
	c.instance = 8;
	c.want = 2;
	EXPECT_EQ(serve(c, &send), EBPFS_SERVE_EXECUTE);
	EXPECT(ebpfs_served_done(&served, c.id, 0, 0, 65536, &send));
	/* It may have come out differently: all of it, under a new number. */
	EXPECT_EQ(send, 0xff);
	EXPECT_EQ(slots[0].instance, 9);
	EXPECT_EQ(slots[0].attempt, 4);
}

static void frag_describes_each_cell(void)
{
	static const u32 totals[] = { 0, 1, CELL - 1, CELL, CELL + 1, 65535, 65536 };
	struct ebpfs_call_info c = call(3, 0x123456789abull);
	u8 datagram[sizeof(struct ebpfs_reply) + CELL];
	struct ebpfs_frag f, g;
	u64 send, left, bytes;
	unsigned int i;

	fresh(7);
	for (i = 0; i < ARRAY_SIZE(totals); i++) {
		c.id += 1ull << 16;
		c.attempt = i;
		EXPECT_EQ(serve(c, &send), EBPFS_SERVE_EXECUTE);
		EXPECT(ebpfs_served_done(&served, c.id, totals[i] ? 0 : ESTALE, 0, totals[i],
					 &send));
		bytes = 0;
		for (left = send; left; left &= left - 1) {
			memset(&f, 0xff, sizeof(f));
			ebpfs_served_frag(&served, 3, __ffs64(left), &f);
			f.session = 99;
			/* What a client makes of it, by way of the wire. */
			memset(datagram, 0, sizeof(datagram));
			EXPECT_EQ(ebpfs_put_reply(datagram, &f), sizeof(struct ebpfs_reply));
			memset(&g, 0, sizeof(g));
			ASSERT_EQ(ebpfs_parse_reply(datagram, sizeof(struct ebpfs_reply) + f.len,
						    &g), 0);
			EXPECT_EQ(g.session, 99);
			EXPECT_EQ(g.id, c.id);
			EXPECT_EQ(g.instance, 8 + i);
			EXPECT_EQ(g.total, totals[i]);
			EXPECT_EQ(g.status, totals[i] ? 0 : ESTALE);
			EXPECT_EQ(g.attempt, i);
			EXPECT_EQ(g.index, __ffs64(left));
			EXPECT_EQ(g.offset, bytes);
			EXPECT_EQ(g.ncells, f.ncells);
			EXPECT_EQ(f.crc, 0);
			EXPECT(!f.ce);
			bytes += g.len;
		}
		EXPECT_EQ(bytes, totals[i]);
	}
}

static const struct ktap_test tests[] = {
	KTAP_TEST(new_call_is_executed),
	KTAP_TEST(bad_slot),
	KTAP_TEST(lower_sequence_is_stale),
	KTAP_TEST(repetition_while_running_is_ignored),
	KTAP_TEST(done_gives_all_cells_and_an_instance),
	KTAP_TEST(done_of_a_given_up_call_is_refused),
	KTAP_TEST(instances_skip_zero),
	KTAP_TEST(an_instance_for_another),
	KTAP_TEST(repetition_sends_missing_cells),
	KTAP_TEST(another_cell_is_another_instance),
	KTAP_TEST(forgotten_is_executed_again),
	KTAP_TEST(frag_describes_each_cell),
};

int main(int argc, char **argv)
{
	return KTAP_MAIN(tests, argc, argv);
}
