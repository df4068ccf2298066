// SPDX-License-Identifier: GPL-2.0
/*
 * kmod/core/intent.c, function by function; and a process that dies between any two
 * stores.
 */
#include <stdlib.h>

#include "core/intent.h"
#include "lib/ktap.h"

#define COUNT	(4 * EBPFS_INTENT_WAYS)
#define SETS	(COUNT / EBPFS_INTENT_WAYS)

static struct ebpfs_intent *records;
static u64 *busy;
static struct ebpfs_intents log_;

/* Another life with the same records. */
static void revive(void)
{
	free(busy);
	busy = calloc(COUNT, sizeof(*busy));
	ebpfs_intents_init(&log_, records, busy, COUNT);
}

static void fresh(void)
{
	free(records);
	records = calloc(COUNT, sizeof(*records));
	revive();
}

static struct ebpfs_intent intent_of(u64 op_id)
{
	struct ebpfs_intent r = { .op_id = op_id, .op = EBPFS_OP_CREATE, .flags = 3 };

	memset(r.key, (int)op_id, sizeof(r.key));
	memset(r.a, (int)op_id + 1, sizeof(r.a));
	memset(r.b, (int)op_id + 2, sizeof(r.b));
	return r;
}

static enum ebpfs_intent_state begin(u64 op_id, u32 *at, struct ebpfs_intent *found)
{
	struct ebpfs_intent r = intent_of(op_id);

	return ebpfs_intent_begin(&log_, op_id, r.key, EBPFS_OP_CREATE, at, found);
}

/* A whole call. */
static void call(u64 op_id)
{
	struct ebpfs_intent r = intent_of(op_id), found;
	u32 at;

	ASSERT_EQ(begin(op_id, &at, &found), EBPFS_INTENT_NEW);
	ebpfs_intent_write(&log_, at, &r, NULL, 0);
	EXPECT(ebpfs_intent_result(&log_, at, 0, 1, &op_id, sizeof(op_id)));
	ebpfs_intent_end(&log_, at, false);
}

/* Is @op_id answered? */
static bool known(u64 op_id)
{
	struct ebpfs_intent found;
	u32 at;

	switch (begin(op_id, &at, &found)) {
	case EBPFS_INTENT_DONE:
		EXPECT_EQ(found.status, 0);
		EXPECT_EQ(found.reply_flags, 1);
		EXPECT_EQ(found.total, sizeof(op_id));
		EXPECT_MEM(found.reply, &op_id, sizeof(op_id));
		return true;
	case EBPFS_INTENT_NEW:
		ebpfs_intent_end(&log_, at, false);
		return false;
	default:
		EXPECT(false);
		return false;
	}
}

static void a_call_is_new_then_busy_then_done(void)
{
	struct ebpfs_intent r = intent_of(7), found;
	u32 at, other;

	fresh();
	EXPECT_EQ(begin(7, &at, &found), EBPFS_INTENT_NEW);
	EXPECT_EQ(log_.running, 1);
	EXPECT_EQ(begin(7, &other, &found), EBPFS_INTENT_BUSY);
	ebpfs_intent_write(&log_, at, &r, NULL, 0);
	EXPECT_EQ(begin(7, &other, &found), EBPFS_INTENT_BUSY);
	EXPECT(ebpfs_intent_result(&log_, at, 17, 0, NULL, 0));
	EXPECT_EQ(begin(7, &other, &found), EBPFS_INTENT_BUSY);
	ebpfs_intent_end(&log_, at, false);
	EXPECT_EQ(log_.running, 0);
	EXPECT_EQ(begin(7, &other, &found), EBPFS_INTENT_DONE);
	EXPECT_EQ(found.status, 17);
	EXPECT_EQ(found.total, 0);
	revive();
	EXPECT_EQ(begin(7, &other, &found), EBPFS_INTENT_DONE);
}

