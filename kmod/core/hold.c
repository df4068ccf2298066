// SPDX-License-Identifier: GPL-2.0
/*
 * What clients hold, and changes; see hold.h.
 */
#include "core/hold.h"

static const u32 pauses[EBPFS_HOLD_PAUSES] = { 0, 100, 200, 400, 800, 1000 };	/* ms */

void ebpfs_holds_init(struct ebpfs_holds *h)
{
	/* Ids of recalls differ from those of another start. */
	h->serial = (u32)h->seed;
}

/* Spreads well under a random seed; that is all that is asked of it. */
static u64 mix(u64 x)
{
	x ^= x >> 32;
	x *= 0xd6e8feb86659fd93ull;
	x ^= x >> 29;
	x *= 0xa0761d6478bd642full;
	return x ^ x >> 32;
}

void ebpfs_hold_key_set(const struct ebpfs_holds *h, struct ebpfs_hold_key *key,
			const void *bytes, u16 len)
{
	const u8 *p = bytes;
	u64 hash = mix(h->seed ^ len);
	u32 i;

	for (i = 0; i < len; i += 8) {
		u64 word = 0;

		if (len - i >= 8)
			memcpy(&word, p + i, 8);
		else
			memcpy(&word, p + i, len - i);
		hash = mix(hash ^ word) + h->seed;
	}
	memset(key, 0, sizeof(*key));
	key->hash = hash;
	key->len = len;
	memcpy(key->bytes, p, len);
}

static bool same(const struct ebpfs_hold_key *a, const struct ebpfs_hold_key *b)
{
	return a->hash == b->hash && a->len == b->len && !memcmp(a->bytes, b->bytes, a->len);
}

static struct ebpfs_held_file **bucket_of(const struct ebpfs_holds *h, u64 hash)
{
	return &h->buckets[hash & h->mask];
}

static struct ebpfs_held_file *find_file(const struct ebpfs_holds *h,
					 const struct ebpfs_hold_key *key)
{
	struct ebpfs_held_file *f = *bucket_of(h, key->hash);

	while (f && !same(&f->key, key))
		f = f->next;
	return f;
}

static struct ebpfs_hold *find(const struct ebpfs_held_file *f, const struct ebpfs_holder *holder)
{
	struct ebpfs_hold *hold = f ? f->holds : NULL;

	while (hold && hold->holder != holder)
		hold = hold->others;
	return hold;
}

static struct ebpfs_held_file *make_file(struct ebpfs_holds *h, const struct ebpfs_hold_key *key)
{
	struct ebpfs_held_file *f = h->free_files, **bucket = bucket_of(h, key->hash);

	if (f)
		h->free_files = f->next;
	else
		f = &h->files[h->used_files++];
	memset(f, 0, sizeof(*f));
	f->key = *key;
	f->next = *bucket;
	*bucket = f;
	return f;
}

static void drop_file(struct ebpfs_holds *h, struct ebpfs_held_file *f)
{
	struct ebpfs_held_file **p = bucket_of(h, f->key.hash);

	while (*p != f)
		p = &(*p)->next;
	*p = f->next;
	f->next = h->free_files;
	h->free_files = f;
}

/* A new hold of nothing yet; NULL over the limit. */
static struct ebpfs_hold *make(struct ebpfs_holds *h, struct ebpfs_held_file *f,
			       const struct ebpfs_hold_key *key, struct ebpfs_holder *holder)
{
	struct ebpfs_hold *hold = h->free_holds;

	if (h->count >= h->max || holder->count >= h->max_one)
		return NULL;
	if (hold)
		h->free_holds = hold->others;
	else
		hold = &h->memory[h->used_holds++];
	memset(hold, 0, sizeof(*hold));
	if (!f)
		f = make_file(h, key);
	hold->holder = holder;
	hold->file = f;
	hold->others = f->holds;
	f->holds = hold;
	hold->next = holder->first;
	if (hold->next)
		hold->next->prev = hold;
	holder->first = hold;
	holder->count++;
	h->count++;
	return hold;
}

/* Queues of recalls. */

static void enqueue(struct ebpfs_holds *h, struct ebpfs_hold *hold)
{
	u8 q = hold->pause;

	hold->later = NULL;
	hold->sooner = h->last[q];
	if (h->last[q])
		h->last[q]->later = hold;
	else
		h->first[q] = hold;
	h->last[q] = hold;
}

static void dequeue(struct ebpfs_holds *h, struct ebpfs_hold *hold)
{
	u8 q = hold->pause;

	if (hold->sooner)
		hold->sooner->later = hold->later;
	else
		h->first[q] = hold->later;
	if (hold->later)
		hold->later->sooner = hold->sooner;
	else
		h->last[q] = hold->sooner;
}

