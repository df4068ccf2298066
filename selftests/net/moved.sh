#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# moved: who waits for a server is killed while that is taken out of the mount, and his calls go
# to another one
#
# modes: tc
# timeout: 200
# long
#
# A call has one owner then as always: whoever kills it finds it in the one queue or in the other.

. "${0%/*}/../lib/lib.sh"

rounds=40
plan 6

mkdir -p "$srv"
mkdata tree "$srv/tree" 300
lab_up --export "$srv" --nodes 2 --opts actimeo=0
netem all delay 5ms
read_stats
moved=${S[calls_moved]}

ended=1 stuck=0 early=0
for ((i = 0; i < rounds; i++)); do
	walkers=()
	for j in 1 2 3 4 5 6; do
		spawn find "$mnt" -size +1000000000c 2> /dev/null
		walkers+=($!)
	done
	nap 0.$((RANDOM % 3 + 3))
	spawn ebpfsctl node remove "$mnt" 10.99.0.2 > "$tmp/removed" 2>&1
	remover=$!
	# Half of them about when it happens, the others afterwards.
	for pid in "${walkers[@]:0:3}"; do
		nap 0.0$((RANDOM % 10))
		! zombie "$pid" || early=$((early + 1))
		kill -9 "$pid" 2> /dev/null
	done
	await 10 $remover
	[ $ended = 0 ] || break
	for pid in "${walkers[@]:3}"; do
		! zombie "$pid" || early=$((early + 1))
		kill -9 "$pid" 2> /dev/null
	done
	for pid in "${walkers[@]}"; do
		await 10 "$pid" 2> /dev/null
		[ $ended = 137 ] || stuck=$((stuck + 1))
	done
	ebpfsctl node add "$mnt" 10.99.0.2 > "$tmp/added" 2>&1 || break
done
holds "a server was removed and added $rounds times" "i == rounds" ||
	{ show "$tmp/removed"; show "$tmp/added"; }
holds "who was killed was gone within 10 s ($stuck were not)" "stuck == early"
holds "most of them were waiting ($early had ended)" "early < rounds"
read_stats
holds "calls moved ($((S[calls_moved] - moved)))" "S[calls_moved] - moved >= rounds"
netem all off
check "all files are there" treecmp -t 3 "$srv" "$mnt"
holds "and with both servers" "$(ebpfsctl -j node list "$mnt" | jq length) == 2"
