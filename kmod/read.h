/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Where the bytes of a READ go: a range of the page cache (read.c), or the caller's own
 * pages (direct.c). fill.c writes through it.
 */
#ifndef EBPFS_READ_H
#define EBPFS_READ_H

#include <linux/bvec.h>
#include <linux/pagemap.h>
#include <linux/types.h>

/**
 * struct ebpfs_read_folio - one folio of a read
 * @folio: locked by us until it is ended; the page cache's reference holds it
 * @start: of the folio in the range, bytes
 * @size: of the folio, bytes
 * @left: bytes that no finished unit covers yet; who brings it to 0 ends the folio
 * @failed: a unit that covers a part of it failed
 */
struct ebpfs_read_folio {
	struct folio *folio;
	u32 start;
	u32 size;
	atomic_t left;
	bool failed;
};

/**
 * struct ebpfs_read - one range of one file on its way into the page cache
 * @mnt: mount
 * @inode: the file; held by the locked folios
 * @user: who reads, with a reference
 * @pos: of the range in the file, bytes
 * @units: not finished; who brings it to 0 frees the read
 * @nr_folios: in @folios, in order and without gaps
 * @single: the only unit's request, so that a small read is one allocation
 * @folios: of the range
 */
struct ebpfs_read {
	struct ebpfs_mount *mnt;
	struct inode *inode;
	struct ebpfs_user *user;
	loff_t pos;
	atomic_t units;
	u32 nr_folios;
	struct ebpfs_req single;
	struct ebpfs_read_folio folios[];
};

/**
 * struct ebpfs_pages - where a READ's bytes go that pass by the page cache: see direct.c
 * @vecs: pages; whoever made the call holds them until it has ended
 * @at: place in @vecs where they begin
 */
struct ebpfs_pages {
	const struct bio_vec *vecs;
	struct bvec_iter at;
};

/**
 * ebpfs_read_find() - the folio that holds a byte of the range
 * @rd: read
 * @at: byte, relative to rd->pos, inside the range
 */
static inline struct ebpfs_read_folio *ebpfs_read_find(struct ebpfs_read *rd, u32 at)
{
	u32 lo = 0, hi = rd->nr_folios - 1;

	while (lo < hi) {
		u32 mid = (lo + hi + 1) / 2;

		if (rd->folios[mid].start <= at)
			lo = mid;
		else
			hi = mid - 1;
	}
	return &rd->folios[lo];
}

#endif /* EBPFS_READ_H */
