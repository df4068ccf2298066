// SPDX-License-Identifier: GPL-2.0
/*
 * What clients hold at ebpfsd: files that lose their last name while they are open, also
 * when their client or the daemon dies; leases, that are recalled before anybody else
 * changes anything, again if nobody answers, and whoever does not is fenced; and what a
 * reply says that its caller may do.
 *
 * timeout: 240
 * native
 *
 * Most tests run on an export on disk and on one in memory, whose WRITEs take another way.
 */
#include <dirent.h>
#include <sys/xattr.h>

#include "ebpfsd_change.h"

#define ADDR	"127.0.0.1:20490"
#define EXCL	EBPFS_CREATE_EXCL
#define OPEN	EBPFS_HOLD_OPEN
#define LEASE	EBPFS_HOLD_LEASE
#define R_OPEN	EBPFS_REPLY_OPEN
#define R_LEASE	EBPFS_REPLY_LEASE
#define HELD	3		/* s, lease= of the daemon */
#define CROWD_MS	4000
#define REST	1100		/* ms after a change until others get a lease */

static u8 secret[EBPFS_SECRET_LEN];
static struct client a, b, c;
static const char *where = "disk";	/* the directory of the export */
static u8 buf[65536] __attribute__((aligned(8)));
static const char *daemon_args[] = { "-c", NULL, NULL };
static u64 number;

/* RECALLs that came while something else was waited for. */
static struct {
	struct client *to;
	u64 id;
	u64 hold;
	struct fh fh;
} heard[64];
static unsigned int nheard;

static void note_recall(struct client *to, const u8 *p, u32 len)
{
	struct ebpfs_recall_info r;

	(void)len;
	if (!EXPECT_EQ(ebpfs_parse_recall(p, &r), 0) || !EXPECT_EQ(r.kind, EBPFS_RECALL_LEASE) ||
	    nheard == ARRAY_SIZE(heard))
		return;
	heard[nheard].to = to;
	heard[nheard].id = r.id;
	heard[nheard].hold = r.hold;
	heard[nheard].fh.len = r.fh_len;
	memcpy(heard[nheard++].fh.bytes, r.fh, r.fh_len);
}

/* Wait for a RECALL to @to for @ms. */
static bool recalled(struct client *to, unsigned int ms)
{
	unsigned int before = nheard;

	return hear_recall(to, ms) && nheard > before;
}

static bool join(struct client *client, const char *name)
{
	client_init(client, ADDR, name, secret, where[0] == 'd' ? "/disk" : "/memory");
	client->recall = note_recall;
	nheard = 0;
	return EXPECT_EQ(client_join(client), 0);
}

/* GETATTR with a hold: flags of the reply, or -error. */
static int hold_number(struct client *who, const struct fh *fh, u64 n, u32 kinds,
		       struct ebpfs_attr *attr)
{
	struct ebpfs_attr unused;
	int ret = do_op(who, EBPFS_OP_GETATTR, fh, n, kinds, attr ? attr : &unused,
			sizeof(unused));

	return ret < 0 ? ret : who->flags;
}

static int hold(struct client *who, const struct fh *fh, u32 kinds)
{
	return hold_number(who, fh, ++number, kinds, NULL);
}

static int release(struct client *who, const struct fh *fh, u64 n)
{
	struct ebpfs_release_info r = { .hold = n, .fh_len = fh->len, .fh = fh->bytes };
	u8 data[EBPFS_RELEASE_MAX] __attribute__((aligned(8))), reply[8];
	struct ebpfs_call_info call = { .op = EBPFS_OP_RELEASE, .data = data };

	call.data_len = ebpfs_put_release(data, &r);
	return client_call(who, &call, reply, sizeof(reply));
}

static struct fh root(void)
{
	return root_of(&a);
}

static struct fh new_file(const char *name)
{
	struct fh dir = root(), fh = { .len = 0 };

	do_remove(&b, &dir, name, EBPFS_REMOVE_FILE);
	EXPECT_EQ(do_create(&b, &dir, name, S_IFREG | 0644, 0, EXCL, &fh, NULL), 0);
	EXPECT_EQ(do_write(&b, &fh, 0, "hello", 5, EBPFS_WRITE_UNSTABLE, false, NULL), 0);
	return fh;
}

/* Names in the daemon's directory, -1 if there is none. */
static int orphans(void)
{
	DIR *dir = opendir(at("%s/.ebpfs-orphans", where));
	struct dirent *e;
	int n = 0;

	if (!dir)
		return -1;
	while ((e = readdir(dir)))
		n += e->d_name[0] != '.';
	closedir(dir);
	return n;
}

static bool orphans_become(int want, unsigned int ms)
{
	u64 end = clock_ms() + ms;

	while (orphans() > 0 ? orphans() != want : want > 0) {
		if (clock_ms() > end)
			return EXPECT_EQ(orphans(), want);
		nap(20);
	}
	return true;
}

static void begin(void)
{
	EXPECT(join(&a, "alice"));
	EXPECT(join(&b, "alice"));
}

static void end(void)
{
	client_leave(&a);
	client_leave(&b);
}

/* Is the unlinked file all there, for whoever has its handle? */
static void lives(struct client *who, const struct fh *fh)
{
	struct ebpfs_attr attr;

	EXPECT_EQ(do_getattr(who, fh, &attr), 0);
	EXPECT_EQ(le32_to_cpu(attr.nlink), 0);
	EXPECT_EQ(do_read(who, fh, 0, 100, buf), 5);
	EXPECT_MEM(buf, "hello", 5);
	EXPECT_EQ(do_write(who, fh, 0, "HELLO", 5, EBPFS_WRITE_STABLE, false, NULL), 0);
	EXPECT_EQ(do_read(who, fh, 0, 100, buf), 5);
	EXPECT_MEM(buf, "HELLO", 5);
	EXPECT_EQ(do_write(who, fh, 0, "hello", 5, EBPFS_WRITE_UNSTABLE, false, NULL), 0);
}

static bool gone(struct client *who, const struct fh *fh)
{
	struct ebpfs_attr attr;
	u64 end = clock_ms() + 3000;
	int ret;

	do {
		ret = do_getattr(who, fh, &attr);
		if (!ret)
			nap(50);
	} while (!ret && clock_ms() < end);
	return EXPECT_EQ(ret, -ESTALE);
}

