// SPDX-License-Identifier: GPL-2.0
/*
 * Locks, and to whom they belong: of clients against each other and against this
 * process, which is local to ebpfsd's files; what becomes of them when a client says
 * good-bye, falls silent, or loses its session only, and when ebpfsd is killed.
 *
 * LOCK_SEED=N repeats the random locks of a run.
 *
 * timeout: 200
 * native
 */
#include <sys/file.h>

#include "ebpfsd_change.h"

#define ADDR	"127.0.0.1:20490"
#define LEASE	2		/* s, as configured */
#define LIMIT	64		/* locks-max, as configured */
#define LOCKS_OWNERS	16	/* times that, of all */
#define LOCK_WAITERS	64	/* mounts of a file */
#define END	(~0ull >> 1)

#define READ	EBPFS_LOCK_READ
#define WRITE	EBPFS_LOCK_WRITE
#define NONE	EBPFS_LOCK_NONE

static u8 alice[EBPFS_SECRET_LEN], bob[EBPFS_SECRET_LEN];
static struct client a, b, c;		/* fresh in each test */
static const char *daemon_args[] = { "-v", "-c", NULL, NULL };
static struct fh file;
static u64 number;

static void must_join(struct client *who, const char *name, const char *export)
{
	client_init(who, ADDR, name, !strcmp(name, "bob") ? bob : alice, export);
	if (client_join(who)) {
		printf("Bail out! client %s is not let in; ebpfsd said: %s\n", name, daemon_.log);
		exit(1);
	}
}

/* Another session of the same mount, as after a restart. */
static int join_again(struct client *who)
{
	u64 owner = who->hs.owner;
	char name[EBPFS_CLIENT_MAX], export[EBPFS_EXPORT_MAX];

	memcpy(name, who->hs.client, sizeof(name));
	memcpy(export, who->hs.export, sizeof(export));
	client_close(who);
	client_init(who, ADDR, name, !strcmp(name, "bob") ? bob : alice, export);
	who->hs.owner = owner;
	return client_join(who);
}

/* Three mounts, two of one client, and an empty file. */
static void begin(void)
{
	struct fh root;

	write_file(at("data/file"), 0666, "%s", "");
	must_join(&a, "alice", "/data");
	must_join(&b, "alice", "/data");
	must_join(&c, "bob", "/data");
	root = root_of(&a);
	EXPECT_EQ(do_lookup(&a, &root, "file", &file, NULL), 0);
}

static void end(void)
{
	client_leave(&a);
	client_leave(&b);
	client_leave(&c);
	remove(at("data/file"));
}

/**
 * struct want - a lock that is asked for
 * @id: lock owner; all others as in struct ebpfs_lock
 * @number: of the call, 0: the next one
 */
struct want {
	u64 id;
	u64 start;
	u64 end;
	u32 pid;
	u8 kind;
	u8 type;
	u8 flags;
	u64 number;
};

static int do_lock(struct client *who, const struct fh *fh, const struct want *w,
		   struct ebpfs_lock *answer)
{
	struct ebpfs_lock l = {
		.owner = cpu_to_le64(w->id), .start = cpu_to_le64(w->start),
		.end = cpu_to_le64(w->end), .pid = cpu_to_le32(w->pid),
		.kind = w->kind ? w->kind : EBPFS_LOCK_POSIX, .type = w->type, .flags = w->flags,
	};
	struct ebpfs_call_info call = {
		.op = EBPFS_OP_LOCK, .arg = w->number ? w->number : ++number, .fh = fh->bytes,
		.fh_len = fh->len, .data = (u8 *)&l, .data_len = sizeof(l), .cred = who->cred,
	};
	struct ebpfs_lock out;
	int n = client_call(who, &call, &out, sizeof(out));

	if (n < 0)
		return n;
	if (!(w->flags & EBPFS_LOCK_TEST))
		return EXPECT_EQ(n, 0) ? 0 : -EPROTO;
	if (!EXPECT_EQ(n, sizeof(out)) || !EXPECT_EQ(ebpfs_parse_lock(&out, &l), 0))
		return -EPROTO;
	if (answer)
		*answer = l;
	return 0;
}

/* Bytes of the file, by lock owner 1. */
static int lock(struct client *who, u8 type, u64 start, u64 last)
{
	return do_lock(who, &file, &(struct want){ .id = 1, .start = start, .end = last,
						   .type = type, .pid = 7 }, NULL);
}

static int lock_flags(struct client *who, u8 type, u64 start, u64 last, u8 flags)
{
	return do_lock(who, &file, &(struct want){ .id = 1, .start = start, .end = last,
						   .type = type, .pid = 7, .flags = flags }, NULL);
}

static int flock_of(struct client *who, u8 type)
{
	return do_lock(who, &file, &(struct want){ .id = 1, .end = END, .type = type,
						   .kind = EBPFS_LOCK_FLOCK }, NULL);
}

/* Type of what is in the way of @who's write lock. */
static int in_the_way(struct client *who, u64 start, u64 last)
{
	struct ebpfs_lock l;
	int err = do_lock(who, &file, &(struct want){ .id = 1, .start = start, .end = last,
						      .type = WRITE, .flags = EBPFS_LOCK_TEST },
			  &l);

	return err ? err : l.type;
}

/* A lock of this process; @cmd: F_SETLK or F_OFD_SETLK. */
static int lock_here(int fd, int cmd, short type, off_t start, off_t len)
{
	struct flock fl = { .l_type = type, .l_start = start, .l_len = len };

	return fcntl(fd, cmd, &fl) ? -errno : 0;
}

static int open_here(int flags)
{
	return open(at("data/file"), flags | O_CLOEXEC);
}

