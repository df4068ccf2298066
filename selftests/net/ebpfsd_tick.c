// SPDX-License-Identifier: GPL-2.0
/*
 * ebpfsd's change attribute, where the clock of the filesystem is too slow for it: one
 * client makes changes, another asks before and after each.
 *
 * timeout: 180
 * native
 *
 * Each test runs on a filesystem whose clock ticks once a second (ext2 with inodes of 128
 * bytes), on a disk and in memory.
 */
#include <linux/falloc.h>
#include <sys/xattr.h>

#include "ebpfsd_change.h"

#define ADDR	"127.0.0.1:20490"
#define EXCL	EBPFS_CREATE_EXCL
#define SEEN	2000
#define COPIED	(16u << 20)

static u8 secret[EBPFS_SECRET_LEN];
static struct client slow[2], again, disk[2], memory[2];
static struct client *writer, *asker;	/* the same export */
static const char *where;		/* its directory */
static const char *daemon_args[] = { "-c", NULL, NULL };
static u64 seen[SEEN];
static unsigned int nseen;

static bool join(struct client *client, const char *export)
{
	client_init(client, ADDR, "alice", secret, export);
	return EXPECT_EQ(client_join(client), 0);
}

static bool join_all(void)
{
	return join(&slow[0], "/slow") && join(&slow[1], "/slow") && join(&again, "/again") &&
	       join(&disk[0], "/disk") && join(&disk[1], "/disk") &&
	       join(&memory[0], "/memory") && join(&memory[1], "/memory");
}

static struct fh make(const char *name, u32 mode)
{
	struct fh root = root_of(writer), fh = { .len = 0 };

	do_remove(writer, &root, name, S_ISDIR(mode) ? EBPFS_REMOVE_DIR : EBPFS_REMOVE_FILE);
	EXPECT_EQ(do_create(writer, &root, name, mode, 0, EXCL, &fh, NULL), 0);
	nseen = 0;
	return fh;
}

/* What the other client is told. */
static u64 ask(const struct fh *fh)
{
	struct ebpfs_attr attr = { 0 };

	EXPECT_EQ(do_getattr(asker, fh, &attr), 0);
	return attr.change;
}

/* The same, which was not said before, since make(). */
static u64 ask_new(const struct fh *fh)
{
	u64 change = ask(fh);
	unsigned int i;

	for (i = 0; i < nseen; i++)
		if (!EXPECT(seen[i] != change))
			printf("# state %u looks like state %u\n", nseen, i);
	seen[nseen++ % SEEN] = change;
	return change;
}

/* A change that was answered by struct ebpfs_written, when the file was as @before. */
static u64 follows(const struct fh *fh, u64 before, const struct ebpfs_written *w)
{
	u64 now = ask_new(fh);

	EXPECT_EQ(w->before, before);
	EXPECT_EQ(w->attr.change, now);
	return now;
}

static int change(struct client *client, struct ebpfs_call_info *call, const struct fh *fh,
		  struct ebpfs_written *w)
{
	int n;

	call->fh = fh->bytes;
	call->fh_len = fh->len;
	call->cred = client->cred;
	call->op_id = next_op_id();
	n = client_call(client, call, w, sizeof(*w));
	return n == sizeof(*w) ? 0 : n < 0 ? n : -EPROTO;
}

static int set_attr(const struct fh *fh, const struct ebpfs_setattr *a, struct ebpfs_written *w)
{
	struct ebpfs_call_info call = {
		.op = EBPFS_OP_SETATTR, .data = (const u8 *)a, .data_len = sizeof(*a),
	};

	return change(writer, &call, fh, w);
}

static int set_size(const struct fh *fh, u64 size, struct ebpfs_written *w)
{
	struct ebpfs_setattr a = {
		.valid = cpu_to_le32(EBPFS_SET_SIZE), .size = cpu_to_le64(size),
	};

	return set_attr(fh, &a, w);
}

static int set_mode(const struct fh *fh, u32 mode, struct ebpfs_written *w)
{
	struct ebpfs_setattr a = {
		.valid = cpu_to_le32(EBPFS_SET_MODE), .mode = cpu_to_le32(mode),
	};

	return set_attr(fh, &a, w);
}

static int set_xattr(const struct fh *fh, const char *value, u32 flags, struct ebpfs_written *w)
{
	struct ebpfs_call_info call = {
		.op = EBPFS_OP_SETXATTR, .arg = flags, .name = (const u8 *)"user.x", .name_len = 6,
		.data = (const u8 *)value, .data_len = (u32)strlen(value),
	};

	return change(writer, &call, fh, w);
}

