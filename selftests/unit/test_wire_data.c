// SPDX-License-Identifier: GPL-2.0
/*
 * kmod/core/wire.c: data of calls. DATA and NEED datagrams, and what the data of
 * RENAME, LINK, CREATE, SETATTR, FALLOCATE, COPY and CRED say.
 */
#include <sys/stat.h>

#include "core/wire.h"
#include "lib/ktap.h"
#include "unit/exact.h"

#define SESSION	0x1122334455667788ull

static const u8 handle[EBPFS_FH_MAX] = "\x01handle";

/* In memory of exactly @len bytes, aligned and not. */
static int data_of(const void *data, u32 len, struct ebpfs_frag *f)
{
	int odd, r = 0;

	for (odd = 0; odd < 2; odd++) {
		u8 *p = exact(data, len, odd);

		memset(f, 0xff, sizeof(*f));
		r = ebpfs_parse_data(p, len, f);
		let_go(p, odd);
	}
	return r;
}

static void data_round_trip(void)
{
	static const u32 totals[] = { 1, 1023, 1024, 1025, 8920, 61440, 65535, 65536 };
	static const u16 cells[] = { 1024, 1152, 8920, EBPFS_CELL_MAX };
	static u8 p[EBPFS_UDP_PAYLOAD_MAX];
	struct ebpfs_frag in, out;
	unsigned int t, c;
	u64 session;
	u32 left;

	for (t = 0; t < ARRAY_SIZE(totals); t++) {
		for (c = 0; c < ARRAY_SIZE(cells); c++) {
			memset(&in, 0, sizeof(in));
			in.session = SESSION;
			in.id = EBPFS_ID(900, 0xa1b2c3d4e5f6ull);
			in.total = totals[t];
			in.cell = cells[c];
			in.ncells = ebpfs_ncells(in.total, in.cell);
			in.attempt = 7 + t;
			for (in.index = 0; in.index < in.ncells; in.index++) {
				in.offset = in.index * in.cell;
				left = in.total - in.offset;
				in.len = left < in.cell ? left : in.cell;
				memset(p, 0xee, sizeof(struct ebpfs_data));
				ASSERT_EQ(ebpfs_put_data(p, &in), 40);
				ASSERT_EQ(ebpfs_parse_hdr(p, 40 + in.len, &session), EBPFS_DATA);
				EXPECT_EQ(session, SESSION);
				ASSERT_EQ(data_of(p, 40 + in.len, &out), 0);
				out.crc = 0;
				ASSERT_MEM(&out, &in, sizeof(in));
			}
		}
	}
}

/* One field of a good fragment is spoilt; what was 2000 bytes by 1024, the last. */
#define BAD_DATA(spoil)								\
	do {									\
		len = make_data(&p);						\
		EXPECT_EQ(data_of(&p, len, &f), 0);				\
		spoil;								\
		EXPECT_EQ(data_of(&p, len, &f), -EBADMSG);			\
	} while (0)

union data_bytes {
	struct ebpfs_data head;
	u8 bytes[4096];
};

static u32 make_data(union data_bytes *p)
{
	struct ebpfs_frag f = {
		.session = SESSION, .id = EBPFS_ID(3, 1), .total = 2000, .offset = 1024,
		.cell = 1024,
	};

	memset(p, 0, sizeof(*p));
	return ebpfs_put_data(p, &f) + 2000 - 1024;
}

