// SPDX-License-Identifier: GPL-2.0
/*
 * Arbitrary bytes as a datagram, as a directory entry and as the data of a call
 * (the first byte is its op): the parsers of kmod/core/wire.c, and that what
 * they accept is what wire.h guarantees.
 *
 * What was accepted is built again from the parsed values and must come out
 * byte for byte: nothing in an accepted message goes unread or has two
 * meanings. libFuzzer gives the input in memory of exactly its length, so
 * AddressSanitizer sees every read behind its end.
 */
#include <stdlib.h>
#include <sys/stat.h>

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

static void check_name(const u8 *name, u16 len)
{
	MUST(len >= 1 && len <= EBPFS_NAME_MAX);
	MUST(!memchr(name, '/', len) && !memchr(name, 0, len));
	MUST(name[0] != '.' || (len != 1 && (len != 2 || name[1] != '.')));
}

/* As many as there are; each comes out again. */
static void check_releases(const u8 *data, u32 len)
{
	struct ebpfs_release_info r;
	u8 again[EBPFS_RELEASE_MAX];
	int n;

	while (len && (n = ebpfs_parse_release(data, len, &r)) > 0) {
		MUST((u32)n <= len && n % 8 == 0 && (u32)n <= sizeof(again));
		MUST(r.fh_len >= 1 && r.fh_len <= EBPFS_FH_MAX);
		MUST(r.fh >= data && r.fh + r.fh_len <= data + n);
		MUST(ebpfs_put_release(again, &r) == (u32)n);
		MUST(!memcmp(again, data, (size_t)n));
		data += n;
		len -= (u32)n;
	}
}