static void what_was_begun_is_told(void)
{
	struct ebpfs_intent r = intent_of(9), found;
	u8 fh[40];
	u32 at;

	fresh();
	memset(fh, 5, sizeof(fh));
	begin(9, &at, &found);
	ebpfs_intent_write(&log_, at, &r, "note", 5);
	revive();
	EXPECT_EQ(begin(9, &at, &found), EBPFS_INTENT_BEGUN);
	EXPECT_EQ(found.flags, 3);
	EXPECT_MEM(found.a, r.a, sizeof(r.a));
	EXPECT_MEM(found.b, r.b, sizeof(r.b));
	EXPECT(ebpfs_intent_has_note(&found));
	EXPECT_MEM(found.reply, "note", 5);
	EXPECT(!ebpfs_intent_has_effect(&found));
	ebpfs_intent_effect(&log_, at, fh, sizeof(fh));
	revive();
	EXPECT_EQ(begin(9, &at, &found), EBPFS_INTENT_BEGUN);
	EXPECT(ebpfs_intent_has_effect(&found));
	EXPECT_EQ(found.fh_len, sizeof(fh));
	EXPECT_MEM(found.fh, fh, sizeof(fh));
	/* A new intent forgets the old effect and note. */
	ebpfs_intent_write(&log_, at, &r, NULL, 0);
	revive();
	EXPECT_EQ(begin(9, &at, &found), EBPFS_INTENT_BEGUN);
	EXPECT(!ebpfs_intent_has_effect(&found));
	EXPECT(!ebpfs_intent_has_note(&found));
	ebpfs_intent_end(&log_, at, true);
	EXPECT_EQ(begin(9, &at, &found), EBPFS_INTENT_NEW);
}

static void another_key_or_op_is_another_call(void)
{
	struct ebpfs_intent r = intent_of(3), found;
	u32 at;

	fresh();
	call(3);
	EXPECT(known(3));
	EXPECT_EQ(ebpfs_intent_begin(&log_, 3, r.key, EBPFS_OP_REMOVE, &at, &found),
		  EBPFS_INTENT_NEW);
	ebpfs_intent_end(&log_, at, false);
	r.key[15] ^= 1;
	EXPECT_EQ(ebpfs_intent_begin(&log_, 3, r.key, EBPFS_OP_CREATE, &at, &found),
		  EBPFS_INTENT_NEW);
	ebpfs_intent_end(&log_, at, false);
	EXPECT(known(3));
}

static void long_replies_and_handles_are_refused(void)
{
	struct ebpfs_intent r = intent_of(4), found;
	u8 big[EBPFS_INTENT_REPLY_MAX + 1] = { 1 };
	u32 at;

	fresh();
	begin(4, &at, &found);
	ebpfs_intent_write(&log_, at, &r, big, sizeof(big));
	EXPECT(!ebpfs_intent_has_note(&records[at]));
	ebpfs_intent_effect(&log_, at, big, EBPFS_FH_MAX + 1);
	EXPECT(!ebpfs_intent_has_effect(&records[at]));
	EXPECT(!ebpfs_intent_result(&log_, at, 0, 0, big, sizeof(big)));
	EXPECT(!ebpfs_intent_has_result(&records[at]));
	EXPECT(ebpfs_intent_result(&log_, at, 0, 0, big, sizeof(big) - 1));
	EXPECT(ebpfs_intent_has_result(&records[at]));
}

/* Calls with numbers in a row live until as many came after as there are records. */
static void the_oldest_makes_room(void)
{
	u64 id;

	fresh();
	for (id = 1; id <= 3 * COUNT; id++)
		call(id);
	for (id = 1; id <= 3 * COUNT; id++)
		EXPECT_EQ(known(id), id > 2 * COUNT);
	/* The order is known to the next life, too. */
	revive();
	for (id = 3 * COUNT + 1; id <= 3 * COUNT + COUNT / 2; id++)
		call(id);
	for (id = 2 * COUNT + 1; id <= 3 * COUNT + COUNT / 2; id++)
		EXPECT_EQ(known(id), id > 2 * COUNT + COUNT / 2);
}

static void a_call_that_wrote_nothing_takes_no_room(void)
{
	struct ebpfs_intent found;
	u64 id;
	u32 at;

	fresh();
	for (id = 1; id <= COUNT; id++)
		call(id);
	for (id = COUNT + 1; id <= 2 * COUNT; id++) {
		EXPECT_EQ(begin(id, &at, &found), EBPFS_INTENT_NEW);
		ebpfs_intent_end(&log_, at, false);
	}
	for (id = 1; id <= COUNT; id++)
		EXPECT(known(id));
}

static void calls_in_execution_keep_their_records(void)
{
	struct ebpfs_intent found;
	u32 at[EBPFS_INTENT_WAYS], other;
	unsigned int i;

	fresh();
	for (i = 0; i < EBPFS_INTENT_WAYS; i++) {
		struct ebpfs_intent r = intent_of(1 + i * SETS);

		EXPECT_EQ(begin(1 + i * SETS, &at[i], &found), EBPFS_INTENT_NEW);
		ebpfs_intent_write(&log_, at[i], &r, NULL, 0);
	}
	EXPECT_EQ(begin(1 + i * SETS, &other, &found), EBPFS_INTENT_BUSY);
	EXPECT_EQ(begin(2, &other, &found), EBPFS_INTENT_NEW);
	ebpfs_intent_end(&log_, other, false);
	ebpfs_intent_end(&log_, at[3], false);
	EXPECT_EQ(begin(1 + i * SETS, &other, &found), EBPFS_INTENT_NEW);
	EXPECT_EQ(other, at[3]);
}

