// SPDX-License-Identifier: GPL-2.0
/*
 * Who may what at ebpfsd: users, groups, squashing; and what the kernel makes of
 * a user's doing (owners, umask, setgid directories, default ACLs, setuid bits).
 *
 * timeout: 120
 * native
 */
#include <sys/xattr.h>

#include "ebpfsd_change.h"

#define ADDR	"127.0.0.1:20490"
#define EXCL	EBPFS_CREATE_EXCL
#define R	EBPFS_MAY_READ
#define W	EBPFS_MAY_WRITE
#define X	EBPFS_MAY_EXEC

/* Numbers of credentials, and whose they are. */
enum { ROOT, ALICE, BOB, GROUPED, MANY, NAMED_ROOT, NAMED_GROUP, ROOTS_GROUP, USERS };

static u8 secret[EBPFS_SECRET_LEN];
static struct client c, squashed, all;
static struct fh root;
static u8 buf[65536] __attribute__((aligned(8)));

static bool join(struct client *client, const char *export)
{
	static const u32 groups[] = { 5000, 5001 }, roots[] = { 5000, 0 };
	static u32 many[EBPFS_GROUPS_MAX];
	u32 i;

	client_init(client, ADDR, "alice", secret, export);
	for (i = 0; i < ARRAY_SIZE(many); i++)
		many[i] = 6000 + i;
	return EXPECT_EQ(client_join(client), 0) &&
	       EXPECT_EQ(do_cred(client, ALICE, 1000, 1000, NULL, 0), 0) &&
	       EXPECT_EQ(do_cred(client, BOB, 1001, 1001, NULL, 0), 0) &&
	       EXPECT_EQ(do_cred(client, GROUPED, 1002, 1002, groups, 2), 0) &&
	       EXPECT_EQ(do_cred(client, MANY, 1003, 1003, many, ARRAY_SIZE(many)), 0) &&
	       EXPECT_EQ(do_cred(client, NAMED_ROOT, 0, 0, NULL, 0), 0) &&
	       EXPECT_EQ(do_cred(client, NAMED_GROUP, 1004, 0, NULL, 0), 0) &&
	       EXPECT_EQ(do_cred(client, ROOTS_GROUP, 1005, 1005, roots, 2), 0);
}

/* A file of the server's own making, as root of @client's export sees it. */
static struct fh file_of(const char *name, mode_t mode, uid_t uid, gid_t gid)
{
	struct fh fh = { .len = 0 };
	u32 cred = c.cred;

	write_file(at("data/%s", name), 0600, "content");
	EXPECT_EQ(chown(at("data/%s", name), uid, gid), 0);
	EXPECT_EQ(chmod(at("data/%s", name), mode), 0);
	c.cred = ROOT;
	EXPECT_EQ(do_lookup(&c, &root, name, &fh, NULL), 0);
	c.cred = cred;
	return fh;
}

static struct fh dir_of(const char *name, mode_t mode, uid_t uid, gid_t gid)
{
	struct fh fh = { .len = 0 };
	u32 cred = c.cred;

	EXPECT_EQ(mkdir(at("data/%s", name), 0700), 0);
	EXPECT_EQ(chown(at("data/%s", name), uid, gid), 0);
	EXPECT_EQ(chmod(at("data/%s", name), mode), 0);
	c.cred = ROOT;
	EXPECT_EQ(do_lookup(&c, &root, name, &fh, NULL), 0);
	c.cred = cred;
	return fh;
}

static int make(struct client *client, u32 cred, const struct fh *dir, const char *name, u32 mode,
		struct fh *fh, struct ebpfs_attr *attr)
{
	int err;

	client->cred = cred;
	err = do_create(client, dir, name, mode, 022, EXCL, fh, attr);
	client->cred = ROOT;
	return err;
}

