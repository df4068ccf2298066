/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Open files by handle: a bounded cache of descriptors, so that a READ of a
 * file in use costs neither a tag nor open_by_handle_at(2). A handle that is
 * found here byte for byte was checked when it came in.
 *
 * A descriptor keeps a deleted file's space allocated. Entries are therefore
 * dropped after FILES_IDLE without use, and one in use is looked at every
 * FILES_CHECK and dropped when its last name is gone, unless somebody holds it open.
 *
 * Locking: shards by hash, each with a mutex that is never held across a
 * system call. An entry is referenced by the table and by its users and
 * closed by the last of them. A file that is opened for reading after it was
 * cached for attributes only, or for writing after that, gets a new entry.
 *
 * An entry that was written through since the last COMMIT must not just be closed:
 * an error of write-back would be told to nobody. It is given to files.last().
 *
 * An entry also remembers which users the kernel let do what with it, for
 * FILES_GRANT at most, so that not every READ asks again. The daemon's own
 * changes of permissions take that back at once.
 */
#ifndef EBPFSD_FILES_H
#define EBPFSD_FILES_H

#include "core/platform.h"

struct export;
struct user;

#define FILES_SHARDS	32
#define FILES_HINTS	16384
#define FILES_MAX	16384		/* open at a time, if RLIMIT_NOFILE allows */
#define FILES_IDLE	5000		/* ms */
#define FILES_CHECK	1000		/* ms */
#define FILES_GRANT	1000		/* ms */
#define FILES_LOCKS	256

/* How a file is open, or has to be; a higher one serves for a lower. */
enum file_access {
	FILE_ANY,	/* O_PATH */
	FILE_READ,	/* a regular file then */
	FILE_WRITE,	/* for reading, too */
};

#define FILE_GRANTS	4

/**
 * struct file - an open file; fields not named here are the cache's
 * @fd: descriptor
 * @access: enum file_access
 * @dirty: written since it was last brought to stable storage; READ_ONCE/WRITE_ONCE
 * @size: in bytes when last looked at; READ_ONCE/WRITE_ONCE. Only a hint
 *	where the end may be.
 * @mode: file type
 * @ino: its number
 */
struct file {
	int fd;
	u8 access;
	bool dirty;
	u32 mode;
	u64 size;
	u64 ino;

	u64 grants[FILE_GRANTS];	/* READ_ONCE/WRITE_ONCE, see file_grant() */
	u64 generation;			/* of permissions; READ_ONCE/WRITE_ONCE */

	u64 reader;			/* grant.c's, as the next two; READ_ONCE/WRITE_ONCE */
	u64 lend_at;			/* ms */
	bool lent;

	struct files *files;
	struct file *next;		/* in the bucket */
	struct file *newer;		/* in the shard's list by time of use */
	struct file *older;
	const struct export *export;
	u64 hash;
	u64 used;			/* ms */
	u64 moved;			/* to the front of the list, ms */
	u64 checked;			/* ms */
	u32 refs;			/* atomic */
	bool listed;			/* under the shard's lock */
	u16 fh_len;
	u8 fh[EBPFS_FH_MAX] __attribute__((aligned(8)));
};

struct files_shard {
	pthread_mutex_t lock;
	struct file **buckets;
	struct file *newest;
	struct file *oldest;
	u32 count;
} __attribute__((aligned(64)));

/**
 * struct files - the cache
 * @per_shard: most entries in a shard
 * @mask: buckets in a shard, minus 1
 * @shards: by the low bits of the hash
 * @hints: handles given out of late, see files_expect()
 * @locks: files_lock()
 * @sync_locks: files_sync_lock()
 * @last: gets entries that are dirty and no longer wanted, with a reference that it
 *	gives back when it has seen to their data; must not wait. May be NULL.
 * @last_arg: its first argument, and that of the next two
 * @held: opens a file that has no name left but is held open: a descriptor or -errno;
 *	may be NULL, as the next
 * @kept: is that such a file?
 */
