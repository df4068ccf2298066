#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# flood: mutated datagrams, as fast as they can be sent, at a live client and at a live
# server: every byte that is read meanwhile is right, no memory is left behind, and the
# service goes on; handshakes by the thousand make a server do no asymmetric work
#
# modes: tc
# long-modes: off xdp tc+privacy
# timeout: 900
#
# EBPFS_FLOOD=N sends N datagrams to each side; 20,000 in the quick set, 5 million in the long
# one.

. "${0%/*}/../lib/lib.sh"

quick=20000
[ -z "${EBPFS_LONG-}" ] || quick=5000000
count=${EBPFS_FLOOD:-$quick}
first=$((count > 500000 ? 100000 : count / 5))
limit=1024	# KiB
# KASAN keeps what others free; the module's own caches hold nothing that is free there.
all_limit=$((limit * (${EBPFS_SLOW:-1} > 1 ? 64 : 1)))
in_s1=(nsenter --net=/run/netns/ebpfs-s1)
in_c1=(nsenter --net=/run/netns/ebpfs-c1)
in_c2=(nsenter --net=/run/netns/ebpfs-c2)
sure=()
[ "${EBPFS_SEC:-crc}" = crc ] || sure=(-c)
plan 27

# What the module and the kernel have in slabs, and ebpfsd in memory, in KiB.
memory() {
	local name value size _
	drop_caches
	nap 1
	while read -r name value _; do
		[ "$name" != SUnreclaim: ] || slab=$value
	done < /proc/meminfo
	own=0
	while read -r name value _ size _; do
		[[ $name != ebpfs* ]] || own=$((own + value * size / 1024))
	done < /proc/slabinfo
	while read -r name value _; do
		[ "$name" != VmRSS: ] || rss=$value
	done < "/proc/$server/status"
}

# Sends $2 datagrams at side $1, and reads what is checked until they are sent; counts up
# rounds, and sets wrong if a reader says so.
flood() {
	local side=$1 n=$2 from=("${in_s1[@]}") where=(-i c1 -t 10.101.1.1) i
	if [ "$side" = server ]; then
		from=("${in_c1[@]}")
		where=(-i s1 -t 10.99.0.1)
	fi
	spawn "${from[@]}" flood "${where[@]}" -n "$n" -s $((seed += 1)) "${sure[@]}" \
		> "$tmp/flood" 2>&1
	flooder=$!
	for ((i = 0; i < 100000; i++)); do
		randread -w pread,mmap -s $((seed * 1000 + i)) -t 2 -n 40 "$srv/file" "$mnt/file" \
			> "$tmp/read" 2>&1 || wrong="status $?: $(< "$tmp/read")"
		rounds=$((rounds + 1))
		if [ -n "$wrong" ] || zombie $flooder; then
			break
		fi
		drop_caches
	done
	await 20 $flooder || kill -9 $flooder
}

at_side() {
	local side=$1 slab_was own_was rss_was start=${EPOCHREALTIME/./}
	rounds=0 wrong=''
	flood "$side" $first
	check "$side: the first $first are sent" grep -q "^$first sent" "$tmp/flood" ||
		show "$tmp/flood"
	memory
	slab_was=$slab own_was=$own rss_was=$rss
	flood "$side" $((count - first))
	check "$side: all $count are sent" grep -q "^$((count - first)) sent" "$tmp/flood" ||
		show "$tmp/flood"
	check "$side: every byte read meanwhile is right" test -z "$wrong" || note "$wrong"
	holds "$side: it was read while they came" "rounds >= 3"
	memory
	note "$side: $((${EPOCHREALTIME/./} / 1000000 - start / 1000000)) s, $rounds rounds of reads;" \
		"slab $slab_was -> $slab KiB, of the module $own_was -> $own, ebpfsd $rss_was -> $rss"
	holds "$side: slabs are as before" \
		"slab - slab_was <= all_limit && own - own_was <= limit"
	holds "$side: ebpfsd is as before" "rss - rss_was <= limit"
	drop_caches
	check "$side: the service goes on" cmp "$srv/file" "$mnt/file"
}

# A huge page comes at once, or is made of small ones whenever the kernel likes: 2 MiB of
# ebpfsd's that it did not ask for.
huge=/sys/kernel/mm/transparent_hugepage/enabled
if [ -e $huge ] && [[ $(< $huge) =~ \[(.*)\] ]]; then
	was=${BASH_REMATCH[1]}
	trap 'echo "$was" > $huge; clean_up' EXIT
	echo never > $huge