/* Until @who gets it, a grace period included: ms, -1: not within @ms. */
static int lock_within(struct client *who, u8 type, unsigned int ms)
{
	u64 start = clock_ms();
	int err;

	while (((err = lock(who, type, 0, 9)) == -EAGAIN || err == -EBPFS_STATUS_GRACE) &&
	       clock_ms() < start + ms)
		nap(20);
	return err ? -1 : (int)(clock_ms() - start);
}

static void ranges_are_locked(void)
{
	begin();
	EXPECT_EQ(lock(&a, WRITE, 10, 19), 0);
	EXPECT_EQ(lock(&b, READ, 0, 9), 0);
	EXPECT_EQ(lock(&b, READ, 20, END), 0);
	EXPECT_EQ(lock(&b, READ, 15, 15), -EAGAIN);
	EXPECT_EQ(lock(&c, READ, 10, 10), -EAGAIN);
	EXPECT_EQ(lock(&c, READ, 19, 19), -EAGAIN);
	EXPECT_EQ(lock(&c, READ, 20, 30), 0);
	EXPECT_EQ(lock(&c, WRITE, 20, 30), -EAGAIN);
	EXPECT_EQ(lock(&a, NONE, 12, 13), 0);
	EXPECT_EQ(lock(&b, WRITE, 12, 13), 0);
	EXPECT_EQ(lock(&b, READ, 11, 11), -EAGAIN);
	EXPECT_EQ(lock(&b, READ, 14, 14), -EAGAIN);
	EXPECT_EQ(lock(&a, READ, 0, 11), 0);
	EXPECT_EQ(lock(&c, READ, 0, 11), 0);
	/* Another process of the same mount is another. */
	EXPECT_EQ(do_lock(&a, &file, &(struct want){ .id = 2, .start = 14, .end = 14 }, NULL),
		  -EAGAIN);
	EXPECT_EQ(lock(&a, NONE, 0, END), 0);
	EXPECT_EQ(do_lock(&a, &file, &(struct want){ .id = 2, .start = 14, .end = 14 }, NULL), 0);
	EXPECT_EQ(lock(&b, NONE, 0, END), 0);
	EXPECT_EQ(lock(&c, NONE, 0, END), 0);
	EXPECT_EQ(lock(&c, WRITE, 15, END), 0);
	EXPECT_EQ(lock(&c, WRITE, 14, END), -EAGAIN);
	end();
}

#define BYTES	48
#define OWNERS	6

/* By byte: what each lock owner should have. */
static u8 model[OWNERS][BYTES];

static bool model_allows(unsigned int who, u8 type, u64 start, u64 last)
{
	for (unsigned int o = 0; o < OWNERS; o++)
		for (u64 i = start; i <= last; i++)
			if (o != who && model[o][i] != NONE &&
			    (type == WRITE || model[o][i] == WRITE))
				return false;
	return true;
}

static void random_locks_are_as_in_a_model(void)
{
	struct client *clients[] = { &a, &b, &c };
	const char *given = getenv("LOCK_SEED");
	unsigned int seed = given ? (unsigned int)atoi(given) : (unsigned int)time(NULL);
	unsigned int granted = 0, refused = 0;

	printf("# LOCK_SEED=%u\n", seed);
	srandom(seed);
	memset(model, NONE, sizeof(model));
	begin();
	for (int i = 0; i < 3000 && !ktap.failures; i++) {
		unsigned int who = (unsigned int)random() % OWNERS;
		u64 start = (u64)random() % BYTES, last = start + (u64)random() % (BYTES - start);
		bool test = random() % 4 == 0;
		struct want w = {
			.id = who / 3, .start = start, .end = last, .pid = 100 + who,
			.type = (u8)(random() % (test ? 2 : 3)),
			.flags = test ? EBPFS_LOCK_TEST : 0,
		};
		bool ok = w.type == NONE || model_allows(who, w.type, start, last);
		struct ebpfs_lock l;
		int err = do_lock(clients[who % 3], &file, &w, &l);

		if (test) {
			unsigned int by;

			EXPECT_EQ(err, 0);
			EXPECT_EQ(l.type == NONE, ok);
			if (l.type == NONE || ktap.failures)
				continue;
			by = le32_to_cpu(l.pid) - 100;
			ASSERT(by < OWNERS && by != who);
			EXPECT_EQ(le64_to_cpu(l.owner), by / 3);
			ASSERT(le64_to_cpu(l.start) <= last && le64_to_cpu(l.end) >= start);
			for (u64 p = le64_to_cpu(l.start); p <= le64_to_cpu(l.end); p++)
				EXPECT_EQ(model[by][p], l.type);
			continue;
		}
		EXPECT_EQ(err, ok ? 0 : -EAGAIN);
		granted += !err;
		refused += err == -EAGAIN;
		if (ok)
			memset(&model[who][start], w.type, last - start + 1);
	}
	EXPECT(granted > 500);
	EXPECT(refused > 200);
	end();
}

