// SPDX-License-Identifier: GPL-2.0
/*
 * Users and threads that act as users; see cred.h.
 *
 * Leaving fsuid 0 takes the capabilities over files out of the effective set, and
 * coming back puts them in again (capabilities(7)); all the daemon has to do is to
 * change fsuid last on the way there and first on the way back. setfsuid(2) tells
 * no errors, so each change is read back.
 */
#include <linux/capability.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/fsuid.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/wire.h"
#include "cred.h"
#include "export.h"
#include "idmap.h"
#include "log.h"
#include "stats.h"

#ifndef SYS_setgroups32
#define SYS_setgroups32	SYS_setgroups
#endif

/* An entry of a session's table. */
struct cred {
	u32 number;
	struct user *user;
	struct cred *next;	/* in the bucket */
	struct cred *newer;
	struct cred *older;
};

/* What this thread was before it was anybody else, and whose groups it has: they
 * stay when it returns, where they mean nothing. */
static __thread struct {
	bool known;
	bool acts;		/* its ids are another's */
	u32 uid;
	u32 gid;
	u64 groups;		/* serial of their user, 0 for none */
} self;

/* The thread's capabilities before cred_raise(). */
static __thread struct {
	bool is;
	struct __user_cap_data_struct before[_LINUX_CAPABILITY_U32S_3];
} raised;

static int capabilities(long call, struct __user_cap_data_struct *caps)
{
	/* This thread's. */
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };

	return (int)syscall(call, &head, caps);
}

struct user *user_new(u32 uid, u32 gid, const __le32 *groups, u32 ngroups)
{
	static u64 serials;
	struct user *u = malloc(sizeof(*u) + ngroups * sizeof(u->groups[0]));
	u32 i;

	if (!u)
		return NULL;
	u->serial = __atomic_add_fetch(&serials, 1, __ATOMIC_RELAXED);
	u->refs = 1;
	u->uid = uid;
	u->gid = gid;
	u->ngroups = ngroups;
	for (i = 0; i < ngroups; i++)
		u->groups[i] = le32_to_cpu(groups[i]);
	return u;
}

void user_put(struct user *u)
{
	if (u && !__atomic_sub_fetch(&u->refs, 1, __ATOMIC_ACQ_REL))
		free(u);
}

static struct cred **bucket_of(struct creds *creds, u32 number)
{
	return &creds->buckets[number % CREDS_BUCKETS];
}

static void list_out(struct creds *creds, struct cred *c)
{
	*(c->newer ? &c->newer->older : &creds->newest) = c->older;
	*(c->older ? &c->older->newer : &creds->oldest) = c->newer;
}

static void list_in(struct creds *creds, struct cred *c)
{
	c->newer = NULL;
	c->older = creds->newest;
	*(creds->newest ? &creds->newest->newer : &creds->oldest) = c;
	creds->newest = c;
}

static u32 creds_max = 1024;

void creds_limit(u32 max)
{
	creds_max = max;
}

static struct cred *find(struct creds *creds, u32 number)
{
	struct cred *c = *bucket_of(creds, number);

	while (c && c->number != number)
		c = c->next;
	return c;
}

static void drop(struct creds *creds, struct cred *c)
{
	/* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): see creds_store() */
	struct cred **p = bucket_of(creds, c->number);

	while (*p != c)
		p = &(*p)->next;
	*p = c->next;
	list_out(creds, c);
	creds->count--;
	creds->bytes -= c->user->ngroups * sizeof(gid_t);
	user_put(c->user);
	free(c);
}

void creds_forget(struct creds *creds)
{
	while (creds->oldest)
		drop(creds, creds->oldest);
}

struct user *creds_find(struct creds *creds, u32 number)
{
	struct cred *c = find(creds, number);

	if (!c)
		return NULL;
	if (c->newer) {
		list_out(creds, c);
		list_in(creds, c);
	}
	return user_get(c->user);
}

/* From the clients' groups to ours; those that are not listed are left out. */
static struct user *map_groups(const struct export *e, struct user *u)
{
	struct user *less;
	u32 i, n = 0;

	if (!idmap_in(e->idmap, IDMAP_GROUP, u->gid, &u->gid))
		u->gid = e->anonymous->gid;
	for (i = 0; i < u->ngroups; i++)
		n += idmap_in(e->idmap, IDMAP_GROUP, u->groups[i], &u->groups[n]);
	u->ngroups = n;
	/* What is not counted must not be kept. */
	less = realloc(u, sizeof(*u) + n * sizeof(u->groups[0]));
	return less ? less : u;
}

struct user *user_here(const struct export *e, u32 uid, u32 gid, const __le32 *groups,
		       u32 ngroups)
{
	struct user *u;
	u32 i;

	if (e->squash == SQUASH_ALL || !idmap_in(e->idmap, IDMAP_USER, uid, &uid))
		return user_get(e->anonymous);
	u = user_new(uid, gid, groups, ngroups);
	if (u && e->idmap)
		u = map_groups(e, u);
	if (!u || e->squash == SQUASH_NONE)
		return u;
	/* root's group is as good as root for much of a system. */
	if (!u->uid)
		u->uid = e->anonymous->uid;
	if (!u->gid)
		u->gid = e->anonymous->gid;
	for (i = 0; i < u->ngroups; i++)
		if (!u->groups[i])
			u->groups[i] = e->anonymous->gid;
	return u;
}

