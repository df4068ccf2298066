#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# archive: tar, rsync -aHAX and cp -a bring a tree with one of everything into a mount
# and out of it again, and nothing of it is lost
#
# modes: tc
# long
# timeout: 240

. "${0%/*}/../lib/lib.sh"

plan 21

PATH=$here/lib:$PATH
export PYTHONDONTWRITEBYTECODE=1
# A filesystem on a disk under the export: one in memory has no block to save.
srv=/var/tmp/ebpfs-archive
mkdir -p "$srv" "$tmp/source" "$tmp/back"
lab_up --export "$srv" --clients 2 --export-opts rw,no_root_squash,privileged_xattrs

: > "$mnt/probe"
kinds=() lacking=()
setfacl -m u:1000:r "$mnt/probe" 2> /dev/null && kinds+=(acl) || lacking+=("POSIX ACLs")
setfattr -n trusted.probe -v 1 "$mnt/probe" 2> /dev/null && kinds+=(trusted) ||
	lacking+=("trusted attributes and capabilities")
rm "$mnt/probe"
check "the tree, in memory" oddtree.py make "$tmp/source" "${kinds[@]}"
oddtree.py list "$tmp/source" > "$tmp/list"
note "$(wc -l < "$tmp/list") files"
if [ ${#lacking[@]} = 0 ]; then
	ok "with all of attributes"
else
	skip "with all of attributes" "the mount has no ${lacking[*]}"
fi

# same DIRECTORY: is it as the source?
same() {
	oddtree.py list "$1" | diff "$tmp/list" - && treecmp -c "$tmp/source" "$1"
}
tar=(tar --xattrs '--xattrs-include=*' --acls --sparse --numeric-owner)
# Without the window it takes no notice of nanoseconds.
sync=(rsync -aHAX --sparse --numeric-ids --modify-window=-1)

mkdir "$mnt"/{direct,rsync,tar,cp}
check "the tree itself is made on the mount" oddtree.py make "$mnt/direct" "${kinds[@]}"
check "rsync -aHAX into the mount" "${sync[@]}" "$tmp/source/" "$mnt/rsync/"
check "there is all of it" same "$mnt/rsync"
check "at the server, too" same "$srv/rsync"
check "and another client" same "$mnt-2/rsync"
again() {
	"${sync[@]}" -in --checksum "$tmp/source/" "$mnt-2/rsync/" > "$tmp/todo" && [ ! -s "$tmp/todo" ]
}
check "rsync finds nothing left to do" again || show "$tmp/todo"
check "rsync out of it, by the other client" "${sync[@]}" "$mnt-2/rsync/" "$tmp/back/"
check "came back as it was" same "$tmp/back"
change() {
	echo more >> "$tmp/source/size-1" && rm -r "$tmp/source/deep" &&
		mv "$tmp/source/links/two" "$tmp/source/second" && touch -d @5 "$tmp/source/names/case" &&
		oddtree.py list "$tmp/source" > "$tmp/list"
}
change
check "rsync --delete of what changed" "${sync[@]}" --delete --inplace "$tmp/source/" "$mnt/rsync/"
check "brings it up to date" same "$srv/rsync"

pack() {
	"${tar[@]}" -C "$mnt/rsync" -cf "$mnt/all.tar" .
}
check "tar, from the mount to an archive on it" pack
check "unpacked by the other client" "${tar[@]}" -C "$mnt-2/tar" -xpf "$mnt-2/all.tar"
# No archive of tar's keeps sockets.
no_sockets() {
	mkdir -p "$1/special" && "${sync[@]}" "$tmp/source/special/" "$1/special/" &&
		touch -r "$tmp/source" "$1"
}
check "and its socket" no_sockets "$mnt-2/tar"
check "is the same" same "$mnt/tar"
check "at the server" same "$srv/tar"
check "tar --compare finds no difference" "${tar[@]}" -C "$mnt/tar" --compare -f "$mnt/all.tar"
check "cp -a" cp -a --sparse=always "$mnt/tar/." "$mnt/cp/"
check "is the same, too" same "$mnt-2/cp"
# But for where the server keeps what is open and has no name.
empty() {
	find "$mnt" -mindepth 1 -delete &&
		[ -z "$(find "$srv" -mindepth 1 -name .ebpfs-orphans -prune -o -print)" ]
}
check "find -delete removes all" empty
