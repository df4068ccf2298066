// SPDX-License-Identifier: GPL-2.0
/*
 * Exports with an idmap: who has another number on the clients is who he should be
 * here, in calls, attributes, changes of owner and ACLs; and mistakes in the file.
 *
 * timeout: 60
 * native
 */
#include <linux/posix_acl.h>
#include <linux/posix_acl_xattr.h>
#include <sys/xattr.h>

#include "ebpfsd_change.h"

#define ADDR	"127.0.0.1:20490"
#define ACCESS	"system.posix_acl_access"

static u8 secret[EBPFS_SECRET_LEN];
static struct client c, plain, noroot, squashed;

static bool join(struct client *who, const char *export)
{
	u32 group = 100, other = 999, number = 0;

	client_init(who, ADDR, "alice", secret, export);
	return EXPECT_EQ(client_join(who), 0) &&
	       EXPECT_EQ(do_cred(who, ++number, 1000, 100, NULL, 0), 0) &&
	       EXPECT_EQ(do_cred(who, ++number, 1001, 999, &group, 1), 0) &&
	       EXPECT_EQ(do_cred(who, ++number, 1001, 100, &other, 1), 0) &&
	       EXPECT_EQ(do_cred(who, ++number, 5009, 100, NULL, 0), 0) &&
	       EXPECT_EQ(do_cred(who, ++number, 5010, 100, NULL, 0), 0) &&
	       EXPECT_EQ(do_cred(who, ++number, 0, 0, NULL, 0), 0);
}

/* Makes "x" as user @cred; checks whose it is for the client and here. */
static void makes(struct client *who, u32 cred, u32 uid, u32 gid, uid_t here, gid_t group)
{
	struct fh root = root_of(who), fh;
	struct ebpfs_attr attr;
	struct stat st;

	who->cred = cred;
	ASSERT_EQ(do_create(who, &root, "x", S_IFREG | 0644, 0, EBPFS_CREATE_EXCL, &fh, &attr), 0);
	EXPECT_EQ(le32_to_cpu(attr.uid), uid);
	EXPECT_EQ(le32_to_cpu(attr.gid), gid);
	EXPECT_EQ(stat(at("data/x"), &st), 0);
	EXPECT_EQ(st.st_uid, here);
	EXPECT_EQ(st.st_gid, group);
	EXPECT_EQ(do_getattr(who, &fh, &attr), 0);
	EXPECT_EQ(le32_to_cpu(attr.uid), uid);
	EXPECT_EQ(le32_to_cpu(attr.gid), gid);
	unlink(at("data/x"));
}

static void users_are_who_they_should_be(void)
{
	makes(&c, 1, 1000, 100, 2000, 300);
	makes(&c, 2, 1001, 65534, 2500, 4321);	/* its group is not listed */
	makes(&c, 4, 5009, 100, 6009, 300);
	makes(&c, 5, 65534, 65534, 1234, 4321);	/* one too far: the anonymous user */
	makes(&c, 6, 0, 0, 0, 0);
	makes(&c, 0, 0, 0, 0, 0);
	makes(&plain, 1, 1000, 100, 1000, 100);
	makes(&plain, 0, 0, 0, 0, 0);
}

static void root_may_be_nobody_in_particular(void)
{
	/* Not listed; and mapped to a user. */
	makes(&noroot, 0, 65534, 65534, 1234, 4321);
	makes(&noroot, 6, 65534, 65534, 1234, 4321);
	makes(&noroot, 1, 1000, 100, 2000, 300);
	/* Squashing is of the server's numbers. */
	makes(&squashed, 0, 0, 0, 777, 778);
	makes(&squashed, 6, 0, 0, 777, 778);
	makes(&squashed, 1, 65534, 65534, 1234, 4321);
}

static struct fh file_of(struct client *who, const char *name, mode_t mode, uid_t uid, gid_t gid)
{
	struct fh root = root_of(who), fh = { .len = 0 };

	write_file(at("data/%s", name), 0600, "content");
	EXPECT_EQ(chown(at("data/%s", name), uid, gid), 0);
	chmod(at("data/%s", name), mode);
	who->cred = 0;
	EXPECT_EQ(do_lookup(who, &root, name, &fh, NULL), 0);
	return fh;
}

static int reads(struct client *who, u32 cred, const struct fh *fh)
{
	char buf[16];

	who->cred = cred;
	return do_read(who, fh, 0, 16, buf);
}

static void groups_are_mapped_too(void)
{
	struct fh mapped = file_of(&c, "mapped", 0640, 0, 300);
	struct fh same = file_of(&c, "same", 0640, 0, 999);
	struct fh number = file_of(&c, "number", 0640, 0, 100);

	EXPECT_EQ(reads(&c, 1, &mapped), 7);
	EXPECT_EQ(reads(&c, 2, &mapped), 7);	/* a supplementary group */
	EXPECT_EQ(reads(&c, 3, &same), -EACCES);	/* not listed: left out */
	EXPECT_EQ(reads(&c, 1, &number), -EACCES);	/* another's number here */
	EXPECT_EQ(reads(&c, 5, &mapped), -EACCES);	/* nobody has no groups */
}

