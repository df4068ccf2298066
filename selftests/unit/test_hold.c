// SPDX-License-Identifier: GPL-2.0
/*
 * kmod/core/hold.c, function by function; and at random, against the rule that
 * everything is for: nobody changes a file on which another has a lease that it was not
 * asked to give back.
 */
#include <stdlib.h>

#include "core/hold.h"
#include "lib/ktap.h"

#define MS	EBPFS_NSEC_PER_MSEC
#define OPEN	EBPFS_HOLD_OPEN
#define LEASE	EBPFS_HOLD_LEASE
#define FENCE	(5 * EBPFS_NSEC_PER_SEC)
#define HOLDERS	4

static struct ebpfs_holds *h;
static struct ebpfs_holder a, b, c, others[HOLDERS];
static u64 now, next, made;	/* the last: by take() */
static struct ebpfs_hold_recall r;

static void fresh(u32 max, u32 max_one)
{
	if (h) {
		free(h->memory);
		free(h->files);
		free(h->buckets);
		free(h);
	}
	h = calloc(1, sizeof(*h));
	h->max = max;
	h->max_one = max_one;
	h->memory = calloc(max, sizeof(*h->memory));
	h->files = calloc(max, sizeof(*h->files));
	h->mask = 7;
	h->buckets = calloc(8, sizeof(*h->buckets));
	h->fence = FENCE;
	h->seed = 0x123456789abcdefull;
	ebpfs_holds_init(h);
	memset(&a, 0, sizeof(a));
	memset(&b, 0, sizeof(b));
	memset(&c, 0, sizeof(c));
	memset(others, 0, sizeof(others));
	now = 1000 * EBPFS_NSEC_PER_SEC;
}

static struct ebpfs_hold_key key(unsigned int n)
{
	struct ebpfs_hold_key k;

	ebpfs_hold_key_set(h, &k, &n, sizeof(n));
	return k;
}

static u32 take(struct ebpfs_holder *who, unsigned int n, u64 number, u32 kinds)
{
	struct ebpfs_hold_key k = key(n);

	made = 0;
	return ebpfs_hold_take(h, who, &k, number, kinds, now, &made);
}

static bool give_back(struct ebpfs_holder *who, unsigned int n, u64 by)
{
	struct ebpfs_hold_key k = key(n);

	return ebpfs_hold_give_back(h, who, &k, by);
}

static bool release(struct ebpfs_holder *who, unsigned int n, u64 number)
{
	struct ebpfs_hold_key k = key(n);

	return ebpfs_hold_release(h, who, &k, number);
}

static bool begin(struct ebpfs_change *ch, struct ebpfs_holder *who, unsigned int n, bool wait)
{
	struct ebpfs_hold_key k = key(n);

	return ebpfs_change_begin(h, ch, who, &k, 1, wait, now);
}

static u32 opens(unsigned int n)
{
	struct ebpfs_hold_key k = key(n);

	return ebpfs_hold_opens(h, &k);
}

static bool in_change(unsigned int n)
{
	struct ebpfs_hold_key k = key(n);

	return ebpfs_hold_in_change(h, &k);
}

static enum ebpfs_hold_due due(void)
{
	return ebpfs_hold_due(h, now, &r, &next);
}

static void keys_differ(void)
{
	struct ebpfs_hold_key x, y;
	u64 seed;

	fresh(8, 8);
	ebpfs_hold_key_set(h, &x, "abcdefghi", 9);
	ebpfs_hold_key_set(h, &y, "abcdefghj", 9);
	EXPECT(x.hash != y.hash);
	ebpfs_hold_key_set(h, &y, "abcdefgh", 8);
	EXPECT(x.hash != y.hash);
	ebpfs_hold_key_set(h, &y, "abcdefghi\0", 10);
	EXPECT(x.hash != y.hash);
	seed = h->seed;
	h->seed++;
	ebpfs_hold_key_set(h, &y, "abcdefghi", 9);
	EXPECT(x.hash != y.hash);
	h->seed = seed;
	ebpfs_hold_key_set(h, &y, "abcdefghi", 9);
	EXPECT_EQ(x.hash, y.hash);
}

