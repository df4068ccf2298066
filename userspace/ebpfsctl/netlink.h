/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Asking and telling the module: generic netlink family "ebpfs", see
 * <ebpfs/netlink.h>. One request at a time; every answer is copied.
 */
#ifndef EBPFSCTL_NETLINK_H
#define EBPFSCTL_NETLINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <ebpfs/netlink.h>

#include "lib/addr.h"

struct json_object;

/**
 * struct nl_stats - counters, in the order in which the module sent them
 * @at: name and value of each
 * @count: how many
 */
struct nl_stats {
	struct nl_stat {
		char *name;
		uint64_t value;
	} *at;
	size_t count;
};

/**
 * struct nl_mount - a mounted filesystem; see EBPFS_CMD_MOUNT_GET
 */
struct nl_mount {
	uint32_t number;
	uint32_t major;
	uint32_t minor;
	uint32_t nodes;
	uint32_t requests;
	uint32_t waiting;
	bool aborted;
	char *source;
	char *options;
	struct nl_stats stats;
};

/**
 * struct nl_node - a server of a mount; see EBPFS_CMD_NODE_GET
 */
struct nl_node {
	uint32_t mount;
	uint32_t number;
	union ebpfs_sockaddr addr;
	uint8_t state;
	uint64_t session;
	uint32_t slots;
	uint32_t in_flight;
	uint32_t window;
	uint64_t srtt_ns;
	uint64_t rto_ns;
	uint32_t cell;
	uint32_t pmtu;
	uint64_t retransmits;
	struct nl_stats stats;
};

/**
 * nl_open() - find the family
 * @complain: say what is wrong and what to do
 *
 * Return: false if the module is not there. Needed before everything below.
 */
bool nl_open(bool complain);

/* Dumps; they say what is wrong. The arrays belong to the caller. */
bool nl_mounts(struct nl_mount **mounts, size_t *count);
bool nl_nodes(struct nl_node **nodes, size_t *count);
bool nl_module_stats(struct nl_stats *stats);

/* Commands; they say what is wrong. */
bool nl_node_add(uint32_t mount, const union ebpfs_sockaddr *addr, uint32_t *node);
bool nl_node_remove(uint32_t mount, uint32_t node);
bool nl_abort(uint32_t mount);

/* The value of a counter, 0 if there is none of that name. */
uint64_t nl_stat(const struct nl_stats *stats, const char *name);

/* Steered bytes of all bytes filled, negative if there are none. */
double nl_steered_share(const struct nl_stats *stats);

struct json_object *nl_stats_json(const struct nl_stats *stats);

/* Names of node states. */
const char *nl_state_name(uint8_t state);

#endif /* EBPFSCTL_NETLINK_H */
