// SPDX-License-Identifier: GPL-2.0
/*
 * What changes names and attributes: CREATE, TMPFILE, REMOVE, RENAME, LINK, SETATTR.
 * See ops.h. Runs in helper threads, or workers for what is in memory, each with a umask of
 * its own.
 *
 * Every change is one system call made as the user, relative to a descriptor of
 * the directory and with a name of one component: so nothing outside the export
 * is reached, and what the user may, how a new file's owner, group and mode come
 * about, and what happens to setuid bits is the kernel's to say.
 *
 * Changes are recognised by whoever comes after a crash of the daemon (intent.h). What
 * is made gets its name only when its handle is in the log: a regular file is unnamed
 * until then, anything else has a name that the next start removes. What a name meant
 * before is in the log when it is removed or changed.
 *
 * After a change has happened the client must hear so: nothing may be turned into
 * "ask again" any more, see op_certain().
 */
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

#include "cred.h"
#include "export.h"
#include "handle.h"
#include "hold.h"
#include "idmap.h"
#include "intent.h"
#include "ops.h"
#include "orphan.h"
#include "server.h"

#define TIGHT_TRIES	100
#define TIGHT_PAUSE	10	/* ms */

static __thread u32 own_umask = ~0u;	/* as far as it is known */

/* A system call only if another user makes files than before. */
static void set_umask(u32 mask)
{
	if (mask != own_umask)
		umask(mask);
	own_umask = mask;
}

static void pause_a_little(void)
{
	const struct timespec t = { .tv_nsec = TIGHT_PAUSE * 1000000l };

	nanosleep(&t, NULL);
}

static int open_name(int dir, const char *name, u64 flags, u64 mode)
{
	struct open_how how = {
		.flags = flags | O_NOFOLLOW | O_CLOEXEC,
		.mode = mode,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_XDEV | RESOLVE_NO_SYMLINKS,
	};

	return (int)syscall(SYS_openat2, dir, name, &how, sizeof(how));
}

/* Open what was just made. Descriptors may be short, but not for long: nobody
 * waits for anything while one is open. */
static int open_made(int dir, const char *name)
{
	unsigned int i;
	int fd;

	for (i = 0; ; i++) {
		fd = open_name(dir, name, O_PATH, 0);
		if (fd >= 0 || i == TIGHT_TRIES ||
		    (errno != EMFILE && errno != ENFILE && errno != ENOMEM && errno != EINTR))
			return fd >= 0 ? fd : -errno;
		pause_a_little();
	}
}

/* As the user: make what is no regular file. 0 or -1 and errno. */
static int make_node(int dir, const char *name, const struct ebpfs_create *c, const u8 *target)
{
	u32 mode = le32_to_cpu(c->mode), len = le32_to_cpu(c->target_len);
	char link[EBPFS_LINK_MAX + 1];

	switch (mode & S_IFMT) {
	case S_IFDIR:
		return mkdirat(dir, name, mode & 07777);
	case S_IFLNK:
		memcpy(link, target, len);
		link[len] = '\0';
		return symlinkat(link, dir, name);
	default:
		return mknodat(dir, name, mode, makedev(le32_to_cpu(c->rdev_major),
							le32_to_cpu(c->rdev_minor)));
	}
}

/* When a file is made without a way to recognise it for sure: not before this. */
static void mark_now(u8 mark[EBPFS_INTENT_MARK])
{
	struct timespec t;
	u64 ns;

	/* The clock of birth times. */
	clock_gettime(CLOCK_REALTIME_COARSE, &t);
	ns = (u64)t.tv_sec * EBPFS_NSEC_PER_SEC + (u64)t.tv_nsec;
	memset(mark, 0, EBPFS_INTENT_MARK);
	memcpy(mark, &ns, sizeof(ns));
}

/* The intent to make a file under its name at once: a filesystem without unnamed files
 * or without RENAME_NOREPLACE, or a directory in which names can only be added. */
static void write_direct(struct op *op)
{
	u8 mark[EBPFS_INTENT_MARK];

	mark_now(mark);
	intent_write(op, INTENT_DIRECT, mark, NULL, NULL, 0);
	intent_point(op, INTENT_POINT_INTENT);
}

