// SPDX-License-Identifier: GPL-2.0
/*
 * kmod/core/guard.c: numbers that were seen, datagrams with a guard, new keys.
 */
#include <stdlib.h>

#include "core/guard.h"
#include "core/noise.h"
#include "lib/ktap.h"
#include "unit/aead.h"

#define SEC	EBPFS_NSEC_PER_SEC
#define GUARD	sizeof(struct ebpfs_guard)
#define MOST	2000

static const u8 secrets[3][EBPFS_KEY_LEN] = {
	"what the client's keys are from", "what the server's keys are from", "what the next ones are of......",
};

/**
 * struct pair - both sides of a session
 */
struct pair {
	struct ebpfs_keys client, server;
	u64 now;
	u8 drawn;
};

/* Of the sessions that follow: what decides their cipher. */
static u32 features;

static void begin(struct pair *p, u8 sec)
{
	p->now = 100 * SEC;
	p->drawn = 1;
	ebpfs_keys_init(&p->client, sec, features, false, secrets, p->now, EBPFS_KEYS_AGE,
			EBPFS_KEYS_DATAGRAMS);
	ebpfs_keys_init(&p->server, sec, features, true, secrets, p->now, 0, 0);
}

static void end(struct pair *p)
{
	ebpfs_keys_fini(&p->client);
	ebpfs_keys_fini(&p->server);
}

static void draw(struct pair *p, u8 ephemeral[EBPFS_KEY_LEN])
{
	memset(ephemeral, p->drawn++, EBPFS_KEY_LEN);
}

/* A datagram of @type with @len bytes behind its head, each of them @fill. */
static u32 plain(u8 *p, u8 type, u32 len, u8 fill)
{
	ebpfs_put_hdr((struct ebpfs_hdr *)p, type, 0x1122334455667788);
	memset(p + sizeof(struct ebpfs_hdr), fill, len);
	return sizeof(struct ebpfs_hdr) + len;
}

/* A guarded datagram of @from, in memory of exactly its length; to be freed. */
static u8 *guarded(struct ebpfs_keys *from, u8 type, u32 len, u8 fill, u32 *size)
{
	u8 buf[MOST], *p;

	*size = ebpfs_guard_put(from, buf, plain(buf, type, len, fill));
	p = malloc(*size);
	memcpy(p, buf, *size);
	return p;
}

static int open_copy(struct ebpfs_keys *to, const u8 *p, u32 size, u64 now, u8 *out)
{
	u8 *copy = malloc(size ? size : 1);
	int r;

	memcpy(copy, p, size);
	r = ebpfs_guard_open(to, copy, size, now);
	if (!r)
		memcpy(out, copy + GUARD, size - GUARD);
	free(copy);
	return r;
}

/* Does a datagram go from one side to the other? */
static int pass(struct ebpfs_keys *from, struct ebpfs_keys *to, u64 now)
{
	u8 out[MOST], *p;
	u32 size;
	int r;

	p = guarded(from, EBPFS_CALL, 100, 0x5a, &size);
	r = open_copy(to, p, size, now, out);
	free(p);
	return r;
}

/* REKEY and REKEYED, both of which arrive. */
static bool rekey(struct pair *p)
{
	struct ebpfs_rekey ask, answer;
	u8 ephemeral[EBPFS_KEY_LEN];

	draw(p, ephemeral);
	if (!ebpfs_keys_ask(&p->client, p->now, ephemeral, 1, &ask))
		return false;
	ask.hdr.crc = cpu_to_le32(EBPFS_KEY_ID(p->client.using, 0));
	draw(p, ephemeral);
	EXPECT_EQ(ebpfs_keys_answer(&p->server, &ask, ephemeral, 2, p->now, &answer), 1);
	EXPECT_EQ(ebpfs_keys_answered(&p->client, &answer, p->now), 0);
	return true;
}

static void replay_window(void)
{
	struct ebpfs_replay r = { 0 };
	u64 n;

	for (n = 0; n < 20000; n++) {
		EXPECT(ebpfs_replay_take(&r, n));
		EXPECT(!ebpfs_replay_take(&r, n));
	}
	/* All that the window promises is known to have been seen, what is below is too old. */
	for (n = 0; n < 20000; n++)
		EXPECT(!ebpfs_replay_take(&r, n));
	/* Gaps are filled once, in any order. */
	EXPECT(ebpfs_replay_take(&r, 40000));
	for (n = 39999; n > 40000 - (EBPFS_REPLAY_WINDOW - 64); n--) {
		EXPECT(ebpfs_replay_take(&r, n));
		EXPECT(!ebpfs_replay_take(&r, n));
	}
	EXPECT(!ebpfs_replay_take(&r, 40000 - EBPFS_REPLAY_WINDOW));
	EXPECT(!ebpfs_replay_take(&r, 40000));
	/* Far ahead: nothing of before counts. */
	EXPECT(ebpfs_replay_take(&r, 1ull << 40));
	EXPECT(!ebpfs_replay_take(&r, 40001));
	EXPECT(ebpfs_replay_take(&r, (1ull << 40) - 5000));
	EXPECT(!ebpfs_replay_take(&r, (1ull << 40) - 5000));
	EXPECT(!ebpfs_replay_take(&r, ~0ull));
	EXPECT(ebpfs_replay_take(&r, (1ull << 40) + 1));
}

