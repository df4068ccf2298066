#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# secure: what can be seen of a mount with sec=privacy on the wire, what replaying it does,
# new keys under load, and the least security that an export takes
#
# modes: tc
# long-modes: off xdp
# timeout: 300

. "${0%/*}/../lib/lib.sh"

plan 54

content=planted-CONTENT-of-a-file
names=(planted-NAME-of-a-file planted-NAME-of-a-link planted-TARGET-of-a-link planted-XATTR)
wire=/run/netns/ebpfs-s1

refute() {
	! "$@"
}

# No super-packets, so that each frame that is captured can be sent again.
single_frames() {
	nsenter --net=/run/netns/ebpfs-s1 ethtool -K c1 tx-udp-segmentation off rx-gro-list off gro off
	nsenter --net=/run/netns/ebpfs-c1 ethtool -K s1 tx-udp-segmentation off gro off
}

# A mount with sec=$1, and further options.
mount_sec() {
	nsenter --net=/run/netns/ebpfs-c1 mount -t ebpfs -o \
		"name=lab-c1,secretfile=/run/ebpfs-lab/secret-1,sec=$1" 10.99.0.1:/lab "$mnt"
}

# Sends what was captured into $1 again: to the server, and to the client.
send_up() {
	nsenter --net=/run/netns/ebpfs-c1 env PATH="$PATH" \
		replay -i s1 -s 10.101.1.1 "$tmp/$1" > "$tmp/up" 2>&1
}

send_down() {
	nsenter --net=$wire env PATH="$PATH" \
		replay -i c1 -s 10.99.0.1 "$tmp/$1" > "$tmp/down" 2>&1
}

# What is at the server, with the times of changes.
state() {
	find "$srv" -printf '%p %s %T@ %C@ %i\n' | sort | md5sum
}

# What server and client have refused until now as something that came before: programs included,
# of which each side has its own.
refused() {
	door
	server_stats 1
	read_stats
	at_server=$((D[drop_replay] + D[drop_key] + ${DOOR[replayed]:-0}))
	at_client=$((S[drop_replay] + S[drop_key] + S[drop_stale]))
	at_door=$((${DOOR[drop_replay]:-0}))
}

capture() {
	spawn nsenter --net=$wire tcpdump -i c1 -U -s 0 -B 65536 -w "$tmp/$1" udp \
		2> "$tmp/tcpdump"
	tcpdump=$!
	for ((i = 0; i < 100; i++)); do
		[[ $(< "$tmp/tcpdump") != *listening* ]] || break
		nap 0.1
	done
}

captured() {
	nap 0.5
	kill -INT $tcpdump
	await 10 $tcpdump
}

# Something of everything that has a name or content.
secrets_cross_the_wire() {
	mkdir -p "$mnt/dir" &&
	for i in {1..200}; do echo "$content $i"; done > "$mnt/dir/${names[0]}" &&
	ln -s "${names[2]}" "$mnt/dir/${names[1]}" &&
	setfattr -n user.planted-XATTR -v "$content" "$mnt/dir/${names[0]}" &&
	sync "$mnt/dir/${names[0]}" && drop_caches &&
	grep -q "$content 200" "$mnt/dir/${names[0]}" &&
	ls -l "$mnt/dir" > "$tmp/list" && grep -q "${names[0]}" "$tmp/list" &&
	mv "$mnt/dir/${names[0]}" "$mnt/dir/${names[0]}-2" && rm -r "$mnt/dir"
}

mkdir -p "$srv"
mkdata file "$srv/file" 8M

# The opposite first: the test finds what can be seen.
lab_up --export "$srv" --mtu 1500 --opts sec=crc
capture crc
check "secrets cross the wire, sec=crc" secrets_cross_the_wire
captured
for secret in "$content" "${names[@]}"; do
	check "sec=crc shows $secret" grep -qa "$secret" "$tmp/crc"
done

lab_up --export "$srv" --mtu 1500 --opts sec=integrity
capture integrity
check "secrets cross the wire, sec=integrity" secrets_cross_the_wire
captured
check "sec=integrity shows content, too" grep -qa "$content" "$tmp/integrity"

