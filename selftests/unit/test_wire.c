// SPDX-License-Identifier: GPL-2.0
/*
 * kmod/core/wire.c, function by function, but for calls: test_wire_calls.c.
 *
 * Everything that is parsed lies in memory of exactly its length, at an odd
 * address half of the time, so that the sanitizers see a read behind the end
 * and an access that needs alignment.
 */
#include "core/wire.h"
#include "lib/ktap.h"
#include "unit/exact.h"

#define SESSION	0x1122334455667788ull

static int parse_hdr(const void *data, u32 len, u64 *session)
{
	int odd, type = 0, first = 0;

	for (odd = 0; odd < 2; odd++) {
		u8 *p = exact(data, len, odd);

		type = ebpfs_parse_hdr(p, len, session);
		let_go(p, odd);
		if (!odd)
			first = type;
	}
	EXPECT_EQ(type, first);
	return type;
}

/* The types and their structs, written down a second time. */
static const struct {
	u8 type;
	u32 len;
	bool exact;
} types[] = {
	{ EBPFS_HELLO, 96, true },
	{ EBPFS_CHALLENGE, 80, true },
	{ EBPFS_AUTH, sizeof(struct ebpfs_auth), true },
	{ EBPFS_ACCEPT, sizeof(struct ebpfs_accept), true },
	{ EBPFS_REJECT, 24, true },
	{ EBPFS_CALL, 56, false },
	{ EBPFS_REPLY, 48, false },
	{ EBPFS_PROBE, 24, true },
	{ EBPFS_PROBE_ACK, 24, true },
	{ EBPFS_BYE, 48, true },
	{ EBPFS_UNKNOWN, 16, true },
	{ EBPFS_DATA, 41, false },
	{ EBPFS_NEED, 40, true },
	{ EBPFS_RECALL, 168, true },
	{ EBPFS_RECALLED, 24, true },
	{ EBPFS_REKEY, 56, true },
	{ EBPFS_REKEYED, 56, true },
};

static void type_min_len(void)
{
	unsigned int i, type, known = 0;

	for (i = 0; i < ARRAY_SIZE(types); i++)
		EXPECT_EQ(ebpfs_type_min_len(types[i].type), types[i].len);
	for (type = 0; type < 256; type++)
		known += ebpfs_type_min_len(type) != 0;
	EXPECT_EQ(known, ARRAY_SIZE(types));
}

/* A datagram of @type and @len that begins as it must. */
static void begin(u8 *p, u8 type, u32 len)
{
	struct ebpfs_probe *probe = (struct ebpfs_probe *)p;

	memset(p, 0, len);
	ebpfs_put_hdr((struct ebpfs_hdr *)p, type, SESSION);
	if (type == EBPFS_PROBE || type == EBPFS_PROBE_ACK)
		probe->size = cpu_to_le32(len);
}

static void parse_hdr_lengths(void)
{
	_Alignas(8) u8 p[400];
	u64 session;
	unsigned int i;
	u32 len;

	for (i = 0; i < ARRAY_SIZE(types); i++) {
		begin(p, types[i].type, types[i].len);
		session = 0;
		EXPECT_EQ(parse_hdr(p, types[i].len, &session), types[i].type);
		EXPECT_EQ(session, SESSION);
		for (len = 0; len < types[i].len; len++)
			EXPECT_EQ(parse_hdr(p, len, &session), -EBADMSG);
		EXPECT_EQ(parse_hdr(p, types[i].len + 1, &session),
			  types[i].exact ? -EBADMSG : types[i].type);
		EXPECT_EQ(parse_hdr(p, types[i].len + 8, &session),
			  types[i].exact ? -EBADMSG : types[i].type);
	}
}

