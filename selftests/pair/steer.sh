#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# steer: two machines, joined by virtio_net, whose server's kernel serves; the client's
# driver hands frames to the program, with 9000 bytes in several buffers
#
# modes: xdp tc
# timeout: 240
#
# Both guests are of the same image: the server's /usr is what the client's own is.

. "${0%/*}/../lib/lib.sh"

plan 9

server=10.99.0.1
headers=(/usr/src/linux-headers-*-common/include)

# On the server, before the first mount of it.
serve() {
	vm-peer "
		set -e
		umask 077
		mkdir -p /run/pair /srv/pair
		echo client $1 > /run/pair/clients
		modprobe ebpfs
		ebpfsd -e /usr=/usr,no_root_squash -e /data=/srv/pair,rw,no_root_squash \
			-l $server -k /run/pair/clients -s /run/pair/state > /run/pair/log 2>&1 &
		for i in {1..100}; do
			! grep -q ready: /run/pair/log || break
			sleep 0.2
		done
		ebpfsctl attach --serve eth0 || { cat /run/pair/log; exit 1; }"
}

unserve() {
	vm-peer "
		ebpfsctl detach eth0 && killall -w ebpfsd && rm -r /run/pair /srv/pair && sleep 1 &&
			rmmod ebpfs"
}

mount_it() {
	mount -t ebpfs -o "name=client,secretfile=$tmp/secret" "$server:$1" "$mnt"
}

mtu() {
	ip link set eth0 mtu "$1" && vm-peer ip link set eth0 mtu "$1"
}

remount() {
	umount "$mnt" && mount_it "$1"
}

# The driver's own XDP, not the kernel's for any interface.
in_driver() {
	local shown
	shown=$(ip link show eth0) && echo "$shown" && [[ $shown =~ mtu\ [0-9]+\ xdp[\ /] ]]
}

(umask 077 && ebpfsctl key generate > "$tmp/secret") || give_up "no secret"
check "the server serves" serve "$(< "$tmp/secret")" || give_up "nothing to mount"
check "the client steers" eval "modprobe ebpfs && ebpfsctl attach eth0 --mode $steer" ||
	give_up "no program"
case $steer in
xdp)	check "in the driver" in_driver ;;
*)	skip "in the driver" "not by XDP" ;;
esac

mkdir -p "$mnt"
for size in 9000 1500; do
	if ! mtu $size || ! mount_it /usr; then
		give_up "cannot mount at MTU $size"
	fi
	read_stats
	before=$((S[fill_bytes_xdp] + S[fill_bytes_tc])) plain=${S[fill_bytes_plain]}
	check "all bytes of a tree, MTU $size" treecmp "${headers[0]}/net" "$mnt${headers[0]#/usr}/net"
	read_stats
	steered=$((S[fill_bytes_xdp] + S[fill_bytes_tc] - before))
	plain=$((S[fill_bytes_plain] - plain))
	holds "more than 99 % of $((steered + plain)) bytes were steered" \
		"steered > 1000000 && steered * 100 > (steered + plain) * 99"
	umount "$mnt"
done
mtu 9000

check "a file is written and comes back, every byte" eval "
	mount_it /data && mkdata file $mnt/file 32M && remount /data &&
	mkdata check $mnt/file 1 0 $((32 << 20)) && umount $mnt"
check "everything can be taken away" eval "
	ebpfsctl detach eth0 && nap 1 && rmmod ebpfs && unserve"
