// SPDX-License-Identifier: GPL-2.0
/*
 * One server of one mount: its socket, its sessions, its timer.
 *
 * The timer (softirq) sends again what is due, ends what is past its deadline
 * and notices silence. The work (process context, one instance at a time)
 * does what allocates or is rare: handshakes, new sessions, path MTU probes,
 * moving calls off a node that is lost. Whether a node is used is decided by
 * core/node.c; here the decisions are carried out.
 *
 * Life: ebpfs_node_create() makes it known to the receive path (its socket),
 * ebpfs_node_stop() cuts every way in, waits for all who are inside, and lets
 * go of socket and session; the struct itself stays until the mount ends,
 * because calls remember the node they were last at.
 */
#include <linux/hash.h>
#include <linux/inet.h>
#include <linux/netlink.h>
#include <linux/random.h>
#include <linux/slab.h>
#include <net/ipv6.h>
#include <net/udp.h>
#include <net/udp_tunnel.h>

#include "door.h"

#define EBPFS_DUE_BATCH	32
#define EBPFS_LOST_MAX	(2 * EBPFS_NSEC_PER_SEC)
#define EBPFS_KEEP_SERIAL	(1u << 31)	/* of PROBEs that say no more than "I live", a
						 * number of the wait for an answer added */

static DEFINE_HASHTABLE(ebpfs_sessions, 10);
static DEFINE_SPINLOCK(ebpfs_sessions_lock);
struct workqueue_struct *ebpfs_wq;
static atomic_t ebpfs_live_sessions = ATOMIC_INIT(0);
static atomic_t ebpfs_live_nodes = ATOMIC_INIT(0);

int ebpfs_node_init(void)
{
	ebpfs_wq = alloc_workqueue("ebpfs", WQ_UNBOUND | WQ_MEM_RECLAIM, 0);
	return ebpfs_wq ? 0 : -ENOMEM;
}

void ebpfs_node_exit(void)
{
	destroy_workqueue(ebpfs_wq);
	rcu_barrier();
	WARN(atomic_read(&ebpfs_live_sessions) || atomic_read(&ebpfs_live_nodes),
	     "ebpfs: %d sessions and %d nodes left behind\n",
	     atomic_read(&ebpfs_live_sessions), atomic_read(&ebpfs_live_nodes));
}

bool ebpfs_addr_equal(const union ebpfs_addr *a, const union ebpfs_addr *b)
{
	if (a->sa.sa_family != b->sa.sa_family)
		return false;
	if (a->sa.sa_family == AF_INET)
		return a->in.sin_port == b->in.sin_port &&
		       a->in.sin_addr.s_addr == b->in.sin_addr.s_addr;
	return a->in6.sin6_port == b->in6.sin6_port &&
	       ipv6_addr_equal(&a->in6.sin6_addr, &b->in6.sin6_addr);
}

/* The placement key: the same number on every client that uses this address. */
u64 ebpfs_node_key(const union ebpfs_addr *addr)
{
	u8 bytes[18] = {};

	if (addr->sa.sa_family == AF_INET) {
		memcpy(bytes, &addr->in.sin_addr, 4);
		memcpy(bytes + 16, &addr->in.sin_port, 2);
	} else {
		memcpy(bytes, &addr->in6.sin6_addr, 16);
		memcpy(bytes + 16, &addr->in6.sin6_port, 2);
	}
	return ebpfs_place_hash(bytes, sizeof(bytes));
}

/**
 * ebpfs_session_find() - the session with an identity
 * @id: the client's identity
 *
 * Context: RCU read lock held.
 */
struct ebpfs_session *ebpfs_session_find(u64 id)
{
	struct ebpfs_session *s;

	hash_for_each_possible_rcu(ebpfs_sessions, s, hash, id)
		if (s->id == id)
			return s;
	return NULL;
}

static void ebpfs_session_free_rcu(struct rcu_head *rcu)
{
	struct ebpfs_session *s = container_of(rcu, struct ebpfs_session, rcu);

	ebpfs_conn_fini(&s->conn);
	ebpfs_keys_fini(&s->keys);
	memzero_explicit(s->key, sizeof(s->key));
	kvfree(s);
	atomic_dec(&ebpfs_live_sessions);
}

/* No new filler finds it; those at work finish within the grace period. */
static void ebpfs_session_put(struct ebpfs_session *s)
{
	spin_lock_bh(&ebpfs_sessions_lock);
	hash_del_rcu(&s->hash);
	spin_unlock_bh(&ebpfs_sessions_lock);
	call_rcu(&s->rcu, ebpfs_session_free_rcu);
}

/**
 * ebpfs_node_arm() - let the timer run at @at or before
 * @node: node
 * @at: ns
 */
void ebpfs_node_arm(struct ebpfs_node *node, u64 at)
{
	u64 now = ebpfs_now();

	timer_reduce(&node->timer, jiffies + (at > now ? nsecs_to_jiffies(at - now) + 1 : 0));
}

