// SPDX-License-Identifier: GPL-2.0
/*
 * races: what is done to a file by two at a time, or by one while the server changes it
 *
 * timeout: 240
 *
 * Stores by mappings, appends, reads and punched holes meet; what a mistake needs is often
 * that somebody comes just between two steps, so most of this is repeated.
 */
#include <linux/aio_abi.h>
#include <linux/falloc.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "ktap.h"
#include "lab.h"

#define PAGE	4096
#define USER	12345

static sigjmp_buf jump;

static void on_sigbus(int sig)
{
	siglongjmp(jump, sig);
}

/* Stores a byte. Return: 0, or the signal that came instead; SIGALRM after five seconds. */
static int store(volatile char *at, char byte)
{
	int sig = sigsetjmp(jump, 1);

	if (!sig) {
		signal(SIGBUS, on_sigbus);
		signal(SIGALRM, on_sigbus);
		alarm(5);
		*at = byte;
	}
	alarm(0);
	signal(SIGBUS, SIG_DFL);
	signal(SIGALRM, SIG_DFL);
	return sig;
}

static char *map_of(int fd, size_t len)
{
	char *map = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	return map == MAP_FAILED ? NULL : map;
}

/* A page that was read and mapped is behind the end of the file by now. */
static void stores_behind_the_end(void)
{
	char buf[2 * PAGE];
	struct statx stx;
	char *map;
	int fd;

	begin("end");
	memset(buf, 'x', sizeof(buf));
	fd = open(S("f"), O_RDWR | O_CREAT, 0644);
	ASSERT(fd >= 0);
	EXPECT_EQ(write(fd, buf, sizeof(buf)), sizeof(buf));
	close(fd);
	fd = open(C("f"), O_RDWR);
	ASSERT(fd >= 0);
	map = map_of(fd, 2 * PAGE);
	ASSERT(map);
	EXPECT_EQ(map[PAGE], 'x');
	EXPECT_EQ(truncate(S("f"), PAGE), 0);
	EXPECT_EQ(statx(AT_FDCWD, C("f"), AT_STATX_FORCE_SYNC, STATX_SIZE, &stx), 0);
	EXPECT_EQ(stx.stx_size, PAGE);
	EXPECT_EQ(store(map + PAGE, 'y'), SIGBUS);
	EXPECT_EQ(store(map, 'y'), 0);
	EXPECT_EQ(msync(map, PAGE, MS_SYNC), 0);
	munmap(map, 2 * PAGE);
	close(fd);
	EXPECT_EQ(look(S("f")).st_size, PAGE);
}

/* The file as @user opens it, to read and write. */
static int open_as(uid_t user, const char *path)
{
	int fd;

	if (seteuid(user))
		return -1;
	fd = open(path, O_RDWR);
	return seteuid(0) ? -1 : fd;
}

/* What the server has refused is not read here any more. */
static void refused_bytes_are_forgotten(void)
{
	char buf[4] = "";
	struct statx stx;
	int fd, reader;

	begin("refused");
	EXPECT_EQ(put(S("f"), "old"), 0);
	EXPECT_EQ(chmod(S("f"), 0666), 0);
	fd = open_as(USER, C("f"));
	reader = open(C("f"), O_RDONLY);
	ASSERT(fd >= 0 && reader >= 0);
	EXPECT_EQ(pread(fd, buf, 3, 0), 3);
	EXPECT_MEM(buf, "old", 3);
	EXPECT_EQ(chmod(S("f"), 0600), 0);
	EXPECT_EQ(statx(AT_FDCWD, C("f"), AT_STATX_FORCE_SYNC, STATX_MODE, &stx), 0);
	EXPECT_EQ(pwrite(fd, "new", 3, 0), 3);
	EXPECT_EQ(ERRNO_OF(fsync(fd)), EACCES);
	/* Without opening it: that may ask whether the file has changed. */
	EXPECT_EQ(pread(reader, buf, 3, 0), 3);
	EXPECT_MEM(buf, "old", 3);
	EXPECT(holds(S("f"), "old"));
	close(fd);
	close(reader);
}

/* What one user has written is not lost because another one, who may not, writes, too. */
static void each_writes_as_himself(void)
{
	int mine, others;

	begin("users");
	EXPECT_EQ(put(S("f"), "---"), 0);
	EXPECT_EQ(chmod(S("f"), 0666), 0);
	mine = open_as(USER, C("f"));
	others = open_as(USER + 1, C("f"));
	ASSERT(mine >= 0 && others >= 0);
	EXPECT_EQ(chown(S("f"), USER, USER), 0);
	EXPECT_EQ(chmod(S("f"), 0600), 0);
	EXPECT_EQ(pwrite(mine, "aaa", 3, 0), 3);
	EXPECT_EQ(pwrite(others, "b", 1, 3), 1);
	EXPECT_EQ(ERRNO_OF(fsync(others)), EACCES);
	EXPECT(holds(S("f"), "aaa"));
	close(mine);
	close(others);
}

