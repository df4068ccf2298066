#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# opening: what open(2) brings along: small contents come with the name, a file is made
# without a question before, and a file that is there is opened as it should be
#
# modes: tc
# long-modes: off
# timeout: 120

. "${0%/*}/../lib/lib.sh"

plan 27

PATH=$here/lib:$PATH
srv=/tmp/ebpfs-opening
mkdir -p "$srv/small" "$srv/medium"
for i in {1..100}; do
	head -c $((i * 79)) /dev/urandom > "$srv/small/$i"
done
for i in 8193 12288 12289 16384 20000 28673 32000; do
	head -c "$i" /dev/urandom > "$srv/medium/$i"
done
head -c 32769 /dev/urandom > "$srv/large"
echo old > "$srv/there"
install -m 600 /dev/null "$srv/private"
echo secret > "$srv/private"
install -d -m 555 "$srv/closed"
echo open > "$srv/closed/file"
ln -s there "$srv/link"
lab_up --export "$srv" --clients 2 --export-opts rw,no_root_squash

as_nobody() {
	setpriv --reuid 65534 --regid 65534 --clear-groups "$@"
}

cold() {
	sync
	drop_caches
}

# All files of small/, each by its name, without a look into the directory.
read_small() {
	local i
	for i in {1..100}; do
		cmp "$1/small/$i" "$srv/small/$i" || return
	done
}

cold
read_stats
calls=${S[calls]} units=${S[read_units]} begin=$SECONDS
check "small files are read" read_small "$mnt"
read_stats
note "$((S[calls] - calls)) calls, $((S[read_units] - units)) READs"
holds "nothing was asked for but their names" "${S[read_units]} == units"
# And twice in a second for what has nothing to do with them: attributes that have become old,
# and files that are given back.
holds "once for each" "${S[calls]} - calls < 110 + 2 * (SECONDS - begin)"
check "a larger file is read" cmp "$mnt/large" "$srv/large"

# after_listing DIR WHAT SO FUNCTION: names that a listing has brought, and contents that come
# when they are opened.
after_listing() {
	cold
	ls -l "$mnt/$1" > /dev/null
	read_stats
	units=${S[read_units]}
	check "$2" "$4" "$mnt"
	read_stats
	holds "$3" "${S[read_units]} == units"
}

after_listing small "small files are read after a listing" "without a READ" read_small

# Of a size that is known larger ones come, too.
read_medium() {
	local name
	for name in "$srv"/medium/*; do
		cmp "$1/medium/${name##*/}" "$name" || return
	done
}

after_listing medium "larger files are read after a listing" "without a READ, too" read_medium
cold
check "and without one" read_medium "$mnt"
cold
ls -l "$mnt/medium" > /dev/null
head -c 30000 /dev/urandom > "$srv/medium/20000"
head -c 9000 /dev/urandom > "$srv/medium/28673"
check "what has become longer or shorter since is read as it is" read_medium "$mnt"

echo changed > "$srv/small/7"
check "another client sees what changed" cmp "$mnt-2/small/7" "$srv/small/7"
check "so does this one" cmp "$mnt/small/7" "$srv/small/7"
echo "by the other" > "$mnt-2/small/8"
check "what another client wrote is read" cmp "$mnt/small/8" "$srv/small/8"
cold
refuse "what one may not read does not come along" "Permission denied" \
	as_nobody cat "$mnt/private"
check "root reads it" grep -q secret "$mnt/private"

cold
read_stats
calls=${S[calls]}
for i in {1..50}; do
	: > "$mnt/new-$i"
done
read_stats
note "$((S[calls] - calls)) calls for 50 new files"
holds "a new file costs one call" "${S[calls]} - calls < 60"

check "a file that is there is appended to" bash -c "set -e; echo more >> '$mnt/there';
	[ \"\$(cat '$srv/there')\" = \$'old\nmore' ]"
cold
check "and cut" bash -c "set -e; echo new > '$mnt/there'; [ \"\$(cat '$srv/there')\" = new ]"
cold
refuse "noclobber refuses it" "cannot overwrite" bash -c "set -C; echo other > '$mnt/there'"
check "it is as before" grep -qx new "$srv/there"
cold
check "through a link" bash -c "set -e; echo linked > '$mnt/link'; grep -qx linked '$srv/there'"
refuse "a directory is none" "Is a directory" bash -c "echo x > '$mnt/small'"
refuse "where one may not make files none is made" "Permission denied" \
	as_nobody bash -c "echo x > '$mnt/closed/new'"
chmod 666 "$srv/closed/file"
cold
check "but what is there is opened" as_nobody bash -c "echo y >> '$mnt/closed/file'"
check "and has it" grep -qx y "$srv/closed/file"

# A server that refuses to make anything.
lab down > /dev/null 2>&1
lab_up --export "$srv" --export-opts ro
cold
check "on a read-only export O_CREAT opens what is there" \
	python3 -c "import os; os.open('$mnt/there', os.O_RDONLY | os.O_CREAT, 0o644)"
refuse "and makes nothing" "Read-only file system|Permission denied" \
	python3 -c "import os; os.open('$mnt/nothing', os.O_RDONLY | os.O_CREAT, 0o644)"
