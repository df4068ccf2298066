# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154 # variables of scripts/bench
#
# bench-pair.sh - what of scripts/bench is other between two machines
#
# Read after bench-peers.sh in both guests of scripts/vm-pair, and puts other functions in
# the place of some. The measuring script runs in the client's guest; functions of
# servers it has called in the server's, by at_server.
#
# Each guest is counted on its own, by QEMU (scripts/vm --tally): "bench" in the client
# marks begin and end of its loop, and asks "bench tell" in the server, which marks the
# moment. Busy time by the guests' clocks, ns - idle_ns in the rows, is less by some
# percent here: when an interrupt comes while an idle kernel handles another one's
# packets, Linux takes the rest of that for idle time.
#
# Settings are those of bench-peers.sh. There the kernel serves at the server's eth0, and
# the client's programs are at its eth0, XDP in the driver.

server=10.99.0.1 tellers=''

at_server() {
	vm-peer scripts/bench --pair --call "$1" --mtu "${mtu-$mtus}" ${target:+--targets "$target"}
}

# What was executed in the row that has just ended, as a part of its JSON. The server was
# asked three times: between the first two it was only asked, between the last two, too.
read_tallies() {
	local marks numbers
	mapfile -t marks < <(tail -n 2 /share/tally-client)
	mapfile -t numbers < <(tail -n 3 /share/tally-server)
	marks=("${marks[@]#* }") numbers=("${numbers[@]#* }")
	echo "\"instructions\": $((marks[1] - marks[0]))," \
	     "\"remote_instructions\": $((numbers[2] - 2 * numbers[1] + numbers[0]))"
}

client() {
	"$@"
}

# The network is there; vm-init made it.
network_up() {
	:
}

network_down() {
	:
}

set_mtu() {
	ip link set eth0 mtu "$mtu"
}

network_mtu() {
	target=
	set_mtu && at_server set_mtu
}

start_tellers() {
	bench tell "$server" &
	bench echo "$server" &
}

measure_floor() {
	target=
	[ -n "$tellers" ] || at_server start_tellers || exit
	tellers=1 target=floor
	nap 1
	row copy4k op bench copy 10000
	row udp_rtt op bench rtt 2000 "$server"
}

serve_ebpfs() {
	local i secret
	modprobe ebpfs && secret=$(ebpfsctl key generate) || return
	umask 077
	echo "$secret" > "$tmp/secret" && echo "client $secret" > "$tmp/clients" || return
	setsid ebpfsd -e "/lab=$srv,rw,no_root_squash" -l "$server" -k "$tmp/clients" \
		-s "$tmp/state" < /dev/null > "$tmp/ebpfsd" 2>&1 {never}>&- &
	for ((i = 0; i < 100; i++)); do
		if [[ $(< "$tmp/ebpfsd") = *ready:* ]]; then
			[ "$flavour" = off ] || ebpfsctl attach --serve eth0
			return
		fi
		nap 0.2
	done
	cat "$tmp/ebpfsd"
	return 1
}

tell_secret() {
	cat "$tmp/secret"
}

# Programs let go of the module a moment after they are detached.
leave_ebpfs() {
	[ "$flavour" = off ] || ebpfsctl detach eth0 || return
	! pidof ebpfsd > /dev/null || end_program ebpfsd || return
	nap 1
	rmmod ebpfs
}

up_ebpfs() {
	at_server serve_ebpfs && modprobe ebpfs || return
	(umask 077 && at_server tell_secret > "$tmp/secret") || return
	[ "$flavour" = off ] || ebpfsctl attach eth0 --mode "$flavour"
}

mount_ebpfs() {
	mount -t ebpfs -o "noatime,name=client,secretfile=$tmp/secret" "$server:/lab" "$mnt"
}

down_ebpfs() {
	leave_ebpfs && at_server leave_ebpfs
}

up_nfs4() {
	at_server knfsd_up
}

down_nfs4() {
	at_server knfsd_down
}

up_nfs3() {
	at_server knfsd_up
}

down_nfs3() {
	at_server knfsd_down
}
