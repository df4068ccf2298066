// SPDX-License-Identifier: GPL-2.0
/*
 * posix: system calls on the mount answer as a local filesystem would, with the
 * errors that POSIX and the man pages name
 *
 * timeout: 180
 *
 * The served directory is made by prepare(); every test uses files of its own
 * in it. SRC is the directory on the server's side, MNT the mount. The lab is
 * taken down again however the tests end.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "data.h"
#include "ktap.h"
#include "lab.h"

#define SIZE	(300 * 1024 + 5)	/* of the file "data": no multiple of anything */

static char contents[SIZE];

/* What opening gives: 0, or the error. Nothing stays open. */
static int opening(const char *path, int flags)
{
	int fd = open(path, flags, 0644);

	if (fd < 0)
		return errno;
	close(fd);
	return 0;
}

static void make(const char *name, mode_t mode, uid_t uid, gid_t gid)
{
	int dir = open(SRC, O_RDONLY | O_DIRECTORY);
	int fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL, 0600);

	if (fd < 0 || write(fd, contents, SIZE) != SIZE || fchown(fd, uid, gid) ||
	    fchmod(fd, mode)) {
		printf("Bail out! cannot make %s/%s: %s\n", SRC, name, strerror(errno));
		exit(1);
	}
	close(fd);
	close(dir);
}

static void must(int err, const char *what)
{
	if (err) {
		printf("Bail out! cannot %s: %s\n", what, strerror(errno));
		exit(1);
	}
}

static void prepare(void)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX, .sun_path = SRC "/socket" };
	int sock = socket(AF_UNIX, SOCK_STREAM, 0);

	data_fill(contents, SIZE, 0, 1);
	must(system("rm -rf " SRC " && mkdir -p " SRC), "make " SRC);
	make("data", 0644, 0, 0);
	make("private", 0600, 0, 0);
	make("of a group", 0640, 0, 4242);
	make("of a user", 0600, 1000, 1000);
	make("for others only", 0004, 1000, 1000);
	make("program", 0755, 0, 0);
	make("not for running", 0644, 0, 0);
	must(mkdir(SRC "/dir", 0755), "make a directory");
	must(mkdir(SRC "/closed", 0700), "make a directory");
	must(mkdir(SRC "/closed/inside", 0755), "make a directory");
	must(mkdir(SRC "/unlisted", 0711), "make a directory");
	must(link(SRC "/data", SRC "/unlisted/data"), "make a link");
	must(mkdir(SRC "/empty", 0755), "make a directory");
	must(symlink("data", SRC "/link"), "make a link");
	must(symlink("/etc/passwd", SRC "/absolute"), "make a link");
	must(symlink("loop", SRC "/loop"), "make a link");
	must(symlink("dir/../link", SRC "/link to link"), "make a link");
	must(symlink("../../../../../../etc/passwd", SRC "/up"), "make a link");
	must(mkfifo(SRC "/fifo", 0644), "make a fifo");
	must(mknod(SRC "/null", S_IFCHR | 0666, makedev(1, 3)), "make a device");
	must(sock < 0 || bind(sock, (struct sockaddr *)&addr, sizeof(addr)), "make a socket");
	must(system("cp /bin/true " SRC "/true && chmod 755 " SRC "/true"), "copy a program");
}

