// SPDX-License-Identifier: GPL-2.0
/*
 * What goes wrong by itself: partitions, crashes, paths that change, delays,
 * sessions and kept replies that a server drops, nodes that an administrator
 * adds and removes, files that change. Until a certain time; then everything
 * is healed, and all requests have to end.
 */
#include "sim.h"

/* UDP payload. The first two: smaller than what worlds with cfg.edge ask for. */
static const u32 path_sizes[] = {
	EBPFS_UDP_PAYLOAD_BASE, EBPFS_UDP_PAYLOAD_BASE, 1240, 1472, 4000, 8972,
	EBPFS_UDP_PAYLOAD_MAX
};

/* No path carries more than the least, or little more. */
static void shrink(struct world *w)
{
	u32 size = path_sizes[rnd(w, w->cfg.edge ? 2 : 5)], i, j;

	for (i = 0; i < SIM_HOSTS_MAX; i++) {
		for (j = 0; j < SIM_HOSTS_MAX; j++) {
			if (w->links[i][j].mtu > size)
				w->links[i][j].mtu = size;
		}
	}
}

static void cut_end(struct world *w, void *obj, u64 arg)
{
	struct link *l = obj;

	if (w->healed && arg)
		return;		/* was healed with everything else, or is to stay */
	l->cut = false;
	l->impostor = false;
	l->extra = 0;
}

/* @what: 0 cut, 1 impostor, 2 delay. For a while, between @a and @b. */
static void link_trouble(struct world *w, struct addr a, struct addr b, u32 what, u64 time)
{
	struct link *there = net_link(w, a, b), *back = net_link(w, b, a);
	u32 ways = 1 + rnd(w, 3);

	TRACE(w, "chaos %lu <-> %lu: trouble %lu, ways %lu, for %lu us", a.host, b.host, what, ways,
	      time / USEC);
	switch (what) {
	case 0:
		there->cut |= ways & 1;
		back->cut |= ways >> 1;
		break;
	case 1:
		there->impostor = true;
		break;
	default:
		there->extra = ways & 1 ? rnd_time(w, 600 * MSEC) : 0;
		back->extra = ways & 2 ? rnd_time(w, 600 * MSEC) : 0;
	}
	schedule(w, time, cut_end, there, 1);
	schedule(w, time, cut_end, back, 1);
}

static void restart(struct world *w, void *obj, u64 epoch)
{
	struct server *s = obj;

	if (!s->up && s->epoch == epoch && !w->healed)
		server_start(w, s);
}

void chaos_crash(struct world *w, struct server *s, u64 most)
{
	if (!s->up)
		return;
	server_crash(w, s);
	schedule(w, chance(w, 3000) ? 0 : rnd_time(w, most), restart, s, s->epoch);
}

static void change_nodes(struct world *w, struct client *c, struct cnode *n)
{
	u64 present;

	if (c->aborted)
		return;
	client_usable(c, &present);
	if (!n->present) {
		COUNT(w, node_changes);
		node_add(w, n);
	} else if (hweight64(present) > 1) {
		COUNT(w, node_changes);
		node_remove(w, n);
	}
}

/* Kinds of trouble; the world's configuration says which there are. */
enum trouble {
	T_LINK,
	T_SERVER,
	T_CRASH,
	T_PATH,
	T_DELAY,
	T_SESSION,
	T_EVICT,
	T_NODES,
	T_ABORT,
	T_IMPOSTOR,
	T_MAX
};

static bool in_force(const struct config *cfg, enum trouble t)
{
	switch (t) {
	case T_LINK: case T_SERVER:
		return cfg->partition;
	case T_CRASH:
		return cfg->crash;
	case T_PATH:
		return cfg->mtu;
	case T_DELAY:
		return cfg->spikes;
	case T_SESSION:
		return cfg->drop_session;
	case T_EVICT:
		return cfg->evict;
	case T_NODES:
		return cfg->nodes;
	case T_ABORT:
		return cfg->abort;
	case T_IMPOSTOR:
		return cfg->impostor;
	default:
		return false;
	}
}

static void change_path(struct world *w, struct client *c, struct server *s)
{
	u32 size = path_sizes[rnd(w, w->cfg.edge ? 2 : ARRAY_SIZE(path_sizes))];

	TRACE(w, "chaos %lu <-> %lu: path carries %lu bytes", c->addr.host, s->addr.host, size);
	net_link(w, c->addr, s->addr)->mtu = size;
	if (chance(w, 8000))
		net_link(w, s->addr, c->addr)->mtu = size;
}

/* A path changes while a client's calls are under way. */
void chaos_path(struct world *w, void *obj, u64 server)
{
	if (!w->healed)
		change_path(w, obj, &w->servers[server]);
}

