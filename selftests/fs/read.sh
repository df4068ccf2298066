#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# read: every way to read a file gives the same bytes, also of a sparse file
# of 1 TiB
#
# modes: off tc
# long-modes: xdp xdp-generic xdp+privacy,cipher=chacha20-poly1305 off+privacy tc+integrity
# timeout: 180

. "${0%/*}/../lib/lib.sh"

plan 14

mkdir -p "$srv"
mkdata file "$srv/big" 64M
mkdata file "$srv/odd" 1000003
mkdata file "$srv/tiny" 1
mkdata sparse "$srv/sparse" 1T 0:8K 100G:1M 512G:64K 1099511562240:64K
lab_up --export "$srv"

check "sequential" mkdata check "$mnt/big" 1 0 64M
drop_caches
check "random reads, every way, one reader" randread -s 1 -n 400 "$srv/big" "$mnt/big"
note "$(< "$tmp/out")"
drop_caches
check "random reads, every way, six readers" randread -s 2 -n 1200 -t 6 "$srv/big" "$mnt/big"
check "a file of an odd size" randread -s 3 -n 300 -t 2 "$srv/odd" "$mnt/odd"
check "a file of one byte" randread -s 4 -n 50 "$srv/tiny" "$mnt/tiny"

check "sparse, 1 TiB: its size and its few blocks" treecmp -n "$srv" "$mnt"
check "sparse: bytes at the start" mkdata check "$mnt/sparse" 1 0 8K
check "sparse: bytes at 100 GiB" mkdata check "$mnt/sparse" 1 100G 1M
check "sparse: bytes at 512 GiB" mkdata check "$mnt/sparse" 1 512G 64K
check "sparse: the last bytes" mkdata check "$mnt/sparse" 1 1099511562240 64K
check "sparse: holes beside them" mkdata zero "$mnt/sparse" \
	8K 1M 107374182400 0 108423806976 256K 549755748352 64K 549755879424 64K 1099511496704 64K
check "sparse: random places" randread -s 5 -n 100 "$srv/sparse" "$mnt/sparse"

# Two readers of the same cold pages: each page is asked for once only, or else
# both answers are right.
drop_caches
spawn mkdata check "$mnt/big" 1 0 64M
check "two readers of the same cold file" mkdata check "$mnt/big" 1 0 64M
check "and so has the other" succeeds 60 "$!"
