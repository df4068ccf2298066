// SPDX-License-Identifier: GPL-2.0
/*
 * readfile: touches a file in one way and tells what came of it and when.
 *
 * usage: readfile [-t THREADS] [-n TIMES] [-p MILLISECONDS]
 *		    read|mmap|aio|ring|stat|list|statfs PATH
 *
 * Each thread does it TIMES (default once), pausing between: reads different
 * parts of the file, or maps it and touches a page of each, or reads some of it with
 * O_DIRECT by the kernel's AIO or by io_uring. When all are done
 * one line says "BYTES bytes, MILLISECONDS ms, errors: NAME COUNT ...", where a
 * mapping's SIGBUS counts as an error called SIGBUS; exit status 0 without
 * errors, else 1. Tests leave it blocked at a dead server and look at its
 * threads and at how it ends. Counts are atomic.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <time.h>
#include <unistd.h>

#include "queued.h"

#define ERRORS		256
#define SIGBUS_SLOT	(ERRORS - 1)
#define THREADS_MAX	256

static const char *path, *way;
static unsigned int nthreads = 1, times = 1, pause_ms;
static uint64_t bytes, errors[ERRORS];
static __thread sigjmp_buf escape;

static uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000ull + t.tv_nsec / 1000000;
}

static void failed(int err)
{
	__atomic_fetch_add(&errors[err < ERRORS ? err : 0], 1, __ATOMIC_RELAXED);
}

static void on_sigbus(int sig)
{
	(void)sig;
	siglongjmp(escape, 1);
}

/* Every thread has its own part of the file. */
static void read_part(unsigned int index)
{
	static const size_t chunk = 256 << 10;
	char *buf = malloc(chunk);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	off_t at, end;

	if (fd < 0 || !buf || fstat(fd, &st)) {
		failed(errno);
		goto out;
	}
	at = st.st_size / nthreads * index;
	end = index + 1 == nthreads ? st.st_size : at + st.st_size / nthreads;
	while (at < end) {
		size_t left = (size_t)(end - at);
		ssize_t n = pread(fd, buf, left < chunk ? left : chunk, at);

		if (n < 0)
			failed(errno);
		if (n <= 0)
			break;
		at += n;
		__atomic_fetch_add(&bytes, n, __ATOMIC_RELAXED);
	}
out:
	if (fd >= 0)
		close(fd);
	free(buf);
}

static void map_part(unsigned int index)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	volatile const char *p = MAP_FAILED;
	struct stat st = {};
	size_t at;

	if (fd < 0 || fstat(fd, &st)) {
		failed(errno);
		goto out;
	}
	p = mmap(NULL, st.st_size, PROT_READ, MAP_SHARED, fd, 0);
	if (p == MAP_FAILED) {
		failed(errno);
		goto out;
	}
	if (sigsetjmp(escape, 1)) {
		failed(SIGBUS_SLOT);
		goto out;
	}
	for (at = (size_t)index << 12; at < (size_t)st.st_size; at += (size_t)nthreads << 12) {
		(void)p[at];
		__atomic_fetch_add(&bytes, 1, __ATOMIC_RELAXED);
	}
out:
	if (p != MAP_FAILED)
		munmap((void *)p, st.st_size);
	if (fd >= 0)
		close(fd);
}

/* Four pieces of 64 KiB, all of them under way at a time. */
static void read_queued(unsigned int index)
{
	static const size_t chunk = 64 << 10;
	int fd = open(path, O_RDONLY | O_DIRECT | O_CLOEXEC), err;
	char *buf = aligned_alloc(4096, 4 * chunk);
	struct piece pieces[4] = {};

	if (fd < 0 || !buf) {
		failed(errno);
		goto out;
	}
	for (unsigned int i = 0; i < 4; i++) {
		pieces[i].v[0] = (struct iovec){ buf + i * chunk, chunk };
		pieces[i].nv = 1;
		pieces[i].at = (4 * index + i) * chunk;
	}
	err = strcmp(way, "aio") ? queued_ring(fd, pieces, 4) : queued_aio(fd, pieces, 4);
	for (unsigned int i = 0; i < 4 && !err; i++) {
		if (pieces[i].res < 0)
			err = pieces[i].res;
		else
			__atomic_fetch_add(&bytes, pieces[i].res, __ATOMIC_RELAXED);
	}
	if (err)
		failed(-err);
out:
	if (fd >= 0)
		close(fd);
	free(buf);
}

static void do_it(unsigned int index)
{
	struct statfs fs;
	struct stat st;
	DIR *dir;

	if (!strcmp(way, "read")) {
		read_part(index);
	} else if (!strcmp(way, "mmap")) {
		map_part(index);
	} else if (!strcmp(way, "aio") || !strcmp(way, "ring")) {
		read_queued(index);
	} else if (!strcmp(way, "stat")) {
		if (stat(path, &st))
			failed(errno);
	} else if (!strcmp(way, "statfs")) {
		if (statfs(path, &fs))
			failed(errno);
	} else {
		dir = opendir(path);
		errno = dir ? 0 : errno;
		while (dir && readdir(dir))
			__atomic_fetch_add(&bytes, 1, __ATOMIC_RELAXED);
		if (errno)
			failed(errno);
		if (dir)
			closedir(dir);
	}
}

static void *work(void *arg)
{
	for (unsigned int i = 0; i < times; i++) {
		do_it((uintptr_t)arg);
		usleep(pause_ms * 1000);
	}
	return NULL;
}

int main(int argc, char **argv)
{
	struct sigaction bus = { .sa_handler = on_sigbus };
	pthread_t threads[THREADS_MAX];
	uint64_t start = now_ms();
	int opt, any = 0;

	while ((opt = getopt(argc, argv, "t:n:p:")) != -1) {
		if (opt == 't')
			nthreads = atoi(optarg);
		else if (opt == 'n')
			times = atoi(optarg);
		else if (opt == 'p')
			pause_ms = atoi(optarg);
		else
			goto usage;
	}
	if (optind + 2 != argc || nthreads < 1 || nthreads > THREADS_MAX)
		goto usage;
	way = argv[optind];
	path = argv[optind + 1];
	if (strcmp(way, "read") && strcmp(way, "mmap") && strcmp(way, "stat") &&
	    strcmp(way, "list") && strcmp(way, "statfs") && strcmp(way, "aio") &&
	    strcmp(way, "ring"))
		goto usage;
	sigaction(SIGBUS, &bus, NULL);
	for (unsigned int i = 0; i < nthreads; i++) {
		if (pthread_create(&threads[i], NULL, work, (void *)(uintptr_t)i)) {
			fprintf(stderr, "readfile: cannot start a thread\n");
			return 2;
		}
	}
	for (unsigned int i = 0; i < nthreads; i++)
		pthread_join(threads[i], NULL);
	printf("%llu bytes, %llu ms, errors:", (unsigned long long)bytes,
	       (unsigned long long)(now_ms() - start));
	for (int i = 0; i < ERRORS; i++) {
		if (!errors[i])
			continue;
		printf(" %s %llu", i == SIGBUS_SLOT ? "SIGBUS" : strerrorname_np(i),
		       (unsigned long long)errors[i]);
		any = 1;
	}
	printf("%s\n", any ? "" : " none");
	return any;
usage:
	fprintf(stderr, "usage: readfile [-t THREADS] [-n TIMES] [-p MILLISECONDS] "
			"read|mmap|aio|ring|stat|list|statfs PATH\n");
	return 2;
}