static void owners_are_seen_and_set(void)
{
	struct fh fh = file_of(&c, "owned", 0644, 6003, 300), root = root_of(&c);
	struct ebpfs_setattr a = {
		.valid = cpu_to_le32(EBPFS_SET_UID | EBPFS_SET_GID),
		.uid = cpu_to_le32(1001), .gid = cpu_to_le32(0),
	};
	struct ebpfs_attr attr;
	struct stat st;

	EXPECT_EQ(do_lookup(&c, &root, "owned", NULL, &attr), 0);
	EXPECT_EQ(le32_to_cpu(attr.uid), 5003);
	EXPECT_EQ(le32_to_cpu(attr.gid), 100);
	EXPECT_EQ(do_setattr(&c, &fh, &a, &attr), 0);
	EXPECT_EQ(le32_to_cpu(attr.uid), 1001);
	EXPECT_EQ(le32_to_cpu(attr.gid), 0);
	EXPECT(!stat(at("data/owned"), &st) && st.st_uid == 2500 && st.st_gid == 0);
	a.uid = cpu_to_le32(2500);		/* not a number of the clients' */
	EXPECT_EQ(do_setattr(&c, &fh, &a, &attr), -EINVAL);
	a.uid = cpu_to_le32(1000);
	a.gid = cpu_to_le32(4444);
	EXPECT_EQ(do_setattr(&c, &fh, &a, &attr), -EINVAL);
	EXPECT(!stat(at("data/owned"), &st) && st.st_uid == 2500 && st.st_gid == 0);
	EXPECT_EQ(chown(at("data/owned"), 4242, 4243), 0);
	EXPECT_EQ(do_getattr(&c, &fh, &attr), 0);
	EXPECT_EQ(le32_to_cpu(attr.uid), 65534);
	EXPECT_EQ(le32_to_cpu(attr.gid), 65534);
}

struct acl {
	struct posix_acl_xattr_header head;
	struct posix_acl_xattr_entry e[6];
};

static struct acl acl_of(u32 user, u32 group)
{
	const u32 nobody = ~0u;
	struct acl acl = {
		{ cpu_to_le32(POSIX_ACL_XATTR_VERSION) },
		{
			{ cpu_to_le16(ACL_USER_OBJ), cpu_to_le16(7), cpu_to_le32(nobody) },
			{ cpu_to_le16(ACL_USER), cpu_to_le16(4), cpu_to_le32(user) },
			{ cpu_to_le16(ACL_GROUP_OBJ), cpu_to_le16(0), cpu_to_le32(nobody) },
			{ cpu_to_le16(ACL_GROUP), cpu_to_le16(4), cpu_to_le32(group) },
			{ cpu_to_le16(ACL_MASK), cpu_to_le16(7), cpu_to_le32(nobody) },
			{ cpu_to_le16(ACL_OTHER), cpu_to_le16(0), cpu_to_le32(nobody) },
		},
	};

	return acl;
}

static int do_set_acl(const struct fh *fh, const struct acl *acl)
{
	struct change ch;

	prepare(&c, &ch, EBPFS_OP_SETXATTR, fh, ACCESS);
	memcpy(ch.data, acl, sizeof(*acl));
	set_data(&ch, sizeof(*acl));
	return do_change(&c, &ch);
}

static int do_get_acl(const struct fh *fh, struct acl *acl)
{
	struct ebpfs_call_info call = {
		.op = EBPFS_OP_GETXATTR, .count = sizeof(*acl), .fh = fh->bytes,
		.fh_len = fh->len, .name = (const u8 *)ACCESS, .name_len = sizeof(ACCESS) - 1,
		.cred = c.cred,
	};

	return client_call(&c, &call, acl, sizeof(*acl));
}

static void acls_are_mapped(void)
{
	struct fh fh = file_of(&c, "acl", 0600, 0, 0);
	struct acl acl = acl_of(1001, 100), got;

	EXPECT_EQ(do_set_acl(&fh, &acl), 0);
	EXPECT_EQ(getxattr(at("data/acl"), ACCESS, &got, sizeof(got)), (ssize_t)sizeof(got));
	EXPECT_EQ(le32_to_cpu(got.e[1].e_id), 2500);
	EXPECT_EQ(le32_to_cpu(got.e[3].e_id), 300);
	EXPECT_EQ(do_get_acl(&fh, &got), (int)sizeof(got));
	EXPECT_MEM(&got, &acl, sizeof(got));
	EXPECT_EQ(reads(&c, 3, &fh), 7);
	EXPECT_EQ(reads(&c, 5, &fh), -EACCES);
	c.cred = 0;
	acl = acl_of(2500, 100);
	EXPECT_EQ(do_set_acl(&fh, &acl), -EINVAL);
	acl = acl_of(1000, 300);
	EXPECT_EQ(do_set_acl(&fh, &acl), -EINVAL);
	acl = acl_of(4242, 300);
	EXPECT_EQ(setxattr(at("data/acl"), ACCESS, &acl, sizeof(acl), 0), 0);
	EXPECT_EQ(do_get_acl(&fh, &got), (int)sizeof(got));
	EXPECT_EQ(le32_to_cpu(got.e[1].e_id), 65534);
	EXPECT_EQ(le32_to_cpu(got.e[3].e_id), 100);
}