/* The promise that no more than the least length need be readable. */
static void parse_hdr_reads_no_payload(void)
{
	_Alignas(8) u8 p[24];
	u64 session;

	begin(p, EBPFS_PROBE, sizeof(p));
	((struct ebpfs_probe *)p)->size = cpu_to_le32(9000);
	EXPECT_EQ(ebpfs_parse_hdr(p, 9000, &session), EBPFS_PROBE);
	EXPECT_EQ(ebpfs_parse_hdr(p, 8999, &session), -EBADMSG);
	begin(p, EBPFS_UNKNOWN, 16);
	EXPECT_EQ(parse_hdr(p, 16, &session), EBPFS_UNKNOWN);
}

static void parse_hdr_magic_version_type(void)
{
	_Alignas(8) u8 p[400];
	struct ebpfs_hdr *h = (struct ebpfs_hdr *)p;
	u64 session;
	unsigned int i, type;

	for (i = 0; i < ARRAY_SIZE(types); i++) {
		bool any = types[i].type == EBPFS_HELLO || types[i].type == EBPFS_REJECT;

		begin(p, types[i].type, types[i].len);
		h->version = EBPFS_VERSION + 1;
		EXPECT_EQ(parse_hdr(p, types[i].len, &session), any ? types[i].type : -EBADMSG);
		h->version = 0;
		EXPECT_EQ(parse_hdr(p, types[i].len, &session), any ? types[i].type : -EBADMSG);
		begin(p, types[i].type, types[i].len);
		h->magic = cpu_to_le16(EBPFS_MAGIC ^ 0x0100);
		EXPECT_EQ(parse_hdr(p, types[i].len, &session), -EBADMSG);
		h->magic = cpu_to_le16(EBPFS_MAGIC ^ 0x0001);
		EXPECT_EQ(parse_hdr(p, types[i].len, &session), -EBADMSG);
	}
	begin(p, EBPFS_CALL, sizeof(p));
	for (type = 0; type < 256; type++) {
		h->type = type;
		if (!ebpfs_type_min_len(type))
			EXPECT_EQ(parse_hdr(p, sizeof(p), &session), -EBADMSG);
	}
}

/* The wire is little-endian whatever the machine is. */
static void bytes_on_the_wire(void)
{
	static const u8 expected[48] = {
		0, 0, 0, 0, 0x95, 0xeb, 1, 7,
		0x88, 0x77, 0x66, 0x55, 0x44, 0x33, 0x22, 0x11,
		0x03, 0x00, 0x05, 0x04, 0x03, 0x02, 0x01, 0x00,
		0xef, 0xbe, 0xad, 0xde, 0x01, 0x80, 0x00, 0x00,
		0x00, 0x20, 0x00, 0x00, 0x00, 0x20, 0x00, 0x00,
		0x01, 0x00, 0x09, 0, 0, 0, 0, 0,
	};
	struct ebpfs_frag f = {
		.session = SESSION, .id = EBPFS_ID(3, 0x0102030405), .instance = 0xdeadbeef,
		.total = 0x8001, .offset = 0x2000, .cell = 0x2000, .flags = EBPFS_REPLY_EOF,
		.attempt = 9,
	};
	u8 p[48];

	memset(p, 0xff, sizeof(p));
	EXPECT_EQ(ebpfs_put_reply(p, &f), sizeof(p));
	EXPECT_MEM(p, expected, sizeof(p));
}

/* A correct head, to be spoilt. */
static struct ebpfs_frag good_frag(u32 total, u16 cell, u8 index)
{
	struct ebpfs_frag f = {
		.session = SESSION, .id = EBPFS_ID(7, 1), .instance = 5, .total = total,
		.offset = (u32)index * cell, .cell = cell, .index = index, .attempt = 2,
		.ncells = ebpfs_ncells(total, cell),
	};
	u32 left = total - f.offset;

	f.len = left < cell ? left : cell;
	return f;
}

static int parse_reply(const struct ebpfs_frag *f, u32 payload, struct ebpfs_frag *g)
{
	_Alignas(8) u8 head[sizeof(struct ebpfs_reply)];
	int odd, r = 0;

	ebpfs_put_reply(head, f);
	for (odd = 0; odd < 2; odd++) {
		u8 *p = exact(head, sizeof(head), odd);

		memset(g, 0xff, sizeof(*g));
		g->ce = false;
		r = ebpfs_parse_reply(p, sizeof(head) + payload, g);
		let_go(p, odd);
	}
	return r;
}