static void local_processes_see_and_are_seen(void)
{
	struct ebpfs_lock l;
	struct flock fl = { .l_type = F_WRLCK };
	int fd, other;

	begin();
	fd = open_here(O_RDWR);
	other = open_here(O_RDWR);
	ASSERT(fd >= 0 && other >= 0);
	EXPECT_EQ(lock_here(fd, F_OFD_SETLK, F_WRLCK, 0, 10), 0);
	EXPECT_EQ(lock(&a, READ, 5, 20), -EAGAIN);
	EXPECT_EQ(lock(&a, READ, 10, 20), 0);
	EXPECT_EQ(do_lock(&a, &file, &(struct want){ .id = 1, .start = 4, .end = END,
			  .flags = EBPFS_LOCK_TEST }, &l), 0);
	EXPECT_EQ(l.type, WRITE);
	EXPECT_EQ(le64_to_cpu(l.start), 0);
	EXPECT_EQ(le64_to_cpu(l.end), 9);
	EXPECT_EQ(le32_to_cpu(l.pid), 0);
	EXPECT_EQ(lock_here(fd, F_OFD_SETLK, F_WRLCK, 20, 1), -EAGAIN);
	EXPECT_EQ(lock_here(fd, F_OFD_SETLK, F_RDLCK, 20, 1), 0);
	EXPECT_EQ(lock_here(fd, F_OFD_SETLK, F_UNLCK, 0, 0), 0);
	/* Of the process, not of the description. */
	EXPECT_EQ(lock_here(fd, F_SETLK, F_RDLCK, 0, 10), 0);
	EXPECT_EQ(lock(&a, READ, 0, 3), 0);
	EXPECT_EQ(lock(&a, WRITE, 5, 6), -EAGAIN);
	EXPECT_EQ(in_the_way(&a, 5, 6), READ);
	EXPECT_EQ(lock_here(fd, F_SETLK, F_UNLCK, 0, 0), 0);
	EXPECT_EQ(lock(&a, WRITE, 5, 6), 0);
	EXPECT_EQ(fcntl(fd, F_GETLK, &fl), 0);
	EXPECT_EQ(fl.l_type, F_RDLCK);
	EXPECT_EQ(lock(&a, NONE, 0, END), 0);
	EXPECT_EQ(lock_here(fd, F_SETLK, F_WRLCK, 0, 0), 0);
	close(fd);
	close(other);
	end();
}

static void flocks_are_of_the_whole_file(void)
{
	int fd;

	begin();
	fd = open_here(O_RDONLY);
	ASSERT(fd >= 0);
	EXPECT_EQ(flock_of(&a, WRITE), 0);
	EXPECT_EQ(flock_of(&b, READ), -EAGAIN);
	EXPECT(flock(fd, LOCK_SH | LOCK_NB) && errno == EWOULDBLOCK);
	/* The other kind is of another world. */
	EXPECT_EQ(lock(&b, WRITE, 0, END), 0);
	EXPECT_EQ(flock_of(&a, READ), 0);
	EXPECT_EQ(flock_of(&b, READ), 0);
	EXPECT_EQ(flock(fd, LOCK_SH | LOCK_NB), 0);
	EXPECT_EQ(flock_of(&a, WRITE), -EAGAIN);	/* and stays READ */
	EXPECT_EQ(flock_of(&b, NONE), 0);
	EXPECT_EQ(flock_of(&a, WRITE), -EAGAIN);	/* this process has one, too */
	EXPECT(flock(fd, LOCK_EX | LOCK_NB) && errno == EWOULDBLOCK);
	flock(fd, LOCK_UN);
	EXPECT_EQ(flock_of(&c, WRITE), -EAGAIN);
	EXPECT_EQ(flock_of(&a, WRITE), 0);
	EXPECT_EQ(flock_of(&a, NONE), 0);
	EXPECT_EQ(flock(fd, LOCK_EX | LOCK_NB), 0);
	EXPECT_EQ(flock_of(&c, READ), -EAGAIN);
	close(fd);
	EXPECT_EQ(flock_of(&c, READ), 0);
	end();
}

static void not_everything_can_be_locked(void)
{
	struct want w = { .id = 1, .end = END, .kind = EBPFS_LOCK_FLOCK, .type = WRITE };
	struct fh root, fifo;

	begin();
	root = root_of(&a);
	EXPECT_EQ(do_lock(&a, &root, &w, NULL), 0);
	EXPECT_EQ(do_lock(&b, &root, &w, NULL), -EAGAIN);
	mkfifo(at("data/fifo"), 0666);
	ASSERT_EQ(do_lookup(&a, &root, "fifo", &fifo, NULL), 0);
	EXPECT_EQ(do_lock(&a, &fifo, &w, NULL), -EINVAL);
	w.flags = EBPFS_LOCK_TEST;
	EXPECT_EQ(do_lock(&a, &file, &w, NULL), -EINVAL);
	w = (struct want){ .id = 1, .start = 2, .end = 1 };
	EXPECT_EQ(do_lock(&a, &file, &w, NULL), -EINVAL);
	fifo.bytes[fifo.len - 1] ^= 1;
	w = (struct want){ .id = 1, .end = 1 };
	EXPECT_EQ(do_lock(&a, &fifo, &w, NULL), -ESTALE);
	w.type = NONE;
	EXPECT_EQ(do_lock(&a, &fifo, &w, NULL), 0);
	end();
}

static void tests_tell_who_it_is(void)
{
	struct want w = { .id = 9, .start = 5, .end = 100, .type = WRITE,
			  .flags = EBPFS_LOCK_TEST };
	struct ebpfs_lock l;

	begin();
	EXPECT_EQ(do_lock(&a, &file, &(struct want){ .id = 5, .start = 20, .end = END,
			  .pid = 4711 }, NULL), 0);
	EXPECT_EQ(do_lock(&b, &file, &w, &l), 0);
	EXPECT_EQ(l.type, READ);
	EXPECT_EQ(l.kind, EBPFS_LOCK_POSIX);
	EXPECT_EQ(le64_to_cpu(l.owner), 5);
	EXPECT_EQ(le32_to_cpu(l.pid), 4711);
	EXPECT_EQ(le64_to_cpu(l.start), 20);
	EXPECT_EQ(le64_to_cpu(l.end), END);
	w.type = READ;
	EXPECT_EQ(do_lock(&b, &file, &w, &l), 0);
	EXPECT_EQ(l.type, NONE);
	/* Its own do not count, and looking changes nothing. */
	w.type = WRITE;
	w.id = 5;
	EXPECT_EQ(do_lock(&a, &file, &w, &l), 0);
	EXPECT_EQ(l.type, NONE);
	EXPECT_EQ(lock(&b, WRITE, 0, 19), 0);
	EXPECT_EQ(lock(&b, READ, 20, 20), 0);
	end();
}

