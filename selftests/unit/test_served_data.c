// SPDX-License-Identifier: GPL-2.0
/*
 * kmod/core/served.c: calls whose data come apart. What becomes of a call and of
 * the fragments of its data, in every order.
 */
#include "core/served.h"
#include "lib/ktap.h"

#define NSLOTS	4
#define CELL	8920
#define SMALL	1152

static struct ebpfs_served_slot slots[NSLOTS];
static struct ebpfs_served served;

static void fresh(void)
{
	memset(slots, 0xff, sizeof(slots));
	ebpfs_served_init(&served, slots, NSLOTS, 7);
}

/* What the server does with a call of @total bytes of data; *send is in @asked. */
static u64 asked;

static enum ebpfs_serve call_in(u16 slot, u64 seq, u8 attempt, u32 total)
{
	struct ebpfs_call_info c = {
		.id = EBPFS_ID(slot, seq), .want = ~0ull, .op = EBPFS_OP_WRITE, .cell = CELL,
		.attempt = attempt, .apart = total, .data_len = total,
	};

	asked = 0x5a5a;
	return ebpfs_served_call(&served, &c, &asked);
}

static enum ebpfs_serve call(u64 seq, u8 attempt, u32 total)
{
	return call_in(0, seq, attempt, total);
}

static enum ebpfs_take data_in(u16 slot, u64 seq, u8 attempt, u32 total, u16 cell, u8 index)
{
	struct ebpfs_frag f = {
		.id = EBPFS_ID(slot, seq), .total = total, .cell = cell, .index = index,
		.offset = (u32)index * cell, .ncells = ebpfs_ncells(total, cell),
		.attempt = attempt,
	};
	u32 left = total - f.offset;

	f.len = left < cell ? left : cell;
	return ebpfs_served_data(&served, &f);
}

static enum ebpfs_take data(u64 seq, u8 attempt, u32 total, u16 cell, u8 index)
{
	return data_in(0, seq, attempt, total, cell, index);
}

/* The execution ends. */
static void done(u64 seq)
{
	u64 send;

	EXPECT(ebpfs_served_done(&served, EBPFS_ID(0, seq), 0, 0, 136, &send));
	EXPECT_EQ(send, 1);
}

static void call_first(void)
{
	fresh();
	EXPECT_EQ(call(1, 0, 3 * CELL), EBPFS_SERVE_GATHER);
	/* The data of a first attempt are on their way. */
	EXPECT_EQ(asked, 0);
	EXPECT_EQ(slots[0].state, EBPFS_SERVED_GATHERING);
	EXPECT_EQ(ebpfs_served_missing(&slots[0]), ~0ull);
	EXPECT_EQ(data(1, 0, 3 * CELL, CELL, 1), EBPFS_TAKE_MORE);
	EXPECT_EQ(ebpfs_served_missing(&slots[0]), 0x5);
	EXPECT_EQ(data(1, 0, 3 * CELL, CELL, 0), EBPFS_TAKE_MORE);
	EXPECT_EQ(ebpfs_served_missing(&slots[0]), 0x4);
	EXPECT_EQ(data(1, 0, 3 * CELL, CELL, 2), EBPFS_TAKE_READY);
	EXPECT_EQ(slots[0].state, EBPFS_SERVED_RUNNING);
	done(1);
	EXPECT_EQ(slots[0].state, EBPFS_SERVED_DONE);
}

static void data_first(void)
{
	fresh();
	EXPECT_EQ(data(1, 0, 2 * CELL, CELL, 1), EBPFS_TAKE_MORE);
	EXPECT_EQ(slots[0].state, EBPFS_SERVED_EARLY);
	/* All of them are there, but nobody knows what for. */
	EXPECT_EQ(data(1, 0, 2 * CELL, CELL, 0), EBPFS_TAKE_MORE);
	EXPECT_EQ(slots[0].state, EBPFS_SERVED_EARLY);
	EXPECT_EQ(data(1, 0, 2 * CELL, CELL, 0), EBPFS_TAKE_DUPLICATE);
	EXPECT_EQ(call(1, 0, 2 * CELL), EBPFS_SERVE_EXECUTE);
	EXPECT_EQ(asked, 0);
	EXPECT_EQ(slots[0].state, EBPFS_SERVED_RUNNING);
	done(1);
}

