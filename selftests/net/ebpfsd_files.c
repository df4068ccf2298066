// SPDX-License-Identifier: GPL-2.0
/*
 * ebpfsd's operations on files: what they return is what the exported
 * filesystem says, handles last and cannot be made up, and nothing outside the
 * export is reached.
 *
 * timeout: 300
 * native
 */
#include <dirent.h>
#include <sys/socket.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <linux/magic.h>

#include "ebpfsd_client.h"

#define ADDR	"127.0.0.1:20490"

static u8 secret[EBPFS_SECRET_LEN];
static struct client c;
static struct fh root;
static u8 buf[65536] __attribute__((aligned(8)));
static const char *daemon_args[] = { "-c", NULL, NULL };

static bool join(const char *export)
{
	if (c.fd > 0)
		client_close(&c);
	client_init(&c, ADDR, "alice", secret, export);
	if (!EXPECT_EQ(client_join(&c), 0))
		return false;
	root = root_of(&c);
	return true;
}

/* The file at @name in the export's root. */
static bool find(const char *name, struct fh *fh)
{
	if (EXPECT_EQ(do_lookup(&c, &root, name, fh, NULL), 0))
		return true;
	printf("# %s\n", name);
	return false;
}

static void same_attr(const char *path, const struct ebpfs_attr *a)
{
	struct statx sx;

	ASSERT_EQ(statx(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS | STATX_BTIME, &sx),
		  0);
	EXPECT_EQ(le64_to_cpu(a->ino), sx.stx_ino);
	EXPECT_EQ(le64_to_cpu(a->size), sx.stx_size);
	EXPECT_EQ(le64_to_cpu(a->blocks), sx.stx_blocks);
	EXPECT_EQ(le64_to_cpu(a->atime), sx.stx_atime.tv_sec);
	EXPECT_EQ(le64_to_cpu(a->mtime), sx.stx_mtime.tv_sec);
	EXPECT_EQ(le64_to_cpu(a->ctime), sx.stx_ctime.tv_sec);
	EXPECT_EQ(le32_to_cpu(a->atime_ns), sx.stx_atime.tv_nsec);
	EXPECT_EQ(le32_to_cpu(a->mtime_ns), sx.stx_mtime.tv_nsec);
	EXPECT_EQ(le32_to_cpu(a->ctime_ns), sx.stx_ctime.tv_nsec);
	if (sx.stx_mask & STATX_BTIME) {
		EXPECT_EQ(le64_to_cpu(a->btime), sx.stx_btime.tv_sec);
		EXPECT_EQ(le32_to_cpu(a->btime_ns), sx.stx_btime.tv_nsec);
	}
	EXPECT_EQ(le32_to_cpu(a->mode), sx.stx_mode);
	EXPECT_EQ(le32_to_cpu(a->nlink), sx.stx_nlink);
	EXPECT_EQ(le32_to_cpu(a->uid), sx.stx_uid);
	EXPECT_EQ(le32_to_cpu(a->gid), sx.stx_gid);
	EXPECT_EQ(le32_to_cpu(a->rdev_major), sx.stx_rdev_major);
	EXPECT_EQ(le32_to_cpu(a->rdev_minor), sx.stx_rdev_minor);
}

static const char *const kinds[] = {
	"file", "empty", "dir", "link", "fifo", "socket", "null", "hard",
};

static void make_kinds(void)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_DGRAM, 0);

	write_file(at("data/file"), 0640, "some text\n");
	write_file(at("data/empty"), 0600, "%s", "");
	mkdir(at("data/dir"), 0711);
	write_file(at("data/dir/inner"), 0644, "inner\n");
	EXPECT_EQ(symlink("somewhere/else", at("data/link")), 0);
	EXPECT_EQ(mkfifo(at("data/fifo"), 0666), 0);
	snprintf(un.sun_path, sizeof(un.sun_path), "%s/data/socket", work);
	EXPECT_EQ(bind(fd, (struct sockaddr *)&un, sizeof(un)), 0);
	close(fd);
	EXPECT_EQ(mknod(at("data/null"), S_IFCHR | 0666, makedev(1, 3)), 0);
	EXPECT_EQ(link(at("data/file"), at("data/hard")), 0);
	EXPECT_EQ(lchown(at("data/file"), 1234, 4321), 0);
}

