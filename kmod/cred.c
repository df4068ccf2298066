// SPDX-License-Identifier: GPL-2.0
/*
 * Who acts: the user and the groups that a call is made with.
 *
 * They travel once per session, under a number (CRED), and then each call
 * names the number. Nobody keeps account of what a server knows: one that does
 * not know a number says so (EBPFS_STATUS_CRED). The calls concerned then wait
 * at their user while it is told, and are made anew. That costs one round trip
 * per user and session.
 *
 * A struct ebpfs_user stays in its mount's table while nobody uses it, so that
 * its number lasts; a full table throws out what is unused. Number 0 (NULL
 * here) is the superuser with group 0.
 *
 * Locking: mnt->users_lock, inside a node's lock, nothing inside it.
 */
#include <linux/cred.h>
#include <linux/hash.h>
#include <linux/slab.h>
#include <linux/uidgid.h>

#include "engine.h"

#define EBPFS_USERS_MAX	1024	/* in a mount's table, but for those in use */

/**
 * struct ebpfs_user - who acts
 * @link: in mnt->users, by uid and gid
 * @number: on the wire
 * @refs: of calls and files; under users_lock
 * @groups: supplementary ones
 * @telling: @tell is under way; under users_lock
 * @tell: the CRED call
 * @waiting: calls that wait for it; under users_lock
 * @len: bytes of @cred
 * @cred: as told
 */
struct ebpfs_user {
	struct hlist_node link;
	u32 number;
	u32 refs;
	struct group_info *groups;
	bool telling;
	struct ebpfs_req tell;
	struct list_head waiting;
	u32 len;
	struct ebpfs_cred cred;
	/* groups follow, as told */
};

void ebpfs_users_init(struct ebpfs_mount *mnt)
{
	hash_init(mnt->users);
	spin_lock_init(&mnt->users_lock);
	mnt->next_user = 1;
}

static void ebpfs_user_free(struct ebpfs_user *user)
{
	put_group_info(user->groups);
	kvfree(user);
}

/* No call of the mount is left. */
void ebpfs_users_destroy(struct ebpfs_mount *mnt)
{
	struct ebpfs_user *user;
	struct hlist_node *tmp;
	unsigned int i;

	hash_for_each_safe(mnt->users, i, tmp, user, link) {
		WARN_ON_ONCE(user->refs);
		hash_del(&user->link);
		ebpfs_user_free(user);
	}
}

static bool ebpfs_same_groups(const struct group_info *a, const struct group_info *b)
{
	return a == b || (a->ngroups == b->ngroups &&
			  !memcmp(a->gid, b->gid, a->ngroups * sizeof(a->gid[0])));
}

static struct ebpfs_user *ebpfs_user_find(struct ebpfs_mount *mnt, u32 uid, u32 gid,
					  const struct group_info *groups)
{
	struct ebpfs_user *user;

	hash_for_each_possible(mnt->users, user, link, hash_32(uid ^ gid << 16, 32))
		if (le32_to_cpu(user->cred.uid) == uid && le32_to_cpu(user->cred.gid) == gid &&
		    ebpfs_same_groups(user->groups, groups))
			return user;
	return NULL;
}

static struct ebpfs_user *ebpfs_user_new(u32 uid, u32 gid, struct group_info *groups)
{
	u32 i, len = sizeof(struct ebpfs_cred) + groups->ngroups * sizeof(__le32);
	struct ebpfs_user *user;
	__le32 *list;

	if (groups->ngroups > EBPFS_GROUPS_MAX)
		return ERR_PTR(-EOVERFLOW);
	user = kvzalloc(sizeof(*user) + groups->ngroups * sizeof(__le32), GFP_KERNEL);
	if (!user)
		return ERR_PTR(-ENOMEM);
	INIT_LIST_HEAD(&user->waiting);
	user->groups = get_group_info(groups);
	user->cred.uid = cpu_to_le32(uid);
	user->cred.gid = cpu_to_le32(gid);
	user->cred.ngroups = cpu_to_le32(groups->ngroups);
	list = (__le32 *)(&user->cred + 1);
	for (i = 0; i < groups->ngroups; i++)
		list[i] = cpu_to_le32(from_kgid(&init_user_ns, groups->gid[i]));
	user->len = len;
	return user;
}

/* The table is full: one that nobody uses goes. users_lock held. */
static struct ebpfs_user *ebpfs_user_evict(struct ebpfs_mount *mnt)
{
	struct ebpfs_user *user;
	unsigned int i, count = 0;

	hash_for_each(mnt->users, i, user, link)
		count++;
	if (count < EBPFS_USERS_MAX)
		return NULL;
	hash_for_each(mnt->users, i, user, link) {
		if (!user->refs) {
			hash_del(&user->link);
			return user;
		}
	}
	return NULL;
}

/**
 * ebpfs_user_get() - who a call is made as
 * @mnt: mount
 * @cred: of the task or of the open file
 *
 * Context: process, may sleep.
 * Return: a reference; NULL for the superuser; an error pointer.
 */
struct ebpfs_user *ebpfs_user_get(struct ebpfs_mount *mnt, const struct cred *cred)
{
	u32 uid = from_kuid(&init_user_ns, cred->fsuid);
	u32 gid = from_kgid(&init_user_ns, cred->fsgid);
	struct ebpfs_user *user, *made, *gone = NULL;

