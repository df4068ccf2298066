// SPDX-License-Identifier: GPL-2.0
/*
 * The life of a call: submitted, queued at a node, sent when the node's
 * session has a slot and window for it, sent again until it is answered,
 * completed exactly once. Who owns a call when is told in engine.h.
 *
 * Nothing here waits but ebpfs_call(), and that is killable. A hard call ends
 * by its answer, by its caller's death or by an abort of the mount; a soft one
 * by its deadline too. Moving a call to another node, or to a new session of
 * the same node, is a cancel and a new submission: a late reply to the old one
 * finds no slot with its identity.
 */
#include <linux/blkdev.h>
#include <linux/completion.h>
#include <linux/sched/signal.h>

#include "engine.h"

/**
 * ebpfs_req_prepare() - set what the engine needs; the caller has zeroed @req
 * @req: call
 * @mnt: mount
 */
void ebpfs_req_prepare(struct ebpfs_req *req, struct ebpfs_mount *mnt)
{
	INIT_LIST_HEAD(&req->link);
	req->mnt = mnt;
	req->state = EBPFS_REQ_NEW;
	req->deadline = EBPFS_NEVER;
	if (mnt->soft)
		req->deadline = ebpfs_now() + mnt->timeo * (mnt->retrans + 1);
}

/* The same for a call that must not be executed twice. */
void ebpfs_req_prepare_once(struct ebpfs_req *req, struct ebpfs_mount *mnt)
{
	ebpfs_req_prepare(req, mnt);
	req->op_id = atomic64_inc_return(&mnt->op_id);
	if (unlikely(!req->op_id))
		req->op_id = atomic64_inc_return(&mnt->op_id);
}

/* The server does not know the user: the call waits until it was told. Return:
 * false if the call has to end.
 */
static bool ebpfs_req_tell(struct ebpfs_req *req)
{
	struct ebpfs_mount *mnt = req->mnt;
	struct ebpfs_user *user = req->user;
	struct ebpfs_node *node = req->node;
	bool wait, tell = false;
	u64 hash = req->hash;

	spin_lock_bh(&node->lock);
	/* Pairs with ebpfs_req_kill() as in ebpfs_req_submit_batch(). */
	wait = !READ_ONCE(req->error) && !READ_ONCE(mnt->aborted);
	if (wait)
		tell = ebpfs_user_unknown(req);
	spin_unlock_bh(&node->lock);
	if (tell)
		ebpfs_user_tell(mnt, user, hash);
	return wait;
}

/**
 * ebpfs_calls_end() - a call, or who counted himself as one, is done with its mount
 * @mnt: may go as soon as its calls are 0: this is the last touch of it
 *
 * Context: softirq or process context.
 */
void ebpfs_calls_end(struct ebpfs_mount *mnt)
{
	rcu_read_lock();
	if (atomic_dec_and_test(&mnt->calls))
		wake_up_all(&mnt->wait);
	rcu_read_unlock();
}

/* The call is its maker's again. No lock held; softirq or process context. */
static void ebpfs_req_finish(struct ebpfs_req *req, int err)
{
	struct ebpfs_mount *mnt = req->mnt;
	struct ebpfs_node *node = req->node;

	if (unlikely(!err && req->res.status == EBPFS_STATUS_CRED)) {
		if (req->user && ebpfs_req_tell(req))
			return;
		err = req->error ?: -EIO;
	} else if (!err && req->res.status) {
		/* Not what only the kernel itself says, as ERESTARTSYS, and no number of
		 * the protocol's own to who does not know it.
		 */
		err = req->res.status <= EHWPOISON ||
		      (req->res.status == EBPFS_STATUS_GRACE && req->op == EBPFS_OP_LOCK) ?
		      -(int)req->res.status : -EIO;
	}
	if (unlikely(err < 0 && node && req->error))
		ebpfs_stat_inc(node->stats, calls_failed);
	/* Unless the server refused: without an answer it may have been executed. */
	if ((req->op_id || req->op == EBPFS_OP_COMMIT) && node && !req->res.status) {
		req->boot = (u64)node->number << 32 | READ_ONCE(node->boot);
		if (req->op_id)
			atomic64_inc(&mnt->changes);
	}
	req->done(req, err);
	ebpfs_calls_end(mnt);
}

/* A WRITE that is copied into its call's datagram, to be encrypted there, has no more. */
#define EBPFS_WHOLE_MAX	(3 * PAGE_SIZE)