static void who_waits_is_told(void)
{
	u8 flags = EBPFS_LOCK_WAIT;

	begin();
	EXPECT_EQ(lock(&a, WRITE, 0, 9), 0);
	EXPECT_EQ(lock_flags(&b, WRITE, 0, 9, flags), -EAGAIN);
	EXPECT_EQ(lock_flags(&b, WRITE, 0, 4, flags), -EAGAIN);
	EXPECT_EQ(lock(&c, WRITE, 0, 9), -EAGAIN);
	EXPECT(!hear_recall(&b, 100));
	EXPECT_EQ(lock(&a, NONE, 0, 9), 0);
	EXPECT(hear_recall(&b, 1000));
	EXPECT_EQ(b.recalled.kind, EBPFS_RECALL_LOCK);
	EXPECT_EQ(le64_to_cpu(b.recalled.hold), 0);
	EXPECT_EQ(le16_to_cpu(b.recalled.fh_len), file.len);
	EXPECT_MEM(b.recalled.fh, file.bytes, file.len);
	EXPECT(!hear_recall(&b, 200));		/* once */
	EXPECT(!hear_recall(&c, 50));		/* it did not want to */
	EXPECT_EQ(lock_flags(&b, WRITE, 0, 9, flags), 0);
	/* Made weaker, too. */
	EXPECT_EQ(lock_flags(&a, READ, 0, 9, flags), -EAGAIN);
	EXPECT_EQ(lock(&b, READ, 0, 9), 0);
	EXPECT(hear_recall(&a, 1000));
	EXPECT_EQ(lock(&a, READ, 0, 9), 0);
	EXPECT_EQ(lock_flags(&c, WRITE, 0, 9, flags), -EAGAIN);
	EXPECT_EQ(lock(&a, NONE, 0, END), 0);
	EXPECT(hear_recall(&c, 1000));
	EXPECT_EQ(lock_flags(&c, WRITE, 0, 9, flags), -EAGAIN);
	/* And by the end of an owner. */
	client_leave(&b);
	EXPECT(hear_recall(&c, 1000));
	EXPECT_EQ(lock_flags(&c, WRITE, 0, 9, flags), 0);
	must_join(&b, "alice", "/data");
	end();
}

static void late_calls_do_nothing(void)
{
	struct want w = { .id = 1, .start = 0, .end = 9, .type = WRITE };

	begin();
	w.number = 1000;
	EXPECT_EQ(do_lock(&a, &file, &w, NULL), 0);
	EXPECT_EQ(do_lock(&a, &file, &w, NULL), 0);
	w.number = 999;
	w.type = NONE;
	EXPECT_EQ(do_lock(&a, &file, &w, NULL), -EAGAIN);
	EXPECT_EQ(in_the_way(&b, 0, 9), WRITE);
	w.number = 1002;
	EXPECT_EQ(do_lock(&a, &file, &w, NULL), 0);
	/* Nothing is locked any more, and yet. */
	w.number = 1001;
	w.type = WRITE;
	EXPECT_EQ(do_lock(&a, &file, &w, NULL), -EAGAIN);
	EXPECT_EQ(in_the_way(&b, 0, 9), NONE);
	/* Others are others. */
	w.id = 2;
	EXPECT_EQ(do_lock(&a, &file, &w, NULL), 0);
	w.type = NONE;
	w.number = 1003;
	EXPECT_EQ(do_lock(&a, &file, &w, NULL), 0);
	/* An unlock that overtook its lock. */
	w.id = 3;
	w.number = 1005;
	EXPECT_EQ(do_lock(&a, &file, &w, NULL), 0);
	w.type = WRITE;
	w.number = 1004;
	EXPECT_EQ(do_lock(&a, &file, &w, NULL), -EAGAIN);
	w.number = 1006;
	EXPECT_EQ(do_lock(&a, &file, &w, NULL), 0);
	number = 2000;
	end();
}

/* Lets @ms pass, and @one and @two are heard of meanwhile. */
static void stay_alive(struct client *one, struct client *two, unsigned int ms)
{
	u64 stop = clock_ms() + ms;
	struct ebpfs_attr attr;

	while (clock_ms() < stop) {
		EXPECT_EQ(do_getattr(one, &file, &attr), 0);
		EXPECT_EQ(do_getattr(two, &file, &attr), 0);
		nap(100);
	}
}

static bool unknown(struct client *who)
{
	struct ebpfs_call_info call = { .op = EBPFS_OP_PING };
	u8 in[2048] __attribute__((aligned(8)));
	u64 session, end = clock_ms() + 3000;
	u32 n;

	client_begin(who, &call);
	while (clock_ms() < end) {
		client_send(who, &call);
		/* What is left over from before comes first. */
		while ((n = hear(who->fd, in, sizeof(in), ANSWER_MS)))
			if (ebpfs_parse_hdr(in, n, &session) == EBPFS_UNKNOWN)
				return true;
	}
	return false;
}

static void the_silent_lose_their_locks(void)
{
	long long expired = daemon_stat(&daemon_, "owners_expired");
	u64 silent_since, instance;
	int ms;

	begin();
	EXPECT_EQ(a.s.lease, LEASE);
	EXPECT_EQ(b.s.lease, LEASE);
	EXPECT(a.s.owner_instance && a.s.owner_instance != b.s.owner_instance);
	EXPECT_EQ(lock(&b, WRITE, 100, 100), 0);
	stay_alive(&b, &c, LEASE * 1000 + 500);
	EXPECT_EQ(lock(&c, WRITE, 100, 100), -EAGAIN);
	must_join(&a, "alice", "/data");	/* the other was silent, too */
	instance = a.s.owner_instance;
	EXPECT_EQ(lock(&a, WRITE, 0, 9), 0);
	silent_since = clock_ms();
	while ((ms = lock(&b, WRITE, 0, 9)) == -EAGAIN && clock_ms() < silent_since + 10000)
		nap(20);
	EXPECT_EQ(ms, 0);
	ms = (int)(clock_ms() - silent_since);
	printf("# free %d ms after the last word, with a lease of %d s\n", ms, LEASE);
	EXPECT(ms >= LEASE * 1000 - 50 && ms <= LEASE * 1000 + 1500);
	EXPECT(daemon_stat(&daemon_, "owners_expired") > expired);
	/* Nothing of what it says now counts, and it learns so. */
	EXPECT(unknown(&a));
	EXPECT_EQ(join_again(&a), 0);
	EXPECT(a.s.owner_instance && a.s.owner_instance != instance);
	EXPECT_EQ(lock_flags(&a, WRITE, 0, 9, EBPFS_LOCK_RECLAIM), -ENOLCK);
	EXPECT_EQ(lock(&a, WRITE, 0, 9), -EAGAIN);
	EXPECT_EQ(join_again(&c), 0);
	end();
}

