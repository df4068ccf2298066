/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The largest datagram a path carries, found by probing (PLPMTUD, RFC 8899).
 *
 * ICMP is not needed and not believed. Sizes are bytes of UDP payload. A PROBE
 * is padded to the size under test and answered by a PROBE_ACK of that size,
 * so both directions are tested. The search tries the ceiling first (most
 * paths are uniform), then halves the interval until it is under 64 bytes.
 * A size counts as failing after three probes without answer. After success
 * the search is repeated every ten minutes, to find a path that has grown.
 * When large replies or data stop arriving (ebpfs_conn.blackhole) the size falls to
 * the base and the search starts again. Not locked: the caller's.
 */
#ifndef EBPFS_CORE_PMTU_H
#define EBPFS_CORE_PMTU_H

#include "core/platform.h"

/**
 * struct ebpfs_pmtu - search state
 * @size: largest size known to pass, EBPFS_UDP_PAYLOAD_BASE at first
 * @ceiling: of the local interface
 * @low: known to pass in this search
 * @high: smallest size known to fail, ceiling + 1 at first
 * @probe: size under test, 0 if none
 * @serial: of the last probe
 * @tries: of the size under test
 * @next_at: when to act, ns
 */
struct ebpfs_pmtu {
	u32 size;
	u32 ceiling;
	u32 low;
	u32 high;
	u32 probe;
	u32 serial;
	u32 tries;
	u64 next_at;
};

void ebpfs_pmtu_init(struct ebpfs_pmtu *p, u32 ceiling, u64 now);

/**
 * ebpfs_pmtu_poll() - is a probe to be sent now?
 * @p: search
 * @now: ns
 * @rto: how long to wait for an answer, ns
 * @size: out
 * @serial: out
 *
 * Return: true to send one. Ask again at p->next_at in any case.
 */
bool ebpfs_pmtu_poll(struct ebpfs_pmtu *p, u64 now, u64 rto, u32 *size, u32 *serial);

/* A PROBE_ACK came. Return: true if p->size changed. */
bool ebpfs_pmtu_acked(struct ebpfs_pmtu *p, u32 serial, u32 size, u64 now);

/* Large datagrams no longer arrive. Nothing happens while the size is the base. */
void ebpfs_pmtu_blackhole(struct ebpfs_pmtu *p, u64 now);

/* Bytes of payload per reply fragment that the path carries: a valid cell. Whole pages, if
 * that gives up no more than a quarter of the largest; whole blocks of a cipher if there
 * are keys. @room: that a datagram is longer by, ebpfs_keys_room(). */
u16 ebpfs_pmtu_cell(const struct ebpfs_pmtu *p, u32 room);

/* Bytes to ask for in one READ so that the reply fits one GSO send: a multiple
 * of 4096, at most @unit_max, at least 4096. */
u32 ebpfs_pmtu_unit(const struct ebpfs_pmtu *p, u32 unit_max, u32 room);

#endif /* EBPFS_CORE_PMTU_H */