static void open_and_release(void)
{
	fresh(8, 8);
	EXPECT_EQ(take(&a, 1, 10, OPEN), OPEN);
	EXPECT_EQ(opens(1), 1);
	EXPECT_EQ(opens(2), 0);
	/* The same file, another holder. */
	EXPECT_EQ(take(&b, 1, 3, OPEN), OPEN);
	EXPECT_EQ(opens(1), 2);
	/* Again, with a higher number; then the lower one does not let go of it. */
	EXPECT_EQ(take(&a, 1, 12, OPEN), OPEN);
	EXPECT_EQ(opens(1), 2);
	EXPECT(!release(&a, 1, 10));
	EXPECT_EQ(opens(1), 2);
	/* Of a lower number it is true that the file is open. */
	EXPECT_EQ(take(&a, 1, 11, OPEN), OPEN);
	EXPECT(!release(&a, 1, 11));
	EXPECT(!release(&a, 1, 12));
	EXPECT_EQ(opens(1), 1);
	EXPECT(release(&b, 1, 3));
	EXPECT_EQ(opens(1), 0);
	EXPECT(!release(&b, 1, 3));
	EXPECT_EQ(h->count, 0);
	EXPECT_EQ(a.count, 0);
	EXPECT_EQ(take(&a, 1, 0, 0), 0);
	EXPECT_EQ(h->count, 0);
}

/* What asks for a number that was released already comes late. */
static void release_before_take(void)
{
	fresh(8, 8);
	EXPECT(!release(&a, 1, 10));
	EXPECT_EQ(take(&a, 1, 9, OPEN | LEASE), 0);
	EXPECT_EQ(take(&a, 1, 10, OPEN | LEASE), 0);
	EXPECT_EQ(h->count, 0);
	/* Not of another file, nor for another. */
	EXPECT_EQ(take(&a, 2, 10, OPEN), OPEN);
	EXPECT_EQ(take(&b, 1, 10, OPEN), OPEN);
	EXPECT_EQ(take(&a, 1, 11, OPEN), OPEN);
	/* A higher number than it is held under counts for it, and for what comes. */
	EXPECT(!release(&a, 1, 20));
	EXPECT_EQ(take(&a, 1, 19, OPEN), 0);
}

/* A call that made a hold gives it back, unless another may have been told of it. */
static void giving_back(void)
{
	struct ebpfs_hold_key k;
	u64 first, again;

	fresh(8, 8);
	EXPECT_EQ(take(&a, 1, 5, OPEN | LEASE), OPEN | LEASE);
	first = made;
	EXPECT(first);
	EXPECT(!give_back(&a, 1, 0));
	EXPECT(!give_back(&a, 1, first + 1));
	EXPECT(!give_back(&b, 1, first));
	EXPECT(!give_back(&a, 2, first));
	EXPECT_EQ(opens(1), 1);
	EXPECT(give_back(&a, 1, first));
	EXPECT_EQ(h->count, 0);
	EXPECT(!give_back(&a, 1, first));
	/* The same number may be asked for again. */
	EXPECT_EQ(take(&a, 1, 5, LEASE), LEASE);
	EXPECT(!give_back(&a, 1, first));
	EXPECT_EQ(h->count, 1);
	EXPECT(!give_back(&a, 1, made));
	EXPECT_EQ(h->count, 0);

	/* One that is executed again has still made it. */
	EXPECT_EQ(take(&a, 1, 5, OPEN), OPEN);
	k = key(1);
	again = made;
	EXPECT_EQ(ebpfs_hold_take(h, &a, &k, 5, OPEN, now, &again), OPEN);
	EXPECT_EQ(again, made);
	EXPECT(give_back(&a, 1, again));

	/* Another under the same number: the call in another session. */
	EXPECT_EQ(take(&a, 1, 6, OPEN), OPEN);
	first = made;
	EXPECT_EQ(take(&a, 1, 6, OPEN), OPEN);
	EXPECT_EQ(made, 0);
	EXPECT(!give_back(&a, 1, first));
	EXPECT_EQ(opens(1), 1);
	EXPECT(release(&a, 1, 6));

	/* Under a lower, and under a higher one. */
	EXPECT_EQ(take(&a, 1, 8, OPEN), OPEN);
	first = made;
	EXPECT_EQ(take(&a, 1, 7, OPEN), OPEN);
	EXPECT_EQ(made, 0);
	EXPECT(!give_back(&a, 1, first));
	EXPECT(release(&a, 1, 8));
	EXPECT_EQ(take(&a, 1, 9, OPEN), OPEN);
	first = made;
	EXPECT_EQ(take(&a, 1, 10, LEASE), LEASE);
	EXPECT(!give_back(&a, 1, first));
	EXPECT(release(&a, 1, 10));

	/* One that got nothing has not been told. */
	EXPECT_EQ(take(&a, 1, 12, LEASE), LEASE);
	first = made;
	EXPECT_EQ(take(&a, 1, 11, LEASE), 0);
	EXPECT(!give_back(&a, 1, first));
	EXPECT_EQ(h->count, 0);
}

