// SPDX-License-Identifier: GPL-2.0
/*
 * The server of worlds about what is held: owners, sessions, calls that wait for leases,
 * recalls, files without a name. Plays ebpfsd's hold.c, owner.c and orphan.c around the
 * core's table.
 *
 * A call is executed in steps, with other events between them: a read takes its hold,
 * then reads; a change begins, may wait, is done, ends and is answered. A crash may come
 * between any two, and loses all but files and names.
 */
#include "held.h"

#define LET_GO	(3 * MSEC)	/* from the end of an owner to the end of its sessions */

static void job_run(struct world *w, void *obj, u64 arg);
static void pump(struct world *w);

static struct ebpfs_holds *table(struct world *w)
{
	return &w->held->server.table;
}

void held_key(struct world *w, u32 file, struct ebpfs_hold_key *key)
{
	ebpfs_hold_key_set(table(w), key, &file, sizeof(file));
	if (w->held->crowded)
		key->hash &= ~(u64)(EBPFS_HOLD_SLOTS - 2);
}

static void answer(struct world *w, u32 client, const struct held_msg *m)
{
	net_send(w, w->held->server.addr, w->held->clients[client].addr, m, sizeof(*m));
}

/* Is the owner to hear nothing but RECALL? */
static bool silenced(struct world *w, const struct held_owner *o)
{
	if (!ebpfs_holder_late(&o->core))
		return false;
	COUNT(w, held_silenced);
	return true;
}

/* Nobody has the file open any more. */
static void file_closed(struct world *w, u32 file)
{
	struct held_world *h = w->held;
	struct held_inode *ino = &h->inodes[file];

	/* Whoever had it open before a restart has time to say so. */
	if (ino->links || ino->gone || w->now < h->server.started + h->lease)
		return;
	COUNT(w, held_orphans_gone);
	held_gone(w, file);
}

static u32 file_of(const struct ebpfs_hold_key *key)
{
	u32 file;

	memcpy(&file, key->bytes, sizeof(file));
	return file;
}

/* The end of removed files that nobody has said to be open. */
static void grace_end(struct world *w, void *obj, u64 epoch)
{
	struct held_world *h = w->held;
	struct ebpfs_hold_key key;
	u32 i;

	(void)obj;
	if (epoch != h->server.epoch)
		return;
	for (i = HELD_DIRS; i < h->ninodes; i++) {
		held_key(w, i, &key);
		if (!ebpfs_hold_opens(table(w), &key))
			file_closed(w, i);
	}
}

/* Calls that need not wait any longer. */
static void resume(struct world *w)
{
	struct held_world *h = w->held;
	struct ebpfs_change *core;

	while ((core = ebpfs_change_ready(table(w)))) {
		struct held_job *j = (struct held_job *)core;

		CHECK(w, j->parked, "only a change that waits becomes ready", "id %lx", j->call.id);
		CHECK(w, w->now - j->since <= h->lease + 1100 * MSEC + LET_GO,
		      "a change waits for the lease time and little longer", "%lu ms",
		      (w->now - j->since) / MSEC);
		j->parked = false;
		h->server.parked--;
		schedule(w, rnd_time(w, MSEC), job_run, j, 0);
	}
}

static void owner_finish(struct world *w, void *obj, u64 instance)
{
	struct held_world *h = w->held;
	struct held_owner *o = obj;
	struct ebpfs_hold_key key;
	struct held_session *s;
	bool closed;

	if (!o->used || o->instance != instance)
		return;
	for (s = h->server.sessions; s; s = s->next)
		if (s->owner == o)
			s->alive = false;
	o->dead = true;
	while (ebpfs_hold_drop(table(w), &o->core, &key, &closed))
		if (closed)
			file_closed(w, file_of(&key));
	resume(w);
}

static void owner_end(struct world *w, struct held_owner *o)
{
	if (o->ended)
		return;
	TRACE(w, "hold  owner %lx of client %lu ends", o->instance, o->client);
	o->ended = true;
	schedule(w, rnd_time(w, LET_GO), owner_finish, o, o->instance);
}

static void owner_unlist(struct held_owner *o)
{
	if (o->dead && !o->jobs)
		o->used = false;	/* its place is free for another */
}

/* Owners that were silent for too long. */
static void tick(struct world *w, void *obj, u64 epoch)
{
	struct held_world *h = w->held;
	u32 i;

	(void)obj;
	if (epoch != h->server.epoch)
		return;
	for (i = 0; i < HELD_OWNERS; i++) {
		struct held_owner *o = &h->owners[i];

		if (o->used && !o->ended && w->now > o->heard + h->lease) {
			COUNT(w, held_expired);
			owner_end(w, o);
		}
		if (o->used)
			owner_unlist(o);
	}
	schedule(w, SEC, tick, NULL, epoch);
}

