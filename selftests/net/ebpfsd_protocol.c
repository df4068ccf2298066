// SPDX-License-Identifier: GPL-2.0
/*
 * ebpfsd as its clients and its enemies see it: handshake, exactly-once slots,
 * resending, fragments, probes, and datagrams that are wrong in every way.
 *
 * timeout: 180
 * native
 *
 * One daemon serves all tests; each makes sessions of its own. What must be
 * dropped is proved by silence and by the counter of its reason.
 */
#include "ebpfsd_client.h"

#define ADDR	"127.0.0.1:20490"
#define BIG	(300 * 1024)

static u8 secret[EBPFS_SECRET_LEN], other_secret[EBPFS_SECRET_LEN];
static u8 data[BIG], in[65536] __attribute__((aligned(8))), out[65536] __attribute__((aligned(8)));

/* A session at the export that everybody may use. */
static bool join(struct client *c)
{
	client_init(c, ADDR, "alice", secret, "/data");
	return EXPECT_EQ(client_join(c), 0);
}

static bool open_big(struct client *c, struct fh *fh)
{
	struct fh root = root_of(c);

	return EXPECT_EQ(do_lookup(c, &root, "big", fh, NULL), 0);
}

static bool alive(struct client *c)
{
	struct ebpfs_call_info ping = { .op = EBPFS_OP_PING };

	return EXPECT_EQ(client_call(c, &ping, in, sizeof(in)), 0);
}

static void accepts_who_knows_the_secret(void)
{
	struct client c;

	ASSERT(join(&c));
	EXPECT(c.s.server_session);
	EXPECT_EQ(c.s.slots, 64);
	EXPECT_EQ(c.s.unit_max, EBPFS_MSG_MAX);
	EXPECT_EQ(c.s.cell_max, EBPFS_CELL_MAX);
	EXPECT(c.s.root_fh_len);
	EXPECT(alive(&c));
	client_close(&c);
}

static void rejects_others(void)
{
	static const struct {
		const char *name;
		const char *export;
		bool right;	/* alice's secret, or another */
		u8 sec;
		int reason;
	} cases[] = {
		{ "alice",	"/data",   false, EBPFS_SEC_CRC, EBPFS_REJECT_DENIED },
		{ "mallory",	"/data",   true,  EBPFS_SEC_CRC, EBPFS_REJECT_DENIED },
		{ "alic",	"/data",   true,  EBPFS_SEC_CRC, EBPFS_REJECT_DENIED },
		{ "alice",	"/none",   true,  EBPFS_SEC_CRC, EBPFS_REJECT_EXPORT },
		{ "alice",	"/dat",    true,  EBPFS_SEC_CRC, EBPFS_REJECT_EXPORT },
		{ "alice",	"/bobs",   true,  EBPFS_SEC_CRC, EBPFS_REJECT_EXPORT },
		{ "alice",	"/data",   true,  0, EBPFS_REJECT_SEC },
		{ "alice",	"/data",   true,  77, EBPFS_REJECT_SEC },
	};
	struct client c;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		client_init(&c, ADDR, cases[i].name, cases[i].right ? secret : other_secret,
			    cases[i].export);
		c.hs.sec = cases[i].sec;
		if (!EXPECT_EQ(client_join(&c), cases[i].reason))
			printf("# case %zu\n", i);
		client_close(&c);
	}
}

static void grants_listed_clients(void)
{
	struct client c;

	client_init(&c, ADDR, "bob", other_secret, "/bobs");
	EXPECT_EQ(client_join(&c), 0);
	client_close(&c);
}

/* Every byte of AUTH counts, and what is wrong with its cookie is not even answered. */
static void auth_cannot_be_changed(void)
{
	struct client c;
	struct ebpfs_auth auth, bad;
	long long before;
	size_t i;

	client_init(&c, ADDR, "alice", secret, "/data");
	ASSERT(client_hello(&c, &auth));
	before = daemon_stat(&daemon_, "accepts");
	for (i = sizeof(struct ebpfs_hdr); i < sizeof(auth); i++) {
		bad = auth;
		((u8 *)&bad)[i] ^= 1;
		ebpfs_seal(&bad, sizeof(bad));
		EXPECT_EQ(send(c.fd, &bad, sizeof(bad), 0), sizeof(bad));
	}
	while (hear(c.fd, in, sizeof(in), SILENCE_MS))
		EXPECT_EQ(((struct ebpfs_hdr *)in)->type, EBPFS_REJECT);
	EXPECT_EQ(daemon_stat(&daemon_, "accepts"), before);
	EXPECT_EQ(client_auth(&c, &auth, TRIES), 0);
	client_close(&c);
}

