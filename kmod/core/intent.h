/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What a server was about to do, and what it has done, written down where the death
 * of its process does not reach: so that a call that must not be executed twice is
 * not, although the session that it was made in has died with the server.
 *
 * A log is an array of records in memory that outlives the process (a shared mapping
 * of a file). A call's place in it is one of EBPFS_INTENT_WAYS, found from its op_id.
 * A client counts its op_ids up, so its calls go round the log, and a record lives
 * until about as many calls came after it as the log has records.
 *
 * A record is written in parts, in this order: the intent, before anything is done;
 * the effect, the handle of what is made, before it gets its name; the result, with
 * the reply. Each part has a checksum that is written last and that covers what was
 * written before: so a part that the process died over counts as not written, and no
 * part is taken for one of an older record. That is enough against a process that
 * stops between two stores. It is not against a machine that does: whoever owns the
 * memory must not present it again after a crash of the machine.
 *
 * Pure; no allocation. One lock per log, never held across a return. Who was told to
 * go on by ebpfs_intent_begin() owns the record until ebpfs_intent_end().
 */
#ifndef EBPFS_CORE_INTENT_H
#define EBPFS_CORE_INTENT_H

#include "core/platform.h"

#define EBPFS_INTENT_WAYS	8
#define EBPFS_INTENT_MARK	16	/* bytes that stand for a file or a call */
#define EBPFS_INTENT_REPLY_MAX	280	/* bytes of reply that are kept */
#define EBPFS_INTENT_IDLE	3600	/* s until a client's log may go to another */

/**
 * struct ebpfs_intent - a record; host byte order, as nobody else reads it
 * @op_id: of the call, not 0
 * @seq: counts the log's intents: the oldest record makes room
 * @key: of who made the call, and of what it asks; equal for equal calls only
 * @a: as @op needs it to recognise its effect
 * @b: likewise
 * @op: enum ebpfs_op
 * @flags: likewise
 * @intent_crc: of all before
 * @fh_len: bytes of @fh
 * @reserved: 0
 * @effect_crc: of @fh_len and @fh, after @intent_crc
 * @fh: handle of what was made
 * @status: of the reply
 * @reply_flags: of the reply
 * @total: bytes of reply
 * @result_crc: of @status to @total and @reply, after @intent_crc
 * @note_crc: of @note_len and @reply, after @intent_crc
 * @note_len: bytes that are noted in @reply until the reply is
 * @reply: the reply
 */
struct ebpfs_intent {
	u64 op_id;
	u64 seq;
	u8 key[EBPFS_INTENT_MARK];
	u8 a[EBPFS_INTENT_MARK];
	u8 b[EBPFS_INTENT_MARK];
	u16 op;
	u16 flags;
	u32 intent_crc;

	u16 fh_len;
	u16 reserved;
	u32 effect_crc;
	u8 fh[EBPFS_FH_MAX];

	u16 status;
	u16 reply_flags;
	u32 total;
	u32 result_crc;
	u32 note_crc;
	u32 note_len;
	u8 reply[EBPFS_INTENT_REPLY_MAX];
};

/**
 * struct ebpfs_intents - a log
 * @lock: protects all of it, and which records are owned
 * @records: @count of them; memory that outlives the process
 * @busy: op_id of the call that owns a record, 0 for none; @count of them
 * @count: a multiple of EBPFS_INTENT_WAYS
 * @running: records that are owned
 * @seq: of the last intent
 */
struct ebpfs_intents {
	ebpfs_lock lock;
	struct ebpfs_intent *records;
	u64 *busy;
	u32 count;
	u32 running;
	u64 seq;
};

/**
 * enum ebpfs_intent_state - what is known of a call
 * @EBPFS_INTENT_NEW: nothing: execute it. The caller owns a record.
 * @EBPFS_INTENT_BEGUN: an earlier life of the server was about to do it, and may have:
 *	look. The caller owns its record.
 * @EBPFS_INTENT_DONE: the result is known
 * @EBPFS_INTENT_BUSY: it is being executed, or all records that it could have belong to
 *	calls that are: do nothing, it will be repeated
 */
enum ebpfs_intent_state {
	EBPFS_INTENT_NEW,
	EBPFS_INTENT_BEGUN,
	EBPFS_INTENT_DONE,
	EBPFS_INTENT_BUSY,
};

/**
 * ebpfs_intents_init() - take over a log
 * @log: out
 * @records: what an earlier life left, or zeros
 * @busy: @count zeros
 * @count: a multiple of EBPFS_INTENT_WAYS, not 0
 */
void ebpfs_intents_init(struct ebpfs_intents *log, struct ebpfs_intent *records, u64 *busy,
			u32 count);
void ebpfs_intents_fini(struct ebpfs_intents *log);

/**
 * ebpfs_intent_begin() - a call has come that must not be executed twice
 * @log: of its client
 * @op_id: of the call
 * @key: of the call
 * @op: of the call
 * @at: out: the record that the caller owns now; NEW and BEGUN
 * @found: out: a copy of what is known; BEGUN and DONE
 */
enum ebpfs_intent_state ebpfs_intent_begin(struct ebpfs_intents *log, u64 op_id,
					   const u8 key[EBPFS_INTENT_MARK], u16 op, u32 *at,
					   struct ebpfs_intent *found);

/**
 * ebpfs_intent_write() - write the intent: from now on the call may have been executed
 * @log: of the client
 * @at: owned
 * @intent: op_id, key, op, flags, a and b are used
 * @note: bytes for a later life, until the result is known; may be NULL
 * @note_len: how many, at most EBPFS_INTENT_REPLY_MAX
 */
void ebpfs_intent_write(struct ebpfs_intents *log, u32 at, const struct ebpfs_intent *intent,
			const void *note, u32 note_len);

