/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Bytes to host-order structs and back, with every bound checked here.
 *
 * Nothing else in the project looks at a received byte before these functions
 * did (the BPF programs only recognise, they do not trust). All of it is pure
 * and reentrant. A parser returns 0, or -EBADMSG and leaves its output
 * unspecified; it never reads outside the @len bytes that it was given.
 * Checksums are judged apart from syntax, because a REPLY's is only known
 * after its payload was copied to where it belongs.
 */
#ifndef EBPFS_CORE_WIRE_H
#define EBPFS_CORE_WIRE_H

#include "core/platform.h"

#define EBPFS_ID_SLOT(id)	((u16)(id))
#define EBPFS_ID_SEQ(id)	((u64)(id) >> 16)
#define EBPFS_ID(slot, seq)	((u64)(seq) << 16 | (u16)(slot))

/* Fragments that a reply of @total bytes is cut into; an empty one has one. */
static inline u8 ebpfs_ncells(u32 total, u16 cell)
{
	return total ? (total + cell - 1) / cell : 1;
}

/* The set of the first @n cells, @n at most EBPFS_CELLS_MAX. */
static inline u64 ebpfs_cell_set(unsigned int n)
{
	return n < EBPFS_CELLS_MAX ? (1ull << n) - 1 : ~0ull;
}

/**
 * struct ebpfs_frag - a REPLY or DATA datagram's head in host order
 * @session: the receiver's identity for the session
 * @id: of the call
 * @instance: of the reply, not 0; 0 in DATA
 * @total: bytes of the whole reply, or of all data
 * @offset: of this fragment's payload in them
 * @len: bytes of payload in this fragment
 * @crc: as received
 * @cell: bytes per fragment
 * @status: 0 or an error number, positive
 * @flags: EBPFS_REPLY_*
 * @index: offset / cell, below EBPFS_CELLS_MAX
 * @ncells: fragments of the whole, 1 to EBPFS_CELLS_MAX
 * @attempt: of the call that caused it
 * @ce: the IP header said "congestion experienced"; set by the receiver
 */
struct ebpfs_frag {
	u64 session;
	u64 id;
	u32 instance;
	u32 total;
	u32 offset;
	u32 len;
	u32 crc;
	u16 cell;
	u16 status;
	u16 flags;
	u8 index;
	u8 ncells;
	u8 attempt;
	bool ce;
};

/**
 * struct ebpfs_call_info - one call of a CALL datagram in host order
 * @id: slot and sequence
 * @want: cells asked for
 * @instance: that @want refers to
 * @cred: number of the credentials
 * @op: enum ebpfs_op, one that is known
 * @cell: of the datagram
 * @attempt: as sent
 * @apart: the data come in DATA datagrams
 * @arg: of the body, 0 without one
 * @op_id: of the body
 * @count: of the body
 * @data_len: bytes of data
 * @fh_len: bytes at @fh; already resolved when the call reuses the one before
 * @name_len: bytes at @name
 * @fh: points into the datagram
 * @name: points into the datagram, not NUL terminated
 * @attr: of WRITEATTR: struct ebpfs_setattr in the datagram, not aligned; else NULL
 * @data: points into the datagram; NULL if @apart or there are none
 */
struct ebpfs_call_info {
	u64 id;
	u64 want;
	u32 instance;
	u32 cred;
	u16 op;
	u16 cell;
	u8 attempt;
	bool apart;
	u64 arg;
	u64 op_id;
	u32 count;
	u32 data_len;
	u16 fh_len;
	u16 name_len;
	const u8 *fh;
	const u8 *name;
	const u8 *attr;
	const u8 *data;
};

/**
 * struct ebpfs_need_info - a NEED datagram in host order
 * @id: of the call
 * @missing: fragments, not 0
 * @cell: that they were cut by, 0 if none has come
 * @attempt: of the call that it answers
 */
struct ebpfs_need_info {
	u64 id;
	u64 missing;
	u16 cell;
	u8 attempt;
};

/**
 * struct ebpfs_target_info - data of RENAME and LINK
 * @fh: of the directory, points into the data
 * @name: new name, points into the data, not NUL terminated
 * @fh_len: bytes at @fh, 1 to EBPFS_FH_MAX
 * @name_len: bytes at @name
 */
struct ebpfs_target_info {
	const u8 *fh;
	const u8 *name;
	u16 fh_len;
	u16 name_len;
};

