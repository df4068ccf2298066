#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# auth: no mount without the secret, neither for a client nor from a server
# that does not know it; secrets in keyrings; and that no secret is seen where it
# should not
#
# timeout: 180

. "${0%/*}/../lib/lib.sh"

plan 35

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

# Kept in the keyring of the user.
by_key() {
	timeout 60 nsenter --net=/run/netns/ebpfs-c1 mount -t ebpfs \
		-o "name=lab-c1,timeo=10,retrans=1" 10.99.0.1:/lab "$mnt"
}
no_key="no secret for client 'lab-c1'.*ebpfsctl key add"
refuse "without file and key: says how to add one" "$no_key" by_key
check "key add takes a wrong secret" ebpfsctl key add lab-c1 --file "$tmp/wrong"
refuse "which is of no use" "$denied" by_key
check "and replaces it by the right one" ebpfsctl key add lab-c1 < "$dir/secret-1"
check "in silence" test ! -s "$tmp/out"
ebpfsctl -j key list > "$tmp/keys"
check "key list shows one, of the user's keyring" \
	jq -e 'length == 1 and .[0].name == "lab-c1" and .[0].keyring == "_uid.0"' "$tmp/keys"
check "in text, too" grep -q "^lab-c1: key [0-9]* of user 0 in keyring _uid.0" <(ebpfsctl key list)
check "a mount uses it" by_key
hex=$(base64 -d <<< "$secret" | od -A n -v -t x1 | tr -d ' \n') # codespell:ignore
shown=$(cat /proc/self/mountinfo /proc/mounts /proc/keys "$tmp/keys"; ebpfsctl key list; dmesg)
check "which shows the secret nowhere" lacks "$shown" "$secret"
check "nor its bytes" lacks "$shown" "$hex"
umount "$mnt"
key=$(jq '.[0].key' "$tmp/keys")
refuse "nobody can read it back" "not supported" keyctl print "$key"
# shellcheck disable=SC2016 # the inner shell expands it
check "in a session without the user's keyring it is found, too" keyctl session - bash -c '
	! keyctl request logon ebpfs:lab-c1 2> /dev/null &&
	nsenter --net=/run/netns/ebpfs-c1 mount -t ebpfs -o name=lab-c1 10.99.0.1:/lab "$1"' \
	bash "$mnt"
check "key remove" ebpfsctl key remove lab-c1
check "a mount does without from now on" mkdata check "$mnt/file" 1 0 100K
umount "$mnt"
refuse "but there is no new one" "$no_key" by_key
refuse "and nothing to remove" "no key of client" ebpfsctl key remove lab-c1

# Processes that have secrets leave no core: where they are, whatever their limit.
cores=/proc/sys/kernel/core_pattern
if [ -e $cores ]; then
	read -r core_pattern < $cores
	trap 'echo "$core_pattern" > $cores; clean_up' EXIT
	echo "$tmp/core.%p" > $cores
fi

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

if [ -e $cores ]; then
	spawn sleep 1000
	check "a process that has none leaves a core" leaves_core $!
else
	skip "a process that has none leaves a core" "this kernel writes no cores"
fi
mkfifo "$tmp/fifo"
exec {to}<> "$tmp/fifo"
# shellcheck disable=SC2016 # the inner shell expands it
spawn bash -c 'exec ebpfsctl key add lab-c1 < "$1"' bash "$tmp/fifo"
adding=$!
printf '%s' "${secret:0:40}" >&"$to"
nap 1
shown=$(ps auxeww; tr '\0' '\n' < /proc/$adding/cmdline; tr '\0' '\n' < /proc/$adding/environ)
check "an ebpfsctl that reads a secret does not show it" lacks "$shown" "${secret:0:40}"
check "and has a limit of no core" limited $adding
check "and leaves none without it" no_core $adding
exec {to}>&-
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
lab start 1		# this end of it was wanted