static void good_bye_frees_at_once(void)
{
	struct client second;
	u64 instance;
	int ms;

	begin();
	EXPECT_EQ(lock(&a, WRITE, 0, 9), 0);
	/* Two sessions are one mount, and the first to end does not end it. */
	must_join(&second, "alice", "/data");
	client_leave(&second);
	client_init(&second, ADDR, "alice", alice, "/data");
	second.hs.owner = a.hs.owner;
	ASSERT_EQ(client_join(&second), 0);
	EXPECT_EQ(second.s.owner_instance, a.s.owner_instance);
	EXPECT_EQ(lock(&second, WRITE, 5, 15), 0);
	client_leave(&second);
	nap(100);
	EXPECT_EQ(lock(&b, WRITE, 0, 9), -EAGAIN);
	instance = a.s.owner_instance;
	client_leave(&a);
	ms = lock_within(&b, WRITE, 2000);
	printf("# free %d ms after BYE\n", ms);
	EXPECT(ms >= 0 && ms < 1000);
	must_join(&a, "alice", "/data");
	EXPECT(a.s.owner_instance != instance);
	/* The same number of another client is another mount. */
	client_close(&c);
	client_init(&c, ADDR, "bob", bob, "/data");
	c.hs.owner = b.hs.owner;
	ASSERT_EQ(client_join(&c), 0);
	EXPECT(c.s.owner_instance != b.s.owner_instance);
	EXPECT_EQ(lock(&c, WRITE, 0, 9), -EAGAIN);
	end();
}

static void sessions_come_and_go(void)
{
	u64 instance;

	begin();
	EXPECT_EQ(lock(&a, WRITE, 0, 9), 0);
	instance = a.s.owner_instance;
	EXPECT_EQ(join_again(&a), 0);
	EXPECT_EQ(a.s.owner_instance, instance);
	EXPECT_EQ(lock(&b, WRITE, 0, 9), -EAGAIN);
	EXPECT_EQ(lock(&a, WRITE, 0, 19), 0);
	EXPECT_EQ(lock(&a, NONE, 0, END), 0);
	EXPECT_EQ(lock(&b, WRITE, 0, 9), 0);
	end();
}

static void removed_files_can_be_unlocked(void)
{
	int fd;

	begin();
	EXPECT_EQ(lock(&a, WRITE, 0, 9), 0);
	fd = open_here(O_RDWR);
	ASSERT(fd >= 0);
	unlink(at("data/file"));
	nap(1500);
	EXPECT_EQ(lock_here(fd, F_OFD_SETLK, F_WRLCK, 0, 1), -EAGAIN);
	EXPECT_EQ(lock(&a, NONE, 0, END), 0);
	EXPECT_EQ(lock_here(fd, F_OFD_SETLK, F_WRLCK, 0, 1), 0);
	close(fd);
	end();
}

static void permissions_count(void)
{
	struct client ro;
	struct fh same, root;

	begin();
	chmod(at("data/file"), 0640);
	ASSERT_EQ(chown(at("data/file"), 1000, 100), 0);
	EXPECT_EQ(do_cred(&a, 1, 1000, 1, NULL, 0), 0);		/* owner */
	EXPECT_EQ(do_cred(&a, 2, 1001, 100, NULL, 0), 0);	/* may read */
	EXPECT_EQ(do_cred(&a, 3, 1002, 1, NULL, 0), 0);		/* may nothing */
	a.cred = 3;
	EXPECT_EQ(lock(&a, READ, 0, 1), -EACCES);
	EXPECT_EQ(flock_of(&a, READ), -EACCES);
	EXPECT_EQ(in_the_way(&a, 0, 1), -EACCES);
	EXPECT_EQ(lock(&a, NONE, 0, END), 0);
	a.cred = 2;
	EXPECT_EQ(lock(&a, WRITE, 0, 1), -EACCES);
	EXPECT_EQ(lock(&a, READ, 0, 1), 0);
	EXPECT_EQ(flock_of(&a, WRITE), 0);
	a.cred = 1;
	EXPECT_EQ(lock(&a, WRITE, 0, 1), 0);
	a.cred = 3;
	EXPECT_EQ(lock(&a, NONE, 0, END), 0);
	EXPECT_EQ(flock_of(&a, NONE), 0);
	a.cred = 4;
	EXPECT_EQ(lock(&a, READ, 0, 1), -EBPFS_STATUS_CRED);
	a.cred = 0;

	must_join(&ro, "bob", "/ro");
	root = root_of(&ro);
	ASSERT_EQ(do_lookup(&ro, &root, "file", &same, NULL), 0);
	EXPECT_EQ(do_lock(&ro, &file, &(struct want){ .id = 1, .end = 1 }, NULL), -ESTALE);
	EXPECT_EQ(do_lock(&ro, &same, &(struct want){ .id = 1, .end = 1 }, NULL), 0);
	EXPECT_EQ(do_lock(&ro, &same, &(struct want){ .id = 1, .end = 1, .type = WRITE }, NULL),
		  -EROFS);
	/* Two exports, one file. */
	EXPECT_EQ(lock(&a, WRITE, 0, 9), -EAGAIN);
	client_leave(&ro);
	end();
}

