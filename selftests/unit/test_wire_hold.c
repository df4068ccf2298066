// SPDX-License-Identifier: GPL-2.0
/*
 * kmod/core/wire.c: what is held. RECALL and RECALLED datagrams, the data of RELEASE
 * and of LOCK, and holds in calls.
 */
#include "core/wire.h"
#include "lib/ktap.h"
#include "unit/exact.h"

#define SESSION	0x1122334455667788ull
#define END	(~0ull >> 1)

static const u8 handle[EBPFS_FH_MAX] = "\x01handle of a file that is rather long, but not empty "
				       "in any of the bytes that are used below";

static int recall_of(const void *data, struct ebpfs_recall_info *r)
{
	int odd, ret = 0;

	for (odd = 0; odd < 2; odd++) {
		u8 *p = exact(data, sizeof(struct ebpfs_recall), odd);

		memset(r, 0xff, sizeof(*r));
		ret = ebpfs_parse_recall(p, r);
		if (!ret) {
			EXPECT(r->fh == p + offsetof(struct ebpfs_recall, fh));
			EXPECT_MEM(r->fh, handle, r->fh_len);
		}
		let_go(p, odd);
	}
	return ret;
}

static void recall_round_trip(void)
{
	static const u16 lens[] = { 1, 7, 8, 100, EBPFS_FH_MAX };
	struct ebpfs_recall p;
	unsigned int i;
	u64 session;

	for (i = 0; i < ARRAY_SIZE(lens); i++) {
		struct ebpfs_recall_info in = {
			.id = 0xfedcba9876543210ull + i, .hold = ~0ull - i,
			.kind = i % 2 ? EBPFS_RECALL_LOCK : EBPFS_RECALL_LEASE,
			.fh = handle, .fh_len = lens[i],
		}, out;

		memset(&p, 0xee, sizeof(p));
		ASSERT_EQ(ebpfs_put_recall(&p, SESSION, &in), sizeof(p));
		EXPECT_EQ(sizeof(p), 168);
		EXPECT(ebpfs_sealed((u8 *)&p, sizeof(p)));
		EXPECT_EQ(ebpfs_parse_hdr(&p, sizeof(p), &session), EBPFS_RECALL);
		EXPECT_EQ(session, SESSION);
		ASSERT_EQ(recall_of(&p, &out), 0);
		EXPECT_EQ(out.id, in.id);
		EXPECT_EQ(out.hold, in.hold);
		EXPECT_EQ(out.kind, in.kind);
		EXPECT_EQ(out.fh_len, in.fh_len);
	}
	EXPECT_EQ(ebpfs_parse_hdr(&p, sizeof(p) - 1, &session), -EBADMSG);
	EXPECT_EQ(ebpfs_type_min_len(EBPFS_RECALL), 168);
}

#define BAD_RECALL(spoil)							\
	do {									\
		ebpfs_put_recall(&p, SESSION, &in);				\
		EXPECT_EQ(recall_of(&p, &out), 0);				\
		spoil;								\
		EXPECT_EQ(recall_of(&p, &out), -EBADMSG);			\
	} while (0)

static void parse_recall_bad(void)
{
	struct ebpfs_recall_info in = { .id = 1, .hold = 2, .kind = EBPFS_RECALL_LEASE,
					.fh = handle, .fh_len = 20 }, out;
	struct ebpfs_recall p;

	BAD_RECALL(p.kind = 0);
	BAD_RECALL(p.kind = 3);
	BAD_RECALL(p.kind = 255);
	BAD_RECALL(p.reserved = 1);
	BAD_RECALL(p.reserved2 = cpu_to_le32(1));
	BAD_RECALL(p.reserved2 = cpu_to_le32(0x80000000));
	BAD_RECALL(p.fh_len = 0);
	BAD_RECALL(p.fh_len = cpu_to_le16(19));		/* something stands behind it */
	BAD_RECALL(p.fh_len = cpu_to_le16(EBPFS_FH_MAX + 1));
	BAD_RECALL(p.fh_len = cpu_to_le16(0xffff));
	BAD_RECALL(p.fh[20] = 1);
	BAD_RECALL(p.fh[EBPFS_FH_MAX - 1] = 0x80);
}