static void ebpfs_node_kick(struct ebpfs_node *node)
{
	queue_work(ebpfs_wq, &node->work);
}

/* The path or the session has changed: what to ask for. node->lock held. */
static void ebpfs_node_set_sizes(struct ebpfs_node *node, const struct ebpfs_session *s)
{
	u32 most = min(s->unit_max, node->mnt->rsize) & PAGE_MASK;
	u32 room = ebpfs_keys_room(&s->keys), cell;

	lockdep_assert_held(&node->lock);
	cell = min_t(u32, ebpfs_pmtu_cell(&node->pmtu, room), s->cell_max);
	/* What is encrypted is put into chunks. */
	if (room)
		cell = min_t(u32, cell, EBPFS_GUARDED_CELL_MAX);
	WRITE_ONCE(node->cell, cell);
	WRITE_ONCE(node->unit, ebpfs_pmtu_unit(&node->pmtu, most, room));
	WRITE_ONCE(node->unit_most, most);
}

/**
 * ebpfs_node_renewed() - the server has heard of us
 * @node: node
 * @at: when what it heard was sent, ns
 */
void ebpfs_node_renewed(struct ebpfs_node *node, u64 at)
{
	/* Two at once may leave the earlier one: then leases end too early. */
	if (at > READ_ONCE(node->renewed_at))
		WRITE_ONCE(node->renewed_at, at);
}

/* Does the server still keep what we hold, at time @now? It might not for long. */
bool ebpfs_node_keeps(const struct ebpfs_node *node, u64 now)
{
	return now < READ_ONCE(node->renewed_at) + READ_ONCE(node->lease) / 4 * 3;
}

/* Does the server live? It hears that we do. Timer. */
static void ebpfs_node_ask(struct ebpfs_node *node, struct ebpfs_session *s, u64 now)
{
	struct ebpfs_probe probe;
	u32 serial;

	spin_lock(&node->lock);
	if (!node->keep_at) {
		node->keep_at = now;
		node->keep_serial = (node->keep_serial + 1) | EBPFS_KEEP_SERIAL;
	}
	serial = node->keep_serial;
	spin_unlock(&node->lock);
	ebpfs_put_probe(&probe, EBPFS_PROBE, s->server_id, serial, sizeof(probe));
	ebpfs_send_session(s, &probe, sizeof(probe));
}

/* So that the server hears of us while nothing is asked. Timer. Return: when again. */
static u64 ebpfs_node_keep(struct ebpfs_node *node, struct ebpfs_session *s, u64 now)
{
	u64 lease = READ_ONCE(node->lease);
	u64 due = max(READ_ONCE(node->renewed_at) + lease / 3, node->keep_again);

	if (!atomic_read(&node->mnt->holding) || !lease)
		return EBPFS_NEVER;
	if (due > now)
		return due;
	node->keep_again = now + lease / 10;
	ebpfs_node_ask(node, s, now);
	return node->keep_again;
}

static void ebpfs_node_more(struct tasklet_struct *more)
{
	ebpfs_dispatch(container_of(more, struct ebpfs_node, more));
}

/* Silence after which a node is LOST, ns. */
static u64 ebpfs_lost_after(const struct ebpfs_mount *mnt)
{
	return min(READ_ONCE(mnt->timeo), EBPFS_LOST_MAX);
}