/* Is what the name means now the file that an earlier life began to make at once? It is
 * if it is new, and just that. */
static int made_directly(struct op *op, int dir, const char *name,
			 const struct ebpfs_create *c)
{
	const struct ebpfs_intent *f = intent_former(op->intent);
	const struct statx_timestamp *t;
	struct statx sx;
	u64 since, born;
	int fd;

	fd = open_name(dir, name, O_PATH, 0);
	if (fd < 0)
		return -ENOENT;
	memcpy(&since, f->a, sizeof(since));
	if (!statx(fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS | STATX_BTIME, &sx)) {
		t = sx.stx_mask & STATX_BTIME ? &sx.stx_btime : &sx.stx_ctime;
		born = (u64)t->tv_sec * EBPFS_NSEC_PER_SEC + t->tv_nsec;
		if (born >= since && !((sx.stx_mode ^ le32_to_cpu(c->mode)) & S_IFMT) &&
		    sx.stx_uid == (op->user ? op->user->uid : 0))
			return fd;
	}
	close(fd);
	return -ENOENT;
}

/* What an earlier life made for this call, if it has got its name: O_PATH. -ENOENT:
 * nothing. */
static int made_before(struct op *op, int dir, const char *name, const struct ebpfs_create *c)
{
	const struct ebpfs_intent *f = intent_former(op->intent);
	struct intent_temp temp;
	struct stat st;
	int fd;

	if (!f)
		return -ENOENT;
	if (f->flags & INTENT_DIRECT)
		return made_directly(op, dir, name, c);
	if (!ebpfs_intent_has_effect(f))
		return -ENOENT;
	if (f->flags & INTENT_TEMP && ebpfs_intent_has_note(f)) {
		/* The start has removed it, if it could. */
		memcpy(&temp, f->reply, sizeof(temp));
		if (!unlinkat(dir, temp.name, temp.is_dir ? AT_REMOVEDIR : 0))
			return -ENOENT;
	}
	fd = handle_open(op->e, f->fh, O_PATH | O_NOFOLLOW);
	if (fd < 0)
		return op_failed(-fd) == -EAGAIN ? -EAGAIN : -ENOENT;
	if (!fstat(fd, &st) && st.st_nlink)
		return fd;
	close(fd);
	return -ENOENT;
}

/* As the user: give an unnamed file its name. 0 or -1 and errno. */
static int name_it(struct op *op, int fd, int dir, const char *name)
{
	char number[16];

	/* Since Linux 6.10 who made it may do that. */
	if (!linkat(fd, "", dir, name, AT_EMPTY_PATH))
		return 0;
	if (errno != ENOENT)
		return -1;
	snprintf(number, sizeof(number), "%d", fd);
	return linkat(op->srv->proc_fds, number, dir, name, AT_SYMLINK_FOLLOW);
}

/* As the user: a new regular file, made without a name and then given it. */
static int make_unnamed(struct op *op, int dir, const char *name, u32 mode)
{
	int fd, len = -EOPNOTSUPP, err;

	fd = openat(dir, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, mode);
	if (fd >= 0)
		len = handle_make(op->e, fd, S_IFREG, op->made);
	if (len < 0) {
		/* Not on this filesystem; or an error, and that of the plain way is
		 * what the user shall see. */
		if (fd >= 0)
			close(fd);
		write_direct(op);
		return open_name(dir, name, O_RDWR | O_CREAT | O_EXCL, mode);
	}
	intent_write(op, 0, NULL, NULL, NULL, 0);
	intent_effect(op, op->made, (u16)len);
	intent_point(op, INTENT_POINT_INTENT);
	if (!name_it(op, fd, dir, name)) {
		op->made_len = (u16)len;
		return fd;
	}
	err = errno;
	close(fd);
	errno = err;
	return -1;
}