static int append(const struct fh *fh, const char *bytes, struct ebpfs_written *w)
{
	struct ebpfs_call_info call = {
		.op = EBPFS_OP_APPEND, .data = (const u8 *)bytes, .data_len = (u32)strlen(bytes),
	};

	return change(writer, &call, fh, w);
}

static int punch(const struct fh *fh, struct ebpfs_written *w)
{
	struct ebpfs_range range = {
		.len = cpu_to_le64(4096),
		.mode = cpu_to_le32(FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE),
	};
	struct ebpfs_call_info call = {
		.op = EBPFS_OP_FALLOCATE, .data = (u8 *)&range, .data_len = sizeof(range),
	};

	return change(writer, &call, fh, w);
}

static void prepare_copy(struct ebpfs_call_info *call, u8 *data, const struct fh *from, u64 len)
{
	struct ebpfs_copy copy = {
		.len = cpu_to_le64(len), .fh_len = cpu_to_le16(from->len),
	};

	memset(data, 0, sizeof(copy) + EBPFS_FH_MAX);
	memcpy(data, &copy, sizeof(copy));
	memcpy(data + sizeof(copy), from->bytes, from->len);
	*call = (struct ebpfs_call_info){
		.op = EBPFS_OP_COPY, .data = data,
		.data_len = (u32)sizeof(copy) + (from->len + 7u) / 8 * 8,
	};
}

static int copy(const struct fh *to, const struct fh *from, struct ebpfs_written *w)
{
	u8 data[sizeof(struct ebpfs_copy) + EBPFS_FH_MAX] __attribute__((aligned(8)));
	struct ebpfs_call_info call;

	prepare_copy(&call, data, from, 4);
	return change(writer, &call, to, w);
}

static int overwrite(const struct fh *fh, unsigned int i, struct ebpfs_written *w)
{
	char bytes[16];

	snprintf(bytes, sizeof(bytes), "%08u", i);
	return do_write(writer, fh, 0, bytes, 8, EBPFS_WRITE_UNSTABLE, false, w);
}

/* A file with 8 bytes, and its change attribute. */
static u64 begin_with(struct fh *fh, struct ebpfs_written *w)
{
	*fh = make("f", S_IFREG | 0644);
	EXPECT_EQ(overwrite(fh, 0, w), 0);
	return ask_new(fh);
}

static void overwrites_differ(void)
{
	struct ebpfs_written w;
	struct fh fh;
	u64 now = begin_with(&fh, &w);
	unsigned int i;

	for (i = 1; i < 300; i++) {
		EXPECT_EQ(overwrite(&fh, i, &w), 0);
		now = follows(&fh, now, &w);
	}
	/* Nobody asks in between. */
	for (i = 1; i < 300; i++) {
		EXPECT_EQ(overwrite(&fh, i, &w), 0);
		EXPECT_EQ(w.before, now);
		EXPECT(w.attr.change != now);
		now = w.attr.change;
	}
	ask_new(&fh);
}

static void what_comes_back_differs(void)
{
	struct ebpfs_written w;
	struct fh fh;
	u64 now = begin_with(&fh, &w);
	unsigned int i;

	for (i = 1; i < 20; i++) {
		EXPECT_EQ(set_size(&fh, 0, &w), 0);
		now = follows(&fh, now, &w);
		EXPECT_EQ(overwrite(&fh, i, &w), 0);
		now = follows(&fh, now, &w);
		EXPECT_EQ(append(&fh, "tail", &w), 0);
		now = follows(&fh, now, &w);
		EXPECT_EQ(set_size(&fh, 8, &w), 0);
		now = follows(&fh, now, &w);
		EXPECT_EQ(set_mode(&fh, 0600, &w), 0);
		now = follows(&fh, now, &w);
		EXPECT_EQ(set_mode(&fh, 0644, &w), 0);
		now = follows(&fh, now, &w);
	}
}

