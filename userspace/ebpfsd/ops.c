// SPDX-License-Identifier: GPL-2.0
/*
 * What an operation needs and where it is; and those that look, but for READDIR
 * (readdir.c) and the quick way of READ (serve.c). See ops.h.
 *
 * Files are opened with O_PATH but to be read, and only regular files are
 * read, so that no FIFO, device or socket is ever opened.
 */
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <ebpfs/serve.h>

#include "handle.h"
#include "idmap.h"
#include "hold.h"
#include "ops.h"
#include "orphan.h"
#include "server.h"
#include "stats.h"

#define LOOKUP_TRIES	4

u32 op_room(const struct ebpfs_call_info *c)
{
	switch (c->op) {
	case EBPFS_OP_GETATTR:
		return sizeof(struct ebpfs_attr);
	case EBPFS_OP_LOOKUP:
		return sizeof(struct ebpfs_entry) + EBPFS_FH_MAX + (c->count >> EBPFS_FIRST_SHIFT);
	case EBPFS_OP_READDIR:
	case EBPFS_OP_READ:
	case EBPFS_OP_GETXATTR:
	case EBPFS_OP_LISTXATTR:
		return c->count < EBPFS_MSG_MAX ? c->count : EBPFS_MSG_MAX;
	case EBPFS_OP_READLINK:
		return EBPFS_LINK_MAX;
	case EBPFS_OP_STATFS:
		return sizeof(struct ebpfs_statfs);
	case EBPFS_OP_ACCESS:
		return sizeof(struct ebpfs_access);
	case EBPFS_OP_CREATE:
	case EBPFS_OP_TMPFILE:
		return sizeof(struct ebpfs_entry) + EBPFS_FH_MAX;
	case EBPFS_OP_LINK:
		return sizeof(struct ebpfs_attr);
	case EBPFS_OP_SETATTR:
	case EBPFS_OP_WRITE:
	case EBPFS_OP_WRITEATTR:
	case EBPFS_OP_COMMIT:
	case EBPFS_OP_SETXATTR:
	case EBPFS_OP_REMOVEXATTR:
	case EBPFS_OP_FALLOCATE:
	case EBPFS_OP_COPY:
	case EBPFS_OP_APPEND:
		return sizeof(struct ebpfs_written);
	case EBPFS_OP_SEEK:
		return sizeof(struct ebpfs_offset);
	case EBPFS_OP_LOCK:
		return sizeof(struct ebpfs_lock);
	default:
		return 0;
	}
}

static u64 ctime_of(const struct statx *sx)
{
	return (u64)sx->stx_ctime.tv_sec * EBPFS_NSEC_PER_SEC + sx->stx_ctime.tv_nsec;
}

/* Mixes what changes with the file into one number: clocks of filesystems tick
 * in milliseconds, so the rest helps to see a change within a tick; tick.h does what is
 * left. */
static u64 change_of(const struct statx *sx)
{
	u64 c = ctime_of(sx);
	u64 m = (u64)sx->stx_mtime.tv_sec * EBPFS_NSEC_PER_SEC + sx->stx_mtime.tv_nsec;

	u64 o = (u64)sx->stx_uid << 32 ^ sx->stx_gid ^ (u64)sx->stx_nlink << 20 ^
		(u64)sx->stx_mode << 48;

	c = (c ^ m * 0x9e3779b97f4a7c15ull ^ sx->stx_size * 0xd6e8feb86659fd93ull ^
	     o * 0xa0761d6478bd642full) * 0xff51afd7ed558ccdull;
	return c ^ c >> 32;
}

static u64 dev_of(const struct export *e)
{
	return (u64)e->dev_major << 32 | e->dev_minor;
}

static void put_attr_as(const struct export *e, struct ebpfs_attr *a, const struct statx *sx,
			u64 change)
{
	memset(a, 0, sizeof(*a));
	a->ino = cpu_to_le64(sx->stx_ino);
	a->size = cpu_to_le64(sx->stx_size);
	a->blocks = cpu_to_le64(sx->stx_blocks);
	a->change = cpu_to_le64(change);
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
	idmap_attr(e->idmap, a);
}

static void put_attr(const struct export *e, struct ebpfs_attr *a, const struct statx *sx)
{
	put_attr_as(e, a, sx, tick_value(dev_of(e), sx->stx_ino, ctime_of(sx), change_of(sx)));
}

