// SPDX-License-Identifier: GPL-2.0
/*
 * Parsers and builders of the wire protocol. Contracts: wire.h. Pure and
 * reentrant, any context.
 *
 * Heads are copied out before they are looked at: a datagram may lie at any
 * address (one of several in a receive buffer), and one that lies in memory
 * shared with somebody else cannot change between check and use.
 */
#include "core/wire.h"

_Static_assert(sizeof(struct ebpfs_hdr) == 16 && sizeof(struct ebpfs_calls) == 24 &&
	       sizeof(struct ebpfs_call) == 32 && sizeof(struct ebpfs_body) == 32 &&
	       sizeof(struct ebpfs_data) == 40 && sizeof(struct ebpfs_need) == 40 &&
	       sizeof(struct ebpfs_create) == 24 && sizeof(struct ebpfs_target) == 8 &&
	       sizeof(struct ebpfs_setattr) == 48 && sizeof(struct ebpfs_written) == 144 &&
	       sizeof(struct ebpfs_range) == 24 && sizeof(struct ebpfs_copy) == 32 &&
	       sizeof(struct ebpfs_reply) == 48 && sizeof(struct ebpfs_probe) == 24 &&
	       sizeof(struct ebpfs_attr) == 112 && sizeof(struct ebpfs_entry) == 128 &&
	       sizeof(struct ebpfs_statfs) == 56 && sizeof(struct ebpfs_release) == 16 &&
	       sizeof(struct ebpfs_recall) == 168 && sizeof(struct ebpfs_recalled) == 24 &&
	       sizeof(struct ebpfs_lock) == 32 && sizeof(struct ebpfs_guard) == 24 &&
	       sizeof(struct ebpfs_rekey) == 56, "wire structs have no padding");
_Static_assert(EBPFS_CELL_MIN * EBPFS_CELLS_MAX >= EBPFS_MSG_MAX,
	       "every reply fits the smallest grid");
_Static_assert(EBPFS_CELL_MIN + sizeof(struct ebpfs_reply) <= EBPFS_UDP_PAYLOAD_BASE,
	       "every path carries the smallest cell");
_Static_assert(EBPFS_CELL_MAX + sizeof(struct ebpfs_reply) <= EBPFS_UDP_PAYLOAD_MAX &&
	       EBPFS_CELL_MAX % 8 == 0, "the largest cell fits a datagram");

static u32 pad8(u32 n)
{
	return (n + 7) & ~7u;
}

static bool all_zero(const u8 *p, u32 n)
{
	while (n--)
		if (*p++)
			return false;
	return true;
}

static bool valid_cell(u16 cell)
{
	return cell >= EBPFS_CELL_MIN && cell <= EBPFS_CELL_MAX && cell % 8 == 0;
}

static bool valid_name(const u8 *name, u16 len)
{
	return len >= 1 && len <= EBPFS_NAME_MAX && !memchr(name, '/', len) &&
	       !memchr(name, '\0', len);
}

static bool dot_or_dotdot(const u8 *name, u16 len)
{
	return name[0] == '.' && (len == 1 || (len == 2 && name[1] == '.'));
}

u32 ebpfs_type_min_len(u8 type)
{
	switch (type) {
	case EBPFS_HELLO:
		return sizeof(struct ebpfs_hello);
	case EBPFS_CHALLENGE:
		return sizeof(struct ebpfs_challenge);
	case EBPFS_AUTH:
		return sizeof(struct ebpfs_auth);
	case EBPFS_ACCEPT:
		return sizeof(struct ebpfs_accept);
	case EBPFS_REJECT:
		return sizeof(struct ebpfs_reject);
	case EBPFS_CALL:
		return sizeof(struct ebpfs_calls) + sizeof(struct ebpfs_call);
	case EBPFS_REPLY:
		return sizeof(struct ebpfs_reply);
	case EBPFS_PROBE:
	case EBPFS_PROBE_ACK:
		return sizeof(struct ebpfs_probe);
	case EBPFS_BYE:
		return sizeof(struct ebpfs_bye);
	case EBPFS_UNKNOWN:
		return sizeof(struct ebpfs_hdr);
	case EBPFS_DATA:
		return sizeof(struct ebpfs_data) + 1;
	case EBPFS_NEED:
		return sizeof(struct ebpfs_need);
	case EBPFS_RECALL:
		return sizeof(struct ebpfs_recall);
	case EBPFS_RECALLED:
		return sizeof(struct ebpfs_recalled);
	case EBPFS_REKEY:
	case EBPFS_REKEYED:
		return sizeof(struct ebpfs_rekey);
	default:
		return 0;
	}
}

