/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A lab for a test written in C: up at its beginning, down however it ends.
 * Each test function has a directory of its own, SRC/NAME on the server's side
 * and MNT/NAME on the client's.
 */
#ifndef SELFTESTS_LAB_H
#define SELFTESTS_LAB_H

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define SRC	"/srv/ebpfs"
#define MNT	"/mnt/ebpfs"
#define MNT2	MNT "-2"	/* of the second client, if there is one */
#define IN_C2	"nsenter --net=/run/netns/ebpfs-c2 "

static bool lab_is_up;
/* The test's directory by server and client. */
static char lab_there[64] __attribute__((unused)), lab_here[64] __attribute__((unused));

#define LAB_COMMAND	(PATH_MAX + 300)

/* A command line of @program, a file of the tree, with these arguments. 0 or -1. */
static int lab_command(char command[LAB_COMMAND], const char *program, const char *args)
{
	char exe[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", exe, sizeof(exe) - 1);

	if (n < 0)
		return -1;
	exe[n] = 0;
	*strrchr(exe, '/') = 0;
	snprintf(command, LAB_COMMAND, "%s/../../../%s %s", exe, program, args);
	return 0;
}

/* scripts/lab with these arguments; its exit status. */
static int lab(const char *args)
{
	char command[LAB_COMMAND];

	return lab_command(command, "scripts/lab", args) ? -1 : system(command);
}

static void lab_clean_up(void)
{
	if (lab_is_up)
		lab("down");
	(void)!system("rm -rf " SRC);
}

/* A lab with these options that serves SRC, until the process ends. Return: 0, or the
 * test cannot run.
 */
static int lab_up(const char *options)
{
	char args[300];

	atexit(lab_clean_up);
	snprintf(args, sizeof(args), "up --export " SRC " %s", options);
	if (lab(args)) {
		printf("Bail out! the lab does not come up\n");
		return 1;
	}
	lab_is_up = true;
	return 0;
}

/* The same with an empty SRC. */
static inline int lab_begin(const char *options)
{
	(void)!system("rm -rf " SRC);
	if (mkdir(SRC, 0755)) {
		printf("Bail out! cannot make " SRC ": %s\n", strerror(errno));
		return 1;
	}
	umask(022);
	return lab_up(options);
}

/* The last test of each: nothing may be left behind. */
static int lab_end(void)
{
	lab_is_up = false;
	return lab("down --clean");
}

/* The path of @name in @dir; valid until four calls later. */
static inline const char *lab_join(const char *dir, const char *name)
{
	static char paths[4][PATH_MAX];
	static unsigned int next;
	char *path = paths[next++ % 4];

	snprintf(path, PATH_MAX, "%s/%s", dir, name);
	return path;
}

#define C(name)	lab_join(lab_here, name)
#define S(name)	lab_join(lab_there, name)
#define C2(name) lab_join(lab_second(), name)

/* The test's directory by the second client. */
static inline const char *lab_second(void)
{
	static char dir[80];

	snprintf(dir, sizeof(dir), MNT2 "%s", lab_here + strlen(MNT));
	return dir;
}

/* Seconds of a clock that goes on. */
static inline double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* A new directory for the test that calls, where all may do all. */
static inline void begin(const char *name)
{
	snprintf(lab_there, sizeof(lab_there), SRC "/%s", name);
	snprintf(lab_here, sizeof(lab_here), MNT "/%s", name);
	if (mkdir(lab_there, 0777) || chmod(lab_there, 0777)) {
		printf("Bail out! cannot make %s: %s\n", lab_there, strerror(errno));
		exit(1);
	}
}

/* What @call gave: 0, or the error. */
#define ERRNO_OF(call)	((call) < 0 ? errno : 0)

static inline int put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
	ssize_t len = (ssize_t)strlen(text);
	int err = 0;

	if (fd < 0)
		return errno;
	if (write(fd, text, (size_t)len) != len)
		err = errno;
	return close(fd) && !err ? errno : err;
}

static inline bool holds(const char *path, const char *text)
{
	char buf[256];
	int fd = open(path, O_RDONLY);
	ssize_t n = fd < 0 ? -1 : read(fd, buf, sizeof(buf));

	if (fd >= 0)
		close(fd);
	return n == (ssize_t)strlen(text) && !memcmp(buf, text, (size_t)n);
}

static inline struct stat look(const char *path)
{
	struct stat st;

	if (lstat(path, &st))
		memset(&st, 0xff, sizeof(st));
	return st;
}

#endif /* SELFTESTS_LAB_H */
