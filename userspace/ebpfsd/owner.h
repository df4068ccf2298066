/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Owners: mounts of clients, to which belongs what is held here (open files, leases:
 * hold.h; locks: lock.h), beyond the end of a session.
 *
 * An owner is made by the AUTH of its first session and lives as long as it is heard
 * of, by any datagram of any of its sessions, and for the lease time after that. It
 * ends sooner when it says BYE in its last session, when its client is revoked, and
 * when somebody finds that it does not keep to the rules (owner_end()). Then it is out
 * of the table at once, so that its next AUTH makes a new one, with another instance.
 * What that takes, a thread of its own does, in this order: its sessions end, so that
 * nothing that it sends late is executed; what it holds is let go of; the last
 * reference frees it. Calls of it that are being executed meanwhile find
 * owner_ended(), asked under the lock of what they are about to take hold of.
 *
 * Two exports of one client's mount do not exist, so an owner has one export, and a
 * client that uses one number for two of them has two owners.
 *
 * The clock is now_ms(), which stands still while this machine sleeps: clients could
 * not be heard then. (A client counts its own sleep: it must stop to believe in what
 * it holds before we do.)
 *
 * Locking: owners.lock guards the tables, struct owner's list of sessions and what
 * says so below. It is a leaf: nothing else is locked, and nothing waited for, under it.
 *
 * Memory: at most as many owners as owners.max, of which one client may have half; who
 * holds nothing and has no session makes room.
 */
#ifndef EBPFSD_OWNER_H
#define EBPFSD_OWNER_H

#include "core/wire.h"

struct clients;
struct export;
struct lock;
struct lock_late;
struct server;
struct session;

#define OWNERS_BUCKETS	1024
#define OWNER_TELL_MAX	16	/* sessions of one owner that RECALL is sent to */

/**
 * struct owner - one mount of one client
 * @owners: the table
 * @refs: atomic; one is the table's, one each session's
 * @id: that the client drew
 * @instance: that we drew, not 0
 * @client: name, NUL terminated
 * @number: of the client's entry in the clients file
 * @export: what it mounted
 * @heard: when a good datagram last came, ms; READ_ONCE/WRITE_ONCE
 * @kept: locks, which must be remembered should this process die (owner_keep()); under
 *	owners.lock
 * @idle: since when @kept is 0, ms; likewise
 * @listed: it is in the file of those who are waited for after a restart; likewise
 * @written: the serial of the last try to write it into the file; likewise (grace.c)
 * @ended: atomic; owner_ended()
 * @why: it ended
 * @first: its sessions, chained by owner_next; under owners.lock
 * @sessions: how many
 * @locks: of it; under locks.lock, as the next three (lock.c)
 * @nlocks: how many
 * @nranges: of bytes in them
 * @late: numbers of those that are no more
 * @holds: what hold.c keeps, under a lock of its own
 */
struct owner {
	struct owners *owners;
	u32 refs;
	u64 id;
	u64 instance;
	char client[EBPFS_CLIENT_MAX];
	u64 number;
	const struct export *export;
	u64 heard;

	u32 kept;
	bool listed;
	bool ended;
	u64 idle;
	u64 written;
	const char *why;
	struct session *first;
	u32 sessions;

	struct lock *locks;
	u32 nlocks;
	u32 nranges;
	struct lock_late *late;

	void *holds;

	struct owner *next_id;		/* under owners.lock, as the next two */
	struct owner *prev;
	struct owner *next;
};

/**
 * struct owners - all of them
 * @lock: see above
 * @wake: somebody ended, or @stop
 * @by_id: hash table, chained by next_id
 * @first: list
 * @count: in the list
 * @max: most of them
 * @ending: that have ended and still hold something, chained by next
 * @lease: ms
 * @stop: the thread is to end
 * @running: the thread exists
 * @thread: that ends owners
 * @srv: whose
 * @drop_holds: holds_drop(): an owner has ended, its sessions too: let go of what it
 *	holds. May wait. Called once for each, by one thread.
 * @drop_locks: locks_drop(), likewise, afterwards
 * @tick: called by owners_tick() (for the grace period); may be NULL
 */
