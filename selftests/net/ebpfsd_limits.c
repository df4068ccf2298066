// SPDX-License-Identifier: GPL-2.0
/*
 * What a client can have ebpfsd keep has a limit each, that the administrator sets; what is
 * over it is refused or forgotten, counted, and others are served. Limits with tests of
 * their own: sessions, kept replies (ebpfsd_protocol), locks (ebpfsd_lock), data on their
 * way in (ebpfsd_write), calls that wait, with the default (ebpfsd_hold). Some are reached in
 * the long set only.
 *
 * timeout: 120
 * native
 */
#include "ebpfsd_change.h"

#define ADDR		"127.0.0.1:20490"
#define OPEN		EBPFS_HOLD_OPEN
#define LEASE		EBPFS_HOLD_LEASE
#define HOLDS		64u
#define WAITING		8u
#define USERS		4u
#define HANDSHAKES	200u
#define REPLIES		(1 << 20)

static u8 secret[EBPFS_SECRET_LEN], others_secret[EBPFS_SECRET_LEN];
static u8 buf[65536] __attribute__((aligned(8)));
static const char *daemon_args[] = { "-c", NULL, NULL };
static u64 number;
static u64 heard;

static void note_recall(struct client *to, const u8 *p, u32 len)
{
	struct ebpfs_recall_info r;

	(void)to;
	(void)len;
	if (!ebpfs_parse_recall(p, &r))
		heard = r.id;
}

static bool join(struct client *c)
{
	client_init(c, ADDR, "alice", secret, "/memory");
	c->recall = note_recall;
	return EXPECT_EQ(client_join(c), 0);
}

static struct fh new_file(struct client *c, const char *name)
{
	struct fh dir = root_of(c), fh = { .len = 0 };

	EXPECT_EQ(do_create(c, &dir, name, S_IFREG | 0644, 0, EBPFS_CREATE_EXCL, &fh, NULL), 0);
	return fh;
}

/* Flags of the reply, or -error. */
static int hold(struct client *c, const struct fh *fh, u32 kinds)
{
	struct ebpfs_attr attr;
	int ret = do_op(c, EBPFS_OP_GETATTR, fh, ++number, kinds, &attr, sizeof(attr));

	return ret < 0 ? ret : c->flags;
}

static void open_files(void)
{
	long long refused = daemon_stat(&daemon_, "holds_refused");
	unsigned int granted = 0, i;
	struct client a, b;
	char name[16];
	struct fh fh;

	ASSERT(join(&a));
	ASSERT(join(&b));
	for (i = 0; i < HOLDS; i++) {
		snprintf(name, sizeof(name), "o%u", i);
		fh = new_file(&a, name);
		if (hold(&a, &fh, OPEN) & EBPFS_REPLY_OPEN)
			granted++;
	}
	/* A quarter is one mount's. */
	EXPECT_EQ(granted, HOLDS / 4);
	EXPECT_EQ(daemon_stat(&daemon_, "holds_refused"), refused + HOLDS - granted);
	EXPECT(daemon_stat(&daemon_, "holds") <= HOLDS / 4);
	/* Refused is the hold, not the file; and others have theirs. */
	EXPECT_EQ(do_write(&a, &fh, 0, "x", 1, EBPFS_WRITE_UNSTABLE, false, NULL), 0);
	EXPECT(hold(&b, &fh, OPEN) & EBPFS_REPLY_OPEN);
	client_leave(&a);
	client_leave(&b);
	for (i = 0; i < 100 && daemon_stat(&daemon_, "holds"); i++)
		nap(50);
	EXPECT_EQ(daemon_stat(&daemon_, "holds"), 0);
}

/* Leases, of which a mount has three quarters of its share of all that is held at most, and
 * all mounts three quarters of everything; and files held open by all mounts.
 */
