// SPDX-License-Identifier: GPL-2.0
/*
 * What ebpfsd lets the module answer: sessions and grants, told through the device that
 * <ebpfs/serve.h> describes. Process context, but for the two that find.
 *
 * A grant stands for what was true when it was made: who called was allowed to read the
 * file, whose ctime was the one that is noted. What could change the first changes the
 * second (permissions, owner, ACLs, a security label), and serve.c compares it each time.
 * Clocks of filesystems tick in milliseconds: two changes within a tick look like one, so
 * a file is granted only when its last change is over for long (EBPFS_GRANT_AGE).
 */
#include <linux/file.h>
#include <linux/fsnotify.h>
#include <linux/hashtable.h>
#include <linux/magic.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/net.h>
#include <linux/slab.h>
#include <linux/unaligned.h>
#include <net/inet_sock.h>
#include <net/ipv6.h>

#include "serve.h"

#define EBPFS_GRANT_AGE		100	/* ms, many ticks of the slowest clock, 10 ms */

static DEFINE_HASHTABLE(ebpfs_servings, 10);
static DEFINE_HASHTABLE(ebpfs_grants, 14);
static DEFINE_HASHTABLE(ebpfs_grants_fh, 14);
DEFINE_MUTEX(ebpfs_serve_lock);
/* Not freed yet. */
static atomic_t ebpfs_live = ATOMIC_INIT(0);

/* Handles of ebpfsd end with a tag, which is spread well; it is who makes these tables. */
static u64 ebpfs_fh_hash(const u8 *fh, u16 fh_len)
{
	return fh_len < sizeof(u64) ? 0 : get_unaligned((const u64 *)(fh + fh_len - sizeof(u64)));
}

static u64 ebpfs_grant_hash(const struct ebpfs_serving *s, u32 cred, const u8 *fh, u16 fh_len)
{
	return ebpfs_fh_hash(fh, fh_len) ^ (unsigned long)s ^ cred;
}

static bool ebpfs_fh_equal(const u8 *a, const u8 *b, u16 len)
{
	for (; len >= sizeof(u64); a += sizeof(u64), b += sizeof(u64), len -= sizeof(u64))
		if (get_unaligned((const u64 *)a) != get_unaligned((const u64 *)b))
			return false;
	for (; len; a++, b++, len--)
		if (*a != *b)
			return false;
	return true;
}

struct ebpfs_serving *ebpfs_serving_find(u64 server_id)
{
	struct ebpfs_serving *s;

	hash_for_each_possible_rcu(ebpfs_servings, s, hash, server_id,
				   lockdep_is_held(&ebpfs_serve_lock))
		if (s->server_id == server_id)
			return s;
	return NULL;
}

struct ebpfs_grant *ebpfs_grant_find(const struct ebpfs_serving *s, u32 cred,
				     const u8 *fh, u16 fh_len)
{
	u64 key = ebpfs_grant_hash(s, cred, fh, fh_len);
	struct ebpfs_grant *g;

	hash_for_each_possible_rcu(ebpfs_grants, g, hash, key,
				   lockdep_is_held(&ebpfs_serve_lock))
		if (g->session == s && g->cred == cred && g->fh_len == fh_len &&
		    ebpfs_fh_equal(g->fh, fh, fh_len))
			return g;
	return NULL;
}

/* Is the file as it was when it was granted? Any context. */
bool ebpfs_grant_holds(const struct ebpfs_grant *g)
{
	struct timespec64 ctime = inode_get_ctime(file_inode(g->file));

	return timespec64_equal(&ctime, &g->changed);
}

static void ebpfs_grant_free(struct rcu_head *rcu)
{
	struct ebpfs_grant *g = container_of(rcu, struct ebpfs_grant, rcu);

	fput(g->file);
	kfree(g);
	atomic_dec(&ebpfs_live);
}