/* In a process of its own until it is told to end, or fails with a status. */
static pid_t worker(int (*deed)(void))
{
	pid_t pid = fork();

	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		_exit(deed());
	}
	return pid;
}

static void stop(pid_t pid)
{
	kill(pid, SIGTERM);
}

static int status_of(pid_t pid)
{
	int status;

	if (waitpid(pid, &status, 0) != pid)
		return -1;
	return WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM ? 0 : status;
}

static int append_lines(void)
{
	int fd = open(C("log"), O_WRONLY | O_APPEND);

	for (;;)
		if (write(fd, "line 7\n", 7) != 7)
			return 1;
}

static int read_lines(void)
{
	static char buf[1 << 20];
	int fd = open(C("log"), O_RDONLY);

	for (;;) {
		off_t end = lseek(fd, 0, SEEK_END), from = end > 9000 ? end - 9000 : 0;
		ssize_t n = pread(fd, buf, sizeof(buf), from);

		if (n < 0)
			return 1;
		if (memchr(buf, 0, (size_t)n))
			return 2;
	}
}

/* What is appended here is read here, and nothing else in its place. */
static void appends_are_read(void)
{
	pid_t writer, reader;

	begin("log");
	EXPECT_EQ(put(C("log"), "line 7\n"), 0);
	writer = worker(append_lines);
	reader = worker(read_lines);
	sleep(6);
	stop(reader);
	stop(writer);
	EXPECT_EQ(status_of(reader), 0);
	EXPECT_EQ(status_of(writer), 0);
	EXPECT(look(C("log")).st_size > 50);
}

#define HOLE_SIZE	(64 << 10)

static volatile bool enough;

struct storer {
	pthread_t thread;
	volatile uint32_t *at;
	uint32_t last;
};

static void *store_all_the_time(void *arg)
{
	struct storer *s = arg;

	while (!enough) {
		*s->at = s->last + 1;
		s->last++;
		usleep(300);
	}
	return NULL;
}

/* A hole is punched while a mapping stores beside it, near and far: the server gets these
 * stores, and no zeroes but in the hole.
 */
static void stores_beside_a_hole(void)
{
	static char buf[HOLE_SIZE], got[HOLE_SIZE];
	struct storer near = { 0 }, far = { 0 };
	char *map;
	int fd, s;

	begin("hole");
	memset(buf, 'x', sizeof(buf));
	fd = open(C("f"), O_RDWR | O_CREAT, 0644);
	ASSERT(fd >= 0);
	EXPECT_EQ(pwrite(fd, buf, sizeof(buf), 0), sizeof(buf));
	EXPECT_EQ(fsync(fd), 0);
	map = map_of(fd, sizeof(buf));
	ASSERT(map);
	near.at = (volatile uint32_t *)(map + 3000);
	far.at = (volatile uint32_t *)(map + 50000);
	enough = false;
	pthread_create(&near.thread, NULL, store_all_the_time, &near);
	pthread_create(&far.thread, NULL, store_all_the_time, &far);
	for (int i = 0; i < 60; i++) {
		EXPECT_EQ(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 100, 50), 0);
		if (i % 8 == 7)
			EXPECT_EQ(fsync(fd), 0);
	}
	enough = true;
	pthread_join(near.thread, NULL);
	pthread_join(far.thread, NULL);
	EXPECT_EQ(fsync(fd), 0);
	memset(buf + 100, 0, 50);
	memcpy(buf + 3000, &near.last, sizeof(near.last));
	memcpy(buf + 50000, &far.last, sizeof(far.last));
	s = open(S("f"), O_RDONLY);
	ASSERT(s >= 0);
	EXPECT_EQ(pread(s, got, sizeof(got), 0), sizeof(got));
	EXPECT_MEM(got, buf, sizeof(buf));
	EXPECT_EQ(pread(fd, got, sizeof(got), 0), sizeof(got));
	EXPECT_MEM(got, buf, sizeof(buf));
	munmap(map, sizeof(buf));
	close(fd);
	close(s);
}

#define LARGE	(48u << 20)

static char seen[2];
static pthread_barrier_t both;

