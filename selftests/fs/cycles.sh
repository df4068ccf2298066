#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# cycles: insmod, mount, read, umount, rmmod, again and again, leave nothing; and counters
# never fall
#
# timeout: 240
#
# 4 rounds in the short set, 20 in the long one, in changing steering modes.
# rmmod fails if anything holds the module, and says if objects are left (which
# the runner finds in the kernel log). Memory of objects that nobody counts
# would show in the sum of all unreclaimable slabs.

. "${0%/*}/../lib/lib.sh"

plan 7

rounds=4
[ -z "${EBPFS_LONG-}" ] || rounds=20

mkdir -p "$srv"
mkdata tree "$srv/tree" 100
steer=off lab_up --export "$srv" --no-mount
mkdir -p "$mnt"
rmmod ebpfs || give_up "the module is in use before the first round"

client=(nsenter --net=/run/netns/ebpfs-c1)
modes=(off tc xdp xdp-generic)

mount_it() {
	"${client[@]}" mount -t ebpfs -o name=lab-c1,secretfile=/run/ebpfs-lab/secret-1 \
		10.99.0.1:/lab "$mnt"
}

# The module's counters are sampled while mounts come and go.
calls_of_mounts() {
	local i sampler
	modprobe ebpfs || return
	spawn ebpfsctl --json stats --watch --interval 0.02 > "$tmp/samples"
	sampler=$!
	for ((i = 0; i < 6; i++)); do
		mount_it && ls -lR "$mnt" > "$tmp/list" && umount "$mnt" || return
	done
	nap 0.2
	kill "$sampler" && rmmod ebpfs
}

# The samples' counts of calls: how many differ from the one before, and how many are less.
compare_samples() {
	local line now last=0
	grown=0 fallen=0
	while IFS= read -r line; do
		[[ $line =~ \"calls\":\ *([0-9]+) ]] || continue
		now=${BASH_REMATCH[1]}
		[ "$now" -le "$last" ] || grown=$((grown + 1))
		[ "$now" -ge "$last" ] || fallen=$((fallen + 1))
		last=$now
	done < "$tmp/samples"
}

# What the last round, in mode $1, did.
one_round() {
	local mode=$1
	modprobe ebpfs || return
	if [ "$mode" != off ]; then
		"${client[@]}" ebpfsctl attach s1 --mode "$mode" || return
	fi
	mount_it || return
	treecmp "$srv" "$mnt" || return
	umount "$mnt" || return
	[ "$mode" = off ] || "${client[@]}" ebpfsctl detach s1 || return
	# The release of programs is deferred.
	local start=$SECONDS
	until rmmod ebpfs 2> "$tmp/rmmod"; do
		[ $((SECONDS - start)) -lt 5 ] || { cat "$tmp/rmmod"; return 1; }
		nap 0.2
	done
}

unreclaimable() {
	local name value
	drop_caches
	nap 1
	while read -r name value _; do
		[ "$name" != SUnreclaim: ] || kilobytes=$value
	done < /proc/meminfo
}

all_rounds() {
	local i
	for ((i = 0; i < rounds; i++)); do
		if ! one_round "${modes[i % 4]}"; then
			echo "in round $i, mode ${modes[i % 4]}"
			return 1
		fi
	done
}

# The first rounds fill caches that stay.
for mode in "${modes[@]}"; do
	one_round "$mode" > "$tmp/out" 2>&1 || { show "$tmp/out"; give_up "a round in mode $mode"; }
done
check "mounts come and go" calls_of_mounts
compare_samples
holds "counters never fall ($grown samples grew)" "grown > 5 && fallen == 0"
unreclaimable
before=$kilobytes
check "$rounds rounds" all_rounds
unreclaimable
note "unreclaimable slabs: $before kB before, $kilobytes kB after"
holds "they leave no memory behind" "kilobytes - before < 300 + 20 * rounds"
check "no slab of the module is left" test -z "$(grep ebpfs /proc/slabinfo)"
check "no memory of the module is left" test -z "$(grep ebpfs /proc/vmallocinfo)"
check "no program is left" test -z "$(bpftool prog show | grep ebpfs)"
