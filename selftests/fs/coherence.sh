#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# coherence: two clients and the server's own directory agree after each close and
# open, whoever changed what
#
# modes: tc
# timeout: 200

. "${0%/*}/../lib/lib.sh"

plan 4

steps=300
[ -z "${EBPFS_LONG-}" ] || steps=1500
seed=${EBPFS_SEED:-$RANDOM}
note "seed $seed"

mkdir -p "$srv"/{data,bad,names,all}
lab_up --export "$srv" --clients 2

check "bytes, sizes and attributes" \
	coherence -d -s "$seed" -n $steps "$mnt/data" "$mnt-2/data" "$srv/data"
netem all both delay 1ms 200us loss 1% duplicate 1% reorder 25%
check "over a bad network" \
	coherence -d -s "$seed" -n $((steps / 4)) "$mnt/bad" "$mnt-2/bad" "$srv/bad"
netem all both off

# Names are believed for actimeo, so it is 0 here.
lab_up --export "$srv" --clients 2 --opts actimeo=0
check "names, too, with actimeo=0, between two clients" \
	coherence -s "$seed" -n $steps "$mnt/names" "$mnt-2/names"
check "and the server's directory" \
	coherence -s "$seed" -n $steps "$mnt/all" "$mnt-2/all" "$srv/all"
