// SPDX-License-Identifier: GPL-2.0
/*
 * Calls that must not be executed twice, and an ebpfsd that is killed over them: by
 * itself (EBPFSD_TEST_DIE), between two steps of a call. The client makes the call anew
 * in a new session with the next ebpfsd, and what comes out must be what one execution
 * gives: no EEXIST for what the call made itself, no ENOENT for what it removed, and
 * nothing undone that others did since.
 *
 * ONCE_SEED=N repeats the random calls of a run; with ONCE_TMPFS=1 the export is one.
 *
 * timeout: 400
 * native
 */
#include <dirent.h>
#include <sys/sysmacros.h>

#include "ebpfsd_once.h"

#define EXCL	EBPFS_CREATE_EXCL
#define NAMES	12
#define RANDOM_OPS	600
#define RECORDS	2048	/* of a client's log, userspace/ebpfsd/intent.c */

static bool exists(const char *path)
{
	struct stat st;

	return !lstat(path, &st);
}

static ino_t ino_of(const char *path)
{
	struct stat st;

	return lstat(path, &st) ? 0 : st.st_ino;
}

static void prepare_link(struct change *ch, const struct fh *file, const struct fh *dir,
			 const char *name)
{
	prepare(&c, ch, EBPFS_OP_LINK, file, NULL);
	put_target(ch, dir, name);
}

static void prepare_setattr(struct change *ch, const struct fh *file, u32 valid, u32 mode, u64 size)
{
	struct ebpfs_setattr a = {
		.valid = cpu_to_le32(valid), .mode = cpu_to_le32(mode), .size = cpu_to_le64(size),
	};

	prepare(&c, ch, EBPFS_OP_SETATTR, file, NULL);
	memcpy(ch->data, &a, sizeof(a));
	set_data(ch, sizeof(a));
}

static void prepare_writeattr(struct change *ch, const struct fh *file, u32 mode, s64 mtime,
			      const char *bytes)
{
	static struct ebpfs_setattr a;

	a = (struct ebpfs_setattr){
		.valid = cpu_to_le32(EBPFS_SET_MODE | EBPFS_SET_MTIME),
		.mode = cpu_to_le32(mode), .mtime = cpu_to_le64((u64)mtime),
	};
	prepare(&c, ch, EBPFS_OP_WRITEATTR, file, NULL);
	ch->call.attr = (const u8 *)&a;
	ch->call.count = EBPFS_WRITE_STABLE;
	memcpy(ch->data, bytes, strlen(bytes));
	set_data(ch, (u32)strlen(bytes));
}

static void prepare_make(struct change *ch, const struct fh *dir, const char *name, u32 mode)
{
	const char *target = "there/it/is";

	prepare_create(&c, ch, dir, name, mode, 022, EXCL);
	if (S_ISLNK(mode)) {
		((struct ebpfs_create *)ch->data)->target_len = cpu_to_le32((u32)strlen(target));
		memcpy(ch->data + sizeof(struct ebpfs_create), target, strlen(target));
		set_data(ch, sizeof(struct ebpfs_create) + (u32)strlen(target));
	} else if (S_ISCHR(mode)) {
		((struct ebpfs_create *)ch->data)->rdev_major = cpu_to_le32(1);
		((struct ebpfs_create *)ch->data)->rdev_minor = cpu_to_le32(3);
	}
}

/* The file of an entry in @buf. */
static ino_t entry_ino(int n, struct fh *fh)
{
	struct ebpfs_attr attr = { 0 };

	if (!EXPECT(n > 0) || take_entry(buf, n, fh, &attr))
		return 0;
	return (ino_t)le64_to_cpu(attr.ino);
}

static unsigned int count_dir(const char *path)
{
	DIR *d = opendir(path);
	unsigned int n = 0;
	struct dirent *e;

	while (d && (e = readdir(d))) {
		EXPECT(strncmp(e->d_name, ".ebpfsd", 7));
		n += strcmp(e->d_name, ".") && strcmp(e->d_name, "..");
	}
	if (d)
		closedir(d);
	return n;
}

