// SPDX-License-Identifier: GPL-2.0
/*
 * kmod/core/wire.c: CALL datagrams, built and parsed.
 */
#include "core/wire.h"
#include "lib/ktap.h"
#include "unit/exact.h"

#define SESSION	0x1122334455667788ull

static const u8 handle[EBPFS_FH_MAX] = "\x01handle";
static const u8 name[EBPFS_NAME_MAX + 1] = "name.c";

static struct ebpfs_call_info make_call(u16 op)
{
	struct ebpfs_call_info c = {
		.id = EBPFS_ID(op, 0xa1b2c3d4e5f6ull), .want = 0xfedcba9876543210ull,
		.instance = 77, .op = op, .attempt = 200,
	};

	if (op == EBPFS_OP_PING)
		return c;
	c.fh = handle;
	c.fh_len = 13;
	if (op == EBPFS_OP_READ || op == EBPFS_OP_READDIR) {
		c.arg = 1ull << 40;
		c.count = 61440;
	}
	if (op == EBPFS_OP_LOOKUP) {
		c.name = name;
		c.name_len = 6;
	}
	return c;
}

/* Parses and counts; -EBADMSG or the number of calls. */
static int walk(const void *data, u32 len)
{
	int odd, r = 0, n = 0;

	for (odd = 0; odd < 2; odd++) {
		u8 *p = exact(data, len, odd);
		struct ebpfs_call_iter it;
		struct ebpfs_call_info c;

		n = 0;
		r = ebpfs_parse_calls(p, len, &it);
		if (!r)
			while (ebpfs_next_call(&it, &c))
				n++;
		let_go(p, odd);
	}
	return r ? r : n;
}

/* A CALL datagram with this one call. */
static u32 one_call(u8 *p, const struct ebpfs_call_info *c)
{
	u32 len = ebpfs_put_calls(p, SESSION, 1, 8920);

	return len + ebpfs_put_call(p + len, c, false);
}

static void calls_round_trip(void)
{
	u8 p[2048];
	struct ebpfs_call_iter it;
	struct ebpfs_call_info in, out;
	u64 session;
	u32 len, start;
	int pass;
	u16 op;

	/* Each op with its own handle, then each with the handle of the call before. */
	for (pass = 0; pass < 2; pass++) {
		memset(p, 0xff, sizeof(p));
		len = ebpfs_put_calls(p, SESSION, 7, 8920);
		EXPECT_EQ(len, 24);
		for (op = EBPFS_OP_PING; op <= EBPFS_OP_STATFS; op++) {
			bool reuse = pass && op > EBPFS_OP_GETATTR;

			in = make_call(op);
			start = len;
			len += ebpfs_put_call(p + len, &in, reuse);
			EXPECT_EQ(len - start, ebpfs_call_size(&in, reuse));
			EXPECT_EQ(len % 8, 0);
		}
		ebpfs_seal(p, len);
		EXPECT(ebpfs_sealed(p, len));
		EXPECT_EQ(ebpfs_parse_hdr(p, len, &session), EBPFS_CALL);
		EXPECT_EQ(session, SESSION);
		EXPECT_EQ(walk(p, len), 7);
		ASSERT_EQ(ebpfs_parse_calls(p, len, &it), 0);
		for (op = EBPFS_OP_PING; op <= EBPFS_OP_STATFS; op++) {
			in = make_call(op);
			memset(&out, 0xff, sizeof(out));
			ASSERT(ebpfs_next_call(&it, &out));
			EXPECT_EQ(out.id, in.id);
			EXPECT_EQ(out.want, in.want);
			EXPECT_EQ(out.instance, in.instance);
			EXPECT_EQ(out.cred, 0);
			EXPECT_EQ(out.op, op);
			EXPECT_EQ(out.cell, 8920);
			EXPECT_EQ(out.attempt, 200);
			EXPECT_EQ(out.arg, in.arg);
			EXPECT_EQ(out.count, in.count);
			EXPECT_EQ(out.fh_len, in.fh_len);
			EXPECT_EQ(out.name_len, in.name_len);
			if (in.fh_len)
				ASSERT_MEM(out.fh, handle, in.fh_len);
			if (in.name_len)
				ASSERT_MEM(out.name, name, in.name_len);
		}
		EXPECT(!ebpfs_next_call(&it, &out));
		EXPECT(!ebpfs_next_call(&it, &out));
	}
}