static void other_changes_differ(void)
{
	struct fh from = make("from", S_IFREG | 0644), fh = make("f", S_IFREG | 0644);
	struct ebpfs_written w;
	char value[16];
	unsigned int i;
	int err;
	u64 now;

	EXPECT_EQ(overwrite(&from, 1, &w), 0);
	EXPECT_EQ(overwrite(&fh, 0, &w), 0);
	now = ask_new(&fh);
	for (i = 0; i < 20; i++) {
		snprintf(value, sizeof(value), "%04u", i);
		err = set_xattr(&fh, value, 0, &w);
		if (err != -EOPNOTSUPP && EXPECT_EQ(err, 0))
			now = follows(&fh, now, &w);
		EXPECT_EQ(copy(&fh, &from, &w), 0);
		EXPECT_EQ(le32_to_cpu(w.count), 4);
		now = follows(&fh, now, &w);
		err = punch(&fh, &w);
		if (err != -EOPNOTSUPP && EXPECT_EQ(err, 0))
			now = follows(&fh, now, &w);
	}
}

static void what_changes_nothing_shows_nothing(void)
{
	struct fh fh = make("f", S_IFREG | 0644), root = root_of(writer);
	struct ebpfs_written w;
	unsigned int i;
	u8 buf[16];
	u64 now, names;

	for (i = 0; i < 3; i++)
		EXPECT_EQ(overwrite(&fh, i, &w), 0);
	now = ask(&fh);
	names = ask(&root);
	for (i = 0; i < 3; i++) {
		EXPECT_EQ(do_read(asker, &fh, 0, 8, buf), 8);
		EXPECT_EQ(ask(&fh), now);
		EXPECT_EQ(do_commit(writer, &fh, &w), 0);
		EXPECT_EQ(w.before, now);
		EXPECT_EQ(w.attr.change, now);
		EXPECT(set_xattr(&fh, "x", XATTR_REPLACE, &w) < 0);
		EXPECT_EQ(ask(&fh), now);
		EXPECT_EQ(do_create(writer, &root, "f", S_IFREG | 0644, 0, EXCL, NULL, NULL),
			  -EEXIST);
		EXPECT_EQ(do_remove(writer, &root, "none", EBPFS_REMOVE_FILE), -ENOENT);
		EXPECT_EQ(do_rename(writer, &root, "none", &root, "some", 0), -ENOENT);
		EXPECT_EQ(ask(&root), names);
		nap(600);
	}
	EXPECT_EQ(overwrite(&fh, i, &w), 0);
	EXPECT_EQ(w.before, now);
}

static void names_differ(void)
{
	struct fh dir = make("dir", S_IFDIR | 0755), other = make("other", S_IFDIR | 0755), fh;
	struct ebpfs_attr attr;
	unsigned int i;

	nseen = 0;
	ask_new(&dir);
	for (i = 0; i < 20; i++) {
		EXPECT_EQ(do_create(writer, &dir, "a", S_IFREG | 0644, 0, EXCL, &fh, NULL), 0);
		ask_new(&dir);
		EXPECT_EQ(do_rename(writer, &dir, "a", &dir, "b", 0), 0);
		ask_new(&dir);
		EXPECT_EQ(do_link(writer, &fh, &dir, "c", &attr), 0);
		ask_new(&dir);
		EXPECT_EQ(do_rename(writer, &dir, "b", &other, "b", 0), 0);
		ask_new(&dir);
		EXPECT_EQ(do_rename(writer, &other, "b", &dir, "b", 0), 0);
		ask_new(&dir);
		EXPECT_EQ(do_remove(writer, &dir, "b", EBPFS_REMOVE_FILE), 0);
		ask_new(&dir);
		EXPECT_EQ(do_remove(writer, &dir, "c", EBPFS_REMOVE_FILE), 0);
		ask_new(&dir);
		EXPECT_EQ(do_create(writer, &dir, "d", S_IFDIR | 0755, 0, 0, NULL, NULL), 0);
		ask_new(&dir);
		EXPECT_EQ(do_remove(writer, &dir, "d", EBPFS_REMOVE_DIR), 0);
		ask_new(&dir);
	}
	nseen = 0;
	for (i = 0; i < 20; i++) {
		ask_new(&other);
		EXPECT_EQ(do_create(writer, &dir, "a", S_IFREG | 0644, 0, EXCL, &fh, NULL), 0);
		EXPECT_EQ(do_rename(writer, &dir, "a", &other, "a", 0), 0);
		ask_new(&other);
		EXPECT_EQ(do_link(writer, &fh, &other, "b", &attr), 0);
		ask_new(&other);
		EXPECT_EQ(do_remove(writer, &other, "a", EBPFS_REMOVE_FILE), 0);
		EXPECT_EQ(do_remove(writer, &other, "b", EBPFS_REMOVE_FILE), 0);
	}
}