static void attributes_are_the_files(void)
{
	struct ebpfs_attr attr;
	struct fh fh;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(kinds); i++) {
		memset(&attr, 0xff, sizeof(attr));
		ASSERT_EQ(do_lookup(&c, &root, kinds[i], &fh, &attr), 0);
		same_attr(at("data/%s", kinds[i]), &attr);
		memset(&attr, 0xff, sizeof(attr));
		EXPECT_EQ(do_getattr(&c, &fh, &attr), 0);
		same_attr(at("data/%s", kinds[i]), &attr);
	}
	EXPECT_EQ(do_getattr(&c, &root, &attr), 0);
	same_attr(at("data"), &attr);
}

static void change_differs_after_a_change(void)
{
	struct ebpfs_attr a, b;
	struct fh fh;

	write_file(at("data/changing"), 0644, "1");
	ASSERT(find("changing", &fh));
	EXPECT_EQ(do_getattr(&c, &fh, &a), 0);
	EXPECT_EQ(do_getattr(&c, &fh, &b), 0);
	EXPECT_EQ(a.change, b.change);
	nap(20);
	write_file(at("data/changing"), 0644, "2");
	EXPECT_EQ(do_getattr(&c, &fh, &b), 0);
	EXPECT(a.change != b.change);
	nap(20);
	chmod(at("data/changing"), 0600);
	EXPECT_EQ(do_getattr(&c, &fh, &a), 0);
	EXPECT(a.change != b.change);
}

/* LOOKUP of a name that wants @most bytes of contents: how many there were at @to. */
static int contents(const char *name, u32 most, u8 *to)
{
	struct ebpfs_call_info call = {
		.op = EBPFS_OP_LOOKUP, .fh = root.bytes, .fh_len = root.len,
		.name = (const u8 *)name, .name_len = (u16)strlen(name), .cred = c.cred,
		.count = most << EBPFS_FIRST_SHIFT,
	};
	struct ebpfs_entry_info e;
	int n = client_call(&c, &call, buf, sizeof(buf));

	if (!EXPECT(n > 0) || !EXPECT_EQ(ebpfs_parse_entry(buf, (u32)n, false, &e), 0))
		return -1;
	memcpy(to, buf + e.len, (size_t)n - e.len);
	return n - (int)e.len;
}

/* A filesystem that cannot say whether a read would wait has them read later: then there
 * are none. That they do come is fs/opening's to see. */
static void small_contents_come_with_the_name(void)
{
	static u8 got[EBPFS_FIRST_MAX + 1];
	static char longer[EBPFS_FIRST_MAX + 2];
	int n;

	EXPECT_EQ(contents("file", 0, got), 0);
	n = contents("file", 10, got);
	EXPECT(n == 0 || n == 10);
	if (n == 10)
		EXPECT_MEM(got, "some text\n", 10);
	/* All of them or none. */
	EXPECT_EQ(contents("file", 9, got), 0);
	EXPECT_EQ(contents("empty", EBPFS_FIRST_MAX, got), 0);
	EXPECT_EQ(contents("dir", EBPFS_FIRST_MAX, got), 0);
	EXPECT_EQ(contents("link", EBPFS_FIRST_MAX, got), 0);
	EXPECT_EQ(contents("fifo", EBPFS_FIRST_MAX, got), 0);
	memset(longer, 'x', EBPFS_FIRST_MAX);
	write_file(at("data/longer"), 0644, "%s", longer);
	n = contents("longer", EBPFS_FIRST_MAX, got);
	EXPECT(n == 0 || n == (int)EBPFS_FIRST_MAX);
	if (n)
		EXPECT_MEM(got, longer, EBPFS_FIRST_MAX);
	longer[EBPFS_FIRST_MAX] = 'x';
	write_file(at("data/longer"), 0644, "%s", longer);
	EXPECT_EQ(contents("longer", EBPFS_FIRST_MAX, got), 0);
}

