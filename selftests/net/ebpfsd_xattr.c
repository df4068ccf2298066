// SPDX-License-Identifier: GPL-2.0
/*
 * ebpfsd's extended attributes: of every type of file, of the link and not of what
 * it points to, what the kernel refuses, ACLs, sizes, and what root alone may have where
 * the export says so. Both ends are looked at: what a client sets is read on the server,
 * and the reverse.
 *
 * timeout: 120
 * native
 *
 * Each test runs on an export on disk, whose calls go through helper threads, and
 * on one in memory, where attributes are read at once.
 */
#include <dirent.h>
#include <sys/xattr.h>

#include "ebpfsd_change.h"

#define ADDR	"127.0.0.1:20490"
#define EXCL	EBPFS_CREATE_EXCL
#define ACCESS	"system.posix_acl_access"
#define DEFAULT	"system.posix_acl_default"
#define CAPS	"security.capability"

/* Users 0, 1000 and 1001; 0 by its number; 1002 with group 0. */
enum { ROOT, ALICE, BOB, ADMIN, STAFF };

static u8 secret[EBPFS_SECRET_LEN];
static struct client c, disk, memory, ro_disk, ro_memory;
static struct client priv_disk, priv_memory, priv_ro, mapped;
static const char *where;		/* the directory of c's export */
static struct fh root;
static u8 big[65536], buf[65536] __attribute__((aligned(8)));

static bool join(struct client *client, const char *export)
{
	client_init(client, ADDR, "alice", secret, export);
	client->cell = 4096;
	return EXPECT_EQ(client_join(client), 0) &&
	       EXPECT_EQ(do_cred(client, ALICE, 1000, 1000, NULL, 0), 0) &&
	       EXPECT_EQ(do_cred(client, BOB, 1001, 1001, NULL, 0), 0) &&
	       EXPECT_EQ(do_cred(client, ADMIN, 0, 100, (u32[]){ 4 }, 1), 0) &&
	       EXPECT_EQ(do_cred(client, STAFF, 1002, 0, (u32[]){ 0 }, 1), 0);
}

static int get(const struct fh *fh, const char *name, u32 count)
{
	struct ebpfs_call_info call = {
		.op = EBPFS_OP_GETXATTR, .fh = fh->bytes, .fh_len = fh->len, .count = count,
		.name = (const u8 *)name, .name_len = (u16)strlen(name), .cred = c.cred,
	};

	return client_call(&c, &call, buf, sizeof(buf));
}

static int list(const struct fh *fh, u32 count)
{
	return do_op(&c, EBPFS_OP_LISTXATTR, fh, 0, count, buf, sizeof(buf));
}

/* Is @name among the @len bytes of names in buf? */
static bool listed(const char *name, int len)
{
	int at;

	for (at = 0; at < len; at += (int)strlen((char *)buf + at) + 1)
		if (!strcmp((char *)buf + at, name))
			return true;
	return false;
}

/* What every reply of a change has to say, if it was made of @fh by root. */
static void check_written(const struct fh *fh, const struct ebpfs_attr *before,
			  const struct ebpfs_written *w)
{
	struct ebpfs_attr attr;

	EXPECT_EQ(le64_to_cpu(w->verifier), c.s.server_instance);
	EXPECT_EQ(w->before, before->change);
	EXPECT_EQ(w->offset, 0);
	EXPECT_EQ(w->count, 0);
	EXPECT_EQ(w->reserved, 0);
	EXPECT_EQ(do_getattr(&c, fh, &attr), 0);
	EXPECT_MEM(&w->attr, &attr, sizeof(attr));
}

static int change(struct ebpfs_call_info *call, const struct fh *fh)
{
	struct ebpfs_attr before;
	struct ebpfs_written w;
	int n;

	EXPECT_EQ(do_getattr(&c, fh, &before), 0);
	n = client_call(&c, call, &w, sizeof(w));
	if (n < 0)
		return n;
	EXPECT_EQ(n, sizeof(w));
	check_written(fh, &before, &w);
	return 0;
}

static int set(const struct fh *fh, const char *name, const void *value, u32 len, u64 flags)
{
	struct ebpfs_call_info call = {
		.op = EBPFS_OP_SETXATTR, .fh = fh->bytes, .fh_len = fh->len, .arg = flags,
		.name = (const u8 *)name, .name_len = (u16)strlen(name), .cred = c.cred,
		.data = value, .data_len = len, .apart = len > 4096, .op_id = next_op_id(),
	};

	return change(&call, fh);
}

static int unset(const struct fh *fh, const char *name)
{
	struct ebpfs_call_info call = {
		.op = EBPFS_OP_REMOVEXATTR, .fh = fh->bytes, .fh_len = fh->len, .cred = c.cred,
		.name = (const u8 *)name, .name_len = (u16)strlen(name), .op_id = next_op_id(),
	};

	return change(&call, fh);
}

/* A new file of the type and permissions @mode. */
static struct fh make(const char *name, u32 mode)
{
	struct fh fh = { .len = 0 };