static void limits(void)
{
	fresh(8, 4);
	EXPECT_EQ(take(&a, 1, 1, LEASE), LEASE);
	EXPECT_EQ(take(&a, 2, 2, LEASE), LEASE);
	EXPECT_EQ(take(&a, 3, 3, LEASE), LEASE);
	/* Three quarters of four. */
	EXPECT_EQ(take(&a, 4, 4, LEASE), 0);
	EXPECT_EQ(a.count, 3);
	EXPECT_EQ(take(&a, 4, 5, OPEN | LEASE), OPEN);
	EXPECT_EQ(take(&a, 5, 6, OPEN), 0);
	/* What is held can be asked for again. */
	EXPECT_EQ(take(&a, 1, 7, OPEN | LEASE), OPEN | LEASE);
	EXPECT_EQ(take(&b, 11, 1, OPEN), OPEN);
	EXPECT_EQ(take(&b, 12, 2, OPEN), OPEN);
	EXPECT_EQ(take(&b, 13, 3, OPEN), OPEN);
	EXPECT_EQ(take(&b, 14, 4, OPEN), OPEN);
	EXPECT_EQ(take(&c, 15, 1, OPEN), 0);
	EXPECT_EQ(h->count, 8);
	EXPECT(release(&b, 14, 4));
	EXPECT_EQ(take(&c, 15, 2, OPEN), OPEN);
	EXPECT_EQ(h->count, 8);
	EXPECT_EQ(h->used_holds, 8);
}

static void end_of_holder(void)
{
	struct ebpfs_hold_key k, one = key(1);
	unsigned int n = 0, closed = 0;
	bool last;

	fresh(16, 16);
	take(&a, 1, 1, OPEN | LEASE);
	take(&a, 2, 2, OPEN);
	take(&a, 3, 3, LEASE);
	take(&b, 2, 1, OPEN);
	EXPECT(!release(&a, 9, 5));
	while (ebpfs_hold_drop(h, &a, &k, &last)) {
		n++;
		closed += last;
		if (last)
			EXPECT_EQ(k.hash, one.hash);
	}
	EXPECT_EQ(n, 3);
	EXPECT_EQ(closed, 1);
	EXPECT_EQ(opens(2), 1);
	EXPECT_EQ(h->leases, 0);
	EXPECT_EQ(take(&a, 1, 10, OPEN), 0);
	EXPECT_EQ(h->count, 1);
	/* Another one at the same address has its own numbers. */
	memset(&a, 0, sizeof(a));
	EXPECT_EQ(take(&a, 9, 1, OPEN), OPEN);
}

static void change_without_leases(void)
{
	struct ebpfs_change ch;

	fresh(8, 8);
	EXPECT(begin(&ch, &a, 1, false));
	ebpfs_change_end(h, &ch, now);
	take(&a, 1, 1, OPEN | LEASE);
	/* One's own lease is in nobody's way, and stays. */
	EXPECT(begin(&ch, &a, 1, false));
	EXPECT_EQ(h->leases, 1);
	ebpfs_change_end(h, &ch, now);
	EXPECT_EQ(due(), EBPFS_HOLD_WAIT);
	EXPECT_EQ(next, EBPFS_NEVER);
	/* Nor is an open file. */
	take(&b, 2, 1, OPEN);
	EXPECT(!in_change(2));
	EXPECT(begin(&ch, &a, 2, false));
	EXPECT(in_change(2));
	ebpfs_change_end(h, &ch, now);
	EXPECT(!in_change(2));
	EXPECT(begin(&ch, &a, 3, false));
	EXPECT(!in_change(3));
	ebpfs_change_end(h, &ch, now);
}