int ebpfs_parse_hdr(const void *p, u32 len, u64 *session)
{
	struct ebpfs_probe probe;
	struct ebpfs_hdr hdr;
	u32 least;

	if (len < sizeof(hdr))
		return -EBADMSG;
	memcpy(&hdr, p, sizeof(hdr));
	if (le16_to_cpu(hdr.magic) != EBPFS_MAGIC)
		return -EBADMSG;
	if (hdr.version != EBPFS_VERSION && hdr.type != EBPFS_HELLO && hdr.type != EBPFS_REJECT)
		return -EBADMSG;
	least = ebpfs_type_min_len(hdr.type);
	if (!least || len < least)
		return -EBADMSG;

	switch (hdr.type) {
	case EBPFS_CALL:
	case EBPFS_REPLY:
	case EBPFS_DATA:
		break;
	case EBPFS_PROBE:
	case EBPFS_PROBE_ACK:
		memcpy(&probe, p, sizeof(probe));
		if (le32_to_cpu(probe.size) != len)
			return -EBADMSG;
		break;
	default:
		if (len != least)
			return -EBADMSG;
	}
	*session = le64_to_cpu(hdr.session);
	return hdr.type;
}

/* Does the fragment lie where one of its grid may? Then it gets its index. */
static bool place_on_grid(struct ebpfs_frag *f)
{
	u32 left;

	if (f->total > EBPFS_MSG_MAX || f->offset % f->cell)
		return false;
	if (f->total ? f->offset >= f->total : f->offset != 0)
		return false;
	left = f->total - f->offset;
	if (f->len != (left < f->cell ? left : f->cell))
		return false;
	f->index = f->offset / f->cell;
	f->ncells = ebpfs_ncells(f->total, f->cell);
	return true;
}

int ebpfs_parse_reply(const void *p, u32 len, struct ebpfs_frag *f)
{
	struct ebpfs_reply r;

	if (len < sizeof(r))
		return -EBADMSG;
	memcpy(&r, p, sizeof(r));
	f->session = le64_to_cpu(r.hdr.session);
	f->crc = le32_to_cpu(r.hdr.crc);
	f->id = le64_to_cpu(r.id);
	f->instance = le32_to_cpu(r.instance);
	f->total = le32_to_cpu(r.total);
	f->offset = le32_to_cpu(r.offset);
	f->cell = le16_to_cpu(r.cell);
	f->status = le16_to_cpu(r.status);
	f->flags = le16_to_cpu(r.flags);
	f->attempt = r.attempt;
	f->ce = false;
	f->len = len - sizeof(r);

	if (!EBPFS_ID_SEQ(f->id) || !f->instance || !valid_cell(f->cell))
		return -EBADMSG;
	if (r.reserved || r.reserved2 || f->flags & ~EBPFS_REPLY_ALL)
		return -EBADMSG;
	if (f->status >= 4096 || (f->status && f->total))
		return -EBADMSG;
	return place_on_grid(f) ? 0 : -EBADMSG;
}

int ebpfs_parse_data(const void *p, u32 len, struct ebpfs_frag *f)
{
	struct ebpfs_data d;

	if (len <= sizeof(d))
		return -EBADMSG;
	memcpy(&d, p, sizeof(d));
	memset(f, 0, sizeof(*f));
	f->session = le64_to_cpu(d.hdr.session);
	f->crc = le32_to_cpu(d.hdr.crc);
	f->id = le64_to_cpu(d.id);
	f->total = le32_to_cpu(d.total);
	f->offset = le32_to_cpu(d.offset);
	f->cell = le16_to_cpu(d.cell);
	f->attempt = d.attempt;
	f->len = len - sizeof(d);
	if (!EBPFS_ID_SEQ(f->id) || !valid_cell(f->cell) || d.flags || d.reserved)
		return -EBADMSG;
	return place_on_grid(f) ? 0 : -EBADMSG;
}

_Static_assert(!offsetof(struct ebpfs_data, hdr.crc) && offsetof(struct ebpfs_data, id) == 16 &&
	       offsetof(struct ebpfs_data, offset) == 28 && sizeof(struct ebpfs_data) == 40,
	       "ebpfs_next_data() goes by these words");

int ebpfs_parse_need(const void *p, struct ebpfs_need_info *n)
{
	struct ebpfs_need w;

	memcpy(&w, p, sizeof(w));
	n->id = le64_to_cpu(w.id);
	n->missing = le64_to_cpu(w.missing);
	n->cell = le16_to_cpu(w.cell);
	n->attempt = w.attempt;
	if (!EBPFS_ID_SEQ(n->id) || !n->missing || (n->cell && !valid_cell(n->cell)) ||
	    !all_zero(w.reserved, sizeof(w.reserved)))
		return -EBADMSG;
	return 0;
}

#define ANY	EBPFS_MSG_MAX
#define OPS	(EBPFS_OP_LAST + 1)

