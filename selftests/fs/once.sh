#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# once: operations that must not be done twice, by several processes on two clients,
# while ebpfsd is killed again and again and replies are lost: each is done once, and
# none is refused because it was done already
#
# modes: tc
# long-modes: off xdp tc+privacy
# timeout: 180
#
# ebpfsd dies by SIGKILL from here, whenever that is, and by its own hand: right after
# an operation is executed, after its intent or its result is written (EBPFSD_TEST_DIE).

. "${0%/*}/../lib/lib.sh"

plan 10

ops=100 deaths=8 wait=100
[ -z "${EBPFS_LONG-}" ] || ops=1000 deaths=30 wait=500
points=(executed intent result made executed)

mkdir -p "$srv"
lab_up --export "$srv" --clients 2
mkdir "$srv/a" "$srv/b"

# Starts ebpfsd, to kill itself at the next point after some operations, waits for
# that or a while, and kills it. As long as one of the two processes lives.
killed=0 by_itself=0
one_death() {
	local point=${points[(killed + by_itself) % ${#points[@]}]} i

	# It may be so soon that nobody has seen it ready.
	if ! EBPFSD_TEST_DIE=$point:$((1 + RANDOM % 12)) lab start 1; then
		by_itself=$((by_itself + 1))
		return
	fi
	read -r server _ < /run/ebpfs-lab/server-1.pid
	for ((i = 0; i < 15; i++)); do
		nap 0.1
		if zombie "$server"; then
			by_itself=$((by_itself + 1))
			return
		fi
	done
	if lab kill 1; then
		killed=$((killed + 1))
	elif zombie "$server"; then	# just now
		by_itself=$((by_itself + 1))
	else
		return 1
	fi
}

# Two lives of three end by themselves; the third by SIGKILL, at any time.
end_lives() {
	local i
	lab kill 1 || return
	for ((i = 0; i < deaths; i++)); do
		zombie $one && zombie $two && break
		if [ $((i % 3)) = 2 ]; then
			lab start 1 || return
			nap 0.$((RANDOM % 6))$((RANDOM % 10))
			lab kill 1 || return
			killed=$((killed + 1))
		else
			one_death || return
		fi
	done
	lab start 1
}

# both NAME: the operations, on both clients, and what ends them.
both() {
	spawn once -n $ops -p 2 -s "$RANDOM" "$mnt/a/$1" "$srv/a/$1" > "$tmp/one" 2>&1
	one=$!
	spawn once -n $ops -p 2 -s "$RANDOM" "$mnt-2/b/$1" "$srv/b/$1" > "$tmp/two" 2>&1
	two=$!
}

mkdir "$srv/a/lost" "$srv/b/lost"
netem all out loss 25%
both lost
check "a quarter of what the server sends is lost" await 150 $one || show "$tmp/one"
holds "every operation is done once, and says so" "ended == 0" || show "$tmp/one"
check "and at the other client" await 150 $two || show "$tmp/two"
holds "every operation is done once there" "ended == 0" || show "$tmp/two"
netem all out off

mkdir "$srv/a/dead" "$srv/b/dead"
[ -n "${EBPFS_LONG-}" ] || ops=200
start=$SECONDS
both dead
check "ebpfsd dies again and again" end_lives
await $wait $one
holds "every operation is done once, and says so" "ended == 0" || show "$tmp/one"
await $wait $two
holds "every operation is done once at the other client" "ended == 0" || show "$tmp/two"
note "ebpfsd was killed $killed times, killed itself $by_itself times, in $((SECONDS - start)) s"
holds "it was killed from outside" "killed >= deaths / 5"
holds "it killed itself over an operation" "by_itself >= deaths / 4"
check "and lives" lab status