static void many_at_once_differ(void)
{
	static struct fh fhs[64];
	static u64 values[64];
	struct ebpfs_written w;
	char name[16];
	size_t i, round;

	for (i = 0; i < ARRAY_SIZE(fhs); i++) {
		snprintf(name, sizeof(name), "m%zu", i);
		fhs[i] = make(name, S_IFREG | 0644);
		EXPECT_EQ(overwrite(&fhs[i], 0, &w), 0);
		values[i] = ask(&fhs[i]);
	}
	for (round = 1; round < 10; round++) {
		for (i = 0; i < ARRAY_SIZE(fhs); i++) {
			EXPECT_EQ(overwrite(&fhs[i], (unsigned int)round, &w), 0);
			EXPECT_EQ(w.before, values[i]);
			EXPECT_EQ(ask(&fhs[i]), w.attr.change);
			EXPECT(w.attr.change != values[i]);
			values[i] = w.attr.change;
		}
	}
}

/* A COPY, while another asks and reads; does it keep old data under the last value? */
static void one_copy(const struct fh *to, const struct fh *from, unsigned int *between)
{
	u8 data[sizeof(struct ebpfs_copy) + EBPFS_FH_MAX] __attribute__((aligned(8)));
	u8 old[8], new[8], got[8], in[1024] __attribute__((aligned(8)));
	struct ebpfs_call_info call;
	u64 before, change, kept;
	struct pollfd p = { .fd = writer->fd, .events = POLLIN };
	int n;

	EXPECT_EQ(do_read(asker, to, COPIED - 8, 8, old), 8);
	before = kept = ask(to);
	prepare_copy(&call, data, from, COPIED);
	call.fh = to->bytes;
	call.fh_len = to->len;
	call.op_id = next_op_id();
	client_begin(writer, &call);
	client_send(writer, &call);
	/* As a client with a cache. */
	memcpy(got, old, 8);
	while (poll(&p, 1, 0) <= 0) {
		change = ask(to);
		if (change != kept) {
			kept = change;
			EXPECT_EQ(do_read(asker, to, COPIED - 8, 8, got), 8);
			*between += !memcmp(got, old, 8);
		}
	}
	n = client_hear(writer, &call, in, sizeof(in), 10000);
	EXPECT_EQ(n, sizeof(struct ebpfs_written));
	EXPECT_EQ(do_read(asker, to, COPIED - 8, 8, new), 8);
	EXPECT(memcmp(new, old, 8));
	EXPECT(ask(to) != before);
	if (ask(to) == kept)
		EXPECT_MEM(got, new, 8);
}

static void fill(const char *name, u8 byte)
{
	int fd = open(at("%s/%s", where, name), O_WRONLY);
	static u8 bytes[65536];
	u32 n;

	memset(bytes, byte, sizeof(bytes));
	for (n = 0; n < COPIED; n += sizeof(bytes))
		EXPECT_EQ(write(fd, bytes, sizeof(bytes)), sizeof(bytes));
	close(fd);
}

static void who_asks_meanwhile_asks_again(void)
{
	struct fh a = make("a", S_IFREG | 0644), b = make("b", S_IFREG | 0644),
		  to = make("to", S_IFREG | 0644), root = root_of(writer);
	unsigned int i, between = 0;

	fill("a", 'a');
	fill("b", 'b');
	fill("to", 'b');
	for (i = 0; i < 6; i++) {
		/* So that ctime moves. */
		nap(writer == &slow[0] ? 1050 : 20);
		one_copy(&to, i % 2 ? &b : &a, &between);
	}
	printf("# %u times old bytes were read while new ones were copied\n", between);
	EXPECT_EQ(do_remove(writer, &root, "a", EBPFS_REMOVE_FILE), 0);
	EXPECT_EQ(do_remove(writer, &root, "b", EBPFS_REMOVE_FILE), 0);
	EXPECT_EQ(do_remove(writer, &root, "to", EBPFS_REMOVE_FILE), 0);
}