static void ebpfs_node_timer(struct timer_list *timer)
{
	struct ebpfs_node *node = from_timer(node, timer, timer);
	struct ebpfs_mount *mnt = node->mnt;
	struct ebpfs_session *session;
	u64 next = EBPFS_NEVER, silence = 0, again, now = ebpfs_now();
	bool kick, ask, lost = false, tell = false, rekey = false;
	u64 ids[EBPFS_DUE_BATCH];
	u32 n;

	rcu_read_lock();
	session = rcu_dereference(node->session);
	if (session) {
		do {
			n = ebpfs_conn_due(&session->conn, now, ids, EBPFS_DUE_BATCH, &next);
			if (n)
				ebpfs_node_resend(node, session, ids, n);
		} while (n == EBPFS_DUE_BATCH);
		silence = ebpfs_conn_silence(&session->conn, now);
		next = min(next, ebpfs_node_keep(node, session, now));
		next = min(next, ebpfs_keys_tick(&session->keys, now));
		rekey = ebpfs_keys_due(&session->keys, now);
		next = min(next, READ_ONCE(session->keys.ask_at));
	}
	if (mnt->soft)
		ebpfs_node_expire(node, now);

	spin_lock(&node->lock);
	/* A remount may have changed it. */
	ebpfs_health_patience(&node->health, ebpfs_lost_after(mnt),
			      session ? ebpfs_rtt_timeout(&session->conn.rtt, 0) : 0);
	if (session)
		lost = ebpfs_health_silence(&node->health, silence, now);
	if (lost)
		clear_bit(node->index, &mnt->nodes_up);
	ask = ebpfs_health_ask(&node->health, silence, now, &again);
	next = min(next, again);
	if (!node->silent && node->health.state != EBPFS_NODE_UP && silence > mnt->timeo) {
		node->silent = true;
		tell = true;
	}
	if (session && READ_ONCE(session->conn.blackhole)) {
		WRITE_ONCE(session->conn.blackhole, false);
		ebpfs_pmtu_blackhole(&node->pmtu, now);
		ebpfs_node_set_sizes(node, session);
	}
	next = min(next, ebpfs_health_next(&node->health));
	if (session)
		next = min(next, node->pmtu.next_at);
	kick = lost || rekey || ebpfs_health_next(&node->health) <= now ||
	       (session && node->pmtu.next_at <= now);
	if (list_empty(&node->queue) && list_empty(&node->active))
		ebpfs_chunks_free(&node->chunks);
	else if (mnt->soft)
		next = min(next, now + mnt->timeo / 4);
	spin_unlock(&node->lock);

	if (ask)
		ebpfs_node_ask(node, session, now);
	if (lost)
		ebpfs_stat_inc(node->stats, node_lost);
	if (tell)
		pr_warn_ratelimited("ebpfs: server %pISpc not responding, still trying\n",
				    &node->path.to);
	if (kick)
		ebpfs_node_kick(node);
	/* The work moves its times on; until it has run there is no hurry. */
	if (next != EBPFS_NEVER)
		ebpfs_node_arm(node, max(next, now + EBPFS_RTO_MIN));
	rcu_read_unlock();
}

/* The node answers (again), and its path may be another than it was: what was
 * known of it, or given up while the node was silent, does not count.
 */
static void ebpfs_node_back(struct ebpfs_node *node, const struct ebpfs_session *s,
			    u32 ceiling, u64 now)
{
	lockdep_assert_held(&node->lock);
	ebpfs_pmtu_init(&node->pmtu, ceiling, now);
	ebpfs_node_set_sizes(node, s);
	set_bit(node->index, &node->mnt->nodes_up);
	if (node->silent)
		pr_info("ebpfs: server %pISpc OK\n", &node->path.to);
	node->silent = false;
}

/**
 * ebpfs_node_heard() - something verified came on a node's session
 * @node: node, its lock held
 * @s: a session of it, maybe an old one
 * @now: ns
 *
 * Return: true if that makes a LOST node UP: dispatch, and arm for @node->pmtu.
 */
bool ebpfs_node_heard(struct ebpfs_node *node, const struct ebpfs_session *s, u64 now)
{
	if (node->removed || s != rcu_access_pointer(node->session) ||
	    !ebpfs_health_heard(&node->health))
		return false;
	ebpfs_node_back(node, s, node->pmtu.ceiling, now);
	return true;
}

/**
 * ebpfs_node_hear() - a datagram other than REPLY came from a node
 * @node: of whose socket and from whose address it is
 * @msg: the datagram, plain
 * @len: bytes
 * @type: parsed
 * @session: parsed
 *
 * Context: softirq, RCU read lock held; the checksum is right. If it is one of a session
 * with keys, its guard was.
 */