static const struct ebpfs_op_traits traits[OPS] = {
	[EBPFS_OP_GETATTR]	= { EBPFS_TRAIT_FH, 0, 0 },
	[EBPFS_OP_LOOKUP]	= { EBPFS_TRAIT_FH | EBPFS_TRAIT_NAME, 0, 0 },
	[EBPFS_OP_READDIR]	= { EBPFS_TRAIT_FH | EBPFS_TRAIT_COUNT, 0, 0 },
	[EBPFS_OP_READLINK]	= { EBPFS_TRAIT_FH, 0, 0 },
	[EBPFS_OP_READ]		= { EBPFS_TRAIT_FH | EBPFS_TRAIT_COUNT, 0, 0 },
	[EBPFS_OP_STATFS]	= { EBPFS_TRAIT_FH, 0, 0 },
	[EBPFS_OP_CRED]		= { 0, sizeof(struct ebpfs_cred), ANY },
	[EBPFS_OP_ACCESS]	= { EBPFS_TRAIT_FH, 0, 0 },
	[EBPFS_OP_CREATE]	= { EBPFS_TRAIT_FH | EBPFS_TRAIT_NAME | EBPFS_TRAIT_ONCE,
				    sizeof(struct ebpfs_create),
				    sizeof(struct ebpfs_create) + EBPFS_LINK_MAX },
	[EBPFS_OP_REMOVE]	= { EBPFS_TRAIT_FH | EBPFS_TRAIT_NAME | EBPFS_TRAIT_ONCE, 0, 0 },
	[EBPFS_OP_RENAME]	= { EBPFS_TRAIT_FH | EBPFS_TRAIT_NAME | EBPFS_TRAIT_ONCE,
				    sizeof(struct ebpfs_target) + 16, EBPFS_TARGET_MAX },
	[EBPFS_OP_LINK]		= { EBPFS_TRAIT_FH | EBPFS_TRAIT_ONCE,
				    sizeof(struct ebpfs_target) + 16, EBPFS_TARGET_MAX },
	[EBPFS_OP_SETATTR]	= { EBPFS_TRAIT_FH | EBPFS_TRAIT_ONCE,
				    sizeof(struct ebpfs_setattr), sizeof(struct ebpfs_setattr) },
	[EBPFS_OP_WRITE]	= { EBPFS_TRAIT_FH, 1, ANY },
	[EBPFS_OP_COMMIT]	= { EBPFS_TRAIT_FH, 0, 0 },
	[EBPFS_OP_GETXATTR]	= { EBPFS_TRAIT_FH | EBPFS_TRAIT_XATTR | EBPFS_TRAIT_COUNT, 0, 0 },
	[EBPFS_OP_LISTXATTR]	= { EBPFS_TRAIT_FH | EBPFS_TRAIT_COUNT, 0, 0 },
	[EBPFS_OP_SETXATTR]	= { EBPFS_TRAIT_FH | EBPFS_TRAIT_XATTR | EBPFS_TRAIT_ONCE, 0, ANY },
	[EBPFS_OP_REMOVEXATTR]	= { EBPFS_TRAIT_FH | EBPFS_TRAIT_XATTR | EBPFS_TRAIT_ONCE, 0, 0 },
	[EBPFS_OP_FALLOCATE]	= { EBPFS_TRAIT_FH | EBPFS_TRAIT_ONCE,
				    sizeof(struct ebpfs_range), sizeof(struct ebpfs_range) },
	[EBPFS_OP_SEEK]		= { EBPFS_TRAIT_FH, 0, 0 },
	[EBPFS_OP_COPY]		= { EBPFS_TRAIT_FH | EBPFS_TRAIT_ONCE,
				    sizeof(struct ebpfs_copy) + 8,
				    sizeof(struct ebpfs_copy) + EBPFS_FH_MAX },
	[EBPFS_OP_APPEND]	= { EBPFS_TRAIT_FH | EBPFS_TRAIT_ONCE, 1, ANY },
	[EBPFS_OP_RELEASE]	= { 0, sizeof(struct ebpfs_release) + 8, ANY },
	[EBPFS_OP_LOCK]		= { EBPFS_TRAIT_FH, sizeof(struct ebpfs_lock),
				    sizeof(struct ebpfs_lock) },
	[EBPFS_OP_TMPFILE]	= { EBPFS_TRAIT_FH | EBPFS_TRAIT_ONCE,
				    sizeof(struct ebpfs_create), sizeof(struct ebpfs_create) },
	[EBPFS_OP_WRITEATTR]	= { EBPFS_TRAIT_FH | EBPFS_TRAIT_ONCE | EBPFS_TRAIT_ATTR, 1, ANY },
};

const struct ebpfs_op_traits *ebpfs_op_traits(u16 op)
{
	/* PING has no body, and so no traits. */
	return op > EBPFS_OP_PING && op < OPS ? &traits[op] : NULL;
}

/* Bytes of attributes that a call of the op has before its data. */
static u32 attr_size(const struct ebpfs_op_traits *t)
{
	return t->flags & EBPFS_TRAIT_ATTR ? sizeof(struct ebpfs_setattr) : 0;
}

/* A directory's entry that may be looked up, made or removed. */
static bool valid_entry_name(const u8 *name, u16 len)
{
	return valid_name(name, len) && !dot_or_dotdot(name, len);
}

static bool valid_xattr_name(const u8 *name, u16 len)
{
	return len >= 1 && len <= EBPFS_NAME_MAX && !memchr(name, '\0', len);
}

