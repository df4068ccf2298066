// SPDX-License-Identifier: GPL-2.0
/*
 * Extended attributes: asked for and set at the server, nothing is cached. Which
 * of them there are, and who may see and set them, is for the server's kernel to
 * say; but trusted.* also takes a superuser of this machine, as on any filesystem.
 *
 * Context: process, sleeps, killable.
 */
#include <linux/capability.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/user_namespace.h>
#include <linux/xattr.h>

#include "fs.h"

/**
 * ebpfs_xattr_ask() - an attribute's value, or all names
 * @inode: file
 * @op: GETXATTR or LISTXATTR
 * @name: of the attribute, or NULL
 * @buf: for the answer
 * @size: bytes at @buf; 0: only the size is wanted
 *
 * Return: bytes of the answer, or an error.
 */
ssize_t ebpfs_xattr_ask(struct inode *inode, u16 op, const char *name, void *buf, size_t size)
{
	u32 room = size ? min_t(size_t, size, EBPFS_MSG_MAX) : EBPFS_MSG_MAX;
	void *to = size ? buf : kvmalloc(room, GFP_KERNEL);
	struct ebpfs_req req = {
		.op = op,
		.count = room,
		.limit = room,
		.buf = to,
		.name = name,
		.name_len = name ? strlen(name) : 0,
	};
	int err;

	if (!to)
		return -ENOMEM;
	err = ebpfs_settle_later(inode);
	if (err) {
		if (!size)
			kvfree(to);
		return err;
	}
	ebpfs_req_prepare(&req, ebpfs_mnt(inode));
	err = ebpfs_call_req(inode, &req);
	if (!size)
		kvfree(to);
	/* Not "?:", whose value would be unsigned. */
	if (err)
		return err;
	return req.res.total;
}

/**
 * ebpfs_xattr_change() - set or remove an attribute
 * @inode: file
 * @name: of the attribute
 * @value: NULL: remove it
 * @size: bytes at @value
 * @flags: XATTR_CREATE, XATTR_REPLACE
 */
int ebpfs_xattr_change(struct inode *inode, const char *name, const void *value, size_t size,
		       int flags)
{
	struct ebpfs_written done;
	struct ebpfs_req req = {
		.limit = sizeof(done),
		.buf = &done,
		.name = name,
		.name_len = strlen(name),
	};
	int err;

	if (size > EBPFS_MSG_MAX)
		return -E2BIG;
	err = ebpfs_settle_later(inode);
	if (err)
		return err;
	/* It may have capabilities now, see ebpfs_xattr_get(). */
	if (!strncmp(name, XATTR_SECURITY_PREFIX, XATTR_SECURITY_PREFIX_LEN))
		WRITE_ONCE(EBPFS_I(inode)->made, false);
	ebpfs_req_prepare_once(&req, ebpfs_mnt(inode));
	req.op = value ? EBPFS_OP_SETXATTR : EBPFS_OP_REMOVEXATTR;
	if (value) {
		req.arg = flags;
		req.data = value;
		req.data_len = size;
	}
	return ebpfs_call_change(inode, &req, &done);
}

static int ebpfs_xattr_get(const struct xattr_handler *handler, struct dentry *dentry,
			   struct inode *inode, const char *name, void *buf, size_t size)
{
	const char *full = xattr_full_name(handler, name);

	/* The kernel asks for it when a file gets another owner; a new one has none. */
	if (ebpfs_made_here(inode) && !strcmp(full, XATTR_NAME_CAPS))
		return -ENODATA;
	return ebpfs_xattr_ask(inode, EBPFS_OP_GETXATTR, full, buf, size);
}

static int ebpfs_xattr_set(const struct xattr_handler *handler, struct mnt_idmap *idmap,
			   struct dentry *dentry, struct inode *inode, const char *name,
			   const void *value, size_t size, int flags)
{
	return ebpfs_xattr_change(inode, xattr_full_name(handler, name), value, size, flags);
}

/* Takes names away that are for the superuser of this machine only. Return: bytes left. */
static ssize_t ebpfs_hide_trusted(char *list, ssize_t size)
{
	ssize_t from = 0, to = 0;

	while (from < size) {
		size_t len = strnlen(list + from, size - from) + 1;

		if (from + len > size)	/* no NUL at its end */
			return -EIO;
		if (strncmp(list + from, XATTR_TRUSTED_PREFIX, XATTR_TRUSTED_PREFIX_LEN)) {
			memmove(list + to, list + from, len);
			to += len;
		}
		from += len;
	}
	return to;
}

ssize_t ebpfs_listxattr(struct dentry *dentry, char *list, size_t size)
{
	struct inode *inode = d_inode(dentry);
	char *all;
	ssize_t n;

	if (ns_capable_noaudit(&init_user_ns, CAP_SYS_ADMIN))
		return ebpfs_xattr_ask(inode, EBPFS_OP_LISTXATTR, NULL, list, size);
	all = kvmalloc(EBPFS_MSG_MAX, GFP_KERNEL);
	if (!all)
		return -ENOMEM;
	n = ebpfs_xattr_ask(inode, EBPFS_OP_LISTXATTR, NULL, all, EBPFS_MSG_MAX);
	if (n > 0)
		n = ebpfs_hide_trusted(all, n);
	if (n > 0 && size && n > size)
		n = -ERANGE;
	if (n > 0 && size)
		memcpy(list, all, n);
	kvfree(all);
	return n;
}

static const struct xattr_handler ebpfs_xattr_user = {
	.prefix = XATTR_USER_PREFIX,
	.get = ebpfs_xattr_get,
	.set = ebpfs_xattr_set,
};

static const struct xattr_handler ebpfs_xattr_trusted = {
	.prefix = XATTR_TRUSTED_PREFIX,
	.get = ebpfs_xattr_get,
	.set = ebpfs_xattr_set,
};

static const struct xattr_handler ebpfs_xattr_security = {
	.prefix = XATTR_SECURITY_PREFIX,
	.get = ebpfs_xattr_get,
	.set = ebpfs_xattr_set,
};

const struct xattr_handler * const ebpfs_xattr_handlers[] = {
	&ebpfs_xattr_user,
	&ebpfs_xattr_trusted,
	&ebpfs_xattr_security,
	NULL
};
