// SPDX-License-Identifier: GPL-2.0
/*
 * nomem: whatever memory the module is refused, a call succeeds with the right bytes or
 * fails with an error that says so, nothing hangs, and afterwards all is as it should be
 *
 * timeout: 600
 *
 * For a kernel with fault injection (scripts/vm --kernel kasan). Each operation is done
 * again and again, and each time a later one of the allocations below it fails, until
 * none is left: /proc/thread-self/fail-nth, of slab objects and of pages. Only those
 * count that a function of the module asked for, or one that it called.
 *
 * That is of this task. What fails in softirq and in workqueues is every n-th allocation
 * of the module, whoever is at it, while everything is read and written; there the
 * repetitions have to see to it that all goes well.
 */
#include <dirent.h>
#include <linux/falloc.h>
#include <sched.h>
#include <stdint.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <sys/xattr.h>

#include <keyutils.h>
#include <openssl/evp.h>

#include "data.h"
#include "ktap.h"
#include "lab.h"

#define DEBUGFS	"/sys/kernel/debug/"
#define SIZE	(300 * 1024 + 5)	/* of the file "data" */
#define PART	(200 * 1024)		/* what is written; whole pages */
#define NAMES	60
#define WRONG	(-1)			/* bytes or names, instead of an error */
#define MOST	2000			/* allocations of one operation: it does not end */

static const char *const kinds[] = { "failslab", "fail_page_alloc" };
static char contents[SIZE], *buf, *out;
static int nth_fd = -1;

static bool tell(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY);
	bool done = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);

	if (fd >= 0)
		close(fd);
	return done;
}

static bool set(const char *name, const char *text)
{
	char path[100];
	bool done = true;

	for (int i = 0; i < 2; i++) {
		snprintf(path, sizeof(path), DEBUGFS "%s/%s", kinds[i], name);
		done &= tell(path, text);
	}
	return done;
}

/* Allocations count that were made below what lies here. */
static bool set_range(unsigned long long start, unsigned long long end)
{
	char text[32];
	bool done;

	snprintf(text, sizeof(text), "0x%llx", start);
	done = set("require-start", text);
	snprintf(text, sizeof(text), "0x%llx", end);
	return set("require-end", text) && done;
}

static bool set_range_to_module(void)
{
	unsigned long long start, size;
	char line[300], name[64];
	FILE *f = fopen("/proc/modules", "r");
	bool done = false;

	while (f && !done && fgets(line, sizeof(line), f))
		if (sscanf(line, "%63s %llu %*s %*s %*s 0x%llx", name, &size, &start) == 3 &&
		    !strcmp(name, "ebpfs"))
			done = set_range(start, start + size);
	if (f)
		fclose(f);
	return done;
}

/* That of one function of the kernel. */
static bool set_range_to(const char *function)
{
	unsigned long long at, start = 0, end = ~0ull;
	char line[300], name[200];
	FILE *f = fopen("/proc/kallsyms", "r");

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "%llx %*c %199s", &at, name) == 2 && !strcmp(name, function))
			start = at;
	if (f && fseek(f, 0, SEEK_SET))
		start = 0;
	while (f && start && fgets(line, sizeof(line), f)) {
		at = strtoull(line, NULL, 16);
		if (at > start && at < end)
			end = at;
	}
	if (f)
		fclose(f);
	return start && set_range(start, end);
}

/* Sets what fails up, so that nothing fails yet. */
static bool faults_begin(void)
{
	nth_fd = open("/proc/thread-self/fail-nth", O_RDWR);
	return nth_fd >= 0 && set("probability", "0") && set("verbose", "0") &&
	       set("ignore-gfp-wait", "N") && set("stacktrace-depth", "32") &&
	       tell(DEBUGFS "fail_page_alloc/min-order", "0") &&
	       tell(DEBUGFS "fail_page_alloc/ignore-gfp-highmem", "N");
}

static void arm(unsigned int n)
{
	char text[12];

	snprintf(text, sizeof(text), "%u", n);
	EXPECT_EQ(pwrite(nth_fd, text, strlen(text), 0), strlen(text));
}

/* Was the allocation that was armed for refused? */
static bool disarm(void)
{
	char text[12] = "";
	bool hit = pread(nth_fd, text, sizeof(text) - 1, 0) > 0 && atoi(text) == 0;

	arm(0);
	return hit;
}

static bool is_clean(int err)
{
	/* ENFILE and ENOLCK are what the kernel says of a socket and of a lock that there was
	 * no memory for.
	 */
	return err == ENOMEM || err == EIO || err == ENOBUFS || err == EAGAIN || err == ENFILE ||
	       err == ENOLCK;
}

