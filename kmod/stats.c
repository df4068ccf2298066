// SPDX-License-Identifier: GPL-2.0
/* Counters: see stats.h. */
#include <linux/cpumask.h>
#include <linux/errno.h>

#include "stats.h"

struct ebpfs_stats __percpu *ebpfs_global_stats;

#define EBPFS_STAT_NAME(name) #name,
const char *const ebpfs_stat_names[EBPFS_STAT_COUNT] = {
	EBPFS_STATS(EBPFS_STAT_NAME)
};

int ebpfs_stats_init(void)
{
	ebpfs_global_stats = alloc_percpu(struct ebpfs_stats);
	return ebpfs_global_stats ? 0 : -ENOMEM;
}

void ebpfs_stats_exit(void)
{
	free_percpu(ebpfs_global_stats);
}

void ebpfs_stats_sum(struct ebpfs_stats *sum, const struct ebpfs_stats __percpu *stats)
{
	u64 *to = (u64 *)sum;
	unsigned int i;
	int cpu;

	for_each_possible_cpu(cpu) {
		const u64 *from = (const u64 *)per_cpu_ptr(stats, cpu);

		for (i = 0; i < EBPFS_STAT_COUNT; i++)
			to[i] += READ_ONCE(from[i]);
	}
}

void ebpfs_stats_retire(const struct ebpfs_stats __percpu *stats)
{
	struct ebpfs_stats sum = {};
	const u64 *from = (const u64 *)&sum;
	u64 __percpu *to = (u64 __percpu *)ebpfs_global_stats;
	unsigned int i;

	ebpfs_stats_sum(&sum, stats);
	for (i = 0; i < EBPFS_STAT_COUNT; i++)
		this_cpu_add(to[i], from[i]);
}
