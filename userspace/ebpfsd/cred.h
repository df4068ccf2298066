/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Who acts: the users that a session has told of, and threads that act as one.
 *
 * What a user may do is the kernel's to judge. A thread that acts for a user has
 * the user's fsuid, fsgid and supplementary groups, and thereby none of the
 * capabilities over files; only then does it call the kernel. Identities belong
 * to threads: the C library's setgroups() would change all of them.
 *
 * Leaving fsuid 0 does not take other capabilities. So none other is in effect, in any
 * thread, but in between cred_raise() and cred_lower(), for root.
 *
 * A struct user never changes once it exists and is reference counted. A session's
 * table of them is under the session's lock.
 */
#ifndef EBPFSD_CRED_H
#define EBPFSD_CRED_H

#include <sys/types.h>

#include "core/platform.h"

struct export;

#define CREDS_BYTES	(1u << 20)	/* of their groups */
#define CREDS_BUCKETS	64

/**
 * struct user - whom the kernel is to judge
 * @serial: of no other user since the start; not 0
 * @refs: atomic
 * @uid: fsuid
 * @gid: fsgid
 * @ngroups: supplementary groups
 * @groups: of them
 */
struct user {
	u64 serial;
	u32 refs;
	u32 uid;
	u32 gid;
	u32 ngroups;
	gid_t groups[];
};

/* A user with one reference, or NULL without memory; @ngroups groups in wire order. */
struct user *user_new(u32 uid, u32 gid, const __le32 *groups, u32 ngroups);
void user_put(struct user *u);

static inline struct user *user_get(struct user *u)
{
	if (u)
		__atomic_add_fetch(&u->refs, 1, __ATOMIC_RELAXED);
	return u;
}

/* Whom a client's @uid, @gid and @groups are in @e, mapped and squashed; as user_new(). */
struct user *user_here(const struct export *e, u32 uid, u32 gid, const __le32 *groups,
		       u32 ngroups);

/* Most users that a session may tell of; those that were not used for longest are forgotten.
 * Before there are threads. */
void creds_limit(u32 max);

struct cred;

/**
 * struct creds - the users of a session by number; all zero when empty
 * @buckets: hash table
 * @newest: list by time of use
 * @oldest: its end
 * @count: entries
 * @bytes: of groups in them
 */
struct creds {
	struct cred *buckets[CREDS_BUCKETS];
	struct cred *newest;
	struct cred *oldest;
	u32 count;
	u32 bytes;
};

/**
 * creds_store() - CRED: a session tells of a user
 * @creds: of the session
 * @e: its export, which may squash the user
 * @number: the client's number for it
 * @data: of the call
 * @len: bytes of them
 *
 * May forget those that were not used for longest.
 * Return: 0, -EINVAL for data that no user has, or -ENOMEM.
 */
int creds_store(struct creds *creds, const struct export *e, u32 number, const u8 *data, u32 len);

/* The user called @number, with a reference; NULL if not known. */
struct user *creds_find(struct creds *creds, u32 number);
void creds_forget(struct creds *creds);

/**
 * cred_become() - this thread is @u from now on
 * @u: NULL: nothing changes, the thread is itself
 *
 * Return: 0; or -errno, and it is itself as before. Then cred_return() must follow
 * soon: only what is to be judged happens in between.
 */
int cred_become(const struct user *u);

/* This thread is itself again. If that fails, the daemon ends at once: it would do
 * for one user what another may. errno is kept. */
void cred_return(const struct user *u);

#define CRED_NO_CAP	(-1)

/**
 * cred_raise() - a capability beyond those over files comes into effect
 * @u: who is going to act; only who acts as root gets it
 * @cap: CAP_*, one that privileges_drop() left permitted; CRED_NO_CAP: nothing to be done
 *
 * For system calls that need it and are made for @u, before or after cred_become().
 * Return: 0, and cred_lower() must follow soon, with nobody else acting in between; or
 * -errno, and nothing has changed.
 */
int cred_raise(const struct user *u, int cap);

/* It is gone again. If that fails, the daemon ends at once. errno is kept. */
void cred_lower(void);

/* For each thread that makes files, once: a umask of its own. */
void cred_own_umask(void);

#endif /* EBPFSD_CRED_H */
