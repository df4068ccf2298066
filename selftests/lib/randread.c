// SPDX-License-Identifier: GPL-2.0
/*
 * randread: reads two equal files at random places in every way there is, and
 * compares.
 *
 * usage: randread [-s SEED] [-n READS | -u END] [-t THREADS] [-w WAYS] SOURCE COPY
 *
 * END is a number of seconds, or a file that ends it (until.h).
 * WAYS is a comma-separated list, all by default: pread, nowait, mmap,
 * sendfile, splice, direct, advise (pread after parts of COPY were dropped from
 * the page cache), ahead (pread after readahead()), and in several pieces at the same
 * time ring (io_uring), dring (with O_DIRECT), aio (with O_DIRECT). Places and lengths favour
 * the edges of pages, of 64 KiB and of the file. Prints how many reads each way
 * did; a way that COPY's filesystem does not offer counts as "refused".
 *
 * Exit status: 0 equal, 1 not (with place and way), 2 cannot be compared. Each
 * thread has its own descriptors; counts are atomic.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "data.h"
#include "queued.h"
#include "until.h"

#define LONGEST		(1u << 20)
#define THREADS_MAX	64

enum way { PREAD, NOWAIT, MMAP, SENDFILE, SPLICE, DIRECT, ADVISE, AHEAD, RING, DRING, AIO,
	   WAYS };
static const char *const names[WAYS] = {
	"pread", "nowait", "mmap", "sendfile", "splice", "direct", "advise", "ahead", "ring",
	"dring", "aio",
};

static const char *source_path, *copy_path;
static uint64_t size, seed = 1, reads = 1000;
static const char *end;
static struct until until;
static unsigned int nthreads = 1;
static unsigned int ways = (1u << WAYS) - 1;
static uint64_t done[WAYS], refused[WAYS];
static bool wrong;

struct reader {
	uint64_t state;
	int source, copy, direct, pipe[2], memory;
	char *a, *b;
};

static void __attribute__((noreturn)) die(const char *what)
{
	fprintf(stderr, "randread: cannot %s: %s\n", what, strerror(errno));
	exit(2);
}

static uint64_t pick_offset(uint64_t *state)
{
	uint64_t r = data_random(state), at = data_random(state) % (size + 1);

	switch (r % 8) {
	case 0:
	case 1:		/* near an edge of a page */
		at = (at & ~4095ull) + (r >> 8) % 17 - 8;
		break;
	case 2:		/* near an edge of a unit */
		at = (at & ~65535ull) + (r >> 8) % 17 - 8;
		break;
	case 3:		/* near the end */
		at = size - (r >> 8) % 20000;
		break;
	}
	return at > size ? 0 : at;
}

static size_t pick_length(uint64_t *state)
{
	uint64_t r = data_random(state);

	switch (r % 4) {
	case 0:
		return 1 + (r >> 8) % 16;
	case 1:
		return 4096;
	case 2:
		return 1 + (r >> 8) % 70000;
	default:
		return 1 + (r >> 8) % LONGEST;
	}
}

static ssize_t pread_whole(int fd, char *to, size_t len, uint64_t at)
{
	size_t got = 0;

	while (got < len) {
		ssize_t n = pread(fd, to + got, len - got, at + got);

		if (n < 0)
			return -1;
		if (!n)
			break;
		got += n;
	}
	return got;
}

static ssize_t read_nowait(struct reader *r, size_t len, uint64_t at)
{
	struct iovec v = { .iov_base = r->b, .iov_len = len };

	return preadv2(r->copy, &v, 1, at, RWF_NOWAIT);
}

static ssize_t read_mapped(struct reader *r, size_t len, uint64_t at)
{
	uint64_t from = at & ~4095ull;
	char *p;

	if (at >= size)
		return 0;
	if (len > size - at)
		len = size - at;
	p = mmap(NULL, len + (at - from), PROT_READ, MAP_SHARED, r->copy, from);
	if (p == MAP_FAILED)
		return -1;
	memcpy(r->b, p + (at - from), len);
	munmap(p, len + (at - from));
	return len;
}

static ssize_t read_sendfile(struct reader *r, size_t len, uint64_t at)
{
	off_t from = at;
	size_t got = 0;

	if (ftruncate(r->memory, 0) || lseek(r->memory, 0, SEEK_SET))
		die("empty the memory file");
	while (got < len) {
		ssize_t n = sendfile(r->memory, r->copy, &from, len - got);

		if (n < 0)
			return -1;
		if (!n)
			break;
		got += n;
	}
	return pread_whole(r->memory, r->b, got, 0);
}

