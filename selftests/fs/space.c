// SPDX-License-Identifier: GPL-2.0
/*
 * space: extended attributes, allocation, holes, copies made at the server, and
 * appends, through the mount and looked at from the server's side
 *
 * timeout: 180
 *
 * What the export's filesystem cannot do (tmpfs: clones, collapsing) has to fail
 * in the same way by the mount as on the server.
 */
#include <linux/falloc.h>
#include <linux/fs.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/xattr.h>

#include "ktap.h"
#include "lab.h"

static void extended_attributes(void)
{
	char buf[300], *large = malloc(60000);
	ssize_t n;

	begin("xattr");
	EXPECT_EQ(put(C("f"), "x"), 0);
	EXPECT_EQ(setxattr(C("f"), "user.one", "value", 5, 0), 0);
	EXPECT_EQ(getxattr(S("f"), "user.one", buf, sizeof(buf)), 5);
	EXPECT_MEM(buf, "value", 5);
	EXPECT_EQ(getxattr(C("f"), "user.one", NULL, 0), 5);
	EXPECT_EQ(getxattr(C("f"), "user.one", buf, sizeof(buf)), 5);
	EXPECT_EQ(ERRNO_OF(getxattr(C("f"), "user.one", buf, 4)), ERANGE);
	EXPECT_EQ(ERRNO_OF(getxattr(C("f"), "user.none", buf, sizeof(buf))), ENODATA);
	EXPECT_EQ(ERRNO_OF(setxattr(C("f"), "user.one", "v", 1, XATTR_CREATE)), EEXIST);
	EXPECT_EQ(ERRNO_OF(setxattr(C("f"), "user.two", "v", 1, XATTR_REPLACE)), ENODATA);
	EXPECT_EQ(setxattr(C("f"), "user.empty", "", 0, 0), 0);
	EXPECT_EQ(getxattr(S("f"), "user.empty", buf, sizeof(buf)), 0);
	n = listxattr(C("f"), buf, sizeof(buf));
	EXPECT_EQ(n, listxattr(S("f"), NULL, 0));
	EXPECT_EQ(listxattr(C("f"), NULL, 0), n);
	EXPECT(n > 0 && memmem(buf, (size_t)n, "user.one", 9) &&
	       memmem(buf, (size_t)n, "user.empty", 11));
	EXPECT_EQ(removexattr(C("f"), "user.one"), 0);
	EXPECT_EQ(ERRNO_OF(getxattr(S("f"), "user.one", buf, sizeof(buf))), ENODATA);
	EXPECT_EQ(ERRNO_OF(removexattr(C("f"), "user.one")), ENODATA);
	/* More than what goes into the call itself. */
	memset(large, 'L', 60000);
	if (!setxattr(S("f"), "user.large", large, 60000, 0)) {
		EXPECT_EQ(removexattr(S("f"), "user.large"), 0);
		EXPECT_EQ(setxattr(C("f"), "user.large", large, 60000, 0), 0);
		EXPECT_EQ(getxattr(S("f"), "user.large", NULL, 0), 60000);
	}
	EXPECT_EQ(mkdir(C("d"), 0755), 0);
	EXPECT_EQ(setxattr(C("d"), "user.dir", "d", 1, 0), 0);
	EXPECT_EQ(getxattr(S("d"), "user.dir", buf, sizeof(buf)), 1);
	free(large);
}

/* Does @mode here what it does there, on a file of 64 KiB? */
static void allocate(const char *name, int mode, off_t at, off_t len)
{
	static char here[80 << 10], there[80 << 10];
	int c = open(C(name), O_RDWR | O_CREAT | O_TRUNC, 0644), s, wanted, got;
	ssize_t n;

	memset(here, 'a', 64 << 10);
	ASSERT(c >= 0);
	EXPECT_EQ(pwrite(c, here, 64 << 10, 0), 64 << 10);
	s = open(S("like"), O_RDWR | O_CREAT | O_TRUNC, 0644);
	ASSERT(s >= 0);
	EXPECT_EQ(pwrite(s, here, 64 << 10, 0), 64 << 10);
	wanted = ERRNO_OF(fallocate(s, mode, at, len));
	got = ERRNO_OF(fallocate(c, mode, at, len));
	EXPECT_EQ(got, wanted);
	n = pread(s, there, sizeof(there), 0);
	EXPECT_EQ(pread(c, here, sizeof(here), 0), n);
	EXPECT_MEM(here, there, (size_t)n);
	close(c);
	close(s);
	EXPECT_EQ(look(S(name)).st_size, look(S("like")).st_size);
	EXPECT_EQ(look(C(name)).st_size, look(S("like")).st_size);
}

