// SPDX-License-Identifier: GPL-2.0
/*
 * ebpfsd's operations on names and attributes: done as asked, done once, and
 * never outside the export or on one that is read-only. What was done is looked
 * at on the server's side.
 *
 * timeout: 120
 * native
 */
#include <sys/ioctl.h>
#include <sys/sysmacros.h>

#include "ebpfsd_change.h"

#define ADDR	"127.0.0.1:20490"
#define EXCL	EBPFS_CREATE_EXCL

static u8 secret[EBPFS_SECRET_LEN];
static struct client c, ro;
static struct fh root;
static u8 buf[65536] __attribute__((aligned(8)));

static bool join(struct client *client, const char *export)
{
	client_init(client, ADDR, "alice", secret, export);
	return EXPECT_EQ(client_join(client), 0);
}

static void same_as(const char *path, const struct ebpfs_attr *a)
{
	struct stat st;

	ASSERT_EQ(lstat(path, &st), 0);
	EXPECT_EQ(le64_to_cpu(a->ino), st.st_ino);
	EXPECT_EQ(le64_to_cpu(a->size), st.st_size);
	EXPECT_EQ(le32_to_cpu(a->mode), st.st_mode);
	EXPECT_EQ(le32_to_cpu(a->nlink), st.st_nlink);
	EXPECT_EQ(le32_to_cpu(a->uid), st.st_uid);
	EXPECT_EQ(le32_to_cpu(a->gid), st.st_gid);
	EXPECT_EQ(le64_to_cpu(a->mtime), st.st_mtim.tv_sec);
	EXPECT_EQ(le32_to_cpu(a->mtime_ns), st.st_mtim.tv_nsec);
	EXPECT_EQ(le64_to_cpu(a->ctime), st.st_ctim.tv_sec);
	EXPECT_EQ(le32_to_cpu(a->ctime_ns), st.st_ctim.tv_nsec);
}

static bool exists(const char *path)
{
	struct stat st;

	return !lstat(path, &st);
}

/* In directory @name, made anew. */
static struct fh fresh_dir(const char *name)
{
	struct fh dir = { .len = 0 };

	EXPECT_EQ(do_create(&c, &root, name, S_IFDIR | 0755, 0, EXCL, &dir, NULL), 0);
	return dir;
}

static void files_are_made_as_asked(void)
{
	struct fh dir = fresh_dir("made"), fh;
	struct ebpfs_attr attr, again;
	struct stat st;
	char target[64];

	EXPECT_EQ(do_create(&c, &dir, "file", S_IFREG | 0666, 0027, EXCL, &fh, &attr), 0);
	same_as(at("data/made/file"), &attr);
	EXPECT_EQ(le32_to_cpu(attr.mode), S_IFREG | 0640);
	EXPECT_EQ(do_getattr(&c, &fh, &again), 0);
	EXPECT_MEM(&attr, &again, sizeof(attr));
	EXPECT_EQ(do_read(&c, &fh, 0, 10, buf), 0);

	EXPECT_EQ(do_create(&c, &dir, "dir", S_IFDIR | 0777, 0, EXCL, &fh, &attr), 0);
	same_as(at("data/made/dir"), &attr);
	EXPECT_EQ(le32_to_cpu(attr.mode), S_IFDIR | 0777);
	EXPECT_EQ(do_create(&c, &fh, "inner", S_IFREG | 0600, 0, EXCL, NULL, &attr), 0);
	same_as(at("data/made/dir/inner"), &attr);

	EXPECT_EQ(do_create(&c, &dir, "fifo", S_IFIFO | 0622, 0, EXCL, NULL, &attr), 0);
	same_as(at("data/made/fifo"), &attr);
	EXPECT_EQ(do_create(&c, &dir, "socket", S_IFSOCK | 0600, 0, EXCL, NULL, &attr), 0);
	same_as(at("data/made/socket"), &attr);

	EXPECT_EQ(do_mknod(&c, &dir, "device", S_IFCHR | 0600, 300, 70000, NULL, &attr), 0);
	same_as(at("data/made/device"), &attr);
	EXPECT_EQ(stat(at("data/made/device"), &st), 0);
	EXPECT_EQ(st.st_rdev, makedev(300, 70000));
	EXPECT_EQ(le32_to_cpu(attr.rdev_major), 300);
	EXPECT_EQ(le32_to_cpu(attr.rdev_minor), 70000);

	EXPECT_EQ(do_symlink(&c, &dir, "link", "../somewhere", &fh, &attr), 0);
	same_as(at("data/made/link"), &attr);
	EXPECT_EQ(readlink(at("data/made/link"), target, sizeof(target)), 12);
	EXPECT_MEM(target, "../somewhere", 12);
	EXPECT_EQ(do_op(&c, EBPFS_OP_READLINK, &fh, 0, 0, buf, sizeof(buf)), 12);
}