static void parse_data_bad(void)
{
	union data_bytes p;
	struct ebpfs_frag f;
	u64 session;
	u32 len, cut;

	BAD_DATA(p.head.id = cpu_to_le64(0xffff));
	BAD_DATA(p.head.total = 0);
	BAD_DATA(p.head.total = cpu_to_le32(1024));
	BAD_DATA(p.head.total = cpu_to_le32(1999));
	BAD_DATA(p.head.total = cpu_to_le32(2001));
	BAD_DATA(p.head.total = cpu_to_le32(EBPFS_MSG_MAX + 1));
	BAD_DATA(p.head.total = cpu_to_le32(~0u));
	BAD_DATA(p.head.offset = 0);
	BAD_DATA(p.head.offset = cpu_to_le32(1025));
	BAD_DATA(p.head.offset = cpu_to_le32(2048));
	BAD_DATA(p.head.offset = cpu_to_le32(~1023u));
	BAD_DATA(p.head.cell = 0);
	BAD_DATA(p.head.cell = cpu_to_le16(512));
	BAD_DATA(p.head.cell = cpu_to_le16(1028));
	BAD_DATA(p.head.cell = cpu_to_le16(EBPFS_CELL_MAX + 8));
	BAD_DATA(p.head.flags = 1);
	BAD_DATA(p.head.reserved = cpu_to_le32(1));
	BAD_DATA(len++);
	BAD_DATA(len--);

	len = make_data(&p);
	for (cut = 0; cut < len; cut++)
		EXPECT_EQ(data_of(&p, cut, &f), -EBADMSG);
	EXPECT_EQ(ebpfs_parse_hdr(&p, 40, &session), -EBADMSG);
	EXPECT_EQ(ebpfs_type_min_len(EBPFS_DATA), 41);
}

/* Is @p, in memory of exactly @len bytes, what follows @f? */
static bool follows(const void *p, u32 len, const void *before, struct ebpfs_frag *f)
{
	struct ebpfs_frag was = *f;
	bool odd, yes = false;
	u8 *copy;
	int i;

	for (i = 0; i < 2; i++) {
		odd = i;
		copy = exact(p, len, odd);
		*f = was;
		yes = ebpfs_next_data(copy, len, before, f);
		let_go(copy, odd);
		if (!yes)
			EXPECT_MEM(f, &was, sizeof(was));
	}
	return yes;
}

/* What it accepts is what the parser would have said. */
static void next_data(void)
{
	static u8 p[2][EBPFS_UDP_PAYLOAD_MAX];
	static const u32 totals[] = { 1, 1024, 1025, 20000, 65536 };
	static const u16 cells[] = { 1024, 1408, 8192 };
	struct ebpfs_frag f, parsed, in;
	unsigned int t, c, i;

	for (t = 0; t < ARRAY_SIZE(totals); t++) {
		for (c = 0; c < ARRAY_SIZE(cells); c++) {
			u32 n = ebpfs_ncells(totals[t], cells[c]), len;

			memset(&in, 0, sizeof(in));
			in.session = SESSION;
			in.id = EBPFS_ID(3, 9);
			in.total = totals[t];
			in.cell = cells[c];
			in.attempt = 200;
			ebpfs_put_data(p[0], &in);
			len = totals[t] < cells[c] ? totals[t] : cells[c];
			ASSERT_EQ(ebpfs_parse_data(p[0], 40 + len, &f), 0);
			for (i = 1; i < n; i++) {
				in.offset = i * in.cell;
				len = totals[t] - in.offset;
				len = len < in.cell ? len : in.cell;
				ebpfs_put_data(p[1], &in);
				p[1][0] = (u8)i;
				ASSERT_EQ(ebpfs_parse_data(p[1], 40 + len, &parsed), 0);
				EXPECT(!follows(p[1], 40 + len - 1, p[0], &f));
				EXPECT(!follows(p[1], 40 + len + 1, p[0], &f));
				EXPECT(!follows(p[1], 39, p[0], &f));
				ASSERT_EQ(follows(p[1], 40 + len, p[0], &f), true);
				ASSERT_MEM(&f, &parsed, sizeof(f));
				EXPECT(!follows(p[1], 40 + len, p[0], &f));
			}
			in.offset += in.cell;
			ebpfs_put_data(p[1], &in);
			EXPECT(!follows(p[1], 40, p[0], &f));
			EXPECT(!follows(p[1], 40 + in.cell, p[0], &f));
		}
	}

	/* Every bit of the head but those of the checksum. */
	memset(&in, 0, sizeof(in));
	in.session = SESSION;
	in.id = EBPFS_ID(3, 9);
	in.total = 5000;
	in.cell = 1024;
	ebpfs_put_data(p[0], &in);
	ASSERT_EQ(ebpfs_parse_data(p[0], 40 + 1024, &f), 0);
	in.offset = 1024;
	ebpfs_put_data(p[1], &in);
	for (i = 0; i < 8 * sizeof(struct ebpfs_data); i++) {
		parsed = f;
		p[1][i / 8] ^= (u8)(1 << i % 8);
		EXPECT_EQ(follows(p[1], 40 + 1024, p[0], &parsed), i < 32);
		p[1][i / 8] ^= (u8)(1 << i % 8);
	}
}