static void writing_is_refused(void)
{
	struct timespec times[2] = {};

	EXPECT_EQ(opening(MNT "/data", O_WRONLY), EROFS);
	EXPECT_EQ(opening(MNT "/data", O_RDWR), EROFS);
	EXPECT_EQ(opening(MNT "/data", O_RDONLY | O_TRUNC), EROFS);
	EXPECT_EQ(opening(MNT "/new", O_WRONLY | O_CREAT), EROFS);
	EXPECT_EQ(opening(MNT "/dir", O_RDWR | O_TMPFILE), EROFS);
	EXPECT_EQ(ERRNO_OF(mkdir(MNT "/new", 0755)), EROFS);
	EXPECT_EQ(ERRNO_OF(mknod(MNT "/new", S_IFREG | 0644, 0)), EROFS);
	EXPECT_EQ(ERRNO_OF(symlink("x", MNT "/new")), EROFS);
	EXPECT_EQ(ERRNO_OF(link(MNT "/data", MNT "/new")), EROFS);
	EXPECT_EQ(ERRNO_OF(rename(MNT "/data", MNT "/new")), EROFS);
	EXPECT_EQ(ERRNO_OF(unlink(MNT "/data")), EROFS);
	EXPECT_EQ(ERRNO_OF(rmdir(MNT "/empty")), EROFS);
	EXPECT_EQ(ERRNO_OF(truncate(MNT "/data", 0)), EROFS);
	EXPECT_EQ(ERRNO_OF(chmod(MNT "/data", 0600)), EROFS);
	EXPECT_EQ(ERRNO_OF(chown(MNT "/data", 1, 1)), EROFS);
	EXPECT_EQ(ERRNO_OF(utimensat(AT_FDCWD, MNT "/data", times, 0)), EROFS);
	EXPECT_EQ(ERRNO_OF(access(MNT "/data", W_OK)), EROFS);
	EXPECT_EQ(ERRNO_OF(setxattr(MNT "/data", "user.x", "y", 1, 0)), EROFS);
}

static void what_is_not_there(void)
{
	char name[300] = MNT "/";

	EXPECT_EQ(opening(MNT "/nothing", O_RDONLY), ENOENT);
	EXPECT_EQ(opening(MNT "/nothing/at all", O_RDONLY), ENOENT);
	EXPECT_EQ(opening(MNT "/data/below", O_RDONLY), ENOTDIR);
	EXPECT_EQ(opening(MNT "/data/", O_RDONLY), ENOTDIR);
	EXPECT_EQ(opening(MNT "/data", O_RDONLY | O_DIRECTORY), ENOTDIR);
	EXPECT_EQ(opening(MNT "/loop", O_RDONLY), ELOOP);
	EXPECT_EQ(opening(MNT "/link", O_RDONLY | O_NOFOLLOW), ELOOP);
	memset(name + strlen(name), 'n', 256);
	EXPECT_EQ(opening(name, O_RDONLY), ENAMETOOLONG);
	name[strlen(name) - 1] = 0;
	EXPECT_EQ(opening(name, O_RDONLY), ENOENT);
	EXPECT_EQ(ERRNO_OF(access(MNT "/not for running", X_OK)), EACCES);
	EXPECT_EQ(ERRNO_OF(access(MNT "/program", X_OK)), 0);
}

/* Runs @body as somebody else; the number of its failed expectations is ours. */
static void as_somebody(uid_t uid, gid_t gid, gid_t other, void (*body)(void))
{
	int status;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (!pid) {
		ktap.failures = 0;
		if (setgroups(1, &other) || setresgid(gid, gid, gid) || setresuid(uid, uid, uid))
			ktap_fail();
		body();
		fflush(stdout);
		_exit(ktap.failures < 100 ? ktap.failures : 100);
	}
	ASSERT(waitpid(pid, &status, 0) == pid);
	EXPECT(WIFEXITED(status));
	EXPECT_EQ(WEXITSTATUS(status), 0);
}

static void try_as_stranger(void)
{
	EXPECT_EQ(opening(MNT "/data", O_RDONLY), 0);
	EXPECT_EQ(opening(MNT "/private", O_RDONLY), EACCES);
	EXPECT_EQ(opening(MNT "/of a group", O_RDONLY), EACCES);
	EXPECT_EQ(opening(MNT "/of a user", O_RDONLY), EACCES);
	EXPECT_EQ(opening(MNT "/for others only", O_RDONLY), 0);
	EXPECT_EQ(opening(MNT "/closed", O_RDONLY), EACCES);
	EXPECT_EQ(opening(MNT "/closed/inside", O_RDONLY), EACCES);
	EXPECT_EQ(opening(MNT "/unlisted", O_RDONLY), EACCES);
	EXPECT_EQ(opening(MNT "/unlisted/data", O_RDONLY), 0);
}

static void try_as_member(void)
{
	EXPECT_EQ(opening(MNT "/of a group", O_RDONLY), 0);
	EXPECT_EQ(opening(MNT "/private", O_RDONLY), EACCES);
}