static void leases(void)
{
	long long refused = daemon_stat(&daemon_, "holds_refused");
	struct client many[5];
	struct fh fh[5][HOLDS / 4];
	unsigned int i, j;
	char name[16];

	for (i = 0; i < ARRAY_SIZE(many); i++) {
		ASSERT(join(&many[i]));
		for (j = 0; j < HOLDS / 4; j++) {
			snprintf(name, sizeof(name), "l%u-%u", i, j);
			fh[i][j] = new_file(&many[i], name);
		}
	}
	nap(1200);	/* after a change nobody gets a lease at once */
	for (i = 0; i < ARRAY_SIZE(many); i++) {
		unsigned int opens = 0, leases = 0;

		for (j = 0; j < HOLDS / 4; j++) {
			int flags = hold(&many[i], &fh[i][j], OPEN | LEASE);

			EXPECT(flags >= 0);
			opens += !!(flags & EBPFS_REPLY_OPEN);
			leases += !!(flags & EBPFS_REPLY_LEASE);
		}
		EXPECT_EQ(opens, i < 4 ? HOLDS / 4 : 0);
		EXPECT_EQ(leases, i < 4 ? HOLDS / 4 * 3 / 4 : 0);
	}
	EXPECT_EQ(daemon_stat(&daemon_, "holds"), HOLDS);
	EXPECT_EQ(daemon_stat(&daemon_, "leases"), HOLDS * 3 / 4);
	/* All of one mount's, and the leases of the others. */
	EXPECT_EQ(daemon_stat(&daemon_, "holds_refused"), refused + HOLDS / 4 + 4 * HOLDS / 16);
	for (i = 0; i < ARRAY_SIZE(many); i++)
		client_leave(&many[i]);
	for (i = 0; i < 100 && daemon_stat(&daemon_, "holds"); i++)
		nap(50);
	EXPECT_EQ(daemon_stat(&daemon_, "holds"), 0);
}

static void calls_that_wait(void)
{
	struct ebpfs_call_info call[WAITING];
	const unsigned int most = (WAITING + 3) / 4;
	long long full, waits;
	struct client a, b;
	unsigned int i;
	struct fh fh;

	ASSERT(join(&a));
	ASSERT(join(&b));
	fh = new_file(&b, "waited-for");
	nap(1200);	/* after a change nobody else gets a lease at once */
	ASSERT(hold(&a, &fh, OPEN | LEASE) & EBPFS_REPLY_LEASE);
	full = daemon_stat(&daemon_, "parked_full");
	for (i = 0; i < WAITING; i++) {
		call[i] = (struct ebpfs_call_info){
			.op = EBPFS_OP_WRITE, .id = i, .fh = fh.bytes, .fh_len = fh.len,
			.data = (const u8 *)"mine!", .data_len = 5,
		};
		client_begin(&b, &call[i]);
		client_send(&b, &call[i]);
	}
	ASSERT(hear_recall(&a, 1000));
	nap(300);
	waits = daemon_stat(&daemon_, "parked");
	/* Threads that look at the limit at the same time may pass it together. */
	EXPECT(waits >= most && waits < WAITING);
	EXPECT(daemon_stat(&daemon_, "parked_full") > full);
	client_answer(&a, heard);
	/* It may be one of those that were refused, and is sent again as any of them would be. */
	for (i = 0; i < 10; i++) {
		if (client_hear(&b, &call[0], buf, sizeof(buf), 500) > 0)
			break;
		call[0].attempt++;
		client_send(&b, &call[0]);
	}
	EXPECT(i < 10);
	client_leave(&a);
	client_leave(&b);
}

static void users(void)
{
	long long forgotten = daemon_stat(&daemon_, "users_forgotten");
	struct client a, b;
	struct fh fh;
	unsigned int i;

	ASSERT(join(&a));
	ASSERT(join(&b));
	fh = new_file(&a, "read");
	EXPECT_EQ(do_cred(&b, 1, 1001, 1001, NULL, 0), 0);
	for (i = 1; i <= USERS; i++)
		EXPECT_EQ(do_cred(&a, i, 1000 + i, 1000 + i, NULL, 0), 0);
	EXPECT_EQ(daemon_stat(&daemon_, "users_forgotten"), forgotten);
	EXPECT_EQ(do_cred(&a, i, 1000 + i, 1000 + i, NULL, 0), 0);
	EXPECT_EQ(daemon_stat(&daemon_, "users_forgotten"), forgotten + 1);
	a.cred = 1;
	EXPECT_EQ(do_read(&a, &fh, 0, 10, buf), -EBPFS_STATUS_CRED);
	a.cred = USERS + 1;
	EXPECT_EQ(do_read(&a, &fh, 0, 10, buf), 0);
	/* Of one session only. */
	b.cred = 1;
	EXPECT_EQ(do_read(&b, &fh, 0, 10, buf), 0);
	client_leave(&a);
	client_leave(&b);
}