/* One case of each kind: what is there before, the call, and what must be there then. */
enum kind {
	MAKE_FILE, MAKE_DIR, MAKE_FIFO, MAKE_LINK, MAKE_DEVICE, REMOVE_FILE, REMOVE_DIR,
	RENAME, RENAME_OVER, RENAME_NEW, RENAME_BOTH, RENAME_DIR, LINK, CHMOD, TRUNCATE,
	WRITE_ATTR, KINDS
};

static const u32 modes[] = {
	[MAKE_FILE] = S_IFREG | 0666, [MAKE_DIR] = S_IFDIR | 0777, [MAKE_FIFO] = S_IFIFO | 0666,
	[MAKE_LINK] = S_IFLNK | 0777, [MAKE_DEVICE] = S_IFCHR | 0666,
};

static void one_case(enum kind kind, int point)
{
	static unsigned int number;
	char name[32], path[PATH_MAX], a[PATH_MAX], b[PATH_MAX];
	ino_t a_ino, b_ino = 0;
	unsigned int names, before;
	struct fh dir, file;
	struct change ch;
	struct stat st;
	int n;

	snprintf(name, sizeof(name), "case%u", number++);
	snprintf(path, sizeof(path), "%s/data/%s", work, name);
	snprintf(a, sizeof(a), "%.4000s/a", path);
	snprintf(b, sizeof(b), "%.4000s/b", path);
	mkdir(path, 0755);
	if (kind == REMOVE_DIR || kind == RENAME_DIR)
		mkdir(a, 0755);
	else if (kind >= REMOVE_FILE)
		write_file(a, 0644, "hundred%93s", "");
	if (kind == RENAME_OVER || kind == RENAME_BOTH)
		write_file(b, 0644, "another");
	a_ino = ino_of(a);
	b_ino = ino_of(b);

	live(point, 1);
	EXPECT_EQ(do_lookup(&c, &root, name, &dir, NULL), 0);
	if (kind >= REMOVE_FILE)
		EXPECT_EQ(do_lookup(&c, &dir, "a", &file, NULL), 0);
	switch (kind) {
	case REMOVE_FILE:
	case REMOVE_DIR:
		prepare(&c, &ch, EBPFS_OP_REMOVE, &dir, "a");
		ch.call.arg = kind == REMOVE_DIR ? EBPFS_REMOVE_DIR : EBPFS_REMOVE_FILE;
		break;
	case RENAME_NEW:
		prepare_rename(&c, &ch, &dir, "a", &dir, "b", RENAME_NOREPLACE);
		break;
	case RENAME_BOTH:
		prepare_rename(&c, &ch, &dir, "a", &dir, "b", RENAME_EXCHANGE);
		break;
	case RENAME:
	case RENAME_OVER:
	case RENAME_DIR:
		prepare_rename(&c, &ch, &dir, "a", &dir, "b", 0);
		break;
	case LINK:
		prepare_link(&ch, &file, &dir, "b");
		break;
	case CHMOD:
		prepare_setattr(&ch, &file, EBPFS_SET_MODE, 04711, 0);
		break;
	case TRUNCATE:
		prepare_setattr(&ch, &file, EBPFS_SET_SIZE, 0, 10);
		break;
	case WRITE_ATTR:
		prepare_writeattr(&ch, &file, 0755, 77, "ten bytes.");
		break;
	default:
		prepare_make(&ch, &dir, "a", modes[kind]);
		break;
	}
	before = deaths;
	n = persist(&ch, buf, sizeof(buf));
	if (n < 0 || deaths != before + 1)
		printf("# kind %d, point %s: status %d, %u deaths\n", kind, points[point], n,
		       deaths - before);
	EXPECT(n >= 0);
	EXPECT_EQ(deaths, before + 1);
	names = count_dir(path);
	switch (kind) {
	case REMOVE_FILE:
	case REMOVE_DIR:
		EXPECT_EQ(names, 0);
		break;
	case RENAME:
	case RENAME_OVER:
	case RENAME_NEW:
	case RENAME_DIR:
		EXPECT_EQ(names, 1);
		EXPECT_EQ(ino_of(b), a_ino);
		break;
	case RENAME_BOTH:
		EXPECT_EQ(names, 2);
		EXPECT_EQ(ino_of(b), a_ino);
		EXPECT_EQ(ino_of(a), b_ino);
		break;
	case LINK:
		EXPECT_EQ(names, 2);
		EXPECT_EQ(ino_of(b), a_ino);
		EXPECT_EQ(lstat(b, &st), 0);
		EXPECT_EQ(st.st_nlink, 2);
		EXPECT_EQ(le32_to_cpu(((struct ebpfs_attr *)buf)->nlink), 2);
		break;
	case CHMOD:
		EXPECT_EQ(lstat(a, &st), 0);
		EXPECT_EQ(st.st_mode & 07777, 04711);
		break;
	case TRUNCATE:
		EXPECT_EQ(lstat(a, &st), 0);
		EXPECT_EQ(st.st_size, 10);
		EXPECT_EQ(le64_to_cpu(((struct ebpfs_written *)buf)->attr.size), 10);
		break;
	case WRITE_ATTR:
		EXPECT_EQ(lstat(a, &st), 0);
		EXPECT_EQ(st.st_mode & 07777, 0755);
		EXPECT_EQ(st.st_mtime, 77);
		EXPECT_EQ(st.st_size, 100);
		EXPECT_EQ(le32_to_cpu(((struct ebpfs_written *)buf)->count), 10);
		EXPECT_EQ(le64_to_cpu(((struct ebpfs_written *)buf)->attr.mtime), 77);
		break;
	default:
		EXPECT_EQ(names, 1);
		EXPECT_EQ(lstat(a, &st), 0);
		EXPECT_EQ(entry_ino(n, &file), st.st_ino);
		EXPECT_EQ(st.st_mode, S_ISLNK(modes[kind]) ? modes[kind] : modes[kind] & ~022);
		EXPECT_EQ(do_getattr(&c, &file, (struct ebpfs_attr *)buf), 0);
		break;
	}
	end_life();
}