/* What ebpfsd says of an idmap with this text. */
static void mistakes_of(const char *text, mode_t mode, const char *want)
{
	const char *args[] = { "--check-config", "-c", at("conf-bad"), NULL };
	struct daemon d = { 0 };
	int status;

	write_file(at("idmap-bad"), mode, "%s", text);
	write_file(at("conf-bad"), 0644,
		   "clients = %s/clients\nstate-dir = %s/state\n"
		   "[export /data]\npath = %s/data\nclients = *\nidmap = %s/idmap-bad\n",
		   work, work, work, work);
	daemon_exec(&d, args);
	status = daemon_wait(&d, 10000);
	EXPECT_EQ(WIFEXITED(status) ? WEXITSTATUS(status) : -1, !!*want);
	if (!EXPECT(strstr(d.log, want)))
		printf("# \"%s\" is not in: %s\n", want, d.log);
}

static void mistakes_are_told(void)
{
	mistakes_of("# nothing\n\n  u 1 2\n\tg 1 2 5\n", 0644, "");
	mistakes_of("u 1 2\nx 3 4\n", 0644, "idmap-bad:2: ");
	mistakes_of("u 1\n", 0644, "idmap-bad:1: ");
	mistakes_of("u 1 2 3 4\n", 0644, "idmap-bad:1: ");
	mistakes_of("u 1 2x\n", 0644, "idmap-bad:1: ");
	mistakes_of("u -1 2\n", 0644, "idmap-bad:1: ");
	mistakes_of("u 1 4294967295\n", 0644, "idmap-bad:1: ");
	mistakes_of("u 1 4294967294 1\n", 0644, "");
	mistakes_of("u 1 4294967294 2\n", 0644, "idmap-bad:1: ");
	mistakes_of("u 1 2 0\n", 0644, "idmap-bad:1: ");
	mistakes_of("u 10 20 10\nu 19 40\n", 0644, "user 19 of the clients is listed twice");
	mistakes_of("g 10 20 10\ng 30 29\n", 0644, "group 29 of the server is listed twice");
	mistakes_of("g 10 20 10\ng 20 30\nu 10 20\n", 0644, "");
	mistakes_of("u 1 2\n", 0664, "chmod go-w");
}

static const struct ktap_test tests[] = {
	KTAP_TEST(users_are_who_they_should_be),
	KTAP_TEST(root_may_be_nobody_in_particular),
	KTAP_TEST(groups_are_mapped_too),
	KTAP_TEST(owners_are_seen_and_set),
	KTAP_TEST(acls_are_mapped),
	KTAP_TEST(mistakes_are_told),
};

int main(int argc, char **argv)
{
	const char *args[] = { "-c", NULL, NULL };
	int ret;

	set_up();
	umask(0);
	mkdir(at("data"), 0777);
	add_client(at("clients"), "alice", secret);
	write_file(at("idmap"), 0644,
		   "# of a test\nu 1000 2000\nu 1001 2500\nu 5000 6000 10\nu 0 0\n"
		   "g 100 300\ng 0 0\n");
	write_file(at("idmap-noroot"), 0644, "u 1000 2000\ng 100 300\n");
	write_file(at("idmap-root"), 0644, "u 0 777\ng 0 778\nu 1000 0\ng 100 0\n");
	write_file(at("conf"), 0644,
		   "listen = " ADDR "\nthreads = 1\nclients = %s/clients\nstate-dir = %s/state\n"
		   "[export /data]\npath = %s/data\nclients = *\naccess = rw\nsquash = none\n"
		   "idmap = %s/idmap\nanonuid = 1234\nanongid = 4321\n"
		   "[export /plain]\npath = %s/data\nclients = *\naccess = rw\nsquash = none\n"
		   "[export /noroot]\npath = %s/data\nclients = *\naccess = rw\nsquash = none\n"
		   "idmap = %s/idmap-noroot\nanonuid = 1234\nanongid = 4321\n"
		   "[export /squashed]\npath = %s/data\nclients = *\naccess = rw\nsquash = root\n"
		   "idmap = %s/idmap-root\nanonuid = 1234\nanongid = 4321\n",
		   work, work, work, work, work, work, work, work, work);
	args[1] = at("conf");
	if (!daemon_start(&daemon_, args) || !join(&c, "/data") || !join(&plain, "/plain") ||
	    !join(&noroot, "/noroot") || !join(&squashed, "/squashed"))
		return KTAP_EXIT_FAIL;
	ret = KTAP_MAIN(tests, argc, argv);
	if (!daemon_stop(&daemon_))
		ret = KTAP_EXIT_FAIL;
	return ret;
}