static void auth_holds_for_its_address_only(void)
{
	struct client c;
	struct ebpfs_auth auth;
	int fd;

	client_init(&c, ADDR, "alice", secret, "/data");
	ASSERT(client_hello(&c, &auth));
	fd = c.fd;
	c.fd = talk_to(ADDR);
	EXPECT_EQ(client_auth(&c, &auth, 2), -ETIMEDOUT);
	client_close(&c);
	c.fd = fd;
	EXPECT_EQ(client_auth(&c, &auth, TRIES), 0);
	client_close(&c);
}

static void auth_again_gets_the_same_answer(void)
{
	struct client c;
	struct ebpfs_auth auth;
	struct ebpfs_accept first, second;
	long long before;
	u32 n;

	client_init(&c, ADDR, "alice", secret, "/data");
	ASSERT(client_hello(&c, &auth));
	before = daemon_stat(&daemon_, "sessions");
	EXPECT_EQ(send(c.fd, &auth, sizeof(auth), 0), sizeof(auth));
	n = hear(c.fd, &first, sizeof(first), 2000);
	ASSERT_EQ(n, sizeof(first));
	EXPECT_EQ(send(c.fd, &auth, sizeof(auth), 0), sizeof(auth));
	n = hear(c.fd, &second, sizeof(second), 2000);
	ASSERT_EQ(n, sizeof(second));
	EXPECT_MEM(&first, &second, sizeof(first));
	/* But only who can repeat it to its end. */
	auth.tag[sizeof(auth.tag) - 1] ^= 1;
	ebpfs_seal(&auth, sizeof(auth));
	EXPECT_EQ(send(c.fd, &auth, sizeof(auth), 0), sizeof(auth));
	n = hear(c.fd, in, sizeof(in), 2000);
	EXPECT_EQ(n, sizeof(struct ebpfs_reject));
	EXPECT_EQ(((struct ebpfs_hdr *)in)->type, EBPFS_REJECT);
	EXPECT_EQ(daemon_stat(&daemon_, "sessions"), before + 1);
	client_close(&c);
}

static void hello_again_gets_another_challenge(void)
{
	struct client c;
	struct ebpfs_hello hello;
	struct ebpfs_challenge a, b;

	client_init(&c, ADDR, "alice", secret, "/data");
	ebpfs_hs_hello(&c.hs, &hello);
	EXPECT_EQ(send(c.fd, &hello, sizeof(hello), 0), sizeof(hello));
	ASSERT_EQ(hear(c.fd, &a, sizeof(a), 2000), sizeof(a));
	EXPECT_EQ(send(c.fd, &hello, sizeof(hello), 0), sizeof(hello));
	ASSERT_EQ(hear(c.fd, &b, sizeof(b), 2000), sizeof(b));
	EXPECT(memcmp(a.nonce, b.nonce, sizeof(a.nonce)));
	client_close(&c);
}

/* Without a session nothing longer than what came goes out. */
static void answers_are_no_longer_than_questions(void)
{
	int fd = talk_to(ADDR);
	u32 len, n;
	u8 type;

	for (type = 0; type < 14; type++) {
		len = ebpfs_type_min_len(type);
		if (!len)
			len = 100;
		memset(out, 0, len);
		ebpfs_put_hdr((struct ebpfs_hdr *)out, type, 0x1234567890ull);
		if (type == EBPFS_PROBE) {
			len = 1000;
			ebpfs_put_probe(out, type, 0x1234567890ull, 1, len);
		}
		ebpfs_seal(out, len);
		EXPECT_EQ(send(fd, out, len, 0), len);
		while ((n = hear(fd, in, sizeof(in), SILENCE_MS)))
			if (!EXPECT(n <= len))
				printf("# type %u: %u bytes for %u\n", type, n, len);
	}
	close(fd);
}