/*
 * @act with each of its allocations failing once; @prepare makes what it needs, and puts in
 * order what was left. At last it has to succeed. Return: how many were refused.
 */
static unsigned int sweep(int (*prepare)(void), int (*act)(void))
{
	unsigned int n, refused = 0, failed = 0;
	int err;

	for (n = 1; n <= MOST; n++) {
		bool hit;

		err = prepare ? prepare() : 0;
		if (!EXPECT_EQ(err, 0)) {
			printf("# before allocation %u\n", n);
			break;
		}
		arm(n);
		err = act();
		hit = disarm();
		if (!hit) {
			EXPECT_EQ(err, 0);
			break;
		}
		refused++;
		failed += err != 0;
		if (err && !EXPECT(is_clean(err)))
			printf("# at allocation %u: error %d, %s\n", n, err,
			       err == WRONG ? "wrong contents" : strerror(err));
	}
	EXPECT(n <= MOST);
	printf("# %u allocations were refused, %u times the operation failed\n", refused, failed);
	return refused;
}

#define OR_ERRNO(call)	do { if ((call) < 0) return errno; } while (0)

/* @fd is open and gets closed; the call's error, that of close, or 0. */
static int ending(int fd, int err)
{
	return close(fd) && !err ? errno : err;
}

static int check_bytes(const char *bytes, ssize_t n, size_t want)
{
	if (n < 0)
		return errno;
	return n == (ssize_t)want && !memcmp(bytes, contents, want) ? 0 : WRONG;
}

/* The pages of "data" here are dropped. */
static int cold(void)
{
	int fd = open(C("data"), O_RDONLY);

	OR_ERRNO(fd);
	return ending(fd, posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED));
}

/* Nothing is known here any more. */
static int forget(void)
{
	return tell("/proc/sys/vm/drop_caches", "3") ? 0 : EIO;
}

static int do_read(void)
{
	int fd = open(C("data"), O_RDONLY), err;

	OR_ERRNO(fd);
	memset(buf, 0, SIZE);
	err = check_bytes(buf, pread(fd, buf, SIZE, 0), SIZE);
	return ending(fd, err);
}

static int do_read_direct(void)
{
	int fd = open(C("data"), O_RDONLY | O_DIRECT), err;

	OR_ERRNO(fd);
	memset(buf, 0, SIZE);
	err = check_bytes(buf, pread(fd, buf, PART, 0), PART);
	return ending(fd, err);
}

static int do_map(void)
{
	int fd = open(C("data"), O_RDONLY), err = 0;
	char *map;

	OR_ERRNO(fd);
	map = mmap(NULL, SIZE, PROT_READ, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED) {
		err = errno;
	} else {
		/* What would be a SIGBUS is an EFAULT here. */
		if (madvise(map, SIZE, MADV_POPULATE_READ))
			err = errno == EFAULT ? EIO : errno;
		else
			err = check_bytes(map, SIZE, SIZE);
		munmap(map, SIZE);
	}
	return ending(fd, err);
}

/* What is at the server, as it is there. */
static int check_server(size_t len)
{
	int fd = open(S("out"), O_RDONLY), err;

	OR_ERRNO(fd);
	memset(buf, 0, len);
	err = pread(fd, buf, len, 0) == (ssize_t)len && !memcmp(buf, out, len) ? 0 : WRONG;
	return ending(fd, err);
}

/* "out" is there, and other bytes than last time are to be written to it. */
static int new_bytes(void)
{
	int fd = open(C("out"), O_WRONLY | O_CREAT, 0644);

	OR_ERRNO(fd);
	for (size_t i = 0; i < PART; i++)
		out[i]++;
	return ending(fd, 0);
}

static int write_out(int flags)
{
	int fd = open(C("out"), O_WRONLY | flags);
	ssize_t n = 0;
	int err = 0;

	OR_ERRNO(fd);
	for (size_t at = 0; at < PART && !err; at += (size_t)n) {
		n = pwrite(fd, out + at, PART - at, (off_t)at);
		if (n <= 0)
			err = n ? errno : WRONG;
	}
	if (!err && fsync(fd))
		err = errno;
	err = ending(fd, err);
	return err ?: check_server(PART);
}

static int do_write(void)
{
	return write_out(0);
}

static int do_write_direct(void)
{
	return write_out(O_DIRECT);
}

static int do_write_sync(void)
{
	return write_out(O_SYNC);
}