static void call_size(void)
{
	struct ebpfs_call_info c = make_call(EBPFS_OP_PING);

	EXPECT_EQ(ebpfs_call_size(&c, false), 32);
	c = make_call(EBPFS_OP_READ);
	EXPECT_EQ(ebpfs_call_size(&c, false), 32 + 32 + 16);
	EXPECT_EQ(ebpfs_call_size(&c, true), 32 + 32);
	c = make_call(EBPFS_OP_LOOKUP);
	EXPECT_EQ(ebpfs_call_size(&c, false), 32 + 32 + 16 + 8);
	c.fh_len = 16;
	c.name_len = 255;
	EXPECT_EQ(ebpfs_call_size(&c, false), 32 + 32 + 16 + 256);
}

/* Nothing of what was in the buffer before, or lies behind handle and name, goes out. */
static void put_call_pads_with_zero(void)
{
	struct ebpfs_call_info c = make_call(EBPFS_OP_LOOKUP);
	u8 fh[16], long_name[16], p[256];
	u32 len, i;

	memset(fh, 0xee, sizeof(fh));
	memset(long_name, 'n', sizeof(long_name));
	memset(p, 0xdd, sizeof(p));
	c.fh = fh;
	c.name = long_name;
	len = one_call(p, &c);
	EXPECT_EQ(walk(p, len), 1);
	for (i = 24 + 32 + 16 + 13; i < 24 + 32 + 16 + 16; i++)
		EXPECT_EQ(p[i], 0);
	for (i = len - 2; i < len; i++)
		EXPECT_EQ(p[i], 0);
	EXPECT_EQ(p[len], 0xdd);
}

static void parse_calls_truncated(void)
{
	u8 p[2048];
	u32 len, cut;
	u16 op;
	struct ebpfs_call_info c;

	len = ebpfs_put_calls(p, SESSION, 7, 1024);
	for (op = EBPFS_OP_PING; op <= EBPFS_OP_STATFS; op++) {
		c = make_call(op);
		len += ebpfs_put_call(p + len, &c, op > EBPFS_OP_READDIR);
	}
	EXPECT_EQ(walk(p, len), 7);
	for (cut = 0; cut < len; cut++)
		EXPECT_EQ(walk(p, cut), -EBADMSG);
	memset(p + len, 0, 64);
	for (cut = 1; cut <= 64; cut++)
		EXPECT_EQ(walk(p, len + cut), -EBADMSG);
}

/* One field of a datagram with one call is spoilt. */
#define BAD_CALLS(op_, spoil)							\
	do {									\
		c = make_call(op_);						\
		len = one_call(p.bytes, &c);					\
		EXPECT_EQ(walk(p.bytes, len), 1);				\
		spoil;								\
		EXPECT_EQ(walk(p.bytes, len), -EBADMSG);			\
	} while (0)

