// SPDX-License-Identifier: GPL-2.0
/*
 * ebpfsd's FALLOCATE, SEEK, COPY and APPEND. What a call does to a file is compared
 * with what the same system call does to a twin of it on the server.
 *
 * timeout: 180
 * native
 *
 * Each test runs on an export on disk and on one in memory.
 */
#include <linux/falloc.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/syscall.h>

#include "ebpfsd_change.h"

#define ADDR	"127.0.0.1:20490"
#define EXCL	EBPFS_CREATE_EXCL
#define BLOCK	4096
#define MIB	(1ull << 20)

enum { ROOT, ALICE, BOB };		/* users 0, 1000 and 1001 */

static u8 secret[EBPFS_SECRET_LEN];
static struct client c, disk, memory, ro_disk, ro_memory;
static const char *where;		/* the directory of c's export */
static struct fh root;
static u8 data[65536], buf[65536] __attribute__((aligned(8)));
static const char *daemon_args[] = { "-c", NULL, NULL };

static bool join(struct client *client, const char *export)
{
	client_init(client, ADDR, "alice", secret, export);
	client->cell = 4096;
	return EXPECT_EQ(client_join(client), 0) &&
	       EXPECT_EQ(do_cred(client, ALICE, 1000, 1000, NULL, 0), 0) &&
	       EXPECT_EQ(do_cred(client, BOB, 1001, 1001, NULL, 0), 0);
}

static bool join_all(void)
{
	return join(&disk, "/disk") && join(&memory, "/memory") && join(&ro_disk, "/ro-disk") &&
	       join(&ro_memory, "/ro-memory");
}

static char *path(const char *name)
{
	return at("%s/%s", where, name);
}

/* A new empty file of user 0. */
static struct fh make(const char *name, u32 mode)
{
	struct fh fh = { .len = 0 };

	/* The daemon keeps it open for a while, and the disk in memory is small. */
	if (truncate(path(name), 0) && errno != ENOENT)
		abort();
	do_remove(&c, &root, name, EBPFS_REMOVE_FILE);
	EXPECT_EQ(do_create(&c, &root, name, S_IFREG | mode, 0, EXCL, &fh, NULL), 0);
	return fh;
}

static void fill(const char *name, u64 offset, const void *bytes, size_t len)
{
	int fd = open(path(name), O_WRONLY | O_CREAT, 0644);

	EXPECT_EQ(pwrite(fd, bytes, len, (off_t)offset), len);
	close(fd);
}

static u64 size_of(const char *name)
{
	struct stat st;

	return stat(path(name), &st) ? ~0ull : (u64)st.st_size;
}

/* Have @len bytes at these offsets of two files of the export the same content? */
static bool same(const char *a, u64 a_offset, const char *b, u64 b_offset, u64 len)
{
	static u8 x[65536], y[65536];
	int fd[2] = { open(path(a), O_RDONLY), open(path(b), O_RDONLY) };
	u64 done = 0;
	ssize_t n = 1;

	while (done < len) {
		size_t bytes = len - done < sizeof(x) ? len - done : sizeof(x);

		n = pread(fd[0], x, bytes, (off_t)(a_offset + done));
		if (n <= 0 || pread(fd[1], y, (size_t)n, (off_t)(b_offset + done)) != n ||
		    memcmp(x, y, (size_t)n))
			break;
		done += (u64)n;
	}
	close(fd[0]);
	close(fd[1]);
	return done == len;
}

/* Of a very large file the beginning and the end. */
static bool twins(const char *a, const char *b)
{
	u64 size = size_of(a), begin = size <= 150 * MIB ? size : MIB;

	return EXPECT_EQ(size_of(b), size) && EXPECT(same(a, 0, b, 0, begin)) &&
	       EXPECT(begin == size || same(a, size - BLOCK, b, size - BLOCK, BLOCK));
}

/* A change of @fh, and what its reply has to say. -error or 0, and @w. */
static int change(struct ebpfs_call_info *call, const struct fh *fh, struct ebpfs_written *w)
{
	struct ebpfs_attr before, after;
	int n;

	call->fh = fh->bytes;
	call->fh_len = fh->len;
	call->cred = c.cred;
	call->op_id = next_op_id();
	EXPECT_EQ(do_getattr(&c, fh, &before), 0);
	n = client_call(&c, call, w, sizeof(*w));
	if (n < 0)
		return n;
	EXPECT_EQ(n, sizeof(*w));
	EXPECT_EQ(le64_to_cpu(w->verifier), c.s.server_instance);
	EXPECT_EQ(w->before, before.change);
	EXPECT_EQ(w->reserved, 0);
	EXPECT_EQ(do_getattr(&c, fh, &after), 0);
	EXPECT_MEM(&w->attr, &after, sizeof(after));
	return 0;
}

