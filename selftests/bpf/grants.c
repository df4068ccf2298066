// SPDX-License-Identifier: GPL-2.0
/*
 * grants: what /dev/ebpfs-serve takes from a daemon, what it refuses, and what it tells
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/fsuid.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

#include <ebpfs/serve.h>
#include <ebpfs/wire.h>

#include "ktap.h"

#define DEVICE	"/dev/" EBPFS_SERVE_DEVICE
#define OLD	150000	/* us: a file's ctime is old enough for a grant */

static int device, udp;
static char dir[] = "/tmp/ebpfs-grants.XXXXXX";

/* 0 or the error. */
static int tell(int fd, unsigned long what, const void *arg)
{
	return ioctl(fd, what, arg) ? errno : 0;
}

static struct ebpfs_serve_session session_of(uint64_t id)
{
	return (struct ebpfs_serve_session){
		.server_id = id,
		.client_id = id,
		.peer = { [10] = 0xff, 0xff, 127, 0, 0, 1 },
		.local = { [10] = 0xff, 0xff, 127, 0, 0, 1 },
		.peer_port = htons(1234),
		.slots = 64,
		.socket = udp,
		.instance = 1,
		.sec = EBPFS_SEC_CRC,
	};
}

static struct ebpfs_serve_grant grant_of(uint64_t id, int file)
{
	return (struct ebpfs_serve_grant){
		.server_id = id, .file = file, .fh_len = 8, .fh = "handle",
	};
}

/* A file of its own for a test, with these permissions; open as @flags say. */
static int file_of(const char *name, mode_t mode, int flags)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	fd = open(path, O_CREAT | flags, mode);
	unlink(path);
	return fd;
}

static void sessions(void)
{
	struct ebpfs_serve_session s = session_of(1), bad;
	int other = open(DEVICE, O_RDWR);
	uint64_t id = 1, none = 99;

	EXPECT_EQ(tell(device, EBPFS_SERVE_SESSION, &s), 0);
	EXPECT_EQ(tell(device, EBPFS_SERVE_SESSION, &s), EEXIST);
	EXPECT_EQ(tell(other, EBPFS_SERVE_SESSION, &s), EEXIST);
	EXPECT_EQ(tell(other, EBPFS_SERVE_END, &id), ENOENT);
	EXPECT_EQ(tell(device, EBPFS_SERVE_END, &none), ENOENT);
	EXPECT_EQ(tell(device, EBPFS_SERVE_END, &id), 0);
	EXPECT_EQ(tell(device, EBPFS_SERVE_END, &id), ENOENT);

	bad = s;
	bad.slots = 0;
	EXPECT_EQ(tell(device, EBPFS_SERVE_SESSION, &bad), EINVAL);
	bad.slots = 60000;
	EXPECT_EQ(tell(device, EBPFS_SERVE_SESSION, &bad), EINVAL);
	bad = s;
	bad.instance = 0;
	EXPECT_EQ(tell(device, EBPFS_SERVE_SESSION, &bad), EINVAL);
	bad = s;
	bad.peer_port = 0;
	EXPECT_EQ(tell(device, EBPFS_SERVE_SESSION, &bad), EINVAL);
	bad = s;
	bad.local[10] = 0;	/* one is IPv4, the other is not */
	EXPECT_EQ(tell(device, EBPFS_SERVE_SESSION, &bad), EINVAL);
	bad = s;
	bad.sec = 0;
	EXPECT_EQ(tell(device, EBPFS_SERVE_SESSION, &bad), EINVAL);
	bad.sec = EBPFS_SEC_PRIVACY + 1;
	EXPECT_EQ(tell(device, EBPFS_SERVE_SESSION, &bad), EINVAL);
	bad = s;
	bad.cipher = EBPFS_CIPHER_AES256_GCM + 1;
	EXPECT_EQ(tell(device, EBPFS_SERVE_SESSION, &bad), EINVAL);
	bad = s;
	bad.socket = -1;
	EXPECT_EQ(tell(device, EBPFS_SERVE_SESSION, &bad), EBADF);
	bad.socket = device;
	EXPECT_EQ(tell(device, EBPFS_SERVE_SESSION, &bad), ENOTSOCK);
	bad.socket = socket(AF_INET, SOCK_STREAM, 0);
	EXPECT_EQ(tell(device, EBPFS_SERVE_SESSION, &bad), ENOTSOCK);
	close(bad.socket);

	EXPECT_EQ(tell(device, _IOW(0xeb, 77, uint64_t), &id), ENOTTY);
	EXPECT_EQ(tell(device, _IOR(0x54, 1, uint64_t), &id), ENOTTY);
	EXPECT_EQ(tell(device, EBPFS_SERVE_SESSION, NULL), EFAULT);

	/* With the device its sessions end. */
	EXPECT_EQ(tell(other, EBPFS_SERVE_SESSION, &s), 0);
	close(other);
	EXPECT_EQ(tell(device, EBPFS_SERVE_SESSION, &s), 0);
	EXPECT_EQ(tell(device, EBPFS_SERVE_END, &id), 0);
}