	do_remove(&c, &root, name, EBPFS_REMOVE_FILE);
	do_remove(&c, &root, name, EBPFS_REMOVE_DIR);
	EXPECT_EQ(do_create(&c, &root, name, mode, 0, EXCL, &fh, NULL), 0);
	return fh;
}

/* As make(), but @user's. */
static struct fh make_of(int user, const char *name, u32 mode)
{
	struct fh fh = make(name, mode);

	EXPECT_EQ(lchown(at("%s/%s", where, name), user ? 999 + user : 0, 0), 0);
	EXPECT_EQ(chmod(at("%s/%s", where, name), mode & 07777), 0);
	return fh;
}

static char *path(const char *name)
{
	return at("%s/%s", where, name);
}

static void values_come_and_go(void)
{
	struct fh fh = make("f", S_IFREG | 0644);
	char value[16];

	EXPECT_EQ(get(&fh, "user.a", 100), -ENODATA);
	EXPECT_EQ(unset(&fh, "user.a"), -ENODATA);
	EXPECT_EQ(set(&fh, "user.a", "one", 3, 0), 0);
	EXPECT_EQ(getxattr(path("f"), "user.a", value, sizeof(value)), 3);
	EXPECT_MEM(value, "one", 3);
	EXPECT_EQ(get(&fh, "user.a", 100), 3);
	EXPECT_MEM(buf, "one", 3);
	/* Any bytes, none at all, and names of any bytes. */
	EXPECT_EQ(set(&fh, "user.a", "\0\xff", 2, 0), 0);
	EXPECT_EQ(get(&fh, "user.a", 100), 2);
	EXPECT_MEM(buf, "\0\xff", 2);
	EXPECT_EQ(set(&fh, "user.a", NULL, 0, 0), 0);
	EXPECT_EQ(get(&fh, "user.a", 100), 0);
	EXPECT_EQ(set(&fh, "user./../\xc3\xa4 b", "two", 3, 0), 0);
	EXPECT_EQ(getxattr(path("f"), "user./../\xc3\xa4 b", value, sizeof(value)), 3);
	/* Of the server's making. */
	EXPECT_EQ(setxattr(path("f"), "user.here", "three", 5, 0), 0);
	EXPECT_EQ(get(&fh, "user.here", 100), 5);
	EXPECT_MEM(buf, "three", 5);
	EXPECT_EQ(unset(&fh, "user.here"), 0);
	EXPECT_EQ(getxattr(path("f"), "user.here", value, sizeof(value)), -1);
	EXPECT_EQ(get(&fh, "user.here", 100), -ENODATA);
	EXPECT_EQ(set(&fh, "nonsense", "x", 1, 0), -EOPNOTSUPP);
	EXPECT_EQ(get(&fh, "nonsense", 1), -EOPNOTSUPP);
	EXPECT_EQ(unset(&fh, "nonsense"), -EOPNOTSUPP);
}

static void flags_are_heeded(void)
{
	struct fh fh = make("f", S_IFREG | 0644);

	EXPECT_EQ(set(&fh, "user.a", "one", 3, XATTR_REPLACE), -ENODATA);
	EXPECT_EQ(set(&fh, "user.a", "one", 3, XATTR_CREATE), 0);
	EXPECT_EQ(set(&fh, "user.a", "two", 3, XATTR_CREATE), -EEXIST);
	EXPECT_EQ(get(&fh, "user.a", 100), 3);
	EXPECT_MEM(buf, "one", 3);
	EXPECT_EQ(set(&fh, "user.a", "two", 3, XATTR_REPLACE), 0);
	EXPECT_EQ(set(&fh, "user.b", "x", 1, 4), -EINVAL);
	EXPECT_EQ(set(&fh, "user.b", "x", 1, 1ull << 32), -EINVAL);
	EXPECT_EQ(set(&fh, "user.b", "x", 1, 1ull << 63 | XATTR_CREATE), -EINVAL);
	EXPECT_EQ(get(&fh, "user.b", 100), -ENODATA);
}

/* There is room for as much as was asked for, or nothing comes. */
static void sizes_are_heeded(void)
{
	struct fh fh = make("f", S_IFREG | 0644);
	char name[EBPFS_NAME_MAX + 1] = "user.";
	int n, len;

	EXPECT_EQ(set(&fh, "user.a", big, 1000, 0), 0);
	EXPECT_EQ(get(&fh, "user.a", 1), -ERANGE);
	EXPECT_EQ(get(&fh, "user.a", 999), -ERANGE);
	EXPECT_EQ(get(&fh, "user.a", 1000), 1000);
	EXPECT_MEM(buf, big, 1000);
	EXPECT_EQ(get(&fh, "user.a", 65536), 1000);
	memset(name + 5, 'n', EBPFS_NAME_MAX - 5);
	EXPECT_EQ(set(&fh, name, "x", 1, 0), 0);
	EXPECT_EQ(get(&fh, name, 1), 1);
	len = list(&fh, 65536);
	EXPECT(len >= 256 + 7);
	EXPECT(listed(name, len));
	EXPECT(listed("user.a", len));
	EXPECT_EQ(list(&fh, (u32)len), len);
	EXPECT_EQ(list(&fh, (u32)len - 1), -ERANGE);
	EXPECT_EQ(list(&fh, 1), -ERANGE);
	EXPECT_EQ(unset(&fh, name), 0);
	EXPECT_EQ(list(&fh, (u32)len), len - 256);
	/* As much as the filesystem takes, which is as much as it takes here. */
	for (len = 2048; len <= 65536; len *= 2) {
		n = setxattr(path("f"), "user.big", big, (size_t)len, 0) ? -errno : 0;
		removexattr(path("f"), "user.big");
		EXPECT_EQ(set(&fh, "user.big", big, (u32)len, 0), n);
		if (n)
			continue;
		EXPECT_EQ(get(&fh, "user.big", 65536), len);
		EXPECT_MEM(buf, big, (size_t)len);
		EXPECT_EQ(unset(&fh, "user.big"), 0);
	}
}

