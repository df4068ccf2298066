// SPDX-License-Identifier: GPL-2.0
/*
 * Data of calls that change something, at the client: which bytes they are, their
 * way out in fragments, and again what the server says that it lacks. Plays
 * kmod/data.c.
 *
 * The bytes are a function of the request, so that whatever a server executes can
 * be judged by itself. Data that come apart are sent once with the first attempt
 * of their call; then only as NEED asks, cut by what the path carries then.
 */
#include <sys/stat.h>

#include "sim.h"

/* Gives a request that was just made the numbers by which servers know it. */
void request_name(struct world *w, struct request *r)
{
	const struct ebpfs_op_traits *t = ebpfs_op_traits(r->op);

	if (r->serial >= w->serial_room) {
		u32 room = w->serial_room ? 2 * w->serial_room : 256;
		struct request **all = arena_alloc(w, room * sizeof(*all));

		if (w->by_serial)
			memcpy(all, w->by_serial, w->serial_room * sizeof(*all));
		w->by_serial = all;
		w->serial_room = room;
	}
	w->by_serial[r->serial] = r;
	/* Counted up by each client; the servers' files know the request by the middle. */
	if (t && t->flags & EBPFS_TRAIT_ONCE)
		r->op_id = (u64)(r->client->index + 1) << 56 | (u64)r->serial << 24 |
			   ++r->client->once;
	if (r->op == EBPFS_OP_WRITE)
		r->arg = (u64)r->serial << 16;
	if (r->op == EBPFS_OP_CRED)
		r->arg = r->serial;
}

/* The request that a call which changes something was made for, NULL if none was. */
struct request *request_meant(const struct world *w, const struct ebpfs_call_info *c)
{
	u64 serial = c->op_id >> 24 & 0xffffffff;

	if (c->op == EBPFS_OP_WRITE)
		serial = c->arg >> 16;
	if (c->op == EBPFS_OP_CRED)
		serial = c->arg;
	return serial && serial <= w->serial ? w->by_serial[serial] : NULL;
}

static u64 mix(u64 x)
{
	x = (x ^ x >> 29) * 0xbf58476d1ce4e5b9ull;
	return x ^ x >> 32;
}

static void fill_create(const struct request *r, u8 *to)
{
	u32 target = r->data_len - sizeof(struct ebpfs_create);
	struct ebpfs_create c = {
		.mode = cpu_to_le32(target ? S_IFLNK | 0777 : S_IFREG | (r->serial & 07777)),
		.umask = cpu_to_le32(r->serial & 077),
		.flags = cpu_to_le32(r->serial & 1 ? EBPFS_CREATE_EXCL : 0),
		.target_len = cpu_to_le32(target),
	};
	u32 i;

	memcpy(to, &c, sizeof(c));
	for (i = 0; i < target; i++)
		to[sizeof(c) + i] = 'A' + (u32)(mix(r->serial) + i) % 53;
}

static void fill_target(const struct world *w, const struct request *r, u8 *to)
{
	u8 name[EBPFS_NAME_MAX];
	struct ebpfs_target_info t = {
		.fh = w->files[0].fh, .fh_len = w->files[0].fh_len, .name = name,
		.name_len = file_name(r->serial % 41, name),
	};

	ebpfs_put_target(to, &t);
}

static void fill_range(const struct request *r, u8 *to)
{
	struct ebpfs_range range = {
		.offset = cpu_to_le64(mix(r->serial) >> 2), .len = cpu_to_le64(r->serial),
		.mode = cpu_to_le32(~r->serial),
	};

	memcpy(to, &range, sizeof(range));
}

static void fill_copy(const struct world *w, const struct request *r, u8 *to)
{
	struct ebpfs_copy c = {
		.from = cpu_to_le64(mix(r->serial) >> 2), .to = cpu_to_le64(r->serial),
		.len = cpu_to_le64(r->serial), .flags = cpu_to_le32(r->serial & 1),
		.fh_len = cpu_to_le16(w->files[0].fh_len),
	};

	memset(to, 0, r->data_len);
	memcpy(to, &c, sizeof(c));
	memcpy(to + sizeof(c), w->files[0].fh, w->files[0].fh_len);
}