static void unknown_session_gets_a_hint(void)
{
	struct client c;
	struct ebpfs_hdr *h = (struct ebpfs_hdr *)in;
	struct ebpfs_call_info ping = { .op = EBPFS_OP_PING, .id = EBPFS_ID(0, 1), .want = ~0ull };
	unsigned int i, heard = 0;
	u32 len, n;

	ASSERT(join(&c));
	c.s.server_session ^= 0x100;
	len = build_call(&c, &ping, out);
	/* Limited, so that it cannot be used to flood somebody. */
	for (i = 0; i < 500; i++)
		EXPECT_EQ(send(c.fd, out, len, 0), len);
	while ((n = hear(c.fd, in, sizeof(in), SILENCE_MS))) {
		EXPECT_EQ(n, sizeof(*h));
		EXPECT_EQ(h->type, EBPFS_UNKNOWN);
		EXPECT_EQ(le64_to_cpu(h->session), c.s.server_session);
		EXPECT(ebpfs_sealed(in, n));
		heard++;
	}
	EXPECT(heard >= 1);
	EXPECT(heard <= 50);
	client_close(&c);
}

static void calls_from_elsewhere_are_dropped(void)
{
	struct client c;
	struct ebpfs_call_info ping = { .op = EBPFS_OP_PING, .id = EBPFS_ID(0, 1), .want = ~0ull };
	long long before;
	u32 len;
	int fd;

	ASSERT(join(&c));
	before = daemon_stat(&daemon_, "drop_address");
	fd = talk_to(ADDR);
	len = build_call(&c, &ping, out);
	EXPECT_EQ(send(fd, out, len, 0), len);
	EXPECT(silent(fd));
	EXPECT(silent(c.fd));
	EXPECT_EQ(daemon_stat(&daemon_, "drop_address"), before + 1);
	close(fd);
	EXPECT(alive(&c));
	client_close(&c);
}

/* A client that begins another session on its socket is through with the one before, whatever
 * of that is still on its way: once the new one is used.
 */
static void calls_of_a_former_session(void)
{
	struct client first, second;
	struct ebpfs_call_info late = { .op = EBPFS_OP_PING, .id = EBPFS_ID(7, 1), .want = ~0ull };
	long long before;
	u8 answer[256];
	u32 len;

	ASSERT(join(&first));
	second = first;
	EXPECT(getrandom(&second.hs.session, sizeof(second.hs.session), 0) > 0);
	EXPECT(getrandom(second.hs.nonce, sizeof(second.hs.nonce), 0) > 0);
	EXPECT(getrandom(second.hs.ephemeral, sizeof(second.hs.ephemeral), 0) > 0);
	second.hs.session |= 1;
	EXPECT_EQ(client_join(&second), 0);
	EXPECT(second.s.server_session != first.s.server_session);
	/* Its answer may have been lost: the client goes on with the first. */
	EXPECT(alive(&first));
	EXPECT(alive(&second));
	before = daemon_stat(&daemon_, "drop_session");
	len = build_call(&first, &late, out);
	EXPECT_EQ(send(first.fd, out, len, 0), len);
	/* It is told that there is no such session, and nothing else. */
	EXPECT_EQ(hear(first.fd, answer, sizeof(answer), ANSWER_MS), sizeof(struct ebpfs_hdr));
	EXPECT_EQ(daemon_stat(&daemon_, "drop_session"), before + 1);
	EXPECT(alive(&second));
	client_close(&first);
}

/* Any cell, any size: the bytes are the file's. */
static void replies_are_whole_in_any_grid(void)
{
	static const u16 cells[] = { 1024, 1400, 1432, 4096, 8192, 8896, 16384, 61440, 65456 };
	static const u32 sizes[] = { 1, 4096, 4097, 61440, 65536 };
	static u8 buf[65536];
	struct client c;
	struct fh fh;
	size_t i, j;

	ASSERT(join(&c));
	ASSERT(open_big(&c, &fh));
	for (i = 0; i < ARRAY_SIZE(cells); i++) {
		c.cell = cells[i];
		for (j = 0; j < ARRAY_SIZE(sizes); j++) {
			u64 offset = 12345 * (i + 1);

			memset(buf, 0xaa, sizeof(buf));
			if (!EXPECT_EQ(do_read(&c, &fh, offset, sizes[j], buf), sizes[j]))
				printf("# cell %u size %u\n", cells[i], sizes[j]);
			EXPECT_MEM(buf, data + offset, sizes[j]);
			EXPECT_EQ(c.fragments, ebpfs_ncells(sizes[j], cells[i]));
		}
	}
	EXPECT_EQ(c.repeats, 0);
	client_close(&c);
}

