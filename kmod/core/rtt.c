// SPDX-License-Identifier: GPL-2.0
/*
 * Round-trip time and retransmission timeout: the estimator of RFC 6298
 * section 2, in nanoseconds. Context and locking: rtt.h.
 */
#include "core/rtt.h"

/* Longer than any network; keeps a clock that jumped from spoiling the estimate for good. */
#define RTT_LONGEST	(16 * EBPFS_NSEC_PER_SEC)

void ebpfs_rtt_init(struct ebpfs_rtt *r)
{
	r->srtt = 0;
	r->rttvar = 0;
	r->rto = EBPFS_RTO_FIRST;
}

void ebpfs_rtt_guess(struct ebpfs_rtt *r, u64 took)
{
	if (r->srtt || 2 * took <= r->rto)
		return;
	r->rto = took < EBPFS_RTO_MAX / 2 ? 2 * took : EBPFS_RTO_MAX;
}

void ebpfs_rtt_sample(struct ebpfs_rtt *r, u64 rtt)
{
	u64 off, rto;

	if (!rtt)
		rtt = 1;
	if (rtt > RTT_LONGEST)
		rtt = RTT_LONGEST;

	if (!r->srtt) {
		r->srtt = rtt;
		r->rttvar = rtt / 2;
	} else {
		off = r->srtt > rtt ? r->srtt - rtt : rtt - r->srtt;
		r->rttvar = (3 * r->rttvar + off) / 4;
		r->srtt = (7 * r->srtt + rtt) / 8;
		/* 0 means "no sample yet" */
		if (!r->srtt)
			r->srtt = 1;
	}

	rto = r->srtt + 4 * r->rttvar;
	if (rto < EBPFS_RTO_MIN)
		rto = EBPFS_RTO_MIN;
	if (rto > EBPFS_RTO_MAX)
		rto = EBPFS_RTO_MAX;
	r->rto = rto;
}

u64 ebpfs_rtt_timeout(const struct ebpfs_rtt *r, unsigned int backoff)
{
	u64 timeout = r->rto;

	while (backoff-- && timeout < EBPFS_RTO_MAX)
		timeout *= 2;
	return timeout < EBPFS_RTO_MAX ? timeout : EBPFS_RTO_MAX;
}