/* Done, and then others were here: what they wrote and set stays. */
static void attributes_with_bytes_are_set_once(void)
{
	static const int when[] = { MADE, EXECUTED, RESULT };
	struct change ch;
	struct stat st;
	struct fh file;
	char text[8];
	size_t i;
	int fd;

	for (i = 0; i < ARRAY_SIZE(when); i++) {
		write_file(at("data/shared"), 0600, "%s", "");
		live(when[i], 1);
		ASSERT_EQ(do_lookup(&c, &root, "shared", &file, NULL), 0);
		prepare_writeattr(&ch, &file, 0644, 77, "mine");
		ASSERT_EQ(try_call(&ch, buf, sizeof(buf)), -EPIPE);
		/* Nothing was noted before, so it is done again. */
		if (when[i] != MADE) {
			EXPECT_EQ(chmod(at("data/shared"), 0600), 0);
			fd = open(at("data/shared"), O_WRONLY | O_CLOEXEC);
			EXPECT_EQ(write(fd, "theirs", 6), 6);
			close(fd);
		}
		live(-1, 0);
		EXPECT_EQ(try_call(&ch, buf, sizeof(buf)), sizeof(struct ebpfs_written));
		EXPECT_EQ(stat(at("data/shared"), &st), 0);
		EXPECT_EQ(st.st_mode & 07777, when[i] == MADE ? 0644 : 0600);
		fd = open(at("data/shared"), O_RDONLY | O_CLOEXEC);
		EXPECT_EQ(read(fd, text, sizeof(text)), when[i] == MADE ? 4 : 6);
		EXPECT_MEM(text, "theirs", when[i] == MADE ? 0 : 6);
		close(fd);
		end_life();
	}
}

static void each_kind_at(int point)
{
	int kind;

	for (kind = 0; kind < KINDS; kind++)
		one_case(kind, point);
}

static void killed_before_it_is_done(void) { each_kind_at(INTENT); }
static void killed_before_the_result_is_noted(void) { each_kind_at(EXECUTED); }
static void killed_before_the_reply(void) { each_kind_at(RESULT); }

static void killed_before_it_has_its_name(void)
{
	int kind;

	/* A file without a name has none to be killed over. */
	for (kind = MAKE_DIR; kind <= MAKE_DEVICE; kind++)
		one_case(kind, MADE);
}

