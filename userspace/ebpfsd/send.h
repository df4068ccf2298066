/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Sockets, and datagrams that leave through them. sendmsg(2) directly rather
 * than through the ring: one system call either way, and no completion to
 * wait for before the reply's memory may be used again.
 *
 * Any thread; replies under the session's lock.
 */
#ifndef EBPFSD_SEND_H
#define EBPFSD_SEND_H

#include "core/wire.h"
#include "lib/addr.h"

struct session;

/**
 * struct listener - one UDP socket of one worker
 * @fd: socket
 * @family: AF_INET or AF_INET6
 * @wildcard: bound to any address: replies must name the one that was called
 * @no_gso: UDP_SEGMENT was refused for good; READ_ONCE/WRITE_ONCE
 * @addr: bound to
 */
struct listener {
	int fd;
	u16 family;
	bool wildcard;
	bool no_gso;
	union ebpfs_sockaddr addr;
};

/**
 * struct route - the way back to where a datagram came from
 * @listener: it came in by
 * @to: its source
 * @local4: its destination, if the listener is a wildcard
 * @local6: likewise
 */
struct route {
	struct listener *listener;
	union ebpfs_sockaddr to;
	union {
		struct in_pktinfo local4;
		struct in6_pktinfo local6;
	};
};

/**
 * listener_open() - make and bind a socket
 * @l: out
 * @addr: to bind to
 * @first: no other socket of this process is bound to it; then it fails if
 *	another process's is
 *
 * Return: 0 or -errno.
 */
int listener_open(struct listener *l, const union ebpfs_sockaddr *addr, bool first);
void listener_close(struct listener *l);

/* Send @len bytes at @p, sealed or with a guard; 0: nothing. */
void send_datagram(const struct route *r, const void *p, u32 len);

/**
 * send_reply() - send fragments of a slot's kept reply
 * @s: session, locked
 * @slot: index
 * @cells: which fragments
 * @data: the reply's bytes
 * @r: where to
 *
 * What cannot be sent is counted and left to the client's retransmission.
 */
void send_reply(struct session *s, u16 slot, u64 cells, const u8 *data, const struct route *r);

#define REPLIES_MAX	8
#define REPLIES_LEN	256	/* bytes of a short one, head and all */

/**
 * struct replies - short replies that are to leave together, as one super-packet
 * @route: where to
 * @n: how many
 * @len: bytes of each
 * @bytes: @n of them, sealed or with guards
 *
 * Copies: what they were made of may change.
 */
struct replies {
	struct route route;
	u32 n;
	u32 len;
	u8 bytes[REPLIES_MAX * REPLIES_LEN] __attribute__((aligned(8)));
};

/**
 * send_reply_later() - a slot's kept reply, of one fragment, leaves with others
 * @rs: the worker's; what does not go with this one is sent at once
 * @s, @slot, @data, @r: as of send_reply(), at most REPLIES_LEN bytes with the head
 *
 * Sooner or later replies_send() must come.
 */
void send_reply_later(struct replies *rs, struct session *s, u16 slot, const u8 *data,
		      const struct route *r);

/* Send what is in @rs, if there is anything. */
void replies_send(struct replies *rs);

#endif /* EBPFSD_SEND_H */
