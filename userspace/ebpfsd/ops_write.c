// SPDX-License-Identifier: GPL-2.0
/*
 * WRITE, WRITEATTR and COMMIT. See ops.h.
 *
 * Bytes are written as the user, through a descriptor that the daemon opened: so
 * the kernel clears setuid bits, charges quota and keeps reserved blocks reserved.
 *
 * A WRITE takes the verifier before anything is done, a COMMIT when all is done: an error of
 * write-back that becomes known meanwhile makes the client write again what may not have
 * needed it, never the other way round. The kernel tells such an error once to all who have
 * the same descriptor: bring_to_disk() is what all go through, one at a time for each file.
 *
 * WRITEATTR is a WRITE, then attributes, with nobody's change in between.
 */
#include <fcntl.h>
#include <sys/uio.h>
#include <unistd.h>

#include "cred.h"
#include "export.h"
#include "forget.h"
#include "gather.h"
#include "intent.h"
#include "log.h"
#include "ops.h"
#include "server.h"
#include "stats.h"

void op_write_back_failed(struct server *srv, const struct export *e, int err)
{
	__atomic_add_fetch(&srv->verifier, 1, __ATOMIC_SEQ_CST);
	errno = err;
	log_warning_limited("%s: data could not be brought to stable storage: %m (clients write "
			    "again what they still have)", e->name);
}

/* @op: the call, or NULL: nobody has asked. @sync: fsync() or fdatasync(). *@verifier: what
 * all that has been written by now is answered with. 0 or -errno. */
static int bring_to_disk(struct server *srv, const struct op *op, struct file *file,
			 int (*sync)(int fd), u64 *verifier)
{
	pthread_mutex_t *lock = files_sync_lock(&srv->files, file->fh, file->fh_len);
	int err = 0;

	pthread_mutex_lock(lock);
	/* While it waited for a disk that is slow, its client may have left. */
	if (op && op_given_up(op)) {
		pthread_mutex_unlock(lock);
		return -EAGAIN;
	}
	WRITE_ONCE(file->dirty, false);
	if (sync(file->fd)) {
		err = -errno;
		op_write_back_failed(srv, file->export, -err);
	}
	*verifier = server_verifier(srv);
	pthread_mutex_unlock(lock);
	return err;
}

void op_flush(struct server *srv, struct file *file)
{
	struct stat st;
	u64 verifier;

	/* Of a file without a name nothing is to be kept. */
	if (!fstat(file->fd, &st) && !st.st_nlink) {
		WRITE_ONCE(file->dirty, false);
		return;
	}
	stats_inc(flushes);
	bring_to_disk(srv, NULL, file, fsync, &verifier);
}

int op_put_written(struct op *op, u64 verifier, u32 count, struct op_before *b, bool changed,
		   struct file *file)
{
	struct ebpfs_written *out = (struct ebpfs_written *)op->buf;
	int err = op_after(b, changed, &out->attr);

	if (err)
		return err;
	WRITE_ONCE(file->size, le64_to_cpu(out->attr.size));
	out->verifier = cpu_to_le64(verifier);
	out->before = cpu_to_le64(b->change);
	out->count = cpu_to_le32(count);
	out->offset = 0;
	out->reserved = 0;
	return sizeof(*out);
}

/* The call's data but for the first @done bytes, as they lie in memory. How many pieces. */
static int data_pieces(const struct op *op, u32 done, struct iovec iov[EBPFS_CELLS_MAX])
{
	const struct ebpfs_call_info *c = op->c;
	const struct data_run *run = op->run;
	int n = 0;

	if (!run) {
		iov[0] = (struct iovec){ (u8 *)c->data + done, c->data_len - done };
		return 1;
	}
	while (done < c->data_len) {
		u32 index = done / run->cell, in = done % run->cell;
		u32 left = c->data_len - done, len = run->cell - in;

		iov[n].iov_base = (u8 *)run->first + index * run->stride + in;
		iov[n].iov_len = left < len ? left : len;
		done += (u32)iov[n++].iov_len;
	}
	return n;
}

/* All of the call's data, or an error. The thread is the user. */
static int write_all(const struct op *op, int fd)
{
	const struct ebpfs_call_info *c = op->c;
	struct iovec iov[EBPFS_CELLS_MAX];
	u32 done = 0;

	while (done < c->data_len) {
		ssize_t n = pwritev(fd, iov, data_pieces(op, done, iov), (off_t)(c->arg + done));

		if (n < 0 && errno != EINTR)
			return -errno;
		if (!n)
			return -EIO;
		if (n > 0)
			done += (u32)n;
	}
	return 0;
}