/* Against a plain list, with random steps. */
static void replay_random(void)
{
	static bool seen[1 << 18];
	struct ebpfs_replay r = { 0 };
	u64 at = 0, n, top = 0;
	u32 i;

	srandom(7);
	memset(seen, 0, sizeof(seen));
	for (i = 0; i < 300000; i++) {
		bool took;

		n = at + random() % 9000;
		n = n > 8900 ? n - 8900 : 0;
		if (n >= ARRAY_SIZE(seen))
			break;
		took = ebpfs_replay_take(&r, n);
		if (took)
			EXPECT(!seen[n]);
		else
			EXPECT(seen[n] || n + EBPFS_REPLAY_WINDOW - 64 < top);
		seen[n] |= took;
		if (n > top)
			top = n;
		at += random() % 2;
	}
}

static void round_trip(void)
{
	static const u8 types[] = { EBPFS_CALL, EBPFS_REPLY, EBPFS_DATA, EBPFS_PROBE, EBPFS_BYE };
	static const u32 lens[] = { 0, 1, 15, 16, 24, 32, 33, 63, 64, 65, 200, 1400 };
	u8 sec, want[MOST], out[MOST], *p;
	struct pair x;
	size_t i, j;
	u32 size;

	for (sec = EBPFS_SEC_INTEGRITY; sec <= EBPFS_SEC_PRIVACY; sec++) {
		begin(&x, sec);
		for (i = 0; i < ARRAY_SIZE(types); i++) {
			for (j = 0; j < ARRAY_SIZE(lens); j++) {
				u32 len = plain(want, types[i], lens[j], 0xa7);

				p = guarded(&x.client, types[i], lens[j], 0xa7, &size);
				ASSERT_EQ(size, len + GUARD);
				EXPECT_EQ(p[7], types[i] | EBPFS_GUARDED);
				ASSERT_EQ(open_copy(&x.server, p, size, x.now, out), 0);
				EXPECT_MEM(out + 4, want + 4, len - 4);
				/* Not by its own side, and only once. */
				EXPECT_EQ(open_copy(&x.client, p, size, x.now, out), -EKEYREJECTED);
				EXPECT_EQ(open_copy(&x.server, p, size, x.now, out), -EALREADY);
				free(p);
				p = guarded(&x.server, types[i], lens[j], 0xa7, &size);
				ASSERT_EQ(open_copy(&x.client, p, size, x.now, out), 0);
				EXPECT_MEM(out + 4, want + 4, len - 4);
				free(p);
			}
		}
		end(&x);
	}
}

/* What is secret is, and what is clear is as protocol.md says. */
static void hidden(void)
{
	struct pair x;
	u32 size;
	u8 *p;

	begin(&x, EBPFS_SEC_PRIVACY);
	p = guarded(&x.client, EBPFS_CALL, 600, 0x77, &size);
	EXPECT(!memmem(p, size, "\x77\x77\x77\x77\x77\x77", 6));
	free(p);
	p = guarded(&x.server, EBPFS_REPLY, 600, 0x77, &size);
	EXPECT(!memmem(p + 16 + 24 + 32, size - 72, "\x77\x77\x77\x77\x77\x77", 6));
	EXPECT_EQ(p[16 + 24], 0x77);
	EXPECT_EQ(p[16 + 24 + 31], 0x77);
	free(p);
	p = guarded(&x.client, EBPFS_DATA, 600, 0x77, &size);
	EXPECT(!memmem(p + 16 + 24 + 24, size - 64, "\x77\x77\x77\x77\x77\x77", 6));
	EXPECT_EQ(p[16 + 24 + 23], 0x77);
	free(p);
	end(&x);
	begin(&x, EBPFS_SEC_INTEGRITY);
	p = guarded(&x.client, EBPFS_CALL, 600, 0x77, &size);
	EXPECT_EQ(p[size - 1], 0x77);
	free(p);
	end(&x);
}

