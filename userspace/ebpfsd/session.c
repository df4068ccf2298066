// SPDX-License-Identifier: GPL-2.0
/*
 * The table of sessions and the memory of their replies; see session.h.
 */
#include <stdlib.h>
#include <sys/random.h>

#include "clients.h"
#include "grant.h"
#include "log.h"
#include "owner.h"
#include "session.h"
#include "stats.h"

int sessions_init(struct sessions *ss, struct clients *clients, u32 max, u64 budget)
{
	u64 buckets = 64;

	memset(ss, 0, sizeof(*ss));
	while (buckets < max)
		buckets <<= 1;
	pthread_mutex_init(&ss->lock, NULL);
	ss->by_id = calloc(buckets, sizeof(*ss->by_id));
	ss->by_client = calloc(buckets, sizeof(*ss->by_client));
	ss->mask = buckets - 1;
	ss->clients = clients;
	ss->max = max;
	ss->budget = budget;
	return ss->by_id && ss->by_client ? 0 : -ENOMEM;
}

void sessions_fini(struct sessions *ss)
{
	while (ss->first) {
		struct session *s = ss->first;

		__atomic_add_fetch(&s->refs, 1, __ATOMIC_RELAXED);
		session_end(ss, s, "the server stops");
		session_put(ss, s);
	}
	free(ss->by_id);
	free(ss->by_client);
	pthread_mutex_destroy(&ss->lock);
}

u32 reply_buf_size(u32 need)
{
	/* Few sizes, so that a slot's buffer serves its next call too. */
	return need <= 512 ? 512 : need <= 4096 ? 4096 : need <= 16384 ? 16384 : EBPFS_MSG_MAX;
}

bool reply_buf_alloc(struct sessions *ss, struct reply_buf *b, u32 need)
{
	u32 size = reply_buf_size(need);

	b->data = malloc(size);
	b->size = b->data ? size : 0;
	if (b->data)
		__atomic_add_fetch(&ss->reply_bytes, size, __ATOMIC_RELAXED);
	return b->data;
}

void reply_buf_free(struct sessions *ss, struct reply_buf *b)
{
	if (!b->size)
		return;
	__atomic_sub_fetch(&ss->reply_bytes, b->size, __ATOMIC_RELAXED);
	free(b->data);
	b->data = NULL;
	b->size = 0;
}

struct session *session_find(struct sessions *ss, u64 id)
{
	struct session *s;

	pthread_mutex_lock(&ss->lock);
	s = ss->by_id[id & ss->mask];
	while (s && s->id != id)
		s = s->next_id;
	if (s)
		__atomic_add_fetch(&s->refs, 1, __ATOMIC_RELAXED);
	pthread_mutex_unlock(&ss->lock);
	return s;
}

struct session *session_find_auth(struct sessions *ss, const struct peer *peer,
				  const struct ebpfs_auth *auth)
{
	u64 client_id = le64_to_cpu(auth->client_session);
	struct session *s;

	pthread_mutex_lock(&ss->lock);
	s = ss->by_client[client_id & ss->mask];
	while (s && !(s->client_id == client_id && !memcmp(&s->peer, peer, sizeof(*peer)) &&
		      ebpfs_equal(s->auth_tag, auth->tag, sizeof(s->auth_tag))))
		s = s->next_client;
	if (s)
		__atomic_add_fetch(&s->refs, 1, __ATOMIC_RELAXED);
	pthread_mutex_unlock(&ss->lock);
	return s;
}

void session_put(struct sessions *ss, struct session *s)
{
	unsigned int i;

	if (__atomic_sub_fetch(&s->refs, 1, __ATOMIC_ACQ_REL))
		return;
	for (i = 0; i < s->served.nslots; i++)
		reply_buf_free(ss, &s->bufs[i]);
	creds_forget(&s->creds);
	if (s->owner)
		owner_put(s->owner);
	free(s->bufs);
	free(s->gathers);
	free(s->served.slots);
	pthread_mutex_destroy(&s->lock);
	if (s->keys.sec)
		ebpfs_keys_fini(&s->keys);
	explicit_bzero(s, sizeof(*s));
	free(s);
}

void session_set_keys(struct session *s, const struct ebpfs_hs_session *hs, u64 now)
{
	memcpy(s->key, hs->key, sizeof(s->key));
	ebpfs_keys_init(&s->keys, hs->sec, hs->features, true, hs->secrets,
			now * EBPFS_NSEC_PER_MSEC, 0, 0);
}