static void kill_it(void)
{
	kill(daemon_.pid, SIGKILL);
	daemon_wait(&daemon_, 10000);
}

static bool start_it(void)
{
	return EXPECT(daemon_start(&daemon_, daemon_args));
}

/* All that was held is claimed again. 0 or the error. */
static int finish(struct client *c)
{
	struct fh root = root_of(c);
	struct ebpfs_release_info r = { .fh_len = root.len, .fh = root.bytes };
	u8 data[EBPFS_RELEASE_MAX] __attribute__((aligned(8))), reply[8];
	struct ebpfs_call_info call = { .op = EBPFS_OP_RELEASE, .data = data };

	call.data_len = ebpfs_put_release(data, &r);
	return client_call(c, &call, reply, sizeof(reply));
}

static void locks_are_claimed_again(void)
{
	const u8 reclaim = EBPFS_LOCK_RECLAIM;
	u64 instance;
	u64 start;
	int err;

	begin();
	EXPECT_EQ(lock(&a, WRITE, 0, 9), 0);
	EXPECT_EQ(lock(&b, WRITE, 10, 19), 0);
	EXPECT_EQ(lock_flags(&a, WRITE, 0, 9, reclaim), -ENOLCK);	/* there is nothing to */
	instance = a.s.owner_instance;
	kill_it();
	ASSERT(start_it());
	EXPECT(strstr(daemon_.log, "2 mounts held something"));
	ASSERT_EQ(join_again(&c), 0);
	EXPECT_EQ(lock(&c, WRITE, 0, 9), -EBPFS_STATUS_GRACE);
	EXPECT_EQ(flock_of(&c, WRITE), -EBPFS_STATUS_GRACE);
	EXPECT_EQ(in_the_way(&c, 0, 9), -EBPFS_STATUS_GRACE);
	EXPECT_EQ(lock_flags(&c, WRITE, 0, 9, reclaim), -ENOLCK);
	EXPECT_EQ(lock(&c, NONE, 0, 9), 0);
	ASSERT_EQ(join_again(&a), 0);
	EXPECT(a.s.owner_instance != instance);
	EXPECT_EQ(lock_flags(&a, WRITE, 0, 9, reclaim), 0);
	EXPECT_EQ(lock(&a, NONE, 50, 50), 0);		/* does not finish it */
	EXPECT_EQ(lock_flags(&a, READ, 30, 30, reclaim), 0);
	EXPECT_EQ(lock(&a, WRITE, 40, 49), -EBPFS_STATUS_GRACE);	/* nor does this */
	EXPECT_EQ(lock_flags(&a, READ, 32, 32, reclaim), 0);
	EXPECT_EQ(finish(&a), 0);
	EXPECT_EQ(lock_flags(&a, READ, 31, 31, reclaim), -ENOLCK);

	/* Killed in the middle: who has not claimed again still may, who has may again. */
	kill_it();
	ASSERT(start_it());
	EXPECT(strstr(daemon_.log, "2 mounts held something"));
	ASSERT_EQ(join_again(&a), 0);
	ASSERT_EQ(join_again(&b), 0);
	ASSERT_EQ(join_again(&c), 0);
	EXPECT_EQ(lock_flags(&b, WRITE, 10, 19, reclaim), 0);
	EXPECT_EQ(in_the_way(&b, 0, 0), -EBPFS_STATUS_GRACE);
	EXPECT_EQ(lock(&c, WRITE, 100, 100), -EBPFS_STATUS_GRACE);
	EXPECT_EQ(lock_flags(&a, WRITE, 0, 9, reclaim), 0);
	EXPECT_EQ(lock_flags(&a, WRITE, 10, 10, reclaim), -EAGAIN);
	EXPECT_EQ(finish(&b), 0);
	EXPECT_EQ(lock(&a, WRITE, 40, 49), -EBPFS_STATUS_GRACE);
	EXPECT_EQ(finish(&a), 0);			/* the last one */
	EXPECT_EQ(lock(&a, WRITE, 40, 49), 0);
	EXPECT_EQ(lock(&c, WRITE, 100, 100), 0);
	EXPECT_EQ(lock(&c, READ, 0, 0), -EAGAIN);
	EXPECT_EQ(lock(&c, READ, 10, 10), -EAGAIN);
	EXPECT_EQ(lock_flags(&b, WRITE, 20, 20, reclaim), -ENOLCK);

	/* Two never come back. */
	kill_it();
	ASSERT(start_it());
	EXPECT(strstr(daemon_.log, "3 mounts held something"));
	start = clock_ms();
	ASSERT_EQ(join_again(&c), 0);
	EXPECT_EQ(lock_flags(&c, WRITE, 100, 100, reclaim), 0);
	while ((err = lock(&c, WRITE, 0, 9)) == -EBPFS_STATUS_GRACE && clock_ms() < start + 10000)
		nap(20);
	EXPECT_EQ(err, 0);
	printf("# the grace period lasted %d ms\n", (int)(clock_ms() - start));
	EXPECT(clock_ms() - start > LEASE * 1000 - 500);
	EXPECT(clock_ms() - start < LEASE * 1000 + 1500);

	/* What was let go of long ago is not waited for. */
	EXPECT_EQ(lock(&c, NONE, 0, END), 0);
	stay_alive(&c, &c, LEASE * 1000 + 1500);
	kill_it();
	ASSERT(start_it());
	EXPECT(!strstr(daemon_.log, "held something"));
	ASSERT_EQ(join_again(&c), 0);
	EXPECT_EQ(lock(&c, WRITE, 0, 9), 0);
	/* A stop is like a death. */
	EXPECT(daemon_stop(&daemon_));
	ASSERT(start_it());
	EXPECT(strstr(daemon_.log, "1 mount held something"));
	ASSERT_EQ(join_again(&c), 0);
	EXPECT_EQ(lock_flags(&c, WRITE, 0, 9, reclaim), 0);
	client_leave(&c);
	ASSERT_EQ(join_again(&a), 0);
	ASSERT_EQ(join_again(&b), 0);
	/* The end of the last of them is the end of the grace period. */
	EXPECT(lock_within(&a, WRITE, 1000) >= 0);
	must_join(&c, "bob", "/data");
	end();
}