/* Keys are of a session that has some, and of one's own. */
static void keys(void)
{
	struct ebpfs_serve_session s = session_of(3);
	struct ebpfs_serve_keys k = { .server_id = 3 };
	int other = open(DEVICE, O_RDWR);
	uint64_t id = 3;

	EXPECT_EQ(tell(device, EBPFS_SERVE_KEYS, &k), ENOENT);
	EXPECT_EQ(tell(device, EBPFS_SERVE_SESSION, &s), 0);
	EXPECT_EQ(tell(device, EBPFS_SERVE_KEYS, &k), EINVAL);
	EXPECT_EQ(tell(device, EBPFS_SERVE_END, &id), 0);
	s.sec = EBPFS_SEC_PRIVACY;
	EXPECT_EQ(tell(device, EBPFS_SERVE_SESSION, &s), 0);
	EXPECT_EQ(tell(other, EBPFS_SERVE_KEYS, &k), ENOENT);
	EXPECT_EQ(tell(device, EBPFS_SERVE_KEYS, &k), 0);
	EXPECT_EQ(tell(device, EBPFS_SERVE_KEYS, &k), 0);
	k.epoch = 1;
	EXPECT_EQ(tell(device, EBPFS_SERVE_KEYS, &k), 0);
	k.reserved[1] = 1;
	EXPECT_EQ(tell(device, EBPFS_SERVE_KEYS, &k), EINVAL);
	EXPECT_EQ(tell(device, EBPFS_SERVE_END, &id), 0);
	close(other);
}

static void most_sessions(void)
{
	struct ebpfs_serve_session s;
	int fd = open(DEVICE, O_RDWR);
	uint64_t id;

	for (id = 1; id <= EBPFS_SERVE_SESSIONS; id++) {
		s = session_of(id);
		ASSERT_EQ(tell(fd, EBPFS_SERVE_SESSION, &s), 0);
	}
	s = session_of(id);
	EXPECT_EQ(tell(fd, EBPFS_SERVE_SESSION, &s), ENOSPC);
	close(fd);
}

static void files(void)
{
	struct ebpfs_serve_session s = session_of(2);
	struct ebpfs_serve_grant g;
	uint64_t id = 2;
	int fd, dir_fd = open(dir, O_RDONLY), proc = open("/proc/version", O_RDONLY);

	fd = file_of("file", 0644, O_RDWR);
	g = grant_of(id, fd);
	EXPECT_EQ(tell(device, EBPFS_SERVE_GRANT, &g), ENOENT);
	ASSERT_EQ(tell(device, EBPFS_SERVE_SESSION, &s), 0);
	EXPECT_EQ(tell(device, EBPFS_SERVE_GRANT, &g), EAGAIN);
	usleep(OLD);
	EXPECT_EQ(tell(device, EBPFS_SERVE_GRANT, &g), 0);
	EXPECT_EQ(tell(device, EBPFS_SERVE_GRANT, &g), 0);
	/* Changed, it has to be granted anew, and that takes time again. */
	fchmod(fd, 0600);
	EXPECT_EQ(tell(device, EBPFS_SERVE_GRANT, &g), EAGAIN);
	usleep(OLD);
	EXPECT_EQ(tell(device, EBPFS_SERVE_GRANT, &g), 0);
	EXPECT_EQ(tell(device, EBPFS_SERVE_REVOKE, &g), 0);
	EXPECT_EQ(tell(device, EBPFS_SERVE_REVOKE, &g), 0);

	g.fh_len = 0;
	EXPECT_EQ(tell(device, EBPFS_SERVE_GRANT, &g), EINVAL);
	EXPECT_EQ(tell(device, EBPFS_SERVE_REVOKE, &g), 0);
	g.fh_len = EBPFS_SERVE_FH + 1;
	EXPECT_EQ(tell(device, EBPFS_SERVE_GRANT, &g), EINVAL);
	EXPECT_EQ(tell(device, EBPFS_SERVE_REVOKE, &g), EINVAL);
	g = grant_of(id, fd);
	g.reserved[2] = 1;
	EXPECT_EQ(tell(device, EBPFS_SERVE_GRANT, &g), EINVAL);
	g = grant_of(id, -1);
	EXPECT_EQ(tell(device, EBPFS_SERVE_GRANT, &g), EBADF);
	g = grant_of(id, dir_fd);
	EXPECT_EQ(tell(device, EBPFS_SERVE_GRANT, &g), EOPNOTSUPP);
	g = grant_of(id, proc);
	EXPECT_EQ(tell(device, EBPFS_SERVE_GRANT, &g), EOPNOTSUPP);
	close(fd);
	fd = file_of("write-only", 0644, O_WRONLY);
	usleep(OLD);
	g = grant_of(id, fd);
	EXPECT_EQ(tell(device, EBPFS_SERVE_GRANT, &g), EBADF);
	close(fd);
	close(dir_fd);
	close(proc);
	EXPECT_EQ(tell(device, EBPFS_SERVE_END, &id), 0);
}