struct files {
	u32 per_shard;
	u32 mask;
	struct files_shard shards[FILES_SHARDS];
	u64 hints[FILES_HINTS];
	pthread_mutex_t locks[FILES_LOCKS];
	pthread_mutex_t sync_locks[FILES_LOCKS];
	void (*last)(void *arg, struct file *file);
	void *last_arg;
	int (*held)(void *arg, const struct export *e, const u8 *fh, u16 len, int flags);
	bool (*kept)(void *arg, const struct export *e, const u8 *fh, u16 len);
};

/* @most: descriptors that may be in use. 0 or -ENOMEM. */
int files_init(struct files *files, u32 most);
void files_fini(struct files *files);

/**
 * files_get() - a file that is open already
 * @files: cache
 * @e: export of the session
 * @fh: handle as received, unchecked
 * @len: its bytes
 * @access: how it has to be open, at least
 * @now: ms
 *
 * Does not wait for a disk. Return: the file, to be given back with
 * files_put(), or NULL.
 */
struct file *files_get(struct files *files, const struct export *e, const u8 *fh, u16 len,
		       enum file_access access, u64 now);

/**
 * files_open() - a file by its handle, open already or not
 * As files_get(), but checks the handle and opens the file, which may wait for
 * the disk.
 * @out: out, to be given back with files_put()
 *
 * Return: 0; -ESTALE: not our handle, or the file is gone; -EISDIR or -EINVAL:
 * to be read or written, and no regular file; -EAGAIN: try later (out of descriptors, or a
 * local process holds a lease); or another -errno of the filesystem.
 */
int files_open(struct files *files, const struct export *e, const u8 *fh, u16 len,
	       enum file_access access, u64 now, struct file **out);

/**
 * files_add() - hand over a descriptor that was opened by name
 * @files: cache
 * @e: export
 * @fh: handle, ours
 * @len: its bytes
 * @fd: closed by the cache, in any case
 * @mode: file type
 * @ino: inode number
 * @access: how @fd is open
 * @now: ms
 */
void files_add(struct files *files, const struct export *e, const u8 *fh, u16 len, int fd,
	       u32 mode, u64 ino, enum file_access access, u64 now);

struct file *files_ref(struct file *file);
void files_put(struct file *file);

/* The lock of all changes of a file through this daemon, so that attributes before
 * and after a change belong to it. Another file may have the same: take one only. */
pthread_mutex_t *files_lock(struct files *files, const u8 *fh, u16 len);

/* The lock of all who bring a file to stable storage: an error of write-back is told to one
 * of them only, who makes it known before the next one looks. Taken alone, or inside
 * files_lock(). */
pthread_mutex_t *files_sync_lock(struct files *files, const u8 *fh, u16 len);

/**
 * file_grant() - note what the kernel allows
 * @file: open file
 * @user: who
 * @may: EBPFS_MAY_*
 * @generation: of @file before the kernel was asked
 * @now: ms
 *
 * file_granted() is true for a moment then. May be forgotten.
 */
void file_grant(struct file *file, const struct user *user, u32 may, u64 generation, u64 now);
bool file_granted(const struct file *file, const struct user *user, u32 may, u64 now);

/* Permissions of @file have changed. */
void file_revoke(struct file *file);

/**
 * files_expect() - this handle was just given to a client
 * Its inode is in memory, so opening it soon will hardly wait for a disk, and
 * can be done at once rather than by a helper. Only a hint; may be forgotten.
 */
void files_expect(struct files *files, const u8 *fh, u16 len, u64 now);
bool files_expected(const struct files *files, const u8 *fh, u16 len, u64 now);

/* Drop what is idle; call about every second. */
void files_tick(struct files *files, u64 now);

/* Entries now. */
u64 files_count(struct files *files);

#endif /* EBPFSD_FILES_H */