static void call_between_its_data(void)
{
	fresh();
	EXPECT_EQ(data(1, 0, 2 * CELL + 1, CELL, 2), EBPFS_TAKE_MORE);
	EXPECT_EQ(call(1, 0, 2 * CELL + 1), EBPFS_SERVE_GATHER);
	EXPECT_EQ(asked, 0);
	EXPECT_EQ(slots[0].state, EBPFS_SERVED_GATHERING);
	EXPECT_EQ(ebpfs_served_missing(&slots[0]), 0x3);
	EXPECT_EQ(data(1, 0, 2 * CELL + 1, CELL, 1), EBPFS_TAKE_MORE);
	EXPECT_EQ(data(1, 0, 2 * CELL + 1, CELL, 0), EBPFS_TAKE_READY);
	done(1);
}

/* Every order in which a call and three fragments can come. */
static void every_order(void)
{
	u32 order, what, executed, i;

	for (order = 0; order < 256; order++) {
		u32 set = 0;

		for (i = 0; i < 4; i++)
			set |= 1u << (order >> 2 * i & 3);
		if (set != 0xf)
			continue;
		fresh();
		executed = 0;
		for (i = 0; i < 4; i++) {
			what = order >> 2 * i & 3;
			if (what == 3)
				executed += call(1, 0, 3 * CELL) == EBPFS_SERVE_EXECUTE;
			else
				executed += data(1, 0, 3 * CELL, CELL, what) == EBPFS_TAKE_READY;
			EXPECT_EQ(executed, i == 3);
		}
	}
}

static void executed_once(void)
{
	u8 i;

	fresh();
	call(1, 0, 2 * CELL);
	data(1, 0, 2 * CELL, CELL, 0);
	EXPECT_EQ(data(1, 0, 2 * CELL, CELL, 1), EBPFS_TAKE_READY);
	/* While it is executed, and afterwards, in this attempt and in others. */
	for (i = 0; i < 2; i++) {
		EXPECT_EQ(data(1, i, 2 * CELL, CELL, 0), EBPFS_TAKE_DUPLICATE);
		EXPECT_EQ(data(1, i, 2 * CELL, CELL, 1), EBPFS_TAKE_DUPLICATE);
		EXPECT_EQ(data(1, i, 2 * CELL, SMALL, 1), EBPFS_TAKE_DUPLICATE);
		EXPECT_EQ(call(1, i, 2 * CELL), EBPFS_SERVE_IGNORE);
		EXPECT_EQ(asked, 0);
	}
	done(1);
	for (i = 0; i < 2; i++) {
		EXPECT_EQ(data(1, i, 2 * CELL, CELL, 0), EBPFS_TAKE_DUPLICATE);
		EXPECT_EQ(call(1, i, 2 * CELL), EBPFS_SERVE_RESEND);
		EXPECT_EQ(asked, 1);
		EXPECT_EQ(data(1, i, 2 * CELL, CELL, 1), EBPFS_TAKE_DUPLICATE);
	}
}