static int allocate(const struct fh *fh, u32 mode, u64 offset, u64 len)
{
	struct ebpfs_range range = {
		.offset = cpu_to_le64(offset), .len = cpu_to_le64(len), .mode = cpu_to_le32(mode),
	};
	struct ebpfs_call_info call = {
		.op = EBPFS_OP_FALLOCATE, .data = (u8 *)&range, .data_len = sizeof(range),
	};
	struct ebpfs_written w;
	int n = change(&call, fh, &w);

	if (!n)
		EXPECT(!w.offset && !w.count);
	return n;
}

/* The same to "f" by the daemon and to "twin" here. */
static void allocate_both(const struct fh *fh, u32 mode, u64 offset, u64 len)
{
	int fd = open(path("twin"), O_RDWR), err;
	struct stat f, twin;

	err = fallocate(fd, (int)mode, (off_t)offset, (off_t)len) ? -errno : 0;
	close(fd);
	if (!EXPECT_EQ(allocate(fh, mode, offset, len), err) || !twins("f", "twin") ||
	    !EXPECT(!stat(path("f"), &f) && !stat(path("twin"), &twin)) ||
	    !EXPECT_EQ(f.st_blocks, twin.st_blocks))
		printf("# with mode 0x%x, %llu bytes at %llu\n", mode, (unsigned long long)len,
		       (unsigned long long)offset);
}

static void space_is_made_as_by_fallocate(void)
{
	static const u32 modes[] = {
		0, FALLOC_FL_KEEP_SIZE, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
		FALLOC_FL_ZERO_RANGE, FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE,
		FALLOC_FL_COLLAPSE_RANGE, FALLOC_FL_INSERT_RANGE,
		/* None of these is. */
		FALLOC_FL_PUNCH_HOLE, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE,
		FALLOC_FL_COLLAPSE_RANGE | FALLOC_FL_KEEP_SIZE, 1u << 31,
	};
	static const struct {
		u64 offset, len;
	} ranges[] = {
		{ 0, BLOCK }, { BLOCK, 2 * BLOCK }, { 100, 200 }, { 5000, 20000 },
		{ 60000, 10000 }, { 65536, BLOCK }, { 4 * 65536, BLOCK }, { BLOCK, 65536 },
		{ 1ull << 62, BLOCK }, { INT64_MAX - 1, 1 },
	};
	size_t i, j;

	for (i = 0; i < ARRAY_SIZE(modes); i++) {
		for (j = 0; j < ARRAY_SIZE(ranges); j++) {
			struct fh fh = make("f", 0644);

			make("twin", 0644);
			fill("f", 0, data, sizeof(data));
			fill("twin", 0, data, sizeof(data));
			allocate_both(&fh, modes[i], ranges[j].offset, ranges[j].len);
		}
	}
}

static void ranges_that_cannot_be(void)
{
	struct fh fh = make("f", 0644), dir;

	EXPECT_EQ(allocate(&fh, 0, 0, 0), -EINVAL);
	EXPECT_EQ(allocate(&fh, 0, INT64_MAX, 1), -EINVAL);
	EXPECT_EQ(allocate(&fh, 0, ~0ull, 2), -EINVAL);
	EXPECT_EQ(allocate(&fh, 0, 0, 1ull << 63), -EINVAL);
	EXPECT_EQ(size_of("f"), 0);
	do_create(&c, &root, "dir", S_IFDIR | 0755, 0, 0, NULL, NULL);
	EXPECT_EQ(do_lookup(&c, &root, "dir", &dir, NULL), 0);
	EXPECT_EQ(allocate(&dir, 0, 0, 1), -EISDIR);
}

static void a_full_disk_is_told(void)
{
	struct fh fh = make("f", 0644);

	EXPECT_EQ(allocate(&fh, 0, 0, 64 * MIB), -ENOSPC);
	EXPECT_EQ(size_of("f"), 0);
	EXPECT_EQ(allocate(&fh, 0, 0, MIB), 0);
	EXPECT_EQ(size_of("f"), MIB);
}

