#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# programs: what everyday programs and libraries do gives the same transcript on a
# mount as on the filesystem that it exports
#
# modes: tc
# timeout: 240

. "${0%/*}/../lib/lib.sh"

plan 4

export PYTHONDONTWRITEBYTECODE=1
PATH=$here/lib:$PATH
mkdir -p "$srv/here" "$srv/there"
lab_up --export "$srv"

spawn programs.py "$srv/here" > "$tmp/local" 2>&1
other=$!
check "the transcript of the mount" programs.py "$mnt/there"
cp "$tmp/out" "$tmp/mount"
check "that of the server's filesystem" await 60 $other
length=$(wc -l < "$tmp/local")
holds "has $length lines" "ended == 0 && length > 300" || show "$tmp/local"
check "they are the same" diff "$tmp/local" "$tmp/mount"
