// SPDX-License-Identifier: GPL-2.0
/*
 * What local processes change on exports with watch = yes: leases are recalled, for each
 * way in which a file or the names in a directory can be changed, on ext4 and tmpfs; not
 * for what the daemon does itself, and not elsewhere; all of them when the kernel could
 * not keep up.
 *
 * timeout: 120
 * native
 *
 * The test is the local process. Events come in order, so that nothing more is to come of
 * what was done before when the marker's lease has been recalled.
 */
#include <sys/mman.h>
#include <sys/xattr.h>

#include "core/hold.h"
#include "ebpfsd_change.h"

#define ADDR	"127.0.0.1:20490"
#define EXCL	EBPFS_CREATE_EXCL
#define LEASE	EBPFS_HOLD_LEASE
#define R_LEASE	EBPFS_REPLY_LEASE
#define SOON	1000		/* ms */
#define QUEUE	"/proc/sys/fs/fanotify/max_queued_events"

static u8 secret[EBPFS_SECRET_LEN];
static struct client a, b, marker;
static struct fh marked;
static const char *where;	/* directory of the export */
static u64 number;

/* RECALLs that have not been answered, and the latest that have: on a slow machine the daemon
 * repeats one whose answer is under way. */
static struct {
	struct client *to;
	u64 id;
	struct fh fh;
} heard[64];
static unsigned int nheard;
static struct {
	struct client *to;
	u64 id;
} answered[64];
static unsigned int nanswered;

static void note_recall(struct client *to, const u8 *p, u32 len)
{
	struct ebpfs_recall_info r;
	unsigned int i;

	(void)len;
	if (!EXPECT_EQ(ebpfs_parse_recall(p, &r), 0) || !EXPECT_EQ(r.kind, EBPFS_RECALL_LEASE))
		return;
	for (i = 0; i < nheard; i++)
		if (heard[i].to == to && heard[i].id == r.id)
			return;
	for (i = 0; i < ARRAY_SIZE(answered); i++) {
		if (answered[i].to == to && answered[i].id == r.id) {
			client_answer(to, r.id);
			return;
		}
	}
	if (!EXPECT(nheard < ARRAY_SIZE(heard)))
		return;
	heard[nheard].to = to;
	heard[nheard].id = r.id;
	heard[nheard].fh.len = r.fh_len;
	memcpy(heard[nheard++].fh.bytes, r.fh, r.fh_len);
}

static bool same(const struct fh *x, const struct fh *y)
{
	return x->len == y->len && !memcmp(x->bytes, y->bytes, x->len);
}

/* Is @to's lease of @fh recalled within @ms? Answered then. */
static bool told(struct client *to, const struct fh *fh, unsigned int ms)
{
	u64 end = clock_ms() + ms;
	unsigned int i;
	u64 now;

	for (;;) {
		for (i = 0; i < nheard; i++) {
			if (heard[i].to != to || !same(&heard[i].fh, fh))
				continue;
			client_answer(to, heard[i].id);
			answered[nanswered % ARRAY_SIZE(answered)].to = to;
			answered[nanswered++ % ARRAY_SIZE(answered)].id = heard[i].id;
			heard[i] = heard[--nheard];
			return true;
		}
		now = clock_ms();
		if (now >= end || !hear_recall(to, (unsigned int)(end - now)))
			return false;
	}
}

static int hold(struct client *who, const struct fh *fh)
{
	struct ebpfs_attr attr;
	int ret = do_op(who, EBPFS_OP_GETATTR, fh, ++number, LEASE, &attr, sizeof(attr));

	return ret < 0 ? ret : (int)(who->flags & R_LEASE);
}

/* None is granted for EBPFS_HOLD_REST after a client's change, if chance will even that of
 * another file. */
static int hold_soon(struct client *who, const struct fh *fh)
{
	u64 end = clock_ms() + EBPFS_HOLD_REST / EBPFS_NSEC_PER_MSEC + SOON;
	int ret;

	while (!(ret = hold(who, fh)) && clock_ms() < end)
		nap(20);
	return ret;
}

