// SPDX-License-Identifier: GPL-2.0
/*
 * locks: fcntl and flock hold between two clients and the server, wake who waits, go
 * with the process that had them and with the client, outlast the server, and what was
 * written under them is seen by who gets them next
 *
 * timeout: 180
 *
 * Two mounts stand for two clients: to the kernel they are two filesystems.
 */
#include <signal.h>
#include <stdint.h>
#include <sys/file.h>
#include <sys/fsuid.h>
#include <sys/wait.h>

#include "ktap.h"
#include "lab.h"

#define LEASE	4

static int open_rw(const char *path)
{
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);

	EXPECT(fd >= 0);
	return fd;
}

/* 0 or the error. */
static int lock(int fd, int cmd, int type, off_t start, off_t len)
{
	struct flock fl = { .l_type = (short)type, .l_whence = SEEK_SET, .l_start = start,
			    .l_len = len };

	return ERRNO_OF(fcntl(fd, cmd, &fl));
}

static bool in_the_way(int error)
{
	return error == EAGAIN || error == EACCES;
}

static void ranges(void)
{
	struct flock fl = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 0 };
	int a, b;

	begin("ranges");
	a = open_rw(C("f"));
	b = open_rw(C2("f"));
	EXPECT_EQ(lock(a, F_SETLK, F_WRLCK, 100, 100), 0);
	EXPECT(in_the_way(lock(b, F_SETLK, F_WRLCK, 0, 0)));
	EXPECT(in_the_way(lock(b, F_SETLK, F_RDLCK, 199, 1)));
	EXPECT_EQ(lock(b, F_SETLK, F_WRLCK, 0, 100), 0);
	EXPECT_EQ(lock(b, F_SETLK, F_WRLCK, 200, 0), 0);
	EXPECT_EQ(fcntl(b, F_GETLK, &fl), 0);
	EXPECT_EQ(fl.l_type, F_WRLCK);
	/* The middle of a range is let go of. */
	EXPECT_EQ(lock(a, F_SETLK, F_UNLCK, 140, 20), 0);
	EXPECT_EQ(lock(b, F_SETLK, F_WRLCK, 140, 20), 0);
	EXPECT(in_the_way(lock(b, F_SETLK, F_WRLCK, 139, 1)));
	EXPECT(in_the_way(lock(b, F_SETLK, F_WRLCK, 160, 1)));
	/* Readers share. */
	EXPECT_EQ(lock(a, F_SETLK, F_RDLCK, 160, 40), 0);
	EXPECT_EQ(lock(b, F_SETLK, F_RDLCK, 160, 40), 0);
	EXPECT(in_the_way(lock(a, F_SETLK, F_WRLCK, 160, 40)));
	/* Closing any descriptor of the file ends a process's locks. */
	close(open(C("f"), O_RDONLY));
	EXPECT_EQ(lock(b, F_SETLK, F_WRLCK, 0, 0), 0);
	close(b);
	EXPECT_EQ(lock(a, F_SETLK, F_WRLCK, 0, 0), 0);
	EXPECT_EQ(lock(a, F_SETLK, F_UNLCK, 0, 0), 0);
	/* Those of an open file description do not. */
	b = open_rw(C2("f"));
	EXPECT_EQ(lock(a, F_OFD_SETLK, F_WRLCK, 0, 10), 0);
	close(open(C("f"), O_RDONLY));
	EXPECT(in_the_way(lock(b, F_OFD_SETLK, F_RDLCK, 9, 1)));
	close(a);
	EXPECT_EQ(lock(b, F_OFD_SETLK, F_RDLCK, 9, 1), 0);
	close(b);
}

