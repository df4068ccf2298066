// SPDX-License-Identifier: GPL-2.0
/*
 * Keys of a session; contracts in guard.h.
 */
#include "core/guard.h"
#include "core/noise.h"

#define LABEL(text)	{ text, sizeof(text) - 1 }
#define GUARD		sizeof(struct ebpfs_guard)
#define HEAD		sizeof(struct ebpfs_hdr)
#define ASK_AGAIN	(EBPFS_NSEC_PER_SEC / 4)	/* at first; then twice as long, ... */
#define ASK_MOST	(4 * EBPFS_NSEC_PER_SEC)

#define WORDS	(EBPFS_REPLAY_WINDOW / 64ull)

/* Was it seen, or is it too old to tell? */
static bool replay_past(const struct ebpfs_replay *r, u64 number)
{
	if (number >= 2 * EBPFS_KEYS_MOST)
		return true;	/* nobody counts that far */
	if (number >= r->next)
		return false;
	return number / 64 + WORDS <= (r->next - 1) / 64 ||
	       r->bits[number / 64 % WORDS] >> number % 64 & 1;
}

bool ebpfs_replay_take(struct ebpfs_replay *r, u64 number)
{
	u64 w;

	if (replay_past(r, number))
		return false;
	if (number >= r->next) {
		/* Whole words are cleared ahead, so one less than all of them counts. */
		u64 last = r->next ? (r->next - 1) / 64 : 0, to = number / 64;

		if (to - last > WORDS)
			last = to - WORDS;
		for (w = last + 1; w <= to; w++)
			r->bits[w % WORDS] = 0;
		r->next = number + 1;
	}
	r->bits[number / 64 % WORDS] |= 1ull << number % 64;
	return true;
}

/* The key of one sender in one epoch. */
static void derive(u8 key[EBPFS_KEY_LEN], const u8 secret[EBPFS_KEY_LEN], u32 id)
{
	const __le32 le = cpu_to_le32(id);
	const struct ebpfs_bytes parts[] = { LABEL("ebpfs1 datagrams"), { &le, sizeof(le) } };

	ebpfs_mac(key, secret, parts, ARRAY_SIZE(parts));
}

static struct ebpfs_epoch *epoch_at(struct ebpfs_keys *k, u16 number)
{
	return &k->epochs[number & 1];
}

/* With these keys; NULL if there are none. Locked. */
static struct ebpfs_epoch *epoch_find(struct ebpfs_keys *k, u16 number)
{
	struct ebpfs_epoch *e = epoch_at(k, number);

	return e->live && e->number == number ? e : NULL;
}

/* Its keys are used no more. */
static void epoch_end(struct ebpfs_keys *k, struct ebpfs_epoch *e)
{
	u32 i;

	if (e->live) {
		ebpfs_aead_forget(k->cipher, e->send);
		for (i = 0; i < EBPFS_SENDERS; i++)
			ebpfs_aead_forget(k->cipher, e->receive[i]);
	}
	ebpfs_wipe(e, sizeof(*e));
}

static struct ebpfs_epoch *epoch_begin(struct ebpfs_keys *k, u16 number, u64 now)
{
	struct ebpfs_epoch *e = epoch_at(k, number);

	epoch_end(k, e);
	e->live = true;
	e->number = number;
	e->since = now;
	k->newest = number;
	k->old_until = EBPFS_NEVER;	/* they have just been overwritten */
	return e;
}

/* Locked. */
static void install(struct ebpfs_keys *k, u16 number, const u8 secrets[3][EBPFS_KEY_LEN], u64 now)
{
	struct ebpfs_epoch *e = epoch_begin(k, number, now);
	u32 i;

	derive(e->send, secrets[k->server], EBPFS_KEY_ID(number, EBPFS_SENDER_MAIN));
	for (i = 0; i < EBPFS_SENDERS; i++)
		derive(e->receive[i], secrets[!k->server], EBPFS_KEY_ID(number, i));
	if (k->server)	/* a client has one sender; the other key is for ours to send by */
		derive(e->receive[EBPFS_SENDER_KERNEL], secrets[1],
		       EBPFS_KEY_ID(number, EBPFS_SENDER_KERNEL));
	memcpy(k->chain, secrets[2], sizeof(k->chain));
}

/* The newest keys are used from now on, and those before will be forgotten. Locked. */
static void use_newest(struct ebpfs_keys *k, u64 now)
{
	k->using = k->newest;
	k->fresh = true;
	k->old_until = now + EBPFS_KEYS_OLD;
	ebpfs_wipe(k->theirs, sizeof(k->theirs));
	ebpfs_wipe(k->mine, sizeof(k->mine));
}