static void a_damaged_file_of_owners_does_no_harm(void)
{
	char path[PATH_MAX], line[256];
	FILE *f;

	begin();
	EXPECT_EQ(lock(&a, WRITE, 0, 9), 0);
	kill_it();
	snprintf(path, sizeof(path), "cd %s/state && echo owners-*", work);
	f = popen(path, "r");
	ASSERT(f && fscanf(f, "%255s", line) == 1);
	pclose(f);
	f = fopen(at("state/%s", line), "a");
	ASSERT(f);
	fprintf(f, "\n%0300d\nalice\nalice x /data\nalice 12\n", 0);
	fclose(f);
	ASSERT(start_it());
	EXPECT(strstr(daemon_.log, "5 bad lines"));
	EXPECT(strstr(daemon_.log, "1 mount held something"));
	ASSERT_EQ(join_again(&a), 0);
	EXPECT_EQ(lock_flags(&a, WRITE, 0, 9, EBPFS_LOCK_RECLAIM), 0);
	EXPECT_EQ(finish(&a), 0);
	EXPECT_EQ(lock(&a, WRITE, 10, 10), 0);
	ASSERT_EQ(join_again(&b), 0);
	ASSERT_EQ(join_again(&c), 0);
	end();
}

static void ranges_have_a_limit(void)
{
	long long over = daemon_stat(&daemon_, "locks_over");
	u64 i;

	begin();
	for (i = 0; i < LIMIT; i++)
		EXPECT_EQ(lock(&a, READ, 2 * i, 2 * i), 0);
	EXPECT_EQ(lock(&a, READ, 2 * i, 2 * i), -ENOLCK);
	EXPECT_EQ(do_lock(&a, &file, &(struct want){ .id = 2, .end = 1 }, NULL), -ENOLCK);
	EXPECT_EQ(lock(&b, READ, 2 * i, 2 * i), 0);
	EXPECT_EQ(lock(&a, READ, 1, 1), 0);		/* three become one */
	EXPECT_EQ(lock(&a, NONE, 1, 1), 0);
	EXPECT_EQ(lock(&a, READ, 1, 1), 0);
	EXPECT_EQ(lock(&a, READ, 2 * i, 2 * i), 0);
	EXPECT_EQ(lock(&a, READ, 2 * i + 2, 2 * i + 2), -ENOLCK);
	EXPECT_EQ(lock(&a, NONE, 1, 1), -ENOLCK);	/* one would become two */
	EXPECT_EQ(lock(&a, NONE, 0, END), 0);
	EXPECT_EQ(lock(&a, READ, 0, 0), 0);
	EXPECT(daemon_stat(&daemon_, "locks_over") >= over + 4);
	end();
}

/* The clients file anew, with carol or without. */
static void list_clients(bool carol)
{
	char text[EBPFS_SECRET_TEXT], other[EBPFS_SECRET_TEXT];

	ebpfs_secret_encode(alice, text);
	ebpfs_secret_encode(bob, other);
	write_file(at("clients"), 0600, "alice %s\nbob %s\n%s%s\n", text, other,
		   carol ? "carol " : "# ", text);
	daemon_.len = 0;
	kill(daemon_.pid, SIGHUP);
	EXPECT(daemon_listen(&daemon_, 5000, "again"));
}

/* Of all mounts together, and of a client, which has half of it. */
static void ranges_of_all_have_a_limit(void)
{
	const unsigned int half = LOCKS_OWNERS / 2;
	struct client many[LOCKS_OWNERS + 2];
	unsigned int i, m;
	long long over;

	begin();
	list_clients(true);
	for (m = 0; m < ARRAY_SIZE(many); m++)
		must_join(&many[m], m < half ? "alice" : m < 2 * half ? "bob" : "carol", "/data");
	over = daemon_stat(&daemon_, "locks_over");
	/* In turn, so that none is silent for long. */
	for (i = 0; i < LIMIT; i++)
		for (m = 0; m < half; m++)
			EXPECT_EQ(lock(&many[m], READ, 2 * i, 2 * i), 0);
	/* Alice has her half, so another mount of hers gets nothing, and carol does. */
	EXPECT_EQ(lock(&a, READ, 0, 0), -ENOLCK);
	EXPECT_EQ(lock(&many[2 * half], READ, 0, 0), 0);
	/* So bob lacks the last of his, and carol another one. */
	for (i = 0; i < LIMIT; i++)
		for (m = half; m < LOCKS_OWNERS; m++)
			EXPECT_EQ(lock(&many[m], READ, 2 * i, 2 * i),
				  i == LIMIT - 1 && m == LOCKS_OWNERS - 1 ? -ENOLCK : 0);
	EXPECT_EQ(lock(&many[2 * half + 1], READ, 0, 0), -ENOLCK);
	EXPECT_EQ(daemon_stat(&daemon_, "locks_over"), over + 3);
	EXPECT_EQ(lock(&many[0], NONE, 0, END), 0);
	EXPECT_EQ(lock(&a, READ, 0, 0), 0);
	EXPECT_EQ(lock(&many[2 * half + 1], READ, 0, 0), 0);
	for (m = 0; m < ARRAY_SIZE(many); m++)
		client_leave(&many[m]);
	list_clients(false);
	end();
}

