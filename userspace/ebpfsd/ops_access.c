// SPDX-License-Identifier: GPL-2.0
/*
 * Who may what: ACCESS, and the question before everything that the daemon does
 * for a user by its own privileges. The answer is the kernel's, given to a thread
 * that is the user at that moment. See ops.h.
 */
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "cred.h"
#include "files.h"
#include "export.h"
#include "ops.h"

#ifndef AT_EMPTY_PATH
#define AT_EMPTY_PATH	0x1000
#endif

/* The kernel's own check, by the fsuid (AT_EACCESS), of an open file. */
static int ask(int fd, u32 may)
{
	int mode = (may & EBPFS_MAY_READ ? R_OK : 0) | (may & EBPFS_MAY_WRITE ? W_OK : 0) |
		   (may & EBPFS_MAY_EXEC ? X_OK : 0);

	return syscall(SYS_faccessat2, fd, "", mode, AT_EMPTY_PATH | AT_EACCESS) ? -errno : 0;
}

/* What the kernel refused, and a server must not. The thread is the user. */
static bool may_use(const struct user *u, int fd, u32 may)
{
	struct stat st;

	if (fstat(fd, &st))
		return false;
	if (may & EBPFS_MAY_EXEC)
		return false;
	if (st.st_uid == u->uid)
		return true;
	return may == EBPFS_MAY_READ && S_ISREG(st.st_mode) && !ask(fd, EBPFS_MAY_EXEC);
}

int op_allowed(struct op *op, struct file *file, u32 may, bool use)
{
	u64 generation;
	int err;

	if (!op->user || file_granted(file, op->user, may, op->now))
		return 0;
	if (!op->may_wait && !op->e->in_memory)
		return -EAGAIN;
	generation = READ_ONCE(file->generation);
	err = cred_become(op->user);
	if (err)
		return err;
	err = ask(file->fd, may);
	if (err == -EACCES && use && may_use(op->user, file->fd, may))
		err = 0;
	cred_return(op->user);
	if (!err)
		file_grant(file, op->user, may, generation, op->now);
	return err;
}

int op_may(struct op *op, int fd, const struct statx *sx, bool *asked)
{
	const struct user *u = op->user;
	u32 most = EBPFS_MAY_READ | EBPFS_MAY_EXEC, may, bit;
	bool executable = S_ISDIR(sx->stx_mode) || sx->stx_mode & 0111;
	bool root = !u || !u->uid;
	int err;

	*asked = false;
	if (op->e->writable && !(sx->stx_attributes & STATX_ATTR_IMMUTABLE))
		most |= EBPFS_MAY_WRITE;
	/* Here the kernel looks at the mode only, no ACL matters. Other filesystems have
	 * rules of their own. */
	if (op->e->local && root)
		return (int)(executable ? most : most & ~(u32)EBPFS_MAY_EXEC);
	if (op->e->local && u->uid == sx->stx_uid)
		return (int)(most & (sx->stx_mode >> 6) & 7);
	if (!op->c->count)
		return -EOPNOTSUPP;
	if (!op->may_wait && !op->e->in_memory)
		return -EAGAIN;
	err = cred_become(u);
	if (err)
		return err;
	*asked = true;
	may = most;
	for (bit = ask(fd, most) ? EBPFS_MAY_EXEC : 8; bit <= EBPFS_MAY_READ; bit <<= 1)
		if (most & bit && ask(fd, bit))
			may &= ~bit;
	cred_return(u);
	/* As in ACCESS. */
	return (int)(root && executable ? may | EBPFS_MAY_EXEC : may);
}

int op_access(struct op *op, struct file *file)
{
	struct ebpfs_access *out = (struct ebpfs_access *)op->buf;
	u64 generation = READ_ONCE(file->generation);
	u32 asked = op->c->count, allowed = 0, bit;
	struct stat st;
	int err;

	if (asked & ~(u32)(EBPFS_MAY_EXEC | EBPFS_MAY_WRITE | EBPFS_MAY_READ))
		return -EINVAL;
	if (!op->may_wait && !op->e->in_memory)
		return -EAGAIN;
	err = cred_become(op->user);
	if (err)
		return err;
	for (bit = EBPFS_MAY_EXEC; bit <= EBPFS_MAY_READ; bit <<= 1) {
		if (bit == EBPFS_MAY_WRITE && !op->e->writable)
			continue;
		if (asked & bit && !ask(file->fd, bit))
			allowed |= bit;
	}
	cred_return(op->user);
	/* root may execute what anybody may. The daemon may not, without
	 * CAP_DAC_OVERRIDE, which it has for writable exports only. */
	if ((!op->user || !op->user->uid) && asked & EBPFS_MAY_EXEC && !fstat(file->fd, &st) &&
	    st.st_mode & 0111)
		allowed |= EBPFS_MAY_EXEC;
	if (op->user && allowed)
		file_grant(file, op->user, allowed, generation, op->now);
	out->allowed = cpu_to_le32(allowed);
	out->reserved = 0;
	return sizeof(*out);
}