/* Datagrams under construction: built under node->lock, sent without it. */
struct ebpfs_batch {
	struct sk_buff_head skbs;
	struct sk_buff_head data;	/* of the calls, sent after them */
	struct sk_buff *skb;	/* the last one, may still take calls */
	u32 room;		/* bytes of UDP payload that still fit */
	u16 count;
	const u8 *fh;		/* handle of its last call that has one */
	struct ebpfs_session *session;	/* set with the first call */
};

static void ebpfs_batch_init(struct ebpfs_batch *b)
{
	__skb_queue_head_init(&b->skbs);
	__skb_queue_head_init(&b->data);
	b->skb = NULL;
	b->fh = NULL;
}

static void ebpfs_batch_close(struct ebpfs_batch *b)
{
	struct ebpfs_calls *head;

	if (!b->skb)
		return;
	head = (struct ebpfs_calls *)b->skb->data;
	head->count = cpu_to_le16(b->count);
	if (!ebpfs_skb_close(b->skb, b->session)) {
		__skb_unlink(b->skb, &b->skbs);
		kfree_skb(b->skb);
		ebpfs_stat_inc(b->session->node->stats, send_errors);
	}
	b->skb = NULL;
	b->fh = NULL;	/* the next datagram has no handle yet */
}

/*
 * A call by itself whose data fit into its datagram: they lie behind it as fragments, and
 * nothing else follows. Return: false if it is not such a call.
 */
static bool ebpfs_batch_whole(struct ebpfs_batch *b, struct ebpfs_node *node,
			      struct ebpfs_session *session, const struct ebpfs_req *req,
			      struct ebpfs_call_info *c)
{
	u32 all, linear, path = READ_ONCE(node->cell) + sizeof(struct ebpfs_reply), crc;
	bool guard = ebpfs_keys_guard(&session->keys);
	struct ebpfs_calls *head;
	struct sk_buff *skb;

	if (b->skb || !req->write)
		return false;
	c->apart = false;
	all = sizeof(*head) + ebpfs_call_size(c, false);
	if (all > path || (guard ? all > EBPFS_WHOLE_MAX : !ebpfs_data_lendable(req)))
		return false;
	linear = guard ? all : all - round_up(req->data_len, 8);
	skb = ebpfs_skb_alloc(linear + ebpfs_keys_room(&session->keys));
	if (!skb)
		return true;
	head = skb_put(skb, linear);
	ebpfs_put_calls(head, session->server_id, 1, READ_ONCE(node->cell));
	ebpfs_put_call(head + 1, c, false);
	if (guard) {
		void *data = (u8 *)head + all - round_up(req->data_len, 8);

		ebpfs_data_copy(req, 0, data, req->data_len);
		memset(data + req->data_len, 0, -req->data_len & 7);
		if (!ebpfs_skb_close(skb, session)) {
			kfree_skb(skb);
			return true;
		}
	} else {
		crc = ebpfs_crc_head(head, linear);
		ebpfs_data_lend(skb, req, &crc);
		head->hdr.crc = cpu_to_le32(ebpfs_crc_end(crc));
	}
	__skb_queue_tail(&b->skbs, skb);
	return true;
}

/* Adds an active call. Without memory the call is left to retransmission. */
static void ebpfs_batch_add(struct ebpfs_batch *b, struct ebpfs_node *node,
			    struct ebpfs_session *session, const struct ebpfs_req *req,
			    struct ebpfs_call_info *c, bool alone)
{
	bool reuse = b->skb && req->fh && b->fh == req->fh;
	u32 size, room = ebpfs_keys_room(&session->keys);
	u8 inlined[EBPFS_INLINE_MAX];

	c->op = req->op;
	c->cred = ebpfs_user_number(req->user);
	c->apart = req->data_len > EBPFS_INLINE_MAX;	/* but see ebpfs_batch_whole() */
	c->op_id = req->op_id;
	c->data_len = req->data_len;
	c->data = NULL;
	c->arg = req->arg;
	c->count = req->count;
	c->fh = req->fh;
	c->fh_len = req->fh_len;
	c->name = req->name;
	c->name_len = req->name_len;
	c->attr = (const u8 *)req->attr;