/* Any bit that is flipped is noticed, whatever is cut off, too. */
static void changed_on_the_way(void)
{
	u8 sec, out[MOST], *p;
	struct pair x;
	u32 size, bit, len;
	int r;

	for (sec = EBPFS_SEC_INTEGRITY; sec <= EBPFS_SEC_PRIVACY; sec++) {
		begin(&x, sec);
		p = guarded(&x.server, EBPFS_REPLY, 100, 3, &size);
		for (bit = 0; bit < 8 * size; bit++) {
			p[bit / 8] ^= 1 << bit % 8;
			r = open_copy(&x.client, p, size, x.now, out);
			EXPECT(r == -EKEYREJECTED || (bit < 32 && r == -ENOKEY));
			p[bit / 8] ^= 1 << bit % 8;
		}
		for (len = 0; len < size; len++) {
			r = open_copy(&x.client, p, len, x.now, out);
			EXPECT(r == -EKEYREJECTED || (len < 40 && r == -EBADMSG));
		}
		EXPECT_EQ(open_copy(&x.client, p, size, x.now, out), 0);
		free(p);
		end(&x);
	}
}

/* No key is used on both ways, by two senders, in two epochs, or in two sessions. */
static void keys_differ(void)
{
	u8 keys[16][EBPFS_KEY_LEN];
	struct ebpfs_lent_keys lent;
	struct pair x;
	u32 n = 0, i, j, epoch;

	begin(&x, EBPFS_SEC_PRIVACY);
	for (epoch = 0; epoch < 3; epoch++) {
		EXPECT(ebpfs_keys_lend(&x.server, &lent));
		EXPECT_EQ(lent.epoch, epoch);
		memcpy(keys[n++], x.client.epochs[epoch & 1].send, EBPFS_KEY_LEN);
		memcpy(keys[n++], x.server.epochs[epoch & 1].send, EBPFS_KEY_LEN);
		memcpy(keys[n++], lent.send, EBPFS_KEY_LEN);
		EXPECT_MEM(lent.receive, x.client.epochs[epoch & 1].send, EBPFS_KEY_LEN);
		EXPECT_MEM(lent.send, x.client.epochs[epoch & 1].receive[1], EBPFS_KEY_LEN);
		x.now += EBPFS_KEYS_AGE;
		EXPECT(rekey(&x));
		EXPECT_EQ(pass(&x.client, &x.server, x.now), 0);
	}
	for (i = 0; i < n; i++)
		for (j = 0; j < i; j++)
			EXPECT(memcmp(keys[i], keys[j], EBPFS_KEY_LEN) != 0);
	end(&x);
}

static void numbers_are_used_once(void)
{
	struct ebpfs_sending a, b;
	struct pair x;

	begin(&x, EBPFS_SEC_PRIVACY);
	EXPECT(ebpfs_keys_send(&x.client, 5, &a));
	EXPECT(ebpfs_keys_send(&x.client, 1, &b));
	EXPECT_EQ(b.number, a.number + 5);
	/* Until there are no more. */
	x.client.epochs[0].sent = EBPFS_KEYS_MOST;
	EXPECT(!ebpfs_keys_send(&x.client, 1, &b));
	end(&x);
}

/* What is told of a number before it is known whether it is authentic. */
static void past_is_what_would_be_refused(void)
{
	const u32 id = EBPFS_KEY_ID(0, EBPFS_SENDER_MAIN);
	u64 n, last = 3 * EBPFS_REPLAY_WINDOW;
	struct pair x;

	begin(&x, EBPFS_SEC_PRIVACY);
	EXPECT(!ebpfs_keys_past(&x.server, id, 0));
	EXPECT(ebpfs_keys_take(&x.server, id, 0, x.now));
	EXPECT(ebpfs_keys_past(&x.server, id, 0));
	EXPECT(!ebpfs_keys_past(&x.server, id, 1));
	EXPECT(ebpfs_keys_take(&x.server, id, last, x.now));
	EXPECT(ebpfs_keys_past(&x.server, id, 1));
	EXPECT(ebpfs_keys_past(&x.server, id, ~0ull));
	/* No such key: nothing is known of it. */
	EXPECT(!ebpfs_keys_past(&x.server, EBPFS_KEY_ID(7, EBPFS_SENDER_MAIN), 0));
	/* And asking changes nothing. */
	for (n = last - EBPFS_REPLAY_WINDOW - 100; n < last + 100; n += 7) {
		bool past = ebpfs_keys_past(&x.server, id, n);

		EXPECT_EQ(ebpfs_keys_take(&x.server, id, n, x.now), !past);
	}
	end(&x);
}