/* Does the op's body say what it may say? */
static bool valid_args(const struct ebpfs_call_info *c)
{
	const struct ebpfs_op_traits *t = ebpfs_op_traits(c->op);
	u64 bytes = 0;

	if (!t)
		return false;
	if (t->flags & EBPFS_TRAIT_FH ? !c->fh_len || c->fh_len > EBPFS_FH_MAX : c->fh_len)
		return false;
	if (t->flags & EBPFS_TRAIT_NAME ? !valid_entry_name(c->name, c->name_len) :
	    t->flags & EBPFS_TRAIT_XATTR ? !valid_xattr_name(c->name, c->name_len) : c->name_len)
		return false;
	if (t->flags & EBPFS_TRAIT_COUNT && (!c->count || c->count > EBPFS_MSG_MAX))
		return false;
	if (!(t->flags & EBPFS_TRAIT_ONCE) != !c->op_id)
		return false;
	if (c->data_len < t->data_min || c->data_len > t->data_max)
		return false;

	switch (c->op) {
	case EBPFS_OP_LOOKUP:
		return !(c->count & ((1u << EBPFS_FIRST_SHIFT) - 1) & ~EBPFS_HOLD_ALL) &&
		       c->count >> EBPFS_FIRST_SHIFT <= EBPFS_FIRST_MAX &&
		       !c->arg == !(c->count & EBPFS_HOLD_ALL);
	case EBPFS_OP_GETATTR:
	case EBPFS_OP_CREATE:
		return !(c->count & ~EBPFS_HOLD_ALL) && !c->arg == !c->count;
	case EBPFS_OP_TMPFILE:
		/* Whoever does not hold it has nothing. */
		return !(c->count & ~EBPFS_HOLD_ALL) && c->count & EBPFS_HOLD_OPEN && c->arg;
	case EBPFS_OP_LOCK:
		return c->arg;
	case EBPFS_OP_READ:
	case EBPFS_OP_COMMIT:
		bytes = c->count;
		break;
	case EBPFS_OP_WRITE:
	case EBPFS_OP_WRITEATTR:
		if (c->count > EBPFS_WRITE_STABLE)
			return false;
		bytes = c->data_len;
		break;
	case EBPFS_OP_SEEK:
		break;
	case EBPFS_OP_CRED:
		return c->arg && c->arg <= ~0u;
	default:
		return true;
	}
	return c->arg <= (~0ull >> 1) - bytes;
}

/* The body of a call, @len bytes at @p, all of them inside the datagram. */
static bool parse_body(struct ebpfs_call_iter *it, const u8 *p, u32 len, struct ebpfs_call_info *c)
{
	const struct ebpfs_op_traits *t = ebpfs_op_traits(c->op);
	u32 fh_len, name_len, attr_len, inlined;
	struct ebpfs_body b;

	if (!t || len < sizeof(b))
		return false;
	memcpy(&b, p, sizeof(b));
	fh_len = le16_to_cpu(b.fh_len);
	name_len = le16_to_cpu(b.name_len);
	c->data_len = le32_to_cpu(b.data_len);
	if (c->data_len > EBPFS_MSG_MAX || b.reserved || (c->apart && !c->data_len))
		return false;
	inlined = c->apart ? 0 : c->data_len;
	attr_len = attr_size(t);
	if (len != sizeof(b) + pad8(fh_len) + pad8(name_len) + attr_len + pad8(inlined))
		return false;
	p += sizeof(b);
	if (!all_zero(p + fh_len, pad8(fh_len) - fh_len))
		return false;
	if (fh_len) {
		it->fh = p;
		it->fh_len = fh_len;
		p += pad8(fh_len);
	}
	if (!all_zero(p + name_len, pad8(name_len) - name_len))
		return false;

	c->arg = le64_to_cpu(b.arg);
	c->op_id = le64_to_cpu(b.op_id);
	c->count = le32_to_cpu(b.count);
	/* An op without a handle does not reuse the one before, either. */
	c->fh = t->flags & EBPFS_TRAIT_FH ? it->fh : NULL;
	c->fh_len = t->flags & EBPFS_TRAIT_FH ? it->fh_len : fh_len;
	c->name = p;
	c->name_len = name_len;
	p += pad8(name_len);
	c->attr = attr_len ? p : NULL;
	p += attr_len;
	if (!all_zero(p + inlined, pad8(inlined) - inlined))
		return false;
	c->data = inlined ? p : NULL;
	return valid_args(c);
}

static bool parse_call(struct ebpfs_call_iter *it, struct ebpfs_call_info *c)
{
	struct ebpfs_call call;
	u32 len;

	if ((size_t)(it->end - it->pos) < sizeof(call))
		return false;
	memcpy(&call, it->pos, sizeof(call));
	it->pos += sizeof(call);

	memset(c, 0, sizeof(*c));
	c->id = le64_to_cpu(call.id);
	c->want = le64_to_cpu(call.want);
	c->instance = le32_to_cpu(call.instance);
	c->cred = le32_to_cpu(call.cred);
	c->op = le16_to_cpu(call.op);
	c->attempt = call.attempt;
	c->cell = it->cell;
	len = le16_to_cpu(call.len);
	c->apart = call.flags & EBPFS_CALL_APART;
	if (!EBPFS_ID_SEQ(c->id) || call.flags & ~EBPFS_CALL_APART || call.reserved)
		return false;
	if (len % 8 || len > (size_t)(it->end - it->pos))
		return false;
	if (c->op == EBPFS_OP_PING)
		return !len && !c->apart;
	if (!parse_body(it, it->pos, len, c))
		return false;
	it->pos += len;
	return true;
}

