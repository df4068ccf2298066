// SPDX-License-Identifier: GPL-2.0
/*
 * The cache of open files. See files.h for what it promises and its locking.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/place.h"
#include "cred.h"
#include "export.h"
#include "files.h"
#include "grant.h"
#include "handle.h"
#include "stats.h"

#define HINT_LIFE	10	/* seconds, below 2^15 */

int files_init(struct files *files, u32 most)
{
	u32 buckets = 1;
	unsigned int i;

	memset(files, 0, sizeof(*files));
	files->per_shard = most / FILES_SHARDS ? most / FILES_SHARDS : 1;
	while (buckets < files->per_shard)
		buckets <<= 1;
	files->mask = buckets - 1;
	for (i = 0; i < FILES_LOCKS; i++) {
		pthread_mutex_init(&files->locks[i], NULL);
		pthread_mutex_init(&files->sync_locks[i], NULL);
	}
	for (i = 0; i < FILES_SHARDS; i++) {
		struct files_shard *s = &files->shards[i];

		pthread_mutex_init(&s->lock, NULL);
		s->buckets = calloc(buckets, sizeof(*s->buckets));
		if (!s->buckets)
			return -ENOMEM;
	}
	return 0;
}

static struct files_shard *shard_of(struct files *files, u64 hash)
{
	return &files->shards[hash % FILES_SHARDS];
}

static struct file **bucket_of(struct files *files, struct files_shard *s, u64 hash)
{
	return &s->buckets[(hash / FILES_SHARDS) & files->mask];
}

struct file *files_ref(struct file *file)
{
	__atomic_add_fetch(&file->refs, 1, __ATOMIC_RELAXED);
	return file;
}

void files_put(struct file *file)
{
	if (__atomic_sub_fetch(&file->refs, 1, __ATOMIC_ACQ_REL))
		return;
	grant_file_end(file);
	close(file->fd);
	stats_inc(files_closed);
	free(file);
}

/* The next four under the shard's lock. */

static void list_out(struct files_shard *s, struct file *f)
{
	*(f->newer ? &f->newer->older : &s->newest) = f->older;
	*(f->older ? &f->older->newer : &s->oldest) = f->newer;
}

static void list_in(struct files_shard *s, struct file *f)
{
	f->newer = NULL;
	f->older = s->newest;
	*(s->newest ? &s->newest->newer : &s->oldest) = f;
	s->newest = f;
}

static void unlist(struct files *files, struct files_shard *s, struct file *f)
{
	struct file **p = bucket_of(files, s, f->hash);

	while (*p != f)
		p = &(*p)->next;
	*p = f->next;
	list_out(s, f);
	f->listed = false;
	s->count--;
}

static struct file *find(struct files *files, struct files_shard *s, const struct export *e,
			 const u8 *fh, u16 len, u64 hash)
{
	struct file *f = *bucket_of(files, s, hash);

	while (f && !(f->hash == hash && f->fh_len == len && f->export == e &&
		      !memcmp(f->fh, fh, len)))
		f = f->next;
	return f;
}

/* Take @f out of the table, whoever put it there. */
static void drop(struct files *files, struct file *f)
{
	struct files_shard *s = shard_of(files, f->hash);
	bool listed;

	pthread_mutex_lock(&s->lock);
	listed = f->listed;
	if (listed)
		unlist(files, s, f);
	pthread_mutex_unlock(&s->lock);
	if (listed)
		files_put(f);
}

void files_fini(struct files *files)
{
	unsigned int i;

	for (i = 0; i < FILES_SHARDS; i++) {
		while (files->shards[i].oldest)
			drop(files, files->shards[i].oldest);
		free(files->shards[i].buckets);
		pthread_mutex_destroy(&files->shards[i].lock);
	}
	for (i = 0; i < FILES_LOCKS; i++) {
		pthread_mutex_destroy(&files->locks[i]);
		pthread_mutex_destroy(&files->sync_locks[i]);
	}
}

/* The table does not want @f any more. */
static void let_go(struct files *files, struct file *f)
{
	if (READ_ONCE(f->dirty) && files->last)
		files->last(files->last_arg, f);
	else
		files_put(f);
}

/* Enter @f, which replaces an entry of the same handle. */
static void enter(struct files *files, struct file *f, u64 now)
{
	struct files_shard *s = shard_of(files, f->hash);
	struct file **bucket = bucket_of(files, s, f->hash);
	struct file *out[2] = { NULL, NULL };
	bool listed = true;

	f->used = f->moved = f->checked = now;
	f->refs++;
	pthread_mutex_lock(&s->lock);
	out[0] = find(files, s, f->export, f->fh, f->fh_len, f->hash);
	if (out[0] && out[0]->access > f->access) {
		/* What is there is worth more. */
		out[0] = NULL;
		listed = false;
	}
	if (out[0])
		unlist(files, s, out[0]);
	if (listed) {
		if (s->count >= files->per_shard) {
			out[1] = s->oldest;
			unlist(files, s, out[1]);
		}
		f->next = *bucket;
		*bucket = f;
		list_in(s, f);
		f->listed = true;
		s->count++;
	}
	pthread_mutex_unlock(&s->lock);
	if (out[0])
		let_go(files, out[0]);
	if (out[1])
		let_go(files, out[1]);
	if (!listed)
		files_put(f);
}

