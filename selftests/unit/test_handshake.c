// SPDX-License-Identifier: GPL-2.0
/*
 * kmod/core/handshake.c, function by function, and the attacks that it is to
 * withstand. The handshake of Noise in it has tests of its own, test_noise.c.
 */
#include <stdlib.h>

#include "core/handshake.h"
#include "lib/ktap.h"

#define NOW	(1000 * EBPFS_NSEC_PER_SEC)
#define SESSION	0x1111222233334444ull

static const struct ebpfs_bytes addr = { "192.0.2.1:777", 13 };
static const u8 secret[EBPFS_SECRET_LEN] = "the secret of client one, shared";
static const u8 other_secret[EBPFS_SECRET_LEN] = "the secret of client two, shared";
static const u8 server_nonce[EBPFS_NONCE_LEN] = "what the server drew at random..";
static const u8 server_ephemeral[EBPFS_KEY_LEN] = "an ephemeral key of the server's";

/**
 * struct exchange - one handshake, both sides, and all that was said
 */
struct exchange {
	struct ebpfs_hs_client client;
	struct ebpfs_hs_server server;
	struct ebpfs_hello hello;
	struct ebpfs_challenge challenge;
	struct ebpfs_auth auth;
	struct ebpfs_hs_proof proof;
	struct ebpfs_accept accept;
	struct ebpfs_hs_session at_client;
	struct ebpfs_hs_session at_server;
};

static void begin(struct exchange *x)
{
	memset(x, 0, sizeof(*x));
	memcpy(x->client.secret, secret, sizeof(secret));
	strcpy((char *)x->client.client, "client-one");
	strcpy((char *)x->client.export, "/data");
	x->client.sec = EBPFS_SEC_CRC;
	x->client.features = EBPFS_FEAT_ALL;
	x->client.slots = 128;
	x->client.owner = 77;
	x->client.session = SESSION;
	memcpy(x->client.nonce, "what the client drew at random..", EBPFS_NONCE_LEN);
	memcpy(x->client.ephemeral, "an ephemeral key of the client's", EBPFS_KEY_LEN);
	memset(x->server.cookie_key, 0x77, sizeof(x->server.cookie_key));

	x->at_server.server_session = 0x5555666677778888ull;
	x->at_server.server_instance = 42;
	x->at_server.features = EBPFS_FEAT_ALL;
	x->at_server.slots = 64;
	x->at_server.unit_max = 65536;
	x->at_server.cell_max = 8920;
	x->at_server.owner_instance = 99;
	x->at_server.lease = 30;
	x->at_server.root_fh_len = 40;
	memset(x->at_server.root_fh, 0xf1, 40);
}

/* The server's answer to AUTH, as @spoil has it. */
#define ANSWER_AUTH(x, psk, spoil)						\
	do {									\
		struct ebpfs_hs_proof proof_;					\
										\
		EXPECT_EQ(ebpfs_hs_check_auth(&(x)->auth, psk, &proof_), psk == secret); \
		if (psk != secret)						\
			proof_.ask = (struct ebpfs_ask){ .sec = EBPFS_SEC_CRC,	\
							 .slots = cpu_to_le16(128) }; \
		spoil;								\
		EXPECT_EQ(ebpfs_hs_make_accept(&(x)->auth, &proof_, server_ephemeral, \
					       &(x)->at_server, &(x)->accept),	\
			  sizeof((x)->accept));					\
	} while (0)

/* The first @steps messages of the four, of an exchange that has begun. */
static void go_on(struct exchange *x, int steps)
{
	EXPECT_EQ(ebpfs_hs_hello(&x->client, &x->hello), sizeof(x->hello));
	if (steps < 2)
		return;
	EXPECT_EQ(ebpfs_hs_make_challenge(&x->server, &x->hello, sizeof(x->hello), addr,
					  server_nonce, NOW, &x->challenge),
		  sizeof(x->challenge));
	if (steps < 3)
		return;
	EXPECT_EQ(ebpfs_hs_challenge(&x->client, &x->challenge, sizeof(x->challenge), &x->auth),
		  sizeof(x->auth));
	if (steps < 4)
		return;
	EXPECT_EQ(ebpfs_hs_check_cookie(&x->server, &x->auth, sizeof(x->auth), addr, NOW + 1), 0);
	EXPECT(ebpfs_hs_check_auth(&x->auth, secret, &x->proof));
	ANSWER_AUTH(x, secret, (void)0);
}

static void talk(struct exchange *x, int steps)
{
	begin(x);
	go_on(x, steps);
}

/* Parses a message in memory of exactly its length. */
static int check_cookie(struct exchange *x, const struct ebpfs_auth *auth, u32 len,
			struct ebpfs_bytes from, u64 now)
{
	void *p = malloc(len ? len : 1);
	int r;

	memcpy(p, auth, len);
	r = ebpfs_hs_check_cookie(&x->server, p, len, from, now);
	free(p);
	return r;
}

