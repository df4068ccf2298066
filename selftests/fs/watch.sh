#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# watch: what changes on the server is seen at once if the export has watch = yes,
# however long attributes are believed (actimeo=60 here)
#
# timeout: 60

. "${0%/*}/../lib/lib.sh"

plan 6

mkdir -p "$srv/d"
mkdata file "$srv/f" 1M
lab_up --export "$srv" --export-opts rw,no_root_squash,watch --opts actimeo=60
# A directory's lease is asked for once a second.
soon() {
	nap 1.2
	"$@"
	nap 0.3
}

check "as it was" test "$(stat -c '%s %a' "$mnt/f")" = "$(stat -c '%s %a' "$srv/f")"
soon truncate -s 5000 "$srv/f"
check "a truncated file" test "$(stat -c %s "$mnt/f")" = 5000
soon chmod 640 "$srv/f"
check "its mode" test "$(stat -c %a "$mnt/f")" = 640
check "a name that is not there" test ! -e "$mnt/d/later"
soon touch "$srv/d/later"
check "is there once it was made" test -e "$mnt/d/later"
soon rm "$srv/d/later"
check "and not when it was removed" test ! -e "$mnt/d/later"