/* What is left half made goes with the next start, be the call repeated or not. */
static void nothing_is_left_over(void)
{
	struct change ch;
	struct fh dir;
	int kind;

	mkdir(at("data/left"), 0755);
	for (kind = MAKE_DIR; kind <= MAKE_DEVICE; kind++) {
		live(MADE, 1);
		ASSERT_EQ(do_lookup(&c, &root, "left", &dir, NULL), 0);
		prepare_make(&ch, &dir, "never", modes[kind]);
		EXPECT_EQ(try_call(&ch, buf, sizeof(buf)), -EPIPE);
		live(-1, 0);
		EXPECT_EQ(count_dir(at("data/left")), 0);
		end_life();
	}
}

/* Killed again and again over one call, before and after it is done. */
static void several_lives(void)
{
	static const int ways[][5] = {
		{ INTENT, INTENT, EXECUTED, -1 }, { INTENT, RESULT, -1 },
		{ INTENT, MADE, INTENT, MADE, EXECUTED },
	};
	char name[32];
	struct fh dir, fh;
	struct change ch;
	size_t i, j;
	ino_t ino;
	u32 mode;
	int n;

	mkdir(at("data/lives"), 0755);
	for (i = 0; i < 2 * ARRAY_SIZE(ways); i++) {
		const int *way = ways[i / 2];

		mode = i % 2 || i / 2 == 2 ? S_IFDIR | 0755 : S_IFREG | 0644;
		snprintf(name, sizeof(name), "n%zu", i);
		live(way[0], 1);
		ASSERT_EQ(do_lookup(&c, &root, "lives", &dir, NULL), 0);
		prepare_make(&ch, &dir, name, mode);
		for (j = 0; j < 5 && way[j] >= 0; j++) {
			if (j)
				live(way[j], 1);
			ASSERT_EQ(try_call(&ch, buf, sizeof(buf)), -EPIPE);
		}
		/* The answer is the same in each session from now on. */
		live(-1, 0);
		n = try_call(&ch, buf, sizeof(buf));
		ino = entry_ino(n, &fh);
		EXPECT_EQ(ino, ino_of(at("data/lives/%s", name)));
		end_life();
		live(-1, 0);
		n = try_call(&ch, buf, sizeof(buf));
		EXPECT_EQ(entry_ino(n, &fh), ino);
		EXPECT_EQ(count_dir(at("data/lives")), i + 1);
		end_life();
	}
}

/* A session that ends without a crash is no reason to do it twice, either. */
static void another_session(void)
{
	struct change ch, other;
	struct fh fh;
	ino_t ino;

	live(-1, 0);
	prepare_make(&ch, &root, "session", S_IFREG | 0644);
	ino = entry_ino(try_call(&ch, buf, sizeof(buf)), &fh);
	client_close(&c);
	client_init(&c, ADDR, "alice", secret, "/data");
	ASSERT_EQ(client_join(&c), 0);
	EXPECT_EQ(entry_ino(try_call(&ch, buf, sizeof(buf)), &fh), ino);
	/* Not that of another client, of another export, or another call. */
	client_close(&c);
	client_init(&c, ADDR, "bob", secret, "/data");
	ASSERT_EQ(client_join(&c), 0);
	EXPECT_EQ(try_call(&ch, buf, sizeof(buf)), -EEXIST);
	client_close(&c);
	client_init(&c, ADDR, "alice", secret, "/data");
	ASSERT_EQ(client_join(&c), 0);
	prepare_make(&other, &root, "session2", S_IFREG | 0644);
	other.call.op_id = ch.call.op_id;
	EXPECT(entry_ino(try_call(&other, buf, sizeof(buf)), &fh) != ino);
	EXPECT(exists(at("data/session2")));
	end_life();
}