static void lookups_fail_as_they_should(void)
{
	char longest[256];
	struct fh fh;

	memset(longest, 'n', 255);
	longest[255] = '\0';
	EXPECT_EQ(do_lookup(&c, &root, longest, &fh, NULL), -ENOENT);
	write_file(at("data/%s", longest), 0644, "x");
	EXPECT_EQ(do_lookup(&c, &root, longest, &fh, NULL), 0);
	EXPECT_EQ(do_lookup(&c, &root, "nothing", &fh, NULL), -ENOENT);
	EXPECT_EQ(do_lookup(&c, &root, "nothing", &fh, NULL), -ENOENT);
	ASSERT(find("file", &fh));
	EXPECT_EQ(do_lookup(&c, &fh, "x", &fh, NULL), -ENOTDIR);
	ASSERT(find("link", &fh));
	EXPECT_EQ(do_lookup(&c, &fh, "x", &fh, NULL), -ENOTDIR);
	ASSERT(find("dir", &fh));
	EXPECT_EQ(do_lookup(&c, &fh, "inner", &fh, NULL), 0);
	EXPECT_EQ(do_read(&c, &fh, 0, 100, buf), 6);
	EXPECT_MEM(buf, "inner\n", 6);
}

static void links_are_read_not_followed(void)
{
	char target[4096];
	struct fh fh;

	ASSERT(find("link", &fh));
	EXPECT_EQ(do_op(&c, EBPFS_OP_READLINK, &fh, 0, 0, buf, sizeof(buf)), 14);
	EXPECT_MEM(buf, "somewhere/else", 14);
	memset(target, 'l', 4095);
	target[4095] = '\0';
	if (!symlink(target, at("data/long-link"))) {
		ASSERT(find("long-link", &fh));
		EXPECT_EQ(do_op(&c, EBPFS_OP_READLINK, &fh, 0, 0, buf, sizeof(buf)), 4095);
		EXPECT_MEM(buf, target, 4095);
	}
	ASSERT(find("file", &fh));
	EXPECT_EQ(do_op(&c, EBPFS_OP_READLINK, &fh, 0, 0, buf, sizeof(buf)), -EINVAL);
}

static void reads_end_where_the_file_ends(void)
{
	struct fh fh;

	ASSERT(find("file", &fh));
	EXPECT_EQ(do_read(&c, &fh, 0, 5, buf), 5);
	EXPECT_MEM(buf, "some ", 5);
	EXPECT_EQ(c.flags, 0);
	EXPECT_EQ(do_read(&c, &fh, 0, 10, buf), 10);
	EXPECT_EQ(c.flags, EBPFS_REPLY_EOF);
	EXPECT_EQ(do_read(&c, &fh, 5, 65536, buf), 5);
	EXPECT_MEM(buf, "text\n", 5);
	EXPECT_EQ(c.flags, EBPFS_REPLY_EOF);
	EXPECT_EQ(do_read(&c, &fh, 10, 1, buf), 0);
	EXPECT_EQ(c.flags, EBPFS_REPLY_EOF);
	EXPECT_EQ(do_read(&c, &fh, 1ull << 40, 4096, buf), 0);
	EXPECT_EQ(c.flags, EBPFS_REPLY_EOF);
	ASSERT(find("empty", &fh));
	EXPECT_EQ(do_read(&c, &fh, 0, 4096, buf), 0);
	EXPECT_EQ(c.flags, EBPFS_REPLY_EOF);
}

/* The server learns of a new end at once, although it remembers the old one. */
static void a_growing_and_shrinking_file_is_seen(void)
{
	struct fh fh;
	int fd;

	write_file(at("data/grows"), 0644, "12345");
	ASSERT(find("grows", &fh));
	EXPECT_EQ(do_read(&c, &fh, 0, 100, buf), 5);
	EXPECT_EQ(c.flags, EBPFS_REPLY_EOF);
	fd = open(at("data/grows"), O_WRONLY | O_APPEND);
	EXPECT_EQ(write(fd, "67890", 5), 5);
	EXPECT_EQ(do_read(&c, &fh, 0, 100, buf), 10);
	EXPECT_EQ(do_read(&c, &fh, 0, 5, buf), 5);
	EXPECT_EQ(c.flags, 0);
	EXPECT_EQ(ftruncate(fd, 3), 0);
	EXPECT_EQ(do_read(&c, &fh, 0, 5, buf), 3);
	EXPECT_EQ(c.flags, EBPFS_REPLY_EOF);
	EXPECT_EQ(do_read(&c, &fh, 3, 5, buf), 0);
	EXPECT_EQ(c.flags, EBPFS_REPLY_EOF);
	close(fd);
}