fi
mkdir -p "$srv"
mkdata file "$srv/file" 8M
lab_up --export "$srv" --clients 2
read -r server _ < /run/ebpfs-lab/server-1.pid
nap 1.5	# ebpfsd has seen the programs
check "before" randread -w pread -s 99 -n 100 "$srv/file" "$mnt/file"
# Buffers of ebpfsd are there from now on, of more slots than the readers below use.
for ((i = 0; i < 12; i++)); do
	drop_caches
	randread -w pread,mmap -s $i -t 6 -n 60 "$srv/file" "$mnt/file" > /dev/null 2>&1
	cat "$mnt/file" > /dev/null
done
seed=0
at_side client
read_stats
note "the client's:" "drop_address ${S[drop_address]}, drop_session ${S[drop_session]}," \
	"drop_malformed ${S[drop_malformed]}, drop_crc ${S[drop_crc]}, drop_tag ${S[drop_tag]}"
holds "client: what is forged is counted" \
	"S[drop_address] + S[drop_session] + S[drop_malformed] > count / 2"
refused() {
	local name
	door
	refused=$((dropped - ${DOOR[drop_rate]:-0}))
	server_stats 1
	for name in address session malformed crc tag key replay stale unguarded data slot mac; do
		refused=$((refused + ${D[drop_$name]}))
	done
}
refused
before=$refused
at_side server
refused
note "the server's:" "drop_address ${D[drop_address]}, drop_session ${D[drop_session]}," \
	"drop_malformed ${D[drop_malformed]}, drop_crc ${D[drop_crc]}, drop_tag ${D[drop_tag]};" \
	"it and the programs refused $((refused - before))"
holds "server: what is forged is counted" "refused - before > count / 2"
reasons=''
for name in "${!DOOR[@]}"; do
	reasons+=" $name ${DOOR[$name]}"
done
note "at the door:$reasons"
if [ "$steer" = off ]; then
	skip "programs drop most of it" "there are none"
	skip "by many reasons" "there are none"
else
	holds "programs drop most of it" "dropped - ${DOOR[drop_rate]:-0} > count"
	holds "by many reasons" "${#DOOR[@]} >= 5"
fi

# Handshakes. An emulated server does not keep up with what is passed up by default.
check "a second client leaves" umount "$mnt-2"
[ "$steer" = off ] ||
	"${in_s1[@]}" ebpfsctl attach --serve --rate-all 200 c1 > "$tmp/out" 2>&1 || show "$tmp/out"
server_stats 1
agreements=${D[key_agreements]} hellos=${D[hellos]} auths=${D[auths]} sessions=${D[sessions]}
spawn "${in_c1[@]}" flood -i s1 -t 10.99.0.1 -k hello -n 100000000 > "$tmp/hello" 2>&1
hello=$!
spawn "${in_c1[@]}" flood -i s1 -t 10.99.0.1 -k auth -n 100000000 > "$tmp/auth" 2>&1
auth=$!
for ((i = 0; i < 200; i++)); do
	randread -w pread -s $i -n 5 "$srv/file" "$mnt/file" > /dev/null 2>&1
	[[ $(< "$tmp/hello")$(< "$tmp/auth") != *templates*templates* ]] || break
	drop_caches
done
mount_second() {
	timeout 60 "${in_c2[@]}" mount -t ebpfs -o \
		"name=lab-c2,secretfile=/run/ebpfs-lab/secret-2${EBPFS_SEC:+,sec=$EBPFS_SEC}" \
		10.99.0.1:/lab "$mnt-2"
}
if [ "$steer" = off ]; then
	nap 5
	skip "a client mounts amid handshakes of others" "nothing limits all of them together"
	skip "they are still going on" "not looked at"
else
	check "a client mounts amid handshakes of others" mount_second
	holds "they are still going on" "$(! zombie $hello && ! zombie $auth; echo $?) == 0"
fi
kill $hello $auth 2> /dev/null
await 10 $hello
await 10 $auth
[ "$steer" != off ] || mount_second > "$tmp/out" 2>&1
check "and reads" cmp "$srv/file" "$mnt-2/file"
server_stats 1
note "HELLO $((D[hellos] - hellos)), AUTH $((D[auths] - auths)), over the limit" \
	"${D[drop_rate]}, key agreements $((D[key_agreements] - agreements))"
holds "handshakes reach ebpfsd" "D[hellos] - hellos >= 50 && D[auths] - auths >= 50"
holds "it computes for the true client only" \
	"D[key_agreements] - agreements >= 1 && D[key_agreements] - agreements <= 10"
holds "nobody else has a session" "D[sessions] == sessions + 1"

check "all is as it was" cmp "$srv/file" "$mnt/file"