/* Whatever was done has been told. */
static void settle(void)
{
	EXPECT_EQ(hold_soon(&marker, &marked), R_LEASE);
	EXPECT_EQ(chmod(at("memory/marker"), 0600), 0);
	EXPECT(told(&marker, &marked, SOON));
}

/* Nothing of @fh is. */
static bool silence(struct client *to, const struct fh *fh)
{
	settle();
	return EXPECT(!told(to, fh, 50));
}

static bool join(struct client *client, const char *export)
{
	client_init(client, ADDR, "alice", secret, export);
	client->recall = note_recall;
	return EXPECT_EQ(client_join(client), 0);
}

/* @dir: of both clients' exports. */
static void begin(const char *dir, const char *export, const char *other)
{
	struct fh root;

	where = dir;
	nheard = 0;
	EXPECT(join(&a, export));
	EXPECT(join(&b, other));
	EXPECT(join(&marker, "/w-memory"));
	root = root_of(&marker);
	EXPECT_EQ(do_lookup(&marker, &root, "marker", &marked, NULL), 0);
}

static void end(void)
{
	client_leave(&a);
	client_leave(&b);
	client_leave(&marker);
}

static char *file(const char *name)
{
	return at("%s/%s", where, name);
}

/* Make a file as the local process; its handle for @who. */
static struct fh make(struct client *who, const char *name)
{
	struct fh root = root_of(who), fh = { .len = 0 };

	write_file(file(name), 0644, "hello");
	EXPECT_EQ(do_lookup(who, &root, name, &fh, NULL), 0);
	return fh;
}

static struct fh look(struct client *who, const char *name)
{
	struct fh root = root_of(who), fh = { .len = 0 };

	EXPECT_EQ(do_lookup(who, &root, name, &fh, NULL), 0);
	return fh;
}

static int write_it(const char *path)
{
	int fd = open(path, O_WRONLY), ret = pwrite(fd, "HELLO", 5, 0) == 5 ? 0 : -1;

	/* Told before it is closed. */
	if (!ret)
		settle();
	close(fd);
	return ret;
}

static int append_it(const char *path)
{
	int fd = open(path, O_WRONLY | O_APPEND), ret = write(fd, "more", 4) == 4 ? 0 : -1;

	close(fd);
	return ret;
}

static int allocate_it(const char *path)
{
	int fd = open(path, O_WRONLY), ret = fallocate(fd, 0, 0, 8192);

	close(fd);
	return ret;
}

static int map_it(const char *path)
{
	int fd = open(path, O_RDWR);
	char *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (p == MAP_FAILED)
		return -1;
	p[0] = 'M';
	return munmap(p, 4096) | close(fd);
}

static int cut_it(const char *path)
{
	return truncate(path, 2);
}

static int chmod_it(const char *path)
{
	struct stat st;

	return stat(path, &st) | chmod(path, st.st_mode ^ 0100);
}

static int chown_it(const char *path)
{
	return lchown(path, 7, 8);
}

static int touch_it(const char *path)
{
	return utimensat(AT_FDCWD, path, NULL, AT_SYMLINK_NOFOLLOW);
}

static int touch_mtime(const char *path)
{
	const struct timespec t[] = { { .tv_nsec = UTIME_OMIT }, { .tv_sec = 7 } };

	return utimensat(AT_FDCWD, path, t, AT_SYMLINK_NOFOLLOW);
}

static int name_it_too(const char *path)
{
	return link(path, file("too"));
}

static int unname_it(const char *path)
{
	(void)path;
	return unlink(file("too"));
}

static int set_attribute(const char *path)
{
	return setxattr(path, "trusted.x", "y", 1, 0);
}

static int move_it(const char *path)
{
	return rename(path, file("moved"));
}

static int replace_it(const char *path)
{
	(void)path;
	write_file(file("new"), 0600, "new");
	return rename(file("new"), file("moved"));
}

/* Do @change to @name, of which a has a lease: it is recalled, and then granted again. */
static void is_told(const char *name, const struct fh *fh, int (*change)(const char *),
		    const char *what)
{
	bool ok;

	settle();
	ok = EXPECT_EQ(hold(&a, fh), R_LEASE) && EXPECT_EQ(change(file(name)), 0) &&
	     EXPECT(told(&a, fh, SOON));
	settle();
	/* And as often as it has happened, if at once. */
	while (told(&a, fh, 20))
		;
	if (!ok)
		printf("# ^ %s, %s\n", where, what);
}