static void names_that_exist(void)
{
	struct fh dir = fresh_dir("exist"), a, b;
	struct ebpfs_attr attr;

	EXPECT_EQ(do_create(&c, &dir, "file", S_IFREG | 0600, 0, EXCL, &a, NULL), 0);
	EXPECT_EQ(do_create(&c, &dir, "file", S_IFREG | 0600, 0, EXCL, NULL, NULL), -EEXIST);
	EXPECT_EQ(do_create(&c, &dir, "file", S_IFREG | 0666, 0, 0, &b, &attr), 0);
	EXPECT_EQ(a.len, b.len);
	EXPECT_MEM(a.bytes, b.bytes, a.len);
	EXPECT_EQ(le32_to_cpu(attr.mode), S_IFREG | 0600);
	EXPECT_EQ(do_create(&c, &dir, "new", S_IFREG | 0600, 0, 0, NULL, NULL), 0);
	EXPECT_EQ(do_create(&c, &dir, "dir", S_IFDIR | 0700, 0, EXCL, NULL, NULL), 0);
	EXPECT_EQ(do_create(&c, &dir, "dir", S_IFDIR | 0700, 0, 0, NULL, NULL), -EEXIST);
	EXPECT_EQ(do_create(&c, &dir, "dir", S_IFREG | 0700, 0, 0, NULL, NULL), -EEXIST);
	EXPECT_EQ(do_create(&c, &dir, "file", S_IFDIR | 0700, 0, 0, NULL, NULL), -EEXIST);
	EXPECT_EQ(do_create(&c, &a, "file", S_IFREG | 0700, 0, 0, NULL, NULL), -ENOTDIR);
}

static void names_are_removed(void)
{
	struct fh dir = fresh_dir("remove"), sub;

	EXPECT_EQ(do_create(&c, &dir, "file", S_IFREG | 0600, 0, EXCL, NULL, NULL), 0);
	EXPECT_EQ(do_create(&c, &dir, "sub", S_IFDIR | 0700, 0, EXCL, &sub, NULL), 0);
	EXPECT_EQ(do_create(&c, &sub, "x", S_IFREG | 0600, 0, EXCL, NULL, NULL), 0);
	EXPECT_EQ(do_remove(&c, &dir, "none", EBPFS_REMOVE_FILE), -ENOENT);
	EXPECT_EQ(do_remove(&c, &dir, "file", EBPFS_REMOVE_DIR), -ENOTDIR);
	EXPECT_EQ(do_remove(&c, &dir, "sub", EBPFS_REMOVE_FILE), -EISDIR);
	EXPECT_EQ(do_remove(&c, &dir, "sub", EBPFS_REMOVE_DIR), -ENOTEMPTY);
	EXPECT_EQ(do_remove(&c, &dir, "file", 7), -EINVAL);
	EXPECT_EQ(do_remove(&c, &dir, "file", EBPFS_REMOVE_FILE), 0);
	EXPECT(!exists(at("data/remove/file")));
	EXPECT_EQ(do_remove(&c, &sub, "x", EBPFS_REMOVE_FILE), 0);
	EXPECT_EQ(do_remove(&c, &dir, "sub", EBPFS_REMOVE_DIR), 0);
	EXPECT(!exists(at("data/remove/sub")));
	EXPECT_EQ(do_create(&c, &sub, "x", S_IFREG | 0600, 0, EXCL, NULL, NULL), -ENOENT);
}