static void duplicates(void)
{
	fresh();
	EXPECT_EQ(data(1, 0, 3 * CELL, CELL, 2), EBPFS_TAKE_MORE);
	EXPECT_EQ(data(1, 0, 3 * CELL, CELL, 2), EBPFS_TAKE_DUPLICATE);
	call(1, 0, 3 * CELL);
	EXPECT_EQ(data(1, 0, 3 * CELL, CELL, 2), EBPFS_TAKE_DUPLICATE);
	EXPECT_EQ(data(1, 1, 3 * CELL, CELL, 2), EBPFS_TAKE_DUPLICATE);
	EXPECT_EQ(data(1, 1, 3 * CELL, CELL, 1), EBPFS_TAKE_MORE);
	/* Late ones of the first attempt are as good: the cut is the same. */
	EXPECT_EQ(data(1, 0, 3 * CELL, CELL, 1), EBPFS_TAKE_DUPLICATE);
	EXPECT_EQ(data(1, 0, 3 * CELL, CELL, 0), EBPFS_TAKE_READY);
}

static void repetition_is_told_what_lacks(void)
{
	fresh();
	EXPECT_EQ(call(1, 0, 3 * CELL), EBPFS_SERVE_GATHER);
	EXPECT_EQ(asked, 0);
	/* The network's repetition of the first attempt asks for nothing, too. */
	EXPECT_EQ(call(1, 0, 3 * CELL), EBPFS_SERVE_GATHER);
	EXPECT_EQ(asked, 0);
	/* Nothing has come: it is not known how many there are. */
	EXPECT_EQ(call(1, 1, 3 * CELL), EBPFS_SERVE_GATHER);
	EXPECT_EQ(asked, ~0ull);
	EXPECT_EQ(slots[0].data_cell, 0);
	data(1, 1, 3 * CELL, CELL, 1);
	EXPECT_EQ(call(1, 2, 3 * CELL), EBPFS_SERVE_GATHER);
	EXPECT_EQ(asked, 0x5);
	EXPECT_EQ(slots[0].data_cell, CELL);
	EXPECT_EQ(slots[0].attempt, 2);
	data(1, 2, 3 * CELL, CELL, 0);
	EXPECT_EQ(call(1, 3, 3 * CELL), EBPFS_SERVE_GATHER);
	EXPECT_EQ(asked, 0x4);
	EXPECT_EQ(data(1, 3, 3 * CELL, CELL, 2), EBPFS_TAKE_READY);
	EXPECT_EQ(slots[0].attempt, 3);
	done(1);
}

/* What the network brings late does not speak for the call any more. */
static void late_attempt_of_the_call(void)
{
	struct ebpfs_call_info late = {
		.id = EBPFS_ID(0, 1), .want = ~0ull, .op = EBPFS_OP_WRITE, .cell = 1024,
		.apart = true, .data_len = 2 * CELL,
	};

	fresh();
	EXPECT_EQ(call(1, 2, 2 * CELL), EBPFS_SERVE_GATHER);
	EXPECT_EQ(asked, ~0ull);
	EXPECT_EQ(ebpfs_served_call(&served, &late, &asked), EBPFS_SERVE_GATHER);
	EXPECT_EQ(asked, 0);
	late.attempt = 1;
	EXPECT_EQ(ebpfs_served_call(&served, &late, &asked), EBPFS_SERVE_GATHER);
	EXPECT_EQ(asked, 0);
	EXPECT_EQ(data(1, 2, 2 * CELL, CELL, 0), EBPFS_TAKE_MORE);
	EXPECT_EQ(data(1, 2, 2 * CELL, CELL, 1), EBPFS_TAKE_READY);
	/* The reply is cut as asked last, and says which attempt it owes itself to. */
	EXPECT_EQ(slots[0].attempt, 2);
	EXPECT_EQ(slots[0].cell, CELL);
	done(1);
}

/* The first attempt was lost with some of its data. */
static void repetition_after_early_data(void)
{
	fresh();
	EXPECT_EQ(data(1, 0, 3 * CELL, CELL, 2), EBPFS_TAKE_MORE);
	EXPECT_EQ(call(1, 1, 3 * CELL), EBPFS_SERVE_GATHER);
	EXPECT_EQ(asked, 0x3);

	fresh();
	EXPECT_EQ(data(1, 0, CELL, CELL, 0), EBPFS_TAKE_MORE);
	EXPECT_EQ(call(1, 1, CELL), EBPFS_SERVE_EXECUTE);
	EXPECT_EQ(asked, 0);
	EXPECT_EQ(slots[0].attempt, 1);
}

