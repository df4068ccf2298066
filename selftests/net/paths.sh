#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# paths: the same bytes over small and large MTUs, IPv4 and IPv6
#
# modes: xdp
# long-modes: off tc xdp-generic
# timeout: 240
#
# MTU 9000 over IPv4 is what all other tests use.

. "${0%/*}/../lib/lib.sh"

paths=("1500" "65535" "1280 --ipv6" "9000 --ipv6" "65535 --ipv6")
plan $((3 * ${#paths[@]}))

mkdir -p "$srv"
mkdata tree "$srv/tree" 150
mkdata file "$srv/big" 16M

# Sum of the reassembly requests of IPv4 and IPv6 in a namespace: the protocol
# never lets IP fragment.
reassemblies() {
	local name value column=0 word
	count=0
	while read -r name value _; do
		[ "$name" != Ip6ReasmReqds ] || count=$((count + value))
	done < <(nsenter --net=/run/netns/ebpfs-c1 cat /proc/net/snmp6)
	while read -r name rest; do
		[ "$name" = Ip: ] || continue
		if [ $column = 0 ]; then
			for word in $rest; do
				column=$((column + 1))
				[ "$word" != ReasmReqds ] || break
			done
		else
			read -ra values <<< "$rest"
			count=$((count + values[column - 1]))
		fi
	done < <(nsenter --net=/run/netns/ebpfs-c1 cat /proc/net/snmp)
}

for path in "${paths[@]}"; do
	# shellcheck disable=SC2086 # two words
	lab_up --export "$srv" --mtu $path
	check "MTU $path: every byte" treecmp -t 3 "$srv" "$mnt"
	read_stats
	steered_share
	note "filled: xdp ${S[fill_bytes_xdp]}, tc ${S[fill_bytes_tc]}, plain" \
	     "${S[fill_bytes_plain]}; $share per thousand steered; sent again ${S[calls_resent]}"
	if [ "$steer" = off ]; then
		holds "MTU $path: nothing steered" "share == 0"
	else
		holds "MTU $path: more than 99 % steered" "share > 990"
	fi
	reassemblies
	holds "MTU $path: no IP fragments" "count == 0"
done