void ebpfs_node_hear(struct ebpfs_node *node, const void *msg, u32 len, u8 type, u64 session)
{
	struct ebpfs_session *s = rcu_dereference(node->session);
	const struct ebpfs_probe *probe;
	struct ebpfs_need_info need;
	struct ebpfs_recall_info recall;
	struct ebpfs_recalled recalled;
	u64 now = ebpfs_now();
	bool back = false;

	switch (type) {
	case EBPFS_CHALLENGE:
	case EBPFS_ACCEPT:
	case EBPFS_REJECT:
	case EBPFS_REKEYED:
		if (len > sizeof(node->inbox))
			return;
		/* There is one inbox: nobody who does not know the identity, which is new
		 * with each handshake, may put another message in the place of the right one.
		 */
		if (type != EBPFS_REKEYED &&
		    (!session || session != READ_ONCE(node->hello))) {
			ebpfs_stat_inc(node->stats, drop_session);
			break;
		}
		spin_lock(&node->work_lock);
		memcpy(node->inbox, msg, len);
		node->inbox_len = len;
		spin_unlock(&node->work_lock);
		ebpfs_node_kick(node);
		break;
	case EBPFS_PROBE_ACK:
		if (!s || s->id != session)
			break;
		probe = msg;
		ebpfs_stat_inc(node->stats, probe_acks);
		ebpfs_conn_heard(&s->conn, now);
		spin_lock(&node->lock);
		if (le32_to_cpu(probe->serial) & EBPFS_KEEP_SERIAL) {
			/* Not one that came twice, or late. */
			if (node->keep_at && le32_to_cpu(probe->serial) == node->keep_serial) {
				ebpfs_node_renewed(node, node->keep_at);
				node->keep_at = 0;
			}
		} else if (ebpfs_pmtu_acked(&node->pmtu, le32_to_cpu(probe->serial),
					    len + ebpfs_keys_room(&s->keys), now)) {
			ebpfs_node_set_sizes(node, s);
		}
		back = ebpfs_node_heard(node, s, now);
		spin_unlock(&node->lock);
		if (back)
			ebpfs_dispatch(node);
		ebpfs_node_arm(node, node->pmtu.next_at);
		break;
	case EBPFS_NEED:
		if (!s || s->id != session)
			ebpfs_stat_inc(node->stats, drop_session);
		else if (ebpfs_parse_need(msg, &need))
			ebpfs_stat_inc(ebpfs_global_stats, drop_malformed);
		else
			ebpfs_node_need(node, s, &need);
		break;
	case EBPFS_RECALL:
		if (!s || s->id != session) {
			ebpfs_stat_inc(node->stats, drop_session);
			break;
		}
		if (ebpfs_parse_recall(msg, &recall)) {
			ebpfs_stat_inc(ebpfs_global_stats, drop_malformed);
			break;
		}
		if (recall.kind == EBPFS_RECALL_LOCK) {
			ebpfs_lock_hint(node->mnt);
			break;
		}
		ebpfs_stat_inc(node->stats, recalls);
		if (ebpfs_recall(node->mnt, &recall))
			ebpfs_send_session(s, &recalled,
					   ebpfs_put_recalled(&recalled, s->server_id, recall.id));
		break;
	case EBPFS_UNKNOWN:
		if (!s || s->server_id != session) {
			ebpfs_stat_inc(node->stats, drop_session);
			break;
		}
		ebpfs_stat_inc(node->stats, session_unknown);
		spin_lock(&node->lock);
		ebpfs_health_unknown(&node->health);
		spin_unlock(&node->lock);
		ebpfs_node_kick(node);
		break;
	default:	/* what only servers are sent */
		ebpfs_stat_inc(ebpfs_global_stats, drop_malformed);
		break;
	}
}

/* Calls that wait at nodes that are not UP could move now. */
static void ebpfs_kick_waiting(struct ebpfs_mount *mnt)
{
	struct ebpfs_node *node;

	rcu_read_lock();
	list_for_each_entry_rcu(node, &mnt->nodes, link)
		if (!test_bit(node->index, &mnt->nodes_up))
			ebpfs_node_kick(node);
	rcu_read_unlock();
}

/* The attempt's last message again, or a new attempt: fresh identity and nonce. Work. */
static void ebpfs_node_hello(struct ebpfs_node *node)
{
	struct ebpfs_mount *mnt = node->mnt;
	struct ebpfs_hs_client *hs = &node->hs;
	struct ebpfs_hello hello;
	u64 now = ebpfs_now();

	if (ebpfs_hs_goes_on(hs, now)) {
		if (hs->state == 1)
			ebpfs_send_copy(node, &hello, ebpfs_hs_hello(hs, &hello));
		else
			ebpfs_send_copy(node, &hs->auth, sizeof(hs->auth));
		return;
	}
	ebpfs_stat_inc(node->stats, handshakes);
	memset(hs, 0, sizeof(*hs));
	memcpy(hs->secret, mnt->secret, sizeof(hs->secret));
	memcpy(hs->client, mnt->client, sizeof(hs->client));
	memcpy(hs->export, mnt->export, sizeof(hs->export));
	hs->sec = mnt->sec;
	hs->features = mnt->features;
	hs->slots = mnt->slots;
	hs->owner = mnt->owner;
	hs->began = now;
	do {
		hs->session = get_random_u64();
	} while (!hs->session);
	WRITE_ONCE(node->hello, hs->session);
	get_random_bytes(hs->nonce, sizeof(hs->nonce));
	get_random_bytes(hs->ephemeral, sizeof(hs->ephemeral));
	ebpfs_send_copy(node, &hello, ebpfs_hs_hello(hs, &hello));
}

static const char *ebpfs_reason_text(int reason)
{
	switch (reason) {
	case EBPFS_REJECT_VERSION:
		return "no common protocol version";
	case EBPFS_REJECT_DENIED:
		return "unknown client name or wrong secret";
	case EBPFS_REJECT_EXPORT:
		return "no such export for this client";
	case EBPFS_REJECT_SEC:
		return "the export asks for another sec=";
	case EBPFS_REJECT_BUSY:
		return "the server has too many sessions";
	default:
		return "unknown reason";
	}
}

static int ebpfs_reason_errno(int reason)
{
	switch (reason) {
	case EBPFS_REJECT_VERSION:
		return -EPROTONOSUPPORT;
	case EBPFS_REJECT_DENIED:
		return -EACCES;
	case EBPFS_REJECT_SEC:
		return -EPERM;
	case EBPFS_REJECT_EXPORT:
		return -ENOENT;
	case EBPFS_REJECT_BUSY:
		return -EBUSY;
	default:
		return -EPROTO;
	}
}

