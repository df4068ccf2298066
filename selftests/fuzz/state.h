/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Inputs of fuzz_state that are a log of calls: records one after the other, with
 * what has to be right made right. Shared with the generator of its seeds.
 */
#ifndef EBPFS_SELFTESTS_FUZZ_STATE_H
#define EBPFS_SELFTESTS_FUZZ_STATE_H

#include "core/intent.h"

/* of fuzz_intent.parts: this part is written, with its checksum */
#define FUZZ_EFFECT	1
#define FUZZ_RESULT	2
#define FUZZ_NOTE	4
#define FUZZ_BROKEN	8	/* but one bit of the record is changed in the end */

/* The note is @data as it is, or of the kinds that ebpfsd writes. */
enum fuzz_note { FUZZ_NOTE_RAW, FUZZ_NOTE_TEMP, FUZZ_NOTE_FILE, FUZZ_NOTES };

/**
 * struct fuzz_intent - a record of it; @len bytes follow
 * @log: of which client
 * @at: which record
 * @parts: see above
 * @note: enum fuzz_note
 * @file: whose handle a note is about
 * @op: of the record
 * @flags: of the record
 * @op_id: of the record
 * @len: bytes that follow: name or checksums of a note, reply
 * @a: the record's a
 */
struct fuzz_intent {
	u8 log;
	u8 at;
	u8 parts;
	u8 note;
	u8 file;
	u8 op;
	u8 flags;
	u8 op_id;
	u8 len;
	u8 a[EBPFS_INTENT_MARK];
} __attribute__((packed));

/* The bytes of the file that calls are about. */
static inline u8 fuzz_byte(size_t offset)
{
	return (u8)(offset * 2654435761u >> 13);
}

#define FUZZ_FILE_SIZE	5000

#endif /* EBPFS_SELFTESTS_FUZZ_STATE_H */