static void parse_reply_good(void)
{
	static const u32 totals[] = { 0, 1, 7, 1023, 1024, 1025, 4096, 8920, 61440, 65535, 65536 };
	static const u16 cells[] = { 1024, 1032, 1152, 1424, 4096, 8920, 65456 };
	struct ebpfs_frag f, g;
	unsigned int i, j, index;

	for (i = 0; i < ARRAY_SIZE(totals); i++) {
		for (j = 0; j < ARRAY_SIZE(cells); j++) {
			u8 n = ebpfs_ncells(totals[i], cells[j]);
			u32 bytes = 0;

			EXPECT(n >= 1 && n <= EBPFS_CELLS_MAX);
			for (index = 0; index < n; index++) {
				f = good_frag(totals[i], cells[j], index);
				ASSERT_EQ(parse_reply(&f, f.len, &g), 0);
				EXPECT_EQ(g.session, f.session);
				EXPECT_EQ(g.id, f.id);
				EXPECT_EQ(g.instance, f.instance);
				EXPECT_EQ(g.total, f.total);
				EXPECT_EQ(g.offset, f.offset);
				EXPECT_EQ(g.len, f.len);
				EXPECT_EQ(g.crc, 0);
				EXPECT_EQ(g.cell, f.cell);
				EXPECT_EQ(g.status, 0);
				EXPECT_EQ(g.flags, 0);
				EXPECT_EQ(g.index, index);
				EXPECT_EQ(g.ncells, n);
				EXPECT_EQ(g.attempt, f.attempt);
				EXPECT(!g.ce);
				bytes += g.len;
				/* A byte more or less. */
				EXPECT_EQ(parse_reply(&f, f.len + 1, &g), -EBADMSG);
				if (f.len)
					EXPECT_EQ(parse_reply(&f, f.len - 1, &g), -EBADMSG);
			}
			EXPECT_EQ(bytes, totals[i]);
		}
	}
	f = good_frag(0, 1024, 0);
	f.status = 4095;
	f.flags = EBPFS_REPLY_EOF;
	EXPECT_EQ(parse_reply(&f, 0, &g), 0);
	EXPECT_EQ(g.status, 4095);
	EXPECT_EQ(g.flags, EBPFS_REPLY_EOF);
}

#define BAD_FRAG(spoil)						\
	do {							\
		f = good_frag(65536, 8192, 3);			\
		spoil;						\
		EXPECT_EQ(parse_reply(&f, f.len, &g), -EBADMSG);	\
	} while (0)