static void ebpfs_node_refused(struct ebpfs_node *node, int err, const char *why)
{
	ebpfs_stat_inc(node->stats, handshakes_failed);
	/* Without a limit whoever can forge REJECTs could fill the log. */
	if (READ_ONCE(node->error) != err)
		pr_warn_ratelimited("ebpfs: server %pISpc: no session: %s\n", &node->path.to, why);
	WRITE_ONCE(node->error, err);
	wake_up_all(&node->mnt->wait);
}

/* The server has proved itself: a new session takes the place of the old. Work. */
static void ebpfs_node_join(struct ebpfs_node *node, const struct ebpfs_hs_session *hs)
{
	struct ebpfs_mount *mnt = node->mnt;
	struct ebpfs_session *s, *old;
	u32 ceiling = ebpfs_path_ceiling(node);
	u64 now = ebpfs_now();
	bool other, forgot;

	spin_lock(&mnt->root_lock);
	if (!mnt->root_fh_len) {
		memcpy(mnt->root_fh, hs->root_fh, hs->root_fh_len);
		mnt->root_fh_len = hs->root_fh_len;
	}
	other = mnt->root_fh_len != hs->root_fh_len ||
		memcmp(mnt->root_fh, hs->root_fh, hs->root_fh_len);
	spin_unlock(&mnt->root_lock);
	if (other) {
		ebpfs_node_refused(node, -EXDEV,
			"it exports another directory than the mount's other servers (or has another handle.key)");
		return;
	}

	s = kvzalloc(struct_size(s, slots, hs->slots), GFP_KERNEL);
	if (!s) {
		ebpfs_node_refused(node, -ENOMEM, "out of memory");
		return;
	}
	WRITE_ONCE(node->lease, hs->lease * EBPFS_NSEC_PER_SEC);
	WRITE_ONCE(node->boot, hs->boot);
	if (node->owner_instance && node->owner_instance != hs->owner_instance) {
		ebpfs_stat_inc(node->stats, holds_lost);
		ebpfs_holds_lost(node);
	}
	node->owner_instance = hs->owner_instance;
	s->node = node;
	s->id = hs->client_session;
	s->server_id = hs->server_session;
	s->server_instance = hs->server_instance;
	s->unit_max = hs->unit_max;
	s->cell_max = hs->cell_max;
	memcpy(s->key, hs->key, sizeof(s->key));
	ebpfs_keys_init(&s->keys, hs->sec, hs->features, false, hs->secrets, now, mnt->rekey,
			mnt->rekey_after);
	ebpfs_conn_init(&s->conn, s->slots, hs->slots, ebpfs_keys_room(&s->keys), now);
	ebpfs_rtt_guess(&s->conn.rtt, now - node->hs.asked);
	atomic_inc(&ebpfs_live_sessions);
	spin_lock_bh(&ebpfs_sessions_lock);
	hash_add_rcu(ebpfs_sessions, &s->hash, s->id);
	spin_unlock_bh(&ebpfs_sessions_lock);

	forgot = node->instance && node->instance != hs->server_instance;
	node->instance = hs->server_instance;
	if (forgot)
		atomic_inc(&mnt->forgotten);

	spin_lock_bh(&node->lock);
	old = rcu_dereference_protected(node->session, lockdep_is_held(&node->lock));
	if (node->removed) {
		spin_unlock_bh(&node->lock);
		ebpfs_session_put(s);
		return;
	}
	if (old)
		ebpfs_node_requeue(node);
	if (forgot)
		WRITE_ONCE(node->recovery, EBPFS_FORGOT);
	rcu_assign_pointer(node->session, s);
	ebpfs_health_joined(&node->health);
	ebpfs_node_back(node, s, ceiling, now);
	spin_unlock_bh(&node->lock);

	if (old)
		ebpfs_session_put(old);
	ebpfs_stat_inc(node->stats, sessions);
	WRITE_ONCE(node->error, 0);
	wake_up_all(&mnt->wait);
	if (forgot)
		ebpfs_server_forgot(mnt);
	ebpfs_dispatch(node);
	ebpfs_kick_waiting(mnt);
}

/* Does the node that a call with this hash goes to recover? Any context. */
bool ebpfs_is_recovering(struct ebpfs_mount *mnt, u64 hash)
{
	struct ebpfs_node *node;
	bool is;

	rcu_read_lock();
	node = ebpfs_place_req(mnt, hash);
	is = node && READ_ONCE(node->recovery) != EBPFS_RECOVERED;
	rcu_read_unlock();
	return is;
}

