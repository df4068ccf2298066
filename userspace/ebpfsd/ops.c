// SPDX-License-Identifier: GPL-2.0
/*
 * The operations, all but READDIR (readdir.c) and the quick way of READ
 * (serve.c). See ops.h.
 *
 * Files are opened with O_PATH but to be read, and only regular files are
 * read, so that no FIFO, device or socket is ever opened.
 */
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "handle.h"
#include "ops.h"
#include "server.h"
#include "stats.h"

u32 op_room(const struct ebpfs_call_info *c)
{
	switch (c->op) {
	case EBPFS_OP_GETATTR:
		return sizeof(struct ebpfs_attr);
	case EBPFS_OP_LOOKUP:
		return sizeof(struct ebpfs_entry) + EBPFS_FH_MAX;
	case EBPFS_OP_READDIR:
	case EBPFS_OP_READ:
		return c->count < EBPFS_MSG_MAX ? c->count : EBPFS_MSG_MAX;
	case EBPFS_OP_READLINK:
		return EBPFS_LINK_MAX;
	case EBPFS_OP_STATFS:
		return sizeof(struct ebpfs_statfs);
	default:
		return 0;
	}
}

/* Mixes what changes with the file into one number: clocks of filesystems tick
 * in milliseconds, so the size helps to see a change within a tick. */
static u64 change_of(const struct statx *sx)
{
	u64 c = (u64)sx->stx_ctime.tv_sec * EBPFS_NSEC_PER_SEC + sx->stx_ctime.tv_nsec;
	u64 m = (u64)sx->stx_mtime.tv_sec * EBPFS_NSEC_PER_SEC + sx->stx_mtime.tv_nsec;

	c = (c ^ m * 0x9e3779b97f4a7c15ull ^ sx->stx_size * 0xd6e8feb86659fd93ull) *
	    0xff51afd7ed558ccdull;
	return c ^ c >> 32;
}

static void put_attr(struct ebpfs_attr *a, const struct statx *sx)
{
	memset(a, 0, sizeof(*a));
	a->ino = cpu_to_le64(sx->stx_ino);
	a->size = cpu_to_le64(sx->stx_size);
	a->blocks = cpu_to_le64(sx->stx_blocks);
	a->change = cpu_to_le64(change_of(sx));
	a->atime = cpu_to_le64(sx->stx_atime.tv_sec);
	a->mtime = cpu_to_le64(sx->stx_mtime.tv_sec);
	a->ctime = cpu_to_le64(sx->stx_ctime.tv_sec);
	a->atime_ns = cpu_to_le32(sx->stx_atime.tv_nsec);
	a->mtime_ns = cpu_to_le32(sx->stx_mtime.tv_nsec);
	a->ctime_ns = cpu_to_le32(sx->stx_ctime.tv_nsec);
	if (sx->stx_mask & STATX_BTIME) {
		a->btime = cpu_to_le64(sx->stx_btime.tv_sec);
		a->btime_ns = cpu_to_le32(sx->stx_btime.tv_nsec);
	}
	a->mode = cpu_to_le32(sx->stx_mode);
	a->nlink = cpu_to_le32(sx->stx_nlink);
	a->uid = cpu_to_le32(sx->stx_uid);
	a->gid = cpu_to_le32(sx->stx_gid);
	a->rdev_major = cpu_to_le32(sx->stx_rdev_major);
	a->rdev_minor = cpu_to_le32(sx->stx_rdev_minor);
	a->blksize = cpu_to_le32(sx->stx_blksize);
}

/* statx() of an open file that must lie in @e. */
static int examine(const struct export *e, int fd, struct statx *sx)
{
	if (statx(fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS | STATX_BTIME, sx))
		return -errno;
	if (sx->stx_dev_major != e->dev_major || sx->stx_dev_minor != e->dev_minor)
		return -EXDEV;
	return 0;
}

int op_describe(const struct export *e, int fd, struct ebpfs_entry_info *info, u8 *fh)
{
	struct statx sx;
	int err = examine(e, fd, &sx);

	if (err)
		return err;
	err = handle_make(e, fd, sx.stx_mode, fh);
	if (err < 0)
		return err;
	info->fh = fh;
	info->fh_len = (u16)err;
	info->type = (u8)(sx.stx_mode >> 12);
	info->flags = EBPFS_ENTRY_ATTR;
	put_attr(&info->attr, &sx);
	return 0;
}

static int get_file(struct server *srv, const struct export *e, const struct ebpfs_call_info *c,
		    bool readable, bool may_wait, u64 now, struct file **file)
{
	if (!may_wait) {
		*file = files_get(&srv->files, e, c->fh, c->fh_len, readable, now);
		if (*file)
			return 0;
		if (!files_expected(&srv->files, c->fh, c->fh_len, now))
			return -EAGAIN;
	}
	return files_open(&srv->files, e, c->fh, c->fh_len, readable, now, file);
}

static int lookup(struct server *srv, const struct export *e, const struct ebpfs_call_info *c,
		  struct file *dir, u8 *buf, bool may_wait, u64 now)
{
	struct open_how how = {
		.flags = O_PATH | O_NOFOLLOW | O_CLOEXEC,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_XDEV | (may_wait ? 0 : RESOLVE_CACHED),
	};
	u8 fh[EBPFS_FH_MAX] __attribute__((aligned(8)));
	struct ebpfs_entry_info info = { 0 };
	char name[EBPFS_NAME_MAX + 1];
	u32 len;
	int fd, err;

