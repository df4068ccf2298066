/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The filesystem: what the VFS sees.
 *
 *	super.c   mount options, superblock, statfs, umount
 *	inode.c   inodes, attributes and how long they are believed
 *	namei.c   lookup and revalidation of names
 *	change.c  names made, removed and renamed; attributes set
 *	later.c   attributes that the server is told a little later
 *	xattr.c   extended attributes
 *	space.c   fallocate, holes, copies at the server
 *	dir.c     reading directories
 *	file.c    open, read, write, mmap, fsync
 *	hold.c    open files and leases held at the servers
 *	lock.c    locks held at the servers
 *	acl.c     who may: access control lists and what the server says
 *	read.c    the page cache's misses become READs
 *	write.c   changes in the page cache
 *	writeback.c  they become WRITEs
 *	direct.c  O_DIRECT
 *	append.c  O_APPEND
 *
 * Consistency: attributes and names are believed for actimeo=, or until the lease
 * they came with is recalled; opening a file asks the server and closing it writes back
 * what was changed (close-to-open); a file whose change attribute differs by more than what was
 * done here loses its cached pages. All functions run in process context unless said
 * otherwise; those that call the server sleep and are killable.
 */
#ifndef EBPFS_FS_H
#define EBPFS_FS_H

#include <linux/fs.h>

#include "engine.h"

#define EBPFS_FIRST_SIZES	2	/* of buffers for LOOKUPs with contents */
#define EBPFS_OWN_MAX	8	/* more: the file's cached pages are lost, no harm else */

/**
 * struct ebpfs_sb - a superblock's private part
 * @mnt: the engine's
 * @sb: the superblock
 * @actimeo: how long attributes and names are believed, ns
 * @ciphers: the option: features
 * @actimeo_opt: the option, s
 * @noac: nothing is believed (@actimeo is 0), and writes are synchronous; READ_ONCE
 * @nocto: opening asks only for what is not believed any more
 * @next_hold: the last number of a hold or lock that was given out
 * @holds_lock: protects the next four, see hold.c
 * @open: inodes that are open
 * @idle: inodes that are not, and are held, the oldest first
 * @gone: struct ebpfs_gone
 * @recalled: highest number of a recall
 * @lost_at: when a server last lost what it held, ns; READ_ONCE/WRITE_ONCE
 * @release: gives back what is no longer used
 * @reclaim: holds again what a server lost
 * @recover: writes again what a server has forgotten, see append.c
 * @settle: sends what waits in inodes whose leases are recalled
 * @lock_wait: who waits for a lock of another client
 * @first: buffers for LOOKUPs with contents, of namei.c, that nobody uses, by size; NULL: there
 *	is none; taken and given by xchg() and cmpxchg()
 */
struct ebpfs_sb {
	struct ebpfs_mount mnt;
	struct super_block *sb;
	u64 actimeo;
	u32 ciphers;
	u32 actimeo_opt;
	bool noac;
	bool nocto;
	atomic64_t next_hold;
	spinlock_t holds_lock;
	struct list_head open;
	struct list_head idle;
	struct list_head gone;
	u64 recalled;
	u64 lost_at;
	struct delayed_work release;
	struct work_struct reclaim;
	struct work_struct recover;
	struct work_struct settle;
	wait_queue_head_t lock_wait;
	void *first[EBPFS_FIRST_SIZES];
};

/**
 * struct ebpfs_later - attributes that were set here, and not yet at the server; see later.c
 * @req: SETATTR, when it is sent by itself
 * @inode: whose; it stays until ebpfs_later_end()
 * @mnt: mount
 * @user: who set them, with a reference
 * @asked: ns when @req was sent
 * @base: mode of the file before @attr.mode
 * @sending: they are on their way
 * @recalls: of the lease, unanswered
 * @attr: what is set
 * @reply: of the server to @req
 */
struct ebpfs_later {
	struct ebpfs_req req;
	struct inode *inode;
	struct ebpfs_mount *mnt;
	struct ebpfs_user *user;
	u64 asked;
	umode_t base;
	bool sending;
	u8 recalls;
	struct ebpfs_setattr attr;
	struct ebpfs_written reply;
};

#define EBPFS_MAY_USERS	3	/* of whom an inode remembers what they may */