static void try_as_owner(void)
{
	EXPECT_EQ(opening(MNT "/of a user", O_RDONLY), 0);
	EXPECT_EQ(opening(MNT "/for others only", O_RDONLY), EACCES);
}

static void permissions(void)
{
	EXPECT_EQ(opening(MNT "/private", O_RDONLY), 0);	/* as root */
	as_somebody(2000, 2000, 2000, try_as_stranger);
	as_somebody(2000, 2000, 4242, try_as_member);
	as_somebody(1000, 1000, 1000, try_as_owner);
}

static void reads_at_the_edges(void)
{
	int fd = open(MNT "/data", O_RDONLY), dir = open(MNT "/dir", O_RDONLY);
	static char buf[SIZE + 100];

	ASSERT(fd >= 0 && dir >= 0);
	EXPECT_EQ(pread(fd, buf, sizeof(buf), 0), SIZE);
	EXPECT_MEM(buf, contents, SIZE);
	EXPECT_EQ(pread(fd, buf, 100, SIZE - 10), 10);
	EXPECT_MEM(buf, contents + SIZE - 10, 10);
	EXPECT_EQ(pread(fd, buf, 100, SIZE), 0);
	EXPECT_EQ(pread(fd, buf, 100, SIZE + 1000000), 0);
	EXPECT_EQ(pread(fd, buf, 100, LLONG_MAX - 200), 0);
	EXPECT_EQ(pread(fd, buf, 0, 0), 0);
	EXPECT_EQ(ERRNO_OF(pread(fd, buf, 100, -1)), EINVAL);
	EXPECT_EQ(ERRNO_OF(read(dir, buf, 100)), EISDIR);
	EXPECT_EQ(ERRNO_OF(write(fd, buf, 100)), EBADF);
	EXPECT_EQ(ERRNO_OF(syscall(SYS_pread64, fd, (void *)8, 100, 0)), EFAULT);
	EXPECT_EQ(lseek(fd, 0, SEEK_END), SIZE);
	EXPECT_EQ(lseek(fd, -5, SEEK_CUR), SIZE - 5);
	EXPECT_EQ(read(fd, buf, 100), 5);
	EXPECT_EQ(ERRNO_OF(lseek(fd, -1, SEEK_SET)), EINVAL);
	close(fd);
	close(dir);
}

static void data_and_holes(void)
{
	int fd = open(MNT "/data", O_RDONLY);

	ASSERT(fd >= 0);
	EXPECT_EQ(lseek(fd, 10, SEEK_DATA), 10);
	EXPECT_EQ(lseek(fd, 10, SEEK_HOLE), SIZE);
	EXPECT_EQ(ERRNO_OF(lseek(fd, SIZE, SEEK_DATA)), ENXIO);
	EXPECT_EQ(ERRNO_OF(lseek(fd, SIZE + 1, SEEK_HOLE)), ENXIO);
	close(fd);
}

static sigjmp_buf escape;

static void on_sigbus(int sig)
{
	(void)sig;
	siglongjmp(escape, 1);
}

/* Does touching @p raise SIGBUS? */
static bool bus_error(const volatile char *p)
{
	struct sigaction action = { .sa_handler = on_sigbus }, old;
	volatile bool raised = false;

	sigaction(SIGBUS, &action, &old);
	if (sigsetjmp(escape, 1))
		raised = true;
	else
		(void)*p;
	sigaction(SIGBUS, &old, NULL);
	return raised;
}

static void mappings(void)
{
	size_t len = (SIZE + 4095) & ~4095ul, i;
	int fd = open(MNT "/data", O_RDONLY);
	char *p, *q;

	ASSERT(fd >= 0);
	p = mmap(NULL, len + 8192, PROT_READ, MAP_SHARED, fd, 0);
	ASSERT(p != MAP_FAILED);
	EXPECT_MEM(p, contents, SIZE);
	for (i = SIZE; i < len && !p[i]; i++)
		;
	EXPECT_EQ(i, len);	/* zeros up to the end of the page */
	EXPECT(bus_error(p + len));
	EXPECT(bus_error(p + len + 4096));
	EXPECT(!bus_error(p + SIZE - 1));
	q = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	ASSERT(q != MAP_FAILED);
	q[5] ^= 1;
	EXPECT_EQ(p[5], contents[5]);
	EXPECT_EQ(q[5], (char)(contents[5] ^ 1));
	EXPECT(mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) == MAP_FAILED);
	EXPECT_EQ(errno, EACCES);
	munmap(p, len + 8192);
	munmap(q, len);
	close(fd);
}

