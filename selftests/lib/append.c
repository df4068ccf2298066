// SPDX-License-Identifier: GPL-2.0
/*
 * append: several processes append records to one file; then, are all there?
 *
 * usage: append [-n RECORDS] PATH [PATH...]
 *
 * One process per PATH (they are one file by several mounts) writes RECORDS
 * (default 1000) records of different lengths with O_APPEND, each by one
 * write(2), and some fsync. Afterwards the file, read by the first PATH, must
 * consist of just these records, each whole and those of a writer in order.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/platform.h"
#include "data.h"

#define WRITERS_MAX	16
#define BODY_MAX	600

/* A record: this, then @len bytes made of @writer and @number. */
struct record {
	u32 magic;
	u16 writer;
	u16 len;
	u64 number;
};

#define MAGIC	0x61707064u

static void body(u8 *to, const struct record *r)
{
	u64 state = r->number * 31 + r->writer;
	u32 i;

	for (i = 0; i < r->len; i++)
		to[i] = (u8)data_random(&state);
}

static int fail(const char *what, const char *path)
{
	fprintf(stderr, "append: cannot %s %s: %s\n", what, path, strerror(errno));
	return 1;
}

static int writer(const char *path, u16 index, u64 records)
{
	u8 buf[sizeof(struct record) + BODY_MAX];
	int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
	u64 state = index, i;

	if (fd < 0)
		return fail("open", path);
	for (i = 0; i < records; i++) {
		struct record r = { MAGIC, index, (u16)(data_random(&state) % BODY_MAX), i };
		ssize_t len = (ssize_t)(sizeof(r) + r.len);

		memcpy(buf, &r, sizeof(r));
		body(buf + sizeof(r), &r);
		if (write(fd, buf, (size_t)len) != len)
			return fail("append to", path);
		if (data_random(&state) % 64 == 0 && fsync(fd))
			return fail("sync", path);
	}
	return close(fd) ? fail("close", path) : 0;
}

static int check(const char *path, unsigned int writers, u64 records)
{
	u64 next[WRITERS_MAX] = { 0 }, at = 0, total = 0;
	u8 want[BODY_MAX];
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	u8 *all;

	if (fd < 0 || fstat(fd, &st))
		return fail("open", path);
	all = malloc((size_t)st.st_size + 1);
	if (!all)
		return fail("get memory for", path);
	while (total < (u64)st.st_size) {
		ssize_t n = read(fd, all + total, (size_t)st.st_size - total);

		if (n <= 0)
			return fail("read", path);
		total += (u64)n;
	}
	close(fd);
	while (at < total) {
		struct record r;

		if (total - at < sizeof(r))
			break;
		memcpy(&r, all + at, sizeof(r));
		if (r.magic != MAGIC || r.writer >= writers || r.len >= BODY_MAX ||
		    total - at < sizeof(r) + r.len)
			break;
		body(want, &r);
		if (r.number != next[r.writer] || memcmp(want, all + at + sizeof(r), r.len))
			break;
		next[r.writer]++;
		at += sizeof(r) + r.len;
	}
	if (at < total) {
		fprintf(stderr, "append: no good record at byte %llu of %llu\n",
			(unsigned long long)at, (unsigned long long)total);
		return 1;
	}
	for (unsigned int i = 0; i < writers; i++) {
		if (next[i] != records) {
			fprintf(stderr, "append: writer %u has %llu records instead of %llu\n", i,
				(unsigned long long)next[i], (unsigned long long)records);
			return 1;
		}
	}
	return 0;
}

int main(int argc, char **argv)
{
	u64 records = 1000;
	int opt, status, failed = 0, i, n;

	while ((opt = getopt(argc, argv, "n:")) != -1) {
		if (opt != 'n')
			goto usage;
		records = strtoull(optarg, NULL, 0);
	}
	n = argc - optind;
	if (n < 1 || n > WRITERS_MAX)
		goto usage;
	for (i = 0; i < n; i++) {
		pid_t pid = fork();

		if (!pid)
			_exit(writer(argv[optind + i], (u16)i, records));
		if (pid < 0)
			return fail("start a writer of", argv[optind + i]);
	}
	while (wait(&status) > 0)
		if (status)
			failed = 1;
	return failed ?: check(argv[optind], (unsigned int)n, records);
usage:
	fprintf(stderr, "usage: append [-n RECORDS] PATH [PATH...]\n");
	return 2;
}