/* Data of a call that say more than what they are: by the op's own parser. */
static void check_op_data(u16 op, const u8 *data, u32 len)
{
	union {
		struct ebpfs_create create;
		struct ebpfs_setattr setattr;
		u8 target[EBPFS_TARGET_MAX];
	} again;
	struct ebpfs_target_info t;
	struct ebpfs_setattr a;
	struct ebpfs_create c;
	struct ebpfs_cred cred;
	struct ebpfs_range range;
	struct ebpfs_copy copy;
	struct ebpfs_lock lock;
	const u8 *link, *fh;
	u32 mode, valid;

	switch (op) {
	case EBPFS_OP_RENAME:
	case EBPFS_OP_LINK:
		if (ebpfs_parse_target(data, len, &t))
			break;
		MUST(t.fh_len >= 1 && t.fh_len <= EBPFS_FH_MAX);
		MUST(t.fh >= data && t.fh + t.fh_len <= data + len);
		MUST(t.name >= data && t.name + t.name_len <= data + len);
		check_name(t.name, t.name_len);
		MUST(len <= sizeof(again.target));
		MUST(ebpfs_put_target(again.target, &t) == len);
		MUST(!memcmp(again.target, data, len));
		break;
	case EBPFS_OP_CREATE:
	case EBPFS_OP_TMPFILE:
		if (ebpfs_parse_create(data, len, &c, &link))
			break;
		mode = le32_to_cpu(c.mode);
		MUST(!(mode & ~(u32)(S_IFMT | 07777)) && !(le32_to_cpu(c.umask) & ~0777u));
		MUST(S_ISREG(mode) || S_ISDIR(mode) || S_ISCHR(mode) || S_ISBLK(mode) ||
		     S_ISFIFO(mode) || S_ISSOCK(mode) || S_ISLNK(mode));
		MUST(S_ISCHR(mode) || S_ISBLK(mode) || (!c.rdev_major && !c.rdev_minor));
		MUST(!(le32_to_cpu(c.flags) & ~EBPFS_CREATE_EXCL));
		MUST(S_ISLNK(mode) == !!c.target_len);
		if (S_ISLNK(mode)) {
			MUST(link == data + sizeof(c));
			MUST(le32_to_cpu(c.target_len) <= EBPFS_LINK_MAX);
			MUST(!memchr(link, 0, le32_to_cpu(c.target_len)));
		}
		MUST(len == sizeof(c) + le32_to_cpu(c.target_len));
		MUST(!memcmp(&c, data, sizeof(c)));
		break;
	case EBPFS_OP_SETATTR:
		if (ebpfs_parse_setattr(data, &a))
			break;
		valid = le32_to_cpu(a.valid);
		MUST(!(valid & ~EBPFS_SET_ALL));
		MUST(le64_to_cpu(a.size) <= INT64_MAX && !(le32_to_cpu(a.mode) & ~07777u));
		MUST(le32_to_cpu(a.atime_ns) < 1000000000 && le32_to_cpu(a.mtime_ns) < 1000000000);
		MUST(!(valid & EBPFS_SET_ATIME) || !(valid & EBPFS_SET_ATIME_NOW));
		MUST(!(valid & EBPFS_SET_MTIME) || !(valid & EBPFS_SET_MTIME_NOW));
		MUST(!memcmp(&a, data, sizeof(a)));
		break;
	case EBPFS_OP_FALLOCATE:
		if (ebpfs_parse_range(data, &range))
			break;
		MUST(range.len && le64_to_cpu(range.len) <= INT64_MAX && !range.reserved);
		MUST(le64_to_cpu(range.offset) <= INT64_MAX - le64_to_cpu(range.len));
		MUST(!memcmp(&range, data, sizeof(range)));
		break;
	case EBPFS_OP_COPY:
		if (ebpfs_parse_copy(data, len, &copy, &fh))
			break;
		MUST(le64_to_cpu(copy.len) <= INT64_MAX && !copy.reserved);
		MUST(copy.len || le32_to_cpu(copy.flags) & EBPFS_COPY_CLONE);
		MUST(le64_to_cpu(copy.from) <= INT64_MAX - le64_to_cpu(copy.len));
		MUST(le64_to_cpu(copy.to) <= INT64_MAX - le64_to_cpu(copy.len));
		MUST(!(le32_to_cpu(copy.flags) & ~EBPFS_COPY_CLONE));
		MUST(copy.fh_len && le16_to_cpu(copy.fh_len) <= EBPFS_FH_MAX);
		MUST(fh == data + sizeof(copy) && fh + le16_to_cpu(copy.fh_len) <= data + len);
		MUST(len == sizeof(copy) + ((le16_to_cpu(copy.fh_len) + 7u) & ~7u));
		break;
	case EBPFS_OP_RELEASE:
		check_releases(data, len);
		break;
	case EBPFS_OP_LOCK:
		if (ebpfs_parse_lock(data, &lock))
			break;
		MUST(le64_to_cpu(lock.start) <= le64_to_cpu(lock.end) && !lock.reserved);
		MUST(le64_to_cpu(lock.end) <= INT64_MAX);
		MUST(lock.kind == EBPFS_LOCK_POSIX || lock.kind == EBPFS_LOCK_FLOCK);
		MUST(lock.kind == EBPFS_LOCK_POSIX ||
		     (!lock.start && le64_to_cpu(lock.end) == INT64_MAX));
		MUST(lock.type <= EBPFS_LOCK_NONE && lock.flags <= EBPFS_LOCK_TEST);
		MUST(!lock.flags || lock.type != EBPFS_LOCK_NONE);
		MUST(!memcmp(&lock, data, sizeof(lock)));
		break;
	case EBPFS_OP_CRED:
		if (ebpfs_parse_cred(data, len))
			break;
		memcpy(&cred, data, sizeof(cred));
		MUST(!cred.reserved && le32_to_cpu(cred.ngroups) <= EBPFS_GROUPS_MAX);
		MUST(len == sizeof(cred) + 4 * le32_to_cpu(cred.ngroups));
		break;
	}
}