/* A repeated call brings what is asked for of the reply that was kept, once. */
static void repetition_resends_what_is_wanted(void)
{
	struct client c;
	struct fh fh;
	struct ebpfs_call_info call = { .op = EBPFS_OP_READ, .count = 40960, .id = 5 };
	static u8 buf[65536];
	struct ebpfs_frag f;
	u64 seen = 0;
	u32 len, n;

	ASSERT(join(&c));
	ASSERT(open_big(&c, &fh));
	c.cell = 4096;
	call.fh = fh.bytes;
	call.fh_len = fh.len;
	ASSERT_EQ(client_call(&c, &call, buf, sizeof(buf)), 40960);
	EXPECT_EQ(c.fragments, 10);

	call.want = 0x281;	/* cells 0, 7 and 9 */
	call.instance = c.instance;
	call.attempt = 3;
	len = build_call(&c, &call, out);
	EXPECT_EQ(send(c.fd, out, len, 0), len);
	while ((n = hear(c.fd, in, sizeof(in), SILENCE_MS))) {
		ASSERT_EQ(ebpfs_parse_reply(in, n, &f), 0);
		EXPECT_EQ(f.instance, c.instance);
		EXPECT_EQ(f.attempt, 3);
		EXPECT_MEM(in + sizeof(struct ebpfs_reply), data + f.offset, f.len);
		EXPECT(!(seen & 1ull << f.index));
		seen |= 1ull << f.index;
	}
	EXPECT_EQ(seen, 0x281);

	/* Of an instance that it does not know of, it wants all. */
	call.instance = c.instance + 7;
	len = build_call(&c, &call, out);
	EXPECT_EQ(send(c.fd, out, len, 0), len);
	for (seen = 0; (n = hear(c.fd, in, sizeof(in), SILENCE_MS)); seen |= 1ull << f.index)
		ASSERT_EQ(ebpfs_parse_reply(in, n, &f), 0);
	EXPECT_EQ(seen, 0x3ff);
	client_close(&c);
}

/* The same bytes in another grid are another instance. */
static void another_cell_is_another_instance(void)
{
	struct client c;
	struct fh fh;
	struct ebpfs_call_info call = { .op = EBPFS_OP_READ, .count = 40960 };
	static u8 buf[65536];
	struct ebpfs_frag f;
	u32 len, n, heard = 0;

	ASSERT(join(&c));
	ASSERT(open_big(&c, &fh));
	call.fh = fh.bytes;
	call.fh_len = fh.len;
	ASSERT_EQ(client_call(&c, &call, buf, sizeof(buf)), 40960);
	call.want = 1;
	call.instance = c.instance;
	c.cell = 1024;
	len = build_call(&c, &call, out);
	EXPECT_EQ(send(c.fd, out, len, 0), len);
	while ((n = hear(c.fd, in, sizeof(in), SILENCE_MS))) {
		ASSERT_EQ(ebpfs_parse_reply(in, n, &f), 0);
		EXPECT((s32)(f.instance - c.instance) > 0);
		EXPECT_EQ(f.cell, 1024);
		EXPECT_MEM(in + sizeof(struct ebpfs_reply), data + f.offset, f.len);
		heard++;
	}
	EXPECT_EQ(heard, 40);
	client_close(&c);
}

static void old_sequences_and_foreign_slots_are_dropped(void)
{
	struct client c;
	struct ebpfs_call_info ping = { .op = EBPFS_OP_PING, .want = ~0ull };
	long long stale, slot;
	u32 len;

	ASSERT(join(&c));
	c.seq[3] = 10;
	ping.id = 3;
	ASSERT_EQ(client_call(&c, &ping, in, sizeof(in)), 0);
	stale = daemon_stat(&daemon_, "drop_stale");
	slot = daemon_stat(&daemon_, "drop_slot");
	ping.id = EBPFS_ID(3, 10);
	len = build_call(&c, &ping, out);
	EXPECT_EQ(send(c.fd, out, len, 0), len);
	EXPECT(silent(c.fd));
	EXPECT_EQ(daemon_stat(&daemon_, "drop_stale"), stale + 1);
	ping.id = EBPFS_ID(c.s.slots, 1);
	len = build_call(&c, &ping, out);
	EXPECT_EQ(send(c.fd, out, len, 0), len);
	EXPECT(silent(c.fd));
	EXPECT_EQ(daemon_stat(&daemon_, "drop_slot"), slot + 1);
	client_close(&c);
}

/* One bit says that there is a guard, which a session with sec=crc takes from nobody. */
static long long damaged(void)
{
	return daemon_stat(&daemon_, "drop_crc") + daemon_stat(&daemon_, "drop_malformed") +
	       daemon_stat(&daemon_, "drop_unguarded");
}

