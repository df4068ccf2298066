#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# append: records that several processes on two clients append to one file are
# all there, whole and in order, also over a bad network and a server that dies;
# what was appended does not come back over what was done to the file then; and nobody sees
# that a server has forgotten it
#
# modes: tc
# long-modes: off
# timeout: 240

. "${0%/*}/../lib/lib.sh"

plan 12

# @enough: so many that the server dies often before they are all there.
records=1250 enough=5000 deaths=8 wait=120
[ -z "${EBPFS_LONG-}" ] || records=10000 enough=10000 deaths=40 wait=600

mkdir -p "$srv"
lab_up --export "$srv" --clients 2
check "two clients, two processes each" \
	append -n $records "$mnt/a" "$mnt-2/a" "$mnt/a" "$mnt-2/a"
check "a client and the server" append -n $((records / 4)) "$mnt/b" "$srv/b"

netem all both delay 1ms 200us loss 1% duplicate 1% reorder 25%
check "over a bad network" append -n $((records / 5)) "$mnt/c" "$mnt-2/c"
netem all both off

# Kills the server while the two append: in turn at any time, and, by its own hand,
# between an append and the note of it, when only its next start can tell.
killed=0 by_itself=0
kill_some() {
	local i server
	while [ $((killed + by_itself)) -lt $deaths ] && ! zombie $appender; do
		lab kill 1 || return
		killed=$((killed + 1))
		server=0
		# It may be so soon that nobody has seen it ready.
		if EBPFSD_TEST_DIE=made:$((1 + RANDOM % 40)) lab start 1; then
			read -r server _ < /run/ebpfs-lab/server-1.pid
		fi
		for ((i = 0; i < 20; i++)); do
			zombie "$server" && break
			nap 0.1
		done
		if zombie "$server"; then
			by_itself=$((by_itself + 1))
			lab start 1 || return
		fi
		nap 0.$((RANDOM % 8))
	done
}
spawn append -n $enough "$mnt/d" "$mnt-2/d" > "$tmp/append" 2>&1
appender=$!
nap 0.5
check "the server dies meanwhile" kill_some
note "it was killed $killed times, and killed itself $by_itself times"
holds "both from outside and by itself" "killed >= 3 && by_itself >= 2"
check "the two end" await $wait $appender
holds "the records are all there, and none twice" "ended == 0" || show "$tmp/append"

# Files that are appended to and then changed in another way, before anything is synced.
cat > "$tmp/change.py" << 'END'
import ctypes, mmap, os, sys, time

mnt, srv, tmp = sys.argv[1:]
libc = ctypes.CDLL(None, use_errno=True)

def cut(fd):
    os.ftruncate(fd, 100)
    os.ftruncate(fd, 5000)
    return b"x" * 100 + bytes(4900)

def write(fd):
    os.pwrite(os.open(f"/proc/self/fd/{fd}", os.O_RDWR), b"y" * 3000, 1000)
    return b"x" * 1000 + b"y" * 3000 + b"x" * 1000

def punch(fd):
    # FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE
    if libc.fallocate(fd, 3, ctypes.c_long(0), ctypes.c_long(4096)):
        raise OSError(ctypes.get_errno(), "fallocate")
    return bytes(4096) + b"x" * 904

def copy(fd):
    source = os.open(f"{mnt}/source", os.O_RDWR | os.O_CREAT)
    os.write(source, b"z" * 5000)
    to = os.open(f"/proc/self/fd/{fd}", os.O_RDWR)
    os.copy_file_range(source, to, 5000, 0, 0)
    return b"z" * 5000

def store(fd):
    # It has a descriptor of its own, whose close would sync.
    maps.append(mmap.mmap(fd, 5000))
    maps[-1][1000:2000] = b"w" * 1000
    # Written back, as by the kernel itself, but not synced.
    if libc.sync_file_range(fd, ctypes.c_int64(0), ctypes.c_int64(0), 7):
        raise OSError(ctypes.get_errno(), "sync_file_range")
    return b"x" * 1000 + b"w" * 1000 + b"x" * 3000

