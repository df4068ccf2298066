/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The maps of the steering programs, and what writes into them.
 *
 * Statistics lie in a plain array with one row per CPU, because a per-CPU map
 * cannot be mapped into user space and reading it costs a system call. A row
 * is written by its CPU only: both programs run in softirq (or with softirqs
 * off, in a test run), which does not nest, so no atomic is needed. Readers may
 * see a row between two increments. The loader sets the number of entries to
 * the number of possible CPUs before it loads the object, and pins the map
 * beside the link, so that counters survive an update of the programs.
 */
#ifndef EBPFS_BPF_MAPS_H
#define EBPFS_BPF_MAPS_H

#include <bpf/bpf_helpers.h>
#include <ebpfs/steer.h>

_Static_assert(!(EBPFS_STEER_VERDICTS & (EBPFS_STEER_VERDICTS - 1)), "used as a mask");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct ebpfs_steer_row);
} ebpfs_stats SEC(".maps");

/**
 * ebpfs_count() - note what became of a packet
 * @verdict: enum ebpfs_steer_verdict, or what the kfunc returned if it is negative
 * @bytes: that were filled
 *
 * Return: true if the packet was taken or is not wanted, so that the program has to drop it.
 */
static __always_inline bool ebpfs_count(int verdict, __u32 bytes)
{
	__u32 cpu = bpf_get_smp_processor_id();
	struct ebpfs_steer_row *row = bpf_map_lookup_elem(&ebpfs_stats, &cpu);
	__u32 index = verdict;

	_Static_assert((EBPFS_STEER_VERDICTS & (EBPFS_STEER_VERDICTS - 1)) == 0,
		       "the index is masked");
	if (row) {
		if (index < EBPFS_STEER_VERDICTS) {
			/* The compiler may not use the comparison to drop the mask:
			 * the verifier believes the mask only.
			 */
			__u32 i = index;

			asm volatile("" : "+r"(i));
			row->packets[i & (EBPFS_STEER_VERDICTS - 1)]++;
		} else {
			row->errors++;
		}
		row->bytes += bytes;
	}
	return index <= EBPFS_STEER_CORRUPT ||
	       (index >= EBPFS_STEER_DROP_FORM && index < EBPFS_STEER_VERDICTS);
}

#endif /* EBPFS_BPF_MAPS_H */