/* The root of the export, too. */
static void every_type_has_its_own(void)
{
	static const struct {
		const char *name;
		u32 mode;
	} odd[] = {
		{ "fifo", S_IFIFO | 0666 }, { "socket", S_IFSOCK | 0666 },
		{ "device", S_IFCHR | 0666 },
	};
	struct fh fh, target;
	size_t i;
	int n;

	fh = make("dir", S_IFDIR | 0755);
	EXPECT_EQ(set(&fh, "user.a", "of a directory", 14, 0), 0);
	EXPECT_EQ(get(&fh, "user.a", 100), 14);
	EXPECT_EQ(set(&root, "user.root", "r", 1, 0), 0);
	EXPECT_EQ(get(&root, "user.root", 1), 1);
	EXPECT_EQ(unset(&root, "user.root"), 0);
	for (i = 0; i < ARRAY_SIZE(odd); i++) {
		fh = make(odd[i].name, odd[i].mode);
		/* Permissions of these speak of something else. */
		EXPECT_EQ(set(&fh, "user.a", "x", 1, 0), -EPERM);
		EXPECT_EQ(get(&fh, "user.a", 1), -ENODATA);
		EXPECT_EQ(unset(&fh, "user.a"), -EPERM);
		n = setxattr(path(odd[i].name), "security.ebpfs", odd[i].name, 4, 0) ? errno : 0;
		EXPECT_EQ(get(&fh, "security.ebpfs", 100), n ? -ENODATA : 4);
		if (!n)
			EXPECT_MEM(buf, odd[i].name, 4);
		EXPECT_EQ(listed("security.ebpfs", list(&fh, 65536)), !n);
	}
	target = make("target", S_IFREG | 0644);
	do_remove(&c, &root, "link", EBPFS_REMOVE_FILE);
	EXPECT_EQ(do_symlink(&c, &root, "link", "target", &fh, NULL), 0);
	EXPECT_EQ(set(&fh, "user.a", "x", 1, 0), -EPERM);
	EXPECT_EQ(get(&target, "user.a", 1), -ENODATA);
	EXPECT_EQ(set(&target, "user.a", "x", 1, 0), 0);
	EXPECT_EQ(get(&fh, "user.a", 1), -ENODATA);
	EXPECT(!listed("user.a", list(&fh, 65536)));
	EXPECT_EQ(unset(&fh, "user.a"), -EPERM);
	EXPECT_EQ(get(&target, "user.a", 1), 1);
	if (lsetxattr(path("link"), "security.ebpfs", "link", 4, 0))
		SKIP("files here have no security.*");
	EXPECT_EQ(setxattr(path("target"), "security.ebpfs", "target", 6, 0), 0);
	EXPECT_EQ(get(&fh, "security.ebpfs", 100), 4);
	EXPECT_EQ(get(&target, "security.ebpfs", 100), 6);
}

/* The kernel lets only those in with a capability that the daemon gave up. */
static void some_names_are_the_kernels(void)
{
	static const char *const names[] = { "trusted.a", "security.a", "security.capability" };
	static const u8 capability[20] = { 1, 0, 0, 2, 1 };
	struct fh fh = make("f", S_IFREG | 0755);
	bool trusted, security;
	size_t i;
	int n;

	for (i = 0; i < ARRAY_SIZE(names); i++) {
		EXPECT_EQ(set(&fh, names[i], capability, sizeof(capability), 0), -EPERM);
		EXPECT_EQ(get(&fh, names[i], 100), -ENODATA);
		EXPECT(unset(&fh, names[i]) < 0);
	}
	trusted = !setxattr(path("f"), "trusted.a", "x", 1, 0);
	security = !setxattr(path("f"), "security.a", "y", 1, 0);
	EXPECT_EQ(set(&fh, "user.a", "z", 1, 0), 0);
	EXPECT_EQ(get(&fh, "trusted.a", 100), -ENODATA);
	EXPECT_EQ(set(&fh, "trusted.a", "other", 5, 0), -EPERM);
	EXPECT_EQ(unset(&fh, "trusted.a"), -EPERM);
	EXPECT_EQ(get(&fh, "security.a", 100), security ? 1 : -ENODATA);
	EXPECT_EQ(unset(&fh, "security.a"), -EPERM);
	n = list(&fh, 65536);
	EXPECT(!listed("trusted.a", n));
	EXPECT(listed("user.a", n));
	EXPECT_EQ(listed("security.a", n), security);
	/* What is hidden takes no room. */
	EXPECT_EQ(list(&fh, (u32)n), n);
	if (!trusted || !security)
		SKIP("files here have no trusted.* or security.*");
}