void ebpfs_keys_init(struct ebpfs_keys *k, u8 sec, u32 features, bool server,
		     const u8 secrets[3][EBPFS_KEY_LEN], u64 now, u64 max_age, u64 max_sent)
{
	memset(k, 0, sizeof(*k));
	ebpfs_lock_init(&k->lock);
	k->sec = sec;
	k->cipher = features & EBPFS_FEAT_AES ? EBPFS_CIPHER_AES256_GCM :
						EBPFS_CIPHER_CHACHA20_POLY1305;
	k->server = server;
	k->sender = EBPFS_SENDER_MAIN;
	k->fresh = true;
	k->old_until = EBPFS_NEVER;
	k->max_age = max_age;
	k->max_sent = max_sent;
	k->ask_at = EBPFS_NEVER;
	if (!ebpfs_keys_guard(k))
		return;
	install(k, 0, secrets, now);
	if (!server)
		k->ask_at = now + max_age;
}

void ebpfs_keys_fini(struct ebpfs_keys *k)
{
	epoch_end(k, &k->epochs[0]);
	epoch_end(k, &k->epochs[1]);
	ebpfs_lock_fini(&k->lock);
	ebpfs_wipe(k, sizeof(*k));
}

bool ebpfs_keys_lend(struct ebpfs_keys *k, struct ebpfs_lent_keys *out)
{
	struct ebpfs_epoch *e;
	bool again;

	ebpfs_lock_take(&k->lock);
	e = epoch_at(k, k->newest);
	again = e->lent;
	e->lent = true;
	out->epoch = e->number;
	memcpy(out->send, e->receive[EBPFS_SENDER_KERNEL], sizeof(out->send));
	memcpy(out->receive, e->receive[EBPFS_SENDER_MAIN], sizeof(out->receive));
	ebpfs_lock_drop(&k->lock);
	return !again;
}

void ebpfs_keys_init_lent(struct ebpfs_keys *k, u8 sec, u8 cipher)
{
	memset(k, 0, sizeof(*k));
	ebpfs_lock_init(&k->lock);
	k->sec = sec;
	k->cipher = cipher;
	k->server = true;
	k->sender = EBPFS_SENDER_KERNEL;
	k->ask_at = EBPFS_NEVER;
	k->old_until = EBPFS_NEVER;
}

void ebpfs_keys_add_lent(struct ebpfs_keys *k, const struct ebpfs_lent_keys *lent, u64 now)
{
	struct ebpfs_epoch *e;

	ebpfs_lock_take(&k->lock);
	/* Told twice, they are what they were: numbers must not begin again. */
	if (!epoch_find(k, lent->epoch)) {
		e = epoch_begin(k, lent->epoch, now);
		memcpy(e->send, lent->send, sizeof(e->send));
		memcpy(e->receive[EBPFS_SENDER_MAIN], lent->receive, sizeof(lent->receive));
		k->using = k->newest;
		k->old_until = now + EBPFS_KEYS_OLD;
	}
	ebpfs_lock_drop(&k->lock);
}

bool ebpfs_keys_send_by(struct ebpfs_keys *k, u16 epoch, u32 n, struct ebpfs_sending *s)
{
	struct ebpfs_epoch *e;
	bool good;

	ebpfs_lock_take(&k->lock);
	e = epoch_find(k, epoch);
	good = e && e->sent < EBPFS_KEYS_MOST;
	if (good) {
		memcpy(s->key, e->send, sizeof(s->key));
		s->id = EBPFS_KEY_ID(epoch, k->sender);
		s->number = e->sent;
		e->sent += n;
	}
	ebpfs_lock_drop(&k->lock);
	return good;
}

bool ebpfs_keys_send(struct ebpfs_keys *k, u32 n, struct ebpfs_sending *s)
{
	/* If it changes just now, both are good. */
	return ebpfs_keys_send_by(k, READ_ONCE(k->using), n, s);
}

/* What is received of sender @id; NULL: not known. Locked. */
static struct ebpfs_epoch *epoch_of(struct ebpfs_keys *k, u32 id)
{
	u32 senders = k->server ? 1 : EBPFS_SENDERS;

	return EBPFS_KEY_SENDER(id) < senders ? epoch_find(k, EBPFS_KEY_EPOCH(id)) : NULL;
}

bool ebpfs_keys_find(struct ebpfs_keys *k, u32 id, u8 key[EBPFS_KEY_LEN])
{
	struct ebpfs_epoch *e;

	ebpfs_lock_take(&k->lock);
	e = epoch_of(k, id);
	if (e)
		memcpy(key, e->receive[EBPFS_KEY_SENDER(id)], EBPFS_KEY_LEN);
	ebpfs_lock_drop(&k->lock);
	return e;
}