/**
 * ebpfs_nodes_recovery() - a step of recovery
 * @mnt: mount
 * @from: of the nodes that are there
 * @to: where they are then
 *
 * Context: process, no lock held.
 */
void ebpfs_nodes_recovery(struct ebpfs_mount *mnt, enum ebpfs_recovery from,
			  enum ebpfs_recovery to)
{
	struct ebpfs_node *node;
	unsigned int i;

	rcu_read_lock();
	for (i = 0; i < READ_ONCE(mnt->node_count); i++) {
		node = rcu_dereference(mnt->node_at[i]);
		if (!node || READ_ONCE(node->recovery) != from)
			continue;
		spin_lock_bh(&node->lock);
		if (node->recovery == from)
			WRITE_ONCE(node->recovery, to);
		spin_unlock_bh(&node->lock);
		ebpfs_dispatch(node);
	}
	rcu_read_unlock();
}

/* A handshake message has come in. Work. */
static void ebpfs_node_answer(struct ebpfs_node *node, const u8 *msg, u32 len)
{
	struct ebpfs_hs_session session;
	struct ebpfs_session *s;
	struct ebpfs_auth auth;
	u64 id;
	int n;

	switch (ebpfs_parse_hdr(msg, len, &id)) {
	case EBPFS_CHALLENGE:
		n = ebpfs_hs_challenge(&node->hs, msg, len, &auth);
		if (n > 0) {
			node->hs.asked = ebpfs_now();
			ebpfs_send_copy(node, &auth, n);
		}
		memzero_explicit(&auth, sizeof(auth));
		break;
	case EBPFS_ACCEPT:
		n = ebpfs_hs_accept(&node->hs, msg, len, &session);
		if (!n)
			ebpfs_node_join(node, &session);
		else if (n == -EKEYREJECTED)
			ebpfs_node_refused(node, -EKEYREJECTED,
					   "it does not know this client's secret (is it the right server?)");
		memzero_explicit(&session, sizeof(session));
		if (!n) {
			WRITE_ONCE(node->hello, 0);
			memzero_explicit(&node->hs, sizeof(node->hs));
		}
		break;
	case EBPFS_REJECT:
		n = ebpfs_hs_reject(&node->hs, msg, len);
		if (n > 0)
			node->hs.began = 0;
		if (n > 0 && n != EBPFS_REJECT_COOKIE)
			ebpfs_node_refused(node, ebpfs_reason_errno(n), ebpfs_reason_text(n));
		break;
	case EBPFS_REKEYED:
		/* Only the work replaces and frees sessions, so this one stays. */
		s = rcu_dereference_protected(node->session, true);
		if (s && s->id == id &&
		    !ebpfs_keys_answered(&s->keys, (const struct ebpfs_rekey *)msg, ebpfs_now()))
			ebpfs_stat_inc(node->stats, rekeys);
		break;
	}
}

static void ebpfs_node_probe(struct ebpfs_node *node, struct ebpfs_session *s)
{
	struct sk_buff *skb;
	u32 size, serial;
	bool send;

	spin_lock_bh(&node->lock);
	send = ebpfs_pmtu_poll(&node->pmtu, ebpfs_now(),
			       max(ebpfs_rtt_timeout(&s->conn.rtt, 1), 4 * EBPFS_RTO_MIN),
			       &size, &serial);
	spin_unlock_bh(&node->lock);
	if (!send)
		return;
	skb = ebpfs_skb_alloc(size);
	if (!skb)
		return;
	size -= ebpfs_keys_room(&s->keys);
	ebpfs_put_probe(skb_put(skb, size), EBPFS_PROBE, s->server_id, serial, size);
	if (!ebpfs_skb_close(skb, s)) {
		kfree_skb(skb);
		return;
	}
	ebpfs_send_skb(node, skb);
	ebpfs_stat_inc(node->stats, probes);
}

/* New keys, if it is time for them. Work. */
static void ebpfs_node_rekey(struct ebpfs_node *node, struct ebpfs_session *s)
{
	u8 ephemeral[EBPFS_KEY_LEN];
	struct ebpfs_rekey ask;
	u64 now = ebpfs_now();

	if (ebpfs_keys_due(&s->keys, now)) {
		get_random_bytes(ephemeral, sizeof(ephemeral));
		if (ebpfs_keys_ask(&s->keys, now, ephemeral, s->server_id, &ask))
			ebpfs_send_session(s, &ask, sizeof(ask));
		memzero_explicit(ephemeral, sizeof(ephemeral));
	}
	ebpfs_node_arm(node, READ_ONCE(s->keys.ask_at));
}

