#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# slow: a server whose disk takes five seconds to make anything last is not taken for dead,
# and other clients have what needs no disk meanwhile
#
# modes: tc
# timeout: 180

. "${0%/*}/../lib/lib.sh"

plan 10

# Longer than a server may be silent, and that longer than a busy machine stands still.
seconds=5
delayed_disk 0 0 0 || give_up "no disk"
check "a disk that is not slow yet" mkfs.ext4 -q $disk || give_up "no filesystem"
mkdir -p "$srv"
mount $disk "$srv"
lab_up --export "$srv" --clients 2 --opts timeo=20
cp /bin/true "$mnt/warm" && sync "$mnt/warm"
read_stats
sessions=${S[sessions]} lost=${S[node_lost]}

# Reads, writes, flushes: only the last of them wait.
check "flushes become slow" delayed_disk 0 0 $((seconds * 1000))
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
delayed_disk 0 0 0
check "it is there" cmp "$srv/file" "$srv/other"