/* As the user: a regular file of that name, made or, unless EXCL, there already. */
static int make_file(struct op *op, int dir, const char *name, const struct ebpfs_create *c,
		     u8 *access)
{
	u32 mode = le32_to_cpu(c->mode) & 07777;
	bool excl = le32_to_cpu(c->flags) & EBPFS_CREATE_EXCL;
	unsigned int i;
	struct stat st;
	int fd;

	/* A name that must be new mostly is: no look before. */
	if (op->intent && excl) {
		*access = FILE_WRITE;
		return make_unnamed(op, dir, name, mode);
	}
	for (i = 0; i < TIGHT_TRIES; i++) {
		*access = FILE_WRITE;
		if (!op->intent) {
			fd = open_name(dir, name, O_RDWR | O_CREAT | O_EXCL, mode);
			if (fd >= 0 || errno != EEXIST || excl)
				return fd;
		}
		fd = open_name(dir, name, O_PATH, 0);
		if (fd >= 0 && !fstat(fd, &st) && S_ISREG(st.st_mode)) {
			*access = FILE_ANY;
			return fd;
		}
		if (fd >= 0) {
			close(fd);
			errno = EEXIST;
			return -1;
		}
		if (errno == ELOOP)
			errno = EEXIST;
		if (errno != ENOENT)
			return -1;
		/* Not there; or gone between the two, then again. */
		if (op->intent) {
			fd = make_unnamed(op, dir, name, mode);
			if (fd >= 0 || errno != EEXIST)
				return fd;
		}
	}
	errno = EINTR;
	return -1;
}

/* Can names be added to @dir, and not changed? */
static bool append_only(int dir)
{
	struct statx sx;

	return !statx(dir, "", AT_EMPTY_PATH, STATX_TYPE, &sx) &&
	       sx.stx_attributes & STATX_ATTR_APPEND;
}

/* As the user: what is no regular file, under a name that is not to stay, which is
 * then changed. -1 and errno; EINVAL: not on this filesystem. */
static int make_renamed(struct op *op, int dir, const char *name, const struct ebpfs_create *c,
			const u8 *target)
{
	u8 fh[EBPFS_FH_MAX] __attribute__((aligned(8)));
	struct intent_temp temp = { .fh_len = op->c->fh_len };
	int fd, len, err;

	memcpy(temp.fh, op->c->fh, op->c->fh_len);
	temp.is_dir = S_ISDIR(le32_to_cpu(c->mode));
	intent_temp_name(&temp);
	intent_write(op, INTENT_TEMP, NULL, NULL, &temp, sizeof(temp));
	intent_point(op, INTENT_POINT_INTENT);
	if (make_node(dir, temp.name, c, target))
		return -1;
	fd = open_made(dir, temp.name);
	len = fd < 0 ? fd : handle_make(op->e, fd, le32_to_cpu(c->mode), fh);
	if (len >= 0) {
		intent_effect(op, fh, (u16)len);
		intent_point(op, INTENT_POINT_MADE);
		if (!renameat2(dir, temp.name, dir, name, RENAME_NOREPLACE))
			return fd;
		len = -errno;
	}
	err = -len;
	unlinkat(dir, temp.name, temp.is_dir ? AT_REMOVEDIR : 0);
	if (fd >= 0)
		close(fd);
	errno = err;
	return -1;
}

/* As the user: what is no regular file. An O_PATH descriptor, or -1 and errno; or
 * -errno below -1: it was made, and cannot be opened. */
static int make_other(struct op *op, int dir, const char *name, const struct ebpfs_create *c,
		      const u8 *target)
{
	struct stat st;
	int fd;

	if (op->intent) {
		if (!fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW))
			errno = EEXIST;
		if (errno != ENOENT)
			return -1;
		if (!append_only(dir)) {
			fd = make_renamed(op, dir, name, c, target);
			if (fd >= 0 || errno != EINVAL)
				return fd;
		}
		write_direct(op);
	}
	if (make_node(dir, name, c, target))
		return -1;
	fd = open_made(dir, name);
	/* -EPERM is -1. */
	return fd == -1 ? -EACCES : fd;
}

