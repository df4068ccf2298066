// SPDX-License-Identifier: GPL-2.0
/*
 * What stands between ebpfsd and the system calls by which it changes something,
 * for fuzz_ebpfsd: nothing is changed, so that every input finds the same files.
 *
 * Demanded is that a name is one component, so that nothing outside the directory
 * is reached; that data are written whole and are those that the client meant (the
 * file's own pattern, unless the input said something else under the same id); and
 * that whoever acted as a user is the daemon again before the next call.
 */
#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <linux/openat2.h>
#include <stdarg.h>
#include <sys/fsuid.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "fuzz/ebpfsd.h"
#include "fuzz/must.h"

bool fuzz_honest;
bool fuzz_half;

static u32 fsuid, fsgid;

bool fuzz_acts_as_itself(void)
{
	return !fsuid && !fsgid;
}

/* Of one component; also not the directory itself. */
static void check_name(const char *name)
{
	MUST(*name && strlen(name) <= EBPFS_NAME_MAX && !strchr(name, '/'));
	MUST(strcmp(name, ".") && strcmp(name, ".."));
}

ssize_t __wrap_pwritev(int fd, const struct iovec *iov, int n, off_t offset);
ssize_t __wrap_pwritev(int fd, const struct iovec *iov, int n, off_t offset)
{
	size_t i, len = 0;
	struct stat st;

	MUST(n > 0 && n <= EBPFS_CELLS_MAX && offset >= 0);
	MUST(!fstat(fd, &st) && S_ISREG(st.st_mode));
	for (; n; n--, iov++) {
		const u8 *p = iov->iov_base;

		MUST(iov->iov_len);
		for (i = 0; fuzz_honest && i < iov->iov_len; i++)
			MUST(p[i] == fuzz_pattern((u64)offset + len + i));
		len += iov->iov_len;
	}
	MUST(len <= EBPFS_MSG_MAX);
	return (ssize_t)(fuzz_half && len > 1 ? len / 2 : len);
}

int __wrap_ftruncate(int fd, off_t size);
int __wrap_ftruncate(int fd, off_t size)
{
	struct stat st;

	MUST(size >= 0 && !fstat(fd, &st) && S_ISREG(st.st_mode));
	return 0;
}

int __wrap_fallocate(int fd, int mode, off_t offset, off_t len);
int __wrap_fallocate(int fd, int mode, off_t offset, off_t len)
{
	struct stat st;

	MUST(offset >= 0 && len > 0 && offset <= INT64_MAX - len);
	MUST(!(mode & ~(FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE |
			FALLOC_FL_COLLAPSE_RANGE | FALLOC_FL_INSERT_RANGE)));
	MUST(!fstat(fd, &st) && S_ISREG(st.st_mode));
	return 0;
}

/* From where there is something, to where it may go. */
ssize_t __wrap_copy_file_range(int from, loff_t *in, int to, loff_t *out, size_t len,
			       unsigned int flags);
ssize_t __wrap_copy_file_range(int from, loff_t *in, int to, loff_t *out, size_t len,
			       unsigned int flags)
{
	struct stat st;

	MUST(len && !flags && *in >= 0 && *out >= 0 && *out <= INT64_MAX - (loff_t)len);
	MUST(!fstat(to, &st) && S_ISREG(st.st_mode));
	MUST(!fstat(from, &st) && S_ISREG(st.st_mode) && *in + (loff_t)len <= st.st_size);
	return (ssize_t)(fuzz_half && len > 1 ? len / 2 : len);
}

/* APPEND: at the end, where the position is left. */
ssize_t __wrap_pwritev2(int fd, const struct iovec *iov, int n, off_t offset, int flags);
ssize_t __wrap_pwritev2(int fd, const struct iovec *iov, int n, off_t offset, int flags)
{
	struct stat st;
	size_t len;

	MUST(n == 1 && offset == -1 && flags == RWF_APPEND);
	MUST(iov->iov_len && iov->iov_len <= EBPFS_MSG_MAX);
	MUST(!fstat(fd, &st) && S_ISREG(st.st_mode));
	len = fuzz_half && iov->iov_len > 1 ? iov->iov_len / 2 : iov->iov_len;
	MUST(lseek(fd, (off_t)len, SEEK_END) == st.st_size + (off_t)len);
	return (ssize_t)len;
}

int __real_ioctl(int fd, unsigned long request, void *arg);
int __wrap_ioctl(int fd, unsigned long request, void *arg);
int __wrap_ioctl(int fd, unsigned long request, void *arg)
{
	const struct file_clone_range *range = arg;
	struct stat st;

	if (request != FICLONERANGE)
		return __real_ioctl(fd, request, arg);
	MUST(!fstat(fd, &st) && S_ISREG(st.st_mode));
	MUST(!fstat((int)range->src_fd, &st) && S_ISREG(st.st_mode));
	return 0;
}

static void check_attribute(const char *path, const char *name)
{
	static const char fds[] = "/proc/self/fd/";

	MUST(!strncmp(path, fds, sizeof(fds) - 1));
	MUST(strspn(path + sizeof(fds) - 1, "0123456789") == strlen(path + sizeof(fds) - 1));
	MUST(*name && strlen(name) <= EBPFS_NAME_MAX);
}

int __wrap_setxattr(const char *path, const char *name, const void *value, size_t len, int flags);
int __wrap_setxattr(const char *path, const char *name, const void *value, size_t len, int flags)
{
	check_attribute(path, name);
	MUST(len <= EBPFS_MSG_MAX && (value || !len) && !(flags & ~3));
	return 0;
}

