// SPDX-License-Identifier: GPL-2.0
/*
 * What changes names and attributes: CREATE, REMOVE, RENAME, LINK, SETATTR. See
 * ops.h. Runs in helper threads, each with a umask of its own.
 *
 * Every change is one system call made as the user, relative to a descriptor of
 * the directory and with a name of one component: so nothing outside the export
 * is reached, and what the user may, how a new file's owner, group and mode come
 * about, and what happens to setuid bits is the kernel's to say.
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
#include "ops.h"
#include "server.h"

#define TIGHT_TRIES	100
#define TIGHT_PAUSE	10	/* ms */

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

/* As the user: a regular file of that name, made or, unless EXCL, there already. */
static int make_file(int dir, const char *name, const struct ebpfs_create *c, u8 *access)
{
	unsigned int i;
	struct stat st;
	int fd;

	for (i = 0; i < TIGHT_TRIES; i++) {
		fd = open_name(dir, name, O_RDWR | O_CREAT | O_EXCL,
			       le32_to_cpu(c->mode) & 07777);
		if (fd >= 0) {
			*access = FILE_WRITE;
			return fd;
		}
		if (errno != EEXIST || le32_to_cpu(c->flags) & EBPFS_CREATE_EXCL)
			return -1;
		*access = FILE_ANY;
		fd = open_name(dir, name, O_PATH, 0);
		if (fd >= 0 && !fstat(fd, &st) && S_ISREG(st.st_mode))
			return fd;
		if (fd >= 0) {
			close(fd);
			errno = EEXIST;
			return -1;
		}
		if (errno == ELOOP)
			errno = EEXIST;
		if (errno != ENOENT)
			return -1;
		/* Gone between the two: again. */
	}
	errno = EINTR;
	return -1;
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
	err = cred_become(op->user);
	if (err)
		return err;
	umask(le32_to_cpu(create.umask));
	if (S_ISREG(le32_to_cpu(create.mode))) {
		fd = make_file(dir->fd, name, &create, &access);
		err = errno;
	} else {
		fd = make_node(dir->fd, name, &create, target);
		err = errno;
	}
	cred_return(op->user);
	if (fd < 0)
		return op_failed(err);
	if (!S_ISREG(le32_to_cpu(create.mode))) {
		fd = open_made(dir->fd, name);
		if (fd < 0)
			return op_certain(fd);
	}
	return op_certain(op_put_entry(op, fd, access));
}

int op_remove(struct op *op, struct file *dir)
{
	char name[EBPFS_NAME_MAX + 1];
	int err;

	if (op->c->arg != EBPFS_REMOVE_FILE && op->c->arg != EBPFS_REMOVE_DIR)
		return -EINVAL;
	if (dir->mode != S_IFDIR)
		return -ENOTDIR;
	op_name(name, op->c->name, op->c->name_len);
	err = cred_become(op->user);
	if (err)
		return err;
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

int op_rename(struct op *op, struct file *dir)
{
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
	err = cred_become(op->user);
	if (!err) {
		if (renameat2(dir->fd, from, to_dir->fd, to, (unsigned int)op->c->arg))
			err = op_failed(errno);
		cred_return(op->user);
	}
	files_put(to_dir);
	return err;
}

int op_link(struct op *op, struct file *file)
{
	char name[EBPFS_NAME_MAX + 1], number[16];
	struct file *dir;
	int err;

	err = get_target(op, &dir, name);
	if (err)
		return err;
	/* AT_EMPTY_PATH would take a capability that a user does not have; the way
	 * through /proc leads to the very file, be it a symbolic link. */
	snprintf(number, sizeof(number), "%d", file->fd);
	err = cred_become(op->user);
	if (!err) {
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

/* As the user: all but the size. 0 or -1 and errno; *@changed is set with the first
 * thing that was. */
static int set_attributes(int fd, u32 valid, const struct ebpfs_setattr *a, bool *changed)
{
	if (valid & (EBPFS_SET_UID | EBPFS_SET_GID)) {
		if (fchownat(fd, "", valid & EBPFS_SET_UID ? le32_to_cpu(a->uid) : (uid_t)-1,
			     valid & EBPFS_SET_GID ? le32_to_cpu(a->gid) : (gid_t)-1,
			     AT_EMPTY_PATH))
			return -1;
		*changed = true;
	}
	if (valid & EBPFS_SET_MODE) {
		if (syscall(SYS_fchmodat2, fd, "", le32_to_cpu(a->mode) & 07777, AT_EMPTY_PATH))
			return -1;
		*changed = true;
	}
	if (valid & (EBPFS_SET_ATIME | EBPFS_SET_MTIME | EBPFS_SET_ATIME_NOW |
		     EBPFS_SET_MTIME_NOW)) {
		const struct timespec times[] = {
			time_of(valid, EBPFS_SET_ATIME, EBPFS_SET_ATIME_NOW, a->atime, a->atime_ns),
			time_of(valid, EBPFS_SET_MTIME, EBPFS_SET_MTIME_NOW, a->mtime, a->mtime_ns),
		};

		if (utimensat(fd, "", times, AT_EMPTY_PATH))
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

int op_setattr(struct op *op, struct file *any)
{
	struct ebpfs_written *out = (struct ebpfs_written *)op->buf;
	const struct ebpfs_call_info *c = op->c;
	struct ebpfs_attr before;
	struct file *file = NULL;
	struct ebpfs_setattr a;
	pthread_mutex_t *lock;
	bool changed = false;
	u32 valid;
	int err;

	if (ebpfs_parse_setattr(c->data, &a))
		return -EINVAL;
	valid = le32_to_cpu(a.valid);
	/* chown()'s number for "as it is". */
	if ((valid & EBPFS_SET_UID && a.uid == ~0u) || (valid & EBPFS_SET_GID && a.gid == ~0u))
		return -EINVAL;
	if (valid & EBPFS_SET_SIZE) {
		err = open_to_size(op, any, &file);
		if (err)
			return err;
		/* Setting the size does that; by itself it would take the owner. */
		if (!(valid & (EBPFS_SET_ATIME | EBPFS_SET_ATIME_NOW)))
			valid &= ~EBPFS_SET_MTIME_NOW;
	}
	lock = files_lock(&op->srv->files, c->fh, c->fh_len);
	pthread_mutex_lock(lock);
	err = op_attr(op->e, any->fd, &before);
	if (!err)
		err = cred_become(op->user);
	if (!err) {
		if (file && ftruncate(file->fd, (off_t)le64_to_cpu(a.size)))
			err = op_failed(errno);
		else
			changed = file;
		if (!err && set_attributes(any->fd, valid, &a, &changed))
			err = op_failed(errno);
		cred_return(op->user);
	}
	if (!err) {
		memset(out, 0, sizeof(*out));
		out->before = before.change;
		err = op_attr(op->e, any->fd, &out->attr);
	}
	pthread_mutex_unlock(lock);
	if (valid & (EBPFS_SET_MODE | EBPFS_SET_UID | EBPFS_SET_GID)) {
		/* Whoever finds it in the cache finds this one, or that. */
		file_revoke(any);
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