/* A session says of every datagram that is cut, or has a bit wrong: nothing. */
static void damaged_datagrams_change_nothing(void)
{
	struct client c;
	struct fh fh;
	struct ebpfs_call_info call = {
		.op = EBPFS_OP_READ, .count = 4096, .id = EBPFS_ID(1, 1), .want = ~0ull,
	};
	long long calls, bad;
	u32 len, i, n = 0;

	ASSERT(join(&c));
	ASSERT(open_big(&c, &fh));
	call.fh = fh.bytes;
	call.fh_len = fh.len;
	len = build_call(&c, &call, out);
	calls = daemon_stat(&daemon_, "calls_read");
	bad = damaged();
	for (i = 0; i < len; i++, n++)
		EXPECT_EQ(send(c.fd, out, i, 0), i);
	for (i = 0; i < len * 8; i++, n++) {
		out[i / 8] ^= 1 << i % 8;
		EXPECT_EQ(send(c.fd, out, len, 0), len);
		out[i / 8] ^= 1 << i % 8;
		if (i % 256 == 255)
			EXPECT(silent(c.fd));
	}
	EXPECT(silent(c.fd));
	EXPECT_EQ(daemon_stat(&daemon_, "calls_read"), calls);
	EXPECT_EQ(damaged(), bad + n);
	/* The same whole is answered. */
	EXPECT_EQ(send(c.fd, out, len, 0), len);
	EXPECT_EQ(hear(c.fd, in, sizeof(in), 2000), 4096 + sizeof(struct ebpfs_reply));
	client_close(&c);
}

/* With a right checksum the parser has to find what is wrong. */
static void sealed_nonsense_is_malformed(void)
{
	static const u8 fh[8] = { 1 };
	struct client c;
	struct ebpfs_call_info call = {
		.op = EBPFS_OP_READ, .count = 4096, .id = EBPFS_ID(1, 1), .want = ~0ull,
		.fh = fh, .fh_len = sizeof(fh),
	};
	struct ebpfs_calls *head = (struct ebpfs_calls *)out;
	struct ebpfs_call *body = (struct ebpfs_call *)(head + 1);
	long long before;
	u32 len, n = 0;

	ASSERT(join(&c));
	before = daemon_stat(&daemon_, "drop_malformed");
#define WRONG(change)							\
	do {								\
		len = build_call(&c, &call, out);			\
		change;							\
		ebpfs_seal(out, len);					\
		EXPECT_EQ(send(c.fd, out, len, 0), len);		\
		n++;							\
	} while (0)
	WRONG(head->count = 0);
	WRONG(head->count = cpu_to_le16(2));
	WRONG(head->cell = cpu_to_le16(1000));
	WRONG(head->cell = cpu_to_le16(1028));
	WRONG(head->cell = cpu_to_le16(65464));
	WRONG(body->op = cpu_to_le16(99));
	WRONG(body->op = 0);
	WRONG(body->op = cpu_to_le16(EBPFS_OP_PING));
	WRONG(body->len = 0);
	WRONG(body->len = cpu_to_le16(8));
	WRONG(body->len = cpu_to_le16(65528));
	WRONG(body->flags = 1);
	WRONG(body->id = cpu_to_le64(1));
	WRONG(len += 8);
	WRONG(len -= 8);
	WRONG(head->hdr.magic = 0);
	WRONG(head->hdr.version = 9);
#undef WRONG
	EXPECT(silent(c.fd));
	EXPECT_EQ(daemon_stat(&daemon_, "drop_malformed"), before + n);
	EXPECT(alive(&c));
	client_close(&c);
}

static void many_calls_in_one_datagram(void)
{
	struct client c;
	struct fh fh;
	struct ebpfs_call_info call = { .op = EBPFS_OP_READ, .count = 4096, .want = ~0ull };
	struct ebpfs_frag f;
	u32 len, n, seen = 0;
	unsigned int i;

	ASSERT(join(&c));
	ASSERT(open_big(&c, &fh));
	call.fh = fh.bytes;
	call.fh_len = fh.len;
	len = ebpfs_put_calls(out, c.s.server_session, 16, c.cell);
	for (i = 0; i < 16; i++) {
		call.id = EBPFS_ID(i, 100);
		call.arg = 4096 * i;
		len += ebpfs_put_call(out + len, &call, i > 0);
	}
	ebpfs_seal(out, len);
	EXPECT_EQ(send(c.fd, out, len, 0), len);
	while ((n = hear(c.fd, in, sizeof(in), SILENCE_MS))) {
		ASSERT_EQ(ebpfs_parse_reply(in, n, &f), 0);
		ASSERT_EQ(f.len, 4096);
		EXPECT_MEM(in + sizeof(struct ebpfs_reply),
			   data + EBPFS_ID_SLOT(f.id) * 4096, 4096);
		seen |= 1u << EBPFS_ID_SLOT(f.id);
	}
	EXPECT_EQ(seen, 0xffff);
	client_close(&c);
}