static int need_of(const void *data, struct ebpfs_need_info *n)
{
	u8 *p = exact(data, sizeof(struct ebpfs_need), true);
	int r;

	memset(n, 0xff, sizeof(*n));
	r = ebpfs_parse_need(p, n);
	let_go(p, true);
	return r;
}

static void need_round_trip(void)
{
	static const u16 cells[] = { 0, 1024, 8920, EBPFS_CELL_MAX };
	struct ebpfs_need_info in = { .id = EBPFS_ID(1023, 1), .attempt = 255 }, out;
	u8 p[sizeof(struct ebpfs_need) + 1];
	unsigned int i;
	u64 session;

	for (i = 0; i < ARRAY_SIZE(cells); i++) {
		memset(p, 0xee, sizeof(p));
		in.cell = cells[i];
		in.missing = 1ull << (63 - i);
		ASSERT_EQ(ebpfs_put_need(p, SESSION, &in), 40);
		EXPECT(ebpfs_sealed(p, 40));
		EXPECT_EQ(p[40], 0xee);
		EXPECT_EQ(ebpfs_parse_hdr(p, 40, &session), EBPFS_NEED);
		EXPECT_EQ(session, SESSION);
		ASSERT_EQ(need_of(p, &out), 0);
		EXPECT_EQ(out.id, in.id);
		EXPECT_EQ(out.missing, in.missing);
		EXPECT_EQ(out.cell, in.cell);
		EXPECT_EQ(out.attempt, 255);
		/* It has one length. */
		EXPECT_EQ(ebpfs_parse_hdr(p, 39, &session), -EBADMSG);
		EXPECT_EQ(ebpfs_parse_hdr(p, 41, &session), -EBADMSG);
	}
}

#define BAD_NEED(spoil)								\
	do {									\
		ebpfs_put_need(&p, SESSION, &in);				\
		EXPECT_EQ(need_of(&p, &out), 0);				\
		spoil;								\
		EXPECT_EQ(need_of(&p, &out), -EBADMSG);				\
	} while (0)

static void parse_need_bad(void)
{
	struct ebpfs_need_info in = { .id = EBPFS_ID(3, 1), .missing = 1, .cell = 1024 }, out;
	struct ebpfs_need p;
	unsigned int i;

	BAD_NEED(p.id = cpu_to_le64(3));
	BAD_NEED(p.missing = 0);
	BAD_NEED(p.cell = cpu_to_le16(8));
	BAD_NEED(p.cell = cpu_to_le16(1016));
	BAD_NEED(p.cell = cpu_to_le16(1028));
	BAD_NEED(p.cell = cpu_to_le16(EBPFS_CELL_MAX + 8));
	for (i = 0; i < sizeof(p.reserved); i++)
		BAD_NEED(p.reserved[i] = 1);
}

static int target_of(const void *data, u32 len, struct ebpfs_target_info *t)
{
	int odd, r = 0;

	for (odd = 0; odd < 2; odd++) {
		u8 *p = exact(data, len, odd);

		r = ebpfs_parse_target(p, len, t);
		let_go(p, odd);
	}
	return r;
}