static void parse_calls_bad(void)
{
	union {
		u8 bytes[512];
		struct {
			struct ebpfs_calls head;
			struct ebpfs_call call;
			struct ebpfs_body body;
		};
	} p;
	struct ebpfs_call_info c;
	u32 len;
	u16 op;

	for (op = EBPFS_OP_PING; op <= EBPFS_OP_STATFS; op++) {
		BAD_CALLS(op, p.head.count = 0);
		BAD_CALLS(op, p.head.count = cpu_to_le16(2));
		BAD_CALLS(op, p.head.count = cpu_to_le16(0xffff));
		BAD_CALLS(op, p.head.cell = 0);
		BAD_CALLS(op, p.head.cell = cpu_to_le16(1016));
		BAD_CALLS(op, p.head.cell = cpu_to_le16(1028));
		BAD_CALLS(op, p.head.cell = cpu_to_le16(65464));
		BAD_CALLS(op, p.head.reserved = cpu_to_le32(1));
		BAD_CALLS(op, p.call.id = cpu_to_le64(0xffff));
		BAD_CALLS(op, p.call.op = 0);
		BAD_CALLS(op, p.call.op = cpu_to_le16(EBPFS_OP_LAST + 1));
		BAD_CALLS(op, p.call.op = cpu_to_le16(op + 0x100));
		BAD_CALLS(op, p.call.len = cpu_to_le16(le16_to_cpu(p.call.len) + 8));
		BAD_CALLS(op, p.call.len = cpu_to_le16(le16_to_cpu(p.call.len) - 8));
		BAD_CALLS(op, p.call.len = cpu_to_le16(le16_to_cpu(p.call.len) + 4));
		BAD_CALLS(op, p.call.len = cpu_to_le16(0xfff8));
		BAD_CALLS(op, p.call.flags = EBPFS_CALL_APART);
		BAD_CALLS(op, p.call.flags = 2);
		BAD_CALLS(op, p.call.reserved = cpu_to_le16(1));
		if (op == EBPFS_OP_PING)
			continue;
		BAD_CALLS(op, p.call.op = cpu_to_le16(EBPFS_OP_PING));
		BAD_CALLS(op, p.body.fh_len = 0);
		BAD_CALLS(op, p.body.fh_len = cpu_to_le16(17));
		BAD_CALLS(op, p.body.fh_len = cpu_to_le16(0xfff8));
		BAD_CALLS(op, p.body.name_len = cpu_to_le16(0xfff8));
		BAD_CALLS(op, p.body.name_len = cpu_to_le16(9));
		/* The padding of the handle. */
		BAD_CALLS(op, p.bytes[24 + 32 + 16 + 13] = 1);
		BAD_CALLS(op, p.bytes[24 + 32 + 16 + 15] = 1);
	}
}

static void parse_calls_checks_args(void)
{
	u8 fh[EBPFS_FH_MAX + 8] = { 1 }, long_name[EBPFS_NAME_MAX + 1];
	struct ebpfs_call_info c;
	u8 p[1024];
	u16 op;

	memset(long_name, 'x', sizeof(long_name));
	for (op = EBPFS_OP_GETATTR; op <= EBPFS_OP_STATFS; op++) {
		c = make_call(op);
		c.fh = fh;
		c.fh_len = EBPFS_FH_MAX;
		EXPECT_EQ(walk(p, one_call(p, &c)), 1);
		c.fh_len = EBPFS_FH_MAX + 1;
		EXPECT_EQ(walk(p, one_call(p, &c)), -EBADMSG);
		c = make_call(op);
		c.fh_len = 1;
		EXPECT_EQ(walk(p, one_call(p, &c)), 1);
		if (op == EBPFS_OP_LOOKUP)
			continue;
		c.name = name;
		c.name_len = 6;
		EXPECT_EQ(walk(p, one_call(p, &c)), -EBADMSG);
	}

	for (op = EBPFS_OP_READDIR; op <= EBPFS_OP_READ; op += EBPFS_OP_READ - EBPFS_OP_READDIR) {
		c = make_call(op);
		c.count = 0;
		EXPECT_EQ(walk(p, one_call(p, &c)), -EBADMSG);
		c.count = EBPFS_MSG_MAX;
		EXPECT_EQ(walk(p, one_call(p, &c)), 1);
		c.count = EBPFS_MSG_MAX + 1;
		EXPECT_EQ(walk(p, one_call(p, &c)), -EBADMSG);
		c.count = ~0u;
		EXPECT_EQ(walk(p, one_call(p, &c)), -EBADMSG);
		c.count = 10;
		c.arg = INT64_MAX - 10;
		EXPECT_EQ(walk(p, one_call(p, &c)), 1);
		c.arg++;
		EXPECT_EQ(walk(p, one_call(p, &c)), op == EBPFS_OP_READ ? -EBADMSG : 1);
		c.arg = ~0ull;
		EXPECT_EQ(walk(p, one_call(p, &c)), op == EBPFS_OP_READ ? -EBADMSG : 1);
	}

	c = make_call(EBPFS_OP_LOOKUP);
	c.name = long_name;
	c.name_len = EBPFS_NAME_MAX;
	EXPECT_EQ(walk(p, one_call(p, &c)), 1);
	c.name_len = EBPFS_NAME_MAX + 1;
	EXPECT_EQ(walk(p, one_call(p, &c)), -EBADMSG);
}

