#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# seeds: whatever happens to network, server, programs and machine, in any order: no wrong
# byte, nothing lost that was acknowledged, and nothing waits for longer than it should
#
# modes: off tc xdp
# timeout: 800
#
# What happens, and when, depends on a seed alone: "disturb plan" (lib/disturb.c) prints it,
# and the log of a seed that failed tells what was done. The quick set runs one seed in each
# mode, the long set 20. To run one again, or others:
#
#	EBPFS_CHAOS_SEED="7 8"	these
#	EBPFS_CHAOS_SECONDS=N	each for so long (120; a slow machine takes longer)
#	EBPFS_CHAOS_LOG=1	tell what was done in any case
#
# Of the seeds whose second bit is set, mounts have sec=privacy, unless EBPFS_SEC is set; of
# those whose third bit is set, a lease ends sooner than the longest outages. Of
# odd seeds programs come and go, of even ones a processor: in an emulated machine the first
# run on one processor, see one_processor_if_emulated in lib/lib.sh.
#
# The server is a forgetful one (userspace/ebpfsd/forget.h), and dies once more before what
# it has is looked at.

. "${0%/*}/../lib/lib.sh"

seconds=${EBPFS_CHAOS_SECONDS:-120}
calm=15		# of these, without disturbances, at the end
# For how long an operation may take after the last disturbance, at most.
bound=$((30 * ${EBPFS_SLOW:-1}))
case $steer in
off)	seeds=2 ;;
tc)	seeds=5 ;;
*)	seeds=7 ;;
esac
[ -z "${EBPFS_LONG-}" ] || seeds="1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20"
read -ra seeds <<< "${EBPFS_CHAOS_SEED:-$seeds}"

