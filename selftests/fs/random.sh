#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# random: random operations on a file, by one and by two clients, also over a
# network that loses, repeats and reorders, are what a model says
#
# modes: off tc xdp
# timeout: 300

. "${0%/*}/../lib/lib.sh"

plan 5

few=400 many=1500
[ -z "${EBPFS_LONG-}" ] || few=20000 many=60000
seed=$RANDOM
note "seed $seed"

mkdir -p "$srv"
lab_up --export "$srv" --clients 2
check "one client" fsrandom -n $many -s $seed "$mnt/a"
check "two clients in turn" fsrandom -n $few -s $seed "$mnt/b" "$mnt-2/b"
check "a client and the server in turn" fsrandom -b -n $few -s $((seed + 1)) "$mnt/c" "$srv/c"
lab netem all both delay 1ms 200us loss 1% duplicate 1% reorder 25%
check "over a bad network" fsrandom -n $few -s $((seed + 2)) "$mnt/d" "$mnt-2/d"
read_stats
note "write units ${S[write_units]}, bytes ${S[write_bytes]}, data sent again ${S[data_resent]}, calls ${S[calls_resent]}"
holds "something was lost, and sent again" "S[data_resent] + S[calls_resent] > 0"