static int take_accept(struct exchange *x, const struct ebpfs_accept *accept)
{
	struct ebpfs_hs_client client = x->client;

	return ebpfs_hs_accept(&client, accept, sizeof(*accept), &x->at_client);
}

static void both_sides_agree(void)
{
	struct ebpfs_hs_session *c, *s;
	struct exchange x;

	talk(&x, 4);
	ASSERT_EQ(ebpfs_hs_accept(&x.client, &x.accept, sizeof(x.accept), &x.at_client), 0);
	c = &x.at_client;
	s = &x.at_server;
	EXPECT_EQ(c->client_session, SESSION);
	EXPECT_EQ(s->client_session, SESSION);
	EXPECT_EQ(c->server_session, 0x5555666677778888ull);
	EXPECT_EQ(c->server_instance, 42);
	EXPECT_EQ(c->features, EBPFS_FEAT_ALL);
	EXPECT_EQ(s->features, EBPFS_FEAT_ALL);
	EXPECT_EQ(c->unit_max, 65536);
	EXPECT_EQ(c->cell_max, 8920);
	EXPECT_EQ(c->slots, 64);
	EXPECT_EQ(c->sec, EBPFS_SEC_CRC);
	EXPECT_EQ(s->sec, EBPFS_SEC_CRC);
	EXPECT_EQ(c->version, EBPFS_VERSION);
	EXPECT_EQ(s->version, EBPFS_VERSION);
	EXPECT_EQ(c->root_fh_len, 40);
	EXPECT_EQ(c->owner, 77);
	EXPECT_EQ(s->owner, 77);
	EXPECT_EQ(c->owner_instance, 99);
	EXPECT_EQ(c->lease, 30);
	EXPECT_MEM(c->root_fh, s->root_fh, EBPFS_FH_MAX);
	EXPECT_MEM(c->key, s->key, sizeof(c->key));
	EXPECT_MEM(c->secrets, s->secrets, sizeof(c->secrets));
	EXPECT_EQ(x.proof.ask.sec, EBPFS_SEC_CRC);
	EXPECT_EQ(le64_to_cpu(x.proof.ask.owner), 77);
	EXPECT(!strcmp((char *)x.proof.ask.export, "/data"));
}

/* Neither the export nor the root's handle goes over the wire as it is. */
static void names_are_hidden(void)
{
	struct exchange x;

	talk(&x, 4);
	EXPECT(memmem(&x.auth, sizeof(x.auth), "client-one", 10) != NULL);
	EXPECT(!memmem(&x.auth, sizeof(x.auth), "/data", 5));
	EXPECT(!memmem(&x.accept, sizeof(x.accept), x.at_server.root_fh, 8));
}

/* The handshake is Noise over what wire.h says, not only equal on both sides. */
static void keys_are_as_defined(void)
{
	struct ebpfs_noise client, server;
	struct ebpfs_noise_msg first, second;
	struct ebpfs_terms terms;
	u8 mac[EBPFS_MAC_LEN], secrets[3][EBPFS_KEY_LEN];
	struct ebpfs_bytes parts[2];
	struct ebpfs_ask ask;
	struct exchange x;
	struct ebpfs_bye bye;
	__le64 session;

	talk(&x, 4);
	first = (struct ebpfs_noise_msg){ x.auth.ephemeral, x.auth.ask, x.auth.tag, 144 };
	second = (struct ebpfs_noise_msg){ x.accept.ephemeral, x.accept.terms, x.accept.tag, 176 };
	ebpfs_noise_begin(&server, secret, (struct ebpfs_bytes){ (u8 *)&x.auth + 4, 184 - 4 });
	ASSERT(ebpfs_noise_read_first(&server, &first, &ask));
	EXPECT_MEM(&ask, &x.proof.ask, sizeof(ask));
	client = x.client.noise;
	ASSERT(ebpfs_noise_read_second(&client, &second, (u8 *)&terms));
	EXPECT_EQ(le64_to_cpu(terms.server_instance), 42);
	ebpfs_noise_split(&client, secrets);
	EXPECT_MEM(x.at_server.secrets, secrets, sizeof(secrets));

	parts[0] = (struct ebpfs_bytes){ "ebpfs1 key", 10 };
	ebpfs_mac(mac, secrets[2], parts, 1);
	EXPECT_MEM(x.at_server.key, mac, sizeof(mac));

	EXPECT_EQ(ebpfs_hs_make_bye(99, x.at_server.key, &bye), sizeof(bye));
	session = cpu_to_le64(99);
	parts[0] = (struct ebpfs_bytes){ "ebpfs1 bye", 10 };
	parts[1] = (struct ebpfs_bytes){ &session, 8 };
	ebpfs_mac(mac, x.at_server.key, parts, 2);
	EXPECT_MEM(bye.mac, mac, sizeof(mac));
}