static void compare_stat(const char *name)
{
	struct statx a, b;
	int dir_a = open(SRC, O_RDONLY), dir_b = open(MNT, O_RDONLY);

	ASSERT(!statx(dir_a, name, AT_SYMLINK_NOFOLLOW, STATX_ALL, &a));
	ASSERT(!statx(dir_b, name, AT_SYMLINK_NOFOLLOW, STATX_ALL, &b));
	close(dir_a);
	close(dir_b);
	EXPECT_EQ(b.stx_mode, a.stx_mode);
	EXPECT_EQ(b.stx_nlink, a.stx_nlink);
	EXPECT_EQ(b.stx_uid, a.stx_uid);
	EXPECT_EQ(b.stx_gid, a.stx_gid);
	EXPECT_EQ(b.stx_ino, a.stx_ino);
	EXPECT_EQ(b.stx_size, a.stx_size);
	EXPECT_EQ(b.stx_blocks, a.stx_blocks);
	EXPECT_EQ(b.stx_mtime.tv_sec, a.stx_mtime.tv_sec);
	EXPECT_EQ(b.stx_mtime.tv_nsec, a.stx_mtime.tv_nsec);
	EXPECT_EQ(b.stx_ctime.tv_sec, a.stx_ctime.tv_sec);
	EXPECT_EQ(b.stx_ctime.tv_nsec, a.stx_ctime.tv_nsec);
	EXPECT_EQ(b.stx_mask & STATX_BTIME, a.stx_mask & STATX_BTIME);
	if (a.stx_mask & STATX_BTIME) {
		EXPECT_EQ(b.stx_btime.tv_sec, a.stx_btime.tv_sec);
		EXPECT_EQ(b.stx_btime.tv_nsec, a.stx_btime.tv_nsec);
	}
	EXPECT_EQ(b.stx_rdev_major, a.stx_rdev_major);
	EXPECT_EQ(b.stx_rdev_minor, a.stx_rdev_minor);
	EXPECT(b.stx_blksize >= 4096);
	EXPECT(b.stx_dev_minor != a.stx_dev_minor || b.stx_dev_major != a.stx_dev_major);
}

static void attributes(void)
{
	compare_stat(".");
	compare_stat("data");
	compare_stat("of a user");
	compare_stat("link");
	compare_stat("fifo");
	compare_stat("socket");
	compare_stat("null");
	compare_stat("empty");
}

static void symbolic_links(void)
{
	char buf[100] = "";
	struct stat a, b;

	EXPECT_EQ(readlink(MNT "/absolute", buf, sizeof(buf)), 11);
	EXPECT_MEM(buf, "/etc/passwd", 11);
	EXPECT_EQ(readlink(MNT "/absolute", buf, 4), 4);
	EXPECT_EQ(ERRNO_OF(readlink(MNT "/data", buf, 4)), EINVAL);
	ASSERT(!stat(MNT "/data", &a));
	EXPECT(!stat(MNT "/link", &b) && a.st_ino == b.st_ino && a.st_dev == b.st_dev);
	EXPECT(!stat(MNT "/link to link", &b) && a.st_ino == b.st_ino);
	/* Links are followed by the client, so they lead to its own files. */
	ASSERT(!stat("/etc/passwd", &a));
	EXPECT(!stat(MNT "/absolute", &b) && a.st_ino == b.st_ino && a.st_dev == b.st_dev);
	EXPECT(!stat(MNT "/up", &b) && a.st_ino == b.st_ino && a.st_dev == b.st_dev);
}

