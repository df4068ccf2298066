// SPDX-License-Identifier: GPL-2.0
/*
 * The intent log; see intent.h.
 *
 * Stores must happen in program order, and that is all: who reads a record later is
 * either under the same lock, or another process after the death of this one.
 */
#include "core/intent.h"

#define in_order()	__asm__ __volatile__("" : : : "memory")

/* 0 is for "not written". */
static u32 nonzero(u32 crc)
{
	return crc ? crc : 1;
}

static u32 intent_crc(const struct ebpfs_intent *r)
{
	return nonzero(ebpfs_crc32c(~0u, r, offsetof(struct ebpfs_intent, intent_crc)));
}

static u32 effect_crc(const struct ebpfs_intent *r)
{
	u32 crc = ebpfs_crc32c(r->intent_crc, &r->fh_len, sizeof(r->fh_len));

	return nonzero(ebpfs_crc32c(crc, r->fh, r->fh_len));
}

static u32 note_crc(const struct ebpfs_intent *r)
{
	u32 crc = ebpfs_crc32c(~r->intent_crc, &r->note_len, sizeof(r->note_len));

	return nonzero(ebpfs_crc32c(crc, r->reply, r->note_len));
}

static u32 result_crc(const struct ebpfs_intent *r)
{
	u32 crc = ebpfs_crc32c(r->intent_crc, &r->status,
			       offsetof(struct ebpfs_intent, result_crc) -
			       offsetof(struct ebpfs_intent, status));

	return nonzero(ebpfs_crc32c(crc, r->reply, r->total));
}

bool ebpfs_intent_valid(const struct ebpfs_intent *r)
{
	return r->intent_crc && r->op_id && r->intent_crc == intent_crc(r);
}

bool ebpfs_intent_has_effect(const struct ebpfs_intent *r)
{
	return r->effect_crc && r->fh_len && r->fh_len <= sizeof(r->fh) &&
	       r->effect_crc == effect_crc(r);
}

bool ebpfs_intent_has_note(const struct ebpfs_intent *r)
{
	return r->note_crc && r->note_len <= sizeof(r->reply) && r->note_crc == note_crc(r);
}

bool ebpfs_intent_has_result(const struct ebpfs_intent *r)
{
	return r->result_crc && r->total <= sizeof(r->reply) && r->result_crc == result_crc(r);
}

void ebpfs_intents_init(struct ebpfs_intents *log, struct ebpfs_intent *records, u64 *busy,
			u32 count)
{
	u32 i;

	ebpfs_lock_init(&log->lock);
	log->records = records;
	log->busy = busy;
	log->count = count;
	log->running = 0;
	log->seq = 0;
	for (i = 0; i < count; i++) {
		/* Nobody has to look twice at what was broken off. */
		if (!ebpfs_intent_valid(&records[i]))
			records[i].intent_crc = 0;
		else if (records[i].seq > log->seq)
			log->seq = records[i].seq;
	}
}

void ebpfs_intents_fini(struct ebpfs_intents *log)
{
	ebpfs_lock_fini(&log->lock);
}

/* The record of a new call: one that says nothing, else the oldest. -1: none. Under the lock
 * a checksum that is there is right.
 */
static int make_room(const struct ebpfs_intents *log, u32 first)
{
	u64 oldest = EBPFS_NEVER;
	int room = -1;
	u32 i;

	for (i = first; i < first + EBPFS_INTENT_WAYS; i++) {
		u64 seq = log->records[i].intent_crc ? log->records[i].seq : 0;

		if (!log->busy[i] && (room < 0 || seq < oldest)) {
			room = (int)i;
			oldest = seq;
		}
	}
	return room;
}

static enum ebpfs_intent_state begin(struct ebpfs_intents *log, u64 op_id, const u8 *key, u16 op,
				     u32 *at, struct ebpfs_intent *found)
{
	u32 first = (u32)(op_id % (log->count / EBPFS_INTENT_WAYS)) * EBPFS_INTENT_WAYS, i;
	int room;

	for (i = first; i < first + EBPFS_INTENT_WAYS; i++)
		if (log->busy[i] == op_id)
			return EBPFS_INTENT_BUSY;
	for (i = first; i < first + EBPFS_INTENT_WAYS; i++) {
		const struct ebpfs_intent *r = &log->records[i];

		/* Nobody can make another's key: no need to hide where they differ. */
		if (r->op_id != op_id || r->op != op || log->busy[i] ||
		    memcmp(r->key, key, sizeof(r->key)) || !ebpfs_intent_valid(r))
			continue;
		memcpy(found, r, sizeof(*found));
		if (ebpfs_intent_has_result(r))
			return EBPFS_INTENT_DONE;
		*at = i;
		return EBPFS_INTENT_BEGUN;
	}
	room = make_room(log, first);
	if (room < 0)
		return EBPFS_INTENT_BUSY;
	*at = (u32)room;
	return EBPFS_INTENT_NEW;
}