static void whole_files(void)
{
	int a, a2, b;

	begin("flock");
	a = open_rw(C("f"));
	a2 = open_rw(C("f"));
	b = open_rw(C2("f"));
	EXPECT_EQ(flock(a, LOCK_EX | LOCK_NB), 0);
	EXPECT_EQ(ERRNO_OF(flock(a2, LOCK_SH | LOCK_NB)), EWOULDBLOCK);
	EXPECT_EQ(ERRNO_OF(flock(b, LOCK_SH | LOCK_NB)), EWOULDBLOCK);
	EXPECT_EQ(flock(a, LOCK_SH | LOCK_NB), 0);
	EXPECT_EQ(flock(b, LOCK_SH | LOCK_NB), 0);
	EXPECT_EQ(ERRNO_OF(flock(b, LOCK_EX | LOCK_NB)), EWOULDBLOCK);
	/* Both kinds know nothing of each other. */
	EXPECT_EQ(lock(b, F_SETLK, F_WRLCK, 0, 0), 0);
	close(a);
	EXPECT_EQ(flock(b, LOCK_UN), 0);
	EXPECT_EQ(flock(a2, LOCK_EX | LOCK_NB), 0);
	close(a2);
	close(b);
}

static void with_the_server(void)
{
	int a, s;

	begin("local");
	a = open_rw(C("f"));
	s = open_rw(S("f"));
	EXPECT_EQ(lock(a, F_SETLK, F_WRLCK, 0, 10), 0);
	EXPECT(in_the_way(lock(s, F_SETLK, F_RDLCK, 0, 0)));
	EXPECT_EQ(lock(s, F_SETLK, F_WRLCK, 10, 10), 0);
	EXPECT(in_the_way(lock(a, F_SETLK, F_RDLCK, 0, 0)));
	EXPECT_EQ(flock(s, LOCK_EX | LOCK_NB), 0);
	EXPECT_EQ(ERRNO_OF(flock(a, LOCK_SH | LOCK_NB)), EWOULDBLOCK);
	close(s);
	EXPECT_EQ(flock(a, LOCK_SH | LOCK_NB), 0);
	close(a);
}

/* A process that takes a lock and waits for its end. */
static pid_t holder(const char *path, int type)
{
	int fds[2];
	pid_t pid;
	char c;

	if (pipe(fds))
		return -1;
	pid = fork();
	if (!pid) {
		int fd = open(path, O_RDWR);

		if (fd < 0 || lock(fd, F_SETLK, type, 0, 0) || flock(fd, LOCK_EX | LOCK_NB))
			_exit(1);
		(void)!write(fds[1], "x", 1);
		for (;;)
			pause();
	}
	close(fds[1]);
	EXPECT_EQ(read(fds[0], &c, 1), 1);
	close(fds[0]);
	return pid;
}

static void on_alarm(int number)
{
	(void)number;
}

static void waiting(void)
{
	const struct sigaction alarmed = { .sa_handler = on_alarm };	/* no SA_RESTART */
	double began;
	pid_t pid;
	int b;

	begin("wait");
	b = open_rw(C2("f"));
	pid = holder(C("f"), F_WRLCK);
	EXPECT(in_the_way(lock(b, F_SETLK, F_WRLCK, 0, 0)));
	/* It is killed, not asked: its locks go with it, and who waits gets them soon. */
	if (!fork()) {
		usleep(700000);
		kill(pid, SIGKILL);
		_exit(0);
	}
	began = now();
	EXPECT_EQ(lock(b, F_SETLKW, F_WRLCK, 0, 0), 0);
	EXPECT(now() - began > 0.5 && now() - began < 5);
	EXPECT_EQ(flock(b, LOCK_EX), 0);
	while (wait(NULL) > 0)
		;
	close(b);
	/* A signal ends the waiting. */
	pid = holder(C("f"), F_WRLCK);
	b = open_rw(C2("f"));
	sigaction(SIGALRM, &alarmed, NULL);
	ualarm(300000, 0);
	EXPECT_EQ(lock(b, F_SETLKW, F_WRLCK, 0, 0), EINTR);
	kill(pid, SIGKILL);
	while (wait(NULL) > 0)
		;
	close(b);
}