static long long seek(const struct fh *fh, u64 offset, u32 whence)
{
	struct ebpfs_offset o;
	int n = do_op(&c, EBPFS_OP_SEEK, fh, offset, whence, &o, sizeof(o));

	return n == sizeof(o) ? (long long)le64_to_cpu(o.offset) : n < 0 ? n : -EPROTO;
}

static void holes_are_found_as_by_lseek(void)
{
	static const u64 offsets[] = {
		0, 1, BLOCK - 1, BLOCK, 65535, 65536, 65537, 3 * 65536 - 1, 3 * 65536,
		5 * 65536, MIB - 2, MIB - 1, MIB, MIB + 1, 1ull << 40, INT64_MAX,
	};
	struct fh fh = make("f", 0644);
	size_t i;
	u32 whence;
	int fd;

	fd = open(path("f"), O_RDWR);
	for (i = 0; i < ARRAY_SIZE(offsets); i++)
		for (whence = SEEK_DATA; whence <= SEEK_HOLE; whence++)
			EXPECT_EQ(seek(&fh, offsets[i], whence), -ENXIO);
	fill("f", 65536, data, 65536);
	fill("f", 3 * 65536, data, 10);
	EXPECT_EQ(ftruncate(fd, MIB), 0);
	for (i = 0; i < ARRAY_SIZE(offsets); i++) {
		for (whence = SEEK_DATA; whence <= SEEK_HOLE; whence++) {
			off_t want = lseek(fd, (off_t)offsets[i], (int)whence);

			EXPECT_EQ(seek(&fh, offsets[i], whence), want < 0 ? -errno : want);
		}
	}
	EXPECT_EQ(seek(&fh, 0, SEEK_SET), -EINVAL);
	EXPECT_EQ(seek(&fh, 0, SEEK_CUR), -EINVAL);
	EXPECT_EQ(seek(&fh, 0, SEEK_END), -EINVAL);
	EXPECT_EQ(seek(&fh, 0, SEEK_HOLE + 1), -EINVAL);
	EXPECT_EQ(seek(&fh, 0, ~0u), -EINVAL);
	close(fd);
}

static int do_copy(const struct fh *from, u64 in, const struct fh *to, u64 out, u64 len,
		   u32 flags, u32 *count)
{
	union {
		struct ebpfs_copy head;
		u8 bytes[sizeof(struct ebpfs_copy) + EBPFS_FH_MAX];
	} d = { .head = {
		.from = cpu_to_le64(in), .to = cpu_to_le64(out), .len = cpu_to_le64(len),
		.flags = cpu_to_le32(flags), .fh_len = cpu_to_le16(from->len),
	} };
	struct ebpfs_call_info call = {
		.op = EBPFS_OP_COPY, .data = d.bytes,
		.data_len = (u32)sizeof(d.head) + ((from->len + 7u) & ~7u),
	};
	struct ebpfs_written w;
	int n;

	memcpy(d.bytes + sizeof(d.head), from->bytes, from->len);
	n = change(&call, to, &w);
	if (!n) {
		EXPECT_EQ(w.offset, 0);
		*count = le32_to_cpu(w.count);
	}
	return n;
}

static void ranges_are_copied(void)
{
	struct fh from = make("from", 0644), to = make("to", 0644);
	long long bytes = daemon_stat(&daemon_, "copy_bytes");
	u32 n;

	fill("from", 0, data, 60000);
	EXPECT_EQ(do_copy(&from, 0, &to, 0, 60000, 0, &n), 0);
	EXPECT_EQ(n, 60000);
	EXPECT(twins("from", "to"));
	EXPECT_EQ(daemon_stat(&daemon_, "copy_bytes"), bytes + 60000);
	/* Off all grids, over what is there, and behind the end. */
	fill("twin", 0, data, 60000);
	fill("twin", 777, data + 123, 5000);
	fill("twin", 100000, data + 59000, 1000);
	EXPECT_EQ(do_copy(&from, 123, &to, 777, 5000, 0, &n), 0);
	EXPECT_EQ(n, 5000);
	EXPECT_EQ(do_copy(&from, 59000, &to, 100000, 5000, 0, &n), 0);
	EXPECT_EQ(n, 1000);
	EXPECT(twins("to", "twin"));
	/* At its end, and behind it. */
	EXPECT_EQ(do_copy(&from, 60000, &to, 0, 5000, 0, &n), 0);
	EXPECT_EQ(n, 0);
	EXPECT_EQ(do_copy(&from, 1ull << 40, &to, 0, 5000, 0, &n), 0);
	EXPECT_EQ(n, 0);
	EXPECT_EQ(do_copy(&from, 1, &to, 1, INT64_MAX - 1, 0, &n), 0);
	EXPECT_EQ(n, 59999);
	EXPECT(same("from", 1, "to", 1, 59999));
}

