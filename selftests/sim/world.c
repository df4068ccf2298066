// SPDX-License-Identifier: GPL-2.0
/*
 * A world from its seed: how large, how bad, how long; and running it.
 *
 * Each seed switches every kind of trouble on or off and draws its strength,
 * rather than having a little of everything: rare combinations are met more
 * often that way, and so is each kind of trouble alone.
 */
#include <stdlib.h>

#include "sim.h"

#define FAR		(600 * MSEC)	/* on the way to a satellite and back */
#define HEALED_BOUND	(30 * SEC)	/* from healing to the last answer, without the load */
#define STEPS_MAX	3000000

/* One of the values that follow. */
#define PICK(w, ...)								\
	({									\
		const u64 choice_[] = { __VA_ARGS__ };			\
		choice_[rnd(w, ARRAY_SIZE(choice_))];				\
	})

static void make_network(struct world *w, struct config *cfg)
{
	cfg->delay = PICK(w, 20 * USEC, 200 * USEC, 2 * MSEC, 30 * MSEC);
	cfg->jitter = cfg->delay * PICK(w, 0, 1, 4);
	/* By way of a satellite. */
	if (chance(w, 200)) {
		cfg->delay = FAR;
		cfg->jitter = 20 * MSEC;
	}
	cfg->loss = PICK(w, 0, 0, 10, 100, 500, 2000, 4000);
	cfg->dup = PICK(w, 0, 0, 50, 500, 3000);
	cfg->corrupt = PICK(w, 0, 0, 50, 500, 2000);
	cfg->reorder = PICK(w, 0, 500, 3000);
	cfg->reorder_delay = PICK(w, cfg->delay * 10, 5 * MSEC, 300 * MSEC);
	cfg->ce = PICK(w, 0, 0, 300);
	cfg->queue = PICK(w, 0, 0, 0, 4, 32);
	cfg->partition = chance(w, 4000);
	cfg->mtu = chance(w, 4000);
	cfg->spikes = chance(w, 3000);
}

static void make_ends(struct world *w, struct config *cfg)
{
	cfg->fill_time = PICK(w, 0, 20 * USEC, MSEC);
	cfg->slow_fill = PICK(w, 0, 100, 1000);
	cfg->slow_fill_time = PICK(w, 5 * MSEC, 60 * MSEC, 700 * MSEC);
	cfg->join = PICK(w, 0, 3000, 10000);
	cfg->join_time = PICK(w, 0, 20 * USEC, 200 * USEC);
	cfg->exec_time = PICK(w, 50 * USEC, MSEC, 20 * MSEC);
	cfg->slow_exec = PICK(w, 0, 300);
	cfg->slow_exec_time = PICK(w, 50 * MSEC, 800 * MSEC);
	cfg->slow_disk = chance(w, 1000) ? PICK(w, 500 * MSEC, 3 * SEC) : 0;
	cfg->lost_after = cfg->delay >= FAR ? 2 * SEC : PICK(w, 300 * MSEC, SEC, 2 * SEC);
	cfg->slots_wanted = PICK(w, 1, 2, 4, 16, 64, 100);
	cfg->slots_given = PICK(w, 1, 3, 8, 64, 100);
	cfg->sessions_max = w->nclients + rnd(w, 4);
	cfg->evict_busy = chance(w, 3000);
	cfg->instance_wrap = chance(w, 3000);
	cfg->hs_repeat = chance(w, 5000);
	cfg->unit = PICK(w, 4096, 16384, 65536);
	cfg->cell_max = PICK(w, EBPFS_CELL_MAX, 8192, EBPFS_CELL_MIN);
	cfg->ceiling = PICK(w, EBPFS_UDP_PAYLOAD_BASE, 1472, 8972, EBPFS_UDP_PAYLOAD_MAX);
	cfg->crash = chance(w, 4000);
	cfg->drop_session = chance(w, 3000);
	cfg->evict = chance(w, 4000);
	cfg->evict_soon = cfg->evict ? PICK(w, 300, 4000) : 0;
	cfg->nodes = chance(w, 3000);
	cfg->abort = chance(w, 1000);
}