/* Adds 1 to the number in a file, @times times, under a lock. */
static int count_up(const char *path, int times, bool whole)
{
	char text[32];
	int i, fd;

	for (i = 0; i < times; i++) {
		long value = 0;
		ssize_t n;

		fd = open(path, O_RDWR);
		if (fd < 0 || (whole ? flock(fd, LOCK_EX) : lock(fd, F_SETLKW, F_WRLCK, 0, 0) != 0))
			return 1;
		n = pread(fd, text, sizeof(text) - 1, 0);
		if (n < 0)
			return 2;
		text[n] = 0;
		value = atol(text) + 1;
		n = snprintf(text, sizeof(text), "%ld\n", value);
		if (pwrite(fd, text, (size_t)n, 0) != n)
			return 3;
		if (i % 2) {	/* else close() unlocks */
			if (whole ? flock(fd, LOCK_UN) : lock(fd, F_SETLK, F_UNLCK, 0, 0) != 0)
				return 4;
		}
		close(fd);
	}
	return 0;
}

static void what_is_written_is_seen(void)
{
	const char *names[] = { "posix", "flock" };
	int i, status, times = getenv("EBPFS_LONG") ? 300 : 40;
	char want[32];

	begin("count");
	for (i = 0; i < 2; i++) {
		EXPECT_EQ(put(S(names[i]), "0\n"), 0);
		EXPECT_EQ(chmod(S(names[i]), 0666), 0);
		if (!fork())
			_exit(count_up(C(names[i]), times, i));
		if (!fork())
			_exit(count_up(C(names[i]), times, i));
		if (!fork())
			_exit(count_up(C2(names[i]), times, i));
		if (!fork())
			_exit(count_up(C2(names[i]), times, i));
		while (wait(&status) > 0)
			EXPECT_EQ(status, 0);
		snprintf(want, sizeof(want), "%d\n", 4 * times);
		EXPECT(holds(S(names[i]), want));
	}
}

static void server_dies(void)
{
	int a, b, i;

	begin("restart");
	a = open_rw(C("f"));
	b = open_rw(C2("f"));
	EXPECT_EQ(lock(a, F_SETLK, F_WRLCK, 0, 50), 0);
	EXPECT_EQ(flock(a, LOCK_SH), 0);
	for (i = 0; i < 3; i++) {
		EXPECT_EQ(lab("kill 1"), 0);
		EXPECT_EQ(lab("start 1"), 0);
		/* Before the first client is back, nobody gets its locks. */
		EXPECT(in_the_way(lock(b, F_SETLK, F_WRLCK, 0, 1)));
		EXPECT_EQ(lock(b, F_SETLK, F_WRLCK, 50, 1), 0);
		EXPECT_EQ(ERRNO_OF(flock(b, LOCK_EX | LOCK_NB)), EWOULDBLOCK);
		EXPECT_EQ(lock(b, F_SETLK, F_UNLCK, 0, 0), 0);
	}
	EXPECT_EQ(pwrite(a, "x", 1, 0), 1);
	EXPECT_EQ(fsync(a), 0);
	close(a);
	EXPECT_EQ(lock(b, F_SETLK, F_WRLCK, 0, 0), 0);
	EXPECT_EQ(flock(b, LOCK_EX | LOCK_NB), 0);
	close(b);
}

/* Locks of a user, on a file that nobody else may open: they are claimed again as his. Root is
 * somebody else at the server.
 */
