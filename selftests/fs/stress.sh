#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# stress: the filesystem stressors of stress-ng, each of which verifies what it did
#
# modes: tc
# timeout: 400
# long
#
# Groups of them run at a time, in one directory. One that fails runs again alone, on
# the mount and on the server's own directory: what fails there too says nothing about
# the mount.

. "${0%/*}/../lib/lib.sh"

# Left out is what has nothing to do with the filesystem it is started on (dup, eventfd,
# fd-fork, procfs, binderfs, ioprio) or needs another one (bind-mount, verity, fanotify).
groups=(
	"access chdir chmod chown chattr dentry dir"
	"dirdeep dirmany fallocate fcntl fiemap file-ioctl filename flock"
	"fpunch fsize fstat getdent hdd inode-flags io iomix"
	"lease link locka lockf lockmix lockofd metamix mknod"
	"open pseek rename seek sendfile splice symlink sync-file"
	"touch umask unlink utime xattr acl dnotify inotify"
	"aio mmap mmapfixed msync readahead revio filerace statmount"
)
read -ra all <<< "${groups[*]}"
plan $((${#all[@]} + 2))
seconds=5

srv=/var/tmp/ebpfs-stress
mkdir -p "$srv"/{mount,local}
lab_up --export "$srv"

# How much of it: what has to be written and cleaned up takes time.
limits=(--dirdeep-inodes 1000 --dirdeep-dirs 2 --hdd-bytes 8M --iomix-bytes 8M
	--fallocate-bytes 8M --seek-size 4M --revio-bytes 4M
	--readahead-bytes 8M --sync-file-bytes 4M --mmap-bytes 2M --mmap-file --mmap-write-check
	--fiemap-bytes 4M --sendfile-size 1M --metamix-bytes 1M --dentries 256
	--fpunch-bytes 4M --msync-bytes 2M)

# stress DIRECTORY SECONDS NAME...: sets status, and passes for each name that passed.
declare -A how
stress() {
	local dir=$1 time=$2 name what word line words=()
	shift 2
	for name; do
		words+=("--$name" 1)
		how[$name]=unknown
	done
	timeout $((time * 10 + 60)) stress-ng "${words[@]}" "${limits[@]}" --timeout "$time" \
		--temp-path "$dir" --verify --oomable > "$tmp/stress" 2>&1
	status=$?
	while read -r line; do
		[[ $line =~ \ (passed|failed|skipped|metrics\ untrustworthy):\ [0-9]+(:\ (.*))?$ ]] ||
			continue
		what=${BASH_REMATCH[1]}
		# "chdir (1) chmod (1)"
		for word in ${BASH_REMATCH[3]}; do
			[[ $word = \(* ]] || [ "$what" = "metrics untrustworthy" ] || how[$word]=$what
		done
	done < "$tmp/stress"
}

# alone NAME: judges it by what it does alone; sets verdict.
alone() {
	local there
	stress "$mnt/mount" $seconds "$1"
	verdict=${how[$1]}
	[ "$verdict" != passed ] && [ "$verdict" != skipped ] || return
	cp "$tmp/stress" "$tmp/failed"
	there=$verdict
	stress "$srv/local" $seconds "$1"
	verdict="$there, and ${how[$1]} locally"
	[ "${how[$1]}" != passed ] || { show "$tmp/failed"; verdict=$there; }
}

for group in "${groups[@]}"; do
	# shellcheck disable=SC2086 # words
	stress "$mnt/mount" $seconds $group
	[ $status -lt 5 ] || show "$tmp/stress"
	cp "$tmp/stress" "$tmp/last"
	declare -A together=()
	for name in $group; do
		together[$name]=${how[$name]}
	done
	for name in $group; do
		verdict=${together[$name]}
		if [ "$verdict" = skipped ]; then
			why=$(grep -m 1 "$name: .*skip" "$tmp/last")
			skip "$name" "${why##*] }"
			continue
		elif [ "$verdict" = passed ]; then
			ok "$name"
			continue
		fi
		note "$name among others: $verdict"
		grep -E "fail|$name:" "$tmp/last" | head -n 12 | sed 's/^/#	/'
		alone "$name"
		case $verdict in
		passed)
			# A failure in company counts: others were in its way, or we.
			not_ok "$name, among others"
			;;
		unknown*)	not_ok "$name: stress-ng says nothing of it" ;;
		*" locally")	skip "$name" "$verdict" ;;
		*)		not_ok "$name: $verdict" ;;
		esac
	done
done
left=("$mnt/mount"/*)
check "nothing is left in the mount" test ! -e "${left[0]}" || note "${left[*]}"
left=("$srv/mount"/*)
check "nothing is left at the server" test ! -e "${left[0]}" || note "${left[*]}"