static void a_sparse_tebibyte_is_read(void)
{
	static const u8 zeros[65536];
	u64 end = 1ull << 40;
	struct fh fh;
	int fd = open(at("data/sparse"), O_RDWR | O_CREAT, 0644);

	if (ftruncate(fd, (off_t)end)) {
		close(fd);
		SKIP("the filesystem under /var/tmp has no files of 1 TiB");
	}
	EXPECT_EQ(pwrite(fd, "end", 3, (off_t)end - 3), 3);
	close(fd);
	ASSERT(find("sparse", &fh));
	EXPECT_EQ(do_read(&c, &fh, 1ull << 39, 65536, buf), 65536);
	EXPECT_MEM(buf, zeros, 65536);
	EXPECT_EQ(c.flags, 0);
	EXPECT_EQ(do_read(&c, &fh, end - 8, 65536, buf), 8);
	EXPECT_MEM(buf, "\0\0\0\0\0end", 8);
	EXPECT_EQ(c.flags, EBPFS_REPLY_EOF);
	unlink(at("data/sparse"));
}

/* Nobody writes into the FIFO: whoever opens it waits for ever. */
static void only_regular_files_are_read(void)
{
	static const struct {
		const char *name;
		int error;
	} cases[] = {
		{ "dir", -EISDIR }, { "link", -EINVAL }, { "fifo", -EINVAL },
		{ "socket", -EINVAL }, { "null", -EINVAL },
	};
	struct fh fh;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		ASSERT(find(cases[i].name, &fh));
		if (!EXPECT_EQ(do_read(&c, &fh, 0, 10, buf), cases[i].error))
			printf("# %s\n", cases[i].name);
	}
}

/* What is not in memory is read without keeping others waiting. */
static void cold_reads_bring_the_same_bytes(void)
{
	static u8 want[1 << 20], got[65536];
	long long waited = daemon_stat(&daemon_, "read_waited");
	struct statfs fs;
	struct fh fh;
	size_t i;
	int fd = open(at("data/cold"), O_RDWR | O_CREAT, 0644);

	fstatfs(fd, &fs);
	if (fs.f_type == TMPFS_MAGIC) {
		close(fd);
		SKIP("/var/tmp is in memory");
	}
	for (i = 0; i < sizeof(want); i++)
		want[i] = (u8)(i * 2654435761u >> 11);
	ASSERT_EQ(write(fd, want, sizeof(want)), sizeof(want));
	ASSERT(find("cold", &fh));
	EXPECT_EQ(do_read(&c, &fh, 0, 1, got), 1);
	for (i = 0; i < sizeof(want) / 65536; i++) {
		fsync(fd);
		posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
		memset(got, 0, sizeof(got));
		EXPECT_EQ(do_read(&c, &fh, i * 65536, 65536, got), 65536);
		EXPECT_MEM(got, want + i * 65536, 65536);
		EXPECT_EQ(c.flags, i == 15 ? EBPFS_REPLY_EOF : 0);
	}
	close(fd);
	EXPECT(daemon_stat(&daemon_, "read_waited") > waited);
}

#define ENTRIES	100000

static u8 seen[ENTRIES];

