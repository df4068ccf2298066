// SPDX-License-Identifier: GPL-2.0
/*
 * The window of bytes that may be asked of one node at a time: RFC 5681's slow
 * start and congestion avoidance, driven by the receiver. Context and locking:
 * window.h.
 */
#include "core/rtt.h"
#include "core/window.h"

void ebpfs_window_init(struct ebpfs_window *w)
{
	memset(w, 0, sizeof(*w));
	w->cwnd = EBPFS_WINDOW_FIRST;
	w->ssthresh = EBPFS_WINDOW_MAX;
}

bool ebpfs_window_allows(const struct ebpfs_window *w, u32 bytes)
{
	return !w->flight || (u64)w->flight + bytes <= w->cwnd;
}

void ebpfs_window_take(struct ebpfs_window *w, u32 bytes)
{
	w->flight += bytes;
}

static void grow(struct ebpfs_window *w, u32 bytes)
{
	u32 step;

	if (w->cwnd < w->ssthresh) {
		step = bytes;
	} else {
		w->credit += bytes;
		if (w->credit < w->cwnd)
			return;
		w->credit -= w->cwnd;
		step = EBPFS_WINDOW_MIN;
	}
	if (step > EBPFS_WINDOW_MAX - w->cwnd)
		step = EBPFS_WINDOW_MAX - w->cwnd;
	w->cwnd += step;
}

void ebpfs_window_give(struct ebpfs_window *w, u32 bytes, bool answered)
{
	bool limited = w->flight >= w->cwnd / 2;

	w->flight -= bytes < w->flight ? bytes : w->flight;
	if (answered && limited)
		grow(w, bytes);
}

/* Before a decrease: what ebpfs_window_undo() restores, and the new threshold. */
static void decrease(struct ebpfs_window *w)
{
	w->undo_cwnd = w->cwnd;
	w->undo_ssthresh = w->ssthresh;
	w->ssthresh = w->cwnd / 2 > EBPFS_WINDOW_MIN ? w->cwnd / 2 : EBPFS_WINDOW_MIN;
	w->credit = 0;
}

void ebpfs_window_loss(struct ebpfs_window *w, u64 now, u64 srtt)
{
	if (now < w->recover_at)
		return;
	decrease(w);
	w->cwnd = w->ssthresh;
	w->recover_at = now + (srtt ? srtt : EBPFS_RTO_FIRST);
}

void ebpfs_window_timeout(struct ebpfs_window *w)
{
	/*
	 * When the retransmissions time out too, threshold and undo stay those
	 * of the first timeout (RFC 5681 3.1).
	 */
	if (w->cwnd == EBPFS_WINDOW_MIN)
		return;
	decrease(w);
	w->cwnd = EBPFS_WINDOW_MIN;
}

void ebpfs_window_undo(struct ebpfs_window *w)
{
	if (!w->undo_cwnd)
		return;
	if (w->cwnd < w->undo_cwnd)
		w->cwnd = w->undo_cwnd;
	if (w->ssthresh < w->undo_ssthresh)
		w->ssthresh = w->undo_ssthresh;
	w->undo_cwnd = 0;
	w->undo_ssthresh = 0;
	/* There was no loss that a further one could belong to. */
	w->recover_at = 0;
}
