#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# run.sh - runs the tests
#
# usage: selftests/run.sh [-l] [-q] [--list] [--kernel VARIANT] [NAME...]
#
#   -l, --long     the long set: more rounds, larger trees
#   -q, --quiet    print only what fails
#   --list         print the names of the tests
#   --kernel VARIANT  run the guest's part only, in a kernel that looks for faults,
#                  kasan or kcsan (scripts/kernel-debug)
#
# NAME is a test, or the beginning of some: "net" or "fs/tree" or "fs/tree:tc".
# Output is KTAP, one nested document per test; then what failed is said again, in
# lines that begin with "# failed: "; the last line is "N passed, N failed", with
# ", N skipped" if any were.  Exit status 0 if nothing failed.
#
# On a plain machine this runs the native tests in the build root of scripts/vm,
# several at a time, and then the others in its guest, one by one.  A native test
# needs no module of ours: unit tests, the simulator, threads under
# ThreadSanitizer, fuzzing.  Emulated, they would take an hour.  In the build
# root or the guest it runs its part. Tests of selftests/pair come last, in the client
# of scripts/vm-pair: in the long set, or if they are named.
#
# A test of the guest is an executable file in selftests/bpf, fs, net, chaos or pair: a shell
# script (lib/lib.sh), or a program built from C (lib/ktap.h).  Words in the
# comment at its top:
#
#	modes: MODE...		run it once in each steering mode, in EBPFS_STEER; MODE+SEC
#				mounts with sec=SEC, in EBPFS_SEC
#	long-modes: MODE...	and in the long set in these, too
#	timeout: SECONDS	(default 120), five times as much in the long set, and
#				EBPFS_SLOW times where scripts/vm sets this
#	long			belongs to the long set only
#	native			needs no module: where root runs this, on a kernel
#				and a filesystem like the guest's, it is run natively
#
# Each test is a process of its own.  It fails if a result of it fails, if its
# results are not as many as planned, if it ends with a status, if its time is
# over, or if the kernel complained meanwhile.

set -uo pipefail

here=$(cd "${0%/*}" && pwd -P)

# As in scripts/vm, which judges a whole boot by it.
faults='BUG:|BUG [a-z]|Oops|WARNING:|[Kk]ernel panic|general protection|INFO: task'
faults+='|possible (circular|recursive) locking|KASAN:|KFENCE:|KCSAN:|UBSAN:|refcount_t:'
faults+='|[Pp]oison overwritten|[Rr]edzone|memory corruption|rcu: INFO|detected stall'
faults+='|unregister_netdevice: waiting|ebpfs: .*left behind|ODEBUG:|kmemleak: of ebpfs'
faults+='|turning off the locking|with a lock still held|Kernel memory leak detector disabled'
# ebpfsd's threads have names of their own.
faults+='|(ebpfs[a-z]*|worker/[0-9]+|helper/[0-9]+|holds|owners|watch)\[[0-9]+\]: segfault'
faults+='|traps: .* trap '

long='' quiet='' list='' part='' kernel=''
while [ $# -gt 0 ]; do
	case $1 in
	-l | --long)	long=1 ;;
	-q | --quiet)	quiet=1 ;;
	--list)		list=1 ;;
	--part=*)	part=${1#*=} ;;
	--kernel)	kernel=${2-}; shift ;;
	--kernel=*)	kernel=${1#*=} ;;
	-h | --help)	sed -n '4,/^# ".*nothing failed/s/^# \{0,1\}//p' "$0"; exit ;;
	-*)		echo "run.sh: unknown option '$1'; see selftests/run.sh --help" >&2; exit 2 ;;
	*)		break ;;
	esac
	shift
done
wanted=("$@")
if [ -z "$part" ] && [ -n "${EBPFS_IN_ROOT-}" ]; then
	[ -e /run/vm.settings ] && part=guest || part=native
fi

passed=0 failed=0 skipped=0

# Prints the closing line and ends.
close() {
	echo "$passed passed, $failed failed$([ $skipped = 0 ] || echo ", $skipped skipped")"
	[ $failed = 0 ]
	exit
}