static void unlinked_files_live(void)
{
	struct fh dir = root(), fh = new_file("f"), other;
	u64 first = number;

	/* Nobody holds it: gone at once. */
	EXPECT_EQ(do_remove(&b, &dir, "f", EBPFS_REMOVE_FILE), 0);
	EXPECT(gone(&a, &fh));
	fh = new_file("f");
	EXPECT_EQ(hold(&a, &fh, OPEN), R_OPEN);
	EXPECT_EQ(do_remove(&b, &dir, "f", EBPFS_REMOVE_FILE), 0);
	EXPECT_EQ(orphans(), 1);
	EXPECT_EQ(do_lookup(&b, &dir, "f", &other, NULL), -ENOENT);
	lives(&a, &fh);
	lives(&b, &fh);
	/* Longer than ebpfsd keeps a descriptor of what it takes for gone. */
	nap(1200);
	lives(&a, &fh);
	/* The name is free, and another file's. */
	other = new_file("f");
	EXPECT(memcmp(other.bytes, fh.bytes, fh.len));
	lives(&a, &fh);
	/* A second one has it open, and the first lets go. */
	EXPECT_EQ(hold(&b, &fh, OPEN), R_OPEN);
	EXPECT_EQ(release(&a, &fh, first + 1), 0);
	lives(&b, &fh);
	/* Not by a lower number. */
	EXPECT_EQ(release(&b, &fh, first + 1), 0);
	lives(&b, &fh);
	EXPECT_EQ(release(&b, &fh, number), 0);
	EXPECT(gone(&b, &fh));
	EXPECT(orphans_become(0, 2000));
	do_remove(&b, &dir, "f", EBPFS_REMOVE_FILE);
}

/* Its own client removes what it has just made, and something else takes its name. */
static void other_ways_to_go(void)
{
	u8 reply[1024] __attribute__((aligned(8)));
	struct fh dir = root(), fh, link, fifo;
	struct ebpfs_attr attr;
	struct change ch;
	int n;

	prepare_create(&a, &ch, &dir, "new", S_IFREG | 0600, 0, EXCL);
	ch.call.arg = ++number;
	ch.call.count = OPEN | LEASE;
	n = client_call(&a, &ch.call, reply, sizeof(reply));
	EXPECT_EQ(take_entry(reply, n, &fh, NULL), 0);
	EXPECT_EQ(a.flags, R_OPEN | R_LEASE);
	EXPECT_EQ(do_write(&a, &fh, 0, "hello", 5, EBPFS_WRITE_UNSTABLE, false, NULL), 0);
	EXPECT_EQ(do_remove(&a, &dir, "new", EBPFS_REMOVE_FILE), 0);
	lives(&a, &fh);
	EXPECT_EQ(release(&a, &fh, number), 0);
	EXPECT(gone(&a, &fh));

	fh = new_file("old");
	link = new_file("other");
	EXPECT_EQ(hold(&a, &fh, OPEN), R_OPEN);
	EXPECT_EQ(do_rename(&b, &dir, "other", &dir, "old", 0), 0);
	lives(&a, &fh);
	EXPECT_EQ(release(&a, &fh, number), 0);
	EXPECT(gone(&a, &fh));

	EXPECT_EQ(do_symlink(&b, &dir, "link", "to", &link, NULL), 0);
	EXPECT_EQ(do_mknod(&b, &dir, "fifo", S_IFIFO | 0600, 0, 0, &fifo, NULL), 0);
	EXPECT_EQ(hold(&a, &link, OPEN), R_OPEN);
	EXPECT_EQ(hold(&a, &fifo, OPEN), R_OPEN);
	EXPECT_EQ(do_remove(&b, &dir, "link", EBPFS_REMOVE_FILE), 0);
	EXPECT_EQ(do_remove(&b, &dir, "fifo", EBPFS_REMOVE_FILE), 0);
	EXPECT_EQ(do_op(&a, EBPFS_OP_READLINK, &link, 0, 0, reply, sizeof(reply)), 2);
	EXPECT_EQ(do_getattr(&a, &fifo, &attr), 0);
	EXPECT_EQ(le32_to_cpu(attr.nlink), 0);
	EXPECT_EQ(release(&a, &link, number), 0);
	EXPECT_EQ(release(&a, &fifo, number), 0);
	EXPECT(gone(&a, &fifo));
	EXPECT(gone(&a, &link));
	EXPECT(orphans_become(0, 2000));
	do_remove(&b, &dir, "old", EBPFS_REMOVE_FILE);
}

/* TMPFILE by @who: -error, or 0 and what is held in who->flags. */
static int make_tmpfile(struct client *who, const struct fh *dir, u32 mode, struct fh *fh,
			struct ebpfs_attr *attr)
{
	struct change ch;
	int n;

	prepare_create(who, &ch, dir, NULL, mode, 022, EXCL);
	ch.call.op = EBPFS_OP_TMPFILE;
	ch.call.arg = ++number;
	ch.call.count = OPEN | LEASE;
	n = client_call(who, &ch.call, buf, sizeof(buf));
	return n < 0 ? n : take_entry(buf, n, fh, attr);
}

/* Files that never had a name. */
static void nameless_files_live(void)
{
	struct fh dir = root(), fh, other;
	struct ebpfs_attr attr;

	EXPECT_EQ(make_tmpfile(&a, &dir, S_IFREG | 0666, &fh, &attr), 0);
	EXPECT_EQ(a.flags & R_OPEN, R_OPEN);
	EXPECT_EQ(le32_to_cpu(attr.nlink), 0);
	EXPECT_EQ(le32_to_cpu(attr.mode), S_IFREG | 0644);
	EXPECT_EQ(do_write(&a, &fh, 0, "hello", 5, EBPFS_WRITE_UNSTABLE, false, NULL), 0);
	lives(&a, &fh);
	nap(1200);
	lives(&a, &fh);
	EXPECT_EQ(release(&a, &fh, number), 0);
	EXPECT(gone(&a, &fh));
	EXPECT(orphans_become(0, 2000));

	/* One that gets a name and keeps it. */
	EXPECT_EQ(make_tmpfile(&a, &dir, S_IFREG | 0600, &fh, &attr), 0);
	EXPECT_EQ(do_write(&a, &fh, 0, "hello", 5, EBPFS_WRITE_UNSTABLE, false, NULL), 0);
	EXPECT_EQ(do_link(&a, &fh, &dir, "named", &attr), 0);
	EXPECT_EQ(le32_to_cpu(attr.nlink), 1);
	EXPECT_EQ(release(&a, &fh, number), 0);
	EXPECT(orphans_become(0, 2000));
	EXPECT_EQ(do_lookup(&b, &dir, "named", &other, &attr), 0);
	EXPECT_EQ(le32_to_cpu(attr.nlink), 1);
	EXPECT_EQ(other.len, fh.len);
	EXPECT_MEM(other.bytes, fh.bytes, fh.len);
	EXPECT_EQ(do_read(&b, &other, 0, 100, buf), 5);
	EXPECT_EQ(do_remove(&b, &dir, "named", EBPFS_REMOVE_FILE), 0);
	EXPECT(gone(&b, &fh));

	/* As the user who asks; and regular files only. */
	EXPECT_EQ(do_cred(&a, 7, 1234, 1234, NULL, 0), 0);
	a.cred = 7;
	EXPECT_EQ(make_tmpfile(&a, &dir, S_IFREG | 0600, &fh, &attr), -EACCES);
	a.cred = 0;
	EXPECT_EQ(make_tmpfile(&a, &dir, S_IFDIR | 0700, &fh, &attr), -EINVAL);
	other = new_file("file");
	EXPECT_EQ(make_tmpfile(&a, &other, S_IFREG | 0600, &fh, &attr), -ENOTDIR);
	EXPECT_EQ(do_remove(&b, &dir, "file", EBPFS_REMOVE_FILE), 0);
	EXPECT_EQ(orphans() > 0, 0);
}