static void probes_come_back_as_they_went(void)
{
	static const u32 sizes[] = { 24, 1200, 1472, 8972, 65507 };
	struct client c;
	struct ebpfs_probe *ack = (struct ebpfs_probe *)in;
	size_t i;
	u32 len;

	ASSERT(join(&c));
	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		len = ebpfs_put_probe(out, EBPFS_PROBE, c.s.server_session, 1000 + i, sizes[i]);
		EXPECT_EQ(send(c.fd, out, len, 0), len);
		EXPECT_EQ(hear(c.fd, in, sizeof(in), 2000), sizes[i]);
		EXPECT_EQ(ack->hdr.type, EBPFS_PROBE_ACK);
		EXPECT_EQ(le64_to_cpu(ack->hdr.session), c.s.client_session);
		EXPECT_EQ(le32_to_cpu(ack->serial), 1000 + i);
		EXPECT(ebpfs_sealed(in, sizes[i]));
	}
	client_close(&c);
}

static bool set_mtu(int mtu)
{
	struct ifreq lo = { .ifr_name = "lo", .ifr_mtu = mtu };
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	bool ok = !ioctl(fd, SIOCSIFMTU, &lo);

	close(fd);
	return ok;
}

/* What the link does not carry is not sent in IP fragments, but not at all. */
static void nothing_larger_than_the_link_is_sent(void)
{
	static u8 buf[65536];
	struct ebpfs_call_info call = { .op = EBPFS_OP_READ, .count = 40960, .want = ~0ull };
	struct client c;
	struct fh fh;
	long long before;
	u32 len;

	ASSERT(join(&c));
	ASSERT(open_big(&c, &fh));
	before = daemon_stat(&daemon_, "send_too_big");
	ASSERT(set_mtu(1500));
	call.fh = fh.bytes;
	call.fh_len = fh.len;
	call.id = EBPFS_ID(9, 1);
	c.cell = 8192;
	len = build_call(&c, &call, out);
	EXPECT_EQ(send(c.fd, out, len, 0), len);
	EXPECT(silent(c.fd));
	EXPECT_EQ(daemon_stat(&daemon_, "send_too_big"), before + 5);
	/* The same in a grid that fits: 1472 bytes of UDP payload, head and all. */
	c.cell = 1424;
	EXPECT_EQ(do_read(&c, &fh, 0, 40960, buf), 40960);
	EXPECT_MEM(buf, data, 40960);
	set_mtu(65536);
	c.cell = 8192;
	EXPECT_EQ(do_read(&c, &fh, 0, 40960, buf), 40960);
	EXPECT(daemon_stat(&daemon_, "gso_sends") > 0);
	client_close(&c);
}

static void bye_needs_the_key(void)
{
	struct client c;
	struct ebpfs_bye bye;
	u32 len;
	u8 key[EBPFS_MAC_LEN];
	long long ended;

	ASSERT(join(&c));
	ended = daemon_stat(&daemon_, "sessions_ended");
	memcpy(key, c.s.key, sizeof(key));
	key[31] ^= 1;
	len = ebpfs_hs_make_bye(c.s.server_session, key, &bye);
	EXPECT_EQ(send(c.fd, &bye, len, 0), len);
	EXPECT(alive(&c));
	EXPECT_EQ(daemon_stat(&daemon_, "sessions_ended"), ended);
	len = ebpfs_hs_make_bye(c.s.server_session, c.s.key, &bye);
	EXPECT_EQ(send(c.fd, &bye, len, 0), len);
	EXPECT(silent(c.fd));
	EXPECT_EQ(daemon_stat(&daemon_, "sessions_ended"), ended + 1);
	/* Gone: */
	len = ebpfs_put_probe(out, EBPFS_PROBE, c.s.server_session, 1, 1200);
	EXPECT_EQ(send(c.fd, out, len, 0), len);
	EXPECT_EQ(hear(c.fd, in, sizeof(in), 2000), sizeof(struct ebpfs_hdr));
	client_close(&c);
}