static void messages_are_sealed_and_no_longer_than_asked(void)
{
	struct ebpfs_reject reject;
	struct ebpfs_bye bye;
	struct exchange x;

	talk(&x, 4);
	EXPECT(ebpfs_sealed(&x.hello, sizeof(x.hello)));
	EXPECT(ebpfs_sealed(&x.challenge, sizeof(x.challenge)));
	EXPECT(ebpfs_sealed(&x.auth, sizeof(x.auth)));
	EXPECT(ebpfs_sealed(&x.accept, sizeof(x.accept)));
	EXPECT_EQ(ebpfs_hs_make_reject(SESSION, EBPFS_REJECT_BUSY, &reject), sizeof(reject));
	EXPECT(ebpfs_sealed(&reject, sizeof(reject)));
	ebpfs_hs_make_bye(1, x.at_server.key, &bye);
	EXPECT(ebpfs_sealed(&bye, sizeof(bye)));
	EXPECT(sizeof(x.challenge) <= sizeof(x.hello));
	EXPECT(sizeof(x.accept) <= sizeof(x.auth));
	EXPECT(sizeof(reject) <= sizeof(x.hello));
}

/* Flips each bit of a message, repairs the crc, and counts how many are let through. */
#define FLIPPED(message, attempt)						\
	({									\
		u32 through_ = 0, bit_;						\
		u8 *bytes_ = (u8 *)&(message);					\
		for (bit_ = 32; bit_ < 8 * sizeof(message); bit_++) {		\
			bytes_[bit_ / 8] ^= 1 << bit_ % 8;			\
			ebpfs_seal(&(message), sizeof(message));		\
			through_ += !!(attempt);				\
			bytes_[bit_ / 8] ^= 1 << bit_ % 8;			\
		}								\
		ebpfs_seal(&(message), sizeof(message));			\
		through_;							\
	})

static void auth_changed_on_the_way(void)
{
	struct exchange x;

	talk(&x, 3);
	EXPECT(ebpfs_hs_check_auth(&x.auth, secret, &x.proof));
	EXPECT_EQ(FLIPPED(x.auth, ebpfs_hs_check_auth(&x.auth, secret, &x.proof)), 0);
}

/* But for the head, which says no more than which handshake it may belong to. */
static void accept_changed_on_the_way(void)
{
	u8 *at;
	struct exchange x;
	u32 bit;

	talk(&x, 4);
	EXPECT_EQ(take_accept(&x, &x.accept), 0);
	for (bit = 8 * sizeof(x.accept.hdr); bit < 8 * sizeof(x.accept); bit++) {
		at = (u8 *)&x.accept + bit / 8;
		*at ^= 1 << bit % 8;
		ebpfs_seal(&x.accept, sizeof(x.accept));
		EXPECT_EQ(take_accept(&x, &x.accept), -EKEYREJECTED);
		*at ^= 1 << bit % 8;
	}
	EXPECT_EQ(FLIPPED(x.accept.hdr, take_accept(&x, &x.accept) == 0), 0);
}

static void wrong_crc_is_no_message(void)
{
	struct ebpfs_challenge out;
	struct ebpfs_reject reject;
	struct ebpfs_auth auth;
	struct exchange x;

	talk(&x, 1);
	x.hello.hdr.crc ^= 1;
	EXPECT_EQ(ebpfs_hs_make_challenge(&x.server, &x.hello, sizeof(x.hello), addr,
					  server_nonce, NOW, &out), -EBADMSG);
	ebpfs_hs_make_reject(SESSION, EBPFS_REJECT_BUSY, &reject);
	reject.hdr.crc ^= 1;
	EXPECT_EQ(ebpfs_hs_reject(&x.client, &reject, sizeof(reject)), -EBADMSG);
	talk(&x, 2);
	x.challenge.hdr.crc ^= 1;
	EXPECT_EQ(ebpfs_hs_challenge(&x.client, &x.challenge, sizeof(x.challenge), &auth),
		  -EBADMSG);
	talk(&x, 4);
	x.accept.hdr.crc ^= 1;
	EXPECT_EQ(take_accept(&x, &x.accept), -EBADMSG);
	x.auth.hdr.crc ^= 1;
	EXPECT_EQ(check_cookie(&x, &x.auth, sizeof(x.auth), addr, NOW), -EBADMSG);
}

static void wrong_secret(void)
{
	struct exchange x;

	/* A client that does not know it. */
	talk(&x, 3);
	EXPECT(!ebpfs_hs_check_auth(&x.auth, other_secret, &x.proof));
	/* A server that does not know it. */
	ANSWER_AUTH(&x, other_secret, (void)0);
	EXPECT_EQ(take_accept(&x, &x.accept), -EKEYREJECTED);
	/* After that the right one still gets through. */
	ANSWER_AUTH(&x, secret, (void)0);
	EXPECT_EQ(take_accept(&x, &x.accept), 0);
}