/* What has to be kept until a slot's next call is as large as it is, and no larger: be there a
 * reply of 64 KiB in each slot before, to which a small one follows.
 */
static void kept_replies(void)
{
	const unsigned int slots = 64;
	long long most = 0, now;
	struct ebpfs_call_info c;
	unsigned int i, round;
	struct client a;
	struct fh fh;

	ASSERT(join(&a));
	fh = new_file(&a, "kept");
	ASSERT(fh.len);
	for (i = 0; i < 16; i++)
		EXPECT_EQ(do_write(&a, &fh, 4096 * i, (const char *)buf, 4096,
				   EBPFS_WRITE_UNSTABLE, false, NULL), 0);
	/* With users that the server knows, and that it does not. */
	for (round = 0; round < 2; round++) {
		for (i = 0; i < slots; i++) {
			c = (struct ebpfs_call_info){
				.op = EBPFS_OP_READ, .id = i, .count = 65536,
				.fh = fh.bytes, .fh_len = fh.len,
			};
			EXPECT_EQ(client_call(&a, &c, buf, sizeof(buf)), 65536);
			now = daemon_stat(&daemon_, "reply_bytes");
			most = now > most ? now : most;
			c = (struct ebpfs_call_info){
				.op = EBPFS_OP_WRITE, .id = i, .cred = round ? 999 : 0,
				.fh = fh.bytes, .fh_len = fh.len,
				.data = (const u8 *)"x", .data_len = 1,
			};
			client_call(&a, &c, buf, sizeof(buf));
		}
		EXPECT(most >= 64 << 10);
		/* The budget has been kept, which 64 of 64 KiB do not. */
		for (i = 0; i < 40 && daemon_stat(&daemon_, "reply_bytes") > REPLIES; i++)
			nap(50);
		EXPECT(daemon_stat(&daemon_, "reply_bytes") <= REPLIES);
	}
	client_leave(&a);
}

/* Of one address; none of them keeps anything, but each costs time. */
static void handshakes(void)
{
	long long over = daemon_stat(&daemon_, "drop_rate");
	long long hellos = daemon_stat(&daemon_, "hellos"), got;
	struct ebpfs_hello hello;
	struct ebpfs_attr attr;
	struct client a, c;
	unsigned int i;
	struct fh dir;

	nap(1100);
	ASSERT(join(&a));
	client_init(&c, ADDR, "alice", secret, "/memory");
	for (i = 0; i < 3 * HANDSHAKES; i++) {
		u32 len = ebpfs_hs_hello(&c.hs, &hello);

		EXPECT_EQ(send(c.fd, &hello, len, 0), len);
		/* What the socket has no room for was not refused. */
		if (i % 50 == 49)
			nap(5);
	}
	nap(100);
	got = daemon_stat(&daemon_, "hellos") - hellos;
	EXPECT(got >= HANDSHAKES - 2 && got <= 2 * HANDSHAKES);
	EXPECT(daemon_stat(&daemon_, "drop_rate") >= over + HANDSHAKES);
	/* Who has a session is not concerned. */
	dir = root_of(&a);
	EXPECT_EQ(do_getattr(&a, &dir, &attr), 0);
	client_close(&c);
	/* And a second later all is well. */
	nap(1100);
	client_leave(&a);
	ASSERT(join(&a));
	client_leave(&a);
}

/* How many bytes data, and calls that wait for theirs, take once they are fewer than @most;
 * or after @s seconds, in which none of @clients is silent.
 */