/* Takes @fd; NULL (and @fd is closed) without memory. One reference is the caller's. */
static struct file *make(struct files *files, const struct export *e, const u8 *fh, u16 len,
			 int fd, u32 mode, u64 ino, u64 size, enum file_access access)
{
	struct file *f = malloc(sizeof(*f));

	if (!f) {
		close(fd);
		return NULL;
	}
	memset(f, 0, sizeof(*f));
	f->fd = fd;
	f->access = (u8)access;
	f->mode = mode & S_IFMT;
	f->size = size;
	f->ino = ino;
	f->files = files;
	f->export = e;
	f->hash = handle_hash(fh, len);
	f->refs = 1;
	f->fh_len = len;
	memcpy(f->fh, fh, len);
	stats_inc(files_opened);
	return f;
}

/* Has @f a name left, or is it held? Asked now and then only. */
static bool check(struct files *files, struct file *f, u64 now)
{
	struct stat st;

	WRITE_ONCE(f->checked, now);
	if (!fstat(f->fd, &st) &&
	    (st.st_nlink || (files->kept && files->kept(files->last_arg, f->export, f->fh,
							f->fh_len)))) {
		WRITE_ONCE(f->size, st.st_size);
		return true;
	}
	drop(files, f);
	return false;
}

struct file *files_get(struct files *files, const struct export *e, const u8 *fh, u16 len,
		       enum file_access access, u64 now)
{
	u64 hash = handle_hash(fh, len);
	struct files_shard *s = shard_of(files, hash);
	struct file *f;

	pthread_mutex_lock(&s->lock);
	f = find(files, s, e, fh, len, hash);
	if (f && f->access < access)
		f = NULL;
	if (f) {
		/* Moved up at most once a second: the list is for what is old. */
		if (now - f->moved >= 1000) {
			f->moved = now;
			list_out(s, f);
			list_in(s, f);
		}
		f->used = now;
		__atomic_add_fetch(&f->refs, 1, __ATOMIC_RELAXED);
	}
	pthread_mutex_unlock(&s->lock);
	if (f && now - READ_ONCE(f->checked) >= FILES_CHECK && !check(files, f, now)) {
		/* The reference that check() dropped was the table's, this one is ours. */
		files_put(f);	/* NOLINT(clang-analyzer-unix.Malloc) */
		f = NULL;
	}
	return f;
}

int files_open(struct files *files, const struct export *e, const u8 *fh, u16 len,
	       enum file_access access, u64 now, struct file **out)
{
	/* O_NONBLOCK: a lease that a local process holds must not stop us here. */
	static const int flags[] = {
		[FILE_ANY]	= O_PATH,
		[FILE_READ]	= O_RDONLY | O_NONBLOCK | O_NOCTTY,
		[FILE_WRITE]	= O_RDWR | O_NONBLOCK | O_NOCTTY | O_LARGEFILE,
	};
	struct file *f = files_get(files, e, fh, len, access, now);
	struct stat st;
	bool held = false;
	int fd;

	if (f) {
		*out = f;
		return 0;
	}
	if (!handle_check(e, fh, len)) {
		stats_inc(bad_handles);
		return -ESTALE;
	}
	if (access != FILE_ANY && handle_mode(fh) != S_IFREG)
		return handle_mode(fh) == S_IFDIR ? -EISDIR : -EINVAL;
	fd = handle_open(e, fh, flags[access] | O_NOFOLLOW);
	if ((fd == -ESTALE || fd == -ENOENT) && files->held) {
		fd = files->held(files->last_arg, e, fh, len, flags[access]);
		held = true;
	}
	if (fd < 0)
		return fd == -EMFILE || fd == -ENFILE || fd == -ENOMEM ? -EAGAIN :
		       fd == -ENOENT ? -ESTALE : fd;
	/* But io_uring would take it for a promise that no read ever waits. */
	if (access != FILE_ANY)
		fcntl(fd, F_SETFL, 0);
	if (fstat(fd, &st) || (st.st_mode & S_IFMT) != handle_mode(fh) ||
	    (!st.st_nlink && !held &&
	     !(files->kept && files->kept(files->last_arg, e, fh, len)))) {
		close(fd);
		return -ESTALE;
	}
	f = make(files, e, fh, len, fd, st.st_mode, st.st_ino, (u64)st.st_size, access);
	if (!f)
		return -EAGAIN;
	enter(files, f, now);
	*out = f;
	return 0;
}