int ebpfs_begin_calls(const void *p, u32 len, struct ebpfs_call_iter *it)
{
	struct ebpfs_calls h;

	if (len < sizeof(h))
		return -EBADMSG;
	memcpy(&h, p, sizeof(h));
	memset(it, 0, sizeof(*it));
	it->pos = (const u8 *)p + sizeof(h);
	it->end = (const u8 *)p + len;
	it->left = le16_to_cpu(h.count);
	it->cell = le16_to_cpu(h.cell);
	return !it->left || !valid_cell(it->cell) || h.reserved ? -EBADMSG : 0;
}

int ebpfs_parse_calls(const void *p, u32 len, struct ebpfs_call_iter *it)
{
	struct ebpfs_call_info c;
	struct ebpfs_call_iter walk;

	if (ebpfs_begin_calls(p, len, it))
		return -EBADMSG;
	walk = *it;
	while (ebpfs_next_call(&walk, &c))
		;
	return ebpfs_calls_whole(&walk) ? 0 : -EBADMSG;
}

bool ebpfs_next_call(struct ebpfs_call_iter *it, struct ebpfs_call_info *c)
{
	if (!it->left)
		return false;
	if (!parse_call(it, c)) {
		/* It stays counted, so that the datagram is not taken for a whole one. */
		it->pos = it->end;
		return false;
	}
	it->left--;
	return true;
}

int ebpfs_parse_entry(const void *p, u32 len, bool named, struct ebpfs_entry_info *e)
{
	const u8 *pos = p;
	struct ebpfs_entry w;

	if (len < sizeof(w))
		return -EBADMSG;
	memcpy(&w, pos, sizeof(w));
	e->cookie = le64_to_cpu(w.cookie);
	e->attr = w.attr;
	e->len = le16_to_cpu(w.len);
	e->fh_len = le16_to_cpu(w.fh_len);
	e->name_len = le16_to_cpu(w.name_len);
	e->type = w.type;
	e->flags = w.flags;
	if (e->flags & ~EBPFS_ENTRY_ATTR || e->fh_len > EBPFS_FH_MAX ||
	    !e->fh_len == !!(e->flags & EBPFS_ENTRY_ATTR))
		return -EBADMSG;
	if (e->len > len || e->len != sizeof(w) + pad8(e->fh_len) + pad8(e->name_len))
		return -EBADMSG;

	e->fh = pos + sizeof(w);
	e->name = e->fh + pad8(e->fh_len);
	if (named ? !valid_name(e->name, e->name_len) :
		    e->name_len || !(e->flags & EBPFS_ENTRY_ATTR))
		return -EBADMSG;
	return 0;
}

int ebpfs_parse_target(const void *p, u32 len, struct ebpfs_target_info *t)
{
	const u8 *pos = p;
	struct ebpfs_target w;
	u32 fh_room;

	if (len < sizeof(w))
		return -EBADMSG;
	memcpy(&w, pos, sizeof(w));
	t->fh_len = le16_to_cpu(w.fh_len);
	t->name_len = le16_to_cpu(w.name_len);
	fh_room = pad8(t->fh_len);
	if (!t->fh_len || t->fh_len > EBPFS_FH_MAX || w.reserved ||
	    len != sizeof(w) + fh_room + pad8(t->name_len))
		return -EBADMSG;
	t->fh = pos + sizeof(w);
	t->name = t->fh + fh_room;
	if (!all_zero(t->fh + t->fh_len, fh_room - t->fh_len) ||
	    !all_zero(t->name + t->name_len, pad8(t->name_len) - t->name_len) ||
	    !valid_entry_name(t->name, t->name_len))
		return -EBADMSG;
	return 0;
}

int ebpfs_parse_create(const void *p, u32 len, struct ebpfs_create *c, const u8 **target)
{
	u32 mode, target_len, devices;

	if (len < sizeof(*c))
		return -EBADMSG;
	memcpy(c, p, sizeof(*c));
	mode = le32_to_cpu(c->mode);
	target_len = le32_to_cpu(c->target_len);
	devices = le32_to_cpu(c->rdev_major) | le32_to_cpu(c->rdev_minor);
	if (len - sizeof(*c) != target_len || le32_to_cpu(c->flags) & ~EBPFS_CREATE_EXCL ||
	    mode & ~(u32)(S_IFMT | 07777) || le32_to_cpu(c->umask) & ~0777u)
		return -EBADMSG;
	*target = (const u8 *)p + sizeof(*c);

	switch (mode & S_IFMT) {
	case S_IFREG:
	case S_IFDIR:
	case S_IFIFO:
	case S_IFSOCK:
		return target_len || devices ? -EBADMSG : 0;
	case S_IFCHR:
	case S_IFBLK:
		return target_len ? -EBADMSG : 0;
	case S_IFLNK:
		if (devices || !target_len || target_len > EBPFS_LINK_MAX ||
		    memchr(*target, '\0', target_len))
			return -EBADMSG;
		return 0;
	default:
		return -EBADMSG;
	}
}

