/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Reads that are under way at the same time: by io_uring, and by the kernel's AIO.
 */
#ifndef QUEUED_H
#define QUEUED_H

#include <errno.h>
#include <liburing.h>
#include <linux/aio_abi.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define QUEUED_MAX	32

/**
 * struct piece - one read
 * @v: to where
 * @nv: of @v
 * @at: place in the file
 * @res: bytes, or a negative error
 */
struct piece {
	struct iovec v[2];
	unsigned int nv;
	uint64_t at;
	long res;
};

/* Submits all, and waits for all. Return: 0, or a negative error: nothing is known then. */
static inline int queued_ring(int fd, struct piece *pieces, unsigned int n)
{
	struct io_uring_cqe *cqe;
	struct io_uring ring;
	unsigned int i;
	int err;

	err = io_uring_queue_init(QUEUED_MAX, &ring, 0);
	if (err)
		return err;
	for (i = 0; i < n; i++) {
		struct io_uring_sqe *sqe = io_uring_get_sqe(&ring);

		io_uring_prep_readv(sqe, fd, pieces[i].v, pieces[i].nv, pieces[i].at);
		io_uring_sqe_set_data(sqe, &pieces[i]);
	}
	err = io_uring_submit(&ring);
	err = err == (int)n ? 0 : err < 0 ? err : -EIO;
	for (i = 0; i < n && !err; i++) {
		err = io_uring_wait_cqe(&ring, &cqe);
		if (err)
			break;
		((struct piece *)io_uring_cqe_get_data(cqe))->res = cqe->res;
		io_uring_cqe_seen(&ring, cqe);
	}
	io_uring_queue_exit(&ring);
	return err;
}

static inline int queued_aio(int fd, struct piece *pieces, unsigned int n)
{
	struct iocb cbs[QUEUED_MAX] = {}, *list[QUEUED_MAX];
	struct io_event events[QUEUED_MAX];
	aio_context_t context = 0;
	unsigned int i, ended = 0;
	long got;
	int err;

	if (syscall(SYS_io_setup, QUEUED_MAX, &context))
		return -errno;
	for (i = 0; i < n; i++) {
		cbs[i].aio_data = i;
		cbs[i].aio_lio_opcode = IOCB_CMD_PREADV;
		cbs[i].aio_fildes = fd;
		cbs[i].aio_buf = (uintptr_t)pieces[i].v;
		cbs[i].aio_nbytes = pieces[i].nv;
		cbs[i].aio_offset = pieces[i].at;
		list[i] = &cbs[i];
	}
	got = syscall(SYS_io_submit, context, (long)n, list);
	err = got == (long)n ? 0 : got < 0 ? -errno : -EIO;
	while (!err && ended < n) {
		got = syscall(SYS_io_getevents, context, 1l, (long)n, events, NULL);
		/* The end of an io_uring of ours interrupts, too. */
		if (got < 0 && errno != EINTR)
			err = -errno;
		for (i = 0; got > 0 && i < got; i++)
			pieces[events[i].data].res = events[i].res;
		ended += got > 0 ? got : 0;
	}
	syscall(SYS_io_destroy, context);
	return err;
}

#endif /* QUEUED_H */
