/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The filesystem: what the VFS sees.
 *
 *	super.c   mount options, superblock, statfs, umount
 *	inode.c   inodes, attributes and how long they are believed
 *	namei.c   lookup and revalidation of names
 *	dir.c     reading directories
 *	file.c    open, read, mmap
 *	read.c    the page cache's misses become READs
 *
 * Consistency today: attributes and names are believed for actimeo=; opening a
 * file asks the server (close-to-open); a file whose change attribute differs
 * loses its cached pages. All functions run in process context unless said
 * otherwise; those that call the server sleep and are killable.
 */
#ifndef EBPFS_FS_H
#define EBPFS_FS_H

#include <linux/fs.h>

#include "engine.h"

/**
 * struct ebpfs_sb - a superblock's private part
 * @mnt: the engine's
 * @actimeo: how long attributes and names are believed, jiffies
 */
struct ebpfs_sb {
	struct ebpfs_mount mnt;
	unsigned long actimeo;
};

/**
 * struct ebpfs_inode - an inode's private part
 * @vfs: the inode
 * @hash: ebpfs_place_hash() of @fh
 * @change: the server's change attribute when attributes were last taken over
 * @attr_at: when the request left whose answer gave the attributes, jiffies
 * @stale_data: cached pages are older than the attributes
 * @attr_lock: protects the three above
 * @timed_out: when a read of the file last passed its deadline, jiffies, 0 never
 * @btime: time of creation, 0 if not known
 * @fh_len: bytes of @fh
 * @fh: the server's handle; never changes
 */
struct ebpfs_inode {
	struct inode vfs;
	u64 hash;
	u64 change;
	unsigned long attr_at;
	bool stale_data;
	spinlock_t attr_lock;
	unsigned long timed_out;
	struct timespec64 btime;
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

/* inode.c APIs */
int ebpfs_inode_init(void);
void ebpfs_inode_exit(void);
struct inode *ebpfs_inode_alloc(struct super_block *sb);
void ebpfs_inode_free(struct inode *inode);
struct inode *ebpfs_iget(struct super_block *sb, const u8 *fh, u16 fh_len,
			 const struct ebpfs_attr *attr, unsigned long asked);
int ebpfs_update(struct inode *inode, const struct ebpfs_attr *attr, unsigned long asked);
bool ebpfs_attr_fresh(const struct inode *inode);
int ebpfs_revalidate(struct inode *inode, bool force);
int ebpfs_revalidate_data(struct inode *inode);
int ebpfs_getattr(struct mnt_idmap *idmap, const struct path *path, struct kstat *stat,
		  u32 request_mask, unsigned int flags);
int ebpfs_call_inode(struct inode *inode, u16 op, u64 arg, u32 count, const struct qstr *name,
		     void *buf, u32 limit, struct ebpfs_result *res);
struct inode *ebpfs_root(struct super_block *sb);

/* namei.c APIs */
extern const struct inode_operations ebpfs_dir_iops;
extern const struct inode_operations ebpfs_symlink_iops;
extern const struct inode_operations ebpfs_other_iops;
extern const struct dentry_operations ebpfs_dops;
void ebpfs_prime_dentry(struct dentry *parent, const struct ebpfs_entry_info *e,
			unsigned long asked);

/* dir.c APIs */
extern const struct file_operations ebpfs_dir_fops;

/* file.c APIs */
extern const struct file_operations ebpfs_file_fops;

/* read.c APIs */
extern const struct address_space_operations ebpfs_aops;
int ebpfs_read_init(void);
void ebpfs_read_exit(void);

/* super.c APIs */
extern struct file_system_type ebpfs_fs_type;

#endif /* EBPFS_FS_H */