int op_create(struct op *op, struct file *dir)
{
	const struct ebpfs_call_info *c = op->c;
	char name[EBPFS_NAME_MAX + 1];
	struct ebpfs_create create;
	u8 access = FILE_ANY;
	const u8 *target;
	int fd, err;

	if (ebpfs_parse_create(c->data, c->data_len, &create, &target))
		return -EINVAL;
	if (dir->mode != S_IFDIR)
		return -ENOTDIR;
	op_name(name, c->name, c->name_len);
	fd = made_before(op, dir->fd, name, &create);
	if (fd != -ENOENT)
		return fd < 0 ? fd : op_certain(op_put_entry(op, fd, access));
	err = cred_become(op->user);
	if (err)
		return err;
	set_umask(le32_to_cpu(create.umask));
	if (S_ISREG(le32_to_cpu(create.mode)))
		fd = make_file(op, dir->fd, name, &create, &access);
	else
		fd = make_other(op, dir->fd, name, &create, target);
	err = errno;
	cred_return(op->user);
	if (fd < -1)
		return op_certain(fd);
	return fd < 0 ? op_failed(err) : op_certain(op_put_entry(op, fd, access));
}

/* Nothing is written to the log: what a crash leaves of it nobody holds. */
int op_tmpfile(struct op *op, struct file *dir)
{
	u8 fh[EBPFS_FH_MAX] __attribute__((aligned(8)));
	struct ebpfs_create create;
	const u8 *target;
	int fd, len, ret;
	u32 mode;

	if (ebpfs_parse_create(op->c->data, op->c->data_len, &create, &target))
		return -EINVAL;
	mode = le32_to_cpu(create.mode);
	if (!S_ISREG(mode) || !(le32_to_cpu(create.flags) & EBPFS_CREATE_EXCL))
		return -EINVAL;
	if (dir->mode != S_IFDIR)
		return -ENOTDIR;
	ret = cred_become(op->user);
	if (ret)
		return ret;
	set_umask(le32_to_cpu(create.umask));
	fd = openat(dir->fd, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, mode & 07777);
	ret = fd < 0 ? op_failed(errno) : 0;
	cred_return(op->user);
	if (ret)
		return ret;
	len = handle_make(op->e, fd, S_IFREG, fh);
	if (len < 0) {
		close(fd);
		return len;
	}
	orphan_born(op, fd, fh);
	ret = op_put_entry(op, fd, FILE_WRITE);
	if (ret < 0 || !(op->flags & EBPFS_REPLY_OPEN)) {
		hold_give_back(op, fh);
		orphan_unborn(op, fh);
	}
	return op_certain(ret < 0 || op->flags & EBPFS_REPLY_OPEN ? ret : -ENFILE);
}

/**
 * struct meaning - what a name means
 * @known: @mark is there
 * @none: nothing
 * @mark: its file
 */
struct meaning {
	bool known;
	bool none;
	u8 mark[EBPFS_INTENT_MARK];
};

static struct meaning meaning_of(const struct op *op, int dir, const char *name)
{
	struct meaning m = { 0 };

	if (op->intent) {
		m.known = intent_mark(op->e, dir, name, m.mark);
		m.none = !m.known && errno == ENOENT;
	}
	return m;
}

/* Of REMOVE, of which the victim was opened for that. If the name means another file by
 * now, a local process has changed it, and what the client meant is gone. */
static struct meaning meaning_of_victim(const struct op *op, int dir, const char *name)
{
	struct meaning m = { .known = true };

	if (!op->intent || !op->change->has_victim)
		return meaning_of(op, dir, name);
	intent_mark_key(op->e, &op->change->victim_key, m.mark);
	return m;
}

static bool means(const struct meaning *m, const u8 mark[EBPFS_INTENT_MARK])
{
	return m->known && !memcmp(m->mark, mark, EBPFS_INTENT_MARK);
}

/* It is known, and it is not that. */
static bool means_other(const struct meaning *m, const u8 mark[EBPFS_INTENT_MARK])
{
	return m->none || (m->known && memcmp(m->mark, mark, EBPFS_INTENT_MARK));
}