int ebpfs_parse_setattr(const void *p, struct ebpfs_setattr *a)
{
	u32 valid;

	memcpy(a, p, sizeof(*a));
	valid = le32_to_cpu(a->valid);
	if (valid & ~EBPFS_SET_ALL || le64_to_cpu(a->size) >> 63 ||
	    le32_to_cpu(a->mode) & ~07777u ||
	    le32_to_cpu(a->atime_ns) >= EBPFS_NSEC_PER_SEC ||
	    le32_to_cpu(a->mtime_ns) >= EBPFS_NSEC_PER_SEC)
		return -EBADMSG;
	if ((valid & EBPFS_SET_ATIME && valid & EBPFS_SET_ATIME_NOW) ||
	    (valid & EBPFS_SET_MTIME && valid & EBPFS_SET_MTIME_NOW))
		return -EBADMSG;
	return 0;
}

int ebpfs_parse_range(const void *p, struct ebpfs_range *r)
{
	u64 len;

	memcpy(r, p, sizeof(*r));
	len = le64_to_cpu(r->len);
	if (!len || len >> 63 || le64_to_cpu(r->offset) > (~0ull >> 1) - len || r->reserved)
		return -EBADMSG;
	return 0;
}

int ebpfs_parse_copy(const void *p, u32 len, struct ebpfs_copy *c, const u8 **fh)
{
	u64 bytes;
	u32 fh_len;

	if (len < sizeof(*c))
		return -EBADMSG;
	memcpy(c, p, sizeof(*c));
	bytes = le64_to_cpu(c->len);
	fh_len = le16_to_cpu(c->fh_len);
	if (!fh_len || fh_len > EBPFS_FH_MAX || len != sizeof(*c) + pad8(fh_len) || c->reserved ||
	    le32_to_cpu(c->flags) & ~EBPFS_COPY_CLONE)
		return -EBADMSG;
	if (bytes >> 63 || le64_to_cpu(c->from) > (~0ull >> 1) - bytes ||
	    le64_to_cpu(c->to) > (~0ull >> 1) - bytes ||
	    (!bytes && !(le32_to_cpu(c->flags) & EBPFS_COPY_CLONE)))
		return -EBADMSG;
	*fh = (const u8 *)p + sizeof(*c);
	return all_zero(*fh + fh_len, pad8(fh_len) - fh_len) ? 0 : -EBADMSG;
}

int ebpfs_parse_recall(const void *p, struct ebpfs_recall_info *r)
{
	struct ebpfs_recall w;

	memcpy(&w, p, sizeof(w));
	r->id = le64_to_cpu(w.id);
	r->hold = le64_to_cpu(w.hold);
	r->kind = w.kind;
	r->fh_len = le16_to_cpu(w.fh_len);
	r->fh = (const u8 *)p + offsetof(struct ebpfs_recall, fh);
	if (w.kind != EBPFS_RECALL_LEASE && w.kind != EBPFS_RECALL_LOCK)
		return -EBADMSG;
	if (!r->fh_len || r->fh_len > EBPFS_FH_MAX || w.reserved || w.reserved2 ||
	    !all_zero(w.fh + r->fh_len, EBPFS_FH_MAX - r->fh_len))
		return -EBADMSG;
	return 0;
}

int ebpfs_parse_release(const void *p, u32 len, struct ebpfs_release_info *r)
{
	struct ebpfs_release w;
	u32 size;

	if (len < sizeof(w))
		return -EBADMSG;
	memcpy(&w, p, sizeof(w));
	r->hold = le64_to_cpu(w.hold);
	r->fh_len = le16_to_cpu(w.fh_len);
	r->fh = (const u8 *)p + sizeof(w);
	size = sizeof(w) + pad8(r->fh_len);
	if (!r->fh_len || r->fh_len > EBPFS_FH_MAX || size > len ||
	    w.reserved[0] || w.reserved[1] || w.reserved[2] ||
	    !all_zero(r->fh + r->fh_len, pad8(r->fh_len) - r->fh_len))
		return -EBADMSG;
	return size;
}