#define IS_TOLD(name, fh, change) is_told(name, fh, change, #change)

static void files_that_are_changed(void)
{
	struct fh fh;

	unlink(file("moved"));
	unlink(file("too"));
	fh = make(&a, "f");
	IS_TOLD("f", &fh, write_it);
	IS_TOLD("f", &fh, append_it);
	IS_TOLD("f", &fh, allocate_it);
	IS_TOLD("f", &fh, map_it);
	IS_TOLD("f", &fh, cut_it);
	IS_TOLD("f", &fh, chmod_it);
	IS_TOLD("f", &fh, chown_it);
	IS_TOLD("f", &fh, touch_it);
	IS_TOLD("f", &fh, touch_mtime);
	IS_TOLD("f", &fh, set_attribute);
	IS_TOLD("f", &fh, name_it_too);
	IS_TOLD("f", &fh, unname_it);
	IS_TOLD("f", &fh, move_it);
	IS_TOLD("moved", &fh, replace_it);
	unlink(file("moved"));
}

static void other_kinds(void)
{
	struct fh fh;

	EXPECT_EQ(symlink("nowhere", file("l")), 0);
	fh = look(&a, "l");
	IS_TOLD("l", &fh, chown_it);
	IS_TOLD("l", &fh, touch_mtime);
	unlink(file("l"));
	EXPECT_EQ(mkfifo(file("p"), 0644), 0);
	fh = look(&a, "p");
	IS_TOLD("p", &fh, chmod_it);
	IS_TOLD("p", &fh, touch_mtime);
	unlink(file("p"));
}

static int make_file_in(const char *dir)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/x", dir);
	return close(open(path, O_WRONLY | O_CREAT | O_EXCL, 0600));
}

static int remove_file_in(const char *dir)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/x", dir);
	return unlink(path);
}

static int make_dir_in(const char *dir)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/x", dir);
	return mkdir(path, 0700);
}

static int remove_dir_in(const char *dir)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/x", dir);
	return rmdir(path);
}

static int rename_in(const char *dir)
{
	char path[PATH_MAX], to[PATH_MAX];

	snprintf(path, sizeof(path), "%s/x", dir);
	snprintf(to, sizeof(to), "%s/y", dir);
	return rename(path, to);
}

static int move_out(const char *dir)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/y", dir);
	return rename(path, file("outside"));
}

static int move_in(const char *dir)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/x", dir);
	return rename(file("outside"), path);
}

static int link_in(const char *dir)
{
	char path[PATH_MAX], to[PATH_MAX];

	snprintf(path, sizeof(path), "%s/x", dir);
	snprintf(to, sizeof(to), "%s/z", dir);
	return link(path, to) | unlink(to);
}

static int move_dir(const char *dir)
{
	(void)dir;
	return rename(file("d"), file("e"));
}

static void directories_that_are_changed(void)
{
	struct fh fh;

	unlink(file("outside"));
	EXPECT_EQ(mkdir(file("d"), 0755), 0);
	fh = look(&a, "d");
	IS_TOLD("d", &fh, make_dir_in);
	IS_TOLD("d", &fh, remove_dir_in);
	IS_TOLD("d", &fh, make_file_in);
	IS_TOLD("d", &fh, remove_file_in);
	make_file_in(file("d"));
	IS_TOLD("d", &fh, rename_in);
	IS_TOLD("d", &fh, move_out);
	IS_TOLD("d", &fh, move_in);
	IS_TOLD("d", &fh, link_in);
	IS_TOLD("d", &fh, remove_file_in);
	IS_TOLD("d", &fh, chmod_it);
	IS_TOLD("d", &fh, set_attribute);
	IS_TOLD("d", &fh, move_dir);
	fh = root_of(&a);
	IS_TOLD(".", &fh, make_dir_in);
	IS_TOLD(".", &fh, remove_dir_in);
	EXPECT_EQ(rmdir(file("e")), 0);
}

