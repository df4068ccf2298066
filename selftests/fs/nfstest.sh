#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# nfstest: each check of nfstest_posix and nfstest_fcmp that passes on a local
# filesystem passes on a mount; long: as an ordinary user, too
#
# modes: tc
# timeout: 240
#
# They are made for NFS: told not to mount, they test the directory they are given.
# They insist on capturing packets, and look for the address of this machine by a
# route to the internet or HOSTNAME. Most of their time is sleep, so all run at once.

. "${0%/*}/../lib/lib.sh"

users=(root)
[ -z "${EBPFS_LONG-}" ] || users+=(nobody)
plan $((${#users[@]} * 4))

# What passes on tmpfs in Linux 6.12.
local_passes=463

printf '#!/bin/sh\necho listening on nothing >&2\nexec sleep 1000\n' > "$tmp/nodump"
chmod 755 "$tmp/nodump" "$tmp"
mkdir -m 755 "$tmp/local" "$srv"
for user in "${users[@]}"; do
	mkdir "$tmp/local/$user" "$srv/$user" "$tmp/log-$user" "$tmp/log-$user"/{local,mount}
	chown -R "$user" "$tmp/local/$user" "$srv/$user" "$tmp/log-$user"
done
lab_up --export "$srv"

# both USER DIRECTORY LOGS
both() {
	local program
	cd "$3" || return
	for program in nfstest_posix nfstest_fcmp; do
		HOSTNAME=192.0.2.1 HOME=$3 PYTHONDONTWRITEBYTECODE=1 setpriv --reuid "$1" \
			--clear-groups -- $program --nomount --mtpoint "$2" --server 192.0.2.1 \
			--tcpdump "$tmp/nodump" --trcdelay 0 --sudo env --tmpdir "$3" 2>&1
	done
}

# results LOG: into $1.pass and $1.all, sorted.
results() {
	sed -n 's/^ *PASS: //p' "$1" | sort > "$1.pass"
	sed -nE 's/^ *(PASS|FAIL): //p' "$1" | sort > "$1.all"
}

runs=()
for user in "${users[@]}"; do
	spawn both "$user" "$tmp/local/$user" "$tmp/log-$user/local" > "$tmp/$user-local"
	runs+=($!)
	spawn both "$user" "$mnt/$user" "$tmp/log-$user/mount" > "$tmp/$user-mount"
	runs+=($!)
done
for run in "${runs[@]}"; do
	await $((200 * ${EBPFS_SLOW:-1})) "$run" || note "a run does not end"
done
for user in "${users[@]}"; do
	results "$tmp/$user-local"
	results "$tmp/$user-mount"
	passes=$(wc -l < "$tmp/$user-local.pass")
	there=$(wc -l < "$tmp/$user-mount.pass")
	note "$user: $passes checks pass on tmpfs, $there on the mount"
	if [ "$user" = root ]; then
		holds "$user: the local run is complete" "passes >= local_passes" ||
			show "$tmp/$user-local"
	else
		# Some of them are for root.
		holds "$user: the local run is complete" "passes >= local_passes * 9 / 10" ||
			show "$tmp/$user-local"
	fi
	holds "$user: as many checks on the mount" \
		"$(wc -l < "$tmp/$user-local.all") == $(wc -l < "$tmp/$user-mount.all")" ||
		show "$tmp/$user-mount"
	comm -23 "$tmp/$user-local.pass" "$tmp/$user-mount.pass" > "$tmp/missing"
	check "$user: what passes on tmpfs passes on the mount" test ! -s "$tmp/missing" ||
		show "$tmp/missing"
	left=("$srv/$user"/*)
	check "$user: and it cleans up behind itself" test ! -e "${left[0]}" || note "${left[*]}"
done
