#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# tree: real directory trees, read whole through a mount, are equal to the
# source, and nearly every byte takes the way that the steering mode says
#
# modes: xdp
# long-modes: off tc xdp-generic
# timeout: 180
#
# The short set reads headers of the kernel (2,700 files), the long set all of
# these, and in one mode all documentation of the guest, too (19,000 files).

. "${0%/*}/../lib/lib.sh"

plan 7

headers=(/usr/src/linux-headers-*-common/include)
large=("${headers[0]}/linux") small=("${headers[0]}/net")
if [ -n "${EBPFS_LONG-}" ]; then
	large=("${headers[0]}")
	[ "$steer" != xdp ] || large=(/usr/src /usr/share/doc) small=("${headers[0]}")
fi

# compare_all OPTION... TREE...
compare_all() {
	local options=()
	while [[ $1 = -* ]]; do
		options+=("$1")
		shift
	done
	while [ $# -gt 0 ]; do
		treecmp "${options[@]}" "$1" "$mnt${1#/usr}" || return
		shift
	done
}

lab_up --export /usr
check "names and attributes, nothing cached" compare_all -n "${large[@]}"
check "all bytes, one reader" compare_all "${small[@]}"
check "all bytes, four readers" compare_all -t4 "${large[@]}"
check "the same again, cached" compare_all "${large[@]}"
drop_caches
check "all bytes, in reads of 3001" compare_all -b3001 "${small[@]}"

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
