// SPDX-License-Identifier: GPL-2.0
/*
 * Extended attributes: GETXATTR, LISTXATTR, SETXATTR, REMOVEXATTR. See ops.h.
 *
 * Each is one system call made as the user, also where it only looks: what may be
 * read depends on the attribute's name as much as on the file. ACLs are attributes
 * like others (system.posix_acl_access and _default); the kernel knows them.
 *
 * Files of every type have attributes, but the calls that take a descriptor take
 * none that is O_PATH, and FIFOs and devices must not be opened. So they are
 * reached through /proc, whose link leads to the very file, be it a symbolic link.
 *
 * trusted.* is for CAP_SYS_ADMIN: without it the kernel neither shows nor sets it, and
 * not every filesystem leaves it out of its list. Setting and removing
 * security.capability takes CAP_SETFCAP. On an export with privileged-xattrs the thread
 * that acts as root has the one of these that the call's attribute needs, for as long as
 * it needs it, and nobody else ever (cred_raise()). What else needs CAP_SYS_ADMIN in
 * security.* can be read, not set.
 */
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/xattr.h>

#include "cred.h"
#include "export.h"
#include "idmap.h"
#include "ops.h"
#include "server.h"
#include "settle.h"

#define LIST_MAX	65536	/* the kernel's limit, XATTR_LIST_MAX */
#define TRUSTED		"trusted."
#define CAPABILITY	"security.capability"

/**
 * struct target - what the system calls ask for
 * @path: that leads to the file
 * @name: of the attribute
 * @cap: that the calls need and root may have here, or CRED_NO_CAP
 */
struct target {
	char path[32];
	char name[EBPFS_NAME_MAX + 1];
	int cap;
};

static bool is_trusted(const char *name)
{
	return !strncmp(name, TRUSTED, sizeof(TRUSTED) - 1);
}

static int cap_for(const struct op *op, const char *name)
{
	if (!op->e->privileged_xattrs || (op->user && op->user->uid))
		return CRED_NO_CAP;
	switch (op->c->op) {
	case EBPFS_OP_LISTXATTR:
		return CAP_SYS_ADMIN;
	case EBPFS_OP_SETXATTR:
	case EBPFS_OP_REMOVEXATTR:
		if (!strcmp(name, CAPABILITY))
			return CAP_SETFCAP;
		/* fall through */
	default:
		return is_trusted(name) ? CAP_SYS_ADMIN : CRED_NO_CAP;
	}
}

static void find(struct target *t, const struct op *op, const struct file *file)
{
	snprintf(t->path, sizeof(t->path), "/proc/self/fd/%d", file->fd);
	op_name(t->name, op->c->name, op->c->name_len);
	t->cap = cap_for(op, t->name);
}

/* The thread is @op's user, with what @t needs; let_go() must follow if that is 0. */
static int act(const struct op *op, const struct target *t)
{
	int err = cred_raise(op->user, t->cap);

	if (err)
		return err;
	err = cred_become(op->user);
	if (err)
		cred_lower();
	return err;
}

static void let_go(const struct op *op)
{
	cred_return(op->user);
	cred_lower();
}

/* -errno of a call that changed nothing. */
static int refused(int err)
{
	/* The file is open: what does not exist is /proc. */
	return err == ENOENT ? -EOPNOTSUPP : op_failed(err);
}

int op_getxattr(struct op *op, struct file *file)
{
	struct target t;
	ssize_t n;
	int err;

	find(&t, op, file);
	err = act(op, &t);
	if (err)
		return err;
	n = getxattr(t.path, t.name, op->buf, op->c->count);
	err = errno;
	let_go(op);
	if (n > 0 && idmap_is_acl(t.name))
		idmap_acl(op->e->idmap, false, op->buf, (u32)n);
	return n < 0 ? refused(err) : (int)n;
}

/* Names from @list, @len bytes, into @to, without @trusted but for those.
 * Return: bytes, or -ERANGE if there are more than @most. */
static int put_names(u8 *to, u32 most, const char *list, size_t len, bool trusted)
{
	const char *name, *end = list + len;
	u32 done = 0, size;

	for (name = list; name < end; name += size) {
		size = (u32)strlen(name) + 1;
		if (!trusted && is_trusted(name))
			continue;
		if (size > most - done)
			return -ERANGE;
		memcpy(to + done, name, size);
		done += size;
	}
	return (int)done;
}