static void pump_later(struct world *w, void *obj, u64 gen)
{
	(void)obj;
	if (gen != w->held->server.pump_gen)
		return;
	w->held->server.pump_at = EBPFS_NEVER;
	pump(w);
}

static void recall_send(struct world *w, const struct ebpfs_hold_recall *r)
{
	struct held_owner *o = (struct held_owner *)r->holder;
	struct held_msg m = {
		.type = HELD_RECALL, .id = r->id, .number = r->number,
		.file = (u8)file_of(&r->key),
	};
	struct held_session *s;

	if (r->again)
		COUNT(w, held_recalls_again);
	else
		COUNT(w, held_recalls);
	TRACE(w, "hold  recall %lx of file %lu number %lu to client %lu", r->id, m.file, m.number,
	      o->client);
	for (s = w->held->server.sessions; s; s = s->next) {
		if (s->owner != o || !s->alive)
			continue;
		m.session = s->id;
		answer(w, o->client, &m);
	}
}

/* Whatever the core has to be done. */
static void pump(struct world *w)
{
	struct held_server *s = &w->held->server;
	struct ebpfs_hold_recall r;
	enum ebpfs_hold_due due;
	u64 next;

	while ((due = ebpfs_hold_due(&s->table, w->now, &r, &next)) != EBPFS_HOLD_WAIT) {
		if (due == EBPFS_HOLD_FENCE) {
			COUNT(w, held_fenced);
			owner_end(w, (struct held_owner *)r.holder);
		} else {
			recall_send(w, &r);
		}
	}
	if (next >= s->pump_at)
		return;
	s->pump_at = next;
	schedule(w, next - w->now + rnd_time(w, MSEC), pump_later, NULL, ++s->pump_gen);
}

void held_start(struct world *w)
{
	struct held_world *h = w->held;
	struct held_server *s = &h->server;
	struct ebpfs_holds *t = &s->table;

	s->up = true;
	s->epoch++;
	s->started = w->now;
	s->sessions = NULL;
	s->pump_at = EBPFS_NEVER;
	s->pump_gen++;
	s->parked = 0;
	memset(h->owners, 0, sizeof(*h->owners) * HELD_OWNERS);
	memset(h->buckets, 0, sizeof(h->buckets));
	memset(t, 0, sizeof(*t));
	t->memory = h->memory;
	t->files = h->files;
	t->buckets = h->buckets;
	t->mask = h->table / 2 - 1;
	t->max = h->table;
	t->max_one = h->table / 2;
	t->fence = h->lease;
	t->seed = rnd64(w);
	ebpfs_holds_init(t);
	TRACE(w, "hold  server starts, life %lu", s->epoch);
	schedule(w, SEC, tick, NULL, s->epoch);
	schedule(w, h->lease, grace_end, NULL, s->epoch);
}

void held_crash(struct world *w)
{
	struct held_server *s = &w->held->server;

	COUNT(w, held_crashes);
	if (s->parked)
		COUNT(w, held_crashes_parked);
	TRACE(w, "hold  server crashes, %lu changes wait", s->parked);
	s->up = false;
	s->epoch++;
}

/* Calls. */

static void job_free(struct world *w, struct held_job *j)
{
	if (j->begun) {
		ebpfs_change_end(table(w), &j->core, w->now);
		j->begun = false;
	}
	if (j->parked) {
		j->parked = false;
		w->held->server.parked--;
	}
	j->owner->jobs--;
}

static void give_back(struct world *w, struct held_job *j)
{
	struct ebpfs_hold_key key;

	held_key(w, j->reply.file, &key);
	if (ebpfs_hold_give_back(table(w), &j->owner->core, &key, j->made))
		file_closed(w, j->reply.file);
	resume(w);
}

/* The job's slot; NULL: its client has gone on. */
static bool wanted(const struct held_job *j)
{
	return j->session->slots[j->call.id % HELD_SLOTS].id == j->call.id;
}

