#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# crash: the server dies while clients write and sync; whatever fsync acknowledged
# is there afterwards, and nothing is garbage
#
# modes: tc
# long-modes: off tc+privacy
# timeout: 300
#
# The server is a forgetful one (see userspace/ebpfsd/forget.h): with it goes what
# it was sent and had not been asked to commit, as with the machine under it.

. "${0%/*}/../lib/lib.sh"

plan 15

# How often the server is killed, and for how many seconds the link is cut.
kills=4 cut=6
[ -z "${EBPFS_LONG-}" ] || kills=20 cut=30

export EBPFSD_FORGETFUL=1
mkdir -p "$srv"
lab_up --export "$srv"

spawn ackwrite write "$mnt/a" "$tmp/a" $((kills * 2)) > "$tmp/out-a" 2>&1
writer=$!
check "the server dies $kills times" kill_again $writer $kills 0.3
check "the writer ends" await 120 $writer
holds "without an error" "ended == 0" || show "$tmp/out-a"
check "all that was acknowledged is there, at the client" ackwrite check "$mnt/a" "$tmp/a"
check "and at the server" ackwrite check "$srv/a" "$tmp/a"

# Large passes: a file written whole, with the server dying in between.
spawn mkdata file "$mnt/large" 48M > "$tmp/out-b" 2>&1
writer=$!
read_stats
again=${S[write_again]}
check "the server dies during a large write" kill_again $writer $kills 0.3
check "the writer ends" succeeds 120 $writer || show "$tmp/out-b"
check "the file is right" mkdata check "$srv/large" 1 0 48M || show "$tmp/out-b"
read_stats
note "passes written again: ${S[write_again]}; sessions ${S[sessions]}"
holds "some of it was written again" "S[write_again] > again"

# Whatever else is done to files meanwhile: who does it sees nothing of it.
walkers=()
for i in 1 2 3; do
	spawn fsrandom -u "$tmp/enough" -s $((RANDOM + i)) "$mnt/r$i" > "$tmp/random-$i" 2>&1
	walkers+=($!)
done
check "the server dies during random operations" kill_again "${walkers[0]}" $kills
touch "$tmp/enough"
failed=0
for i in 1 2 3; do
	succeeds 60 "${walkers[i - 1]}" || { failed=$i; show "$tmp/random-$i"; }
done
holds "which are what a model says" "failed == 0"

# The link is cut for a while.
spawn ackwrite write "$mnt/c" "$tmp/c" $((cut + 6)) > "$tmp/out-c" 2>&1
writer=$!
nap 1
netem all both loss 100%
nap $cut
netem all both off
check "the link is cut for $cut s, and the writer ends" succeeds 60 $writer || show "$tmp/out-c"
check "all that was acknowledged is there" ackwrite check "$srv/c" "$tmp/c"

# The mount is ended by force: the writer gets an error, what was acknowledged stays.
spawn ackwrite write "$mnt/d" "$tmp/d" 60 > "$tmp/out-d" 2>&1
writer=$!
nap 2
lab kill 1
nap 0.5
umount -f "$mnt" 2> /dev/null
check "umount -f ends a writer" await 10 $writer
lab start 1
check "and what was acknowledged is there" ackwrite check "$srv/d" "$tmp/d"