static void users_may_what_the_kernel_says(void)
{
	struct fh fh = make_of(ALICE, "f", S_IFREG | 0600), dir;

	c.cred = ALICE;
	EXPECT_EQ(set(&fh, "user.a", "hers", 4, 0), 0);
	EXPECT_EQ(get(&fh, "user.a", 100), 4);
	c.cred = BOB;
	EXPECT_EQ(get(&fh, "user.a", 100), -EACCES);
	EXPECT_EQ(set(&fh, "user.a", "his", 3, 0), -EACCES);
	EXPECT_EQ(unset(&fh, "user.a"), -EACCES);
	/* Names are no secret, as with listxattr(2). */
	EXPECT(listed("user.a", list(&fh, 65536)));
	c.cred = ROOT;
	EXPECT_EQ(get(&fh, "user.a", 100), 4);
	EXPECT_EQ(do_chmod(&c, &fh, 0604), 0);
	c.cred = BOB;
	EXPECT_EQ(get(&fh, "user.a", 100), 4);
	EXPECT_EQ(set(&fh, "user.a", "his", 3, 0), -EACCES);
	c.cred = ROOT;
	/* In a sticky directory only the owner sets attributes of it. */
	dir = make_of(ALICE, "sticky", S_IFDIR | 01777);
	c.cred = BOB;
	EXPECT_EQ(set(&dir, "user.a", "x", 1, 0), -EPERM);
	c.cred = ALICE;
	EXPECT_EQ(set(&dir, "user.a", "x", 1, 0), 0);
	c.cred = ROOT;
}

struct acl {
	__le32 version;
	struct {
		__le16 tag, perm;
		__le32 id;
	} entries[5];
};

/* rwx for the owner and what is said for BOB, others nothing. */
static struct acl acl_for_bob(u16 perm)
{
	return (struct acl){ cpu_to_le32(2), {
		{ cpu_to_le16(0x01), cpu_to_le16(7), ~0u },
		{ cpu_to_le16(0x02), cpu_to_le16(perm), cpu_to_le32(1001) },
		{ cpu_to_le16(0x04), cpu_to_le16(0), ~0u },
		{ cpu_to_le16(0x10), cpu_to_le16(7), ~0u },
		{ cpu_to_le16(0x20), cpu_to_le16(0), ~0u },
	} };
}

static int read_as(u32 user, const struct fh *fh)
{
	int n;

	c.cred = user;
	n = do_read(&c, fh, 0, 10, buf);
	c.cred = ROOT;
	return n;
}

static int write_as(u32 user, const struct fh *fh)
{
	int n;

	c.cred = user;
	n = do_write(&c, fh, 0, "acl", 3, EBPFS_WRITE_UNSTABLE, false, NULL);
	c.cred = ROOT;
	return n;
}

static void acls_rule(void)
{
	struct fh fh = make_of(ALICE, "f", S_IFREG | 0700), dir;
	struct acl all = acl_for_bob(7), none = acl_for_bob(0), there;
	struct ebpfs_attr attr;

	if (setxattr(path("f"), ACCESS, &all, sizeof(all), 0))
		SKIP("files here have no POSIX ACLs");
	EXPECT_EQ(removexattr(path("f"), ACCESS), 0);
	EXPECT_EQ(write_as(ALICE, &fh), 0);
	c.cred = BOB;
	EXPECT_EQ(set(&fh, ACCESS, &all, sizeof(all), 0), -EPERM);
	c.cred = ALICE;
	EXPECT_EQ(set(&fh, ACCESS, &all, sizeof(all) - 3, 0), -EINVAL);
	EXPECT_EQ(set(&fh, ACCESS, &all, sizeof(all), 0), 0);
	EXPECT_EQ(getxattr(path("f"), ACCESS, &there, sizeof(there)), sizeof(all));
	EXPECT_MEM(&there, &all, sizeof(all));
	EXPECT_EQ(get(&fh, ACCESS, 100), sizeof(all));
	EXPECT_MEM(buf, &all, sizeof(all));
	EXPECT_EQ(get(&fh, ACCESS, sizeof(all) - 1), -ERANGE);
	EXPECT_EQ(do_getattr(&c, &fh, &attr), 0);
	EXPECT_EQ(le32_to_cpu(attr.mode), S_IFREG | 0770);
	/* What it grants and takes back holds at once, whatever was remembered. */
	EXPECT_EQ(read_as(BOB, &fh), 3);
	EXPECT_EQ(write_as(BOB, &fh), 0);
	EXPECT_EQ(set(&fh, ACCESS, &none, sizeof(none), 0), 0);
	EXPECT_EQ(read_as(BOB, &fh), -EACCES);
	EXPECT_EQ(write_as(BOB, &fh), -EACCES);
	EXPECT_EQ(set(&fh, ACCESS, &all, sizeof(all), 0), 0);
	EXPECT_EQ(read_as(BOB, &fh), 3);
	EXPECT_EQ(write_as(BOB, &fh), 0);
	EXPECT_EQ(unset(&fh, ACCESS), 0);
	EXPECT_EQ(read_as(BOB, &fh), -EACCES);
	EXPECT_EQ(write_as(BOB, &fh), -EACCES);

	dir = make_of(ALICE, "acl-dir", S_IFDIR | 0777);
	EXPECT_EQ(set(&fh, DEFAULT, &all, sizeof(all), 0), -EACCES);
	c.cred = ALICE;
	EXPECT_EQ(set(&dir, DEFAULT, &all, sizeof(all), 0), 0);
	EXPECT(listed(DEFAULT, list(&dir, 65536)));
	EXPECT_EQ(do_create(&c, &dir, "inner", S_IFREG | 0660, 077, EXCL, &fh, &attr), 0);
	EXPECT_EQ(le32_to_cpu(attr.mode), S_IFREG | 0660);
	c.cred = ROOT;
	EXPECT_EQ(write_as(BOB, &fh), 0);
	EXPECT_EQ(do_remove(&c, &dir, "inner", EBPFS_REMOVE_FILE), 0);
}