static void one_file_is_copied_beside_itself_only(void)
{
	struct fh f = make("f", 0644);
	u32 n;

	fill("f", 0, data, 60000);
	EXPECT_EQ(do_copy(&f, 0, &f, 60000, 60000, 0, &n), 0);
	EXPECT_EQ(n, 60000);
	EXPECT_EQ(size_of("f"), 120000);
	EXPECT(same("f", 0, "f", 60000, 60000));
	EXPECT_EQ(do_copy(&f, 0, &f, 1000, 1001, 0, &n), -EINVAL);
	EXPECT_EQ(do_copy(&f, 1000, &f, 0, 1001, 0, &n), -EINVAL);
	EXPECT_EQ(do_copy(&f, 1000, &f, 1000, 1, 0, &n), -EINVAL);
	EXPECT_EQ(do_copy(&f, 1000, &f, 0, 1000, 0, &n), 0);
	EXPECT_EQ(n, 1000);
	/* What is behind the end does not count. */
	EXPECT_EQ(do_copy(&f, 119000, &f, 120000, 60000, 0, &n), 0);
	EXPECT_EQ(n, 1000);
	EXPECT_EQ(size_of("f"), 121000);
	/* Overlapping, but not within one step of the daemon's. */
	EXPECT_EQ(truncate(path("f"), 100 * MIB), 0);
	EXPECT_EQ(do_copy(&f, 0, &f, 40 * MIB, 60 * MIB, 0, &n), -EINVAL);
	EXPECT_EQ(size_of("f"), 100 * MIB);
}

/* A call does not take for ever; who wants more calls again. */
static void large_copies_take_several_calls(void)
{
	struct fh from = make("from", 0644), to = make("to", 0644);
	unsigned int calls = 0;
	u64 done = 0;
	u32 n;

	EXPECT_EQ(truncate(path("from"), 150 * MIB), 0);
	fill("from", 0, data, 65536);
	fill("from", 64 * MIB - 1000, data, 65536);
	fill("from", 150 * MIB - 65536, data, 65536);
	do {
		ASSERT_EQ(do_copy(&from, done, &to, done, 1ull << 40, 0, &n), 0);
		EXPECT(n <= 64 * MIB);
		done += n;
		calls++;
		EXPECT_EQ(size_of("to"), done);
	} while (n && calls < 1000);
	EXPECT_EQ(done, 150 * MIB);
	EXPECT(calls >= 4);
	EXPECT(twins("from", "to"));
	EXPECT_EQ(truncate(path("to"), 0), 0);
}

/* A copy that runs into something says how far it came. */
static void copies_that_do_not_fit(void)
{
	struct fh from = make("from", 0644), to = make("to", 0644);
	u64 done = 0;
	int err;
	u32 n;

	EXPECT_EQ(truncate(path("from"), 32 * MIB), 0);
	fill("from", 0, data, 65536);
	do {
		err = do_copy(&from, done, &to, done, 32 * MIB - done, 0, &n);
		if (!err) {
			ASSERT(n > 0);
			done += n;
			EXPECT_EQ(size_of("to"), done);
		}
	} while (!err);
	EXPECT_EQ(err, -ENOSPC);
	EXPECT(done > MIB && done < 8 * MIB);
	EXPECT_EQ(size_of("to"), done);
	EXPECT(same("from", 0, "to", 0, done));
	EXPECT_EQ(truncate(path("to"), 0), 0);
}