plan $((10 * ${#seeds[@]}))

export EBPFSD_FORGETFUL=1 EBPFS_SEC
sec=${EBPFS_SEC-}
cgroups=/sys/fs/cgroup
cgroup=$cgroups/ebpfs-chaos
processor=/sys/devices/system/cpu/cpu1/online

end_chaos() {
	[ ! -e $processor ] || echo 1 > $processor
	for i in "${background[@]}"; do
		kill -9 "$i" 2> /dev/null
	done
	[ ! -d $cgroup ] || { nap 0.5; rmdir $cgroup; }
	[ -z "${mounted_cgroups-}" ] || umount $cgroups
	clean_up
}
trap end_chaos EXIT

# A control group for what works.
prepare_memory() {
	if ! [ -e $cgroups/cgroup.controllers ]; then
		mount -t cgroup2 none $cgroups || return
		mounted_cgroups=1
	fi
	echo +memory > $cgroups/cgroup.subtree_control && mkdir -p $cgroup
}
prepare_memory 2> "$tmp/out" || note "memory cannot be made scarce: $(< "$tmp/out")"

# work NAME COMMAND...: in the background, where memory may be scarce
declare -A workers
work() {
	local name=$1
	shift
	(
		[ ! -d $cgroup ] || echo $BASHPID > $cgroup/cgroup.procs
		exec "$@"
	) > "$tmp/$name" 2>&1 &
	background+=($!)
	workers[$name]=$!
}

# Some time after the last disturbance all that works is told to end. What has not in the
# time that an operation may take is told, and has to die.
all_end() {
	local name file status=0 start=$SECONDS
	nap $calm
	touch "$tmp/enough"
	for name in "${!workers[@]}"; do
		while ! zombie "${workers[$name]}" && [ $((SECONDS - start)) -lt $bound ]; do
			nap 0.2
		done
		zombie "${workers[$name]}" && continue
		status=1
		echo "$name goes on"
		for file in /proc/"${workers[$name]}"/task/*/stack; do
			cat "$file"
		done
	done
	[ $status = 0 ] && return
	for name in "${!workers[@]}"; do
		kill -9 "${workers[$name]}" 2> /dev/null
	done
	nap 10
	for name in "${!workers[@]}"; do
		zombie "${workers[$name]}" || echo "$name cannot be killed"
	done
	return 1
}

# Only a processor may be missing.
disturbed() {
	EBPFS_CLOCK_JUMPS=1 disturb run "$tmp/log" < "$tmp/plan" &&
		! grep cannot "$tmp/log" | grep -v $processor
}

# Nothing that any of them did took longer than an operation may.
none_waited() {
	local name status=0
	for name in "${!workers[@]}"; do
		[[ $(< "$tmp/$name") =~ longest\ ([0-9]+)\ ms ]] &&
			[ "${BASH_REMATCH[1]}" -le $((allowed * 1000)) ] && continue
		echo "$name: ${BASH_REMATCH[1]-} ms"
		status=1
	done
	return $status
}

# good NAME PATTERN: it ended without an error, and its output, which has a number above 0,
# matches the extended regular expression
good() {
	local status=0
	zombie "${workers[$1]}" || return
	wait "${workers[$1]}" || status=$?
	cat "$tmp/$1"
	[ $status = 0 ] && [[ $(< "$tmp/$1") =~ $2 ]]
}

# What was acknowledged is there, for both clients and at the server, also after its death.
all_there() {
	local dir
	drop_caches
	for dir in "$mnt" "$mnt-2"; do
		timeout 60 ackwrite check "$dir/written" "$tmp/written.account" &&
			timeout 60 ackwrite made "$dir/names" "$tmp/names.account" || return
	done
	lab kill 1 && lab start 1 || return
	ackwrite check "$srv/written" "$tmp/written.account" &&
		ackwrite made "$srv/names" "$tmp/names.account"
}

one_seed() {
	local seed=$1 what="seed $1" failed_before=$failures
	EBPFS_SEC=$sec
	[ -n "$sec" ] || ((!(seed & 2))) || EBPFS_SEC=privacy
	rm -rf "$srv"
	mkdir -p "$srv"
	mkdata file "$srv/big" 8M "$seed"
	if ((seed % 2)) && [ -e $processor ] && grep -q 'QEMU TCG' /proc/cpuinfo; then
		echo 0 > $processor
	fi
	lab_up --export "$srv" --clients 2 --lease $((seed & 4 ? 5 : 30))
	disturb plan "$seed" $((seconds - calm)) "$steer" $cgroup > "$tmp/plan"
	workers=()
	rm -f "$tmp/enough"
	work random fsrandom -u "$tmp/enough" -s "$seed" "$mnt/random" "$mnt-2/random"
	work written ackwrite write "$mnt/written" "$tmp/written.account" "$tmp/enough"
	work names ackwrite make "$mnt-2/names" "$tmp/names.account" "$tmp/enough"
	work read randread -u "$tmp/enough" -s "$seed" "$srv/big" "$mnt-2/big"
	: > "$tmp/log"
	local start=$SECONDS planned=$((seconds - calm)) took
	check "$what: each disturbance was made, and taken back" disturbed
	took=$((SECONDS - start))
	# Where all is slow, a server is away for longer, too.
	allowed=$((bound * (took > planned ? took : planned) / planned))
	check "$what: everything ends in time" all_end
	check "$what: random operations are right" good random '^[1-9][0-9]* operations'
	check "$what: no write fails" good written '^[1-9][0-9]* rounds'
	check "$what: no name is refused" good names '^[1-9][0-9]* rounds'
	check "$what: every byte that is read is right" good read 'pread [1-9]'
	check "$what: nothing waited for more than $allowed s" none_waited
	for i in random written names read; do
		note "$i: $(tr '\n' ' ' < "$tmp/$i")"
	done
	read_stats
	note "sessions ${S[sessions]}, calls ${S[calls]}, sent again ${S[calls_resent]}," \
		"passes written again ${S[write_again]}, filled: xdp ${S[fill_bytes_xdp]}," \
		"tc ${S[fill_bytes_tc]}, plain ${S[fill_bytes_plain]}"
	holds "$what: it was noticed" "S[calls_resent] > 0 && S[sessions] > 2"
	check "$what: what was acknowledged is there" all_there
	if [ $failures != "$failed_before" ] || [ -n "${EBPFS_CHAOS_LOG-}" ]; then
		note "$what, $steer, sec=${EBPFS_SEC:-crc}; begun at, for, lane, what (ms):"
		note "$(< "$tmp/log")"
	fi
	[ ! -e $cgroup/memory.events ] ||
		note "memory was scarce $(grep -o '^high [0-9]*' $cgroup/memory.events)"
	check "$what: unmounted and unloaded" lab down
	rm -f "$tmp"/*.account
	background=()
	[ ! -e $processor ] || echo 1 > $processor
}

for seed in "${seeds[@]}"; do
	one_seed "$seed"
done