/* Without its log it would be done twice: the tests above see that. */
static void the_log_is_what_does_it(void)
{
	struct change ch;
	char path[PATH_MAX];
	DIR *d;
	struct dirent *e;
	unsigned int found = 0;
	int fd;

	live(EXECUTED, 1);
	prepare_make(&ch, &root, "logless", S_IFREG | 0644);
	ASSERT_EQ(try_call(&ch, buf, sizeof(buf)), -EPIPE);
	d = opendir(at("state"));
	while (d && (e = readdir(d))) {
		if (strncmp(e->d_name, "intent-", 7))
			continue;
		found++;
		snprintf(path, sizeof(path), "%s/state/%s", work, e->d_name);
	}
	closedir(d);
	ASSERT_EQ(found, 1);
	/* As if the machine had booted since. */
	fd = open(path, O_RDWR | O_CLOEXEC);
	EXPECT_EQ(pwrite(fd, "another boot", 12, 8), 12);
	close(fd);
	live(-1, 0);
	EXPECT_EQ(try_call(&ch, buf, sizeof(buf)), -EEXIST);
	end_life();
	/* And a file of nonsense is no reason not to start. */
	fd = open(path, O_RDWR | O_CLOEXEC);
	for (off_t at = 8192; at < 8192 + RECORDS * 512; at += 512) {
		u64 noise[64];
		size_t i;

		for (i = 0; i < ARRAY_SIZE(noise); i++)
			noise[i] = (u64)draw(1u << 31) << 32 | draw(1u << 31);
		EXPECT_EQ(pwrite(fd, noise, sizeof(noise), at), sizeof(noise));
	}
	close(fd);
	live(-1, 0);
	EXPECT_EQ(try_call(&ch, buf, sizeof(buf)), -EEXIST);
	end_life();
}

/* What others do between the crash and the repetition stays. */
static void others_were_here(void)
{
	struct fh dir, file;
	struct change ch;
	struct stat st;
	ino_t ino;

	mkdir(at("data/others"), 0755);

	/* Moved on by others: still the same file, and no second. */
	live(EXECUTED, 1);
	ASSERT_EQ(do_lookup(&c, &root, "others", &dir, NULL), 0);
	prepare_make(&ch, &dir, "moved", S_IFREG | 0644);
	ASSERT_EQ(try_call(&ch, buf, sizeof(buf)), -EPIPE);
	ino = ino_of(at("data/others/moved"));
	ASSERT_EQ(rename(at("data/others/moved"), at("data/others/elsewhere")), 0);
	live(EXECUTED, 1);
	EXPECT_EQ(entry_ino(try_call(&ch, buf, sizeof(buf)), &file), ino);
	EXPECT(!exists(at("data/others/moved")));

	/* Removed, and made anew by others. */
	prepare(&c, &ch, EBPFS_OP_REMOVE, &dir, "elsewhere");
	ASSERT_EQ(try_call(&ch, buf, sizeof(buf)), -EPIPE);
	write_file(at("data/others/elsewhere"), 0644, "new");
	live(EXECUTED, 1);
	EXPECT_EQ(try_call(&ch, buf, sizeof(buf)), 0);
	EXPECT(exists(at("data/others/elsewhere")));

	/* Renamed; the old name is another file's now. */
	ino = ino_of(at("data/others/elsewhere"));
	prepare_rename(&c, &ch, &dir, "elsewhere", &dir, "here", 0);
	ASSERT_EQ(try_call(&ch, buf, sizeof(buf)), -EPIPE);
	write_file(at("data/others/elsewhere"), 0644, "newer");
	live(EXECUTED, 1);
	EXPECT_EQ(try_call(&ch, buf, sizeof(buf)), 0);
	EXPECT(exists(at("data/others/elsewhere")));
	EXPECT_EQ(ino_of(at("data/others/here")), ino);

	/* Renamed, and the new name replaced. */
	prepare_rename(&c, &ch, &dir, "elsewhere", &dir, "here", 0);
	ASSERT_EQ(try_call(&ch, buf, sizeof(buf)), -EPIPE);
	write_file(at("data/others/tmp"), 0644, "newest");
	ino = ino_of(at("data/others/tmp"));
	ASSERT_EQ(rename(at("data/others/tmp"), at("data/others/here")), 0);
	live(EXECUTED, 1);
	EXPECT_EQ(try_call(&ch, buf, sizeof(buf)), 0);
	EXPECT_EQ(ino_of(at("data/others/here")), ino);

	/* Made, with the result on record, and removed by others: not made again. */
	end_life();
	live(RESULT, 1);
	prepare_make(&ch, &dir, "short", S_IFREG | 0644);
	ASSERT_EQ(try_call(&ch, buf, sizeof(buf)), -EPIPE);
	ino = ino_of(at("data/others/short"));
	ASSERT_EQ(unlink(at("data/others/short")), 0);
	live(EXECUTED, 1);
	EXPECT_EQ(entry_ino(try_call(&ch, buf, sizeof(buf)), NULL), ino);
	EXPECT(!exists(at("data/others/short")));

	/* Cut, and written to since. */
	ASSERT_EQ(do_lookup(&c, &dir, "here", &file, NULL), 0);
	prepare_setattr(&ch, &file, EBPFS_SET_SIZE, 0, 0);
	ASSERT_EQ(try_call(&ch, buf, sizeof(buf)), -EPIPE);
	EXPECT_EQ(stat(at("data/others/here"), &st), 0);
	EXPECT_EQ(st.st_size, 0);
	write_file(at("data/others/here"), 0644, "written since");
	live(-1, 0);
	EXPECT(try_call(&ch, buf, sizeof(buf)) > 0);
	EXPECT_EQ(stat(at("data/others/here"), &st), 0);
	EXPECT_EQ(st.st_size, 13);
	end_life();
}