static void ebpfs_grant_end(struct ebpfs_grant *g)
{
	hash_del_rcu(&g->hash);
	hash_del(&g->hash_fh);
	list_del(&g->link);
	g->session->daemon->ngrants--;
	call_rcu(&g->rcu, ebpfs_grant_free);
}

static void ebpfs_serving_free(struct rcu_head *rcu)
{
	struct ebpfs_serving *s = container_of(rcu, struct ebpfs_serving, rcu);

	dst_cache_destroy(&s->path.dst);
	fput(s->file);
	ebpfs_keys_fini(&s->keys);
	kvfree(s);
	atomic_dec(&ebpfs_live);
}

static void ebpfs_serving_end(struct ebpfs_serving *s)
{
	struct ebpfs_grant *g, *tmp;

	list_for_each_entry_safe(g, tmp, &s->grants, link)
		ebpfs_grant_end(g);
	hash_del_rcu(&s->hash);
	list_del(&s->link);
	s->daemon->nsessions--;
	call_rcu(&s->rcu, ebpfs_serving_free);
}

/* One of @d's own sessions. */
static struct ebpfs_serving *ebpfs_serving_of(struct ebpfs_daemon *d, u64 server_id)
{
	struct ebpfs_serving *s = ebpfs_serving_find(server_id);

	return s && s->daemon == d ? s : NULL;
}

/**
 * ebpfs_serve_addr() - an address as the contract has it becomes one as the module has them
 * @addr: IPv6, or IPv4 mapped
 * @port: network order
 * @scope: of a link-local address
 * @to: out, all zeroes before
 */
void ebpfs_serve_addr(const u8 addr[16], __be16 port, u32 scope, union ebpfs_addr *to)
{
	struct in6_addr a;

	memcpy(&a, addr, sizeof(a));
	if (ipv6_addr_v4mapped(&a)) {
		to->in.sin_family = AF_INET;
		to->in.sin_addr.s_addr = a.s6_addr32[3];
		to->in.sin_port = port;
	} else {
		to->in6.sin6_family = AF_INET6;
		to->in6.sin6_addr = a;
		to->in6.sin6_scope_id = scope;
		to->in6.sin6_port = port;
	}
}

/* Both addresses are of one family. */
static int ebpfs_serving_path(struct ebpfs_serving *s, const struct ebpfs_serve_session *arg)
{
	struct in6_addr peer, local;

	memcpy(&peer, arg->peer, sizeof(peer));
	memcpy(&local, arg->local, sizeof(local));
	if (ipv6_addr_v4mapped(&peer) != ipv6_addr_v4mapped(&local))
		return -EINVAL;
	ebpfs_serve_addr(arg->peer, arg->peer_port, arg->scope, &s->path.to);
	if (ipv6_addr_v4mapped(&peer))
		s->path.from.in.sin_addr.s_addr = local.s6_addr32[3];
	else
		s->path.from.in6.sin6_addr = local;
	return 0;
}