	if (!uid && !gid)
		return NULL;
	spin_lock_bh(&mnt->users_lock);
	user = ebpfs_user_find(mnt, uid, gid, cred->group_info);
	if (user)
		user->refs++;
	spin_unlock_bh(&mnt->users_lock);
	if (user)
		return user;

	made = ebpfs_user_new(uid, gid, cred->group_info);
	if (IS_ERR(made))
		return made;
	spin_lock_bh(&mnt->users_lock);
	user = ebpfs_user_find(mnt, uid, gid, cred->group_info);
	if (!user) {
		gone = ebpfs_user_evict(mnt);
		made->number = mnt->next_user++;
		hash_add(mnt->users, &made->link, hash_32(uid ^ gid << 16, 32));
		user = made;
		made = NULL;
	}
	user->refs++;
	spin_unlock_bh(&mnt->users_lock);
	if (made)
		ebpfs_user_free(made);
	if (gone)
		ebpfs_user_free(gone);
	return user;
}

/* Another reference. @user: may be NULL. Any context but hard interrupt. */
struct ebpfs_user *ebpfs_user_ref(struct ebpfs_mount *mnt, struct ebpfs_user *user)
{
	if (!user)
		return NULL;
	spin_lock_bh(&mnt->users_lock);
	user->refs++;
	spin_unlock_bh(&mnt->users_lock);
	return user;
}

/* @user: may be NULL. Any context but hard interrupt. */
void ebpfs_user_put(struct ebpfs_mount *mnt, struct ebpfs_user *user)
{
	if (!user)
		return;
	spin_lock_bh(&mnt->users_lock);
	user->refs--;
	spin_unlock_bh(&mnt->users_lock);
}

/* The number of whom has been here before. Any context but hard interrupt. */
bool ebpfs_user_known(struct ebpfs_mount *mnt, const struct cred *cred, u32 *number)
{
	u32 uid = from_kuid(&init_user_ns, cred->fsuid);
	u32 gid = from_kgid(&init_user_ns, cred->fsgid);
	const struct ebpfs_user *user;

	*number = 0;
	if (!uid && !gid)
		return true;
	spin_lock_bh(&mnt->users_lock);
	user = ebpfs_user_find(mnt, uid, gid, cred->group_info);
	if (user)
		*number = user->number;
	spin_unlock_bh(&mnt->users_lock);
	return user;
}

u32 ebpfs_user_number(const struct ebpfs_user *user)
{
	return user ? user->number : 0;
}

/* A server was told, or cannot be. Softirq or process context. */
static void ebpfs_user_told(struct ebpfs_req *tell, int err)
{
	struct ebpfs_user *user = container_of(tell, struct ebpfs_user, tell);
	struct ebpfs_mount *mnt = tell->mnt;
	struct ebpfs_req *req, *tmp;
	LIST_HEAD(waiting);

	spin_lock_bh(&mnt->users_lock);
	list_splice_init(&user->waiting, &waiting);
	list_for_each_entry(req, &waiting, link)
		WRITE_ONCE(req->state, EBPFS_REQ_TRANSIT);
	user->telling = false;
	user->refs--;
	spin_unlock_bh(&mnt->users_lock);
	list_for_each_entry_safe(req, tmp, &waiting, link) {
		list_del_init(&req->link);
		ebpfs_req_again(req, err);
	}
}

/**
 * ebpfs_user_unknown() - a server does not know a call's user
 * @req: the call, answered so; its node's lock held
 *
 * Return: true if the caller has to start user->tell with ebpfs_user_tell().
 */
bool ebpfs_user_unknown(struct ebpfs_req *req)
{
	struct ebpfs_user *user = req->user;
	bool tell;

	spin_lock(&req->mnt->users_lock);
	WRITE_ONCE(req->state, EBPFS_REQ_USER);
	list_add_tail(&req->link, &user->waiting);
	tell = !user->telling;
	if (tell) {
		user->telling = true;
		user->refs++;
	}
	spin_unlock(&req->mnt->users_lock);
	return tell;
}

/* Tell the server that keeps files of @hash of @user. No lock held. */
void ebpfs_user_tell(struct ebpfs_mount *mnt, struct ebpfs_user *user, u64 hash)
{
	struct ebpfs_req *tell = &user->tell;

	memset(tell, 0, sizeof(*tell));
	ebpfs_req_prepare(tell, mnt);
	tell->hash = hash;
	tell->op = EBPFS_OP_CRED;
	tell->ahead = true;
	tell->arg = user->number;
	tell->data = &user->cred;
	tell->data_len = user->len;
	tell->done = ebpfs_user_told;
	ebpfs_req_submit(tell);
}

/* A call that may wait at its user is to end; its node's lock held. Return: true
 * if it waited, and is the caller's now.
 */
bool ebpfs_user_leave(struct ebpfs_req *req)
{
	bool waited;

	spin_lock(&req->mnt->users_lock);
	waited = req->state == EBPFS_REQ_USER;
	if (waited)
		list_del_init(&req->link);
	spin_unlock(&req->mnt->users_lock);
	return waited;
}