static void kernel_of_a_server(void)
{
	struct ebpfs_lent_keys lent;
	struct ebpfs_keys kernel;
	struct ebpfs_sending s;
	struct pair x;
	u8 out[MOST], *p;
	u32 size;

	begin(&x, EBPFS_SEC_PRIVACY);
	ebpfs_keys_init_lent(&kernel, EBPFS_SEC_PRIVACY, x.server.cipher);
	EXPECT_EQ(pass(&x.client, &kernel, x.now), -ENOKEY);
	EXPECT(!ebpfs_keys_send(&kernel, 1, &s));
	EXPECT(ebpfs_keys_lend(&x.server, &lent));
	ebpfs_keys_add_lent(&kernel, &lent, x.now);
	/* To nobody else: who gets them counts from 0. */
	EXPECT(!ebpfs_keys_lend(&x.server, &lent));
	p = guarded(&x.client, EBPFS_CALL, 100, 1, &size);
	EXPECT_EQ(open_copy(&kernel, p, size, x.now, out), 0);
	EXPECT_EQ(open_copy(&kernel, p, size, x.now, out), -EALREADY);
	/* What it passes on is new to the daemon. */
	EXPECT_EQ(open_copy(&x.server, p, size, x.now, out), 0);
	free(p);
	EXPECT_EQ(pass(&kernel, &x.client, x.now), 0);
	EXPECT_EQ(pass(&x.server, &x.client, x.now), 0);
	/* Sent back, it is from no client. */
	EXPECT_EQ(pass(&kernel, &x.server, x.now), -ENOKEY);
	EXPECT_EQ(pass(&kernel, &kernel, x.now), -ENOKEY);
	/* Told again, its numbers go on. */
	ebpfs_keys_add_lent(&kernel, &lent, x.now);
	EXPECT(ebpfs_keys_send(&kernel, 1, &s));
	EXPECT(s.number != 0);
	/* New keys: it has both, and answers by that of the question. */
	x.now += EBPFS_KEYS_AGE;
	EXPECT(rekey(&x));
	EXPECT_EQ(pass(&x.client, &kernel, x.now), -ENOKEY);
	EXPECT(ebpfs_keys_lend(&x.server, &lent));
	ebpfs_keys_add_lent(&kernel, &lent, x.now);
	EXPECT_EQ(pass(&x.client, &kernel, x.now), 0);
	EXPECT(ebpfs_keys_send_by(&kernel, 0, 1, &s));
	EXPECT(ebpfs_keys_send_by(&kernel, 1, 1, &s));
	EXPECT(!ebpfs_keys_send_by(&kernel, 2, 1, &s));
	ebpfs_keys_tick(&kernel, x.now + EBPFS_KEYS_OLD);
	EXPECT(!ebpfs_keys_send_by(&kernel, 0, 1, &s));
	EXPECT(ebpfs_keys_send_by(&kernel, 1, 1, &s));
	ebpfs_keys_fini(&kernel);
	end(&x);
}

static void new_keys_in_time(void)
{
	struct ebpfs_rekey ask, again, answer, repeated;
	u8 a[EBPFS_KEY_LEN], b[EBPFS_KEY_LEN];
	struct pair x;

	begin(&x, EBPFS_SEC_PRIVACY);
	draw(&x, a);
	draw(&x, b);
	EXPECT(!ebpfs_keys_ask(&x.client, x.now + EBPFS_KEYS_AGE - 1, a, 1, &ask));
	EXPECT_EQ(x.client.ask_at, x.now + EBPFS_KEYS_AGE);
	x.now += EBPFS_KEYS_AGE;
	ASSERT(ebpfs_keys_ask(&x.client, x.now, a, 1, &ask));
	EXPECT_EQ(le16_to_cpu(ask.epoch), 1);
	/* Asked again it is the same, with another key to draw from, but not at once. */
	EXPECT(!ebpfs_keys_ask(&x.client, x.now + 1, b, 1, &again));
	x.now = x.client.ask_at;
	ASSERT(ebpfs_keys_ask(&x.client, x.now, b, 1, &again));
	EXPECT_MEM(&ask, &again, sizeof(ask));

	ask.hdr.crc = cpu_to_le32(EBPFS_KEY_ID(0, 0));
	ASSERT_EQ(ebpfs_keys_answer(&x.server, &ask, b, 2, x.now, &answer), 1);
	/* Nothing is lost meanwhile, either way; and the same question has the same answer. */
	EXPECT_EQ(pass(&x.client, &x.server, x.now), 0);
	EXPECT_EQ(pass(&x.server, &x.client, x.now), 0);
	EXPECT_EQ(x.server.using, 0);
	ASSERT_EQ(ebpfs_keys_answer(&x.server, &ask, a, 2, x.now, &repeated), 0);
	EXPECT_MEM(&answer, &repeated, sizeof(answer));

	EXPECT_EQ(ebpfs_keys_answered(&x.client, &answer, x.now), 0);
	EXPECT_EQ(ebpfs_keys_answered(&x.client, &answer, x.now), -EBADMSG);
	EXPECT_EQ(x.client.using, 1);
	EXPECT_EQ(pass(&x.server, &x.client, x.now), 0);	/* still by the old one */
	EXPECT_EQ(pass(&x.client, &x.server, x.now), 0);
	EXPECT_EQ(x.server.using, 1);
	EXPECT_EQ(pass(&x.server, &x.client, x.now), 0);
	/* A late repetition of the question is none any more. */
	EXPECT_EQ(ebpfs_keys_answer(&x.server, &ask, a, 2, x.now, &repeated), -EBADMSG);
	end(&x);
}