enum ebpfs_intent_state ebpfs_intent_begin(struct ebpfs_intents *log, u64 op_id,
					   const u8 key[EBPFS_INTENT_MARK], u16 op, u32 *at,
					   struct ebpfs_intent *found)
{
	enum ebpfs_intent_state state;

	ebpfs_lock_take(&log->lock);
	state = begin(log, op_id, key, op, at, found);
	if (state == EBPFS_INTENT_NEW || state == EBPFS_INTENT_BEGUN) {
		log->busy[*at] = op_id;
		log->running++;
	}
	ebpfs_lock_drop(&log->lock);
	return state;
}

void ebpfs_intent_write(struct ebpfs_intents *log, u32 at, const struct ebpfs_intent *intent,
			const void *note, u32 note_len)
{
	struct ebpfs_intent *r = &log->records[at];

	ebpfs_lock_take(&log->lock);
	WRITE_ONCE(r->intent_crc, 0);
	in_order();
	WRITE_ONCE(r->effect_crc, 0);
	WRITE_ONCE(r->note_crc, 0);
	WRITE_ONCE(r->result_crc, 0);
	in_order();
	r->op_id = intent->op_id;
	r->seq = ++log->seq;
	memcpy(r->key, intent->key, sizeof(r->key));
	memcpy(r->a, intent->a, sizeof(r->a));
	memcpy(r->b, intent->b, sizeof(r->b));
	r->op = intent->op;
	r->flags = intent->flags;
	in_order();
	WRITE_ONCE(r->intent_crc, intent_crc(r));
	in_order();
	if (note && note_len <= sizeof(r->reply)) {
		r->note_len = note_len;
		memcpy(r->reply, note, note_len);
		in_order();
		WRITE_ONCE(r->note_crc, note_crc(r));
		in_order();
	}
	ebpfs_lock_drop(&log->lock);
}

void ebpfs_intent_effect(struct ebpfs_intents *log, u32 at, const u8 *fh, u16 fh_len)
{
	struct ebpfs_intent *r = &log->records[at];

	if (!fh_len || fh_len > sizeof(r->fh))
		return;
	ebpfs_lock_take(&log->lock);
	WRITE_ONCE(r->effect_crc, 0);
	in_order();
	r->fh_len = fh_len;
	memcpy(r->fh, fh, fh_len);
	in_order();
	WRITE_ONCE(r->effect_crc, effect_crc(r));
	in_order();
	ebpfs_lock_drop(&log->lock);
}

bool ebpfs_intent_result(struct ebpfs_intents *log, u32 at, u16 status, u16 flags,
			 const void *reply, u32 total)
{
	struct ebpfs_intent *r = &log->records[at];

	if (total > sizeof(r->reply))
		return false;
	ebpfs_lock_take(&log->lock);
	WRITE_ONCE(r->result_crc, 0);
	in_order();
	r->status = status;
	r->reply_flags = flags;
	r->total = total;
	if (total)
		memcpy(r->reply, reply, total);
	in_order();
	WRITE_ONCE(r->result_crc, result_crc(r));
	in_order();
	ebpfs_lock_drop(&log->lock);
	return true;
}

void ebpfs_intent_drop(struct ebpfs_intents *log, u32 at)
{
	ebpfs_lock_take(&log->lock);
	WRITE_ONCE(log->records[at].intent_crc, 0);
	ebpfs_lock_drop(&log->lock);
}

void ebpfs_intent_end(struct ebpfs_intents *log, u32 at, bool forget)
{
	ebpfs_lock_take(&log->lock);
	if (forget)
		WRITE_ONCE(log->records[at].intent_crc, 0);
	log->busy[at] = 0;
	log->running--;
	ebpfs_lock_drop(&log->lock);
}