static void cut_anew(void)
{
	fresh();
	call(1, 0, 3000);
	EXPECT_EQ(data(1, 0, 3000, 1024, 0), EBPFS_TAKE_MORE);
	EXPECT_EQ(data(1, 0, 3000, 1024, 1), EBPFS_TAKE_MORE);
	/* In the same attempt there is one cut. */
	EXPECT_EQ(data(1, 0, 3000, SMALL, 2), EBPFS_TAKE_STALE);
	EXPECT_EQ(slots[0].data_cell, 1024);
	EXPECT_EQ(ebpfs_served_missing(&slots[0]), 0x4);
	/* A later one has another: what is there is worth nothing. */
	EXPECT_EQ(data(1, 1, 3000, SMALL, 2), EBPFS_TAKE_MORE);
	EXPECT_EQ(slots[0].data_cell, SMALL);
	EXPECT_EQ(ebpfs_served_missing(&slots[0]), 0x3);
	EXPECT_EQ(data(1, 0, 3000, 1024, 2), EBPFS_TAKE_STALE);
	EXPECT_EQ(data(1, 1, 3000, 1024, 2), EBPFS_TAKE_STALE);
	EXPECT_EQ(data(1, 1, 3000, SMALL, 0), EBPFS_TAKE_MORE);
	EXPECT_EQ(call(1, 2, 3000), EBPFS_SERVE_GATHER);
	EXPECT_EQ(asked, 0x2);
	EXPECT_EQ(data(1, 2, 3000, SMALL, 1), EBPFS_TAKE_READY);
}

/* One fragment holds all that there is. */
static void cut_anew_into_one(void)
{
	fresh();
	call(1, 0, 3000);
	data(1, 0, 3000, 1024, 0);
	EXPECT_EQ(data(1, 1, 3000, CELL, 0), EBPFS_TAKE_READY);

	/* Before the call, too. */
	fresh();
	data(1, 0, 3000, 1024, 0);
	EXPECT_EQ(data(1, 1, 3000, CELL, 0), EBPFS_TAKE_MORE);
	EXPECT_EQ(call(1, 1, 3000), EBPFS_SERVE_EXECUTE);
}

/* The latest attempt counts, also when a fragment of it brought nothing new. */
static void attempts_of_data(void)
{
	fresh();
	call(1, 0, 3000);
	data(1, 1, 3000, 1024, 0);
	EXPECT_EQ(data(1, 3, 3000, 1024, 0), EBPFS_TAKE_DUPLICATE);
	EXPECT_EQ(data(1, 2, 3000, SMALL, 0), EBPFS_TAKE_STALE);
	EXPECT_EQ(data(1, 3, 3000, SMALL, 0), EBPFS_TAKE_STALE);
	EXPECT_EQ(data(1, 4, 3000, SMALL, 0), EBPFS_TAKE_MORE);
	/* At its end the count no longer tells attempts apart. */
	EXPECT_EQ(data(1, 255, 3000, 1024, 0), EBPFS_TAKE_MORE);
	EXPECT_EQ(data(1, 255, 3000, SMALL, 0), EBPFS_TAKE_MORE);
	EXPECT_EQ(data(1, 254, 3000, 1024, 1), EBPFS_TAKE_STALE);
	EXPECT_EQ(data(1, 255, 3000, SMALL, 1), EBPFS_TAKE_MORE);
	EXPECT_EQ(data(1, 255, 3000, SMALL, 2), EBPFS_TAKE_READY);
}

