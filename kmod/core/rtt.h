/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Round-trip time and retransmission timeout, RFC 6298 with limits for a
 * storage network. Not locked: part of struct ebpfs_conn, under its lock.
 */
#ifndef EBPFS_CORE_RTT_H
#define EBPFS_CORE_RTT_H

#include "core/platform.h"

#define EBPFS_RTO_FIRST	(250 * EBPFS_NSEC_PER_MSEC)	/* before the first sample */
#define EBPFS_RTO_MIN	(10 * EBPFS_NSEC_PER_MSEC)
#define EBPFS_RTO_MAX	(2 * EBPFS_NSEC_PER_SEC)	/* also the most a backoff reaches */

/**
 * struct ebpfs_rtt - estimator
 * @srtt: smoothed round trip, ns, 0 before the first sample
 * @rttvar: its variation, ns
 * @rto: timeout without backoff, ns
 */
struct ebpfs_rtt {
	u64 srtt;
	u64 rttvar;
	u64 rto;
};

void ebpfs_rtt_init(struct ebpfs_rtt *r);
/* Before any: @took, ns, may be one, or more: the timeout is no less than twice that. */
void ebpfs_rtt_guess(struct ebpfs_rtt *r, u64 took);
/* One measured round trip in ns (0 counts as 1). */
void ebpfs_rtt_sample(struct ebpfs_rtt *r, u64 rtt);
/* Timeout of a transmission after @backoff doublings, ns, at most EBPFS_RTO_MAX. */
u64 ebpfs_rtt_timeout(const struct ebpfs_rtt *r, unsigned int backoff);

#endif /* EBPFS_CORE_RTT_H */