static void ebpfs_node_work(struct work_struct *work)
{
	struct ebpfs_node *node = container_of(work, struct ebpfs_node, work);
	struct ebpfs_mount *mnt = node->mnt;
	u8 msg[sizeof(node->inbox)];
	struct ebpfs_session *s;
	bool hello, away;
	u64 next;
	u32 len;

	spin_lock_bh(&node->work_lock);
	len = node->inbox_len;
	memcpy(msg, node->inbox, len);
	node->inbox_len = 0;
	spin_unlock_bh(&node->work_lock);
	if (len)
		ebpfs_node_answer(node, msg, len);

	spin_lock_bh(&node->lock);
	hello = !node->removed && ebpfs_health_connect(&node->health, ebpfs_now());
	away = node->health.state != EBPFS_NODE_UP;
	spin_unlock_bh(&node->lock);
	if (hello)
		ebpfs_node_hello(node);
	if (away && (READ_ONCE(mnt->nodes_up) & READ_ONCE(mnt->nodes_used)))
		ebpfs_node_drain(node, 0);

	/* Only the work replaces and frees sessions, so this one stays. */
	s = rcu_dereference_protected(node->session, true);
	if (s) {
		ebpfs_node_probe(node, s);
		if (ebpfs_keys_guard(&s->keys))
			ebpfs_node_rekey(node, s);
	}

	spin_lock_bh(&node->lock);
	next = ebpfs_health_next(&node->health);
	if (s)
		next = min(next, node->pmtu.next_at);
	spin_unlock_bh(&node->lock);
	if (next != EBPFS_NEVER)
		ebpfs_node_arm(node, next);
}

static int ebpfs_node_socket(struct ebpfs_node *node)
{
	struct udp_tunnel_sock_cfg tunnel = {
		.sk_user_data = node,
		.encap_type = 1,
		.encap_rcv = ebpfs_encap_rcv,
	};
	struct udp_port_cfg port = {
		.family = node->path.to.sa.sa_family,
		.use_udp_checksums = 1,
		.use_udp6_tx_checksums = 1,
		.use_udp6_rx_checksums = 1,
		.ipv6_v6only = 1,
	};
	struct net *net = node->mnt->net;
	int err;

	err = udp_sock_create(net, &port, &node->sock);
	if (err)
		return err;
	node->path.port = inet_sk(node->sock->sk)->inet_sport;
	node->sock->sk->sk_allocation = GFP_ATOMIC;
	/* Whoever may end sockets ("ss -K") cannot take the port away, for somebody else. */
	lock_sock(node->sock->sk);
	node->sock->sk->sk_userlocks |= SOCK_BINDPORT_LOCK;
	release_sock(node->sock->sk);
	/* ICMP is not believed: anybody can send it, and what the path carries is probed. */
	if (port.family == AF_INET)
		ip_sock_set_mtu_discover(node->sock->sk, IP_PMTUDISC_PROBE);
	setup_udp_tunnel_sock(net, node->sock, &tunnel);
	/* Super-packets come to encap_rcv whole, and GRO may make them. */
	udp_set_bit(GRO_ENABLED, node->sock->sk);
	udp_set_bit(ACCEPT_L4, node->sock->sk);
	ebpfs_node_door(node);
	return 0;
}

/**
 * ebpfs_node_create() - a server joins a mount
 * @mnt: mount, its nodes_lock held
 * @addr: of the server
 * @extack: for messages, may be NULL
 *
 * Starts the handshake and does not wait for it.
 * Return: the node or an error pointer.
 */
struct ebpfs_node *ebpfs_node_create(struct ebpfs_mount *mnt, const union ebpfs_addr *addr,
				     struct netlink_ext_ack *extack)
{
	struct ebpfs_node *node, *other;
	int err;

	lockdep_assert_held(&mnt->nodes_lock);
	list_for_each_entry(other, &mnt->nodes, link) {
		if (ebpfs_addr_equal(&other->path.to, addr)) {
			NL_SET_ERR_MSG_MOD(extack, "this address is a node of the mount already");
			return ERR_PTR(-EEXIST);
		}
	}
	if (mnt->nodes_used == ~0ull) {
		NL_SET_ERR_MSG_MOD(extack, "a mount has 64 nodes at most");
		return ERR_PTR(-ENOSPC);
	}
	node = kzalloc(sizeof(*node), GFP_KERNEL);
	if (!node)
		return ERR_PTR(-ENOMEM);
	err = -ENOMEM;
	node->stats = alloc_percpu(struct ebpfs_stats);
	if (!node->stats)
		goto err_free;
	err = ebpfs_path_init(&node->path);
	if (err)
		goto err_stats;
	node->mnt = mnt;
	node->path.to = *addr;
	node->key = ebpfs_node_key(addr);
	spin_lock_init(&node->lock);
	spin_lock_init(&node->work_lock);
	INIT_LIST_HEAD(&node->queue);
	INIT_LIST_HEAD(&node->active);
	INIT_LIST_HEAD(&node->chunks.pages);
	timer_setup(&node->timer, ebpfs_node_timer, 0);
	tasklet_setup(&node->more, ebpfs_node_more);
	INIT_WORK(&node->work, ebpfs_node_work);
	ebpfs_health_init(&node->health, ebpfs_lost_after(mnt), ebpfs_now());
	node->pmtu.next_at = EBPFS_NEVER;
	node->cell = EBPFS_CELL_MIN;
	node->unit = PAGE_SIZE;
	node->unit_most = PAGE_SIZE;
	err = ebpfs_node_socket(node);
	if (err) {
		NL_SET_ERR_MSG_MOD(extack, "cannot make a UDP socket for this address");
		goto err_dst;
	}