static u32 make_target(u8 *p, u16 fh_len, const char *name, u16 name_len)
{
	struct ebpfs_target_info t = {
		.fh = handle, .fh_len = fh_len, .name = (const u8 *)name, .name_len = name_len,
	};

	return ebpfs_put_target(p, &t);
}

static int new_name(const char *name, u16 len)
{
	struct ebpfs_target_info t;
	u8 p[512];

	return target_of(p, make_target(p, 13, name, len), &t);
}

static void target_round_trip(void)
{
	char long_name[EBPFS_NAME_MAX + 1];
	u8 p[EBPFS_TARGET_MAX + 8];
	struct ebpfs_target_info t;
	u32 len, cut;

	memset(p, 0xee, sizeof(p));
	len = make_target(p, 13, "name.c", 6);
	EXPECT_EQ(len, 8 + 16 + 8);
	ASSERT_EQ(ebpfs_parse_target(p, len, &t), 0);
	EXPECT_EQ(t.fh_len, 13);
	EXPECT_EQ(t.name_len, 6);
	EXPECT(t.fh == p + 8 && t.name == p + 24);
	ASSERT_MEM(t.fh, handle, 13);
	ASSERT_MEM(t.name, "name.c", 6);
	for (cut = 0; cut < len; cut++)
		EXPECT_EQ(target_of(p, cut, &t), -EBADMSG);
	EXPECT_EQ(target_of(p, len + 8, &t), -EBADMSG);

	memset(long_name, 'n', sizeof(long_name));
	len = make_target(p, EBPFS_FH_MAX, long_name, EBPFS_NAME_MAX);
	EXPECT_EQ(len, EBPFS_TARGET_MAX);
	EXPECT_EQ(target_of(p, len, &t), 0);
	EXPECT_EQ(new_name(long_name, EBPFS_NAME_MAX + 1), -EBADMSG);
	len = make_target(p, 1, "n", 1);
	EXPECT_EQ(len, 8 + 8 + 8);
	EXPECT_EQ(target_of(p, len, &t), 0);
}

static void target_names(void)
{
	EXPECT_EQ(new_name("...", 3), 0);
	EXPECT_EQ(new_name("\xff", 1), 0);
	EXPECT_EQ(new_name("", 0), -EBADMSG);
	EXPECT_EQ(new_name(".", 1), -EBADMSG);
	EXPECT_EQ(new_name("..", 2), -EBADMSG);
	EXPECT_EQ(new_name("a/b", 3), -EBADMSG);
	EXPECT_EQ(new_name("a\0b", 3), -EBADMSG);
}

#define BAD_TARGET(spoil)							\
	do {									\
		len = make_target(p.bytes, 13, "name.c", 6);			\
		EXPECT_EQ(target_of(&p, len, &t), 0);				\
		spoil;								\
		EXPECT_EQ(target_of(&p, len, &t), -EBADMSG);			\
	} while (0)

static void parse_target_bad(void)
{
	union {
		struct ebpfs_target head;
		u8 bytes[64];
	} p;
	struct ebpfs_target_info t;
	u32 len;

	BAD_TARGET(p.head.fh_len = 0);
	BAD_TARGET(p.head.fh_len = cpu_to_le16(17));
	BAD_TARGET(p.head.fh_len = cpu_to_le16(EBPFS_FH_MAX + 1));
	BAD_TARGET(p.head.fh_len = cpu_to_le16(0xffff));
	BAD_TARGET(p.head.name_len = 0);
	BAD_TARGET(p.head.name_len = cpu_to_le16(9));
	BAD_TARGET(p.head.name_len = cpu_to_le16(0xffff));
	BAD_TARGET(p.head.reserved = cpu_to_le32(1));
	/* The padding of the handle and of the name. */
	BAD_TARGET(p.bytes[8 + 13] = 1);
	BAD_TARGET(p.bytes[8 + 15] = 1);
	BAD_TARGET(p.bytes[8 + 16 + 6] = 1);
	BAD_TARGET(p.bytes[8 + 16 + 7] = 1);
}

