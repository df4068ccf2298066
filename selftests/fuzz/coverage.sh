#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# coverage.sh TARGET SOURCE... - how much of these sources (files or directories, from
# the top of the tree) a fuzz target executes, with its seeds and with what was kept.
# Called by "make coverage", which builds what it needs.

set -eu
cd "$(dirname "$0")"
name=$1
shift

# llvm-cov takes sources as the compiler was given them.
for source; do
	shift
	set -- "$@" "../../$source"
done
raw=build/coverage/$name.raw data=build/coverage/$name.data
LLVM_PROFILE_FILE=$raw "build/coverage/fuzz_$name" -runs=0 -timeout=60 \
	"build/corpus/$name" "build/kept/$name" > "build/coverage/$name.log" 2>&1 || {
	tail -n 20 "build/coverage/$name.log" >&2
	exit 1
}
llvm-profdata merge -sparse "$raw" -o "$data"
rm "$raw"
llvm-cov report "build/coverage/fuzz_$name" -instr-profile="$data" "$@" \
	> "build/coverage/$name.txt"
awk -v name="$name" '$1 == "TOTAL" {
	printf "fuzz_%s: %d of %d lines (%s), %d of %d functions\n", name, $8 - $9, $8, $10,
		$5 - $6, $5
}' "build/coverage/$name.txt"