/* What statx() said of a file that must lie in @e is made fit for clients. */
static int examined(const struct export *e, struct statx *sx)
{
	if (sx->stx_dev_major != e->dev_major || sx->stx_dev_minor != e->dev_minor)
		return -EXDEV;
	orphan_hide_links(e, sx);
	return 0;
}

/* statx() of what @name means in @dir, "" for @dir itself, that must lie in @e. */
static int examine_at(const struct export *e, int dir, const char *name, struct statx *sx)
{
	int flags = *name ? AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT : AT_EMPTY_PATH;

	if (statx(dir, name, flags, STATX_BASIC_STATS | STATX_BTIME, sx))
		return -errno;
	return examined(e, sx);
}

/* Of an open file. */
static int examine(const struct export *e, int fd, struct statx *sx)
{
	return examine_at(e, fd, "", sx);
}

/* The same, but of what tells whether it was changed only: a cheaper system call. */
static int examine_change(const struct export *e, int fd, struct statx *sx)
{
	struct stat st;

	if (fstat(fd, &st))
		return -errno;
	sx->stx_dev_major = major(st.st_dev);
	sx->stx_dev_minor = minor(st.st_dev);
	sx->stx_ino = st.st_ino;
	sx->stx_mode = (u16)st.st_mode;
	sx->stx_nlink = (u32)st.st_nlink;
	sx->stx_uid = st.st_uid;
	sx->stx_gid = st.st_gid;
	sx->stx_size = (u64)st.st_size;
	sx->stx_mtime.tv_sec = st.st_mtim.tv_sec;
	sx->stx_mtime.tv_nsec = (u32)st.st_mtim.tv_nsec;
	sx->stx_ctime.tv_sec = st.st_ctim.tv_sec;
	sx->stx_ctime.tv_nsec = (u32)st.st_ctim.tv_nsec;
	return examined(e, sx);
}

int op_attr(const struct export *e, int fd, struct ebpfs_attr *attr)
{
	struct statx sx;
	int err = examine(e, fd, &sx);

	if (!err)
		put_attr(e, attr, &sx);
	return err;
}

static void put_state(struct op_state *state, const struct statx *sx)
{
	state->raw = change_of(sx);
	state->ctime = ctime_of(sx);
	state->size = sx->stx_size;
}

static void before_begin(const struct export *e, const struct file *file, struct op_before *b)
{
	b->open = false;
	b->blind = false;
	b->e = e;
	b->fd = file->fd;
	/* The change is to run when it is looked at. */
	tick_begin(&b->tick, dev_of(e), file->ino);
}

static int before_look(struct op_before *b)
{
	struct statx sx;
	int err = examine_change(b->e, b->fd, &sx);

	if (err) {
		tick_end(&b->tick, false, 0, 0, 0);
		return err;
	}
	b->open = true;
	put_state(&b->state, &sx);
	b->state.change = tick_before(&b->tick, b->state.ctime, b->state.raw);
	b->change = b->state.change;
	return 0;
}

int op_before(const struct export *e, const struct file *file, struct op_before *b)
{
	before_begin(e, file, b);
	return before_look(b);
}

int op_before_write(struct op *op, const struct file *file, struct op_before *b)
{
	struct op_seen *seen = op->seen;
	bool same = seen && seen->e == op->e && seen->ino == file->ino;

	if (seen)
		seen->e = NULL;
	before_begin(op->e, file, b);
	if (!same || !tick_next(&b->tick, &seen->tick))
		return before_look(b);
	stats_inc(writes_followed);
	b->open = true;
	b->blind = true;
	b->state = seen->state;
	b->change = seen->state.change;
	return 0;
}

void op_wrote(struct op *op, const struct file *file, const struct op_before *b)
{
	if (op->seen)
		*op->seen = (struct op_seen){
			.e = op->e, .ino = file->ino, .tick = b->tick, .state = b->state,
		};
}

int op_after(struct op_before *b, bool changed, struct ebpfs_attr *attr)
{
	struct statx sx;
	u64 ctime;
	int err;

	if (!b->open)
		return 0;
	b->open = false;
	ctime = b->state.ctime;
	err = attr ? examine(b->e, b->fd, &sx) : examine_change(b->e, b->fd, &sx);
	if (err) {
		/* Nobody else can look at it either. */
		tick_end(&b->tick, changed, ctime, ctime, b->state.raw);
		return err;
	}
	put_state(&b->state, &sx);
	b->state.change = tick_end(&b->tick, changed, b->blind ? b->state.ctime : ctime,
				   b->state.ctime, b->state.raw);
	if (attr)
		put_attr_as(b->e, attr, &sx, b->state.change);
	return 0;
}