static ssize_t read_splice(struct reader *r, size_t len, uint64_t at)
{
	loff_t from = at;
	size_t got = 0;

	while (got < len) {
		ssize_t n = splice(r->copy, &from, r->pipe[1], NULL, len - got, 0);

		if (n < 0)
			return -1;
		if (!n)
			break;
		while (n) {
			ssize_t m = read(r->pipe[0], r->b + got, n);

			if (m <= 0)
				die("read from the pipe");
			got += m;
			n -= m;
		}
	}
	return got;
}

static ssize_t read_direct(struct reader *r, size_t *len, uint64_t *at)
{
	if (r->direct < 0) {
		errno = EOPNOTSUPP;
		return -1;
	}
	*at &= ~4095ull;
	*len = (*len + 4095) & ~4095ull;
	return pread_whole(r->direct, r->b, *len, *at);
}

/* Up to eight pieces, each but the last of whole pages and in two parts of any size. */
static ssize_t read_queued(struct reader *r, enum way way, size_t *len, uint64_t *at)
{
	unsigned int n = 0, most = 1 + data_random(&r->state) % 8;
	int fd = way == RING ? r->copy : r->direct, err;
	struct piece pieces[8];
	size_t size, done = 0;
	ssize_t total = 0;

	if (way != RING) {
		*at &= ~4095ull;
		*len = (*len + 4095) & ~4095ull;
	}
	size = (*len / most + 4096) & ~4095ull;
	for (; done < *len; n++) {
		struct piece *p = &pieces[n];
		size_t part = *len - done < size ? *len - done : size, cut;

		cut = data_random(&r->state) % part;
		*p = (struct piece){ .nv = cut ? 2 : 1, .at = *at + done };
		p->v[0] = (struct iovec){ r->b + done, cut ? cut : part };
		p->v[1] = (struct iovec){ r->b + done + cut, part - cut };
		done += part;
	}
	err = way == AIO ? queued_aio(fd, pieces, n) : queued_ring(fd, pieces, n);
	for (unsigned int i = 0; i < n && !err; i++) {
		if (pieces[i].res < 0)
			err = pieces[i].res;
		else if (pieces[i].res && pieces[i].at != *at + total)
			err = -ENODATA;		/* a gap */
		total += err ? 0 : pieces[i].res;
	}
	errno = -err;
	return err ? -1 : total;
}

/* Returns true if the way is there at all. */
static bool read_copy(struct reader *r, enum way way, size_t *len, uint64_t *at, ssize_t *n)
{
	uint64_t from;

	switch (way) {
	case NOWAIT:
		*n = read_nowait(r, *len, *at);
		if (*n >= 0) {	/* May be short wherever the cache ends. */
			*len = *n;
			return true;
		}
		return errno != EAGAIN && errno != EOPNOTSUPP;
	case MMAP:
		*n = read_mapped(r, *len, *at);
		return true;
	case SENDFILE:
		*n = read_sendfile(r, *len, *at);
		return true;
	case SPLICE:
		*n = read_splice(r, *len, *at);
		return true;
	case DIRECT:
		*n = read_direct(r, len, at);
		return *n >= 0 || (errno != EOPNOTSUPP && errno != EINVAL);
	case RING:
		*n = read_queued(r, way, len, at);
		return true;
	case DRING:
	case AIO:
		if (r->direct < 0)
			return false;
		*n = read_queued(r, way, len, at);
		return true;
	case ADVISE:
		from = pick_offset(&r->state);
		if (posix_fadvise(r->copy, from, pick_length(&r->state), POSIX_FADV_DONTNEED))
			die("drop parts of the copy");
		break;
	case AHEAD:
		if (readahead(r->copy, pick_offset(&r->state), pick_length(&r->state)))
			die("read ahead");
		break;
	default:
		break;
	}
	*n = pread_whole(r->copy, r->b, *len, *at);
	return true;
}

static void complain(enum way way, uint64_t at, size_t len, const char *fmt, uint64_t value)
{
	if (__atomic_exchange_n(&wrong, true, __ATOMIC_RELAXED))
		return;
	fprintf(stderr, "randread: %s of %zu bytes at %llu (seed %llu): ", names[way], len,
		(unsigned long long)at, (unsigned long long)seed);
	fprintf(stderr, fmt, (unsigned long long)value);
	fputc('\n', stderr);
}