static int ebpfs_serve_session(struct ebpfs_daemon *d, const struct ebpfs_serve_session *arg)
{
	struct ebpfs_serving *s;
	struct socket *sock;
	int err;

	if (!arg->slots || arg->slots > EBPFS_SLOTS_MAX || !arg->instance || !arg->peer_port ||
	    arg->sec < EBPFS_SEC_CRC || arg->sec > EBPFS_SEC_PRIVACY ||
	    arg->cipher > EBPFS_CIPHER_AES256_GCM)
		return -EINVAL;
	if (arg->sec != EBPFS_SEC_CRC && !ebpfs_aead_fast(arg->cipher))
		return -EOPNOTSUPP;
	if (d->nsessions >= EBPFS_SERVE_SESSIONS)
		return -ENOSPC;
	if (ebpfs_serving_find(arg->server_id))
		return -EEXIST;
	s = kvzalloc(struct_size(s, seq, arg->slots), GFP_KERNEL);
	if (!s)
		return -ENOMEM;
	err = ebpfs_serving_path(s, arg);
	if (err)
		goto err_free;
	err = -EBADF;
	s->file = fget(arg->socket);
	if (!s->file)
		goto err_free;
	err = -ENOTSOCK;
	sock = sock_from_file(s->file);
	if (!sock || !sk_is_udp(sock->sk))
		goto err_file;
	err = -EINVAL;
	if (sock->sk->sk_family != s->path.to.sa.sa_family)
		goto err_file;
	err = ebpfs_path_init(&s->path);
	if (err)
		goto err_file;
	INIT_LIST_HEAD(&s->grants);
	s->daemon = d;
	s->sock = sock->sk;
	s->path.port = inet_sk(s->sock)->inet_sport;
	s->server_id = arg->server_id;
	s->client_id = arg->client_id;
	s->instance = arg->instance;
	s->slots = arg->slots;
	s->turn = jiffies;
	s->ticked = jiffies;
	ebpfs_keys_init_lent(&s->keys, arg->sec, arg->cipher);
	atomic_inc(&ebpfs_live);
	list_add(&s->link, &d->sessions);
	d->nsessions++;
	hash_add_rcu(ebpfs_servings, &s->hash, s->server_id);
	return 0;

err_file:
	fput(s->file);
err_free:
	kvfree(s);
	return err;
}

static int ebpfs_serve_keys(struct ebpfs_daemon *d, const struct ebpfs_serve_keys *arg)
{
	struct ebpfs_serving *s = ebpfs_serving_of(d, arg->server_id);
	struct ebpfs_lent_keys lent = { .epoch = arg->epoch };

	if (!s)
		return -ENOENT;
	if (!ebpfs_keys_guard(&s->keys) || memchr_inv(arg->reserved, 0, sizeof(arg->reserved)))
		return -EINVAL;
	memcpy(lent.send, arg->send, sizeof(lent.send));
	memcpy(lent.receive, arg->receive, sizeof(lent.receive));
	ebpfs_keys_add_lent(&s->keys, &lent, ebpfs_now());
	memzero_explicit(&lent, sizeof(lent));
	return 0;
}

static int ebpfs_serve_end(struct ebpfs_daemon *d, u64 server_id)
{
	struct ebpfs_serving *s = ebpfs_serving_of(d, server_id);

	if (!s)
		return -ENOENT;
	ebpfs_serving_end(s);
	return 0;
}

/* Is an uptodate folio of it what read(2) would give, always? Cluster and network
 * filesystems ask others first.
 */
static bool ebpfs_grant_possible(const struct inode *inode)
{
	if (!S_ISREG(inode->i_mode) || IS_DAX(inode))
		return false;
	switch (inode->i_sb->s_magic) {
	case EXT4_SUPER_MAGIC:
	case XFS_SUPER_MAGIC:
	case BTRFS_SUPER_MAGIC:
	case TMPFS_MAGIC:
		return true;
	default:
		return false;
	}
}

/* May who calls read it, from now until its ctime moves? */
static int ebpfs_grant_judge(const struct file *file, struct timespec64 *changed)
{
	struct inode *inode = file_inode(file);
	struct timespec64 now, age;
	int err = -EAGAIN;

	if (!(file->f_mode & FMODE_READ))
		return -EBADF;
	if (!ebpfs_grant_possible(inode))
		return -EOPNOTSUPP;
	/* Somebody wants to be asked each time. */
	if (fsnotify_sb_has_priority_watchers(inode->i_sb, FSNOTIFY_PRIO_CONTENT))
		return -EOPNOTSUPP;
	/* Who changes rights sets the time first, and has the lock. */
	if (!inode_trylock_shared(inode))
		return err;
	*changed = inode_get_ctime(inode);
	ktime_get_coarse_real_ts64(&now);
	age = timespec64_sub(now, *changed);
	/* Some filesystems have whole seconds. */
	if (timespec64_to_ns(&age) >= EBPFS_GRANT_AGE * NSEC_PER_MSEC + inode->i_sb->s_time_gran)
		err = inode_permission(file_mnt_idmap(file), inode, MAY_READ);
	inode_unlock_shared(inode);
	return err;
}