static void reading_is_no_change(void)
{
	struct fh fh = make(&a, "f"), root = root_of(&a);
	char text[16];
	int fd;

	settle();
	EXPECT_EQ(hold(&a, &fh), R_LEASE);
	EXPECT_EQ(hold(&a, &root), R_LEASE);
	fd = open(file("f"), O_RDONLY);
	EXPECT_EQ(read(fd, text, sizeof(text)), 5);
	close(fd);
	silence(&a, &fh);
	EXPECT(!told(&a, &root, 1));
	/* Nor is that of another file a change of this one. */
	make(&a, "g");
	EXPECT_EQ(chmod_it(file("g")), 0);
	silence(&a, &fh);
	unlink(file("g"));
	unlink(file("f"));
}

/* Two clients, the second through an export of the same directory that is not watched. */
static void all_who_have_a_lease(void)
{
	struct fh fa = make(&a, "f"), fb = look(&b, "f");

	settle();
	EXPECT(!same(&fa, &fb));
	EXPECT_EQ(hold(&a, &fa), R_LEASE);
	EXPECT_EQ(hold(&b, &fb), R_LEASE);
	EXPECT_EQ(append_it(file("f")), 0);
	EXPECT(told(&a, &fa, SOON));
	EXPECT(told(&b, &fb, SOON));
	/* Again, and granted at once. */
	settle();
	told(&a, &fa, 20);
	told(&b, &fb, 20);
	EXPECT_EQ(hold(&a, &fa), R_LEASE);
	EXPECT_EQ(hold(&b, &fb), R_LEASE);
	EXPECT_EQ(append_it(file("f")), 0);
	EXPECT(told(&a, &fa, SOON));
	EXPECT(told(&b, &fb, SOON));
	unlink(file("f"));
}

/* A holder's own calls do not recall its leases, so neither may their events. */
static void what_the_daemon_does(void)
{
	struct fh root = root_of(&a), fh, dir;
	struct ebpfs_attr attr;

	settle();
	EXPECT_EQ(do_create(&a, &root, "own", S_IFREG | 0644, 0, EXCL, &fh, NULL), 0);
	EXPECT_EQ(do_create(&a, &root, "dir", S_IFDIR | 0755, 0, EXCL, &dir, NULL), 0);
	EXPECT_EQ(hold_soon(&a, &fh), R_LEASE);
	EXPECT_EQ(hold_soon(&a, &dir), R_LEASE);
	EXPECT_EQ(hold_soon(&a, &root), R_LEASE);
	EXPECT_EQ(do_write(&a, &fh, 0, "hello", 5, EBPFS_WRITE_STABLE, false, NULL), 0);
	EXPECT_EQ(do_truncate(&a, &fh, 3), 0);
	EXPECT_EQ(do_chmod(&a, &fh, 0600), 0);
	EXPECT_EQ(do_rename(&a, &root, "own", &dir, "other", 0), 0);
	EXPECT_EQ(do_link(&a, &fh, &root, "link", &attr), 0);
	EXPECT_EQ(do_remove(&a, &dir, "other", EBPFS_REMOVE_FILE), 0);
	EXPECT_EQ(do_remove(&a, &root, "link", EBPFS_REMOVE_FILE), 0);
	silence(&a, &fh);
	EXPECT(!told(&a, &dir, 1));
	EXPECT(!told(&a, &root, 1));
	EXPECT_EQ(do_remove(&a, &root, "dir", EBPFS_REMOVE_DIR), 0);
}

/* A client's change recalls the leases of others, before it, and its event not its own. */
static void another_client_writes(void)
{
	struct fh fa = make(&a, "f"), fb = look(&b, "f");
	struct ebpfs_setattr s = {
		.valid = cpu_to_le32(EBPFS_SET_SIZE), .size = cpu_to_le64(2),
	};
	struct change ch;
	u8 reply[1024] __attribute__((aligned(8)));

	settle();
	EXPECT_EQ(hold_soon(&a, &fa), R_LEASE);
	EXPECT_EQ(hold_soon(&b, &fb), R_LEASE);
	prepare(&b, &ch, EBPFS_OP_SETATTR, &fb, NULL);
	memcpy(ch.data, &s, sizeof(s));
	set_data(&ch, sizeof(s));
	ch.call.id = 9;
	client_begin(&b, &ch.call);
	client_send(&b, &ch.call);
	EXPECT(told(&a, &fa, SOON));
	EXPECT(client_hear(&b, &ch.call, reply, sizeof(reply), 2000) >= 0);
	silence(&b, &fb);
	EXPECT(!told(&a, &fa, 1));
	unlink(file("f"));
}