static void names_are_changed(void)
{
	struct fh dir = fresh_dir("rename"), sub, file, foreign;
	ino_t a, b;
	struct stat st;

	EXPECT_EQ(do_create(&c, &dir, "a", S_IFREG | 0600, 0, EXCL, &file, NULL), 0);
	EXPECT_EQ(do_create(&c, &dir, "b", S_IFREG | 0600, 0, EXCL, NULL, NULL), 0);
	EXPECT_EQ(do_create(&c, &dir, "sub", S_IFDIR | 0700, 0, EXCL, &sub, NULL), 0);
	stat(at("data/rename/a"), &st);
	a = st.st_ino;
	stat(at("data/rename/b"), &st);
	b = st.st_ino;
	EXPECT_EQ(do_rename(&c, &dir, "a", &dir, "b", RENAME_NOREPLACE), -EEXIST);
	EXPECT_EQ(do_rename(&c, &dir, "a", &dir, "b", RENAME_EXCHANGE), 0);
	stat(at("data/rename/a"), &st);
	EXPECT_EQ(st.st_ino, b);
	EXPECT_EQ(do_rename(&c, &dir, "b", &sub, "c", 0), 0);
	EXPECT_EQ(stat(at("data/rename/sub/c"), &st), 0);
	EXPECT_EQ(st.st_ino, a);
	EXPECT(!exists(at("data/rename/b")));
	EXPECT_EQ(do_rename(&c, &dir, "a", &sub, "c", 0), 0);
	EXPECT_EQ(stat(at("data/rename/sub/c"), &st), 0);
	EXPECT_EQ(st.st_ino, b);
	EXPECT_EQ(do_rename(&c, &dir, "none", &sub, "d", 0), -ENOENT);
	EXPECT_EQ(do_rename(&c, &dir, "sub", &sub, "d", 0), -EINVAL);
	EXPECT_EQ(do_rename(&c, &sub, "c", &sub, "d", RENAME_WHITEOUT), -EINVAL);
	EXPECT_EQ(do_rename(&c, &sub, "c", &file, "d", 0), -ENOTDIR);
	foreign = root_of(&ro);
	EXPECT_EQ(do_rename(&c, &sub, "c", &foreign, "d", 0), -ESTALE);
	EXPECT(exists(at("data/rename/sub/c")));
}

static void files_get_more_names(void)
{
	struct fh dir = fresh_dir("link"), file, link, sub;
	struct ebpfs_attr attr;
	char target[64];

	EXPECT_EQ(do_create(&c, &dir, "a", S_IFREG | 0600, 0, EXCL, &file, NULL), 0);
	EXPECT_EQ(do_link(&c, &file, &dir, "b", &attr), 0);
	EXPECT_EQ(le32_to_cpu(attr.nlink), 2);
	same_as(at("data/link/b"), &attr);
	EXPECT_EQ(do_link(&c, &file, &dir, "b", &attr), -EEXIST);
	EXPECT_EQ(do_symlink(&c, &dir, "l", "a", &link, NULL), 0);
	EXPECT_EQ(do_link(&c, &link, &dir, "l2", &attr), 0);
	EXPECT_EQ(readlink(at("data/link/l2"), target, sizeof(target)), 1);
	same_as(at("data/link/l2"), &attr);
	EXPECT_EQ(do_create(&c, &dir, "sub", S_IFDIR | 0700, 0, EXCL, &sub, NULL), 0);
	EXPECT_EQ(do_link(&c, &sub, &dir, "sub2", &attr), -EPERM);
	EXPECT_EQ(do_link(&c, &file, &file, "x", &attr), -ENOTDIR);
}