static int do_write_mapped(void)
{
	int fd = open(C("out"), O_RDWR), err = 0;
	char *map;

	OR_ERRNO(fd);
	map = mmap(NULL, PART, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED) {
		err = errno;
	} else {
		if (madvise(map, PART, MADV_POPULATE_WRITE)) {
			err = errno == EFAULT ? EIO : errno;
		} else {
			memcpy(map, out, PART);
			err = msync(map, PART, MS_SYNC) ? errno : check_server(PART);
		}
		munmap(map, PART);
	}
	return ending(fd, err);
}

/* What has to be there to be mapped for writing. */
static int mapped_bytes(void)
{
	return new_bytes() ?: ERRNO_OF(truncate(C("out"), PART));
}

static int do_append(void)
{
	int fd = open(C("log"), O_WRONLY | O_CREAT | O_APPEND, 0644), err;

	OR_ERRNO(fd);
	err = write(fd, "0123456789", 10) == 10 ? ERRNO_OF(fsync(fd)) : errno;
	return ending(fd, err);
}

static int do_list(void)
{
	DIR *d = opendir(C("names"));
	struct dirent *de;
	int count = 0, err;

	if (!d)
		return errno;
	for (errno = 0; (de = readdir(d)); errno = 0)
		count += de->d_name[0] == 'n';
	err = errno;
	closedir(d);
	return err ?: count == NAMES ? 0 : WRONG;
}

static int do_look(void)
{
	struct statvfs vfs;
	struct stat st;

	OR_ERRNO(stat(C("names/n7"), &st));
	if (!S_ISREG(st.st_mode) || st.st_size != 2)
		return WRONG;
	return ERRNO_OF(statvfs(C("names"), &vfs));
}

/* What may have been made, or not, when it failed. */
static int clear_new(void)
{
	static const char *const names[] = { "new", "moved", "second", "dir/in", "link" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (unlink(C(names[i])) && errno != ENOENT && errno != ENOTDIR)
			return errno;
	return rmdir(C("dir")) && errno != ENOENT ? errno : 0;
}

static int do_create(void)
{
	int fd = open(C("new"), O_WRONLY | O_CREAT | O_EXCL, 0644), err;

	OR_ERRNO(fd);
	err = write(fd, "abc", 3) == 3 ? 0 : errno;
	if (!err && fchmod(fd, 0600))
		err = errno;
	err = ending(fd, err);
	if (!err && !holds(S("new"), "abc"))
		err = WRONG;
	return err;
}

static int do_names(void)
{
	char target[8];

	OR_ERRNO(mkdir(C("dir"), 0755));
	OR_ERRNO(mknod(C("dir/in"), S_IFREG | 0644, 0));
	OR_ERRNO(link(C("dir/in"), C("second")));
	OR_ERRNO(rename(C("second"), C("moved")));
	OR_ERRNO(symlink("moved", C("link")));
	if (readlink(C("link"), target, sizeof(target)) != 5)
		return errno == ENOMEM || errno == EIO ? errno : WRONG;
	OR_ERRNO(unlink(C("link")));
	OR_ERRNO(unlink(C("dir/in")));
	OR_ERRNO(rmdir(C("dir")));
	return look(S("moved")).st_nlink == 1 ? 0 : WRONG;
}

static int do_attributes(void)
{
	const struct timespec times[2] = { { 1000, 0 }, { 2000, 0 } };
	const char *path = C("out");
	char value[8], list[100];
	ssize_t n;

	OR_ERRNO(chmod(path, 0640));
	OR_ERRNO(utimensat(AT_FDCWD, path, times, 0));
	OR_ERRNO(truncate(path, 100));
	OR_ERRNO(setxattr(path, "user.a", "value", 5, 0));
	n = getxattr(path, "user.a", value, sizeof(value));
	OR_ERRNO(n);
	if (n != 5 || memcmp(value, "value", 5))
		return WRONG;
	n = listxattr(path, list, sizeof(list));
	OR_ERRNO(n);
	if (n < 7)
		return WRONG;
	OR_ERRNO(removexattr(path, "user.a"));
	return look(S("out")).st_size == 100 ? 0 : WRONG;
}

static int do_space(void)
{
	int from = open(C("data"), O_RDONLY), to = open(C("out"), O_RDWR), err = 0;

	if (from < 0 || to < 0) {
		err = errno;
	} else {
		loff_t a = 0, b = 0;

		if (fallocate(to, 0, 0, PART) || fallocate(to, FALLOC_FL_PUNCH_HOLE |
			      FALLOC_FL_KEEP_SIZE, 4096, 8192) ||
		    lseek(to, 0, SEEK_HOLE) < 0)
			err = errno;
		else if (copy_file_range(from, &a, to, &b, 100000, 0) <= 0)
			err = errno;
	}
	if (from >= 0)
		close(from);
	return to >= 0 ? ending(to, err) : err;
}

static int do_locks(void)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = 10 };
	int fd = open(C("out"), O_RDWR), err = 0;

	OR_ERRNO(fd);
	if (fcntl(fd, F_SETLK, &lock) || flock(fd, LOCK_EX | LOCK_NB)) {
		/* One that could not be undone at the server is there until close. */
		err = errno;
	} else {
		lock.l_type = F_UNLCK;
		if (fcntl(fd, F_SETLK, &lock) || flock(fd, LOCK_UN))
			err = errno;
	}
	return ending(fd, err);
}