/* Send it again as if its reply had been lost. */
static int again(struct ebpfs_call_info *call, void *reply, u32 size)
{
	call->attempt++;
	client_send(&c, call);
	return client_hear(&c, call, reply, size, 2000);
}

static void repetitions_are_not_executed(void)
{
	struct fh fh = make("f", S_IFREG | 0644);
	struct ebpfs_call_info call = {
		.op = EBPFS_OP_SETXATTR, .fh = fh.bytes, .fh_len = fh.len, .op_id = next_op_id(),
		.name = (const u8 *)"user.a", .name_len = 6, .data = (const u8 *)"one",
		.data_len = 3, .arg = XATTR_CREATE,
	};
	long long sets = daemon_stat(&daemon_, "calls_setxattr"), removes;
	struct ebpfs_written w, v;

	EXPECT_EQ(client_call(&c, &call, &w, sizeof(w)), sizeof(w));
	EXPECT_EQ(setxattr(path("f"), "user.a", "another", 7, 0), 0);
	EXPECT_EQ(again(&call, &v, sizeof(v)), sizeof(v));
	EXPECT_MEM(&v, &w, sizeof(w));
	EXPECT_EQ(get(&fh, "user.a", 100), 7);
	EXPECT_EQ(daemon_stat(&daemon_, "calls_setxattr"), sets + 1);

	removes = daemon_stat(&daemon_, "calls_removexattr");
	call = (struct ebpfs_call_info){
		.op = EBPFS_OP_REMOVEXATTR, .fh = fh.bytes, .fh_len = fh.len,
		.op_id = next_op_id(), .name = (const u8 *)"user.a", .name_len = 6,
	};
	EXPECT_EQ(client_call(&c, &call, &w, sizeof(w)), sizeof(w));
	EXPECT_EQ(setxattr(path("f"), "user.a", "back", 4, 0), 0);
	EXPECT_EQ(again(&call, &v, sizeof(v)), sizeof(v));
	EXPECT_EQ(get(&fh, "user.a", 100), 4);
	EXPECT_EQ(daemon_stat(&daemon_, "calls_removexattr"), removes + 1);
}

static void read_only_exports_are_looked_at_only(void)
{
	struct fh fh = make("f", S_IFREG | 0644), r;
	struct client rw;

	EXPECT_EQ(set(&fh, "user.a", "one", 3, 0), 0);
	rw = c;
	c = *where == 'd' ? ro_disk : ro_memory;
	r = root_of(&c);
	EXPECT_EQ(do_lookup(&c, &r, "f", &fh, NULL), 0);
	EXPECT_EQ(get(&fh, "user.a", 100), 3);
	EXPECT(listed("user.a", list(&fh, 65536)));
	EXPECT_EQ(set(&fh, "user.a", "two", 3, 0), -EROFS);
	EXPECT_EQ(unset(&fh, "user.a"), -EROFS);
	*(*where == 'd' ? &ro_disk : &ro_memory) = c;
	c = rw;
	/* A handle of one export is none of another. */
	EXPECT_EQ(get(&fh, "user.a", 100), -ESTALE);
}

/* The same directory by another export. */
static void through(struct client *other, void (*test)(void))
{
	struct client plain = c;
	struct fh plain_root = root;

	c = *other;
	root = root_of(&c);
	test();
	c.cred = ROOT;
	*other = c;
	c = plain;
	root = plain_root;
}

static void through_privileged(void (*test)(void))
{
	through(*where == 'd' ? &priv_disk : &priv_memory, test);
}

/* VFS_CAP_REVISION_2 with the effective bit: CAP_NET_RAW. */
static const u8 net_raw[20] = { 1, 0, 0, 2, 0, 32 };

/* Does a file here take trusted.* and capabilities? */
static bool takes_privileged(void)
{
	return !setxattr(path("probe"), "trusted.probe", "", 0, 0) &&
	       !setxattr(path("probe"), CAPS, net_raw, sizeof(net_raw), 0);
}