/* Not the last name, or not removed after all: nothing is to be seen of it. */
static void names_that_stay(void)
{
	struct fh dir = root(), fh = new_file("one");
	long long made = daemon_stat(&daemon_, "orphans_made");
	struct ebpfs_attr attr;

	EXPECT_EQ(hold(&a, &fh, OPEN), R_OPEN);
	EXPECT_EQ(do_link(&b, &fh, &dir, "two", &attr), 0);
	EXPECT_EQ(le32_to_cpu(attr.nlink), 2);
	EXPECT_EQ(do_remove(&b, &dir, "one", EBPFS_REMOVE_FILE), 0);
	EXPECT_EQ(do_getattr(&a, &fh, &attr), 0);
	EXPECT_EQ(le32_to_cpu(attr.nlink), 1);
	/* A user may not. */
	EXPECT_EQ(do_cred(&b, 7, 1234, 1234, NULL, 0), 0);
	b.cred = 7;
	EXPECT_EQ(do_remove(&b, &dir, "two", EBPFS_REMOVE_FILE), -EACCES);
	b.cred = 0;
	EXPECT_EQ(do_remove(&b, &dir, "two", EBPFS_REMOVE_DIR), -ENOTDIR);
	EXPECT_EQ(do_rename(&b, &dir, "two", &dir, "two", 0), 0);
	EXPECT_EQ(orphans() > 0, 0);
	EXPECT_EQ(do_getattr(&a, &fh, &attr), 0);
	EXPECT_EQ(le32_to_cpu(attr.nlink), 1);
	EXPECT_EQ(daemon_stat(&daemon_, "orphans_made"), made);
	/* What lost its name gets another, and keeps it. */
	EXPECT_EQ(do_remove(&b, &dir, "two", EBPFS_REMOVE_FILE), 0);
	EXPECT_EQ(orphans(), 1);
	EXPECT_EQ(do_link(&a, &fh, &dir, "three", &attr), 0);
	EXPECT_EQ(le32_to_cpu(attr.nlink), 1);
	EXPECT_EQ(release(&a, &fh, number), 0);
	EXPECT(orphans_become(0, 2000));
	EXPECT_EQ(do_getattr(&a, &fh, &attr), 0);
	EXPECT_EQ(le32_to_cpu(attr.nlink), 1);
	EXPECT_EQ(do_remove(&b, &dir, "three", EBPFS_REMOVE_FILE), 0);
}

static void removed_directories_are_empty(void)
{
	struct fh dir = root(), fh, sub;
	struct ebpfs_attr attr;

	EXPECT_EQ(do_create(&b, &dir, "d", S_IFDIR | 0755, 0, EXCL, &fh, NULL), 0);
	EXPECT_EQ(hold(&a, &fh, OPEN), R_OPEN);
	EXPECT_EQ(do_remove(&b, &dir, "d", EBPFS_REMOVE_DIR), 0);
	for (int i = 0; i < 2; i++) {
		EXPECT_EQ(do_getattr(&a, &fh, &attr), 0);
		EXPECT_EQ(le32_to_cpu(attr.nlink), 0);
		EXPECT_EQ(do_op(&a, EBPFS_OP_READDIR, &fh, 0, 4096, buf, sizeof(buf)), 0);
		EXPECT_EQ(a.flags, EBPFS_REPLY_EOF);
		EXPECT_EQ(do_lookup(&a, &fh, "x", &sub, NULL), -ENOENT);
		EXPECT_EQ(do_create(&a, &fh, "x", S_IFREG | 0644, 0, EXCL, &sub, NULL), -ENOENT);
		nap(1200);
	}
	EXPECT_EQ(release(&a, &fh, number), 0);
	EXPECT(gone(&a, &fh));
}

static void its_directory_is_hidden(void)
{
	struct fh dir = root(), fh, keep = new_file("keep"), other;
	static const char name[] = ".ebpfs-orphans";
	struct ebpfs_entry_info e;
	struct ebpfs_attr attr;
	unsigned int links, names = 0;
	int n, pos;

	EXPECT_EQ(do_getattr(&a, &dir, &attr), 0);
	links = le32_to_cpu(attr.nlink);
	EXPECT_EQ(hold(&a, &keep, OPEN), R_OPEN);
	EXPECT_EQ(do_remove(&b, &dir, "keep", EBPFS_REMOVE_FILE), 0);
	EXPECT_EQ(orphans(), 1);
	EXPECT_EQ(do_getattr(&a, &dir, &attr), 0);
	EXPECT_EQ(le32_to_cpu(attr.nlink), links);
	n = do_op(&a, EBPFS_OP_READDIR, &dir, 0, 65536, buf, sizeof(buf));
	for (pos = 0; pos < n; pos += e.len) {
		ASSERT_EQ(ebpfs_parse_entry(buf + pos, (u32)(n - pos), true, &e), 0);
		EXPECT(e.name_len != sizeof(name) - 1 || memcmp(e.name, name, e.name_len));
		names++;
	}
	EXPECT(names >= 2);
	other = new_file("other");
	EXPECT_EQ(do_lookup(&a, &dir, name, &fh, NULL), -ENOENT);
	EXPECT_EQ(do_create(&a, &dir, name, S_IFREG | 0644, 0, EXCL, &fh, NULL), -EACCES);
	EXPECT_EQ(do_remove(&a, &dir, name, EBPFS_REMOVE_DIR), -ENOENT);
	EXPECT_EQ(do_rename(&a, &dir, name, &dir, "mine", 0), -ENOENT);
	EXPECT_EQ(do_rename(&a, &dir, "other", &dir, name, 0), -EACCES);
	EXPECT_EQ(do_link(&a, &other, &dir, name, &attr), -EACCES);
	EXPECT_EQ(release(&a, &keep, number), 0);
	EXPECT(orphans_become(0, 2000));
	EXPECT_EQ(do_remove(&a, &dir, "other", EBPFS_REMOVE_FILE), 0);
}