struct session *session_new(const struct peer *peer, const struct export *export,
			    const struct ebpfs_auth *auth, u16 nslots, u64 now)
{
	struct session *s = calloc(1, sizeof(*s));
	struct ebpfs_served_slot *slots = calloc(nslots, sizeof(*slots));
	struct {
		u64 id;
		u32 instance;
	} random;

	if (s) {
		s->bufs = calloc(nslots, sizeof(*s->bufs));
		s->gathers = calloc(nslots, sizeof(*s->gathers));
	}
	if (!s || !slots || !s->bufs || !s->gathers)
		goto fail;
	do {
		if (getrandom(&random, sizeof(random), 0) != sizeof(random))
			goto fail;
	} while (!random.id);
	pthread_mutex_init(&s->lock, NULL);
	s->refs = 1;
	s->id = random.id;
	s->client_id = le64_to_cpu(auth->client_session);
	s->peer = *peer;
	s->export = export;
	s->heard = now;
	memcpy(s->client, auth->client, sizeof(s->client));
	memcpy(s->auth_tag, auth->tag, sizeof(s->auth_tag));
	s->challenged = le64_to_cpu(auth->time);
	ebpfs_served_init(&s->served, slots, nslots, random.instance);
	return s;
fail:
	if (s) {
		free(s->bufs);
		free(s->gathers);
	}
	free(slots);
	free(s);
	return NULL;
}

u32 sessions_count(struct sessions *ss)
{
	u32 count;

	pthread_mutex_lock(&ss->lock);
	count = ss->count;
	pthread_mutex_unlock(&ss->lock);
	return count;
}

/* Who makes room for another session of @client: NULL if there is room. Under
 * the lock. */
static struct session *most_idle(struct sessions *ss, const char *client)
{
	struct session *s, *best = NULL, *own = NULL;
	u32 owned = 0;

	for (s = ss->first; s; s = s->next) {
		if (!best || READ_ONCE(s->heard) < READ_ONCE(best->heard))
			best = s;
		if (strcmp(s->client, client))
			continue;
		owned++;
		if (!own || READ_ONCE(s->heard) < READ_ONCE(own->heard))
			own = s;
	}
	if (ss->max > 1 && owned >= (ss->max + 1) / 2)
		return own;
	return ss->count < ss->max ? NULL : best;
}

int session_add(struct sessions *ss, struct session *s, u64 now)
{
	struct session *victim, *same;

	for (;;) {
		pthread_mutex_lock(&ss->lock);
		victim = most_idle(ss, s->client);
		if (!victim)
			break;
		if (now < READ_ONCE(victim->heard) + SESSION_EVICT) {
			pthread_mutex_unlock(&ss->lock);
			session_put(ss, s);
			return -EBUSY;
		}
		__atomic_add_fetch(&victim->refs, 1, __ATOMIC_RELAXED);
		pthread_mutex_unlock(&ss->lock);
		if (session_end(ss, victim, "makes room for a new one"))
			stats_inc(sessions_evicted);
		session_put(ss, victim);
	}
	/* Two of 2^64 alike do not happen, but would be a mess. */
	for (same = ss->by_id[s->id & ss->mask]; same; same = same->next_id) {
		if (same->id == s->id) {
			pthread_mutex_unlock(&ss->lock);
			session_put(ss, s);
			return -EBUSY;
		}
	}
	s->next_id = ss->by_id[s->id & ss->mask];
	ss->by_id[s->id & ss->mask] = s;
	s->next_client = ss->by_client[s->client_id & ss->mask];
	ss->by_client[s->client_id & ss->mask] = s;
	s->prev = NULL;
	s->next = ss->first;
	if (ss->first)
		ss->first->prev = s;
	ss->first = s;
	ss->count++;
	grant_peer(s);
	stats_inc(sessions_made);
	owner_enter(s);
	pthread_mutex_unlock(&ss->lock);
	return 0;
}

/* Out of the tables; under the lock. */
static void unlist(struct sessions *ss, struct session *s)
{
	struct session **p = &ss->by_id[s->id & ss->mask];

	while (*p != s)
		p = &(*p)->next_id;
	*p = s->next_id;
	p = &ss->by_client[s->client_id & ss->mask];
	while (*p != s)
		p = &(*p)->next_client;
	*p = s->next_client;
	*(s->prev ? &s->prev->next : &ss->first) = s->next;
	if (s->next)
		s->next->prev = s->prev;
	ss->count--;
	grant_peer_left(s);
}

void sessions_tell(struct sessions *ss)
{
	const struct session *s;

	pthread_mutex_lock(&ss->lock);
	for (s = ss->first; s; s = s->next)
		grant_peer(s);
	pthread_mutex_unlock(&ss->lock);
}

bool session_end(struct sessions *ss, struct session *s, const char *why)
{
	unsigned int i;
	bool first;

	pthread_mutex_lock(&s->lock);
	first = !s->dead;
	s->dead = true;
	if (first) {
		for (i = 0; i < s->served.nslots; i++)
			reply_buf_free(ss, &s->bufs[i]);
		gather_end(ss, s);
		creds_forget(&s->creds);
	}
	pthread_mutex_unlock(&s->lock);
	if (!first)
		return false;
	grant_session_end(s);
	/* Before it leaves the tables: who does not find its AUTH there has to see this. */
	clients_spend(ss->clients, s->client, s->number, s->challenged);

	pthread_mutex_lock(&ss->lock);
	unlist(ss, s);
	owner_leave(s);
	pthread_mutex_unlock(&ss->lock);
	log_verbose("session of client %s ends: %s", s->client, why);
	session_put(ss, s);
	return true;
}

