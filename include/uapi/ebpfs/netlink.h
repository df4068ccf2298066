/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * Control of the module: generic netlink family "ebpfs", version 1.
 *
 * All commands need CAP_NET_ADMIN in the initial user namespace. Unknown
 * attributes are refused. Errors come with a text (extended ack).
 *
 * EBPFS_CMD_MOUNT_GET (dump): one message per mounted filesystem, also of
 *	those that were lazily unmounted but are still in use:
 *	MOUNT, DEV_MAJOR, DEV_MINOR, SOURCE, OPTIONS, NODES, ABORTED,
 *	REQUESTS, REQUESTS_WAITING, STATS (of the mount).
 *
 * EBPFS_CMD_NODE_GET (dump): one message per node of each mount:
 *	MOUNT, NODE, ADDRESS, STATE, SESSION, SLOTS, IN_FLIGHT, WINDOW, SRTT_NS,
 *	RTO_NS, CELL, PMTU, RETRANSMITS, STATS (of the node).
 *
 * EBPFS_CMD_NODE_ADD: MOUNT, ADDRESS. The node must export the same directory;
 *	it takes its share of the files as soon as its handshake succeeded.
 *	Answers with NODE. Errors: ENOENT no such mount, EEXIST is a node
 *	already, ENOSPC too many nodes, EAFNOSUPPORT.
 *
 * EBPFS_CMD_NODE_REMOVE: MOUNT, NODE. Its requests move to the other nodes.
 *	Errors: ENOENT, EBUSY the last node cannot be removed.
 *
 * EBPFS_CMD_ABORT: MOUNT. Ends every request of the mount, now and later, with
 *	EIO. Like umount -f, but works after a lazy unmount too. Error: ENOENT.
 *
 * EBPFS_CMD_STATS_GET: STATS of the whole module since it was loaded.
 */
#ifndef _UAPI_EBPFS_NETLINK_H
#define _UAPI_EBPFS_NETLINK_H

#define EBPFS_GENL_NAME		"ebpfs"
#define EBPFS_GENL_VERSION	1

enum ebpfs_cmd {
	EBPFS_CMD_UNSPEC,
	EBPFS_CMD_MOUNT_GET,
	EBPFS_CMD_NODE_GET,
	EBPFS_CMD_NODE_ADD,
	EBPFS_CMD_NODE_REMOVE,
	EBPFS_CMD_ABORT,
	EBPFS_CMD_STATS_GET,

	__EBPFS_CMD_MAX,
	EBPFS_CMD_MAX = __EBPFS_CMD_MAX - 1
};

/* Integers are in host order. */
enum ebpfs_nl_attr {
	EBPFS_A_UNSPEC,
	EBPFS_A_PAD,
	EBPFS_A_MOUNT,			/* u32: number of the mount, 1, 2 ... since load */
	EBPFS_A_DEV_MAJOR,		/* u32: st_dev, to find it in /proc/self/mountinfo */
	EBPFS_A_DEV_MINOR,		/* u32 */
	EBPFS_A_SOURCE,			/* string: as given to mount */
	EBPFS_A_OPTIONS,		/* string: in force, as in mountinfo */
	EBPFS_A_NODES,			/* u32: how many */
	EBPFS_A_ABORTED,		/* flag */
	EBPFS_A_REQUESTS,		/* u32: not finished */
	EBPFS_A_REQUESTS_WAITING,	/* u32: of these, waiting for a slot, window or node */
	EBPFS_A_NODE,			/* u32: number of the node in its mount, never reused */
	EBPFS_A_ADDRESS,		/* binary: struct sockaddr_in or sockaddr_in6 */
	EBPFS_A_STATE,			/* u8: 0 down, 1 up, 2 lost */
	EBPFS_A_SESSION,		/* u64: the client's identity, 0 while there is none */
	EBPFS_A_SLOTS,			/* u32: of the session */
	EBPFS_A_IN_FLIGHT,		/* u32: bytes asked for */
	EBPFS_A_WINDOW,			/* u32: bytes that may be asked for */
	EBPFS_A_SRTT_NS,		/* u64 */
	EBPFS_A_RTO_NS,			/* u64 */
	EBPFS_A_CELL,			/* u32: payload bytes per fragment */
	EBPFS_A_PMTU,			/* u32: UDP payload bytes the path carries */
	EBPFS_A_RETRANSMITS,		/* u64: calls sent again */
	EBPFS_A_STATS,			/* nested: EBPFS_A_STAT ... */
	EBPFS_A_STAT,			/* nested: EBPFS_A_STAT_NAME, EBPFS_A_STAT_VALUE */
	EBPFS_A_STAT_NAME,		/* string */
	EBPFS_A_STAT_VALUE,		/* u64 */

	__EBPFS_A_MAX,
	EBPFS_A_MAX = __EBPFS_A_MAX - 1
};

#endif /* _UAPI_EBPFS_NETLINK_H */