/**
 * struct ebpfs_recall_info - a RECALL in host order
 * @id: of the recall
 * @hold: number of the hold
 * @kind: EBPFS_RECALL_*
 * @fh_len: bytes at @fh
 * @fh: points into the datagram
 */
struct ebpfs_recall_info {
	u64 id;
	u64 hold;
	u8 kind;
	u16 fh_len;
	const u8 *fh;
};

/**
 * struct ebpfs_release_info - one file of RELEASE in host order
 * @hold: number of the hold
 * @fh_len: bytes at @fh
 * @fh: points into the data
 */
struct ebpfs_release_info {
	u64 hold;
	u16 fh_len;
	const u8 *fh;
};

/* Most bytes that ebpfs_put_target() writes. */
#define EBPFS_TARGET_MAX	(sizeof(struct ebpfs_target) + EBPFS_FH_MAX + 256)

/* What ops say of a call; ebpfs_op_traits() */
#define EBPFS_TRAIT_FH		(1u << 0)	/* has a handle */
#define EBPFS_TRAIT_NAME	(1u << 1)	/* has a name */
#define EBPFS_TRAIT_COUNT	(1u << 2)	/* count is of bytes, 1 to EBPFS_MSG_MAX */
#define EBPFS_TRAIT_ONCE	(1u << 3)	/* must not be executed twice: has an op_id */
#define EBPFS_TRAIT_XATTR	(1u << 4)	/* has the name of an extended attribute */
#define EBPFS_TRAIT_ATTR	(1u << 5)	/* struct ebpfs_setattr comes before the data */

/**
 * struct ebpfs_op_traits - what every call of an op has
 * @flags: EBPFS_TRAIT_*
 * @data_min: least bytes of data
 * @data_max: most bytes of data
 */
struct ebpfs_op_traits {
	u32 flags;
	u32 data_min;
	u32 data_max;
};

/* Of @op; NULL if it is not known, or PING, which has no body. */
const struct ebpfs_op_traits *ebpfs_op_traits(u16 op);

/**
 * struct ebpfs_call_iter - walks the calls of a CALL datagram; private
 */
struct ebpfs_call_iter {
	const u8 *pos;
	const u8 *end;
	u16 left;
	u16 cell;
	const u8 *fh;
	u16 fh_len;
};

/**
 * struct ebpfs_entry_info - one entry of a LOOKUP or READDIR reply in host order
 * @cookie: READDIR continues after it with this
 * @attr: valid if @flags has EBPFS_ENTRY_ATTR, else only attr.ino
 * @fh: points into the reply
 * @name: points into the reply, not NUL terminated, holds no '/' and no NUL
 * @fh_len: bytes at @fh
 * @name_len: bytes at @name
 * @type: DT_*
 * @flags: EBPFS_ENTRY_*
 * @len: bytes of the entry, to step to the next
 */
struct ebpfs_entry_info {
	u64 cookie;
	struct ebpfs_attr attr;		/* still little-endian */
	const u8 *fh;
	const u8 *name;
	u16 fh_len;
	u16 name_len;
	u8 type;
	u8 flags;
	u16 len;
};

/* The least bytes a datagram of @type has, 0 if there is no such type. */
u32 ebpfs_type_min_len(u8 type);

/**
 * ebpfs_parse_hdr() - is this an ebpfs datagram, and of which type
 * @p: the datagram's first bytes (at least the shorter of @len and the type's
 *	least length must be readable)
 * @len: bytes of the datagram
 * @session: out, hdr.session
 *
 * Checks magic, version (HELLO and REJECT may carry another, so that two ends
 * without a common version can tell each other) and the least length of the
 * type; CHALLENGE, AUTH, ACCEPT, REJECT, HELLO, BYE and UNKNOWN have exactly
 * their length, PROBE and PROBE_ACK exactly their size field.
 * Return: the type, or -EBADMSG.
 */
int ebpfs_parse_hdr(const void *p, u32 len, u64 *session);

/**
 * ebpfs_parse_reply() - the head of a REPLY
 * @p: at least sizeof(struct ebpfs_reply) bytes, whose ebpfs_hdr was parsed
 * @len: bytes of the datagram (head and payload)
 * @f: out
 *
 * Guarantees: total <= EBPFS_MSG_MAX; EBPFS_CELL_MIN <= cell <= EBPFS_CELL_MAX,
 * multiple of 8; offset a multiple of cell and below total (0 if total is 0);
 * len == min(cell, total - offset); index < ncells <= EBPFS_CELLS_MAX;
 * instance != 0; status != 0 only if total == 0; status < 4096; sequence of id != 0;
 * no unknown flag; reserved fields 0.
 */