static void allocation(void)
{
	begin("allocation");
	allocate("plain", 0, 60 << 10, 16 << 10);
	allocate("keep", FALLOC_FL_KEEP_SIZE, 60 << 10, 16 << 10);
	allocate("punch", FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 5000, 20000);
	allocate("zero", FALLOC_FL_ZERO_RANGE, 5000, 20000);
	allocate("collapse", FALLOC_FL_COLLAPSE_RANGE, 8192, 8192);
	allocate("insert", FALLOC_FL_INSERT_RANGE, 8192, 8192);
	allocate("wrong", FALLOC_FL_PUNCH_HOLE, 0, 4096);
	EXPECT(look(S("punch")).st_blocks < 128);
}

static void holes(void)
{
	int c, s;

	begin("holes");
	c = open(C("f"), O_RDWR | O_CREAT, 0644);
	ASSERT(c >= 0);
	EXPECT_EQ(pwrite(c, "x", 1, 1 << 20), 1);
	EXPECT_EQ(pwrite(c, "x", 1, 3 << 20), 1);
	EXPECT_EQ(fsync(c), 0);
	s = open(S("f"), O_RDONLY);
	ASSERT(s >= 0);
	for (off_t at = 0; at < 3 << 20; at += 500000) {
		EXPECT_EQ(lseek(c, at, SEEK_DATA), lseek(s, at, SEEK_DATA));
		EXPECT_EQ(lseek(c, at, SEEK_HOLE), lseek(s, at, SEEK_HOLE));
	}
	EXPECT_EQ(ERRNO_OF(lseek(c, 4 << 20, SEEK_DATA)), ENXIO);
	EXPECT_EQ(ERRNO_OF(lseek(c, -1, SEEK_HOLE)), ENXIO);
	/* What is not at the server yet counts, too. */
	EXPECT_EQ(pwrite(c, "x", 1, 5 << 20), 1);
	EXPECT_EQ(lseek(c, 4 << 20, SEEK_DATA), 5 << 20);
	close(c);
	close(s);
}

static void copies(void)
{
	static char buf[200 << 10], got[200 << 10];
	off_t from = 1000, to = 5000;
	int in, out;

	begin("copies");
	for (size_t i = 0; i < sizeof(buf); i++)
		buf[i] = (char)(i * 7 + i / 256);
	in = open(C("in"), O_RDWR | O_CREAT, 0644);
	out = open(C("out"), O_RDWR | O_CREAT, 0644);
	ASSERT(in >= 0 && out >= 0);
	EXPECT_EQ(write(in, buf, sizeof(buf)), sizeof(buf));
	EXPECT_EQ(write(out, buf, 8000), 8000);
	EXPECT_EQ(copy_file_range(in, &from, out, &to, 150000, 0), 150000);
	EXPECT_EQ(from, 151000);
	EXPECT_EQ(to, 155000);
	EXPECT_EQ(look(S("out")).st_size, 155000);
	EXPECT_EQ(pread(out, got, sizeof(got), 0), 155000);
	EXPECT_MEM(got, buf, 5000);
	EXPECT_MEM(got + 5000, buf + 1000, 150000);
	from = sizeof(buf);
	EXPECT_EQ(copy_file_range(in, &from, out, &to, 10, 0), 0);
	/* tmpfs cannot share blocks; then both say so. */
	{
		int s = open(S("in"), O_RDONLY);
		int t = open(S("clone there"), O_WRONLY | O_CREAT, 0644);
		int u = open(C("clone"), O_WRONLY | O_CREAT, 0644);

		EXPECT_EQ(ERRNO_OF(ioctl(u, FICLONE, in)), ERRNO_OF(ioctl(t, FICLONE, s)));
		close(s);
		close(t);
		close(u);
	}
	close(in);
	close(out);
}

static void appends(void)
{
	int a, b;

	begin("appends");
	a = open(C("f"), O_WRONLY | O_APPEND | O_CREAT, 0644);
	b = open(S("f"), O_WRONLY | O_APPEND);
	ASSERT(a >= 0 && b >= 0);
	EXPECT_EQ(write(a, "one ", 4), 4);
	EXPECT_EQ(write(b, "two ", 4), 4);
	EXPECT_EQ(write(a, "three ", 6), 6);
	EXPECT_EQ(pwrite(a, "four ", 5, 0), 5);	/* Linux: O_APPEND has the say */
	EXPECT_EQ(write(b, "five", 4), 4);
	EXPECT_EQ(close(a), 0);
	close(b);
	EXPECT(holds(S("f"), "one two three four five"));
	EXPECT(holds(C("f"), "one two three four five"));
}

static void lab_goes_down(void)
{
	EXPECT_EQ(lab_end(), 0);
}

static const struct ktap_test tests[] = {
	KTAP_TEST(extended_attributes),
	KTAP_TEST(allocation),
	KTAP_TEST(holes),
	KTAP_TEST(copies),
	KTAP_TEST(appends),
	KTAP_TEST(lab_goes_down),
};

int main(int argc, char **argv)
{
	return lab_begin("--steer tc") ?: KTAP_MAIN(tests, argc, argv);
}