/**
 * struct ebpfs_inode - an inode's private part
 * @vfs: the inode
 * @hash: ebpfs_place_hash() of @fh
 * @change: the server's change attribute when attributes were last taken over
 * @attr_at: when the request left whose answer gave the attributes, ns
 * @expired: attributes were changed by an operation of ours since
 * @stale_data: cached pages are older than the attributes
 * @invalidating: they are being thrown away, by ebpfs_revalidate_data()
 * @remote_size: of the file at the server, when attributes were last taken over
 * @own: changes of ours whose answers came out of order: @change grows along them
 * @own_count: how many
 * @attr_lock: protects all of these, @writer, and the VFS's attributes against each
 *	other; taken with bottom halves off, since replies to WRITEs bring attributes
 * @appended: not yet committed, see append.c; under @attr_lock
 * @appended_bytes: in them
 * @append_mutex: held by who commits them
 * @recover_link: for sbi->recover only
 * @changed_on: req->boot of the first change of attributes, or of names in a directory,
 *	that is not known to be on stable storage; 0: none; under @attr_lock
 * @changed_at: mnt->changes after the last one; likewise
 * @later: attributes that wait to be sent, NULL: none; likewise
 * @told: how often such were sent and answered; who waits for that waits for this
 * @writer: who wrote last, and so writes back, with a reference
 * @timed_out: when a read of the file last passed its deadline, jiffies, 0 never
 * @btime: time of creation, 0 if not known
 * @read_at: atime by reads from the cache, which the server does not know of, or 0
 * @names_at: of a directory: names that were asked for earlier are not believed, ns;
 *	READ_ONCE/WRITE_ONCE
 * @lease_asked: of a directory: when a lease was last asked for, ns; READ_ONCE/WRITE_ONCE
 * @lock_mutex: calls about locks of the file are made one after the other, see lock.c
 * @made: a new file, made here, open here ever since, and changed by nobody else as long as it
 *	is leased; READ_ONCE/WRITE_ONCE
 * @settle: a recall wants what waits to be sent; under sbi->holds_lock
 * @made_by: number of the user who made it
 * @hold_link: in sbi->open or sbi->idle; this and the next eight under sbi->holds_lock
 * @hold: number under which the file is held, 0: it is not
 * @released: the highest number under which it was let go of
 * @held: EBPFS_HOLD_* that are
 * @reclaim: it was, and shall be again
 * @lock_lost: a lock was lost to somebody else: what was read and written under it
 *	cannot be relied on
 * @hold_node: number of the node that holds it
 * @opens: struct files
 * @idle_since: last close, ns; 0: release it soon
 * @may: what users may do, the last one first; under attr_lock
 * @fh_len: bytes of @fh
 * @fh: the server's handle; never changes
 */
struct ebpfs_inode {
	struct inode vfs;
	u64 hash;
	u64 change;
	u64 attr_at;
	bool expired;
	bool stale_data;
	bool invalidating;
	u8 own_count;
	loff_t remote_size;
	struct {
		u64 before;
		u64 after;
	} own[EBPFS_OWN_MAX];
	spinlock_t attr_lock;
	struct list_head appended;
	u32 appended_bytes;
	struct mutex append_mutex;
	struct list_head recover_link;
	u64 changed_on;
	u64 changed_at;
	struct ebpfs_later *later;
	u32 told;
	struct ebpfs_user *writer;
	unsigned long timed_out;
	struct timespec64 btime;
	struct timespec64 read_at;
	u64 names_at;
	u64 lease_asked;
	struct mutex lock_mutex;
	bool made;
	bool settle;
	u32 made_by;
	struct list_head hold_link;
	u64 hold;
	u64 released;
	u8 held;
	bool reclaim;
	bool lock_lost;
	u32 hold_node;
	u32 opens;
	u64 idle_since;
	struct {
		u64 asked;
		u32 user;
		u32 bits;
	} may[EBPFS_MAY_USERS];
	u16 fh_len;
	u8 fh[EBPFS_FH_MAX];
};

static inline struct ebpfs_sb *EBPFS_SB(const struct super_block *sb)
{
	return sb->s_fs_info;
}

static inline struct ebpfs_inode *EBPFS_I(const struct inode *inode)
{
	return container_of(inode, struct ebpfs_inode, vfs);
}

static inline struct ebpfs_mount *ebpfs_mnt(const struct inode *inode)
{
	return &EBPFS_SB(inode->i_sb)->mnt;
}

/* Whose handle a call carries, and which node it goes to. */
static inline void ebpfs_req_file(struct ebpfs_req *req, const struct inode *inode)
{
	const struct ebpfs_inode *ei = EBPFS_I(inode);

	req->hash = ei->hash;
	req->fh = ei->fh;
	req->fh_len = ei->fh_len;
}

/**
 * struct ebpfs_uncommitted - what a COMMIT that is on its way will put on stable storage
 * @on: changed_on of the inode
 * @at: changed_at of it
 */
struct ebpfs_uncommitted {
	u64 on;
	u64 at;
};

