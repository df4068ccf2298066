// SPDX-License-Identifier: GPL-2.0
/*
 * The table of owners and the thread that ends them; see owner.h.
 */
#include <stdlib.h>
#include <sys/random.h>

#include "clients.h"
#include "export.h"
#include "grant.h"
#include "log.h"
#include "owner.h"
#include "send.h"
#include "server.h"
#include "stats.h"

void owners_init(struct owners *os, struct server *srv, u32 max, u32 lease)
{
	pthread_condattr_t attr;

	memset(os, 0, sizeof(*os));
	pthread_mutex_init(&os->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&os->wake, &attr);
	pthread_condattr_destroy(&attr);
	os->srv = srv;
	os->max = max;
	os->lease = lease * 1000ull;
}

static struct owner **bucket(struct owners *os, u64 id)
{
	return &os->by_id[(id ^ id >> 32) % OWNERS_BUCKETS];
}

/* Out of the table; under the lock. The table's reference goes to the caller. */
static void unlist(struct owners *os, struct owner *o)
{
	struct owner **p = bucket(os, o->id);

	while (*p != o)
		p = &(*p)->next_id;
	*p = o->next_id;
	*(o->prev ? &o->prev->next : &os->first) = o->next;
	if (o->next)
		o->next->prev = o->prev;
	o->prev = NULL;
	o->next = NULL;
	os->count--;
}

/* Under the lock. */
static bool end_locked(struct owners *os, struct owner *o, const char *why)
{
	if (o->ended)
		return false;
	o->why = why;
	unlist(os, o);
	__atomic_store_n(&o->ended, true, __ATOMIC_SEQ_CST);
	o->next = os->ending;
	os->ending = o;
	pthread_cond_signal(&os->wake);
	return true;
}

bool owner_end(struct owner *o, const char *why)
{
	struct owners *os = o->owners;
	bool first;

	pthread_mutex_lock(&os->lock);
	first = end_locked(os, o, why);
	pthread_mutex_unlock(&os->lock);
	return first;
}

void owner_bye(struct owner *o)
{
	struct owners *os = o->owners;

	pthread_mutex_lock(&os->lock);
	if (!o->sessions && end_locked(os, o, "it said good-bye"))
		stats_inc(owners_bye);
	pthread_mutex_unlock(&os->lock);
}

void owner_put(struct owner *o)
{
	if (__atomic_sub_fetch(&o->refs, 1, __ATOMIC_ACQ_REL))
		return;
	free(o->holds);
	free(o->late);
	free(o);
}

static bool is_owner(const struct owner *o, u64 id, const char *client, u64 number,
		     const struct export *export)
{
	return o->id == id && o->number == number && o->export == export &&
	       !strcmp(o->client, client);
}

/* Room for one more of @client's, under the lock: who was silent for longest and would
 * lose nothing goes. */
static bool make_room(struct owners *os, const char *client)
{
	struct owner *o, *any = NULL, *own = NULL;
	u32 owned = 0;

	if (os->count < os->max / 2)
		return true;
	for (o = os->first; o; o = o->next) {
		bool mine = !strcmp(o->client, client);

		owned += mine;
		if (o->sessions || o->kept || hold_any(o))
			continue;
		if (!any || READ_ONCE(o->heard) < READ_ONCE(any->heard))
			any = o;
		if (mine && (!own || READ_ONCE(o->heard) < READ_ONCE(own->heard)))
			own = o;
	}
	if (os->max > 1 && owned >= (os->max + 1) / 2)
		any = own;
	else if (os->count < os->max)
		return true;
	return any && end_locked(os, any, "it makes room for a new one");
}