static void recall(struct ebpfs_holds *h, struct ebpfs_hold *hold, u64 now)
{
	if (hold->recall)
		return;
	/* Found again by its place, and the upper half tells it from those before. */
	if (!++h->serial)
		h->serial = 1;
	hold->recall = (u64)h->serial << 32 | (u32)(hold - h->memory);
	hold->asked = now;
	hold->due = now;
	hold->pause = 0;
	enqueue(h, hold);
	h->recalls++;
}

/* Leases of others on @f? */
static bool leased(const struct ebpfs_held_file *f, const struct ebpfs_holder *holder)
{
	const struct ebpfs_hold *own;

	if (!f || !f->leases)
		return false;
	if (f->leases > 1)
		return true;
	own = find(f, holder);
	return !own || !own->lease;
}

/* A lease on @f has ended: which changes need not wait for it any more? */
static void wake(struct ebpfs_holds *h, struct ebpfs_held_file *f)
{
	struct ebpfs_change_part **p = &f->waiters;

	while (*p) {
		struct ebpfs_change_part *part = *p;
		struct ebpfs_change *c = part->change;

		if (leased(f, c->holder)) {
			p = &part->next;
			continue;
		}
		*p = part->next;
		part->file = NULL;
		if (!--c->waiting) {
			c->next = h->ready;
			h->ready = c;
			c->listed = true;
		}
	}
}

static void end_lease(struct ebpfs_holds *h, struct ebpfs_hold *hold)
{
	if (hold->recall) {
		dequeue(h, hold);
		hold->recall = 0;
		h->recalls--;
		hold->holder->late -= hold->late;
		hold->late = false;
	}
	if (!hold->lease)
		return;
	hold->lease = false;
	hold->file->leases--;
	hold->holder->leases--;
	h->leases--;
	wake(h, hold->file);
}

/* True: the file is open no longer. */
static bool end_hold(struct ebpfs_holds *h, struct ebpfs_hold *hold)
{
	struct ebpfs_held_file *f = hold->file;
	struct ebpfs_hold **p = &f->holds;
	bool closed = false;

	end_lease(h, hold);
	if (hold->open) {
		h->opens--;
		closed = !--f->opens;
	}
	while (*p != hold)
		p = &(*p)->others;
	*p = hold->others;
	if (hold->next)
		hold->next->prev = hold->prev;
	if (hold->prev)
		hold->prev->next = hold->next;
	else
		hold->holder->first = hold->next;
	hold->holder->count--;
	h->count--;
	hold->holder = NULL;
	hold->others = h->free_holds;
	h->free_holds = hold;
	if (!f->holds)
		drop_file(h, f);
	return closed;
}

/* Is somebody else changing the file, or has just done so? */
static bool in_change(const struct ebpfs_holds *h, const struct ebpfs_holder *holder, u64 hash,
		      u64 now)
{
	u32 i = hash % EBPFS_HOLD_SLOTS;

	if (!h->slots[i].running && now >= h->slots[i].until)
		return false;
	return h->slots[i].several || h->slots[i].holder != holder;
}

static u32 early_of(const struct ebpfs_holder *holder, u64 hash)
{
	return mix(hash ^ (u64)(uintptr_t)holder) % EBPFS_HOLD_EARLY;
}

static bool may_lease(const struct ebpfs_holds *h, const struct ebpfs_holder *holder,
		      const struct ebpfs_hold *hold, u64 hash, u64 now)
{
	if (hold->recall || in_change(h, holder, hash, now))
		return false;
	return hold->lease || (h->leases < h->max - h->max / 4 &&
			       holder->leases < h->max_one - h->max_one / 4);
}