static void fill_setattr(const struct request *r, u8 *to)
{
	struct ebpfs_setattr a = {
		.size = cpu_to_le64(r->serial),
		.mtime = cpu_to_le64(mix(r->serial)),
		.mtime_ns = cpu_to_le32(r->serial % 1000000000),
		.valid = cpu_to_le32(EBPFS_SET_SIZE | EBPFS_SET_MTIME | EBPFS_SET_ATIME_NOW),
		.uid = cpu_to_le32(~r->serial),
	};

	memcpy(to, &a, sizeof(a));
}

static void fill_cred(const struct request *r, u8 *to)
{
	u32 n = (r->data_len - sizeof(struct ebpfs_cred)) / sizeof(__le32), i;
	struct ebpfs_cred c = {
		.uid = cpu_to_le32(r->serial), .gid = cpu_to_le32(100), .ngroups = cpu_to_le32(n),
	};
	__le32 group;

	memcpy(to, &c, sizeof(c));
	for (i = 0; i < n; i++) {
		group = cpu_to_le32(mix(r->serial) + i);
		memcpy(to + sizeof(c) + i * sizeof(group), &group, sizeof(group));
	}
}

static void fill_write(const struct world *w, const struct request *r, u8 *to)
{
	u64 key = mix(w->seed ^ mix(r->serial)), v;
	u32 i;

	for (i = 0; i + sizeof(v) <= r->data_len; i += sizeof(v)) {
		v = mix(key + i);
		memcpy(to + i, &v, sizeof(v));
	}
	v = mix(key + i);
	memcpy(to + i, &v, r->data_len - i);
}

/* The attributes of a WRITEATTR, until the next call of this function; else NULL. */
const u8 *request_attr(const struct request *r)
{
	static u8 attr[sizeof(struct ebpfs_setattr)];

	if (r->op != EBPFS_OP_WRITEATTR)
		return NULL;
	fill_setattr(r, attr);
	return attr;
}

/* The data of a request, until the next call of this function. */
const u8 *request_data(struct world *w, const struct request *r)
{
	static u8 data[EBPFS_MSG_MAX];

	switch (r->op) {
	case EBPFS_OP_WRITE:
	case EBPFS_OP_WRITEATTR:
	case EBPFS_OP_APPEND:
	case EBPFS_OP_SETXATTR:
		fill_write(w, r, data);
		break;
	case EBPFS_OP_FALLOCATE:
		fill_range(r, data);
		break;
	case EBPFS_OP_COPY:
		fill_copy(w, r, data);
		break;
	case EBPFS_OP_CREATE:
		fill_create(r, data);
		break;
	case EBPFS_OP_RENAME:
	case EBPFS_OP_LINK:
		fill_target(w, r, data);
		break;
	case EBPFS_OP_SETATTR:
		fill_setattr(r, data);
		break;
	case EBPFS_OP_CRED:
		fill_cred(r, data);
		break;
	}
	return data;
}

/* Those @cells of the data of the call in @slot, cut by @cell. */
void data_send(struct world *w, struct csession *cs, u16 slot, u16 cell, u8 attempt, u64 cells)
{
	const struct request *r = cs->reqs[slot];
	const u8 *data = request_data(w, r);
	struct ebpfs_frag f = {
		.session = cs->hs.server_session, .id = r->id, .total = r->data_len, .cell = cell,
		.attempt = attempt,
	};
	u32 head, left;
	u8 i;

	if (cs->data_cell[slot] && cs->data_cell[slot] != cell)
		COUNT(w, data_cut);
	cs->data_cell[slot] = cell;
	TRACE(w, "data  id %lx of session %lu: attempt %lu, cells %lx by %lu, of %lu bytes", r->id,
	      cs->serial, attempt, cells, cell, r->data_len);
	for (i = 0; i < ebpfs_ncells(r->data_len, cell); i++) {
		if (!(cells >> i & 1))
			continue;
		f.offset = (u32)i * cell;
		left = r->data_len - f.offset;
		f.len = left < cell ? left : cell;
		head = ebpfs_put_data(w->scratch, &f);
		memcpy(w->scratch + head, data + f.offset, f.len);
		ebpfs_seal(w->scratch, head + f.len);
		COUNT(w, data_sent);
		session_send(w, cs, w->scratch, head + f.len);
	}
}