static void chaos(struct world *w, void *obj, u64 arg)
{
	struct client *c = &w->clients[rnd(w, w->nclients)];
	struct server *s = &w->servers[rnd(w, w->nservers)];
	u64 time = rnd_time(w, chance(w, 5000) ? 100 * MSEC : 3 * SEC);
	enum trouble t = rnd(w, T_MAX);
	u32 i;

	if (w->healed)
		return;
	for (i = 0; i < 4 && !in_force(&w->cfg, t); i++)
		t = rnd(w, T_MAX);
	switch (in_force(&w->cfg, t) ? t : T_MAX) {
	case T_LINK:
		COUNT(w, partitions);
		link_trouble(w, c->addr, s->addr, 0, time);
		break;
	case T_SERVER:		/* nobody reaches it */
		COUNT(w, partitions);
		for (i = 0; i < w->nclients; i++)
			link_trouble(w, w->clients[i].addr, s->addr, 0, time);
		break;
	case T_CRASH:
		chaos_crash(w, s, 2 * SEC);
		break;
	case T_PATH:
		change_path(w, c, s);
		break;
	case T_DELAY:
		link_trouble(w, c->addr, s->addr, 2, time / 2);
		break;
	case T_SESSION:
		server_drop_session(w, s);
		break;
	case T_EVICT:
		serve_evict(w, s);
		break;
	case T_NODES:
		change_nodes(w, c, &c->nodes[s->index]);
		break;
	case T_ABORT:
		if (chance(w, 1000))
			client_abort(w, c);
		break;
	case T_IMPOSTOR:
		link_trouble(w, c->addr, s->addr, 1, time);
		break;
	case T_MAX:
		break;
	}
	schedule(w, rnd_time(w, 2 * w->cfg.chaos_gap), chaos, obj, arg);
}

static void version(struct world *w, void *obj, u64 arg)
{
	struct file *f = &w->files[rnd(w, w->nfiles)];

	f->version++;
	if (w->open)
		schedule(w, rnd_time(w, 2 * w->cfg.version_gap), version, obj, arg);
	else if (!w->healed)
		schedule(w, 50 * MSEC, version, obj, arg);
}

/* Minutes without any server: attempts and backoffs reach their ends. */
static void outage(struct world *w, void *obj, u64 arg)
{
	u32 i, j;

	(void)obj;
	(void)arg;
	if (w->healed)
		return;
	for (i = 0; i < w->nclients; i++) {
		for (j = 0; j < w->nservers; j++) {
			net_link(w, w->clients[i].addr, w->servers[j].addr)->cut = true;
			net_link(w, w->servers[j].addr, w->clients[i].addr)->cut = true;
		}
	}
}

/*
 * The last server is gone for good; the others must do. Whoever has no other
 * node gets one.
 */
static void bury(struct world *w)
{
	struct server *s = &w->servers[w->nservers - 1];
	bool crashed = chance(w, 5000);
	u64 present;
	u32 i;

	COUNT(w, dead_nodes);
	TRACE(w, "chaos server %lu is gone for good, crashed %lu", s->index, crashed);
	if (crashed && s->up)
		server_crash(w, s);
	for (i = 0; i < w->nclients; i++) {
		struct client *c = &w->clients[i];

		if (!crashed) {
			net_link(w, c->addr, s->addr)->cut = true;
			net_link(w, s->addr, c->addr)->cut = true;
		}
		client_usable(c, &present);
		if (!(present & ~(1ull << s->index)) && !c->aborted)
			node_add(w, &c->nodes[0]);
	}
}

void chaos_heal(struct world *w, void *unused, u64 arg)
{
	struct config *cfg = &w->cfg;
	u32 i, j;

	(void)unused;
	(void)arg;
	if (w->healed)
		return;
	TRACE(w, "chaos ends with %lu requests open", w->open);
	w->healed = true;
	w->heal_at = w->now;
	cfg->loss = 0;
	cfg->dup = 0;
	cfg->corrupt = 0;
	cfg->reorder = 0;
	cfg->ce = 0;
	cfg->queue = 0;
	cfg->slow_exec = 0;
	cfg->kill = 0;
	if (cfg->mtu && chance(w, 6000))
		shrink(w);
	for (i = 0; i < SIM_HOSTS_MAX; i++) {
		for (j = 0; j < SIM_HOSTS_MAX; j++)
			cut_end(w, &w->links[i][j], 0);
	}
	for (i = 0; i < w->nservers; i++) {
		if (!w->servers[i].up)
			server_start(w, &w->servers[i]);
	}
	if (cfg->dead_node)
		bury(w);
	for (i = 0; i < w->nclients; i++) {
		if (!w->clients[i].member)
			client_abort(w, &w->clients[i]);
	}
}

void chaos_start(struct world *w)
{
	u32 i, j, size;

	for (i = 0; i < SIM_HOSTS_MAX; i++) {
		for (j = 0; j < SIM_HOSTS_MAX; j++)
			w->links[i][j].mtu = EBPFS_UDP_PAYLOAD_MAX;
	}
	size = path_sizes[rnd(w, ARRAY_SIZE(path_sizes))];
	for (i = 0; i < w->nclients; i++) {
		for (j = 0; j < w->nservers; j++) {
			if (chance(w, 2000))
				size = path_sizes[rnd(w, ARRAY_SIZE(path_sizes))];
			net_link(w, w->clients[i].addr, w->servers[j].addr)->mtu = size;
			net_link(w, w->servers[j].addr, w->clients[i].addr)->mtu = size;
		}
	}
	schedule(w, rnd_time(w, 2 * w->cfg.chaos_gap), chaos, NULL, 0);
	schedule(w, w->cfg.chaos_time, chaos_heal, NULL, 0);
	if (w->cfg.outage)
		schedule(w, SEC, outage, NULL, 0);
	schedule(w, 0, version, NULL, 0);
}