static struct owner *owner_new(struct owners *os, u64 id, const char *client, u64 number,
			       const struct export *export)
{
	struct owner *o = calloc(1, sizeof(*o));

	if (!o)
		return NULL;
	do {
		if (getrandom(&o->instance, sizeof(o->instance), 0) != sizeof(o->instance)) {
			free(o);
			return NULL;
		}
	} while (!o->instance);
	o->owners = os;
	o->refs = 2;		/* the table's, the caller's */
	o->id = id;
	o->number = number;
	o->export = export;
	memcpy(o->client, client, sizeof(o->client));
	return o;
}

struct owner *owner_get(struct owners *os, u64 id, const char *client, u64 number,
			const struct export *export, u64 now)
{
	struct owner **p = bucket(os, id), *o;

	pthread_mutex_lock(&os->lock);
	for (o = *p; o && !is_owner(o, id, client, number, export); o = o->next_id)
		;
	if (o) {
		owner_ref(o);
	} else if (make_room(os, client)) {
		o = owner_new(os, id, client, number, export);
		if (o) {
			o->next_id = *p;
			*p = o;
			o->next = os->first;
			if (os->first)
				os->first->prev = o;
			os->first = o;
			os->count++;
			stats_inc(owners_made);
		}
	}
	if (o)
		owner_heard(o, now);
	pthread_mutex_unlock(&os->lock);
	return o;
}

void owner_enter(struct session *s)
{
	struct owner *o = s->owner;

	pthread_mutex_lock(&o->owners->lock);
	s->owner_next = o->first;
	o->first = s;
	o->sessions++;
	pthread_mutex_unlock(&o->owners->lock);
}

void owner_leave(struct session *s)
{
	struct owner *o = s->owner;
	struct session **p;

	pthread_mutex_lock(&o->owners->lock);
	for (p = &o->first; *p && *p != s; p = &(*p)->owner_next)
		;
	if (*p) {
		*p = s->owner_next;
		o->sessions--;
	}
	pthread_mutex_unlock(&o->owners->lock);
}

unsigned int owner_recall(struct owner *o, const struct ebpfs_recall_info *r)
{
	struct {
		struct route route;
		u8 bytes[sizeof(struct ebpfs_recall) + sizeof(struct ebpfs_guard)]
			__attribute__((aligned(8)));
		u32 len;
	} to[OWNER_TELL_MAX];
	unsigned int n = 0, i;
	struct session *s;

	pthread_mutex_lock(&o->owners->lock);
	for (s = o->first; s && n < OWNER_TELL_MAX; s = s->owner_next) {
		to[n].route = s->route;
		to[n].len = session_close(s, to[n].bytes,
					  ebpfs_put_recall(to[n].bytes, s->client_id, r));
		n += to[n].len > 0;
	}
	pthread_mutex_unlock(&o->owners->lock);
	for (i = 0; i < n; i++)
		send_datagram(&to[i].route, to[i].bytes, to[i].len);
	if (n)
		stats_inc(recalls_sent);
	return n;
}

void owner_unlend(struct owner *o)
{
	pthread_mutex_lock(&o->owners->lock);
	grant_owner_end(o);
	pthread_mutex_unlock(&o->owners->lock);
}

void owners_revoke(struct owners *os, struct clients *clients)
{
	struct owner *o, *next;

	pthread_mutex_lock(&os->lock);
	for (o = os->first; o; o = next) {
		next = o->next;
		if (!clients_has(clients, o->client, o->number))
			end_locked(os, o, "its client was removed or has a new secret");
	}
	pthread_mutex_unlock(&os->lock);
}

void owner_keep(struct owner *o)
{
	bool listed;

	pthread_mutex_lock(&o->owners->lock);
	o->kept++;
	listed = o->listed;
	pthread_mutex_unlock(&o->owners->lock);
	if (!listed)
		grace_keep(&o->owners->srv->grace, o);
}

void owner_unkeep(struct owner *o)
{
	pthread_mutex_lock(&o->owners->lock);
	if (!--o->kept)
		o->idle = now_ms();
	pthread_mutex_unlock(&o->owners->lock);
}