	/* Again, it may be too large for a path that has become narrow: then only what is small
	 * reaches a server that says what it lacks.
	 */
	if (alone && c->apart && !c->attempt && ebpfs_batch_whole(b, node, session, req, c))
		return;
	c->apart = req->data_len > EBPFS_INLINE_MAX;
	size = ebpfs_call_size(c, reuse);
	if (b->skb && size > b->room) {
		ebpfs_batch_close(b);
		reuse = false;
		size = ebpfs_call_size(c, false);
	}
	if (!b->skb) {
		u32 max = alone ? sizeof(struct ebpfs_calls) + size : EBPFS_UDP_PAYLOAD_BASE - room;

		b->session = session;
		b->skb = ebpfs_skb_alloc(max + room);
		if (!b->skb)
			return;
		skb_put(b->skb, ebpfs_put_calls(b->skb->data, session->server_id, 0,
						READ_ONCE(node->cell)));
		b->room = max - b->skb->len;
		b->count = 0;
		__skb_queue_tail(&b->skbs, b->skb);
	}
	if (c->data_len && !c->apart) {
		ebpfs_data_copy(req, 0, inlined, c->data_len);
		c->data = inlined;
	}
	ebpfs_put_call(skb_put(b->skb, size), c, reuse);
	b->room -= size;
	b->count++;
	if (req->fh)
		b->fh = req->fh;
	/* Data are sent with the first attempt; later the server says what it lacks. */
	if (c->apart && !c->attempt)
		ebpfs_data_build(&b->data, session, req, READ_ONCE(node->cell), 0, ~0ull);
}

static void ebpfs_batch_send(struct ebpfs_batch *b, struct ebpfs_node *node)
{
	struct sk_buff *skb;

	while ((skb = __skb_dequeue(&b->skbs)) || (skb = __skb_dequeue(&b->data)))
		ebpfs_send_skb(node, skb);
}

/* What is to be sent next, or NULL. A server that was started anew is asked for nothing before
 * what it may have forgotten was written again. Node's lock held.
 */
static struct ebpfs_req *ebpfs_node_next(struct ebpfs_node *node)
{
	struct ebpfs_req *req;

	if (likely(node->recovery == EBPFS_RECOVERED))
		return list_first_entry_or_null(&node->queue, struct ebpfs_req, link);
	list_for_each_entry(req, &node->queue, link)
		if (req->ahead)
			return req;
	return NULL;
}

/* As ebpfs_dispatch(); RCU read lock held, which keeps the socket: ebpfs_node_stop(). */
static void ebpfs_dispatch_rcu(struct ebpfs_node *node)
{
	struct ebpfs_session *session;
	struct ebpfs_batch batch;
	struct ebpfs_call_info c;
	struct ebpfs_req *req;
	u64 now, rto = 0;
	int slot;

	ebpfs_batch_init(&batch);
	spin_lock_bh(&node->lock);
	session = rcu_dereference_protected(node->session, lockdep_is_held(&node->lock));
	if (!session || node->health.state != EBPFS_NODE_UP)
		goto unlock;
	now = ebpfs_now();
	while ((req = ebpfs_node_next(node))) {
		slot = ebpfs_conn_take_data(&session->conn, req->limit, req->data_len, req, now);
		if (slot < 0)
			break;
		list_move_tail(&req->link, &node->active);
		node->nqueue--;
		req->state = EBPFS_REQ_ACTIVE;
		req->session = session;
		ebpfs_conn_sending(&session->conn, slot, 0, now, &c);
		req->id = c.id;
		ebpfs_batch_add(&batch, node, session, req, &c, !node->nqueue);
		ebpfs_stat_inc(node->stats, calls);
	}
	ebpfs_batch_close(&batch);
	rto = ebpfs_rtt_timeout(&session->conn.rtt, 0);
unlock:
	spin_unlock_bh(&node->lock);
	if (rto) {
		ebpfs_batch_send(&batch, node);
		ebpfs_node_arm(node, now + rto);
	}
}

/**
 * ebpfs_dispatch() - send what is queued, as far as slots and window go
 * @node: node
 *
 * Context: any but hard interrupt, no engine lock held.
 */
void ebpfs_dispatch(struct ebpfs_node *node)
{
	rcu_read_lock();
	ebpfs_dispatch_rcu(node);
	rcu_read_unlock();
}

/**
 * struct ebpfs_plug - calls that wait for further ones, to leave with them
 * @cb: the kernel's; its data is the node
 * @held: the mount is, as by a call
 */
