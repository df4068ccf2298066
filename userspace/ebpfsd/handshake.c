// SPDX-License-Identifier: GPL-2.0
/*
 * Sessions come to be: HELLO and AUTH, around the pure core/handshake.c.
 *
 * Runs in workers. Until a client has proved its secret nothing is kept about
 * it, nothing longer than its datagram is answered, and it is not told which
 * of name and secret was wrong. A proof is good for one session (clients_spend()).
 */
#include <sys/random.h>

#include "log.h"
#include "owner.h"
#include "server.h"
#include "stats.h"
#include "worker.h"

u64 handshake_clock(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (u64)t.tv_sec * EBPFS_NSEC_PER_SEC + t.tv_nsec;
}

void handshake_hello(struct worker *w, const struct route *r, const u8 *p, u32 len)
{
	struct ebpfs_challenge out;
	u8 nonce[EBPFS_NONCE_LEN];
	struct peer peer;
	int n;

	stats_inc(hellos);
	peer_of(r, &peer);
	if (getrandom(nonce, sizeof(nonce), 0) != sizeof(nonce))
		return;
	n = ebpfs_hs_make_challenge(&w->srv->handshake, p, len,
				    (struct ebpfs_bytes){ &peer, sizeof(peer) }, nonce,
				    handshake_clock(), &out);
	if (n < 0)
		stats_inc(drop_malformed);
	else
		send_datagram(r, &out, (u32)n);
}

static void reject(const struct route *r, const struct ebpfs_auth *auth, u16 reason)
{
	struct ebpfs_reject out;
	u32 len = ebpfs_hs_make_reject(le64_to_cpu(auth->client_session), reason, &out);

	stats_inc(rejects);
	send_datagram(r, &out, len);
}

/* Who is it, and may it? Fills @number, @export, @proof. Return: 0 or the reason why not. */
static u16 judge(struct server *srv, const struct route *r, const struct ebpfs_auth *auth,
		 u64 *number, const struct export **export, struct ebpfs_hs_proof *proof)
{
	char addr[EBPFS_ADDR_TEXT], name[4 * EBPFS_CLIENT_MAX];
	const char *client = (const char *)auth->client;
	const char *wanted = (const char *)proof->ask.export;
	u8 secret[EBPFS_SECRET_LEN];
	bool proved;

	/* ebpfs_hs_check_cookie() saw that this name ends, ebpfs_hs_check_auth() the other. */
	*number = clients_find(&srv->clients, client, secret);
	proved = ebpfs_hs_check_auth(auth, secret, proof);
	explicit_bzero(secret, sizeof(secret));
	if (!proved || !*number) {
		log_warning_limited("denied %s, who says to be client %s: %s",
				    ebpfs_addr_format(&r->to, true, addr),
				    log_quote(name, sizeof(name), client, sizeof(auth->client)),
				    *number ? "it does not know the secret in the clients file" :
				    "no such client in the clients file");
		return EBPFS_REJECT_DENIED;
	}
	if (ebpfs_hs_is_spent(auth, clients_spent(&srv->clients, client, *number)))
		return EBPFS_REJECT_COOKIE;
	*export = exports_find(&srv->exports, wanted);
	if (!*export || !config_client_listed((*export)->clients, client)) {
		char quoted[4 * EBPFS_EXPORT_MAX];

		log_warning_limited("denied client %s: %s %s", client, *export ?
				    "it is not listed at export" : "there is no export",
				    log_quote(quoted, sizeof(quoted), wanted,
					      sizeof(proof->ask.export)));
		return EBPFS_REJECT_EXPORT;
	}
	if (proof->ask.sec < (*export)->sec || proof->ask.sec > EBPFS_SEC_PRIVACY)
		return EBPFS_REJECT_SEC;
	return 0;
}

static u16 slots_for(const struct ebpfs_ask *ask)
{
	u16 wanted = le16_to_cpu(ask->slots);

	return wanted > EBPFS_SLOTS_MAX ? EBPFS_SLOTS_MAX : wanted;
}

/* Make the session and ACCEPT. Return: 0 or the reason why not. */
static u16 admit(struct worker *w, const struct route *r, const struct ebpfs_auth *auth,
		 u64 number, const struct export *export, struct ebpfs_hs_proof *proof,
		 struct ebpfs_accept *accept)
{
	struct server *srv = w->srv;
	struct ebpfs_hs_session hs = { 0 };
	u8 ephemeral[EBPFS_KEY_LEN];
	char addr[EBPFS_ADDR_TEXT];
	struct owner *owner;
	struct session *s;
	struct peer peer;
	int made;
	u64 id;

