#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# copy: trees are copied in, changed and removed; the server's directory and a
# second client have the same
#
# modes: tc
# long-modes: off xdp
# timeout: 240

. "${0%/*}/../lib/lib.sh"

plan 14

source=(/usr/src/linux-headers-*-common/include/net) size=24M
if [ -n "${EBPFS_LONG-}" ]; then
	size=128M
	[ "$steer" != tc ] || source=(/usr/src/linux-headers-*-common/include/uapi)
fi

mkdir -p "$srv"
lab_up --export "$srv" --clients 2
check "cp -a of a tree" cp -a "${source[0]}" "$mnt/tree"
check "it is there at the server, in bytes and attributes" treecmp -c "${source[0]}" "$srv/tree"
check "and at another client" treecmp -c "${source[0]}" "$mnt-2/tree"
check "and read back" treecmp "$srv/tree" "$mnt/tree"

pack() {
	tar -C "$mnt" -cf "$mnt/tree.tar" tree
}
check "tar, the archive beside it" pack
mkdir "$mnt/unpacked"
check "unpacked by the other client" tar -C "$mnt-2/unpacked" -xpf "$mnt-2/tree.tar"
check "the same again" treecmp -c "${source[0]}" "$mnt/unpacked/tree"

check "a large file" mkdata file "$mnt/large" $size
check "is right at the server" mkdata check "$srv/large" 1 0 $size
check "and at another client" mkdata check "$mnt-2/large" 1 0 $size

dirs=("$mnt"/tree/*/)
rename_all() {
	local dir
	for dir in "${dirs[@]}"; do
		mv "$dir" "$mnt/moved-${dir//\//_}" || return
	done
}
check "directories are renamed" rename_all
check "the other client sees it" test -d "$mnt-2/moved-${dirs[0]//\//_}"
check "all is removed" rm -rf "$mnt"/{tree,unpacked,tree.tar,large} "$mnt"/moved-*
left=("$srv"/*)
check "nothing is left at the server" test ! -e "${left[0]}"