static void recalled(void)
{
	struct ebpfs_recalled p;
	u64 session;

	memset(&p, 0xee, sizeof(p));
	ASSERT_EQ(ebpfs_put_recalled(&p, SESSION, 0xa1b2c3d4e5f60718ull), sizeof(p));
	EXPECT_EQ(sizeof(p), 24);
	EXPECT(ebpfs_sealed((u8 *)&p, sizeof(p)));
	EXPECT_EQ(ebpfs_parse_hdr(&p, sizeof(p), &session), EBPFS_RECALLED);
	EXPECT_EQ(session, SESSION);
	EXPECT_EQ(le64_to_cpu(p.id), 0xa1b2c3d4e5f60718ull);
	EXPECT_EQ(ebpfs_parse_hdr(&p, sizeof(p) - 1, &session), -EBADMSG);
}

/* In memory of exactly @len bytes, aligned and not. */
static int release_of(const void *data, u32 len, struct ebpfs_release_info *r)
{
	int odd, ret = 0;

	for (odd = 0; odd < 2; odd++) {
		u8 *p = exact(data, len, odd);

		memset(r, 0xff, sizeof(*r));
		ret = ebpfs_parse_release(p, len, r);
		if (ret > 0) {
			EXPECT(r->fh == p + sizeof(struct ebpfs_release));
			EXPECT_MEM(r->fh, handle, r->fh_len);
		}
		let_go(p, odd);
	}
	return ret;
}

static void release_round_trip(void)
{
	u8 p[EBPFS_RELEASE_MAX + 8];
	struct ebpfs_release_info out;
	u16 len;

	for (len = 1; len <= EBPFS_FH_MAX; len++) {
		struct ebpfs_release_info in = {
			.hold = 0x8000000000000000ull + len, .fh = handle, .fh_len = len,
		};
		int size = 16 + (len + 7) / 8 * 8;

		memset(p, 0xee, sizeof(p));
		ASSERT_EQ(ebpfs_put_release(p, &in), size);
		ASSERT(size <= (int)EBPFS_RELEASE_MAX);
		EXPECT_EQ(p[size], 0xee);
		/* Alone, and with something behind it. */
		EXPECT_EQ(release_of(p, (u32)size, &out), size);
		EXPECT_EQ(out.hold, in.hold);
		EXPECT_EQ(out.fh_len, in.fh_len);
		EXPECT_EQ(release_of(p, (u32)size + 8, &out), size);
		EXPECT_EQ(release_of(p, (u32)size - 1, &out), -EBADMSG);
	}
}

/* Several, one after the other, to the last byte. */
static void releases_in_a_row(void)
{
	u8 p[4 * EBPFS_RELEASE_MAX];
	struct ebpfs_release_info r;
	u32 len = 0, at = 0;
	int n, size;

	for (n = 0; n < 4; n++) {
		r = (struct ebpfs_release_info){ .hold = 10u + (u32)n, .fh = handle,
						 .fh_len = (u16)(1 + 40 * n) };
		len += ebpfs_put_release(p + len, &r);
	}
	for (n = 0; at < len; n++, at += (u32)size) {
		size = release_of(p + at, len - at, &r);
		ASSERT(size > 0);
		EXPECT_EQ(r.hold, 10u + (u32)n);
		EXPECT_EQ(r.fh_len, 1 + 40 * n);
	}
	EXPECT_EQ(at, len);
	EXPECT_EQ(n, 4);
}

#define BAD_RELEASE(spoil)							\
	do {									\
		memset(&p, 0, sizeof(p));					\
		len = ebpfs_put_release(&p, &in);				\
		EXPECT_EQ(release_of(&p, len, &out), (int)len);			\
		spoil;								\
		EXPECT_EQ(release_of(&p, len, &out), -EBADMSG);			\
	} while (0)

static void parse_release_bad(void)
{
	struct ebpfs_release_info in = { .hold = 3, .fh = handle, .fh_len = 13 }, out;
	union {
		struct ebpfs_release head;
		u8 bytes[EBPFS_RELEASE_MAX + 64];
	} p;
	u32 len, cut;

	BAD_RELEASE(p.head.fh_len = 0);
	BAD_RELEASE(p.head.fh_len = cpu_to_le16(17));
	BAD_RELEASE(p.head.fh_len = cpu_to_le16(12));	/* then padding is not zero */
	BAD_RELEASE(p.head.fh_len = cpu_to_le16(0xffff));
	BAD_RELEASE(p.head.fh_len = cpu_to_le16(0xfff9));	/* 16 bits of it padded are 0 */
	BAD_RELEASE(p.head.fh_len = cpu_to_le16(EBPFS_FH_MAX + 1); len = sizeof(p));
	BAD_RELEASE(p.head.reserved[0] = 1);
	BAD_RELEASE(p.head.reserved[1] = 1);
	BAD_RELEASE(p.head.reserved[2] = cpu_to_le16(0x8000));
	BAD_RELEASE(p.bytes[16 + 13] = 1);
	BAD_RELEASE(p.bytes[16 + 15] = 1);
	len = ebpfs_put_release(&p, &in);
	for (cut = 0; cut < len; cut++)
		EXPECT_EQ(release_of(&p, cut, &out), -EBADMSG);
}

