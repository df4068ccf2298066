#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# durable: what fsync and sync acknowledged is on the server's disk, not only in its memory
#
# timeout: 300
#
# The export is a filesystem on a device that logs every write when it has become
# durable (the device mapper's log-writes). While clients write and sync, at some
# moment, what was acknowledged is noted first, then a mark is set in the log, and
# then the server is killed. The disk as it was at the mark is made anew from the
# log (lib/replaylog.c), as after a power failure. It is mounted: whatever was
# acknowledged before the mark has to be there. Then the server starts again and
# the clients go on. One of the writers never writes more than one block before it syncs:
# no COMMIT saves what a WRITE to stable storage did not. The short set kills 3 times over ext4, the long one 20 times
# over ext4 and 20 times over xfs; and once more when nobody writes, after a sync.

. "${0%/*}/../lib/lib.sh"

kills=3 filesystems=(ext4)
[ -z "${EBPFS_LONG-}" ] || kills=20 filesystems=(ext4 xfs)
plan $((${#filesystems[@]} * (6 * kills + 13)))

# There is no udev in the guest: libdm makes the device's node itself.
export DM_DISABLE_UDEV=1
disk='' logdisk='' map=ebpfs-durable
replayed=$tmp/replayed

undo() {
	lab down > "$tmp/lab" 2>&1
	umount "$replayed" 2> /dev/null
	umount "$srv" 2> /dev/null
	dmsetup remove --retry $map 2> /dev/null
	[ -z "$disk" ] || losetup -d "$disk" "$logdisk"
	disk=''
}
trap 'undo; clean_up' EXIT

# An export on filesystem $1, whose writes are logged from mkfs on.
prepare() {
	rm -f "$tmp"/*.img
	truncate -s 512M "$tmp/disk.img"
	truncate -s 3G "$tmp/log.img"
	disk=$(losetup -f --show "$tmp/disk.img") || return
	logdisk=$(losetup -f --show "$tmp/log.img") || return
	dmsetup create $map --table "0 $((512 * 2048)) log-writes $disk $logdisk" || return
	case $1 in
	ext4)	mkfs.ext4 -q -E nodiscard /dev/mapper/$map &&
			mount -t ext4 -o noinit_itable /dev/mapper/$map "$srv" ;;
	xfs)	mkfs.xfs -q -K /dev/mapper/$map && mount -t xfs /dev/mapper/$map "$srv" ;;
	esac
}

# Stops process $1 when what it waits for has come.
freeze() {
	local i
	kill -STOP "$1"
	for ((i = 0; i < 400; i++)); do
		tasks_in_state "$1" T
		[ $count = 0 ] || return 0
		nap 0.02
	done
	echo "the writer $1 does not get out of its call"
	return 1
}

# Kill $1 of the server, while the writers write; what they were told is in before-*,
# what they can have begun in after-*. Before every other kill they are stopped: what
# was acknowledged last is then not saved by a later sync, if its own did nothing.
kill_server() {
	if (($1 % 2)); then
		freeze "$data" && freeze "$single" && nap 0.1 && freeze "$names" || return
	fi
	cp "$tmp/a" "$tmp/before-a" && cp "$tmp/n" "$tmp/before-n" &&
		cp "$tmp/s" "$tmp/before-s" &&
		dmsetup message $map 0 mark "kill-$1" && lab kill 1 || return
	kill -CONT "$data" "$single" "$names"
	cp "$tmp/a" "$tmp/after-a" && cp "$tmp/n" "$tmp/after-n" && cp "$tmp/s" "$tmp/after-s"
}

# Names of which nobody asks for more than sync to have them on the disk.
sync_and_kill() {
	freeze "$data" && freeze "$single" && freeze "$names" && nap 0.1 &&
		mkdir "$mnt/synced" && echo word > "$mnt/synced/old" && ln "$mnt/a" "$mnt/synced" &&
		mv "$mnt/synced/old" "$mnt/synced/new" && chmod 0421 "$mnt/synced/new" &&
		sync -f "$mnt" && dmsetup message $map 0 mark synced && lab kill 1 || return
	kill -CONT "$data" "$single" "$names"
}

is_synced() {
	[ "$(cd "$1" && stat -c %n-%a-%h -- *)" = "a-644-2"$'\n'"new-421-1" ]
}

# Mounts the disk as of mark $2, which is of filesystem $1.
mount_replayed() {
	local options=loop
	rm -f "$tmp/replay.img"
	truncate -s 512M "$tmp/replay.img"
	replaylog "$tmp/log.img" "$2" "$tmp/replay.img" || return
	[ "$1" != xfs ] || options+=,nouuid		# its twin is mounted
	mount -t "$1" -o $options "$tmp/replay.img" "$replayed"
}

# When its log has been replayed by the mount.
examine() {
	umount "$replayed" || return
	case $1 in
	ext4)	e2fsck -fn "$tmp/replay.img" ;;
	xfs)	xfs_repair -n "$tmp/replay.img" ;;
	esac
}

run_on() {
	local fs=$1 i data single names
	rm -f "$tmp"/{a,s,n}
	check "$fs: an export whose writes are logged" prepare "$fs" || give_up "no such device"
	lab_up --export "$srv"
	# Until they are told to end.
	spawn ackwrite write "$mnt/a" "$tmp/a" 100000 > "$tmp/out-a" 2>&1
	data=$!
	spawn ackwrite write "$mnt/s" "$tmp/s" 100000 1 > "$tmp/out-s" 2>&1
	single=$!
	spawn ackwrite make "$mnt/names" "$tmp/n" 100000 > "$tmp/out-n" 2>&1
	names=$!
	for ((i = 1; i <= kills; i++)); do
		nap $((1 + RANDOM % 2)).$((RANDOM % 10))
		check "$fs: kill $i" kill_server $i
		check "$fs: the disk as it was then" mount_replayed "$fs" "kill-$i" ||
			give_up "nothing to look at"
		note "$(< "$tmp/out")"
		check "$fs: bytes that were acknowledged are there" \
			ackwrite check "$replayed/a" "$tmp/before-a" "$tmp/after-a"
		note "$(< "$tmp/out")"
		check "$fs: and those of single WRITEs" \
			ackwrite check "$replayed/s" "$tmp/before-s" "$tmp/after-s"
		note "$(< "$tmp/out")"
		check "$fs: and names" \
			ackwrite made "$replayed/names" "$tmp/before-n" "$tmp/after-n"
		note "$(< "$tmp/out")"
		check "$fs: nothing is corrupt" examine "$fs"
		lab start 1
	done
	nap 1
	check "$fs: a kill after a sync" sync_and_kill
	check "$fs: the disk as it was then" mount_replayed "$fs" synced
	check "$fs: names and attributes are there" is_synced "$replayed/synced"
	umount "$replayed"
	lab start 1
	nap 1
	zombie $data || zombie $single || zombie $names
	holds "$fs: nobody saw an error" "$? == 1" ||
		{ show "$tmp/out-a"; show "$tmp/out-s"; show "$tmp/out-n"; }
	kill $data $single $names
	check "$fs: the writers end" await 60 $data
	await 60 $single
	await 60 $names
	check "$fs: at the end, bytes are right at the client" ackwrite check "$mnt/a" "$tmp/a"
	check "$fs: and at the server" ackwrite check "$srv/a" "$tmp/a"
	check "$fs: those of single WRITEs are right at the client" \
		ackwrite check "$mnt/s" "$tmp/s"
	check "$fs: and at the server" ackwrite check "$srv/s" "$tmp/s"
	check "$fs: names are right at the client" ackwrite made "$mnt/names" "$tmp/n"
	check "$fs: and at the server" ackwrite made "$srv/names" "$tmp/n"
	undo
	check "$fs: the filesystem below can be unmounted" test ! -e /dev/mapper/$map
}

modprobe -a loop dm-log-writes || give_up "the kernel has no dm-log-writes"
mkdir -p "$srv" "$replayed"
for fs in "${filesystems[@]}"; do
	run_on "$fs"
done