/* A mount of its own, at /mnt/nomem, by the lab's client. */
#define OWN	"/mnt/nomem"
static int own_net = -1, lab_net = -1;

static bool has_key(void)
{
	unsigned char secret[64];
	char text[100] = "";
	FILE *f = fopen("/run/ebpfs-lab/secret-1", "r");
	bool done = f && fgets(text, sizeof(text), f);

	if (f)
		fclose(f);
	text[strcspn(text, "\n")] = 0;
	if (!done || EVP_DecodeBlock(secret, (unsigned char *)text, (int)strlen(text)) < 32)
		return false;
	return add_key("logon", "ebpfs:lab-c1", secret, 32, KEY_SPEC_PROCESS_KEYRING) > 0;
}

static int do_mount(void)
{
	int err;

	if (setns(lab_net, CLONE_NEWNET))
		return WRONG;
	err = ERRNO_OF(mount("10.99.0.1:/lab", OWN, "ebpfs", 0, "name=lab-c1"));
	if (setns(own_net, CLONE_NEWNET))
		return WRONG;
	return err;
}

static int not_mounted(void)
{
	return umount2(OWN, 0) && errno != EINVAL ? errno : 0;
}

static int mounted(void)
{
	int err = not_mounted() ?: do_mount(), fd;

	if (err)
		return err;
	fd = open(OWN "/mark", O_WRONLY | O_CREAT | O_TRUNC, 0644);
	OR_ERRNO(fd);
	err = write(fd, "mark", 4) == 4 ? 0 : errno;
	return ending(fd, err);
}

static int do_umount(void)
{
	OR_ERRNO(umount2(OWN, 0));
	return holds(SRC "/mark", "mark") ? 0 : WRONG;
}

static int unloaded(void)
{
	return syscall(SYS_delete_module, "ebpfs", 0) && errno != ENOENT ? errno : 0;
}

static int do_load(void)
{
	char path[LAB_COMMAND];
	int fd, err;

	if (lab_command(path, "ebpfs.ko", ""))
		return WRONG;
	path[strlen(path) - 1] = 0;
	fd = open(path, O_RDONLY);
	OR_ERRNO(fd);
	err = ERRNO_OF(syscall(SYS_finit_module, fd, "", 0));
	close(fd);
	return err;
}

static bool can_inject;

#define NEEDS_FAULTS()	do { if (!can_inject) SKIP("the kernel has no fault injection"); } while (0)

/* Before anything else: the lab uses what the last round has loaded. */
static void loading(void)
{
	/* A kernel that was built for it, with something that is not as it is expected here. */
	EXPECT(can_inject || access(DEBUGFS "failslab", F_OK));
	NEEDS_FAULTS();
	ASSERT(set_range_to("do_one_initcall"));
	EXPECT(sweep(unloaded, do_load) > 0);
}

static void the_lab_is_up(void)
{
	ASSERT_EQ(lab_begin("--steer tc --serve"), 0);
	begin("here");
	data_fill(contents, SIZE, 0, 1);
	int fd = open(S("data"), O_WRONLY | O_CREAT, 0644);

	ASSERT_EQ(write(fd, contents, SIZE), SIZE);
	close(fd);
	ASSERT_EQ(mkdir(S("names"), 0755), 0);
	for (int i = 0; i < NAMES; i++) {
		char name[20];

		snprintf(name, sizeof(name), "names/n%d", i);
		ASSERT_EQ(put(S(name), "ab"), 0);
	}
	if (can_inject)
		ASSERT(set_range_to_module());
}

#define SWEEP(name, prepare, act)	\
static void name(void)			\
{					\
	NEEDS_FAULTS();			\
	EXPECT(sweep(prepare, act) > 0);	\
}