	if (getrandom(ephemeral, sizeof(ephemeral), 0) != sizeof(ephemeral))
		return EBPFS_REJECT_BUSY;
	peer_of(r, &peer);
	s = session_new(&peer, export, auth, slots_for(&proof->ask), w->now);
	if (!s)
		return EBPFS_REJECT_BUSY;
	s->owner = owner_get(&srv->owners, le64_to_cpu(proof->ask.owner),
			     (const char *)auth->client, number, export, w->now);
	if (!s->owner) {
		log_warning_limited("client %s at %s has to wait: there are too many mounts, or too "
				    "many of this client", (const char *)auth->client,
				    ebpfs_addr_format(&r->to, true, addr));
		session_put(&srv->sessions, s);
		return EBPFS_REJECT_BUSY;
	}
	owner = owner_ref(s->owner);	/* the session may end before we are done */
	s->route = *r;
	hs.server_session = s->id;
	hs.server_instance = srv->instance;
	hs.owner_instance = owner->instance;
	hs.lease = (u16)(srv->owners.lease / 1000);
	hs.boot = srv->boot;
	hs.features = EBPFS_FEAT_ALL;
	if (!ebpfs_aead_fast(EBPFS_CIPHER_AES256_GCM))
		hs.features &= ~EBPFS_FEAT_AES;
	hs.unit_max = EBPFS_MSG_MAX;
	hs.cell_max = EBPFS_CELL_MAX;
	hs.slots = s->served.nslots;
	hs.root_fh_len = export->root_fh_len;
	memcpy(hs.root_fh, export->root_fh, export->root_fh_len);
	stats_inc(key_agreements);
	made = ebpfs_hs_make_accept(auth, proof, ephemeral, &hs, accept);
	explicit_bzero(ephemeral, sizeof(ephemeral));
	if (made < 0) {
		/* Somebody who knows the secret made it so. */
		stats_inc(drop_malformed);
		explicit_bzero(&hs, sizeof(hs));
		session_put(&srv->sessions, s);
		owner_put(owner);
		return EBPFS_REJECT_DENIED;
	}
	s->accept = *accept;
	s->number = number;
	session_set_keys(s, &hs, w->now);
	id = s->id;
	explicit_bzero(&hs, sizeof(hs));
	if (session_add(&srv->sessions, s, w->now)) {
		log_warning_limited("client %s at %s has to wait: sessions-max is %u, and they are "
				    "in use, or half of them by this client",
				    (const char *)auth->client,
				    ebpfs_addr_format(&r->to, true, addr), srv->sessions.max);
		owner_put(owner);
		return EBPFS_REJECT_BUSY;
	}
	if (owner_ended(owner) ||
	    !clients_has(&srv->clients, (const char *)auth->client, number)) {
		/* Since just now; and who ended it, or read the clients file anew, may not
		 * have seen this session. */
		s = session_find(&srv->sessions, id);
		if (s) {
			session_end(&srv->sessions, s, "its owner has ended, or its client was removed");
			session_put(&srv->sessions, s);
		}
		owner_put(owner);
		return EBPFS_REJECT_BUSY;
	}
	owner_put(owner);
	log_verbose_limited("session of client %s at %s for %s begins",
			    (const char *)auth->client, ebpfs_addr_format(&r->to, true, addr),
			    export->name);
	return 0;
}

void handshake_auth(struct worker *w, const struct route *r, const u8 *p, u32 len)
{
	const struct ebpfs_auth *auth = (const struct ebpfs_auth *)p;
	const struct export *export = NULL;
	struct ebpfs_hs_proof proof;
	struct ebpfs_accept accept;
	struct session *s;
	struct peer peer;
	u64 number = 0;
	u16 reason;

	stats_inc(auths);
	peer_of(r, &peer);
	switch (ebpfs_hs_check_cookie(&w->srv->handshake, p, len,
				      (struct ebpfs_bytes){ &peer, sizeof(peer) },
				      handshake_clock())) {
	case 0:
		break;
	case -ETIMEDOUT:
		reject(r, auth, EBPFS_REJECT_COOKIE);
		return;
	default:
		stats_inc(drop_malformed);
		return;
	}
	/* Our answer was lost: the same again. */
	s = session_find_auth(&w->srv->sessions, &peer, auth);
	if (s) {
		send_datagram(r, &s->accept, sizeof(s->accept));
		session_put(&w->srv->sessions, s);
		return;
	}
	reason = judge(w->srv, r, auth, &number, &export, &proof);
	if (!reason)
		reason = admit(w, r, auth, number, export, &proof, &accept);
	explicit_bzero(&proof, sizeof(proof));
	if (reason) {
		/* What was refused to who knows the secret is not good later, either. */
		if (reason != EBPFS_REJECT_DENIED)
			clients_spend(&w->srv->clients, (const char *)auth->client, number,
				      le64_to_cpu(auth->time));
		reject(r, auth, reason);
		return;
	}
	stats_inc(accepts);
	send_datagram(r, &accept, sizeof(accept));
}