/**
 * struct ebpfs_entry_buf - room for the answer of LOOKUP and CREATE
 * @bytes: an entry with the longest handle
 */
struct ebpfs_entry_buf {
	u8 bytes[sizeof(struct ebpfs_entry) + EBPFS_FH_MAX];
};

/* inode.c APIs */
int ebpfs_inode_init(void);
void ebpfs_inode_exit(void);
struct inode *ebpfs_inode_alloc(struct super_block *sb);
void ebpfs_inode_free(struct inode *inode);
struct inode *ebpfs_iget(struct super_block *sb, const u8 *fh, u16 fh_len,
			 const struct ebpfs_attr *attr, u64 asked);
int ebpfs_update(struct inode *inode, const struct ebpfs_attr *attr, u64 asked);
void ebpfs_asked(struct inode *inode, const struct ebpfs_req *req, const struct ebpfs_attr *attr,
		 u64 asked);
bool ebpfs_attr_fresh(const struct inode *inode);
bool ebpfs_data_fresh(const struct inode *inode);
int ebpfs_revalidate(struct inode *inode, bool force);
int ebpfs_revalidate_hold(struct inode *inode, u32 what);
int ebpfs_revalidate_data(struct inode *inode);
int ebpfs_getattr(struct mnt_idmap *idmap, const struct path *path, struct kstat *stat,
		  u32 request_mask, unsigned int flags);
void ebpfs_evict_inode(struct inode *inode);
void ebpfs_expire(struct inode *inode);
bool ebpfs_has_changes(const struct inode *inode);
void ebpfs_size_grows(struct inode *inode, loff_t end);
void ebpfs_written(struct inode *inode, const struct ebpfs_written *w, u64 asked); /* softirq */
void ebpfs_written_locked(struct inode *inode, const struct ebpfs_written *w, u64 asked);
void ebpfs_make_stale(struct inode *inode);
void ebpfs_set_writer(struct inode *inode, const struct file *file);
struct ebpfs_user *ebpfs_writer(struct inode *inode);
int ebpfs_call_req(struct inode *inode, struct ebpfs_req *req);
int ebpfs_commit(struct inode *inode, __le64 *verifier, bool ahead);
int ebpfs_commit_changes(struct inode *inode);
struct ebpfs_uncommitted ebpfs_commit_begins(struct inode *inode);
void ebpfs_committed(struct inode *inode, const struct ebpfs_uncommitted *u,
		     u64 boot);				/* softirq */
void ebpfs_changed(struct inode *inode, const struct ebpfs_req *req);
int ebpfs_call_change(struct inode *inode, struct ebpfs_req *req,
		      const struct ebpfs_written *done);
int ebpfs_call_inode(struct inode *inode, u16 op, u64 arg, u32 count, const struct qstr *name,
		     void *buf, u32 limit, struct ebpfs_result *res);
struct inode *ebpfs_root(struct super_block *sb);

/* hold.c APIs */
void ebpfs_hold_ask(struct ebpfs_req *req, u32 what);
void ebpfs_hold_granted(struct inode *inode, const struct ebpfs_req *req);
bool ebpfs_held_open(const struct inode *inode);	/* any context */
bool ebpfs_leased(const struct inode *inode);		/* any context */
bool ebpfs_made_here(const struct inode *inode);	/* any context */
void ebpfs_lease_names(struct inode *dir);
void ebpfs_hold_open(struct inode *inode);
void ebpfs_hold_close(struct inode *inode);
void ebpfs_hold_unlinked(struct inode *inode);
void ebpfs_hold_evict(struct inode *inode);
void ebpfs_reclaim_soon(struct inode *inode);
void ebpfs_sb_holds_init(struct ebpfs_sb *sbi);
void ebpfs_holds_exit(struct ebpfs_sb *sbi);

/* lock.c APIs */
int ebpfs_file_lock(struct file *file, int cmd, struct file_lock *fl);
int ebpfs_file_flock(struct file *file, int cmd, struct file_lock *fl);
void ebpfs_locks_reclaim(struct inode *inode);

/* acl.c APIs */
void ebpfs_may_told(struct inode *inode, u32 user, u32 bits, u64 asked);
void ebpfs_may_forget(struct inode *inode);
int ebpfs_permission(struct mnt_idmap *idmap, struct inode *inode, int mask);
struct posix_acl *ebpfs_get_acl(struct mnt_idmap *idmap, struct dentry *dentry, int type);
int ebpfs_set_acl(struct mnt_idmap *idmap, struct dentry *dentry, struct posix_acl *acl,
		  int type);

/* namei.c APIs */
extern const struct dentry_operations ebpfs_dops;
struct dentry *ebpfs_lookup(struct inode *dir, struct dentry *dentry, unsigned int flags);
int ebpfs_atomic_open(struct inode *dir, struct dentry *dentry, struct file *file,
		      unsigned int flags, umode_t mode);