/* A change in the second of the last one would not be seen. */
static void a_filesystem_with_whole_seconds(void)
{
	struct ebpfs_serve_session s = session_of(4);
	struct ebpfs_serve_grant g;
	unsigned int tries = 0;
	struct timespec now;
	char line[512];
	uint64_t id = 4;
	struct stat st;
	int fd, ret;

	snprintf(line, sizeof(line), "modprobe -q loop; cd %s && mkdir seconds && "
		 "truncate -s 4M image && mkfs.ext4 -q -O ^has_journal -I 128 image "
		 "2> /dev/null && mount -o loop image seconds", dir);
	ASSERT_EQ(system(line), 0);
	ASSERT_EQ(tell(device, EBPFS_SERVE_SESSION, &s), 0);
	fd = file_of("seconds/file", 0644, O_RDWR);
	g = grant_of(id, fd);
	do {
		clock_gettime(CLOCK_REALTIME, &now);
		usleep(1000000 - (unsigned int)(now.tv_nsec / 1000));
		ASSERT_EQ(write(fd, "x", 1), 1);
		ASSERT_EQ(fstat(fd, &st), 0);
		usleep(OLD);
		ret = tell(device, EBPFS_SERVE_GRANT, &g);
		clock_gettime(CLOCK_REALTIME, &now);
	} while (now.tv_sec != st.st_ctime && ++tries < 10);
	EXPECT_EQ(ret, EAGAIN);
	usleep(1000000);
	EXPECT_EQ(tell(device, EBPFS_SERVE_GRANT, &g), 0);
	EXPECT_EQ(tell(device, EBPFS_SERVE_END, &id), 0);
	close(fd);
	/* The grant's file is let go of after a grace period. */
	snprintf(line, sizeof(line), "for i in $(seq 50); do umount %s/seconds 2> /dev/null && "
		 "exit; sleep 0.1; done; exit 1", dir);
	EXPECT_EQ(system(line), 0);
}

/* Rights are those of who asks. */
static void users(void)
{
	struct ebpfs_serve_session s = session_of(3);
	int fd = file_of("secret", 0600, O_RDWR);
	struct ebpfs_serve_grant g = grant_of(3, fd);
	uint64_t id = 3;

	ASSERT_EQ(tell(device, EBPFS_SERVE_SESSION, &s), 0);
	usleep(OLD);
	g.cred = 1;
	setfsuid(1000);
	EXPECT_EQ(tell(device, EBPFS_SERVE_GRANT, &g), EACCES);
	setfsuid(0);
	EXPECT_EQ(tell(device, EBPFS_SERVE_GRANT, &g), 0);
	close(fd);
	EXPECT_EQ(tell(device, EBPFS_SERVE_END, &id), 0);
}

static void only_root_opens_it(void)
{
	struct stat st;

	EXPECT_EQ(stat(DEVICE, &st), 0);
	EXPECT_EQ(st.st_mode & 07777, 0600);
	EXPECT_EQ(st.st_uid, 0);
}