static int write_as(u32 cred, const struct fh *fh)
{
	int err;

	c.cred = cred;
	err = do_write(&c, fh, 0, "w", 1, EBPFS_WRITE_UNSTABLE, false, NULL);
	c.cred = ROOT;
	return err;
}

static int read_as(u32 cred, const struct fh *fh)
{
	int n;

	c.cred = cred;
	n = do_read(&c, fh, 0, 100, buf);
	c.cred = ROOT;
	return n;
}

static int access_as(u32 cred, const struct fh *fh)
{
	int n;

	c.cred = cred;
	n = do_access(&c, fh, R | W | X);
	c.cred = ROOT;
	return n;
}

static void strangers_must_introduce_themselves(void)
{
	struct fh fh = file_of("known", 0644, 0, 0), dir = dir_of("open", 0777, 0, 0);
	struct client other;
	long long unknown = daemon_stat(&daemon_, "creds_unknown");

	EXPECT_EQ(read_as(77, &fh), -EBPFS_STATUS_CRED);
	EXPECT_EQ(make(&c, 77, &dir, "x", S_IFREG | 0600, NULL, NULL), -EBPFS_STATUS_CRED);
	EXPECT(access(at("data/open/x"), F_OK));
	EXPECT_EQ(do_cred(&c, 77, 1077, 1077, NULL, 0), 0);
	EXPECT_EQ(read_as(77, &fh), 7);
	EXPECT_EQ(make(&c, 77, &dir, "x", S_IFREG | 0600, NULL, NULL), 0);
	EXPECT_EQ(daemon_stat(&daemon_, "creds_unknown"), unknown + 2);
	/* Known to this session, not to another. */
	client_init(&other, ADDR, "alice", secret, "/data");
	ASSERT_EQ(client_join(&other), 0);
	other.cred = 77;
	EXPECT_EQ(do_read(&other, &fh, 0, 10, buf), -EBPFS_STATUS_CRED);
	client_close(&other);
	EXPECT_EQ(do_cred(&c, 78, ~0u, 0, NULL, 0), -EINVAL);
	EXPECT_EQ(do_cred(&c, 78, 0, ~0u, NULL, 0), -EINVAL);
	EXPECT_EQ(read_as(78, &fh), -EBPFS_STATUS_CRED);
}

/* Those that were not used for longest are the ones to be told again. */
static void users_are_forgotten_in_turn(void)
{
	struct fh fh = file_of("turn", 0644, 0, 0);
	unsigned int i;

	for (i = 0; i < 1100; i++) {
		ASSERT_EQ(do_cred(&c, 1000 + i, 2000 + i, 2000, NULL, 0), 0);
		if (i % 100 == 0)
			EXPECT_EQ(read_as(ALICE, &fh), 7);
	}
	EXPECT_EQ(read_as(ALICE, &fh), 7);
	EXPECT_EQ(read_as(1000, &fh), -EBPFS_STATUS_CRED);
	EXPECT_EQ(read_as(2099, &fh), 7);
	EXPECT(join(&c, "/data"));
}

