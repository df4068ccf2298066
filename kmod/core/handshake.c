// SPDX-License-Identifier: GPL-2.0
/*
 * The handshake of both sides. Contracts and the argument: handshake.h and
 * Documentation/protocol.md. Pure and reentrant; a struct ebpfs_hs_client
 * belongs to one caller at a time.
 *
 * Every MAC begins with a label of its own, none of which begins with another,
 * so that no MAC can be taken for one of another kind.
 */
#include "core/handshake.h"

_Static_assert(sizeof(struct ebpfs_hello) == 96 && sizeof(struct ebpfs_challenge) == 80 &&
	       sizeof(struct ebpfs_ask) == 144 && sizeof(struct ebpfs_auth) == 376 &&
	       sizeof(struct ebpfs_terms) == 176 && sizeof(struct ebpfs_accept) == 240 &&
	       sizeof(struct ebpfs_reject) == 24 && sizeof(struct ebpfs_bye) == 48,
	       "wire structs have no padding");
_Static_assert(sizeof(struct ebpfs_challenge) <= sizeof(struct ebpfs_hello) &&
	       sizeof(struct ebpfs_reject) <= sizeof(struct ebpfs_hello) &&
	       sizeof(struct ebpfs_accept) <= sizeof(struct ebpfs_auth),
	       "no answer is longer than what it answers");

#define LABEL(text)	{ text, sizeof(text) - 1 }

enum hs_state {
	HS_NOTHING,
	HS_HELLO_SENT,
	HS_AUTH_SENT,
	HS_DONE,
};

/* The bytes of a message that its MAC covers: from hdr.magic up to @end. */
static struct ebpfs_bytes covered(const void *msg, size_t end)
{
	struct ebpfs_bytes b = {
		.data = (const u8 *)msg + offsetof(struct ebpfs_hdr, magic),
		.len = end - offsetof(struct ebpfs_hdr, magic),
	};

	return b;
}

/* Is @msg a whole datagram of @type? */
static bool is_message(u8 type, const void *msg, u32 len, u64 *session)
{
	return ebpfs_parse_hdr(msg, len, session) == type && ebpfs_sealed(msg, len);
}

/* NUL terminated, not empty, and nothing after the first NUL. */
static bool valid_padded_name(const u8 *name, u32 size)
{
	const u8 *end = memchr(name, '\0', size);

	if (!end || end == name)
		return false;
	for (; end < name + size; end++)
		if (*end)
			return false;
	return true;
}

/* Where the message of Noise lies in AUTH and in ACCEPT. */
static struct ebpfs_noise_msg noise_of_auth(struct ebpfs_auth *auth)
{
	return (struct ebpfs_noise_msg){ auth->ephemeral, auth->ask, auth->tag,
					 sizeof(struct ebpfs_ask) };
}

static struct ebpfs_noise_msg noise_of_accept(struct ebpfs_accept *accept)
{
	return (struct ebpfs_noise_msg){ accept->ephemeral, accept->terms, accept->tag,
					 sizeof(struct ebpfs_terms) };
}

/* What both have after ACCEPT. */
static void session_keys(const struct ebpfs_noise *noise, struct ebpfs_hs_session *s)
{
	const struct ebpfs_bytes label = LABEL("ebpfs1 key");

	ebpfs_noise_split(noise, s->secrets);
	ebpfs_mac(s->key, s->secrets[2], &label, 1);
}

static void bye_mac(const struct ebpfs_bye *bye, const u8 *key, u8 *mac)
{
	const struct ebpfs_bytes parts[] = {
		LABEL("ebpfs1 bye"),
		{ &bye->hdr.session, sizeof(bye->hdr.session) },
	};

	ebpfs_mac(mac, key, parts, ARRAY_SIZE(parts));
}

/* The client. */

bool ebpfs_hs_goes_on(const struct ebpfs_hs_client *hs, u64 now)
{
	return hs->began && now < hs->began + EBPFS_HS_PATIENCE &&
	       (hs->state == HS_HELLO_SENT || hs->state == HS_AUTH_SENT);
}

u32 ebpfs_hs_hello(struct ebpfs_hs_client *hs, struct ebpfs_hello *out)
{
	memset(out, 0, sizeof(*out));
	ebpfs_put_hdr(&out->hdr, EBPFS_HELLO, 0);
	out->client_session = cpu_to_le64(hs->session);
	memcpy(out->nonce, hs->nonce, sizeof(out->nonce));
	out->version_min = EBPFS_VERSION;
	out->version_max = EBPFS_VERSION;
	out->features = cpu_to_le32(hs->features);
	ebpfs_seal(out, sizeof(*out));
	hs->state = HS_HELLO_SENT;
	return sizeof(*out);
}

