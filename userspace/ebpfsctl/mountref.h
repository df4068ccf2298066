/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Which mount is meant? By text only: nothing here touches the filesystem, whose
 * servers may be dead.
 */
#ifndef EBPFSCTL_MOUNTREF_H
#define EBPFSCTL_MOUNTREF_H

#include "ebpfsctl/netlink.h"

/**
 * mount_point() - where a mount is visible for this process
 * @major: of its device
 * @minor: of its device
 *
 * Return: its first mount point in /proc/self/mountinfo, or NULL; the caller's.
 */
char *mount_point(uint32_t major, uint32_t minor);

/**
 * mount_find() - a mount as users name it
 * @text: mount point, the mount's number, or MAJOR:MINOR of its device
 * @mount: out
 *
 * Needs nl_open(). Says what is wrong; false on failure.
 */
bool mount_find(const char *text, struct nl_mount *mount);

/**
 * path_normalize() - an absolute path without ".", ".." and doubled slashes
 * @path: absolute, or relative to @cwd
 * @cwd: absolute
 *
 * By text: "a/.." is nothing even if a is a symbolic link.
 * Return: the caller's.
 */
char *path_normalize(const char *path, const char *cwd);

/* Replaces the \ooo of mountinfo by what they stand for, in place. */
void mountinfo_unescape(char *text);

#endif /* EBPFSCTL_MOUNTREF_H */