static void permissions_hold(void)
{
	struct fh closed = dir_of("closed", 0700, 0, 0), open = dir_of("shared", 0777, 0, 0);
	struct fh fh, hers, secret_file = file_of("secret", 0600, 0, 0);
	struct ebpfs_setattr a = { .valid = cpu_to_le32(EBPFS_SET_UID) };
	struct ebpfs_attr attr;

	write_file(at("data/closed/f"), 0644, "f");
	EXPECT_EQ(make(&c, ALICE, &closed, "x", S_IFREG | 0600, NULL, NULL), -EACCES);
	EXPECT_EQ(make(&c, ALICE, &closed, "x", S_IFDIR | 0700, NULL, NULL), -EACCES);
	c.cred = ALICE;
	EXPECT_EQ(do_lookup(&c, &closed, "f", &fh, NULL), -EACCES);
	EXPECT_EQ(do_op(&c, EBPFS_OP_READDIR, &closed, 0, 4096, buf, 4096), -EACCES);
	EXPECT_EQ(do_remove(&c, &closed, "f", EBPFS_REMOVE_FILE), -EACCES);
	EXPECT_EQ(do_rename(&c, &closed, "f", &open, "f", 0), -EACCES);
	EXPECT_EQ(do_getattr(&c, &closed, &attr), 0);
	EXPECT_EQ(read_as(ALICE, &secret_file), -EACCES);
	EXPECT_EQ(write_as(ALICE, &secret_file), -EACCES);
	c.cred = ALICE;
	EXPECT_EQ(do_truncate(&c, &secret_file, 0), -EACCES);
	EXPECT_EQ(do_chmod(&c, &secret_file, 0666), -EPERM);

	EXPECT_EQ(make(&c, ALICE, &open, "hers", S_IFREG | 0666, &hers, &attr), 0);
	EXPECT_EQ(le32_to_cpu(attr.uid), 1000);
	EXPECT_EQ(le32_to_cpu(attr.gid), 1000);
	EXPECT_EQ(le32_to_cpu(attr.mode), S_IFREG | 0644);
	EXPECT_EQ(write_as(ALICE, &hers), 0);
	EXPECT_EQ(write_as(BOB, &hers), -EACCES);
	EXPECT_EQ(read_as(BOB, &hers), 1);
	c.cred = BOB;
	EXPECT_EQ(do_chmod(&c, &hers, 0666), -EPERM);
	c.cred = ALICE;
	EXPECT_EQ(do_chmod(&c, &hers, 0600), 0);
	EXPECT_EQ(do_setattr(&c, &hers, &a, &attr), -EPERM);	/* to root */
	EXPECT_EQ(do_mknod(&c, &open, "dev", S_IFCHR | 0600, 1, 3, NULL, NULL), -EPERM);
	EXPECT_EQ(read_as(BOB, &hers), -EACCES);
	EXPECT_EQ(read_as(ROOT, &hers), 1);
	EXPECT_EQ(write_as(ROOT, &hers), 0);

	/* Sticky. */
	EXPECT_EQ(chmod(at("data/shared"), 01777), 0);
	c.cred = BOB;
	EXPECT_EQ(do_remove(&c, &open, "hers", EBPFS_REMOVE_FILE), -EPERM);
	EXPECT_EQ(do_rename(&c, &open, "hers", &open, "his", 0), -EPERM);
	c.cred = ALICE;
	EXPECT_EQ(do_remove(&c, &open, "hers", EBPFS_REMOVE_FILE), 0);
	c.cred = ROOT;
}

static void groups_count(void)
{
	struct fh fh = file_of("grouped", 0640, 0, 5001), far = file_of("far", 0640, 0, 21999);
	struct fh dir = dir_of("group-dir", 0770, 0, 5000);

	EXPECT_EQ(read_as(ALICE, &fh), -EACCES);
	EXPECT_EQ(read_as(GROUPED, &fh), 7);
	EXPECT_EQ(write_as(GROUPED, &fh), -EACCES);
	EXPECT_EQ(read_as(GROUPED, &far), -EACCES);
	EXPECT_EQ(read_as(MANY, &far), 7);
	EXPECT_EQ(read_as(MANY, &fh), -EACCES);
	EXPECT_EQ(make(&c, ALICE, &dir, "x", S_IFREG | 0600, NULL, NULL), -EACCES);
	EXPECT_EQ(make(&c, GROUPED, &dir, "x", S_IFREG | 0600, NULL, NULL), 0);
	/* Whose groups the thread had before must not matter. */
	EXPECT_EQ(make(&c, ALICE, &dir, "y", S_IFREG | 0600, NULL, NULL), -EACCES);
	EXPECT_EQ(make(&c, MANY, &dir, "y", S_IFREG | 0600, NULL, NULL), -EACCES);
	EXPECT_EQ(access_as(GROUPED, &dir), R | W | X);
	EXPECT_EQ(access_as(ALICE, &dir), 0);
}