int op_remove(struct op *op, struct file *dir)
{
	const struct ebpfs_intent *former = intent_former(op->intent);
	char name[EBPFS_NAME_MAX + 1];
	struct meaning m;
	int err;

	if (op->c->arg != EBPFS_REMOVE_FILE && op->c->arg != EBPFS_REMOVE_DIR)
		return -EINVAL;
	if (dir->mode != S_IFDIR)
		return -ENOTDIR;
	op_name(name, op->c->name, op->c->name_len);
	m = meaning_of_victim(op, dir->fd, name);
	if (former && means_other(&m, former->a))
		return 0;
	err = cred_become(op->user);
	if (err)
		return err;
	if (m.known)
		intent_write(op, INTENT_A, m.mark, NULL, NULL, 0);
	intent_point(op, INTENT_POINT_INTENT);
	if (unlinkat(dir->fd, name, op->c->arg == EBPFS_REMOVE_DIR ? AT_REMOVEDIR : 0))
		err = op_failed(errno);
	cred_return(op->user);
	return err;
}

/* The directory of a new name, and the name. */
static int get_target(struct op *op, struct file **dir, char name[EBPFS_NAME_MAX + 1])
{
	struct ebpfs_target_info t;
	int err;

	if (ebpfs_parse_target(op->c->data, op->c->data_len, &t))
		return -EINVAL;
	op_name(name, t.name, t.name_len);
	err = files_open(&op->srv->files, op->e, t.fh, t.fh_len, FILE_ANY, op->now, dir);
	if (err)
		return err;
	if ((*dir)->mode == S_IFDIR)
		return 0;
	files_put(*dir);
	return -ENOTDIR;
}

/* Has an earlier life changed the names, which now mean @a and @b? */
static bool renamed_before(const struct op *op, const struct meaning *a, const struct meaning *b)
{
	const struct ebpfs_intent *f = intent_former(op->intent);
	bool had_b;

	if (!f)
		return false;
	had_b = f->flags & INTENT_B;
	/* Two names of one file: nothing happens, however often. */
	if (had_b && !memcmp(f->a, f->b, sizeof(f->a)))
		return false;
	if (means(b, f->a) && means_other(a, f->a))
		return true;
	if (op->c->arg & RENAME_EXCHANGE)
		return had_b && means(a, f->b) && means_other(b, f->b);
	/* Neither is as it was: ours was done, and another has changed the new name since. */
	return means_other(a, f->a) && (had_b ? means_other(b, f->b) : b->known);
}

int op_rename(struct op *op, struct file *dir)
{
	struct meaning a, b;
	char from[EBPFS_NAME_MAX + 1], to[EBPFS_NAME_MAX + 1];
	struct file *to_dir;
	int err;

	if (op->c->arg & ~(u64)(RENAME_NOREPLACE | RENAME_EXCHANGE))
		return -EINVAL;
	if (dir->mode != S_IFDIR)
		return -ENOTDIR;
	op_name(from, op->c->name, op->c->name_len);
	err = get_target(op, &to_dir, to);
	if (err)
		return err;
	a = meaning_of(op, dir->fd, from);
	b = meaning_of(op, to_dir->fd, to);
	if (renamed_before(op, &a, &b)) {
		files_put(to_dir);
		return 0;
	}
	err = cred_become(op->user);
	if (!err) {
		if (a.known && (b.known || b.none))
			intent_write(op, b.known ? INTENT_A | INTENT_B : INTENT_A, a.mark, b.mark,
				     NULL, 0);
		intent_point(op, INTENT_POINT_INTENT);
		if (renameat2(dir->fd, from, to_dir->fd, to, (unsigned int)op->c->arg))
			err = op_failed(errno);
		cred_return(op->user);
	}
	files_put(to_dir);
	return err;
}