/* Say goodbye and hear nothing. */
static void leave(struct client *c)
{
	struct ebpfs_bye bye;
	u32 len = ebpfs_hs_make_bye(c->s.server_session, c->s.key, &bye);

	EXPECT_EQ(send(c->fd, &bye, len, 0), len);
	EXPECT(silent(c->fd));
}

/* Who repeats it when its session has ended gets none. */
static void auth_makes_one_session(void)
{
	struct client c, early;
	struct ebpfs_auth auth, late;
	long long sessions, owners;

	/* A handshake that is under way all the time, of the same client. */
	client_init(&early, ADDR, "alice", secret, "/data");
	ASSERT(client_hello(&early, &late));
	client_init(&c, ADDR, "alice", secret, "/data");
	ASSERT(client_hello(&c, &auth));
	ASSERT_EQ(client_auth(&c, &auth, TRIES), 0);
	leave(&c);
	sessions = daemon_stat(&daemon_, "sessions");
	owners = daemon_stat(&daemon_, "owners_made");
	c.hs.state = 2;		/* AUTH sent */
	EXPECT_EQ(client_auth(&c, &auth, TRIES), EBPFS_REJECT_COOKIE);
	EXPECT_EQ(daemon_stat(&daemon_, "sessions"), sessions);
	EXPECT_EQ(daemon_stat(&daemon_, "owners_made"), owners);
	/* The other has to begin anew, and then gets in. */
	EXPECT_EQ(client_auth(&early, &late, TRIES), EBPFS_REJECT_COOKIE);
	client_close(&early);
	client_close(&c);
	/* Other clients are not concerned by what this one has spent. */
	client_init(&c, ADDR, "bob", other_secret, "/data");
	ASSERT(client_hello(&c, &auth));
	ASSERT(join(&early));
	EXPECT(alive(&early));
	leave(&early);
	EXPECT_EQ(client_auth(&c, &auth, TRIES), 0);
	leave(&c);
	client_close(&c);
	client_close(&early);
}

/* reply-cache is 1 MiB here: 64 replies of 60 KiB cannot all be kept, and what
 * was forgotten is executed again, as another instance with the same bytes. */
static void forgotten_replies_are_made_again(void)
{
	static u8 buf[65536];
	struct client c;
	struct fh fh;
	struct ebpfs_call_info call = { .op = EBPFS_OP_READ, .count = 61440 };
	struct ebpfs_frag f;
	u32 instances[64], len, n, bytes;
	unsigned int i, again = 0;

	ASSERT(join(&c));
	ASSERT(open_big(&c, &fh));
	call.fh = fh.bytes;
	call.fh_len = fh.len;
	for (i = 0; i < 64; i++) {
		call.id = i;
		ASSERT_EQ(client_call(&c, &call, buf, sizeof(buf)), 61440);
		instances[i] = c.instance;
	}
	EXPECT(daemon_stat(&daemon_, "replies_forgotten") > 0);
	EXPECT(daemon_stat(&daemon_, "reply_bytes") <= 2 << 20);
	for (i = 0; i < 64; i++) {
		call.id = EBPFS_ID(i, c.seq[i]);
		call.want = ~0ull;
		call.instance = 0;
		len = build_call(&c, &call, out);
		EXPECT_EQ(send(c.fd, out, len, 0), len);
		for (bytes = 0; bytes < 61440; bytes += f.len) {
			n = hear(c.fd, in, sizeof(in), 2000);
			ASSERT(n);
			ASSERT_EQ(ebpfs_parse_reply(in, n, &f), 0);
			EXPECT_MEM(in + sizeof(struct ebpfs_reply), data + f.offset, f.len);
		}
		again += f.instance != instances[i];
	}
	EXPECT(again > 0);
	client_close(&c);
}

/* A server with several addresses answers from the one that was called. */
static void answers_come_from_the_called_address(void)
{
	static const char *const addrs[] = {
		"127.0.0.1:20491", "127.0.0.2:20491", "127.9.8.7:20491", "[::1]:20491",
	};
	struct client c;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(addrs); i++) {
		/* The socket is connected: from elsewhere it hears nothing. */
		client_init(&c, addrs[i], "alice", secret, "/data");
		if (c.fd < 0 && i == 3)
			SKIP("no IPv6 here");
		if (!EXPECT_EQ(client_join(&c), 0))
			printf("# %s\n", addrs[i]);
		else
			EXPECT(alive(&c));
		client_close(&c);
	}
}