/* Many at once, of different users, by several threads. */
static void users_are_not_mixed_up(void)
{
	static struct change ch[60];
	struct fh dir = dir_of("mixed", 0777, 0, 0);
	struct stat st;
	unsigned int i, round, left;
	u64 end;

	for (round = 0; round < 20; round++) {
		for (i = 0; i < ARRAY_SIZE(ch); i++) {
			char name[32];

			snprintf(name, sizeof(name), "f-%u-%u", round, i);
			c.cred = i % 5;	/* ROOT to MANY */
			prepare_create(&c, &ch[i], &dir, name, S_IFREG | 0666,
				       i % 2 ? 077 : 0, EXCL);
			ch[i].call.id = i;
			client_begin(&c, &ch[i].call);
			client_send(&c, &ch[i].call);
		}
		end = clock_ms() + 5000;
		for (left = ARRAY_SIZE(ch); left && clock_ms() < end; left--)
			if (!hear(c.fd, buf, sizeof(buf), 1000))
				break;
		EXPECT_EQ(left, 0);
		for (i = 0; i < ARRAY_SIZE(ch); i++) {
			static const uid_t owners[] = { 0, 1000, 1001, 1002, 1003 };

			ASSERT_EQ(stat(at("data/mixed/f-%u-%u", round, i), &st), 0);
			EXPECT_EQ(st.st_uid, owners[i % 5]);
			EXPECT_EQ(st.st_gid, owners[i % 5]);
			EXPECT_EQ(st.st_mode, S_IFREG | (i % 2 ? 0600 : 0666));
		}
	}
	c.cred = ROOT;
}

static void directories_pass_their_group_on(void)
{
	struct fh dir = dir_of("setgid", 02777, 0, 5000);
	struct ebpfs_attr attr;

	EXPECT_EQ(make(&c, ALICE, &dir, "f", S_IFREG | 0644, NULL, &attr), 0);
	EXPECT_EQ(le32_to_cpu(attr.gid), 5000);
	EXPECT_EQ(make(&c, ALICE, &dir, "d", S_IFDIR | 0755, NULL, &attr), 0);
	EXPECT_EQ(le32_to_cpu(attr.gid), 5000);
	EXPECT_EQ(le32_to_cpu(attr.mode), S_IFDIR | S_ISGID | 0755);
	/* Not hers to give away the group's rights. */
	EXPECT_EQ(make(&c, ALICE, &dir, "s", S_IFREG | S_ISGID | 0755, NULL, &attr), 0);
	EXPECT_EQ(le32_to_cpu(attr.mode), S_IFREG | 0755);
}

/* A default ACL takes the umask's place. */
static void default_acls_are_inherited(void)
{
	static const struct {
		__le32 version;
		struct {
			__le16 tag, perm;
			__le32 id;
		} entries[5];
	} acl = { 2, {
		{ 0x01, 7, ~0u }, { 0x02, 6, 1001 }, { 0x04, 5, ~0u }, { 0x10, 7, ~0u },
		{ 0x20, 0, ~0u },
	} };
	struct fh dir = dir_of("acl", 0777, 0, 0), fh;
	struct ebpfs_attr attr;

	if (setxattr(at("data/acl"), "system.posix_acl_default", &acl, sizeof(acl), 0))
		SKIP("no POSIX ACLs under /var/tmp");
	c.cred = ALICE;
	EXPECT_EQ(do_create(&c, &dir, "f", S_IFREG | 0666, 077, EXCL, &fh, &attr), 0);
	EXPECT_EQ(le32_to_cpu(attr.mode), S_IFREG | 0660);
	EXPECT_EQ(write_as(ALICE, &fh), 0);
	EXPECT_EQ(write_as(BOB, &fh), 0);	/* by his entry */
	EXPECT_EQ(write_as(GROUPED, &fh), -EACCES);
	EXPECT_EQ(access_as(BOB, &fh), R | W);
}