int op_link(struct op *op, struct file *file)
{
	const struct ebpfs_intent *former = intent_former(op->intent);
	char name[EBPFS_NAME_MAX + 1], number[16];
	u8 mark[EBPFS_INTENT_MARK];
	struct meaning m;
	struct file *dir;
	int err;

	err = get_target(op, &dir, name);
	if (err)
		return err;
	/* AT_EMPTY_PATH would take a capability that a user does not have; the way
	 * through /proc leads to the very file, be it a symbolic link. */
	snprintf(number, sizeof(number), "%d", file->fd);
	intent_mark_fh(op->e, op->c->fh, mark);
	m = meaning_of(op, dir->fd, name);
	if (former && means(&m, mark)) {
		files_put(dir);
		err = op_attr(op->e, file->fd, (struct ebpfs_attr *)op->buf);
		return err ? op_certain(err) : (int)sizeof(struct ebpfs_attr);
	}
	err = cred_become(op->user);
	if (!err) {
		/* A name that exists is not made: there is nothing to recognise. */
		if (m.none)
			intent_write(op, INTENT_A, mark, NULL, NULL, 0);
		intent_point(op, INTENT_POINT_INTENT);
		if (linkat(op->srv->proc_fds, number, dir->fd, name, AT_SYMLINK_FOLLOW))
			err = op_failed(errno);
		cred_return(op->user);
	}
	files_put(dir);
	if (err)
		return err;
	err = op_attr(op->e, file->fd, (struct ebpfs_attr *)op->buf);
	return err ? op_certain(err) : (int)sizeof(struct ebpfs_attr);
}

static struct timespec time_of(u32 valid, u32 set, u32 now, __le64 s, __le32 ns)
{
	if (valid & now)
		return (struct timespec){ .tv_nsec = UTIME_NOW };
	if (valid & set)
		return (struct timespec){ .tv_sec = (time_t)le64_to_cpu(s),
					  .tv_nsec = (long)le32_to_cpu(ns) };
	return (struct timespec){ .tv_nsec = UTIME_OMIT };
}

int op_parse_setattr(struct op *op, const void *from, struct ebpfs_setattr *a)
{
	u32 valid;

	if (ebpfs_parse_setattr(from, a))
		return -EINVAL;
	valid = le32_to_cpu(a->valid);
	/* chown()'s number for "as it is". */
	if ((valid & EBPFS_SET_UID && a->uid == ~0u) || (valid & EBPFS_SET_GID && a->gid == ~0u))
		return -EINVAL;
	return idmap_setattr(op->e->idmap, a);
}

/* The next three by the descriptor if that is one to read or write with: for a path, and be it
 * empty, the kernel takes a page and clears it. */

static int set_owner(const struct file *file, uid_t uid, gid_t gid)
{
	return file->access == FILE_ANY ? fchownat(file->fd, "", uid, gid, AT_EMPTY_PATH) :
					  fchown(file->fd, uid, gid);
}

static int set_mode(const struct file *file, mode_t mode)
{
	return file->access == FILE_ANY ?
	       (int)syscall(SYS_fchmodat2, file->fd, "", mode, AT_EMPTY_PATH) :
	       fchmod(file->fd, mode);
}

static int set_times(const struct file *file, const struct timespec times[2])
{
	return file->access == FILE_ANY ? utimensat(file->fd, "", times, AT_EMPTY_PATH) :
					  futimens(file->fd, times);
}

int op_set_attributes(const struct file *file, u32 valid, const struct ebpfs_setattr *a,
		      bool *changed)
{
	if (valid & (EBPFS_SET_UID | EBPFS_SET_GID)) {
		if (set_owner(file, valid & EBPFS_SET_UID ? le32_to_cpu(a->uid) : (uid_t)-1,
			      valid & EBPFS_SET_GID ? le32_to_cpu(a->gid) : (gid_t)-1))
			return -1;
		*changed = true;
	}
	if (valid & EBPFS_SET_MODE) {
		if (set_mode(file, le32_to_cpu(a->mode) & 07777))
			return -1;
		*changed = true;
	}
	if (valid & (EBPFS_SET_ATIME | EBPFS_SET_MTIME | EBPFS_SET_ATIME_NOW |
		     EBPFS_SET_MTIME_NOW)) {
		const struct timespec times[] = {
			time_of(valid, EBPFS_SET_ATIME, EBPFS_SET_ATIME_NOW, a->atime, a->atime_ns),
			time_of(valid, EBPFS_SET_MTIME, EBPFS_SET_MTIME_NOW, a->mtime, a->mtime_ns),
		};

		if (set_times(file, times))
			return -1;
		*changed = true;
	}
	return 0;
}