struct owners {
	pthread_mutex_t lock;
	pthread_cond_t wake;
	struct owner *by_id[OWNERS_BUCKETS];
	struct owner *first;
	u32 count;
	u32 max;
	struct owner *ending;
	u64 lease;
	bool stop;
	bool running;
	pthread_t thread;
	struct server *srv;
	void (*drop_holds)(struct server *srv, struct owner *owner);
	void (*drop_locks)(struct server *srv, struct owner *owner);
	void (*tick)(struct server *srv, u64 now);
};

/* @max: of owners; @lease: seconds. */
void owners_init(struct owners *os, struct server *srv, u32 max, u32 lease);
/* Start the thread. 0 or -errno. */
int owners_start(struct owners *os);
/* End it; what is held stays held. @deadline: on CLOCK_REALTIME. True if it ended by then. */
bool owners_stop(struct owners *os, const struct timespec *deadline);
/* What the thread does: end one owner that has to end, false if there is none; and, about
 * every eighth of the lease time, at least once a second, find the silent. */
bool owners_work(struct owners *os);
void owners_tick(struct owners *os, u64 now);

/* No session exists any more. */
void owners_fini(struct owners *os);

/**
 * owner_get() - whose session is this going to be?
 * @os: owners
 * @id: of the mount, see struct ebpfs_ask
 * @client: its name, EBPFS_CLIENT_MAX bytes, NUL terminated
 * @number: of the client's entry in the clients file
 * @export: what it may see
 * @now: ms
 *
 * Return: the owner, there already or new, with a reference; NULL without memory or
 * room: BUSY.
 */
struct owner *owner_get(struct owners *os, u64 id, const char *client, u64 number,
			const struct export *export, u64 now);

static inline struct owner *owner_ref(struct owner *o)
{
	__atomic_add_fetch(&o->refs, 1, __ATOMIC_RELAXED);
	return o;
}

void owner_put(struct owner *o);

/* @s is a session of s->owner (a reference is s's own), or is none any more. */
void owner_enter(struct session *s);
void owner_leave(struct session *s);

/* A good datagram of @o's came. */
static inline void owner_heard(struct owner *o, u64 now)
{
	if (READ_ONCE(o->heard) != now)
		WRITE_ONCE(o->heard, now);
}

/* Has it ended? Whoever is about to give it something asks under the lock that
 * drop_holds() or drop_locks() will take to find what there is. */
static inline bool owner_ended(const struct owner *o)
{
	return __atomic_load_n(&o->ended, __ATOMIC_SEQ_CST);
}

/**
 * owner_end() - the end of an owner
 * @o: owner
 * @why: constant text for the log
 *
 * From any thread, with any lock but owners.lock held: it only tells the thread that
 * does it. When drop_holds() comes its sessions have ended. Return: false if it had
 * ended before.
 */
bool owner_end(struct owner *o, const char *why);

/* Its session said BYE: if it was the last one that is the end. */
void owner_bye(struct owner *o);

/* The kernel does not answer for @o's sessions, until it may again. */
void owner_unlend(struct owner *o);

/**
 * owner_recall() - tell an owner something, in all of its sessions
 * @o: owner
 * @r: what
 *
 * Best effort, not repeated. No session's lock may be held, nor owners.lock.
 * Return: how many sessions were told: 0 if it has none now.
 */
unsigned int owner_recall(struct owner *o, const struct ebpfs_recall_info *r);

/* End the owners of clients that are not in @clients any more as they were. */
void owners_revoke(struct owners *os, struct clients *clients);

/**
 * owner_keep() - @o has one more lock, which it must be able to claim again
 * Writes it down durably if it is the first: may wait, so in helper threads only.
 * Before the client is told of the lock.
 */
void owner_keep(struct owner *o);
/* One less. Does not wait. */
void owner_unkeep(struct owner *o);

/* How many there are. */
u32 owners_count(struct owners *os);

#endif /* EBPFSD_OWNER_H */