static bool all_zero(const void *p, size_t len)
{
	const u8 *bytes = p;

	while (len--)
		if (*bytes++)
			return false;
	return true;
}

/* The keys of @epoch, as protocol.md has them: of both ephemeral keys and @chain, which is
 * that of the next ones then. */
static void expect_keys(const struct pair *x, u16 epoch, const u8 a[EBPFS_KEY_LEN],
			const u8 b[EBPFS_KEY_LEN], u8 chain[EBPFS_KEY_LEN])
{
	u8 material[3][EBPFS_KEY_LEN], of[3][EBPFS_KEY_LEN], key[EBPFS_KEY_LEN];
	const struct ebpfs_epoch *client = &x->client.epochs[epoch & 1];
	const struct ebpfs_epoch *server = &x->server.epochs[epoch & 1];
	__le32 id = cpu_to_le32(EBPFS_KEY_ID(epoch, EBPFS_SENDER_MAIN));
	const struct ebpfs_bytes parts[] = { { "ebpfs1 datagrams", 16 }, { &id, sizeof(id) } };

	ASSERT(ebpfs_dh_public(material[1], a) && ebpfs_dh_public(material[2], b) &&
	       ebpfs_dh(material[0], a, material[2]));
	ebpfs_hkdf(chain, (struct ebpfs_bytes){ material, sizeof(material) }, of);
	ebpfs_mac(key, of[0], parts, 2);
	EXPECT_MEM(client->send, key, sizeof(key));
	EXPECT_MEM(server->receive[EBPFS_SENDER_MAIN], key, sizeof(key));
	ebpfs_mac(key, of[1], parts, 2);
	EXPECT_MEM(server->send, key, sizeof(key));
	EXPECT_MEM(client->receive[EBPFS_SENDER_MAIN], key, sizeof(key));
	id = cpu_to_le32(EBPFS_KEY_ID(epoch, EBPFS_SENDER_KERNEL));
	ebpfs_mac(key, of[1], parts, 2);
	EXPECT_MEM(client->receive[EBPFS_SENDER_KERNEL], key, sizeof(key));
	memcpy(chain, of[2], EBPFS_KEY_LEN);
}

static void new_keys_are_as_defined(void)
{
	u8 chain[EBPFS_KEY_LEN], a[EBPFS_KEY_LEN], b[EBPFS_KEY_LEN];
	struct pair x;
	u16 epoch;

	begin(&x, EBPFS_SEC_PRIVACY);
	memcpy(chain, secrets[2], sizeof(chain));
	for (epoch = 1; epoch < 5; epoch++) {
		memset(a, x.drawn, sizeof(a));
		memset(b, x.drawn + 1, sizeof(b));
		x.now = x.client.ask_at;
		ASSERT(rekey(&x));
		expect_keys(&x, epoch, a, b, chain);
		EXPECT_EQ(pass(&x.client, &x.server, x.now), 0);
	}
	end(&x);
}

/* Who gets hold of the memory later gets nothing that was sent before. */
static void nothing_is_left_of_old_keys(void)
{
	struct pair x;

	begin(&x, EBPFS_SEC_PRIVACY);
	x.now = x.client.ask_at;
	ASSERT(rekey(&x));
	EXPECT_EQ(pass(&x.client, &x.server, x.now), 0);
	EXPECT(all_zero(x.client.own, sizeof(x.client.own)));
	EXPECT(all_zero(x.server.theirs, sizeof(x.server.theirs)));
	EXPECT(all_zero(x.server.mine, sizeof(x.server.mine)));
	x.now += EBPFS_KEYS_OLD;
	ebpfs_keys_tick(&x.client, x.now);
	ebpfs_keys_tick(&x.server, x.now);
	EXPECT(all_zero(&x.client.epochs[0], sizeof(x.client.epochs[0])));
	EXPECT(all_zero(&x.server.epochs[0], sizeof(x.server.epochs[0])));
	end(&x);
	EXPECT(all_zero(x.client.epochs, sizeof(x.client.epochs)));
	EXPECT(all_zero(x.server.epochs, sizeof(x.server.epochs)));
	EXPECT(all_zero(x.client.chain, sizeof(x.client.chain)));
	EXPECT(all_zero(x.server.chain, sizeof(x.server.chain)));
}