static void elsewhere_nothing_is_told(void)
{
	struct fh fh, root;

	begin("quiet", "/quiet", "/quiet");
	root = root_of(&a);
	fh = make(&a, "f");
	EXPECT_EQ(hold_soon(&a, &fh), R_LEASE);
	EXPECT_EQ(hold_soon(&a, &root), R_LEASE);
	EXPECT_EQ(append_it(file("f")), 0);
	EXPECT_EQ(unlink(file("f")), 0);
	silence(&a, &fh);
	EXPECT(!told(&a, &root, 1));
	end();
}

/* Whoever has read what is not there any more is told so, or was before. */
static void nothing_is_missed(void)
{
	unsigned int i, old = 0, known = 0;
	u64 value = 0, mine = 0;
	struct fh fh = make(&a, "f");
	pid_t pid;
	int fd;

	fd = open(file("f"), O_RDWR);
	EXPECT_EQ(pwrite(fd, &value, sizeof(value), 0), sizeof(value));
	fflush(stdout);
	pid = fork();
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;) {
			struct timespec t = { .tv_nsec = (long)(random() % 4000000) };

			value++;
			if (pwrite(fd, &value, sizeof(value), 0) != sizeof(value))
				_exit(1);
			nanosleep(&t, NULL);
		}
	}
	for (i = 0; i < 1000; i++) {
		int lease = hold(&a, &fh);

		if (!EXPECT_EQ(do_read(&a, &fh, 0, sizeof(value), &value), sizeof(value)))
			break;
		if (random() % 2)
			nap((unsigned int)(random() % 4));
		if (lease != R_LEASE) {
			told(&a, &fh, 0);
			continue;
		}
		known++;
		EXPECT_EQ(pread(fd, &mine, sizeof(mine), 0), sizeof(mine));
		if (value == mine)
			continue;
		old++;
		if (!EXPECT(told(&a, &fh, SOON)))
			break;
	}
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	close(fd);
	printf("# %u leases, %u times what was read had changed\n", known, old);
	EXPECT(known > 200);
	EXPECT(old > 50);
	settle();
	told(&a, &fh, 20);
	unlink(file("f"));
}

static void too_much_at_once(void)
{
	long long overflows = daemon_stat(&daemon_, "watch_overflows"), recalls;
	unsigned int i, most = 0;
	struct fh fh, memory;
	FILE *f = fopen(QUEUE, "r");

	if (!f || fscanf(f, "%u", &most) != 1 || most > 100000)
		most = 0;
	if (f)
		fclose(f);
	if (!EXPECT(most))
		return;
	begin("disk", "/w-disk", "/w-memory");
	fh = make(&a, "f");
	where = "memory";
	memory = make(&b, "g");
	settle();
	EXPECT_EQ(hold_soon(&a, &fh), R_LEASE);
	EXPECT_EQ(hold_soon(&b, &memory), R_LEASE);
	nap(100);
	recalls = daemon_stat(&daemon_, "watch_recalls");
	kill(daemon_.pid, SIGSTOP);
	/* Until it reads no more, in no thread. */
	EXPECT_EQ(waitpid(daemon_.pid, NULL, WUNTRACED), daemon_.pid);
	EXPECT_EQ(mkdir(at("memory/many"), 0700), 0);
	for (i = 0; i < most + 100; i++)
		close(open(at("memory/many/%u", i), O_WRONLY | O_CREAT, 0600));
	kill(daemon_.pid, SIGCONT);
	/* Of files that nobody touched. */
	EXPECT(told(&a, &fh, SOON));
	EXPECT(told(&b, &memory, SOON));
	/* And on it goes. The marker's is another. */
	settle();
	EXPECT_EQ(daemon_stat(&daemon_, "watch_overflows"), overflows + 1);
	/* Counted when it has been sent, perhaps. */
	for (i = 0; i < 50 && daemon_stat(&daemon_, "watch_recalls") < recalls + 3; i++)
		nap(20);
	EXPECT_EQ(daemon_stat(&daemon_, "watch_recalls"), recalls + 3);
	EXPECT_EQ(hold_soon(&a, &fh), R_LEASE);
	EXPECT_EQ(append_it(at("disk/f")), 0);
	EXPECT(told(&a, &fh, SOON));
	end();
}

