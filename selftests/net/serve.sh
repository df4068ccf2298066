#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# serve: READs that a server's kernel answers out of its page cache have the right
# bytes, whatever happens to the file, the user, ebpfsd and the packets meanwhile
#
# modes: tc
# long-modes: off
# timeout: 240
#
# Steering on the client is the mode; serving is on in all.

. "${0%/*}/../lib/lib.sh"

plan 29

in_s1=(nsenter --net=/run/netns/ebpfs-s1)
as_user=(setpriv --reuid=1000 --regid=1000 --clear-groups)

mkdir -p "$srv"
mkdata file "$srv/big" 8M
mkdata file "$srv/shared" 1M
mkdata file "$srv/private" 1M
chmod 755 "$srv"
chmod 644 "$srv"/*
lab up --steer "$steer" --serve --export "$srv" > "$tmp/lab" 2>&1 ||
	{ show "$tmp/lab"; give_up "lab up"; }

# The serving program's counters, into V.
declare -A V
verdicts() {
	local name value
	V=()
	while IFS=$'\t' read -r name value; do
		V[$name]=$value
	done < <("${in_s1[@]}" ebpfsctl -j status | jq -r '.interfaces[] | select(.serve) | .serve |
		(.verdicts + {calls, bytes, errors}) | to_entries[] | "\(.key)\t\(.value)"')
	[ -n "${V[calls]-}" ] || give_up "ebpfsctl status shows no serving program"
}

# served DESCRIPTION CALLS COMMAND...: the command succeeds, and at least so many
# calls of it are answered by the kernel.
served() {
	local what=$1 least=$2 before
	shift 2
	verdicts
	before=${V[calls]}
	check "$what" "$@" || return
	verdicts
	holds "$what: the kernel answers" "V[calls] - before >= least"
}

# blocks FILE COUNT: COUNT reads of 4 KiB past the client's page cache succeed; what
# bytes they get is compared elsewhere.
blocks() {
	bench -d rand "$2" "$1"
}

# The daemon has seen the program, the file is older than a tick, and it was asked for twice.
warm() {
	bench -d rand 4 "$1" > /dev/null
}
nap 2
warm "$mnt/big"

served "4 KiB reads" 190 blocks "$mnt/big" 200
verdicts
before=${V[calls]}
drop_caches
warm "$mnt/big"
check "a file is read whole" cmp "$srv/big" "$mnt/big"
verdicts
holds "the kernel answers large reads" "V[calls] - before > 100"

check "bytes beyond the end are not there" \
	test "$(dd if="$mnt/big" bs=1M skip=7 iflag=direct status=none | wc -c)" = $((1 << 20))

# What changes at the server.
warm "$mnt/shared"
served "before a change" 40 blocks "$mnt/shared" 50
dd if=/dev/urandom of="$srv/shared" bs=4k count=256 conv=notrunc status=none
check "what a local process has written is read" \
	cmp "$srv/shared" <(dd if="$mnt/shared" bs=64k iflag=direct status=none)
nap 0.5
warm "$mnt/shared"
served "a changed file is granted again" 40 blocks "$mnt/shared" 50
truncate -s 10000 "$srv/shared"
check "a file that was cut has its new end" \
	cmp "$srv/shared" <(dd if="$mnt/shared" bs=64k iflag=direct status=none)
truncate -s 20000 "$srv/shared"
check "it has zeroes where it grows" \
	cmp "$srv/shared" <(dd if="$mnt/shared" bs=64k iflag=direct status=none)

# Users.
nap 0.5
check "a user reads" "${as_user[@]}" dd if="$mnt/private" bs=4k count=100 iflag=direct of=/dev/null
nap 0.5
served "a user has grants of his own" 40 "${as_user[@]}" dd if="$mnt/private" bs=4k count=100 iflag=direct of=/dev/null
# Opened by the user, and read on after he has lost his right to.
mkfifo "$tmp/go"
chmod 755 "$tmp"
chmod 666 "$tmp/go"
# shellcheck disable=SC2016
spawn "${as_user[@]}" bash -c 'exec 5< "$1"
	dd bs=4k count=1 iflag=direct status=none <&5 > /dev/null || exit 9
	read -r < "$2"
	dd bs=4k count=1 iflag=direct status=none <&5 > /dev/null' - "$mnt/private" "$tmp/go" \
	> "$tmp/lost" 2>&1
reader=$!
nap 1
chmod 600 "$srv/private"
nap 1.2
# Not the one READ of a second that ebpfsd gets in any case.
warm "$mnt/big"
echo > "$tmp/go"
await 20 "$reader"
holds "who has lost his right reads no more" "ended == 1"
check "and is told why" grep -q 'Permission denied' "$tmp/lost"
check "root reads on" blocks "$mnt/private" 50

# A page that changes all the time, by a local process.
# shellcheck disable=SC2016
spawn bash -c 'while :; do dd if=/dev/urandom of="$1" bs=64k count=16 conv=notrunc status=none
	done' - "$srv/private"
writer=$!
check "a file that is written all the time is read" blocks "$mnt/private" 200
kill "$writer"
wait "$writer" 2> /dev/null

# The network.
netem all both delay 1ms loss 1% duplicate 5% reorder 25%
drop_caches
check "loss, duplicates, reordering: the bytes are right" cmp "$srv/big" "$mnt/big"
netem all both off

# The daemon.
nap 1
warm "$mnt/big"
served "before ebpfsd ends" 40 blocks "$mnt/big" 50
verdicts
lab kill 1
before=${V[calls]}
spawn bench -d rand 50 "$mnt/big" > "$tmp/out1" 2>&1
reader=$!
nap 2
verdicts
holds "nothing is served without ebpfsd" "V[calls] == before"
lab start 1
check "a reader goes on when it is back" succeeds 30 "$reader" || show "$tmp/out1"
nap 2
warm "$mnt/big"
served "and the kernel serves again" 40 blocks "$mnt/big" 50

check "steering may be off already" lab steer off
verdicts
holds "the program's calls are all understood" "V[errors] == 0"
umount "$mnt"
"${in_s1[@]}" ebpfsctl detach --serve c1 > "$tmp/out" 2>&1 || show "$tmp/out"
unload() {
	local i
	for ((i = 0; i < 25; i++)); do
		! rmmod ebpfs 2> "$tmp/rmmod" || return 0
		nap 0.2
	done
	cat "$tmp/rmmod"
	return 1
}
check "without the program ebpfsd lets go of the module" unload