int ebpfs_parse_lock(const void *p, struct ebpfs_lock *l)
{
	u64 start, end;

	memcpy(l, p, sizeof(*l));
	start = le64_to_cpu(l->start);
	end = le64_to_cpu(l->end);
	if (end >> 63 || start > end || l->reserved || l->type > EBPFS_LOCK_NONE ||
	    l->flags & ~(EBPFS_LOCK_WAIT | EBPFS_LOCK_RECLAIM | EBPFS_LOCK_TEST))
		return -EBADMSG;
	if (l->flags & EBPFS_LOCK_TEST ? l->flags != EBPFS_LOCK_TEST || l->type == EBPFS_LOCK_NONE :
	    l->type == EBPFS_LOCK_NONE && l->flags)
		return -EBADMSG;
	switch (l->kind) {
	case EBPFS_LOCK_POSIX:
		break;
	case EBPFS_LOCK_FLOCK:
		if (start || end != ~0ull >> 1)
			return -EBADMSG;
		break;
	default:
		return -EBADMSG;
	}
	return 0;
}

int ebpfs_parse_cred(const void *p, u32 len)
{
	struct ebpfs_cred c;

	if (len < sizeof(c))
		return -EBADMSG;
	memcpy(&c, p, sizeof(c));
	if (c.reserved || le32_to_cpu(c.ngroups) > EBPFS_GROUPS_MAX ||
	    len != sizeof(c) + le32_to_cpu(c.ngroups) * sizeof(__le32))
		return -EBADMSG;
	return 0;
}

void ebpfs_put_hdr(struct ebpfs_hdr *h, u8 type, u64 session)
{
	h->magic = cpu_to_le16(EBPFS_MAGIC);
	h->version = EBPFS_VERSION;
	h->type = type;
	h->session = cpu_to_le64(session);
}

/* @n bytes and zeroes up to a multiple of 8; returns where to go on. */
static u8 *put_padded(u8 *p, const void *data, u32 n)
{
	if (n)
		memcpy(p, data, n);
	memset(p + n, 0, pad8(n) - n);
	return p + pad8(n);
}

u32 ebpfs_put_calls(void *p, u64 session, u16 count, u16 cell)
{
	struct ebpfs_calls h;

	memset(&h, 0, sizeof(h));
	ebpfs_put_hdr(&h.hdr, EBPFS_CALL, session);
	h.count = cpu_to_le16(count);
	h.cell = cpu_to_le16(cell);
	memcpy(p, &h, sizeof(h));
	return sizeof(h);
}

/* Bytes of body that a call has. */
static u32 body_size(const struct ebpfs_call_info *c, bool reuse_fh)
{
	if (c->op == EBPFS_OP_PING)
		return 0;
	return sizeof(struct ebpfs_body) + (reuse_fh ? 0 : pad8(c->fh_len)) + pad8(c->name_len) +
	       (c->attr ? sizeof(struct ebpfs_setattr) : 0) + (c->apart ? 0 : pad8(c->data_len));
}

u32 ebpfs_call_size(const struct ebpfs_call_info *c, bool reuse_fh)
{
	return sizeof(struct ebpfs_call) + body_size(c, reuse_fh);
}

u32 ebpfs_put_call(void *p, const struct ebpfs_call_info *c, bool reuse_fh)
{
	u32 body = body_size(c, reuse_fh);
	struct ebpfs_call call;
	struct ebpfs_body b;
	u8 *pos = p;

	memset(&call, 0, sizeof(call));
	call.id = cpu_to_le64(c->id);
	call.want = cpu_to_le64(c->want);
	call.instance = cpu_to_le32(c->instance);
	call.op = cpu_to_le16(c->op);
	call.len = cpu_to_le16(body);
	call.attempt = c->attempt;
	call.flags = c->apart ? EBPFS_CALL_APART : 0;
	call.cred = cpu_to_le32(c->cred);
	memcpy(pos, &call, sizeof(call));
	if (!body)
		return sizeof(call);

	memset(&b, 0, sizeof(b));
	b.arg = cpu_to_le64(c->arg);
	b.op_id = cpu_to_le64(c->op_id);
	b.count = cpu_to_le32(c->count);
	b.data_len = cpu_to_le32(c->data_len);
	b.fh_len = cpu_to_le16(reuse_fh ? 0 : c->fh_len);
	b.name_len = cpu_to_le16(c->name_len);
	pos += sizeof(call);
	memcpy(pos, &b, sizeof(b));
	pos += sizeof(b);
	if (!reuse_fh)
		pos = put_padded(pos, c->fh, c->fh_len);
	pos = put_padded(pos, c->name, c->name_len);
	if (c->attr)
		pos = put_padded(pos, c->attr, sizeof(struct ebpfs_setattr));
	/* Without @data the caller puts them there itself, last in the datagram. */
	if (!c->apart && c->data)
		put_padded(pos, c->data, c->data_len);
	return sizeof(call) + body;
}

u32 ebpfs_put_data(void *p, const struct ebpfs_frag *f)
{
	struct ebpfs_data d;

	memset(&d, 0, sizeof(d));
	ebpfs_put_hdr(&d.hdr, EBPFS_DATA, f->session);
	d.id = cpu_to_le64(f->id);
	d.total = cpu_to_le32(f->total);
	d.offset = cpu_to_le32(f->offset);
	d.cell = cpu_to_le16(f->cell);
	d.attempt = f->attempt;
	memcpy(p, &d, sizeof(d));
	return sizeof(d);
}