/* The session of @arg and its grant that is asked for, NULL if there is none. */
static int ebpfs_grant_look(struct ebpfs_daemon *d, const struct ebpfs_serve_grant *arg,
			    struct ebpfs_serving **s, struct ebpfs_grant **g)
{
	lockdep_assert_held(&ebpfs_serve_lock);
	*s = ebpfs_serving_of(d, arg->server_id);
	if (!*s)
		return -ENOENT;
	*g = ebpfs_grant_find(*s, arg->cred, arg->fh, arg->fh_len);
	return *g || d->ngrants < EBPFS_SERVE_GRANTS ? 0 : -ENOSPC;
}

/* @g is complete but for its session, and becomes a grant if this succeeds. */
static int ebpfs_grant_add(struct ebpfs_daemon *d, const struct ebpfs_serve_grant *arg,
			   struct ebpfs_grant *g)
{
	struct ebpfs_serving *s;
	struct ebpfs_grant *old;
	int err;

	mutex_lock(&ebpfs_serve_lock);
	err = ebpfs_grant_look(d, arg, &s, &old);
	if (err)
		goto out;
	if (old)
		ebpfs_grant_end(old);
	g->session = s;
	atomic_inc(&ebpfs_live);
	list_add(&g->link, &s->grants);
	d->ngrants++;
	hash_add(ebpfs_grants_fh, &g->hash_fh, ebpfs_fh_hash(g->fh, g->fh_len));
	hash_add_rcu(ebpfs_grants, &g->hash, ebpfs_grant_hash(s, g->cred, g->fh, g->fh_len));
out:
	mutex_unlock(&ebpfs_serve_lock);
	return err;
}

/* Not under the lock while the file is judged: that may wait for a disk. */
static int ebpfs_serve_grant(struct ebpfs_daemon *d, const struct ebpfs_serve_grant *arg)
{
	struct ebpfs_serving *s;
	struct ebpfs_grant *g;
	bool held;
	int err;

	if (!arg->fh_len || arg->fh_len > EBPFS_FH_MAX || memchr_inv(arg->reserved, 0,
								    sizeof(arg->reserved)))
		return -EINVAL;
	mutex_lock(&ebpfs_serve_lock);
	err = ebpfs_grant_look(d, arg, &s, &g);
	held = !err && g && ebpfs_grant_holds(g);
	mutex_unlock(&ebpfs_serve_lock);
	if (err || held)
		return err;
	g = kzalloc(struct_size(g, fh, arg->fh_len), GFP_KERNEL);
	if (!g)
		return -ENOMEM;
	g->cred = arg->cred;
	g->fh_len = arg->fh_len;
	memcpy(g->fh, arg->fh, arg->fh_len);
	err = -EBADF;
	g->file = fget(arg->file);
	if (!g->file)
		goto err_free;
	err = ebpfs_grant_judge(g->file, &g->changed);
	if (!err)
		err = ebpfs_grant_add(d, arg, g);
	if (!err)
		return 0;
	fput(g->file);
err_free:
	kfree(g);
	return err;
}

static int ebpfs_serve_revoke(struct ebpfs_daemon *d, const struct ebpfs_serve_grant *arg)
{
	struct ebpfs_serving *s;
	struct ebpfs_grant *g, *tmp;
	struct hlist_node *next;

	if (arg->fh_len > EBPFS_FH_MAX)
		return -EINVAL;
	if (!arg->fh_len) {
		list_for_each_entry(s, &d->sessions, link)
			list_for_each_entry_safe(g, tmp, &s->grants, link)
				ebpfs_grant_end(g);
		return 0;
	}
	hash_for_each_possible_safe(ebpfs_grants_fh, g, next, hash_fh,
				    ebpfs_fh_hash(arg->fh, arg->fh_len))
		if (g->fh_len == arg->fh_len && ebpfs_fh_equal(g->fh, arg->fh, arg->fh_len) &&
		    g->session->daemon == d)
			ebpfs_grant_end(g);
	return 0;
}