/* What is about to get its name: the handle by which it will be known again. Owned. */
void ebpfs_intent_effect(struct ebpfs_intents *log, u32 at, const u8 *fh, u16 fh_len);

/* The result of what ebpfs_intent_write() said. Owned. False if the reply is too long
 * to be kept: the record is as it was. */
bool ebpfs_intent_result(struct ebpfs_intents *log, u32 at, u16 status, u16 flags,
			 const void *reply, u32 total);

/* Of a record or a copy of one: is the part there, whole? */
bool ebpfs_intent_valid(const struct ebpfs_intent *r);
bool ebpfs_intent_has_effect(const struct ebpfs_intent *r);
bool ebpfs_intent_has_note(const struct ebpfs_intent *r);
bool ebpfs_intent_has_result(const struct ebpfs_intent *r);

/* Begun by an earlier life that did not come to say how it ended. */
static inline bool ebpfs_intent_open(const struct ebpfs_intent *r)
{
	return ebpfs_intent_valid(r) && !ebpfs_intent_has_effect(r) && !ebpfs_intent_has_result(r);
}

/* At the start, before any call: what record @at says was not done. */
void ebpfs_intent_drop(struct ebpfs_intents *log, u32 at);

/* Let go of an owned record. @forget: what it says is of no worth: nothing was done. */
void ebpfs_intent_end(struct ebpfs_intents *log, u32 at, bool forget);

/**
 * enum ebpfs_intent_verdict - what became of an intent
 * @EBPFS_WAS_NOT_DONE: nothing
 * @EBPFS_WAS_DONE: all of it
 * @EBPFS_WAS_TORN: a part, with nothing of others behind it
 */
enum ebpfs_intent_verdict {
	EBPFS_WAS_NOT_DONE,
	EBPFS_WAS_DONE,
	EBPFS_WAS_TORN,
};

#define EBPFS_APPEND_PAGE	4096	/* a write that is broken off ends at a multiple of it */
#define EBPFS_APPEND_CUTS	(EBPFS_MSG_MAX / EBPFS_APPEND_PAGE)

/**
 * struct ebpfs_append_mark - bytes that are about to be appended to a file
 * @size: of the file
 * @len: how many
 * @crc: of the bytes
 */
struct ebpfs_append_mark {
	u64 size;
	u32 len;
	u32 crc;
};

/**
 * ebpfs_append_mark() - what is needed to know them again
 * @m: out
 * @cuts: out: checksums of the parts that a write that is broken off could leave
 * @size: of the file
 * @data: the bytes
 * @len: how many, at most EBPFS_MSG_MAX
 *
 * Return: how many of @cuts there are.
 */
u32 ebpfs_append_mark(struct ebpfs_append_mark *m, u32 cuts[EBPFS_APPEND_CUTS], u64 size,
		      const u8 *data, u32 len);

/**
 * ebpfs_append_judge() - were they?
 * @m: as it was written down
 * @cuts: likewise
 * @ncuts: how many
 * @size: of the file now
 * @bytes: what the file has from @m->size on, as far as that goes, at most @m->len
 *
 * Looks at that place only, so it is right as long as nobody appended since by another
 * way: ask before new calls are executed. Where only a part is (TORN), the file is to
 * be cut to @m->size.
 */
enum ebpfs_intent_verdict ebpfs_append_judge(const struct ebpfs_append_mark *m, const u32 *cuts,
					     u32 ncuts, u64 size, const u8 *bytes);

/**
 * struct ebpfs_shift_mark - a range is about to be taken out of a file, or put in
 * @before: size of the file
 * @after: its size when that is done
 */
struct ebpfs_shift_mark {
	u64 before;
	u64 after;
};

/* Done unless the size is as before: what others did meanwhile, must not be moved. */
enum ebpfs_intent_verdict ebpfs_shift_judge(const struct ebpfs_shift_mark *m, u64 size);

/**
 * struct ebpfs_value_mark - a value is about to be given to a name, or the name removed
 * @len: bytes of it
 * @crc: of them
 * @remove: the name is to be removed
 * @reserved: 0
 */
struct ebpfs_value_mark {
	u32 len;
	u32 crc;
	u32 remove;
	u32 reserved;
};

void ebpfs_value_mark(struct ebpfs_value_mark *m, const u8 *value, u32 len, bool remove);
/* @value: what the name has now, NULL if it is not there. */
enum ebpfs_intent_verdict ebpfs_value_judge(const struct ebpfs_value_mark *m, const u8 *value,
					    u32 len);

/**
 * struct ebpfs_intent_owner - whose a log is; in memory that outlives the process
 * @client: name, NUL padded; all zero: nobody's
 * @used: when it was last asked for, seconds of a clock that runs on
 */
struct ebpfs_intent_owner {
	u8 client[EBPFS_CLIENT_MAX];
	u64 used;
};

/**
 * ebpfs_intent_owner() - which of several logs is a client's
 * @owners: of the logs
 * @logs: the logs
 * @count: how many
 * @client: name, EBPFS_CLIENT_MAX bytes, NUL padded
 * @now: seconds
 * @fresh: out: it was another's or nobody's: clear it, then call
 *	ebpfs_intent_owner_set()
 *
 * If all logs have owners that were there within EBPFS_INTENT_IDLE, clients share,
 * and then records live shorter. The caller sees to it that one thread is here.
 */
u32 ebpfs_intent_owner(struct ebpfs_intent_owner *owners, const struct ebpfs_intents *logs,
		       u32 count, const u8 *client, u64 now, bool *fresh);
void ebpfs_intent_owner_set(struct ebpfs_intent_owner *owner, const u8 *client, u64 now);

#endif /* EBPFS_CORE_INTENT_H */