int op_open_to_write(struct op *op, struct file *any, struct file **file)
{
	const struct ebpfs_call_info *c = op->c;
	struct files *files = &op->srv->files;
	int err;

	/* Before it is opened: that would break leases, for nothing. */
	err = op_allowed(op, any, EBPFS_MAY_WRITE, true);
	if (err)
		return err;
	if (!op->may_wait) {
		*file = files_get(files, op->e, c->fh, c->fh_len, FILE_WRITE, op->now);
		if (*file)
			return 0;
		if (!op->e->in_memory)
			return -EAGAIN;
	}
	return files_open(files, op->e, c->fh, c->fh_len, FILE_WRITE, op->now, file);
}

/* What a WRITEATTR sets; 0 bits for a WRITE. 0 or -errno. */
static int parse_attributes(struct op *op, struct ebpfs_setattr *a, u32 *valid)
{
	int err;

	*valid = 0;
	if (!op->c->attr)
		return 0;
	err = op_parse_setattr(op, op->c->attr, a);
	if (err)
		return err;
	*valid = le32_to_cpu(a->valid);
	return *valid & EBPFS_SET_SIZE ? -EINVAL : 0;
}

/*
 * WRITEATTR, as the user, with the file's lock. An earlier life that has noted that it was done
 * did it before anybody changed the file again; else all of it is done, once more. *@changed:
 * something was. What is to be stable is, before that is noted; what is not, and was done by
 * another life, may be lost with it: then *@verifier is nobody's. Return: 0 or -errno.
 */
static int write_once(struct op *op, struct file *file, u32 valid, const struct ebpfs_setattr *a,
		      bool *changed, u64 *verifier)
{
	const struct ebpfs_intent *former = intent_former(op->intent);
	const struct ebpfs_call_info *c = op->c;
	u64 now;
	int err;

	if (former && ebpfs_intent_has_effect(former)) {
		if (c->count != EBPFS_WRITE_STABLE)
			*verifier = ~*verifier;
		return 0;
	}
	intent_write(op, 0, NULL, NULL, NULL, 0);
	intent_point(op, INTENT_POINT_INTENT);
	err = write_all(op, file->fd);
	if (err)
		return err;
	*changed = true;
	if (op_set_attributes(file, valid, a, changed))
		return op_certain(op_failed(errno));
	intent_point(op, INTENT_POINT_MADE);
	if (c->count == EBPFS_WRITE_STABLE) {
		err = bring_to_disk(op->srv, NULL, file, fdatasync, &now);
		if (!err && now != *verifier)
			err = -EIO;
		if (err)
			return op_certain(err);
		/* Before it is noted as done: else it could be undone, and not repeated. */
		forget_committed(c->fh, c->fh_len);
	}
	intent_effect(op, c->fh, c->fh_len);
	return 0;
}

/* Another one may have been told of an error that was this WRITE's. The client sends it again. */
static int write_stable(struct op *op, struct file *file, u64 verifier)
{
	u64 now;
	int err = bring_to_disk(op->srv, op, file, fdatasync, &now);

	return err || now == verifier ? err : -EAGAIN;
}

