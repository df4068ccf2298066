#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# pinned: what a device writes into a mapping, after the page was sent to the server, is sent
# again
#
# modes: tc
#
# Direct I/O of another file pins the pages of a mapping when it begins, and says that they are
# dirty when it ends: nobody makes a fault then.

. "${0%/*}/../lib/lib.sh"

plan 7

size=65536
delayed_disk 0 0 0 || give_up "no disk"
cat > "$tmp/pin.py" << 'END'
import mmap, os, sys, threading, time

name, disk, size = sys.argv[1], sys.argv[2], int(sys.argv[3])
file = os.open(name, os.O_RDWR)
there = mmap.mmap(file, size)
device = os.open(disk, os.O_RDONLY | os.O_DIRECT)
read = []
reader = threading.Thread(target=lambda: read.append(os.preadv(device, [there], 0)))
reader.start()
time.sleep(0.7)
os.fsync(file)
# A mapping of it shows what came only if it came after this.
early = there[:] != bytes(size)
reader.join()
os.fsync(file)
print("early" if early else "late", read[0])
END

mkdir -p "$srv"
lab_up --export "$srv"
check "what the disk has" mkdata file "$tmp/content" $size
dd if="$tmp/content" of=$disk bs=64K conv=fsync 2> /dev/null
check "a file of zeroes" dd if=/dev/zero of="$mnt/file" bs=$size count=1 conv=fsync
check "the disk becomes slow" delayed_disk 2000 0 0
check "a read into a mapping of the file" timeout 60 python3 "$tmp/pin.py" "$mnt/file" $disk $size
said=$(< "$tmp/out")
check "that went on when the file had been synced" test "$said" = "late $size" || note "$said"
check "the client has it" cmp "$tmp/content" "$mnt/file"
check "and the server, when it is synced again" cmp "$tmp/content" "$srv/file"
