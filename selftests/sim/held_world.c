// SPDX-License-Identifier: GPL-2.0
/*
 * Makes a world about what is held from its seed, gives it trouble, and judges.
 *
 * A client that is silent is one that the network cuts off, for up to twice the lease
 * time, in one direction or both. At a certain time everything is healed; then every
 * call has to end, and when all have let go the table has to be empty.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "held.h"

#define OWNERS_AT	((void *)0x200000000000)	/* the same in every run */
#define HEALED_SLACK	(30 * SEC)

#define PICK(w, ...)								\
	({									\
		const u64 choice_[] = { __VA_ARGS__ };			\
		choice_[rnd(w, ARRAY_SIZE(choice_))];				\
	})

void held_receive(struct world *w, const struct dgram *d)
{
	const struct held_msg *m = (const struct held_msg *)d->data;

	if (d->dst.host < w->held->nclients)
		held_client_receive(w, &w->held->clients[d->dst.host], m);
	else
		held_server_receive(w, m, d->src.host);
}

/* The newest version of a file that others than @client made. */
static u32 foreign(const struct held_inode *ino, u32 client)
{
	u32 newest = 0, i;

	for (i = 0; i <= HELD_CLIENTS; i++)
		if (i != client && ino->by[i] > newest)
			newest = ino->by[i];
	return newest;
}

void held_check_lease(struct world *w, const struct held_client *c, u32 file)
{
	u32 newest = foreign(&w->held->inodes[file], c->index);

	if (!held_leased(w, c, file))
		return;
	/* What a former life of the server promised the next knows nothing of. */
	if (c->files[file].life != w->held->server.epoch) {
		if (newest > c->files[file].known)
			COUNT(w, held_outlived);
		return;
	}
	COUNT(w, held_used);
	CHECK(w, newest <= c->files[file].known,
	      "under a lease nobody uses what others have changed",
	      "client %u file %u: version %u is known, others made %u", c->index, file,
	      c->files[file].known, newest);
}

/* A change has been executed; does anybody believe that it has not? */
void held_changed(struct world *w, u32 file, u32 client)
{
	struct held_world *h = w->held;
	struct held_inode *ino = &h->inodes[file];
	u32 i;

	ino->by[client] = ++ino->version;
	for (i = 0; i < h->nclients; i++)
		held_check_lease(w, &h->clients[i], file);
}

/* A file is no more. */
void held_gone(struct world *w, u32 file)
{
	struct held_world *h = w->held;
	u32 i, j;

	TRACE(w, "hold  file %lu is gone", file);
	h->inodes[file].gone = true;
	for (i = 0; i < HELD_OWNERS; i++) {
		const struct held_owner *o = &h->owners[i];
		const struct held_client *c = &h->clients[o->client];

		if (!o->used || o->ended || c->instance != o->instance)
			continue;
		CHECK(w, !(c->files[file].held & EBPFS_HOLD_OPEN && c->files[file].opens),
		      "a file that is held open stays", "file %u, client %u", file, c->index);
	}
	for (i = 0; i < HELD_DIRS; i++)
		for (j = 0; j < HELD_NAMES; j++)
			CHECK(w, h->names[i][j] != file + 1, "a file with a name stays", "%u",
			      file);
}

/* Trouble. */

static void cut_end(struct world *w, void *obj, u64 arg)
{
	struct link *l = obj;

	(void)w;
	(void)arg;
	l->cut = false;
}

static void restart(struct world *w, void *obj, u64 epoch)
{
	(void)obj;
	if (!w->held->server.up && w->held->server.epoch == epoch)
		held_start(w);
}