/* One session that @over says has to go, with a reference, or NULL. */
static struct session *pick(struct sessions *ss, bool (*over)(struct session *s, void *arg),
			    void *arg)
{
	struct session *s;

	pthread_mutex_lock(&ss->lock);
	s = ss->first;
	while (s && !over(s, arg))
		s = s->next;
	if (s)
		__atomic_add_fetch(&s->refs, 1, __ATOMIC_RELAXED);
	pthread_mutex_unlock(&ss->lock);
	return s;
}

static bool is_idle(struct session *s, void *now)
{
	return *(u64 *)now > READ_ONCE(s->heard) + SESSION_IDLE;
}

void sessions_tick(struct sessions *ss, u64 now)
{
	struct session *s;

	while ((s = pick(ss, is_idle, &now))) {
		if (session_end(ss, s, "silent for too long"))
			stats_inc(sessions_idle);
		session_put(ss, s);
	}
	pthread_mutex_lock(&ss->lock);
	for (s = ss->first; s; s = s->next)
		if (ebpfs_keys_guard(&s->keys))
			ebpfs_keys_tick(&s->keys, now * EBPFS_NSEC_PER_MSEC);
	pthread_mutex_unlock(&ss->lock);
	if (READ_ONCE(ss->data_bytes) <= ss->budget / 4)
		return;
	pthread_mutex_lock(&ss->lock);
	for (s = ss->first; s; s = s->next) {
		if (pthread_mutex_trylock(&s->lock))
			continue;
		if (!s->dead)
			gather_tick(ss, s, now);
		pthread_mutex_unlock(&s->lock);
	}
	pthread_mutex_unlock(&ss->lock);
}

/* The sessions behind @s in the list, which has the newest first. */
struct former {
	const struct session *s;
	bool behind;
};

static bool is_former(struct session *o, void *arg)
{
	struct former *f = arg;

	if (o == f->s) {
		f->behind = true;
		return false;
	}
	return f->behind && o->owner == f->s->owner &&
	       !memcmp(&o->peer, &f->s->peer, sizeof(o->peer));
}

/* A client has a socket for each server that it uses: what is older than @s there is not used
 * any more. If @s has ended meanwhile, it is not in the list, and nothing is behind it. */
void sessions_end_former(struct sessions *ss, struct session *s)
{
	struct session *o;

	while ((o = pick(ss, is_former, &(struct former){ .s = s }))) {
		session_end(ss, o, "its client has begun another one");
		session_put(ss, o);
	}
}

static bool is_owned(struct session *s, void *owner)
{
	return s->owner == owner;
}

void sessions_end_owner(struct sessions *ss, struct owner *owner, const char *why)
{
	struct session *s;

	while ((s = pick(ss, is_owned, owner))) {
		session_end(ss, s, why);
		session_put(ss, s);
	}
}

static bool is_revoked(struct session *s, void *clients)
{
	return !clients_has(clients, s->client, s->number);
}

void sessions_revoke(struct sessions *ss)
{
	struct session *s;

	while ((s = pick(ss, is_revoked, ss->clients))) {
		if (session_end(ss, s, "its client was removed or has a new secret"))
			stats_inc(sessions_revoked);
		/* The reference that ended was the table's, this one is pick()'s. */
		session_put(ss, s);	/* NOLINT(clang-analyzer-unix.Malloc) */
	}
}

/* Free the kept replies of @s that are older than @age ms; under its lock. */
static void forget_old(struct sessions *ss, struct session *s, u32 age, u64 now)
{
	unsigned int i;

	for (i = 0; i < s->served.nslots; i++) {
		struct reply_buf *b = &s->bufs[i];

		if (!b->size || (u32)now - b->used < age)
			continue;
		if (b->once && s->served.slots[i].state == EBPFS_SERVED_DONE)
			continue;
		/* Without a buffer there must be no kept reply, and a job that runs
		 * has its own buffer: whatever is here may go. */
		ebpfs_served_forget(&s->served, (u16)i);
		reply_buf_free(ss, b);
		stats_inc(replies_forgotten);
	}
}

void sessions_reclaim(struct sessions *ss, u64 now)
{
	/* Old ones first: nobody asks again for a reply of seconds ago. */
	static const u32 ages[] = { 10000, 1000, 100, 0 };	/* ms */
	u64 target = ss->budget - ss->budget / 8;
	unsigned int i;

	if (now < READ_ONCE(ss->reclaim_at))
		return;
	for (i = 0; i < ARRAY_SIZE(ages); i++) {
		struct session *s;

		pthread_mutex_lock(&ss->lock);
		for (s = ss->first; s && READ_ONCE(ss->reply_bytes) > target; s = s->next) {
			if (pthread_mutex_trylock(&s->lock))
				continue;
			forget_old(ss, s, ages[i], now);
			pthread_mutex_unlock(&s->lock);
		}
		pthread_mutex_unlock(&ss->lock);
		if (READ_ONCE(ss->reply_bytes) <= target)
			return;
	}
	/* All that is left has to be kept: not to look at it again at once. */
	WRITE_ONCE(ss->reclaim_at, now + SESSION_RECLAIM);
}