/*
 * A process that dies while it writes leaves some of the stores: of every part, any
 * prefix of its bytes, over any older record. Whatever is found is a whole part of
 * this call or of the older one, and never a mixture.
 */
static void torn_records_are_not_believed(void)
{
	struct ebpfs_intent old, r = intent_of(5), was, now, found;
	u8 old_fh[64], fh[64];
	size_t cut, from;
	u32 at;

	memset(old_fh, 1, sizeof(old_fh));
	memset(fh, 2, sizeof(fh));
	fresh();
	call(5);
	old = intent_of(5 + COUNT);
	begin(5 + COUNT, &at, &found);
	ebpfs_intent_write(&log_, at, &old, NULL, 0);
	ebpfs_intent_effect(&log_, at, old_fh, sizeof(old_fh));
	ebpfs_intent_result(&log_, at, 1, 2, "old reply", 10);
	was = records[at];

	/* The new intent, effect and result of another call in the same place, of which
	 * all bytes up to @cut are there and the rest is old. */
	r = intent_of(5 + 2 * COUNT);
	ebpfs_intent_write(&log_, at, &r, NULL, 0);
	ebpfs_intent_effect(&log_, at, fh, sizeof(fh));
	ebpfs_intent_result(&log_, at, 3, 4, "new reply", 10);
	now = records[at];
	for (from = 0; from < 2; from++) {
		for (cut = 0; cut <= sizeof(now); cut++) {
			struct ebpfs_intent torn = from ? now : was;
			bool is_old, is_new;

			memcpy(&torn, from ? &was : &now, cut);
			if (!ebpfs_intent_valid(&torn))
				continue;
			is_old = torn.op_id == was.op_id;
			is_new = torn.op_id == now.op_id;
			EXPECT(is_old || is_new);
			EXPECT_MEM(&torn, is_old ? &was : &now,
				   offsetof(struct ebpfs_intent, intent_crc));
			if (ebpfs_intent_has_effect(&torn))
				EXPECT_MEM(torn.fh, is_old ? old_fh : fh, sizeof(fh));
			if (ebpfs_intent_has_result(&torn)) {
				EXPECT_EQ(torn.status, is_old ? 1 : 3);
				EXPECT_MEM(torn.reply, is_old ? "old reply" : "new reply", 10);
			}
		}
	}
	/* Any byte of what counts may be wrong. */
	for (cut = 0; cut < offsetof(struct ebpfs_intent, reply) + 10; cut++) {
		struct ebpfs_intent bad = now;

		((u8 *)&bad)[cut] ^= 0x10;
		if (!ebpfs_intent_valid(&bad))
			continue;
		EXPECT(cut >= offsetof(struct ebpfs_intent, fh_len));
		if (ebpfs_intent_has_effect(&bad))
			EXPECT_MEM(bad.fh, fh, sizeof(fh));
		if (ebpfs_intent_has_result(&bad)) {
			EXPECT_EQ(bad.status, 3);
			EXPECT_MEM(bad.reply, "new reply", 10);
		}
	}
}

/* Nonsense of any length and content is neither believed nor read past its end. */
static void nonsense_is_not_believed(void)
{
	u64 x = 88172645463325252ull;
	struct ebpfs_intent found;
	u32 at, i, round;
	u8 *p;

	for (round = 0; round < 200; round++) {
		fresh();
		p = (u8 *)records;
		for (i = 0; i < COUNT * sizeof(*records); i++) {
			x ^= x << 13;
			x ^= x >> 7;
			x ^= x << 17;
			p[i] = (u8)(x >> 32);
		}
		revive();
		for (i = 0; i < COUNT; i++) {
			EXPECT(!ebpfs_intent_valid(&records[i]));
			records[i].fh_len = (u16)x;
			records[i].total = (u32)x;
			records[i].note_len = (u32)x >> 7;
			EXPECT(!ebpfs_intent_has_effect(&records[i]));
			EXPECT(!ebpfs_intent_has_result(&records[i]));
			EXPECT(!ebpfs_intent_has_note(&records[i]));
		}
		EXPECT_EQ(begin(records[0].op_id | 1, &at, &found), EBPFS_INTENT_NEW);
		call(77);
		EXPECT(known(77));
	}
}