static void trouble(struct world *w, void *obj, u64 arg)
{
	struct held_world *h = w->held;
	struct held_client *c = &h->clients[rnd(w, h->nclients)];
	struct link *there = net_link(w, c->addr, h->server.addr);
	struct link *back = net_link(w, h->server.addr, c->addr);
	u32 ways = 1 + rnd(w, 3);
	u64 time;

	(void)obj;
	(void)arg;
	if (w->healed)
		return;
	if (h->crash && h->server.up && chance(w, 2000)) {
		held_crash(w);
		time = rnd_time(w, chance(w, 7000) ? 2 * SEC : 2 * h->lease);
		schedule(w, time, restart, NULL, h->server.epoch);
	} else if (h->cut) {
		time = rnd_time(w, chance(w, 5000) ? 3 * SEC : 2 * h->lease);
		if (time > h->lease)
			COUNT(w, held_silent);
		TRACE(w, "chaos client %lu is cut off, ways %lu, for %lu ms", c->index, ways,
		      time / MSEC);
		there->cut |= ways & 1;
		back->cut |= ways >> 1;
		schedule(w, time, cut_end, there, 0);
		schedule(w, time, cut_end, back, 0);
	}
	schedule(w, rnd_time(w, h->lease), trouble, NULL, 0);
}

static void heal(struct world *w)
{
	struct held_world *h = w->held;
	u32 i, j;

	TRACE(w, "chaos ends");
	w->healed = true;
	w->heal_at = w->now;
	w->cfg.loss = 0;
	w->cfg.dup = 0;
	w->cfg.reorder = 0;
	w->cfg.queue = 0;
	for (i = 0; i < SIM_HOSTS_MAX; i++)
		for (j = 0; j < SIM_HOSTS_MAX; j++)
			w->links[i][j].cut = false;
	if (!h->server.up)
		held_start(w);
	for (i = 0; i < h->nclients; i++)
		held_client_leave(w, &h->clients[i]);
}

static void make(struct world *w)
{
	struct held_world *h = w->held;
	struct config *cfg = &w->cfg;
	u32 i, j;

	cfg->delay = PICK(w, 20 * USEC, 200 * USEC, 2 * MSEC, 30 * MSEC);
	cfg->jitter = cfg->delay * PICK(w, 0, 1, 4);
	cfg->loss = PICK(w, 0, 0, 100, 500, 2000, 4000);
	cfg->dup = PICK(w, 0, 0, 500, 3000);
	cfg->reorder = PICK(w, 0, 500, 3000);
	cfg->reorder_delay = PICK(w, 5 * MSEC, 300 * MSEC, 2 * SEC);
	h->lease = PICK(w, 1, 4, 10, 30) * SEC;
	h->idle = PICK(w, h->lease / 8, h->lease / 2, 20 * SEC);
	h->exec = PICK(w, 0, 100 * USEC, 20 * MSEC, 400 * MSEC);
	h->gap = PICK(w, 20 * MSEC, 300 * MSEC, 2 * SEC);
	h->lost_after = PICK(w, 500 * MSEC, 2 * SEC, 5 * SEC);
	h->kill = PICK(w, 0, 0, 0, 500, 3000);
	h->crowded = chance(w, 2000);
	h->crash = chance(w, 3000);
	h->cut = chance(w, 6000);
	h->table = PICK(w, 16, HELD_TABLE, HELD_TABLE);
	h->steps = 4 + rnd(w, PICK(w, 8, 25));
	h->nclients = 2 + rnd(w, HELD_CLIENTS - 1);
	h->ninodes = HELD_DIRS + 2 + rnd(w, 3);
	for (i = 0; i < h->ninodes; i++)
		h->inodes[i] = (struct held_inode){ .used = true, .links = 1, .version = 1 };
	for (i = HELD_DIRS; i < h->ninodes; i++)
		h->names[i % HELD_DIRS][i / HELD_DIRS] = (u8)(i + 1);
	for (i = 0; i < SIM_HOSTS_MAX; i++)
		for (j = 0; j < SIM_HOSTS_MAX; j++)
			w->links[i][j].mtu = EBPFS_UDP_PAYLOAD_MAX;
	h->server.addr = (struct addr){ h->nclients, EBPFS_PORT };
	w->nclients = h->nclients;
	w->nservers = 1;
	held_start(w);
	for (i = 0; i < h->nclients; i++) {
		h->clients[i].index = i;
		h->clients[i].addr = (struct addr){ i, 30000 + i };
		held_client_start(w, &h->clients[i]);
	}
	schedule(w, rnd_time(w, h->lease), trouble, NULL, 0);
}

