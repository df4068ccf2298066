#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# icmp: whoever sends "fragmentation needed" without having seen anything, but a port, does not
# keep a mount from writing; and a port cannot be taken away from a node
#
# modes: off
# timeout: 120

. "${0%/*}/../lib/lib.sh"

plan 7

in_c1=(nsenter --net=/run/netns/ebpfs-c1)
in_s1=(nsenter --net=/run/netns/ebpfs-s1)

mkdir -p "$srv"
mkdata file "$srv/new" 1M
lab_up --export "$srv" --mtu 9000
port=$("${in_c1[@]}" ss -H -u -a -n | awk '{ sub(/.*:/, "", $4); print $4; exit }')
note "the node's port is $port"

# ICMP 3/4 for 68 bytes, with the head of a datagram from the client's port to the server's.
forge_icmp() {
	"${in_s1[@]}" python3 - "$port" << 'END'
import socket, struct, sys

def checksum(data):
    data += b"\0" * (len(data) % 2)
    s = sum(struct.unpack("!%dH" % (len(data) // 2), data))
    s = (s >> 16) + (s & 0xffff)
    return ~(s + (s >> 16)) & 0xffff

def ip(src, dst):
    return struct.pack("!BBHHHBBH4s4s", 0x45, 0, 1400, 1, 0x4000, 60, 17, 0,
                       socket.inet_aton(src), socket.inet_aton(dst))

inner = ip("10.101.1.1", "10.99.0.1")
inner += struct.pack("!HHHH", int(sys.argv[1]), 2049, 1380, 0)
icmp = struct.pack("!BBHHH", 3, 4, 0, 0, 68) + inner
icmp = icmp[:2] + struct.pack("!H", checksum(icmp)) + icmp[4:]
raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
raw.sendto(icmp, ("10.101.1.1", 0))
END
}

# Is there an exception in the routes, without which nothing would be tried?
believed() {
	local route
	route=$("${in_c1[@]}" ip route get 10.99.0.1)
	note "$route"
	[[ $route =~ mtu\ (lock\ )?552 ]]
}

# The test can tell: a socket of another's, which believes ICMP, brings it to the routes.
believer() {
	"${in_c1[@]}" python3 - "$port" << 'END'
import socket, sys, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("10.101.1.1", int(sys.argv[1]) ^ 1))
print("bound", flush=True)
time.sleep(20)
END
}

check "it is sent" forge_icmp
spawn believer > "$tmp/believer" 2>&1
for _ in {1..100}; do
	[ ! -s "$tmp/believer" ] || break
	nap 0.1
done
port=$((port ^ 1))
forge_icmp
check "whatever another socket has brought to the routes" believed
check "1 MiB is written, and is on the server's disk" timeout 30 \
	dd if="$srv/new" of="$mnt/new2" bs=64k conv=fsync status=none
check "and is the same there" cmp "$srv/new" "$srv/new2"

# Whoever may end sockets leaves the port where it is, and the mount alive.
port=$((port ^ 1))
"${in_c1[@]}" ss -K -u -a -n "sport = :$port" > "$tmp/killed" 2>&1
still_bound() {
	"${in_c1[@]}" ss -H -u -a -n "sport = :$port" | grep -q ":$port "
}
check "a port cannot be taken away" still_bound || show "$tmp/killed"
drop_caches
check "and the mount goes on" timeout 30 cmp "$srv/new" "$mnt/new2"
check "the lab goes down" lab down