static void logs_have_owners(void)
{
	struct ebpfs_intents logs[3] = { 0 };
	struct ebpfs_intent_owner owners[3] = { 0 };
	u8 name[5][EBPFS_CLIENT_MAX] = { "alice", "bob", "carol", "dave", "eve" };
	bool is_fresh;
	u32 i;

	for (i = 0; i < 3; i++) {
		EXPECT_EQ(ebpfs_intent_owner(owners, logs, 3, name[i], 100 + i, &is_fresh), i);
		EXPECT(is_fresh);
		ebpfs_intent_owner_set(&owners[i], name[i], 100 + i);
	}
	EXPECT_EQ(ebpfs_intent_owner(owners, logs, 3, name[0], 200, &is_fresh), 0);
	EXPECT(!is_fresh);
	/* All were there within the hour: dave shares, always the same log. */
	i = ebpfs_intent_owner(owners, logs, 3, name[3], 300, &is_fresh);
	EXPECT(i < 3);
	EXPECT(!is_fresh);
	EXPECT_EQ(ebpfs_intent_owner(owners, logs, 3, name[3], 301, &is_fresh), i);
	/* Then the one that was away longest makes room, unless it has a call running. */
	for (i = 0; i < 3; i++)
		owners[i].used = 100 + i;
	logs[0].running = 1;
	EXPECT_EQ(ebpfs_intent_owner(owners, logs, 3, name[4], 100 + EBPFS_INTENT_IDLE + 1,
				     &is_fresh), 1);
	EXPECT(is_fresh);
	ebpfs_intent_owner_set(&owners[1], name[4], 5000);
	EXPECT_EQ(ebpfs_intent_owner(owners, logs, 3, name[4], 5001, &is_fresh), 1);
	EXPECT(!is_fresh);
	/* A name that is cut off is nobody's. */
	owners[2].client[0] = 0;
	EXPECT_EQ(ebpfs_intent_owner(owners, logs, 3, name[2], 5002, &is_fresh), 2);
	EXPECT(is_fresh);
}

/* What appending broke off at any byte looks like, at several places of a file. */
static void appends_are_recognised(void)
{
	static const u64 sizes[] = { 0, 1, 100, 4000, 4095, 4096, 4097, 12288, 1ull << 33 };
	static const u32 lens[] = { 1, 95, 96, 97, 4096, 4097, 20000, EBPFS_MSG_MAX };
	static u8 data[EBPFS_MSG_MAX], other[EBPFS_MSG_MAX];
	u32 cuts[EBPFS_APPEND_CUTS], n, i, j, there;
	enum ebpfs_intent_verdict v;
	struct ebpfs_append_mark m;

	for (i = 0; i < sizeof(data); i++) {
		data[i] = (u8)(i * 7 + i / 251);
		other[i] = (u8)(data[i] ^ (i % 4096 == 17));
	}
	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		for (j = 0; j < ARRAY_SIZE(lens); j++) {
			u64 s = sizes[i];
			u32 len = lens[j];

			n = ebpfs_append_mark(&m, cuts, s, data, len);
			EXPECT_EQ(n, (s + len - 1) / EBPFS_APPEND_PAGE - s / EBPFS_APPEND_PAGE);
			EXPECT_EQ(ebpfs_append_judge(&m, cuts, n, s, NULL), EBPFS_WAS_NOT_DONE);
			EXPECT_EQ(ebpfs_append_judge(&m, cuts, n, s - (s > 0), NULL),
				  EBPFS_WAS_NOT_DONE);
			EXPECT_EQ(ebpfs_append_judge(&m, cuts, n, s + len, data), EBPFS_WAS_DONE);
			EXPECT_EQ(ebpfs_append_judge(&m, cuts, n, s + len + 1, data),
				  EBPFS_WAS_DONE);
			other[len - 1] ^= 1;
			EXPECT_EQ(ebpfs_append_judge(&m, cuts, n, s + len, other),
				  EBPFS_WAS_NOT_DONE);
			other[len - 1] ^= 1;
			for (there = 1; there < len; there += there < 10000 ? 1 : 4096) {
				v = ebpfs_append_judge(&m, cuts, n, s + there, data);
				if (v != ((s + there) % EBPFS_APPEND_PAGE ? EBPFS_WAS_NOT_DONE :
									    EBPFS_WAS_TORN))
					EXPECT(!"a part is what it is");
				if (there > 17 && ebpfs_append_judge(&m, cuts, n, s + there,
								     other) != EBPFS_WAS_NOT_DONE)
					EXPECT(!"other bytes are no part");
			}
		}
	}
}

