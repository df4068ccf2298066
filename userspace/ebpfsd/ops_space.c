// SPDX-License-Identifier: GPL-2.0
/*
 * A file's space and what moves whole ranges: FALLOCATE, SEEK, COPY, APPEND. See
 * ops.h. All but SEEK run in helper threads.
 *
 * As in WRITE, bytes change hands as the user, through descriptors that the daemon
 * opened, under the file's lock, and the verifier is taken before. Of two files the
 * target's lock is taken, so that nobody waits in a circle: while a COPY runs, its
 * source may change, as with copy_file_range(2).
 *
 * Nothing is told that did not happen, nor the reverse: a COPY or APPEND that got
 * somewhere before it failed says how far, and the next call meets the failure.
 * What cannot be told is how much space a FALLOCATE got before it failed; the
 * file's attributes may have changed then, as with fallocate(2).
 *
 * The position of a descriptor belongs to APPEND, under the file's lock: everybody
 * else says where to read and write, and lseek() tells SEEK its answer, but moves
 * the position too.
 */
#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <unistd.h>

#include "cred.h"
#include "export.h"
#include "forget.h"
#include "ops.h"
#include "server.h"
#include "settle.h"
#include "stats.h"

/* One COPY keeps a helper and the target's lock for so long, at most. */
#define COPY_MOST	(64u << 20)	/* bytes */
#define COPY_TIME	500		/* ms; a step that has begun is finished */
#define COPY_STEP	(8u << 20)	/* bytes per system call */
#define COPY_BUFFER	(1u << 20)	/* bytes, where the kernel does not copy */

/* What is written now is on its way to the disk until somebody commits. */
static void soil(const struct op *op, struct file *file)
{
	if (!op->e->in_memory)
		WRITE_ONCE(file->dirty, true);
}

static bool known_mode(u32 mode)
{
	switch (mode) {
	case 0:
	case FALLOC_FL_KEEP_SIZE:
	case FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE:
	case FALLOC_FL_ZERO_RANGE:
	case FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE:
	case FALLOC_FL_COLLAPSE_RANGE:
	case FALLOC_FL_INSERT_RANGE:
		return true;
	default:
		return false;
	}
}

/* Taking out and putting in change the size, and that is how they are recognised. What
 * else there is may be done again until it is known to be done. */
static void intend_allocate(struct op *op, const struct ebpfs_range *r, u64 size)
{
	u32 mode = le32_to_cpu(r->mode);
	struct ebpfs_shift_mark m = { .before = size, .after = size };

	m.after += mode & FALLOC_FL_INSERT_RANGE ? le64_to_cpu(r->len) : -le64_to_cpu(r->len);
	if (mode & (FALLOC_FL_COLLAPSE_RANGE | FALLOC_FL_INSERT_RANGE))
		settle_intend(op, &m, NULL, 0);
	else
		intent_write(op, 0, NULL, NULL, NULL, 0);
	intent_point(op, INTENT_POINT_INTENT);
}

/* As the user. 0 or -errno. */
static int allocate(int fd, const struct ebpfs_range *r)
{
	u32 mode = le32_to_cpu(r->mode);

	if (!fallocate(fd, (int)mode, (off_t)le64_to_cpu(r->offset), (off_t)le64_to_cpu(r->len)))
		return 0;
	/* The others do no harm when done again, if half of it was done. */
	if (mode & (FALLOC_FL_COLLAPSE_RANGE | FALLOC_FL_INSERT_RANGE))
		return op_certain(-errno);
	return op_failed(errno);
}

