#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# mounting: how mount.ebpfs is called in odd ways, and how ebpfsctl finds mounts
# by all their names
#
# timeout: 240

. "${0%/*}/../lib/lib.sh"

plan 46

mkdir -p "$srv"
mkdata file "$srv/big" 8M
lab_up --export "$srv"
secret=/run/ebpfs-lab/secret-1

# mounting OPTIONS DIR [ARGUMENT...]: the lab's export, once more.
mounting() {
	local options=$1 where=$2
	shift 2
	nsenter --net=/run/netns/ebpfs-c1 mount -t ebpfs "$@" -o "name=lab-c1$options" \
		10.99.0.1:/lab "$where"
}

# nodes_of MOUNT: it is found, and has one node.
nodes_of() {
	[ "$(ebpfsctl -j node list "$1" | jq length)" = 1 ]
}

odd="$tmp/a b\\c\"d"
mkdir "$odd" "$tmp/over"
check "mount at a place with an odd name" mounting ",secretfile=$secret" "$odd"
check "mounts shows it as it is" grep -qF "at $odd" <(ebpfsctl mounts)
check "and in JSON" test "$(ebpfsctl -j mounts | jq -r '.[-1].mount_point')" = "$odd"
check "found by its path" nodes_of "$odd"
check "with slashes at the end" nodes_of "$odd//"
check "with dots inside" nodes_of "$tmp/./over/../a b\\c\"d/."
cd "$tmp" || exit
check "by a relative path" nodes_of "a b\\c\"d"
cd "$odd" || exit
check "by a dot" nodes_of .
cd / || exit
number=$(ebpfsctl -j mounts | jq '.[-1].mount')
device=$(ebpfsctl -j mounts | jq -r '.[-1].device')
check "by its number" nodes_of "$number"
check "by its device" nodes_of "$device"
check "which is that of its files" test "$(stat -c '%Hd:%Ld' "$odd")" = "$device"
refuse "not by another path" "nothing of type ebpfs.*$tmp/over" ebpfsctl node list "$tmp/over"
refuse "not by that of another filesystem" "nothing of type ebpfs" ebpfsctl node list /
refuse "not by another number" "no mount 4711" ebpfsctl node list 4711
refuse "not by another device" "no mount 250:250" ebpfsctl node list 250:250

# What lies on top is meant.
mounting ",secretfile=$secret,timeo=77" "$odd"
check "of two on one another, the upper one" test "$(ebpfsctl -v mounts |
	grep -A 1 "^mount $((number + 1)):" | grep -c timeo=77)" = 1
check "is found" test "$(ebpfsctl -j node list "$odd" | jq -r '.[0].session')" = \
	"$(ebpfsctl -j node list $((number + 1)) | jq -r '.[0].session')"
check "which is not the lower one" test "$(ebpfsctl -j node list "$odd" | jq -r '.[0].session')" != \
	"$(ebpfsctl -j node list "$number" | jq -r '.[0].session')"
umount "$odd"

# Figures.
cat "$odd/big" > /dev/null
ebpfsctl -j status > "$tmp/status"
check "status: the node is up" jq -e '.mounts[-1].nodes[0].state == "up"' "$tmp/status"
check "status: its round trip and window are measured" jq -e \
	'.mounts[-1].nodes[0] | .srtt_ns > 0 and .window >= 65536 and .rto_ns > 0' "$tmp/status"
check "status: bytes are counted by node" jq -e '.mounts[-1].nodes[0].stats |
	.fill_bytes_xdp + .fill_bytes_tc + .fill_bytes_plain >= 8388608' "$tmp/status"
check "status: the steered share is that of the counters" jq -e '.mounts[-1] |
	(.stats.fill_bytes_tc / (.stats.fill_bytes_tc + .stats.fill_bytes_plain) - .steered_share) |
	. < 0.0001 and . > -0.0001' "$tmp/status"
