// SPDX-License-Identifier: GPL-2.0
/*
 * READDIR: a piece of a directory, with attributes and handles, so that a
 * client that looks at every file of a directory asks once per few hundred.
 *
 * Each call opens the directory anew and seeks to the cookie, which is the
 * filesystem's own position (d_off): nothing is kept between calls, and a
 * cookie is good for as long as the filesystem says, restarts included. A directory
 * that was removed while it is open is empty. Runs in helper threads.
 *
 * An entry's attributes and its handle must belong to the same file, whatever is renamed
 * meanwhile. Where the kernel's module is at hand (grant.h) it describes many names in one
 * system call, each pair of answers of one file. Else the sure way is to open it by name
 * first (O_PATH) and to describe what was opened: four system calls. Two are enough, both
 * by name, if no name of the directory changed its meaning between the first entry and the
 * last; if one did, all is read again in the sure way. That none did is known from the
 * directory's ctime:
 *
 *  - Whoever changes what a name means holds the directory's inode lock exclusively, and
 *    has the filesystem set the directory's ctime before the kernel's cache of names
 *    changes. Of a filesystem in export.local this holds, and nobody else changes it.
 *  - getdents64() takes that lock. So a change that any look at a name behind the first
 *    getdents64() sees and another one does not has begun behind it, and has set ctime by
 *    the time that the last look saw it, to what the clock of filesystems said then: not
 *    before what it said before getdents64(), for it is the same clock everywhere.
 *  - Hence, if ctime is older than that, no name has changed. Its filesystem must have
 *    that clock's resolution: one that counts whole seconds sets an older ctime. Whether
 *    it does ctime says itself, unless its nanoseconds happen to be 0.
 *  - A user cannot set ctime, and who sets the clock back makes a ctime that differs from
 *    the one before. Mounts are not in the way (export.h).
 *
 * A directory that changes is read in the sure way at once: its ctime is new.
 */
#include <dirent.h>
#include <fcntl.h>
#include <time.h>
#include <unistd.h>

#include <ebpfs/serve.h>

#include "grant.h"
#include "handle.h"
#include "ops.h"
#include "orphan.h"
#include "server.h"
#include "stats.h"

/* An entry on the wire takes about four times as much as in getdents64(). */
#define DENTS_MAX	16384
#define DENTS_MIN	1024
#define BATCH		32	/* names that are described at once */
/* ms since a directory changed: more than needed, by what one more clock could differ. */
#define QUIET		20

/**
 * struct walk - a READDIR in progress
 * @op: the call
 * @dir: the directory, open
 * @at_root: it is the export's root
 * @plus: the user may search it, and so see what the names stand for
 * @by_device: the module is asked
 * @by_name: entries are not opened
 * @count: of @files
 * @next: of @files, of the next name
 * @files: what the module said of names, room for BATCH
 */
struct walk {
	struct op *op;
	int dir;
	bool at_root;
	bool plus;
	bool by_device;
	bool by_name;
	u32 count;
	u32 next;
	struct ebpfs_serve_file *files;
};

