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

plan 35

content=planted-CONTENT-of-a-file
names=(planted-NAME-of-a-file planted-NAME-of-a-link planted-TARGET-of-a-link planted-XATTR)
wire=/run/netns/ebpfs-s1

# The server's counter $1.
server_stat() {
	local pid line
	read -r pid _ < /run/ebpfs-lab/server-1.pid
	kill -USR1 "$pid"
	nap 0.5
	stat=0
	while IFS= read -r line; do
		[[ $line =~ \"$1\":([0-9]+) ]] && stat=${BASH_REMATCH[1]}
	done < /run/ebpfs-lab/server-1.log
}

refute() {
	! "$@"
}

# No super-packets, so that each frame that is captured can be sent again.
single_frames() {
	nsenter --net=/run/netns/ebpfs-s1 ethtool -K c1 tx-udp-segmentation off rx-gro-list off gro off
	nsenter --net=/run/netns/ebpfs-c1 ethtool -K s1 tx-udp-segmentation off gro off
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

lab_up --export "$srv" --mtu 1500 --opts sec=privacy,rekey=1 --export-opts rw,no_root_squash,sec=privacy
check "the mount says so" grep -q "ebpfs .*sec=privacy,.*rekey=1" /proc/mounts
check "single frames" single_frames
capture privacy
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

# All of it again, both ways, while the session lives.
before=$(find "$srv" -printf '%p %s %T@ %i\n' | sort | md5sum)
nsenter --net=/run/netns/ebpfs-c1 env PATH="$PATH" replay -i s1 -s 10.101.1.1 "$tmp/privacy" > "$tmp/up" 2>&1
nsenter --net=$wire env PATH="$PATH" replay -i c1 -s 10.99.0.1 "$tmp/privacy" > "$tmp/down" 2>&1
note "to the server: $(< "$tmp/up"); to the client: $(< "$tmp/down")"
check "the session was sent again to the server" grep -Eq '^[0-9]{2,} sent, 0 too' "$tmp/up"
check "and to the client" grep -Eq '^[0-9]{2,} sent, 0 too' "$tmp/down"
nap 0.5
after=$(find "$srv" -printf '%p %s %T@ %i\n' | sort | md5sum)
check "nothing has changed at the server" test "$before" = "$after"
check "the file is as it was left" test "$(< "$mnt/changed")" = second
drop_caches
check "bytes are right, again" randread -s 2 -n 100 "$srv/file" "$mnt/file"
replay=${S[drop_replay]} key=${S[drop_key]} stale=${S[drop_stale]}
read_stats
note "dropped: replay $((S[drop_replay] - replay)) key $((S[drop_key] - key))" \
	"stale $((S[drop_stale] - stale))"
holds "the client has dropped what came again" \
	"S[drop_replay] - replay + S[drop_key] - key + S[drop_stale] - stale > 0"

server_stat drop_key
keys=$stat
server_stat drop_replay
note "server: replay $stat key $keys"
holds "and so has the server" "stat + keys > 0"

# And when it has ended.
umount "$mnt"
nsenter --net=/run/netns/ebpfs-c1 env PATH="$PATH" replay -i s1 -s 10.101.1.1 "$tmp/privacy" > "$tmp/up" 2>&1
nap 0.5
check "nothing changes when it has ended, either" \
	test "$before" = "$(find "$srv" -printf '%p %s %T@ %i\n' | sort | md5sum)"

# The least that an export takes.
mount_sec() {
	nsenter --net=/run/netns/ebpfs-c1 mount -t ebpfs -o \
		"name=lab-c1,secretfile=/run/ebpfs-lab/secret-1,sec=$1,timeo=20,retrans=0,soft" \
		10.99.0.1:/lab "$mnt"
}
refuse "sec=crc is too little for it" "asks for another sec=" mount_sec crc
refuse "so is sec=integrity" "asks for another sec=" mount_sec integrity
check "sec=privacy is not" mount_sec privacy

# The same keys all the time: what comes again is known by its number.
server_stat drop_replay
before=$stat
capture again
check "bytes are right, a third time" randread -s 3 -n 50 "$srv/file" "$mnt/file"
echo third > "$mnt/changed" && sync "$mnt/changed"
captured
read_stats
replay=${S[drop_replay]}
stale=${S[drop_stale]}
nsenter --net=/run/netns/ebpfs-c1 env PATH="$PATH" replay -i s1 -s 10.101.1.1 "$tmp/again" > "$tmp/up" 2>&1
nsenter --net=$wire env PATH="$PATH" replay -i c1 -s 10.99.0.1 "$tmp/again" > "$tmp/down" 2>&1
nap 0.5
server_stat drop_replay
read_stats
note "to the server: $(< "$tmp/up"), $((stat - before)) dropped by ebpfsd; to the client:" \
	"$(< "$tmp/down"), $((S[drop_replay] - replay + S[drop_stale] - stale)) dropped"
holds "the server drops all that came before" "stat - before > 0"
holds "and the client, too" "S[drop_replay] - replay + S[drop_stale] - stale > 0"
check "the file is as it was left, again" test "$(< "$mnt/changed")" = third
umount "$mnt"
refuse "there is no other" "sec" mount_sec secret
