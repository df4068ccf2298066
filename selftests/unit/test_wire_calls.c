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
static const u8 attr[sizeof(struct ebpfs_setattr)] =
	"attributes, to be looked at by another parser";

/* Data that every op's parser would take, long enough for each. */
static const u8 *op_data(u16 op, u32 *len)
{
	static u8 data[EBPFS_MSG_MAX];
	struct ebpfs_create create = { .mode = cpu_to_le32(0100644) };
	struct ebpfs_target_info t = {
		.fh = handle, .fh_len = 13, .name = name, .name_len = 6,
	};

	memset(data, 0, sizeof(data));
	switch (op) {
	case EBPFS_OP_CREATE:
	case EBPFS_OP_TMPFILE:
		memcpy(data, &create, sizeof(create));
		*len = sizeof(create);
		break;
	case EBPFS_OP_RENAME:
	case EBPFS_OP_LINK:
		*len = ebpfs_put_target(data, &t);
		break;
	case EBPFS_OP_SETATTR:
		*len = sizeof(struct ebpfs_setattr);
		break;
	case EBPFS_OP_CRED:
		*len = sizeof(struct ebpfs_cred);
		break;
	case EBPFS_OP_WRITE:
	case EBPFS_OP_WRITEATTR:
	case EBPFS_OP_APPEND:
	case EBPFS_OP_SETXATTR:
		memset(data, 'w', sizeof(data));
		*len = 21;
		break;
	case EBPFS_OP_FALLOCATE:
		*len = sizeof(struct ebpfs_range);
		break;
	case EBPFS_OP_COPY:
		*len = sizeof(struct ebpfs_copy) + 16;
		break;
	case EBPFS_OP_RELEASE:
		*len = sizeof(struct ebpfs_release) + 16;
		break;
	case EBPFS_OP_LOCK:
		*len = sizeof(struct ebpfs_lock);
		break;
	default:
		*len = 0;
	}
	return *len ? data : NULL;
}

static bool writes(u16 op)
{
	return op == EBPFS_OP_WRITE || op == EBPFS_OP_WRITEATTR;
}

/* Does the op take a hold? */
static bool may_hold(u16 op)
{
	return op == EBPFS_OP_GETATTR || op == EBPFS_OP_LOOKUP || op == EBPFS_OP_CREATE ||
	       op == EBPFS_OP_TMPFILE;
}

/* A call that has what its op asks for, and no more. */
static struct ebpfs_call_info make_call(u16 op)
{
	const struct ebpfs_op_traits *t = ebpfs_op_traits(op);
	struct ebpfs_call_info c = {
		.id = EBPFS_ID(op, 0xa1b2c3d4e5f6ull), .want = 0xfedcba9876543210ull,
		.instance = 77, .op = op, .attempt = 200, .cred = 0x89abcdef,
	};

