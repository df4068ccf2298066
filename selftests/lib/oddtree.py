#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""
oddtree: a tree with one of everything that an archive has to keep, and a listing
that tells two such trees apart

usage: oddtree.py make DIRECTORY [acl] [trusted]
       oddtree.py list DIRECTORY

make: files with every mode bit, owners, times before 1970 and with nanoseconds, hard
links, symbolic links that lead nowhere, sparse files, devices, fifos, sockets, names
of any bytes and any length, extended attributes of users; with "acl", POSIX ACLs, made
by setfacl; with "trusted", attributes that only root may set, and capabilities.

list: a line for each file, on standard output, in order: all of that, and a checksum.
Of places in memory or on a disk it tells nothing, so that copies are listed alike;
of blocks it tells only whether they are fewer than the size needs.
"""
import hashlib
import os
import random
import socket
import stat
import subprocess
import sys


def write(path, data, mode=0o644):
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    os.write(fd, data)
    os.close(fd)
    os.chmod(path, mode)


def make(acl, trusted):
    chance = random.Random(1)
    os.umask(0)
    for number, size in enumerate([0, 1, 511, 4096, 4097, 70000, 300001]):
        write(f"size-{size}", chance.randbytes(size), 0o600 + number)
    os.mkdir("modes")
    for mode in (0, 0o400, 0o777, 0o4755, 0o2755, 0o1644, 0o7777, 0o6711):
        write(f"modes/{mode:o}", b"#!/bin/sh\n", mode)
        os.mkdir(f"modes/d{mode:o}", 0o700)
        os.chmod(f"modes/d{mode:o}", mode)
    os.mkdir("owners")
    for uid, gid in ((0, 0), (1, 2), (1000, 100), (65534, 65534), (70000, 2000000000)):
        path = f"owners/{uid}-{gid}"
        write(path, b"owned\n")
        os.chown(path, uid, gid)
        os.chmod(path, 0o4755)
        os.symlink("nowhere", path + "-link")
        os.chown(path + "-link", uid, gid, follow_symlinks=False)
    os.mkdir("links")
    write("links/one", b"one file, five names\n")
    os.mkdir("links/deeper")
    for name in ("two", "three", "deeper/four", "../five"):
        os.link("links/one", "links/" + name)
    os.symlink("/etc/passwd", "links/absolute")
    os.symlink("../links/deeper/../one", "links/relative")
    os.symlink("x" * 4000, "links/long")
    os.link("links/relative", "links/relative-again", follow_symlinks=False)
    os.mkdir("special")
    os.mkfifo("special/fifo", 0o640)
    os.mknod("special/null", stat.S_IFCHR | 0o666, os.makedev(1, 3))
    os.mknod("special/disk", stat.S_IFBLK | 0o660, os.makedev(253, 70000))
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind("special/socket")
    os.mkdir("sparse")
    for name, size, places in (("empty", 10 << 20, ()), ("middle", 8 << 20, (4 << 20,)),
                               ("ends", 5000000, (0, 4990000)), ("large", 40 << 20, (30 << 20,))):
        with open("sparse/" + name, "wb") as file:
            file.truncate(size)
            for place in places:
                file.seek(place)
                file.write(chance.randbytes(6000))
    os.mkdir("names")
    for name in (b"new\nline", b"blank ", b" -rf", b"quote'\"`$x", b"star*?[a]", b"\xff\xfe\x01",
                 "ünï-字-😀".encode(), b"back\\slash", b"x" * 255, b".hidden", b"a:b", b"~", b"%s%n",
                 b"nfc-\xc3\xa9", b"nfd-e\xcc\x81", b"Case", b"case"):
        write(b"names/" + name, name)
    path = "deep"
    os.mkdir(path)
    for number in range(30):
        path += f"/{number}"
        os.mkdir(path)
    write(path + "/file", b"deep\n")
    os.mkdir("attributes")
    write("attributes/file", b"attributed\n")
    os.setxattr("attributes/file", "user.short", b"value")
    os.setxattr("attributes/file", "user.empty", b"")
    os.setxattr("attributes/file", "user.bytes", bytes(range(256)))
    os.setxattr("attributes/file", "user.long", chance.randbytes(1500))
    os.setxattr("attributes", "user.directory", b"of a directory")
    os.symlink("file", "attributes/link")
    write("attributes/capable", b"\x7fELF", 0o755)
    if trusted:
        os.setxattr("attributes/file", "trusted.root", b"\0of root\0")
        os.setxattr("attributes/link", "trusted.link", b"of a link", follow_symlinks=False)
        os.setxattr("attributes/capable", "security.capability",
                    bytes.fromhex("0100000200200000000000000000000000000000"))
    if acl:
        write("attributes/acl", b"shared\n", 0o640)
        os.mkdir("attributes/acl-default")
        subprocess.run(["setfacl", "-m", "u:1000:rw,u:1001:r,g:100:rwx,m:rw",
                        "attributes/acl"], check=True)
        subprocess.run(["setfacl", "-m", "u:1000:rwx,d:u:1000:rwx,d:g:100:rx",
                        "attributes/acl-default"], check=True)
        write("attributes/acl-default/heir", b"inherits\n", 0o660)
    os.mkdir("times")
    for number, when in enumerate((1, 999999999, -1000000001, 10 ** 18 + 1, 1700000000123456789,
                                   4102444800 * 10 ** 9 + 987654321)):
        write(f"times/{number}", b"old\n")
        os.utime(f"times/{number}", ns=(when, when))
    os.symlink("0", "times/link")
    os.utime("times/link", ns=(5, 1234567890987654321), follow_symlinks=False)
    os.utime("times", ns=(7, 1234567890000000007))


def describe(path, groups):
    st = os.lstat(path)
    words = [f"{st.st_mode:o}", f"{st.st_uid}:{st.st_gid}", f"mtime={st.st_mtime_ns}"]
    if not stat.S_ISDIR(st.st_mode):
        words.append(f"links={st.st_nlink}")
        words.append(f"as={groups.setdefault((st.st_dev, st.st_ino), len(groups))}")
    if stat.S_ISREG(st.st_mode):
        words.append(f"size={st.st_size}")
        # To copy a hole of gigabytes is not to be wished, nor to read it.
        if st.st_size > 1 << 20:
            words.append("sparse" if st.st_blocks * 512 < st.st_size // 2 else "solid")
        digest = hashlib.sha256()
        fd = os.open(path, os.O_RDONLY)
        at = 0
        while at < st.st_size:
            try:
                at = os.lseek(fd, at, os.SEEK_DATA)
            except OSError:
                break
            at -= at % 65536
            data = os.pread(fd, 65536, at)
            if data.strip(b"\0"):
                digest.update(b"%d " % at + data)
            at += 65536
        os.close(fd)
        words.append(digest.hexdigest()[:16])
    elif stat.S_ISLNK(st.st_mode):
        words.append(repr(os.readlink(path)))
    elif stat.S_ISCHR(st.st_mode) or stat.S_ISBLK(st.st_mode):
        words.append(f"{os.major(st.st_rdev)}:{os.minor(st.st_rdev)}")
    for name in sorted(os.listxattr(path, follow_symlinks=False)):
        value = os.getxattr(path, name, follow_symlinks=False)
        words.append(f"{name}={hashlib.sha256(value).hexdigest()[:12]}/{len(value)}")
    return " ".join(words)


def show():
    groups = {}
    paths = [b"."]
    for directory, directories, files in os.walk(b"."):
        paths += [os.path.join(directory, name) for name in directories + files]
    for path in sorted(paths):
        print(repr(path), describe(path, groups))


def main():
    if len(sys.argv) < 3 or sys.argv[1] not in ("make", "list"):
        print("usage: oddtree.py make DIRECTORY [acl] [trusted]\n       oddtree.py list DIRECTORY",
              file=sys.stderr)
        return 2
    os.chdir(sys.argv[2])
    if sys.argv[1] == "make":
        make("acl" in sys.argv[3:], "trusted" in sys.argv[3:])
    else:
        show()
    return 0


sys.exit(main())