/* More mounts than are noted wait for one lock: as many are told, the others ask again. */
static void who_waits_has_a_limit(void)
{
	struct client many[LOCK_WAITERS + 3];
	unsigned int m, told = 0;

	begin();
	EXPECT_EQ(lock(&a, WRITE, 0, 9), 0);
	for (m = 0; m < ARRAY_SIZE(many); m++) {
		must_join(&many[m], "alice", "/data");
		EXPECT_EQ(lock_flags(&many[m], WRITE, 0, 9, EBPFS_LOCK_WAIT), -EAGAIN);
	}
	EXPECT_EQ(lock(&a, NONE, 0, END), 0);
	for (m = 0; m < ARRAY_SIZE(many); m++)
		told += hear_recall(&many[m], m ? 20 : 1000);
	EXPECT_EQ(told, LOCK_WAITERS);
	for (m = 0; m < ARRAY_SIZE(many); m++)
		client_leave(&many[m]);
	end();
}

/* Stop the daemon when it has read each BYE: whom it does not know to be gone it waits for
 * after the next start. */
static void stop_alone(void)
{
	unsigned int i;

	for (i = 0; daemon_stat(&daemon_, "sessions") && i < 250; i++)
		nap(20);
	nap(50);	/* the end of the owners */
	EXPECT(daemon_stop(&daemon_));
}

static void descriptors_have_a_limit(void)
{
	const char *args[] = { "-c", NULL, NULL };
	char command[2 * PATH_MAX], ebpfsd[PATH_MAX];
	unsigned int n = 0, m = 0;
	int err = 0;

	stop_alone();
	memcpy(ebpfsd, program, sizeof(ebpfsd));
	snprintf(command, sizeof(command), "ulimit -n 256; exec %s -v -c %s", ebpfsd,
		 daemon_args[2]);
	args[1] = command;
	strcpy(program, "/bin/sh");
	err = !EXPECT(daemon_start(&daemon_, args));
	memcpy(program, ebpfsd, sizeof(program));
	ASSERT_EQ(err, 0);
	begin();
	while (!err && n < 100)
		err = do_lock(&a, &file, &(struct want){ .id = 100 + n++ }, NULL);
	EXPECT_EQ(err, -ENOLCK);
	EXPECT(n > 4 && n < 64);
	/* Not even with another mount; but another client can. */
	EXPECT_EQ(do_lock(&b, &file, &(struct want){ .id = 5 }, NULL), -ENOLCK);
	for (err = 0; !err && m < 100; )
		err = do_lock(&c, &file, &(struct want){ .id = 100 + m++ }, NULL);
	EXPECT_EQ(err, -ENOLCK);
	printf("# %u and %u descriptors\n", n - 1, m - 1);
	EXPECT(m > 4);
	client_leave(&a);
	nap(200);
	EXPECT_EQ(do_lock(&b, &file, &(struct want){ .id = 5 }, NULL), 0);
	must_join(&a, "alice", "/data");
	end();
	stop_alone();
	start_it();
}

static void the_revoked_lose_their_locks(void)
{
	char text[EBPFS_SECRET_TEXT], other[EBPFS_SECRET_TEXT];

	begin();
	EXPECT_EQ(lock(&c, WRITE, 0, 9), 0);
	EXPECT_EQ(lock(&a, WRITE, 10, 19), 0);
	ebpfs_secret_encode(alice, text);
	ebpfs_secret_encode(bob, other);
	write_file(at("clients"), 0600, "alice %s\n", text);
	kill(daemon_.pid, SIGHUP);
	EXPECT(lock_within(&b, WRITE, 2000) >= 0);
	EXPECT_EQ(lock(&b, WRITE, 10, 19), -EAGAIN);
	EXPECT(unknown(&c));
	write_file(at("clients"), 0600, "alice %s\nbob %s\n", text, other);
	kill(daemon_.pid, SIGHUP);
	nap(200);
	must_join(&c, "bob", "/data");
	end();
}

static const struct ktap_test tests[] = {
	KTAP_TEST(ranges_are_locked),
	KTAP_TEST(random_locks_are_as_in_a_model),
	KTAP_TEST(local_processes_see_and_are_seen),
	KTAP_TEST(flocks_are_of_the_whole_file),
	KTAP_TEST(not_everything_can_be_locked),
	KTAP_TEST(tests_tell_who_it_is),
	KTAP_TEST(who_waits_is_told),
	KTAP_TEST(late_calls_do_nothing),
	KTAP_TEST(permissions_count),
	KTAP_TEST(sessions_come_and_go),
	KTAP_TEST(good_bye_frees_at_once),
	KTAP_TEST(the_silent_lose_their_locks),
	KTAP_TEST(the_revoked_lose_their_locks),
	KTAP_TEST(removed_files_can_be_unlocked),
	KTAP_TEST(ranges_have_a_limit),
	KTAP_TEST(ranges_of_all_have_a_limit),
	KTAP_TEST(who_waits_has_a_limit),
	KTAP_TEST(descriptors_have_a_limit),
	KTAP_TEST(locks_are_claimed_again),
	KTAP_TEST(a_damaged_file_of_owners_does_no_harm),
};

int main(int argc, char **argv)
{
	int ret;

	set_up();
	umask(0);
	mkdir(at("data"), 0755);
	add_client(at("clients"), "alice", alice);
	add_client(at("clients"), "bob", bob);
	write_file(at("conf"), 0644,
		   "listen = " ADDR "\nthreads = 2\nlease = %d\nlocks-max = %d\n"
		   "clients = %s/clients\nstate-dir = %s/state\n"
		   "[export /data]\npath = %s/data\nclients = *\naccess = rw\nsquash = none\n"
		   "[export /ro]\npath = %s/data\nclients = *\nsquash = none\n",
		   LEASE, LIMIT, work, work, work, work);
	daemon_args[2] = strdup(at("conf"));
	if (!daemon_start(&daemon_, daemon_args))
		return KTAP_EXIT_FAIL;
	ret = KTAP_MAIN(tests, argc, argv);
	if (!daemon_stop(&daemon_))
		ret = KTAP_EXIT_FAIL;
	return ret;
}
