// SPDX-License-Identifier: GPL-2.0
/*
 * bench: what a cold read costs.
 *
 * usage: bench [-t THREADS] [-s SEED] rand|seq COUNT FILE
 *
 *	rand	COUNT reads of 4 KiB at different random places, no readahead
 *	seq	COUNT reads of 1 MiB from the start, with readahead
 *
 * The file is dropped from this machine's page cache first (and the drop is
 * proved by mincore), which leaves a server's page cache as it is. The result
 * is one line of JSON:
 *
 *	ops, bytes, ns		of the loop
 *	idle_ns			of that, spent idle; exact, from /proc/timer_list
 *	busy_ns_per_op		(ns - idle_ns) / ops. In the counted mode of scripts/vm
 *				(one processor, one instruction is one nanosecond) this
 *				is instructions of the whole system, client and server.
 *				null on more than one processor, where it means nothing
 *	p50_ns, p99_ns		latency of one read
 *	context_switches	of the whole system
 *
 * Figures are taken around the loop, inside this process, whose memory is
 * touched before: starting a process and opening the file stay outside.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define SMALL		4096u
#define LARGE		(1u << 20)
#define THREADS_MAX	256

static const char *path;
static size_t size;
static uint64_t *offsets, *latencies;
static uint64_t count, start;
static unsigned int nthreads = 1;
static pthread_barrier_t ready;

static void die(const char *what)
{
	fprintf(stderr, "bench: cannot %s: %s\n", what, strerror(errno));
	exit(1);
}

static uint64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000ull + t.tv_nsec;
}

static uint64_t next_random(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15ull;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	return z ^ z >> 31;
}

/* Sum over the lines of a file in /proc that have @name, of the number there. */
static uint64_t sum_of(const char *file, const char *name)
{
	char line[512];
	uint64_t sum = 0;
	FILE *f = fopen(file, "r");

	if (!f)
		die(file);
	while (fgets(line, sizeof(line), f)) {
		char *at = strstr(line, name);

		if (at)
			sum += strtoull(at + strcspn(at, "0123456789"), NULL, 10);
	}
	fclose(f);
	return sum;
}

static uint64_t idle_ns(void)
{
	return sum_of("/proc/timer_list", ".idle_sleeptime") +
	       sum_of("/proc/timer_list", ".iowait_sleeptime");
}

static void *reader(void *arg)
{
	uint64_t first = (uintptr_t)arg;
	char *buf = aligned_alloc(4096, size);
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (!buf || fd < 0)
		die(path);
	memset(buf, 1, size);
	if (size == SMALL && posix_fadvise(fd, 0, 0, POSIX_FADV_RANDOM))
		die("set POSIX_FADV_RANDOM");
	pthread_barrier_wait(&ready);
	if (!first)
		start = now();
	for (uint64_t i = first; i < count; i += nthreads) {
		uint64_t begin = now();
		ssize_t n = pread(fd, buf, size, offsets[i]);

		latencies[i] = now() - begin;
		if (n != (ssize_t)size) {
			if (n >= 0)
				errno = ENODATA;
			die("read");
		}
	}
	close(fd);
	free(buf);
	return NULL;
}

static void make_cold(int fd, size_t len)
{
	size_t pages = (len + 4095) / 4096, resident = 0;
	unsigned char *map = malloc(pages);
	void *p;

	if (!map || posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED))
		die("drop the file from the page cache");
	p = mmap(NULL, len, PROT_READ, MAP_SHARED, fd, 0);
	if (p == MAP_FAILED || mincore(p, len, map))
		die("ask what is in the page cache");
	for (size_t i = 0; i < pages; i++)
		resident += map[i] & 1;
	munmap(p, len);
	free(map);
	if (resident) {
		fprintf(stderr, "bench: %zu pages of %s stay in the page cache; "
				"is it in use by somebody else?\n", resident, path);
		exit(1);
	}
}

/* A different block for each read, in random order: Fisher and Yates. */
static void choose_blocks(uint64_t blocks, uint64_t seed)
{
	uint64_t *all = malloc(blocks * sizeof(*all));

	if (!all)
		die("find memory");
	for (uint64_t i = 0; i < blocks; i++)
		all[i] = i;
	for (uint64_t i = 0; i < count; i++) {
		uint64_t j = i + next_random(&seed) % (blocks - i), t = all[i];

		all[i] = all[j];
		all[j] = t;
		offsets[i] = all[i] * SMALL;
	}
	free(all);
}

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static void usage(void)
{
	fprintf(stderr, "usage: bench [-t THREADS] [-s SEED] rand|seq COUNT FILE\n");
	exit(2);
}

int main(int argc, char **argv)
{
	uint64_t seed = 1, ns, idle, switches;
	pthread_t threads[THREADS_MAX];
	struct stat st;
	int opt, fd;

	while ((opt = getopt(argc, argv, "t:s:")) != -1) {
		if (opt == 't')
			nthreads = atoi(optarg);
		else if (opt == 's')
			seed = strtoull(optarg, NULL, 0);
		else
			usage();
	}
	if (optind + 3 != argc || nthreads < 1 || nthreads > THREADS_MAX)
		usage();
	if (!strcmp(argv[optind], "rand"))
		size = SMALL;
	else if (!strcmp(argv[optind], "seq"))
		size = LARGE;
	else
		usage();
	count = strtoull(argv[optind + 1], NULL, 0);
	path = argv[optind + 2];
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st))
		die(path);
	if (!count || count > (uint64_t)st.st_size / size) {
		fprintf(stderr, "bench: %s has %llu bytes: room for %llu reads of %zu, not %llu\n",
			path, (unsigned long long)st.st_size,
			(unsigned long long)st.st_size / size, size, (unsigned long long)count);
		return 2;
	}

	offsets = calloc(count, sizeof(*offsets));
	latencies = malloc(count * sizeof(*latencies));
	if (!offsets || !latencies)
		die("find memory");
	memset(latencies, 1, count * sizeof(*latencies));
	if (size == SMALL)
		choose_blocks(st.st_size / SMALL, seed);
	else
		for (uint64_t i = 0; i < count; i++)
			offsets[i] = i * LARGE;
	make_cold(fd, st.st_size);

	switches = sum_of("/proc/stat", "ctxt ");
	idle = idle_ns();
	pthread_barrier_init(&ready, NULL, nthreads);
	for (unsigned int i = 1; i < nthreads; i++)
		if (pthread_create(&threads[i], NULL, reader, (void *)(uintptr_t)i))
			die("start a thread");
	reader((void *)0);
	for (unsigned int i = 1; i < nthreads; i++)
		pthread_join(threads[i], NULL);
	ns = now() - start;
	idle = idle_ns() - idle;
	switches = sum_of("/proc/stat", "ctxt ") - switches;

	qsort(latencies, count, sizeof(*latencies), by_value);
	printf("{\"ops\": %llu, \"bytes\": %llu, \"ns\": %llu, \"idle_ns\": %llu, ",
	       (unsigned long long)count, (unsigned long long)count * size,
	       (unsigned long long)ns, (unsigned long long)idle);
	if (sysconf(_SC_NPROCESSORS_ONLN) == 1)
		printf("\"busy_ns_per_op\": %llu, ", (unsigned long long)((ns - idle) / count));
	else
		printf("\"busy_ns_per_op\": null, ");
	printf("\"p50_ns\": %llu, \"p99_ns\": %llu, \"context_switches\": %llu}\n",
	       (unsigned long long)latencies[count / 2],
	       (unsigned long long)latencies[count * 99 / 100], (unsigned long long)switches);
	return 0;
}