static void only_what_the_user_may_is_copied(void)
{
	struct fh from = make("from", 0600), to = make("to", 0600), foreign, dir, open_to_all;
	struct client other = *where == 'd' ? memory : disk;
	struct fh r = root_of(&other);
	u32 n;

	fill("from", 0, data, 1000);
	fill("to", 0, data, 10);
	open_to_all = make("all", 0666);
	c.cred = BOB;
	EXPECT_EQ(do_copy(&from, 0, &open_to_all, 0, 1000, 0, &n), -EACCES);
	EXPECT_EQ(do_copy(&open_to_all, 0, &to, 0, 1000, 0, &n), -EACCES);
	EXPECT_EQ(do_copy(&from, 0, &open_to_all, 0, 1000, EBPFS_COPY_CLONE, &n), -EACCES);
	EXPECT_EQ(do_copy(&open_to_all, 0, &to, 0, 1000, EBPFS_COPY_CLONE, &n), -EACCES);
	EXPECT_EQ(allocate(&to, 0, 0, 1000), -EACCES);
	EXPECT_EQ(seek(&from, 0, SEEK_DATA), -EACCES);
	EXPECT_EQ(size_of("all"), 0);
	EXPECT_EQ(size_of("to"), 10);
	c.cred = ROOT;
	do_create(&c, &root, "dir", S_IFDIR | 0755, 0, 0, NULL, NULL);
	EXPECT_EQ(do_lookup(&c, &root, "dir", &dir, NULL), 0);
	EXPECT_EQ(do_copy(&dir, 0, &to, 0, 1, 0, &n), -EISDIR);
	EXPECT_EQ(do_copy(&from, 0, &dir, 0, 1, 0, &n), -EISDIR);
	/* A handle of another export, and one that nobody made. */
	EXPECT_EQ(do_create(&other, &r, "foreign", S_IFREG | 0644, 0, 0, &foreign, NULL), 0);
	*(*where == 'd' ? &memory : &disk) = other;
	EXPECT_EQ(do_copy(&foreign, 0, &to, 0, 1, 0, &n), -ESTALE);
	from.bytes[from.len - 1] ^= 1;
	EXPECT_EQ(do_copy(&from, 0, &to, 0, 1, 0, &n), -ESTALE);
	EXPECT_EQ(size_of("to"), 10);
}

static void clones_are_made_as_by_ficlonerange(void)
{
	static const struct {
		u64 from, to, len;
	} ranges[] = {
		{ 0, 0, 0 }, { 0, 0, 65536 }, { 0, 65536, BLOCK }, { BLOCK, 0, 0 },
		{ 65536, 0, 0 }, { 65537, 0, 0 }, { 1, 0, BLOCK }, { 0, 0, 65537 },
		{ 61440, 0, BLOCK },
	};
	struct fh from = make("from", 0644), to;
	bool any = false;
	size_t i;
	u32 n;

	fill("from", 0, data, 65536);
	for (i = 0; i < ARRAY_SIZE(ranges); i++) {
		struct file_clone_range range = {
			.src_fd = open(path("from"), O_RDONLY), .src_offset = ranges[i].from,
			.src_length = ranges[i].len, .dest_offset = ranges[i].to,
		};
		int fd, err;

		to = make("to", 0644);
		make("twin", 0644);
		fd = open(path("twin"), O_WRONLY);
		err = ioctl(fd, FICLONERANGE, &range) ? -errno : 0;
		close(fd);
		close((int)range.src_fd);
		EXPECT_EQ(do_copy(&from, ranges[i].from, &to, ranges[i].to, ranges[i].len,
				  EBPFS_COPY_CLONE, &n), err);
		EXPECT(twins("to", "twin"));
		if (!err)
			EXPECT_EQ(n, ranges[i].len ? ranges[i].len : 65536 - ranges[i].from);
		any |= !err;
	}
	if (!any)
		SKIP("files here cannot share blocks; seen was that this is told");
}

static int append(struct client *as, const struct fh *fh, const void *bytes, u32 len,
		  u64 *offset)
{
	struct ebpfs_call_info call = {
		.op = EBPFS_OP_APPEND, .fh = fh->bytes, .fh_len = fh->len, .cred = as->cred,
		.data = bytes, .data_len = len, .apart = len > 4096, .op_id = next_op_id(),
	};
	struct ebpfs_written w;
	int n = client_call(as, &call, &w, sizeof(w));

	if (n < 0)
		return n;
	*offset = le64_to_cpu(w.offset);
	return n == sizeof(w) ? (int)le32_to_cpu(w.count) : -EPROTO;
}

