#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# mutants.sh - are the tests any good?
#
# usage: selftests/mutants.sh [--check | --sim] [NAME...]
#
# Each patch in selftests/mutants and selftests/sim/faults is a small mistake: a check
# that is left out, an order that is changed, a number that is used again. It is planted
# in a copy of the tree; what it touches is built, and the tests that it names are run
# until one fails. All mistakes have to be found. Says of each in a line of KTAP what it
# does and what found it. NAME is that of a patch; default: all.
#
#   --check   only whether the patches still fit
#   --sim     only those in sim/faults, which the simulator has to find
#
# The head of a patch says what the mistake is and, behind "Found by:", which tests
# are to find it, the cheapest first (without: sim):
#
#   unit/NAME   selftests/unit/test_NAME.c
#   sim         the simulator, within SEEDS seeds (default 20000); sim:N: it once found
#               the mistake with seed N, which is run first
#   fuzz/NAME   the seeds of that fuzz target
#   net/NAME    selftests/net/NAME.c, a test of ebpfsd; those need root, see testing.md
#
# Of unit and net tests one may be named, TEST:ONE, which is quicker.
#
# Runs where "make selftests" was run. JOBS (default: as there are processors) copies
# are used at a time, in selftests/build/mutants; SIM_ARGS are further arguments of the
# simulator (--outside). A simulator with a mistake stays for "sim --fault NAME".

set -u
cd "$(dirname "$0")/.." || exit 2
top=$PWD
: "${JOBS:=$(nproc)}" "${SEEDS:=20000}"

only='' directories=(mutants sim/faults)
while [ $# -gt 0 ]; do
	case $1 in
	--check)	only=check ;;
	--sim)		directories=(sim/faults) ;;
	-h | --help)	sed -n '4,/^# simulator/s/^# \{0,1\}//p' "$0"; exit ;;
	-*)		echo "mutants.sh: unknown option '$1'" >&2; exit 2 ;;
	*)		break ;;
	esac
	shift
done
patches=()
for directory in "${directories[@]}"; do
	if [ $# = 0 ]; then
		patches+=("$top/selftests/$directory"/*.patch)
		continue
	fi
	for name; do
		[ ! -e "selftests/$directory/$name.patch" ] ||
			patches+=("$top/selftests/$directory/$name.patch")
	done
done
if [ $# -gt ${#patches[@]} ]; then
	echo "mutants.sh: there are no such patches: $*" >&2
	exit 2
fi

# What a patch says it is: its text up to "Found by:" or the first file, in one line.
says() {
	sed -n '/^SPDX/d; /^Found by:/q; /^--- /q; p' "$1" | tr '\n' ' ' |
		sed 's/^ *//; s/ *$//; s/\.$//'
}

tests_of() {
	local tests
	tests=$(sed -n '/^--- /q; s/^Found by: *//p' "$1")
	echo "${tests:-sim}"
}

files_of() {
	sed -n 's,^+++ b/,,p' "$1"
}

# Whether a patch fits the tree, as it is and nowhere else.
fits() {
	local scratch status=0
	scratch=$(mktemp -d)
	files_of "$1" | tar -cf - -T - | tar -xf - -C "$scratch"
	patch -s -p1 -F0 --dry-run -d "$scratch" < "$1" > /dev/null 2>&1 || status=1
	rm -rf "$scratch"
	return $status
}

check_all() {
	local patch name known n=0 failed=0 test source one
	echo "KTAP version 1"
	echo "1..${#patches[@]}"
	for patch in "${patches[@]}"; do
		n=$((n + 1))
		name=$(basename "$patch" .patch)
		known=1
		for test in $(tests_of "$patch"); do
			source=selftests/${test%:*}.c one=''
			case $test in
			sim | sim:[0-9]*) continue ;;
			unit/*)	source=selftests/unit/test_${source#*/unit/} ;;
			fuzz/*)	source=selftests/fuzz/fuzz_${source#*/fuzz/} ;;
			esac
			[[ $test != *:* ]] || one=${test#*:}
			# A test on an export is made by a macro.
			grep -qsw -- "${one%_on_*}" "$source" || known=''
		done
		if ! fits "$patch"; then
			echo "not ok $n - $name does not fit any more: plant the mistake anew"
			failed=1
		elif [ -z "$known" ] || [ -z "$(says "$patch")" ]; then
			echo "not ok $n - $name names no mistake, or a test that is not there"
			failed=1
		else
			echo "ok $n - $name fits"
		fi
	done
	exit $failed
}