int op_listxattr(struct op *op, struct file *file)
{
	char *list = malloc(LIST_MAX + 1);
	struct target t;
	ssize_t n = -1;
	int ret;

	if (!list)
		return -EAGAIN;
	find(&t, op, file);
	ret = act(op, &t);
	if (!ret) {
		n = listxattr(t.path, list, LIST_MAX);
		ret = n < 0 ? refused(errno) : 0;
		let_go(op);
	}
	if (!ret) {
		list[n] = '\0';
		ret = put_names(op->buf, op->c->count, list, (size_t)n,
				t.cap != CRED_NO_CAP);
	}
	free(list);
	return ret;
}

/* As the user: what SETXATTR and REMOVEXATTR are about. 0 or -1 and errno. */
static int change(const struct ebpfs_call_info *c, const struct target *t)
{
	if (c->op == EBPFS_OP_REMOVEXATTR)
		return removexattr(t->path, t->name);
	return setxattr(t->path, t->name, c->data, c->data_len, (int)c->arg);
}

/*
 * The intent, if the call may change something and it is known what: a name that is
 * there is not made, and one that is not there is not replaced or removed.
 */
static void intend(struct op *op, const struct target *t)
{
	const struct ebpfs_call_info *c = op->c;
	bool remove = c->op == EBPFS_OP_REMOVEXATTR, there;
	struct ebpfs_value_mark m;

	if (!op->intent)
		return;
	there = getxattr(t->path, t->name, NULL, 0) >= 0;
	if (!there && (errno != ENODATA || remove || c->arg & XATTR_REPLACE))
		return;
	if (there && !remove && c->arg & XATTR_CREATE)
		return;
	ebpfs_value_mark(&m, c->data, remove ? 0 : c->data_len, remove);
	settle_intend(op, &m, t->name, (u32)strlen(t->name));
	intent_point(op, INTENT_POINT_INTENT);
}

/* Return: 0: done, 1: an earlier life did it, or -errno. */
static int change_once(struct op *op, struct file *file, const struct target *t)
{
	struct settle_done done;
	int ret;

	/* To look whether it was done, and at what is there, takes the same. */
	ret = cred_raise(op->user, t->cap);
	if (ret)
		return ret;
	ret = settle_again(op, file->fd, t->name, &done);
	if (!ret) {
		intend(op, t);
		ret = cred_become(op->user);
		if (!ret) {
			if (change(op->c, t))
				ret = refused(errno);
			intent_point(op, INTENT_POINT_MADE);
			if (!ret)
				settle_done(op, 0, 0);
			cred_return(op->user);
		}
	}
	cred_lower();
	return ret;
}

static int change_and_tell(struct op *op, struct file *file)
{
	u64 verifier = server_verifier(op->srv);
	struct op_before before;
	pthread_mutex_t *lock;
	struct target t;
	int ret;

	find(&t, op, file);
	lock = files_lock(&op->srv->files, op->c->fh, op->c->fh_len);
	pthread_mutex_lock(lock);
	ret = op_before(op->e, file, &before);
	if (!ret)
		ret = change_once(op, file, &t);
	if (ret > 0) {
		ret = op_put_written(op, verifier, 0, &before, false, file);
	} else if (!ret) {
		op_revoke(op, file);
		ret = op_certain(op_put_written(op, verifier, 0, &before, true, file));
	}
	op_after(&before, op_may_have_changed(ret), NULL);
	pthread_mutex_unlock(lock);
	return ret;
}

/* An ACL with the clients' numbers in it. */
static int set_mapped(struct op *op, struct file *file)
{
	const struct ebpfs_call_info *c = op->c;
	struct ebpfs_call_info mapped = *c;
	u8 *acl = malloc(c->data_len);
	int ret;

	if (!acl)
		return -EAGAIN;
	memcpy(acl, c->data, c->data_len);
	mapped.data = acl;
	ret = idmap_acl(op->e->idmap, true, acl, c->data_len);
	if (!ret) {
		op->c = &mapped;
		ret = change_and_tell(op, file);
		op->c = c;
	}
	free(acl);
	return ret;
}

int op_setxattr(struct op *op, struct file *file)
{
	char name[EBPFS_NAME_MAX + 1];

	if (op->c->arg & ~(u64)(XATTR_CREATE | XATTR_REPLACE))
		return -EINVAL;
	op_name(name, op->c->name, op->c->name_len);
	if (op->e->idmap && op->c->data_len && idmap_is_acl(name))
		return set_mapped(op, file);
	return change_and_tell(op, file);
}

int op_removexattr(struct op *op, struct file *file)
{
	return change_and_tell(op, file);
}