static long long data_bytes(struct client *clients, unsigned int n, long long most, unsigned int s)
{
	struct ebpfs_call_info ping = { .op = EBPFS_OP_PING };
	u64 end = clock_ms() + s * 1000ull;
	long long bytes;
	unsigned int i;

	while ((bytes = daemon_stat(&daemon_, "data_bytes")) >= most && clock_ms() < end) {
		for (i = 0; i < n; i++) {
			ping.id = 0;
			EXPECT_EQ(client_call(&clients[i], &ping, buf, sizeof(buf)), 0);
		}
		nap(s * 20);
	}
	return bytes;
}

/* Calls whose data never come: they are kept as long as there is room for them, and not if
 * they are not sent again for GATHER_IDLE.
 */
static void calls_without_data(void)
{
	long long refused = daemon_stat(&daemon_, "data_refused"), full;
	struct ebpfs_call_info c;
	struct client many[20], b;
	unsigned int i, slot;
	struct fh fh;

	ASSERT(join(&b));
	fh = new_file(&b, "without");
	for (i = 0; i < ARRAY_SIZE(many); i++) {
		ASSERT(join(&many[i]));
		for (slot = 0; slot < many[i].s.slots; slot++) {
			c = (struct ebpfs_call_info){
				.op = EBPFS_OP_WRITE, .id = slot, .fh = fh.bytes, .fh_len = fh.len,
				.data = buf, .data_len = 8192, .apart = true,
			};
			client_begin(&many[i], &c);
			client_send(&many[i], &c);
		}
		nap(10);	/* what the socket has no room for was not refused */
	}
	for (i = 0; i < 40 && daemon_stat(&daemon_, "data_refused") == refused; i++)
		nap(50);
	full = daemon_stat(&daemon_, "data_bytes");
	EXPECT(daemon_stat(&daemon_, "data_refused") > refused);
	EXPECT(full > REPLIES * 3 / 4 && full <= REPLIES);
	/* What needs no room is served. */
	EXPECT_EQ(do_write(&b, &fh, 0, "x", 1, EBPFS_WRITE_UNSTABLE, false, NULL), 0);
	if (getenv("EBPFS_LONG"))
		EXPECT(data_bytes(many, ARRAY_SIZE(many), REPLIES / 4, 40) < REPLIES / 4);
	for (i = 0; i < ARRAY_SIZE(many) - 1; i++)
		client_leave(&many[i]);
	EXPECT(data_bytes(NULL, 0, REPLIES / 4, 5) < REPLIES / 4);
	/* There is room again for the one that was sent last. */
	c.attempt = 1;
	client_send(&many[i], &c);
	EXPECT_EQ(client_hear(&many[i], &c, buf, sizeof(buf), 5000), sizeof(struct ebpfs_written));
	client_leave(&many[i]);
	client_leave(&b);
	EXPECT_EQ(data_bytes(NULL, 0, 1, 5), 0);
}

/* Another ebpfsd instead, by this command of a shell. */
static bool start_instead(const char *command)
{
	const char *args[] = { "-c", command, NULL };
	char ebpfsd[PATH_MAX];
	bool ok;

	if (!EXPECT(daemon_stop(&daemon_)))
		return false;
	memcpy(ebpfsd, program, sizeof(ebpfsd));
	strcpy(program, "/bin/sh");
	ok = EXPECT(daemon_start(&daemon_, args));
	memcpy(program, ebpfsd, sizeof(program));
	return ok;
}

/* Of more files than there may be descriptors for those read longest ago are closed. */
static void descriptors_of_files(void)
{
	const unsigned int files = 200, most = 128;
	char command[2 * PATH_MAX], name[16];
	unsigned int i, round;
	struct fh fh[200];
	long long closed;
	struct client a;

	snprintf(command, sizeof(command), "ulimit -n %u; exec %s -c %s", 2 * most, program,
		 daemon_args[1]);
	ASSERT(start_instead(command));
	ASSERT(join(&a));
	for (i = 0; i < files; i++) {
		snprintf(name, sizeof(name), "d%u", i);
		fh[i] = new_file(&a, name);
		EXPECT_EQ(do_write(&a, &fh[i], 0, name, strlen(name), EBPFS_WRITE_UNSTABLE, false,
				   NULL), 0);
	}
	closed = daemon_stat(&daemon_, "files_closed");
	EXPECT(closed >= files - most);
	for (round = 0; round < 2; round++) {
		for (i = 0; i < files; i++) {
			int n = snprintf(name, sizeof(name), "d%u", i);

			EXPECT_EQ(do_read(&a, &fh[i], 0, 10, buf), n);
			EXPECT_MEM(buf, name, n);
			EXPECT(daemon_stat(&daemon_, "files") <= most);
		}
	}
	EXPECT(daemon_stat(&daemon_, "files_closed") > closed + files);
	client_leave(&a);
	EXPECT(daemon_stop(&daemon_));
	EXPECT(daemon_start(&daemon_, daemon_args));
}