/* One walk through @dir in pieces of @count bytes; how many entries of "f-N" there were. */
static unsigned int walk(const struct fh *dir, u32 count, unsigned int *dots)
{
	unsigned int number = 0, calls = 0, n;
	u64 cookie = 0;

	memset(seen, 0, sizeof(seen));
	*dots = 0;
	do {
		struct ebpfs_entry_info e;
		int len = do_op(&c, EBPFS_OP_READDIR, dir, cookie, count, buf, count), pos;

		if (!EXPECT(len >= 0) || !EXPECT(len || c.flags & EBPFS_REPLY_EOF) ||
		    !EXPECT(++calls < 10 * ENTRIES))
			return 0;
		for (pos = 0; pos < len; pos += e.len) {
			char name[256];

			if (!EXPECT_EQ(ebpfs_parse_entry(buf + pos, (u32)(len - pos), true, &e),
				       0))
				return 0;
			cookie = e.cookie;
			memcpy(name, e.name, e.name_len);
			name[e.name_len] = '\0';
			if (!strcmp(name, ".") || !strcmp(name, "..")) {
				(*dots)++;
				EXPECT_EQ(e.flags, 0);
				EXPECT_EQ(e.fh_len, 0);
				EXPECT(e.attr.ino);
				continue;
			}
			EXPECT_EQ(e.flags, EBPFS_ENTRY_ATTR);
			EXPECT_EQ(e.type, DT_REG);
			if (!EXPECT_EQ(sscanf(name, "f-%u", &n), 1) || !EXPECT(n < ENTRIES) ||
			    !EXPECT_EQ(seen[n], 0))
				return 0;
			seen[n] = 1;
			number++;
		}
	} while (!(c.flags & EBPFS_REPLY_EOF));
	return number;
}

static void a_large_directory_is_listed_whole(void)
{
	unsigned int dots, i;
	struct fh dir;
	u64 start;

	mkdir(at("data/large"), 0755);
	for (i = 0; i < ENTRIES; i++)
		close(open(at("data/large/f-%u", i), O_WRONLY | O_CREAT, 0644));
	ASSERT(find("large", &dir));
	start = clock_ms();
	EXPECT_EQ(walk(&dir, 65536, &dots), ENTRIES);
	EXPECT_EQ(dots, 2);
	printf("# %u entries in %llu ms\n", ENTRIES, (unsigned long long)(clock_ms() - start));
	for (i = 0; i < ENTRIES; i++)
		unlink(at("data/large/f-%u", i));
	rmdir(at("data/large"));
}

/* In small pieces, and while the directory changes: what stays is listed once. */
static void cookies_hold_while_a_directory_changes(void)
{
	unsigned int i, n, number = 0;
	struct ebpfs_entry_info e;
	struct fh dir;
	u64 cookie = 0;
	int len, pos;

	mkdir(at("data/changes"), 0755);
	for (i = 0; i < 2000; i++)
		write_file(at("data/changes/f-%u", i), 0644, "%u", i);
	ASSERT(find("changes", &dir));
	memset(seen, 0, sizeof(seen));
	for (i = 0; ; i++) {
		len = do_op(&c, EBPFS_OP_READDIR, &dir, cookie, 1000, buf, sizeof(buf));
		ASSERT(len >= 0);
		for (pos = 0; pos < len; pos += e.len) {
			char name[256] = "";

			ASSERT_EQ(ebpfs_parse_entry(buf + pos, (u32)(len - pos), true, &e), 0);
			cookie = e.cookie;
			memcpy(name, e.name, e.name_len);
			if (sscanf(name, "f-%u", &n) != 1 || n >= 1000)
				continue;
			EXPECT_EQ(seen[n], 0);
			seen[n] = 1;
			number++;
		}
		if (c.flags & EBPFS_REPLY_EOF)
			break;
		/* The upper thousand goes, others come. */
		if (i < 1000) {
			unlink(at("data/changes/f-%u", 1000 + i));
			write_file(at("data/changes/g-%u", i), 0644, "x");
		}
	}
	EXPECT_EQ(number, 1000);
}

#define SWAPS	200

/* Names come to mean each other's files, a while after nothing has happened, which is when
 * the daemon looks at names twice. */
static void keep_swapping(void)
{
	unsigned int i, seed = 1;
	char a[PATH_MAX];
	u64 start;

	for (;;) {
		nap(40);
		for (i = 0, start = clock_ms(); clock_ms() - start < 4; i++) {
			strcpy(a, at("data/swaps/f-%u", rand_r(&seed) % SWAPS));
			renameat2(AT_FDCWD, a, AT_FDCWD,
				  at("data/swaps/f-%u", rand_r(&seed) % SWAPS), RENAME_EXCHANGE);
		}
	}
}

