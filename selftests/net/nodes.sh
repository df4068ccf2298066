#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# nodes: three servers of one export share its files; one may die, go and come
# without an error or a wrong byte
#
# modes: tc
# long-modes: off tc+privacy
# timeout: 240

. "${0%/*}/../lib/lib.sh"

plan 23

mkdir -p "$srv"
mkdata tree "$srv/tree" 600
mkdata file "$srv/big" 8M
for i in 1 2 3 4 5 6 7 8; do
	mkdata file "$srv/part$i" 4M
done
lab_up --export "$srv" --nodes 3

# Sets received to the bytes that came from each server, by its link's counter.
bytes_from() {
	local device data
	received=()
	while read -r device data _; do
		[[ $device != s[0-9]*: ]] || received[${device//[!0-9]/}]=$data
	done < <(nsenter --net=/run/netns/ebpfs-c1 cat /proc/net/dev)
}

received=()
bytes_from
before=("${received[@]:1}")
check "a full read over three nodes" treecmp -t 3 "$srv" "$mnt"
bytes_from
after=("${received[@]:1}")
for i in 0 1 2; do
	share=$((after[i] - before[i]))
	holds "node $((i + 1)) served a share ($share bytes)" "share > 1000000"
done
check "node list shows three" test "$(ebpfsctl -j node list "$mnt" | jq length)" = 3

# One dies in the midst of a read.
drop_caches
netem all delay 1ms rate 200mbit
spawn treecmp -t 4 "$srv" "$mnt" > "$tmp/reader" 2>&1
reader=$!
nap 1.5
zombie $reader
holds "the read has not ended before the kill" "$? == 1"
check "kill -9 of node 2" lab kill 2
check "the read ends" await 120 $reader
holds "with every byte right, and without an error" "ended == 0" || show "$tmp/reader"
netem all off
read_stats
holds "the dead node was noticed (${S[node_lost]} lost, ${S[calls_moved]} moved)" \
	"S[node_lost] > 0"
drop_caches
check "all files are there with two nodes" timeout 60 treecmp -t 3 "$srv" "$mnt"
check "node 2 comes back" lab start 2
nap 6
drop_caches
bytes_from
before=("${received[@]:1}")
check "a full read again" treecmp -t 3 "$srv" "$mnt"
bytes_from
holds "it takes its share again" "received[2] - before[1] > 1000000"

# The administrator takes one out and puts it back, under load.
reading() {
	while treecmp -t 2 "$srv" "$mnt"; do
		drop_caches
	done
}
spawn reading > "$tmp/reader" 2>&1
reader=$!
check "node remove" ebpfsctl node remove "$mnt" 10.99.0.3
nap 1
bytes_from
before=("${received[@]:1}")
nap 2
bytes_from
holds "nothing comes from it then" "received[3] - before[2] < 10000"
check "node add" ebpfsctl node add "$mnt" 10.99.0.3
nap $((3 * ${EBPFS_SLOW:-1}))
bytes_from
holds "it serves its share again" "received[3] - before[2] > 200000"
zombie $reader
holds "and the readers noticed nothing" "$? == 1" || show "$tmp/reader"
kill $reader
wait $reader 2> /dev/null

for i in 2 3; do
	ebpfsctl node remove "$mnt" 10.99.0.$i > "$tmp/out" 2>&1 || show "$tmp/out"
done
check "a node is added by its IPv6 address" ebpfsctl node add "$mnt" '[fd99::1]'
check "and removed as it was added" ebpfsctl node remove "$mnt" '[fd99::1]'
refuse "the last node cannot be removed" "last" ebpfsctl node remove "$mnt" 10.99.0.1
refuse "a node twice" "(already|exists|twice)" ebpfsctl node add "$mnt" 10.99.0.1