/* Mounts that hold something and have no session any more, since others needed the room. That
 * takes a lease that is longer than a session has to be silent before it makes room.
 */
static void mounts(void)
{
	const unsigned int sessions = 8, silence = 61;
	char command[3 * PATH_MAX], name[16];
	struct client many[9], other;
	unsigned int i;
	struct fh fh;

	if (!getenv("EBPFS_LONG"))
		SKIP("takes two minutes: of the long set");
	snprintf(command, sizeof(command), "sed '1i sessions-max = %u\\nlease = 600' %s > %s.few; "
		 "exec %s -c %s.few", sessions, daemon_args[1], daemon_args[1], program,
		 daemon_args[1]);
	ASSERT(start_instead(command));
	/* A client has half of the sessions, and half of twice as many mounts. */
	for (i = 0; i < sessions; i++) {
		if (i == sessions / 2)
			nap(silence * 1000);
		if (!join(&many[i]))
			break;
		snprintf(name, sizeof(name), "m%u", i);
		fh = new_file(&many[i], name);
		EXPECT(hold(&many[i], &fh, OPEN) & EBPFS_REPLY_OPEN);
	}
	ASSERT_EQ(i, sessions);
	EXPECT_EQ(daemon_stat(&daemon_, "sessions"), sessions / 2);
	EXPECT_EQ(daemon_stat(&daemon_, "sessions_evicted"), sessions / 2);
	EXPECT_EQ(daemon_stat(&daemon_, "owners_made"), sessions);
	nap(silence * 1000);
	client_init(&many[i], ADDR, "alice", secret, "/memory");
	EXPECT_EQ(client_join(&many[i]), EBPFS_REJECT_BUSY);
	EXPECT_EQ(daemon_stat(&daemon_, "owners_made"), sessions);
	EXPECT_EQ(daemon_stat(&daemon_, "holds"), sessions);
	/* Another client has room, and so has this one when a mount of it has gone. */
	client_init(&other, ADDR, "bob", others_secret, "/memory");
	EXPECT_EQ(client_join(&other), 0);
	client_leave(&other);
	client_leave(&many[sessions - 1]);
	nap(200);
	EXPECT_EQ(client_join(&many[i]), 0);
	client_leave(&many[i]);
	for (i = 0; i < sessions - 1; i++)
		client_close(&many[i]);
	EXPECT(daemon_stop(&daemon_));
	EXPECT(daemon_start(&daemon_, daemon_args));
}

static const struct ktap_test tests[] = {
	KTAP_TEST(open_files),
	KTAP_TEST(leases),
	KTAP_TEST(calls_that_wait),
	KTAP_TEST(users),
	KTAP_TEST(kept_replies),
	KTAP_TEST(calls_without_data),
	KTAP_TEST(handshakes),
	KTAP_TEST(descriptors_of_files),
	KTAP_TEST(mounts),
};

int main(int argc, char **argv)
{
	char global[300];

	set_up();
	snprintf(global, sizeof(global), "listen = " ADDR "\nthreads = 1\nholds-max = %u\n"
		 "waiting-max = %u\nusers-max = %u\nhandshake-rate = %u\nreply-cache = 1M\n",
		 HOLDS, WAITING, USERS, HANDSHAKES);
	daemon_args[1] = set_up_exports("64m", global, secret);
	add_client(at("clients"), "bob", others_secret);
	if (!daemon_args[1] || !daemon_start(&daemon_, daemon_args))
		return KTAP_EXIT_FAIL;
	return tear_down_exports(KTAP_MAIN(tests, argc, argv));
}
