// SPDX-License-Identifier: GPL-2.0
/*
 * change: names and attributes are changed through the mount, and the server's
 * directory shows it, with the errors that POSIX and the man pages name
 *
 * timeout: 180
 *
 * Every test has a directory of its own, which is SRC/NAME on the server's side
 * and MNT/NAME on the client's. What is done by one side is looked at from the
 * other. Users are played by children that have become them. The lab is taken
 * down again however the tests end.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ktap.h"
#include "lab.h"

/* What opening gives: 0, or the error. Nothing stays open. */
static int opening(const char *path, int flags, mode_t mode)
{
	int fd = open(path, flags, mode);

	if (fd < 0)
		return errno;
	close(fd);
	return 0;
}

/* Runs @act in a child as user @uid with group @gid and @groups; its result, or 255. */
static int as_user(uid_t uid, gid_t gid, size_t n, const gid_t *groups, int (*act)(void))
{
	pid_t pid = fork();
	int status;

	if (!pid) {
		if (setgroups(n, groups) || setgid(gid) || setuid(uid))
			_exit(255);
		_exit(act());
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		return 255;
	return WEXITSTATUS(status);
}

static void files_are_made(void)
{
	struct stat st;

	begin("made");
	umask(027);
	EXPECT_EQ(opening(C("a"), O_WRONLY | O_CREAT | O_EXCL, 0666), 0);
	umask(022);
	st = look(S("a"));
	EXPECT_EQ(st.st_mode, S_IFREG | 0640u);
	EXPECT_EQ(st.st_size, 0);
	EXPECT_EQ(look(C("a")).st_ino, st.st_ino);
	EXPECT_EQ(opening(C("a"), O_WRONLY | O_CREAT | O_EXCL, 0666), EEXIST);
	EXPECT_EQ(opening(C("a"), O_WRONLY | O_CREAT, 0666), 0);
	/* A name that the client does not know of yet. */
	EXPECT_EQ(put(S("b"), "server's"), 0);
	EXPECT_EQ(opening(C("b"), O_WRONLY | O_CREAT | O_EXCL, 0666), EEXIST);
	EXPECT(holds(C("b"), "server's"));
	EXPECT_EQ(opening(C("none/x"), O_WRONLY | O_CREAT, 0666), ENOENT);
	EXPECT_EQ(opening(C("a/x"), O_WRONLY | O_CREAT, 0666), ENOTDIR);
}

static void written_is_there(void)
{
	char long_text[201];
	int fd;

	begin("written");
	EXPECT_EQ(put(C("f"), "one"), 0);
	EXPECT(holds(S("f"), "one"));
	EXPECT_EQ(put(C("f"), "two two"), 0);
	EXPECT(holds(S("f"), "two two"));
	fd = open(C("f"), O_WRONLY | O_APPEND);
	ASSERT(fd >= 0);
	EXPECT_EQ(write(fd, " three", 6), 6);
	EXPECT_EQ(fsync(fd), 0);
	EXPECT(holds(S("f"), "two two three"));
	EXPECT_EQ(write(fd, " four", 5), 5);
	EXPECT_EQ(close(fd), 0);
	EXPECT(holds(S("f"), "two two three four"));
	/* The server's changes are seen at the next opening. */
	memset(long_text, 'x', 200);
	long_text[200] = 0;
	EXPECT_EQ(put(S("f"), long_text), 0);
	EXPECT(holds(C("f"), long_text));
	EXPECT_EQ(put(S("f"), "short"), 0);
	EXPECT(holds(C("f"), "short"));
}

static void sizes_are_set(void)
{
	static const char zeroes[100];
	char buf[128];
	int fd;

	begin("sizes");
	EXPECT_EQ(put(C("f"), "0123456789"), 0);
	EXPECT_EQ(truncate(C("f"), 4), 0);
	EXPECT(holds(S("f"), "0123"));
	EXPECT_EQ(truncate(C("f"), 104), 0);
	EXPECT_EQ(look(S("f")).st_size, 104);
	fd = open(C("f"), O_RDWR);
	ASSERT(fd >= 0);
	EXPECT_EQ(read(fd, buf, sizeof(buf)), 104);
	EXPECT_MEM(buf, "0123", 4);
	EXPECT_MEM(buf + 4, zeroes, 100);
	EXPECT_EQ(ftruncate(fd, 0), 0);
	EXPECT_EQ(look(S("f")).st_size, 0);
	EXPECT_EQ(pwrite(fd, "end", 3, (off_t)5 << 30), 3);
	EXPECT_EQ(close(fd), 0);
	EXPECT_EQ(look(S("f")).st_size, ((off_t)5 << 30) + 3);
	EXPECT(look(S("f")).st_blocks < 100);
	EXPECT_EQ(ERRNO_OF(truncate(C("f"), -1)), EINVAL);
	EXPECT_EQ(opening(C("f"), O_WRONLY | O_TRUNC, 0), 0);
	EXPECT_EQ(look(S("f")).st_size, 0);
}

static void directories(void)
{
	begin("directories");
	EXPECT_EQ(mkdir(C("d"), 0750), 0);
	EXPECT_EQ(look(S("d")).st_mode, S_IFDIR | 0750u);
	EXPECT_EQ(ERRNO_OF(mkdir(C("d"), 0750)), EEXIST);
	EXPECT_EQ(look(lab_here).st_nlink, 3);
	EXPECT_EQ(put(C("d/f"), "x"), 0);
	EXPECT_EQ(ERRNO_OF(rmdir(C("d"))), ENOTEMPTY);
	EXPECT_EQ(ERRNO_OF(unlink(C("d"))), EISDIR);
	EXPECT_EQ(ERRNO_OF(rmdir(C("d/f"))), ENOTDIR);
	EXPECT_EQ(unlink(C("d/f")), 0);
	EXPECT_EQ(rmdir(C("d")), 0);
	EXPECT_EQ(ERRNO_OF(access(S("d"), F_OK)), ENOENT);
	EXPECT_EQ(ERRNO_OF(access(C("d"), F_OK)), ENOENT);
	EXPECT_EQ(ERRNO_OF(rmdir(C("d"))), ENOENT);
	EXPECT_EQ(look(lab_here).st_nlink, 2);
}

static void links(void)
{
	char target[64] = "";
	struct stat st;

	begin("links");
	EXPECT_EQ(put(C("f"), "x"), 0);
	EXPECT_EQ(link(C("f"), C("g")), 0);
	st = look(S("g"));
	EXPECT_EQ(st.st_nlink, 2);
	EXPECT_EQ(look(C("f")).st_nlink, 2);
	EXPECT_EQ(look(C("g")).st_ino, st.st_ino);
	EXPECT_EQ(ERRNO_OF(link(C("f"), C("g"))), EEXIST);
	EXPECT_EQ(unlink(C("f")), 0);
	EXPECT_EQ(look(C("g")).st_nlink, 1);
	EXPECT(holds(S("g"), "x"));
	EXPECT_EQ(ERRNO_OF(link(lab_here, C("h"))), EPERM);
	EXPECT_EQ(symlink("some/where else", C("s")), 0);
	EXPECT_EQ(readlink(S("s"), target, sizeof(target)), 15);
	EXPECT_MEM(target, "some/where else", 15);
	EXPECT_EQ(readlink(C("s"), target, sizeof(target)), 15);
	EXPECT_EQ(ERRNO_OF(symlink("x", C("s"))), EEXIST);
}

static void long_names(void)
{
	char name[257], target[PATH_MAX];

	begin("long");
	memset(name, 'n', sizeof(name));
	name[255] = 0;
	EXPECT_EQ(put(C(name), "x"), 0);
	EXPECT(holds(S(name), "x"));
	EXPECT_EQ(rename(C(name), C("short")), 0);
	EXPECT_EQ(rename(C("short"), C(name)), 0);
	name[255] = 'n';
	name[256] = 0;
	EXPECT_EQ(opening(C(name), O_WRONLY | O_CREAT, 0666), ENAMETOOLONG);
	EXPECT_EQ(ERRNO_OF(mkdir(C(name), 0777)), ENAMETOOLONG);
	/* Longer than what goes into the call itself. */
	memset(target, 't', 3000);
	target[3000] = 0;
	EXPECT_EQ(symlink(target, C("s")), 0);
	EXPECT_EQ(readlink(S("s"), target, sizeof(target)), 3000);
}

/* Files without a name are made in a directory, and may get one. */
static void nameless_files(void)
{
	struct stat st;
	char self[64];
	int fd;

	begin("nameless");
	umask(022);
	fd = open(C("."), O_RDWR | O_TMPFILE, 0666);
	ASSERT(fd >= 0);
	EXPECT_EQ(fstat(fd, &st), 0);
	EXPECT_EQ(st.st_nlink, 0);
	EXPECT_EQ(st.st_mode, S_IFREG | 0644u);
	EXPECT_EQ(write(fd, "word", 4), 4);
	EXPECT_EQ(fsync(fd), 0);
	snprintf(self, sizeof(self), "/proc/self/fd/%d", fd);
	EXPECT_EQ(linkat(AT_FDCWD, self, AT_FDCWD, C("name"), AT_SYMLINK_FOLLOW), 0);
	EXPECT_EQ(fstat(fd, &st), 0);
	EXPECT_EQ(st.st_nlink, 1);
	EXPECT(holds(S("name"), "word"));
	EXPECT_EQ(write(fd, " and more", 9), 9);
	EXPECT_EQ(close(fd), 0);
	EXPECT(holds(S("name"), "word and more"));
	EXPECT(holds(C("name"), "word and more"));
	EXPECT_EQ(look(C("name")).st_nlink, 1);

	/* One that shall never have a name. */
	fd = open(C("."), O_RDWR | O_TMPFILE | O_EXCL, 0600);
	ASSERT(fd >= 0);
	snprintf(self, sizeof(self), "/proc/self/fd/%d", fd);
	EXPECT_EQ(ERRNO_OF(linkat(AT_FDCWD, self, AT_FDCWD, C("other"),
				  AT_SYMLINK_FOLLOW)), ENOENT);
	EXPECT_EQ(close(fd), 0);
	EXPECT_EQ(unlink(C("name")), 0);
	EXPECT_EQ(opening(C("name"), O_RDWR | O_TMPFILE, 0600), ENOENT);
	EXPECT_EQ(opening(C("."), O_RDONLY | O_TMPFILE, 0600), EINVAL);
	/* Nothing is left of either. */
	EXPECT_EQ(rmdir(C("")), 0);
}

static void special_files(void)
{
	begin("special");
	EXPECT_EQ(mknod(C("fifo"), S_IFIFO | 0600, 0), 0);
	EXPECT_EQ(look(S("fifo")).st_mode, S_IFIFO | 0600u);
	EXPECT_EQ(mknod(C("sock"), S_IFSOCK | 0640, 0), 0);
	EXPECT_EQ(look(S("sock")).st_mode, S_IFSOCK | 0640u);
	EXPECT_EQ(mknod(C("null"), S_IFCHR | 0666, makedev(1, 3)), 0);
	EXPECT_EQ(look(S("null")).st_rdev, makedev(1, 3));
	EXPECT_EQ(put(C("null"), "swallowed"), 0);
	EXPECT_EQ(mknod(C("disk"), S_IFBLK | 0600, makedev(7, 77)), 0);
	EXPECT_EQ(look(S("disk")).st_rdev, makedev(7, 77));
	EXPECT_EQ(mknod(C("file"), S_IFREG | 0604, 0), 0);
	EXPECT_EQ(look(S("file")).st_mode, S_IFREG | 0604u);
}

static void renames(void)
{
	begin("renames");
	EXPECT_EQ(put(C("a"), "a"), 0);
	EXPECT_EQ(put(C("b"), "b"), 0);
	EXPECT_EQ(mkdir(C("d"), 0777), 0);
	EXPECT_EQ(mkdir(C("e"), 0777), 0);
	EXPECT_EQ(rename(C("a"), C("c")), 0);
	EXPECT(holds(S("c"), "a"));
	EXPECT_EQ(ERRNO_OF(access(C("a"), F_OK)), ENOENT);
	EXPECT_EQ(renameat2(AT_FDCWD, C("c"), AT_FDCWD, C("b"), RENAME_NOREPLACE) ? errno : 0,
		  EEXIST);
	EXPECT_EQ(renameat2(AT_FDCWD, C("c"), AT_FDCWD, C("b"), RENAME_EXCHANGE), 0);
	EXPECT(holds(S("b"), "a"));
	EXPECT(holds(C("c"), "b"));
	EXPECT_EQ(rename(C("c"), C("b")), 0);
	EXPECT(holds(C("b"), "b"));
	EXPECT_EQ(rename(C("b"), C("d/b")), 0);
	EXPECT(holds(S("d/b"), "b"));
	EXPECT_EQ(ERRNO_OF(rename(C("e"), C("d"))), ENOTEMPTY);
	EXPECT_EQ(ERRNO_OF(rename(C("d"), C("d/sub"))), EINVAL);
	EXPECT_EQ(ERRNO_OF(rename(C("d/b"), C("e"))), EISDIR);
	EXPECT_EQ(ERRNO_OF(rename(C("e"), C("d/b"))), ENOTDIR);
	EXPECT_EQ(rename(C("d"), C("e")), 0);
	EXPECT(holds(C("e/b"), "b"));
	EXPECT_EQ(ERRNO_OF(rename(C("none"), C("x"))), ENOENT);
}

static void attributes_are_set(void)
{
	struct timespec times[2] = { { 1000000000, 123456789 }, { -1000, 987654321 } };
	struct stat st;

	begin("attributes");
	EXPECT_EQ(put(C("f"), "x"), 0);
	EXPECT_EQ(chmod(C("f"), 06751), 0);
	EXPECT_EQ(look(S("f")).st_mode, S_IFREG | 06751u);
	EXPECT_EQ(chown(C("f"), 1234, 5678), 0);
	st = look(S("f"));
	EXPECT_EQ(st.st_uid, 1234);
	EXPECT_EQ(st.st_gid, 5678);
	EXPECT_EQ(st.st_mode, S_IFREG | 0751u);	/* chown clears both bits */
	EXPECT_EQ(look(C("f")).st_mode, st.st_mode);
	EXPECT_EQ(utimensat(AT_FDCWD, C("f"), times, 0), 0);
	st = look(S("f"));
	EXPECT_EQ(st.st_atim.tv_sec, 1000000000);
	EXPECT_EQ(st.st_atim.tv_nsec, 123456789);
	EXPECT_EQ(st.st_mtim.tv_sec, -1000);
	EXPECT_EQ(st.st_mtim.tv_nsec, 987654321);
	EXPECT_EQ(look(C("f")).st_mtim.tv_nsec, 987654321);
	times[0].tv_nsec = UTIME_OMIT;
	times[1].tv_nsec = UTIME_NOW;
	EXPECT_EQ(utimensat(AT_FDCWD, C("f"), times, 0), 0);
	EXPECT_EQ(look(S("f")).st_atim.tv_sec, 1000000000);
	EXPECT(look(S("f")).st_mtim.tv_sec > 1000000000);
	EXPECT_EQ(symlink("f", C("s")), 0);
	EXPECT_EQ(lchown(C("s"), 7, 8), 0);
	EXPECT_EQ(look(S("s")).st_uid, 7);
	EXPECT_EQ(look(S("f")).st_uid, 1234);
	/* A change of the times is no change of what was written before. */
	EXPECT_EQ(put(C("f"), "yy"), 0);
	times[1] = (struct timespec){ 5, 5 };
	EXPECT_EQ(utimensat(AT_FDCWD, C("f"), times, 0), 0);
	EXPECT_EQ(look(C("f")).st_mtim.tv_sec, 5);
	EXPECT(holds(C("f"), "yy"));
}

static void mappings_write(void)
{
	char *p;
	int fd;

	begin("mappings");
	EXPECT_EQ(put(C("f"), "0123456789"), 0);
	fd = open(C("f"), O_RDWR);
	ASSERT(fd >= 0);
	p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	ASSERT(p != MAP_FAILED);
	memcpy(p + 2, "ab", 2);
	EXPECT_EQ(msync(p, 4096, MS_SYNC), 0);
	EXPECT(holds(S("f"), "01ab456789"));
	memcpy(p + 4, "cd", 2);
	close(fd);
	munmap(p, 4096);
	fd = open(C("f"), O_RDWR);
	EXPECT_EQ(fsync(fd), 0);
	close(fd);
	EXPECT(holds(S("f"), "01abcd6789"));
}

static int deny_all(void)
{
	if (opening(C("private/f"), O_RDONLY, 0) != EACCES)
		return 1;
	if (opening(C("mine"), O_WRONLY, 0) != EACCES)
		return 2;
	if (opening(C("closed/new"), O_WRONLY | O_CREAT, 0666) != EACCES)
		return 3;
	if (ERRNO_OF(unlink(C("closed/f"))) != EACCES)
		return 4;
	if (ERRNO_OF(chmod(C("mine"), 0777)) != EPERM)
		return 5;
	if (ERRNO_OF(chown(C("own"), 0, 0)) != EPERM)
		return 6;
	if (put(C("own"), "changed"))
		return 7;
	if (put(C("new"), "new"))
		return 8;
	if (ERRNO_OF(rename(C("closed/f"), C("x"))) != EACCES)
		return 9;
	if (ERRNO_OF(mknod(C("dev"), S_IFCHR | 0666, makedev(1, 3))) != EPERM)
		return 10;
	return 0;
}

static int sticky_is_kept(void)
{
	if (ERRNO_OF(unlink(C("sticky/f"))) != EPERM && errno != EACCES)
		return 1;
	if (put(C("sticky/g"), "g"))
		return 2;
	return ERRNO_OF(unlink(C("sticky/g")));
}

static int group_writes(void)
{
	return put(C("group"), "by the group");
}

/* An open descriptor works on when the permission has gone. */
static int open_stays(void)
{
	int fd = open(C("own"), O_WRONLY);

	if (fd < 0)
		return 1;
	if (chmod(C("own"), 0))
		return 2;
	if (write(fd, "still", 5) != 5 || close(fd))
		return 3;
	return 0;
}

static void users(void)
{
	const gid_t groups[] = { 500, 600, 700 };
	gid_t many[64];
	struct stat st;

	begin("users");
	EXPECT_EQ(mkdir(S("private"), 0700), 0);
	EXPECT_EQ(put(S("private/f"), "f"), 0);
	EXPECT_EQ(mkdir(S("closed"), 0755), 0);
	EXPECT_EQ(put(S("closed/f"), "f"), 0);
	EXPECT_EQ(put(S("mine"), "mine"), 0);
	EXPECT_EQ(put(S("own"), "own"), 0);
	EXPECT_EQ(chown(S("own"), 1000, 1000), 0);
	EXPECT_EQ(as_user(1000, 1000, 0, NULL, deny_all), 0);
	EXPECT(holds(S("own"), "changed"));
	st = look(S("new"));
	EXPECT_EQ(st.st_uid, 1000);
	EXPECT_EQ(st.st_gid, 1000);
	EXPECT_EQ(mkdir(S("sticky"), 01777), 0);
	EXPECT_EQ(chmod(S("sticky"), 01777), 0);
	EXPECT_EQ(put(S("sticky/f"), "f"), 0);
	EXPECT_EQ(as_user(1000, 1000, 0, NULL, sticky_is_kept), 0);
	EXPECT_EQ(put(S("group"), "g"), 0);
	EXPECT_EQ(chown(S("group"), 0, 600), 0);
	EXPECT_EQ(chmod(S("group"), 0664), 0);
	EXPECT_EQ(as_user(1000, 1000, 0, NULL, group_writes), EACCES);
	EXPECT_EQ(as_user(1000, 1000, 3, groups, group_writes), 0);
	EXPECT(holds(S("group"), "by the group"));
	/* More groups than NFS would carry. */
	for (unsigned int i = 0; i < 64; i++)
		many[i] = i == 60 ? 600 : 10000 + i;
	EXPECT_EQ(as_user(1001, 1001, 64, many, group_writes), 0);
	EXPECT_EQ(as_user(1000, 1000, 0, NULL, open_stays), 0);
	EXPECT(holds(S("own"), "stilled"));
}

static void setid_bits(void)
{
	struct stat st;

	begin("setid");
	EXPECT_EQ(put(S("group"), "g"), 0);
	EXPECT_EQ(chown(S("group"), 0, 1000), 0);
	EXPECT_EQ(chmod(S("group"), 06775), 0);
	EXPECT_EQ(look(C("group")).st_mode & 07777, 06775u);
	EXPECT_EQ(as_user(1000, 1000, 0, NULL, group_writes), 0);
	EXPECT_EQ(look(S("group")).st_mode & 06000, 0u);
	EXPECT_EQ(look(C("group")).st_mode & 06000, 0u);
	EXPECT_EQ(mkdir(S("dir"), 0777), 0);
	EXPECT_EQ(chown(S("dir"), 0, 777), 0);
	EXPECT_EQ(chmod(S("dir"), 02777), 0);
	EXPECT_EQ(mkdir(C("dir/sub"), 0755), 0);
	st = look(C("dir/sub"));
	EXPECT_EQ(st.st_gid, 777);
	EXPECT(st.st_mode & S_ISGID);
	EXPECT_EQ(put(C("dir/f"), "f"), 0);
	EXPECT_EQ(look(S("dir/f")).st_gid, 777);
}

static void lab_goes_down(void)
{
	EXPECT_EQ(lab_end(), 0);
}

static const struct ktap_test tests[] = {
	KTAP_TEST(files_are_made),
	KTAP_TEST(written_is_there),
	KTAP_TEST(sizes_are_set),
	KTAP_TEST(directories),
	KTAP_TEST(links),
	KTAP_TEST(long_names),
	KTAP_TEST(nameless_files),
	KTAP_TEST(special_files),
	KTAP_TEST(renames),
	KTAP_TEST(attributes_are_set),
	KTAP_TEST(mappings_write),
	KTAP_TEST(users),
	KTAP_TEST(setid_bits),
	KTAP_TEST(lab_goes_down),
};

int main(int argc, char **argv)
{
	return lab_begin("--steer tc") ?: KTAP_MAIN(tests, argc, argv);
}