static void parse_reply_bad(void)
{
	struct ebpfs_frag f, g;
	_Alignas(8) struct ebpfs_reply r;

	f = good_frag(65536, 8192, 3);
	ASSERT_EQ(parse_reply(&f, f.len, &g), 0);
	BAD_FRAG(f.instance = 0);
	BAD_FRAG(f.id = EBPFS_ID(7, 0));
	BAD_FRAG(f.total = 65537);
	BAD_FRAG(f.total = ~0u);
	BAD_FRAG(f.total = f.offset);
	BAD_FRAG(f.total = f.offset - 1);
	BAD_FRAG(f.total = 0);
	BAD_FRAG(f.offset += 8);
	BAD_FRAG(f.offset = 65536);
	BAD_FRAG(f.offset = 0u - 8192);
	BAD_FRAG(f.cell = 8200);
	BAD_FRAG(f.cell = 0);
	BAD_FRAG(f.cell = 512);
	BAD_FRAG(f.cell = 1023);
	BAD_FRAG((f.cell = 8191, f.offset = 3 * 8191, f.len = 8191));
	BAD_FRAG((f.cell = 65464, f.offset = 0, f.len = 65464));
	BAD_FRAG(f.status = 5);
	BAD_FRAG(f.flags = EBPFS_REPLY_ALL + 1);
	BAD_FRAG(f.flags = 0x8000);
	f = good_frag(0, 8192, 0);
	f.status = 4096;
	EXPECT_EQ(parse_reply(&f, 0, &g), -EBADMSG);
	f = good_frag(0, 8192, 0);
	f.offset = 8192;
	EXPECT_EQ(parse_reply(&f, 0, &g), -EBADMSG);

	f = good_frag(65536, 8192, 3);
	ebpfs_put_reply(&r, &f);
	r.reserved = 1;
	EXPECT_EQ(ebpfs_parse_reply(&r, sizeof(r) + f.len, &g), -EBADMSG);
	r.reserved = 0;
	r.reserved2 = cpu_to_le32(1u << 31);
	EXPECT_EQ(ebpfs_parse_reply(&r, sizeof(r) + f.len, &g), -EBADMSG);
	r.reserved2 = 0;
	EXPECT_EQ(ebpfs_parse_reply(&r, sizeof(r) + f.len, &g), 0);
	EXPECT_EQ(ebpfs_parse_reply(&r, sizeof(r) - 1, &g), -EBADMSG);
}

static const u8 handle[EBPFS_FH_MAX] = "\x01handle";
static const u8 name[EBPFS_NAME_MAX + 1] = "name.c";

static struct ebpfs_entry_info make_entry(bool named, bool attr)
{
	struct ebpfs_entry_info e = { .type = 8 };

	e.attr.ino = cpu_to_le64(12345);
	if (attr) {
		memset(&e.attr, 0x3c, sizeof(e.attr));
		e.flags = EBPFS_ENTRY_ATTR;
		e.fh = handle;
		e.fh_len = 42;
	}
	if (named) {
		e.cookie = 0x8000000000000001ull;
		e.name = name;
		e.name_len = 6;
	}
	return e;
}

static int parse_entry(const void *data, u32 len, bool named)
{
	struct ebpfs_entry_info e;
	int odd, r = 0;

	for (odd = 0; odd < 2; odd++) {
		u8 *p = exact(data, len, odd);

		r = ebpfs_parse_entry(p, len, named, &e);
		let_go(p, odd);
	}
	return r;
}

static void entry_round_trip(void)
{
	struct ebpfs_entry_info in, out;
	_Alignas(8) u8 p[1024];
	u32 len, cut;
	int kind;

	for (kind = 1; kind < 4; kind++) {
		bool named = kind & 1, attr = kind & 2;

		in = make_entry(named, attr);
		memset(p, 0xff, sizeof(p));
		len = ebpfs_put_entry(p, sizeof(p), &in);
		EXPECT_EQ(len, 128 + (attr ? 48 : 0) + (named ? 8 : 0));
		EXPECT_EQ(ebpfs_put_entry(p, len, &in), len);
		EXPECT_EQ(ebpfs_put_entry(p, len - 1, &in), 0);
		EXPECT_EQ(ebpfs_put_entry(p, 0, &in), 0);

		memset(&out, 0xff, sizeof(out));
		ASSERT_EQ(ebpfs_parse_entry(p, sizeof(p), named, &out), 0);
		EXPECT_EQ(out.len, len);
		EXPECT_EQ(out.cookie, in.cookie);
		EXPECT_EQ(out.type, in.type);
		EXPECT_EQ(out.flags, in.flags);
		EXPECT_EQ(out.fh_len, in.fh_len);
		EXPECT_EQ(out.name_len, in.name_len);
		EXPECT_MEM(&out.attr, &in.attr, sizeof(in.attr));
		if (attr)
			EXPECT_MEM(out.fh, handle, in.fh_len);
		if (named)
			EXPECT_MEM(out.name, name, in.name_len);
		for (cut = 0; cut < len; cut++)
			EXPECT_EQ(parse_entry(p, cut, named), -EBADMSG);
		EXPECT_EQ(parse_entry(p, len, named), 0);
		EXPECT_EQ(parse_entry(p, len, !named), -EBADMSG);
	}
}