int ebpfs_hs_challenge(struct ebpfs_hs_client *hs, const void *msg, u32 len,
		       struct ebpfs_auth *out)
{
	struct ebpfs_auth *auth = &hs->auth;
	struct ebpfs_noise_msg noise = noise_of_auth(auth);
	struct ebpfs_challenge ch;
	struct ebpfs_ask ask;
	u64 session;

	if (hs->state != HS_HELLO_SENT || !is_message(EBPFS_CHALLENGE, msg, len, &session) ||
	    session != hs->session)
		return -EBADMSG;
	memcpy(&ch, msg, sizeof(ch));
	if (ch.version != EBPFS_VERSION || le32_to_cpu(ch.features) & ~EBPFS_FEAT_ALL)
		return -EBADMSG;

	memset(auth, 0, sizeof(*auth));
	ebpfs_put_hdr(&auth->hdr, EBPFS_AUTH, 0);
	auth->client_session = cpu_to_le64(hs->session);
	memcpy(auth->client_nonce, hs->nonce, sizeof(auth->client_nonce));
	memcpy(auth->server_nonce, ch.nonce, sizeof(auth->server_nonce));
	auth->time = ch.time;
	memcpy(auth->cookie, ch.cookie, sizeof(auth->cookie));
	auth->version_max = EBPFS_VERSION;
	memcpy(auth->client, hs->client, sizeof(auth->client));

	memset(&ask, 0, sizeof(ask));
	ask.sec = hs->sec;
	ask.slots = cpu_to_le16(hs->slots);
	ask.features = cpu_to_le32(hs->features);
	ask.owner = cpu_to_le64(hs->owner);
	memcpy(ask.export, hs->export, sizeof(ask.export));
	ebpfs_noise_begin(&hs->noise, hs->secret,
			  covered(auth, offsetof(struct ebpfs_auth, ephemeral)));
	if (!ebpfs_noise_write_first(&hs->noise, hs->ephemeral, &ask, &noise))
		return -EBADMSG;
	ebpfs_seal(auth, sizeof(*auth));
	hs->state = HS_AUTH_SENT;
	*out = *auth;
	return sizeof(*out);
}

/* Does ACCEPT, which is authentic, stay within what was asked for and what is possible? */
static bool valid_terms(const struct ebpfs_hs_client *hs, const struct ebpfs_terms *a)
{
	u32 unit_max = le32_to_cpu(a->unit_max);
	u32 cell_max = le32_to_cpu(a->cell_max);
	u16 fh_len = le16_to_cpu(a->root_fh_len);
	u16 slots = le16_to_cpu(a->slots);

	return a->server_session && a->owner_instance && a->lease &&
	       slots && slots <= EBPFS_SLOTS_MAX &&
	       a->version == EBPFS_VERSION && a->sec == hs->sec &&
	       !(le32_to_cpu(a->features) & ~hs->features) &&
	       unit_max >= 4096 && unit_max <= EBPFS_MSG_MAX &&
	       cell_max >= EBPFS_CELL_MIN && cell_max <= EBPFS_CELL_MAX && cell_max % 8 == 0 &&
	       fh_len && fh_len <= EBPFS_FH_MAX;
}

int ebpfs_hs_accept(struct ebpfs_hs_client *hs, const void *msg, u32 len,
		    struct ebpfs_hs_session *s)
{
	struct ebpfs_noise noise = hs->noise;
	struct ebpfs_noise_msg m;
	struct ebpfs_accept accept;
	struct ebpfs_terms a;
	u64 session;
	int ret = 0;

	if (hs->state != HS_AUTH_SENT || !is_message(EBPFS_ACCEPT, msg, len, &session) ||
	    session != hs->session)
		return -EBADMSG;
	memcpy(&accept, msg, sizeof(accept));
	m = noise_of_accept(&accept);
	if (!ebpfs_noise_read_second(&noise, &m, (u8 *)&a))
		ret = -EKEYREJECTED;
	else if (!valid_terms(hs, &a))
		ret = -EBADMSG;
	if (ret)
		goto out;