/* The server's proof of one handshake is none in another. */
static void accept_of_another_handshake(void)
{
	struct exchange x, y;

	talk(&x, 4);
	begin(&y);
	y.client.nonce[0] ^= 1;
	ebpfs_hs_hello(&y.client, &y.hello);
	ebpfs_hs_make_challenge(&y.server, &y.hello, sizeof(y.hello), addr, server_nonce, NOW,
				&y.challenge);
	ebpfs_hs_challenge(&y.client, &y.challenge, sizeof(y.challenge), &y.auth);
	EXPECT_EQ(take_accept(&y, &x.accept), -EKEYREJECTED);
}

/* What the client says cannot be sent back to it as the server's proof. */
static void reflection(void)
{
	struct exchange x;

	talk(&x, 4);
	memcpy(x.accept.ephemeral, x.auth.ephemeral, sizeof(x.auth.ephemeral));
	memcpy(x.accept.terms, x.auth.ask, sizeof(x.auth.ask));
	memcpy(x.accept.tag, x.auth.tag, sizeof(x.auth.tag));
	ebpfs_seal(&x.accept, sizeof(x.accept));
	EXPECT_EQ(take_accept(&x, &x.accept), -EKEYREJECTED);
}

/* Keys that share nothing secret with any other (RFC 7748, section 6.1). */
static void useless_ephemeral_keys(void)
{
	static const u8 points[][EBPFS_KEY_LEN] = { { 0 }, { 1 } };
	struct ebpfs_noise_msg m;
	struct ebpfs_noise noise;
	struct exchange x;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(points); i++) {
		talk(&x, 3);
		/* By a client that knows the secret. */
		m = (struct ebpfs_noise_msg){ x.auth.ephemeral, x.auth.ask, x.auth.tag, 144 };
		ASSERT(ebpfs_hs_check_auth(&x.auth, secret, &x.proof));
		memcpy(x.proof.noise.theirs, points[i], EBPFS_KEY_LEN);
		EXPECT_EQ(ebpfs_hs_make_accept(&x.auth, &x.proof, server_ephemeral, &x.at_server,
					       &x.accept), -EBADMSG);
		/* By a server. */
		talk(&x, 4);
		noise = x.client.noise;
		m = (struct ebpfs_noise_msg){ x.accept.ephemeral, x.accept.terms, x.accept.tag,
					      176 };
		memcpy(x.accept.ephemeral, points[i], EBPFS_KEY_LEN);
		EXPECT(!ebpfs_noise_read_second(&noise, &m, x.accept.terms));
	}
}

/* Of two sessions, and of the uses within one. */
static void session_keys_differ(void)
{
	struct exchange x, y;
	int i, j;

	talk(&x, 4);
	talk(&y, 3);
	ASSERT(ebpfs_hs_check_auth(&y.auth, secret, &y.proof));
	EXPECT_EQ(ebpfs_hs_make_accept(&y.auth, &y.proof, (const u8 *)"another key, drawn at its random",
				       &y.at_server, &y.accept), sizeof(y.accept));
	EXPECT(memcmp(x.at_server.key, y.at_server.key, sizeof(x.at_server.key)) != 0);
	for (i = 0; i < 3; i++) {
		EXPECT(memcmp(x.at_server.secrets[i], y.at_server.key, 32) != 0);
		for (j = 0; j < 3; j++) {
			u8 *own = x.at_server.secrets[j], *other = y.at_server.secrets[j];

			EXPECT(memcmp(x.at_server.secrets[i], other, 32) != 0);
			EXPECT(i == j || memcmp(x.at_server.secrets[i], own, 32));
		}
	}
}

static void hello(void)
{
	struct ebpfs_hello again;
	struct exchange x;
	u64 session;

	talk(&x, 1);
	EXPECT_EQ(ebpfs_parse_hdr(&x.hello, sizeof(x.hello), &session), EBPFS_HELLO);
	EXPECT_EQ(session, 0);
	EXPECT_EQ(le64_to_cpu(x.hello.client_session), SESSION);
	EXPECT_EQ(x.hello.version_min, EBPFS_VERSION);
	EXPECT_EQ(x.hello.version_max, EBPFS_VERSION);
	EXPECT_EQ(x.client.state, 1);
	ebpfs_hs_hello(&x.client, &again);
	EXPECT_MEM(&again, &x.hello, sizeof(again));
}