static void what_is_appended_is_at_the_end(void)
{
	struct fh fh = make("f", 0644);
	struct ebpfs_call_info call = {
		.op = EBPFS_OP_APPEND, .data = data, .data_len = 1000,
		.arg = 5,	/* does not count */
	};
	struct ebpfs_written w;
	u64 offset;

	EXPECT_EQ(change(&call, &fh, &w), 0);
	EXPECT_EQ(w.offset, 0);
	EXPECT_EQ(le32_to_cpu(w.count), 1000);
	EXPECT_EQ(le64_to_cpu(w.attr.size), 1000);
	EXPECT_EQ(append(&c, &fh, data + 1000, 60000, &offset), 60000);
	EXPECT_EQ(offset, 1000);
	EXPECT_EQ(append(&c, &fh, data + 61000, 1, &offset), 1);
	EXPECT_EQ(offset, 61000);
	fill("twin", 0, data, 61001);
	EXPECT_EQ(truncate(path("twin"), 61001), 0);
	EXPECT(twins("f", "twin"));
	/* Whoever moved the end, and whatever was looked for meanwhile. */
	EXPECT_EQ(do_truncate(&c, &fh, 10), 0);
	EXPECT_EQ(seek(&fh, 3, SEEK_HOLE), 10);
	EXPECT_EQ(append(&c, &fh, "x", 1, &offset), 1);
	EXPECT_EQ(offset, 10);
	EXPECT_EQ(truncate(path("f"), 1ll << 33), 0);
	EXPECT_EQ(seek(&fh, 0, SEEK_DATA), 0);
	EXPECT_EQ(append(&c, &fh, "y", 1, &offset), 1);
	EXPECT_EQ(offset, 1ull << 33);
	EXPECT_EQ(size_of("f"), (1ull << 33) + 1);
	EXPECT_EQ(do_read(&c, &fh, (1ull << 33) - 1, 10, buf), 2);
	EXPECT_MEM(buf, "\0y", 2);
	do_remove(&c, &root, "f", EBPFS_REMOVE_FILE);
}

static void appends_as_a_user(void)
{
	struct fh fh = make("f", 0600);
	struct stat st;
	u64 offset;

	c.cred = BOB;
	EXPECT_EQ(append(&c, &fh, "x", 1, &offset), -EACCES);
	EXPECT_EQ(size_of("f"), 0);
	c.cred = ROOT;
	/* As WRITE does. */
	EXPECT_EQ(do_chmod(&c, &fh, 06777), 0);
	c.cred = BOB;
	EXPECT_EQ(append(&c, &fh, "x", 1, &offset), 1);
	EXPECT_EQ(stat(path("f"), &st), 0);
	EXPECT_EQ(st.st_mode & 07777, 0777);
}

#define RECORDS	1000
#define RECORD	300

/* A record of @who that no other has. */
static void make_record(u8 *r, u32 who, u32 i)
{
	memset(r, (int)('a' + who), RECORD);
	r[RECORD - 1] = '\n';
	memcpy(r, &i, sizeof(i));
}

/* Append records through a session of its own, and look whether each is where the
 * reply says. Return: status of a process. */
static int append_records(const struct fh *fh, u32 who)
{
	static u8 r[RECORD], got[RECORD];
	int fd = open(path("f"), O_RDONLY);
	u64 offsets[RECORDS];
	struct client own;
	u32 i;

	if (!join(&own, *where == 'd' ? "/disk" : "/memory"))
		return 2;
	for (i = 0; i < RECORDS; i++) {
		make_record(r, who, i);
		if (append(&own, fh, r, RECORD, &offsets[i]) != RECORD)
			return 3;
	}
	for (i = 0; i < RECORDS; i++) {
		make_record(r, who, i);
		if (pread(fd, got, RECORD, (off_t)offsets[i]) != RECORD ||
		    memcmp(got, r, RECORD))
			return 4;
	}
	return 0;
}

static int append_here(u32 who)
{
	int fd = open(path("f"), O_WRONLY | O_APPEND);
	static u8 r[RECORD];
	u32 i;

	for (i = 0; i < RECORDS; i++) {
		make_record(r, who, i);
		if (write(fd, r, RECORD) != RECORD)
			return 5;
		nap(1);
	}
	return 0;
}

/* What looks for data moves the position of the descriptor that is appended through. */
static int seek_for_ever(const struct fh *fh)
{
	struct client own;

	if (!join(&own, *where == 'd' ? "/disk" : "/memory"))
		return 2;
	for (;;)
		do_op(&own, EBPFS_OP_SEEK, fh, 0, SEEK_DATA, buf, sizeof(buf));
}