static void lease_is_recalled(void)
{
	struct ebpfs_change ch;
	u64 id;

	fresh(8, 8);
	EXPECT_EQ(take(&a, 1, 7, OPEN | LEASE), OPEN | LEASE);
	EXPECT(!begin(&ch, &b, 1, false));
	EXPECT_EQ(due(), EBPFS_HOLD_WAIT);
	EXPECT(!begin(&ch, &b, 1, true));
	EXPECT_EQ(h->recalls, 1);
	EXPECT_EQ(due(), EBPFS_HOLD_SEND);
	EXPECT(r.holder == &a);
	EXPECT_EQ(r.number, 7);
	EXPECT(!r.again);
	EXPECT_EQ(r.key.hash, key(1).hash);
	id = r.id;
	EXPECT(id);
	EXPECT_EQ(due(), EBPFS_HOLD_WAIT);
	EXPECT_EQ(next, now + 100 * MS);
	/* Not while it is recalled; but open. */
	EXPECT_EQ(take(&a, 1, 8, OPEN | LEASE), OPEN);
	EXPECT(!ebpfs_change_ready(h));
	/* Not theirs, or not this one. */
	EXPECT(!ebpfs_hold_recalled(h, &b, id));
	EXPECT(!ebpfs_hold_recalled(h, &a, id + (1ull << 32)));
	EXPECT(!ebpfs_hold_recalled(h, &a, id + 1));
	EXPECT(!ebpfs_hold_recalled(h, &a, 0));
	EXPECT(!ebpfs_hold_recalled(h, &a, ~0ull));
	EXPECT(ebpfs_hold_recalled(h, &a, id));
	EXPECT(!ebpfs_hold_recalled(h, &a, id));
	EXPECT(ebpfs_change_ready(h) == &ch);
	EXPECT(!ebpfs_change_ready(h));
	EXPECT_EQ(opens(1), 1);
	EXPECT_EQ(h->recalls, 0);
	now += 2000 * MS;
	/* No lease before the end of the change, and a little longer. */
	EXPECT_EQ(take(&a, 1, 9, LEASE), 0);
	EXPECT_EQ(take(&c, 1, 1, LEASE), 0);
	EXPECT_EQ(take(&b, 1, 1, LEASE), LEASE);
	release(&b, 1, 1);
	ebpfs_change_end(h, &ch, now);
	EXPECT_EQ(take(&a, 1, 10, LEASE), 0);
	now += EBPFS_HOLD_REST - 1;
	EXPECT_EQ(take(&a, 1, 11, LEASE), 0);
	now++;
	EXPECT_EQ(take(&a, 1, 12, LEASE), LEASE);
}

static u32 changed(unsigned int n)
{
	struct ebpfs_hold_key k = key(n);

	return ebpfs_holds_changed(h, &k, now);
}

