/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Network namespaces and interfaces, without sysfs: /sys shows the interfaces
 * of the namespace that mounted it, which need not be the caller's.
 *
 * The network namespace is the calling thread's; ebpfsctl has one thread.
 */
#ifndef EBPFSCTL_IFACE_H
#define EBPFSCTL_IFACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <net/if.h>

/**
 * struct iface - an interface of the current network namespace
 * @index: its number
 * @name: its name
 * @mtu: bytes
 * @type: ARPHRD_*
 * @driver: name of its driver, empty if unknown
 */
struct iface {
	unsigned int index;
	char name[IF_NAMESIZE];
	unsigned int mtu;
	unsigned int type;
	char driver[32];
};

/* Looks an interface up, by name. Says what is wrong; false on failure. */
bool iface_get(const char *name, struct iface *iface);

/**
 * iface_feature() - an offload
 * @name: of the interface
 * @get: ETHTOOL_GGRO, ETHTOOL_GGSO ...
 *
 * Return: 1 on, 0 off, -1 not known.
 */
int iface_feature(const char *name, uint32_t get);

/* Inode number that identifies the current network namespace. */
uint64_t netns_current(void);

/* Enters one by its name in /run/netns, or by path. Says what is wrong. */
bool netns_enter(const char *name);

/**
 * netns_open() - find a namespace by its number
 * @inode: number
 * @name: out, its name in /run/netns, or empty
 * @size: of @name
 *
 * Return: a file descriptor for setns(), or -1 if nothing that names it was found.
 */
int netns_open(uint64_t inode, char *name, size_t size);

/**
 * netns_visit() - do something in another network namespace
 * @inode: its number; nothing is switched if it is the current one
 * @name: out, its name in /run/netns, or empty
 * @size: of @name
 * @visit: called there
 * @data: for @visit
 *
 * Return: false if the namespace was not found or cannot be entered.
 */
bool netns_visit(uint64_t inode, char *name, size_t size, void (*visit)(void *data), void *data);

#endif /* EBPFSCTL_IFACE_H */
