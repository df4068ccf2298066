/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Changed pages: what is remembered of each (write.c), and their way to the
 * server (writeback.c). data.c reads a WRITE's bytes through struct ebpfs_write.
 */
#ifndef EBPFS_WRITE_H
#define EBPFS_WRITE_H

#include <linux/pagemap.h>
#include <linux/types.h>

#include "engine.h"

struct ebpfs_pass;

/**
 * struct ebpfs_dirt - what a folio remembers of its changes: its private part
 * @from: first byte changed here, relative to the folio; with the folio's lock
 * @to: behind the last one; @from == @to: none, or, in a folio that is dirty, any
 * @left: bytes under write-back that no finished unit covers yet
 *
 * Only bytes that were changed here are sent, so that a page in which another
 * client changes other bytes under a lock loses nothing; all of a folio if it was made dirty
 * without a word, through a pinned page.
 */
struct ebpfs_dirt {
	u32 from;
	u32 to;
	atomic_t left;
};

struct ebpfs_dirt *ebpfs_dirt_of(struct folio *folio);

#define EBPFS_WRITE_FOLIOS	17	/* of a unit: 64 KiB of single pages, not aligned */

/**
 * struct ebpfs_write - one unit on its way to the server: one WRITE call
 * @link: in @pass->ready or @pass->written
 * @pass: of which it is a part
 * @req: the call
 * @pos: of the range in the file, bytes
 * @len: bytes of it
 * @nr_folios: in @folios, in order; the range lies in them without a gap
 * @reply: of the server
 * @folios: under write-back until the unit is over, so that their bytes do not change
 */
struct ebpfs_write {
	struct list_head link;
	struct ebpfs_pass *pass;
	struct ebpfs_req req;
	loff_t pos;
	u32 len;
	u32 nr_folios;
	struct ebpfs_written reply;
	struct folio *folios[EBPFS_WRITE_FOLIOS];
};

/**
 * ebpfs_write_piece() - where bytes of the range lie in memory
 * @w: unit
 * @at: first byte, relative to w->pos, inside the range
 * @len: how many are wanted
 * @folio: out
 * @in: out: of the byte in the folio
 *
 * Return: how many of them lie there in one piece, at least 1.
 */
static inline u32 ebpfs_write_piece(const struct ebpfs_write *w, u32 at, u32 len,
				    struct folio **folio, size_t *in)
{
	loff_t pos = w->pos + at;
	u32 i = 0;

	while (i + 1 < w->nr_folios && pos >= folio_pos(w->folios[i + 1]))
		i++;
	*folio = w->folios[i];
	*in = pos - folio_pos(*folio);
	return min_t(u64, len, folio_size(*folio) - *in);
}

#endif /* EBPFS_WRITE_H */
