/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Counters. One list makes the struct, the names that netlink sends, and so
 * what `ebpfsctl stats` prints. To add one: a line here, an increment there,
 * a line in Documentation/man/ebpfsctl.8.
 *
 * Every node has a per-CPU set; what belongs to no node goes into the module's
 * own. Sums of nodes that are gone are added to the module's (stats.c), so
 * that the totals never fall. Counters are only ever incremented, from any
 * context with preemption or bottom halves on or off (this_cpu operations).
 */
#ifndef EBPFS_STATS_H
#define EBPFS_STATS_H

#include <linux/percpu.h>
#include <linux/types.h>

#define EBPFS_STATS(X)							\
	/* bytes of reply that were verified, by the way they came in */	\
	X(fill_bytes_xdp)						\
	X(fill_bytes_tc)						\
	X(fill_bytes_plain)						\
	/* fragments that were verified */				\
	X(fill_fragments)						\
	/* fragments that changed nothing, and why */			\
	X(drop_stale)							\
	X(drop_duplicate)						\
	X(drop_instance)						\
	X(drop_grid)							\
	X(drop_range)							\
	X(drop_cancelled)						\
	X(drop_crc)							\
	X(drop_session)							\
	X(drop_address)							\
	X(drop_malformed)						\
	/* no guard in a session with keys, or the reverse */		\
	X(drop_unguarded)						\
	/* a key that is not known, a wrong tag, a number that was seen */	\
	X(drop_key)							\
	X(drop_tag)							\
	X(drop_replay)							\
	/* with a guard, and no memory to open it */			\
	X(drop_memory)							\
	/* messages of AES-GCM made or opened without vector registers */	\
	X(aes_soft)							\
	/* calls */							\
	X(calls)							\
	X(calls_resent)							\
	X(calls_failed)							\
	X(calls_moved)							\
	X(calls_timed_out)						\
	/* super-packets of data that were sent again */		\
	X(data_resent)							\
	X(datagrams_sent)						\
	X(send_errors)							\
	/* sessions */							\
	X(handshakes)							\
	X(handshakes_failed)						\
	X(sessions)							\
	X(session_unknown)						\
	X(rekeys)							\
	X(node_lost)							\
	X(probes)							\
	X(probe_acks)							\
	/* leases taken back, and times that all that was held was lost */	\
	X(recalls)							\
	X(holds_lost)							\
	/* reads of the page cache */					\
	X(read_units)							\
	X(read_bytes)							\
	X(read_short)							\
	/* changed pages: WRITEs, their bytes, passes written again after a restart */ \
	X(write_units)							\
	X(write_bytes)							\
	X(write_again)							\
	/* as a server: calls answered from the page cache, and their bytes */	\
	X(serve_calls)							\
	X(serve_bytes)

#define EBPFS_STAT_MEMBER(name) u64 name;
struct ebpfs_stats {
	EBPFS_STATS(EBPFS_STAT_MEMBER)
};

#define EBPFS_STAT_COUNT	(sizeof(struct ebpfs_stats) / sizeof(u64))

#define ebpfs_stat_add(stats, name, n)	this_cpu_add((stats)->name, (n))
#define ebpfs_stat_inc(stats, name)	this_cpu_inc((stats)->name)

/* The module's own set: what belongs to no node, and nodes that are gone. */
extern struct ebpfs_stats __percpu *ebpfs_global_stats;

int ebpfs_stats_init(void);
void ebpfs_stats_exit(void);

/* Adds the sums over all CPUs of @stats to @sum. */
void ebpfs_stats_sum(struct ebpfs_stats *sum, const struct ebpfs_stats __percpu *stats);

/* Hands the counts of a set that will be freed to the module's. Process context. */
void ebpfs_stats_retire(const struct ebpfs_stats __percpu *stats);

/* Name of the i-th member. */
extern const char *const ebpfs_stat_names[EBPFS_STAT_COUNT];

#endif /* EBPFS_STATS_H */
