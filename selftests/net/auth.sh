#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# auth: no mount without the secret, neither for a client nor from a server
# that does not know it; and that ebpfsd leaves no core
#
# timeout: 180

. "${0%/*}/../lib/lib.sh"

plan 16

mkdir -p "$srv" "$mnt"
mkdata file "$srv/file" 100K
steer=off lab_up --export "$srv" --no-mount --clients 2

# attempt CLIENT NAME SECRETFILE [SERVER]
attempt() {
	timeout 60 nsenter --net="/run/netns/ebpfs-c$1" mount -t ebpfs \
		-o "name=$2,secretfile=$3,timeo=10,retrans=1" "${4:-10.99.0.1}:/lab" "$mnt"
}

dir=/run/ebpfs-lab
(umask 077; ebpfsctl key generate > "$tmp/wrong")
denied="(refuse|denied|secret)"
refuse "a wrong secret" "$denied" attempt 1 lab-c1 "$tmp/wrong"
wrong=$(< "$tmp/out")
refuse "an unknown name" "$denied" attempt 1 nobody "$dir/secret-1"
unknown=$(< "$tmp/out")
check "which of the two it was is not said" \
	test "${wrong//lab-c1/X}" = "${unknown//nobody/X}"
refuse "another client's name" "$denied" attempt 1 lab-c2 "$dir/secret-1"
check "the right secret" attempt 1 lab-c1 "$dir/secret-1"
check "which reads" mkdata check "$mnt/file" 1 0 100K
umount "$mnt"
check "a client elsewhere with its own secret" attempt 2 lab-c2 "$dir/secret-2"
umount "$mnt"

# The secret is in the kernel's hands only: not in the key that any process may
# read, not in what is shown of the mount.
attempt 1 lab-c1 "$dir/secret-1" > "$tmp/out" 2>&1
secret=$(< "$dir/secret-1")
shown=$(cat /proc/self/mountinfo /proc/mounts /proc/keys; ebpfsctl -j mounts)
check "the secret is shown nowhere" lacks "$shown" "$secret"
umount "$mnt"

# Processes that have secrets leave no core: where they are, whatever their limit.
read -r core_pattern < /proc/sys/kernel/core_pattern
trap 'echo "$core_pattern" > /proc/sys/kernel/core_pattern; clean_up' EXIT
echo "$tmp/core.%p" > /proc/sys/kernel/core_pattern

# leaves_core PID: if it crashes.
leaves_core() {
	prlimit --pid "$1" --core=unlimited:unlimited
	kill -SEGV "$1"
	await 10 "$1" 2> /dev/null
	[ -e "$tmp/core.$1" ]
}
no_core() {
	! leaves_core "$1"
}
limited() {
	grep -Eq '^Max core file size +0 +0 ' "/proc/$1/limits"
}

spawn sleep 1000
check "a process that has none leaves a core" leaves_core $!
server=$(cut -d ' ' -f 1 "$dir/server-1.pid")
check "ebpfsd has a limit of no core" limited "$server"

# A server that accepts everybody, but has no proof.
lab kill 1
spawn nsenter --net=/run/netns/ebpfs-s1 impostor 10.99.0.1 > "$tmp/impostor" 2>&1
impostor=$!
refuse "a server that does not know the secret" "(does not know|no answer)" \
	attempt 1 lab-c1 "$dir/secret-1"
check "it was asked" grep -q AUTH "$tmp/impostor"
check "and was told nothing" test -z "$(grep CALL "$tmp/impostor")"
kill $impostor
wait $impostor 2> /dev/null

# A client that is taken off the list has no new session.
grep -v lab-c1 "$dir/clients" > "$tmp/clients"
cat "$tmp/clients" > "$dir/clients"
lab start 1
refuse "a client that is no longer listed" "$denied" attempt 1 lab-c1 "$dir/secret-1"
check "the others are not concerned" attempt 2 lab-c2 "$dir/secret-2"
umount "$mnt"

server=$(cut -d ' ' -f 1 "$dir/server-1.pid")
check "ebpfsd leaves no core without its limit" no_core "$server"