/* Bytes from @size on until a write may be broken off for the @i-th time. */
static u32 cut_at(u64 size, u32 i)
{
	return EBPFS_APPEND_PAGE - (u32)(size % EBPFS_APPEND_PAGE) + i * EBPFS_APPEND_PAGE;
}

u32 ebpfs_append_mark(struct ebpfs_append_mark *m, u32 cuts[EBPFS_APPEND_CUTS], u64 size,
		      const u8 *data, u32 len)
{
	u32 crc = ~0u, done = 0, n, end;

	for (n = 0; n < EBPFS_APPEND_CUTS; n++, done = end) {
		end = cut_at(size, n);
		if (end >= len)
			break;
		crc = ebpfs_crc32c(crc, data + done, end - done);
		cuts[n] = crc;
	}
	m->size = size;
	m->len = len;
	m->crc = ebpfs_crc32c(crc, data + done, len - done);
	return n;
}

enum ebpfs_intent_verdict ebpfs_append_judge(const struct ebpfs_append_mark *m, const u32 *cuts,
					     u32 ncuts, u64 size, const u8 *bytes)
{
	u32 there, i;

	if (size <= m->size)
		return EBPFS_WAS_NOT_DONE;
	if (size - m->size >= m->len)
		return ebpfs_crc32c(~0u, bytes, m->len) == m->crc ? EBPFS_WAS_DONE :
								    EBPFS_WAS_NOT_DONE;
	there = (u32)(size - m->size);
	for (i = 0; i < ncuts; i++)
		if (cut_at(m->size, i) == there)
			return ebpfs_crc32c(~0u, bytes, there) == cuts[i] ? EBPFS_WAS_TORN :
									    EBPFS_WAS_NOT_DONE;
	return EBPFS_WAS_NOT_DONE;
}

enum ebpfs_intent_verdict ebpfs_shift_judge(const struct ebpfs_shift_mark *m, u64 size)
{
	return size == m->before ? EBPFS_WAS_NOT_DONE : EBPFS_WAS_DONE;
}

void ebpfs_value_mark(struct ebpfs_value_mark *m, const u8 *value, u32 len, bool remove)
{
	m->len = len;
	m->crc = len ? ebpfs_crc32c(~0u, value, len) : ~0u;
	m->remove = remove;
	m->reserved = 0;
}

enum ebpfs_intent_verdict ebpfs_value_judge(const struct ebpfs_value_mark *m, const u8 *value,
					    u32 len)
{
	bool done;

	if (m->remove)
		done = !value;
	else
		done = value && len == m->len &&
		       (len ? ebpfs_crc32c(~0u, value, len) : ~0u) == m->crc;
	return done ? EBPFS_WAS_DONE : EBPFS_WAS_NOT_DONE;
}

/* Where clients that share begin to look: spread, and the same every time. */
static u32 shared(const u8 *client, u32 count)
{
	/* NOLINTNEXTLINE(clang-analyzer-core.DivideZero): there is at least one log */
	return ebpfs_crc32c(~0u, client, EBPFS_CLIENT_MAX) % count;
}

u32 ebpfs_intent_owner(struct ebpfs_intent_owner *owners, const struct ebpfs_intents *logs,
		       u32 count, const u8 *client, u64 now, bool *fresh)
{
	u64 oldest = EBPFS_NEVER;
	u32 room = 0, i;

	*fresh = false;
	for (i = 0; i < count; i++) {
		if (!memcmp(owners[i].client, client, EBPFS_CLIENT_MAX)) {
			owners[i].used = now;
			return i;
		}
	}
	for (i = 0; i < count; i++) {
		u64 used = owners[i].client[0] ? owners[i].used : 0;

		if (used < oldest && !logs[i].running) {
			room = i;
			oldest = used;
		}
	}
	if (oldest == EBPFS_NEVER ||
	    (owners[room].client[0] && now < oldest + EBPFS_INTENT_IDLE)) {
		room = shared(client, count);
		owners[room].used = now;
		return room;
	}
	*fresh = true;
	return room;
}

void ebpfs_intent_owner_set(struct ebpfs_intent_owner *owner, const u8 *client, u64 now)
{
	/* A name that was cut off by the end of the process is nobody's. */
	WRITE_ONCE(owner->client[0], 0);
	in_order();
	owner->used = now;
	memcpy(owner->client + 1, client + 1, EBPFS_CLIENT_MAX - 1);
	in_order();
	WRITE_ONCE(owner->client[0], client[0]);
	in_order();
}
