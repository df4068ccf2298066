#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# abort: with a dead server, umount -f and ebpfsctl abort let every blocked
# task go within 5 s, also after a lazy unmount, and kill -9 works at once
#
# timeout: 240

. "${0%/*}/../lib/lib.sh"

plan 24

mkdir -p "$srv"
mkdata tree "$srv/tree" 50
mkdata file "$srv/big" 32M
mkdata file "$srv/other" 32M
mkdata file "$srv/queued" 1M

# Readers of every kind, with nothing cached and nobody who answers.
block() {
	lab_up --export "$srv"
	treecmp -n "$srv" "$mnt" > "$tmp/out" 2>&1 || show "$tmp/out"
	lab kill 1
	readers=()
	spawn readfile -t 8 read "$mnt/big" > "$tmp/read" 2>&1
	readers+=($!)
	spawn readfile -t 8 mmap "$mnt/other" > "$tmp/mmap" 2>&1
	readers+=($!)
	for way in aio ring; do
		spawn readfile -t 2 $way "$mnt/queued" > "$tmp/$way" 2>&1
		readers+=($!)
	done
	nap 3.5		# attributes are believed no longer
	spawn readfile -t 2 stat "$mnt/tree/dir0/file1" > "$tmp/stat" 2>&1
	readers+=($!)
	spawn readfile -t 2 list "$mnt/tree" > "$tmp/list" 2>&1
	readers+=($!)
	spawn readfile -t 2 statfs "$mnt" > "$tmp/statfs" 2>&1
	readers+=($!)
	nap 1
	living
	holds "$1: all are blocked" "alive == 7"
}

# How many readers live, and how many of their threads are in D state.
living() {
	local pid
	alive=0 blocked=0
	for pid in "${readers[@]}"; do
		zombie "$pid" || alive=$((alive + 1))
		tasks_in_state "$pid" D
		blocked=$((blocked + count))
	done
}

# judge CASE: all readers end within 5 s of $start, with errors.
judge() {
	local pid wrong='' file
	while living && [ $alive -gt 0 ] && [ $((${EPOCHREALTIME/./} - ${start/./})) -lt 5000000 ]; do
		nap 0.1
	done
	holds "$1: every blocked task ends within 5 s" "alive == 0 && blocked == 0"
	for pid in "${readers[@]}"; do
		kill -9 "$pid" 2> /dev/null
		wait "$pid" 2> /dev/null
	done
	for file in read mmap aio ring stat list statfs; do
		[[ $(< "$tmp/$file") =~ errors:\ (EIO|SIGBUS) ]] || wrong+=" $file: $(< "$tmp/$file")"
	done
	check "$1: each with EIO" test -z "$wrong" || note "$wrong"
}

elapsed() {
	milliseconds=$(((${EPOCHREALTIME/./} - ${start/./}) / 1000))
}

gone() {
	! grep -q " $mnt ebpfs " /proc/self/mounts
}

block "umount -f"
start=$EPOCHREALTIME
timeout 20 umount -f "$mnt" > "$tmp/out" 2>&1
elapsed
holds "umount -f: returns within 5 s" "milliseconds < 5000"
judge "umount -f"
timeout 20 umount -f "$mnt" > "$tmp/out" 2>&1
check "umount -f: the mount is gone then" gone
check "umount -f: the lab goes down" lab down

block "ebpfsctl abort"
start=$EPOCHREALTIME
check "ebpfsctl abort: succeeds" timeout 20 ebpfsctl abort "$mnt"
elapsed
holds "ebpfsctl abort: returns within 5 s" "milliseconds < 5000"
judge "ebpfsctl abort"
refuse "ebpfsctl abort: what comes later fails, too" "Input/output error" \
	timeout 20 ls "$mnt/tree/dir0/nothing"
check "ebpfsctl abort: umount works" timeout 20 umount "$mnt"
check "ebpfsctl abort: the lab goes down" lab down

block "after umount -l"
number=$(ebpfsctl -j mounts | jq '.[0].mount')
check "after umount -l: lazily unmounted" umount -l "$mnt"
start=$EPOCHREALTIME
check "after umount -l: ebpfsctl abort by number succeeds" timeout 20 ebpfsctl abort "$number"
judge "after umount -l"
check "after umount -l: the lab goes down" lab down

block "kill -9"
start=$EPOCHREALTIME
kill -9 "${readers[@]}"
while living && [ $alive -gt 0 ] && [ $((${EPOCHREALTIME/./} - ${start/./})) -lt 5000000 ]; do
	nap 0.1
done
elapsed
holds "kill -9: ends them within 5 s ($milliseconds ms)" "alive == 0"

# Truncating is refused on a read-only filesystem, but dropping caches waits for
# nobody, and sync has nothing to wait for.
start=$EPOCHREALTIME
check "a dead server does not hold up drop_caches and sync" timeout 20 bash -c \
	"echo 3 > /proc/sys/vm/drop_caches; sync"
check "the lab goes down with a dead server" lab down
