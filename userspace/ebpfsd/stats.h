/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Counters of the daemon. Each thread counts in a block of its own (no atomic
 * operation, no shared cache line); stats_print() adds them up.
 *
 * To add one: a line here, and ebpfsd(8), section STATISTICS.
 */
#ifndef EBPFSD_STATS_H
#define EBPFSD_STATS_H

#include <stdio.h>

#include "core/platform.h"

#define EBPFSD_STATS(X)							\
	X(datagrams_in)		/* UDP datagrams received */		\
	X(bytes_in)		/* their bytes of UDP payload */	\
	X(datagrams_out)	/* UDP datagrams sent, segments of GSO counted */ \
	X(bytes_out)							\
	X(calls_ping)		/* executed, by operation */		\
	X(calls_getattr)						\
	X(calls_lookup)							\
	X(calls_readdir)						\
	X(calls_readlink)						\
	X(calls_read)							\
	X(calls_statfs)							\
	X(calls_cred)							\
	X(calls_access)							\
	X(calls_create)							\
	X(calls_tmpfile)						\
	X(calls_remove)							\
	X(calls_rename)							\
	X(calls_link)							\
	X(calls_setattr)						\
	X(calls_write)							\
	X(calls_writeattr)						\
	X(calls_commit)							\
	X(calls_getxattr)						\
	X(calls_listxattr)						\
	X(calls_setxattr)						\
	X(calls_removexattr)						\
	X(calls_fallocate)						\
	X(calls_seek)							\
	X(calls_copy)							\
	X(calls_append)							\
	X(calls_lock)							\
	X(calls_release)						\
	X(calls_failed)		/* answered with an error number */	\
	X(read_bytes)		/* bytes of file data in replies, each once */ \
	X(read_cached)		/* READs answered from the page cache at once */ \
	X(read_waited)		/* READs that waited for the disk in the ring */ \
	X(write_bytes)		/* bytes of file data written */	\
	X(writes_followed)	/* WRITEs whose file was as the one before had left it */ \
	X(copy_bytes)		/* bytes copied from file to file here */ \
	X(flushes)		/* files flushed because nobody committed */ \
	X(data_in)		/* fragments of calls' data taken */	\
	X(data_duplicate)	/* that were there already, or too late */ \
	X(data_refused)		/* that there was no memory for */	\
	X(needs_sent)		/* clients told which ones lack */	\
	X(creds_unknown)	/* calls of users that were not told of */ \
	X(users_forgotten)	/* since a session told of too many */	\
	X(readdirs_again)	/* their directory changed while it was read */ \
	X(deferred)		/* calls handed to a helper thread */	\
	X(resends)		/* kept replies sent again */		\
	X(repeats_running)	/* repetitions of a call in execution */ \
	X(retries)		/* dropped for now, the client asks again */ \
	X(drop_malformed)	/* does not parse */			\
	X(drop_crc)							\
	X(drop_type)		/* a type that a server does not get */	\
	X(drop_session)		/* unknown session */			\
	X(drop_address)		/* not the session's address and port */ \
	X(drop_silent)		/* of an owner that does not answer a RECALL */ \
	X(drop_stale)		/* sequence below the slot's */		\
	X(drop_slot)		/* slot that the session does not have */ \
	X(drop_data)		/* fragments that contradict their call */ \
	X(drop_late)		/* reply nobody waits for any more */	\
	X(drop_mac)		/* BYE without the session's key */	\
	X(drop_unguarded)	/* no guard in a session with keys, or the reverse */ \
	X(drop_key)		/* by a key that is not known (any more) */ \
	X(drop_tag)		/* not authentic */			\
	X(drop_replay)		/* came before */			\
	X(drop_rate)		/* HELLO or AUTH, too many of one source */ \
	X(rekeys)		/* new keys of a session */		\
	X(key_agreements)	/* X25519 computed for a client */	\
	X(bad_handles)		/* without our tag, or of another export */ \
	X(hellos)							\
	X(auths)							\
	X(accepts)							\
	X(rejects)							\
	X(unknowns_sent)						\
	X(probes)							\
	X(sessions_made)						\
	X(sessions_ended)	/* by BYE */				\
	X(sessions_idle)	/* dropped after long silence */	\
	X(sessions_evicted)	/* dropped to make room */		\
	X(sessions_revoked)	/* their client went from the clients file */ \
	X(owners_made)		/* mounts that came */			\
	X(owners_ended)		/* and went, for whatever reason */	\
	X(owners_bye)		/* of these, by BYE */			\
	X(owners_expired)	/* of these, after long silence */	\
	X(locks_granted)	/* LOCKs that got what they asked for */	\
	X(locks_refused)	/* with somebody in the way, or too late */ \
	X(locks_over)		/* refused because of a limit */	\
	X(locks_told)		/* owners told that a lock may be free */ \
	X(locks_dropped)	/* of owners that ended */		\
	X(grace_writes)		/* of the file of owners */		\
	X(opens_granted)	/* files held open from then on */	\
	X(leases_granted)						\
	X(holds_refused)	/* asked for, and not or not wholly granted */ \
	X(releases)		/* files let go of by RELEASE */	\
	X(holds_dropped)	/* of owners that ended */		\
	X(calls_parked)		/* that waited for leases of others */	\
	X(parked_full)		/* too many did, or it was too late: the client asks again */ \
	X(leases_recalled)	/* RECALLs of leases, repetitions counted */ \
	X(recalls_repeated)						\
	X(recalls_answered)						\
	X(owners_fenced)	/* ended since they did not answer a recall */ \
	X(watch_events)		/* of fanotify, about others' changes */ \
	X(watch_recalls)	/* leases recalled because of these */	\
	X(watch_overflows)	/* too many: every lease was recalled */ \
	X(orphans_made)		/* files that outlived their last name */ \
	X(orphans_kept)		/* of these, and directories, by a descriptor only */ \
	X(orphans_lost)		/* that could not be kept */		\
	X(orphans_removed)						\
	X(recalls_sent)		/* RECALLs of leases and locks */	\
	X(replies_forgotten)	/* kept replies freed for the budget */	\
	X(grants)		/* files that the kernel may serve to a user */ \
	X(files_opened)							\
	X(files_closed)							\
	X(gro_receives)		/* receives of more than one datagram */ \
	X(gso_sends)		/* sends of more than one segment */	\
	X(gso_refused)		/* of these, repeated one by one */	\
	X(send_full)		/* socket buffer full for too long */	\
	X(send_too_big)		/* over the local interface's MTU */	\
	X(send_failed)		/* any other error */

struct stats {
#define X(name) u64 name;
	EBPFSD_STATS(X)
#undef X
} __attribute__((aligned(64)));

/* This thread's block; a spare one until stats_thread() was called. */
extern __thread struct stats *stats_mine;

#define stats_add(name, n)						\
	WRITE_ONCE(stats_mine->name, stats_mine->name + (n))
#define stats_inc(name)		stats_add(name, 1)

/* Give the calling thread a block, which lives as long as the process. 0 or -ENOMEM. */
int stats_thread(void);

/* Sum over all threads. Any thread. */
void stats_sum(struct stats *sum);

/**
 * stats_print() - one line of JSON
 * @out: stream, flushed
 * @sessions: that exist now
 * @reply_bytes: of memory that replies take now
 * @data_bytes: of memory that calls' data, and calls that wait for theirs, take now
 * @files: open now
 * @holds: files held by owners now
 * @leases: of these
 * @parked: calls that wait for leases now
 */
void stats_print(FILE *out, u64 sessions, u64 reply_bytes, u64 data_bytes, u64 files,
		 u64 holds, u64 leases, u64 parked);

#endif /* EBPFSD_STATS_H */
