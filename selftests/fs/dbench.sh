#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# dbench: the load of a file server's clients, from dbench's own record of it, runs
# without an error and leaves nothing behind
#
# modes: tc
# timeout: 180
# long

. "${0%/*}/../lib/lib.sh"

plan 8

seconds=$((3 * ${EBPFS_SLOW:-1}))
[ -z "${EBPFS_LONG-}" ] || seconds=30
load=/usr/share/dbench/client.txt

mkdir -p "$srv"
lab_up --export "$srv" --clients 2

# bench DIRECTORY CLIENTS OPTION...: dbench exits with 0 also after some errors.
bench() {
	local dir=$1 clients=$2 log
	shift 2
	log=$tmp/dbench-${dir##*/}
	mkdir -p "$dir" &&
		dbench -c $load -D "$dir" -t $seconds "$@" "$clients" > "$log" 2>&1 || return
	! grep -v 'barrier semaphore' "$log" | grep -iE 'error|fail|mismatch' || return
	tail -n 1 "$log"
	grep -q '^Throughput [0-9.]*[1-9]' "$log"
}

check "four clients" bench "$mnt/four" 4 && note "$(tail -n 1 "$tmp/out")"
check "with attributes in xattrs, and fsync" bench "$mnt/sync" 2 -x -F &&
	note "$(tail -n 1 "$tmp/out")"
spawn bench "$mnt-2/b" 3 > "$tmp/second" 2>&1
second=$!
check "two hosts at a time, one of them" bench "$mnt/a" 3 || show "$tmp/dbench-a"
check "and the other ends" await 60 $second
holds "without an error" "ended == 0" || show "$tmp/dbench-b"

# One that is killed leaves its files, which others then see alike.
spawn dbench -c $load -D "$mnt/a" -t 60 --skip-cleanup 2 > "$tmp/killed" 2>&1
nap 3
killall -9 dbench
await 10 $!
left=("$mnt/a"/clients/*)
check "killed, it leaves files" test -e "${left[0]}"
check "which are the same at the server" treecmp "$srv/a" "$mnt/a"
check "and at the other client" treecmp "$srv/a" "$mnt-2/a"