static void orphans_of_the_dead_go(void)
{
	struct fh dir, f, g, h;

	begin();
	dir = root();
	f = new_file("f");
	g = new_file("g");
	h = new_file("h");
	EXPECT(join(&c, "alice"));
	EXPECT_EQ(hold(&a, &f, OPEN), R_OPEN);
	EXPECT_EQ(hold(&c, &g, OPEN), R_OPEN);
	EXPECT_EQ(hold(&b, &h, OPEN), R_OPEN);
	EXPECT_EQ(do_remove(&b, &dir, "f", EBPFS_REMOVE_FILE), 0);
	EXPECT_EQ(do_remove(&b, &dir, "g", EBPFS_REMOVE_FILE), 0);
	EXPECT_EQ(do_remove(&b, &dir, "h", EBPFS_REMOVE_FILE), 0);
	EXPECT_EQ(orphans(), 3);
	/* One says so ... */
	client_leave(&a);
	EXPECT(orphans_become(2, 2000));
	/* ... and one is silent. */
	for (int i = 0; i < HELD * 10 && orphans() == 2; i++) {
		EXPECT_EQ(do_read(&b, &h, 0, 100, buf), 5);
		nap(200);
	}
	EXPECT_EQ(orphans(), 1);
	EXPECT(gone(&b, &g));
	/* Its session is not known any more. */
	do {
		struct ebpfs_call_info ping = { .op = EBPFS_OP_PING };

		client_begin(&c, &ping);
		client_send(&c, &ping);
		EXPECT_EQ(hear(c.fd, buf, sizeof(buf), 1000), sizeof(struct ebpfs_hdr));
		EXPECT_EQ(((struct ebpfs_hdr *)buf)->type, EBPFS_UNKNOWN);
	} while (0);
	lives(&b, &h);
	client_close(&c);
	client_leave(&b);
	EXPECT(orphans_become(0, 2000));
}

/* The daemon is killed. What is claimed again within the lease time stays. */
static void orphans_of_another_life(void)
{
	struct fh dir, f, g, d;
	struct ebpfs_attr attr;
	u64 since;

	begin();
	dir = root();
	EXPECT_EQ(make_tmpfile(&a, &dir, S_IFREG | 0600, &f, &attr), 0);
	EXPECT_EQ(do_write(&a, &f, 0, "hello", 5, EBPFS_WRITE_UNSTABLE, false, NULL), 0);
	g = new_file("g");
	EXPECT_EQ(do_create(&b, &dir, "d", S_IFDIR | 0755, 0, EXCL, &d, NULL), 0);
	EXPECT_EQ(hold(&b, &g, OPEN), R_OPEN);
	EXPECT_EQ(do_remove(&b, &dir, "g", EBPFS_REMOVE_FILE), 0);
	EXPECT_EQ(orphans(), 2);
	client_close(&a);
	client_close(&b);
	kill(daemon_.pid, SIGKILL);
	daemon_wait(&daemon_, 5000);
	ASSERT(daemon_start(&daemon_, daemon_args));
	since = clock_ms();
	ASSERT(join(&a, "alice"));
	EXPECT_EQ(hold(&a, &f, OPEN), R_OPEN);
	lives(&a, &f);
	EXPECT_EQ(orphans(), 2);
	/* It lets go of another that somebody else may still claim. */
	EXPECT_EQ(hold(&a, &g, OPEN), R_OPEN);
	EXPECT_EQ(release(&a, &g, number), 0);
	nap(300);
	EXPECT_EQ(orphans(), 2);
	while (clock_ms() - since < HELD * 1000 + 2500 && orphans() == 2) {
		EXPECT_EQ(do_read(&a, &f, 0, 100, buf), 5);
		nap(200);
	}
	EXPECT(clock_ms() - since > HELD * 1000 - 500);
	EXPECT_EQ(orphans(), 1);
	EXPECT(gone(&a, &g));
	lives(&a, &f);
	EXPECT_EQ(do_remove(&a, &dir, "d", EBPFS_REMOVE_DIR), 0);
	client_leave(&a);
	EXPECT(orphans_become(0, 2000));
	/* An end in peace leaves nothing behind. */
	EXPECT(daemon_stop(&daemon_));
	EXPECT_EQ(orphans(), -1);
	ASSERT(daemon_start(&daemon_, daemon_args));
}

/* A call of @b's that has to wait for a's lease on @fh: RECALL, answer, reply. */
static void waits_for(const struct fh *fh, struct ebpfs_call_info *call, int want)
{
	u8 reply[1024] __attribute__((aligned(8)));
	unsigned int before = nheard;
	int ret;

	EXPECT_EQ(hold(&a, fh, LEASE), R_LEASE);
	/* In a slot of its own: a new call in it would mean that this one is given up. */
	call->id = 9;
	client_begin(&b, call);
	client_send(&b, call);
	if (call->apart)
		send_data(&b, call, ~0ull);
	if (!EXPECT(recalled(&a, 1000)))
		return;
	EXPECT_EQ(heard[before].hold, number);
	EXPECT_EQ(heard[before].fh.len, fh->len);
	EXPECT_MEM(heard[before].fh.bytes, fh->bytes, fh->len);
	/* Not before the answer; and nothing is granted meanwhile. */
	EXPECT_EQ(client_hear(&b, call, reply, sizeof(reply), 50), -ETIMEDOUT);
	EXPECT_EQ(hold(&a, fh, OPEN | LEASE), R_OPEN);
	EXPECT_EQ(hold(&b, fh, LEASE) & ~R_LEASE, 0);
	client_answer(&a, heard[before].id);
	ret = client_hear(&b, call, reply, sizeof(reply), 2000);
	EXPECT_EQ(ret < 0 ? ret : 0, want);
	/* It has just been changed. */
	EXPECT_EQ(hold(&a, fh, LEASE), 0);
	EXPECT_EQ(release(&a, fh, number), 0);
	EXPECT_EQ(release(&b, fh, number), 0);
	nheard = 0;
	nap(REST);
}

static void write_waits(void)
{
	struct fh fh = new_file("f"), dir = root();
	static u8 data[20000];
	struct ebpfs_call_info call = {
		.op = EBPFS_OP_WRITE, .fh = fh.bytes, .fh_len = fh.len, .data = data, .data_len = 4,
	};

	nap(REST);
	waits_for(&fh, &call, 0);
	call.count = EBPFS_WRITE_STABLE;
	waits_for(&fh, &call, 0);
	call.count = EBPFS_WRITE_UNSTABLE;
	call.data_len = sizeof(data);
	call.apart = true;
	waits_for(&fh, &call, 0);
	EXPECT_EQ(do_remove(&b, &dir, "f", EBPFS_REMOVE_FILE), 0);
}