/* A file without attributes has no handle, whatever stands in the struct. */
static void put_entry_without_attr(void)
{
	struct ebpfs_entry_info in = make_entry(true, true), out;
	_Alignas(8) u8 p[512];
	struct ebpfs_attr only_ino = { .ino = in.attr.ino };

	in.flags = 0;
	EXPECT_EQ(ebpfs_put_entry(p, sizeof(p), &in), 136);
	ASSERT_EQ(ebpfs_parse_entry(p, 136, true, &out), 0);
	EXPECT_EQ(out.fh_len, 0);
	EXPECT_MEM(&out.attr, &only_ino, sizeof(only_ino));
}

#define BAD_ENTRY(named, attr, spoil)						\
	do {									\
		e = make_entry(named, attr);					\
		memset(p.bytes, 0, sizeof(p));					\
		len = ebpfs_put_entry(p.bytes, sizeof(p), &e);			\
		EXPECT_EQ(parse_entry(p.bytes, len, named), 0);			\
		spoil;								\
		EXPECT_EQ(parse_entry(p.bytes, len, named), -EBADMSG);		\
	} while (0)

static void parse_entry_bad(void)
{
	union {
		u8 bytes[1024];
		struct ebpfs_entry entry;
	} p;
	struct ebpfs_entry_info e;
	u32 len;

	BAD_ENTRY(true, true, p.entry.len = 0);
	BAD_ENTRY(true, true, p.entry.len = cpu_to_le16(len - 8));
	BAD_ENTRY(true, true, p.entry.len = cpu_to_le16(len + 8));
	BAD_ENTRY(true, true, p.entry.len = cpu_to_le16(len + 1));
	BAD_ENTRY(true, true, p.entry.fh_len = 0);
	BAD_ENTRY(true, true, p.entry.fh_len = cpu_to_le16(EBPFS_FH_MAX + 1));
	BAD_ENTRY(true, true, p.entry.fh_len = cpu_to_le16(0xffff));
	BAD_ENTRY(true, true, p.entry.name_len = 0);
	BAD_ENTRY(true, true, p.entry.name_len = cpu_to_le16(9));
	BAD_ENTRY(true, true, p.entry.name_len = cpu_to_le16(7));	/* its 7th byte is NUL */
	BAD_ENTRY(true, true, p.entry.flags = 0);
	BAD_ENTRY(true, true, p.entry.flags = 3);
	BAD_ENTRY(true, true, p.bytes[128 + 48 + 2] = '/');
	BAD_ENTRY(true, true, p.bytes[128 + 48 + 5] = 0);
	BAD_ENTRY(true, false, p.entry.flags = EBPFS_ENTRY_ATTR);
	BAD_ENTRY(false, true, p.entry.name_len = cpu_to_le16(1));
	/* LOOKUP without attributes answers nothing. */
	e = make_entry(false, false);
	len = ebpfs_put_entry(p.bytes, sizeof(p), &e);
	EXPECT_EQ(parse_entry(p.bytes, len, false), -EBADMSG);
}

static void entry_names(void)
{
	struct ebpfs_entry_info e = make_entry(true, true), out;
	u8 long_name[EBPFS_NAME_MAX + 1], p[1024];
	u32 len;

	memset(long_name, 'y', sizeof(long_name));
	e.name = long_name;
	e.name_len = EBPFS_NAME_MAX;
	len = ebpfs_put_entry(p, sizeof(p), &e);
	EXPECT_EQ(ebpfs_parse_entry(p, len, true, &out), 0);
	e.name_len = EBPFS_NAME_MAX + 1;
	len = ebpfs_put_entry(p, sizeof(p), &e);
	EXPECT_EQ(ebpfs_parse_entry(p, len, true, &out), -EBADMSG);
	/* READDIR lists these. */
	e.name = (const u8 *)"..";
	for (e.name_len = 1; e.name_len <= 2; e.name_len++) {
		len = ebpfs_put_entry(p, sizeof(p), &e);
		EXPECT_EQ(ebpfs_parse_entry(p, len, true, &out), 0);
	}
}