want() {
	local name
	[ ${#wanted[@]} -gt 0 ] || return 0
	for name in "${wanted[@]}"; do
		[[ $1 != "$name" && $1 != "$name"[/:]* ]] || return 0
	done
	return 1
}

# Adds a test: name, time limit, command, and whether it uses all processors.
names=() limits=() commands=() alone=()
add() {
	want "$1" || return 0
	names+=("$1")
	limits+=("$2")
	commands+=("$3")
	alone+=("${4-}")
}

# Reads the words in the comment at the top of a test's source.
words='(modes|long-modes|timeout|long|native)'
describe() {
	local line n=0
	modes='' long_modes='' limit=120 only_long='' native=''
	while IFS= read -r line && [ $((n += 1)) -le 40 ]; do
		[[ $line =~ ^(//|[#/]?[[:blank:]]*\*|#)[[:blank:]]*$words(:[[:blank:]]*(.*))?$ ]] ||
			continue
		case ${BASH_REMATCH[2]} in
		modes)		modes=${BASH_REMATCH[4]} ;;
		long-modes)	long_modes=${BASH_REMATCH[4]} ;;
		timeout)	limit=${BASH_REMATCH[4]} ;;
		long)		only_long=1 ;;
		native)		native=1 ;;
		esac
	done < "$1"
	[ -z "$long" ] || modes+=" $long_modes"
	limit=$((limit * (${long:-0} * 4 + 1) * ${EBPFS_SLOW:-1}))
	[ -n "$long" ] || [ -z "$only_long" ]
}

# list_tests PART GROUP...: what is in these directories, for this part
list_tests() {
	local part=$1 group source program name mode sec
	shift
	for group; do
		for source in "$here/$group"/*.sh "$here/$group"/*.c; do
			name=${source##*/} name=${name%.*}
			program=$source
			[[ $source != *.c ]] || program=$here/build/$group/$name
			if ! [ -x "$program" ] || ! describe "$source"; then
				continue
			fi
			# Exactly one of the parts runs what can be native.
			case $part:$native:${EBPFS_NATIVE-} in
			native::* | guest:1:1) continue ;;
			esac
			if [ -n "${modes// /}" ]; then
				for mode in $modes; do
					sec=''
					[[ $mode != *+* ]] || sec="EBPFS_SEC=${mode#*+} "
					add "$group/$name:$mode" "$limit" \
						"${sec}EBPFS_STEER=${mode%+*} exec ${program@Q}"
				done
			else
				add "$group/$name" "$limit" "exec ${program@Q}"
			fi
		done
	done
}

