// SPDX-License-Identifier: GPL-2.0
/*
 * What is written down to be undone; see forget.h.
 *
 * A file of notes begins with the handle of the file that they are about. A note
 * whose end is missing was being written when the daemon died: what it is about
 * had not been written yet.
 */
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "export.h"
#include "forget.h"
#include "handle.h"
#include "log.h"

/* Bytes of what was there follow: fewer than @len if the file ended before. */
struct note {
	u64 offset;
	u64 size;	/* of the file */
	u32 len;	/* that were about to be written */
	u32 there;
};

struct about {
	u32 fh_len;
	u8 fh[EBPFS_FH_MAX];
};

static int undo_dir = -1;

static void name_of(const u8 *fh, u16 fh_len, char name[20])
{
	snprintf(name, 20, "%016llx", (unsigned long long)handle_hash(fh, fh_len));
}

static int open_notes(const u8 *fh, u16 fh_len)
{
	struct about about = { .fh_len = fh_len };
	char name[20];
	int fd;

	name_of(fh, fh_len, name);
	fd = openat(undo_dir, name, O_WRONLY | O_APPEND | O_CLOEXEC);
	if (fd >= 0 || errno != ENOENT)
		return fd;
	fd = openat(undo_dir, name, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
	memcpy(about.fh, fh, fh_len);
	if (fd >= 0 && write(fd, &about, sizeof(about)) != sizeof(about)) {
		close(fd);
		return -1;
	}
	return fd;
}

int forget_note(const u8 *fh, u16 fh_len, int fd, u64 offset, u32 len)
{
	struct note note = { .offset = offset, .len = len };
	struct iovec iov[2] = { { &note, sizeof(note) } };
	int notes, err = 0;
	struct stat st;
	ssize_t n;
	u8 *old;

	if (undo_dir < 0)
		return 0;
	old = malloc(len);
	if (!old)
		return -EAGAIN;
	n = pread(fd, old, len, (off_t)offset);
	notes = open_notes(fh, fh_len);
	if (n < 0 || notes < 0 || fstat(fd, &st)) {
		err = -errno;
	} else {
		note.there = (u32)n;
		note.size = (u64)st.st_size;
		iov[1] = (struct iovec){ old, (size_t)n };
		if (writev(notes, iov, 2) != (ssize_t)(sizeof(note) + (size_t)n))
			err = -EIO;
	}
	if (notes >= 0)
		close(notes);
	free(old);
	return err;
}

void forget_committed(const u8 *fh, u16 fh_len)
{
	char name[20];

	if (undo_dir < 0)
		return;
	name_of(fh, fh_len, name);
	unlinkat(undo_dir, name, 0);
}

/* The last note first: each makes the file what it was before. */
static int undo_notes(int fd, const u8 *p, size_t len)
{
	const u8 *at[4096];
	struct note note;
	size_t n = 0;

	while (len >= sizeof(note) && n < sizeof(at) / sizeof(at[0])) {
		memcpy(&note, p, sizeof(note));
		if (len < sizeof(note) + note.there)
			break;
		at[n++] = p;
		p += sizeof(note) + note.there;
		len -= sizeof(note) + note.there;
	}
	if (n == sizeof(at) / sizeof(at[0]))
		return -E2BIG;
	while (n--) {
		memcpy(&note, at[n], sizeof(note));
		if (pwrite(fd, at[n] + sizeof(note), note.there, (off_t)note.offset) !=
		    (ssize_t)note.there || ftruncate(fd, (off_t)note.size))
			return -errno;
	}
	return fsync(fd) ? -errno : 0;
}

static int undo_file(const struct exports *exports, const char *name)
{
	int notes = openat(undo_dir, name, O_RDONLY | O_CLOEXEC), fd = -ESTALE, err;
	struct about about;
	struct stat st;
	unsigned int i;
	u8 *p;

	if (notes < 0 || fstat(notes, &st))
		return -errno;
	p = malloc((size_t)st.st_size + 1);
	if (!p || read(notes, p, (size_t)st.st_size) != st.st_size) {
		err = -EIO;
	} else if ((size_t)st.st_size < sizeof(about)) {
		err = 0;
	} else {
		memcpy(&about, p, sizeof(about));
		for (i = 0; i < exports->count && fd < 0; i++)
			if (about.fh_len <= EBPFS_FH_MAX &&
			    handle_check(&exports->list[i], about.fh, (u16)about.fh_len))
				fd = handle_open(&exports->list[i], about.fh, O_RDWR);
		/* A file that is gone needs nothing undone. */
		err = fd == -ESTALE ? 0 : fd < 0 ? fd :
		      undo_notes(fd, p + sizeof(about), (size_t)st.st_size - sizeof(about));
		if (fd >= 0)
			close(fd);
	}
	free(p);
	close(notes);
	if (!err)
		unlinkat(undo_dir, name, 0);
	return err;
}

int forget_begin(const struct exports *exports, const char *state_dir)
{
	const char *wanted = getenv("EBPFSD_FORGETFUL");
	unsigned int undone = 0;
	char path[PATH_MAX];
	struct dirent *e;
	int err = 0;
	DIR *dir;

	if (!wanted || strcmp(wanted, "1"))
		return 0;
	snprintf(path, sizeof(path), "%s/undo", state_dir);
	if (mkdir(path, 0700) && errno != EEXIST)
		goto fail;
	undo_dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	dir = undo_dir < 0 ? NULL : opendir(path);
	if (!dir)
		goto fail;
	while (!err && (e = readdir(dir))) {
		if (e->d_name[0] == '.')
			continue;
		err = undo_file(exports, e->d_name);
		undone++;
	}
	closedir(dir);
	if (err) {
		errno = -err;
		goto fail;
	}
	log_warning("EBPFSD_FORGETFUL: what is not committed will be lost; in %u files it was",
		    undone);
	return 0;
fail:
	err = -errno;
	log_error("%s: what was not committed cannot be undone: %m", path);
	return err;
}
