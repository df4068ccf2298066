// SPDX-License-Identifier: GPL-2.0
/*
 * ebpfs: a network filesystem whose replies eBPF programs put straight into
 * the page cache. Loading and unloading; the rest is found by file name:
 * fs.h lists the filesystem's files, engine.h those between it and the wire, serve.h
 * those of a server.
 */
#include <linux/module.h>

#include "aead.h"
#include "fs.h"
#include "serve.h"

static int __init ebpfs_init(void)
{
	int err;

	ebpfs_crc32c_init();
	err = ebpfs_aead_init();
	if (err)
		return err;
	err = ebpfs_stats_init();
	if (err)
		goto err_aead;
	err = ebpfs_node_init();
	if (err)
		goto err_stats;
	err = ebpfs_inode_init();
	if (err)
		goto err_node;
	err = ebpfs_read_init();
	if (err)
		goto err_inode;
	err = ebpfs_write_init();
	if (err)
		goto err_read;
	err = ebpfs_grant_init();
	if (err)
		goto err_write;
	err = ebpfs_kfunc_init();
	if (err)
		goto err_grant;
	err = ebpfs_netlink_init();
	if (err)
		goto err_grant;
	err = register_filesystem(&ebpfs_fs_type);
	if (err)
		goto err_netlink;
	return 0;

err_netlink:
	ebpfs_netlink_exit();
err_grant:
	ebpfs_grant_exit();
err_write:
	ebpfs_write_exit();
err_read:
	ebpfs_read_exit();
err_inode:
	ebpfs_inode_exit();
err_node:
	ebpfs_node_exit();
err_stats:
	ebpfs_stats_exit();
err_aead:
	ebpfs_aead_exit();
	return err;
}

static void __exit ebpfs_exit(void)
{
	unregister_filesystem(&ebpfs_fs_type);
	ebpfs_netlink_exit();
	ebpfs_grant_exit();
	ebpfs_write_exit();
	ebpfs_read_exit();
	ebpfs_inode_exit();
	ebpfs_node_exit();
	ebpfs_stats_exit();
	ebpfs_aead_exit();
}

module_init(ebpfs_init);
module_exit(ebpfs_exit);
MODULE_DESCRIPTION("Network filesystem with an eBPF data path");
MODULE_LICENSE("GPL");