static int lookup(const char *text, u16 len)
{
	struct ebpfs_call_info c = make_call(EBPFS_OP_LOOKUP);
	u8 p[512];

	c.name = (const u8 *)text;
	c.name_len = len;
	return walk(p, one_call(p, &c));
}

static void lookup_names(void)
{
	EXPECT_EQ(lookup("a", 1), 1);
	EXPECT_EQ(lookup("...", 3), 1);
	EXPECT_EQ(lookup("..a", 3), 1);
	EXPECT_EQ(lookup(".a", 2), 1);
	EXPECT_EQ(lookup("a\nb\xff", 4), 1);
	EXPECT_EQ(lookup("", 0), -EBADMSG);
	EXPECT_EQ(lookup(".", 1), -EBADMSG);
	EXPECT_EQ(lookup("..", 2), -EBADMSG);
	EXPECT_EQ(lookup("/", 1), -EBADMSG);
	EXPECT_EQ(lookup("a/b", 3), -EBADMSG);
	EXPECT_EQ(lookup("a/", 2), -EBADMSG);
	EXPECT_EQ(lookup("../x", 4), -EBADMSG);
	EXPECT_EQ(lookup("a\0b", 3), -EBADMSG);
	EXPECT_EQ(lookup("a\0", 2), -EBADMSG);
	EXPECT_EQ(lookup("\0", 1), -EBADMSG);
}

/* A bad call behind good ones spoils the whole datagram. */
static void parse_calls_all_or_nothing(void)
{
	struct ebpfs_call_info c = make_call(EBPFS_OP_GETATTR);
	u8 p[1024];
	u32 len, last;

	len = ebpfs_put_calls(p, SESSION, 3, 1024);
	len += ebpfs_put_call(p + len, &c, false);
	len += ebpfs_put_call(p + len, &c, true);
	last = len;
	len += ebpfs_put_call(p + len, &c, true);
	EXPECT_EQ(walk(p, len), 3);
	p[last + offsetof(struct ebpfs_call, flags)] = 1;
	EXPECT_EQ(walk(p, len), -EBADMSG);
}

/* There is no handle before the first call, and a PING brings none. */
static void reuse_needs_a_handle(void)
{
	struct ebpfs_call_info get = make_call(EBPFS_OP_GETATTR);
	struct ebpfs_call_info ping = make_call(EBPFS_OP_PING);
	u8 p[1024];
	u32 len;

	len = ebpfs_put_calls(p, SESSION, 2, 1024);
	len += ebpfs_put_call(p + len, &ping, false);
	len += ebpfs_put_call(p + len, &get, true);
	EXPECT_EQ(walk(p, len), -EBADMSG);

	len = ebpfs_put_calls(p, SESSION, 3, 1024);
	len += ebpfs_put_call(p + len, &get, false);
	len += ebpfs_put_call(p + len, &ping, false);
	len += ebpfs_put_call(p + len, &get, true);
	EXPECT_EQ(walk(p, len), 3);
}

/* Most calls that a datagram holds. */
static void many_calls(void)
{
	struct ebpfs_call_info ping = make_call(EBPFS_OP_PING);
	u32 n = (EBPFS_UDP_PAYLOAD_MAX - 24) / 32, i, len;
	u8 *p = exact(NULL, EBPFS_UDP_PAYLOAD_MAX, false);

	len = ebpfs_put_calls(p, SESSION, n, 1024);
	for (i = 0; i < n; i++)
		len += ebpfs_put_call(p + len, &ping, false);
	EXPECT_EQ(walk(p, len), n);
	let_go(p, false);
}

static const struct ktap_test tests[] = {
	KTAP_TEST(calls_round_trip),
	KTAP_TEST(call_size),
	KTAP_TEST(put_call_pads_with_zero),
	KTAP_TEST(parse_calls_truncated),
	KTAP_TEST(parse_calls_bad),
	KTAP_TEST(parse_calls_checks_args),
	KTAP_TEST(lookup_names),
	KTAP_TEST(parse_calls_all_or_nothing),
	KTAP_TEST(reuse_needs_a_handle),
	KTAP_TEST(many_calls),
};

int main(int argc, char **argv)
{
	return KTAP_MAIN(tests, argc, argv);
}