int ebpfs_parse_reply(const void *p, u32 len, struct ebpfs_frag *f);

/**
 * ebpfs_parse_calls() - begin to walk a CALL datagram
 * @p: the datagram, whole
 * @len: its bytes
 * @it: out
 *
 * Walks the datagram once to the end, so that afterwards ebpfs_next_call()
 * cannot fail half way: a datagram is executed whole or not at all. Guarantees
 * for every call: known op; the body present where the op has one, absent for
 * PING; a handle of 1..EBPFS_FH_MAX bytes after resolving reuse where the op has
 * one, none elsewhere; a name of 1..NAME_MAX bytes without '/' and NUL and not "."
 * or ".." where the op has one, that of an attribute of 1..NAME_MAX bytes without NUL
 * where it has that, none elsewhere; struct ebpfs_setattr where the op has one;
 * data_len in the op's limits, and the data there unless they come apart; op_id != 0 just
 * where the op must not be executed twice; READ and READDIR: count 1..EBPFS_MSG_MAX; GETATTR,
 * LOOKUP and CREATE: a hold with its number or neither; LOCK: a number; READ, WRITE, WRITEATTR
 * and COMMIT: arg plus the bytes does not exceed 2^63-1; sequence != 0; reserved fields,
 * unknown flags and padding 0; cell in range; lengths add up exactly. What is in the
 * attributes and the data is for the parsers below.
 */
int ebpfs_parse_calls(const void *p, u32 len, struct ebpfs_call_iter *it);

/**
 * ebpfs_begin_calls() - the same without the walk, for who does nothing before the end
 *
 * Each call that ebpfs_next_call() returns is as told above; but it may return false half
 * way. The datagram was well formed if ebpfs_calls_whole() is true then.
 */
int ebpfs_begin_calls(const void *p, u32 len, struct ebpfs_call_iter *it);

/* The next call of a datagram. Return: true and @c, or false at the end. */
bool ebpfs_next_call(struct ebpfs_call_iter *it, struct ebpfs_call_info *c);

/* Did ebpfs_next_call() return false because there is nothing more? */
static inline bool ebpfs_calls_whole(const struct ebpfs_call_iter *it)
{
	return !it->left && it->pos == it->end;
}

/**
 * ebpfs_parse_data() - the head of a DATA datagram
 * @p: at least sizeof(struct ebpfs_data) bytes, whose ebpfs_hdr was parsed
 * @len: bytes of the datagram (head and payload)
 * @f: out; instance, status and flags are 0
 *
 * Guarantees: as ebpfs_parse_reply(), and total is not 0.
 */
int ebpfs_parse_data(const void *p, u32 len, struct ebpfs_frag *f);

/* Bytes that may lie anywhere. */
static inline u64 ebpfs_word_at(const void *p)
{
	u64 word;

	memcpy(&word, p, sizeof(word));
	return word;
}

static inline u32 ebpfs_half_at(const void *p)
{
	u32 half;

	memcpy(&half, p, sizeof(half));
	return half;
}

/**
 * ebpfs_next_data() - is this the fragment of data that follows another?
 * @p: at least sizeof(struct ebpfs_data) bytes, if @len says so
 * @len: bytes of the datagram (head and payload)
 * @before: head of one that ebpfs_parse_hdr() and ebpfs_parse_data() accepted
 * @f: what the latter told of it; on success becomes that of this one
 *
 * Cheaper than to parse it: all but offset and checksum must be the same bytes. Changes
 * nothing unless it returns true.
 */
static inline bool ebpfs_next_data(const void *p, u32 len, const void *before,
				   struct ebpfs_frag *f)
{
	const u8 *a = before, *b = p;
	u32 offset = f->offset + f->cell, left = f->total - offset;
	__le32 at = cpu_to_le32(offset), crc;

	/* The last one, or the only one, has none behind it. */
	if (f->index + 1 >= f->ncells ||
	    len != sizeof(struct ebpfs_data) + (left < f->cell ? left : f->cell))
		return false;
	/* What is behind the checksum, session, call, total; offset; what is behind it. */
	if ((ebpfs_half_at(a + 4) ^ ebpfs_half_at(b + 4)) |
	    (ebpfs_word_at(a + 8) ^ ebpfs_word_at(b + 8)) |
	    (ebpfs_word_at(a + 16) ^ ebpfs_word_at(b + 16)) |
	    (ebpfs_half_at(a + 24) ^ ebpfs_half_at(b + 24)) |
	    (ebpfs_half_at(&at) ^ ebpfs_half_at(b + 28)) |
	    (ebpfs_word_at(a + 32) ^ ebpfs_word_at(b + 32)))
		return false;
	memcpy(&crc, b, sizeof(crc));
	f->crc = le32_to_cpu(crc);
	f->offset = offset;
	f->len = len - sizeof(struct ebpfs_data);
	f->index++;
	return true;
}