static bool all_idle(const struct world *w)
{
	u32 i;

	for (i = 0; i < w->held->nclients; i++)
		if (!held_client_idle(&w->held->clients[i]))
			return false;
	return true;
}

static bool programs_over(const struct world *w)
{
	const struct held_world *h = w->held;
	u32 i;

	for (i = 0; i < h->nclients; i++)
		if (h->clients[i].left)
			return false;
	return true;
}

/* All have said that they let go of everything. */
static void check_released(struct world *w)
{
	struct held_world *h = w->held;
	u32 i;

	for (i = 0; i < HELD_OWNERS; i++) {
		const struct held_owner *o = &h->owners[i];
		const struct held_client *c = &h->clients[o->client];

		if (!o->used || o->ended || c->files[0].ignored)
			continue;
		COUNT(w, held_strict);
		CHECK(w, !o->core.count, "what was let go of is not held",
		      "client %u: %u", c->index, o->core.count);
	}
}

static void check_empty(struct world *w)
{
	struct held_world *h = w->held;
	const struct ebpfs_holds *t = &h->server.table;
	const struct ebpfs_held_file *f;
	const struct ebpfs_hold *hold;
	u32 holds = 0, files = 0, i;

	CHECK(w, !t->count && !t->opens && !t->leases && !t->recalls && !h->server.parked,
	      "nothing is held at the end", "%u holds, %u open, %u leases, %u recalls, %u wait",
	      t->count, t->opens, t->leases, t->recalls, h->server.parked);
	for (hold = t->free_holds; hold; hold = hold->others)
		holds++;
	for (f = t->free_files; f; f = f->next)
		files++;
	INNER(w, holds == t->used_holds && files == t->used_files, "no record is lost",
	      "%u of %u, %u of %u", holds, t->used_holds, files, t->used_files);
	for (i = 0; i < EBPFS_HOLD_SLOTS; i++)
		INNER(w, !t->slots[i].running, "every change has ended", "slot %u", i);
	for (i = HELD_DIRS; i < h->ninodes; i++)
		CHECK(w, h->inodes[i].links || h->inodes[i].gone,
		      "a file without a name goes when nobody has it open", "file %u", i);
}

void held_run(struct world *w)
{
	static struct held_world the_held;
	struct held_world *h = &the_held;
	struct held_owner *owners = h->owners;
	u64 bound;
	u32 i;

	if (!owners) {
		owners = mmap(OWNERS_AT, sizeof(*owners) * HELD_OWNERS, PROT_READ | PROT_WRITE,
			      MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
		if (owners != OWNERS_AT) {
			fprintf(stderr, "sim: there is no memory at %p: %s\n", OWNERS_AT,
				strerror(errno));
			exit(2);
		}
	}
	memset(h, 0, sizeof(*h));
	h->owners = owners;
	w->held = h;
	make(w);
	run_until(w, 4 * h->lease + 20 * SEC, programs_over);
	/* Some are healed with all calls under way. */
	run_until(w, w->now + (chance(w, 5000) ? 0 : rnd_time(w, 2 * h->lease)), NULL);
	heal(w);
	bound = w->now + 3 * h->lease + HEALED_SLACK;
	run_until(w, bound, all_idle);
	for (i = 0; i < h->nclients; i++)
		CHECK(w, held_client_idle(&h->clients[i]),
		      "every call ends once the network is healed", "client %u", i);
	run_until(w, w->now + 3 * SEC, NULL);
	check_released(w);
	for (i = 0; i < h->nclients; i++) {
		struct held_client *c = &h->clients[i];
		struct held_msg m = { .type = HELD_BYE, .session = c->session };

		if (c->session)
			net_send(w, c->addr, h->server.addr, &m, sizeof(m));
	}
	/* Until a grace period has ended, too. */
	run_until(w, w->now + h->lease + 5 * SEC, NULL);
	check_empty(w);
}