int __wrap_removexattr(const char *path, const char *name);
int __wrap_removexattr(const char *path, const char *name)
{
	check_attribute(path, name);
	return 0;
}

int __wrap_unlinkat(int dir, const char *name, int flags);
int __wrap_unlinkat(int dir, const char *name, int flags)
{
	(void)dir;
	check_name(name);
	MUST(!(flags & ~AT_REMOVEDIR));
	return 0;
}

int __wrap_renameat2(int dir, const char *name, int to, const char *new_name, unsigned int flags);
int __wrap_renameat2(int dir, const char *name, int to, const char *new_name, unsigned int flags)
{
	(void)dir;
	(void)to;
	check_name(name);
	check_name(new_name);
	MUST(!(flags & ~3u));
	return 0;
}

int __wrap_linkat(int dir, const char *number, int to, const char *name, int flags);
int __wrap_linkat(int dir, const char *number, int to, const char *name, int flags)
{
	(void)dir;
	(void)to;
	MUST(strspn(number, "0123456789") == strlen(number));
	check_name(name);
	if (*number)
		return 0;
	/* As on an older kernel. */
	MUST(flags == AT_EMPTY_PATH);
	errno = ENOENT;
	return -1;
}

int __wrap_mkdirat(int dir, const char *name, mode_t mode);
int __wrap_mkdirat(int dir, const char *name, mode_t mode)
{
	(void)dir;
	check_name(name);
	MUST(!(mode & ~07777u));
	errno = EEXIST;
	return -1;
}

int __wrap_mknodat(int dir, const char *name, mode_t mode, dev_t dev);
int __wrap_mknodat(int dir, const char *name, mode_t mode, dev_t dev)
{
	(void)dir;
	check_name(name);
	MUST(!S_ISREG(mode) && !S_ISDIR(mode) && !S_ISLNK(mode));
	MUST(!dev || S_ISCHR(mode) || S_ISBLK(mode));
	/* As if it had been made: some of these names are there. */
	return 0;
}

int __wrap_symlinkat(const char *target, int dir, const char *name);
int __wrap_symlinkat(const char *target, int dir, const char *name)
{
	(void)dir;
	check_name(name);
	MUST(*target && strlen(target) <= EBPFS_LINK_MAX);
	return 0;
}

int __wrap_fchownat(int fd, const char *path, uid_t uid, gid_t gid, int flags);
int __wrap_fchownat(int fd, const char *path, uid_t uid, gid_t gid, int flags)
{
	(void)fd, (void)uid, (void)gid;
	MUST(!*path && flags == AT_EMPTY_PATH);
	return 0;
}

int __wrap_fchown(int fd, uid_t uid, gid_t gid);
int __wrap_fchown(int fd, uid_t uid, gid_t gid)
{
	(void)fd, (void)uid, (void)gid;
	return 0;
}

int __wrap_fchmod(int fd, mode_t mode);
int __wrap_fchmod(int fd, mode_t mode)
{
	(void)fd;
	MUST(mode <= 07777);
	return 0;
}

int __wrap_futimens(int fd, const struct timespec times[2]);
int __wrap_futimens(int fd, const struct timespec times[2])
{
	int i;

	(void)fd;
	for (i = 0; i < 2; i++)
		MUST((times[i].tv_nsec >= 0 && times[i].tv_nsec < 1000000000) ||
		     times[i].tv_nsec == UTIME_NOW || times[i].tv_nsec == UTIME_OMIT);
	return 0;
}

int __wrap_utimensat(int fd, const char *path, const struct timespec times[2], int flags);
int __wrap_utimensat(int fd, const char *path, const struct timespec times[2], int flags)
{
	MUST(!*path && flags == AT_EMPTY_PATH);
	return __wrap_futimens(fd, times);
}

int __wrap_setfsuid(uid_t uid);
int __wrap_setfsuid(uid_t uid)
{
	u32 before = fsuid;

	if (uid != (uid_t)-1)
		fsuid = uid;
	return (int)before;
}

int __wrap_setfsgid(uid_t gid);
int __wrap_setfsgid(uid_t gid)
{
	u32 before = fsgid;

	if (gid != (gid_t)-1)
		fsgid = gid;
	return (int)before;
}

/* Opening what is there is done; what would be made is there already. */
static long open_one(const char *name, const struct open_how *how)
{
	MUST(!strchr(name, '/') && how->resolve & RESOLVE_BENEATH);
	if (!(how->flags & O_CREAT))
		return 0;
	check_name(name);
	errno = EEXIST;
	return -1;
}

long __real_syscall(long number, ...);
long __wrap_syscall(long number, ...);
long __wrap_syscall(long number, ...)
{
	long a[6];
	va_list args;
	int i;

	va_start(args, number);
	for (i = 0; i < 6; i++)
		a[i] = va_arg(args, long);
	va_end(args);
	switch (number) {
	case SYS_openat2:
		if (open_one((const char *)a[1], (const struct open_how *)a[2]))
			return -1;
		break;
	case SYS_fchmodat2:
		MUST(!*(const char *)a[1] && !(a[2] & ~07777l));
		return 0;
	case SYS_setgroups:
		MUST(a[0] >= 0 && a[0] <= EBPFS_GROUPS_MAX);
		return 0;
	}
	return __real_syscall(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}
