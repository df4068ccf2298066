#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# append: records that several processes on two clients append to one file are
# all there, whole and in order, also over a bad network
#
# modes: tc
# long-modes: off
# timeout: 240

. "${0%/*}/../lib/lib.sh"

plan 3

records=1250
[ -z "${EBPFS_LONG-}" ] || [ "$steer" != tc ] || records=10000

mkdir -p "$srv"
lab_up --export "$srv" --clients 2
check "two clients, two processes each" \
	append -n $records "$mnt/a" "$mnt-2/a" "$mnt/a" "$mnt-2/a"
check "a client and the server" append -n $((records / 4)) "$mnt/b" "$srv/b"

lab netem all both delay 1ms 200us loss 1% duplicate 1% reorder 25%
check "over a bad network" append -n $((records / 5)) "$mnt/c" "$mnt-2/c"