#define NAMES	100

/* What DESCRIBE says of @name, which is not that of a directory's own. */
static void same_as_asked(int fd, const char *name, const struct ebpfs_serve_file *f)
{
	struct {
		struct file_handle h;
		unsigned char room[EBPFS_SERVE_HANDLE];
	} k = { .h.handle_bytes = EBPFS_SERVE_HANDLE };
	struct statx sx;
	int mount;

	EXPECT_EQ(f->error, 0);
	ASSERT_EQ(statx(fd, name, AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS | STATX_BTIME, &sx), 0);
	ASSERT_EQ(name_to_handle_at(fd, name, &k.h, &mount, 0), 0);
	EXPECT_EQ(f->type, k.h.handle_type);
	EXPECT_EQ(f->len, k.h.handle_bytes);
	EXPECT_MEM(f->handle, k.h.f_handle, k.h.handle_bytes);
	EXPECT_EQ(f->stat.stx_mode, sx.stx_mode);
	EXPECT_EQ(f->stat.stx_nlink, sx.stx_nlink);
	EXPECT_EQ(f->stat.stx_uid, sx.stx_uid);
	EXPECT_EQ(f->stat.stx_gid, sx.stx_gid);
	EXPECT_EQ(f->stat.stx_ino, sx.stx_ino);
	EXPECT_EQ(f->stat.stx_size, sx.stx_size);
	EXPECT_EQ(f->stat.stx_blocks, sx.stx_blocks);
	EXPECT_EQ(f->stat.stx_blksize, sx.stx_blksize);
	EXPECT_EQ(f->stat.stx_attributes, sx.stx_attributes);
	EXPECT_EQ(f->stat.stx_mask, sx.stx_mask & (STATX_BASIC_STATS | STATX_BTIME));
	EXPECT_EQ(f->stat.stx_rdev_major, sx.stx_rdev_major);
	EXPECT_EQ(f->stat.stx_rdev_minor, sx.stx_rdev_minor);
	EXPECT_EQ(f->stat.stx_dev_major, sx.stx_dev_major);
	EXPECT_EQ(f->stat.stx_dev_minor, sx.stx_dev_minor);
	EXPECT_MEM(&f->stat.stx_mtime, &sx.stx_mtime, sizeof(sx.stx_mtime));
	EXPECT_MEM(&f->stat.stx_ctime, &sx.stx_ctime, sizeof(sx.stx_ctime));
	EXPECT_MEM(&f->stat.stx_atime, &sx.stx_atime, sizeof(sx.stx_atime));
	EXPECT_MEM(&f->stat.stx_btime, &sx.stx_btime, sizeof(sx.stx_btime));
}

static void names_are_described(void)
{
	static struct ebpfs_serve_file described[NAMES + 2];
	char dents[16384] __attribute__((aligned(8)));
	struct ebpfs_serve_names arg = { .dents = (uintptr_t)dents, .files = (uintptr_t)described };
	int fd, i, n, pos;
	char name[32];

	fd = open(dir, O_RDONLY | O_DIRECTORY);
	mkdirat(fd, "names", 0700);
	close(fd);
	snprintf(dents, sizeof(dents), "%s/names", dir);
	fd = open(dents, O_RDONLY | O_DIRECTORY);
	for (i = 0; i < NAMES; i++) {
		snprintf(name, sizeof(name), "%.*s%d", i % 20, "a-name-of-any-length", i);
		if (i % 4 == 0)
			EXPECT_EQ(mknodat(fd, name, S_IFREG | 0640, 0), 0);
		else if (i % 4 == 1)
			EXPECT_EQ(mkdirat(fd, name, 0750), 0);
		else if (i % 4 == 2)
			EXPECT_EQ(symlinkat("/", fd, name), 0);
		else
			EXPECT_EQ(mknodat(fd, name, S_IFCHR | 0600, makedev(7, i)), 0);
	}
	arg.dir = fd;
	arg.len = (uint32_t)getdents64(fd, dents, sizeof(dents));
	arg.count = NAMES + 2;
	EXPECT_EQ(unlinkat(fd, "0", 0), 0);
	ASSERT_EQ(ioctl(device, EBPFS_SERVE_DESCRIBE, &arg), NAMES + 2);
	for (pos = 0, n = 0; pos < (int)arg.len; n++) {
		const struct dirent64 *d = (const struct dirent64 *)(dents + pos);

		pos += d->d_reclen;
		if (d->d_name[0] == '.')
			EXPECT(described[n].error);
		else if (!strcmp(d->d_name, "0"))
			EXPECT_EQ(described[n].error, ENOENT);
		else
			same_as_asked(fd, d->d_name, &described[n]);
	}
	EXPECT_EQ(n, NAMES + 2);
	arg.count = 7;
	EXPECT_EQ(ioctl(device, EBPFS_SERVE_DESCRIBE, &arg), 7);
	close(fd);
}