static void make_load(struct world *w, struct config *cfg)
{
	cfg->requests = 4 + rnd(w, PICK(w, 12, 60, 120));
	cfg->writes = PICK(w, 0, 2000, 5000, 9000);
	cfg->once = PICK(w, 4000, 4000, 9000);
	cfg->once_kill = PICK(w, 0, 0, 100, 1000, 2500);
	cfg->kill = PICK(w, 0, 500, 3000);
	cfg->soft = PICK(w, 0, 0, 2000, 10000);
	cfg->soft_time = PICK(w, 100 * MSEC, SEC, 4 * SEC);
	cfg->kill_filled = cfg->kill ? PICK(w, 0, 500) : 0;
	cfg->chaos_time = PICK(w, 200 * MSEC, SEC, 4 * SEC);
	cfg->outage = chance(w, 100);
	if (cfg->outage)
		cfg->chaos_time = 700 * SEC;
	cfg->background_gap = PICK(w, 0, 30 * MSEC) * (cfg->outage ? 1000 : 1);
	cfg->submit_gap = PICK(w, 100 * USEC, cfg->chaos_time / cfg->requests / 2);
	cfg->chaos_gap = cfg->chaos_time / PICK(w, 2, 10, 40);
	cfg->attack_gap = cfg->chaos_time / PICK(w, 10, 100, 400);
	cfg->version_gap = cfg->chaos_time / PICK(w, 20, 200, 1000);
	cfg->forge = chance(w, 3000);
	guard_configure(w);
	cfg->replay = chance(w, 3000);
	cfg->impostor = chance(w, 1500);
	cfg->stranger = w->nclients > 1 && chance(w, 1500);
	cfg->long_run = cfg->replay && chance(w, 2000);
	cfg->search = chance(w, 1000);
	cfg->dead_node = w->nservers > 1 && chance(w, 3000);
}

/*
 * One kind of trouble alone, which is otherwise hidden by what others set off:
 * where sessions come and go, a call that would hang in one gets another.
 */
static void make_calm(struct world *w, struct config *cfg)
{
	cfg->loss = PICK(w, 0, 0, 100);
	cfg->dup = 0;
	cfg->corrupt = 0;
	cfg->queue = 0;
	cfg->partition = false;
	cfg->spikes = false;
	cfg->crash = false;
	cfg->once_kill = 0;
	cfg->drop_session = false;
	cfg->nodes = false;
	cfg->abort = false;
	cfg->impostor = false;
	cfg->forge = false;
	cfg->replay = false;
	cfg->long_run = false;
	cfg->soft = 0;
	cfg->sessions_max = SIM_CLIENTS_MAX * 2;
	cfg->background_gap = PICK(w, 0, 5 * MSEC, 30 * MSEC);
	cfg->background_read = PICK(w, 0, 1180, 1400);
	if (chance(w, 5000)) {
		cfg->mtu = true;
		cfg->edge = chance(w, 3000);
		if (cfg->edge) {
			cfg->background_gap = 5 * MSEC;
			cfg->background_read = 0;
		}
	} else {
		cfg->evict = true;
	}
}

/* The secret that the servers' table has for client @i: see server_secret(). */
static void make_client(struct world *w, u32 i)
{
	struct client *c = &w->clients[i];
	u32 j;

	c->index = i;
	c->addr = (struct addr){ i, 30000 + i };
	memcpy(c->name, "client", 6);
	c->name[6] = '0' + i;
	server_secret(w, c, c->secret);
	c->member = true;
	if (w->cfg.stranger && i == w->nclients - 1) {
		c->member = false;
		j = rnd(w, EBPFS_SECRET_LEN);
		c->secret[j] ^= 1 << rnd(w, 8);
	}
	for (j = 0; j < w->nservers; j++)
		node_init(w, c, &w->servers[j]);
	for (j = 0; j < w->nservers; j++) {
		if (!j || chance(w, 7000))
			node_add(w, &c->nodes[j]);
	}
	client_start(w, c);
}