	memset(s, 0, sizeof(*s));
	s->client_session = hs->session;
	s->server_session = le64_to_cpu(a.server_session);
	s->server_instance = le64_to_cpu(a.server_instance);
	s->owner = hs->owner;
	s->owner_instance = le64_to_cpu(a.owner_instance);
	s->lease = le16_to_cpu(a.lease);
	s->boot = le32_to_cpu(a.boot);
	s->features = le32_to_cpu(a.features);
	s->unit_max = le32_to_cpu(a.unit_max);
	s->cell_max = le32_to_cpu(a.cell_max);
	s->slots = le16_to_cpu(a.slots);
	if (s->slots > hs->slots)
		s->slots = hs->slots;
	s->sec = a.sec;
	s->version = a.version;
	session_keys(&noise, s);
	s->root_fh_len = le16_to_cpu(a.root_fh_len);
	memcpy(s->root_fh, a.root_fh, s->root_fh_len);
	hs->state = HS_DONE;
out:
	ebpfs_wipe(&noise, sizeof(noise));
	return ret;
}

int ebpfs_hs_reject(const struct ebpfs_hs_client *hs, const void *msg, u32 len)
{
	struct ebpfs_reject r;
	u64 session;
	u16 reason;

	if ((hs->state != HS_HELLO_SENT && hs->state != HS_AUTH_SENT) ||
	    !is_message(EBPFS_REJECT, msg, len, &session) || session != hs->session)
		return -EBADMSG;
	memcpy(&r, msg, sizeof(r));
	reason = le16_to_cpu(r.reason);
	if (reason < EBPFS_REJECT_VERSION || reason > EBPFS_REJECT_COOKIE)
		return -EBADMSG;
	return reason;
}

/* The server. */

/**
 * make_cookie() - what proves that the server made a challenge
 * @hs: server
 * @id: the client's identity, its nonce, the server's nonce and the time, as
 *	they lie in AUTH: that part of AUTH is the challenge's identity
 * @addr: the client's address
 * @cookie: out, EBPFS_COOKIE_LEN bytes
 */
static void make_cookie(const struct ebpfs_hs_server *hs, const struct ebpfs_auth *id,
			struct ebpfs_bytes addr, u8 *cookie)
{
	const size_t from = offsetof(struct ebpfs_auth, client_session);
	const struct ebpfs_bytes parts[] = {
		LABEL("ebpfs1 cookie"),
		{ (const u8 *)id + from, offsetof(struct ebpfs_auth, cookie) - from },
		addr,
	};
	u8 mac[EBPFS_MAC_LEN];

	ebpfs_mac(mac, hs->cookie_key, parts, ARRAY_SIZE(parts));
	memcpy(cookie, mac, EBPFS_COOKIE_LEN);
}

int ebpfs_hs_make_challenge(const struct ebpfs_hs_server *hs, const void *msg, u32 len,
			    struct ebpfs_bytes addr, const u8 *nonce, u64 now,
			    struct ebpfs_challenge *out)
{
	struct ebpfs_hello hello;
	struct ebpfs_auth id;
	u64 session;

	if (!is_message(EBPFS_HELLO, msg, len, &session) || session)
		return -EBADMSG;
	memcpy(&hello, msg, sizeof(hello));
	session = le64_to_cpu(hello.client_session);
	if (!session || hello.version_min > hello.version_max)
		return -EBADMSG;
	if (hello.version_min > EBPFS_VERSION || hello.version_max < EBPFS_VERSION)
		return ebpfs_hs_make_reject(session, EBPFS_REJECT_VERSION,
					    (struct ebpfs_reject *)out);

	memset(&id, 0, sizeof(id));
	id.client_session = hello.client_session;
	memcpy(id.client_nonce, hello.nonce, sizeof(id.client_nonce));
	memcpy(id.server_nonce, nonce, sizeof(id.server_nonce));
	id.time = cpu_to_le64(now);

	memset(out, 0, sizeof(*out));
	ebpfs_put_hdr(&out->hdr, EBPFS_CHALLENGE, session);
	memcpy(out->nonce, nonce, sizeof(out->nonce));
	out->time = id.time;
	make_cookie(hs, &id, addr, out->cookie);
	out->version = EBPFS_VERSION;
	out->features = cpu_to_le32(le32_to_cpu(hello.features) & EBPFS_FEAT_ALL);
	ebpfs_seal(out, sizeof(*out));
	return sizeof(*out);
}

/* The version this server chooses from an offer up to @max; the offer's start is not above. */
static u8 choose_version(u8 max)
{
	return max < EBPFS_VERSION ? max : EBPFS_VERSION;
}

int ebpfs_hs_check_cookie(const struct ebpfs_hs_server *hs, const void *msg, u32 len,
			  struct ebpfs_bytes addr, u64 now)
{
	u8 cookie[EBPFS_COOKIE_LEN];
	struct ebpfs_auth auth;
	u64 session, time;