/* Every operation that changes something, and each file that it changes. */
static void every_change_waits(void)
{
	struct ebpfs_setattr set = {
		.valid = cpu_to_le32(EBPFS_SET_MODE), .mode = cpu_to_le32(0600),
	};
	struct ebpfs_range range = { .len = cpu_to_le64(4096) };
	struct ebpfs_copy copy = { .len = cpu_to_le64(5) };
	struct fh dir = root(), d, f = new_file("f"), g = new_file("g"), made;
	struct change ch;

	EXPECT_EQ(do_create(&b, &dir, "d", S_IFDIR | 0755, 0, EXCL, &d, NULL), 0);
	nap(REST);
	prepare(&b, &ch, EBPFS_OP_SETATTR, &f, NULL);
	memcpy(ch.data, &set, sizeof(set));
	set_data(&ch, sizeof(set));
	waits_for(&f, &ch.call, 0);
	prepare(&b, &ch, EBPFS_OP_APPEND, &f, NULL);
	set_data(&ch, 3);
	waits_for(&f, &ch.call, 0);
	prepare(&b, &ch, EBPFS_OP_FALLOCATE, &f, NULL);
	memcpy(ch.data, &range, sizeof(range));
	set_data(&ch, sizeof(range));
	waits_for(&f, &ch.call, 0);
	prepare(&b, &ch, EBPFS_OP_SETXATTR, &f, "user.x");
	set_data(&ch, 3);
	waits_for(&f, &ch.call, 0);
	prepare(&b, &ch, EBPFS_OP_REMOVEXATTR, &f, "user.x");
	waits_for(&f, &ch.call, 0);
	prepare(&b, &ch, EBPFS_OP_COPY, &f, NULL);
	copy.fh_len = cpu_to_le16(g.len);
	memset(ch.data, 0, sizeof(ch.data));
	memcpy(ch.data, &copy, sizeof(copy));
	memcpy(ch.data + sizeof(copy), g.bytes, g.len);
	set_data(&ch, sizeof(copy) + (g.len + 7) / 8 * 8);
	waits_for(&f, &ch.call, 0);
	prepare_create(&b, &ch, &d, "n", S_IFREG | 0644, 0, EXCL);
	waits_for(&d, &ch.call, 0);
	EXPECT_EQ(do_lookup(&b, &d, "n", &made, NULL), 0);
	prepare(&b, &ch, EBPFS_OP_LINK, &f, NULL);
	put_target(&ch, &d, "l");
	waits_for(&f, &ch.call, 0);
	prepare(&b, &ch, EBPFS_OP_LINK, &f, NULL);
	put_target(&ch, &d, "m");
	waits_for(&d, &ch.call, 0);
	prepare(&b, &ch, EBPFS_OP_REMOVE, &d, "m");
	waits_for(&d, &ch.call, 0);
	prepare(&b, &ch, EBPFS_OP_REMOVE, &d, "l");
	waits_for(&f, &ch.call, 0);
	prepare_rename(&b, &ch, &d, "n", &dir, "n", 0);
	waits_for(&d, &ch.call, 0);
	prepare_rename(&b, &ch, &dir, "n", &d, "n", 0);
	waits_for(&d, &ch.call, 0);
	prepare_rename(&b, &ch, &d, "n", &d, "o", RENAME_NOREPLACE);
	waits_for(&made, &ch.call, 0);
	prepare_rename(&b, &ch, &d, "o", &dir, "f", RENAME_EXCHANGE);
	waits_for(&made, &ch.call, 0);
	prepare_rename(&b, &ch, &d, "o", &dir, "f", RENAME_EXCHANGE);
	waits_for(&f, &ch.call, 0);
	prepare_rename(&b, &ch, &d, "o", &dir, "f", 0);
	waits_for(&made, &ch.call, 0);
	prepare(&b, &ch, EBPFS_OP_REMOVE, &d, "o");
	waits_for(&d, &ch.call, -ENOENT);
	EXPECT_EQ(do_remove(&b, &dir, "f", EBPFS_REMOVE_FILE), 0);
	EXPECT_EQ(do_remove(&b, &dir, "g", EBPFS_REMOVE_FILE), 0);
	EXPECT_EQ(do_remove(&b, &dir, "d", EBPFS_REMOVE_DIR), 0);
}

static void own_changes_do_not(void)
{
	struct fh fh = new_file("f"), dir = root();
	struct client twin;

	nap(REST);
	EXPECT_EQ(hold(&a, &fh, OPEN | LEASE), R_OPEN | R_LEASE);
	EXPECT_EQ(hold(&b, &fh, OPEN | LEASE), R_OPEN | R_LEASE);
	client_answer(&a, 0);
	client_answer(&a, ~0ull);
	EXPECT_EQ(release(&b, &fh, number), 0);
	EXPECT_EQ(do_write(&a, &fh, 0, "x", 1, EBPFS_WRITE_UNSTABLE, false, NULL), 0);
	EXPECT(!recalled(&a, SILENCE_MS));
	EXPECT_EQ(hold(&a, &fh, LEASE), R_LEASE);
	/* Another session of the same mount is the same owner. */
	client_init(&twin, ADDR, "alice", secret, where[0] == 'd' ? "/disk" : "/memory");
	twin.hs.owner = a.hs.owner;
	twin.recall = note_recall;
	ASSERT_EQ(client_join(&twin), 0);
	EXPECT_EQ(twin.s.owner_instance, a.s.owner_instance);
	EXPECT_EQ(do_write(&twin, &fh, 0, "y", 1, EBPFS_WRITE_UNSTABLE, false, NULL), 0);
	EXPECT(!recalled(&a, SILENCE_MS));
	/* It hears of recalls, and may answer. */
	do {
		struct ebpfs_call_info call = {
			.op = EBPFS_OP_WRITE, .fh = fh.bytes, .fh_len = fh.len,
			.data = (const u8 *)"zz", .data_len = 2,
		};

		client_begin(&b, &call);
		client_send(&b, &call);
		ASSERT(recalled(&a, 1000));
		ASSERT(recalled(&twin, 1000));
		EXPECT_EQ(heard[nheard - 1].id, heard[nheard - 2].id);
		/* Not b's to answer. */
		client_answer(&b, heard[nheard - 1].id);
		EXPECT_EQ(client_hear(&b, &call, buf, sizeof(buf), 50), -ETIMEDOUT);
		client_answer(&twin, heard[nheard - 1].id);
		EXPECT(client_hear(&b, &call, buf, sizeof(buf), 1000) > 0);
	} while (0);
	client_close(&twin);
	EXPECT_EQ(do_remove(&a, &dir, "f", EBPFS_REMOVE_FILE), 0);
}

