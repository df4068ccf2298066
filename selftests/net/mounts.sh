#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# mounts: several mounts of several servers by several clients at a time
#
# modes: tc
# long-modes: off
# timeout: 150

. "${0%/*}/../lib/lib.sh"

plan 12

mkdir -p "$srv/a" "$srv/b"
mkdata tree "$srv/a/tree" 200 1
mkdata file "$srv/a/big" 16M 1
mkdata tree "$srv/b/tree" 200 1000
mkdata file "$srv/b/big" 16M 2
lab_up --no-mount --nodes 2 --clients 2 --export "$srv/a" --export "$srv/b"

# mount_at CLIENT SERVER NAME: at /mnt/ebpfs-NAME
points=()
mount_at() {
	points+=("/mnt/ebpfs-$3")
	mkdir -p "/mnt/ebpfs-$3"
	nsenter --net="/run/netns/ebpfs-c$1" mount -t ebpfs \
		-o "name=lab-c$1,secretfile=/run/ebpfs-lab/secret-$1" "$2:/lab" "/mnt/ebpfs-$3"
}

check "client 1 mounts server 1" mount_at 1 10.99.0.1 1a
check "client 1 mounts server 2, by IPv6" mount_at 1 '[fd99::2]' 1b
check "client 2 mounts server 1" mount_at 2 10.99.0.1 2a
check "client 2 mounts server 2" mount_at 2 10.99.0.2 2b
check "client 1 mounts server 1 a second time" mount_at 1 10.99.0.1 1aa

pids=()
for pair in a:1a b:1b a:2a b:2b a:1aa; do
	spawn treecmp -t 2 "$srv/${pair%:*}" "/mnt/ebpfs-${pair#*:}" > "$tmp/${pair#*:}" 2>&1
	pids+=($!)
done
wrong=''
for pid in "${pids[@]}"; do
	if ! await 100 "$pid" || [ "$ended" != 0 ]; then
		wrong+=" $pid"
	fi
done
check "all five are read at a time, and right" test -z "$wrong" || show "$tmp/1a"
check "each is a filesystem of its own" test \
	"$(stat -c %d /mnt/ebpfs-1a /mnt/ebpfs-1b /mnt/ebpfs-2a /mnt/ebpfs-2b /mnt/ebpfs-1aa |
	   sort -u | wc -l)" = 5
check "ebpfsctl lists five" test "$(grep -c /mnt/ebpfs- <(ebpfsctl mounts))" = 5

# One server dies: the mounts of the other do not notice.
lab kill 2
drop_caches
check "a dead server does not concern mounts of another" timeout 60 \
	treecmp "$srv/a" /mnt/ebpfs-1a
timeout 20 umount -f /mnt/ebpfs-1b
check "umount -f of one mount leaves the others alone" timeout 60 \
	treecmp "$srv/a/tree" /mnt/ebpfs-2a/tree
lab start 2
drop_caches
check "and the server's other mount works when it is back" timeout 60 \
	treecmp "$srv/b" /mnt/ebpfs-2b
check "all unmount" umount /mnt/ebpfs-1a /mnt/ebpfs-2a /mnt/ebpfs-2b /mnt/ebpfs-1aa