int op_fallocate(struct op *op, struct file *any)
{
	u64 verifier = server_verifier(op->srv);
	const struct ebpfs_call_info *c = op->c;
	struct settle_done done;
	struct op_before before;
	struct ebpfs_range range;
	pthread_mutex_t *lock;
	struct file *file;
	int ret;

	if (ebpfs_parse_range(c->data, &range))
		return -EINVAL;
	if (!known_mode(le32_to_cpu(range.mode)))
		return -EOPNOTSUPP;
	ret = op_open_to_write(op, any, &file);
	if (ret)
		return ret;
	lock = files_lock(&op->srv->files, c->fh, c->fh_len);
	pthread_mutex_lock(lock);
	ret = op_before(op->e, file, &before);
	if (!ret)
		ret = settle_again(op, file->fd, NULL, &done);
	if (ret > 0) {
		ret = op_certain(op_put_written(op, verifier, 0, &before, false, file));
	} else if (!ret) {
		ret = cred_become(op->user);
		if (!ret) {
			soil(op, file);
			intend_allocate(op, &range, before.state.size);
			ret = allocate(file->fd, &range);
			intent_point(op, INTENT_POINT_MADE);
			if (!ret)
				settle_done(op, 0, 0);
			cred_return(op->user);
			if (!ret)
				ret = op_certain(op_put_written(op, verifier, 0, &before, true,
								file));
		}
	}
	op_after(&before, op_may_have_changed(ret), NULL);
	pthread_mutex_unlock(lock);
	files_put(file);
	return ret;
}

int op_seek(struct op *op, struct file *file)
{
	struct ebpfs_offset *out = (struct ebpfs_offset *)op->buf;
	const struct ebpfs_call_info *c = op->c;
	pthread_mutex_t *lock;
	off_t at;
	int err;

	if (c->count != SEEK_DATA && c->count != SEEK_HOLE)
		return -EINVAL;
	err = op_allowed(op, file, EBPFS_MAY_READ, true);
	if (err)
		return err;
	lock = files_lock(&op->srv->files, c->fh, c->fh_len);
	if (op->may_wait)
		pthread_mutex_lock(lock);
	else if (pthread_mutex_trylock(lock))
		return -EAGAIN;
	at = lseek(file->fd, (off_t)c->arg, (int)c->count);
	err = errno;
	pthread_mutex_unlock(lock);
	if (at < 0)
		return op_failed(err);
	out->offset = cpu_to_le64((u64)at);
	return sizeof(*out);
}

/**
 * struct copying - from file to file
 * @from: descriptor
 * @to: descriptor
 * @in: offset in @from
 * @out: offset in @to
 * @len: bytes that are to be copied
 * @done: bytes that are
 * @buffer: COPY_BUFFER bytes if the kernel does not copy between these, else NULL
 */
struct copying {
	int from;
	int to;
	u64 in;
	u64 out;
	u64 len;
	u32 done;
	u8 *buffer;
};

/* Some bytes by the buffer; as copy_file_range(2). */
static ssize_t carry(struct copying *y, size_t bytes)
{
	ssize_t n, put, done = 0;

	if (bytes > COPY_BUFFER)
		bytes = COPY_BUFFER;
	n = pread(y->from, y->buffer, bytes, (off_t)(y->in + y->done));
	while (n > 0 && done < n) {
		put = pwrite(y->to, y->buffer + done, (size_t)(n - done),
			     (off_t)(y->out + y->done + (u64)done));
		if (put > 0) {
			done += put;
		} else if (!put || errno != EINTR) {
			if (!put)
				errno = EIO;
			return done ? done : -1;
		}
	}
	return n < 0 ? n : done;
}

static ssize_t step(struct copying *y)
{
	size_t bytes = y->len - y->done < COPY_STEP ? y->len - y->done : COPY_STEP;
	loff_t in = (loff_t)(y->in + y->done), out = (loff_t)(y->out + y->done);
	ssize_t n;

	if (!y->buffer) {
		n = copy_file_range(y->from, &in, y->to, &out, bytes, 0);
		if (n >= 0 || (errno != EXDEV && errno != EOPNOTSUPP && errno != ENOSYS))
			return n;
		y->buffer = malloc(COPY_BUFFER);
		if (!y->buffer)
			return -1;
	}
	return carry(y, bytes);
}

/* As the user. 0 if anything was copied, or there is nothing to copy; or -errno. */
static int copy(struct copying *y)
{
	u64 start = now_ms();
	int err = 0;
	ssize_t n;

	while (y->done < y->len && now_ms() - start < COPY_TIME) {
		n = step(y);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			err = errno;
		if (n <= 0)
			break;	/* 0: the source has shrunk */
		y->done += (u32)n;
	}
	free(y->buffer);
	return y->done ? 0 : err ? op_failed(err) : 0;
}