static int create_of(struct ebpfs_create c, const char *link, u32 link_len)
{
	u8 buf[sizeof(c) + EBPFS_LINK_MAX + 8];
	struct ebpfs_create out;
	const u8 *target;
	int odd, r = 0;

	memcpy(buf, &c, sizeof(c));
	memcpy(buf + sizeof(c), link, link_len);
	for (odd = 0; odd < 2; odd++) {
		u8 *p = exact(buf, sizeof(c) + link_len, odd);

		r = ebpfs_parse_create(p, sizeof(c) + link_len, &out, &target);
		if (!r) {
			EXPECT_MEM(&out, &c, sizeof(c));
			EXPECT(target == p + sizeof(c));
		}
		let_go(p, odd);
	}
	return r;
}

static int mode_of(u32 mode)
{
	struct ebpfs_create c = { .mode = cpu_to_le32(mode) };

	return create_of(c, "", 0);
}

static void create_modes(void)
{
	struct ebpfs_create c = { 0 };
	u32 type;

	for (type = 0; type <= 15; type++) {
		u32 mode = type << 12;
		bool plain = mode == S_IFREG || mode == S_IFDIR || mode == S_IFIFO ||
			     mode == S_IFSOCK;
		bool device = mode == S_IFCHR || mode == S_IFBLK;

		EXPECT_EQ(mode_of(mode | 0644), plain || device ? 0 : -EBADMSG);
		EXPECT_EQ(mode_of(mode | 07777), plain || device ? 0 : -EBADMSG);
		memset(&c, 0, sizeof(c));
		c.mode = cpu_to_le32(mode | 0600);
		c.rdev_major = cpu_to_le32(8);
		EXPECT_EQ(create_of(c, "", 0), device ? 0 : -EBADMSG);
		c.rdev_major = 0;
		c.rdev_minor = cpu_to_le32(1 << 20);
		EXPECT_EQ(create_of(c, "", 0), device ? 0 : -EBADMSG);
		c.rdev_minor = 0;
		c.target_len = cpu_to_le32(3);
		EXPECT_EQ(create_of(c, "abc", 3), mode == S_IFLNK ? 0 : -EBADMSG);
	}
	EXPECT_EQ(mode_of(0200000 | S_IFREG), -EBADMSG);
	EXPECT_EQ(mode_of(0x80000000 | S_IFREG), -EBADMSG);
}

static void create_fields(void)
{
	struct ebpfs_create c = { .mode = cpu_to_le32(S_IFREG | 0666) };
	struct ebpfs_create out;
	const u8 *target;
	u8 p[sizeof(c)];
	u32 cut;

	c.umask = cpu_to_le32(0777);
	EXPECT_EQ(create_of(c, "", 0), 0);
	c.umask = cpu_to_le32(01000);
	EXPECT_EQ(create_of(c, "", 0), -EBADMSG);
	c.umask = 0;
	c.flags = cpu_to_le32(EBPFS_CREATE_EXCL);
	EXPECT_EQ(create_of(c, "", 0), 0);
	c.flags = cpu_to_le32(2);
	EXPECT_EQ(create_of(c, "", 0), -EBADMSG);
	c.flags = 0;
	c.target_len = cpu_to_le32(~0u);
	EXPECT_EQ(create_of(c, "", 0), -EBADMSG);
	c.target_len = 0;
	EXPECT_EQ(create_of(c, "x", 1), -EBADMSG);
	memcpy(p, &c, sizeof(c));
	for (cut = 0; cut < sizeof(c); cut++) {
		u8 *exactly = exact(p, cut, false);

		EXPECT_EQ(ebpfs_parse_create(exactly, cut, &out, &target), -EBADMSG);
		let_go(exactly, false);
	}
}