static int lock_of(const struct ebpfs_lock *l)
{
	struct ebpfs_lock out;
	int odd, ret = 0;

	for (odd = 0; odd < 2; odd++) {
		u8 *p = exact(l, sizeof(*l), odd);

		memset(&out, 0xff, sizeof(out));
		ret = ebpfs_parse_lock(p, &out);
		if (!ret)
			EXPECT_MEM(&out, l, sizeof(out));
		let_go(p, odd);
	}
	return ret;
}

static struct ebpfs_lock lock_from(u8 kind, u8 type, u8 flags, u64 start, u64 end)
{
	return (struct ebpfs_lock){
		.owner = cpu_to_le64(~0ull), .start = cpu_to_le64(start), .end = cpu_to_le64(end),
		.pid = cpu_to_le32(~0u), .kind = kind, .type = type, .flags = flags,
	};
}

static int try_lock(u8 kind, u8 type, u8 flags, u64 start, u64 end)
{
	struct ebpfs_lock l = lock_from(kind, type, flags, start, end);

	return lock_of(&l);
}

static void lock_ranges(void)
{
	const u8 posix = EBPFS_LOCK_POSIX, flock = EBPFS_LOCK_FLOCK;
	struct ebpfs_lock l;

	EXPECT_EQ(sizeof(l), 32);
	EXPECT_EQ(try_lock(posix, 0, 0, 0, 0), 0);
	EXPECT_EQ(try_lock(posix, 0, 0, 0, END), 0);
	EXPECT_EQ(try_lock(posix, 0, 0, END, END), 0);
	EXPECT_EQ(try_lock(posix, 0, 0, 7, 8), 0);
	EXPECT_EQ(try_lock(posix, 0, 0, 8, 7), -EBADMSG);
	EXPECT_EQ(try_lock(posix, 0, 0, 1, 0), -EBADMSG);
	EXPECT_EQ(try_lock(posix, 0, 0, 0, END + 1), -EBADMSG);
	EXPECT_EQ(try_lock(posix, 0, 0, END + 1, END + 1), -EBADMSG);
	EXPECT_EQ(try_lock(posix, 0, 0, 0, ~0ull), -EBADMSG);
	EXPECT_EQ(try_lock(posix, 0, 0, ~0ull, 5), -EBADMSG);
	EXPECT_EQ(try_lock(flock, 0, 0, 0, END), 0);
	EXPECT_EQ(try_lock(flock, 0, 0, 1, END), -EBADMSG);
	EXPECT_EQ(try_lock(flock, 0, 0, 0, END - 1), -EBADMSG);
	EXPECT_EQ(try_lock(flock, 0, 0, 0, 0), -EBADMSG);
	l = lock_from(posix, 0, 0, 0, 1);
	l.reserved = 1;
	EXPECT_EQ(lock_of(&l), -EBADMSG);
}

static void lock_kinds_and_flags(void)
{
	int kind, type, flags;

	for (kind = 0; kind < 256; kind++)
		EXPECT_EQ(try_lock((u8)kind, 0, 0, 0, END), kind == 1 || kind == 2 ? 0 : -EBADMSG);
	for (kind = 1; kind <= 2; kind++) {
		for (type = 0; type < 256; type++) {
			for (flags = 0; flags < 256; flags++) {
				/* Waiting and claiming again go together; looking with nothing. */
				bool right = type == EBPFS_LOCK_NONE ? !flags :
					     type < EBPFS_LOCK_NONE &&
					     (flags <= 3 || flags == EBPFS_LOCK_TEST);

				EXPECT_EQ(try_lock((u8)kind, (u8)type, (u8)flags, 0, END),
					  right ? 0 : -EBADMSG);
			}
		}
	}
}