static void put_entry_info(const struct export *e, const struct statx *sx, const u8 *fh, int fh_len,
			   struct ebpfs_entry_info *info)
{
	info->fh = fh;
	info->fh_len = (u16)fh_len;
	info->type = (u8)(sx->stx_mode >> 12);
	info->flags = EBPFS_ENTRY_ATTR;
	put_attr(e, &info->attr, sx);
}

int op_describe(const struct export *e, int dir, const char *name,
		struct ebpfs_entry_info *info, u8 *fh)
{
	struct statx sx;
	int err = examine_at(e, dir, name, &sx);

	if (err)
		return err;
	err = handle_make_at(e, dir, name, sx.stx_mode, fh);
	if (err < 0)
		return err;
	put_entry_info(e, &sx, fh, err, info);
	return 0;
}

int op_described(const struct export *e, struct ebpfs_serve_file *f, struct ebpfs_entry_info *info,
		 u8 *fh)
{
	int err = f->error ? -f->error : examined(e, &f->stat), len;

	if (err)
		return err;
	if (f->type > 0xffff || f->len > HANDLE_KERNEL_MAX)
		return -EOVERFLOW;
	len = handle_build(e, (u16)f->type, (u8)(f->stat.stx_mode >> 12), f->handle, (u8)f->len,
			   fh);
	put_entry_info(e, &f->stat, fh, len, info);
	return 0;
}

static int get_file(struct op *op, enum file_access access, struct file **file)
{
	const struct ebpfs_call_info *c = op->c;
	struct files *files = &op->srv->files;

	if (!op->may_wait) {
		*file = files_get(files, op->e, c->fh, c->fh_len, access, op->now);
		if (*file)
			return 0;
		if (!files_expected(files, c->fh, c->fh_len, op->now))
			return -EAGAIN;
	}
	return files_open(files, op->e, c->fh, c->fh_len, access, op->now, file);
}

/* Attributes for the caller of @op, with what it may do; -EAGAIN: that takes a thread
 * that may wait. */
static int attr_for(struct op *op, int fd, struct ebpfs_attr *attr)
{
	struct statx sx;
	int err = examine(op->e, fd, &sx), may;
	bool asked;

	if (err)
		return err;
	may = op_may(op, fd, &sx, &asked);
	if (may == -EAGAIN)
		return may;
	/* Who may read now must not be told how long the file was when nobody might. */
	if (asked)
		err = examine(op->e, fd, &sx);
	if (err)
		return err;
	put_attr(op->e, attr, &sx);
	attr->may = cpu_to_le32(may < 0 ? 0 : (u32)may | EBPFS_MAY_KNOWN);
	return 0;
}

static int get_attr(struct op *op, const struct file *file)
{
	const struct ebpfs_call_info *c = op->c;
	struct ebpfs_attr *attr = (struct ebpfs_attr *)op->buf;
	int err;

	op->flags = hold_take(op, c->fh);
	err = attr_for(op, file->fd, attr);
	/* Held, but too late. */
	if (!err && op->flags && !attr->nlink && !orphan_kept(op->srv, op->e, c->fh, c->fh_len))
		err = hold_in_change(op) ? -EAGAIN : -ESTALE;
	if (!err)
		return sizeof(*attr);
	hold_give_back(op, c->fh);
	return err;
}

/* The contents of the file that a LOOKUP has found, if it wants them, they are as short as
 * that, and the user may read them: the number of bytes at @to. They are not older than
 * the attributes, since they are read later. None if that would wait. */
static u32 put_first(struct op *op, const struct ebpfs_entry_info *info, u8 *to)
{
	u64 size = le64_to_cpu(info->attr.size);
	struct iovec iov = { to, (size_t)size };
	struct file *file;
	ssize_t n;
	int fd;

	if (!size || size > op->c->count >> EBPFS_FIRST_SHIFT || info->type != S_IFREG >> 12 ||
	    !(le32_to_cpu(info->attr.may) & EBPFS_MAY_READ))
		return 0;
	/* Of late somebody read or wrote it? Otherwise by handle: half the cost of the way through
	 * /proc. O_NONBLOCK: of a lease that a local process holds we do not wait for the end. */
	file = files_get(&op->srv->files, op->e, info->fh, info->fh_len, FILE_READ, op->now);
	fd = file ? file->fd :
	     handle_open(op->e, info->fh, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_NOFOLLOW);
	if (fd < 0)
		return 0;
	n = preadv2(fd, &iov, 1, 0, op->may_wait || op->e->in_memory ? 0 : RWF_NOWAIT);
	if (file)
		files_put(file);
	else
		close(fd);
	return n == (ssize_t)size ? (u32)n : 0;
}