struct ebpfs_plug {
	struct blk_plug_cb cb;
	bool held;
};

/* The task has submitted all, or goes to sleep. */
static void ebpfs_unplug(struct blk_plug_cb *cb, bool from_schedule)
{
	struct ebpfs_node *node = cb->data;

	kfree(container_of(cb, struct ebpfs_plug, cb));
	ebpfs_dispatch(node);
	ebpfs_calls_end(node->mnt);
}

/*
 * Is the task submitting several things at a time (io_uring, libaio), so that what is in
 * the node's queue goes out when it is through? @ios: how many it has to announce. Most
 * others who plug do it around a single readahead or a walk of write-back.
 */
static bool ebpfs_plugged(struct ebpfs_node *node, unsigned short ios)
{
	struct ebpfs_plug *plug;
	struct blk_plug_cb *cb;

	if (!current->plug || current->plug->nr_ios < ios || !in_task())
		return false;
	cb = blk_check_plugged(ebpfs_unplug, node, sizeof(*plug));
	if (!cb)
		return false;
	plug = container_of(cb, struct ebpfs_plug, cb);
	if (!plug->held) {
		plug->held = true;
		atomic_inc(&node->mnt->calls);
	}
	return true;
}

static void ebpfs_submit(struct list_head *reqs, unsigned short ios)
{
	struct ebpfs_req *req = list_first_entry(reqs, struct ebpfs_req, link);
	struct ebpfs_mount *mnt = req->mnt;
	struct ebpfs_node *node;
	struct ebpfs_req *tmp;
	LIST_HEAD(failed);
	bool plugged;
	int n = 0;

	list_for_each_entry(req, reqs, link)
		if (req->state == EBPFS_REQ_NEW)
			n++;
	atomic_add(n, &mnt->calls);
	req = list_first_entry(reqs, struct ebpfs_req, link);

	rcu_read_lock();
	do {
		node = ebpfs_place_req(mnt, req->hash);
		if (!node) {	/* the mount's last node goes: it is being ended */
			list_splice_init(reqs, &failed);
			break;
		}
		spin_lock_bh(&node->lock);
		if (node->removed && !READ_ONCE(mnt->aborted)) {
			spin_unlock_bh(&node->lock);
			continue;	/* the table has changed: choose again */
		}
		list_for_each_entry_safe(req, tmp, reqs, link) {
			WRITE_ONCE(req->node, node);
			/* Pairs with ebpfs_req_kill(): one sees the other. */
			smp_mb();
			if (unlikely(READ_ONCE(req->error) || READ_ONCE(mnt->aborted))) {
				WRITE_ONCE(req->state, EBPFS_REQ_DONE);
				list_move_tail(&req->link, &failed);
				continue;
			}
			list_move_tail(&req->link, &node->queue);
			/* Not before: who kills it may still have the lock of the node where it
			 * was, and takes out of a queue what is QUEUED.
			 */
			WRITE_ONCE(req->state, EBPFS_REQ_QUEUED);
			node->nqueue++;
		}
		/* While none of them can have ended, and with them the mount. */
		plugged = ebpfs_plugged(node, ios);
		spin_unlock_bh(&node->lock);
		if (!plugged)
			ebpfs_dispatch_rcu(node);
		/* A node that is not UP sends nothing, but deadlines must fire. */
		if (mnt->soft)
			ebpfs_node_arm(node, ebpfs_now() + mnt->timeo);
	} while (!list_empty(reqs));
	rcu_read_unlock();

	list_for_each_entry_safe(req, tmp, &failed, link) {
		list_del_init(&req->link);
		req->state = EBPFS_REQ_DONE;
		if (!req->error)
			req->error = -EIO;
		ebpfs_req_finish(req, req->error);
	}
}

/**
 * ebpfs_req_submit_batch() - hand over calls of one file
 * @reqs: list of struct ebpfs_req by link, all with the same hash; emptied
 *
 * Each comes back through its done(), perhaps before this returns.
 * Context: any but hard interrupt, no engine lock held.
 */
void ebpfs_req_submit_batch(struct list_head *reqs)
{
	ebpfs_submit(reqs, 2);
}

/**
 * ebpfs_req_submit_async() - hand over calls for which the caller does not wait
 * @reqs: as ebpfs_req_submit_batch()
 *
 * They leave with those that the same task submits next, if it has plugged.
 */
