#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# forge: a forged datagram changes nothing but a counter, and exactly that one
#
# modes: tc
# long-modes: xdp off xdp-generic
# timeout: 300
#
# What the server says is delayed, so that each forgery (lib/forge.c) arrives
# while its call is open and nothing else has been heard.

. "${0%/*}/../lib/lib.sh"

forgeries=100
[ -z "${EBPFS_LONG-}" ] || forgeries=150
drops=(drop_stale drop_duplicate drop_instance drop_grid drop_range drop_cancelled drop_crc
       drop_session drop_address drop_malformed)

# attack and the counter that tells of it
attacks=(session:drop_session crc:drop_crc stale:drop_stale replay:drop_stale
	 offset:drop_malformed total:drop_range slot:drop_range short:drop_malformed
	 magic:drop_malformed address:drop_address port:drop_address)
plan $((3 * ${#attacks[@]} + 5))

mkdir -p "$srv"
mkdata file "$srv/file" 8M
lab_up --export "$srv"
netem all delay 5ms
# The estimator of round trips has to learn of the delay.
check "before" randread -w pread -s 99 -n 100 "$srv/file" "$mnt/file"

one_attack() {
	local attack=${1%:*} counter=${1#*:} count=$forgeries name i moved='' wrong='' other=''
	local counted late=0
	local -A before
	# Only frames of one datagram are sent again, and those are few.
	[ "$attack" != replay ] || count=$((forgeries / 3))
	drop_caches
	read_stats
	for name in "${drops[@]}" calls_resent; do
		before[$name]=${S[$name]}
	done
	spawn nsenter --net=/run/netns/ebpfs-s1 forge -i c1 -a "$attack" -n "$count" \
		> "$tmp/forge" 2>&1
	forger=$!
	for ((i = 0; i < 100; i++)); do
		[[ $(< "$tmp/forge") != *listening* ]] || break
		nap 0.05
	done
	for ((i = 0; i < 60; i++)); do
		randread -w pread,mmap -s $i -t 2 -n 60 "$srv/file" "$mnt/file" > "$tmp/read" 2>&1 ||
			wrong="status $?: $(< "$tmp/read")"
		if [ -n "$wrong" ] || zombie $forger; then
			break
		fi
		drop_caches
	done
	check "$attack: every byte is right" test -z "$wrong" || note "$wrong"
	await 30 $forger || kill -9 $forger
	check "$attack: $count datagrams were forged" grep -q "^$count sent" "$tmp/forge" ||
		show "$tmp/forge"
	nap 0.1
	read_stats
	for name in "${drops[@]}"; do
		((S[$name] == before[$name])) && continue
		moved+=" $name $((S[$name] - before[$name]))"
		# A forgery that comes when its call has been answered is stale, and so
		# are true replies to calls that a slow machine repeated for no reason.
		case $name in
		"$counter") ;;
		drop_stale | drop_duplicate | drop_instance)
			late=$((late + S[$name] - before[$name]))
			;;
		*) other+=" $name" ;;
		esac
	done
	note "$attack: moved:$moved; sent again $((S[calls_resent] - before[calls_resent]))"
	counted=$((S[$counter] - before[$counter]))
	holds "$attack: $counter counts them, and nothing else does" \
		"counted >= least && counted + late >= count && ${#other} == 0"
}

# Where a machine that is slow answers late, hardly any comes before the true reply.
least=$((${EBPFS_SLOW:-1} > 1 ? 1 : forgeries / 10))
for attack in "${attacks[@]}"; do
	one_attack "$attack"
done

# A server that says anything. What the client makes of it is the server's business, but it has
# to make something, and afterwards nothing of it is left.
forged=600
[ -z "${EBPFS_LONG-}" ] || forged=20000
look_around() {
	local i
	for ((i = 0; i < 1000; i++)); do
		find "$mnt" -ls
		getfattr -d -m . -R "$mnt"
		df "$mnt"
		# A file may have become endless.
		head -qc 100000 "$mnt/tree/link/file2" "$mnt/tree/dir0/file1" "$mnt/no such file"
		echo more > "$mnt/made"
		mv "$mnt/made" "$mnt/moved"
		rm -f "$mnt/moved" "$mnt/made"
		! zombie $forger || return 0
		drop_caches
	done
}
lab_up --export "$srv"
mkdata tree "$srv/tree" 60
ln -s dir0 "$srv/tree/link"
setfattr -n user.name -v value "$srv/tree/dir0/file1"
netem all delay 5ms
spawn nsenter --net=/run/netns/ebpfs-s1 forge -i c1 -a result -n $forged > "$tmp/forge" 2>&1
forger=$!
spawn look_around > "$tmp/looked" 2>&1
check "result: whatever is said, who asks goes on" await 200 $! || show "$tmp/looked"
check "result: $forged answers were forged" grep -q "^$forged sent" "$tmp/forge" ||
	show "$tmp/forge"
rm -rf "$srv"/m*
check "result: the mount can be taken away" umount "$mnt"
lab_up --export "$srv"
check "result: and all is there" treecmp "$srv" "$mnt"
