/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The door: datagrams that are dropped where they come in. See door.c.
 */
#ifndef EBPFS_DOOR_H
#define EBPFS_DOOR_H

#include "engine.h"
#include "serve.h"

struct ebpfs_packet;

/**
 * enum ebpfs_knocked - what is to be done with a packet at the door, and why; as the verdicts of
 * both kfuncs from EBPFS_STEER_PASS_STRANGER and EBPFS_SERVE_PASS_STRANGER on
 * @EBPFS_DOOR_PASS: nothing
 * @EBPFS_DOOR_STRANGER: let it pass if there are not too many
 * @EBPFS_DOOR_FORM: drop, this and all that follow
 * @EBPFS_DOOR_VERSION: other magic or version
 * @EBPFS_DOOR_TYPE: not for this end
 * @EBPFS_DOOR_PEER: not from the other end
 * @EBPFS_DOOR_SESSION: of no session or handshake
 * @EBPFS_DOOR_REPLAY: it came before, or is too old
 */
enum ebpfs_knocked {
	EBPFS_DOOR_PASS,
	EBPFS_DOOR_STRANGER,
	EBPFS_DOOR_FORM,
	EBPFS_DOOR_VERSION,
	EBPFS_DOOR_TYPE,
	EBPFS_DOOR_PEER,
	EBPFS_DOOR_SESSION,
	EBPFS_DOOR_REPLAY,
};

/* softirq, RCU read lock held */
bool ebpfs_port_known(__be16 port);
enum ebpfs_knocked ebpfs_door(struct ebpfs_packet *pkt, const struct ebpfs_flow *flow, u32 l3_off,
			     u32 off, u32 len, u32 flags, int said);

/* process */
void ebpfs_node_door(struct ebpfs_node *node);
void ebpfs_node_door_end(struct ebpfs_node *node);

#endif /* EBPFS_DOOR_H */