void ebpfs_req_submit_async(struct list_head *reqs)
{
	ebpfs_submit(reqs, 1);
}

/* As ebpfs_req_submit_batch(), for one call. */
void ebpfs_req_submit(struct ebpfs_req *req)
{
	LIST_HEAD(one);

	list_add(&req->link, &one);
	ebpfs_req_submit_batch(&one);
}

/* A call that waited at its user goes on, or fails with @err. */
void ebpfs_req_again(struct ebpfs_req *req, int err)
{
	memset(&req->res, 0, sizeof(req->res));
	if (err) {
		req->state = EBPFS_REQ_DONE;
		ebpfs_req_finish(req, err);
	} else {
		ebpfs_req_submit(req);
	}
}

/* Calls that were taken off a node go to wherever they belong now. */
static void ebpfs_req_move(struct list_head *reqs)
{
	struct ebpfs_req *req, *tmp;

	list_for_each_entry_safe(req, tmp, reqs, link) {
		list_del_init(&req->link);
		ebpfs_stat_inc(req->node->stats, calls_moved);
		ebpfs_req_submit(req);
	}
}

static void ebpfs_req_fail(struct list_head *reqs)
{
	struct ebpfs_req *req, *tmp;

	list_for_each_entry_safe(req, tmp, reqs, link) {
		list_del_init(&req->link);
		ebpfs_req_finish(req, req->error);
	}
}

/**
 * ebpfs_req_leave_slot() - the filler was told COMPLETE or RELEASE
 * @session: of the slot
 * @req: the call
 * @slot: index
 * @res: the reply, NULL if it was cancelled
 * @now: ns
 *
 * Context: softirq, RCU read lock held.
 */
void ebpfs_req_leave_slot(struct ebpfs_session *session, struct ebpfs_req *req,
			  u16 slot, const struct ebpfs_result *res, u64 now)
{
	struct ebpfs_node *node = session->node;
	bool more, bulk, back = false;
	int err;

	spin_lock_bh(&node->lock);
	list_del_init(&req->link);
	ebpfs_conn_put(&session->conn, slot, now);
	err = READ_ONCE(req->error);
	if (res) {
		req->res = *res;
		err = 0;
	}
	WRITE_ONCE(req->state, res || err ? EBPFS_REQ_DONE : EBPFS_REQ_TRANSIT);
	/* The last fragment of a call that was given up may have been a bad one. */
	if (res && unlikely(node->health.state != EBPFS_NODE_UP))
		back = ebpfs_node_heard(node, session, now);
	more = !list_empty(&node->queue);
	bulk = req->write;
	spin_unlock_bh(&node->lock);

	if (res || err) {
		ebpfs_req_finish(req, err);
	} else {
		LIST_HEAD(one);

		list_add(&req->link, &one);
		ebpfs_req_move(&one);
	}
	/* Answers to WRITEs come several at a time, and so do the calls that follow them. */
	if (more && bulk)
		tasklet_schedule(&node->more);
	else if (more)
		ebpfs_dispatch(node);
	if (back)
		ebpfs_node_arm(node, now);
}

/* Takes an active call out of its slot. node->lock held. Return: false if a
 * filler or the completion has it, and will pass by here.
 */
static bool ebpfs_req_unslot(struct ebpfs_req *req)
{
	struct ebpfs_conn *conn = &req->session->conn;

	if (ebpfs_conn_cancel(conn, req->id) != EBPFS_CANCEL_NOW)
		return false;
	ebpfs_conn_put(conn, EBPFS_ID_SLOT(req->id), ebpfs_now());
	return true;
}

/**
 * ebpfs_req_kill() - end a call early
 * @req: submitted; must stay valid during this call, so its done() must not
 *	free it
 * @err: negative
 *
 * Afterwards done() was called, or will be without waiting for the network.
 * Context: process, no engine lock held.
 */
