// SPDX-License-Identifier: GPL-2.0
/*
 * Many clients at once, each a process: they read, list and look up at random,
 * repeat calls that were answered and give up calls that were not, while files
 * are removed and made, the clients file is read again and again, and replies
 * are short of memory. Every byte that is read is checked.
 *
 * timeout: 180
 * native
 *
 * With EBPFSD=PATH another build of the daemon is tested, one with a sanitizer
 * for instance.
 */
#include "ebpfsd_client.h"

#define ADDR	"127.0.0.1:20490"
#define CLIENTS	8
#define FILES	64
#define SIZE	200000

static u8 secret[EBPFS_SECRET_LEN];
static u64 seed;
static unsigned int seconds = 8;

static u32 draw(u64 *state, u32 below)
{
	*state = *state * 6364136223846793005ull + 1442695040888963407ull;
	return (u32)((*state >> 33) % below);
}

static u8 byte_of(unsigned int file, u64 offset)
{
	return (u8)((offset + file * 7919) * 2654435761u >> 17);
}

static bool right(unsigned int file, u64 offset, const u8 *p, u32 len)
{
	u32 i;

	for (i = 0; i < len; i++)
		if (p[i] != byte_of(file, offset + i))
			return false;
	return true;
}

/* Send without waiting for the answer, as a client does that gives up. */
static void abandon(struct client *c, const struct fh *fh, u64 *state)
{
	u8 out[512] __attribute__((aligned(8)));
	u16 slot = (u16)draw(state, 64);
	struct ebpfs_call_info call = {
		.op = draw(state, 2) ? EBPFS_OP_READ : EBPFS_OP_GETATTR, .count = 65536,
		.fh = fh->bytes, .fh_len = fh->len, .want = ~0ull,
		.id = EBPFS_ID(slot, ++c->seq[slot]),
	};
	u32 len = build_call(c, &call, out), n = 1 + draw(state, 3);

	while (n--)
		if (send(c->fd, out, len, 0) < 0)
			return;
}

/* One round of anything; what went wrong, or NULL. */
static const char *one(struct client *c, u64 *state, struct fh *fhs, const struct fh *dir)
{
	static u8 buf[65536] __attribute__((aligned(8)));
	unsigned int file = draw(state, FILES);
	struct fh fh;
	char name[16];
	u32 offset, count;
	int n;

	c->cell = (u16)(1024 + 8 * draw(state, 8000));
	switch (draw(state, 10)) {
	case 0:
		snprintf(name, sizeof(name), "f-%u", file);
		if (do_lookup(c, dir, name, &fh, NULL) || fh.len != fhs[file].len ||
		    memcmp(fh.bytes, fhs[file].bytes, fh.len))
			return "a file was looked up wrongly";
		return NULL;
	case 1:
		n = do_op(c, EBPFS_OP_READDIR, dir, 0, 4096 + draw(state, 61440), buf,
			  sizeof(buf));
		return n > 0 ? NULL : "the directory was not listed";
	case 2:
		abandon(c, &fhs[file], state);
		return NULL;
	case 3:
		n = do_op(c, EBPFS_OP_STATFS, dir, 0, 0, buf, sizeof(buf));
		return n == sizeof(struct ebpfs_statfs) ? NULL : "no statfs";
	case 4:
		/* May come and go meanwhile, but is never another file. */
		snprintf(name, sizeof(name), "g-%u", draw(state, 8));
		n = do_lookup(c, dir, name, &fh, NULL);
		if (!n)
			n = do_read(c, &fh, 0, 100, buf);
		if (n == 100 ? !right(1000, 0, buf, 100) :
			       n && n != -ENOENT && n != -ESTALE)
			return "a passing file was wrong";
		return NULL;
	default:
		offset = draw(state, SIZE + 1000);
		count = 1 + draw(state, draw(state, 2) ? 4096 : 65536);
		n = do_read(c, &fhs[file], offset, count, buf);
		if (offset >= SIZE)
			return n ? "something was read behind the end" : NULL;
		if (count > SIZE - offset)
			count = SIZE - offset;
		if (n != (int)count)
			return "a read was not whole";
		return right(file, offset, buf, count) ? NULL : "wrong bytes were read";
	}
}