static void what_is_no_list_of_names_is_refused(void)
{
	char dents[sizeof(struct dirent64)] __attribute__((aligned(8))) = { 0 };
	struct dirent64 *d = (struct dirent64 *)dents;
	struct ebpfs_serve_names good = { .dents = (uintptr_t)dents, .len = 24, .count = 1 }, bad;
	struct ebpfs_serve_file f;

	good.files = (uintptr_t)&f;
	good.dir = open(dir, O_RDONLY | O_DIRECTORY);
	d->d_reclen = 24;
	strcpy(d->d_name, "none");
	EXPECT_EQ(ioctl(device, EBPFS_SERVE_DESCRIBE, &good), 1);
	EXPECT_EQ(f.error, ENOENT);
	strcpy(d->d_name, "a/b");
	EXPECT_EQ(ioctl(device, EBPFS_SERVE_DESCRIBE, &good), 1);
	EXPECT_EQ(f.error, EACCES);
	bad = good;
	bad.dir = -1;
	EXPECT_EQ(tell(device, EBPFS_SERVE_DESCRIBE, &bad), EBADF);
	bad.dir = udp;
	EXPECT_EQ(tell(device, EBPFS_SERVE_DESCRIBE, &bad), ENOTDIR);
	bad = good;
	bad.reserved = 1;
	EXPECT_EQ(tell(device, EBPFS_SERVE_DESCRIBE, &bad), EINVAL);
	bad = good;
	bad.dents = 8;
	EXPECT_EQ(tell(device, EBPFS_SERVE_DESCRIBE, &bad), EFAULT);
	bad = good;
	bad.files = 8;
	EXPECT_EQ(tell(device, EBPFS_SERVE_DESCRIBE, &bad), EFAULT);
	/* Cut off, empty, too long, without an end. */
	bad = good;
	for (bad.len = 1; bad.len < 24; bad.len++)
		EXPECT_EQ(tell(device, EBPFS_SERVE_DESCRIBE, &bad), EINVAL);
	d->d_reclen = 19;
	EXPECT_EQ(tell(device, EBPFS_SERVE_DESCRIBE, &good), EINVAL);
	d->d_reclen = 0;
	EXPECT_EQ(tell(device, EBPFS_SERVE_DESCRIBE, &good), EINVAL);
	d->d_reclen = 65535;
	bad.len = 1 << 20;
	EXPECT_EQ(tell(device, EBPFS_SERVE_DESCRIBE, &bad), EINVAL);
	d->d_reclen = 24;
	memset(d->d_name, 'a', 5);
	EXPECT_EQ(tell(device, EBPFS_SERVE_DESCRIBE, &good), EINVAL);
	close(good.dir);
}

static const struct ktap_test tests[] = {
	KTAP_TEST(sessions),
	KTAP_TEST(keys),
	KTAP_TEST(most_sessions),
	KTAP_TEST(files),
	KTAP_TEST(a_filesystem_with_whole_seconds),
	KTAP_TEST(users),
	KTAP_TEST(only_root_opens_it),
	KTAP_TEST(names_are_described),
	KTAP_TEST(what_is_no_list_of_names_is_refused),
};

int main(int argc, char **argv)
{
	char remove[64];
	int ret;

	if (system("modprobe ebpfs") || !mkdtemp(dir))
		return KTAP_EXIT_FAIL;
	device = open(DEVICE, O_RDWR);
	udp = socket(AF_INET, SOCK_DGRAM, 0);
	if (device < 0 || udp < 0) {
		perror(DEVICE);
		return KTAP_EXIT_FAIL;
	}
	ret = KTAP_MAIN(tests, argc, argv);
	snprintf(remove, sizeof(remove), "rm -r %s", dir);
	return system(remove) ? KTAP_EXIT_FAIL : ret;
}