/* Data that were asked for; other things happen before they are sent. */
struct answer {
	struct csession *cs;
	u64 id;
	u64 cells;
	u16 cell;
	u8 attempt;
};

static void need_answer(struct world *w, void *obj, u64 arg)
{
	const struct answer *a = obj;
	u16 slot = EBPFS_ID_SLOT(a->id);
	const struct request *r = a->cs->reqs[slot];

	(void)arg;
	/* Who sends them keeps the call from ending, so they go out whatever became of it. */
	if (r && r->id == a->id)
		data_send(w, a->cs, slot, a->cell, a->attempt, a->cells);
}

void need_receive(struct world *w, struct client *c, const struct dgram *d, u64 session)
{
	struct ebpfs_need_info n;
	struct csession *cs;
	struct answer *a;
	void *owner = NULL;
	u64 send, all, lack;
	bool wanted;
	u16 slot, cell;

	for (cs = c->sessions; cs; cs = cs->next) {
		if (cs->hs.client_session == session)
			break;
	}
	if (!cs || cs->peer.host != d->src.host || cs->peer.port != d->src.port ||
	    ebpfs_parse_need(d->data, &n))
		return;
	slot = EBPFS_ID_SLOT(n.id);
	cell = session_cell(w, cs);
	wanted = slot < cs->conn.nslots && cs->reqs[slot] && cs->reqs[slot]->id == n.id &&
		 cs->reqs[slot]->state == REQ_ACTIVE && !cs->reqs[slot]->finishing &&
		 n.attempt == cs->attempt[slot] && !cs->needed[slot];
	all = wanted ? ebpfs_cell_set(ebpfs_ncells(cs->reqs[slot]->data_len, cell)) : 0;
	lack = n.cell == cell ? n.missing & all : all;
	if (wanted && (!cs->reqs[slot]->data_len || !lack))
		wanted = false;
	session_touch(w, cs);
	send = ebpfs_conn_need(&cs->conn, &n, cell, w->now, &owner);
	TRACE(w, "need  id %lx attempt %lu: %lx by %lu lack, sends %lx by %lu", n.id, n.attempt,
	      n.missing, n.cell, send, cell);
	INNER(w, !!send == wanted, "NEED is answered once in each attempt, while a call lasts",
	      "id %lx attempt %u: %lx, should be %s", n.id, n.attempt, send,
	      wanted ? "answered" : "ignored");
	if (!send) {
		COUNT(w, needs_ignored);
		return;
	}
	COUNT(w, needs_answered);
	CHECK(w, owner == cs->reqs[slot], "NEED is answered for the call that is meant",
	      "id %lx", n.id);
	INNER(w, !(send & ~lack), "no more is sent than what lacks",
	      "id %lx: %lx by %u lack, sends %lx by %u", n.id, (u64)n.missing, n.cell, send, cell);
	cs->needed[slot] = true;
	cs->heard_at = w->now;
	if (!cs->reqs[slot]->apart)
		return;		/* somebody forged it: the call brings its data itself */
	a = arena_alloc(w, sizeof(*a));
	*a = (struct answer){ cs, n.id, send, cell, n.attempt };
	if (chance(w, 3000))
		schedule(w, rnd_time(w, chance(w, 1000) ? 20 * MSEC : 100 * USEC), need_answer, a,
			 0);
	else
		need_answer(w, a, 0);
}