static void make_challenge_bad(void)
{
	struct ebpfs_challenge out;
	struct exchange x;
	u32 len;

	talk(&x, 1);
#define CHALLENGE(length) ebpfs_hs_make_challenge(&x.server, &x.hello, length, addr, \
						  server_nonce, NOW, &out)
	for (len = 0; len < sizeof(x.hello); len++)
		EXPECT_EQ(CHALLENGE(len), -EBADMSG);
	x.hello.client_session = 0;
	ebpfs_seal(&x.hello, sizeof(x.hello));
	EXPECT_EQ(CHALLENGE(sizeof(x.hello)), -EBADMSG);
	talk(&x, 1);
	x.hello.hdr.session = cpu_to_le64(5);
	ebpfs_seal(&x.hello, sizeof(x.hello));
	EXPECT_EQ(CHALLENGE(sizeof(x.hello)), -EBADMSG);
	talk(&x, 1);
	x.hello.version_min = 2;
	ebpfs_seal(&x.hello, sizeof(x.hello));
	EXPECT_EQ(CHALLENGE(sizeof(x.hello)), -EBADMSG);
	talk(&x, 1);
	x.hello.hdr.type = EBPFS_AUTH;
	ebpfs_seal(&x.hello, sizeof(x.hello));
	EXPECT_EQ(CHALLENGE(sizeof(x.hello)), -EBADMSG);
}

static void versions(void)
{
	struct ebpfs_challenge out;
	struct exchange x;

	/* A client of the future that still speaks ours. */
	talk(&x, 1);
	x.hello.version_max = 9;
	x.hello.features = cpu_to_le32(~0u);
	ebpfs_seal(&x.hello, sizeof(x.hello));
	EXPECT_EQ(CHALLENGE(sizeof(x.hello)), sizeof(out));
	EXPECT_EQ(out.version, EBPFS_VERSION);
	EXPECT_EQ(le32_to_cpu(out.features), EBPFS_FEAT_ALL);
	EXPECT_EQ(ebpfs_hs_challenge(&x.client, &out, sizeof(out), &x.auth), sizeof(x.auth));

	/* One that does not, and one of the past. */
	talk(&x, 1);
	x.hello.hdr.version = x.hello.version_min = 2;
	x.hello.version_max = 9;
	ebpfs_seal(&x.hello, sizeof(x.hello));
	EXPECT_EQ(CHALLENGE(sizeof(x.hello)), sizeof(struct ebpfs_reject));
	EXPECT_EQ(ebpfs_hs_reject(&x.client, &out, sizeof(struct ebpfs_reject)),
		  EBPFS_REJECT_VERSION);
	x.hello.version_min = x.hello.version_max = 0;
	ebpfs_seal(&x.hello, sizeof(x.hello));
	EXPECT_EQ(CHALLENGE(sizeof(x.hello)), sizeof(struct ebpfs_reject));
}

static void challenge_bad(void)
{
	struct ebpfs_auth auth;
	struct exchange x;
	u32 len;

#define ANSWER(length) ebpfs_hs_challenge(&x.client, &x.challenge, length, &auth)
	talk(&x, 2);
	for (len = 0; len < sizeof(x.challenge); len++)
		EXPECT_EQ(ANSWER(len), -EBADMSG);
	x.challenge.hdr.session = cpu_to_le64(SESSION + 1);
	ebpfs_seal(&x.challenge, sizeof(x.challenge));
	EXPECT_EQ(ANSWER(sizeof(x.challenge)), -EBADMSG);
	talk(&x, 2);
	x.challenge.version = 2;
	ebpfs_seal(&x.challenge, sizeof(x.challenge));
	EXPECT_EQ(ANSWER(sizeof(x.challenge)), -EBADMSG);
	talk(&x, 2);
	x.challenge.features = cpu_to_le32(1u << 31);
	ebpfs_seal(&x.challenge, sizeof(x.challenge));
	EXPECT_EQ(ANSWER(sizeof(x.challenge)), -EBADMSG);
	/* Before HELLO, and a second time. */
	talk(&x, 2);
	x.client.state = 0;
	EXPECT_EQ(ANSWER(sizeof(x.challenge)), -EBADMSG);
	talk(&x, 3);
	EXPECT_EQ(ANSWER(sizeof(x.challenge)), -EBADMSG);
	EXPECT_MEM(&x.client.auth, &x.auth, sizeof(x.auth));
}

static void accept_bad(void)
{
	struct exchange x;
	u32 len;

	talk(&x, 4);
	for (len = 0; len < sizeof(x.accept); len++)
		EXPECT_EQ(ebpfs_hs_accept(&x.client, &x.accept, len, &x.at_client), -EBADMSG);
	x.client.state = 1;
	EXPECT_EQ(take_accept(&x, &x.accept), -EBADMSG);
	x.client.state = 3;
	EXPECT_EQ(take_accept(&x, &x.accept), -EBADMSG);
	x.client.state = 2;
	x.client.session++;
	EXPECT_EQ(take_accept(&x, &x.accept), -EBADMSG);
}