void ebpfs_req_kill(struct ebpfs_req *req, int err)
{
	struct ebpfs_node *node;
	bool mine = false;

	WRITE_ONCE(req->error, err);
	smp_mb();	/* pairs with ebpfs_submit() */
	for (;;) {
		node = READ_ONCE(req->node);
		if (!node)	/* not submitted yet; that will see the error */
			return;
		spin_lock_bh(&node->lock);
		if (node == READ_ONCE(req->node))
			break;
		spin_unlock_bh(&node->lock);
	}
	switch (READ_ONCE(req->state)) {
	case EBPFS_REQ_QUEUED:
		node->nqueue--;
		mine = true;
		break;
	case EBPFS_REQ_ACTIVE:
		mine = ebpfs_req_unslot(req);
		break;
	case EBPFS_REQ_USER:
		mine = ebpfs_user_leave(req);
		break;
	default:	/* whoever has it looks at req->error before it is queued again */
		break;
	}
	if (mine) {
		list_del_init(&req->link);
		req->state = EBPFS_REQ_DONE;
	}
	spin_unlock_bh(&node->lock);
	if (mine)
		ebpfs_req_finish(req, err);
	ebpfs_dispatch(node);
}

/* Takes calls off @node onto @out: all (@err as their error, or 0 to move
 * them), or only those past their deadline at @now.
 */
static void ebpfs_node_take(struct ebpfs_node *node, int err, u64 now, struct list_head *out)
{
	struct ebpfs_req *req, *tmp;
	u8 state = err ? EBPFS_REQ_DONE : EBPFS_REQ_TRANSIT;

	lockdep_assert_held(&node->lock);
	list_for_each_entry_safe(req, tmp, &node->active, link) {
		if (req->deadline > now)
			continue;
		if (err)
			WRITE_ONCE(req->error, err);
		if (!ebpfs_req_unslot(req))
			continue;
		WRITE_ONCE(req->state, state);
		list_move_tail(&req->link, out);
	}
	list_for_each_entry_safe(req, tmp, &node->queue, link) {
		if (req->deadline > now)
			continue;
		if (err)
			WRITE_ONCE(req->error, err);
		WRITE_ONCE(req->state, state);
		node->nqueue--;
		list_move_tail(&req->link, out);
	}
}

/**
 * ebpfs_node_drain() - take all calls off a node
 * @node: node
 * @err: negative: they fail with it; 0: they move to the nodes that are usable
 */
void ebpfs_node_drain(struct ebpfs_node *node, int err)
{
	LIST_HEAD(out);

	spin_lock_bh(&node->lock);
	ebpfs_node_take(node, err, EBPFS_NEVER, &out);
	spin_unlock_bh(&node->lock);
	if (err)
		ebpfs_req_fail(&out);
	else
		ebpfs_req_move(&out);
}

/* Calls past their deadline fail. Softirq: the node's timer. */
void ebpfs_node_expire(struct ebpfs_node *node, u64 now)
{
	struct ebpfs_req *req;
	LIST_HEAD(out);

	spin_lock_bh(&node->lock);
	ebpfs_node_take(node, -ETIMEDOUT, now, &out);
	spin_unlock_bh(&node->lock);
	if (list_empty(&out))
		return;
	list_for_each_entry(req, &out, link)
		ebpfs_stat_inc(node->stats, calls_timed_out);
	ebpfs_req_fail(&out);
	/* They may have been in the way of others. */
	ebpfs_dispatch(node);
}

/**
 * ebpfs_node_requeue() - a node's active calls go back to the head of its queue
 * @node: node, its lock held
 *
 * For a new session. What a filler still has comes back through
 * ebpfs_req_leave_slot() and is submitted anew.
 */
void ebpfs_node_requeue(struct ebpfs_node *node)
{
	struct ebpfs_req *req, *tmp;
	LIST_HEAD(again);

	lockdep_assert_held(&node->lock);
	list_for_each_entry_safe(req, tmp, &node->active, link) {
		if (!ebpfs_req_unslot(req))
			continue;
		WRITE_ONCE(req->state, EBPFS_REQ_QUEUED);
		node->nqueue++;
		list_move_tail(&req->link, &again);
		ebpfs_stat_inc(node->stats, calls_moved);
	}
	list_splice(&again, &node->queue);
}

/**
 * ebpfs_node_resend() - send calls again
 * @node: node
 * @session: of the calls
 * @ids: from ebpfs_conn_due()
 * @n: how many
 *
 * Context: softirq, no engine lock held.
 */
