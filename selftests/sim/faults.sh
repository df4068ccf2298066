#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Is the simulator any good? Each patch in faults/ plants one mistake in a copy
# of the core, a simulator is built with it, and has to find it. Speaks KTAP.
#
#   faults.sh [NAME...]     (default: all)
#
# Environment: SEEDS, so many seeds have to be enough (default 20000); JOBS;
# SIM_ARGS, further arguments of the simulator (--outside); CC, CPPFLAGS, CFLAGS,
# LDLIBS, as "make faults" sets them. Needs build/sim.

set -u
cd "$(dirname "$0")" || exit 2
top=../..
: "${SEEDS:=20000}" "${JOBS:=2}" "${CC:=gcc}"

[ -x build/sim ] || {
	echo "faults.sh: there is no build/sim; \"make faults\" makes it first" >&2
	exit 2
}
if [ $# -eq 0 ]; then
	for patch in faults/*.patch; do
		set -- "$@" "$(basename "$patch" .patch)"
	done
fi

# A copy of the core with the fault, and a simulator of it, in build/faults/NAME.
# Files that the fault does not touch are those of build/sim.
plant() {
	dir=build/faults/$1
	rm -rf "$dir"
	mkdir -p "$dir/kmod"
	cp -r $top/kmod/core "$dir/kmod/"
	patch -s -p1 -F0 -d "$dir" < "faults/$1.patch" || {
		echo "# faults/$1.patch does not fit kmod/core any more: plant the fault anew"
		return 1
	}
	objects=
	for src in "$dir"/kmod/core/*.c; do
		file=$(basename "$src" .c)
		if cmp -s "$src" "$top/kmod/core/$file.c"; then
			objects="$objects build/core/$file.o"
			continue
		fi
		objects="$objects $dir/$file.o"
		# shellcheck disable=SC2086 # lists of flags
		$CC -I"$dir/kmod" $CPPFLAGS $CFLAGS -c "$src" -o "$dir/$file.o" || return 1
	done
	# shellcheck disable=SC2086
	$CC $CFLAGS -o "$dir/sim" build/*.o $objects $LDLIBS
}

echo "KTAP version 1"
echo "1..$#"
n=0
failed=0
for name in "$@"; do
	n=$((n + 1))
	if ! plant "$name"; then
		echo "not ok $n - $name cannot be planted"
		failed=1
		continue
	fi
	log=build/faults/$name/log
	# shellcheck disable=SC2086
	build/faults/"$name"/sim --seeds "$SEEDS" --jobs "$JOBS" ${SIM_ARGS-} > "$log" 2>&1
	seed=$(sed -n 's/^# FAILED seed \([0-9]*\).*/\1/p' "$log" | head -n 1)
	why=$(sed -n 's/^# invariant: //p' "$log" | head -n 1)
	if [ -n "$seed" ]; then
		echo "ok $n - $name found by seed $seed: ${why:-it hung or crashed}"
	else
		tail -n 3 "$log" | sed 's/^/# /'
		echo "not ok $n - $name not found in $SEEDS seeds"
		failed=1
	fi
done
exit $failed