static void server_of_a_user_dies(void)
{
	int a, a2, b;
	char c;

	begin("user");
	setfsgid(1000);
	setfsuid(1000);
	a = open(C("f"), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	a2 = open(C("f"), O_RDWR | O_CLOEXEC);
	b = open(C2("f"), O_RDWR | O_CLOEXEC);
	EXPECT(a >= 0 && a2 >= 0 && b >= 0);
	EXPECT_EQ(pwrite(a, "x", 1, 0), 1);
	EXPECT_EQ(lock(a, F_SETLK, F_WRLCK, 0, 10), 0);
	EXPECT_EQ(lock(a2, F_OFD_SETLK, F_WRLCK, 10, 10), 0);
	EXPECT_EQ(flock(a, LOCK_EX), 0);
	setfsuid(0);
	EXPECT(open(C("f"), O_RDWR) < 0);
	setfsuid(1000);
	EXPECT_EQ(lab("kill 1"), 0);
	EXPECT_EQ(lab("start 1"), 0);
	EXPECT_EQ(pread(a, &c, 1, 0), 1);
	EXPECT(in_the_way(lock(b, F_OFD_SETLK, F_WRLCK, 9, 1)));
	EXPECT(in_the_way(lock(b, F_OFD_SETLK, F_WRLCK, 10, 1)));
	EXPECT_EQ(lock(b, F_OFD_SETLK, F_WRLCK, 20, 1), 0);
	EXPECT_EQ(ERRNO_OF(flock(b, LOCK_EX | LOCK_NB)), EWOULDBLOCK);
	EXPECT_EQ(pread(a, &c, 1, 0), 1);
	EXPECT_EQ(pwrite(a, "y", 1, 0), 1);
	EXPECT_EQ(fsync(a), 0);
	close(a);
	close(a2);
	EXPECT_EQ(lock(b, F_OFD_SETLK, F_WRLCK, 0, 0), 0);
	close(b);
	setfsuid(0);
	setfsgid(0);
}

/* A client that is cut off loses its locks after the lease time, and learns of it. */
static void client_is_lost(void)
{
	double began;
	int a, b;
	char c;

	begin("lost");
	a = open_rw(C2("f"));
	b = open_rw(C("f"));
	EXPECT_EQ(pwrite(a, "x", 1, 0), 1);
	EXPECT_EQ(fsync(a), 0);
	EXPECT_EQ(lock(a, F_SETLK, F_WRLCK, 0, 0), 0);
	/* It lives, and does nothing: that is no reason. */
	sleep(LEASE + 2);
	EXPECT(in_the_way(lock(b, F_SETLK, F_WRLCK, 0, 0)));
	EXPECT_EQ(system(IN_C2 "tc qdisc add dev s1 root netem loss 100%"), 0);
	began = now();
	EXPECT_EQ(lock(b, F_SETLKW, F_WRLCK, 0, 0), 0);
	EXPECT(now() - began > LEASE - 3 && now() - began < LEASE + 8);
	EXPECT_EQ(system(IN_C2 "tc qdisc del dev s1 root"), 0);
	/* Back, it finds that the lock is somebody else's. */
	began = now();
	do {
		usleep(200000);
	} while (pread(a, &c, 1, 0) == 1 && now() - began < 15);
	EXPECT_EQ(ERRNO_OF(pread(a, &c, 1, 0)), EIO);
	EXPECT_EQ(ERRNO_OF(pwrite(a, "y", 1, 0)), EIO);
	EXPECT_EQ(lock(a, F_SETLK, F_UNLCK, 0, 0), 0);
	EXPECT_EQ(pread(a, &c, 1, 0), 1);
	EXPECT(in_the_way(lock(a, F_SETLK, F_WRLCK, 0, 0)));
	close(b);
	EXPECT_EQ(lock(a, F_SETLK, F_WRLCK, 0, 0), 0);
	close(a);
}

static void left_behind(void)
{
	EXPECT_EQ(lab_end(), 0);
}

static const struct ktap_test tests[] = {
	KTAP_TEST(ranges),
	KTAP_TEST(whole_files),
	KTAP_TEST(with_the_server),
	KTAP_TEST(waiting),
	KTAP_TEST(what_is_written_is_seen),
	KTAP_TEST(server_dies),
	KTAP_TEST(server_of_a_user_dies),
	KTAP_TEST(client_is_lost),
	KTAP_TEST(left_behind),
};

int main(int argc, char **argv)
{
	if (lab_begin("--steer tc --clients 2 --lease 4 --export-opts rw,root_squash"))
		return 1;
	return KTAP_MAIN(tests, argc, argv);
}