/* No thread of the daemon has a capability over more than files in effect. */
static void no_thread_has_more(void)
{
	const unsigned long long more = 1ull << 21 | 1ull << 31;	/* SYS_ADMIN, SETFCAP */
	unsigned int threads = 0;
	char name[300], line[256];
	struct dirent *entry;
	DIR *dir;

	snprintf(name, sizeof(name), "/proc/%d/task", daemon_.pid);
	dir = opendir(name);
	ASSERT(dir);
	while ((entry = readdir(dir))) {
		unsigned long long caps;
		FILE *f;

		if (entry->d_name[0] == '.')
			continue;
		snprintf(name, sizeof(name), "/proc/%d/task/%s/status", daemon_.pid, entry->d_name);
		f = fopen(name, "r");
		while (f && fgets(line, sizeof(line), f)) {
			if (sscanf(line, "CapEff: %llx", &caps) != 1)
				continue;
			EXPECT_EQ(caps & more, 0);
			threads++;
		}
		if (f)
			fclose(f);
	}
	closedir(dir);
	EXPECT(threads > 4);
}

static void have_them(u32 user)
{
	struct fh fh = make_of(ALICE, "f", S_IFREG | 0755);
	u8 value[32];
	int n;

	c.cred = user;
	EXPECT_EQ(get(&fh, "trusted.a", 100), -ENODATA);
	EXPECT_EQ(unset(&fh, "trusted.a"), -ENODATA);
	EXPECT_EQ(set(&fh, "trusted.a", "one", 3, XATTR_CREATE), 0);
	EXPECT_EQ(set(&fh, "trusted.a", "one", 3, XATTR_CREATE), -EEXIST);
	EXPECT_EQ(getxattr(path("f"), "trusted.a", value, sizeof(value)), 3);
	EXPECT_MEM(value, "one", 3);
	EXPECT_EQ(get(&fh, "trusted.a", 100), 3);
	EXPECT_MEM(buf, "one", 3);
	EXPECT_EQ(setxattr(path("f"), "trusted.here", "two!", 4, 0), 0);
	EXPECT_EQ(get(&fh, "trusted.here", 100), 4);
	n = list(&fh, 65536);
	EXPECT(listed("trusted.a", n));
	EXPECT(listed("trusted.here", n));
	EXPECT_EQ(list(&fh, (u32)n), n);
	EXPECT_EQ(list(&fh, (u32)n - 1), -ERANGE);
	EXPECT_EQ(set(&fh, CAPS, net_raw, 3, 0), -EINVAL);
	EXPECT_EQ(set(&fh, CAPS, net_raw, sizeof(net_raw), 0), 0);
	EXPECT_EQ(getxattr(path("f"), CAPS, value, sizeof(value)), sizeof(net_raw));
	EXPECT_MEM(value, net_raw, sizeof(net_raw));
	EXPECT_EQ(get(&fh, CAPS, 100), sizeof(net_raw));
	EXPECT_MEM(buf, net_raw, sizeof(net_raw));
	EXPECT(listed(CAPS, list(&fh, 65536)));
	EXPECT_EQ(unset(&fh, CAPS), 0);
	EXPECT_EQ(get(&fh, CAPS, 100), -ENODATA);
	EXPECT_EQ(unset(&fh, "trusted.a"), 0);
	EXPECT_EQ(get(&fh, "trusted.a", 100), -ENODATA);
	/* What needs as much is not among them. */
	EXPECT_EQ(set(&fh, "security.a", "x", 1, 0), -EPERM);
	EXPECT_EQ(set(&fh, "trustedest", "x", 1, 0), -EOPNOTSUPP);
	c.cred = ROOT;
	no_thread_has_more();
}

static void root_has_them(void)
{
	have_them(ROOT);
	have_them(ADMIN);
}

/* Of files that nobody opens, and of links, too. */
static void of_every_type(void)
{
	static const u32 types[] = { S_IFDIR, S_IFIFO, S_IFSOCK, S_IFCHR };
	struct fh fh, target = make("target", S_IFREG | 0644);
	size_t i;

	for (i = 0; i < ARRAY_SIZE(types); i++) {
		fh = make("odd", types[i] | 0600);
		EXPECT_EQ(set(&fh, "trusted.a", "odd", 3, 0), 0);
		EXPECT_EQ(get(&fh, "trusted.a", 3), 3);
	}
	do_remove(&c, &root, "link", EBPFS_REMOVE_FILE);
	EXPECT_EQ(do_symlink(&c, &root, "link", "target", &fh, NULL), 0);
	EXPECT_EQ(set(&fh, "trusted.a", "link", 4, 0), 0);
	EXPECT_EQ(get(&fh, "trusted.a", 100), 4);
	EXPECT_EQ(get(&target, "trusted.a", 100), -ENODATA);
}

static void root_has_privileged_attributes(void)
{
	if (!takes_privileged())
		SKIP("files here have no trusted.* or no capabilities");
	through_privileged(root_has_them);
	through_privileged(of_every_type);
}

