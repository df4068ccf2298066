#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# loss: no wrong byte and no error over a network that loses, repeats and
# reorders
#
# modes: tc+privacy
# long-modes: tc xdp off xdp-generic xdp+privacy
# timeout: 240
#
# Reordering needs a delay to overtake. The short set reads a generated tree,
# the long set in one mode also all of /usr/share.

. "${0%/*}/../lib/lib.sh"

plan 6

mkdir -p "$srv"
mkdata tree "$srv/tree" 400
mkdata file "$srv/big" 24M
lab_up --export "$srv"
check "netem on the server's side" \
	netem all delay 1ms 200us loss 1% duplicate 1% reorder 25%
check "the tree, one reader" treecmp "$srv/tree" "$mnt/tree"
drop_caches
check "all, four readers" treecmp -t 4 "$srv" "$mnt"
read_stats
note "filled fragments ${S[fill_fragments]}, sent again ${S[calls_resent]}," \
     "duplicates ${S[drop_duplicate]}, stale ${S[drop_stale]}, timed out ${S[calls_timed_out]}"
holds "calls were sent again: there was loss" "S[calls_resent] > 0"
holds "and repetition" "S[drop_duplicate] + S[drop_stale] > 0"
if [ -n "${EBPFS_LONG-}" ] && [ "$steer" = tc ]; then
	lab_up --export /usr/share
	netem all delay 1ms 200us loss 1% duplicate 1% reorder 25%
	check "diff -r of /usr/share" diff -r /usr/share "$mnt"
else
	netem all loss 20%
	check "a fifth of all packets lost" timeout 100 treecmp -n "$srv/tree/odd" "$mnt/tree/odd"
fi