/* Two names of one file: a rename of one to the other does nothing, and a rename to a
 * third must not be taken for done. */
static void names_of_one_file(void)
{
	struct fh dir;
	struct change ch;
	char name[16];
	int point;

	for (point = INTENT; point < POINTS; point++) {
		if (point == MADE)
			continue;
		mkdir(at("data/same%d", point), 0755);
		write_file(at("data/same%d/a", point), 0644, "x");
		EXPECT_EQ(link(at("data/same%d/a", point), at("data/same%d/b", point)), 0);
		live(point, 1);
		snprintf(name, sizeof(name), "same%d", point);
		ASSERT_EQ(do_lookup(&c, &root, name, &dir, NULL), 0);
		prepare_rename(&c, &ch, &dir, "a", &dir, "b", 0);
		EXPECT_EQ(persist(&ch, buf, sizeof(buf)), 0);
		EXPECT_EQ(count_dir(at("data/same%d", point)), 2);
		end_life();
		live(point, 1);
		prepare_rename(&c, &ch, &dir, "a", &dir, "c", 0);
		EXPECT_EQ(persist(&ch, buf, sizeof(buf)), 0);
		EXPECT(!exists(at("data/same%d/a", point)));
		EXPECT_EQ(ino_of(at("data/same%d/b", point)), ino_of(at("data/same%d/c", point)));
		end_life();
	}
}

