// SPDX-License-Identifier: GPL-2.0
/*
 * grants: what /dev/ebpfs-serve takes from a daemon, and what it refuses
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/fsuid.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <ebpfs/serve.h>

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
	};
}

static struct ebpfs_serve_grant grant_of(uint64_t id, int file)
{
	return (struct ebpfs_serve_grant){ .server_id = id, .file = file, .fh_len = 8, .fh = "handle" };
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

static const struct ktap_test tests[] = {
	KTAP_TEST(sessions),
	KTAP_TEST(most_sessions),
	KTAP_TEST(files),
	KTAP_TEST(users),
	KTAP_TEST(only_root_opens_it),
};

int main(int argc, char **argv)
{
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
	rmdir(dir);
	return ret;
}
