#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# sqlite: databases of SQLite with a rollback journal and with WAL; the client's
# process is killed amid transactions, then the server, then both the server and the
# mount: integrity_check is content, and what was committed is there
#
# modes: tc
# timeout: 300
#
# The server is a forgetful one: with it goes what it had not been asked to commit.

. "${0%/*}/../lib/lib.sh"

modes=(delete wal) rounds=2 seconds=4
[ -z "${EBPFS_LONG-}" ] || { modes=(delete truncate persist wal); rounds=8 seconds=20; }
plan $((${#modes[@]} * 11))

PATH=$here/lib:$PATH
export PYTHONDONTWRITEBYTECODE=1 EBPFSD_FORGETFUL=1
mkdir -p "$srv"
options=''

run() {
	exec transact.py run "$@"
}

# integrity FILE: asks SQLite's own program, which takes part in no other test.
integrity() {
	[ "$(sqlite3 "$1" 'pragma integrity_check')" = ok ]
}

kill_client() {
	local i
	for ((i = 0; i < rounds; i++)); do
		transact.py run "$base" "$account" "$mode" 60 $((RANDOM % 12 + 3))
		[ $? = 137 ] && transact.py check "$base" "$account" || return
	done
}

for mode in "${modes[@]}"; do
	lab_up --export "$srv" --clients 2
	base=$mnt/$mode account=$tmp/account-$mode
	check "$mode: the client is killed $rounds times amid transactions" kill_client
	note "$(tail -n 1 "$tmp/out")"

	spawn run "$base" "$account" "$mode" $seconds > "$tmp/run" 2>&1
	writer=$!
	check "$mode: the server dies and forgets" kill_again $writer $((rounds * 2))
	check "$mode: transactions go on" await 100 $writer
	holds "$mode: without an error" "ended == 0" || show "$tmp/run"
	note "$(tail -n 1 "$tmp/run")"
	check "$mode: the database is right" transact.py check "$base" "$account"
	check "$mode: SQLite says so" integrity "$base"
	check "$mode: at another client" transact.py check "$mnt-2/$mode" "$account"

	# All power is cut.
	spawn run "$base" "$account" "$mode" 60 > "$tmp/run" 2>&1
	writer=$!
	nap $((seconds / 2))
	lab kill 1
	umount -f -l "$mnt" 2> /dev/null
	nap 0.2
	kill -9 $writer
	check "$mode: server and mount go at once" await 30 $writer
	check "$mode: what was committed is at the server" transact.py check "$srv/$mode" "$account"
	note "$(tail -n 1 "$tmp/out")"
	check "$mode: SQLite says so" integrity "$srv/$mode"
	check "$mode: nothing is left of that" lab down
done