u32 ebpfs_put_need(void *p, u64 session, const struct ebpfs_need_info *n)
{
	struct ebpfs_need w;

	memset(&w, 0, sizeof(w));
	ebpfs_put_hdr(&w.hdr, EBPFS_NEED, session);
	w.id = cpu_to_le64(n->id);
	w.missing = cpu_to_le64(n->missing);
	w.cell = cpu_to_le16(n->cell);
	w.attempt = n->attempt;
	memcpy(p, &w, sizeof(w));
	ebpfs_seal(p, sizeof(w));
	return sizeof(w);
}

u32 ebpfs_put_recall(void *p, u64 session, const struct ebpfs_recall_info *r)
{
	struct ebpfs_recall w;

	memset(&w, 0, sizeof(w));
	ebpfs_put_hdr(&w.hdr, EBPFS_RECALL, session);
	w.id = cpu_to_le64(r->id);
	w.hold = cpu_to_le64(r->hold);
	w.kind = r->kind;
	w.fh_len = cpu_to_le16(r->fh_len);
	memcpy(w.fh, r->fh, r->fh_len);
	memcpy(p, &w, sizeof(w));
	ebpfs_seal(p, sizeof(w));
	return sizeof(w);
}

u32 ebpfs_put_recalled(void *p, u64 session, u64 id)
{
	struct ebpfs_recalled w;

	memset(&w, 0, sizeof(w));
	ebpfs_put_hdr(&w.hdr, EBPFS_RECALLED, session);
	w.id = cpu_to_le64(id);
	memcpy(p, &w, sizeof(w));
	ebpfs_seal(p, sizeof(w));
	return sizeof(w);
}

u32 ebpfs_put_release(void *p, const struct ebpfs_release_info *r)
{
	struct ebpfs_release w;

	memset(&w, 0, sizeof(w));
	w.hold = cpu_to_le64(r->hold);
	w.fh_len = cpu_to_le16(r->fh_len);
	memcpy(p, &w, sizeof(w));
	put_padded((u8 *)p + sizeof(w), r->fh, r->fh_len);
	return sizeof(w) + pad8(r->fh_len);
}

u32 ebpfs_put_target(void *p, const struct ebpfs_target_info *t)
{
	struct ebpfs_target w;
	u8 *pos = p;

	memset(&w, 0, sizeof(w));
	w.fh_len = cpu_to_le16(t->fh_len);
	w.name_len = cpu_to_le16(t->name_len);
	memcpy(pos, &w, sizeof(w));
	pos = put_padded(pos + sizeof(w), t->fh, t->fh_len);
	pos = put_padded(pos, t->name, t->name_len);
	return pos - (u8 *)p;
}

u32 ebpfs_put_reply(void *p, const struct ebpfs_frag *f)
{
	struct ebpfs_reply r = {
		.id = cpu_to_le64(f->id),
		.instance = cpu_to_le32(f->instance),
		.total = cpu_to_le32(f->total),
		.offset = cpu_to_le32(f->offset),
		.cell = cpu_to_le16(f->cell),
		.status = cpu_to_le16(f->status),
		.flags = cpu_to_le16(f->flags),
		.attempt = f->attempt,
	};

	ebpfs_put_hdr(&r.hdr, EBPFS_REPLY, f->session);
	memcpy(p, &r, sizeof(r));
	return sizeof(r);
}

u32 ebpfs_put_entry(void *p, u32 room, const struct ebpfs_entry_info *e)
{
	bool attr = e->flags & EBPFS_ENTRY_ATTR;
	u32 fh_len = attr ? e->fh_len : 0;
	u32 len = sizeof(struct ebpfs_entry) + pad8(fh_len) + pad8(e->name_len);
	struct ebpfs_entry w;
	u8 *pos = p;

	if (len > room)
		return 0;
	memset(&w, 0, sizeof(w));
	w.cookie = cpu_to_le64(e->cookie);
	w.len = cpu_to_le16(len);
	w.fh_len = cpu_to_le16(fh_len);
	w.name_len = cpu_to_le16(e->name_len);
	w.type = e->type;
	w.flags = e->flags;
	if (attr)
		w.attr = e->attr;
	else
		w.attr.ino = e->attr.ino;
	memcpy(pos, &w, sizeof(w));
	pos = put_padded(pos + sizeof(w), e->fh, fh_len);
	put_padded(pos, e->name, e->name_len);
	return len;
}

u32 ebpfs_put_probe(void *p, u8 type, u64 session, u32 serial, u32 size)
{
	struct ebpfs_probe probe;

	memset(&probe, 0, sizeof(probe));
	ebpfs_put_hdr(&probe.hdr, type, session);
	probe.serial = cpu_to_le32(serial);
	probe.size = cpu_to_le32(size);
	memcpy(p, &probe, sizeof(probe));
	memset((u8 *)p + sizeof(probe), 0, size - sizeof(probe));
	ebpfs_seal(p, size);
	return size;
}