/* sessions-max is 80 here, and nobody was silent for long: a client gets half of
 * them, all get no more than all. */
static void a_full_table_says_busy(void)
{
	static struct client c[90];
	struct ebpfs_auth auth = { 0 };
	int i = 0, ret = 0, first;

	for (; i < 45 && !ret; i++) {
		client_init(&c[i], ADDR, "alice", secret, "/data");
		ret = client_join(&c[i]);
	}
	EXPECT_EQ(ret, EBPFS_REJECT_BUSY);
	EXPECT(daemon_stat(&daemon_, "sessions") <= 41);
	first = i;
	for (ret = 0; i < 90 && !ret; i++) {
		client_init(&c[i], ADDR, "bob", other_secret, "/bobs");
		ASSERT(client_hello(&c[i], &auth));
		ret = client_auth(&c[i], &auth, TRIES);
	}
	EXPECT(i > first + 30);
	EXPECT_EQ(ret, EBPFS_REJECT_BUSY);
	EXPECT(daemon_stat(&daemon_, "sessions") <= 80);
	/* Those that are in go on. */
	EXPECT(alive(&c[0]));
	/* What was refused is not good later, either, when there is room. */
	leave(&c[first]);
	EXPECT_EQ(client_auth(&c[i - 1], &auth, TRIES), EBPFS_REJECT_COOKIE);
	EXPECT_EQ(client_join(&c[i - 1]), 0);
	while (i--)
		client_close(&c[i]);
}

static const struct ktap_test tests[] = {
	KTAP_TEST(accepts_who_knows_the_secret),
	KTAP_TEST(rejects_others),
	KTAP_TEST(grants_listed_clients),
	KTAP_TEST(auth_cannot_be_changed),
	KTAP_TEST(auth_holds_for_its_address_only),
	KTAP_TEST(auth_again_gets_the_same_answer),
	KTAP_TEST(hello_again_gets_another_challenge),
	KTAP_TEST(answers_are_no_longer_than_questions),
	KTAP_TEST(unknown_session_gets_a_hint),
	KTAP_TEST(calls_from_elsewhere_are_dropped),
	KTAP_TEST(calls_of_a_former_session),
	KTAP_TEST(replies_are_whole_in_any_grid),
	KTAP_TEST(repetition_resends_what_is_wanted),
	KTAP_TEST(another_cell_is_another_instance),
	KTAP_TEST(old_sequences_and_foreign_slots_are_dropped),
	KTAP_TEST(damaged_datagrams_change_nothing),
	KTAP_TEST(sealed_nonsense_is_malformed),
	KTAP_TEST(many_calls_in_one_datagram),
	KTAP_TEST(probes_come_back_as_they_went),
	KTAP_TEST(nothing_larger_than_the_link_is_sent),
	KTAP_TEST(bye_needs_the_key),
	KTAP_TEST(auth_makes_one_session),
	KTAP_TEST(forgotten_replies_are_made_again),
	KTAP_TEST(answers_come_from_the_called_address),
	KTAP_TEST(a_full_table_says_busy),
};

int main(int argc, char **argv)
{
	const char *args[] = { "-c", NULL, NULL };
	size_t i;
	int fd, ret;

	set_up();
	mkdir(at("data"), 0755);
	for (i = 0; i < sizeof(data); i++)
		data[i] = (u8)(i * 2654435761u >> 13);
	fd = open(at("data/big"), O_WRONLY | O_CREAT, 0644);
	if (fd < 0 || write(fd, data, sizeof(data)) != sizeof(data))
		return KTAP_EXIT_FAIL;
	close(fd);
	add_client(at("clients"), "alice", secret);
	add_client(at("clients"), "bob", other_secret);
	write_file(at("conf"), 0644,
		   "listen = " ADDR " 0.0.0.0:20491 [::]:20491\n"
		   "threads = 2\nsessions-max = 80\nreply-cache = 1M\n"
		   "clients = %s/clients\nstate-dir = %s/state\n"
		   "[export /data]\npath = %s/data\nclients = *\nsquash = none\n"
		   "[export /bobs]\npath = %s/data\nclients = bob\n", work, work, work, work);
	args[1] = at("conf");
	if (!daemon_start(&daemon_, args))
		return KTAP_EXIT_FAIL;
	ret = KTAP_MAIN(tests, argc, argv);
	if (!daemon_stop(&daemon_))
		ret = KTAP_EXIT_FAIL;
	return ret;
}