static void data_contradict_the_call(void)
{
	fresh();
	call(1, 0, 3000);
	EXPECT_EQ(data(1, 0, 3001, CELL, 0), EBPFS_TAKE_BAD);
	EXPECT_EQ(data(1, 1, 2999, CELL, 0), EBPFS_TAKE_BAD);
	EXPECT_EQ(ebpfs_served_missing(&slots[0]), ~0ull);
	EXPECT_EQ(data(1, 0, 3000, CELL, 0), EBPFS_TAKE_READY);
}

/* The call knows best. */
static void call_contradicts_the_data(void)
{
	fresh();
	EXPECT_EQ(data(1, 200, 9000, 1024, 0), EBPFS_TAKE_MORE);
	EXPECT_EQ(data(1, 0, 3000, CELL, 0), EBPFS_TAKE_BAD);
	EXPECT_EQ(call(1, 0, 3000), EBPFS_SERVE_GATHER);
	EXPECT_EQ(asked, 0);
	EXPECT_EQ(ebpfs_served_missing(&slots[0]), ~0ull);
	EXPECT_EQ(call(1, 1, 3000), EBPFS_SERVE_GATHER);
	EXPECT_EQ(asked, ~0ull);
	EXPECT_EQ(data(1, 200, 9000, 1024, 1), EBPFS_TAKE_BAD);
	/* No attempt of what was thrown away holds up the right ones. */
	EXPECT_EQ(data(1, 1, 3000, 1024, 0), EBPFS_TAKE_MORE);
	EXPECT_EQ(ebpfs_served_missing(&slots[0]), 0x6);

	/* Complete, but not what the call speaks of. */
	fresh();
	EXPECT_EQ(data(1, 0, 500, CELL, 0), EBPFS_TAKE_MORE);
	EXPECT_EQ(call(1, 0, 501), EBPFS_SERVE_GATHER);
	EXPECT_EQ(data(1, 0, 501, CELL, 0), EBPFS_TAKE_READY);
}

static u32 random_state = 1;

static u32 below(u32 n)
{
	random_state = random_state * 1103515245 + 12345;
	return (random_state >> 8) % n;
}

/* One at a time, and what is new in @fresh; the outcome is that of the last new one. */
static enum ebpfs_take one_by_one(struct ebpfs_served *s, struct ebpfs_frag f, u32 n, u64 *fresh)
{
	enum ebpfs_take what, all = EBPFS_TAKE_DUPLICATE;

	*fresh = 0;
	for (; n; n--, f.index++, f.offset += f.cell) {
		what = ebpfs_served_data(s, &f);
		if (what <= EBPFS_TAKE_READY)
			*fresh |= 1ull << f.index;
		if (what != EBPFS_TAKE_DUPLICATE)
			all = what;
	}
	return all;
}

/* Neighbours that come together do what each would have done by itself. */
static void runs(void)
{
	static const u16 cells[] = { 1024, SMALL, CELL };
	struct ebpfs_served_slot twin_slots[NSLOTS];
	struct ebpfs_served twin;
	u32 round, i, seen[EBPFS_TAKE_BAD + 1] = { 0 };

	for (round = 0; round < 20000; round++) {
		u32 total = 1 + below(EBPFS_MSG_MAX);

		fresh();
		memset(twin_slots, 0xff, sizeof(twin_slots));
		ebpfs_served_init(&twin, twin_slots, NSLOTS, 7);
		for (i = 0; i < 12; i++) {
			struct ebpfs_call_info c = {
				.id = EBPFS_ID(0, 1 + below(2)), .want = ~0ull,
				.op = EBPFS_OP_WRITE, .cell = CELL, .attempt = below(3),
				.apart = true, .data_len = total - !below(20),
			};
			struct ebpfs_frag f = {
				.id = EBPFS_ID(below(40) ? 0 : NSLOTS, 1 + !below(8)),
				.total = total, .cell = cells[below(3)], .attempt = below(3),
			};
			enum ebpfs_take what;
			u64 a, b;
			u32 n;

			if (!below(4)) {
				EXPECT_EQ(ebpfs_served_call(&served, &c, &a),
					  ebpfs_served_call(&twin, &c, &b));
				EXPECT_EQ(a, b);
				continue;
			}
			f.ncells = ebpfs_ncells(total, f.cell);
			if (below(2))
				f.index = below(f.ncells);
			f.offset = (u32)f.index * f.cell;
			n = below(2) ? 1 + below(f.ncells - f.index) :
					 (u32)(f.ncells - f.index);
			what = ebpfs_served_data_run(&served, &f, n, &a);
			EXPECT_EQ(what, one_by_one(&twin, f, n, &b));
			EXPECT_EQ(a, b);
			seen[what]++;
			ASSERT_MEM(slots, twin_slots, sizeof(slots));
		}
	}
	for (i = 0; i < ARRAY_SIZE(seen); i++)
		EXPECT(seen[i] > 1000);
}