static void check_call(const struct ebpfs_call_info *c, const u8 *p, u32 len)
{
	const struct ebpfs_op_traits *t = ebpfs_op_traits(c->op);

	MUST(EBPFS_ID_SEQ(c->id));
	MUST(c->cell >= EBPFS_CELL_MIN && c->cell <= EBPFS_CELL_MAX && c->cell % 8 == 0);
	MUST(c->op >= EBPFS_OP_PING && c->op <= EBPFS_OP_LAST);
	MUST(!t == (c->op == EBPFS_OP_PING));
	if (!t) {
		MUST(!c->fh_len && !c->name_len && !c->arg && !c->count);
		MUST(!c->apart && !c->data && !c->data_len && !c->op_id);
		return;
	}
	if (t->flags & EBPFS_TRAIT_FH) {
		MUST(c->fh_len >= 1 && c->fh_len <= EBPFS_FH_MAX);
		MUST(c->fh >= p && c->fh + c->fh_len <= p + len);
	} else {
		MUST(!c->fh_len && !c->fh);
	}
	if (t->flags & EBPFS_TRAIT_NAME) {
		MUST(c->name >= p && c->name + c->name_len <= p + len);
		check_name(c->name, c->name_len);
	} else if (t->flags & EBPFS_TRAIT_XATTR) {
		MUST(c->name >= p && c->name + c->name_len <= p + len);
		MUST(c->name_len >= 1 && c->name_len <= EBPFS_NAME_MAX);
		MUST(!memchr(c->name, 0, c->name_len));
	} else {
		MUST(!c->name_len);
	}
	MUST(!c->op_id == !(t->flags & EBPFS_TRAIT_ONCE));
	MUST(c->data_len >= t->data_min && c->data_len <= t->data_max);
	MUST(c->data_len <= EBPFS_MSG_MAX && (!c->apart || c->data_len));
	if (c->data_len && !c->apart) {
		MUST(c->data >= p && c->data + c->data_len <= p + len);
		check_op_data(c->op, c->data, c->data_len);
	} else {
		MUST(!c->data);
	}
	if (t->flags & EBPFS_TRAIT_COUNT)
		MUST(c->count >= 1 && c->count <= EBPFS_MSG_MAX);
	if (c->op == EBPFS_OP_SEEK)
		MUST(c->arg <= INT64_MAX);
	if (c->op == EBPFS_OP_READ || c->op == EBPFS_OP_COMMIT)
		MUST(c->arg <= INT64_MAX && c->arg + c->count <= INT64_MAX);
	if (t->flags & EBPFS_TRAIT_ATTR) {
		MUST(c->attr >= p && c->attr + sizeof(struct ebpfs_setattr) <= p + len);
		check_op_data(EBPFS_OP_SETATTR, c->attr, sizeof(struct ebpfs_setattr));
	} else {
		MUST(!c->attr);
	}
	if (c->op == EBPFS_OP_WRITE || c->op == EBPFS_OP_WRITEATTR) {
		MUST(c->arg <= INT64_MAX && c->arg + c->data_len <= INT64_MAX);
		MUST(c->count <= EBPFS_WRITE_STABLE);
	}
	if (c->op == EBPFS_OP_LOOKUP)
		MUST((c->count & 0xffff) <= EBPFS_HOLD_ALL &&
		     c->count >> EBPFS_FIRST_SHIFT <= EBPFS_FIRST_MAX &&
		     !c->arg == !(c->count & EBPFS_HOLD_ALL));
	if (c->op == EBPFS_OP_GETATTR || c->op == EBPFS_OP_CREATE)
		MUST(c->count <= EBPFS_HOLD_ALL && !c->arg == !c->count);
	if (c->op == EBPFS_OP_TMPFILE)
		MUST(c->arg && c->count <= EBPFS_HOLD_ALL && c->count & EBPFS_HOLD_OPEN);
	if (c->op == EBPFS_OP_LOCK)
		MUST(c->arg);
	if (c->op == EBPFS_OP_CRED)
		MUST(c->arg && c->arg <= UINT32_MAX);
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

static void check_data(const u8 *p, u32 len)
{
	u8 again[sizeof(struct ebpfs_data)];
	struct ebpfs_frag f;
	u32 left;

	if (ebpfs_parse_data(p, len, &f))
		return;
	MUST(f.total >= 1 && f.total <= EBPFS_MSG_MAX && f.offset < f.total);
	MUST(f.cell >= EBPFS_CELL_MIN && f.cell <= EBPFS_CELL_MAX && f.cell % 8 == 0);
	MUST(f.ncells >= 1 && f.ncells <= EBPFS_CELLS_MAX && f.index < f.ncells);
	MUST(f.offset == (u32)f.index * f.cell);
	left = f.total - f.offset;
	MUST(f.len == (left < f.cell ? left : f.cell));
	MUST(f.len && f.len == len - sizeof(struct ebpfs_data));
	MUST(EBPFS_ID_SEQ(f.id) && !f.instance && !f.status && !f.flags);
	MUST(ebpfs_put_data(again, &f) == sizeof(again));
	MUST(!memcmp(again + 4, p + 4, sizeof(again) - 4));
}

static void check_need(const u8 *p, u64 session)
{
	u8 again[sizeof(struct ebpfs_need)];
	struct ebpfs_need_info n;

	if (ebpfs_parse_need(p, &n))
		return;
	MUST(EBPFS_ID_SEQ(n.id) && n.missing);
	MUST(!n.cell || (n.cell >= EBPFS_CELL_MIN && n.cell <= EBPFS_CELL_MAX && n.cell % 8 == 0));
	MUST(ebpfs_put_need(again, session, &n) == sizeof(again));
	MUST(!memcmp(again + 4, p + 4, sizeof(again) - 4));
	MUST(ebpfs_sealed(again, sizeof(again)));
}

static void check_recall(const u8 *p, u64 session)
{
	u8 again[sizeof(struct ebpfs_recall)];
	struct ebpfs_recall_info r;

	if (ebpfs_parse_recall(p, &r))
		return;
	MUST(r.kind == EBPFS_RECALL_LEASE || r.kind == EBPFS_RECALL_LOCK);
	MUST(r.fh_len >= 1 && r.fh_len <= EBPFS_FH_MAX);
	MUST(r.fh >= p && r.fh + r.fh_len <= p + sizeof(again));
	MUST(ebpfs_put_recall(again, session, &r) == sizeof(again));
	MUST(!memcmp(again + 4, p + 4, sizeof(again) - 4));
	MUST(ebpfs_sealed(again, sizeof(again)));
}

static void check_recalled(const u8 *p, u64 session)
{
	u8 again[sizeof(struct ebpfs_recalled)];
	struct ebpfs_recalled r;

	memcpy(&r, p, sizeof(r));
	MUST(ebpfs_put_recalled(again, session, le64_to_cpu(r.id)) == sizeof(again));
	MUST(!memcmp(again + 4, p + 4, sizeof(again) - 4));
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

static void check_apart(u16 op, const u8 *data, u32 len)
{
	const struct ebpfs_op_traits *t = ebpfs_op_traits(op);

	if (t && len >= t->data_min && len <= t->data_max)
		check_op_data(op, data, len);
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
	case EBPFS_DATA:
		check_data(data, size);
		break;
	case EBPFS_NEED:
		MUST(size == sizeof(struct ebpfs_need));
		check_need(data, session);
		break;
	case EBPFS_RECALL:
		MUST(size == sizeof(struct ebpfs_recall));
		check_recall(data, session);
		break;
	case EBPFS_RECALLED:
		MUST(size == sizeof(struct ebpfs_recalled));
		check_recalled(data, session);
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
	/* What comes apart reaches these parsers without a call around it. */
	if (size && size - 1 <= EBPFS_MSG_MAX)
		check_apart(data[0], data + 1, size - 1);
	return 0;
}