static int client_process(unsigned int number)
{
	u64 state = seed * 1000 + number, end = clock_ms() + seconds * 1000;
	static struct fh fhs[FILES];
	static struct client c;
	unsigned int i, rounds = 0;
	struct fh dir;
	char name[16];
	int ret;

	client_init(&c, ADDR, "alice", secret, "/data");
	ret = client_join(&c);
	if (ret) {
		printf("# client %u did not get in: %d\n", number, ret);
		return 1;
	}
	dir = root_of(&c);
	for (i = 0; i < FILES; i++) {
		snprintf(name, sizeof(name), "f-%u", i);
		if (do_lookup(&c, &dir, name, &fhs[i], NULL))
			return 1;
	}
	while (clock_ms() < end) {
		const char *wrong = one(&c, &state, fhs, &dir);

		rounds++;
		if (wrong || ktap.failures) {
			printf("# client %u, round %u, seed %llu: %s\n", number, rounds,
			       (unsigned long long)seed, wrong ? wrong : "see above");
			return 1;
		}
	}
	printf("# client %u: %u rounds, %u repeated calls\n", number, rounds, c.repeats);
	return rounds < 10;
}

static void write_pattern(const char *path, unsigned int file, u32 size)
{
	static u8 data[SIZE];
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
	u32 i;

	for (i = 0; i < size; i++)
		data[i] = byte_of(file, i);
	if (fd < 0 || write(fd, data, size) != (ssize_t)size)
		abort();
	close(fd);
}

static void many_clients_at_once(void)
{
	pid_t pids[CLIENTS];
	unsigned int i, left = CLIENTS, turn = 0;
	int status;

	for (i = 0; i < CLIENTS; i++) {
		fflush(stdout);
		pids[i] = fork();
		if (!pids[i]) {
			int ret = client_process(i);

			fflush(stdout);
			_exit(ret);
		}
	}
	while (left) {
		pid_t pid = waitpid(-1, &status, WNOHANG);

		for (i = 0; i < CLIENTS; i++) {
			if (pid == pids[i]) {
				EXPECT_EQ(status, 0);
				left--;
			}
		}
		if (pid == daemon_.pid) {
			EXPECT(!"the daemon died");
			daemon_.pid = 0;
			return;
		}
		/* New bytes under a new name, then the old name: always whole. */
		write_pattern(at("data/new"), 1000, 100);
		rename(at("data/new"), at("data/g-%u", turn % 8));
		unlink(at("data/g-%u", (turn + 4) % 8));
		if (turn % 16 == 0)
			kill(daemon_.pid, SIGHUP);
		turn++;
		nap(10);
	}
	EXPECT(daemon_stat(&daemon_, "replies_forgotten") > 0);
	EXPECT(daemon_stat(&daemon_, "deferred") > 0);
	EXPECT_EQ(daemon_stat(&daemon_, "sessions_revoked"), 0);
}

/* Sessions come and go faster than calls are answered. */
static void sessions_come_and_go(void)
{
	struct client c;
	struct fh root;
	u64 state = seed;
	int i, j;

	for (i = 0; i < 200; i++) {
		client_init(&c, ADDR, "alice", secret, "/data");
		ASSERT_EQ(client_join(&c), 0);
		root = root_of(&c);
		for (j = 0; j < 8; j++)
			abandon(&c, &root, &state);
		client_leave(&c);
	}
	nap(300);
	EXPECT(daemon_stat(&daemon_, "sessions_ended") >= 190);
}

static const struct ktap_test tests[] = {
	KTAP_TEST(many_clients_at_once),
	KTAP_TEST(sessions_come_and_go),
};

int main(int argc, char **argv)
{
	const char *args[] = { "-c", NULL, NULL };
	const char *given = getenv("SEED");
	unsigned int i;
	int ret;

	set_up();
	seed = given ? strtoull(given, NULL, 0) : clock_ms();
	if (getenv("EBPFS_LONG"))
		seconds = 60;
	mkdir(at("data"), 0755);
	for (i = 0; i < FILES; i++)
		write_pattern(at("data/f-%u", i), i, SIZE);
	add_client(at("clients"), "alice", secret);
	write_file(at("conf"), 0644,
		   "listen = " ADDR "\nthreads = 4\nreply-cache = 4M\n"
		   "clients = %s/clients\nstate-dir = %s/state\n"
		   "[export /data]\npath = %s/data\nclients = *\nsquash = none\n",
		   work, work, work);
	args[1] = at("conf");
	if (!daemon_start(&daemon_, args))
		return KTAP_EXIT_FAIL;
	ret = KTAP_MAIN(tests, argc, argv);
	if (!daemon_stop(&daemon_))
		ret = KTAP_EXIT_FAIL;
	return ret;
}
