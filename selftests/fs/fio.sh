#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# fio: what fio writes in many patterns bears its checksums when it is read back: at
# once, after a remount, by a second client, at the server, and with the server
# killed meanwhile
#
# modes: tc
# long
# timeout: 240

. "${0%/*}/../lib/lib.sh"

plan 14

size=1M
[ -z "${EBPFS_LONG-}" ] || size=8M

export EBPFSD_FORGETFUL=1
mkdir -p "$srv"
lab_up --export "$srv" --clients 2

# Each job writes each of its blocks once, so that the last word on each is known.
cat > "$tmp/jobs" <<END
[global]
thread
size=$size
verify=crc32c
verify_fatal=1
verify_state_save=0
group_reporting
fallocate=none

[sequential]
rw=write
bs=64k

[odd-sizes]
rw=write
bs=7000
size=1400000

[random-4k]
rw=randwrite
bs=4k

[random-sizes]
rw=randwrite
bssplit=1k/40:8k/30:128k/30

[odd-random]
rw=randwrite
bs=1000
size=300000

[direct]
rw=write
bs=1M
direct=1
ioengine=libaio
iodepth=4

[direct-random]
rw=randwrite
bs=4k
direct=1
ioengine=libaio
iodepth=8

[ring]
rw=randwrite
bs=16k
ioengine=io_uring
iodepth=8

[mapped]
rw=write
bs=64k
ioengine=mmap

[mapped-random]
rw=randwrite
bs=4k
ioengine=mmap
fsync=64

[vectored-sync]
rw=randwrite
bs=8k
ioengine=pvsync2
sync=dsync
size=512K

[shared]
rw=randwrite
bs=4k
numjobs=4
filename=shared-file
offset_increment=512K
size=512K
END

# run DIRECTORY OPTION...: fio's status tells of jobs that were killed, too.
run() {
	local dir=$1 status=0
	shift
	(cd "$dir" && exec fio "$@" "$tmp/jobs") > "$tmp/fio" 2>&1 || status=$?
	grep -a 'err=[ ]*[1-9]\|^verify\|^fio: .*rror' "$tmp/fio"
	return $status
}

# read_back DESCRIPTION DIRECTORY
read_back() {
	check "$1" run "$2" --verify_only
}

remount() {
	local options
	options=$(findmnt -no OPTIONS "$mnt") || return
	umount "$mnt" || return
	nsenter --net=/run/netns/ebpfs-c1 mount -t ebpfs \
		-o name=lab-c1,secretfile=/run/ebpfs-lab/secret-1 10.99.0.1:/lab "$mnt" ||
		note "options were $options"
}

check "every pattern is written and verified" run "$mnt"
drop_caches
read_back "and without caches" "$mnt"
read_back "the second client reads the same" "$mnt-2"
read_back "and the server" "$srv"
check "umount and mount" remount
read_back "and after that" "$mnt"

# The second client reads what it has in its cache, of another time.
sed -i '/^\[global\]/a randseed=4711' "$tmp/jobs"
check "over it, other data, by the second client" run "$mnt-2"
read_back "the first reads those" "$mnt"
damage() {
	printf x | dd of="$srv/random-4k.0.0" bs=1 seek=100000 conv=notrunc status=none
}
damage
refuse "a byte that is wrong is noticed" 'err=84' run "$srv" --verify_only --section=random-4k

# Written anew, with a server that dies and forgets what it was not asked to commit.
sed -i 's/^randseed=.*/randseed=815/' "$tmp/jobs"
spawn run "$mnt" > "$tmp/killed" 2>&1
writer=$!
check "with a server that dies and forgets" kill_again $writer 100
check "all is written and verified" await 100 $writer
holds "without an error" "ended == 0" || { show "$tmp/killed"; show "$tmp/fio"; }
read_back "the second client reads it" "$mnt-2"
read_back "and the server" "$srv"