static void moved_ranges_and_values_are_recognised(void)
{
	struct ebpfs_shift_mark shift = { .before = 8192, .after = 4096 };
	struct ebpfs_value_mark m;

	EXPECT_EQ(ebpfs_shift_judge(&shift, 8192), EBPFS_WAS_NOT_DONE);
	EXPECT_EQ(ebpfs_shift_judge(&shift, 4096), EBPFS_WAS_DONE);
	EXPECT_EQ(ebpfs_shift_judge(&shift, 4099), EBPFS_WAS_DONE);

	ebpfs_value_mark(&m, (const u8 *)"value", 5, false);
	EXPECT_EQ(ebpfs_value_judge(&m, (const u8 *)"value", 5), EBPFS_WAS_DONE);
	EXPECT_EQ(ebpfs_value_judge(&m, (const u8 *)"value", 4), EBPFS_WAS_NOT_DONE);
	EXPECT_EQ(ebpfs_value_judge(&m, (const u8 *)"values", 6), EBPFS_WAS_NOT_DONE);
	EXPECT_EQ(ebpfs_value_judge(&m, (const u8 *)"valuE", 5), EBPFS_WAS_NOT_DONE);
	EXPECT_EQ(ebpfs_value_judge(&m, NULL, 0), EBPFS_WAS_NOT_DONE);
	ebpfs_value_mark(&m, NULL, 0, false);
	EXPECT_EQ(ebpfs_value_judge(&m, (const u8 *)"", 0), EBPFS_WAS_DONE);
	EXPECT_EQ(ebpfs_value_judge(&m, NULL, 0), EBPFS_WAS_NOT_DONE);
	EXPECT_EQ(ebpfs_value_judge(&m, (const u8 *)"x", 1), EBPFS_WAS_NOT_DONE);
	ebpfs_value_mark(&m, NULL, 0, true);
	EXPECT_EQ(ebpfs_value_judge(&m, NULL, 0), EBPFS_WAS_DONE);
	EXPECT_EQ(ebpfs_value_judge(&m, (const u8 *)"", 0), EBPFS_WAS_NOT_DONE);
}

/* At the start: what is open is found, and either settled or dropped. */
static void open_records_are_settled(void)
{
	struct ebpfs_intent r, found;
	u8 done[16] = { 1 };
	u32 at[4], i, open = 0;

	fresh();
	for (i = 0; i < 4; i++) {
		r = intent_of(i + 1);
		ASSERT_EQ(begin(i + 1, &at[i], &found), EBPFS_INTENT_NEW);
		ebpfs_intent_write(&log_, at[i], &r, "note", 5);
	}
	ebpfs_intent_effect(&log_, at[0], done, sizeof(done));
	EXPECT(ebpfs_intent_result(&log_, at[1], 0, 0, NULL, 0));
	revive();
	for (i = 0; i < COUNT; i++)
		open += ebpfs_intent_open(&records[i]);
	EXPECT_EQ(open, 2);
	EXPECT(ebpfs_intent_open(&records[at[2]]) && ebpfs_intent_open(&records[at[3]]));
	ebpfs_intent_effect(&log_, at[2], done, sizeof(done));
	ebpfs_intent_drop(&log_, at[3]);
	EXPECT_EQ(begin(3, &i, &found), EBPFS_INTENT_BEGUN);
	EXPECT(ebpfs_intent_has_effect(&found));
	EXPECT_MEM(found.fh, done, sizeof(done));
	EXPECT_EQ(begin(4, &i, &found), EBPFS_INTENT_NEW);
}

static const struct ktap_test tests[] = {
	KTAP_TEST(a_call_is_new_then_busy_then_done),
	KTAP_TEST(what_was_begun_is_told),
	KTAP_TEST(another_key_or_op_is_another_call),
	KTAP_TEST(long_replies_and_handles_are_refused),
	KTAP_TEST(the_oldest_makes_room),
	KTAP_TEST(a_call_that_wrote_nothing_takes_no_room),
	KTAP_TEST(calls_in_execution_keep_their_records),
	KTAP_TEST(torn_records_are_not_believed),
	KTAP_TEST(nonsense_is_not_believed),
	KTAP_TEST(logs_have_owners),
	KTAP_TEST(appends_are_recognised),
	KTAP_TEST(moved_ranges_and_values_are_recognised),
	KTAP_TEST(open_records_are_settled),
};

int main(int argc, char **argv)
{
	int ret = KTAP_MAIN(tests, argc, argv);

	free(records);
	free(busy);
	return ret;
}
