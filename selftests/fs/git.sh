#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# git: repositories on a mount, worked with from two clients; long: a real program is
# built and tested there, this project's simulator
#
# modes: tc
# timeout: 300

. "${0%/*}/../lib/lib.sh"

parts=(include kmod/core)
if [ -n "${EBPFS_LONG-}" ]; then
	plan 24
	parts+=(userspace/lib selftests/lib selftests/unit selftests/sim)
else
	plan 16
fi

export GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@example.org GIT_COMMITTER_NAME=a
export GIT_COMMITTER_EMAIL=a@example.org GIT_CONFIG_NOSYSTEM=1 HOME=$tmp
mkdir -p "$srv"
lab_up --export "$srv" --clients 2
cat > "$tmp/.gitconfig" <<END
[init]
	defaultBranch = main
[gc]
	auto = 0
[safe]
	directory = *
[protocol "file"]
	allow = always
END

repo=$mnt/repo there=$mnt-2/clone
mkdir "$repo"
# The sources, without what was built from them.
copy() {
	tar -C "$tree" --exclude=build --exclude='*.o' -cf - "${parts[@]}" | tar -C "$1" -xf - &&
		echo build/ > "$1/.gitignore"
}
check "a tree is copied in" copy "$repo"
check "git init" git init -q "$repo"
cd "$repo" || give_up "no repository"
commit() {
	git add -A && git commit -qm "$1" && [ -z "$(git status --porcelain)" ]
}
check "git add and commit, and then nothing is left to commit" commit first
check "another client clones it" git clone -q --no-local "$mnt-2/repo" "$there"
check "and has the same" diff -r --exclude .git "$repo" "$there"

work_there() {
	cd "$there" && git checkout -qb other && sed -i 's/the/THE/' kmod/core/*.c &&
		git mv include/uapi elsewhere && commit second &&
		git rm -rq elsewhere && commit third && git push -q origin other
}
check "commits there, and a push" work_there
work_here() {
	cd "$repo" && echo more > kmod/core/more && commit here &&
		git merge -q -m merged other && [ ! -e elsewhere ] && [ -e kmod/core/more ] &&
		git diff --quiet other -- kmod/core/wire.c && [ -z "$(git status --porcelain)" ]
}
check "which is merged here" work_here
branches() {
	local i
	cd "$repo" && git checkout -q HEAD~2 2> /dev/null || git checkout -q HEAD~1 || return
	[ -z "$(git status --porcelain)" ] || return
	for i in 1 2 3; do
		git checkout -qb "b$i" && echo "$i" > "file$i" && commit "$i" || return
	done
	git rebase -q --onto main HEAD~2 && [ -z "$(git status --porcelain)" ] &&
		git checkout -q main && [ ! -e file3 ]
}
check "branches and a rebase" branches
check "the other client fetches" git -C "$there" fetch -q
check "and has every object" git -C "$there" fsck --full --strict
check "git gc" git -C "$repo" gc -q --prune=now
drop_caches
check "git fsck, without caches" git -C "$repo" fsck --full --strict
check "at the server" git -C "$srv/repo" fsck --full --strict
same_log() {
	[ "$(git -C "$repo" log --all --format='%H %T')" = \
	  "$(git -C "$mnt-2/repo" log --all --format='%H %T')" ] &&
		[ -z "$(git -C "$mnt-2/repo" status --porcelain)" ]
}
check "the other client sees the same commits, and a clean tree" same_log
check "a second working tree" git -C "$repo" worktree add -q ../second b1
archive() {
	mkdir "$tmp/main" && git -C "$mnt-2/repo" archive main | tar -C "$tmp/main" -xf - &&
		diff -r --exclude .git "$tmp/main" "$srv/repo"
}
check "git archive is what is checked out" archive

cd / || give_up "no root"
[ -n "${EBPFS_LONG-}" ] || exit 0

# Building.
check "a clone" git clone -q "$repo" "$mnt/build"
first_commit() {
	git -C "$mnt/build" checkout -q "$(git -C "$mnt/build" rev-list --max-parents=0 HEAD)"
}
check "its first commit is checked out" first_commit
make=(make -s -j2 -C "$mnt/build/selftests/sim")
run=(selftests/sim/build/sim --seeds 200 --jobs 2)
check "it is built" "${make[@]}"
check "nothing is left to do" "${make[@]}" -q
check "at another client, too" "${make[@]//$mnt\//$mnt-2/}" -q
check "it works" "$mnt/build/${run[0]}" "${run[@]:1}"
check "and at another client" "$mnt-2/build/${run[0]}" "${run[@]:1}"
check "make clean" "${make[@]}" clean