/* As the user: all of the range or nothing. 0 or -errno. */
static int clone_range(const struct copying *y, u64 len)
{
	const struct file_clone_range range = {
		.src_fd = y->from, .src_offset = y->in, .src_length = len, .dest_offset = y->out,
	};

	/* Half of it does no harm when done again. */
	return ioctl(y->to, FICLONERANGE, &range) ? op_failed(errno) : 0;
}

/* How much there is to copy. 0 or -errno. */
static int measure(struct copying *y, u64 asked)
{
	struct stat from, to;
	u64 left;

	if (fstat(y->from, &from) || fstat(y->to, &to))
		return -errno;
	left = (u64)from.st_size > y->in ? (u64)from.st_size - y->in : 0;
	y->len = asked && asked < left ? asked : left;
	/* Not for the kernel to say, which sees one step at a time. */
	if (from.st_ino == to.st_ino && y->out + y->len > y->in && y->out < y->in + y->len)
		return -EINVAL;
	return 0;
}

/* COPY and CLONE, between open files. Bytes of the reply or -errno. */
static int transfer(struct op *op, const struct ebpfs_copy *c, struct file *from, struct file *to)
{
	struct copying y = {
		.from = from->fd, .to = to->fd, .in = le64_to_cpu(c->from),
		.out = le64_to_cpu(c->to),
	};
	bool clone = le32_to_cpu(c->flags) & EBPFS_COPY_CLONE;
	u64 verifier = server_verifier(op->srv), asked = le64_to_cpu(c->len);
	struct op_before before;
	u64 bytes;
	int err;

	err = op_before(op->e, to, &before);
	if (!err)
		err = measure(&y, asked);
	if (!err)
		err = cred_become(op->user);
	if (err) {
		op_after(&before, false, NULL);
		return err;
	}
	soil(op, to);
	intent_write(op, 0, NULL, NULL, NULL, 0);
	intent_point(op, INTENT_POINT_INTENT);
	if (clone) {
		/* The length is said, so that it is known; but of what does not exist
		 * the kernel must be asked. */
		bytes = asked ? asked : y.len;
		err = clone_range(&y, bytes);
	} else {
		if (y.len > COPY_MOST)
			y.len = COPY_MOST;
		err = copy(&y);
		bytes = y.done;
	}
	cred_return(op->user);
	if (err) {
		op_after(&before, op_may_have_changed(err), NULL);
		return err;
	}
	intent_point(op, INTENT_POINT_MADE);
	settle_done(op, 0, bytes < ~0u ? (u32)bytes : ~0u);
	stats_add(copy_bytes, bytes);
	return op_certain(op_put_written(op, verifier, bytes < ~0u ? (u32)bytes : ~0u, &before,
					 true, to));
}

/* COPY and CLONE, that an earlier life has done: the source may have gone since. */
static int transferred(struct op *op, const struct settle_done *done, struct file *any)
{
	u64 verifier = server_verifier(op->srv);
	struct op_before before;
	int err = op_before(op->e, any, &before);

	return err ? err : op_put_written(op, verifier, done->count, &before, false, any);
}

/* The source, open for reading, if the user may read. */
static int open_source(struct op *op, const struct ebpfs_copy *c, const u8 *fh,
		       struct file **file)
{
	struct files *files = &op->srv->files;
	u16 fh_len = le16_to_cpu(c->fh_len);
	struct file *any;
	int err;

	err = files_open(files, op->e, fh, fh_len, FILE_ANY, op->now, &any);
	if (err)
		return err;
	err = op_allowed(op, any, EBPFS_MAY_READ, true);
	files_put(any);
	return err ? err : files_open(files, op->e, fh, fh_len, FILE_READ, op->now, file);
}