static int link_of(const char *text, u32 len, u32 said)
{
	struct ebpfs_create c = {
		.mode = cpu_to_le32(S_IFLNK | 0777), .target_len = cpu_to_le32(said),
	};

	return create_of(c, text, len);
}

static void create_links(void)
{
	static char text[EBPFS_LINK_MAX + 1];

	memset(text, 't', sizeof(text));
	EXPECT_EQ(link_of("../x/y", 6, 6), 0);
	EXPECT_EQ(link_of(text, EBPFS_LINK_MAX, EBPFS_LINK_MAX), 0);
	EXPECT_EQ(link_of(text, EBPFS_LINK_MAX + 1, EBPFS_LINK_MAX + 1), -EBADMSG);
	EXPECT_EQ(link_of("", 0, 0), -EBADMSG);
	EXPECT_EQ(link_of("a\0b", 3, 3), -EBADMSG);
	EXPECT_EQ(link_of("a\0", 2, 2), -EBADMSG);
	EXPECT_EQ(link_of("abc", 3, 2), -EBADMSG);
	EXPECT_EQ(link_of("abc", 3, 4), -EBADMSG);
}

static int setattr_of(const struct ebpfs_setattr *a)
{
	u8 *p = exact(a, sizeof(*a), true);
	struct ebpfs_setattr out;
	int r = ebpfs_parse_setattr(p, &out);

	if (!r)
		EXPECT_MEM(&out, a, sizeof(out));
	let_go(p, true);
	return r;
}

#define SETATTR(result, ...)							\
	do {									\
		struct ebpfs_setattr a_ = { __VA_ARGS__ };			\
		EXPECT_EQ(setattr_of(&a_), result);				\
	} while (0)

static void setattr(void)
{
	SETATTR(0, .valid = 0);
	SETATTR(0, .valid = cpu_to_le32(EBPFS_SET_MODE | EBPFS_SET_UID | EBPFS_SET_GID |
					EBPFS_SET_SIZE | EBPFS_SET_ATIME | EBPFS_SET_MTIME),
		.mode = cpu_to_le32(07777), .uid = cpu_to_le32(~0u), .gid = cpu_to_le32(~0u),
		.size = cpu_to_le64(INT64_MAX), .atime = cpu_to_le64(~0ull),
		.mtime = cpu_to_le64(1ull << 63), .atime_ns = cpu_to_le32(999999999),
		.mtime_ns = cpu_to_le32(999999999));
	SETATTR(0, .valid = cpu_to_le32(EBPFS_SET_ATIME_NOW | EBPFS_SET_MTIME_NOW));
	SETATTR(0, .valid = cpu_to_le32(EBPFS_SET_ATIME | EBPFS_SET_MTIME_NOW));
	SETATTR(0, .valid = cpu_to_le32(EBPFS_SET_ATIME_NOW | EBPFS_SET_MTIME));
	SETATTR(-EBADMSG, .valid = cpu_to_le32(EBPFS_SET_ATIME | EBPFS_SET_ATIME_NOW));
	SETATTR(-EBADMSG, .valid = cpu_to_le32(EBPFS_SET_MTIME | EBPFS_SET_MTIME_NOW));
	SETATTR(-EBADMSG, .valid = cpu_to_le32(EBPFS_SET_ALL + 1));
	SETATTR(-EBADMSG, .valid = cpu_to_le32(1u << 31));
	SETATTR(-EBADMSG, .size = cpu_to_le64(1ull << 63));
	SETATTR(-EBADMSG, .mode = cpu_to_le32(010000));
	SETATTR(-EBADMSG, .mode = cpu_to_le32(0100644));
	SETATTR(-EBADMSG, .atime_ns = cpu_to_le32(1000000000));
	SETATTR(-EBADMSG, .mtime_ns = cpu_to_le32(1000000000));
}