	if (dir->mode != S_IFDIR)
		return -ENOTDIR;
	/* The parser let no '/', NUL, "." or ".." through. */
	memcpy(name, c->name, c->name_len);
	name[c->name_len] = '\0';
	fd = (int)syscall(SYS_openat2, dir->fd, name, &how, sizeof(how));
	if (fd < 0)
		return errno == EMFILE || errno == ENFILE ? -EAGAIN : -errno;
	err = op_describe(e, fd, &info, fh);
	if (err) {
		close(fd);
		return err;
	}
	len = ebpfs_put_entry(buf, op_room(c), &info);
	/* Its descriptor keeps the inode in memory for what the client does next. */
	files_expect(&srv->files, fh, info.fh_len, now);
	files_add(&srv->files, e, fh, info.fh_len, fd, (u32)info.type << 12, now);
	return (int)len;
}

static int put_statfs(const struct export *e, u8 *buf)
{
	struct ebpfs_statfs *out = (struct ebpfs_statfs *)buf;
	struct statfs st;
	u64 fsid;

	if (fstatfs(e->root, &st))
		return -errno;
	memcpy(&fsid, &st.f_fsid, sizeof(fsid));
	memset(out, 0, sizeof(*out));
	out->blocks = cpu_to_le64(st.f_blocks);
	out->bfree = cpu_to_le64(st.f_bfree);
	out->bavail = cpu_to_le64(st.f_bavail);
	out->files = cpu_to_le64(st.f_files);
	out->ffree = cpu_to_le64(st.f_ffree);
	out->fsid = cpu_to_le64(fsid);
	out->bsize = cpu_to_le32(st.f_frsize ? st.f_frsize : st.f_bsize);
	out->namelen = cpu_to_le32(st.f_namelen < EBPFS_NAME_MAX ? st.f_namelen : EBPFS_NAME_MAX);
	return sizeof(*out);
}

static int read_link(const struct file *file, u8 *buf)
{
	ssize_t n;

	if (file->mode != S_IFLNK)
		return -EINVAL;
	n = readlinkat(file->fd, "", (char *)buf, EBPFS_LINK_MAX);
	return n < 0 ? -errno : (int)n;
}

bool op_at_end(struct file *file, u64 end)
{
	struct stat st;

	if (end < READ_ONCE(file->size))
		return false;
	if (fstat(file->fd, &st))
		return false;
	WRITE_ONCE(file->size, st.st_size);
	return end >= (u64)st.st_size;
}

/* A whole READ; waits for the disk. */
static int read_file(const struct ebpfs_call_info *c, struct file *file, u8 *buf, u16 *flags)
{
	u32 done = 0;

	while (done < c->count) {
		ssize_t n = pread(file->fd, buf + done, c->count - done, (off_t)(c->arg + done));

		if (n < 0 && errno != EINTR)
			return -errno;
		if (!n)
			break;
		if (n > 0)
			done += (u32)n;
	}
	/* A short reply says that the file ends there, always. */
	if (done < c->count || op_at_end(file, c->arg + done))
		*flags |= EBPFS_REPLY_EOF;
	return (int)done;
}

int op_run(struct server *srv, const struct export *e, const struct ebpfs_call_info *c, u8 *buf,
	   bool may_wait, u64 now, struct op_result *res)
{
	struct file *file = NULL;
	struct statx sx;
	int ret;

	memset(res, 0, sizeof(*res));
	if (c->op == EBPFS_OP_PING)
		return 0;
	/* A READDIR is long, and a remote filesystem may wait anywhere. */
	if (!may_wait && (c->op == EBPFS_OP_READDIR || !e->local))
		return -EAGAIN;
	ret = get_file(srv, e, c, c->op == EBPFS_OP_READ, may_wait, now, &file);
	if (ret)
		goto out;
	switch (c->op) {
	case EBPFS_OP_GETATTR:
		ret = examine(e, file->fd, &sx);
		if (!ret) {
			put_attr((struct ebpfs_attr *)buf, &sx);
			ret = sizeof(struct ebpfs_attr);
		}
		break;
	case EBPFS_OP_LOOKUP:
		ret = lookup(srv, e, c, file, buf, may_wait, now);
		break;
	case EBPFS_OP_READDIR:
		ret = op_readdir(srv, e, c, file, buf, now, &res->flags);
		break;
	case EBPFS_OP_READLINK:
		ret = read_link(file, buf);
		break;
	case EBPFS_OP_READ:
		ret = read_file(c, file, buf, &res->flags);
		break;
	case EBPFS_OP_STATFS:
		ret = put_statfs(e, buf);
		break;
	default:
		ret = -EOPNOTSUPP;
	}
	files_put(file);
out:
	if (ret == -EAGAIN)
		return ret;
	if (ret < 0) {
		res->status = (u16)-ret;
		res->flags = 0;
	} else {
		res->total = (u32)ret;
	}
	return 0;
}