/* Attributes and handle of every entry belong to one file, though names are swapped. */
static void an_entry_is_of_one_file(void)
{
	static struct fh known[SWAPS];
	static u64 inos[SWAPS];
	long long again = daemon_stat(&daemon_, "readdirs_again");
	unsigned int i, number, lists = 0, wrong = 0;
	struct ebpfs_entry_info e;
	u64 end = clock_ms() + 20000;
	struct ebpfs_attr attr;
	struct fh dir;
	int len, pos;
	pid_t pid;

	mkdir(at("data/swaps"), 0755);
	for (i = 0; i < SWAPS; i++)
		write_file(at("data/swaps/f-%u", i), 0644, "%u", i);
	ASSERT(find("swaps", &dir));
	for (i = 0; i < SWAPS; i++) {
		ASSERT_EQ(do_lookup(&c, &dir, strrchr(at("swaps/f-%u", i), '/') + 1, &known[i],
				    &attr), 0);
		inos[i] = le64_to_cpu(attr.ino);
	}
	pid = fork();
	if (!pid)
		keep_swapping();
	/* Until that happened often while a directory was read. */
	while (clock_ms() < end && daemon_stat(&daemon_, "readdirs_again") < again + 30) {
		for (len = -1; len < 0 && clock_ms() < end; )
			len = do_op(&c, EBPFS_OP_READDIR, &dir, 0, sizeof(buf), buf, sizeof(buf));
		for (pos = 0, number = 0; pos < len; pos += (int)e.len) {
			if (!EXPECT_EQ(ebpfs_parse_entry(buf + pos, (u32)(len - pos), true, &e), 0))
				break;
			if (e.name[0] == '.')
				continue;
			number++;
			for (i = 0; i < SWAPS && inos[i] != le64_to_cpu(e.attr.ino); )
				i++;
			wrong += i == SWAPS || e.fh_len != known[i].len ||
				 memcmp(e.fh, known[i].bytes, e.fh_len);
		}
		EXPECT_EQ(number, SWAPS);
		lists++;
	}
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	EXPECT_EQ(wrong, 0);
	EXPECT(daemon_stat(&daemon_, "readdirs_again") > again);
	printf("# read %u times, of which %lld again\n", lists,
	       daemon_stat(&daemon_, "readdirs_again") - again);
}

static void readdir_fails_as_it_should(void)
{
	struct fh fh;

	EXPECT_EQ(do_op(&c, EBPFS_OP_READDIR, &root, 0, 100, buf, sizeof(buf)), -EINVAL);
	EXPECT_EQ(do_op(&c, EBPFS_OP_READDIR, &root, ~0ull, 4096, buf, sizeof(buf)), -EINVAL);
	ASSERT(find("file", &fh));
	EXPECT_EQ(do_op(&c, EBPFS_OP_READDIR, &fh, 0, 4096, buf, sizeof(buf)), -ENOTDIR);
}

/* Entries bring the same handles and attributes as LOOKUP; ".." of the root is the root. */
static void entries_are_as_looked_up(void)
{
	struct ebpfs_entry_info e;
	struct ebpfs_attr attr;
	unsigned int number = 0;
	struct stat st;
	struct fh fh;
	int len, pos;

	stat(at("data"), &st);
	len = do_op(&c, EBPFS_OP_READDIR, &root, 0, 65536, buf, sizeof(buf));
	ASSERT(len > 0);
	EXPECT_EQ(c.flags, EBPFS_REPLY_EOF);
	for (pos = 0; pos < len; pos += e.len) {
		static u8 copy[65536];
		char name[256] = "";

		memcpy(copy, buf, sizeof(copy));
		ASSERT_EQ(ebpfs_parse_entry(copy + pos, (u32)(len - pos), true, &e), 0);
		memcpy(name, e.name, e.name_len);
		if (name[0] == '.') {
			EXPECT_EQ(le64_to_cpu(e.attr.ino), st.st_ino);
			continue;
		}
		ASSERT_EQ(do_lookup(&c, &root, name, &fh, &attr), 0);
		EXPECT_EQ(e.fh_len, fh.len);
		EXPECT_MEM(e.fh, fh.bytes, fh.len);
		EXPECT_MEM(&e.attr, &attr, sizeof(attr));
		EXPECT_EQ(e.type, le32_to_cpu(attr.mode) >> 12);
		number++;
	}
	EXPECT(number >= ARRAY_SIZE(kinds));
}