/* While a holds @fh under a lease, b's WRITE of @text begins and is held back. */
static bool write_that_waits(struct ebpfs_call_info *call, const struct fh *fh, const char *text)
{
	nap(REST);
	EXPECT_EQ(hold(&a, fh, OPEN | LEASE), R_OPEN | R_LEASE);
	*call = (struct ebpfs_call_info){
		.op = EBPFS_OP_WRITE, .fh = fh->bytes, .fh_len = fh->len,
		.data = (const u8 *)text, .data_len = (u32)strlen(text),
	};
	client_begin(&b, call);
	client_send(&b, call);
	return recalled(&a, 1000);
}

/* What @who's READ of @fh is answered that is sent only once. */
static int read_once(struct client *who, const struct fh *fh)
{
	struct ebpfs_call_info call = {
		.op = EBPFS_OP_READ, .fh = fh->bytes, .fh_len = fh->len, .count = 100, .id = 3,
	};

	client_begin(who, &call);
	client_send(who, &call);
	return client_hear(who, &call, buf, sizeof(buf), 300);
}

/* Who answers late is served again. */
static void the_late_are_forgiven(void)
{
	struct ebpfs_call_info call;
	struct fh fh, dir;
	unsigned int i;

	begin();
	fh = new_file("f");
	dir = root();
	ASSERT(write_that_waits(&call, &fh, "after"));
	for (i = 0; i < 2; i++)
		ASSERT(recalled(&a, 1000));
	EXPECT_EQ(read_once(&a, &fh), 5);
	EXPECT_MEM(buf, "hello", 5);
	ASSERT(recalled(&a, 1000));
	EXPECT_EQ(read_once(&a, &fh), -ETIMEDOUT);
	client_answer(&a, heard[nheard - 1].id);
	EXPECT(client_hear(&b, &call, buf, sizeof(buf), 1000) > 0);
	EXPECT_EQ(read_once(&a, &fh), 5);
	EXPECT_MEM(buf, "after", 5);
	EXPECT_EQ(do_remove(&a, &dir, "f", EBPFS_REMOVE_FILE), 0);
	end();
}

/* Nobody answers: it is asked again, more and more rarely, and fenced in the end. */
static void the_silent_are_fenced(void)
{
	long long fenced = daemon_stat(&daemon_, "owners_fenced"), silent;
	unsigned int i, before;
	struct fh fh, other, dir;
	u64 since, last;
	struct ebpfs_call_info call;

	begin();
	fh = new_file("f");
	other = new_file("other");
	dir = root();
	nap(REST);
	EXPECT_EQ(hold(&a, &fh, OPEN | LEASE), R_OPEN | R_LEASE);
	EXPECT_EQ(hold(&a, &other, OPEN | LEASE), R_OPEN | R_LEASE);
	call = (struct ebpfs_call_info){
		.op = EBPFS_OP_WRITE, .fh = fh.bytes, .fh_len = fh.len,
		.data = (const u8 *)"after", .data_len = 5,
	};
	client_begin(&b, &call);
	client_send(&b, &call);
	since = last = clock_ms();
	before = nheard;
	for (i = 0; i < 4; i++) {
		static const unsigned int pauses[] = { 0, 100, 200, 400 };

		ASSERT(recalled(&a, 1000));
		EXPECT_EQ(heard[nheard - 1].id, heard[before].id);
		EXPECT(clock_ms() - last + 20 >= pauses[i]);
		last = clock_ms();
	}
	/* It lives, and calls; that is no answer. From a quarter of the time on, it gets none. */
	silent = daemon_stat(&daemon_, "drop_silent");
	EXPECT_EQ(read_once(&a, &fh), -ETIMEDOUT);
	EXPECT(daemon_stat(&daemon_, "drop_silent") > silent);
	while (client_hear(&b, &call, buf, sizeof(buf), 200) == -ETIMEDOUT &&
	       clock_ms() - since < 2 * HELD * 1000) {
		static u8 ping[8];
		struct ebpfs_call_info p = { .op = EBPFS_OP_PING, .id = 5 };

		client_call(&b, &p, ping, sizeof(ping));
		client_begin(&a, &p);
		client_send(&a, &p);
		call.attempt++;
		client_send(&b, &call);
	}
	EXPECT(clock_ms() - since > HELD * 1000 - 100);
	EXPECT(clock_ms() - since < HELD * 1000 + 1500);
	/* It is counted when it is done, which is when the answer leaves, too. */
	for (i = 0; i < 50 && daemon_stat(&daemon_, "owners_fenced") == fenced; i++)
		nap(20);
	EXPECT_EQ(daemon_stat(&daemon_, "owners_fenced"), fenced + 1);
	EXPECT_EQ(do_read(&b, &fh, 0, 100, buf), 5);
	EXPECT_MEM(buf, "after", 5);
	/* It has lost the others, and its session. */
	EXPECT_EQ(do_write(&b, &other, 0, "x", 1, EBPFS_WRITE_UNSTABLE, false, NULL), 0);
	last = a.s.owner_instance;
	client_close(&a);
	client_init(&c, ADDR, "alice", secret, where[0] == 'd' ? "/disk" : "/memory");
	c.hs.owner = a.hs.owner;
	ASSERT_EQ(client_join(&c), 0);
	EXPECT(c.s.owner_instance != last);
	a = c;
	a.recall = note_recall;
	EXPECT_EQ(do_remove(&b, &dir, "f", EBPFS_REMOVE_FILE), 0);
	EXPECT_EQ(do_remove(&b, &dir, "other", EBPFS_REMOVE_FILE), 0);
	end();
}

/* Who waits has given up, or is gone: nothing is changed. A limit holds. */
static void who_waits_in_vain(void)
{
	struct fh fh, dir;
	long long full, waits;
	struct ebpfs_call_info call;
	unsigned int i;
	struct ebpfs_call_info ping = { .op = EBPFS_OP_PING };

	begin();
	fh = new_file("f");
	dir = root();
	ASSERT(write_that_waits(&call, &fh, "givenup"));
	EXPECT_EQ(client_call(&b, &ping, buf, sizeof(buf)), 0);
	client_answer(&a, heard[nheard - 1].id);
	nap(200);
	EXPECT_EQ(do_read(&b, &fh, 0, 100, buf), 5);
	nap(REST);

	EXPECT_EQ(hold(&a, &fh, OPEN | LEASE), R_OPEN | R_LEASE);
	client_init(&c, ADDR, "alice", secret, where[0] == 'd' ? "/disk" : "/memory");
	c.hs.slots = 1024;
	c.recall = note_recall;
	ASSERT_EQ(client_join(&c), 0);
	ASSERT_EQ(c.s.slots, 1024);
	full = daemon_stat(&daemon_, "parked_full");
	for (i = 0; i < 300; i++) {
		call.id = i;
		client_begin(&c, &call);
		client_send(&c, &call);
	}
	/* Others are not kept out by it. */
	ASSERT(recalled(&a, 1000));
	nap(300);
	/* Threads that look at the limit at the same time may pass it together. */
	waits = daemon_stat(&daemon_, "parked");
	EXPECT(waits >= 256 && waits < 256 + 32);
	EXPECT_EQ(daemon_stat(&daemon_, "parked_full"), full + 300 - waits);
	call.id = 0;
	call.data = (const u8 *)"mine!";
	call.data_len = 5;
	client_begin(&b, &call);
	client_send(&b, &call);
	EXPECT_EQ(client_hear(&b, &call, buf, sizeof(buf), 100), -ETIMEDOUT);
	EXPECT_EQ(daemon_stat(&daemon_, "parked"), waits + 1);
	client_leave(&c);
	nap(100);
	client_answer(&a, heard[nheard - 1].id);
	EXPECT(client_hear(&b, &call, buf, sizeof(buf), 2000) > 0);
	EXPECT_EQ(daemon_stat(&daemon_, "parked"), 0);
	EXPECT_EQ(do_read(&b, &fh, 0, 100, buf), 5);
	EXPECT_MEM(buf, "mine!", 5);
	EXPECT_EQ(do_remove(&b, &dir, "f", EBPFS_REMOVE_FILE), 0);
	end();
}

