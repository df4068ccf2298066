#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# ebpfsctl: what it says and what it leaves, without a mount: help, wrong usage,
# attach and detach in odd places, leftovers, doctor, secrets, mount options
#
# timeout: 300

. "${0%/*}/../lib/lib.sh"

plan 111

ctl=$tree/userspace/ebpfsctl
man=$tree/Documentation/man
commands=(attach detach status stats doctor mounts node abort key)

# usage DESCRIPTION PATTERN COMMAND...: exit status 2, and the message matches.
usage() {
	local what=$1 pattern=$2 status=0
	shift 2
	"$@" > "$tmp/out" 2>&1 || status=$?
	if [ $status = 2 ] && [[ $(< "$tmp/out") =~ $pattern ]]; then
		ok "$what"
	else
		not_ok "$what"
		note "status $status of: $*"
		show "$tmp/out"
	fi
}

trap 'ip netns del ebpfs-t1 2> /dev/null; ip link del tun1 2> /dev/null
	ebpfsctl detach --all > /dev/null 2>&1; clean_up' EXIT

# Every option is in the help, the manual and the completion.
# shellcheck source=userspace/ebpfsctl/completion/ebpfsctl
. "$ctl/completion/ebpfsctl"

# complete_words WORD...: what may follow, in COMPREPLY.
complete_words() {
	COMP_WORDS=(ebpfsctl "$@" '')
	COMP_CWORD=$(($# + 1))
	COMPREPLY=()
	_ebpfsctl
}

complete_words
missing=''
for command in "${commands[@]}"; do
	[[ " ${COMPREPLY[*]} " == *" $command "* ]] || missing+=" $command"
done
check "every command is completed" test -z "$missing" || note "missing:$missing"
missing=''
for command in $(ebpfsctl --help | sed -n 's/^  \([a-z]*\)  *[a-z].*/\1/p'); do
	[[ " ${commands[*]} " == *" $command "* ]] || missing+=" $command"
done
check "this test knows every command" test -z "$missing" || note "missing:$missing"
for command in "${commands[@]}"; do
	check "$command: has help" ebpfsctl "$command" --help
	help=$(< "$tmp/out")
	complete_words "$command"
	missing=''
	while read -r option; do
		[[ " ${COMPREPLY[*]} " == *" $option "* ]] || missing+=" $option (completion)"
		plain=${option//-/\\-}
		grep -qF -- "$plain" "$man/ebpfsctl.8" || missing+=" $option (manual)"
	done < <(grep -oE '(^|[ ,])--?[a-z]+[a-z-]*' <<< "$help" | tr -d ' ,' | sort -u)
	check "$command: manual and completion have its options" test -z "$missing" ||
		note "missing:$missing"
	unknown=''
	for word in "${COMPREPLY[@]}"; do
		[[ $word != -* ]] || grep -qw -- "${word#"${word%%[!-]*}"}" <<< "$help" ||
			unknown+=" $word"
	done
	check "$command: completion has no others" test -z "$unknown" || note "unknown:$unknown"
done
missing=''
while read -r name; do
	grep -qx "\.B $name" "$man/ebpfsctl.8" || missing+=" $name"
done < <(sed -n 's/^[[:blank:]]*X(\([a-z_]*\)).*/\1/p' "$tree/kmod/stats.h")
check "the manual tells every counter of the module" test -z "$missing" || note "missing:$missing"

# Wrong usage.
usage "no command" usage: ebpfsctl
usage "a command that does not exist" "unknown command" ebpfsctl conjure
usage "an option that does not exist" "(unrecognized|invalid)" ebpfsctl status --frob
usage "attach without interface" "one interface" ebpfsctl attach
usage "attach with two" "one interface" ebpfsctl attach lo eth0
usage "attach in an unknown mode" "tc, xdp or xdp-generic" ebpfsctl attach -m fast lo
usage "attach with a port too large" "65535" ebpfsctl attach -p 65536 lo
usage "detach of all and one" "no interface" ebpfsctl detach --all lo
usage "node without a mount" "a mount and an address" ebpfsctl node add
usage "a node command that does not exist" "list, add or remove" ebpfsctl node paint /x
usage "abort of nothing" "one mount" ebpfsctl abort
usage "stats at no interval" "0.001" ebpfsctl stats -i 0
usage "key without a command" generate ebpfsctl key
usage "a key command that does not exist" "generate, add, list or remove" ebpfsctl key copy
usage "a file where none is read" "reads no file" ebpfsctl key list -f x
usage "key remove without a name" "client's name" ebpfsctl key remove
usage "mounts of something" unexpected ebpfsctl mounts everything

# Without the module.
rmmod ebpfs 2> /dev/null
refuse "without the module: attach says what to load" "(modprobe|insmod)" ebpfsctl attach lo
refuse "without the module: stats too" "(modprobe|insmod)" ebpfsctl stats
refuse "without the module: abort too" "(modprobe|insmod)" ebpfsctl abort 1
check "without the module: status says so" grep -q "not loaded" <(ebpfsctl status)
refuse "without the module: doctor fails" "fail  module" ebpfsctl doctor lo
modprobe ebpfs || give_up "cannot load the module"

# Interfaces.
ip -batch - << END
netns add ebpfs-t1
link add t1 mtu 9000 type veth peer name t2 netns ebpfs-t1
link set t1 up
link add tun1 type dummy
END
ip -n ebpfs-t1 link set t2 up
check "doctor is content with the machine" ebpfsctl doctor t1
check "doctor found that both hooks can call the module" test \
	"$(ebpfsctl -j doctor t1 | jq '[.[] | select(.check == "kfuncs" and .level == "ok")] | length')" = 2
check "attach in another network namespace, by name" ebpfsctl attach -n ebpfs-t1 t2 -m xdp
check "and by path" ebpfsctl attach -n /run/netns/ebpfs-t1 t2 -m tc
check "status tells where" test "$(ebpfsctl -j status |
	jq -r '.interfaces[] | "\(.netns_name) \(.interface) \(.mode) \(.attached)"')" = "ebpfs-t1 t2 tc true"
check "the link stands in front at TC" test \
	"$(nsenter --net=/run/netns/ebpfs-t1 bpftool -j net | jq -r '.[0].tc[0].name')" = ebpfs_steer_tc
refuse "attach where nobody is" "no interface" ebpfsctl attach -n ebpfs-t1 t1
refuse "attach in a namespace that does not exist" "ip netns" ebpfsctl attach -n ebpfs-none t2
refuse "XDP in a driver that has none" "(--mode tc|no XDP)" ebpfsctl attach tun1 -m xdp
check "which leaves nothing" test "$(ebpfsctl -j status | jq '.interfaces | length')" = 1
ebpfsctl attach tun1 -m xdp-generic > "$tmp/out"
refuse "and where it runs in general" "left as it was" ebpfsctl attach tun1 -m xdp
check "that goes on, with its counters" test "$(ebpfsctl -j status | jq -r '.interfaces[] |
	select(.interface == "tun1") | "\(.mode) \(.verdicts != null)"')" = "xdp-generic true"
ebpfsctl detach tun1
chmod 0777 /sys/fs/bpf/ebpfs
refuse "pins that anybody could change" "others than root" ebpfsctl attach t1
chmod 0700 /sys/fs/bpf/ebpfs
refuse "without the BPF filesystem: says how to mount it" "mount -t bpf" \
	unshare --mount sh -c 'umount -l /sys/fs/bpf && ebpfsctl attach t1'
check "an unprivileged user is told" grep -qiE "(root|permi)" \
	<(setpriv --reuid 1000 --clear-groups ebpfsctl attach t1 2>&1)
refuse "nor root without the right to see modules' BTF" "does not show.*CAP_SYS_ADMIN" \
	setpriv --bounding-set=-sys_admin ebpfsctl attach t1
check "a program that waits for a port" ebpfsctl attach t1 --port 20490
check "replaced by one that does not" ebpfsctl -j attach t1
check "JSON tells the program" jq -e '.program > 0 and .mode == "tc"' <<< "$(< "$tmp/out")"
# shellcheck disable=SC2016 # the inner shell expands it
check "ten at a time: each waits for its turn" bash -c \
	'for i in 1 2 3 4 5; do ebpfsctl attach t1 -m tc & ebpfsctl attach t1 -m xdp & done
	 for job in $(jobs -p); do wait "$job" || exit; done'
pins=/sys/fs/bpf/ebpfs/$(stat -Lc %i /proc/self/ns/net)-$(< /sys/class/net/t1/ifindex)
check "one of them is left" test "$(find "$pins" -name tc -o -name 'xdp*' | wc -l)" = 1

# Interfaces that go away.
ip netns del ebpfs-t1
for ((i = 0; i < 100; i++)); do
	[ -e /sys/class/net/t1 ] || break
	nap 0.1
done
check "deleted interfaces are told as such" test \
	"$(ebpfsctl -j status | jq '[.interfaces[] | select(.attached | not)] | length')" = 2
refuse "what is left holds the module" "in use" rmmod ebpfs
check "attach beside them" ebpfsctl attach lo
usage "all, in one namespace" "without --netns" ebpfsctl detach --all -n /proc/self/ns/net
check "detach --gone" ebpfsctl -j detach --gone
check "cleared two" jq -e '.detached == 2' <<< "$(< "$tmp/out")"
check "and left the other" test "$(ebpfsctl -j status | jq -r '.interfaces[].interface')" = lo
check "detach --serve --all" ebpfsctl -j detach --serve --all
check "counts whom it took a program from" jq -e '.detached == 0' <<< "$(< "$tmp/out")"
refuse "detach --all that cannot open what is pinned" "open files|cannot open" \
	prlimit --nofile=5:5 ebpfsctl detach --all
check "took nothing that it did not see" test "$(ebpfsctl -j status |
	jq -r '.interfaces[] | "\(.interface) \(.attached) \(.verdicts != null)"')" = "lo true true"
check "detach --all" ebpfsctl detach --all
check "leaves an empty directory" test -z "$(ls /sys/fs/bpf/ebpfs)"
released() {
	local i
	for ((i = 0; i < 50; i++)); do
		rmmod ebpfs 2> /dev/null && return
		nap 0.1
	done
	return 1
}
check "and the module can go within 5 s" released
modprobe ebpfs
ip link del tun1

# Counters.
ebpfsctl attach lo > "$tmp/out"
ping -q -c 3 -i 0.01 127.0.0.1 > "$tmp/out"
check "stats counts what it lets pass" test "$(ebpfsctl -j stats | jq .programs.pass_other)" -ge 3
check "stats --watch prints a line per sample" test \
	"$(ebpfsctl -j stats --watch --count 3 --interval 0.05 | jq -c .programs.filled | wc -l)" = 3
check "its samples of the programs need no system call" test "$(strace -f -o "$tmp/trace" \
	ebpfsctl stats -w -p -c 40 -i 0.001 > /dev/null; grep -c 'nanosleep' "$tmp/trace")" -ge 40
# The first line that is printed makes the C library look at its standard output.
first=$(grep -n nanosleep "$tmp/trace" | sed -n 3p)
check "but sleeping and printing" test -z "$(tail -n "+${first%%:*}" "$tmp/trace" |
	grep -vE 'nanosleep|write\(1|exit')" || show "$tmp/trace"