static void job_answer(struct world *w, struct held_job *j)
{
	struct held_session *s = j->session;
	u32 i = j->call.id % HELD_SLOTS;

	j->reply.type = HELD_REPLY;
	j->reply.session = s->id;
	j->reply.id = j->call.id;
	j->reply.number = j->call.number;
	j->reply.op = j->call.op;
	j->reply.life = w->held->server.epoch;
	if (!wanted(j)) {
		COUNT(w, held_late);
		if (j->reply.kinds)
			give_back(w, j);
	} else {
		s->slots[i].job = NULL;
		s->slots[i].kept = true;
		s->slots[i].reply = j->reply;
		if (s->alive && !silenced(w, j->owner))
			answer(w, j->owner->client, &j->reply);
	}
	job_free(w, j);
}

/* The hold that the call asks for. */
static void take(struct world *w, struct held_job *j, u32 file)
{
	u32 kinds = j->call.kinds;
	struct ebpfs_hold_key key;

	j->reply.file = (u8)file;
	if (!kinds || j->owner->ended)
		return;
	held_key(w, file, &key);
	j->reply.kinds = (u8)ebpfs_hold_take(table(w), &j->owner->core, &key, j->call.number, kinds,
					     w->now, &j->made);
	if (j->reply.kinds & EBPFS_HOLD_LEASE)
		COUNT(w, held_leases);
	if (j->reply.kinds & EBPFS_HOLD_OPEN)
		COUNT(w, held_opens);
	if (j->reply.kinds != kinds)
		COUNT(w, held_refused);
}

static void attributes(struct world *w, struct held_job *j)
{
	const struct held_inode *ino = &w->held->inodes[j->reply.file];

	j->reply.version = ino->version;
	j->reply.links = ino->links;
}

static u8 *entry(struct world *w, const struct held_msg *m, u32 i)
{
	return &w->held->names[m->dir[i]][m->name[i]];
}

/* First what is held, then what is read. */
static void job_read(struct world *w, struct held_job *j)
{
	struct held_world *h = w->held;
	const struct held_msg *c = &j->call;
	struct held_owner *o = j->owner;
	u32 file = c->op == EBPFS_OP_LOOKUP ? *entry(w, c, 0) : c->file;

	if (!j->read) {
		if (!file || h->inodes[file - 1].gone) {
			j->reply.status = file ? ESTALE : ENOENT;
			job_answer(w, j);
			return;
		}
		j->read = true;
		take(w, j, file - 1);
		schedule(w, rnd_time(w, h->exec), job_run, j, 0);
		return;
	}
	if (h->inodes[j->reply.file].gone) {
		/* Unless its client itself has let go of it meanwhile. */
		CHECK(w, !(j->reply.kinds & EBPFS_HOLD_OPEN) || o->ended ||
		      c->number <= o->released[j->reply.file],
		      "a file that is held open stays", "file %u", j->reply.file);
		give_back(w, j);
		j->reply.kinds = 0;
		j->reply.status = ESTALE;
	} else {
		attributes(w, j);
	}
	job_answer(w, j);
}

static void job_release(struct world *w, struct held_job *j)
{
	struct held_owner *o = j->owner;
	struct ebpfs_hold_key key;
	u32 i;

	for (i = 0; i < j->call.n; i++) {
		u64 *released = &o->released[j->call.let[i].file];

		if (j->call.let[i].number > *released)
			*released = j->call.let[i].number;
		held_key(w, j->call.let[i].file, &key);
		if (ebpfs_hold_release(table(w), &o->core, &key, j->call.let[i].number))
			file_closed(w, j->call.let[i].file);
		COUNT(w, held_releases);
	}
	resume(w);
	job_answer(w, j);
}

static u32 add(u32 *files, u32 n, u32 file)
{
	u32 i;

	for (i = 0; i < n; i++)
		if (files[i] == file)
			return n;
	files[n] = file;
	return n + 1;
}

/* Files that the call changes, as they are now. */
static u32 changed(struct world *w, const struct held_msg *c, u32 *files)
{
	u32 n = 0, i;

	if (c->op == EBPFS_OP_WRITE)
		return w->held->inodes[c->file - 1].gone ? 0 : add(files, n, c->file - 1);
	n = add(files, n, c->dir[0]);
	if (c->op == EBPFS_OP_RENAME)
		n = add(files, n, c->dir[1]);
	if (c->op == EBPFS_OP_LINK)
		return w->held->inodes[c->file - 1].gone ? 0 : add(files, n, c->file - 1);
	if (c->op == EBPFS_OP_CREATE)
		return n;
	for (i = 0; i < (c->op == EBPFS_OP_RENAME ? 2 : 1); i++)
		if (*entry(w, c, i))
			n = add(files, n, *entry(w, c, i) - 1u);
	return n;
}