/* A datagram with one call of @op; 0 or -EBADMSG. */
static int call_of(u16 op, u64 arg, u32 count, u16 fh_len, const void *data, u32 len)
{
	struct ebpfs_call_info c = {
		.id = EBPFS_ID(1, 1), .op = op, .arg = arg, .count = count, .fh = handle,
		.fh_len = fh_len, .data = data, .data_len = len,
		.name = (const u8 *)"name", .name_len = op == EBPFS_OP_LOOKUP ? 4 : 0,
	};
	u8 p[1024], *copy;
	struct ebpfs_call_iter it;
	u32 n = ebpfs_put_calls(p, SESSION, 1, 1024);
	int ret;

	n += ebpfs_put_call(p + n, &c, false);
	copy = exact(p, n, true);
	ret = ebpfs_parse_calls(copy, n, &it);
	let_go(copy, true);
	return ret;
}

static void holds_in_calls(void)
{
	static const u16 ops[] = { EBPFS_OP_GETATTR, EBPFS_OP_LOOKUP };
	unsigned int i;
	u32 count;

	for (i = 0; i < ARRAY_SIZE(ops); i++) {
		EXPECT_EQ(call_of(ops[i], 0, 0, 9, NULL, 0), 0);
		for (count = 1; count <= EBPFS_HOLD_ALL; count++) {
			EXPECT_EQ(call_of(ops[i], 1, count, 9, NULL, 0), 0);
			EXPECT_EQ(call_of(ops[i], ~0ull, count, 9, NULL, 0), 0);
			EXPECT_EQ(call_of(ops[i], 0, count, 9, NULL, 0), -EBADMSG);
		}
		EXPECT_EQ(call_of(ops[i], 1, 0, 9, NULL, 0), -EBADMSG);
		EXPECT_EQ(call_of(ops[i], 1, EBPFS_HOLD_ALL + 1, 9, NULL, 0), -EBADMSG);
		EXPECT_EQ(call_of(ops[i], 1, 0x80000000u, 9, NULL, 0), -EBADMSG);
	}
}

static void locks_in_calls(void)
{
	struct ebpfs_lock l = lock_from(EBPFS_LOCK_POSIX, 0, 0, 0, 1);
	u8 more[sizeof(l) + 8] = { 0 };

	memcpy(more, &l, sizeof(l));
	EXPECT_EQ(call_of(EBPFS_OP_LOCK, 1, 0, 9, &l, sizeof(l)), 0);
	EXPECT_EQ(call_of(EBPFS_OP_LOCK, ~0ull, 0, 9, &l, sizeof(l)), 0);
	EXPECT_EQ(call_of(EBPFS_OP_LOCK, 0, 0, 9, &l, sizeof(l)), -EBADMSG);
	EXPECT_EQ(call_of(EBPFS_OP_LOCK, 1, 0, 0, &l, sizeof(l)), -EBADMSG);
	EXPECT_EQ(call_of(EBPFS_OP_LOCK, 1, 0, 9, more, sizeof(l) - 1), -EBADMSG);
	EXPECT_EQ(call_of(EBPFS_OP_LOCK, 1, 0, 9, more, sizeof(l) + 1), -EBADMSG);
	EXPECT_EQ(call_of(EBPFS_OP_LOCK, 1, 0, 9, NULL, 0), -EBADMSG);
}

static void releases_in_calls(void)
{
	struct ebpfs_release_info in = { .hold = 3, .fh = handle, .fh_len = 8 };
	u8 p[EBPFS_RELEASE_MAX];
	u32 len = ebpfs_put_release(p, &in);

	EXPECT_EQ(len, 24);
	EXPECT_EQ(call_of(EBPFS_OP_RELEASE, 0, 0, 0, p, len), 0);
	EXPECT_EQ(call_of(EBPFS_OP_RELEASE, 0, 0, 9, p, len), -EBADMSG);
	EXPECT_EQ(call_of(EBPFS_OP_RELEASE, 0, 0, 0, p, len - 1), -EBADMSG);
	EXPECT_EQ(call_of(EBPFS_OP_RELEASE, 0, 0, 0, NULL, 0), -EBADMSG);
}

static const struct ktap_test tests[] = {
	KTAP_TEST(recall_round_trip),
	KTAP_TEST(parse_recall_bad),
	KTAP_TEST(recalled),
	KTAP_TEST(release_round_trip),
	KTAP_TEST(releases_in_a_row),
	KTAP_TEST(parse_release_bad),
	KTAP_TEST(lock_ranges),
	KTAP_TEST(lock_kinds_and_flags),
	KTAP_TEST(holds_in_calls),
	KTAP_TEST(locks_in_calls),
	KTAP_TEST(releases_in_calls),
};

int main(int argc, char **argv)
{
	return KTAP_MAIN(tests, argc, argv);
}