static void new_keys_by_volume(void)
{
	u8 a[EBPFS_KEY_LEN] = { 1 };
	struct ebpfs_rekey ask;
	struct pair x;

	begin(&x, EBPFS_SEC_PRIVACY);
	x.client.epochs[0].sent = EBPFS_KEYS_DATAGRAMS - 1;
	EXPECT(!ebpfs_keys_ask(&x.client, x.now, a, 1, &ask));
	x.client.epochs[0].sent++;
	EXPECT(ebpfs_keys_ask(&x.client, x.now, a, 1, &ask));
	end(&x);
}

static void old_keys_are_forgotten(void)
{
	u8 out[MOST], *late, *later;
	struct pair x;
	u32 size;

	begin(&x, EBPFS_SEC_PRIVACY);
	late = guarded(&x.client, EBPFS_CALL, 50, 1, &size);
	later = guarded(&x.client, EBPFS_CALL, 50, 1, &size);
	x.now += EBPFS_KEYS_AGE;
	EXPECT(rekey(&x));
	EXPECT_EQ(pass(&x.client, &x.server, x.now), 0);
	EXPECT_EQ(ebpfs_keys_tick(&x.server, x.now), x.now + EBPFS_KEYS_OLD);
	EXPECT_EQ(open_copy(&x.server, late, size, x.now, out), 0);
	EXPECT_EQ(open_copy(&x.server, late, size, x.now, out), -EALREADY);
	EXPECT_EQ(ebpfs_keys_tick(&x.server, x.now + EBPFS_KEYS_OLD), EBPFS_NEVER);
	EXPECT_EQ(open_copy(&x.server, later, size, x.now, out), -ENOKEY);
	EXPECT_EQ(open_copy(&x.server, late, size, x.now, out), -ENOKEY);
	free(late);
	free(later);
	end(&x);
}

/* The next keys come while those before the present ones are still known. */
static void two_in_a_row(void)
{
	struct pair x;

	begin(&x, EBPFS_SEC_PRIVACY);
	x.client.max_age = SEC;
	x.client.ask_at = x.now += SEC;
	EXPECT(rekey(&x));
	EXPECT_EQ(pass(&x.client, &x.server, x.now), 0);
	x.now += SEC;
	EXPECT(rekey(&x));
	/* The server has not heard of their use yet, and must not forget them. */
	ebpfs_keys_tick(&x.server, x.now + EBPFS_KEYS_OLD);
	EXPECT_EQ(pass(&x.client, &x.server, x.now), 0);
	EXPECT_EQ(pass(&x.server, &x.client, x.now), 0);
	EXPECT_EQ(x.server.using, 2);
	end(&x);
}

static void epochs_wrap(void)
{
	struct pair x;
	u32 i;

	begin(&x, EBPFS_SEC_INTEGRITY);
	x.client.epochs[1] = x.client.epochs[0];
	x.server.epochs[1] = x.server.epochs[0];
	x.client.epochs[0].live = x.server.epochs[0].live = false;
	x.client.epochs[1].number = x.client.newest = x.client.using = 0xffff;
	x.server.epochs[1].number = x.server.newest = x.server.using = 0xffff;
	EXPECT_EQ(pass(&x.client, &x.server, x.now), 0);
	for (i = 0; i < 3; i++) {
		x.now += EBPFS_KEYS_AGE;
		EXPECT(rekey(&x));
		EXPECT_EQ(pass(&x.client, &x.server, x.now), 0);
		EXPECT_EQ(pass(&x.server, &x.client, x.now), 0);
		EXPECT_EQ(x.server.using, i);
	}
	end(&x);
}