bool ebpfs_keys_take(struct ebpfs_keys *k, u32 id, u64 number, u64 now)
{
	struct ebpfs_epoch *e;
	bool good;

	ebpfs_lock_take(&k->lock);
	e = epoch_of(k, id);
	good = e && ebpfs_replay_take(&e->seen[EBPFS_KEY_SENDER(id)], number);
	/* The client has the new keys. */
	if (good && k->server && k->using != k->newest && e->number == k->newest)
		use_newest(k, now);
	ebpfs_lock_drop(&k->lock);
	return good;
}

bool ebpfs_keys_past(struct ebpfs_keys *k, u32 id, u64 number)
{
	const struct ebpfs_epoch *e;
	bool past;

	ebpfs_lock_take(&k->lock);
	e = epoch_of(k, id);
	past = e && replay_past(&e->seen[EBPFS_KEY_SENDER(id)], number);
	ebpfs_lock_drop(&k->lock);
	return past;
}

u32 ebpfs_guard_clear(u8 sec, u8 type, u32 len)
{
	u32 clear = 0;

	if (sec != EBPFS_SEC_PRIVACY)
		return len;
	if (type == EBPFS_REPLY)
		clear = sizeof(struct ebpfs_reply) - HEAD;
	else if (type == EBPFS_DATA)
		clear = sizeof(struct ebpfs_data) - HEAD;
	return clear < len ? clear : len;
}

u32 ebpfs_guard_put(struct ebpfs_keys *k, void *p, u32 len)
{
	u8 *head = p, *rest = head + HEAD;
	struct ebpfs_guard guard;
	struct ebpfs_sending s;
	struct ebpfs_hdr hdr;
	bool sealed;
	u32 clear;

	if (!ebpfs_keys_send(k, 1, &s))
		return 0;
	memcpy(&hdr, head, sizeof(hdr));
	clear = ebpfs_guard_clear(k->sec, hdr.type, len - HEAD);
	hdr.crc = cpu_to_le32(s.id);
	hdr.type |= EBPFS_GUARDED;
	memcpy(head, &hdr, sizeof(hdr));
	/* Head and what is clear lie one behind the other until the end. */
	sealed = ebpfs_aead_seal(rest + clear, guard.tag, k->cipher, s.key, s.number,
				 (struct ebpfs_bytes){ head, HEAD + clear }, rest + clear,
				 len - HEAD - clear);
	memmove(rest + GUARD, rest, len - HEAD);
	guard.number = cpu_to_le64(s.number);
	memcpy(rest, &guard, sizeof(guard));
	ebpfs_wipe(&s, sizeof(s));
	return sealed ? len + GUARD : 0;
}

int ebpfs_guard_open(struct ebpfs_keys *k, void *p, u32 len, u64 now)
{
	u8 *head = (u8 *)p + GUARD, *rest = head + HEAD;
	struct ebpfs_guard guard;
	u8 key[EBPFS_KEY_LEN];
	struct ebpfs_hdr hdr;
	u32 clear, id;
	int err;

	if (len < HEAD + GUARD)
		return -EBADMSG;
	memcpy(&hdr, p, sizeof(hdr));
	memcpy(&guard, (u8 *)p + HEAD, sizeof(guard));
	id = le32_to_cpu(hdr.crc);
	if (!ebpfs_keys_find(k, id, key))
		return -ENOKEY;
	len -= HEAD + GUARD;
	clear = ebpfs_guard_clear(k->sec, hdr.type & ~EBPFS_GUARDED, len);
	memcpy(head, &hdr, sizeof(hdr));
	err = ebpfs_aead_open(rest + clear, guard.tag, k->cipher, key, le64_to_cpu(guard.number),
			      (struct ebpfs_bytes){ head, HEAD + clear }, rest + clear,
			      len - clear);
	ebpfs_wipe(key, sizeof(key));
	if (err)
		return err == -EBADMSG ? -EKEYREJECTED : err;
	if (!ebpfs_keys_take(k, id, le64_to_cpu(guard.number), now))
		return -EALREADY;
	hdr.type &= ~EBPFS_GUARDED;
	memcpy(head, &hdr, sizeof(hdr));
	return 0;
}

/* The next epoch's secrets, of both ephemeral keys and the chain. */
static bool next_secrets(const struct ebpfs_keys *k, const u8 own[EBPFS_KEY_LEN],
			 const u8 theirs[EBPFS_KEY_LEN], const u8 client[EBPFS_KEY_LEN],
			 const u8 server[EBPFS_KEY_LEN], u8 secrets[3][EBPFS_KEY_LEN])
{
	u8 material[3][EBPFS_KEY_LEN];
	bool good = ebpfs_dh(material[0], own, theirs);

	memcpy(material[1], client, EBPFS_KEY_LEN);
	memcpy(material[2], server, EBPFS_KEY_LEN);
	if (good)
		ebpfs_hkdf(k->chain, (struct ebpfs_bytes){ material, sizeof(material) }, secrets);
	ebpfs_wipe(material, sizeof(material));
	return good;
}