static void changed_by_others(void)
{
	struct ebpfs_change ch;
	u64 id;

	fresh(8, 8);
	EXPECT_EQ(changed(1), 0);
	EXPECT_EQ(take(&a, 1, 7, OPEN | LEASE), OPEN | LEASE);
	EXPECT_EQ(take(&b, 1, 1, LEASE), LEASE);
	EXPECT_EQ(take(&c, 1, 1, OPEN), OPEN);
	EXPECT_EQ(take(&a, 2, 8, LEASE), LEASE);
	EXPECT_EQ(changed(3), 0);
	EXPECT_EQ(due(), EBPFS_HOLD_WAIT);
	EXPECT_EQ(changed(1), 2);
	EXPECT_EQ(h->recalls, 2);
	/* Once is enough until it was answered. */
	EXPECT_EQ(changed(1), 0);
	EXPECT_EQ(take(&a, 1, 9, LEASE), 0);
	EXPECT_EQ(due(), EBPFS_HOLD_SEND);
	EXPECT_EQ(r.key.hash, key(1).hash);
	EXPECT(r.holder == &b);
	EXPECT(ebpfs_hold_recalled(h, &b, r.id));
	EXPECT_EQ(due(), EBPFS_HOLD_SEND);
	EXPECT(r.holder == &a);
	id = r.id;
	EXPECT_EQ(due(), EBPFS_HOLD_WAIT);
	/* Nobody waits; who changes it now waits for that answer, too. */
	EXPECT(!ebpfs_change_ready(h));
	EXPECT(!begin(&ch, &b, 1, true));
	EXPECT(ebpfs_hold_recalled(h, &a, id));
	EXPECT(ebpfs_change_ready(h) == &ch);
	ebpfs_change_end(h, &ch, now);
	EXPECT_EQ(opens(1), 2);
	/* The other one's lease stays, and a new one is to be had at once. */
	EXPECT_EQ(h->leases, 1);
	EXPECT_EQ(changed(2), 1);
	EXPECT_EQ(due(), EBPFS_HOLD_SEND);
	EXPECT(ebpfs_hold_recalled(h, &a, r.id));
	EXPECT_EQ(take(&a, 2, 10, LEASE), LEASE);
	EXPECT_EQ(changed(2), 1);
	/* Also that of who is changing it. */
	release(&a, 2, 10);
	EXPECT_EQ(take(&b, 4, 2, LEASE), LEASE);
	EXPECT(begin(&ch, &b, 4, true));
	EXPECT_EQ(changed(4), 1);
	ebpfs_change_end(h, &ch, now);
	/* Who does not answer is fenced. */
	EXPECT_EQ(due(), EBPFS_HOLD_SEND);
	now += FENCE - 1;
	EXPECT_EQ(due(), EBPFS_HOLD_SEND);
	now += EBPFS_NSEC_PER_SEC;
	EXPECT_EQ(due(), EBPFS_HOLD_FENCE);
	EXPECT(r.holder == &b);
}

static void all_changed_by_others(void)
{
	const u32 many = 2 * EBPFS_HOLD_WALK + 100;
	u32 at = 0, recalled = 0, i, rounds = 0;
	unsigned int prefix = 3;

	/* Nothing is held; some is, and was. */
	fresh(2 * many, 2 * many);
	EXPECT(!ebpfs_holds_changed_some(h, &prefix, sizeof(prefix), &at, &recalled, now));
	EXPECT_EQ(recalled, 0);
	for (i = 0; i < many; i++) {
		struct ebpfs_hold_key k;
		u32 bytes[] = { 3 + i % 2, i };

		ebpfs_hold_key_set(h, &k, bytes, sizeof(bytes));
		made = 0;
		EXPECT_EQ(ebpfs_hold_take(h, i % 3 ? &a : &b, &k, 1, i % 5 ? LEASE : OPEN, now,
					  &made), i % 5 ? LEASE : OPEN);
		if (!(i % 7))
			ebpfs_hold_release(h, i % 3 ? &a : &b, &k, 1);
	}
	at = 0;
	do {
		EXPECT(++rounds <= 4);
	} while (ebpfs_holds_changed_some(h, &prefix, sizeof(prefix), &at, &recalled, now));
	EXPECT_EQ(at, h->used_holds);
	EXPECT_EQ(recalled, h->recalls);
	for (i = 0; i < h->used_holds; i++) {
		const struct ebpfs_hold *hold = &h->memory[i];
		u32 first;

		if (!hold->holder)
			continue;
		memcpy(&first, hold->file->key.bytes, sizeof(first));
		EXPECT_EQ(!!hold->recall, hold->lease && first == 3);
	}
	EXPECT(h->recalls > many / 4);
	/* Keys that are shorter do not begin so. */
	at = recalled = 0;
	while (ebpfs_holds_changed_some(h, (u32[]){ 4, 0, 0 }, 12, &at, &recalled, now))
		;
	EXPECT_EQ(recalled, 0);
}

