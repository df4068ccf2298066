/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Calls that must not be executed twice, across the death of the daemon.
 *
 * The log of core/intent.h lies in a file of the state directory that is mapped: a
 * record is a few stores, no system call, and it is there for the next start after a
 * SIGKILL. A file that was written before the machine booted is cleared: what of it
 * reached the disk, and in which order, nobody knows.
 *
 * intent_run() stands before every such call. An operation that can be recognised
 * says so in three steps: intent_former() tells what an earlier life was about to do,
 * intent_write() says what is going to be done, right before it is, and what is needed
 * to know it again; the result is noted when the operation returns. A call that fails
 * before intent_write() has changed nothing and leaves no record. One that succeeds
 * without it, because its operation cannot be recognised, has a record from then on.
 * What the daemon died over is looked for at the next start, as far as it can be found
 * in the files (settle.h), and else when the call comes again.
 *
 * Any thread; a record belongs to the call that is being executed.
 */
#ifndef EBPFSD_INTENT_H
#define EBPFSD_INTENT_H

#include "core/intent.h"

struct config;
struct ebpfs_hold_key;
struct export;
struct exports;
struct intent_log;
struct op;
struct op_result;

/* ebpfs_intent.flags */
#define INTENT_A	(1u << 0)	/* a: the first name's file */
#define INTENT_B	(1u << 1)	/* b: the second name's file */
#define INTENT_TEMP	(1u << 2)	/* a note tells of a name that is not to stay */
#define INTENT_DIRECT	(1u << 3)	/* CREATE: a is when it began, no effect is told */
#define INTENT_FILE	(1u << 4)	/* a note tells of the file, see settle.h */

/* Where EBPFSD_TEST_DIE makes the daemon die. */
enum intent_point {
	INTENT_POINT_INTENT,	/* the intent is written, nothing is done */
	INTENT_POINT_MADE,	/* CREATE: made, without its name; others: done, not noted */
	INTENT_POINT_EXECUTED,	/* done, the result not written */
	INTENT_POINT_RESULT,	/* the result is written, no reply sent */
};

/**
 * struct intent - one call's part in the log
 * @log: of its client
 * @at: its record
 * @written: by this life
 * @begun: @former is there
 * @former: what an earlier life wrote
 * @key: of the call
 */
struct intent {
	struct ebpfs_intents *log;
	u32 at;
	bool written;
	bool begun;
	struct ebpfs_intent former;
	u8 key[EBPFS_INTENT_MARK];
};

/**
 * intent_log_open() - take over what is there, and clean up
 * @c: configuration: the state directory, and where the daemon listens, by which
 *	several daemons with one state directory have a file each
 * @exports: open; what an earlier life left half made in them is removed
 *
 * At start, with all privileges. Return: the log; NULL if there can be none, which was
 * logged: calls are then executed once within a session only.
 */
struct intent_log *intent_log_open(const struct config *c, const struct exports *exports);
void intent_log_close(struct intent_log *log);

/**
 * intent_run() - op_run() for any call
 * @log: may be NULL
 * @client: name of the session's client, EBPFS_CLIENT_MAX bytes, NUL padded
 * @op: as for op_run()
 * @res: as of op_run()
 */
int intent_run(struct intent_log *log, const char *client, struct op *op, struct op_result *res);

/* What an earlier life was about to do with this call; NULL: it did nothing. */
static inline const struct ebpfs_intent *intent_former(const struct intent *i)
{
	return i && i->begun ? &i->former : NULL;
}

/**
 * intent_write() - the operation is going to be done now
 * @op: its call; nothing happens if there is no record for it
 * @flags: INTENT_*
 * @a: EBPFS_INTENT_MARK bytes or NULL
 * @b: likewise
 * @note: see ebpfs_intent_write()
 * @note_len: likewise
 */
void intent_write(struct op *op, u16 flags, const u8 *a, const u8 *b, const void *note,
		  u32 note_len);

/* The handle of what is about to get its name. */
void intent_effect(struct op *op, const u8 *fh, u16 fh_len);

/* For tests: die here, if that was asked for and the intent is written. */
void intent_point(const struct op *op, enum intent_point point);

/**
 * intent_mark() - what stands for the file of a name
 * @e: export
 * @dir: directory
 * @name: in it
 * @mark: out, EBPFS_INTENT_MARK bytes; equal for the same file only
 *
 * With the daemon's own rights. Return: true, or false and errno: ENOENT if the name
 * has none.
 */
bool intent_mark(const struct export *e, int dir, const char *name, u8 *mark);

/* The same of a file whose handle was checked, and of one that a struct file_key tells of. */
void intent_mark_fh(const struct export *e, const u8 *fh, u8 *mark);
void intent_mark_key(const struct export *e, const struct ebpfs_hold_key *key, u8 *mark);

/**
 * struct intent_temp - a note: a name that is not to stay
 * @fh_len: bytes of @fh
 * @is_dir: it is a directory's
 * @fh: handle of the directory that it is in
 * @name: NUL terminated
 */
struct intent_temp {
	u16 fh_len;
	u16 is_dir;
	u8 fh[EBPFS_FH_MAX];
	char name[64];
};

/* A name that nobody else has, in @temp->name. */
void intent_temp_name(struct intent_temp *temp);

#endif /* EBPFSD_INTENT_H */