u32 owners_count(struct owners *os)
{
	u32 count;

	pthread_mutex_lock(&os->lock);
	count = os->count;
	pthread_mutex_unlock(&os->lock);
	return count;
}

/* All that the end of @o takes; consumes the table's reference. */
static void finish(struct owners *os, struct owner *o)
{
	sessions_end_owner(&os->srv->sessions, o, o->why);
	if (os->drop_holds)
		os->drop_holds(os->srv, o);
	if (os->drop_locks)
		os->drop_locks(os->srv, o);
	grace_finished(&os->srv->grace, o);
	if (o->listed)
		WRITE_ONCE(os->srv->grace.stale, true);
	log_verbose("owner %016llx of client %s ends: %s", (unsigned long long)o->id, o->client,
		    o->why);
	stats_inc(owners_ended);
	owner_put(o);
}

bool owners_work(struct owners *os)
{
	struct owner *o;

	pthread_mutex_lock(&os->lock);
	o = os->ending;
	if (o) {
		os->ending = o->next;
		o->next = NULL;
	}
	pthread_mutex_unlock(&os->lock);
	if (o)
		finish(os, o);
	return o;
}

void owners_tick(struct owners *os, u64 now)
{
	struct owner *o, *next;

	pthread_mutex_lock(&os->lock);
	for (o = os->first; o; o = next) {
		next = o->next;
		if (now > READ_ONCE(o->heard) + os->lease &&
		    end_locked(os, o, "silent for too long"))
			stats_inc(owners_expired);
	}
	pthread_mutex_unlock(&os->lock);
	if (os->tick)
		os->tick(os->srv, now);
}

/* Until somebody ends, or for @ms. Return: false if the thread is to stop. */
static bool wait_for_work(struct owners *os, u64 ms)
{
	struct timespec t;
	bool stop;

	clock_gettime(CLOCK_MONOTONIC, &t);
	t.tv_nsec += (long)(ms % 1000) * 1000000;
	t.tv_sec += (time_t)(ms / 1000) + t.tv_nsec / 1000000000;
	t.tv_nsec %= 1000000000;
	pthread_mutex_lock(&os->lock);
	if (!os->ending && !os->stop)
		pthread_cond_timedwait(&os->wake, &os->lock, &t);
	stop = os->stop;
	pthread_mutex_unlock(&os->lock);
	return !stop;
}

static void *owners_run(void *arg)
{
	struct owners *os = arg;
	u64 period = os->lease / 8 < 1000 ? os->lease / 8 : 1000;
	u64 next = 0, now;

	(void)stats_thread();
	do {
		while (owners_work(os))
			;
		now = now_ms();
		if (now >= next) {
			owners_tick(os, now);
			next = now + period;
		}
	} while (wait_for_work(os, next - now));
	if (os->tick)
		os->tick(os->srv, now_ms());	/* what should be written down */
	return NULL;
}

int owners_start(struct owners *os)
{
	int err = pthread_create(&os->thread, NULL, owners_run, os);

	if (err)
		return -err;
	os->running = true;
	pthread_setname_np(os->thread, "owners");
	return 0;
}

bool owners_stop(struct owners *os, const struct timespec *deadline)
{
	if (!os->running)
		return true;
	pthread_mutex_lock(&os->lock);
	os->stop = true;
	pthread_cond_signal(&os->wake);
	pthread_mutex_unlock(&os->lock);
	return !pthread_timedjoin_np(os->thread, NULL, deadline);
}

void owners_fini(struct owners *os)
{
	struct owner *o;

	if (!os->srv)
		return;
	while ((o = os->first)) {
		/* The one before is not in the list any more, which the analyzer does not see. */
		unlist(os, o);	/* NOLINT(clang-analyzer-unix.Malloc) */
		owner_put(o);
	}
	while ((o = os->ending)) {
		os->ending = o->next;
		owner_put(o);
	}
	pthread_cond_destroy(&os->wake);
	pthread_mutex_destroy(&os->lock);
}