static void repeated_and_fenced(void)
{
	static const u32 pauses[] = { 0, 100, 200, 400, 800, 1000, 1000 };
	struct ebpfs_change ch;
	struct ebpfs_hold_key k;
	unsigned int i;
	u64 id = 0;
	bool closed;

	fresh(8, 8);
	take(&a, 1, 7, OPEN | LEASE);
	EXPECT(!begin(&ch, &b, 1, true));
	for (i = 0; i < ARRAY_SIZE(pauses); i++) {
		if (pauses[i]) {
			now += pauses[i] * MS - 1;
			EXPECT_EQ(due(), EBPFS_HOLD_WAIT);
			EXPECT_EQ(next, now + 1);
			now++;
		}
		EXPECT_EQ(due(), EBPFS_HOLD_SEND);
		EXPECT_EQ(r.again, i > 0);
		if (i)
			EXPECT_EQ(r.id, id);
		id = r.id;
	}
	now += 1000 * MS;
	EXPECT_EQ(due(), EBPFS_HOLD_SEND);
	now += 1000 * MS;
	EXPECT_EQ(due(), EBPFS_HOLD_FENCE);
	EXPECT(r.holder == &a);
	EXPECT_EQ(due(), EBPFS_HOLD_WAIT);
	EXPECT(!ebpfs_change_ready(h));
	EXPECT(ebpfs_hold_drop(h, &a, &k, &closed));
	EXPECT(ebpfs_change_ready(h) == &ch);
	ebpfs_change_end(h, &ch, now);
	EXPECT_EQ(h->count, 0);
	EXPECT_EQ(due(), EBPFS_HOLD_WAIT);
	EXPECT_EQ(next, EBPFS_NEVER);
}

/* A release is an answer, too; and what has only a lease is gone with it. */
/* A number that was granted nothing does not count: its reply tells of no hold. */
static void refused_number(void)
{
	struct ebpfs_change ch;

	fresh(8, 8);
	EXPECT_EQ(take(&a, 1, 5, OPEN), OPEN);
	EXPECT(begin(&ch, &b, 1, true));
	EXPECT_EQ(take(&a, 1, 7, LEASE), 0);
	EXPECT(release(&a, 1, 5));
	EXPECT_EQ(h->count, 0);
}

/* Who leaves a recall unanswered is late within a quarter of the time, until he answers. */
static void late(void)
{
	struct ebpfs_change ch;

	fresh(8, 8);
	EXPECT_EQ(take(&a, 1, 1, LEASE), LEASE);
	EXPECT(!begin(&ch, &b, 1, true));
	EXPECT(!ebpfs_holder_late(&a));
	while (due() == EBPFS_HOLD_SEND || next <= 1000 * EBPFS_NSEC_PER_SEC + FENCE / 4)
		now = next < EBPFS_NEVER && next > now ? next : now;
	EXPECT(ebpfs_holder_late(&a));
	EXPECT(ebpfs_hold_recalled(h, &a, r.id));
	EXPECT(!ebpfs_holder_late(&a));
}

static void release_answers(void)
{
	struct ebpfs_change ch;
	u64 id;

	fresh(8, 8);
	take(&a, 1, 1, LEASE);
	EXPECT(!begin(&ch, &b, 1, true));
	EXPECT_EQ(due(), EBPFS_HOLD_SEND);
	id = r.id;
	release(&a, 1, 1);
	EXPECT(ebpfs_change_ready(h) == &ch);
	EXPECT(!ebpfs_hold_recalled(h, &a, id));
	ebpfs_change_end(h, &ch, now);
	now += EBPFS_HOLD_REST;
	EXPECT_EQ(take(&a, 1, 2, LEASE), LEASE);
	/* The place is the same, the recall is not. */
	EXPECT(!begin(&ch, &b, 1, true));
	EXPECT(!ebpfs_hold_recalled(h, &a, id));
	EXPECT_EQ(due(), EBPFS_HOLD_SEND);
	EXPECT(ebpfs_hold_recalled(h, &a, r.id));
	EXPECT_EQ(h->count, 0);
	EXPECT(ebpfs_change_ready(h) == &ch);
	ebpfs_change_end(h, &ch, now);
}