/* The file, open for writing, if its size is to be set and the user may. */
static int open_to_size(struct op *op, struct file *any, struct file **file)
{
	int err;

	if (any->mode != S_IFREG)
		return any->mode == S_IFDIR ? -EISDIR : -EINVAL;
	err = op_allowed(op, any, EBPFS_MAY_WRITE, true);
	if (err)
		return err;
	return files_open(&op->srv->files, op->e, op->c->fh, op->c->fh_len, FILE_WRITE, op->now,
			  file);
}

/*
 * The intent to set attributes. They can be set again, but not the size if an earlier
 * life may have set it: that would cut off what others have written since. Return:
 * true if the size is to be set.
 */
static bool intend_setattr(struct op *op, const struct op_before *before)
{
	const struct ebpfs_intent *former = intent_former(op->intent);
	u8 mark[EBPFS_INTENT_MARK] = { 0 };
	bool was_set;

	memcpy(mark, &before->state.raw, sizeof(before->state.raw));
	was_set = former && (ebpfs_intent_has_effect(former) ||
			     memcmp(former->a, mark, sizeof(mark)));
	intent_write(op, INTENT_A, mark, NULL, NULL, 0);
	if (was_set)
		intent_effect(op, op->c->fh, op->c->fh_len);
	intent_point(op, INTENT_POINT_INTENT);
	return !was_set;
}

int op_setattr(struct op *op, struct file *any)
{
	struct ebpfs_written *out = (struct ebpfs_written *)op->buf;
	const struct ebpfs_call_info *c = op->c;
	struct op_before before;
	struct file *file = NULL;
	struct ebpfs_setattr a;
	pthread_mutex_t *lock;
	bool changed = false;
	u32 valid;
	int err;

	err = op_parse_setattr(op, c->data, &a);
	if (err)
		return err;
	valid = le32_to_cpu(a.valid);
	/* What is cut off may be a lot to free. */
	if (!op->may_wait && valid & EBPFS_SET_SIZE)
		return -EAGAIN;
	if (valid & EBPFS_SET_SIZE) {
		err = open_to_size(op, any, &file);
		if (err)
			return err;
		/* Setting the size does that; by itself it would take the owner. */
		if (!(valid & (EBPFS_SET_ATIME | EBPFS_SET_ATIME_NOW)))
			valid &= ~EBPFS_SET_MTIME_NOW;
	}
	lock = files_lock(&op->srv->files, c->fh, c->fh_len);
	if (op->may_wait) {
		pthread_mutex_lock(lock);
	} else if (pthread_mutex_trylock(lock)) {
		if (file)
			files_put(file);
		return -EAGAIN;
	}
	err = op_before(op->e, any, &before);
	if (!err)
		err = cred_become(op->user);
	if (!err) {
		if (intend_setattr(op, &before) && file) {
			if (ftruncate(file->fd, (off_t)le64_to_cpu(a.size)))
				err = op_failed(errno);
			else
				changed = true;
			if (!err)
				intent_effect(op, op->c->fh, op->c->fh_len);
		}
		if (!err && op_set_attributes(any, valid, &a, &changed))
			err = op_failed(errno);
		cred_return(op->user);
	}
	if (!err) {
		memset(out, 0, sizeof(*out));
		out->before = cpu_to_le64(before.change);
		err = op_after(&before, true, &out->attr);
	}
	op_after(&before, changed || op_may_have_changed(err), NULL);
	pthread_mutex_unlock(lock);
	if (valid & (EBPFS_SET_MODE | EBPFS_SET_UID | EBPFS_SET_GID)) {
		op_revoke(op, any);
		if (file)
			file_revoke(file);
	}
	if (file) {
		struct stat st;

		if (!fstat(file->fd, &st))
			WRITE_ONCE(file->size, (u64)st.st_size);
		files_put(file);
	}
	if (err)
		return changed ? op_certain(err) : err;
	return sizeof(*out);
}