static void *open_and_look(void *arg)
{
	char *byte = arg;
	int fd;

	pthread_barrier_wait(&both);
	fd = open(C("large"), O_RDONLY);
	if (fd < 0 || pread(fd, byte, 1, LARGE - 1) != 1)
		*byte = '?';
	close(fd);
	return NULL;
}

/* Two open at a time what another has changed: neither sees what was. */
static void two_open_what_has_changed(void)
{
	static char buf[1 << 20];
	pthread_t threads[2];
	int s, fd;

	begin("two");
	s = open(S("large"), O_RDWR | O_CREAT, 0644);
	ASSERT(s >= 0);
	pthread_barrier_init(&both, NULL, 2);
	for (char round = 'a'; round < 'g'; round++) {
		memset(buf, round, sizeof(buf));
		for (off_t at = 0; at < LARGE; at += (off_t)sizeof(buf))
			EXPECT_EQ(pwrite(s, buf, sizeof(buf), at), sizeof(buf));
		for (int i = 0; i < 2; i++)
			pthread_create(&threads[i], NULL, open_and_look, &seen[i]);
		for (int i = 0; i < 2; i++)
			pthread_join(threads[i], NULL);
		EXPECT_EQ(seen[0], round);
		EXPECT_EQ(seen[1], round);
		/* All of it is cached for the next round. */
		fd = open(C("large"), O_RDONLY);
		while (read(fd, buf, sizeof(buf)) > 0)
			;
		close(fd);
	}
	close(s);
}

static aio_context_t aio;
static struct iocb iocb;
static struct iocb *iocbs[1] = { &iocb };

static void *cancel_all_the_time(void *arg)
{
	struct io_event event;

	(void)arg;
	while (!enough)
		syscall(SYS_io_cancel, aio, &iocb, &event);
	return NULL;
}

/* Reads of @fd that are cancelled at any time: when they begin, and when they have ended. */
static void cancelled_reads(int fd, unsigned int times)
{
	struct timespec wait = { .tv_sec = 10 };
	struct io_event event;
	pthread_t canceller;
	void *buf = NULL;

	ASSERT(!posix_memalign(&buf, PAGE, PAGE));
	aio = 0;
	ASSERT(!syscall(SYS_io_setup, 4, &aio));
	iocb = (struct iocb){
		.aio_lio_opcode = IOCB_CMD_PREAD,
		.aio_fildes = (uint32_t)fd,
		.aio_buf = (uintptr_t)buf,
		.aio_nbytes = PAGE,
	};
	enough = false;
	pthread_create(&canceller, NULL, cancel_all_the_time, NULL);
	for (unsigned int i = 0; i < times; i++) {
		ASSERT(syscall(SYS_io_submit, aio, 1, iocbs) == 1);
		EXPECT_EQ(syscall(SYS_io_getevents, aio, 1, 1, &event, &wait), 1);
		if (event.res != PAGE && event.res != -EINTR)
			EXPECT_EQ(event.res, -EIO);
	}
	enough = true;
	pthread_join(canceller, NULL);
	syscall(SYS_io_destroy, aio);
	free(buf);
}

static void reads_are_cancelled(void)
{
	static char buf[PAGE];
	char line[LAB_COMMAND];
	int fd;

	begin("aio");
	fd = open(S("f"), O_RDWR | O_CREAT, 0644);
	ASSERT(fd >= 0);
	EXPECT_EQ(write(fd, buf, sizeof(buf)), sizeof(buf));
	close(fd);
	fd = open(C("f"), O_RDONLY | O_DIRECT);
	ASSERT(fd >= 0);
	cancelled_reads(fd, 1500);
	/* Now each has ended by the time that it is submitted. */
	EXPECT_EQ(lab_command(line, "userspace/ebpfsctl/ebpfsctl", "abort " MNT), 0);
	EXPECT_EQ(system(line), 0);
	cancelled_reads(fd, 1500);
	close(fd);
}

static void lab_goes_down(void)
{
	EXPECT_EQ(lab_end(), 0);
}

static const struct ktap_test tests[] = {
	KTAP_TEST(stores_behind_the_end),
	KTAP_TEST(refused_bytes_are_forgotten),
	KTAP_TEST(each_writes_as_himself),
	KTAP_TEST(appends_are_read),
	KTAP_TEST(stores_beside_a_hole),
	KTAP_TEST(two_open_what_has_changed),
	KTAP_TEST(reads_are_cancelled),
	KTAP_TEST(lab_goes_down),
};

int main(int argc, char **argv)
{
	return lab_begin("--steer tc") ?: KTAP_MAIN(tests, argc, argv);
}