u32 ebpfs_hold_take(struct ebpfs_holds *h, struct ebpfs_holder *holder,
		    const struct ebpfs_hold_key *key, u64 number, u32 kinds, u64 now, u64 *made)
{
	u64 mine = *made;
	u32 e = early_of(holder, key->hash), got = 0;
	struct ebpfs_held_file *f = find_file(h, key);
	struct ebpfs_hold *hold = find(f, holder);

	*made = 0;
	if (holder->ended || !kinds)
		return 0;
	if (h->early[e].holder == holder && h->early[e].hash == key->hash &&
	    number <= h->early[e].number)
		return 0;
	if (hold && number < hold->number) {
		got = hold->open ? kinds & EBPFS_HOLD_OPEN : 0;
		if (got)
			hold->made = 0;
		return got;
	}
	if (!hold) {
		/* Not to be made for nothing. */
		if (!(kinds & EBPFS_HOLD_OPEN) && in_change(h, holder, key->hash, now))
			return 0;
		hold = make(h, f, key, holder);
		if (!hold)
			return 0;
		hold->made = mine = ++h->made;
	}
	if (kinds & EBPFS_HOLD_OPEN) {
		if (!hold->open) {
			hold->open = true;
			hold->file->opens++;
			h->opens++;
		}
		got |= EBPFS_HOLD_OPEN;
	}
	if (kinds & EBPFS_HOLD_LEASE && may_lease(h, holder, hold, key->hash, now)) {
		if (!hold->lease) {
			hold->lease = true;
			hold->file->leases++;
			holder->leases++;
			h->leases++;
		}
		got |= EBPFS_HOLD_LEASE;
	}
	/* Under a number that was granted nothing nobody knows that he holds it. */
	if (got) {
		hold->number = number;
		if (hold->made != mine)
			hold->made = 0;
		*made = hold->made;
	}
	if (!hold->open && !hold->lease)
		end_hold(h, hold);
	return got;
}

bool ebpfs_hold_give_back(struct ebpfs_holds *h, struct ebpfs_holder *holder,
			  const struct ebpfs_hold_key *key, u64 made)
{
	struct ebpfs_hold *hold = made ? find(find_file(h, key), holder) : NULL;

	return hold && hold->made == made && end_hold(h, hold);
}

bool ebpfs_hold_release(struct ebpfs_holds *h, struct ebpfs_holder *holder,
			const struct ebpfs_hold_key *key, u64 number)
{
	struct ebpfs_hold *hold = find(find_file(h, key), holder);
	u32 e = early_of(holder, key->hash);

	if (!holder->ended && (!hold || number > hold->number)) {
		h->early[e].holder = holder;
		h->early[e].hash = key->hash;
		h->early[e].number = number;
	}
	if (!hold || number < hold->number)
		return false;
	return end_hold(h, hold);
}

bool ebpfs_hold_drop(struct ebpfs_holds *h, struct ebpfs_holder *holder,
		     struct ebpfs_hold_key *key, bool *closed)
{
	struct ebpfs_hold *hold = holder->first;
	u32 i;

	holder->ended = true;
	if (!hold) {
		/* Its address may be another's some day. */
		for (i = 0; i < EBPFS_HOLD_EARLY; i++)
			if (h->early[i].holder == holder)
				h->early[i].holder = NULL;
		return false;
	}
	*key = hold->file->key;
	*closed = end_hold(h, hold);
	return true;
}

u32 ebpfs_hold_opens(const struct ebpfs_holds *h, const struct ebpfs_hold_key *key)
{
	const struct ebpfs_held_file *f = h->opens ? find_file(h, key) : NULL;

	return f ? f->opens : 0;
}

bool ebpfs_hold_in_change(const struct ebpfs_holds *h, const struct ebpfs_hold_key *key)
{
	return h->slots[key->hash % EBPFS_HOLD_SLOTS].running && ebpfs_hold_opens(h, key);
}

static void slot_enter(struct ebpfs_holds *h, const struct ebpfs_holder *holder, u64 hash, u64 now)
{
	u32 i = hash % EBPFS_HOLD_SLOTS;

	if (!h->slots[i].running && now >= h->slots[i].until)
		h->slots[i].several = false;
	else if (!holder || h->slots[i].holder != holder)
		h->slots[i].several = true;
	if (!holder)
		h->slots[i].several = true;
	h->slots[i].holder = holder;
	h->slots[i].running++;
}

bool ebpfs_change_begin(struct ebpfs_holds *h, struct ebpfs_change *c,
			const struct ebpfs_holder *holder, const struct ebpfs_hold_key *keys,
			unsigned int count, bool wait, u64 now)
{
	struct ebpfs_hold *hold;
	unsigned int i;

	memset(c, 0, sizeof(*c));
	for (i = 0; !wait && h->leases && i < count; i++)
		if (leased(find_file(h, &keys[i]), holder))
			return false;
	c->holder = holder;
	c->count = (u8)count;
	for (i = 0; i < count; i++) {
		struct ebpfs_change_part *part = &c->parts[i];
		struct ebpfs_held_file *f;

		part->change = c;
		part->hash = keys[i].hash;
		slot_enter(h, holder, part->hash, now);
		f = h->leases ? find_file(h, &keys[i]) : NULL;
		if (!leased(f, holder))
			continue;
		part->file = f;
		part->next = f->waiters;
		f->waiters = part;
		c->waiting++;
		for (hold = f->holds; hold; hold = hold->others)
			if (hold->lease && hold->holder != holder)
				recall(h, hold, now);
	}
	return !c->waiting;
}

