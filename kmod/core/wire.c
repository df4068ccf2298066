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
	       sizeof(struct ebpfs_call) == 32 && sizeof(struct ebpfs_body) == 16 &&
	       sizeof(struct ebpfs_reply) == 48 && sizeof(struct ebpfs_probe) == 24 &&
	       sizeof(struct ebpfs_attr) == 112 && sizeof(struct ebpfs_entry) == 128 &&
	       sizeof(struct ebpfs_statfs) == 56, "wire structs have no padding");
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

int ebpfs_parse_reply(const void *p, u32 len, struct ebpfs_frag *f)
{
	struct ebpfs_reply r;
	u32 left;

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
	if (r.reserved || r.reserved2 || f->flags & ~EBPFS_REPLY_EOF)
		return -EBADMSG;
	if (f->status >= 4096 || (f->status && f->total))
		return -EBADMSG;
	if (f->total > EBPFS_MSG_MAX || f->offset % f->cell)
		return -EBADMSG;
	if (f->total ? f->offset >= f->total : f->offset != 0)
		return -EBADMSG;
	left = f->total - f->offset;
	if (f->len != (left < f->cell ? left : f->cell))
		return -EBADMSG;

	f->index = f->offset / f->cell;
	f->ncells = ebpfs_ncells(f->total, f->cell);
	return 0;
}

/* Does the op's body say what it may say? */
static bool valid_args(const struct ebpfs_call_info *c)
{
	if (!c->fh_len || c->fh_len > EBPFS_FH_MAX)
		return false;

	switch (c->op) {
	case EBPFS_OP_LOOKUP:
		return valid_name(c->name, c->name_len) && !dot_or_dotdot(c->name, c->name_len);
	case EBPFS_OP_READ:
		if (!c->count || c->count > EBPFS_MSG_MAX ||
		    c->arg > (~0ull >> 1) - c->count)
			return false;
		break;
	case EBPFS_OP_READDIR:
		if (!c->count || c->count > EBPFS_MSG_MAX)
			return false;
		break;
	case EBPFS_OP_GETATTR:
	case EBPFS_OP_READLINK:
	case EBPFS_OP_STATFS:
		break;
	default:
		return false;
	}
	return !c->name_len;
}

/* The body of a call, @len bytes at @p, all of them inside the datagram. */
static bool parse_body(struct ebpfs_call_iter *it, const u8 *p, u32 len, struct ebpfs_call_info *c)
{
	struct ebpfs_body b;
	u32 fh_len, name_len;

	if (len < sizeof(b))
		return false;
	memcpy(&b, p, sizeof(b));
	fh_len = le16_to_cpu(b.fh_len);
	name_len = le16_to_cpu(b.name_len);
	if (len != sizeof(b) + pad8(fh_len) + pad8(name_len))
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
	c->count = le32_to_cpu(b.count);
	c->fh = it->fh;
	c->fh_len = it->fh_len;
	c->name = p;
	c->name_len = name_len;
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
	it->left--;

	memset(c, 0, sizeof(*c));
	c->id = le64_to_cpu(call.id);
	c->want = le64_to_cpu(call.want);
	c->instance = le32_to_cpu(call.instance);
	c->cred = le32_to_cpu(call.cred);
	c->op = le16_to_cpu(call.op);
	c->attempt = call.attempt;
	c->cell = it->cell;
	len = le16_to_cpu(call.len);
	if (!EBPFS_ID_SEQ(c->id) || call.flags || call.reserved || call.cred)
		return false;
	if (len % 8 || len > (size_t)(it->end - it->pos))
		return false;
	if (c->op == EBPFS_OP_PING)
		return !len;
	if (!parse_body(it, it->pos, len, c))
		return false;
	it->pos += len;
	return true;
}

int ebpfs_parse_calls(const void *p, u32 len, struct ebpfs_call_iter *it)
{
	struct ebpfs_call_info c;
	struct ebpfs_call_iter walk;
	struct ebpfs_calls h;

	if (len < sizeof(h))
		return -EBADMSG;
	memcpy(&h, p, sizeof(h));
	memset(it, 0, sizeof(*it));
	it->pos = (const u8 *)p + sizeof(h);
	it->end = (const u8 *)p + len;
	it->left = le16_to_cpu(h.count);
	it->cell = le16_to_cpu(h.cell);
	if (!it->left || !valid_cell(it->cell) || h.reserved)
		return -EBADMSG;

	walk = *it;
	while (walk.left)
		if (!parse_call(&walk, &c))
			return -EBADMSG;
	return walk.pos == walk.end ? 0 : -EBADMSG;
}

bool ebpfs_next_call(struct ebpfs_call_iter *it, struct ebpfs_call_info *c)
{
	return it->left && parse_call(it, c);
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
	return sizeof(struct ebpfs_body) + (reuse_fh ? 0 : pad8(c->fh_len)) + pad8(c->name_len);
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
	call.cred = cpu_to_le32(c->cred);
	memcpy(pos, &call, sizeof(call));
	if (!body)
		return sizeof(call);

	memset(&b, 0, sizeof(b));
	b.arg = cpu_to_le64(c->arg);
	b.count = cpu_to_le32(c->count);
	b.fh_len = cpu_to_le16(reuse_fh ? 0 : c->fh_len);
	b.name_len = cpu_to_le16(c->name_len);
	pos += sizeof(call);
	memcpy(pos, &b, sizeof(b));
	pos += sizeof(b);
	if (!reuse_fh)
		pos = put_padded(pos, c->fh, c->fh_len);
	put_padded(pos, c->name, c->name_len);
	return sizeof(call) + body;
}

u32 ebpfs_put_reply(void *p, const struct ebpfs_frag *f)
{
	struct ebpfs_reply r;

	memset(&r, 0, sizeof(r));
	ebpfs_put_hdr(&r.hdr, EBPFS_REPLY, f->session);
	r.id = cpu_to_le64(f->id);
	r.instance = cpu_to_le32(f->instance);
	r.total = cpu_to_le32(f->total);
	r.offset = cpu_to_le32(f->offset);
	r.cell = cpu_to_le16(f->cell);
	r.status = cpu_to_le16(f->status);
	r.flags = cpu_to_le16(f->flags);
	r.attempt = f->attempt;
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
