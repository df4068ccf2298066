// SPDX-License-Identifier: GPL-2.0
/*
 * Arbitrary messages to both sides of the handshake.
 *
 * A genuine exchange is made first. Then one of its messages is replaced:
 *
 *	byte 0		which (enum step), and how: FLAG_XOR changes the genuine
 *			message by the bytes that follow, else they are the
 *			message; FLAG_KNOWS: the sender knows the secret and
 *			computes the MAC anew
 *	byte 1		low byte of the time that has passed, in seconds
 *	the rest	the message
 *
 * The crc is always repaired, it keeps nobody out. Whatever arrives, no side
 * may accept a message of somebody who does not know the secret, unless it is
 * the genuine one, nor one that is out of range from somebody who does.
 */
#include <stdlib.h>

#include "core/handshake.h"
#include "fuzz/must.h"

enum step {
	STEP_HELLO,
	STEP_CHALLENGE,
	STEP_AUTH,
	STEP_ACCEPT,
	STEP_REJECT,
	STEP_BYE,
	STEPS
};

#define FLAG_XOR	0x40
#define FLAG_KNOWS	0x80

#define NOW	(100 * EBPFS_NSEC_PER_SEC)

static const struct ebpfs_bytes addr = { "192.0.2.1:777", 13 };
static const u8 secret[EBPFS_SECRET_LEN] = "the secret of client one, shared";
static const u8 server_nonce[EBPFS_NONCE_LEN] = "what the server drew at random..";

static struct ebpfs_hs_client client;	/* after AUTH */
static struct ebpfs_hs_client greeted;	/* after HELLO */
static struct ebpfs_hs_server server;
static struct ebpfs_hello hello;
static struct ebpfs_challenge challenge;
static struct ebpfs_auth auth;
static struct ebpfs_accept accept;
static struct ebpfs_reject reject;
static struct ebpfs_bye bye;
static struct ebpfs_hs_session granted;
static struct ebpfs_hs_proof proof;	/* of auth */
static struct ebpfs_terms terms;	/* of accept */
static const u8 ephemeral[EBPFS_KEY_LEN] = { 0x65 };

static void read_terms(void)
{
	struct ebpfs_noise_msg m = { accept.ephemeral, accept.terms, accept.tag, sizeof(terms) };
	struct ebpfs_noise noise = client.noise;

	MUST(ebpfs_noise_read_second(&noise, &m, (u8 *)&terms));
}

static void make_exchange(void)
{
	struct ebpfs_hs_proof hs_proof;

	memcpy(client.secret, secret, sizeof(secret));
	memcpy(client.client, "one", 4);
	memcpy(client.export, "/data", 6);
	client.sec = EBPFS_SEC_CRC;
	client.features = EBPFS_FEAT_ALL;
	client.slots = 64;
	client.owner = 1;
	client.session = 0x1111222233334444ull;
	memset(client.nonce, 0x61, sizeof(client.nonce));
	memset(client.ephemeral, 0x64, sizeof(client.ephemeral));
	memset(server.cookie_key, 0x62, sizeof(server.cookie_key));
	granted = (struct ebpfs_hs_session){
		.server_session = 0x5555666677778888ull, .server_instance = 9,
		.features = EBPFS_FEAT_ALL,
		.unit_max = 65536, .cell_max = 8920, .slots = 32,
		.owner_instance = 1, .lease = 30, .root_fh_len = 24,
	};
	memset(granted.root_fh, 0x63, 24);

	ebpfs_hs_hello(&client, &hello);
	greeted = client;
	MUST(ebpfs_hs_make_challenge(&server, &hello, sizeof(hello), addr, server_nonce, NOW,
				     &challenge) == sizeof(challenge));
	MUST(ebpfs_hs_challenge(&client, &challenge, sizeof(challenge), &auth) == sizeof(auth));
	MUST(ebpfs_hs_check_auth(&auth, secret, &proof));
	hs_proof = proof;
	MUST(ebpfs_hs_make_accept(&auth, &hs_proof, ephemeral, &granted, &accept) ==
	     sizeof(accept));
	read_terms();
	ebpfs_hs_make_reject(client.session, EBPFS_REJECT_DENIED, &reject);
	ebpfs_hs_make_bye(granted.server_session, granted.key, &bye);
}