/* A server that knows the secret and talks nonsense. */
static void accept_out_of_range(void)
{
	struct exchange x;

#define NONSENSE(spoil)								\
	do {									\
		talk(&x, 3);							\
		ANSWER_AUTH(&x, secret, spoil);					\
		EXPECT_EQ(take_accept(&x, &x.accept), -EBADMSG);		\
	} while (0)
	NONSENSE(x.at_server.server_session = 0);
	NONSENSE(x.at_server.slots = 0);
	NONSENSE((proof_.ask.slots = cpu_to_le16(2000),
		  x.at_server.slots = EBPFS_SLOTS_MAX + 1));
	NONSENSE(x.at_server.unit_max = 4095);
	NONSENSE(x.at_server.unit_max = EBPFS_MSG_MAX + 1);
	NONSENSE(x.at_server.cell_max = 1016);
	NONSENSE(x.at_server.cell_max = 8921);
	NONSENSE(x.at_server.cell_max = 65464);
	NONSENSE(x.at_server.cell_max = 65536 + 1024);
	NONSENSE(x.at_server.root_fh_len = 0);
	NONSENSE(x.at_server.owner_instance = 0);
	NONSENSE(x.at_server.lease = 0);
	NONSENSE(proof_.ask.sec = EBPFS_SEC_PRIVACY);
}

/* Slots: what is granted, not more than was wanted. */
static void slots(void)
{
	struct exchange x;

	talk(&x, 3);
	ANSWER_AUTH(&x, secret, x.at_server.slots = 1000);
	EXPECT_EQ(x.at_server.slots, 128);
	EXPECT_EQ(take_accept(&x, &x.accept), 0);
	EXPECT_EQ(x.at_client.slots, 128);

	/* A server that grants more than it was asked for. */
	talk(&x, 3);
	ANSWER_AUTH(&x, secret, (proof_.ask.slots = cpu_to_le16(1000), x.at_server.slots = 1000));
	EXPECT_EQ(x.at_server.slots, 1000);
	EXPECT_EQ(take_accept(&x, &x.accept), 0);
	EXPECT_EQ(x.at_client.slots, 128);
}

static void reject(void)
{
	struct ebpfs_reject r;
	struct exchange x;
	u16 reason;
	u32 len;

	talk(&x, 3);
	for (reason = EBPFS_REJECT_VERSION; reason <= EBPFS_REJECT_COOKIE; reason++) {
		ebpfs_hs_make_reject(SESSION, reason, &r);
		EXPECT_EQ(ebpfs_hs_reject(&x.client, &r, sizeof(r)), reason);
	}
	for (len = 0; len < sizeof(r); len++)
		EXPECT_EQ(ebpfs_hs_reject(&x.client, &r, len), -EBADMSG);
	ebpfs_hs_make_reject(SESSION, 0, &r);
	EXPECT_EQ(ebpfs_hs_reject(&x.client, &r, sizeof(r)), -EBADMSG);
	ebpfs_hs_make_reject(SESSION, EBPFS_REJECT_COOKIE + 1, &r);
	EXPECT_EQ(ebpfs_hs_reject(&x.client, &r, sizeof(r)), -EBADMSG);
	ebpfs_hs_make_reject(SESSION + 1, EBPFS_REJECT_BUSY, &r);
	EXPECT_EQ(ebpfs_hs_reject(&x.client, &r, sizeof(r)), -EBADMSG);
	ebpfs_hs_make_reject(SESSION, EBPFS_REJECT_BUSY, &r);
	x.client.state = 3;
	EXPECT_EQ(ebpfs_hs_reject(&x.client, &r, sizeof(r)), -EBADMSG);
	x.client.state = 0;
	EXPECT_EQ(ebpfs_hs_reject(&x.client, &r, sizeof(r)), -EBADMSG);
}

/* An attempt goes on for a while, whatever was sent last, unless it is over. */
static void attempts_have_patience(void)
{
	const u64 began = 77;
	struct exchange x;
	int state;

	talk(&x, 3);
	for (state = 0; state <= 3; state++) {
		bool live = state == 1 || state == 2;

		x.client.state = state;
		x.client.began = 0;
		EXPECT(!ebpfs_hs_goes_on(&x.client, 1));
		x.client.began = began;
		EXPECT_EQ(ebpfs_hs_goes_on(&x.client, began), live);
		EXPECT_EQ(ebpfs_hs_goes_on(&x.client, began + EBPFS_HS_PATIENCE - 1), live);
		EXPECT(!ebpfs_hs_goes_on(&x.client, began + EBPFS_HS_PATIENCE));
	}
}

