#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# consistency: what changes on the server is seen, at the latest when a file is
# opened again or attributes have grown old (actimeo=1 here)
#
# timeout: 150

. "${0%/*}/../lib/lib.sh"

plan 19

mkdir -p "$srv/d"
mkdata file "$srv/f" 1M
mkdata file "$srv/g" 300K
mkdata file "$srv/gone" 2M
mkdata file "$srv/churned" 8M
lab_up --export "$srv" --opts actimeo=1
old() {
	nap 1.2
}

# Close-to-open: no waiting.
check "as it was" mkdata check "$mnt/f" 1 0 1M
mkdata patch "$srv/f" 5 128K 64K
check "other bytes: seen at open" mkdata check "$mnt/f" 5 128K 64K
check "and the rest is as it was" mkdata check "$mnt/f" 1 0 128K 192K 832K
mkdata file "$srv/f" 2M 6
check "another length: seen at open" mkdata check "$mnt/f" 6 0 2M
mkdata file "$srv/new" 1M 7
mv "$srv/new" "$srv/f"
old
check "another file of that name" mkdata check "$mnt/f" 7 0 1M
truncate -s 5000 "$srv/f"
old
check "a truncated file ends where it does" test "$(stat -c %s "$mnt/f")" = 5000
check "and reads so" cmp "$srv/f" "$mnt/f"

# Names.
check "a name that is not there" test ! -e "$mnt/d/later"
: > "$srv/d/later"
old
check "is there once it was made" test -e "$mnt/d/later"
listing=$(ls "$mnt/d")
: > "$srv/d/more"
old
check "a listing shows what came" test "$(ls "$mnt/d")" = "$(ls "$srv/d")" -a "$listing" = later
rm "$srv/d/later"
old
check "and no longer what went" test "$(ls "$mnt/d")" = more -a ! -e "$mnt/d/later"
mv "$srv/d" "$srv/e"
old
check "a directory of another name" test -e "$mnt/e/more" -a ! -e "$mnt/d"
chmod 640 "$srv/g"
chown 33:44 "$srv/g"
old
check "mode and owner" test "$(stat -c '%a %u %g' "$mnt/g")" = "640 33 44"

# A file that is open here and deleted there.
exec {held}< "$mnt/gone"
head -c 100 <&$held > "$tmp/head"
rm "$srv/gone"
old
check "a deleted file has no name" test ! -e "$mnt/gone"
# Its reads go well until the server lets go of it, then fail with ESTALE.
# Nothing else is right.
stale=''
for ((i = 0; i < 40; i++)); do
	drop_caches
	if ! { dd bs=64K skip=1 count=1 iflag=fullblock status=none \
	       < "/proc/self/fd/$held" > "$tmp/rest"; } 2> "$tmp/err"; then
		stale=$(< "$tmp/err")
		break
	fi
	nap 0.5
done
check "a deleted file that was open is stale in the end" grep -qi stale <<< "$stale"
exec {held}<&-

# Cut and rewritten while it is read.
check "churn: nothing wrong is read" timeout 60 churn -s 8 -t 4 "$srv/churned" "$mnt/churned"
note "$(< "$tmp/out")"
old
check "churn: and afterwards all is right" mkdata check "$mnt/churned" 1 0 8M
check "churn: by mapping, too" randread -w mmap,pread -n 100 "$srv/churned" "$mnt/churned"
check "everything is as on the server" treecmp "$srv" "$mnt"