static void stopping_with_calls_that_wait(void)
{
	struct ebpfs_call_info call;
	struct fh fh, dir;

	begin();
	fh = new_file("f");
	dir = root();
	ASSERT(write_that_waits(&call, &fh, "x"));
	EXPECT(daemon_stop(&daemon_));
	ASSERT(daemon_start(&daemon_, daemon_args));
	client_close(&a);
	client_close(&b);
	begin();
	EXPECT_EQ(do_remove(&b, &dir, "f", EBPFS_REMOVE_FILE), 0);
	end();
}

static u32 may(struct client *who, const struct fh *fh, u32 kinds)
{
	struct ebpfs_attr attr;

	if (hold_number(who, fh, kinds ? ++number : 0, kinds, &attr) < 0)
		return ~0u;
	return le32_to_cpu(attr.may);
}

/* The reply says what the caller may, as the kernel has it, and never what it may not. */
static void replies_say_what_may_be_done(void)
{
	static const u32 modes[] = {
		0, 0400, 0200, 0100, 0700, 0070, 0007, 0755, 0644, 0604, 0066
	};
	static const u32 users[][2] = { { 0, 0 }, { 1000, 1000 }, { 1001, 1000 }, { 1002, 1002 } };
	struct fh dir = root(), fh = new_file("f");
	const u32 known = EBPFS_MAY_KNOWN;
	unsigned int i, u;
	u32 got;

	ASSERT_EQ(chown(at("%s/f", where), 1000, 1000), 0);
	for (u = 0; u < ARRAY_SIZE(users); u++)
		EXPECT_EQ(do_cred(&a, u + 1, users[u][0], users[u][1], NULL, 0), 0);
	for (i = 0; i < ARRAY_SIZE(modes); i++) {
		ASSERT_EQ(chmod(at("%s/f", where), modes[i]), 0);
		nap(0);
		for (u = 0; u < ARRAY_SIZE(users); u++) {
			a.cred = u + 1;
			got = may(&a, &fh, OPEN);
			EXPECT_EQ(got, known | (u32)do_access(&a, &fh, 7));
			/* Without a hold only what costs nothing. */
			got = may(&a, &fh, 0);
			EXPECT(!got || got == (known | (u32)do_access(&a, &fh, 7)));
			EXPECT(u > 1 || got);
			a.cred = 0;
		}
	}
	/* An ACL is for others than the owner. */
	ASSERT_EQ(chmod(at("%s/f", where), 0640), 0);
	if (!setxattr(at("%s/f", where), "system.posix_acl_access",
		      "\2\0\0\0\1\0\6\0\377\377\377\377\2\0\4\0\352\3\0\0\4\0\4\0\377\377\377\377"
		      "\20\0\4\0\377\377\377\377\40\0\0\0\377\377\377\377", 44, 0)) {
		a.cred = 4;
		EXPECT_EQ(may(&a, &fh, OPEN), known | EBPFS_MAY_READ);
	}
	a.cred = 0;
	EXPECT_EQ(release(&a, &fh, number), 0);
	EXPECT_EQ(do_remove(&b, &dir, "f", EBPFS_REMOVE_FILE), 0);
}

static void malformed_releases(void)
{
	struct fh fh = new_file("f"), dir = root(), forged = fh;
	u8 data[EBPFS_RELEASE_MAX] __attribute__((aligned(8))) = { 0 }, reply[8];
	struct ebpfs_call_info call = { .op = EBPFS_OP_RELEASE, .data = data };
	struct ebpfs_release_info r = { .hold = 1, .fh_len = fh.len, .fh = fh.bytes };
	long long bad = daemon_stat(&daemon_, "bad_handles");

	call.data_len = ebpfs_put_release(data, &r);
	data[10] = 1;
	EXPECT_EQ(client_call(&a, &call, reply, sizeof(reply)), -EINVAL);
	forged.bytes[12] ^= 1;
	EXPECT_EQ(release(&a, &forged, 7), 0);
	EXPECT_EQ(daemon_stat(&daemon_, "bad_handles"), bad + 1);
	/* Of what is not held. */
	EXPECT_EQ(release(&a, &fh, ++number), 0);
	EXPECT_EQ(hold_number(&a, &fh, number, OPEN, NULL), 0);
	EXPECT_EQ(hold(&a, &fh, OPEN), R_OPEN);
	EXPECT_EQ(release(&a, &fh, number), 0);
	EXPECT_EQ(do_remove(&b, &dir, "f", EBPFS_REMOVE_FILE), 0);
}

static void answer_at_once(struct client *to, const u8 *p, u32 len)
{
	struct ebpfs_recall_info r;

	(void)len;
	if (EXPECT_EQ(ebpfs_parse_recall(p, &r), 0))
		client_answer(to, r.id);
}

/* One of several that open, rename, remove and write to the same few files. What it holds
 * open must be there, whoever removed it. Return: failures. */