static void statfs_is_the_filesystems(void)
{
	struct ebpfs_statfs st;
	struct statfs fs;

	EXPECT_EQ(do_op(&c, EBPFS_OP_STATFS, &root, 0, 0, &st, sizeof(st)), sizeof(st));
	statfs(work, &fs);
	EXPECT(st.blocks);
	EXPECT_EQ(le64_to_cpu(st.blocks), fs.f_blocks);
	EXPECT_EQ(le32_to_cpu(st.bsize), fs.f_frsize);
	EXPECT_EQ(le64_to_cpu(st.files), fs.f_files);
	EXPECT_EQ(le32_to_cpu(st.namelen), 255);
}

static void handles_cannot_be_made_up(void)
{
	struct ebpfs_attr attr;
	struct fh fh, bad;
	u16 i;

	ASSERT(find("file", &fh));
	for (i = 0; i < fh.len; i++) {
		bad = fh;
		bad.bytes[i] ^= 0x10;
		EXPECT_EQ(do_getattr(&c, &bad, &attr), -ESTALE);
		EXPECT_EQ(do_read(&c, &bad, 0, 1, buf), -ESTALE);
	}
	for (i = 1; i < fh.len; i++) {
		bad = fh;
		bad.len = i;
		EXPECT_EQ(do_getattr(&c, &bad, &attr), -ESTALE);
	}
	bad = fh;
	memset(bad.bytes + fh.len, 0, sizeof(bad.bytes) - fh.len);
	bad.len = EBPFS_FH_MAX;
	EXPECT_EQ(do_getattr(&c, &bad, &attr), -ESTALE);
	EXPECT_EQ(do_getattr(&c, &fh, &attr), 0);
	EXPECT(daemon_stat(&daemon_, "bad_handles") > 0);
}

/* The other export is a directory of the same filesystem: the inode could be opened. */
static void handles_hold_for_their_export_only(void)
{
	struct ebpfs_attr attr;
	struct fh fh;

	ASSERT(find("file", &fh));
	ASSERT(join("/inner"));
	EXPECT_EQ(do_getattr(&c, &fh, &attr), -ESTALE);
	EXPECT_EQ(do_getattr(&c, &root, &attr), 0);
	EXPECT_EQ(le64_to_cpu(attr.ino),
		  ({ struct stat st; stat(at("data/dir"), &st); st.st_ino; }));
	ASSERT(join("/data"));
	EXPECT_EQ(do_getattr(&c, &fh, &attr), 0);
}

static void mounts_inside_are_not_seen(void)
{
	struct fh dir, fh;

	ASSERT(find("mounted", &dir));
	EXPECT_EQ(do_lookup(&c, &dir, "above", &fh, NULL), -ENOENT);
	EXPECT_EQ(do_lookup(&c, &dir, "beneath", &fh, NULL), 0);
	/* Not one that comes later, either. */
	EXPECT_EQ(mount("none", at("data/dir"), "tmpfs", 0, NULL), 0);
	write_file(at("data/dir/above"), 0644, "secret");
	ASSERT(find("dir", &dir));
	EXPECT_EQ(do_lookup(&c, &dir, "above", &fh, NULL), -ENOENT);
	EXPECT_EQ(do_lookup(&c, &dir, "inner", &fh, NULL), 0);
	umount(at("data/dir"));
}

static void a_removed_file_is_stale(void)
{
	struct ebpfs_attr attr;
	struct fh fh, dir;
	u64 end = clock_ms() + 5000;
	int err;

	write_file(at("data/goes"), 0644, "going");
	ASSERT(find("goes", &fh));
	EXPECT_EQ(do_read(&c, &fh, 0, 100, buf), 5);
	unlink(at("data/goes"));
	/* Within the time that an open file may go unchecked. */
	while (!(err = do_getattr(&c, &fh, &attr)) && clock_ms() < end)
		nap(100);
	EXPECT_EQ(err, -ESTALE);
	EXPECT_EQ(do_read(&c, &fh, 0, 100, buf), -ESTALE);

	mkdir(at("data/goes-too"), 0755);
	ASSERT(find("goes-too", &dir));
	rmdir(at("data/goes-too"));
	end = clock_ms() + 5000;
	while ((err = do_op(&c, EBPFS_OP_READDIR, &dir, 0, 4096, buf, sizeof(buf))) >= 0 &&
	       clock_ms() < end)
		nap(100);
	EXPECT(err == -ESTALE || err == -ENOENT);
}