static void stale(void)
{
	fresh();
	call(5, 0, 3000);
	EXPECT_EQ(data(4, 0, 3000, 1024, 0), EBPFS_TAKE_STALE);
	EXPECT_EQ(data(4, 255, 3000, CELL, 0), EBPFS_TAKE_STALE);
	EXPECT_EQ(call(4, 0, 3000), EBPFS_SERVE_STALE);
	EXPECT_EQ(ebpfs_served_missing(&slots[0]), ~0ull);
	data(5, 0, 3000, CELL, 0);
	done(5);
	EXPECT_EQ(data(4, 0, 3000, CELL, 0), EBPFS_TAKE_STALE);
	EXPECT_EQ(slots[0].state, EBPFS_SERVED_DONE);
	/* Early data of a call have gone on to it. */
	data(7, 0, 3000, 1024, 0);
	EXPECT_EQ(call(5, 1, 3000), EBPFS_SERVE_STALE);
	EXPECT_EQ(data(6, 0, 3000, 1024, 0), EBPFS_TAKE_STALE);
}

/* The client has given up what is in the slot: nothing of it is left. */
static void newer_call_replaces(void)
{
	u64 send;

	fresh();
	call(1, 0, 3000);
	data(1, 0, 3000, 1024, 0);
	data(1, 0, 3000, 1024, 1);
	/* A newer call while data are gathered. */
	EXPECT_EQ(call(2, 0, 3000), EBPFS_SERVE_GATHER);
	EXPECT_EQ(ebpfs_served_missing(&slots[0]), ~0ull);
	EXPECT_EQ(data(1, 0, 3000, 1024, 2), EBPFS_TAKE_STALE);
	EXPECT_EQ(data(2, 0, 3000, 1024, 2), EBPFS_TAKE_MORE);
	/* Data of a newer one. */
	EXPECT_EQ(data(3, 0, 2000, 1024, 0), EBPFS_TAKE_MORE);
	EXPECT_EQ(slots[0].state, EBPFS_SERVED_EARLY);
	EXPECT_EQ(ebpfs_served_missing(&slots[0]), 0x2);
	/* And a newer one again, while they are early. */
	EXPECT_EQ(data(4, 0, 2000, 1024, 1), EBPFS_TAKE_MORE);
	EXPECT_EQ(ebpfs_served_missing(&slots[0]), 0x1);
	EXPECT_EQ(call(3, 0, 2000), EBPFS_SERVE_STALE);
	EXPECT_EQ(call(4, 0, 2000), EBPFS_SERVE_GATHER);
	EXPECT_EQ(data(4, 0, 2000, 1024, 0), EBPFS_TAKE_READY);
	/* While that one is executed the next begins: its end is refused. */
	EXPECT_EQ(data(5, 0, 100, 1024, 0), EBPFS_TAKE_MORE);
	EXPECT(!ebpfs_served_done(&served, EBPFS_ID(0, 4), 0, 0, 10, &send));
	EXPECT(!ebpfs_served_done(&served, EBPFS_ID(0, 5), 0, 0, 10, &send));
	EXPECT_EQ(call(5, 0, 100), EBPFS_SERVE_EXECUTE);
	done(5);
	/* A call without data. */
	data(6, 0, 3000, 1024, 0);
	EXPECT_EQ(call(7, 0, 0), EBPFS_SERVE_EXECUTE);
	EXPECT_EQ(data(7, 0, 3000, 1024, 0), EBPFS_TAKE_DUPLICATE);
}