/* Handle and type of an open file, without attributes. */
static int identify(const struct export *e, int fd, struct ebpfs_entry_info *info, u8 *fh)
{
	struct statx sx;
	int ret = examine_change(e, fd, &sx);

	if (!ret)
		ret = handle_make(e, fd, sx.stx_mode, fh);
	if (ret < 0)
		return ret;
	info->fh_len = (u16)ret;
	info->type = (u8)(sx.stx_mode >> 12);
	return 0;
}

int op_put_entry(struct op *op, int fd, u8 access)
{
	u8 fh[EBPFS_FH_MAX] __attribute__((aligned(8)));
	struct ebpfs_entry_info info = { .fh = fh, .flags = EBPFS_ENTRY_ATTR };
	struct files *files = &op->srv->files;
	u32 len;
	int err = 0;

	if (op->made_len) {
		memcpy(fh, op->made, op->made_len);
		info.fh_len = op->made_len;
		info.type = S_IFREG >> 12;
	} else {
		err = identify(op->e, fd, &info, fh);
	}
	if (!err) {
		op->flags = hold_take(op, fh);
		err = attr_for(op, fd, &info.attr);
		if (!err && !info.attr.nlink) {
			if (op->c->op == EBPFS_OP_LOOKUP)
				err = -ESTALE;
			else if (op->flags & EBPFS_REPLY_OPEN && !orphan_adopt(op, fd, fh))
				op->flags &= (u16)~EBPFS_REPLY_OPEN;
		}
		if (err)
			hold_give_back(op, fh);
	}
	if (err) {
		close(fd);
		return err;
	}
	len = ebpfs_put_entry(op->buf, op_room(op->c), &info);
	/* Its descriptor keeps the inode in memory for what the client does next. */
	files_expect(files, fh, info.fh_len, op->now);
	if (op->c->op == EBPFS_OP_LOOKUP)
		len += put_first(op, &info, op->buf + len);
	files_add(files, op->e, fh, info.fh_len, fd, (u32)info.type << 12,
		  le64_to_cpu(info.attr.ino), access, op->now);
	return (int)len;
}