static void attributes_are_set(void)
{
	struct fh dir = fresh_dir("attr"), fh, link;
	struct ebpfs_setattr a = { 0 };
	struct ebpfs_attr attr, before;
	struct stat st;

	EXPECT_EQ(do_create(&c, &dir, "f", S_IFREG | 0600, 0, EXCL, &fh, &before), 0);
	a.valid = cpu_to_le32(EBPFS_SET_MODE | EBPFS_SET_UID | EBPFS_SET_GID | EBPFS_SET_SIZE |
			      EBPFS_SET_ATIME | EBPFS_SET_MTIME);
	a.mode = cpu_to_le32(06755);
	a.uid = cpu_to_le32(1001);
	a.gid = cpu_to_le32(1002);
	a.size = cpu_to_le64(1234567);
	a.atime = cpu_to_le64(1000000001);
	a.atime_ns = cpu_to_le32(123456789);
	a.mtime = cpu_to_le64(1000000002);
	a.mtime_ns = cpu_to_le32(987654321);
	EXPECT_EQ(do_setattr(&c, &fh, &a, &attr), 0);
	same_as(at("data/attr/f"), &attr);
	stat(at("data/attr/f"), &st);
	EXPECT_EQ(st.st_mode, S_IFREG | 06755);
	EXPECT_EQ(st.st_uid, 1001);
	EXPECT_EQ(st.st_gid, 1002);
	EXPECT_EQ(st.st_size, 1234567);
	EXPECT_EQ(st.st_atim.tv_sec, 1000000001);
	EXPECT_EQ(st.st_atim.tv_nsec, 123456789);
	EXPECT_EQ(st.st_mtim.tv_sec, 1000000002);
	EXPECT_EQ(st.st_mtim.tv_nsec, 987654321);
	EXPECT(attr.change != before.change);

	/* Only what is asked; a new owner takes the setuid bits away. */
	a.valid = cpu_to_le32(EBPFS_SET_UID);
	a.uid = cpu_to_le32(7);
	EXPECT_EQ(do_setattr(&c, &fh, &a, &attr), 0);
	same_as(at("data/attr/f"), &attr);
	EXPECT_EQ(le32_to_cpu(attr.mode), S_IFREG | 0755);
	EXPECT_EQ(le32_to_cpu(attr.gid), 1002);
	EXPECT_EQ(le64_to_cpu(attr.mtime), 1000000002);
	EXPECT_EQ(do_truncate(&c, &fh, 10), 0);
	stat(at("data/attr/f"), &st);
	EXPECT_EQ(st.st_size, 10);
	EXPECT(st.st_mtim.tv_sec > 1000000002);
	a.valid = cpu_to_le32(EBPFS_SET_ATIME_NOW);
	EXPECT_EQ(do_setattr(&c, &fh, &a, &attr), 0);
	EXPECT(llabs((long long)le64_to_cpu(attr.atime) - time(NULL)) < 10);

	EXPECT_EQ(do_truncate(&c, &dir, 0), -EISDIR);
	EXPECT_EQ(do_symlink(&c, &dir, "l", "f", &link, NULL), 0);
	EXPECT_EQ(do_truncate(&c, &link, 0), -EINVAL);
	a.valid = cpu_to_le32(EBPFS_SET_GID);
	a.gid = cpu_to_le32(99);
	EXPECT_EQ(do_setattr(&c, &link, &a, &attr), 0);
	lstat(at("data/attr/l"), &st);
	EXPECT_EQ(st.st_gid, 99);
	stat(at("data/attr/l"), &st);
	EXPECT_EQ(st.st_gid, 1002);
	a.gid = ~0u;
	EXPECT_EQ(do_setattr(&c, &fh, &a, &attr), -EINVAL);
}

/* The same call again, as if its reply had been lost. */
static int again(struct client *client, struct change *ch)
{
	ch->call.attempt++;
	client_send(client, &ch->call);
	return client_hear(client, &ch->call, buf, sizeof(buf), 2000);
}

