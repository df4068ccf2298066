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
	FUZZ_CALL,	/* a call built from the record; the name follows */
	FUZZ_JOIN,	/* HELLO, and AUTH with what was answered */
	FUZZ_AUTH,	/* the last AUTH again, with byte @arg changed by @seq */
	FUZZ_PROBE,	/* of @count bytes */
	FUZZ_BYE,
	FUZZ_TIME,	/* @arg ms pass */
	FUZZ_JOBS,	/* helpers and ring do what is queued; results as @flags say */
	FUZZ_COLD,	/* from here the page cache lacks: 0 nothing, 1 all, 2 half of it */
	FUZZ_REVOKE,	/* the client's entry goes from the clients file */
	FUZZ_KINDS
};

/* of FUZZ_RAW */
#define FUZZ_MEND_HEAD		1	/* magic, version */
#define FUZZ_MEND_SESSION	2
#define FUZZ_MEND_CRC		4
/* of FUZZ_CALL */
#define FUZZ_MORE		1	/* another call goes into the same datagram */
#define FUZZ_REUSE		2	/* the handle of the call before */
/* of any that sends */
#define FUZZ_ELSEWHERE		8	/* from another address */
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
 * @want: of the call
 * @count: of the body
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
} __attribute__((packed));

#endif /* EBPFS_SELFTESTS_FUZZ_EBPFSD_H */