int op_write(struct op *op, struct file *any)
{
	u64 verifier = server_verifier(op->srv);
	const struct ebpfs_call_info *c = op->c;
	struct ebpfs_setattr a;
	struct op_before before;
	pthread_mutex_t *lock;
	bool changed = false;
	struct file *file;
	u32 valid;
	int ret;

	if (!op->may_wait && !op->e->in_memory)
		return -EAGAIN;
	ret = parse_attributes(op, &a, &valid);
	if (ret)
		return ret;
	ret = op_open_to_write(op, any, &file);
	if (ret)
		return ret;
	lock = files_lock(&op->srv->files, c->fh, c->fh_len);
	if (op->may_wait) {
		pthread_mutex_lock(lock);
	} else if (pthread_mutex_trylock(lock)) {
		files_put(file);
		return -EAGAIN;
	}
	ret = op_before_write(op, file, &before);
	/* Whoever has lost what he held must not write over what others have since. */
	if (!ret && op->may_wait && op_given_up(op))
		ret = -EAGAIN;
	if (!ret)
		ret = forget_note(c->fh, c->fh_len, file->fd, c->arg, c->data_len);
	if (!ret)
		ret = cred_become(op->user);
	if (!ret) {
		if (!op->e->in_memory)
			WRITE_ONCE(file->dirty, true);
		ret = c->attr ? write_once(op, file, valid, &a, &changed, &verifier) :
				write_all(op, file->fd);
		cred_return(op->user);
		if (!ret)
			ret = op_put_written(op, verifier, c->data_len, &before,
					     changed || !c->attr, file);
	}
	op_after(&before, changed || op_may_have_changed(ret), NULL);
	if (ret > 0)
		op_wrote(op, file, &before);
	pthread_mutex_unlock(lock);
	if (valid & (EBPFS_SET_MODE | EBPFS_SET_UID | EBPFS_SET_GID)) {
		op_revoke(op, any);
		file_revoke(file);
	}
	if (ret > 0 && c->count == EBPFS_WRITE_STABLE && !c->attr) {
		int err = write_stable(op, file, verifier);

		if (err)
			ret = err;
	}
	if (ret > 0 && c->count == EBPFS_WRITE_STABLE)
		forget_committed(c->fh, c->fh_len);
	if (ret > 0)
		stats_add(write_bytes, c->data_len);
	files_put(file);
	return ret;
}

/* A directory's descriptor is for names only; to be committed it is opened anew. */
static int sync_directory(struct file *dir, bool whole_export)
{
	/* A whole filesystem is a lot: not by all helper threads at a time. */
	static pthread_mutex_t one = PTHREAD_MUTEX_INITIALIZER;
	int fd = openat(dir->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), err = 0;

	if (fd < 0)
		return errno == EMFILE || errno == ENFILE ? -EAGAIN : -errno;
	if (whole_export && pthread_mutex_trylock(&one)) {
		close(fd);
		return -EAGAIN;
	}
	if (whole_export ? syncfs(fd) : fsync(fd))
		err = -errno;
	if (whole_export)
		pthread_mutex_unlock(&one);
	close(fd);
	return err;
}

/* A COMMIT's reply. It changes nothing: what others did meanwhile must not look as if it
 * were between its attributes before and after. */
static int put_committed(struct op *op, u64 verifier, struct file *file)
{
	struct ebpfs_written *out = (struct ebpfs_written *)op->buf;
	int err;

	memset(out, 0, sizeof(*out));
	err = op_attr(op->e, file->fd, &out->attr);
	if (err)
		return err;
	WRITE_ONCE(file->size, le64_to_cpu(out->attr.size));
	out->verifier = cpu_to_le64(verifier);
	out->before = out->attr.change;
	return sizeof(*out);
}

int op_commit(struct op *op, struct file *any)
{
	struct file *file;
	u64 verifier;
	int ret;

	if (any->mode != S_IFREG && any->mode != S_IFDIR)
		return -EINVAL;
	/* Nothing was written here. */
	if (!op->e->writable)
		return put_committed(op, server_verifier(op->srv), any);
	if (!op->may_wait && !op->e->in_memory)
		return -EAGAIN;
	if (any->mode == S_IFDIR) {
		if (op->c->count > EBPFS_COMMIT_EXPORT)
			return -EINVAL;
		ret = op->e->in_memory ? 0 :
		      sync_directory(any, op->c->count == EBPFS_COMMIT_EXPORT);
		/* Errors that others met meanwhile are of what was to be brought to the disk. */
		return ret ? ret : put_committed(op, server_verifier(op->srv), any);
	}
	/* A descriptor that was written through knows of errors since then. Who may
	 * only read may have it flushed all the same, as by fsync(2). */
	ret = op_open_to_write(op, any, &file);
	if (ret == -EACCES) {
		ret = op_allowed(op, any, EBPFS_MAY_READ, true);
		if (!ret)
			ret = files_open(&op->srv->files, op->e, op->c->fh, op->c->fh_len,
					 FILE_READ, op->now, &file);
	}
	if (ret)
		return ret;
	/* Not fdatasync(): a client's fsync() promises the attributes, too. */
	ret = bring_to_disk(op->srv, op, file, fsync, &verifier);
	if (!ret)
		forget_committed(op->c->fh, op->c->fh_len);
	if (!ret)
		ret = put_committed(op, verifier, file);
	files_put(file);
	return ret;
}