/* Two change what both have a lease on; a third waits for both. */
static void changes_that_cross(void)
{
	struct ebpfs_change ca, cb, cc;
	u64 ids[2];

	fresh(8, 8);
	take(&a, 1, 1, LEASE);
	take(&b, 1, 1, LEASE);
	EXPECT(!begin(&ca, &a, 1, true));
	EXPECT(!begin(&cb, &b, 1, true));
	EXPECT(!begin(&cc, &c, 1, true));
	EXPECT_EQ(h->recalls, 2);
	EXPECT_EQ(due(), EBPFS_HOLD_SEND);
	ids[r.holder == &b] = r.id;
	EXPECT_EQ(due(), EBPFS_HOLD_SEND);
	ids[r.holder == &b] = r.id;
	EXPECT(ebpfs_hold_recalled(h, &b, ids[1]));
	EXPECT(ebpfs_change_ready(h) == &ca);
	EXPECT(!ebpfs_change_ready(h));
	EXPECT(ebpfs_hold_recalled(h, &a, ids[0]));
	EXPECT(ebpfs_change_ready(h));
	EXPECT(ebpfs_change_ready(h));
	EXPECT(!ebpfs_change_ready(h));
	ebpfs_change_end(h, &ca, now);
	ebpfs_change_end(h, &cb, now);
	ebpfs_change_end(h, &cc, now);
	/* Three have changed it: a lease for none of them. */
	EXPECT_EQ(take(&a, 1, 2, LEASE), 0);
	EXPECT_EQ(take(&c, 1, 2, LEASE), 0);
	now += EBPFS_HOLD_REST;
	EXPECT_EQ(take(&c, 1, 3, LEASE), LEASE);
}

static void several_files(void)
{
	struct ebpfs_hold_key keys[EBPFS_CHANGE_FILES] = { 0 }, more[2];
	struct ebpfs_change ch;
	unsigned int i;

	fresh(8, 8);
	for (i = 0; i < EBPFS_CHANGE_FILES; i++)
		keys[i] = key(i);
	take(&a, 1, 1, LEASE);
	take(&b, 3, 1, LEASE);
	EXPECT(!ebpfs_change_begin(h, &ch, &c, keys, EBPFS_CHANGE_FILES, true, now));
	EXPECT(ebpfs_change_covers(&ch, keys, EBPFS_CHANGE_FILES));
	more[0] = key(2);
	more[1] = key(9);
	EXPECT(ebpfs_change_covers(&ch, more, 1));
	EXPECT(!ebpfs_change_covers(&ch, more, 2));
	EXPECT_EQ(take(&a, 2, 2, LEASE), 0);
	release(&a, 1, 1);
	EXPECT(!ebpfs_change_ready(h));
	release(&b, 3, 1);
	/* Given up before it went on. */
	ebpfs_change_end(h, &ch, now);
	EXPECT(!ebpfs_change_ready(h));
	EXPECT(!ebpfs_change_covers(&ch, keys, 1));
	/* Or while it waits. */
	now += EBPFS_HOLD_REST;
	take(&a, 1, 3, LEASE);
	EXPECT(!ebpfs_change_begin(h, &ch, &c, keys, EBPFS_CHANGE_FILES, true, now));
	ebpfs_change_end(h, &ch, now);
	/* The recall is out all the same, and its answer is to come. */
	now += EBPFS_HOLD_REST;
	EXPECT_EQ(take(&a, 1, 4, LEASE), 0);
	release(&a, 1, 4);
	EXPECT(!ebpfs_change_ready(h));
}

/* Who never holds anything waits as well, and nobody's lease is its own. */
static void change_by_nobody(void)
{
	struct ebpfs_change ch;

	fresh(8, 8);
	take(&a, 1, 1, LEASE);
	EXPECT(!begin(&ch, NULL, 1, false));
	EXPECT(!begin(&ch, NULL, 1, true));
	release(&a, 1, 1);
	EXPECT(ebpfs_change_ready(h) == &ch);
	EXPECT_EQ(take(&a, 1, 2, LEASE), 0);
	ebpfs_change_end(h, &ch, now);
}

#define FILES	6
#define STEPS	200000

/* What the test knows: believed[who][file], a lease that was granted and not given back. */
static bool believed[HOLDERS][FILES];
static u64 numbers[HOLDERS], held[HOLDERS][FILES];

struct running {
	struct ebpfs_change ch;
	unsigned int who;
	unsigned int files[2];
	unsigned int count;
	bool used;
	bool going;
};

