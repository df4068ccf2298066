// SPDX-License-Identifier: GPL-2.0
/*
 * opens: an open file outlives its last name, whoever takes that away, and the server's
 * death; its space is free when it is closed or its client is gone. What another client
 * changed is seen at once under leases, which are given back when asked for.
 *
 * timeout: 180
 */
#include <dirent.h>
#include <sys/mman.h>

#include "ktap.h"
#include "lab.h"

#define LEASE	4
#define ORPHANS	SRC "/.ebpfs-orphans"

/* Files without a name that the server keeps. */
static int orphans(void)
{
	DIR *d = opendir(ORPHANS);
	struct dirent *e;
	int n = 0;

	while (d && (e = readdir(d)))
		n += e->d_name[0] != '.';
	if (d)
		closedir(d);
	return n;
}

/* Does it come to that within @seconds? */
static bool orphans_become(int n, double seconds)
{
	double end = now() + seconds;

	while (orphans() != n && now() < end)
		usleep(50000);
	return orphans() == n;
}

static bool reads(int fd, const char *text)
{
	char buf[64];
	ssize_t n = pread(fd, buf, sizeof(buf), 0);

	return n == (ssize_t)strlen(text) && !memcmp(buf, text, (size_t)n);
}

static void without_a_name(void)
{
	struct stat st;
	char *p;
	int fd;

	begin("nameless");
	EXPECT_EQ(put(C("f"), "one"), 0);
	fd = open(C("f"), O_RDWR | O_CLOEXEC);
	EXPECT_EQ(unlink(C("f")), 0);
	EXPECT_EQ(orphans(), 1);
	EXPECT_EQ(fstat(fd, &st), 0);
	EXPECT_EQ(st.st_nlink, 0);
	EXPECT(reads(fd, "one"));
	EXPECT_EQ(pwrite(fd, "two2", 4, 0), 4);
	EXPECT_EQ(fsync(fd), 0);
	EXPECT_EQ(ftruncate(fd, 3), 0);
	p = mmap(NULL, 3, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	EXPECT(p != MAP_FAILED && !memcmp(p, "two", 3));
	munmap(p, 3);
	EXPECT_EQ(fchmod(fd, 0600), 0);
	/* Not even after a while, and with a server that was killed meanwhile. */
	sleep(2);
	EXPECT(reads(fd, "two"));
	EXPECT_EQ(lab("kill 1"), 0);
	EXPECT_EQ(lab("start 1"), 0);
	EXPECT(reads(fd, "two"));
	EXPECT_EQ(system("echo 3 > /proc/sys/vm/drop_caches"), 0);
	sleep(LEASE + 1);	/* what nobody held again would be gone by now */
	EXPECT(reads(fd, "two"));
	EXPECT_EQ(pwrite(fd, "3", 1, 0), 1);
	EXPECT_EQ(fsync(fd), 0);
	close(fd);
	EXPECT(orphans_become(0, 3));
	/* Nobody sees where they are kept. */
	EXPECT_EQ(ERRNO_OF(open(MNT "/.ebpfs-orphans", O_RDONLY)), ENOENT);
}

static void by_others(void)
{
	int a, b, c;

	begin("others");
	EXPECT_EQ(put(C("f"), "mine"), 0);
	EXPECT_EQ(put(C("g"), "over"), 0);
	a = open(C("f"), O_RDONLY | O_CLOEXEC);
	b = open(C("g"), O_RDONLY | O_CLOEXEC);
	c = open(C("g"), O_RDONLY | O_CLOEXEC);
	EXPECT_EQ(unlink(C2("f")), 0);
	EXPECT_EQ(put(C2("n"), "new"), 0);
	EXPECT_EQ(rename(C2("n"), C2("g")), 0);
	sleep(2);
	EXPECT(reads(a, "mine"));
	EXPECT(reads(b, "over"));
	EXPECT(holds(C("g"), "new"));
	EXPECT_EQ(ERRNO_OF(open(C("f"), O_RDONLY)), ENOENT);
	EXPECT_EQ(orphans(), 2);
	close(a);
	EXPECT(orphans_become(1, 3));
	close(b);
	usleep(500000);
	EXPECT_EQ(orphans(), 1);
	close(c);
	EXPECT(orphans_become(0, 3));
}

static void client_is_lost(void)
{
	int fd;

	begin("lost");
	EXPECT_EQ(put(C("f"), "kept"), 0);
	fd = open(C2("f"), O_RDONLY | O_CLOEXEC);
	EXPECT_EQ(unlink(C("f")), 0);
	sleep(LEASE + 2);
	EXPECT_EQ(orphans(), 1);
	EXPECT_EQ(system(IN_C2 "tc qdisc add dev s1 root netem loss 100%"), 0);
	EXPECT(orphans_become(0, LEASE + 8));
	EXPECT_EQ(system(IN_C2 "tc qdisc del dev s1 root"), 0);
	close(fd);
}

static void changes_are_seen_at_once(void)
{
	struct stat st;
	int i;

	begin("leases");
	for (i = 0; i < 20; i++) {
		char text[16];

		snprintf(text, sizeof(text), "%d", i);
		EXPECT_EQ(ERRNO_OF(stat(C2(text), &st)), ENOENT);
		EXPECT_EQ(put(C(text), text), 0);
		EXPECT(holds(C2(text), text));
		EXPECT_EQ(put(C("f"), text), 0);
		EXPECT(holds(C2("f"), text));
		EXPECT_EQ(put(C2("f"), "back"), 0);
		EXPECT(holds(C("f"), "back"));
		EXPECT_EQ(unlink(C2(text)), 0);
		EXPECT_EQ(ERRNO_OF(open(C(text), O_RDONLY)), ENOENT);
	}
	/* After a rest there are leases, and recalls. */
	sleep(2);
	EXPECT(holds(C("f"), "back"));
	EXPECT(holds(C2("f"), "back"));
	EXPECT_EQ(chmod(C("f"), 0600), 0);
	EXPECT_EQ(stat(C2("f"), &st), 0);
	EXPECT_EQ(st.st_mode & 07777, 0600);
}

static void left_behind(void)
{
	EXPECT_EQ(lab_end(), 0);
}

static const struct ktap_test tests[] = {
	KTAP_TEST(without_a_name),
	KTAP_TEST(by_others),
	KTAP_TEST(client_is_lost),
	KTAP_TEST(changes_are_seen_at_once),
	KTAP_TEST(left_behind),
};

int main(int argc, char **argv)
{
	/* Attributes are believed for long, but for the leases. */
	if (lab_begin("--steer tc --clients 2 --lease 4 --opts actimeo=60"))
		return 1;
	return KTAP_MAIN(tests, argc, argv);
}