static void parents(void)
{
	struct stat a, b;

	/* Above the root is the client's directory, not the server's. */
	ASSERT(!stat("/mnt", &a));
	EXPECT(!stat(MNT "/..", &b) && a.st_ino == b.st_ino && a.st_dev == b.st_dev);
	EXPECT(!stat(MNT "/dir/../../..", &b) && !stat("/", &a) && a.st_ino == b.st_ino);
	ASSERT(!stat(MNT, &a));
	EXPECT(!stat(MNT "/dir/..", &b) && a.st_ino == b.st_ino && a.st_dev == b.st_dev);
	EXPECT(!chdir(MNT "/closed/inside") && !stat("../..", &b) && a.st_ino == b.st_ino);
	EXPECT(!chdir("/"));
}

static void listing(void)
{
	DIR *dir = opendir(MNT);
	struct dirent *e;
	bool dot = false, dotdot = false;
	unsigned int count = 0;
	struct stat st;
	long at = 0, there;
	char name[256] = "";

	ASSERT(dir);
	while ((e = readdir(dir))) {
		int type = e->d_type;

		dot |= !strcmp(e->d_name, ".");
		dotdot |= !strcmp(e->d_name, "..");
		ASSERT(!fstatat(dirfd(dir), e->d_name, &st, AT_SYMLINK_NOFOLLOW));
		EXPECT_EQ(type, IFTODT(st.st_mode));
		if (strcmp(e->d_name, ".."))
			EXPECT_EQ(e->d_ino, st.st_ino);
		if (++count == 5)
			at = telldir(dir);
		if (count == 6)
			snprintf(name, sizeof(name), "%s", e->d_name);
	}
	EXPECT(dot);
	EXPECT(dotdot);
	EXPECT(count > 20);
	there = telldir(dir);
	seekdir(dir, at);
	e = readdir(dir);
	ASSERT(e);
	EXPECT_MEM(e->d_name, name, strlen(name) + 1);
	seekdir(dir, there);
	EXPECT(!readdir(dir));
	rewinddir(dir);
	count = 0;
	while (readdir(dir))
		count++;
	EXPECT(count > 20);
	closedir(dir);
	dir = opendir(MNT "/empty");
	ASSERT(dir);
	for (count = 0; readdir(dir); count++)
		;
	EXPECT_EQ(count, 2);
	closedir(dir);
}

static void filesystem_attributes(void)
{
	struct statvfs a, b;

	ASSERT(!statvfs(SRC, &a) && !statvfs(MNT "/dir", &b));
	EXPECT_EQ(b.f_blocks * b.f_frsize, a.f_blocks * a.f_frsize);
	EXPECT(b.f_bfree <= b.f_blocks && b.f_bavail <= b.f_bfree);
	EXPECT_EQ(b.f_files, a.f_files);
	EXPECT_EQ(b.f_namemax, 255);
	EXPECT(b.f_flag & ST_RDONLY);
}

static void special_files(void)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX, .sun_path = MNT "/socket" };
	int sock = socket(AF_UNIX, SOCK_STREAM, 0), fd;
	char c;

	/* A FIFO is this machine's own, whatever it is on the server. */
	fd = open(MNT "/fifo", O_RDONLY | O_NONBLOCK);
	EXPECT(fd >= 0);
	EXPECT_EQ(read(fd, &c, 1), 0);
	close(fd);
	EXPECT_EQ(opening(MNT "/fifo", O_WRONLY | O_NONBLOCK), ENXIO);
	fd = open(MNT "/null", O_RDWR);
	EXPECT(fd >= 0);
	EXPECT_EQ(write(fd, "x", 1), 1);
	EXPECT_EQ(read(fd, &c, 1), 0);
	close(fd);
	EXPECT_EQ(opening(MNT "/socket", O_RDONLY), ENXIO);
	EXPECT_EQ(ERRNO_OF(connect(sock, (struct sockaddr *)&addr, sizeof(addr))), ECONNREFUSED);
	close(sock);
}

static void extended_attributes(void)
{
	char buf[100];

	EXPECT_EQ(ERRNO_OF(getxattr(MNT "/data", "user.x", buf, sizeof(buf))), ENODATA);
	EXPECT_EQ(listxattr(MNT "/data", buf, sizeof(buf)), 0);
	EXPECT_EQ(ERRNO_OF(getxattr(MNT "/nothing", "user.x", buf, sizeof(buf))), ENOENT);
}