/* Nobody uses it: its space must not stay taken. */
static void the_space_of_a_removed_file_is_freed(void)
{
	long long open_files;
	u64 end;
	struct fh fh;

	write_file(at("data/space"), 0644, "space");
	ASSERT(find("space", &fh));
	EXPECT_EQ(do_read(&c, &fh, 0, 100, buf), 5);
	EXPECT(daemon_stat(&daemon_, "files") > 0);
	unlink(at("data/space"));
	end = clock_ms() + 12000;
	while ((open_files = daemon_stat(&daemon_, "files")) > 0 && clock_ms() < end)
		nap(200);
	EXPECT_EQ(open_files, 0);
}

static void handles_survive_a_restart(void)
{
	static u8 before[65536];
	struct fh fh, dir;
	u64 instance;

	ASSERT(find("file", &fh));
	ASSERT(find("dir", &dir));
	EXPECT_EQ(do_read(&c, &fh, 0, 100, before), 10);
	instance = c.s.server_instance;
	EXPECT(daemon_stop(&daemon_));
	ASSERT(daemon_start(&daemon_, daemon_args));
	ASSERT(join("/data"));
	EXPECT(c.s.server_instance != instance);
	EXPECT_EQ(do_read(&c, &fh, 0, 100, buf), 10);
	EXPECT_MEM(buf, before, 10);
	EXPECT_EQ(do_lookup(&c, &dir, "inner", &fh, NULL), 0);
}

static const struct ktap_test tests[] = {
	KTAP_TEST(attributes_are_the_files),
	KTAP_TEST(change_differs_after_a_change),
	KTAP_TEST(small_contents_come_with_the_name),
	KTAP_TEST(lookups_fail_as_they_should),
	KTAP_TEST(links_are_read_not_followed),
	KTAP_TEST(reads_end_where_the_file_ends),
	KTAP_TEST(a_growing_and_shrinking_file_is_seen),
	KTAP_TEST(a_sparse_tebibyte_is_read),
	KTAP_TEST(only_regular_files_are_read),
	KTAP_TEST(cold_reads_bring_the_same_bytes),
	KTAP_TEST(readdir_fails_as_it_should),
	KTAP_TEST(entries_are_as_looked_up),
	KTAP_TEST(a_large_directory_is_listed_whole),
	KTAP_TEST(cookies_hold_while_a_directory_changes),
	KTAP_TEST(an_entry_is_of_one_file),
	KTAP_TEST(statfs_is_the_filesystems),
	KTAP_TEST(handles_cannot_be_made_up),
	KTAP_TEST(handles_hold_for_their_export_only),
	KTAP_TEST(mounts_inside_are_not_seen),
	KTAP_TEST(a_removed_file_is_stale),
	KTAP_TEST(the_space_of_a_removed_file_is_freed),
	KTAP_TEST(handles_survive_a_restart),
};

int main(int argc, char **argv)
{
	int ret;

	set_up();
	mkdir(at("data"), 0755);
	make_kinds();
	mkdir(at("data/mounted"), 0755);
	write_file(at("data/mounted/beneath"), 0644, "beneath");
	if (mount("none", at("data/mounted"), "tmpfs", 0, NULL))
		return KTAP_EXIT_FAIL;
	write_file(at("data/mounted/above"), 0644, "above");
	add_client(at("clients"), "alice", secret);
	write_file(at("conf"), 0644,
		   "listen = " ADDR "\nclients = %s/clients\nstate-dir = %s/state\n"
		   "[export /data]\npath = %s/data\nclients = alice\nsquash = none\n"
		   "[export /inner]\npath = %s/data/dir\nclients = alice\nsquash = none\n",
		   work, work, work, work);
	daemon_args[1] = strdup(at("conf"));
	if (!daemon_start(&daemon_, daemon_args) || !join("/data"))
		return KTAP_EXIT_FAIL;
	ret = KTAP_MAIN(tests, argc, argv);
	if (!daemon_stop(&daemon_))
		ret = KTAP_EXIT_FAIL;
	umount(at("data/mounted"));
	return ret;
}
