#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# end: the last byte that a file can have is read, written and removed like any other
#
# modes: tc

. "${0%/*}/../lib/lib.sh"

plan 7

# ext4 has no files as large as that.
srv=/dev/shm/ebpfs-end
mkdir -p "$srv"
lab_up --export "$srv"

last=$(((1 << 63) - 2))
at_the_end() {
	timeout -s KILL 20 python3 - "$@" << 'END'
import os, sys
path, what = sys.argv[1:]
at = 2 ** 63 - 2
fd = os.open(path, os.O_RDWR | (os.O_DIRECT if what == "direct" else 0))
if what in ("zero", "direct"):
    sys.exit(os.pread(fd, 1, at) != b"\0")
if what == "write":
    assert os.pwrite(fd, b"x", at) == 1
    os.fsync(fd)
sys.exit(os.pread(fd, 2, at - 1) != b"\0x")
END
}

check "a file of 2^63 - 1 bytes" truncate -s $((last + 1)) "$mnt/file"
check "its last byte" at_the_end "$mnt/file" zero
check "the same without the page cache" at_the_end "$mnt/file" direct
check "it is written" at_the_end "$mnt/file" write
drop_caches
check "and read again" at_the_end "$mnt/file" read
check "it is at the server" at_the_end "$srv/file" read
check "the file is removed" timeout -s KILL 20 rm "$mnt/file"
