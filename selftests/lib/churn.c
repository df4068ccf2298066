// SPDX-License-Identifier: GPL-2.0
/*
 * churn: truncates and rewrites a file on the server while clients read it.
 *
 * usage: churn [-s SECONDS] [-t THREADS] SOURCE COPY
 *
 * SOURCE has generated contents (data.h, seed 1). One thread cuts it to random
 * sizes and writes the rest back, again and again; the others read COPY at
 * random places, by pread and by mapping. Whatever they see, every byte
 * must be what belongs there or zero, which is what a file holds that was cut and
 * has grown; reads may end early, and a mapping may raise SIGBUS, where
 * the file is short just then. Any other byte or error is a failure. At the end
 * SOURCE is whole again. Exit status: 0, 1 with a failure, 2 if it cannot be
 * tried.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "data.h"

#define LONGEST		(256u << 10)
#define THREADS_MAX	64

static const char *source, *copy;
static uint64_t size, cuts, reads, shorter, buses;
static bool stop, wrong;
static __thread sigjmp_buf escape;

static void __attribute__((noreturn)) die(const char *what)
{
	fprintf(stderr, "churn: cannot %s: %s\n", what, strerror(errno));
	exit(2);
}

static void on_sigbus(int sig)
{
	(void)sig;
	siglongjmp(escape, 1);
}

static void write_back(int fd, uint64_t from, char *buf)
{
	while (from < size) {
		size_t n = size - from < LONGEST ? size - from : LONGEST;

		data_fill(buf, n, from, 1);
		if (pwrite(fd, buf, n, from) != (ssize_t)n)
			die("write the source");
		from += n;
	}
}

static void *cutter(void *unused)
{
	int fd = open(source, O_WRONLY | O_CLOEXEC);
	char *buf = malloc(LONGEST);
	uint64_t state = 7;

	(void)unused;
	if (fd < 0 || !buf)
		die("open the source");
	while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
		uint64_t r = data_random(&state), at = r % size & ~7ull;

		if (ftruncate(fd, at))
			die("truncate the source");
		/* Sometimes it grows as a hole before its bytes come back. */
		if (r >> 63 && ftruncate(fd, size))
			die("extend the source");
		usleep(r >> 40 & 0x3fff);
		write_back(fd, at, buf);
		usleep(r >> 20 & 0x3fff);
		cuts++;
	}
	close(fd);
	free(buf);
	return NULL;
}

static void judge(const char *how, const char *got, size_t len, uint64_t at)
{
	for (size_t i = 0; i + 8 <= len; i += 8) {
		char should[8];
		int good = 0;

		data_fill(should, 8, at + i, 1);
		/* Byte by byte: what copies on the server may be cut within a word. */
		while (good < 8 && (got[i + good] == should[good] || !got[i + good]))
			good++;
		if (good == 8)
			continue;
		if (!__atomic_exchange_n(&wrong, true, __ATOMIC_RELAXED)) {
			uint64_t is, ought;

			memcpy(&is, got + i, 8);
			memcpy(&ought, should, 8);
			fprintf(stderr, "churn: wrong bytes by %s at %llu: %016llx instead of %016llx, "
				"in a read of %zu at %llu\n", how, (unsigned long long)(at + i),
				(unsigned long long)is, (unsigned long long)ought, len,
				(unsigned long long)at);
		}
		return;
	}
}

static void bad(const char *how, uint64_t at)
{
	if (!__atomic_exchange_n(&wrong, true, __ATOMIC_RELAXED))
		fprintf(stderr, "churn: %s at %llu: %s\n", how, (unsigned long long)at,
			strerror(errno));
}

/* Copies from the mapping; false if there is nothing just now. */
static bool copy_mapped(char *to, const char *from, size_t len)
{
	if (sigsetjmp(escape, 1))
		return false;
	memcpy(to, from, len);
	return true;
}

static void *reader(void *arg)
{
	uint64_t state = (uintptr_t)arg + 100;
	char *buf = malloc(LONGEST), *map;
	int fd = open(copy, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || !buf)
		die("open the copy");
	map = mmap(NULL, size, PROT_READ, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED)
		die("map the copy");
	while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
		uint64_t r = data_random(&state), at = data_random(&state) % size & ~7ull;
		size_t len = 8 + (r >> 8) % (LONGEST - 8);

		if (at + len > size)
			len = size - at;
		__atomic_fetch_add(&reads, 1, __ATOMIC_RELAXED);
		if (r & 1) {
			ssize_t n = pread(fd, buf, len, at);

			if (n < 0)
				bad("pread", at);
			else
				judge("pread", buf, n, at);
			if (n >= 0 && (size_t)n < len)
				__atomic_fetch_add(&shorter, 1, __ATOMIC_RELAXED);
		} else if (copy_mapped(buf, map + at, len)) {
			judge("mapping", buf, len, at);
		} else {
			__atomic_fetch_add(&buses, 1, __ATOMIC_RELAXED);
		}
	}
	munmap(map, size);
	close(fd);
	free(buf);
	return NULL;
}

int main(int argc, char **argv)
{
	struct sigaction bus = { .sa_handler = on_sigbus };
	unsigned int seconds = 5, nthreads = 4;
	pthread_t threads[THREADS_MAX + 1];
	struct stat st;
	int opt;

	while ((opt = getopt(argc, argv, "s:t:")) != -1) {
		if (opt == 's')
			seconds = atoi(optarg);
		else if (opt == 't')
			nthreads = atoi(optarg);
		else
			goto usage;
	}
	if (optind + 2 != argc || nthreads < 1 || nthreads > THREADS_MAX)
		goto usage;
	source = argv[optind];
	copy = argv[optind + 1];
	if (stat(source, &st))
		die(source);
	size = st.st_size;
	sigaction(SIGBUS, &bus, NULL);
	for (unsigned int i = 0; i <= nthreads; i++)
		if (pthread_create(&threads[i], NULL, i ? reader : cutter, (void *)(uintptr_t)i))
			die("start a thread");
	for (unsigned int i = 0; i < seconds * 10 && !__atomic_load_n(&wrong, __ATOMIC_RELAXED);
	     i++)
		usleep(100000);
	__atomic_store_n(&stop, true, __ATOMIC_RELAXED);
	for (unsigned int i = 0; i <= nthreads; i++)
		pthread_join(threads[i], NULL);
	printf("%llu cuts, %llu reads, %llu of them short, %llu SIGBUS\n",
	       (unsigned long long)cuts, (unsigned long long)reads,
	       (unsigned long long)shorter, (unsigned long long)buses);
	return wrong ? 1 : 0;
usage:
	fprintf(stderr, "usage: churn [-s SECONDS] [-t THREADS] SOURCE COPY\n");
	return 2;
}
