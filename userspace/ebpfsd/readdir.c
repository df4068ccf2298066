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
 * meanwhile. Runs in helper threads.
 */
#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include "handle.h"
#include "ops.h"
#include "server.h"

/* An entry on the wire takes about four times as much as in getdents64(). */
#define DENTS_MAX	16384
#define DENTS_MIN	1024

static u32 put_one(struct server *srv, const struct export *e, int dir, bool at_root,
		   const struct dirent64 *d, u8 *buf, u32 room, u64 now)
{
	struct ebpfs_entry_info info = {
		.cookie = (u64)d->d_off,
		.name = (const u8 *)d->d_name,
		.name_len = (u16)strlen(d->d_name),
		.type = d->d_type,
	};
	bool dot = !strcmp(d->d_name, "."), dotdot = !strcmp(d->d_name, "..");
	u8 fh[EBPFS_FH_MAX] __attribute__((aligned(8)));
	int fd;

	/* Spare the work for an entry that will not fit anyway. */
	if (room < sizeof(struct ebpfs_entry) + info.name_len)
		return 0;
	info.attr.ino = cpu_to_le64(at_root && dotdot ? e->root_ino : d->d_ino);
	if (!dot && !dotdot) {
		/* Vanished, or not ours to show: the name alone. */
		fd = openat(dir, d->d_name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
		if (fd >= 0) {
			if (!op_describe(e, fd, &info, fh))
				files_expect(&srv->files, fh, info.fh_len, now);
			close(fd);
		}
	}
	return ebpfs_put_entry(buf, room, &info);
}

int op_readdir(struct server *srv, const struct export *e, const struct ebpfs_call_info *c,
	       struct file *dir, u8 *buf, u64 now, u16 *flags)
{
	char dents[DENTS_MAX] __attribute__((aligned(8)));
	u32 room = op_room(c), done = 0;
	size_t piece = room / 4;
	struct stat st;
	ssize_t n, pos;
	bool at_root;
	int fd, err;

	if (dir->mode != S_IFDIR)
		return -ENOTDIR;
	if (c->arg > INT64_MAX)
		return -EINVAL;
	if (piece > sizeof(dents))
		piece = sizeof(dents);
	if (piece < DENTS_MIN)
		piece = DENTS_MIN;
	fd = openat(dir->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return errno == EMFILE || errno == ENFILE ? -EAGAIN : -errno;
	if (fstat(fd, &st) || (c->arg && lseek(fd, (off_t)c->arg, SEEK_SET) < 0))
		goto fail;
	at_root = st.st_ino == e->root_ino;
	for (;;) {
		n = getdents64(fd, dents, piece);
		if (n < 0)
			goto fail;
		if (!n) {
			*flags |= EBPFS_REPLY_EOF;
			break;
		}
		for (pos = 0; pos < n; ) {
			const struct dirent64 *d = (const struct dirent64 *)(dents + pos);
			u32 len = put_one(srv, e, fd, at_root, d, buf + done, room - done, now);

			if (!len) {
				close(fd);
				/* Not even one: the client has to make more room. */
				return done ? (int)done : -EINVAL;
			}
			done += len;
			pos += d->d_reclen;
		}
	}
	close(fd);
	return (int)done;
fail:
	err = errno;
	close(fd);
	return -err;
}