static int describe(struct walk *w, const struct dirent64 *d, struct ebpfs_entry_info *info, u8 *fh)
{
	const struct export *e = w->op->e;
	int fd, err;

	if (w->by_device)
		return op_described(e, &w->files[w->next - 1], info, fh);
	if (w->by_name)
		return op_describe(e, w->dir, d->d_name, info, fh);
	fd = openat(w->dir, d->d_name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	err = op_describe(e, fd, "", info, fh);
	close(fd);
	return err;
}

static u32 put_one(struct walk *w, const struct dirent64 *d, u8 *buf, u32 room)
{
	struct ebpfs_entry_info info = {
		.cookie = (u64)d->d_off,
		.name = (const u8 *)d->d_name,
		.name_len = (u16)strlen(d->d_name),
		.type = d->d_type,
	};
	bool dot = !strcmp(d->d_name, "."), dotdot = !strcmp(d->d_name, "..");
	const struct export *e = w->op->e;
	u8 fh[EBPFS_FH_MAX] __attribute__((aligned(8)));

	/* Spare the work for an entry that will not fit anyway. */
	if (room < sizeof(struct ebpfs_entry) + info.name_len)
		return 0;
	info.attr.ino = cpu_to_le64(w->at_root && dotdot ? e->root_ino : d->d_ino);
	/* Vanished, or not ours to show: the name alone. */
	if (!dot && !dotdot && w->plus && !describe(w, d, &info, fh))
		files_expect(&w->op->srv->files, fh, info.fh_len, w->op->now);
	return ebpfs_put_entry(buf, room, &info);
}

/* Have the module say what the names at @dents mean, of which the first is the next. */
static void look_ahead(struct walk *w, const char *dents, u32 len)
{
	if (!w->by_device)
		return;
	if (w->next == w->count) {
		w->count = grant_describe(w->dir, dents, len, w->files, BATCH);
		w->next = 0;
	}
	/* Its program is gone: the sure way then. */
	if (w->count)
		w->next++;
	else
		w->by_device = false;
}

/* Bytes of reply, or -errno. */
static int list(struct walk *w)
{
	char dents[DENTS_MAX] __attribute__((aligned(8)));
	struct op *op = w->op;
	u32 room = op_room(op->c), done = 0, len;
	size_t piece = room / 4;
	ssize_t n, pos;

	if (piece > sizeof(dents))
		piece = sizeof(dents);
	if (piece < DENTS_MIN)
		piece = DENTS_MIN;
	for (;;) {
		n = getdents64(w->dir, dents, piece);
		if (n < 0 && errno == ENOENT)
			n = 0;
		if (n < 0)
			return -errno;
		w->count = w->next = 0;
		if (!n) {
			op->flags |= EBPFS_REPLY_EOF;
			return (int)done;
		}
		for (pos = 0; pos < n; ) {
			const struct dirent64 *d = (const struct dirent64 *)(dents + pos);

			look_ahead(w, dents + pos, (u32)(n - pos));
			pos += d->d_reclen;
			if (orphan_hidden(d->d_name, (u32)strlen(d->d_name)))
				continue;
			len = put_one(w, d, op->buf + done, room - done);
			/* Not even one: the client has to make more room. */
			if (!len)
				return done ? (int)done : -EINVAL;
			done += len;
		}
	}
}

/* Is the directory, of which @st is told, older than @now by enough? */
static bool quiet(const struct stat *st, const struct timespec *now)
{
	s64 ms = (now->tv_sec - st->st_ctim.tv_sec) * 1000 +
		 (now->tv_nsec - st->st_ctim.tv_nsec) / 1000000;

	return st->st_ctim.tv_nsec && ms > QUIET;
}

static bool same_time(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

/* @w's directory is open. Bytes of reply, or -errno. */
static int list_opened(struct walk *w)
{
	off_t from = (off_t)w->op->c->arg;
	struct stat before, after;
	struct timespec now;
	int ret;

	/* Before the first getdents64(). */
	clock_gettime(CLOCK_REALTIME_COARSE, &now);
	if (fstat(w->dir, &before) || (from && lseek(w->dir, from, SEEK_SET) < 0))
		return -errno;
	w->at_root = before.st_ino == w->op->e->root_ino;
	w->by_device = w->plus && grant_device();
	w->by_name = !w->by_device && w->op->e->local && quiet(&before, &now);
	ret = list(w);
	if (!w->by_name ||
	    (!fstat(w->dir, &after) && same_time(&before.st_ctim, &after.st_ctim)))
		return ret;
	stats_inc(readdirs_again);
	w->by_name = false;
	w->op->flags = 0;
	return lseek(w->dir, from, SEEK_SET) < 0 ? -errno : list(w);
}

int op_readdir(struct op *op, struct file *dir)
{
	struct ebpfs_serve_file files[BATCH];
	struct walk w = { .op = op, .files = files };
	int ret;

	if (dir->mode != S_IFDIR)
		return -ENOTDIR;
	if (op->c->arg > INT64_MAX)
		return -EINVAL;
	ret = op_allowed(op, dir, EBPFS_MAY_READ, false);
	if (ret)
		return ret;
	w.plus = !op_allowed(op, dir, EBPFS_MAY_EXEC, false);
	w.dir = openat(dir->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (w.dir < 0)
		return errno == EMFILE || errno == ENFILE ? -EAGAIN : -errno;
	ret = list_opened(&w);
	close(w.dir);
	return ret;
}