int creds_store(struct creds *creds, const struct export *e, u32 number, const u8 *data, u32 len)
{
	struct ebpfs_cred head;
	const __le32 *groups;
	u32 uid, gid, ngroups, i;
	struct cred *c, *old;
	struct user *u;

	if (ebpfs_parse_cred(data, len))
		return -EINVAL;
	memcpy(&head, data, sizeof(head));
	groups = (const __le32 *)(data + sizeof(head));
	uid = le32_to_cpu(head.uid);
	gid = le32_to_cpu(head.gid);
	ngroups = le32_to_cpu(head.ngroups);
	/* The number that the kernel's calls take for "none". */
	if (uid == ~0u || gid == ~0u)
		return -EINVAL;
	for (i = 0; i < ngroups; i++)
		if (groups[i] == ~0u)
			return -EINVAL;
	u = user_here(e, uid, gid, groups, ngroups);
	c = u ? malloc(sizeof(*c)) : NULL;
	if (!c) {
		user_put(u);
		return -ENOMEM;
	}
	old = find(creds, number);
	if (old)
		drop(creds, old);
	c->number = number;
	c->user = u;
	c->next = *bucket_of(creds, number);
	*bucket_of(creds, number) = c;
	list_in(creds, c);
	creds->count++;
	creds->bytes += u->ngroups * sizeof(gid_t);
	/* There are as many in the list as were counted, which the analyzer does not know. */
	while (creds->count > creds_max ||
	       (creds->bytes > CREDS_BYTES && creds->oldest != creds->newest)) {
		drop(creds, creds->oldest);	/* NOLINT(clang-analyzer-unix.Malloc) */
		stats_inc(users_forgotten);
	}
	return 0;
}

/* Is this thread @uid and @gid to the filesystem? An invalid number changes nothing,
 * and the answer is what there was before. */
static bool is(u32 uid, u32 gid)
{
	return (u32)setfsuid(~0u) == uid && (u32)setfsgid(~0u) == gid;
}

int cred_become(const struct user *u)
{
	u64 groups;

	if (!u)
		return 0;
	if (raised.is && u->uid) {
		log_error("a thread is to act as user %u with capabilities of root: ebpfsd ends",
			  u->uid);
		abort();
	}
	if (!self.known) {
		self.uid = (u32)setfsuid(~0u);
		self.gid = (u32)setfsgid(~0u);
		self.known = true;
	}
	groups = u->ngroups ? u->serial : 0;
	if (self.groups != groups) {
		if (syscall(SYS_setgroups32, (size_t)u->ngroups, u->groups)) {
			int err = errno == ENOMEM ? EAGAIN : EPERM;

			log_warning_limited("acting as user %u failed: its %u groups cannot be "
					    "set: %m", u->uid, u->ngroups);
			return -err;
		}
		self.groups = groups;
	}
	/* Nothing to change, above all not for root. */
	if (u->uid == self.uid && u->gid == self.gid)
		return 0;
	self.acts = true;
	setfsgid(u->gid);
	setfsuid(u->uid);
	if (is(u->uid, u->gid))
		return 0;
	cred_return(u);
	log_warning_limited("acting as user %u failed: not permitted, or no memory", u->uid);
	return -EPERM;
}

void cred_return(const struct user *u)
{
	int err = errno;

	if (!u || !self.acts)
		return;
	self.acts = false;
	setfsuid(self.uid);
	setfsgid(self.gid);
	if (!is(self.uid, self.gid)) {
		log_error("a thread that acted as user %u cannot become itself again: ebpfsd ends, "
			  "lest it serve others as that user", u->uid);
		abort();
	}
	errno = err;
}

int cred_raise(const struct user *u, int cap)
{
	struct __user_cap_data_struct caps[_LINUX_CAPABILITY_U32S_3];

	if (cap == CRED_NO_CAP)
		return 0;
	if ((u && u->uid) || raised.is || capabilities(SYS_capget, raised.before))
		return -EPERM;
	memcpy(caps, raised.before, sizeof(caps));
	caps[CAP_TO_INDEX(cap)].effective |= CAP_TO_MASK(cap);
	if (capabilities(SYS_capset, caps)) {
		int err = errno == ENOMEM ? EAGAIN : EPERM;

		log_warning_limited("capability %d cannot be had: %m (attributes of root cannot be "
				    "served)", cap);
		return -err;
	}
	raised.is = true;
	return 0;
}

void cred_lower(void)
{
	int err = errno;

	if (!raised.is)
		return;
	if (capabilities(SYS_capset, raised.before)) {
		log_error("a thread cannot give up a capability again: %m: ebpfsd ends, lest it "
			  "serve others with it");
		abort();
	}
	raised.is = false;
	errno = err;
}

void cred_own_umask(void)
{
	if (!unshare(CLONE_FS))
		return;
	log_error("a thread cannot have a umask of its own: %m (unshare(2) is forbidden?)");
	abort();
}