ebpfsctl detach --all

# Secrets.
first=$(ebpfsctl key generate) second=$(ebpfsctl key generate)
check "a secret has 32 bytes" test "$(base64 -d <<< "$first" | wc -c)" = 32
check "another one differs" test "$first" != "$second"
refuse "no key: remove says so" "no key of client 'nobody'" ebpfsctl key remove nobody
refuse "a secret from a terminal is refused" "--file" script -qec "ebpfsctl key add me" /dev/null
refuse "half a secret" "does not hold a secret" ebpfsctl key add me <<< "${first:20}"
refuse "a name that mount could not have" "no commas" ebpfsctl key add a,b <<< "$first"
(umask 022; echo "$first" > "$tmp/open")
refuse "a secret that others can read" "chmod 600" ebpfsctl key add me --file "$tmp/open"
rm -f "$tmp/open"
check "nothing of it is in a keyring" test "$(ebpfsctl -j key list | jq length)" = 0
ebpfsctl key add < <(echo; printf '%s' "$first"; nap 0.2; printf '\n\n')
check "without a name it is the host's, and white space does not matter" \
	test "$(ebpfsctl -j key list | jq -r '.[].name')" = "$(hostname)"
ebpfsctl key remove "$(hostname)"

# Options of mount.ebpfs, by what it would do.
(umask 077; echo "$first" > "$tmp/secret")
would() {
	mount.ebpfs -fv "$1" "$tmp" -o "name=me,secretfile=$tmp/secret,$2" 2>&1
}
check "mount: addresses and ports are handed on" grep -qx \
	'mount.ebpfs: source 127.0.0.1,\[::1\]:77,127.0.0.2:88:/data' \
	<(would '127.0.0.1,[::1]:77,127.0.0.2:88:/data' ro)