static void unlink_file(struct world *w, u32 file)
{
	struct held_inode *ino = &w->held->inodes[file];
	struct ebpfs_hold_key key;

	if (--ino->links)
		return;
	held_key(w, file, &key);
	if (ebpfs_hold_opens(table(w), &key)) {
		COUNT(w, held_orphans);
		TRACE(w, "hold  file %lu is open and has no name", file);
	} else {
		held_gone(w, file);
	}
}

static void create(struct world *w, struct held_job *j)
{
	struct held_world *h = w->held;
	u8 *e = entry(w, &j->call, 0);

	if (!*e) {
		if (h->ninodes == HELD_FILES) {
			j->reply.status = ENOSPC;
			return;
		}
		h->inodes[h->ninodes++] = (struct held_inode){ .used = true, .links = 1 };
		*e = (u8)h->ninodes;
		held_changed(w, j->call.dir[0], j->owner->client);
	}
	take(w, j, *e - 1u);
	attributes(w, j);
}

/* The change itself. */
static void change(struct world *w, struct held_job *j)
{
	struct held_world *h = w->held;
	const struct held_msg *c = &j->call;
	u32 who = j->owner->client;
	u8 *from = entry(w, c, 0), *to = entry(w, c, 1), file = *from, old;

	switch (c->op) {
	case EBPFS_OP_WRITE:
		if (h->inodes[c->file - 1].gone) {
			j->reply.status = ESTALE;
			return;
		}
		j->reply.file = c->file - 1;
		held_changed(w, c->file - 1, who);
		attributes(w, j);
		return;
	case EBPFS_OP_CREATE:
		create(w, j);
		return;
	case EBPFS_OP_LINK:
		if (*from || !h->inodes[c->file - 1].links) {
			j->reply.status = *from ? EEXIST : ENOENT;
			return;
		}
		*from = c->file;
		h->inodes[c->file - 1].links++;
		held_changed(w, c->dir[0], who);
		held_changed(w, c->file - 1, who);
		return;
	}
	if (!file || (c->op == EBPFS_OP_RENAME && *to == file)) {
		j->reply.status = ENOENT;
		return;
	}
	*from = 0;
	held_changed(w, c->dir[0], who);
	old = file;
	if (c->op == EBPFS_OP_RENAME) {
		old = *to;
		*to = file;
		held_changed(w, c->dir[1], who);
		held_changed(w, file - 1, who);
	}
	if (old) {
		held_changed(w, old - 1, who);
		unlink_file(w, old - 1);
	}
}

static void job_end(struct world *w, void *obj, u64 arg)
{
	struct held_job *j = obj;

	(void)arg;
	if (j->epoch != w->held->server.epoch)
		return;
	/* The change ends before it is answered. */
	if (j->begun) {
		ebpfs_change_end(table(w), &j->core, w->now);
		j->begun = false;
	}
	job_answer(w, j);
}

static void job_do(struct world *w, void *obj, u64 arg)
{
	struct ebpfs_hold_key keys[EBPFS_CHANGE_FILES];
	u32 files[EBPFS_CHANGE_FILES], n, i;
	struct held_job *j = obj;

	(void)arg;
	if (j->epoch != w->held->server.epoch)
		return;
	n = changed(w, &j->call, files);
	for (i = 0; i < n; i++)
		held_key(w, files[i], &keys[i]);
	if (n && !ebpfs_change_covers(&j->core, keys, n)) {
		COUNT(w, held_names_moved);
		job_run(w, j, 0);
		return;
	}
	COUNT(w, held_changes);
	TRACE(w, "hold  id %lx op %lu of client %lu is done", j->call.id, j->call.op,
	      j->owner->client);
	change(w, j);
	schedule(w, rnd_time(w, w->held->exec), job_end, j, 0);
}

static void job_begin(struct world *w, struct held_job *j)
{
	struct ebpfs_hold_key keys[EBPFS_CHANGE_FILES];
	u32 files[EBPFS_CHANGE_FILES], n, i;

	n = changed(w, &j->call, files);
	for (i = 0; i < n; i++)
		held_key(w, files[i], &keys[i]);
	if (j->begun && !(n && ebpfs_change_covers(&j->core, keys, n))) {
		ebpfs_change_end(table(w), &j->core, w->now);
		j->begun = false;
	}
	if (!n) {
		j->reply.status = ESTALE;
		job_answer(w, j);
		return;
	}
	INNER(w, !j->owner->dead, "nothing is begun for an owner that has ended", "id %lx",
	      j->call.id);
	if (!j->begun) {
		j->begun = true;
		j->since = w->now;
		if (!ebpfs_change_begin(table(w), &j->core, &j->owner->core, keys, n, true,
					w->now)) {
			COUNT(w, held_parked);
			TRACE(w, "hold  id %lx of client %lu waits", j->call.id, j->owner->client);
			if (w->held->server.parked++)
				COUNT(w, held_parked_several);
			j->parked = true;
			pump(w);
			return;
		}
	}
	schedule(w, rnd_time(w, w->held->exec), job_do, j, 0);
}