# All of a session, from its first message to its last.
lab_up --export "$srv" --mtu 1500 --no-mount --export-opts rw,no_root_squash,sec=privacy
check "single frames" single_frames
mkdir -p "$mnt"
refuse "sec=crc is too little for the export" "asks for another sec=" mount_sec crc,soft,timeo=20,retrans=0
refuse "so is sec=integrity" "asks for another sec=" mount_sec integrity,soft,timeo=20,retrans=0
capture whole
check "sec=privacy is not" mount_sec privacy
echo first > "$mnt/whole" && sync "$mnt/whole"
umount "$mnt"
captured

# The same until it is still there, with new keys each second.
capture privacy
check "a mount with new keys each second" mount_sec privacy,rekey=1
check "says so" grep -q "ebpfs .*sec=privacy,.*rekey=1" /proc/mounts
check "secrets cross the wire, sec=privacy" secrets_cross_the_wire
check "bytes are right" randread -s 1 -n 100 "$srv/file" "$mnt/file"
echo first > "$mnt/changed" && sync "$mnt/changed" && echo second > "$mnt/changed" && sync "$mnt/changed"
touch "$mnt/removed" && sync "$mnt" && rm "$mnt/removed"
nap 2.5
captured
for secret in "$content" "${names[@]}" /lab; do
	check "sec=privacy does not show $secret" refute grep -qa "$secret" "$tmp/privacy"
done
read_stats
# A slow machine sends a call again for no reason, now and then; XDP on veth loses packets.
lossy=0
[ "$steer" != xdp ] || lossy=1
holds "there were new keys (${S[rekeys]}), and nobody noticed (${S[calls_resent]} sent again)" \
	"S[rekeys] >= 2 && (S[calls_resent] * 20 <= S[calls] || lossy) && S[drop_key] == 0 &&
	 S[drop_tag] == 0"

# again WHAT N: the capture of that name once more, both ways, changes nothing. All of it is
# refused as having come before, but for N messages of handshakes each way; of a session that has
# ended nobody knows that ("all"), but its AUTH makes no other.
again() {
	local before server client doors
	before=$(state)
	refused
	server=$at_server client=$at_client doors=$at_door
	local made=${S[sessions]} there=${D[sessions]} gone=${D[sessions_ended]}
	send_up "$1"
	send_down "$1"
	nap 0.5
	refused
	note "$1, to the server: $(< "$tmp/up"); to the client: $(< "$tmp/down"); refused by the" \
		"server $((at_server - server)), by the client $((at_client - client)), at doors" \
		"$((at_door - doors))"
	check "$1: it was sent again to the server" grep -Eq '^[0-9]{2,} sent, 0 too' "$tmp/up"
	check "$1: and to the client" grep -Eq '^[0-9]{2,} sent, 0 too' "$tmp/down"
	read -r up _ < "$tmp/up"
	read -r down _ < "$tmp/down"
	if [ "$2" != all ]; then
		holds "$1: the server refused it" \
			"at_server - server + at_door - doors >= (up - $2) * 95 / 100"
		holds "$1: and the client" \
			"at_client - client + at_door - doors >= (down - $2) * 95 / 100"
	fi
	check "$1: nothing has changed at the server" test "$before" = "$(state)"
	holds "$1: the session lives, and there is no other" "S[sessions] == made &&
		D[sessions] == there && D[sessions_ended] == gone"
	drop_caches
	check "$1: bytes are right" randread -s $RANDOM -n 50 "$srv/file" "$mnt/file"
	check "$1: the file is as it was left" test "$(< "$mnt/changed")" = second
}

again privacy 4
again whole all

# The same keys all the time: what comes again is known by its number.
umount "$mnt"
check "a mount with the same keys for long" mount_sec privacy
capture long
check "bytes are right, a third time" randread -s 3 -n 50 "$srv/file" "$mnt/file"
echo second > "$mnt/changed" && sync "$mnt/changed"
captured
again long 0

# And when nobody has a session.
umount "$mnt"
for name in whole privacy long; do
	before=$(state)
	send_up $name
	nap 0.5
	server_stats 1
	check "$name: without a session nothing changes, either" test "$before" = "$(state)"
	holds "$name: and there is none" "D[sessions] == 0"
done
refuse "there is no other sec" "sec" mount_sec secret
