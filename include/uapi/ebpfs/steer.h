/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * Between the steering programs and the module: the kfuncs' arguments and
 * verdicts.
 *
 *	int bpf_ebpfs_steer_xdp(struct xdp_md *ctx,
 *				struct ebpfs_steer_opts *opts, u32 opts__sz);
 *	int bpf_ebpfs_steer_skb(struct __sk_buff *ctx,
 *				struct ebpfs_steer_opts *opts, u32 opts__sz);
 *
 * A program finds the IP header of what looks like a REPLY of ebpfs and calls
 * the kfunc. The kfunc believes nothing of it: it reads the IP, UDP and REPLY
 * heads itself, finds the session by identity, network namespace, addresses
 * and ports, and hands the fragments to claim() and fill(). If it says that
 * the packet was taken, the program must drop the packet (XDP_DROP,
 * TC_ACT_SHOT): every byte of it has been used or judged useless. Else the
 * program must let it pass, and the plain way deals with it. Packets are never
 * changed. bpf_ebpfs_steer_skb works at TC ingress only; a UDP super-packet
 * (GSO) is taken or passed as a whole.
 *
 *	int bpf_ebpfs_port(u32 port);
 *
 * With EBPFS_DOOR_JUDGE the kfuncs also judge what is no REPLY, and goes to a UDP port of
 * ours: bpf_ebpfs_port(), for a port in network order, tells whether to ask. They say
 * EBPFS_STEER_DROP_* only of what our own socket would get and throw away; see "Filter at
 * the door" in Documentation/design.md.
 */
#ifndef _UAPI_EBPFS_STEER_H
#define _UAPI_EBPFS_STEER_H

#ifndef __VMLINUX_H__
#include <linux/types.h>
#endif

/**
 * struct ebpfs_steer_opts - what the program tells and is told
 * @l3_off: in: offset of the IPv4 or IPv6 header from the start of the frame
 * @bytes: out: payload bytes that were filled
 * @fragments: out: datagrams that were judged, more than 1 in a super-packet
 * @flags: in: enum ebpfs_door_flags
 */
struct ebpfs_steer_opts {
	__u32 l3_off;
	__u32 bytes;
	__u32 fragments;
	__u32 flags;
};

/**
 * enum ebpfs_door_flags - how the kfuncs filter
 * @EBPFS_DOOR_JUDGE: they do
 * @EBPFS_DOOR_NAT: also where the network namespace translates addresses, so that a datagram
 *	to a port of ours may be somebody else's
 * @EBPFS_DOOR_GENERIC: the hook is generic XDP, where super-packets do not show that they
 *	are such
 */
enum ebpfs_door_flags {
	EBPFS_DOOR_JUDGE	= 1,
	EBPFS_DOOR_NAT		= 2,
	EBPFS_DOOR_GENERIC	= 4,
	EBPFS_DOOR_FLAGS	= 7
};

/**
 * enum ebpfs_steer_verdict - what the kfunc says; also the index of the counter
 * in the programs' statistics map
 * @EBPFS_STEER_FILLED: taken: at least one fragment was filled
 * @EBPFS_STEER_USELESS: taken: all fragments were late, repeated or of no use
 * @EBPFS_STEER_CORRUPT: taken: nothing filled, at least one checksum was wrong
 * @EBPFS_STEER_PASS_OTHER: pass: not recognised by the program (not IP, not
 *	UDP, other magic, fragmented IP, IP options, IPv6 extension headers)
 * @EBPFS_STEER_PASS_TYPE: pass: an ebpfs datagram, but no REPLY
 * @EBPFS_STEER_PASS_SESSION: pass: no such session here, or other addresses
 * @EBPFS_STEER_PASS_MALFORMED: pass: heads do not parse; the plain way counts it
 * @EBPFS_STEER_PASS_BUSY: pass: cannot be done at this hook
 * @EBPFS_STEER_PASS_STRANGER: pass, unless there are too many: to a server's port, from
 *	somebody without a session, who may begin one
 * @EBPFS_STEER_DROP_FORM: drop: shorter or longer than its type is, or wrong within
 * @EBPFS_STEER_DROP_VERSION: drop: other magic or version
 * @EBPFS_STEER_DROP_TYPE: drop: of a type that this end is never sent
 * @EBPFS_STEER_DROP_PEER: drop: not from the session's other end
 * @EBPFS_STEER_DROP_SESSION: drop: of no session or handshake that a client has
 * @EBPFS_STEER_DROP_REPLAY: drop: its number was seen, or is too old to tell
 * @EBPFS_STEER_DROP_RATE: drop: too many strangers; said by programs only
 *
 * Negative: -EINVAL for wrong @opts (NULL, of another size, other flags) or a hook other
 * than ingress; let it pass.
 */
enum ebpfs_steer_verdict {
	EBPFS_STEER_FILLED		= 0,
	EBPFS_STEER_USELESS		= 1,
	EBPFS_STEER_CORRUPT		= 2,
	EBPFS_STEER_PASS_OTHER		= 3,
	EBPFS_STEER_PASS_TYPE		= 4,
	EBPFS_STEER_PASS_SESSION	= 5,
	EBPFS_STEER_PASS_MALFORMED	= 6,
	EBPFS_STEER_PASS_BUSY		= 7,
	EBPFS_STEER_PASS_STRANGER	= 8,
	EBPFS_STEER_DROP_FORM		= 9,
	EBPFS_STEER_DROP_VERSION	= 10,
	EBPFS_STEER_DROP_TYPE		= 11,
	EBPFS_STEER_DROP_PEER		= 12,
	EBPFS_STEER_DROP_SESSION	= 13,
	EBPFS_STEER_DROP_REPLAY		= 14,
	EBPFS_STEER_DROP_RATE		= 15,
	EBPFS_STEER_VERDICTS		= 16
};

/**
 * struct ebpfs_steer_row - one CPU's row in the programs' statistics map
 * (BPF_MAP_TYPE_ARRAY, BPF_F_MMAPABLE, key: CPU number)
 * @packets: by verdict
 * @bytes: payload bytes filled
 * @errors: kfunc calls that returned a negative number
 * @pad: rows of different CPUs share no cache line
 */
struct ebpfs_steer_row {
	__u64 packets[EBPFS_STEER_VERDICTS];
	__u64 bytes;
	__u64 errors;
	__u64 pad[6];
};

#endif /* _UAPI_EBPFS_STEER_H */