static long ebpfs_serve_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	struct ebpfs_daemon *d = file->private_data;
	void __user *from = (void __user *)arg;
	union {
		struct ebpfs_serve_session session;
		struct ebpfs_serve_grant grant;
		struct ebpfs_serve_names names;
		struct ebpfs_serve_keys keys;
		struct ebpfs_serve_peer peer;
		u64 id;
		s32 socket;
	} in;
	int err;

	if (_IOC_TYPE(cmd) != _IOC_TYPE(EBPFS_SERVE_END) || _IOC_SIZE(cmd) > sizeof(in))
		return -ENOTTY;
	if (copy_from_user(&in, from, _IOC_SIZE(cmd)))
		return -EFAULT;
	if (cmd == EBPFS_SERVE_GRANT)
		return ebpfs_serve_grant(d, &in.grant);
	if (cmd == EBPFS_SERVE_DESCRIBE)
		return ebpfs_serve_describe(&in.names);
	mutex_lock(&ebpfs_serve_lock);
	switch (cmd) {
	case EBPFS_SERVE_SESSION:
		err = ebpfs_serve_session(d, &in.session);
		break;
	case EBPFS_SERVE_END:
		err = ebpfs_serve_end(d, in.id);
		break;
	case EBPFS_SERVE_KEYS:
		err = ebpfs_serve_keys(d, &in.keys);
		memzero_explicit(&in, sizeof(in));
		break;
	case EBPFS_SERVE_REVOKE:
		err = ebpfs_serve_revoke(d, &in.grant);
		break;
	case EBPFS_SERVE_PEER:
		err = ebpfs_serve_peer(d, &in.peer);
		break;
	case EBPFS_SERVE_LEFT:
		err = ebpfs_serve_left(d, in.id);
		break;
	case EBPFS_SERVE_DOOR:
		err = ebpfs_serve_door(d, in.socket);
		break;
	default:
		err = -ENOTTY;
	}
	mutex_unlock(&ebpfs_serve_lock);
	return err;
}

static int ebpfs_serve_open(struct inode *inode, struct file *file)
{
	struct ebpfs_daemon *d = kzalloc(sizeof(*d), GFP_KERNEL);

	if (!d)
		return -ENOMEM;
	INIT_LIST_HEAD(&d->sessions);
	INIT_LIST_HEAD(&d->peers);
	INIT_LIST_HEAD(&d->doors);
	file->private_data = d;
	return 0;
}

static int ebpfs_serve_release(struct inode *inode, struct file *file)
{
	struct ebpfs_daemon *d = file->private_data;
	struct ebpfs_serving *s, *tmp;

	mutex_lock(&ebpfs_serve_lock);
	list_for_each_entry_safe(s, tmp, &d->sessions, link)
		ebpfs_serving_end(s);
	ebpfs_doors_end(d);
	mutex_unlock(&ebpfs_serve_lock);
	kfree_rcu(d, rcu);
	return 0;
}

static const struct file_operations ebpfs_serve_fops = {
	.owner = THIS_MODULE,
	.open = ebpfs_serve_open,
	.release = ebpfs_serve_release,
	.unlocked_ioctl = ebpfs_serve_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
};

static struct miscdevice ebpfs_serve_device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = EBPFS_SERVE_DEVICE,
	.fops = &ebpfs_serve_fops,
	.mode = 0600,
};

int ebpfs_grant_init(void)
{
	BUILD_BUG_ON(EBPFS_SERVE_FH != EBPFS_FH_MAX);
	return misc_register(&ebpfs_serve_device);
}

/* No program is loaded and no device open any more: both hold the module. */
void ebpfs_grant_exit(void)
{
	misc_deregister(&ebpfs_serve_device);
	rcu_barrier();
	if (atomic_read(&ebpfs_live))
		pr_warn("ebpfs: %d sessions and grants left behind\n", atomic_read(&ebpfs_live));
}
