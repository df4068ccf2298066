/* SPDX-License-Identifier: GPL-2.0 */
/*
 * How many bytes of reply may be asked of one node at a time.
 *
 * The receiver drives: bytes count as in flight from the call that asks for
 * them until its slot is given back. Slow start, additive increase by about
 * one unit per window, multiplicative decrease at most once per round trip on
 * loss or a CE mark (RFC 5681, RFC 8085 3.1), back to the minimum when
 * everything in flight timed out. Undo when a retransmission proves spurious
 * (RFC 3522, by the attempt number that replies echo). Not locked: part of
 * struct ebpfs_conn, under its lock.
 */
#ifndef EBPFS_CORE_WINDOW_H
#define EBPFS_CORE_WINDOW_H

#include "core/platform.h"

#define EBPFS_WINDOW_MIN	(64u << 10)	/* one whole reply always fits */
#define EBPFS_WINDOW_FIRST	(128u << 10)
#define EBPFS_WINDOW_MAX	(16u << 20)

/**
 * struct ebpfs_window - state
 * @cwnd: bytes that may be in flight
 * @ssthresh: below it slow start
 * @flight: bytes in flight
 * @credit: bytes answered since the last additive step
 * @undo_cwnd: cwnd before the last decrease, 0 if there is nothing to undo
 * @undo_ssthresh: likewise
 * @recover_at: until then (ns) a further loss belongs to the same round trip
 */
struct ebpfs_window {
	u32 cwnd;
	u32 ssthresh;
	u32 flight;
	u32 credit;
	u32 undo_cwnd;
	u32 undo_ssthresh;
	u64 recover_at;
};

void ebpfs_window_init(struct ebpfs_window *w);
/* May @bytes more be asked for? Always when nothing is in flight. */
bool ebpfs_window_allows(const struct ebpfs_window *w, u32 bytes);
void ebpfs_window_take(struct ebpfs_window *w, u32 bytes);
/* @bytes are no longer in flight; @answered: by a reply (else cancelled). Grows
 * only if the window was the limit (at least half of it was in use). */
void ebpfs_window_give(struct ebpfs_window *w, u32 bytes, bool answered);
/* Loss or CE at time @now with smoothed round trip @srtt. */
void ebpfs_window_loss(struct ebpfs_window *w, u64 now, u64 srtt);
/* Nothing was heard for a whole timeout. */
void ebpfs_window_timeout(struct ebpfs_window *w);
/* The last decrease was unfounded. */
void ebpfs_window_undo(struct ebpfs_window *w);

#endif /* EBPFS_CORE_WINDOW_H */