static int crowd_one(unsigned int seed)
{
	static const char *const names[] = { "c0", "c1", "c2", "c3" };
	struct fh dir, held[8] = { { .len = 0 } }, fh;
	u64 numbers[8] = { 0 }, until = clock_ms() + CROWD_MS;
	u8 reply[1024] __attribute__((aligned(8)));
	struct ebpfs_attr attr;
	unsigned int i, j, done = 0;
	struct change ch;
	int n;

	ktap.failures = 0;
	op_id_base = (u64)seed << 32;
	if (!join(&a, "alice"))
		return 1;
	a.recall = answer_at_once;
	dir = root();
	srand(seed);
	while (clock_ms() < until && !ktap.failures) {
		const char *one = names[rand() % 4], *two = names[rand() % 4];

		i = (unsigned int)rand() % 8;
		switch (rand() % 6) {
		case 0:
			prepare_create(&a, &ch, &dir, one, S_IFREG | 0644, 0, 0);
			ch.call.arg = ++number;
			ch.call.count = OPEN | (rand() % 2 ? LEASE : 0);
			n = client_call(&a, &ch.call, reply, sizeof(reply));
			if (n < 0 || !(a.flags & R_OPEN))
				break;
			if (held[i].len)
				EXPECT_EQ(release(&a, &held[i], numbers[i]), 0);
			EXPECT_EQ(take_entry(reply, n, &held[i], NULL), 0);
			numbers[i] = number;
			/* The same file is held once, under the highest number. */
			for (j = 0; j < 8; j++)
				if (j != i && held[j].len == held[i].len &&
				    !memcmp(held[j].bytes, held[i].bytes, held[i].len))
					held[j].len = 0;
			break;
		case 1:
			n = do_remove(&a, &dir, one, EBPFS_REMOVE_FILE);
			EXPECT(!n || n == -ENOENT);
			break;
		case 2:
			n = do_rename(&a, &dir, one, &dir, two, 0);
			EXPECT(!n || n == -ENOENT);
			break;
		case 3:
			n = do_lookup(&a, &dir, one, &fh, NULL);
			if (!n)
				n = hold(&a, &fh, LEASE);
			EXPECT(n >= 0 || n == -ENOENT || n == -ESTALE);
			break;
		default:
			if (!held[i].len)
				break;
			n = hold_number(&a, &held[i], numbers[i] = ++number, OPEN, &attr);
			EXPECT_EQ(n, R_OPEN);
			EXPECT_EQ(do_write(&a, &held[i], 0, "x", 1, EBPFS_WRITE_UNSTABLE, false,
					   NULL), 0);
			if (rand() % 4 == 0) {
				EXPECT_EQ(release(&a, &held[i], numbers[i]), 0);
				held[i].len = 0;
			}
		}
		done++;
	}
	EXPECT(done > 50);
	client_leave(&a);
	return (int)ktap.failures;
}

static void crowds(void)
{
	struct fh dir;
	pid_t pids[6];
	unsigned int i;
	int status;

	fflush(stdout);
	for (i = 0; i < ARRAY_SIZE(pids); i++) {
		pids[i] = fork();
		if (!pids[i]) {
			int failures = crowd_one(i + 1);

			fflush(stdout);
			_exit(failures ? 1 : 0);
		}
	}
	for (i = 0; i < ARRAY_SIZE(pids); i++) {
		EXPECT_EQ(waitpid(pids[i], &status, 0), pids[i]);
		EXPECT_EQ(status, 0);
	}
	EXPECT(join(&b, "alice"));
	a = b;
	dir = root();
	for (i = 0; i < 4; i++)
		do_remove(&b, &dir, (char[]){ 'c', (char)('0' + i), '\0' }, EBPFS_REMOVE_FILE);
	client_leave(&b);
	EXPECT(orphans_become(0, 5000));
	EXPECT_EQ(daemon_stat(&daemon_, "holds"), 0);
	EXPECT_EQ(daemon_stat(&daemon_, "leases"), 0);
	EXPECT_EQ(daemon_stat(&daemon_, "parked"), 0);
	EXPECT_EQ(daemon_stat(&daemon_, "orphans_lost"), 0);
	EXPECT(daemon_stat(&daemon_, "calls_parked") > 10);
	EXPECT(daemon_stat(&daemon_, "orphans_made") > 10);
}

static void crowds_on_disk(void)
{
	crowds();
}

static void crowds_on_memory(void)
{
	where = "memory";
	crowds();
	where = "disk";
}

/* Each test with a name of its own for each export. */
#define ON_BOTH(test)							\
	static void test##_on_disk(void)				\
	{								\
		where = "disk";						\
		begin();						\
		test();							\
		end();							\
	}								\
	static void test##_on_memory(void)				\
	{								\
		where = "memory";					\
		begin();						\
		test();							\
		end();							\
		where = "disk";						\
	}

ON_BOTH(unlinked_files_live)
ON_BOTH(other_ways_to_go)
ON_BOTH(nameless_files_live)
ON_BOTH(names_that_stay)
ON_BOTH(removed_directories_are_empty)
ON_BOTH(its_directory_is_hidden)
ON_BOTH(write_waits)
ON_BOTH(own_changes_do_not)
ON_BOTH(replies_say_what_may_be_done)

static void every_change_waits_on_disk(void)
{
	begin();
	every_change_waits();
	end();
}

static void malformed_releases_are_refused(void)
{
	begin();
	malformed_releases();
	end();
}

static const struct ktap_test tests[] = {
	KTAP_TEST(unlinked_files_live_on_disk),
	KTAP_TEST(unlinked_files_live_on_memory),
	KTAP_TEST(other_ways_to_go_on_disk),
	KTAP_TEST(other_ways_to_go_on_memory),
	KTAP_TEST(nameless_files_live_on_disk),
	KTAP_TEST(nameless_files_live_on_memory),
	KTAP_TEST(names_that_stay_on_disk),
	KTAP_TEST(names_that_stay_on_memory),
	KTAP_TEST(removed_directories_are_empty_on_disk),
	KTAP_TEST(removed_directories_are_empty_on_memory),
	KTAP_TEST(its_directory_is_hidden_on_disk),
	KTAP_TEST(its_directory_is_hidden_on_memory),
	KTAP_TEST(malformed_releases_are_refused),
	KTAP_TEST(orphans_of_the_dead_go),
	KTAP_TEST(write_waits_on_disk),
	KTAP_TEST(write_waits_on_memory),
	KTAP_TEST(own_changes_do_not_on_disk),
	KTAP_TEST(own_changes_do_not_on_memory),
	KTAP_TEST(every_change_waits_on_disk),
	KTAP_TEST(the_late_are_forgiven),
	KTAP_TEST(the_silent_are_fenced),
	KTAP_TEST(who_waits_in_vain),
	KTAP_TEST(replies_say_what_may_be_done_on_disk),
	KTAP_TEST(replies_say_what_may_be_done_on_memory),
	KTAP_TEST(crowds_on_disk),
	KTAP_TEST(crowds_on_memory),
	KTAP_TEST(orphans_of_another_life),
	KTAP_TEST(stopping_with_calls_that_wait),
};

int main(int argc, char **argv)
{
	char global[64];

	set_up();
	snprintf(global, sizeof(global), "listen = " ADDR "\nlease = %d\n", HELD);
	daemon_args[1] = set_up_exports("64m", global, secret);
	if (!daemon_args[1] || !daemon_start(&daemon_, daemon_args))
		return KTAP_EXIT_FAIL;
	return tear_down_exports(KTAP_MAIN(tests, argc, argv));
}