/* Two exports of one directory. */
static void exports_share_files(void)
{
	struct fh root = root_of(&again), fh = make("f", S_IFREG | 0644), same;
	struct client *first = writer;
	struct ebpfs_written w;
	unsigned int i;
	u64 now;

	EXPECT_EQ(overwrite(&fh, 0, &w), 0);
	EXPECT_EQ(do_lookup(&again, &root, "f", &same, NULL), 0);
	EXPECT(memcmp(fh.bytes, same.bytes, fh.len));
	now = ask_new(&fh);
	for (i = 1; i < 50; i++) {
		writer = i % 2 ? &again : first;
		EXPECT_EQ(overwrite(i % 2 ? &same : &fh, i, &w), 0);
		now = follows(&fh, now, &w);
	}
	writer = first;
}

static void a_restart_forgets_once(void)
{
	struct fh fh = make("f", S_IFREG | 0644);
	struct ebpfs_written w;
	u64 first, last, then;

	EXPECT_EQ(overwrite(&fh, 0, &w), 0);
	first = ask(&fh);
	EXPECT_EQ(overwrite(&fh, 1, &w), 0);
	last = ask(&fh);
	EXPECT(first != last);
	nap(3100);
	EXPECT_EQ(ask(&fh), last);
	EXPECT(daemon_stop(&daemon_) && daemon_start(&daemon_, daemon_args) && join_all());
	then = ask(&fh);
	EXPECT(then != first);
	EXPECT(daemon_stop(&daemon_) && daemon_start(&daemon_, daemon_args) && join_all());
	EXPECT_EQ(ask(&fh), then);
}

#define ON(c, name)						\
	static void name##_##c(void)				\
	{							\
		writer = &c[0];					\
		asker = &c[1];					\
		where = #c;					\
		name();						\
	}
#define ALL(name) ON(slow, name) ON(disk, name) ON(memory, name)
#define TESTS(name) KTAP_TEST(name##_slow), KTAP_TEST(name##_disk), KTAP_TEST(name##_memory)

ALL(overwrites_differ)
ALL(what_comes_back_differs)
ALL(other_changes_differ)
ALL(what_changes_nothing_shows_nothing)
ALL(names_differ)
ALL(many_at_once_differ)
ALL(who_asks_meanwhile_asks_again)
ON(slow, exports_share_files)
ALL(a_restart_forgets_once)

static const struct ktap_test tests[] = {
	TESTS(overwrites_differ),
	TESTS(what_comes_back_differs),
	TESTS(other_changes_differ),
	TESTS(what_changes_nothing_shows_nothing),
	TESTS(names_differ),
	TESTS(many_at_once_differ),
	TESTS(who_asks_meanwhile_asks_again),
	KTAP_TEST(exports_share_files_slow),
	TESTS(a_restart_forgets_once),
};

static bool run(const char *what)
{
	int status = system(what);

	if (status)
		printf("Bail out! \"%s\" ended with status %d\n", what, status);
	return !status;
}

int main(int argc, char **argv)
{
	char command[PATH_MAX * 2 + 100];
	int ret;

	set_up();
	umask(0);
	mkdir(at("slow"), 0755);
	mkdir(at("disk"), 0755);
	mkdir(at("memory"), 0755);
	if (mount("none", at("memory"), "tmpfs", 0, "size=64m"))
		return KTAP_EXIT_FAIL;
	snprintf(command, sizeof(command), "truncate -s 80M %s/img && mkfs.ext2 -q -I 128 %s/img > "
		 "/dev/null 2>&1 && mount -t ext2 -o loop %s/img %s/slow", work, work, work, work);
	if (!run(command))
		return KTAP_EXIT_FAIL;
	add_client(at("clients"), "alice", secret);
	write_file(at("conf"), 0644,
		   "listen = " ADDR "\nreply-cache = 1M\n"
		   "clients = %s/clients\nstate-dir = %s/state\n"
		   "[export /slow]\npath = %s/slow\nclients = *\naccess = rw\nsquash = none\n"
		   "[export /again]\npath = %s/slow\nclients = *\naccess = rw\nsquash = none\n"
		   "[export /disk]\npath = %s/disk\nclients = *\naccess = rw\nsquash = none\n"
		   "[export /memory]\npath = %s/memory\nclients = *\naccess = rw\nsquash = none\n",
		   work, work, work, work, work, work);
	daemon_args[1] = strdup(at("conf"));
	if (!daemon_start(&daemon_, daemon_args) || !join_all())
		return KTAP_EXIT_FAIL;
	ret = KTAP_MAIN(tests, argc, argv);
	if (!daemon_stop(&daemon_))
		ret = KTAP_EXIT_FAIL;
	umount(at("memory"));
	umount(at("slow"));
	return ret;
}