static void repetitions_are_not_executed(void)
{
	struct fh dir = fresh_dir("once"), fh, made;
	struct ebpfs_attr attr;
	long long creates;
	struct change ch;
	u32 instance;

	creates = daemon_stat(&daemon_, "calls_create");
	prepare_create(&c, &ch, &dir, "new", S_IFREG | 0600, 0, EXCL);
	ASSERT(client_call(&c, &ch.call, buf, sizeof(buf)) > 0);
	take_entry(buf, (int)sizeof(struct ebpfs_entry) +
		   ((((struct ebpfs_entry *)buf)->fh_len + 7) & ~7), &made, &attr);
	instance = c.instance;
	EXPECT(again(&c, &ch) > 0);
	EXPECT_EQ(c.instance, instance);
	EXPECT_EQ(daemon_stat(&daemon_, "calls_create"), creates + 1);
	EXPECT_EQ(do_getattr(&c, &made, &attr), 0);

	prepare(&c, &ch, EBPFS_OP_REMOVE, &dir, "new");
	EXPECT_EQ(client_call(&c, &ch.call, buf, sizeof(buf)), 0);
	write_file(at("data/once/new"), 0600, "another");
	EXPECT_EQ(again(&c, &ch), 0);
	EXPECT(exists(at("data/once/new")));

	prepare_rename(&c, &ch, &dir, "new", &dir, "old", 0);
	EXPECT_EQ(client_call(&c, &ch.call, buf, sizeof(buf)), 0);
	write_file(at("data/once/new"), 0600, "a third");
	EXPECT_EQ(again(&c, &ch), 0);
	EXPECT(exists(at("data/once/new")));

	/* An error is a reply, too. */
	prepare(&c, &ch, EBPFS_OP_REMOVE, &dir, "gone");
	EXPECT_EQ(client_call(&c, &ch.call, buf, sizeof(buf)), -ENOENT);
	write_file(at("data/once/gone"), 0600, "here");
	EXPECT_EQ(again(&c, &ch), -ENOENT);
	EXPECT(exists(at("data/once/gone")));
	EXPECT_EQ(do_lookup(&c, &dir, "old", &fh, NULL), 0);
}

/* Replies that take much memory come and go; one that is needed stays. */
static void a_reply_that_is_needed_is_kept(void)
{
	struct fh dir = fresh_dir("kept"), big;
	struct ebpfs_call_info read = { .op = EBPFS_OP_READ, .count = 65536 };
	long long forgotten = daemon_stat(&daemon_, "replies_forgotten");
	struct change ch;
	unsigned int i;
	u32 instance;

	ASSERT_EQ(do_lookup(&c, &root, "big", &big, NULL), 0);
	read.fh = big.bytes;
	read.fh_len = big.len;
	prepare_create(&c, &ch, &dir, "new", S_IFREG | 0600, 0, EXCL);
	ch.call.id = 63;
	ASSERT(client_call(&c, &ch.call, buf, sizeof(buf)) > 0);
	instance = c.instance;
	for (i = 0; i < 200; i++) {
		read.id = i % 60;
		EXPECT_EQ(client_call(&c, &read, buf, sizeof(buf)), 65536);
	}
	EXPECT(daemon_stat(&daemon_, "replies_forgotten") > forgotten);
	EXPECT(again(&c, &ch) > 0);
	EXPECT_EQ(c.instance, instance);
}

static void nothing_is_changed_on_a_read_only_export(void)
{
	struct fh ro_root = root_of(&ro), fh;
	struct ebpfs_written w;
	struct ebpfs_attr attr;

	write_file(at("data/still"), 0666, "still");
	ASSERT_EQ(do_lookup(&ro, &ro_root, "still", &fh, NULL), 0);
	EXPECT_EQ(do_create(&ro, &ro_root, "x", S_IFREG | 0600, 0, EXCL, NULL, NULL), -EROFS);
	EXPECT_EQ(do_create(&ro, &ro_root, "x", S_IFDIR | 0600, 0, EXCL, NULL, NULL), -EROFS);
	EXPECT_EQ(do_remove(&ro, &ro_root, "still", EBPFS_REMOVE_FILE), -EROFS);
	EXPECT_EQ(do_rename(&ro, &ro_root, "still", &ro_root, "x", 0), -EROFS);
	EXPECT_EQ(do_link(&ro, &fh, &ro_root, "x", &attr), -EROFS);
	EXPECT_EQ(do_chmod(&ro, &fh, 0600), -EROFS);
	EXPECT_EQ(do_truncate(&ro, &fh, 0), -EROFS);
	EXPECT_EQ(do_write(&ro, &fh, 0, "x", 1, EBPFS_WRITE_UNSTABLE, false, NULL), -EROFS);
	EXPECT_EQ(do_commit(&ro, &fh, &w), 0);
	EXPECT_EQ(do_access(&ro, &fh, EBPFS_MAY_WRITE | EBPFS_MAY_READ), EBPFS_MAY_READ);
	EXPECT_EQ(do_read(&ro, &fh, 0, 10, buf), 5);
	EXPECT(!exists(at("data/x")));
}

