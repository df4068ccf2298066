// SPDX-License-Identifier: GPL-2.0
/*
 * Who may: the server's kernel says it, since it knows access control lists, squashed
 * users and mapped ids. GETATTR, LOOKUP, CREATE and TMPFILE tell it of the caller along with
 * the attributes; ACCESS asks for anybody else. What was said is believed as long as
 * attributes are, for a few users per file, and forgotten when mode or owner differ.
 *
 * That is a look ahead only: each call is judged by the server again.
 *
 * Access control lists themselves are not cached; the kernel keeps none of ours
 * (ACL_DONT_CACHE). Default lists and the umask are applied by the server.
 */
#include <linux/cred.h>
#include <linux/fs.h>
#include <linux/posix_acl.h>
#include <linux/posix_acl_xattr.h>
#include <linux/slab.h>
#include <linux/xattr.h>

#include "fs.h"

#define EBPFS_MAY_ALL	(EBPFS_MAY_EXEC | EBPFS_MAY_WRITE | EBPFS_MAY_READ)

/**
 * ebpfs_may_told() - the server said what a user may do
 * @inode: file
 * @user: number
 * @bits: EBPFS_MAY_*; without EBPFS_MAY_KNOWN nothing was said
 * @asked: ns when the request left
 */
void ebpfs_may_told(struct inode *inode, u32 user, u32 bits, u64 asked)
{
	struct ebpfs_inode *ei = EBPFS_I(inode);
	unsigned int i;

	if (!(bits & EBPFS_MAY_KNOWN))
		return;
	spin_lock_bh(&ei->attr_lock);
	for (i = 0; i < EBPFS_MAY_USERS - 1; i++)
		if (ei->may[i].user == user && ei->may[i].bits)
			break;
	memmove(&ei->may[1], &ei->may[0], i * sizeof(ei->may[0]));
	ei->may[0].asked = asked;
	ei->may[0].user = user;
	ei->may[0].bits = bits;
	spin_unlock_bh(&ei->attr_lock);
}

/* Permissions may have changed. Any context but hard interrupt. */
void ebpfs_may_forget(struct inode *inode)
{
	struct ebpfs_inode *ei = EBPFS_I(inode);

	spin_lock_bh(&ei->attr_lock);
	memset(ei->may, 0, sizeof(ei->may));
	spin_unlock_bh(&ei->attr_lock);
}

/* What is known and still believed; 0: nothing. */
static u32 ebpfs_may_known(struct inode *inode, u32 user)
{
	const struct ebpfs_sb *sbi = EBPFS_SB(inode->i_sb);
	struct ebpfs_inode *ei = EBPFS_I(inode);
	u64 now = ebpfs_now();
	u32 bits = 0;
	unsigned int i;

	spin_lock_bh(&ei->attr_lock);
	for (i = 0; i < EBPFS_MAY_USERS && !bits; i++)
		if (ei->may[i].user == user && now - ei->may[i].asked < sbi->actimeo &&
		    ei->may[i].asked >= READ_ONCE(sbi->lost_at))
			bits = ei->may[i].bits;
	spin_unlock_bh(&ei->attr_lock);
	return bits;
}

static int ebpfs_may_ask(struct inode *inode, u32 *bits)
{
	u64 asked = ebpfs_now();
	struct ebpfs_access answer;
	struct ebpfs_req req = {
		.op = EBPFS_OP_ACCESS,
		.count = EBPFS_MAY_ALL,
		.limit = sizeof(answer),
		.buf = &answer,
	};
	int err;

	ebpfs_req_prepare(&req, ebpfs_mnt(inode));
	err = ebpfs_call_req(inode, &req);
	if (!err && req.res.total != sizeof(answer))
		err = -EIO;
	if (err)
		return err;
	*bits = (le32_to_cpu(answer.allowed) & EBPFS_MAY_ALL) | EBPFS_MAY_KNOWN;
	ebpfs_may_told(inode, req.acted, *bits, asked);
	return 0;
}

int ebpfs_permission(struct mnt_idmap *idmap, struct inode *inode, int mask)
{
	u32 user, bits = 0, want = 0;
	int err;

	if (mask & MAY_READ)
		want |= EBPFS_MAY_READ;
	if (mask & MAY_WRITE)
		want |= EBPFS_MAY_WRITE;
	if (mask & MAY_EXEC)
		want |= EBPFS_MAY_EXEC;
	if (!want)
		return 0;
	/* What was set here counts, for everybody: the server has to know it first. */
	if (unlikely(READ_ONCE(EBPFS_I(inode)->later))) {
		if (mask & MAY_NOT_BLOCK)
			return -ECHILD;
		err = ebpfs_settle(inode);
		if (err)
			return err;
	}
	if (ebpfs_user_known(ebpfs_mnt(inode), current_cred(), &user))
		bits = ebpfs_may_known(inode, user);
	if (!bits) {
		if (mask & MAY_NOT_BLOCK)
			return -ECHILD;
		err = ebpfs_may_ask(inode, &bits);
		if (err)
			return err;
	}
	return want & ~bits ? -EACCES : 0;
}

static const char *ebpfs_acl_name(int type)
{
	return type == ACL_TYPE_ACCESS ? XATTR_NAME_POSIX_ACL_ACCESS : XATTR_NAME_POSIX_ACL_DEFAULT;
}

struct posix_acl *ebpfs_get_acl(struct mnt_idmap *idmap, struct dentry *dentry, int type)
{
	struct posix_acl *acl = NULL;
	void *value;
	ssize_t n;

	value = kvmalloc(EBPFS_MSG_MAX, GFP_KERNEL);
	if (!value)
		return ERR_PTR(-ENOMEM);
	n = ebpfs_xattr_ask(d_inode(dentry), EBPFS_OP_GETXATTR, ebpfs_acl_name(type), value,
			    EBPFS_MSG_MAX);
	if (n >= 0)
		acl = posix_acl_from_xattr(&init_user_ns, value, n);
	else if (n != -ENODATA)
		acl = ERR_PTR(n);
	kvfree(value);
	return acl;
}

int ebpfs_set_acl(struct mnt_idmap *idmap, struct dentry *dentry, struct posix_acl *acl, int type)
{
	struct inode *inode = d_inode(dentry);
	void *value = NULL;
	size_t size = 0;
	int err;

	if (acl) {
		size = posix_acl_xattr_size(acl->a_count);
		value = kmalloc(size, GFP_KERNEL);
		if (!value)
			return -ENOMEM;
		err = posix_acl_to_xattr(&init_user_ns, acl, value, size);
		if (err < 0) {
			kfree(value);
			return err;
		}
	}
	err = ebpfs_xattr_change(inode, ebpfs_acl_name(type), value, size, 0);
	kfree(value);
	ebpfs_may_forget(inode);
	return err == -ENODATA && !acl ? 0 : err;
}