	if (!is_message(EBPFS_AUTH, msg, len, &session) || session)
		return -EBADMSG;
	memcpy(&auth, msg, sizeof(auth));
	make_cookie(hs, &auth, addr, cookie);
	if (!ebpfs_equal(cookie, auth.cookie, sizeof(cookie)))
		return -EBADMSG;
	time = le64_to_cpu(auth.time);
	if (time > now)
		return -EBADMSG;
	if (now - time > EBPFS_COOKIE_LIFE)
		return -ETIMEDOUT;

	/* A client that speaks more would have been answered so, had its HELLO come unchanged. */
	if (auth.hdr.version != choose_version(auth.version_max))
		return -EBADMSG;
	if (!auth.client_session || !valid_padded_name(auth.client, sizeof(auth.client)))
		return -EBADMSG;
	return 0;
}

bool ebpfs_hs_check_auth(const struct ebpfs_auth *auth, const u8 secret[EBPFS_SECRET_LEN],
			 struct ebpfs_hs_proof *proof)
{
	struct ebpfs_auth copy = *auth;
	struct ebpfs_noise_msg m = noise_of_auth(&copy);
	const struct ebpfs_ask *ask = &proof->ask;

	ebpfs_noise_begin(&proof->noise, secret,
			  covered(&copy, offsetof(struct ebpfs_auth, ephemeral)));
	return ebpfs_noise_read_first(&proof->noise, &m, &proof->ask) &&
	       ask->owner && ask->slots && valid_padded_name(ask->export, sizeof(ask->export));
}

int ebpfs_hs_make_accept(const struct ebpfs_auth *auth, struct ebpfs_hs_proof *proof,
			 const u8 ephemeral[EBPFS_KEY_LEN], struct ebpfs_hs_session *s,
			 struct ebpfs_accept *out)
{
	const struct ebpfs_ask *ask = &proof->ask;
	struct ebpfs_noise_msg m = noise_of_accept(out);
	struct ebpfs_terms terms;

	if (s->slots > le16_to_cpu(ask->slots))
		s->slots = le16_to_cpu(ask->slots);
	s->client_session = le64_to_cpu(auth->client_session);
	s->owner = le64_to_cpu(ask->owner);
	s->features &= le32_to_cpu(ask->features);
	s->sec = ask->sec;
	s->version = choose_version(auth->version_max);

	memset(&terms, 0, sizeof(terms));
	terms.server_session = cpu_to_le64(s->server_session);
	terms.server_instance = cpu_to_le64(s->server_instance);
	terms.slots = cpu_to_le16(s->slots);
	terms.version = s->version;
	terms.sec = s->sec;
	terms.features = cpu_to_le32(s->features);
	terms.unit_max = cpu_to_le32(s->unit_max);
	terms.cell_max = cpu_to_le32(s->cell_max);
	terms.owner_instance = cpu_to_le64(s->owner_instance);
	terms.lease = cpu_to_le16(s->lease);
	terms.boot = cpu_to_le32(s->boot);
	terms.root_fh_len = cpu_to_le16(s->root_fh_len);
	memcpy(terms.root_fh, s->root_fh, s->root_fh_len);

	memset(out, 0, sizeof(*out));
	ebpfs_put_hdr(&out->hdr, EBPFS_ACCEPT, s->client_session);
	if (!ebpfs_noise_write_second(&proof->noise, ephemeral, &terms, &m))
		return -EBADMSG;
	session_keys(&proof->noise, s);
	ebpfs_seal(out, sizeof(*out));
	return sizeof(*out);
}

u32 ebpfs_hs_make_reject(u64 client_session, u16 reason, struct ebpfs_reject *out)
{
	memset(out, 0, sizeof(*out));
	ebpfs_put_hdr(&out->hdr, EBPFS_REJECT, client_session);
	out->reason = cpu_to_le16(reason);
	out->version_min = EBPFS_VERSION;
	out->version_max = EBPFS_VERSION;
	ebpfs_seal(out, sizeof(*out));
	return sizeof(*out);
}

u32 ebpfs_hs_make_bye(u64 server_session, const u8 key[EBPFS_MAC_LEN], struct ebpfs_bye *out)
{
	memset(out, 0, sizeof(*out));
	ebpfs_put_hdr(&out->hdr, EBPFS_BYE, server_session);
	bye_mac(out, key, out->mac);
	ebpfs_seal(out, sizeof(*out));
	return sizeof(*out);
}

bool ebpfs_hs_check_bye(const struct ebpfs_bye *bye, const u8 key[EBPFS_MAC_LEN])
{
	u8 mac[EBPFS_MAC_LEN];

	bye_mac(bye, key, mac);
	return ebpfs_equal(mac, bye->mac, sizeof(mac));
}