/**
 * ebpfs_parse_need() - a NEED datagram
 * @p: sizeof(struct ebpfs_need) bytes, whose ebpfs_hdr was parsed
 * @n: out
 */
int ebpfs_parse_need(const void *p, struct ebpfs_need_info *n);

/**
 * ebpfs_parse_target() - data of RENAME or LINK
 * @p: the data
 * @len: bytes of them
 * @t: out
 *
 * Guarantees: handle and name as in a call; padding and reserved 0; lengths add up
 * exactly.
 */
int ebpfs_parse_target(const void *p, u32 len, struct ebpfs_target_info *t);

/**
 * ebpfs_parse_create() - data of CREATE
 * @p: the data
 * @len: bytes of them
 * @c: out
 * @target: out: of a symbolic link, points into the data, c->target_len bytes
 *
 * Guarantees: a file type that exists; permissions and umask within 07777 and
 * 0777; a target of 1..EBPFS_LINK_MAX bytes without NUL for a symbolic link, none
 * else; device numbers for devices only; no unknown flag.
 */
int ebpfs_parse_create(const void *p, u32 len, struct ebpfs_create *c, const u8 **target);

/**
 * ebpfs_parse_setattr() - data of SETATTR, attributes of WRITEATTR
 * @p: sizeof(struct ebpfs_setattr) bytes
 * @a: out
 *
 * Guarantees: no unknown bit in valid; size at most 2^63-1; nanoseconds below
 * 10^9; permissions within 07777; not both a time and "now".
 */
int ebpfs_parse_setattr(const void *p, struct ebpfs_setattr *a);

/**
 * ebpfs_parse_range() - data of FALLOCATE
 * @p: sizeof(struct ebpfs_range) bytes
 * @r: out
 *
 * Guarantees: len is not 0, offset + len at most 2^63-1, reserved 0.
 */
int ebpfs_parse_range(const void *p, struct ebpfs_range *r);

/**
 * ebpfs_parse_copy() - data of COPY
 * @p: the data
 * @len: bytes of them
 * @c: out
 * @fh: out: the source's handle, points into the data, c->fh_len bytes
 *
 * Guarantees: a handle of 1..EBPFS_FH_MAX bytes; both ranges end at 2^63-1 at most;
 * len 0 only with CLONE; no unknown flag; reserved and padding 0; lengths add up
 * exactly.
 */
int ebpfs_parse_copy(const void *p, u32 len, struct ebpfs_copy *c, const u8 **fh);

/**
 * ebpfs_parse_recall() - a RECALL datagram
 * @p: sizeof(struct ebpfs_recall) bytes, whose ebpfs_hdr was parsed
 * @r: out
 *
 * Guarantees: a handle of 1..EBPFS_FH_MAX bytes, zeroes behind it; a known kind;
 * reserved 0.
 */
int ebpfs_parse_recall(const void *p, struct ebpfs_recall_info *r);

/**
 * ebpfs_parse_release() - the next file in the data of RELEASE
 * @p: where it starts
 * @len: bytes of data left
 * @r: out
 *
 * Guarantees: a handle of 1..EBPFS_FH_MAX bytes; reserved and padding 0.
 * Return: bytes to go on by, or -EBADMSG.
 */
int ebpfs_parse_release(const void *p, u32 len, struct ebpfs_release_info *r);

/**
 * ebpfs_parse_lock() - data of LOCK, or the answer to TEST
 * @p: sizeof(struct ebpfs_lock) bytes
 * @l: out
 *
 * Guarantees: start <= end <= 2^63-1, the whole file for FLOCK; known kind, type and
 * flags; reserved 0; neither WAIT nor RECLAIM with TEST or NONE, no NONE with TEST.
 */
int ebpfs_parse_lock(const void *p, struct ebpfs_lock *l);

/**
 * ebpfs_parse_cred() - data of CRED
 * @p: the data
 * @len: bytes of them
 *
 * Guarantees: ngroups groups follow, at most EBPFS_GROUPS_MAX.
 */