/* A client may come to think that its data fit the call. */
static void repetition_brings_the_data(void)
{
	fresh();
	call(1, 0, 3000);
	data(1, 0, 3000, 1024, 0);
	EXPECT_EQ(call(1, 1, 0), EBPFS_SERVE_EXECUTE);
	EXPECT_EQ(data(1, 0, 3000, 1024, 1), EBPFS_TAKE_DUPLICATE);
	done(1);

	data(2, 0, 3000, 1024, 0);
	EXPECT_EQ(call(2, 1, 0), EBPFS_SERVE_EXECUTE);
	done(2);
}

static void forgotten_reply_needs_the_data_again(void)
{
	fresh();
	call(1, 0, 2 * CELL);
	data(1, 0, 2 * CELL, CELL, 0);
	EXPECT_EQ(data(1, 0, 2 * CELL, CELL, 1), EBPFS_TAKE_READY);
	done(1);
	ebpfs_served_forget(&served, 0);
	/* Late data alone bring nothing back. */
	EXPECT_EQ(data(1, 0, 2 * CELL, CELL, 0), EBPFS_TAKE_DUPLICATE);
	EXPECT_EQ(slots[0].state, EBPFS_SERVED_NONE);
	EXPECT_EQ(call(1, 1, 2 * CELL), EBPFS_SERVE_GATHER);
	EXPECT_EQ(asked, ~0ull);
	EXPECT_EQ(slots[0].data_cell, 0);
	/* By whatever cut and attempt. */
	EXPECT_EQ(data(1, 1, 2 * CELL, 9000, 0), EBPFS_TAKE_MORE);
	EXPECT_EQ(data(1, 1, 2 * CELL, 9000, 1), EBPFS_TAKE_READY);
	done(1);
	EXPECT_EQ(slots[0].attempt, 1);
}

static void dropped_data_are_asked_for_again(void)
{
	fresh();
	call(1, 0, 3000);
	data(1, 1, 3000, 1024, 0);
	data(1, 1, 3000, 1024, 1);
	ebpfs_served_forget_data(&served, 0);
	EXPECT_EQ(ebpfs_served_missing(&slots[0]), ~0ull);
	EXPECT_EQ(slots[0].state, EBPFS_SERVED_GATHERING);
	EXPECT_EQ(data(1, 0, 3000, 1024, 2), EBPFS_TAKE_MORE);
	EXPECT_EQ(call(1, 2, 3000), EBPFS_SERVE_GATHER);
	EXPECT_EQ(asked, 0x3);

	/* Early ones. */
	fresh();
	data(1, 0, 3000, CELL, 0);
	ebpfs_served_forget_data(&served, 0);
	EXPECT_EQ(call(1, 0, 3000), EBPFS_SERVE_GATHER);
	EXPECT_EQ(data(1, 0, 3000, CELL, 0), EBPFS_TAKE_READY);
	/* Of what is executed nothing is to be had any more. */
	ebpfs_served_forget_data(&served, 0);
	EXPECT_EQ(slots[0].state, EBPFS_SERVED_RUNNING);
	done(1);
	ebpfs_served_forget_data(&served, 0);
	EXPECT_EQ(slots[0].state, EBPFS_SERVED_DONE);
	ebpfs_served_forget_data(&served, NSLOTS);
	/* What is gathered is no reply that may be forgotten. */
	call(2, 0, 3000);
	ebpfs_served_forget(&served, 0);
	EXPECT_EQ(slots[0].state, EBPFS_SERVED_GATHERING);
}

