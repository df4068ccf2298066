/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Data of calls on their way in: one buffer per slot into which fragments are put
 * as they come, and the call that waits for them (the states are core/served.h's,
 * which says when a call is to be executed).
 *
 * All of it is under the session's lock. Buffers, and calls that wait, count against a
 * budget of all sessions; what does not fit is dropped, and the client sends it again.
 */
#ifndef EBPFSD_GATHER_H
#define EBPFSD_GATHER_H

#include "core/wire.h"

struct job;
struct session;
struct sessions;

#define GATHER_IDLE	30000	/* ms without a fragment: may be dropped */

/**
 * struct gathering - what a slot has of a call whose data come apart
 * @seq: of that call
 * @call: the call, NULL if it has not come
 * @data: @len bytes, NULL if no fragment has come
 * @len: bytes of all data
 * @used: when something of it last came, ms, low 32 bits
 */
struct gathering {
	u64 seq;
	struct job *call;
	u8 *data;
	u32 len;
	u32 used;
};

/**
 * struct data_run - neighbouring fragments of data, as one receive brought them
 * @first: payload of the first of them; not owned
 * @stride: bytes from one's payload to the next one's
 * @cell: bytes in each, but for the last of the call's data
 * @n: how many
 */
struct data_run {
	const u8 *first;
	u32 stride;
	u32 cell;
	u32 n;
};

/* All @len bytes of a call's data, which @run holds, in one piece. */
void data_join(u8 *to, const struct data_run *run, u32 len);

/* Memory for @len bytes of data within the budget, or NULL. Any thread, no lock. */
u8 *data_alloc(struct sessions *ss, u32 len);
void data_free(struct sessions *ss, u8 *data, u32 len);

/**
 * gather_put() - fragments that core/served.h said to keep
 * @ss: sessions
 * @s: session
 * @f: the first of them
 * @run: they, and others
 * @cells: which, @f->index being the first of @run
 * @now: ms
 *
 * Return: false if there is no room: then nothing of this call's data is kept any more.
 */
bool gather_put(struct sessions *ss, struct session *s, const struct ebpfs_frag *f,
		const struct data_run *run, u64 cells, u64 now);

/* The call of a slot whose data lack; consumes @call, which may be NULL. Over the budget it
 * is dropped. */
void gather_wait(struct sessions *ss, struct session *s, u64 id, struct job *call, u64 now);

/**
 * gather_take() - all data of a call are there
 * @s: session
 * @id: of the call
 * @len: bytes that they must be
 * @call: out, may be NULL: the call that waited, or NULL
 *
 * Return: the data, the caller's to free with data_free(); NULL if they are not there.
 */
u8 *gather_take(struct sessions *ss, struct session *s, u64 id, u32 len, struct job **call);

/* What @slot has of calls before @seq is not wanted any more. */
void gather_give_up(struct sessions *ss, struct session *s, u16 slot, u64 seq);

/* The session ends. */
void gather_end(struct sessions *ss, struct session *s);

/* Drop what has waited for GATHER_IDLE. */
void gather_tick(struct sessions *ss, struct session *s, u64 now);

#endif /* EBPFSD_GATHER_H */