/* The client says a path, or a way out. */
static void nothing_outside_is_reached(void)
{
	static const char *const bad[] = { "..", ".", "a/b", "../outside/x", "/etc" };
	struct fh dir = fresh_dir("escape"), out, fh;
	long long malformed = daemon_stat(&daemon_, "drop_malformed");
	struct ebpfs_attr attr;
	struct change ch;
	struct stat st;
	size_t i;

	mkdir(at("outside"), 0777);
	write_file(at("outside/file"), 0666, "outside");
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		prepare_create(&c, &ch, &dir, bad[i], S_IFREG | 0600, 0, 0);
		client_begin(&c, &ch.call);
		client_send(&c, &ch.call);
		prepare(&c, &ch, EBPFS_OP_REMOVE, &dir, bad[i]);
		client_begin(&c, &ch.call);
		client_send(&c, &ch.call);
		/* In the data it is found only by whom they are for. */
		prepare_rename(&c, &ch, &dir, "x", &dir, bad[i], 0);
		EXPECT_EQ(do_change(&c, &ch), -EINVAL);
	}
	EXPECT(silent(c.fd));
	EXPECT_EQ(daemon_stat(&daemon_, "drop_malformed"), malformed + 2 * ARRAY_SIZE(bad));

	symlink(at("outside"), at("data/escape/out"));
	symlink(at("outside/file"), at("data/escape/file"));
	symlink(at("outside/new"), at("data/escape/new"));
	ASSERT_EQ(do_lookup(&c, &dir, "out", &out, NULL), 0);
	EXPECT_EQ(do_create(&c, &out, "x", S_IFREG | 0600, 0, 0, NULL, NULL), -ENOTDIR);
	EXPECT_EQ(do_remove(&c, &out, "file", EBPFS_REMOVE_FILE), -ENOTDIR);
	EXPECT_EQ(do_create(&c, &dir, "new", S_IFREG | 0600, 0, 0, NULL, NULL), -EEXIST);
	EXPECT_EQ(do_create(&c, &dir, "file", S_IFREG | 0600, 0, 0, NULL, NULL), -EEXIST);
	EXPECT(!exists(at("outside/new")));
	ASSERT_EQ(do_lookup(&c, &dir, "file", &fh, NULL), 0);
	EXPECT_EQ(do_write(&c, &fh, 0, "x", 1, EBPFS_WRITE_UNSTABLE, false, NULL), -EINVAL);
	EXPECT_EQ(do_truncate(&c, &fh, 0), -EINVAL);
	EXPECT(do_chmod(&c, &fh, 0600) < 0);
	/* The name itself is ours. */
	EXPECT_EQ(do_link(&c, &fh, &dir, "file2", &attr), 0);
	EXPECT_EQ(do_create(&c, &dir, "y", S_IFREG | 0600, 0, 0, NULL, NULL), 0);
	EXPECT_EQ(do_rename(&c, &dir, "y", &dir, "file", 0), 0);
	EXPECT_EQ(do_remove(&c, &dir, "out", EBPFS_REMOVE_FILE), 0);
	EXPECT_EQ(stat(at("outside/file"), &st), 0);
	EXPECT_EQ(st.st_size, 7);
	EXPECT_EQ(st.st_mode, S_IFREG | 0666);
}

