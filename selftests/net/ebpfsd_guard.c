// SPDX-License-Identifier: GPL-2.0
/*
 * Sessions with keys at ebpfsd: sec=integrity and sec=privacy. What has no guard, a wrong
 * one, or one that came before, is neither executed nor answered; exports set the least.
 *
 * timeout: 60
 * native
 */
#include "core/guard.h"
#include "ebpfsd_client.h"

#define ADDR	"127.0.0.1:20490"
#define GUARD	sizeof(struct ebpfs_guard)

static u8 secret[EBPFS_SECRET_LEN];
static u8 in[65536] __attribute__((aligned(8))), out[65536] __attribute__((aligned(8)));
static struct client c;
static struct ebpfs_keys keys;

static u64 now_ns(void)
{
	return clock_ms() * EBPFS_NSEC_PER_MSEC;
}

static bool join(u8 sec)
{
	client_init(&c, ADDR, "alice", secret, "/any");
	c.hs.sec = sec;
	if (!EXPECT_EQ(client_join(&c), 0) || !EXPECT_EQ(c.s.sec, sec))
		return false;
	ebpfs_keys_init(&keys, sec, c.s.features, false, c.s.secrets, now_ns(),
			60 * EBPFS_NSEC_PER_SEC, 1u << 20);
	return true;
}

static void leave(void)
{
	ebpfs_keys_fini(&keys);
	client_close(&c);
}

/* A question after the attributes of the root, in @out; with a guard: its bytes. */
static u32 make_call(struct ebpfs_call_info *call, bool guarded)
{
	u32 len;

	*call = (struct ebpfs_call_info){
		.op = EBPFS_OP_GETATTR, .fh = c.s.root_fh, .fh_len = c.s.root_fh_len,
	};
	client_begin(&c, call);
	len = build_call(&c, call, out);
	return guarded ? ebpfs_guard_put(&keys, out, len) : len;
}

static void put(const void *p, u32 len)
{
	EXPECT_EQ(send(c.fd, p, len, 0), len);
}

/* The next datagram, opened; NULL if none comes, or it cannot be. @len: out. */
static u8 *hear_guarded(u32 *len)
{
	u32 n = hear(c.fd, in, sizeof(in), 2000);

	if (!EXPECT(n > GUARD) || !EXPECT(in[offsetof(struct ebpfs_hdr, type)] & EBPFS_GUARDED) ||
	    !EXPECT_EQ(ebpfs_guard_open(&keys, in, n, now_ns()), 0))
		return NULL;
	*len = n - GUARD;
	return in + GUARD;
}

static void answered(const struct ebpfs_call_info *call)
{
	struct ebpfs_frag f;
	u32 len = 0;
	u8 *p = hear_guarded(&len);

	ASSERT(p);
	EXPECT_EQ(ebpfs_parse_reply(p, len, &f), 0);
	EXPECT_EQ(f.session, c.s.client_session);
	EXPECT_EQ(f.id, call->id);
	EXPECT_EQ(f.status, 0);
	EXPECT_EQ(f.total, sizeof(struct ebpfs_attr));
}

/* What was sent is dropped, for this reason, and the session goes on. */
static void dropped(const char *why, long long before)
{
	struct ebpfs_call_info call;

	/* In their order: what comes is not the answer to what was sent before. */
	put(out, make_call(&call, true));
	answered(&call);
	EXPECT_EQ(daemon_stat(&daemon_, why), before + 1);
}

static void calls_with_a_guard_are_answered(void)
{
	static const u8 secs[] = { EBPFS_SEC_INTEGRITY, EBPFS_SEC_PRIVACY };
	struct ebpfs_call_info call;
	int i, n;

	for (i = 0; i < 2; i++) {
		ASSERT(join(secs[i]));
		for (n = 0; n < 3; n++) {
			put(out, make_call(&call, true));
			answered(&call);
		}
		leave();
	}
}

static void calls_without_a_guard_are_not(void)
{
	long long before = daemon_stat(&daemon_, "drop_unguarded");
	struct ebpfs_call_info call;

	ASSERT(join(EBPFS_SEC_INTEGRITY));
	put(out, make_call(&call, false));
	dropped("drop_unguarded", before);
	leave();
}

static void no_keys_no_guard(void)
{
	long long before = daemon_stat(&daemon_, "drop_unguarded");
	struct ebpfs_call_info call;
	struct ebpfs_attr attr;
	struct fh root;
	u32 len;

	ASSERT(join(EBPFS_SEC_INTEGRITY));
	len = make_call(&call, true);
	client_close(&c);
	client_init(&c, ADDR, "alice", secret, "/any");
	ASSERT(EXPECT_EQ(client_join(&c), 0));
	((struct ebpfs_hdr *)out)->session = cpu_to_le64(c.s.server_session);
	put(out, len);
	root = root_of(&c);
	EXPECT_EQ(do_getattr(&c, &root, &attr), 0);
	EXPECT_EQ(daemon_stat(&daemon_, "drop_unguarded"), before + 1);
	leave();
}