static void world_make(struct world *w)
{
	u32 i;

	w->nclients = 1 + rnd(w, 3);
	w->nservers = 1 + rnd(w, 3);
	make_network(w, &w->cfg);
	make_ends(w, &w->cfg);
	make_load(w, &w->cfg);
	if (!w->cfg.outage && chance(w, 2000))
		make_calm(w, &w->cfg);
	files_init(w);
	for (i = 0; i < w->nservers; i++) {
		w->servers[i].index = i;
		w->servers[i].addr = (struct addr){ w->nclients + i, EBPFS_PORT };
		server_start(w, &w->servers[i]);
	}
	for (i = 0; i < w->nclients; i++)
		make_client(w, i);
	chaos_start(w);
	attack_start(w);
}

static bool world_done(const struct world *w)
{
	u32 i;

	if (w->open)
		return false;
	for (i = 0; i < w->nclients; i++) {
		if (w->clients[i].left)
			return false;
	}
	return true;
}

/* Everything is over: what is left of the sessions? */
static void world_unmount(struct world *w)
{
	u32 i, j;

	for (i = 0; i < w->nclients; i++) {
		struct client *c = &w->clients[i];

		for (j = 0; j < w->nservers; j++) {
			struct cnode *n = &c->nodes[j];
			struct csession *cs = n->cs;

			CHECK(w, !n->queue.first, "nothing is queued at the end", "node %u", j);
			n->present = false;
			n->timer_gen++;
			n->cs = NULL;
			if (!cs)
				continue;
			CHECK(w, !cs->used, "no call is outstanding at the end",
			      "session %u: %u slots", cs->serial, cs->used);
			cs->dying = true;
			session_retire(w, cs);
		}
		CHECK(w, !c->sessions, "no session outlives its mount",
		      "client %u still has session %u", i, c->sessions->serial);
	}
}

void run_until(struct world *w, u64 end, bool (*done)(const struct world *w))
{
	struct event ev;

	while (w->heap.n && w->heap.ev[0].at <= end && !(done && done(w))) {
		next_event(w, &ev);
		w->now = ev.at;
		w->step++;
		ev.fn(w, ev.obj, ev.arg);
		check_touched(w);
		CHECK(w, w->step < STEPS_MAX, "time goes on", "%lu steps", w->step);
	}
}

/* Everything is healed: is the size of every path found? */
static void search_paths(struct world *w)
{
	run_until(w, w->now + 70 * SEC, NULL);
	check_paths(w, false);
	run_until(w, w->now + 670 * SEC, NULL);
	check_paths(w, true);
}

void world_run(struct world *w)
{
	u64 rest, load;

	world_make(w);
	/* A session may have one slot, and all requests queue for it, others among them. */
	load = w->cfg.requests * (2 * (w->cfg.delay + w->cfg.jitter) + w->cfg.exec_time +
				  w->cfg.slow_disk + MSEC);
	if (w->cfg.background_gap)
		load *= 2;
	run_until(w, w->cfg.chaos_time + HEALED_BOUND + load, world_done);
	chaos_heal(w, NULL, 0);		/* if all was over before */
	check_open(w);
	if (w->cfg.search)
		search_paths(w);
	CHECK(w, world_done(w), "a world comes to its end", "requests are left to submit");
	/* Late fragments and fillers find nothing to write to. */
	rest = 1 + w->cfg.slow_fill_time + (chance(w, 1000) ? 3 * SEC : 20 * MSEC);
	run_until(w, w->now + (w->cfg.long_run ? 2 * EBPFS_COOKIE_LIFE : rest), NULL);
	world_unmount(w);
	run_until(w, w->now + 300 * MSEC, NULL);
}
