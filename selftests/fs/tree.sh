#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# tree: real directory trees, read whole through a mount, are equal to the
# source, and nearly every byte takes the way that the steering mode says
#
# modes: off tc xdp xdp-generic
# timeout: 180
#
# The short set reads the kernel's own headers (2,700 files), the long set all
# headers and all documentation of the guest (36,000 files).

. "${0%/*}/../lib/lib.sh"

plan 7

trees=(/usr/src/linux-headers-*-common/include/linux)
[ -z "${EBPFS_LONG-}" ] || trees=(/usr/src /usr/share/doc)

# Runs treecmp with the given options on every tree.
compare_all() {
	local t
	for t in "${trees[@]}"; do
		treecmp "$@" "$t" "$mnt${t#/usr}" || return
	done
}

lab_up --export /usr
check "names and attributes, nothing cached" compare_all -n
check "all bytes" compare_all
check "the same again, cached" compare_all
drop_caches
check "all bytes, four readers" compare_all -t 4
drop_caches
check "all bytes, in reads of 3001" compare_all -b 3001

read_stats
steered_share
note "filled: xdp ${S[fill_bytes_xdp]}, tc ${S[fill_bytes_tc]}, plain ${S[fill_bytes_plain]};" \
     "calls ${S[calls]}, sent again ${S[calls_resent]}"
case $steer in
off)	holds "no byte was steered" "share == 0" ;;
*)	holds "more than 99 % of the bytes were steered ($share per thousand)" "share > 990" ;;
esac
case $steer in
off)	holds "all bytes came the plain way" "S[fill_bytes_plain] > 1000000" ;;
tc)	holds "none of them by XDP" "S[fill_bytes_xdp] == 0" ;;
xdp*)	holds "none of them by TC" "S[fill_bytes_tc] == 0" ;;
esac