static void put_probe(void)
{
	static const u32 sizes[] = { 24, 25, 1200, 8972, 65507 };
	unsigned int i;
	u64 session;
	u32 j;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		u8 *p = exact(NULL, sizes[i], false);

		memset(p, 0xff, sizes[i]);
		EXPECT_EQ(ebpfs_put_probe(p, EBPFS_PROBE_ACK, SESSION, 99, sizes[i]), sizes[i]);
		EXPECT_EQ(parse_hdr(p, sizes[i], &session), EBPFS_PROBE_ACK);
		EXPECT_EQ(session, SESSION);
		EXPECT_EQ(le32_to_cpu(((struct ebpfs_probe *)p)->serial), 99);
		EXPECT(ebpfs_sealed(p, sizes[i]));
		for (j = 24; j < sizes[i]; j++)
			if (p[j] && !EXPECT_EQ(p[j], 0))
				break;
		EXPECT_EQ(parse_hdr(p, sizes[i] - 1, &session), -EBADMSG);
		let_go(p, false);
	}
}

static void seal_sees_every_bit(void)
{
	_Alignas(8) u8 p[200];
	u32 bit, crc;

	for (bit = 0; bit < sizeof(p); bit++)
		p[bit] = bit * 5;
	ebpfs_seal(p, sizeof(p));
	EXPECT(ebpfs_sealed(p, sizeof(p)));
	for (bit = 0; bit < 8 * sizeof(p); bit++) {
		p[bit / 8] ^= 1 << bit % 8;
		EXPECT(!ebpfs_sealed(p, sizeof(p)));
		p[bit / 8] ^= 1 << bit % 8;
	}
	EXPECT(!ebpfs_sealed(p, sizeof(p) - 1));
	/* Head and payload apart, as a fragment is checked. */
	crc = ebpfs_crc_head(p, 48);
	crc = ebpfs_crc32c(crc, p + 48, 100);
	crc = ebpfs_crc32c(crc, p + 148, 52);
	EXPECT_EQ(ebpfs_crc_end(crc), le32_to_cpu(((struct ebpfs_hdr *)p)->crc));
}

static void cells(void)
{
	EXPECT_EQ(ebpfs_ncells(0, 1024), 1);
	EXPECT_EQ(ebpfs_ncells(1, 1024), 1);
	EXPECT_EQ(ebpfs_ncells(1024, 1024), 1);
	EXPECT_EQ(ebpfs_ncells(1025, 1024), 2);
	EXPECT_EQ(ebpfs_ncells(65536, 1024), 64);
	EXPECT_EQ(ebpfs_ncells(65536, 65456), 2);
	EXPECT_EQ(ebpfs_cell_set(1), 1);
	EXPECT_EQ(ebpfs_cell_set(63), ~0ull >> 1);
	EXPECT_EQ(ebpfs_cell_set(64), ~0ull);
}

static const struct ktap_test tests[] = {
	KTAP_TEST(type_min_len),
	KTAP_TEST(parse_hdr_lengths),
	KTAP_TEST(parse_hdr_reads_no_payload),
	KTAP_TEST(parse_hdr_magic_version_type),
	KTAP_TEST(bytes_on_the_wire),
	KTAP_TEST(parse_reply_good),
	KTAP_TEST(parse_reply_bad),
	KTAP_TEST(entry_round_trip),
	KTAP_TEST(put_entry_without_attr),
	KTAP_TEST(parse_entry_bad),
	KTAP_TEST(entry_names),
	KTAP_TEST(put_probe),
	KTAP_TEST(seal_sees_every_bit),
	KTAP_TEST(cells),
};

int main(int argc, char **argv)
{
	return KTAP_MAIN(tests, argc, argv);
}