SWEEP(reading, cold, do_read)
SWEEP(reading_what_is_not_known, forget, do_read)
SWEEP(reading_directly, cold, do_read_direct)
SWEEP(reading_a_mapping, cold, do_map)
SWEEP(listing, forget, do_list)
SWEEP(looking, forget, do_look)
SWEEP(writing, new_bytes, do_write)
SWEEP(writing_directly, new_bytes, do_write_direct)
SWEEP(writing_synchronously, new_bytes, do_write_sync)
SWEEP(writing_a_mapping, mapped_bytes, do_write_mapped)
SWEEP(appending, NULL, do_append)
SWEEP(creating, clear_new, do_create)
SWEEP(changing_names, clear_new, do_names)
SWEEP(attributes, new_bytes, do_attributes)
SWEEP(space, new_bytes, do_space)
SWEEP(locks, new_bytes, do_locks)

static void mounting(void)
{
	NEEDS_FAULTS();
	mkdir(OWN, 0755);
	own_net = open("/proc/self/ns/net", O_RDONLY);
	lab_net = open("/run/netns/ebpfs-c1", O_RDONLY);
	ASSERT(own_net >= 0 && lab_net >= 0 && has_key());
	EXPECT(sweep(not_mounted, do_mount) > 0);
	EXPECT_EQ(not_mounted(), 0);
}

static void unmounting(void)
{
	NEEDS_FAULTS();
	EXPECT(sweep(mounted, do_umount) > 0);
	EXPECT_EQ(not_mounted(), 0);
}

/* Everything, while every so-many-th allocation of the module fails, in any context. */
static void everywhere(const char *interval)
{
	static int (*const prepare[])(void) = {
		cold, forget, cold, forget, new_bytes, new_bytes, mapped_bytes, clear_new,
		clear_new, new_bytes, new_bytes, new_bytes, not_mounted, mounted,
	};
	static int (*const act[])(void) = {
		do_read, do_list, do_read_direct, do_look, do_write, do_write_direct,
		do_write_mapped, do_create, do_names, do_attributes, do_space, do_locks,
		do_mount, do_umount,
	};
	unsigned int failed = 0;

	for (int round = 0; round < 6; round++) {
		for (size_t i = 0; i < sizeof(act) / sizeof(act[0]); i++) {
			int err;

			if (!EXPECT_EQ(prepare[i](), 0))
				printf("# before operation %zu\n", i);
			EXPECT(set("interval", interval) && set("times", "-1") &&
			       set("probability", "100"));
			err = act[i]();
			set("probability", "0");
			failed += err != 0;
			if (err && !EXPECT(is_clean(err)))
				printf("# operation %zu: error %d\n", i, err);
		}
	}
	printf("# every %s allocations: %u operations of %u failed\n", interval, failed, 6 * 14);
	/* Of what allocates more often than that, some has to. */
	EXPECT(failed > 0 || atoi(interval) > 10);
}

static void in_any_context(void)
{
	NEEDS_FAULTS();
	everywhere("3");
	everywhere("7");
	everywhere("23");
	everywhere("101");
	EXPECT_EQ(not_mounted(), 0);
}

/* And after all that. */
static void all_is_well(void)
{
	EXPECT_EQ(cold() ?: do_read(), 0);
	EXPECT_EQ(forget() ?: do_read(), 0);
	EXPECT_EQ(do_list(), 0);
	EXPECT_EQ(new_bytes() ?: do_write(), 0);
	EXPECT_EQ(clear_new() ?: do_names(), 0);
}

static void lab_goes_down(void)
{
	EXPECT_EQ(lab_end(), 0);
}

static const struct ktap_test tests[] = {
	KTAP_TEST(loading),
	KTAP_TEST(the_lab_is_up),
	KTAP_TEST(reading),
	KTAP_TEST(reading_what_is_not_known),
	KTAP_TEST(reading_directly),
	KTAP_TEST(reading_a_mapping),
	KTAP_TEST(listing),
	KTAP_TEST(looking),
	KTAP_TEST(writing),
	KTAP_TEST(writing_directly),
	KTAP_TEST(writing_synchronously),
	KTAP_TEST(writing_a_mapping),
	KTAP_TEST(appending),
	KTAP_TEST(creating),
	KTAP_TEST(changing_names),
	KTAP_TEST(attributes),
	KTAP_TEST(space),
	KTAP_TEST(locks),
	KTAP_TEST(mounting),
	KTAP_TEST(unmounting),
	KTAP_TEST(in_any_context),
	KTAP_TEST(all_is_well),
	KTAP_TEST(lab_goes_down),
};

int main(int argc, char **argv)
{
	buf = aligned_alloc(4096, (SIZE + 4095) & ~4095ul);
	out = aligned_alloc(4096, PART);
	if (!buf || !out)
		return 1;
	memset(out, 0, PART);
	can_inject = faults_begin();
	return KTAP_MAIN(tests, argc, argv);
}