static int range_of(u64 offset, u64 len, u32 mode, u32 reserved)
{
	struct ebpfs_range r = {
		.offset = cpu_to_le64(offset), .len = cpu_to_le64(len),
		.mode = cpu_to_le32(mode), .reserved = cpu_to_le32(reserved),
	};
	u8 *p = exact(&r, sizeof(r), true);
	struct ebpfs_range out;
	int ret = ebpfs_parse_range(p, &out);

	if (!ret)
		EXPECT_MEM(&out, &r, sizeof(r));
	let_go(p, true);
	return ret;
}

static void range(void)
{
	EXPECT_EQ(range_of(0, 1, 0, 0), 0);
	EXPECT_EQ(range_of(0, INT64_MAX, ~0u, 0), 0);
	EXPECT_EQ(range_of(INT64_MAX - 1, 1, 3, 0), 0);
	EXPECT_EQ(range_of(0, 0, 0, 0), -EBADMSG);
	EXPECT_EQ(range_of(INT64_MAX, 1, 0, 0), -EBADMSG);
	EXPECT_EQ(range_of(1, INT64_MAX, 0, 0), -EBADMSG);
	EXPECT_EQ(range_of(0, 1ull << 63, 0, 0), -EBADMSG);
	EXPECT_EQ(range_of(~0ull, 2, 0, 0), -EBADMSG);
	EXPECT_EQ(range_of(2, ~0ull, 0, 0), -EBADMSG);
	EXPECT_EQ(range_of(0, 1, 0, 1), -EBADMSG);
}

union copy_bytes {
	struct ebpfs_copy head;
	u8 bytes[sizeof(struct ebpfs_copy) + EBPFS_FH_MAX + 16];
};

static int copy_in(const union copy_bytes *data, u32 len)
{
	int odd, r = 0;

	for (odd = 0; odd < 2; odd++) {
		u8 *p = exact(data, len, odd);
		struct ebpfs_copy c;
		const u8 *fh;

		r = ebpfs_parse_copy(p, len, &c, &fh);
		if (!r) {
			EXPECT_MEM(&c, data, sizeof(c));
			EXPECT(fh == p + sizeof(c));
		}
		let_go(p, odd);
	}
	return r;
}

static u32 make_copy(union copy_bytes *p, u16 fh_len)
{
	memset(p, 0, sizeof(*p));
	p->head.from = cpu_to_le64(100);
	p->head.to = cpu_to_le64(200);
	p->head.len = cpu_to_le64(300);
	p->head.fh_len = cpu_to_le16(fh_len);
	memcpy(p->bytes + sizeof(p->head), handle, fh_len < EBPFS_FH_MAX ? fh_len : EBPFS_FH_MAX);
	return sizeof(p->head) + ((fh_len + 7u) & ~7u);
}

#define COPY(result, spoil)							\
	do {									\
		len = make_copy(&p, 13);					\
		EXPECT_EQ(copy_in(&p, len), 0);					\
		spoil;								\
		EXPECT_EQ(copy_in(&p, len), result);				\
	} while (0)