	if (!t)
		return c;
	if (t->flags & EBPFS_TRAIT_FH) {
		c.fh = handle;
		c.fh_len = 13;
	}
	if (t->flags & (EBPFS_TRAIT_NAME | EBPFS_TRAIT_XATTR)) {
		c.name = name;
		c.name_len = 6;
	}
	c.arg = op == EBPFS_OP_CRED ? 0xfedcba98 : 1ull << 40;
	if (t->flags & EBPFS_TRAIT_ATTR)
		c.attr = attr;
	c.count = writes(op) ? EBPFS_WRITE_STABLE :
		  may_hold(op) ? EBPFS_HOLD_ALL : 61440;
	if (t->flags & EBPFS_TRAIT_ONCE)
		c.op_id = 0x123456789abcdef0ull + op;
	c.data = op_data(op, &c.data_len);
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

static void same_call(const struct ebpfs_call_info *out, const struct ebpfs_call_info *in)
{
	EXPECT_EQ(out->id, in->id);
	EXPECT_EQ(out->want, in->want);
	EXPECT_EQ(out->instance, in->instance);
	EXPECT_EQ(out->cred, in->cred);
	EXPECT_EQ(out->op, in->op);
	EXPECT_EQ(out->cell, 8920);
	EXPECT_EQ(out->attempt, 200);
	EXPECT_EQ(out->apart, in->apart);
	EXPECT_EQ(out->arg, in->arg);
	EXPECT_EQ(out->op_id, in->op_id);
	EXPECT_EQ(out->count, in->count);
	EXPECT_EQ(out->data_len, in->data_len);
	EXPECT_EQ(out->fh_len, in->fh_len);
	EXPECT_EQ(out->name_len, in->name_len);
	if (in->fh_len)
		ASSERT_MEM(out->fh, handle, in->fh_len);
	else
		EXPECT(!out->fh);
	if (in->name_len)
		ASSERT_MEM(out->name, name, in->name_len);
	if (in->attr)
		ASSERT_MEM(out->attr, attr, sizeof(attr));
	else
		EXPECT(!out->attr);
	if (in->data_len && !in->apart)
		ASSERT_MEM(out->data, in->data, in->data_len);
	else
		EXPECT(!out->data);
}

static void calls_round_trip(void)
{
	enum { OWN, REUSED, APART, PASSES } pass;
	u8 p[4096];
	struct ebpfs_call_iter it;
	struct ebpfs_call_info in, out;
	u64 session;
	u32 len, start;
	u16 op;

	/*
	 * Each op with its own handle, then each with the handle of the call before,
	 * then with its data apart.
	 */
	for (pass = OWN; pass < PASSES; pass++) {
		memset(p, 0xff, sizeof(p));
		len = ebpfs_put_calls(p, SESSION, EBPFS_OP_LAST, 8920);
		EXPECT_EQ(len, 24);
		for (op = EBPFS_OP_PING; op <= EBPFS_OP_LAST; op++) {
			bool reuse;

			in = make_call(op);
			in.apart = pass == APART && in.data_len;
			reuse = pass == REUSED && op > EBPFS_OP_GETATTR && in.fh_len;
			start = len;
			len += ebpfs_put_call(p + len, &in, reuse);
			EXPECT_EQ(len - start, ebpfs_call_size(&in, reuse));
			EXPECT_EQ(len % 8, 0);
		}
		ebpfs_seal(p, len);
		EXPECT(ebpfs_sealed(p, len));
		EXPECT_EQ(ebpfs_parse_hdr(p, len, &session), EBPFS_CALL);
		EXPECT_EQ(session, SESSION);
		EXPECT_EQ(walk(p, len), EBPFS_OP_LAST);
		ASSERT_EQ(ebpfs_parse_calls(p, len, &it), 0);
		for (op = EBPFS_OP_PING; op <= EBPFS_OP_LAST; op++) {
			in = make_call(op);
			in.apart = pass == APART && in.data_len;
			memset(&out, 0xff, sizeof(out));
			ASSERT(ebpfs_next_call(&it, &out));
			same_call(&out, &in);
		}
		EXPECT(!ebpfs_next_call(&it, &out));
		EXPECT(!ebpfs_next_call(&it, &out));
	}
}

/* The caller puts the data there itself, behind the call. */
static void data_left_to_the_caller(void)
{
	struct ebpfs_call_info c = make_call(EBPFS_OP_WRITE), out;
	struct ebpfs_call_iter it;
	u8 p[256], with[256];
	u32 len;

	memset(p, 0xdd, sizeof(p));
	EXPECT_EQ(one_call(with, &c), 24 + 32 + 32 + 16 + 24);
	c.data = NULL;
	len = one_call(p, &c);
	EXPECT_EQ(len, 24 + 32 + 32 + 16 + 24);
	EXPECT_EQ(p[24 + 32 + 32 + 16], 0xdd);
	memset(p + 24 + 32 + 32 + 16, 'w', 21);
	memset(p + 24 + 32 + 32 + 16 + 21, 0, 3);
	ASSERT_MEM(p, with, len);
	ASSERT_EQ(ebpfs_parse_calls(p, len, &it), 0);
	ASSERT(ebpfs_next_call(&it, &out));
	EXPECT_EQ(out.data_len, 21);
}

/* Attributes are there just where the op has them, before the data, which may be apart. */
static void attributes(void)
{
	struct ebpfs_call_info c = make_call(EBPFS_OP_WRITEATTR);
	u8 p[512];

	EXPECT_EQ(one_call(p, &c), 24 + 32 + 32 + 16 + 48 + 24);
	ASSERT_MEM(p + 24 + 32 + 32 + 16, attr, sizeof(attr));
	ASSERT_MEM(p + 24 + 32 + 32 + 16 + 48, c.data, 21);
	EXPECT_EQ(walk(p, one_call(p, &c)), 1);
	c.apart = true;
	EXPECT_EQ(one_call(p, &c), 24 + 32 + 32 + 16 + 48);
	EXPECT_EQ(walk(p, one_call(p, &c)), 1);
	c.attr = NULL;
	EXPECT_EQ(walk(p, one_call(p, &c)), -EBADMSG);
	c.apart = false;
	EXPECT_EQ(walk(p, one_call(p, &c)), -EBADMSG);
	/* As many bytes as it takes, but they are the data's. */
	c.data_len = 48;
	EXPECT_EQ(walk(p, one_call(p, &c)), -EBADMSG);
	c = make_call(EBPFS_OP_WRITE);
	c.attr = attr;
	EXPECT_EQ(walk(p, one_call(p, &c)), -EBADMSG);
}

/* Most that one datagram holds, and most that comes apart. */
static void large_data(void)
{
	struct ebpfs_call_info c = make_call(EBPFS_OP_WRITE), out;
	struct ebpfs_call_iter it;
	u8 *p = exact(NULL, EBPFS_UDP_PAYLOAD_MAX, false);
	u32 len;

	op_data(EBPFS_OP_WRITE, &len);
	c.data_len = (EBPFS_UDP_PAYLOAD_MAX - 24 - 32 - 32 - 16) & ~7u;
	len = one_call(p, &c);
	EXPECT(len <= EBPFS_UDP_PAYLOAD_MAX);
	EXPECT_EQ(walk(p, len), 1);
	c.apart = true;
	c.data_len = EBPFS_MSG_MAX;
	len = one_call(p, &c);
	EXPECT_EQ(len, 24 + 32 + 32 + 16);
	ASSERT_EQ(ebpfs_parse_calls(p, len, &it), 0);
	ASSERT(ebpfs_next_call(&it, &out));
	EXPECT_EQ(out.data_len, EBPFS_MSG_MAX);
	EXPECT(out.apart);
	c.data_len++;
	EXPECT_EQ(walk(p, one_call(p, &c)), -EBADMSG);
	let_go(p, false);
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
	u8 p[4096];
	u32 len, cut;
	u16 op;
	struct ebpfs_call_info c;

	len = ebpfs_put_calls(p, SESSION, EBPFS_OP_LAST, 1024);
	for (op = EBPFS_OP_PING; op <= EBPFS_OP_LAST; op++) {
		c = make_call(op);
		len += ebpfs_put_call(p + len, &c, c.fh_len && op > EBPFS_OP_READDIR);
	}
	EXPECT_EQ(walk(p, len), EBPFS_OP_LAST);
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
	u32 len, body;
	u16 op;

	for (op = EBPFS_OP_PING; op <= EBPFS_OP_LAST; op++) {
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
		BAD_CALLS(op, p.call.flags = 0x80);
		BAD_CALLS(op, p.call.reserved = cpu_to_le16(1));
		if (op == EBPFS_OP_PING)
			continue;
		BAD_CALLS(op, p.call.op = cpu_to_le16(EBPFS_OP_PING));
		BAD_CALLS(op, p.body.fh_len = cpu_to_le16(c.fh_len ? 0 : 8));
		BAD_CALLS(op, p.body.fh_len = cpu_to_le16(17));
		BAD_CALLS(op, p.body.fh_len = cpu_to_le16(0xfff8));
		BAD_CALLS(op, p.body.name_len = cpu_to_le16(0xfff8));
		BAD_CALLS(op, p.body.name_len = cpu_to_le16(9));
		BAD_CALLS(op, p.body.reserved = cpu_to_le32(1));
		BAD_CALLS(op, p.body.data_len = cpu_to_le32(c.data_len + 8));
		BAD_CALLS(op, p.body.data_len = cpu_to_le32(c.data_len - 8));
		BAD_CALLS(op, p.body.data_len = cpu_to_le32(0x80000000));
		BAD_CALLS(op, p.body.data_len = cpu_to_le32(~0u));
		BAD_CALLS(op, p.body.op_id = p.body.op_id ? 0 : 1);
		/* The padding of handle, name and data. */
		body = 24 + 32 + 32;
		if (c.fh_len) {
			BAD_CALLS(op, p.bytes[body + 13] = 1);
			BAD_CALLS(op, p.bytes[body + 15] = 1);
			body += 16;
		}
		if (c.name_len) {
			BAD_CALLS(op, p.bytes[body + 6] = 1);
			BAD_CALLS(op, p.bytes[body + 7] = 1);
			body += 8;
		}
		body += c.attr ? sizeof(struct ebpfs_setattr) : 0;
		if (c.data_len % 8) {
			BAD_CALLS(op, p.bytes[body + c.data_len] = 1);
			BAD_CALLS(op, p.bytes[len - 1] = 1);
		}
	}
}

/* What each op asks of its handle and name, by its traits. */
static void parse_calls_checks_names(void)
{
	u8 fh[EBPFS_FH_MAX + 8] = { 1 }, long_name[EBPFS_NAME_MAX + 1];
	const struct ebpfs_op_traits *t;
	struct ebpfs_call_info c;
	u8 p[1024];
	u16 op;

	memset(long_name, 'x', sizeof(long_name));
	for (op = EBPFS_OP_GETATTR; op <= EBPFS_OP_LAST; op++) {
		t = ebpfs_op_traits(op);
		c = make_call(op);
		c.fh = fh;
		if (t->flags & EBPFS_TRAIT_FH) {
			c.fh_len = EBPFS_FH_MAX;
			EXPECT_EQ(walk(p, one_call(p, &c)), 1);
			c.fh_len = EBPFS_FH_MAX + 1;
			EXPECT_EQ(walk(p, one_call(p, &c)), -EBADMSG);
			c.fh_len = 1;
			EXPECT_EQ(walk(p, one_call(p, &c)), 1);
			c.fh_len = 0;
			EXPECT_EQ(walk(p, one_call(p, &c)), -EBADMSG);
		} else {
			c.fh_len = 1;
			EXPECT_EQ(walk(p, one_call(p, &c)), -EBADMSG);
		}
		c = make_call(op);
		if (t->flags & (EBPFS_TRAIT_NAME | EBPFS_TRAIT_XATTR)) {
			bool entry = t->flags & EBPFS_TRAIT_NAME;

			EXPECT(!(t->flags & EBPFS_TRAIT_NAME) != !(t->flags & EBPFS_TRAIT_XATTR));
			c.name = long_name;
			c.name_len = EBPFS_NAME_MAX;
			EXPECT_EQ(walk(p, one_call(p, &c)), 1);
			c.name_len = EBPFS_NAME_MAX + 1;
			EXPECT_EQ(walk(p, one_call(p, &c)), -EBADMSG);
			c.name_len = 0;
			EXPECT_EQ(walk(p, one_call(p, &c)), -EBADMSG);
			c.name = (const u8 *)"a\0b";
			c.name_len = 3;
			EXPECT_EQ(walk(p, one_call(p, &c)), -EBADMSG);
			/* An attribute's is no directory's entry. */
			c.name = (const u8 *)"..";
			c.name_len = 2;
			EXPECT_EQ(walk(p, one_call(p, &c)), entry ? -EBADMSG : 1);
			c.name = (const u8 *)"user.a/b";
			c.name_len = 8;
			EXPECT_EQ(walk(p, one_call(p, &c)), entry ? -EBADMSG : 1);
		} else {
			c.name = name;
			c.name_len = 6;
			EXPECT_EQ(walk(p, one_call(p, &c)), -EBADMSG);
		}
	}
}

/* Data within the op's limits, there or apart; an op_id just where it belongs. */
static void parse_calls_checks_data(void)
{
	u8 *p = exact(NULL, EBPFS_MSG_MAX + 1024, false);
	const struct ebpfs_op_traits *t;
	struct ebpfs_call_info c;
	u32 len;
	u16 op;

	for (op = EBPFS_OP_GETATTR; op <= EBPFS_OP_LAST; op++) {
		t = ebpfs_op_traits(op);
		ASSERT(t && t->data_min <= t->data_max && t->data_max <= EBPFS_MSG_MAX);
		c = make_call(op);
		EXPECT_EQ(!!c.op_id, !!(t->flags & EBPFS_TRAIT_ONCE));
		c.op_id = c.op_id ? 0 : 1;
		EXPECT_EQ(walk(p, one_call(p, &c)), -EBADMSG);

		c = make_call(op);
		c.data = op_data(EBPFS_OP_WRITE, &len);
		for (c.apart = false; ; c.apart = true) {
			u32 most = c.apart || t->data_max < 60000 ? t->data_max : 60000;

			c.data_len = most;
			EXPECT_EQ(walk(p, one_call(p, &c)), c.apart && !most ? -EBADMSG : 1);
			c.data_len = t->data_max + 1;
			if (c.apart || t->data_max < 60000)
				EXPECT_EQ(walk(p, one_call(p, &c)), -EBADMSG);
			c.data_len = t->data_min;
			EXPECT_EQ(walk(p, one_call(p, &c)), c.apart && !t->data_min ? -EBADMSG : 1);
			if (t->data_min) {
				c.data_len = t->data_min - 1;
				EXPECT_EQ(walk(p, one_call(p, &c)), -EBADMSG);
			}
			if (c.apart)
				break;
		}
	}
	let_go(p, false);
}

static int with_args(u16 op, u64 arg, u32 count)
{
	struct ebpfs_call_info c = make_call(op);
	u8 p[1024];

	c.arg = arg;
	c.count = count;
	return walk(p, one_call(p, &c));
}

static void parse_calls_checks_args(void)
{
	u16 op;

	for (op = EBPFS_OP_GETATTR; op <= EBPFS_OP_LAST; op++) {
		bool counts = ebpfs_op_traits(op)->flags & EBPFS_TRAIT_COUNT;

		if (may_hold(op)) {
			/* Who makes a file without a name has to hold it open. */
			int other = op == EBPFS_OP_TMPFILE ? -EBADMSG : 1;

			EXPECT_EQ(with_args(op, 0, 0), other);
			EXPECT_EQ(with_args(op, 1, 0), -EBADMSG);
			EXPECT_EQ(with_args(op, 0, EBPFS_HOLD_OPEN), -EBADMSG);
			EXPECT_EQ(with_args(op, 1, EBPFS_HOLD_OPEN), 1);
			EXPECT_EQ(with_args(op, ~0ull, EBPFS_HOLD_ALL), 1);
			EXPECT_EQ(with_args(op, ~0ull, EBPFS_HOLD_LEASE), other);
			EXPECT_EQ(with_args(op, 1, EBPFS_HOLD_ALL + 1), -EBADMSG);
			continue;
		}
		EXPECT_EQ(with_args(op, 1, 0), counts ? -EBADMSG : 1);
		EXPECT_EQ(with_args(op, 1, 1), 1);
		if (writes(op))
			continue;
		EXPECT_EQ(with_args(op, 1, EBPFS_MSG_MAX), 1);
		EXPECT_EQ(with_args(op, 1, EBPFS_MSG_MAX + 1), counts ? -EBADMSG : 1);
		EXPECT_EQ(with_args(op, 1, ~0u), counts ? -EBADMSG : 1);
	}

	/* Contents that come along with a name, and only with one. */
	EXPECT_EQ(with_args(EBPFS_OP_LOOKUP, 0, 1u << EBPFS_FIRST_SHIFT), 1);
	EXPECT_EQ(with_args(EBPFS_OP_LOOKUP, 1, 1u << EBPFS_FIRST_SHIFT), -EBADMSG);
	EXPECT_EQ(with_args(EBPFS_OP_LOOKUP, 1,
			    EBPFS_FIRST_MAX << EBPFS_FIRST_SHIFT | EBPFS_HOLD_ALL), 1);
	EXPECT_EQ(with_args(EBPFS_OP_LOOKUP, 0, (EBPFS_FIRST_MAX + 1) << EBPFS_FIRST_SHIFT),
		  -EBADMSG);
	EXPECT_EQ(with_args(EBPFS_OP_LOOKUP, 0, ~0u << EBPFS_FIRST_SHIFT), -EBADMSG);
	EXPECT_EQ(with_args(EBPFS_OP_GETATTR, 0, 1u << EBPFS_FIRST_SHIFT), -EBADMSG);
	EXPECT_EQ(with_args(EBPFS_OP_CREATE, 0, 1u << EBPFS_FIRST_SHIFT), -EBADMSG);

	/* A file has at most 2^63-1 bytes. */
	EXPECT_EQ(with_args(EBPFS_OP_READ, INT64_MAX - 10, 10), 1);
	EXPECT_EQ(with_args(EBPFS_OP_READ, INT64_MAX - 9, 10), -EBADMSG);
	EXPECT_EQ(with_args(EBPFS_OP_READ, ~0ull, 10), -EBADMSG);
	EXPECT_EQ(with_args(EBPFS_OP_READDIR, ~0ull, 10), 1);
	EXPECT_EQ(with_args(EBPFS_OP_COMMIT, INT64_MAX - 10, 10), 1);
	EXPECT_EQ(with_args(EBPFS_OP_COMMIT, INT64_MAX - 9, 10), -EBADMSG);
	EXPECT_EQ(with_args(EBPFS_OP_COMMIT, INT64_MAX, 0), 1);
	EXPECT_EQ(with_args(EBPFS_OP_COMMIT, 1ull << 63, 0), -EBADMSG);
	EXPECT_EQ(with_args(EBPFS_OP_SEEK, INT64_MAX, 3), 1);
	EXPECT_EQ(with_args(EBPFS_OP_SEEK, 1ull << 63, 3), -EBADMSG);
	/* 21 bytes of data. */
	EXPECT_EQ(with_args(EBPFS_OP_WRITE, INT64_MAX - 21, 0), 1);
	EXPECT_EQ(with_args(EBPFS_OP_WRITE, INT64_MAX - 20, 0), -EBADMSG);
	EXPECT_EQ(with_args(EBPFS_OP_WRITE, ~0ull, 0), -EBADMSG);
	EXPECT_EQ(with_args(EBPFS_OP_WRITE, 0, EBPFS_WRITE_STABLE), 1);
	EXPECT_EQ(with_args(EBPFS_OP_WRITE, 0, EBPFS_WRITE_STABLE + 1), -EBADMSG);
	EXPECT_EQ(with_args(EBPFS_OP_WRITEATTR, INT64_MAX - 21, 0), 1);
	EXPECT_EQ(with_args(EBPFS_OP_WRITEATTR, INT64_MAX - 20, 0), -EBADMSG);
	EXPECT_EQ(with_args(EBPFS_OP_WRITEATTR, 0, EBPFS_WRITE_STABLE), 1);
	EXPECT_EQ(with_args(EBPFS_OP_WRITEATTR, 0, EBPFS_WRITE_STABLE + 1), -EBADMSG);
	EXPECT_EQ(with_args(EBPFS_OP_LOCK, 0, 0), -EBADMSG);
	/* Credentials have a number, of 32 bits, and 0 is taken. */
	EXPECT_EQ(with_args(EBPFS_OP_CRED, 0, 0), -EBADMSG);
	EXPECT_EQ(with_args(EBPFS_OP_CRED, ~0u, 0), 1);
	EXPECT_EQ(with_args(EBPFS_OP_CRED, 1ull << 32, 0), -EBADMSG);
}

static void traits(void)
{
	EXPECT(!ebpfs_op_traits(0));
	EXPECT(!ebpfs_op_traits(EBPFS_OP_PING));
	EXPECT(!ebpfs_op_traits(EBPFS_OP_LAST + 1));
	EXPECT(!ebpfs_op_traits(0xffff));
	EXPECT_EQ(ebpfs_op_traits(EBPFS_OP_CREATE)->data_max,
		  sizeof(struct ebpfs_create) + EBPFS_LINK_MAX);
	EXPECT(ebpfs_op_traits(EBPFS_OP_RENAME)->data_max >=
	       sizeof(struct ebpfs_target) + EBPFS_FH_MAX + 256);
	EXPECT(ebpfs_op_traits(EBPFS_OP_CRED)->data_max >=
	       sizeof(struct ebpfs_cred) + 4 * EBPFS_GROUPS_MAX);
	EXPECT(!(ebpfs_op_traits(EBPFS_OP_WRITE)->flags & EBPFS_TRAIT_ONCE));
	EXPECT(ebpfs_op_traits(EBPFS_OP_WRITEATTR)->flags & EBPFS_TRAIT_ONCE);
	EXPECT(ebpfs_op_traits(EBPFS_OP_LINK)->flags & EBPFS_TRAIT_ONCE);
	EXPECT(ebpfs_op_traits(EBPFS_OP_APPEND)->flags & EBPFS_TRAIT_ONCE);
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
	p[last + offsetof(struct ebpfs_call, flags)] = 2;
	EXPECT_EQ(walk(p, len), -EBADMSG);
}

/* Walks without looking first; -EBADMSG or the number of calls, @seen on the way. */
static int walk_at_once(const void *data, u32 len, int *seen)
{
	int odd, r = 0, n = 0;

	for (odd = 0; odd < 2; odd++) {
		u8 *p = exact(data, len, odd);
		struct ebpfs_call_iter it;
		struct ebpfs_call_info c;

		n = 0;
		r = ebpfs_begin_calls(p, len, &it);
		if (!r) {
			while (ebpfs_next_call(&it, &c))
				n++;
			r = ebpfs_calls_whole(&it) ? n : -EBADMSG;
			/* There is nothing behind the end, nor behind what is bad. */
			EXPECT(!ebpfs_next_call(&it, &c));
			EXPECT_EQ(ebpfs_calls_whole(&it), r >= 0);
		}
		let_go(p, odd);
	}
	*seen = n;
	return r;
}

static void begin_calls_bad(void)
{
	struct ebpfs_call_info c = make_call(EBPFS_OP_PING);
	struct ebpfs_call_iter it;
	struct ebpfs_calls h;
	u8 p[128];
	u32 len, cut;
	int seen;

	len = one_call(p, &c);
	EXPECT_EQ(walk_at_once(p, len, &seen), 1);
	for (cut = 0; cut < sizeof(h); cut++)
		EXPECT_EQ(ebpfs_begin_calls(p, cut, &it), -EBADMSG);
#define BAD_HEAD(spoil)							\
	do {								\
		len = one_call(p, &c);					\
		memcpy(&h, p, sizeof(h));				\
		spoil;							\
		memcpy(p, &h, sizeof(h));				\
		EXPECT_EQ(ebpfs_begin_calls(p, len, &it), -EBADMSG);	\
		EXPECT_EQ(ebpfs_parse_calls(p, len, &it), -EBADMSG);	\
	} while (0)
	BAD_HEAD(h.count = 0);
	BAD_HEAD(h.cell = cpu_to_le16(EBPFS_CELL_MIN - 8));
	BAD_HEAD(h.cell = cpu_to_le16(EBPFS_CELL_MIN + 1));
	BAD_HEAD(h.reserved = cpu_to_le32(1));
}

/* What is found half way is found, whichever call it is and whether it has a body. */
static void calls_are_whole_or_not(void)
{
	static const u16 ops[] = { EBPFS_OP_PING, EBPFS_OP_GETATTR };
	struct ebpfs_call_info c;
	u32 len, at[3], cut, i, j;
	u8 p[1024], spoilt[1024];
	int seen;

	for (i = 0; i < ARRAY_SIZE(ops); i++) {
		c = make_call(ops[i]);
		len = ebpfs_put_calls(p, SESSION, 3, 1024);
		for (j = 0; j < 3; j++) {
			at[j] = len;
			len += ebpfs_put_call(p + len, &c, false);
		}
		EXPECT_EQ(walk_at_once(p, len, &seen), 3);
		for (j = 0; j < 3; j++) {
			memcpy(spoilt, p, len);
			memset(spoilt + at[j] + offsetof(struct ebpfs_call, id), 0, 8);
			EXPECT_EQ(walk_at_once(spoilt, len, &seen), -EBADMSG);
			EXPECT_EQ(seen, j);
			EXPECT_EQ(walk(spoilt, len), -EBADMSG);
		}
		for (cut = sizeof(struct ebpfs_calls); cut < len; cut++) {
			EXPECT_EQ(walk_at_once(p, cut, &seen), -EBADMSG);
			EXPECT_EQ(seen, (cut >= at[1]) + (cut >= at[2]));
		}
		memset(p + len, 0, 64);
		for (cut = 1; cut <= 64; cut++) {
			EXPECT_EQ(walk_at_once(p, len + cut, &seen), -EBADMSG);
			EXPECT_EQ(seen, 3);
		}
		/* More are there than were promised, or fewer. */
		p[offsetof(struct ebpfs_calls, count)] = 2;
		EXPECT_EQ(walk_at_once(p, len, &seen), -EBADMSG);
		EXPECT_EQ(seen, 2);
		p[offsetof(struct ebpfs_calls, count)] = 4;
		EXPECT_EQ(walk_at_once(p, len, &seen), -EBADMSG);
		EXPECT_EQ(seen, 3);
	}
}

/* There is no handle before the first call, and a PING brings none. */
static void reuse_needs_a_handle(void)
{
	struct ebpfs_call_info get = make_call(EBPFS_OP_GETATTR);
	struct ebpfs_call_info ping = make_call(EBPFS_OP_PING);
	struct ebpfs_call_info cred = make_call(EBPFS_OP_CRED);
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

	/* Nor does CRED, and it takes none. */
	len = ebpfs_put_calls(p, SESSION, 2, 1024);
	len += ebpfs_put_call(p + len, &cred, false);
	len += ebpfs_put_call(p + len, &get, true);
	EXPECT_EQ(walk(p, len), -EBADMSG);

	len = ebpfs_put_calls(p, SESSION, 3, 1024);
	len += ebpfs_put_call(p + len, &get, false);
	len += ebpfs_put_call(p + len, &cred, false);
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
	KTAP_TEST(data_left_to_the_caller),
	KTAP_TEST(attributes),
	KTAP_TEST(large_data),
	KTAP_TEST(call_size),
	KTAP_TEST(put_call_pads_with_zero),
	KTAP_TEST(parse_calls_truncated),
	KTAP_TEST(parse_calls_bad),
	KTAP_TEST(parse_calls_checks_names),
	KTAP_TEST(parse_calls_checks_data),
	KTAP_TEST(parse_calls_checks_args),
	KTAP_TEST(traits),
	KTAP_TEST(lookup_names),
	KTAP_TEST(parse_calls_all_or_nothing),
	KTAP_TEST(begin_calls_bad),
	KTAP_TEST(calls_are_whole_or_not),
	KTAP_TEST(reuse_needs_a_handle),
	KTAP_TEST(many_calls),
};

int main(int argc, char **argv)
{
	return KTAP_MAIN(tests, argc, argv);
}