/* And the forger does not use a number up: the true datagram comes after the forged one. */
static void forgeries_are_not(void)
{
	long long before = daemon_stat(&daemon_, "drop_tag");
	struct ebpfs_call_info call;
	static u8 copy[2048];
	u32 len, at, n = 0;

	ASSERT(join(EBPFS_SEC_INTEGRITY));
	len = make_call(&call, true);
	ASSERT(len <= sizeof(copy));
	for (at = sizeof(struct ebpfs_hdr); at < len; at += 5, n++) {
		memcpy(copy, out, len);
		copy[at] ^= 0x10;
		put(copy, len);
	}
	EXPECT(silent(c.fd));
	put(out, len);
	answered(&call);
	EXPECT_EQ(daemon_stat(&daemon_, "drop_tag"), before + n);
	leave();
}

static void replays_are_not(void)
{
	long long before = daemon_stat(&daemon_, "drop_replay");
	struct ebpfs_call_info call;
	u32 len;

	ASSERT(join(EBPFS_SEC_PRIVACY));
	len = make_call(&call, true);
	put(out, len);
	answered(&call);
	put(out, len);
	dropped("drop_replay", before);
	leave();
}

static void new_keys_are_given(void)
{
	u8 ephemeral[EBPFS_KEY_LEN];
	struct ebpfs_call_info call;
	struct {
		struct ebpfs_rekey msg;
		u8 room[GUARD];
	} ask;
	u32 len = 0;
	u8 *p;

	ASSERT(join(EBPFS_SEC_PRIVACY));
	/* No others are given at once. */
	nap(150);
	keys.ask_at = 0;
	ASSERT(EXPECT_EQ(getrandom(ephemeral, sizeof(ephemeral), 0), sizeof(ephemeral)));
	ASSERT(ebpfs_keys_ask(&keys, now_ns(), ephemeral, c.s.server_session, &ask.msg));
	put(&ask, ebpfs_guard_put(&keys, &ask, sizeof(ask.msg)));
	p = hear_guarded(&len);
	ASSERT(p && len == sizeof(struct ebpfs_rekey));
	EXPECT_EQ(ebpfs_keys_answered(&keys, (const struct ebpfs_rekey *)p, now_ns()), 0);
	put(out, make_call(&call, true));
	EXPECT_EQ(EBPFS_KEY_EPOCH(le32_to_cpu(((struct ebpfs_hdr *)out)->crc)), 1);
	answered(&call);
	leave();
}

static void exports_set_the_least(void)
{
	static const struct {
		const char *export;
		u8 sec;
		int result;
	} cases[] = {
		{ "/integrity", EBPFS_SEC_CRC, EBPFS_REJECT_SEC },
		{ "/integrity", EBPFS_SEC_INTEGRITY, 0 },
		{ "/integrity", EBPFS_SEC_PRIVACY, 0 },
		{ "/privacy", EBPFS_SEC_CRC, EBPFS_REJECT_SEC },
		{ "/privacy", EBPFS_SEC_INTEGRITY, EBPFS_REJECT_SEC },
		{ "/privacy", EBPFS_SEC_PRIVACY, 0 },
		{ "/any", EBPFS_SEC_PRIVACY + 1, EBPFS_REJECT_SEC },
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		client_init(&c, ADDR, "alice", secret, cases[i].export);
		c.hs.sec = cases[i].sec;
		EXPECT_EQ(client_join(&c), cases[i].result);
		client_close(&c);
	}
}

static const struct ktap_test tests[] = {
	KTAP_TEST(calls_with_a_guard_are_answered),
	KTAP_TEST(calls_without_a_guard_are_not),
	KTAP_TEST(no_keys_no_guard),
	KTAP_TEST(forgeries_are_not),
	KTAP_TEST(replays_are_not),
	KTAP_TEST(new_keys_are_given),
	KTAP_TEST(exports_set_the_least),
};

int main(int argc, char **argv)
{
	const char *args[] = { "-c", NULL, NULL };
	int ret;

	set_up();
	mkdir(at("data"), 0755);
	add_client(at("clients"), "alice", secret);
	write_file(at("conf"), 0644,
		   "listen = " ADDR "\nclients = %s/clients\nstate-dir = %s/state\n"
		   "[export /any]\npath = %s/data\nclients = *\nsquash = none\n"
		   "[export /integrity]\npath = %s/data\nclients = *\nsec = integrity\n"
		   "[export /privacy]\npath = %s/data\nclients = *\nsec = privacy\n",
		   work, work, work, work, work);
	args[1] = at("conf");
	if (!daemon_start(&daemon_, args))
		return KTAP_EXIT_FAIL;
	ret = KTAP_MAIN(tests, argc, argv);
	if (!daemon_stop(&daemon_))
		ret = KTAP_EXIT_FAIL;
	return ret;
}