void ebpfs_node_resend(struct ebpfs_node *node, struct ebpfs_session *session,
		       const u64 *ids, u32 n)
{
	struct ebpfs_batch batch;
	struct ebpfs_call_info c;
	u64 now = ebpfs_now();
	u32 i, sent = 0;

	ebpfs_batch_init(&batch);
	rcu_read_lock();
	spin_lock_bh(&node->lock);
	if (session == rcu_access_pointer(node->session)) {
		for (i = 0; i < n; i++) {
			u16 slot = EBPFS_ID_SLOT(ids[i]);

			if (!ebpfs_conn_sending(&session->conn, slot, ids[i], now, &c))
				continue;
			/* Still ours: to leave its slot it needs node->lock. */
			ebpfs_batch_add(&batch, node, session, session->slots[slot].owner,
					&c, n == 1);
			sent++;
		}
		ebpfs_batch_close(&batch);
	}
	spin_unlock_bh(&node->lock);
	ebpfs_batch_send(&batch, node);
	rcu_read_unlock();
	ebpfs_stat_add(node->stats, calls_resent, sent);
}

/**
 * ebpfs_node_need() - the server lacks data of a call
 * @node: node
 * @session: the server's answer came on
 * @n: what it lacks, verified
 *
 * Context: softirq, RCU read lock held.
 */
void ebpfs_node_need(struct ebpfs_node *node, struct ebpfs_session *session,
		     const struct ebpfs_need_info *n)
{
	u16 cell = READ_ONCE(node->cell);
	struct ebpfs_batch batch;
	void *owner;
	u64 cells;

	ebpfs_batch_init(&batch);
	spin_lock_bh(&node->lock);
	if (session == rcu_access_pointer(node->session)) {
		cells = ebpfs_conn_need(&session->conn, n, cell, ebpfs_now(), &owner);
		/* The call is ours still: to leave its slot it needs node->lock. */
		if (cells)
			ebpfs_data_build(&batch.data, session, owner, cell, n->attempt, cells);
	}
	spin_unlock_bh(&node->lock);
	ebpfs_stat_add(node->stats, data_resent, skb_queue_len(&batch.data));
	ebpfs_batch_send(&batch, node);
}

static void ebpfs_call_done(struct ebpfs_req *req, int err)
{
	req->error = err;
	complete(req->waiter);
}

/**
 * ebpfs_call() - make a call and wait for its answer
 * @req: prepared, but for done()
 *
 * Context: process, sleeps. A fatal signal ends the wait.
 * Return: 0 and req->res, or a negative error: the server's, EINTR, EIO
 * (aborted), ETIMEDOUT (soft).
 */
int ebpfs_call(struct ebpfs_req *req)
{
	DECLARE_COMPLETION_ONSTACK(waiter);

	req->waiter = &waiter;
	req->done = ebpfs_call_done;
	ebpfs_req_submit(req);
	if (wait_for_completion_killable(&waiter)) {
		ebpfs_req_kill(req, -EINTR);
		/* Not for the network: at most for a filler on another CPU. */
		wait_for_completion(&waiter);
	}
	return req->error;
}

/**
 * ebpfs_call_patiently() - the same, for as long as some server answers
 * @req: prepared, but for done()
 *
 * For a call that nobody wants to wait for if there is no server, even on a hard mount;
 * but which may take its time at the server.
 *
 * Context, return: as of ebpfs_call(), and ETIMEDOUT.
 */
int ebpfs_call_patiently(struct ebpfs_req *req)
{
	struct ebpfs_mount *mnt = req->mnt;
	unsigned long step = nsecs_to_jiffies(mnt->timeo * (mnt->retrans + 1)) + 1;
	DECLARE_COMPLETION_ONSTACK(waiter);
	long left;

	req->waiter = &waiter;
	req->done = ebpfs_call_done;
	ebpfs_req_submit(req);
	do {
		left = wait_for_completion_killable_timeout(&waiter, step);
	} while (!left && READ_ONCE(mnt->nodes_up));
	if (left <= 0) {
		ebpfs_req_kill(req, left ? -EINTR : -ETIMEDOUT);
		wait_for_completion(&waiter);
	}
	return req->error;
}

/**
 * ebpfs_mount_abort() - every call fails with EIO, now and later
 * @mnt: mount
 */
void ebpfs_mount_abort(struct ebpfs_mount *mnt)
{
	struct ebpfs_node *node;

	WRITE_ONCE(mnt->aborted, true);
	smp_mb();	/* pairs with ebpfs_req_submit_batch() */
	mutex_lock(&mnt->nodes_lock);
	list_for_each_entry(node, &mnt->nodes, link)
		ebpfs_node_drain(node, -EIO);
	mutex_unlock(&mnt->nodes_lock);
	wake_up_all(&mnt->wait);
}