/* Each test with a name of its own for each filesystem. */
#define ON_BOTH(test)							\
	static void test##_on_disk(void)				\
	{								\
		begin("disk", "/w-disk", "/disk");			\
		test();							\
		end();							\
	}								\
	static void test##_on_memory(void)				\
	{								\
		begin("memory", "/w-memory", "/memory");		\
		test();							\
		end();							\
	}

ON_BOTH(files_that_are_changed)
ON_BOTH(other_kinds)
ON_BOTH(directories_that_are_changed)
ON_BOTH(reading_is_no_change)
ON_BOTH(all_who_have_a_lease)
ON_BOTH(what_the_daemon_does)
ON_BOTH(another_client_writes)
ON_BOTH(nothing_is_missed)

static void by_an_option(void)
{
	const char *args[] = {
		"-e", NULL, "-l", "127.0.0.1:20491", "-k", at("clients"), "-s", at("state"), NULL
	};
	static struct daemon d;
	char export[PATH_MAX];

	/* Others here are local processes for it, the daemon of the other tests too. */
	snprintf(export, sizeof(export), "/x=%s/memory,watch", work);
	args[1] = export;
	if (!EXPECT(daemon_start(&d, args)))
		return;
	EXPECT_EQ(daemon_stat(&d, "watch_events"), 0);
	close(open(at("memory/option"), O_WRONLY | O_CREAT, 0600));
	nap(50);
	EXPECT(daemon_stat(&d, "watch_events") > 0);
	EXPECT(daemon_stop(&d));
}

static const struct ktap_test tests[] = {
	KTAP_TEST(files_that_are_changed_on_disk),
	KTAP_TEST(files_that_are_changed_on_memory),
	KTAP_TEST(other_kinds_on_disk),
	KTAP_TEST(other_kinds_on_memory),
	KTAP_TEST(directories_that_are_changed_on_disk),
	KTAP_TEST(directories_that_are_changed_on_memory),
	KTAP_TEST(reading_is_no_change_on_disk),
	KTAP_TEST(reading_is_no_change_on_memory),
	KTAP_TEST(all_who_have_a_lease_on_disk),
	KTAP_TEST(all_who_have_a_lease_on_memory),
	KTAP_TEST(what_the_daemon_does_on_disk),
	KTAP_TEST(what_the_daemon_does_on_memory),
	KTAP_TEST(another_client_writes_on_disk),
	KTAP_TEST(another_client_writes_on_memory),
	KTAP_TEST(elsewhere_nothing_is_told),
	KTAP_TEST(nothing_is_missed_on_disk),
	KTAP_TEST(nothing_is_missed_on_memory),
	KTAP_TEST(too_much_at_once),
	KTAP_TEST(by_an_option),
};

int main(int argc, char **argv)
{
	const char *args[] = { "-c", NULL, NULL };
	int ret;

	set_up();
	args[1] = set_up_exports("64m", "listen = " ADDR "\nlease = 10\n", secret);
	if (!args[1])
		return KTAP_EXIT_FAIL;
	mkdir(at("quiet"), 0755);
	if (mount("none", at("quiet"), "tmpfs", 0, "size=1m,mode=755"))
		return KTAP_EXIT_FAIL;
	add_export(args[1], "/w-disk", "disk", "access = rw\nwatch = yes\n");
	add_export(args[1], "/w-memory", "memory", "access = rw\nwatch = yes\n");
	add_export(args[1], "/quiet", "quiet", "access = rw\n");
	close(open(at("memory/marker"), O_WRONLY | O_CREAT, 0600));
	if (!daemon_start(&daemon_, args))
		return KTAP_EXIT_FAIL;
	ret = tear_down_exports(KTAP_MAIN(tests, argc, argv));
	umount(at("quiet"));
	return ret;
}