void files_add(struct files *files, const struct export *e, const u8 *fh, u16 len, int fd,
	       u32 mode, u64 ino, enum file_access access, u64 now)
{
	struct file *f = make(files, e, fh, len, fd, mode, ino, 0, access);

	if (!f)
		return;
	enter(files, f, now);
	/* enter() drops the table's reference at most. */
	files_put(f);	/* NOLINT(clang-analyzer-unix.Malloc) */
}

/* Exports of one filesystem share its files, but not their handles. */
static u32 lock_of(const u8 *fh)
{
	const struct wire_handle *w = (const struct wire_handle *)fh;

	return ebpfs_place_hash(w->bytes, w->len) % FILES_LOCKS;
}

pthread_mutex_t *files_lock(struct files *files, const u8 *fh, u16 len)
{
	(void)len;
	return &files->locks[lock_of(fh)];
}

pthread_mutex_t *files_sync_lock(struct files *files, const u8 *fh, u16 len)
{
	(void)len;
	return &files->sync_locks[lock_of(fh)];
}

/* A grant in one word, so that it needs no lock: 36 bits of the user's serial, 25
 * bits of time in units of 128 ms, 3 bits of EBPFS_MAY_*. A word that is not 0
 * allows something. */
#define GRANT_TIME(now)		((now) >> 7 & 0x1ffffff)
#define GRANT_WHO(user)		((user)->serial << 28)

void file_grant(struct file *file, const struct user *user, u32 may, u64 generation, u64 now)
{
	u64 *grant = &file->grants[user->serial % FILE_GRANTS];
	u64 old = READ_ONCE(*grant);

	/* Of the same moment: both hold. */
	if (old >> 3 == (GRANT_WHO(user) >> 3 | GRANT_TIME(now)))
		may |= old & 7;
	WRITE_ONCE(*grant, GRANT_WHO(user) | GRANT_TIME(now) << 3 | may);
	if (__atomic_load_n(&file->generation, __ATOMIC_SEQ_CST) != generation)
		WRITE_ONCE(*grant, 0);
}

bool file_granted(const struct file *file, const struct user *user, u32 may, u64 now)
{
	u64 grant = READ_ONCE(file->grants[user->serial % FILE_GRANTS]);

	return (grant & ~0xfffffffull) == GRANT_WHO(user) && (grant & may) == may &&
	       ((GRANT_TIME(now) - (grant >> 3)) & 0x1ffffff) < FILES_GRANT / 128;
}

void file_revoke(struct file *file)
{
	unsigned int i;

	__atomic_add_fetch(&file->generation, 1, __ATOMIC_SEQ_CST);
	for (i = 0; i < FILE_GRANTS; i++)
		WRITE_ONCE(file->grants[i], 0);
	grant_file_end(file);
}

/* A hint is 48 bits of the hash and 16 bits of time in seconds. */
static u64 hint_tag(u64 hash)
{
	return hash & ~0xffffull;
}

static u32 hint_index(u64 hash)
{
	return (u32)(hash % FILES_HINTS);
}

void files_expect(struct files *files, const u8 *fh, u16 len, u64 now)
{
	u64 hash = handle_hash(fh, len);

	WRITE_ONCE(files->hints[hint_index(hash)], hint_tag(hash) | (now / 1000 & 0xffff));
}

bool files_expected(const struct files *files, const u8 *fh, u16 len, u64 now)
{
	u64 hash = handle_hash(fh, len);
	u64 hint = READ_ONCE(files->hints[hint_index(hash)]);

	return hash && hint_tag(hint) == hint_tag(hash) &&
	       ((now / 1000 - hint) & 0xffff) <= HINT_LIFE;
}

void files_tick(struct files *files, u64 now)
{
	unsigned int i;

	for (i = 0; i < FILES_SHARDS; i++) {
		struct files_shard *s = &files->shards[i];
		struct file *idle = NULL, *f;

		pthread_mutex_lock(&s->lock);
		while (s->oldest && now - s->oldest->used >= FILES_IDLE && now > s->oldest->used) {
			f = s->oldest;
			unlist(files, s, f);
			f->next = idle;
			idle = f;
		}
		pthread_mutex_unlock(&s->lock);
		while (idle) {
			f = idle;
			/* None is in the list twice, which the analyzer does not know. */
			idle = f->next;	/* NOLINT(clang-analyzer-unix.Malloc) */
			let_go(files, f);
		}
	}
}

u64 files_count(struct files *files)
{
	u64 count = 0;
	unsigned int i;

	for (i = 0; i < FILES_SHARDS; i++) {
		pthread_mutex_lock(&files->shards[i].lock);
		count += files->shards[i].count;
		pthread_mutex_unlock(&files->shards[i].lock);
	}
	return count;
}