/* Two clients and a program on the server: no record is lost, torn or misplaced. */
static void appends_do_not_overlap(void)
{
	struct fh fh = make("f", 0644);
	u32 seen[3][RECORDS] = { { 0 } }, who, i;
	static u8 r[RECORD], want[RECORD];
	pid_t pids[3], seeker;
	int fd, status;

	fflush(stdout);
	seeker = fork();
	if (!seeker) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		_exit(seek_for_ever(&fh));
	}
	for (who = 0; who < 3; who++) {
		pids[who] = fork();
		if (!pids[who]) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			_exit(who < 2 ? append_records(&fh, who) : append_here(who));
		}
	}
	for (who = 0; who < 3; who++) {
		status = -1;
		waitpid(pids[who], &status, 0);
		EXPECT_EQ(status, 0);
	}
	kill(seeker, SIGKILL);
	waitpid(seeker, &status, 0);
	EXPECT_EQ(status, SIGKILL);
	EXPECT_EQ(size_of("f"), 3 * RECORDS * RECORD);
	fd = open(path("f"), O_RDONLY);
	while (read(fd, r, RECORD) == RECORD) {
		memcpy(&i, r, sizeof(i));
		who = (u32)r[RECORD - 2] - 'a';
		ASSERT(who < 3 && i < RECORDS);
		make_record(want, who, i);
		EXPECT_MEM(r, want, RECORD);
		seen[who][i]++;
	}
	close(fd);
	for (who = 0; who < 3; who++)
		for (i = 0; i < RECORDS; i++)
			EXPECT_EQ(seen[who][i], 1);
}

/* An append that does not fit says how much of it is there. */
static void appends_that_do_not_fit(void)
{
	struct fh fh = make("f", 0644);
	u64 offset, size = 0;
	int n;

	do {
		n = append(&c, &fh, data, 65535, &offset);
		if (n < 0)
			break;
		EXPECT_EQ(offset, size);
		size += (u64)n;
		EXPECT_EQ(size_of("f"), size);
	} while (n > 0 && size < 64 * MIB);
	EXPECT_EQ(n, -ENOSPC);
	EXPECT(size > MIB && size % 65535);
	EXPECT_EQ(size_of("f"), size);
	EXPECT_EQ(do_truncate(&c, &fh, 0), 0);
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
	struct fh fh = make("f", 0644);
	struct ebpfs_call_info call = {
		.op = EBPFS_OP_APPEND, .data = data, .data_len = 100,
	};
	struct ebpfs_range range = {
		.len = cpu_to_le64(MIB), .mode = 0,
	};
	long long appends = daemon_stat(&daemon_, "calls_append"), allocates;
	struct ebpfs_written w, v;

	EXPECT_EQ(change(&call, &fh, &w), 0);
	EXPECT_EQ(again(&call, &v, sizeof(v)), -ETIMEDOUT);	/* GETATTRs took its slot */
	EXPECT_EQ(size_of("f"), 100);
	call.op_id = next_op_id();
	EXPECT_EQ(client_call(&c, &call, &w, sizeof(w)), sizeof(w));
	EXPECT_EQ(again(&call, &v, sizeof(v)), sizeof(v));
	EXPECT_MEM(&v, &w, sizeof(w));
	EXPECT_EQ(le64_to_cpu(v.offset), 100);
	EXPECT_EQ(size_of("f"), 200);
	EXPECT_EQ(daemon_stat(&daemon_, "calls_append"), appends + 2);

	allocates = daemon_stat(&daemon_, "calls_fallocate");
	call = (struct ebpfs_call_info){
		.op = EBPFS_OP_FALLOCATE, .fh = fh.bytes, .fh_len = fh.len,
		.op_id = next_op_id(), .data = (u8 *)&range, .data_len = sizeof(range),
	};
	EXPECT_EQ(client_call(&c, &call, &w, sizeof(w)), sizeof(w));
	EXPECT_EQ(truncate(path("f"), 0), 0);
	EXPECT_EQ(again(&call, &v, sizeof(v)), sizeof(v));
	EXPECT_EQ(size_of("f"), 0);
	EXPECT_EQ(daemon_stat(&daemon_, "calls_fallocate"), allocates + 1);
}