static void copy(void)
{
	union copy_bytes p;
	u32 len, cut;

	len = make_copy(&p, EBPFS_FH_MAX);
	EXPECT_EQ(copy_in(&p, len), 0);
	len = make_copy(&p, EBPFS_FH_MAX + 1);
	EXPECT_EQ(copy_in(&p, len), -EBADMSG);
	len = make_copy(&p, 1);
	EXPECT_EQ(copy_in(&p, len), 0);
	len = make_copy(&p, 13);
	for (cut = 0; cut < len; cut++)
		EXPECT_EQ(copy_in(&p, cut), -EBADMSG);
	EXPECT_EQ(copy_in(&p, len + 8), -EBADMSG);

	COPY(0, p.head.flags = cpu_to_le32(EBPFS_COPY_CLONE));
	COPY(-EBADMSG, p.head.flags = cpu_to_le32(2));
	COPY(-EBADMSG, p.head.reserved = cpu_to_le16(1));
	COPY(-EBADMSG, p.head.fh_len = 0);
	COPY(-EBADMSG, p.head.fh_len = cpu_to_le16(17));
	COPY(-EBADMSG, p.head.fh_len = cpu_to_le16(0xffff));
	COPY(-EBADMSG, p.bytes[sizeof(p.head) + 13] = 1);
	COPY(-EBADMSG, p.bytes[len - 1] = 1);
	/* Nothing to copy, but a clone goes to the end. */
	COPY(-EBADMSG, p.head.len = 0);
	COPY(0, (p.head.len = 0, p.head.flags = cpu_to_le32(EBPFS_COPY_CLONE)));
	COPY(0, p.head.from = cpu_to_le64(INT64_MAX - 300));
	COPY(-EBADMSG, p.head.from = cpu_to_le64(INT64_MAX - 299));
	COPY(0, p.head.to = cpu_to_le64(INT64_MAX - 300));
	COPY(-EBADMSG, p.head.to = cpu_to_le64(INT64_MAX - 299));
	COPY(-EBADMSG, p.head.from = cpu_to_le64(~0ull));
	COPY(-EBADMSG, p.head.to = cpu_to_le64(~0ull));
	COPY(-EBADMSG, p.head.len = cpu_to_le64(1ull << 63));
	COPY(-EBADMSG, p.head.len = cpu_to_le64(~0ull));
}

static int cred_of(u32 ngroups, u32 reserved, u32 len)
{
	struct ebpfs_cred c = {
		.uid = cpu_to_le32(1000), .ngroups = cpu_to_le32(ngroups),
		.reserved = cpu_to_le32(reserved),
	};
	u8 *p = exact(NULL, len, true);
	int r;

	memset(p, 0xee, len);
	memcpy(p, &c, len < sizeof(c) ? len : sizeof(c));
	r = ebpfs_parse_cred(p, len);
	let_go(p, true);
	return r;
}

static void cred(void)
{
	u32 len;

	EXPECT_EQ(cred_of(0, 0, 16), 0);
	EXPECT_EQ(cred_of(3, 0, 16 + 12), 0);
	EXPECT_EQ(cred_of(EBPFS_GROUPS_MAX, 0, 16 + 4 * EBPFS_GROUPS_MAX), 0);
	EXPECT_EQ(cred_of(EBPFS_GROUPS_MAX + 1, 0, 16 + 4 * (EBPFS_GROUPS_MAX + 1)), -EBADMSG);
	EXPECT_EQ(cred_of(0, 1, 16), -EBADMSG);
	EXPECT_EQ(cred_of(1, 0, 16), -EBADMSG);
	EXPECT_EQ(cred_of(0, 0, 20), -EBADMSG);
	EXPECT_EQ(cred_of(1, 0, 21), -EBADMSG);
	/* Four times it is 16 in 32 bits. */
	EXPECT_EQ(cred_of(0x40000000, 0, 16), -EBADMSG);
	EXPECT_EQ(cred_of(0x40000001, 0, 20), -EBADMSG);
	for (len = 0; len < 16; len++)
		EXPECT_EQ(cred_of(0, 0, len), -EBADMSG);
}

static const struct ktap_test tests[] = {
	KTAP_TEST(data_round_trip),
	KTAP_TEST(parse_data_bad),
	KTAP_TEST(next_data),
	KTAP_TEST(need_round_trip),
	KTAP_TEST(parse_need_bad),
	KTAP_TEST(target_round_trip),
	KTAP_TEST(target_names),
	KTAP_TEST(parse_target_bad),
	KTAP_TEST(create_modes),
	KTAP_TEST(create_fields),
	KTAP_TEST(create_links),
	KTAP_TEST(setattr),
	KTAP_TEST(range),
	KTAP_TEST(copy),
	KTAP_TEST(cred),
};

int main(int argc, char **argv)
{
	return KTAP_MAIN(tests, argc, argv);
}