static u32 mode_of(const char *name)
{
	struct stat st;

	stat(at("data/%s", name), &st);
	return st.st_mode & 07777;
}

static void writing_takes_setuid_away(void)
{
	struct fh fh = file_of("suid", 06777, 1000, 1000);

	EXPECT_EQ(write_as(BOB, &fh), 0);
	EXPECT_EQ(mode_of("suid"), 0777);
	fh = file_of("suid", 06777, 1000, 1000);
	EXPECT_EQ(write_as(ALICE, &fh), 0);
	EXPECT_EQ(mode_of("suid"), 0777);
	fh = file_of("suid", 06777, 1000, 1000);
	c.cred = BOB;
	EXPECT_EQ(do_truncate(&c, &fh, 1), 0);
	EXPECT_EQ(mode_of("suid"), 0777);
	fh = file_of("suid", 06777, 1000, 1000);
	EXPECT_EQ(write_as(ROOT, &fh), 0);
	EXPECT_EQ(mode_of("suid"), 06777);
}

/* A file that was made with no permissions is written by its maker. */
static void owners_may_use_their_files(void)
{
	struct fh dir = dir_of("own", 0777, 0, 0), fh, binary;

	EXPECT_EQ(make(&c, ALICE, &dir, "none", S_IFREG, &fh, NULL), 0);
	EXPECT_EQ(access_as(ALICE, &fh), 0);
	EXPECT_EQ(write_as(ALICE, &fh), 0);
	EXPECT_EQ(read_as(ALICE, &fh), 1);
	c.cred = ALICE;
	EXPECT_EQ(do_truncate(&c, &fh, 100), 0);
	EXPECT_EQ(read_as(BOB, &fh), -EACCES);
	EXPECT_EQ(write_as(BOB, &fh), -EACCES);
	/* To execute is to read, for a client. */
	binary = file_of("binary", 0711, 0, 0);
	EXPECT_EQ(access_as(BOB, &binary), X);
	EXPECT_EQ(read_as(BOB, &binary), 7);
	EXPECT_EQ(write_as(BOB, &binary), -EACCES);
}

static void access_is_what_the_kernel_says(void)
{
	struct fh fh = file_of("access", 0640, 1000, 5000);

	EXPECT_EQ(access_as(ROOT, &fh), R | W);
	EXPECT_EQ(access_as(ALICE, &fh), R | W);
	EXPECT_EQ(access_as(GROUPED, &fh), R);
	EXPECT_EQ(access_as(BOB, &fh), 0);
	fh = file_of("access", 0751, 1000, 5000);
	EXPECT_EQ(access_as(ROOT, &fh), R | W | X);
	EXPECT_EQ(access_as(ALICE, &fh), R | W | X);
	EXPECT_EQ(access_as(GROUPED, &fh), R | X);
	EXPECT_EQ(access_as(BOB, &fh), X);
	c.cred = ALICE;
	EXPECT_EQ(do_access(&c, &fh, X), X);
	EXPECT_EQ(do_access(&c, &fh, 0x100), -EINVAL);
	c.cred = ROOT;
}

static void names_alone_are_listed_without_search(void)
{
	struct fh dir = dir_of("names", 0744, 0, 0);
	struct ebpfs_entry_info e;
	unsigned int number = 0;
	int len, pos;

	write_file(at("data/names/f"), 0644, "f");
	c.cred = ALICE;
	len = do_op(&c, EBPFS_OP_READDIR, &dir, 0, 4096, buf, 4096);
	ASSERT(len > 0);
	for (pos = 0; pos < len; pos += e.len) {
		ASSERT_EQ(ebpfs_parse_entry(buf + pos, (u32)(len - pos), true, &e), 0);
		EXPECT_EQ(e.flags, 0);
		EXPECT_EQ(e.attr.size, 0);
		number++;
	}
	EXPECT_EQ(number, 3);
	c.cred = ROOT;
}

