#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# bigdir: a directory of 20,000 entries (100,000 in the long set) is listed as it is on
# the server
#
# timeout: 300

. "${0%/*}/../lib/lib.sh"

plan 6

entries=20000
[ -z "${EBPFS_LONG-}" ] || entries=100000

mkdir -p "$srv"
mkdata dir "$srv/many" $entries
mkdata dir "$srv/few" 300
# Attributes that came with the listing are to be believed until it is checked.
lab_up --export "$srv" --opts actimeo=600

check "names, types and inode numbers" treecmp -l "$srv/many" "$mnt/many"
note "$(< "$tmp/out")"

# Caches are dropped again and again while it is listed: inodes that the
# listing makes go away under it.
dropping() {
	while :; do
		drop_caches
		nap 0.2
	done
}
spawn dropping
dropper=$!
check "the same while caches are dropped" treecmp -l "$srv/many" "$mnt/many"
kill $dropper
wait $dropper 2> /dev/null

drop_caches
read_stats
before=${S[calls]}
check "attributes of all entries" treecmp -n "$srv/many" "$mnt/many"
read_stats
note "$((S[calls] - before)) calls for $entries entries"
holds "attributes came with the listing, not one by one" "S[calls] - before < entries / 5"
check "a listing with a small buffer" dirwalk -s 300 "$mnt/few"
check "seeking in a listing" dirwalk -r "$mnt/many"