static void questions_that_are_none(void)
{
	struct ebpfs_rekey ask, bad, answer;
	u8 a[EBPFS_KEY_LEN], b[EBPFS_KEY_LEN];
	struct pair x;

	begin(&x, EBPFS_SEC_PRIVACY);
	draw(&x, a);
	draw(&x, b);
	x.now += EBPFS_KEYS_AGE;
	ASSERT(ebpfs_keys_ask(&x.client, x.now, a, 1, &ask));
#define REFUSED(spoil)								\
	do {									\
		bad = ask;							\
		spoil;								\
		EXPECT_EQ(ebpfs_keys_answer(&x.server, &bad, b, 2, x.now, &answer), -EBADMSG); \
	} while (0)
	REFUSED(bad.epoch = cpu_to_le16(0));
	REFUSED(bad.epoch = cpu_to_le16(2));
	REFUSED(bad.reserved = cpu_to_le16(1));
	REFUSED(bad.reserved2 = cpu_to_le32(1));
	REFUSED(memset(bad.ephemeral, 0, sizeof(bad.ephemeral)));
	REFUSED(bad.hdr.crc = cpu_to_le32(EBPFS_KEY_ID(1, 0)));
	EXPECT_EQ(ebpfs_keys_answer(&x.client, &ask, b, 2, x.now, &answer), -EBADMSG);
	ASSERT_EQ(ebpfs_keys_answer(&x.server, &ask, b, 2, x.now, &answer), 1);
	/* Another question for the same epoch, as long as the first one's answer is unused. */
	REFUSED(bad.ephemeral[3] ^= 1);

	bad = answer;
	bad.epoch = cpu_to_le16(2);
	EXPECT_EQ(ebpfs_keys_answered(&x.client, &bad, x.now), -EBADMSG);
	bad = answer;
	memset(bad.ephemeral, 0, sizeof(bad.ephemeral));
	EXPECT_EQ(ebpfs_keys_answered(&x.client, &bad, x.now), -EBADMSG);
	EXPECT_EQ(ebpfs_keys_answered(&x.server, &answer, x.now), -EBADMSG);
	EXPECT_EQ(ebpfs_keys_answered(&x.client, &answer, x.now), 0);
	/* No others at once, so that nobody makes a server compute without end. */
	EXPECT_EQ(pass(&x.client, &x.server, x.now), 0);
	x.client.ask_at = 0;
	ASSERT(ebpfs_keys_ask(&x.client, x.now, a, 1, &ask));
	ask.hdr.crc = cpu_to_le32(EBPFS_KEY_ID(1, 0));
	EXPECT_EQ(ebpfs_keys_answer(&x.server, &ask, b, 2, x.now, &answer), -EBADMSG);
	EXPECT_EQ(ebpfs_keys_answer(&x.server, &ask, b, 2, x.now + EBPFS_KEYS_YOUNG, &answer), 1);
	end(&x);
}

static void without_a_guard(void)
{
	u8 a[EBPFS_KEY_LEN] = { 1 };
	struct ebpfs_rekey ask;
	struct ebpfs_sending s;
	struct pair x;

	begin(&x, EBPFS_SEC_CRC);
	EXPECT(!ebpfs_keys_guard(&x.client));
	EXPECT_EQ(ebpfs_keys_room(&x.client), 0);
	EXPECT(!ebpfs_keys_ask(&x.client, x.now + 2 * EBPFS_KEYS_AGE, a, 1, &ask));
	EXPECT(!ebpfs_keys_send(&x.client, 1, &s));
	end(&x);
}

/* 16 bytes. */
static void expect_hex(const u8 *p, const char *hex)
{
	u8 want[16];

	for (size_t i = 0; i < sizeof(want); i++)
		sscanf(hex + 2 * i, "%2hhx", &want[i]);
	EXPECT_MEM(p, want, sizeof(want));
}

/* Test cases 13 and 14 of "The Galois/Counter Mode of Operation" (McGrew, Viega 2005). */
static void published_gcm(void)
{
	static const u8 zeroes[EBPFS_KEY_LEN];
	const struct ebpfs_bytes none = { NULL, 0 };
	u8 out[16], tag[EBPFS_AEAD_TAG];

	EXPECT(ebpfs_aead_seal(out, tag, EBPFS_CIPHER_AES256_GCM, zeroes, 0, none, zeroes, 0));
	expect_hex(tag, "530f8afbc74536b9a963b4f1c4cb738b");
	EXPECT_OPENS(out, tag, EBPFS_CIPHER_AES256_GCM, zeroes, 0, none, out, 0);
	EXPECT(ebpfs_aead_seal(out, tag, EBPFS_CIPHER_AES256_GCM, zeroes, 0, none, zeroes, 16));
	expect_hex(out, "cea7403d4d606b6e074ec5d3baf39d18");
	expect_hex(tag, "d0d1c8a799996bf0265b98b5d48ab919");
	EXPECT_OPENS(out, tag, EBPFS_CIPHER_AES256_GCM, zeroes, 0, none, out, 16);
	EXPECT_MEM(out, zeroes, 16);
}

