#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# append: records that several processes on two clients append to one file are
# all there, whole and in order, also over a bad network and a server that dies
#
# modes: tc
# long-modes: off
# timeout: 240

. "${0%/*}/../lib/lib.sh"

plan 7

# @enough: so many that the server dies often before they are all there.
records=1250 enough=5000 deaths=8 wait=120
[ -z "${EBPFS_LONG-}" ] || records=10000 enough=10000 deaths=40 wait=600

mkdir -p "$srv"
lab_up --export "$srv" --clients 2
check "two clients, two processes each" \
	append -n $records "$mnt/a" "$mnt-2/a" "$mnt/a" "$mnt-2/a"
check "a client and the server" append -n $((records / 4)) "$mnt/b" "$srv/b"

lab netem all both delay 1ms 200us loss 1% duplicate 1% reorder 25%
check "over a bad network" append -n $((records / 5)) "$mnt/c" "$mnt-2/c"
lab netem all both off

# Kills the server while the two append: in turn at any time, and, by its own hand,
# between an append and the note of it, when only its next start can tell.
killed=0 by_itself=0
kill_some() {
	local i server
	while [ $((killed + by_itself)) -lt $deaths ] && ! zombie $appender; do
		lab kill 1 || return
		killed=$((killed + 1))
		server=0
		# It may be so soon that nobody has seen it ready.
		if EBPFSD_TEST_DIE=made:$((1 + RANDOM % 40)) lab start 1; then
			read -r server _ < /run/ebpfs-lab/server-1.pid
		fi
		for ((i = 0; i < 20; i++)); do
			zombie "$server" && break
			nap 0.1
		done
		if zombie "$server"; then
			by_itself=$((by_itself + 1))
			lab start 1 || return
		fi
		nap 0.$((RANDOM % 8))
	done
}
spawn append -n $enough "$mnt/d" "$mnt-2/d" > "$tmp/append" 2>&1
appender=$!
nap 0.5
check "the server dies meanwhile" kill_some
note "it was killed $killed times, and killed itself $by_itself times"
holds "both from outside and by itself" "killed >= 3 && by_itself >= 2"
check "the two end" await $wait $appender
holds "the records are all there, and none twice" "${ended:-1} == 0" || show "$tmp/append"