const char *ebpfs_get_link(struct dentry *dentry, struct inode *inode, struct delayed_call *done);
void ebpfs_prime_dentry(struct dentry *parent, const struct ebpfs_entry_info *e,
			u64 asked);

/* change.c APIs */
extern const struct inode_operations ebpfs_dir_iops;
extern const struct inode_operations ebpfs_symlink_iops;
extern const struct inode_operations ebpfs_other_iops;
struct inode *ebpfs_make_file(struct inode *dir, struct dentry *dentry, umode_t mode, u64 *asked);

/* later.c APIs */
bool ebpfs_later_note(struct inode *inode, const struct iattr *attr, const struct ebpfs_setattr *a);
void ebpfs_later_over(struct ebpfs_inode *ei, const struct ebpfs_attr *attr,
		      struct ebpfs_attr *over);
struct ebpfs_later *ebpfs_later_ride(struct inode *inode, const struct ebpfs_user *user);
void ebpfs_later_end(struct ebpfs_later *l, const struct ebpfs_written *w, u64 asked,
		     int err);				/* softirq */
bool ebpfs_later_recalled(struct inode *inode);		/* softirq, RCU */
void ebpfs_later_evict(struct inode *inode);
int ebpfs_settle(struct inode *inode);
int ebpfs_write_inode(struct inode *inode, struct writeback_control *wbc);

/* The same if anything waits. */
static inline int ebpfs_settle_later(struct inode *inode)
{
	return unlikely(READ_ONCE(EBPFS_I(inode)->later)) ? ebpfs_settle(inode) : 0;
}

/* dir.c APIs */
extern const struct file_operations ebpfs_dir_fops;

/* file.c APIs */
extern const struct file_operations ebpfs_file_fops;

/* read.c APIs */
extern const struct address_space_operations ebpfs_aops;
u32 ebpfs_unit_size(struct ebpfs_inode *ei, u32 *most);
int ebpfs_read_init(void);
void ebpfs_read_exit(void);

/* write.c APIs */
extern const struct vm_operations_struct ebpfs_vm_ops;
int ebpfs_write_begin(struct file *file, struct address_space *mapping, loff_t pos,
		      unsigned int len, struct folio **foliop, void **fsdata);
int ebpfs_write_end(struct file *file, struct address_space *mapping, loff_t pos,
		    unsigned int len, unsigned int copied, struct folio *folio, void *fsdata);
void ebpfs_zero_tail(struct inode *inode);
void ebpfs_protect_tail(struct inode *inode, loff_t old);
bool ebpfs_release_folio(struct folio *folio, gfp_t gfp);
void ebpfs_invalidate_folio(struct folio *folio, size_t offset, size_t len);
int ebpfs_write_init(void);
void ebpfs_write_exit(void);

/* writeback.c APIs */
int ebpfs_writepages(struct address_space *mapping, struct writeback_control *wbc);
int ebpfs_writeback_init(void);
void ebpfs_writeback_exit(void);

/* direct.c APIs */
ssize_t ebpfs_direct_io(struct kiocb *iocb, struct iov_iter *iter);

/* append.c APIs */
ssize_t ebpfs_append(struct kiocb *iocb, struct iov_iter *from);
int ebpfs_append_settle(struct inode *inode);
void ebpfs_append_forget(struct ebpfs_inode *ei);
void ebpfs_append_init(struct ebpfs_sb *sbi);
void ebpfs_append_exit(struct ebpfs_sb *sbi);

/* xattr.c APIs */
extern const struct xattr_handler * const ebpfs_xattr_handlers[];
ssize_t ebpfs_xattr_ask(struct inode *inode, u16 op, const char *name, void *buf, size_t size);
int ebpfs_xattr_change(struct inode *inode, const char *name, const void *value, size_t size,
		       int flags);
ssize_t ebpfs_listxattr(struct dentry *dentry, char *list, size_t size);

/* space.c APIs */
long ebpfs_fallocate(struct file *file, int mode, loff_t offset, loff_t len);
loff_t ebpfs_seek(struct file *file, loff_t offset, int whence);
ssize_t ebpfs_copy_file_range(struct file *in, loff_t pos_in, struct file *out, loff_t pos_out,
			      size_t len, unsigned int flags);
loff_t ebpfs_remap_file_range(struct file *in, loff_t pos_in, struct file *out, loff_t pos_out,
			      loff_t len, unsigned int flags);

/* super.c APIs */
extern struct file_system_type ebpfs_fs_type;

#endif /* EBPFS_FS_H */