/* Number, cipher and both kinds of bytes count, whatever was sealed before by another key. */
static void all_of_a_message_counts(void)
{
	u8 key[EBPFS_KEY_LEN] = "one of two keys", other[EBPFS_KEY_LEN] = "the other";
	const struct ebpfs_bytes clear = { "clear", 5 }, less = { "clear", 4 };
	u8 cipher, sealed[20], out[20], tag[EBPFS_AEAD_TAG];

	for (cipher = EBPFS_CIPHER_CHACHA20_POLY1305; cipher <= EBPFS_CIPHER_AES256_GCM; cipher++) {
		EXPECT(ebpfs_aead_seal(out, tag, cipher, other, 1, clear, key, 20));
		EXPECT(ebpfs_aead_seal(sealed, tag, cipher, key, 1, clear, other, 20));
		EXPECT_OPENS(out, tag, cipher, key, 1, clear, sealed, 20);
		EXPECT_MEM(out, other, 20);
		EXPECT_FORGED(out, tag, cipher, other, 1, clear, sealed, 20);
		EXPECT_FORGED(out, tag, cipher, key, 2, clear, sealed, 20);
		EXPECT_FORGED(out, tag, cipher, key, 1 | 1ull << 63, clear, sealed, 20);
		EXPECT_FORGED(out, tag, cipher, key, 1, less, sealed, 20);
		EXPECT_FORGED(out, tag, cipher, key, 1, clear, sealed, 19);
		EXPECT_FORGED(out, tag, !cipher, key, 1, clear, sealed, 20);
		ebpfs_aead_forget(cipher, key);
		EXPECT_OPENS(out, tag, cipher, key, 1, clear, sealed, 20);
		EXPECT_MEM(out, other, 20);
	}
}

/* The cipher is the one that both ends have, at both. */
static void what_is_agreed_upon(void)
{
	struct pair x;

	for (int aes = 0; aes < 2; aes++) {
		features = aes ? EBPFS_FEAT_ALL : EBPFS_FEAT_ALL & ~EBPFS_FEAT_AES;
		begin(&x, EBPFS_SEC_PRIVACY);
		EXPECT_EQ(x.client.cipher, aes ? EBPFS_CIPHER_AES256_GCM :
						 EBPFS_CIPHER_CHACHA20_POLY1305);
		EXPECT_EQ(x.server.cipher, x.client.cipher);
		end(&x);
	}
	features = 0;
}

/* The same sessions with the other cipher. */
#define AES(test)								\
	static void test##_aes(void)						\
	{									\
		features = EBPFS_FEAT_AES;					\
		test();								\
		features = 0;							\
	}
AES(round_trip)
AES(hidden)
AES(changed_on_the_way)
AES(keys_differ)
AES(numbers_are_used_once)
AES(kernel_of_a_server)
AES(new_keys_in_time)
AES(old_keys_are_forgotten)

static const struct ktap_test tests[] = {
	KTAP_TEST(published_gcm),
	KTAP_TEST(all_of_a_message_counts),
	KTAP_TEST(what_is_agreed_upon),
	KTAP_TEST(round_trip_aes),
	KTAP_TEST(hidden_aes),
	KTAP_TEST(changed_on_the_way_aes),
	KTAP_TEST(keys_differ_aes),
	KTAP_TEST(numbers_are_used_once_aes),
	KTAP_TEST(kernel_of_a_server_aes),
	KTAP_TEST(new_keys_in_time_aes),
	KTAP_TEST(old_keys_are_forgotten_aes),
	KTAP_TEST(replay_window),
	KTAP_TEST(replay_random),
	KTAP_TEST(round_trip),
	KTAP_TEST(hidden),
	KTAP_TEST(changed_on_the_way),
	KTAP_TEST(keys_differ),
	KTAP_TEST(numbers_are_used_once),
	KTAP_TEST(past_is_what_would_be_refused),
	KTAP_TEST(kernel_of_a_server),
	KTAP_TEST(new_keys_in_time),
	KTAP_TEST(new_keys_are_as_defined),
	KTAP_TEST(nothing_is_left_of_old_keys),
	KTAP_TEST(new_keys_by_volume),
	KTAP_TEST(old_keys_are_forgotten),
	KTAP_TEST(two_in_a_row),
	KTAP_TEST(epochs_wrap),
	KTAP_TEST(questions_that_are_none),
	KTAP_TEST(without_a_guard),
};

int main(int argc, char **argv)
{
	return KTAP_MAIN(tests, argc, argv);
}
