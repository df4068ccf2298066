/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Lives of an ebpfsd that is killed over calls, by itself (EBPFSD_TEST_DIE) between two
 * steps of a call, and a client that makes the call anew with the next one.
 *
 * ONCE_SEED=N repeats the random calls of a run; with ONCE_TMPFS=1 the export is one.
 */
#ifndef EBPFS_SELFTESTS_EBPFSD_ONCE_H
#define EBPFS_SELFTESTS_EBPFSD_ONCE_H

#include "ebpfsd_change.h"

#define ADDR	"127.0.0.1:20490"

static u8 secret[EBPFS_SECRET_LEN];
static const char *daemon_args[] = { "-c", NULL, NULL };
static struct client c;
static struct fh root;
static u8 buf[65536] __attribute__((aligned(8)));
static unsigned int deaths;
static u64 seed = 1;

static const char *const points[] = { "intent", "made", "executed", "result" };
enum { INTENT, MADE, EXECUTED, RESULT, POINTS };

static u32 draw(u32 below)
{
	seed = seed * 6364136223846793005ull + 1442695040888963407ull;
	return (u32)(seed >> 33) % below;
}

/* A session with an ebpfsd that dies at @point for the @n-th time; -1: never. */
static void live(int point, unsigned int n)
{
	char die[32];

	if (point < 0) {
		unsetenv("EBPFSD_TEST_DIE");
	} else {
		snprintf(die, sizeof(die), "%s:%u", points[point], n);
		setenv("EBPFSD_TEST_DIE", die, 1);
	}
	if (c.fd > 0)
		client_close(&c);
	if (!daemon_start(&daemon_, daemon_args)) {
		printf("Bail out! ebpfsd does not start again\n");
		exit(1);
	}
	client_init(&c, ADDR, "alice", secret, "/data");
	EXPECT_EQ(client_join(&c), 0);
	root = root_of(&c);
}

static void end_life(void)
{
	kill(daemon_.pid, SIGKILL);
	daemon_wait(&daemon_, 10000);
}

/* Make a call until it is answered or ebpfsd dies; -EPIPE: it died. */
static int try_call(struct change *ch, void *reply, u32 size)
{
	int i, n, status;

	client_begin(&c, &ch->call);
	for (i = 0; i < 200; i++) {
		if (i % 10 == 0) {
			ch->call.attempt = (u8)(i / 10);
			client_send(&c, &ch->call);
		}
		n = client_hear(&c, &ch->call, reply, size, 30);
		if (n != -ETIMEDOUT)
			return n;
		status = daemon_wait(&daemon_, 0);
		if (!daemon_.pid) {
			EXPECT(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
			deaths++;
			return -EPIPE;
		}
	}
	return -ETIMEDOUT;
}

/**
 * struct lives - lives that end at random
 * @on: so it is; else the life after a death does not end
 * @point: where this one ends
 * @ended: how many ended at each
 */
static struct lives {
	bool on;
	int point;
	unsigned int ended[POINTS];
} lives;

static void live_at_random(void)
{
	lives.point = (int)draw(POINTS);
	live(lives.point, lives.point == MADE ? 1 + draw(2) : 1 + draw(9));
}

/* As a client does: until it has an answer. */
static int persist(struct change *ch, void *reply, u32 size)
{
	int n;

	while ((n = try_call(ch, reply, size)) == -EPIPE) {
		if (lives.on) {
			lives.ended[lives.point]++;
			live_at_random();
		} else {
			live(-1, 0);
		}
	}
	return n;
}

/* The daemon's files, and the seed. */
static bool once_set_up(void)
{
	const char *given = getenv("ONCE_SEED");
	char text[EBPFS_SECRET_TEXT];

	set_up();
	if (given)
		seed = strtoull(given, NULL, 0);
	else if (getrandom(&seed, sizeof(seed), 0) < 0)
		return false;
	printf("# ONCE_SEED=%llu\n", (unsigned long long)seed);
	umask(0);
	mkdir(at("data"), 0755);
	if (getenv("ONCE_TMPFS") && mount("none", at("data"), "tmpfs", 0, "mode=755"))
		return false;
	ebpfs_secret_generate(secret);
	ebpfs_secret_encode(secret, text);
	write_file(at("clients"), 0600, "alice %s\nbob %s\n", text, text);
	write_file(at("conf"), 0644,
		   "listen = " ADDR "\nthreads = 1\n"
		   "clients = %s/clients\nstate-dir = %s/state\n"
		   "[export /data]\npath = %s/data\nclients = *\naccess = rw\nsquash = none\n"
		   "privileged-xattrs = yes\n",
		   work, work, work);
	daemon_args[1] = strdup(at("conf"));
	c.fd = -1;
	return true;
}

#endif /* EBPFS_SELFTESTS_EBPFSD_ONCE_H */