static void cookie_is_bound(void)
{
	struct ebpfs_bytes elsewhere = { "192.0.2.1:778", 13 };
	struct exchange x;
	u32 from = offsetof(struct ebpfs_auth, client_session);
	u32 to = offsetof(struct ebpfs_auth, version_max), bit, len;

	talk(&x, 3);
	EXPECT_EQ(check_cookie(&x, &x.auth, sizeof(x.auth), addr, NOW), 0);
	/* Somebody else's address. */
	EXPECT_EQ(check_cookie(&x, &x.auth, sizeof(x.auth), elsewhere, NOW), -EBADMSG);
	elsewhere.len = 12;
	EXPECT_EQ(check_cookie(&x, &x.auth, sizeof(x.auth), elsewhere, NOW), -EBADMSG);
	/* Session, nonces, time, the cookie itself. */
	for (bit = 8 * from; bit < 8 * to; bit++) {
		((u8 *)&x.auth)[bit / 8] ^= 1 << bit % 8;
		ebpfs_seal(&x.auth, sizeof(x.auth));
		EXPECT_EQ(check_cookie(&x, &x.auth, sizeof(x.auth), addr, NOW), -EBADMSG);
		((u8 *)&x.auth)[bit / 8] ^= 1 << bit % 8;
	}
	ebpfs_seal(&x.auth, sizeof(x.auth));
	for (len = 0; len < sizeof(x.auth); len++)
		EXPECT_EQ(check_cookie(&x, &x.auth, len, addr, NOW), -EBADMSG);
	/* The server was started anew. */
	x.server.cookie_key[3] ^= 1;
	EXPECT_EQ(check_cookie(&x, &x.auth, sizeof(x.auth), addr, NOW), -EBADMSG);
}

static void cookie_ages(void)
{
	struct exchange x;

	talk(&x, 3);
	EXPECT_EQ(check_cookie(&x, &x.auth, sizeof(x.auth), addr, NOW - 1), -EBADMSG);
	EXPECT_EQ(check_cookie(&x, &x.auth, sizeof(x.auth), addr, NOW + EBPFS_COOKIE_LIFE), 0);
	EXPECT_EQ(check_cookie(&x, &x.auth, sizeof(x.auth), addr, NOW + EBPFS_COOKIE_LIFE + 1),
		  -ETIMEDOUT);
}

/* A proof is good once: what was challenged no later than one that is spent is spent, too. */
static void proofs_are_spent(void)
{
	struct exchange x;

	talk(&x, 3);
	EXPECT(!ebpfs_hs_is_spent(&x.auth, 0));
	EXPECT(!ebpfs_hs_is_spent(&x.auth, NOW - 1));
	EXPECT(ebpfs_hs_is_spent(&x.auth, NOW));
	EXPECT(ebpfs_hs_is_spent(&x.auth, NOW + 1));
	EXPECT(ebpfs_hs_is_spent(&x.auth, ~0ull));
}

/* Whoever lowers the offer in HELLO is found out by AUTH. */
static void downgrade(void)
{
	struct exchange x;

	talk(&x, 3);
	x.auth.version_max = 0;
	ebpfs_seal(&x.auth, sizeof(x.auth));
	EXPECT_EQ(check_cookie(&x, &x.auth, sizeof(x.auth), addr, NOW), -EBADMSG);

	/* Features taken out of HELLO or CHALLENGE are back in ACCEPT. */
	talk(&x, 1);
	x.hello.features = 0;
	ebpfs_seal(&x.hello, sizeof(x.hello));
	ebpfs_hs_make_challenge(&x.server, &x.hello, sizeof(x.hello), addr, server_nonce, NOW,
				&x.challenge);
	EXPECT_EQ(x.challenge.features, 0);
	ebpfs_hs_challenge(&x.client, &x.challenge, sizeof(x.challenge), &x.auth);
	ANSWER_AUTH(&x, secret, (void)0);
	EXPECT_EQ(take_accept(&x, &x.accept), 0);
	EXPECT_EQ(x.at_client.features, EBPFS_FEAT_ALL);
}

/* What one end does not offer, the session has not; and no server makes it up. */
static void features(void)
{
	struct exchange x;

	for (int i = 0; i < 4; i++) {
		begin(&x);
		x.client.features = i & 1 ? EBPFS_FEAT_ALL : EBPFS_FEAT_RANGE;
		x.at_server.features = i & 2 ? EBPFS_FEAT_ALL : EBPFS_FEAT_RANGE;
		go_on(&x, 4);
		EXPECT_EQ(take_accept(&x, &x.accept), 0);
		EXPECT_EQ(x.at_server.features, i == 3 ? EBPFS_FEAT_ALL : EBPFS_FEAT_RANGE);
		EXPECT_EQ(x.at_client.features, x.at_server.features);
	}
	begin(&x);
	x.client.features = EBPFS_FEAT_RANGE;
	go_on(&x, 3);
	ANSWER_AUTH(&x, secret, proof_.ask.features = cpu_to_le32(EBPFS_FEAT_ALL));
	EXPECT_EQ(take_accept(&x, &x.accept), -EBADMSG);
}

/* Nor is there less protection, or more, than was asked for. */
static void protection(void)
{
	struct exchange x;
	u8 asked, given;

	for (asked = EBPFS_SEC_CRC; asked <= EBPFS_SEC_PRIVACY; asked++) {
		for (given = EBPFS_SEC_CRC; given <= EBPFS_SEC_PRIVACY; given++) {
			begin(&x);
			x.client.sec = asked;
			go_on(&x, 3);
			ANSWER_AUTH(&x, secret, proof_.ask.sec = given);
			EXPECT_EQ(take_accept(&x, &x.accept), asked == given ? 0 : -EBADMSG);
		}
	}
}

