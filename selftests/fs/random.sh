#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# random: random operations on a file, by one and by two clients, also over a
# network that loses, repeats and reorders, are what a model says
#
# modes: tc+privacy
# long-modes: off tc xdp xdp+privacy off+integrity
# timeout: 300
#
# EBPFS_FSRANDOM_OPS=N: so many operations over the bad network, by several processes in
# the long set.

. "${0%/*}/../lib/lib.sh"

plan 5

few=400 many=1500 processes=1
[ -z "${EBPFS_LONG-}" ] || few=2000 many=5000 processes=8
bad=${EBPFS_FSRANDOM_OPS:-$((${EBPFS_LONG:-0} ? 200000 : few))}
seed=$RANDOM
note "seed $seed"

# Each process has a file of its own, on both clients in turn.
over_bad_network() {
	local i pids=() status=0
	for ((i = 0; i < processes; i++)); do
		fsrandom -n $((bad / processes)) -s $((seed + 2 + i)) "$mnt/d$i" "$mnt-2/d$i" \
			> "$tmp/random-$i" 2>&1 &
		pids+=($!)
	done
	for ((i = 0; i < processes; i++)); do
		wait "${pids[i]}" && continue
		status=1
		echo "seed $((seed + 2 + i)):"
		cat "$tmp/random-$i"
	done
	return $status
}

mkdir -p "$srv"
lab_up --export "$srv" --clients 2
check "one client" fsrandom -n $many -s $seed "$mnt/a"
check "two clients in turn" fsrandom -n $few -s $seed "$mnt/b" "$mnt-2/b"
check "a client and the server in turn" fsrandom -b -n $few -s $((seed + 1)) "$mnt/c" "$srv/c"
netem all both delay 1ms 200us loss 1% duplicate 1% reorder 25%
start=${EPOCHREALTIME/./}
check "$bad operations over a bad network" over_bad_network
note "$((bad * 1000000 / (${EPOCHREALTIME/./} - start))) operations in a second"
read_stats
note "write units ${S[write_units]}, bytes ${S[write_bytes]}, data sent again ${S[data_resent]}, calls ${S[calls_resent]}"
holds "something was lost, and sent again" "S[data_resent] + S[calls_resent] > 0"