files = {}
maps = []
for change in cut, write, punch, copy, store:
    name = change.__name__
    fd = os.open(f"{mnt}/{name}", os.O_RDWR | os.O_CREAT | os.O_APPEND)
    os.write(fd, b"x" * 5000)
    files[name] = fd, change(fd)
open(f"{tmp}/changed", "w").close()
while not os.path.exists(f"{tmp}/again"):
    time.sleep(0.1)
wrong = 0
for name, (fd, want) in files.items():
    os.fsync(fd)
    there = open(f"{srv}/{name}", "rb").read()
    if there != want:
        at = next((i for i in range(min(len(there), len(want))) if there[i] != want[i]), -1)
        print(f"{name}: {len(there)} bytes, the first wrong one is {at}")
        wrong = 1
sys.exit(wrong)
END
die_after_changes() {
	local i
	for ((i = 0; i < 300; i++)); do
		[ ! -e "$tmp/changed" ] || break
		nap 0.1
	done
	[ -e "$tmp/changed" ] && lab kill 1 && lab start 1 && touch "$tmp/again"
}
spawn python3 "$tmp/change.py" "$mnt" "$srv" "$tmp" > "$tmp/change" 2>&1
changer=$!
check "the server dies after what was appended was changed" die_after_changes
await 60 $changer
holds "what was appended does not come back" "ended == 0" || show "$tmp/change"

# What was appended and not synced is there for whoever looks first, by whatever means, also when
# the server has lost it, and it is not the superuser's.
cat > "$tmp/look.py" << 'END'
import mmap, os, sys, time

mnt, srv, tmp = sys.argv[1:]
want = b"x" * 5000

def read(path, fd):
    return os.pread(fd, 6000, 0)

def size(path, fd):
    return want[:os.stat(path).st_size]

def mapped(path, fd):
    with mmap.mmap(fd, 5000, prot=mmap.PROT_READ) as m:
        return m[:]

def direct(path, fd):
    with mmap.mmap(-1, 8192) as m:
        n = os.preadv(os.open(path, os.O_RDONLY | os.O_DIRECT), [m], 0)
        return m[:n]

def end(path, fd):
    return want[:os.lseek(fd, 0, os.SEEK_HOLE)]

files = {}
os.setegid(1234)
os.seteuid(1234)
for look in read, size, mapped, direct, end:
    path = f"{mnt}/{look.__name__}"
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
    os.write(fd, want)
    files[look] = path, fd
os.seteuid(0)
os.setegid(0)
open(f"{tmp}/changed", "w").close()
while not os.path.exists(f"{tmp}/again"):
    time.sleep(0.1)
wrong = 0
for look, (path, fd) in files.items():
    got = look(path, fd)
    if got != want:
        print(f"{look.__name__}: {len(got)} bytes, {len(got.rstrip(bytes(1)))} but for zeroes at the end")
        wrong = 1
    os.fsync(fd)
    if open(f"{srv}/{look.__name__}", "rb").read() != want:
        print(f"{look.__name__}: it is not at the server")
        wrong = 1
sys.exit(wrong)
END
rm -f "$tmp/changed" "$tmp/again"
chmod 777 "$srv"
EBPFSD_FORGETFUL=1 lab_up --export "$srv" --export-opts rw
read_stats
before=${S[write_again]}
spawn python3 "$tmp/look.py" "$mnt" "$srv" "$tmp" > "$tmp/look" 2>&1
looker=$!
EBPFSD_FORGETFUL=1 check "a server dies that forgets" die_after_changes
await 60 $looker
holds "nobody sees that it has" "ended == 0" || show "$tmp/look"
read_stats
holds "it was written again ($((S[write_again] - before)))" "S[write_again] - before == 5"
