// SPDX-License-Identifier: GPL-2.0
/*
 * Search for the largest datagram that a path carries: what is probed, when,
 * and what an answer or its absence means. States and locking: pmtu.h.
 *
 * @probe is 0 between two sizes and between two searches; @next_at tells which.
 */
#include "core/pmtu.h"
#include "core/wire.h"

#define PROBE_TRIES	3
#define SEARCH_STEP	64	/* an interval below it is not worth a probe */
/* PMTU_RAISE_TIMER of RFC 8899 5.1.1 */
#define SEARCH_AGAIN	(600 * EBPFS_NSEC_PER_SEC)

#define PAGE		4096u
#define CIPHER_BLOCK	16u	/* bytes, of AES */
/* IPv4's limit on a super-packet: its length field counts the headers too. */
#define GSO_BYTES_MAX	EBPFS_UDP_PAYLOAD_MAX

static void search(struct ebpfs_pmtu *p, u64 at)
{
	p->low = p->size;
	p->high = p->ceiling + 1;
	p->probe = 0;
	p->tries = 0;
	p->next_at = at;
}

/* The size to test next, 0 if the search is over. */
static u32 next_probe(const struct ebpfs_pmtu *p)
{
	if (p->low >= p->ceiling || p->high - p->low < SEARCH_STEP) {
		/* A ceiling just above what passes has not been tested yet. */
		if (p->low < p->ceiling && p->high > p->ceiling)
			return p->ceiling;
		return 0;
	}
	if (p->high > p->ceiling)
		return p->ceiling;
	return p->low + (p->high - p->low) / 2;
}

void ebpfs_pmtu_init(struct ebpfs_pmtu *p, u32 ceiling, u64 now)
{
	memset(p, 0, sizeof(*p));
	if (ceiling < EBPFS_UDP_PAYLOAD_BASE)
		ceiling = EBPFS_UDP_PAYLOAD_BASE;
	if (ceiling > EBPFS_UDP_PAYLOAD_MAX)
		ceiling = EBPFS_UDP_PAYLOAD_MAX;
	p->ceiling = ceiling;
	p->size = EBPFS_UDP_PAYLOAD_BASE;
	search(p, now);
}

bool ebpfs_pmtu_poll(struct ebpfs_pmtu *p, u64 now, u64 rto, u32 *size, u32 *serial)
{
	if (now < p->next_at)
		return false;

	if (p->probe && p->tries >= PROBE_TRIES) {
		p->high = p->probe;
		p->probe = 0;
	}
	if (!p->probe) {
		p->probe = next_probe(p);
		p->tries = 0;
		if (!p->probe) {
			search(p, now + SEARCH_AGAIN);
			return false;
		}
	}
	p->tries++;
	p->serial++;
	p->next_at = now + rto;
	*size = p->probe;
	*serial = p->serial;
	return true;
}

bool ebpfs_pmtu_acked(struct ebpfs_pmtu *p, u32 serial, u32 size, u64 now)
{
	/* Any of the tries of this size proves it. */
	if (!p->probe || size != p->probe || p->serial - serial >= p->tries)
		return false;

	p->size = size;
	p->low = size;
	p->probe = 0;
	p->tries = 0;
	if (next_probe(p))
		p->next_at = now;
	else
		search(p, now + SEARCH_AGAIN);
	return true;
}

void ebpfs_pmtu_blackhole(struct ebpfs_pmtu *p, u64 now)
{
	/* Then it is not the size; a search that is under way goes on. */
	if (p->size == EBPFS_UDP_PAYLOAD_BASE)
		return;
	p->size = EBPFS_UDP_PAYLOAD_BASE;
	search(p, now);
}

u16 ebpfs_pmtu_cell(const struct ebpfs_pmtu *p, u32 room)
{
	/* Ciphers do not like a block of theirs to lie across two pages. */
	u32 align = room ? CIPHER_BLOCK : 8;
	u32 cell = (p->size - sizeof(struct ebpfs_reply) - room) & ~(align - 1);

	if (cell > EBPFS_CELL_MAX)
		cell = EBPFS_CELL_MAX;
	/* Fragments of whole pages are copied and lent as such; not at any price. */
	if (cell % PAGE <= cell / 4)
		cell -= cell % PAGE;
	return (u16)cell;
}

u32 ebpfs_pmtu_unit(const struct ebpfs_pmtu *p, u32 unit_max, u32 room)
{
	u32 unit = (unit_max < EBPFS_MSG_MAX ? unit_max : EBPFS_MSG_MAX) & ~(PAGE - 1);
	u32 head = sizeof(struct ebpfs_reply) + room;
	u16 cell = ebpfs_pmtu_cell(p, room);

	while (unit > PAGE && unit + ebpfs_ncells(unit, cell) * head > GSO_BYTES_MAX)
		unit -= PAGE;
	return unit > PAGE ? unit : PAGE;
}
