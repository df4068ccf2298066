#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""
programs: what everyday programs and libraries do to files, told in a transcript

usage: programs.py DIRECTORY

Works in DIRECTORY and prints what each step did, what it returned, which errno it
failed with, and what was there afterwards. The transcript holds nothing that two
filesystems may differ in (inode numbers, times, places), so two of them can be
compared.
"""
import ctypes
import errno
import fcntl
import mmap
import os
import pathlib
import select
import shutil
import stat
import subprocess
import sys
import tempfile

LIBC = ctypes.CDLL(None, use_errno=True)

# Each is a shell command line of its own.
COMMANDS = r"""
mkdir -p tree/a/b/c && for i in 1 2 3; do echo $i > tree/a/$i; done; ln tree/a/1 tree/a/b/hard; ln -s ../1 tree/a/b/soft
cp -a tree copy && diff -r tree copy && stat -c '%n %h %F' copy/a/*
cp -al tree linked && stat -c '%n %h' linked/a/1 linked/a/b/hard
cp --reflink=auto tree/a/1 reflink && cat reflink
mv copy moved && ls -R moved && ! ls copy
mv -n tree/a/1 tree/a/2; cat tree/a/2
mv -T moved tree/a/b/c 2>&1; ls tree/a/b/c
mv tree/a/b/c tree/a/b/c/a 2>&1
ln -sf one link && readlink link && ln -sf two link && readlink link && ln -sfn tree link && readlink link
ln -sfT other link && readlink link; rm link
install -D -m 4711 -o 1 -g 2 tree/a/1 installed/bin/program && stat -c '%a %u %g' installed/bin/program
install -m 600 -C tree/a/2 installed/bin/program && stat -c '%a %u %g %s' installed/bin/program
install -d -m 2775 installed/share && stat -c %a installed/share
seq 1000 | shuf --random-source=<(yes) > lines && sort -n -o lines lines && md5sum < lines
sed -i.bak 's/5/five/' lines && diff lines lines.bak | wc -l && perl -pi -e 's/9/nine/' lines && md5sum < lines
awk '{ print > "split-" ($1 % 5) }' lines && wc -l split-* && cat split-* | sort | md5sum
dd if=lines of=synced bs=7 conv=fsync status=none && cmp lines synced && dd if=lines of=synced bs=100 seek=50 count=2 conv=notrunc,fdatasync oflag=dsync status=none && md5sum < synced
dd if=/dev/zero of=direct bs=4096 count=4 oflag=direct status=none && stat -c %s direct && dd if=direct bs=8192 iflag=direct status=none | md5sum
truncate -s 100 synced && truncate -s +50 synced && truncate -s %64 synced && truncate -r lines direct && stat -c %s synced direct && md5sum < synced
fallocate -l 1M allocated && fallocate -p -o 4096 -l 8192 allocated && fallocate -z -o 0 -l 100 allocated; stat -c %s allocated; md5sum < allocated
mktemp -p . tempXXXXXX > name && stat -c '%a %s' $(cat name) && rm $(cat name) name; mktemp -d -p . dirXXXXXX | sed 's/X*......$//'; rmdir dir??????
touch -d '2001-02-03 04:05:06.789012345' old && stat -c %y old && touch -r old new && stat -c %y new && touch -a -d @1 old && stat -c '%x %y' old && [ lines -nt old ] && ! [ old -nt lines ]
chmod u=rwxs,g=s,o= old && stat -c %a old && chmod -R a+rX,o-w tree && stat -c %a tree tree/a && chown 5:6 old && stat -c '%a %u:%g' old
umask 077 && mkdir private && echo > private/file && stat -c %a private private/file
mkdir sticky && chmod 1777 sticky && echo > sticky/root && setpriv --reuid 1000 --clear-groups sh -c 'echo > sticky/mine; rm -f sticky/root; mv sticky/mine sticky/mine2; rm sticky/mine2; ls sticky' 2>&1
mkdir setgid && chgrp 77 setgid && chmod g+s setgid && touch setgid/file && mkdir setgid/dir && stat -c '%a %g' setgid/file setgid/dir
setpriv --reuid 1000 --clear-groups sh -c 'cat private/file; echo > no; ls private; cd private; touch lines; chmod 777 lines; ln lines mine; test -w lines' 2>&1
cat private/file/below 2>&1; rmdir tree 2>&1; rmdir lines 2>&1; cat tree 2>&1; mkdir lines 2>&1; ln tree hardlinked 2>&1; mknod tree p 2>&1; echo x > tree 2>&1
echo x > $(printf %0256d 1) 2>&1 | cut -c 1-20; touch $(printf %0255d 1) && ls | awk 'length == 255' | wc -l; rm $(printf %0255d 1)
mkfifo fifo && (echo through > fifo &) && cat fifo && rm fifo
ln -s loop loop; cat loop 2>&1; rm loop; ln -s gone dangling; cat dangling 2>&1; echo made > dangling && cat gone && rm gone dangling
(set -C; echo x > lines) 2>&1 | sed 's/^.*: *//'
echo one > append && for i in 2 3 4; do (echo $i >> append) & done; wait; sort -o append append; cat append
cat append append > both && head -c 3 both && tail -c 4 both && tail -n 2 both | sort | wc -l && wc both
tee -a append < lines > /dev/null && wc -l append && split -n 3 append part- && cat part-* | cmp - append && comm -12 lines lines | wc -l
gzip -k lines && gzip -t lines.gz && zcat lines.gz | cmp - lines && xz -k -0 lines && xzcat lines.xz | cmp - lines && rm lines.?z
tar cf - tree | tar xf - -C private && diff -r tree private/tree && find private -newer old | wc -l
find . -type f -links +1 | sort; find . -perm /6000 | sort; find . -empty | sort | wc -l; find tree -depth | sort -r
find tree -name '[0-9]' -exec sh -c 'cat "$1" > "$1.new" && mv "$1.new" "$1"' _ {} \; ; ls tree/a
du --apparent-size -b tree/a/2 && df . > /dev/null && sync -d lines && sync -f . && sync lines tree
flock lines -c 'flock -n lines true || echo locked' ; flock -s lines -c 'flock -s -n lines echo shared'
git init -q vc && cd vc && git config user.email a@b && git config user.name a && echo a > a && git add a && git commit -qm a && git status --porcelain && git log --format=%s
setfattr -n user.one -v 1 lines && setfattr -n user.two -v 2 lines && getfattr -d lines && setfattr -x user.one lines && getfattr -d --absolute-names lines; getfattr -n user.none lines 2>&1
sqlite3 base 'create table t (a); insert into t values (1), (2); select sum(a) from t;' && sqlite3 base 'pragma integrity_check'
cc -x c -o compiled - <<< 'int main(void) { return 42; }'; ./compiled; echo $?; cp compiled running && (./running; echo $?)
printf '#!/bin/sh\necho run "$@"\n' > script && chmod +x script && ./script a b && chmod -x script && ./script 2>&1 | sed 's/.*: //'
rm -r private setgid && rm -rf sticky installed && rm lines* && ls
find . -mindepth 1 -delete && ls -A | wc -l
"""


def shell():
    for line in COMMANDS.strip().splitlines():
        done = subprocess.run(["bash", "-c", line], stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False, timeout=60,
                              env={"PATH": os.environ["PATH"], "LC_ALL": "C", "TZ": "UTC",
                                   "HOME": "/nonexistent"})
        print("$", line)
        print(done.stdout.decode(errors="replace"), end="")
        print("status", done.returncode)


def step(what, function, *args, **words):
    try:
        result = function(*args, **words)
    except OSError as error:
        result = errno.errorcode.get(error.errno, error.errno)
    except (ValueError, shutil.Error, EOFError) as error:
        result = type(error).__name__
    print(f"{what}: {result!r}")
    return result


def save_atomically(path, text):
    """As editors do: a new file, its attributes, its bytes on disk, the rename, the
    directory on disk; the old one stays as a backup."""
    mode = stat.S_IMODE(os.stat(path).st_mode)
    with tempfile.NamedTemporaryFile("w", dir=".", delete=False) as file:
        file.write(text)
        file.flush()
        os.fchmod(file.fileno(), mode)
        os.fsync(file.fileno())
    try:
        os.unlink(path + "~")
    except FileNotFoundError:
        pass
    os.link(path, path + "~")
    os.rename(file.name, path)
    fd = os.open(".", os.O_RDONLY | os.O_DIRECTORY)
    os.fsync(fd)
    os.close(fd)
    return pathlib.Path(path).read_text(), pathlib.Path(path + "~").read_text(), oct(mode)


def memory():
    with open("mapped", "w+b") as file:
        file.truncate(3 * mmap.PAGESIZE + 100)
        with mmap.mmap(file.fileno(), 0) as shared:
            shared[0:5] = b"first"
            shared[mmap.PAGESIZE * 2 - 3:mmap.PAGESIZE * 2 + 3] = b"across"
            file.seek(mmap.PAGESIZE * 2 - 3)
            print("mapping, then read:", file.read(6))
            file.seek(10)
            file.write(b"written")
            file.flush()
            print("write, then mapping:", shared[10:17], shared.find(b"across"))
            shared.flush()
            shared.resize(5 * mmap.PAGESIZE)
            shared[-1:] = b"!"
            print("grown:", len(shared), os.fstat(file.fileno()).st_size)
        with mmap.mmap(file.fileno(), 0, flags=mmap.MAP_PRIVATE) as private:
            private[0:5] = b"other"
            file.seek(0)
            print("private:", private[0:5], file.read(5))
    with open("mapped", "rb") as file, mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as readable:
        print("again:", readable[0:5], readable[-1:])
    os.remove("mapped")


def descriptors():
    fd = os.open("f", os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o640)
    step("O_EXCL", os.open, "f", os.O_CREAT | os.O_EXCL)
    step("writev", os.writev, fd, [b"one ", b"two ", b"three"])
    step("pread", os.pread, fd, 4, 4)
    step("seek behind", os.lseek, fd, 100, os.SEEK_SET)
    step("write there", os.write, fd, b"end")
    step("size", lambda: os.fstat(fd).st_size)
    step("seek before 0", os.lseek, fd, -1, os.SEEK_SET)
    step("SEEK_DATA", os.lseek, fd, 0, os.SEEK_DATA)
    step("SEEK_HOLE at the end", os.lseek, fd, 103, os.SEEK_HOLE)
    step("ftruncate", os.ftruncate, fd, 50)
    step("negative", os.truncate, "f", -1)
    step("posix_fallocate", os.posix_fallocate, fd, 0, 200)
    step("size", lambda: os.fstat(fd).st_size)
    step("fchmod", os.fchmod, fd, 0o604)
    step("mode", lambda: oct(os.fstat(fd).st_mode))
    step("futimens", os.utime, fd, ns=(10 ** 18, 10 ** 18 + 5))
    step("times", lambda: (os.fstat(fd).st_atime_ns, os.fstat(fd).st_mtime_ns))
    other = os.open("f", os.O_WRONLY | os.O_APPEND)
    step("append", os.write, other, b"tail")
    step("pwrite with O_APPEND", os.pwrite, other, b"x", 0)
    step("size", lambda: os.fstat(other).st_size)
    step("read of a writer", os.read, other, 1)
    step("copy_file_range", os.copy_file_range, fd, other, 10, 0, 300)
    step("sendfile", lambda: os.sendfile(os.open("sent", os.O_WRONLY | os.O_CREAT), fd, 0, 1000))
    step("splice", lambda: splice("sent"))
    step("lock", fcntl.lockf, fd, fcntl.LOCK_EX | fcntl.LOCK_NB, 10, 5)
    step("unlock", fcntl.lockf, fd, fcntl.LOCK_UN)
    step("poll", lambda: select.select([fd], [fd], [], 0)[0] == [fd])
    step("fsync", os.fsync, fd)
    step("fdatasync", os.fdatasync, fd)
    os.close(other)
    os.close(fd)
    step("closed", os.write, fd, b"x")
    step("a directory to write", os.open, ".", os.O_WRONLY)
    step("O_DIRECTORY of a file", os.open, "f", os.O_DIRECTORY)
    step("O_NOFOLLOW", lambda: (os.symlink("f", "l"), os.open("l", os.O_NOFOLLOW)))
    step("O_PATH", lambda: os.fstat(os.open("f", os.O_PATH)).st_size)
    step("a slash behind a file", os.stat, "f/")
    step("a slash behind a name to make", os.open, "none/", os.O_CREAT | os.O_WRONLY)
    step("an empty name", os.stat, "")
    step("RENAME_NOREPLACE", renameat2, "f", "l", 1)
    step("RENAME_EXCHANGE", renameat2, "f", "l", 2)
    step("exchanged", os.readlink, "f")
    step("RENAME_EXCHANGE with nothing", renameat2, "f", "none", 2)
    step("rename to itself", os.rename, "l", "l")
    step("link to a symlink", os.link, "f", "h", follow_symlinks=False)
    step("links", lambda: os.lstat("h").st_nlink)
    step("unlink of a directory", os.unlink, ".")
    for name in ("f", "l", "h", "sent"):
        os.unlink(name)


def splice(path):
    reader, writer = os.pipe()
    with open(path, "rb") as file:
        moved = os.splice(file.fileno(), writer, 100)
    os.close(writer)
    data = os.read(reader, 100)
    os.close(reader)
    return moved, data[:20]


def renameat2(old, new, flags):
    if LIBC.renameat2(-100, old.encode(), -100, new.encode(), flags):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def directories():
    step("makedirs", os.makedirs, "a/b/c")
    step("again", os.makedirs, "a/b/c")
    step("exist_ok", os.makedirs, "a/b/c", exist_ok=True)
    for number in range(300):
        pathlib.Path(f"a/b/{number:03}").touch()
    step("glob", lambda: len(list(pathlib.Path("a").rglob("*7*"))))
    seen = []
    # Removed while it is listed.
    for entry in os.scandir("a/b"):
        seen.append(entry.name)
        if entry.is_file():
            os.unlink(entry.path)
    step("listed", lambda: (len(seen), len(set(seen)), os.listdir("a/b")))
    step("links of a directory", lambda: os.stat("a/b").st_nlink)
    step("rename over one that is not empty", lambda: (os.mkdir("e"), os.rename("e", "a")))
    step("rename over an empty one", os.rename, "e", "a/b/c")
    step("into itself", os.rename, "a", "a/b/d")
    step("a file over a directory", lambda: (pathlib.Path("x").touch(), os.rename("x", "a")))
    step("a directory over a file", os.rename, "a", "x")
    step("rmtree", shutil.rmtree, "a")
    step("gone", os.stat, "a")
    os.remove("x")
    # The working directory goes away.
    os.makedirs("here")
    os.chdir("here")
    os.rmdir("../here")
    step("getcwd", os.getcwd)
    step("made in what is gone", os.mkdir, "x")
    step("listing of what is gone", os.listdir, ".")


def libraries():
    pathlib.Path("doc").write_text("version 1\n", encoding="ascii")
    os.chmod("doc", 0o640)
    step("atomic save", save_atomically, "doc", "version 2\n")
    step("and again", save_atomically, "doc", "version 3\n")
    with tempfile.TemporaryDirectory(dir=".") as directory:
        path = pathlib.Path(directory)
        (path / "a").write_bytes(b"x" * 100000)
        step("copy2", lambda: pathlib.Path(shutil.copy2(path / "a", path / "b")).stat().st_size)
        step("copytree", lambda: len(os.listdir(shutil.copytree(path, "copied"))))
        step("move", lambda: os.path.basename(shutil.move("copied", path / "moved")))
        step("archive", lambda: os.path.basename(shutil.make_archive(path / "z", "gztar", path)))
        step("replace", lambda: (path / "b").replace(path / "a").name)
        step("hard link", lambda: (path / "hard").hardlink_to(path / "a"))
        step("same file", lambda: (path / "hard").samefile(path / "a"))
        step("touch", (path / "a").touch, exist_ok=False)
    step("cleaned up", os.listdir, ".")
    with tempfile.SpooledTemporaryFile(max_size=10, dir=".") as file:
        file.write(b"more than ten bytes")
        file.seek(5)
        step("spooled", file.read)
    with tempfile.TemporaryFile(dir=".") as file:
        file.write(b"nameless")
        file.seek(0)
        step("without a name", lambda: (file.read(), os.listdir(".")))
    os.unlink("doc")
    os.unlink("doc~")


def main():
    if len(sys.argv) != 2:
        print("usage: programs.py DIRECTORY", file=sys.stderr)
        return 2
    os.chdir(sys.argv[1])
    os.umask(0o022)
    sys.stdout.reconfigure(line_buffering=True)
    shell()
    descriptors()
    memory()
    libraries()
    directories()
    return 0


sys.exit(main())