static u64 rnd(u64 *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

static bool nobody_else_believes(const struct running *run)
{
	unsigned int i, j;

	for (i = 0; i < run->count; i++)
		for (j = 0; j < HOLDERS; j++)
			if (j != run->who && believed[j][run->files[i]])
				return false;
	return true;
}

static void step(u64 *state, struct running *runs, unsigned int nruns)
{
	unsigned int who = rnd(state) % HOLDERS, file = rnd(state) % FILES, i;
	struct running *run = &runs[rnd(state) % nruns];
	struct ebpfs_hold_key keys[2];
	struct ebpfs_change *ch;
	u32 got;

	switch (rnd(state) % 6) {
	case 0:
	case 1:
		got = take(&others[who], file, ++numbers[who], 1 + rnd(state) % 3);
		if (got) {
			held[who][file] = numbers[who];
			believed[who][file] |= !!(got & LEASE);
		}
		break;
	case 2:
		/* The client stops to believe before it says so. */
		believed[who][file] = false;
		release(&others[who], file, held[who][file]);
		break;
	case 3:
		if (run->used) {
			if (run->going || rnd(state) % 4 == 0) {
				ebpfs_change_end(h, &run->ch, now);
				run->used = run->going = false;
			}
			break;
		}
		run->who = who;
		run->count = 1 + rnd(state) % 2;
		run->files[0] = file;
		run->files[1] = (file + 1) % FILES;
		keys[0] = key(run->files[0]);
		keys[1] = key(run->files[1]);
		run->used = true;
		run->going = ebpfs_change_begin(h, &run->ch, &others[who], keys, run->count, true,
						now);
		break;
	case 4:
		if (due() == EBPFS_HOLD_SEND && rnd(state) % 3) {
			who = (unsigned int)(r.holder - others);
			for (i = 0; i < FILES; i++)
				if (key(i).hash == r.key.hash)
					believed[who][i] = false;
			EXPECT(ebpfs_hold_recalled(h, r.holder, r.id));
		}
		break;
	default:
		now += rnd(state) % (300 * MS);
	}
	while ((ch = ebpfs_change_ready(h)))
		((struct running *)ch)->going = true;
	for (i = 0; i < nruns; i++)
		if (runs[i].going)
			EXPECT(nobody_else_believes(&runs[i]));
}

static void at_random(void)
{
	static struct running runs[5];
	u64 state = 88172645463325252ull;
	unsigned int i, waited = 0, leases = 0;

	fresh(16, 6);
	h->fence = EBPFS_NEVER;
	for (i = 0; i < STEPS; i++) {
		step(&state, runs, ARRAY_SIZE(runs));
		waited += h->recalls > 0;
		leases += h->leases > 1;
	}
	/* And all of that has happened. */
	EXPECT(waited > STEPS / 20);
	EXPECT(leases > STEPS / 20);
	EXPECT(h->used_holds <= 16);
	for (i = 0; i < ARRAY_SIZE(runs); i++)
		if (runs[i].used)
			ebpfs_change_end(h, &runs[i].ch, now);
	for (i = 0; i < HOLDERS; i++) {
		struct ebpfs_hold_key k;
		bool closed;

		while (ebpfs_hold_drop(h, &others[i], &k, &closed))
			;
	}
	EXPECT_EQ(h->count, 0);
	EXPECT_EQ(h->opens, 0);
	EXPECT_EQ(h->leases, 0);
	EXPECT_EQ(h->recalls, 0);
	for (i = 0; i <= h->mask; i++)
		EXPECT(!h->buckets[i]);
}

static const struct ktap_test tests[] = {
	KTAP_TEST(keys_differ),
	KTAP_TEST(open_and_release),
	KTAP_TEST(release_before_take),
	KTAP_TEST(giving_back),
	KTAP_TEST(limits),
	KTAP_TEST(end_of_holder),
	KTAP_TEST(change_without_leases),
	KTAP_TEST(lease_is_recalled),
	KTAP_TEST(changed_by_others),
	KTAP_TEST(all_changed_by_others),
	KTAP_TEST(repeated_and_fenced),
	KTAP_TEST(refused_number),
	KTAP_TEST(late),
	KTAP_TEST(release_answers),
	KTAP_TEST(changes_that_cross),
	KTAP_TEST(several_files),
	KTAP_TEST(change_by_nobody),
	KTAP_TEST(at_random),
};

int main(int argc, char **argv)
{
	return KTAP_MAIN(tests, argc, argv);
}
