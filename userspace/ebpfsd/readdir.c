// SPDX-License-Identifier: GPL-2.0
/*
 * READDIR: a piece of a directory, with attributes and handles, so that a
 * client that looks at every file of a directory asks once per few hundred.
 *
 * Each call opens the directory anew and seeks to the cookie, which is the
 * filesystem's own position (d_off): nothing is kept between calls, and a
 * cookie is good for as long as the filesystem says, restarts included. Every
 * entry is opened by name first (O_PATH) and then described, so that its
 * attributes and its handle belong to the same file whatever is renamed
 * meanwhile. A directory that was removed while it is open is empty. Runs in helper
 * threads.
 */
#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include "handle.h"
#include "ops.h"
#include "orphan.h"
#include "server.h"

/* An entry on the wire takes about four times as much as in getdents64(). */
#define DENTS_MAX	16384
#define DENTS_MIN	1024

/**
 * struct walk - a READDIR in progress
 * @op: the call
 * @dir: the directory, open
 * @at_root: it is the export's root
 * @plus: the user may search it, and so see what the names stand for
 */
struct walk {
	struct op *op;
	int dir;
	bool at_root;
	bool plus;
};

static u32 put_one(const struct walk *w, const struct dirent64 *d, u8 *buf, u32 room)
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
	int fd;

	/* Spare the work for an entry that will not fit anyway. */
	if (room < sizeof(struct ebpfs_entry) + info.name_len)
		return 0;
	info.attr.ino = cpu_to_le64(w->at_root && dotdot ? e->root_ino : d->d_ino);
	if (!dot && !dotdot && w->plus) {
		/* Vanished, or not ours to show: the name alone. */
		fd = openat(w->dir, d->d_name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
		if (fd >= 0) {
			if (!op_describe(e, fd, &info, fh))
				files_expect(&w->op->srv->files, fh, info.fh_len, w->op->now);
			close(fd);
		}
	}
	return ebpfs_put_entry(buf, room, &info);
}

int op_readdir(struct op *op, struct file *dir)
{
	char dents[DENTS_MAX] __attribute__((aligned(8)));
	u32 room = op_room(op->c), done = 0;
	struct walk w = { .op = op };
	size_t piece = room / 4;
	struct stat st;
	ssize_t n, pos;
	int err;

	if (dir->mode != S_IFDIR)
		return -ENOTDIR;
	if (op->c->arg > INT64_MAX)
		return -EINVAL;
	err = op_allowed(op, dir, EBPFS_MAY_READ, false);
	if (err)
		return err;
	w.plus = !op_allowed(op, dir, EBPFS_MAY_EXEC, false);
	if (piece > sizeof(dents))
		piece = sizeof(dents);
	if (piece < DENTS_MIN)
		piece = DENTS_MIN;
	w.dir = openat(dir->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (w.dir < 0)
		return errno == EMFILE || errno == ENFILE ? -EAGAIN : -errno;
	if (fstat(w.dir, &st) || (op->c->arg && lseek(w.dir, (off_t)op->c->arg, SEEK_SET) < 0))
		goto fail;
	w.at_root = st.st_ino == op->e->root_ino;
	for (;;) {
		n = getdents64(w.dir, dents, piece);
		if (n < 0 && errno == ENOENT)
			n = 0;
		if (n < 0)
			goto fail;
		if (!n) {
			op->flags |= EBPFS_REPLY_EOF;
			break;
		}
		for (pos = 0; pos < n; ) {
			const struct dirent64 *d = (const struct dirent64 *)(dents + pos);
			u32 len;

			pos += d->d_reclen;
			if (orphan_hidden(d->d_name, (u32)strlen(d->d_name)))
				continue;
			len = put_one(&w, d, op->buf + done, room - done);
			if (!len) {
				close(w.dir);
				/* Not even one: the client has to make more room. */
				return done ? (int)done : -EINVAL;
			}
			done += len;
		}
	}
	close(w.dir);
	return (int)done;
fail:
	err = errno;
	close(w.dir);
	return -err;
}