/* @user owns the file and has its group, and gets nothing for it. */
static void has_none(u32 user, const struct fh *fh)
{
	int n;

	c.cred = user;
	EXPECT_EQ(set(fh, "trusted.b", "x", 1, 0), -EPERM);
	EXPECT_EQ(set(fh, "trusted.a", "x", 1, XATTR_REPLACE), -EPERM);
	EXPECT_EQ(unset(fh, "trusted.a"), -EPERM);
	EXPECT_EQ(get(fh, "trusted.a", 100), -ENODATA);
	n = list(fh, 65536);
	EXPECT(!listed("trusted.a", n));
	EXPECT(listed(CAPS, n));
	EXPECT_EQ(list(fh, (u32)n), n);
	EXPECT_EQ(set(fh, CAPS, net_raw, sizeof(net_raw), 0), -EPERM);
	EXPECT_EQ(unset(fh, CAPS), -EPERM);
	/* As the kernel has it, which asks for them when a program starts. */
	EXPECT_EQ(get(fh, CAPS, 100), sizeof(net_raw));
	c.cred = ROOT;
}

static void others_have_none_there(void)
{
	static const u32 users[] = { ALICE, BOB, STAFF };
	static const uid_t uids[] = { 1000, 1001, 1002 };
	struct fh fh = make("f", S_IFREG | 0777);
	size_t i, j;

	for (i = 0; i < ARRAY_SIZE(users); i++) {
		EXPECT_EQ(chown(path("f"), uids[i], uids[i]), 0);
		EXPECT_EQ(set(&fh, "trusted.a", "root's", 6, 0), 0);
		EXPECT_EQ(set(&fh, CAPS, net_raw, sizeof(net_raw), 0), 0);
		has_none(users[i], &fh);
		/* By threads that have just acted as root. */
		for (j = 0; j < 40; j++) {
			EXPECT_EQ(set(&fh, "trusted.a", "root's", 6, 0), 0);
			EXPECT_EQ(get(&fh, "trusted.a", 6), 6);
			EXPECT(listed("trusted.a", list(&fh, 65536)));
			c.cred = users[i];
			EXPECT_EQ(set(&fh, "trusted.a", "hers", 4, 0), -EPERM);
			EXPECT_EQ(get(&fh, "trusted.a", 6), -ENODATA);
			EXPECT_EQ(set(&fh, CAPS, net_raw, sizeof(net_raw), 0), -EPERM);
			c.cred = ROOT;
		}
	}
	no_thread_has_more();
}

static void others_have_no_privileged_attributes(void)
{
	if (!takes_privileged())
		SKIP("files here have no trusted.* or no capabilities");
	through_privileged(others_have_none_there);
}

/* Whoever changes a file clears its capabilities. */
static void changes_clear_them(void)
{
	struct ebpfs_setattr to_bob = {
		.valid = cpu_to_le32(EBPFS_SET_UID), .uid = cpu_to_le32(1001),
	};
	struct fh fh = make_of(ALICE, "f", S_IFREG | 0666);
	struct ebpfs_attr attr;
	u32 user;

	EXPECT_EQ(set(&fh, "trusted.a", "stays", 5, 0), 0);
	for (user = ROOT; user <= BOB; user++) {
		EXPECT_EQ(set(&fh, CAPS, net_raw, sizeof(net_raw), 0), 0);
		EXPECT_EQ(get(&fh, CAPS, 100), sizeof(net_raw));
		EXPECT_EQ(write_as(user, &fh), 0);
		EXPECT_EQ(get(&fh, CAPS, 100), -ENODATA);
		EXPECT_EQ(set(&fh, CAPS, net_raw, sizeof(net_raw), 0), 0);
		c.cred = user;
		EXPECT_EQ(do_truncate(&c, &fh, 1), 0);
		c.cred = ROOT;
		EXPECT_EQ(get(&fh, CAPS, 100), -ENODATA);
	}
	EXPECT_EQ(set(&fh, CAPS, net_raw, sizeof(net_raw), 0), 0);
	EXPECT_EQ(do_chmod(&c, &fh, 0755), 0);
	EXPECT_EQ(get(&fh, CAPS, 100), sizeof(net_raw));
	EXPECT_EQ(do_setattr(&c, &fh, &to_bob, &attr), 0);
	EXPECT_EQ(get(&fh, CAPS, 100), -ENODATA);
	EXPECT_EQ(get(&fh, "trusted.a", 100), 5);
}

static void changes_clear_capabilities(void)
{
	if (!takes_privileged())
		SKIP("files here have no trusted.* or no capabilities");
	through_privileged(changes_clear_them);
}

static void read_only_privileged(void)
{
	struct fh fh;
	int n;

	EXPECT_EQ(do_lookup(&c, &root, "f", &fh, NULL), 0);
	EXPECT_EQ(get(&fh, "trusted.a", 100), 3);
	n = list(&fh, 65536);
	EXPECT(listed("trusted.a", n));
	EXPECT_EQ(set(&fh, "trusted.a", "two", 3, 0), -EROFS);
	EXPECT_EQ(unset(&fh, "trusted.a"), -EROFS);
	EXPECT_EQ(set(&fh, CAPS, net_raw, sizeof(net_raw), 0), -EROFS);
	c.cred = ALICE;
	EXPECT_EQ(get(&fh, "trusted.a", 100), -ENODATA);
	EXPECT(!listed("trusted.a", list(&fh, 65536)));
}

