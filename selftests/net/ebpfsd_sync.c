// SPDX-License-Identifier: GPL-2.0
/*
 * ebpfsd acknowledges what is on the disk, and nothing before: here the disk fails. The
 * kernel answers fsync(2), fdatasync(2) and syncfs(2) with an error, so that an
 * acknowledgement shows that none of them was waited for, and that its error was lost.
 *
 * timeout: 60
 * native
 */
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/syscall.h>

#include "ebpfsd_change.h"

#define ADDR	"127.0.0.1:20490"

static u8 secret[EBPFS_SECRET_LEN];
static struct client disk, memory;
static const char *daemon_args[] = { "-c", NULL, NULL };

static bool join(struct client *client, const char *export)
{
	client_init(client, ADDR, "alice", secret, export);
	return EXPECT_EQ(client_join(client), 0);
}

/* Here and in whatever is started from now on; there is no way back. */
static bool break_the_disk(void)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_fsync, 2, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_fdatasync, 1, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_syncfs, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EIO),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog prog = { ARRAY_SIZE(filter), filter };

	return !prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog);
}

static struct fh new_file(struct client *c, const char *name)
{
	struct fh root = root_of(c), fh = { .len = 0 };

	EXPECT_EQ(do_create(c, &root, name, S_IFREG | 0644, 0, EBPFS_CREATE_EXCL, &fh, NULL), 0);
	return fh;
}

static u64 verifier_now(struct client *c, const struct fh *fh)
{
	struct ebpfs_written w = { 0 };

	EXPECT_EQ(do_write(c, fh, 0, "x", 1, EBPFS_WRITE_UNSTABLE, false, &w), 0);
	return w.verifier;
}

/* And what was written before has to be written again. */
static void a_stable_write_fails(void)
{
	struct fh fh = new_file(&disk, "stable");
	u64 before = verifier_now(&disk, &fh);

	EXPECT_EQ(do_write(&disk, &fh, 0, "stable", 6, EBPFS_WRITE_STABLE, false, NULL), -EIO);
	EXPECT(verifier_now(&disk, &fh) != before);
}

static void attributes_with_bytes_fail(void)
{
	struct ebpfs_setattr a = { .valid = cpu_to_le32(EBPFS_SET_MTIME_NOW) };
	struct fh fh = new_file(&disk, "attributes");

	EXPECT_EQ(do_writeattr(&disk, &fh, 0, "x", 1, false, &a, NULL), -EIO);
}

static void a_commit_fails(void)
{
	struct fh fh = new_file(&disk, "commit");
	u64 before = verifier_now(&disk, &fh);
	struct ebpfs_written w;

	EXPECT_EQ(do_commit(&disk, &fh, &w), -EIO);
	EXPECT(verifier_now(&disk, &fh) != before);
}

static void a_commit_of_names_fails(void)
{
	struct fh root = root_of(&disk);
	struct ebpfs_written w;

	EXPECT_EQ(do_commit(&disk, &root, &w), -EIO);
	EXPECT_EQ(do_op(&disk, EBPFS_OP_COMMIT, &root, 0, EBPFS_COMMIT_EXPORT, &w, sizeof(w)),
		  -EIO);
}

/* When a file that nobody committed is closed, nobody asks: the verifier tells. */
static void what_nobody_commits_is_not_forgotten(void)
{
	struct fh fh = new_file(&disk, "lazy");
	u64 end = clock_ms() + 15000, before = verifier_now(&disk, &fh);

	while (daemon_stat(&daemon_, "files") > 0 && clock_ms() < end)
		nap(100);
	nap(200);
	EXPECT(verifier_now(&disk, &fh) != before);
}

/* What is in memory has no disk to fail. */
static void memory_goes_on(void)
{
	struct fh fh = new_file(&memory, "file"), root = root_of(&memory);
	struct ebpfs_written w;

	EXPECT_EQ(do_commit(&memory, &root, &w), 0);
	EXPECT_EQ(do_write(&memory, &fh, 0, "x", 1, EBPFS_WRITE_UNSTABLE, false, &w), 0);
}

static const struct ktap_test tests[] = {
	KTAP_TEST(a_stable_write_fails),
	KTAP_TEST(attributes_with_bytes_fail),
	KTAP_TEST(a_commit_fails),
	KTAP_TEST(a_commit_of_names_fails),
	KTAP_TEST(what_nobody_commits_is_not_forgotten),
	KTAP_TEST(memory_goes_on),
};

int main(int argc, char **argv)
{
	set_up();
	daemon_args[1] = set_up_exports("8m", "listen = " ADDR "\n", secret);
	/* The first start makes the key of the handles, for which it needs the disk. */
	if (!daemon_args[1] || !daemon_start(&daemon_, daemon_args) || !daemon_stop(&daemon_) ||
	    !break_the_disk() || !daemon_start(&daemon_, daemon_args) ||
	    !join(&disk, "/disk") || !join(&memory, "/memory"))
		return KTAP_EXIT_FAIL;
	return tear_down_exports(KTAP_MAIN(tests, argc, argv));
}