list_native() {
	local program name seeds=${SEEDS:-10000} asan=3000 seconds=10 times=1 seed=''
	[ -z "$long" ] || { seeds=200000 asan=30000 seconds=60 times=10; }
	for program in "$here"/unit/build/test_*; do
		name=${program##*/test_}
		[ ! -x "$program" ] || [[ $name = *.* ]] || add "unit/$name" 300 "exec ${program@Q}"
	done
	[ ! -e "$here/unit/tsan_claim.c" ] || add unit/tsan_claim $((300 * times)) \
		"exec ${here@Q}/unit/build/tsan_claim --seconds $((5 * times))" alone
	[ ! -e "$here/unit/tsan_tick.c" ] || add unit/tsan_tick $((60 * times)) \
		"exec ${here@Q}/unit/build/tsan_tick --seconds $((5 * times))" alone
	[ ! -e "$here/sim/Makefile" ] || {
		add sim/seeds $((1200 * times)) \
			"exec ${here@Q}/sim/build/sim --seeds $seeds --jobs $(nproc)" alone
		add sim/asan $((600 * times)) \
			"exec make -s -C ${here@Q}/sim asan ASAN_SEEDS=$asan JOBS=$(nproc)" alone
		add mutants/fit 120 "exec ${here@Q}/mutants.sh --check"
		add sim/faults 1200 "exec make -s -C ${here@Q}/sim faults JOBS=$(nproc)" alone
	}
	# Without chance in the quick set: what it finds does not depend on the day.
	[ -n "$long" ] || seed=' SEED=1'
	for program in "$here"/fuzz/build/fuzz_*; do
		name=${program##*/fuzz_}
		[ ! -x "$program" ] || [[ $name = *.* ]] || add "fuzz/$name" $((60 + 2 * seconds)) \
			"exec make -s -C ${here@Q}/fuzz run NAMES=$name TIME=$seconds$seed"
	done
	[ -z "${EBPFS_NATIVE-}" ] || list_tests native bpf fs net
}

# In guests only: what the kernel logged since the mark.
mark=''
mark_log() {
	[ "$part" != native ] || return
	mark="selftests: $1 starts ($RANDOM)"
	echo "$mark" > /dev/kmsg
}

log_is_clean() {
	local log
	[ "$part" != native ] || return 0
	log=$(dmesg)
	# If the mark is gone, what is there came later.
	[[ $log != *"$mark"* ]] || log=${log#*"$mark"}
	! [[ $log =~ $faults ]] && return
	grep -E -m 1 -A 60 "$faults" <<< "$log" > "$log_excerpt"
	return 1
}

# Reads a test's output: passes it on, and counts results of its top level.
follow() {
	local line remarks=()
	plan='' ok_count=0 not_ok_count=0 skip_count=0
	while IFS= read -r line; do
		if [[ $line =~ ^1\.\.([0-9]+) ]]; then
			plan=${BASH_REMATCH[1]}
		elif [[ $line =~ ^ok[[:blank:]]+[0-9]+.*\#\ *SKIP ]]; then
			skip_count=$((skip_count + 1))
		elif [[ $line =~ ^ok[[:blank:]]+[0-9]+ ]]; then
			ok_count=$((ok_count + 1))
		elif [[ $line =~ ^not\ ok[[:blank:]]+[0-9]+ ]]; then
			not_ok_count=$((not_ok_count + 1))
			echo "# failed: $name: ${line#not ok }" >&3
			[ ${#remarks[@]} = 0 ] || printf '# failed:     %s\n' "${remarks[@]}" >&3
		fi
		case $line in
		'#'*)			[ ${#remarks[@]} -lt 5 ] || remarks=("${remarks[@]:1}")
					remarks+=("${line#\# }") ;;
		ok* | not\ ok*)		remarks=() ;;
		esac
		[ -z "$quiet" ] || [[ $line =~ ^(not\ ok|#) ]] || continue
		printf '    %s\n' "$line"
	done
	printf '%s\n' "${plan:--}" $ok_count $not_ok_count $skip_count > "$counts"
}

# What a test that was killed may have left: a lab, and allocations that fail.
clean_up_after() {
	local kind
	for kind in /sys/kernel/debug/fail*/probability; do
		[ ! -w "$kind" ] || echo 0 > "$kind"
	done
	"$here/../scripts/lab" down
}

# Runs the test with this index, as number $2.  What it counted goes to a file:
# this may be a process of its own.
run_test() {
	local i=$1 name=${names[$1]} limit=${limits[$1]} start=$SECONDS status counted troubles=()
	local counts=$work/$1.counts log_excerpt=$work/$1.log also=0
	[ -n "$quiet" ] || echo "# Subtest: $name"
	mark_log "$name"
	timeout -k 10 "$limit" bash -c "${commands[i]}" < /dev/null 2>&1 |
		follow 3> "$work/$i.failed"
	status=${PIPESTATUS[0]}
	mapfile -t counted < "$counts"
	if [ "$status" = 124 ] || [ "$status" = 137 ]; then
		troubles+=("out of time after $limit s")
		# Killed, it could not clean up.
		[ "$part" = native ] || clean_up_after 2>&1 | sed 's/^/    # /'
	elif [ "$status" != 0 ] && [ "${counted[2]}" = 0 ] &&
	     ! { [ "$status" = 4 ] && [ "${counted[3]}" -gt 0 ]; }; then	# KSFT_SKIP
		troubles+=("ended with status $status")
	fi
	if [ "${counted[0]}" = - ]; then
		troubles+=("has no plan")
	elif [ "${counted[0]}" != $((counted[1] + counted[2] + counted[3])) ]; then
		troubles+=("planned ${counted[0]} results, had $((counted[1] + counted[2] + counted[3]))")
	fi
	if ! log_is_clean; then
		troubles+=("the kernel complained")
		sed 's/^/    # /' "$log_excerpt"
	fi
	[ ${#troubles[@]} = 0 ] || also=1
	echo "${counted[1]} $((counted[2] + also)) ${counted[3]}" > "$work/$i.result"
	if [ ${#troubles[@]} -gt 0 ] || [ "${counted[2]}" -gt 0 ]; then
		for trouble in "${troubles[@]}"; do
			echo "    # $name: $trouble"
			echo "# failed: $name: $trouble" >> "$work/$i.failed"
		done
		echo "not ok $2 $name"
	elif [ -z "$quiet" ]; then
		echo "ok $2 $name # $((SECONDS - start)) s"
	fi
}

# Adds what the test with this index counted.
tally() {
	local p=0 f=1 s=0
	read -r p f s < "$work/$1.result"
	passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
}

# Waits for one of the tests that run at a time, and prints what it said.
declare -A running=()
finish_one() {
	local pid i
	wait -n -p pid "${!running[@]}"
	i=${running[$pid]}
	unset "running[$pid]"
	number=$((number + 1))
	sed -E "s/^((not )?ok) @ /\1 $number /" "$work/$i.out"
	tally "$i"
}

run_part() {
	local i number=0 jobs=1
	if [ -n "$list" ]; then
		[ ${#names[@]} = 0 ] || printf '%s\n' "${names[@]}"
		exit
	fi
	work=$(mktemp -d) || exit
	trap 'rm -rf "$work"' EXIT
	[ -z "$long" ] || export EBPFS_LONG=1
	# Of the native tests some calculate and some wait.
	[ "$part" != native ] || jobs=$(($(nproc) + 1))
	# The first program at an ingress makes the kernel change its own code, the last one
	# again; QEMU's emulation of that, under traffic, once executed what was no longer
	# there. So there is always somebody at one.
	[ "$part" = native ] || tc qdisc replace dev lo clsact
	echo "KTAP version 1"
	echo "1..${#names[@]}"
	for i in "${!names[@]}"; do
		while [ ${#running[@]} -ge $jobs ] ||
		      { [ -n "${alone[i]}" ] && [ ${#running[@]} -gt 0 ]; }; do
			finish_one
		done
		if [ $jobs = 1 ] || [ -n "${alone[i]}" ]; then
			number=$((number + 1))
			run_test "$i" $number
			tally "$i"
		else
			run_test "$i" @ > "$work/$i.out" 2>&1 &
			running[$!]=$i
		fi
	done
	while [ ${#running[@]} -gt 0 ]; do
		finish_one
	done
	for i in "${!names[@]}"; do
		cat "$work/$i.failed"
	done
	close
}

# Whether tests of the server can be run right here: root, and a kernel and a
# filesystem that the guest could have.
natively() {
	local cache=${EBPFS_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/ebpfs}
	[ "$(id -u)" = 0 ] && mkdir -p "$cache" &&
		[ "$(stat -f -c %T "$cache")" = ext2/ext3 ] &&
		[ "$(printf '%s\n' 6.12 "$(uname -r)" | sort -V | head -n 1)" = 6.12 ]
}

# Whether the tests of two guests are to be run, too.
pair_wanted() {
	local name
	[ ${#wanted[@]} -gt 0 ] || { [ -n "$long" ]; return; }
	for name in "${wanted[@]}"; do
		[[ $name != pair && $name != pair/* ]] || return 0
	done
	return 1
}

# Runs the parts by scripts/vm and adds up.
run_parts() {
	local n=0 line count options=() command limit part_status parts=(native guest) again=()
	[ -z "$long" ] || options+=(--long)
	[ -z "$quiet" ] || options+=(--quiet)
	[ -z "$list" ] || options+=(--list)
	! natively || export EBPFS_NATIVE=1
	! pair_wanted || parts+=(pair)
	if [ -n "$kernel" ]; then
		# What can be native has nothing to do with the kernel.
		export EBPFS_NATIVE=1
		parts=(guest)
	fi
	[ -n "$list" ] || printf 'KTAP version 1\n1..%d\n' ${#parts[@]}
	for part in "${parts[@]}"; do
		command=("$here/../scripts/vm")
		case $part in
		guest)	limit=$((${long:-0} * 14400 + 7200))
			[ -z "$kernel" ] || command+=(--kernel "$kernel") limit=$((limit * 3))
			command+=(--timeout "$limit") ;;
		pair)	command=("$here/../scripts/vm-pair" --timeout 1800) ;;
		native)	command+=("--chroot${EBPFS_NATIVE:+=server}") ;;
		esac
		command+=(-- selftests/run.sh "--part=$part" "${options[@]}" "${wanted[@]}")
		count=''
		while IFS= read -r line; do
			if [[ $line =~ ^([0-9]+)\ passed,\ ([0-9]+)\ failed(,\ ([0-9]+)\ skipped)?$ ]]; then
				count=$line
				passed=$((passed + BASH_REMATCH[1]))
				failed=$((failed + BASH_REMATCH[2]))
				skipped=$((skipped + ${BASH_REMATCH[4]:-0}))
			elif [[ $line == '# failed: '* ]]; then
				again+=("$line")
			elif [ -n "$list" ]; then
				echo "$line"
			else
				echo "    $line"
			fi
		done < <("${command[@]}"; echo "status $?" > "$work/status")
		read -r _ part_status < "$work/status"
		[ -z "$list" ] || continue
		n=$((n + 1))
		if [ -z "$count" ]; then
			# It ended before its count: the guest died, or nothing could be built.
			failed=$((failed + 1))
			again+=("# failed: $part: ended with status $part_status")
			echo "not ok $n $part"
		elif [[ $count != *" 0 failed"* ]]; then
			echo "not ok $n $part"
		elif [ "$part_status" != 0 ]; then
			failed=$((failed + 1))
			again+=("# failed: $part: all passed, but it ended with status $part_status")
			echo "not ok $n $part"
		else
			echo "ok $n $part"
		fi
	done
	[ -z "$list" ] || exit 0
	[ ${#again[@]} = 0 ] || printf '%s\n' "${again[@]}"
	close
}

case $part in
guest)
	list_tests guest bpf fs net chaos
	run_part
	;;
pair)
	list_tests pair pair
	run_part
	;;
native)
	list_native
	run_part
	;;
'')
	work=$(mktemp -d) || exit
	trap 'rm -rf "$work"' EXIT
	run_parts
	;;
esac