static void sixty_four_cells(void)
{
	u8 i;

	fresh();
	call(1, 0, EBPFS_MSG_MAX);
	for (i = 63; i; i--)
		EXPECT_EQ(data(1, 0, EBPFS_MSG_MAX, 1024, i), EBPFS_TAKE_MORE);
	EXPECT_EQ(call(1, 1, EBPFS_MSG_MAX), EBPFS_SERVE_GATHER);
	EXPECT_EQ(asked, 1);
	EXPECT_EQ(data(1, 0, EBPFS_MSG_MAX, 1024, 63), EBPFS_TAKE_DUPLICATE);
	EXPECT_EQ(data(1, 0, EBPFS_MSG_MAX, 1024, 0), EBPFS_TAKE_READY);

	/* The last of them alone. */
	call(2, 0, EBPFS_MSG_MAX);
	EXPECT_EQ(data(2, 0, EBPFS_MSG_MAX, 1024, 63), EBPFS_TAKE_MORE);
	EXPECT_EQ(ebpfs_served_missing(&slots[0]), ~0ull >> 1);
	/* The largest cell. */
	EXPECT_EQ(data(2, 1, EBPFS_MSG_MAX, EBPFS_CELL_MAX, 1), EBPFS_TAKE_MORE);
	EXPECT_EQ(data(2, 1, EBPFS_MSG_MAX, EBPFS_CELL_MAX, 0), EBPFS_TAKE_READY);
}

static void slot_out_of_range(void)
{
	fresh();
	EXPECT_EQ(data_in(NSLOTS, 1, 0, 100, CELL, 0), EBPFS_TAKE_BAD);
	EXPECT_EQ(data_in(0xffff, 1, 0, 100, CELL, 0), EBPFS_TAKE_BAD);
	EXPECT_EQ(call_in(NSLOTS, 1, 1, 100), EBPFS_SERVE_BAD_SLOT);
	EXPECT_EQ(asked, 0);
	/* And the last that there is; slots do not meet. */
	EXPECT_EQ(data_in(NSLOTS - 1, 1, 0, 2000, 1024, 0), EBPFS_TAKE_MORE);
	EXPECT_EQ(data_in(0, 1, 0, 2000, 1024, 1), EBPFS_TAKE_MORE);
	EXPECT_EQ(call_in(NSLOTS - 1, 1, 1, 2000), EBPFS_SERVE_GATHER);
	EXPECT_EQ(asked, 0x2);
	EXPECT_EQ(call_in(0, 1, 1, 2000), EBPFS_SERVE_GATHER);
	EXPECT_EQ(asked, 0x1);
}

static const struct ktap_test tests[] = {
	KTAP_TEST(call_first),
	KTAP_TEST(data_first),
	KTAP_TEST(call_between_its_data),
	KTAP_TEST(every_order),
	KTAP_TEST(executed_once),
	KTAP_TEST(duplicates),
	KTAP_TEST(repetition_is_told_what_lacks),
	KTAP_TEST(late_attempt_of_the_call),
	KTAP_TEST(repetition_after_early_data),
	KTAP_TEST(cut_anew),
	KTAP_TEST(cut_anew_into_one),
	KTAP_TEST(attempts_of_data),
	KTAP_TEST(data_contradict_the_call),
	KTAP_TEST(call_contradicts_the_data),
	KTAP_TEST(runs),
	KTAP_TEST(stale),
	KTAP_TEST(newer_call_replaces),
	KTAP_TEST(repetition_brings_the_data),
	KTAP_TEST(forgotten_reply_needs_the_data_again),
	KTAP_TEST(dropped_data_are_asked_for_again),
	KTAP_TEST(sixty_four_cells),
	KTAP_TEST(slot_out_of_range),
};

int main(int argc, char **argv)
{
	return KTAP_MAIN(tests, argc, argv);
}