static void one_read(struct reader *r)
{
	uint64_t at = pick_offset(&r->state);
	size_t len = pick_length(&r->state), i = 0;
	ssize_t n = 0, m;
	enum way way;

	do {
		way = data_random(&r->state) % WAYS;
	} while (!(ways & 1u << way));
	if (!read_copy(r, way, &len, &at, &n)) {
		__atomic_fetch_add(&refused[way], 1, __ATOMIC_RELAXED);
		return;
	}
	if (n < 0) {
		complain(way, at, len, "error %llu", errno);
		return;
	}
	m = pread_whole(r->source, r->a, len, at);
	if (m < 0)
		die("read the source");
	if (n != m) {
		complain(way, at, len, "%llu bytes came", n);
	} else if (memcmp(r->a, r->b, n)) {
		while (r->a[i] == r->b[i])
			i++;
		complain(way, at, len, "byte %llu of them is wrong", i);
	}
	__atomic_fetch_add(&done[way], 1, __ATOMIC_RELAXED);
}

static void *reader(void *arg)
{
	uint64_t index = (uintptr_t)arg;
	struct reader r = { .state = data_mix(seed) + index };

	r.source = open(source_path, O_RDONLY | O_CLOEXEC);
	if (r.source < 0)
		die(source_path);
	r.copy = open(copy_path, O_RDONLY | O_CLOEXEC);
	if (r.copy < 0)
		die(copy_path);
	r.direct = open(copy_path, O_RDONLY | O_DIRECT | O_CLOEXEC);
	r.memory = memfd_create("randread", MFD_CLOEXEC);
	r.a = aligned_alloc(4096, LONGEST + 4096);
	r.b = aligned_alloc(4096, LONGEST + 4096);
	if (r.memory < 0 || pipe2(r.pipe, O_CLOEXEC) || !r.a || !r.b)
		die("prepare");
	for (uint64_t i = index; (end ? !until_over(&until) : i < reads) &&
	     !__atomic_load_n(&wrong, __ATOMIC_RELAXED); i += nthreads)
		one_read(&r);
	return NULL;
}

static void parse_ways(char *list)
{
	char *name;

	ways = 0;
	while ((name = strsep(&list, ","))) {
		unsigned int i = 0;

		while (i < WAYS && strcmp(name, names[i]))
			i++;
		if (i == WAYS) {
			fprintf(stderr, "randread: no way to read is called '%s'\n", name);
			exit(2);
		}
		ways |= 1u << i;
	}
}

int main(int argc, char **argv)
{
	pthread_t threads[THREADS_MAX];
	unsigned int i;
	struct stat a, b;
	int opt;

	while ((opt = getopt(argc, argv, "s:n:u:t:w:")) != -1) {
		if (opt == 's')
			seed = strtoull(optarg, NULL, 0);
		else if (opt == 'n')
			reads = strtoull(optarg, NULL, 0);
		else if (opt == 'u')
			until = until_parse(end = optarg);
		else if (opt == 't')
			nthreads = atoi(optarg);
		else if (opt == 'w')
			parse_ways(optarg);
		else
			goto usage;
	}
	if (optind + 2 != argc || nthreads < 1 || nthreads > THREADS_MAX)
		goto usage;
	source_path = argv[optind];
	copy_path = argv[optind + 1];
	if (stat(source_path, &a))
		die(source_path);
	if (stat(copy_path, &b))
		die(copy_path);
	size = a.st_size;
	if (a.st_size != b.st_size) {
		fprintf(stderr, "randread: %s has %lld bytes, %s %lld\n", source_path,
			(long long)a.st_size, copy_path, (long long)b.st_size);
		return 1;
	}
	for (i = 0; i < nthreads; i++)
		if (pthread_create(&threads[i], NULL, reader, (void *)(uintptr_t)i))
			die("start a thread");
	for (i = 0; i < nthreads; i++)
		pthread_join(threads[i], NULL);
	for (i = 0; i < WAYS; i++)
		if (ways & 1u << i)
			printf("%s %llu, refused %llu\n", names[i], (unsigned long long)done[i],
			       (unsigned long long)refused[i]);
	if (end)
		printf("longest %lu ms, %lu ms after the first\n", until_longest, until_from);
	return wrong ? 1 : 0;
usage:
	fprintf(stderr, "usage: randread [-s SEED] [-n READS | -u END] [-t THREADS] [-w WAYS] SOURCE COPY\n");
	return 2;
}
