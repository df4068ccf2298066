// SPDX-License-Identifier: GPL-2.0
/*
 * EBPFS_SERVE_DESCRIBE of <ebpfs/serve.h>: attributes and handles of many names of a
 * directory for ebpfsd's READDIR, which would need four system calls for each. All is
 * done by the VFS as the caller, who learns nothing that those would not tell. The dentry is
 * held between the two questions, so both answers are of one file. Process context; may wait
 * for a disk; no lock.
 */
#include <linux/types.h>
#include <linux/dirent.h>
#include <linux/exportfs.h>
#include <linux/file.h>
#include <linux/mount.h>
#include <linux/namei.h>

#include "serve.h"

/* A name's struct linux_dirent64, padded. */
#define EBPFS_DENT_MAX	(offsetof(struct linux_dirent64, d_name) + NAME_MAX + 1 + sizeof(u64))

static struct statx_timestamp ebpfs_statx_time(const struct timespec64 *t)
{
	return (struct statx_timestamp){ .tv_sec = t->tv_sec, .tv_nsec = t->tv_nsec };
}

static void ebpfs_statx_fill(struct statx *sx, const struct kstat *k)
{
	struct user_namespace *ns = current_user_ns();

	sx->stx_mask = k->result_mask & (STATX_BASIC_STATS | STATX_BTIME);
	sx->stx_blksize = k->blksize;
	sx->stx_attributes = k->attributes;
	sx->stx_attributes_mask = k->attributes_mask;
	sx->stx_nlink = k->nlink;
	sx->stx_uid = from_kuid_munged(ns, k->uid);
	sx->stx_gid = from_kgid_munged(ns, k->gid);
	sx->stx_mode = k->mode;
	sx->stx_ino = k->ino;
	sx->stx_size = k->size;
	sx->stx_blocks = k->blocks;
	sx->stx_atime = ebpfs_statx_time(&k->atime);
	sx->stx_btime = ebpfs_statx_time(&k->btime);
	sx->stx_ctime = ebpfs_statx_time(&k->ctime);
	sx->stx_mtime = ebpfs_statx_time(&k->mtime);
	sx->stx_rdev_major = MAJOR(k->rdev);
	sx->stx_rdev_minor = MINOR(k->rdev);
	sx->stx_dev_major = MAJOR(k->dev);
	sx->stx_dev_minor = MINOR(k->dev);
}

static int ebpfs_describe_handle(struct dentry *dentry, struct ebpfs_serve_file *f)
{
	int words = sizeof(f->handle) / sizeof(u32);

	if (!exportfs_can_encode_fh(dentry->d_sb->s_export_op, 0))
		return -EOPNOTSUPP;
	f->type = exportfs_encode_fh(dentry, (struct fid *)f->handle, &words, 0);
	if (f->type < 0 || f->type == FILEID_INVALID || words > sizeof(f->handle) / sizeof(u32))
		return -EOVERFLOW;
	f->len = words * sizeof(u32);
	return 0;
}

static int ebpfs_describe_name(const struct path *dir, const char *name, struct ebpfs_serve_file *f)
{
	struct path path = { .mnt = dir->mnt };
	struct kstat stat;
	int err;

	path.dentry = lookup_one_positive_unlocked(mnt_idmap(dir->mnt), name, dir->dentry,
						   strlen(name));
	if (IS_ERR(path.dentry))
		return PTR_ERR(path.dentry);
	err = vfs_getattr(&path, &stat, STATX_BASIC_STATS | STATX_BTIME, AT_STATX_SYNC_AS_STAT);
	if (!err) {
		ebpfs_statx_fill(&f->stat, &stat);
		err = ebpfs_describe_handle(path.dentry, f);
	}
	dput(path.dentry);
	return err;
}

/* The name at @from, of @room bytes: where the next one is, or an error. */
static int ebpfs_describe_next(const void __user *from, u32 room, char dent[EBPFS_DENT_MAX])
{
	const size_t head = offsetof(struct linux_dirent64, d_name);
	const struct linux_dirent64 *d = (const struct linux_dirent64 *)dent;
	u16 len;

	if (room <= head)
		return -EINVAL;
	if (get_user(len, (const u16 __user *)(from + offsetof(struct linux_dirent64, d_reclen))))
		return -EFAULT;
	if (len <= head || len > room || len > EBPFS_DENT_MAX)
		return -EINVAL;
	if (copy_from_user(dent, from, len))
		return -EFAULT;
	return memchr(d->d_name, 0, len - head) ? len : -EINVAL;
}

static long ebpfs_describe_all(const struct path *dir, const struct ebpfs_serve_names *arg)
{
	struct ebpfs_serve_file __user *to = u64_to_user_ptr(arg->files);
	const void __user *from = u64_to_user_ptr(arg->dents);
	char dent[EBPFS_DENT_MAX] __aligned(8);
	struct ebpfs_serve_file f;
	u32 pos = 0, i;
	int len;

	for (i = 0; i < arg->count && pos < arg->len; i++) {
		if (fatal_signal_pending(current))
			break;
		len = ebpfs_describe_next(from + pos, arg->len - pos, dent);
		if (len < 0)
			return len;
		pos += len;
		memset(&f, 0, sizeof(f));
		f.error = -ebpfs_describe_name(dir, ((struct linux_dirent64 *)dent)->d_name, &f);
		if (copy_to_user(&to[i], &f, sizeof(f)))
			return -EFAULT;
		cond_resched();
	}
	return i;
}

long ebpfs_serve_describe(const struct ebpfs_serve_names *arg)
{
	struct file *dir;
	long ret;

	if (arg->reserved || arg->len > INT_MAX || arg->count > INT_MAX)
		return -EINVAL;
	dir = fget(arg->dir);
	if (!dir)
		return -EBADF;
	ret = d_can_lookup(dir->f_path.dentry) ? ebpfs_describe_all(&dir->f_path, arg) : -ENOTDIR;
	fput(dir);
	return ret;
}