# In the copy $tree: builds a test and runs it. Return: 0 if it finds the mistake, which
# it then tells, 1 if not, 2 if it cannot be built, 3 if it cannot be run here.
try() {
	local test=${1%:*} name=${1#*/} one='' program some seed why status
	name=${name%:*}
	[[ $1 != *:* ]] || one=${1#*:}
	case $test in
	unit/*)
		make -s -C "$tree/selftests/unit" "build/test_$name" > "$log" 2>&1 || return 2
		timeout 300 "$tree/selftests/unit/build/test_$name" ${one:+"$one"} > "$log" 2>&1
		status=$?
		;;
	sim)
		program=$tree/selftests/sim/build/sim
		make -s -C "$tree/selftests/sim" build/sim > "$log" 2>&1 || return 2
		mkdir -p "$top/selftests/sim/build/faults/$mistake"
		cp "$program" "$top/selftests/sim/build/faults/$mistake/sim"
		for some in ${one:+"--first $one --seeds 1"} "--seeds $SEEDS"; do
			# shellcheck disable=SC2086 # lists of arguments
			timeout 900 "$program" $some --jobs 1 ${SIM_ARGS-} > "$log" 2>&1
			seed=$(sed -n 's/^# FAILED seed \([0-9]*\).*/\1/p' "$log" | head -n 1)
			[ -z "$seed" ] || break
		done
		why=$(sed -n 's/^# invariant: //p' "$log" | head -n 1)
		[ -n "$seed" ] || return 1
		echo "sim, seed $seed: ${why:-it hung or crashed}"
		return 0
		;;
	fuzz/*)
		make -s -C "$tree/selftests/fuzz" "build/fuzz_$name" build/make_corpus \
			build/corpus/ebpfsd > "$log" 2>&1 || return 2
		make -s -C "$tree/selftests/fuzz" seeds NAMES="$name" > "$log" 2>&1 && return 1
		echo "$test"
		return 0
		;;
	net/*)
		native || return 3
		make -s -C "$tree/userspace" ebpfsd/ebpfsd > "$log" 2>&1 || return 2
		timeout 300 "$tree/selftests/build/$test" ${one:+"$one"} > "$log" 2>&1
		status=$?
		;;
	esac
	[ "$status" != 4 ] || return 3	# skipped
	why=$(sed -n 's/^not ok [0-9]* //p' "$log" | head -n 1)
	# It says what failed, or is killed: by its time, a signal, a sanitizer.
	if [ -z "$why" ] && [ "$status" -lt 124 ] && ! grep -q Sanitizer "$log"; then
		return 1
	fi
	echo "$test: ${why:-it hung or crashed}"
	return 0
}

# Tests of ebpfsd want what a file server may, and a disk.
native() {
	[ "$(id -u)" = 0 ] && [ "$(stat -f -c %T /var/tmp)" = ext2/ext3 ]
}

# Plants a mistake in $tree, has it looked for, and takes it out again.
judge() {
	local patch=$1 mistake test name file saved=$tree.saved found='' status=1 seen=() objects
	mistake=$(basename "$patch" .patch)
	log=$tree.log
	rm -rf "$saved"
	mkdir -p "$saved"
	# The files, and what was compiled of them.
	objects=$(files_of "$patch" | sed 's,.*/,,; s,\.[ch]$,.o,' | while read -r file; do
		find "$tree" -name "$file" -printf '%P\n'
	done)
	(cd "$tree" && { files_of "$patch"; echo "$objects"; } | sed '/^$/d' | tar -cf - -T -) |
		tar -xf - -C "$saved"
	if ! patch -s -p1 -F0 -d "$tree" < "$patch" > "$log" 2>&1; then
		echo "not ok - $mistake does not fit any more: plant the mistake anew"
	else
		for test in $(tests_of "$patch"); do
			found=$(try "$test")
			status=$?
			# What was linked goes: it is newer than what comes back.
			name=${test%:*} name=${name#*/}
			case $test in
			unit/*)	rm -f "$tree/selftests/unit/build/test_$name" ;;
			sim*)	rm -f "$tree/selftests/sim/build/sim" ;;
			fuzz/*)	rm -f "$tree/selftests/fuzz/build/fuzz_$name" ;;
			net/*)	rm -f "$tree"/userspace/{ebpfsd/ebpfsd,build/common.a} ;;
			esac
			[ $status = 1 ] || break
			seen+=("$test")
		done
		case $status in
		0)	echo "ok - $mistake: $(says "$patch") # found by $found" ;;
		1)	echo "not ok - $mistake: $(says "$patch") # NOT FOUND by ${seen[*]}" ;;
		2)	sed 's/^/# /' "$log"
			echo "not ok - $mistake cannot be built" ;;
		3)	echo "ok - $mistake # SKIP ${test} needs root, and /var/tmp on ext4" ;;
		esac
	fi
	(cd "$saved" && tar -cf - .) | tar -xf - -C "$tree"
}

# A copy of what is built and tested, with what was built of it.
copy_tree() {
	mkdir -p "$tree"
	tar -cf - --exclude='build/faults' --exclude='build/mutants' --exclude='build/kept' \
		--exclude='build/coverage' --exclude='*.ko' \
		Makefile kmod include bpf userspace selftests | tar -xf - -C "$tree"
}

# Takes one patch after the other, until none is left.
work() {
	local n
	tree=$scratch/$1
	copy_tree
	while :; do
		n=$(flock "$scratch/next" sh -c "read -r n < '$scratch/next'
			echo \$((n + 1)) > '$scratch/next'; echo \$n")
		[ "$n" -lt ${#patches[@]} ] || break
		judge "${patches[n]}" > "$scratch/result.$n.part"
		mv "$scratch/result.$n.part" "$scratch/result.$n"
	done
}

[ "$only" != check ] || check_all
# Not named by the process: one that was killed may have left its results there.
mkdir -p "$top/selftests/build/mutants"
scratch=$(mktemp -d "$top/selftests/build/mutants/XXXXXX") || exit 2
trap 'rm -rf "$scratch"' EXIT
trap 'exit 1' INT TERM
echo 0 > "$scratch/next"
for job in $(seq "$JOBS"); do
	work "$job" &
done
echo "KTAP version 1"
echo "1..${#patches[@]}"
failed=0
for n in "${!patches[@]}"; do
	while [ ! -e "$scratch/result.$n" ]; do
		[ -n "$(jobs -pr)" ] || [ -e "$scratch/result.$n" ] || {
			echo "Bail out! mutants.sh: nobody works any more"
			exit 1
		}
		sleep 0.2
	done
	sed -E "s/^((not )?ok) - /\1 $((n + 1)) - /" "$scratch/result.$n"
	! grep -q '^not ok' "$scratch/result.$n" || failed=1
done
exit $failed