static void other_calls(void)
{
	int fd = open(MNT "/data", O_RDONLY), dir = open(MNT "/dir", O_RDONLY), flags;
	struct flock lock = { .l_type = F_RDLCK };
	struct pollfd p = { .fd = fd, .events = POLLIN };

	ASSERT(fd >= 0 && dir >= 0);
	EXPECT_EQ(poll(&p, 1, 0), 1);
	EXPECT_EQ(flock(fd, LOCK_EX | LOCK_NB), 0);
	EXPECT_EQ(flock(fd, LOCK_UN), 0);
	EXPECT_EQ(fcntl(fd, F_SETLK, &lock), 0);
	EXPECT_EQ(fsync(fd), 0);
	EXPECT_EQ(fdatasync(fd), 0);
	EXPECT_EQ(fsync(dir), 0);
	EXPECT_EQ(ERRNO_OF(ftruncate(fd, 0)), EINVAL);
	EXPECT_EQ(ERRNO_OF(ioctl(fd, 0x80086601 /* FS_IOC_GETFLAGS */, &flags)), ENOTTY);
	EXPECT_EQ(posix_fadvise(fd, 0, 0, POSIX_FADV_WILLNEED), 0);
	EXPECT_EQ(opening(MNT "/data", O_PATH), 0);
	EXPECT_EQ(ERRNO_OF(fallocate(fd, 0, 0, 1)), EBADF);
	close(fd);
	close(dir);
}

static void programs_run(void)
{
	EXPECT_EQ(system(MNT "/true"), 0);
	EXPECT_EQ(system("cd " MNT "/dir && /bin/true"), 0);
	EXPECT_EQ(ERRNO_OF(execl(MNT "/program", "program", NULL)), ENOEXEC);
	EXPECT_EQ(ERRNO_OF(execl(MNT "/not for running", "x", NULL)), EACCES);
}

static void open_files_survive_dropped_caches(void)
{
	static char buf[SIZE];
	int fd = open(MNT "/data", O_RDONLY), drop = open("/proc/sys/vm/drop_caches", O_WRONLY);

	ASSERT(fd >= 0 && drop >= 0);
	for (int i = 0; i < 5; i++) {
		EXPECT_EQ(write(drop, "3", 1), 1);
		memset(buf, 0, SIZE);
		EXPECT_EQ(pread(fd, buf, SIZE, 0), SIZE);
		EXPECT_MEM(buf, contents, SIZE);
	}
	close(fd);
	close(drop);
}

static void many_open_files(void)
{
	enum { COUNT = 2000 };
	static int fds[COUNT];
	char buf[16];

	for (int i = 0; i < COUNT; i++) {
		fds[i] = open(i % 2 ? MNT "/data" : MNT "/of a user", O_RDONLY);
		ASSERT(fds[i] >= 0);
	}
	for (int i = 0; i < COUNT; i++) {
		EXPECT_EQ(pread(fds[i], buf, 16, i * 8), 16);
		EXPECT_MEM(buf, contents + i * 8, 16);
		close(fds[i]);
	}
}

static void lab_goes_down(void)
{
	EXPECT_EQ(lab_end(), 0);
}

static const struct ktap_test tests[] = {
	KTAP_TEST(writing_is_refused),
	KTAP_TEST(what_is_not_there),
	KTAP_TEST(permissions),
	KTAP_TEST(reads_at_the_edges),
	KTAP_TEST(data_and_holes),
	KTAP_TEST(mappings),
	KTAP_TEST(attributes),
	KTAP_TEST(symbolic_links),
	KTAP_TEST(parents),
	KTAP_TEST(listing),
	KTAP_TEST(filesystem_attributes),
	KTAP_TEST(special_files),
	KTAP_TEST(extended_attributes),
	KTAP_TEST(other_calls),
	KTAP_TEST(programs_run),
	KTAP_TEST(open_files_survive_dropped_caches),
	KTAP_TEST(many_open_files),
	KTAP_TEST(lab_goes_down),
};

int main(int argc, char **argv)
{
	prepare();
	return lab_up("--steer tc --opts ro") ?: KTAP_MAIN(tests, argc, argv);
}
