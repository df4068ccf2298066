#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# slow: a server whose disk takes three seconds to make anything last is not taken for dead,
# and other clients have what needs no disk meanwhile
#
# modes: tc
# timeout: 180

. "${0%/*}/../lib/lib.sh"

plan 9

seconds=3
disk=$tmp/disk map=ebpfs-slow
export DM_DISABLE_UDEV=1
if ! modprobe -qa loop dm-delay; then
	for ((i = 0; i < planned; i++)); do
		skip "a slow disk" "the kernel has no dm-delay"
	done
	exit
fi
truncate -s 64M "$disk"
loop=$(losetup --find --show "$disk")
sectors=$(blockdev --getsz "$loop")
undo() {
	lab down > /dev/null 2>&1
	umount "$srv" 2> /dev/null
	dmsetup remove --retry $map 2> /dev/null
	losetup -d "$loop"
}
trap 'undo; clean_up' EXIT
# Reads, writes, flushes: only the last of them wait.
check "a disk with slow flushes" dmsetup create $map --table \
	"0 $sectors delay $loop 0 0 $loop 0 0 $loop 0 0" || give_up "no dm-delay"
mkfs.ext4 -q /dev/mapper/$map
mkdir -p "$srv"
mount /dev/mapper/$map "$srv"
lab_up --export "$srv" --clients 2 --opts timeo=5
cp /bin/true "$mnt/warm" && sync "$mnt/warm"
read_stats
sessions=${S[sessions]} lost=${S[node_lost]}

dmsetup suspend $map &&
	dmsetup load $map --table \
		"0 $sectors delay $loop 0 0 $loop 0 0 $loop 0 $((seconds * 1000))" &&
	dmsetup resume $map
begun=$SECONDS
check "a file is brought to the disk" timeout 60 \
	dd if=/dev/zero of="$mnt/file" bs=4K count=1 conv=fsync
holds "it took as long as the disk does ($((SECONDS - begun)) s)" "SECONDS - begun >= seconds"
spawn timeout 60 dd if=/dev/zero of="$mnt/other" bs=4K count=1 conv=fsync
dd=$!
nap 0.5
check "meanwhile another client reads" timeout 2 cmp /bin/true "$mnt-2/warm"
check "the file comes to the disk, too" await 60 $dd
holds "without an error" "ended == 0"
check "so does all that the mount has" timeout 60 sync -f "$mnt/file"
read_stats
holds "no session was given up" "S[sessions] == sessions && S[node_lost] == lost"
dmsetup suspend $map && dmsetup load $map --table \
	"0 $sectors delay $loop 0 0 $loop 0 0 $loop 0 0" && dmsetup resume $map
check "it is there" cmp "$srv/file" "$srv/other"
