# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# shellcheck disable=SC2034 # variables are for the tests
#
# lib.sh - what the tests written in shell have in common
#
# A test sources this file, says "plan N", and then has N results, each by ok,
# not_ok, skip, check or refuse.  It runs alone on the machine, as root, in the
# guest of scripts/vm.  What it started, mounted or made is gone when it ends:
# the lab is taken down by an EXIT trap (and whatever is then left behind is a
# failure of the test), background processes in $background are killed, and
# $tmp, a directory in memory, is removed.
#
# EBPFS_STEER is the steering mode for tests that run in every mode, EBPFS_SEC what their
# mounts have for sec=.  EBPFS_LONG
# is set in the long set.  Processes are dear in an emulated guest (60 ms each),
# so helpers set variables instead of printing.

set -uo pipefail
umask 022

here=$(cd "${BASH_SOURCE[0]%/*}/.." && pwd -P)
tree=${here%/*}
PATH=$here/build/lib:$tree/scripts:$tree/userspace/ebpfsctl:$tree/userspace/ebpfsd:$PATH
steer=${EBPFS_STEER:-tc}
tmp=$(mktemp -d /tmp/ebpfs-test.XXXXXX)
mnt=/mnt/ebpfs
srv=/srv/ebpfs
background=()
results=0 failures=0

exec {never}<> <(:)
nap() {
	read -rt "$1" -u "$never" || true
}

plan() {
	planned=$1
	echo "KTAP version 1"
	echo "1..$1"
}

note() {
	local line
	while IFS= read -r line; do
		echo "# $line"
	done <<< "$*"
}

ok() {
	echo "ok $((results += 1)) $*"
}

not_ok() {
	failures=$((failures + 1))
	echo "not ok $((results += 1)) $*"
}

# skip DESCRIPTION REASON
skip() {
	echo "ok $((results += 1)) $1 # SKIP $2"
}

# The first and the last lines of a command's output, as diagnostics.
show() {
	local lines line
	mapfile -t lines < "$1"
	if [ ${#lines[@]} -gt 35 ]; then
		lines=("${lines[@]:0:5}" "..." "${lines[@]: -30}")
	fi
	for line in "${lines[@]}"; do
		echo "#	$line"
	done
}

# check DESCRIPTION COMMAND...: the command succeeds.  Its output is in $tmp/out.
check() {
	local what=$1 status=0
	shift
	"$@" > "$tmp/out" 2>&1 || status=$?
	if [ $status = 0 ]; then
		ok "$what"
	else
		not_ok "$what"
		note "exit status $status of: $*"
		show "$tmp/out"
		return 1
	fi
}

# refuse DESCRIPTION PATTERN COMMAND...: the command fails, and its output
# matches the extended regular expression: the message says why.
refuse() {
	local what=$1 pattern=$2 status=0
	shift 2
	"$@" > "$tmp/out" 2>&1 || status=$?
	if [ $status = 0 ] || [ $status = 124 ]; then
		not_ok "$what"
		note "exit status $status of: $*"
	elif ! [[ $(< "$tmp/out") =~ $pattern ]]; then
		not_ok "$what"
		note "the message does not match /$pattern/: $*"
	else
		ok "$what"
		return 0
	fi
	show "$tmp/out"
	return 1
}

# holds DESCRIPTION EXPRESSION: an arithmetic one
holds() {
	local what=$1
	shift
	if (($*)); then
		ok "$what"
	else
		not_ok "$what"
		note "not so: $*"
		return 1
	fi
}

# lacks TEXT PART: without repeating a text that may be long, or a secret
lacks() {
	[[ $1 != *"$2"* ]]
}

# Ends a test that cannot go on: what is left of the plan fails.
give_up() {
	note "giving up: $*"
	while [ $results -lt "$planned" ]; do
		not_ok "not reached: $*"
	done
	exit 1
}

# Ends a test that this machine cannot run.
skip_all() {
	while [ $results -lt "$planned" ]; do
		skip "not run" "$1"
	done
	exit
}

# lab_up OPTION...: in the mode of the test, and no test without it. Where clients
# steer, servers serve from the kernel.
lab_up() {
	local modes=(--steer "$steer")
	[ "$steer" = off ] || modes+=(--serve)
	lab up "${modes[@]}" "$@" > "$tmp/lab" 2>&1 && return
	show "$tmp/lab"
	give_up "lab up ${modes[*]} $*"
}

# With every change of programs the kernel patches code of its own. QEMU's emulated
# processors do not always see that as real ones do: one that runs there meanwhile may
# end in the kernel's int3. So in such a machine whoever changes programs under traffic,
# and all that it starts, stays on one processor.
one_processor_if_emulated() {
	! grep -q 'QEMU TCG' /proc/cpuinfo || taskset -pc 0 $$ > /dev/null
}

# netem ARGUMENT...: as lab's, and no test over a good network that should be a bad one.
netem() {
	lab netem "$@" > "$tmp/lab" 2>&1 && return
	show "$tmp/lab"
	give_up "lab netem $*"
}

# The module's counters, into the associative array S.
declare -A S
read_stats() {
	local name value
	S=()
	while read -r name value _; do
		[[ $value =~ ^[0-9]+$ ]] && S[$name]=$value
	done < <(ebpfsctl stats)
	[ ${#S[@]} -gt 0 ] || give_up "ebpfsctl stats prints no counters"
}

# The counters of server $1 of the lab, into the associative array D.
declare -A D
server_stats() {
	local log=/run/ebpfs-lab/server-$1.log pid before line='' i
	read -r pid _ < "/run/ebpfs-lab/server-$1.pid"
	before=$(grep -c '^{' "$log")
	kill -USR1 "$pid"
	for ((i = 0; i < 200; i++)); do
		[ "$(grep -c '^{.*}$' "$log")" -le "$before" ] || break
		nap 0.05
	done
	[ $i -lt 200 ] || give_up "ebpfsd prints no counters"
	line=$(grep '^{' "$log" | tail -n 1)
	D=()
	while [[ $line =~ \"([a-z_]+)\":([0-9]+) ]]; do
		D[${BASH_REMATCH[1]}]=${BASH_REMATCH[2]}
		line=${line#*"${BASH_REMATCH[0]}"}
	done
}

# What the programs of all interfaces dropped, by reason, into the associative
# array DOOR; all of it into dropped.
declare -A DOOR
door() {
	local name value
	DOOR=() dropped=0
	while IFS=$'\t' read -r name value; do
		DOOR[$name]=$value
		dropped=$((dropped + value))
	done < <(ebpfsctl -j status | jq -r '[.interfaces[] | (.verdicts // {}, .serve.verdicts // {})
		| to_entries[] | select(.key | test("^(drop_|replayed|forged)")) | select(.value > 0)]
		| group_by(.key)[] | "\(.[0].key)\t\(map(.value) | add)"')
}

# Steered bytes per thousand of all since a former read_stats, whose S is $1's.
steered_share() {
	local steered all
	steered=$((S[fill_bytes_xdp] + S[fill_bytes_tc]))
	all=$((steered + S[fill_bytes_plain]))
	share=$((all ? steered * 1000 / all : 0))
}

drop_caches() {
	echo 3 > /proc/sys/vm/drop_caches
}

# spawn COMMAND...: in the background; $! is its process.
spawn() {
	"$@" &
	background+=($!)
}

# await SECONDS PID: until the process is gone; sets ended to its status, 124 if it goes on.
ended=124
await() {
	local deadline=$((${EPOCHREALTIME/./} + $1 * 1000000))
	ended=124
	while [ -e "/proc/$2/stat" ] && ! zombie "$2"; do
		[ "${EPOCHREALTIME/./}" -lt $deadline ] || return 1
		nap 0.05
	done
	ended=0
	wait "$2" || ended=$?
}

# succeeds SECONDS PID: it ends in that time, without an error.
succeeds() {
	await "$@" && [ "$ended" = 0 ]
}

zombie() {
	local stat
	{ read -r stat < "/proc/$1/stat"; } 2> /dev/null || return 0
	stat=${stat##*) }
	[ "${stat%% *}" = Z ]
}

# tasks_in_state PID LETTER: how many threads of it; sets count.
tasks_in_state() {
	local file stat
	count=0
	for file in /proc/"$1"/task/*/stat; do
		{ read -r stat < "$file"; } 2> /dev/null || continue
		stat=${stat##*) }
		[ "${stat%% *}" != "$2" ] || count=$((count + 1))
	done
}

# delayed_disk READ WRITE FLUSH: $disk, 64 MiB that take so many milliseconds for each; made, or
# changed from now on. A kernel without such disks ends the test.
disk=/dev/mapper/ebpfs-slow
delayed_disk() {
	local table sectors
	export DM_DISABLE_UDEV=1
	if [ -z "${disk_loop-}" ]; then
		modprobe -qa loop dm-delay || skip_all "the kernel has no dm-delay"
		truncate -s 64M "$tmp/disk"
		disk_loop=$(losetup --find --show "$tmp/disk") || return
	fi
	sectors=$(blockdev --getsz "$disk_loop")
	table="0 $sectors delay $disk_loop 0 $1 $disk_loop 0 $2 $disk_loop 0 $3"
	if [ -e $disk ]; then
		dmsetup suspend ebpfs-slow && dmsetup load ebpfs-slow --table "$table" &&
			dmsetup resume ebpfs-slow
	else
		dmsetup create ebpfs-slow --table "$table"
	fi
}

delayed_disk_end() {
	[ -n "${disk_loop-}" ] || return
	umount $disk 2> /dev/null
	dmsetup remove --retry ebpfs-slow 2> /dev/null
	losetup -d "$disk_loop"
}

# kill_again PID TIMES [SECONDS]: the server dies so often, and is dead for so long, while the
# process lives, which it does for one death at least
kill_again() {
	local i
	for ((i = 0; i < $2; i++)); do
		nap 0.$((RANDOM % 10))
		if zombie "$1"; then
			[ $i -gt 0 ]
			return
		fi
		lab kill 1 && nap "${3:-0.01}" && lab start 1 || return
	done
}

clean_up() {
	local pid
	trap '' INT TERM
	for pid in "${background[@]}"; do
		kill -9 "$pid" 2> /dev/null
	done
	if ! lab down --clean > "$tmp/lab" 2>&1; then
		note "lab down failed"
		show "$tmp/lab"
		failures=$((failures + 1))
	fi
	delayed_disk_end
	rm -rf "$tmp" "$srv"
	[ "$results" = "${planned:-0}" ] ||
		note "planned $planned results, had $results"
	[ "$results" = "${planned:-0}" ] && [ $failures = 0 ]
	exit $?		# without it: the status of before the trap
}
trap clean_up EXIT
trap 'exit 1' INT TERM