int op_copy(struct op *op, struct file *any)
{
	const struct ebpfs_call_info *c = op->c;
	struct settle_done done;
	struct file *from, *to;
	struct ebpfs_copy how;
	pthread_mutex_t *lock;
	const u8 *fh;
	int ret;

	if (ebpfs_parse_copy(c->data, c->data_len, &how, &fh))
		return -EINVAL;
	if (settle_again(op, any->fd, NULL, &done) > 0)
		return transferred(op, &done, any);
	ret = open_source(op, &how, fh, &from);
	if (ret)
		return ret;
	ret = op_open_to_write(op, any, &to);
	if (!ret) {
		lock = files_lock(&op->srv->files, c->fh, c->fh_len);
		pthread_mutex_lock(lock);
		ret = transfer(op, &how, from, to);
		pthread_mutex_unlock(lock);
		files_put(to);
	}
	files_put(from);
	return ret;
}

/*
 * As the user. Bytes appended, and where in *@at; or -errno.
 *
 * The kernel finds the end and writes there under its own lock (RWF_APPEND), so
 * that appends of local programs and truncations fall before or after, and leaves
 * the position of the descriptor behind what it wrote: the end of the file might be
 * somebody else's already. On a filesystem that other machines use too, this is as
 * atomic as its O_APPEND is.
 */
static int append(int fd, const u8 *data, u32 len, u64 *at)
{
	struct iovec iov = { (void *)data, len };
	ssize_t n;
	off_t end;

	n = pwritev2(fd, &iov, 1, -1, RWF_APPEND);
	if (n < 0)
		return op_failed(errno);
	if (!n)
		return -EIO;
	end = lseek(fd, 0, SEEK_CUR);
	if (end < n)
		return -EIO;
	*at = (u64)(end - n);
	return (int)n;
}

static void intend_append(struct op *op, u64 size)
{
	u32 cuts[EBPFS_APPEND_CUTS], n;
	struct ebpfs_append_mark m;

	if (!op->intent)
		return;
	n = ebpfs_append_mark(&m, cuts, size, op->c->data, op->c->data_len);
	settle_intend(op, &m, cuts, n * sizeof(*cuts));
	intent_point(op, INTENT_POINT_INTENT);
}

/*
 * As the user, under the file's lock: bytes appended, or -errno. Once only: what is
 * missing after a full disk would not follow on.
 */
static int append_once(struct op *op, struct file *file, u64 size, u64 *at)
{
	int n;

	soil(op, file);
	intend_append(op, size);
	n = append(file->fd, op->c->data, op->c->data_len, at);
	intent_point(op, INTENT_POINT_MADE);
	if (n > 0) {
		settle_done(op, *at, (u32)n);
		stats_add(write_bytes, (u32)n);
	}
	return n;
}

int op_append(struct op *op, struct file *any)
{
	struct ebpfs_written *out = (struct ebpfs_written *)op->buf;
	u64 verifier = server_verifier(op->srv), at = 0;
	const struct ebpfs_call_info *c = op->c;
	struct settle_done done;
	struct op_before before;
	pthread_mutex_t *lock;
	struct file *file;
	int ret, n;

	ret = op_open_to_write(op, any, &file);
	if (ret)
		return ret;
	lock = files_lock(&op->srv->files, c->fh, c->fh_len);
	pthread_mutex_lock(lock);
	ret = op_before(op->e, file, &before);
	if (!ret)
		ret = settle_again(op, file->fd, NULL, &done);
	if (ret > 0) {
		/* NOLINTNEXTLINE(clang-analyzer-core.uninitialized.Assign): by settle_again() */
		at = done.offset;
		/* Of what was not committed in that life nothing is promised in this. */
		ret = op_put_written(op, ~verifier, done.count, &before, false, file);
	} else if (!ret) {
		ret = forget_note(c->fh, c->fh_len, file->fd, before.state.size, c->data_len);
		if (!ret)
			ret = cred_become(op->user);
		if (!ret) {
			ret = n = append_once(op, file, before.state.size, &at);
			cred_return(op->user);
			if (n > 0)
				ret = op_certain(op_put_written(op, verifier, (u32)n, &before,
								true, file));
		}
	}
	op_after(&before, op_may_have_changed(ret), NULL);
	if (ret > 0)
		out->offset = cpu_to_le64(at);
	pthread_mutex_unlock(lock);
	files_put(file);
	return ret;
}
