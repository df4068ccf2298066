// SPDX-License-Identifier: GPL-2.0
/*
 * Arbitrary bytes as a datagram and as a directory entry: the parsers of
 * kmod/core/wire.c, and that what they accept is what wire.h guarantees.
 *
 * What was accepted is built again from the parsed values and must come out
 * byte for byte: nothing in an accepted message goes unread or has two
 * meanings. libFuzzer gives the input in memory of exactly its length, so
 * AddressSanitizer sees every read behind its end.
 */
#include <stdlib.h>

#include "core/wire.h"
#include "fuzz/must.h"

static void check_reply(const u8 *p, u32 len)
{
	u8 again[sizeof(struct ebpfs_reply)];
	struct ebpfs_frag f;
	u32 left;

	if (ebpfs_parse_reply(p, len, &f))
		return;
	MUST(f.total <= EBPFS_MSG_MAX);
	MUST(f.cell >= EBPFS_CELL_MIN && f.cell <= EBPFS_CELL_MAX && f.cell % 8 == 0);
	MUST(f.ncells >= 1 && f.ncells <= EBPFS_CELLS_MAX && f.index < f.ncells);
	MUST(f.offset == (u32)f.index * f.cell);
	MUST(f.total ? f.offset < f.total : !f.offset);
	left = f.total - f.offset;
	MUST(f.len == (left < f.cell ? left : f.cell));
	MUST(f.len == len - sizeof(struct ebpfs_reply));
	MUST(f.instance && EBPFS_ID_SEQ(f.id));
	MUST(f.status < 4096 && !(f.status && f.total));
	MUST((u32)(f.ncells - 1) * f.cell <= f.total && (u32)f.ncells * f.cell >= f.total);

	MUST(ebpfs_put_reply(again, &f) == sizeof(again));
	MUST(!memcmp(again + 4, p + 4, sizeof(again) - 4));
}

static void check_call(const struct ebpfs_call_info *c, const u8 *p, u32 len)
{
	MUST(EBPFS_ID_SEQ(c->id) && !c->cred);
	MUST(c->cell >= EBPFS_CELL_MIN && c->cell <= EBPFS_CELL_MAX && c->cell % 8 == 0);
	MUST(c->op >= EBPFS_OP_PING && c->op <= EBPFS_OP_STATFS);
	if (c->op == EBPFS_OP_PING) {
		MUST(!c->fh_len && !c->name_len && !c->arg && !c->count);
		return;
	}
	MUST(c->fh_len >= 1 && c->fh_len <= EBPFS_FH_MAX);
	MUST(c->fh >= p && c->fh + c->fh_len <= p + len);
	if (c->op == EBPFS_OP_LOOKUP) {
		MUST(c->name_len >= 1 && c->name_len <= EBPFS_NAME_MAX);
		MUST(c->name >= p && c->name + c->name_len <= p + len);
		MUST(!memchr(c->name, '/', c->name_len) && !memchr(c->name, 0, c->name_len));
		MUST(c->name[0] != '.' || (c->name_len != 1 &&
					  (c->name_len != 2 || c->name[1] != '.')));
	} else {
		MUST(!c->name_len);
	}
	if (c->op == EBPFS_OP_READ || c->op == EBPFS_OP_READDIR)
		MUST(c->count >= 1 && c->count <= EBPFS_MSG_MAX);
	if (c->op == EBPFS_OP_READ)
		MUST(c->arg <= INT64_MAX && c->arg + c->count <= INT64_MAX);
}

static void check_calls(const u8 *p, u32 len, u64 session)
{
	const u8 *last_fh = NULL;
	struct ebpfs_call_iter it;
	struct ebpfs_call_info c;
	u32 n = 0, at, size, count;
	bool reuse;
	u8 *again;

	if (ebpfs_parse_calls(p, len, &it))
		return;
	count = it.left;
	again = malloc(len);
	at = ebpfs_put_calls(again, session, count, it.cell);
	while (ebpfs_next_call(&it, &c)) {
		n++;
		check_call(&c, p, len);
		reuse = c.fh && c.fh == last_fh;
		size = ebpfs_call_size(&c, reuse);
		MUST(size <= len - at);
		MUST(ebpfs_put_call(again + at, &c, reuse) == size);
		at += size;
		if (c.fh)
			last_fh = c.fh;
	}
	MUST(n == count);
	MUST(at == len);
	MUST(!memcmp(again + 4, p + 4, len - 4));
	free(again);
}

static void check_entry(const u8 *p, u32 len, bool named)
{
	struct ebpfs_entry_info e;
	u8 *again;

	if (ebpfs_parse_entry(p, len, named, &e))
		return;
	MUST(e.len >= sizeof(struct ebpfs_entry) && e.len <= len && e.len % 8 == 0);
	MUST(!(e.flags & ~EBPFS_ENTRY_ATTR));
	MUST(!e.fh_len == !(e.flags & EBPFS_ENTRY_ATTR) && e.fh_len <= EBPFS_FH_MAX);
	MUST(e.fh >= p && e.fh + e.fh_len <= p + e.len);
	MUST(e.name >= p && e.name + e.name_len <= p + e.len);
	if (named) {
		MUST(e.name_len >= 1 && e.name_len <= EBPFS_NAME_MAX);
		MUST(!memchr(e.name, '/', e.name_len) && !memchr(e.name, 0, e.name_len));
	} else {
		MUST(!e.name_len && e.fh_len);
	}

	again = malloc(e.len);
	MUST(ebpfs_put_entry(again, e.len - 1, &e) == 0);
	MUST(ebpfs_put_entry(again, e.len, &e) == e.len);
	/* Without attributes only the inode number means something, and padding nothing. */
	if (e.flags & EBPFS_ENTRY_ATTR)
		MUST(!memcmp(again, p, sizeof(struct ebpfs_entry) + e.fh_len));
	MUST(!memcmp(again + (e.name - p), e.name, e.name_len));
	free(again);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	u64 session;

	switch (ebpfs_parse_hdr(data, size, &session)) {
	case EBPFS_REPLY:
		check_reply(data, size);
		break;
	case EBPFS_CALL:
		check_calls(data, size, session);
		break;
	case -EBADMSG:
		break;
	default:
		MUST(size >= ebpfs_type_min_len(data[7]));
		if (data[7] != EBPFS_PROBE && data[7] != EBPFS_PROBE_ACK)
			MUST(size == ebpfs_type_min_len(data[7]));
	}
	check_entry(data, size, true);
	check_entry(data, size, false);
	return 0;
}