/* What is mounted inside is not written to, and a mount point is not removed. */
static void mounts_inside_are_left_alone(void)
{
	struct fh dir = fresh_dir("mounts"), fh;

	mkdir(at("data/mounts/m"), 0755);
	ASSERT_EQ(mount("none", at("data/mounts/m"), "tmpfs", 0, NULL), 0);
	ASSERT_EQ(do_lookup(&c, &dir, "m", &fh, NULL), 0);
	EXPECT_EQ(do_create(&c, &fh, "beneath", S_IFREG | 0600, 0, EXCL, NULL, NULL), 0);
	EXPECT(!exists(at("data/mounts/m/beneath")));
	EXPECT_EQ(do_remove(&c, &fh, "beneath", EBPFS_REMOVE_FILE), 0);
	EXPECT_EQ(do_remove(&c, &dir, "m", EBPFS_REMOVE_DIR), -EBUSY);
	EXPECT_EQ(do_create(&c, &fh, "beneath", S_IFREG | 0600, 0, EXCL, NULL, NULL), 0);
	EXPECT_EQ(umount(at("data/mounts/m")), 0);
	EXPECT(exists(at("data/mounts/m/beneath")));
}

static void the_kernel_refuses_what_is_immutable(void)
{
	int fd = open(at("data/immutable"), O_RDWR | O_CREAT, 0666), flags = 0, err;
	struct fh fh;

	err = ioctl(fd, FS_IOC_GETFLAGS, &flags);
	flags |= FS_IMMUTABLE_FL;
	if (err || ioctl(fd, FS_IOC_SETFLAGS, &flags)) {
		close(fd);
		SKIP("files under /var/tmp cannot be made immutable");
	}
	ASSERT_EQ(do_lookup(&c, &root, "immutable", &fh, NULL), 0);
	EXPECT_EQ(do_write(&c, &fh, 0, "x", 1, EBPFS_WRITE_UNSTABLE, false, NULL), -EPERM);
	EXPECT_EQ(do_truncate(&c, &fh, 0), -EPERM);
	EXPECT_EQ(do_chmod(&c, &fh, 0600), -EPERM);
	EXPECT_EQ(do_remove(&c, &root, "immutable", EBPFS_REMOVE_FILE), -EPERM);
	flags &= ~FS_IMMUTABLE_FL;
	EXPECT_EQ(ioctl(fd, FS_IOC_SETFLAGS, &flags), 0);
	close(fd);
}

static const struct ktap_test tests[] = {
	KTAP_TEST(files_are_made_as_asked),
	KTAP_TEST(names_that_exist),
	KTAP_TEST(names_are_removed),
	KTAP_TEST(names_are_changed),
	KTAP_TEST(files_get_more_names),
	KTAP_TEST(attributes_are_set),
	KTAP_TEST(repetitions_are_not_executed),
	KTAP_TEST(a_reply_that_is_needed_is_kept),
	KTAP_TEST(nothing_is_changed_on_a_read_only_export),
	KTAP_TEST(nothing_outside_is_reached),
	KTAP_TEST(mounts_inside_are_left_alone),
	KTAP_TEST(the_kernel_refuses_what_is_immutable),
};

int main(int argc, char **argv)
{
	const char *args[] = { "-c", NULL, NULL };
	int ret;

	set_up();
	umask(0);
	mkdir(at("data"), 0755);
	write_file(at("data/big"), 0644, "%s", "");
	if (truncate(at("data/big"), 65536))
		return KTAP_EXIT_FAIL;
	add_client(at("clients"), "alice", secret);
	write_file(at("conf"), 0644,
		   "listen = " ADDR "\nreply-cache = 1M\n"
		   "clients = %s/clients\nstate-dir = %s/state\n"
		   "[export /data]\npath = %s/data\nclients = *\naccess = rw\nsquash = none\n"
		   "[export /ro]\npath = %s/data\nclients = *\nsquash = none\n",
		   work, work, work, work);
	args[1] = at("conf");
	if (!daemon_start(&daemon_, args) || !join(&c, "/data") || !join(&ro, "/ro"))
		return KTAP_EXIT_FAIL;
	root = root_of(&c);
	ret = KTAP_MAIN(tests, argc, argv);
	if (!daemon_stop(&daemon_))
		ret = KTAP_EXIT_FAIL;
	return ret;
}