/* Names come out of AUTH as C strings, or not at all. */
static void auth_names(void)
{
	struct exchange x;

#define NAMES(spoil, expected)							\
	do {									\
		talk(&x, 3);							\
		spoil;								\
		ebpfs_seal(&x.auth, sizeof(x.auth));				\
		EXPECT_EQ(check_cookie(&x, &x.auth, sizeof(x.auth), addr, NOW), expected); \
	} while (0)
	NAMES((void)0, 0);
	NAMES(memset(x.auth.client, 'c', EBPFS_CLIENT_MAX - 1), 0);
	NAMES(memset(x.auth.client, 'c', EBPFS_CLIENT_MAX), -EBADMSG);
	NAMES(memset(x.auth.client, 0, EBPFS_CLIENT_MAX), -EBADMSG);
	NAMES(x.auth.client[20] = 'x', -EBADMSG);
	NAMES(x.auth.hdr.session = cpu_to_le64(1), -EBADMSG);
}

/* What a client that knows the secret asks for has its form, or it is none. */
static void ask_has_its_form(void)
{
	struct exchange x;

#define ASK(spoil, expected)							\
	do {									\
		talk(&x, 2);							\
		spoil;								\
		ebpfs_hs_challenge(&x.client, &x.challenge, sizeof(x.challenge), &x.auth); \
		EXPECT_EQ(ebpfs_hs_check_auth(&x.auth, secret, &x.proof), expected); \
	} while (0)
	ASK((void)0, true);
	ASK(memset(x.client.export, 'e', EBPFS_EXPORT_MAX - 1), true);
	ASK(memset(x.client.export, 'e', EBPFS_EXPORT_MAX), false);
	ASK(x.client.export[0] = 0, false);
	ASK(x.client.export[100] = 'x', false);
	ASK(x.client.slots = 0, false);
	ASK(x.client.owner = 0, false);
}

static void accept_is_repeated_alike(void)
{
	struct ebpfs_accept first;
	struct exchange x;

	talk(&x, 4);
	first = x.accept;
	ANSWER_AUTH(&x, secret, (void)0);
	EXPECT_MEM(&first, &x.accept, sizeof(first));
}

static void bye(void)
{
	struct ebpfs_bye b;
	struct exchange x;
	u8 key[EBPFS_MAC_LEN];
	u64 session;

	talk(&x, 4);
	memcpy(key, x.at_server.key, sizeof(key));
	ebpfs_hs_make_bye(77, key, &b);
	EXPECT_EQ(ebpfs_parse_hdr(&b, sizeof(b), &session), EBPFS_BYE);
	EXPECT_EQ(session, 77);
	EXPECT(ebpfs_hs_check_bye(&b, key));
	/* Of another session, or by somebody without the key. */
	b.hdr.session = cpu_to_le64(78);
	EXPECT(!ebpfs_hs_check_bye(&b, key));
	b.hdr.session = cpu_to_le64(77);
	key[0] ^= 1;
	EXPECT(!ebpfs_hs_check_bye(&b, key));
	EXPECT(!ebpfs_hs_check_bye(&b, secret));
}

static const struct ktap_test tests[] = {
	KTAP_TEST(both_sides_agree),
	KTAP_TEST(names_are_hidden),
	KTAP_TEST(keys_are_as_defined),
	KTAP_TEST(messages_are_sealed_and_no_longer_than_asked),
	KTAP_TEST(auth_changed_on_the_way),
	KTAP_TEST(accept_changed_on_the_way),
	KTAP_TEST(wrong_crc_is_no_message),
	KTAP_TEST(wrong_secret),
	KTAP_TEST(accept_of_another_handshake),
	KTAP_TEST(reflection),
	KTAP_TEST(useless_ephemeral_keys),
	KTAP_TEST(session_keys_differ),
	KTAP_TEST(hello),
	KTAP_TEST(make_challenge_bad),
	KTAP_TEST(versions),
	KTAP_TEST(challenge_bad),
	KTAP_TEST(accept_bad),
	KTAP_TEST(accept_out_of_range),
	KTAP_TEST(slots),
	KTAP_TEST(reject),
	KTAP_TEST(attempts_have_patience),
	KTAP_TEST(cookie_is_bound),
	KTAP_TEST(cookie_ages),
	KTAP_TEST(proofs_are_spent),
	KTAP_TEST(downgrade),
	KTAP_TEST(features),
	KTAP_TEST(protection),
	KTAP_TEST(auth_names),
	KTAP_TEST(ask_has_its_form),
	KTAP_TEST(accept_is_repeated_alike),
	KTAP_TEST(bye),
};

int main(int argc, char **argv)
{
	return KTAP_MAIN(tests, argc, argv);
}
