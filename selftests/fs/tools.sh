#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# tools: what users look at a filesystem with works as on any other
#
# timeout: 120

. "${0%/*}/../lib/lib.sh"

plan 29

mkdir -p "$srv"
mkdata tree "$srv/tree" 60
lab_up --export "$srv" --opts timeo=33,retrans=7,actimeo=9,slots=17,rsize=32768

df "$mnt" > "$tmp/df"
read -r _ blocks used available percent where < <(tail -n 1 "$tmp/df")
holds "df: blocks, used and available are there" "blocks > 0 && used >= 0 && available > 0"
check "df: a percentage and the mount point" test "${percent%\%}" -ge 0 -a "$where" = "$mnt"
check "df without arguments lists it" grep -q " $mnt\$" <(df)
read -r type block total length < <(stat -f -c '%t %S %b %l' "$mnt")
read -r block_there total_there < <(stat -f -c '%S %b' "$srv")
check "stat -f: a type" test "$type" = 65427046
holds "stat -f: as many bytes as the server's" "block * total == block_there * total_there"
check "stat -f: names of 255 bytes" test "$length" = 255

check "findmnt -t ebpfs finds it" test "$(findmnt -t ebpfs -n -o TARGET)" = "$mnt"
check "findmnt shows the source" test "$(findmnt -n -o SOURCE "$mnt")" = 10.99.0.1:/lab
check "findmnt shows the type" test "$(findmnt -n -o FSTYPE "$mnt")" = ebpfs
mountinfo=$(grep " $mnt " /proc/self/mountinfo)
options=" ${mountinfo##* } "
options=${options//,/ }
wrong=''
for option in rw name=lab-c1 sec=crc timeo=33 retrans=7 hard actimeo=9 slots=17 rsize=32768; do
	[[ $options == *" $option "* ]] || wrong+=" $option"
done
check "mountinfo shows the options in force" test -z "$wrong" || note "not there:$wrong: $options"
check "mountinfo shows no secret" lacks "$mountinfo" secret

exec {held}< "$mnt/tree/dir0/file10"
spawn sleep 60
exec {held}<&-
holder=$!
check "fuser -m names who uses it" grep -qw "$holder" <(fuser -m "$mnt" 2>&1)
refuse "umount of a busy filesystem says so" busy umount "$mnt"
kill $holder
wait $holder 2> /dev/null

check "du counts as on the server" test "$(du -s "$mnt/tree" | cut -f 1)" = \
	"$(du -s "$srv/tree" | cut -f 1)"
check "find finds as on the server" cmp \
	<(cd "$srv" && find . -printf '%p %y %s %m %T@ %l\n' | sort) \
	<(cd "$mnt" && find . -printf '%p %y %s %m %T@ %l\n' | sort)
check "tar reads everything" cmp <(tar -C "$srv" --sort=name -cf - tree 2> /dev/null) \
	<(tar -C "$mnt" --sort=name -cf - tree 2> /dev/null)
check "cp -a copies everything" cp -a "$mnt/tree" "$tmp/copy"
check "a program runs from it" bash -c "cp /bin/true $srv/program && $mnt/program"

check "remount with another option" mount -o remount,timeo=44 "$mnt"
check "mountinfo shows it" grep -q timeo=44 <(grep " $mnt " /proc/self/mountinfo)
# With noac what was written is at the server at once, else not before a close: that of any
# descriptor, also one that a child of the shell has.
written() {
	(
		exec > "$mnt/$1"
		echo word
		[ -s "$srv/$1" ]
		[ $? = "$2" ]
	)
}
shown_actimeo() {
	grep " $mnt " /proc/self/mountinfo | grep -o 'actimeo=.*'
}
actimeo=$(shown_actimeo)
check "a write is not synchronous" written plain 1
mount -o remount,noac "$mnt"
check "with noac it is" written synchronous 0
mount -o remount,timeo=45 "$mnt"
check "noac outlasts another remount" written still 0
mount -o remount,ac "$mnt"
check "and ends with ac" written again 1
check "with the attributes' timeout as it was" test "$actimeo" = "$(shown_actimeo)"
mount -o remount,ro "$mnt"
refuse "after remount,ro nothing is written" 'Read-only file system' touch "$mnt/new"
mount -o remount,rw "$mnt"
check "and after remount,rw it is" touch "$mnt/new"
cd "$mnt/tree" || exit
check "the working directory has a name" test "$(pwd -P)" = "$mnt/tree"
cd / || exit
start=$EPOCHREALTIME
umount "$mnt"
holds "umount works within 5 s" "$? == 0 && ${EPOCHREALTIME/./} - ${start/./} < 5000000"