int ebpfs_parse_cred(const void *p, u32 len);

/**
 * ebpfs_parse_entry() - one entry of a LOOKUP, CREATE or READDIR reply
 * @p: where it starts
 * @len: bytes left in the reply
 * @named: READDIR: a name of 1..NAME_MAX bytes must be there; LOOKUP: none, but
 *	EBPFS_ENTRY_ATTR must be set
 * @e: out; advance by e->len
 *
 * Guarantees: fh_len 1..EBPFS_FH_MAX with EBPFS_ENTRY_ATTR, 0 without; no
 * unknown flag; len a multiple of 8, within @len, the sum of its parts.
 */
int ebpfs_parse_entry(const void *p, u32 len, bool named, struct ebpfs_entry_info *e);

/* Builders. They write host-order input as wire bytes into a buffer that the
 * caller made large enough and return the number of bytes written. Padding and
 * reserved fields are written as 0. */

/* Fills everything of @h but the crc. */
void ebpfs_put_hdr(struct ebpfs_hdr *h, u8 type, u64 session);

/* Head of a CALL datagram; @count may be patched later. Returns its length. */
u32 ebpfs_put_calls(void *p, u64 session, u16 count, u16 cell);

/* The bytes ebpfs_put_call() will write for this call; @reuse_fh as there. */
u32 ebpfs_call_size(const struct ebpfs_call_info *c, bool reuse_fh);

/* One call with its body; @reuse_fh: the handle is that of the call before. */
u32 ebpfs_put_call(void *p, const struct ebpfs_call_info *c, bool reuse_fh);

/* Head of a REPLY fragment, crc left 0. Returns its length. */
u32 ebpfs_put_reply(void *p, const struct ebpfs_frag *f);

/* Head of a DATA fragment, crc left 0. Returns its length. */
u32 ebpfs_put_data(void *p, const struct ebpfs_frag *f);

/* NEED, sealed; @session is the client's. Returns its length. */
u32 ebpfs_put_need(void *p, u64 session, const struct ebpfs_need_info *n);

/* RECALL and RECALLED, sealed; return their bytes. */
u32 ebpfs_put_recall(void *p, u64 session, const struct ebpfs_recall_info *r);
u32 ebpfs_put_recalled(void *p, u64 session, u64 id);

/* One file of RELEASE; returns its bytes, at most EBPFS_RELEASE_MAX. */
#define EBPFS_RELEASE_MAX	(sizeof(struct ebpfs_release) + EBPFS_FH_MAX)
u32 ebpfs_put_release(void *p, const struct ebpfs_release_info *r);

/* Data of RENAME and LINK; returns its bytes. */
u32 ebpfs_put_target(void *p, const struct ebpfs_target_info *t);

/* An entry of LOOKUP, CREATE or READDIR; returns its bytes, 0 if over @room. e->len is ignored. */
u32 ebpfs_put_entry(void *p, u32 room, const struct ebpfs_entry_info *e);

/* PROBE or PROBE_ACK of @size bytes, zero padded, sealed. */
u32 ebpfs_put_probe(void *p, u8 type, u64 session, u32 serial, u32 size);

/**
 * ebpfs_crc_head() - checksum of a datagram's head, to go on with the payload
 * @p: the datagram
 * @head: bytes of the head
 *
 * crc = ebpfs_crc_head(p, head); crc = ebpfs_crc32c(crc, payload, n) ...;
 * ebpfs_crc_end(crc) is what stands in hdr.crc.
 */
static inline u32 ebpfs_crc_head(const void *p, u32 head)
{
	return ebpfs_crc32c(~0u, (const u8 *)p + sizeof(__le32), head - sizeof(__le32));
}

static inline u32 ebpfs_crc_end(u32 crc)
{
	return ~crc;
}

/* Writes the crc, the first field, of a datagram that lies in one piece, aligned or not. */
static inline void ebpfs_seal(void *p, u32 len)
{
	__le32 crc = cpu_to_le32(ebpfs_crc_end(ebpfs_crc_head(p, len)));

	memcpy(p, &crc, sizeof(crc));
}

/* Is the crc of a datagram that lies in one piece right? */
static inline bool ebpfs_sealed(const void *p, u32 len)
{
	__le32 crc;

	memcpy(&crc, p, sizeof(crc));
	return le32_to_cpu(crc) == ebpfs_crc_end(ebpfs_crc_head(p, len));
}

#endif /* EBPFS_CORE_WIRE_H */
