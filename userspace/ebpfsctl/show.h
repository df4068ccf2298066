/* SPDX-License-Identifier: GPL-2.0 */
/*
 * How mounts and nodes are shown, the same way by every command (status.c).
 */
#ifndef EBPFSCTL_SHOW_H
#define EBPFSCTL_SHOW_H

#include <json-c/json.h>

#include "ebpfsctl/netlink.h"

struct json_object *mount_json(const struct nl_mount *mount);
struct json_object *node_json(const struct nl_node *node);
void mount_text(const struct nl_mount *mount);

/* A table of the nodes of one mount. */
void nodes_text(const struct nl_node *nodes, size_t count, uint32_t mount, const char *indent);

#endif /* EBPFSCTL_SHOW_H */