static void put_rekey(struct ebpfs_rekey *out, u8 type, u64 session, u16 epoch,
		      const u8 ephemeral[EBPFS_KEY_LEN])
{
	memset(out, 0, sizeof(*out));
	ebpfs_put_hdr(&out->hdr, type, session);
	out->epoch = cpu_to_le16(epoch);
	memcpy(out->ephemeral, ephemeral, sizeof(out->ephemeral));
}

bool ebpfs_keys_due(const struct ebpfs_keys *k, u64 now)
{
	u64 sent;

	if (!ebpfs_keys_guard(k) || k->server)
		return false;
	if (now >= READ_ONCE(k->ask_at))
		return true;
	sent = READ_ONCE(k->epochs[READ_ONCE(k->newest) & 1].sent);
	return READ_ONCE(k->fresh) && sent >= k->max_sent;
}

bool ebpfs_keys_ask(struct ebpfs_keys *k, u64 now, const u8 ephemeral[EBPFS_KEY_LEN],
		    u64 session, struct ebpfs_rekey *out)
{
	u64 wait;

	if (!ebpfs_keys_due(k, now))
		return false;
	if (k->fresh) {
		memcpy(k->own, ephemeral, sizeof(k->own));
		if (!ebpfs_dh_public(k->asked, k->own))
			return false;
		k->since_asked = now;
		k->fresh = false;
	}
	wait = now - k->since_asked;
	WRITE_ONCE(k->ask_at, now + (wait < ASK_AGAIN ? ASK_AGAIN :
				     wait < ASK_MOST ? wait : ASK_MOST));
	put_rekey(out, EBPFS_REKEY, session, k->newest + 1, k->asked);
	return true;
}

int ebpfs_keys_answered(struct ebpfs_keys *k, const struct ebpfs_rekey *msg, u64 now)
{
	u8 secrets[3][EBPFS_KEY_LEN];
	u16 next = k->newest + 1;

	if (k->server || k->fresh || le16_to_cpu(msg->epoch) != next || msg->reserved ||
	    msg->reserved2 ||
	    !next_secrets(k, k->own, msg->ephemeral, k->asked, msg->ephemeral, secrets))
		return -EBADMSG;
	ebpfs_lock_take(&k->lock);
	install(k, next, secrets, now);
	use_newest(k, now);
	ebpfs_lock_drop(&k->lock);
	ebpfs_wipe(secrets, sizeof(secrets));
	ebpfs_wipe(k->own, sizeof(k->own));
	WRITE_ONCE(k->ask_at, now + k->max_age);
	return 0;
}

int ebpfs_keys_answer(struct ebpfs_keys *k, const struct ebpfs_rekey *msg,
		      const u8 ephemeral[EBPFS_KEY_LEN], u64 session, u64 now,
		      struct ebpfs_rekey *out)
{
	u8 secrets[3][EBPFS_KEY_LEN], mine[EBPFS_KEY_LEN];
	u16 epoch = le16_to_cpu(msg->epoch), by = EBPFS_KEY_EPOCH(le32_to_cpu(msg->hdr.crc));

	if (!k->server || msg->reserved || msg->reserved2 || (u16)(by + 1) != epoch)
		return -EBADMSG;
	/* REKEYED was lost: the same again. */
	if (epoch == k->newest && k->using != k->newest &&
	    ebpfs_equal(msg->ephemeral, k->theirs, sizeof(k->theirs))) {
		put_rekey(out, EBPFS_REKEYED, session, epoch, k->mine);
		return 0;
	}
	if (by != k->newest || k->using != k->newest ||
	    now - epoch_at(k, by)->since < EBPFS_KEYS_YOUNG || !ebpfs_dh_public(mine, ephemeral) ||
	    !next_secrets(k, ephemeral, msg->ephemeral, msg->ephemeral, mine, secrets))
		return -EBADMSG;
	ebpfs_lock_take(&k->lock);
	install(k, epoch, secrets, now);
	k->fresh = false;
	memcpy(k->theirs, msg->ephemeral, sizeof(k->theirs));
	memcpy(k->mine, mine, sizeof(k->mine));
	ebpfs_lock_drop(&k->lock);
	ebpfs_wipe(secrets, sizeof(secrets));
	put_rekey(out, EBPFS_REKEYED, session, epoch, mine);
	return 1;
}

u64 ebpfs_keys_tick(struct ebpfs_keys *k, u64 now)
{
	u64 next;

	ebpfs_lock_take(&k->lock);
	if (now >= k->old_until) {
		epoch_end(k, epoch_at(k, k->using + 1));
		k->old_until = EBPFS_NEVER;
	}
	next = k->old_until;
	ebpfs_lock_drop(&k->lock);
	return next;
}
