/* SPDX-License-Identifier: GPL-2.0 */
/*
 * How many datagrams of strangers are passed up: so many in a second from one source, and so
 * many from all.
 *
 * Both are token buckets, each in one word: the time at which the bucket would be full
 * again, if nothing else came (the generic cell rate algorithm). A datagram takes one token,
 * which puts it off by an interval; if it is off by more than a second, the bucket is empty.
 * Sources are IPv4 addresses and the upper halves of IPv6 addresses; they share buckets by a
 * hash that nobody else knows, so that memory is bounded and nobody can choose whose bucket
 * he empties.
 *
 * Two processors that take from one bucket at a time may take one token together: then a
 * datagram too many is let pass.
 */
#ifndef EBPFS_BPF_RATE_H
#define EBPFS_BPF_RATE_H

#include <bpf/bpf_helpers.h>
#include <ebpfs/steer.h>

#define EBPFS_RATE_BITS		12
#define EBPFS_RATE_ALL		(1u << EBPFS_RATE_BITS)	/* behind those of sources */
#define EBPFS_RATE_DEPTH	1000000000ull	/* ns: tokens of one second */

/* Set by the loader: ns for a datagram, 0: no limit; and random numbers. */
const volatile __u64 ebpfs_rate_source = 0;
const volatile __u64 ebpfs_rate_all = 0;
const volatile __u64 ebpfs_rate_random[2] = { 1, 1 };

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, EBPFS_RATE_ALL + 1);
	__type(key, __u32);
	__type(value, __u64);
} ebpfs_rates SEC(".maps");

/* Is there a token? Then it is taken. */
static __always_inline bool ebpfs_rate_take(__u32 index, __u64 now, __u64 interval)
{
	__u64 *full, old, from;

	if (!interval)
		return true;
	full = bpf_map_lookup_elem(&ebpfs_rates, &index);
	if (!full)
		return true;
	old = *(volatile __u64 *)full;
	from = old > now ? old : now;
	if (from - now + interval > EBPFS_RATE_DEPTH)
		return false;
	__sync_val_compare_and_swap(full, old, from + interval);
	return true;
}

/**
 * ebpfs_rate_pass() - may a stranger's datagram pass?
 * @ctx: of the program
 * @l3_off: of the IP header
 * @load: as for ebpfs_look_at()
 */
static __always_inline bool ebpfs_rate_pass(void *ctx, __u32 l3_off,
					    long (*load)(void *ctx, __u32 off, void *to, __u32 len))
{
	__u64 now = bpf_ktime_get_ns(), key = 0;
	__u8 version;

	if (load(ctx, l3_off, &version, sizeof(version)))
		return true;
	if (version >> 4 == 4) {
		if (load(ctx, l3_off + offsetof(struct iphdr, saddr), &key, sizeof(__be32)))
			return true;
	} else if (load(ctx, l3_off + offsetof(struct ipv6hdr, saddr), &key, sizeof(key))) {
		return true;
	}
	key = (key ^ ebpfs_rate_random[0]) * (ebpfs_rate_random[1] | 1);
	return ebpfs_rate_take(key >> (64 - EBPFS_RATE_BITS), now, ebpfs_rate_source) &&
	       ebpfs_rate_take(EBPFS_RATE_ALL, now, ebpfs_rate_all);
}

#endif /* EBPFS_BPF_RATE_H */