/* Where no name can be changed, a directory is made under its own at once. */
static void names_that_can_only_be_added(void)
{
	static const u32 kinds[] = { S_IFREG | 0644, S_IFDIR | 0755, S_IFIFO | 0644 };
	int fd, err, flags = 0, point;
	struct change ch;
	struct fh dir, fh;
	char name[16];
	unsigned int made = 0, i;
	ino_t ino;

	mkdir(at("data/append"), 0755);
	fd = open(at("data/append"), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	err = ioctl(fd, FS_IOC_GETFLAGS, &flags);
	flags |= FS_APPEND_FL;
	if (err || ioctl(fd, FS_IOC_SETFLAGS, &flags)) {
		close(fd);
		SKIP("directories under /var/tmp cannot be made append-only");
	}
	for (point = INTENT; point < POINTS; point++) {
		for (i = 0; point != MADE && i < ARRAY_SIZE(kinds); i++) {
			snprintf(name, sizeof(name), "n%u", made++);
			live(point, 1);
			EXPECT_EQ(do_lookup(&c, &root, "append", &dir, NULL), 0);
			prepare_make(&ch, &dir, name, kinds[i]);
			ino = entry_ino(persist(&ch, buf, sizeof(buf)), &fh);
			EXPECT_EQ(ino, ino_of(at("data/append/%s", name)));
			EXPECT_EQ(count_dir(at("data/append")), made);
			end_life();
		}
	}
	flags &= ~FS_APPEND_FL;
	EXPECT_EQ(ioctl(fd, FS_IOC_SETFLAGS, &flags), 0);
	close(fd);
}

/* What a failing call says, it says again. */
static void errors_too(void)
{
	struct fh dir, sub;
	struct change ch;
	int point;

	mkdir(at("data/errors"), 0755);
	mkdir(at("data/errors/sub"), 0755);
	write_file(at("data/errors/sub/file"), 0644, "x");
	for (point = INTENT; point < POINTS; point++) {
		if (point == MADE)
			continue;
		live(point, 1);
		ASSERT_EQ(do_lookup(&c, &root, "errors", &dir, NULL), 0);
		ASSERT_EQ(do_lookup(&c, &dir, "sub", &sub, NULL), 0);
		prepare(&c, &ch, EBPFS_OP_REMOVE, &dir, "sub");
		ch.call.arg = EBPFS_REMOVE_DIR;
		EXPECT_EQ(persist(&ch, buf, sizeof(buf)), -ENOTEMPTY);
		end_life();
		live(point, 1);
		prepare_rename(&c, &ch, &dir, "sub", &sub, "below", 0);
		EXPECT_EQ(persist(&ch, buf, sizeof(buf)), -EINVAL);
		end_life();
	}
	live(-1, 0);
	prepare(&c, &ch, EBPFS_OP_REMOVE, &dir, "none");
	EXPECT_EQ(persist(&ch, buf, sizeof(buf)), -ENOENT);
	prepare_make(&ch, &dir, "sub", S_IFDIR | 0755);
	EXPECT_EQ(persist(&ch, buf, sizeof(buf)), -EEXIST);
	EXPECT_EQ(count_dir(at("data/errors")), 1);
	end_life();
}

/* More calls than the log has records: the last ones are known, the first are not. */
static void a_full_log(void)
{
	static struct change first, kept;
	struct change ch;
	struct fh dir, fh;
	unsigned int i;
	ino_t ino = 0;
	u64 start;

	mkdir(at("data/full"), 0755);
	live(-1, 0);
	ASSERT_EQ(do_lookup(&c, &root, "full", &dir, NULL), 0);
	prepare_make(&first, &dir, "first", S_IFREG | 0644);
	EXPECT(try_call(&first, buf, sizeof(buf)) > 0);
	start = clock_ms();
	for (i = 0; i < 2 * RECORDS + 100; i++) {
		if (i == RECORDS + 200) {
			prepare_make(&kept, &dir, "kept", S_IFREG | 0644);
			ino = entry_ino(try_call(&kept, buf, sizeof(buf)), &fh);
		}
		if (i % 2)
			prepare(&c, &ch, EBPFS_OP_REMOVE, &dir, "x");
		else
			prepare_make(&ch, &dir, "x", S_IFREG | 0644);
		if (!EXPECT(try_call(&ch, buf, sizeof(buf)) >= 0))
			return;
	}
	printf("# %u calls in %llu ms\n", i, (unsigned long long)(clock_ms() - start));
	end_life();
	/* That the name exists is a result, too. */
	live(EXECUTED, 2);
	EXPECT_EQ(entry_ino(try_call(&kept, buf, sizeof(buf)), &fh), ino);
	EXPECT_EQ(try_call(&first, buf, sizeof(buf)), -EEXIST);
	prepare_make(&ch, &dir, "x", S_IFREG | 0644);
	EXPECT(persist(&ch, buf, sizeof(buf)) > 0);
	EXPECT_EQ(count_dir(at("data/full")), 3);
	end_life();
}

/**
 * struct model - what a name must mean
 * @ino: its file, 0: nothing
 * @is_dir: it is a directory
 */
static struct model {
	ino_t ino;
	bool is_dir;
} model[NAMES];

static const char *name_of(u32 i)
{
	static char names[2][16];
	static unsigned int next;

	next ^= 1;
	snprintf(names[next], sizeof(names[0]), "n%u", i);
	return names[next];
}

static int expected_rename(u32 a, u32 b, u32 flags)
{
	if (!model[a].ino)
		return -ENOENT;
	if (flags & RENAME_EXCHANGE)
		return model[b].ino ? 0 : -ENOENT;
	if (model[b].ino && flags & RENAME_NOREPLACE)
		return -EEXIST;
	if (!model[b].ino || model[a].ino == model[b].ino)
		return 0;
	return model[a].is_dir == model[b].is_dir ? 0 : model[a].is_dir ? -ENOTDIR : -EISDIR;
}

/* One random call on random names; whatever happens, the answer is as expected. */
static void random_op(const struct fh *dir)
{
	static const u32 flags[] = { 0, 0, RENAME_NOREPLACE, RENAME_EXCHANGE };
	u32 a = draw(NAMES), b = draw(NAMES), what = draw(12), f, mode;
	struct model m = model[a];
	struct change ch;
	struct stat st;
	struct fh fh;
	int n;

	if (what < 4) {
		mode = modes[draw(5)];
		prepare_make(&ch, dir, name_of(a), mode);
		n = persist(&ch, buf, sizeof(buf));
		if (m.ino) {
			EXPECT_EQ(n, -EEXIST);
		} else {
			model[a].ino = entry_ino(n, &fh);
			model[a].is_dir = S_ISDIR(mode);
		}
	} else if (what < 7) {
		prepare(&c, &ch, EBPFS_OP_REMOVE, dir, name_of(a));
		ch.call.arg = m.is_dir ? EBPFS_REMOVE_DIR : EBPFS_REMOVE_FILE;
		EXPECT_EQ(persist(&ch, buf, sizeof(buf)), m.ino ? 0 : -ENOENT);
		model[a] = (struct model){ 0 };
	} else if (what < 10) {
		if (a == b)
			return;
		f = flags[draw(4)];
		prepare_rename(&c, &ch, dir, name_of(a), dir, name_of(b), f);
		n = persist(&ch, buf, sizeof(buf));
		EXPECT_EQ(n, expected_rename(a, b, f));
		if (n)
			return;
		if (f & RENAME_EXCHANGE) {
			model[a] = model[b];
			model[b] = m;
		} else if (model[b].ino != m.ino) {
			model[a] = (struct model){ 0 };
			model[b] = m;
		}
	} else if (m.ino && do_lookup(&c, dir, name_of(a), &fh, NULL)) {
		EXPECT(!"a name is lost");
	} else if (m.ino && what == 10 && !m.is_dir) {
		prepare_link(&ch, &fh, dir, name_of(b));
		n = persist(&ch, buf, sizeof(buf));
		EXPECT_EQ(n, model[b].ino ? -EEXIST : (int)sizeof(struct ebpfs_attr));
		if (n > 0)
			model[b] = m;
	} else if (m.ino && !lstat(at("data/random/%s", name_of(a)), &st) && !S_ISLNK(st.st_mode)) {
		mode = draw(01000);
		prepare_setattr(&ch, &fh, EBPFS_SET_MODE, mode, 0);
		EXPECT_EQ(persist(&ch, buf, sizeof(buf)), sizeof(struct ebpfs_written));
		EXPECT_EQ(lstat(at("data/random/%s", name_of(a)), &st), 0);
		EXPECT_EQ(st.st_mode & 07777, mode);
	}
}

static void random_calls_and_deaths(void)
{
	unsigned int ops, i, before = deaths;
	struct fh dir;

	mkdir(at("data/random"), 0755);
	lives.on = true;
	live_at_random();
	ASSERT_EQ(do_lookup(&c, &root, "random", &dir, NULL), 0);
	for (ops = 0; ops < RANDOM_OPS && ktap.failures < KTAP_SHOWN_MAX; ops++) {
		random_op(&dir);
		for (i = 0; i < NAMES; i++)
			EXPECT_EQ(ino_of(at("data/random/n%u", i)), model[i].ino);
	}
	count_dir(at("data/random"));
	for (i = 0; i < POINTS; i++)
		EXPECT(lives.ended[i]);
	EXPECT(deaths - before > RANDOM_OPS / 30);
	lives.on = false;
	printf("# %u calls, %u deaths\n", ops, deaths - before);
	end_life();
}

static const struct ktap_test tests[] = {
	KTAP_TEST(killed_before_it_is_done),
	KTAP_TEST(killed_before_it_has_its_name),
	KTAP_TEST(killed_before_the_result_is_noted),
	KTAP_TEST(killed_before_the_reply),
	KTAP_TEST(attributes_with_bytes_are_set_once),
	KTAP_TEST(nothing_is_left_over),
	KTAP_TEST(several_lives),
	KTAP_TEST(another_session),
	KTAP_TEST(others_were_here),
	KTAP_TEST(names_of_one_file),
	KTAP_TEST(names_that_can_only_be_added),
	KTAP_TEST(errors_too),
	KTAP_TEST(a_full_log),
	KTAP_TEST(random_calls_and_deaths),
	KTAP_TEST(the_log_is_what_does_it),
};

int main(int argc, char **argv)
{
	return once_set_up() ? KTAP_MAIN(tests, argc, argv) : KTAP_EXIT_FAIL;
}