static void taken_back_permissions_are_gone(void)
{
	struct fh fh = file_of("taken", 0666, 0, 0), dir = dir_of("taken-dir", 0777, 0, 0), inner;
	u64 end;
	int n;

	EXPECT_EQ(read_as(ALICE, &fh), 7);
	EXPECT_EQ(write_as(ALICE, &fh), 0);
	EXPECT_EQ(do_chmod(&c, &fh, 0600), 0);
	EXPECT_EQ(read_as(ALICE, &fh), -EACCES);
	EXPECT_EQ(write_as(ALICE, &fh), -EACCES);
	write_file(at("data/taken-dir/f"), 0644, "f");
	c.cred = ALICE;
	EXPECT_EQ(do_lookup(&c, &dir, "f", &inner, NULL), 0);
	c.cred = ROOT;
	EXPECT_EQ(do_chmod(&c, &dir, 0700), 0);
	c.cred = ALICE;
	EXPECT_EQ(do_lookup(&c, &dir, "f", &inner, NULL), -EACCES);

	/* What the server does itself is seen a moment later. */
	fh = file_of("taken", 0644, 0, 0);
	EXPECT_EQ(read_as(ALICE, &fh), 7);
	chmod(at("data/taken"), 0600);
	end = clock_ms() + 3000;
	while ((n = read_as(ALICE, &fh)) == 7 && clock_ms() < end)
		nap(50);
	EXPECT_EQ(n, -EACCES);
}

static void root_is_squashed(void)
{
	struct fh r = root_of(&squashed), fh, dir;
	struct ebpfs_attr attr;
	u32 cred;

	write_file(at("data/roots"), 0600, "roots");
	chmod(at("data/roots"), 0600);
	mkdir(at("data/roots-dir"), 0711);
	write_file(at("data/roots-dir/f"), 0644, "f");
	write_file(at("data/group0"), 0640, "g");
	chmod(at("data/group0"), 0640);
	mkdir(at("data/any"), 0777);
	for (cred = ROOT; cred <= NAMED_ROOT; cred += NAMED_ROOT) {
		squashed.cred = cred;
		ASSERT_EQ(do_lookup(&squashed, &r, "roots", &fh, &attr), 0);
		EXPECT_EQ(le32_to_cpu(attr.uid), 0);
		EXPECT_EQ(do_read(&squashed, &fh, 0, 10, buf), -EACCES);
		EXPECT_EQ(do_chmod(&squashed, &fh, 0666), -EPERM);
		EXPECT_EQ(do_access(&squashed, &fh, R | W | X), 0);
		EXPECT_EQ(do_remove(&squashed, &r, "roots", EBPFS_REMOVE_FILE), -EACCES);
		ASSERT_EQ(do_lookup(&squashed, &r, "roots-dir", &dir, NULL), 0);
		EXPECT_EQ(do_op(&squashed, EBPFS_OP_READDIR, &dir, 0, 4096, buf, 4096), -EACCES);
		EXPECT_EQ(do_lookup(&squashed, &dir, "f", &fh, NULL), 0);
		EXPECT_EQ(do_read(&squashed, &fh, 0, 10, buf), 1);
		ASSERT_EQ(do_lookup(&squashed, &r, "group0", &fh, NULL), 0);
		EXPECT_EQ(do_read(&squashed, &fh, 0, 10, buf), -EACCES);
		ASSERT_EQ(do_lookup(&squashed, &r, "any", &dir, NULL), 0);
		EXPECT_EQ(make(&squashed, cred, &dir, cred ? "x" : "y", S_IFREG | 0600, NULL,
			       &attr), 0);
		EXPECT_EQ(le32_to_cpu(attr.uid), 65534);
		EXPECT_EQ(le32_to_cpu(attr.gid), 65534);
	}
	squashed.cred = NAMED_GROUP;
	EXPECT_EQ(do_read(&squashed, &fh, 0, 10, buf), -EACCES);
	squashed.cred = ROOTS_GROUP;
	EXPECT_EQ(do_read(&squashed, &fh, 0, 10, buf), -EACCES);
	squashed.cred = ALICE;
	EXPECT_EQ(make(&squashed, ALICE, &dir, "z", S_IFREG | 0600, NULL, &attr), 0);
	EXPECT_EQ(le32_to_cpu(attr.uid), 1000);
	/* And unsquashed, the same are root. */
	c.cred = ROOT;
	ASSERT_EQ(do_lookup(&c, &root, "roots", &fh, NULL), 0);
	EXPECT_EQ(read_as(NAMED_ROOT, &fh), 5);
	EXPECT_EQ(read_as(ROOT, &fh), 5);
	ASSERT_EQ(do_lookup(&c, &root, "group0", &fh, NULL), 0);
	EXPECT_EQ(read_as(NAMED_GROUP, &fh), 1);
	EXPECT_EQ(read_as(ROOTS_GROUP, &fh), 1);
}