static const struct {
	const void *genuine;
	u32 len;
} messages[STEPS] = {
	[STEP_HELLO]		= { &hello, sizeof(hello) },
	[STEP_CHALLENGE]	= { &challenge, sizeof(challenge) },
	[STEP_AUTH]		= { &auth, sizeof(auth) },
	[STEP_ACCEPT]		= { &accept, sizeof(accept) },
	[STEP_REJECT]		= { &reject, sizeof(reject) },
	[STEP_BYE]		= { &bye, sizeof(bye) },
};

static void try_hello(const void *msg, u32 len, u64 now)
{
	struct ebpfs_challenge out;
	int r = ebpfs_hs_make_challenge(&server, msg, len, addr, server_nonce, now, &out);

	if (r == -EBADMSG)
		return;
	/* No more bytes out than in, to whatever address it says it came from. */
	MUST(r > 0 && (u32)r <= len);
	MUST(r == sizeof(out) || r == sizeof(struct ebpfs_reject));
	MUST(ebpfs_sealed(&out, r));
}

static void try_challenge(const void *msg, u32 len)
{
	struct ebpfs_hs_client hs = greeted;
	struct ebpfs_hs_proof p;
	struct ebpfs_auth out;
	int r = ebpfs_hs_challenge(&hs, msg, len, &out);

	if (r == -EBADMSG) {
		MUST(!memcmp(&hs, &greeted, sizeof(hs)));
		return;
	}
	MUST(r == sizeof(out) && ebpfs_hs_check_auth(&out, secret, &p));
	MUST(ebpfs_hs_challenge(&hs, msg, len, &out) == -EBADMSG);
}

static void try_auth(struct ebpfs_auth *msg, u32 len, u64 now, bool knows)
{
	int r = ebpfs_hs_check_cookie(&server, msg, len, addr, now);
	struct ebpfs_hs_session s = granted;
	const struct ebpfs_ask *ask;
	struct ebpfs_hs_proof p;
	struct ebpfs_accept out;
	bool proved;

	if (r) {
		MUST(r == -EBADMSG || r == -ETIMEDOUT);
		return;
	}
	/* Then the challenge was ours, however much else was changed. */
	MUST(!memcmp(msg->server_nonce, server_nonce, sizeof(server_nonce)));
	MUST(!memcmp(msg->client_nonce, client.nonce, sizeof(client.nonce)));
	MUST(msg->client[0] && !msg->client[EBPFS_CLIENT_MAX - 1]);
	proved = ebpfs_hs_check_auth(msg, secret, &p);
	if (!knows)
		MUST(proved == !memcmp((u8 *)msg + 4, (u8 *)&auth + 4, sizeof(auth) - 4));
	if (!proved)
		return;
	ask = &p.ask;
	MUST(ask->owner && ask->slots && ask->export[0] && !ask->export[EBPFS_EXPORT_MAX - 1]);
	r = ebpfs_hs_make_accept(msg, &p, ephemeral, &s, &out);
	if (r == -EBADMSG)	/* there are points that no secret is shared by */
		return;
	MUST(r == sizeof(out) && sizeof(out) <= len);
	MUST(s.slots >= 1 && s.slots <= le16_to_cpu(ask->slots));
}

static void try_accept(const void *msg, u32 len, bool knows)
{
	struct ebpfs_hs_client hs = client;
	struct ebpfs_hs_session s;
	int r = ebpfs_hs_accept(&hs, msg, len, &s);

	if (r) {
		MUST(r == -EBADMSG || r == -EKEYREJECTED);
		MUST(!memcmp(&hs, &client, sizeof(hs)));
		return;
	}
	if (!knows)
		MUST(!memcmp((u8 *)msg + 4, (u8 *)&accept + 4, sizeof(accept) - 4));
	MUST(s.client_session == client.session && s.server_session);
	MUST(s.slots >= 1 && s.slots <= client.slots);
	MUST(s.unit_max >= 4096 && s.unit_max <= EBPFS_MSG_MAX);
	MUST(s.cell_max >= EBPFS_CELL_MIN && s.cell_max <= EBPFS_CELL_MAX && s.cell_max % 8 == 0);
	MUST(s.root_fh_len >= 1 && s.root_fh_len <= EBPFS_FH_MAX);
	MUST(s.sec == client.sec && s.version == EBPFS_VERSION);
	MUST(!(s.features & ~EBPFS_FEAT_ALL));
	/* It is over: nothing else is taken. */
	MUST(ebpfs_hs_accept(&hs, msg, len, &s) == -EBADMSG);
}