static void read_only_exports_stay_as_they_are(void)
{
	struct client rw;
	struct fh fh, r;
	u64 offset;
	u32 n;

	make("f", 0644);
	fill("f", 0, data, 1000);
	rw = c;
	c = *where == 'd' ? ro_disk : ro_memory;
	r = root_of(&c);
	EXPECT_EQ(do_lookup(&c, &r, "f", &fh, NULL), 0);
	EXPECT_EQ(allocate(&fh, 0, 0, MIB), -EROFS);
	EXPECT_EQ(do_copy(&fh, 0, &fh, 1000, 1000, 0, &n), -EROFS);
	EXPECT_EQ(append(&c, &fh, "x", 1, &offset), -EROFS);
	EXPECT_EQ(seek(&fh, 0, SEEK_HOLE), 1000);
	EXPECT_EQ(seek(&fh, 1000, SEEK_DATA), -ENXIO);
	*(*where == 'd' ? &ro_disk : &ro_memory) = c;
	c = rw;
	EXPECT_EQ(size_of("f"), 1000);
}

/* From now on the kernel answers copy_file_range() with @error, here and in the
 * daemon, which is started anew. */
static bool forbid_copy_file_range(unsigned int error)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_copy_file_range, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | error),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog prog = { ARRAY_SIZE(filter), filter };

	return EXPECT(daemon_stop(&daemon_)) &&
	       EXPECT_EQ(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog), 0) &&
	       EXPECT(daemon_start(&daemon_, daemon_args)) && join_all();
}

#define ON(export, name)						\
	static void name##_on_##export(void)				\
	{								\
		c = export;						\
		where = #export;					\
		root = root_of(&c);					\
		do_remove(&c, &root, "twin", EBPFS_REMOVE_FILE);	\
		name();							\
		c.cred = ROOT;						\
		export = c;						\
	}
#define BOTH(name) ON(disk, name) ON(memory, name)
#define TESTS(name) KTAP_TEST(name##_on_disk), KTAP_TEST(name##_on_memory)

BOTH(space_is_made_as_by_fallocate)
BOTH(ranges_that_cannot_be)
ON(memory, a_full_disk_is_told)
BOTH(holes_are_found_as_by_lseek)
BOTH(ranges_are_copied)
BOTH(one_file_is_copied_beside_itself_only)
ON(disk, large_copies_take_several_calls)
ON(memory, copies_that_do_not_fit)
BOTH(only_what_the_user_may_is_copied)
BOTH(clones_are_made_as_by_ficlonerange)
BOTH(what_is_appended_is_at_the_end)
BOTH(appends_as_a_user)
BOTH(appends_do_not_overlap)
ON(memory, appends_that_do_not_fit)
BOTH(repetitions_are_not_executed)
BOTH(read_only_exports_stay_as_they_are)

/* Must be the last: there is no way back. */
static void copies_are_made_by_hand_where_the_kernel_does_not(void)
{
	ASSERT(forbid_copy_file_range(EXDEV));
	ranges_are_copied_on_disk();
	one_file_is_copied_beside_itself_only_on_disk();
	large_copies_take_several_calls_on_disk();
	copies_that_do_not_fit_on_memory();
	only_what_the_user_may_is_copied_on_memory();
}

static const struct ktap_test tests[] = {
	TESTS(space_is_made_as_by_fallocate),
	TESTS(ranges_that_cannot_be),
	KTAP_TEST(a_full_disk_is_told_on_memory),
	TESTS(holes_are_found_as_by_lseek),
	TESTS(ranges_are_copied),
	TESTS(one_file_is_copied_beside_itself_only),
	KTAP_TEST(large_copies_take_several_calls_on_disk),
	KTAP_TEST(copies_that_do_not_fit_on_memory),
	TESTS(only_what_the_user_may_is_copied),
	TESTS(clones_are_made_as_by_ficlonerange),
	TESTS(what_is_appended_is_at_the_end),
	TESTS(appends_as_a_user),
	TESTS(appends_do_not_overlap),
	KTAP_TEST(appends_that_do_not_fit_on_memory),
	TESTS(repetitions_are_not_executed),
	TESTS(read_only_exports_stay_as_they_are),
	KTAP_TEST(copies_are_made_by_hand_where_the_kernel_does_not),
};

int main(int argc, char **argv)
{
	size_t i;

	set_up();
	for (i = 0; i < sizeof(data); i++)
		data[i] = (u8)((i * 2654435761u >> 13) | 1);
	daemon_args[1] = set_up_exports("8m", "listen = " ADDR "\nthreads = 2\n", secret);
	if (!daemon_args[1] || !daemon_start(&daemon_, daemon_args) || !join_all())
		return KTAP_EXIT_FAIL;
	return tear_down_exports(KTAP_MAIN(tests, argc, argv));
}
