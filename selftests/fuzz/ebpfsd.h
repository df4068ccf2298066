/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The inputs of fuzz_ebpfsd: what a client and its enemies do, one record
 * after the other, so that the fuzzer gets deep without having to guess
 * checksums, cookies and handles. Shared with the generator of its seeds.
 */
#ifndef EBPFS_SELFTESTS_FUZZ_EBPFSD_H
#define EBPFS_SELFTESTS_FUZZ_EBPFSD_H

#include "core/wire.h"

enum fuzz_record_kind {
	FUZZ_RAW,	/* bytes follow, mended as @flags say */
	FUZZ_CALL,	/* a call built from the record; name and data follow */
	FUZZ_JOIN,	/* HELLO, and AUTH with what was answered */
	FUZZ_AUTH,	/* the last AUTH again, with byte @arg changed by @seq */
	FUZZ_PROBE,	/* of @count bytes */
	FUZZ_BYE,
	FUZZ_TIME,	/* @arg ms pass */
	FUZZ_JOBS,	/* helpers and ring do what is queued; results as @flags say */
	FUZZ_COLD,	/* from here the page cache lacks: 0 nothing, 1 all, 2 half of it */
	FUZZ_REVOKE,	/* the client's entry goes from the clients file */
	FUZZ_DATA,	/* fragment @handle of the data of a call; those of no WRITE follow;
			 * with FUZZ_MORE the next @count fragments come together with it */
	FUZZ_KINDS
};

/* of FUZZ_RAW */
#define FUZZ_MEND_HEAD		1	/* magic, version */
#define FUZZ_MEND_SESSION	2
#define FUZZ_MEND_CRC		4
/* of FUZZ_CALL */
#define FUZZ_MORE		1	/* another call goes into the same datagram */
#define FUZZ_REUSE		2	/* the handle of the call before */
#define FUZZ_APART		4	/* its data come apart */
#define FUZZ_USER		16	/* as user 1, not as the client's superuser */
#define FUZZ_TARGET		32	/* data are a target: in directory @count, named by them */
/* of any that sends */
#define FUZZ_ELSEWHERE		8	/* from another address */
/* of FUZZ_JOIN */
#define FUZZ_OTHER		64	/* another mount of the client's */
/* of FUZZ_JOBS */
#define FUZZ_SHORT		1	/* the ring reads half */
#define FUZZ_ERROR		2	/* the ring says EIO */
#define FUZZ_AGAIN		4	/* the ring says EINTR */

/**
 * struct fuzz_record - one of them; @len bytes follow
 * @kind: enum fuzz_record_kind
 * @flags: see above
 * @len: bytes that follow
 * @op: enum ebpfs_op
 * @handle: which one, see fuzz_ebpfsd.c
 * @slot: of the call
 * @seq: of the call
 * @cell: in units of 8 bytes
 * @attempt: of the call
 * @instance: 0 none, 1 that of the last reply in the slot, else as it is
 * @arg: of the body
 * @want: of the call; of FUZZ_DATA: which of the fragments have a wrong checksum
 * @count: of the body
 * @data: bytes of data, of a WRITE: they are the file's own at that offset
 * @name_len: bytes of name, of those that follow; the rest are data
 */
struct fuzz_record {
	u8 kind;
	u8 flags;
	u16 len;
	u8 op;
	u8 handle;
	u8 slot;
	u8 seq;
	u16 cell;
	u8 attempt;
	u8 instance;
	u32 count;
	u64 arg;
	u64 want;
	u32 data;
	u8 name_len;
} __attribute__((packed));

/* The bytes of the one file that has any. */
static inline u8 fuzz_pattern(u64 offset)
{
	return (u8)(offset * 2654435761u >> 15);
}

/* change_ebpfsd.c */
extern bool fuzz_honest;	/* what is written has to be fuzz_pattern() */
extern bool fuzz_half;		/* the disk takes half of a write at a time */
bool fuzz_acts_as_itself(void);

#endif /* EBPFS_SELFTESTS_FUZZ_EBPFSD_H */