	atomic_inc(&ebpfs_live_nodes);
	node->number = mnt->next_node++;
	node->index = __ffs64(~mnt->nodes_used);
	mnt->node_keys[node->index] = node->key;
	rcu_assign_pointer(mnt->node_at[node->index], node);
	WRITE_ONCE(mnt->node_count, max(mnt->node_count, node->index + 1));
	smp_wmb();	/* ebpfs_place_req() sees the entry before the bit */
	WRITE_ONCE(mnt->nodes_used, mnt->nodes_used | BIT_ULL(node->index));
	list_add_tail_rcu(&node->link, &mnt->nodes);
	ebpfs_node_kick(node);
	return node;

err_dst:
	dst_cache_destroy(&node->path.dst);
err_stats:
	free_percpu(node->stats);
err_free:
	kfree(node);
	return ERR_PTR(err);
}

static void ebpfs_node_goodbye(struct ebpfs_node *node, struct ebpfs_session *s)
{
	struct ebpfs_bye bye;

	ebpfs_send_session(s, &bye, ebpfs_hs_make_bye(s->server_id, s->key, &bye));
}

/**
 * ebpfs_node_stop() - a node goes out of use
 * @node: no longer in mnt->node_at and mnt->nodes_used
 *
 * Its calls move to other nodes, or fail if the mount is aborted. Afterwards
 * nothing of the node runs and it holds neither socket nor session.
 */
void ebpfs_node_stop(struct ebpfs_node *node)
{
	struct ebpfs_mount *mnt = node->mnt;
	struct ebpfs_session *s;

	spin_lock_bh(&node->lock);
	node->removed = true;
	/* Under the lock: nobody may say that it is up after that. */
	clear_bit(node->index, &mnt->nodes_up);
	spin_unlock_bh(&node->lock);
	ebpfs_node_drain(node, READ_ONCE(mnt->aborted) ? -EIO : 0);

	timer_shutdown_sync(&node->timer);
	ebpfs_node_door_end(node);
	rcu_assign_sk_user_data(node->sock->sk, NULL);
	synchronize_rcu();	/* nobody is in encap_rcv, dispatch or resend any more */
	cancel_work_sync(&node->work);

	spin_lock_bh(&node->lock);
	s = rcu_dereference_protected(node->session, lockdep_is_held(&node->lock));
	RCU_INIT_POINTER(node->session, NULL);
	ebpfs_chunks_free(&node->chunks);
	spin_unlock_bh(&node->lock);
	if (s) {
		ebpfs_node_goodbye(node, s);
		ebpfs_session_put(s);
		/* A steered filler may still have a call; it lets go by itself. */
		synchronize_rcu();
	}
	tasklet_kill(&node->more);
	udp_tunnel_sock_release(node->sock);
	node->sock = NULL;
	dst_cache_destroy(&node->path.dst);
	memzero_explicit(&node->hs, sizeof(node->hs));
}

/* After ebpfs_node_stop(), when no call can remember the node. */
void ebpfs_node_free(struct ebpfs_node *node)
{
	WARN_ON(!list_empty(&node->queue) || !list_empty(&node->active));
	free_percpu(node->stats);
	kfree(node);
	atomic_dec(&ebpfs_live_nodes);
}

/**
 * ebpfs_node_remove() - take a server out of a mount
 * @mnt: mount, its nodes_lock held
 * @number: of the node
 * @extack: for messages
 */
int ebpfs_node_remove(struct ebpfs_mount *mnt, u32 number, struct netlink_ext_ack *extack)
{
	struct ebpfs_node *node;

	lockdep_assert_held(&mnt->nodes_lock);
	list_for_each_entry(node, &mnt->nodes, link) {
		if (node->number != number)
			continue;
		if (list_is_singular(&mnt->nodes)) {
			NL_SET_ERR_MSG_MOD(extack, "the last node of a mount cannot be removed");
			return -EBUSY;
		}
		list_del_rcu(&node->link);
		WRITE_ONCE(mnt->nodes_used, mnt->nodes_used & ~BIT_ULL(node->index));
		ebpfs_node_stop(node);
		RCU_INIT_POINTER(mnt->node_at[node->index], NULL);
		synchronize_rcu();
		list_add(&node->link, &mnt->removed_nodes);
		return 0;
	}
	NL_SET_ERR_MSG_MOD(extack, "the mount has no node with this number");
	return -ENOENT;
}