static void job_run(struct world *w, void *obj, u64 arg)
{
	struct held_job *j = obj;

	(void)arg;
	if (j->epoch != w->held->server.epoch)
		return;
	if (!wanted(j) || !j->session->alive) {
		COUNT(w, held_dropped);
		if (j->read && j->reply.kinds)
			give_back(w, j);
		job_free(w, j);
		return;
	}
	switch (j->call.op) {
	case EBPFS_OP_GETATTR:
	case EBPFS_OP_LOOKUP:
		job_read(w, j);
		break;
	case EBPFS_OP_RELEASE:
		job_release(w, j);
		break;
	default:
		job_begin(w, j);
	}
}

static void call(struct world *w, struct held_session *s, const struct held_msg *m)
{
	u32 i = m->id % HELD_SLOTS;
	struct held_job *j;

	if (m->id < s->slots[i].id)
		return;
	if (m->id == s->slots[i].id) {
		if (s->slots[i].kept && !silenced(w, s->owner))
			answer(w, s->owner->client, &s->slots[i].reply);
		return;
	}
	/* One that waits is not executed when its client has gone on. */
	j = s->slots[i].job;
	if (j && j->parked) {
		COUNT(w, held_dropped);
		job_free(w, j);
	}
	j = arena_alloc(w, sizeof(*j));
	j->session = s;
	j->owner = s->owner;
	j->owner->jobs++;
	j->epoch = w->held->server.epoch;
	j->call = *m;
	s->slots[i].id = m->id;
	s->slots[i].job = j;
	s->slots[i].kept = false;
	schedule(w, rnd_time(w, w->held->exec), job_run, j, 0);
}

static void join(struct world *w, const struct held_msg *m, u32 from)
{
	struct held_world *h = w->held;
	struct held_owner *o = NULL;
	struct held_session *s;
	struct held_msg out = { .type = HELD_JOINED, .id = m->id };
	u32 i;

	for (s = h->server.sessions; s; s = s->next)
		if (s->owner->client == from && s->attempt == m->id && s->alive)
			break;
	for (i = 0; !s && i < HELD_OWNERS; i++)
		if (h->owners[i].used && !h->owners[i].ended && h->owners[i].client == from)
			o = &h->owners[i];
	for (i = 0; !s && !o && i < HELD_OWNERS; i++) {
		if (h->owners[i].used)
			continue;
		o = &h->owners[i];
		*o = (struct held_owner){
			.used = true, .client = from, .instance = rnd64(w) | 1,
		};
	}
	if (!s && !o)
		return;
	if (!s) {
		s = arena_alloc(w, sizeof(*s));
		s->id = ++h->serial;
		s->attempt = m->id;
		s->owner = o;
		s->alive = true;
		s->next = h->server.sessions;
		h->server.sessions = s;
	}
	s->owner->heard = w->now;
	out.session = s->id;
	out.number = s->owner->instance;
	answer(w, from, &out);
}

void held_server_receive(struct world *w, const struct held_msg *m, u32 from)
{
	struct held_server *srv = &w->held->server;
	struct held_msg out = { .session = m->session, .id = m->id };
	struct held_session *s;

	if (!srv->up)
		return;
	if (m->type == HELD_JOIN) {
		join(w, m, from);
		return;
	}
	for (s = srv->sessions; s && s->id != m->session; s = s->next)
		;
	if (!s || !s->alive) {
		COUNT(w, held_unknown);
		out.type = HELD_UNKNOWN;
		answer(w, from, &out);
		return;
	}
	s->owner->heard = w->now;
	switch (m->type) {
	case HELD_PROBE:
		out.type = HELD_PROBED;
		if (!silenced(w, s->owner))
			answer(w, from, &out);
		break;
	case HELD_RECALLED:
		if (ebpfs_hold_recalled(&srv->table, &s->owner->core, m->id)) {
			COUNT(w, held_recalled);
			resume(w);
		}
		break;
	case HELD_BYE:
		owner_end(w, s->owner);
		break;
	case HELD_CALL:
		call(w, s, m);
		break;
	}
}