bool ebpfs_change_covers(const struct ebpfs_change *c, const struct ebpfs_hold_key *keys,
			 unsigned int count)
{
	unsigned int i, j;

	for (i = 0; i < count; i++) {
		for (j = 0; j < c->count && c->parts[j].hash != keys[i].hash; j++)
			;
		if (j == c->count)
			return false;
	}
	return true;
}

void ebpfs_change_end(struct ebpfs_holds *h, struct ebpfs_change *c, u64 now)
{
	struct ebpfs_change **r = &h->ready;
	unsigned int i;

	for (i = 0; i < c->count; i++) {
		struct ebpfs_change_part *part = &c->parts[i], **p;
		u32 slot = part->hash % EBPFS_HOLD_SLOTS;

		h->slots[slot].running--;
		h->slots[slot].until = now + EBPFS_HOLD_REST;
		if (!part->file)
			continue;
		for (p = &part->file->waiters; *p != part; )
			p = &(*p)->next;
		*p = part->next;
		part->file = NULL;
	}
	while (c->listed && *r != c)
		r = &(*r)->next;
	if (c->listed)
		*r = c->next;
	c->listed = false;
	c->waiting = 0;
	c->count = 0;
}

struct ebpfs_change *ebpfs_change_ready(struct ebpfs_holds *h)
{
	struct ebpfs_change *c = h->ready;

	if (c) {
		h->ready = c->next;
		c->listed = false;
	}
	return c;
}

u32 ebpfs_holds_changed(struct ebpfs_holds *h, const struct ebpfs_hold_key *key, u64 now)
{
	const struct ebpfs_held_file *f = h->leases ? find_file(h, key) : NULL;
	struct ebpfs_hold *hold = f && f->leases ? f->holds : NULL;
	u32 before = h->recalls;

	for (; hold; hold = hold->others)
		if (hold->lease)
			recall(h, hold, now);
	return h->recalls - before;
}

bool ebpfs_holds_changed_some(struct ebpfs_holds *h, const void *bytes, u16 len, u32 *at,
			      u32 *recalled, u64 now)
{
	u32 end = h->used_holds - *at > EBPFS_HOLD_WALK ? *at + EBPFS_HOLD_WALK : h->used_holds;
	u32 before = h->recalls;

	for (; *at < end; ++*at) {
		struct ebpfs_hold *hold = &h->memory[*at];

		if (hold->holder && hold->lease && hold->file->key.len >= len &&
		    !memcmp(hold->file->key.bytes, bytes, len))
			recall(h, hold, now);
	}
	*recalled += h->recalls - before;
	return *at < h->used_holds;
}

bool ebpfs_hold_recalled(struct ebpfs_holds *h, struct ebpfs_holder *holder, u64 id)
{
	u32 i = (u32)id;
	struct ebpfs_hold *hold = i < h->used_holds ? &h->memory[i] : NULL;

	if (!id || !hold || hold->holder != holder || hold->recall != id)
		return false;
	end_lease(h, hold);
	if (!hold->open)
		end_hold(h, hold);
	return true;
}

enum ebpfs_hold_due ebpfs_hold_due(struct ebpfs_holds *h, u64 now,
				   struct ebpfs_hold_recall *out, u64 *next)
{
	struct ebpfs_hold *hold = NULL;
	unsigned int q;

	*next = EBPFS_NEVER;
	for (q = 0; q < EBPFS_HOLD_PAUSES; q++) {
		hold = h->first[q];
		if (hold && hold->due <= now)
			break;
		if (hold && hold->due < *next)
			*next = hold->due;
	}
	if (q == EBPFS_HOLD_PAUSES)
		return EBPFS_HOLD_WAIT;
	dequeue(h, hold);
	out->holder = hold->holder;
	out->id = hold->recall;
	out->number = hold->number;
	out->again = hold->pause;
	out->key = hold->file->key;
	if (hold->pause < EBPFS_HOLD_PAUSES - 1)
		hold->pause++;
	hold->due = now + pauses[hold->pause] * EBPFS_NSEC_PER_MSEC;
	enqueue(h, hold);
	if (!hold->late && hold->due - hold->asked > h->fence / 4) {
		hold->late = true;
		hold->holder->late++;
	}
	return now - hold->asked >= h->fence ? EBPFS_HOLD_FENCE : EBPFS_HOLD_SEND;
}