check "mount: a name becomes an address" grep -qE 'source (127.0.0.1|\[::1\]):/data$' \
	<(would localhost:/data ro)
check "mount: words for others are left out" test "$(would 127.0.0.1:/d \
	_netdev,nofail,noauto,x-systemd.automount,X-mount.mkdir,comment=hello,defaults |
	grep -c 'option')" = 1
check "mount: attributes of the mount" test "$(would 127.0.0.1:/d \
	ro,nosuid,nodev,noexec,noatime,nodiratime,nosymfollow | grep -c attribute)" = 7
check "mount: the last word counts" test "$(would 127.0.0.1:/d user,exec,suid,dev,noatime,relatime |
	grep -c attribute)" = 0
check "mount: options go to the kernel in order" test "$(would 127.0.0.1:/d soft,timeo=5,hard |
	sed -n 's/.*option //p' | tr '\n' ' ')" = "name=me soft timeo=5 hard "
check "mount: a quoted comma separates nothing" grep -qx 'mount.ebpfs: option context=a,b' \
	<(would 127.0.0.1:/d 'context="a,b"')
refuse "mount: a secret in the options is refused" secretfile= would 127.0.0.1:/d secret=x
refuse "mount: a list that ends with a comma" "last comma" would 127.0.0.1,:/d ro
would 127.0.0.1,:/d ro > /dev/null
status=$?
would no-such-host.invalid:/d ro > /dev/null
holds "mount: that is wrong usage (1), an unknown host a failure (32): $status, $?" \
	"status == 1 && $? == 32"
long=''
for ((i = 1; i < 40; i++)); do
	long+=10.0.0.$i,
done
refuse "mount: a source too long for the kernel" "node add" would "${long%,}:/d" ro

rmmod ebpfs
