/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Whether a node is used: the state of one server as one mount sees it.
 *
 *	DOWN --(handshake succeeds)--> UP --(silent too long)--> LOST
 *	 ^                              ^ \--(UNKNOWN, or a new handshake)--> UP
 *	 |                              \--(handshake succeeds, or heard)-- LOST
 *	 removed by the administrator: the node is drained and goes
 *
 * While DOWN or LOST the client tries a handshake again and again, at first
 * after EBPFS_NODE_RETRY_MIN, then doubling to EBPFS_NODE_RETRY_MAX. A LOST
 * node's old session is kept until a new handshake succeeds: if the node is
 * heard again on it, it is UP with all its calls as they are. While UP, the
 * hint UNKNOWN starts a handshake too, at most once per EBPFS_NODE_RETRY_MIN,
 * and changes nothing else: it may be forged.
 *
 * Silent is not slow: a server may take as long as it likes for a call, and answers nothing to
 * its repetitions meanwhile. So who has heard nothing for a while asks with a PROBE whether the
 * node lives; the answer ends the silence.
 *
 * Calls of a node that is not UP are moved to nodes that are; with none, they
 * wait. Not locked: the caller's.
 */
#ifndef EBPFS_CORE_NODE_H
#define EBPFS_CORE_NODE_H

#include "core/platform.h"

#define EBPFS_NODE_RETRY_MIN	(250 * EBPFS_NSEC_PER_MSEC)
#define EBPFS_NODE_RETRY_MAX	EBPFS_NSEC_PER_SEC

enum ebpfs_node_state {
	EBPFS_NODE_DOWN,
	EBPFS_NODE_UP,
	EBPFS_NODE_LOST,
};

/**
 * struct ebpfs_health - state
 * @state: enum ebpfs_node_state
 * @rejoin: a handshake is wanted (UNKNOWN while UP)
 * @backoff: doublings so far
 * @retry_at: earliest time of the next handshake, ns
 * @ask_at: earliest time of the next question whether it lives, ns
 * @lost_after: silence that makes a node LOST, ns
 */
struct ebpfs_health {
	u8 state;
	bool rejoin;
	u8 backoff;
	u64 retry_at;
	u64 ask_at;
	u64 lost_after;
};

void ebpfs_health_init(struct ebpfs_health *h, u64 lost_after, u64 now);
/*
 * Silence that makes it LOST: @wanted, ns, but not less than it takes to be answered twice by
 * the retransmission timeout @rto.
 */
void ebpfs_health_patience(struct ebpfs_health *h, u64 wanted, u64 rto);
/* Silence so far, ns (ebpfs_conn_silence()). Return: true if the node is LOST just now. */
bool ebpfs_health_silence(struct ebpfs_health *h, u64 silence, u64 now);
/*
 * Is the node to be asked now whether it lives? *@next: when to see again if nothing else
 * happens, ns.
 */
bool ebpfs_health_ask(struct ebpfs_health *h, u64 silence, u64 now, u64 *next);
/* Something verified was heard on the session. Return: true if UP again just now. */
bool ebpfs_health_heard(struct ebpfs_health *h);
/* UNKNOWN was heard. What is heard later on the session takes the hint back. */
void ebpfs_health_unknown(struct ebpfs_health *h);
/* Is a handshake to be started now? If so the next one is put off. */
bool ebpfs_health_connect(struct ebpfs_health *h, u64 now);
/* A handshake succeeded. */
void ebpfs_health_joined(struct ebpfs_health *h);
/* When to ask again, ns. */
u64 ebpfs_health_next(const struct ebpfs_health *h);

#endif /* EBPFS_CORE_NODE_H */