static void all_are_squashed(void)
{
	struct fh r = root_of(&all), dir;
	struct ebpfs_attr attr;
	u32 cred;

	mkdir(at("data/anybody"), 0777);
	ASSERT_EQ(do_lookup(&all, &r, "anybody", &dir, NULL), 0);
	for (cred = ROOT; cred <= GROUPED; cred++) {
		char name[8] = { 'a' + (char)cred };

		EXPECT_EQ(make(&all, cred, &dir, name, S_IFREG | 0600, NULL, &attr), 0);
		EXPECT_EQ(le32_to_cpu(attr.uid), 1234);
		EXPECT_EQ(le32_to_cpu(attr.gid), 4321);
	}
}

static const struct ktap_test tests[] = {
	KTAP_TEST(strangers_must_introduce_themselves),
	KTAP_TEST(users_are_forgotten_in_turn),
	KTAP_TEST(permissions_hold),
	KTAP_TEST(groups_count),
	KTAP_TEST(users_are_not_mixed_up),
	KTAP_TEST(directories_pass_their_group_on),
	KTAP_TEST(default_acls_are_inherited),
	KTAP_TEST(writing_takes_setuid_away),
	KTAP_TEST(owners_may_use_their_files),
	KTAP_TEST(access_is_what_the_kernel_says),
	KTAP_TEST(names_alone_are_listed_without_search),
	KTAP_TEST(taken_back_permissions_are_gone),
	KTAP_TEST(root_is_squashed),
	KTAP_TEST(all_are_squashed),
};

int main(int argc, char **argv)
{
	const char *args[] = { "-c", NULL, NULL };
	int ret;

	set_up();
	umask(0);
	mkdir(at("data"), 0755);
	add_client(at("clients"), "alice", secret);
	write_file(at("conf"), 0644,
		   "listen = " ADDR "\nthreads = 2\n"
		   "clients = %s/clients\nstate-dir = %s/state\n"
		   "[export /data]\npath = %s/data\nclients = *\naccess = rw\nsquash = none\n"
		   "[export /squashed]\npath = %s/data\nclients = *\naccess = rw\n"
		   "[export /all]\npath = %s/data\nclients = *\naccess = rw\nsquash = all\n"
		   "anonuid = 1234\nanongid = 4321\n",
		   work, work, work, work, work);
	args[1] = at("conf");
	if (!daemon_start(&daemon_, args) || !join(&c, "/data") ||
	    !join(&squashed, "/squashed") || !join(&all, "/all"))
		return KTAP_EXIT_FAIL;
	root = root_of(&c);
	ret = KTAP_MAIN(tests, argc, argv);
	if (!daemon_stop(&daemon_))
		ret = KTAP_EXIT_FAIL;
	return ret;
}