/* Who is root is said by the server's numbers: user 77 of the clients, and not 0. */
static void mapped_privileged(void)
{
	struct fh fh;

	EXPECT_EQ(do_cred(&c, 77, 77, 77, NULL, 0), 0);
	EXPECT_EQ(do_lookup(&c, &root, "f", &fh, NULL), 0);
	EXPECT_EQ(get(&fh, "trusted.a", 100), -ENODATA);
	EXPECT_EQ(set(&fh, "trusted.a", "two", 3, 0), -EPERM);
	EXPECT(!listed("trusted.a", list(&fh, 65536)));
	c.cred = ADMIN;
	EXPECT_EQ(set(&fh, "trusted.a", "two", 3, 0), -EPERM);
	c.cred = 77;
	EXPECT_EQ(get(&fh, "trusted.a", 100), 3);
	EXPECT_EQ(set(&fh, "trusted.a", "four", 4, 0), 0);
	EXPECT_EQ(get(&fh, "trusted.a", 100), 4);
}

static void privileged_attributes_of_other_exports(void)
{
	c = disk;
	where = "disk";
	root = root_of(&c);
	write_file(path("probe"), 0600, "%s", "");
	if (!takes_privileged())
		SKIP("files here have no trusted.* or no capabilities");
	make("f", S_IFREG | 0666);
	EXPECT_EQ(setxattr(path("f"), "trusted.a", "one", 3, 0), 0);
	through(&priv_ro, read_only_privileged);
	through(&mapped, mapped_privileged);
	disk = c;
}

#define ON(export, name)						\
	static void name##_on_##export(void)				\
	{								\
		c = export;						\
		where = #export;					\
		root = root_of(&c);					\
		write_file(path("probe"), 0600, "%s", "");		\
		if (setxattr(path("probe"), "user.probe", "", 0, 0))	\
			SKIP("files here have no user.*");		\
		name();							\
		c.cred = ROOT;						\
		export = c;						\
	}
#define BOTH(name) ON(disk, name) ON(memory, name)
#define TESTS(name) KTAP_TEST(name##_on_disk), KTAP_TEST(name##_on_memory)

BOTH(values_come_and_go)
BOTH(flags_are_heeded)
BOTH(sizes_are_heeded)
BOTH(every_type_has_its_own)
BOTH(some_names_are_the_kernels)
BOTH(users_may_what_the_kernel_says)
BOTH(acls_rule)
BOTH(repetitions_are_not_executed)
BOTH(read_only_exports_are_looked_at_only)
BOTH(root_has_privileged_attributes)
BOTH(others_have_no_privileged_attributes)
BOTH(changes_clear_capabilities)

static const struct ktap_test tests[] = {
	TESTS(values_come_and_go),
	TESTS(flags_are_heeded),
	TESTS(sizes_are_heeded),
	TESTS(every_type_has_its_own),
	TESTS(some_names_are_the_kernels),
	TESTS(users_may_what_the_kernel_says),
	TESTS(acls_rule),
	TESTS(repetitions_are_not_executed),
	TESTS(read_only_exports_are_looked_at_only),
	TESTS(root_has_privileged_attributes),
	TESTS(others_have_no_privileged_attributes),
	TESTS(changes_clear_capabilities),
	KTAP_TEST(privileged_attributes_of_other_exports),
};

int main(int argc, char **argv)
{
	const char *args[] = { "-c", NULL, NULL };
	char keys[PATH_MAX + 64];
	size_t i;

	set_up();
	for (i = 0; i < sizeof(big); i++)
		big[i] = (u8)(i * 2654435761u >> 13);
	args[1] = set_up_exports("8m", "listen = " ADDR "\n", secret);
	if (!args[1])
		return KTAP_EXIT_FAIL;
	add_export(args[1], "/priv-disk", "disk", "access = rw\nprivileged-xattrs = yes\n");
	add_export(args[1], "/priv-memory", "memory", "access = rw\nprivileged-xattrs = yes\n");
	add_export(args[1], "/priv-ro", "disk", "privileged-xattrs = yes\n");
	write_file(at("idmap"), 0644, "u 77 0\nu 0 77\ng 0 0 65000\n");
	snprintf(keys, sizeof(keys), "access = rw\nprivileged-xattrs = yes\nidmap = %s\n",
		 at("idmap"));
	add_export(args[1], "/mapped", "disk", keys);
	if (!daemon_start(&daemon_, args) || !join(&disk, "/disk") || !join(&memory, "/memory") ||
	    !join(&ro_disk, "/ro-disk") || !join(&ro_memory, "/ro-memory") ||
	    !join(&priv_disk, "/priv-disk") || !join(&priv_memory, "/priv-memory") ||
	    !join(&priv_ro, "/priv-ro") || !join(&mapped, "/mapped"))
		return KTAP_EXIT_FAIL;
	return tear_down_exports(KTAP_MAIN(tests, argc, argv));
}