check "status: nearly all of it, in mode tc" jq -e '.mounts[-1].steered_share > 0.99' "$tmp/status"
check "status: the interface's verdicts tell the same" jq -e '.interfaces[] |
	select(.interface == "s1") | .verdicts.filled > 0 and .bytes >= 8388608 and .errors == 0' \
	"$tmp/status"

# Remounting.
check "remount changes the mount's attributes" mount -o remount,noexec,nosuid "$odd"
check "both" test "$(findmnt -n -o VFS-OPTIONS "$odd" | tr ',' '\n' | grep -cE '^(noexec|nosuid)$')" = 2
check "remount clears them" mount -o remount,exec,suid,soft "$odd"
check "and changes an option of ours" test "$(findmnt -n -o OPTIONS "$odd" | tr ',' '\n' |
	grep -cE '^(noexec|nosuid|soft)$')" = 1
refuse "remount cannot change the name" "name" mount -o remount,name=other "$odd"

# After a lazy unmount.
exec {held}< "$odd/big"
umount -l "$odd"
check "unmounted lazily: still listed" grep -q "^mount $number: .*not visible" <(ebpfsctl mounts)
check "and aborted by its number" ebpfsctl abort "$number"
check "as is shown" jq -e ".[] | select(.mount == $number) | .aborted" <<< "$(ebpfsctl -j mounts)"
exec {held}<&-

# Calls of mount(8).
refuse "an unknown option" frob mounting ",secretfile=$secret,frob=1" "$tmp/over"
check "is none for the sloppy" mounting ",secretfile=$secret,frob=1" "$tmp/over" -s
umount "$tmp/over"
refuse "but a wrong value is" timeo mounting ",secretfile=$secret,timeo=never" "$tmp/over" -s
check "fake mounts nothing" mounting ",secretfile=$secret" "$tmp/over" -f
check "really" test -z "$(findmnt -n "$tmp/over")"

spawn unshare --mount sleep 1000
inside=$!
nap 0.5
check "into another mount namespace" mounting ",secretfile=$secret" "$tmp/over" -N "$inside"
check "where it is" grep -q " $tmp/over " "/proc/$inside/mountinfo"
check "and not here" test -z "$(findmnt -n "$tmp/over")"
kill $inside
wait $inside 2> /dev/null

# The module does not let root of a user namespace mount (no FS_USERNS_MOUNT): who may make
# a network of his own could be its server, too.
refuse "not in a user namespace" "not permitted" nsenter --net=/run/netns/ebpfs-c1 \
	unshare --user --map-root-user --mount mount -t ebpfs \
	-o "name=lab-c1,secretfile=$secret" 10.99.0.1:/lab "$tmp/over"
check "where other filesystems can be mounted" \
	unshare --user --map-root-user --mount mount -t tmpfs none "$tmp/over"
refuse "nor with a network namespace of its own" "not permitted" \
	unshare --user --map-root-user --mount --net mount -t ebpfs \
	-o "name=lab-c1,secretfile=$secret" 10.99.0.1:/lab "$tmp/over"

# Nor is anybody else answered by the kernel, whatever he asks of mounts.
denied=$(setpriv --reuid 1000 --clear-groups "$here/lib/genl.py" 2>&1)
check "a user may neither see nor change mounts" \
	test "$denied" = "$(printf '%s EPERM\n' 1 2 3 4 5 6)" || note "$denied"
allowed=$("$here/lib/genl.py" 2>&1)
check "which root may" test "$(tr '\n' ' ' <<< "$allowed")" = \
	"1 OK 2 OK 3 ENOENT 4 ENOENT 5 ENOENT 6 OK " || note "$allowed"

# The secret from a keyring, without a file.
# shellcheck disable=SC2016 # the inner shell expands it
check "the secret may be in the caller's keyring" keyctl session - bash -c '
	base64 -d "$1" | keyctl padd logon ebpfs:lab-c1 @s > /dev/null && # codespell:ignore
	nsenter --net=/run/netns/ebpfs-c1 mount -t ebpfs -o name=lab-c1 10.99.0.1:/lab "$2"' \
	bash "$secret" "$tmp/over"
umount "$tmp/over"