static void try_reject(const void *msg, u32 len)
{
	int r = ebpfs_hs_reject(&client, msg, len);

	MUST(r == -EBADMSG || (r >= EBPFS_REJECT_VERSION && r <= EBPFS_REJECT_COOKIE));
}

static void try_bye(const void *msg, u32 len)
{
	u64 session;

	if (ebpfs_parse_hdr(msg, len, &session) != EBPFS_BYE)
		return;
	if (ebpfs_hs_check_bye(msg, granted.key))
		MUST(session == granted.server_session);
}

/* What somebody who knows the secret makes up: what was to be encrypted is, in its place. */
static void prove(enum step step, void *msg)
{
	struct ebpfs_noise noise;

	if (step == STEP_AUTH) {
		struct ebpfs_auth *a = msg;
		struct ebpfs_noise_msg m = { a->ephemeral, a->ask, a->tag, sizeof(a->ask) };
		struct ebpfs_bytes prologue = {
			(u8 *)msg + 4, offsetof(struct ebpfs_auth, ephemeral) - 4,
		};

		ebpfs_noise_begin(&noise, secret, prologue);
		ebpfs_noise_write_first(&noise, client.ephemeral, a->ask, &m);
	} else if (step == STEP_ACCEPT) {
		struct ebpfs_accept *a = msg;
		struct ebpfs_noise_msg m = { a->ephemeral, a->terms, a->tag, sizeof(a->terms) };

		noise = proof.noise;
		ebpfs_noise_write_second(&noise, ephemeral, a->terms, &m);
	}
}

/* The genuine message as it was before it was encrypted. */
static void uncover(enum step step, void *msg)
{
	if (step == STEP_AUTH)
		memcpy(((struct ebpfs_auth *)msg)->ask, &proof.ask, sizeof(proof.ask));
	else if (step == STEP_ACCEPT)
		memcpy(((struct ebpfs_accept *)msg)->terms, &terms, sizeof(terms));
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	static bool made;
	enum step step;
	u32 len, i;
	bool knows;
	u64 now;
	u8 *msg;

	if (!made)
		make_exchange();
	made = true;
	if (size < 2)
		return 0;
	step = (data[0] & 0x3f) % STEPS;
	knows = data[0] & FLAG_KNOWS;
	now = NOW + data[1] * EBPFS_NSEC_PER_SEC;

	len = size - 2;
	if (data[0] & FLAG_XOR)
		len = messages[step].len;
	msg = malloc(len ? len : 1);
	if (data[0] & FLAG_XOR) {
		memcpy(msg, messages[step].genuine, len);
		if (knows)
			uncover(step, msg);
		for (i = 0; i < len && i + 2 < size; i++)
			msg[i] ^= data[i + 2];
	} else {
		memcpy(msg, data + 2, len);
	}
	if (knows && len == messages[step].len)
		prove(step, msg);
	if (len >= sizeof(struct ebpfs_hdr))
		ebpfs_seal(msg, len);

	switch (step) {
	case STEP_HELLO:
		try_hello(msg, len, now);
		break;
	case STEP_CHALLENGE:
		try_challenge(msg, len);
		break;
	case STEP_AUTH:
		try_auth((struct ebpfs_auth *)msg, len, now, knows);
		break;
	case STEP_ACCEPT:
		try_accept(msg, len, knows);
		break;
	case STEP_REJECT:
		try_reject(msg, len);
		break;
	case STEP_BYE:
		try_bye(msg, len);
		break;
	case STEPS:
		break;
	}
	free(msg);
	return 0;
}
