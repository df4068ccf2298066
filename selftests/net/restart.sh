#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# restart: kill -9 of the server during a read, and its return
#
# modes: tc+privacy
# long-modes: off tc
# timeout: 180

. "${0%/*}/../lib/lib.sh"

plan 27

mkdir -p "$srv"
mkdata tree "$srv/tree" 300
mkdata file "$srv/big" 32M

# Kills the server in the midst of the reading that runs as process $1: some of
# it is done, some is not.
kill_amid() {
	local i before=$2
	for ((i = 0; i < 200; i++)); do
		nap 0.05
		read_stats
		((S[read_bytes] - before < 4000000)) || break
	done
	lab kill 1 || return
	[ -e "/proc/$1" ] && ! zombie "$1"
}

# await_gone PID SECONDS: for a process that is no child of ours
await_gone() {
	local i
	for ((i = 0; i < $2 * 20; i++)); do
		! zombie "$1" || return 0
		nap 0.05
	done
	return 1
}

lab_up --export "$srv"
netem all delay 1ms rate 300mbit
read_stats
spawn treecmp "$srv" "$mnt" > "$tmp/reader" 2>&1
reader=$!
check "hard: killed amid a read" kill_amid $reader "${S[read_bytes]}"
nap 3
! zombie $reader
holds "hard: the reader waits" "$? == 0"
spawn readfile stat "$mnt/tree/dir0/file17"
other=$!
check "hard: the server comes back" lab start 1
check "hard: the reader ends" await 100 $reader
holds "hard: every byte was right" "ended == 0" || show "$tmp/reader"
check "hard: another waiter ends, without an error" succeeds 30 $other
read_stats
note "sessions ${S[sessions]}, handshakes ${S[handshakes]}, moved ${S[calls_moved]}"
check "hard: handles are still good" treecmp -n "$srv" "$mnt"

# An orderly stop and start is seen no more than a kill.
drop_caches
spawn readfile read "$mnt/big" > "$tmp/reader2" 2>&1
reader=$!
read -r pid _ < /run/ebpfs-lab/server-1.pid
kill "$pid"
check "SIGTERM ends the server within 3 s" await_gone "$pid" 3
check "and it starts again" lab start 1
check "a reader over it ends" await 60 $reader
holds "without an error" "ended == 0" || show "$tmp/reader2"

# soft: 3 times 1 s, then an error.
lab_up --export "$srv" --opts soft,timeo=10,retrans=2
lab kill 1
for way in "read $mnt/big" "mmap $mnt/big" "list $mnt/tree" "statfs $mnt"; do
	# shellcheck disable=SC2086 # a verb and its argument
	said=$(timeout 60 readfile $way 2>&1) || true
	milliseconds=0
	[[ ! $said =~ ,\ ([0-9]+)\ ms,\ errors:\ (ETIMEDOUT|EIO|SIGBUS)\ ([0-9]+) ]] ||
		milliseconds=${BASH_REMATCH[1]}
	# A fault or a listing may take one more call than a read.
	holds "soft: ${way% *} fails in the given time" \
		"milliseconds >= 2500 && milliseconds < 12000" || note "$said"
done
lab start 1
check "soft: works again with the server there" timeout 60 treecmp -n "$srv/tree" "$mnt/tree"
check "soft: the data are right" timeout 60 mkdata check "$mnt/big" 1 0 32M

# Names and attributes that were not yet on a disk outlive ebpfsd, but not its machine: then
# fsync tells, once. The machine is another when its boot has another identity.
boot=/proc/sys/kernel/random/boot_id
trap 'umount $boot 2> /dev/null; clean_up' EXIT
change() {
	chmod "0$1" "$mnt/file" && mv "$mnt/names/$1" "$mnt/names/new-$1" && lab kill 1
}
lab_up --export "$srv" --opts timeo=20
mkdir "$srv/names"
touch "$srv/file" "$srv/names/600" "$srv/names/640"
check "changes, and the server dies" change 600
lab start 1
check "fsync of the file" sync "$mnt/file"
check "fsync of the directory" sync "$mnt/names"
check "changes, and the machine dies" change 640
cat /proc/sys/kernel/random/uuid > "$tmp/boot"
mount --bind "$tmp/boot" $boot
lab start 1
refuse "fsync of the file says so" "Input/output error" sync "$mnt/file"
refuse "fsync of the directory says so" "Input/output error" sync "$mnt/names"
check "once" sync "$mnt/file" "$mnt/names"
stop() {
	local pid
	touch "$mnt/names/more" && chmod 0600 "$mnt/file" &&
		read -r pid _ < /run/ebpfs-lab/server-1.pid && kill "$pid" && await_gone "$pid" 5
}
check "changes, and the machine is shut down in order" stop
cat /proc/sys/kernel/random/uuid > "$tmp/boot"
lab start 1
check "nothing was lost" sync "$mnt/file" "$mnt/names"

# A hard mount without a server can be unmounted, if nothing is left to be written. The
# system call itself: umount(8) asks for statfs(2) first.
just_umount() {
	timeout 30 python3 -c 'import ctypes, sys
sys.exit(ctypes.CDLL(None).umount(sys.argv[1].encode()) != 0)' "$mnt"
}
touch "$mnt/names/last"
lab kill 1
check "umount does not wait for a dead server for ever" just_umount
lab start 1