static int lookup(struct op *op, struct file *dir)
{
	struct open_how how = {
		.flags = O_PATH | O_NOFOLLOW | O_CLOEXEC,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_XDEV |
			   (op->may_wait ? 0 : RESOLVE_CACHED),
	};
	char name[EBPFS_NAME_MAX + 1];
	unsigned int i;
	int fd, err;

	if (dir->mode != S_IFDIR)
		return -ENOTDIR;
	err = op_allowed(op, dir, EBPFS_MAY_EXEC, false);
	if (err)
		return err;
	op_name(name, op->c->name, op->c->name_len);
	for (i = 0; i < LOOKUP_TRIES; i++) {
		fd = (int)syscall(SYS_openat2, dir->fd, name, &how, sizeof(how));
		if (fd < 0)
			return errno == EMFILE || errno == ENFILE ? -EAGAIN : -errno;
		err = op_put_entry(op, fd, FILE_ANY);
		/* Removed or replaced since it was opened? */
		if (err != -ESTALE)
			return err;
	}
	return -ENOENT;
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
static int read_file(struct op *op, struct file *file)
{
	const struct ebpfs_call_info *c = op->c;
	u32 done = 0;
	int err;

	err = op_allowed(op, file, EBPFS_MAY_READ, true);
	if (err)
		return err;
	while (done < c->count) {
		ssize_t n = pread(file->fd, op->buf + done, c->count - done,
				  (off_t)(c->arg + done));

		if (n < 0 && errno != EINTR)
			return -errno;
		if (!n)
			break;
		if (n > 0)
			done += (u32)n;
	}
	/* A short reply says that the file ends there, always. */
	if (done < c->count || op_at_end(file, c->arg + done))
		op->flags |= EBPFS_REPLY_EOF;
	return (int)done;
}

/* Does @op change what is exported? COMMIT does not. */
static bool changes(u16 op)
{
	switch (op) {
	case EBPFS_OP_CREATE:
	case EBPFS_OP_REMOVE:
	case EBPFS_OP_RENAME:
	case EBPFS_OP_LINK:
	case EBPFS_OP_SETATTR:
	case EBPFS_OP_WRITE:
	case EBPFS_OP_WRITEATTR:
	case EBPFS_OP_SETXATTR:
	case EBPFS_OP_REMOVEXATTR:
	case EBPFS_OP_FALLOCATE:
	case EBPFS_OP_COPY:
	case EBPFS_OP_APPEND:
	case EBPFS_OP_TMPFILE:
		return true;
	default:
		return false;
	}
}

/* Does @op look into the file? */
static bool reads(u16 op)
{
	return op == EBPFS_OP_READ || op == EBPFS_OP_SEEK;
}

bool op_quick(const struct export *e, u16 op)
{
	switch (op) {
	case EBPFS_OP_READDIR:		/* long */
	case EBPFS_OP_RELEASE:		/* likewise */
	case EBPFS_OP_SETXATTR:
	case EBPFS_OP_REMOVEXATTR:
	case EBPFS_OP_FALLOCATE:
	case EBPFS_OP_COPY:
	case EBPFS_OP_APPEND:
	case EBPFS_OP_LOCK:
	case EBPFS_OP_TMPFILE:
		return false;
	case EBPFS_OP_CREATE:
	case EBPFS_OP_REMOVE:
	case EBPFS_OP_RENAME:
	case EBPFS_OP_LINK:
	case EBPFS_OP_SETATTR:
	case EBPFS_OP_ACCESS:
	case EBPFS_OP_WRITE:
	case EBPFS_OP_WRITEATTR:
	case EBPFS_OP_COMMIT:
	case EBPFS_OP_GETXATTR:		/* in blocks of their own */
	case EBPFS_OP_LISTXATTR:
	case EBPFS_OP_SEEK:		/* maps of extents */
		return e->in_memory;
	default:
		/* A remote filesystem may wait anywhere. */
		return e->local;
	}
}

static int dispatch(struct op *op, struct file *file)
{
	switch (op->c->op) {
	case EBPFS_OP_GETATTR:
		return get_attr(op, file);
	case EBPFS_OP_LOOKUP:
		return lookup(op, file);
	case EBPFS_OP_READDIR:
		return op_readdir(op, file);
	case EBPFS_OP_READLINK:
		return read_link(file, op->buf);
	case EBPFS_OP_READ:
		return read_file(op, file);
	case EBPFS_OP_STATFS:
		return put_statfs(op->e, op->buf);
	case EBPFS_OP_ACCESS:
		return op_access(op, file);
	case EBPFS_OP_CREATE:
		return op_create(op, file);
	case EBPFS_OP_REMOVE:
		return op_remove(op, file);
	case EBPFS_OP_RENAME:
		return op_rename(op, file);
	case EBPFS_OP_LINK:
		return op_link(op, file);
	case EBPFS_OP_SETATTR:
		return op_setattr(op, file);
	case EBPFS_OP_WRITE:
	case EBPFS_OP_WRITEATTR:
		return op_write(op, file);
	case EBPFS_OP_COMMIT:
		return op_commit(op, file);
	case EBPFS_OP_GETXATTR:
		return op_getxattr(op, file);
	case EBPFS_OP_LISTXATTR:
		return op_listxattr(op, file);
	case EBPFS_OP_SETXATTR:
		return op_setxattr(op, file);
	case EBPFS_OP_REMOVEXATTR:
		return op_removexattr(op, file);
	case EBPFS_OP_FALLOCATE:
		return op_fallocate(op, file);
	case EBPFS_OP_SEEK:
		return op_seek(op, file);
	case EBPFS_OP_COPY:
		return op_copy(op, file);
	case EBPFS_OP_APPEND:
		return op_append(op, file);
	case EBPFS_OP_TMPFILE:
		return op_tmpfile(op, file);
	default:
		return -EOPNOTSUPP;
	}
}

/* The daemon's own directory is nobody's to see. */
static int check_names(const struct op *op)
{
	const struct ebpfs_call_info *c = op->c;
	const struct ebpfs_op_traits *traits = ebpfs_op_traits(c->op);
	struct ebpfs_target_info t;

	if (traits->flags & EBPFS_TRAIT_NAME && orphan_hidden(c->name, c->name_len))
		return c->op == EBPFS_OP_CREATE ? -EACCES : -ENOENT;
	if ((c->op == EBPFS_OP_RENAME || c->op == EBPFS_OP_LINK) &&
	    !ebpfs_parse_target(c->data, c->data_len, &t) && orphan_hidden(t.name, t.name_len))
		return -EACCES;
	return 0;
}

/* Before names of @dir are changed. No answer tells what it was before, so that is not looked
 * at; but a remote filesystem may not tell afterwards what it is. */
static int before_names(const struct export *e, const struct file *dir, struct op_before *b)
{
	if (!e->local)
		return op_before(e, dir, b);
	before_begin(e, dir, b);
	b->state = (struct op_state){ 0 };
	b->open = true;
	b->blind = true;
	return 0;
}

/* Names of @dir, and of @other unless it is NULL, are changed. With the names locks. */
static int change_names(struct op *op, struct file *file, const struct file *dir,
			const struct file *other)
{
	struct op_before a, b = { .open = false };
	int ret = before_names(op->e, dir, &a);

	if (!ret && other)
		ret = before_names(op->e, other, &b);
	if (!ret) {
		ret = dispatch(op, file);
		op_after(&b, op_may_have_changed(ret), NULL);
		op_after(&a, op_may_have_changed(ret), NULL);
		return ret;
	}
	op_after(&a, false, NULL);
	return ret;
}

/* LINK and RENAME: names of the directory that the call's data tell, too. */
static int change_target(struct op *op, struct file *file)
{
	struct ebpfs_target_info t;
	struct file *target;
	int ret;

	/* What is wrong with the call is for itself to say. */
	if (ebpfs_parse_target(op->c->data, op->c->data_len, &t))
		return dispatch(op, file);
	ret = files_open(&op->srv->files, op->e, t.fh, t.fh_len, FILE_ANY, op->now, &target);
	if (ret)
		return ret == -EAGAIN ? ret : dispatch(op, file);
	if (op->c->op == EBPFS_OP_LINK || target == file)
		ret = change_names(op, file, target, NULL);
	else
		ret = change_names(op, file, file, target);
	files_put(target);
	return ret;
}

/* A change: when all leases of others on what it changes were given back. */
static int change(struct op *op, struct file *file)
{
	int ret = hold_begin(op, file);

	if (ret)
		return ret;
	switch (op->c->op) {
	case EBPFS_OP_CREATE:
	case EBPFS_OP_REMOVE:
		ret = change_names(op, file, file, NULL);
		break;
	case EBPFS_OP_LINK:
	case EBPFS_OP_RENAME:
		ret = change_target(op, file);
		break;
	default:
		ret = dispatch(op, file);
	}
	hold_end(op);
	return ret;
}

/* Number 0 lets go of nothing: it says that all is claimed that was held before. */
static int release(struct op *op)
{
	struct ebpfs_release_info r;

	if (ebpfs_parse_release(op->c->data, op->c->data_len, &r) >= 0 && !r.hold)
		grace_finished(&op->srv->grace, op->owner);
	return op_release(op);
}

int op_run(struct op *op, struct op_result *res)
{
	struct file *file = NULL;
	int ret;

	op->flags = 0;
	memset(res, 0, sizeof(*res));
	if (op->c->op == EBPFS_OP_PING)
		return 0;
	if (changes(op->c->op) && !op->e->writable) {
		res->status = EROFS;
		return 0;
	}
	if (!op->may_wait && !op_quick(op->e, op->c->op))
		return -EAGAIN;
	ret = op->c->op == EBPFS_OP_LOCK ? op_lock(op) :
	      op->c->op == EBPFS_OP_RELEASE ? release(op) :
	      get_file(op, reads(op->c->op) ? FILE_READ : FILE_ANY, &file);
	/* Who removes it may be about to keep it. */
	if (ret == -ESTALE && !file && hold_in_change(op))
		return -EAGAIN;
	if (file) {
		ret = check_names(op);
		if (!ret)
			ret = changes(op->c->op) ? change(op, file) : dispatch(op, file);
		files_put(file);
	}
	if ((ret == -EAGAIN && !op->refused) || ret == -EINPROGRESS)
		return ret;
	if (ret < 0) {
		res->status = (u16)-ret;
	} else {
		res->flags = op->flags;
		res->total = (u32)ret;
	}
	return 0;
}

void op_revoke(struct op *op, struct file *any)
{
	struct file *file = files_get(&op->srv->files, op->e, op->c->fh, op->c->fh_len, FILE_ANY,
				      op->now);

	file_revoke(any);
	if (!file)
		return;
	file_revoke(file);
	files_put(file);
}
