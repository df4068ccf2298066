#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# steering: programs come, go and are replaced while everything is read, and
# programs of others are left alone
#
# timeout: 240

. "${0%/*}/../lib/lib.sh"

plan 19
one_processor_if_emulated

mkdir -p "$srv"
mkdata tree "$srv/tree" 500
mkdata file "$srv/big" 48M
client=(nsenter --net=/run/netns/ebpfs-c1)
steer=off lab_up --export "$srv"

# Goes round through all modes until it is killed.
turning() {
	local n=0 mode
	while :; do
		for mode in tc xdp xdp-generic tc tc xdp; do
			"${client[@]}" ebpfsctl attach s1 --mode "$mode" || echo "attach $mode failed"
			echo "rounds $((n += 1))"
			nap 0.1
		done
		"${client[@]}" ebpfsctl detach s1 || echo "detach failed"
		nap 0.1
	done
}

spawn turning > "$tmp/turning" 2>&1
turner=$!
check "a full read under changing modes" treecmp -t 3 "$srv" "$mnt"
drop_caches
check "again" treecmp -t 3 "$srv" "$mnt"
drop_caches
check "random reads, every way" randread -t 4 -n 600 "$srv/big" "$mnt/big"
kill $turner
wait $turner 2> /dev/null
rounds=$(grep -c rounds "$tmp/turning")
holds "there were at least 5 changes ($rounds)" "rounds >= 5"
check "each of them worked" test -z "$(grep failed "$tmp/turning")" || show "$tmp/turning"
read_stats
note "xdp ${S[fill_bytes_xdp]}, tc ${S[fill_bytes_tc]}, plain ${S[fill_bytes_plain]}"
holds "bytes came by XDP and by TC" \
	"S[fill_bytes_xdp] > 0 && S[fill_bytes_tc] > 0"

# The administrator's steps, one by one.
lab steer off
check "status without programs" ebpfsctl status
refuse "detach of what is not attached" s1 "${client[@]}" ebpfsctl detach s1
refuse "attach to no interface" nothing "${client[@]}" ebpfsctl attach nothing
refuse "attach in no mode" mode "${client[@]}" ebpfsctl attach s1 --mode sideways
check "attach without a mode" "${client[@]}" ebpfsctl attach s1
check "which is tc, as status tells" test \
	"$("${client[@]}" ebpfsctl -j status | jq -r '.interfaces[0].mode')" = tc
refuse "rmmod while a program is attached" "in use" rmmod ebpfs
lab steer off

# Somebody else's XDP program: one that passes everything.
cat > "$tmp/foreign.c" <<'END'
__attribute__((section("xdp"), used)) int foreign(void *ctx) { return 2; }
END
check "a foreign XDP program is made" clang -O2 -target bpf -c "$tmp/foreign.c" -o "$tmp/foreign.o"
check "and attached" "${client[@]}" ip link set dev s1 xdpgeneric obj "$tmp/foreign.o" sec xdp
refuse "XDP steering is refused over it" "(program|id)" \
	"${client[@]}" ebpfsctl attach s1 --mode xdp-generic
check "it is still there" grep -q xdp <("${client[@]}" ip link show s1)
check "TC steering is not in its way" "${client[@]}" ebpfsctl attach s1 --mode tc
drop_caches
check "and reads go on" treecmp "$srv/tree" "$mnt/tree"
