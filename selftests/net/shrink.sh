#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# shrink: a path that stops carrying large datagrams while mounted
#
# modes: tc+privacy
# long-modes: off tc
# timeout: 150
#
# Nobody says so: the client's end of the link drops what is larger than its
# new MTU, as a badly set up switch would. The client must find out by itself.

. "${0%/*}/../lib/lib.sh"

plan 5

mkdir -p "$srv"
mkdata file "$srv/big" 8M
mkdata file "$srv/more" 8M
lab_up --export "$srv"
check "before" mkdata check "$mnt/big" 1 0 8M

# A super-packet would be taken whatever the MTU, as a network card would take
# its segments.
check "the server's end sends no super-packets" nsenter --net=/run/netns/ebpfs-s1 \
	ethtool -K c1 tso off gso off tx-udp-segmentation off
check "the client's end takes 1500 bytes" ip -n ebpfs-c1 link set s1 mtu 1500
check "a file is read nevertheless" timeout 60 mkdata check "$mnt/more" 1 0 8M
drop_caches
check "and others after it" timeout 60 treecmp "$srv" "$mnt"
read_stats
note "sent again ${S[calls_resent]}, probes ${S[probes]}"
